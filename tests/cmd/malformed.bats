#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Input that is cut, forged or not a log at all. It must be named, with record and
# offset, in little memory, whatever command reads it.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	# 256 MiB of address space, if imalog starts in that: a sanitizer needs more
	limit=$((256 * 1024))
	limited --version >/dev/null 2>&1 || limit=unlimited
}

limited() (
	ulimit -v "$limit"
	"$IMALOG" "$@"
)

# refused_by_all FILE RECORD OFFSET: by every command, naming both
refused_by_all() {
	local command
	for command in 'show' 'show --json' 'replay --print' 'replay --json' \
		'convert -t kernel' 'convert -t ascii' 'convert -t kernel -o out'; do
		# shellcheck disable=SC2086
		run_to result limited $command "$1"
		expect_status 3 "$command"
		expect_error "$1" "$2" "$3"
	done
	[ ! -e out ] || fail 'convert left a file'
}

# forged OFFSET HEX: log is the golden ima-sig twice, the second one changed there
forged() {
	golden ima-sig
	cat ima-sig.bin ima-sig.bin >log
	poke log "115 + $1" "$2"
}

@test "malformed: lengths that are far too large" {
	local at length
	# Of the name, of the template data, of each of the three fields
	for at in 24 35 39 83 94; do
		forged "$at" 'ff ff ff ff'
		refused_by_all log 2 115
		for length in 'ff ff ff 7f' '00 00 00 80' '00 00 00 40'; do
			poke log "115 + $at" "$length"
			run_to result limited replay --print log
			expect_status 3
			expect_error log 2 115
		done
	done
}

@test "malformed: lengths that are wrong by one" {
	local change
	for change in '24 08' '35 4b' '35 4d' '39 27' '39 29' '83 06' '83 08' '94 10' '94 12'; do
		# shellcheck disable=SC2086
		forged $change
		imalog show log
		expect_status 3 "$change"
		expect_error log 2 115
	done
}

@test "malformed: a template without a name" {
	forged 24 '00 00 00 00'
	refused_by_all log 2 115
	from_hex <(zeros 4000) >log
	imalog show log
	expect_status 3
}

@test "malformed: nothing but 0xff, and all of /dev/zero" {
	printf '\377%.0s' {1..4096} >log
	imalog replay --print log
	expect_status 3
	run --separate-stderr timeout 20 "$IMALOG" show - </dev/zero
	expect_status 3
	expect_error - 1 0
}

@test "malformed: a claim of 2 GiB that the input does not keep" {
	golden ima-ng
	local hex
	# In the length of the name, then in that of the template data
	for hex in 'ff ff ff 7f 69 6d 61' '06 00 00 00 69 6d 61 2d 6e 67 00 00 00 80 28 00'; do
		{
			head -c 24 ima-ng.bin
			from_hex <(echo "$hex")
		} >log
		run_to result limited show log
		expect_status 3
		run_to result limited replay --print --byte-order le --digest-size 20 log
		expect_status 3
		expect_error log 1 0
	done
}

@test "malformed: a claim of 2 GiB, and a pipe that would keep it" {
	golden ima-ng
	endless() {
		{
			head -c 34 ima-ng.bin
			printf '\0\0\0\200'
			cat /dev/zero
		} 2>/dev/null | timeout 20 "$IMALOG" replay --print --byte-order le --digest-size 20 -
	}
	run --separate-stderr endless
	expect_status 3
	expect_error - 1 0
}

@test "malformed: a record cut at any byte" {
	local name size cut status
	golden ima-ng
	for name in ima-sig ima; do
		golden "$name"
		size=$(wc -c <"$name.bin")
		for ((cut = 1; cut < size; cut++)); do
			# After a whole record, so that the layout is known
			head -c "$cut" "$name.bin" | cat ima-ng.bin - >log
			status=0
			"$IMALOG" show log >out 2>err || status=$?
			[ "$status" -eq 3 ] || fail "$name cut at $cut: exit $status"
			mapfile -t lines <err
			[[ ${#lines[@]} -eq 1 && ${lines[0]} == "imalog: 'log': record 2 at 0x60: "* ]] ||
				fail "$name cut at $cut: $(cat err)"
			mapfile -t lines <out
			[ ${#lines[@]} -eq 1 ] || fail "$name cut at $cut: one line expected"
		done
	done
}

@test "malformed: a first record cut at any byte, from standard input" {
	local cut status
	golden ima-ng
	for ((cut = 1; cut < 96; cut++)); do
		status=0
		head -c "$cut" ima-ng.bin | "$IMALOG" show - >out 2>err || status=$?
		[ "$status" -eq 3 ] || fail "cut at $cut: exit $status"
		[ ! -s out ] || fail "cut at $cut: nothing expected on standard output"
		[[ $(<err) == "imalog: '-': record 1 at 0x0: "* ]] || fail "cut at $cut: $(cat err)"
	done
}

@test "malformed: bytes behind the last record" {
	local extra size
	size=$(wc -c <"$NG")
	for extra in '00' '0a 00 00' '0a 00 00 00' 'ff ff ff ff ff'; do
		{
			cat "$NG"
			from_hex <(echo "$extra")
		} >log
		refused_by_all log 46 "$size"
	done
}

@test "malformed: replay --json still prints its object" {
	local at
	at=$(offset "$NG" 30)
	head -c "$((at + 9))" "$NG" >log
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" log
	expect_status 3
	expect_verdict not-checked "d['records'] == 29" "d['error']['record'] == 30" \
		"d['error']['offset'] == $at" "d['error']['file'] == 'log'" "d['error']['reason']"
	expect_error log 30 "$at"
	# Not even when the whole records give the expected values
	mklog pcrs --first 29 "$NG" >values
	imalog replay --json --pcrs values log
	expect_status 3
	expect_verdict not-checked
}

@test "malformed: records count over all files, offsets within each" {
	local at
	at=$(offset "$NG" 3)
	head -c "$((at + 1))" "$NG" >short
	imalog show "$NG" short "$NG"
	expect_status 3
	expect_error short 48 "$at"
	imalog_from short replay --print "$NG" -
	expect_status 3
	expect_error - 48 "$at"
}

@test "malformed: random bytes never do harm" {
	local log command status
	"$PYTHON" -I - <<-'END'
		import random
		random.seed(1)
		for n in range(20):
		    with open("random.%d" % n, "wb") as out:
		        out.write(random.randbytes(random.randrange(1, 3000)))
	END
	for log in random.*; do
		for command in show 'replay --print' 'show --format ascii'; do
			status=0
			# shellcheck disable=SC2086
			"$IMALOG" $command "$log" >out 2>err || status=$?
			[ "$status" -eq 3 ] || fail "$log, $command: exit $status"
		done
	done
}

@test "malformed: a good log with random damage never does harm" {
	local good=$RIG/evmsig/binary_runtime_measurements log status
	mklog pcrs "$good" >values
	"$PYTHON" -I - "$good" <<-'END'
		import random, sys
		random.seed(2)
		good = open(sys.argv[1], "rb").read()
		for n in range(40):
		    data = bytearray(good)
		    for _ in range(random.randrange(1, 6)):
		        data[random.randrange(len(data))] ^= random.choice((1, 2, 128, 255))
		    with open("damaged.%d" % n, "wb") as out:
		        out.write(data)
	END
	for log in damaged.*; do
		status=0
		"$IMALOG" show "$log" >out 2>err || status=$?
		[ "$status" -le 4 ] || fail "$log: exit $status"
		status=0
		"$IMALOG" replay --pcrs values "$log" >out 2>err || status=$?
		[ "$status" -le 4 ] || fail "$log: exit $status"
		# The name of a template is in no digest: changing it alone goes unseen
		[ "$status" -ne 0 ] ||
			[ "$(mklog pcrs --le --digest-size 20 "$log")" = "$(cat values)" ] ||
			fail "$log: a damaged log matches"
	done
}

@test "malformed: ascii lists" {
	local line good='10 69265cfc6be3c36e312650d44fa63d3a8886d61f ima-ng sha1:00 /a'
	for line in 'this is no list' '10' '10 69' "x$good" "-1${good#10}" "64${good#10}" \
		'10 6926 ima-ng sha1:00 /a' '10 69265cfc6be3c36e312650d44fa63d3a8886d61f' \
		"${good/69265/6926x}" "${good/sha1:00/sha1:0}" "${good/sha1:00/sha1:zz}"; do
		printf '%s\n%s\n' "$(head -n 1 "$RIG/ng/ascii_runtime_measurements")" "$line" >log
		imalog show log
		expect_status 3 "$line"
		expect_error log 2 "$(head -n 1 log | wc -c)"
	done
	# No newline at the end: cut
	head -c 300 "$RIG/ng/ascii_runtime_measurements" >log
	imalog show log
	expect_status 3
	expect_error log 3 "$(head -n 2 log | wc -c)"
}

@test "malformed: a directory, a missing file, a closed standard input" {
	local command
	for command in 'show' 'replay --print' 'convert -t ascii'; do
		# shellcheck disable=SC2086
		{
			imalog $command .
			expect_status 4
			expect_stderr "^imalog: .*'\.'.*[Ii]s a directory"
			imalog $command missing
			expect_status 4
			expect_stderr "^imalog: .*'missing'.*No such file"
			imalog $command "$NG" missing
			expect_status 4
			run --separate-stderr closed $command -
			expect_status 4
			expect_stderr '^imalog: .*-.*Bad file descriptor'
		}
	done
}

closed() {
	"$IMALOG" "$@" <&-
}
