#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The units of export under systemd, with all that they are denied: Debian's own kernel,
# which has what systemd needs for that.

load vm
load systemd
load ../cmd/helpers

setup_file() {
	vm_start_file stock vm_systemd
	vm_tpm
	vm_scenario systemd
	vm_run ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

# expect_told NAME KEY=VALUE...
expect_told() {
	local name=$1 line
	shift
	for line; do
		grep -qx "$line" "$name.told" || fail "$name: $line expected: $(<"$name.told")"
	done
}

@test "systemd: with a kernel that gives no records away the service fails" {
	vm_step cannot-start
	[ "$status" -ne 0 ] || fail 'it did not fail'
	expect_told cannot-start ExecMainStatus=4 ActiveState=failed
}

@test "systemd: the service sees the list, and the TPM in both ways" {
	vm_step status
	expect_status 0
	expect_json "d['log']['verdict'] == 'match'"
	vm_step replay
	expect_status 0
	expect_json "all(c['verdict'] == 'match' for c in d['checks'])"
	vm_step cannot
	expect_status 4
	expect_stderr 'CONFIG_IMA_STAGING$'
}

@test "systemd: without its device it would not see the TPM" {
	vm_step no-tpm
	expect_status 4
	expect_stderr 'tpmrm0|TPM'
}

@test "systemd: the service exports, and has the TPM's values" {
	expect_told exported ConditionResult=yes ExecMainStatus=1
	cmp ever saved || fail 'something else was saved'
	[ "$(<mode)" = 700 ] || fail 'others can look into the store'
	grep -q "does not lead to the TPM's values" said-by-export ||
		fail "not compared: $(<said-by-export)"
}

@test "systemd: the timer starts it" {
	expect_told timer ExecMainStatus=1
	cmp ever-again saved-again || fail 'something else was saved'
	! cmp -s saved saved-again || fail 'nothing came'
}
