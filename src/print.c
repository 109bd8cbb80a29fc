// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything that reaches a terminal or a JSON reader, with untrusted bytes made harmless. */
#include <inttypes.h>
#include <langinfo.h>
#include <string.h>

#include "cli.h"

/* Code points that change how text around them is shown, or show nothing at all. */
static bool is_hidden(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x00, 0x1f },	      { 0x7f, 0x9f },	    { 0xad, 0xad },
		{ 0x34f, 0x34f },     { 0x61c, 0x61c },	    { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 },   { 0x180b, 0x180f },   { 0x2000, 0x200f },
		{ 0x2028, 0x202f },   { 0x205f, 0x206f },   { 0x3000, 0x3000 },
		{ 0x3164, 0x3164 },   { 0xd800, 0xf8ff },   { 0xfdd0, 0xfdef },
		{ 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },   { 0xffa0, 0xffa0 },
		{ 0xfff0, 0xffff },   { 0x1d173, 0x1d17a }, { 0xe0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return false;
}

/* Bytes of the UTF-8 character at the start of @text, 0 when there is none. */
static size_t decode_utf8(struct imalog_span text, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t lead = text.data[0];
	size_t size = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
	uint32_t c = size == 1 ? lead : lead & (0x7fu >> size);

	if (size == 0 || size > text.size)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if (text.data[i] >> 6 != 2)
			return 0;
		c = c << 6 | (text.data[i] & 0x3f);
	}
	if (c < least[size] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return size;
}

/* On another terminal the bytes of UTF-8 could be control characters. */
static bool terminal_is_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

#define ESCAPE_MAX 16

/* The first character of @text, made harmless, in @out; returns the bytes it took. */
static size_t escape_one(struct imalog_span text, char out[ESCAPE_MAX])
{
	static const char controls[] = "abtnvfr"; /* 7 to 13 */
	uint32_t c;
	size_t size = decode_utf8(text, &c);

	if (size == 0 || (size > 1 && !terminal_is_utf8())) {
		snprintf(out, ESCAPE_MAX, "\\x%02x", text.data[0]);
		return 1;
	}
	if (c == '\\') {
		strcpy(out, "\\\\");
	} else if (c >= 7 && c <= 13) {
		snprintf(out, ESCAPE_MAX, "\\%c", controls[c - 7]);
	} else if (size == 1 && is_hidden(c)) {
		snprintf(out, ESCAPE_MAX, "\\x%02" PRIx32, c);
	} else if (is_hidden(c)) {
		snprintf(out, ESCAPE_MAX, "\\u{%" PRIx32 "}", c);
	} else {
		memcpy(out, text.data, size);
		out[size] = '\0';
	}
	return size;
}

void print_text(FILE *file, struct imalog_span text)
{
	while (text.size) {
		char out[ESCAPE_MAX];
		size_t taken = escape_one(text, out);

		fputs(out, file);
		text.data += taken;
		text.size -= taken;
	}
}

void print_quoted(FILE *file, struct imalog_span text)
{
	putc('"', file);
	while (text.size) {
		const uint8_t *quote = memchr(text.data, '"', text.size);
		size_t size = quote ? (size_t)(quote - text.data) : text.size;

		print_text(file, (struct imalog_span){ text.data, size });
		if (quote)
			fputs("\\\"", file);
		text.data += size + (quote ? 1 : 0);
		text.size -= size + (quote ? 1 : 0);
	}
	putc('"', file);
}

void print_hex(FILE *file, struct imalog_span bytes)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.size; i++) {
		putc(digits[bytes.data[i] >> 4], file);
		putc(digits[bytes.data[i] & 15], file);
	}
}

/* The text of a message, each character of it harmless; NULL when memory ran out */
static char *__attribute__((format(printf, 1, 0)))
escape_message(const char *format, va_list args)
{
	char *text, *line, *to;
	int size = vasprintf(&text, format, args);
	struct imalog_span rest;

	if (size < 0)
		return NULL;
	rest = (struct imalog_span){ (const uint8_t *)text, (size_t)size };
	line = malloc(rest.size * ESCAPE_MAX + 1);
	for (to = line; line && rest.size;) {
		char out[ESCAPE_MAX];
		size_t taken = escape_one(rest, out);

		/* What the library quotes is escaped already. */
		to = stpcpy(to, rest.data[0] == '\\' ? "\\" : out);
		rest.data += taken;
		rest.size -= taken;
	}
	if (line)
		*to = '\0';
	free(text);
	return line;
}

void print_message(FILE *file, const char *format, va_list args)
{
	char *line = escape_message(format, args);

	if (line)
		fputs(line, file);
	free(line);
}

/* In one piece: standard error has no buffer, and others may write there, too. */
void complain(const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	line = escape_message(format, args);
	va_end(args);
	fprintf(stderr, "imalog: %s\n", line ? line : "out of memory");
	free(line);
}

int out_of_memory(void)
{
	complain("out of memory");
	return EXIT_UNABLE;
}

void complain_of(const char *file, const struct imalog_error *error)
{
	char text[512];

	imalog_error_format(error, text, sizeof(text));
	if (imalog_error_source(error)[0])
		file = imalog_error_source(error);
	if (file)
		complain("'%s': %s", file, text);
	else
		complain("%s", text);
}

json_t *json_hex(struct imalog_span bytes)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * bytes.size + 1);
	json_t *json;

	if (!text)
		return NULL;
	for (size_t i = 0; i < bytes.size; i++) {
		text[2 * i] = digits[bytes.data[i] >> 4];
		text[2 * i + 1] = digits[bytes.data[i] & 15];
	}
	json = json_stringn_nocheck(text, 2 * bytes.size);
	free(text);
	return json;
}

json_t *json_text(struct imalog_span text)
{
	json_t *json = json_stringn(text.size ? (const char *)text.data : "", text.size);

	return json ? json : json_pack("{s:o}", "hex", json_hex(text));
}

json_t *json_note(enum imalog_note_kind kind, const char *text)
{
	static const char *const kinds[] = {
		[IMALOG_NOTE_INFO] = "info",
		[IMALOG_NOTE_UNCHECKED] = "unchecked",
		[IMALOG_NOTE_WRONG] = "wrong",
	};

	return json_pack("{s:s, s:s}", "kind", kinds[kind], "text", text);
}

bool print_json(FILE *file, json_t *value)
{
	/* ASCII alone: no byte of a name can act on a terminal. */
	bool ok = value && json_dumpf(value, file, JSON_COMPACT | JSON_ENSURE_ASCII) == 0 &&
		  putc('\n', file) != EOF;

	json_decref(value);
	return ok;
}
