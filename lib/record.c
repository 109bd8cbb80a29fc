// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's binary list, and what a record tells about itself
 *
 * ima_measurements_show() in ima_fs.c; integers in the host's order, or little-endian with
 * ima_canonical_fmt:
 *
 *	u32	PCR
 *	u8[L]	template digest; L is the digest size of the file's algorithm, 20 for SHA-1
 *	u32	size of the template's name
 *	u8[]	the template's name, without NUL
 *	u32	size of the template data		not in template `ima`
 *	u8[]	template data: for each field u32 size, bytes
 *
 * Template `ima`: u8[20] digest (16 when ima_hash=md5), u32 size of the name, name.
 */
#include <string.h>

#include "cel.h"

#define IMA_DIGEST_SIZE 20
#define IMA_DIGEST_SIZE_MD5 16

bool imalog_all_zero(struct imalog_span span)
{
	for (size_t i = 0; i < span.size; i++)
		if (span.data[i])
			return false;
	return true;
}

/* What is known while a record is taken apart. */
struct parse {
	struct imalog_cursor cursor;
	size_t total; /* bytes at the start */
	size_t *size;
	const char **part;
};

/* The next @size bytes, or 0 when more are needed. */
static int take(struct parse *parse, size_t size, const char *part, struct imalog_span *ret)
{
	if (imalog_cursor_bytes(&parse->cursor, size, ret))
		return 1;
	*parse->part = part;
	*parse->size = parse->total - parse->cursor.left + size;
	return 0;
}

static int take_u32(struct parse *parse, const char *part, uint32_t *ret)
{
	struct imalog_span bytes;
	struct imalog_cursor cursor;

	if (!take(parse, 4, part, &bytes))
		return 0;
	cursor = imalog_cursor_over(bytes, parse->cursor.order);
	return imalog_cursor_u32(&cursor, ret);
}

static int parse_header(struct parse *parse, const struct imalog_layout *layout,
			struct imalog_record *record, struct imalog_error *error)
{
	uint32_t name_size;
	int rc;

	rc = take_u32(parse, "PCR", &record->index);
	if (rc <= 0)
		return rc;
	if (record->index > IMALOG_PCR_MAX)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "PCR",
				   "number %u exceeds the largest possible one, %d", record->index,
				   IMALOG_PCR_MAX);
	rc = take(parse, layout->digest_size, "template digest", &record->digests[0].span);
	if (rc <= 0)
		return rc;
	rc = take_u32(parse, "template name size", &name_size);
	if (rc <= 0)
		return rc;
	if (name_size == 0 || name_size > IMALOG_NAME_MAX)
		return imalog_fail(error, name_size ? IMALOG_ERR_LIMIT : IMALOG_ERR_BAD_VALUE,
				   "template name size", "%u bytes, 1 to %d are possible",
				   name_size, IMALOG_NAME_MAX);
	return take(parse, name_size, "template name", &record->template_name);
}

/*
 * Template `ima` says nowhere how long its digest is.  With 20 bytes of an MD5 digest (16)
 * the size of the name would be read from the name itself, which is text: far too large.
 */
static int parse_ima(struct parse *parse, struct imalog_record *record, struct imalog_error *error)
{
	struct imalog_cursor start = parse->cursor;
	struct imalog_span digest, name;
	uint32_t size, md5_size = 0;
	int rc;

	rc = take(parse, IMA_DIGEST_SIZE, "d", &digest);
	if (rc > 0)
		rc = take_u32(parse, "n size", &size);
	if (rc <= 0)
		return rc;
	if (size == 0 || size >= IMALOG_IMA_NAME_SIZE) {
		struct imalog_cursor md5 = start;

		imalog_cursor_bytes(&md5, IMA_DIGEST_SIZE_MD5, &digest);
		imalog_cursor_u32(&md5, &md5_size);
		if (md5_size == 0 || md5_size >= IMALOG_IMA_NAME_SIZE)
			return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "n",
					   "length %u exceeds the largest possible one, %d", size,
					   IMALOG_IMA_NAME_SIZE - 1);
		parse->cursor = md5;
		size = md5_size;
	}
	rc = take(parse, size, "n", &name);
	if (rc <= 0)
		return rc;
	record->data = (struct imalog_span){ start.data, digest.size + 4 + size };
	record->fields[0] = (struct imalog_field){ IMALOG_FIELD_D, digest };
	record->fields[1] = (struct imalog_field){ IMALOG_FIELD_N, name };
	record->nr_fields = 2;
	return 1;
}

static int parse_data(struct parse *parse, const struct imalog_templates *templates,
		      struct imalog_record *record, struct imalog_error *error)
{
	const struct imalog_template *template;
	struct imalog_template adhoc;
	uint32_t size;
	int rc;

	rc = take_u32(parse, "template data size", &size);
	if (rc <= 0)
		return rc;
	if (size > IMALOG_DATA_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "template data size",
				   "%u bytes exceed the limit of %u", size, IMALOG_DATA_MAX);
	rc = take(parse, size, "template data", &record->data);
	if (rc <= 0)
		return rc;
	template = imalog_templates_find(templates, record->template_name, &adhoc);
	record->nr_fields = 0;
	if (!template)
		return 1;
	rc = imalog_template_parse(template, record->data, parse->cursor.order, record->fields,
				   error);
	if (rc < 0)
		return rc;
	record->nr_fields = template->nr_fields;
	return 1;
}

int imalog_kernel_parse(struct imalog_span bytes, const struct imalog_layout *layout,
			const struct imalog_templates *templates, struct imalog_record *record,
			size_t *size, const char **part, struct imalog_error *error)
{
	struct parse parse = { imalog_cursor_over(bytes, layout->order), bytes.size, size, part };
	int rc;

	rc = parse_header(&parse, layout, record, error);
	if (rc > 0 && imalog_template_is_ima(record->template_name))
		rc = parse_ima(&parse, record, error);
	else if (rc > 0)
		rc = parse_data(&parse, templates, record, error);
	if (rc <= 0)
		return rc;
	*size = bytes.size - parse.cursor.left;
	record->is_nv = false;
	record->content = IMALOG_CONTENT_TEMPLATE;
	record->fit = IMALOG_FIT_UNKNOWN;
	record->order = layout->order;
	record->hash_order = IMALOG_ORDER_AUTO;
	record->raw = (struct imalog_span){ bytes.data, *size };
	record->nr_digests = 1;
	record->digests[0].alg = layout->digest_alg;
	record->violation = imalog_all_zero(record->digests[0].span);
	return 1;
}

int imalog_record_parse_data(struct imalog_record *record,
			     const struct imalog_templates *templates,
			     struct imalog_error *error)
{
	struct imalog_span data = record->data;
	const char *part = "";
	size_t size = 0;
	struct parse parse = { imalog_cursor_over(data, record->order), data.size, &size,
			       &part };
	const struct imalog_template *template;
	struct imalog_template adhoc;
	int rc;

	record->nr_fields = 0;
	if (imalog_template_is_ima(record->template_name)) {
		rc = parse_ima(&parse, record, error);
		record->data = data;
		if (rc == 0)
			return imalog_fail(
				error, IMALOG_ERR_BAD_LENGTH, part,
				"%zu bytes of template data are needed, there are %zu",
				size, data.size);
		if (rc > 0 && parse.cursor.left)
			return imalog_fail(
				error, IMALOG_ERR_TRAILING, "template data",
				"%zu of %zu bytes are left over behind the last field",
				parse.cursor.left, data.size);
		return rc < 0 ? rc : 0;
	}
	template = imalog_templates_find(templates, record->template_name, &adhoc);
	if (!template)
		return 0;
	rc = imalog_template_parse(template, data, record->order, record->fields, error);
	if (rc == 0)
		record->nr_fields = template->nr_fields;
	return rc;
}

bool imalog_record_extends_pcr(const struct imalog_record *record)
{
	return !record->is_nv && !record->cel.unmeasured;
}

/* ---- the kernel format of a reader ---- */

/* A PCR number is below 64, so its high bytes, at either end, are zeros. */
static bool kernel_sniff(struct imalog_span start)
{
	return start.size >= 4 && ((start.data[1] == 0 && start.data[2] == 0 && start.data[3] == 0) ||
				   (start.data[0] == 0 && start.data[1] == 0 && start.data[2] == 0));
}

/* Where to look for the layout first, and when one record is larger, at most. */
#define DETECT_FIRST ((size_t)64 << 10)
#define DETECT_LAST ((size_t)2 * IMALOG_DATA_MAX)

static int kernel_start(struct imalog_reader *reader, struct imalog_error *error)
{
	struct imalog_hasher *hasher = imalog_reader_hasher(reader, error);
	int rc;

	if (!hasher)
		return -IMALOG_ERR_NOMEM;
	for (size_t size = DETECT_FIRST;; size *= 2) {
		rc = imalog_window_need(&reader->window, size, error);
		if (rc < 0)
			return rc;
		rc = imalog_detect_layout(reader, hasher, &reader->layout, error);
		if ((rc != 1 && rc != -IMALOG_ERR_AMBIGUOUS) || reader->window.ended ||
		    size >= DETECT_LAST)
			return rc < 0 ? rc : 0;
	}
}

static int kernel_next(struct imalog_reader *reader, struct imalog_record *record,
		       struct imalog_error *error)
{
	size_t size = 0;
	const char *part = "";
	int rc;

	for (;;) {
		struct imalog_span span = imalog_window_span(&reader->window);

		rc = imalog_kernel_parse(span, &reader->layout, reader->templates, record, &size,
					 &part, error);
		if (rc != 0)
			break;
		rc = imalog_reader_need(reader, size, part, error);
		if (rc <= 0)
			return rc;
	}
	if (rc > 0)
		imalog_window_advance(&reader->window, size);
	return rc;
}

const struct imalog_format_ops imalog_kernel_ops = { IMALOG_FORMAT_KERNEL, kernel_sniff,
						     kernel_start, kernel_next };

/* ---- accessors ---- */

uint64_t imalog_record_number(const struct imalog_record *record)
{
	return record->number;
}

uint64_t imalog_record_offset(const struct imalog_record *record)
{
	return record->offset;
}

uint32_t imalog_record_pcr(const struct imalog_record *record)
{
	return record->index;
}

bool imalog_record_is_nv(const struct imalog_record *record)
{
	return record->is_nv;
}

enum imalog_content imalog_record_content(const struct imalog_record *record)
{
	return record->content;
}

enum imalog_index imalog_record_index(const struct imalog_record *record)
{
	return record->cel.kind ? record->cel.kind : IMALOG_INDEX_PCR;
}

bool imalog_record_mapped_pcr(const struct imalog_record *record, uint32_t *ret)
{
	if (record->cel.has_mapped)
		*ret = record->cel.mapped;
	return record->cel.has_mapped;
}

bool imalog_record_is_measured(const struct imalog_record *record)
{
	return !record->cel.unmeasured;
}

bool imalog_record_is_checked(const struct imalog_record *record)
{
	return record->content == IMALOG_CONTENT_TEMPLATE ||
	       record->content == IMALOG_CONTENT_IMA_TLV ||
	       record->content == IMALOG_CONTENT_TLV2018;
}

bool imalog_record_recnum(const struct imalog_record *record, uint64_t *ret)
{
	if (record->cel.has_recnum)
		*ret = record->cel.recnum;
	return record->cel.has_recnum;
}

uint8_t imalog_record_content_type(const struct imalog_record *record)
{
	return record->cel.type ? record->cel.type : IMALOG_CEL_IMA_TEMPLATE;
}

bool imalog_record_is_violation(const struct imalog_record *record)
{
	return record->violation;
}

struct imalog_span imalog_record_raw(const struct imalog_record *record)
{
	return record->raw;
}

struct imalog_span imalog_record_template(const struct imalog_record *record)
{
	return record->template_name;
}

struct imalog_span imalog_record_data(const struct imalog_record *record)
{
	return record->data;
}

enum imalog_order imalog_record_order(const struct imalog_record *record)
{
	return record->order;
}

enum imalog_order imalog_record_hash_order(const struct imalog_record *record)
{
	return record->hash_order;
}

size_t imalog_record_digests(const struct imalog_record *record)
{
	return record->nr_digests;
}

struct imalog_span imalog_record_digest(const struct imalog_record *record, size_t i,
					enum imalog_alg *alg)
{
	if (alg)
		*alg = record->digests[i].alg;
	return record->digests[i].span;
}

size_t imalog_record_fields(const struct imalog_record *record)
{
	return record->nr_fields;
}

enum imalog_field_id imalog_record_field_id(const struct imalog_record *record, size_t i)
{
	return record->fields[i].id;
}

struct imalog_span imalog_record_field_data(const struct imalog_record *record, size_t i)
{
	return record->fields[i].data;
}

struct imalog_span imalog_record_name(const struct imalog_record *record)
{
	for (size_t i = 0; i < record->nr_fields; i++)
		if (record->fields[i].id == IMALOG_FIELD_N ||
		    record->fields[i].id == IMALOG_FIELD_N_NG)
			return imalog_field_text(record->fields[i].data);
	return (struct imalog_span){ NULL, 0 };
}
