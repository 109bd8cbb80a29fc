#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# No LOG: this machine's list, its TPM, its firmware log, below --root.

load helpers

# A machine as one rig set has left it.
make_machine() {
	local ima=machine/sys/kernel/security/ima firmware=machine/sys/kernel/security/tpm0
	mkdir -p "$ima" "$firmware"
	cp "$RIG/$1/binary_runtime_measurements" "$ima/"
	cp "$RIG/$1/binary_bios_measurements" "$firmware/"
	make_sysfs "$RIG/$1/pcrs.yaml"
}

# The files of /sys/class/tpm from what tpm2_pcrread printed.
make_sysfs() {
	"$PYTHON" - "$1" machine/sys/class/tpm/tpm0 <<-'EOF'
		import os, re, sys
		bank = None
		for line in open(sys.argv[1]):
		    if m := re.fullmatch(r"\s+(\w+):\s*", line):
		        bank = f"{sys.argv[2]}/pcr-{m[1]}"
		        os.makedirs(bank, exist_ok=True)
		    elif m := re.fullmatch(r"\s+(\d+)\s*:\s*0x([0-9A-Fa-f]+)\s*", line):
		        open(f"{bank}/{m[1]}", "w").write(m[2] + "\n")
	EOF
}

@test "machine: show and convert without a LOG take the kernel's list" {
	make_machine ng
	imalog --root machine show --fields name --to 1
	expect_status 0
	expect_stdout '^boot_aggregate$'
	imalog convert --root machine -t ascii
	expect_status 0
	[ "$output" = "$(cat "$RIG/ng/ascii_runtime_measurements")" ] || fail 'other lines'
}

@test "machine: replay without a LOG compares with sysfs" {
	make_machine ng
	imalog --root machine replay --sysfs
	expect_status 0
	expect_stdout 'holds: PCR 10 \(sha1, sha256, sha384\) .* record 45 of 45'
	imalog replay --root machine/ --sysfs --pcr 10 --json
	expect_status 0
	expect_json "d['matched_at'] == 45 and len(d['checks']) == 3"
}

@test "machine: a PCR that has moved past the list does not match" {
	make_machine ng
	printf '%064d\n' 7 >machine/sys/class/tpm/tpm0/pcr-sha256/10
	imalog --root machine replay --sysfs
	expect_status 1
	expect_stdout 'PCR 10 \(sha1\) does hold, after record 45'
}

@test "machine: without a TPM the list is not proved, and what was tried is said" {
	make_machine ng
	rm -r machine/sys/class
	imalog --root machine replay --sysfs
	expect_status 4
	expect_stderr "cannot open 'machine/sys/class/tpm/tpm0'"
	TPM2TOOLS_TCTI=swtpm:path=/nonexistent/socket imalog --root machine replay --tpm
	expect_status 4
	expect_stderr 'TPM2TOOLS_TCTI'
	imalog --root machine replay --tpm --tcti swtpm:path=/nonexistent/socket
	expect_status 4
	expect_stderr 'no TPM.*/nonexistent/socket'
}

@test "machine: without a list it says what may be missing" {
	mkdir machine
	imalog --root machine show
	expect_status 4
	expect_stderr 'securityfs'
}

@test "machine: --boot-aggregate checks against sysfs, PCR files and the event log" {
	make_machine ng
	imalog --root machine replay --sysfs --boot-aggregate
	expect_status 0
	expect_stdout '^The boot_aggregate in record 1 fits what the firmware measured\.$'
	imalog replay --boot-aggregate --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_status 0
	imalog replay --json --eventlog "$RIG/ng/binary_bios_measurements" \
		--pcr 10 --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_status 0
	expect_json "d['boot_aggregates'] == [{'record': 1, 'verdict': 'match', 'proved': True}]"
}

@test "machine: every boot_aggregate is checked, one for each kexec" {
	imalog replay --json --boot-aggregate --pcrs "$RIG/kexec/after/pcrs.yaml" \
		"$RIG/kexec/after/binary_runtime_measurements"
	expect_status 0
	expect_json "[b['record'] for b in d['boot_aggregates']] == [1, 54]"
	# One behind what the values prove says nothing, and does no harm.
	imalog replay --json --boot-aggregate --pcrs "$RIG/kexec/before/pcrs.yaml" \
		"$RIG/kexec/after/binary_runtime_measurements"
	expect_status 0
	expect_json "[(b['record'], b['proved']) for b in d['boot_aggregates']] == [(1, True), (54, False)]"
}

@test "machine: a boot_aggregate that no value proves is no proof" {
	local log case
	local firmware=(--eventlog "$RIG/ng/binary_bios_measurements")
	records "$NG" 2 20 >rest
	records "$NG" 1 1 >first
	mklog pcrs --bank sha256 rest >expected
	# behind the match, in the kernel's list
	cat rest first >log
	imalog replay "${firmware[@]}" --pcrs expected log
	expect_status 4
	expect_stdout '^The boot_aggregate in record 20 fits .*, but no value proves the record\.$'
	# in a PCR that is not compared, in an NV index, in an RTMR
	imalog_to log convert -t cel-json rest
	imalog_to aggregate convert -t cel-json first
	for case in pcr:11 nv_index:29425969 rtmr:2; do
		"$PYTHON" -I -S -c 'import json, sys
first, rest = json.load(open("aggregate")), json.load(open("log"))
key, number = sys.argv[1].split(":")
del first[0]["pcr"]
first[0][key] = int(number)
json.dump(first + rest, open("other", "w"))' "$case"
		imalog replay --pcr 10 --pcrs expected other
		expect_status 0 "$case"
		imalog replay --pcr 10 --pcrs expected "${firmware[@]}" other
		expect_status 4 "$case"
		expect_stdout '^The boot_aggregate in record 1 fits .*, but no value proves'
	done
	# as the first record of the PCR that is compared it is
	mklog pcrs --bank sha256 "$NG" >expected
	imalog replay --pcr 10 --pcrs expected "${firmware[@]}" "$NG"
	expect_status 0
}

@test "machine: a boot_aggregate of another firmware log does not fit" {
	cp "$RIG/ng/binary_bios_measurements" other
	# the last byte but one of the second event's first digest
	"$PYTHON" -c "
d = bytearray(open('other', 'rb').read())
d[110] ^= 1
open('other', 'wb').write(d)"
	imalog replay --eventlog other --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_status 1
	expect_stdout 'does not fit what the firmware measured'
}

@test "machine: a boot_aggregate without values of its PCRs is not checked" {
	imalog replay --boot-aggregate --expect "sha256:10=$(pcr_of "$RIG/ng/pcrs.yaml" sha256 10)" "$NG"
	expect_status 4
	expect_stdout 'could not be checked'
	# Printing needs no comparison, but does not stand for it
	imalog replay --print --boot-aggregate "$NG"
	expect_status 4
	expect_stdout '^sha256:10='
	expect_stderr '^imalog: no boot_aggregate could be checked: '
	imalog replay --print --eventlog "$RIG/ng/binary_bios_measurements" "$NG"
	expect_status 4
	expect_stdout '^The boot_aggregate in record 1 fits .*, but no value proves the record'
}

@test "machine: a cut event log is named with its record" {
	head -c 200 "$RIG/ng/binary_bios_measurements" >short
	imalog replay --eventlog short --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_status 3
	expect_stderr "'short': record [0-9]+ at 0x"
}
