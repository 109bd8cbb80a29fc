// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The PCR values that a quote signs
 *
 * pcrDigest is the hash, with the signing scheme's algorithm, over the selected values:
 * in the order of the selections, and in each in the order of PCR numbers (TPM 2.0 Part
 * 3, 18.4).
 */
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Registers after a TPM reset; those of a DRTM are all ones (PC Client Platform TPM
 * Profile). */
static uint8_t reset_byte(uint32_t pcr)
{
	return pcr >= 17 && pcr <= 22 ? 0xff : 0;
}

int imalog_slots_init(struct imalog_slots *slots, const struct imalog_quote *quote,
		      struct imalog_error *error)
{
	slots->nr = 0;
	slots->size = 0;
	for (size_t i = 0; i < quote->nr_banks; i++) {
		const struct imalog_quote_bank *bank = &quote->banks[i];
		size_t size = imalog_alg_size(bank->alg);

		if (bank->pcrs && size == 0)
			return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
					   "bank 0x%x is not known", bank->id);
		for (uint32_t pcr = 0; pcr < IMALOG_QUOTE_PCRS; pcr++) {
			if (!(bank->pcrs >> pcr & 1))
				continue;
			slots->slot[slots->nr++] = (struct imalog_slot){ bank->alg, pcr,
									 slots->size,
									 size, false };
			slots->size += size;
		}
	}
	return 0;
}

void imalog_slots_fill(struct imalog_slots *slots, const struct imalog_pcrs *first,
		       const struct imalog_pcrs *second)
{
	for (size_t i = 0; i < slots->nr; i++) {
		struct imalog_slot *slot = &slots->slot[i];
		const uint8_t *value =
			first ? imalog_pcrs_get(first, slot->alg, slot->pcr) : NULL;

		if (!value && second)
			value = imalog_pcrs_get(second, slot->alg, slot->pcr);
		slot->given = value;
		if (value)
			memcpy(slots->bytes + slot->offset, value, slot->size);
		else
			memset(slots->bytes + slot->offset, reset_byte(slot->pcr),
			       slot->size);
	}
}

static int slots_hash(const struct imalog_slots *slots, struct imalog_hasher *hasher,
		      enum imalog_alg alg, uint8_t *out, struct imalog_error *error)
{
	struct imalog_hash_job job = { .spans = { { slots->bytes, slots->size } },
				       .nr_spans = 1 };

	return imalog_hash_one(hasher, alg, &job, out, error);
}

int imalog_slots_hold(const struct imalog_slots *slots, struct imalog_hasher *hasher,
		      const struct imalog_quote *quote, struct imalog_error *error)
{
	uint8_t digest[IMALOG_DIGEST_MAX];
	int rc = slots_hash(slots, hasher, quote->hash, digest, error);

	if (rc < 0)
		return rc;
	return imalog_span_equal(quote->pcr_digest,
				 (struct imalog_span){ digest,
						       imalog_alg_size(quote->hash) }) &&
	       imalog_quote_has_digest(quote, quote->pcr_digest);
}

bool imalog_slots_given(const struct imalog_slots *slots)
{
	for (size_t i = 0; i < slots->nr; i++)
		if (!slots->slot[i].given)
			return false;
	return true;
}

/* ---- values alone ---- */

int imalog_quote_digest(const struct imalog_quote *quote, enum imalog_alg alg,
			const struct imalog_pcrs *pcrs, uint8_t *out,
			struct imalog_error *reterr)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_slots *slots = malloc(sizeof(*slots));
	int rc = hasher && slots ? 0 : imalog_fail_nomem(reterr);

	if (rc == 0)
		rc = imalog_slots_init(slots, quote, reterr);
	if (rc == 0) {
		imalog_slots_fill(slots, pcrs, NULL);
		rc = imalog_slots_given(slots) ?
			     slots_hash(slots, hasher, alg, out, reterr) :
			     imalog_fail(reterr, IMALOG_ERR_INVALID, "",
					 "not all selected PCRs have a value");
	}
	free(slots);
	imalog_hasher_free(&hasher);
	return rc;
}

bool imalog_quote_is_beyond(struct imalog_quote *quote, enum imalog_quote_check check)
{
	if (!imalog_quote_is_quote(quote, check))
		return true;
	if (quote->hash == IMALOG_ALG_NONE)
		imalog_quote_judge(
			quote, check, IMALOG_NOT_CHECKED,
			"the hash of its digest is not known without its signature");
	return quote->hash == IMALOG_ALG_NONE;
}

void imalog_quote_judge_values(struct imalog_quote *quote,
			       const struct imalog_slots *slots, bool holds)
{
	if (slots->nr == 0)
		imalog_quote_judge(quote, IMALOG_QUOTE_DIGEST, IMALOG_NOT_CHECKED,
				   "no PCR is signed");
	else if (holds)
		imalog_quote_judge(quote, IMALOG_QUOTE_DIGEST, IMALOG_MATCH, "%s", "");
	else if (imalog_slots_given(slots))
		imalog_quote_judge(quote, IMALOG_QUOTE_DIGEST, IMALOG_MISMATCH,
				   "the PCR values are not those that were signed");
	else
		imalog_quote_judge(quote, IMALOG_QUOTE_DIGEST, IMALOG_NOT_CHECKED,
				   "not all signed PCRs have a value");
}

int imalog_quote_check_values(struct imalog_quote *quote, const struct imalog_pcrs *pcrs,
			      const struct imalog_pcrs *others,
			      struct imalog_error *reterr)
{
	struct imalog_hasher *hasher;
	struct imalog_slots *slots;
	int rc;

	if (imalog_quote_is_beyond(quote, IMALOG_QUOTE_DIGEST))
		return 0;
	hasher = imalog_hasher_new();
	slots = malloc(sizeof(*slots));
	rc = hasher && slots ? imalog_slots_init(slots, quote, reterr) :
			       imalog_fail_nomem(reterr);
	if (rc == 0) {
		imalog_slots_fill(slots, pcrs, others);
		rc = imalog_slots_hold(slots, hasher, quote, reterr);
	}
	if (rc >= 0)
		imalog_quote_judge_values(quote, slots, rc);
	if (rc == -IMALOG_ERR_UNSUPPORTED)
		imalog_quote_judge(quote, IMALOG_QUOTE_DIGEST, IMALOG_NOT_CHECKED,
				   "a bank is signed that is not known");
	free(slots);
	imalog_hasher_free(&hasher);
	return rc == -IMALOG_ERR_UNSUPPORTED || rc > 0 ? 0 : rc;
}
