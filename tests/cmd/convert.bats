#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog convert: byte for byte, or not at all.

load helpers

# convert TYPE IN OUT [OPTION...]: with exit 0
convert() {
	local type=$1 in=$2 out=$3
	shift 3
	imalog_to "$out" convert -t "$type" "$@" "$in"
	expect_status 0 "$type $in"
}

@test "convert: ascii is the kernel's own list, for every captured log" {
	local set file
	for set in $RIG_SETS; do
		for file in "$RIG/$set"/binary_runtime_measurements*; do
			convert ascii "$file" out
			expect_no_stderr "$file"
			expect_same out "${file/binary/ascii}" "$file"
		done
	done
	convert ascii "$STAGING/three-stages-and-trim/list-at-end.sha256" out
	expect_same out "$STAGING/three-stages-and-trim/list-at-end.ascii_sha256"
}

@test "convert: ascii of the golden records" {
	local file name
	for file in "$GOLDEN"/*.hex; do
		name=$(basename "$file" .hex)
		golden "$name"
		case $name in
		violation*) set -- --digest-size 20 --byte-order le ;;
		*) set -- ;;
		esac
		convert ascii "$name.bin" out "$@"
		expect_same out "${file%.hex}.ascii" "$name"
	done
}

@test "convert: ascii of every template, by the independent generator" {
	local order
	for order in '' --be --canonical-be; do
		# shellcheck disable=SC2086
		mklog generate --records 60 --template mixed --violations 3 $order -o log
		mklog ascii log >want
		convert ascii log out
		expect_same out want
	done
}

@test "convert: a little-endian list to kernel is the same list" {
	local set file
	for set in $RIG_SETS; do
		for file in "$RIG/$set"/binary_runtime_measurements*; do
			convert kernel "$file" out
			expect_no_stderr "$file"
			expect_same out "$file"
		done
	done
	for file in "$STAGING"/*/*.sha1 "$STAGING"/*/*.sha256; do
		convert kernel "$file" out
		expect_same out "$file"
	done
}

@test "convert: big-endian to kernel is what ima_canonical_fmt has" {
	local template
	for template in ima ima-ng evm-sig mixed; do
		mklog generate --records 40 --template "$template" --violations 3 --be -o be
		mklog generate --records 40 --template "$template" --violations 3 \
			--canonical-be -o canonical
		convert kernel be out
		expect_same out canonical "$template"
		mklog pcrs --be be >values
		imalog replay --json --pcrs values out
		expect_status 0
		expect_verdict match "d['matched_at'] == 40"
		# And back
		convert kernel-be out back
		expect_same back be "$template"
	done
}

@test "convert: little to big to little-endian" {
	local set
	for set in $RIG_SETS; do
		convert kernel-be "$RIG/$set/binary_runtime_measurements_sha256" be
		imalog replay --json --pcrs "$RIG/$set/pcrs.yaml" be
		expect_status 0 "$set"
		expect_verdict match "d['logs'][0]['byte_order'] == 'be'"
		convert kernel be back
		expect_same back "$RIG/$set/binary_runtime_measurements_sha256"
		convert ascii be out
		# xattrlengths is raw bytes in the ascii list, so only there the order shows
		[ "$set" = evmsig ] || expect_same out "$RIG/$set/ascii_runtime_measurements_sha256"
	done
}

@test "convert: digests over lengths of the other order are pointed out" {
	mklog generate --records 5 --be -o be
	imalog_to out convert -t kernel be
	expect_status 0
	expect_stderr '^imalog: note: .* 5 records '
	imalog_to back convert -t kernel-be be
	expect_status 0
	expect_no_stderr
	expect_same back be
	imalog_to out convert -t kernel-be "$NG"
	expect_stderr '^imalog: note: .* 45 records '
	# Template ima has no lengths in its digest
	mklog generate --records 5 --template ima --be -o be
	imalog_to out convert -t kernel be
	expect_status 0
	expect_no_stderr
}

@test "convert: an ascii list back to the binary one" {
	local set bank
	for set in ng sig legacy fmt violations buf nosha1 kexec/after; do
		for bank in sha1 sha256; do
			convert kernel "$RIG/$set/ascii_runtime_measurements_$bank" out
			expect_same out "$RIG/$set/binary_runtime_measurements_$bank"
		done
	done
	convert ascii "$RIG/ng/ascii_runtime_measurements" out --format ascii
	expect_same out "$RIG/ng/ascii_runtime_measurements"
}

@test "convert: an ascii line that does not hash to its digest is not made up" {
	sed '7s|/lib64|/lib32|' "$RIG/ng/ascii_runtime_measurements" >log
	imalog convert -t kernel -o out log
	expect_status 4
	expect_stderr 'record 7 '
	[ ! -e out ] || fail 'there is an output file'
}

@test "convert: a template that is not known keeps its byte order or is refused" {
	mklog generate --records 5 --template 'my-own=d-ng|n-ng' -o log
	convert kernel log out
	expect_same out log
	imalog convert -t kernel-be -o out-be log
	expect_status 4
	expect_stderr "'log': record 1 "
	[ ! -e out-be ] || fail 'there is an output file'
	convert kernel-be log be --define-template 'my-own=d-ng|n-ng'
	mklog generate --records 5 --template 'my-own=d-ng|n-ng' --be -o want
	[ "$(wc -c <be)" -eq "$(wc -c <want)" ]
	convert kernel be out --define-template 'my-own=d-ng|n-ng'
	expect_same out log
}

@test "convert: bad digests are kept as they are" {
	mklog generate --records 9 --bad 4 -o log
	convert kernel log out
	expect_same out log
	mklog ascii log >want
	convert ascii log out
	expect_same out want
}

@test "convert: several files and standard input make one list" {
	records "$NG" 1 20 >first
	records "$NG" 21 45 >second
	imalog_to out convert -t kernel first second
	expect_status 0
	expect_same out "$NG"
	pipe() {
		"$IMALOG" convert -t ascii - second <first >out
	}
	run --separate-stderr pipe
	expect_status 0
	expect_same out "$RIG/ng/ascii_runtime_measurements"
}

@test "convert: --byte-order and --digest-size" {
	golden violation
	convert ascii violation.bin out --byte-order le --digest-size 20
	expect_same out "$GOLDEN/violation.ascii"
	imalog_to out convert -t ascii --byte-order be "$NG"
	expect_status 3
	imalog_to out convert -t ascii --digest-size 64 "$NG"
	expect_status 3
}

@test "convert: an empty log gives an empty list" {
	: >empty
	convert kernel empty out
	[ ! -s out ] || fail 'something was written'
	imalog convert -t ascii -o file empty
	expect_status 0
	[ -e file ] && [ ! -s file ] || fail 'an empty file expected'
}

# ---- where it goes

@test "convert: -o writes a file and nothing else" {
	mkdir dir
	imalog convert -t kernel -o dir/out "$NG"
	expect_status 0
	expect_no_stdout
	expect_no_stderr
	expect_same dir/out "$NG"
	[ "$(ls -A dir)" = out ] || fail 'something else is in the directory'
	imalog convert --to ascii --output dir/out "$NG"
	expect_status 0
	expect_same dir/out "$RIG/ng/ascii_runtime_measurements"
	[ "$(ls -A dir)" = out ] || fail 'something else is in the directory'
}

@test "convert: -o leaves an existing file alone when it fails" {
	mkdir dir
	echo precious >dir/out
	cp --no-preserve=mode dir/out want
	head -c "$(($(offset "$NG" 11) + 70))" "$NG" >log
	imalog convert -t kernel -o dir/out log
	expect_status 3
	expect_error log 11 "$(offset "$NG" 11)"
	expect_same dir/out want
	imalog convert -t kernel -o dir/out missing
	expect_status 4
	expect_same dir/out want
	[ "$(ls -A dir)" = out ] || fail 'a temporary file was left'
	imalog convert -t ascii -o dir/new log
	expect_status 3
	[ ! -e dir/new ] || fail 'there is an output file'
	[ "$(ls -A dir)" = out ] || fail 'a temporary file was left'
}

@test "convert: the output may be the input" {
	mklog generate --records 5000 --be -o log
	convert kernel log want
	imalog convert -t kernel -o log log
	expect_status 0
	expect_same log want
}

@test "convert: -o where nothing can be written" {
	imalog convert -t kernel -o no-such-dir/out "$NG"
	expect_status 4
	expect_stderr "no-such-dir/out'.*No such file"
	mkdir dir
	imalog convert -t kernel -o dir "$NG"
	expect_status 4
	[ -d dir ] && [ -z "$(ls -A dir)" ] || fail 'the directory was changed'
	[ -z "$(find . -name '*.tmp*' -o -name '.*' -type f)" ] || fail 'a file was left'
	imalog convert -t kernel -o /proc/imalog-test "$NG"
	expect_status 4
}

@test "convert: a disk that is full" {
	imalog_to /dev/full convert -t kernel "$NG"
	expect_status 4
	expect_stderr 'No space left'
	imalog_to /dev/full convert -t ascii "$NG"
	expect_status 4
}

@test "convert: binary does not go to a terminal, ascii does" {
	cat >on-terminal <<-'END'
		import os, pty, sys
		pid, fd = pty.fork()
		if not pid:
		    os.execv(sys.argv[1], sys.argv[1:])
		data = b""
		while True:
		    try:
		        part = os.read(fd, 65536)
		    except OSError:
		        break
		    if not part:
		        break
		    data += part
		sys.stdout.buffer.write(data)
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
	run "$PYTHON" on-terminal "$IMALOG" convert -t kernel "$NG"
	expect_status 2
	[[ $output == *terminal* ]] || fail 'no word about the terminal'
	run "$PYTHON" on-terminal "$IMALOG" convert -t ascii "$NG"
	expect_status 0
	[ "$(wc -l <<<"$output")" -eq 45 ] || fail '45 lines expected'
}

@test "convert: -t is needed and must be known" {
	imalog convert "$NG"
	expect_usage_error convert
	local bad
	for bad in '' nonsense KERNEL le binary auto; do
		imalog convert -t "$bad" "$NG"
		expect_usage_error convert
	done
}

@test "convert: -q and -v" {
	mklog generate --records 5 --be -o be
	imalog_to out convert -q -t kernel be
	expect_status 0
	expect_no_stderr
	imalog_to out convert --quiet -t kernel missing
	expect_status 4
	expect_stderr missing
	convert kernel "$NG" out -v
	expect_same out "$NG"
	convert kernel "$NG" out --verbose
}
