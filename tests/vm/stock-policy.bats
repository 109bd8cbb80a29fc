#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog policy-load on a kernel that takes one policy a boot, and does not show it.

load vm
load ../cmd/helpers

setup_file() {
	vm_start_file stock
	vm_tpm
	vm_scenario policy
	vm_run ''
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

@test "stock policy: a policy with a rule that the kernel rejects is not taken" {
	vm_step refused
	expect_status 1
	expect_stderr 'line 2: the kernel rejects this rule'
}

@test "stock policy: it takes one, and what that asks for is measured" {
	vm_step first
	expect_status 0
	expect_stdout '^The kernel took the policy'
	imalog show list --fields name
	expect_stdout '^/vm/read-by-root$'
	vm_step replay
	expect_status 0
}

@test "stock policy: it takes no second one" {
	local name
	for name in second path; do
		vm_step $name
		expect_status 4
		expect_stderr 'takes no policy any more .*CONFIG_IMA_WRITE_POLICY$'
	done
}
