// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/digest.c: template digests of every template, both byte orders, all kinds of
 * columns. */
#include "golden.h"

/* What record number 1 of a list gives, and the digests that its banks get. */
static void check_record(const struct build *list, enum imalog_order order,
			 enum imalog_order hash_order, const char *sha1,
			 const char *sha256)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct log log = log_open(built(list));
	uint8_t out[IMALOG_DIGEST_MAX];

	if (CHECK_INT(log_next(&log), 1)) {
		CHECK_INT(imalog_record_order(log.record), order);
		CHECK_INT(imalog_record_hash_order(log.record), IMALOG_ORDER_AUTO);
		CHECK_INT(imalog_record_verify(log.record, hasher, log.error),
			  IMALOG_FIT_YES);
		CHECK_INT(imalog_record_hash_order(log.record), hash_order);
		CHECK_INT(imalog_record_template_digest(log.record, hasher,
							IMALOG_ALG_SHA1, out, log.error),
			  0);
		CHECK_HEX(span_of(out, 20), sha1);
		CHECK_INT(imalog_record_template_digest(
				  log.record, hasher, IMALOG_ALG_SHA256, out, log.error),
			  0);
		CHECK_HEX(span_of(out, 32), sha256);
	}
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	imalog_hasher_free(&hasher);
}

/* Lists of either order, with digests over their own order or, canonicalized, the other. */
TEST(every_template_in_every_order)
{
	static const enum imalog_order orders[] = { IMALOG_ORDER_LE, IMALOG_ORDER_BE };

	for (size_t i = 0; i < 4 * GOLDEN; i++) {
		int order = i & 1, hash_order = i >> 1 & 1;
		const struct golden *g = &golden[i / 4];
		struct build list = golden_list(i / 4, order, hash_order);

		test_note("%s, order %d, hash order %d", g->template, order, hash_order);
		check_record(&list, orders[order], orders[hash_order],
			     g->digests[hash_order].sha1, g->digests[hash_order].sha256);
		build_free(&list);
	}
}

/* The name of template `ima` is hashed with zeros up to 256 bytes, its digest of 20
 * or 16. */
TEST(template_ima)
{
	static const struct {
		size_t digest_size, name_size;
		const char *sha1, *sha256;
	} all[] = {
		{ 20, 4, "d488d95ba5592487193d02396399bd684d2ab89d",
		  "782db737e995c5a83e95f1fcc12f9166dbf0abeb7e20d167060649f5a60a7254" },
		{ 20, 255, "7b5662a107de9c36a373e24481049fefa8efc054",
		  "3201c69f24f67b19f3b10246e2c764fef72def87dfccd1abfb11cbff6349dacd" },
		{ 16, 4, "f7030d42ef039e7e972c921d8f0d00285af92b67",
		  "cb767ce48ef4bf1a221649123055ffdb13417505036e94e6a3a15eb89f7782ef" },
		{ 16, 255, "f2bbdeb7bc5fc5de908f9b7eb6b05096b66cde9c",
		  "fd20dca4480a46679f13d7c650cab9cf08b12228cd63437bf99db17198c6c8e1" },
	};

	for (size_t i = 0; i < 2 * IMALOG_ARRAY_SIZE(all); i++) {
		enum imalog_order order = i % 2 ? IMALOG_ORDER_BE : IMALOG_ORDER_LE;
		struct build list = { .order = order };
		size_t row = i / 2;
		char name[256];

		test_note("digest of %zu, name of %zu, order %d", all[row].digest_size,
			  all[row].name_size, order);
		memset(name, 'x', sizeof(name));
		if (all[row].name_size == 4)
			memcpy(name, "/abc", 4);
		put_int(&list, 10);
		put_hex(&list, all[row].sha1);
		put_field(&list, "ima", 3);
		for (size_t n = 0; n < all[row].digest_size; n++)
			put_uint(&list, 1, 0x60 + n);
		put_field(&list, name, all[row].name_size);
		/* Without lengths there is no order. */
		check_record(&list, order, IMALOG_ORDER_AUTO, all[row].sha1,
			     all[row].sha256);
		build_free(&list);
	}
}

/* ---- columns of other algorithms ---- */

static const char *const sha256_of_first =
	"9b0f85910f5bf1f803211c2c91fd7821d7b68d43f38ce48ea469de5750440bc8";
static const char *const sha1_of_first = "72410098093b957bf7139cbd86488ad96dfe8c11";

/* The first golden record with this column, read with this width said */
static struct log with_column(struct build *list, const char *column, size_t width)
{
	struct bytes data = bytes_of_hex(golden[0].data[0]),
		     digest = bytes_of_hex(column);
	static const uint8_t zeros[IMALOG_DIGEST_MAX];
	struct log log;

	*list = (struct build){ .order = IMALOG_ORDER_LE };
	put_int(list, 10);
	put(list, digest.data, digest.size);
	put(list, zeros, width - digest.size);
	put_field(list, "ima-ng", 6);
	put_field(list, data.data, data.size);
	bytes_free(&digest);
	bytes_free(&data);
	log = log_open(built(list));
	CHECK_INT(imalog_reader_set_digest_size(log.reader, width), 0);
	CHECK_INT(log_next(&log), 1);
	return log;
}

static int verify_column(const char *column, size_t width)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct build list;
	struct log log = with_column(&list, column, width);
	int fit = imalog_record_verify(log.record, hasher, log.error);

	/* What the record says of itself has not changed by looking. */
	CHECK_INT(imalog_record_digest(log.record, 0, NULL).size, width);
	log_close(&log);
	build_free(&list);
	imalog_hasher_free(&hasher);
	return fit;
}

TEST(columns_that_fit)
{
	CHECK_INT(verify_column(sha1_of_first, 20), IMALOG_FIT_YES);
	CHECK_INT(verify_column(sha256_of_first, 32), IMALOG_FIT_YES);
	CHECK_INT(verify_column(sha1_of_first, 32), IMALOG_FIT_YES);
	CHECK_INT(verify_column(sha1_of_first, 48), IMALOG_FIT_YES);
	CHECK_INT(verify_column(sha1_of_first, 64), IMALOG_FIT_YES);
}

TEST(columns_that_do_not_fit)
{
	char digest[65];

	/* One digit wrong, anywhere */
	for (size_t i = 0; i < 64; i++) {
		strcpy(digest, sha256_of_first);
		digest[i] = digest[i] == '0' ? '1' : '0';
		test_note("digit %zu", i);
		CHECK_INT(verify_column(digest, 32), IMALOG_FIT_NO);
		if (i >= 40)
			continue;
		strcpy(digest, sha1_of_first);
		digest[i] = digest[i] == '0' ? '1' : '0';
		CHECK_INT(verify_column(digest, 20), IMALOG_FIT_NO);
		CHECK_INT(verify_column(digest, 32), IMALOG_FIT_NO);
	}
	/* Padding that is none, a SHA-256 digest that is cut or padded */
	strcpy(digest, sha1_of_first);
	strcpy(digest + 40, "000000000000000000000001");
	CHECK_INT(verify_column(digest, 32), IMALOG_FIT_NO);
	CHECK_INT(verify_column(sha256_of_first, 48), IMALOG_FIT_NO);
	strcpy(digest, sha256_of_first);
	digest[40] = '\0';
	CHECK_INT(verify_column(digest, 20), IMALOG_FIT_NO);
}

TEST(sha1_that_is_padded)
{
	const uint8_t sha1[20] = { 1, 2, 3 };
	uint8_t column[64] = { 1, 2, 3 };

	for (size_t size = 0; size <= 64; size++) {
		struct bytes exact = bytes_copy(column, size);
		struct imalog_recorded_digest digest = { IMALOG_ALG_NONE,
							 span_of_bytes(exact) };

		test_note("%zu bytes", size);
		CHECK_INT(imalog_digest_is_padded_sha1(&digest, sha1), size > 20);
		if (size > 20) {
			exact.data[size - 1] = 1;
			CHECK(!imalog_digest_is_padded_sha1(&digest, sha1));
		}
		bytes_free(&exact);
	}
}

/* ---- what has no digest to check ---- */

TEST(violations)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct build list = { .order = IMALOG_ORDER_LE };
	uint8_t out[IMALOG_DIGEST_MAX], ones[IMALOG_DIGEST_MAX];
	struct log log;

	memset(ones, 0xff, sizeof(ones));
	put_ng(&list, 1, "/first");
	put_ng(&list, 0, "/violation");
	log = log_open(built(&list));
	CHECK_INT(log_next(&log), 1);
	CHECK(!imalog_record_is_violation(log.record));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK(imalog_record_is_violation(log.record));
	CHECK_INT(imalog_record_verify(log.record, hasher, log.error),
		  IMALOG_FIT_UNKNOWN);
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++) {
		size_t size = imalog_alg_size((enum imalog_alg)alg);

		memset(out, 0, sizeof(out));
		CHECK_INT(imalog_record_template_digest(log.record, hasher,
							(enum imalog_alg)alg, out,
							log.error),
			  0);
		CHECK_MEM(span_of(out, size), span_of(ones, size));
		CHECK(imalog_all_zero(span_of(out + size, sizeof(out) - size)));
	}
	log_close(&log);
	build_free(&list);
	imalog_hasher_free(&hasher);
}

/* A digest field of zeros is no violation: only the template digest says so. */
TEST(file_digest_of_zeros)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct build list = { .order = IMALOG_ORDER_LE },
		     data = { .order = IMALOG_ORDER_LE };
	struct log log;

	put_d_ng(&data, 0);
	put_name(&data, "/o-direct");
	put_record_over(&list, "ima-ng", built(&data), "SHA1", 20, built(&data));
	log = log_open(built(&list));
	CHECK_INT(log_next(&log), 1);
	CHECK(!imalog_record_is_violation(log.record));
	CHECK_INT(imalog_record_verify(log.record, hasher, log.error), IMALOG_FIT_YES);
	log_close(&log);
	build_free(&data);
	build_free(&list);
	imalog_hasher_free(&hasher);
}

TEST(records_that_do_not_fit)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	uint8_t out[IMALOG_DIGEST_MAX];
	struct build list;
	struct log log;

	list = golden_list(1, 0, 0);
	list.data[list.size - 1] ^= 1;
	log = log_open(built(&list));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_verify(log.record, hasher, log.error), IMALOG_FIT_NO);
	CHECK_INT(imalog_record_hash_order(log.record), IMALOG_ORDER_AUTO);
	/* Banks are extended with what the data gives all the same. */
	CHECK_INT(imalog_record_template_digest(log.record, hasher, IMALOG_ALG_SHA1, out,
						NULL),
		  0);
	CHECK(memcmp(out, list.data + 4, 20) != 0);
	CHECK_ERROR(log.error,
		    imalog_record_template_digest(log.record, hasher, IMALOG_ALG_NONE,
						  out, log.error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	log_close(&log);
	build_free(&list);
	imalog_hasher_free(&hasher);
}

/* The fields of an unknown template cannot be turned, its bytes can be hashed. */
TEST(unknown_template)
{
	struct imalog_hasher *hasher = imalog_hasher_new();

	for (int good = 0; good < 2; good++) {
		struct build list = { .order = IMALOG_ORDER_BE };
		struct log log;

		put_record_over(&list, "what", span_of("bytes", 5), "SHA1", 20,
				span_of(good ? "bytes" : "other", 5));
		log = log_open(built(&list));
		imalog_reader_set_order(log.reader, IMALOG_ORDER_BE);
		imalog_reader_set_digest_size(log.reader, 20);
		REQUIRE(CHECK_INT(log_next(&log), 1));
		CHECK_INT(imalog_record_verify(log.record, hasher, log.error),
			  good ? IMALOG_FIT_YES : IMALOG_FIT_NO);
		CHECK_INT(imalog_error_code(log.error),
			  IMALOG_OK); /* no failure either way */
		log_close(&log);
		build_free(&list);
	}
	imalog_hasher_free(&hasher);
}

TEST(real_records_fit)
{
	struct imalog_hasher *hasher = imalog_hasher_new();

	for (size_t i = 0; i < RIGS * BANKS; i++) {
		struct bytes list;
		struct log log;
		size_t fits = 0;

		if (!rig_list(&rigs[i / BANKS], &banks[i % BANKS], "binary", &list))
			continue;
		log = log_open(span_of_bytes(list));
		while (log_next(&log) > 0) {
			int fit = imalog_record_verify(log.record, hasher, log.error);

			CHECK_INT(fit, imalog_record_is_violation(log.record) ?
					       IMALOG_FIT_UNKNOWN :
					       IMALOG_FIT_YES);
			fits += fit == IMALOG_FIT_YES;
			imalog_reader_release(log.reader,
					      imalog_record_number(log.record));
		}
		CHECK_INT(fits, rigs[i / BANKS].records - rigs[i / BANKS].violations);
		log_close(&log);
		bytes_free(&list);
	}
	imalog_hasher_free(&hasher);
}

TEST_MAIN(CASE(every_template_in_every_order), CASE(template_ima), CASE(columns_that_fit),
	  CASE(columns_that_do_not_fit), CASE(sha1_that_is_padded), CASE(violations),
	  CASE(file_digest_of_zeros), CASE(records_that_do_not_fit),
	  CASE(unknown_template), CASE(real_records_fit))
