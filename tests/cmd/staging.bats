#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# stage, save FILE, confirm FILE: step by step, each safe alone.

load helpers
load imafs
load faults

STAGED=binary_runtime_measurements_staged

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	imafs_start root
	! [ -e "${ROOT%/}/var/lib/imalog" ] || skip 'this machine has a store'
}

teardown() {
	exec 7<&- 8<&-
	local mount
	for mount in merged memory; do
		umount -l "$BATS_TEST_TMPDIR/$mount" 2>/dev/null || true
	done
	imafs_stop
}

# Deleting takes a copy that lasts, and the tests' own directory is where it is.
need_durable() {
	local type
	type=$(stat -f -c %T .)
	case $type in
	tmpfs | ramfs | overlayfs | fuse*)
		skip "'$PWD' is on $type, where nothing lasts: set TMPDIR to a place on a disk"
		;;
	esac
}

# The commands with the root; further arguments are theirs.
on_root() {
	local command=$1
	shift
	imalog --root "$ROOT" "$command" "$@"
}

# expect_code N COMMAND ARG...
expect_code() {
	local want=$1
	shift
	on_root "$@"
	expect_status "$want" "$*"
}

measure() {
	local name
	for name; do
		echo "content of $name" >"$name"
	done
	imafs_ctl measure "$@"
}

# expect_all FILE...: these and the kernel's lists are everything that was measured, in
# order, and lead to the TPM's values.
expect_all() {
	cat "$@" "$IMA/$STAGED" "$IMA/binary_runtime_measurements" >all
	if [ -z "${IMALOG_TEST_ROOT-}" ]; then
		imafs_ctl dump-all >ever
		expect_same ever all 'something is lost, or double'
	fi
	imalog replay --root "$ROOT" --sysfs --pcr 10 all
	expect_status 0 'replay of everything'
}

# ---- the three steps

@test "staging: stage is 0 when something is staged, now or before, and 1 when not" {
	need_durable
	expect_code 0 stage -v
	expect_stdout 'is staged'
	expect_code 0 stage --verbose
	expect_stdout 'staged before'
	expect_code 0 stage
	expect_no_stdout
	expect_no_stderr
	expect_code 0 save log.1
	expect_code 0 confirm log.1
	[ -z "${IMALOG_TEST_ROOT-}" ] || skip 'a real list grows by itself'
	expect_code 1 stage
	expect_stderr 'nothing to stage'
	expect_code 1 stage --quiet
	expect_no_stderr
}

@test "staging: save is 0 when FILE has it, 4 when FILE has something else, 1 without" {
	expect_code 1 save log.1
	expect_stderr 'nothing is staged'
	[ ! -e log.1 ] || fail 'a file of nothing'
	measure one two
	expect_code 0 stage
	expect_code 0 save log.1 -v
	expect_stdout '^[0-9]+ records?, [0-9]+ bytes: saved\.$'
	[ "$(stat -c %a log.1)" = 600 ] || fail 'others can read it'
	expect_same "$IMA/$STAGED" log.1
	expect_code 0 save log.1 -v
	expect_stdout ': saved before, and still there\.$'
	cp log.1 before
	echo more >>log.1
	cp log.1 longer
	expect_code 4 save log.1
	expect_stderr "'log.1': it goes on where what is staged ends"
	expect_same longer log.1
	head -c 100 before >log.1
	expect_code 4 save log.1
	expect_stderr "'log.1': it ends before what is staged does, at byte 100"
	cp before log.1
	flip log.1 50
	expect_code 4 save log.1
	expect_stderr "'log.1': it is not what is staged, at byte 50"
	ln -s elsewhere link
	expect_code 4 save link
	expect_stderr 'symbolic link'
	[ ! -e elsewhere ] || fail 'the link was followed'
	mkdir dir
	expect_code 4 save dir
	expect_code 4 save none/log.1
	expect_code 2 save -
	expect_code 2 save log.2 log.3
	[ "$(echo .imalog.*)" = '.imalog.*' ] || fail 'a temporary file is left'
}

@test "staging: confirm is 0 when it is deleted, 1 when nothing is staged, else 4" {
	need_durable
	measure one two
	echo other >other
	expect_code 1 confirm other
	expect_stderr 'nothing is staged'
	expect_code 0 stage
	expect_code 4 confirm none
	expect_stderr "'none': cannot open"
	expect_code 4 confirm other
	expect_code 0 save log.1
	head -c -1 log.1 >shorter
	expect_code 4 confirm shorter
	{ cat log.1 && echo; } >longer
	expect_code 4 confirm longer
	ln -s log.1 link
	expect_code 4 confirm link
	expect_code 4 confirm .
	cp log.1 before
	expect_same before "$IMA/$STAGED" 'something was deleted'
	expect_code 0 confirm log.1 -v
	expect_stdout 'deleted'
	[ "$(wc -c <"$IMA/$STAGED")" = 0 ] || fail 'nothing was deleted'
	expect_same before log.1
	expect_code 1 confirm log.1
	expect_code 1 save log.2
	expect_all log.1
}

@test "staging: one line for cron, again and again" {
	need_durable
	local i
	for i in 1 2 3 4; do
		measure "file.$i"
		imafs_ctl violation /var/log/messages 2
		run bash -c "imalog() { '$IMALOG' --root '$ROOT' \"\$@\"; }
			imalog stage && imalog save log.$i && imalog confirm log.$i"
		expect_status 0
		[ -z "$output" ] || fail 'cron would send mail'
	done
	expect_all log.1 log.2 log.3 log.4
}

@test "staging: lists of the same bytes are other records" {
	need_durable
	expect_code 0 stage
	expect_code 0 save log.0
	expect_code 0 confirm log.0
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 0 save log.1
	expect_code 0 confirm log.1
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_same "$IMA/$STAGED" log.1 'the same bytes are needed here'
	expect_code 4 save log.1
	expect_stderr "'log.1': it has the same bytes, but nothing proves"
	expect_code 4 confirm log.1
	expect_stderr "'log.1': it has the same bytes, but nothing proves"
	expect_code 0 save log.2
	expect_code 0 confirm log.2
	expect_all log.0 log.1 log.2
}

@test "staging: records that come in between are neither lost nor deleted" {
	need_durable
	measure one
	imafs_at after A add /after/stage
	expect_code 0 stage
	imafs_at before open-write add /before/save
	imafs_at after read add /in/save
	expect_code 0 save log.1
	imafs_at after open-write violation /x 2
	imafs_at before read:1 add /in/confirm
	imafs_at before D violation /x
	imafs_at after D add /after/delete
	expect_code 0 confirm log.1
	expect_all log.1
	[ "$(imafs_stat current)" = 8 ] || fail 'not all came'
	imafs_single 2
}

@test "staging: a list of 100,000 records, and a record of 64 KiB" {
	need_durable
	imafs_ctl bulk 99000
	imafs_ctl event-size large 65536
	imafs_ctl bulk 1000 /more/
	expect_code 0 stage
	expect_code 0 save log.1
	expect_code 0 confirm log.1
	expect_all log.1
}

@test "staging: short reads make no short copy" {
	need_durable
	imafs_ctl bulk 300
	imafs_ctl set read-limit 7
	expect_code 0 stage
	expect_code 0 save log.1
	expect_code 0 confirm log.1
	expect_all log.1
}

# ---- others

@test "staging: who holds a list is named, and waited for" {
	exec 7<"$IMA/binary_runtime_measurements"
	expect_code 4 stage --wait 0
	expect_stderr "^imalog: binary_runtime_measurements is held open by bash \(pid $$\)"
	expect_code 4 save log.1 --wait 100ms
	expect_stderr 'is held open by bash'
	exec 7<&-
	exec 7<"$IMA/ascii_runtime_measurements_sha256"
	expect_code 4 confirm --wait=0s log.1
	expect_stderr 'ascii_runtime_measurements_sha256 is held open by'
	# It goes while imalog waits
	exec 8<"$IMA/binary_runtime_measurements"
	"$IMALOG" --root "$ROOT" stage --wait 1m 7<&- 8<&- &
	sleep 0.3
	exec 7<&- 8<&-
	wait $! || fail 'it should have waited'
	expect_code 2 stage --wait soon
	expect_usage_error stage
	expect_code 2 stage --wait ''
	expect_code 2 stage --wait 5s --wait 5s
	expect_code 2 stage --wait 99999999h
}

@test "staging: two at once, the second of which has to wait" {
	need_durable
	local first
	measure one
	expect_code 0 stage
	expect_code 0 save log.1
	imafs_at before D stall
	"$IMALOG" --root "$ROOT" confirm log.1 &
	first=$!
	until [ -n "$(imafs_ctl stalled)" ]; do sleep 0.05; done
	expect_code 4 stage --wait 0
	expect_stderr "binary_runtime_measurements_staged is held open by imalog \(pid $first\)"
	expect_code 4 save log.2 --wait 0
	expect_code 4 confirm log.1 --wait 0
	imafs_ctl resume
	wait "$first"
	expect_code 1 confirm log.1
	expect_all log.1
	imafs_single 2
}

# other REQUEST: somebody else's, on the staged list
other() {
	printf '%s\n' "$1" 1<>"$IMA/$STAGED"
}

@test "staging: somebody else deletes and stages between the steps" {
	need_durable
	measure one
	expect_code 0 stage
	expect_code 0 save log.1
	other D
	expect_code 1 confirm log.1
	measure two
	other A
	expect_code 4 confirm log.1
	expect_stderr "'log.1': it is not what is staged|it goes on"
	expect_code 0 save log.2
	expect_code 0 confirm log.2
	expect_all log.1 log.2
}

# A copy of what another copy was confirmed for, and a copy of what somebody else deleted
@test "staging: another copy of the same bytes is no reason to delete" {
	need_durable
	expect_code 0 stage
	expect_code 0 save log.0
	expect_code 0 confirm log.0
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 0 save log.1
	expect_code 0 save log.1.backup
	expect_code 0 confirm log.1.backup
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 4 confirm log.1
	expect_stderr 'nothing proves'
	expect_all log.0 log.1
	expect_code 0 save log.2
	other D
	imafs_ctl violation /x 2
	other A
	expect_code 4 confirm log.2
	expect_code 4 save log.2
	expect_code 0 save log.3
	expect_code 0 confirm log.3
	expect_all log.0 log.1 log.2 log.3
}

@test "staging: a copy of the copy takes its mark along, or is none" {
	need_durable
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 0 save log.1
	cp log.1 plain
	expect_code 4 confirm plain
	expect_stderr "'plain': it has the same bytes, but nothing proves"
	cp -a log.1 whole
	expect_code 0 confirm whole
	expect_all whole
}

# ---- places

@test "staging: what a power cut would erase is saved to, but not enough to delete" {
	measure one
	mkdir memory
	mount -t tmpfs tmpfs memory || skip 'that takes the right to mount'
	expect_code 0 stage
	expect_code 0 save memory/log.1
	expect_stderr "note: 'memory/log.1' is not durable.*tmpfs"
	expect_code 0 save memory/log.1 --quiet
	expect_no_stderr
	expect_code 4 confirm memory/log.1
	expect_stderr "'memory/log.1': it is on tmpfs"
	mkdir memory/upper memory/inner lower merged
	if mount -t overlay -o lowerdir=lower,upperdir=memory/upper,workdir=memory/inner \
		overlay merged; then
		expect_code 0 save merged/log.1
		expect_code 4 confirm merged/log.1
		expect_stderr 'the upper layer of the overlay is on tmpfs'
		umount merged
	fi
	umount memory
	mount -t ramfs ramfs memory
	expect_code 0 save memory/log.1
	expect_code 4 confirm memory/log.1
	expect_stderr 'ramfs'
	# This one is on FUSE, unless the kernel is a real one
	expect_code 4 confirm "$IMA/$STAGED"
	expect_stderr 'FUSE|securityfs'
	expect_all
}

@test "staging: a file system that is in a file in memory" {
	command -v mkfs.ext4 >/dev/null || skip 'mkfs.ext4 is not installed'
	local disk
	disk=$(mktemp -p /dev/shm imalog.XXXXXX) || skip 'there is no /dev/shm'
	truncate -s 8M "$disk"
	mkfs.ext4 -q "$disk"
	mkdir memory
	if ! mount -o loop "$disk" memory; then
		rm "$disk"
		skip 'there are no loop devices'
	fi
	rm "$disk"
	expect_code 0 stage
	expect_code 0 save memory/log.1
	expect_code 4 confirm memory/log.1
	expect_stderr 'loop device'
	expect_all
}

@test "staging: full and read-only disks" {
	imafs_ctl bulk 2000
	mkdir memory
	mount -t tmpfs -o size=64k tmpfs memory || skip 'that takes the right to mount'
	expect_code 0 stage
	expect_code 4 save memory/log.1
	expect_stderr "'memory/log.1': .*No space left"
	[ -z "$(ls -A memory)" ] || fail 'something is left'
	mount -o remount,ro memory
	expect_code 4 save memory/log.1
	expect_stderr 'Read-only file system'
	expect_all
}

# ---- kernels

@test "staging: when the machine goes down nothing is deleted" {
	need_durable
	measure one
	expect_code 0 stage
	expect_code 0 save log.1
	measure two
	imafs_ctl suspend kexec
	expect_code 4 confirm log.1
	expect_stderr 'going down' "keep 'log.1': it may become the only copy"
	expect_code 0 stage
	expect_code 0 save log.1
	expect_all
}

@test "staging: a kexec carries what is staged, or loses it" {
	need_durable
	measure one
	expect_code 0 stage
	expect_code 0 save log.1
	imafs_ctl suspend kexec
	expect_code 4 confirm log.1
	imafs_ctl kexec carried
	# It is a list like any other now, with more behind it
	expect_code 1 confirm log.1
	expect_code 0 stage
	expect_code 4 confirm log.1
	expect_stderr "'log.1': it ends before"
	expect_code 0 save log.2
	expect_code 0 confirm log.2
	expect_same log.1 <(head -c "$(stat -c %s log.1)" log.2)
	expect_all log.2
	expect_code 1 stage
	measure two
	expect_code 0 stage
	expect_code 0 save log.3
	imafs_ctl suspend kexec
	expect_code 4 confirm log.3
	imafs_ctl kexec lost
	expect_all log.2 log.3
}

@test "staging: a list that is not staged when the machine goes down" {
	imafs_ctl suspend
	expect_code 4 stage
	expect_stderr 'going down'
}

@test "staging: a kernel that runs out of memory while it deletes has deleted" {
	need_durable
	imafs_ctl set flush-htable on
	imafs_ctl set d-nomem on
	measure one
	imafs_ctl violation /x
	expect_code 0 stage
	expect_code 0 save log.1
	expect_code 0 confirm log.1
	expect_all log.1
	# What has no violation may come again, with this kernel
	measure two
	expect_code 0 stage
	expect_code 0 save log.2
	expect_code 4 confirm log.2
	expect_stderr 'nothing proves'
	expect_all log.1
}

@test "staging: when deleting fails, the list is there and can be confirmed again" {
	need_durable
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 0 save log.1
	imafs_at before D fail EIO
	expect_code 4 confirm log.1
	expect_stderr 'cannot delete what is staged: Input/output error'
	expect_all
	expect_code 0 save log.1
	imafs_ctl violation /x 2
	expect_code 0 confirm log.1
	expect_all log.1
}

@test "staging: reading fails" {
	need_durable
	imafs_ctl bulk 300
	expect_code 0 stage
	imafs_at before 'read:2@*_staged' fail EIO
	expect_code 4 save log.1
	expect_stderr 'cannot read what is staged: Input/output error'
	[ ! -e log.1 ] || fail 'a part of the list'
	expect_code 0 save log.1
	imafs_at before 'read:2@*_staged' fail ENOMEM
	expect_code 4 confirm log.1
	expect_all
}

@test "staging: what is missing is said" {
	imafs_stop
	unset IMALOG_TEST_ROOT
	imafs_start root --no-staging
	expect_code 4 stage
	expect_stderr 'without CONFIG_IMA_STAGING'
	imafs_stop
	imafs_start root --kernel 6.12
	expect_code 4 save log.1
	expect_stderr 'the kernel 6\.12[^ ]* cannot stage .* Linux 7\.2'
	imafs_stop
	mkdir -p empty/sys/kernel/security
	imalog --root empty stage
	expect_status 4
	expect_stderr "securityfs is not mounted on 'empty/sys/kernel/security'"
}

@test "staging: without the right to" {
	need_durable
	command -v setpriv >/dev/null || skip 'setpriv is not installed'
	local command
	for command in 'stage' 'save log.1' 'confirm /etc/passwd'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin \
			"$IMALOG" --root "$ROOT" $command
		expect_status 4
		expect_stderr 'CAP_SYS_ADMIN'
	done
}
