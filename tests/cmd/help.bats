#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog help, --help, --version, and how usage errors look.

load helpers

COMMANDS='show convert replay merge quote-verify sig-verify stage save confirm export trim
	kexec-prepare store status policy-load mount'
READING='--format --byte-order --digest-size --define-template --help --version --quiet --verbose'
LIVE='--list-only --store --wait --config --root'
REPLAY="$READING $LIVE --pcr --bank --pcrs --expect --start --padding --print --ignore-violations --json"
SHOW="$READING $LIVE --json --fields --pcr --template --match --violations --from --to"
CONVERT="$READING $LIVE --to --output"
QUOTE_VERIFY="$READING $LIVE --quote --signature --hash --key --ca --nonce --nonce-file --no-nonce
	--previous --from-quote --from-signature --start --pcrs --eventlog --padding --max-later
	--print-count --json"
STATUS='--tpm --tcti --sysfs --no-tpm --store --config --wait --root --json --help --version --quiet
	--verbose'
POLICY_LOAD='--by-path --root --help --version --quiet --verbose'

STAGE='--help --version --quiet --verbose --root --wait --config'
SAVE="$STAGE --store"
CONFIRM=$SAVE
EXPORT="$SAVE --json --min-records --min-bytes --max-age --watch --slice --tcti --sysfs --no-tpm --ak"
TRIM="$SAVE --json --to-record --quote --signature --hash --key --ca --nonce --nonce-file --no-nonce
	--previous --pcrs --eventlog --padding --tcti --sysfs --no-tpm --ak"
STORE="$SAVE --json --keep-epochs --tpm --tcti --sysfs --pcrs --expect --pcr --bank
	--ignore-violations --define-template"

# What --help prints: on standard output, not wider than a terminal.
expect_help() {
	expect_status 0
	expect_no_stderr
	expect_stdout '[Uu]sage: imalog'
	awk 'length > 80 { exit 1 }' <<<"$output" || fail 'a line is longer than 80 columns'
	[[ $output != *$'\t'* ]] || fail 'a tab in the help text'
}

@test "help: imalog --help, -h and help" {
	imalog --help
	expect_help
	local all=$output command
	for command in $COMMANDS; do
		expect_stdout "^ +$command "
	done
	imalog -h
	expect_help
	[ "$output" = "$all" ] || fail '-h prints another text'
	imalog help
	expect_help
	[ "$output" = "$all" ] || fail 'help prints another text'
}

@test "help: every command's --help, -h and help COMMAND" {
	local command text
	for command in $COMMANDS; do
		imalog "$command" --help
		expect_help
		text=$output
		expect_stdout "[Uu]sage: imalog $command"
		imalog "$command" -h
		expect_help
		[ "$output" = "$text" ] || fail "$command -h prints another text"
		imalog help "$command"
		expect_help
		[ "$output" = "$text" ] || fail "help $command prints another text"
		# Whatever else is on the command line
		imalog "$command" --help missing
		expect_help
	done
}

@test "help: every option is in the help of its command" {
	local command option options
	for command in $COMMANDS; do
		options=${command^^}
		options=${options//-/_}
		imalog "$command" --help
		for option in ${!options}; do
			grep -qE -- "(^|[ ,])$option([ =,\[]|$)" <<<"$output" ||
				fail "imalog $command --help lacks $option"
		done
	done
}

@test "help: of a command that is not there" {
	imalog help nonsense
	expect_status 2
	expect_no_stdout
	expect_stderr '^imalog.*nonsense' "^Try 'imalog( help)? --help'\\.$"
	imalog help show replay
	expect_status 2
	expect_no_stdout
}

@test "help: --version" {
	imalog --version
	expect_status 0
	expect_no_stderr
	expect_stdout '^imalog [0-9]+\.[0-9]+'
	local command version=${output%%$'\n'*}
	for command in $COMMANDS; do
		imalog "$command" --version
		expect_status 0
		[ "${output%%$'\n'*}" = "$version" ] || fail "$command has another version"
	done
}

@test "help: --version -v says what was left out" {
	local config=${IMALOG_BUILD:-$IMALOG_SRC/build}/config.h left text words
	imalog --version -v
	expect_status 0
	expect_no_stderr
	expect_stdout '^imalog [0-9]' '^hashes by evp of OpenSSL 3' '^jansson [0-9]'
	text=$output
	left=$(sed -n 's/^left out: //p' <<<"$text")
	if grep -q '^#define HAVE_TPM2_TSS 1' "$config"; then
		expect_stdout '^tpm2-tss [0-9]'
		[[ $left != *tpm2-tss* ]] || fail 'it is there'
	else
		[[ $left == *tpm2-tss* ]] || fail 'it is not there'
	fi
	if grep -q '^#define HAVE_LIBCBOR 1' "$config"; then
		[[ $left != *libcbor* ]] || fail 'it is there'
	else
		[[ $left == *libcbor* ]] || fail 'it is not there'
	fi
	for words in '-v --version' '--verbose --version' '--version --verbose' \
		'status -v --version'; do
		# shellcheck disable=SC2086
		imalog $words
		expect_status 0
		[ "$output" = "$text" ] || fail "$words: another text"
	done
}

@test "usage: no command, an unknown one, an unknown option" {
	imalog
	expect_usage_error
	imalog nonsense
	expect_usage_error
	imalog ''
	expect_usage_error
	imalog --nonsense
	expect_usage_error
	imalog -x show "$NG"
	expect_status 2
	local command
	for command in $COMMANDS; do
		imalog "$command" --nonsense "$NG"
		expect_usage_error "$command"
		expect_stderr 'nonsense'
		imalog "$command" -Z "$NG"
		expect_usage_error "$command"
		expect_stderr 'Z'
	done
}

@test "usage: an option without its argument" {
	local option
	for option in --pcr --bank --pcrs --expect --start --padding --format --byte-order \
		--digest-size --define-template --tcti --eventlog --root; do
		imalog replay "$NG" "$option"
		expect_usage_error replay
	done
	for option in --fields --pcr --template --match --from --to; do
		imalog show "$NG" "$option"
		expect_usage_error show
	done
	for option in -t -o -f; do
		imalog convert "$NG" "$option"
		expect_usage_error convert
	done
	imalog replay --print=yes "$NG"
	expect_usage_error replay
	for option in --quote --signature --hash --key --ca --nonce --nonce-file --previous \
		--from-quote --from-signature --start --pcrs --eventlog --padding --max-later; do
		imalog quote-verify "$NG" "$option"
		expect_usage_error quote-verify
	done
}

@test "usage: an option that makes sense only once, given twice" {
	local option
	for option in '--padding auto' --print --json '-f auto' '--format kernel' \
		'--byte-order le' '--digest-size 20' --sysfs --tpm '--tcti x' --boot-aggregate \
		'--eventlog x' '--root x' --ignore-violations; do
		# shellcheck disable=SC2086
		imalog replay --expect "sha1:10=$(zeros 20)" $option $option "$NG"
		expect_usage_error replay
	done
	for option in '--fields record' '--from 1' '--to 2' --violations --json; do
		# shellcheck disable=SC2086
		imalog show $option $option "$NG"
		expect_usage_error show
	done
	for option in '--quote x' '--signature x' '--hash sha1' '--key x' '--ca x' '--nonce 00' \
		'--nonce-file x' --no-nonce '--previous x' '--from-quote x' '--from-signature x' \
		'--eventlog x' '--padding auto' '--max-later 1' --print-count --json; do
		# shellcheck disable=SC2086
		imalog quote-verify $option $option "$NG"
		expect_usage_error quote-verify
	done
	imalog convert -t ascii -t kernel "$NG"
	expect_usage_error convert
	imalog convert -t ascii -o one -o two "$NG"
	expect_usage_error convert
	[ ! -e one ] && [ ! -e two ] || fail 'an output file was made'
	# Long and short name of the same option
	imalog replay --print -f auto --format auto "$NG"
	expect_usage_error replay
}

@test "usage: words that an option does not know" {
	local bad
	for bad in '--padding sha256' '--format cel' '--byte-order middle' '--digest-size 21' \
		'--bank md5' '--bank SHA-256' '--pcr 64' '--pcr -1' '--pcr 1x' '--pcr 1,2' \
		'--sysfs --tpm' '--tcti x --sysfs'; do
		# shellcheck disable=SC2086
		imalog replay --print $bad "$NG"
		expect_usage_error replay
	done
	imalog show --format cel "$NG"
	expect_usage_error show
}

@test "usage: a unique prefix of a long option will do" {
	imalog replay --json --exp "sha1:10=$(pcr_of "$RIG/ng/pcrs.yaml" sha1 10)" "$NG"
	expect_status 0
	imalog show --viol "$NG"
	expect_status 0
	imalog replay --p 10 "$NG"
	expect_usage_error replay
}

@test "usage: options may follow files, and -- ends them" {
	imalog show "$NG" --from 44
	expect_status 0
	[ "$(wc -l <<<"$output")" -eq 2 ] || fail 'two lines expected'
	cp --no-preserve=mode "$NG" ./--json
	imalog show -- --json
	expect_status 0
	[ "$(wc -l <<<"$output")" -eq 45 ] || fail '45 lines expected'
}
