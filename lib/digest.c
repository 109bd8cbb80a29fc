// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Template digests: what each bank is extended with
 *
 * ima_calc_field_array_hash_tfm() in ima_crypto.c: for each field its length (4 bytes)
 * and its bytes; for template `ima` the digest and the name padded with zeros to 256
 * bytes.  The lengths are in the byte order of the machine, or little-endian with
 * ima_canonical_fmt, so a log that was canonicalized later keeps digests over the other
 * order: the hash order of its records.
 *
 * TLV content: type, size and value of the content TLV, in the order in which they stand
 * (S. Ortiz; confirmed with a log that a real TPM quoted).
 */
#include <stdlib.h>
#include <string.h>

#include "private.h"

static const uint8_t zeros[IMALOG_IMA_NAME_SIZE];

/* Without lengths there is no byte order; TLV records are hashed as they are. */
static bool has_order(const struct imalog_record *record)
{
	return record->content == IMALOG_CONTENT_TEMPLATE &&
	       !imalog_template_is_ima(record->template_name);
}

static int scratch_reserve(struct imalog_scratch *scratch, size_t size, struct imalog_error *error)
{
	uint8_t *data;

	if (scratch->size >= size)
		return 0;
	data = realloc(scratch->data, size);
	if (!data)
		return imalog_fail_nomem(error);
	scratch->data = data;
	scratch->size = size;
	return 0;
}

int imalog_digest_input(const struct imalog_record *record, enum imalog_order order,
			struct imalog_scratch *scratch, struct imalog_hash_job *ret,
			struct imalog_error *error)
{
	int rc;

	*ret = (struct imalog_hash_job){ .spans = { record->data }, .nr_spans = 1 };
	if (record->content == IMALOG_CONTENT_DIGEST_ONLY)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
				   "the record has a digest but not what it covers");
	if (!imalog_record_is_checked(record))
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
				   "nothing tells what the digest of its content covers");
	if (record->content != IMALOG_CONTENT_TEMPLATE) {
		ret->spans[0] = (struct imalog_span){ record->cel.head,
						      sizeof(record->cel.head) };
		ret->spans[1] = record->data;
		ret->nr_spans = 2;
		return 0;
	}
	if (!has_order(record)) {
		const struct imalog_field *name = &record->fields[1];

		ret->spans[0] = record->fields[0].data;
		ret->spans[1] = name->data;
		ret->spans[2] = (struct imalog_span){ zeros,
						      IMALOG_IMA_NAME_SIZE - name->data.size };
		ret->nr_spans = 3;
		return 0;
	}
	if (order == record->order)
		return 0;
	if (record->nr_fields == 0)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
				   "the fields of its template are not known");
	rc = scratch_reserve(scratch, record->data.size, error);
	if (rc < 0)
		return rc;
	imalog_template_swap(record, scratch->data);
	ret->spans[0].data = scratch->data;
	return 0;
}

bool imalog_digest_equal(const struct imalog_recorded_digest *digest, const uint8_t *computed)
{
	return digest->span.size == imalog_alg_size(digest->alg) &&
	       memcmp(digest->span.data, computed, digest->span.size) == 0;
}

bool imalog_digest_is_padded_sha1(const struct imalog_recorded_digest *digest,
				  const uint8_t sha1[20])
{
	struct imalog_span rest = digest->span;

	if (rest.size <= 20 || memcmp(rest.data, sha1, 20) != 0)
		return false;
	rest.data += 20;
	rest.size -= 20;
	return imalog_all_zero(rest);
}

/* How a record is held against its content */
struct check {
	struct imalog_hasher *hasher;
	bool padded; /* the SHA-1 digest padded with zeros fits, too */
	struct imalog_scratch scratch;
	struct imalog_error *error;
};

/* Does every recorded digest fit @input?  1, 0, or a negative code. */
static int fits(const struct imalog_record *record, const struct check *check,
		const struct imalog_hash_job *input)
{
	size_t checked = 0;

	for (size_t i = 0; i < record->nr_digests; i++) {
		const struct imalog_recorded_digest *digest = &record->digests[i];
		uint8_t out[IMALOG_DIGEST_MAX];
		int rc;

		if (digest->alg == IMALOG_ALG_NONE)
			continue;
		rc = imalog_hash_one(check->hasher, digest->alg, input, out, check->error);
		if (rc < 0)
			return rc;
		checked++;
		if (imalog_digest_equal(digest, out))
			continue;
		if (!check->padded || digest->span.size <= imalog_alg_size(IMALOG_ALG_SHA1))
			return 0;
		rc = imalog_hash_one(check->hasher, IMALOG_ALG_SHA1, input, out,
				     check->error);
		if (rc < 0)
			return rc;
		if (!imalog_digest_is_padded_sha1(digest, out))
			return 0;
	}
	return checked > 0;
}

/* Tries one byte order and remembers it when it fits. */
static int try_order(struct imalog_record *record, struct check *check, enum imalog_order order)
{
	struct imalog_hash_job input;
	int rc = imalog_digest_input(record, order, &check->scratch, &input, check->error);

	if (rc < 0)
		return rc;
	rc = fits(record, check, &input);
	if (rc < 0)
		return rc;
	record->fit = rc ? IMALOG_FIT_YES : IMALOG_FIT_NO;
	if (rc && has_order(record))
		record->hash_order = order;
	return record->fit;
}

int imalog_record_verify_as(struct imalog_record *record, struct imalog_hasher *hasher,
			    bool padded, struct imalog_error *error)
{
	struct check check = { hasher, padded, { NULL, 0 }, error };
	int rc;

	/* Of JSON a record may have no digest at all. */
	if (record->violation || !imalog_record_is_checked(record) ||
	    record->nr_digests == 0)
		return record->fit;
	rc = try_order(record, &check, record->order);
	/* Fields that are not known cannot be turned. */
	if (rc == IMALOG_FIT_NO && has_order(record) && record->nr_fields > 0)
		rc = try_order(record, &check, imalog_other_order(record->order));
	free(check.scratch.data);
	return rc;
}

int imalog_record_verify(struct imalog_record *record, struct imalog_hasher *hasher,
			 struct imalog_error *reterr)
{
	return imalog_record_verify_as(record, hasher, true, reterr);
}

int imalog_record_template_digest(const struct imalog_record *record, struct imalog_hasher *hasher,
				  enum imalog_alg alg, uint8_t *out, struct imalog_error *reterr)
{
	enum imalog_order order = record->hash_order ? record->hash_order : record->order;
	struct imalog_scratch scratch = { NULL, 0 };
	struct imalog_hash_job input;
	int rc;

	if (imalog_alg_size(alg) == 0)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "", "unknown hash algorithm %d",
				   (int)alg);
	if (record->violation) {
		memset(out, 0xff, imalog_alg_size(alg));
		return 0;
	}
	rc = imalog_digest_input(record, order, &scratch, &input, reterr);
	if (rc == 0)
		rc = imalog_hash_one(hasher, alg, &input, out, reterr);
	free(scratch.data);
	return rc;
}
