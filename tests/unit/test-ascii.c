// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/ascii.c: lines give the bytes that the binary list has, or say that they do not. */
#include "golden.h"

#define ZEROS "0000000000000000000000000000000000000000"
/* A good line: the first of golden.h */
#define GOOD_DIGEST "72410098093b957bf7139cbd86488ad96dfe8c11"
#define FILE_DIGEST \
	"sha256:202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define GOOD	   "10 " GOOD_DIGEST " ima-ng " FILE_DIGEST " /bin/a\n"
#define BAD_DIGEST "10 0123456789012345678901234567890123456789 "

static struct log open_text(const char *text, struct bytes *exact)
{
	*exact = bytes_copy(text, strlen(text));
	return log_open(span_of_bytes(*exact));
}

/* The result of verifying the next record */
static int fit_of_next(struct log *log)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	int rc = log_next(log);

	if (rc > 0)
		rc = imalog_record_verify(log->record, hasher, log->error);
	imalog_hasher_free(&hasher);
	return rc;
}

static void check_same(const struct log *ascii, const struct log *binary)
{
	const struct imalog_record *a = ascii->record, *b = binary->record;
	enum imalog_alg a_alg, b_alg;

	CHECK_INT(imalog_record_pcr(a), imalog_record_pcr(b));
	CHECK_INT(imalog_record_content(a), IMALOG_CONTENT_TEMPLATE);
	CHECK_INT(imalog_record_is_violation(a), imalog_record_is_violation(b));
	CHECK_MEM(imalog_record_template(a), imalog_record_template(b));
	CHECK_MEM(imalog_record_data(a), imalog_record_data(b));
	CHECK_MEM(imalog_record_name(a), imalog_record_name(b));
	CHECK_INT(imalog_record_order(a), imalog_record_order(b));
	CHECK_MEM(imalog_record_digest(a, 0, &a_alg), imalog_record_digest(b, 0, &b_alg));
	CHECK_INT(a_alg, b_alg);
	if (!CHECK_INT(imalog_record_fields(a), imalog_record_fields(b)))
		return;
	for (size_t i = 0; i < imalog_record_fields(a); i++) {
		CHECK_INT(imalog_record_field_id(a, i), imalog_record_field_id(b, i));
		CHECK_MEM(imalog_record_field_data(a, i), imalog_record_field_data(b, i));
	}
}

TEST(real_lists_are_the_binary_ones)
{
	for (size_t i = 0; i < RIGS * BANKS; i++) {
		struct bytes text, list;
		struct log ascii, binary;
		size_t at = 0;

		if (!rig_list(&rigs[i / BANKS], &banks[i % BANKS], "ascii", &text))
			continue;
		rig_list(&rigs[i / BANKS], &banks[i % BANKS], "binary", &list);
		ascii = log_open(span_of_bytes(text));
		binary = log_open(span_of_bytes(list));
		for (size_t n = 0; n < rigs[i / BANKS].records; n++) {
			struct imalog_span raw;

			if (!CHECK_INT(log_next(&ascii), 1) ||
			    !CHECK_INT(log_next(&binary), 1))
				break;
			check_same(&ascii, &binary);
			CHECK_INT(imalog_record_number(ascii.record), n + 1);
			CHECK_INT(imalog_record_offset(ascii.record), at);
			raw = imalog_record_raw(ascii.record);
			CHECK_MEM(raw, span_of(text.data + at, raw.size));
			at += raw.size;
		}
		CHECK_INT(log_next(&ascii), 0);
		CHECK_INT(at, text.size);
		CHECK_INT(imalog_reader_format(ascii.reader), IMALOG_FORMAT_ASCII);
		CHECK_INT(imalog_reader_digest_alg(ascii.reader), banks[i % BANKS].alg);
		CHECK_INT(imalog_reader_digest_size(ascii.reader), banks[i % BANKS].size);
		CHECK(imalog_reader_layout_proved(ascii.reader));
		log_close(&binary);
		log_close(&ascii);
		bytes_free(&list);
		bytes_free(&text);
	}
}

/* Lines of both kinds of machines, with digests over the one or the other order */
TEST(every_template)
{
	for (size_t i = 0; i < 2 * GOLDEN; i++) {
		const struct golden *g = &golden[i / 2];
		bool be = i % 2;
		struct build text = { .order = IMALOG_ORDER_LE };
		struct log log;

		test_note("%s, digest over order %d", g->template, be);
		put_text(&text, " 9 ");
		put_text(&text, g->digests[be].sha1);
		put_text(&text, " ");
		put_text(&text, g->template);
		put_text(&text, " ");
		put_text(&text, g->text);
		put_text(&text, "\n");
		log = log_open(built(&text));
		if (CHECK_INT(fit_of_next(&log), IMALOG_FIT_YES)) {
			CHECK_HEX(imalog_record_data(log.record), g->data[0]);
			CHECK_INT(imalog_record_pcr(log.record), 9);
			CHECK_INT(imalog_record_hash_order(log.record),
				  be ? IMALOG_ORDER_BE : IMALOG_ORDER_LE);
		}
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&text);
	}
}

/* xattrlengths is shown as its bytes: on a big-endian machine they are big-endian. */
TEST(line_of_a_big_endian_machine)
{
	struct bytes exact;
	struct log log = open_text(
		"10 810c7568b1491754d94c2ab5ae05967ea82a4563 evm-sig "
		"sha1:606162636465666768696a6b6c6d6e6f70717273 /e 0502 "
		"security.ima|security.selinux 0000000200000003 0404aabbcc 1000 4294836225 33188\n",
		&exact);

	CHECK_INT(fit_of_next(&log), IMALOG_FIT_YES);
	CHECK_INT(imalog_record_order(log.record), IMALOG_ORDER_BE);
	CHECK_INT(imalog_record_hash_order(log.record), IMALOG_ORDER_BE);
	CHECK_HEX(imalog_record_data(log.record), golden[6].data[1]);
	log_close(&log);
	bytes_free(&exact);
}

static void check_fit(const char *text, int fit, const char *data)
{
	struct bytes exact;
	struct log log = open_text(text, &exact);

	test_note("'%.60s'", text);
	CHECK_INT(fit_of_next(&log), fit);
	if (fit > 0)
		CHECK_HEX(imalog_record_data(log.record), data);
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	bytes_free(&exact);
}

TEST(template_ima)
{
	/* hashlib: 20 or 16 bytes of digest, "/abc" and 252 zeros */
	check_fit("10 1e3f8c3f6b4d8e1d8d7f0b0c2d3e4f5061728394 ima "
		  "606162636465666768696a6b6c6d6e6f70717273 /abc\n",
		  IMALOG_FIT_NO,
		  "606162636465666768696a6b6c6d6e6f70717273 04000000 2f616263");
	check_fit(
		"10 d488d95ba5592487193d02396399bd684d2ab89d ima "
		"606162636465666768696a6b6c6d6e6f70717273 /abc\n",
		IMALOG_FIT_YES,
		"606162636465666768696a6b6c6d6e6f70717273 04000000 2f616263");
	check_fit(
		"10 f7030d42ef039e7e972c921d8f0d00285af92b67 ima 606162636465666768696a6b6c6d6e6f /abc\n",
		IMALOG_FIT_YES, "606162636465666768696a6b6c6d6e6f 04000000 2f616263");
}

TEST(padded_sha1_columns)
{
	static const char *const zeros[] = { "", "000000000000000000000000",
					     ZEROS "0000000000000000",
					     ZEROS ZEROS "00000000" };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(zeros); i++) {
		char text[512];

		snprintf(text, sizeof(text),
			 "10 " GOOD_DIGEST "%s ima-ng " FILE_DIGEST " /bin/a\n",
			 zeros[i]);
		check_fit(text, IMALOG_FIT_YES, golden[0].data[0]);
	}
}

/* ---- lines that are none ---- */

TEST(malformed_lines)
{
	static const struct {
		const char *line;
		enum imalog_code code;
		const char *field;
	} all[] = {
		{ "", IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "hello", IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "64 " GOOD_DIGEST " ima-ng " FILE_DIGEST " /a", IMALOG_ERR_BAD_VALUE,
		  "PCR" },
		{ "1x " GOOD_DIGEST " ima-ng " FILE_DIGEST " /a", IMALOG_ERR_BAD_VALUE,
		  "PCR" },
		{ "-1 " GOOD_DIGEST " ima-ng " FILE_DIGEST " /a", IMALOG_ERR_BAD_VALUE,
		  "PCR" },
		{ "4294967306 " GOOD_DIGEST " ima-ng " FILE_DIGEST " /a",
		  IMALOG_ERR_BAD_VALUE, "PCR" },
		{ "10", IMALOG_ERR_BAD_LENGTH, "template digest" },
		{ "10 ", IMALOG_ERR_BAD_LENGTH, "template digest" },
		{ "10  " GOOD_DIGEST " ima-ng " FILE_DIGEST " /a", IMALOG_ERR_BAD_LENGTH,
		  "template digest" },
		{ "10 00112233 ima-ng " FILE_DIGEST " /a", IMALOG_ERR_BAD_LENGTH,
		  "template digest" },
		{ "10 " GOOD_DIGEST "0 ima-ng " FILE_DIGEST " /a", IMALOG_ERR_BAD_LENGTH,
		  "template digest" },
		{ "10 x0123456789012345678901234567890123456789 ima-ng " FILE_DIGEST
		  " /a",
		  IMALOG_ERR_BAD_LENGTH, "template digest" },
		{ "10 x123456789012345678901234567890123456789 ima-ng " FILE_DIGEST " /a",
		  IMALOG_ERR_BAD_VALUE, "template digest" },
		{ "10 " GOOD_DIGEST, IMALOG_ERR_BAD_LENGTH, "template name" },
		{ "10 " GOOD_DIGEST " ", IMALOG_ERR_BAD_LENGTH, "template name" },
		{ "10 " GOOD_DIGEST "  ima-ng x", IMALOG_ERR_BAD_LENGTH,
		  "template name" },
		{ BAD_DIGEST "ima-ng sha1:012 /a", IMALOG_ERR_BAD_VALUE, "d-ng" },
		{ BAD_DIGEST "ima-ng sha1:0g /a", IMALOG_ERR_BAD_VALUE, "d-ng" },
		{ BAD_DIGEST "ima-ng hello /a", IMALOG_ERR_BAD_VALUE, "d-ng" },
		{ BAD_DIGEST "ima-sig " FILE_DIGEST " /a 03020", IMALOG_ERR_BAD_VALUE,
		  "sig" },
		{ BAD_DIGEST "ima-sig " FILE_DIGEST " /a b 0302", IMALOG_ERR_BAD_VALUE,
		  "sig" },
		{ BAD_DIGEST "n-ng|iuid /a x", IMALOG_ERR_BAD_VALUE, "iuid" },
		{ BAD_DIGEST "n-ng|iuid /a 4294967296", IMALOG_ERR_BAD_VALUE, "iuid" },
		{ BAD_DIGEST "n-ng|imode /a 65536", IMALOG_ERR_BAD_VALUE, "imode" },
		{ BAD_DIGEST "n-ng|imode /a -1", IMALOG_ERR_BAD_VALUE, "imode" },
		{ BAD_DIGEST "n-ng|xattrlengths /a 0", IMALOG_ERR_BAD_VALUE,
		  "xattrlengths" },
		{ BAD_DIGEST "ima " ZEROS " " ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS
			     "0123456789012345",
		  IMALOG_ERR_BAD_LENGTH, "n" },
		{ "10 " ZEROS " ima-ng sha1:0 /a", IMALOG_ERR_BAD_VALUE, "d-ng" },
		/* The binary list cannot hold a digest of another size. */
		{ "10 " ZEROS " ima 0011 /a", IMALOG_ERR_BAD_LENGTH, "d" },
		{ BAD_DIGEST "ima " ZEROS "00 /a", IMALOG_ERR_BAD_LENGTH, "d" },
	};

	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(all); i++) {
		struct build text = { .order = IMALOG_ORDER_LE };

		test_note("'%s'", all[i / 2].line);
		put_text(&text, GOOD);
		put_text(&text, all[i / 2].line);
		put_text(&text, "\n");
		for (int n = 0; i % 2 && n < 70; n++)
			put_text(&text, GOOD);
		CHECK_BAD(built(&text), all[i / 2].code, 2, strlen(GOOD),
			  all[i / 2].field);
		build_free(&text);
	}
}

TEST(long_template_name)
{
	char text[512] = GOOD BAD_DIGEST;
	size_t size = strlen(text);

	for (size_t name = 255; name <= 256; name++) {
		memset(text + size, 'n', name);
		strcpy(text + size + name, " x\n");
		if (name == 256)
			CHECK_BAD(imalog_span_of(text), IMALOG_ERR_BAD_LENGTH, 2,
				  strlen(GOOD), "template name");
		else
			check_fit(text + strlen(GOOD), IMALOG_FIT_UNKNOWN, "");
	}
}

/* Cut anywhere but before the newline of a line that hashes: TRUNCATED */
static void check_cut(const struct bytes *text, size_t size)
{
	struct bytes cut = bytes_copy(text->data, size);
	struct log log = log_open(span_of_bytes(cut));
	uint64_t lines = 0, count;
	size_t start = 0, rest = size;
	bool whole;
	int rc = log_drain(&log, &count);

	for (size_t i = 0; i < size; i++) {
		if (text->data[i] != '\n')
			continue;
		lines++;
		start = i + 1;
	}
	/* Empty last fields leave blanks, without which the line hashes as well. */
	while (rest < text->size && text->data[rest] == ' ')
		rest++;
	whole = start == size || (text->data[rest] == '\n' && size > start + 50);
	if (start < size && whole && memcmp(text->data + start + 3, ZEROS, 40) == 0)
		whole = false; /* nothing tells that a violation is whole */
	if (whole)
		CHECK(rc == 0 && count == lines + (start < size));
	else if (size > 3)
		CHECK_ERROR(log.error, rc, IMALOG_ERR_TRUNCATED, lines + 1, start,
			    "line");
	else
		CHECK_ERROR(log.error, rc, IMALOG_ERR_TRUNCATED, 1, 0, "PCR");
	log_close(&log);
	bytes_free(&cut);
}

TEST(real_lists_cut_at_every_byte)
{
	for (size_t i = 0; i < RIGS * BANKS; i++) {
		struct bytes text;

		/* A name with newlines makes several lines of a record: see below. */
		if (strcmp(rigs[i / BANKS].dir, "names") == 0 ||
		    !rig_list(&rigs[i / BANKS], &banks[i % BANKS], "ascii", &text))
			continue;
		for (size_t size = 0; size <= text.size;
		     size += test_step(size < 500 ? 1 : 17)) {
			test_note("%s %s cut at %zu", rigs[i / BANKS].dir,
				  banks[i % BANKS].name, size);
			check_cut(&text, size);
		}
		for (size_t size = 0; size < text.size; size++)
			if (text.data[size] == '\n')
				check_cut(&text, size);
		bytes_free(&text);
	}
}

TEST(last_newline_is_missing)
{
	struct bytes exact;
	struct log log = open_text(GOOD GOOD, &exact);

	exact.size--;
	log_close(&log);
	log = log_open(span_of_bytes(exact));
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(fit_of_next(&log), IMALOG_FIT_YES);
	CHECK_INT(imalog_record_raw(log.record).size, strlen(GOOD) - 1);
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	bytes_free(&exact);
	CHECK_BAD(imalog_span_of(GOOD BAD_DIGEST "ima-ng " FILE_DIGEST " /x"),
		  IMALOG_ERR_TRUNCATED, 2, strlen(GOOD), "line");
	CHECK_BAD(imalog_span_of(GOOD BAD_DIGEST "what x"), IMALOG_ERR_TRUNCATED, 2,
		  strlen(GOOD), "line");
	CHECK_BAD(imalog_span_of(GOOD "10 " ZEROS " ima-ng " FILE_DIGEST " /x"),
		  IMALOG_ERR_TRUNCATED, 2, strlen(GOOD), "line");
}

/* ---- lines that say too little, or something else than their digest ---- */

TEST(unknown_template)
{
	struct bytes exact;
	struct log log = open_text("10 " GOOD_DIGEST " what some  text \n" GOOD
				   "11 " GOOD_DIGEST " what\n",
				   &exact);
	struct imalog_hasher *hasher = imalog_hasher_new();
	uint8_t out[IMALOG_DIGEST_MAX];

	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_DIGEST_ONLY);
	CHECK_INT(imalog_record_fields(log.record), 0);
	CHECK_MEM(imalog_record_data(log.record), imalog_span_of("some  text "));
	CHECK_INT(imalog_record_verify(log.record, hasher, log.error),
		  IMALOG_FIT_UNKNOWN);
	CHECK_ERROR(log.error,
		    imalog_record_template_digest(log.record, hasher, IMALOG_ALG_SHA1,
						  out, log.error),
		    IMALOG_ERR_UNSUPPORTED, 0, 0, "");
	CHECK_INT(fit_of_next(&log), IMALOG_FIT_YES);
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_record_pcr(log.record), 11);
	CHECK_INT(imalog_record_data(log.record).size, 0);
	CHECK_INT(log_next(&log), 0);
	imalog_hasher_free(&hasher);
	log_close(&log);
	bytes_free(&exact);
}

/* A line that does not hash is a record, and those behind it are theirs. */
TEST(lines_that_do_not_hash)
{
	static const char *const lines[] = {
		BAD_DIGEST "ima-ng " FILE_DIGEST " /bin/a\n",
		"10 " GOOD_DIGEST " ima-ng " FILE_DIGEST " /bin/b\n",
		"10 " GOOD_DIGEST " ima-ng " FILE_DIGEST " /bin/a \n",
		"10 " GOOD_DIGEST " ima-ng " FILE_DIGEST "\n",
		"10 " GOOD_DIGEST " ima-ng\n",
		"10 " GOOD_DIGEST " ima-ng  /bin/a\n",
		"10 " GOOD_DIGEST " ima-ngv2 " FILE_DIGEST " /bin/b\n",
		"10 " GOOD_DIGEST "111111111111111111111111 ima-ng " FILE_DIGEST
		" /bin/a\n",
	};

	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(lines); i++) {
		const char *line = lines[i / 2];
		struct build text = { .order = IMALOG_ORDER_LE };
		enum imalog_alg alg = IMALOG_ALG_NONE;
		struct log log;

		test_note("'%s'", line);
		if (i % 2)
			put_text(&text, GOOD);
		put_text(&text, line);
		put_text(&text, GOOD);
		log = log_open(built(&text));
		if (i % 2)
			CHECK_INT(fit_of_next(&log), IMALOG_FIT_YES);
		CHECK_INT(fit_of_next(&log), IMALOG_FIT_NO);
		CHECK_MEM(imalog_record_raw(log.record), imalog_span_of(line));
		imalog_record_digest(log.record, 0, &alg);
		CHECK_INT(alg, imalog_record_digest(log.record, 0, NULL).size == 20 ?
				       IMALOG_ALG_SHA1 :
				       IMALOG_ALG_SHA256);
		CHECK_INT(fit_of_next(&log), IMALOG_FIT_YES);
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&text);
	}
}

/* A violation has no digest that could tell the algorithm, which must not be left to
 * chance. */
TEST(violation_comes_first)
{
	struct bytes exact;
	struct log log =
		open_text("10 " ZEROS " ima-ng " FILE_DIGEST " /bin/a\n" GOOD, &exact);
	enum imalog_alg alg = (enum imalog_alg)77;

	CHECK_INT(fit_of_next(&log), IMALOG_FIT_UNKNOWN);
	CHECK(imalog_record_is_violation(log.record));
	CHECK_HEX(imalog_record_data(log.record), golden[0].data[0]);
	imalog_record_digest(log.record, 0, &alg);
	CHECK_INT(alg, IMALOG_ALG_SHA1);
	CHECK(!imalog_reader_layout_proved(log.reader));
	CHECK_INT(fit_of_next(&log), IMALOG_FIT_YES);
	CHECK(imalog_reader_layout_proved(log.reader));
	log_close(&log);
	bytes_free(&exact);
}

TEST_MAIN(CASE(real_lists_are_the_binary_ones), CASE(every_template),
	  CASE(line_of_a_big_endian_machine), CASE(template_ima),
	  CASE(padded_sha1_columns), CASE(malformed_lines), CASE(long_template_name),
	  CASE(real_lists_cut_at_every_byte), CASE(last_newline_is_missing),
	  CASE(unknown_template), CASE(lines_that_do_not_hash),
	  CASE(violation_comes_first))
