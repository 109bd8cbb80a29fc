#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog kexec-prepare --check is right to the byte: what it tells is what the kernel does.

load vm
load ../cmd/helpers

setup_file() {
	vm_start_file built
	vm_tpm
	vm_scenario kexec-limit
	vm_run ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

@test "kexec limit: a list that fills its room is carried over" {
	vm_step first-check
	expect_status 0
	expect_json "d['needed'] == d['segment']" "d['bytes'] == $(wc -c <first.last)"
	head -c "$(wc -c <first.last)" second.list >begin
	expect_same first.last begin
	vm_step second-replay
	expect_status 0
}

@test "kexec limit: one byte more, and the last record is lost" {
	local size
	vm_step second-check
	expect_status 1
	expect_json "d['needed'] == d['segment'] + 1" "d['bytes'] == $(wc -c <second.last)"
	size=$(mklog index second.last | awk 'END { print $2 }')
	cmp -n "$size" second.last third.list || fail 'more is lost'
	! cmp -s -n "$(wc -c <second.last)" second.last third.list || fail 'nothing is lost'
	vm_step third-replay
	expect_status 4
	expect_json "[c['verdict'] for c in d['checks']] == ['mismatch'] * 3"
}

@test "kexec limit: what was estimated is what was set aside" {
	local boot
	for boot in first second; do
		vm_step $boot-prepare
		expect_status 0
		expect_json "d['segment'] <= $(sed -n 's/.*"segment":\([0-9]*\).*/\1/p' $boot-check.out)"
	done
}
