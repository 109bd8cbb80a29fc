#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Canonical Event Logs and lists of 2018 through every command.

load helpers

ENCODINGS='tlv json json-seq cbor cbor-seq'

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	need_libcbor
}

mkcel() {
	"$PYTHON" -I -S "${MKLOG%/*}/mkcel" "$@"
}

# values FILE...: what replay --print has, lines BANK:PCR=HEX
values() {
	imalog replay --print "$@"
	grep -E '^[a-z0-9-]+:[0-9]+=' <<<"$output" || true
}

# round_trip LOG KERNEL: kernel -> cel-tlv -> cel-json -> cel-cbor -> KERNEL is the
# same list, and no step has other values.
round_trip() {
	local log=$1 kernel=$2 step from=$1 want
	want=$(values "$log")
	[ -n "$want" ] || fail "$log: no values"
	for step in cel-tlv cel-json cel-cbor; do
		imalog_to "$step" convert -t "$step" "$from"
		expect_status 0 "$log to $step"
		[ "$(values "$step")" = "$want" ] || fail "$log: other values as $step"
		from=$step
	done
	imalog_to back convert -t "$kernel" cel-cbor
	expect_status 0 "$log back"
	expect_same back "$log"
}

@test "cel: every captured list there and back, with the same values at each step" {
	local set file
	for set in $RIG_SETS; do
		for file in "$RIG/$set"/binary_runtime_measurements*; do
			round_trip "$file" kernel
		done
	done
	for file in "$STAGING"/*/*.sha1 "$STAGING"/*/*.sha256; do
		round_trip "$file" kernel
	done
}

@test "cel: generated lists there and back, violations, several PCRs, both orders" {
	local args
	for args in '--template mixed' '--template mixed --be' '--pcr 10,11,14' \
		'--template ima --be' '--digest-size 32 --pad-sha1' '--bank sha512' \
		'--bad 3 --bad 7'; do
		# shellcheck disable=SC2086
		mklog generate --records 40 --violations 4 --duplicates 3 $args -o log
		case $args in
		*--be*) round_trip log kernel-be ;;
		*) round_trip log kernel ;;
		esac
	done
}

@test "cel: what is written is what the specification has, by an independent program" {
	local set encoding
	for set in ng legacy violations fmt kexec/after; do
		for encoding in $ENCODINGS; do
			mkcel list --to "$encoding" -o want \
				"$RIG/$set/binary_runtime_measurements"
			imalog_to out convert -t "cel-$encoding" \
				"$RIG/$set/binary_runtime_measurements"
			expect_same out want "$set as $encoding"
		done
	done
	mkcel list --recnum-size 4 --index-size 4 -o want "$NG"
	imalog_to out convert -t cel-tlv --int-width 4 "$NG"
	expect_same out want
	imalog_to again convert -t cel-tlv out
	expect_same again want 'sizes that were read'
	imalog_to again convert -t cel-tlv --int-width 8 out
	imalog_to out convert -t cel-tlv "$NG"
	expect_same again out
	imalog_to out convert -t cel-tlv --int-width min "$NG"
	mkcel list --recnum-size 1 --index-size 1 -o want "$NG"
	expect_same out want
}

@test "cel: ima_tlv content leads to the values, in every encoding" {
	local encoding from
	for encoding in $ENCODINGS; do
		mkcel ima-tlv --records 30 --violation 4 --violation 5 --bank sha1 \
			--bank sha256 --to "$encoding" -o log >expected
		imalog replay --json --pcrs expected log
		expect_status 0 "$encoding"
		expect_verdict match "d['matched_at'] == 30" "d['violations'] == 2" \
			"d['bad_records'] == []" "verdicts == ['match'] * 2"
		for from in tlv json cbor; do
			mkcel ima-tlv --records 30 --violation 4 --violation 5 --bank sha1 \
				--bank sha256 --to "$from" -o want >/dev/null
			imalog_to out convert -t "cel-$from" log
			expect_same out want "$encoding to $from"
		done
	done
	imalog show --fields record,recnum,pcr,template,fits,d,n,sig,iuid,igid,imode,timestamp log
	expect_status 0
	expect_stdout '^ +2 +1 10 ima_tlv yes [0-9a-f]{64} /usr/bin/tool-1 +030204(53)+ - - - -$' \
		'^ +3 +2 10 ima_tlv yes [0-9a-f]{64} /usr/bin/tool-2 +- +1000 100 0100755 1500000000$'
	for from in kernel ascii tlv2018; do
		imalog convert -t "$from" -o none log
		expect_status 4 "$from"
		expect_error log 1 0
		[ ! -e none ] || fail 'there is an output file'
	done
}

@test "cel: a wrong digest is found whatever the encoding" {
	local encoding
	mklog generate --records 20 --bad 7 -o log
	for encoding in $ENCODINGS; do
		imalog_to cel convert -t "cel-$encoding" log
		expect_status 0
		imalog show cel
		expect_status 1 "$encoding"
		expect_stdout ' BAD-DIGEST'
		imalog replay --json --print cel
		expect_status 1
		expect_json "[r['record'] for r in d['bad_records']] == [7]"
	done
}

@test "cel: a list of 2018, in both byte orders" {
	local order
	for order in '' --be; do
		# shellcheck disable=SC2086
		mkcel tlv2018 --records 12 --violation 3 $order -o log >expected
		imalog replay --json --pcrs expected log
		expect_status 0 "$order"
		expect_verdict match "d['matched_at'] == 12" "d['violations'] == 1" \
			"d['logs'][0] == {'file': 'log', 'format': 'tlv2018', 'byte_order': '${order:+b}${order:-l}e'.replace('--be', '')}"
		imalog show log
		expect_status 0
		expect_stdout '^ +3 10 tlv2018 [0-9a-f]{64} /usr/bin/tool-2$' ' VIOLATION$'
		imalog_to same convert -t tlv2018 log
		expect_same same log
		flip log 100
		imalog show log
		expect_status 1
	done
}

@test "cel: a list of 2018 goes into CEL with --force alone, and is no proof there" {
	local to
	mkcel tlv2018 --records 12 --violation 3 -o log >expected
	for to in cel-tlv cel-json cel-cbor kernel ascii; do
		imalog convert -t "$to" -o out log
		expect_status 4 "$to"
		expect_error log 1 0
		[ ! -e out ] || fail 'there is an output file'
	done
	imalog convert -t cel-tlv --force -o out log
	expect_status 0
	expect_stderr 'note: the content of 12 records .* can no longer be checked'
	imalog replay --json --pcrs expected out
	expect_status 4
	expect_verdict not-checked "d['bad_records'][0]['record'] == 1"
	imalog replay --json --pcrs expected --allow-opaque out
	expect_status 0
	expect_verdict match "d['matched_at'] == 12" "d['checks'][0]['unchecked'] == 12"
	imalog convert -t cel-tlv --force -q -o out log
	expect_no_stderr
}

@test "cel: one file for PCR 0 to 10, with the values of the machine's TPM" {
	local set encoding pcr
	for set in ng sig kexec/after nosha1; do
		for encoding in tlv json cbor; do
			imalog_to log convert -t "cel-$encoding" "$RIG/$set/binary_bios_measurements" \
				"$RIG/$set/binary_runtime_measurements"
			expect_status 0 "$set"
			imalog replay --json --pcrs "$RIG/$set/pcrs.yaml" --allow-opaque log
			expect_status 0 "$set as $encoding"
			expect_verdict match "{c['pcr'] for c in d['checks']} == {0,1,2,3,4,5,6,7,10}" \
				"all('unchecked' in c for c in d['checks'] if c['pcr'] < 8)" \
				"not any('unchecked' in c for c in d['checks'] if c['pcr'] == 10)" \
				"d['unmeasured'] == 1"
			imalog replay --pcr 0 --pcr 10 --pcrs "$RIG/$set/pcrs.yaml" --allow-opaque log
			expect_status 0
			expect_stdout '^The log holds: PCR 0 .* PCR 10 ' \
				'^PCR 0 \(sha256\) rests on [0-9]+ records? whose content no rule checks'
			# The firmware's events are no proof of what they say ...
			imalog replay --pcr 0 --pcr 10 --pcrs "$RIG/$set/pcrs.yaml" log
			expect_status 4
			# ... and do not touch what IMA's records prove.
			imalog replay --pcr 10 --pcrs "$RIG/$set/pcrs.yaml" log
			expect_status 0
		done
		imalog replay -q --pcrs "$RIG/$set/pcrs.yaml" --allow-opaque \
			"$RIG/$set/binary_bios_measurements" "$RIG/$set/binary_runtime_measurements"
		expect_status 0 "$set as two files"
	done
}

@test "cel: a quote over a log in any encoding" {
	local encoding
	for encoding in $ENCODINGS; do
		imalog_to log convert -t "cel-$encoding" "$NG"
		imalog quote-verify --quote "$RIG/ng/quote.msg" --signature "$RIG/ng/quote.sig" \
			--key "$RIG/ng/ak-rsa.pem" --no-nonce --json log
		expect_json "d['checks']['log'] == 'ok'"
	done
}

@test "cel: a label makes no proof" {
	local type code
	imalog_to log convert -t cel-json "$NG"
	for type in cel pcclient_std ima_tlv systemd; do
		"$PYTHON" -I -S - "$type" <<-'END'
			import json, sys
			kind, log = sys.argv[1], json.load(open("log"))
			record = log[20]
			data = record["content"]["template_data"]
			record["content_type"] = kind
			record["content"] = {
			    "cel": {"type": "state_trans", "data": "kexec"},
			    "pcclient_std": {"event_type": 3, "event_data": data},
			    "ima_tlv": "0000000001" + "61",
			    "systemd": data}[kind]
			json.dump(log, open("bad", "w"))
		END
		code=4
		case $type in pcclient_std | ima_tlv) code=1 ;; esac
		imalog replay --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" bad
		expect_status "$code" "$type"
		expect_stdout '.'
	done
}

@test "cel: logs of several formats are one log" {
	local total
	records "$NG" 1 20 >a
	records "$NG" 21 45 >b
	imalog_to a.cel convert -t cel-tlv a
	imalog_to b.cel convert -t cel-json b
	for pair in 'a b.cel' 'a.cel b' 'a.cel b.cel'; do
		# shellcheck disable=SC2086
		imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" $pair
		expect_status 0 "$pair"
		expect_verdict match "d['matched_at'] == 45" "len(d['logs']) == 2"
		# shellcheck disable=SC2086
		imalog_to out convert -t kernel $pair
		expect_same out "$NG"
		# shellcheck disable=SC2086
		imalog_to out convert -t cel-tlv $pair
		imalog_to want convert -t cel-tlv "$NG"
		expect_same out want
	done
}

@test "cel: standard input, and what must be read twice" {
	imalog_to tlv convert -t cel-tlv "$NG"
	imalog_from tlv replay --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -
	expect_status 0
	run --separate-stderr bash -c '"$1" convert -t cel-cbor-seq - <"$2" >seq' - "$IMALOG" tlv
	expect_status 0
	mkcel list --to cbor-seq -o want "$NG"
	expect_same seq want
	imalog_from tlv convert -t cel-cbor -o out -
	expect_status 4
	expect_stderr 'cannot be read twice: -t cel-cbor-seq'
	[ ! -e out ] || fail 'there is an output file'
}

@test "cel: empty logs" {
	: >empty
	local encoding
	for encoding in json cbor tlv json-seq cbor-seq; do
		imalog_to "out.$encoding" convert -t "cel-$encoding" empty
		expect_status 0 "$encoding"
		imalog show "out.$encoding"
		expect_status 0
		expect_no_stdout
	done
	[ "$(cat out.json)" = $'[\n]' ] || fail 'no empty array'
	[ "$(od -An -tx1 out.cbor)" = ' 80' ] || fail 'no empty array'
}

@test "cel: malformed input, with record and offset" {
	local encoding size
	for encoding in $ENCODINGS; do
		imalog_to log convert -t "cel-$encoding" "$NG"
		size=$(wc -c <log)
		head -c "$((size - 40))" log >short
		imalog show short
		expect_status 3 "$encoding"
		expect_stderr "^imalog: 'short': record 45 at 0x[0-9a-f]+: "
		imalog convert -t kernel -o out short
		expect_status 3
		[ ! -e out ] || fail 'there is an output file'
		imalog replay --json --print short
		expect_status 3
		expect_json "d['records'] == 44" "d['error']['record'] == 45"
	done
	printf '[{"pcr":1,"pcr":2}]' >twice
	imalog show twice
	expect_status 3
	expect_stderr 'JSON: byte [0-9]+: duplicate object key'
}

@test "cel: the format can be said, and a wrong one is refused" {
	local format
	imalog_to log convert -t cel-tlv "$NG"
	for format in kernel ascii cel-json cel-cbor tlv2018 eventlog; do
		imalog show -f "$format" log
		expect_status 3 "$format"
	done
	imalog show -f cel-tlv log
	expect_status 0
	# PCR 0 of the kernel's list and a record of CEL-TLV in the same bytes
	from_hex <(echo 00000000 0100 01000000010a 0300000014 0400000014 0000 \
		06000000 696d612d6e67 00000000) >both
	imalog show both
	expect_status 4
	expect_stderr 'say the format' 'option --format says it'
	imalog show -f cel-tlv both
	expect_status 3
}

@test "cel: show has every kind of content, safely" {
	cat >log <<-'END'
		{"recnum":0,"pcr":0,"content_type":"cel","content":[
		  {"type":"cel_version","data":{"major":1,"minor":1}},{"type":"firmware_end"}]}
		{"recnum":1,"pcr":9,"content_type":"pcclient_std","content":
		  {"event_type":13,"event_data":"67727562203a1b5b324a"}}
		{"recnum":2,"pcr":9,"content_type":"pcclient_std","content":
		  {"event_type":"EV_IPL","event_data":"67727562203a206c73"}}
		{"recnum":3,"nv_index":29425969,"content_type":"systemd","content":
		  {"string":"root\u001b:x","eventType":"phase"}}
		{"recnum":4,"rtmr":2,"mapped_pcr":9,"content_type":"cel","content":
		  {"type":"state_trans","data":"kexec"}}
	END
	imalog show --fields record,recnum,pcr,template,name,note log
	expect_status 0
	expect_stdout '^ +1 +0 +0 cel +cel_version=1.1,firmware_end +not measured' \
		'pcclient_std EV_IPL +10 bytes$' 'pcclient_std EV_IPL +"grub : ls"$' \
		' nv:0x01c10131 systemd +root\\(x1b|033|e|u001b):x' ' rtmr:2 cel +state_trans=kexec'
	! grep -q $'\x1b' <<<"$output" || fail 'an escape character reaches the terminal'
	imalog show --json log
	expect_status 0
	expect_json "rows[0]['management'] == [{'type': 'cel_version', 'major': 1, 'minor': 1}, {'type': 'firmware_end'}]" \
		"rows[0]['measured'] is False" "rows[2]['event']['text'] == 'grub : ls'" \
		"rows[3]['nv_index'] == 29425969 and 'pcr' not in rows[3]" \
		"rows[3]['systemd']['eventType'] == 'phase'" "rows[4]['rtmr'] == 2" \
		"[r['recnum'] for r in rows] == [0, 1, 2, 3, 4]"
	imalog show --pcr 9 log
	[ "$(wc -l <<<"$output")" -eq 2 ] || fail 'only records of PCR 9'
	imalog replay --allow-opaque --expect "sha1:9=$(zeros 20)" log
	expect_status 4
	expect_stdout '^1 record extends nothing: ' '^2 records extend an NV index or an RTMR'
}

# ---- merge

@test "cel: pieces in any format are merged, and the values of the TPM prove it" {
	local format
	records "$NG" 1 15 >a
	records "$NG" 16 30 >b
	records "$NG" 31 45 >c
	for format in $ENCODINGS; do
		imalog_to b.cel convert -t "cel-$format" b
		imalog merge c b.cel a --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -o out
		expect_status 0 "$format"
		expect_no_stderr
		expect_stdout '^The log holds: '
		expect_same out "$NG"
		# Written in that format it is what the whole log is there
		imalog merge c b.cel a --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -t "cel-$format" -o out
		expect_status 0 "$format"
		imalog_to want convert -t "cel-$format" "$NG"
		expect_same out want
	done
	# Two have records in common, and a bad order of them was given
	records "$NG" 10 33 >b
	imalog_to b.cel convert -t cel-tlv b
	imalog merge b.cel c a --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -o out
	expect_status 0
	expect_same out "$NG"
	imalog merge c a --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -t cel-tlv -o none
	expect_status 1
	[ ! -e none ] || fail 'what does not hold was written'
}

@test "cel: a piece that was cut is no whole log" {
	local format
	records "$NG" 1 20 >a
	records "$NG" 21 45 >b
	for format in $ENCODINGS; do
		imalog_to a.cel convert -t "cel-$format" a
		head -c "$(($(stat -c %s a.cel) / 2))" a.cel >short
		imalog merge b short --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -o out
		expect_status 3 "$format"
		expect_stdout '^cut: short cannot be read to its end: record ' \
			'^A piece cannot be read to its end\.$'
		[ ! -e out ] || fail 'what does not hold was written'
	done
}

@test "cel: a merge of content that no rule checks, or that the output cannot have" {
	mkcel tlv2018 --records 12 --violation 3 -o log >expected
	imalog merge --pcrs expected -t tlv2018 -o out log
	expect_status 0
	expect_same out log
	imalog merge --pcrs expected -o out log
	expect_status 4
	expect_error log 1 0
	imalog convert -t cel-tlv --force -q -o opaque log
	imalog merge --pcrs expected opaque
	expect_status 4
	[[ $output != *'The log holds'* ]] || fail "$output"
	# The same records in another encoding are the same records
	records "$NG" 1 9 >a
	imalog_to a.cel convert -t cel-json a
	imalog merge a.cel a "$NG" --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -o out
	expect_status 0
	expect_same out "$NG"
	expect_stdout '^doubled: a is not needed' '^overlaps: the first 9 records of '
}

@test "cel: options of convert that go with cel-tlv alone" {
	imalog convert -t kernel --force "$NG"
	expect_usage_error convert
	imalog convert -t cel-json --int-width min -o out "$NG"
	expect_usage_error convert
	imalog convert -t cel-tlv --int-width 3 -o out "$NG"
	expect_usage_error convert
	imalog convert -t cel -o out "$NG"
	expect_usage_error convert
}
