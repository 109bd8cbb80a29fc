// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What makes two records the same, in lists of whatever digest size and byte order: all that a
 * record says but its digest, with integers in little-endian order
 */
#include <string.h>

#include "merge-engine.h"

struct header {
	uint32_t index;
	uint8_t index_kind, unmeasured, violation, content, content_type, name_size;
	uint8_t name[IMALOG_NAME_MAX + 3]; /* more, so that nothing is padded */
};

/*
 * Where nothing tells what a digest covers, PCRs are extended with whatever it is: all of them
 * are part of what the record says.
 */
static int add_digests(struct imalog_buffer *out, const struct imalog_record *record,
		       struct imalog_error *error)
{
	out->size = 0;
	for (size_t i = 0; i < record->nr_digests; i++) {
		uint8_t alg = (uint8_t)record->digests[i].alg;

		imalog_buffer_add(out, &alg, sizeof(alg));
		imalog_buffer_add_span(out, record->digests[i].span);
	}
	return out->failed ? imalog_fail_nomem(error) : 0;
}

static int swap_data(struct imalog_buffer *out, const struct imalog_record *record,
		     struct imalog_error *error)
{
	out->size = 0;
	imalog_buffer_add_span(out, record->data);
	if (out->failed)
		return imalog_fail_nomem(error);
	if (record->data.size)
		imalog_template_swap(record, out->data);
	return 0;
}

int imalog_content_of(struct imalog_content_hash *content, const struct imalog_record *record,
		      uint8_t out[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	struct header header = { .index = record->index,
				 .index_kind = (uint8_t)imalog_record_index(record),
				 .unmeasured = record->cel.unmeasured,
				 .violation = record->violation,
				 .content = (uint8_t)record->content,
				 .content_type = imalog_record_content_type(record),
				 .name_size = (uint8_t)record->template_name.size };
	struct imalog_hash_job job = { .nr_spans = 2 };
	int rc = 0;

	if (record->template_name.size)
		memcpy(header.name, record->template_name.data, record->template_name.size);
	job.spans[0] = (struct imalog_span){ (const uint8_t *)&header, sizeof(header) };
	job.spans[1] = record->data;
	if (record->content == IMALOG_CONTENT_DIGEST_ONLY)
		job.spans[1] = record->raw;
	else if (!imalog_record_is_checked(record)) {
		rc = add_digests(&content->buffer, record, error);
		job.spans[job.nr_spans++] =
			(struct imalog_span){ content->buffer.data, content->buffer.size };
	} else if (record->content == IMALOG_CONTENT_TEMPLATE &&
		   record->order == IMALOG_ORDER_BE && record->nr_fields) {
		rc = swap_data(&content->buffer, record, error);
		job.spans[1].data = content->buffer.data;
	}
	if (rc < 0)
		return rc;
	if (!content->hasher)
		content->hasher = imalog_hasher_new();
	if (!content->hasher)
		return imalog_fail_nomem(error);
	return imalog_hash_one(content->hasher, IMALOG_ALG_SHA256, &job, out, error);
}

bool imalog_record_recurs(const struct imalog_record *record)
{
	return record->violation || imalog_record_is_boot_aggregate(record);
}

void imalog_content_free(struct imalog_content_hash *content)
{
	imalog_hasher_free(&content->hasher);
	imalog_buffer_free(&content->buffer);
}
