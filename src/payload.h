/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measured buffers, decoded, and what the files that do it share. */
#ifndef IMALOG_PAYLOAD_H
#define IMALOG_PAYLOAD_H

#include "cli.h"

/* ---- payload.c ---- */

/*
 * What is known of a buffer that IMA measured, by the name of its event: an object of strings
 * and numbers, NULL when nothing is known.
 */
json_t *payload_decode(struct imalog_span name, struct imalog_span data);

#define DIGITS "0123456789"
#define WORD DIGITS "abcdefghijklmnopqrstuvwxyz_"

bool text_is(struct imalog_span text, const char *literal);
/* Takes the next @size bytes, which must be there. */
struct imalog_span text_take(struct imalog_span *text, size_t size);
/* Takes the literal if it comes next. */
bool text_take_literal(struct imalog_span *text, const char *literal);
/* Takes as many bytes as are in @set, maybe none. */
struct imalog_span text_take_set(struct imalog_span *text, const char *set);
/* Takes a number as the kernel's %lu writes it, up to 64 bits. */
bool text_take_number(struct imalog_span *text, uint64_t *ret);

/* Takes the value, even when it fails; no key may come twice. */
bool object_put(json_t *object, const char *key, json_t *value);
/* The object if @ok, else it is freed. */
json_t *object_finish(json_t *object, bool ok);
/* JSON's integers here are signed; larger ones become strings. */
json_t *json_uint(uint64_t value);

/* ---- payload-dm.c ---- */

json_t *payload_device_mapper(struct imalog_span text);

#endif /* IMALOG_PAYLOAD_H */
