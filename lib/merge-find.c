// SPDX-License-Identifier: LGPL-2.1-or-later
/* Chains that no receipt joins: an order is searched, and what comes of it is said. */
#include <inttypes.h>
#include <stdlib.h>

#include "merge-search.h"

struct find {
	struct imalog_merge *merge;
	struct imalog_loaded loaded;
	struct imalog_anchor anchor;
	struct imalog_search search;
	struct imalog_error *error;
};

/* ---- what may be the log ---- */

static int add_plan(struct find *find, const struct imalog_found *found,
		    struct imalog_choice *choice)
{
	uint64_t borders[IMALOG_LOOSE_MAX];
	size_t heads[IMALOG_LOOSE_MAX];
	int rc;

	for (size_t i = 0; i < found->nr; i++) {
		heads[i] = find->loaded.sequences[found->order[i]].head;
		borders[i] = found->border[i];
	}
	rc = imalog_plan_make(find->merge, heads, borders, found->nr,
			      &choice->plans[choice->nr], find->error);
	choice->nr++;
	return rc;
}

static int choose(struct find *find)
{
	struct imalog_choice choice = { 0 };
	int rc = 0;

	choice.plans = calloc(find->search.nr, sizeof(*choice.plans));
	if (!choice.plans)
		rc = imalog_fail_nomem(find->error);
	for (size_t i = 0; rc == 0 && i < find->search.nr; i++)
		rc = add_plan(find, &find->search.found[i], &choice);
	if (rc == 0)
		rc = imalog_choose(find->merge, &choice, find->error);
	imalog_choice_free(&choice);
	return rc;
}

/* One was found, but with a chain that may be later than the anchor as well */
static int say_doubtful(struct find *find, uint32_t doubtful)
{
	struct imalog_merge *merge = find->merge;
	int rc = imalog_plan_say(merge, &merge->plan, imalog_replay_records(merge->replay),
				 find->error);

	merge->result = IMALOG_MERGE_AMBIGUOUS;
	for (size_t i = 0; rc == 0 && i < find->loaded.nr_sequences; i++) {
		char shown[IMALOG_PIECE_SHOWN];

		if (!(doubtful >> i & 1))
			continue;
		imalog_piece_show(merge, find->loaded.sequences[i].head, shown);
		rc = imalog_notes_add(&merge->candidates, IMALOG_MERGE_OTHER, IMALOG_NOWHERE,
				      find->error,
				      "the same, and %s later than what is expected",
				      shown);
	}
	return rc;
}

static bool is_in_plan(const struct imalog_plan *plan, size_t piece)
{
	for (size_t i = 0; i < plan->nr_parts; i++)
		if (plan->parts[i].piece == piece)
			return true;
	return false;
}

/* Chains that are no part of the plan: all their records are in it. */
static int say_contained(struct find *find)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < find->loaded.nr_sequences; i++) {
		size_t head = find->loaded.sequences[i].head;
		char shown[IMALOG_PIECE_SHOWN];

		if (is_in_plan(&find->merge->plan, head))
			continue;
		imalog_piece_show(find->merge, head, shown);
		rc = find->loaded.sequences[i].nr ?
			     imalog_notes_add(&find->merge->notes, IMALOG_MERGE_DOUBLED, head,
					      find->error,
					      "%s is not needed: the other pieces have all "
					      "its records",
					      shown) :
			     imalog_notes_add(&find->merge->notes, IMALOG_MERGE_OTHER, head,
					      find->error, "%s has no records", shown);
	}
	return rc;
}

/* ---- what may be wrong ---- */

/* What others do without, up to the anchor */
static int say_foreign(struct find *find)
{
	const struct imalog_found *best = &find->search.best;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < find->loaded.nr_sequences; i++) {
		size_t head = find->loaded.sequences[i].head;
		char shown[IMALOG_PIECE_SHOWN];

		if (best->explained >> i & 1 || find->merge->items[head].explained)
			continue;
		find->merge->items[head].explained = true;
		rc = imalog_notes_add(&find->merge->notes, IMALOG_MERGE_FOREIGN, head,
				      find->error,
				      "without %s the others lead to what is expected after "
				      "record %" PRIu64 ": it is foreign, or later than that",
				      imalog_piece_show(find->merge, head, shown), best->last);
	}
	return rc;
}

static bool is_said(const struct imalog_notes *notes, const struct imalog_note *note)
{
	for (size_t i = 0; i < notes->nr; i++)
		if (notes->notes[i].kind == note->kind && notes->notes[i].piece == note->piece)
			return true;
	return false;
}

/* What a pass said of a piece needs no saying again. */
static int move_loaded_notes(struct find *find)
{
	struct imalog_notes *from = &find->loaded.notes;
	size_t kept = 0;

	for (size_t i = 0; i < from->nr; i++) {
		if (is_said(&find->merge->notes, &from->notes[i]))
			free(from->notes[i].text);
		else
			from->notes[kept++] = from->notes[i];
	}
	from->nr = kept;
	return imalog_notes_move(&find->merge->notes, from, find->error);
}

static int say_why_none(struct find *find)
{
	struct imalog_notes *notes = &find->merge->notes;
	int rc = move_loaded_notes(find);

	if (rc == 0 && find->search.best.explained)
		rc = say_foreign(find);
	if (rc == 0)
		rc = imalog_chain_say_gaps(find->merge, find->error);
	if (rc < 0 || imalog_notes_have(notes, IMALOG_MERGE_FOREIGN) ||
	    imalog_notes_have(notes, IMALOG_MERGE_EDITED) ||
	    imalog_notes_have(notes, IMALOG_MERGE_CUT) ||
	    imalog_notes_have(notes, IMALOG_MERGE_MISSING))
		return rc;
	return imalog_notes_add(notes, IMALOG_MERGE_MISSING, IMALOG_NOWHERE, find->error,
				"no order of the pieces leads to what is expected, and every "
				"record is intact in itself: records are missing, or were "
				"changed with their digests, or what is expected is of another "
				"moment or machine");
}

static int say_too_many(struct find *find, const char *what)
{
	int rc;

	find->merge->result = IMALOG_MERGE_TOO_MANY;
	rc = imalog_notes_add(&find->merge->notes, IMALOG_MERGE_OTHER, IMALOG_NOWHERE,
			      find->error, "there are too many possibilities: %s", what);
	return rc < 0 ? rc : imalog_chain_say_gaps(find->merge, find->error);
}

/* ---- all of it ---- */

static int conclude(struct find *find)
{
	struct imalog_merge *merge = find->merge;
	uint32_t doubtful = 0;
	int rc = 0;

	if (find->search.gave_up)
		return say_too_many(find, "the work to try all orders exceeds its limit");
	merge->result = IMALOG_MERGE_BROKEN;
	if (find->search.nr)
		rc = choose(find);
	if (rc < 0)
		return rc;
	/* Of which only some were looked at: one that leads there is not the only one. */
	if (find->search.more && merge->result != IMALOG_MERGE_AMBIGUOUS)
		return say_too_many(find, "too many orders lead to some of the values");
	for (size_t i = 0; i < find->search.nr; i++)
		doubtful |= find->search.found[i].doubtful;
	if (merge->result == IMALOG_MERGE_BROKEN)
		return say_why_none(find);
	/* What is wrong with records that others have, too, is in no pass. */
	rc = move_loaded_notes(find);
	if (rc < 0 || (merge->result != IMALOG_MERGE_PROVED &&
		       merge->result != IMALOG_MERGE_RECEIPTS))
		return rc;
	rc = doubtful ? say_doubtful(find, doubtful) : say_contained(find);
	if (imalog_notes_have(&merge->notes, IMALOG_MERGE_EDITED))
		merge->result = IMALOG_MERGE_BROKEN;
	return rc;
}

/* Nothing extends a PCR that is expected: in the order at hand, the replay says so. */
static int conclude_unextended(struct find *find, const size_t *heads, size_t nr)
{
	struct imalog_choice choice = { .nr = 1 };
	struct imalog_plan plan;
	int rc = imalog_plan_make(find->merge, heads, NULL, nr, &plan, find->error);

	choice.plans = &plan;
	if (rc == 0)
		rc = imalog_choose(find->merge, &choice, find->error);
	free(plan.parts);
	if (find->merge->result == IMALOG_MERGE_PROVED)
		find->merge->result = IMALOG_MERGE_UNCHECKED;
	return rc;
}

static int search(struct find *find, const size_t *heads, size_t nr)
{
	struct imalog_merge *merge = find->merge;
	int rc;

	merge->result = IMALOG_MERGE_BROKEN;
	if (find->loaded.broken) {
		merge->result = IMALOG_MERGE_MALFORMED;
		rc = imalog_notes_move(&merge->notes, &find->loaded.notes, find->error);
		return rc < 0 ? rc : imalog_chain_say_gaps(merge, find->error);
	}
	if (find->loaded.too_many)
		return say_too_many(find, "the pieces have too many records to hold in memory");
	if (find->loaded.contradicts)
		return imalog_notes_add(&merge->notes, IMALOG_MERGE_EDITED, IMALOG_NOWHERE,
					find->error,
					"pieces that have the same records by their receipts "
					"do not");
	if (!imalog_anchor_choose(&find->anchor))
		return conclude_unextended(find, heads, nr);
	rc = imalog_search(&find->anchor, &find->loaded, merge->work_max, &find->search,
			   find->error);
	return rc < 0 ? rc : conclude(find);
}

int imalog_merge_find(struct imalog_merge *merge, const size_t *heads, size_t nr,
		      struct imalog_error *error)
{
	struct find *find;
	int rc;

	find = calloc(1, sizeof(*find));
	if (!find)
		return imalog_fail_nomem(error);
	find->merge = merge;
	find->error = error;
	if (nr > IMALOG_LOOSE_MAX) {
		rc = say_too_many(find, "more than 8 pieces that no receipt joins");
		free(find);
		return rc;
	}
	rc = imalog_anchor_open(&find->anchor, merge, &find->loaded, error);
	if (rc == 0)
		rc = imalog_load(merge, heads, nr, &find->loaded, error);
	merge->misfit = rc == 0 ? find->loaded.misfit : IMALOG_NOWHERE;
	if (rc == 0 && merge->misfit == IMALOG_NOWHERE)
		rc = search(find, heads, nr);
	imalog_anchor_close(&find->anchor);
	imalog_loaded_free(&find->loaded);
	free(find);
	return rc;
}
