// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/ascii.c: names with newlines, which the kernel does not escape, and other long
 * lines. */
#include <time.h>

#include "log.h"
#include "slow.h"

/* A line of the ascii list whose SHA-1 digest is right; fields behind the name in @rest */
static void put_line(struct build *text, const char *template, const char *name,
		     size_t name_size, struct imalog_span buf)
{
	struct build data = { .order = IMALOG_ORDER_LE };
	uint8_t digest[20];
	char hex[3];

	put_d_ng(&data, 0xab);
	put_int(&data, (uint32_t)name_size + 1);
	put(&data, name, name_size);
	put(&data, "", 1);
	if (buf.data)
		put_field(&data, buf.data, buf.size);
	hash_of("SHA1", built(&data), digest);
	put_text(text, "10 ");
	for (int i = 0; i < 20; i++) {
		snprintf(hex, sizeof(hex), "%02x", digest[i]);
		put_text(text, hex);
	}
	put_text(text, " ");
	put_text(text, template);
	put_text(text, " sha256:");
	for (int i = 0; i < 32; i++)
		put_text(text, "ab");
	put_text(text, " ");
	put(text, name, name_size);
	for (size_t i = 0; i < buf.size; i++) {
		snprintf(hex, sizeof(hex), "%02x", buf.data[i]);
		if (i == 0)
			put_text(text, " ");
		put_text(text, hex);
	}
	put_text(text, "\n");
	build_free(&data);
}

static int next_fit(struct log *log, struct imalog_hasher *hasher)
{
	int rc = log_next(log);

	return rc > 0 ? imalog_record_verify(log->record, hasher, log->error) : rc;
}

TEST(names_of_the_real_list)
{
	struct bytes names = bytes_of_file("rig/names/names.nul"), list;
	size_t found = 0, all = 0;

	for (size_t at = 0; at < names.size; all++) {
		const char *name = (const char *)names.data + at;
		size_t size = strlen(name);
		struct log log;

		rig_list(&rigs[7], &banks[0], "ascii", &list);
		log = log_open(span_of_bytes(list));
		while (log_next(&log) > 0) {
			struct imalog_span is = imalog_record_name(log.record);
			bool same = is.size == size;

			/* The kernel measures a blank as "_". */
			for (size_t i = 0; i < size && same; i++)
				same = is.data[i] ==
				       (name[i] == ' ' ? '_' : (uint8_t)name[i]);
			if (!same)
				continue;
			found++;
			break;
		}
		log_close(&log);
		bytes_free(&list);
		at += size + 1;
	}
	CHECK_INT(all, 21);
	CHECK_INT(found, all - 1); /* one had been deleted when it was measured */
	bytes_free(&names);
}

/* A line that hashes, inside a name */
#define FAKE_LINE                                                    \
	"/fake\n10 72410098093b957bf7139cbd86488ad96dfe8c11 ima-ng " \
	"sha256:202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f /bin/a"

TEST(names_with_newlines)
{
	static const char *const names[] = {
		"/a\nb",
		"\n",
		"\n\n",
		"/a\n",
		"\n/a",
		"/a\n\n\nb",
		"/a\n10 0123\nb",
		"/fake\n10 0000000000000000000000000000000000000000 ima-ng sha256:00 /etc/passwd",
		FAKE_LINE,
	};
	struct imalog_hasher *hasher = imalog_hasher_new();

	for (size_t i = 0; i < 3 * IMALOG_ARRAY_SIZE(names); i++) {
		struct build text = { .order = IMALOG_ORDER_LE };
		char name[256];
		struct imalog_span sig = { (const uint8_t *)"\3\2\4",
					   i % 3 == 2 ? 3 : 0 };
		struct log log;

		strcpy(name, names[i / 3]);
		if (i % 3 == 0)
			sig.data = NULL;
		/* The kernel measures blanks as "_"; before a field they could not be
		 * told. */
		for (char *c = name; *c && i % 3; c++)
			*c = *c == ' ' ? '_' : *c;
		test_note("name %zu, kind %zu", i / 3, i % 3);
		for (int n = 0; n < 3; n++) {
			put_line(&text, i % 3 ? "ima-sig" : "ima-ng", name, strlen(name),
				 sig);
			if (i % 3 == 1) { /* no signature: an empty field */
				text.size--;
				put_text(&text, " \n");
			}
		}
		log = log_open(built(&text));
		for (int n = 0; n < 3; n++) {
			if (!CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_YES))
				break;
			CHECK_MEM(imalog_record_name(log.record), imalog_span_of(name));
			CHECK_INT(imalog_record_offset(log.record),
				  text.size / 3 * (size_t)n);
			CHECK_INT(imalog_record_raw(log.record).size, text.size / 3);
		}
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&text);
	}
	imalog_hasher_free(&hasher);
}

/* Of very many newlines in one name the reader gives up, but goes on behind. */
TEST(many_newlines)
{
	static const size_t counts[] = { 1, 10, 63, 64, 65, 200 };
	struct imalog_hasher *hasher = imalog_hasher_new();
	char name[400];

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(counts); i++) {
		struct build text = { .order = IMALOG_ORDER_LE };
		struct log log;

		test_note("%zu newlines", counts[i]);
		for (size_t k = 0; k < 2 * counts[i]; k++)
			name[k] = k % 2 ? '\n' : 'a';
		put_line(&text, "ima-ng", name, 2 * counts[i], span_of(NULL, 0));
		put_line(&text, "ima-ng", "/b", 2, span_of(NULL, 0));
		log = log_open(built(&text));
		if (counts[i] <= 64) {
			CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_YES);
			CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_YES);
			CHECK_INT(log_next(&log), 0);
		} else {
			CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_NO);
			CHECK_INT(log_next(&log), -IMALOG_ERR_BAD_VALUE);
		}
		log_close(&log);
		build_free(&text);
	}
	imalog_hasher_free(&hasher);
}

/* As long as a path can be, with newlines far apart and close together */
TEST(long_names)
{
	static const size_t steps[] = { 65, 100, 1000, 2047, 4094 };
	struct imalog_hasher *hasher = imalog_hasher_new();
	char name[4095];

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(steps); i++) {
		struct build text = { .order = IMALOG_ORDER_LE };
		struct log log;

		test_note("a newline every %zu bytes", steps[i]);
		for (size_t k = 0; k < sizeof(name); k++)
			name[k] = k % steps[i] == steps[i] - 1 ? '\n' : 'a';
		put_line(&text, "ima-ng", name, sizeof(name), span_of(NULL, 0));
		put_line(&text, "ima-sig", name, sizeof(name), span_of("\3", 1));
		log = log_open(built(&text));
		CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_YES);
		CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_YES);
		CHECK_INT(imalog_record_name(log.record).size, sizeof(name));
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&text);
	}
	imalog_hasher_free(&hasher);
}

/* Whole records before the cut are whole; the cut is an end of lines or in one. */
TEST(real_list_cut_at_every_byte)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	size_t ends[128] = { 0 }, nr = 0;
	struct bytes list;
	struct log whole;

	rig_list(&rigs[7], &banks[0], "ascii", &list);
	whole = log_open(span_of_bytes(list));
	while (log_next(&whole) > 0 && nr < 127) {
		ends[nr + 1] = ends[nr] + imalog_record_raw(whole.record).size;
		nr++;
	}
	log_close(&whole);
	CHECK_INT(nr, rigs[7].records);
	for (size_t size = 4; size <= list.size; size += test_step(3)) {
		struct bytes cut = bytes_copy(list.data, size);
		struct log log = log_open(span_of_bytes(cut));
		size_t n = 0;
		int rc;

		test_note("cut at %zu", size);
		for (; ends[n + 1] <= size && n < nr; n++)
			CHECK(next_fit(&log, hasher) >= 0);
		CHECK_INT(imalog_reader_format(log.reader), n ? IMALOG_FORMAT_ASCII : 0);
		while ((rc = log_next(&log)) > 0)
			;
		if (ends[n] == size)
			CHECK_INT(rc, 0);
		else
			CHECK(rc == 0 || rc == -IMALOG_ERR_TRUNCATED);
		if (list.data[size - 1] != '\n' && list.data[size] != '\n')
			CHECK_INT(rc, -IMALOG_ERR_TRUNCATED);
		log_close(&log);
		bytes_free(&cut);
	}
	bytes_free(&list);
	imalog_hasher_free(&hasher);
}

/* The window moves while the lines of a name are joined. */
TEST(large_lines_with_newlines)
{
	static const size_t sizes[] = { 10000, 32700, 65000, 70000, 140000, 600000 };
	struct imalog_hasher *hasher = imalog_hasher_new();

	for (size_t i = 0; i < 3 * IMALOG_ARRAY_SIZE(sizes); i++) {
		struct build text = { .order = IMALOG_ORDER_LE };
		struct bytes buf = bytes_new(sizes[i / 3]);
		struct log log;

		test_note("%zu bytes", buf.size);
		memset(buf.data, 0x5a, buf.size);
		for (size_t n = 0; n < 3; n++) {
			put_line(&text, "ima-buf", "k\ne\ny", 5, span_of_bytes(buf));
			put_line(&text, "ima-ng", "/x\ny", 4, span_of(NULL, 0));
		}
		log = i % 3 ? log_on(slow_source(built(&text),
						 i % 3 == 1 ? 4090 : 50000)) :
			      log_open(built(&text));
		for (size_t n = 0; n < 6; n++) {
			struct imalog_span name;

			if (!CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_YES))
				break;
			name = imalog_record_name(log.record);
			CHECK_MEM(name, imalog_span_of(n % 2 ? "/x\ny" : "k\ne\ny"));
			if (n % 2 == 0)
				CHECK_MEM(imalog_record_field_data(log.record, 2),
					  span_of_bytes(buf));
			CHECK_INT(imalog_record_template(log.record).size, n % 2 ? 6 : 7);
			if (i / 3 % 2)
				imalog_reader_release(log.reader, n + 1);
		}
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		bytes_free(&buf);
		build_free(&text);
	}
	imalog_hasher_free(&hasher);
}

/* A line without an end is given up at a limit, not read to the end of the machine. */
TEST(endless_line)
{
	size_t size = (size_t)80 << 20;
	struct bytes text = bytes_new(size);
	struct log log;

	memset(text.data, 'a', size);
	memcpy(text.data, "10 ", 3);
	log = log_open(span_of_bytes(text));
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_LIMIT, 1, 0, "line");
	CHECK(imalog_source_offset(log.source) < size);
	log_close(&log);
	bytes_free(&text);
}

/* ---- lists that are wrong throughout ---- */

/* A line that does not hash, with this many digits of a buffer */
static void put_misfit(struct build *text, size_t digits)
{
	struct build line = { .order = IMALOG_ORDER_LE };
	struct bytes buf = bytes_new(digits / 2);

	memset(buf.data, 0x5a, buf.size);
	put_line(&line, digits ? "ima-buf" : "ima-ng", "/a", 2, span_of_bytes(buf));
	line.data[3] = line.data[3] == '0' ? '1' : '0';
	put(text, line.data, line.size);
	build_free(&line);
	bytes_free(&buf);
}

static size_t room_of(const struct imalog_arena *arena)
{
	size_t room = 0;

	for (const struct imalog_block *block = arena->oldest; block; block = block->next)
		room += block->size;
	return room;
}

/* Reads all lines, none of which fits; the most memory that the reader had for them */
static size_t read_misfits(struct imalog_span text, uint64_t count)
{
	struct log log = log_open(text);
	size_t peak = 0;
	uint64_t nr = 0;

	while (log_next(&log) > 0) {
		size_t room = room_of(&log.reader->rebuilt) +
			      room_of(&log.reader->window.arena);

		CHECK_INT(log.record->fit, IMALOG_FIT_NO);
		peak = room > peak ? room : peak;
		imalog_reader_release(log.reader, ++nr);
	}
	CHECK_INT(nr, count);
	CHECK(log.reader->join_waste < (uint64_t)12 << 20);
	log_close(&log);
	return peak;
}

TEST(many_lines_that_do_not_hash)
{
	struct build text = { .order = IMALOG_ORDER_LE };
	clock_t begun = clock();

	for (int i = 0; i < 10000; i++)
		put_misfit(&text, 0);
	CHECK(read_misfits(built(&text), 10000) < (size_t)1 << 20);
	/* A fraction of a second, but not where a sanitizer or valgrind counts along */
	CHECK((clock() - begun) / CLOCKS_PER_SEC < 30);
	build_free(&text);
}

/* The long line is rebuilt once, not with each of the others. */
TEST(long_line_among_those)
{
	size_t digits = (size_t)2 << 20;

	for (int before = 0; before <= 70; before += 35) {
		struct build text = { .order = IMALOG_ORDER_LE };

		test_note("%d lines before", before);
		for (int i = 0; i < 71; i++)
			put_misfit(&text, i == before ? digits : 0);
		CHECK(read_misfits(built(&text), 71) < 16 * digits);
		build_free(&text);
	}
}

/* Behind a few lines that do not hash, names are joined as ever. */
TEST(names_behind_misfits)
{
	struct build text = { .order = IMALOG_ORDER_LE };
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct log log;

	for (int i = 0; i < 20; i++)
		put_misfit(&text, 0);
	put_line(&text, "ima-ng", "/a\n/b", 5, span_of(NULL, 0));
	log = log_open(built(&text));
	for (int i = 0; i < 20; i++)
		CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_NO);
	CHECK_INT(next_fit(&log, hasher), IMALOG_FIT_YES);
	CHECK_MEM(imalog_record_name(log.record), imalog_span_of("/a\n/b"));
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	build_free(&text);
	imalog_hasher_free(&hasher);
}

TEST_MAIN(CASE(names_of_the_real_list), CASE(names_with_newlines), CASE(many_newlines),
	  CASE(long_names), CASE(real_list_cut_at_every_byte),
	  CASE(large_lines_with_newlines), CASE(endless_line),
	  CASE(many_lines_that_do_not_hash), CASE(long_line_among_those),
	  CASE(names_behind_misfits))
