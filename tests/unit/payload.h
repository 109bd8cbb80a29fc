/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measured buffers and the JSON of what they say, for test programs. */
#ifndef TEST_PAYLOAD_H
#define TEST_PAYLOAD_H

#include "test.h"

#include "../../src/payload.h"

/* A string literal and its size, with the NULs within it */
#define TEXT(literal) (literal), sizeof(literal) - 1

struct example {
	const char *name;
	const char *data;
	size_t size;
	const char *json; /* NULL: nothing is known */
};

/* The JSON of what the bytes say, "" for nothing; to be freed. */
TEST_FN char *decode(const char *name, const void *data, size_t size)
{
	struct bytes exact_name = bytes_copy(name, strlen(name));
	struct bytes exact = bytes_copy(data, size);
	json_t *json = payload_decode(span_of_bytes(exact_name), span_of_bytes(exact));
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : strdup("");

	json_decref(json);
	bytes_free(&exact_name);
	bytes_free(&exact);
	if (!text)
		BAIL_OUT("what was decoded is no JSON");
	return text;
}

TEST_FN void check_one(const char *name, const void *data, size_t size, const char *json)
{
	char *text = decode(name, data, size);

	CHECK_STR(text, json ? json : "");
	free(text);
}

TEST_FN void check_all(const struct example *examples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct example *example = &examples[i];

		test_note("example %zu", i);
		check_one(example->name, example->data, example->size, example->json);
	}
	test_note("%s", "");
}
#define CHECK_ALL(examples) check_all(examples, IMALOG_ARRAY_SIZE(examples))

/* For examples that need all their bytes; or as few as @enough */
TEST_FN void check_cut(const struct example *example, size_t enough)
{
	for (size_t size = 0; size < example->size; size++) {
		if (size == enough)
			continue;
		test_note("%zu bytes", size);
		check_one(example->name, example->data, size, NULL);
	}
}

/* No value is wrong for sure: nothing may break, and what comes out must be JSON. */
TEST_FN void check_replaced(const struct example *example)
{
	static const char by[] = { 0, ';', ',', '=', '\\', '0', 'n', '\n', '\x80', '\xff' };
	struct bytes data = bytes_copy(example->data, example->size);

	for (size_t at = 0; at < data.size; at += test_step(3))
		for (size_t i = 0; i < sizeof(by); i++) {
			uint8_t before = data.data[at];

			data.data[at] = (uint8_t)by[i];
			free(decode(example->name, data.data, data.size));
			data.data[at] = before;
		}
	bytes_free(&data);
}

#endif /* TEST_PAYLOAD_H */
