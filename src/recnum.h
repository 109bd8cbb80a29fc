/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers that a log gives its records: do they go up? */
#ifndef IMALOG_RECNUM_H
#define IMALOG_RECNUM_H

#include "cli.h"

/* Indexes (PCRs, NV indexes, RTMRs) of which the last number is kept; a log has few. */
#define RECNUM_INDEXES_MAX 128

struct recnums {
	size_t file; /* numbers begin anew in each */
	size_t nr;
	struct {
		enum imalog_index kind;
		uint32_t index;
		uint64_t recnum;
	} last[RECNUM_INDEXES_MAX];
	uint64_t decreases; /* records whose number is no more than the last of their index */
	uint64_t first;	    /* the first of them */
};

void recnum_look(struct recnums *recnums, const struct log *log,
		 const struct imalog_record *record);
/* Says on standard error that there are such records, if there are. */
void recnum_complain(const struct recnums *recnums);

#endif /* IMALOG_RECNUM_H */
