// SPDX-License-Identifier: GPL-2.0-or-later
/* A record as JSON. */
#include <string.h>

#include "payload.h"
#include "show.h"

/* The buffer that it measured, if it did */
static bool find_buffer(const struct imalog_record *record, struct imalog_span *ret)
{
	for (size_t i = 0; i < imalog_record_fields(record); i++)
		if (imalog_record_field_id(record, i) == IMALOG_FIELD_BUF) {
			*ret = imalog_record_field_data(record, i);
			return true;
		}
	return false;
}

json_t *record_payload(const struct imalog_record *record)
{
	struct imalog_span data;

	return find_buffer(record, &data) ? payload_decode(imalog_record_name(record), data) :
					    NULL;
}

bool record_is_malformed_marker(const struct imalog_record *record)
{
	struct imalog_marker marker;
	struct imalog_span data;

	return find_buffer(record, &data) &&
	       imalog_marker_parse(imalog_record_name(record), data, &marker, NULL, NULL) < 0;
}

static json_t *digest_json(enum imalog_field_id id, struct imalog_span data)
{
	struct imalog_digest_field parts;
	json_t *json = json_object();

	imalog_field_digest(id, data, &parts);
	if (parts.type.size)
		json_object_set_new(json, "type", json_text(parts.type));
	if (parts.alg.size)
		json_object_set_new(json, "algorithm", json_text(parts.alg));
	json_object_set_new(json, "digest", json_hex(parts.digest));
	return json;
}

static json_t *uints_json(struct imalog_span data, enum imalog_order order)
{
	json_t *array = json_array();

	if (data.size % 4)
		return json_hex(data);
	for (size_t at = 0; at < data.size; at += 4) {
		struct imalog_span one = { data.data + at, 4 };
		uint64_t value = 0;

		imalog_field_uint(one, order, &value);
		json_array_append_new(array, json_integer((json_int_t)value));
	}
	return array;
}

static json_t *field_json(const struct imalog_record *record, size_t i)
{
	enum imalog_field_id id = imalog_record_field_id(record, i);
	struct imalog_span data = imalog_record_field_data(record, i);
	uint64_t value;

	switch (imalog_field_id_type(id)) {
	case IMALOG_TYPE_DIGEST:
		return digest_json(id, data);
	case IMALOG_TYPE_TEXT:
		return json_text(imalog_field_text(data));
	case IMALOG_TYPE_UINTS:
		return uints_json(data, imalog_record_order(record));
	case IMALOG_TYPE_UINT:
		if (imalog_field_uint(data, imalog_record_order(record), &value))
			return json_integer((json_int_t)value);
		break;
	case IMALOG_TYPE_BYTES:
		break;
	}
	return json_hex(data);
}

/* The id of field @i; with "#2" when it is the second of that id, and so on. */
static void field_key(const struct imalog_record *record, size_t i, char *key, size_t size)
{
	enum imalog_field_id id = imalog_record_field_id(record, i);
	size_t nr = 1;

	for (size_t before = 0; before < i; before++)
		nr += imalog_record_field_id(record, before) == id;
	snprintf(key, size, nr > 1 ? "%s#%zu" : "%s", imalog_field_id_name(id), nr);
}

static json_t *fields_json(const struct imalog_record *record)
{
	json_t *fields = json_object();

	for (size_t i = 0; i < imalog_record_fields(record); i++) {
		char key[32];

		field_key(record, i, key, sizeof(key));
		json_object_set_new(fields, key, field_json(record, i));
	}
	return fields;
}

json_t *record_json(const struct imalog_record *record, enum imalog_fit fit)
{
	static const char *const indexes[] = { [IMALOG_INDEX_PCR] = "pcr",
					       [IMALOG_INDEX_NV] = "nv_index",
					       [IMALOG_INDEX_RTMR] = "rtmr" };
	json_t *json = json_pack("{s:I, s:I, s:I, s:o, s:o}", "record",
				 (json_int_t)imalog_record_number(record), "offset",
				 (json_int_t)imalog_record_offset(record),
				 indexes[imalog_record_index(record)],
				 (json_int_t)imalog_record_pcr(record), "template_digest",
				 json_hex(imalog_record_digest(record, 0, NULL)),
				 "template", json_text(imalog_record_template(record)));
	json_t *payload = record_payload(record);
	uint64_t recnum;
	bool is_tlv = imalog_record_recnum(record, &recnum) ||
		      imalog_record_content(record) > IMALOG_CONTENT_DIGEST_ONLY;

	if (imalog_record_content(record) == IMALOG_CONTENT_DIGEST_ONLY)
		json_object_set_new(json, "text", json_text(imalog_record_data(record)));
	else if (imalog_record_fields(record) == 0)
		json_object_set_new(json, "data", json_hex(imalog_record_data(record)));
	else
		json_object_set_new(json, "fields", fields_json(record));
	json_object_set_new(json, "digest_fits",
			    fit == IMALOG_FIT_UNKNOWN ? json_null() :
							json_boolean(fit == IMALOG_FIT_YES));
	if (imalog_record_is_violation(record))
		json_object_set_new(json, "violation", json_true());
	if (payload)
		json_object_set_new(json, "decoded", payload);
	if (is_tlv)
		set_content_json(json, record);
	if (record_is_malformed_marker(record))
		json_object_set_new(json, "malformed_marker", json_true());
	return json;
}
