// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The Canonical Event Log, CBOR encoding: reader
 *
 * CEL v1.1, section 5.2: an array of maps; maps one after the other (RFC 8742) are read, too.
 *
 *	{ 0: record number, 1: PCR | 2: NV index, 3: [ { 0: TPM_ALG_ID, 1: digest }... ],
 *	  9: content type, 10: content }
 *
 *	ima_template	{ 0: name, 1: template data }
 *	pcclient_std	{ 0: event type, 1: event data }
 *	cel		one or an array of { 0: type, 1: data }; the data of a version is
 *			{ 0: major, 1: minor }
 *	ima_tlv		bytes, as systemd
 *
 * libcbor's streaming decoder tells one item after the other, without allocating; a record that
 * is not there as a whole is taken apart again when more of it was read.
 */
#include "cel.h"

/* An array of definite or indefinite size, or a map of 1 to 7 entries and so on */
static bool sniff(struct imalog_span start)
{
	return start.size > 0 && ((start.data[0] >= 0x80 && start.data[0] <= 0x9b) ||
				  start.data[0] == 0x9f || start.data[0] == 0xa5 ||
				  start.data[0] == 0xa4 || start.data[0] == 0xbf);
}

#ifdef HAVE_LIBCBOR

#include "cel-cbor.h"

enum {
	SEQUENCE,
	ARRAY,
	ENDLESS_ARRAY,
	ENDED
};

/* ---- parts of a record ---- */

static int get_digests(struct imalog_cbor_parse *parse, struct imalog_record *record)
{
	struct imalog_cbor_pair pair = { .kinds = { IMALOG_CBOR_UINT,
						    IMALOG_CBOR_BYTES } };
	struct imalog_cbor_item head;
	int rc = imalog_cbor_get(parse, "digests", IMALOG_CBOR_ARRAY_HEAD, &head);

	while (rc > 0 && (rc = imalog_cbor_has_more(parse, &head)) == 2) {
		rc = imalog_cbor_pair(parse, "digests", &pair);
		if (rc <= 0)
			break;
		rc = imalog_cel_add_digest(record, pair.items[0].value,
					   pair.items[1].bytes, parse->error);
		if (rc < 0)
			break;
		rc = 1;
	}
	return rc;
}

/* What belongs to a type of management entry */
static int get_entry_data(struct imalog_cbor_parse *parse, struct imalog_cel_entry *entry)
{
	struct imalog_cbor_pair pair = { .kinds = { IMALOG_CBOR_UINT,
						    IMALOG_CBOR_UINT } };
	struct imalog_cbor_item item;
	int rc;

	switch (entry->type) {
	case IMALOG_CEL_VERSION:
		rc = imalog_cbor_pair(parse, "cel_version", &pair);
		entry->value = pair.items[0].value;
		entry->minor = pair.items[1].value;
		return rc;
	case IMALOG_CEL_FIRMWARE_END:
		return imalog_cbor_get(parse, "firmware_end", IMALOG_CBOR_NULL_VALUE,
				       &item);
	default:
		rc = imalog_cbor_get(parse, imalog_cel_entry_name(entry->type),
				     IMALOG_CBOR_UINT, &item);
		entry->value = item.value;
		return rc;
	}
}

static int get_entry(struct imalog_cbor_parse *parse, struct imalog_buffer *out)
{
	struct imalog_cel_entry entry = { .value = 0 };
	struct imalog_cbor_item head, item;
	size_t nr = 0;
	int rc = imalog_cbor_get(parse, "content", IMALOG_CBOR_MAP_HEAD, &head);

	while (rc > 0 && (rc = imalog_cbor_has_more(parse, &head)) == 2) {
		rc = imalog_cbor_get(parse, "content", IMALOG_CBOR_UINT, &item);
		if (rc > 0 && (nr == 2 || item.value != nr))
			return imalog_cbor_bad(
				parse,
				"its keys are not 0 and 1, once and in this order");
		if (rc > 0 && nr == 0) {
			rc = imalog_cbor_get(parse, "content", IMALOG_CBOR_UINT, &item);
			entry.type = item.value > UINT8_MAX ? 0 : (uint8_t)item.value;
		} else if (rc > 0) {
			rc = get_entry_data(parse, &entry);
		}
		nr++;
	}
	if (rc <= 0)
		return rc;
	if (nr == 0 || (nr == 1 && entry.type != IMALOG_CEL_FIRMWARE_END))
		return imalog_cbor_bad(parse, "one of the keys 0 and 1 is missing");
	/* As TLV it is checked like all others. */
	imalog_cel_add_entry(out, &entry);
	return 1;
}

static int get_management(struct imalog_cbor_parse *parse, struct imalog_buffer *out)
{
	struct imalog_cbor_parse before = *parse;
	struct imalog_cbor_item head;
	int rc = imalog_cbor_next(parse, &head);

	if (rc > 0 && head.kind != IMALOG_CBOR_ARRAY_HEAD) {
		*parse = before;
		return get_entry(parse, out);
	}
	while (rc > 0 && (rc = imalog_cbor_has_more(parse, &head)) == 2)
		rc = get_entry(parse, out);
	return rc;
}

static int get_template(struct imalog_cbor_parse *parse, struct imalog_reader *reader,
			struct imalog_record *record)
{
	struct imalog_cbor_pair pair = { .kinds = { IMALOG_CBOR_TEXT,
						    IMALOG_CBOR_BYTES } };
	int rc = imalog_cbor_pair(parse, "content", &pair);

	if (rc <= 0)
		return rc;
	if (!imalog_utf8_is_valid(pair.items[0].bytes))
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "template name",
				   "it is not UTF-8");
	rc = imalog_cel_set_template(reader, record, pair.items[0].bytes,
				     pair.items[1].bytes, parse->error);
	return rc < 0 ? rc : 1;
}

static int get_event(struct imalog_cbor_parse *parse, struct imalog_buffer *out)
{
	struct imalog_cbor_pair pair = { .kinds = { IMALOG_CBOR_UINT,
						    IMALOG_CBOR_BYTES } };
	int rc = imalog_cbor_pair(parse, "content", &pair);

	if (rc <= 0)
		return rc;
	if (pair.items[0].value > UINT32_MAX)
		return imalog_cbor_bad(parse,
				       "the type of the event has more than 4 bytes");
	imalog_cel_add_event(out, (uint32_t)pair.items[0].value, pair.items[1].bytes);
	return 1;
}

static int get_content(struct imalog_cbor_parse *parse, uint64_t type,
		       struct imalog_reader *reader, struct imalog_record *record)
{
	struct imalog_buffer built = { NULL, 0, 0, false };
	struct imalog_cbor_item item = { .kind = IMALOG_CBOR_BYTES };
	int rc;

	parse->part = "content";
	if (type > UINT8_MAX || !imalog_content_type_name((uint8_t)type))
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "content type",
				   "type %llu is not known", (unsigned long long)type);
	if (type == IMALOG_CEL_IMA_TEMPLATE)
		return get_template(parse, reader, record);
	if (type == IMALOG_CEL_IMA_TLV || type == IMALOG_CEL_SYSTEMD)
		rc = imalog_cbor_get(parse, "content", IMALOG_CBOR_BYTES, &item);
	else if (type == IMALOG_CEL_PCCLIENT)
		rc = get_event(parse, &built);
	else
		rc = get_management(parse, &built);
	if (built.failed)
		rc = imalog_fail_nomem(parse->error);
	if (rc > 0 && type != IMALOG_CEL_IMA_TLV && type != IMALOG_CEL_SYSTEMD) {
		int kept = imalog_cel_keep(reader,
					   (struct imalog_span){ built.data, built.size },
					   &item.bytes, parse->error);

		rc = kept < 0 ? kept : rc;
	}
	imalog_buffer_free(&built);
	if (rc > 0) {
		rc = imalog_cel_set_content(record, (uint8_t)type, item.bytes,
					    parse->error);
		rc = rc < 0 ? rc : 1;
	}
	return rc;
}

/* ---- a record ---- */

/* Keys of a record, whose bits say which were seen */
enum {
	KEY_RECNUM = 0,
	KEY_PCR = 1,
	KEY_NV = 2,
	KEY_DIGESTS = 3,
	KEY_TYPE = 9,
	KEY_CONTENT = 10
};
#define BIT(key) (1u << (key))

struct seen {
	unsigned int keys;
	uint64_t type;
	struct imalog_cbor_parse content; /* where it begins */
};

static int get_value(struct imalog_cbor_parse *parse, uint64_t key, struct seen *seen,
		     struct imalog_record *record)
{
	struct imalog_cbor_item item;
	int rc;

	switch (key) {
	case KEY_RECNUM:
		rc = imalog_cbor_get(parse, "recnum", IMALOG_CBOR_UINT, &item);
		record->cel.recnum = item.value;
		record->cel.has_recnum = true;
		return rc;
	case KEY_PCR:
	case KEY_NV:
		rc = imalog_cbor_get(parse, "index", IMALOG_CBOR_UINT, &item);
		if (rc <= 0)
			return rc;
		rc = imalog_cel_set_index(record, (enum imalog_index)key, item.value,
					  parse->error);
		return rc < 0 ? rc : 1;
	case KEY_DIGESTS:
		return get_digests(parse, record);
	case KEY_TYPE:
		rc = imalog_cbor_get(parse, "content type", IMALOG_CBOR_UINT, &item);
		seen->type = item.value;
		return rc;
	case KEY_CONTENT:
		parse->part = "content";
		seen->content = *parse;
		return imalog_cbor_skip(parse, 1);
	default:
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "CBOR",
				   "key %llu is not known", (unsigned long long)key);
	}
}

static int get_record(struct imalog_cbor_parse *parse, struct imalog_reader *reader,
		      struct imalog_record *record)
{
	struct seen seen = { .keys = 0 };
	struct imalog_cbor_item head, key;
	unsigned int index;
	int rc = imalog_cbor_get(parse, "CBOR", IMALOG_CBOR_MAP_HEAD, &head);

	while (rc > 0 && (rc = imalog_cbor_has_more(parse, &head)) == 2) {
		rc = imalog_cbor_get(parse, "CBOR", IMALOG_CBOR_UINT, &key);
		if (rc <= 0)
			return rc;
		if (key.value <= KEY_CONTENT && seen.keys & BIT(key.value))
			return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "CBOR",
					   "key %u is there twice",
					   (unsigned int)key.value);
		if (key.value <= KEY_CONTENT)
			seen.keys |= BIT(key.value);
		rc = get_value(parse, key.value, &seen, record);
	}
	if (rc <= 0)
		return rc;
	index = seen.keys & (BIT(KEY_PCR) | BIT(KEY_NV));
	if (!(seen.keys & BIT(KEY_TYPE)) || !(seen.keys & BIT(KEY_CONTENT)) ||
	    !(seen.keys & BIT(KEY_RECNUM)) ||
	    (index != BIT(KEY_PCR) && index != BIT(KEY_NV)))
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "CBOR",
				   "number, one index, content or its type is missing");
	seen.content.items = parse->items;
	rc = get_content(&seen.content, seen.type, reader, record);
	if (rc <= 0)
		return rc;
	rc = imalog_cel_finish(record, parse->error);
	return rc < 0 ? rc : 1;
}

/* ---- the log ---- */

static struct imalog_cbor_parse parse_over(struct imalog_reader *reader,
					   struct imalog_error *error)
{
	struct imalog_span span = imalog_window_span(&reader->window);

	return (struct imalog_cbor_parse){ span, span.size, 0, 1, "CBOR", error };
}

static int start(struct imalog_reader *reader, struct imalog_error *error)
{
	struct imalog_cbor_parse parse = parse_over(reader, error);
	struct imalog_cbor_item item;
	int rc;

	reader->layout.order = reader->forced_order ? reader->forced_order :
						      IMALOG_ORDER_LE;
	while ((rc = imalog_cbor_next(&parse, &item)) == 0) {
		rc = imalog_reader_need(reader, parse.need, "CBOR", error);
		if (rc <= 0)
			return rc;
		parse = parse_over(reader, error);
	}
	if (rc < 0)
		return rc;
	reader->stream.state = SEQUENCE;
	if (item.kind == IMALOG_CBOR_ARRAY_HEAD) {
		reader->stream.state = item.endless ? ENDLESS_ARRAY : ARRAY;
		reader->stream.left = item.value;
		imalog_window_advance(&reader->window, parse.total - parse.left.size);
	}
	return 0;
}

/* Does another record follow?  1, 0 at a clean end, or a negative code. */
static int find_record(struct imalog_reader *reader, struct imalog_error *error)
{
	int *state = &reader->stream.state, rc = imalog_reader_need(reader, 1, "CBOR", error);

	if (*state == ENDLESS_ARRAY && rc > 0 &&
	    imalog_window_span(&reader->window).data[0] == 0xff) {
		imalog_window_advance(&reader->window, 1);
		*state = ENDED;
		rc = imalog_reader_need(reader, 1, "CBOR", error);
	}
	if (*state == ARRAY && reader->stream.left == 0)
		*state = ENDED;
	if (*state == ENDED && rc > 0)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "CBOR",
				   "there is something behind the array");
	if ((*state == ARRAY || *state == ENDLESS_ARRAY) && rc == 0)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, "CBOR",
				   "the array has not ended");
	return rc;
}

static int next(struct imalog_reader *reader, struct imalog_record *record,
		struct imalog_error *error)
{
	struct imalog_cbor_parse parse;
	int rc = find_record(reader, error);

	if (rc <= 0)
		return rc;
	record->offset = reader->window.offset;
	for (;;) {
		parse = parse_over(reader, error);
		imalog_cel_begin(record);
		record->cel = (struct imalog_record_cel){ .has_recnum = false };
		rc = get_record(&parse, reader, record);
		if (rc != 0)
			break;
		rc = imalog_reader_need(reader, parse.need, parse.part, error);
		if (rc <= 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	record->raw = (struct imalog_span){ imalog_window_span(&reader->window).data,
					    parse.total - parse.left.size };
	imalog_window_advance(&reader->window, record->raw.size);
	if (reader->stream.state == ARRAY)
		reader->stream.left--;
	return 1;
}

#else

static int start(struct imalog_reader *reader, struct imalog_error *error)
{
	(void)reader;
	return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "CBOR",
			   "the library was built without libcbor");
}

static int next(struct imalog_reader *reader, struct imalog_record *record,
		struct imalog_error *error)
{
	(void)record;
	return start(reader, error);
}

#endif /* HAVE_LIBCBOR */

const struct imalog_format_ops imalog_cel_cbor_ops = { IMALOG_FORMAT_CEL_CBOR, sniff,
						       start, next };
