// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/chain.c: one PCR of one bank, in all the ways in which kernels have extended it. */
#include "log.h"

/*
 * What a PCR of zeros is after records of data "a", a violation and data "b", computed
 * with Python's hashlib: extended with digests of the bank; with SHA-1 digests padded
 * with zeros; and so with a violation of only 20 times ff.
 */
static const struct {
	enum imalog_alg alg;
	const char *evp;
	const char *values[IMALOG_VARIANTS][3];
} known[] = {
	{ IMALOG_ALG_SHA1,
	  "SHA1",
	  { { "b311ff7e540d671f5b54ed190d402a1d064fbecb",
	      "82c51937378cfcba86f9799239bd54e3f7526ba9",
	      "433994fa786f3e4b66faca74164053e61b7bfac9" } } },
	{ IMALOG_ALG_SHA256,
	  "SHA256",
	  { { "8c374a53782642f7514d087d26a3e733f1b806009a03e04a43b288ef2fa9f9c0",
	      "f123dbea977c121a1eb7f4fb62ff0c8085adc666e7d899e3df84692e643910da",
	      "9f3910218a05f3f4e0b46523cdd487ebdc5b5da16ac61f6b772f6ffa7a9caba2" },
	    { "74692770c89c4c126d8c62a4f1d5def5c970062a8533e8f86583ade9ad3da5eb",
	      "5c9f21d82b920ff59b0f40149147a7b8734e61a948562a49519588ceab59b725",
	      "285af5ced0e6077714438d1405483aef34bf66a1ee29aea1b1ef74df3b9e0068" },
	    { "74692770c89c4c126d8c62a4f1d5def5c970062a8533e8f86583ade9ad3da5eb",
	      "2f67c1b9e9fb6fdce7679529a134ab97b6ccedf1ff5c0970bd3283a80fb3da5f",
	      "d5c5b696c78cc1e9da61b218cb83b2f74132ec6883b4dac8047a20b7ac4d664a" } } },
	{ IMALOG_ALG_SHA384,
	  "SHA384",
	  { { "9ded56f026a8f4c054cc49090fcb1f317b3af23891cdf9bf4bfe3117ca14b0d2"
	      "47815a01aaa6febde7129a4fbac5e01a",
	      "92280916a183696b385993df082c1699ec4f5ccd716dcfcdf2b3fddbdf7aeb2a"
	      "1561c765d7103fcd25363424ccbd6a1f",
	      "dc095bda11513716741f68f7c2160e99e77ed0e64dec4c86c531a0fd482de927"
	      "e05c4b75544fbceaf5727fd4e9352338" },
	    { "cda34ae9f8fb7276df2bdc746b10322df5ad81200488f8722e50ec9aafaf90e0"
	      "6a8b4990b69bdd2c235c8f94f7c36757",
	      "ecbbcf1f2cf49bc6765c81f13f0f8029ddd321714c3c2c4e8a0666b987cf57f4"
	      "648736d844f0d86e0d4de5b4fafcdb64",
	      "a6787ecc624632e8d84b88935914d901e19d8e65c000cb34344e542234489c73"
	      "756caba8174143cfa5dd1d21a97dbbb2" },
	    { "cda34ae9f8fb7276df2bdc746b10322df5ad81200488f8722e50ec9aafaf90e0"
	      "6a8b4990b69bdd2c235c8f94f7c36757",
	      "bb42c52dc61290895b51e4972e196e396a053fc5db5ee01f98f800cea5700198"
	      "63cf6cbc8a4bae939b1d9255388ad465",
	      "3e5356f45f104d94d3d3440bb770f8119df722b7a1efed4e4fe0a4d5e3f05812"
	      "12aa2ba34773c5ab2c5ea72ff7b17b41" } } },
};

/* The three records, of which @opaque is one without content */
static void extend_all(struct imalog_chain *chain, const char *evp, int records,
		       int opaque)
{
	struct imalog_hasher *hasher = imalog_hasher_new();

	for (int i = 0; i < records; i++) {
		struct imalog_record record = { .number = (uint64_t)i + 1,
						.violation = i == 1 };
		struct imalog_span data = span_of(i ? "b" : "a", 1);
		uint8_t own[IMALOG_DIGEST_MAX], sha1[20];

		hash_of(evp, data, own);
		hash_of("SHA1", data, sha1);
		record.content = i == opaque ? IMALOG_CONTENT_DIGEST_ONLY :
					       IMALOG_CONTENT_TEMPLATE;
		record.digests[0].span = span_of(own, imalog_alg_size(chain->alg));
		record.nr_digests = 1;
		CHECK_INT(imalog_chain_extend(chain, hasher, &record, own, sha1, NULL),
			  0);
	}
	imalog_hasher_free(&hasher);
}

/* An expected value is found in the right variant, after the right record. */
static void check_match(size_t row, int v, int at, enum imalog_padding padding)
{
	struct bytes expected = bytes_of_hex(known[row].values[v][at]);
	struct imalog_chain *chain =
		imalog_chain_new(known[row].alg, 10, NULL, expected.data, padding);
	bool padded = v != IMALOG_PERBANK;
	bool match = padding == IMALOG_PADDING_AUTO ||
		     padded == (padding == IMALOG_PADDING_SHA1) ||
		     known[row].alg == IMALOG_ALG_SHA1;
	struct imalog_check check = { .expected = expected.data };

	test_note("%s, variant %d after %d, padding %d", known[row].evp, v, at + 1,
		  (int)padding);
	extend_all(chain, known[row].evp, 3, -1);
	imalog_chain_check(chain, 77, &check);
	CHECK_INT(check.extends, 3);
	CHECK_INT(check.verdict, match ? IMALOG_MATCH : IMALOG_MISMATCH);
	if (match) {
		CHECK_INT(check.matched_at, at + 1);
		CHECK_INT(check.matched_to, at == 2 ? 77 : at + 1);
		CHECK_INT(check.padding,
			  padded ? IMALOG_PADDING_SHA1 : IMALOG_PADDING_PERBANK);
		/* Before the violation the padded variants are one. */
		CHECK_HEX(span_of(check.computed, expected.size),
			  known[row].values[v == IMALOG_PADDED_SHORT && at == 0 ?
						    IMALOG_PADDED :
						    v][2]);
	} else {
		CHECK_INT(check.matched_at, 0);
		CHECK_HEX(span_of(check.computed, expected.size),
			  known[row].values[padding == IMALOG_PADDING_SHA1][2]);
	}
	free(chain);
	bytes_free(&expected);
}

TEST(values_of_every_variant)
{
	static const enum imalog_padding paddings[] = { IMALOG_PADDING_AUTO,
							IMALOG_PADDING_PERBANK,
							IMALOG_PADDING_SHA1 };

	for (size_t row = 0; row < IMALOG_ARRAY_SIZE(known); row++)
		for (int v = 0; v < (row ? IMALOG_VARIANTS : 1); v++)
			for (int at = 0; at < 3; at++)
				for (size_t p = 0; p < 3; p++)
					check_match(row, v, at, paddings[p]);
}

TEST(values_without_an_expected_one)
{
	for (size_t row = 0; row < IMALOG_ARRAY_SIZE(known); row++) {
		struct imalog_chain *own, *padded;
		size_t size = imalog_alg_size(known[row].alg);

		own = imalog_chain_new(known[row].alg, 10, NULL, NULL,
				       IMALOG_PADDING_AUTO);
		padded = imalog_chain_new(known[row].alg, 10, NULL, NULL,
					  IMALOG_PADDING_SHA1);
		CHECK(imalog_all_zero(span_of(imalog_chain_value(own), size)));
		extend_all(own, known[row].evp, 3, -1);
		extend_all(padded, known[row].evp, 3, -1);
		CHECK_HEX(span_of(imalog_chain_value(own), size),
			  known[row].values[0][2]);
		CHECK_HEX(span_of(imalog_chain_value(padded), size),
			  known[row].values[row ? IMALOG_PADDED : 0][2]);
		free(own);
		free(padded);
	}
}

TEST(start_values)
{
	/* hashlib: 32 times 11, extended with the digest of "a" */
	static const char *const after =
		"1d2213cbc56bc6838dade186ec9b7537b62be78a56122ddddac40bbc9f182e41";
	struct bytes expected = bytes_of_hex(after);
	uint8_t start[32];
	struct imalog_chain *chain;
	struct imalog_check check = { .extends = 0 };

	memset(start, 0x11, sizeof(start));
	chain = imalog_chain_new(IMALOG_ALG_SHA256, 0, start, expected.data,
				 IMALOG_PADDING_AUTO);
	CHECK_MEM(span_of(imalog_chain_value(chain), 32), span_of(start, 32));
	extend_all(chain, "SHA256", 1, -1);
	imalog_chain_check(chain, 1, &check);
	CHECK_INT(check.verdict, IMALOG_MATCH);
	CHECK_INT(check.matched_at, 1);
	free(chain);
	/* What it started with is no match, whatever follows. */
	chain = imalog_chain_new(IMALOG_ALG_SHA256, 0, start, start, IMALOG_PADDING_AUTO);
	imalog_chain_check(chain, 0, &check);
	CHECK_INT(check.verdict, IMALOG_NOT_CHECKED);
	extend_all(chain, "SHA256", 2, -1);
	imalog_chain_check(chain, 2, &check);
	CHECK_INT(check.verdict, IMALOG_MISMATCH);
	free(chain);
	bytes_free(&expected);
}

TEST(never_extended)
{
	static const uint8_t zeros[32], other[32] = { 1 };
	struct imalog_check check = { .extends = 7 };
	struct imalog_chain *chain;

	chain = imalog_chain_new(IMALOG_ALG_SHA256, 0, NULL, zeros, IMALOG_PADDING_AUTO);
	imalog_chain_check(chain, 5, &check);
	CHECK_INT(check.verdict, IMALOG_NOT_CHECKED);
	CHECK_INT(check.extends, 0);
	free(chain);
	/* A log without a record of it does not explain a value. */
	chain = imalog_chain_new(IMALOG_ALG_SHA256, 0, NULL, other, IMALOG_PADDING_AUTO);
	imalog_chain_check(chain, 5, &check);
	CHECK_INT(check.verdict, IMALOG_MISMATCH);
	free(chain);
}

/* A record whose content is not known extends what the log says, which proves nothing. */
TEST(digest_that_cannot_be_computed)
{
	struct imalog_check check = { .extends = 0 };
	static const uint8_t other[32] = { 1 };
	struct bytes expected = bytes_of_hex(known[1].values[0][2]);
	struct imalog_chain *chain;

	chain = imalog_chain_new(IMALOG_ALG_SHA256, 0, NULL, other, IMALOG_PADDING_AUTO);
	extend_all(chain, "SHA256", 3, 2);
	imalog_chain_check(chain, 3, &check);
	CHECK_INT(check.verdict, IMALOG_NOT_CHECKED);
	free(chain);
	chain = imalog_chain_new(IMALOG_ALG_SHA256, 0, NULL, expected.data,
				 IMALOG_PADDING_AUTO);
	extend_all(chain, "SHA256", 3, 2);
	CHECK(chain->opaque);
	imalog_chain_check(chain, 3, &check);
	CHECK_INT(check.matched_at, 3);
	free(chain);
	bytes_free(&expected);
}

TEST_MAIN(CASE(values_of_every_variant), CASE(values_without_an_expected_one),
	  CASE(start_values), CASE(never_extended), CASE(digest_that_cannot_be_computed))
