#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Logs of other projects, with the values that their own tools or TPMs gave. They
# are not in the repository; IMALOG_VECTORS says where they are.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	PEERS=$VECTORS/peers
	need_vectors peers/ORIGIN.txt
}

# from_tpm FILE: sets expect from lines " PCR 10: xx xx ..." of four banks
IBMTSS_BANKS='sha1 sha256 sha384 sha512'
from_tpm() {
	local bank
	expect=()
	for bank in $IBMTSS_BANKS; do
		read -r _ _ value
		expect+=(--expect "$bank:10=${value// /}")
	done <"$1"
}

@test "peers: ibmtss, one boot through four per-algorithm files" {
	local bank
	from_tpm "$PEERS/ibmtss/imakvtpcr10.txt"
	for bank in $IBMTSS_BANKS; do
		imalog replay --json "${expect[@]}" "$PEERS/ibmtss/$bank.log"
		expect_status 0 "$bank"
		expect_verdict match "d['matched_at'] == 362" "d['records'] == 362" \
			"verdicts == ['match'] * 4" "d['violations'] == 0" \
			"d['logs'][0]['digest'] == '$bank'"
	done
}

@test "peers: ibmtss, every template in one log" {
	imalog replay --json "$PEERS/ibmtss/imatest.log" \
		--expect sha1:10=0ff68e1da514770e85581bffe693809776302a63 --expect \
		sha256:10=af02ae09413721fddb71250ae26383de73cc78d5df37fbebadacedeaeacddb18
	expect_status 0
	expect_verdict match "d['records'] == 17" "d['violations'] == 1"
	imalog show "$PEERS/ibmtss/imatest.log"
	expect_status 0
	[ "$(wc -l <<<"$output")" -eq 17 ] || fail '17 lines expected'
	mklog ascii "$PEERS/ibmtss/imatest.log" >want
	imalog_to out convert -t ascii "$PEERS/ibmtss/imatest.log"
	expect_same out want
	imalog_to out convert -t kernel "$PEERS/ibmtss/imatest.log"
	expect_same out "$PEERS/ibmtss/imatest.log"
}

@test "peers: ibmtss, turned into a big-endian log" {
	local log=$PEERS/ibmtss/DERIVED-sha1.bigendian.log
	imalog replay --json "$log" \
		--expect sha1:10=84cf96d743d1bf2d93cf12a3413afca6017587e6 --expect \
		sha256:10=9e11be05b6bbd0fc1d83d733ef6e8cb8c56e82a207463b36feced342a8fdc1ca
	expect_status 0
	expect_verdict match "d['records'] == 362" "d['logs'][0]['byte_order'] == 'be'"
	imalog_to le convert -t kernel "$log"
	expect_status 0
	imalog replay --json le \
		--expect sha1:10=84cf96d743d1bf2d93cf12a3413afca6017587e6
	expect_verdict match "d['logs'][0]['byte_order'] == 'le'"
	imalog_to back convert -t kernel-be le
	expect_same back "$log"
}

@test "peers: embrave, a 32-bit ARM machine's list in binary and in ascii" {
	local binary=$PEERS/embrave/binary_runtime_measurements-37d16c0 log
	local ascii=$PEERS/embrave/ascii_runtime_measurements-37d16c0
	for log in "$binary" "$ascii"; do
		imalog replay --json "$log" \
			--expect sha1:10=f38695bbd9479953543813fb13bb88235440504e --expect \
			sha256:10=0d204f41041c48fe0d2e1ef0a6c308412c27304a68519d3ce3568a692d3fea83
		expect_status 0
		expect_verdict match "d['records'] == 922" "d['matched_at'] == 922"
	done
	imalog_to out convert -t ascii "$binary"
	expect_same out "$ascii"
	imalog_to out convert -t kernel "$ascii"
	expect_same out "$binary"
}

@test "peers: kraemr, 3524 records with SHA-256 digests" {
	local log=$PEERS/kraemr-ima_log_lib/binary_runtime_measurements_sha256
	imalog replay --json --print "$log"
	expect_status 0
	expect_json "d['records'] == 3524" "d['bad_records'] == []" \
		"d['logs'][0]['digest'] == 'sha256'"
	mklog pcrs --bank sha256 --le --digest-size 32 "$log" >values
	imalog replay --pcrs values "$log"
	expect_status 0
}

@test "peers: tpm2-tss, stray bytes behind the last record" {
	local name cut
	for name in sml-ima-sha1 sml-ima-ng-sha1 sml-ima-sig-sha256; do
		# "mklog: cut: record 13 at 0x394: ..."
		cut=$(mklog index "$PEERS/tpm2-tss-fapi/$name.bin" 2>&1 >index |
			grep -oE 'record [0-9]+ at 0x[0-9a-f]+' | head -n 1) || true
		imalog show "$PEERS/tpm2-tss-fapi/$name.bin"
		expect_status 3 "$name"
		[ "$(wc -l <<<"$output")" -eq "$(wc -l <index)" ] || fail 'other lines expected'
		expect_stderr "^imalog: '.*$name.bin': $cut: "
		imalog replay --json --print "$PEERS/tpm2-tss-fapi/$name.bin"
		expect_status 3 "$name"
		expect_json "d['records'] == $(wc -l <index)" "d['bad_records'] == []" \
			"'record %d at 0x%x' % (d['error']['record'], d['error']['offset']) == '$cut'"
		imalog convert -t kernel -o out "$PEERS/tpm2-tss-fapi/$name.bin"
		expect_status 3 "$name"
		[ ! -e out ] || fail 'an output file was made'
	done
}

@test "peers: tpm2-tss, violations" {
	imalog show --violations "$PEERS/tpm2-tss-fapi/sml-ima-sha1-invalidated.bin"
	expect_status 0
	[ "$(grep -c VIOLATION <<<"$output")" -eq 1 ] || fail 'one violation expected'
	imalog show --json --violations \
		"$PEERS/tpm2-tss-fapi/sml-ima-sig-sha256-invalidated.bin"
	expect_status 0
	expect_json "[r['record'] for r in rows] == [2]"
	imalog replay --json --print "$PEERS/tpm2-tss-fapi/sml-ima-ng-sha1-invalidated.bin"
	expect_status 3
	expect_json "d['error']['record'] == 1" "d['error']['offset'] == 0" \
		"d['records'] == 0"
}

@test "peers: libcel, 58 records" {
	need_vectors tlv/libcel/binary_runtime_measurements.bin
	imalog replay --json --print "$VECTORS/tlv/libcel/binary_runtime_measurements.bin"
	expect_status 0
	expect_json "d['records'] == 58" "d['bad_records'] == []"
}

@test "peers: firmware logs are no measurement lists" {
	local log
	for log in "$PEERS"/tpm2-tss-fapi/binary_measurements_*.bin \
		"$PEERS/keylime/binary_bios_measurements" \
		"$RIG/ng/binary_bios_measurements"; do
		imalog show -f kernel "$log"
		expect_status 3 "$log"
		# Those that say what they are are read as that, and are no proof.
		imalog show "$log"
		[ "$status" -eq 3 ] || [[ $output == *pcclient_std*EV_* ]] || fail "$log"
		imalog replay --print "$log"
		[ "$status" -ge 3 ] || fail "$log"
	done
}

@test "peers: keylime, lines to refuse" {
	local n=0 line want
	while read -r line; do
		n=$((n + 1))
		printf '%s\n' "$line" >log
		# A template that is not known can be shown, but not checked
		want=3
		[ "$n" -ne 1 ] || want=0
		imalog show --format ascii log
		expect_status "$want" "line $n"
		[ "$n" -ne 1 ] || want=4
		imalog replay --print --format ascii log
		expect_status "$want" "line $n"
		imalog convert -t kernel -o out --format ascii log
		expect_status "$want" "line $n"
		[ ! -e out ] || fail 'there is an output file'
	done <"$PEERS/keylime/test_ima_ast.INVALID_ENTRIES.ascii"
	[ "$n" -eq 4 ] || fail '4 lines expected'
}

@test "peers: keylime, lines to accept" {
	local log
	for log in "$PEERS"/keylime/ima-log-{sha1,sha256,sha384,sha512,sm3_256,unknown} \
		"$PEERS"/keylime/test_ima_ast.VALID_ENTRIES.ascii \
		"$PEERS"/keylime/test_ima_verification.{SIGNATURES,KEYRINGS,MEASUREMENTS}.ascii; do
		imalog show "$log"
		[ "$status" -le 1 ] || fail "$log: exit $status"
		[ "$(wc -l <<<"$output")" -eq "$(grep -c . "$log")" ] || fail "$log: lines are missing"
	done
}

@test "peers: rust-keylime" {
	local log=$PEERS/rust-keylime/ascii_runtime_measurements
	imalog show "$log"
	expect_status 0
	[ "$(wc -l <<<"$output")" -eq "$(wc -l <"$log")" ] || fail 'lines are missing'
	imalog_to out convert -t ascii "$log"
	expect_same out "$log"
	imalog show "$PEERS/rust-keylime/empty_ima_log.txt"
	expect_status 0
	expect_no_stdout
	imalog show "$PEERS/rust-keylime/invalid_ima_log.txt"
	expect_status 3
	imalog replay --print "$PEERS/rust-keylime/invalid_ima_log.txt"
	expect_status 3
}
