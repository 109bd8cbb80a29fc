// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Content of the TCG Canonical Event Log as the value of its TLV; integers are big-endian
 *
 *	cel		one or more of 1 version { 0 major, 1 minor }, 2 end of the firmware
 *			(empty), 80 timestamp (integer), 81 transition (0 suspend, 1 hibernate,
 *			2 kexec)
 *	pcclient_std	0 event type (integer), 1 event data
 *	ima_template	0 name, 1 template data
 *	ima_tlv		0 path, 1 digest, 2 signature, 3 owner, 4 group, 5 mode, 6 timestamp,
 *			7 label
 */
#include "cel.h"

/* A TLV that must come next */
static int expect(struct imalog_cursor *cursor, uint8_t wanted, const char *field,
		  struct imalog_span *value, struct imalog_error *error)
{
	uint8_t type;
	int rc = imalog_tlv_next(cursor, field, &type, value, error);

	if (rc == 0 && type != wanted)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field,
				   "type %u, %u is right", type, wanted);
	return rc;
}

/* @least: 0 in management content, where there are writers that give 0 no byte */
static int expect_uint(struct imalog_cursor *cursor, uint8_t wanted, const char *field,
		       size_t least, uint64_t max, uint64_t *ret, struct imalog_error *error)
{
	struct imalog_span value;
	int rc = expect(cursor, wanted, field, &value, error);

	if (rc < 0)
		return rc;
	if (value.size < least || !imalog_tlv_uint(value, cursor->order, ret))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, field,
				   "a number of %zu bytes, %zu to 8 are possible", value.size,
				   least);
	if (*ret > max)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field,
				   "%llu exceeds the largest possible value, %llu",
				   (unsigned long long)*ret, (unsigned long long)max);
	return 0;
}

static int nothing_left(const struct imalog_cursor *cursor, const char *field,
			struct imalog_error *error)
{
	if (cursor->left)
		return imalog_fail(error, IMALOG_ERR_TRAILING, field,
				   "%zu bytes are left over behind the last part",
				   cursor->left);
	return 0;
}

static int parse_event(struct imalog_span content, uint32_t *type,
		       struct imalog_span *data, struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(content, IMALOG_ORDER_BE);
	uint64_t value;
	int rc = expect_uint(&cursor, 0, "event type", 1, UINT32_MAX, &value, error);

	if (rc == 0)
		rc = expect(&cursor, 1, "event data", data, error);
	if (rc < 0)
		return rc;
	*type = (uint32_t)value;
	return nothing_left(&cursor, "event data", error);
}

/* Major and minor, in either order */
static int parse_version(struct imalog_span value, struct imalog_cel_entry *ret,
			 struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(value, IMALOG_ORDER_BE);
	uint8_t first = value.size && value.data[0] == 1;
	uint64_t *parts[] = { &ret->value, &ret->minor };
	int rc = expect_uint(&cursor, first, "cel_version", 0, IMALOG_CEL_VERSION_MAX,
			     parts[first], error);

	if (rc == 0)
		rc = expect_uint(&cursor, !first, "cel_version", 0, IMALOG_CEL_VERSION_MAX,
				 parts[!first], error);
	return rc < 0 ? rc : nothing_left(&cursor, "cel_version", error);
}

/* The next entry of management content */
static int next_entry(struct imalog_cursor *cursor, struct imalog_cel_entry *ret,
		      struct imalog_error *error)
{
	struct imalog_cursor rest = *cursor, whole;
	struct imalog_span value;
	uint8_t type;
	int rc = imalog_tlv_next(&rest, "content", &type, &value, error);

	if (rc < 0)
		return rc;
	whole = imalog_cursor_over((struct imalog_span){ cursor->data,
							 cursor->left - rest.left },
				   IMALOG_ORDER_BE);
	*cursor = rest;
	*ret = (struct imalog_cel_entry){ .type = type };
	switch (type) {
	case IMALOG_CEL_VERSION:
		return parse_version(value, ret, error);
	case IMALOG_CEL_FIRMWARE_END:
		rest = imalog_cursor_over(value, IMALOG_ORDER_BE);
		return nothing_left(&rest, "firmware_end", error);
	case IMALOG_CEL_TIMESTAMP:
	case 0x80:
		ret->type = IMALOG_CEL_TIMESTAMP;
		return expect_uint(&whole, type, "cel_timestamp", 0, UINT64_MAX,
				   &ret->value, error);
	case IMALOG_CEL_STATE_TRANS:
	case 0x81:
		ret->type = IMALOG_CEL_STATE_TRANS;
		return expect_uint(&whole, type, "state_trans", 0, 2, &ret->value, error);
	default:
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "content",
				   "management type %u is not known", type);
	}
}

static int parse_management(struct imalog_record *record, struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(record->data, IMALOG_ORDER_BE);
	size_t entries = 0;

	record->cel.unmeasured = true;
	while (cursor.left || entries == 0) {
		struct imalog_cel_entry entry;
		int rc = next_entry(&cursor, &entry, error);

		if (rc < 0)
			return rc;
		if (++entries > IMALOG_CEL_ENTRIES_MAX)
			return imalog_fail(error, IMALOG_ERR_LIMIT, "content",
					   "more than %d management entries",
					   IMALOG_CEL_ENTRIES_MAX);
		if (entry.type != IMALOG_CEL_VERSION &&
		    entry.type != IMALOG_CEL_FIRMWARE_END)
			record->cel.unmeasured = false;
	}
	return 0;
}

int imalog_cel_set_content(struct imalog_record *record, uint8_t type,
			   struct imalog_span value, struct imalog_error *error)
{
	const uint32_t no_action = 3;
	struct imalog_span data;
	uint32_t event;
	int rc;

	if (value.size > IMALOG_CEL_CONTENT_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "content",
				   "%zu bytes exceed the limit of %u", value.size,
				   IMALOG_CEL_CONTENT_MAX);
	record->cel.type = type;
	record->data = value;
	switch (type) {
	case IMALOG_CEL_MANAGEMENT:
		record->content = IMALOG_CONTENT_CEL;
		return parse_management(record, error);
	case IMALOG_CEL_PCCLIENT:
		record->content = IMALOG_CONTENT_PCCLIENT;
		rc = parse_event(value, &event, &data, error);
		record->cel.unmeasured = rc == 0 && event == no_action;
		return rc;
	case IMALOG_CEL_IMA_TLV:
		record->content = IMALOG_CONTENT_IMA_TLV;
		for (int i = 0; i < 4; i++)
			record->cel.head[1 + i] = (uint8_t)(value.size >> (24 - 8 * i));
		record->cel.head[0] = type;
		return imalog_cel_parse_ima_tlv(record, error);
	case IMALOG_CEL_SYSTEMD:
		record->content = IMALOG_CONTENT_SYSTEMD;
		return 0;
	default:
		record->content = IMALOG_CONTENT_OTHER;
		return 0;
	}
}

/* ---- content as it is understood ---- */

bool imalog_cel_entry(struct imalog_span content, size_t i, struct imalog_cel_entry *ret)
{
	struct imalog_cursor cursor = imalog_cursor_over(content, IMALOG_ORDER_BE);

	do
		if (cursor.left == 0 || next_entry(&cursor, ret, NULL) < 0)
			return false;
	while (i-- > 0);
	return true;
}

void imalog_cel_add_entry(struct imalog_buffer *out, const struct imalog_cel_entry *entry)
{
	size_t major = imalog_uint_size(entry->value),
	       minor = imalog_uint_size(entry->minor);

	if (entry->type == IMALOG_CEL_VERSION) {
		imalog_tlv_add_head(out, entry->type,
				    2 * IMALOG_TLV_HEAD + major + minor);
		imalog_tlv_add_uint(out, 0, entry->value, major);
		imalog_tlv_add_uint(out, 1, entry->minor, minor);
	} else if (entry->type == IMALOG_CEL_FIRMWARE_END) {
		imalog_tlv_add_head(out, entry->type, 0);
	} else {
		imalog_tlv_add_uint(out, entry->type, entry->value, major);
	}
}

int imalog_cel_check_entries(const struct imalog_record *record, struct imalog_error *error)
{
	struct imalog_buffer again = { NULL, 0, 0, false };
	struct imalog_cel_entry entry;
	bool same, failed;

	for (size_t i = 0; imalog_cel_entry(record->data, i, &entry); i++)
		imalog_cel_add_entry(&again, &entry);
	same = imalog_span_equal((struct imalog_span){ again.data, again.size }, record->data);
	failed = again.failed;
	imalog_buffer_free(&again);
	if (failed)
		return imalog_fail_nomem(error);
	if (same || record->cel.unmeasured)
		return 0;
	return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "content",
			   "a measured entry has a number of more bytes than it needs, or type "
			   "128 or 129, which is lost in anything but TLVs");
}

const char *imalog_cel_entry_name(uint8_t type)
{
	switch (type) {
	case IMALOG_CEL_VERSION:
		return "cel_version";
	case IMALOG_CEL_FIRMWARE_END:
		return "firmware_end";
	case IMALOG_CEL_TIMESTAMP:
		return "cel_timestamp";
	default:
		return "state_trans";
	}
}

const char *imalog_cel_transition_name(uint64_t value)
{
	static const char *const names[] = { "suspend", "hibernate", "kexec" };

	return value < IMALOG_ARRAY_SIZE(names) ? names[value] : NULL;
}

void imalog_cel_add_event(struct imalog_buffer *out, uint32_t type,
			  struct imalog_span data)
{
	imalog_tlv_add_uint(out, 0, type, 4);
	imalog_tlv_add_head(out, 1, data.size);
	imalog_buffer_add_span(out, data);
}

bool imalog_record_event(const struct imalog_record *record, uint32_t *type,
			 struct imalog_span *data)
{
	return record->content == IMALOG_CONTENT_PCCLIENT &&
	       parse_event(record->data, type, data, NULL) == 0;
}

bool imalog_record_management(const struct imalog_record *record, size_t i,
			      struct imalog_management *ret)
{
	struct imalog_cel_entry entry;

	if (record->content != IMALOG_CONTENT_CEL ||
	    !imalog_cel_entry(record->data, i, &entry))
		return false;
	*ret = (struct imalog_management){ imalog_cel_entry_name(entry.type), entry.value,
					   entry.minor, NULL };
	if (entry.type == IMALOG_CEL_STATE_TRANS)
		ret->transition = imalog_cel_transition_name(entry.value);
	return true;
}

const char *imalog_content_type_name(uint8_t type)
{
	switch (type) {
	case IMALOG_CEL_MANAGEMENT:
		return "cel";
	case IMALOG_CEL_PCCLIENT:
		return "pcclient_std";
	case IMALOG_CEL_IMA_TEMPLATE:
		return "ima_template";
	case IMALOG_CEL_IMA_TLV:
		return "ima_tlv";
	case IMALOG_CEL_SYSTEMD:
		return "systemd";
	default:
		return NULL;
	}
}
