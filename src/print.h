/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text on the terminal, and JSON: what comes from a log acts on nothing there. */
#ifndef IMALOG_PRINT_H
#define IMALOG_PRINT_H

#include <stdarg.h>
#include <stdio.h>

#include <jansson.h>

#include "imalog.h"

/* Says so; EXIT_UNABLE. */
int out_of_memory(void);
/* One line on standard error: "imalog: " and the text. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "imalog: 'FILE': record 1 at 0x0: ..." */
void complain_of(const char *file, const struct imalog_error *error);
/* A message of the tool's own, which may hold names: all but backslashes escaped. */
void print_message(FILE *file, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));
/* Untrusted text for a terminal: escapes all that is not plain printable text. */
void print_text(FILE *file, struct imalog_span text);
/* As print_text(), between quotes that the text cannot end. */
void print_quoted(FILE *file, struct imalog_span text);
void print_hex(FILE *file, struct imalog_span bytes);
json_t *json_hex(struct imalog_span bytes);
/* A JSON string, or {"hex": "..."} when the bytes are not UTF-8. */
json_t *json_text(struct imalog_span text);
/* {"kind": "wrong", "text": ...} */
json_t *json_note(enum imalog_note_kind kind, const char *text);
/* One line; takes the value; false when it could not be written. */
bool print_json(FILE *file, json_t *value);

#endif
