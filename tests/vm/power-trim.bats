#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The power is cut at each step of imalog trim.

load vm
load ../cmd/helpers
load power

setup_file() {
	vm_start_file built
	cut_everywhere N 'trim 2'
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
}

@test "power cut, trim: what was deleted from the kernel is in the store" {
	each_cut expect_kept
}

@test "power cut, trim: the next boot exports as if nothing had been" {
	each_cut expect_going_on
}

@test "power cut, trim: there was one at each step" {
	expect_steps N
}
