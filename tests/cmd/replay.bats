#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog replay: logs of real machines against their TPM values, and logs that are wrong.

load helpers

# A log of 60 records, its values after each of them from mklog.
made_log() {
	mklog generate --records 60 --violations 4 --duplicates 3 "$@" -o log
}

# value_after N [mklog pcrs OPTION...]: sha256:10=HEX after the first N records of log
value_after() {
	local first=$1
	shift
	mklog pcrs --bank sha256 --first "$first" "$@" log
}

# ---- real logs

@test "replay: every captured log matches every bank of its TPM, whatever file it is" {
	local set file count banks
	for set in $RIG_SETS; do
		count=${RECORDS[$set]}
		banks=3
		[ "$set" != nosha1 ] || banks=1
		for file in "$RIG/$set"/binary_runtime_measurements*; do
			imalog replay --json --pcr 10 --pcrs "$RIG/$set/pcrs.yaml" "$file"
			expect_status 0 "$file"
			expect_no_stderr "$file"
			expect_verdict match "d['records'] == $count" "d['matched_at'] == $count" \
				"d['later'] == 0" "d['bad_records'] == []" \
				"verdicts == ['match'] * $banks" \
				"{c['pcr'] for c in d['checks']} == {10}" \
				"{c['matched_at'] for c in d['checks']} == {$count}" \
				"{c['padding'] for c in d['checks']} <= {'perbank'}" \
				"all(d['pcrs'][c['bank']]['10'] == c['expected'] for c in d['checks'])"
		done
	done
}

@test "replay: the algorithm of each per-algorithm list is found and said" {
	local bank
	for bank in sha1 sha256 sha384; do
		imalog replay --json --print "${NG}_$bank"
		expect_status 0
		expect_json "d['logs'] == [{'file': '${NG}_$bank', 'format': 'kernel',
			'byte_order': 'le', 'digest': '$bank', 'proved': True}]"
	done
}

@test "replay: without --pcr, the PCRs that the log extends are compared" {
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_status 0
	expect_verdict match "{(c['bank'], c['pcr']) for c in d['checks']} ==
		{('sha1', 10), ('sha256', 10), ('sha384', 10)}"
}

@test "replay: the keys of the object come in the order of the manual" {
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_json "[k for k in d if k in ('records', 'violations', 'pcrs', 'checks',
		'bad_records', 'verdict')] == ['records', 'violations', 'pcrs', 'checks',
		'bad_records', 'verdict']" \
		"list(d['checks'][0])[:4] == ['bank', 'pcr', 'expected', 'verdict']"
}

@test "replay: violations are counted" {
	imalog replay --json --pcrs "$RIG/violations/pcrs.yaml" \
		"$RIG/violations/binary_runtime_measurements_sha256"
	expect_status 0
	expect_verdict match "d['violations'] == 6"
}

@test "replay: in words, it says that it matches, and where" {
	imalog replay --pcrs "$RIG/ng/pcrs.yaml" --pcr 10 "$NG"
	expect_status 0
	expect_no_stderr
	expect_stdout '45' 'sha256' 'holds'
}

@test "replay: -q says nothing when all is well, -v no less than usual" {
	imalog replay -q --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_status 0
	expect_no_stdout
	expect_no_stderr
	imalog replay --quiet --pcrs "$RIG/names/pcrs.yaml" "$NG"
	expect_status 1
	imalog replay --verbose --pcrs "$RIG/ng/pcrs.yaml" "$NG"
	expect_status 0
	expect_stdout 'holds'
}

@test "replay: --ignore-violations changes nothing" {
	imalog replay --ignore-violations --pcrs "$RIG/violations/pcrs.yaml" \
		"$RIG/violations/binary_runtime_measurements"
	expect_status 0
}

@test "replay: a TPM without sha1 bank: what is asked for and not given is not checked" {
	local log=$RIG/nosha1/binary_runtime_measurements_sha1
	imalog replay --json --bank sha1 --pcrs "$RIG/nosha1/pcrs.yaml" "$log"
	expect_status 4
	expect_verdict not-checked
	imalog replay --json --bank sha1 --bank sha256 --pcrs "$RIG/nosha1/pcrs.yaml" "$log"
	expect_status 4
	expect_verdict not-checked "'match' in verdicts"
}

# ---- several files

@test "replay: staged pieces given in order are one log" {
	local dir=$STAGING/three-stages-and-trim bank
	expectations "$dir/pcr10"
	for bank in sha1 sha256; do
		set -- "$dir"/{stage1,stage2,stage3,trim4,list-at-end}."$bank"
		imalog replay --json "${expect[@]}" "$@"
		expect_status 0
		expect_verdict match "d['records'] == 30" "d['matched_at'] == 30" \
			"[l['file'] for l in d['logs']] == '$*'.split()"
		cat "$@" >joined
		imalog_from joined replay --json "${expect[@]}" -
		expect_status 0
		expect_verdict match "d['records'] == 30" "[l['file'] for l in d['logs']] == ['-']"
		imalog_from "$2" replay --json "${expect[@]}" "$1" - "${@:3}"
		expect_status 0
		expect_verdict match
	done
}

@test "replay: staged pieces in another order, or with one missing, do not match" {
	local dir=$STAGING/three-stages-and-trim
	expectations "$dir/pcr10"
	set -- "$dir"/{stage1,stage2,stage3,trim4,list-at-end}.sha1
	imalog replay --json "${expect[@]}" "$2" "$1" "${@:3}"
	expect_status 1
	expect_verdict mismatch "verdicts == ['mismatch', 'mismatch']" "d['bad_records'] == []"
	imalog replay "${expect[@]}" "$1" "$2" "${@:4}"
	expect_status 1
	imalog replay "${expect[@]}" "${@:2}"
	expect_status 1
}

@test "replay: records staged before a kexec and carried over it" {
	local dir=$STAGING/kexec-with-staged bank
	for bank in sha1 sha256; do
		expectations "$dir/before.pcr10"
		imalog replay --json "${expect[@]}" "$dir"/before-{staged,list}."$bank"
		expect_status 0
		expect_verdict match "d['later'] == 0"
		# What was carried over begins with what was there before
		imalog replay --json "${expect[@]}" "$dir/after-list.$bank"
		expect_status 0
		expect_verdict match "d['matched_at'] + d['later'] == d['records']" \
			"d['later'] > 0"
		expectations "$dir/after.pcr10"
		imalog replay --json "${expect[@]}" "$dir/after-list.$bank"
		expect_status 0
		expect_verdict match "d['later'] == 0" "d['matched_at'] == d['records']"
		imalog replay "${expect[@]}" "$dir"/before-{staged,list}."$bank"
		expect_status 1
	done
}

@test "replay: standard input can be given once" {
	imalog_from "$NG" replay --print - -
	expect_usage_error replay
}

# ---- logs that are wrong

@test "replay: one changed bit in a record's data names the record" {
	local at
	at=$(offset "$NG" 20)
	cp --no-preserve=mode "$NG" log
	flip log "$at + 60"
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" log
	expect_status 1
	expect_verdict mismatch "set(verdicts) == {'mismatch'}" \
		"[(b['record'], b['offset']) for b in d['bad_records']] == [(20, $at)]" \
		"d['bad_records'][0]['reason']" "'matched_at' not in d" \
		"'padding' not in d['checks'][0]"
	imalog replay --pcrs "$RIG/ng/pcrs.yaml" log
	expect_status 1
	expect_stdout '20'
}

@test "replay: one changed bit in a record's digest names the record, all else fits" {
	local bank at
	for bank in sha1 sha384; do
		at=$(offset "${NG}_$bank" 44)
		cp --no-preserve=mode "${NG}_$bank" log
		flip log "$at + 4"
		imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" log
		expect_status 1
		expect_verdict mismatch "set(verdicts) == {'match'}" \
			"[(b['record'], b['offset']) for b in d['bad_records']] == [(44, $at)]"
	done
}

@test "replay: every bad record is listed" {
	made_log --bad 7 --bad 8 --bad 60
	imalog replay --json --print log
	expect_status 1
	expect_json "[b['record'] for b in d['bad_records']] == [7, 8, 60]"
}

@test "replay: two records that changed places" {
	{
		records "$NG" 1 9
		records "$NG" 11 11
		records "$NG" 10 10
		records "$NG" 12 45
	} >log
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" log
	expect_status 1
	expect_verdict mismatch "d['records'] == 45" "d['bad_records'] == []"
}

@test "replay: a log without its first record, without its last, with one twice" {
	local log
	records "$NG" 2 45 >no-first
	records "$NG" 1 44 >no-last
	records "$NG" 1 45 | cat - <(records "$NG" 45 45) >longer
	{
		records "$NG" 1 20
		records "$NG" 20 45
	} >doubled
	for log in no-first no-last doubled; do
		imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" "$log"
		expect_status 1 "$log"
		expect_verdict mismatch "d['bad_records'] == []"
	done
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" longer
	expect_status 0
	expect_verdict match "d['matched_at'] == 45" "d['later'] == 1"
}

@test "replay: a wrong expected value in one bank is enough" {
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" "$NG" \
		--expect "sha512:10=$(zeros 64)"
	expect_status 1
	expect_verdict mismatch "verdicts.count('match') == 3" "verdicts.count('mismatch') == 1"
}

# ---- where it matches

@test "replay: a log longer than the PCR matches, and says what is later" {
	made_log
	imalog replay --json --expect "$(value_after 37)" log
	expect_status 0
	expect_verdict match "d['matched_at'] == 37" "d['later'] == 23" "d['records'] == 60"
	imalog replay --expect "$(value_after 37)" log
	expect_status 0
	expect_stdout '37' '23'
}

@test "replay: --start continues from a known value" {
	local start
	made_log
	start=$(value_after 25)
	records log 26 60 >rest
	imalog replay --json --start "$start" --expect "$(value_after 60)" rest
	expect_status 0
	expect_verdict match "d['matched_at'] == 35" "d['start'] == ['$start']"
	imalog replay --json --expect "$(value_after 60)" rest
	expect_status 1
	expect_verdict mismatch "'start' not in d"
	# The start itself is no match
	imalog replay --json --start "$start" --expect "$start" rest
	expect_status 1
}

@test "replay: several PCRs must hold at one common record" {
	# PCR 10 has the odd records, PCR 11 the even ones
	made_log --pcr 10,11
	sha256() {
		mklog pcrs --bank sha256 --first "$2" log | grep "^sha256:$1="
	}
	imalog replay --json --expect "$(sha256 10 60)" --expect "$(sha256 11 60)" log
	expect_status 0
	expect_verdict match "d['matched_at'] == 60" "len(d['checks']) == 2"
	# After record 20, PCR 10 is as record 19 left it
	imalog replay --json --expect "$(sha256 10 19)" --expect "$(sha256 11 20)" log
	expect_status 0
	expect_verdict match "d['matched_at'] == 20" "d['later'] == 40" \
		"{c['pcr']: c['matched_at'] for c in d['checks']}.keys() == {10, 11}"
	imalog replay --json --expect "$(sha256 10 19)" --expect "$(sha256 11 30)" log
	expect_status 1
	expect_verdict mismatch
	# Each of the two alone would be fine
	imalog replay --expect "$(sha256 10 19)" log
	expect_status 0
	imalog replay --expect "$(sha256 11 30)" log
	expect_status 0
}

@test "replay: banks must hold at one common record, too" {
	made_log
	set -- "$(mklog pcrs --bank sha1 --first 30 log)" "$(mklog pcrs --bank sha1 --first 31 log)"
	imalog replay --expect "$1" --expect "$(value_after 30)" log
	expect_status 0
	imalog replay --expect "$2" --expect "$(value_after 30)" log
	expect_status 1
}

@test "replay: --pcr and --bank limit what is compared" {
	made_log --pcr 10,11
	mklog pcrs --bank sha1 --bank sha256 log >values
	sed 's/\(sha1:11=\)../\1ff/' values >wrong
	imalog replay --json --pcrs wrong log
	expect_status 1
	imalog replay --json --pcrs wrong --pcr 10 log
	expect_status 0
	expect_verdict match "{c['pcr'] for c in d['checks']} == {10}" "len(d['checks']) == 2"
	imalog replay --json --pcrs wrong --bank sha256 log
	expect_status 0
	expect_verdict match "{c['bank'] for c in d['checks']} == {'sha256'}" \
		"list(d['pcrs']) == ['sha256']"
	imalog replay --json --pcrs wrong --bank sha1 --pcr 11 log
	expect_status 1
	expect_json "len(d['checks']) == 1"
}

@test "replay: what is asked for and has no value is not checked" {
	made_log --pcr 10,11
	grep sha256:10= <(mklog pcrs log) >values
	imalog replay --json --pcrs values --pcr 10 --pcr 11 log
	expect_status 4
	expect_verdict not-checked
	imalog replay --json --pcrs values --pcr 12 log
	expect_status 4
	expect_verdict not-checked
	imalog replay --json --pcrs values --bank sha384 log
	expect_status 4
	expect_verdict not-checked
}

@test "replay: a PCR that the log never extends" {
	# PCR 16 is all zeros, PCR 0 and 17 are not
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" --pcr 16 "$NG"
	expect_status 4
	expect_verdict not-checked "set(verdicts) == {'not-checked'}"
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" --pcr 10 --pcr 16 "$NG"
	expect_status 4
	expect_verdict not-checked "set(verdicts) == {'match', 'not-checked'}"
	local pcr
	for pcr in 0 17; do
		imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" --pcr 10 --pcr "$pcr" "$NG"
		expect_status 1
		expect_verdict mismatch
	done
}

@test "replay: an empty log" {
	: >empty
	imalog replay --json empty
	expect_status 4
	expect_verdict not-checked "d['records'] == 0"
	imalog replay --json --expect "sha256:10=$(zeros 32)" empty
	expect_status 4
	expect_verdict not-checked
	imalog replay --json --expect "sha256:10=11$(zeros 31)" empty
	expect_status 1
	expect_verdict mismatch
	set -- "sha256:10=11$(zeros 31)"
	imalog replay --json --start "$1" --expect "$1" empty
	expect_status 4
	expect_verdict not-checked
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" empty "$NG" empty
	expect_status 0
	expect_verdict match "d['matched_at'] == 45"
}

# ---- values

@test "replay: --print prints the values of the four usual banks" {
	local line
	imalog replay --print "$NG"
	expect_status 0
	expect_no_stderr
	mklog pcrs "$NG" >values
	while read -r line; do
		expect_stdout "${line#*=}"
	done <values
	imalog replay --json --print "$NG"
	expect_json "list(d['pcrs']) == ['sha1', 'sha256', 'sha384', 'sha512']" \
		"['%s:10=%s' % (b, p['10']) for b, p in d['pcrs'].items()] ==
			open('values').read().split()" "d['checks'] == []"
}

@test "replay: --print with --bank and --pcr; sm3 has two names" {
	local name
	mklog pcrs --bank sm3 "$NG" >values
	for name in sm3 sm3_256; do
		imalog replay --print --bank "$name" "$NG"
		expect_status 0
		expect_stdout "$(cut -d= -f2 values)"
		imalog replay --expect "$name:10=$(cut -d= -f2 values)" "$NG"
		expect_status 0
	done
	made_log --pcr 10,11,12
	imalog replay --json --print --pcr 11 --pcr 12 --bank sha256 log
	expect_status 0
	expect_json "sorted(d['pcrs']['sha256']) == ['11', '12']"
}

@test "replay: nothing to compare with: the values, a sentence, and exit 4" {
	imalog replay "$NG"
	expect_status 4
	expect_stdout "$(pcr_of "$RIG/ng/pcrs.yaml" sha256 10)"
	expect_stderr '^imalog: .*compare'
	imalog replay --json "$NG"
	expect_status 4
	expect_verdict not-checked "d['checks'] == []"
}

@test "replay: PCR numbers from 0 to 63" {
	mklog generate --records 4 --pcr 0,31,63,8 -o log
	mklog pcrs log >values
	imalog replay --json --pcrs values log
	expect_status 0
	expect_verdict match "{c['pcr'] for c in d['checks']} == {0, 8, 31, 63}"
}
