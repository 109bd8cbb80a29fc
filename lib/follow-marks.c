// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where records are in each list of a log that is followed
 *
 * Lists of other algorithms differ from the binary and the ascii list of SHA-1 by the size of
 * the digest alone, the same for each record.  So one mark tells for all of them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"

/* The first mark that is behind @bytes */
static size_t mark_behind(const struct imalog_follower *follower, uint64_t bytes)
{
	size_t low = 0, high = follower->nr_marks;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (follower->marks[middle].bytes <= bytes)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int imalog_follow_mark(struct imalog_follower *follower, const struct imalog_mark *mark,
		       struct imalog_error *error)
{
	size_t i = mark_behind(follower, mark->bytes);

	if (i > 0 && follower->marks[i - 1].bytes == mark->bytes)
		return 0;
	if (follower->nr_marks == follower->room_marks) {
		size_t room = 2 * follower->room_marks + 64;
		struct imalog_mark *grown =
			reallocarray(follower->marks, room, sizeof(*grown));

		if (!grown)
			return imalog_fail_nomem(error);
		follower->marks = grown;
		follower->room_marks = room;
	}
	memmove(follower->marks + i + 1, follower->marks + i,
		(follower->nr_marks - i) * sizeof(*follower->marks));
	follower->marks[i] = *mark;
	follower->nr_marks++;
	return 0;
}

void imalog_follow_drop_marks(struct imalog_follower *follower)
{
	follower->nr_marks = mark_behind(follower, follower->end.bytes);
}

bool imalog_mark_offset(const struct imalog_mark *mark, const struct imalog_shape *shape,
			uint64_t *ret)
{
	uint64_t more = imalog_alg_size(shape->alg) - imalog_alg_size(IMALOG_ALG_SHA1);

	if (shape->ascii && mark->ascii == IMALOG_ASCII_UNKNOWN)
		return false;
	*ret = shape->ascii ? mark->ascii + mark->records * 2 * more :
			      mark->bytes + mark->records * more;
	return true;
}

struct imalog_mark imalog_follow_find(const struct imalog_follower *follower,
				      const struct imalog_shape *shape, uint64_t offset)
{
	struct imalog_mark best = { 0, 0, 0 };
	size_t low = 0, high = follower->nr_marks;
	uint64_t at;

	/* Marks that are not known to such a list are the last ones. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (imalog_mark_offset(&follower->marks[middle], shape, &at) && at <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low > 0)
		best = follower->marks[low - 1];
	for (size_t i = 0; i < IMALOG_FOLLOW_RECENT; i++)
		if (follower->recent[i].bytes > best.bytes &&
		    imalog_mark_offset(&follower->recent[i], shape, &at) && at <= offset)
			best = follower->recent[i];
	return best;
}

void imalog_follow_remember(struct imalog_follower *follower, const struct imalog_mark *mark)
{
	follower->recent[follower->next_recent++ % IMALOG_FOLLOW_RECENT] = *mark;
}

int imalog_follow_check(const struct imalog_follower *follower, const struct imalog_mark *at,
			struct imalog_error *error)
{
	size_t i = mark_behind(follower, at->bytes);
	const struct imalog_mark *mark = i > 0 ? &follower->marks[i - 1] : NULL;

	if (!mark || mark->bytes != at->bytes ||
	    (mark->records == at->records &&
	     (mark->ascii == at->ascii || mark->ascii == IMALOG_ASCII_UNKNOWN ||
	      at->ascii == IMALOG_ASCII_UNKNOWN)))
		return 0;
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "behind byte %" PRIu64 " of the log come record %" PRIu64
			   " and not %" PRIu64 ", or other text, than receipts say: "
			   "'imalog store check' tells more",
			   at->bytes, at->records, mark->records);
}
