#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog sig-verify: keys that a real kernel has.

load vm
load ../cmd/helpers
load ../cmd/sig
load sig

setup_file() {
	start_sig built 'ima_policy=tcb ima_template=ima-sig'
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "keyring: the kernel verifies what it has measured" {
	check_keyring ok
}

@test "keyring: beside keys of files" {
	check_beside_files ok
}

@test "keyring: a key that permits nothing" {
	check_nothing
}

@test "keyring: one that is not there" {
	check_missing
}
