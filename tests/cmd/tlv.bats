#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Samples of other projects in CEL and the 2018 list. They are not in the repository;
# IMALOG_VECTORS says where they are.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	TLV=$VECTORS/tlv
	need_vectors tlv/ORIGIN.txt
	need_libcbor
}

# sample NAME: makes NAME here, from base64
sample() {
	base64 -d "$TLV/eventlogs/$1.b64" >"$1"
}

@test "tlv: eventlogs, records to read" {
	sample tlv_cel_timestamp
	imalog show --json tlv_cel_timestamp
	expect_status 0
	expect_json "d['management'] == [{'type': 'cel_timestamp', 'data': 0xffffffffff}]" \
		"d['recnum'] == 0" "d['pcr'] == 1"
	sample tlv_cel_version
	imalog show --json tlv_cel_version
	expect_json "d['management'] == [{'type': 'cel_version', 'major': 2, 'minor': 0}]" \
		"d['measured'] is False"
	sample tlv_firmware_end
	imalog show --json tlv_firmware_end
	expect_json "d['management'] == [{'type': 'firmware_end'}]"
	sample tlv_state_trans
	imalog show --json tlv_state_trans
	expect_json "d['management'] == [{'type': 'state_trans', 'data': 'kexec'}]"
	sample tlv_ima_template
	imalog show --json tlv_ima_template
	expect_json "d['template'] == 'eat'" "bytes.fromhex(d['data']) == b'falafel'" \
		"d['violation'] is True"
	sample tlv_pcclient_std
	imalog show --json tlv_pcclient_std
	expect_json "d['event'] == {'type': 'EV_EFI_SPDM_FIRMWARE_CONFIG', 'data': b'falafel'.hex(), 'text': 'falafel'}"
	sample boot_aggregate
	imalog replay --print boot_aggregate
	expect_status 0
	local name
	for name in tlv_cel_timestamp tlv_cel_version tlv_firmware_end tlv_state_trans \
		tlv_ima_template tlv_pcclient_std; do
		imalog_to same convert -t cel-tlv "$name"
		# What was extended for a violation are not zeros.
		[ "$name" = tlv_ima_template ] || expect_same same "$name"
	done
}

@test "tlv: eventlogs, records to refuse" {
	local name field
	while read -r name field; do
		sample "$name"
		imalog show "$name"
		expect_status 3 "$name"
		expect_stderr "record 1 at 0x0: $field"
	done <<-'END'
		boot_aggregate_extra_byte template data: 1 of 64 bytes are left over
		boot_aggregate_short n-ng: length 15 exceeds 9 bytes left
		tlv_cel_bad_cel_version_type cel_version: type 255, 0 is right
		tlv_cel_version_extra_byte cel_version: 1 bytes are left over
		tlv_ima_template_extra_byte content: 1 bytes are left over
		tlv_pcclient_std_extra_byte event data: 1 bytes are left over
	END
	# A template that is not known is no fault of the list.
	sample bad_descriptor
	imalog show bad_descriptor
	expect_status 0
	expect_stdout 'iiiiii .*template not known'
}

# json5 FILE: without comments and commas before a bracket, which JSON does not have
strict() {
	"$PYTHON" -I -S -c 'import re, sys
text = re.sub(r"//[^\n]*", "", open(sys.argv[1]).read())
sys.stdout.write(re.sub(r",(\s*[}\]])", r"\1", text))' "$1"
}

@test "tlv: libcel, JSON to read" {
	local name
	for name in cel_multi cel_multi_numbers cel_version ima_template pcclient \
		pcclient_numbers systemd systemd-seq; do
		strict "$TLV/libcel/$name.json" >"$name"
		imalog show --json "$name"
		expect_status 0 "$name"
		[ -n "$output" ] || fail "$name: no record"
		imalog_to tlv convert -t cel-tlv "$name"
		expect_status 0 "$name"
		imalog_to one convert -t cel-json "$name"
		imalog_to two convert -t cel-json tlv
		expect_same one two "$name"
	done
	imalog show --json cel_multi_numbers
	expect_json "d['nv_index'] == 10" "d['recnum'] == 20" "len(d['management']) == 4" \
		"d['digests'] == {'sha1': 'aa' * 20}"
	imalog show --json systemd-seq
	expect_json "[r['systemd']['eventType'] for r in rows] == ['phase', 'filesystem', 'machine-id', 'volume-key']"
	imalog show --json pcclient
	expect_json "d['event']['type'] == 'EV_NO_ACTION'" "d['event']['data'] == 'aabbccdd'"
	# As they stand, those with a comma before a bracket are no JSON.
	imalog show "$TLV/libcel/cel_multi.json"
	expect_status 3
}

@test "tlv: libcel, JSON to refuse" {
	local name count=0 case
	for name in bad_cel bad_cel_version bad_digests bad_event bad_ima_template bad_pcclient \
		bad_state_trans; do
		strict "$TLV/libcel/$name.json" >"$name"
		"$PYTHON" -I -S -c 'import json, sys
for key, value in json.load(open(sys.argv[1])).items():
    json.dump(value, open(sys.argv[1] + "-" + key, "w"))' "$name"
		for case in "$name"-*; do
			# That one is filled in by its test.
			[ "$case" != bad_ima_template-large_name ] || continue
			imalog show "$case"
			expect_status 3 "$case"
			expect_stderr 'record 1 at 0x0: [a-zA-Z_ ]+: .'
			count=$((count + 1))
		done
	done
	for case in "$TLV"/libcel/systemd_*.json; do
		imalog show "$case"
		expect_status 3 "$case"
		expect_stderr 'record 1 at 0x0: [a-zA-Z]+: it is missing, or not what systemd writes'
		count=$((count + 1))
	done
	[ "$count" -ge 45 ] || fail "only $count cases"
}

@test "tlv: the example of the specification, from the firmware's log to CBOR" {
	imalog_to out convert -t cel-cbor "$TLV/tcg-cel/spec_5_1_7.tcg2.bin"
	expect_status 0
	expect_same out "$TLV/tcg-cel/spec_5_1_7.cel.cbor"
	imalog show --json "$TLV/tcg-cel/spec_5_1_7.cel.cbor"
	expect_json "len(rows) == 2" "rows[1]['event']['type'] == 'EV_S_CRTM_VERSION'" \
		"rows[1]['digests']['sha1'].startswith('c42fedad')" \
		"rows[1]['digests']['sha256'].startswith('d4720b40')"
	imalog show --json "$TLV/tcg-cel/spec_v1_0_5_3_example.json"
	expect_status 0
	expect_json "d['recnum'] == 2" "d['event']['text'] == 'Dell Configuration Information 2'"
}

@test "tlv: a record of the 2018 list" {
	imalog show --json "$TLV/synthetic_ge2018_le.tlv"
	expect_status 0
	expect_json "d['digest_fits'] is True" "d['fields']['n'] == '/bin/sh'" \
		"d['fields']['imode'] == 0o100755" "d['recnum'] == 1"
	imalog replay --expect \
		"sha1:10=$( (printf '%040d' 0; echo a8766e89063c206a38ddaffe0c2842633af0033b) |
			tr -d '\n' | sed 's/../\\x&/g' | xargs -0 printf '%b' | sha1sum |
			cut -d ' ' -f 1)" "$TLV/synthetic_ge2018_le.tlv"
	expect_status 0
}

@test "tlv: every list of the peers there and back" {
	local log to n=0 step from
	for log in "$VECTORS"/peers/ibmtss/*.log "$VECTORS"/peers/embrave/binary* \
		"$VECTORS"/peers/kraemr-ima_log_lib/binary* \
		"$VECTORS"/peers/tpm2-tss-fapi/sml-ima-*-invalidated.bin \
		"$VECTORS"/tlv/libcel/binary_runtime_measurements.bin; do
		imalog replay --print --json "$log"
		[ "$status" -ne 3 ] || continue
		to=kernel
		[[ $output != *'"byte_order":"be"'* ]] || to=kernel-be
		from=$log
		for step in cel-tlv cel-json cel-cbor; do
			imalog_to "$step" convert -t "$step" "$from"
			expect_status 0 "$log to $step"
			from=$step
		done
		imalog_to back convert -t "$to" cel-cbor
		expect_same back "$log"
		n=$((n + 1))
	done
	[ "$n" -ge 10 ] || fail "only $n lists"
}

# values_of_tpm2 FILE: PCR 0 to 9 as tpm2_eventlog computes them, BANK:PCR=HEX
values_of_tpm2() {
	tpm2_eventlog "$1" 2>/dev/null | awk '
		/^pcrs:/ { here = 1; next }
		here && NF == 1 { bank = $1; next }
		here && $1 ~ /^[0-9]+$/ { print bank $1 "=" substr($3, 3) }' | sort
}

@test "tlv: firmware logs, with the values of tpm2_eventlog" {
	local log skipped n=0
	command -v tpm2_eventlog >/dev/null || skip 'tpm2_eventlog is not installed'
	for log in "$VECTORS"/peers/tpm2-tss-fapi/binary_measurements_*.bin \
		"$VECTORS"/peers/keylime/binary_bios_measurements{,-secureboot} \
		"$RIG/ng/binary_bios_measurements"; do
		imalog replay --print --allow-opaque -f eventlog "$log"
		# tpm2_eventlog has PCR 0 start as zeros, whatever the firmware says.
		skipped=none
		[[ $log != *hcrtm* ]] && ! grep -q StartupLocality "$log" || skipped=:0=
		values_of_tpm2 "$log" | grep -v "$skipped" >want
		[ -s want ] || continue
		grep -E '^sha[0-9]+:[0-9]+=' <<<"$output" | grep -v "$skipped" | sort >is
		comm -23 is want >extra
		[ ! -s extra ] || fail "$log: $(head -n 2 extra)"
		n=$((n + 1))
	done
	[ "$n" -ge 3 ] || fail "only $n logs"
}
