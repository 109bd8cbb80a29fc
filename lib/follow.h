/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of a log that is followed share. */
#ifndef IMALOG_FOLLOW_H
#define IMALOG_FOLLOW_H

#include "view.h"

/* A place between two records: what is before it, in the binary and in the ascii list. */
struct imalog_mark {
	uint64_t records, bytes;
	uint64_t ascii; /* or IMALOG_ASCII_UNKNOWN */
};

#define IMALOG_ASCII_UNKNOWN UINT64_MAX
/* Between two marks that are kept, in records */
#define IMALOG_MARK_SPACE 4096

/* A segment of the store, or what is left of it without records that come before */
struct imalog_follow_piece {
	uint64_t segment, skip;
	uint64_t skip_bytes; /* of these records */
	struct imalog_mark start;
	uint64_t bytes;
};

#define IMALOG_FOLLOW_RECENT 64

struct imalog_follower {
	struct imalog_view *view;

	/* The log as it is known: what was once in it stays so. */
	uint64_t log; /* 0: nothing is known yet */
	uint64_t epoch;
	char boot_id[40];
	struct imalog_follow_piece *pieces;
	size_t nr_pieces;
	struct imalog_mark settled; /* the end of the pieces */
	/* What is behind them, at its offset in the log: no more of it is in memory */
	int memory;
	struct imalog_mark end;
	bool doubtful; /* what follows is not decided */

	/* By bytes, the first at 0; those of pieces are among them */
	struct imalog_mark *marks;
	size_t nr_marks, room_marks;
	/* Where the last reads stopped, of any list */
	struct imalog_mark recent[IMALOG_FOLLOW_RECENT];
	size_t next_recent;

	/* What the last look found; valid: the next one may be short */
	struct {
		bool valid;
		bool staged;	/* something is, with this digest */
		uint8_t sha256[IMALOG_SHA256_SIZE];
		uint64_t start; /* of the list in the log */
		uint64_t epoch; /* the current one of the store, 0: none */
		struct imalog_segment *segments;
		size_t nr;
	} last;

	bool has_layout;
	struct imalog_layout layout;
	uint8_t *buffer; /* of a walk */
	size_t room;
	struct imalog_writer *writers[2][IMALOG_ALG_COUNT][2]; /* by shape */
	struct imalog_buffer text;			       /* that they wrote */
};

/* ---- follow-walk.c: over records, wherever their bytes are ---- */

struct imalog_walk {
	/* Bytes from this offset of the log on: how many, 0 at the end, or negative */
	int (*read)(void *arg, uint64_t at, uint8_t *to, size_t size,
		    struct imalog_error *error);
	/* 0; 1: that was the last one; or negative.  @at: behind the record but for ascii */
	int (*put)(void *arg, const struct imalog_record *record, struct imalog_mark *at,
		   struct imalog_error *error);
	void *arg;
	uint64_t end; /* of the log */
};

/* From @at, which goes along, to the end */
int imalog_follow_walk(struct imalog_follower *follower, const struct imalog_walk *walk,
		       struct imalog_mark *at, struct imalog_error *error);
/* The same over a file, counting; without its first bytes, or from the log's memory */
struct imalog_follow_scan {
	int fd;
	uint64_t start; /* offset in the log of the file's first byte */
	uint64_t end;	/* of the log */
	uint64_t stop;	/* behind this record; 0: at the end */
	bool marks;
};

int imalog_follow_scan(struct imalog_follower *follower, const struct imalog_follow_scan *scan,
		       struct imalog_mark *at, struct imalog_error *error);
/* A record as text or bytes in follower->text */
int imalog_follow_write(struct imalog_follower *follower, const struct imalog_shape *shape,
			const struct imalog_record *record, struct imalog_error *error);

/* ---- follow-marks.c ---- */

int imalog_follow_mark(struct imalog_follower *follower, const struct imalog_mark *mark,
		       struct imalog_error *error);
/* Forgets those behind the end, of records that did not become part of the log. */
void imalog_follow_drop_marks(struct imalog_follower *follower);
/* Where a place is in a list of this shape; false when that is not known */
bool imalog_mark_offset(const struct imalog_mark *mark, const struct imalog_shape *shape,
			uint64_t *ret);
/* The last known place that is not behind @offset of such a list */
struct imalog_mark imalog_follow_find(const struct imalog_follower *follower,
				      const struct imalog_shape *shape, uint64_t offset);
void imalog_follow_remember(struct imalog_follower *follower, const struct imalog_mark *mark);
/* Is a place where it should be, if it is one that a receipt tells?  0, or negative */
int imalog_follow_check(const struct imalog_follower *follower, const struct imalog_mark *at,
			struct imalog_error *error);

/* ---- follow-read.c ---- */

/* Bytes of the binary list: how many, 0 at its end, or negative */
int imalog_follow_bytes(struct imalog_follower *follower, uint64_t at, uint8_t *to,
			size_t size, struct imalog_error *error);
/* All of @size bytes of an open file, or an error */
int imalog_follow_pread(int fd, uint64_t at, uint8_t *to, size_t size,
			struct imalog_error *error);

/* ---- follow-found.c ---- */

/* What may still be somewhere else later: pending segments, what is staged, and the list */
struct imalog_follow_tail {
	int fd;
	bool opened;
	uint64_t from, size; /* bytes of the file */
	uint64_t start;	     /* in the log */
};

#define IMALOG_FOLLOW_TAILS (IMALOG_PENDING_MAX + IMALOG_VIEW_LISTS)

/* What is there now */
struct imalog_found {
	uint64_t epoch;
	bool moved; /* it is another boot */
	bool stops; /* behind these nothing is decided */
	struct imalog_follow_piece *pieces;
	size_t nr;
	struct imalog_mark end; /* of the pieces */
	struct imalog_follow_tail tails[IMALOG_FOLLOW_TAILS];
	size_t nr_tails;
	uint64_t list_start, size;
};

/* Lists what the view has.  Some of it is open until it is closed. */
int imalog_found_list(struct imalog_follower *follower, struct imalog_found *found,
		      struct imalog_error *error);
/* Is it the log that is known, perhaps with more?  1, 0, or negative */
int imalog_found_compare(struct imalog_follower *follower, struct imalog_found *found,
			 struct imalog_error *error);
void imalog_found_close(struct imalog_found *found);

/* ---- follow-take.c ---- */

/* Looks at the whole machine; 1 when there is more, or it is another log, 0, or negative */
int imalog_follow_take(struct imalog_follower *follower, struct imalog_error *error);
/* Adds bytes to what is in memory, not yet to the log. */
int imalog_follow_keep(struct imalog_follower *follower, uint64_t at, struct imalog_span bytes,
		       struct imalog_error *error);
/* From here on, the records up to @end are part of the log. */
int imalog_follow_extend(struct imalog_follower *follower, struct imalog_mark from,
			 uint64_t end, struct imalog_error *error);
void imalog_follow_forget(struct imalog_follower *follower);

/* ---- follow-peek.c ---- */

/* Looks at the end of the list alone; as above, or 2: that does not do */
int imalog_follow_peek(struct imalog_follower *follower, struct imalog_error *error);
/* Remembers what the store and the lists are like now, under their locks or right after. */
int imalog_follow_note(struct imalog_follower *follower, uint64_t list_start,
		       struct imalog_error *error);

#endif /* IMALOG_FOLLOW_H */
