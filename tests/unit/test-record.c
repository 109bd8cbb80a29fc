// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/record.c: the kernel's binary list, good and malformed. */
#include "log.h"

/* A list of one good record, which tells its layout, in front of what is tested */
static struct build good_start(enum imalog_order order)
{
	struct build list = { .order = order };

	put_ng(&list, 1, "/first");
	return list;
}

TEST(every_part_of_a_record)
{
	/* The digest is sha1sum(1) of the template data. */
	struct bytes bytes = bytes_of_hex(
		"0b000000 a262e573de8964b964e4da375664bf192be8989f 07000000 696d612d736967"
		"36000000 1a000000 736861313a00 000102030405060708090a0b0c0d0e0f10111213"
		"0b000000 2f62696e2f 6c6f67696e00 05000000 0302040506");
	struct log log = log_open(span_of_bytes(bytes));
	enum imalog_alg alg;

	CHECK_INT(imalog_reader_format(log.reader), IMALOG_FORMAT_AUTO);
	CHECK_INT(imalog_reader_order(log.reader), IMALOG_ORDER_AUTO);
	CHECK_INT(imalog_reader_digest_size(log.reader), 0);
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_reader_format(log.reader), IMALOG_FORMAT_KERNEL);
	CHECK_INT(imalog_reader_order(log.reader), IMALOG_ORDER_LE);
	CHECK_INT(imalog_reader_digest_size(log.reader), 20);
	CHECK_INT(imalog_reader_digest_alg(log.reader), IMALOG_ALG_SHA1);
	CHECK(imalog_reader_layout_proved(log.reader));
	CHECK_INT(imalog_record_number(log.record), 1);
	CHECK_INT(imalog_record_offset(log.record), 0);
	CHECK_INT(imalog_record_pcr(log.record), 11);
	CHECK(!imalog_record_is_nv(log.record));
	CHECK(!imalog_record_is_violation(log.record));
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_TEMPLATE);
	CHECK_INT(imalog_record_order(log.record), IMALOG_ORDER_LE);
	CHECK_MEM(imalog_record_raw(log.record), span_of_bytes(bytes));
	CHECK_MEM(imalog_record_template(log.record), imalog_span_of("ima-sig"));
	CHECK_MEM(imalog_record_data(log.record), span_of(bytes.data + 39, 54));
	CHECK_INT(imalog_record_digests(log.record), 1);
	CHECK_MEM(imalog_record_digest(log.record, 0, &alg), span_of(bytes.data + 4, 20));
	CHECK_INT(alg, IMALOG_ALG_SHA1);
	CHECK_MEM(imalog_record_digest(log.record, 0, NULL), span_of(bytes.data + 4, 20));
	REQUIRE(CHECK_INT(imalog_record_fields(log.record), 3));
	CHECK_INT(imalog_record_field_id(log.record, 0), IMALOG_FIELD_D_NG);
	CHECK_INT(imalog_record_field_id(log.record, 2), IMALOG_FIELD_SIG);
	CHECK_MEM(imalog_record_field_data(log.record, 1), span_of("/bin/login", 11));
	CHECK_HEX(imalog_record_field_data(log.record, 2), "0302040506");
	CHECK_MEM(imalog_record_name(log.record), imalog_span_of("/bin/login"));
	CHECK_INT(log_next(&log), 0);
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	bytes_free(&bytes);
}

/* The head of a record and what it says of its data, behind a good record */
static void check_head(uint32_t pcr, uint32_t name_size, const char *name,
		       int64_t data_size, const char *data, enum imalog_code code,
		       const char *field)
{
	static const enum imalog_order orders[] = { IMALOG_ORDER_LE, IMALOG_ORDER_BE };

	for (size_t i = 0; i < 2; i++) {
		struct build list = good_start(orders[i]);
		size_t offset = list.size;

		test_note("order %d: PCR %u, name %u '%s', data %lld", orders[i], pcr,
			  name_size, name, (long long)data_size);
		put_int(&list, pcr);
		put_hex(&list, "0102030405060708090a0b0c0d0e0f1011121314");
		put_int(&list, name_size);
		put_text(&list, name);
		if (data_size >= 0)
			put_int(&list, (uint32_t)data_size);
		put_hex(&list, data);
		CHECK_BAD(built(&list), code, 2, offset, field);
		build_free(&list);
	}
}

TEST(numbers_of_the_head)
{
	const char *empty = "00000000 00000000";

	check_head(64, 6, "ima-ng", 8, empty, IMALOG_ERR_BAD_VALUE, "PCR");
	check_head(UINT32_MAX, 6, "ima-ng", 8, empty, IMALOG_ERR_BAD_VALUE, "PCR");
	check_head(10, 0, "ima-ng", 8, empty, IMALOG_ERR_BAD_VALUE, "template name size");
	check_head(10, 256, "ima-ng", 8, empty, IMALOG_ERR_LIMIT, "template name size");
	check_head(10, 0x80000000, "ima-ng", 8, empty, IMALOG_ERR_LIMIT,
		   "template name size");
	check_head(10, UINT32_MAX, "ima-ng", 8, empty, IMALOG_ERR_LIMIT,
		   "template name size");
	check_head(10, 255, "ima-ng", 8, empty, IMALOG_ERR_TRUNCATED, "template name");
	check_head(10, 6, "ima-ng", (16 << 20) + 1, empty, IMALOG_ERR_LIMIT,
		   "template data size");
	check_head(10, 6, "ima-ng", 0x80000000, empty, IMALOG_ERR_LIMIT,
		   "template data size");
	check_head(10, 6, "ima-ng", UINT32_MAX, empty, IMALOG_ERR_LIMIT,
		   "template data size");
	check_head(10, 6, "ima-ng", 16 << 20, empty, IMALOG_ERR_TRUNCATED,
		   "template data");
	check_head(10, 6, "ima-ng", 9, empty, IMALOG_ERR_TRUNCATED, "template data");
	/* Sizes that are right, with fields that do not fill them */
	check_head(10, 6, "ima-ng", 0, "", IMALOG_ERR_BAD_LENGTH, "d-ng");
	check_head(10, 6, "ima-ng", 2, "0000", IMALOG_ERR_BAD_LENGTH, "d-ng");
	check_head(10, 6, "ima-ng", 8, "00000000 01010101", IMALOG_ERR_BAD_LENGTH,
		   "n-ng");
	check_head(10, 6, "ima-ng", 8, "ffffffff 00000000", IMALOG_ERR_BAD_LENGTH,
		   "d-ng");
	check_head(10, 6, "ima-ng", 9, "00000000 00000000 00", IMALOG_ERR_TRAILING,
		   "template data");
	check_head(10, 7, "ima-sig", 8, empty, IMALOG_ERR_BAD_LENGTH, "sig");
	check_head(10, 1, "d", 8, empty, IMALOG_ERR_TRAILING, "template data");
}

TEST(head_that_is_cut)
{
	struct build list = good_start(IMALOG_ORDER_LE);
	static const char *const parts[] = {
		"PCR",		 "template digest",    "template name size",
		"template name", "template data size", "template data"
	};
	static const size_t ends[] = { 4, 24, 28, 34, 38, 89 };
	size_t first = list.size, part = 0;

	put_ng(&list, 2, "/2");
	CHECK_INT(list.size - first, ends[5]);
	for (size_t size = 1; size < ends[5]; size++) {
		struct bytes cut = bytes_copy(list.data, first + size);

		part += size == ends[part];
		test_note("%zu bytes of the second record", size);
		CHECK_BAD(span_of_bytes(cut), IMALOG_ERR_TRUNCATED, 2, first,
			  parts[part]);
		bytes_free(&cut);
	}
	build_free(&list);
}

/* Names that are too long or odd but of no template that is known: digests alone matter. */
TEST(unknown_templates)
{
	static const char *const names[] = { "x", "ima-unknown",
					     "d|d|d|d|d|d|d|d|d|d|d|d|d|d|d|d", "IMA-NG",
					     "\x1b[2J" };
	char longest[256];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	for (size_t i = 0; i <= IMALOG_ARRAY_SIZE(names); i++) {
		const char *name = i < IMALOG_ARRAY_SIZE(names) ? names[i] : longest;
		struct build list = { .order = IMALOG_ORDER_LE };
		struct log log;

		test_note("'%s'", name);
		put_record_over(&list, name, span_of("\xff\xff\xff\xff", 4), "SHA1", 20,
				span_of("\xff\xff\xff\xff", 4));
		log = log_open(built(&list));
		if (CHECK_INT(log_next(&log), 1)) {
			CHECK_INT(imalog_record_fields(log.record), 0);
			CHECK_INT(imalog_record_name(log.record).size, 0);
			CHECK_MEM(imalog_record_template(log.record),
				  imalog_span_of(name));
			CHECK_HEX(imalog_record_data(log.record), "ffffffff");
			CHECK(imalog_reader_layout_proved(log.reader));
		}
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&list);
	}
}

/* A defined template is known by its name, even behind unknown ones. */
TEST(defined_template)
{
	struct build list = good_start(IMALOG_ORDER_LE),
		     data = { .order = IMALOG_ORDER_LE };
	struct log log;

	put_name(&data, "/n");
	put_d_ng(&data, 7);
	put_record_over(&list, "mine", built(&data), "SHA1", 20, built(&data));
	log = log_open(built(&list));
	CHECK_INT(imalog_templates_define(log.templates, "mine", "n-ng|d-ng", NULL), 0);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_record_fields(log.record), 2);
	CHECK_INT(imalog_record_field_id(log.record, 0), IMALOG_FIELD_N_NG);
	CHECK_MEM(imalog_record_name(log.record), imalog_span_of("/n"));
	log_close(&log);
	build_free(&data);
	build_free(&list);
}

/* Not that of a record that was there before */
TEST(record_without_a_name)
{
	struct build list = good_start(IMALOG_ORDER_LE);
	struct build data = { .order = IMALOG_ORDER_LE };
	struct log log;

	put_d_ng(&data, 7);
	put_record_over(&list, "d-ng", built(&data), "SHA1", 20, built(&data));
	log = log_open(built(&list));
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_record_name(log.record).size, 6);
	imalog_reader_release(log.reader, 1);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_record_fields(log.record), 1);
	CHECK_INT(imalog_record_name(log.record).size, 0);
	log_close(&log);
	build_free(&data);
	build_free(&list);
}

/* ---- template `ima` ---- */

static void put_ima(struct build *list, size_t digest_size, uint32_t name_size,
		    const char *name)
{
	struct build data = { .order = list->order };

	for (size_t i = 0; i < digest_size; i++)
		put_uint(&data, 1, 0x41 + i);
	put_int(&data, name_size);
	put_text(&data, name);
	put_record_over(list, "ima", built(&data), "SHA1", 20, built(&data));
	build_free(&data);
}

TEST(template_ima)
{
	char longest[256];

	memset(longest, 'n', 255);
	longest[255] = '\0';
	for (int i = 0; i < 4; i++) {
		struct build list = good_start(i & 1 ? IMALOG_ORDER_BE : IMALOG_ORDER_LE);
		size_t size = i & 2 ? 16 : 20;
		struct log log;

		test_note("%zu-byte digest, order %d", size, list.order);
		put_ima(&list, size, 4, "/one");
		put_ima(&list, size, 255, longest);
		put_ima(&list, size, 5, "/last");
		log = log_open(built(&list));
		CHECK_INT(log_next(&log), 1);
		REQUIRE(CHECK_INT(log_next(&log), 1));
		REQUIRE(CHECK_INT(imalog_record_fields(log.record), 2));
		CHECK_INT(imalog_record_field_data(log.record, 0).size, size);
		CHECK_INT(imalog_record_field_id(log.record, 0), IMALOG_FIELD_D);
		CHECK_MEM(imalog_record_name(log.record), imalog_span_of("/one"));
		CHECK_INT(imalog_record_data(log.record).size, size + 8);
		CHECK_INT(log_next(&log), 1);
		CHECK_INT(imalog_record_name(log.record).size, 255);
		CHECK_INT(log_next(&log), 1);
		CHECK_MEM(imalog_record_name(log.record), imalog_span_of("/last"));
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&list);
	}
}

TEST(template_ima_with_a_bad_name_size)
{
	static const uint32_t sizes[] = { 0, 256, 0x80000000, UINT32_MAX };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(sizes); i++) {
		struct build list = good_start(IMALOG_ORDER_LE);
		size_t offset = list.size;

		test_note("%u", sizes[i]);
		put_ima(&list, 20, sizes[i], "/path");
		CHECK_BAD(built(&list), IMALOG_ERR_BAD_LENGTH, 2, offset, "n");
		build_free(&list);
	}
}

TEST(template_ima_that_is_cut)
{
	struct build list = good_start(IMALOG_ORDER_LE);
	size_t offset = list.size;

	put_ima(&list, 20, 4, "/one");
	for (size_t size = 31; size < 31 + 28; size++) {
		struct bytes cut = bytes_copy(list.data, offset + size);

		test_note("%zu bytes", size);
		CHECK_BAD(span_of_bytes(cut), IMALOG_ERR_TRUNCATED, 2, offset,
			  size < 51 ? "d" :
			  size < 55 ? "n size" :
				      "n");
		bytes_free(&cut);
	}
	build_free(&list);
}

/* ---- sizes ---- */

static size_t held_memory(const struct imalog_reader *reader)
{
	size_t size = 0;

	for (const struct imalog_block *b = reader->window.arena.oldest; b; b = b->next)
		size += b->size;
	return size;
}

/* A length that lies costs no memory; one that does not, some. */
TEST(memory_for_large_records)
{
	struct build list = good_start(IMALOG_ORDER_LE);
	size_t first = list.size;
	struct log log;
	void *data = calloc(1, IMALOG_DATA_MAX);

	put_int(&list, 10);
	put_hex(&list, "0102030405060708090a0b0c0d0e0f1011121314");
	put_field(&list, "x", 1);
	put_int(&list, IMALOG_DATA_MAX);
	log = log_open(built(&list));
	CHECK_INT(log_next(&log), 1);
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_TRUNCATED, 2, first,
		    "template data");
	CHECK(held_memory(log.reader) <= 1 << 20);
	log_close(&log);

	put(&list, data, IMALOG_DATA_MAX);
	log = log_open(built(&list));
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_record_data(log.record).size, IMALOG_DATA_MAX);
	CHECK_INT(log_next(&log), 0);
	CHECK(held_memory(log.reader) <= 128 << 20);
	log_close(&log);
	build_free(&list);
	free(data);
}

TEST(first_number)
{
	struct build list = good_start(IMALOG_ORDER_LE);
	size_t first = list.size;
	struct log log;

	put_ng(&list, 0, "/violation");
	put_int(&list, 99);
	log = log_open(built(&list));
	imalog_reader_set_first_record(log.reader, 1000);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_record_number(log.record), 1000);
	imalog_reader_release(log.reader, 1000);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_record_number(log.record), 1001);
	CHECK_INT(imalog_record_offset(log.record), first);
	CHECK(imalog_record_is_violation(log.record));
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_BAD_VALUE, 1002,
		    first + imalog_record_raw(log.record).size, "PCR");
	CHECK_STR(imalog_error_source(log.error), "test");
	log_close(&log);
	build_free(&list);
}

/* The parser alone, over memory that ends where the record is cut: nothing beyond is
 * read. */
TEST(no_byte_beyond_the_end_is_read)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct bytes list;

	for (size_t r = 0; r < RIGS; r++) {
		struct imalog_layout layout = { IMALOG_ORDER_LE, 20, IMALOG_ALG_SHA1,
						true };
		size_t at = 0;

		rig_list(&rigs[r], &banks[0], "binary", &list);
		while (at < list.size) {
			size_t total, size = 0;
			const char *part = NULL;
			struct imalog_record record;

			REQUIRE(imalog_kernel_parse(
					span_of(list.data + at, list.size - at), &layout,
					templates, &record, &total, &part, NULL) == 1);
			for (size_t left = 0; left < total; left += test_step(5)) {
				struct bytes cut = bytes_copy(list.data + at, left);
				int rc = imalog_kernel_parse(span_of_bytes(cut), &layout,
							     templates, &record, &size,
							     &part, NULL);

				CHECK_INT(rc, 0);
				CHECK(size > left && size <= total && part && *part);
				bytes_free(&cut);
			}
			at += total;
		}
		CHECK_INT(at, list.size);
		bytes_free(&list);
	}
	imalog_templates_free(&templates);
}

TEST_MAIN(CASE(every_part_of_a_record), CASE(numbers_of_the_head), CASE(head_that_is_cut),
	  CASE(unknown_templates), CASE(defined_template), CASE(record_without_a_name),
	  CASE(template_ima), CASE(template_ima_with_a_bad_name_size),
	  CASE(template_ima_that_is_cut), CASE(memory_for_large_records),
	  CASE(first_number), CASE(no_byte_beyond_the_end_is_read))
