// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Is a signature in a record one of a known key, over what the record says?
 *
 * Which bytes are signed: integrity_digsig_verify() (security/integrity/digsig.c),
 * asymmetric_verify() (digsig_asymmetric.c), calc_file_id_hash() (ima/ima_appraise.c).
 */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "sig.h"

/* As in sig-keys.c */
#define RSA_BITS_MAX 8192

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

void imalog_sig_decide(struct imalog_sig_result *result, enum imalog_sig_status status,
		       const char *reason, ...)
{
	va_list args;

	result->status = status;
	va_start(args, reason);
	vsnprintf(result->reason, sizeof(result->reason), reason, args);
	va_end(args);
}

void imalog_sig_also_by(const struct imalog_sig_checker *checker,
			struct imalog_sig_result *result, size_t key)
{
	static const int ranks[] = { [IMALOG_MATCH] = 0,
				     [IMALOG_NOT_CHECKED] = 1,
				     [IMALOG_MISMATCH] = 2 };
	const struct imalog_sig_key *all = checker->keys->all;

	if (ranks[all[key].trust] > ranks[all[result->key].trust])
		result->key = key;
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
};

static int try_key(struct imalog_sig_checker *checker, size_t i,
		   const struct imalog_claim *claim, struct trial *trial,
		   struct imalog_sig_result *result, struct imalog_error *error)
{
	const struct imalog_key *key = checker->keys->all[i].key;
	const char *no = objection(key);
	int rc;

	if (no) {
		trial->refused = true;
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "%s %s", key->text, no);
		return 0;
	}
	rc = verify_with(checker, i, claim, error);
	if (rc == -IMALOG_ERR_UNSUPPORTED) {
		trial->refused = true;
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "cannot verify with %s",
				  key->text);
		return 0;
	}
	if (rc == 0)
		trial->failed = true;
	if (rc > 0) {
		result->key = i;
		imalog_sig_decide(result, IMALOG_SIG_OK, "%s with %s", key->text,
				  imalog_alg_name(claim->alg));
	}
	return rc;
}

static size_t index_of_serial(const struct imalog_sig_keys *keys, int32_t serial)
{
	size_t i = 0;

	while (i < keys->nr && (keys->all[i].key || keys->all[i].serial != serial))
		i++;
	return i;
}

static int try_kernel_key(struct imalog_sig_checker *checker, size_t i,
			  const struct imalog_claim *claim, struct trial *trial,
			  struct imalog_sig_result *result)
{
	const struct imalog_sig_key *key = &checker->keys->all[i];
	struct imalog_error *error = imalog_error_new();
	int rc = imalog_keyring_verify(key, claim->alg, claim->digest, claim->bytes, error);

	if (rc < 0) {
		trial->refused = true;
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "key 0x%08x in %s: %s",
				  (unsigned int)key->serial, key->name,
				  error ? imalog_error_detail(error) : "out of memory");
	} else if (rc == 0) {
		trial->failed = true;
	} else {
		result->key = i;
		imalog_sig_decide(result, IMALOG_SIG_OK, "in the kernel, with %s",
				  imalog_alg_name(claim->alg));
	}
	imalog_error_free(&error);
	return rc > 0;
}

static int try_keyrings(struct imalog_sig_checker *checker, const struct imalog_claim *claim,
			struct trial *trial, struct imalog_sig_result *result)
{
	const struct imalog_sig_keys *keys = checker->keys;

	if (claim->signer.issuer)
		return 0; /* keys cannot be found by that */
	for (size_t i = 0; i < keys->nr_rings; i++) {
		int32_t serial = imalog_keyring_find(keys->rings[i], claim->signer.id);
		size_t at = serial ? index_of_serial(keys, serial) : keys->nr;

		if (serial && at == keys->nr) {
			trial->refused = true;
			imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
					  "key 0x%08x was added to the keyring later",
					  (unsigned int)serial);
		} else if (serial && try_kernel_key(checker, at, claim, trial, result)) {
			return 1;
		}
	}
	return 0;
}

int imalog_sig_verify(struct imalog_sig_checker *checker, const struct imalog_claim *claim,
		      struct imalog_sig_result *result, struct imalog_error *error)
{
	struct trial trial = { false, false };
	int rc = 0;

	for (size_t i = 0; i < checker->keys->nr && rc == 0; i++)
		if (imalog_sig_key_fits(&checker->keys->all[i], &claim->signer,
					claim->number))
			rc = try_key(checker, i, claim, &trial, result, error);
	if (rc == 0)
		rc = try_keyrings(checker, claim, &trial, result);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (trial.failed)
		imalog_sig_decide(result, IMALOG_SIG_BAD,
				  "not the key's over this digest with %s",
				  imalog_alg_name(claim->alg));
	else if (!trial.refused)
		imalog_sig_decide(result, IMALOG_SIG_UNKNOWN_KEY, "no key with this id");
	return 0;
}

/* ---- digests ---- */

bool imalog_sig_find_field(const struct imalog_record *record, enum imalog_field_id id,
			   struct imalog_span *ret)
{
	for (size_t i = 0; i < record->nr_fields; i++)
		if (record->fields[i].id == id) {
			*ret = record->fields[i].data;
			return true;
		}
	return false;
}

bool imalog_sig_file_digest(const struct imalog_record *record,
			    struct imalog_digest_field *ret)
{
	static const enum imalog_field_id ids[] = { IMALOG_FIELD_D_NGV2, IMALOG_FIELD_D_NG };
	struct imalog_span data;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(ids); i++)
		if (imalog_sig_find_field(record, ids[i], &data)) {
			imalog_field_digest(ids[i], data, ret);
			return true;
		}
	return false;
}

enum imalog_alg imalog_sig_field_alg(const struct imalog_digest_field *digest)
{
	char name[16];
	enum imalog_alg alg;

	if (digest->alg.size >= sizeof(name))
		return IMALOG_ALG_NONE;
	if (digest->alg.size)
		memcpy(name, digest->alg.data, digest->alg.size);
	name[digest->alg.size] = '\0';
	alg = imalog_alg_by_name(name);
	return digest->digest.size == imalog_alg_size(alg) ? alg : IMALOG_ALG_NONE;
}

int imalog_sig_digest(struct imalog_sig_checker *checker, const struct imalog_sig *sig,
		      struct imalog_span digest, uint8_t out[IMALOG_DIGEST_MAX],
		      struct imalog_error *error)
{
	uint8_t head[2] = { (uint8_t)sig->type, sig->hash };
	struct imalog_hash_job file_id = { .spans = { { head, sizeof(head) }, digest },
					   .nr_spans = 2 };

	/* As long as the header's hash says, or it is no digest: there is no room for more. */
	if (sig->alg == IMALOG_ALG_NONE || digest.size != imalog_alg_size(sig->alg))
		return imalog_fail(error, IMALOG_ERR_INVALID, "digest",
				   "%zu bytes are no digest of %s", digest.size,
				   imalog_alg_name(sig->alg));
	if (sig->version == 3)
		return imalog_hash_one(checker->hasher, sig->alg, &file_id, out, error);
	memcpy(out, digest.data, digest.size);
	return 0;
}

/* Decides unless signatures with this hash can be checked. */
static bool refuse_hash(const struct imalog_sig *sig, struct imalog_sig_result *result)
{
	if (sig->alg != IMALOG_ALG_NONE)
		return false;
	if (sig->hash_name)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "hash %s is not supported",
				  sig->hash_name);
	else
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "hash %u is not known",
				  sig->hash);
	return true;
}

/* Malformed: it signs nothing.  Too large, or of a kind that nobody knows: who can tell? */
static bool parse(struct imalog_span data, struct imalog_sig_result *result)
{
	struct imalog_error *error = imalog_error_new();
	int rc = imalog_sig_parse(data, &result->sig, error);
	bool unsure = rc == -IMALOG_ERR_UNSUPPORTED || rc == -IMALOG_ERR_LIMIT;

	if (rc < 0)
		imalog_sig_decide(result, unsure ? IMALOG_SIG_UNSUPPORTED : IMALOG_SIG_BAD,
				  "%s", error ? imalog_error_detail(error) : "malformed");
	imalog_error_free(&error);
	result->has_keyid = rc == 0;
	return rc == 0 && !refuse_hash(&result->sig, result);
}

/* ---- signatures of files ---- */

static bool span_is(struct imalog_span span, const char *text)
{
	return imalog_span_equal(span, imalog_span_of(text));
}

/*
 * A file with fs-verity has two digests, of which the record has one, and d-ngv2 says which.
 * NULL: that is the one that was signed
 */
static const char *other_digest(const struct imalog_sig *sig,
				const struct imalog_digest_field *digest)
{
	bool of_verity = sig->type == IMALOG_SIG_VERITY;

	if (of_verity && sig->version != 3)
		return "signatures of fs-verity digests have version 3";
	if (of_verity && span_is(digest->type, "ima"))
		return "it is of the fs-verity digest, which the record does not have";
	if (!of_verity && span_is(digest->type, "verity"))
		return "it is of the file's digest, the record has that of fs-verity";
	return NULL;
}

static int check_file(struct imalog_sig_checker *checker, const struct imalog_record *record,
		      struct imalog_sig_result *result, struct imalog_error *error)
{
	const struct imalog_sig *sig = &result->sig;
	struct imalog_digest_field digest;
	uint8_t signed_digest[IMALOG_DIGEST_MAX];
	char shown[IMALOG_PRINTABLE_MAX];
	struct imalog_claim claim;
	const char *other;
	int rc;

	if (!imalog_sig_file_digest(record, &digest)) {
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "the record has no digest of the file");
		return 0;
	}
	other = other_digest(sig, &digest);
	if (other) {
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "%s", other);
		return 0;
	}
	if (imalog_sig_field_alg(&digest) != sig->alg) {
		imalog_sig_decide(result, IMALOG_SIG_BAD,
				  "it is made with %s, the digest in the record with %s",
				  imalog_alg_name(sig->alg),
				  imalog_printable(digest.alg, shown));
		return 0;
	}
	rc = imalog_sig_digest(checker, sig, digest.digest, signed_digest, error);
	if (rc < 0)
		return rc;
	claim = (struct imalog_claim){ .number = record->number,
				       .signer.id = { sig->keyid, sizeof(sig->keyid) },
				       .alg = sig->alg,
				       .digest = { signed_digest, digest.digest.size },
				       .bytes = sig->bytes };
	return imalog_sig_verify(checker, &claim, result, error);
}

int imalog_sig_check_ima(struct imalog_sig_checker *checker, const struct imalog_record *record,
			 struct imalog_span data, struct imalog_sig_result *result,
			 struct imalog_error *error)
{
	if (!parse(data, result))
		return 0;
	if (result->sig.type != IMALOG_SIG_EVM_PORTABLE)
		return check_file(checker, record, result, error);
	imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "it is EVM's, not one of a file");
	return 0;
}

/* ---- fields ---- */

static int check_header(struct imalog_sig_checker *checker, const struct imalog_record *record,
			struct imalog_span data, struct imalog_sig_result *result,
			struct imalog_error *error)
{
	if (!parse(data, result))
		return 0;
	if (result->sig.type == IMALOG_SIG_EVM_PORTABLE)
		return imalog_sig_check_evm(checker, record, &result->sig, result, error);
	if (result->field != IMALOG_FIELD_EVMSIG)
		return check_file(checker, record, result, error);
	imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "it is no portable signature of EVM");
	return 0;
}

int imalog_sig_check(struct imalog_sig_checker *checker, const struct imalog_record *record,
		     size_t i, struct imalog_sig_result *ret, struct imalog_error *reterr)
{
	struct imalog_sig_result result = { .key = IMALOG_SIG_NO_KEY };
	struct imalog_span data;
	int rc = 0;

	if (i >= record->nr_fields || !imalog_field_is_signature(record->fields[i].id))
		return 0;
	result.field = record->fields[i].id;
	data = record->fields[i].data;
	if (data.size == 0)
		imalog_sig_decide(&result, IMALOG_SIG_NONE, "%s", "");
	else if (result.field == IMALOG_FIELD_MODSIG)
		rc = imalog_sig_check_modsig(checker, record, data, &result, reterr);
	else if (imalog_sig_is_digest(data))
		imalog_sig_decide(&result, IMALOG_SIG_NONE, "a digest in its place");
	else
		rc = check_header(checker, record, data, &result, reterr);
	if (rc < 0)
		return rc;
	*ret = result;
	return 1;
}
