// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which piece has which receipt
 *
 * By size, and where that is not enough by SHA-256.  A receipt that alone has the size of a
 * piece, which alone has it, too, is believed at first: the pass over the records tells.
 */
#include <inttypes.h>
#include <string.h>

#include "merge-engine.h"

/* ---- by size ---- */

/* How many receipts are of this size, and one of them */
static size_t count_receipts(const struct imalog_merge *merge, uint64_t bytes, size_t *set,
			     struct imalog_entry **entry)
{
	size_t nr = 0;

	for (size_t s = 0; s < merge->nr_sets; s++) {
		for (size_t i = 0; i < merge->sets[s].nr; i++) {
			if (merge->sets[s].entries[i].receipt->bytes != bytes)
				continue;
			*set = s;
			*entry = &merge->sets[s].entries[i];
			nr++;
		}
	}
	return nr;
}

static size_t count_pieces(const struct imalog_merge *merge, uint64_t bytes)
{
	size_t nr = 0;

	for (size_t i = 0; i < merge->nr; i++)
		nr += merge->items[i].bytes == bytes;
	return nr;
}

static void assign(struct imalog_merge *merge, size_t piece, size_t set,
		   struct imalog_entry *entry)
{
	entry->piece = piece;
	merge->items[piece].receipt = entry->receipt;
	merge->items[piece].set = set;
}

static int sum_piece(struct imalog_merge *merge, size_t piece, struct imalog_error *error)
{
	struct imalog_item *item = &merge->items[piece];
	struct imalog_piece_reader reader;
	uint64_t bytes;
	int rc;

	if (item->summed)
		return 0;
	rc = imalog_piece_read(merge, piece, 1, &reader, error);
	if (rc < 0)
		return rc;
	rc = imalog_source_sum(reader.source, &bytes, item->sha256, error);
	imalog_piece_done(&reader);
	item->summed = rc == 0;
	return rc;
}

static int match_by_size(struct imalog_merge *merge, struct imalog_error *error)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < merge->nr; i++) {
		struct imalog_entry *entry;
		size_t set, nr;

		if (merge->items[i].receipt || merge->items[i].refused)
			continue;
		nr = count_receipts(merge, merge->items[i].bytes, &set, &entry);
		if (nr == 1 && entry->piece == IMALOG_NOWHERE &&
		    count_pieces(merge, merge->items[i].bytes) == 1)
			assign(merge, i, set, entry);
		else if (nr)
			rc = sum_piece(merge, i, error);
	}
	return rc;
}

/* ---- by SHA-256 ---- */

static bool has_sum(const struct imalog_item *item, const struct imalog_receipt *receipt)
{
	return item->summed && item->bytes == receipt->bytes &&
	       memcmp(item->sha256, receipt->sha256, IMALOG_SHA256_SIZE) == 0;
}

static void match_set(struct imalog_merge *merge, size_t set)
{
	for (size_t e = 0; e < merge->sets[set].nr; e++) {
		struct imalog_entry *entry = &merge->sets[set].entries[e];

		for (size_t i = 0; i < merge->nr && entry->piece == IMALOG_NOWHERE; i++)
			if (!merge->items[i].receipt &&
			    has_sum(&merge->items[i], entry->receipt))
				assign(merge, i, set, entry);
	}
}

static size_t count_matched(const struct imalog_merge *merge, size_t set)
{
	size_t nr = 0;

	for (size_t i = 0; i < merge->nr; i++)
		nr += merge->items[i].set == set;
	return nr;
}

/* Equal segments may be in several epochs: those with the most pieces come first. */
static void match_by_sum(struct imalog_merge *merge)
{
	for (size_t s = 0; s < merge->nr_sets; s++)
		if (merge->sets[s].epoch == merge->epoch)
			match_set(merge, s);
	for (size_t most = merge->nr + 1; most-- > 0;)
		for (size_t s = 0; s < merge->nr_sets; s++)
			if (count_matched(merge, s) == most)
				match_set(merge, s);
}

/* ---- pieces that others make superfluous ---- */

/*
 * The piece of a receipt that has the bytes of this one, which got none.  Violations repeat:
 * bytes of nothing else say nothing.
 */
static size_t find_double(const struct imalog_merge *merge, size_t piece)
{
	for (size_t i = 0; i < merge->nr; i++) {
		const struct imalog_receipt *receipt = merge->items[i].receipt;

		if (i != piece && receipt && has_sum(&merge->items[piece], receipt) &&
		    receipt->violations < receipt->records)
			return i;
	}
	return IMALOG_NOWHERE;
}

/* Is there a piece of another receipt, and is it that, with all records of a dropped one? */
static int is_covered(struct imalog_merge *merge, const struct imalog_item *item,
		      struct imalog_error *error)
{
	const struct imalog_receipt_set *set = &merge->sets[item->set];
	const struct imalog_receipt *receipt = item->receipt;
	int rc = 0;

	for (size_t e = 0; rc == 0 && e < set->nr; e++) {
		const struct imalog_receipt *other = set->entries[e].receipt;
		size_t piece = set->entries[e].piece;

		if (piece == IMALOG_NOWHERE || other->state == IMALOG_RECEIPT_DROPPED ||
		    other->first > receipt->first ||
		    other->first + other->records < receipt->first + receipt->records)
			continue;
		rc = merge->items[piece].machine ? 0 : sum_piece(merge, piece, error);
		if (rc == 0)
			rc = merge->items[piece].machine || has_sum(&merge->items[piece], other);
	}
	return rc;
}

static int leave_out(struct imalog_merge *merge, size_t i, struct imalog_error *error)
{
	struct imalog_item *item = &merge->items[i];
	const struct imalog_receipt *receipt = item->receipt;
	char shown[IMALOG_PIECE_SHOWN];
	int rc;

	if (!receipt) {
		item->twin = find_double(merge, i);
		item->left_out = item->twin != IMALOG_NOWHERE;
		return 0;
	}
	imalog_piece_show(merge, i, shown);
	if (merge->epoch && merge->sets[item->set].epoch != merge->epoch) {
		item->left_out = true;
		return imalog_notes_add(&merge->notes, IMALOG_MERGE_OTHER_EPOCH, i, error,
					"%s is of epoch %" PRIu64 " and left out", shown,
					merge->sets[item->set].epoch);
	}
	rc = receipt->state == IMALOG_RECEIPT_DROPPED ? is_covered(merge, item, error) : 0;
	if (rc <= 0)
		return rc;
	item->left_out = true;
	return imalog_notes_add(&merge->notes, IMALOG_MERGE_DOUBLED, i, error,
				"%s is left out: by their receipts another segment has its "
				"records",
				shown);
}

/* ---- what size alone told ---- */

/* Would believing it leave out a piece, or decide between epochs, before anything is read? */
static bool is_decisive(const struct imalog_merge *merge, size_t piece, size_t sets)
{
	const struct imalog_item *item = &merge->items[piece];

	if (item->receipt->state == IMALOG_RECEIPT_DROPPED)
		return true;
	return merge->epoch ? merge->sets[item->set].epoch != merge->epoch : sets > 1;
}

static int check_piece(struct imalog_merge *merge, size_t piece, struct imalog_error *error)
{
	struct imalog_item *item = &merge->items[piece];
	int rc = sum_piece(merge, piece, error);

	if (rc < 0 || has_sum(item, item->receipt))
		return rc;
	imalog_receipts_refuse(merge, piece);
	return 1;
}

/* Of the machine's pieces it is known, and those in another form have other bytes. */
static bool is_believed(const struct imalog_item *item)
{
	return item->receipt && !item->summed && !item->machine && !item->other_form;
}

static int check_decisive(struct imalog_merge *merge, struct imalog_error *error)
{
	size_t sets = 0;
	int rc = 0;

	for (size_t s = 0; s < merge->nr_sets; s++) {
		merge->sets[s].matched = count_matched(merge, s);
		sets += merge->sets[s].matched > 0;
	}
	for (size_t i = 0; rc >= 0 && i < merge->nr; i++)
		if (is_believed(&merge->items[i]) && is_decisive(merge, i, sets))
			rc = check_piece(merge, i, error);
	return rc < 0 ? rc : 0;
}

int imalog_receipts_check(struct imalog_merge *merge, struct imalog_error *error)
{
	bool refused = false;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < merge->nr; i++) {
		if (!is_believed(&merge->items[i]))
			continue;
		rc = check_piece(merge, i, error);
		refused |= rc > 0;
	}
	return rc < 0 ? rc : refused;
}

/* ---- all of it ---- */

int imalog_receipts_match(struct imalog_merge *merge, struct imalog_error *error)
{
	int rc = merge->nr_sets ? match_by_size(merge, error) : 0;

	if (rc < 0)
		return rc;
	rc = check_decisive(merge, error);
	if (rc == 0)
		match_by_sum(merge);
	for (size_t i = 0; rc == 0 && i < merge->nr; i++)
		rc = leave_out(merge, i, error);
	for (size_t s = 0; s < merge->nr_sets; s++)
		merge->sets[s].matched = count_matched(merge, s);
	return rc;
}

void imalog_receipts_refuse(struct imalog_merge *merge, size_t piece)
{
	struct imalog_item *item = &merge->items[piece];
	struct imalog_receipt_set *set = &merge->sets[item->set];

	for (size_t e = 0; e < set->nr; e++)
		if (set->entries[e].piece == piece)
			set->entries[e].piece = IMALOG_NOWHERE;
	set->matched--;
	item->receipt = NULL;
	item->set = IMALOG_NOWHERE;
	item->refused = true;
	merge->joined = false;
	for (size_t s = 0; s < merge->nr_sets; s++)
		merge->joined |= merge->sets[s].matched > 0;
}
