#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog sig-verify: what must not count as a yes, nor as a no.

load helpers
load sig

setup_file() {
	make_keys
	make_key other rsa:2048
}

hex_of() {
	od -An -v -tx1 "$1" | tr -d ' \n'
}

# covered IMA D-NG [FIELD=VALUE...]: EVM's signature over a security.ima, by the key rsa
covered() {
	local ima=$1 digest=$2
	shift 2
	from_hex <(echo "$ima") >values
	mksig record evm-sig n-ng=/x "d-ng=$digest" xattrnames=security.ima \
		"xattrlengths=$((${#ima} / 2))" "xattrvalues=$ima" iuid=0 igid=0 imode=0o100644 \
		"evmsig=$(mksig evm --key "$KEYS/rsa.key" --keyid "$(keyid rsa)" values)" "$@"
}

# modsig_of TEXT: a signature by the key rsa that is appended to a file with this text
modsig_of() {
	printf '%s' "$1" >module
	openssl cms -sign -binary -noattr -nocerts -nosmimecap -outform DER -md sha256 \
		-signer "$KEYS/rsa.crt" -inkey "$KEYS/rsa.key" -in module -out cms
	hex_of cms
}

# Makes a violation of the first record of a list: its digest is all zeros
violate() {
	head -c 4 "$1"
	head -c 20 /dev/zero
	tail -c +25 "$1"
}

@test "sig-verify: the hash of a signature that EVM's covers" {
	local good hash digest
	good=$(signed sha256 rsa text)
	for hash in 07 63; do
		for digest in "sha256:$(digest_of sha256 text)" "sha256:$(zeros 200)" \
			"none:$(zeros 64)" "none:$(zeros 60000)" :; do
			covered "0302$hash${good:6}" "$digest"
			covered "0303$hash${good:6}" "$digest"
		done
	done >log
	ima_record /bad "$(signed sha256 rsa /other)" >>log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['unsupported'] * 20 + ['bad']"
	{
		covered 03 "sha256:$(digest_of sha256 text)"
		covered "05${good:2}" "sha256:$(digest_of sha256 text)"
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_json "[r['status'] for r in rows[:-1]] == ['bad', 'unsupported']"
}

@test "sig-verify: the key of a signature that EVM's covers is named" {
	covered "$(signed sha256 p384 text)" "sha256:$(digest_of sha256 text)" >log
	imalog sig-verify --key "$KEYS/rsa.crt" log
	expect_status 4
	expect_stdout "^    1 unknown key   $(keyid p384) /x  .security.ima" \
		"^  $(keyid rsa)  file .*; not used$" "^  $(keyid p384)  not given; 1 unknown key"
	imalog sig-verify --key "$KEYS/rsa.crt" --key "$KEYS/p384.crt" log
	expect_status 0
	expect_stdout "^  $(keyid rsa)  file .*; 1 ok$" "^  $(keyid p384)  file .*; 1 ok$"
}

@test "sig-verify: numbers wider than what EVM signs" {
	local digest ima
	digest=$(digest_of sha256 text)
	ima=0404$digest
	from_hex <(echo "$ima") >values
	"$PYTHON" -I -S - "$digest" "$(mksig evm --key "$KEYS/rsa.key" --keyid "$(keyid rsa)" \
		values)" >log <<-'END'
		import hashlib, struct, sys
		def record(uid, gid, mode):
		    digest, sig = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])
		    parts = [b"sha256:\0" + digest, b"/x\0", sig, b"security.ima\0",
		             struct.pack("<I", 34), b"\4\4" + digest, uid, gid, mode]
		    data = b"".join(struct.pack("<I", len(part)) + part for part in parts)
		    return (struct.pack("<I", 10) + hashlib.sha1(data).digest()
		            + struct.pack("<I", 7) + b"evm-sig" + struct.pack("<I", len(data)) + data)
		usual = (struct.pack("<I", 0), struct.pack("<I", 0), struct.pack("<H", 0o100644))
		wide = (struct.pack("<Q", 1 << 32), struct.pack("<Q", 1 << 32),
		        struct.pack("<I", 0xabc0000 + 0o100644))
		sys.stdout.buffer.write(record(*usual))
		for i in range(3):
		    sys.stdout.buffer.write(record(*usual[:i], wide[i], *usual[i + 1:]))
	END
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['ok'] + ['bad'] * 3"
}

@test "sig-verify: EVM's signature of 32 bits, and another key that cannot be used" {
	local ima name bits word
	for name in small large; do
		[ $name = small ] && bits=1024 || bits=2048
		openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:$bits -out $name.key 2>/dev/null
		openssl req -new -x509 -key $name.key -subj "/CN=$name" -days 1 -out $name.crt \
			-addext subjectKeyIdentifier=00:01:02:03 2>/dev/null
	done
	ima=0404$(digest_of sha256 text)
	covered "$ima" "sha256:$(digest_of sha256 text)" >/dev/null # writes values
	for word in 4 8; do
		mksig record evm-sig n-ng=/x "d-ng=sha256:$(digest_of sha256 text)" \
			xattrnames=security.ima xattrlengths=34 "xattrvalues=$ima" iuid=0 igid=0 \
			imode=0o100644 "evmsig=$(mksig evm --key large.key --keyid 00010203 \
				--word $word values)"
	done >log
	verify --key 'small.crt, large.crt'
	expect_verdict_of ok 0
}

@test "sig-verify: violations have no digest that could be signed" {
	ima_record /a "$(signed sha256 rsa /a)" >good
	covered "0404$(digest_of sha256 text)" "sha256:$(zeros 32)" >one
	{
		cat good
		violate one
		violate good
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_json "[r['status'] for r in rows[:-1]] == ['ok', 'unsupported', 'unsupported']"
	expect_record 2 unsupported 'a violation'
	expect_record 3 unsupported 'a violation'
	# Without one, as the kernel writes it into a list of ima-sig
	ima_record /b '' >one
	{
		cat good
		violate one
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of ok 0
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of fail 1
}

@test "sig-verify: a record without a digest" {
	ima_record /a "$(signed sha256 rsa /a)" >good
	imalog_to json convert -t cel-json good
	imalog sig-verify --json --key "$KEYS/rsa.crt" json
	expect_verdict_of ok 0
	sed -E 's/"digests":\[[^]]*\]/"digests":[]/' json >log
	! cmp -s json log || fail 'the digests are still there'
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_record 1 unsupported 'no digest covers'
	# Nor is it known of one without a signature that it has none
	{
		cat good
		ima_record /b ''
	} >two
	imalog_to json convert -t cel-json two
	sed -E '3s/"digests":\[[^]]*\]/"digests":[]/' json >log
	! cmp -s json log || fail 'the digests are still there'
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_json "[r['status'] for r in rows[:-1]] == ['ok', 'unsupported']" \
		"rows[1]['reason'].startswith('no digest covers')"
}

@test "sig-verify: records of other things than files" {
	local pcr policy
	ima_record /a "$(signed sha256 rsa /a)" >good
	imalog_to json convert -t cel-json good
	for pcr in 4 10; do
		sed -n 's/^\({.*\)$/\1/p' json >log
		printf '{"recnum":1,"pcr":%d,"digests":[{"hashAlg":"sha1","digest":"%s"}],%s\n' \
			$pcr "$(zeros 20 | sed 's/..$/01/')" '"content_type":"pcclient_std","content":
			{"event_type":13,"event_data":"00"}}' | tr -d '\n\t' >>log
		cp log events.$pcr
	done
	for policy in present all; do
		cp events.4 log
		verify --key "$KEYS/rsa.crt" --policy $policy
		expect_verdict_of ok 0
		expect_json "[r['status'] for r in rows[:-1]] == ['ok', 'none']" \
			"len(rows[-1]['directories']) == 1"
	done
	# In the PCR of files it may be one of them, under another name.
	cp events.10 log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of not-checked 4
	expect_json "rows[-1]['reason'].startswith('an event in a PCR of files')"
	# Content of a type that is not known
	cat good good >two
	imalog_to tlv convert -t cel-tlv two
	"$PYTHON" -I -S -c 'import sys
tlv = sys.stdin.buffer.read()
at = tlv.rindex(b"\7\0\0\1")
sys.stdout.buffer.write(tlv[:at] + b"\143" + tlv[at + 1:])' <tlv >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_json "[r['status'] for r in rows[:-1]] == ['ok', 'unsupported']"
}

@test "sig-verify: a digest that the kernel could not compute" {
	local record
	{
		ima_record /a "$(signed sha256 rsa /a)"
		mksig record ima-sig "d-ng=sha256:$(zeros 32)" n-ng=/b "sig=$(signed sha256 rsa /b)"
		mksig record ima-sigv2 "d-ngv2=verity:sha256:$(zeros 32)" n-ng=/c \
			"sig=$(signed sha256 rsa /c --version 3 --type 6)"
		mksig record ima-modsig d-ng= n-ng=/d sig= "d-modsig=sha256:$(zeros 32)" \
			"modsig=$(modsig_of module)"
		covered "0404$(digest_of sha256 text)" "sha256:$(zeros 32)"
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_json "[r['status'] for r in rows[:-1]] == ['ok'] + ['unsupported'] * 4"
	for record in 2 3 4 5; do
		expect_record $record unsupported 'it is all zeros'
	done
}

@test "sig-verify: unknown keys do not matter, but are no signatures either" {
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "030204deadbeef000401020304"
	} >log
	verify --key "$KEYS/rsa.crt" --allow-unknown-keys
	expect_verdict_of ok 0
	verify --key "$KEYS/rsa.crt" --allow-unknown-keys --policy all
	expect_verdict_of fail 1
	expect_json "rows[-1]['reason'] == 'a file has no signature'"
}

@test "sig-verify: names that are of no file" {
	local aggregate
	aggregate=$(mksig record ima-ng "d-ng=sha256:$(zeros 32)" n-ng=boot_aggregate |
		od -An -v -tx1 | tr -d ' \n')
	from_hex <(echo "$aggregate") >aggregate
	ima_record /a "$(signed sha256 rsa /a)" >good
	# After a kexec the kernel's record is the same
	cat aggregate good aggregate >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of ok 0
	{
		cat aggregate good
		mksig record ima-ng "d-ng=sha256:$(digest_of sha256 x)" n-ng=boot_aggregate
	} >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of not-checked 4
	expect_json "'boot_aggregate' in rows[-1]['reason']"
	cat good aggregate >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of not-checked 4
	{
		cat aggregate good
		mksig record ima-sig "d-ng=sha256:$(digest_of sha256 x)" n-ng= sig=
	} >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of fail 1
	# The digest of a violation says nothing, not even in the first record.
	violate aggregate >first
	cat first good >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of not-checked 4
	# A file that is recorded with a template for buffers
	{
		cat aggregate good
		mksig record ima-buf "d-ng=sha256:$(digest_of sha256 x)" n-ng=/x buf=
	} >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of fail 1
}

@test "sig-verify: what is called a buffer" {
	local policy
	{
		mksig record ima-ng "d-ng=sha256:$(zeros 32)" n-ng=boot_aggregate
		measured_key .ima other
		ima_record /a "$(signed sha256 rsa /a)"
	} >good
	cp good log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of ok 0
	# The name of the template is in no digest: a signature is given out as a buffer.
	{
		cat good
		ima_record /evil 030204deadbeef000401020304 | sed 's/ima-sig/ima-buf/'
	} >log
	for policy in all present; do
		verify --key "$KEYS/rsa.crt" --policy "$policy" --allow-unknown-keys
		expect_verdict_of not-checked 4
		expect_json "[r['status'] for r in rows[:-1]] == ['none', 'none', 'ok',
			'unsupported']" "'buffer' in rows[3]['reason']"
	done
	imalog sig-verify --key "$KEYS/rsa.crt" log
	expect_stdout '^    4 unsupported   -        /evil  \(what it calls a buffer is not what its digest names\)$'
	# A violation, whose data no digest covers
	measured_key .ima other >one
	{
		cat good
		violate one
	} >log
	verify --key "$KEYS/rsa.crt" --policy all
	expect_verdict_of not-checked 4
	expect_json "rows[3]['status'] == 'unsupported'"
	# One that was hashed with what is not known
	{
		cat good
		mksig record ima-buf "d-ng=streebog256:$(zeros 32)" n-ng=x buf=00
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
}

@test "sig-verify: a damaged certificate in a directory" {
	mkdir ring
	cp "$KEYS/rsa.crt" ring
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "$(signed sha256 other /c)"
	} >log
	verify --key ring --allow-unknown-keys
	expect_verdict_of ok 0
	head -c -9 "$KEYS/other.der" >ring/x509_ima.der
	verify --key ring --allow-unknown-keys
	expect_status 4
	expect_stderr 'x509_ima.der'
	expect_json "rows[-1]['reason'].startswith('a key that is not known may be one')"
	cp "$KEYS/other.der" ring/x509_ima.der
	verify --key ring --allow-unknown-keys
	expect_verdict_of fail 1
	# With the private key in one file, in either order
	ima_record /a "$(signed sha256 rsa /a)" >log
	cat "$KEYS/rsa.crt" "$KEYS/rsa.key" >both
	cat "$KEYS/rsa.key" "$KEYS/rsa.crt" >reverse
	rm -r ring
	mkdir ring
	cp both ring
	for name in both reverse ring; do
		verify --key "$name"
		expect_verdict_of ok 0
		expect_no_stderr
	done
}

@test "sig-verify: of two certificates of a key the trusted one counts" {
	local keys
	openssl req -new -key "$KEYS/rsa.key" -subj /CN=leaf -out csr 2>/dev/null
	openssl x509 -req -in csr -CA "$KEYS/p256.crt" -CAkey "$KEYS/p256.key" \
		-CAcreateserial -out issued -days 1 2>/dev/null
	ima_record /a "$(signed sha256 rsa /a)" >log
	for keys in 'issued SELF' 'SELF issued' 'PUBLIC SELF issued' 'issued PUBLIC'; do
		keys=${keys/SELF/$KEYS/rsa.crt}
		keys=${keys/PUBLIC/$KEYS/rsa.pub}
		verify --key "${keys// /,}" --ca "$KEYS/p256.crt"
		expect_verdict_of ok 0
	done
	verify --key "$KEYS/rsa.crt,$KEYS/rsa.pub" --ca "$KEYS/p256.crt"
	expect_verdict_of not-checked 4
	verify --key "$KEYS/rsa.crt" --ca "$KEYS/p256.crt"
	expect_verdict_of fail 1
}

@test "sig-verify: many certificates with one id" {
	local i
	for i in $(seq 20); do
		openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out key
		openssl req -new -x509 -key key -subj "/CN=$i" -days 1 -outform DER -out "cert.$i" \
			-addext subjectKeyIdentifier=00:01:02:03 2>/dev/null
		mksig record ima-buf "n-ng=$i" "buf=$(hex_of "cert.$i")" \
			"d-ng=sha256:$(openssl dgst -sha256 -r <"cert.$i" | cut -d ' ' -f 1)"
	done >log
	mksig record ima-sig "d-ng=sha256:$(digest_of sha256 a)" n-ng=/a \
		"sig=$(mksig sign --key key --keyid 00010203 "$(digest_of sha256 a)")" >>log
	verify --keys-from-log
	expect_verdict_of not-checked 4
	expect_record 21 unsupported 'more than 16 keys'
	# What is given comes first.
	verify --keys-from-log --key cert.20
	expect_record 21 ok
}

@test "sig-verify: who signed what was appended" {
	local sig
	printf module >module
	openssl cms -sign -binary -noattr -nocerts -nosmimecap -outform DER -md sha256 \
		-signer "$KEYS/rsa.crt" -inkey "$KEYS/rsa.key" -in module -out cms
	sig=$(hex_of cms)
	{
		measured_key .ima rsa
		mksig record ima-modsig d-ng= n-ng=/m.ko sig= \
			"d-modsig=sha256:$(digest_of sha256 module)" "modsig=$sig"
	} >log
	imalog sig-verify --key "$KEYS/rsa.crt" --keys-from-log log
	expect_status 0
	expect_stdout "^    2 ok            $(keyid rsa) /m.ko" \
		"^  $(keyid rsa)  file .*; 1 ok; measured in record 1, before its first use in record 2$"
	[[ $output != *'not given'* ]] || fail 'it was given'
	imalog sig-verify --key "$KEYS/p256.crt" log
	expect_status 4
	expect_stdout '^    2 unknown key   -        /m.ko  \(no certificate of its issuer with serial number [0-9a-f]+\)$'
	# Both of two signers have signed it
	openssl cms -sign -binary -noattr -nocerts -nosmimecap -outform DER -md sha256 \
		-signer "$KEYS/rsa.crt" -inkey "$KEYS/rsa.key" -signer "$KEYS/p256.crt" \
		-inkey "$KEYS/p256.key" -in module -out cms
	mksig record ima-modsig d-ng= n-ng=/two.ko sig= \
		"d-modsig=sha256:$(digest_of sha256 module)" "modsig=$(hex_of cms)" >log
	imalog sig-verify --key "$KEYS/rsa.crt" --key "$KEYS/p256.crt" log
	expect_status 0
	expect_stdout "^  $(keyid rsa)  file .*; 1 ok$" "^  $(keyid p256)  file .*; 1 ok$"
}

@test "sig-verify: records of many bytes are not all held" {
	# 24 of 8 MiB: all of them at the same time do not fit.
	"$PYTHON" -I -S - <<-'END' >log
		import hashlib, struct, sys
		buffer = bytes(8 << 20)
		parts = [b"sha256:\0" + hashlib.sha256(buffer).digest(), b"x\0", buffer]
		data = b"".join(struct.pack("<I", len(part)) + part for part in parts)
		for i in range(24):
		    sys.stdout.buffer.write(struct.pack("<I", 10) + hashlib.sha1(data).digest()
		        + struct.pack("<I", 7) + b"ima-buf" + struct.pack("<I", len(data)) + data)
	END
	ima_record /a "$(signed sha256 rsa /a)" >>log
	[ -z "$(ldd "$IMALOG" 2>/dev/null | grep asan)" ] || skip 'sanitizers need more'
	run bash -c 'ulimit -v 260000; cat log | "$1" sig-verify --threads 1 --key "$2" -' - \
		"$IMALOG" "$KEYS/rsa.crt"
	expect_status 0
	[[ $output == *'25 ok '* ]] || fail 'the last record is ok'
}

# ---- keyrings

# new_ring: a keyring of this process; its number is in $ring
new_ring() {
	command -v keyctl >/dev/null || skip 'keyctl (keyutils) is not installed'
	! "$IMALOG" --version -v | grep -q '^left out:.*keyutils' ||
		skip 'imalog is built without libkeyutils'
	ring=$(keyctl newring "imalog-$BATS_ROOT_PID-$RANDOM" @u 2>/dev/null) ||
		skip 'no keyring can be made here'
	key=$(keyctl padd asymmetric '' "$ring" <"$KEYS/rsa.der" 2>/dev/null) ||
		skip 'this kernel has no asymmetric keys'
}

drop_ring() {
	keyctl unlink "$ring" @u
}

@test "sig-verify: keys of a keyring that cannot be used" {
	local ring key
	new_ring
	ima_record /a "$(signed sha256 rsa /a)" >log
	verify --keyring "$ring"
	expect_verdict_of ok 0
	verify --keyring "$(keyctl rdescribe "$ring" | cut -d ';' -f 5)"
	expect_verdict_of ok 0
	ima_record /b "$(signed sha256 other /c)" >>log
	verify --keyring "$ring" --allow-unknown-keys
	expect_verdict_of ok 0
	key=$(keyctl padd asymmetric '' "$ring" <"$KEYS/other.der")
	verify --keyring "$ring" --allow-unknown-keys
	expect_verdict_of fail 1
	keyctl setperm "$key" 0
	verify --keyring "$ring" --allow-unknown-keys
	expect_verdict_of not-checked 4
	expect_record 2 unsupported 'a keyring does not give its key'
	drop_ring
}

# signed_as ID KEY TEXT NAME: a record of this text, with the signature that KEY.key made
signed_as() {
	mksig record ima-sig "d-ng=sha256:$(digest_of sha256 "$3")" "n-ng=$4" \
		"sig=$(mksig sign --key "$2.key" --keyid "$1" "$(digest_of sha256 "$3")")"
}

@test "sig-verify: keys of one id in a keyring" {
	local ring key name
	new_ring
	for name in one two; do
		openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out $name.key 2>/dev/null
		openssl req -new -x509 -key $name.key -subj "/CN=$name" -days 1 -outform DER \
			-addext subjectKeyIdentifier=00:01:02:03 2>/dev/null |
			keyctl padd asymmetric '' "$ring"
	done
	{
		signed_as 00010203 one a /one
		signed_as 00010203 two a /two
	} >log
	verify --keyring "$ring"
	expect_verdict_of ok 0
	expect_json "sorted(r['signatures'][0]['key'] for r in rows[:-1]) == [
		i for i, k in enumerate(rows[-1]['keys']) if k['key_id'] == '00010203']"
	# Of something else; then a number that is larger than any modulus
	{
		mksig record ima-sig "d-ng=sha256:$(digest_of sha256 b)" n-ng=/b \
			"sig=$(mksig sign --key one.key --keyid 00010203 "$(digest_of sha256 a)")"
		mksig record ima-sig "d-ng=sha256:$(digest_of sha256 b)" n-ng=/c \
			"sig=030204000102030100$(zeros 256 | tr 0 f)"
	} >log
	verify --keyring "$ring"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['bad'] * 2"
	drop_ring
}

@test "sig-verify: a keyring in a keyring, and what is none" {
	local ring key inner
	new_ring
	{
		ima_record /a "$(signed sha256 rsa /a)"
		ima_record /b "$(signed sha256 other /c)"
	} >log
	inner=$(keyctl newring inner "$ring")
	verify --keyring "$ring" --allow-unknown-keys
	expect_verdict_of ok 0
	keyctl padd asymmetric '' "$inner" <"$KEYS/other.der"
	verify --keyring "$ring" --allow-unknown-keys
	expect_verdict_of fail 1
	# It can be looked at, but neither read nor searched.
	keyctl setperm "$inner" 0x01010000
	verify --keyring "$ring" --allow-unknown-keys
	expect_verdict_of not-checked 4
	expect_json "rows[-1]['reason'].startswith('a key that is not known may be one')" \
		"['a keyring in it: Permission denied' in k['kind'] for k in rows[-1]['keys']
			if k['source'] and 'key_id' not in k] == [True]"
	drop_ring
	new_ring
	verify --keyring "$key"
	expect_status 4
	expect_no_stdout
	expect_stderr "key '$key' is no keyring"
	# RSA of 1024 bits
	openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:1024 -out small.key 2>/dev/null
	openssl req -new -x509 -key small.key -subj /CN=small -days 1 -outform DER \
		-addext subjectKeyIdentifier=00:01:02:03 2>/dev/null |
		keyctl padd asymmetric '' "$ring"
	signed_as 00010203 small a /a >log
	verify --keyring "$ring"
	expect_verdict_of not-checked 4
	expect_record 1 unsupported 'RSA of 1024 bits proves nothing'
	expect_json "[k['usable'] for k in rows[-1]['keys'] if k['key_id'] == '00010203'] == [False]"
	drop_ring
}

@test "sig-verify: appended signatures and the keys of a keyring" {
	local ring key option
	new_ring
	printf module >module
	for option in '' -keyid; do
		# shellcheck disable=SC2086 # none or one
		openssl cms -sign -binary -noattr -nocerts -nosmimecap -outform DER -md sha256 \
			-signer "$KEYS/rsa.crt" -inkey "$KEYS/rsa.key" -in module -out cms $option
		mksig record ima-modsig d-ng= n-ng=/m.ko sig= \
			"d-modsig=sha256:$(digest_of sha256 module)" "modsig=$(hex_of cms)"
	done >log
	verify --keyring "$ring"
	expect_verdict_of ok 0
	drop_ring
}

@test "sig-verify: keyrings of the same name, and of others" {
	local ring key name twin
	new_ring
	name=$(keyctl rdescribe "$ring" | cut -d ';' -f 5)
	ima_record /a "$(signed sha256 rsa /a)" >log
	twin=$(keyctl newring "$name" "$ring")
	verify --keyring "$name"
	expect_status 4
	expect_no_stdout
	expect_stderr "2 keyrings are called '$name'"
	verify --keyring "$ring"
	expect_verdict_of ok 0
	keyctl unlink "$twin" "$ring"
	[ "$(id -u)" = 0 ] || skip 'the ring of another user needs root'
	# Another user's, which all may read
	keyctl setperm "$key" 0x3f3f3f3f
	keyctl setperm "$ring" 0x3f3f3f3f
	keyctl chown "$ring" 65534 || skip 'keys cannot be given away here'
	verify --keyring "$name"
	expect_status 4
	expect_no_stdout
	expect_stderr "cannot find keyring '$name' of this user or root"
	drop_ring
}
