// SPDX-License-Identifier: LGPL-2.1-or-later
/* Plans of a merge: made of chains of pieces, and put into words. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge-engine.h"

/* Pieces that are named of a plan, from either end */
#define NAMED 4

/* ---- making ---- */

static void add_chain(struct imalog_merge *merge, size_t head, uint64_t border,
		      struct imalog_plan *plan)
{
	for (size_t i = head; i != IMALOG_NOWHERE; i = merge->items[i].next) {
		const struct imalog_item *item = &merge->items[i];
		uint64_t own = item->records > item->skip ? item->records - item->skip : 0;
		uint64_t take = border < own ? border : own;

		plan->parts[plan->nr_parts++] =
			(struct imalog_part){ .piece = i, .skip = item->skip + take };
		border -= take;
	}
}

int imalog_plan_make(struct imalog_merge *merge, const size_t *heads, const uint64_t *borders,
		     size_t nr, struct imalog_plan *ret, struct imalog_error *error)
{
	*ret = (struct imalog_plan){ .pieces = merge->pieces, .nr_pieces = merge->nr };
	ret->parts = calloc(merge->nr + 1, sizeof(*ret->parts));
	if (!ret->parts)
		return imalog_fail_nomem(error);
	for (size_t i = 0; i < nr; i++)
		add_chain(merge, heads[i], borders ? borders[i] : 0, ret);
	return 0;
}

void imalog_plan_forget(struct imalog_merge *merge)
{
	free(merge->plan.parts);
	merge->plan = (struct imalog_plan){ .parts = NULL };
	imalog_quote_match_free(&merge->match);
	imalog_replay_free(&merge->replay);
}

int imalog_plan_take(struct imalog_merge *merge, struct imalog_plan *plan,
		     struct imalog_merge_pass *pass, struct imalog_error *error)
{
	imalog_plan_forget(merge);
	merge->plan = *plan;
	*plan = (struct imalog_plan){ .parts = NULL };
	merge->replay = pass->replay;
	merge->match = pass->match;
	pass->replay = NULL;
	pass->match = NULL;
	return imalog_notes_move(&merge->notes, &pass->notes, error);
}

/* ---- saying ---- */

int imalog_plan_say(struct imalog_merge *merge, const struct imalog_plan *plan,
		    uint64_t records, struct imalog_error *error)
{
	char text[(2 * NAMED + 1) * (IMALOG_PIECE_SHOWN + 48)] = "";
	size_t used = 0;

	for (size_t i = 0; i < plan->nr_parts; i++) {
		const struct imalog_part *part = &plan->parts[i];
		char shown[IMALOG_PIECE_SHOWN], skip[48] = "";

		if (i == NAMED && plan->nr_parts > 2 * NAMED) {
			i = plan->nr_parts - NAMED;
			used += (size_t)snprintf(text + used, sizeof(text) - used, ", ...");
			continue;
		}
		if (part->skip)
			snprintf(skip, sizeof(skip), " without its first %" PRIu64,
				 part->skip);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s",
					 i ? ", " : "",
					 imalog_piece_show(merge, part->piece, shown), skip);
	}
	return imalog_notes_add(&merge->candidates, IMALOG_MERGE_OTHER, IMALOG_NOWHERE, error,
				"%" PRIu64 " records: %s", records, text);
}

static int say_overlap(struct imalog_merge *merge, const struct imalog_part *part,
		       struct imalog_error *error)
{
	char shown[IMALOG_PIECE_SHOWN];

	imalog_piece_show(merge, part->piece, shown);
	if (part->records == 0)
		return imalog_notes_add(&merge->notes, IMALOG_MERGE_DOUBLED, part->piece, error,
					"%s has no record that the pieces before it lack",
					shown);
	return imalog_notes_add(&merge->notes, IMALOG_MERGE_OVERLAPS, part->piece, error,
				part->skip == 1 ?
					"the first %" PRIu64
					" record of %s is the last of the pieces before it" :
					"the first %" PRIu64
					" records of %s are the last of the pieces before it",
				part->skip, shown);
}

/* Pieces that are no part of the plan, since others have all that they have */
static int say_doubles(struct imalog_merge *merge, struct imalog_error *error)
{
	char shown[IMALOG_PIECE_SHOWN], other[IMALOG_PIECE_SHOWN];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < merge->nr; i++) {
		const struct imalog_item *item = &merge->items[i];

		if (item->left_out && item->twin != IMALOG_NOWHERE)
			rc = imalog_notes_add(&merge->notes, IMALOG_MERGE_DOUBLED, i, error,
					      "%s has the same bytes as %s: one of them suffices",
					      imalog_piece_show(merge, i, shown),
					      imalog_piece_show(merge, item->twin, other));
	}
	return rc;
}

int imalog_plan_notes(struct imalog_merge *merge, struct imalog_error *error)
{
	const struct imalog_plan *plan = &merge->plan;
	bool reordered = false;
	int rc = say_doubles(merge, error);

	for (size_t i = 0; rc == 0 && i < plan->nr_parts; i++) {
		reordered |= i && plan->parts[i].piece < plan->parts[i - 1].piece;
		if (plan->parts[i].skip)
			rc = say_overlap(merge, &plan->parts[i], error);
	}
	if (rc < 0 || !reordered)
		return rc;
	return imalog_notes_add(&merge->notes, IMALOG_MERGE_REORDERED, IMALOG_NOWHERE, error,
				"the pieces were given in another order");
}
