#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog quote-verify: command lines and files that are wrong.

load helpers
load quote

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	rig_quote ng quote
}

@test "quote: usage" {
	need_quotes
	local options from="--from-quote x --from-signature x"
	for options in '' '--quote x' '--quote x --signature x' '--quote x --key x' \
		'--signature x --key x'; do
		# shellcheck disable=SC2086
		imalog quote-verify $options "$NG"
		expect_usage_error quote-verify
	done
	for options in '--nonce 0' '--nonce 0g' '--nonce' '--nonce-file x --no-nonce' \
		'--nonce 00 --no-nonce' '--max-later x' '--max-later -1' '--max-later 1x' \
		'--max-later 18446744073709551616' '--hash md5' '--padding none' \
		'--from-quote x' '--from-signature x' "$from" "--start sha1:10=$(zeros 20)" \
		"$from --start sha256:10=00" "$from --start sha256:10" \
		"$from --previous x --start sha1:10=$(zeros 20)" '--print-count --json' \
		'--json --json' '--quote x' '--ca' '--eventlog' '--expect x' '--tpm' '- -'; do
		# shellcheck disable=SC2086
		imalog quote-verify "${quote[@]:0:6}" "$NG" $options
		expect_usage_error quote-verify
	done
	imalog quote-verify "${quote[@]:0:6}" --nonce '' "$NG"
	expect_usage_error quote-verify
	imalog quote-verify "${quote[@]}" --nonce 00 "$NG"
	expect_usage_error quote-verify
}

@test "quote: without tpm2-tss it says so" {
	imalog quote-verify "${quote[@]}" "$NG"
	[ "$status" -ne 0 ] || return 0
	expect_status 4
	expect_no_stdout
	expect_stderr "^imalog: '.*quote.msg': .* without tpm2-tss, which quotes need$"
}

@test "quote: files that are malformed" {
	local option
	need_quotes
	: >empty
	echo nonsense >text
	head -c 2000000 /dev/zero >large
	for option in quote signature key previous eventlog pcrs ca; do
		mapfile -t -d '' options < <(replaced "--$option" text)
		imalog quote-verify "${options[@]}" "$NG"
		# Certificates are only read for one
		[ $option = ca ] || expect_malformed text "--$option"
		mapfile -t -d '' options < <(replaced "--$option" empty)
		imalog quote-verify "${options[@]}" "$NG"
		expect_malformed empty "--$option"
		[ $option != eventlog ] || continue # of any size
		mapfile -t -d '' options < <(replaced "--$option" large)
		imalog quote-verify "${options[@]}" "$NG"
		expect_status 3 "--$option"
		expect_stderr "^imalog: 'large'"
	done
	verify text
	expect_status 3
}

# replaced OPTION VALUE: the array quote with this option, each word ended by NUL
replaced() {
	local i
	for ((i = 0; i < ${#quote[@]}; i += 2)); do
		[ "${quote[i]}" = "$1" ] || printf '%s\0' "${quote[i]}" "${quote[i + 1]}"
	done
	printf '%s\0' "$1" "$2"
}

@test "quote: files that cannot be read" {
	local option
	need_quotes
	for option in quote signature key nonce-file previous ca eventlog pcrs; do
		mapfile -t -d '' options < <(replaced "--$option" missing)
		[ $option != nonce-file ] || options=("${quote[@]:0:6}" --nonce-file missing)
		imalog quote-verify "${options[@]}" "$NG"
		expect_status 4 "--$option"
		expect_no_stdout
		expect_stderr "^imalog: cannot open 'missing'"
		[ "$(wc -l <<<"$stderr")" -eq 1 ] || fail 'one line expected'
	done
	verify missing
	expect_status 4
	expect_stderr "^imalog: cannot open 'missing'"
	quote[1]=.
	verify "$NG"
	expect_status 4
}

@test "quote: standard output is full" {
	imalog_to /dev/full quote-verify "${quote[@]}" "$NG"
	expect_status 4
	imalog_to /dev/full quote-verify --json "${quote[@]}" "$NG"
	expect_status 4
	imalog_to /dev/full quote-verify --print-count "${quote[@]}" "$NG"
	expect_status 4
}
