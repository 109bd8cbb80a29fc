/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pieces of a log and how they make one log: what the merge and this machine's view share
 *
 * A piece is something that has records: a file, what is staged, the list.  A part is a piece
 * without its first records, which the parts before have already.  A plan is parts in order.
 */
#ifndef IMALOG_MERGE_H
#define IMALOG_MERGE_H

#include "store.h"

struct imalog_piece {
	char *name; /* for messages, as the user gave it: not fit for a terminal as it is */
	/*
	 * A descriptor that stands at the piece's first byte and is the caller's to close.  May
	 * be called several times, each after the last descriptor was closed: a thousand pieces
	 * do not need a thousand descriptors.  Returns 0 or a negative code.
	 */
	int (*open)(void *arg, size_t i, int *fd, struct imalog_error *error);
	void *arg; /* of open(), together with i; not the piece's */
	size_t i;
	enum imalog_part_kind kind;
	/*
	 * What is known of it for certain, as of a segment that lies beside its receipt in the
	 * store; NULL when it is to be looked for.  Not the piece's.
	 */
	const struct imalog_receipt *receipt;
	/*
	 * Does it follow the piece before it, although no receipt says so?  As the list follows
	 * what is staged.
	 */
	bool follows;
};

struct imalog_part {
	size_t piece;	  /* its index */
	uint64_t skip;	  /* so many of its records are in the parts before */
	uint64_t records; /* that are left: known once it was read */
	bool weighed;	  /* the last that is skipped extends a PCR that is compared */
};

/* What is in it belongs to whoever made it. */
struct imalog_plan {
	const struct imalog_piece *pieces;
	size_t nr_pieces;
	struct imalog_part *parts;
	size_t nr_parts;
};

#endif /* IMALOG_MERGE_H */
