// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Canonical Event Log, TLV encoding: reader and writer
 *
 * CEL v1.0 and v1.1, section 5.1; all integers are big-endian.  A TLV is u8 type, u32 size,
 * value.  A record is four of them, in this order, with nothing before or between records:
 *
 *	0			record number, 1 to 8 bytes
 *	1 | 2 | 108		PCR | NV index | RTMR, 1 to 8 bytes
 *	3			for each digest: u8 TPM_ALG_ID, u32 size, digest
 *	4 5 7 8 9, or other	content (cel-content.c)
 */
#include "cel.h"

/* A record's TLVs */
enum {
	RECNUM,
	INDEX,
	DIGESTS,
	CONTENT,
	PARTS
};

static const char *const part_names[PARTS] = { "recnum", "index", "digests", "content" };

/* No more than each algorithm has one digest */
#define DIGESTS_MAX (IMALOG_RECORD_DIGESTS * (IMALOG_TLV_HEAD + IMALOG_DIGEST_MAX))

static bool is_index_tag(uint64_t tag)
{
	return tag == IMALOG_INDEX_PCR || tag == IMALOG_INDEX_NV ||
	       tag == IMALOG_INDEX_RTMR;
}

/* Type and size of one of the TLVs: can they be those? */
static int check_head(int part, uint64_t tag, uint64_t size, struct imalog_error *error)
{
	static const uint32_t limits[PARTS] = { 8, 8, DIGESTS_MAX,
						IMALOG_CEL_CONTENT_MAX };
	const char *name = part_names[part];

	if ((part == RECNUM && tag != IMALOG_CEL_RECNUM) ||
	    (part == INDEX && !is_index_tag(tag)) ||
	    (part == DIGESTS && tag != IMALOG_CEL_DIGESTS) ||
	    (part == CONTENT && tag <= IMALOG_CEL_DIGESTS))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, name,
				   "type %u cannot be here", (unsigned int)tag);
	if (size == 0 && part <= INDEX)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, name,
				   "a number of 0 bytes");
	if (size > limits[part])
		return imalog_fail(
			error, part == CONTENT ? IMALOG_ERR_LIMIT : IMALOG_ERR_BAD_LENGTH,
			name, "%u bytes exceed the limit of %u", (unsigned int)size,
			limits[part]);
	return 0;
}

static bool sniff(struct imalog_span start)
{
	struct imalog_cursor cursor = imalog_cursor_over(start, IMALOG_ORDER_BE);

	for (int part = RECNUM; part <= DIGESTS; part++) {
		struct imalog_span value;
		uint64_t tag, size;

		/* What is cut within a record that began as one is cut, not something
		 * else. */
		if (!imalog_cursor_uint(&cursor, 1, &tag) ||
		    !imalog_cursor_uint(&cursor, 4, &size))
			return part > INDEX;
		if (check_head(part, tag, size, NULL) < 0)
			return false;
		if (!imalog_cursor_bytes(&cursor, (size_t)size, &value))
			return part >= INDEX;
	}
	return true;
}

/*
 * Records of TLV lists begin as a kernel list of PCR 0 does.  When the first record can
 * be read as one of that list, too, of a template that there is, somebody has to say what
 * it is.
 */
bool imalog_tlv_is_kernel_too(const struct imalog_reader *reader,
			      struct imalog_span start)
{
	static const size_t sizes[] = { 20, 32, 48, 64 };

	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(sizes); i++) {
		struct imalog_layout layout = { i % 2 ? IMALOG_ORDER_BE : IMALOG_ORDER_LE,
						sizes[i / 2], IMALOG_ALG_NONE, false };
		struct imalog_record record = { .template_name = { NULL, 0 } };
		struct imalog_template adhoc;
		const char *part;
		size_t size;

		imalog_kernel_parse(start, &layout, reader->templates, &record, &size,
				    &part, NULL);
		if (record.template_name.size &&
		    imalog_templates_find(reader->templates, record.template_name,
					  &adhoc))
			return true;
	}
	return false;
}

static int start(struct imalog_reader *reader, struct imalog_error *error)
{
	(void)error;
	reader->layout.order = reader->forced_order ? reader->forced_order :
						      IMALOG_ORDER_LE;
	return 0;
}

/* ---- reading ---- */

/* The TLVs of the record at the start of the window, which may move meanwhile. */
struct parts {
	size_t size; /* of all */
	struct {
		uint8_t tag;
		size_t at, size;
	} part[PARTS];
};

static int find_parts(struct imalog_reader *reader, struct parts *parts,
		      struct imalog_error *error)
{
	parts->size = 0;
	for (int i = 0; i < PARTS; i++) {
		struct imalog_span span;
		struct imalog_cursor cursor;
		uint64_t tag = 0, size = 0;
		int rc = imalog_reader_need(reader, parts->size + IMALOG_TLV_HEAD,
					    part_names[i], error);

		if (rc <= 0)
			return rc;
		span = imalog_window_span(&reader->window);
		cursor = imalog_cursor_over(
			(struct imalog_span){ span.data + parts->size,
					      span.size - parts->size },
			IMALOG_ORDER_BE);
		imalog_cursor_uint(&cursor, 1, &tag);
		imalog_cursor_uint(&cursor, 4, &size);
		rc = check_head(i, tag, size, error);
		if (rc < 0)
			return rc;
		parts->part[i].tag = (uint8_t)tag;
		parts->part[i].at = parts->size + IMALOG_TLV_HEAD;
		parts->part[i].size = (size_t)size;
		parts->size += IMALOG_TLV_HEAD + (size_t)size;
		rc = imalog_reader_need(reader, parts->size, part_names[i], error);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

static int parse_digests(struct imalog_record *record, struct imalog_span digests,
			 struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(digests, IMALOG_ORDER_BE);

	while (cursor.left) {
		struct imalog_span value;
		uint8_t alg;
		int rc = imalog_tlv_next(&cursor, "digests", &alg, &value, error);

		if (rc == 0)
			rc = imalog_cel_add_digest(record, alg, value, error);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Name and data of ima_template, in this order and with nothing behind them */
static int parse_template(struct imalog_reader *reader, struct imalog_record *record,
			  struct imalog_span content, struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(content, IMALOG_ORDER_BE);
	static const char *const names[] = { "template name", "template data" };
	struct imalog_span values[2];

	for (uint8_t i = 0; i < 2; i++) {
		uint8_t type;
		int rc = imalog_tlv_next(&cursor, names[i], &type, &values[i], error);

		if (rc < 0)
			return rc;
		if (type != i)
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, names[i],
					   "type %u, %u is right", type, i);
	}
	if (cursor.left)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "content",
				   "%zu bytes are left over behind the template data",
				   cursor.left);
	return imalog_cel_set_template(reader, record, values[0], values[1], error);
}

static int parse(struct imalog_reader *reader, const struct parts *parts,
		 struct imalog_record *record, struct imalog_error *error)
{
	const uint8_t *raw = imalog_window_span(&reader->window).data;
	struct imalog_span values[PARTS];
	uint64_t index;
	int rc;

	for (int i = 0; i < PARTS; i++)
		values[i] = (struct imalog_span){ raw + parts->part[i].at,
						  parts->part[i].size };
	record->raw = (struct imalog_span){ raw, parts->size };
	imalog_tlv_uint(values[RECNUM], IMALOG_ORDER_BE, &record->cel.recnum);
	imalog_tlv_uint(values[INDEX], IMALOG_ORDER_BE, &index);
	record->cel.has_recnum = true;
	record->cel.recnum_size = (uint8_t)values[RECNUM].size;
	record->cel.index_size = (uint8_t)values[INDEX].size;
	rc = imalog_cel_set_index(record, (enum imalog_index)parts->part[INDEX].tag,
				  index, error);
	if (rc == 0)
		rc = parse_digests(record, values[DIGESTS], error);
	if (rc < 0)
		return rc;
	if (parts->part[CONTENT].tag == IMALOG_CEL_IMA_TEMPLATE)
		rc = parse_template(reader, record, values[CONTENT], error);
	else
		rc = imalog_cel_set_content(record, parts->part[CONTENT].tag,
					    values[CONTENT], error);
	return rc < 0 ? rc : imalog_cel_finish(record, error);
}

static int next(struct imalog_reader *reader, struct imalog_record *record,
		struct imalog_error *error)
{
	struct parts parts;
	int rc = find_parts(reader, &parts, error);

	if (rc <= 0)
		return rc;
	imalog_cel_begin(record);
	rc = parse(reader, &parts, record, error);
	if (rc < 0)
		return rc;
	imalog_window_advance(&reader->window, parts.size);
	return 1;
}

const struct imalog_format_ops imalog_cel_tlv_ops = { IMALOG_FORMAT_CEL_TLV, sniff, start,
						      next };

/* ---- writing ---- */

static void choose_sizes(const struct imalog_writer *writer,
			 const struct imalog_record *record, uint64_t recnum,
			 size_t *recnum_size, size_t *index_size)
{
	bool keep = writer->int_width == IMALOG_INT_WIDTH_KEEP && record->cel.recnum_size;
	size_t least = imalog_uint_size(recnum);

	*recnum_size = 8;
	*index_size = record->is_nv ? 4 : imalog_uint_size(record->index);
	if (keep) {
		*recnum_size = record->cel.recnum_size;
		*index_size = record->cel.index_size;
	} else if (writer->int_width == IMALOG_INT_WIDTH_4_4) {
		*recnum_size = 4;
		*index_size = 4;
	} else if (writer->int_width == IMALOG_INT_WIDTH_MIN) {
		*recnum_size = least;
		*index_size = imalog_uint_size(record->index);
	}
	/* A number that does not fit is longer, not another. */
	if (*recnum_size < least)
		*recnum_size = least;
}

static void add_content(struct imalog_buffer *out, const struct imalog_record *record,
			uint8_t type)
{
	size_t size = record->data.size;

	if (record->content == IMALOG_CONTENT_TEMPLATE) {
		imalog_tlv_add_head(out, type,
				    2 * IMALOG_TLV_HEAD + record->template_name.size +
					    size);
		imalog_tlv_add_head(out, 0, record->template_name.size);
		imalog_buffer_add_span(out, record->template_name);
		imalog_tlv_add_head(out, 1, size);
	} else if (record->content == IMALOG_CONTENT_TLV2018) {
		imalog_tlv_add_head(out, type, IMALOG_TLV_HEAD + size);
		imalog_buffer_add(out, record->cel.head, IMALOG_TLV_HEAD);
	} else {
		imalog_tlv_add_head(out, type, size);
	}
	imalog_buffer_add_span(out, record->data);
}

int imalog_cel_tlv_put(struct imalog_writer *writer, const struct imalog_record *record,
		       struct imalog_error *error)
{
	struct imalog_buffer *out = &writer->buffer;
	struct imalog_cel_view view;
	size_t recnum_size, index_size, digests = 0;
	int rc = imalog_cel_view(writer, record, &view, error);

	if (rc < 0)
		return rc;
	if (record->cel.has_mapped)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "mapped_pcr",
				   "only CEL-JSON says which PCR an RTMR stands for");
	choose_sizes(writer, record, view.recnum, &recnum_size, &index_size);
	imalog_tlv_add_uint(out, IMALOG_CEL_RECNUM, view.recnum, recnum_size);
	imalog_tlv_add_uint(out, (uint8_t)imalog_record_index(record), record->index,
			    index_size);
	for (size_t i = 0; i < view.nr_digests; i++)
		digests += IMALOG_TLV_HEAD + view.digests[i].span.size;
	imalog_tlv_add_head(out, IMALOG_CEL_DIGESTS, digests);
	for (size_t i = 0; i < view.nr_digests; i++) {
		/* No algorithm that is known has a longer number (TLV-encoded ones could
		 * not). */
		uint8_t alg = (uint8_t)imalog_alg_tpm_id(view.digests[i].alg);

		imalog_tlv_add_head(out, alg, view.digests[i].span.size);
		imalog_buffer_add_span(out, view.digests[i].span);
	}
	add_content(out, record, view.type);
	imalog_cel_wrote(writer, record, &view);
	return 0;
}
