#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's own kernel, Linux 6.1: without SHA-384, staging, and one list alone.

load vm
load ../cmd/helpers
load machine

setup_file() {
	vm_start_file stock
	vm_tpm
	vm_scenario machine
	vm_run ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "stock kernel: replay holds while files are measured" {
	check_busy
}

@test "stock kernel: replay is never wrong while files are measured without a pause" {
	check_flood
}

@test "stock kernel: twenty replays measure nothing" {
	check_idle
}

@test "stock kernel: boot_aggregate fits the firmware's log" {
	check_boot_aggregate
}

@test "stock kernel: violations" {
	check_violations
}

@test "stock kernel: a quote, and what came after it" {
	check_quote
}

@test "stock kernel: the list is that of the TPM and of the kernel's text" {
	check_list sha1
}

@test "stock kernel: status says that all is well" {
	check_status False
}

@test "stock kernel: export and stage say what the kernel lacks" {
	check_export
}

@test "stock kernel: its bank sha384 is padded, and no stronger than SHA-1" {
	vm_step padding-sha1
	expect_status 0
	expect_stdout '^Bank sha384 was extended with SHA-1 digests padded with zeros: .* SHA-1'
	vm_step padding-perbank
	expect_status 1
	expect_json "[c['verdict'] for c in d['checks']] == ['match', 'match', 'mismatch']"
}
