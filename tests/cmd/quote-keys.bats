#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog quote-verify: keys, certificates and signatures in all their forms.

load helpers
load quote

setup_file() {
	make_keys
	command -v openssl >/dev/null || return 0
	cd "$KEYS" || return
	make_key small -algorithm RSA -pkeyopt rsa_keygen_bits:512
	make_key medium -algorithm RSA -pkeyopt rsa_keygen_bits:1024
	authority ca
	authority other
	certify ak rsa ca digitalSignature
}

# authority NAME: NAME.crt and NAME.key, a CA of P-256
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj "/CN=$1" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

# certify NAME KEY CA USAGE [OPTION...]: NAME.crt of KEY.key, by CA
certify() {
	local name=$1 key=$2 ca=$3 usage=$4
	shift 4
	openssl req -new -key "$key.key" -subj "/CN=$name" |
		openssl x509 -req -CA "$ca.crt" -CAkey "$ca.key" -set_serial 7 -days 2 "$@" \
			-extfile <(printf 'keyUsage=critical,%s\n' "$usage") \
			-out "$name.crt" 2>/dev/null
}

# A log of 12 records and a quote over it by the RSA key
setup() {
	need_openssl
	cd "$BATS_TEST_TMPDIR" || return
	cp "$KEYS/log" "$KEYS/values" .
	made q --values values --select sha256:10
	quote=(--quote q.msg --signature q.sig --nonce c0ffee)
}

# with KEY [OPTION...]: verifies with this key
with() {
	verify --key "$@" log
}

# ---- forms of keys

@test "key: PEM, DER, public area, with and without its size" {
	local key
	mkquote sized <"$KEYS/rsa.pub" >sized.pub
	for key in rsa.pem rsa.der; do
		with "$KEYS/$key"
		expect_proved 12 12 "d['checks']['key'] == 'not-checked'"
	done
	for key in "$KEYS/rsa.pub" sized.pub; do
		with "$key"
		expect_proved 12 12 "d['checks']['key'] == 'ok'"
	done
	{
		echo 'Text before it is allowed in PEM.'
		cat "$KEYS/rsa.pem"
	} >text.pem
	with text.pem
	expect_proved 12 12
}

@test "key: what is no public key, or more than one" {
	with "$KEYS/rsa.key"
	expect_malformed "$KEYS/rsa.key"
	cat "$KEYS/rsa.pem" "$KEYS/p256.pem" >two.pem
	with two.pem
	expect_malformed two.pem
	cat "$KEYS/rsa.der" log >long.der
	with long.der
	expect_malformed long.der
	cat "$KEYS/rsa.pub" log >long.pub
	with long.pub
	expect_malformed long.pub
	openssl genpkey -algorithm ed25519 -out ed.key
	openssl pkey -in ed.key -pubout -out ed.pem
	with ed.pem
	expect_status 4
	expect_stderr "^imalog: 'ed.pem': a key that is neither RSA nor EC$"
	openssl ecparam -name secp256k1 -genkey -noout | openssl pkey -pubout -out koblitz.pem
	with koblitz.pem
	expect_status 4
	expect_stderr "^imalog: 'koblitz.pem': EC on secp256k1"
}

@test "key: RSA of 512 and of 1024 bits proves nothing, however it is given" {
	local key form
	for key in small medium; do
		sign q "$KEYS/$key" rsassa sha256
		for form in pem der pub; do
			quote=(--quote q.msg --signature q.sig --nonce c0ffee)
			with "$KEYS/$key.$form"
			expect_fails key
			expect_json "d['checks']['signature'] == 'not-checked'"
		done
	done
	imalog quote-verify "${quote[@]}" --key "$KEYS/small.pem" log
	expect_status 1
	expect_stdout '^signature +not checked +RSA of 512 bits proves nothing$' \
		'^key +FAIL +RSA of 512 bits is too weak'
}

# area OPTION...: verifies with the public area that mkquote makes so
area() {
	mkquote public "$@" <"$KEYS/rsa.der" >area
	with area
}

@test "key: a public area must be that of a restricted signing key" {
	area --attributes 0x50072
	expect_proved 12 12
	# Signs whatever it is given; decrypts; does both; does not sign; nothing
	local attributes
	for attributes in 0x40072 0x30072 0x70072 0x10072 0; do
		area --attributes $attributes
		expect_fails key
	done
	imalog quote-verify "${quote[@]}" --key area log
	expect_stdout '^key +FAIL .*no restricted signing key'
	# Not fixed to its TPM: that is said
	mkquote public --attributes 0x50040 <"$KEYS/rsa.der" >area
	imalog quote-verify "${quote[@]}" --key area log
	expect_stdout '^key +ok .*not fixed to its TPM'
}

@test "key: the scheme and hash that the public area prescribes" {
	area --scheme rsassa
	expect_proved 12 12
	area --scheme rsassa --hash sha384
	expect_fails signature
	area --scheme rsapss
	expect_fails signature
	area --scheme rsaes
	expect_fails signature
	# A plain signature is taken for what it prescribes
	quote[3]=q.plain
	area --scheme rsassa
	expect_proved 12 12
	area --scheme rsapss
	expect_fails signature
}

# ---- signatures

@test "signature: plain ones: the hash is said, or is sha256" {
	local key scheme hash padding
	while read -r key scheme hash; do
		mkquote attest q --values values --select sha256:10 --hash "$hash"
		sign q "$KEYS/$key" "$scheme" "$hash"
		quote=(--quote q.msg --signature q.plain --nonce c0ffee)
		with "$KEYS/$key.pem" --hash "$hash"
		expect_proved 12 12
		with "$KEYS/$key.pem"
		if [ "$hash" = sha256 ]; then
			expect_proved 12 12
		else
			expect_fails signature digest log
		fi
	done <<-'END'
		rsa rsassa sha256
		rsa rsassa sha512
		rsa rsapss sha256
		rsa rsapss sha384
		p256 ecdsa sha256
		p384 ecdsa sha384
	END
	with "$KEYS/p384.pem" --hash sha512
	expect_fails signature digest log
}

@test "signature: over other bytes, by another key, with another hash" {
	# Over a quote that differs in its nonce alone
	cp q.sig one.sig
	made q --values values --select sha256:10 --nonce c0ffef
	quote=(--quote q.msg --signature one.sig --nonce c0ffef)
	with "$KEYS/rsa.pub"
	expect_fails signature
	# Over another structure, which is right itself
	made q --type 0x8017
	mkquote attest q --values values --select sha256:10
	quote=(--quote q.msg --signature q.sig --nonce c0ffee)
	with "$KEYS/rsa.pub"
	expect_fails signature
	# It says another hash than it was made with, or another scheme
	made q --values values --select sha256:10
	quote=(--quote q.msg --signature wrong --nonce c0ffee)
	cp q.sig wrong
	poke wrong 2 000c
	with "$KEYS/rsa.pub"
	expect_fails signature digest log
	cp q.sig wrong
	poke wrong 0 0016
	with "$KEYS/rsa.pub"
	expect_fails signature
	# Over the digest of the digest
	openssl dgst -sha256 -binary q.msg | openssl dgst -sha256 -sign "$KEYS/rsa.key" >wrong
	with "$KEYS/rsa.pub"
	expect_fails signature
	# By another key, of the same kind or not
	with "$KEYS/p256.pub"
	expect_fails signature
	openssl dgst -sha256 -sign "$KEYS/p256.key" q.msg >wrong
	with "$KEYS/rsa.pub"
	expect_fails signature
	with "$KEYS/p384.pub"
	expect_fails signature
	with "$KEYS/p256.pub"
	expect_proved 12 12
}

@test "signature: numbers out of range, none at all" {
	sign q "$KEYS/p256" ecdsa sha256
	quote=(--quote q.msg --signature wrong --nonce c0ffee)
	# r and s of zero, of one, of the order and of the largest size
	local part
	for part in '0000' '0001 00' '0001 01' \
		'0020 ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551' \
		"0042 $(zeros 66)"; do
		from_hex <(echo "0018 000b $part $part") >wrong
		with "$KEYS/p256.pub"
		expect_fails signature
	done
	# Zeros and a one as RSA signature, and one that is empty
	from_hex <(echo "0014 000b 0100 $(zeros 255) 01") >wrong
	with "$KEYS/rsa.pub"
	expect_fails signature
	from_hex <(echo '0014 000b 0000') >wrong
	with "$KEYS/rsa.pub"
	expect_fails signature
	# TPM_ALG_NULL
	from_hex <(echo '0010') >wrong
	with "$KEYS/rsa.pub"
	expect_quote_verdict fail "d['checks']['signature'] == 'fail'"
	# HMAC: no key can be public
	from_hex <(echo "0005 000b $(zeros 32)") >wrong
	with "$KEYS/rsa.pub"
	expect_status 4
	expect_stderr "^imalog: 'wrong': .*scheme 0x5 is not supported"
}

@test "signature: malformed ones" {
	cp q.sig whole
	quote[3]=wrong
	head -c 261 whole >wrong
	with "$KEYS/rsa.pub"
	expect_malformed wrong
	cat whole log >wrong
	with "$KEYS/rsa.pub"
	expect_malformed wrong
	sign q "$KEYS/p256" ecdsa sha256
	cat q.plain log >wrong
	quote=(--quote q.msg --signature wrong --nonce c0ffee)
	with "$KEYS/p256.pub"
	expect_malformed wrong
	head -c 20 q.plain >wrong
	with "$KEYS/p256.pub"
	expect_malformed wrong
}

# ---- certificates

@test "certificate: its key, and the CA that it chains to" {
	openssl x509 -in "$KEYS/ak.crt" -outform DER -out ak.der
	openssl x509 -in "$KEYS/ca.crt" -outform DER -out ca.der
	local key
	for key in "$KEYS/ak.crt" ak.der; do
		with "$key"
		expect_proved 12 12 "d['checks']['key'] == 'not-checked'"
		with "$key" --ca "$KEYS/ca.crt"
		expect_proved 12 12 "d['checks']['key'] == 'ok'"
		with "$key" --ca ca.der
		expect_proved 12 12 "d['checks']['key'] == 'ok'"
		with "$key" --ca "$KEYS/other.crt"
		expect_fails key
	done
	cat "$KEYS/other.crt" "$KEYS/ca.crt" >both
	with ak.der --ca both
	expect_proved 12 12
	imalog quote-verify "${quote[@]}" --key "$KEYS/ak.crt" --ca "$KEYS/other.crt" log
	expect_stdout '^key +FAIL .*not trusted' 'does not hold: key'
}

@test "certificate: of another name, of another key, expired, not for signatures" {
	local usage
	# The CA's name and another key
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
		-keyout false.key -out false.crt 2>/dev/null
	with "$KEYS/ak.crt" --ca false.crt
	expect_fails key
	certify wrong "$KEYS/p256" "$KEYS/ca" digitalSignature
	with wrong.crt --ca "$KEYS/ca.crt"
	expect_fails signature
	for usage in keyEncipherment keyCertSign,cRLSign; do
		certify wrong "$KEYS/rsa" "$KEYS/ca" $usage
		with wrong.crt --ca "$KEYS/ca.crt"
		expect_fails key
		with wrong.crt
		expect_fails key
	done
	openssl req -new -key "$KEYS/rsa.key" -subj /CN=old >request
	mkdir demo
	: >index
	printf '%s\n' '[ca]' default_ca=here '[here]' database=index serial=serial \
		new_certs_dir=demo default_md=sha256 policy=any '[any]' commonName=supplied >config
	openssl ca -batch -config config -in request -out old.crt -create_serial -cert "$KEYS/ca.crt" \
		-keyfile "$KEYS/ca.key" -startdate 20200101000000Z -enddate 20210101000000Z \
		2>/dev/null
	with old.crt --ca "$KEYS/ca.crt"
	expect_fails key
	imalog quote-verify "${quote[@]}" --key old.crt --ca "$KEYS/ca.crt" log
	expect_stdout '^key +FAIL .*expired'
}

@test "certificate: a chain through another CA, given with the key or with --ca" {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=between \
		-keyout between.key -out request 2>/dev/null
	openssl x509 -req -in request -CA "$KEYS/ca.crt" -CAkey "$KEYS/ca.key" -set_serial 8 -days 2 \
		-extfile <(echo 'basicConstraints=critical,CA:TRUE') -out between.crt 2>/dev/null
	certify leaf "$KEYS/rsa" between digitalSignature
	with leaf.crt --ca "$KEYS/ca.crt"
	expect_fails key
	cat leaf.crt between.crt >chain
	with chain --ca "$KEYS/ca.crt"
	expect_proved 12 12
	cat between.crt "$KEYS/ca.crt" >cas
	with leaf.crt --ca cas
	expect_proved 12 12
	# What comes with the key is not trusted for that
	cat leaf.crt between.crt "$KEYS/ca.crt" >chain
	with chain --ca "$KEYS/other.crt"
	expect_fails key
	# A certificate that is no CA's has signed nothing
	certify leaf "$KEYS/p256" "$KEYS/ca" digitalSignature
	cp "$KEYS/p256.key" leaf.key
	certify below "$KEYS/rsa" leaf digitalSignature
	cat below.crt leaf.crt >chain
	with chain --ca "$KEYS/ca.crt"
	expect_fails key
}

@test "certificate: --ca and a key without one, --ca that is empty or damaged" {
	local key
	: >empty
	echo '-----BEGIN CERTIFICATE-----' >damaged
	for key in rsa.pem rsa.der rsa.pub; do
		with "$KEYS/$key" --ca "$KEYS/ca.crt"
		expect_unchecked key
		with "$KEYS/$key" --ca empty
		expect_malformed empty
	done
	with "$KEYS/ak.crt" --ca empty
	expect_malformed empty
	with "$KEYS/ak.crt" --ca damaged
	expect_malformed damaged
	with "$KEYS/ak.crt" --ca log
	expect_malformed log
	with "$KEYS/ak.crt" --ca "$KEYS/ca.key"
	expect_malformed "$KEYS/ca.key"
	with damaged
	expect_malformed damaged
}

# ---- quotes of other projects, whose logs are not there

@test "peers: keylime" {
	need_vectors peers/keylime-quotes/quote.attest.bin
	local dir=$VECTORS/peers/keylime-quotes nonce
	nonce=$(tr -d '\n' <"$dir/nonce.txt" | od -An -tx1 | tr -d ' \n')
	quote=(--quote "$dir/quote.attest.bin" --signature "$dir/quote.sig.bin"
		--key "$dir/ak.pub.bin" --pcrs "$dir/quote.pcrs.bin")
	: >empty
	# PCR 16 is signed, the log has nothing to say of it
	verify --nonce "$nonce" empty
	expect_unchecked key selection log
	expect_json "d['checks']['digest'] == 'ok'"
	verify --nonce "$nonce" "$NG"
	expect_quote_verdict fail "d['checks']['selection'] == 'fail'" \
		"d['checks']['signature'] == d['checks']['nonce'] == 'ok'"
	tr -d '\n' <"$dir/nonce.txt" >nonce
	verify --nonce-file nonce empty
	expect_unchecked key selection log
	verify --nonce "${nonce}00" empty
	expect_fails nonce
	quote[5]=$RIG/ng/ak-rsa.pem
	verify --nonce "$nonce" empty
	expect_fails signature
}

@test "peers: cmc, with certificates" {
	need_vectors peers/cmc-quotes/validQuote.bin
	local dir=$VECTORS/peers/cmc-quotes
	openssl x509 -checkend 0 -noout -in "$dir/0-validAk.pem" >/dev/null ||
		skip 'the certificate of cmc-quotes has expired'
	openssl x509 -checkend 0 -noout -in "$dir/1-validCa.pem" >/dev/null ||
		skip 'the CA of cmc-quotes has expired'
	quote=(--quote "$dir/validQuote.bin" --signature "$dir/validSignature.bin"
		--key "$dir/0-validAk.pem" --nonce db6c3c042fa12645)
	: >empty
	verify --ca "$dir/1-validCa.pem" empty
	expect_unchecked selection digest log
	expect_json "d['checks']['signature'] == d['checks']['key'] == d['checks']['nonce'] == 'ok'"
	verify --ca "$dir/2-invalidCaTpm.pem" empty
	expect_fails key
	quote[3]=$dir/invalidSignature.bin
	verify --ca "$dir/1-validCa.pem" empty
	expect_fails signature
	quote[3]=$dir/validSignature.bin
	quote[5]=$dir/ak.pub.pem
	verify empty
	expect_unchecked key selection digest log
	# Counters as this TPM gives them away, and another nonce
	quote[7]=db6c3c042fa12646
	verify empty
	expect_fails nonce
}
