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
load sweep

setup() {
	make_repeating_machine
}

teardown() {
	imafs_stop
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

# Others stage, save, confirm, trim and read at any moment.
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
	actor export --slice 2 & pids+=($!)
	actor trim 1 & pids+=($!)
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
