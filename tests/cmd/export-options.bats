#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# export: --watch, thresholds, quotes; store: rebuild and prune, and exports behind them.

load helpers
load swtpm
load imafs
load export

setup() {
	WATCHER=''
	make_machine
}

teardown() {
	[ -z "$WATCHER" ] || kill -KILL "$WATCHER" 2>/dev/null || true
	stop_machine
	stop_swtpm quoting
}

# until_true COMMAND...: waits until it succeeds, ten seconds at most
until_true() {
	local tries
	for ((tries = 0; tries < 200; tries++)); do
		! "$@" || return 0
		sleep 0.05
	done
	fail "never: $*"
}

# ---- --watch

# watch OPTION...: in the background; what it prints is in out and err
watch() {
	"$IMALOG" --root "$ROOT" export --watch 50ms "$@" >out 2>err 3>&- 9>&- &
	WATCHER=$!
}

is_gone() {
	! kill -0 "$WATCHER" 2>/dev/null
}

# expect_watcher STATUS [SIGNAL]: sends it, and waits for its end
expect_watcher() {
	local status=0
	[ $# -lt 2 ] || kill "-$2" "$WATCHER"
	until_true is_gone
	wait "$WATCHER" || status=$?
	WATCHER=''
	[ "$status" -eq "$1" ] || fail "status $1 expected, not $status: $(cat err)"
}

has_segment() {
	[ -e "$STORE/current/log.0000000$1" ]
}

# A look opens what is staged.
has_looked() {
	[ "$(imafs_ctl log | grep -c 'open .*_staged')" -ge "$1" ]
}

@test "export --watch: takes what comes, says nothing when idle, ends at SIGTERM" {
	watch
	until_true has_segment 1
	imafs_ctl violation /x 2
	until_true has_segment 2
	imafs_ctl violation /x 2
	until_true has_segment 3
	imafs_single
	imafs_ctl log clear
	until_true has_looked 4
	! imafs_ctl log | grep -E 'open .*(RDWR|WR)' || fail 'held for nothing'
	expect_watcher 0 TERM
	[ "$(grep -o '^epoch 1, segment [0-9]*: ' out | tr -d '\n')" = \
		'epoch 1, segment 1: epoch 1, segment 2: epoch 1, segment 3: ' ] || fail "$(cat out)"
	[ "$(wc -l <out)" -eq 3 ] || fail "more was said: $(cat out)"
	[ ! -s err ] || fail "$(cat err)"
	[ "$(segments)" = 'log.00000001 log.00000002 log.00000003' ] || fail "$(segments)"
	expect_proved
}

@test "export --watch: an export that has begun is finished before it ends" {
	local signal number=0
	for signal in TERM INT; do
		number=$((number + 1))
		imafs_ctl violation /x 2
		imafs_at before D stall
		watch -q
		imafs_ctl await >stalled
		kill "-$signal" "$WATCHER"
		[ -e "$STORE/current/pending.0000000$number" ] || fail 'not saved before D'
		imafs_ctl resume
		expect_watcher 0
		[ ! -s out ] && [ ! -s err ] || fail "$(cat out err)"
		has_segment "$number" || fail "$signal: $(segments)"
	done
	expect_code 0 store list --json
	expect_json "[s['state'] for s in d['segments']] == ['committed'] * 2"
	expect_proved
}

@test "export --watch: goes on after a look that failed; the last one has the status" {
	imafs_at before D fail EIO
	watch --json
	until_true has_segment 1
	imafs_ctl add /one
	until_true has_segment 2
	expect_watcher 0 INT
	grep -q 'Input/output error' err || fail "$(cat err)"
	output=$(cat out)
	expect_json "len(rows) == 3 and 'error' in rows[0]" \
		"[len(r['segments']) for r in rows[1:]] == [1, 1]"
	expect_proved
	exec 9<"$IMA/ascii_runtime_measurements"
	imafs_ctl add /two
	watch --wait 0
	until_true grep -q 'is held open by' err
	expect_watcher 4 TERM
	exec 9<&-
	expect_code 0 export
	expect_proved
}

@test "export --watch: a signal ends the wait for others, too" {
	exec 9<"$IMA/ascii_runtime_measurements"
	watch --wait 1h
	until_true has_looked 2
	expect_watcher 0 TERM
	[ ! -s out ] && [ ! -s err ] || fail "$(cat out err)"
	watch --wait 200ms
	until_true grep -q 'is held open by' err
	exec 9<&-
	until_true has_segment 1
	expect_watcher 0 TERM
	expect_proved
}

@test "export --watch: what was done before others came is printed" {
	imafs_ctl violation /x 4
	imafs_at after N at before open-write fail EBUSY
	watch --slice 2
	until_true has_segment 2
	expect_watcher 0 TERM
	grep -q '^epoch 1, segment 1: 2 records from 1,' out || fail "$(cat out err)"
	grep -q 'is busy' err || fail "$(cat err)"
	expect_code 0 export
	expect_proved
}

@test "export --watch: what is found out is printed, too, where nothing is exported" {
	expect_code 0 export
	# It must stage to know that there is nothing.
	imafs_ctl set count 5
	TPM2TOOLS_TCTI=swtpm:path=none watch --json
	until_true grep -q unchecked out
	expect_watcher 4 TERM
}

@test "export --watch: thresholds, and -v" {
	expect_code 0 export
	watch -v --min-records 3
	until_true grep -q '^nothing to do$' out
	imafs_ctl violation /x 2
	imafs_ctl log clear
	until_true has_looked 3
	! has_segment 2 || fail 'two are enough'
	imafs_ctl violation /x 1
	until_true has_segment 2
	expect_watcher 0 TERM
	grep -q 'segment 2: 3 records' out || fail "$(cat out)"
	expect_proved
}

@test "export --watch: ends at once where the kernel deletes nothing" {
	imafs_stop
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --kernel 7.1
	watch
	expect_watcher 4
	grep -q 'Linux 7\.2' err || fail "$(cat err)"
}

# ---- thresholds

# expect_nothing OPTION..., expect_export OPTION...: of one export
expect_nothing() {
	expect_code 0 export -v "$@"
	[ "$output" = 'nothing to do' ] || fail "$*: something was done"
}

expect_export() {
	expect_code 0 export "$@"
	expect_stdout "^epoch 1, segment [0-9]+: "
	[ "$(cat "$IMA/runtime_measurements_count")" = 0 ] || fail "$*: not all"
}

list_size() {
	wc -c <"$IMA/binary_runtime_measurements"
}

@test "export: --min-records, --min-bytes and --max-age, each alone" {
	# Without a receipt, the last export is long ago
	expect_export --max-age 1d
	imafs_ctl violation /x 9
	expect_nothing --min-records 10
	imafs_ctl violation /x 1
	expect_export --min-records 10
	imafs_ctl violation /x 3
	expect_nothing --min-bytes $(($(list_size) + 1))
	expect_nothing --min-bytes 1K
	expect_export --min-bytes "$(list_size)"
	imafs_ctl bulk 12
	expect_export --min-bytes 1K
	expect_nothing --max-age 0
	imafs_ctl add /one
	expect_nothing --max-age 1h
	touch -d '59 minutes ago' "$STORE"/current/receipts/*.json
	expect_nothing --max-age 1h
	touch -d '61 minutes ago' "$STORE"/current/receipts/*.json
	expect_nothing --max-age 1d
	expect_export --max-age 1h
	# Old, but there is nothing
	touch -d '2 days ago' "$STORE"/current/receipts/*.json
	expect_nothing --max-age 1h
	imafs_ctl add /two
	expect_nothing --max-age 60d
	expect_code 2 export --max-age 9999999999d
	expect_code 2 export --min-bytes 1T
	mkdir -p "$ROOT/etc"
	echo 'min-bytes = 1T' >"$ROOT/etc/imalog.conf"
	expect_code 3 export
	printf 'min-records = 5\n\0\nmin-records = 6\n' >"$ROOT/etc/imalog.conf"
	expect_code 3 export
	expect_stderr 'imalog.conf.: there is a byte in it that is no text: 0'
	rm "$ROOT/etc/imalog.conf"
	expect_code 0 export
	expect_proved
}

@test "export: thresholds together, one that is met is enough" {
	expect_code 0 export
	local none=(--min-records 5 --min-bytes 100K --max-age 1h)
	imafs_ctl violation /x 4
	expect_nothing "${none[@]}"
	expect_export --min-records 4 --min-bytes 100K --max-age 1h
	imafs_ctl violation /x 4
	expect_export --min-records 5 --min-bytes 100 --max-age 1h
	imafs_ctl violation /x 4
	touch -d '2 hours ago' "$STORE"/current/receipts/*.json
	expect_export "${none[@]}"
	imafs_ctl violation /x 4
	mkdir -p "$ROOT/etc"
	printf '%s\n' 'min-records = 5' 'min-bytes = 100K' 'max-age = 1h' >"$ROOT/etc/imalog.conf"
	expect_nothing
	expect_nothing --min-records 0
	expect_export --min-records 0 --min-bytes 0 --max-age 0
	expect_proved
}

# ---- --ak

# A machine whose firmware measured as its event log says, with a key in a file and
# under a handle
make_quoting() {
	stop_machine
	start_swtpm quoting sha1,sha256
	extend_as_firmware "$RIG/ng/binary_bios_measurements"
	imafs_start quoted --tcti "$TPM2TOOLS_TCTI"
	STORE=$ROOT/var/lib/imalog
	mkdir -p "${STORE%/*}"
	{
		tpm2_createek -Q -c ek.ctx -G ecc &&
			tpm2_createak -Q -C ek.ctx -c ak.ctx -u ak.pub -G ecc -g sha256 -s ecdsa &&
			tpm2_flushcontext -t && # there is no resource manager
			tpm2_evictcontrol -Q -C o -c ak.ctx 0x81010002 &&
			tpm2_flushcontext -t
	} || fail 'no key'
	cp "$RIG/ng/binary_bios_measurements" eventlog
}

# expect_quote SEGMENT COVERS RECEIPT-BEFORE: both programs verify it, with that nonce
expect_quote() {
	local base nonce covers=$2
	base=$STORE/current/receipts/$(printf '%08d' "$1")
	nonce=$(sha256sum <"$3" | cut -d ' ' -f 1)
	output=$(tr -d '\n' <"$base.json")
	expect_json "d['quote']['nonce'] == '$nonce'" "d['quote']['covers'] == $covers" \
		"d['quote']['message_sha256'] == '$(sha256sum <"$base.quote" | cut -c 1-64)'" \
		"d['quote']['signature_sha256'] == '$(sha256sum <"$base.signature" | cut -c 1-64)'" \
		"list(d['pcrs']) == ['sha1', 'sha256']" "len(d['pcrs']['sha256']) == 11"
	tpm2_checkquote -Q -u ak.pub -m "$base.quote" -s "$base.signature" -q "$nonce" ||
		fail 'tpm2_checkquote refuses it'
	imalog quote-verify --quote "$base.quote" --signature "$base.signature" --key ak.pub \
		--nonce "$nonce" --eventlog eventlog "$STORE"/current/log.*
	expect_status 0 "segment $1"
	expect_stdout "^log +ok +covers up to record $covers\$"
	# Not with another nonce, and not without the records
	imalog quote-verify --quote "$base.quote" --signature "$base.signature" --key ak.pub \
		--nonce "${nonce/[0-9]/f}0" --eventlog eventlog "$STORE"/current/log.*
	[ "$status" -ne 0 ] || fail 'any nonce will do'
	imalog quote-verify --quote "$base.quote" --signature "$base.signature" --key ak.pub \
		--nonce "$nonce" --eventlog eventlog \
		<(cat "$STORE"/current/log.* | head -c "$(offset <(cat "$STORE"/current/log.*) "$covers")")
	[ "$status" -ne 0 ] || fail 'covered without its last record'
}

@test "export --ak: quotes verify, are in the order of the receipts, and cover what they say" {
	make_quoting
	imafs_ctl violation /x 2
	expect_code 0 export --ak ak.ctx
	expect_quote 1 3 /dev/null
	# Two records between quote and staging
	imafs_ctl violation /x 2
	imafs_at before A violation /x 2
	expect_code 0 export --ak 0x81010002
	expect_stdout 'segment 2: 4 records from 4, .*: match after record 7$'
	expect_quote 2 5 "$STORE/current/receipts/00000001.json"
	# A segment without a quote is part of the chain.
	imafs_ctl add /one
	expect_code 0 export
	[ ! -e "$STORE/current/receipts/00000003.quote" ] || fail 'nobody asked for it'
	imafs_ctl add /two
	expect_code 0 export --ak ak.ctx
	expect_quote 4 9 "$STORE/current/receipts/00000003.json"
	expect_proved
}

@test "export --ak: a quote before all records of its segment" {
	make_quoting
	expect_code 0 export
	imafs_ctl add /staged
	expect_code 0 stage
	# The second look finds an empty list, until it stages
	imafs_at before A:1 violation /x 2
	expect_code 0 export --ak ak.ctx
	expect_stdout 'segment 3: 2 records from 3, .*: match after record 4$'
	expect_quote 2 2 "$STORE/current/receipts/00000001.json"
	expect_quote 3 2 "$STORE/current/receipts/00000002.json"
	expect_proved
}

@test "export --ak: the chain goes on in the next epoch" {
	make_quoting
	imafs_ctl add /one
	expect_code 0 export --ak ak.ctx
	stop_swtpm quoting
	start_swtpm quoting
	extend_as_firmware "$RIG/ng/binary_bios_measurements"
	imafs_ctl reboot
	expect_code 0 export --ak 0x81010002
	expect_stdout '^epoch 2, segment 1: '
	expect_quote 1 1 "$STORE/epoch-000001/receipts/00000001.json"
	expect_proved
}

@test "export --ak: without a quote the records are saved all the same, and it is said" {
	make_quoting
	expect_code 4 export --ak nothing
	expect_stderr 'there is no quote: cannot open the context of the key'
	expect_stdout ': match after record 1$'
	imafs_ctl add /one
	expect_code 4 export --ak 0x81010009
	expect_stderr 'there is no quote: cannot load the key'
	expect_stdout ': match after record 2$'
	expect_code 2 export --ak 0xzz
	expect_usage_error export
	[ "$(segments)" = 'log.00000001 log.00000002' ] || fail "$(segments)"
	! ls "$STORE"/current/receipts/*.quote || fail 'a quote of nothing'
	expect_proved
}

# ---- store rebuild and prune

# Five segments, the last of which was interrupted; E is their epoch, R its receipts
make_store() {
	local i
	expect_code 0 export -q
	for i in 2 3 4; do
		imafs_ctl violation /x 2
		expect_code 0 export -q
	done
	imafs_ctl violation /x 2
	imafs_at after D kill
	imalog --root "$ROOT" export
	expect_code 0 export -q
	E=$STORE/epoch-000001
	R=$E/receipts
	[ "$(segments)" = 'log.00000001 log.00000002 log.00000003 log.00000004 log.00000005' ] ||
		fail "$(segments)"
	cp -a "$R" intact
}

# expect_rebuilt NUMBER...: these receipts are made again, the others left, and all is well
expect_rebuilt() {
	local number expected=''
	expect_code 1 store check
	expect_code 0 store rebuild
	for number; do
		expected+="imalog: epoch 1, segment $number: its receipt is made again"$'\n'
		same_but_machine "$number"
	done
	[ "$stderr"$'\n' = "$expected" ] || fail 'other receipts'
	for number in 1 2 3 4 5; do
		[[ " $* " == *" $number "* ]] ||
			expect_same "intact/0000000$number.json" "$R/0000000$number.json"
	done
	expect_code 0 store check
	expect_code 0 store rebuild -v
	[ "$output" = 'nothing to make again' ] || fail 'not all was made at once'
	imafs_ctl violation /x 2
	expect_code 0 export
	expect_stdout 'segment 6: 2 records from 10, .* match after record 11$'
	expect_no_stderr
	expect_proved
}

# What the segment says is as before.
same_but_machine() {
	"$PYTHON" -I -S -c '
import json, sys
old, new = (json.load(open(name)) for name in sys.argv[1:])
assert new["rebuilt"] and new["undetermined"] and new["verdict"] == "not-checked"
for key in ("version", "segment", "state", "first_record", "records", "bytes",
            "ascii_bytes", "violations", "sha256", "before", "after"):
    assert old[key] == new[key], key
for key in "time", "kernel", "boot_id", "tpm", "pcrs", "matched_at":
    assert key not in new, key
' "intact/0000000$1.json" "$R/0000000$1.json" || fail "receipt $1 is not the same"
}

@test "store rebuild: one receipt is lost" {
	make_store
	rm "$R/00000003.json"
	expect_rebuilt 3
}

@test "store rebuild: the last one is lost, and no export goes on without it" {
	make_store
	rm "$R/00000005.json"
	imafs_ctl add /waits
	expect_code 4 export
	expect_stderr 'segment 5 of epoch 1 has no receipt: imalog store rebuild makes it again'
	expect_code 1 store check
	expect_code 0 store rebuild
	same_but_machine 5
	expect_code 0 export
	expect_proved
}

@test "store rebuild: all are lost" {
	make_store
	rm "$R"/*.json
	expect_rebuilt 1 2 3 4 5
	# What comes later proves where it belongs.
	expect_code 0 store list --json
	expect_json "[s.get('undetermined', False) for s in d['segments']] == [True] * 5 + [False]"
}

@test "store rebuild: damaged ones" {
	make_store
	truncate -s 100 "$R/00000002.json"
	sed -i 's/"version": 1,/"version": 1, "version": 1,/' "$R/00000003.json"
	sed -i 's/"state": "committed"/"state": "done"/' "$R/00000005.json"
	imafs_ctl add /waits
	expect_code 3 export
	expect_stderr "'epoch-000001/receipts/00000005.json': .*: imalog store rebuild 1 makes it"
	expect_code 0 store list
	expect_stdout '^ +1 +2 log: no receipt can be read$' '^ +1 +4 committed '
	expect_code 0 store rebuild
	same_but_machine 2
	same_but_machine 3
	same_but_machine 5
	expect_code 0 store check
	expect_code 0 export
	expect_proved
}

@test "store rebuild: of a pending segment" {
	local part
	expect_code 0 export -q
	for part in one two; do
		# Not deleted, and then deleted by somebody else
		imafs_ctl violation /x 2
		imafs_at before D fail EIO
		expect_code 4 export
		imafs_ctl clear
		: >"$STORE/current/receipts/$(segments | grep -o '[0-9]*$').json"
		[ "$part" = one ] || echo D 1<>"$IMA/binary_runtime_measurements_staged"
		[ "$part" = one ] || imafs_ctl violation /x 2
		expect_code 3 export
		expect_stderr 'the receipt is empty: imalog store rebuild 1 makes it again'
		expect_code 0 store rebuild
		expect_stderr 'its receipt is made again'
		expect_code 0 store list
		expect_stdout ' deleting '
		expect_code 0 export
		expect_proved
	done
}

@test "store rebuild: what is not what its receipt says, or is missing, stays so" {
	make_store
	flip "$E/log.00000002" 60
	rm "$R/00000004.json"
	expect_code 1 store rebuild
	expect_stderr 'segment 2: it is not what its receipt says: left as it is' \
		'segment 4: its receipt is made again'
	expect_same intact/00000002.json "$R/00000002.json"
	expect_code 1 store check
	rm "$E/log.00000002"
	expect_code 1 store rebuild
	expect_stderr 'segment 2: it is missing: nothing can be made of it'
	expect_code 1 store check
}

reset_machine() {
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
}

epochs() {
	(cd "$STORE" && echo epoch-*)
}

@test "store prune: --keep-epochs" {
	local i
	expect_code 0 export -q
	for i in 2 3 4; do
		reset_machine
		imafs_ctl add "/$i"
		expect_code 0 export -q
	done
	expect_code 0 store prune --keep-epochs 9
	expect_no_stdout
	expect_code 0 store prune --keep-epochs 3
	expect_stdout '^1 epoch removed$'
	[ "$(epochs)" = 'epoch-000002 epoch-000003 epoch-000004' ] || fail "$(epochs)"
	# It stops at one that cannot go, and removes none behind it
	touch "$STORE/epoch-000002/mine"
	expect_code 4 store prune --keep-epochs 1
	[ "$(epochs)" = 'epoch-000002 epoch-000003 epoch-000004' ] || fail "$(epochs)"
	rm "$STORE/epoch-000002/mine"
	mv "$STORE/epoch-000002/log.00000001" "$STORE/epoch-000002/pending.00000001"
	expect_code 4 store prune --keep-epochs 1
	expect_stderr 'segment 1 of epoch 2 is pending'
	mv "$STORE/epoch-000002/pending.00000001" "$STORE/epoch-000002/log.00000001"
	expect_code 0 store prune -q --keep-epochs 1
	expect_no_stdout
	[ "$(epochs)" = epoch-000004 ] || fail "$(epochs)"
	expect_code 0 store check
	imafs_ctl add /later
	expect_code 0 export
	expect_stdout '^epoch 4, segment 2: .* match'
	expect_proved
}
