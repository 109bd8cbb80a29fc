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

# What is told before each of them is what becomes of it.
@test "kexec: it was prepared, and told that it fits, or does not" {
	local step
	for step in first-prepare first-loaded first-check second-prepare second-loaded; do
		vm_step $step
		expect_status 0 $step
		expect_json "d['carried'] is True" "d['needed'] <= d['segment']"
	done
	vm_step first-check
	expect_json "d['segment_from'] == 'vmallocinfo'" "d['loaded'] is True"
	vm_step second-check
	expect_status 1
	expect_json "d['carried'] is False" "d['needed'] > d['segment']"
}

@test "kexec: the next kernel's list begins with what was saved, and nothing was lost" {
	head -c "$(wc -c <first.kept)" second.list >begin
	expect_same first.kept begin
	vm_step second-status
	expect_json "[f for f in d['findings'] if 'nothing was lost' in f['text']]" \
		"d['store']['current'] == d['store']['epochs'] == 1"
	vm_step second-prepare
	expect_json "d['segments'][-1]['verdict'] == 'match'" "d['next']['epoch'] == 1" \
		"d['next']['first_record'] == 1"
}

@test "kexec: store and list are merged to one log, that of the TPM" {
	vm_step second-merge
	expect_status 0
	expect_no_stderr
	head -c "$(wc -c <second.list)" second.merged >begin
	expect_same second.list begin
	mklog pcrs --bank sha256 second.merged >computed
	grep -qix "sha256:10=$(cat second.merged.sha256)" computed || fail 'other values'
	vm_step third-merge
	[ "$status" -ne 0 ] || fail 'it is whole'
	[ ! -e third.merged ] || fail 'there is a log'
}

# More was measured than there is room for: the carried list is cut, and nothing leads to
# what the TPM has, whatever is made of what was saved before.
@test "kexec: what was not carried over is missed" {
	! cmp -s second.boot-id third.boot-id || fail 'there was no kexec'
	[ "$(wc -c <third.list)" -lt "$(wc -c <second.last)" ] || fail 'nothing was lost'
	vm_step third-replay
	expect_status 4
	expect_stderr 'begins with [0-9]+; what was measured after them is lost'
	expect_json "[c['verdict'] for c in d['checks']] == ['mismatch'] * 3"
	vm_step third-status
	expect_status 1
	expect_json "[c['verdict'] for c in d['log']['checks']] == ['mismatch'] * 3" \
		"[f for f in d['findings'] if 'what was measured after them is lost' in f['text']]"
}
