// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Public keys that sign quotes and files: PEM, DER, certificates, and the TPM's own form
 *
 * TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4), integers big-endian:
 *
 *	u16	type: 0x0001 RSA, 0x0023 ECC
 *	u16	nameAlg
 *	u32	objectAttributes
 *	TPM2B	authPolicy
 *	...	symmetric: u16, then keyBits u16 and mode u16 unless it is NULL
 *	...	scheme: u16, then a hash u16, or nothing, or for ECDAA a hash and a count
 *	RSA:	u16 keyBits, u32 exponent, TPM2B modulus
 *	ECC:	u16 curve, kdf: u16, then a hash u16 unless it is NULL, TPM2B x, TPM2B y
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "private.h"
#include "tpm-cursor.h"

/* Certificates with many extensions are a few KiB. */
#define KEY_SIZE_MAX  ((size_t)1 << 20)
#define RSA_BITS_MAX  16384
#define RSA_BYTES_MAX (RSA_BITS_MAX / 8)
#define EC_BYTES_MAX  66
#define POLICY_MAX    64

#define TPM_ALG_RSA 0x0001
#define TPM_ALG_ECC 0x0023

static const struct {
	uint16_t tpm_id; /* TPM 2.0 Part 2, 6.4 */
	uint16_t bits;
	const char *group; /* OpenSSL's name */
	const char *name;
} curves[] = {
	{ 0x0003, 256, "prime256v1", "P-256" },
	{ 0x0004, 384, "secp384r1", "P-384" },
	{ 0x0005, 521, "secp521r1", "P-521" },
};

/* Forgets what OpenSSL complained of, too: the error queue is the thread's, not ours. */
static int bad_format(struct imalog_error *error, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	int rc = imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "", "%s%s%s", what,
			     reason ? ": " : "", reason ? reason : "");

	ERR_clear_error();
	return rc;
}

/* ---- what every key must be ---- */

/* With an exponent of 1 every message is its own signature. */
static bool exponent_is_sane(const EVP_PKEY *pkey)
{
	BIGNUM *e = NULL;
	bool ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) &&
		  BN_is_odd(e) && !BN_is_one(e);

	BN_free(e);
	return ok;
}

static int adopt_rsa(struct imalog_key *key, struct imalog_error *error)
{
	int bits = EVP_PKEY_get_bits(key->pkey);

	if (bits <= 0 || !exponent_is_sane(key->pkey))
		return imalog_fail(
			error, IMALOG_ERR_BAD_VALUE, "",
			"an RSA key of %d bits whose modulus or exponent cannot be",
			bits);
	if (bits > RSA_BITS_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "",
				   "RSA of %d bits exceeds the limit of %d", bits,
				   RSA_BITS_MAX);
	key->is_rsa = true;
	key->bits = (unsigned int)bits;
	if (EVP_PKEY_is_a(key->pkey, "RSA-PSS"))
		key->scheme = IMALOG_TPM_RSAPSS;
	snprintf(key->text, sizeof(key->text), "RSA of %d bits", bits);
	return 0;
}

static bool point_is_on_curve(EVP_PKEY *pkey)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static int adopt_ec(struct imalog_key *key, struct imalog_error *error)
{
	char group[64] = "parameters of its own", shown[IMALOG_PRINTABLE_MAX];
	int explicit = 0;
	size_t i = 0;

	/* A curve must be named: parameters of one's own can make any point a public key.
	 */
	EVP_PKEY_get_int_param(key->pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
			       &explicit);
	if (!explicit)
		EVP_PKEY_get_group_name(key->pkey, group, sizeof(group), NULL);
	while (i < IMALOG_ARRAY_SIZE(curves) && strcmp(curves[i].group, group) != 0)
		i++;
	if (i == IMALOG_ARRAY_SIZE(curves))
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
				   "EC on %s, only P-256, P-384 and P-521 are supported",
				   imalog_printable(imalog_span_of(group), shown));
	if (!point_is_on_curve(key->pkey))
		return bad_format(error, "an EC key that is not on its curve");
	key->bits = curves[i].bits;
	snprintf(key->text, sizeof(key->text), "EC on %s", curves[i].name);
	return 0;
}

/* Takes a key over, even if it fails. */
static int adopt(struct imalog_key *key, EVP_PKEY *pkey, struct imalog_error *error)
{
	key->pkey = pkey;
	if (EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS"))
		return adopt_rsa(key, error);
	if (EVP_PKEY_is_a(pkey, "EC"))
		return adopt_ec(key, error);
	return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
			   "a key that is neither RSA nor EC");
}

/* ---- DER ---- */

static int parse_spki(struct imalog_key *key, struct imalog_span der,
		      struct imalog_error *error)
{
	const unsigned char *end = der.data;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &end, (long)der.size);

	if (!pkey)
		return bad_format(error, "not a public key");
	if (end != der.data + der.size) {
		EVP_PKEY_free(pkey);
		return imalog_fail(error, IMALOG_ERR_TRAILING, "",
				   "%zu bytes are left over behind the public key",
				   (size_t)(der.data + der.size - end));
	}
	return adopt(key, pkey, error);
}

static int read_cert(struct imalog_span der, X509 **ret, struct imalog_error *error)
{
	const unsigned char *end = der.data;
	X509 *cert = d2i_X509(NULL, &end, (long)der.size);

	if (!cert)
		return bad_format(error, "not a certificate");
	if (end != der.data + der.size) {
		X509_free(cert);
		return imalog_fail(error, IMALOG_ERR_TRAILING, "",
				   "%zu bytes are left over behind the certificate",
				   (size_t)(der.data + der.size - end));
	}
	*ret = cert;
	return 0;
}

static int parse_cert(struct imalog_key *key, struct imalog_span der,
		      struct imalog_error *error)
{
	EVP_PKEY *pkey;
	int rc = read_cert(der, &key->cert, error);

	if (rc < 0)
		return rc;
	pkey = X509_get_pubkey(key->cert);
	return pkey ? adopt(key, pkey, error) :
		      bad_format(error, "certificate without a key");
}

static int parse_der(struct imalog_key *key, struct imalog_span der,
		     struct imalog_error *error)
{
	const unsigned char *end = der.data;
	X509 *cert = d2i_X509(NULL, &end, (long)der.size);
	bool is_cert = cert;

	X509_free(cert);
	ERR_clear_error();
	return is_cert ? parse_cert(key, der, error) : parse_spki(key, der, error);
}

/* ---- PEM ---- */

static int add_untrusted(struct imalog_key *key, struct imalog_span der,
			 struct imalog_error *error)
{
	X509 *cert;
	int rc = read_cert(der, &cert, error);

	if (rc < 0)
		return rc;
	if (!key->untrusted)
		key->untrusted = sk_X509_new_null();
	if (!key->untrusted || !sk_X509_push(key->untrusted, cert)) {
		X509_free(cert);
		return imalog_fail_nomem(error);
	}
	return 0;
}

static int parse_block(struct imalog_key *key, const char *name, struct imalog_span der,
		       struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];

	if (strcmp(name, PEM_STRING_X509) == 0)
		return key->pkey ? add_untrusted(key, der, error) :
				   parse_cert(key, der, error);
	if (strcmp(name, PEM_STRING_PUBLIC) != 0)
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "",
				   "'%s' is neither a public key nor a certificate",
				   imalog_printable(imalog_span_of(name), shown));
	if (key->pkey)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "",
				   "there is more than one key");
	return parse_spki(key, der, error);
}

static int parse_pem(struct imalog_key *key, struct imalog_span text,
		     struct imalog_error *error)
{
	BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
	char *name, *header;
	unsigned char *data;
	long size;
	int rc = bio ? 0 : imalog_fail_nomem(error);

	while (rc == 0 && PEM_read_bio(bio, &name, &header, &data, &size)) {
		rc = parse_block(key, name, (struct imalog_span){ data, (size_t)size },
				 error);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(data);
	}
	BIO_free(bio);
	if (rc == 0 &&
	    (!key->pkey || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE))
		rc = bad_format(error, "damaged PEM");
	ERR_clear_error();
	return rc;
}

/* ---- TPMT_PUBLIC ---- */

static int from_params(struct imalog_key *key, const char *type, OSSL_PARAM *params,
		       struct imalog_error *error)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;
	bool ok = ctx && params && EVP_PKEY_fromdata_init(ctx) > 0 &&
		  EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) > 0;

	EVP_PKEY_CTX_free(ctx);
	return ok ? adopt(key, pkey, error) :
		    bad_format(error, "public area with a bad key");
}

static int make_rsa(struct imalog_key *key, struct imalog_span modulus, uint32_t exponent,
		    struct imalog_error *error)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_bin2bn(modulus.data, (int)modulus.size, NULL), *e = BN_new();
	OSSL_PARAM *params = NULL;
	int rc;

	/* 0 is the default exponent (TPM 2.0 Part 2, 12.2.3.5). */
	if (build && n && e && BN_set_word(e, exponent ? exponent : 65537) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		params = OSSL_PARAM_BLD_to_param(build);
	rc = from_params(key, "RSA", params, error);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return rc;
}

static int parse_rsa(struct imalog_key *key, struct imalog_tpm_cursor *tpm)
{
	size_t bits = imalog_tpm_u16(tpm, "keyBits");
	uint32_t exponent = (uint32_t)imalog_tpm_uint(tpm, 4, "exponent");
	struct imalog_span modulus = imalog_tpm_sized(tpm, RSA_BYTES_MAX, "modulus");

	if (imalog_tpm_end(tpm, "public area") < 0)
		return tpm->rc;
	if (bits == 0 || modulus.size * 8 != bits)
		return imalog_fail(tpm->error, IMALOG_ERR_BAD_LENGTH, "modulus",
				   "%zu bytes are no modulus of %zu bits", modulus.size,
				   bits);
	return make_rsa(key, modulus, exponent, tpm->error);
}

static int make_ec(struct imalog_key *key, size_t curve, struct imalog_span x,
		   struct imalog_span y, struct imalog_error *error)
{
	size_t size = (curves[curve].bits + 7u) / 8;
	uint8_t point[1 + 2 * EC_BYTES_MAX] = { POINT_CONVERSION_UNCOMPRESSED };
	char group[16];
	OSSL_PARAM params[3];

	/* Measured when the parameter is made */
	snprintf(group, sizeof(group), "%s", curves[curve].group);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
						      1 + 2 * size);
	params[2] = OSSL_PARAM_construct_end();
	/* Leading zeros may be missing (TPM 2.0 Part 1, C.8). */
	memcpy(point + 1 + size - x.size, x.data, x.size);
	memcpy(point + 1 + 2 * size - y.size, y.data, y.size);
	return from_params(key, "EC", params, error);
}

static int parse_ec(struct imalog_key *key, struct imalog_tpm_cursor *tpm)
{
	uint16_t id = imalog_tpm_u16(tpm, "curveID");
	struct imalog_span x, y;
	size_t curve = 0, most;

	if (imalog_tpm_u16(tpm, "kdf") != IMALOG_TPM_NULL)
		imalog_tpm_u16(tpm, "kdf");
	while (curve < IMALOG_ARRAY_SIZE(curves) && curves[curve].tpm_id != id)
		curve++;
	if (tpm->rc == 0 && curve == IMALOG_ARRAY_SIZE(curves))
		return imalog_fail(tpm->error, IMALOG_ERR_UNSUPPORTED, "curveID",
				   "curve 0x%x, only P-256, P-384 and P-521 are supported",
				   id);
	most = tpm->rc == 0 ? (curves[curve].bits + 7u) / 8 : 0;
	x = imalog_tpm_sized(tpm, most, "x");
	y = imalog_tpm_sized(tpm, most, "y");
	if (imalog_tpm_end(tpm, "public area") < 0)
		return tpm->rc;
	return make_ec(key, curve, x, y, tpm->error);
}

/* TPMT_RSA_SCHEME, TPMT_ECC_SCHEME (TPM 2.0 Part 2, 11.2.4.2 and 11.2.5.6) */
static void parse_scheme(struct imalog_key *key, struct imalog_tpm_cursor *tpm)
{
	key->scheme = imalog_tpm_u16(tpm, "scheme");
	switch (key->scheme) {
	case IMALOG_TPM_NULL:
	case 0x0015: /* RSAES */
		break;
	case 0x001a: /* ECDAA */
		key->scheme_hash = imalog_tpm_u16(tpm, "scheme");
		imalog_tpm_u16(tpm, "scheme");
		break;
	default:
		key->scheme_hash = imalog_tpm_u16(tpm, "scheme");
	}
}

static int parse_public(struct imalog_key *key, struct imalog_span area,
			struct imalog_error *error)
{
	struct imalog_tpm_cursor tpm = imalog_tpm_over(imalog_tpm_unwrap(area), error);
	uint16_t type = imalog_tpm_u16(&tpm, "type");

	if (tpm.rc == 0 && type != TPM_ALG_RSA && type != TPM_ALG_ECC)
		return imalog_fail(
			error, IMALOG_ERR_BAD_FORMAT, "",
			"neither PEM, DER, nor the public area of an RSA or EC key");
	imalog_tpm_u16(&tpm, "nameAlg");
	key->attributes = (uint32_t)imalog_tpm_uint(&tpm, 4, "objectAttributes");
	imalog_tpm_sized(&tpm, POLICY_MAX, "authPolicy");
	if (imalog_tpm_u16(&tpm, "symmetric") != IMALOG_TPM_NULL)
		imalog_tpm_uint(&tpm, 4, "symmetric");
	parse_scheme(key, &tpm);
	key->has_area = true;
	return type == TPM_ALG_RSA ? parse_rsa(key, &tpm) : parse_ec(key, &tpm);
}

/* ---- interface ---- */

static int parse_any(struct imalog_key *key, struct imalog_span bytes,
		     struct imalog_error *error)
{
	static const char begin[] = "-----BEGIN ";
	bool is_der = bytes.size >= 2 && bytes.data[0] == 0x30;
	/* Text may start with a '0' too, but its second byte is ASCII. */
	bool is_long_der = is_der && bytes.data[1] & 0x80;

	if (bytes.size == 0)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, "", "there is nothing");
	if (bytes.size > KEY_SIZE_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "",
				   "%zu bytes exceed the limit of %zu", bytes.size,
				   KEY_SIZE_MAX);
	if (!is_long_der && memmem(bytes.data, bytes.size, begin, sizeof(begin) - 1))
		return parse_pem(key, bytes, error);
	return is_der ? parse_der(key, bytes, error) : parse_public(key, bytes, error);
}

int imalog_key_parse(struct imalog_span bytes, struct imalog_key **ret,
		     struct imalog_error *reterr)
{
	struct imalog_key *key = calloc(1, sizeof(*key));
	int rc;

	if (!key)
		return imalog_fail_nomem(reterr);
	key->scheme = IMALOG_TPM_NULL;
	ERR_clear_error();
	rc = parse_any(key, bytes, reterr);
	if (rc < 0)
		imalog_key_free(&key);
	else
		*ret = key;
	ERR_clear_error();
	return rc;
}

void imalog_key_free(struct imalog_key **key)
{
	if (!key || !*key)
		return;
	EVP_PKEY_free((*key)->pkey);
	X509_free((*key)->cert);
	sk_X509_pop_free((*key)->untrusted, X509_free);
	free(*key);
	*key = NULL;
}

const char *imalog_key_text(const struct imalog_key *key)
{
	return key->text;
}

uint32_t imalog_key_attributes(const struct imalog_key *key)
{
	return key->has_area ? key->attributes : 0;
}
