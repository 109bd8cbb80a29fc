#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog quote-verify: quotes of real machines and their logs, right and wrong.

load helpers
load quote

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	need_quotes
	rig_quote ng quote
}

# ---- real quotes

# Adds the object that was printed to the file all.
collect_proved() {
	expect_status 0 "$*"
	expect_no_stderr "$*"
	printf '%s\n' "$output" >>all
}

# All objects in the file all are proofs of $1 records.
expect_all_proved() {
	output=$(cat all)
	rm all
	expect_json "all(r == dict(checks=dict(signature='ok', key='ok', magic='ok',
		nonce='ok', selection='ok', digest='ok', clock='not-checked', log='ok'),
		covers=$1, records=$1, violations=r['violations'], verdict='ok')
		for r in rows)" "len(rows) >= $2"
}

@test "quote: every captured quote covers its whole log, from every list" {
	local set name list options
	for set in $QUOTE_SETS; do
		for name in $QUOTES; do
			rig_quote "$set" "$name"
			options=()
			[ "$name" != quote-10-11 ] ||
				options=(--eventlog "$RIG/$set/binary_bios_measurements")
			for list in "$RIG/$set"/binary_runtime_measurements*; do
				verify "${options[@]}" "$list"
				collect_proved "$name" "$list"
			done
		done
		expect_all_proved "${RECORDS[$set]}" 12
	done
}

@test "quote: from ascii lists, too" {
	local set
	for set in ng sig violations evmsig; do
		rig_quote "$set" quote-all
		verify "$RIG/$set/ascii_runtime_measurements_sha256"
		collect_proved "$set"
		expect_all_proved "${RECORDS[$set]}" 1
	done
}

@test "quote: PEM keys of TPM keys, and their public areas without a size" {
	local set kind name
	for set in ng nosha1; do
		for kind in rsa ecc; do
			name=quote
			[ $kind = rsa ] || name='quote-ecc'
			rig_quote "$set" "$name"
			quote[5]=$RIG/$set/ak-$kind.pem
			verify "$RIG/$set/binary_runtime_measurements"
			expect_proved "${RECORDS[$set]}" "${RECORDS[$set]}" \
				"d['checks']['key'] == 'not-checked'"
			tail -c +3 "$RIG/$set/ak-$kind.tss" >tpmt
			quote[5]=tpmt
			verify "$RIG/$set/binary_runtime_measurements"
			expect_proved "${RECORDS[$set]}" "${RECORDS[$set]}" \
				"d['checks']['key'] == 'ok'"
		done
	done
}

@test "quote: PCRs that the log does not extend come from PCR files or the event log" {
	local options values
	rig_quote ng quote-10-11
	verify "$NG"
	expect_unchecked digest log
	for options in "--pcrs $RIG/ng/pcrs.yaml" "--pcrs $RIG/ng/quote-10-11.pcrs" \
		"--eventlog $RIG/ng/binary_bios_measurements"; do
		# shellcheck disable=SC2086
		verify $options "$NG"
		expect_proved 45 45
	done
	# One of them wrong, one of them missing
	values_of "$RIG/ng/pcrs.yaml" >values
	sed 's/^\(sha256:3=\)../\1ee/' values >wrong
	verify --pcrs wrong "$NG"
	expect_fails digest log
	grep -v '^sha256:3=' values >missing
	verify --pcrs missing "$NG"
	expect_unchecked digest log
	imalog quote-verify "${quote[@]}" --pcrs missing "$NG"
	expect_status 4
	expect_stdout 'log +not checked .*sha256:3' '--pcrs or --eventlog'
	# Another event log; PCR 11 is not in it, and nobody says that it is as after a reset
	cp --no-preserve=mode "$RIG/ng/binary_bios_measurements" eventlog
	flip eventlog 140
	verify --eventlog eventlog "$NG"
	expect_unchecked digest log
	grep '^sha256:11=' values >eleven
	verify --eventlog eventlog --pcrs eleven "$NG"
	expect_fails digest log
}

@test "quote: a log in pieces, and from standard input" {
	records "$NG" 1 20 >one
	records "$NG" 21 45 >two
	verify one two
	expect_proved 45 45
	run --separate-stderr "$IMALOG" quote-verify --json "${quote[@]}" one - <two
	expect_proved 45 45
	verify two one
	expect_fails digest log
}

@test "quote: without a LOG it is this machine's list" {
	mkdir -p machine/sys/kernel/security/ima
	cp "$NG" machine/sys/kernel/security/ima/
	verify --root machine
	expect_proved 45 45
	verify --root nowhere
	expect_status 4
	expect_stderr 'securityfs'
}

@test "quote: in words" {
	imalog quote-verify "${quote[@]}" "$NG"
	expect_status 0
	expect_no_stderr
	expect_stdout '^signature +ok' '^key +ok +RSA of 2048 bits' '^magic +ok$' '^nonce +ok$' \
		'^selection +ok$' '^digest +ok$' '^clock +not checked +no earlier quote' \
		'^log +ok' '^The quote covers records 1\.\.45 of 45; 0 later\.$'
	[ "$(wc -l <<<"$output")" -eq 9 ] || fail 'nine lines expected'
	imalog quote-verify --verbose "${quote[@]}" "$NG"
	expect_stdout '^log +ok' "^'.*': kernel list, little-endian, digests of sha1"
	rig_quote violations quote
	imalog quote-verify "${quote[@]}" "$RIG/violations/binary_runtime_measurements"
	expect_stdout '^6 of the records are violations\.$'
}

@test "quote: what is wrong and what is missing is said last" {
	imalog quote-verify "${quote[@]:0:6}" "$NG"
	expect_status 4
	expect_stdout '^nonce +not checked +none was given' '1\.\.45 of 45' \
		'^It is not proved; not checked: nonce\.$'
	imalog quote-verify "${quote[@]:0:6}" --nonce 00 "$RIG/sig/binary_runtime_measurements"
	expect_status 1
	expect_stdout '^nonce +FAIL' '^log +FAIL' 'covers none of the 67 records' \
		'^It does not hold: nonce, digest, log\.$'
}

@test "quote: -q says nothing, --print-count nothing else" {
	imalog quote-verify -q "${quote[@]}" "$NG"
	expect_status 0
	expect_no_stdout
	imalog quote-verify --quiet "${quote[@]:0:6}" --nonce 00 "$NG"
	expect_status 1
	expect_no_stdout
	expect_no_stderr
	imalog quote-verify --print-count "${quote[@]}" "$NG"
	expect_status 0
	[ "$output" = 45 ] || fail '45 expected'
	imalog quote-verify --print-count "${quote[@]}" "$RIG/sig/binary_runtime_measurements"
	expect_status 1
	[ "$output" = 0 ] || fail '0 expected'
}

@test "quote: the object has these keys, in this order" {
	verify "$NG"
	expect_json "list(d) == 'checks covers records violations verdict'.split()" \
		"list(d['checks']) == 'signature key magic nonce selection digest clock log'.split()"
}

# ---- logs that are wrong

@test "quote: a longer log is covered up to the quote" {
	rig_quote kexec/before quote
	local log=$RIG/kexec/after/binary_runtime_measurements
	verify "$log"
	expect_proved 53 96
	verify --max-later 43 "$log"
	expect_proved 53 96
	verify --max-later 42 "$log"
	expect_fails log
	expect_json "d['covers'] == 53"
	imalog quote-verify "${quote[@]}" --max-later 0 "$log"
	expect_status 1
	expect_stdout '1\.\.53 of 96; 43 later' '^log +FAIL +43 records are later, more than the 0'
	imalog quote-verify --print-count "${quote[@]}" "$log"
	expect_status 0
	[ "$output" = 53 ] || fail '53 expected'
}

@test "quote: cut logs" {
	local n size list
	for n in 1 20 44; do
		records "$NG" 1 $n >log
		verify log
		expect_fails digest log
		records "$NG" $((n + 1)) 45 >log
		verify log
		expect_fails digest log
	done
	: >log
	verify log
	expect_quote_verdict not-checked "d['checks']['log'] == 'not-checked'" "d['covers'] == 0"
	# In the middle of a record, at every twelfth byte
	size=$(wc -c <"$NG")
	mklog index "$NG" | awk '{ print $2 }' >ends
	for ((n = 7; n < size; n += 60)); do
		! grep -qx "$n" ends || continue
		head -c "$n" "$NG" >log
		verify log
		expect_malformed log "$n bytes"
	done
}

@test "quote: one changed byte, in every part of a record" {
	local at by
	at=$(offset "$NG" 20)
	for by in 4 10 40 60 100; do
		cp --no-preserve=mode "$NG" log
		flip log "$at + $by"
		verify log
		expect_status_not_0 "byte $by"
	done
	# Its data: the digest is computed from them
	expect_fails digest log
	imalog quote-verify "${quote[@]}" log
	expect_stdout '^log +FAIL .*that is that of record 20|^log +FAIL .* record 20$'
	# Its digest alone: the PCRs are right, the record is not
	cp --no-preserve=mode "$NG" log
	flip log "$at + 4"
	verify log
	expect_fails log
	expect_json "d['covers'] == 45"
}

expect_status_not_0() {
	[ "$status" -eq 1 ] || [ "$status" -eq 3 ] || fail "$*: 1 or 3 expected"
}

@test "quote: a record that is wrong and later is found" {
	{
		cat "$NG"
		mklog generate --records 5 --bad 3
	} >log
	verify log
	expect_fails log
	expect_json "d['covers'] == 45" "d['records'] == 50"
	imalog quote-verify "${quote[@]}" log
	expect_stdout '^log +FAIL .* record 48, which is later'
}

@test "quote: records that changed places, that are there twice, that are not there" {
	{
		records "$NG" 1 9
		records "$NG" 11 11
		records "$NG" 10 10
		records "$NG" 12 45
	} >swapped
	records "$NG" 1 20 | cat - <(records "$NG" 20 45) >twice
	records "$NG" 1 20 | cat - <(records "$NG" 22 45) >gone
	local log
	for log in swapped twice gone; do
		verify "$log"
		expect_fails digest log
	done
}

@test "quote: --padding" {
	verify --padding perbank "$NG"
	expect_proved 45 45
	verify --padding sha1 "$NG"
	expect_fails digest log
}

@test "quote: how to read the log can be said" {
	verify -f kernel --byte-order le --digest-size 20 "$NG"
	expect_proved 45 45
	verify --format ascii "$RIG/ng/ascii_runtime_measurements"
	expect_proved 45 45
	verify --define-template 'my-own=d-ng|n-ng|sig' "$NG"
	expect_proved 45 45
	verify --digest-size 32 "$NG"
	expect_status 3
}

# ---- quotes that are wrong

@test "quote: a wrong nonce" {
	quote[7]=${NONCE}00
	verify "$NG"
	expect_fails nonce
	quote[7]=${NONCE:0:38}
	verify "$NG"
	expect_fails nonce
	quote[7]=${NONCE^^}
	verify "$NG"
	expect_proved 45 45
	from_hex <(echo "$NONCE") >nonce
	imalog quote-verify --json "${quote[@]:0:6}" --nonce-file nonce "$NG"
	expect_proved 45 45
	imalog quote-verify --json "${quote[@]:0:6}" --nonce-file "$RIG/ng/nonce.hex" "$NG"
	expect_fails nonce
}

@test "quote: no nonce" {
	quote=("${quote[@]:0:6}")
	verify "$NG"
	expect_unchecked nonce
	verify --no-nonce "$NG"
	expect_proved 45 45 "d['checks']['nonce'] == 'not-checked'"
}

@test "quote: a wrong key" {
	local key
	for key in "$RIG/sig/ak-rsa.tss" "$RIG/sig/ak-rsa.pem" "$RIG/ng/ak-ecc.tss" \
		"$RIG/ng/ak-ecc.pem"; do
		quote[5]=$key
		verify "$NG"
		expect_fails signature
	done
}

@test "quote: a wrong signature" {
	quote[3]=$RIG/ng/quote-all.sig
	verify "$NG"
	expect_fails signature
	quote[3]=$RIG/ng/quote-ecc.sig
	verify "$NG"
	expect_fails signature
}

# damage FILE FIRST COMMAND...: runs the command with FILE cut at every byte, and with
# one bit changed in every byte from FIRST on: 1, 3 or 4, and one line at most
DAMAGE='
import subprocess, sys
name, first, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
whole = open(name, "rb").read()
cases = [("of %d bytes" % n, whole[:n], (3,)) for n in range(len(whole))]
cases += [("changed at %d" % n, whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1:], (1, 3, 4))
          for n in range(first, len(whole))]
for what, data, expected in cases:
    open("damaged", "wb").write(data)
    done = subprocess.run(["damaged" if c == name else c for c in command], capture_output=True)
    if done.returncode not in expected or done.stdout or \
            done.stderr.count(b"\n") != (done.returncode == 3):
        sys.exit("%s %s: %s" % (name, what, done))
'

@test "quote: cut and changed at every byte, it is never accepted and never a crash" {
	rig_quote ng quote-ecc
	quote=(--quote msg --signature sig --key tss --nonce "$NONCE")
	cp "$RIG/ng/quote-ecc.msg" msg
	cp "$RIG/ng/quote-ecc.sig" sig
	cp "$RIG/ng/ak-ecc.tss" tss
	records "$NG" 1 45 >log
	"$PYTHON" -I -c "$DAMAGE" msg 0 "$IMALOG" quote-verify -q "${quote[@]}" log
	"$PYTHON" -I -c "$DAMAGE" sig 0 "$IMALOG" quote-verify -q "${quote[@]}" log
	# What a key may be used for, and its Name, are not signed with it
	"$PYTHON" -I -c "$DAMAGE" tss 22 "$IMALOG" quote-verify -q "${quote[@]}" log
}

# ---- two quotes

@test "quote: --previous, of the same boot" {
	verify --previous "$RIG/ng/quote.msg" "$NG"
	expect_fails clock # it is itself
	rig_quote ng quote-all
	verify --previous "$RIG/ng/quote.msg" "$NG"
	expect_proved 45 45 "d['checks']['clock'] == 'ok'"
	imalog quote-verify "${quote[@]}" --previous "$RIG/ng/quote.msg" "$NG"
	expect_stdout '^clock +ok +466 ms after'
	rig_quote ng quote
	verify --previous "$RIG/ng/quote-all.msg" "$NG"
	expect_fails clock
}

@test "quote: --previous, of another key" {
	verify --previous "$RIG/ng/quote-ecc.msg" "$NG"
	expect_unchecked
	expect_json "d['checks']['clock'] == 'not-checked'"
	imalog quote-verify "${quote[@]}" --previous "$RIG/ng/quote-ecc.msg" "$NG"
	expect_stdout '^clock +not checked .*another key' '^It is not proved; not checked: clock\.$'
	verify --previous "$RIG/ng/quote.sig" "$NG"
	expect_malformed "$RIG/ng/quote.sig"
}

@test "quote: two quotes prove the records between them, over a kexec" {
	local before=$RIG/kexec/before start
	records "$RIG/kexec/after/binary_runtime_measurements" 54 96 >piece
	rig_quote kexec/after quote
	quote+=(--from-quote "$before/quote.msg" --from-signature "$before/quote.sig")
	start=sha256:10=$(pcr_of "$before/pcrs.yaml" sha256 10)
	verify --start "$start" piece
	expect_proved 43 43 "d['checks']['clock'] == 'ok'" \
		"d['first'] == dict(signature='ok', magic='ok', digest='ok', selection='ok')" \
		"list(d) == 'checks first covers records violations verdict'.split()"
	imalog quote-verify "${quote[@]}" --start "$start" piece
	expect_stdout '^first signature +ok' '^first digest +ok' 'records 1\.\.43 of 43; 0 later'
	# Not from another value, nor from one that is not signed
	verify --start "sha256:10=$(zeros 32)" piece
	expect_quote_verdict fail "d['first']['digest'] == 'fail'"
	verify --start "$start" --start "sha1:10=$(pcr_of "$before/pcrs.yaml" sha1 10)" piece
	expect_quote_verdict fail "d['first']['selection'] == 'fail'" "d['first']['digest'] == 'ok'"
	# Not without its first record, nor with one too many
	records piece 2 43 >short
	verify --start "$start" short
	expect_fails digest log
	cat <(records "$RIG/kexec/after/binary_runtime_measurements" 53 53) piece >long
	verify --start "$start" long
	expect_fails digest log
	# The signature of the first counts
	quote[11]=$before/quote-all.sig
	verify --start "$start" piece
	expect_quote_verdict fail "d['first']['signature'] == 'fail'" "'fail' not in d['checks'].values()"
}
