// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signatures as the kernel's extended attributes and its measurement list have them
 *
 * struct signature_v2_hdr (security/integrity/integrity.h), integers big-endian:
 *
 *	u8	type: 3 of a file (security.ima), 5 EVM portable, 6 of a file with fs-verity
 *	u8	version: 1 (of OpenPGP keys, another structure), 2, 3
 *	u8	hash algorithm (enum hash_algo, include/uapi/linux/hash_info.h)
 *	u32	key id: the last bytes of the subject key identifier
 *	u16	size of what follows, which is all the rest
 *	...	RSA: PKCS #1 v1.5; ECDSA: ECDSA-Sig-Value in DER
 *
 * Version 2 signs the digest.  Version 3 signs the digest of struct ima_file_id: type and hash
 * algorithm, a byte each as above, then the digest.
 */
#include "sig.h"

#define HEADER_SIZE 9
/* The largest RSA key that OpenSSL takes has 16384 bits. */
#define SIG_MAX 2048

/* Indexes are the kernel's numbers. */
static const struct {
	const char *name;
	enum imalog_alg alg; /* that signatures are checked with */
} hashes[] = {
	{ "md4", 0 },
	{ "md5", 0 },
	{ "sha1", IMALOG_ALG_SHA1 },
	{ "rmd160", 0 },
	{ "sha256", IMALOG_ALG_SHA256 },
	{ "sha384", IMALOG_ALG_SHA384 },
	{ "sha512", IMALOG_ALG_SHA512 },
	{ "sha224", 0 },
	{ "rmd128", 0 },
	{ "rmd256", 0 },
	{ "rmd320", 0 },
	{ "wp256", 0 },
	{ "wp384", 0 },
	{ "wp512", 0 },
	{ "tgr128", 0 },
	{ "tgr160", 0 },
	{ "tgr192", 0 },
	{ "sm3", 0 }, /* goes with SM2 alone */
	{ "streebog256", 0 },
	{ "streebog512", 0 },
	{ "sha3-256", IMALOG_ALG_SHA3_256 },
	{ "sha3-384", IMALOG_ALG_SHA3_384 },
	{ "sha3-512", IMALOG_ALG_SHA3_512 },
};

uint8_t imalog_sig_hash_id(enum imalog_alg alg)
{
	uint8_t id = 0;

	while (id < IMALOG_ARRAY_SIZE(hashes) && (!hashes[id].alg || hashes[id].alg != alg))
		id++;
	return id;
}

enum imalog_alg imalog_sig_hash_alg(uint8_t id)
{
	return id < IMALOG_ARRAY_SIZE(hashes) ? hashes[id].alg : IMALOG_ALG_NONE;
}

bool imalog_sig_is_digest(struct imalog_span data)
{
	return data.size > 0 && (data.data[0] == IMALOG_XATTR_DIGEST ||
				 data.data[0] == IMALOG_XATTR_DIGEST_NG);
}

static int check_type(struct imalog_span data, struct imalog_error *error)
{
	uint8_t type = data.data[0], version = data.data[1];

	if (type != IMALOG_SIG_IMA && type != IMALOG_SIG_EVM_PORTABLE &&
	    type != IMALOG_SIG_VERITY)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "type",
				   "type 0x%02x is no signature that is known", type);
	if (version != 2 && version != 3)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "version",
				   "version %u is not supported", version);
	return 0;
}

static int check_size(size_t said, size_t left, struct imalog_error *error)
{
	if (said == 0)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "size",
				   "the signature is empty");
	if (said > left)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "size",
				   "length %zu exceeds %zu bytes left", said, left);
	if (said < left)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "size",
				   "%zu bytes are left over", left - said);
	if (said > SIG_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "size",
				   "%zu bytes exceed the limit of %d", said, SIG_MAX);
	return 0;
}

int imalog_sig_parse(struct imalog_span data, struct imalog_sig *ret,
		     struct imalog_error *reterr)
{
	struct imalog_cursor cursor = imalog_cursor_over(data, IMALOG_ORDER_BE);
	struct imalog_span head, keyid;
	struct imalog_sig sig;
	uint64_t size;
	int rc;

	if (data.size < 2)
		return imalog_fail(reterr, IMALOG_ERR_TRUNCATED, "type",
				   "a signature of %zu bytes has no header", data.size);
	rc = check_type(data, reterr);
	if (rc < 0)
		return rc;
	if (!imalog_cursor_bytes(&cursor, 3, &head) ||
	    !imalog_cursor_bytes(&cursor, sizeof(sig.keyid), &keyid) ||
	    !imalog_cursor_uint(&cursor, 2, &size))
		return imalog_fail(reterr, IMALOG_ERR_TRUNCATED, "header",
				   "a header of %d bytes, of which there are %zu",
				   HEADER_SIZE, data.size);
	rc = check_size((size_t)size, cursor.left, reterr);
	if (rc < 0)
		return rc;
	sig = (struct imalog_sig){ .type = (enum imalog_sig_type)head.data[0],
				   .version = head.data[1],
				   .hash = head.data[2],
				   .alg = imalog_sig_hash_alg(head.data[2]) };
	if (sig.hash < IMALOG_ARRAY_SIZE(hashes))
		sig.hash_name = hashes[sig.hash].name;
	memcpy(sig.keyid, keyid.data, sizeof(sig.keyid));
	imalog_cursor_bytes(&cursor, (size_t)size, &sig.bytes);
	*ret = sig;
	return 0;
}

bool imalog_field_is_signature(enum imalog_field_id id)
{
	return id == IMALOG_FIELD_SIG || id == IMALOG_FIELD_MODSIG ||
	       id == IMALOG_FIELD_EVMSIG;
}

const char *imalog_sig_status_name(enum imalog_sig_status status)
{
	static const char *const names[] = {
		[IMALOG_SIG_NONE] = "no signature",
		[IMALOG_SIG_OK] = "ok",
		[IMALOG_SIG_BAD] = "bad signature",
		[IMALOG_SIG_UNKNOWN_KEY] = "unknown key",
		[IMALOG_SIG_UNSUPPORTED] = "unsupported",
	};

	return (size_t)status < IMALOG_ARRAY_SIZE(names) ? names[status] : "";
}
