// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/write.c: what is written is what the kernel has, in either encoding and byte order.
 */
#include "golden.h"

/* Takes what a writer gives; fails with @fail_errno at call number @fail_at. */
struct sink {
	struct build bytes;
	int calls, fail_at, fail_errno;
};

static int sink_write(void *arg, const void *data, size_t size)
{
	struct sink *sink = arg;

	if (++sink->calls == sink->fail_at)
		return sink->fail_errno;
	put(&sink->bytes, data, size);
	return 0;
}

/* All records of @bytes in another form */
static struct build converted(struct imalog_span bytes, enum imalog_format format,
			      enum imalog_order order)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct log log = log_open(bytes);
	struct sink sink = { .calls = 0 };
	struct imalog_writer *writer =
		imalog_writer_new(format, order, sink_write, &sink);
	uint64_t records = 0;
	int rc;

	while ((rc = log_next(&log)) > 0) {
		records++;
		CHECK(imalog_record_verify(log.record, hasher, log.error) >= 0);
		CHECK_INT(imalog_writer_put(writer, log.record, log.error), 0);
		imalog_reader_release(log.reader, records);
	}
	CHECK_INT(rc, 0);
	CHECK_INT(sink.calls, records);
	imalog_writer_free(&writer);
	CHECK(!writer);
	log_close(&log);
	imalog_hasher_free(&hasher);
	return sink.bytes;
}

static void check_converted(struct imalog_span bytes, enum imalog_format format,
			    enum imalog_order order, struct imalog_span should)
{
	struct build is = converted(bytes, format, order);

	CHECK_MEM(built(&is), should);
	build_free(&is);
}

TEST(real_lists_in_both_encodings)
{
	for (size_t i = 0; i < RIGS * BANKS; i++) {
		struct bytes list, text;

		if (!rig_list(&rigs[i / BANKS], &banks[i % BANKS], "binary", &list))
			continue;
		rig_list(&rigs[i / BANKS], &banks[i % BANKS], "ascii", &text);
		check_converted(span_of_bytes(list), IMALOG_FORMAT_ASCII,
				IMALOG_ORDER_AUTO, span_of_bytes(text));
		check_converted(span_of_bytes(text), IMALOG_FORMAT_KERNEL,
				IMALOG_ORDER_AUTO, span_of_bytes(list));
		check_converted(span_of_bytes(list), IMALOG_FORMAT_KERNEL,
				IMALOG_ORDER_LE, span_of_bytes(list));
		check_converted(span_of_bytes(text), IMALOG_FORMAT_ASCII, IMALOG_ORDER_LE,
				span_of_bytes(text));
		bytes_free(&text);
		bytes_free(&list);
	}
}

TEST(real_lists_there_and_back)
{
	for (size_t i = 0; i < RIGS * BANKS; i++) {
		struct bytes list, text;
		struct build be, from_text;

		if (!rig_list(&rigs[i / BANKS], &banks[i % BANKS], "binary", &list))
			continue;
		rig_list(&rigs[i / BANKS], &banks[i % BANKS], "ascii", &text);
		be = converted(span_of_bytes(list), IMALOG_FORMAT_KERNEL,
			       IMALOG_ORDER_BE);
		CHECK_INT(be.size, list.size);
		CHECK(memcmp(be.data, "\0\0\0\x0a", 4) == 0);
		check_converted(built(&be), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE,
				span_of_bytes(list));
		check_converted(built(&be), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE,
				built(&be));
		/* Where no field holds integers, the line is the same. */
		if (strcmp(rigs[i / BANKS].template, "evm-sig") != 0)
			check_converted(built(&be), IMALOG_FORMAT_ASCII,
					IMALOG_ORDER_AUTO, span_of_bytes(text));
		from_text = converted(span_of_bytes(text), IMALOG_FORMAT_KERNEL,
				      IMALOG_ORDER_BE);
		CHECK_MEM(built(&from_text), built(&be));
		build_free(&from_text);
		build_free(&be);
		bytes_free(&text);
		bytes_free(&list);
	}
}

TEST(every_template)
{
	for (size_t i = 0; i < 4 * GOLDEN; i++) {
		int order = i & 1, hash_order = i >> 1 & 1;
		const struct golden *g = &golden[i / 4];
		struct build le = golden_list(i / 4, 0, hash_order),
			     be = golden_list(i / 4, 1, hash_order);
		struct imalog_span in = order ? built(&be) : built(&le);
		struct build text = { .order = IMALOG_ORDER_LE };

		test_note("%s, order %d, hash order %d", g->template, order, hash_order);
		check_converted(in, IMALOG_FORMAT_KERNEL, IMALOG_ORDER_AUTO, built(&le));
		check_converted(in, IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE, built(&le));
		check_converted(in, IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE, built(&be));
		if (order == 0) {
			put_text(&text, "10 ");
			put_text(&text, g->digests[hash_order].sha1);
			put_text(&text, " ");
			put_text(&text, g->template);
			put_text(&text, " ");
			put_text(&text, g->text);
			put_text(&text, "\n");
			check_converted(in, IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO,
					built(&text));
			check_converted(built(&text), IMALOG_FORMAT_KERNEL,
					IMALOG_ORDER_AUTO, in);
		}
		build_free(&text);
		build_free(&be);
		build_free(&le);
	}
}

/* The records of tests/data/golden, written by hand by somebody else */
TEST(golden_files)
{
	static const char *const names[] = {
		"adhoc",	 "evm-sig",	 "ima",	      "ima-buf",
		"ima-modsig",	 "ima-ng",	 "ima-ng-be", "ima-ngv2",
		"ima-ng-sha256", "ima-sig",	 "ima-sigv2", "ima-sig-unsigned",
		"violation",	 "violation-old"
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(names); i++) {
		bool be = strcmp(names[i], "ima-ng-be") == 0;
		struct bytes hex, text, list;
		char path[128];

		snprintf(path, sizeof(path), "golden/%s.ascii", names[i]);
		text = bytes_of_file(path);
		snprintf(path, sizeof(path), "golden/%s.hex", names[i]);
		hex = bytes_of_file(path);
		hex.data[hex.size - 1] = '\0';
		list = bytes_of_hex((char *)hex.data);
		test_note("%s", path);
		check_converted(span_of_bytes(list), IMALOG_FORMAT_ASCII,
				IMALOG_ORDER_AUTO, span_of_bytes(text));
		check_converted(span_of_bytes(text), IMALOG_FORMAT_KERNEL,
				be ? IMALOG_ORDER_BE : IMALOG_ORDER_LE,
				span_of_bytes(list));
		bytes_free(&list);
		bytes_free(&hex);
		bytes_free(&text);
	}
}

/* hashlib: the SHA-1 of a digest of 20 bytes or of 16, "/abc" and 252 zeros */
#define DIGEST_20 "606162636465666768696a6b6c6d6e6f70717273"
#define DIGEST_16 "606162636465666768696a6b6c6d6e6f"
#define OF_20	  "d488d95ba5592487193d02396399bd684d2ab89d"
#define OF_16	  "f7030d42ef039e7e972c921d8f0d00285af92b67"

TEST(template_ima)
{
	static const char *const records[] = {
		"0a000000 " OF_20 " 03000000 696d61 " DIGEST_20 " 04000000 2f616263",
		"0a000000 " OF_16 " 03000000 696d61 " DIGEST_16 " 04000000 2f616263",
	};
	static const char *const others[] = {
		"0000000a " OF_20 " 00000003 696d61 " DIGEST_20 " 00000004 2f616263",
		"0000000a " OF_16 " 00000003 696d61 " DIGEST_16 " 00000004 2f616263",
	};
	static const char *const lines[] = {
		"10 " OF_20 " ima " DIGEST_20 " /abc\n",
		"10 " OF_16 " ima " DIGEST_16 " /abc\n",
	};

	for (size_t i = 0; i < 2; i++) {
		struct bytes le = bytes_of_hex(records[i]), be = bytes_of_hex(others[i]);

		test_note("%s", lines[i]);
		check_converted(span_of_bytes(le), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE,
				span_of_bytes(be));
		check_converted(span_of_bytes(be), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE,
				span_of_bytes(le));
		check_converted(span_of_bytes(be), IMALOG_FORMAT_ASCII, IMALOG_ORDER_LE,
				imalog_span_of(lines[i]));
		check_converted(imalog_span_of(lines[i]), IMALOG_FORMAT_KERNEL,
				IMALOG_ORDER_LE, span_of_bytes(le));
		bytes_free(&be);
		bytes_free(&le);
	}
}

/* "%2d": one digit has a blank before it. */
TEST(pcr_numbers)
{
	static const uint32_t pcrs[] = { 0, 9, 10, 63 };
	static const char *const heads[] = { " 0 ", " 9 ", "10 ", "63 " };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(pcrs); i++) {
		struct build list = golden_list(0, 0, 0), text;

		list.data[0] = (uint8_t)pcrs[i];
		text = converted(built(&list), IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO);
		CHECK_MEM(span_of(text.data, 3), imalog_span_of(heads[i]));
		build_free(&text);
		build_free(&list);
	}
}

/* ---- what a format cannot express, and what fails ---- */

/* Writes the record number @number of @bytes, which must fail and write nothing. */
static void check_refused(struct imalog_span bytes, enum imalog_format format,
			  enum imalog_order order, uint64_t number, uint64_t offset,
			  const char *field)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct log log = log_open(bytes);
	struct sink sink = { .calls = 0 };
	struct imalog_writer *writer =
		imalog_writer_new(format, order, sink_write, &sink);

	for (uint64_t n = 1; n <= number; n++)
		CHECK_INT(log_next(&log), 1);
	CHECK(imalog_record_verify(log.record, hasher, log.error) >= 0);
	CHECK_ERROR(log.error, imalog_writer_put(writer, log.record, log.error),
		    IMALOG_ERR_UNSUPPORTED, number, offset, field);
	CHECK_INT(sink.calls, 0);
	imalog_writer_free(&writer);
	log_close(&log);
	imalog_hasher_free(&hasher);
}

TEST(unknown_template_in_a_binary_list)
{
	struct build list = golden_list(0, 0, 0);
	size_t first = list.size;
	struct log log;
	struct sink sink = { .calls = 0 };
	struct imalog_writer *writer;

	put_record_over(&list, "what", span_of("data", 4), "SHA1", 20,
			span_of("data", 4));
	check_refused(built(&list), IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO, 2, first,
		      "template name");
	check_refused(built(&list), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE, 2, first,
		      "template data");
	/* In its own byte order it stays as it is. */
	check_converted(built(&list), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE,
			built(&list));
	/* The writer goes on with the next record. */
	log = log_open(built(&list));
	writer = imalog_writer_new(IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO, sink_write,
				   &sink);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_writer_put(writer, log.record, NULL), -IMALOG_ERR_UNSUPPORTED);
	log_close(&log);
	log = log_open(built(&list));
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_writer_put(writer, log.record, NULL), 0);
	CHECK_INT(sink.calls, 1);
	log_close(&log);
	imalog_writer_free(&writer);
	build_free(&sink.bytes);
	build_free(&list);
}

TEST(lines_whose_bytes_are_not_known)
{
	static const char text[] =
		"10 00112233445566778899aabbccddeeff00112233 what x\n"
		"10 00112233445566778899aabbccddeeff00112233 ima-ng sha1:00 /x\n";

	check_refused(imalog_span_of(text), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_AUTO, 1, 0,
		      "template data");
	check_refused(imalog_span_of(text), IMALOG_FORMAT_KERNEL, IMALOG_ORDER_AUTO, 2,
		      51, "template data");
	/* As lines they stay as they are. */
	check_converted(imalog_span_of(text), IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO,
			imalog_span_of(text));
}

/* What follows must not end up on the same line. */
TEST(line_without_a_newline)
{
	struct build text = { .order = IMALOG_ORDER_LE };

	put_text(&text, "10 ");
	put_text(&text, golden[0].digests[0].sha1);
	put_text(&text, " ima-ng ");
	put_text(&text, golden[0].text);
	put_text(&text, "\n");
	check_converted(span_of(text.data, text.size - 1), IMALOG_FORMAT_ASCII,
			IMALOG_ORDER_AUTO, built(&text));
	build_free(&text);
}

TEST(failing_output)
{
	struct bytes list = bytes_of_file("rig/ng/binary_runtime_measurements_sha1");

	for (int at = 1; at <= 3; at++) {
		struct log log = log_open(span_of_bytes(list));
		struct sink sink = { .fail_at = at, .fail_errno = ENOSPC };
		struct imalog_writer *writer = imalog_writer_new(
			IMALOG_FORMAT_KERNEL, IMALOG_ORDER_AUTO, sink_write, &sink);
		int rc = 0, n = 0;

		while (rc == 0 && log_next(&log) > 0) {
			rc = imalog_writer_put(writer, log.record, log.error);
			n++;
		}
		CHECK_INT(n, at);
		CHECK_INT(rc, -IMALOG_ERR_OS);
		CHECK_INT(imalog_error_code(log.error), IMALOG_ERR_OS);
		CHECK_INT(imalog_error_os_errno(log.error), ENOSPC);
		CHECK_STR(imalog_error_detail(log.error),
			  "cannot write: No space left on device");
		/* Not the writer's to say that this is for ever */
		CHECK_INT(imalog_writer_put(writer, log.record, NULL), 0);
		imalog_writer_free(&writer);
		log_close(&log);
		build_free(&sink.bytes);
	}
	bytes_free(&list);
	imalog_writer_free(NULL);
}

/* ---- fields as the kernel shows them, however odd ---- */

TEST(odd_fields)
{
	static const struct {
		const char *template, *data, *text;
	} all[] = {
		{ "d-ng|n-ng", "00000000 00000000", " " },
		{ "d-ng|n-ng", "02000000 aabb 02000000 6100", "aabb a" },
		{ "d-ng|n-ng", "05000000 736861313a 01000000 61", "736861313a a" },
		{ "d-ng|sig", "06000000 736861313a00 00000000", "sha1: " },
		{ "n-ng|buf", "04000000 61006200 01000000 ff", "a ff" },
		{ "imode", "01000000 07", "7" },
		{ "imode", "08000000 0100000001000000", "4294967297" },
		{ "iuid|igid", "04000000 ffffffff 00000000", "4294967295 " },
		{ "xattrnames|xattrlengths", "02000000 6100 04000000 01020304",
		  "a 01020304" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		struct build list = { .order = IMALOG_ORDER_LE };
		struct bytes data = bytes_of_hex(all[i].data);
		struct build text;
		size_t head;

		test_note("%s %s", all[i].template, all[i].data);
		put_record_over(&list, all[i].template, span_of_bytes(data), "SHA1", 20,
				span_of_bytes(data));
		text = converted(built(&list), IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO);
		head = 3 + 40 + 1 + strlen(all[i].template) + 1;
		if (CHECK(text.size > head))
			CHECK_MEM(span_of(text.data + head, text.size - head - 1),
				  imalog_span_of(all[i].text));
		build_free(&text);
		bytes_free(&data);
		build_free(&list);
	}
}

TEST_MAIN(CASE(real_lists_in_both_encodings), CASE(real_lists_there_and_back),
	  CASE(every_template), CASE(golden_files), CASE(template_ima), CASE(pcr_numbers),
	  CASE(unknown_template_in_a_binary_list), CASE(lines_whose_bytes_are_not_known),
	  CASE(line_without_a_newline), CASE(failing_output), CASE(odd_fields))
