#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# store: saved segments are listed, checked, rebuilt and pruned.

load helpers
load swtpm
load imafs
load export
load faults

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

@test "store: check takes the lists as they are at one moment" {
	make_store
	imafs_ctl violation /x 2
	# Somebody stages between its looks at the one and the other.
	imafs_at before 'open@*measurements_sha1' stall
	"$IMALOG" --root "$ROOT" store check --tpm >out 2>err 3>&- &
	local pid=$!
	imafs_ctl await >stalled
	imalog --root "$ROOT" stage --wait 200ms
	imafs_ctl resume
	wait "$pid" || fail "status $?: $(cat out err)"
	grep -q '^PCR values: match after record 6$' out || fail "$(cat out)"
}

@test "store: many can look at it, and nobody who does holds up an export" {
	make_store
	exec 9<"$STORE/lock"
	flock -s 9
	expect_code 0 store list --wait 0
	expect_code 0 store check --tpm --wait 0
	expect_code 4 store rebuild --wait 0
	expect_code 4 store prune --keep-epochs 1 --wait 0
	exec 9<&-
}

@test "store: a check holds up no export" {
	local strace pid='' tries
	need_strace
	make_store
	# It stops where it begins to read, and the store is not locked any more.
	: >trace
	faults_strace -o trace -P 00000001.json -e inject=openat:signal=SIGSTOP -- \
		--root "$ROOT" store check --tpm >/dev/null 3>&- &
	strace=$!
	for ((tries = 0; tries < 200; tries++)); do
		pid=$(sed -n 's/^\([0-9]*\) openat.*/\1/p' trace)
		[ -z "$pid" ] || ! grep -q '^State:.*[Tt]' "/proc/$pid/status" || break
		sleep 0.05
	done
	imafs_ctl violation /x 2
	imalog --root "$ROOT" export --wait 0
	kill -CONT "$pid"
	wait "$strace"
	expect_status 0
	[ -e "$E/log.00000004" ] || fail 'not exported'
}

@test "store: list tells of quotes" {
	make_store
	"$PYTHON" -I -S -c '
import json, sys
receipt = json.load(open(sys.argv[1]))
receipt["quote"] = {"nonce": "00" * 32, "message_sha256": "00" * 32,
                    "signature_sha256": "00" * 32, "covers": 4}
json.dump(receipt, open(sys.argv[1], "w"))' "$E/receipts/00000003.json"
	expect_code 0 store list
	expect_stdout '^    1       3 .* match quote to record 4$'
	expect_code 0 store list --json
	expect_json "[s.get('quote_covers') for s in d['segments']] == [None, None, 4]"
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

@test "store: check of an epoch that has lost everything is no yes" {
	make_store
	rm "$E"/log.* "$E"/receipts/*
	expect_code 4 store check
	expect_stdout '^epoch 1: 0 segments, 0 records: nothing to check$'
	expect_stderr '^imalog: epoch 1 has no records that could be checked$'
	expect_code 4 store check --json
	: >"$E/pending.00000001"
	expect_code 4 store check -q
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
