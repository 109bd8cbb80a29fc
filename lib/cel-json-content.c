// SPDX-License-Identifier: LGPL-2.1-or-later
/* Names and objects in CEL-JSON: algorithms, systemd's content, management content. */
#include <string.h>

#include <jansson.h>

#include "cel.h"

const char *imalog_cel_alg_name(enum imalog_alg alg)
{
	switch (alg) {
	case IMALOG_ALG_SM3:
		return "sm3_256";
	case IMALOG_ALG_SHA3_256:
		return "sha3_256";
	case IMALOG_ALG_SHA3_384:
		return "sha3_384";
	case IMALOG_ALG_SHA3_512:
		return "sha3_512";
	default:
		return imalog_alg_name(alg);
	}
}

/* json_dump_callback_t; jansson does not take DEL for a control character. */
static int add_dumped(const char *text, size_t size, void *out)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] == 0x7f)
			imalog_buffer_add(out, "\\u007f", 6);
		else
			imalog_buffer_add(out, text + i, 1);
	}
	return 0;
}

void imalog_json_add_string(struct imalog_buffer *out, struct imalog_span text)
{
	json_t *json = json_stringn((const char *)text.data, text.size);

	if (!json || json_dump_callback(json, add_dumped, out,
					JSON_ENCODE_ANY | JSON_ENSURE_ASCII) != 0)
		out->failed = true;
	json_decref(json);
}

/* ---- systemd: tpm2_userspace_log() in src/shared/tpm2-util.c ---- */

static const char *const event_types[] = {
	"phase",      "filesystem", "volume-key", "machine-id",
	"product-id", "keyslot",    "nvpcr-init", "nvpcr-separator",
};

static bool is_event_type(const json_t *json)
{
	if (json_is_integer(json))
		return json_integer_value(json) >= 0 &&
		       (uint64_t)json_integer_value(json) <
			       IMALOG_ARRAY_SIZE(event_types);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(event_types) && json_is_string(json);
	     i++)
		if (strcmp(event_types[i], json_string_value(json)) == 0)
			return true;
	return false;
}

static bool is_boot_id(const json_t *json)
{
	struct imalog_span text = { (const uint8_t *)json_string_value(json),
				    json_string_length(json) };
	uint8_t id[16];

	return text.size == 2 * sizeof(id) && imalog_hex_decode(text, id);
}

int imalog_systemd_check(const json_t *content, struct imalog_error *error)
{
	const json_t *boot_id = json_object_get(content, "bootId");
	const json_t *timestamp = json_object_get(content, "timestamp");
	const char *field = NULL;

	if (!json_is_object(content))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "content",
				   "it is neither an object nor hexadecimal");
	if (!json_is_string(json_object_get(content, "string")))
		field = "string";
	else if (boot_id && !is_boot_id(boot_id))
		field = "bootId";
	else if (timestamp &&
		 (!json_is_integer(timestamp) || json_integer_value(timestamp) < 0))
		field = "timestamp";
	else if (!is_event_type(json_object_get(content, "eventType")))
		field = "eventType";
	if (field)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field,
				   "it is missing, or not what systemd writes there");
	return 0;
}

/* ---- management ---- */

int imalog_json_get_uint(const json_t *json, const char *field, uint64_t max,
			 uint64_t *ret, struct imalog_error *error)
{
	if (!json_is_integer(json) || json_integer_value(json) < 0 ||
	    (uint64_t)json_integer_value(json) > max)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field,
				   "%s number from 0 to %llu",
				   json ? "it is no" : "there is no",
				   (unsigned long long)max);
	*ret = (uint64_t)json_integer_value(json);
	return 0;
}

static int get_type(const json_t *json, uint8_t *ret, struct imalog_error *error)
{
	static const uint8_t types[] = { IMALOG_CEL_VERSION, IMALOG_CEL_FIRMWARE_END,
					 IMALOG_CEL_TIMESTAMP, IMALOG_CEL_STATE_TRANS };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(types); i++) {
		if (json_is_integer(json) ?
			    json_integer_value(json) != types[i] :
			    !json_is_string(json) ||
				    strcmp(json_string_value(json),
					   imalog_cel_entry_name(types[i])) != 0)
			continue;
		*ret = types[i];
		return 0;
	}
	return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "type",
			   "it is missing, or no type of management record");
}

static int get_transition(const json_t *json, uint64_t *ret, struct imalog_error *error)
{
	if (!json_is_string(json))
		return imalog_json_get_uint(json, "state_trans", 2, ret, error);
	for (*ret = 0; imalog_cel_transition_name(*ret); (*ret)++)
		if (strcmp(imalog_cel_transition_name(*ret), json_string_value(json)) ==
		    0)
			return 0;
	return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "state_trans",
			   "it is not suspend, hibernate or kexec");
}

static int get_version(const json_t *data, struct imalog_cel_entry *entry,
		       struct imalog_error *error)
{
	int rc;

	if (json_object_size(data) > 2)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "cel_version",
				   "there is more than major and minor");
	rc = imalog_json_get_uint(json_object_get(data, "major"), "cel_version",
				  IMALOG_CEL_VERSION_MAX, &entry->value, error);
	return rc < 0 ?
		       rc :
		       imalog_json_get_uint(json_object_get(data, "minor"), "cel_version",
					    IMALOG_CEL_VERSION_MAX, &entry->minor, error);
}

static int get_entry(const json_t *json, struct imalog_buffer *out,
		     struct imalog_error *error)
{
	const json_t *data = json_object_get(json, "data");
	struct imalog_cel_entry entry = { .value = 0 };
	int rc = get_type(json_object_get(json, "type"), &entry.type, error);

	if (rc < 0)
		return rc;
	if (json_object_size(json) > (data ? 2u : 1u))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "content",
				   "there is more than type and data");
	if (entry.type == IMALOG_CEL_VERSION)
		rc = get_version(data, &entry, error);
	else if (entry.type == IMALOG_CEL_TIMESTAMP)
		rc = imalog_json_get_uint(data, "cel_timestamp", INT64_MAX, &entry.value,
					  error);
	else if (entry.type == IMALOG_CEL_STATE_TRANS)
		rc = get_transition(data, &entry.value, error);
	else if (data && !json_is_null(data))
		rc = imalog_fail(error, IMALOG_ERR_BAD_VALUE, "firmware_end",
				 "it has no data");
	if (rc == 0)
		imalog_cel_add_entry(out, &entry);
	return rc;
}

int imalog_cel_json_management(const json_t *content, struct imalog_buffer *out,
			       struct imalog_error *error)
{
	json_t *one;
	size_t i;

	if (!json_is_array(content))
		return get_entry(content, out, error);
	json_array_foreach(content, i, one)
	{
		int rc = get_entry(one, out, error);

		if (rc < 0)
			return rc;
	}
	return 0;
}
