// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Segments in another form: with other digests, in another byte order or format they have other
 * bytes, but lead from the same PCR values to the same
 */
#include "merge-engine.h"

/* Readings of pieces in all: what no values tell is searched. */
#define READINGS_MAX 64

/* Does the piece lead from the values before the segment to those after it? */
static int leads(struct imalog_merge *merge, size_t piece, const struct imalog_receipt *receipt,
		 struct imalog_error *error)
{
	const struct imalog_base base = { .state = receipt->before,
					  .records = receipt->first - 1 };
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_state after = { NULL, 0 };
	struct imalog_piece_reader reader = { .fd = -1 };
	int rc = replay ? imalog_base_prepare(&base, NULL, replay, error) :
			  imalog_fail_nomem(error);

	if (rc == 0)
		rc = imalog_piece_read(merge, piece, receipt->first, &reader, error);
	if (rc == 0)
		rc = imalog_replay_run(replay, reader.reader, error);
	if (rc == 0)
		rc = imalog_state_copy(&after, &receipt->before, error);
	if (rc == 0)
		rc = imalog_state_take(&after, replay, error);
	if (rc == 0)
		rc = imalog_replay_records(replay) == receipt->records && receipt->records &&
		     imalog_replay_problems(replay) == 0 &&
		     imalog_state_agrees(&after, &receipt->after);
	imalog_state_free(&after);
	imalog_piece_done(&reader);
	imalog_replay_free(&replay);
	/* What cannot be read to its end is told later. */
	return rc < 0 && rc > -IMALOG_ERR_INVALID ? 0 : rc;
}

static int try_piece(struct imalog_merge *merge, size_t piece, size_t *readings,
		     struct imalog_error *error)
{
	for (size_t s = 0; s < merge->nr_sets; s++) {
		struct imalog_receipt_set *set = &merge->sets[s];

		if (merge->epoch && set->epoch != merge->epoch)
			continue;
		for (size_t e = 0; e < set->nr && *readings < READINGS_MAX; e++) {
			int rc;

			if (!imalog_entry_is_missing(&set->entries[e]))
				continue;
			++*readings;
			rc = leads(merge, piece, set->entries[e].receipt, error);
			if (rc < 0)
				return rc;
			if (rc == 0)
				continue;
			set->entries[e].piece = piece;
			set->matched++;
			merge->items[piece].receipt = set->entries[e].receipt;
			merge->items[piece].set = s;
			merge->items[piece].other_form = true;
			merge->joined = true;
			return 1;
		}
	}
	return 0;
}

int imalog_receipts_match_values(struct imalog_merge *merge, struct imalog_error *error)
{
	size_t readings = 0;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < merge->nr; i++)
		if (imalog_piece_is_loose(merge, i) && !merge->items[i].refused)
			rc = try_piece(merge, i, &readings, error);
	return rc < 0 ? rc : 0;
}
