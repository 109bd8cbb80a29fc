#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# No LOG, after an export or a trim that was interrupted: which of the saved records the kernel
# still has, and what is said where nothing tells.

load helpers
load swtpm
load imafs
load export
load view

setup() {
	[ -z "${IMALOG_TEST_ROOT-}" ] || skip 'only with the stand-in'
	make_machine
}

teardown() {
	stop_machine
}

# ---- exports

# pending_deleting WHEN RECORD...: an export is killed before or after D
pending_deleting() {
	local when=$1
	shift
	imafs_ctl violation /x 2
	expect_code 0 export
	imafs_ctl violation /x 2
	imafs_at "$when" D kill
	imalog --root "$ROOT" export
	[ "$(segments)" = 'log.00000001 pending.00000002' ] || fail "$(segments)"
	grep -q '"state": *"deleting"' "$STORE/current/receipts/00000002.json" ||
		fail 'another state'
	expect_view
	expect_no_stderr
	imafs_ctl violation /x 2
	expect_view
	[ "$(segments)" = 'log.00000001 pending.00000002' ] || fail 'something was finished'
}

@test "view: an export that was killed before D" {
	pending_deleting before
	expect_code 0 export
	expect_view
}

@test "view: an export that was killed after D" {
	pending_deleting after
	# The same list once more, staged by somebody else
	expect_code 0 stage
	expect_view
	imafs_ctl violation /x 2
	expect_view
	expect_code 0 export
	expect_view
}

@test "view: doubt is said, and never 0" {
	pending_deleting before
	stop_swtpm tpm
	unset TPM2TOOLS_TCTI
	expect_code 4 show
	expect_stderr 'note: segment 2 is pending, and nothing tells whether what follows'
	[ "$(wc -l <<<"$output")" = 9 ] || fail 'nine records expected'
	expect_code 4 convert -t kernel -o seen
	[ -s seen ] || fail 'not written'
	# Whatever it is compared with
	mklog pcrs ever | grep '^sha256:10=' >value
	expect_code 4 replay --expect "$(cat value)" --json
	expect_json "d['verdict'] == 'not-checked' and d['notes'][0]['kind'] == 'wrong'"
	expect_code 4 replay --expect "$(cat value)"
	expect_stdout 'may have records twice'
}

# committed_doubt WHEN: exports, of which one was killed before or after D, and the next did not
# ask the TPM: so segment 3 begins with the bytes of segment 2, and both are committed.
committed_doubt() {
	pending_deleting "$1"
	# What is staged has the same bytes, whether it is the same or not.
	[ "$1" = before ] || expect_code 0 stage
	expect_code 1 export --no-tpm
	[[ $(segments) == 'log.00000001 log.00000002 log.00000003'* ]] || fail "$(segments)"
	grep -q '"may_repeat": *2' "$STORE/current/receipts/00000003.json" || fail 'no doubt'
	# More of the same, and something else
	imafs_ctl violation /x 2
	expect_view
	imafs_ctl add /later
	expect_view
	expect_code 0 merge --live --tcti "$TPM2TOOLS_TCTI" --pcr 10 -o merged
	expect_same ever merged 'the merge is not what was measured'
}

@test "view: committed segments that repeat the one before" {
	committed_doubt before
	expect_code 0 show -v
	expect_stderr 'prove that segment 3 begins with the records of segment 2: they are taken once'
	expect_code 0 status --tcti "$TPM2TOOLS_TCTI" --json
	expect_json "d['log']['verdict'] == 'match'"
	# Pending behind them, and a kexec that takes it along: all is decided at once.
	imafs_at before D kill
	imalog --root "$ROOT" export
	expect_view
	imafs_ctl kexec carried
	expect_view
}

@test "view: committed segments that only look as if they repeat" {
	committed_doubt after
	expect_code 0 show
	expect_no_stderr
}

@test "view: doubt about committed segments is said, and neither 0 nor 1" {
	committed_doubt before
	mklog pcrs ever | grep '^sha256:10=' >value
	unset TPM2TOOLS_TCTI
	local note='note: segment 3 begins with the bytes of segment 2, and nothing tells'
	expect_code 4 show -q
	expect_stderr "$note"
	expect_code 4 convert -t kernel -o seen
	expect_stderr "$note"
	expect_code 4 replay --expect "$(cat value)" --json
	expect_json "d['verdict'] == 'not-checked'" "d['notes'][0]['kind'] == 'unchecked'"
	expect_code 4 replay --expect "$(cat value)"
	expect_stdout 'may have records twice'
	expect_code 4 status --no-tpm
	expect_stdout 'segment 3 begins with the bytes of segment 2'
	# Who has values finds it out.
	expect_code 0 merge --live --expect "$(cat value)" -o merged
	expect_same ever merged
}

@test "view: a quote of a log that may have records twice" {
	command -v tpm2_createak >/dev/null || skip 'no tpm2_createak'
	committed_doubt before
	{
		tpm2_createek -Q -c ek.ctx -G ecc
		tpm2_createak -Q -C ek.ctx -c ak.ctx -u ak.pub -G ecc -g sha256 -s ecdsa
		tpm2_flushcontext -t
		tpm2_quote -Q -c ak.ctx -l sha256:10 -q 0102 -m quote -s signature
	} || fail 'no quote'
	local args=(quote-verify --quote quote --signature signature --key ak.pub)
	expect_code 0 "${args[@]}" --nonce 0102
	unset TPM2TOOLS_TCTI
	expect_code 4 "${args[@]}" --nonce 0102
	expect_stdout '^log  .*the log may have records twice'
	# What is wrong with the quote itself is so whatever the log is.
	expect_code 1 "${args[@]}" --nonce 0103
}

# ---- trims

# interrupted_trim WHEN: killed before or after the request, and the same log in all commands
interrupted_trim() {
	local segment
	imafs_at "$1" N kill
	imalog --root "$ROOT" trim 2
	segment=$(segments)
	[[ $segment == *pending.0000000? ]] || fail "$segment"
	expect_view
	expect_no_stderr
	expect_code 1 status --tcti "$TPM2TOOLS_TCTI" --json
	# Only that it was interrupted is wrong.
	expect_json "d['log']['verdict'] == 'match'"
	# The same once more, and staged by somebody else
	imafs_ctl violation /x 2
	expect_view
	expect_code 0 stage
	expect_view
	imafs_ctl violation /x 2
	expect_view
	[ "$(segments)" = "$segment" ] || fail 'something was finished'
	expect_code 0 export
	expect_view
	expect_proved
}

# Before D, the list begins with them; after it, with others of the same bytes.
@test "view: a trim that was killed, of violations before others like them" {
	local when
	for when in before after; do
		imafs_ctl violation /x 2
		expect_code 0 export
		imafs_ctl violation /x 4
		interrupted_trim "$when"
	done
}

@test "view: a trim that was killed between two identical violations" {
	local when
	for when in before after; do
		expect_code 0 export
		imafs_ctl add "/$when"
		imafs_ctl violation /x 2
		interrupted_trim "$when"
	done
}

@test "view: a trim that was killed, and no TPM to tell" {
	local when
	for when in before after; do
		expect_code 0 export
		imafs_ctl violation /x 4
		imafs_at "$when" N kill
		imalog --root "$ROOT" trim 2
		imafs_ctl dump-all >ever
		mklog pcrs ever | grep '^sha256:10=' >value
		# The list begins with its bytes, before and after.
		(
			unset TPM2TOOLS_TCTI
			expect_code 4 show -q
			expect_stderr 'is pending, and nothing tells'
			expect_code 4 replay --expect "$(cat value)"
		)
		expect_view
		expect_code 0 export
		expect_view
	done
}

# ---- which TPM

@test "view: without options it is the TPM that an export would take" {
	local tcti=$TPM2TOOLS_TCTI conf=$ROOT/etc/imalog.conf
	mkdir -p "${conf%/*}"
	imafs_ctl violation /x 2
	# Of the environment, of the configuration, and none
	expect_code 0 replay --pcr 10
	expect_code 0 merge --live --pcr 10
	unset TPM2TOOLS_TCTI
	expect_code 4 replay --pcr 10
	expect_stderr 'sys/class/tpm'
	echo "tcti = $tcti" >"$conf"
	expect_code 0 replay --pcr 10
	expect_code 0 merge --live --pcr 10
	expect_code 0 status
	echo 'tpm = none' >>"$conf"
	expect_code 4 replay
	expect_stderr 'nothing was compared'
	expect_code 4 status
	expect_stdout 'the TPM was not asked'
	expect_code 4 merge --live
	# An option has the last word.
	expect_code 0 replay --tcti "$tcti" --pcr 10
	printf '%s\n' "tcti = $tcti" 'tpm = sysfs' >"$conf"
	expect_code 4 replay
	expect_stderr 'sys/class/tpm'
	expect_code 4 status
}

@test "view: what is pending is told by the TPM of the configuration" {
	local tcti=$TPM2TOOLS_TCTI conf=$ROOT/etc/imalog.conf
	pending_deleting before
	unset TPM2TOOLS_TCTI
	expect_code 4 convert -t kernel -o seen
	mkdir -p "${conf%/*}"
	echo "tcti = $tcti" >"$conf"
	expect_code 0 convert -t kernel -o seen
	imafs_ctl dump-all >ever
	expect_same ever seen
	echo 'tpm = none' >>"$conf"
	expect_code 4 show
	expect_stderr 'segment 2 is pending'
}
