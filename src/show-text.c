// SPDX-License-Identifier: GPL-2.0-or-later
/* A record as columns of text, as wide as the widest seen so far. */
#include <inttypes.h>
#include <string.h>

#include "show.h"

/* Numbers come first. */
enum kind {
	RECORD,
	OFFSET,
	RECNUM,
	PCR,
	DIGEST,
	TEMPLATE,
	FITS,
	SIZE,
	FILE_DIGEST,
	SIGNATURE,
	NAME,
	NOTE,
	FIELD
};

static const char *const names[] = {
	[RECORD] = "record", [OFFSET] = "offset", [RECNUM] = "recnum",
	[PCR] = "pcr",	     [DIGEST] = "digest", [TEMPLATE] = "template",
	[FITS] = "fits",     [SIZE] = "size",	  [FILE_DIGEST] = "file-digest",
	[SIGNATURE] = "signature",
	[NAME] = "name",     [NOTE] = "note",
};

/* Wider than the longest digest with its algorithm */
#define WIDTH_MAX 160

/* What most logs need, so that their first lines are aligned with the rest. */
static const size_t widths[FIELD + 1] = { [RECORD] = 5, [OFFSET] = 8, [PCR] = 2, [TEMPLATE] = 7 };

bool columns_parse(struct columns *columns, char *list)
{
	char *rest = list, *name;

	columns->nr = 0;
	while ((name = strsep(&rest, ","))) {
		enum imalog_field_id field = imalog_field_id_by_name(name);
		int kind = 0;

		while (kind < FIELD && strcmp(names[kind], name) != 0)
			kind++;
		if ((kind == FIELD && field == IMALOG_FIELD_NONE) || columns->nr == COLUMNS_MAX)
			return false;
		columns->all[columns->nr++] = (struct column){ kind, field, widths[kind] };
	}
	return true;
}

bool columns_open(struct columns *columns)
{
	char usual[] = "record,pcr,template,file-digest,name,note";

	if (columns->nr == 0)
		columns_parse(columns, usual);
	columns->cell = open_memstream(&columns->text, &columns->size);
	return columns->cell;
}

void columns_close(struct columns *columns)
{
	if (columns->cell)
		fclose(columns->cell);
	free(columns->text);
}

/* ---- cells ---- */

static void put_digest(FILE *cell, enum imalog_field_id id, struct imalog_span data)
{
	struct imalog_digest_field parts;

	imalog_field_digest(id, data, &parts);
	if (parts.type.size) {
		print_text(cell, parts.type);
		putc(':', cell);
	}
	if (parts.alg.size) {
		print_text(cell, parts.alg);
		putc(':', cell);
	}
	print_hex(cell, parts.digest);
}

static void put_uints(FILE *cell, struct imalog_span data, enum imalog_order order)
{
	for (size_t at = 0; at + 4 <= data.size; at += 4) {
		struct imalog_span one = { data.data + at, 4 };
		uint64_t value = 0;

		imalog_field_uint(one, order, &value);
		fprintf(cell, "%s%" PRIu64, at ? "," : "", value);
	}
}

static void put_field(FILE *cell, const struct imalog_record *record, size_t i)
{
	enum imalog_field_id id = imalog_record_field_id(record, i);
	struct imalog_span data = imalog_record_field_data(record, i);
	uint64_t value;

	switch (imalog_field_id_type(id)) {
	case IMALOG_TYPE_DIGEST:
		put_digest(cell, id, data);
		break;
	case IMALOG_TYPE_TEXT:
		print_text(cell, imalog_field_text(data));
		break;
	case IMALOG_TYPE_UINTS:
		put_uints(cell, data, imalog_record_order(record));
		break;
	case IMALOG_TYPE_UINT:
		if (imalog_field_uint(data, imalog_record_order(record), &value))
			fprintf(cell, id == IMALOG_FIELD_IMODE ? "0%" PRIo64 : "%" PRIu64, value);
		break;
	case IMALOG_TYPE_BYTES:
		print_hex(cell, data);
		break;
	}
}

/* The field with this id, or of this type when @id is none; a dash when there is none. */
static void put_found(FILE *cell, const struct imalog_record *record, enum imalog_field_id id)
{
	for (size_t i = 0; i < imalog_record_fields(record); i++) {
		enum imalog_field_id this = imalog_record_field_id(record, i);

		if (id ? this == id : imalog_field_id_type(this) == IMALOG_TYPE_DIGEST) {
			put_field(cell, record, i);
			return;
		}
	}
	putc('-', cell);
}

/* key="text" key=1 key=hex:616263, the members of nested values too */
static void put_json(FILE *cell, const char *key, json_t *value, const char **between)
{
	json_t *hex = json_object_get(value, "hex"), *member;
	const char *sub;
	size_t i;

	if (!hex)
		json_object_foreach(value, sub, member)
			put_json(cell, sub, member, between);
	json_array_foreach(value, i, member)
		put_json(cell, key, member, between);
	if ((json_is_object(value) && !hex) || json_is_array(value))
		return;
	fprintf(cell, "%s%s=", *between, key);
	*between = " ";
	if (hex)
		fprintf(cell, "hex:%s", json_string_value(hex));
	else if (json_is_integer(value))
		fprintf(cell, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_string(value))
		print_quoted(cell, (struct imalog_span){
					   (const uint8_t *)json_string_value(value),
					   json_string_length(value) });
	else
		fputs(json_is_true(value) ? "yes" : "no", cell);
}

/* What a reader should not miss: no digest, a wrong one, what a buffer says. */
static void put_note(FILE *cell, const struct imalog_record *record, enum imalog_fit fit)
{
	json_t *payload = record_payload(record);
	const char *between;

	if (imalog_record_is_violation(record))
		fputs("VIOLATION", cell);
	else if (fit == IMALOG_FIT_NO)
		fputs("BAD-DIGEST", cell);
	else if (imalog_record_content(record) == IMALOG_CONTENT_DIGEST_ONLY)
		fputs("template not known", cell);
	else if (imalog_record_content(record) != IMALOG_CONTENT_TEMPLATE)
		put_content_note(cell, record);
	else if (imalog_record_fields(record) == 0)
		fprintf(cell, "template not known, %zu bytes", imalog_record_data(record).size);
	between = ftello(cell) ? " " : "";
	if (record_is_malformed_marker(record)) {
		fprintf(cell, "%smalformed marker", between);
		between = " ";
	}
	if (payload)
		put_json(cell, "", payload, &between);
	json_decref(payload);
}

static void put_cell(FILE *cell, const struct column *column, const struct imalog_record *record,
		     enum imalog_fit fit)
{
	static const char *const fits[] = { "-", "yes", "no" };
	uint64_t recnum;

	switch (column->kind) {
	case RECORD:
		fprintf(cell, "%" PRIu64, imalog_record_number(record));
		break;
	case OFFSET:
		fprintf(cell, "0x%" PRIx64, imalog_record_offset(record));
		break;
	case RECNUM:
		if (imalog_record_recnum(record, &recnum))
			fprintf(cell, "%" PRIu64, recnum);
		break;
	case PCR:
		put_index(cell, record);
		break;
	case DIGEST:
		print_hex(cell, imalog_record_digest(record, 0, NULL));
		break;
	case TEMPLATE:
		put_template(cell, record);
		break;
	case FITS:
		fputs(fits[fit], cell);
		break;
	case SIZE:
		fprintf(cell, "%zu", imalog_record_raw(record).size);
		break;
	case FILE_DIGEST:
		put_found(cell, record, IMALOG_FIELD_NONE);
		break;
	case SIGNATURE:
		put_signatures(cell, record);
		break;
	case NAME:
		put_name(cell, record);
		break;
	case NOTE:
		put_note(cell, record, fit);
		break;
	case FIELD:
		put_found(cell, record, column->field);
		break;
	}
}

/* Numbers to the right, text to the left; nothing is padded at the end of a line. */
static bool print_cell(struct columns *columns, size_t i, size_t *pending)
{
	struct column *column = &columns->all[i];
	bool right = column->kind <= PCR || column->kind == SIZE;
	size_t size = columns->size, missing;

	/* One long cell does not widen all that follow. */
	if (size > column->width && size <= WIDTH_MAX)
		column->width = size;
	missing = column->width > size ? column->width - size : 0;
	if (size)
		printf("%*s%*s", (int)*pending, "", right ? (int)missing : 0, "");
	fwrite(columns->text, 1, size, stdout);
	*pending = size ? 0 : *pending;
	/* A name is as long as it is: what follows is not aligned. */
	*pending += (i + 1 < columns->nr ? 1 : 0) + (column->kind == NAME && size ? 1 : 0);
	if (!right && column->kind != NAME)
		*pending += missing;
	return !ferror(stdout);
}

bool columns_print(struct columns *columns, const struct imalog_record *record, enum imalog_fit fit)
{
	size_t pending = 0;

	for (size_t i = 0; i < columns->nr; i++) {
		rewind(columns->cell);
		put_cell(columns->cell, &columns->all[i], record, fit);
		if (ftello(columns->cell) == 0 && columns->all[i].kind != NOTE)
			putc('-', columns->cell);
		if (fflush(columns->cell) != 0 || !print_cell(columns, i, &pending))
			return false;
	}
	return putchar('\n') != EOF;
}
