// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Where the objects of a JSON log begin and end, in an array, a text sequence or alone
 *
 * Nothing is taken apart here: that is for jansson, one object at a time.
 */
#include "cel.h"

/* Text of a record: content in hexadecimal, and what is around it */
#define TEXT_MAX  ((size_t)2 * IMALOG_CEL_CONTENT_MAX + 65536)
#define DEPTH_MAX 16

enum {
	START,
	ELEMENT,
	NEXT_ELEMENT,
	BEHIND,
	ENDED,
	SEQUENCE
};

bool imalog_json_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Passes blanks; 1 and the character behind them, 0 at the end. */
static int next_char(struct imalog_reader *reader, uint8_t *c, struct imalog_error *error)
{
	for (;;) {
		struct imalog_span span = imalog_window_span(&reader->window);
		size_t blanks = 0;
		int rc;

		while (blanks < span.size && imalog_json_is_blank(span.data[blanks]))
			blanks++;
		imalog_window_advance(&reader->window, blanks);
		if (blanks < span.size) {
			*c = span.data[blanks];
			return 1;
		}
		rc = imalog_window_need(&reader->window, 1, error);
		if (rc < 0)
			return rc;
		if (imalog_window_span(&reader->window).size == 0)
			return 0;
	}
}

/* What @c does to the array or sequence; 1 when a record begins with it, 0 when it is
 * passed. */
static int pass(struct imalog_reader *reader, uint8_t c, struct imalog_error *error)
{
	int *state = &reader->stream.state;
	char text[2] = { (char)c, '\0' }, shown[IMALOG_PRINTABLE_MAX];

	if (*state == START)
		*state = c == '[' ? ELEMENT : SEQUENCE;
	else if (*state == ELEMENT && c == ']')
		*state = ENDED;
	else if (*state == BEHIND && (c == ',' || c == ']'))
		*state = c == ',' ? NEXT_ELEMENT : ENDED;
	else if (*state == ENDED)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "JSON",
				   "there is something behind the array");
	else if (*state == BEHIND)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "JSON",
				   "'%s' is neither ',' nor ']'",
				   imalog_printable(imalog_span_of(text), shown));
	else if (c == '{')
		return 1;
	else if (*state != SEQUENCE || c != IMALOG_JSON_SEPARATOR)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "JSON",
				   "'%s' does not begin an object",
				   imalog_printable(imalog_span_of(text), shown));
	if (*state == SEQUENCE && c == '{')
		return 1;
	if (*state == SEQUENCE && c != IMALOG_JSON_SEPARATOR)
		return pass(reader, c, error);
	imalog_window_advance(&reader->window, 1);
	return 0;
}

/* To where a record begins; 1, 0 at a clean end. */
static int find_start(struct imalog_reader *reader, struct imalog_error *error)
{
	uint8_t c;
	int rc;

	while ((rc = next_char(reader, &c, error)) > 0) {
		rc = pass(reader, c, error);
		if (rc != 0)
			return rc;
	}
	if (rc == 0 && reader->stream.state != START && reader->stream.state != ENDED &&
	    reader->stream.state != SEQUENCE)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, "JSON",
				   "the array is not closed");
	return rc;
}

/* What is known while the end of an object is looked for. */
struct scan {
	size_t at;
	size_t depth, values;
	bool in_string, escaped;
};

/* Goes on in what is there; true at the end of the object. */
static bool scan_more(struct scan *scan, struct imalog_span span)
{
	while (scan->at < span.size && scan->depth <= DEPTH_MAX) {
		uint8_t c = span.data[scan->at++];

		if (scan->in_string) {
			scan->in_string = scan->escaped || c != '"';
			scan->escaped = !scan->escaped && c == '\\';
			continue;
		}
		scan->in_string = c == '"';
		scan->depth += c == '{' || c == '[';
		scan->values += c == '{' || c == '[' || c == ',' || c == ':';
		if ((c == '}' || c == ']') && --scan->depth == 0)
			return true;
	}
	return false;
}

/* The size of the object that begins here */
static int find_end(struct imalog_reader *reader, size_t *size,
		    struct imalog_error *error)
{
	struct scan scan = { .at = 0 };

	while (!scan_more(&scan, imalog_window_span(&reader->window))) {
		int rc;

		if (scan.depth > DEPTH_MAX)
			return imalog_fail(error, IMALOG_ERR_LIMIT, "JSON",
					   "more than %d levels of nesting", DEPTH_MAX);
		if (scan.at > TEXT_MAX)
			return imalog_fail(error, IMALOG_ERR_LIMIT, "JSON",
					   "a record of more than %zu bytes", TEXT_MAX);
		if (scan.values > IMALOG_CEL_VALUES_MAX)
			break;
		rc = imalog_window_need(&reader->window, scan.at + 1, error);
		if (rc < 0)
			return rc;
		if (imalog_window_span(&reader->window).size == scan.at)
			return imalog_fail(
				error, IMALOG_ERR_TRUNCATED, "JSON",
				"the input ends within the record, after %zu bytes",
				scan.at);
	}
	if (scan.values > IMALOG_CEL_VALUES_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "JSON",
				   "a record of more than %d values",
				   IMALOG_CEL_VALUES_MAX);
	*size = scan.at;
	return 0;
}

int imalog_json_find(struct imalog_reader *reader, size_t *size,
		     struct imalog_error *error)
{
	int rc = find_start(reader, error);

	if (rc <= 0)
		return rc;
	rc = find_end(reader, size, error);
	return rc < 0 ? rc : 1;
}

void imalog_json_passed(struct imalog_reader *reader, size_t size)
{
	imalog_window_advance(&reader->window, size);
	if (reader->stream.state != SEQUENCE)
		reader->stream.state = BEHIND;
}

/* ---- a value as it stands ---- */

/* Behind a string that begins at @at */
static size_t pass_string(struct imalog_span text, size_t at)
{
	for (at++; at < text.size && text.data[at] != '"'; at++)
		at += text.data[at] == '\\';
	return at + 1;
}

static size_t pass_blanks(struct imalog_span text, size_t at)
{
	while (at < text.size && imalog_json_is_blank(text.data[at]))
		at++;
	return at;
}

/* Behind a value, and the blanks that follow it */
static size_t pass_value(struct imalog_span text, size_t at)
{
	for (size_t depth = 0; at < text.size; at++) {
		uint8_t c = text.data[at];

		if (c == '"')
			at = pass_string(text, at) - 1;
		else if (depth == 0 && (c == ',' || c == '}'))
			break;
		else if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
	}
	return at < text.size ? at : text.size;
}

bool imalog_json_value(struct imalog_span text, const char *key, struct imalog_span *ret)
{
	size_t at = pass_blanks(text, 1);

	while (at < text.size && text.data[at] == '"') {
		size_t end = pass_string(text, at), value, behind;

		if (end > text.size)
			return false;
		value = pass_blanks(text, pass_blanks(text, end) + 1);
		behind = pass_value(text, value);
		if (imalog_span_equal((struct imalog_span){ text.data + at + 1, end - at - 2 },
				      imalog_span_of(key))) {
			while (behind > value && imalog_json_is_blank(text.data[behind - 1]))
				behind--;
			*ret = (struct imalog_span){ text.data + value, behind - value };
			return behind > value;
		}
		at = pass_blanks(text, behind + 1);
	}
	return false;
}
