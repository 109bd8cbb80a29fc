// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory runs out at every single place where the library takes some: each time the
 * answer is IMALOG_ERR_NOMEM, nothing leaks, and nothing else is ever the answer.
 *
 * Linked with -Wl,--wrap= for malloc, calloc, realloc, reallocarray, strdup and free.
 * What a shared libcrypto allocates is not touched.
 */
#include "nomem.h"
#include "replay.h"

/* ---- what is done with little memory ---- */

/* Objects that any of the runs makes; all are freed, however far it came. */
struct run {
	struct imalog_templates *templates;
	struct imalog_source *source;
	struct imalog_reader *reader;
	struct imalog_replay *replay;
	struct imalog_writer *writer;
	struct imalog_hasher *hasher;
	struct imalog_pcrs *pcrs;
};

static bool make_reader(struct run *run, struct imalog_span bytes)
{
	run->templates = imalog_templates_new();
	run->source = imalog_source_from_memory(bytes.data, bytes.size, "test");
	if (run->templates && run->source)
		run->reader = imalog_reader_new(run->source, run->templates);
	return run->reader != NULL;
}

static int replay_run(struct run *run, struct imalog_span bytes,
		      struct imalog_error *error)
{
	static const uint8_t value[32] = { 1 };
	int rc;

	run->replay = imalog_replay_new();
	run->pcrs = imalog_pcrs_new();
	if (!make_reader(run, bytes) || !run->replay || !run->pcrs)
		return imalog_fail_nomem(error);
	rc = imalog_replay_expect(run->replay, IMALOG_ALG_SHA256, 10, span_of(value, 32),
				  error);
	if (rc == 0)
		rc = imalog_replay_add_bank(run->replay, IMALOG_ALG_SHA384, error);
	if (rc == 0)
		rc = imalog_replay_run(run->replay, run->reader, error);
	/* Without an error nothing may be missing or wrong. */
	if (rc == 0)
		CHECK_INT(imalog_replay_problems(run->replay), 0);
	return rc < 0 ? rc : imalog_replay_pcrs(run->replay, run->pcrs, error);
}

static int ignore(void *arg, const void *data, size_t size)
{
	(void)data;
	*(size_t *)arg += size;
	return 0;
}

/* Reads all and holds it, verifies it and writes it in another order. */
static int convert_run(struct run *run, struct imalog_span bytes,
		       struct imalog_error *error)
{
	struct imalog_record *record;
	size_t written = 0;
	int rc;

	run->hasher = imalog_hasher_new();
	run->writer = imalog_writer_new(IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE, ignore,
					&written);
	if (!make_reader(run, bytes) || !run->hasher || !run->writer)
		return imalog_fail_nomem(error);
	while ((rc = imalog_reader_next(run->reader, &record, error)) > 0) {
		rc = imalog_record_verify(record, run->hasher, error);
		if (rc >= 0)
			CHECK(rc == IMALOG_FIT_YES || imalog_record_is_violation(record));
		if (rc >= 0)
			rc = imalog_writer_put(run->writer, record, error);
		if (rc < 0)
			break;
	}
	return rc;
}

/* The format that cel_run() writes */
static enum imalog_format cel_format;

static int cel_run(struct run *run, struct imalog_span bytes, struct imalog_error *error)
{
	struct imalog_record *record;
	size_t written = 0;
	int rc;

	run->writer = imalog_writer_new(cel_format, IMALOG_ORDER_AUTO, ignore, &written);
	if (!make_reader(run, bytes) || !run->writer)
		return imalog_fail_nomem(error);
	imalog_writer_set_sequence(run->writer);
	while ((rc = imalog_reader_next(run->reader, &record, error)) > 0) {
		rc = imalog_writer_put(run->writer, record, error);
		if (rc < 0)
			break;
	}
	return rc < 0 ? rc : imalog_writer_finish(run->writer, error);
}

static int pcrs_run(struct run *run, struct imalog_span bytes, struct imalog_error *error)
{
	int rc;

	run->pcrs = imalog_pcrs_new();
	if (!run->pcrs)
		return imalog_fail_nomem(error);
	rc = imalog_pcrs_parse(run->pcrs, bytes, NULL, error);
	return rc < 0 ? rc : 0;
}

static int templates_run(struct run *run, struct imalog_span bytes,
			 struct imalog_error *error)
{
	(void)bytes;
	run->templates = imalog_templates_new();
	if (!run->templates)
		return imalog_fail_nomem(error);
	return imalog_templates_define(run->templates, "mine", "d-ng|n-ng", error);
}

/* ---- failing each allocation in turn ---- */

typedef int (*run_fn)(struct run *run, struct imalog_span bytes,
		      struct imalog_error *error);

static void sweep(run_fn fn, struct imalog_span bytes)
{
	struct imalog_error *error = imalog_error_new();
	bool failed = true;
	long n;

	for (n = 0; failed && n < 100000 && test_now.failures < TEST_COMPLAINTS; n++) {
		struct run run = { NULL, NULL, NULL, NULL, NULL, NULL, NULL };
		long before = memory.live;
		int rc;

		test_note("allocation %ld fails", n + 1);
		memory.failed = false;
		memory.left = n;
		rc = fn(&run, bytes, error);
		memory.left = -1;
		failed = memory.failed;
		if (failed)
			CHECK(rc == -IMALOG_ERR_NOMEM &&
			      imalog_error_code(error) == IMALOG_ERR_NOMEM);
		else
			CHECK_INT(rc, 0);
		imalog_writer_free(&run.writer);
		imalog_replay_free(&run.replay);
		imalog_reader_free(&run.reader);
		imalog_source_free(&run.source);
		imalog_templates_free(&run.templates);
		imalog_hasher_free(&run.hasher);
		imalog_pcrs_free(&run.pcrs);
		CHECK_INT(memory.live, before);
	}
	CHECK(n > 2); /* or nothing was wrapped */
	imalog_error_free(&error);
}

static void sweep_file(run_fn fn, const char *path)
{
	struct bytes bytes = bytes_of_file(path);

	sweep(fn, span_of_bytes(bytes));
	bytes_free(&bytes);
}

TEST(replay_of_binary_lists)
{
	sweep_file(replay_run, "rig/evmsig/binary_runtime_measurements_sha1");
	sweep_file(replay_run, "rig/violations/binary_runtime_measurements_sha384");
	sweep_file(replay_run, "rig/legacy/binary_runtime_measurements_sha256");
}

TEST(replay_of_ascii_lists)
{
	struct bytes bytes = bytes_of_file("rig/sig/ascii_runtime_measurements_sha256");

	sweep_file(replay_run, "rig/names/ascii_runtime_measurements_sha256");
	sweep(replay_run, span_of_bytes(bytes));
	/* The last line lacks its newline: want of memory is no cut line. */
	sweep(replay_run, span_of(bytes.data, bytes.size - 1));
	bytes_free(&bytes);
}

/* A digest of an algorithm that needs memory first is not one that OpenSSL lacks. */
TEST(lists_of_other_algorithms)
{
	static const char *const evps[] = { "SHA3-256", "SHA3-384", "SHA512" };
	static const size_t sizes[] = { 32, 48, 64 };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(evps); i++) {
		struct build list = { .order = IMALOG_ORDER_LE }, data = list;

		put_d_ng(&data, 3);
		put_name(&data, "/some/name");
		put_record_over(&list, "ima-ng", built(&data), evps[i], sizes[i],
				built(&data));
		sweep(replay_run, built(&list));
		sweep(convert_run, built(&list));
		build_free(&data);
		build_free(&list);
	}
}

TEST(records_that_must_be_turned)
{
	struct build list = { .order = IMALOG_ORDER_LE };

	for (size_t i = 0; i < 3 * GOLDEN; i++) {
		struct build one = golden_list(i % GOLDEN, 0, i & 1);

		put(&list, one.data, one.size);
		build_free(&one);
	}
	sweep(replay_run, built(&list));
	sweep(convert_run, built(&list));
	build_free(&list);
}

TEST(records_of_many_blocks)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct bytes buf = bytes_new(200000);

	memset(buf.data, 1, buf.size);
	for (int i = 0; i < 3; i++) {
		struct build data = { .order = IMALOG_ORDER_LE };

		put_d_ng(&data, 3);
		put_name(&data, "/some/name");
		put_field(&data, buf.data, buf.size);
		put_record_over(&list, "ima-buf", built(&data), "SHA1", 20, built(&data));
		put_ng(&list, 0, "/violation");
		build_free(&data);
	}
	sweep(replay_run, built(&list));
	sweep(convert_run, built(&list));
	bytes_free(&buf);
	build_free(&list);
}

TEST(conversion_of_lists)
{
	sweep_file(convert_run, "rig/sig/binary_runtime_measurements_sha1");
	sweep_file(convert_run, "rig/names/ascii_runtime_measurements_sha1");
}

static int keep(void *arg, const void *data, size_t size)
{
	put(arg, data, size);
	return 0;
}

/* From each encoding to each other, and replayed; what jansson allocates is not touched. */
TEST(event_logs)
{
	static const enum imalog_format formats[] = {
		IMALOG_FORMAT_CEL_TLV,
		IMALOG_FORMAT_CEL_JSON,
#ifdef HAVE_LIBCBOR
		IMALOG_FORMAT_CEL_CBOR,
#endif
	};
	static const char *const paths[] = { "rig/buf/binary_runtime_measurements_sha256",
					     "rig/ng/binary_bios_measurements" };

	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(formats); i++) {
		struct build cel = { .order = IMALOG_ORDER_LE };
		struct imalog_writer *writer = imalog_writer_new(
			formats[i / 2], IMALOG_ORDER_AUTO, keep, &cel);
		struct bytes list = bytes_of_file(paths[i % 2]);
		struct log log = log_open(span_of_bytes(list));

		imalog_writer_set_sequence(writer);
		while (log_next(&log) > 0)
			CHECK_INT(imalog_writer_put(writer, log.record, NULL), 0);
		log_close(&log);
		imalog_writer_free(&writer);
		cel_format = formats[i / 2];
		sweep(cel_run, span_of_bytes(list));
		for (size_t to = 0; to < IMALOG_ARRAY_SIZE(formats); to++) {
			cel_format = formats[to];
			sweep(cel_run, built(&cel));
		}
		if (i % 2 == 0)
			sweep(replay_run, built(&cel));
		bytes_free(&list);
		build_free(&cel);
	}
}

TEST(values_and_templates)
{
	sweep_file(pcrs_run, "rig/ng/pcrs.yaml");
	sweep_file(pcrs_run, "rig/ng/quote-10-11.pcrs");
	sweep(templates_run, span_of(NULL, 0));
	memory.left = 0;
	CHECK(!imalog_error_new());
	memory.left = -1;
}

TEST_MAIN(CASE(replay_of_binary_lists), CASE(replay_of_ascii_lists),
	  CASE(lists_of_other_algorithms), CASE(records_that_must_be_turned),
	  CASE(records_of_many_blocks), CASE(conversion_of_lists),
	  CASE(event_logs), CASE(values_and_templates))
