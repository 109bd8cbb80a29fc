#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog sig-verify: keys, what is demanded, malformed signatures.

load helpers
load sig

setup_file() {
	make_keys
	make_key small rsa:1024
	make_key other rsa:2048
}

# ---- what is demanded

@test "sig-verify: policies" {
	{
		mksig record ima-ng "d-ng=sha256:$(zeros 32)" n-ng=boot_aggregate
		measured_key .ima other
		ima_record /a "$(signed sha256 rsa /a)"
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of ok 0
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of ok 0
	ima_record /b '' >>log
	verify --key "$KEYS/rsa.crt" --policy present
	expect_verdict_of ok 0
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of fail 1
	expect_json "rows[-1]['reason'] == 'a file has no signature'"
	# A digest in place of a signature is none
	ima_record /c "0404$(digest_of sha256 /c)" >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of fail 1
	expect_record 1 none
}

@test "sig-verify: when nothing is verified" {
	ima_record /a '' >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	: >empty
	imalog sig-verify --key "$KEYS/rsa.crt" empty
	[ "$status" -ne 0 ] || fail 'nothing was verified'
}

@test "sig-verify: keys that are not known" {
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "$(signed sha256 p256 /b)"
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_json "rows[-1]['reason'] == 'a key is not known'" \
		"rows[1]['signatures'][0]['key_id'] == '$(keyid p256)'"
	verify --key "$KEYS/rsa.crt" --allow-unknown-keys
	expect_verdict_of ok 0
	verify --allow-unknown-keys
	expect_verdict_of not-checked 4
	# Another key under the same name
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "$(signed sha256 other /b | sed "s/$(keyid other)/$(keyid rsa)/")"
	} >log
	verify --key "$KEYS/rsa.crt" --key "$KEYS/other.crt"
	expect_verdict_of fail 1
	expect_record 2 bad 'over this digest'
}

@test "sig-verify: a record that was changed" {
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "$(signed sha256 rsa /b)"
	} >log
	flip log 20
	verify --key "$KEYS/rsa.crt" --digest-size 20 --byte-order le
	expect_verdict_of fail 1
	expect_json "rows[0]['digest_fits'] is False" "rows[-1]['bad_digests'] == 1"
	# The end is missing
	head -c -1 log >shorter
	imalog sig-verify --key "$KEYS/rsa.crt" shorter
	expect_status 3
	expect_stderr "^imalog: 'shorter': record 2 "
	expect_stdout '^    1 bad signature .*digest is of something else' '^Verdict: '
}

@test "sig-verify: a template that is not known" {
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "$(signed sha256 rsa /b)" | sed 's/ima-sig/my-sign/'
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_json "rows[1]['status'] == 'unsupported'"
	verify --key "$KEYS/rsa.crt" --define-template 'my-sign=d-ng|n-ng|sig'
	expect_verdict_of ok 0
}

# ---- keys

@test "sig-verify: directories and lists of keys" {
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "$(signed sha256 p521 /b)"
	} >log
	# What is no key is passed over.
	verify --key "$KEYS"
	expect_verdict_of ok 0
	expect_no_stderr
	imalog sig-verify -v --key "$KEYS" log
	expect_status 0
	expect_stderr "rsa.key': .* neither a public key nor a certificate"
	verify --key "$KEYS/rsa.crt , $KEYS/p521.pub"
	expect_verdict_of ok 0
	cat "$KEYS/rsa.crt" "$KEYS/p256.pub" "$KEYS/p521.crt" >'all, of them'
	verify --key 'all, of them'
	expect_verdict_of ok 0
	expect_json "len(rows[-1]['keys']) == 3" \
		"['signatures' in k for k in rows[-1]['keys']] == [True, False, True]"
	mkdir none
	verify --key none
	expect_status 4
	expect_stderr "'none' has no file with a key"
	verify --key "$KEYS/rsa.key"
	expect_status 3
	verify --key missing
	expect_status 4
	verify --key "$KEYS/rsa.crt,,"
	expect_usage_error sig-verify
}

@test "sig-verify: keys that are too weak or too large, and others" {
	local name
	{
		ima_record /a "$(signed sha256 small /a)"
	} >log
	verify --key "$KEYS/small.crt"
	expect_verdict_of not-checked 4
	expect_record 1 unsupported 'RSA of 1024 bits proves nothing'
	openssl genpkey -algorithm ed25519 -out ed.key
	openssl pkey -in ed.key -pubout -out ed.pub
	verify --key ed.pub
	expect_status 4
	# As many bits as OpenSSL takes, and one byte more; the numbers are made up
	for name in 512 16384 16392; do
		rsa_public $name >big.der
		verify --key big.der
		case $name in
		16392) expect_status 3 ;;
		*)
			expect_status 4
			expect_json "rows[-1]['keys'][0]['usable'] is False"
			;;
		esac
	done
}

# rsa_public BITS: a SubjectPublicKeyInfo in DER with an odd modulus of ones
rsa_public() {
	"$PYTHON" -I -S - "$1" <<-'END'
		import sys
		def tlv(tag, body):
		    size = len(body)
		    if size < 128:
		        return bytes([tag, size]) + body
		    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
		    return bytes([tag, 128 + len(length)]) + length + body
		modulus = b"\0" + b"\xff" * (int(sys.argv[1]) // 8)
		key = tlv(0x30, tlv(2, modulus) + tlv(2, b"\1\0\1"))
		algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
		sys.stdout.buffer.write(tlv(0x30, algorithm + tlv(3, b"\0" + key)))
	END
}

@test "sig-verify: keys in the log, before and after their first use" {
	{
		ima_record /a "$(signed sha256 rsa /a)"
		measured_key .ima rsa
		measured_key .ima p256
		ima_record /b "$(signed sha256 rsa /b)"
		ima_record /c "$(signed sha256 p256 /c)"
	} >log
	verify --keys-from-log
	expect_verdict_of not-checked 4
	expect_json "[r['status'] for r in rows[:-1]] == ['unknown-key', 'none', 'none', 'ok',
		'ok']" "[(k['source'], k['measured_in'], k['first_used_in'], k['trust'])
		for k in rows[-1]['keys']] == [('log', 2, 1, 'not-checked'),
			('log', 3, 5, 'not-checked')]"
	imalog sig-verify --keys-from-log log
	expect_stdout "$(keyid rsa)  log .*; measured in record 2, after its first use in record 1" \
		"$(keyid p256)  log .*; measured in record 3, before its first use in record 5"
	# One that was given is known from the start, and the log says when it was measured.
	verify --key "$KEYS/rsa.crt" --keys-from-log
	expect_verdict_of not-checked 4
	expect_json "rows[0]['status'] == 'ok'" "[(k['source'], k.get('measured_in'), k['trust'])
		for k in rows[-1]['keys']] == [('file', 2, 'match'), ('log', 3, 'not-checked')]"
	cat "$KEYS/rsa.crt" "$KEYS/p256.crt" >ca
	records log 2 5 >later
	imalog sig-verify --keys-from-log --ca ca later
	expect_status 0
	# A buffer that is not what its digest says is no key
	mksig record ima-buf "d-ng=sha256:$(zeros 32)" n-ng=.ima \
		"buf=$(od -An -v -tx1 "$KEYS/rsa.der" | tr -d ' \n')" >log
	ima_record /b "$(signed sha256 rsa /b)" >>log
	verify --keys-from-log
	expect_record 2 unknown-key
}

@test "sig-verify: certificates that keys must chain to" {
	make_key root ec:P-256
	openssl req -new -key "$KEYS/rsa.key" -subj /CN=leaf -out csr 2>/dev/null
	openssl x509 -req -in csr -CA "$KEYS/root.crt" -CAkey "$KEYS/root.key" \
		-CAcreateserial -out leaf.crt -days 1 2>/dev/null
	ima_record /a "$(signed sha256 rsa /a)" >log
	verify --key leaf.crt --ca "$KEYS/root.crt"
	expect_verdict_of ok 0
	expect_json "rows[0]['signatures'][0]['trust'] == 'match'"
	verify --key leaf.crt --ca "$KEYS/p256.crt"
	expect_verdict_of fail 1
	verify --key "$KEYS/rsa.pub" --ca "$KEYS/root.crt"
	expect_verdict_of not-checked 4
	# One that was not used does not matter.
	verify --key leaf.crt --key "$KEYS/p384.crt" --ca "$KEYS/root.crt"
	expect_verdict_of ok 0
	# The kernel does not look at dates.
	openssl x509 -req -in csr -CA "$KEYS/root.crt" -CAkey "$KEYS/root.key" \
		-CAcreateserial -out old.crt -days -1 2>/dev/null
	[ ! -s old.crt ] || {
		verify --key old.crt --ca "$KEYS/root.crt"
		expect_verdict_of ok 0
	}
	make_key encrypts rsa:2048 -addext keyUsage=keyEncipherment
	ima_record /a "$(signed sha256 encrypts /a)" >log
	verify --key "$KEYS/encrypts.crt" --ca "$KEYS/encrypts.crt"
	expect_verdict_of fail 1
	: >empty
	verify --key leaf.crt --ca empty
	expect_status 3
}

@test "sig-verify: a link to a key that is not there" {
	mkdir ring
	cp "$KEYS/rsa.crt" ring
	ln -s nowhere ring/x509_ima.der
	ima_record /a "$(signed sha256 rsa /a)" >log
	verify --key ring
	expect_verdict_of ok 0
	expect_stderr "cannot read 'ring/x509_ima.der': No such file"
	ima_record /b "$(signed sha256 other /c)" >>log
	verify --key ring --allow-unknown-keys
	expect_verdict_of not-checked 4
}

@test "sig-verify: what is left out is counted" {
	# A certificate of more than 64 KiB, one with a name of 5 MiB, and 1025 keys
	openssl req -new -x509 -key "$KEYS/rsa.key" -subj /CN=large -days 1 -outform DER \
		-addext "1.2.3.4=ASN1:UTF8String:$(zeros 33000)" >large
	"$PYTHON" -I -S - "$KEYS/rsa.der" <<-'END' >log
		import hashlib, struct, sys
		def record(template, *parts):
		    data = b"".join(struct.pack("<I", len(part)) + part for part in parts)
		    sys.stdout.buffer.write(struct.pack("<I", 10) + hashlib.sha1(data).digest()
		        + struct.pack("<I", 7) + template + struct.pack("<I", len(data)) + data)
		def buffer(path, name):
		    cert = open(path, "rb").read()
		    record(b"ima-buf", b"sha256:\0" + hashlib.sha256(cert).digest(), name, cert)
		buffer("large", b"x\0")
		buffer(sys.argv[1], b"x" * (5 << 20) + b"/y\0")
		for i in range(1025):
		    record(b"ima-sig", b"sha256:\0" + b"\1" * 32, b"x\0",
		           struct.pack(">BBBIH", 3, 2, 4, i, 1) + b"\0")
	END
	verify --keys-from-log
	expect_verdict_of not-checked 4
	expect_json "rows[-1]['certificates_left_out'] == 2" "rows[-1]['more_keys'] is True" \
		"len(rows[-1]['keys']) == 1024" "'bad_digests' not in rows[-1]"
	imalog sig-verify --keys-from-log log
	expect_stdout '^  and more$' '^Left out: 2 certificates in the log'
}

@test "sig-verify: keyrings of the kernel" {
	ima_record /a "$(signed sha256 rsa /a)" >log
	verify --keyring no-such-keyring-is-there
	expect_status 4
	expect_no_stdout
	expect_stderr "keyring"
	verify --keyring 2147483647
	expect_status 4
	expect_no_stdout
}

# ---- malformed signatures

@test "sig-verify: malformed signatures" {
	local good size row wanted=()
	good=$(signed sha256 rsa /a)
	size=$((${#good} / 2 - 9))
	while read -r status row; do
		[ -n "$status" ] || continue
		wanted+=("$status")
		ima_record /a "$row"
	done >log <<-END
		ok $good
		bad 03
		bad 0302
		bad ${good:0:16}
		bad ${good:0:18}
		bad ${good%??}
		bad ${good}00
		bad ${good:0:14}ffff${good:18}
		bad ${good:0:14}0000${good:18}
		bad ${good:0:14}0001${good:18}
		bad ${good:0:14}000000
		bad ${good:0:18}$(zeros $size)
		unsupported ${good:0:14}0900$(zeros 2304)
		unsupported 0301${good:4}
		unsupported 0304${good:4}
		unsupported 03ff${good:4}
		unsupported 07${good:2}
		unsupported ff${good:2}
		unsupported 030201${good:6}
		unsupported 030217${good:6}
		unsupported 0302ff${good:6}
		bad 030206${good:6}
		unknown-key ${good:0:6}00000000${good:14}
		none 01$(zeros 20)
	END
	verify --key "$KEYS"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == '$(printf '%s ' "${wanted[@]}")'.split()"
}

@test "sig-verify: ECDSA signatures that are not DER" {
	local good body
	good=$(signed sha256 p256 /a)
	body=${good:18}
	{
		ima_record /a "$good"
		# A byte behind it, a length that is longer than it must be, r and s alone
		ima_record /a "${good:0:14}$(printf '%04x' $((${#body} / 2 + 1)))${body}00"
		ima_record /a "${good:0:14}$(printf '%04x' $((${#body} / 2 + 1)))3081${body:2}"
		ima_record /a "${good:0:14}0040$(zeros 64)"
		ima_record /a "${good:0:14}0008$(zeros 8)"
		ima_record /a "${good:0:14}00083006020100020100"
	} >log
	verify --key "$KEYS/p256.crt"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['ok'] + ['bad'] * 5"
}

# deep N: this many nested SEQUENCEs of indefinite length
deep() {
	printf '3080%.0s' $(seq "$1")
	printf '0000%.0s' $(seq "$1")
}

@test "sig-verify: PKCS #7 that is none" {
	local sig
	for sig in 00 30 3080 30840fffffff "$(deep 50)" "$(deep 9000)" \
		"308400010000$(zeros 65536)" 300b06092a864886f70d010702 \
		3012060a2a864886f70d010702a004300206ff; do
		echo "$sig" >der
		mksig record ima-modsig n-ng=m d-ng= sig= "d-modsig=sha256:$(zeros 32)" \
			modsig=@der
	done >log
	verify --key "$KEYS"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['bad'] * 6 + ['unsupported'] +
		['bad'] * 2"
}

# ---- the rest

@test "sig-verify: as many threads as one likes, in the same order" {
	local threads
	mksig many --key "$KEYS/p256.key" --keyid "$(keyid p256)" --distinct 7 5000 >log
	imalog_to one sig-verify --threads 1 --key "$KEYS/p256.crt" log
	expect_status 0
	[ "$(grep -c ' ok  ' one)" -eq 5000 ] || fail 'not 5000 are ok'
	for threads in 2 7 64; do
		imalog_to some sig-verify --threads $threads --key "$KEYS/p256.crt" log
		expect_status 0
		expect_same some one "$threads"
	done
	# Across files, too
	offset=$(offset log 2500)
	head -c "$offset" log >part.a
	tail -c "+$((offset + 1))" log >part.b
	imalog_to some sig-verify --key "$KEYS/p256.crt" part.a part.b
	expect_status 0
	expect_same some one
	for threads in 0 65 x -1; do
		imalog sig-verify --threads=$threads log
		expect_usage_error sig-verify
	done
}

@test "sig-verify: files that a log names are left alone" {
	command -v strace >/dev/null || skip 'strace is not installed'
	echo text >"$PWD/named"
	ima_record "$PWD/named" "$(signed sha256 rsa text)" >log
	strace -f -o trace -e trace=%file "$IMALOG" sig-verify --key "$KEYS/rsa.crt" log >out ||
		status=$?
	[ "${status-0}" -eq 1 ] || fail 'the signature is of something else'
	grep -q rsa.crt trace || fail 'nothing was traced'
	! grep -F "$PWD/named" trace || fail 'it was looked at'
}

@test "sig-verify: names and subjects cannot act on a terminal" {
	make_key esc ec:P-256 -subj $'/CN=\x1b[2Jred'
	mksig record ima-sig n-ng=$'/a\x1b[2J\n/b' "d-ng=sha256:$(digest_of sha256 a)" \
		"sig=$(signed sha256 esc a)" >log
	imalog sig-verify --key "$KEYS/esc.crt" log
	expect_status 0
	[[ $output$stderr != *$'\x1b'* ]] || fail 'ESC reaches the terminal'
	[ "$(grep -c 'ok ' <<<"$output")" -ge 1 ] || fail 'it is ok'
}

@test "sig-verify: wrong command lines" {
	imalog sig-verify --policy some log
	expect_usage_error sig-verify
	imalog sig-verify --ca a --ca b log
	expect_usage_error sig-verify
	imalog sig-verify --wait 1s log
	expect_usage_error sig-verify
	imalog sig-verify --format none log
	expect_usage_error sig-verify
}
