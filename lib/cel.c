// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The TCG Canonical Event Log, whatever its encoding: what its records have
 *
 * Every kind of content is kept as the value of its TLV (cel-content.c), so that a record
 * that came as JSON or CBOR is the same as one that came as TLV.
 */
#include "cel.h"

/* ---- nested TLVs ---- */

int imalog_tlv_next(struct imalog_cursor *cursor, const char *field, uint8_t *type,
		    struct imalog_span *value, struct imalog_error *error)
{
	struct imalog_cursor rest = *cursor;
	uint64_t tag;
	uint32_t size;

	if (rest.left < IMALOG_TLV_HEAD)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, field,
				   "type and length need %d bytes, %zu are left",
				   IMALOG_TLV_HEAD, rest.left);
	imalog_cursor_uint(&rest, 1, &tag);
	imalog_cursor_u32(&rest, &size);
	if (!imalog_cursor_bytes(&rest, size, value))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, field,
				   "length %u of type %u exceeds %zu bytes left", size,
				   (unsigned int)tag, rest.left);
	*type = (uint8_t)tag;
	*cursor = rest;
	return 0;
}

bool imalog_tlv_uint(struct imalog_span value, enum imalog_order order, uint64_t *ret)
{
	struct imalog_cursor cursor = imalog_cursor_over(value, order);

	*ret = 0;
	return value.size == 0 || imalog_cursor_uint(&cursor, value.size, ret);
}

void imalog_tlv_add_head(struct imalog_buffer *out, uint8_t type, size_t size)
{
	uint8_t head[IMALOG_TLV_HEAD] = { type, (uint8_t)(size >> 24),
					  (uint8_t)(size >> 16), (uint8_t)(size >> 8),
					  (uint8_t)size };

	imalog_buffer_add(out, head, sizeof(head));
}

void imalog_tlv_add_uint(struct imalog_buffer *out, uint8_t type, uint64_t value,
			 size_t size)
{
	imalog_tlv_add_head(out, type, size);
	for (size_t i = size; i-- > 0;) {
		uint8_t byte = (uint8_t)(value >> (8 * i));

		imalog_buffer_add(out, &byte, 1);
	}
}

size_t imalog_uint_size(uint64_t value)
{
	size_t size = 1;

	while (size < 8 && value >> (8 * size))
		size++;
	return size;
}

/* ---- index and digests ---- */

void imalog_cel_begin(struct imalog_record *record)
{
	record->is_nv = false;
	record->violation = false;
	record->fit = IMALOG_FIT_UNKNOWN;
	record->order = IMALOG_ORDER_BE;
	record->hash_order = IMALOG_ORDER_AUTO;
	record->template_name = (struct imalog_span){ NULL, 0 };
	record->data = (struct imalog_span){ NULL, 0 };
	record->nr_digests = 0;
	record->digests[0] =
		(struct imalog_recorded_digest){ IMALOG_ALG_NONE, { NULL, 0 } };
	record->nr_fields = 0;
}

int imalog_cel_set_index(struct imalog_record *record, enum imalog_index kind,
			 uint64_t index, struct imalog_error *error)
{
	uint64_t max = kind == IMALOG_INDEX_PCR ? IMALOG_CEL_PCR_MAX : UINT32_MAX;

	if (index > max)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE,
				   kind == IMALOG_INDEX_PCR ? "PCR" : "index",
				   "number %llu exceeds the largest possible one, %llu",
				   (unsigned long long)index, (unsigned long long)max);
	record->index = (uint32_t)index;
	record->is_nv = kind != IMALOG_INDEX_PCR;
	record->cel.kind = kind;
	return 0;
}

int imalog_cel_add_digest(struct imalog_record *record, uint64_t tpm_id,
			  struct imalog_span digest, struct imalog_error *error)
{
	enum imalog_alg alg = tpm_id <= UINT16_MAX ?
				      imalog_alg_by_tpm_id((uint16_t)tpm_id) :
				      IMALOG_ALG_NONE;

	if (alg == IMALOG_ALG_NONE)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digests",
				   "hash algorithm 0x%llx is not known",
				   (unsigned long long)tpm_id);
	if (digest.size != imalog_alg_size(alg))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "digests",
				   "%zu bytes are no digest of %s, which has %zu",
				   digest.size, imalog_alg_name(alg),
				   imalog_alg_size(alg));
	for (size_t i = 0; i < record->nr_digests; i++)
		if (record->digests[i].alg == alg)
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digests",
					   "there are two of %s", imalog_alg_name(alg));
	record->digests[record->nr_digests++] =
		(struct imalog_recorded_digest){ alg, digest };
	return 0;
}

/* ---- content ---- */

int imalog_cel_set_template(struct imalog_reader *reader, struct imalog_record *record,
			    struct imalog_span name, struct imalog_span data,
			    struct imalog_error *error)
{
	enum imalog_order usual = reader->layout.order;

	if (name.size == 0 || name.size > IMALOG_NAME_MAX)
		return imalog_fail(error,
				   name.size ? IMALOG_ERR_LIMIT : IMALOG_ERR_BAD_VALUE,
				   "template name", "%zu bytes, 1 to %d are possible",
				   name.size, IMALOG_NAME_MAX);
	if (data.size > IMALOG_DATA_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "template data",
				   "%zu bytes exceed the limit of %u", data.size,
				   IMALOG_DATA_MAX);
	record->content = IMALOG_CONTENT_TEMPLATE;
	record->cel.type = IMALOG_CEL_IMA_TEMPLATE;
	record->template_name = name;
	record->data = data;
	/*
	 * Nothing says the byte order of template data: it is the one in which the
	 * lengths of the fields add up, and that of the record before when both do.
	 */
	record->order = usual;
	if (imalog_record_parse_data(record, reader->templates, NULL) == 0)
		return 0;
	record->order = imalog_other_order(usual);
	if (imalog_record_parse_data(record, reader->templates, NULL) == 0) {
		reader->layout.order = record->order;
		return 0;
	}
	record->order = usual;
	return imalog_record_parse_data(record, reader->templates, error);
}

int imalog_cel_parse_ima_tlv(struct imalog_record *record, struct imalog_error *error)
{
	static const enum imalog_field_id ids[] = {
		IMALOG_FIELD_N,		IMALOG_FIELD_D,	    IMALOG_FIELD_SIG,
		IMALOG_FIELD_IUID,	IMALOG_FIELD_IGID,  IMALOG_FIELD_IMODE,
		IMALOG_FIELD_TIMESTAMP, IMALOG_FIELD_LABEL,
	};
	struct imalog_cursor cursor = imalog_cursor_over(record->data, record->order);
	unsigned int seen = 0;

	while (cursor.left) {
		struct imalog_span value;
		uint8_t type;
		int rc = imalog_tlv_next(&cursor, "content", &type, &value, error);

		if (rc < 0)
			return rc;
		/* What is not known is hashed like all else, and not shown. */
		if (type >= IMALOG_ARRAY_SIZE(ids))
			continue;
		/* Of two paths nobody could say which one was measured. */
		if (seen >> type & 1)
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "content",
					   "type %u is there twice", type);
		seen |= 1u << type;
		record->fields[record->nr_fields++] =
			(struct imalog_field){ ids[type], value };
	}
	return 0;
}

bool imalog_all_ones(struct imalog_span span)
{
	for (size_t i = 0; i < span.size; i++)
		if (span.data[i] != 0xff)
			return false;
	return true;
}

int imalog_cel_finish(struct imalog_record *record, struct imalog_error *error)
{
	/* Only a record that extends nothing may name a PCR that there is not. */
	if (imalog_record_extends_pcr(record) && record->index > IMALOG_PCR_MAX)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "PCR",
				   "number %u exceeds the largest possible one, %d",
				   record->index, IMALOG_PCR_MAX);
	/* What is extended for a violation, or the digest that the kernel's list has for it */
	record->violation = imalog_record_is_checked(record) && record->nr_digests;
	for (size_t i = 0; i < record->nr_digests; i++)
		record->violation &= imalog_all_zero(record->digests[i].span) ||
				     imalog_all_ones(record->digests[i].span);
	return 0;
}

int imalog_cel_keep(struct imalog_reader *reader, struct imalog_span bytes,
		    struct imalog_span *ret, struct imalog_error *error)
{
	uint8_t *to = imalog_arena_room(&reader->rebuilt, bytes.size);

	if (!to)
		return imalog_fail_nomem(error);
	if (bytes.size)
		memcpy(to, bytes.data, bytes.size);
	imalog_arena_take(&reader->rebuilt, bytes.size);
	*ret = (struct imalog_span){ to, bytes.size };
	return 0;
}

/* ---- text ---- */

/* How many bytes follow a first byte, and the smallest code point that needs them. */
static int utf8_follow(uint8_t first, uint32_t *least)
{
	*least = first < 0xe0 ? 0x80 : first < 0xf0 ? 0x800 : 0x10000;
	if (first >= 0xc2 && first <= 0xdf)
		return 1;
	if (first >= 0xe0 && first <= 0xef)
		return 2;
	return first >= 0xf0 && first <= 0xf4 ? 3 : -1;
}

bool imalog_utf8_is_valid(struct imalog_span text)
{
	for (size_t i = 0; i < text.size; i++) {
		uint32_t least, point = text.data[i];
		int follow;

		if (point == 0)
			return false;
		if (point < 0x80)
			continue;
		follow = utf8_follow(text.data[i], &least);
		point &= 0x3fu >> (follow > 0 ? follow : 0);
		for (;
		     follow > 0 && i + 1 < text.size && (text.data[i + 1] & 0xc0) == 0x80;
		     follow--)
			point = point << 6 | (text.data[++i] & 0x3fu);
		if (follow != 0 || point < least || point > 0x10ffff ||
		    (point >= 0xd800 && point <= 0xdfff))
			return false;
	}
	return true;
}
