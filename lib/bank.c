// SPDX-License-Identifier: LGPL-2.1-or-later
/* PCR values: a small sorted set, by bank and PCR number. */
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* Far more than the PCRs of all banks of a TPM. */
#define VALUES_MAX 4096

struct value {
	enum imalog_alg alg;
	uint32_t pcr;
	uint8_t bytes[IMALOG_DIGEST_MAX];
};

struct imalog_pcrs {
	struct value *values;
	size_t nr;
};

struct imalog_pcrs *imalog_pcrs_new(void)
{
	return calloc(1, sizeof(struct imalog_pcrs));
}

void imalog_pcrs_free(struct imalog_pcrs **pcrs)
{
	if (!pcrs || !*pcrs)
		return;
	free((*pcrs)->values);
	free(*pcrs);
	*pcrs = NULL;
}

/* Where the value is, or would be. */
static size_t position(const struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr)
{
	size_t i = 0;

	while (i < pcrs->nr && (pcrs->values[i].alg < alg ||
				(pcrs->values[i].alg == alg && pcrs->values[i].pcr < pcr)))
		i++;
	return i;
}

const uint8_t *imalog_pcrs_get(const struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr)
{
	size_t i = position(pcrs, alg, pcr);

	if (i == pcrs->nr || pcrs->values[i].alg != alg || pcrs->values[i].pcr != pcr)
		return NULL;
	return pcrs->values[i].bytes;
}

int imalog_pcrs_set(struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr,
		    struct imalog_span value, struct imalog_error *reterr)
{
	const uint8_t *old = imalog_pcrs_get(pcrs, alg, pcr);
	size_t i = position(pcrs, alg, pcr);
	struct value *values;

	if (value.size == 0 || value.size != imalog_alg_size(alg))
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "%zu bytes are no digest of %s, which has %zu", value.size,
				   imalog_alg_name(alg), imalog_alg_size(alg));
	if (old && memcmp(old, value.data, value.size) == 0)
		return 0;
	if (old)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "two different values are given for PCR %u of bank %s", pcr,
				   imalog_alg_name(alg));
	if (pcrs->nr == VALUES_MAX)
		return imalog_fail(reterr, IMALOG_ERR_LIMIT, "", "more than %d PCR values",
				   VALUES_MAX);
	values = reallocarray(pcrs->values, pcrs->nr + 1, sizeof(*values));
	if (!values)
		return imalog_fail_nomem(reterr);
	pcrs->values = values;
	memmove(values + i + 1, values + i, (pcrs->nr - i) * sizeof(*values));
	values[i] = (struct value){ .alg = alg, .pcr = pcr };
	memcpy(values[i].bytes, value.data, value.size);
	pcrs->nr++;
	return 0;
}

size_t imalog_pcrs_count(const struct imalog_pcrs *pcrs)
{
	return pcrs->nr;
}

const uint8_t *imalog_pcrs_at(const struct imalog_pcrs *pcrs, size_t i, enum imalog_alg *alg,
			      uint32_t *pcr)
{
	*alg = pcrs->values[i].alg;
	*pcr = pcrs->values[i].pcr;
	return pcrs->values[i].bytes;
}
