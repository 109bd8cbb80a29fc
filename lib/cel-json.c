// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Canonical Event Log, JSON encoding: reader
 *
 * CEL v1.0 and v1.1, section 5.3: an array of objects.  One object alone, objects one after the
 * other, and a text sequence (RFC 7464, as systemd writes it) are read, too:
 *
 *	{ "recnum": 0, "pcr": 10, "digests": [ { "hashAlg": "sha256", "digest": HEX } ],
 *	  "content_type": "ima_template",
 *	  "content": { "template_name": "ima-ng", "template_data": HEX } }
 *
 * The end of each object is found first, so that never more than one of them is in memory and
 * that it has no more values than a record can use; then jansson reads it.
 */
#include <string.h>

#include <jansson.h>

#include "cel.h"

static bool sniff(struct imalog_span start)
{
	size_t i = 0;

	while (i < start.size && imalog_json_is_blank(start.data[i]))
		i++;
	return i < start.size && (start.data[i] == '[' || start.data[i] == '{' ||
				  start.data[i] == IMALOG_JSON_SEPARATOR);
}

static int start(struct imalog_reader *reader, struct imalog_error *error)
{
	(void)error;
	reader->layout.order = reader->forced_order ? reader->forced_order :
						      IMALOG_ORDER_LE;
	return 0;
}

/* ---- values ---- */

static struct imalog_span text_of(const json_t *json)
{
	return (struct imalog_span){ (const uint8_t *)json_string_value(json),
				     json_string_length(json) };
}

/* Decodes hexadecimal into the reader's arena. */
static int get_hex(struct imalog_reader *reader, const json_t *json, const char *field,
		   struct imalog_span *ret, struct imalog_error *error)
{
	struct imalog_span text = text_of(json);
	char shown[IMALOG_PRINTABLE_MAX];
	uint8_t *to;

	if (!json_is_string(json))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field,
				   "%s text of hexadecimal digits",
				   json ? "it is no" : "there is no");
	to = imalog_arena_room(&reader->rebuilt, text.size / 2);
	if (!to)
		return imalog_fail_nomem(error);
	if (!imalog_hex_decode(text, to))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field,
				   "'%s' is not hexadecimal",
				   imalog_printable(text, shown));
	imalog_arena_take(&reader->rebuilt, text.size / 2);
	*ret = (struct imalog_span){ to, text.size / 2 };
	return 0;
}

/* An object with no other keys than these; what is not known would be lost in silence. */
static int check_keys(json_t *json, const char *field, const char *const *keys, size_t nr,
		      struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];
	const char *key;
	json_t *value;

	if (!json_is_object(json))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field, "%s object",
				   json ? "it is no" : "there is no");
	json_object_foreach(json, key, value)
	{
		size_t i = 0;

		while (i < nr && strcmp(keys[i], key) != 0)
			i++;
		if (i == nr)
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field,
					   "key '%s' is not known",
					   imalog_printable(imalog_span_of(key), shown));
	}
	return 0;
}

/* ---- digests and index ---- */

static int get_alg(const json_t *json, uint64_t *ret, struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];
	enum imalog_alg alg;

	if (!json_is_string(json))
		return imalog_json_get_uint(json, "hashAlg", UINT16_MAX, ret, error);
	alg = imalog_alg_by_name(json_string_value(json));
	if (!alg)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "hashAlg",
				   "hash algorithm '%s' is not known",
				   imalog_printable(text_of(json), shown));
	*ret = imalog_alg_tpm_id(alg);
	return 0;
}

static int get_digests(struct imalog_reader *reader, struct imalog_record *record,
		       const json_t *digests, struct imalog_error *error)
{
	static const char *const keys[] = { "hashAlg", "digest" };
	json_t *one;
	size_t i;
	int rc = 0;

	if (digests && !json_is_array(digests))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digests",
				   "it is no array");
	json_array_foreach(digests, i, one)
	{
		struct imalog_span digest;
		uint64_t alg;

		rc = check_keys(one, "digests", keys, IMALOG_ARRAY_SIZE(keys), error);
		if (rc == 0)
			rc = get_alg(json_object_get(one, "hashAlg"), &alg, error);
		if (rc == 0)
			rc = get_hex(reader, json_object_get(one, "digest"), "digest",
				     &digest, error);
		if (rc == 0)
			rc = imalog_cel_add_digest(record, alg, digest, error);
		if (rc < 0)
			break;
	}
	return rc;
}

static int get_index(struct imalog_record *record, const json_t *json,
		     struct imalog_error *error)
{
	static const struct {
		const char *key;
		enum imalog_index kind;
	} kinds[] = { { "pcr", IMALOG_INDEX_PCR },
		      { "nv_index", IMALOG_INDEX_NV },
		      { "rtmr", IMALOG_INDEX_RTMR } };
	const json_t *mapped = json_object_get(json, "mapped_pcr");
	size_t found = 0, which = 0;
	uint64_t index;
	int rc;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(kinds); i++) {
		if (!json_object_get(json, kinds[i].key))
			continue;
		which = i;
		found++;
	}
	if (found != 1)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "index",
				   "%zu of pcr, nv_index and rtmr are there, 1 is right",
				   found);
	rc = imalog_json_get_uint(json_object_get(json, kinds[which].key),
				  kinds[which].key, UINT32_MAX, &index, error);
	if (rc == 0)
		rc = imalog_cel_set_index(record, kinds[which].kind, index, error);
	if (rc < 0 || !mapped)
		return rc;
	if (kinds[which].kind != IMALOG_INDEX_RTMR)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "mapped_pcr",
				   "only an RTMR stands for a PCR");
	rc = imalog_json_get_uint(mapped, "mapped_pcr", IMALOG_PCR_MAX, &index, error);
	record->cel.has_mapped = true;
	record->cel.mapped = (uint32_t)index;
	return rc;
}

/* ---- content ---- */

static int get_template(struct imalog_reader *reader, struct imalog_record *record,
			json_t *content, struct imalog_error *error)
{
	static const char *const keys[] = { "template_name", "template_data" };
	const json_t *json = json_object_get(content, "template_name");
	struct imalog_span name, data;
	int rc = check_keys(content, "content", keys, IMALOG_ARRAY_SIZE(keys), error);

	if (rc == 0 && !json_is_string(json))
		rc = imalog_fail(error, IMALOG_ERR_BAD_VALUE, "template_name", "%s text",
				 json ? "it is no" : "there is no");
	if (rc == 0)
		rc = get_hex(reader, json_object_get(content, "template_data"),
			     "template_data", &data, error);
	if (rc == 0)
		rc = imalog_cel_keep(reader, text_of(json), &name, error);
	return rc < 0 ? rc : imalog_cel_set_template(reader, record, name, data, error);
}

static int get_event(struct imalog_reader *reader, json_t *content,
		     struct imalog_buffer *out, struct imalog_error *error)
{
	static const char *const keys[] = { "event_type", "event_data" };
	const json_t *json = json_object_get(content, "event_type");
	char shown[IMALOG_PRINTABLE_MAX];
	struct imalog_span data;
	uint64_t number;
	uint32_t type;
	int rc = check_keys(content, "content", keys, IMALOG_ARRAY_SIZE(keys), error);

	if (rc < 0)
		return rc;
	if (!json_is_string(json)) {
		rc = imalog_json_get_uint(json, "event_type", UINT32_MAX, &number, error);
		type = rc < 0 ? 0 : (uint32_t)number;
	} else if (!imalog_event_type_by_name(text_of(json), &type)) {
		rc = imalog_fail(error, IMALOG_ERR_BAD_VALUE, "event_type",
				 "event '%s' is not known",
				 imalog_printable(text_of(json), shown));
	}
	if (rc == 0)
		rc = get_hex(reader, json_object_get(content, "event_data"), "event_data",
			     &data, error);
	if (rc == 0)
		imalog_cel_add_event(out, type, data);
	return rc;
}

/* As it stands: to write it anew could change it. */
static int get_systemd(const struct imalog_record *record, const json_t *content,
		       struct imalog_span *ret, struct imalog_error *error)
{
	int rc = imalog_systemd_check(content, error);

	if (rc == 0 && !imalog_json_value(record->raw, "content", ret))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "content",
				   "its key is written with escapes");
	return rc;
}

static int get_type(const json_t *json, uint8_t *ret, struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];
	uint64_t number = 0;
	int rc = 0;

	if (!json_is_string(json))
		rc = imalog_json_get_uint(json, "content_type", UINT8_MAX, &number,
					  error);
	for (uint8_t type = 4; rc == 0 && type <= IMALOG_CEL_SYSTEMD; type++) {
		const char *name = imalog_content_type_name(type);

		if (!name ||
		    (json_is_string(json) ? strcmp(name, json_string_value(json)) != 0 :
					    type != number))
			continue;
		*ret = type;
		return 0;
	}
	if (rc == 0 && json_is_string(json))
		rc = imalog_fail(error, IMALOG_ERR_BAD_VALUE, "content_type",
				 "content type '%s' is not known",
				 imalog_printable(text_of(json), shown));
	else if (rc == 0)
		rc = imalog_fail(error, IMALOG_ERR_BAD_VALUE, "content_type",
				 "content type %u is not known", (unsigned int)number);
	return rc;
}

static int get_content(struct imalog_reader *reader, struct imalog_record *record,
		       const json_t *json, struct imalog_error *error)
{
	json_t *content = json_object_get(json, "content");
	struct imalog_buffer built = { NULL, 0, 0, false };
	struct imalog_span value = { NULL, 0 };
	bool is_built;
	uint8_t type = 0;
	int rc = get_type(json_object_get(json, "content_type"), &type, error);

	if (rc < 0)
		return rc;
	if (type == IMALOG_CEL_IMA_TEMPLATE)
		return get_template(reader, record, content, error);
	is_built = type == IMALOG_CEL_PCCLIENT || type == IMALOG_CEL_MANAGEMENT;
	if (type == IMALOG_CEL_PCCLIENT)
		rc = get_event(reader, content, &built, error);
	else if (type == IMALOG_CEL_MANAGEMENT)
		rc = imalog_cel_json_management(content, &built, error);
	else if (type == IMALOG_CEL_SYSTEMD && !json_is_string(content))
		rc = get_systemd(record, content, &value, error);
	else
		rc = get_hex(reader, content, "content", &value, error);
	if (built.failed)
		rc = imalog_fail_nomem(error);
	if (rc == 0 && is_built)
		rc = imalog_cel_keep(reader,
				     (struct imalog_span){ built.data, built.size },
				     &value, error);
	imalog_buffer_free(&built);
	return rc < 0 ? rc : imalog_cel_set_content(record, type, value, error);
}

/* ---- a record ---- */

static int get_record(struct imalog_reader *reader, struct imalog_record *record,
		      json_t *json, struct imalog_error *error)
{
	static const char *const keys[] = { "recnum",	    "pcr",	  "nv_index",
					    "rtmr",	    "mapped_pcr", "digests",
					    "content_type", "content" };
	const json_t *recnum = json_object_get(json, "recnum");
	int rc = check_keys(json, "JSON", keys, IMALOG_ARRAY_SIZE(keys), error);

	if (rc == 0 && recnum) {
		rc = imalog_json_get_uint(recnum, "recnum", INT64_MAX,
					  &record->cel.recnum, error);
		record->cel.has_recnum = true;
	}
	if (rc == 0)
		rc = get_index(record, json, error);
	if (rc == 0)
		rc = get_digests(reader, record, json_object_get(json, "digests"), error);
	if (rc == 0)
		rc = get_content(reader, record, json, error);
	return rc < 0 ? rc : imalog_cel_finish(record, error);
}

static int next(struct imalog_reader *reader, struct imalog_record *record,
		struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];
	json_error_t why;
	json_t *json;
	size_t size = 0;
	int rc = imalog_json_find(reader, &size, error);

	if (rc <= 0)
		return rc;
	record->offset = reader->window.offset;
	imalog_cel_begin(record);
	record->raw =
		(struct imalog_span){ imalog_window_span(&reader->window).data, size };
	json = json_loadb((const char *)record->raw.data, size, JSON_REJECT_DUPLICATES,
			  &why);
	if (!json && json_error_code(&why) == json_error_out_of_memory)
		return imalog_fail_nomem(error);
	if (!json)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "JSON", "byte %d: %s",
				   why.position,
				   imalog_printable(imalog_span_of(why.text), shown));
	rc = get_record(reader, record, json, error);
	json_decref(json);
	if (rc < 0)
		return rc;
	imalog_json_passed(reader, size);
	return 1;
}

const struct imalog_format_ops imalog_cel_json_ops = { IMALOG_FORMAT_CEL_JSON, sniff,
						       start, next };
