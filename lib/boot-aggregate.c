// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * boot_aggregate: the record that ties a list to what was measured before the kernel ran
 *
 * ima_calc_boot_aggregate_tfm() in ima_crypto.c: the digest, in the algorithm of a bank, over
 * that bank's PCR 0 to 7, and for all algorithms but SHA-1 also 8 and 9 (Linux 5.8 and later;
 * before, all were SHA-1).
 */
#include <string.h>

#include "private.h"

#define PCRS_SHA1 8
#define PCRS_OTHERS 10

static uint32_t nr_pcrs(enum imalog_alg alg)
{
	return alg == IMALOG_ALG_SHA1 ? PCRS_SHA1 : PCRS_OTHERS;
}

/* The first PCR that is needed but not there; nr_pcrs() when all are. */
static uint32_t missing_pcr(const struct imalog_pcrs *pcrs, enum imalog_alg alg)
{
	uint32_t pcr = 0;

	while (pcr < nr_pcrs(alg) && imalog_pcrs_get(pcrs, alg, pcr))
		pcr++;
	return pcr;
}

int imalog_boot_aggregate(const struct imalog_pcrs *pcrs, enum imalog_alg alg,
			  struct imalog_hasher *hasher, uint8_t *out,
			  struct imalog_error *reterr)
{
	uint8_t joined[PCRS_OTHERS * IMALOG_DIGEST_MAX];
	size_t size = imalog_alg_size(alg);
	uint32_t missing = missing_pcr(pcrs, alg);
	struct imalog_hash_job job = { .spans = { { joined, nr_pcrs(alg) * size } },
				       .nr_spans = 1 };

	if (size == 0)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "", "unknown hash algorithm %d",
				   (int)alg);
	if (missing < nr_pcrs(alg))
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "the value of PCR %u of bank %s is not known", missing,
				   imalog_alg_name(alg));
	for (uint32_t pcr = 0; pcr < nr_pcrs(alg); pcr++)
		memcpy(joined + pcr * size, imalog_pcrs_get(pcrs, alg, pcr), size);
	return imalog_hash_one(hasher, alg, &job, out, reterr);
}

bool imalog_record_is_boot_aggregate(const struct imalog_record *record)
{
	/* The latter with CONFIG_IMA_INIT_LATE_SYNC */
	static const char *const names[] = { "boot_aggregate", "boot_aggregate_late" };
	struct imalog_span name = imalog_record_name(record);

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(names) && !record->violation; i++)
		if (imalog_span_equal(name, imalog_span_of(names[i])))
			return true;
	return false;
}

/* The digest of the file, which here is the aggregate. */
static bool file_digest(const struct imalog_record *record, enum imalog_field_id *id,
			struct imalog_digest_field *ret)
{
	for (size_t i = 0; i < record->nr_fields; i++) {
		*id = record->fields[i].id;
		if (*id != IMALOG_FIELD_D && *id != IMALOG_FIELD_D_NG &&
		    *id != IMALOG_FIELD_D_NGV2)
			continue;
		imalog_field_digest(*id, record->fields[i].data, ret);
		return true;
	}
	return false;
}

static enum imalog_alg alg_of(enum imalog_field_id id, const struct imalog_digest_field *field)
{
	char name[16];

	/* A field d names no algorithm: the kernel then takes SHA-1 (ima_eventdigest_init). */
	if (id == IMALOG_FIELD_D)
		return IMALOG_ALG_SHA1;
	if (field->alg.size == 0 || field->alg.size >= sizeof(name))
		return IMALOG_ALG_NONE;
	memcpy(name, field->alg.data, field->alg.size);
	name[field->alg.size] = '\0';
	return imalog_alg_by_name(name);
}

int imalog_record_check_boot_aggregate(const struct imalog_record *record,
				       const struct imalog_pcrs *pcrs,
				       struct imalog_hasher *hasher,
				       struct imalog_error *reterr)
{
	uint8_t aggregate[IMALOG_DIGEST_MAX];
	struct imalog_digest_field field;
	enum imalog_field_id id;
	enum imalog_alg alg;
	int rc;

	if (!imalog_record_is_boot_aggregate(record))
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "the record is no boot_aggregate");
	/* Zeros: the kernel found no TPM, or no bank that it can use. */
	if (!file_digest(record, &id, &field) || imalog_all_zero(field.digest))
		return IMALOG_NOT_CHECKED;
	/* Outside of templates a digest does not say its algorithm. */
	alg = record->content == IMALOG_CONTENT_TEMPLATE ? alg_of(id, &field) :
							   IMALOG_ALG_NONE;
	if (alg == IMALOG_ALG_NONE || missing_pcr(pcrs, alg) < nr_pcrs(alg))
		return IMALOG_NOT_CHECKED;
	rc = imalog_boot_aggregate(pcrs, alg, hasher, aggregate, reterr);
	if (rc < 0)
		return rc;
	return imalog_span_equal(field.digest,
				 (struct imalog_span){ aggregate, imalog_alg_size(alg) }) ?
		       IMALOG_MATCH :
		       IMALOG_MISMATCH;
}
