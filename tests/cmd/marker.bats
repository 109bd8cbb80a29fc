#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Records, and lists, of kernels that gave their list away before Linux 7.2 had staging.

load helpers

# markers ITEM...: writes the list `log` and what it leads to, `values`
markers() {
	"$PYTHON" "$BATS_TEST_DIRNAME/mkmarkers" log "$@" >values
}

@test "marker: a snapshot's PCR values are checked against the log before it" {
	local form
	for form in aggregate example; do
		markers 5 V "$form" V "$form" 2
		imalog replay --pcrs values log
		expect_status 0
		expect_stdout 'The PCR values in record 7 \(snapshot_aggregate\) fit the log before it' \
			'The PCR values in record 9 '
		imalog replay --pcrs values --json log
		expect_verdict match "[m['record'] for m in d['markers']] == [7, 9]" \
			"all(m['verdict'] == 'match' for m in d['markers'])" \
			"d['markers'][0]['name'] == 'snapshot_aggregate'"
	done
	imalog replay --print log
	expect_status 0
	[ "$(grep -E '^sha(1|256)' <<<"$output")" = "$(cat values)" ] || fail 'other values'
}

@test "marker: a snapshot with another value is a mismatch, whatever else holds" {
	markers 5 wrong 2
	imalog replay --pcrs values log
	expect_status 1
	expect_stdout '^Record 6 at 0x1ed: PCR values in it are not those' \
		'^Record 6 \(snapshot_aggregate\) says that PCR 10 \(sha256\) was$' \
		'^PCR 10 \(sha256\) does hold, after record 8'
	imalog replay --pcrs values --json log
	expect_status 1
	expect_verdict mismatch "d['bad_records'][0]['record'] == 6" "$("$PYTHON" - <<-'PYTHON'
		import hashlib
		log = open("log", "rb").read()
		# Of the first five records: the SHA-256 value before the sixth
		import struct
		at, value = 0, bytes(32)
		for _ in range(5):
		    name, = struct.unpack_from("<I", log, at + 24)
		    size, = struct.unpack_from("<I", log, at + 28 + name)
		    data = log[at + 32 + name:at + 32 + name + size]
		    at += 32 + name + size
		    value = hashlib.sha256(value + hashlib.sha256(data).digest()).digest()
		claimed = hashlib.sha256(value).hexdigest()
		print("d['markers'][0]['misfit'] == {'bank': 'sha256', 'pcr': 10, "
		      "'claimed': '%s', 'computed': '%s'}" % (claimed, value.hex()))
	PYTHON
	)"
	# In a bank that is not computed it cannot be seen
	imalog replay --pcrs values --bank sha1 log
	expect_status 0
	# Nothing is compared: the values are computed as if no bank were padded
	imalog replay --print --padding perbank log
	expect_status 1
}

@test "marker: a log that begins with a snapshot goes on from its values" {
	markers 4
	local start=()
	while read -r value; do
		start+=(--start "$value")
	done <values
	markers 4 drop=4 aggregate 3
	imalog replay --pcrs values log
	expect_status 1
	expect_stdout 'Record 1 \(snapshot_aggregate\) says that PCR 10 \(sha1\) was' \
		'In all, 2 values in it do not fit' 'the start of the log may be missing'
	imalog replay "${start[@]}" --pcrs values log
	expect_status 0
	expect_stdout 'record 1 \(snapshot_aggregate\) fit' 'rests on the start value'
}

@test "marker: a malformed one counts for nothing, and is named" {
	markers 5 cut 2
	imalog replay --pcrs values log
	expect_status 0
	expect_stdout 'Record 6 has the name snapshot_aggregate, but is malformed'
	imalog replay --pcrs values --json log
	expect_json "d['markers'] == [{'record': 6, 'name': 'snapshot_aggregate', 'malformed': True}]"
	imalog show --fields record,note log
	expect_stdout '^ *6 malformed marker'
	imalog show --json --from 6 --to 6 log
	expect_json "d['malformed_marker'] is True and 'decoded' not in d"
	markers 2 number=-1 trim=x
	imalog replay --pcrs values log
	expect_status 0
	expect_stdout 'Record 3 has the name trim_ima_event_logs' 'Record 4 has the name trim'
}

@test "marker: what trimming says is missing is missing" {
	# Whole: there is nothing to say
	markers 20 trim=14 3 trim=2 number=14
	imalog replay --pcrs values log
	expect_status 0
	[ "$(wc -l <<<"$output")" = 2 ] || fail 'more than two lines'
	# The trimmed records are not there
	markers 20 drop=14 trim=14 3
	imalog replay --pcrs values log
	expect_status 1
	expect_stdout 'Record 7 \(trim_ima_event_logs\) says that 14 records or more had been' \
		'the log has 6 before it: at least 8 are missing there'
	# Nor those of a second trim; version 4 counts what came before
	markers 20 trim=14 9 trim=10 drop=24 2
	imalog replay --pcrs values --json log
	expect_status 1
	expect_json "[m['trimmed'] for m in d['markers']] == [10]"
	markers 20 number=0 9 number=14 drop=14 2
	imalog replay --pcrs values --json log
	expect_json "[m['trimmed'] for m in d['markers']] == [0, 14]"
	imalog replay --pcrs values log
	expect_status 1
	# It has 16 before the second: nothing is certain
	[[ $output != *'are missing there'* ]] || fail 'that is not certain'
	# Too few records, but they lead to the values: then none is missing
	markers 3 trim=9
	imalog replay --pcrs values log
	expect_status 0
	[[ $output != *missing* ]] || fail 'nothing is missing'
}

@test "marker: show says what they say" {
	markers 2 aggregate trim=12 number=13
	imalog show --fields record,name,note log
	expect_status 0
	expect_stdout \
		'^ *3 snapshot_aggregate  Snapshot_Attempt_Count=7 sha1:0="0707.* sha1:10="[0-9a-f]{40}"' \
		'^ *4 trim_ima_event_logs  time=1764806400000000000 log_trim_this_time=12$' \
		'^ *5 trim_ima_event_logs  time=1764806400000000000 number=13$'
}

# The patches of 2020: the kernel itself appends to a file, in ascii, and forgets.
@test "marker: an ascii list that was exported piece by piece" {
	mklog generate --records 60 --violations 7 --duplicates 5 -o list
	mklog pcrs list >values
	mklog ascii list >ascii
	: >exported
	local from=1 to
	for to in 1 2 19 44 60; do
		sed -n "${from},${to}p" ascii >>exported
		from=$((to + 1))
	done
	imalog replay --pcrs values exported
	expect_status 0
	expect_stdout 'after record 60 of 60'
	imalog convert -t kernel -o again exported
	expect_status 0
	expect_same list again
	# What was appended later than the list went on
	sed -n 45,60p ascii >rest
	sed -n 1,44p ascii >exported
	imalog replay --pcrs values exported rest
	expect_status 0
	# All or nothing: a line that was cut is none of the kernel's
	head -c -20 exported >'cut'
	imalog replay --pcrs values 'cut'
	expect_status 3
}
