#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog quote-verify: quotes of a live TPM, by tpm2-tools, extended as the kernel does.

load helpers
load swtpm
load quote

setup() {
	local tool
	need_quotes
	cd "$BATS_TEST_TMPDIR" || return
	for tool in tpm2_createprimary tpm2_create tpm2_load tpm2_quote; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

teardown() {
	stop_swtpm tpm
}

ATTRIBUTES='fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'

# Runs a command of tpm2-tools; nobody else frees what it leaves in the TPM.
tpm2() {
	"tpm2_$1" "${@:2}" >tpm2.out 2>tpm2.err || fail "tpm2_$1: $(tail -n 2 tpm2.err)"
	tpm2_flushcontext -t
}

# create_ak NAME ALGORITHM [ATTRIBUTES]: NAME.pub, and NAME.ctx
create_ak() {
	[ -e primary.ctx ] || tpm2 createprimary -Q -C o -G ecc -c primary.ctx
	tpm2 create -Q -C primary.ctx -G "$2:null" -a "${3-$ATTRIBUTES}" -u "$1.pub" -r "$1.priv"
	load_ak "$1"
}

# load_ak NAME: as it was before the TPM was reset
load_ak() {
	tpm2 load -Q -C primary.ctx -u "$1.pub" -r "$1.priv" -c "$1.ctx"
}

# quote_with NAME SELECTION FILE [OPTION...]: FILE.msg, FILE.sig and FILE.pcrs, and the
# array quote
quote_with() {
	tpm2 quote -Q -c "$1.ctx" -l "$2" -q c0ffee -m "$3.msg" -s "$3.sig" -o "$3.pcrs" "${@:4}"
	quote=(--quote "$3.msg" --signature "$3.sig" --key "$1.pub" --nonce c0ffee)
}

@test "live quote: RSASSA and RSAPSS" {
	local scheme
	start_swtpm tpm
	extend_as_kernel "$NG"
	for scheme in rsassa rsapss; do
		create_ak $scheme rsa2048:$scheme-sha256
		quote_with $scheme sha256:10 $scheme --scheme $scheme
		verify "$NG"
		expect_proved 45 45 "d['checks']['key'] == 'ok'"
		quote_with $scheme sha384:10+sha1:10 both --scheme $scheme
		verify "$NG"
		expect_proved 45 45
		# The key prescribes it: a plain signature needs no word about it
		quote_with $scheme sha256:10 plain --scheme $scheme -f plain
		verify "$NG"
		expect_proved 45 45
		tpm2 readpublic -Q -c $scheme.ctx -f pem -o $scheme.pem
		quote[5]=$scheme.pem
		verify "$NG"
		expect_proved 45 45 "d['checks']['key'] == 'not-checked'"
		tpm2 readpublic -Q -c $scheme.ctx -f tpmt -o $scheme.tpmt
		quote[5]=$scheme.tpmt
		verify "$NG"
		expect_proved 45 45 "d['checks']['key'] == 'ok'"
	done
	quote[5]=rsassa.pub
	verify "$NG"
	expect_fails signature
}

@test "live quote: ECDSA on P-256 and P-384" {
	local name hash=sha256
	start_swtpm tpm
	extend_as_kernel "$NG" 1 30
	create_ak p256 ecc256:ecdsa-sha256
	create_ak p384 ecc384:ecdsa-sha384
	for name in p256 p384; do
		# Each signature is another one, and its numbers are short now and then
		for _ in 1 2 3; do
			quote_with $name sha384:10+sha256:10+sha1:10 $name -g $hash
			verify "$NG"
			expect_proved 30 45 "d['checks']['key'] == 'ok'"
		done
		quote_with $name sha1:10 plain -f plain -g $hash
		verify "$NG"
		expect_proved 30 45
		tpm2 readpublic -Q -c $name.ctx -f der -o $name.der
		quote[5]=$name.der
		verify --hash $hash "$NG"
		expect_proved 30 45 "d['checks']['key'] == 'not-checked'"
		hash=sha384
	done
}

@test "live quote: several banks and PCRs in any order, values from tpm2-tools" {
	local select
	start_swtpm tpm
	create_ak ak ecc256:ecdsa-sha256
	extend_as_firmware "$RIG/ng/binary_bios_measurements"
	mklog generate --records 40 --violations 6 --pcr 10,11 -o log
	extend_as_kernel log
	tpm2_pcrread >values
	for select in sha256:0,1,2,3,4,5,6,7,10,11 sha256:11,10,0 sha1:10,11+sha256:0,7 \
		sha384:7,11+sha1:10+sha256:10,23 sha256:10,11,17,18,19,20,21,22; do
		quote_with ak $select q
		verify --eventlog "$RIG/ng/binary_bios_measurements" log
		expect_proved 40 40
		verify --pcrs q.pcrs log
		expect_proved 40 40
		verify --pcrs values log
		expect_proved 40 40
	done
	# PCR 11 is extended by every second record
	quote_with ak sha256:10 q
	verify log
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'"
}

@test "live quote: a TPM without a SHA-1 bank" {
	start_swtpm tpm sha256
	create_ak ak ecc256:ecdsa-sha256
	extend_as_kernel "$RIG/nosha1/binary_runtime_measurements"
	# What is asked for and not there is left out by the TPM
	quote_with ak sha1:10+sha256:10 q
	verify "$RIG/nosha1/binary_runtime_measurements"
	expect_proved 43 43
	verify "$RIG/nosha1/binary_runtime_measurements_sha256"
	expect_proved 43 43
	quote_with ak sha1:10 q
	verify "$RIG/nosha1/binary_runtime_measurements"
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'"
}

@test "live quote: before the first extend, and after somebody else's" {
	start_swtpm tpm
	create_ak ak ecc256:ecdsa-sha256
	quote_with ak sha256:10 q
	verify "$NG"
	expect_quote_verdict fail "d['checks']['log'] == 'fail'" "d['covers'] == 0"
	: >empty
	verify empty
	expect_unchecked selection log
	extend_as_kernel "$NG" 1 20
	tpm2_pcrextend "10:sha256=$(printf '%064d' 1)"
	extend_as_kernel "$NG" 21
	quote_with ak sha256:10 q
	verify "$NG"
	expect_fails digest log
	quote_with ak sha1:10 q
	verify "$NG"
	expect_proved 45 45
}

@test "live quote: extends between two quotes, which prove what lies between" {
	local start
	start_swtpm tpm
	create_ak ak ecc256:ecdsa-sha256
	create_ak other ecc256:ecdsa-sha256
	extend_as_kernel "$NG" 1 12
	quote_with ak sha256:10 first
	quote_with other sha256:10 others
	quote_with ak sha256:11,12 elsewhere
	start=$(mklog pcrs --bank sha256 --first 12 "$NG")
	extend_as_kernel "$NG" 13 40
	quote_with ak sha256:10 q
	verify --previous first.msg "$NG"
	expect_proved 40 45 "d['checks']['clock'] == 'ok'"
	verify --previous others.msg "$NG"
	expect_quote_verdict not-checked "d['checks']['clock'] == 'not-checked'"
	records "$NG" 13 45 >piece
	verify --from-quote first.msg --from-signature first.sig --start "$start" piece
	expect_proved 28 33 "d['checks']['clock'] == 'ok'" \
		"set(d['first'].values()) == {'ok'}"
	verify --from-quote first.msg --from-signature first.sig --start "$start" "$NG"
	expect_fails digest log
	# Of another key, of other PCRs
	verify --from-quote others.msg --from-signature others.sig --start "$start" piece
	expect_quote_verdict fail "d['first']['signature'] == 'fail'"
	verify --from-quote elsewhere.msg --from-signature elsewhere.sig --start "$start" piece
	expect_quote_verdict fail "d['first']['selection'] == 'fail'" "d['first']['digest'] == 'ok'"
}

@test "live quote: a reset between two quotes" {
	local start
	start_swtpm tpm
	create_ak ak ecc256:ecdsa-sha256
	extend_as_kernel "$NG" 1 12
	quote_with ak sha256:10 first
	start=$(mklog pcrs --bank sha256 --first 12 "$NG")
	stop_swtpm tpm
	start_swtpm tpm
	rm primary.ctx
	tpm2 createprimary -Q -C o -G ecc -c primary.ctx
	load_ak ak
	# After it the same records are extended, so that all else fits
	extend_as_kernel "$NG"
	quote_with ak sha256:10 q
	verify "$NG"
	expect_proved 45 45
	verify --previous first.msg "$NG"
	expect_fails clock
	imalog quote-verify "${quote[@]}" --previous first.msg "$NG"
	expect_stdout '^clock +FAIL .*was reset'
	records "$NG" 13 45 >piece
	verify --from-quote first.msg --from-signature first.sig --start "$start" piece
	expect_fails clock
}

@test "live quote: by a key that signs anything, and by a TPM that says so" {
	start_swtpm tpm
	extend_as_kernel "$NG"
	create_ak free ecc256:ecdsa-sha256 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'
	quote_with free sha256:10 q
	verify "$NG"
	expect_fails key
	# It signs what it is given: a quote that no TPM has made
	values_of "$RIG/sig/pcrs.yaml" 10 >values
	mkquote attest forged --values values --select sha256:10
	tpm2 sign -Q -c free.ctx -g sha256 -s ecdsa -o forged.sig forged.msg
	quote=(--quote forged.msg --signature forged.sig --key free.pub --nonce c0ffee)
	verify "$RIG/sig/binary_runtime_measurements"
	expect_fails key
	# A restricted key refuses to
	create_ak ak ecc256:ecdsa-sha256
	run tpm2_sign -Q -c ak.ctx -g sha256 -s ecdsa -o refused.sig forged.msg
	[ "$status" -ne 0 ] || fail 'a restricted key has signed a forged quote'
}
