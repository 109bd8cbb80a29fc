#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount on Debian's own kernel, Linux 6.1: one list alone.

load vm
load ../cmd/helpers
load mount

setup_file() {
	vm_start_file stock
	vm_tpm
	manual_scenario mount "$(manual_rule)"
	vm_run ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "mount, stock kernel: the kernel's files, byte for byte" {
	check_names
	cd ..
	check_compared first
	check_compared later
}

@test "mount, stock kernel: who keeps a descriptor sees what comes" {
	check_kept
}

@test "mount, stock kernel: what is shown leads to the TPM's values" {
	check_replay
}

@test "mount, stock kernel: opens are measured, and are not when FUSE is excepted as the manual says" {
	check_opens
}

@test "mount, stock kernel: SIGTERM unmounts while files are open" {
	check_unmounted
}

@test "mount, stock kernel: in the place of the kernel's files, as the manual says" {
	check_recipe
}

@test "mount, stock kernel: all that has left a kernel that can stage" {
	check_staging
}
