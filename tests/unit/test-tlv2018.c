// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/tlv2018.c: the TLV list of 2018 in both byte orders. */
#include "cel-log.h"

#define FILE_DIGEST CEL_TLV_FILE
/* /bin/sh, a digest, owner, group and mode, little-endian and big-endian */
#define LE_CONTENT                                           \
	"00 07000000 2f62696e2f7368 01 20000000" FILE_DIGEST \
	"03 04000000 e8030000 04 04000000 64000000 05 02000000 ed81"
#define BE_CONTENT                                           \
	"00 00000007 2f62696e2f7368 01 00000020" FILE_DIGEST \
	"03 00000004 000003e8 04 00000004 00000064 05 00000002 81ed"
/* SHA-1 of the content with its type and size, by sha1sum(1) */
#define LE_DIGEST "96b9ee15b17e637e03171ad8739d1ee4ecddfbaf"
#define BE_DIGEST "fae3792dca5bbef0a71b5a21b40bfc36156f4222"
#define LE_RECORD                                                                     \
	"00 04000000 01000000 01 04000000 0a000000 02 19000000 04 14000000" LE_DIGEST \
	"07 4a000000" LE_CONTENT
#define BE_RECORD                                                                     \
	"00 00000004 00000001 01 00000004 0000000a 02 00000019 04 00000014" BE_DIGEST \
	"07 0000004a" BE_CONTENT
/* What comes before the content of a record */
#define HEAD "00 04000000 01000000 01 01000000 0a 02 19000000 04 14000000" CEL_DIGEST

static void check_golden(const char *hex, enum imalog_order order, const char *digest)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct bytes bytes = bytes_of_hex(hex);
	struct log log = log_open(span_of_bytes(bytes));
	uint64_t number;

	CHECK_INT(bytes.size, 127);
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_reader_format(log.reader), IMALOG_FORMAT_TLV2018);
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_TLV2018);
	CHECK_INT(imalog_record_order(log.record), order);
	CHECK_INT(imalog_record_pcr(log.record), 10);
	CHECK(imalog_record_recnum(log.record, &number) && number == 1);
	CHECK_HEX(imalog_record_digest(log.record, 0, NULL), digest);
	CHECK_MEM(imalog_record_name(log.record), imalog_span_of("/bin/sh"));
	REQUIRE(CHECK_INT(imalog_record_fields(log.record), 5));
	CHECK_INT(imalog_record_field_id(log.record, 2), IMALOG_FIELD_IUID);
	CHECK(imalog_field_uint(imalog_record_field_data(log.record, 2), order,
				&number) &&
	      number == 1000);
	CHECK_INT(imalog_record_field_id(log.record, 4), IMALOG_FIELD_IMODE);
	CHECK(imalog_field_uint(imalog_record_field_data(log.record, 4), order,
				&number) &&
	      number == 0100755);
	CHECK_INT(imalog_record_verify(log.record, hasher, NULL), IMALOG_FIT_YES);
	log_close(&log);
	bytes.data[bytes.size - 1] ^= 1;
	log = log_open(span_of_bytes(bytes));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_verify(log.record, hasher, NULL), IMALOG_FIT_NO);
	log_close(&log);
	bytes_free(&bytes);
	imalog_hasher_free(&hasher);
}

TEST(golden)
{
	check_golden(LE_RECORD, IMALOG_ORDER_LE, LE_DIGEST);
	check_golden(BE_RECORD, IMALOG_ORDER_BE, BE_DIGEST);
}

TEST(violation)
{
	struct bytes bytes = bytes_of_hex(
		"00 04000000 01000000 01 04000000 0a000000 02 19000000 04 14000000"
		"0000000000000000000000000000000000000000 07 4a000000" LE_CONTENT);
	struct log log = log_open(span_of_bytes(bytes));

	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK(imalog_record_is_violation(log.record));
	log_close(&log);
	bytes_free(&bytes);
}

TEST(malformed)
{
	static const struct {
		const char *hex;
		enum imalog_code code;
		const char *field;
	} cases[] = {
		{ "01 04000000 01000000", IMALOG_ERR_BAD_VALUE, "sequence number" },
		{ "00 02000000 0100", IMALOG_ERR_BAD_LENGTH, "sequence number" },
		{ "00 04000000 01000000 01 00000000", IMALOG_ERR_BAD_LENGTH, "PCR" },
		{ "00 04000000 01000000 01 05000000 0a00000000", IMALOG_ERR_BAD_LENGTH,
		  "PCR" },
		{ "00 04000000 01000000 02 04000000 0a000000", IMALOG_ERR_BAD_VALUE,
		  "PCR" },
		{ "00 04000000 01000000 01 01000000 40 02 19000000 04 14000000" CEL_DIGEST
		  "07 00000000",
		  IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "00 04000000 01000000 01 04000000 0a000000 03 19000000",
		  IMALOG_ERR_BAD_VALUE, "digest" },
		{ "00 04000000 01000000 01 01000000 0a 02 ffffffff",
		  IMALOG_ERR_BAD_LENGTH, "digest" },
		{ "00 04000000 01000000 01 01000000 0a 02 00000000 07 00000000",
		  IMALOG_ERR_BAD_LENGTH, "digest" },
		{ "00 04000000 01000000 01 01000000 0a 02 1a000000 04 14000000" CEL_DIGEST
		  "00 07 00000000",
		  IMALOG_ERR_TRAILING, "digest" },
		{ "00 04000000 01000000 01 01000000 0a 02 19000000 05 14000000" CEL_DIGEST
		  "07 00000000",
		  IMALOG_ERR_BAD_VALUE, "digest" },
		{ "00 04000000 01000000 01 01000000 0a 02 25000000 0b 20000000" FILE_DIGEST
		  "07 00000000",
		  IMALOG_ERR_BAD_VALUE, "digest" },
		{ "00 04000000 01000000 01 01000000 0a 02 19000000 08 14000000" CEL_DIGEST
		  "07 00000000",
		  IMALOG_ERR_BAD_LENGTH, "digests" },
		{ HEAD "08 00000000", IMALOG_ERR_BAD_VALUE, "content" },
		{ HEAD "07 ffffff7f", IMALOG_ERR_LIMIT, "content" },
		{ HEAD "07 04000000 00 000000", IMALOG_ERR_BAD_LENGTH, "content" },
		{ HEAD "07 06000000 00 02000000 61", IMALOG_ERR_BAD_LENGTH, "content" },
		{ HEAD "07 0c000000 00 01000000 61 00 01000000 62", IMALOG_ERR_BAD_VALUE,
		  "content" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct bytes good = bytes_of_hex(LE_RECORD),
			     bad = bytes_of_hex(cases[i].hex);
		struct build both = { .order = IMALOG_ORDER_LE };

		test_note("%s", cases[i].hex);
		put(&both, good.data, good.size);
		put(&both, bad.data, bad.size);
		CHECK_BAD(built(&both), cases[i].code, 2, 127, cases[i].field);
		bytes_free(&good);
		bytes_free(&bad);
		build_free(&both);
	}
}

static bool ends_between(size_t at, uint64_t records)
{
	return at == 127 * records;
}

TEST(cut_at_every_byte)
{
	struct bytes bytes = bytes_of_hex(LE_RECORD LE_RECORD);

	check_cuts(span_of_bytes(bytes), IMALOG_FORMAT_TLV2018, ends_between);
	bytes_free(&bytes);
}

TEST(reads_of_any_size)
{
	struct bytes bytes = bytes_of_hex(BE_RECORD BE_RECORD);

	check_pieces(span_of_bytes(bytes));
	bytes_free(&bytes);
}

TEST(written_again_as_it_was)
{
	static const struct target same = { .format = IMALOG_FORMAT_TLV2018 };

	check_hex_convert(LE_RECORD LE_RECORD, &same, LE_RECORD LE_RECORD);
	check_hex_convert(BE_RECORD, &same, BE_RECORD);
}

TEST(into_other_formats)
{
	static const enum imalog_format formats[] = {
		IMALOG_FORMAT_KERNEL,
		IMALOG_FORMAT_ASCII,
		IMALOG_FORMAT_CEL_TLV,
		IMALOG_FORMAT_CEL_JSON,
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(formats); i++) {
		struct target target = { .format = formats[i] };
		struct imalog_error *error = imalog_error_new();
		struct build out = { .order = IMALOG_ORDER_LE };
		struct bytes bytes = bytes_of_hex(LE_RECORD);

		test_note("format %d", (int)formats[i]);
		CHECK_ERROR(error,
			    cel_convert(span_of_bytes(bytes), &target, &out, error),
			    IMALOG_ERR_UNSUPPORTED, 1, 0, "content");
		build_free(&out);
		bytes_free(&bytes);
		imalog_error_free(&error);
	}
	check_hex_convert(CEL_NG, &(struct target){ .format = IMALOG_FORMAT_CEL_TLV },
			  CEL_NG);
}

/* With force its content TLV becomes the value of another, and its digest stays. */
TEST(forced_into_cel)
{
	struct build out = { .order = IMALOG_ORDER_BE };
	struct imalog_writer *writer = imalog_writer_new(
		IMALOG_FORMAT_CEL_TLV, IMALOG_ORDER_AUTO, cel_sink, &out);
	struct bytes bytes = bytes_of_hex(LE_RECORD);
	struct log log = log_open(span_of_bytes(bytes));

	imalog_writer_set_force(writer);
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_writer_put(writer, log.record, NULL), 0);
	CHECK_HEX(built(&out),
		  "00 00000008 0000000000000001 01 00000001 0a 03 00000019"
		  "04 00000014" LE_DIGEST "da 0000004f 07 4a000000" LE_CONTENT);
	log_close(&log);
	log = log_open(built(&out));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK(!imalog_record_is_checked(log.record));
	log_close(&log);
	imalog_writer_free(&writer);
	build_free(&out);
	bytes_free(&bytes);
}

/* A big-endian record begins as one of CEL-TLV whose number has 4 bytes. */
TEST(told_from_cel)
{
	struct bytes bytes = bytes_of_hex("00 00000004 00000000 01 00000004 0000000a"
					  "03 00000000 50 00000000");
	struct log log = log_open(span_of_bytes(bytes));

	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_reader_format(log.reader), IMALOG_FORMAT_CEL_TLV);
	log_close(&log);
	bytes_free(&bytes);
}

TEST_MAIN(CASE(golden), CASE(violation), CASE(malformed), CASE(cut_at_every_byte),
	  CASE(reads_of_any_size), CASE(written_again_as_it_was),
	  CASE(into_other_formats), CASE(forced_into_cel), CASE(told_from_cel))
