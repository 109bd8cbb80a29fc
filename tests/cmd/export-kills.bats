#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# export, killed at any system call where there is no store yet, twice in a row, and with
# a TPM through tpm2-tss; and a disk that goes away. Lists repeat all the while.
#
# IMALOG_LONG=1: at each call, not at a sample of them

load helpers
load swtpm
load imafs
load faults
load export

setup() {
	unset IMALOG_TEST_ROOT
	need_strace
	make_machine
	TPM=(--tcti "$TPM2TOOLS_TCTI")
}

teardown() {
	umount -l "$BATS_TEST_TMPDIR/disk" 2>/dev/null || true
	stop_machine
}

# use_sysfs: the TPM is read through sysfs, which takes less time
use_sysfs() {
	imafs_stop
	stop_swtpm tpm
	unset TPM2TOOLS_TCTI
	imafs_start root
	TPM=(--sysfs)
}

# finish: recovers, and looks at everything
finish() {
	imafs_ctl clear
	expect_code 0 export -q "${TPM[@]}"
	expect_no_stderr "$now"
	expect_all
	[ "$(readlink "$STORE/current")" = epoch-000001 ] || fail "$now: no link"
}

# calls_of STEP: the system calls of an export of two records, in the file calls
calls_of() {
	faults_calls calls --root "$ROOT" export "${TPM[@]}"
	expect_status 0 'not killed'
	[ -n "${IMALOG_LONG-}" ] || awk -v step="$1" '
		NR % step == 0 || /^(fsync|rename|symlink|mkdir|unlink|write)/' calls >sample
	[ -n "${IMALOG_LONG-}" ] || mv sample calls
	[ "$(wc -l <calls)" -gt 10 ] || fail 'too few system calls'
}

# killed CALL NUMBER: an export that ends there, or did all before
killed() {
	faults_kill "$1" "$2" --root "$ROOT" export "${TPM[@]}"
	[ "$status" -eq 137 ] || expect_status 0 "$now"
}

@test "export kills: at any system call of the first export, which makes the store" {
	local call number
	use_sysfs
	imafs_ctl violation /x 2
	calls_of 12
	while read -r call number <&8; do
		now="$call $number is the end"
		rm -rf "$STORE"
		imafs_ctl reboot
		imafs_ctl violation /x 2
		killed "$call" "$number"
		imafs_ctl violation /x 2
		finish
	done 8<calls
	expect_code 0 store check --sysfs -q
}

@test "export kills: two in a row" {
	local call number count=0
	use_sysfs
	expect_code 0 export -q
	imafs_ctl violation /x 2
	calls_of 20
	cp calls others
	while read -r call number <&8; do
		count=$((count + 1))
		now="$call $number is the end"
		imafs_ctl violation /x 2
		killed "$call" "$number"
		imafs_ctl violation /x 2
		# Another call each time
		read -r call number < <(shuf -n 1 --random-source=<(yes "$count") others)
		now+=", and then $call $number"
		killed "$call" "$number"
		imafs_ctl violation /x 2
		finish
	done 8<calls
	expect_code 0 store check --sysfs -q
}

@test "export kills: with a TPM through tpm2-tss" {
	local call number
	expect_code 0 export -q "${TPM[@]}"
	imafs_ctl violation /x 2
	calls_of 40
	while read -r call number <&8; do
		now="$call $number is the end"
		imafs_ctl violation /x 2
		killed "$call" "$number"
		imafs_ctl violation /x 2
		finish
	done 8<calls
	expect_proved
}

# FS_IOC_SHUTDOWN, which ext4 and XFS have for tests of this kind
vanish() {
	"$PYTHON" -I -S -c '
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$1"
}

@test "export kills: the disk of the store goes away" {
	local when
	mkdir disk
	truncate -s 16M image
	mkfs.ext4 -q image 2>/dev/null || skip 'no mkfs.ext4'
	for when in 'after A' 'before read@*_staged' 'before D'; do
		mount -o loop image disk 2>/dev/null || skip 'no loop devices'
		imafs_ctl violation /x 2
		# shellcheck disable=SC2086 # words
		imafs_at $when stall
		"$IMALOG" --root "$ROOT" export "${TPM[@]}" --store disk/store >out 2>err 3>&- &
		imafs_ctl await >stalled
		vanish disk || skip 'the file system cannot go away'
		imafs_ctl resume
		status=0
		wait $! || status=$?
		# Before D it is durable already: only what comes behind fails.
		expect_status 4
		grep -q 'Input/output error\|Read-only' err || fail "$when: $(cat err)"
		umount disk
		imafs_ctl clear
		mount -o loop image disk
		STORE=$PWD/disk/store
		expect_code 0 export "${TPM[@]}" --store disk/store
		expect_all
		umount disk
	done
}
