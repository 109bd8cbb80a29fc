// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/template.c: names to fields, template data to the bytes of the fields. */
#include "log.h"

static const struct imalog_template *find(const struct imalog_templates *templates,
					  const char *name, struct imalog_template *adhoc)
{
	struct bytes exact = bytes_copy(name, strlen(name));
	const struct imalog_template *found =
		imalog_templates_find(templates, span_of_bytes(exact), adhoc);

	bytes_free(&exact);
	return found;
}

/* The fields of a template, joined as in a format. */
static void fmt_of(const struct imalog_template *template, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < template->nr_fields; i++) {
		enum imalog_field_id id = (enum imalog_field_id) template->fields[i];

		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "|" : "",
					 imalog_field_id_name(id));
	}
}

TEST(built_in_templates)
{
	static const struct {
		const char *name, *fmt;
	} all[] = {
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
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_template adhoc;
	char fmt[256];

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		const struct imalog_template *template =
			find(templates, all[i].name, &adhoc);

		test_note("%s", all[i].name);
		if (!CHECK(template && template != &adhoc))
			continue;
		fmt_of(template, fmt, sizeof(fmt));
		CHECK_STR(fmt, all[i].fmt);
	}
	imalog_templates_free(&templates);
	CHECK(!templates);
	imalog_templates_free(&templates);
	imalog_templates_free(NULL);
}

TEST(ad_hoc_templates)
{
	static const char *const good[] = {
		"d",
		"d|n",
		"d-ng|n-ng",
		"d-ng|n-ng|sig|iuid|igid|imode",
		"n-ng|d-ng",
		"d-ng|d-ng",
		"d|n|d-ng|n-ng|sig|buf|d-modsig|modsig|evmsig|iuid|igid|imode|d|d|d",
	};
	static const char *const bad[] = {
		"ima-unknown", "d-ng|",
		"|d-ng",       "d-ng||n-ng",
		"d-ng|n-ng ",  "D-NG",
		"d-ng|none",   "none",
		"|",	       "d-ng,n-ng",
		"mntuidmap",   "d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d", /* 16 fields */
	};
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_template adhoc;
	char fmt[256];

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(good); i++) {
		test_note("'%s'", good[i]);
		if (CHECK(find(templates, good[i], &adhoc) == &adhoc)) {
			fmt_of(&adhoc, fmt, sizeof(fmt));
			CHECK_STR(fmt, good[i]);
		}
	}
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bad); i++) {
		test_note("'%s'", bad[i]);
		CHECK(!find(templates, bad[i], &adhoc));
	}
	CHECK(!imalog_templates_find(templates, span_of(NULL, 0), &adhoc));
	CHECK(!imalog_templates_find(templates, span_of("ima-ng\0", 7), &adhoc));
	imalog_templates_free(&templates);
}

TEST(defined_templates)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_error *error = imalog_error_new();
	struct imalog_template adhoc;
	char name[IMALOG_NAME_MAX + 2], fmt[64];

	CHECK_INT(imalog_templates_define(templates, "mine", "n-ng|d-ng", error), 0);
	REQUIRE(find(templates, "mine", &adhoc));
	fmt_of(find(templates, "mine", &adhoc), fmt, sizeof(fmt));
	CHECK_STR(fmt, "n-ng|d-ng");
	CHECK_ERROR(error, imalog_templates_define(templates, "mine", "n-ng|d-ng", error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(error,
		    imalog_templates_define(templates, "ima-ng", "d-ng|n-ng", error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(error, imalog_templates_define(templates, "", "d-ng", error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(error, imalog_templates_define(templates, "other", "", error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(error,
		    imalog_templates_define(templates, "other", "d-ng|what", error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(error,
		    imalog_templates_define(templates, "other",
					    "d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d", error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK(!find(templates, "other", &adhoc));
	memset(name, 'n', sizeof(name));
	name[IMALOG_NAME_MAX + 1] = '\0';
	CHECK_ERROR(error, imalog_templates_define(templates, name, "d-ng", error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_INT(imalog_templates_define(templates, name + 1, "d-ng", error), 0);
	CHECK(find(templates, name + 1, &adhoc));
	imalog_error_free(&error);
	imalog_templates_free(&templates);
}

/* A message is printable whatever it speaks of. */
TEST(message_of_a_refused_definition_is_printable)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_error *error = imalog_error_new();

	CHECK_INT(imalog_templates_define(templates, "x\x1b[2J", "d-ng\n", error),
		  -IMALOG_ERR_INVALID);
	for (const char *c = imalog_error_detail(error); *c; c++)
		CHECK(*c >= 0x20 && *c < 0x7f);
	imalog_error_free(&error);
	imalog_templates_free(&templates);
}

TEST(field_names)
{
	CHECK_STR(imalog_field_id_name(IMALOG_FIELD_NONE), "none");
	CHECK_STR(imalog_field_id_name((enum imalog_field_id)19), "none");
	CHECK_STR(imalog_field_id_name((enum imalog_field_id) - 1), "none");
	CHECK_INT(imalog_field_id_type((enum imalog_field_id)19), IMALOG_TYPE_BYTES);
	CHECK_INT(imalog_field_id_by_name("none"), IMALOG_FIELD_NONE);
	CHECK_INT(imalog_field_id_by_name(""), IMALOG_FIELD_NONE);
	for (int id = 1; id <= 16; id++) {
		const char *name = imalog_field_id_name((enum imalog_field_id)id);

		test_note("field %d", id);
		CHECK(strcmp(name, "none") != 0);
		CHECK_INT(imalog_field_id_by_name(name), id);
	}
	CHECK_INT(imalog_field_id_type(IMALOG_FIELD_D_NGV2), IMALOG_TYPE_DIGEST);
	CHECK_INT(imalog_field_id_type(IMALOG_FIELD_XATTRNAMES), IMALOG_TYPE_TEXT);
	CHECK_INT(imalog_field_id_type(IMALOG_FIELD_XATTRLENGTHS), IMALOG_TYPE_UINTS);
	CHECK_INT(imalog_field_id_type(IMALOG_FIELD_IMODE), IMALOG_TYPE_UINT);
	CHECK_INT(imalog_field_id_type(IMALOG_FIELD_SIG), IMALOG_TYPE_BYTES);
}

/* ---- template data ---- */

static int parse(const char *hex, const char *name, enum imalog_order order,
		 struct imalog_field *fields, struct imalog_error *error)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct bytes data = bytes_of_hex(hex);
	struct imalog_template adhoc;
	int rc = imalog_template_parse(find(templates, name, &adhoc), span_of_bytes(data),
				       order, fields, error);

	for (int i = 0; i < 2 && rc == 0; i++)
		CHECK(fields[i].data.data >= data.data &&
		      fields[i].data.data + fields[i].data.size <= data.data + data.size);
	bytes_free(&data);
	imalog_templates_free(&templates);
	return rc;
}

TEST(fields_fill_the_data_exactly)
{
	static const struct {
		const char *hex;
		enum imalog_order order;
		enum imalog_code code;
		const char *field;
	} all[] = {
		{ "01000000 61 02000000 6200", IMALOG_ORDER_LE, IMALOG_OK, "" },
		{ "00000001 61 00000002 6200", IMALOG_ORDER_BE, IMALOG_OK, "" },
		{ "00000000 00000000", IMALOG_ORDER_LE, IMALOG_OK, "" },
		{ "", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH, "d-ng" },
		{ "000000", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH, "d-ng" },
		{ "01000000", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH, "d-ng" },
		{ "01000000 61", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH, "n-ng" },
		{ "01000000 61 020000", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH, "n-ng" },
		{ "01000000 61 03000000 6200", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH,
		  "n-ng" },
		{ "01000000 61 01000000 6200", IMALOG_ORDER_LE, IMALOG_ERR_TRAILING,
		  "template data" },
		{ "01000000 61 02000000 6200 00000000", IMALOG_ORDER_LE,
		  IMALOG_ERR_TRAILING, "template data" },
		{ "ffffffff 61 02000000 6200", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH,
		  "d-ng" },
		{ "01000000 61 ffffffff 6200", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH,
		  "n-ng" },
		{ "01000000 61 02000000 6200", IMALOG_ORDER_BE, IMALOG_ERR_BAD_LENGTH,
		  "d-ng" },
		{ "00000080 61 00000000", IMALOG_ORDER_LE, IMALOG_ERR_BAD_LENGTH,
		  "d-ng" },
	};
	struct imalog_error *error = imalog_error_new();

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		struct imalog_field fields[IMALOG_FIELDS_MAX];
		int rc = parse(all[i].hex, "ima-ng", all[i].order, fields, error);

		test_note("%s", all[i].hex);
		if (all[i].code == IMALOG_OK)
			CHECK_INT(rc, 0);
		else
			CHECK_ERROR(error, rc, all[i].code, 0, 0, all[i].field);
	}
	imalog_error_free(&error);
}

TEST(both_numbers_of_the_comparison_are_told)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_field fields[IMALOG_FIELDS_MAX];

	parse("01000000 61 70110100 62 00 00", "ima-ng", IMALOG_ORDER_LE, fields, error);
	CHECK_STR(imalog_error_detail(error), "length 70000 exceeds 3 bytes left");
	parse("01000000 61 01000000 62 63 64", "ima-ng", IMALOG_ORDER_LE, fields, error);
	CHECK_STR(imalog_error_detail(error),
		  "2 of 12 bytes are left over behind the last field");
	imalog_error_free(&error);
}

static void check_swap(const char *name, const char *le, const char *be)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct bytes data = bytes_of_hex(le), out = bytes_new(data.size);
	struct imalog_record record = { .order = IMALOG_ORDER_LE,
					.data = span_of_bytes(data) };
	struct imalog_template adhoc;
	const struct imalog_template *template = find(templates, name, &adhoc);

	record.template_name = imalog_span_of(name);
	record.nr_fields = template->nr_fields;
	CHECK_INT(imalog_template_parse(template, record.data, IMALOG_ORDER_LE,
					record.fields, NULL),
		  0);
	imalog_template_swap(&record, out.data);
	CHECK_HEX(span_of_bytes(out), be);
	bytes_free(&out);
	bytes_free(&data);
	imalog_templates_free(&templates);
}

/* ima_canonical_fmt turns lengths, iuid, igid, imode and the array of lengths, nothing
 * else. */
TEST(other_byte_order)
{
	check_swap("d-ng|n-ng", "02000000 0102 03000000 040506",
		   "00000002 0102 00000003 040506");
	check_swap(
		"d-ng|n-ng|sig|iuid|igid|imode",
		"01000000 aa 00000000 04000000 01020304 04000000 01020304 04000000 e8030000"
		"02000000 a481",
		"00000001 aa 00000000 00000004 01020304 00000004 04030201 00000004 000003e8"
		"00000002 81a4");
	check_swap("xattrnames|xattrlengths|xattrvalues",
		   "04000000 617c6200 08000000 01000000 02000000 03000000 010203",
		   "00000004 617c6200 00000008 00000001 00000002 00000003 010203");
	/* An array that is cut keeps its odd bytes. */
	check_swap("xattrlengths", "06000000 010000000200", "00000006 000000010200");
}

TEST(digest_fields)
{
	static const struct {
		enum imalog_field_id id;
		const char *hex, *type, *alg, *digest;
	} all[] = {
		{ IMALOG_FIELD_D_NG, "73686131 3a00 0102", "", "sha1", "0102" },
		{ IMALOG_FIELD_D_NG, "73686131 3a00", "", "sha1", "" },
		{ IMALOG_FIELD_D_NG, "3a00 01", "", "", "01" },
		{ IMALOG_FIELD_D_NG, "", "", "", "" },
		{ IMALOG_FIELD_D_NG, "00", "", "", "00" },
		{ IMALOG_FIELD_D_NG, "01 3a00 02", "", "", "01 3a00 02" },
		{ IMALOG_FIELD_D_NG, "7368613100 02", "", "", "7368613100 02" },
		{ IMALOG_FIELD_D_NG, "73686131 3a", "", "", "73686131 3a" },
		{ IMALOG_FIELD_D_NGV2, "766572697479 3a 736861323536 3a00 09", "verity",
		  "sha256", "09" },
		{ IMALOG_FIELD_D_NGV2, "696d61 3a 73686131 3a00 09", "ima", "sha1",
		  "09" },
		{ IMALOG_FIELD_D_NGV2, "73686131 3a00 09", "", "sha1", "09" },
		{ IMALOG_FIELD_D_MODSIG, "73686131 3a00 00ff3a00", "", "sha1",
		  "00ff3a00" },
		{ IMALOG_FIELD_D, "73686131 3a00 0102", "", "", "73686131 3a00 0102" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		struct bytes data = bytes_of_hex(all[i].hex);
		struct imalog_digest_field parts;

		test_note("%s", all[i].hex);
		imalog_field_digest(all[i].id, span_of_bytes(data), &parts);
		CHECK_MEM(parts.type, imalog_span_of(all[i].type));
		CHECK_MEM(parts.alg, imalog_span_of(all[i].alg));
		CHECK_HEX(parts.digest, all[i].digest);
		bytes_free(&data);
	}
}

TEST(text_and_integer_fields)
{
	uint64_t value = 42;

	CHECK_MEM(imalog_field_text(span_of("abc", 4)), span_of("abc", 3));
	CHECK_MEM(imalog_field_text(span_of("abc", 3)), span_of("abc", 3));
	CHECK_MEM(imalog_field_text(span_of("a\0c", 3)), span_of("a", 1));
	CHECK_INT(imalog_field_text(span_of("\0", 1)).size, 0);
	CHECK_INT(imalog_field_text(span_of(NULL, 0)).size, 0);
	for (size_t size = 0; size <= 9; size++) {
		bool right = size == 1 || size == 2 || size == 4 || size == 8;

		test_note("%zu bytes", size);
		CHECK_INT(imalog_field_uint(span_of("\1\2\3\4\5\6\7\x88", size),
					    IMALOG_ORDER_LE, &value),
			  right);
	}
	CHECK(value == 0x8807060504030201);
	CHECK(imalog_field_uint(span_of("\1\2", 2), IMALOG_ORDER_BE, &value) &&
	      value == 0x102);
}

TEST_MAIN(CASE(built_in_templates), CASE(ad_hoc_templates), CASE(defined_templates),
	  CASE(message_of_a_refused_definition_is_printable), CASE(field_names),
	  CASE(fields_fill_the_data_exactly),
	  CASE(both_numbers_of_the_comparison_are_told), CASE(other_byte_order),
	  CASE(digest_fields), CASE(text_and_integer_fields))
