// SPDX-License-Identifier: GPL-2.0-or-later
/* What records of TLV lists hold that is no template: events, management, systemd's text.
 */
#include <inttypes.h>
#include <string.h>

#include "show.h"

/* Data of an event that is longer is not shown as text. */
#define EVENT_SHOWN_MAX 256

/* Is it text, with or without a NUL at its end?  Then without it. */
static bool is_text(struct imalog_span *data)
{
	if (data->size && data->data[data->size - 1] == '\0')
		data->size--;
	for (size_t i = 0; i < data->size; i++)
		if (data->data[i] < 0x20 || data->data[i] > 0x7e)
			return false;
	return data->size > 0;
}

static json_t *systemd_json(const struct imalog_record *record)
{
	struct imalog_span data = imalog_record_data(record);
	json_t *json = NULL;

	if (imalog_record_content(record) == IMALOG_CONTENT_SYSTEMD && data.size)
		json = json_loadb((const char *)data.data, data.size,
				  JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

/* ---- columns ---- */

void put_index(FILE *cell, const struct imalog_record *record)
{
	switch (imalog_record_index(record)) {
	case IMALOG_INDEX_NV:
		fprintf(cell, "nv:0x%08" PRIx32, imalog_record_pcr(record));
		break;
	case IMALOG_INDEX_RTMR:
		fprintf(cell, "rtmr:%" PRIu32, imalog_record_pcr(record));
		break;
	case IMALOG_INDEX_PCR:
		fprintf(cell, "%" PRIu32, imalog_record_pcr(record));
		break;
	}
}

void put_template(FILE *cell, const struct imalog_record *record)
{
	struct imalog_span template = imalog_record_template(record);
	uint8_t type = imalog_record_content_type(record);
	const char *name = imalog_content_type_name(type);

	if (template.size)
		print_text(cell, template);
	else if (imalog_record_content(record) == IMALOG_CONTENT_TLV2018)
		fputs("tlv2018", cell);
	else if (name)
		fputs(name, cell);
	else
		fprintf(cell, "content-%u", type);
}

static void put_management(FILE *cell, const struct imalog_record *record)
{
	struct imalog_management entry;

	for (size_t i = 0; imalog_record_management(record, i, &entry); i++) {
		fprintf(cell, "%s%s", i ? "," : "", entry.type);
		if (entry.transition)
			fprintf(cell, "=%s", entry.transition);
		else if (strcmp(entry.type, "cel_version") == 0)
			fprintf(cell, "=%" PRIu64 ".%" PRIu64, entry.value, entry.minor);
		else if (strcmp(entry.type, "firmware_end") != 0)
			fprintf(cell, "=%" PRIu64, entry.value);
	}
}

void put_name(FILE *cell, const struct imalog_record *record)
{
	json_t *systemd = systemd_json(record),
	       *string = json_object_get(systemd, "string");
	struct imalog_span data;
	uint32_t type;

	if (imalog_record_event(record, &type, &data)) {
		if (imalog_event_type_name(type))
			fputs(imalog_event_type_name(type), cell);
		else
			fprintf(cell, "event-0x%08" PRIx32, type);
	} else if (json_is_string(string)) {
		print_text(cell, (struct imalog_span){
					 (const uint8_t *)json_string_value(string),
					 json_string_length(string) });
	} else {
		put_management(cell, record);
		print_text(cell, imalog_record_name(record));
	}
	json_decref(systemd);
}

void put_content_note(FILE *cell, const struct imalog_record *record)
{
	struct imalog_span data = { NULL, 0 };
	uint32_t type;

	if (!imalog_record_is_measured(record))
		fputs("not measured ", cell);
	if (imalog_record_event(record, &type, &data)) {
		size_t size = data.size;

		if (size <= EVENT_SHOWN_MAX && is_text(&data))
			print_quoted(cell, data);
		else
			fprintf(cell, "%zu bytes", size);
	} else if (imalog_record_content(record) == IMALOG_CONTENT_OTHER) {
		fprintf(cell, "content not known, %zu bytes",
			imalog_record_data(record).size);
	}
}

/* ---- JSON ---- */

/* Beyond what JSON's integers hold it is text. */
static json_t *uint_json(uint64_t value)
{
	if (value <= INT64_MAX)
		return json_integer((json_int_t)value);
	return json_sprintf("%" PRIu64, value);
}

static json_t *event_json(uint32_t type, struct imalog_span data)
{
	const char *name = imalog_event_type_name(type);
	json_t *json =
		json_pack("{s:o, s:o}", "type",
			  name ? json_string(name) : json_integer((json_int_t)type),
			  "data", json_hex(data));

	if (is_text(&data))
		json_object_set_new(json, "text", json_text(data));
	return json;
}

static json_t *management_json(const struct imalog_record *record)
{
	struct imalog_management entry;
	json_t *array = json_array();

	for (size_t i = 0; imalog_record_management(record, i, &entry); i++) {
		json_t *json = json_pack("{s:s}", "type", entry.type);

		if (entry.transition) {
			json_object_set_new(json, "data", json_string(entry.transition));
		} else if (strcmp(entry.type, "cel_version") == 0) {
			json_object_set_new(json, "major",
					    json_integer((json_int_t)entry.value));
			json_object_set_new(json, "minor",
					    json_integer((json_int_t)entry.minor));
		} else if (strcmp(entry.type, "firmware_end") != 0) {
			json_object_set_new(json, "data", uint_json(entry.value));
		}
		json_array_append_new(array, json);
	}
	return array;
}

static json_t *digests_json(const struct imalog_record *record)
{
	json_t *json = json_object();

	for (size_t i = 0; i < imalog_record_digests(record); i++) {
		enum imalog_alg alg;
		struct imalog_span digest = imalog_record_digest(record, i, &alg);

		json_object_set_new(json, imalog_alg_name(alg), json_hex(digest));
	}
	return json;
}

void set_content_json(json_t *json, const struct imalog_record *record)
{
	uint8_t type = imalog_record_content_type(record);
	const char *name = imalog_content_type_name(type);
	json_t *systemd = systemd_json(record);
	struct imalog_span data;
	uint64_t recnum;
	uint32_t event, pcr;

	/* That list has a type of its own, whatever CEL calls the like. */
	if (imalog_record_content(record) == IMALOG_CONTENT_TLV2018)
		name = "tlv2018";
	if (imalog_record_recnum(record, &recnum))
		json_object_set_new(json, "recnum", uint_json(recnum));
	if (imalog_record_mapped_pcr(record, &pcr))
		json_object_set_new(json, "mapped_pcr", json_integer(pcr));
	json_object_set_new(json, "content_type",
			    name ? json_string(name) : json_integer(type));
	json_object_set_new(json, "digests", digests_json(record));
	if (!imalog_record_is_measured(record))
		json_object_set_new(json, "measured", json_false());
	if (imalog_record_event(record, &event, &data))
		json_object_set_new(json, "event", event_json(event, data));
	if (imalog_record_content(record) == IMALOG_CONTENT_CEL)
		json_object_set_new(json, "management", management_json(record));
	if (systemd)
		json_object_set_new(json, "systemd", systemd);
}
