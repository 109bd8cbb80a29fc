// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What was left out of a plan because of equal bytes
 *
 * Up to the record where the anchor holds, it weighs: with the records twice, it would not hold.
 * Behind that, and of pieces that may all have come later once more, nothing tells.
 */
#include <inttypes.h>

#include "merge-engine.h"

struct doubt {
	struct imalog_merge *merge;
	uint64_t matched_at, records;
	struct imalog_error *error;
};

int imalog_piece_recurs(struct imalog_merge *merge, size_t piece, struct imalog_error *error)
{
	struct imalog_piece_reader reader;
	struct imalog_record *record;
	bool all = true;
	int rc = imalog_piece_read(merge, piece, 1, &reader, error);

	if (rc < 0)
		return rc;
	for (rc = 1; rc > 0 && all;) {
		rc = imalog_reader_next(reader.reader, &record, error);
		if (rc <= 0)
			break;
		all = imalog_record_recurs(record);
		imalog_reader_release(reader.reader, record->number);
	}
	imalog_piece_done(&reader);
	return rc < 0 ? rc : all;
}

/* Can all of a piece have come behind the record where the anchor holds?  1: it can */
static int may_be_later(struct doubt *doubt, size_t piece)
{
	if (doubt->matched_at < doubt->records)
		return 1;
	return imalog_piece_recurs(doubt->merge, piece, doubt->error);
}

/* ---- pieces that have the same bytes ---- */

static int say_twin(struct doubt *doubt, size_t piece)
{
	struct imalog_merge *merge = doubt->merge;
	char shown[IMALOG_PIECE_SHOWN];
	int rc = 0;

	if (merge->candidates.nr == 0)
		rc = imalog_plan_say(merge, &merge->plan, doubt->records, doubt->error);
	merge->result = IMALOG_MERGE_AMBIGUOUS;
	return rc < 0 ? rc :
			imalog_notes_add(&merge->candidates, IMALOG_MERGE_OTHER, IMALOG_NOWHERE,
					 doubt->error,
					 "the same, and %s later than what is expected",
					 imalog_piece_show(merge, piece, shown));
}

static int look_at_twins(struct doubt *doubt)
{
	const struct imalog_merge *merge = doubt->merge;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < merge->nr; i++) {
		if (!merge->items[i].left_out || merge->items[i].twin == IMALOG_NOWHERE)
			continue;
		rc = may_be_later(doubt, i);
		if (rc > 0)
			rc = say_twin(doubt, i);
	}
	return rc < 0 ? rc : 0;
}

/* ---- overlaps that receipts say ---- */

static int say_overlap(struct doubt *doubt, const struct imalog_part *part)
{
	char shown[IMALOG_PIECE_SHOWN];

	doubt->merge->result = IMALOG_MERGE_RECEIPTS;
	return imalog_notes_add(&doubt->merge->notes, IMALOG_MERGE_OTHER, part->piece,
				doubt->error,
				"what is expected holds after record %" PRIu64
				", and does not tell whether the first records of %s are "
				"those before them: they were left out by its receipt alone",
				doubt->matched_at,
				imalog_piece_show(doubt->merge, part->piece, shown));
}

static int say_later(struct doubt *doubt, const struct imalog_part *part)
{
	char shown[IMALOG_PIECE_SHOWN];

	return imalog_notes_add(&doubt->merge->notes, IMALOG_MERGE_OTHER, part->piece,
				doubt->error,
				"it is proved up to record %" PRIu64
				": %s is later, and only receipts say that it follows",
				doubt->matched_at,
				imalog_piece_show(doubt->merge, part->piece, shown));
}

/* Is it of this machine, whose order is known, and the record that follows it not too late? */
static bool is_followed(const struct doubt *doubt, size_t part, uint64_t before)
{
	const struct imalog_merge *merge = doubt->merge;
	const struct imalog_plan *plan = &merge->plan;

	for (size_t i = part + 1; i < plan->nr_parts; i++) {
		if (!merge->items[plan->parts[i - 1].piece].machine ||
		    !merge->items[plan->parts[i].piece].machine)
			return false;
		if (plan->parts[i].records)
			return before < doubt->matched_at;
	}
	return false;
}

/*
 * One that adds records is weighed if its first is not behind the anchor, and what is left out
 * ends with one of a PCR that is compared: to leave out less would have it twice.  One that adds
 * none is, if it cannot be later than the anchor.
 */
static int is_doubtful(struct doubt *doubt, size_t index, uint64_t before)
{
	const struct imalog_part *part = &doubt->merge->plan.parts[index];

	if (doubt->merge->items[part->piece].skip == 0)
		return 0;
	if (part->records)
		return before >= doubt->matched_at || !part->weighed;
	if (is_followed(doubt, index, before))
		return 0;
	return may_be_later(doubt, part->piece);
}

static int look_at_parts(struct doubt *doubt)
{
	const struct imalog_plan *plan = &doubt->merge->plan;
	const struct imalog_part *later = NULL;
	uint64_t before = 0;
	int rc;

	for (size_t i = 0; i < plan->nr_parts; i++) {
		const struct imalog_part *part = &plan->parts[i];

		rc = is_doubtful(doubt, i, before);
		if (rc)
			return rc < 0 ? rc : say_overlap(doubt, part);
		if (!later && before >= doubt->matched_at && part->records &&
		    doubt->merge->items[part->piece].receipt &&
		    !doubt->merge->items[part->piece].machine)
			later = part;
		before += part->records;
	}
	return later ? say_later(doubt, later) : 0;
}

int imalog_doubt_plan(struct imalog_merge *merge, const struct imalog_merge_pass *pass,
		      struct imalog_error *error)
{
	struct doubt doubt = { .merge = merge,
			       .matched_at = pass->matched_at,
			       .records = imalog_replay_records(merge->replay),
			       .error = error };
	int rc = look_at_parts(&doubt);

	return rc < 0 ? rc : look_at_twins(&doubt);
}
