// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Canonical Event Log, JSON encoding: writer (cel-json.c has the layout)
 *
 * An array with a record in each line, or a text sequence (RFC 7464).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "cel.h"

static void add_text(struct imalog_buffer *out, const char *text)
{
	imalog_buffer_add(out, text, strlen(text));
}

static void add_number(struct imalog_buffer *out, const char *before, uint64_t value)
{
	char text[24];

	add_text(out, before);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	add_text(out, text);
}

/* A key with hexadecimal text */
static void add_hex(struct imalog_buffer *out, const char *before,
		    struct imalog_span bytes)
{
	add_text(out, before);
	add_text(out, "\"");
	imalog_buffer_add_hex(out, bytes);
	add_text(out, "\"");
}

/* Numbers beyond this are none of JSON's readers. */
static int check_number(uint64_t value, const char *field, struct imalog_error *error)
{
	if (value <= INT64_MAX)
		return 0;
	return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, field,
			   "%llu exceeds the largest number in JSON, %lld",
			   (unsigned long long)value, (long long)INT64_MAX);
}

static void add_digests(struct imalog_buffer *out, const struct imalog_cel_view *view)
{
	add_text(out, ",\"digests\":[");
	for (size_t i = 0; i < view->nr_digests; i++) {
		add_text(out, i ? ",{\"hashAlg\":\"" : "{\"hashAlg\":\"");
		add_text(out, imalog_cel_alg_name(view->digests[i].alg));
		add_hex(out, "\",\"digest\":", view->digests[i].span);
		add_text(out, "}");
	}
	add_text(out, "]");
}

/* ---- content ---- */

static int add_template(struct imalog_buffer *out, const struct imalog_record *record,
			struct imalog_error *error)
{
	struct imalog_span name = record->template_name;

	if (!imalog_utf8_is_valid(name))
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "template name",
				   "it is not UTF-8");
	add_text(out, "{\"template_name\":");
	imalog_json_add_string(out, name);
	add_hex(out, ",\"template_data\":", record->data);
	add_text(out, "}");
	return 0;
}

static void add_event(struct imalog_buffer *out, const struct imalog_record *record)
{
	struct imalog_span data = { NULL, 0 };
	uint32_t type = 0;
	const char *name;

	imalog_record_event(record, &type, &data);
	name = imalog_event_type_name(type);
	if (name) {
		add_text(out, "{\"event_type\":\"");
		add_text(out, name);
		add_hex(out, "\",\"event_data\":", data);
	} else {
		add_number(out, "{\"event_type\":", type);
		add_hex(out, ",\"event_data\":", data);
	}
	add_text(out, "}");
}

static int add_entry(struct imalog_buffer *out, const struct imalog_cel_entry *entry,
		     struct imalog_error *error)
{
	add_text(out, "{\"type\":\"");
	add_text(out, imalog_cel_entry_name(entry->type));
	add_text(out, "\"");
	if (entry->type == IMALOG_CEL_VERSION) {
		add_number(out, ",\"data\":{\"major\":", entry->value);
		add_number(out, ",\"minor\":", entry->minor);
		add_text(out, "}");
	} else if (entry->type == IMALOG_CEL_TIMESTAMP) {
		add_number(out, ",\"data\":", entry->value);
	} else if (entry->type == IMALOG_CEL_STATE_TRANS) {
		add_text(out, ",\"data\":\"");
		add_text(out, imalog_cel_transition_name(entry->value));
		add_text(out, "\"");
	}
	add_text(out, "}");
	return check_number(entry->value, "cel_timestamp", error);
}

static int add_management(struct imalog_buffer *out, const struct imalog_record *record,
			  struct imalog_error *error)
{
	struct imalog_cel_entry entry;
	bool several = imalog_cel_entry(record->data, 1, &entry);
	int rc = imalog_cel_check_entries(record, error);

	add_text(out, several ? "[" : "");
	for (size_t i = 0; rc == 0 && imalog_cel_entry(record->data, i, &entry); i++) {
		add_text(out, i ? "," : "");
		rc = add_entry(out, &entry, error);
	}
	add_text(out, several ? "]" : "");
	return rc;
}

/* Is it an object that can stand in a log, and be read from it, byte for byte? */
static bool is_plain_object(struct imalog_span text)
{
	if (text.size < 2 || text.data[0] != '{' || text.data[text.size - 1] != '}')
		return false;
	/* What could act on a terminal goes in hexadecimal. */
	for (size_t i = 0; i < text.size; i++)
		if (text.data[i] > 0x7e ||
		    (text.data[i] < ' ' && text.data[i] != '\n' && text.data[i] != '\t'))
			return false;
	return true;
}

/* The object as it was, when the bytes are such a text; else the bytes. */
static void add_systemd(struct imalog_buffer *out, const struct imalog_record *record)
{
	json_t *json = NULL;

	if (is_plain_object(record->data))
		json = json_loadb((const char *)record->data.data, record->data.size,
				  JSON_REJECT_DUPLICATES, NULL);
	if (json && imalog_systemd_check(json, NULL) == 0)
		imalog_buffer_add_span(out, record->data);
	else
		add_hex(out, "", record->data);
	json_decref(json);
}

static int add_content(struct imalog_buffer *out, const struct imalog_record *record,
		       const struct imalog_cel_view *view, struct imalog_error *error)
{
	const char *name = imalog_content_type_name(view->type);

	if (!name)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "content",
				   "content of type %u has no name in JSON", view->type);
	add_text(out, ",\"content_type\":\"");
	add_text(out, name);
	add_text(out, "\",\"content\":");
	switch (view->type) {
	case IMALOG_CEL_IMA_TEMPLATE:
		return add_template(out, record, error);
	case IMALOG_CEL_MANAGEMENT:
		return add_management(out, record, error);
	case IMALOG_CEL_PCCLIENT:
		add_event(out, record);
		return 0;
	case IMALOG_CEL_SYSTEMD:
		add_systemd(out, record);
		return 0;
	default:
		add_hex(out, "", record->data);
		return 0;
	}
}

/* ---- a record ---- */

static void add_index(struct imalog_buffer *out, const struct imalog_record *record)
{
	switch (imalog_record_index(record)) {
	case IMALOG_INDEX_NV:
		add_number(out, ",\"nv_index\":", record->index);
		break;
	case IMALOG_INDEX_RTMR:
		add_number(out, ",\"rtmr\":", record->index);
		break;
	case IMALOG_INDEX_PCR:
		add_number(out, ",\"pcr\":", record->index);
		break;
	}
	if (record->cel.has_mapped)
		add_number(out, ",\"mapped_pcr\":", record->cel.mapped);
}

int imalog_cel_json_put(struct imalog_writer *writer, const struct imalog_record *record,
			struct imalog_error *error)
{
	struct imalog_buffer *out = &writer->buffer;
	struct imalog_cel_view view;
	int rc = imalog_cel_view(writer, record, &view, error);

	if (rc == 0)
		rc = check_number(view.recnum, "recnum", error);
	if (rc < 0)
		return rc;
	add_text(out, writer->sequence ? "\x1e" : writer->written ? ",\n" : "[\n");
	add_number(out, "{\"recnum\":", view.recnum);
	add_index(out, record);
	add_digests(out, &view);
	rc = add_content(out, record, &view, error);
	if (rc < 0)
		return rc;
	add_text(out, writer->sequence ? "}\n" : "}");
	imalog_cel_wrote(writer, record, &view);
	return 0;
}

int imalog_cel_json_finish(struct imalog_writer *writer, struct imalog_error *error)
{
	(void)error;
	if (!writer->sequence)
		add_text(&writer->buffer, writer->written ? "\n]\n" : "[\n]\n");
	return 0;
}
