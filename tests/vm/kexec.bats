#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The list goes on over a kexec, when it is carried over.

load vm
load ../cmd/helpers

setup_file() {
	vm_start_file built
	vm_tpm
	vm_scenario kexec
	vm_run ima_policy=tcb
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

# The list of one boot begins with all that the boot before it has measured.
@test "kexec: the list is carried over, and leads to the TPM's values" {
	local size
	! cmp -s first.boot-id second.boot-id || fail 'there was no kexec'
	size=$(wc -c <first.last)
	[ "$size" -lt "$(wc -c <second.list)" ] || fail 'the list is no longer'
	head -c "$size" second.list >carried
	expect_same first.last carried
	vm_step second-replay
	expect_status 0
	expect_json "[c['verdict'] for c in d['checks']] == ['match'] * 3"
	mklog pcrs --bank sha256 second.list >computed
	grep -qix "sha256:10=$(cat second.sha256)" computed || fail 'other values'
}

@test "kexec: each boot has its boot_aggregate, and both fit" {
	vm_step second-show
	expect_status 0
	expect_json "len([r for r in rows if r['fields']['n-ng'] == 'boot_aggregate']) == 2" \
		"rows[0]['fields']['n-ng'] == 'boot_aggregate'"
	vm_step second-boot-aggregate
	expect_status 0
	expect_json "len(d['boot_aggregates']) == 2"
}

@test "kexec: status says that all is well" {
	vm_step second-status
	expect_status 0
	expect_json "d['log']['verdict'] == 'match'" "d['kernel']['kexec'] is True"
}

# More was measured than there is room for: the carried list is cut, and nothing leads to
# what the TPM has.
@test "kexec: what was not carried over is missed" {
	! cmp -s second.boot-id third.boot-id || fail 'there was no kexec'
	[ "$(wc -c <third.list)" -lt "$(wc -c <second.last)" ] || fail 'nothing was lost'
	vm_step third-replay
	expect_status 1
	expect_no_stderr
	expect_json "[c['verdict'] for c in d['checks']] == ['mismatch'] * 3"
	vm_step third-status
	expect_status 1
	expect_json "d['log']['verdict'] == 'mismatch'"
}
