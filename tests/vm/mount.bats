#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount on Linux 6.12, with a list for each bank of the TPM.

load vm
load ../cmd/helpers
load mount

setup_file() {
	vm_start_file built
	vm_tpm
	# What a kernel that knows fs_subtype is told besides
	manual_scenario mount 'dont_measure fsname=fuse'
	vm_run ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "mount, built kernel: the kernel's files, byte for byte" {
	check_names
	grep -qx ascii_runtime_measurements_sha384 view.names || fail 'no list of a bank'
	cd ..
	check_compared first
	check_compared later
}

@test "mount, built kernel: who keeps a descriptor sees what comes" {
	check_kept
}

@test "mount, built kernel: what is shown leads to the TPM's values" {
	check_replay
}

@test "mount, built kernel: opens are measured, and are not when FUSE is excepted by name" {
	check_opens
}

@test "mount, built kernel: SIGTERM unmounts while files are open" {
	check_unmounted
}

@test "mount, built kernel: in the place of the kernel's files, as the manual says" {
	check_recipe
}

@test "mount, built kernel: all that has left a kernel that can stage" {
	check_staging
}
