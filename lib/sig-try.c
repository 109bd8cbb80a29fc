// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which key of a set has signed a digest?  Several can be called the same. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "sig.h"

/* As in sig-keys.c */
#define RSA_BITS_MAX 8192

/* Keys that are called the same; a log can measure thousands of certificates with one id. */
#define ATTEMPTS_MAX 16
/* Bytes of a serial number in a message; RFC 5280, 4.1.2.2, allows 20. */
#define SERIAL_SHOWN 20

/* Contexts of one key, made when they are first needed: that is most of the time of a check. */
struct contexts {
	EVP_PKEY_CTX *of[IMALOG_ALG_COUNT];
};

struct imalog_sig_checker {
	const struct imalog_sig_keys *keys;
	struct imalog_hasher *hasher;
	struct contexts *contexts;
	size_t nr_contexts;
};

struct imalog_sig_checker *imalog_sig_checker_new(const struct imalog_sig_keys *keys)
{
	struct imalog_sig_checker *checker = calloc(1, sizeof(*checker));

	if (!checker)
		return NULL;
	checker->keys = keys;
	checker->hasher = imalog_hasher_new();
	if (!checker->hasher)
		imalog_sig_checker_free(&checker);
	return checker;
}

void imalog_sig_checker_free(struct imalog_sig_checker **checker)
{
	if (!checker || !*checker)
		return;
	for (size_t i = 0; i < (*checker)->nr_contexts; i++)
		for (int alg = 0; alg < IMALOG_ALG_COUNT; alg++)
			EVP_PKEY_CTX_free((*checker)->contexts[i].of[alg]);
	free((*checker)->contexts);
	imalog_hasher_free(&(*checker)->hasher);
	free(*checker);
	*checker = NULL;
}

struct imalog_hasher *imalog_sig_hasher(struct imalog_sig_checker *checker)
{
	return checker->hasher;
}

const struct imalog_sig_keys *imalog_sig_keys_of(const struct imalog_sig_checker *checker)
{
	return checker->keys;
}

void imalog_sig_decide(struct imalog_sig_result *result, enum imalog_sig_status status,
		       const char *reason, ...)
{
	va_list args;

	result->status = status;
	va_start(args, reason);
	vsnprintf(result->reason, sizeof(result->reason), reason, args);
	va_end(args);
}

void imalog_sig_forget_keys(struct imalog_sig_result *result)
{
	result->key = IMALOG_SIG_NO_KEY;
	result->nr_keys = 0;
}

/* The better an answer about trust, the less */
static int rank_of(enum imalog_verdict trust)
{
	return trust == IMALOG_MATCH ? 0 : trust == IMALOG_NOT_CHECKED ? 1 : 2;
}

static void add_key(struct imalog_sig_result *result, size_t key)
{
	for (size_t i = 0; i < result->nr_keys; i++)
		if (result->keys[i] == key)
			return;
	if (result->nr_keys < IMALOG_SIG_KEYS_MAX)
		result->keys[result->nr_keys++] = key;
}

void imalog_sig_also_by(const struct imalog_sig_checker *checker,
			struct imalog_sig_result *result,
			const struct imalog_sig_result *other)
{
	const struct imalog_sig_key *all = checker->keys->all;

	for (size_t i = 0; i < other->nr_keys; i++)
		add_key(result, other->keys[i]);
	if (other->key != IMALOG_SIG_NO_KEY &&
	    rank_of(all[other->key].trust) > rank_of(all[result->key].trust))
		result->key = other->key;
}

/* A good signature, by this key: of several that verify it the one that is trusted most */
static void signed_by(const struct imalog_sig_checker *checker,
		      struct imalog_sig_result *result, size_t key, const char *text,
		      enum imalog_alg alg)
{
	const struct imalog_sig_key *all = checker->keys->all;

	if (result->key != IMALOG_SIG_NO_KEY &&
	    rank_of(all[key].trust) >= rank_of(all[result->key].trust))
		return;
	result->key = result->keys[0] = key;
	result->nr_keys = 1;
	imalog_sig_decide(result, IMALOG_SIG_OK, "%s with %s", text, imalog_alg_name(alg));
}

/* ---- with one key ---- */

static EVP_PKEY_CTX *make_context(const struct imalog_key *key, enum imalog_alg alg)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	EVP_MD *md = EVP_MD_fetch(NULL, imalog_alg_name(alg), NULL);
	bool ok = ctx && md && EVP_PKEY_verify_init(ctx) > 0;

	if (ok && key->is_rsa)
		ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0;
	if (ok)
		ok = EVP_PKEY_CTX_set_signature_md(ctx, md) > 0;
	EVP_MD_free(md);
	if (ok)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

/* The set may have grown since. */
static bool need_contexts(struct imalog_sig_checker *checker, size_t nr)
{
	struct contexts *grown;

	if (nr <= checker->nr_contexts)
		return true;
	grown = reallocarray(checker->contexts, nr, sizeof(*grown));
	if (!grown)
		return false;
	memset(grown + checker->nr_contexts, 0, (nr - checker->nr_contexts) * sizeof(*grown));
	checker->contexts = grown;
	checker->nr_contexts = nr;
	return true;
}

/* 1: it is the key's, 0: it is not, negative: could not tell */
static int verify_with(struct imalog_sig_checker *checker, size_t i,
		       const struct imalog_claim *claim, struct imalog_error *error)
{
	const struct imalog_key *key = checker->keys->all[i].key;
	EVP_PKEY_CTX **ctx;
	bool ok, starved;

	if (!need_contexts(checker, checker->keys->nr))
		return imalog_fail_nomem(error);
	ctx = &checker->contexts[i].of[claim->alg];
	if (!*ctx)
		*ctx = make_context(key, claim->alg);
	if (!*ctx) {
		ERR_clear_error();
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
				   "cannot verify with %s and %s", key->text,
				   imalog_alg_name(claim->alg));
	}
	ok = EVP_PKEY_verify(*ctx, claim->bytes.data, claim->bytes.size, claim->digest.data,
			     claim->digest.size) == 1;
	starved = !ok && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
	ERR_clear_error();
	return starved ? imalog_fail_nomem(error) : ok;
}

/* Why nothing that the key has signed proves anything, or would take too long; NULL if not so */
static const char *objection(const struct imalog_key *key)
{
	if (imalog_key_is_weak(key))
		return "proves nothing";
	return key->bits > RSA_BITS_MAX ? "is larger than what is verified" : NULL;
}

/* ---- with all keys ---- */

/* What is known while one key after another is tried */
struct trial {
	bool refused; /* a key was there, but could not be used */
	bool failed;  /* it was, and the signature is not its own */
	/* Public keys that were tried; certificates can have one in common. */
	size_t tried[ATTEMPTS_MAX], nr_tried;
	bool good[ATTEMPTS_MAX];
	/* Of the kernel's keys the serial numbers: one of each keyring, then others */
	int32_t serials[IMALOG_KEYRINGS_MAX + ATTEMPTS_MAX];
	size_t nr_serials;
};

/* Verifies with a public key that was not tried yet: 1, 0, or a negative code */
static int verify_once(struct imalog_sig_checker *checker, size_t i,
		       const struct imalog_claim *claim, struct trial *trial,
		       struct imalog_error *error)
{
	size_t pkey = checker->keys->all[i].same;
	int rc;

	for (size_t n = 0; n < trial->nr_tried; n++)
		if (trial->tried[n] == pkey)
			return trial->good[n];
	if (trial->nr_tried == ATTEMPTS_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "", "too many keys fit");
	rc = verify_with(checker, i, claim, error);
	if (rc >= 0) {
		trial->good[trial->nr_tried] = rc > 0;
		trial->tried[trial->nr_tried++] = pkey;
	}
	return rc;
}

static int try_key(struct imalog_sig_checker *checker, size_t i,
		   const struct imalog_claim *claim, struct trial *trial,
		   struct imalog_sig_result *result, struct imalog_error *error)
{
	const struct imalog_key *key = checker->keys->all[i].key;
	const char *no = objection(key);
	int rc = no ? -IMALOG_ERR_UNSUPPORTED :
		      verify_once(checker, i, claim, trial, error);

	if (rc > 0)
		signed_by(checker, result, i, key->text, claim->alg);
	else if (rc == 0)
		trial->failed = true;
	if (rc != -IMALOG_ERR_UNSUPPORTED && rc != -IMALOG_ERR_LIMIT)
		return rc < 0 ? rc : 0;
	trial->refused = true;
	if (result->key != IMALOG_SIG_NO_KEY)
		return 0;
	if (rc == -IMALOG_ERR_LIMIT)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "more than %d keys are called so", ATTEMPTS_MAX);
	else if (no)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "%s %s", key->text, no);
	else
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "cannot verify with %s",
				  key->text);
	return 0;
}

static size_t index_of_serial(const struct imalog_sig_keys *keys, int32_t serial)
{
	size_t i = 0;

	while (i < keys->nr && (keys->all[i].key || keys->all[i].serial != serial))
		i++;
	return i;
}

static void refuse(struct trial *trial, struct imalog_sig_result *result, int32_t serial,
		   const char *why)
{
	trial->refused = true;
	if (result->key == IMALOG_SIG_NO_KEY)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "key 0x%08x %s",
				  (unsigned int)serial, why);
}

static void try_kernel_key(struct imalog_sig_checker *checker, size_t i,
			   const struct imalog_claim *claim, struct trial *trial,
			   struct imalog_sig_result *result)
{
	const struct imalog_sig_key *key = &checker->keys->all[i];
	struct imalog_error *error = imalog_error_new();
	int rc = imalog_keyring_verify(key, claim->alg, claim->digest, claim->bytes, error);

	trial->serials[trial->nr_serials++] = key->serial;
	if (rc < 0)
		refuse(trial, result, key->serial,
		       error ? imalog_error_detail(error) : "was not tried: out of memory");
	else if (rc == 0)
		trial->failed = true;
	else
		signed_by(checker, result, i, "in the kernel,", claim->alg);
	imalog_error_free(&error);
}

static bool was_tried(const struct trial *trial, int32_t serial)
{
	for (size_t i = 0; i < trial->nr_serials; i++)
		if (trial->serials[i] == serial)
			return true;
	return false;
}

/* Of several with one identifier the kernel gives the first that it finds. */
static void try_twins(struct imalog_sig_checker *checker, const struct imalog_claim *claim,
		      struct trial *trial, struct imalog_sig_result *result)
{
	const struct imalog_sig_keys *keys = checker->keys;

	for (size_t i = 0; i < keys->nr && result->key == IMALOG_SIG_NO_KEY; i++) {
		const struct imalog_sig_key *key = &keys->all[i];

		if (key->key || was_tried(trial, key->serial) ||
		    !imalog_sig_key_is_called(key, claim->signer.id))
			continue;
		if (trial->nr_serials == IMALOG_ARRAY_SIZE(trial->serials)) {
			refuse(trial, result, key->serial, "is one of too many with this id");
			return;
		}
		try_kernel_key(checker, i, claim, trial, result);
	}
}

static void try_keyrings(struct imalog_sig_checker *checker, const struct imalog_claim *claim,
			 struct trial *trial, struct imalog_sig_result *result)
{
	const struct imalog_sig_keys *keys = checker->keys;

	for (size_t i = 0; i < keys->nr_rings; i++) {
		int32_t serial = 0;
		int why = imalog_keyring_find(keys->rings[i], &claim->signer, &serial);
		size_t at = index_of_serial(keys, serial);

		if (why < 0) {
			trial->refused = true;
			if (result->key == IMALOG_SIG_NO_KEY)
				imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
						  "a keyring does not give its key: %s",
						  strerror(-why));
		} else if (serial && at == keys->nr) {
			refuse(trial, result, serial, "was added to the keyring later");
		} else if (serial && !was_tried(trial, serial)) {
			try_kernel_key(checker, at, claim, trial, result);
		}
	}
	if (trial->nr_serials)
		try_twins(checker, claim, trial, result);
}

static void no_key(const struct imalog_claim *claim, struct imalog_sig_result *result)
{
	char hex[2 * SERIAL_SHOWN + 1];
	struct imalog_span serial = { NULL, 0 };

	if (!claim->signer.issuer) {
		imalog_sig_decide(result, IMALOG_SIG_UNKNOWN_KEY, "no key with this id");
		return;
	}
	serial.data = ASN1_STRING_get0_data(claim->signer.serial);
	serial.size = (size_t)ASN1_STRING_length(claim->signer.serial);
	if (serial.size > SERIAL_SHOWN)
		serial.size = SERIAL_SHOWN;
	hex[0] = '\0';
	for (size_t i = 0; i < serial.size; i++)
		snprintf(hex + 2 * i, 3, "%02x", serial.data[i]);
	imalog_sig_decide(result, IMALOG_SIG_UNKNOWN_KEY,
			  "no certificate of its issuer with serial number %s", hex);
}

/* Does nothing better remain to be found? */
static bool is_settled(const struct imalog_sig_checker *checker,
		       const struct imalog_sig_result *result)
{
	return result->key != IMALOG_SIG_NO_KEY &&
	       checker->keys->all[result->key].trust == IMALOG_MATCH;
}

int imalog_sig_verify(struct imalog_sig_checker *checker, const struct imalog_claim *claim,
		      struct imalog_sig_result *result, struct imalog_error *error)
{
	const struct imalog_sig_keys *keys = checker->keys;
	struct trial trial = { .refused = false };
	int rc = 0;

	for (size_t i = 0; i < keys->nr && rc == 0 && !is_settled(checker, result); i++)
		if (imalog_sig_key_fits(&keys->all[i], &claim->signer, claim->number))
			rc = try_key(checker, i, claim, &trial, result, error);
	if (rc < 0)
		return rc;
	if (!is_settled(checker, result))
		try_keyrings(checker, claim, &trial, result);
	if (result->key != IMALOG_SIG_NO_KEY || trial.refused)
		return 0;
	if (trial.failed)
		imalog_sig_decide(result, IMALOG_SIG_BAD,
				  "not the key's over this digest with %s",
				  imalog_alg_name(claim->alg));
	else
		no_key(claim, result);
	return 0;
}
