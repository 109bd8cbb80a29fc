#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog merge: of this machine, and of a store that was taken from one.

load helpers
load swtpm
load imafs
load export

setup() {
	[ -z "${IMALOG_TEST_ROOT-}" ] || skip 'only with the stand-in'
	make_machine
}

teardown() {
	stop_machine
}

# Exports twice, stages once more, and measures on; identical violations all the while
make_parts() {
	imafs_ctl violation /x 2
	expect_code 0 export
	imafs_ctl violation /x 2
	imafs_ctl add /two
	expect_code 0 export
	imafs_ctl violation /x 2
	expect_code 0 stage
	imafs_ctl violation /x 2
	imafs_ctl dump-all >ever
}

@test "merge: this machine's log, compared with its TPM" {
	make_parts
	expect_code 0 merge --live --tcti "$TPM2TOOLS_TCTI" --pcr 10 -o out
	expect_same ever out
	expect_stdout 'log.00000001  records 1\.\.[0-9]+  segment 1, sha256 ok$' \
		'log.00000002 .* segment 2, sha256 ok$' 'staged  records ' \
		'^The log holds: PCR 10 \(sha1, sha256\) as expected after record .*, none is later'
	expect_code 0 merge --live --tcti "$TPM2TOOLS_TCTI" --json
	expect_json "d['result'] == 'proved'" "len(d['parts']) == 4" \
		"[p.get('fits') for p in d['parts']] == [True, True, None, None]" \
		"d['replay']['verdict'] == 'match'"
	expect_code 0 merge --live --tcti "$TPM2TOOLS_TCTI" -o out2 --store "$STORE" --wait 2s
	expect_same ever out2
}

@test "merge: this machine's log, while a quote or other values are at hand" {
	make_parts
	expect_code 1 merge --live --expect "sha1:10=$(zeros 20)" -o out
	expect_stdout '^The log does not hold\.$'
	[ ! -e out ] || fail 'it was written'
	expect_code 0 merge --live --expect "$(mklog pcrs --bank sha256 ever)" -o out
	expect_same ever out
}

@test "merge: a copy of a segment besides this machine's log" {
	make_parts
	cp "$STORE/current/log.00000002" copy
	expect_code 0 merge --live --tcti "$TPM2TOOLS_TCTI" copy -o out
	expect_same ever out
	expect_stdout '^doubled: copy has the same bytes as .*log.00000002: one of them suffices'
}

@test "merge: a segment that is not what it was" {
	make_parts
	flip "$STORE/current/log.00000002" 10
	expect_code 1 merge --live --tcti "$TPM2TOOLS_TCTI" -o out
	expect_stdout '^edited: .*log.00000002'
	[ ! -e out ] || fail 'it was written'
}

@test "merge: a store without its machine, and the rest of the list in a file" {
	make_parts
	cp -r "$STORE" copy
	cat "$IMA/binary_runtime_measurements_staged" "$IMA/binary_runtime_measurements" >rest
	expect_code 4 merge --store copy -o out
	expect_same <(cat copy/current/log.*) out
	expect_stdout '^By their receipts the pieces are one log of '
	expect_code 0 merge --store copy rest --expect "$(mklog pcrs --bank sha256 ever)" -o out
	expect_same ever out
	# What is no segment by its name, and a store that is being changed
	echo junk >copy/current/log.bak
	expect_code 0 merge --store copy rest --expect "$(mklog pcrs --bank sha256 ever)"
	touch copy/lock
	flock -x copy/lock "$IMALOG" merge --store copy >locked 2>&1 && fail 'the lock was not taken'
	grep -q 'another program is working on the store' locked || fail 'it says not why'
	# Without the store around them
	cp copy/current/log.00000001 b
	cp copy/current/log.00000002 a
	expect_code 0 merge a rest b --receipts copy --expect "$(mklog pcrs --bank sha256 ever)" \
		-o out
	expect_same ever out
	expect_code 0 merge a rest b --receipts copy/epoch-000001 \
		--expect "$(mklog pcrs --bank sha256 ever)" -o out
	expect_same ever out
	rm copy/current/log.00000001
	expect_code 1 merge --store copy rest --expect "$(mklog pcrs --bank sha256 ever)"
	expect_stdout '^missing: segment 1, records 1 to [0-9]+, is missing'
	expect_code 4 merge --store absent
	expect_stderr "^imalog: 'absent': cannot open the store: "
}

@test "merge: epochs of a store are kept apart" {
	local epoch
	imafs_ctl violation /x 2
	expect_code 0 export
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
	imafs_ctl add /two
	expect_code 0 export
	[ -e "$STORE/epoch-000002/log.00000001" ] || fail 'there is no second epoch'
	cp "$STORE/epoch-000001/log.00000001" a
	cp "$STORE/epoch-000002/log.00000001" b
	expect_code 4 merge a b --receipts "$STORE" -o out
	expect_stdout '^epoch 1: 1 piece$' '^epoch 2: 1 piece$' '^other-epoch: a is of epoch 1\.$' \
		'--epoch says which\.$'
	[ ! -e out ] || fail 'it was written'
	for epoch in 1 2; do
		expect_code 0 merge a b --receipts "$STORE" --epoch "$epoch" -o out \
			--expect "$(mklog pcrs --bank sha256 "$STORE/epoch-00000$epoch/log.00000001")"
		expect_same "$STORE/epoch-00000$epoch/log.00000001" out
	done
	expect_code 4 merge --store "$STORE" --epoch 1 -o out
	expect_same a out
	expect_code 4 merge a b --receipts "$STORE" --epoch 3
	expect_stdout 'not of the one that is wanted'
}
