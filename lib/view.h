/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of this machine's view share. */
#ifndef IMALOG_VIEW_H
#define IMALOG_VIEW_H

#include "export.h"
#include "merge.h"

/* In copies[], as the world's open_list() has it */
enum { IMALOG_VIEW_LIST, IMALOG_VIEW_STAGED, IMALOG_VIEW_LISTS };

/* That many are decided: each doubles the logs that are possible. */
#define IMALOG_VIEW_DOUBTS_MAX 4

struct imalog_view {
	struct imalog_export *export; /* which only looks */
	bool list_only;
	int copies[IMALOG_VIEW_LISTS];
	enum imalog_belongs belongs;
	/* Pending segments that are part of the log and not in the kernel, by their index */
	bool takes[IMALOG_PENDING_MAX];
	bool doubtful; /* so that some of them may be there twice */
	bool loose;    /* and it is not known which of them the lists follow */
	/* Of the epoch's segments, NULL where none can be read */
	struct imalog_receipt **receipts;
	size_t nr_receipts;
	/* Segments that begin with the bytes of the one before, by their index */
	struct imalog_view_doubt {
		size_t of, before;
	} doubts[IMALOG_VIEW_DOUBTS_MAX];
	size_t nr_doubts; /* may be more: then nothing is decided */
	uint32_t repeats; /* a set bit for each that has the same records, too */
	struct imalog_plan plan;
	struct imalog_piece *pieces;
};

/* Forgets what was seen, but not what the TPM said. */
void imalog_view_forget(struct imalog_view *view);
/* Looks at store and lists at one moment. */
int imalog_view_look(struct imalog_view *view, struct imalog_error *error);

/* ---- view-lists.c ---- */

/* Copies what can go; the rest is only looked for. */
int imalog_view_copy_lists(struct imalog_view *view, struct imalog_error *error);
/* And a list that was only looked for */
int imalog_view_copy_rest(struct imalog_view *view, struct imalog_error *error);
uint64_t imalog_view_staged_bytes(const struct imalog_view *view);
/* Does what the kernel has begin with these bytes?  1, 0, or negative */
int imalog_view_begins_with(const struct imalog_view *view, uint64_t size,
			    const uint8_t sha256[IMALOG_SHA256_SIZE],
			    struct imalog_error *error);

/* ---- view-doubts.c ---- */

/* Reads the receipts, and finds what was never decided when they were written. */
int imalog_view_load_receipts(struct imalog_view *view, struct imalog_error *error);
/* Is a segment part of the log, as far as is known?  @skip: without so many of its records */
bool imalog_view_takes(const struct imalog_view *view, size_t i, uint64_t *skip);
/* All segments that are part of it, to be freed; NULL when memory ran out */
struct imalog_sequence_part *imalog_view_parts(const struct imalog_view *view, size_t *nr);
void imalog_view_say_doubts(struct imalog_view *view);

/* ---- view-pending.c ---- */

/* Finds out with the TPM's help what is part of the log, where files do not tell. */
int imalog_view_decide(struct imalog_view *view, struct imalog_error *error);
bool imalog_view_is_of_epoch(const struct imalog_view *view);

#endif /* IMALOG_VIEW_H */
