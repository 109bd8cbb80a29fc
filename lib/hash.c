// SPDX-License-Identifier: LGPL-2.1-or-later
/* Hash algorithms of PCR banks, and the engine that computes digests: OpenSSL EVP. */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "private.h"

static const struct {
	const char *name; /* the kernel's (hash_algo_name) */
	const char *evp;
	uint16_t tpm_id; /* TPM 2.0 Part 2, 6.3 */
	uint8_t size;
} algs[IMALOG_ALG_COUNT] = {
	[IMALOG_ALG_NONE] = { "none", "", 0, 0 },
	[IMALOG_ALG_SHA1] = { "sha1", "SHA1", 0x0004, 20 },
	[IMALOG_ALG_SHA256] = { "sha256", "SHA256", 0x000b, 32 },
	[IMALOG_ALG_SHA384] = { "sha384", "SHA384", 0x000c, 48 },
	[IMALOG_ALG_SHA512] = { "sha512", "SHA512", 0x000d, 64 },
	[IMALOG_ALG_SM3] = { "sm3", "SM3", 0x0012, 32 },
	[IMALOG_ALG_SHA3_256] = { "sha3-256", "SHA3-256", 0x0027, 32 },
	[IMALOG_ALG_SHA3_384] = { "sha3-384", "SHA3-384", 0x0028, 48 },
	[IMALOG_ALG_SHA3_512] = { "sha3-512", "SHA3-512", 0x0029, 64 },
};

/* Other spellings: tpm2-tools, older kernels. */
static const struct {
	const char *name;
	enum imalog_alg alg;
} aliases[] = {
	{ "sm3_256", IMALOG_ALG_SM3 },	     { "sm3-256", IMALOG_ALG_SM3 },
	{ "sha3_256", IMALOG_ALG_SHA3_256 }, { "sha3_384", IMALOG_ALG_SHA3_384 },
	{ "sha3_512", IMALOG_ALG_SHA3_512 },
};

static bool known(enum imalog_alg alg)
{
	return alg > IMALOG_ALG_NONE && alg < IMALOG_ALG_COUNT;
}

enum imalog_alg imalog_alg_by_name(const char *name)
{
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (strcmp(algs[alg].name, name) == 0)
			return (enum imalog_alg)alg;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].name, name) == 0)
			return aliases[i].alg;
	return IMALOG_ALG_NONE;
}

const char *imalog_alg_name(enum imalog_alg alg)
{
	return algs[known(alg) ? alg : IMALOG_ALG_NONE].name;
}

size_t imalog_alg_size(enum imalog_alg alg)
{
	return algs[known(alg) ? alg : IMALOG_ALG_NONE].size;
}

uint16_t imalog_alg_tpm_id(enum imalog_alg alg)
{
	return algs[known(alg) ? alg : IMALOG_ALG_NONE].tpm_id;
}

enum imalog_alg imalog_alg_by_tpm_id(uint16_t id)
{
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (algs[alg].tpm_id == id)
			return (enum imalog_alg)alg;
	return IMALOG_ALG_NONE;
}

static int crypto_failed(enum imalog_alg alg, struct imalog_error *error)
{
	char text[128] = "no reason given";
	unsigned long code = ERR_get_error();

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return imalog_fail(error, IMALOG_ERR_CRYPTO, "", "cannot compute %s: %s",
			   imalog_alg_name(alg), text);
}

/* One fetched algorithm and one context, initialized again for each digest. */
struct evp_state {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

static void evp_close(void *state)
{
	struct evp_state *evp = state;

	EVP_MD_CTX_free(evp->ctx);
	EVP_MD_free(evp->md);
	free(evp);
}

static int evp_open(enum imalog_alg alg, void **ret, struct imalog_error *error)
{
	struct evp_state *evp = calloc(1, sizeof(*evp));

	if (!evp)
		return imalog_fail_nomem(error);
	evp->md = EVP_MD_fetch(NULL, algs[alg].evp, NULL);
	evp->ctx = EVP_MD_CTX_new();
	if (!evp->md || !evp->ctx || !EVP_DigestInit_ex2(evp->ctx, evp->md, NULL)) {
		evp_close(evp);
		return crypto_failed(alg, error);
	}
	*ret = evp;
	return 0;
}

static bool evp_digest(void *state, const struct imalog_hash_job *job, uint8_t *out)
{
	struct evp_state *evp = state;

	if (!EVP_DigestInit_ex2(evp->ctx, NULL, NULL))
		return false;
	for (size_t i = 0; i < job->nr_spans; i++)
		if (!EVP_DigestUpdate(evp->ctx, job->spans[i].data, job->spans[i].size))
			return false;
	return EVP_DigestFinal_ex(evp->ctx, out, NULL);
}

static const struct imalog_hash_engine evp_engine = { "evp", evp_open, evp_close, evp_digest };

struct imalog_hasher {
	const struct imalog_hash_engine *engine;
	void *states[IMALOG_ALG_COUNT];
};

const char *imalog_hasher_engine(void)
{
	return evp_engine.name;
}

const char *imalog_hasher_library(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

struct imalog_hasher *imalog_hasher_new(void)
{
	struct imalog_hasher *hasher = calloc(1, sizeof(*hasher));

	if (hasher)
		hasher->engine = &evp_engine;
	return hasher;
}

void imalog_hasher_free(struct imalog_hasher **hasher)
{
	if (!hasher || !*hasher)
		return;
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if ((*hasher)->states[alg])
			(*hasher)->engine->close((*hasher)->states[alg]);
	free(*hasher);
	*hasher = NULL;
}

/* Fetches an algorithm when it is first used. */
static int need_state(struct imalog_hasher *hasher, enum imalog_alg alg,
		      struct imalog_error *error)
{
	if (!known(alg))
		return imalog_fail(error, IMALOG_ERR_INVALID, "", "unknown hash algorithm %d",
				   (int)alg);
	return hasher->states[alg] ? 0 : hasher->engine->open(alg, &hasher->states[alg], error);
}

int imalog_hash_batch(struct imalog_hasher *hasher, enum imalog_alg alg,
		      const struct imalog_hash_job *jobs, size_t n, uint8_t *out, size_t stride,
		      struct imalog_error *error)
{
	int rc = need_state(hasher, alg, error);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (!hasher->engine->digest(hasher->states[alg], &jobs[i], out + i * stride))
			return crypto_failed(alg, error);
	return 0;
}

int imalog_hash_one(struct imalog_hasher *hasher, enum imalog_alg alg,
		    const struct imalog_hash_job *job, uint8_t *out, struct imalog_error *error)
{
	return imalog_hash_batch(hasher, alg, job, 1, out, 0, error);
}

int imalog_hash_extend(struct imalog_hasher *hasher, enum imalog_alg alg, uint8_t *value,
		       const uint8_t *digest, struct imalog_error *error)
{
	size_t size = imalog_alg_size(alg);
	uint8_t joined[2 * IMALOG_DIGEST_MAX];
	struct imalog_hash_job job = { .spans = { { joined, 2 * size } }, .nr_spans = 1 };

	memcpy(joined, value, size);
	memcpy(joined + size, digest, size);
	return imalog_hash_one(hasher, alg, &job, value, error);
}

/* ---- streams ---- */

struct imalog_stream {
	enum imalog_alg alg;
	EVP_MD_CTX *ctx;
	EVP_MD_CTX *copy;
	bool failed;
};

struct imalog_stream *imalog_stream_new(enum imalog_alg alg, struct imalog_error *error)
{
	struct imalog_stream *stream = calloc(1, sizeof(*stream));
	EVP_MD *md = EVP_MD_fetch(NULL, algs[known(alg) ? alg : IMALOG_ALG_NONE].evp, NULL);

	if (!stream || !md) {
		md ? imalog_fail_nomem(error) : crypto_failed(alg, error);
		EVP_MD_free(md);
		free(stream);
		return NULL;
	}
	stream->alg = alg;
	stream->ctx = EVP_MD_CTX_new();
	stream->copy = EVP_MD_CTX_new();
	if (!stream->ctx || !stream->copy || !EVP_DigestInit_ex2(stream->ctx, md, NULL)) {
		crypto_failed(alg, error);
		imalog_stream_free(&stream);
	}
	EVP_MD_free(md); /* the context has a reference */
	return stream;
}

void imalog_stream_free(struct imalog_stream **stream)
{
	if (!stream || !*stream)
		return;
	EVP_MD_CTX_free((*stream)->ctx);
	EVP_MD_CTX_free((*stream)->copy);
	free(*stream);
	*stream = NULL;
}

void imalog_stream_add(struct imalog_stream *stream, const void *data, size_t size)
{
	if (!EVP_DigestUpdate(stream->ctx, data, size))
		stream->failed = true;
}

int imalog_stream_digest(struct imalog_stream *stream, uint8_t *out, struct imalog_error *error)
{
	if (stream->failed || !EVP_MD_CTX_copy_ex(stream->copy, stream->ctx) ||
	    !EVP_DigestFinal_ex(stream->copy, out, NULL))
		return crypto_failed(stream->alg, error);
	return 0;
}
