// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Signatures of quotes, and whether they are the key's
 *
 * TPMT_SIGNATURE (TPM 2.0 Part 2, 11.3.4), integers big-endian:
 *
 *	u16	sigAlg: 0x0014 RSASSA, 0x0016 RSAPSS, 0x0018 ECDSA
 *	u16	hash
 *	RSA:	TPM2B signature
 *	ECDSA:	TPM2B r, TPM2B s
 */
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "private.h"
#include "tpm-cursor.h"

#define SIGNATURE_MAX 4096
/* r and s of the largest curve that there is, P-521 */
#define ECDSA_PART_MAX 66
/* DER of both: a few bytes more */
#define ECDSA_DER_MAX (2 * (ECDSA_PART_MAX + 3) + 4)

struct signature {
	uint16_t scheme; /* IMALOG_TPM_NULL: it does not say */
	uint16_t hash;
	struct imalog_span bytes; /* as OpenSSL takes it; size 0: it is of no use */
	const char *useless;	  /* why */
	uint8_t der[ECDSA_DER_MAX];
};

static const struct {
	uint16_t id;
	const char *name;
} schemes[] = {
	{ IMALOG_TPM_RSASSA, "rsassa" },
	{ IMALOG_TPM_RSAPSS, "rsapss" },
	{ IMALOG_TPM_ECDSA, "ecdsa" },
};

static const char *scheme_name(uint16_t id)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(schemes); i++)
		if (schemes[i].id == id)
			return schemes[i].name;
	return "plain";
}

/* ---- reading ---- */

static int encode_ecdsa(struct signature *sig, struct imalog_span r, struct imalog_span s,
			struct imalog_error *error)
{
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *rn = BN_bin2bn(r.data, (int)r.size, NULL),
	       *sn = BN_bin2bn(s.data, (int)s.size, NULL);
	unsigned char *end = sig->der;
	int size;

	if (!pair || !rn || !sn) {
		BN_free(rn);
		BN_free(sn);
		ECDSA_SIG_free(pair);
		return imalog_fail_nomem(error);
	}
	ECDSA_SIG_set0(pair, rn, sn);
	size = i2d_ECDSA_SIG(pair, NULL);
	if (size > 0 && (size_t)size <= sizeof(sig->der))
		size = i2d_ECDSA_SIG(pair, &end);
	ECDSA_SIG_free(pair);
	if (size <= 0)
		return imalog_fail(error, IMALOG_ERR_CRYPTO, "",
				   "cannot encode a signature");
	sig->bytes = (struct imalog_span){ sig->der, (size_t)size };
	return 0;
}

static int parse_tpm(struct signature *sig, struct imalog_span bytes,
		     struct imalog_error *error)
{
	struct imalog_tpm_cursor tpm = imalog_tpm_over(bytes, error);
	struct imalog_span r, s;

	sig->scheme = imalog_tpm_u16(&tpm, "sigAlg");
	switch (sig->scheme) {
	case IMALOG_TPM_RSASSA:
	case IMALOG_TPM_RSAPSS:
		sig->hash = imalog_tpm_u16(&tpm, "hash");
		sig->bytes = imalog_tpm_sized(&tpm, SIGNATURE_MAX, "signature");
		if (sig->bytes.size == 0)
			sig->useless = "the signature is empty";
		return imalog_tpm_end(&tpm, "signature");
	case IMALOG_TPM_ECDSA:
		sig->hash = imalog_tpm_u16(&tpm, "hash");
		r = imalog_tpm_sized(&tpm, ECDSA_PART_MAX, "signatureR");
		s = imalog_tpm_sized(&tpm, ECDSA_PART_MAX, "signatureS");
		if (imalog_tpm_end(&tpm, "signature") < 0)
			return tpm.rc;
		return encode_ecdsa(sig, r, s, error);
	case IMALOG_TPM_NULL:
		sig->useless = "the quote was not signed (TPM_ALG_NULL)";
		return imalog_tpm_end(&tpm, "signature");
	case 0x0005: /* HMAC */
	case 0x001a: /* ECDAA */
	case 0x001b: /* SM2 */
	case 0x001c: /* ECSCHNORR */
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "sigAlg",
				   "scheme 0x%x is not supported", sig->scheme);
	}
	return tpm.rc < 0 ?
		       tpm.rc :
		       imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "",
				   "neither a TPMT_SIGNATURE of scheme RSASSA, RSAPSS or "
				   "ECDSA nor a plain signature of the key's kind");
}

/* ECDSA-Sig-Value (RFC 3279, 2.2.3) */
static int parse_der(struct signature *sig, struct imalog_span bytes,
		     struct imalog_error *error)
{
	const unsigned char *end = bytes.data;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &end, (long)bytes.size);
	size_t left = (size_t)(bytes.data + bytes.size - end);
	bool ok = pair;

	ECDSA_SIG_free(pair);
	ERR_clear_error();
	if (!ok)
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "",
				   "damaged ECDSA signature");
	if (left)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "signature",
				   "%zu bytes are left over", left);
	sig->bytes = bytes;
	return 0;
}

/* Has it the size of an RSA signature without any structure? */
static bool is_bare(struct imalog_span bytes, const struct imalog_key *key)
{
	static const size_t usual[] = { 128, 256, 384, 512 };

	if (key->is_rsa && bytes.size == (key->bits + 7) / 8)
		return true;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(usual); i++)
		if (bytes.size == usual[i])
			return true;
	return false;
}

static int parse_signature(struct signature *sig, struct imalog_span bytes,
			   const struct imalog_key *key, struct imalog_error *error)
{
	memset(sig, 0, sizeof(*sig));
	sig->scheme = IMALOG_TPM_NULL;
	if (bytes.size == 0)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, "", "there is nothing");
	if (bytes.size > SIGNATURE_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "",
				   "%zu bytes exceed the limit of %d", bytes.size,
				   SIGNATURE_MAX);
	/* No TPMT_SIGNATURE has one of these sizes: 6 bytes precede that of an RSA key. */
	if (is_bare(bytes, key)) {
		sig->bytes = bytes;
		return 0;
	}
	if (bytes.data[0] == 0x30)
		return parse_der(sig, bytes, error);
	return parse_tpm(sig, imalog_tpm_unwrap(bytes), error);
}

/* ---- verifying ---- */

/* 1: it is the key's, 0: it is not, negative: could not tell */
static int verify(struct imalog_span message, const struct signature *sig,
		  const struct imalog_key *key, uint16_t scheme, enum imalog_alg hash,
		  struct imalog_error *error)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	bool pss = scheme == IMALOG_TPM_RSAPSS;
	int ok;

	if (!ctx)
		return imalog_fail_nomem(error);
	ok = EVP_DigestVerifyInit_ex(ctx, &pctx, imalog_alg_name(hash), NULL, NULL,
				     key->pkey, NULL) > 0;
	if (ok && key->is_rsa)
		ok = EVP_PKEY_CTX_set_rsa_padding(pctx, pss ? RSA_PKCS1_PSS_PADDING :
							      RSA_PKCS1_PADDING) > 0;
	/* The salt is as long as the hash or as fits (TPM 2.0 Part 1, B.7). */
	if (ok && pss)
		ok = EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_AUTO) > 0;
	if (ok)
		ok = EVP_DigestVerify(ctx, sig->bytes.data, sig->bytes.size, message.data,
				      message.size) == 1;
	else
		ok = imalog_fail(error, IMALOG_ERR_CRYPTO, "",
				 "cannot verify %s signatures with %s by this key",
				 scheme_name(scheme), imalog_alg_name(hash));
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

/* A plain signature of an RSA key does not say how it was padded. */
static int verify_plain(struct imalog_span message, const struct signature *sig,
			const struct imalog_key *key, enum imalog_alg hash,
			uint16_t *scheme, struct imalog_error *error)
{
	int ok;

	*scheme = key->is_rsa ? IMALOG_TPM_RSASSA : IMALOG_TPM_ECDSA;
	if (key->scheme != IMALOG_TPM_NULL)
		*scheme = key->scheme;
	ok = verify(message, sig, key, *scheme, hash, error);
	if (ok == 0 && key->is_rsa && key->scheme == IMALOG_TPM_NULL) {
		*scheme = IMALOG_TPM_RSAPSS;
		ok = verify(message, sig, key, *scheme, hash, error);
	}
	return ok;
}

/* Why the signature cannot be the key's, whatever its numbers are; NULL when it can be. */
static const char *objection(const struct signature *sig, const struct imalog_key *key,
			     enum imalog_alg hash)
{
	uint16_t scheme = sig->scheme == IMALOG_TPM_NULL ? key->scheme : sig->scheme;

	if (sig->useless)
		return sig->useless;
	if (scheme != IMALOG_TPM_NULL && (scheme == IMALOG_TPM_ECDSA) == key->is_rsa)
		return "it is not of the key's kind";
	if (key->scheme != IMALOG_TPM_NULL && scheme != key->scheme)
		return "its scheme is not the one that the key prescribes";
	if (scheme != IMALOG_TPM_NULL && strcmp(scheme_name(scheme), "plain") == 0)
		return "the key prescribes a scheme that signs no quotes";
	if (key->scheme_hash && sig->hash != key->scheme_hash)
		return "its hash is not the one that the key prescribes";
	if (hash != IMALOG_ALG_NONE && imalog_alg_by_tpm_id(sig->hash) != hash)
		return "its hash is not the one that was asked for";
	if (imalog_alg_by_tpm_id(sig->hash) == IMALOG_ALG_SHA1)
		return "it is made with sha1, which proves nothing any more";
	return NULL;
}

static enum imalog_alg plain_hash(const struct imalog_key *key, enum imalog_alg hash)
{
	if (hash == IMALOG_ALG_NONE && key->scheme != IMALOG_TPM_NULL)
		hash = imalog_alg_by_tpm_id(key->scheme_hash);
	return hash == IMALOG_ALG_NONE ? IMALOG_ALG_SHA256 : hash;
}

static int judge_signature(struct imalog_quote *quote, const struct signature *sig,
			   const struct imalog_key *key, struct imalog_error *error)
{
	uint16_t scheme = sig->scheme;
	int ok;

	if (scheme == IMALOG_TPM_NULL)
		ok = verify_plain(quote->message, sig, key, quote->hash, &scheme, error);
	else
		ok = verify(quote->message, sig, key, scheme, quote->hash, error);
	if (ok < 0)
		return ok;
	if (ok)
		imalog_quote_judge(quote, IMALOG_QUOTE_SIGNATURE, IMALOG_MATCH,
				   "%s with %s", scheme_name(scheme),
				   imalog_alg_name(quote->hash));
	else
		imalog_quote_judge(quote, IMALOG_QUOTE_SIGNATURE, IMALOG_MISMATCH,
				   "not the key's over these bytes with %s",
				   imalog_alg_name(quote->hash));
	return 0;
}

int imalog_quote_check_signature(struct imalog_quote *quote, struct imalog_span signature,
				 const struct imalog_key *key, enum imalog_alg hash,
				 struct imalog_error *reterr)
{
	struct signature sig;
	const char *no;
	int rc;

	imalog_quote_judge(quote, IMALOG_QUOTE_SIGNATURE, IMALOG_NOT_CHECKED, "%s", "");
	rc = parse_signature(&sig, signature, key, reterr);
	if (rc < 0)
		return rc;
	if (sig.scheme == IMALOG_TPM_NULL && !sig.useless)
		sig.hash = imalog_alg_tpm_id(plain_hash(key, hash));
	quote->hash = imalog_alg_by_tpm_id(sig.hash);
	no = objection(&sig, key, hash);
	if (no)
		imalog_quote_judge(quote, IMALOG_QUOTE_SIGNATURE, IMALOG_MISMATCH, "%s",
				   no);
	else if (imalog_key_is_weak(key))
		imalog_quote_judge(quote, IMALOG_QUOTE_SIGNATURE, IMALOG_NOT_CHECKED,
				   "%s proves nothing", key->text);
	else if (quote->hash == IMALOG_ALG_NONE)
		imalog_quote_judge(quote, IMALOG_QUOTE_SIGNATURE, IMALOG_NOT_CHECKED,
				   "hash 0x%x is not known", sig.hash);
	else
		return judge_signature(quote, &sig, key, reterr);
	return 0;
}
