#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# store: saved segments are listed, checked, rebuilt and pruned.

load helpers
load swtpm
load imafs
load export

setup() {
	make_machine
}

teardown() {
	exec 9<&-
	stop_machine
}

# Three segments: 1, 2 and 1 records
make_store() {
	expect_code 0 export -q
	imafs_ctl violation /x 2
	expect_code 0 export -q
	imafs_ctl add /one
	expect_code 0 export -q
	E=$STORE/epoch-000001
}

reset_machine() {
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
}

@test "store: list" {
	make_store
	expect_code 0 store list
	expect_stdout '^EPOCH SEGMENT STATE ' '^    1       2 committed +2-3 +[0-9]+ 20.*Z match$'
	[ "$(wc -l <<<"$output")" = 4 ] || fail 'not four lines'
	reset_machine
	expect_code 0 export -q
	imafs_ctl add /two
	expect_code 0 stage
	expect_code 0 save -q
	expect_code 0 store list
	expect_stdout '^    2       2 saved +2-2 '
	expect_code 0 store list 1 -q
	[ "$(wc -l <<<"$output")" = 3 ] || fail 'not three lines'
	expect_code 0 store list --json
	expect_json 'len(rows) == 2' "[r['current'] for r in rows] == [False, True]" \
		"[len(r['segments']) for r in rows] == [3, 2]" \
		"rows[1]['segments'][1]['state'] == 'saved'" \
		"rows[0]['segments'][2]['first_record'] == 4"
	rm "$E/receipts/00000002.json"
	expect_code 0 store list
	expect_stdout '^    1       2 log: no receipt can be read$'
	expect_code 4 store list 7
	expect_stderr 'the store has no epoch 7'
}

@test "store: check, with and without a TPM" {
	make_store
	expect_code 0 store check
	expect_stdout '^epoch 1: 3 segments, 4 records: sound$' '^nothing was compared with a TPM$'
	expect_code 0 store check --tcti "$TPM2TOOLS_TCTI" -q
	expect_no_stdout
	imafs_ctl violation /x 2
	expect_code 0 store check --tpm --json
	expect_json "d['verdict'] == 'match' and d['matched_at'] == 6 and d['records'] == 6" \
		"d['findings'] == [] and len(d['checks']) == 2"
	expect_code 0 stage
	expect_code 0 store check --tpm --bank sha256 --pcr 10
	expect_stdout '6 records with those in the kernel' 'match after record 6'
	local value
	value=$(imafs_ctl pcrs 10 | awk '/sha256/ { print $NF }')
	expect_code 0 save -q
	expect_code 4 store check --tpm
	expect_stderr "segment 4 is pending.*'imalog export' finishes that"
	expect_code 0 export -q
	expect_code 0 store check --expect "sha256:10=${value##*=}"
	imafs_ctl extend 10 foreign
	expect_code 1 store check --tpm
	expect_stdout 'PCR values: mismatch'
	reset_machine
	expect_code 0 export -q
	expect_code 2 store check 1 --tpm
	expect_code 0 store check 1 --expect "sha256:10=${value##*=}"
	expect_code 0 store check --tpm
}

@test "store: check names the first break" {
	make_store
	flip "$E/log.00000002" 60
	expect_code 1 store check
	expect_stderr '^imalog: epoch 1, segment 2: its SHA-256 is not that of its receipt$'
	flip "$E/log.00000002" 60
	flip "$E/log.00000003" 60
	expect_code 1 store check --json
	expect_json "d['findings'][0]['segment'] in (0, 3)" "d['verdict'] == 'not-checked'"
	flip "$E/log.00000003" 60
	truncate -s -1 "$E/log.00000002"
	expect_code 3 store check --json
	expect_stderr "'log.00000002': record 3 at 0x[0-9a-f]+: "
	expect_json "'error' in d"
	mv "$E/log.00000002" away
	expect_code 1 store check
	expect_stderr 'segment 2: it is missing'
}

@test "store: receipts are made again" {
	make_store
	expect_code 0 store rebuild -v
	expect_stdout 'nothing to make again'
	rm "$E"/receipts/*
	expect_code 1 store check
	imafs_ctl violation /x 2
	expect_code 4 export
	expect_stderr 'segment 3 of epoch 1 has no receipt: imalog store rebuild makes it again'
	expect_code 0 store rebuild
	expect_stderr 'segment 1: its receipt is made again' 'segment 3: its receipt is made again'
	expect_code 0 store check
	expect_code 0 export
	expect_proved
	flip "$E/log.00000002" 60
	expect_code 1 store rebuild
	expect_stderr 'segment 2: it is not what its receipt says'
}

@test "store: old epochs are pruned, never the current one" {
	make_store
	reset_machine
	expect_code 0 export -q
	reset_machine
	expect_code 0 export -q
	expect_code 2 store prune
	expect_code 0 store prune --keep-epochs 3
	expect_no_stdout
	expect_code 0 store prune --keep-epochs 2
	expect_stdout '^1 epoch removed$'
	mkdir -p "$ROOT/etc"
	echo 'keep-epochs = 1' >"$ROOT/etc/imalog.conf"
	expect_code 0 store prune
	[ "$(cd "$STORE" && echo epoch-*)" = epoch-000003 ] || fail 'not so'
	expect_code 0 store prune
	expect_no_stdout
	expect_proved
}

@test "store: nothing that is not the store's is pruned" {
	make_store
	reset_machine
	expect_code 0 export -q
	echo x >"$E/mine"
	expect_code 4 store prune --keep-epochs 1
	expect_stderr "'mine', which is no file of the store's"
	[ -e "$E/log.00000001" ] || fail 'removed'
}

@test "store: usage" {
	local args
	for args in '' 'x' 'list x' 'list 0' 'prune 1' 'check 1 2' 'list --tpm' 'check --start' \
		'check --keep-epochs 1' 'rebuild --json' 'prune --keep-epochs 0' \
		'check --padding sha1' 'list --wait x' 'list --store a --store b'; do
		# shellcheck disable=SC2086 # words
		imalog --root "$ROOT" store $args
		expect_usage_error store
	done
	imalog store check --start sha1:10=0000000000000000000000000000000000000000
	expect_usage_error store
	expect_code 4 store list
	expect_stderr 'cannot open the store: No such file'
}
