# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the command tests share.

bats_require_minimum_version 1.5.0

IMALOG_SRC=${IMALOG_SRC:-${BATS_TEST_DIRNAME%/tests/cmd}}
IMALOG=${IMALOG:-$IMALOG_SRC/build/src/imalog}
MKLOG=${MKLOG:-$IMALOG_SRC/tests/mklog}
DATA=$IMALOG_SRC/tests/data
RIG=$DATA/rig
STAGING=$DATA/staging
GOLDEN=$DATA/golden
VECTORS=${IMALOG_VECTORS:-$IMALOG_SRC/../shared/vectors}
RIG_SETS='ng sig legacy fmt evmsig violations buf names nosha1 kexec/before kexec/after'
NG=$RIG/ng/binary_runtime_measurements
export LC_ALL=C.UTF-8

# The records of each set, from the ORIGIN.txt beside it
declare -gA RECORDS=([ng]=45 [sig]=67 [legacy]=44 [fmt]=48 [evmsig]=48 [violations]=53
	[buf]=19 [names]=65 [nosha1]=43 [kexec/before]=53 [kexec/after]=96)

# Wrappers in PATH make each start of Python slow: find the real one, once.
setup_file() {
	PYTHON=$(python3 -c 'import sys; print(sys.executable)')
	export PYTHON
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

# ---- running

# Runs imalog and keeps $status, $output and $stderr.
imalog() {
	run --separate-stderr "$IMALOG" "$@"
}

# The same with standard input from a file.
imalog_from() {
	local input=$1
	shift
	run --separate-stderr "$IMALOG" "$@" <"$input"
}

# The same with standard output into a file, for output that is not text.
imalog_to() {
	local out=$1
	shift
	run_to "$out" "$IMALOG" "$@"
}

# The same with any command.
run_to() {
	run --separate-stderr to_file "$@"
}

to_file() {
	local out=$1
	shift
	"$@" >"$out"
}

mklog() {
	"$PYTHON" -I -S "$MKLOG" "$@"
}

# ---- asserting

fail() {
	{
		printf '%s\n' "$*"
		printf 'status: %s\n' "${status-}"
		printf 'stdout: %s\n' "${output-}" | head -n 20
		printf 'stderr: %s\n' "${stderr-}" | head -n 20
	} >&2
	return 1
}

expect_status() {
	[ "$status" -eq "$1" ] || fail "${2:+$2: }status $1 expected"
}

expect_no_stdout() {
	[ -z "$output" ] || fail 'nothing expected on standard output'
}

expect_no_stderr() {
	[ -z "$stderr" ] || fail "${1:+$1: }nothing expected on standard error"
}

# expect_stdout REGEX..., expect_stderr REGEX...: a line matches each of them
expect_stdout() {
	local regex
	for regex; do
		grep -qE -- "$regex" <<<"$output" || fail "'$regex' expected on standard output"
	done
}

expect_stderr() {
	local regex
	for regex; do
		grep -qE -- "$regex" <<<"$stderr" || fail "'$regex' expected on standard error"
	done
}

# A usage error of imalog or of one of its commands, with one hint.
expect_usage_error() {
	local name="imalog${1:+ $1}"
	expect_status 2
	expect_no_stdout
	[ "$(wc -l <<<"$stderr")" -eq 2 ] || fail 'two lines expected on standard error'
	[[ ${stderr%%$'\n'*} == "$name: "* ]] || fail "'$name: ' expected first"
	[ "${stderr##*$'\n'}" = "Try '$name --help'." ] || fail "no hint at '$name --help'"
}

JSON_CHECK='
import json, sys
rows = [json.loads(line) for line in sys.stdin.buffer.read().splitlines()]
d = rows[0] if rows else None
verdicts = [c["verdict"] for r in rows for c in r.get("checks", []) if "verdict" in c]
for expression in sys.argv[1:]:
    if not eval("(" + expression + ")"):
        sys.exit("not so: " + expression)
'

# expect_json EXPRESSION...: in Python; rows are the objects that were printed, one
# a line, d is the first of them, and verdicts are those of its checks.
expect_json() {
	printf '%s' "${output:+$output$'\n'}" | "$PYTHON" -I -S -c "$JSON_CHECK" "$@" 2>json-error ||
		fail "$(tail -n 1 json-error)"
}

# One object on one line, as replay --json prints it.
expect_verdict() {
	local verdict=$1
	shift
	expect_json 'len(rows) == 1' "d['verdict'] == '$verdict'" "$@"
}

# expect_error FILE RECORD OFFSET: standard error says what is wrong where
expect_error() {
	local where
	where=$(printf "imalog: '%s': record %d at 0x%x: " "$1" "$2" "$3")
	grep -qF -- "$where" <<<"$stderr" || fail "'$where' expected on standard error"
}

expect_same() {
	cmp -- "$1" "$2" || fail "${3:-$1 and $2} should be the same"
}

# ---- making input

# from_hex FILE: the bytes of a file of commented hex text
from_hex() {
	printf '%b' "$(sed 's/#.*//' "$1" | tr -d ' \t\n' | sed 's/../\\x&/g')"
}

# golden NAME: makes NAME.bin here
golden() {
	from_hex "$GOLDEN/$1.hex" >"$1.bin"
}

# poke FILE OFFSET HEX: overwrites bytes
poke() {
	from_hex <(echo "$3") |
		dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none
}

# flip FILE OFFSET: flips one bit
flip() {
	local byte
	byte=$(od -An -tu1 -j$(($2)) -N1 "$1")
	poke "$1" "$2" "$(printf '%02x' $((byte ^ 1)))"
}

# offset FILE N: where record N begins
offset() {
	mklog index "$1" | awk -v n="$2" '$1 == n { print $2 }'
}

# records FILE FIRST LAST: copies these records to standard output
records() {
	local from to
	read -r from to < <(mklog index "$1" | awk -v first="$2" -v last="$3" '
		$1 == first { from = $2 }
		$1 == last { print from, $2 + $3 }')
	head -c "$to" "$1" | tail -c "+$((from + 1))"
}

# pcr_of FILE BANK PCR: a value from a YAML file of tpm2_pcrread, in lower case
pcr_of() {
	awk -v bank="$2:" -v pcr="$3" '
		NF == 1 { here = $1 == bank }
		here { sub(/:/, " ") }
		here && $1 == pcr { print tolower(substr($2, 3)) }' "$1"
}

# values_of FILE [PCR]: all values of a YAML file of tpm2_pcrread, BANK:PCR=HEX
values_of() {
	awk -v pcr="${2-}" '
		NF == 1 { bank = $1; next }
		{ sub(/:/, " ") }
		pcr == "" || $1 == pcr { print bank $1 "=" tolower(substr($2, 3)) }' "$1"
}

# expectations FILE...: sets the array expect from lines "ALG HEX" about PCR 10
expectations() {
	local bank value
	expect=()
	while read -r bank value; do
		expect+=(--expect "$bank:10=$value")
	done <"$1"
}

# zeros N: hex text of N zero bytes
zeros() {
	printf '%0*d' $(($1 * 2)) 0
}

need_vectors() {
	[ -f "$VECTORS/$1" ] || skip "no $1 in '$VECTORS': set IMALOG_VECTORS"
}

need_libcbor() {
	local error
	error=$("$IMALOG" convert -t cel-cbor-seq -o /dev/null "$NG" 2>&1) ||
		[[ $error != *'without libcbor'* ]] || skip 'built without libcbor'
}
