// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Data items of CBOR (RFC 8949), one after the other
 *
 * libcbor's streaming decoder tells each item, without allocating; strings stay where
 * they are.
 */
#include "cel-cbor.h"

#ifdef HAVE_LIBCBOR

#include <cbor.h>

#define DEPTH_MAX 8
/* Content, and what is around it */
#define RECORD_MAX (IMALOG_CEL_CONTENT_MAX + 65536u)

/* ---- libcbor's callbacks ---- */

static void set(void *arg, enum imalog_cbor_kind kind, uint64_t value)
{
	*(struct imalog_cbor_item *)arg =
		(struct imalog_cbor_item){ .kind = kind, .value = value };
}

static void set_bytes(void *arg, enum imalog_cbor_kind kind, cbor_data data, size_t size)
{
	struct imalog_cbor_item *item = arg;

	set(item, kind, 0);
	item->bytes = (struct imalog_span){ data, size };
}

static void set_endless(void *arg, enum imalog_cbor_kind kind)
{
	struct imalog_cbor_item *item = arg;

	set(item, kind, 0);
	item->endless = true;
}

static void on_uint8(void *item, uint8_t value)
{
	set(item, IMALOG_CBOR_UINT, value);
}

static void on_uint16(void *item, uint16_t value)
{
	set(item, IMALOG_CBOR_UINT, value);
}

static void on_uint32(void *item, uint32_t value)
{
	set(item, IMALOG_CBOR_UINT, value);
}

static void on_uint64(void *item, uint64_t value)
{
	set(item, IMALOG_CBOR_UINT, value);
}

static void on_bytes(void *item, cbor_data data, size_t size)
{
	set_bytes(item, IMALOG_CBOR_BYTES, data, size);
}

static void on_text(void *item, cbor_data data, size_t size)
{
	set_bytes(item, IMALOG_CBOR_TEXT, data, size);
}

static void on_array(void *item, size_t size)
{
	set(item, IMALOG_CBOR_ARRAY_HEAD, size);
}

static void on_endless_array(void *item)
{
	set_endless(item, IMALOG_CBOR_ARRAY_HEAD);
}

static void on_map(void *item, size_t size)
{
	set(item, IMALOG_CBOR_MAP_HEAD, size);
}

static void on_endless_map(void *item)
{
	set_endless(item, IMALOG_CBOR_MAP_HEAD);
}

static void on_break(void *item)
{
	set(item, IMALOG_CBOR_BREAK, 0);
}

static void on_null(void *item)
{
	set(item, IMALOG_CBOR_NULL_VALUE, 0);
}

/* ---- items ---- */

/* The next @size bytes of the record, if it is not too large: it may have many strings. */
static int need_more(struct imalog_cbor_parse *parse, size_t size)
{
	parse->need = parse->total - parse->left.size + size;
	if (parse->need > RECORD_MAX)
		return imalog_fail(parse->error, IMALOG_ERR_LIMIT, parse->part,
				   "a record of more than %u bytes", RECORD_MAX);
	return 0;
}

int imalog_cbor_next(struct imalog_cbor_parse *parse, struct imalog_cbor_item *item)
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
				   "a record of more than %d values",
				   IMALOG_CEL_VALUES_MAX);
	*item = (struct imalog_cbor_item){ .kind = IMALOG_CBOR_OTHER };
	if (parse->left.size == 0)
		return need_more(parse, 1);
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
		return need_more(parse, result.required);
	}
	if (need_more(parse, result.read) < 0)
		return -IMALOG_ERR_LIMIT;
	parse->left.data += result.read;
	parse->left.size -= result.read;
	return 1;
}

int imalog_cbor_bad(const struct imalog_cbor_parse *parse, const char *what)
{
	return imalog_fail(parse->error, IMALOG_ERR_BAD_VALUE, parse->part, "%s", what);
}

int imalog_cbor_get(struct imalog_cbor_parse *parse, const char *part,
		    enum imalog_cbor_kind kind, struct imalog_cbor_item *item)
{
	static const char *const names[] = { "it is no unsigned number",
					     "it is no byte string",
					     "it is no text",
					     "it is no array",
					     "it is no map",
					     "it is no break",
					     "it is not null" };
	int rc;

	parse->part = part;
	rc = imalog_cbor_next(parse, item);
	if (rc > 0 && item->kind != kind)
		return imalog_cbor_bad(parse, names[kind]);
	return rc;
}

int imalog_cbor_has_more(struct imalog_cbor_parse *parse, struct imalog_cbor_item *head)
{
	struct imalog_cbor_parse before = *parse;
	struct imalog_cbor_item item;
	int rc;

	if (!head->endless)
		return head->value-- > 0 ? 2 : 1;
	rc = imalog_cbor_next(parse, &item);
	if (rc <= 0 || item.kind == IMALOG_CBOR_BREAK)
		return rc;
	before.items = parse->items;
	*parse = before;
	return 2;
}

int imalog_cbor_skip(struct imalog_cbor_parse *parse, int depth)
{
	struct imalog_cbor_item item;
	int rc = imalog_cbor_next(parse, &item);

	if (rc <= 0)
		return rc;
	if (item.kind == IMALOG_CBOR_OTHER || item.kind == IMALOG_CBOR_BREAK)
		return imalog_cbor_bad(parse, "it has a part that no content has");
	if (item.kind != IMALOG_CBOR_ARRAY_HEAD && item.kind != IMALOG_CBOR_MAP_HEAD)
		return 1;
	if (depth == DEPTH_MAX)
		return imalog_fail(parse->error, IMALOG_ERR_LIMIT, parse->part,
				   "more than %d levels of nesting", DEPTH_MAX);
	while ((rc = imalog_cbor_has_more(parse, &item)) == 2) {
		rc = imalog_cbor_skip(parse, depth + 1);
		if (rc > 0 && item.kind == IMALOG_CBOR_MAP_HEAD)
			rc = imalog_cbor_skip(parse, depth + 1);
		if (rc <= 0)
			break;
	}
	return rc;
}

int imalog_cbor_pair(struct imalog_cbor_parse *parse, const char *part,
		     struct imalog_cbor_pair *pair)
{
	struct imalog_cbor_item head, key;
	size_t nr = 0;
	int rc = imalog_cbor_get(parse, part, IMALOG_CBOR_MAP_HEAD, &head);

	while (rc > 0 && (rc = imalog_cbor_has_more(parse, &head)) == 2) {
		rc = imalog_cbor_get(parse, part, IMALOG_CBOR_UINT, &key);
		if (rc > 0 && (nr == 2 || key.value != nr))
			return imalog_cbor_bad(
				parse,
				"its keys are not 0 and 1, once and in this order");
		if (rc > 0)
			rc = imalog_cbor_get(parse, part, pair->kinds[nr],
					     &pair->items[nr]);
		nr++;
	}
	if (rc > 0 && nr != 2)
		return imalog_cbor_bad(parse, "one of the keys 0 and 1 is missing");
	return rc;
}

#endif /* HAVE_LIBCBOR */
