# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Keys, signatures and signed records. Loaded after helpers.

MKSIG=$IMALOG_SRC/tests/mksig
RIGKEYS=$RIG/sig/keys

# In setup_file: a key of each kind with a certificate, and its id, in $BATS_FILE_TMPDIR
make_keys() {
	PYTHON=$(python3 -c 'import sys; print(sys.executable)')
	KEYS=$BATS_FILE_TMPDIR/keys
	export PYTHON KEYS
	mkdir "$KEYS"
	make_key rsa rsa:2048
	make_key p256 ec:P-256
	make_key p384 ec:P-384
	make_key p521 ec:P-521
}

# make_key NAME rsa:BITS|ec:CURVE [X509-OPTION...]: NAME.key, .crt, .der, .pub and .id
make_key() {
	local name=$1 kind=$2 option=rsa_keygen_bits
	shift 2
	[ "${kind%:*}" = rsa ] || option=ec_paramgen_curve
	openssl genpkey -algorithm "${kind%:*}" -pkeyopt "$option:${kind#*:}" \
		-out "$KEYS/$name.key" 2>/dev/null
	openssl req -new -x509 -key "$KEYS/$name.key" -subj "/CN=signer $name" -days 3650 \
		-out "$KEYS/$name.crt" "$@" 2>/dev/null
	openssl x509 -in "$KEYS/$name.crt" -outform DER -out "$KEYS/$name.der"
	openssl pkey -in "$KEYS/$name.key" -pubout -out "$KEYS/$name.pub"
	openssl x509 -in "$KEYS/$name.crt" -noout -ext subjectKeyIdentifier |
		tail -n 1 | tr -d ' :\n' | tail -c 8 | tr A-F a-f >"$KEYS/$name.id"
}

keyid() {
	cat "$KEYS/$1.id"
}

mksig() {
	"$PYTHON" -I -S "$MKSIG" "$@"
}

# digest_of HASH TEXT: in hexadecimal
digest_of() {
	printf '%s' "$2" | openssl dgst -"$1" -r | cut -d ' ' -f 1
}

# signed HASH KEY TEXT [OPTION...]: the signature of a file with this text
signed() {
	local hash=$1 key=$2 digest
	digest=$(digest_of "$1" "$3")
	shift 3
	mksig sign --key "$KEYS/$key.key" --keyid "$(keyid "$key")" --hash "$hash" "$@" \
		"$digest"
}

# ima_record NAME SIG [HASH]: an ima-sig record of the file with the text "NAME"
ima_record() {
	mksig record ima-sig "d-ng=${3-sha256}:$(digest_of "${3-sha256}" "$1")" "n-ng=$1" \
		"sig=$2"
}

# measured_key NAME KEY: an ima-buf record of a certificate that was added to a keyring
measured_key() {
	mksig record ima-buf "d-ng=sha256:$(openssl dgst -sha256 -r <"$KEYS/$2.der" |
		cut -d ' ' -f 1)" "n-ng=$1" "buf=$(od -An -v -tx1 "$KEYS/$2.der" | tr -d ' \n')"
}

# verify OPTION...: sig-verify of the file log
verify() {
	imalog sig-verify --json "$@" log
}

# expect_record N STATUS [REASON]: what the last verify says of a record
expect_record() {
	expect_json "rows[$1 - 1]['status'] == '$2' or print(rows[$1 - 1])" \
		"'${3-}' in str([s.get('reason') for s in rows[$1 - 1]['signatures']]) or
			print(rows[$1 - 1])"
}

# expect_verdict_of ok|fail|not-checked STATUS
expect_verdict_of() {
	expect_status "$2"
	expect_json "rows[-1]['verdict'] == '$1'"
}
