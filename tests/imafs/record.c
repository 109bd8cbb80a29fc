// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records: made of what is measured, and shown as the binary and the ASCII list show them
 * (ima_template.c, ima_template_lib.c, ima_measurements_show() and
 * ima_ascii_measurements_show() of ima_fs.c)
 */
#include <stdlib.h>
#include <string.h>

#include "imafs.h"

#define NAME_MAX_OLD 255 /* of field n */
#define IMA_NAME     256 /* what `ima` pads the name to, for the digest */

static const struct template
{
	const char *name, *format;
}
templates[] = {
	{ "ima", "d|n" },
	{ "ima-ng", "d-ng|n-ng" },
	{ "ima-sig", "d-ng|n-ng|sig" },
	{ "ima-ngv2", "d-ngv2|n-ng" },
	{ "ima-sigv2", "d-ngv2|n-ng|sig" },
	{ "ima-buf", "d-ng|n-ng|buf" },
	{ "ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig" },
	{ "evm-sig",
	  "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode" },
};

static const char *const field_ids[] = {
	"d",	"n",	    "d-ng",   "d-ngv2",	    "n-ng",	  "sig",
	"buf",	"d-modsig", "modsig", "evmsig",	    "xattrnames", "xattrlengths",
	"iuid", "igid",	    "imode",  "xattrvalues"
};

static const char *named_format(const char *name)
{
	for (size_t i = 0; i < sizeof(templates) / sizeof(*templates); i++)
		if (strcmp(templates[i].name, name) == 0)
			return templates[i].format;
	return NULL;
}

/* A name that is none is a format. */
static const char *template_format(const char *name)
{
	const char *format = named_format(name);

	return format ? format : name;
}

/* Takes the next field id from a format; "" behind the last one. */
static const char *next_field(const char **format)
{
	size_t size = strcspn(*format, "|");
	const char *id = "";

	for (size_t i = 0; i < sizeof(field_ids) / sizeof(*field_ids); i++)
		if (strlen(field_ids[i]) == size &&
		    strncmp(*format, field_ids[i], size) == 0)
			id = field_ids[i];
	*format += size;
	*format += **format == '|';
	return id;
}

bool template_known(const char *name)
{
	const char *format = template_format(name);
	bool known = *format != '\0';

	while (*format && known)
		known = *next_field(&format) != '\0';
	return known;
}

/* ---- making ---- */

static void put_u32(struct buf *out, uint64_t value, bool big_endian)
{
	uint8_t bytes[4];

	for (unsigned int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * (big_endian ? 3 - i : i));
	buf_put(out, bytes, sizeof(bytes));
}

static uint32_t get_u32(const uint8_t *data, bool big_endian)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < 4; i++)
		value |= (uint32_t)data[i] << 8 * (big_endian ? 3 - i : i);
	return value;
}

static void make_digest(const struct event *event, const char *prefix, struct buf *field)
{
	buf_printf(field, "%s%s:", prefix, event->alg->name);
	buf_put(field, "", 1);
	buf_put(field, event->digest, event->alg->size);
}

static void make_name(const char *name, size_t size, struct buf *field)
{
	size_t start = field->size;

	buf_put(field, name, size);
	buf_put(field, "", 1);
	for (size_t i = start; i < field->size; i++)
		if (field->data[i] == ' ')
			field->data[i] = '_';
}

static void make_field(const struct event *event, const char *id, struct buf *field)
{
	size_t name_size = strlen(event->name);

	if (strcmp(id, "d") == 0)
		buf_put(field, event->sha1, alg_find("sha1")->size);
	else if (strcmp(id, "n") == 0)
		make_name(event->name,
			  name_size > NAME_MAX_OLD ? NAME_MAX_OLD : name_size, field);
	else if (strcmp(id, "d-ng") == 0)
		make_digest(event, "", field);
	else if (strcmp(id, "d-ngv2") == 0)
		make_digest(event, "ima:", field);
	else if (strcmp(id, "n-ng") == 0)
		make_name(event->name, name_size, field);
	else if (strcmp(id, "sig") == 0)
		buf_put(field, event->sig, event->sig_size);
	else if (strcmp(id, "buf") == 0)
		buf_put(field, event->buf, event->buf_size);
	else if (strcmp(id, "iuid") == 0 || strcmp(id, "igid") == 0)
		buf_put(field, "\0\0\0", 4);
	else if (strcmp(id, "imode") == 0)
		buf_put(field, "\0", 2);
}

/* What the template digest covers.  `ima` has no lengths, and a name of fixed size. */
static void hash_input(const struct record *record, bool big_endian, struct buf *out)
{
	static const uint8_t zeros[IMA_NAME];
	uint32_t size = 0;

	if (strcmp(record->template, "ima") != 0) {
		buf_put(out, record->data, record->size);
		return;
	}
	for (size_t at = 0; at < record->size; at += 4 + size) {
		size = get_u32(record->data + at, big_endian);
		buf_put(out, record->data + at + 4, size);
	}
	buf_put(out, zeros, IMA_NAME - size);
}

static void make_digests(struct record *record, const struct tpm *tpm, bool big_endian)
{
	struct buf input = { 0 };

	hash_input(record, big_endian, &input);
	for (size_t i = 0; i < tpm->nr_banks && !record->violation; i++)
		hash(tpm->banks[i].alg, input.data, input.size, record->digests[i]);
	buf_free(&input);
}

struct record *record_new(const struct event *event, const struct tpm *tpm,
			  bool big_endian)
{
	struct record *record = xcalloc(1, sizeof(*record) + tpm->nr_banks * DIGEST_MAX);
	const char *format;
	struct buf data = { 0 }, field = { 0 };

	record->template = xstrdup(event->template);
	record->violation = event->violation;
	format = template_format(event->template);
	while (*format) {
		field.size = 0;
		make_field(event, next_field(&format), &field);
		put_u32(&data, field.size, big_endian);
		buf_put(&data, field.data, field.size);
	}
	buf_free(&field);
	record->data = data.data;
	record->size = data.size;
	make_digests(record, tpm, big_endian);
	return record;
}

void record_free(struct record *record)
{
	free(record->template);
	free(record->data);
	free(record);
}

/* ---- showing ---- */

/* The digest as a list shows it. */
static void shown_digest(const struct record *record, size_t bank, uint8_t *digest)
{
	memcpy(digest, record->digests[bank], DIGEST_MAX);
	digest[0] ^= record->bad;
}

/* The data of `ima`: the digest without its length, the name without its NUL. */
static void ima_data(const struct record *record, bool big_endian, struct buf *out)
{
	const uint8_t *data = record->data;
	uint32_t digest = get_u32(data, big_endian);
	uint32_t name = get_u32(data + 4 + digest, big_endian);

	buf_put(out, data + 4, digest);
	put_u32(out, name - 1, big_endian);
	buf_put(out, data + 4 + digest + 4, name - 1);
}

void record_binary(const struct record *record, const struct tpm *tpm, size_t bank,
		   bool big_endian, struct buf *out)
{
	uint8_t digest[DIGEST_MAX];

	shown_digest(record, bank, digest);
	put_u32(out, record->pcr, big_endian);
	buf_put(out, digest, tpm->banks[bank].alg->size);
	put_u32(out, strlen(record->template), big_endian);
	buf_put(out, record->template, strlen(record->template));
	if (strcmp(record->template, "ima") == 0) {
		ima_data(record, big_endian, out);
		return;
	}
	put_u32(out, record->size, big_endian);
	buf_put(out, record->data, record->size);
}

static void put_hex(struct buf *out, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buf_printf(out, "%02x", data[i]);
}

static void show_field(const char *id, const uint8_t *data, size_t size, struct buf *out)
{
	if (strncmp(id, "n", 1) == 0 || strcmp(id, "xattrnames") == 0) {
		/* %s: up to the NUL */
		buf_put(out, data, size ? strnlen((const char *)data, size) : 0);
	} else if (strncmp(id, "d-", 2) == 0) {
		size_t prefix = size ? strnlen((const char *)data, size) : 0;

		buf_put(out, data, prefix);
		prefix += prefix < size;
		put_hex(out, data + prefix, size - prefix);
	} else if (strcmp(id, "iuid") == 0 || strcmp(id, "igid") == 0 ||
		   strcmp(id, "imode") == 0) {
		buf_put(out, "0", 1);
	} else {
		put_hex(out, data, size);
	}
}

void record_ascii(const struct record *record, const struct tpm *tpm, size_t bank,
		  bool big_endian, struct buf *out)
{
	const char *format = template_format(record->template);
	uint8_t digest[DIGEST_MAX];

	shown_digest(record, bank, digest);
	buf_printf(out, "%2u ", record->pcr);
	put_hex(out, digest, tpm->banks[bank].alg->size);
	buf_printf(out, " %s", record->template);
	for (size_t at = 0; at < record->size;) {
		uint32_t size = get_u32(record->data + at, big_endian);

		buf_put(out, " ", 1);
		show_field(next_field(&format), record->data + at + 4, size, out);
		at += 4 + size;
	}
	buf_put(out, "\n", 1);
}

size_t record_counted_size(const struct record *record)
{
	bool named = named_format(record->template);

	return 4 + alg_find("sha1")->size + 4 + (named ? strlen(record->template) : 0) +
	       4 + record->size;
}
