// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writers: the kernel's binary list (ima_measurements_show) in either byte order, and its
 * ascii list (ima_ascii_measurements_show, ima_template_lib.c:ima_show_template_*)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cel.h"

void imalog_buffer_add(struct imalog_buffer *buffer, const void *data, size_t size)
{
	if (buffer->failed || size == 0)
		return;
	if (buffer->room - buffer->size < size) {
		size_t room = 2 * (buffer->size + size) + 256;
		uint8_t *grown = realloc(buffer->data, room);

		if (!grown) {
			buffer->failed = true;
			buffer->size = 0;
			return;
		}
		buffer->data = grown;
		buffer->room = room;
	}
	memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
}

void imalog_buffer_add_span(struct imalog_buffer *buffer, struct imalog_span span)
{
	imalog_buffer_add(buffer, span.data, span.size);
}

void imalog_buffer_add_hex(struct imalog_buffer *buffer, struct imalog_span bytes)
{
	static const char digits[] = "0123456789abcdef";

	char pairs[128];

	while (bytes.size) {
		size_t size = bytes.size < sizeof(pairs) / 2 ? bytes.size : sizeof(pairs) / 2;

		for (size_t i = 0; i < size; i++) {
			pairs[2 * i] = digits[bytes.data[i] >> 4];
			pairs[2 * i + 1] = digits[bytes.data[i] & 15];
		}
		imalog_buffer_add(buffer, pairs, 2 * size);
		bytes.data += size;
		bytes.size -= size;
	}
}

void imalog_buffer_free(struct imalog_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct imalog_buffer){ 0 };
}

struct imalog_writer *imalog_writer_new(enum imalog_format format, enum imalog_order order,
					imalog_write_fn fn, void *arg)
{
	struct imalog_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return NULL;
	writer->format = format;
	writer->order = order == IMALOG_ORDER_BE ? IMALOG_ORDER_BE : IMALOG_ORDER_LE;
	writer->fn = fn;
	writer->arg = arg;
	return writer;
}

void imalog_writer_free(struct imalog_writer **writer)
{
	if (!writer || !*writer)
		return;
	imalog_buffer_free(&(*writer)->buffer);
	imalog_buffer_free(&(*writer)->swapped);
	imalog_hasher_free(&(*writer)->hasher);
	imalog_hasher_free(&(*writer)->checker);
	free((*writer)->counters);
	free(*writer);
	*writer = NULL;
}

int imalog_writer_set_digest(struct imalog_writer *writer, enum imalog_alg alg,
			     struct imalog_error *error)
{
	writer->hasher = imalog_hasher_new();
	writer->column = alg;
	return writer->hasher ? 0 : imalog_fail_nomem(error);
}

/* ---- binary ---- */

static void add_u32(struct imalog_buffer *buffer, enum imalog_order order, uint32_t value)
{
	uint8_t bytes[4];

	for (int i = 0; i < 4; i++)
		bytes[order == IMALOG_ORDER_BE ? 3 - i : i] = (uint8_t)(value >> (8 * i));
	imalog_buffer_add(buffer, bytes, sizeof(bytes));
}

/* Template data in the writer's byte order. */
static int data_in_order(struct imalog_writer *writer, const struct imalog_record *record,
			 struct imalog_span *ret, struct imalog_error *error)
{
	*ret = record->data;
	if (record->order == writer->order || record->data.size == 0)
		return 0;
	if (record->nr_fields == 0)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template data",
				   "its fields are not known, so its byte order cannot be changed");
	writer->swapped.size = 0;
	imalog_buffer_add_span(&writer->swapped, record->data);
	if (writer->swapped.failed)
		return imalog_fail_nomem(error);
	imalog_template_swap(record, writer->swapped.data);
	ret->data = writer->swapped.data;
	return 0;
}

/* The column that the list has: the first record's SHA-1, as the kernel's own, or what it
 * has. */
static enum imalog_alg choose_column(const struct imalog_record *record)
{
	for (size_t i = 0; i < record->nr_digests; i++)
		if (record->digests[i].alg == IMALOG_ALG_SHA1)
			return IMALOG_ALG_SHA1;
	return record->digests[0].alg;
}

/* What the kernel's lists can express: template data for a PCR */
static int check_expressible(const struct imalog_record *record, struct imalog_error *error)
{
	if (!imalog_record_extends_pcr(record))
		return imalog_fail(
			error, IMALOG_ERR_UNSUPPORTED, "PCR",
			"the record extends none, which the kernel's lists cannot say");
	if (record->content != IMALOG_CONTENT_TEMPLATE &&
	    record->content != IMALOG_CONTENT_DIGEST_ONLY)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "content",
				   "only ima_template has a place in the kernel's lists");
	return 0;
}

/* What is computed anew must not hide that a recorded digest was wrong. */
static int compute_digest(struct imalog_writer *writer, const struct imalog_record *record,
			  uint8_t out[IMALOG_DIGEST_MAX], struct imalog_error *error)
{
	if (!writer->hasher)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "digests",
				   "there is none of %s, which the list has",
				   imalog_alg_name(writer->column ? writer->column :
								    IMALOG_ALG_SHA1));
	if (record->fit == IMALOG_FIT_NO)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template digest",
				   "it does not fit the data, so that of another algorithm "
				   "would hide it");
	memset(out, 0, IMALOG_DIGEST_MAX);
	if (writer->pads) {
		memcpy(out, record->digests[0].span.data, record->digests[0].span.size);
		return 0;
	}
	return record->violation ?
		       0 :
		       imalog_record_template_digest(record, writer->hasher, writer->column,
						     out, error);
}

/*
 * The list has one digest of a record.  Others may go when the content gives them, as it gives
 * all that are extended; one that it does not give would be lost, and with it that it was there.
 */
static int check_others(struct imalog_writer *writer, const struct imalog_record *record,
			struct imalog_error *error)
{
	struct imalog_record copy = *record;
	int fit;

	if (record->nr_digests < 2 || record->violation)
		return 0;
	if (!writer->checker)
		writer->checker = imalog_hasher_new();
	if (!writer->checker)
		return imalog_fail_nomem(error);
	fit = imalog_record_verify(&copy, writer->checker, error);
	if (fit < 0 || fit == IMALOG_FIT_YES)
		return fit < 0 ? fit : 0;
	return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "digests",
			   "one of several does not fit the content, and the list has room for "
			   "the one of %s alone",
			   imalog_alg_name(writer->column));
}

/* A recorded digest of the column's algorithm, or what is computed for it */
static int find_digest(struct imalog_writer *writer, const struct imalog_record *record,
		       uint8_t computed[IMALOG_DIGEST_MAX], struct imalog_span *ret,
		       struct imalog_error *error)
{
	static const uint8_t zeros[IMALOG_DIGEST_MAX];
	size_t i = 0;

	/* One of these lists into another: the column, whatever it is of */
	if (!writer->hasher && !record->cel.type &&
	    (writer->format == IMALOG_FORMAT_ASCII ||
	     record->digests[0].span.size == imalog_alg_size(writer->column))) {
		*ret = record->digests[0].span;
		return 0;
	}
	while (i < record->nr_digests && record->digests[i].alg != writer->column)
		i++;
	if (i == record->nr_digests) {
		*ret = (struct imalog_span){ computed, imalog_alg_size(writer->column) };
		return compute_digest(writer, record, computed, error);
	}
	*ret = record->digests[i].span;
	if (record->violation)
		ret->data = zeros;
	return 0;
}

/* The digest for the column */
static int kernel_digest(struct imalog_writer *writer, const struct imalog_record *record,
			 uint8_t computed[IMALOG_DIGEST_MAX], struct imalog_span *ret,
			 struct imalog_error *error)
{
	int rc = check_expressible(record, error);

	if (rc < 0)
		return rc;
	if (!writer->column)
		writer->column = choose_column(record);
	rc = check_others(writer, record, error);
	if (rc == 0)
		rc = find_digest(writer, record, computed, ret, error);
	if (rc == 0 && !record->violation && imalog_all_zero(*ret))
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template digest",
				   "zeros are that of a violation, which this is not");
	return rc;
}

static int put_kernel(struct imalog_writer *writer, const struct imalog_record *record,
		      struct imalog_error *error)
{
	struct imalog_buffer *out = &writer->buffer;
	uint8_t computed[IMALOG_DIGEST_MAX];
	struct imalog_span data, digest;
	int rc = kernel_digest(writer, record, computed, &digest, error);

	if (rc < 0)
		return rc;
	if (record->content == IMALOG_CONTENT_DIGEST_ONLY)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template data",
				   "the fields of an ascii line's template are not known");
	if (record->format == IMALOG_FORMAT_ASCII && record->fit == IMALOG_FIT_NO)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template data",
				   "the ascii line does not hash to its digest");
	rc = data_in_order(writer, record, &data, error);
	if (rc < 0)
		return rc;
	add_u32(out, writer->order, record->index);
	imalog_buffer_add_span(out, digest);
	add_u32(out, writer->order, (uint32_t)record->template_name.size);
	imalog_buffer_add_span(out, record->template_name);
	if (!imalog_template_is_ima(record->template_name))
		add_u32(out, writer->order, (uint32_t)data.size);
	imalog_buffer_add_span(out, data);
	return 0;
}

/* ---- ascii ---- */

/* ima_show_template_data_ascii: the text before NUL as it is, the digest behind it in hex */
static void add_digest_field(struct imalog_buffer *out, const struct imalog_field *field)
{
	struct imalog_digest_field parts;

	imalog_field_digest(field->id, field->data, &parts);
	if (parts.alg.data)
		imalog_buffer_add(out, field->data.data,
				  (size_t)(parts.digest.data - field->data.data) - 1);
	imalog_buffer_add_hex(out, parts.digest);
}

static void add_field(struct imalog_buffer *out, const struct imalog_record *record,
		      const struct imalog_field *field)
{
	char text[24];
	uint64_t value;

	switch (imalog_field_id_type(field->id)) {
	case IMALOG_TYPE_DIGEST:
		add_digest_field(out, field);
		break;
	case IMALOG_TYPE_TEXT:
		imalog_buffer_add_span(out, imalog_field_text(field->data));
		break;
	case IMALOG_TYPE_UINT:
		if (imalog_field_uint(field->data, record->order, &value)) {
			int size = snprintf(text, sizeof(text), "%" PRIu64, value);

			imalog_buffer_add(out, text, (size_t)size);
		}
		break;
	case IMALOG_TYPE_BYTES:
	case IMALOG_TYPE_UINTS:
		imalog_buffer_add_hex(out, field->data);
		break;
	}
}

static int put_ascii(struct imalog_writer *writer, const struct imalog_record *record,
		     struct imalog_error *error)
{
	struct imalog_buffer *out = &writer->buffer;
	uint8_t computed[IMALOG_DIGEST_MAX];
	struct imalog_span digest;
	char pcr[16];
	int rc = kernel_digest(writer, record, computed, &digest, error);

	if (rc < 0)
		return rc;
	if (record->format == IMALOG_FORMAT_ASCII && !writer->hasher) {
		imalog_buffer_add_span(out, record->raw);
		/* The last line of the input may lack it. */
		if (record->raw.data[record->raw.size - 1] != '\n')
			imalog_buffer_add(out, "\n", 1);
		return 0;
	}
	if (record->nr_fields == 0)
		return imalog_fail(
			error, IMALOG_ERR_UNSUPPORTED, "template name",
			"its fields are not known, so there is no text for them");
	imalog_buffer_add(out, pcr, (size_t)snprintf(pcr, sizeof(pcr), "%2u ", record->index));
	imalog_buffer_add_hex(out, digest);
	imalog_buffer_add(out, " ", 1);
	imalog_buffer_add_span(out, record->template_name);
	for (size_t i = 0; i < record->nr_fields; i++) {
		imalog_buffer_add(out, " ", 1);
		add_field(out, record, &record->fields[i]);
	}
	imalog_buffer_add(out, "\n", 1);
	return 0;
}

/* ---- any format ---- */

static int put(struct imalog_writer *writer, const struct imalog_record *record,
	       struct imalog_error *error)
{
	switch (writer->format) {
	case IMALOG_FORMAT_ASCII:
		return put_ascii(writer, record, error);
	case IMALOG_FORMAT_CEL_TLV:
		return imalog_cel_tlv_put(writer, record, error);
	case IMALOG_FORMAT_CEL_JSON:
		return imalog_cel_json_put(writer, record, error);
	case IMALOG_FORMAT_CEL_CBOR:
		return imalog_cel_cbor_put(writer, record, error);
	case IMALOG_FORMAT_TLV2018:
		return imalog_tlv2018_put(writer, record, error);
	default:
		return put_kernel(writer, record, error);
	}
}

static int flush(struct imalog_writer *writer, struct imalog_error *error)
{
	int os_errno;

	if (writer->buffer.failed)
		return imalog_fail_nomem(error);
	if (writer->buffer.size == 0)
		return 0;
	os_errno = writer->fn(writer->arg, writer->buffer.data, writer->buffer.size);
	return os_errno ? imalog_fail_errno(error, os_errno, "cannot write") : 0;
}

int imalog_writer_put(struct imalog_writer *writer, const struct imalog_record *record,
		      struct imalog_error *reterr)
{
	int rc;

	writer->buffer.size = 0;
	rc = put(writer, record, reterr);
	if (rc == 0 && writer->buffer.failed)
		rc = imalog_fail_nomem(reterr);
	if (rc < 0) {
		imalog_error_set_record(reterr, record->number, record->offset);
		return rc;
	}
	rc = flush(writer, reterr);
	if (rc == 0)
		writer->written++;
	return rc;
}

int imalog_writer_finish(struct imalog_writer *writer, struct imalog_error *reterr)
{
	int rc = 0;

	writer->buffer.size = 0;
	if (writer->format == IMALOG_FORMAT_CEL_JSON)
		rc = imalog_cel_json_finish(writer, reterr);
	else if (writer->format == IMALOG_FORMAT_CEL_CBOR)
		rc = imalog_cel_cbor_finish(writer, reterr);
	return rc < 0 ? rc : flush(writer, reterr);
}
