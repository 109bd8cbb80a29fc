// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/cel-cbor.c, cel-cbor-write.c: the Canonical Event Log as CBOR. */
#include "cel-log.h"

/* A short record, of 11 bytes */
#define SHORT	   "a4 00 00 01 0a 09 04 0a a1 00 02"
#define SHORT_SIZE 11

static const struct target sequence = { .format = IMALOG_FORMAT_CEL_CBOR,
					.sequence = true },
			   array = { .format = IMALOG_FORMAT_CEL_CBOR, .count = 1 },
			   tlv = { .format = IMALOG_FORMAT_CEL_TLV,
				   .width = IMALOG_INT_WIDTH_MIN };

static bool is_built(void)
{
#ifdef HAVE_LIBCBOR
	return true;
#else
	return false;
#endif
}

#define NEED_CBOR                                      \
	do {                                           \
		if (!is_built())                       \
			SKIP("built without libcbor"); \
	} while (0)

TEST(golden)
{
	struct bytes bytes;
	struct log log;

	NEED_CBOR;
	bytes = bytes_of_hex(CEL_NG_CBOR);
	log = log_open(span_of_bytes(bytes));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_reader_format(log.reader), IMALOG_FORMAT_CEL_CBOR);
	CHECK_INT(imalog_record_pcr(log.record), 10);
	CHECK_MEM(imalog_record_template(log.record), imalog_span_of("ima-ng"));
	CHECK_HEX(imalog_record_data(log.record), CEL_NG_DATA);
	CHECK_HEX(imalog_record_digest(log.record, 0, NULL), CEL_NG_SHA1);
	CHECK_MEM(imalog_record_raw(log.record), span_of_bytes(bytes));
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	bytes_free(&bytes);
	check_hex_convert(CEL_NG_CBOR, &sequence, CEL_NG_CBOR);
	check_hex_convert(CEL_NG_CBOR, &array, "81" CEL_NG_CBOR);
	check_hex_convert("81" CEL_NG_CBOR, &sequence, CEL_NG_CBOR);
	check_hex_convert("9f" CEL_NG_CBOR "ff", &sequence, CEL_NG_CBOR);
	check_hex_convert("9b 0000000000000001" CEL_NG_CBOR, &sequence, CEL_NG_CBOR);
}

TEST(empty_logs)
{
	static const struct target none = { .format = IMALOG_FORMAT_CEL_CBOR };

	NEED_CBOR;
	check_hex_convert("80", &none, "80");
	check_hex_convert("9fff", &none, "80");
	check_hex_convert("80", &sequence, "");
}

/* What is written of each kind of content is what it was; one way it is deterministic. */
TEST(content_there_and_back)
{
	static const struct {
		const char *tlv, *cbor, *other;
	} cases[] = {
		{ CEL_HEAD CEL_VERSION, "09 04 0a a2 00 01 01 a2 00 01 01 00",
		  "09 04 0a bf 00 01 01 bf 00 1801 01 190000 ff ff" },
		{ CEL_HEAD CEL_FIRMWARE_END, "09 04 0a a1 00 02",
		  "09 04 0a a2 00 02 01 f6" },
		{ CEL_HEAD CEL_KEXEC, "09 04 0a a2 00 18 51 01 02", NULL },
		{ CEL_HEAD "04 0000000d 50 00000008 ffffffffffffffff",
		  "09 04 0a a2 00 18 50 01 1b ffffffffffffffff", NULL },
		{ CEL_HEAD "04 0000000b 02 00000000 51 00000001 00",
		  "09 04 0a 82 a1 00 02 a2 00 18 51 01 00",
		  "09 04 0a 9f a1 00 02 a2 00 18 51 01 00 ff" },
		{ CEL_HEAD "08 0000000b 00 00000001 61 01 00000000",
		  "09 08 0a 4b 00 00000001 61 01 00000000",
		  "0a 58 0b 00 00000001 61 01 00000000 09 08" },
		{ CEL_HEAD "05 00000010 00 00000004 00000004 01 00000002 abcd",
		  "09 05 0a a2 00 04 01 42 abcd", "0a a2 00 04 01 42 abcd 09 05" },
		{ CEL_HEAD "09 00000003 00ff7b", "09 09 0a 43 00ff7b", NULL },
		{ CEL_HEAD "07 0000000e 00 00000002 c3a4 01 00000002 abcd",
		  "09 07 0a a2 00 62 c3a4 01 42 abcd", NULL },
	};
	const char *head = "00 00 01 0a 03 81 a2 00 04 01 54" CEL_DIGEST;

	NEED_CBOR;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		char hex[512];

		test_note("%s", cases[i].cbor);
		snprintf(hex, sizeof(hex), "a5 %s %s", head, cases[i].cbor);
		check_hex_convert(cases[i].tlv, &sequence, hex);
		check_hex_convert(hex, &tlv, cases[i].tlv);
		if (!cases[i].other)
			continue;
		snprintf(hex, sizeof(hex), "a5 %s %s", head, cases[i].other);
		check_hex_convert(hex, &tlv, cases[i].tlv);
		snprintf(hex, sizeof(hex), "bf %s %s ff", head, cases[i].other);
		check_hex_convert(hex, &tlv, cases[i].tlv);
	}
	check_hex_convert("a5 00 1b ffffffffffffffff 02 1a 01c10131 03 80 09 09 0a 40",
			  &tlv,
			  "00 00000008 ffffffffffffffff 02 00000004 01c10131 03 00000000"
			  "09 00000000");
}

static const struct bad {
	const char *hex;
	enum imalog_code code;
	const char *field;
} bads[] = {
	{ "01", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a4 20 00 01 0a 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a4 61 61 00 01 0a 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a1 00 00", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a3 00 00 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a3 01 0a 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a5 00 00 01 0a 02 01 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a5 00 00 01 0a 00 00 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "CBOR" },
	{ "a4 00 00 01 0a 03 80 18c8 40", IMALOG_ERR_BAD_VALUE,
	  "CBOR" }, /* the older draft */
	{ "a4 00 20 01 0a 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "recnum" },
	{ "a4 00 f9 0000 01 0a 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "recnum" },
	{ "a4 00 00 01 41 0a 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "index" },
	{ "a4 00 00 01 1a 01000000 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "PCR" },
	{ "a4 00 00 01 18 40 09 08 0a 40", IMALOG_ERR_BAD_VALUE, "PCR" },
	{ "a4 00 00 02 1b 0000000100000000 09 08 0a 40", IMALOG_ERR_BAD_VALUE, "index" },
	/* digests */
	{ "a5 00 00 01 0a 03 40 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "digests" },
	{ "a5 00 00 01 0a 03 81 00 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE, "digests" },
	{ "a5 00 00 01 0a 03 81 a1 00 04 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE,
	  "digests" },
	{ "a5 00 00 01 0a 03 81 a2 01 40 00 04 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE,
	  "digests" },
	{ "a5 00 00 01 0a 03 81 a3 00 04 01 40 02 00 09 04 0a a1 00 02",
	  IMALOG_ERR_BAD_VALUE, "digests" },
	{ "a5 00 00 01 0a 03 81 a2 00 05 01 40 09 04 0a a1 00 02", IMALOG_ERR_BAD_VALUE,
	  "digests" },
	{ "a5 00 00 01 0a 03 81 a2 00 1a 00010004 01 40 09 04 0a a1 00 02",
	  IMALOG_ERR_BAD_VALUE, "digests" },
	{ "a5 00 00 01 0a 03 81 a2 00 04 01 41 00 09 04 0a a1 00 02",
	  IMALOG_ERR_BAD_LENGTH, "digests" },
	{ "a5 00 00 01 0a 03 81 a2 00 04 01 5f 41 00 ff 09 04 0a a1 00 02",
	  IMALOG_ERR_BAD_VALUE, "digests" },
	/* content */
	{ "a4 00 00 01 0a 09 18 c8 0a 40", IMALOG_ERR_BAD_VALUE, "content type" },
	{ "a4 00 00 01 0a 09 19 0107 0a 40", IMALOG_ERR_BAD_VALUE, "content type" },
	{ "a4 00 00 01 0a 09 08 0a 60", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 08 0a 41 00", IMALOG_ERR_BAD_LENGTH, "content" },
	{ "a4 00 00 01 0a 09 07 0a a2 00 41 61 01 40", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 07 0a a2 00 61 ff 01 40", IMALOG_ERR_BAD_VALUE,
	  "template name" },
	{ "a4 00 00 01 0a 09 07 0a a2 00 60 01 40", IMALOG_ERR_BAD_VALUE,
	  "template name" },
	{ "a4 00 00 01 0a 09 07 0a a1 00 61 61", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 05 0a a2 00 1b 0000000100000000 01 40", IMALOG_ERR_BAD_VALUE,
	  "content" },
	{ "a4 00 00 01 0a 09 04 0a 80", IMALOG_ERR_BAD_LENGTH, "content" },
	{ "a4 00 00 01 0a 09 04 0a a0", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 04 0a a1 00 01", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 04 0a a1 01 02", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 04 0a a2 00 02 01 00", IMALOG_ERR_BAD_VALUE,
	  "firmware_end" },
	{ "a4 00 00 01 0a 09 04 0a a2 00 18 51 01 03", IMALOG_ERR_BAD_VALUE,
	  "state_trans" },
	{ "a4 00 00 01 0a 09 04 0a a2 00 18 51 01 f6", IMALOG_ERR_BAD_VALUE,
	  "state_trans" },
	{ "a4 00 00 01 0a 09 04 0a a2 00 18 ff 01 00", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 04 0a a2 00 01 01 a2 00 01 01 1a 00010000",
	  IMALOG_ERR_BAD_VALUE, "cel_version" },
	/* sizes and nesting that lie, tags, floats, a break where none can be */
	{ "a4 00 00 01 0a 09 08 0a 5b ffffffffffffffff", IMALOG_ERR_LIMIT, "content" },
	{ "a4 00 00 01 0a 09 08 0a 5b fffffffffffffff0", IMALOG_ERR_LIMIT, "content" },
	{ "a4 00 00 01 0a 09 08 0a 5a 7fffffff", IMALOG_ERR_LIMIT, "content" },
	{ "a4 00 00 01 0a 09 08 0a 81 81 81 81 81 81 81 81 81 00", IMALOG_ERR_LIMIT,
	  "content" },
	{ "a4 00 00 01 0a 09 08 0a c0 40", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 08 0a fb 0000000000000000", IMALOG_ERR_BAD_VALUE,
	  "content" },
	{ "a4 00 00 01 0a 09 08 0a ff", IMALOG_ERR_BAD_VALUE, "content" },
	{ "a4 00 00 01 0a 09 08 0a 1c", IMALOG_ERR_BAD_VALUE, "content" },
	{ "ff", IMALOG_ERR_BAD_VALUE, "CBOR" },
};

TEST(malformed)
{
	NEED_CBOR;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bads); i++) {
		char hex[512];
		struct bytes bytes;

		test_note("%s", bads[i].hex);
		snprintf(hex, sizeof(hex), "82 %s %s", SHORT, bads[i].hex);
		bytes = bytes_of_hex(hex);
		CHECK_BAD(span_of_bytes(bytes), bads[i].code, 2, SHORT_SIZE + 1,
			  bads[i].field);
		bytes_free(&bytes);
		snprintf(hex, sizeof(hex), "%s %s", SHORT, bads[i].hex);
		bytes = bytes_of_hex(hex);
		CHECK_BAD(span_of_bytes(bytes), bads[i].code, 2, SHORT_SIZE,
			  bads[i].field);
		bytes_free(&bytes);
	}
}

TEST(malformed_around_records)
{
	static const struct {
		const char *hex;
		enum imalog_code code;
		uint64_t record, offset;
	} cases[] = {
		{ "80 00", IMALOG_ERR_TRAILING, 1, 1 },
		{ "9f ff 00", IMALOG_ERR_TRAILING, 1, 2 },
		{ "81" SHORT SHORT, IMALOG_ERR_TRAILING, 2, SHORT_SIZE + 1 },
		{ "82" SHORT, IMALOG_ERR_TRUNCATED, 2, SHORT_SIZE + 1 },
		{ "9f" SHORT, IMALOG_ERR_TRUNCATED, 2, SHORT_SIZE + 1 },
		{ "9b ffffffffffffffff" SHORT, IMALOG_ERR_TRUNCATED, 2, SHORT_SIZE + 9 },
		{ "81 80", IMALOG_ERR_BAD_VALUE, 1, 1 },
		{ "9b 00", IMALOG_ERR_TRUNCATED, 1, 0 },
	};

	NEED_CBOR;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct bytes bytes = bytes_of_hex(cases[i].hex);

		test_note("%s", cases[i].hex);
		CHECK_BAD(span_of_bytes(bytes), cases[i].code, cases[i].record,
			  cases[i].offset, "CBOR");
		bytes_free(&bytes);
	}
}

/* A map that claims to have no end costs no more than a record has use for. */
TEST(too_many_values)
{
	struct build bytes = { .order = IMALOG_ORDER_BE };

	NEED_CBOR;
	put_hex(&bytes, "a4 00 00 01 0a 09 04 0a 9f");
	for (int i = 0; i < 5000; i++)
		put_hex(&bytes, "00");
	CHECK_BAD(built(&bytes), IMALOG_ERR_LIMIT, 1, 0, "CBOR");
	build_free(&bytes);
}

/* A record without an end, whose content is strings of the largest size */
struct endless {
	size_t given;
};

static int endless_read(void *arg, uint8_t *to, size_t room, size_t *got,
			struct imalog_error *error)
{
	static const uint8_t head[] = { 0xa4, 0x00, 0x00, 0x01, 0x0a, 0x09,
					0x18, 0xc8, 0x0a, 0x9f };
	static const uint8_t string[] = { 0x5a, 0x01, 0x00, 0x00, 0x00 };
	const size_t size = sizeof(string) + ((size_t)16 << 20);
	struct endless *endless = arg;

	(void)error;
	for (*got = 0; *got < room && *got < 65536; (*got)++, endless->given++) {
		size_t at = endless->given < sizeof(head) ?
				    0 :
				    (endless->given - sizeof(head)) % size;

		to[*got] = endless->given < sizeof(head) ? head[endless->given] :
			   at < sizeof(string)		 ? string[at] :
							   0;
	}
	return 0;
}

TEST(one_record_bounds_memory)
{
	struct endless endless = { 0 };
	struct log log;

	NEED_CBOR;
	log = log_on(imalog_source_from_call(endless_read, &endless, "test"));
	CHECK_INT(log_next(&log), -IMALOG_ERR_LIMIT);
	CHECK_INT(imalog_error_record(log.error), 1);
	CHECK(endless.given < (size_t)40 << 20);
	log_close(&log);
}

static bool array_ends(size_t at, uint64_t records)
{
	(void)at;
	(void)records;
	return false;
}

static bool sequence_ends(size_t at, uint64_t records)
{
	return at == SHORT_SIZE * records;
}

TEST(cut_at_every_byte)
{
	struct bytes bytes;

	NEED_CBOR;
	bytes = bytes_of_hex("82" CEL_NG_CBOR SHORT);
	check_cuts(span_of_bytes(bytes), IMALOG_FORMAT_CEL_CBOR, array_ends);
	bytes_free(&bytes);
	bytes = bytes_of_hex("9f" CEL_NG_CBOR SHORT "ff");
	check_cuts(span_of_bytes(bytes), IMALOG_FORMAT_CEL_CBOR, array_ends);
	bytes_free(&bytes);
	bytes = bytes_of_hex(SHORT SHORT SHORT);
	check_cuts(span_of_bytes(bytes), IMALOG_FORMAT_CEL_CBOR, sequence_ends);
	bytes_free(&bytes);
}

TEST(reads_of_any_size)
{
	struct bytes bytes;

	NEED_CBOR;
	bytes = bytes_of_hex("83" CEL_NG_CBOR SHORT CEL_NG_CBOR);
	check_pieces(span_of_bytes(bytes));
	bytes_free(&bytes);
	bytes = bytes_of_hex("9f" CEL_NG_CBOR SHORT CEL_NG_CBOR "ff");
	check_pieces(span_of_bytes(bytes));
	bytes_free(&bytes);
}

TEST(real_lists)
{
	static const struct target arrays = { .format = IMALOG_FORMAT_CEL_CBOR };

	NEED_CBOR;
	check_real_lists(&arrays);
	check_real_lists(&sequence);
}

TEST(what_cbor_cannot_hold)
{
	static const struct {
		const char *hex, *field;
	} cases[] = {
		{ CEL_HEAD "50 00000000", "content" },
		{ CEL_HEAD "04 0000000d 50 00000008 0000000000000001", "content" },
		{ CEL_HEAD "04 00000006 81 00000001 02", "content" },
		{ CEL_HEAD "07 0000000b 00 00000001 ff 01 00000000", "template name" },
		{ "00 00000001 00 6c 00000001 0a 03 00000000 09 00000000", "rtmr" },
	};

	NEED_CBOR;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct imalog_error *error = imalog_error_new();
		struct build out = { .order = IMALOG_ORDER_LE };
		struct bytes bytes = bytes_of_hex(cases[i].hex);

		test_note("%s", cases[i].hex);
		CHECK_ERROR(error,
			    cel_convert(span_of_bytes(bytes), &sequence, &out, error),
			    IMALOG_ERR_UNSUPPORTED, 1, 0, cases[i].field);
		CHECK_INT(out.size, 0);
		build_free(&out);
		bytes_free(&bytes);
		imalog_error_free(&error);
	}
}

/* An array that was announced with another size is not finished. */
TEST(counts_of_an_array)
{
	static const struct {
		uint64_t count, record;
	} cases[] = { { 0, 1 }, { 1, 2 }, { 3, 0 } };

	NEED_CBOR;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct target target = { .format = IMALOG_FORMAT_CEL_CBOR,
					 .count = cases[i].count };
		struct imalog_error *error = imalog_error_new();
		struct build out = { .order = IMALOG_ORDER_LE };
		struct bytes bytes = bytes_of_hex(SHORT SHORT);

		test_note("count %llu", (unsigned long long)cases[i].count);
		CHECK_INT(cel_convert(span_of_bytes(bytes), &target, &out, error),
			  -IMALOG_ERR_INVALID);
		CHECK_INT(imalog_error_record(error), cases[i].record);
		build_free(&out);
		bytes_free(&bytes);
		imalog_error_free(&error);
	}
}

/* Without libcbor it says so. */
TEST(built_without)
{
	struct imalog_error *error;
	struct build out = { .order = IMALOG_ORDER_LE };
	struct bytes bytes, other;

	if (is_built())
		SKIP("built with libcbor");
	error = imalog_error_new();
	bytes = bytes_of_hex(SHORT);
	other = bytes_of_hex(CEL_NG);
	CHECK_BAD(span_of_bytes(bytes), IMALOG_ERR_UNSUPPORTED, 1, 0, "CBOR");
	CHECK_ERROR(error, cel_convert(span_of_bytes(other), &sequence, &out, error),
		    IMALOG_ERR_UNSUPPORTED, 1, 0, "CBOR");
	bytes_free(&bytes);
	bytes_free(&other);
	build_free(&out);
	imalog_error_free(&error);
}

TEST_MAIN(CASE(golden), CASE(empty_logs), CASE(content_there_and_back), CASE(malformed),
	  CASE(malformed_around_records), CASE(too_many_values),
	  CASE(one_record_bounds_memory), CASE(cut_at_every_byte),
	  CASE(reads_of_any_size), CASE(real_lists), CASE(what_cbor_cannot_hold),
	  CASE(counts_of_an_array), CASE(built_without))
