// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/hash.c: algorithms, their names and numbers, and digests that other tools computed.
 */
#include "test.h"

/* Digests of "abc", and what a PCR of zeros becomes when it is extended with them:
 * hashlib. */
static const struct {
	enum imalog_alg alg;
	const char *name;
	uint16_t tpm_id;
	size_t size;
	const char *abc;
	const char *extended;
} known[] = {
	{ IMALOG_ALG_SHA1, "sha1", 0x0004, 20, "a9993e364706816aba3e25717850c26c9cd0d89d",
	  "ccd5bd41458de644ac34a2478b58ff819bef5acf" },
	{ IMALOG_ALG_SHA256, "sha256", 0x000b, 32,
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	  "589f9ffed4c477966bfb8d41f37895b08c69047df8f911d6f3b57fbe08faee8d" },
	{ IMALOG_ALG_SHA384, "sha384", 0x000c, 48,
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7",
	  "93732e3733514a841c982cfa75ea76ab55fe011acb9cd980ef4523913c65be1b"
	  "0998e04d77f8c174f81a82151619ca40" },
	{ IMALOG_ALG_SHA512, "sha512", 0x000d, 64,
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	  "6b9e946755055542adba95a1588a7eaed86323b3bed97d602ee06839d734048e"
	  "02c63f37892d3adde0d25b5a9d89162e8804ab9ec0ac4a263545c4faecfdf53b" },
	{ IMALOG_ALG_SM3, "sm3", 0x0012, 32,
	  "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
	  "ee1ade12bac480c9bc7aff12f344bf9cdd92324fc83f7d79386f3c5426185506" },
	{ IMALOG_ALG_SHA3_256, "sha3-256", 0x0027, 32,
	  "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
	  "d977a6829721d3071cc5e73ccf46f11967e4922ca7a292604b820176606b294b" },
	{ IMALOG_ALG_SHA3_384, "sha3-384", 0x0028, 48,
	  "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
	  "98d88cea927ac7f539f1edf228376d25",
	  "5e8bb103f983ad9d86c0ad9a2f5d796acbb141e80ae228d273247faf20e23fb0"
	  "54c9aa79e8c3981342a6c8f309033b80" },
	{ IMALOG_ALG_SHA3_512, "sha3-512", 0x0029, 64,
	  "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
	  "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
	  "83e66121081abcb22af39c05a5769a6251a05150bc2c829006646c230c330e37"
	  "5ba5e9d3da2fd65d636cf16420c5318d06d3b77a58bc37946944aebcf6962d35" },
};

TEST(names_sizes_and_numbers)
{
	CHECK_INT(IMALOG_ARRAY_SIZE(known), IMALOG_ALG_COUNT - 1);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(known); i++) {
		test_note("%s", known[i].name);
		CHECK_INT(known[i].alg, i + 1);
		CHECK_STR(imalog_alg_name(known[i].alg), known[i].name);
		CHECK_INT(imalog_alg_by_name(known[i].name), known[i].alg);
		CHECK_INT(imalog_alg_size(known[i].alg), known[i].size);
		CHECK_INT(imalog_alg_tpm_id(known[i].alg), known[i].tpm_id);
		CHECK_INT(imalog_alg_by_tpm_id(known[i].tpm_id), known[i].alg);
	}
	CHECK_INT(imalog_alg_by_name("sm3_256"), IMALOG_ALG_SM3);
	CHECK_INT(imalog_alg_by_name("sha3_384"), IMALOG_ALG_SHA3_384);
}

TEST(unknown_algorithms)
{
	static const int algs[] = { IMALOG_ALG_NONE, IMALOG_ALG_COUNT, -1, 255,
				    INT32_MAX };
	static const char *const names[] = { "",      "none", "SHA1",	"sha",
					     "sha1 ", "md5",  "sha-256" };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(algs); i++) {
		enum imalog_alg alg = (enum imalog_alg)algs[i];

		test_note("%d", algs[i]);
		CHECK_STR(imalog_alg_name(alg), "none");
		CHECK_INT(imalog_alg_size(alg), 0);
		CHECK_INT(imalog_alg_tpm_id(alg), 0);
	}
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(names); i++) {
		test_note("'%s'", names[i]);
		CHECK_INT(imalog_alg_by_name(names[i]), IMALOG_ALG_NONE);
	}
	CHECK_INT(imalog_alg_by_tpm_id(0), IMALOG_ALG_NONE);
	CHECK_INT(imalog_alg_by_tpm_id(0x0010), IMALOG_ALG_NONE); /* TPM_ALG_NULL */
	CHECK_INT(imalog_alg_by_tpm_id(0xffff), IMALOG_ALG_NONE);
}

TEST(digests_that_others_computed)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_hash_job whole = { { span_of("abc", 3) }, 1 };
	struct imalog_hash_job parts = {
		{ span_of("a", 1), span_of(NULL, 0), span_of("bc", 2) }, 3
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(known); i++) {
		uint8_t *out = malloc(known[i].size), *value = calloc(1, known[i].size);
		int rc = imalog_hash_one(hasher, known[i].alg, &whole, out, NULL);

		test_note("%s", known[i].name);
		if (rc != -IMALOG_ERR_CRYPTO || known[i].alg <= IMALOG_ALG_SHA512) {
			CHECK_INT(rc, 0);
			CHECK_HEX(span_of(out, known[i].size), known[i].abc);
			CHECK_INT(imalog_hash_extend(hasher, known[i].alg, value, out,
						     NULL),
				  0);
			CHECK_HEX(span_of(value, known[i].size), known[i].extended);
			CHECK_INT(imalog_hash_one(hasher, known[i].alg, &parts, out,
						  NULL),
				  0);
			CHECK_HEX(span_of(out, known[i].size), known[i].abc);
		}
		free(value);
		free(out);
	}
	imalog_hasher_free(&hasher);
	CHECK(!hasher);
	imalog_hasher_free(&hasher);
	imalog_hasher_free(NULL);
}

/* A context that is used again starts anew; each digest goes to its own place. */
TEST(batches)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_hash_job jobs[] = { { { span_of("abc", 3) }, 1 },
					  { { { NULL, 0 } }, 0 },
					  { { span_of("abc", 3) }, 1 } };
	uint8_t out[3 * 40];

	memset(out, 0x77, sizeof(out));
	CHECK_INT(imalog_hash_batch(hasher, IMALOG_ALG_SHA256, jobs, 3, out, 40, NULL),
		  0);
	CHECK_HEX(span_of(out, 32), known[1].abc);
	CHECK_HEX(span_of(out + 40, 32),
		  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_HEX(span_of(out + 80, 32), known[1].abc);
	CHECK_HEX(span_of(out + 112, 8), "77 77 77 77 77 77 77 77");
	CHECK_INT(imalog_hash_batch(hasher, IMALOG_ALG_SHA256, jobs, 0, out, 40, NULL),
		  0);
	imalog_hasher_free(&hasher);
}

TEST(no_such_algorithm_to_hash_with)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_error *error = imalog_error_new();
	struct imalog_hash_job job = { { span_of("abc", 3) }, 1 };
	uint8_t out[IMALOG_DIGEST_MAX];

	CHECK_ERROR(error, imalog_hash_one(hasher, IMALOG_ALG_NONE, &job, out, error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(error, imalog_hash_one(hasher, IMALOG_ALG_COUNT, &job, out, error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	imalog_error_free(&error);
	imalog_hasher_free(&hasher);
}

TEST_MAIN(CASE(names_sizes_and_numbers), CASE(unknown_algorithms),
	  CASE(digests_that_others_computed), CASE(batches),
	  CASE(no_such_algorithm_to_hash_with))
