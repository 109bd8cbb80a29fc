#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Linux 6.12 with all that IMA can do: a list for each bank of the TPM.

load vm
load ../cmd/helpers
load machine

setup_file() {
	vm_start_file built
	vm_tpm
	vm_scenario machine
	vm_run ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "built kernel: replay holds while files are measured" {
	check_busy
}

@test "built kernel: replay is never wrong while files are measured without a pause" {
	check_flood
}

@test "built kernel: twenty replays measure nothing" {
	check_idle
}

@test "built kernel: boot_aggregate fits the firmware's log" {
	check_boot_aggregate
}

@test "built kernel: violations" {
	check_violations
}

@test "built kernel: a quote, and what came after it" {
	check_quote
}

@test "built kernel: the list is that of the TPM and of the kernel's text" {
	check_list perbank
}

@test "built kernel: status says that all is well" {
	check_status True
}

@test "built kernel: export and stage say what the kernel lacks" {
	check_export
}

@test "built kernel: its bank sha384 has digests of its own" {
	vm_step padding-perbank
	expect_status 0
	vm_step padding-sha1
	expect_status 1
}
