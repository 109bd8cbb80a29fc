// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The numbers that a log gives its records, which no digest covers: a number that is not more
 * than the one before it tells of records that were moved, doubled or put together.
 */
#include <inttypes.h>

#include "recnum.h"

void recnum_look(struct recnums *recnums, const struct log *log,
		 const struct imalog_record *record)
{
	enum imalog_index kind = imalog_record_index(record);
	uint32_t index = imalog_record_pcr(record);
	uint64_t recnum;
	size_t i = 0;

	if (recnums->file != log->current)
		recnums->nr = 0;
	recnums->file = log->current;
	if (!imalog_record_recnum(record, &recnum))
		return;
	while (i < recnums->nr &&
	       (recnums->last[i].kind != kind || recnums->last[i].index != index))
		i++;
	if (i == RECNUM_INDEXES_MAX)
		return;
	if (i == recnums->nr) {
		recnums->nr++;
	} else if (recnum <= recnums->last[i].recnum) {
		if (recnums->decreases++ == 0)
			recnums->first = imalog_record_number(record);
	}
	recnums->last[i].kind = kind;
	recnums->last[i].index = index;
	recnums->last[i].recnum = recnum;
}

void recnum_complain(const struct recnums *recnums)
{
	if (recnums->decreases == 1)
		complain("note: the number that the log gives record %" PRIu64
			 " is not more than the one before it",
			 recnums->first);
	else if (recnums->decreases)
		complain("note: the numbers that the log gives %" PRIu64
			 " records, record %" PRIu64
			 " first, are not more than those before them",
			 recnums->decreases, recnums->first);
}
