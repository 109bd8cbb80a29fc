// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Templates: from a name to its fields, from template data to the fields' bytes.
 *
 * Template data is, for each field, a length of 4 bytes and the bytes (ima_store_template,
 * ima_fs.c:ima_measurements_show); `ima` alone has a digest without a length.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "private.h"

static const struct {
	const char *name;
	enum imalog_field_type type;
} field_ids[] = {
	[IMALOG_FIELD_NONE] = { "none", IMALOG_TYPE_BYTES },
	[IMALOG_FIELD_D] = { "d", IMALOG_TYPE_DIGEST },
	[IMALOG_FIELD_N] = { "n", IMALOG_TYPE_TEXT },
	[IMALOG_FIELD_D_NG] = { "d-ng", IMALOG_TYPE_DIGEST },
	[IMALOG_FIELD_D_NGV2] = { "d-ngv2", IMALOG_TYPE_DIGEST },
	[IMALOG_FIELD_N_NG] = { "n-ng", IMALOG_TYPE_TEXT },
	[IMALOG_FIELD_SIG] = { "sig", IMALOG_TYPE_BYTES },
	[IMALOG_FIELD_BUF] = { "buf", IMALOG_TYPE_BYTES },
	[IMALOG_FIELD_D_MODSIG] = { "d-modsig", IMALOG_TYPE_DIGEST },
	[IMALOG_FIELD_MODSIG] = { "modsig", IMALOG_TYPE_BYTES },
	[IMALOG_FIELD_EVMSIG] = { "evmsig", IMALOG_TYPE_BYTES },
	[IMALOG_FIELD_IUID] = { "iuid", IMALOG_TYPE_UINT },
	[IMALOG_FIELD_IGID] = { "igid", IMALOG_TYPE_UINT },
	[IMALOG_FIELD_IMODE] = { "imode", IMALOG_TYPE_UINT },
	[IMALOG_FIELD_XATTRNAMES] = { "xattrnames", IMALOG_TYPE_TEXT },
	[IMALOG_FIELD_XATTRLENGTHS] = { "xattrlengths", IMALOG_TYPE_UINTS },
	[IMALOG_FIELD_XATTRVALUES] = { "xattrvalues", IMALOG_TYPE_BYTES },
	[IMALOG_FIELD_TIMESTAMP] = { "timestamp", IMALOG_TYPE_UINT },
	[IMALOG_FIELD_LABEL] = { "label", IMALOG_TYPE_BYTES },
};
/* Those of templates; the others are of TLV records alone. */
#define TEMPLATE_FIELDS IMALOG_FIELD_TIMESTAMP

static const struct {
	const char *name;
	const char *fmt;
} builtin[] = {
	{ "ima", "d|n" },
	{ "ima-ng", "d-ng|n-ng" },
	{ "ima-sig", "d-ng|n-ng|sig" },
	{ "ima-ngv2", "d-ngv2|n-ng" },
	{ "ima-sigv2", "d-ngv2|n-ng|sig" },
	{ "ima-buf", "d-ng|n-ng|buf" },
	{ "ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig" },
	{ "evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode" },
};

struct imalog_templates {
	struct imalog_template *all;
	size_t nr;
};

static const char *id_name(unsigned int id)
{
	return field_ids[id < IMALOG_ARRAY_SIZE(field_ids) ? id : IMALOG_FIELD_NONE].name;
}

const char *imalog_field_id_name(enum imalog_field_id id)
{
	return id_name(id);
}

static enum imalog_field_id id_of(struct imalog_span name)
{
	for (unsigned int id = 1; id < IMALOG_ARRAY_SIZE(field_ids); id++)
		if (imalog_span_equal(name, imalog_span_of(field_ids[id].name)))
			return (enum imalog_field_id)id;
	return IMALOG_FIELD_NONE;
}

enum imalog_field_id imalog_field_id_by_name(const char *name)
{
	return id_of(imalog_span_of(name));
}

enum imalog_field_type imalog_field_id_type(enum imalog_field_id id)
{
	return field_ids[(size_t)id < IMALOG_ARRAY_SIZE(field_ids) ? id : IMALOG_FIELD_NONE].type;
}

/* Fills @template's fields from "d-ng|n-ng|sig"; false when that is no list of fields. */
static bool parse_fmt(struct imalog_span fmt, struct imalog_template *template)
{
	template->nr_fields = 0;
	for (;;) {
		const uint8_t *bar = fmt.size ? memchr(fmt.data, '|', fmt.size) : NULL;
		struct imalog_span name = { fmt.data, bar ? (size_t)(bar - fmt.data) : fmt.size };
		enum imalog_field_id id = id_of(name);

		if (id == IMALOG_FIELD_NONE || id >= TEMPLATE_FIELDS ||
		    template->nr_fields == IMALOG_FIELDS_MAX)
			return false;
		template->fields[template->nr_fields++] = (uint8_t)id;
		if (!bar)
			return true;
		fmt.data = bar + 1;
		fmt.size -= name.size + 1;
	}
}

static void set_name(struct imalog_template *template, struct imalog_span name)
{
	memcpy(template->name, name.data, name.size);
	template->name[name.size] = '\0';
	template->name_size = name.size;
}

static int add(struct imalog_templates *templates, const char *name, const char *fmt,
	       struct imalog_error *error)
{
	struct imalog_template *all, parsed = { .known = true };
	char shown[IMALOG_PRINTABLE_MAX];

	if (!parse_fmt(imalog_span_of(fmt), &parsed))
		return imalog_fail(error, IMALOG_ERR_INVALID, "",
				   "template format '%s' is no list of up to %d known fields",
				   imalog_printable(imalog_span_of(fmt), shown), IMALOG_FIELDS_MAX);
	set_name(&parsed, imalog_span_of(name));
	all = reallocarray(templates->all, templates->nr + 1, sizeof(*all));
	if (!all)
		return imalog_fail_nomem(error);
	templates->all = all;
	all[templates->nr++] = parsed;
	return 0;
}

struct imalog_templates *imalog_templates_new(void)
{
	struct imalog_templates *templates = calloc(1, sizeof(*templates));

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(builtin) && templates; i++)
		if (add(templates, builtin[i].name, builtin[i].fmt, NULL) < 0)
			imalog_templates_free(&templates);
	return templates;
}

void imalog_templates_free(struct imalog_templates **templates)
{
	if (!templates || !*templates)
		return;
	free((*templates)->all);
	free(*templates);
	*templates = NULL;
}

static const struct imalog_template *find(const struct imalog_templates *templates,
					  struct imalog_span name)
{
	for (size_t i = 0; i < templates->nr; i++) {
		const struct imalog_template *t = &templates->all[i];

		if (t->name_size == name.size && memcmp(t->name, name.data, name.size) == 0)
			return t;
	}
	return NULL;
}

int imalog_templates_define(struct imalog_templates *templates, const char *name, const char *fmt,
			    struct imalog_error *reterr)
{
	char shown[IMALOG_PRINTABLE_MAX];
	size_t size = strlen(name);

	if (size == 0 || size > IMALOG_NAME_MAX)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "template name of %zu bytes, 1 to %d are possible", size,
				   IMALOG_NAME_MAX);
	if (find(templates, imalog_span_of(name)))
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "template '%s' is known already",
				   imalog_printable(imalog_span_of(name), shown));
	return add(templates, name, fmt, reterr);
}

bool imalog_template_is_ima(struct imalog_span name)
{
	return name.size == 3 && memcmp(name.data, "ima", 3) == 0;
}

const struct imalog_template *imalog_templates_find(const struct imalog_templates *templates,
						    struct imalog_span name,
						    struct imalog_template *adhoc)
{
	const struct imalog_template *found = find(templates, name);

	if (found || name.size > IMALOG_NAME_MAX)
		return found;
	return parse_fmt(name, adhoc) ? adhoc : NULL;
}

int imalog_template_parse(const struct imalog_template *template, struct imalog_span data,
			  enum imalog_order order, struct imalog_field *fields,
			  struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(data, order);

	for (size_t i = 0; i < template->nr_fields; i++) {
		uint32_t size;

		fields[i].id = (enum imalog_field_id)template->fields[i];
		if (!imalog_cursor_u32(&cursor, &size))
			return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, id_name(fields[i].id),
					   "its length needs 4 bytes, %zu are left in the template data",
					   cursor.left);
		if (!imalog_cursor_bytes(&cursor, size, &fields[i].data))
			return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, id_name(fields[i].id),
					   "length %u exceeds %zu bytes left", size, cursor.left);
	}
	if (cursor.left)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "template data",
				   "%zu of %zu bytes are left over behind the last field",
				   cursor.left, data.size);
	return 0;
}

static void swap(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size / 2; i++) {
		uint8_t low = bytes[i];

		bytes[i] = bytes[size - 1 - i];
		bytes[size - 1 - i] = low;
	}
}

/* As ima_canonical_fmt: lengths, inode numbers and the lengths of xattrs, nothing else. */
void imalog_template_swap(const struct imalog_record *record, uint8_t *out)
{
	memcpy(out, record->data.data, record->data.size);
	for (size_t i = 0; i < record->nr_fields; i++) {
		const struct imalog_field *field = &record->fields[i];
		uint8_t *bytes = out + (field->data.data - record->data.data);
		enum imalog_field_type type = imalog_field_id_type(field->id);

		/* The digest of template `ima` has no length before it. */
		if (!imalog_template_is_ima(record->template_name) || i > 0)
			swap(bytes - 4, 4);
		if (type == IMALOG_TYPE_UINT)
			swap(bytes, field->data.size);
		for (size_t at = 0; type == IMALOG_TYPE_UINTS && at + 4 <= field->data.size; at += 4)
			swap(bytes + at, 4);
	}
}

void imalog_field_digest(enum imalog_field_id id, struct imalog_span data,
			 struct imalog_digest_field *ret)
{
	const uint8_t *nul = data.size ? memchr(data.data, '\0', data.size) : NULL;
	const uint8_t *colon;

	*ret = (struct imalog_digest_field){ .digest = data };
	/* A prefix is text that ends in ":" NUL; `d` has none and may hold any byte. */
	if (id == IMALOG_FIELD_D || !nul || nul == data.data || nul[-1] != ':')
		return;
	for (const uint8_t *p = data.data; p < nul; p++)
		if (*p < 0x20 || *p > 0x7e)
			return;
	ret->alg = (struct imalog_span){ data.data, (size_t)(nul - data.data) - 1 };
	ret->digest.data = nul + 1;
	ret->digest.size = data.size - (size_t)(nul - data.data) - 1;
	colon = memchr(ret->alg.data, ':', ret->alg.size);
	if (!colon)
		return;
	ret->type = (struct imalog_span){ ret->alg.data, (size_t)(colon - ret->alg.data) };
	ret->alg.data = colon + 1;
	ret->alg.size -= ret->type.size + 1;
}

struct imalog_span imalog_field_text(struct imalog_span data)
{
	const uint8_t *nul = data.size ? memchr(data.data, '\0', data.size) : NULL;

	if (nul)
		data.size = (size_t)(nul - data.data);
	return data;
}

bool imalog_field_uint(struct imalog_span data, enum imalog_order order, uint64_t *ret)
{
	struct imalog_cursor cursor = imalog_cursor_over(data, order);

	if (data.size != 1 && data.size != 2 && data.size != 4 && data.size != 8)
		return false;
	return imalog_cursor_uint(&cursor, data.size, ret);
}
