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

#include <cbor.h>

#define DEPTH_MAX 8

enum { SEQUENCE, ARRAY, ENDLESS_ARRAY, ENDED };

enum kind { UINT, BYTES, TEXT, ARRAY_HEAD, MAP_HEAD, BREAK, NULL_VALUE, OTHER };

/* One data item, or the head of one that has others in it */
struct item {
	enum kind kind;
	uint64_t value;		  /* a number, or how many items follow */
	struct imalog_span bytes; /* of a string */
	bool endless;		  /* an array or a map that a break ends */
};

/* ---- libcbor's callbacks ---- */

static void on_uint8(void *item, uint8_t value)
{
	*(struct item *)item = (struct item){ .kind = UINT, .value = value };
}

static void on_uint16(void *item, uint16_t value)
{
	*(struct item *)item = (struct item){ .kind = UINT, .value = value };
}

static void on_uint32(void *item, uint32_t value)
{
	*(struct item *)item = (struct item){ .kind = UINT, .value = value };
}

static void on_uint64(void *item, uint64_t value)
{
	*(struct item *)item = (struct item){ .kind = UINT, .value = value };
}

static void on_bytes(void *item, cbor_data data, size_t size)
{
	*(struct item *)item = (struct item){ .kind = BYTES, .bytes = { data, size } };
}

static void on_text(void *item, cbor_data data, size_t size)
{
	*(struct item *)item = (struct item){ .kind = TEXT, .bytes = { data, size } };
}

static void on_array(void *item, size_t size)
{
	*(struct item *)item = (struct item){ .kind = ARRAY_HEAD, .value = size };
}

static void on_endless_array(void *item)
{
	*(struct item *)item = (struct item){ .kind = ARRAY_HEAD, .endless = true };
}

static void on_map(void *item, size_t size)
{
	*(struct item *)item = (struct item){ .kind = MAP_HEAD, .value = size };
}

static void on_endless_map(void *item)
{
	*(struct item *)item = (struct item){ .kind = MAP_HEAD, .endless = true };
}

static void on_break(void *item)
{
	*(struct item *)item = (struct item){ .kind = BREAK };
}

static void on_null(void *item)
{
	*(struct item *)item = (struct item){ .kind = NULL_VALUE };
}

/* ---- items ---- */

/* A record that is taken apart, which may not be there to its end */
struct parse {
	struct imalog_span left;
	size_t total;
	size_t items;
	size_t need; /* bytes of the record that are needed to get on */
	const char *part;
	struct imalog_error *error;
};

/* Every function returns 1, 0 when more bytes are needed, or a negative code. */
static int next_item(struct parse *parse, struct item *item)
{
	struct cbor_callbacks callbacks = cbor_empty_callbacks;
	struct cbor_decoder_result result;

	callbacks.uint8 = on_uint8;
	callbacks.uint16 = on_uint16;
	callbacks.uint32 = on_uint32;
	callbacks.uint64 = on_uint64;
	callbacks.byte_string = on_bytes;
	callbacks.string = on_text;
	callbacks.array_start = on_array;
	callbacks.indef_array_start = on_endless_array;
	callbacks.map_start = on_map;
	callbacks.indef_map_start = on_endless_map;
	callbacks.indef_break = on_break;
	callbacks.null = on_null;
	if (++parse->items > IMALOG_CEL_VALUES_MAX)
		return imalog_fail(parse->error, IMALOG_ERR_LIMIT, "CBOR",
				   "a record of more than %d values", IMALOG_CEL_VALUES_MAX);
	*item = (struct item){ .kind = OTHER };
	parse->need = parse->total - parse->left.size + 1;
	if (parse->left.size == 0)
		return 0;
	result = cbor_stream_decode(parse->left.data, parse->left.size, &callbacks, item);
	if (result.status == CBOR_DECODER_ERROR)
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, parse->part,
				   "byte 0x%02x begins nothing that CBOR has",
				   parse->left.data[0]);
	if (result.status == CBOR_DECODER_NEDATA) {
		/* A size near that of all memory overflows in the sum. */
		if (result.required > IMALOG_CEL_CONTENT_MAX ||
		    result.required <= parse->left.size)
			return imalog_fail(parse->error, IMALOG_ERR_LIMIT, parse->part,
					   "a string exceeds the limit of %u bytes",
					   IMALOG_CEL_CONTENT_MAX);
		parse->need = parse->total - parse->left.size + result.required;
		return 0;
	}
	parse->left.data += result.read;
	parse->left.size -= result.read;
	return 1;
}

static int bad(const struct parse *parse, const char *what)
{
	return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, parse->part, "%s", what);
}

static int get(struct parse *parse, const char *part, enum kind kind, struct item *item)
{
	static const char *const names[] = { "it is no unsigned number", "it is no byte string",
					     "it is no text", "it is no array", "it is no map",
					     "it is no break", "it is not null" };
	int rc;

	parse->part = part;
	rc = next_item(parse, item);
	if (rc > 0 && item->kind != kind)
		return bad(parse, names[kind]);
	return rc;
}

/* Is there one more entry of an array or a map?  Takes the break that ends it. */
static int has_more(struct parse *parse, struct item *head)
{
	struct parse before = *parse;
	struct item item;
	int rc;

	if (!head->endless)
		return head->value-- > 0 ? 2 : 1;
	rc = next_item(parse, &item);
	if (rc <= 0 || item.kind == BREAK)
		return rc;
	before.items = parse->items;
	*parse = before;
	return 2;
}

/* Passes one item with all that is in it. */
static int skip(struct parse *parse, int depth)
{
	struct item item;
	int rc = next_item(parse, &item);

	if (rc <= 0)
		return rc;
	if (item.kind == OTHER || item.kind == BREAK)
		return bad(parse, "it has a part that no content has");
	if (item.kind != ARRAY_HEAD && item.kind != MAP_HEAD)
		return 1;
	if (depth == DEPTH_MAX)
		return imalog_fail(parse->error, IMALOG_ERR_LIMIT, parse->part,
				   "more than %d levels of nesting", DEPTH_MAX);
	while ((rc = has_more(parse, &item)) == 2) {
		rc = skip(parse, depth + 1);
		if (rc > 0 && item.kind == MAP_HEAD)
			rc = skip(parse, depth + 1);
		if (rc <= 0)
			break;
	}
	return rc;
}

/* A map of 0 and 1, in this order */
struct pair {
	enum kind kinds[2];
	struct item items[2];
};

static int get_pair(struct parse *parse, const char *part, struct pair *pair)
{
	struct item head, key;
	size_t nr = 0;
	int rc = get(parse, part, MAP_HEAD, &head);

	while (rc > 0 && (rc = has_more(parse, &head)) == 2) {
		rc = get(parse, part, UINT, &key);
		if (rc > 0 && (nr == 2 || key.value != nr))
			return bad(parse, "its keys are not 0 and 1, once and in this order");
		if (rc > 0)
			rc = get(parse, part, pair->kinds[nr], &pair->items[nr]);
		nr++;
	}
	if (rc > 0 && nr != 2)
		return bad(parse, "one of the keys 0 and 1 is missing");
	return rc;
}

/* ---- parts of a record ---- */

static int get_digests(struct parse *parse, struct imalog_record *record)
{
	struct pair pair = { .kinds = { UINT, BYTES } };
	struct item head;
	int rc = get(parse, "digests", ARRAY_HEAD, &head);

	while (rc > 0 && (rc = has_more(parse, &head)) == 2) {
		rc = get_pair(parse, "digests", &pair);
		if (rc <= 0)
			break;
		rc = imalog_cel_add_digest(record, pair.items[0].value, pair.items[1].bytes,
					   parse->error);
		if (rc < 0)
			break;
		rc = 1;
	}
	return rc;
}

/* What belongs to a type of management entry */
static int get_entry_data(struct parse *parse, struct imalog_cel_entry *entry)
{
	struct pair pair = { .kinds = { UINT, UINT } };
	struct item item;
	int rc;

	switch (entry->type) {
	case IMALOG_CEL_VERSION:
		rc = get_pair(parse, "cel_version", &pair);
		entry->value = pair.items[0].value;
		entry->minor = pair.items[1].value;
		return rc;
	case IMALOG_CEL_FIRMWARE_END:
		return get(parse, "firmware_end", NULL_VALUE, &item);
	default:
		rc = get(parse, imalog_cel_entry_name(entry->type), UINT, &item);
		entry->value = item.value;
		return rc;
	}
}

static int get_entry(struct parse *parse, struct imalog_buffer *out)
{
	struct imalog_cel_entry entry = { .value = 0 };
	struct item head, item;
	size_t nr = 0;
	int rc = get(parse, "content", MAP_HEAD, &head);

	while (rc > 0 && (rc = has_more(parse, &head)) == 2) {
		rc = get(parse, "content", UINT, &item);
		if (rc > 0 && (nr == 2 || item.value != nr))
			return bad(parse, "its keys are not 0 and 1, once and in this order");
		if (rc > 0 && nr == 0) {
			rc = get(parse, "content", UINT, &item);
			entry.type = item.value > UINT8_MAX ? 0 : (uint8_t)item.value;
		} else if (rc > 0) {
			rc = get_entry_data(parse, &entry);
		}
		nr++;
	}
	if (rc <= 0)
		return rc;
	if (nr == 0 || (nr == 1 && entry.type != IMALOG_CEL_FIRMWARE_END))
		return bad(parse, "one of the keys 0 and 1 is missing");
	/* As TLV it is checked like all others. */
	imalog_cel_add_entry(out, &entry);
	return 1;
}

static int get_management(struct parse *parse, struct imalog_buffer *out)
{
	struct parse before = *parse;
	struct item head;
	int rc = next_item(parse, &head);

	if (rc > 0 && head.kind != ARRAY_HEAD) {
		*parse = before;
		return get_entry(parse, out);
	}
	while (rc > 0 && (rc = has_more(parse, &head)) == 2)
		rc = get_entry(parse, out);
	return rc;
}

static int get_template(struct parse *parse, struct imalog_reader *reader,
			struct imalog_record *record)
{
	struct pair pair = { .kinds = { TEXT, BYTES } };
	int rc = get_pair(parse, "content", &pair);

	if (rc <= 0)
		return rc;
	if (!imalog_utf8_is_valid(pair.items[0].bytes))
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "template name",
				   "it is not UTF-8");
	rc = imalog_cel_set_template(reader, record, pair.items[0].bytes, pair.items[1].bytes,
				     parse->error);
	return rc < 0 ? rc : 1;
}

static int get_event(struct parse *parse, struct imalog_buffer *out)
{
	struct pair pair = { .kinds = { UINT, BYTES } };
	int rc = get_pair(parse, "content", &pair);

	if (rc <= 0)
		return rc;
	if (pair.items[0].value > UINT32_MAX)
		return bad(parse, "the type of the event has more than 4 bytes");
	imalog_cel_add_event(out, (uint32_t)pair.items[0].value, pair.items[1].bytes);
	return 1;
}

static int get_content(struct parse *parse, uint64_t type, struct imalog_reader *reader,
		       struct imalog_record *record)
{
	struct imalog_buffer built = { NULL, 0, 0, false };
	struct item item = { .kind = BYTES };
	int rc;

	parse->part = "content";
	if (type > UINT8_MAX || !imalog_content_type_name((uint8_t)type))
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "content type",
				   "type %llu is not known", (unsigned long long)type);
	if (type == IMALOG_CEL_IMA_TEMPLATE)
		return get_template(parse, reader, record);
	if (type == IMALOG_CEL_IMA_TLV || type == IMALOG_CEL_SYSTEMD)
		rc = get(parse, "content", BYTES, &item);
	else if (type == IMALOG_CEL_PCCLIENT)
		rc = get_event(parse, &built);
	else
		rc = get_management(parse, &built);
	if (built.failed)
		rc = imalog_fail_nomem(parse->error);
	if (rc > 0 && type != IMALOG_CEL_IMA_TLV && type != IMALOG_CEL_SYSTEMD) {
		int kept = imalog_cel_keep(reader, (struct imalog_span){ built.data, built.size },
					   &item.bytes, parse->error);

		rc = kept < 0 ? kept : rc;
	}
	imalog_buffer_free(&built);
	if (rc > 0) {
		rc = imalog_cel_set_content(record, (uint8_t)type, item.bytes, parse->error);
		rc = rc < 0 ? rc : 1;
	}
	return rc;
}

/* ---- a record ---- */

/* Keys of a record, whose bits say which were seen */
enum { KEY_RECNUM = 0, KEY_PCR = 1, KEY_NV = 2, KEY_DIGESTS = 3, KEY_TYPE = 9, KEY_CONTENT = 10 };
#define BIT(key) (1u << (key))

struct seen {
	unsigned int keys;
	uint64_t type;
	struct parse content; /* where it begins */
};

static int get_value(struct parse *parse, uint64_t key, struct seen *seen,
		     struct imalog_record *record)
{
	struct item item;
	int rc;

	switch (key) {
	case KEY_RECNUM:
		rc = get(parse, "recnum", UINT, &item);
		record->cel.recnum = item.value;
		record->cel.has_recnum = true;
		return rc;
	case KEY_PCR:
	case KEY_NV:
		rc = get(parse, "index", UINT, &item);
		if (rc <= 0)
			return rc;
		rc = imalog_cel_set_index(record, (enum imalog_index)key, item.value, parse->error);
		return rc < 0 ? rc : 1;
	case KEY_DIGESTS:
		return get_digests(parse, record);
	case KEY_TYPE:
		rc = get(parse, "content type", UINT, &item);
		seen->type = item.value;
		return rc;
	case KEY_CONTENT:
		parse->part = "content";
		seen->content = *parse;
		return skip(parse, 1);
	default:
		return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "CBOR",
				   "key %llu is not known", (unsigned long long)key);
	}
}

static int get_record(struct parse *parse, struct imalog_reader *reader,
		      struct imalog_record *record)
{
	struct seen seen = { .keys = 0 };
	struct item head, key;
	unsigned int index;
	int rc = get(parse, "CBOR", MAP_HEAD, &head);

	while (rc > 0 && (rc = has_more(parse, &head)) == 2) {
		rc = get(parse, "CBOR", UINT, &key);
		if (rc <= 0)
			return rc;
		if (key.value <= KEY_CONTENT && seen.keys & BIT(key.value))
			return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, "CBOR",
					   "key %u is there twice", (unsigned int)key.value);
		if (key.value <= KEY_CONTENT)
			seen.keys |= BIT(key.value);
		rc = get_value(parse, key.value, &seen, record);
	}
	if (rc <= 0)
		return rc;
	index = seen.keys & (BIT(KEY_PCR) | BIT(KEY_NV));
	if (!(seen.keys & BIT(KEY_TYPE)) || !(seen.keys & BIT(KEY_CONTENT)) ||
	    !(seen.keys & BIT(KEY_RECNUM)) || (index != BIT(KEY_PCR) && index != BIT(KEY_NV)))
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

/* Makes @size bytes available; 1, 0 when there is not one, or a negative code. */
static int need(struct imalog_reader *reader, size_t size, const char *part,
		struct imalog_error *error)
{
	int rc = imalog_window_need(&reader->window, size, error);
	size_t left = imalog_window_span(&reader->window).size;

	if (rc < 0)
		return rc;
	if (left == 0)
		return 0;
	if (left < size)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, part,
				   "the record needs %zu bytes or more, %zu are left", size, left);
	return 1;
}

static struct parse parse_over(struct imalog_reader *reader, struct imalog_error *error)
{
	struct imalog_span span = imalog_window_span(&reader->window);

	return (struct parse){ span, span.size, 0, 1, "CBOR", error };
}

static int start(struct imalog_reader *reader, struct imalog_error *error)
{
	struct parse parse = parse_over(reader, error);
	struct item item;
	int rc;

	reader->layout.order = reader->forced_order ? reader->forced_order : IMALOG_ORDER_LE;
	while ((rc = next_item(&parse, &item)) == 0) {
		rc = need(reader, parse.need, "CBOR", error);
		if (rc <= 0)
			return rc;
		parse = parse_over(reader, error);
	}
	if (rc < 0)
		return rc;
	reader->stream.state = SEQUENCE;
	if (item.kind == ARRAY_HEAD) {
		reader->stream.state = item.endless ? ENDLESS_ARRAY : ARRAY;
		reader->stream.left = item.value;
		imalog_window_advance(&reader->window, parse.total - parse.left.size);
	}
	return 0;
}

/* Does another record follow?  1, 0 at a clean end, or a negative code. */
static int find_record(struct imalog_reader *reader, struct imalog_error *error)
{
	int *state = &reader->stream.state, rc = need(reader, 1, "CBOR", error);

	if (*state == ENDLESS_ARRAY && rc > 0 &&
	    imalog_window_span(&reader->window).data[0] == 0xff) {
		imalog_window_advance(&reader->window, 1);
		*state = ENDED;
		rc = need(reader, 1, "CBOR", error);
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
	struct parse parse;
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
		rc = need(reader, parse.need, parse.part, error);
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

const struct imalog_format_ops imalog_cel_cbor_ops = { IMALOG_FORMAT_CEL_CBOR, sniff, start, next };
