#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog policy-load: what real kernels take and refuse.

load vm
load ../cmd/helpers

setup_file() {
	vm_start_file built
	vm_tpm
	vm_scenario policy
	vm_run ''
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

@test "policy: a policy with a rule that the kernel rejects is not taken" {
	vm_step refused
	expect_status 1
	expect_stderr "line 2: the kernel rejects this rule"
	expect_same boot.shown refused.shown
}

@test "policy: another program has the policy open" {
	vm_step busy
	expect_status 4
	expect_stderr 'held open by'
}

@test "policy: the first is taken, and what it asks for is measured" {
	vm_step first
	expect_status 0
	expect_stdout '^The kernel took the policy: 3 rules'
	[ "$(grep -c . first.shown)" -eq 3 ] || fail 'other rules are shown'
	imalog show list --fields name
	expect_stdout '^/vm/read-by-root$'
	vm_step replay
	expect_status 0
}

@test "policy: the second comes behind it" {
	vm_step second
	expect_status 0
	[ "$(grep -c . second.shown)" -eq 4 ] || fail 'other rules are shown'
	grep -q 'func=MMAP_CHECK' second.shown || fail 'it is not there'
}

@test "policy: one that the kernel reads itself is measured" {
	vm_step path
	expect_status 0
	grep -q 'func=MODULE_CHECK' path.shown || fail 'it is not there'
}

# The kernel takes only signed ones then, and says so before anything is written.
@test "policy: a kernel that demands signatures" {
	local name
	mkdir "$BATS_FILE_TMPDIR/signed"
	cd "$BATS_FILE_TMPDIR/signed"
	vm_tpm
	vm_scenario policy
	vm_run ima_policy=secure_boot
	for name in first second; do
		status=$(cat out/$name.status) stderr=$(cat out/$name.err) output=
		[ "$status" -ne 0 ] || fail "$name: it was taken"
		expect_stderr --by-path
		expect_same out/boot.shown out/$name.shown
	done
	status=$(cat out/path.status) stderr=$(cat out/path.err) output=
	[ "$status" -ne 0 ] || fail "an unsigned policy was taken"
	expect_same out/boot.shown out/path.shown
}
