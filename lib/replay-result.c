// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a replay came to: counts, values, comparisons and the verdict over all. */
#include <string.h>

#include "replay.h"

uint64_t imalog_replay_records(const struct imalog_replay *replay)
{
	return replay->records;
}

uint64_t imalog_replay_violations(const struct imalog_replay *replay)
{
	return replay->violations;
}

uint64_t imalog_replay_unmeasured(const struct imalog_replay *replay)
{
	return replay->unmeasured;
}

uint64_t imalog_replay_elsewhere(const struct imalog_replay *replay)
{
	return replay->elsewhere;
}

uint64_t imalog_replay_problems(const struct imalog_replay *replay)
{
	return replay->bad + replay->opaque;
}

uint64_t imalog_replay_first_problem(const struct imalog_replay *replay)
{
	return replay->first_problem;
}

uint64_t imalog_replay_first_bad(const struct imalog_replay *replay, enum imalog_problem *problem)
{
	if (replay->first_bad)
		*problem = replay->first_bad_problem;
	return replay->first_bad;
}

/* An offered value of a PCR that the log does not extend is no comparison. */
static bool counts(const struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr)
{
	const struct imalog_chain *chain = replay->chains[alg][pcr];

	return (chain && chain->extends) || !imalog_pcrs_get(replay->offered, alg, pcr);
}

size_t imalog_replay_checks(const struct imalog_replay *replay)
{
	size_t nr = 0;

	for (size_t i = 0; i < imalog_pcrs_count(replay->expected); i++) {
		enum imalog_alg alg;
		uint32_t pcr;

		imalog_pcrs_at(replay->expected, i, &alg, &pcr);
		nr += counts(replay, alg, pcr);
	}
	return nr;
}

void imalog_replay_check(const struct imalog_replay *replay, size_t i, struct imalog_check *ret)
{
	static const uint8_t zeros[IMALOG_DIGEST_MAX];
	const struct imalog_chain *chain;

	memset(ret, 0, sizeof(*ret));
	for (size_t at = 0, left = i + 1; left > 0; at++) {
		ret->expected = imalog_pcrs_at(replay->expected, at, &ret->bank, &ret->pcr);
		left -= counts(replay, ret->bank, ret->pcr);
	}
	ret->computed = zeros;
	chain = replay->chains[ret->bank][ret->pcr];
	if (chain) /* or imalog_replay_run() was never called */
		imalog_chain_check(chain, replay->last, ret);
}

enum imalog_verdict imalog_replay_verdict(const struct imalog_replay *replay, uint64_t *matched_at)
{
	size_t nr = imalog_replay_checks(replay);
	enum imalog_verdict verdict = nr ? IMALOG_MATCH : IMALOG_NOT_CHECKED;
	uint64_t first = 0, last = UINT64_MAX;
	bool opaque = false;

	for (size_t i = 0; i < nr; i++) {
		struct imalog_check check;

		imalog_replay_check(replay, i, &check);
		opaque |= replay->chains[check.bank][check.pcr] &&
			  imalog_chain_is_opaque(replay->chains[check.bank][check.pcr]);
		if (check.verdict == IMALOG_MISMATCH ||
		    (check.verdict == IMALOG_NOT_CHECKED && verdict == IMALOG_MATCH))
			verdict = check.verdict;
		if (check.verdict != IMALOG_MATCH)
			continue;
		first = check.matched_at > first ? check.matched_at : first;
		last = check.matched_to < last ? check.matched_to : last;
	}
	if (verdict == IMALOG_MATCH && first > last)
		verdict = IMALOG_MISMATCH;
	if (matched_at)
		*matched_at = verdict == IMALOG_MATCH ? first : 0;
	if (verdict == IMALOG_MATCH && opaque)
		verdict = IMALOG_NOT_CHECKED;
	return replay->bad ? IMALOG_MISMATCH : verdict;
}

int imalog_replay_pcrs(const struct imalog_replay *replay, struct imalog_pcrs *pcrs,
		       struct imalog_error *reterr)
{
	int rc = 0;

	for (int alg = 1; alg < IMALOG_ALG_COUNT && rc == 0; alg++) {
		for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX && rc == 0; pcr++) {
			const struct imalog_chain *chain = replay->chains[alg][pcr];
			struct imalog_span value = { NULL, imalog_alg_size((enum imalog_alg)alg) };

			if (!chain || chain->extends == 0 || chain->lost)
				continue;
			value.data = imalog_chain_value(chain);
			rc = imalog_pcrs_set(pcrs, (enum imalog_alg)alg, pcr, value, reterr);
		}
	}
	return rc;
}

const uint8_t *imalog_replay_value(const struct imalog_replay *replay, enum imalog_alg alg,
				   uint32_t pcr, enum imalog_variant variant)
{
	const struct imalog_chain *chain = replay->chains[alg][pcr];

	if (!chain || (chain->extends == 0 && !chain->resumed))
		return imalog_pcrs_get(replay->start, alg, pcr);
	if (!chain->computes[variant])
		return NULL;
	return chain->value[variant == IMALOG_PADDED_SHORT && !chain->forked ? IMALOG_PADDED :
									       variant];
}
