// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Segments that may have the records of the one before once more
 *
 * When an export was interrupted and nothing told whether the kernel had deleted, the list was
 * saved again, and both segments were committed.  What the TPM could not say then it may say
 * now, when more records lead to its values.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "view.h"

static bool is_part(const struct imalog_segment *segment)
{
	return segment->kind == IMALOG_SEGMENT_LOG || segment->kind == IMALOG_SEGMENT_PENDING;
}

/* Two pending ones are told apart with the lists (view-pending.c). */
static bool is_in_doubt(const struct imalog_view *view, size_t i, size_t before)
{
	const struct imalog_segment *segments = view->export->epoch->segments;
	const struct imalog_receipt *receipt = view->receipts[i], *other = view->receipts[before];

	return segments[before].kind == IMALOG_SEGMENT_LOG && receipt && other &&
	       receipt->may_repeat == other->segment && receipt->records >= other->records;
}

static void find_doubts(struct imalog_view *view)
{
	const struct imalog_epoch *epoch = view->export->epoch;
	size_t before = epoch->nr;

	for (size_t i = 0; i < epoch->nr; i++) {
		if (!is_part(&epoch->segments[i]))
			continue;
		if (before < epoch->nr && is_in_doubt(view, i, before)) {
			if (view->nr_doubts < IMALOG_VIEW_DOUBTS_MAX)
				view->doubts[view->nr_doubts] =
					(struct imalog_view_doubt){ i, before };
			view->nr_doubts++;
		}
		before = i;
	}
}

/* One that cannot be read helps nobody; `imalog store check` tells. */
int imalog_view_load_receipts(struct imalog_view *view, struct imalog_error *error)
{
	const struct imalog_epoch *epoch = view->export->epoch;

	if (!epoch)
		return 0;
	view->receipts = calloc(epoch->nr + 1, sizeof(*view->receipts));
	if (!view->receipts)
		return imalog_fail_nomem(error);
	view->nr_receipts = epoch->nr;
	for (size_t i = 0; i < epoch->nr; i++)
		if (is_part(&epoch->segments[i]) && epoch->segments[i].has_receipt &&
		    imalog_receipt_read(epoch->receipts, epoch->segments[i].number,
					&view->receipts[i], NULL, NULL) < 0)
			view->receipts[i] = NULL;
	find_doubts(view);
	return 0;
}

static bool takes_segment(const struct imalog_view *view, size_t i)
{
	const struct imalog_export *export = view->export;
	const struct imalog_segment *segment = &export->epoch->segments[i];

	for (size_t j = 0; j < export->nr_pending; j++)
		if (export->pending[j]->segment == segment->number)
			return view->takes[j];
	return segment->kind == IMALOG_SEGMENT_LOG;
}

bool imalog_view_takes(const struct imalog_view *view, size_t i, uint64_t *skip)
{
	bool takes = takes_segment(view, i);

	*skip = 0;
	for (size_t d = 0; d < view->nr_doubts && d < IMALOG_VIEW_DOUBTS_MAX; d++) {
		const struct imalog_view_doubt *doubt = &view->doubts[d];

		if (!(view->repeats >> d & 1))
			continue;
		if (doubt->of == i)
			*skip = view->receipts[doubt->before]->records;
		/* What the lists have instead of a segment, they have as a whole. */
		if (doubt->before == i && !takes_segment(view, doubt->of))
			takes = false;
	}
	return takes;
}

struct imalog_sequence_part *imalog_view_parts(const struct imalog_view *view, size_t *nr)
{
	const struct imalog_epoch *epoch = view->export->epoch;
	struct imalog_sequence_part *parts = calloc(epoch->nr + 1, sizeof(*parts));
	uint64_t skip;

	*nr = 0;
	for (size_t i = 0; parts && i < epoch->nr; i++)
		if (imalog_view_takes(view, i, &skip))
			parts[(*nr)++] = (struct imalog_sequence_part){
				epoch->segments[i].number, skip
			};
	return parts;
}

void imalog_view_say_doubts(struct imalog_view *view)
{
	for (size_t d = 0; d < view->nr_doubts && d < IMALOG_VIEW_DOUBTS_MAX; d++) {
		uint64_t of = view->receipts[view->doubts[d].of]->segment;
		uint64_t before = view->receipts[view->doubts[d].before]->segment;

		if (view->doubtful)
			imalog_export_say(view->export, IMALOG_NOTE_UNCHECKED,
					  "segment %" PRIu64 " begins with the bytes of segment "
					  "%" PRIu64 ", and nothing tells whether they are the "
					  "same records: both are taken",
					  of, before);
		else if (view->repeats >> d & 1)
			imalog_export_say(view->export, IMALOG_NOTE_INFO,
					  "the TPM's values prove that segment %" PRIu64
					  " begins with the records of segment %" PRIu64
					  ": they are taken once",
					  of, before);
	}
}
