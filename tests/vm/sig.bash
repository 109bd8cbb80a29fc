# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Keys in the kernel, on every kernel after the scenario "sig". Loaded after vm.bash,
# helpers.bash and sig.bash of the commands.

# start_sig KERNEL APPEND
start_sig() {
	local key
	command -v evmctl >/dev/null || skip 'evmctl (ima-evm-utils) is not installed'
	command -v keyctl >/dev/null || skip 'keyctl (keyutils) is not installed'
	make_keys
	make_key other rsa:2048
	vm_start_file "$1"
	vm_tpm
	for key in rsa p256 other; do
		echo "$key" >"signed-$key"
		evmctl ima_sign -f -a sha256 -k "$KEYS/$key.key" "signed-$key" >/dev/null
	done
	vm_scenario sig "$KEYS"/{rsa,p256,other}.der signed-*
	vm_run "$2"
}

# statuses: what the last step says of the files that were signed
statuses() {
	expect_json "{r['name']: r['status'] for r in rows[:-1]
		if r['name'].startswith('/signed/') and not r['name'].endswith('.sig')} == $1"
}

# check_keyring STATUS: of what is signed with ECDSA
check_keyring() {
	local name ecdsa=
	[ "$1" = unknown-key ] || ecdsa=", ('keyring', True, '$(keyid p256)')"
	for name in name number live; do
		vm_step $name
		expect_status 4
		statuses "{'/signed/rsa': 'ok', '/signed/p256': '$1', '/signed/other': 'unknown-key',
			'/signed/none': 'none'}"
		expect_json "{(k['source'], k['usable'], k.get('key_id')) for k in rows[-1]['keys']
			if k['source']} == {('keyring', True, '$(keyid rsa)')$ecdsa}"
	done
	vm_step text
	expect_stdout "$(keyid rsa)  keyring \"signers\", signer rsa: .*, RSA of 2048 bits; 1 ok$"
	[ -z "$ecdsa" ] ||
		expect_stdout "$(keyid p256)  keyring \"signers\", .*, EC of 256 bits; 1 $1"
}

check_beside_files() {
	vm_step files
	statuses "{'/signed/rsa': 'ok', '/signed/p256': '$1', '/signed/other': 'ok',
		'/signed/none': 'none'}"
	[ "$1" = ok ] || return 0
	expect_status 0
	# The kernel does not give certificates away, so they chain to nothing.
	vm_step ca
	expect_status 4
}

check_nothing() {
	vm_step nothing
	expect_status 4
	expect_stdout 'keyring "signers", permits nothing: Permission denied; not used$' \
		"^ +[0-9]+ unsupported +$(keyid other) /signed/other  .a keyring does not give its key"
	vm_step nothing-json
	expect_json "sum(not k['usable'] for k in rows[-1]['keys'] if k['source']) == 1"
}

check_missing() {
	vm_step missing
	expect_status 4
	expect_no_stdout
	expect_stderr "^imalog: cannot find keyring 'no-such-ring' of this user or root: "
}
