#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# trim: the first records leave the kernel, when they are saved, and exactly those.

load helpers
load swtpm
load imafs
load export
load trim

setup() {
	make_machine
}

teardown() {
	exec 9<&-
	stop_machine
}

# restart OPTION...: another kernel, and a TPM that was reset
restart() {
	imafs_stop
	stop_swtpm tpm
	start_swtpm tpm
	imafs_start root --tcti "$TPM2TOOLS_TCTI" "$@"
}

# ---- N

@test "trim: exactly so many, and the rest stays" {
	imafs_ctl violation /x 4
	imafs_ctl add /one
	expect_code 0 trim 3
	expect_stdout '^epoch 1, segment 1: 3 records from 1, [0-9]+ bytes: match after record 3$'
	expect_no_stderr
	left 3
	expect_all
	expect_code 0 trim -q 1
	expect_no_stdout
	left 2
	expect_code 0 trim 2
	expect_stdout 'segment 3: 2 records from 5, '
	left 0
	expect_proved
	imafs_ctl violation /x 2
	expect_code 0 export
	expect_proved
	imafs_single 2
}

@test "trim: what is staged is opened before the list, and both by one thread" {
	imafs_ctl violation /x 4
	imafs_ctl log clear
	expect_code 0 trim 3
	imafs_ctl log | awk '$8 == "open" && $11 == "RDWR" { print $9 }' >opened
	printf '%s\n' binary_runtime_measurements_sha1_staged \
		binary_runtime_measurements_sha1 | cmp - opened || fail "$(cat opened)"
	imafs_ctl log | grep -c 'write .* "3\\n" = 2$' | grep -qx 1 || fail 'not one request'
	! imafs_ctl log | grep 'write .* "[AD]' || fail 'something was staged or deleted'
	imafs_single 2
	# The kernel counts right afterwards
	expect_code 0 export
	expect_proved
}

@test "trim: more than there are" {
	imafs_ctl violation /x 2
	expect_refused 4 'the list has 3 records, fewer than the 4 to be deleted' 4
	expect_refused 4 'fewer than' 18446744073709551615
	# A directory that is there already stays as it is
	mkdir "$STORE"
	expect_refused 4 'fewer than the 4' 4
	[ -z "$(ls -A "$STORE")" ] || fail "$(ls -A "$STORE")"
	rmdir "$STORE"
	# Whatever the kernel says of their number
	imafs_ctl set count 1
	expect_code 0 trim 3
	imafs_ctl set count off
	left 0
	expect_proved
	expect_refused 4 'the list has 0 records' 1
}

@test "trim: not before what is staged" {
	imafs_ctl violation /x 2
	expect_code 0 stage
	imafs_ctl violation /x 2
	expect_refused 4 'records are staged.*imalog export takes care of them' 1
	expect_refused 4 'records are staged' --to-record 1
	expect_code 0 export
	imafs_ctl violation /x 2
	expect_code 0 trim 1
	expect_all
}

@test "trim: kernels that do not, and kernels that cannot stage" {
	restart --flush-htable
	imafs_ctl violation /x 2
	expect_refused 4 'started with ima_flush_htable' 1
	[ ! -e "$STORE" ] || fail 'a store was made'
	restart --kernel 6.12
	imafs_ctl violation /x 2
	expect_refused 4 'cannot delete the first records .*takes Linux 7.2 or later' 1
	restart --no-staging
	imafs_ctl violation /x 4
	expect_code 0 trim 2
	[ "$(cat "$IMA/runtime_measurements_count")" = 3 ] || fail 'not two'
	expect_code 0 trim 3
	cat "$STORE"/current/log.* >all
	imafs_ctl dump-all >ever
	expect_same ever all
	expect_code 0 store check --tcti "$TPM2TOOLS_TCTI" -q
	mkdir empty
	imalog --root empty trim 1
	expect_status 4
	expect_stderr 'securityfs is not mounted'
}

@test "trim: up to a record of the epoch" {
	imafs_ctl violation /x 5
	expect_code 0 trim --to-record 2
	left 4
	expect_code 0 trim --to-record 2 -v
	expect_stdout '^nothing to do$'
	expect_code 0 trim --to-record 1
	expect_no_stdout
	left 4
	expect_code 0 trim --to-record 5
	expect_stdout 'segment 2: 3 records from 3, '
	left 1
	expect_refused 4 'the list has 1 records, fewer than the 2' --to-record 7
	expect_code 0 trim --to-record 6
	expect_proved
	# In another boot of the same epoch
	imafs_ctl violation /x 2
	imafs_ctl kexec carried
	expect_code 0 trim --to-record 8
	left 1
	expect_all
}

# ---- options and output

@test "trim: usage" {
	local args
	for args in '' 0 x -1 1x '1 2' '1 --to-record 1' '--to-record 0' '--to-record x' \
		'--quote a' '--quote a --signature b' '--key a' '1 --no-nonce' '1 --padding auto' \
		'--to-record 1 --nonce 00' '1 --sysfs --no-tpm' '1 --sysfs --ak 1' '1 --wait x' \
		'1 --tcti device --sysfs' '1 --store a --store b' '1 --unknown' '--to-record' \
		'1 --quote a --signature b --key c' \
		'--quote a --signature b --key c --nonce 00 --no-nonce' \
		'--quote a --signature b --key c --padding x' \
		'--quote a --signature b --key c --hash x'; do
		# shellcheck disable=SC2086 # words
		imalog trim $args
		expect_usage_error trim
	done
}

@test "trim: options of this machine" {
	imafs_ctl violation /x 5
	printf '%s\n' "store = $PWD/elsewhere" 'wait = 0' >config
	expect_code 0 trim --config config --no-tpm 1
	[ -e elsewhere/current/log.00000001 ] || fail 'not there'
	expect_code 4 trim --config config --store other --sysfs 1
	expect_stderr 'nothing is compared with the TPM: .*/sys/class/tpm/tpm0'
	[ -e other/current/log.00000001 ] || fail 'not there'
	expect_code 4 trim --tcti swtpm:path=nowhere --store third 1
	expect_stderr 'nothing is compared with the TPM'
	[ "$(cat "$IMA/runtime_measurements_count")" = 3 ] || fail 'not deleted'
	exec 9<"$IMA/ascii_runtime_measurements"
	expect_refused 4 'is held open by .* \(pid [0-9]+\)' --wait 0 1
	(
		sleep 1
		exec 9<&-
	) &
	exec 9<&-
	expect_code 1 trim --wait 20s 1
	# The first records are in other stores
	expect_stderr "the log does not lead to the TPM's values.* are in another store: .*mounted"
	wait
	mkdir disk
	mount -t tmpfs none disk
	expect_refused 4 'tmpfs, which a power cut or a kexec erases' --store disk/store 1
	umount disk
}

@test "trim: JSON" {
	imafs_ctl violation /x 3
	expect_code 0 trim --json 2
	expect_json 'len(rows) == 1' "d['notes'] == []" "len(d['segments']) == 1" \
		"d['segments'][0]['records'] == 2" "d['segments'][0]['state'] == 'committed'" \
		"'quote' not in d"
	expect_code 4 trim --json 9
	expect_json "d['segments'] == []" "'fewer than' in d['error']"
	expect_code 0 trim --json --to-record 1
	expect_json "d == {'segments': [], 'notes': []}"
}

@test "trim: what does not fit, in what is deleted and in what stays" {
	expect_code 0 export
	imafs_ctl set bad-digests 1
	imafs_ctl add /bad /one
	expect_code 1 trim 1
	expect_stderr 'the digest of record 2 does not fit its data'
	left 1
	imafs_ctl extend 10 foreign
	imafs_ctl add /two
	expect_code 1 trim 1
	expect_stderr "segment 3: the log does not lead to the TPM's values"
	left 1
	expect_all
}

@test "trim: a standard output that is full" {
	[ -c /dev/full ] || skip 'no /dev/full'
	run_to /dev/full "$IMALOG" --root "$ROOT" trim 1
	expect_status 4
	expect_all
}

# ---- quotes

# make_ak NAME: NAME.ctx and NAME.pub
make_ak() {
	command -v tpm2_createak >/dev/null || skip 'no tpm2_createak'
	{
		tpm2_createek -Q -c "$1.ek" -G ecc
		tpm2_createak -Q -C "$1.ek" -c "$1.ctx" -u "$1.pub" -G ecc -g sha256 -s ecdsa
	} || fail 'no key'
	tpm2_flushcontext -t # there is no resource manager
}

# make_quote NAME [AK]: of PCR 10, with a nonce of its own; sets the array quote
make_quote() {
	local nonce
	nonce=$(printf '%s' "$1 $RANDOM" | sha256sum | cut -c 1-32)
	tpm2_quote -Q -c "${2-ak}.ctx" -l sha256:10 -q "$nonce" -m "$1.msg" -s "$1.sig" ||
		fail 'no quote'
	tpm2_flushcontext -t
	quote=(--quote "$1.msg" --signature "$1.sig" --key "${2-ak}.pub" --nonce "$nonce")
}

# some: a few records, some of which are the same
some() {
	local i
	for ((i = RANDOM % 3; i >= 0; i--)); do
		imafs_ctl violation /x $((RANDOM % 3 + 1))
		imafs_ctl add "/file.$RANDOM.$RANDOM"
	done
}

@test "trim: exactly the records that a quote proves, at any moment" {
	local round records
	# Not i, which is that of bats
	make_ak ak
	for round in 1 2 3 4 5; do
		some
		[ $((RANDOM % 2)) = 0 ] || some
		make_quote "q$round"
		records=$(cat "$IMA/runtime_measurements_count")
		imafs_ctl violation /x $((round % 3))
		[ $((round % 2)) = 0 ] || imafs_at after open-write violation /x 2
		expect_code 0 trim "${quote[@]}"
		expect_stdout "^epoch 1, segment [0-9]+: $records records from "
		expect_all
		left $((round % 3 + round % 2 * 2))
		# What it proves is in the store now
		expect_code 0 trim -v "${quote[@]}"
		expect_stdout '^nothing to do$' 'The quote covers records 1\.\.'
		left $((round % 3 + round % 2 * 2))
		[ "$round" != 3 ] || expect_code 0 export
	done
	expect_code 0 export
	expect_proved
	imafs_single 2
}

@test "trim: a quote, killed before and after the request" {
	local when records
	make_ak ak
	expect_code 0 export
	for when in before after; do
		imafs_ctl violation /x 3
		make_quote "$when"
		imafs_ctl violation /x 4
		imafs_at "$when" N kill
		imalog --root "$ROOT" trim "${quote[@]}"
		expect_code 0 trim "${quote[@]}"
		left 4
		expect_all
		expect_code 0 export
		expect_proved
	done
}

@test "trim: a quote, an earlier trim that was killed, and a PCR that others extended" {
	make_ak ak
	expect_code 0 export
	imafs_ctl violation /x 5
	imafs_at before N kill
	imalog --root "$ROOT" trim 3
	imafs_ctl extend 10 foreign
	make_quote wrong
	# Nothing tells any more whether they were deleted.
	expect_code 4 trim "${quote[@]}"
	expect_stderr 'nothing tells whether an interrupted run has deleted .* nothing is deleted'
	expect_code 4 trim "${quote[@]}" --json
	expect_json "d['segments'] == [] and 'nothing is deleted' in d['error']"
	left 5
	[ "$(segments)" = 'log.00000001 pending.00000002' ] || fail "$(segments)"
}

@test "trim: a quote that proves nothing here" {
	local other
	make_ak ak
	some
	# Of another machine, whose key is the wrong one, and whose log is
	other=$TPM2TOOLS_TCTI
	start_swtpm other sha1,sha256
	make_ak stranger
	tpm2_pcrextend 10:sha256="$(printf x | sha256sum | cut -c 1-64)"
	make_quote strange stranger
	stop_swtpm other
	export TPM2TOOLS_TCTI=$other
	expect_refused 1 'nothing is deleted: the quote does not hold' "${quote[@]}"
	expect_stdout '^log +FAIL' '^signature +ok'
	expect_refused 1 'does not hold' "${quote[@]::4}" --key ak.pub "${quote[@]:6}" --json
	expect_json "d['segments'] == []" "d['quote']['checks']['signature'] == 'fail'" \
		"d['quote']['verdict'] == 'fail'"
	# Of this machine, and changed
	make_quote good
	cp good.msg bad.msg
	printf '\001' | dd of=bad.msg bs=1 seek=40 conv=notrunc status=none
	expect_refused 1 'does not hold' --quote bad.msg "${quote[@]:2}"
	expect_stdout '^signature +FAIL'
	cp good.sig bad.sig
	printf '\001' | dd of=bad.sig bs=1 seek=30 conv=notrunc status=none
	expect_refused 1 'does not hold' "${quote[@]::2}" --signature bad.sig "${quote[@]:4}"
	# An old one
	expect_refused 1 'does not hold' "${quote[@]::6}" --nonce c0ffee
	expect_stdout '^nonce +FAIL'
	expect_refused 4 'is not proved' "${quote[@]::6}"
	expect_stdout '^It is not proved; not checked: nonce'
	[ ! -e "$STORE/current/log.00000001" ] || fail 'saved'
	expect_code 0 trim "${quote[@]::6}" --no-nonce
	expect_all
	left 0
}

@test "trim: a quote from before the TPM was reset" {
	make_ak ak
	some
	make_quote old
	expect_code 0 export
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
	some
	expect_code 1 trim "${quote[@]}"
	expect_stderr 'nothing is deleted: the quote does not hold'
	expect_stdout '^log +FAIL'
	expect_code 0 export
	expect_proved
}

@test "trim: a quote, and records that never reached the TPM" {
	make_ak ak
	some
	imafs_ctl set tpm-errors 1
	imafs_ctl violation /lost || true
	make_quote short
	expect_code 0 trim "${quote[@]}"
	left 1
	imafs_ctl add /one
	make_quote wrong
	expect_refused_by_log
}

expect_refused_by_log() {
	expect_code 1 trim "${quote[@]}"
	expect_stdout '^log +FAIL'
	left 2
}

@test "trim: a quote, while records are staged or somebody holds the lists" {
	make_ak ak
	some
	make_quote one
	expect_code 0 stage
	imafs_ctl add /one
	expect_code 4 trim "${quote[@]}"
	expect_stderr 'records are staged'
	expect_code 0 export
	imafs_ctl add /two
	make_quote two
	exec 9<"$IMA/ascii_runtime_measurements"
	expect_code 4 trim "${quote[@]}" --wait 0
	expect_stderr 'is held open by'
	exec 9<&-
	expect_code 0 trim "${quote[@]}"
	left 0
	expect_proved
}

@test "trim: a quote of more PCRs, whose values are given" {
	make_ak ak
	some
	tpm2_pcrextend 7:sha256="$(printf x | sha256sum | cut -c 1-64)"
	tpm2_quote -Q -c ak.ctx -l sha256:7,10 -q c0ffee -m all.msg -s all.sig || fail 'no quote'
	tpm2_pcrread sha256:7 >values.txt
	quote=(--quote all.msg --signature all.sig --key ak.pub --nonce c0ffee)
	expect_refused 4 'is not proved' "${quote[@]}"
	printf '\300\377\356' >nonce
	expect_code 0 trim "${quote[@]::6}" --nonce-file nonce --pcrs values.txt \
		--padding perbank
	left 0
	expect_proved
}

# ---- with a kernel that has the feature

@test "trim: any kernel" {
	local i
	for i in 1 2; do
		echo "$i $RANDOM" >"file.$i"
		imafs_ctl measure "$PWD/file.$i"
		imalog --root "$ROOT" trim --store "$STORE" --json 1
		[ "$status" -le 1 ] || fail 'not done'
		expect_json "all(s['state'] == 'committed' for s in d['segments'])"
	done
	imalog --root "$ROOT" store check --store "$STORE"
	expect_status 0
	[ -e "$STORE/current/log.00000002" ] || fail 'nothing is there'
}
