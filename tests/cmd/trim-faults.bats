#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# trim, killed at every system call, or with any of them failing. Lists repeat all the
# while. What is there afterwards is all that was measured, once, and leads to the TPM's
# values.
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

@test "trim faults: it is killed at any system call" {
	sweep 'trim 1' faults_kill
}

@test "trim faults: any system call fails" {
	sweep 'trim 1' faults_error EIO
}

@test "trim faults: it is killed at any request, and then a kexec" {
	local point when
	for point in open-write read N flush; do
		for when in before after; do
			now="killed $when $point"
			imafs_ctl violation /x 4
			imafs_at "$when" "$point@*_sha1" kill
			imalog --root "$ROOT" trim 2
			imafs_ctl clear
			imafs_ctl kexec carried
			imafs_ctl violation /x 2
			[ "$when" = before ] || expect_code 0 trim 1
			finish
		done
	done
	expect_code 0 store check --sysfs -q
}
