/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quotes made by hand: attestations written byte by byte, and keys of OpenSSL that sign
 * them as a TPM would.
 */
#ifndef TEST_QUOTE_H
#define TEST_QUOTE_H

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "log.h"

#define MAGIC	  0xff544347
#define QUOTE	  0x8018
#define SHA1_ID	  0x0004
#define SHA256_ID 0x000b
#define SHA384_ID 0x000c
#define SHA512_ID 0x000d

/* ---- attestations ---- */

/* Bytes, filled with the same one: names, nonces and digests of whatever size */
struct filling {
	size_t size;
	uint8_t byte;
};

struct attest {
	uint32_t magic;
	uint16_t type;
	struct filling signer, nonce;
	uint64_t clock;
	uint32_t resets, restarts;
	uint8_t safe;
	uint64_t firmware;
	uint32_t nr_banks;
	struct {
		uint16_t id;
		uint8_t size;
		uint64_t pcrs;
	} banks[20];
	struct filling filling;	   /* the digest... */
	struct imalog_span digest; /* ...or, if it has a size, this */
};

/* A quote of PCR 10 of sha256 */
static const struct attest usual __attribute__((unused)) = {
	.magic = MAGIC,
	.type = QUOTE,
	.signer = { 34, 0x51 },
	.nonce = { 20, 0x4e },
	.clock = 7367,
	.resets = 2,
	.restarts = 1,
	.safe = 1,
	.firmware = 0x2019102300163636,
	.nr_banks = 1,
	.banks = { { SHA256_ID, 3, 1 << 10 } },
	.filling = { 32, 0xd1 },
};

TEST_FN void put_filling(struct build *build, struct filling filling)
{
	put_uint(build, 2, filling.size);
	for (size_t i = 0; i < filling.size; i++)
		put_uint(build, 1, filling.byte);
}

TEST_FN void put_sized(struct build *build, struct imalog_span bytes)
{
	put_uint(build, 2, bytes.size);
	put(build, bytes.data, bytes.size);
}

/* The bytes of a build, which is freed */
TEST_FN struct bytes bytes_of_build(struct build *build)
{
	struct bytes bytes = bytes_copy(build->data, build->size);

	build_free(build);
	return bytes;
}

TEST_FN struct bytes attest_bytes(const struct attest *attest)
{
	struct build b = { .order = IMALOG_ORDER_BE };

	put_uint(&b, 4, attest->magic);
	put_uint(&b, 2, attest->type);
	put_filling(&b, attest->signer);
	put_filling(&b, attest->nonce);
	put_uint(&b, 8, attest->clock);
	put_uint(&b, 4, attest->resets);
	put_uint(&b, 4, attest->restarts);
	put_uint(&b, 1, attest->safe);
	put_uint(&b, 8, attest->firmware);
	put_uint(&b, 4, attest->nr_banks);
	for (uint32_t i = 0; i < attest->nr_banks && i < 20; i++) {
		put_uint(&b, 2, attest->banks[i].id);
		put_uint(&b, 1, attest->banks[i].size);
		for (int byte = 0; byte < attest->banks[i].size; byte++)
			put_uint(&b, 1,
				 byte < 8 ? attest->banks[i].pcrs >> (8 * byte) & 0xff :
					    0);
	}
	if (attest->digest.size)
		put_sized(&b, attest->digest);
	else
		put_filling(&b, attest->filling);
	return bytes_of_build(&b);
}

/* With a 2-byte size before it */
TEST_FN struct bytes wrapped(struct bytes bytes)
{
	struct build b = { .order = IMALOG_ORDER_BE };

	put_sized(&b, span_of_bytes(bytes));
	return bytes_of_build(&b);
}

/* ---- the code under test ---- */

TEST_FN struct imalog_error *an_error(void)
{
	struct imalog_error *error = imalog_error_new();

	if (!error)
		BAIL_OUT("no memory");
	return error;
}

/* NULL, and a complaint, when it does not parse. */
TEST_FN struct imalog_quote *quote_of_bytes(struct bytes bytes)
{
	struct imalog_error *error = an_error();
	struct imalog_quote *quote = NULL;

	if (imalog_quote_parse(span_of_bytes(bytes), &quote, error) < 0)
		test_fail(__FILE__, __LINE__, "quote: %s: %s", imalog_error_field(error),
			  imalog_error_detail(error));
	imalog_error_free(&error);
	return quote;
}

TEST_FN struct imalog_quote *quote_of(const struct attest *attest)
{
	struct bytes bytes = attest_bytes(attest);
	struct imalog_quote *quote = quote_of_bytes(bytes);

	bytes_free(&bytes);
	return quote;
}

TEST_FN struct imalog_key *key_of_bytes(struct bytes bytes)
{
	struct imalog_error *error = an_error();
	struct imalog_key *key = NULL;

	if (imalog_key_parse(span_of_bytes(bytes), &key, error) < 0)
		test_fail(__FILE__, __LINE__, "key: %s: %s", imalog_error_field(error),
			  imalog_error_detail(error));
	imalog_error_free(&error);
	return key;
}

TEST_FN bool test_verdict(const char *file, int line, const struct imalog_quote *quote,
			  enum imalog_quote_check check, enum imalog_verdict should)
{
	enum imalog_verdict is = imalog_quote_verdict(quote, check);

	return is == should ||
	       test_fail(file, line, "%s: %s (%s), not %s",
			 imalog_quote_check_name(check), imalog_verdict_name(is),
			 imalog_quote_reason(quote, check), imalog_verdict_name(should));
}
#define CHECK_VERDICT(quote, check, should) \
	test_verdict(__FILE__, __LINE__, quote, IMALOG_QUOTE_##check, should)

/* Builds without tpm2-tss say so and do nothing else. */
TEST_FN bool no_quotes(void)
{
	struct bytes bytes = attest_bytes(&usual);
	struct imalog_quote *quote = NULL;
	int rc = imalog_quote_parse(span_of_bytes(bytes), &quote, NULL);

	bytes_free(&bytes);
	imalog_quote_free(&quote);
	return rc == -IMALOG_ERR_UNSUPPORTED;
}
#define NEED_QUOTES()                                           \
	do {                                                    \
		if (no_quotes())                                \
			SKIP("this build is without tpm2-tss"); \
	} while (0)

/* ---- keys ---- */

enum key_kind {
	RSA_2048,
	RSA_3072,
	RSA_OTHER,
	EC_256,
	EC_384,
	KEY_KINDS
};

TEST_FN EVP_PKEY *make_rsa(size_t bits)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", bits);

	if (!pkey)
		BAIL_OUT("OpenSSL makes no RSA key of %zu bits", bits);
	return pkey;
}

TEST_FN EVP_PKEY *make_ec(const char *group)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", group);

	if (!pkey)
		BAIL_OUT("OpenSSL makes no EC key on %s", group);
	return pkey;
}

/* Made once: it takes time. */
TEST_FN EVP_PKEY *private_key(enum key_kind kind)
{
	static EVP_PKEY *keys[KEY_KINDS];

	if (keys[kind])
		return keys[kind];
	switch (kind) {
	case RSA_3072:
		return keys[kind] = make_rsa(3072);
	case EC_256:
		return keys[kind] = make_ec("P-256");
	case EC_384:
		return keys[kind] = make_ec("P-384");
	default:
		return keys[kind] = make_rsa(2048);
	}
}

TEST_FN struct bytes spki_der(EVP_PKEY *pkey)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(pkey, &der);
	struct bytes bytes = bytes_copy(der, size > 0 ? (size_t)size : 0);

	OPENSSL_free(der);
	return bytes;
}

TEST_FN struct imalog_key *public_key(enum key_kind kind)
{
	struct bytes der = spki_der(private_key(kind));
	struct imalog_key *key = key_of_bytes(der);

	bytes_free(&der);
	return key;
}

TEST_FN struct bytes number_of(EVP_PKEY *pkey, const char *param, size_t size)
{
	struct bytes bytes = bytes_new(size);
	BIGNUM *n = NULL;

	if (!EVP_PKEY_get_bn_param(pkey, param, &n) ||
	    BN_bn2binpad(n, bytes.data, (int)size) != (int)size)
		BAIL_OUT("OpenSSL does not give '%s' of a key", param);
	BN_free(n);
	return bytes;
}

#define RESTRICTED_SIGN 0x00050072 /* as tpm2_createak makes them */

/* TPMT_PUBLIC; scheme 0x10: none */
TEST_FN struct bytes public_area(EVP_PKEY *pkey, uint32_t attributes, uint16_t scheme,
				 uint16_t hash)
{
	struct build b = { .order = IMALOG_ORDER_BE };
	bool rsa = EVP_PKEY_is_a(pkey, "RSA");
	size_t bits = (size_t)EVP_PKEY_get_bits(pkey);
	struct bytes n = number_of(pkey, rsa ? "n" : "qx", bits / 8);

	put_uint(&b, 2, rsa ? 0x0001 : 0x0023);
	put_uint(&b, 2, SHA256_ID);
	put_uint(&b, 4, attributes);
	put_uint(&b, 2, 0);
	put_uint(&b, 2, 0x0010);
	put_uint(&b, 2, scheme);
	if (scheme != 0x0010)
		put_uint(&b, 2, hash);
	put_uint(&b, 2, rsa ? bits : bits == 256 ? 3 : 4);
	put_uint(&b, rsa ? 4 : 2, rsa ? 0 : 0x0010);
	put_sized(&b, span_of_bytes(n));
	bytes_free(&n);
	if (!rsa) {
		n = number_of(pkey, "qy", bits / 8);
		put_sized(&b, span_of_bytes(n));
		bytes_free(&n);
	}
	return bytes_of_build(&b);
}

/* ---- signatures ---- */

TEST_FN struct bytes sign_plain(EVP_PKEY *pkey, struct imalog_span message,
				const char *hash, bool pss)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;
	struct bytes room = bytes_new(1024), exact;
	size_t size = room.size;

	if (EVP_DigestSignInit_ex(ctx, &pctx, hash, NULL, NULL, pkey, NULL) <= 0 ||
	    (pss && EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0) ||
	    EVP_DigestSign(ctx, room.data, &size, message.data, message.size) <= 0)
		BAIL_OUT("OpenSSL does not sign with %s", hash);
	EVP_MD_CTX_free(ctx);
	exact = bytes_copy(room.data, size);
	bytes_free(&room);
	return exact;
}

TEST_FN void put_number(struct build *build, const BIGNUM *n)
{
	uint8_t bytes[66];

	put_sized(build, span_of(bytes, (size_t)BN_bn2bin(n, bytes)));
}

/* TPMT_SIGNATURE around a plain one; leading zeros of ECDSA are left away, as TPMs may. */
TEST_FN struct bytes tpm_signature(uint16_t scheme, uint16_t hash, struct bytes plain)
{
	struct build b = { .order = IMALOG_ORDER_BE };
	const unsigned char *der = plain.data;
	ECDSA_SIG *pair;

	put_uint(&b, 2, scheme);
	put_uint(&b, 2, hash);
	if (scheme != 0x0018) {
		put_sized(&b, span_of_bytes(plain));
		return bytes_of_build(&b);
	}
	pair = d2i_ECDSA_SIG(NULL, &der, (long)plain.size);
	if (!pair)
		BAIL_OUT("OpenSSL does not read its own signature");
	put_number(&b, ECDSA_SIG_get0_r(pair));
	put_number(&b, ECDSA_SIG_get0_s(pair));
	ECDSA_SIG_free(pair);
	return bytes_of_build(&b);
}

static const struct scheme {
	enum key_kind kind;
	uint16_t id;
	uint16_t hash;
	const char *evp;
	enum imalog_alg alg;
} schemes[] __attribute__((unused)) = {
	{ RSA_2048, 0x0014, SHA256_ID, "SHA256", IMALOG_ALG_SHA256 },
	{ RSA_2048, 0x0016, SHA256_ID, "SHA256", IMALOG_ALG_SHA256 },
	{ RSA_3072, 0x0014, SHA384_ID, "SHA384", IMALOG_ALG_SHA384 },
	{ RSA_3072, 0x0016, SHA512_ID, "SHA512", IMALOG_ALG_SHA512 },
	{ EC_256, 0x0018, SHA256_ID, "SHA256", IMALOG_ALG_SHA256 },
	{ EC_384, 0x0018, SHA384_ID, "SHA384", IMALOG_ALG_SHA384 },
	{ EC_384, 0x0018, SHA256_ID, "SHA256", IMALOG_ALG_SHA256 },
};
#define SCHEMES IMALOG_ARRAY_SIZE(schemes)

TEST_FN struct bytes sign_with(const struct scheme *scheme, struct bytes message)
{
	struct bytes plain = sign_plain(private_key(scheme->kind), span_of_bytes(message),
					scheme->evp, scheme->id == 0x0016);
	struct bytes signature = tpm_signature(scheme->id, scheme->hash, plain);

	bytes_free(&plain);
	return signature;
}

/* Does not free @signature. */
TEST_FN int check_signature(struct imalog_quote *quote, struct bytes signature,
			    const struct imalog_key *key)
{
	return imalog_quote_check_signature(quote, span_of_bytes(signature), key,
					    IMALOG_ALG_NONE, NULL);
}

#endif /* TEST_QUOTE_H */
