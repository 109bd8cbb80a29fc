#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog show --json: one object a record.

load helpers

@test "json: the objects of a whole log" {
	imalog show --json "${NG}_sha256"
	expect_status 0
	expect_no_stderr
	expect_json 'len(rows) == 45' \
		"[r['record'] for r in rows] == list(range(1, 46))" \
		"all(r['digest_fits'] is True for r in rows)" \
		"not any('violation' in r for r in rows)" \
		"[(r['template_digest'], r['fields']['d-ng']['digest'], r['fields']['n-ng'])
			for r in rows] == [(l.split(' ')[1], l.split(' ')[3][7:], l.split(' ')[4])
			for l in open('$RIG/ng/ascii_runtime_measurements_sha256').read().splitlines()]"
}

@test "json: the golden records, every template" {
	local file name
	for file in "$GOLDEN"/*.json; do
		name=$(basename "$file" .json)
		golden "$name"
		# A violation does not tell its layout
		case $name in
		violation*) set -- --digest-size 20 --byte-order le ;;
		*) set -- ;;
		esac
		imalog show --json "$@" "$name.bin"
		expect_status 0 "$name"
		expect_json "len(rows) == 1" "d.pop('decoded', {}) is not None" \
			"d == json.load(open('$file'))" \
			"list(d) == list(json.load(open('$file')))" \
			"list(d['fields']) == list(json.load(open('$file'))['fields'])"
	done
}

@test "json: numbers are those of the log's byte order" {
	mklog generate --records 12 --template evm-sig -o le
	mklog generate --records 12 --template evm-sig --be -o be
	imalog show --json le
	expect_status 0
	expect_json "[r['fields']['iuid'] for r in rows] == list(range(12))" \
		"[r['fields']['imode'] for r in rows] == [0o100644 + i % 8 for i in range(12)]" \
		"rows[3]['fields']['xattrlengths'] == [265, 15]" \
		"rows[1]['fields']['xattrlengths'] == []"
	printf '%s\n' "$output" >le.json
	imalog show --json be
	expect_status 0
	expect_json "[r['fields'] for r in rows] ==
		[json.loads(l)['fields'] for l in open('le.json')]"
	mklog generate --records 12 --template evm-sig --canonical-be -o le
	imalog show --json le
	expect_status 0
	expect_json "[r['fields'] for r in rows] ==
		[json.loads(l)['fields'] for l in open('le.json')]" \
		"all(r['digest_fits'] for r in rows)"
}

@test "json: the names are the true ones, or hex when they are not UTF-8" {
	imalog show --json "$RIG/names/binary_runtime_measurements"
	expect_status 0
	# The kernel has put '_' in place of every blank, and gone.exe lost its ending
	expect_json 'len(rows) == 65' "set(open('$RIG/names/names.nul', 'rb').read()
			.replace(b' ', b'_').replace(b'gone.exe', b'gone').split(b'\0')[:-1]) <=
		{bytes.fromhex(n['hex']) if isinstance(n, dict) else n.encode()
			for n in (r['fields']['n-ng'] for r in rows)}" \
		"sum(isinstance(r['fields']['n-ng'], dict) for r in rows) == 1" \
		"{'hex': b'/data/latin1-\xe9\xfc'.hex()} in [r['fields']['n-ng'] for r in rows]"
	imalog_to out show --json "$RIG/names/binary_runtime_measurements"
	[ "$(wc -l <out)" -eq 65 ] || fail 'one line a record expected'
	# Even JSON may end up on a terminal
	"$PYTHON" -I - out <<-'END' || fail 'there are unprintable characters'
		import sys
		text = open(sys.argv[1], "rb").read().decode("utf-8")
		sys.exit(not all(c.isprintable() or c == "\n" for c in text))
	END
}

@test "json: violations and bad digests" {
	mklog generate --records 20 --violations 4 --bad 3 -o log
	imalog show --json log
	expect_status 1
	mklog index log >index
	expect_json "[{'fits': True, 'bad': False, 'violation': None}[l.split()[5]]
			for l in open('index')] == [r['digest_fits'] for r in rows]" \
		"[r.get('violation') for r in rows] ==
			[True if 'violation' in l else None for l in open('index')]"
}

@test "json: filters and --json go together" {
	imalog show --json --match '/bin/*' --from 4 "$NG"
	expect_status 0
	expect_json "[r['fields']['n-ng'] for r in rows] == ['/bin/tpm2']"
	imalog show --json --violations "$RIG/violations/binary_runtime_measurements"
	expect_json 'len(rows) == 6' "all(r['violation'] is True for r in rows)"
}

@test "json: an unknown template has its data, a defined one its fields" {
	mklog generate --records 3 --template 'my-own=n-ng|d-ng' -o log
	imalog show --json log
	expect_status 0
	expect_json "all('fields' not in r for r in rows)" "d['template'] == 'my-own'" \
		"bytes.fromhex(d['data'])[4:18] == b'boot_aggregate'" "d['digest_fits'] is True"
	imalog show --json --define-template 'my-own=n-ng|d-ng' log
	expect_status 0
	expect_json "all('data' not in r for r in rows)" \
		"d['fields']['n-ng'] == 'boot_aggregate'"
}

@test "json: a field that a template has twice is there twice" {
	mklog generate --records 3 --template 'd-ng|n-ng|n-ng|n-ng' -o log
	imalog show --json log
	expect_status 0
	expect_json "all(list(r['fields']) == ['d-ng', 'n-ng', 'n-ng#2', 'n-ng#3'] for r in rows)" \
		"d['fields']['n-ng'] == d['fields']['n-ng#2'] == 'boot_aggregate'"
}

@test "json: measured buffers are decoded beside their fields" {
	golden ima-buf
	imalog show --json ima-buf.bin
	expect_json "isinstance(d['decoded'], dict)" "'6.12.117' in d['decoded'].values()"
	imalog show --json --template ima-buf "$RIG/buf/binary_runtime_measurements"
	expect_status 0
	expect_json 'len(rows) == 11' "all(isinstance(r['decoded'], dict) for r in rows)" \
		"all(r['fields']['buf'] for r in rows)"
	imalog show --json --match 'kexec*' "$STAGING/kexec-with-staged/after-list.sha256"
	expect_json 'len(rows) == 2' "all(r['decoded'] for r in rows)"
}

@test "json: an ascii list gives the same records" {
	local set
	for set in ng legacy violations names evmsig; do
		imalog show --json "$RIG/$set/binary_runtime_measurements_sha1"
		printf '%s\n' "$output" >binary
		imalog show --json --format ascii "$RIG/$set/ascii_runtime_measurements_sha1"
		expect_status 0 "$set"
		expect_json "len(rows) == ${RECORDS[$set]}" \
			"[r['fields'] for r in rows] == [json.loads(l)['fields'] for l in open('binary')]" \
			"[r['template_digest'] for r in rows] ==
				[json.loads(l)['template_digest'] for l in open('binary')]"
	done
}

@test "json: of a cut log, the whole records" {
	head -c 200 "$NG" >log
	imalog show --json log
	expect_status 3
	expect_json 'len(rows) == 2'
	expect_error log 3 "$(offset "$NG" 3)"
}
