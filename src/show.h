/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a record looks: as columns, as JSON. */
#ifndef IMALOG_SHOW_H
#define IMALOG_SHOW_H

#include "cli.h"

#define COLUMNS_MAX 32

struct column {
	int kind;
	enum imalog_field_id field;
	size_t width; /* of the widest so far */
};

struct columns {
	struct column all[COLUMNS_MAX];
	size_t nr;
	FILE *cell; /* a column's text, written before its width is known */
	char *text;
	size_t size;
};

/* "record,pcr,n-ng"; false when a name is unknown. */
bool columns_parse(struct columns *columns, char *list);
bool columns_open(struct columns *columns);
void columns_close(struct columns *columns);
bool columns_print(struct columns *columns, const struct imalog_record *record,
		   enum imalog_fit fit);

json_t *record_json(const struct imalog_record *record, enum imalog_fit fit);
/* What the record's buffer says, NULL when it has none or nothing is known of it. */
json_t *record_payload(const struct imalog_record *record);
/* Has it the name of a marker, and is none? */
bool record_is_malformed_marker(const struct imalog_record *record);

/* ---- show-content.c: what TLV records have ---- */

/* A PCR as its number, other indexes with what they are. */
void put_index(FILE *cell, const struct imalog_record *record);
/* The template, or the type of another content. */
void put_template(FILE *cell, const struct imalog_record *record);
void put_name(FILE *cell, const struct imalog_record *record);
/* What is to be said of content that is no template; nothing of others. */
void put_content_note(FILE *cell, const struct imalog_record *record);
/* Adds what only TLV records have. */
void set_content_json(json_t *json, const struct imalog_record *record);

/* ---- show-sig.c: what signatures say of themselves ---- */

/* TYPE:vVERSION:HASH:KEYID of each, nothing when there is none */
void put_signatures(FILE *cell, const struct imalog_record *record);
json_t *signatures_json(const struct imalog_record *record);

#endif /* IMALOG_SHOW_H */
