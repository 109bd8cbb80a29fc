// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/detect.c: digest size, algorithm and byte order, told by records and never guessed.
 */
#include "log.h"

static const enum imalog_order orders[] = { IMALOG_ORDER_LE, IMALOG_ORDER_BE };

/* Every algorithm of a bank: what the digests of a list can be */
static const struct {
	enum imalog_alg alg;
	const char *evp;
	size_t size;
} algs[] = {
	{ IMALOG_ALG_SHA1, "SHA1", 20 },	 { IMALOG_ALG_SHA256, "SHA256", 32 },
	{ IMALOG_ALG_SHA384, "SHA384", 48 },	 { IMALOG_ALG_SHA512, "SHA512", 64 },
	{ IMALOG_ALG_SM3, "SM3", 32 },		 { IMALOG_ALG_SHA3_256, "SHA3-256", 32 },
	{ IMALOG_ALG_SHA3_384, "SHA3-384", 48 }, { IMALOG_ALG_SHA3_512, "SHA3-512", 64 },
};

static bool openssl_has(const char *evp)
{
	uint8_t out[IMALOG_DIGEST_MAX];
	size_t size;

	return EVP_Q_digest(NULL, evp, NULL, "", 0, out, &size);
}

/* A record of ima-ng; @evp NULL: a violation, "": a digest that is wrong */
static void put_some(struct build *list, const char *evp, size_t size, uint8_t fill)
{
	struct build data = { .order = list->order };
	bool wrong = evp && !*evp;

	put_d_ng(&data, fill);
	put_name(&data, "/usr/bin/some");
	put_record_over(list, "ima-ng", built(&data), wrong ? "SHA1" : evp, size,
			built(&data));
	if (wrong)
		list->data[list->size - data.size - 14 - size]++;
	build_free(&data);
}

static void check_layout(const struct log *log, enum imalog_order order, size_t size,
			 enum imalog_alg alg, bool proved)
{
	CHECK_INT(imalog_reader_order(log->reader), order);
	CHECK_INT(imalog_reader_digest_size(log->reader), size);
	CHECK_INT(imalog_reader_digest_alg(log->reader), alg);
	CHECK_INT(imalog_reader_layout_proved(log->reader), proved);
}

TEST(every_algorithm_in_both_orders)
{
	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(algs); i++) {
		struct build list = { .order = orders[i % 2] };
		enum imalog_alg alg = IMALOG_ALG_NONE;
		struct log log;

		if (!openssl_has(algs[i / 2].evp))
			continue;
		test_note("%s, order %d", algs[i / 2].evp, list.order);
		for (uint8_t n = 1; n < 4; n++)
			put_some(&list, algs[i / 2].evp, algs[i / 2].size, n);
		log = log_open(built(&list));
		for (int n = 0; n < 3; n++)
			CHECK_INT(log_next(&log), 1);
		check_layout(&log, list.order, algs[i / 2].size, algs[i / 2].alg, true);
		imalog_record_digest(log.record, 0, &alg);
		CHECK_INT(alg, algs[i / 2].alg);
		CHECK_INT(imalog_record_order(log.record), list.order);
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&list);
	}
}

/* A bank that the kernel cannot compute has a column of SHA-1 digests padded with zeros. */
TEST(padded_sha1_columns)
{
	static const size_t sizes[] = { 32, 48, 64 };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(sizes); i++) {
		struct build list = { .order = IMALOG_ORDER_LE };
		struct log log;

		test_note("%zu bytes", sizes[i]);
		put_some(&list, "SHA1", sizes[i], 1);
		put_some(&list, "SHA1", sizes[i], 2);
		log = log_open(built(&list));
		CHECK_INT(log_next(&log), 1);
		CHECK_INT(log_next(&log), 1);
		CHECK_INT(imalog_reader_digest_size(log.reader), sizes[i]);
		CHECK(imalog_reader_layout_proved(log.reader));
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&list);
	}
}

/* A canonicalized list of a big-endian machine: little-endian, digests over the other
 * order */
TEST(canonicalized_list)
{
	struct build data = { .order = IMALOG_ORDER_LE },
		     hashed = { .order = IMALOG_ORDER_BE },
		     list = { .order = IMALOG_ORDER_LE };
	struct log log;

	for (int i = 0; i < 2; i++) {
		put_d_ng(i ? &hashed : &data, 5);
		put_name(i ? &hashed : &data, "/bin/x");
	}
	put_record_over(&list, "ima-ng", built(&data), "SHA256", 32, built(&hashed));
	log = log_open(built(&list));
	CHECK_INT(log_next(&log), 1);
	check_layout(&log, IMALOG_ORDER_LE, 32, IMALOG_ALG_SHA256, true);
	CHECK_INT(imalog_record_order(log.record), IMALOG_ORDER_LE);
	log_close(&log);
	build_free(&list);
	build_free(&hashed);
	build_free(&data);
}

TEST(bad_digests_before_a_good_one)
{
	for (size_t i = 0; i < 4; i++) {
		struct build list = { .order = IMALOG_ORDER_LE };
		struct log log;

		test_note("%s", algs[i].evp);
		for (uint8_t n = 1; n < 30; n++)
			put_some(&list, n % 3 ? "" : NULL, algs[i].size, n);
		put_some(&list, algs[i].evp, algs[i].size, 30);
		log = log_open(built(&list));
		CHECK_INT(log_next(&log), 1);
		check_layout(&log, IMALOG_ORDER_LE, algs[i].size, algs[i].alg, true);
		log_close(&log);
		build_free(&list);
	}
}

/* Nothing proves them, but no other layout can be: 1 to 400 records, more than are looked
 * at. */
TEST(only_possible_layout)
{
	static const int counts[] = { 1, 2, 3, 255, 256, 257, 400 };

	for (size_t i = 0; i < 4 * 2 * 2 * IMALOG_ARRAY_SIZE(counts); i++) {
		struct build list = { .order = orders[i % 2] };
		const char *kind = i / 2 % 2 ? "" : NULL;
		size_t alg = i / 4 % 4;
		struct log log;
		uint64_t count;

		test_note("%d %s, %zu bytes, order %d", counts[i / 16],
			  kind ? "bad" : "violations", algs[alg].size, list.order);
		for (int n = 0; n < counts[i / 16]; n++)
			put_some(&list, kind, algs[alg].size, 9);
		log = log_open(built(&list));
		CHECK_INT(log_drain(&log, &count), 0);
		CHECK_INT(count, counts[i / 16]);
		check_layout(&log, list.order, algs[alg].size, algs[alg].alg, false);
		log_close(&log);
		build_free(&list);
	}
}

/*
 * One record that is clean with digests of 20 bytes and with 32: its name, as the first
 * has it, holds the size of a name and the name that the second has.
 */
static struct build two_ways(void)
{
	struct build list = { .order = IMALOG_ORDER_LE };

	put_int(&list, 10);
	for (int i = 0; i < 20; i++)
		put_uint(&list, 1, 0x80 + (unsigned int)i);
	put_int(&list, 20); /* 20: size of the name; 32: in the digest */
	put_text(&list, "-unknown");
	put_int(&list, 4); /* 32: size of the name */
	put_text(&list, "none");
	put_int(&list, 8); /* 32: size of the data */
	put_int(&list, 4); /* 20: size of the data */
	put_text(&list, "data");
	return list;
}

TEST(undecidable_list)
{
	struct build list = two_ways();
	size_t sizes[] = { 20, 32 };

	CHECK_BAD(built(&list), IMALOG_ERR_AMBIGUOUS, 1, 0, "");
	for (size_t i = 0; i < 2; i++) {
		struct log log = log_open(built(&list));

		test_note("%zu bytes said", sizes[i]);
		CHECK_INT(imalog_reader_set_digest_size(log.reader, sizes[i]), 0);
		CHECK_INT(log_next(&log), 1);
		CHECK_INT(imalog_record_digest(log.record, 0, NULL).size, sizes[i]);
		CHECK_INT(imalog_record_template(log.record).size,
			  sizes[i] == 20 ? 20 : 4);
		CHECK(!imalog_reader_layout_proved(log.reader));
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
	}
	build_free(&list);
}

/* A good record behind it decides. */
TEST(undecidable_start)
{
	for (size_t i = 0; i < 2; i++) {
		struct build list = two_ways();
		struct log log;

		put_some(&list, algs[i].evp, algs[i].size, 3);
		log = log_open(built(&list));
		CHECK_INT(log_next(&log), 1);
		check_layout(&log, IMALOG_ORDER_LE, algs[i].size, algs[i].alg, true);
		CHECK_INT(log_next(&log), 1);
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		build_free(&list);
	}
}

TEST(layout_that_is_said)
{
	struct build list = { .order = IMALOG_ORDER_BE };
	struct log log;

	put_some(&list, "SHA256", 32, 3);
	log = log_open(built(&list));
	imalog_reader_set_order(log.reader, IMALOG_ORDER_BE);
	CHECK_INT(imalog_reader_set_digest_size(log.reader, 32), 0);
	CHECK_INT(log_next(&log), 1);
	check_layout(&log, IMALOG_ORDER_BE, 32, IMALOG_ALG_SHA256, true);
	log_close(&log);
	log = log_open(built(&list));
	imalog_reader_set_order(log.reader, IMALOG_ORDER_LE);
	CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_BAD_VALUE, 1, 0, "PCR");
	log_close(&log);
	log = log_open(built(&list));
	CHECK_INT(imalog_reader_set_digest_size(log.reader, 48), 0);
	CHECK_INT(log_next(&log), -IMALOG_ERR_LIMIT);
	log_close(&log);
	build_free(&list);
}

TEST(sizes_that_can_be_said)
{
	struct log log = log_open(span_of("", 0));

	for (size_t size = 0; size < 80; size++) {
		bool good = size == 0 || size == 20 || size == 32 || size == 48 ||
			    size == 64;

		test_note("%zu", size);
		CHECK_INT(imalog_reader_set_digest_size(log.reader, size),
			  good ? 0 : -IMALOG_ERR_INVALID);
	}
	log_close(&log);
}

/* A first record that is larger than what is looked at in the beginning */
TEST(large_first_record)
{
	static const size_t sizes[] = { 60000, 65536, 70000, 200000, 1 << 20 };

	for (size_t i = 0; i < 4 * IMALOG_ARRAY_SIZE(sizes); i++) {
		struct build list = { .order = IMALOG_ORDER_LE }, data = list;
		struct bytes buf = bytes_new(sizes[i / 4]);
		struct log log;

		test_note("%s, %zu bytes", algs[i % 4].evp, buf.size);
		memset(buf.data, 0x0a, buf.size);
		put_d_ng(&data, 3);
		put_name(&data, "kexec-cmdline");
		put_field(&data, buf.data, buf.size);
		put_record_over(&list, "ima-buf", built(&data), algs[i % 4].evp,
				algs[i % 4].size, built(&data));
		put_some(&list, algs[i % 4].evp, algs[i % 4].size, 3);
		log = log_open(built(&list));
		CHECK_INT(log_next(&log), 1);
		check_layout(&log, IMALOG_ORDER_LE, algs[i % 4].size, algs[i % 4].alg,
			     true);
		CHECK_INT(log_next(&log), 1);
		CHECK_INT(log_next(&log), 0);
		log_close(&log);
		bytes_free(&buf);
		build_free(&data);
		build_free(&list);
	}
}

/* The only record is malformed: what is wrong is said of the layout that it seems to
 * have. */
TEST(malformed_only_record)
{
	static const struct {
		const char *name;
		uint32_t said;
		const char *data;
		enum imalog_code code;
		const char *field;
	} all[] = {
		{ "ima-ng", 11, "ffffffff 00000000000000", IMALOG_ERR_BAD_LENGTH,
		  "d-ng" },
		{ "ima-ng", 2, "0000", IMALOG_ERR_BAD_LENGTH, "d-ng" },
		{ "ima-ng", 9, "00000000 00000000 00", IMALOG_ERR_TRAILING,
		  "template data" },
		{ "ima-ng", UINT32_MAX, "00000000", IMALOG_ERR_LIMIT,
		  "template data size" },
		{ "ima-sig", 8, "00000000 00000000", IMALOG_ERR_BAD_LENGTH, "sig" },
		{ "ima-sig", 80, "00000000 00000000", IMALOG_ERR_TRUNCATED,
		  "template data" },
	};

	for (size_t i = 0; i < 2 * 4 * IMALOG_ARRAY_SIZE(all); i++) {
		struct build list = { .order = orders[i % 2] };
		size_t row = i / 8;

		test_note("%s %s, %zu bytes, order %d", all[row].name, all[row].data,
			  algs[i / 2 % 4].size, list.order);
		put_int(&list, 10);
		for (size_t n = 0; n < algs[i / 2 % 4].size; n++)
			put_uint(&list, 1, 0xc0 + n);
		put_int(&list, (uint32_t)strlen(all[row].name));
		put_text(&list, all[row].name);
		put_int(&list, all[row].said);
		put_hex(&list, all[row].data);
		CHECK_BAD(built(&list), all[row].code, 1, 0, all[row].field);
		build_free(&list);
	}
}

TEST_MAIN(CASE(every_algorithm_in_both_orders), CASE(padded_sha1_columns),
	  CASE(canonicalized_list), CASE(bad_digests_before_a_good_one),
	  CASE(only_possible_layout), CASE(undecidable_list), CASE(undecidable_start),
	  CASE(layout_that_is_said), CASE(sizes_that_can_be_said),
	  CASE(large_first_record), CASE(malformed_only_record))
