// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which piece follows which, as the receipts have it
 *
 * A segment follows another when its first record is the next one and the PCR values before it
 * are those after the other.  When its first record is an earlier one, the two overlap; whether
 * they have the same records there, the pass over them tells.
 */
#include <inttypes.h>

#include "merge-engine.h"

/* Where the receipts have come to */
struct walk {
	struct imalog_merge *merge;
	size_t tail;			   /* the piece that was linked last */
	const struct imalog_receipt *last; /* the receipt that reaches furthest */
	uint64_t end;			   /* its last record */
};

/* ---- links ---- */

/* What is known from a plan stays; the rest is found anew. */
static void unlink_all(struct imalog_merge *merge)
{
	for (size_t i = 0; i < merge->nr; i++) {
		struct imalog_item *item = &merge->items[i];
		bool followed = i + 1 < merge->nr && merge->items[i + 1].follows;

		item->next = followed ? i + 1 : IMALOG_NOWHERE;
		item->repeats = 0;
		item->prev = item->follows ? i - 1 : IMALOG_NOWHERE;
		if (item->follows)
			continue;
		item->skip = 0;
	}
}

/* Does the segment begin where the others end, or before? */
static bool joins(const struct walk *walk, const struct imalog_receipt *receipt)
{
	if (!walk->last || receipt->first > walk->end + 1)
		return false;
	return receipt->first <= walk->end ||
	       imalog_state_agrees(&walk->last->after, &receipt->before);
}

static void link_piece(struct walk *walk, size_t piece, const struct imalog_receipt *receipt)
{
	struct imalog_item *items = walk->merge->items;
	struct imalog_item *item = &items[piece];

	if (item->prev == IMALOG_NOWHERE && items[walk->tail].next == IMALOG_NOWHERE) {
		item->prev = walk->tail;
		items[walk->tail].next = piece;
		/* May be more than it has, if it lies before the end of those before it. */
		item->skip = walk->end + 1 - receipt->first;
	}
	if (item->prev == walk->tail && item->skip == 0 &&
	    receipt->may_repeat == walk->last->segment &&
	    receipt->records >= walk->last->records)
		item->repeats = walk->last->records;
}

static void link_set(struct imalog_merge *merge, const struct imalog_receipt_set *set)
{
	struct walk walk = { .merge = merge, .tail = IMALOG_NOWHERE };

	for (size_t e = 0; e < set->nr; e++) {
		const struct imalog_receipt *receipt = set->entries[e].receipt;
		size_t piece = set->entries[e].piece;
		uint64_t end = receipt->first + receipt->records - 1;

		if (piece == IMALOG_NOWHERE || merge->items[piece].left_out)
			continue;
		if (joins(&walk, receipt))
			link_piece(&walk, piece, receipt);
		else
			walk.end = 0;
		walk.tail = piece;
		if (end < walk.end || (walk.last && walk.end == end))
			continue;
		walk.last = receipt;
		walk.end = end;
	}
}

void imalog_chain_pieces(struct imalog_merge *merge)
{
	unlink_all(merge);
	for (size_t s = 0; s < merge->nr_sets; s++)
		link_set(merge, &merge->sets[s]);
}

bool imalog_chain_split(struct imalog_merge *merge)
{
	bool any = false;

	for (size_t i = 0; i < merge->nr; i++) {
		struct imalog_item *item = &merge->items[i];

		if (item->repeats == 0)
			continue;
		merge->items[item->prev].next = IMALOG_NOWHERE;
		item->prev = IMALOG_NOWHERE;
		item->repeats = 0;
		any = true;
	}
	return any;
}

/* ---- chains ---- */

static bool is_head(const struct imalog_merge *merge, size_t piece)
{
	return !merge->items[piece].left_out && merge->items[piece].prev == IMALOG_NOWHERE;
}

/* Puts the heads that have receipts, which are the last @nr, in their order. */
static void sort_heads(const struct imalog_merge *merge, size_t *heads, size_t nr)
{
	for (size_t i = 1; i < nr; i++) {
		size_t head = heads[i], at = i;
		uint64_t first = merge->items[head].receipt->first;

		for (; at > 0 && merge->items[heads[at - 1]].receipt->first > first; at--)
			heads[at] = heads[at - 1];
		heads[at] = head;
	}
}

size_t imalog_chain_heads(const struct imalog_merge *merge, size_t *heads)
{
	size_t nr = 0, first = 0, before;

	while (first < merge->nr && !(is_head(merge, first) && merge->items[first].receipt))
		first++;
	for (size_t i = 0; i < first; i++)
		if (is_head(merge, i))
			heads[nr++] = i;
	before = nr;
	for (size_t i = first; i < merge->nr; i++)
		if (is_head(merge, i) && merge->items[i].receipt)
			heads[nr++] = i;
	sort_heads(merge, heads + before, nr - before);
	for (size_t i = first; i < merge->nr; i++)
		if (is_head(merge, i) && !merge->items[i].receipt)
			heads[nr++] = i;
	return nr;
}
