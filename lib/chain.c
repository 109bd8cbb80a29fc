// SPDX-License-Identifier: LGPL-2.1-or-later
/* One PCR of one bank: its value as records extend it, and where that is the expected one. */
#include <stdlib.h>
#include <string.h>

#include "private.h"

struct imalog_chain *imalog_chain_new(enum imalog_alg alg, uint32_t pcr, const uint8_t *start,
				      const uint8_t *expected, enum imalog_padding padding)
{
	struct imalog_chain *chain = calloc(1, sizeof(*chain));
	bool padded;

	if (!chain)
		return NULL;
	chain->alg = alg;
	chain->pcr = pcr;
	chain->expected = expected;
	for (int v = 0; v < IMALOG_VARIANTS && start; v++)
		memcpy(chain->value[v], start, imalog_alg_size(alg));
	padded = alg != IMALOG_ALG_SHA1 && (padding == IMALOG_PADDING_SHA1 ||
					    (padding == IMALOG_PADDING_AUTO && expected));
	chain->computes[IMALOG_PADDED] = padded;
	chain->computes[IMALOG_PADDED_SHORT] = padded;
	chain->computes[IMALOG_PERBANK] = !padded || padding == IMALOG_PADDING_AUTO;
	return chain;
}

void imalog_chain_compute_padded(struct imalog_chain *chain)
{
	chain->computes[IMALOG_PADDED] = chain->alg != IMALOG_ALG_SHA1;
	chain->computes[IMALOG_PADDED_SHORT] = chain->alg != IMALOG_ALG_SHA1;
}

/* The recorded digest of the bank, which is what was extended when no rule computes it */
static const struct imalog_recorded_digest *own_digest(const struct imalog_record *record,
						       enum imalog_alg alg)
{
	for (size_t i = 0; i < record->nr_digests; i++)
		if (record->digests[i].alg == alg)
			return &record->digests[i];
	return NULL;
}

void imalog_chain_recorded(const struct imalog_record *record, enum imalog_alg alg,
			   uint8_t out[IMALOG_DIGEST_MAX])
{
	const struct imalog_recorded_digest *recorded = own_digest(record, alg);
	size_t size = imalog_alg_size(alg);

	/* Without one of the bank the value is none that proves anything. */
	recorded = recorded ? recorded : &record->digests[0];
	memset(out, 0, size);
	if (recorded->span.size)
		memcpy(out, recorded->span.data,
		       recorded->span.size < size ? recorded->span.size : size);
}

/* What a variant is extended with. */
static void extension(const struct imalog_chain *chain, const struct imalog_record *record,
		      enum imalog_variant variant, const uint8_t *own, const uint8_t *sha1,
		      uint8_t out[IMALOG_DIGEST_MAX])
{
	size_t size = imalog_alg_size(chain->alg);

	memset(out, 0, size);
	if (record->violation) {
		memset(out, 0xff, variant == IMALOG_PADDED_SHORT ? 20 : size);
	} else if (!imalog_record_is_checked(record)) {
		imalog_chain_recorded(record, chain->alg, out);
	} else if (variant == IMALOG_PERBANK) {
		memcpy(out, own, size);
	} else {
		memcpy(out, sha1, 20);
	}
}

/* Content that no rule checks: believed, if that is allowed and the bank has a digest of
 * it */
static void note_content(struct imalog_chain *chain, const struct imalog_record *record)
{
	if (imalog_record_is_checked(record) || record->violation)
		return;
	chain->unchecked++;
	chain->lost |= !own_digest(record, chain->alg);
	chain->opaque |= !chain->believes || chain->lost;
}

/* Notes where the expected value comes, and where it goes again. */
static void compare(struct imalog_chain *chain, int v, uint64_t number)
{
	if (chain->holds[v])
		chain->last[v] = number - 1;
	chain->holds[v] = chain->first[v] == 0 && memcmp(chain->value[v], chain->expected,
							 imalog_alg_size(chain->alg)) == 0;
	if (!chain->holds[v])
		return;
	chain->first[v] = number;
	chain->rests_on[v] = chain->unchecked;
	chain->proves[v] = !chain->opaque;
}

void imalog_chain_resume(struct imalog_chain *chain,
			 const uint8_t *const values[IMALOG_VARIANTS], uint64_t number)
{
	for (int v = 0; v < IMALOG_VARIANTS; v++) {
		chain->computes[v] &= values[v] != NULL;
		if (!values[v])
			continue;
		memcpy(chain->value[v], values[v], imalog_alg_size(chain->alg));
		if (chain->computes[v] && chain->expected)
			compare(chain, v, number);
	}
	chain->resumed = true;
	chain->forked = values[IMALOG_PADDED_SHORT];
	/* Until the first violation one value stands for both. */
	chain->computes[IMALOG_PADDED_SHORT] = chain->computes[IMALOG_PADDED];
}

int imalog_chain_extend(struct imalog_chain *chain, struct imalog_hasher *hasher,
			const struct imalog_record *record, const uint8_t *own,
			const uint8_t *sha1, struct imalog_error *error)
{
	if (record->violation && !chain->forked) {
		memcpy(chain->value[IMALOG_PADDED_SHORT], chain->value[IMALOG_PADDED],
		       imalog_alg_size(chain->alg));
		chain->forked = true;
	}
	chain->extends++;
	note_content(chain, record);
	for (int v = 0; v < IMALOG_VARIANTS; v++) {
		uint8_t digest[IMALOG_DIGEST_MAX];
		int rc;

		if (!chain->computes[v] || (v == IMALOG_PADDED_SHORT && !chain->forked))
			continue;
		extension(chain, record, (enum imalog_variant)v, own, sha1, digest);
		rc = imalog_hash_extend(hasher, chain->alg, chain->value[v], digest, error);
		if (rc < 0)
			return rc;
		if (chain->expected)
			compare(chain, v, record->number);
	}
	return 0;
}

/* The variant that gave the expected value; IMALOG_VARIANTS when none did. */
static int matched_variant(const struct imalog_chain *chain)
{
	int v = IMALOG_PERBANK;

	while (v < IMALOG_VARIANTS && chain->first[v] == 0)
		v++;
	return v;
}

const uint8_t *imalog_chain_value(const struct imalog_chain *chain)
{
	int v = matched_variant(chain);

	if (v == IMALOG_VARIANTS)
		v = chain->computes[IMALOG_PERBANK] ? IMALOG_PERBANK : IMALOG_PADDED;
	return chain->value[v];
}

static enum imalog_verdict verdict_without_match(const struct imalog_chain *chain)
{
	size_t size = imalog_alg_size(chain->alg);

	/* A PCR that was never extended proves nothing by being as it started. */
	if (chain->extends == 0 && memcmp(imalog_chain_value(chain), chain->expected, size) == 0)
		return IMALOG_NOT_CHECKED;
	return chain->opaque ? IMALOG_NOT_CHECKED : IMALOG_MISMATCH;
}

/* What comes behind a match takes nothing from it. */
bool imalog_chain_is_opaque(const struct imalog_chain *chain)
{
	int v = matched_variant(chain);

	return v == IMALOG_VARIANTS ? chain->opaque : !chain->proves[v];
}

void imalog_chain_check(const struct imalog_chain *chain, uint64_t last,
			struct imalog_check *ret)
{
	int v = matched_variant(chain);

	ret->extends = chain->extends;
	ret->computed = imalog_chain_value(chain);
	if (v == IMALOG_VARIANTS) {
		ret->unchecked = chain->unchecked;
		ret->verdict = verdict_without_match(chain);
		return;
	}
	ret->verdict = IMALOG_MATCH;
	ret->unchecked = chain->rests_on[v];
	ret->matched_at = chain->first[v];
	ret->matched_to = chain->holds[v] ? last : chain->last[v];
	ret->padding = v == IMALOG_PERBANK ? IMALOG_PADDING_PERBANK : IMALOG_PADDING_SHA1;
}
