#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog quote-verify: quotes made here, signed by openssl, as no TPM would make them.

load helpers
load quote

setup_file() {
	make_keys
}

setup() {
	need_openssl
	cd "$BATS_TEST_TMPDIR" || return
	cp "$KEYS/log" "$KEYS/values" .
	USUAL=(--values values --select sha256:10)
}

# made_of SELECTION...: makes the quote q of these
made_of() {
	made q --values values "${@/#/--select=}"
}

# ---- what a TPM signs

@test "made quote: every scheme and hash; the digest is of that hash" {
	local key scheme hash
	while read -r key scheme hash; do
		mkquote attest q "${USUAL[@]}" --hash "$hash"
		sign q "$KEYS/$key" "$scheme" "$hash"
		verify log
		expect_proved 12 12
		imalog quote-verify "${quote[@]}" log
		expect_stdout "^signature +ok +$scheme with $hash$"
	done <<-'END'
		rsa rsassa sha256
		rsa rsassa sha512
		rsa rsapss sha256
		rsa rsapss sha384
		p256 ecdsa sha256
		p256 ecdsa sha512
		p384 ecdsa sha384
	END
}

@test "made quote: a signature with SHA-1 proves nothing" {
	mkquote attest q "${USUAL[@]}" --hash sha1
	sign q "$KEYS/rsa" rsassa sha1
	verify log
	expect_fails signature
	imalog quote-verify --json "${quote[@]:0:2}" --signature q.plain --hash sha1 \
		"${quote[@]:4}" log
	expect_fails signature
}

@test "made quote: several banks and PCRs in any order, each bank twice" {
	local select
	mklog generate --records 30 --pcr 10,11,23 --violations 3 -o several
	mklog pcrs several >values
	for select in sha256:10,11,23 sha256:23,10,11 'sha384:10 sha1:10,23 sha256:11' \
		'sha256:23 sha1:11 sha256:10 sha1:0,1' 'sha512/4:23,11,10' \
		'sha1:11,10,23 sha256:11,10,23 sha384:11,10,23 sha512:11,10,23'; do
		# shellcheck disable=SC2086
		made_of $select
		verify several
		expect_proved 30 30 "d['violations'] == 3"
	done
}

@test "made quote: selections of 1 to 4 bytes, PCR 31, empty ones" {
	local select
	mklog generate --records 8 --pcr 7,31 -o log31
	mklog pcrs log31 >values
	made q --values values --select sha256/1:7 --select sha1/4:31
	verify log31
	expect_proved 8 8
	for select in 'sha256/2:10' 'sha256/3:10' 'sha256/4:10' 'sha1/3: sha256:10 sha384/1:' \
		'0x99: sha256:10'; do
		mklog pcrs log >values
		# shellcheck disable=SC2086
		made_of $select
		verify log
		expect_proved 12 12
	done
}

@test "made quote: more than eight PCRs" {
	local pcr
	for pcr in {0..23}; do
		[ "$pcr" -eq 10 ] || printf 'sha256:%d=%064x\n' "$pcr" "$((pcr + 1))"
	done >others
	cat others >>values
	made q --values values --select "$(seq -s, 0 23 | sed 's/^/sha256:/')"
	verify --pcrs others log
	expect_proved 12 12
	# Each of them counts
	for pcr in 0 9 17 23; do
		sed "s/^\(sha256:$pcr=\)0/\1f/" others >wrong
		verify --pcrs wrong log
		expect_fails digest log
	done
}

@test "made quote: banks that were extended with padded SHA-1 digests" {
	mklog generate --records 12 --violations 2 -o log
	local padding
	for padding in sha1 sha1-short; do
		mklog pcrs --bank sha256 --padding $padding log >values
		made q "${USUAL[@]}"
		verify log
		expect_proved 12 12
		imalog quote-verify "${quote[@]}" log
		expect_stdout '^Bank sha256 was extended with SHA-1 digests .* no stronger than SHA-1'
		verify --padding perbank log
		expect_fails digest log
		verify --padding sha1 log
		expect_proved 12 12
	done
	mklog pcrs --bank sha1 log >values
	made q --values values --select sha1:10 --select sha256:0
	imalog quote-verify "${quote[@]}" log
	expect_status 0
	expect_stdout '^Only SHA-1 values were signed'
}

# ---- the structure

@test "made quote: not made by a TPM" {
	local magic
	for magic in 0xff544346 0x544347ff 0 0xffffffff; do
		made q "${USUAL[@]}" --magic $magic
		verify log
		expect_fails magic
	done
	imalog quote-verify "${quote[@]}" log
	expect_stdout '^magic +FAIL .*0xffffffff, not made by a TPM' 'does not hold: magic'
	# Nothing at all
	made q "${USUAL[@]}" --magic 0 --type 0
	verify log
	expect_malformed q.msg
}

@test "made quote: other attestations: of certify, time, creation, audits, NV" {
	local type
	for type in 0x8014 0x8017 0x8019 0x801a 0x801c; do
		made q "${USUAL[@]}" --type $type
		verify log
		expect_fails magic
		expect_json "all(d['checks'][c] == 'not-checked'
			for c in ('nonce', 'selection', 'digest', 'log'))"
	done
	imalog quote-verify "${quote[@]}" log
	expect_stdout '^magic +FAIL .*type 0x801c.*not a quote'
	made q "${USUAL[@]}" --type 0x8018
	verify log
	expect_proved 12 12
}

@test "made quote: trailing bytes, sizes that lie, signed as they are" {
	local n wrong
	mkquote attest good "${USUAL[@]}"
	# name, nonce, selections, bitmap, pcrDigest
	set -- 6 42 72 78 82
	for n; do
		for wrong in 00 ff; do
			cp good.msg q.msg
			poke q.msg $((n + 1)) $wrong
			! cmp -s q.msg good.msg || continue
			sign q "$KEYS/rsa" rsassa sha256
			verify log
			[[ $status == [14] ]] || expect_malformed q.msg "$wrong at $n"
		done
	done
	for n in 1 2 100; do
		{
			cat good.msg
			head -c $n /dev/zero
		} >q.msg
		sign q "$KEYS/rsa" rsassa sha256
		verify log
		expect_malformed q.msg "$n trailing bytes"
	done
	for n in 0 2 17 4000000000; do
		made q "${USUAL[@]}" --count $n
		verify log
		expect_malformed q.msg "count $n"
	done
	for n in sha256/0: sha256/5:10 sha256/255:10; do
		made q --values values --select $n
		verify log
		expect_malformed q.msg "$n"
	done
	made q "${USUAL[@]}" --safe 2
	verify log
	expect_malformed q.msg
	head -c 5000 /dev/zero | cat good.msg - >q.msg
	verify log
	expect_malformed q.msg
}

@test "made quote: with a size before it (TPM2B), what is in it is signed" {
	made q "${USUAL[@]}"
	mkquote sized <q.msg >sized.msg
	mkquote sized <q.sig >sized.sig
	mkquote sized <"$KEYS/rsa.pub" >sized.pub
	imalog quote-verify --json --quote sized.msg --signature sized.sig --key sized.pub \
		--nonce c0ffee log
	expect_proved 12 12 "d['checks']['key'] == 'ok'"
	# Signed with its size it is another structure
	cp sized.msg q.msg
	sign q "$KEYS/rsa" rsassa sha256
	verify log
	expect_fails signature
	# A size that lies
	cp sized.msg longer.msg
	printf '\0' >>longer.msg
	quote[1]=longer.msg
	verify log
	expect_malformed longer.msg
}

# ---- what it says of PCRs

@test "made quote: the PCR that the log extends is not signed" {
	printf 'sha256:%d=%064d\n' 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 >>values
	made q --values values --select sha256:0,1,2,3,4,5,6,7
	verify log
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'" "d['covers'] == 0"
	# Nor does it help to give its value, or more values than are signed
	verify --pcrs values log
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'" "d['covers'] == 0" \
		"d['checks']['digest'] == 'ok'" "d['checks']['log'] == 'not-checked'"
	made q --values values --select sha256:10
	verify --pcrs values log
	expect_proved 12 12
	# One of two, and none at all
	mklog generate --records 12 --pcr 10,11 -o two
	mklog pcrs two >values
	made q --values values --select sha256:10
	verify two
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'"
	imalog quote-verify "${quote[@]}" two
	expect_stdout '^selection +FAIL .*PCR 11'
	made q --values values --select sha256:
	verify log
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'"
	made q --values values
	verify log
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'"
}

@test "made quote: a value that is given is not taken for that of a record" {
	made q "${USUAL[@]}"
	head -c 0 log >empty
	verify --pcrs values empty
	expect_unchecked selection log
	records log 1 11 >short
	verify --pcrs values short
	expect_quote_verdict fail "d['checks']['log'] == 'fail'" "d['covers'] == 0"
}

@test "made quote: a PCR that was never extended, with and without records" {
	: >empty
	made q --select sha256:10
	verify empty
	expect_unchecked selection log
	verify log
	expect_quote_verdict fail "d['checks']['log'] == 'fail'" "d['covers'] == 0"
	made q "${USUAL[@]}"
	verify empty
	expect_unchecked selection digest log
}

@test "made quote: a digest of another hash than the signature's, or cut short" {
	made q "${USUAL[@]}" --hash sha384
	verify log
	expect_fails digest log
	made q "${USUAL[@]}" --hash sha1
	verify log
	expect_fails digest log
	made q "${USUAL[@]}" --digest ''
	verify log
	expect_fails digest log
	made q "${USUAL[@]}" --digest 00
	verify log
	expect_fails digest log
}

@test "made quote: a bank that is not known" {
	made q --values values --select sha256:10 --select 0x99:10
	verify log
	expect_unchecked digest log
	imalog quote-verify "${quote[@]}" log
	expect_stdout 'bank .*not known'
}

# ---- the nonce

@test "made quote: the quote of a TPM that was given no nonce" {
	made q "${USUAL[@]}" --nonce ''
	verify log
	expect_fails nonce
	imalog quote-verify "${quote[@]}" log
	expect_stdout '^nonce +FAIL .*without one'
	quote=("${quote[@]:0:6}")
	verify log
	expect_unchecked nonce
	verify --no-nonce log
	expect_proved 12 12
	: >nothing
	imalog quote-verify "${quote[@]}" --nonce-file nothing log
	expect_usage_error quote-verify
}

@test "made quote: a nonce that only begins alike, or is longer than any" {
	made q "${USUAL[@]}" --nonce c0ffee00
	verify log
	expect_fails nonce
	quote[7]=$(zeros 65)
	verify log
	expect_fails nonce
	made q "${USUAL[@]}" --nonce "$(zeros 64)"
	quote[7]=$(zeros 64)
	verify log
	expect_proved 12 12
	made q "${USUAL[@]}" --nonce "$(zeros 65)"
	verify log
	expect_malformed q.msg
}

# ---- against an earlier quote

@test "made quote: the clock and the counters" {
	local options
	made q "${USUAL[@]}"
	mkquote attest before
	verify --previous before.msg log
	expect_fails clock
	for options in '--clock 999' '--clock 0 --safe 0'; do
		# shellcheck disable=SC2086
		mkquote attest before $options
		verify --previous before.msg log
		expect_proved 12 12 "d['checks']['clock'] == 'ok'"
	done
	for options in '--clock 1001' '--clock 5 --resets 6' '--clock 5 --resets 8' \
		'--clock 5 --restarts 2' '--clock 5 --restarts 4' '--clock 5 --firmware 1' \
		'--clock 5 --resets 4294967295'; do
		# shellcheck disable=SC2086
		mkquote attest before $options
		verify --previous before.msg log
		expect_fails clock
	done
	mkquote attest before --clock 5 --signer "000b$(zeros 32)"
	verify --previous before.msg log
	expect_quote_verdict not-checked "d['checks']['clock'] == 'not-checked'"
	for options in '--type 0x8017' '--magic 1'; do
		# shellcheck disable=SC2086
		mkquote attest before --clock 5 $options
		verify --previous before.msg log
		expect_quote_verdict not-checked "d['checks']['clock'] == 'not-checked'"
	done
}

# first OPTION...: the first of two quotes, the second covers records 9 to 12
first() {
	made first --clock 5 "$@"
	made q "${USUAL[@]}"
	quote+=(--from-quote first.msg --from-signature first.sig)
}

@test "made quote: the first of two quotes" {
	local wrong start
	records log 9 12 >piece
	mklog pcrs --bank sha256 --first 8 log >start
	start=$(cat start)
	first --values start --select sha256:10
	verify --start "$start" piece
	expect_proved 4 4
	imalog quote-verify --json "${quote[@]:0:6}" "${quote[@]:8}" --start "$start" piece
	expect_unchecked nonce
	verify --start "$start" --max-later 0 log
	expect_fails digest log
	# It says nothing of the start
	for wrong in sha256:0 sha1:10 sha256:11,12 sha384:10; do
		first --values start --select $wrong
		verify --start "$start" piece
		expect_quote_verdict fail "d['first']['selection'] == 'fail'" \
			"'fail' not in d['checks'].values()"
	done
	imalog quote-verify "${quote[@]}" --start "$start" piece
	expect_status 1
	expect_stdout '^first selection +FAIL .*sha256:10, which the first quote does not sign'
	# Nor of another PCR that the log goes on with
	{
		cat piece
		mklog generate --records 2 --pcr 11
	} >both
	mklog pcrs --start "$start" both >values
	first --values start --select sha256:10
	made q --values values --select sha256:10,11
	quote+=(--from-quote first.msg --from-signature first.sig)
	verify --start "$start" both
	expect_quote_verdict fail "d['first']['selection'] == 'fail'"
	mklog pcrs log >values
	# It is no quote, of another moment of the TPM's life, or not signed by this key
	first --values start --select sha256:10 --type 0x8017
	verify --start "$start" piece
	expect_quote_verdict fail "d['first']['magic'] == 'fail'"
	first --values start --select sha256:10 --resets 6
	verify --start "$start" piece
	expect_fails clock
	first --values start --select sha256:10 --signer "000b$(zeros 32)"
	verify --start "$start" piece
	expect_quote_verdict not-checked "d['checks']['clock'] == 'not-checked'"
	first --values start --select sha256:10
	sign first "$KEYS/p256" ecdsa sha256
	made q "${USUAL[@]}"
	verify --from-quote first.msg --from-signature first.sig --start "$start" piece
	expect_quote_verdict fail "d['first']['signature'] == 'fail'"
}

# ---- options

@test "made quote: --hash of a TPMT_SIGNATURE must be its own" {
	made_of sha256:10
	verify --hash sha256 log
	expect_proved 12 12
	verify --hash sha384 log
	expect_fails signature
	imalog quote-verify "${quote[@]}" --hash sha384 log
	expect_stdout '^signature +FAIL +its hash is not the one that was asked for$'
}

@test "made quote: over content that no rule checks, with --allow-opaque alone" {
	local merge=(imalog merge --json one)
	cp "$RIG/ng/binary_bios_measurements" bios
	cp "$NG" ima
	values_of "$RIG/ng/pcrs.yaml" >values
	made_of sha256:0,1,2,3,4,5,6,7,10
	verify bios ima
	expect_unchecked log
	verify --allow-opaque bios ima
	expect_proved 60 60 "d['unchecked'] == 14"
	imalog quote-verify "${quote[@]}" --allow-opaque bios ima
	expect_stdout '^Of the covered records 14 have content that no rule checks\.$'
	# a bank of which these records have no digest proves nothing all the same
	made_of sha384:0,1,2,3,4,5,6,7,10
	verify --allow-opaque bios ima
	expect_proved 60 60
	imalog_to less convert -t cel-json bios
	sed -i 's/,{"hashAlg":"sha384","digest":"[0-9a-f]*"}//' less
	verify --allow-opaque less ima
	expect_status 4
	# merge takes the same option
	imalog_to one convert -t cel-tlv bios ima
	made_of sha256:0,1,2,3,4,5,6,7,10
	"${merge[@]}" "${quote[@]}"
	expect_status 4
	"${merge[@]}" "${quote[@]}" --allow-opaque
	expect_status 0
	expect_json "d['result'] == 'proved'" "d['quote']['unchecked'] == 14"
	"${merge[@]}" --pcrs values
	expect_status 4
	"${merge[@]}" --pcrs values --allow-opaque
	expect_status 0
	expect_json "d['result'] == 'proved'"
}

@test "made quote: a merge says of a later record what is wrong with it, or nothing" {
	records "$NG" 1 20 >front
	mklog pcrs --bank sha256 front >values
	made_of sha256:10
	# Content that no rule checks behind what the quote covers does not make it worse.
	echo '{"pcr":11,"content_type":"systemd","content":"00","digests":[{"hashAlg":"sha256","digest":"'"$(zeros 32)"'"}]}' >later
	imalog_to both convert -t cel-json-seq front later
	imalog merge --json both "${quote[@]}"
	expect_status 0
	verify both
	expect_status 0
	# A digest that does not fit is there, whatever is opaque before it.
	imalog_to rest convert -t cel-json-seq <(records "$NG" 21 22)
	sed 's/\("digest":"\)../\1ff/' rest >bad
	imalog_to worse convert -t cel-json-seq both bad
	verify worse
	expect_fails log
	imalog merge --json worse "${quote[@]}"
	expect_status 1
	expect_json "d['result'] == 'broken'" \
		"[p['kind'] for p in d['problems']] == ['other', 'edited', 'edited']"
}
