// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OpenSSL fails or lacks an algorithm, as with SM3 in some builds or SHA-1 under some
 * policies: what cannot be computed is said, and no record is called bad for it.
 *
 * Linked with -Wl,--wrap= for EVP_MD_fetch and EVP_DigestFinal_ex.
 */
#include "replay.h"

static struct {
	const char *lacks;
	int final_left; /* digests until one fails, 0: none does */
} crypto;

EVP_MD *__real_EVP_MD_fetch(OSSL_LIB_CTX *ctx, const char *name, const char *properties);
int __real_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned int *size);
EVP_MD *__wrap_EVP_MD_fetch(OSSL_LIB_CTX *ctx, const char *name, const char *properties);
int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned int *size);

EVP_MD *__wrap_EVP_MD_fetch(OSSL_LIB_CTX *ctx, const char *name, const char *properties)
{
	if (crypto.lacks && strcmp(name, crypto.lacks) == 0)
		name = "NO-SUCH-DIGEST"; /* so that OpenSSL itself says why */
	return __real_EVP_MD_fetch(ctx, name, properties);
}

int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *ctx, unsigned char *out, unsigned int *size)
{
	if (crypto.final_left > 0 && --crypto.final_left == 0)
		return 0;
	return __real_EVP_DigestFinal_ex(ctx, out, size);
}

TEST(algorithm_is_lacking)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_error *error = imalog_error_new();
	struct imalog_hash_job job = { { span_of("abc", 3) }, 1 };
	uint8_t out[IMALOG_DIGEST_MAX];

	crypto.lacks = "SHA384";
	for (int i = 0; i < 2; i++) {
		CHECK_ERROR(error,
			    imalog_hash_one(hasher, IMALOG_ALG_SHA384, &job, out, error),
			    IMALOG_ERR_CRYPTO, 0, 0, "");
		CHECK(strstr(imalog_error_detail(error), "sha384"));
		CHECK(strstr(imalog_error_detail(error), "nsupported"));
		CHECK_INT(imalog_hash_one(hasher, IMALOG_ALG_SHA256, &job, out, error),
			  0);
	}
	crypto.lacks = NULL;
	CHECK_INT(imalog_hash_one(hasher, IMALOG_ALG_SHA384, &job, out, error), 0);
	imalog_error_free(&error);
	imalog_hasher_free(&hasher);
}

TEST(digest_fails)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_error *error = imalog_error_new();
	struct imalog_hash_job jobs[3] = { { { span_of("abc", 3) }, 1 } };
	uint8_t out[3][32];

	crypto.final_left = 2;
	CHECK_ERROR(error,
		    imalog_hash_batch(hasher, IMALOG_ALG_SHA256, jobs, 3, out[0], 32,
				      error),
		    IMALOG_ERR_CRYPTO, 0, 0, "");
	CHECK_INT(imalog_hash_batch(hasher, IMALOG_ALG_SHA256, jobs, 3, out[0], 32,
				    error),
		  0);
	CHECK_HEX(span_of(out[0], 4), "ba7816bf");
	imalog_error_free(&error);
	imalog_hasher_free(&hasher);
}

/* Algorithms that are lacking are passed over when a list's is looked for... */
static void check_without(const char *lacks, const char *evp, size_t size, bool proved)
{
	struct build list = { .order = IMALOG_ORDER_LE }, data = list;
	struct log log;

	test_note("%s list without %s", evp, lacks);
	put_d_ng(&data, 3);
	put_name(&data, "/x");
	put_record_over(&list, "ima-ng", built(&data), evp, size, built(&data));
	log = log_open(built(&list));
	crypto.lacks = lacks;
	CHECK_INT(log_next(&log), 1);
	CHECK_INT(imalog_reader_layout_proved(log.reader), proved);
	CHECK_INT(imalog_reader_digest_size(log.reader), size);
	CHECK_INT(imalog_error_code(log.error), IMALOG_OK);
	crypto.lacks = NULL;
	log_close(&log);
	build_free(&data);
	build_free(&list);
}

TEST(layout_without_an_algorithm)
{
	check_without("SHA256", "SHA3-256", 32, true);
	check_without("SHA3-256", "SHA3-256", 32, false);
	check_without("SM3", "SHA256", 32, true);
	check_without("SHA384", "SHA1", 20, true);
	check_without("SHA1", "SHA256", 32, true);
}

/* ...but without SHA-1 a list of it cannot be checked, which is said. */
TEST(lists_without_sha1)
{
	static const char *const encodings[] = { "binary", "ascii" };
	struct bytes list;

	for (size_t i = 0; i < 2; i++) {
		struct log log;

		rig_list(&rigs[0], &banks[0], encodings[i], &list);
		log = log_open(span_of_bytes(list));
		crypto.lacks = "SHA1";
		CHECK_ERROR(log.error, log_next(&log), IMALOG_ERR_CRYPTO, 1, 0, "");
		crypto.lacks = NULL;
		CHECK_INT(log_next(&log), -IMALOG_ERR_CRYPTO);
		log_close(&log);
		bytes_free(&list);
	}
}

/* Whichever digest fails: the replay says so, or it is one that merely proves nothing. */
TEST(any_digest_fails_in_a_replay)
{
	static const char *const encodings[] = { "binary", "ascii" };

	for (size_t i = 0; i < 4; i++) {
		uint8_t value[32];
		struct bytes list;

		rig_list(&rigs[5], &banks[i / 2], encodings[i % 2], &list);
		rig_pcr(&rigs[5], &banks[1], value);
		for (int n = 1; n < 500; n += n < 20 ? 1 : 7) {
			const uint8_t *values[BANKS] = { NULL, value, NULL };
			struct imalog_error *error = imalog_error_new();
			struct imalog_replay *replay = imalog_replay_new();
			int rc;

			test_note("%s list of %s, digest %d", encodings[i % 2],
				  banks[i / 2].name, n);
			imalog_replay_expect(replay, IMALOG_ALG_SHA256, 10,
					     span_of(values[1], 32), NULL);
			crypto.final_left = n;
			rc = replay_bytes(replay, span_of_bytes(list), 1, error);
			if (rc == 0) {
				/* The first of a layout that is looked for proves
				 * nothing. */
				CHECK(crypto.final_left > 0 || (i >= 2 && n == 1));
				CHECK_INT(imalog_replay_verdict(replay, NULL),
					  IMALOG_MATCH);
			} else {
				CHECK_INT(rc, -IMALOG_ERR_CRYPTO);
				CHECK_INT(imalog_error_code(error), IMALOG_ERR_CRYPTO);
				CHECK_INT(imalog_replay_problems(replay), 0);
			}
			crypto.final_left = 0;
			imalog_replay_free(&replay);
			imalog_error_free(&error);
		}
		bytes_free(&list);
	}
}

TEST_MAIN(CASE(algorithm_is_lacking), CASE(digest_fails),
	  CASE(layout_without_an_algorithm), CASE(lists_without_sha1),
	  CASE(any_digest_fails_in_a_replay))
