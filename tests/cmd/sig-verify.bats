#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog sig-verify: signatures of real kernels, of evmctl and of openssl.

load helpers
load manual
load sig

setup_file() {
	make_keys
}

# ---- logs of real kernels

@test "sig-verify: a log of a real kernel with signed files" {
	imalog sig-verify --key "$RIGKEYS" --json "$RIG/sig/binary_runtime_measurements"
	expect_verdict_of fail 1
	expect_json 'len(rows) == 68' \
		"{r['name']: r['status'] for r in rows[58:67]} == {
			'/data/broken': 'bad', '/data/ec256': 'ok', '/data/ec384': 'ok',
			'/data/eccert': 'ok', '/data/rsa1': 'ok', '/data/rsa256': 'ok',
			'/data/rsa512': 'ok', '/data/rsacert': 'ok', '/data/unsigned': 'none'}" \
		"all(r['status'] == 'none' for r in rows[:58])" \
		"[r['record'] for r in rows if r.get('name') == '/data/hashonly'] == [57]" \
		"rows[-1]['records'] == {'none': 59, 'ok': 7, 'bad': 1, 'unknown-key': 0,
			'unsupported': 0}" \
		"[d['records']['ok'] for d in rows[-1]['directories']
			if d['directory'] == '/data'] == [7]"
}

@test "sig-verify: what it prints" {
	imalog sig-verify --key "$RIGKEYS/rsa.der" "$RIG/sig/binary_runtime_measurements"
	expect_status 1
	expect_no_stderr
	expect_stdout '^   59 bad signature f38eefb0 /data/broken  \(not the key' \
		'^   60 unknown key   c2b32965 /data/ec256' \
		'^   64 ok            f38eefb0 /data/rsa256  \(RSA of 2048 bits with sha256\)$' \
		'^   67 no signature  -        /data/unsigned$' \
		'^  f38eefb0  file ".*rsa.der", CN=imarig rsa signer, .*; 4 ok, 1 bad signature$' \
		'^  c2b32965  not given; 3 unknown key, first in record 60$' \
		'^  /data  10 no signature, 4 ok, 1 bad signature, 3 unknown key$' \
		'^Verdict: FAIL: a signature is bad$'
	imalog sig-verify -q --key "$RIGKEYS/rsa.der" "$RIG/sig/binary_runtime_measurements"
	expect_status 1
	expect_no_stdout
}

@test "sig-verify: the same in every format" {
	local format
	imalog sig-verify --key "$RIGKEYS" "$RIG/sig/binary_runtime_measurements"
	echo "$output" >want
	for format in ascii cel-tlv cel-json kernel-be; do
		imalog_to log convert -t $format "$RIG/sig/binary_runtime_measurements"
		imalog sig-verify --key "$RIGKEYS" log
		expect_status 1 "$format"
		echo "$output" >got
		expect_same got want "$format"
	done
}

@test "sig-verify: EVM's portable signature of a real kernel" {
	imalog sig-verify --key "$RIGKEYS" --json "$RIG/evmsig/binary_runtime_measurements"
	expect_verdict_of ok 0
	expect_json "rows[47]['status'] == 'ok'" "rows[47]['name'] == '/data/attrs'" \
		"rows[47]['signatures'][0]['field'] == 'evmsig'"
	# Big-endian integers in the list, but the digest is over what the machine has
	imalog_to log convert -t kernel-be "$RIG/evmsig/binary_runtime_measurements"
	verify --key "$RIGKEYS"
	expect_verdict_of ok 0
}

@test "sig-verify: keys that a real kernel measured" {
	local logs=("$RIG/buf/binary_runtime_measurements"
		"$RIG/evmsig/binary_runtime_measurements" "$RIG/sig/binary_runtime_measurements")
	imalog sig-verify --keys-from-log "${logs[@]}"
	expect_status 1 # the broken one
	expect_stdout '^  f38eefb0  log "imarig", .*; 5 ok, 1 bad signature; measured in record 10, before its first use in record 67; trust not checked' \
		'^  c2b32965  log "imarig", .*; 3 ok; measured in record 11, before'
	imalog sig-verify --keys-from-log "${logs[@]:0:2}"
	expect_status 4
	expect_stdout '^Verdict: not checked: nothing says'
	imalog sig-verify --keys-from-log --ca "$RIGKEYS/rsa.crt" "${logs[@]:0:2}"
	expect_status 0
	imalog sig-verify --keys-from-log --ca "$RIGKEYS/ec.crt" "${logs[@]:0:2}"
	expect_status 1
	expect_stdout 'NOT TRUSTED: ' '^Verdict: FAIL: a key that was used is not trusted$'
}

@test "sig-verify: logs of other projects" {
	need_vectors peers/ORIGIN.txt
	local keylime=$VECTORS/peers/keylime
	imalog sig-verify --key "$keylime/ima_keys" --json \
		"$keylime/test_ima_verification.SIGNATURES.ascii"
	expect_verdict_of not-checked 4
	expect_record 1 ok
	expect_record 2 unknown-key
	imalog sig-verify --json "$VECTORS/peers/ibmtss/sha256.log"
	expect_verdict_of not-checked 4
	expect_json "rows[-1]['records']['unknown-key'] == 21" \
		"[k['key_id'] for k in rows[-1]['keys']] == ['a3204a9e']"
}

# ---- signatures of others

@test "sig-verify: what evmctl signs" {
	command -v evmctl >/dev/null || skip 'evmctl (ima-evm-utils) is not installed'
	local key hash n=0
	for key in rsa p256 p384 p521; do
		for hash in sha1 sha256 sha384 sha512; do
			printf '%s' "$key-$hash" >"$key-$hash"
			evmctl ima_sign -f -a $hash -k "$KEYS/$key.key" $key-$hash >/dev/null 2>&1 ||
				fail "evmctl: $key $hash"
			ima_record $key-$hash "$(od -An -v -tx1 $key-$hash.sig | tr -d ' \n')" \
				$hash >>log
			n=$((n + 1))
		done
	done
	for hash in pub crt der; do
		verify --key "$KEYS/rsa.$hash" --key "$KEYS/p256.$hash" \
			--key "$KEYS/p384.$hash, $KEYS/p521.$hash"
		expect_verdict_of ok 0
		expect_json "rows[-1]['records']['ok'] == $n"
	done
	# Each of another file
	sed 's/rsa-sha256/rsa-sha257/' log >other
	imalog sig-verify --key "$KEYS/rsa.crt" other
	expect_status 1
}

@test "sig-verify: version 3, of plain and of fs-verity digests" {
	local digest
	digest=$(digest_of sha256 text)
	{
		ima_record text "$(signed sha256 rsa text --version 3)"
		mksig record ima-sigv2 "d-ngv2=verity:sha256:$digest" n-ng=a \
			"sig=$(signed sha256 p256 text --version 3 --type 6)"
		mksig record ima-sigv2 "d-ngv2=ima:sha256:$digest" n-ng=b \
			"sig=$(signed sha256 p256 text --version 3)"
		# Of the other digest than the one that is there
		mksig record ima-sigv2 "d-ngv2=ima:sha256:$digest" n-ng=c \
			"sig=$(signed sha256 p256 text --version 3 --type 6)"
		mksig record ima-sigv2 "d-ngv2=verity:sha256:$digest" n-ng=d \
			"sig=$(signed sha256 p256 text --version 2)"
		mksig record ima-sigv2 "d-ngv2=verity:sha256:$digest" n-ng=e \
			"sig=$(signed sha256 p256 text --version 2 --type 6)"
		# A signature that says to be of another kind than what was signed
		mksig record ima-sigv2 "d-ngv2=ima:sha256:$digest" n-ng=f \
			"sig=$(signed sha256 p256 text --version 3 --type 6 | sed 's/^06/03/')"
		mksig record ima-sigv2 "d-ngv2=ima:sha256:$digest" n-ng=g \
			"sig=$(signed sha256 p256 text --version 3 | sed 's/^0303/0302/')"
	} >log
	verify --key "$KEYS"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['ok'] * 3 + ['unsupported'] * 3 +
		['bad'] * 2"
}

@test "sig-verify: appended signatures" {
	local option digest sig
	printf module >module
	digest=$(digest_of sha256 module)
	for option in '' -keyid; do
		# shellcheck disable=SC2086 # none or one
		openssl cms -sign -binary -noattr -nocerts -nosmimecap -outform DER -md sha256 \
			-signer "$KEYS/rsa.crt" -inkey "$KEYS/rsa.key" -in module -out cms $option
		sig=$(od -An -v -tx1 cms | tr -d ' \n')
		mksig record ima-modsig "d-ng=sha256:$(zeros 32)" n-ng=/m.ko sig= \
			"d-modsig=sha256:$digest" "modsig=$sig"
	done >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of ok 0
	expect_json "[s['field'] for r in rows[:2] for s in r['signatures']] == ['modsig'] * 2"
	# Of two signers both must be known, and trusted.
	openssl cms -sign -binary -noattr -nocerts -nosmimecap -outform DER -md sha256 \
		-signer "$KEYS/rsa.crt" -inkey "$KEYS/rsa.key" -signer "$KEYS/p256.crt" \
		-inkey "$KEYS/p256.key" -in module -out cms
	mv log one
	mksig record ima-modsig d-ng= n-ng=/two.ko sig= "d-modsig=sha256:$digest" \
		"modsig=$(od -An -v -tx1 cms | tr -d ' \n')" >two
	cp two log
	verify --key "$KEYS/rsa.crt" --key "$KEYS/p256.crt"
	expect_verdict_of ok 0
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_record 1 unknown-key
	{
		measured_key .ima p256
		cat two
	} >log
	verify --key "$KEYS/rsa.crt" --keys-from-log
	expect_verdict_of not-checked 4
	expect_record 2 ok
	mv one log
	# A bare key has no issuer, but the usual identifier
	verify --key "$KEYS/rsa.pub"
	expect_verdict_of not-checked 4
	expect_record 1 unknown-key
	expect_record 2 ok
	cp log good
	{
		mksig record ima-modsig n-ng=other d-ng= sig= \
			"d-modsig=sha256:$(digest_of sha256 other)" "modsig=$sig"
		mksig record ima-modsig n-ng=hash d-ng= sig= \
			"d-modsig=sha1:$(digest_of sha1 module)" "modsig=$sig"
		mksig record ima-modsig n-ng=nothing d-ng= sig= d-modsig= "modsig=$sig"
		mksig record ima-modsig n-ng=trailing d-ng= sig= "d-modsig=sha256:$digest" \
			"modsig=${sig}00"
		mksig record ima-modsig n-ng=cut d-ng= sig= "d-modsig=sha256:$digest" \
			"modsig=${sig%??}"
		openssl cms -sign -binary -outform DER -md sha256 -signer "$KEYS/rsa.crt" \
			-inkey "$KEYS/rsa.key" -in module -out cms
		mksig record ima-modsig n-ng=attributes d-ng= sig= "d-modsig=sha256:$digest" \
			"modsig=$(od -An -v -tx1 cms | tr -d ' \n')"
		openssl cms -sign -binary -nodetach -noattr -outform DER -md sha256 \
			-signer "$KEYS/rsa.crt" -inkey "$KEYS/rsa.key" -in module -out cms
		mksig record ima-modsig n-ng=attached d-ng= sig= "d-modsig=sha256:$digest" \
			"modsig=$(od -An -v -tx1 cms | tr -d ' \n')"
	} >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['bad', 'bad', 'unsupported', 'bad',
		'bad', 'unsupported', 'bad']"
}

# evm_record NAME [FIELD=VALUE...]: with the attributes in the file "values"
evm_record() {
	local name=$1
	shift
	mksig record evm-sig "n-ng=$name" "d-ng=sha256:$(digest_of sha256 text)" \
		"xattrvalues=$(od -An -v -tx1 values | tr -d ' \n')" "$@"
}

@test "sig-verify: EVM's portable signatures, from the fields of a record" {
	local sig usual ima
	ima=0404$(digest_of sha256 text)
	from_hex <(echo "$ima 61626300") >values
	sig=$(mksig evm --key "$KEYS/rsa.key" --keyid "$(keyid rsa)" --uid 5 --gid 6 values)
	usual=('xattrnames=security.ima|security.selinux' 'xattrlengths=34,4' iuid=5 igid=6
		imode=0o100644)
	{
		evm_record ok "${usual[@]}" "evmsig=$sig"
		evm_record word32 "${usual[@]}" "evmsig=$(mksig evm --key "$KEYS/rsa.key" \
			--keyid "$(keyid rsa)" --uid 5 --gid 6 --word 4 values)"
		evm_record v3 "${usual[@]}" "evmsig=$(mksig evm --key "$KEYS/p256.key" \
			--keyid "$(keyid p256)" --uid 5 --gid 6 --version 3 values)"
		evm_record uid "${usual[@]::2}" iuid=0 igid=6 imode=0o100644 "evmsig=$sig"
		evm_record mode "${usual[@]::4}" imode=0o104755 "evmsig=$sig"
		evm_record lengths "xattrnames=security.ima|security.selinux" xattrlengths=34,5 \
			iuid=5 igid=6 imode=0o100644 "evmsig=$sig"
		evm_record names xattrnames=security.ima xattrlengths=34,4 iuid=5 igid=6 \
			imode=0o100644 "evmsig=$sig"
		evm_record no-ima "xattrnames=security.smack|security.selinux" xattrlengths=34,4 \
			iuid=5 igid=6 imode=0o100644 "evmsig=$sig"
		evm_record unsigned "${usual[@]}" evmsig=
		# The attributes are as they were signed, the content is not.
		mksig record evm-sig n-ng=content "d-ng=sha256:$(digest_of sha256 other)" \
			"xattrvalues=$(od -An -v -tx1 values | tr -d ' \n')" "${usual[@]}" \
			"evmsig=$sig"
		# Records that have the signature without what it covers
		ima_record text "$sig"
		evm_record hmac "${usual[@]}" "evmsig=02$(zeros 20)"
		evm_record bound "${usual[@]}" "evmsig=03${sig#05}"
	} >log
	verify --key "$KEYS"
	expect_verdict_of fail 1
	expect_json "[r['status'] for r in rows[:-1]] == ['ok'] * 3 + ['bad'] * 5 + ['none',
		'bad'] + ['unsupported'] * 3"
	expect_record 10 bad 'another digest'
	expect_record 11 unsupported 'attributes of the file that the record does not have'
}

@test "sig-verify: EVM's portable signature over a signature" {
	local sig ima key
	for key in rsa p384; do
		ima=$(signed sha256 $key text)
		from_hex <(echo "$ima") >values
		sig=$(mksig evm --key "$KEYS/rsa.key" --keyid "$(keyid rsa)" values)
		evm_record $key xattrnames=security.ima "xattrlengths=$((${#ima} / 2))" iuid=0 \
			igid=0 imode=0o100644 "evmsig=$sig"
	done >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of not-checked 4
	expect_record 1 ok
	expect_record 2 unknown-key 'security.ima, which it covers'
	verify --key "$KEYS/rsa.crt" --key "$KEYS/p384.pub"
	expect_verdict_of ok 0
	# Both keys must be trusted.
	mv log two
	{
		measured_key .ima p384
		cat two
	} >log
	verify --key "$KEYS/rsa.crt" --keys-from-log
	expect_verdict_of not-checked 4
	expect_json "[r['status'] for r in rows[:-1]] == ['none', 'ok', 'ok']" \
		"[s['trust'] for r in rows[1:3] for s in r['signatures']] == ['match',
			'not-checked']"
}

@test "sig-verify: a log that a big-endian machine has written" {
	local ima
	ima=0404$(digest_of sha256 text)
	from_hex <(echo "$ima") >values
	mksig record --be evm-sig n-ng=be "d-ng=sha256:$(digest_of sha256 text)" \
		"xattrvalues=$ima" xattrnames=security.ima xattrlengths=34 iuid=5 igid=6 \
		imode=0o100644 "evmsig=$(mksig evm --be --uid 5 --gid 6 --key "$KEYS/rsa.key" \
			--keyid "$(keyid rsa)" values)" >log
	verify --key "$KEYS/rsa.crt"
	expect_verdict_of ok 0
	# Canonical: little-endian, while what was hashed and signed stays as it was
	imalog_to canonical convert -t kernel log
	imalog sig-verify --key "$KEYS/rsa.crt" canonical
	expect_status 0
}

@test "show: which signatures records carry" {
	imalog show --signatures "$RIG/sig/binary_runtime_measurements"
	expect_status 0
	expect_stdout '^   61 10 ima-sig ima:v2:sha384:c2b32965 +/data/ec384$' \
		'^   67 10 ima-sig - +/data/unsigned$'
	imalog show --json --signatures "$RIG/evmsig/binary_runtime_measurements"
	expect_status 0
	expect_json "rows[47]['signatures'] == [{'field': 'evmsig', 'size': 265,
		'version': 2, 'hash': 'sha256', 'key_id': 'f38eefb0', 'type': 'evm'}]" \
		"rows[0]['signatures'] == []"
	{
		ima_record verity "$(signed sha256 rsa text --version 3 --type 6)"
		ima_record digest 0404
		ima_record other 09
		ima_record hash "$(signed sha256 rsa text | sed 's/^030204/030263/')"
		mksig record ima-modsig d-ng= n-ng=m sig=04 d-modsig= modsig=300000
	} >log
	imalog show --fields signature log
	expect_status 0
	[ "$output" = "verity:v3:sha256:$(keyid rsa)
digest
not-known
ima:v2:hash-99:$(keyid rsa)
digest,appended:3" ] || fail 'other signatures'
	imalog show --signatures --fields record log
	expect_usage_error show
}

@test "manual: imalog-sig-verify.1" {
	mkdir bin
	ln -s "$IMALOG" bin/imalog
	PATH=$PWD/bin:$PATH
	cp -r "$RIGKEYS" keys
	cp keys/rsa.crt ca.crt
	cat "$RIG"/{buf,evmsig}/binary_runtime_measurements >log
	example imalog-sig-verify.1 '$ imalog sig-verify --key keys log'
	expect_status 0
	example imalog-sig-verify.1 '$ imalog sig-verify --keys-from-log --ca ca.crt --policy all log'
	expect_status 1
	expect_stdout '^Verdict: FAIL: a file has no signature$'
	cp -f "$RIG/sig/binary_runtime_measurements" log
	example imalog-sig-verify.1 '$ imalog sig-verify --key keys/rsa.der log | grep unknown'
	expect_status 0
	expect_stdout ' unknown key   c2b32965 /data/ec256 '
	# Of this machine, which has no such keyring, or one without these keys
	example imalog-sig-verify.1 '# imalog sig-verify --keyring .ima'
	expect_status 4
}

@test "manual: what imalog-sig-verify.1 shows of an output" {
	mkdir keys
	cp "$KEYS/rsa.crt" keys
	{
		mksig record ima-ng "d-ng=sha256:$(zeros 32)" n-ng=boot_aggregate
		ima_record /usr/bin/ls "$(signed sha256 rsa /usr/bin/ls)"
		ima_record /etc/motd ''
		ima_record /opt/tool "$(signed sha256 p256 /opt/tool)"
		ima_record /usr/bin/vi "$(signed sha256 rsa other)"
	} >log
	imalog sig-verify --key keys log
	expect_status 1
	sed -n '/^    1 no signature/,/^Verdict/p' "$IMALOG_SRC/man/imalog-sig-verify.1" |
		sed "s/e12eb7ad/$(keyid rsa)/; s/f3da1dcc/$(keyid p256)/" >want
	echo "$output" >got
	expect_same got want
}
