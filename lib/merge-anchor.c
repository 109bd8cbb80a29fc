// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a search aims at: expected values or those that a quote has signed
 *
 * Of the expected values of a PCR one is enough to tell sequences apart, best that of SHA-1,
 * which is never padded.  A quote is over all its values, so all are computed, and hashed after
 * each record that extends one of them.
 */
#include <string.h>

#include "merge-search.h"

static size_t need_digests(struct imalog_loaded *loaded, enum imalog_alg alg)
{
	size_t i = 0;

	while (i < loaded->nr_algs && loaded->algs[i] != alg)
		i++;
	loaded->algs[i] = alg;
	if (i == loaded->nr_algs)
		loaded->nr_algs++;
	return i;
}

int imalog_anchor_open(struct imalog_anchor *anchor, const struct imalog_merge *merge,
		       struct imalog_loaded *loaded, struct imalog_error *error)
{
	int rc = 0;

	*anchor = (struct imalog_anchor){ .merge = merge, .loaded = loaded };
	anchor->replay = imalog_replay_new();
	anchor->hasher = imalog_hasher_new();
	if (!anchor->replay || !anchor->hasher)
		return imalog_fail_nomem(error);
	if (merge->prepare)
		rc = merge->prepare(merge->prepare_arg, anchor->replay);
	if (rc < 0)
		return imalog_fail(error, (enum imalog_code)-rc, "",
				   "the replay could not be prepared");
	anchor->setup = imalog_replay_setup(anchor->replay);
	anchor->sha1 = need_digests(loaded, IMALOG_ALG_SHA1);
	if (merge->quote) {
		/* Of an unknown bank nothing can be reached: imalog_anchor_choose() */
		if (imalog_slots_init(&anchor->slots, merge->quote, NULL) < 0)
			anchor->slots.nr = 0;
		imalog_slots_fill(&anchor->slots, merge->others, NULL);
		for (size_t i = 0; i < anchor->slots.nr; i++)
			need_digests(loaded, anchor->slots.slot[i].alg);
		return 0;
	}
	for (size_t i = 0; i < imalog_pcrs_count(anchor->setup.expected); i++) {
		enum imalog_alg alg;
		uint32_t pcr;

		imalog_pcrs_at(anchor->setup.expected, i, &alg, &pcr);
		need_digests(loaded, alg);
	}
	return 0;
}

void imalog_anchor_close(struct imalog_anchor *anchor)
{
	imalog_replay_free(&anchor->replay);
	imalog_hasher_free(&anchor->hasher);
}

/* ---- which PCRs ---- */

static bool is_extended(const struct imalog_anchor *anchor, uint32_t pcr)
{
	for (size_t i = 0; i < anchor->loaded->nr; i++)
		if (anchor->loaded->distinct[i].extends && anchor->loaded->distinct[i].pcr == pcr)
			return true;
	return false;
}

static size_t digest_index(const struct imalog_anchor *anchor, enum imalog_alg alg)
{
	size_t i = 0;

	while (anchor->loaded->algs[i] != alg)
		i++;
	return i;
}

/* False when there is no room for it */
static bool add_chain(struct imalog_anchor *anchor, enum imalog_alg alg, uint32_t pcr,
		      const uint8_t *expected, size_t offset)
{
	size_t p = 0;

	if (anchor->nr == IMALOG_ANCHOR_CHAINS)
		return false;
	anchor->chains[anchor->nr++] =
		(struct imalog_anchor_chain){ .alg = alg,
					      .pcr = pcr,
					      .digest = digest_index(anchor, alg),
					      .offset = offset,
					      .expected = expected };
	while (p < anchor->nr_padded && anchor->padded[p] != alg)
		p++;
	if (p == anchor->nr_padded && alg != IMALOG_ALG_SHA1)
		anchor->padded[anchor->nr_padded++] = alg;
	return true;
}

static bool has_pcr(const struct imalog_anchor *anchor, uint32_t pcr)
{
	for (size_t i = 0; i < anchor->nr; i++)
		if (anchor->chains[i].pcr == pcr)
			return true;
	return false;
}

/* Values are in the order of banks: SHA-1 comes first. */
static bool choose_expected(struct imalog_anchor *anchor)
{
	for (size_t i = 0; i < imalog_pcrs_count(anchor->setup.expected); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(anchor->setup.expected, i, &alg, &pcr);

		if (!has_pcr(anchor, pcr) && is_extended(anchor, pcr) &&
		    !add_chain(anchor, alg, pcr, value, 0))
			return false;
	}
	return anchor->nr;
}

static bool choose_signed(struct imalog_anchor *anchor)
{
	for (size_t i = 0; i < anchor->slots.nr; i++) {
		const struct imalog_slot *slot = &anchor->slots.slot[i];

		if (is_extended(anchor, slot->pcr) &&
		    !add_chain(anchor, slot->alg, slot->pcr, NULL, slot->offset))
			return false;
	}
	return anchor->nr;
}

bool imalog_anchor_choose(struct imalog_anchor *anchor)
{
	return anchor->merge->quote ? choose_signed(anchor) : choose_expected(anchor);
}

/* ---- how they were padded ---- */

/* Does the padding allow this turn?  Its lowest bit tells the two padded ones apart. */
static bool is_allowed(const struct imalog_anchor *anchor, uint32_t turn)
{
	uint32_t all = ((uint32_t)1 << anchor->nr_padded) - 1, banks = turn >> 1;

	if (banks == 0 && turn)
		return false; /* the same as turn 0 */
	return anchor->setup.padding == IMALOG_PADDING_AUTO ||
	       banks == (anchor->setup.padding == IMALOG_PADDING_SHA1 ? all : 0);
}

static enum imalog_variant variant_of(const struct imalog_anchor *anchor, uint32_t turn,
				      enum imalog_alg alg)
{
	for (size_t p = 0; p < anchor->nr_padded; p++)
		if (anchor->padded[p] == alg && turn >> 1 >> p & 1)
			return turn & 1 ? IMALOG_PADDED_SHORT : IMALOG_PADDED;
	return IMALOG_PERBANK;
}

/* A turn has a bit for each bank that may be padded, above the one that says how. */
bool imalog_anchor_turn(struct imalog_anchor *anchor)
{
	uint32_t turns = (uint32_t)2 << anchor->nr_padded, turn = anchor->turn;

	while (turn < turns && !is_allowed(anchor, turn))
		turn++;
	anchor->turn = turn + 1;
	if (turn >= turns)
		return false;
	for (size_t i = 0; i < anchor->nr; i++)
		anchor->chains[i].variant = variant_of(anchor, turn, anchor->chains[i].alg);
	return true;
}

/* ---- values ---- */

void imalog_anchor_start(const struct imalog_anchor *anchor, struct imalog_anchor_state *state)
{
	memset(state, 0, sizeof(*state));
	for (size_t i = 0; i < anchor->nr; i++) {
		const struct imalog_anchor_chain *chain = &anchor->chains[i];
		const uint8_t *start = imalog_pcrs_get(anchor->setup.start, chain->alg, chain->pcr);

		if (start)
			memcpy(state->values[i], start, imalog_alg_size(chain->alg));
	}
}

/* As extension() in chain.c */
static void extension(const struct imalog_anchor *anchor,
		      const struct imalog_anchor_chain *chain, uint32_t number,
		      uint8_t out[IMALOG_DIGEST_MAX])
{
	const struct imalog_loaded *loaded = anchor->loaded;
	const uint8_t *digests = loaded->digests + number * loaded->stride;
	size_t size = imalog_alg_size(chain->alg);

	memset(out, 0, size);
	if (loaded->distinct[number].violation)
		memset(out, 0xff, chain->variant == IMALOG_PADDED_SHORT ? 20 : size);
	else if (chain->variant == IMALOG_PERBANK)
		memcpy(out, digests + chain->digest * IMALOG_DIGEST_MAX, size);
	else
		memcpy(out, digests + anchor->sha1 * IMALOG_DIGEST_MAX, 20);
}

static int is_signed(struct imalog_anchor *anchor, const struct imalog_anchor_state *state,
		     struct imalog_error *error)
{
	for (size_t i = 0; i < anchor->nr; i++)
		memcpy(anchor->slots.bytes + anchor->chains[i].offset, state->values[i],
		       imalog_alg_size(anchor->chains[i].alg));
	return imalog_slots_hold(&anchor->slots, anchor->hasher, anchor->merge->quote, error);
}

static bool is_expected(const struct imalog_anchor *anchor,
			const struct imalog_anchor_state *state)
{
	for (size_t i = 0; i < anchor->nr; i++)
		if (memcmp(state->values[i], anchor->chains[i].expected,
			   imalog_alg_size(anchor->chains[i].alg)) != 0)
			return false;
	return true;
}

bool imalog_anchor_weighs(const struct imalog_anchor *anchor, uint32_t number)
{
	const struct imalog_distinct *record = &anchor->loaded->distinct[number];

	return record->extends && has_pcr(anchor, record->pcr);
}

/* As in a replay, PCR 0 need not start as zeros. */
static void start_pcr0(const struct imalog_anchor *anchor, struct imalog_anchor_state *state,
		       const struct imalog_distinct *record)
{
	for (size_t i = 0; i < anchor->nr && record->locality >= 0 && !state->begun; i++) {
		const struct imalog_anchor_chain *chain = &anchor->chains[i];

		if (chain->pcr == 0 && !imalog_pcrs_get(anchor->setup.start, chain->alg, 0))
			state->values[i][imalog_alg_size(chain->alg) - 1] =
				(uint8_t)record->locality;
	}
	state->begun |= record->extends && record->pcr == 0;
}

int imalog_anchor_extend(struct imalog_anchor *anchor, struct imalog_anchor_state *state,
			 uint32_t number, struct imalog_error *error)
{
	const struct imalog_distinct *record = &anchor->loaded->distinct[number];
	bool extended = false;
	int rc = 0;

	start_pcr0(anchor, state, record);
	for (size_t i = 0; rc == 0 && i < anchor->nr; i++) {
		const struct imalog_anchor_chain *chain = &anchor->chains[i];
		uint8_t digest[IMALOG_DIGEST_MAX];

		if (!record->extends || record->pcr != chain->pcr)
			continue;
		extension(anchor, chain, number, digest);
		rc = imalog_hash_extend(anchor->hasher, chain->alg, state->values[i], digest,
					error);
		extended = true;
	}
	if (rc < 0 || !extended)
		return rc;
	rc = anchor->merge->quote ? is_signed(anchor, state, error) :
				    is_expected(anchor, state);
	state->holds = rc > 0;
	return rc < 0 ? rc : 0;
}
