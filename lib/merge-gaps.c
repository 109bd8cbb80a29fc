// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the receipts miss: segments without a piece, and pieces that may be such a segment but
 * are not what its receipt says
 */
#include <inttypes.h>
#include <stdio.h>

#include "merge-engine.h"

struct gaps {
	struct imalog_merge *merge;
	const struct imalog_receipt_set *set;
	uint64_t end;			   /* records up to here are there or were said to miss */
	const struct imalog_receipt *last; /* of the piece that reaches there, else NULL */
	size_t last_piece;
	uint64_t reach; /* the last record that a piece has */
	struct imalog_error *error;
};

/* ---- the place of a piece without a receipt ---- */

bool imalog_piece_is_loose(const struct imalog_merge *merge, size_t piece)
{
	const struct imalog_item *item = &merge->items[piece];

	return !item->left_out && !item->receipt && !item->follows;
}

bool imalog_entry_is_missing(const struct imalog_entry *entry)
{
	return entry->piece == IMALOG_NOWHERE &&
	       entry->receipt->state != IMALOG_RECEIPT_DROPPED;
}

/* How many records there are, as far as it can be read */
static uint64_t count_records(const struct imalog_merge *merge, size_t piece)
{
	struct imalog_piece_reader reader;
	struct imalog_record *record;
	uint64_t nr = 0;

	if (imalog_piece_read(merge, piece, 1, &reader, NULL) < 0)
		return 0;
	while (imalog_reader_next(reader.reader, &record, NULL) > 0)
		imalog_reader_release(reader.reader, ++nr);
	imalog_piece_done(&reader);
	return nr;
}

/*
 * The piece that stands where the segment should: the only one left, if it has no more records.
 * Names say nothing.
 */
static size_t find_stand_in(const struct imalog_merge *merge,
			    const struct imalog_receipt_set *set,
			    const struct imalog_receipt *receipt)
{
	size_t loose = 0, missing = 0, found = IMALOG_NOWHERE;

	for (size_t i = 0; i < merge->nr; i++) {
		if (!imalog_piece_is_loose(merge, i))
			continue;
		loose++;
		found = i;
	}
	for (size_t e = 0; e < set->nr; e++)
		missing += imalog_entry_is_missing(&set->entries[e]);
	if (loose != 1 || missing != 1 || count_records(merge, found) > receipt->records)
		return IMALOG_NOWHERE;
	return found;
}

static int say_stand_in(struct gaps *gaps, size_t piece, const struct imalog_receipt *receipt)
{
	uint64_t records = count_records(gaps->merge, piece);
	bool cut = records < receipt->records;
	char shown[IMALOG_PIECE_SHOWN];

	imalog_piece_show(gaps->merge, piece, shown);
	gaps->merge->items[piece].explained = true;
	if (records == receipt->records)
		return imalog_notes_add(&gaps->merge->notes, IMALOG_MERGE_EDITED, piece,
					gaps->error,
					"%s seems to be segment %" PRIu64
					" and has its %" PRIu64
					" records, but is not what its receipt says: it was "
					"changed",
					shown, receipt->segment, records);
	return imalog_notes_add(&gaps->merge->notes,
				cut ? IMALOG_MERGE_CUT : IMALOG_MERGE_EDITED, piece,
				gaps->error,
				"%s seems to be segment %" PRIu64 ", %s: it has %" PRIu64
				" whole records, its receipt says %" PRIu64,
				shown, receipt->segment, cut ? "cut" : "changed", records,
				receipt->records);
}

/* ---- what need not be there ---- */

/* Did the records lead to what is expected?  Then nothing behind them is asked for. */
static bool is_held(const struct imalog_merge *merge)
{
	return merge->anchored && (merge->result == IMALOG_MERGE_PROVED ||
				   merge->result == IMALOG_MERGE_RECEIPTS);
}

/* And if they began at given values, nothing before them */
static bool has_start(const struct imalog_merge *merge)
{
	return is_held(merge) && merge->replay &&
	       imalog_pcrs_count(imalog_replay_setup(merge->replay).start);
}

static void find_reach(struct gaps *gaps)
{
	uint64_t first = 0;

	for (size_t e = 0; e < gaps->set->nr; e++) {
		const struct imalog_receipt *receipt = gaps->set->entries[e].receipt;
		size_t piece = gaps->set->entries[e].piece;
		uint64_t end = receipt->first + receipt->records - 1;

		if (piece == IMALOG_NOWHERE || gaps->merge->items[piece].left_out)
			continue;
		if (first == 0)
			first = receipt->first;
		if (end > gaps->reach)
			gaps->reach = end;
	}
	if (first && has_start(gaps->merge))
		gaps->end = first - 1;
}

/* ---- gaps ---- */

static int say_segment(struct gaps *gaps, const struct imalog_receipt *receipt)
{
	uint64_t end = receipt->first + receipt->records - 1;
	size_t piece = find_stand_in(gaps->merge, gaps->set, receipt);

	if (end <= gaps->end)
		return 0;
	gaps->end = end;
	gaps->last = NULL;
	if (piece != IMALOG_NOWHERE)
		return say_stand_in(gaps, piece, receipt);
	if (is_held(gaps->merge) && receipt->first > gaps->reach)
		return imalog_notes_add(&gaps->merge->notes, IMALOG_MERGE_OTHER, IMALOG_NOWHERE,
					gaps->error,
					"segment %" PRIu64 ", records %" PRIu64 " to %" PRIu64
					", which is later, is not among the pieces",
					receipt->segment, receipt->first, end);
	return imalog_notes_add(&gaps->merge->notes, IMALOG_MERGE_MISSING, IMALOG_NOWHERE,
				gaps->error,
				"segment %" PRIu64 ", records %" PRIu64 " to %" PRIu64
				", is missing",
				receipt->segment, receipt->first, end);
}

static void to_hex(const uint8_t *data, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++)
		sprintf(out + 2 * i, "%02x", data[i]);
}

static int say_break(struct gaps *gaps, size_t piece, const struct imalog_receipt *receipt)
{
	char one[IMALOG_PIECE_SHOWN], other[IMALOG_PIECE_SHOWN], values[400] = "";
	char is[2 * IMALOG_DIGEST_MAX + 1], was[2 * IMALOG_DIGEST_MAX + 1];
	const struct imalog_state_value *before, *after;

	if (imalog_state_difference(&gaps->last->after, &receipt->before, &after, &before)) {
		size_t size = imalog_alg_size(after->alg);

		to_hex(after->values[IMALOG_PERBANK], size, was);
		to_hex(before->values[IMALOG_PERBANK], size, is);
		snprintf(values, sizeof(values),
			 ": PCR %u %s is %s after the first, the second begins at %s",
			 after->pcr, imalog_alg_name(after->alg), was, is);
	}
	return imalog_notes_add(&gaps->merge->notes, IMALOG_MERGE_MISSING, piece, gaps->error,
				"between %s and %s at least one record is missing%s",
				imalog_piece_show(gaps->merge, gaps->last_piece, one),
				imalog_piece_show(gaps->merge, piece, other), values);
}

static int say_records(struct gaps *gaps, size_t piece, const struct imalog_receipt *receipt)
{
	char shown[IMALOG_PIECE_SHOWN];

	return imalog_notes_add(&gaps->merge->notes, IMALOG_MERGE_MISSING, piece, gaps->error,
				"records %" PRIu64 " to %" PRIu64
				" are missing, before %s, and no receipt has them",
				gaps->end + 1, receipt->first - 1,
				imalog_piece_show(gaps->merge, piece, shown));
}

static int look_at(struct gaps *gaps, const struct imalog_entry *entry)
{
	const struct imalog_receipt *receipt = entry->receipt;
	uint64_t end = receipt->first + receipt->records - 1;
	int rc = 0;

	if (imalog_entry_is_missing(entry))
		return say_segment(gaps, receipt);
	if (entry->piece == IMALOG_NOWHERE || gaps->merge->items[entry->piece].left_out)
		return 0;
	/* What a plan has before it may be without receipts. */
	if (gaps->merge->items[entry->piece].follows)
		rc = 0;
	else if (receipt->first > gaps->end + 1)
		rc = say_records(gaps, entry->piece, receipt);
	else if (gaps->last && receipt->first == gaps->end + 1 &&
		 !imalog_state_agrees(&gaps->last->after, &receipt->before))
		rc = say_break(gaps, entry->piece, receipt);
	if (end <= gaps->end)
		return rc;
	gaps->end = end;
	gaps->last = receipt;
	gaps->last_piece = entry->piece;
	return rc;
}

/* Others have receipts, and there is none that could be this one's. */
static int say_foreign(struct imalog_merge *merge, struct imalog_error *error)
{
	char shown[IMALOG_PIECE_SHOWN];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < merge->nr; i++) {
		if (!imalog_piece_is_loose(merge, i) || merge->items[i].explained)
			continue;
		rc = imalog_notes_add(&merge->notes, IMALOG_MERGE_FOREIGN, i, error,
				      "no receipt has %s, and others have one: it is foreign, "
				      "was changed, or is later than all of them",
				      imalog_piece_show(merge, i, shown));
	}
	return rc;
}

int imalog_chain_say_gaps(struct imalog_merge *merge, struct imalog_error *error)
{
	bool matched = false;
	int rc = 0;

	for (size_t s = 0; rc == 0 && s < merge->nr_sets; s++) {
		struct gaps gaps = { .merge = merge, .set = &merge->sets[s], .error = error };

		if (merge->sets[s].matched == 0 ||
		    (merge->epoch && merge->sets[s].epoch != merge->epoch))
			continue;
		matched = true;
		find_reach(&gaps);
		for (size_t e = 0; rc == 0 && e < gaps.set->nr; e++)
			rc = look_at(&gaps, &gaps.set->entries[e]);
	}
	return rc == 0 && matched ? say_foreign(merge, error) : rc;
}

/* ---- behind a search ---- */

static bool is_of_log(const struct imalog_merge *merge, const struct imalog_receipt_set *set)
{
	return set->matched && (merge->epoch == 0 || set->epoch == merge->epoch);
}

/* Past segments that nobody has and that the one before them may have already */
static uint64_t pass_repeats(const struct imalog_merge *merge, uint64_t reached)
{
	for (size_t s = 0; s < merge->nr_sets; s++) {
		const struct imalog_receipt_set *set = &merge->sets[s];

		for (size_t e = 0; is_of_log(merge, set) && e < set->nr; e++) {
			const struct imalog_receipt *receipt = set->entries[e].receipt;

			if (imalog_entry_is_missing(&set->entries[e]) && receipt->may_repeat &&
			    receipt->first == reached + 1)
				reached += receipt->records;
		}
	}
	return reached;
}

/* The record before the first piece, where nothing before given values is asked for */
static uint64_t start_of_plan(const struct imalog_merge *merge)
{
	const struct imalog_receipt *receipt =
		merge->plan.nr_parts ? merge->items[merge->plan.parts[0].piece].receipt : NULL;

	return has_start(merge) && receipt ? receipt->first - 1 : 0;
}

/*
 * A segment that is no piece, and of which the numbers of the records do not say more: are the
 * values those before it and after it where it should be?  Then others have its records.
 */
static int say_unseen(struct imalog_merge *merge, const struct imalog_entry *entry,
		      struct imalog_error *error)
{
	const struct imalog_receipt *receipt = entry->receipt;
	bool begins = has_start(merge), covered = entry->held == 3 && !begins;
	bool later = !begins && receipt->first > imalog_replay_records(merge->replay);

	return imalog_notes_add(&merge->notes,
				covered || later ? IMALOG_MERGE_OTHER : IMALOG_MERGE_UNSEEN,
				IMALOG_NOWHERE, error,
				"segment %" PRIu64 ", records %" PRIu64 " to %" PRIu64 ", %s",
				receipt->segment, receipt->first,
				receipt->first + receipt->records - 1,
				later	? "which is later, is not among the pieces" :
				covered ? "is not among the pieces: by its values, pieces without "
					  "a receipt have its records" :
					  "is not among the pieces, unless one without a "
					  "receipt has its records");
}

static int say_all_unseen(struct imalog_merge *merge, struct imalog_error *error)
{
	uint64_t start = start_of_plan(merge);
	int rc = 0;

	for (size_t s = 0; s < merge->nr_sets; s++) {
		const struct imalog_receipt_set *set = &merge->sets[s];

		for (size_t e = 0; rc == 0 && is_of_log(merge, set) && e < set->nr; e++) {
			const struct imalog_entry *entry = &set->entries[e];

			if (imalog_entry_is_missing(entry) &&
			    entry->receipt->first + entry->receipt->records - 1 > start)
				rc = say_unseen(merge, entry, error);
		}
	}
	return rc;
}

int imalog_plan_say_gaps(struct imalog_merge *merge, struct imalog_error *error)
{
	uint64_t reached = 0, loose = 0;
	bool known = !has_start(merge);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < merge->plan.nr_parts; i++) {
		const struct imalog_part *part = &merge->plan.parts[i];
		const struct imalog_receipt *receipt = merge->items[part->piece].receipt;
		char shown[IMALOG_PIECE_SHOWN];
		uint64_t end;

		if (!receipt) {
			loose += part->records;
			continue;
		}
		reached = pass_repeats(merge, reached);
		if (known && receipt->first > reached + loose + 1)
			rc = imalog_notes_add(&merge->notes, IMALOG_MERGE_MISSING, part->piece,
					      error,
					      "by the receipts %" PRIu64
					      " records are missing before %s",
					      receipt->first - reached - loose - 1,
					      imalog_piece_show(merge, part->piece, shown));
		end = receipt->first + receipt->records - 1;
		reached = end > reached ? end : reached;
		known = true;
		loose = 0;
	}
	return rc < 0 ? rc : say_all_unseen(merge, error);
}
