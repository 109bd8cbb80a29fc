// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where the records of a merge go: their own bytes as long as all are of one form, else a list
 * with digests of SHA-1.  TLV lists have records of any form.
 */
#include "merge-engine.h"

static bool is_list(enum imalog_format format)
{
	return format == IMALOG_FORMAT_AUTO || format == IMALOG_FORMAT_KERNEL ||
	       format == IMALOG_FORMAT_ASCII;
}

/* How the list is written that the record is from */
static bool is_of_form(const struct imalog_output *output, const struct imalog_record *record)
{
	return !is_list(output->merge->to) ||
	       (record->format == output->format && record->order == output->order &&
		record->digests[0].span.size == output->digest_size);
}

static void take_form(struct imalog_output *output, const struct imalog_record *record)
{
	output->format = record->format;
	output->order = record->order;
	output->digest_size = record->digests[0].span.size;
	/* Records in TLVs have the digests that they have, each its own. */
	output->merge->mixed |= is_list(output->merge->to) && !is_list(record->format);
	output->copies = !output->merge->mixed && record->format == IMALOG_FORMAT_KERNEL &&
			 output->merge->to == IMALOG_FORMAT_KERNEL &&
			 output->merge->to_order != IMALOG_ORDER_BE;
}

static int make_writer(struct imalog_output *output, struct imalog_error *error)
{
	struct imalog_merge *merge = output->merge;

	output->writer = imalog_writer_new(merge->to, merge->to_order, merge->write,
					   merge->write_arg);
	if (!output->writer)
		return imalog_fail_nomem(error);
	if (merge->sequence)
		imalog_writer_set_sequence(output->writer);
	output->counts = merge->to == IMALOG_FORMAT_CEL_CBOR && !merge->sequence &&
			 !merge->counted;
	if (output->counts)
		merge->count = 0;
	imalog_writer_set_count(output->writer, merge->count);
	return merge->mixed ?
		       imalog_writer_set_digest(output->writer, IMALOG_ALG_SHA1, error) :
		       0;
}

int imalog_output_put(struct imalog_output *output, const struct imalog_record *record,
		      struct imalog_error *error)
{
	struct imalog_merge *merge = output->merge;
	int rc = 0, os_errno;

	if (!merge->write || output->stopped)
		return 0;
	if (!output->writer) {
		take_form(output, record);
		rc = make_writer(output, error);
	}
	if (rc < 0)
		return rc;
	if (output->counts) {
		merge->count++;
		return 0;
	}
	if (!merge->mixed && !is_of_form(output, record)) {
		output->stopped = true;
		return 0;
	}
	if (!output->copies)
		return imalog_writer_put(output->writer, record, error);
	os_errno = merge->write(merge->write_arg, record->raw.data, record->raw.size);
	return os_errno ? imalog_fail_errno(error, os_errno, "cannot write") : 0;
}

int imalog_output_finish(struct imalog_output *output, struct imalog_error *error)
{
	struct imalog_merge *merge = output->merge;
	int rc = 0;

	if (!merge->write || output->stopped)
		return 0;
	if (!output->writer)
		rc = make_writer(output, error);
	if (rc < 0)
		return rc;
	output->stopped = output->counts;
	merge->counted |= output->counts;
	return output->counts ? 0 : imalog_writer_finish(output->writer, error);
}

void imalog_output_end(struct imalog_output *output)
{
	imalog_writer_free(&output->writer);
}
