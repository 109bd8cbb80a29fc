#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# export and save in the store, killed at every system call, or with any of them failing,
# and with others at work on the same list. Lists repeat all the while. What is there
# afterwards is all that was measured, once, and leads to the TPM's values.
#
# IMALOG_LONG=1: at each call, not at a sample of them

load helpers
load swtpm
load imafs
load faults
load export

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset IMALOG_TEST_ROOT TPM2TOOLS_TCTI
	need_strace
	case $(stat -f -c %T .) in
	tmpfs | ramfs | overlayfs | fuse*)
		skip "'$PWD' is where nothing lasts: set TMPDIR to a place on a disk"
		;;
	esac
	imafs_start root
	STORE=$ROOT/var/lib/imalog
	mkdir -p "${STORE%/*}"
	expect_code 0 export -q
}

teardown() {
	imafs_stop
}

# Recovers, and looks at everything.
finish() {
	imafs_ctl clear
	expect_code 0 export -q
	expect_no_stderr "$now"
	expect_all
}

# prepare COMMAND: records that are the same as those before
prepare() {
	imafs_ctl violation /x 2
	[ "$1" = export ] || expect_code 0 stage
	[ "$1" != confirm ] || expect_code 0 save -q
}

# sweep COMMAND HOW [ERRNO]
sweep() {
	local command=$1 how=$2 errno=${3-} call number step=9 count=0
	[ -z "${IMALOG_LONG-}" ] || step=1
	now="the first $command"
	prepare "$command"
	faults_calls calls --root "$ROOT" "$command"
	expect_status 0 "$now"
	finish
	while read -r call number <&8; do
		count=$((count + 1))
		[ $((count % step)) -eq 0 ] || [ "$call" != "${call#fsync}" ] ||
			[ "$call" != "${call#rename}" ] || [ "$call" != "${call#unlink}" ] ||
			continue
		now="$command: $call $number ${errno:-is the end}"
		prepare "$command"
		# shellcheck disable=SC2086 # no errno is no argument
		"$how" "$call" "$number" $errno --root "$ROOT" "$command"
		[ "$status" -lt 128 ] || [ "$how" = faults_kill ] || fail "$now: a crash"
		# What is the same comes once more before it recovers.
		[ $((count % 2)) -eq 0 ] || imafs_ctl violation /x 2
		finish
	done 8<calls
	[ "$count" -gt 10 ] || fail "only $count system calls"
	expect_code 0 store check --sysfs
	expect_stdout 'PCR values: match'
}

@test "export faults: export is killed at any system call" {
	sweep export faults_kill
}

@test "export faults: any system call of export fails" {
	sweep export faults_error EIO
}

@test "export faults: the disk is full at any system call of export" {
	sweep export faults_error ENOSPC
}

@test "export faults: save in the store is killed at any system call" {
	sweep save faults_kill
}

@test "export faults: confirm in the store is killed at any system call" {
	sweep confirm faults_kill
}

@test "export faults: any system call of save and confirm in the store fails" {
	sweep save faults_error EIO
	sweep confirm faults_error EIO
}

# At each request to the kernel, and after it
@test "export faults: killed at any request, and then a kexec" {
	local point when kind
	for kind in carried lost; do
		for point in open-write A read D flush; do
			for when in before after; do
				now="$kind, killed $when $point"
				imafs_ctl violation /x 2
				imafs_at "$when" "$point@*_staged" kill
				imalog --root "$ROOT" export
				imafs_ctl clear
				# What is not saved when the list is lost is lost.
				case $kind:$when:$point in
				carried:*:* | *:flush | *:D) ;;
				*) expect_code 0 export -q ;;
				esac
				imafs_ctl kexec "$kind"
				imafs_ctl violation /x 2
				finish
			done
		done
	done
	expect_code 0 store check --sysfs -q
}

# Others stage, save, confirm and read at any moment.
@test "export faults: others at work on the same list" {
	local i pids=()
	actor() {
		for _ in 1 2 3 4 5 6 7 8; do
			"$IMALOG" --root "$ROOT" "$@" --wait 20s -q 2>>"actor.$1" || true
		done
	}
	actor export & pids+=($!)
	actor stage & pids+=($!)
	actor save & pids+=($!)
	actor confirm & pids+=($!)
	actor export & pids+=($!)
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		imafs_ctl violation /x 2
		cat "$IMA/ascii_runtime_measurements" >/dev/null 2>&1 || true
		sleep 0.05
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	now='others at work'
	finish
	expect_code 0 store check --sysfs -q
	imafs_single 2
}
