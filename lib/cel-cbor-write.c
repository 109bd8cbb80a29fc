// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Canonical Event Log, CBOR encoding: writer (cel-cbor.c has the layout)
 *
 * Deterministic (RFC 8949, 4.2.1): the shortest form of each number, sizes before their
 * contents, keys in ascending order.  An array is written with its size, which therefore
 * must be known; a sequence (RFC 8742) needs none.
 */
#include "cel.h"

#ifdef HAVE_LIBCBOR

#include <cbor.h>

#define HEAD_MAX 9

static void add_uint(struct imalog_buffer *out, uint64_t value)
{
	unsigned char head[HEAD_MAX];

	imalog_buffer_add(out, head, cbor_encode_uint(value, head, sizeof(head)));
}

static void add_map(struct imalog_buffer *out, size_t entries)
{
	unsigned char head[HEAD_MAX];

	imalog_buffer_add(out, head, cbor_encode_map_start(entries, head, sizeof(head)));
}

static void add_array(struct imalog_buffer *out, size_t elements)
{
	unsigned char head[HEAD_MAX];

	imalog_buffer_add(out, head,
			  cbor_encode_array_start(elements, head, sizeof(head)));
}

static void add_bytes(struct imalog_buffer *out, struct imalog_span bytes)
{
	unsigned char head[HEAD_MAX];

	imalog_buffer_add(out, head,
			  cbor_encode_bytestring_start(bytes.size, head, sizeof(head)));
	imalog_buffer_add_span(out, bytes);
}

static void add_text(struct imalog_buffer *out, struct imalog_span text)
{
	unsigned char head[HEAD_MAX];

	imalog_buffer_add(out, head,
			  cbor_encode_string_start(text.size, head, sizeof(head)));
	imalog_buffer_add_span(out, text);
}

/* ---- content ---- */

static int add_template(struct imalog_buffer *out, const struct imalog_record *record,
			struct imalog_error *error)
{
	if (!imalog_utf8_is_valid(record->template_name))
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template name",
				   "it is not UTF-8");
	add_map(out, 2);
	add_uint(out, 0);
	add_text(out, record->template_name);
	add_uint(out, 1);
	add_bytes(out, record->data);
	return 0;
}

static void add_event(struct imalog_buffer *out, const struct imalog_record *record)
{
	struct imalog_span data = { NULL, 0 };
	uint32_t type = 0;

	imalog_record_event(record, &type, &data);
	add_map(out, 2);
	add_uint(out, 0);
	add_uint(out, type);
	add_uint(out, 1);
	add_bytes(out, data);
}

static void add_entry(struct imalog_buffer *out, const struct imalog_cel_entry *entry)
{
	add_map(out, entry->type == IMALOG_CEL_FIRMWARE_END ? 1 : 2);
	add_uint(out, 0);
	add_uint(out, entry->type);
	if (entry->type == IMALOG_CEL_FIRMWARE_END)
		return;
	add_uint(out, 1);
	if (entry->type == IMALOG_CEL_VERSION) {
		add_map(out, 2);
		add_uint(out, 0);
		add_uint(out, entry->value);
		add_uint(out, 1);
		add_uint(out, entry->minor);
	} else {
		add_uint(out, entry->value);
	}
}

static int add_management(struct imalog_buffer *out, const struct imalog_record *record,
			  struct imalog_error *error)
{
	struct imalog_cel_entry entry;
	size_t nr = 0;
	int rc = imalog_cel_check_entries(record, error);

	if (rc < 0)
		return rc;
	while (imalog_cel_entry(record->data, nr, &entry))
		nr++;
	if (nr != 1)
		add_array(out, nr);
	for (size_t i = 0; imalog_cel_entry(record->data, i, &entry); i++)
		add_entry(out, &entry);
	return 0;
}

static int add_content(struct imalog_buffer *out, const struct imalog_record *record,
		       const struct imalog_cel_view *view, struct imalog_error *error)
{
	if (!imalog_content_type_name(view->type))
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "content",
				   "content of type %u is none that CBOR has",
				   view->type);
	add_uint(out, 9);
	add_uint(out, view->type);
	add_uint(out, 10);
	switch (view->type) {
	case IMALOG_CEL_IMA_TEMPLATE:
		return add_template(out, record, error);
	case IMALOG_CEL_MANAGEMENT:
		return add_management(out, record, error);
	case IMALOG_CEL_PCCLIENT:
		add_event(out, record);
		return 0;
	default:
		add_bytes(out, record->data);
		return 0;
	}
}

/* ---- a record ---- */

static int check(const struct imalog_writer *writer, const struct imalog_record *record,
		 struct imalog_error *error)
{
	if (imalog_record_index(record) == IMALOG_INDEX_RTMR)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "rtmr",
				   "CEL-CBOR knows PCRs and NV indexes alone");
	if (!writer->sequence && (!writer->has_count || writer->written >= writer->count))
		return imalog_fail(error, IMALOG_ERR_INVALID, "CBOR",
				   "the array was to have %llu records",
				   (unsigned long long)writer->count);
	return 0;
}

int imalog_cel_cbor_put(struct imalog_writer *writer, const struct imalog_record *record,
			struct imalog_error *error)
{
	struct imalog_buffer *out = &writer->buffer;
	struct imalog_cel_view view;
	int rc = check(writer, record, error);

	if (rc == 0)
		rc = imalog_cel_view(writer, record, &view, error);
	if (rc < 0)
		return rc;
	if (!writer->sequence && writer->written == 0)
		add_array(out, (size_t)writer->count);
	add_map(out, 5);
	add_uint(out, 0);
	add_uint(out, view.recnum);
	add_uint(out, imalog_record_index(record));
	add_uint(out, record->index);
	add_uint(out, 3);
	add_array(out, view.nr_digests);
	for (size_t i = 0; i < view.nr_digests; i++) {
		add_map(out, 2);
		add_uint(out, 0);
		add_uint(out, imalog_alg_tpm_id(view.digests[i].alg));
		add_uint(out, 1);
		add_bytes(out, view.digests[i].span);
	}
	rc = add_content(out, record, &view, error);
	if (rc == 0)
		imalog_cel_wrote(writer, record, &view);
	return rc;
}

int imalog_cel_cbor_finish(struct imalog_writer *writer, struct imalog_error *error)
{
	if (writer->sequence)
		return 0;
	if (writer->written != writer->count)
		return imalog_fail(error, IMALOG_ERR_INVALID, "CBOR",
				   "the array was to have %llu records, it got %llu",
				   (unsigned long long)writer->count,
				   (unsigned long long)writer->written);
	if (writer->written == 0)
		add_array(&writer->buffer, 0);
	return 0;
}

#else

static int not_built(struct imalog_error *error)
{
	return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "CBOR",
			   "the library was built without libcbor");
}

int imalog_cel_cbor_put(struct imalog_writer *writer, const struct imalog_record *record,
			struct imalog_error *error)
{
	(void)writer;
	(void)record;
	return not_built(error);
}

int imalog_cel_cbor_finish(struct imalog_writer *writer, struct imalog_error *error)
{
	(void)writer;
	return not_built(error);
}

#endif /* HAVE_LIBCBOR */
