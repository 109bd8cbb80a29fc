// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/reader.c: every real list whole, cut at every byte and read in small pieces;
 * records that are held; what is no list at all.
 */
#include "log.h"
#include "slow.h"

/* Where the records of a list start, and its end */
struct starts {
	size_t at[128];
	size_t nr;
};

static struct starts starts_of(struct imalog_span list, size_t digest_size)
{
	struct starts starts = { .nr = 0 };
	size_t at = 0;

	/* Without the library: sizes as the format has them */
	while (at < list.size && starts.nr < 127) {
		uint32_t name, data;
		bool ima;

		starts.at[starts.nr++] = at;
		memcpy(&name, list.data + at + 4 + digest_size, 4);
		name = le32toh(name);
		at += 8 + digest_size + name;
		ima = name == 3;
		memcpy(&data, list.data + at + (ima ? 20 : 0), 4);
		at += (ima ? 24 : 4) + le32toh(data);
	}
	starts.at[starts.nr] = at;
	return starts;
}

TEST(real_lists)
{
	for (size_t i = 0; i < RIGS * BANKS; i++) {
		const struct rig *rig = &rigs[i / BANKS];
		const struct bank *bank = &banks[i % BANKS];
		struct bytes list;
		struct starts starts;
		struct log log;
		size_t violations = 0;

		if (!rig_list(rig, bank, "binary", &list))
			continue;
		starts = starts_of(span_of_bytes(list), bank->size);
		CHECK_INT(starts.nr, rig->records);
		log = log_open(span_of_bytes(list));
		for (size_t n = 0; n < starts.nr; n++) {
			REQUIRE(CHECK_INT(log_next(&log), 1));
			CHECK_INT(imalog_record_number(log.record), n + 1);
			CHECK_INT(imalog_record_offset(log.record), starts.at[n]);
			CHECK_MEM(imalog_record_raw(log.record),
				  span_of(list.data + starts.at[n],
					  starts.at[n + 1] - starts.at[n]));
			violations += imalog_record_is_violation(log.record);
			imalog_reader_release(log.reader, n + 1);
			CHECK(!log.reader->oldest);
		}
		CHECK_INT(log_next(&log), 0);
		/* An end is no failure, of which something would be said. */
		CHECK_ERROR(log.error, 0, IMALOG_OK, 0, 0, "");
		CHECK_INT(violations, rig->violations);
		CHECK_INT(imalog_reader_digest_alg(log.reader), bank->alg);
		CHECK_INT(imalog_reader_digest_size(log.reader), bank->size);
		CHECK_INT(imalog_reader_order(log.reader), IMALOG_ORDER_LE);
		CHECK(imalog_reader_layout_proved(log.reader));
		log_close(&log);
		bytes_free(&list);
	}
}

/* Cut at @size: the records before, then the end, or that the one that is cut is cut. */
static void check_cut(const struct bytes *list, const struct starts *starts, size_t size,
		      bool sha1)
{
	struct bytes cut = bytes_copy(list->data, size);
	struct log log = log_open(span_of_bytes(cut));
	uint64_t whole = 0, count;
	int rc = log_drain(&log, &count);

	while (whole < starts->nr && starts->at[whole + 1] <= size)
		whole++;
	CHECK_INT(count, whole);
	if (starts->at[whole] == size)
		CHECK_INT(rc, 0);
	else if (whole > 0 || sha1)
		CHECK(rc == -IMALOG_ERR_TRUNCATED &&
		      imalog_error_code(log.error) == IMALOG_ERR_TRUNCATED &&
		      imalog_error_record(log.error) == whole + 1 &&
		      imalog_error_offset(log.error) == starts->at[whole]);
	else /* in the first record, where nothing tells the size of digests yet */
		CHECK(rc < 0 && rc > -100);
	log_close(&log);
	bytes_free(&cut);
}

static void check_cuts(const char *path, const struct bytes *list, size_t digest_size)
{
	struct starts starts = starts_of(span_of_bytes(*list), digest_size);
	size_t step = test_step(digest_size == 20 ? 3 : 13);

	CHECK_INT(starts.at[starts.nr], list->size);
	for (size_t size = 0; size <= list->size; size += size < 400 ? 1 : step) {
		test_note("%s cut at %zu", path, size);
		check_cut(list, &starts, size, digest_size == 20);
	}
	for (size_t n = 0; n <= starts.nr; n++)
		check_cut(list, &starts, starts.at[n], digest_size == 20);
}

TEST(real_lists_cut_at_every_byte)
{
	for (size_t i = 0; i < RIGS * BANKS; i++) {
		const struct bank *bank = &banks[i % BANKS];
		struct bytes list;

		if (!rig_list(&rigs[i / BANKS], bank, "binary", &list))
			continue;
		check_cuts(rigs[i / BANKS].dir, &list, bank->size);
		bytes_free(&list);
	}
}

TEST(lists_of_staging_cut_at_every_byte)
{
	static const char *const lists[] = {
		"three-stages-and-trim/stage1",
		"three-stages-and-trim/stage2",
		"three-stages-and-trim/stage3",
		"three-stages-and-trim/list-before-trim",
		"three-stages-and-trim/trim4",
		"three-stages-and-trim/list-after-trim",
		"three-stages-and-trim/list-at-end",
		"kexec-with-staged/before-staged",
		"kexec-with-staged/before-list",
		"kexec-with-staged/after-list",
	};

	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(lists); i++) {
		const struct bank *bank = &banks[i % 2];
		struct bytes list;
		char path[128];

		snprintf(path, sizeof(path), "staging/%s.%s", lists[i / 2], bank->name);
		list = bytes_of_file(path);
		check_cuts(path, &list, bank->size);
		bytes_free(&list);
	}
}

/* ---- records that are held while others are read ---- */

struct held {
	const struct imalog_record *record;
	uint8_t digest[IMALOG_DIGEST_MAX];
	struct bytes raw, data, name;
};

static void hold(struct held *held, const struct imalog_record *record)
{
	struct imalog_span raw = imalog_record_raw(record),
			   data = imalog_record_data(record),
			   name = imalog_record_name(record),
			   digest = imalog_record_digest(record, 0, NULL);

	held->record = record;
	held->raw = bytes_copy(raw.data, raw.size);
	held->data = bytes_copy(data.data, data.size);
	held->name = bytes_copy(name.data, name.size);
	memcpy(held->digest, digest.data, digest.size);
}

static void check_held(const struct held *held)
{
	struct imalog_span digest = imalog_record_digest(held->record, 0, NULL);

	CHECK_MEM(imalog_record_raw(held->record), span_of_bytes(held->raw));
	CHECK_MEM(imalog_record_data(held->record), span_of_bytes(held->data));
	CHECK_MEM(imalog_record_name(held->record), span_of_bytes(held->name));
	CHECK_MEM(digest, span_of(held->digest, digest.size));
}

static void let_go(struct held *held)
{
	bytes_free(&held->raw);
	bytes_free(&held->data);
	bytes_free(&held->name);
}

/* Holds the last @depth records or more, and lets go of all others in steps of @step. */
static void read_held(struct log *log, uint64_t records, uint64_t depth, uint64_t step)
{
	struct held *all = calloc(records + 1, sizeof(*all));
	uint64_t released = 0, n = 0;
	int rc;

	while ((rc = log_next(log)) > 0 && n < records) {
		hold(&all[++n], log->record);
		CHECK_INT(imalog_record_number(log->record), n);
		if (n < released + depth + step)
			continue;
		for (uint64_t i = released + 1; i <= n; i++)
			check_held(&all[i]);
		imalog_reader_release(log->reader, released + step);
		for (uint64_t i = released + 1; i <= released + step; i++)
			let_go(&all[i]);
		released += step;
		for (uint64_t i = released + 1; i <= n; i++)
			check_held(&all[i]);
	}
	CHECK_INT(rc, 0);
	CHECK_INT(n, records);
	for (uint64_t i = released + 1; i <= n; i++) {
		check_held(&all[i]);
		let_go(&all[i]);
	}
	free(all);
}

TEST(real_lists_in_small_reads)
{
	static const size_t chunks[] = { 1, 2, 3, 7, 4090 };
	static const char *const encodings[] = { "binary", "ascii" };

	for (size_t i = 0; i < 2 * RIGS * BANKS; i++) {
		const struct rig *rig = &rigs[i / BANKS % RIGS];
		struct bytes list;

		if (!rig_list(rig, &banks[i % BANKS], encodings[i / (RIGS * BANKS)],
			      &list))
			continue;
		for (size_t c = 0; c < IMALOG_ARRAY_SIZE(chunks); c++) {
			struct log log =
				log_on(slow_source(span_of_bytes(list), chunks[c]));

			test_note("%s %s, reads of %zu", rig->dir, banks[i % BANKS].name,
				  chunks[c]);
			slow.interrupts = c == 3;
			read_held(&log, rig->records, 11, 5);
			CHECK(slow.reads >= list.size / chunks[c]);
			log_close(&log);
		}
		bytes_free(&list);
	}
}

/* Many records over many blocks of memory, of both encodings */
static void check_long_list(struct imalog_span list, uint64_t records)
{
	static const uint64_t depths[] = { 1, 2, 128, 1500 };

	for (size_t d = 0; d < IMALOG_ARRAY_SIZE(depths); d++) {
		struct log log = log_open(list);

		test_note("%llu records held", (unsigned long long)depths[d]);
		read_held(&log, records, depths[d], 1 + depths[d] / 3);
		log_close(&log);
	}
}

TEST(records_are_held_over_many_blocks)
{
	struct build list = { .order = IMALOG_ORDER_LE },
		     text = { .order = IMALOG_ORDER_LE };
	struct log log;

	for (uint64_t n = 0; n < 6000; n++) {
		char name[300];

		snprintf(name, sizeof(name), "/%0*llu", (int)(n * 7 % 250) + 1,
			 (unsigned long long)n);
		put_ng(&list, (uint8_t)(n % 255), name); /* with violations */
	}
	check_long_list(built(&list), 6000);
	log = log_open(built(&list));
	while (log_next(&log) > 0) {
		struct imalog_span digest = imalog_record_digest(log.record, 0, NULL),
				   name = imalog_record_name(log.record),
				   data = imalog_record_data(log.record);
		char hex[41], file[65];

		for (int i = 0; i < 20; i++)
			sprintf(hex + 2 * i, "%02x", digest.data[i]);
		for (int i = 0; i < 32; i++)
			sprintf(file + 2 * i, "%02x", data.data[12 + i]);
		put_text(&text, "10 ");
		put_text(&text, hex);
		put_text(&text, " ima-ng sha256:");
		put_text(&text, file);
		put_text(&text, " ");
		put(&text, name.data, name.size);
		put_text(&text, "\n");
		imalog_reader_release(log.reader, imalog_record_number(log.record));
	}
	log_close(&log);
	check_long_list(built(&text), 6000);
	build_free(&text);
	build_free(&list);
}

/* ---- what is no list ---- */

TEST(no_bytes_at_all)
{
	static const enum imalog_format formats[] = { IMALOG_FORMAT_AUTO,
						      IMALOG_FORMAT_KERNEL,
						      IMALOG_FORMAT_ASCII };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(formats); i++) {
		struct log log = log_open(span_of("", 0));

		imalog_reader_set_format(log.reader, formats[i]);
		CHECK_INT(log_next(&log), 0);
		CHECK_INT(log_next(&log), 0);
		CHECK_INT(imalog_reader_digest_size(log.reader), 0);
		log_close(&log);
	}
}

TEST(what_is_no_list)
{
	static const char *const texts[] = { "a: 1\n",	 "\177ELF\2\1\1",
					     "hello, world\n",	 "PCR-10: 00\n",
					     "\xff\xff\xff\xff", "\n\n\n\n\n" };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(texts); i++) {
		struct bytes bytes = bytes_copy(texts[i], strlen(texts[i]));

		test_note("'%s'", texts[i]);
		CHECK_BAD(span_of_bytes(bytes), IMALOG_ERR_BAD_FORMAT, 1, 0, "");
		bytes_free(&bytes);
	}
}

TEST(fewer_bytes_than_a_number)
{
	static const char *const texts[] = {
		"\x0a", "\x0a\0", "\x0a\0\0", "1", "10", " 8"
	};
	static const size_t sizes[] = { 1, 2, 3, 1, 2, 2 };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(texts); i++) {
		struct bytes bytes = bytes_copy(texts[i], sizes[i]);

		test_note("number %zu", i);
		CHECK_BAD(span_of_bytes(bytes), IMALOG_ERR_TRUNCATED, 1, 0, "PCR");
		bytes_free(&bytes);
	}
}

TEST(said_format_is_believed)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct log log;

	put_ng(&list, 1, "/a");
	log = log_open(built(&list));
	imalog_reader_set_format(log.reader, IMALOG_FORMAT_ASCII);
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_BAD_VALUE, 1, 0, "PCR");
	log_close(&log);
	log = log_open(span_of("10 0102 ima-ng\n", 15));
	imalog_reader_set_format(log.reader, IMALOG_FORMAT_KERNEL);
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_BAD_VALUE, 1, 0, "PCR");
	log_close(&log);
	build_free(&list);
}

TEST(reading_fails)
{
	struct bytes list = bytes_of_file("rig/ng/binary_runtime_measurements_sha1");
	struct starts starts = starts_of(span_of_bytes(list), 20);
	size_t places[] = { 0, 1, starts.at[1], list.size - 1, list.size };

	/* What has been read already is handed out: all of it is in one block here. */
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(places); i++) {
		struct log log = log_on(slow_source(span_of_bytes(list), 1));
		uint64_t count;
		int rc;

		test_note("after %zu bytes", places[i]);
		slow.fail_errno = EIO;
		slow.fail_at = places[i];
		rc = log_drain(&log, &count);
		CHECK_ERROR(log.error, rc, IMALOG_ERR_OS, 1, 0, "");
		CHECK_INT(imalog_error_os_errno(log.error), EIO);
		CHECK_STR(imalog_error_source(log.error), "slow");
		slow.fail_errno = 0; /* and so it stays */
		CHECK_INT(log_next(&log), -IMALOG_ERR_OS);
		log_close(&log);
	}
	bytes_free(&list);
}

TEST(names_of_formats)
{
	CHECK_INT(imalog_format_by_name("auto"), IMALOG_FORMAT_AUTO);
	CHECK_INT(imalog_format_by_name("kernel"), IMALOG_FORMAT_KERNEL);
	CHECK_INT(imalog_format_by_name("ascii"), IMALOG_FORMAT_ASCII);
	CHECK_INT(imalog_format_by_name("cel"), -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_format_by_name(""), -IMALOG_ERR_INVALID);
	CHECK_STR(imalog_format_name(IMALOG_FORMAT_KERNEL), "kernel");
	CHECK_STR(imalog_format_name(IMALOG_FORMAT_ASCII), "ascii");
	CHECK_STR(imalog_format_name((enum imalog_format)77), "auto");
}

TEST(freeing)
{
	struct imalog_reader *none = NULL;
	struct bytes list = bytes_of_file("rig/ng/binary_runtime_measurements_sha1");
	struct log log = log_open(span_of_bytes(list));

	imalog_reader_free(&none);
	imalog_reader_free(NULL);
	/* with records that were never released, and too much released */
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(log_next(&log), 1);
	imalog_reader_release(log.reader, UINT64_MAX);
	CHECK_INT(log_next(&log), 1);
	log_close(&log);
	CHECK(!log.reader);
	bytes_free(&list);
}

TEST_MAIN(CASE(real_lists), CASE(real_lists_cut_at_every_byte),
	  CASE(lists_of_staging_cut_at_every_byte), CASE(real_lists_in_small_reads),
	  CASE(records_are_held_over_many_blocks), CASE(no_bytes_at_all),
	  CASE(what_is_no_list), CASE(fewer_bytes_than_a_number),
	  CASE(said_format_is_believed), CASE(reading_fails), CASE(names_of_formats),
	  CASE(freeing))
