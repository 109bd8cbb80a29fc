#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# export: the list leaves the kernel and comes to the store, and nothing is lost.

load helpers
load swtpm
load imafs
load export

setup() {
	make_machine
}

teardown() {
	exec 9<&-
	umount -l "$BATS_TEST_TMPDIR/disk" 2>/dev/null || true
	stop_machine
}

@test "export: measure, export, measure, export; the store is the log" {
	imafs_ctl add /one /two
	imafs_ctl violation /x 3
	expect_code 0 export
	expect_stdout '^epoch 1, segment 1: 6 records from 1, [0-9]+ bytes: match after record 6$'
	expect_no_stderr
	[ "$(segments)" = log.00000001 ] || fail "$(segments)"
	imafs_ctl violation /x 3
	imafs_ctl add /three
	expect_code 0 export
	expect_proved
	[ ! -s "$IMA/binary_runtime_measurements" ] || fail 'not deleted'
	expect_same all <(cat "$STORE"/current/log.*)
	imafs_single
}

@test "export: nothing to do is 0, and reads nothing that changed" {
	expect_code 0 export -q
	expect_no_stdout
	expect_no_stderr
	imafs_ctl log clear
	touch -a -d @1 "$STORE"/epoch-000001/{log.00000001,receipts/00000001.json}
	expect_code 0 export
	expect_no_stdout
	expect_code 0 export -v
	expect_stdout '^nothing to do$'
	[ "$(stat -c %X "$STORE/epoch-000001/receipts/00000001.json")" = 1 ] ||
		fail 'the receipt was read'
	# Nor is anything held
	! imafs_ctl log | grep -E 'open .*(RDWR|WR)' || fail 'held for nothing'
}

@test "export: no store is made for nothing" {
	imafs_ctl set count 0
	expect_code 0 export
	[ ! -e "$STORE" ] || fail 'made'
}

@test "export: thresholds" {
	expect_code 0 export
	imafs_ctl bulk 9
	expect_code 0 export --min-records 10 -v
	expect_stdout '^nothing to do$'
	expect_code 0 export --min-bytes 100K --max-age 1h -v
	expect_stdout '^nothing to do$'
	expect_code 0 export --min-records 9
	expect_stdout 'segment 2: 9 records'
	imafs_ctl bulk 3 again
	expect_code 0 export --min-records 10 --min-bytes 100
	expect_stdout 'segment 3: 3 records'
	imafs_ctl add /late
	touch -d '2 hours ago' "$STORE"/current/receipts/*.json
	expect_code 0 export --min-records 10 --max-age 1h
	expect_stdout 'segment 4: 1 record '
	# What is staged is always taken care of
	imafs_ctl add /staged
	expect_code 0 stage
	expect_code 0 export --min-records 10
	expect_stdout 'segment 5: 1 record '
	expect_proved
}

@test "export: what somebody has staged is saved first, and then the list" {
	imafs_ctl violation /x 2
	expect_code 0 stage
	imafs_ctl violation /x 2
	expect_code 0 export
	[ "$(segments)" = 'log.00000001 log.00000002' ] || fail "$(segments)"
	expect_proved
}

@test "export: records that come meanwhile" {
	imafs_at after A violation /x 2
	imafs_at before D violation /x 2
	imafs_at after 'read@*_staged' add /one
	expect_code 0 export
	expect_all
	[ "$(cat "$IMA/runtime_measurements_count")" = 5 ] || fail 'not there'
	expect_code 0 export
	expect_proved
}

@test "export: 100,000 records, and records of 64 KiB" {
	imafs_ctl bulk 100000
	imafs_ctl event-size big 65536
	imafs_ctl event-size big-too 65536
	expect_code 0 export
	expect_proved
}

# With a kernel that has the feature, whatever was taken from its list before
@test "export: any kernel" {
	local i
	for i in 1 2; do
		echo "$i $RANDOM" >"file.$i"
		imafs_ctl measure "$PWD/file.$i"
		imalog --root "$ROOT" export --store "$STORE" --json
		[ "$status" -le 1 ] || fail 'not done'
		expect_json "all(s['state'] == 'committed' for s in d['segments'])"
	done
	imalog --root "$ROOT" store check --store "$STORE"
	expect_status 0
	[ -e "$STORE/current/log.00000001" ] || fail 'nothing is there'
	[ ! -e "$STORE/current/pending.00000001" ] || fail 'still pending'
	[ -n "${IMALOG_TEST_ROOT-}" ] || expect_proved
}

# ---- the configuration

@test "export: configuration" {
	mkdir -p "$ROOT/etc"
	printf '%s\n' '# of this machine' "store = $PWD/elsewhere" '' 'min-records=5' \
		'  wait =  1s  ' >"$ROOT/etc/imalog.conf"
	expect_code 0 export -v
	expect_stdout '^nothing to do$'
	expect_code 0 export --min-records 1
	[ -e elsewhere/current/log.00000001 ] || fail 'not there'
	[ ! -e "$STORE" ] || fail 'in the default place'
	echo 'min-records = 1' >other
	imafs_ctl add /one
	expect_code 0 export --no-tpm --config other
	[ -e "$STORE/current/log.00000001" ] || fail 'not there'
	expect_code 4 export --config none
	# One that is there, and cannot be read, is not one that says nothing.
	ln -sf gone "$ROOT/etc/imalog.conf"
	expect_code 4 export
	expect_stderr '/etc/imalog.conf.*No such file'
	local line
	for line in 'store' 'store = relative' 'min-records = x' 'min-records = -1' 'keep = 1' \
		'max-age = 1 week' 'keep-epochs = 0' $'wait = 1\nwait = 2'; do
		echo "$line" >bad
		expect_code 3 export --config bad
		expect_stderr "^imalog: 'bad': line [12]: "
	done
}

@test "export: usage" {
	local args
	for args in 'x' '--min-records' '--min-records x' '--min-bytes 1X' '--max-age soon' \
		'--watch 0' '--watch x' '--wait x' '--sysfs --no-tpm' '--sysfs --ak 0x81000000' \
		'--tcti device --sysfs' '--store a --store b' '--unknown'; do
		# shellcheck disable=SC2086 # words
		imalog export $args
		expect_usage_error export
	done
}

# ---- others

@test "export: who holds a list is named, and waited for" {
	exec 9<"$IMA/ascii_runtime_measurements"
	expect_code 4 export --wait 0
	expect_stderr 'ascii_runtime_measurements.* is held open by .* \(pid [0-9]+\)'
	expect_all_of_kernel
	(
		sleep 1
		imafs_ctl add /later
	) &
	(
		exec 9<"$IMA/ascii_runtime_measurements"
		sleep 1
	) &
	exec 9<&-
	expect_code 0 export --wait 20s
	wait
	expect_all
}

expect_all_of_kernel() {
	imafs_ctl dump-all >ever
	cat "$IMA/binary_runtime_measurements_staged" "$IMA/binary_runtime_measurements" >all
	expect_same ever all
}

@test "export: two at once" {
	local i pids=()
	for i in 1 2 3 4; do
		imafs_ctl violation /x 3
		"$IMALOG" --root "$ROOT" export --wait 30s -q &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "$i: status $?"
	done
	expect_code 0 export
	expect_proved
	imafs_single
}

@test "export: a store that somebody works on" {
	expect_code 0 export
	imafs_ctl add /one
	exec 9<"$STORE/lock"
	flock 9
	expect_code 4 export --wait 0
	expect_stderr 'another program is working on the store'
	exec 9<&-
	expect_code 0 export
	expect_proved
}

# ---- what does not fit

@test "export: a record that never reached the TPM" {
	imafs_ctl set tpm-errors 1
	imafs_ctl add /lost || true
	imafs_ctl add /one
	expect_code 1 export
	expect_stderr "segment 1: the log does not lead to the TPM's values"
	[ ! -s "$IMA/binary_runtime_measurements" ] || fail 'not deleted'
	expect_all
}

@test "export: somebody else extends PCR 10" {
	expect_code 0 export
	imafs_ctl add /one
	imafs_ctl extend 10 foreign
	expect_code 1 export
	expect_stderr "does not lead to the TPM's values"
	expect_all
	imalog --root "$ROOT" store check --tcti "$TPM2TOOLS_TCTI"
	expect_status 1
}

@test "export: a bad digest" {
	imafs_ctl set bad-digests 1
	imafs_ctl add /bad /one
	expect_code 1 export
	expect_stderr 'segment 1: the digest of record 2 does not fit its data'
	expect_all
	expect_code 1 store check
	expect_stderr 'record 2: template digest does not fit'
}

@test "export: without a TPM" {
	stop_swtpm tpm
	expect_code 4 export
	expect_stderr 'nothing is compared with the TPM: no TPM: tried TCTI'
	[ ! -s "$IMA/binary_runtime_measurements" ] || fail 'not deleted'
	imafs_ctl add /one || true
	expect_code 0 export --no-tpm
	expect_no_stderr
	expect_code 0 export --no-tpm
	expect_all
	expect_code 0 store list
	expect_stdout 'not-checked undetermined$'
}

@test "export: the TPM of sysfs" {
	imafs_stop
	stop_swtpm tpm
	unset TPM2TOOLS_TCTI
	imafs_start root
	imafs_ctl violation /x 2
	expect_code 0 export
	expect_stdout 'match after record 3'
	imafs_ctl violation /x 2
	expect_code 0 export --sysfs
	expect_stdout 'match after record 5'
	imafs_ctl kexec carried
	expect_code 0 export
	[ "$(segments)" = 'log.00000001 log.00000002 log.00000003' ] || fail "$(segments)"
	expect_all
}

# ---- the kernel says no

@test "export: a kernel that runs out of memory while it deletes has deleted" {
	imafs_stop
	stop_swtpm tpm
	start_swtpm tpm
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --flush-htable
	imafs_ctl set d-nomem on
	expect_code 0 export
	expect_code 0 export
	expect_all
}

@test "export: deleting or reading fails" {
	imafs_at before D fail EIO
	expect_code 4 export
	[ "$(segments)" = pending.00000001 ] || fail "$(segments)"
	imafs_at before 'open-write@*_staged' at before 'read@*_staged' fail EIO
	expect_code 4 export
	imafs_at before A fail EIO
	imafs_ctl add /one
	expect_code 4 export
	expect_code 0 export
	expect_proved
}

@test "export: when the machine goes down" {
	imafs_ctl violation /x 2
	imafs_at before D suspend kexec
	expect_code 4 export -v
	expect_stderr 'segment 1 is saved and stays pending' \
		'the machine is going down, and a kexec may take the records along'
	imafs_ctl kexec carried
	expect_code 0 export
	[ "$(segments)" = 'dropped.00000001 log.00000002' ] || fail "$(segments)"
	expect_proved
	imafs_ctl violation /x 2
	imafs_at before D suspend kexec
	expect_code 4 export
	imafs_ctl kexec lost
	expect_code 0 export
	[ "$(segments)" = 'dropped.00000001 log.00000002 log.00000003 log.00000004' ] ||
		fail "$(segments)"
	expect_proved
}

# ---- epochs

@test "export: a kexec goes on in the epoch, a reset of the TPM begins one" {
	imafs_ctl violation /x 2
	expect_code 0 export
	imafs_ctl add /one
	imafs_ctl kexec carried
	expect_code 0 export
	expect_proved
	reset_machine
	imafs_ctl violation /x 2
	expect_code 0 export -v
	expect_stderr 'note: epoch 2 begins'
	expect_stdout 'epoch 2, segment 1'
	expect_proved
	[ "$(readlink "$STORE/current")" = epoch-000002 ] || fail 'not current'
}

reset_machine() {
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
}

@test "export: a reset while a segment is pending" {
	imafs_ctl violation /x 2
	imafs_at before D kill
	imalog --root "$ROOT" export
	[ "$(segments)" = pending.00000001 ] || fail "$(segments)"
	reset_machine
	imafs_ctl add /one
	expect_code 0 export
	[ -e "$STORE/epoch-000001/log.00000001" ] || fail 'not committed'
	expect_proved
}

@test "export: another boot that nothing proves is added, and said to be undetermined" {
	expect_code 0 export
	imafs_ctl kexec carried
	imafs_ctl extend 10 foreign
	imafs_ctl add /one
	expect_code 1 export
	expect_stderr 'nothing proves whether its list follows' 'nothing proves that it belongs'
	[ "$(segments)" = 'log.00000001 log.00000002' ] || fail "$(segments)"
	expect_all
	expect_code 0 store list
	expect_stdout '2 committed .* undetermined'
}

@test "export: a store that was copied from another machine" {
	imafs_ctl add /one
	expect_code 0 export
	imafs_stop
	stop_swtpm tpm
	start_swtpm other sha1,sha256
	imafs_start root --tcti "$TPM2TOOLS_TCTI"
	imafs_ctl add /two
	expect_code 0 export
	expect_proved
	[ "$(readlink "$STORE/current")" = epoch-000002 ] || fail 'the same epoch'
	stop_swtpm other
}

@test "export: of another boot, and the TPM cannot be read" {
	local tpm=$TPM2TOOLS_TCTI
	expect_code 0 export
	imafs_ctl kexec carried
	export TPM2TOOLS_TCTI=swtpm:path=$PWD/none
	expect_code 4 export
	expect_stderr 'nothing is compared with the TPM: ' \
		'this is another boot, and without a TPM .* added to epoch 1, marked as undeter'
	[ "$(segments)" = 'log.00000001 log.00000002' ] || fail "$(segments)"
	expect_all
	expect_code 0 store list
	expect_stdout ' 2 committed .* not-checked undetermined$'
	# What comes later proves it, as soon as it can.
	export TPM2TOOLS_TCTI=$tpm
	imafs_ctl add /one
	expect_code 0 export
	expect_stdout 'match after record 3'
	expect_proved
}

@test "export: the configuration says which TPM" {
	mkdir -p "$ROOT/etc"
	expect_code 0 export
	imafs_ctl kexec carried
	echo 'tpm = none' >"$ROOT/etc/imalog.conf"
	expect_code 0 export -v
	expect_stderr 'note: this is another boot, and without a TPM'
	imafs_ctl add /one
	expect_code 0 export --tcti "$TPM2TOOLS_TCTI"
	expect_stdout ': match after record 3'
	imafs_ctl add /two
	printf 'tpm = sysfs\ntcti = nonsense\n' >"$ROOT/etc/imalog.conf"
	imafs_ctl sysfs
	expect_code 0 export
	expect_stdout ': match after record 4'
	echo 'tpm = no' >"$ROOT/etc/imalog.conf"
	expect_code 3 export
	expect_stderr 'line 1: "tpm" should be auto, sysfs or none'
}

# ---- places

@test "export: a store that a power cut would erase" {
	mkdir disk
	mount -t tmpfs none disk
	expect_code 4 export --store disk/store
	expect_stderr "'disk/store': .*tmpfs, which a power cut or a kexec erases"
	[ ! -e disk/store ] || fail 'made'
	expect_all_of_kernel
}

@test "export: a full disk" {
	need_ext4
	imafs_ctl bulk 30000
	expect_code 4 export --store disk/store
	expect_stderr 'No space left'
	expect_all_of_kernel
	mount -o remount,ro disk
	expect_code 4 export --store disk/store
	expect_all_of_kernel
	expect_code 0 export
	expect_proved
}

need_ext4() {
	mkdir disk
	truncate -s 1M image
	mkfs.ext4 -q -O ^has_journal image 2>/dev/null || skip 'no mkfs.ext4'
	mount -o loop image disk 2>/dev/null || skip 'no loop devices'
}

@test "export: foreign files in the store" {
	expect_code 0 export
	imafs_ctl add /one
	mkdir "$STORE/current/pending.00000002"
	expect_code 4 export
	rmdir "$STORE/current/pending.00000002"
	echo x >"$STORE/current/log.00000007"
	expect_code 4 export
	expect_stderr 'segment 7 of epoch 1 has no receipt'
	rm "$STORE/current/log.00000007"
	echo x >"$STORE/current/mine"
	expect_code 0 export
	expect_all
	expect_code 1 store check
	expect_stderr "'mine' is no file of the store's"
}

@test "export: without what it takes" {
	imafs_stop
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --no-staging --flush-htable
	expect_code 4 export
	expect_stderr 'built without CONFIG_IMA_STAGING'
	imafs_stop
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --kernel 6.12
	expect_code 4 export
	expect_stderr 'takes Linux 7.2 or later'
	mkdir empty
	imalog --root empty export
	expect_status 4
	expect_stderr 'securityfs is not mounted'
}

# ---- output

@test "export: JSON" {
	imafs_ctl add /one
	expect_code 0 export --json
	expect_json 'len(rows) == 1' "d['notes'] == []" "len(d['segments']) == 1" \
		"d['segments'][0]['records'] == 2" "d['segments'][0]['state'] == 'committed'" \
		"d['segments'][0]['verdict'] == 'match' and d['segments'][0]['matched_at'] == 2"
	expect_code 0 export --json
	expect_json "d == {'segments': [], 'notes': []}"
	imafs_ctl add /two
	imafs_ctl extend 10 foreign
	expect_code 1 export --json
	expect_json "d['notes'][0]['kind'] == 'wrong'"
}

@test "export: a standard output that is full" {
	[ -c /dev/full ] || skip 'no /dev/full'
	run_to /dev/full "$IMALOG" --root "$ROOT" export
	expect_status 4
	expect_all
}

@test "export: watching" {
	local pid tries
	"$IMALOG" --root "$ROOT" export --watch 100ms --min-records 3 >out 2>err &
	pid=$!
	for ((tries = 0; tries < 5; tries++)); do
		imafs_ctl violation /x 3
		sleep 0.3
	done
	kill "$pid"
	wait "$pid" || fail "status $?"
	[ "$(grep -c '^epoch 1, segment' out)" -ge 2 ] || fail 'too few segments'
	[ ! -s err ] || fail "$(cat err)"
	expect_code 0 export
	expect_proved
	imafs_single
}

# ---- quotes

make_ak() {
	command -v tpm2_createak >/dev/null || skip 'no tpm2_createak'
	{
		tpm2_createek -Q -c ek.ctx -G ecc
		tpm2_createak -Q -C ek.ctx -c ak.ctx -u ak.pub -G ecc -g sha256 -s ecdsa
	} || fail 'no key'
	tpm2_flushcontext -t # there is no resource manager
}

@test "export: a quote with each segment" {
	make_ak
	imafs_ctl violation /x 2
	expect_code 0 export --ak ak.ctx
	imafs_ctl add /one
	expect_code 0 export --ak ak.ctx
	local i
	for i in 1 2; do
		local receipt=$STORE/current/receipts/0000000$i
		"$PYTHON" -c '
import hashlib, json, sys
receipt = json.load(open(sys.argv[1] + ".json"))
before = open(sys.argv[2], "rb").read() if len(sys.argv) > 2 else b""
quote = receipt["quote"]
assert quote["nonce"] == receipt["previous"] == hashlib.sha256(before).hexdigest()
for name in "quote", "signature":
    key = {"quote": "message"}.get(name, name) + "_sha256"
    data = open(sys.argv[1] + "." + name, "rb").read()
    assert quote[key] == hashlib.sha256(data).hexdigest()
assert quote["covers"] == receipt["first_record"] + receipt["records"] - 1
print(quote["nonce"])' "$receipt" ${before:+"$before"} >nonce || fail 'the receipt is wrong'
		tpm2_checkquote -Q -u ak.pub -m "$receipt.quote" -s "$receipt.signature" \
			-q "$(cat nonce)" || fail 'tpm2_checkquote refuses it'
		local before=$receipt.json
	done
	expect_proved
	imafs_ctl add /two
	expect_code 4 export --ak nothing
}
