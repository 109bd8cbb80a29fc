// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The TLV list of the IMA patches of 2018, which never became part of Linux: a reader, and a
 * writer of what was read
 *
 * A TLV is u8 type, u32 size, value; sizes and integers in the byte order of the machine.  A
 * record is four of them, in this order:
 *
 *	0	sequence number, 4 bytes
 *	1	PCR, 1 to 4 bytes
 *	2	one TLV: 4 SHA-1 or 8 SHA-256 (not the TPM's number), the digest
 *	7	content: TLVs 0 path, 1 digest of the file, 2 signature, 3 owner, 4 group,
 *		5 mode, 6 timestamp, 7 label
 *
 * The digest is that of the last of the four as it stands: type, size and value.  A digest of
 * zeros is a violation, for which ff..ff was extended.
 */
#include "cel.h"

enum {
	SEQUENCE,
	INDEX,
	DIGEST,
	CONTENT,
	PARTS
};

static const char *const part_names[PARTS] = { "sequence number", "PCR", "digest",
					       "content" };
static const uint8_t part_tags[PARTS] = { 0, 1, 2, 7 };

/* The one in which the first size is 4; auto when it is in neither. */
static enum imalog_order order_of(struct imalog_span start)
{
	for (enum imalog_order order = IMALOG_ORDER_LE; order <= IMALOG_ORDER_BE;
	     order++) {
		struct imalog_cursor cursor = imalog_cursor_over(start, order);
		uint64_t tag, size;

		if (imalog_cursor_uint(&cursor, 1, &tag) && tag == part_tags[SEQUENCE] &&
		    imalog_cursor_uint(&cursor, 4, &size) && size == 4)
			return order;
	}
	return IMALOG_ORDER_AUTO;
}

/* In big-endian order a record begins as one of CEL-TLV may: the third type tells. */
static bool sniff(struct imalog_span start)
{
	struct imalog_cursor cursor = imalog_cursor_over(start, order_of(start));

	for (int part = SEQUENCE; part <= DIGEST && cursor.order; part++) {
		struct imalog_span value;
		uint64_t tag, size;

		if (!imalog_cursor_uint(&cursor, 1, &tag))
			return part == DIGEST;
		if (tag != part_tags[part])
			return false;
		if (part == DIGEST)
			return true;
		if (!imalog_cursor_uint(&cursor, 4, &size) || size > 4 ||
		    !imalog_cursor_bytes(&cursor, (size_t)size, &value))
			return false;
	}
	return false;
}

static int start(struct imalog_reader *reader, struct imalog_error *error)
{
	enum imalog_order order = order_of(imalog_window_span(&reader->window));

	(void)error;
	reader->layout.order = reader->forced_order ? reader->forced_order :
			       order		    ? order :
						      IMALOG_ORDER_LE;
	return 0;
}

/* ---- reading ---- */

static int check_head(int part, uint64_t tag, uint64_t size, struct imalog_error *error)
{
	static const uint32_t limits[PARTS] = { 4, 4, IMALOG_TLV_HEAD + IMALOG_DIGEST_MAX,
						IMALOG_CEL_CONTENT_MAX };

	if (tag != part_tags[part])
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, part_names[part],
				   "type %u, %u is right", (unsigned int)tag,
				   part_tags[part]);
	if (part <= INDEX && (size == 0 || (part == SEQUENCE && size != 4)))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, part_names[part],
				   "%u bytes are no such number", (unsigned int)size);
	if (size > limits[part])
		return imalog_fail(
			error, part == CONTENT ? IMALOG_ERR_LIMIT : IMALOG_ERR_BAD_LENGTH,
			part_names[part], "%u bytes exceed the limit of %u",
			(unsigned int)size, limits[part]);
	return 0;
}

/*
 * The four values at the start of @bytes.  Returns 1 and *@size, 0 when *@size bytes are
 * needed to get on, for *@part; or a negative code.
 */
static int find_parts(struct imalog_span bytes, enum imalog_order order,
		      struct imalog_span values[PARTS], size_t *size, int *part,
		      struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(bytes, order);

	for (*part = 0; *part < PARTS; (*part)++) {
		size_t at = bytes.size - cursor.left;
		uint64_t tag, value_size;
		int rc;

		*size = at + IMALOG_TLV_HEAD;
		if (cursor.left < IMALOG_TLV_HEAD)
			return 0;
		imalog_cursor_uint(&cursor, 1, &tag);
		imalog_cursor_uint(&cursor, 4, &value_size);
		rc = check_head(*part, tag, value_size, error);
		if (rc < 0)
			return rc;
		*size += (size_t)value_size;
		if (!imalog_cursor_bytes(&cursor, (size_t)value_size, &values[*part]))
			return 0;
	}
	return 1;
}

static int parse_digest(struct imalog_record *record, struct imalog_span value,
			struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(value, record->order);
	struct imalog_span digest;
	enum imalog_alg alg;
	uint8_t type;
	int rc = imalog_tlv_next(&cursor, "digest", &type, &digest, error);

	if (rc < 0)
		return rc;
	if (cursor.left)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "digest",
				   "%zu bytes are left over behind it", cursor.left);
	if (type != 4 && type != 8)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digest",
				   "type %u, 4 (SHA-1) or 8 (SHA-256) are right", type);
	alg = type == 4 ? IMALOG_ALG_SHA1 : IMALOG_ALG_SHA256;
	return imalog_cel_add_digest(record, imalog_alg_tpm_id(alg), digest, error);
}

static int parse(struct imalog_record *record, const struct imalog_span values[PARTS],
		 struct imalog_error *error)
{
	uint64_t index;
	int rc;

	imalog_tlv_uint(values[SEQUENCE], record->order, &record->cel.recnum);
	record->cel.has_recnum = true;
	imalog_tlv_uint(values[INDEX], record->order, &index);
	record->content = IMALOG_CONTENT_TLV2018;
	record->cel.type = IMALOG_CEL_IMA_TLV;
	record->data = values[CONTENT];
	memcpy(record->cel.head, values[CONTENT].data - IMALOG_TLV_HEAD, IMALOG_TLV_HEAD);
	rc = imalog_cel_set_index(record, IMALOG_INDEX_PCR, index, error);
	if (rc == 0)
		rc = parse_digest(record, values[DIGEST], error);
	if (rc == 0)
		rc = imalog_cel_parse_ima_tlv(record, error);
	return rc < 0 ? rc : imalog_cel_finish(record, error);
}

static int next(struct imalog_reader *reader, struct imalog_record *record,
		struct imalog_error *error)
{
	struct imalog_span span, values[PARTS];
	size_t size = 0;
	int part, rc;

	for (;;) {
		span = imalog_window_span(&reader->window);
		rc = find_parts(span, reader->layout.order, values, &size, &part, error);
		if (rc != 0)
			break;
		rc = imalog_reader_need(reader, size, part_names[part], error);
		if (rc <= 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	imalog_cel_begin(record);
	record->order = reader->layout.order;
	record->raw = (struct imalog_span){ span.data, size };
	rc = parse(record, values, error);
	if (rc < 0)
		return rc;
	imalog_window_advance(&reader->window, size);
	return 1;
}

const struct imalog_format_ops imalog_tlv2018_ops = { IMALOG_FORMAT_TLV2018, sniff, start,
						      next };

int imalog_tlv2018_put(struct imalog_writer *writer, const struct imalog_record *record,
		       struct imalog_error *error)
{
	if (record->format != IMALOG_FORMAT_TLV2018)
		return imalog_fail(
			error, IMALOG_ERR_UNSUPPORTED, "content",
			"only what comes from a list of 2018 can be written as one");
	imalog_buffer_add_span(&writer->buffer, record->raw);
	return 0;
}
