#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog show: text, JSON, fields, filters, and names that would harm a terminal.

load helpers

NAMES=$RIG/names/binary_runtime_measurements

# column N: that word of every line of the output
column() {
	awk -v n="$1" '{ print $n }' <<<"$output"
}

expect_lines() {
	local lines=0
	[ -z "$output" ] || lines=$(wc -l <<<"$output")
	[ "$lines" -eq "$1" ] || fail "$1 lines expected, not $lines"
}

# ---- text

@test "show: one line a record: number, PCR, template, digest, name" {
	imalog show "$NG"
	expect_status 0
	expect_no_stderr
	expect_lines 45
	[ "$(column 1)" = "$(seq 45)" ] || fail 'records are not numbered'
	[ "$(column 2 | uniq)" = 10 ] || fail 'the second column is not the PCR'
	[ "$(column 3 | uniq)" = ima-ng ] || fail 'the third column is not the template'
	# The kernel's ascii list: pcr digest template file-digest name
	diff <(cut -d' ' -f5 "$RIG/ng/ascii_runtime_measurements") <(column 5)
	expect_stdout '^ *1 +10 +ima-ng +sha256:[0-9a-f]{64} +boot_aggregate *$'
}

@test "show: every captured log, whatever file it is" {
	local set file
	for set in $RIG_SETS; do
		for file in "$RIG/$set"/binary_runtime_measurements*; do
			imalog show "$file"
			expect_status 0 "$file"
			expect_lines "${RECORDS[$set]}"
		done
	done
}

@test "show: the ascii list shows as the binary one does" {
	local set
	for set in ng legacy sig buf violations evmsig; do
		imalog show --fields record,pcr,digest,template,file-digest,name \
			"$RIG/$set/binary_runtime_measurements_sha256"
		printf '%s\n' "$output" >binary
		imalog show --fields record,pcr,digest,template,file-digest,name \
			"$RIG/$set/ascii_runtime_measurements_sha256"
		expect_status 0 "$set"
		printf '%s\n' "$output" | diff binary -
	done
}

@test "show: a name cannot do anything to a terminal" {
	imalog_to out show "$NAMES"
	expect_status 0
	"$PYTHON" -I - out <<-'END' || fail 'there are unprintable characters'
		import sys
		text = open(sys.argv[1], "rb").read().decode("utf-8")
		sys.exit(not all(c.isprintable() or c == "\n" for c in text))
	END
	[ "$(wc -l <out)" -eq 65 ] || fail 'a name made a line of its own'
	grep -qF '/data/new\nline' out
	grep -qF '/data/tab\ttab' out
	grep -qF '/data/esc\x1b[31mred' out
	grep -qF '/data/back\\slash' out
	grep -qF '/data/bidi-\u{202e}gnp.exe' out
	grep -qF '/data/latin1-\xe9\xfc' out
	grep -qF '/data/grüße-日本-🔐' out
	grep -qF '/data/fake\\012newline' out
}

@test "show: names in text are told apart: escapes are escaped" {
	imalog show --fields name "$NAMES"
	expect_status 0
	# Of the 65 names, one is there twice
	[ "$(sort -u <<<"$output" | wc -l)" -eq 64 ] ||
		fail 'two names look the same'
}

@test "show: templates and hash names are escaped as well" {
	golden ima-ng
	cp --no-preserve=mode ima-ng.bin log
	poke log 28 '1b 5b 32 4a 0a 41'
	imalog show --digest-size 20 --byte-order le log
	expect_lines 1
	expect_stdout '\\x1b\[2J\\nA'
	cp --no-preserve=mode ima-ng.bin log
	poke log 42 '1b 0a'
	imalog show --digest-size 20 --byte-order le log
	expect_lines 1
	[[ $output != *$'\e'* ]] || fail 'ESC went through'
}

@test "show: the content of ima-buf is decoded" {
	golden ima-buf
	imalog show ima-buf.bin
	expect_status 0
	expect_stdout 'kernel_version.*6\.12\.117'
}

@test "show: violations and bad digests are marked" {
	mklog generate --records 20 --violations 2 --bad 3 -o log
	mklog index log | awk '$6 == "violation" { print $1 }' >violations
	imalog show log
	expect_status 1
	[ "$(grep VIOLATION <<<"$output" | awk '{ print $1 }')" = "$(cat violations)" ] ||
		fail 'other violations expected'
	[ "$(grep BAD-DIGEST <<<"$output" | awk '{ print $1 }')" = 3 ] ||
		fail 'BAD-DIGEST expected for record 3'
}

@test "show: exit 1 only when a record that is shown is bad" {
	mklog generate --records 20 --bad 3 -o log
	imalog show --from 4 log
	expect_status 0
	imalog show --to 3 log
	expect_status 1
	imalog show --quiet --to 3 log
	expect_status 1
	imalog show --verbose --from 1 --to 2 log
	expect_status 0
}

# ---- filters

@test "show: --from and --to are inclusive" {
	imalog show --from 10 --to 12 "$NG"
	expect_status 0
	[ "$(column 1)" = "$(seq 10 12)" ] || fail 'other records expected'
	imalog show --from 45 "$NG"
	expect_lines 1
	imalog show --to 1 "$NG"
	expect_lines 1
	imalog show --from 46 "$NG"
	expect_status 0
	expect_no_stdout
	imalog show --from 12 --to 10 "$NG"
	[ "$status" -eq 0 ] || [ "$status" -eq 2 ]
	expect_no_stdout
}

@test "show: numbers that are none" {
	local bad
	for bad in '' -1 0x10 1x ' 1' 99999999999999999999; do
		imalog show --from "$bad" "$NG"
		expect_usage_error show
		imalog show --to "$bad" "$NG"
		expect_usage_error show
		imalog show --pcr "$bad" "$NG"
		expect_usage_error show
	done
	imalog show --from 0 "$NG"
	expect_usage_error show
	imalog show --pcr 64 "$NG"
	expect_usage_error show
}

@test "show: --pcr and --template, both repeatable" {
	mklog generate --records 30 --template mixed --pcr 10,11,12 -o log
	mklog index log >index
	imalog show --pcr 11 log
	[ "$(column 1)" = "$(awk '$4 == 11 { print $1 }' index)" ] || fail 'wrong for --pcr'
	imalog show --pcr 12 --pcr 10 log
	[ "$(column 1)" = "$(awk '$4 != 11 { print $1 }' index)" ] || fail 'wrong for two PCRs'
	imalog show --template ima-buf --template ima log
	[ "$(column 1)" = "$(awk '$5 == "ima" || $5 == "ima-buf" { print $1 }' index)" ] ||
		fail 'wrong for two templates'
	imalog show --template ima-ng --pcr 11 log
	[ "$(column 1)" = "$(awk '$5 == "ima-ng" && $4 == 11 { print $1 }' index)" ] ||
		fail 'filters do not add up'
}

@test "show: --match takes a shell pattern of the whole name" {
	imalog show --match '/bin/*' "$NG"
	expect_status 0
	[ "$(column 5)" = $'/bin/busybox\n/bin/tpm2' ] || fail 'other names expected'
	imalog show --match boot_aggregate "$NG"
	expect_lines 1
	imalog show --match bin "$NG"
	expect_status 0
	expect_no_stdout
	imalog show --match '*libgmp.so.??' "$NG"
	expect_lines 1
	imalog show --match '*[[:cntrl:]]*' --fields name "$NAMES"
	expect_stdout 'new\\nline'
}

@test "show: --violations" {
	imalog show --violations "$RIG/violations/binary_runtime_measurements_sha384"
	expect_status 0
	expect_lines 6
	[ "$(grep -c VIOLATION <<<"$output")" -eq 6 ] || fail 'not all are violations'
	imalog show --violations "$NG"
	expect_status 0
	expect_no_stdout
}

@test "show: filters do not renumber, several files count on" {
	records "$NG" 1 20 >first
	records "$NG" 21 45 >second
	imalog show --match '*libgnutls*' "$NG"
	local one=$output
	imalog show --match '*libgnutls*' first second
	[ "$output" = "$one" ] || fail 'the same line expected'
	imalog_from second show --from 44 first -
	expect_lines 2
}

# ---- fields

# field NAME LOG REGEX: --fields NAME of the first record
field() {
	imalog show --fields "$1" --to 1 "$2"
	expect_status 0 "$1"
	grep -qxE -- " *$3 *" <<<"$output" || fail "$1: '$3' expected"
}

@test "show: --fields, each of them" {
	local name
	for name in ima ima-ng ima-ngv2 ima-sig ima-buf ima-modsig evm-sig; do
		golden "$name"
	done
	field record ima-ng.bin 1
	field offset ima-ng.bin '0(x0)?'
	field pcr ima-ng.bin 10
	field digest ima-ng.bin '(sha1:)?69265cfc6be3c36e312650d44fa63d3a8886d61f'
	field template ima-ng.bin ima-ng
	field fits ima-ng.bin '(yes|true|fits|ok)'
	field size ima-ng.bin 96
	field name ima-ng.bin /usr/bin/
	field file-digest ima-ng.bin 'sha256:e0e1[0-9a-f]{58}ff'
	field d ima.bin 000102030405060708090a0b0c0d0e0f10111213
	field n ima.bin /sbin/init2
	field file-digest ima.bin '(sha1:)?000102030405060708090a0b0c0d0e0f10111213'
	field name ima.bin /sbin/init2
	field d-ng ima-ng.bin 'sha256:e0e1[0-9a-f]{58}ff'
	field n-ng ima-ng.bin /usr/bin/
	field d-ngv2 ima-ngv2.bin 'verity:sha256:2021[0-9a-f]{58}3f'
	field file-digest ima-ngv2.bin 'verity:sha256:2021[0-9a-f]{58}3f'
	field sig ima-sig.bin 030204deadbeef0008a0a1a2a3a4a5a6a7
	field buf ima-buf.bin 362e31322e313137
	field note ima-buf.bin '.*6\.12\.117.*'
	field d-modsig ima-modsig.bin 'sha1:(03){10}(04){10}'
	field modsig ima-modsig.bin 300706052a03040506
	field evmsig evm-sig.bin 050204112233440002e0e1
	field xattrnames evm-sig.bin 'security.ima\|security.capability'
	field xattrlengths evm-sig.bin '(0200000003000000|2,3)'
	field xattrvalues evm-sig.bin 0404aabbcc
	field iuid evm-sig.bin 1000
	field igid evm-sig.bin 4294901759
	field imode evm-sig.bin '(0?100644|33188)'
}

@test "show: --fields in any order, offsets and sizes of all records" {
	mklog generate --records 12 --template mixed --bank sha256 -o log
	imalog show --fields size,record,template log
	expect_status 0
	[ "$(awk '{ print $1, $2, $3 }' <<<"$output")" = \
		"$(mklog index log | awk '{ print $3, $1, $5 }')" ] || fail 'other sizes expected'
	imalog show --json log
	mklog index log >index
	expect_json "['%d %d' % (r['record'], r['offset']) for r in rows] ==
		[' '.join(l.split()[:2]) for l in open('index')]"
}

@test "show: --fields that do not exist" {
	local bad
	for bad in '' nonsense record,nonsense 'record,' ,record mntuidmap; do
		imalog show --fields "$bad" "$NG"
		expect_usage_error show
	done
}

@test "show: an empty log shows nothing" {
	: >empty
	imalog show empty
	expect_status 0
	expect_no_stdout
	expect_no_stderr
	imalog show --json empty
	expect_status 0
	expect_no_stdout
}

@test "show: a cut log shows what is whole, then says where it is cut" {
	local at
	at=$(offset "$NG" 30)
	head -c "$((at + 50))" "$NG" >log
	imalog show log
	expect_status 3
	expect_lines 29
	expect_error log 30 "$at"
}

@test "show: a message is written in one piece" {
	command -v strace >/dev/null || skip 'strace is not installed'
	# The leak sanitizer complains where it is traced
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=write -o trace "$IMALOG" show $'./no\x1bne' 2>said || true
	[ "$(grep -c 'write(2' trace)" -eq 1 ] || fail "$(cat trace)"
	grep -qF 'imalog: cannot open '"'./no\\x1bne'"': ' said || fail "$(cat said)"
}
