# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The power is cut in the middle of a command: what the kernel has deleted is on the disk.
# The kernel is the stand-in, in a guest; the disk has what was written to it when the guest
# is killed, and nothing of what it still had in memory. Loaded after vm.bash and
# helpers.bash.

# cut_everywhere REQUEST COMMAND: at each step of imalog COMMAND, whose request to the kernel
# this is, and on one machine more all the disks
cut_everywhere() {
	local point call
	mkdir cuts
	echo "$2" >"command"
	for point in "$1 before" "$1 after" 'flush after'; do
		cut_at "$point"
	done
	# Each of these system calls, until there are no more of them
	for call in fsync renameat renameat2; do
		cut_at_each "$call"
	done
	look_again
}

# cut_at POINT: in cuts/POINT
cut_at() {
	local dir=$BATS_FILE_TMPDIR/cuts/${1/ /-}
	mkdir "$dir"
	(
		cd "$dir" || exit
		echo "$1" >point
		vm_scenario power-cut point ../../command
		vm_disk disk 16M
		vm_cut '' -drive file=disk,format=raw,if=virtio
	)
}

cut_at_each() {
	local i
	for ((i = 1; i < 30; i++)); do
		cut_at "$1 $i"
		[ ! -e "cuts/$1-$i/out/ended" ] || return 0
	done
	fail "no end of $1"
}

# All disks in one machine, which boots anew, and so does the stand-in.
look_again() {
	local disk disks=()
	for disk in cuts/*/disk; do
		disks+=(-drive "file=$disk,format=raw,if=virtio")
	done
	vm_scenario power-on
	vm_run '' "${disks[@]}"
}

# each_cut COMMAND...: with the number of the disk, and what was left of the guest
each_cut() {
	local i=0 dir
	for dir in cuts/*; do
		i=$((i + 1))
		now=${dir#cuts/}
		"$@" "$i" "$dir/out"
	done
	[ "$i" -ge 12 ] || fail "$i points are too few"
}

# stat_of DIR KEY
stat_of() {
	sed -n "s/^$2=//p" "$1/stats"
}

# expect_begins FILE WITH: both are logs
expect_begins() {
	head -c "$(wc -c <"$2")" "$1" >begin
	cmp begin "$2" || fail "$now: '$1' does not begin with '$2'"
}

# deleted_of DIR: how many records the stand-in has deleted
deleted_of() {
	echo $(($(stat_of "$1" ever) - $(stat_of "$1" current) - $(stat_of "$1" staged)))
}

# expect_kept N DIR: what the stand-in has deleted is there, right after the cut and in the
# log after the next export; that has nothing that never was, and has thrown nothing away.
expect_kept() {
	local deleted
	deleted=$(deleted_of "$2")
	[ "$deleted" -ge 45 ] || fail "$now: only $deleted records were deleted"
	records "$2/ever" 1 "$deleted" >deleted
	expect_begins "out/$1.found" deleted
	expect_begins "out/$1.log" deleted
	expect_begins "$2/ever" "out/$1.log"
	expect_begins "out/$1.kept" "out/$1.found"
}

# expect_going_on N DIR: the log of this boot is whole, and so is the epoch that was cut.
expect_going_on() {
	local step
	vm_step "$1.export"
	expect_status 0 "$now"
	expect_no_stderr "$now"
	for step in replay status check; do
		vm_step "$1.$step"
		expect_status 0 "$now, $step"
	done
	vm_step "$1.check-old"
	if [ "$status" -eq 1 ]; then
		# Cut before there was a receipt: a boot is over, and has more than the store.
		expect_stderr "^imalog: epoch 1: 'partial.00000003' was being saved by an interrupted export, and no segment has its records: it is no part of the log$"
		[ "$(wc -l <<<"$stderr")" -eq 1 ] || fail "$now: $stderr"
	else
		expect_status 0 "$now, check-old"
	fi
}

# expect_steps REQUEST: the cuts were not all at the same step. Right before the request only
# what earlier exports took was deleted; right after it two records more are.
expect_steps() {
	[ -e cuts/fsync-5/point ] || fail 'too few fsync'
	[ -e cuts/renameat-2/point ] || fail 'too few renameat'
	[ "$(deleted_of "cuts/$1-before/out")" -eq 45 ] || fail 'it was deleted'
	[ "$(deleted_of "cuts/$1-after/out")" -eq 47 ] || fail 'it was not deleted'
}
