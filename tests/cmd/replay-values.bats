#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog replay: where expected values come from.

load helpers

SHA1=4a3d8542d8220f66ed8ca0daf7482b1bda3b5af6
SHA256=6eaffc5c5c8f1626f1be089c2a52860122382af0e734185ad4d1a643558e47a8
YAML=$RIG/ng/pcrs.yaml

# given BANKS OPTION...: replay of the ng log compares PCR 10 of these banks, no other
given() {
	local banks=$1
	shift
	imalog replay --json "$@" "$NG"
	expect_status 0 "$*"
	expect_verdict match "d['matched_at'] == 45" \
		"['%s:%d' % (c['bank'], c['pcr']) for c in d['checks']] ==
			[b + ':10' for b in '$banks'.split()]"
}

# refused FILE LINE OPTION...: exit 3, and standard error names both
refused() {
	local file=$1 line=$2
	shift 2
	imalog replay --print "$@" "$NG"
	expect_status 3 "$*"
	expect_no_stdout
	expect_stderr "^imalog: .*$file" "${line:+(line |:)$line(:|\$| )}"
}

@test "values: --expect, once for each value, hex in either case" {
	given sha1 --expect "sha1:10=$SHA1"
	given 'sha1 sha256' --expect "sha256:10=${SHA256^^}" --expect "sha1:10=$SHA1"
}

@test "values: --expect and --start that are not ALG:PCR=HEX" {
	local bad option
	for option in --expect --start; do
		for bad in '' sha256 "sha256:10" "sha256:10=" "sha256=$SHA256" "md5:10=$SHA1" \
			"sha256:10=${SHA256}0" "sha256:10=${SHA256}00" "sha256:10=$SHA1" \
			"sha256:10=x${SHA256#6}" "sha256:-1=$SHA256" "sha256:64=$SHA256" \
			"sha256:x=$SHA256" "sha256:4294967306=$SHA256" "sha256:=$SHA256"; do
			imalog replay "$option" "$bad" "$NG"
			expect_usage_error replay
		done
	done
}

@test "values: two different ones for the same PCR are an error, the same twice is not" {
	imalog replay --expect "sha1:10=$SHA1" --expect "sha1:10=$(zeros 20)" "$NG"
	expect_usage_error replay
	given sha1 --expect "sha1:10=$SHA1" --expect "sha1:10=$SHA1"
}

@test "values: lines of evmctl and of the old sysfs file" {
	printf 'PCR-09: %s\nPCR-10: %s\n' "$(zeros 20)" "$SHA1" >blank
	printf 'PCR-10:%s\n' "${SHA1^^}" >tight
	printf 'PCR-10: %s\n' "$(sed 's/../& /g' <<<"$SHA1")" >spaced
	local file
	for file in blank tight spaced; do
		given sha1 --pcrs "$file"
		given sha1 --pcrs "sha1,$file"
	done
	printf 'PCR-10: %s\n' "$SHA256" >blank
	given sha256 --pcrs sha256,blank
	given 'sha1 sha256' --pcrs tight --pcrs sha256,blank
}

@test "values: evmctl lines of more than 20 bytes need their algorithm" {
	printf 'PCR-10: %s\n' "$SHA256" >lines
	refused lines 1 --pcrs lines
	refused lines 1 --pcrs sha1,lines
	refused lines 1 --pcrs sha384,lines
}

@test "values: the same PCR file that evmctl reads" {
	command -v evmctl >/dev/null || skip 'evmctl is not installed'
	local i
	for i in 0 1 2 3 4 5 6 7 8 9 10; do
		printf 'PCR-%02d: %s\n' "$i" "$(pcr_of "$YAML" sha256 "$i")" >&3
		printf 'PCR-%02d: %s\n' "$i" "$(pcr_of "$YAML" sha1 "$i")" >&4
	done 3>sha256 4>sha1
	run evmctl ima_measurement --pcrs sha1,sha1 --pcrs sha256,sha256 "$NG"
	expect_status 0
	given 'sha1 sha256' --pcrs sha1,sha1 --pcrs sha256,sha256
}

@test "values: lines ALG:PCR=HEX" {
	values_of "$YAML" >values
	given 'sha1 sha256 sha384' --pcrs values
	printf 'sha256:10=%s' "$SHA256" >no-newline
	given sha256 --pcrs no-newline
	printf 'sha256:10=%s\r\n' "$SHA256" >dos
	imalog replay --pcrs dos "$NG"
	[ "$status" -ne 1 ] || fail 'a carriage return became part of the value'
}

@test "values: the kernel's sysfs files and directories" {
	local i
	mkdir -p tpm0/pcr-sha256 tpm0/pcr-sha1
	for ((i = 0; i < 24; i++)); do
		pcr_of "$YAML" sha256 "$i" | tr a-f A-F >"tpm0/pcr-sha256/$i"
		pcr_of "$YAML" sha1 "$i" | tr a-f A-F >"tpm0/pcr-sha1/$i"
	done
	given sha256 --pcrs tpm0/pcr-sha256/10
	given sha256 --pcrs tpm0/pcr-sha256
	given sha256 --pcrs tpm0/pcr-sha256/
	given 'sha1 sha256' --pcrs tpm0/pcr-sha256 --pcrs tpm0/pcr-sha1
	echo zz >tpm0/pcr-sha1/3
	refused pcr-sha1/3 '' --pcrs tpm0/pcr-sha1
	mkdir pcr-md4 pcr-sha512 other
	imalog replay --pcrs other "$NG"
	[ "$status" -ge 2 ] || fail 'a directory that is not one of PCR values was read'
	imalog replay --pcrs pcr-sha512 "$NG"
	[ "$status" -ge 2 ] || fail 'an empty directory was taken for PCR values'
}

@test "values: the YAML of tpm2_pcrread" {
	given 'sha1 sha256 sha384' --pcrs "$YAML"
	printf 'sha256:\n  10: 0x%s\n' "$SHA256" >short
	given sha256 --pcrs short
	# A bank that is there without values, as tpm2_pcrread prints those not allocated
	printf '  sha1:\n  sha256:\n    10: 0x%s\n' "$SHA256" >empty-bank
	given sha256 --pcrs empty-bank
	given sha256 --pcrs "$RIG/ng/pcrs.yaml" --bank sha256
}

@test "values: the binary file of tpm2_quote -o" {
	given sha256 --pcrs "$RIG/ng/quote.pcrs"
	given sha256 --pcrs "$RIG/ng/quote-ecc.pcrs"
	given 'sha1 sha256 sha384' --pcrs "$RIG/ng/quote-all.pcrs"
	# This one has 0-7, 10 and 11, in two lists of digests
	given sha256 --pcrs "$RIG/ng/quote-10-11.pcrs"
	imalog replay --json --pcr 10 --pcr 11 --pcrs "$RIG/ng/quote-10-11.pcrs" "$NG"
	expect_json "len(d['checks']) == 2"
	imalog replay --json --pcr 7 --pcrs "$RIG/ng/quote-10-11.pcrs" "$NG"
	expect_status 1
	expect_json "d['checks'][0]['expected'] == '$(pcr_of "$YAML" sha256 7)'"
	local set
	for set in $RIG_SETS; do
		imalog replay --pcrs "$RIG/$set/quote-all.pcrs" \
			"$RIG/$set/binary_runtime_measurements"
		expect_status 0 "$set"
	done
}

@test "values: the raw file of tpm2_pcrread -o, with its selection" {
	local hex
	hex=$(for pcr in 0 1 10; do pcr_of "$YAML" sha256 "$pcr"; done)$SHA1
	from_hex <(echo "$hex") >raw
	given 'sha1 sha256' --pcrs sha256:0,1,10+sha1:10,raw
	from_hex <(echo "$SHA256") >raw
	given sha256 --pcrs sha256:10,raw
	refused raw '' --pcrs sha256:10,11,raw
	refused raw '' --pcrs sha384:10,raw
	refused raw '' --pcrs sha1:10,raw
	local selection
	for selection in sha256: sha256:x sha256:64 md5:10 sha256:10+ +sha256:10; do
		imalog replay --pcrs "$selection,raw" "$NG"
		[ "$status" -ge 2 ] || fail "the selection '$selection' was accepted"
	done
}

@test "values: many files add up" {
	given 'sha1 sha256' --pcrs "$RIG/ng/quote.pcrs" --expect "sha1:10=$SHA1"
	# They must not contradict each other
	imalog replay --pcrs "$YAML" --expect "sha1:10=$(zeros 20)" "$NG"
	expect_status 1
	expect_stderr 'contradicts itself: .* PCR 10 of bank sha1'
	imalog replay --pcrs "$YAML" --pcrs "$RIG/names/pcrs.yaml" "$NG"
	[ "$status" -ge 1 ] || fail 'contradicting files were accepted'
}

@test "values: malformed files are named with their line" {
	local good="sha1:10=$SHA1"
	printf '%s\nsha256:10=xyz\n' "$good" >file
	refused file 2 --pcrs file
	printf '%s\n\nnonsense\n' "$good" >file
	refused file 3 --pcrs file
	printf '%s\nsha256:10=%s00\n' "$good" "$SHA256" >file
	refused file 2 --pcrs file
	printf 'sha256:64=%s\n' "$SHA256" >file
	refused file 1 --pcrs file
	printf 'PCR-10: %s\nPCR-11: %s\n' "$SHA1" "${SHA1%?}" >file
	refused file 2 --pcrs file
	printf 'PCR-xx: %s\n' "$SHA1" >file
	refused file 1 --pcrs file
	sed '5s/0x/0y/' "$YAML" >file
	refused file 5 --pcrs file
	sed '30s/.$//' "$YAML" >file
	refused file 30 --pcrs file
	printf '%s\nsha1:10=%s\n' "$good" "$(zeros 20)" >file
	refused file 2 --pcrs file
}

@test "values: files without a value" {
	: >file
	refused file '' --pcrs file
	printf '\n\n' >file
	refused file '' --pcrs file
	printf '  sha1:\n  sha256:\n' >file
	refused file '' --pcrs file
}

@test "values: binary files, cut or changed" {
	local size
	cp --no-preserve=mode "$RIG/ng/quote-10-11.pcrs" whole
	for size in 1 4 100 131 135 136 137 500 668 1199; do
		head -c "$size" whole >file
		refused file '' --pcrs file
	done
	{ cat whole; printf x; } >file
	refused file '' --pcrs file
	# The number of banks, of digest lists, of digests, and a size: all far too large
	local at
	for at in 0 132 136 140; do
		cp --no-preserve=mode whole file
		poke file "$at" 'ff ff'
		refused file '' --pcrs file
	done
	head -c 3000 "$IMALOG" >file
	refused file '' --pcrs file
}

@test "values: files that are not there" {
	imalog replay --pcrs missing "$NG"
	expect_status 4
	expect_stderr "missing.*No such file"
	imalog replay --pcrs sha256,missing "$NG"
	expect_status 4
}

@test "values: a start value that nothing is computed from is no proof" {
	local start
	mklog pcrs --bank sha256 "$NG" >expected
	for start in "sha256:11=$(zeros 32)" "sha1:10=$(zeros 20)"; do
		imalog replay --pcrs expected --start "$start" "$NG"
		expect_status 4 "$start"
		expect_stdout "^The start value of ${start%%=*} was not used: "
		imalog replay --json --pcrs expected --start "$start" "$NG"
		expect_json "d['unused_start'] == ['${start%%=*}']"
		imalog merge --pcrs expected --start "$start" "$NG"
		expect_status 4 "$start"
	done
	imalog replay --print --start "sha256:11=$(zeros 32)" "$NG"
	expect_status 4
	expect_stderr 'the start value of sha256:11 was not used'
	imalog replay --pcrs expected --start "sha256:10=$(zeros 32)" "$NG"
	expect_status 0
}
