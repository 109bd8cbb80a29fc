#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Power cuts, with the store on ext2: no journal writes what nobody asked for.

load vm
load ../cmd/helpers
load power

setup_file() {
	vm_start_file built
	cut_everywhere ext2
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "power cut, ext2: what was deleted from the kernel is in the store" {
	each_cut expect_kept
}

@test "power cut, ext2: the next boot exports as if nothing had been" {
	each_cut expect_going_on
}

@test "power cut, ext2: there was one at each step" {
	expect_steps
}
