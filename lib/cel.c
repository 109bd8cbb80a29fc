// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The TCG Canonical Event Log, whatever its encoding: what its records may hold
 *
 * Every kind of content is kept as the value of its TLV, so that a record that came as JSON or
 * CBOR is the same as one that came as TLV:
 *
 *	cel		one or more of 1 version { 0 major, 1 minor }, 2 end of the firmware (empty),
 *			80 timestamp (integer), 81 transition (0 suspend, 1 hibernate, 2 kexec)
 *	pcclient_std	0 event type (integer), 1 event data
 *	ima_template	0 name, 1 template data
 *	ima_tlv		0 path, 1 digest, 2 signature, 3 owner, 4 group, 5 mode, 6 timestamp, 7 label
 */
#include "cel.h"

/* ---- nested TLVs ---- */

int imalog_tlv_next(struct imalog_cursor *cursor, const char *field, uint8_t *type,
		    struct imalog_span *value, struct imalog_error *error)
{
	struct imalog_cursor rest = *cursor;
	uint64_t tag;
	uint32_t size;

	if (rest.left < IMALOG_TLV_HEAD)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, field,
				   "type and length need %d bytes, %zu are left", IMALOG_TLV_HEAD,
				   rest.left);
	imalog_cursor_uint(&rest, 1, &tag);
	imalog_cursor_u32(&rest, &size);
	if (!imalog_cursor_bytes(&rest, size, value))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, field,
				   "length %u of type %u exceeds %zu bytes left", size,
				   (unsigned int)tag, rest.left);
	*type = (uint8_t)tag;
	*cursor = rest;
	return 0;
}

bool imalog_tlv_uint(struct imalog_span value, enum imalog_order order, uint64_t *ret)
{
	struct imalog_cursor cursor = imalog_cursor_over(value, order);

	*ret = 0;
	return value.size == 0 || imalog_cursor_uint(&cursor, value.size, ret);
}

void imalog_tlv_add_head(struct imalog_buffer *out, uint8_t type, size_t size)
{
	uint8_t head[IMALOG_TLV_HEAD] = { type, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
					  (uint8_t)(size >> 8), (uint8_t)size };

	imalog_buffer_add(out, head, sizeof(head));
}

void imalog_tlv_add_uint(struct imalog_buffer *out, uint8_t type, uint64_t value, size_t size)
{
	imalog_tlv_add_head(out, type, size);
	for (size_t i = size; i-- > 0;) {
		uint8_t byte = (uint8_t)(value >> (8 * i));

		imalog_buffer_add(out, &byte, 1);
	}
}

size_t imalog_uint_size(uint64_t value)
{
	size_t size = 1;

	while (size < 8 && value >> (8 * size))
		size++;
	return size;
}

/* ---- index and digests ---- */

void imalog_cel_begin(struct imalog_record *record)
{
	record->is_nv = false;
	record->violation = false;
	record->fit = IMALOG_FIT_UNKNOWN;
	record->order = IMALOG_ORDER_BE;
	record->hash_order = IMALOG_ORDER_AUTO;
	record->template_name = (struct imalog_span){ NULL, 0 };
	record->data = (struct imalog_span){ NULL, 0 };
	record->nr_digests = 0;
	record->digests[0] = (struct imalog_recorded_digest){ IMALOG_ALG_NONE, { NULL, 0 } };
	record->nr_fields = 0;
}

int imalog_cel_set_index(struct imalog_record *record, enum imalog_index kind, uint64_t index,
			 struct imalog_error *error)
{
	uint64_t max = kind == IMALOG_INDEX_PCR ? IMALOG_CEL_PCR_MAX : UINT32_MAX;

	if (index > max)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE,
				   kind == IMALOG_INDEX_PCR ? "PCR" : "index",
				   "number %llu exceeds the largest possible one, %llu",
				   (unsigned long long)index, (unsigned long long)max);
	record->index = (uint32_t)index;
	record->is_nv = kind != IMALOG_INDEX_PCR;
	record->cel.kind = kind;
	return 0;
}

int imalog_cel_add_digest(struct imalog_record *record, uint64_t tpm_id, struct imalog_span digest,
			  struct imalog_error *error)
{
	enum imalog_alg alg =
		tpm_id <= UINT16_MAX ? imalog_alg_by_tpm_id((uint16_t)tpm_id) : IMALOG_ALG_NONE;

	if (alg == IMALOG_ALG_NONE)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digests",
				   "hash algorithm 0x%llx is not known",
				   (unsigned long long)tpm_id);
	if (digest.size != imalog_alg_size(alg))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "digests",
				   "%zu bytes are no digest of %s, which has %zu", digest.size,
				   imalog_alg_name(alg), imalog_alg_size(alg));
	for (size_t i = 0; i < record->nr_digests; i++)
		if (record->digests[i].alg == alg)
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digests",
					   "there are two of %s", imalog_alg_name(alg));
	record->digests[record->nr_digests++] = (struct imalog_recorded_digest){ alg, digest };
	return 0;
}

/* ---- content ---- */

int imalog_cel_set_template(struct imalog_reader *reader, struct imalog_record *record,
			    struct imalog_span name, struct imalog_span data,
			    struct imalog_error *error)
{
	enum imalog_order usual = reader->layout.order;

	if (name.size == 0 || name.size > IMALOG_NAME_MAX)
		return imalog_fail(error, name.size ? IMALOG_ERR_LIMIT : IMALOG_ERR_BAD_VALUE,
				   "template name", "%zu bytes, 1 to %d are possible", name.size,
				   IMALOG_NAME_MAX);
	if (data.size > IMALOG_DATA_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "template data",
				   "%zu bytes exceed the limit of %u", data.size, IMALOG_DATA_MAX);
	record->content = IMALOG_CONTENT_TEMPLATE;
	record->cel.type = IMALOG_CEL_IMA_TEMPLATE;
	record->template_name = name;
	record->data = data;
	/*
	 * Nothing says the byte order of template data: it is the one in which the lengths of
	 * the fields add up, and that of the record before when both do.
	 */
	record->order = usual;
	if (imalog_record_parse_data(record, reader->templates, NULL) == 0)
		return 0;
	record->order = imalog_other_order(usual);
	if (imalog_record_parse_data(record, reader->templates, NULL) == 0) {
		reader->layout.order = record->order;
		return 0;
	}
	record->order = usual;
	return imalog_record_parse_data(record, reader->templates, error);
}

int imalog_cel_parse_ima_tlv(struct imalog_record *record, struct imalog_error *error)
{
	static const enum imalog_field_id ids[] = {
		IMALOG_FIELD_N,	   IMALOG_FIELD_D,     IMALOG_FIELD_SIG,       IMALOG_FIELD_IUID,
		IMALOG_FIELD_IGID, IMALOG_FIELD_IMODE, IMALOG_FIELD_TIMESTAMP, IMALOG_FIELD_LABEL,
	};
	struct imalog_cursor cursor = imalog_cursor_over(record->data, record->order);

	while (cursor.left) {
		struct imalog_span value;
		uint8_t type;
		int rc = imalog_tlv_next(&cursor, "content", &type, &value, error);

		if (rc < 0)
			return rc;
		/* What is not known is hashed like all else, and not shown. */
		if (type < IMALOG_ARRAY_SIZE(ids) && record->nr_fields < IMALOG_FIELDS_MAX)
			record->fields[record->nr_fields++] =
				(struct imalog_field){ ids[type], value };
	}
	return 0;
}

/* A TLV that must come next, of at most 8 bytes when it is a number. */
static int expect(struct imalog_cursor *cursor, uint8_t wanted, const char *field,
		  struct imalog_span *value, struct imalog_error *error)
{
	uint8_t type;
	int rc = imalog_tlv_next(cursor, field, &type, value, error);

	if (rc == 0 && type != wanted)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, field, "type %u, %u is right",
				   type, wanted);
	return rc;
}

static int expect_uint(struct imalog_cursor *cursor, uint8_t wanted, const char *field,
		       uint64_t max, uint64_t *ret, struct imalog_error *error)
{
	struct imalog_span value;
	int rc = expect(cursor, wanted, field, &value, error);

	if (rc < 0)
		return rc;
	if (!imalog_tlv_uint(value, cursor->order, ret))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, field,
				   "a number of %zu bytes, 8 are the most", value.size);
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
				   "%zu bytes are left over behind the last part", cursor->left);
	return 0;
}

static int parse_event(struct imalog_span content, uint32_t *type, struct imalog_span *data,
		       struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(content, IMALOG_ORDER_BE);
	uint64_t value;
	int rc = expect_uint(&cursor, 0, "event type", UINT32_MAX, &value, error);

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
	int rc = expect_uint(&cursor, first, "cel_version", IMALOG_CEL_VERSION_MAX, parts[first],
			     error);

	if (rc == 0)
		rc = expect_uint(&cursor, !first, "cel_version", IMALOG_CEL_VERSION_MAX,
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
	whole = imalog_cursor_over((struct imalog_span){ cursor->data, cursor->left - rest.left },
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
		return expect_uint(&whole, type, "cel_timestamp", UINT64_MAX, &ret->value, error);
	case IMALOG_CEL_STATE_TRANS:
	case 0x81:
		ret->type = IMALOG_CEL_STATE_TRANS;
		return expect_uint(&whole, type, "state_trans", 2, &ret->value, error);
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
		if (entry.type != IMALOG_CEL_VERSION && entry.type != IMALOG_CEL_FIRMWARE_END)
			record->cel.unmeasured = false;
	}
	return 0;
}

int imalog_cel_set_content(struct imalog_record *record, uint8_t type, struct imalog_span value,
			   struct imalog_error *error)
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

static bool all_ones(struct imalog_span span)
{
	for (size_t i = 0; i < span.size; i++)
		if (span.data[i] != 0xff)
			return false;
	return true;
}

int imalog_cel_finish(struct imalog_record *record, struct imalog_error *error)
{
	/* Only a record that extends nothing may name a PCR that there is not. */
	if (imalog_record_extends_pcr(record) && record->index > IMALOG_PCR_MAX)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "PCR",
				   "number %u exceeds the largest possible one, %d", record->index,
				   IMALOG_PCR_MAX);
	/* What is extended for a violation, or the digest that the kernel's list has for it */
	record->violation = imalog_record_is_checked(record) && record->nr_digests;
	for (size_t i = 0; i < record->nr_digests; i++)
		record->violation &= imalog_all_zero(record->digests[i].span) ||
				     all_ones(record->digests[i].span);
	return 0;
}

int imalog_cel_keep(struct imalog_reader *reader, struct imalog_span bytes,
		    struct imalog_span *ret, struct imalog_error *error)
{
	uint8_t *to = imalog_arena_room(&reader->rebuilt, bytes.size);

	if (!to)
		return imalog_fail_nomem(error);
	if (bytes.size)
		memcpy(to, bytes.data, bytes.size);
	imalog_arena_take(&reader->rebuilt, bytes.size);
	*ret = (struct imalog_span){ to, bytes.size };
	return 0;
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
	size_t major = imalog_uint_size(entry->value), minor = imalog_uint_size(entry->minor);

	if (entry->type == IMALOG_CEL_VERSION) {
		imalog_tlv_add_head(out, entry->type, 2 * IMALOG_TLV_HEAD + major + minor);
		imalog_tlv_add_uint(out, 0, entry->value, major);
		imalog_tlv_add_uint(out, 1, entry->minor, minor);
	} else if (entry->type == IMALOG_CEL_FIRMWARE_END) {
		imalog_tlv_add_head(out, entry->type, 0);
	} else {
		imalog_tlv_add_uint(out, entry->type, entry->value, major);
	}
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

void imalog_cel_add_event(struct imalog_buffer *out, uint32_t type, struct imalog_span data)
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

	if (record->content != IMALOG_CONTENT_CEL || !imalog_cel_entry(record->data, i, &entry))
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
