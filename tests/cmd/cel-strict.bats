#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Canonical Event Logs: what is refused or said, rather than changed or lost.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	need_libcbor
}

mkcel() {
	"$PYTHON" -I -S "${MKLOG%/*}/mkcel" "$@"
}

# edit IN OUT STATEMENT...: changes a log in JSON; log is the array of its records
edit() {
	"$PYTHON" -I -S -c 'import hashlib, json, sys
log = json.load(open(sys.argv[1]))
for statement in sys.argv[3:]:
    exec(statement)
json.dump(log, open(sys.argv[2], "w"))' "$@"
}

# add_digests ALG: an edit that adds the digests of another algorithm
add_digests() {
	echo "for r in log: r['digests'].append({'hashAlg': '$1', 'digest':" \
		"hashlib.new('$1', bytes.fromhex(r['content']['template_data'])).hexdigest()})"
}

# refused LOG RECORD WHY FORMAT...: LOG is not written as any FORMAT
refused() {
	local log=$1 record=$2 why=$3 format
	shift 3
	for format; do
		imalog convert -t "$format" -o none "$log"
		expect_status 4 "$format"
		expect_stderr "^imalog: '$log': record $record at 0x[0-9a-f]+: .*$why"
		[ ! -e none ] || fail 'there is an output file'
	done
}

@test "cel-strict: every other content there and back, as an independent program has it" {
	local from to
	for from in tlv json json-seq cbor cbor-seq; do
		mkcel mixed --bank sha1 --bank sha256 --to "$from" -o log >expected
		for to in tlv json json-seq cbor cbor-seq; do
			mkcel mixed --bank sha1 --bank sha256 --to "$to" -o want >/dev/null
			imalog_to out convert -t "cel-$to" log
			expect_status 0 "$from to $to"
			expect_same out want "$from to $to"
		done
		imalog replay --json --allow-opaque --pcrs expected log
		expect_status 0 "$from"
		expect_verdict match "verdicts == ['match'] * 8" "d['unmeasured'] == 3" \
			"d['elsewhere'] == 1" "sum(c['unchecked'] for c in d['checks']) == 10"
		imalog replay --pcrs expected log
		expect_status 4 "$from"
		refused log 1 '' kernel ascii tlv2018
	done
	# What only some encodings have: an RTMR, types without a name
	for to in tlv json json-seq; do
		mkcel mixed --rtmr --to tlv -o log >expected
		mkcel mixed --rtmr --to "$to" -o want >/dev/null
		imalog_to out convert -t "cel-$to" log
		expect_same out want "$to"
		imalog replay --json --allow-opaque --pcrs expected log
		expect_status 0
		expect_json "d['elsewhere'] == 2"
	done
	refused log 10 'CEL-CBOR knows PCRs and NV indexes alone' cel-cbor cel-cbor-seq
	mkcel mixed --private --to tlv -o log >expected
	imalog_to out convert -t cel-tlv log
	expect_same out log
	imalog replay -q --allow-opaque --pcrs expected log
	expect_status 0
	refused log 10 'content of type 80' cel-json cel-cbor
	imalog show --fields pcr,template,name log
	expect_stdout '^ *14 content-80 ' '^ *4 pcclient_std event-0x12345678$' \
		' cel +firmware_end,state_trans=kexec$' 'nv:0x01c10131 systemd .*volume-key:.?"x'
}

@test "cel-strict: digests that a kernel list has no room for must be of the content" {
	imalog_to log convert -t cel-json "$NG"
	edit log two "$(add_digests sha256)"
	imalog_to out convert -t kernel two
	expect_status 0
	expect_same out "$NG"
	edit two bad "log[6]['digests'][1]['digest'] = '11' * 32"
	refused bad 7 'one of several does not fit' kernel kernel-be ascii
	# to CEL it goes as it is
	imalog_to tlv convert -t cel-tlv bad
	expect_status 0
	imalog_to out convert -t cel-json tlv
	"$PYTHON" -I -S -c 'import json
assert json.load(open("out")) == json.load(open("bad"))'
	# the padded digest of a bank that the kernel could not compute is of the content
	edit log padded "for r in log: r['digests'].append({'hashAlg': 'sha384', 'digest':
    r['digests'][0]['digest'] + '00' * 28})"
	imalog_to out convert -t kernel padded
	expect_same out "$NG"
	# and so is that of a violation, whatever it is of
	mklog generate --records 20 --violations 3 -o violated
	imalog_to log convert -t cel-json violated
	edit log two "for r in log:
    d = r['digests'][0]['digest']
    r['digests'].append({'hashAlg': 'sha256', 'digest': 'ff' * 32 if d == 'ff' * 20 else
        hashlib.sha256(bytes.fromhex(r['content']['template_data'])).hexdigest()})"
	imalog_to out convert -t kernel two
	expect_status 0
	expect_same out violated
}

@test "cel-strict: zeros among other digests do not become a violation" {
	imalog_to log convert -t cel-json "$NG"
	edit log two "$(add_digests sha256)" "log[4]['digests'][0]['digest'] = '00' * 20"
	imalog show --fields record,note two
	expect_status 1
	! grep -q VIOLATION <<<"$output" || fail 'no violation expected'
	refused two 5 '' kernel ascii
}

@test "cel-strict: what a log says of an RTMR, and of a list of 2018, is shown" {
	echo '{"rtmr":2,"mapped_pcr":9,"content_type":"cel","content":{"type":"firmware_end"}}' >log
	imalog show --json log
	expect_status 0
	expect_json "d['rtmr'] == 2 and d['mapped_pcr'] == 9"
	imalog_to again convert -t cel-json log
	imalog show --json again
	expect_json "d['mapped_pcr'] == 9"
	refused log 1 'mapped_pcr' cel-tlv
	mkcel tlv2018 --records 2 -o log >expected
	imalog show --json log
	expect_json "[r['content_type'] for r in rows] == ['tlv2018'] * 2" \
		"'mapped_pcr' not in d"
}

@test "cel-strict: names and text of systemd do not act on a terminal" {
	printf '%s\n' '{"pcr":9,"content_type":"ima_template","content":' \
		$'{"template_name":"\u009b\u202e","template_data":""}}' \
		'{"pcr":9,"content_type":"systemd","content":' \
		$'{"string":"\u009b","eventType":0}}' >log
	for format in cel-json cel-json-seq; do
		imalog_to out convert -t "$format" log
		expect_status 0
		[ -z "$(LC_ALL=C tr -d '\n\036 -~' <out)" ] || fail 'more than ASCII'
		imalog_to again convert -t cel-tlv out
		imalog_to want convert -t cel-tlv log
		expect_same again want
	done
}

@test "cel-strict: a value that was to be printed and is none is said to be none" {
	mkcel tlv2018 --records 4 -o list >expected
	imalog_to log convert -t cel-tlv --force -q list
	imalog replay --print --allow-opaque log
	expect_status 0
	expect_stdout "^$(cat expected)$"
	imalog replay --print --allow-opaque --bank sha256 log
	expect_status 4
	expect_stderr '^imalog: PCR 10 could not be computed: .* has no digest$'
	imalog replay --print --allow-opaque --json --bank sha1 --bank sha256 log
	expect_status 4
	expect_json "list(d['pcrs']) == ['sha1']"
	imalog replay --print --pcr 11 "$NG"
	expect_status 4
	expect_stderr '^imalog: PCR 11 has no value: '
	echo '{"nv_index":29425969,"content_type":"systemd","content":"00"}' >log
	imalog replay --print --allow-opaque log
	expect_status 4
	expect_stderr 'the log extends no PCR$'
	: >empty
	imalog replay --print empty
	expect_status 0
}

@test "cel-strict: record numbers that do not go up are said, and what becomes of them" {
	local command
	imalog_to log convert -t cel-json "$NG"
	edit log bad "log[9]['recnum'] = 3" "log[20]['recnum'] = 2"
	for command in 'show --fields record' 'replay --print' 'convert -t cel-tlv -o out'; do
		# shellcheck disable=SC2086
		imalog $command log
		expect_status 0
		expect_no_stderr
		# shellcheck disable=SC2086
		imalog $command bad
		expect_status 0
		expect_stderr '^imalog: note: the numbers that the log gives 2 records, record 10 first, are not more than those before them$'
		# shellcheck disable=SC2086
		imalog $command -q bad
		expect_no_stderr
	done
	imalog_to out convert -t cel-tlv bad
	expect_stderr 'note: 2 records got another number: '
	imalog_to again convert -t cel-tlv log
	expect_same out again
	# Each log begins anew: that is no fault, but numbers become others
	imalog_to out convert -t cel-tlv log log
	expect_status 0
	[ "$stderr" = 'imalog: note: 45 records got another number: the one it had was given to a record before it' ] ||
		fail "$stderr"
}

# A digest of ima_template is of its data, whatever the name says that the data is: what is
# proved are these bytes.
@test "cel-strict: a template that nobody knows is checked, and its name proves nothing" {
	imalog_to log convert -t cel-json "$NG"
	edit log renamed "for r in log: r['content']['template_name'] = 'nobody-knows'"
	imalog replay --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" renamed
	expect_status 0
	imalog show renamed
	expect_status 0
	expect_stdout ' nobody-knows .*template not known'
	# Other content under the same digest is found out
	edit renamed bad "c = log[20]['content']; c['template_data'] = c['template_data'][:-2] + 'ff'"
	imalog replay --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" bad
	expect_status 1
	# An event whose digest is of its data proves, under that label, these bytes alone
	imalog_to bios convert -t cel-json "$RIG/ng/binary_bios_measurements"
	edit bios relabelled "for r in log:
    if r['content'].get('event_type') != 'EV_NO_ACTION':
        r['content'] = {'template_name': 'x', 'template_data': r['content']['event_data']}
        r['content_type'] = 'ima_template'"
	imalog replay --pcr 0 --pcrs "$RIG/ng/pcrs.yaml" relabelled
	expect_status 0
	edit relabelled bad "log[3]['content']['template_data'] += '00'"
	imalog replay --pcr 0 --pcrs "$RIG/ng/pcrs.yaml" bad
	expect_status 1
	expect_stdout 'digest does not fit'
}

@test "cel: the firmware's log and IMA's are merged from two pieces, the firmware's first" {
	local set expect order
	for set in ng sig; do
		expect=(--pcr 0 --pcr 10 --pcrs "$RIG/$set/pcrs.yaml")
		imalog_to whole convert -t cel-tlv "$RIG/$set/binary_bios_measurements" \
			"$RIG/$set/binary_runtime_measurements"
		for order in 'bios runtime' 'runtime bios'; do
			# shellcheck disable=SC2086
			set -- $order
			imalog merge "$RIG/$set/binary_$1_measurements" \
				"$RIG/$set/binary_$2_measurements" "${expect[@]}" \
				--allow-opaque -t cel-tlv -o out
			expect_status 0 "$set: $order"
			expect_same out whole
			expect_stdout '^The log holds: PCR 0 .* none is later\.$'
			[ "$(grep -c '^PCR 1 is extended by the log too' <<<"$output")" -eq 1 ] ||
				fail 'PCR 1 should be said once'
			imalog merge "$RIG/$set/binary_$1_measurements" \
				"$RIG/$set/binary_$2_measurements" "${expect[@]}"
			expect_status 4 "$set: $order"
		done
	done
}

@test "cel: PCR 0 does not start as zeros in a search, either" {
	local event first
	for event in '"EV_NO_ACTION","event_data":"537461727475704c6f63616c6974790003"' \
		'"EV_EFI_HCRTM_EVENT","event_data":"4843"'; do
		printf '%s,"digests":[{"hashAlg":"sha256","digest":"%064d"}],%s%s}}\n' \
			'{"pcr":0' 1 '"content_type":"pcclient_std","content":{"event_type":' \
			"$event" >bios
		printf '%s,"digests":[{"hashAlg":"sha256","digest":"%064d"}],%s%s}}\n' \
			'{"pcr":0' 2 '"content_type":"pcclient_std","content":{"event_type":' \
			'"EV_SEPARATOR","event_data":"00000000"' >>bios
		first=3
		[[ $event = *NO_ACTION* ]] || first=4
		"$PYTHON" -I -S - "$first" >expected <<-'END'
			import hashlib, sys
			first = int(sys.argv[1])
			value = bytes(31) + bytes([first])
			for digest in ([] if first == 3 else ["1"]) + ["2"]:
			    digest = bytes.fromhex(digest.zfill(64))
			    value = hashlib.sha256(value + digest).digest()
			print("sha256:0=" + value.hex())
		END
		mklog pcrs --bank sha256 "$NG" >>expected
		imalog replay --allow-opaque --pcrs expected bios "$NG"
		expect_status 0 "$event"
		imalog merge --allow-opaque --pcrs expected "$NG" bios
		expect_status 0 "$event"
	done
}
