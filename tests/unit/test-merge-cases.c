// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/merge*.c: doubts of the store, pieces in several forms, limits, and one pass over the
 * data.  read(2) is wrapped to count.
 */
#include <sys/resource.h>

#include "merge.h"

static uint64_t bytes_read;

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);

ssize_t __wrap_read(int fd, void *to, size_t size)
{
	ssize_t n = __real_read(fd, to, size);

	bytes_read += n > 0 ? (uint64_t)n : 0;
	return n;
}

/* ---- a segment that may begin with the one before ---- */

/* The store counted the second as new; @text is what was really measured. */
static void merge_doubt(const char *text, size_t repeats, bool anchored)
{
	/* What the store has: both segments, one behind the other */
	struct bytes stored = log_of("abVVVVc"), real = log_of(text);
	struct parsed log = parse_log(span_of_bytes(stored));
	struct parsed truth = parse_log(span_of_bytes(real));
	struct trial trial;

	test_note("%s", text);
	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 2);
	receipt_of(&log, 2, 2, 4);
	write_receipt(receipts_path, &log,
		      (struct receipt_text){ .segment = 3, .from = 4, .to = 7, .may_repeat = 2 });
	trial_init(&trial);
	trial_add(&trial, recs_of(&log, 4, 7), "third");
	trial_add(&trial, recs_of(&log, 2, 4), "second");
	trial_add(&trial, recs_of(&log, 0, 2), "first");
	imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
	if (anchored)
		trial_expect(&trial, &truth, truth.nr);
	trial_run(&trial);
	CHECK_RESULT(&trial, anchored ? IMALOG_MERGE_PROVED : IMALOG_MERGE_RECEIPTS);
	CHECK_MEM(built(&trial.out), span_of_bytes(anchored ? real : stored));
	CHECK_INT(imalog_plan_skip(imalog_merge_plan(trial.merge), 2), anchored ? repeats : 0);
	CHECK(anchored || trial_says(&trial, IMALOG_MERGE_OTHER, "both are kept"));
	trial_free(&trial);
	parsed_free(&log);
	parsed_free(&truth);
	bytes_free(&stored);
	bytes_free(&real);
}

TEST(only_an_anchor_tells_whether_a_segment_repeats)
{
	merge_doubt("abVVVVc", 0, true);
	merge_doubt("abVVc", 2, true);
	merge_doubt("abVVc", 2, false);
}

TEST(what_is_later_than_the_anchor_stays_doubtful)
{
	struct bytes stored = log_of("aVV");
	struct parsed log = parse_log(span_of_bytes(stored));
	struct trial trial;

	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 1);
	receipt_of(&log, 2, 1, 2);
	write_receipt(receipts_path, &log,
		      (struct receipt_text){ .segment = 3, .from = 2, .to = 3, .may_repeat = 2 });
	trial_init(&trial);
	for (size_t i = 0; i < 3; i++)
		trial_add(&trial, recs_of(&log, i, i + 1), "x");
	imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
	trial_expect(&trial, &log, 2);
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_AMBIGUOUS);
	CHECK(imalog_merge_candidate(trial.merge, 1) != NULL);
	CHECK(imalog_merge_candidate(trial.merge, 2) == NULL);
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&stored);
}

TEST(a_segment_that_the_store_dropped_is_left_out)
{
	struct bytes bytes = log_of("abcde");
	struct parsed log = parse_log(span_of_bytes(bytes));

	for (int with_piece = 0; with_piece < 2; with_piece++) {
		struct trial trial;

		empty_receipts_dir(false);
		receipt_of(&log, 1, 0, 2);
		write_receipt(receipts_path, &log,
			      (struct receipt_text){
				      .segment = 2, .from = 2, .to = 3, .state = "dropped" });
		receipt_of(&log, 3, 2, 5);
		trial_init(&trial);
		trial_add(&trial, recs_of(&log, 0, 2), "one");
		if (with_piece)
			trial_add(&trial, recs_of(&log, 2, 3), "dropped");
		trial_add(&trial, recs_of(&log, 2, 5), "three");
		imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
		trial_expect(&trial, &log, 5);
		trial_run(&trial);
		CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
		CHECK_MEM(built(&trial.out), log.bytes);
		CHECK_INT(trial.merge->notes.nr, with_piece);
		trial_free(&trial);
	}
	parsed_free(&log);
	bytes_free(&bytes);
}

/* ---- receipts that lie ---- */

TEST(records_that_receipts_call_the_same_must_be)
{
	struct bytes bytes = log_of("abcde"), other = log_of("abcxe");
	struct parsed log = parse_log(span_of_bytes(bytes));
	struct parsed other_log = parse_log(span_of_bytes(other));
	struct trial trial;

	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 4);
	receipt_of(&other_log, 2, 3, 5);
	trial_init(&trial);
	trial_add(&trial, recs_of(&log, 0, 4), "one");
	trial_add(&trial, recs_of(&other_log, 3, 5), "two");
	imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
	CHECK(trial_says(&trial, IMALOG_MERGE_EDITED, "and has others"));
	trial_free(&trial);
	parsed_free(&log);
	parsed_free(&other_log);
	bytes_free(&bytes);
	bytes_free(&other);
}

TEST(receipts_of_a_wrong_order_do_not_keep_the_anchor_from_finding_the_right_one)
{
	struct bytes bytes = log_of("abcde");
	struct parsed log = parse_log(span_of_bytes(bytes));
	struct trial trial;

	/* They say that the second comes first. */
	empty_receipts_dir(false);
	write_receipt(receipts_path, &log,
		      (struct receipt_text){
			      .segment = 1, .from = 2, .to = 5, .shift = (size_t)-2 });
	write_receipt(receipts_path, &log,
		      (struct receipt_text){ .segment = 2, .from = 0, .to = 2, .shift = 3 });
	trial_init(&trial);
	trial_add(&trial, recs_of(&log, 0, 2), "one");
	trial_add(&trial, recs_of(&log, 2, 5), "two");
	imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
	trial_expect(&trial, &log, 5);
	trial_run(&trial);
	CHECK(trial.result != IMALOG_MERGE_PROVED);
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&bytes);
}

TEST(a_receipt_that_is_none_does_not_spoil_the_others)
{
	struct bytes bytes = log_of("abcde");
	struct parsed log = parse_log(span_of_bytes(bytes));
	struct trial trial;
	char path[512];
	FILE *file;

	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 2);
	snprintf(path, sizeof(path), "%s/00000002.json", receipts_path);
	file = fopen(path, "w");
	if (!file)
		BAIL_OUT("cannot write '%s'", path);
	fputs("{\"version\": 1", file);
	fclose(file);
	trial_init(&trial);
	trial_add(&trial, recs_of(&log, 2, 5), "two");
	trial_add(&trial, recs_of(&log, 0, 2), "one");
	CHECK_INT(imalog_merge_add_receipts(trial.merge, receipts_path, trial.error), 1);
	trial_expect(&trial, &log, 5);
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
	CHECK_MEM(built(&trial.out), log.bytes);
	CHECK(trial_says(&trial, IMALOG_MERGE_OTHER, "00000002.json cannot be read"));
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&bytes);
}

/* ---- several forms ---- */

/* The second half of a rig's log in another form, by itself and by its receipt's values */
static void merge_forms(const char *other, bool with_receipts)
{
	struct bytes sha1 = bytes_of_file("rig/ng/binary_runtime_measurements_sha1");
	struct bytes all = bytes_of_file(other);
	struct parsed log = parse_log(span_of_bytes(sha1));
	struct imalog_span rest = span_of_bytes(all);
	struct trial trial;

	test_note("%s", other);
	/* As many records again are the whole list: from the first on, it has all. */
	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 20);
	receipt_of(&log, 2, 0, 45);
	trial_init(&trial);
	trial_add(&trial, rest, "other");
	trial_add(&trial, recs_of(&log, 0, 20), "sha1");
	if (with_receipts)
		imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
	trial_expect(&trial, &log, 45);
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
	if (with_receipts)
		CHECK_MEM(built(&trial.out), log.bytes);
	CHECK_INT(imalog_replay_records(imalog_merge_replay(trial.merge)), 45);
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&sha1);
	bytes_free(&all);
}

TEST(pieces_may_be_of_several_forms)
{
	static const char *const others[] = {
		"rig/ng/binary_runtime_measurements_sha256",
		"rig/ng/binary_runtime_measurements_sha384",
		"rig/ng/ascii_runtime_measurements_sha1",
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(others); i++) {
		merge_forms(others[i], false);
		merge_forms(others[i], true);
	}
}

/* ---- limits ---- */

TEST(more_loose_pieces_than_can_be_tried_are_refused)
{
	struct bytes bytes = log_of("abcdefghi");
	struct parsed log = parse_log(span_of_bytes(bytes));
	struct trial trial;

	trial_init(&trial);
	for (size_t i = 0; i < 9; i++)
		trial_add(&trial, recs_of(&log, i, i + 1), "x");
	trial_expect(&trial, &log, 9);
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_TOO_MANY);
	CHECK_INT(trial.out.size, 0);
	trial_free(&trial);

	/* And what takes too long */
	trial_init(&trial);
	for (size_t i = 0; i < 8; i++)
		trial_add(&trial, recs_of(&log, i, i + 1), "x");
	trial_expect(&trial, &log, 9);
	trial.merge->work_max = 1000;
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_TOO_MANY);
	CHECK(trial_says(&trial, IMALOG_MERGE_OTHER, "exceeds its limit"));
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&bytes);
}

TEST(without_pieces_there_is_nothing_to_merge)
{
	struct trial trial;

	trial_init(&trial);
	CHECK_ERROR(trial.error,
		    imalog_merge_run(trial.merge, &trial.result, trial.error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(trial.error,
		    imalog_merge_add_file(trial.merge, "/dev/null", trial.error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(trial.error, imalog_merge_add_file(trial.merge, "/no/file", trial.error),
		    IMALOG_ERR_OS, 0, 0, "");
	CHECK_ERROR(trial.error,
		    imalog_merge_add_receipts(trial.merge, "/no/file", trial.error),
		    IMALOG_ERR_OS, 0, 0, "");
	CHECK_ERROR(trial.error, imalog_merge_add_receipts(trial.merge, "/proc", trial.error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	trial_free(&trial);
}

/* ---- one pass ---- */

/* Segments of a long log in a directory, with their receipts */
struct long_log {
	char dir[288];
	size_t segments, records;
	uint64_t bytes;
	struct values values;
};

static void segment_path(const struct long_log *log, size_t i, char path[512])
{
	/* Names in another order than the segments */
	snprintf(path, 512, "%s/%04zu", log->dir, (i * 7919 + 13) % log->segments);
}

/* Every tenth is a violation, the same as all others; @extra: bytes of its name */
static void put_record(struct build *list, size_t number, size_t extra)
{
	struct build data = { .order = IMALOG_ORDER_LE };
	uint8_t field[40] = "sha256:";
	char name[2048];

	if (number % 10)
		memcpy(field + 8, &number, sizeof(number));
	snprintf(name, sizeof(name), "/bin/file-%08zu-%0*d", number % 10 ? number : 0,
		 (int)extra, 0);
	put_field(&data, field, sizeof(field));
	put_name(&data, name);
	put_record_over(list, "ima-ng", built(&data), number % 10 ? "SHA1" : NULL, 20,
			built(&data));
	build_free(&data);
}

static void print_long_receipt(const struct long_log *log, size_t i,
			       const struct values *before, struct imalog_span bytes)
{
	size_t records = log->records / log->segments;
	char path[512], hex[65];
	uint8_t sum[32];
	FILE *file;

	hash_of("SHA256", bytes, sum);
	hex_of(sum, 32, hex);
	snprintf(path, sizeof(path), "%s/%08zu.json", receipts_path, i + 1);
	file = fopen(path, "w");
	if (!file)
		BAIL_OUT("cannot write '%s'", path);
	fprintf(file,
		"{\"version\": 1, \"segment\": %zu, \"state\": \"committed\", "
		"\"first_record\": %zu, \"records\": %zu, \"bytes\": %zu, \"violations\": 1, "
		"\"sha256\": \"%s\",\n",
		i + 1, i * records + 1, records, bytes.size, hex);
	print_state(file, "before", before);
	print_state(file, "after", &log->values);
	fprintf(file, "\"previous\": \"%064d\", \"verdict\": \"not-checked\"}\n", 0);
	fclose(file);
}

static void write_segment(struct long_log *log, size_t i)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	size_t records = log->records / log->segments;
	struct values before = log->values;
	struct parsed parsed;
	char path[512];
	FILE *file;

	/* A size of its own, so that it need not be read to be told apart */
	for (size_t r = 0; r < records; r++)
		put_record(&list, i * records + r, r == 1 ? i + 1 : 1);
	parsed = parse_log(built(&list));
	for (size_t r = 0; r < parsed.nr; r++)
		extend_values(&log->values, &parsed.recs[r]);
	segment_path(log, i, path);
	file = fopen(path, "wb");
	if (!file || fwrite(list.data, 1, list.size, file) != list.size || fclose(file) != 0)
		BAIL_OUT("cannot write '%s'", path);
	log->bytes += list.size;
	print_long_receipt(log, i, &before, built(&list));
	parsed_free(&parsed);
	build_free(&list);
}

static int count_write(void *arg, const void *data, size_t size)
{
	(void)data;
	*(uint64_t *)arg += size;
	return 0;
}

static int count_restart(void *arg)
{
	*(uint64_t *)arg = 0;
	return 0;
}

static long peak_kilobytes(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static void merge_long(const struct long_log *log)
{
	uint64_t written = 0, before;
	struct trial trial;

	trial_init(&trial);
	for (size_t i = 0; i < log->segments; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%04zu", log->dir, i);
		CHECK_INT(imalog_merge_add_file(trial.merge, path, trial.error), 0);
	}
	CHECK_INT(imalog_merge_add_receipts(trial.merge, receipts_path, trial.error),
		  log->segments);
	trial.anchored = true;
	trial.anchor = log->values;
	imalog_merge_set_anchor(trial.merge, trial_prepare, &trial);
	imalog_merge_set_output(trial.merge, IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE, count_write,
				count_restart, &written);
	before = bytes_read;
	trial.rc = imalog_merge_run(trial.merge, &trial.result, trial.error);
	CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
	CHECK_INT(written, log->bytes);
	CHECK_INT(bytes_read - before, log->bytes);
	printf("# %zu segments, %zu records: %llu of %llu bytes read, %ld kilobytes in use\n",
	       log->segments, log->records, (unsigned long long)(bytes_read - before),
	       (unsigned long long)log->bytes, peak_kilobytes());
	trial_free(&trial);
}

static void remove_segments(const struct long_log *log)
{
	for (size_t i = 0; i < log->segments; i++) {
		char path[512];

		segment_path(log, i, path);
		unlink(path);
	}
	rmdir(log->dir);
}

static void merge_long_log(size_t segments, size_t records)
{
	struct long_log log = { .segments = segments, .records = records };
	long before;

	empty_receipts_dir(false);
	snprintf(log.dir, sizeof(log.dir), "%s-segments", receipts_path);
	if (mkdir(log.dir, 0700) != 0)
		BAIL_OUT("cannot make '%s'", log.dir);
	for (size_t i = 0; i < segments; i++)
		write_segment(&log, i);
	before = peak_kilobytes();
	merge_long(&log);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
	CHECK(peak_kilobytes() - before < 16 * 1024);
#else
	CHECK(before > 0);
#endif
	remove_segments(&log);
}

TEST(a_long_log_takes_no_more_memory)
{
	bool is_long = test_step(2) == 1;

	merge_long_log(is_long ? 1000 : 20, is_long ? 5000000 : 20000);
}

int main(int argc, char **argv)
{
	static const struct test_case tests[] = {
		CASE(only_an_anchor_tells_whether_a_segment_repeats),
		CASE(what_is_later_than_the_anchor_stays_doubtful),
		CASE(a_segment_that_the_store_dropped_is_left_out),
		CASE(records_that_receipts_call_the_same_must_be),
		CASE(receipts_of_a_wrong_order_do_not_keep_the_anchor_from_finding_the_right_one),
		CASE(a_receipt_that_is_none_does_not_spoil_the_others),
		CASE(pieces_may_be_of_several_forms),
		CASE(more_loose_pieces_than_can_be_tried_are_refused),
		CASE(without_pieces_there_is_nothing_to_merge),
		CASE(a_long_log_takes_no_more_memory),
	};
	int rc;

	make_receipts_dir();
	rc = test_all(tests, IMALOG_ARRAY_SIZE(tests), argc, argv);
	empty_receipts_dir(true);
	return rc;
}
