// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/bank.c: a sorted set of PCR values that takes no second one. */
#include "test.h"

static const uint8_t ones[IMALOG_DIGEST_MAX] = { 1, 1, 1 },
		     twos[IMALOG_DIGEST_MAX] = { 2, 2, 2 };

static int set(struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr,
	       const uint8_t *value)
{
	return imalog_pcrs_set(pcrs, alg, pcr, span_of(value, imalog_alg_size(alg)),
			       NULL);
}

TEST(sorted_by_bank_and_number)
{
	static const struct {
		enum imalog_alg alg;
		uint32_t pcr;
	} in[] = { { IMALOG_ALG_SHA256, 10 }, { IMALOG_ALG_SHA1, 23 },
		   { IMALOG_ALG_SHA256, 0 },  { IMALOG_ALG_SHA1, 0 },
		   { IMALOG_ALG_SHA512, 1 },  { IMALOG_ALG_SHA256, 9 } },
	  out[] = { { IMALOG_ALG_SHA1, 0 },    { IMALOG_ALG_SHA1, 23 },
		    { IMALOG_ALG_SHA256, 0 },  { IMALOG_ALG_SHA256, 9 },
		    { IMALOG_ALG_SHA256, 10 }, { IMALOG_ALG_SHA512, 1 } };
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(in); i++) {
		uint8_t value[IMALOG_DIGEST_MAX] = { (uint8_t)in[i].alg,
						     (uint8_t)in[i].pcr };

		CHECK_INT(set(pcrs, in[i].alg, in[i].pcr, value), 0);
	}
	CHECK_INT(imalog_pcrs_count(pcrs), IMALOG_ARRAY_SIZE(out));
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(out); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);

		CHECK_INT(alg, out[i].alg);
		CHECK_INT(pcr, out[i].pcr);
		CHECK(value[0] == alg && value[1] == pcr);
		CHECK(imalog_pcrs_get(pcrs, alg, pcr) == value);
	}
	CHECK(!imalog_pcrs_get(pcrs, IMALOG_ALG_SHA1, 1));
	CHECK(!imalog_pcrs_get(pcrs, IMALOG_ALG_SHA384, 1));
	CHECK(!imalog_pcrs_get(pcrs, IMALOG_ALG_SHA512, 2));
	imalog_pcrs_free(&pcrs);
	CHECK(!pcrs);
	imalog_pcrs_free(&pcrs);
	imalog_pcrs_free(NULL);
}

TEST(second_value)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_error *error = imalog_error_new();

	CHECK_INT(set(pcrs, IMALOG_ALG_SHA1, 10, ones), 0);
	CHECK_INT(set(pcrs, IMALOG_ALG_SHA1, 10, ones), 0);
	CHECK_INT(imalog_pcrs_count(pcrs), 1);
	CHECK_ERROR(error,
		    imalog_pcrs_set(pcrs, IMALOG_ALG_SHA1, 10, span_of(twos, 20), error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_MEM(span_of(imalog_pcrs_get(pcrs, IMALOG_ALG_SHA1, 10), 20),
		  span_of(ones, 20));
	CHECK_INT(set(pcrs, IMALOG_ALG_SHA256, 10, twos), 0);
	imalog_error_free(&error);
	imalog_pcrs_free(&pcrs);
}

TEST(wrong_size_or_algorithm)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	for (size_t size = 0; size <= IMALOG_DIGEST_MAX; size++) {
		int should = size == 32 ? 0 : -IMALOG_ERR_INVALID;

		test_note("%zu bytes", size);
		CHECK_INT(imalog_pcrs_set(pcrs, IMALOG_ALG_SHA256, 1, span_of(ones, size),
					  NULL),
			  should);
	}
	CHECK_INT(imalog_pcrs_set(pcrs, IMALOG_ALG_NONE, 1, span_of(ones, 0), NULL),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_pcrs_set(pcrs, IMALOG_ALG_COUNT, 1, span_of(ones, 20), NULL),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_pcrs_set(pcrs, (enum imalog_alg) - 1, 1, span_of(ones, 20),
				  NULL),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_pcrs_count(pcrs), 1);
	imalog_pcrs_free(&pcrs);
}

TEST(limit_of_values)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_error *error = imalog_error_new();

	for (uint32_t pcr = 0; pcr < 4096; pcr++)
		if (!CHECK_INT(set(pcrs, IMALOG_ALG_SHA1, 4095 - pcr, ones), 0))
			break;
	CHECK_ERROR(error,
		    imalog_pcrs_set(pcrs, IMALOG_ALG_SHA1, 4096, span_of(ones, 20),
				    error),
		    IMALOG_ERR_LIMIT, 0, 0, "");
	CHECK_INT(set(pcrs, IMALOG_ALG_SHA1, 77, ones), 0);
	CHECK_INT(imalog_pcrs_count(pcrs), 4096);
	imalog_error_free(&error);
	imalog_pcrs_free(&pcrs);
}

TEST_MAIN(CASE(sorted_by_bank_and_number), CASE(second_value),
	  CASE(wrong_size_or_algorithm), CASE(limit_of_values))
