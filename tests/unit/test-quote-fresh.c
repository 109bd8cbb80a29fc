// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/quote.c: whether a quote is new, by its nonce and by its clock. */
#include "quote.h"

/* ---- nonce ---- */

static enum imalog_verdict nonce_verdict(struct filling signed_one,
					 struct filling expected)
{
	struct attest attest = usual;
	struct bytes nonce = bytes_new(expected.size);
	struct imalog_quote *quote;
	enum imalog_verdict verdict;

	memset(nonce.data, expected.byte, expected.size);
	attest.nonce = signed_one;
	quote = quote_of(&attest);
	if (!CHECK(quote))
		return IMALOG_NOT_CHECKED;
	CHECK_VERDICT(quote, NONCE, IMALOG_NOT_CHECKED);
	imalog_quote_check_nonce(quote, span_of_bytes(nonce));
	verdict = imalog_quote_verdict(quote, IMALOG_QUOTE_NONCE);
	CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
	imalog_quote_free(&quote);
	bytes_free(&nonce);
	return verdict;
}

TEST(nonces)
{
	struct filling twenty = { 20, 7 };

	NEED_QUOTES();
	CHECK_INT(nonce_verdict(twenty, twenty), IMALOG_MATCH);
	CHECK_INT(nonce_verdict(twenty, (struct filling){ 20, 8 }), IMALOG_MISMATCH);
	CHECK_INT(nonce_verdict(twenty, (struct filling){ 19, 7 }), IMALOG_MISMATCH);
	CHECK_INT(nonce_verdict(twenty, (struct filling){ 21, 7 }), IMALOG_MISMATCH);
	CHECK_INT(nonce_verdict(twenty, (struct filling){ 1, 7 }), IMALOG_MISMATCH);
	CHECK_INT(nonce_verdict(twenty, (struct filling){ 4000, 7 }), IMALOG_MISMATCH);
	CHECK_INT(nonce_verdict((struct filling){ 64, 7 }, (struct filling){ 64, 7 }),
		  IMALOG_MATCH);
	/* An old quote, made without one */
	CHECK_INT(nonce_verdict((struct filling){ 0, 0 }, twenty), IMALOG_MISMATCH);
	CHECK_INT(nonce_verdict((struct filling){ 0, 0 }, (struct filling){ 0, 0 }),
		  IMALOG_NOT_CHECKED);
	CHECK_INT(nonce_verdict(twenty, (struct filling){ 0, 0 }), IMALOG_NOT_CHECKED);
}

/* ---- clock ---- */

TEST(clocks_and_counters)
{
	const struct {
		const char *what;
		int64_t clock, resets, restarts, firmware; /* later - earlier */
		enum imalog_verdict verdict;
	} cases[] = {
		{ "later", 1, 0, 0, 0, IMALOG_MATCH },
		{ "much later", 1LL << 40, 0, 0, 0, IMALOG_MATCH },
		{ "the same", 0, 0, 0, 0, IMALOG_MISMATCH },
		{ "earlier", -1, 0, 0, 0, IMALOG_MISMATCH },
		{ "after a reset", 100, 1, -1, 0, IMALOG_MISMATCH },
		{ "before a reset", 100, -1, 0, 0, IMALOG_MISMATCH },
		{ "after a restart", 100, 0, 1, 0, IMALOG_MISMATCH },
		{ "before a restart", 100, 0, -1, 0, IMALOG_MISMATCH },
		{ "other firmware", 100, 0, 0, 1, IMALOG_MISMATCH },
	};

	NEED_QUOTES();
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct attest later = usual;
		struct imalog_quote *a = quote_of(&usual), *b;

		test_note("%s", cases[i].what);
		later.clock += (uint64_t)cases[i].clock;
		later.resets += (uint32_t)cases[i].resets;
		later.restarts += (uint32_t)cases[i].restarts;
		later.firmware += (uint64_t)cases[i].firmware;
		b = quote_of(&later);
		REQUIRE(a && b);
		imalog_quote_check_previous(b, a);
		CHECK_VERDICT(b, CLOCK, cases[i].verdict);
		imalog_quote_free(&a);
		imalog_quote_free(&b);
	}
}

TEST(counters_that_wrap)
{
	struct attest attest = usual;
	struct imalog_quote *a, *b;

	NEED_QUOTES();
	attest.resets = UINT32_MAX;
	a = quote_of(&attest);
	attest.resets = 0;
	attest.clock++;
	b = quote_of(&attest);
	REQUIRE(a && b);
	imalog_quote_check_previous(b, a);
	CHECK_STR(imalog_quote_reason(b, IMALOG_QUOTE_CLOCK),
		  "the TPM was reset since the previous quote");
	imalog_quote_check_previous(a, b);
	CHECK_STR(imalog_quote_reason(a, IMALOG_QUOTE_CLOCK),
		  "there were fewer resets than at the previous quote");
	imalog_quote_free(&a);
	imalog_quote_free(&b);
}

TEST(previous_quotes_that_say_nothing)
{
	struct attest attest = usual;
	struct imalog_quote *a, *b;

	NEED_QUOTES();
	attest.clock++;
	attest.signer.byte++;
	a = quote_of(&usual);
	b = quote_of(&attest);
	REQUIRE(a && b);
	imalog_quote_check_previous(b, a);
	CHECK_VERDICT(b, CLOCK, IMALOG_NOT_CHECKED);
	imalog_quote_free(&b);
	attest = usual;
	attest.type = 0x8017;
	attest.clock--;
	b = quote_of(&attest);
	REQUIRE(b);
	imalog_quote_check_previous(a, b);
	CHECK_VERDICT(a, CLOCK, IMALOG_NOT_CHECKED);
	imalog_quote_free(&a);
	imalog_quote_free(&b);
}

TEST_MAIN(CASE(nonces), CASE(clocks_and_counters), CASE(counters_that_wrap),
	  CASE(previous_quotes_that_say_nothing))
