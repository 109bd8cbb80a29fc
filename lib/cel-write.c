// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a record is in the Canonical Event Log: its number, its digests, its type of content
 *
 * Digests are those that were extended (CEL v1.0, 4.2.4), so that a violation has ff..ff
 * where the kernel's list has zeros.  Numbers count the records of an index from 0
 * (4.2.2).
 */
#include <stdlib.h>

#include "cel.h"

/* Indexes that are not PCRs are few; one that the numbers of a log are short of is rare. */
#define COUNTERS_MAX 4096

/* ---- how it is to be written ---- */

void imalog_writer_set_int_width(struct imalog_writer *writer,
				 enum imalog_int_width width)
{
	writer->int_width = width;
}

void imalog_writer_set_sequence(struct imalog_writer *writer)
{
	writer->sequence = true;
}

void imalog_writer_set_count(struct imalog_writer *writer, uint64_t records)
{
	writer->count = records;
	writer->has_count = true;
}

void imalog_writer_set_force(struct imalog_writer *writer)
{
	writer->force = true;
}

uint64_t imalog_writer_renumbered(const struct imalog_writer *writer)
{
	return writer->renumbered;
}

/* ---- record numbers ---- */

static struct imalog_counter *find_counter(struct imalog_writer *writer,
					   enum imalog_index kind, uint32_t index)
{
	for (size_t i = 0; i < writer->nr_counters; i++)
		if (writer->counters[i].kind == kind &&
		    writer->counters[i].index == index)
			return &writer->counters[i];
	return NULL;
}

static int need_counter(struct imalog_writer *writer, enum imalog_index kind,
			uint32_t index, struct imalog_counter **ret,
			struct imalog_error *error)
{
	struct imalog_counter *all;

	*ret = find_counter(writer, kind, index);
	if (*ret)
		return 0;
	if (writer->nr_counters == COUNTERS_MAX)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "recnum",
				   "the log extends more than %d indexes", COUNTERS_MAX);
	all = reallocarray(writer->counters, writer->nr_counters + 1, sizeof(*all));
	if (!all)
		return imalog_fail_nomem(error);
	writer->counters = all;
	*ret = &all[writer->nr_counters++];
	**ret = (struct imalog_counter){ kind, index, 0 };
	return 0;
}

/* Kept as it was read, unless records of another log were written before and had it
 * already. */
static int choose_recnum(struct imalog_writer *writer, const struct imalog_record *record,
			 uint64_t *ret, struct imalog_error *error)
{
	struct imalog_counter *counter;
	int rc = need_counter(writer, imalog_record_index(record), record->index,
			      &counter, error);

	if (rc < 0)
		return rc;
	*ret = counter->next;
	if (record->cel.has_recnum && record->cel.recnum >= counter->next)
		*ret = record->cel.recnum;
	return 0;
}

void imalog_cel_wrote(struct imalog_writer *writer, const struct imalog_record *record,
		      const struct imalog_cel_view *view)
{
	struct imalog_counter *counter =
		find_counter(writer, imalog_record_index(record), record->index);

	writer->renumbered += record->cel.has_recnum && record->cel.recnum != view->recnum;
	counter->next = view->recnum == UINT64_MAX ? UINT64_MAX : view->recnum + 1;
}

/* ---- digests ---- */

static int view_digests(const struct imalog_record *record, struct imalog_cel_view *view,
			struct imalog_error *error)
{
	static const uint8_t ones[IMALOG_DIGEST_MAX] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	};
	bool looks_violated = record->nr_digests && imalog_record_is_checked(record);

	view->nr_digests = record->nr_digests;
	for (size_t i = 0; i < record->nr_digests; i++) {
		enum imalog_alg alg = record->digests[i].alg;
		struct imalog_span span = record->digests[i].span;

		if (alg == IMALOG_ALG_NONE || span.size != imalog_alg_size(alg))
			return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "digests",
					   "the algorithm of one is not known");
		looks_violated &= imalog_all_ones(span) || imalog_all_zero(span);
		if (record->violation)
			span.data = ones;
		view->digests[i].alg = alg;
		view->digests[i].span = span;
	}
	/* A bad digest of a kernel's list: here it would say another thing. */
	if (looks_violated && !record->violation)
		return imalog_fail(
			error, IMALOG_ERR_UNSUPPORTED, "digests",
			"a digest of ff..ff is that of a violation, which this is not");
	return 0;
}

/* ---- content ---- */

static int view_type(const struct imalog_writer *writer,
		     const struct imalog_record *record, struct imalog_cel_view *view,
		     struct imalog_error *error)
{
	view->type = imalog_record_content_type(record);
	if (record->content == IMALOG_CONTENT_DIGEST_ONLY)
		return imalog_fail(
			error, IMALOG_ERR_UNSUPPORTED, "template data",
			"the fields of an ascii line's template are not known");
	if (record->format == IMALOG_FORMAT_ASCII && record->fit == IMALOG_FIT_NO)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template data",
				   "the ascii line does not hash to its digest");
	if (record->content != IMALOG_CONTENT_TLV2018)
		return 0;
	if (!writer->force || writer->format != IMALOG_FORMAT_CEL_TLV)
		return imalog_fail(
			error, IMALOG_ERR_UNSUPPORTED, "content",
			"a digest of the 2018 list is of no content that %s has",
			imalog_format_name(writer->format));
	view->type = IMALOG_CEL_TLV2018;
	return 0;
}

int imalog_cel_view(struct imalog_writer *writer, const struct imalog_record *record,
		    struct imalog_cel_view *ret, struct imalog_error *error)
{
	int rc = view_type(writer, record, ret, error);

	if (rc == 0)
		rc = view_digests(record, ret, error);
	if (rc < 0)
		return rc;
	if (record->cel.incomplete)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "digests",
				   "there are some of algorithms that are not known");
	if (record->index > IMALOG_CEL_PCR_MAX && !record->is_nv)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "PCR",
				   "number %u exceeds the largest possible one, %u",
				   record->index, IMALOG_CEL_PCR_MAX);
	return choose_recnum(writer, record, &ret->recnum, error);
}
