#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog sig-verify: keys in Debian's own kernel, Linux 6.1.

load vm
load ../cmd/helpers
load ../cmd/sig
load sig

setup_file() {
	start_sig stock ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "stock keyring: the kernel verifies RSA, but has no ECDSA" {
	check_keyring unknown-key
}

@test "stock keyring: beside keys of files" {
	check_beside_files unknown-key
}

@test "stock keyring: a key that permits nothing" {
	check_nothing
}

@test "stock keyring: those of the kernel itself" {
	# It is without CONFIG_INTEGRITY_TRUSTED_KEYRING.
	vm_step ima
	expect_status 4
	expect_no_stdout
	expect_stderr "cannot find keyring '.ima'"
	vm_step builtin
	expect_status 4
	expect_json "rows[-1]['records']['unknown-key'] == 3"
	expect_json "len([k for k in rows[-1]['keys'] if k['source'] == 'keyring']) > 0"
}

@test "stock keyring: one that is not there" {
	check_missing
}
