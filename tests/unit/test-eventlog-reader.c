// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/eventlog-reader.c: whatever is wrong with a log is told with its record and offset. */
#include "eventlog-log.h"

TEST(what_is_no_event_log)
{
	struct bytes bogus;

	CHECK_LOG_ERROR(text(""), IMALOG_ERR_BAD_FORMAT, 0, 0, "");
	CHECK_LOG_ERROR(text("bogus\ninvalid\nevent\nlog\nfile\n"), IMALOG_ERR_BAD_VALUE, 1, 0,
			"PCR");
	CHECK_LOG_ERROR(text("log"), IMALOG_ERR_TRUNCATED, 1, 0, "PCR");
	bogus = bytes_new(100);
	memset(bogus.data, 0, bogus.size);
	CHECK_LOG_ERROR(span_of_bytes(bogus), IMALOG_ERR_BAD_FORMAT, 0, 0, "");
	bytes_free(&bogus);
}

/* ---- cut logs ---- */

/* Where the records of a rig log end; its digests are of 3 known banks. */
static size_t boundaries(struct imalog_span log, size_t *ret, size_t max)
{
	size_t at = 0, n = 0;

	for (ret[n++] = 0; at < log.size && n < max; ret[n++] = at) {
		struct imalog_cursor cursor = { log.data + at, log.size - at,
						IMALOG_ORDER_LE };
		size_t digests = n == 1 ? 20 : 4 + 3 * 2 + 20 + 32 + 48;
		struct imalog_span skipped;
		uint32_t size = 0;

		imalog_cursor_bytes(&cursor, 8 + digests, &skipped);
		imalog_cursor_u32(&cursor, &size);
		at += 8 + digests + 4 + size;
	}
	return n;
}

TEST(a_log_cut_anywhere)
{
	struct bytes log = bytes_of_file("rig/ng/binary_bios_measurements");
	size_t at[32], n = boundaries(span_of_bytes(log), at, IMALOG_ARRAY_SIZE(at)),
		       record = 0;

	CHECK_INT(n, 16);
	CHECK_INT(at[n - 1], log.size);
	for (size_t size = 1; size < log.size; size++) {
		struct run run = replay(span_of(log.data, size));

		test_note("%zu bytes", size);
		if (size == at[record + 1])
			record++;
		if (size == at[record]) {
			CHECK_INT(run.rc, record);
		} else {
			CHECK_INT(run.rc, -IMALOG_ERR_TRUNCATED);
			CHECK_INT(imalog_error_record(run.error), record + 1);
			CHECK_INT(imalog_error_offset(run.error), at[record]);
			CHECK_INT(imalog_pcrs_count(run.pcrs), 0);
		}
		run_free(&run);
	}
	bytes_free(&log);
}

TEST(the_unused_rest_of_the_log_area)
{
	struct bytes log = bytes_of_file("rig/ng/binary_bios_measurements");
	struct bytes area = bytes_new(log.size + 4096);
	struct run run;

	memset(area.data, 0, area.size);
	memcpy(area.data, log.data, log.size);
	run = replay(span_of_bytes(area));
	CHECK_INT(run.rc, 15);
	CHECK_INT(imalog_pcrs_count(run.pcrs), 30);
	run_free(&run);
	CHECK_LOG_ERROR(span_of(area.data, log.size + 15), IMALOG_ERR_TRUNCATED, 16, log.size,
			"event size");
	area.data[area.size - 1] = 1;
	CHECK_LOG_ERROR(span_of_bytes(area), IMALOG_ERR_TRAILING, 16, log.size, "");
	bytes_free(&area);
	bytes_free(&log);
}

/* ---- malformed logs ---- */

TEST(headers_of_old_logs)
{
	static const struct {
		const char *name;
		int rc;
	} headers[] = { { "Spec ID Event00", 2 },
			{ "Spec ID Event02", 2 },
			{ "Spec ID Event04", -IMALOG_ERR_BAD_FORMAT },
			{ "Spec ID Event0", -IMALOG_ERR_BAD_FORMAT },
			{ "Another ID", 2 } };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(headers); i++) {
		char event[20] = "";
		struct run run;
		LE(log);

		test_note("%s", headers[i].name);
		memcpy(event, headers[i].name, strlen(headers[i].name));
		put_sha1(&log, 0, NO_ACTION, 0, span_of(event, sizeof(event)));
		put_sha1(&log, 0, SEPARATOR, 1, text(""));
		run = replay(built(&log));
		CHECK_INT(run.rc, headers[i].rc);
		if (headers[i].rc < 0)
			CHECK_ERROR(run.error, run.rc, IMALOG_ERR_BAD_FORMAT, 1, 0, "event");
		run_free(&run);
		build_free(&log);
	}
}

TEST(headers_that_lie)
{
	static const struct {
		const char *tail; /* behind the name */
		enum imalog_code code;
		const char *field;
	} bad[] = {
		{ "", IMALOG_ERR_BAD_LENGTH, "algorithm count" },
		{ "00000000 00020200 010000", IMALOG_ERR_BAD_LENGTH, "algorithm count" },
		{ "00000000 00020200 00000000 00", IMALOG_ERR_BAD_VALUE, "algorithm count" },
		{ "00000000 00020200 11000000 00", IMALOG_ERR_LIMIT, "algorithm count" },
		{ "00000000 00020200 ffffffff 00", IMALOG_ERR_LIMIT, "algorithm count" },
		{ "00000000 00020200 02000000 0b00 2000 00", IMALOG_ERR_BAD_LENGTH,
		  "algorithm" },
		{ "00000000 00020200 01000000 0b00 1f00 00", IMALOG_ERR_BAD_LENGTH,
		  "digest size" },
		{ "00000000 00020200 01000000 fe0f 0000 00", IMALOG_ERR_BAD_LENGTH,
		  "digest size" },
		{ "00000000 00020200 02000000 0b00 2000 0b00 2000 00", IMALOG_ERR_BAD_VALUE,
		  "algorithm" },
		{ "00000000 00020200 01000000 0b00 2000", IMALOG_ERR_BAD_LENGTH,
		  "vendor information" },
		{ "00000000 00020200 01000000 0b00 2000 02 aa", IMALOG_ERR_BAD_LENGTH,
		  "vendor information" },
		{ "00000000 00020200 01000000 0b00 2000 00 00", IMALOG_ERR_TRAILING,
		  "vendor information" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bad); i++) {
		LE(event);
		LE(log);

		test_note("%s", bad[i].tail);
		put(&event, "Spec ID Event03", 16);
		put_hex(&event, bad[i].tail);
		put_sha1(&log, 0, NO_ACTION, 0, built(&event));
		CHECK_LOG_ERROR(built(&log), bad[i].code, 1, 0, bad[i].field);
		build_free(&event);
		build_free(&log);
	}
}

TEST(records_that_lie)
{
	static const struct {
		const char *record; /* behind the header */
		enum imalog_code code;
		const char *field;
	} bad[] = {
		{ "18000000 04000000", IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "ffffffff 04000000", IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "00000000 04000000 04000000", IMALOG_ERR_BAD_LENGTH, "digest count" },
		{ "00000000 04000000 ffffffff", IMALOG_ERR_BAD_LENGTH, "digest count" },
		{ "00000000 04000000 01000000 0c00", IMALOG_ERR_BAD_VALUE,
		  "digest algorithm" },
		{ "00000000 04000000 01000000 00", IMALOG_ERR_TRUNCATED, "digest algorithm" },
		{ "00000000 04000000 02000000 fe0f 01020304050607 fe0f 01020304050607",
		  IMALOG_ERR_BAD_VALUE, "digest algorithm" },
		{ "00000000 04000000 01000000 fe0f 01020304050607 ffffffff 00",
		  IMALOG_ERR_TRUNCATED, "event" },
		{ "00000000 04000000 01000000 fe0f 01020304050607 02000000 00",
		  IMALOG_ERR_TRUNCATED, "event" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bad); i++) {
		LE(log);

		test_note("%s", bad[i].record);
		put_header(&log);
		put_hex(&log, bad[i].record);
		CHECK_LOG_ERROR(built(&log), bad[i].code, 2, HEADER_SIZE, bad[i].field);
		build_free(&log);
	}
}

TEST_MAIN(CASE(what_is_no_event_log), CASE(a_log_cut_anywhere),
	  CASE(the_unused_rest_of_the_log_area), CASE(headers_of_old_logs),
	  CASE(headers_that_lie), CASE(records_that_lie))
