// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What IMA measures of the device mapper (drivers/md/dm-ima.c), all of it key=value pairs
 *
 *	dm_version=4.48.0;  [device]  [hashes, new names, ...;]  current_device_capacity=N;
 *	dm_version=4.48.0;  [device]  target_index=0,...;  target_index=1,...;  ...
 *	device: name=,uuid=,major=,minor=,minor_count=,num_targets=;
 *
 * Documentation/admin-guide/device-mapper/dm-ima.rst
 */
#include <stdlib.h>
#include <string.h>

#include "payload.h"

/* key=value and the ',' or ';' behind it. */
struct pair {
	struct imalog_span key;
	struct imalog_span value;
	char end;
};

/* The bytes before the next separator, which must be there; '\' makes the next byte plain. */
static bool take_value(struct imalog_span *text, struct imalog_span *ret, char *end)
{
	size_t size = 0;

	while (size < text->size && text->data[size] != ',' && text->data[size] != ';')
		size += text->data[size] == '\\' ? 2 : 1;
	if (size >= text->size)
		return false;
	*ret = text_take(text, size);
	*end = (char)text_take(text, 1).data[0];
	return true;
}

/* The key is empty when there is none: some targets write values that have commas in them. */
static bool take_pair(struct imalog_span *text, struct pair *pair)
{
	if (!take_value(text, &pair->value, &pair->end))
		return false;
	pair->key = text_take_set(&pair->value, WORD);
	if (!text_take_literal(&pair->value, "="))
		pair->key.size = 0;
	return true;
}

/* ---- values ---- */

/* A name without its escapes (fix_separator_chars()); one with too few of them is wrong. */
static json_t *read_name(struct imalog_span value)
{
	uint8_t *plain = malloc(value.size + 1);
	struct imalog_span result = { plain, 0 };
	json_t *json = NULL;
	bool ok = plain;

	while (ok && value.size) {
		bool escaped = text_take_literal(&value, "\\");
		uint8_t c = value.size ? text_take(&value, 1).data[0] : 0;

		ok = escaped == (c && strchr("\\;=,", c));
		plain[result.size++] = c;
	}
	if (ok)
		json = json_text(result);
	free(plain);
	return json;
}

static json_t *read_number(struct imalog_span value)
{
	uint64_t number;

	return text_take_number(&value, &number) && value.size == 0 ? json_uint(number) : NULL;
}

/* Versions, hashes, y and n: nobody chooses what they are made of. */
static json_t *read_word(struct imalog_span value)
{
	struct imalog_span rest = value;

	if (value.size == 0)
		return NULL;
	text_take_set(&rest, WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZ.:-");
	return rest.size == 0 ? json_text(value) : NULL;
}

/* ---- the device ---- */

/*
 * Pairs that are not known are passed over: newer versions may have more.  A device that is
 * removed comes with the data of both its tables, which differ in the number of targets: the
 * active one comes first and is kept.
 */
static bool put_device_pair(json_t *object, const struct pair *pair)
{
	static const struct {
		const char *key;
		json_t *(*read)(struct imalog_span value);
	} keys[] = {
		{ "name", read_name },
		{ "uuid", read_name },
		{ "major", read_number },
		{ "minor", read_number },
		{ "num_targets", read_number },
		{ "new_name", read_name },
		{ "new_uuid", read_name },
		{ "active_table_hash", read_word },
		{ "inactive_table_hash", read_word },
		{ "remove_all", read_word },
		{ "current_device_capacity", read_number },
	};
	json_t *known, *value;
	size_t i = 0;
	bool ok;

	while (i < sizeof(keys) / sizeof(keys[0]) && !text_is(pair->key, keys[i].key))
		i++;
	if (i == sizeof(keys) / sizeof(keys[0]))
		return pair->key.size > 0;
	known = json_object_get(object, keys[i].key);
	value = keys[i].read(pair->value);
	if (!known)
		return object_put(object, keys[i].key, value);
	ok = value && (json_equal(known, value) || text_is(pair->key, "num_targets"));
	json_decref(value);
	return ok;
}

static bool at_target(struct imalog_span text)
{
	return text_take_literal(&text, "target_index=");
}

/* All that comes before the targets; without targets the capacity of the device ends it. */
static bool decode_device(struct imalog_span *text, json_t *object)
{
	struct pair pair = { .end = ';' };

	while (text->size && !at_target(*text)) {
		if (!text_take_literal(text, "device_active_metadata="))
			text_take_literal(text, "device_inactive_metadata=");
		if (!take_pair(text, &pair) || !put_device_pair(object, &pair))
			return false;
		/* Here older kernels leave room for a text that is not there. */
		while (text_is(pair.value, "no_data") && text->size && text->data[0] == '\0')
			text_take(text, 1);
	}
	if (pair.end != ';' || (!text->size && !text_is(pair.key, "current_device_capacity")))
		return false;
	return json_object_get(object, "name") || json_object_get(object, "new_name");
}

/* ---- targets ---- */

struct target {
	uint64_t index;
	struct imalog_span name; /* empty when its type tells IMA nothing */
	struct imalog_span root_digest;
	struct imalog_span hash_failed;
};

/* Attributes are as the target's type writes them, up to ';'.  Without any there is no ';'. */
static bool take_target(struct imalog_span *text, struct target *ret)
{
	struct target target = { 0 };
	struct pair pair;

	if (!text_take_literal(text, "target_index=") ||
	    !text_take_number(text, &target.index) || !text_take_literal(text, ","))
		return false;
	do {
		if (!take_pair(text, &pair))
			return false;
		if (text_is(pair.key, "target_name"))
			target.name = pair.value;
		else if (text_is(pair.key, "root_digest"))
			target.root_digest = pair.value;
		else if (text_is(pair.key, "hash_failed"))
			target.hash_failed = pair.value;
	} while (text->size && pair.end == ',' && !at_target(*text));
	*ret = target;
	return pair.end == ';' || text_is(pair.key, "target_len");
}

/* Their names; and what a verity target, which is alone in its table, is about. */
static bool decode_targets(struct imalog_span *text, json_t *object)
{
	json_t *names = json_array();
	struct target target = { 0 };
	bool ok = object_put(object, "targets", names);

	while (ok && text->size) {
		uint64_t next = target.index + 1;

		ok = take_target(text, &target) &&
		     (json_array_size(names) == 0 || target.index == next) &&
		     json_array_append_new(names, json_text(target.name)) == 0;
	}
	if (!ok || json_array_size(names) != 1 || !text_is(target.name, "verity"))
		return ok;
	return object_put(object, "root_digest", read_word(target.root_digest)) &&
	       object_put(object, "hash_failed", read_word(target.hash_failed));
}

json_t *payload_device_mapper(struct imalog_span text)
{
	json_t *object = json_object();
	struct pair version;
	bool ok = take_pair(&text, &version) && version.end == ';' &&
		  text_is(version.key, "dm_version") &&
		  object_put(object, "dm_version", read_word(version.value)) &&
		  decode_device(&text, object) &&
		  (text.size == 0 || decode_targets(&text, object));

	return object_finish(object, ok);
}
