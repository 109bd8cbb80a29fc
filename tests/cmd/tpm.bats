#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# replay against a live TPM: swtpm, extended as the kernel does.

load helpers
load swtpm

teardown() {
	stop_swtpm tpm
}

make_machine() {
	mkdir -p machine/sys/kernel/security/ima
	cp "$1" machine/sys/kernel/security/ima/binary_runtime_measurements
}

@test "tpm: a list and the TPM that was extended with it match, in every bank" {
	start_swtpm tpm
	extend_as_kernel "$NG"
	imalog replay --tpm "$NG"
	expect_status 0
	expect_stdout 'holds: PCR 10 \(sha1, sha256, sha384\)'
	imalog replay --tcti "$TPM2TOOLS_TCTI" --pcr 10 --json "$NG"
	expect_status 0
	expect_json "d['verdict'] == 'match' and d['matched_at'] == 45 and len(d['checks']) == 3"
}

@test "tpm: without a LOG it is this machine's list and TPM" {
	start_swtpm tpm
	make_machine "$NG"
	extend_as_kernel "$NG"
	imalog --root machine replay --tpm --pcr 10
	expect_status 0
	expect_stdout 'after record 45 of 45'
}

@test "tpm: records that came after the PCR was read are later, not wrong" {
	start_swtpm tpm
	make_machine "$NG"
	extend_as_kernel "$NG" 1 40
	imalog --root machine replay --tpm --json
	expect_status 0
	expect_json "d['matched_at'] == 40 and d['later'] == 5"
}

@test "tpm: violations extend ff, and records of several PCRs are compared together" {
	start_swtpm tpm
	mklog generate --records 60 --violations 7 --pcr 10,11 -o several
	extend_as_kernel several
	imalog replay --tpm --json several
	expect_status 0
	expect_json "{c['pcr'] for c in d['checks']} == {10, 11} and d['violations'] == 7"
}

@test "tpm: a TPM that somebody else extended does not match" {
	start_swtpm tpm
	extend_as_kernel "$NG"
	tpm2_pcrextend "10:sha256=$(printf '%064d' 1)"
	imalog replay --tpm "$NG"
	expect_status 1
	expect_stdout 'PCR 10 \(sha1\) does hold, after record 45'
}

@test "tpm: a PCR that was never extended proves nothing, nor does an empty list" {
	start_swtpm tpm
	imalog replay --tpm "$NG"
	expect_status 1
	: >empty
	imalog replay --tpm --pcr 10 empty
	expect_status 4
	imalog replay --tpm empty
	expect_status 4
}

@test "tpm: a TPM without a SHA-1 bank" {
	start_swtpm tpm sha256
	extend_as_kernel "$NG"
	imalog replay --tpm --json "$NG"
	expect_status 0
	expect_json "[c['bank'] for c in d['checks']] == ['sha256']"
	imalog replay --tpm --bank sha1 --bank sha256 "$NG"
	expect_status 4
}

@test "tpm: --boot-aggregate checks against the PCRs of the TPM" {
	start_swtpm tpm
	extend_as_firmware "$RIG/ng/binary_bios_measurements"
	extend_as_kernel "$NG"
	imalog replay --tpm --boot-aggregate "$NG"
	expect_status 0
	expect_stdout 'boot_aggregate in record 1 fits'
	tpm2_pcrextend "7:sha256=$(printf '%064d' 1)"
	imalog replay --tpm --boot-aggregate "$NG"
	expect_status 1
	expect_stdout 'boot_aggregate in record 1 does not fit'
}
