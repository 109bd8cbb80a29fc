#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# One meaning for each exit code, in every command: 0 done, or checked and holds;
# 1 checked and does not hold; 2 usage; 3 malformed; 4 could not do or check it.

load helpers

BAD_YAML=$RIG/names/pcrs.yaml
YAML=$RIG/ng/pcrs.yaml

# code N COMMAND...
code() {
	local want=$1
	shift
	imalog "$@"
	expect_status "$want" "$*"
	case $want in
	0) expect_no_stderr "$*" ;;
	2 | 3 | 4) expect_stderr '^imalog' ;;
	esac
}

@test "exit 0: done, or checked and holds" {
	code 0 show "$NG"
	code 0 convert -t ascii "$NG"
	code 0 replay --pcrs "$YAML" "$NG"
	code 0 replay --print "$NG"
}

@test "exit 1: checked and does not hold, said on standard output" {
	mklog generate --records 5 --bad 2 -o bad
	code 1 show bad
	code 1 replay --print bad
	code 1 replay --pcrs "$BAD_YAML" "$NG"
	[ -n "$output" ] || fail 'no word about it'
	expect_stdout 'does not hold'
	# A command that checks nothing copies what is bad
	imalog_to out convert -t kernel bad
	expect_status 0
}

@test "exit 2: usage" {
	code 2
	code 2 show --from 0 "$NG"
	code 2 show --nonsense "$NG"
	code 2 convert "$NG"
	code 2 replay --bank nonsense "$NG"
	code 2 nonsense
}

@test "exit 3: malformed or cut" {
	head -c 4000 "$NG" >short
	code 3 show short
	code 3 convert -t ascii short
	code 3 replay --print short
	code 3 replay --pcrs "$YAML" short
	echo nonsense >values
	code 3 replay --pcrs values "$NG"
}

@test "exit 3 is stronger than 1 and 4: what is cut was not checked to its end" {
	mklog generate --records 5 --bad 2 -o bad
	head -c 500 bad >short
	code 3 show short
	code 3 replay short
	code 3 replay --json --expect "sha1:10=$(zeros 20)" short
}

@test "exit 4: could not do or check it" {
	code 4 show missing
	code 4 convert -t ascii missing
	code 4 replay --print missing
	code 4 replay "$NG"
	code 4 replay --pcrs missing "$NG"
	code 4 replay --pcrs "$YAML" --bank sha512 "$NG"
	code 4 convert -t kernel -o missing/out "$NG"
}

@test "exit 1 is stronger than 4: a bad record is known to be bad" {
	mklog generate --records 5 --bad 2 -o bad
	imalog replay --json bad
	[ "$status" -ne 0 ] || fail 'a bad record and nothing compared'
	code 1 replay --expect "sha512:10=$(zeros 64)" --pcr 10 --pcr 11 bad
}

@test "exit 4: standard output is full or closed, whatever the verdict" {
	local command
	for command in "show $NG" "show --json $NG" "replay --print $NG" \
		"replay --pcrs $YAML $NG" "replay --json --pcrs $YAML $NG" \
		"replay --json --pcrs $BAD_YAML $NG" "convert -t kernel $NG" "--help" \
		"--version" "help show" "replay --help"; do
		# shellcheck disable=SC2086
		{
			imalog_to /dev/full $command
			expect_status 4 "$command"
			expect_stderr '^imalog.*No space left'
			run --separate-stderr closed $command
			expect_status 4 "$command >&-"
			expect_stderr '^imalog'
		}
	done
}

closed() {
	"$IMALOG" "$@" >&-
}

@test "exit 0 with standard output closed when nothing is to be printed" {
	run --separate-stderr closed replay -q --pcrs "$YAML" "$NG"
	expect_status 0
	run --separate-stderr closed convert -t kernel -o out "$NG"
	expect_status 0
	expect_same out "$NG"
}

@test "messages never carry raw bytes of the input or of file names" {
	local name=$'esc\e[31m\nline'
	imalog show "$name"
	expect_status 4
	[[ $stderr != *$'\e'* ]] || fail 'ESC of a file name went through'
	[ "$(wc -l <<<"$stderr")" -eq 1 ] || fail 'one line expected'
	head -c 100 "$NG" >"$name"
	imalog replay --print "$name"
	expect_status 3
	[[ $stderr != *$'\e'* ]] || fail 'ESC of a file name went through'
	[ "$(wc -l <<<"$stderr")" -eq 1 ] || fail 'one line expected'
	echo $'sha1:10=\e[2Jzz' >values
	imalog replay --pcrs values "$NG"
	expect_status 3
	[[ $stderr != *$'\e'* ]] || fail 'ESC of a PCR file went through'
	imalog show $'--\e[2J' "$NG"
	expect_status 2
	[[ $stderr != *$'\e'* ]] || fail 'ESC of an option went through'
	imalog $'\e[2J'
	expect_status 2
	[[ $stderr != *$'\e'* ]] || fail 'ESC of a command went through'
}
