// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/cel-tlv.c, cel.c, cel-write.c: the Canonical Event Log as TLV. */
#include "cel-log.h"

static struct log open_hex(const char *hex, struct bytes *bytes)
{
	*bytes = bytes_of_hex(hex);
	return log_open(span_of_bytes(*bytes));
}

static void check_fit(struct imalog_record *record, enum imalog_fit fit)
{
	struct imalog_hasher *hasher = imalog_hasher_new();

	CHECK_INT(imalog_record_verify(record, hasher, NULL), fit);
	imalog_hasher_free(&hasher);
}

TEST(golden_template)
{
	static const struct target keep = { .format = IMALOG_FORMAT_CEL_TLV };
	struct bytes bytes;
	struct log log = open_hex(CEL_NG, &bytes);
	enum imalog_alg alg;
	uint64_t recnum;

	CHECK_INT(bytes.size, 173);
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_reader_format(log.reader), IMALOG_FORMAT_CEL_TLV);
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_TEMPLATE);
	CHECK_INT(imalog_record_content_type(log.record), 7);
	CHECK_INT(imalog_record_index(log.record), IMALOG_INDEX_PCR);
	CHECK_INT(imalog_record_pcr(log.record), 10);
	CHECK(imalog_record_recnum(log.record, &recnum) && recnum == 0);
	CHECK(imalog_record_is_measured(log.record));
	CHECK(imalog_record_is_checked(log.record));
	CHECK(!imalog_record_is_violation(log.record));
	CHECK_INT(imalog_record_digests(log.record), 2);
	CHECK_HEX(imalog_record_digest(log.record, 0, &alg), CEL_NG_SHA1);
	CHECK_INT(alg, IMALOG_ALG_SHA1);
	CHECK_HEX(imalog_record_digest(log.record, 1, &alg), CEL_NG_SHA256);
	CHECK_INT(alg, IMALOG_ALG_SHA256);
	CHECK_MEM(imalog_record_template(log.record), imalog_span_of("ima-ng"));
	CHECK_HEX(imalog_record_data(log.record), CEL_NG_DATA);
	CHECK_MEM(imalog_record_name(log.record), imalog_span_of("boot_aggregate"));
	CHECK_MEM(imalog_record_raw(log.record), span_of_bytes(bytes));
	check_fit(log.record, IMALOG_FIT_YES);
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	check_convert(span_of_bytes(bytes), &keep, span_of_bytes(bytes));
	bytes_free(&bytes);
}

TEST(golden_ima_tlv)
{
	static const struct target keep = { .format = IMALOG_FORMAT_CEL_TLV };
	struct bytes bytes;
	struct log log = open_hex(CEL_TLV, &bytes);

	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_IMA_TLV);
	CHECK_MEM(imalog_record_name(log.record),
		  imalog_span_of("/data/esp/safford.pdf"));
	CHECK_INT(imalog_record_fields(log.record), 2);
	CHECK_INT(imalog_record_field_id(log.record, 1), IMALOG_FIELD_D);
	CHECK_HEX(imalog_record_field_data(log.record, 1), CEL_TLV_FILE);
	CHECK_HEX(imalog_record_data(log.record), CEL_TLV_VALUE);
	CHECK_INT(imalog_record_template(log.record).size, 0);
	/* The whole content TLV, not its value alone */
	check_fit(log.record, IMALOG_FIT_YES);
	log_close(&log);
	check_convert(span_of_bytes(bytes), &keep, span_of_bytes(bytes));
	bytes.data[bytes.size - 1] ^= 1;
	log = log_open(span_of_bytes(bytes));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	check_fit(log.record, IMALOG_FIT_NO);
	log_close(&log);
	bytes_free(&bytes);
}

TEST(management)
{
	static const struct {
		const char *content, *type, *transition;
		uint64_t value, minor;
		bool measured;
	} cases[] = {
		{ CEL_VERSION, "cel_version", NULL, 1, 0, false },
		{ "04 00000010 01 0000000b 01 00000000 00 00000001 02", "cel_version",
		  NULL, 2, 0, false },
		{ CEL_FIRMWARE_END, "firmware_end", NULL, 0, 0, false },
		{ CEL_KEXEC, "state_trans", "kexec", 2, 0, true },
		{ "04 00000006 81 00000001 01", "state_trans", "hibernate", 1, 0, true },
		{ "04 0000000a 50 00000005 ffffffffff", "cel_timestamp", NULL,
		  0xffffffffff, 0, true },
		{ "04 0000000d 80 00000008 ffffffffffffffff", "cel_timestamp", NULL,
		  UINT64_MAX, 0, true },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct imalog_management entry;
		char hex[512];
		struct bytes bytes;
		struct log log;

		test_note("%s", cases[i].content);
		snprintf(hex, sizeof(hex), "%s%s", CEL_HEAD, cases[i].content);
		log = open_hex(hex, &bytes);
		REQUIRE(CHECK_INT(log_next(&log), 1));
		CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_CEL);
		CHECK_INT(imalog_record_is_measured(log.record), cases[i].measured);
		CHECK(!imalog_record_is_checked(log.record));
		check_fit(log.record, IMALOG_FIT_UNKNOWN);
		REQUIRE(CHECK(imalog_record_management(log.record, 0, &entry)));
		CHECK_STR(entry.type, cases[i].type);
		CHECK(entry.value == cases[i].value && entry.minor == cases[i].minor);
		CHECK_STR(entry.transition ? entry.transition : "",
			  cases[i].transition ? cases[i].transition : "");
		CHECK(!imalog_record_management(log.record, 1, &entry));
		log_close(&log);
		bytes_free(&bytes);
	}
}

TEST(several_management_entries)
{
	struct imalog_management entry;
	struct bytes bytes;
	struct log log =
		open_hex(CEL_HEAD "04 0000000b 02 00000000 51 00000001 00", &bytes);

	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK(imalog_record_is_measured(log.record));
	CHECK(imalog_record_management(log.record, 1, &entry));
	CHECK_STR(entry.transition, "suspend");
	CHECK(!imalog_record_management(log.record, 2, &entry));
	log_close(&log);
	bytes_free(&bytes);
}

TEST(events_and_unknown_content)
{
	struct imalog_span data;
	struct bytes bytes;
	struct log log = open_hex(CEL_HEAD
				  "05 00000015 00 00000004 800000e2 01 00000007"
				  "66616c6166656c" CEL_HEAD "50 00000003 abcdef"
				  "00 00000001 00 02 00000004 01c10131 03 00000000"
				  "09 00000002 7b7d"
				  "00 00000001 00 6c 00000001 02 03 00000000 c8 00000000",
				  &bytes);
	uint32_t type;

	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK(imalog_record_event(log.record, &type, &data));
	CHECK_INT(type, 0x800000e2);
	CHECK_STR(imalog_event_type_name(type), "EV_EFI_SPDM_FIRMWARE_CONFIG");
	CHECK_MEM(data, imalog_span_of("falafel"));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_OTHER);
	CHECK_INT(imalog_record_content_type(log.record), 80);
	CHECK_HEX(imalog_record_data(log.record), "abcdef");
	CHECK(!imalog_record_event(log.record, &type, &data));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_index(log.record), IMALOG_INDEX_NV);
	CHECK_INT(imalog_record_pcr(log.record), 0x01c10131);
	CHECK(imalog_record_is_nv(log.record));
	CHECK_INT(imalog_record_digests(log.record), 0);
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_SYSTEMD);
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_index(log.record), IMALOG_INDEX_RTMR);
	CHECK(imalog_record_is_nv(log.record));
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	bytes_free(&bytes);
}

/* Zeros, as some write them, and ff..ff, which is extended */
TEST(violations)
{
	static const struct {
		const char *digest;
		bool violation;
	} cases[] = {
		{ "0000000000000000000000000000000000000000", true },
		{ "ffffffffffffffffffffffffffffffffffffffff", true },
		{ "fffffffffffffffffffffffffffffffffffffffe", false },
		{ "0100000000000000000000000000000000000000", false },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		char hex[512];
		struct bytes bytes;
		struct log log;

		snprintf(hex, sizeof(hex),
			 "00 00000001 00 01 00000001 0a 03 00000019 04 00000014 %s %s",
			 cases[i].digest, "08 00000006 00 00000001 61");
		log = open_hex(hex, &bytes);
		REQUIRE(CHECK_INT(log_next(&log), 1));
		CHECK_INT(imalog_record_is_violation(log.record), cases[i].violation);
		log_close(&log);
		bytes_free(&bytes);
		/* Where the recorded digest is extended, it is nothing else. */
		snprintf(hex, sizeof(hex),
			 "00 00000001 00 01 00000001 0a 03 00000019 04 00000014 %s %s",
			 cases[i].digest, "50 00000001 61");
		log = open_hex(hex, &bytes);
		REQUIRE(CHECK_INT(log_next(&log), 1));
		CHECK(!imalog_record_is_violation(log.record));
		log_close(&log);
		bytes_free(&bytes);
	}
}

TEST(malformed)
{
	static const struct {
		const char *hex;
		enum imalog_code code;
		const char *field;
	} cases[] = {
		/* number and index */
		{ "01 00000001 00 01 00000001 0a 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "recnum" },
		{ "00 00000000 01 00000001 0a 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_LENGTH, "recnum" },
		{ "00 00000009 000000000000000000 01 00000001 0a 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_LENGTH, "recnum" },
		{ "00 00000001 00 04 00000001 0a 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "index" },
		{ "00 00000001 00 01 00000000 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_LENGTH, "index" },
		{ "00 00000001 00 01 00000001 40 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "00 00000001 00 01 00000004 01000000 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "00 00000001 00 02 00000008 0000000100000000 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "index" },
		{ "00 00000001 00 01 00000008 ffffffffffffffff 03 00000000 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "PCR" },
		/* digests */
		{ "00 00000001 00 01 00000001 0a 04 00000000 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "digests" },
		{ "00 00000001 00 01 00000001 0a 03 00000006 05 00000001 00 50 00000000",
		  IMALOG_ERR_BAD_VALUE, "digests" },
		{ "00 00000001 00 01 00000001 0a 03 00000006 04 00000001 00 50 00000000",
		  IMALOG_ERR_BAD_LENGTH, "digests" },
		{ "00 00000001 00 01 00000001 0a 03 00000004 04 000000 50 00000000",
		  IMALOG_ERR_BAD_LENGTH, "digests" },
		{ "00 00000001 00 01 00000001 0a 03 00000005 04 ffffffff 50 00000000",
		  IMALOG_ERR_BAD_LENGTH, "digests" },
		{ "00 00000001 00 01 00000001 0a 03 7fffffff", IMALOG_ERR_BAD_LENGTH,
		  "digests" },
		{ "00 00000001 00 01 00000001 0a 03 00000032 04 00000014" CEL_DIGEST
		  "04 00000014" CEL_DIGEST "50 00000000",
		  IMALOG_ERR_BAD_VALUE, "digests" },
		/* content */
		{ CEL_HEAD "03 00000000", IMALOG_ERR_BAD_VALUE, "content" },
		{ CEL_HEAD "50 ffffffff", IMALOG_ERR_LIMIT, "content" },
		{ CEL_HEAD "07 00000000", IMALOG_ERR_BAD_LENGTH, "template name" },
		{ CEL_HEAD "07 0000000b 01 00000001 61 00 00000000", IMALOG_ERR_BAD_VALUE,
		  "template name" },
		{ CEL_HEAD "07 0000000a 00 00000000 01 00000000", IMALOG_ERR_BAD_VALUE,
		  "template name" },
		{ CEL_HEAD "07 0000000b 00 00000001 61 02 00000000", IMALOG_ERR_BAD_VALUE,
		  "template data" },
		{ CEL_HEAD "07 0000000b 00 00000001 61 01 00000001",
		  IMALOG_ERR_BAD_LENGTH, "template data" },
		{ CEL_HEAD "07 0000000c 00 00000001 61 01 00000000 ff",
		  IMALOG_ERR_TRAILING, "content" },
		{ CEL_HEAD "07 00000015 00 00000006 696d612d6e67 01 00000005 0000000000",
		  IMALOG_ERR_BAD_LENGTH, "n-ng" },
		{ CEL_HEAD "07 0000000e 00 00000003 696d61 01 00000001 00",
		  IMALOG_ERR_BAD_LENGTH, "d" },
		{ CEL_HEAD "07 00000027 00 00000003 696d61 01 0000001a" CEL_DIGEST
			   "01000000 61 62",
		  IMALOG_ERR_TRAILING, "template data" },
		{ CEL_HEAD "08 00000004 00 000000", IMALOG_ERR_BAD_LENGTH, "content" },
		{ CEL_HEAD "08 00000006 00 00000002 61", IMALOG_ERR_BAD_LENGTH,
		  "content" },
		{ CEL_HEAD "08 0000000c 00 00000001 61 00 00000001 61", IMALOG_ERR_BAD_VALUE,
		  "content" },
		{ CEL_HEAD "08 0000000f 07 00000000 09 00000000 07 00000000",
		  IMALOG_ERR_BAD_VALUE, "content" },
		{ CEL_HEAD "05 00000000", IMALOG_ERR_BAD_LENGTH, "event type" },
		{ CEL_HEAD "05 0000000a 01 00000000 01 00000000", IMALOG_ERR_BAD_VALUE,
		  "event type" },
		{ CEL_HEAD "05 0000000f 00 00000005 0100000000 01 00000000",
		  IMALOG_ERR_BAD_VALUE, "event type" },
		{ CEL_HEAD "05 00000013 00 00000009 000000000000000000 01 00000000",
		  IMALOG_ERR_BAD_LENGTH, "event type" },
		{ CEL_HEAD "05 0000000a 00 00000000 01 00000000", IMALOG_ERR_BAD_LENGTH,
		  "event type" },
		{ CEL_HEAD "05 0000000c 00 00000001 01 01 00000000 ff", IMALOG_ERR_TRAILING,
		  "event data" },
		{ CEL_HEAD "04 00000000", IMALOG_ERR_BAD_LENGTH, "content" },
		{ CEL_HEAD "04 00000005 03 00000000", IMALOG_ERR_BAD_VALUE, "content" },
		{ CEL_HEAD "04 00000006 02 00000001 00", IMALOG_ERR_TRAILING,
		  "firmware_end" },
		{ CEL_HEAD "04 00000006 51 00000001 03", IMALOG_ERR_BAD_VALUE,
		  "state_trans" },
		{ CEL_HEAD "04 0000000e 50 00000009 000000000000000000",
		  IMALOG_ERR_BAD_LENGTH, "cel_timestamp" },
		{ CEL_HEAD "04 0000000a 01 00000005 00 00000000", IMALOG_ERR_BAD_LENGTH,
		  "cel_version" },
		{ CEL_HEAD "04 00000010 01 0000000b 00 00000000 ff 00000001 02",
		  IMALOG_ERR_BAD_VALUE, "cel_version" },
		{ CEL_HEAD "04 00000011 01 0000000c 01 00000000 00 00000001 02 00",
		  IMALOG_ERR_TRAILING, "cel_version" },
		{ CEL_HEAD "04 00000012 01 0000000d 00 00000003 010000 01 00000000",
		  IMALOG_ERR_BAD_VALUE, "cel_version" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		/* Behind a good record, so that record and offset are more than nothing */
		struct bytes good = bytes_of_hex(CEL_NG),
			     bad = bytes_of_hex(cases[i].hex);
		struct build both = { .order = IMALOG_ORDER_LE };
		struct bytes exact;

		test_note("%s", cases[i].hex);
		put(&both, good.data, good.size);
		put(&both, bad.data, bad.size);
		exact = bytes_copy(both.data, both.size);
		CHECK_BAD(span_of_bytes(exact), cases[i].code, 2, 173, cases[i].field);
		bytes_free(&exact);
		bytes_free(&good);
		bytes_free(&bad);
		build_free(&both);
	}
}

TEST(too_many_management_entries)
{
	struct build content = { .order = IMALOG_ORDER_BE };

	put_hex(&content, CEL_HEAD "04");
	put_int(&content, 5 * 65);
	for (int i = 0; i < 65; i++)
		put_hex(&content, "02 00000000");
	CHECK_BAD(built(&content), IMALOG_ERR_LIMIT, 1, 0, "content");
	build_free(&content);
}

static bool ends_between(size_t at, uint64_t records)
{
	return at == 173 * records;
}

TEST(cut_at_every_byte)
{
	struct bytes bytes = bytes_of_hex(CEL_NG CEL_NG CEL_NG);

	check_cuts(span_of_bytes(bytes), IMALOG_FORMAT_CEL_TLV, ends_between);
	bytes_free(&bytes);
}

TEST(reads_of_any_size)
{
	struct bytes bytes = bytes_of_hex(CEL_NG CEL_TLV CEL_HEAD CEL_KEXEC CEL_NG);

	check_pieces(span_of_bytes(bytes));
	bytes_free(&bytes);
}

TEST(real_lists)
{
	static const struct target target = { .format = IMALOG_FORMAT_CEL_TLV };

	check_real_lists(&target);
}

/* The data of a big-endian machine stays so, since its digest covers it. */
TEST(big_endian_lists)
{
	static const struct target there = { .format = IMALOG_FORMAT_CEL_TLV },
				   back = { .format = IMALOG_FORMAT_KERNEL,
					    .order = IMALOG_ORDER_BE };
	struct build list = { .order = IMALOG_ORDER_BE },
		     cel = { .order = IMALOG_ORDER_BE };

	put_ng(&list, 1, "/bin/one");
	put_ng(&list, 0, "/bin/two");
	put_ng(&list, 3, "/bin/three");
	CHECK_INT(cel_convert(built(&list), &there, &cel, NULL), 0);
	check_convert(built(&cel), &back, built(&list));
	build_free(&list);
	build_free(&cel);
}

TEST(int_widths)
{
	static const struct {
		enum imalog_int_width width;
		const char *head;
	} cases[] = {
		{ IMALOG_INT_WIDTH_KEEP, "00 00000002 0105 01 00000003 00000a" },
		{ IMALOG_INT_WIDTH_8_1, "00 00000008 0000000000000105 01 00000001 0a" },
		{ IMALOG_INT_WIDTH_4_4, "00 00000004 00000105 01 00000004 0000000a" },
		{ IMALOG_INT_WIDTH_MIN, "00 00000002 0105 01 00000001 0a" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct target target = { .format = IMALOG_FORMAT_CEL_TLV,
					 .width = cases[i].width };
		char should[128];

		test_note("width %d", (int)cases[i].width);
		snprintf(should, sizeof(should), "%s 03 00000000 50 00000000",
			 cases[i].head);
		check_hex_convert(
			"00 00000002 0105 01 00000003 00000a 03 00000000 50 00000000",
			&target, should);
	}
}

/* Numbers count the records of an index, and go on where those of a log stop. */
TEST(record_numbers)
{
	static const struct target min = { .format = IMALOG_FORMAT_CEL_TLV,
					   .width = IMALOG_INT_WIDTH_MIN };
	struct build list = { .order = IMALOG_ORDER_LE },
		     out = { .order = IMALOG_ORDER_BE };
	static const uint8_t want[] = { 0, 1, 0, 2 };
	struct log log;
	uint64_t recnum;

	for (int i = 0; i < 4; i++) {
		put_ng(&list, (uint8_t)(i + 1), "/bin/x");
		if (i == 2) /* into PCR 11 */
			list.data[2 * (list.size / 3)] = 11;
	}
	CHECK_INT(cel_convert(built(&list), &min, &out, NULL), 0);
	log = log_open(built(&out));
	for (int i = 0; i < 4; i++) {
		REQUIRE(CHECK_INT(log_next(&log), 1));
		CHECK(imalog_record_recnum(log.record, &recnum) && recnum == want[i]);
	}
	log_close(&log);
	build_free(&list);
	build_free(&out);
	/* Two logs in one: the second number 5 becomes 7, the gap before it stays. */
	check_hex_convert("00 00000001 05 01 00000001 0a 03 00000000 50 00000000"
			  "00 00000001 06 01 00000001 0a 03 00000000 50 00000000"
			  "00 00000001 05 01 00000001 0a 03 00000000 50 00000000"
			  "00 00000001 09 02 00000001 0a 03 00000000 50 00000000",
			  &min,
			  "00 00000001 05 01 00000001 0a 03 00000000 50 00000000"
			  "00 00000001 06 01 00000001 0a 03 00000000 50 00000000"
			  "00 00000001 07 01 00000001 0a 03 00000000 50 00000000"
			  "00 00000001 09 02 00000001 0a 03 00000000 50 00000000");
}

TEST(what_the_kernels_list_cannot_hold)
{
	static const struct {
		const char *hex, *field;
	} cases[] = {
		{ CEL_TLV, "content" },
		{ CEL_HEAD CEL_KEXEC, "content" },
		{ CEL_HEAD CEL_VERSION, "PCR" },
		{ "00 00000001 00 02 00000001 0a 03 00000000 50 00000000", "PCR" },
		{ "00 00000001 00 01 00000001 0a 03 00000000 07 0000000b 00 00000001 61"
		  "01 00000000",
		  "digests" },
	};
	static const enum imalog_format formats[] = { IMALOG_FORMAT_KERNEL,
						      IMALOG_FORMAT_ASCII };

	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(cases); i++) {
		struct target target = { .format = formats[i % 2] };
		struct imalog_error *error = imalog_error_new();
		struct build out = { .order = IMALOG_ORDER_LE };
		struct bytes good = bytes_of_hex(CEL_NG),
			     bad = bytes_of_hex(cases[i / 2].hex);
		struct build both = { .order = IMALOG_ORDER_LE };
		int rc;

		test_note("%s", cases[i / 2].hex);
		put(&both, good.data, good.size);
		put(&both, bad.data, bad.size);
		rc = cel_convert(built(&both), &target, &out, error);
		CHECK_ERROR(error, rc, IMALOG_ERR_UNSUPPORTED, 2, 173,
			    cases[i / 2].field);
		CHECK(out.size > 0);
		build_free(&out);
		build_free(&both);
		bytes_free(&good);
		bytes_free(&bad);
		imalog_error_free(&error);
	}
}

/* A bad digest of ff..ff would become a violation. */
TEST(what_cel_cannot_hold)
{
	static const struct target target = { .format = IMALOG_FORMAT_CEL_TLV };
	struct imalog_error *error = imalog_error_new();
	struct build list = { .order = IMALOG_ORDER_LE },
		     out = { .order = IMALOG_ORDER_LE };

	put_ng(&list, 1, "/bin/one");
	put_ng(&list, 2, "/bin/two");
	memset(list.data + list.size / 2 + 4, 0xff, 20);
	CHECK_ERROR(error, cel_convert(built(&list), &target, &out, error),
		    IMALOG_ERR_UNSUPPORTED, 2, list.size / 2, "digests");
	build_free(&list);
	build_free(&out);
	imalog_error_free(&error);
}

/* A kernel list of PCR 0 whose bytes are also a record of CEL-TLV */
TEST(ambiguous_start)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct log log;

	put_hex(&list, "00000000 01 00 01 00000001 0a 03 00000014 04 00000014 0000");
	/* Template name and data sizes of the kernel's list stand where the digest does. */
	CHECK_INT(list.size, 24);
	put_hex(&list, "06000000 696d612d6e67 00000000");
	log = log_open(built(&list));
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_AMBIGUOUS, 1, 0, "format");
	log_close(&log);
	log = log_open(built(&list));
	imalog_reader_set_format(log.reader, IMALOG_FORMAT_CEL_TLV);
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_TRUNCATED, 1, 0, "content");
	log_close(&log);
	build_free(&list);
}

TEST_MAIN(CASE(golden_template), CASE(golden_ima_tlv), CASE(management),
	  CASE(several_management_entries), CASE(events_and_unknown_content),
	  CASE(violations), CASE(malformed), CASE(too_many_management_entries),
	  CASE(cut_at_every_byte), CASE(reads_of_any_size), CASE(real_lists),
	  CASE(big_endian_lists), CASE(int_widths), CASE(record_numbers),
	  CASE(what_the_kernels_list_cannot_hold), CASE(what_cel_cannot_hold),
	  CASE(ambiguous_start))
