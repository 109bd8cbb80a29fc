#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog replay: templates, byte orders, digest sizes, paddings and formats of lists.

load helpers

# matches OPTION...: log gives the values in the file values, in every bank
matches() {
	imalog replay --json --pcrs values "$@" log
	expect_status 0 "$*"
	expect_verdict match
}

@test "replay: every template, in every digest size and byte order" {
	local template banks=(sha1 sha256 sha384 sha512) bank order i=0
	for template in ima ima-ng ima-sig ima-ngv2 ima-sigv2 ima-buf ima-modsig evm-sig \
		'd-ng|n-ng|sig|iuid|igid|imode' mixed; do
		for order in '' --be --canonical-be; do
			bank=${banks[i++ % 4]}
			# shellcheck disable=SC2086
			mklog generate --records 30 --template "$template" --bank "$bank" \
				$order --violations 3 -o log
			mklog pcrs log >values
			matches
			expect_json "d['violations'] == 3" "d['logs'][0]['digest'] == '$bank'" \
				"d['logs'][0]['byte_order'] == ('be' if '$order' == '--be' else 'le')"
		done
	done
}

@test "replay: the golden records" {
	local name
	for name in "$GOLDEN"/*.hex; do
		name=$(basename "$name" .hex)
		golden "$name"
		mv "$name.bin" log
		# A violation does not tell its layout
		case $name in
		violation*) set -- --digest-size 20 ;;
		*) set -- ;;
		esac
		mklog pcrs --digest-size "$([ "$name" = ima-ng-sha256 ] && echo 32 || echo 20)" \
			"$([ "$name" = ima-ng-be ] && echo --be || echo --le)" log >values
		matches "$@"
	done
}

@test "replay: --byte-order and --digest-size override what is found" {
	cp --no-preserve=mode "${NG}_sha256" log
	values_of "$RIG/ng/pcrs.yaml" 10 >values
	matches --byte-order le --digest-size 32
	matches --byte-order auto --digest-size auto --format kernel
	imalog replay --byte-order be --pcrs values log
	expect_status 3
	imalog replay --digest-size 20 --pcrs values log
	expect_status 3
	imalog replay --digest-size 48 --pcrs values log
	expect_status 3
}

@test "replay: a list of SM3 digests is not taken for SHA-256" {
	mklog generate --records 20 --bank sm3 -o log
	mklog pcrs log >values
	matches
	expect_json "d['logs'][0]['digest'] in ('sm3', 'sm3_256')"
}

@test "replay: a list whose digests are SHA-1 padded with zeros" {
	mklog generate --records 20 --bank sha384 --pad-sha1 --violations 2 -o log
	mklog pcrs --padding sha1 log >values
	matches
	mklog pcrs log >values
	matches
}

@test "replay: kernels before 5.8 extend all banks with SHA-1 and zeros" {
	mklog generate --records 40 -o log
	mklog pcrs --bank sha256 --padding sha1 log >values
	imalog replay --json --pcrs values log
	expect_status 0
	expect_verdict match "d['checks'][0]['padding'] == 'sha1'"
	imalog replay --pcrs values log
	expect_status 0
	expect_stdout 'SHA-?1|sha-?1'
	imalog replay --padding auto --pcrs values log
	expect_status 0
	imalog replay --padding sha1 --pcrs values log
	expect_status 0
	imalog replay --json --padding perbank --pcrs values log
	expect_status 1
	expect_verdict mismatch
	mklog pcrs --bank sha256 log >values
	imalog replay --json --padding sha1 --pcrs values log
	expect_status 1
	imalog replay --json --padding perbank --pcrs values log
	expect_status 0
	expect_json "d['checks'][0]['padding'] == 'perbank'"
}

@test "replay: padded SHA-1 with violations, whose ones may be padded as well" {
	local padding
	mklog generate --records 40 --violations 6 -o log
	for padding in sha1 sha1-short; do
		mklog pcrs --bank sha1 --bank sha256 --bank sha512 --padding "$padding" log >values
		imalog replay --json --pcrs values log
		expect_status 0 "$padding"
		expect_verdict match "{c['bank']: c['padding'] for c in d['checks']
			if c['bank'] != 'sha1'} == {'sha256': 'sha1', 'sha512': 'sha1'}"
	done
}

@test "replay: a digest that was padded fits no record of banks that were not" {
	mklog generate --records 20 --digest-size 32 --pad-sha1 -o log
	mklog pcrs --digest-size 32 --bank sha1 log >values
	imalog replay --json --padding perbank --pcrs values log
	expect_status 1
	expect_verdict mismatch "[r['record'] for r in d['bad_records']] == list(range(1, 21))"
	for padding in auto sha1; do
		imalog replay --padding "$padding" --pcrs values log
		expect_status 0 "$padding"
	done
	imalog_from log replay --pcrs values -
	expect_status 0
}

@test "replay: --print --padding sha1 prints the padded values" {
	imalog replay --json --print --padding sha1 --bank sha256 "$NG"
	expect_status 0
	expect_json "'sha256:10=' + d['pcrs']['sha256']['10'] ==
		'$(mklog pcrs --bank sha256 --padding sha1 "$NG")'"
}

@test "replay: a template that imalog does not know replays by its bytes" {
	mklog generate --records 9 --template 'my-own=d-ng|n-ng|sig' -o log
	mklog pcrs --le log >values
	matches
	matches --define-template 'my-own=d-ng|n-ng|sig'
	imalog replay --json --pcrs values --define-template 'my-own=d-ng|n-ng' log
	expect_status 3
}

@test "replay: several templates can be defined, none twice or badly" {
	mklog generate --records 9 --template 'my-own=n-ng|d-ng' -o log
	mklog pcrs --le log >values
	matches --define-template 'my-own=n-ng|d-ng' --define-template 'other=d|n'
	local bad
	for bad in my-own my-own= =d-ng 'my-own=d-ng|nonsense' 'ima-ng=d-ng|n-ng|sig'; do
		imalog replay --print --define-template "$bad" log
		expect_usage_error replay
	done
	imalog replay --print --define-template a=d-ng --define-template a=n-ng log
	expect_usage_error replay
}

@test "replay: the ascii list serves as well, where its lines can be rebuilt" {
	local set bank
	for set in ng sig legacy fmt violations buf kexec/after; do
		for bank in sha1 sha256; do
			imalog replay --json --pcrs "$RIG/$set/pcrs.yaml" \
				"$RIG/$set/ascii_runtime_measurements_$bank"
			expect_status 0 "$set"
			expect_verdict match "d['records'] == ${RECORDS[$set]}" \
				"d['logs'][0]['format'] == 'ascii'"
		done
	done
	imalog replay --format ascii --pcrs "$RIG/ng/pcrs.yaml" \
		"$RIG/ng/ascii_runtime_measurements"
	expect_status 0
	imalog replay -f kernel --print "$RIG/ng/ascii_runtime_measurements"
	expect_status 3
	imalog replay -f ascii --print "$NG"
	expect_status 3
}

@test "replay: an ascii list whose names have newlines: their digests tell them" {
	imalog replay --json --pcrs "$RIG/names/pcrs.yaml" \
		"$RIG/names/ascii_runtime_measurements"
	expect_status 0
	expect_verdict match "d['records'] == 65"
}

@test "replay: an ascii list with a forged or broken line is no proof" {
	sed '7s/ima-ng sha256:./ima-ng sha256:z/' "$RIG/ng/ascii_runtime_measurements" >log
	imalog replay --print log
	expect_status 3
	expect_stderr 'record 7 '
	sed '7s|/lib64|/lib32|' "$RIG/ng/ascii_runtime_measurements" >log
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" log
	expect_status 1
	expect_verdict mismatch "[b['record'] for b in d['bad_records']] == [7]"
}

@test "replay: files of different formats can be one log" {
	records "$NG" 1 20 >first
	sed 1,20d "$RIG/ng/ascii_runtime_measurements_sha384" >second
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" first second
	expect_status 0
	expect_verdict match "d['records'] == 45" \
		"[l['format'] for l in d['logs']] == ['kernel', 'ascii']"
	records "${NG}_sha256" 21 45 >second
	imalog replay --json --pcrs "$RIG/ng/pcrs.yaml" first second
	expect_status 0
	expect_json "[l['digest'] for l in d['logs']] == ['sha1', 'sha256']"
}

@test "replay: a pipe that delivers slowly" {
	slow() {
		{
			head -c 1001 "$NG"
			sleep 0.1
			tail -c +1002 "$NG"
		} | "$IMALOG" replay --json --pcrs "$RIG/ng/pcrs.yaml" -
	}
	run --separate-stderr slow
	expect_status 0
	expect_verdict match "d['records'] == 45"
}

@test "replay: records far larger than the rest" {
	# A buffer of 3 MiB between two small records, then one of more than 16 MiB
	"$PYTHON" -I - <<-'END'
		import hashlib, struct
		def record(size):
		    fields = b"sha256:\0" + bytes(31) + b"\1", b"name\0", b"b" * size
		    data = b"".join(struct.pack("<I", len(f)) + f for f in fields)
		    return (struct.pack("<I", 10) + hashlib.sha1(data).digest() +
		            struct.pack("<I", 7) + b"ima-buf" + struct.pack("<I", len(data)) + data)
		with open("log", "wb") as out:
		    out.write(record(8) + record(3 << 20) + record(9))
		with open("huge", "wb") as out:
		    out.write(record(8) + record(16 << 20) + record(9))
	END
	mklog pcrs log >values
	matches
	expect_json "d['records'] == 3"
	imalog_to out convert -t ascii log
	expect_status 0
	mklog ascii log >want
	expect_same out want
	imalog replay --print huge
	expect_status 3
	expect_error huge 2 104
}

@test "replay: a long log, in little memory" {
	mklog generate --records 100000 --violations 10 -o log
	mklog pcrs --digest-size 20 --le --bank sha1 log >values
	limited() {
		ulimit -v $((256 * 1024))
		"$IMALOG" "$@"
	}
	# A sanitizer needs more address space than that
	limited --version >out 2>&1 || skip 'the program does not start in 256 MiB'
	run --separate-stderr limited replay --json --pcrs values log
	expect_status 0
	expect_verdict match "d['records'] == 100000"
}
