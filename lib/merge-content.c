// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What makes two records the same, in lists of whatever digest size and byte order: all that a
 * record says but its digest, with integers in little-endian order
 */
#include <string.h>

#include "merge-engine.h"

struct header {
	uint32_t index;
	uint8_t is_nv, violation, content, name_size;
	uint8_t name[IMALOG_NAME_MAX + 1]; /* one more, so that nothing is padded */
};

int imalog_content_of(struct imalog_content_hash *content, const struct imalog_record *record,
		      uint8_t out[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	struct header header = { .index = record->index,
				 .is_nv = record->is_nv,
				 .violation = record->violation,
				 .content = (uint8_t)record->content,
				 .name_size = (uint8_t)record->template_name.size };
	struct imalog_hash_job job = { .nr_spans = 2 };

	memcpy(header.name, record->template_name.data, record->template_name.size);
	job.spans[0] = (struct imalog_span){ (const uint8_t *)&header, sizeof(header) };
	job.spans[1] = record->data;
	if (record->content == IMALOG_CONTENT_DIGEST_ONLY)
		job.spans[1] = record->raw;
	else if (record->order == IMALOG_ORDER_BE && record->nr_fields) {
		content->swapped.size = 0;
		imalog_buffer_add(&content->swapped, record->data.data, record->data.size);
		if (content->swapped.failed)
			return imalog_fail_nomem(error);
		if (record->data.size)
			imalog_template_swap(record, content->swapped.data);
		job.spans[1].data = content->swapped.data;
	}
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
	imalog_buffer_free(&content->swapped);
}
