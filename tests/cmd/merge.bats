#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog merge: saved pieces become one log, or it is said why not.

load helpers
load quote

STAGES=$STAGING/three-stages-and-trim
CARRIED=$STAGING/kexec-with-staged

# The five pieces under names that say nothing, the whole, and what the TPM said
make_pieces() {
	local name
	for name in stage1 stage2 stage3 trim4 list-at-end; do
		cat "$STAGES/$name.sha1"
	done >whole
	cp "$STAGES/stage1.sha1" d
	cp "$STAGES/stage2.sha1" a
	cp "$STAGES/stage3.sha1" e
	cp "$STAGES/trim4.sha1" b
	cp "$STAGES/list-at-end.sha1" c
	expectations "$STAGES/pcr10"
}

# split_log LOG N...: makes part1, part2, ... that end with these records, and the last
split_log() {
	local log=$1 from=1 i=1 last
	shift
	for last; do
		records "$log" "$from" "$last" >"part$i"
		from=$((last + 1))
		i=$((i + 1))
	done
	records "$log" "$from" "$(mklog index "$log" | wc -l)" >"part$i"
}

# ---- what kernels gave

@test "merge: pieces under names that say nothing, in the order that the TPM proves" {
	make_pieces
	imalog merge a b c d e "${expect[@]}" -o out
	expect_status 0
	expect_no_stderr
	expect_same out whole
	expect_stdout '^d  records 1\.\.11$' '^a  records 12\.\.16$' '^c  records 26\.\.30$' \
		'^reordered: ' '^The log holds: PCR 10 \(sha1, sha256\) as expected after record 30'
	imalog replay out "${expect[@]}"
	expect_status 0
}

@test "merge: records that a kexec carried over are joined once" {
	expectations "$CARRIED/after.pcr10"
	imalog merge "$CARRIED"/{after-list,before-list,before-staged}.sha1 "${expect[@]}" -o out
	expect_status 0
	expect_same out "$CARRIED/after-list.sha1"
	expect_stdout '^doubled: .*before-list.sha1 is not needed' \
		'^doubled: .*before-staged.sha1 is not needed'
}

@test "merge: nothing but the given order without anything to go by" {
	make_pieces
	imalog merge a b c -o out
	expect_status 4
	expect_stdout 'in the order given, and not proved\.$'
	expect_same out <(cat a b c)
}

@test "merge: a piece that is missing, foreign, cut or changed" {
	make_pieces
	imalog merge a b c d "${expect[@]}" -o out
	expect_status 1
	expect_stdout '^missing: no order of the pieces leads to what is expected' \
		'^The pieces do not make a log that holds\.$'
	imalog merge a b c d e "$NG" "${expect[@]}" -o out
	expect_status 1
	expect_stdout '^foreign: without .*binary_runtime_measurements the others lead'
	head -c -3 c >short
	imalog merge a b short d e "${expect[@]}" -o out
	expect_status 3
	expect_stdout '^cut: short cannot be read to its end: record 5 at ' \
		'^A piece cannot be read to its end\.$'
	flip c $(($(stat -c %s c) - 2))
	imalog merge a b c d e "${expect[@]}" -o out
	expect_status 1
	expect_stdout '^edited: c, record 5 at .*does not fit'
	[ ! -e out ] || fail 'what does not hold was written'
	expect_no_stderr
}

@test "merge: without a proof an old output stays as it is" {
	make_pieces
	echo old >out
	imalog merge a b c d "${expect[@]}" -o out
	expect_status 1
	[ "$(cat out)" = old ] || fail 'it was replaced'
	! compgen -G 'out?*' || fail 'something was left behind'
	imalog merge a b c d e "${expect[@]}" -o out
	expect_status 0
	expect_same out whole
}

@test "merge: equal records mean nothing, and what fits twice is refused" {
	mklog generate --records 6 --violations 5 -o log
	split_log log 3 4
	# The last of the violations may come before the others or behind them: all the same.
	imalog merge part1 part3 part2 --expect "$(mklog pcrs --bank sha256 log)" -o out
	expect_status 0
	expect_same out log
	# Given twice, it may as well be one more that came later.
	imalog merge part1 part3 part2 part2 --expect "$(mklog pcrs --bank sha256 log)" --json
	expect_status 1
	expect_json "d['result'] == 'ambiguous'" "len(d['candidates']) >= 2"
	imalog merge part1 part3 part2 part2 --expect "$(mklog pcrs --bank sha256 log)" -o out2
	expect_status 1
	expect_stdout '^candidate 1: 6 records: ' '^candidate 2: ' \
		'^Several sequences of records lead to what is expected'
	[ ! -e out2 ] || fail 'it was written'
}

@test "merge: records later than what is expected are said to be so" {
	mklog generate --records 40 -o log
	split_log log 10 20
	imalog merge part3 part1 part2 --expect "$(mklog pcrs --bank sha1 --first 30 log)" -o out
	expect_status 0
	expect_same out log
	expect_stdout 'after record 30 of 40, 10 records are later and not proved'
	# A piece that is later as a whole is proved by nothing.
	imalog merge part3 part1 part2 --expect "$(mklog pcrs --bank sha1 --first 15 log)"
	expect_status 1
	expect_stdout '^foreign: without part3 .* it is foreign, or later than that'
}

# ---- forms

@test "merge: pieces of several digest sizes, byte orders and formats" {
	mklog generate --records 40 --template mixed --violations 3 -o log
	mklog generate --records 40 --template mixed --violations 3 --bank sha256 -o log256
	mklog generate --records 40 --template mixed --violations 3 --bank sha512 -o log512
	"$IMALOG" convert -t kernel-be log >log-be
	"$IMALOG" convert -t ascii log >log-ascii
	records log 1 10 >p1
	records log256 11 20 >p2
	records log512 21 25 >p3
	records log-be 26 33 >p4
	tail -n 7 log-ascii >p5
	imalog merge p4 p2 p5 p1 p3 --expect "$(mklog pcrs --bank sha256 log)" -o out
	expect_status 0
	expect_same out log
	imalog merge -t ascii p4 p2 p5 p1 p3 --expect "$(mklog pcrs --bank sha1 log)" -o out
	expect_status 0
	expect_same out log-ascii
	imalog merge -t kernel-be p4 p2 p5 p1 p3 --expect "$(mklog pcrs --bank sha1 log)" -o out
	expect_status 0
	expect_same out log-be
}

@test "merge: pieces of one form keep their bytes" {
	local bank
	for bank in sha256 sha384; do
		split_log "${NG}_$bank" 10 30
		imalog merge part2 part3 part1 --pcr 10 --pcrs "$RIG/ng/pcrs.yaml" -o out
		expect_status 0 "$bank"
		expect_same out "${NG}_$bank"
	done
	mklog generate --records 30 --be -o log
	split_log log 10 20
	imalog merge part2 part3 part1 --expect "$(mklog pcrs --bank sha1 log)" -o out
	expect_status 0
	expect_same out log
}

@test "merge: banks that were extended with padded digests, and other PCRs" {
	local padding value
	mklog generate --records 30 --violations 4 --pcr 10,11 -o log
	split_log log 7 19
	for padding in perbank sha1 sha1-short; do
		expect=()
		while read -r value; do
			expect+=(--expect "$value")
		done < <(mklog pcrs --bank sha256 --padding "$padding" log)
		[ ${#expect[@]} -eq 4 ] || fail "${expect[*]}"
		imalog merge part2 part3 part1 "${expect[@]}" -o out
		expect_status 0 "$padding"
		expect_same out log
	done
	imalog merge part2 part3 part1 "${expect[@]}" --padding perbank
	expect_status 1
}

@test "merge: from the start values of a piece" {
	mklog generate --records 30 -o log
	split_log log 10 20
	imalog merge part3 part2 --start "$(mklog pcrs --bank sha256 part1)" \
		--expect "$(mklog pcrs --bank sha256 log)" -o out
	expect_status 0
	expect_stdout 'rests on the start value'
	expect_same out <(cat part2 part3)
}

# ---- receipts

# make_receipts PIECE...: what the store would say of these segments, in receipts/
make_receipts() {
	mkdir receipts
	"$PYTHON" -I -S - "$MKLOG" "$@" <<-'END'
		import hashlib, json, subprocess, sys
		mklog, *names = sys.argv[1:]
		def values(data):
		    out = {}
		    if data:
		        args = [sys.executable, "-I", "-S", mklog, "pcrs", "--digest-size", "20",
		                "--le", "--bank", "sha1", "--bank", "sha256", "-"]
		        text = subprocess.run(args, input=data, stdout=subprocess.PIPE).stdout
		        for line in text.decode().split():
		            bank, rest = line.split(":")
		            out.setdefault(bank, {}).update([rest.split("=")])
		    return out
		def count(data):
		    args = [sys.executable, "-I", "-S", mklog, "index", "-"]
		    return subprocess.run(args, input=data, stdout=subprocess.PIPE).stdout.count(b"\n")
		data, first = b"", 1
		for i, name in enumerate(names):
		    piece = open(name, "rb").read()
		    receipt = {"version": 1, "segment": i + 1, "state": "committed",
		               "first_record": first, "records": count(piece),
		               "bytes": len(piece), "violations": 0,
		               "sha256": hashlib.sha256(piece).hexdigest(),
		               "before": values(data), "after": values(data + piece),
		               "previous": "0" * 64, "verdict": "not-checked"}
		    json.dump(receipt, open("receipts/%08d.json" % (i + 1), "w"))
		    data += piece
		    first += receipt["records"]
	END
}

@test "merge: a store's segments under other names, by its receipts" {
	local i
	make_pieces
	make_receipts d a e b c
	imalog merge a b c d e --receipts receipts "${expect[@]}" -o out
	expect_status 0
	expect_same out whole
	expect_stdout '^d  records 1\.\.11  segment 1, sha256 ok$' \
		'^c  records 26\.\.30  segment 5, sha256 ok$'

	imalog merge a b c d e --receipts receipts -o out2
	expect_status 4
	expect_same out2 whole
	expect_stdout '^By their receipts the pieces are one log of 30 records\.  Nothing was'

	imalog merge a b c d --receipts receipts "${expect[@]}"
	expect_status 1
	expect_stdout '^missing: segment 3, records 17 to 21, is missing\.$'

	imalog merge a b c d e "$NG" --receipts receipts "${expect[@]}" --json
	expect_status 1
	expect_json "{p['kind'] for p in d['problems']} == {'foreign'}" \
		"d['problems'][0]['piece'] == '$NG'"

	head -c 300 e >short
	imalog merge a b c d short --receipts receipts "${expect[@]}"
	expect_status 3
	expect_stdout '^cut: short cannot be read' \
		'^cut: short seems to be segment 3, cut: it has 3 whole records, its receipt says 5\.$'

	# Where two may be the missing one, neither is called so, whatever its name is.
	cp "$NG" log.00000003
	records e 1 4 >short
	imalog merge a b c d short log.00000003 --receipts receipts "${expect[@]}"
	expect_status 1
	expect_stdout '^missing: segment 3, records 17 to 21, is missing\.$'
	[[ $output != *'seems to be'* ]] || fail 'a name was believed'
	imalog merge a b --epoch 3 "${expect[@]}"
	expect_status 4
	expect_stdout '^No receipt was given, so that nothing says which piece'
	# A piece behind one that cannot be read was not read itself.
	{ head -c 24 d && printf '\377\377\377\377' && tail -c +29 d; } >broken
	imalog merge a b c broken e --receipts receipts "${expect[@]}"
	expect_status 3
	expect_stdout '^broken  no records  segment 1, sha256 not checked$'
	imalog merge a b c d short --receipts receipts "${expect[@]}"
	expect_status 1
	expect_stdout '^cut: short seems to be segment 3, cut: it has 4 whole records'

	flip e 10
	imalog merge a b c d e --receipts receipts "${expect[@]}"
	expect_status 1
	expect_stdout '^edited: e, record 17 of the log, .*does not fit' \
		'^edited: e seems to be segment 3 .*: it was changed\.$'
	[ "$(ls receipts | wc -l)" -eq 5 ] || fail 'receipts were changed'
}

@test "merge: a gap that only receipts know is said, also of pieces without one" {
	mklog generate --records 20 --pcr 10 -o all
	records all 1 10 >one
	mklog generate --records 4 --pcr 11 -o elsewhere
	records all 11 15 >three
	records all 16 20 >loose
	make_receipts one elsewhere three
	mklog pcrs --bank sha256 all >values
	# What is expected of PCR 10 says nothing of records of PCR 11.
	imalog merge three loose one --receipts receipts --pcrs values
	expect_status 1
	expect_stdout '^missing: by the receipts 4 records are missing before three\.$' \
		'^unseen: segment 2, records 11 to 14, is not among the pieces, unless '
	imalog merge three loose elsewhere one --receipts receipts --pcrs values
	expect_status 0
	! grep -qE 'missing|not among' <<<"$output" || fail 'no gap expected'
	# A piece that no receipt knows may have them
	{ cat elsewhere; records all 11 12; } >both
	records all 13 15 >rest
	imalog merge one both rest loose --receipts receipts --pcrs values
	expect_status 0
	expect_stdout '^segment 2, records 11 to 14, is not among the pieces: by its values, ' \
		'^segment 3, records 15 to 19, is not among the pieces: by its values, '
	# ... or may have others instead, of which there are as many.
	mklog generate --records 5 --pcr 12 -o others
	{ records others 1 4; records all 11 12; } >both
	imalog merge one both rest loose --receipts receipts --pcrs values -o out
	expect_status 4
	expect_stdout '^unseen: segment 2, records 11 to 14, is not among the pieces, unless ' \
		'^A receipt names records that may be missing: that the log is whole is not'
	[ -s out ] || fail 'what is only not proved should be written'
	imalog merge one both rest loose --receipts receipts --pcrs values --json
	expect_status 4
	expect_json "d['result'] == 'receipts'" \
		"[p['kind'] for p in d['problems']][-2:] == ['unseen', 'unseen']"
	# What is later than all that is there is not asked for.
	rm -r receipts
	make_receipts one three loose
	records all 11 12 >first
	records all 13 15 >second
	cat one three | mklog pcrs --bank sha256 - >values
	imalog merge second one first --receipts receipts --pcrs values
	expect_status 0
	expect_stdout '^segment 2, records 11 to 15, is not among the pieces: by its values, ' \
		'^segment 3, records 16 to 20, which is later, is not among the pieces\.$'
}

@test "merge: a directory that has no receipts" {
	mkdir none
	imalog merge "$NG" --receipts none
	expect_status 4
	expect_stderr "^imalog: 'none': there are no receipts$"
	imalog merge "$NG" --receipts absent
	expect_status 4
	expect_stderr "^imalog: 'absent': cannot open the directory: "
}

# ---- quotes

@test "merge: what a quote has signed" {
	need_quotes
	rig_quote ng quote
	split_log "$NG" 10 30
	imalog merge part3 part1 part2 "${quote[@]}" -o out
	expect_status 0
	expect_no_stderr
	expect_same out "$NG"
	expect_stdout '^part3  records 31\.\.45$' '^log +ok ' \
		'^The quote covers records 1\.\.45 of 45; 0 later\.$'
	imalog merge part3 part1 part2 "${quote[@]}" --json
	expect_status 0
	expect_json "d['result'] == 'proved'" "d['quote']['covers'] == 45" \
		"d['quote']['verdict'] == 'ok'" "'replay' not in d"
	imalog merge part3 part2 "${quote[@]}" -o out2
	expect_status 1
	imalog merge part3 part1 part2 "${quote[@]}" --nonce 00 -o out2
	expect_status 2
}

@test "merge: a quote that proves nothing writes nothing" {
	need_quotes
	rig_quote ng quote
	split_log "$NG" 10 30
	cp "$RIG/ng/quote.sig" sig
	flip sig 30
	quote[3]=sig
	imalog merge part3 part1 part2 "${quote[@]}" -o out
	expect_status 1
	expect_stdout '^signature +FAIL'
	[ ! -e out ] || fail 'it was written'
}

# ---- input and output

@test "merge: standard input and output, and what can be read only once" {
	make_pieces
	run_to out "$IMALOG" merge - b <(cat c) d e "${expect[@]}" -o - <a
	expect_status 0
	expect_same out whole
	grep -q '^The log holds: ' <<<"$stderr" || fail 'no report on standard error'
	run_to out "$IMALOG" merge - b d e "${expect[@]}" -o - <a
	expect_status 1
	[ ! -s out ] || fail 'what does not hold was written'
	imalog_from a merge - - "${expect[@]}"
	expect_usage_error merge
	run bash -c "'$IMALOG' merge a b c d e ${expect[*]} -o - >/dev/full"
	expect_status 4
}

@test "merge: one object, and nothing when it should be quiet" {
	make_pieces
	imalog merge --json a b c d e "${expect[@]}"
	expect_status 0
	expect_json 'len(rows) == 1' \
		"list(d) == ['result', 'records', 'parts', 'epochs', 'problems', 'candidates',
			'replay']" \
		"d['result'] == 'proved'" "d['records'] == 30" \
		"[p['piece'] for p in d['parts']] == ['d', 'a', 'e', 'b', 'c']" \
		"[p['first_record'] for p in d['parts']] == [1, 12, 17, 22, 26]" \
		"sum(p['records'] for p in d['parts']) == 30" \
		"[p['kind'] for p in d['problems']] == ['reordered']" \
		"d['replay']['verdict'] == 'match'" "d['replay']['matched_at'] == 30"
	imalog merge -q a b c d e "${expect[@]}"
	expect_status 0
	expect_no_stdout
	expect_no_stderr
}

@test "merge: names are printed so that a terminal can take them" {
	local name=$'x\e[31m\ny'
	make_pieces
	mv a "$name"
	imalog merge "$name" b c d e "$NG" "${expect[@]}"
	expect_status 1
	[[ $output != *$'\e'* ]] || fail 'a name was printed as it is'
	imalog merge "$name" b c d e "${expect[@]}"
	expect_status 0
	[[ $output != *$'\e'* ]] || fail 'a name was printed as it is'
	imalog merge "$name" b c d e "${expect[@]}" --json
	expect_json "d['parts'][1]['piece'] == 'x\\x1b[31m\\ny'"
}

@test "merge: PCRs that were asked for and not given leave it unproved" {
	make_pieces
	imalog merge a b c d e "${expect[@]}" --bank sha1 --bank sha384 -o out
	expect_status 4
	expect_same out whole
	imalog merge a b c d e --expect "sha1:12=$(zeros 20)"
	expect_status 4
}

@test "merge: more pieces than can be tried are refused" {
	local i
	mklog generate --records 9 -o log
	for i in 1 2 3 4 5 6 7 8 9; do
		records log "$i" "$i" >"p$i"
	done
	imalog merge p? --expect "$(mklog pcrs --bank sha1 log)" -o out
	expect_status 4
	expect_stdout '^there are too many possibilities: more than 8 pieces' 'receipts would tell'
	[ ! -e out ] || fail 'it was written'
}

# ---- the command line

@test "merge: command lines that are wrong" {
	local words
	while read -r words; do
		# shellcheck disable=SC2086 # words
		imalog merge $words
		expect_usage_error merge
	done <<-END
		-t kernel
		$NG -t cel
		$NG --epoch 0
		$NG --epoch x
		$NG --epoch 1 --epoch 2
		$NG -o a -o b
		$NG --quote q
		$NG --nonce 00
		$NG --max-later 3
		$NG --quote q --signature s --key k --tpm
		$NG --quote q --signature s --key k --pcr 10
		$NG --quote q --signature s --key k --nonce 00 --no-nonce
		$NG --wait 5s
		$NG --config file
		$NG --tpm --sysfs
		--live --epoch 1
		--list-only $NG
	END
	imalog merge absent "$NG"
	expect_status 4
	expect_stderr "^imalog: cannot open 'absent': "
}
