// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the receipts say of the log while its records go by: PCR values after some of them, and
 * records that two pieces have
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "merge-engine.h"

/* Values that a receipt says the log has after a record */
struct point {
	uint64_t record;
	size_t piece;
	const struct imalog_state *state;
	struct imalog_entry *missing; /* no piece has this receipt */
	unsigned int held;	      /* that has the values, then */
};

/* Records that a part has and those before it: theirs are summed when they go by. */
struct shared {
	uint64_t from, to;
	size_t part;
	struct imalog_stream *sum;
};

struct imalog_ledger {
	struct imalog_merge_pass *pass;
	struct imalog_content_hash content;
	struct point *points;
	size_t nr_points, next_point;
	struct shared *shared;
	size_t nr_shared, open; /* those before this one are through */
	struct imalog_stream *skipped; /* records that the part at hand leaves out */
};

/* ---- what is to come ---- */

static int compare_points(const void *a, const void *b)
{
	const struct point *one = a, *other = b;

	return one->record < other->record ? -1 : one->record > other->record;
}

static int compare_shared(const void *a, const void *b)
{
	const struct shared *one = a, *other = b;

	return one->from < other->from ? -1 : one->from > other->from;
}

static int add_shared(struct imalog_ledger *ledger, size_t part, uint64_t end,
		      struct imalog_error *error)
{
	const struct imalog_part *p = &ledger->pass->plan->parts[part];
	const struct imalog_item *item = &ledger->pass->merge->items[p->piece];
	struct shared *shared = &ledger->shared[ledger->nr_shared];

	*shared = (struct shared){ .from = end - p->skip + 1, .to = end, .part = part };
	if (item->receipt->records < p->skip)
		shared->to = shared->from + item->receipt->records - 1;
	ledger->nr_shared++;
	return imalog_sum_begin(&shared->sum, error);
}

/* As far as there are receipts: behind that, nobody knows the numbers of the records. */
static int look_ahead(struct imalog_ledger *ledger, struct imalog_error *error)
{
	const struct imalog_merge_pass *pass = ledger->pass;
	uint64_t end = 0;

	for (size_t i = 0; i < pass->plan->nr_parts; i++) {
		const struct imalog_part *part = &pass->plan->parts[i];
		const struct imalog_receipt *receipt = pass->merge->items[part->piece].receipt;
		uint64_t first, last;
		int rc = 0;

		if (!receipt || part->skip > end)
			return 0;
		first = end - part->skip;
		last = first + receipt->records;
		/* They do not count as the log does if its first records are not there. */
		if (receipt->first == first + 1) {
			ledger->points[ledger->nr_points++] =
				(struct point){ .record = first,
						.piece = part->piece,
						.state = &receipt->before };
			ledger->points[ledger->nr_points++] =
				(struct point){ .record = last,
						.piece = part->piece,
						.state = &receipt->after };
		}
		if (part->skip)
			rc = add_shared(ledger, i, end, error);
		if (rc < 0)
			return rc;
		end = last > end ? last : end;
	}
	return 0;
}

static size_t count_missing(const struct imalog_merge *merge)
{
	size_t nr = 0;

	for (size_t s = 0; s < merge->nr_sets; s++)
		for (size_t e = 0; e < merge->sets[s].nr; e++)
			nr += imalog_entry_is_missing(&merge->sets[s].entries[e]);
	return nr;
}

/* Segments that are no piece: pieces without a receipt may have their records. */
static void look_for_missing(struct imalog_ledger *ledger)
{
	const struct imalog_merge *merge = ledger->pass->merge;

	for (size_t s = 0; s < merge->nr_sets; s++) {
		for (size_t e = 0; e < merge->sets[s].nr; e++) {
			struct imalog_entry *entry = &merge->sets[s].entries[e];
			const struct imalog_receipt *receipt = entry->receipt;

			entry->held = 0;
			if (!imalog_entry_is_missing(entry))
				continue;
			ledger->points[ledger->nr_points++] =
				(struct point){ .record = receipt->first - 1,
						.state = &receipt->before,
						.missing = entry,
						.held = 1 };
			ledger->points[ledger->nr_points++] =
				(struct point){ .record = receipt->first + receipt->records - 1,
						.state = &receipt->after,
						.missing = entry,
						.held = 2 };
		}
	}
}

int imalog_ledger_open(struct imalog_merge_pass *pass, struct imalog_ledger **ret,
		       struct imalog_error *error)
{
	struct imalog_ledger *ledger = calloc(1, sizeof(*ledger));
	int rc;

	if (!ledger)
		return imalog_fail_nomem(error);
	*ret = ledger;
	ledger->pass = pass;
	ledger->points = calloc(2 * (pass->plan->nr_parts + count_missing(pass->merge)) + 1,
				sizeof(*ledger->points));
	ledger->shared = calloc(pass->plan->nr_parts + 1, sizeof(*ledger->shared));
	if (!ledger->points || !ledger->shared)
		return imalog_fail_nomem(error);
	rc = look_ahead(ledger, error);
	look_for_missing(ledger);
	if (ledger->nr_points)
		qsort(ledger->points, ledger->nr_points, sizeof(*ledger->points),
		      compare_points);
	if (ledger->nr_shared)
		qsort(ledger->shared, ledger->nr_shared, sizeof(*ledger->shared),
		      compare_shared);
	return rc;
}

void imalog_ledger_close(struct imalog_ledger **ptr)
{
	struct imalog_ledger *ledger = *ptr;

	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->nr_shared; i++)
		imalog_stream_free(&ledger->shared[i].sum);
	imalog_stream_free(&ledger->skipped);
	imalog_content_free(&ledger->content);
	free(ledger->points);
	free(ledger->shared);
	free(ledger);
	*ptr = NULL;
}

/* ---- values ---- */

static bool share_bank(const struct imalog_state *a, const struct imalog_state *b)
{
	for (size_t i = 0; i < a->nr; i++)
		for (size_t k = 0; k < b->nr; k++)
			if (a->values[i].alg == b->values[k].alg)
				return true;
	return a->nr == 0 && b->nr == 0;
}

/* Has the log the values that it would have with the segment? */
static void check_missing(const struct point *point, const struct imalog_state *now)
{
	if (share_bank(now, point->state) && imalog_state_agrees(now, point->state))
		point->missing->held |= point->held;
}

static int check_point(struct imalog_ledger *ledger, const struct point *point,
		       struct imalog_error *error)
{
	struct imalog_merge_pass *pass = ledger->pass;
	struct imalog_state now = { NULL, 0 };
	char shown[IMALOG_PIECE_SHOWN];
	int rc = imalog_state_take(&now, pass->replay, error);
	bool agrees = now.nr == 0 && point->record > 0; /* no bank is computed */

	if (rc == 0 && point->missing) {
		check_missing(point, &now);
		agrees = true;
	}
	agrees = agrees || imalog_state_agrees(&now, point->state);
	imalog_state_free(&now);
	if (rc < 0 || agrees || pass->misfit != IMALOG_NOWHERE || pass->contradicts)
		return rc;
	pass->misfit = point->piece;
	return imalog_notes_add(&pass->notes, IMALOG_MERGE_EDITED, point->piece, error,
				"%s: the PCR values after record %" PRIu64
				" are not those of its receipt",
				imalog_piece_show(pass->merge, point->piece, shown),
				point->record);
}

int imalog_ledger_values(struct imalog_ledger *ledger, uint64_t record,
			 struct imalog_error *error)
{
	int rc = 0;

	while (rc == 0 && ledger->next_point < ledger->nr_points &&
	       ledger->points[ledger->next_point].record <= record)
		rc = check_point(ledger, &ledger->points[ledger->next_point++], error);
	return rc;
}

/* ---- records ---- */

static int add_content(struct imalog_ledger *ledger, const struct imalog_record *record,
		       struct imalog_stream *sum, struct imalog_error *error)
{
	uint8_t content[IMALOG_SHA256_SIZE];
	int rc = imalog_content_of(&ledger->content, record, content, error);

	if (rc == 0)
		imalog_stream_add(sum, content, sizeof(content));
	return rc;
}

int imalog_ledger_record(struct imalog_ledger *ledger, const struct imalog_record *record,
			 uint64_t number, struct imalog_error *error)
{
	int rc = 0;

	while (ledger->open < ledger->nr_shared && ledger->shared[ledger->open].to < number)
		ledger->open++;
	for (size_t i = ledger->open; rc == 0 && i < ledger->nr_shared; i++) {
		const struct shared *shared = &ledger->shared[i];

		if (shared->from > number)
			break;
		if (number <= shared->to)
			rc = add_content(ledger, record, shared->sum, error);
	}
	return rc < 0 ? rc : imalog_ledger_values(ledger, number, error);
}

int imalog_ledger_skip(struct imalog_ledger *ledger, const struct imalog_record *record,
		       struct imalog_error *error)
{
	int rc = ledger->skipped ? 0 : imalog_sum_begin(&ledger->skipped, error);

	return rc < 0 ? rc : add_content(ledger, record, ledger->skipped, error);
}

static int compare(struct imalog_ledger *ledger, const struct shared *shared,
		   struct imalog_error *error)
{
	uint8_t is[IMALOG_SHA256_SIZE], was[IMALOG_SHA256_SIZE];
	struct imalog_merge_pass *pass = ledger->pass;
	size_t piece = pass->plan->parts[shared->part].piece;
	char shown[IMALOG_PIECE_SHOWN];
	int rc = imalog_stream_digest(ledger->skipped, is, error);

	if (rc == 0)
		rc = imalog_stream_digest(shared->sum, was, error);
	if (rc < 0 || memcmp(is, was, sizeof(is)) == 0)
		return rc;
	pass->contradicts = true;
	return imalog_notes_add(&pass->notes, IMALOG_MERGE_EDITED, piece, error,
				"%s should begin with records %" PRIu64 " to %" PRIu64
				" of the pieces before it, and has others",
				imalog_piece_show(pass->merge, piece, shown), shared->from,
				shared->to);
}

int imalog_ledger_compare(struct imalog_ledger *ledger, size_t part, struct imalog_error *error)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && ledger->skipped && i < ledger->nr_shared; i++)
		if (ledger->shared[i].part == part)
			rc = compare(ledger, &ledger->shared[i], error);
	imalog_stream_free(&ledger->skipped);
	return rc;
}
