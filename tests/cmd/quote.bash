# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of quotes share. Loaded after helpers.bash.

# The record counts and the quotes of each set of rig; two boots share a key
QUOTE_SETS=$RIG_SETS
QUOTES='quote quote-ecc quote-all quote-10-11'
NONCE=$(cat "$RIG/ng/nonce.hex")

# Quotes are only read with tpm2-tss.
need_quotes() {
	local said
	said=$("$IMALOG" quote-verify --quote "$RIG/ng/quote.msg" --signature "$RIG/ng/quote.sig" \
		--key "$RIG/ng/ak-rsa.pem" -q "$NG" 2>&1) || true
	[[ $said != *'built without tpm2-tss'* ]] || skip 'imalog is built without tpm2-tss'
}

# rig_quote SET QUOTE: sets the array quote to the options for one of the captured quotes
rig_quote() {
	local dir=$RIG/$1 keys=$RIG/${1%%/*} kind=rsa
	[ "$2" != quote-ecc ] || kind=ecc
	quote=(--quote "$dir/$2.msg" --signature "$dir/$2.sig" --key "$keys/ak-$kind.tss"
		--nonce "$(cat "$dir/nonce.hex")")
}

# verify OPTION...: with the options in the array quote, as JSON
verify() {
	imalog quote-verify --json "${quote[@]}" "$@"
}

# ---- asserting

# Each verdict has its exit code.
expect_quote_verdict() {
	case $1 in
	ok) expect_status 0 "$1" ;;
	fail) expect_status 1 "$1" ;;
	not-checked) expect_status 4 "$1" ;;
	esac
	expect_no_stderr
	expect_verdict "$@"
}

# expect_proved COVERS RECORDS
expect_proved() {
	expect_quote_verdict ok "d['covers'] == $1" "d['records'] == $2" \
		"not {'signature', 'magic', 'selection', 'digest', 'log'} -
			{k for k, v in d['checks'].items() if v == 'ok'}" "${@:3}"
}

# expect_fails CHECK...: these and no others
expect_fails() {
	expect_quote_verdict fail \
		"[k for k, v in d['checks'].items() if v == 'fail'] == '$*'.split()"
}

# expect_unchecked CHECK...: these and no others, besides the clock; none fails
expect_unchecked() {
	expect_quote_verdict not-checked "'fail' not in d['checks'].values()" \
		"[k for k, v in d['checks'].items() if v != 'ok' and k != 'clock'] == '$*'.split()"
}

# Malformed: exit 3, one line that names the file, nothing else.
expect_malformed() {
	expect_status 3 "${2-}"
	expect_no_stdout
	[ "$(wc -l <<<"$stderr")" -eq 1 ] || fail 'one line expected on standard error'
	[[ $stderr == "imalog: '$1': "* ]] || fail "'$1' should be named"
}

# ---- making quotes

mkquote() {
	"$PYTHON" -I -S "$IMALOG_SRC/tests/cmd/mkquote" "$@"
}

need_openssl() {
	need_quotes
	command -v openssl >/dev/null || skip 'openssl is not installed'
}

# make_key NAME ARGUMENT...: NAME.key, and NAME.pem, NAME.der, NAME.pub (TPMT_PUBLIC)
make_key() {
	local name=$1
	shift
	openssl genpkey -out "$name.key" "$@" 2>/dev/null
	openssl pkey -in "$name.key" -pubout -out "$name.pem"
	openssl pkey -in "$name.key" -pubout -outform DER -out "$name.der"
	mkquote public <"$name.der" >"$name.pub"
}

# For all tests of a file, in $KEYS: keys, a log of 12 records, and its values
make_keys() {
	PYTHON=$(python3 -c 'import sys; print(sys.executable)')
	KEYS=$BATS_FILE_TMPDIR
	export PYTHON KEYS
	mklog generate --records 12 -o "$KEYS/log"
	mklog pcrs "$KEYS/log" >"$KEYS/values"
	command -v openssl >/dev/null || return 0
	make_key "$KEYS/rsa" -algorithm RSA -pkeyopt rsa_keygen_bits:2048
	make_key "$KEYS/p256" -algorithm EC -pkeyopt ec_paramgen_curve:P-256
	make_key "$KEYS/p384" -algorithm EC -pkeyopt ec_paramgen_curve:P-384
}

# sign NAME KEY SCHEME HASH: NAME.sig and NAME.plain, over NAME.msg, and the array quote
sign() {
	mkquote sign "$1" --key "$2.key" --scheme "$3" --signed-hash "$4"
	quote=(--quote "$1.msg" --signature "$1.sig" --key "$2.pub" --nonce c0ffee)
}

# made NAME OPTION...: NAME.msg as mkquote attest makes it, signed by the RSA key
made() {
	mkquote attest --key "$KEYS/rsa.key" "$@"
	quote=(--quote "$1.msg" --signature "$1.sig" --key "$KEYS/rsa.pub" --nonce c0ffee)
}
