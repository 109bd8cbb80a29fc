#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# stage, save FILE and confirm FILE, killed at every system call, or with any of them
# failing: what the kernel has not got any more is in a file. Lists repeat all the while.
#
# IMALOG_LONG=1: at each call, not at a sample of them

load helpers
load imafs
load faults

STAGED=binary_runtime_measurements_staged

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset IMALOG_TEST_ROOT
	need_strace
	imafs_start root
	case $(stat -f -c %T .) in
	tmpfs | ramfs | overlayfs | fuse*)
		skip "'$PWD' is where nothing lasts: set TMPDIR to a place on a disk"
		;;
	esac
	saved=()
	on_root stage
	on_root save log.0
	on_root confirm log.0
	expect_status 0
	saved=(log.0)
}

teardown() {
	imafs_stop
}

on_root() {
	imalog --root "$ROOT" "$@"
}

# round I: the same records as in the round before, staged, and saved as log.I
round() {
	imafs_ctl violation /x 2
	on_root stage
	expect_status 0
	on_root save "log.$1"
	expect_status 0
}

# expect_whole FILE WANT: it is not there, or has what is wanted
expect_whole() {
	[ ! -e "$1" ] || expect_same "$2" "$1" "$now: a part"
}

# finish I: goes on after a failure, and adds what has the records to saved.
finish() {
	local file=log.$1
	imafs_ctl clear
	on_root stage
	case $status in
	0)
		on_root save "$file"
		if [ "$status" -ne 0 ]; then
			file=log.$1.again
			on_root save "$file"
			expect_status 0 "$now"
		fi
		on_root confirm "$file"
		expect_status 0 "$now"
		;;
	1) [ -e "$file" ] || fail "$now: lost" ;;
	*) fail "$now: cannot stage any more" ;;
	esac
	saved+=("$file")
	imafs_ctl dump-all >ever
	cat "${saved[@]}" >all
	expect_same ever all "$now: something is lost, or double"
}

# sweep COMMAND HOW...: COMMAND is save or confirm; HOW is what goes in front of the
# command: faults_kill, or faults_error with an errno
sweep() {
	local command=$1 how=$2 errno=${3-} call number turn=1 step=6 count=0
	[ -z "${IMALOG_LONG-}" ] || step=1
	round 1
	# To have something to save
	[ "$command" = confirm ] || rm log.1
	cp "$IMA/$STAGED" want
	faults_calls calls --root "$ROOT" "$command" log.1
	now="the first $command"
	expect_status 0 "$now"
	finish 1
	while read -r call number <&8; do
		count=$((count + 1))
		[ $((count % step)) -eq 0 ] || [ "$call" != "${call#fsync}" ] ||
			[ "$call" != "${call#rename}" ] || [ "$call" != "${call#fsetxattr}" ] ||
			[ "$call" != "${call#link}" ] || continue
		turn=$((turn + 1))
		now="$command: $call $number ${errno:-is the end}"
		round "$turn"
		[ "$command" = confirm ] || rm "log.$turn"
		cp "$IMA/$STAGED" want
		# shellcheck disable=SC2086 # no errno is no argument
		"$how" "$call" "$number" $errno --root "$ROOT" "$command" "log.$turn"
		if [ "$how" = faults_kill ]; then
			expect_status 137 "$now"
		else
			[ "$status" -eq 0 ] || expect_status 4 "$now"
		fi
		expect_whole "log.$turn" want
		finish "$turn"
	done 8<calls
	[ "$count" -gt 10 ] || fail "only $count system calls"
	imalog replay --root "$ROOT" --sysfs --pcr 10 "${saved[@]}"
	expect_status 0
	# Where a file can be without a name, none is left
	! python3 -c 'import os; os.open(".", os.O_TMPFILE | os.O_WRONLY)' 2>/dev/null ||
		[ "$(echo .imalog.*)" = '.imalog.*' ] || fail 'temporary files are left'
}

@test "staging faults: save is killed at any system call" {
	sweep save faults_kill
}

@test "staging faults: confirm is killed at any system call" {
	sweep confirm faults_kill
}

@test "staging faults: any system call of save fails" {
	sweep save faults_error EIO
}

@test "staging faults: any system call of confirm fails" {
	sweep confirm faults_error EIO
}

@test "staging faults: stage is killed at any system call" {
	local call number turn=1
	imafs_ctl violation /x 2
	faults_calls calls --root "$ROOT" stage
	now='the first stage'
	finish 1
	while read -r call number <&8; do
		turn=$((turn + 1))
		now="stage: $call $number is the end"
		imafs_ctl violation /x 2
		faults_kill "$call" "$number" --root "$ROOT" stage
		expect_status 137 "$now"
		finish "$turn"
	done 8<calls
	[ "$turn" -ge 5 ] || fail "only $turn system calls"
}
