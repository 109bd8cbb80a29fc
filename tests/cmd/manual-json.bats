#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages: the keys of the JSON that commands print.

load helpers
load swtpm
load imafs
load manual

setup() {
	manual_setup
}

teardown() {
	imafs_stop
	stop_swtpm "$BATS_TEST_TMPDIR/tpm"
}

@test "manual: the keys of status --json" {
	start_kernel
	unset TPM2TOOLS_TCTI
	keys_of imalog-status.1 >keys
	imalog --root root status --json
	expect_status 0
	expect_keys
	[ "$(wc -l <keys)" -eq 7 ] || fail 'seven keys expected'
}

@test "manual: the keys of replay --json" {
	mklog generate --records 4 --bad 2 -o bad
	head -c 300 log >short
	keys_of imalog-replay.1 >keys
	imalog replay --json --pcrs pcrs.yaml --boot-aggregate log
	expect_keys
	imalog replay --json --start "sha1:10=$(zeros 20)" --expect "sha1:10=$(zeros 20)" bad
	expect_keys
	imalog replay --json short
	expect_keys
	expect_json "'error' in d"
}

@test "manual: the keys and checks of quote-verify --json" {
	keys_of imalog-quote-verify.1 >keys
	imalog quote-verify --json --quote quote.msg --signature quote.sig --key ak.tss --no-nonce log
	expect_status 0
	sed -n '/^\.Ss Checks/,/^\.El/s/^\.It Cm //p' "$MAN/imalog-quote-verify.1" >checks
	# checks comes first, then first, which is only there for two quotes; unchecked is only
	# there with --allow-opaque
	[ "$(sed -n 2p keys)" = first ] || fail 'first expected'
	grep -qx unchecked keys || fail 'unchecked expected'
	diff <(head -n 1 keys; cat checks; tail -n +3 keys | grep -vx unchecked) \
		<(grep -oE '"[a-z_]+":' <<<"$output" | tr -d '":')
}

@test "manual: the keys of show --json" {
	keys_of imalog-show.1 >keys
	local name
	for name in ima ima-buf ima-ngv2 violation; do
		golden "$name"
		imalog show --json --digest-size 20 --byte-order le "$name.bin"
		expect_json "[k for k in open('keys').read().split() if k in d] == list(d)"
	done
	sed 's/ ima-ng / mine /' "$RIG/ng/ascii_runtime_measurements" | head -n 1 >ascii
	imalog show --json ascii
	expect_json "[k for k in open('keys').read().split() if k in d] == list(d)" "'text' in d"
}
