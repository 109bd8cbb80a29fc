// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Is a signature in a record one of a known key, over what the record says?
 *
 * Which bytes are signed: integrity_digsig_verify() (security/integrity/digsig.c),
 * asymmetric_verify() (digsig_asymmetric.c), calc_file_id_hash() (ima/ima_appraise.c).
 */
#include "sig.h"

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

const char *imalog_sig_no_digest(const struct imalog_digest_field *digest)
{
	return digest->digest.size && imalog_all_zero(digest->digest) ?
		       "the kernel could not compute the digest: it is all zeros" :
		       NULL;
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
		return imalog_hash_one(imalog_sig_hasher(checker), sig->alg, &file_id, out, error);
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
	other = imalog_sig_no_digest(&digest);
	if (!other)
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

/* What the record says was signed must be what was measured. */
static void check_record(const struct imalog_record *record, struct imalog_sig_result *result)
{
	if (record->violation)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "a violation: the digest of the file is not in the record");
	else if (result->status == IMALOG_SIG_OK && record->fit == IMALOG_FIT_UNKNOWN)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "no digest covers what the record says");
	else if (result->status == IMALOG_SIG_OK && record->fit == IMALOG_FIT_NO)
		imalog_sig_decide(result, IMALOG_SIG_BAD,
				  "the record's digest is of something else");
	if (result->status != IMALOG_SIG_OK)
		imalog_sig_forget_keys(result);
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
	if (result.status != IMALOG_SIG_NONE)
		check_record(record, &result);
	*ret = result;
	return 1;
}
