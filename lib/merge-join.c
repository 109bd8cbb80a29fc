// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From pieces to one log
 *
 * Receipts say which piece follows which.  If they join all, one pass over the records tells
 * whether that leads to the anchor.  If they do not, orders are searched that do.  Without an
 * anchor there is an order, but nothing is proved.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "merge-engine.h"

/* Segments that may repeat the one before: each doubles the plans to try. */
#define DOUBTS_MAX 4

/* ---- one chain ---- */

static size_t count_doubts(const struct imalog_merge *merge, size_t head)
{
	size_t nr = 0;

	for (size_t i = head; i != IMALOG_NOWHERE; i = merge->items[i].next)
		nr += merge->items[i].repeats > 0;
	return nr;
}

/* The chain, with doubts decided as the bits say: a set one, that records are repeated */
static int add_choice(struct imalog_merge *merge, size_t head, uint32_t bits,
		      struct imalog_choice *choice, struct imalog_error *error)
{
	struct imalog_plan *plan = &choice->plans[choice->nr];
	int rc = imalog_plan_make(merge, &head, NULL, 1, plan, error);

	if (rc < 0)
		return rc;
	choice->nr++;
	for (size_t i = 0; i < plan->nr_parts; i++) {
		uint64_t repeats = merge->items[plan->parts[i].piece].repeats;

		if (repeats == 0)
			continue;
		plan->parts[i].skip += bits & 1 ? repeats : 0;
		bits >>= 1;
	}
	return 0;
}

static int say_doubt(struct imalog_merge *merge, struct imalog_error *error)
{
	return imalog_notes_add(&merge->notes, IMALOG_MERGE_OTHER, IMALOG_NOWHERE, error,
				"a segment begins with the bytes of the one before, and "
				"nothing tells whether they are the same records: both are kept");
}

static int join_chain(struct imalog_merge *merge, size_t head, struct imalog_error *error)
{
	size_t doubts = count_doubts(merge, head);
	struct imalog_choice choice = { 0 };
	uint32_t nr;
	int rc = 0;

	if (doubts > DOUBTS_MAX && merge->anchored) {
		merge->result = IMALOG_MERGE_TOO_MANY;
		return imalog_notes_add(&merge->notes, IMALOG_MERGE_OTHER, IMALOG_NOWHERE,
					error,
					"there are too many possibilities: %zu segments may "
					"repeat the one before",
					doubts);
	}
	if (doubts && !merge->anchored)
		rc = say_doubt(merge, error);
	nr = merge->anchored ? (uint32_t)1 << doubts : 1;
	choice.plans = calloc(nr, sizeof(*choice.plans));
	if (!choice.plans)
		rc = imalog_fail_nomem(error);
	for (uint32_t bits = 0; rc == 0 && bits < nr; bits++)
		rc = add_choice(merge, head, bits, &choice, error);
	if (rc == 0)
		rc = imalog_choose(merge, &choice, error);
	imalog_choice_free(&choice);
	return rc;
}

/* ---- several chains ---- */

/* The best order that is known, without an anchor */
static int join_unproved(struct imalog_merge *merge, const size_t *heads, size_t nr,
			 struct imalog_error *error)
{
	struct imalog_choice choice = { .nr = 1 };
	struct imalog_plan plan;
	int rc = imalog_plan_make(merge, heads, NULL, nr, &plan, error);

	choice.plans = &plan;
	if (rc == 0)
		rc = imalog_choose(merge, &choice, error);
	free(plan.parts);
	return rc;
}

static bool any_loose(const struct imalog_merge *merge, const size_t *heads, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!merge->items[heads[i]].receipt)
			return true;
	return false;
}

static int join_chains(struct imalog_merge *merge, const size_t *heads, size_t nr,
		       struct imalog_error *error)
{
	if (!merge->anchored)
		return join_unproved(merge, heads, nr, error);
	if (any_loose(merge, heads, nr))
		return imalog_merge_find(merge, heads, nr, error);
	merge->result = IMALOG_MERGE_BROKEN;
	/* Receipts leave gaps: perhaps only because one is not of the piece of its size. */
	return imalog_receipts_check(merge, error);
}

/* ---- all pieces ---- */

/* A piece with the bytes of another may have records of its own after all. */
static bool readmit_twins(struct imalog_merge *merge)
{
	bool any = false;

	for (size_t i = 0; i < merge->nr; i++) {
		if (!merge->items[i].left_out || merge->items[i].twin == IMALOG_NOWHERE)
			continue;
		merge->items[i].left_out = false;
		any = true;
	}
	return any;
}

static void forget(struct imalog_merge *merge, size_t nr_notes)
{
	while (merge->notes.nr > nr_notes)
		free(merge->notes.notes[--merge->notes.nr].text);
	imalog_notes_free(&merge->candidates);
	imalog_plan_forget(merge);
	for (size_t i = 0; i < merge->nr; i++)
		merge->items[i].explained = false;
}

/* Is there something that was believed and turned out to be wrong? */
static bool change_mind(struct imalog_merge *merge)
{
	if (merge->misfit != IMALOG_NOWHERE && merge->items[merge->misfit].receipt) {
		imalog_receipts_refuse(merge, merge->misfit);
		return true;
	}
	return merge->anchored && merge->result == IMALOG_MERGE_BROKEN && readmit_twins(merge);
}

static bool is_written(const struct imalog_merge *merge)
{
	return merge->result == IMALOG_MERGE_PROVED || merge->result == IMALOG_MERGE_RECEIPTS ||
	       merge->result == IMALOG_MERGE_GIVEN;
}

/* An anchor of some PCRs says nothing of the records of others: what is missing counts. */
static int look_for_gaps(struct imalog_merge *merge, bool searched, struct imalog_error *error)
{
	int rc = searched ? imalog_plan_say_gaps(merge, error) :
			    imalog_chain_say_gaps(merge, error);

	if ((merge->result == IMALOG_MERGE_RECEIPTS || merge->result == IMALOG_MERGE_PROVED) &&
	    (imalog_notes_have(&merge->notes, IMALOG_MERGE_MISSING) ||
	     imalog_notes_have(&merge->notes, IMALOG_MERGE_CUT) ||
	     imalog_notes_have(&merge->notes, IMALOG_MERGE_EDITED)))
		merge->result = IMALOG_MERGE_BROKEN;
	else if (merge->result == IMALOG_MERGE_PROVED &&
		 imalog_notes_have(&merge->notes, IMALOG_MERGE_UNSEEN))
		merge->result = IMALOG_MERGE_RECEIPTS;
	return rc;
}

/* One attempt; 1: another one is worth it */
static int join(struct imalog_merge *merge, size_t *heads, struct imalog_error *error)
{
	size_t nr, nr_notes = merge->notes.nr;
	bool searched;
	int rc = imalog_receipts_match_values(merge, error);

	if (rc < 0)
		return rc;
	imalog_chain_pieces(merge);
	nr = imalog_chain_heads(merge, heads);
	if (nr == 0)
		return imalog_fail(error, IMALOG_ERR_INVALID, "", "no piece is left to merge");
	if (nr > 1 && merge->anchored && any_loose(merge, heads, nr) && imalog_chain_split(merge))
		nr = imalog_chain_heads(merge, heads);
	merge->misfit = IMALOG_NOWHERE;
	rc = nr == 1 ? join_chain(merge, heads[0], error) :
		       join_chains(merge, heads, nr, error);
	if (rc > 0 || (rc == 0 && change_mind(merge))) {
		forget(merge, nr_notes);
		return 1;
	}
	searched = nr > 1 && merge->anchored && any_loose(merge, heads, nr);
	/* A search that found nothing has looked itself. */
	if (rc == 0 && (!searched || is_written(merge)))
		rc = look_for_gaps(merge, searched, error);
	return rc;
}

/* ---- before and after ---- */

static int find_anchor(struct imalog_merge *merge, struct imalog_error *error)
{
	struct imalog_replay *replay = imalog_replay_new();
	int rc = 0;

	if (!replay)
		return imalog_fail_nomem(error);
	if (merge->prepare)
		rc = merge->prepare(merge->prepare_arg, replay);
	if (rc < 0)
		imalog_fail(error, (enum imalog_code)-rc, "", "the replay could not be prepared");
	merge->anchored = merge->quote ||
			  imalog_pcrs_count(imalog_replay_setup(replay).expected);
	imalog_replay_free(&replay);
	return rc;
}

/* Of several epochs one must be chosen. */
static int check_epochs(struct imalog_merge *merge, struct imalog_error *error)
{
	size_t matched = 0;
	bool known = merge->epoch == 0;
	int rc = 0;

	for (size_t s = 0; s < merge->nr_sets; s++) {
		matched += merge->sets[s].matched > 0;
		known |= merge->sets[s].epoch == merge->epoch && merge->sets[s].matched;
	}
	merge->joined = matched;
	if (known && (merge->epoch || matched < 2))
		return 0;
	merge->result = IMALOG_MERGE_EPOCHS;
	for (size_t i = 0; rc == 0 && i < merge->nr; i++) {
		char shown[IMALOG_PIECE_SHOWN];

		if (merge->epoch == 0 && merge->items[i].receipt)
			rc = imalog_notes_add(&merge->notes, IMALOG_MERGE_OTHER_EPOCH, i, error,
					      "%s is of epoch %" PRIu64,
					      imalog_piece_show(merge, i, shown),
					      merge->sets[merge->items[i].set].epoch);
	}
	return rc;
}

int imalog_merge_run(struct imalog_merge *merge, enum imalog_merge_result *result,
		     struct imalog_error *reterr)
{
	size_t *heads = calloc(merge->nr + 1, sizeof(*heads));
	int rc = heads ? find_anchor(merge, reterr) : imalog_fail_nomem(reterr);

	if (rc == 0)
		rc = imalog_receipts_match(merge, reterr);
	if (rc == 0)
		rc = check_epochs(merge, reterr);
	if (rc == 0 && merge->result == 0)
		rc = 1;
	while (rc > 0)
		rc = join(merge, heads, reterr);
	free(heads);
	if (rc == 0 && is_written(merge))
		rc = imalog_plan_notes(merge, reterr);
	if (rc == 0)
		*result = merge->result;
	return rc;
}
