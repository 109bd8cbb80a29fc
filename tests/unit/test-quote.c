// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/quote.c: what an attestation says, and what is no quote. */
#include "quote.h"

/* ---- what a quote says ---- */

TEST(a_quote_of_tpm2_quote)
{
	struct bytes msg = bytes_of_file("rig/ng/quote-all.msg");
	struct imalog_quote *quote;
	struct imalog_quote_clock clock;
	enum imalog_alg alg;

	NEED_QUOTES();
	quote = quote_of_bytes(msg);
	REQUIRE(quote);
	CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
	CHECK_INT(imalog_quote_type(quote), 0x8018);
	CHECK_HEX(imalog_quote_nonce(quote), "488c87228d5d4a0b59e6c9b4df80ce243514defe");
	CHECK_HEX(imalog_quote_signer(quote), "000b 4eb539d127d4b41dd76daf2e84c8486a"
					      "5c7b6e58a1c9956afc23ac0abe63a916");
	imalog_quote_clock(quote, &clock);
	CHECK_INT(clock.clock, 7367);
	CHECK_INT(clock.reset_count, 2);
	CHECK_INT(clock.restart_count, 0);
	CHECK(clock.safe);
	CHECK_INT(clock.firmware_version, 0x2019102300163636);
	CHECK_INT(imalog_quote_banks(quote), 3);
	CHECK(imalog_quote_bank(quote, 0, &alg) == 1 << 10 && alg == IMALOG_ALG_SHA1);
	CHECK(imalog_quote_bank(quote, 1, &alg) == 1 << 10 && alg == IMALOG_ALG_SHA256);
	CHECK(imalog_quote_bank(quote, 2, NULL) == 1 << 10);
	CHECK(imalog_quote_selects(quote, IMALOG_ALG_SHA384, 10));
	CHECK(!imalog_quote_selects(quote, IMALOG_ALG_SHA384, 11));
	CHECK(!imalog_quote_selects(quote, IMALOG_ALG_SHA512, 10));
	CHECK(!imalog_quote_selects(quote, IMALOG_ALG_SHA256, 42));
	CHECK_HEX(imalog_quote_pcr_digest(quote),
		  "aebde6019462 63f55a5addc1585eb75d3f9fb3f205b268bc29469a466e740988");
	CHECK_INT(imalog_quote_hash(quote), IMALOG_ALG_NONE);
	imalog_quote_free(&quote);
	CHECK(!quote);
	bytes_free(&msg);
}

TEST(the_size_before_it_changes_nothing)
{
	struct bytes bare = attest_bytes(&usual), sized = wrapped(bare);
	struct imalog_quote *a, *b;

	NEED_QUOTES();
	a = quote_of_bytes(bare);
	b = quote_of_bytes(sized);
	REQUIRE(a && b);
	CHECK_VERDICT(b, MAGIC, IMALOG_MATCH);
	CHECK_MEM(imalog_quote_nonce(b), imalog_quote_nonce(a));
	CHECK_MEM(b->message, span_of_bytes(bare));
	imalog_quote_free(&a);
	imalog_quote_free(&b);
	bytes_free(&bare);
	bytes_free(&sized);
}

TEST(many_pcrs_in_bitmaps_of_all_sizes)
{
	static const uint64_t maps[] = { 0x01,	   0xff07,     0x800c00,
					 0xffffff, 0x80000001, 0xffffffff };
	static const uint8_t sizes[] = { 1, 2, 3, 3, 4, 4 };
	struct attest attest = usual;
	struct imalog_quote *quote;

	NEED_QUOTES();
	attest.nr_banks = IMALOG_ARRAY_SIZE(maps);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(maps); i++) {
		attest.banks[i].id = i % 2 ? SHA1_ID : SHA384_ID;
		attest.banks[i].size = sizes[i];
		attest.banks[i].pcrs = maps[i];
	}
	quote = quote_of(&attest);
	REQUIRE(quote);
	CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
	CHECK_INT(imalog_quote_banks(quote), IMALOG_ARRAY_SIZE(maps));
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(maps); i++) {
		enum imalog_alg alg;

		CHECK_INT(imalog_quote_bank(quote, i, &alg), maps[i]);
		CHECK_INT(alg, i % 2 ? IMALOG_ALG_SHA1 : IMALOG_ALG_SHA384);
	}
	imalog_quote_free(&quote);
}

TEST(banks_without_a_name)
{
	struct attest attest = usual;
	struct imalog_quote *quote;
	enum imalog_alg alg;

	NEED_QUOTES();
	attest.banks[0].id = 0x7777;
	quote = quote_of(&attest);
	REQUIRE(quote);
	CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
	CHECK_INT(imalog_quote_bank(quote, 0, &alg), 1 << 10);
	CHECK_INT(alg, IMALOG_ALG_NONE);
	imalog_quote_free(&quote);
}

/* ---- what is none ---- */

TEST(not_made_by_a_tpm)
{
	static const uint32_t magics[] = { 0xff544346, 0x00544347, 0x474354ff, 0 };

	NEED_QUOTES();
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(magics); i++) {
		struct attest attest = usual;
		struct bytes bytes, sized;
		struct imalog_quote *quote;

		attest.magic = magics[i];
		bytes = attest_bytes(&attest);
		sized = wrapped(bytes);
		quote = quote_of_bytes(bytes);
		REQUIRE(quote);
		CHECK_VERDICT(quote, MAGIC, IMALOG_MISMATCH);
		imalog_quote_free(&quote);
		quote = quote_of_bytes(sized);
		REQUIRE(quote);
		CHECK_VERDICT(quote, MAGIC, IMALOG_MISMATCH);
		imalog_quote_free(&quote);
		bytes_free(&bytes);
		bytes_free(&sized);
	}
}

TEST(other_attestations)
{
	NEED_QUOTES();
	for (uint16_t type = 0x8013; type <= 0x801d; type++) {
		struct attest attest = usual;
		struct imalog_quote *quote;
		uint8_t nonce[20];

		test_note("type 0x%x", type);
		memset(nonce, usual.nonce.byte, sizeof(nonce));
		attest.type = type;
		quote = quote_of(&attest);
		REQUIRE(quote);
		CHECK_VERDICT(quote, MAGIC,
			      type == QUOTE ? IMALOG_MATCH : IMALOG_MISMATCH);
		CHECK_INT(imalog_quote_type(quote), type);
		CHECK_INT(imalog_quote_banks(quote), type == QUOTE ? 1 : 0);
		imalog_quote_check_nonce(quote, span_of(nonce, sizeof(nonce)));
		CHECK_VERDICT(quote, NONCE,
			      type == QUOTE ? IMALOG_MATCH : IMALOG_NOT_CHECKED);
		imalog_quote_check_previous(quote, quote);
		CHECK_VERDICT(quote, CLOCK,
			      type == QUOTE ? IMALOG_MISMATCH : IMALOG_NOT_CHECKED);
		imalog_quote_free(&quote);
	}
}

static void check_bad(struct imalog_span message, enum imalog_code code,
		      const char *field)
{
	struct bytes exact = bytes_copy(message.data, message.size);
	struct imalog_error *error = an_error();
	struct imalog_quote *quote = NULL;
	int rc = imalog_quote_parse(span_of_bytes(exact), &quote, error);

	CHECK_ERROR(error, rc, code, 0, 0, field);
	CHECK(!quote);
	imalog_quote_free(&quote);
	imalog_error_free(&error);
	bytes_free(&exact);
}

static void check_bad_attest(const struct attest *attest, enum imalog_code code,
			     const char *field)
{
	struct bytes bytes = attest_bytes(attest);

	check_bad(span_of_bytes(bytes), code, field);
	bytes_free(&bytes);
}

TEST(what_is_nothing_of_the_kind)
{
	NEED_QUOTES();
	check_bad(span_of("", 0), IMALOG_ERR_TRUNCATED, "magic");
	check_bad(span_of("\xff", 1), IMALOG_ERR_TRUNCATED, "magic");
	check_bad(imalog_span_of("this is a text, and no quote"), IMALOG_ERR_BAD_FORMAT,
		  "");
}

TEST(cut_at_every_byte)
{
	struct bytes whole = attest_bytes(&usual), sized = wrapped(whole);

	NEED_QUOTES();
	for (size_t size = 0; size < whole.size; size++) {
		struct bytes cut = bytes_copy(whole.data, size);
		struct imalog_quote *quote = NULL;
		int rc = imalog_quote_parse(span_of_bytes(cut), &quote, NULL);

		test_note("%zu bytes", size);
		CHECK(rc == -IMALOG_ERR_TRUNCATED || rc == -IMALOG_ERR_BAD_LENGTH);
		bytes_free(&cut);
		/* The size before it says more than there is, so it is no size. */
		cut = bytes_copy(sized.data, size + 2);
		rc = imalog_quote_parse(span_of_bytes(cut), &quote, NULL);
		CHECK(rc == -IMALOG_ERR_TRUNCATED || rc == -IMALOG_ERR_BAD_FORMAT);
		CHECK(!quote);
		bytes_free(&cut);
	}
	bytes_free(&whole);
	bytes_free(&sized);
}

TEST(bytes_left_over)
{
	struct bytes whole = attest_bytes(&usual), longer = bytes_new(whole.size + 1),
		     sized;

	NEED_QUOTES();
	memcpy(longer.data, whole.data, whole.size);
	longer.data[whole.size] = 0;
	check_bad(span_of_bytes(longer), IMALOG_ERR_TRAILING, "pcrDigest");
	sized = wrapped(longer);
	check_bad(span_of_bytes(sized), IMALOG_ERR_TRAILING, "pcrDigest");
	bytes_free(&sized);
	sized = wrapped(whole);
	sized.data = realloc(sized.data, ++sized.size);
	sized.data[sized.size - 1] = 0;
	check_bad(span_of_bytes(sized), IMALOG_ERR_BAD_FORMAT, "");
	bytes_free(&sized);
	bytes_free(&whole);
	bytes_free(&longer);
}

TEST(sizes_that_lie)
{
	static const struct {
		size_t at; /* of the two bytes */
		const char *field;
	} sizes[] = { { 6, "qualifiedSigner" },
		      { 42, "extraData" },
		      { 99, "pcrDigest" } };
	struct bytes whole = attest_bytes(&usual);

	NEED_QUOTES();
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(sizes); i++) {
		struct bytes lie = bytes_copy(whole.data, whole.size);

		lie.data[sizes[i].at] = 0xff;
		check_bad(span_of_bytes(lie), IMALOG_ERR_BAD_LENGTH, sizes[i].field);
		memcpy(lie.data, whole.data, whole.size);
		lie.data[sizes[2].at + 1]++;
		check_bad(span_of_bytes(lie), IMALOG_ERR_BAD_LENGTH, sizes[2].field);
		lie.data[sizes[2].at + 1] -= 2;
		check_bad(span_of_bytes(lie), IMALOG_ERR_TRAILING, sizes[2].field);
		bytes_free(&lie);
	}
	bytes_free(&whole);
}

TEST(values_beyond_the_limits)
{
	struct attest attest = usual;

	NEED_QUOTES();
	attest.signer.size = 67;
	check_bad_attest(&attest, IMALOG_ERR_LIMIT, "qualifiedSigner");
	attest = usual;
	attest.nonce.size = 65;
	check_bad_attest(&attest, IMALOG_ERR_LIMIT, "extraData");
	attest = usual;
	attest.filling.size = 65;
	check_bad_attest(&attest, IMALOG_ERR_LIMIT, "pcrDigest");
	attest = usual;
	attest.safe = 2;
	check_bad_attest(&attest, IMALOG_ERR_BAD_VALUE, "safe");
	attest = usual;
	attest.banks[0].size = 0;
	check_bad_attest(&attest, IMALOG_ERR_LIMIT, "pcrSelect");
	attest.banks[0].size = 5;
	check_bad_attest(&attest, IMALOG_ERR_LIMIT, "pcrSelect");
	attest.banks[0].size = 255;
	attest.nr_banks = 17;
	check_bad_attest(&attest, IMALOG_ERR_LIMIT, "pcrSelect");
	attest.nr_banks = UINT32_MAX;
	check_bad_attest(&attest, IMALOG_ERR_LIMIT, "pcrSelect");
}

TEST(longest_of_everything)
{
	struct attest attest = usual;
	struct imalog_quote *quote;
	struct bytes huge;

	NEED_QUOTES();
	attest.signer.size = 66;
	attest.nonce.size = 64;
	attest.filling.size = 64;
	attest.nr_banks = 16;
	for (int i = 0; i < 16; i++) {
		attest.banks[i].id = SHA256_ID;
		attest.banks[i].size = 4;
		attest.banks[i].pcrs = 0xffffffff;
	}
	quote = quote_of(&attest);
	REQUIRE(quote);
	CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
	imalog_quote_free(&quote);
	huge = bytes_new(4097);
	memset(huge.data, 0, huge.size);
	check_bad(span_of_bytes(huge), IMALOG_ERR_LIMIT, "");
	bytes_free(&huge);
}

/* ---- nothing goes unseen ---- */

static bool same_fields(const struct imalog_quote *a, const struct imalog_quote *b)
{
	struct imalog_quote_clock ca, cb;
	bool same = imalog_quote_type(a) == imalog_quote_type(b) &&
		    a->magic == b->magic &&
		    imalog_span_equal(imalog_quote_nonce(a), imalog_quote_nonce(b)) &&
		    imalog_span_equal(imalog_quote_signer(a), imalog_quote_signer(b)) &&
		    imalog_span_equal(a->pcr_digest, b->pcr_digest) &&
		    imalog_quote_banks(a) == imalog_quote_banks(b);

	imalog_quote_clock(a, &ca);
	imalog_quote_clock(b, &cb);
	same = same && ca.clock == cb.clock && ca.reset_count == cb.reset_count &&
	       ca.restart_count == cb.restart_count && ca.safe == cb.safe &&
	       ca.firmware_version == cb.firmware_version;
	for (size_t i = 0; same && i < a->nr_banks; i++)
		same = a->banks[i].id == b->banks[i].id &&
		       a->banks[i].pcrs == b->banks[i].pcrs &&
		       a->banks[i].size == b->banks[i].size;
	return same;
}

TEST(every_bit_is_part_of_some_field)
{
	struct bytes whole = attest_bytes(&usual);
	struct imalog_quote *quote;

	NEED_QUOTES();
	quote = quote_of_bytes(whole);
	REQUIRE(quote);
	for (size_t bit = 0; bit < 8 * whole.size; bit++) {
		struct imalog_quote *other = NULL;

		whole.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		test_note("bit %zu", bit);
		if (imalog_quote_parse(span_of_bytes(whole), &other, NULL) == 0)
			CHECK(!same_fields(quote, other));
		imalog_quote_free(&other);
		whole.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	imalog_quote_free(&quote);
	bytes_free(&whole);
}

TEST(names_of_checks)
{
	CHECK_STR(imalog_quote_check_name(IMALOG_QUOTE_SIGNATURE), "signature");
	CHECK_STR(imalog_quote_check_name(IMALOG_QUOTE_LOG), "log");
	for (int i = 0; i < IMALOG_QUOTE_CHECKS; i++)
		CHECK(imalog_quote_check_name((enum imalog_quote_check)i)[0]);
	CHECK_STR(imalog_quote_check_name((enum imalog_quote_check)99), "unknown check");
}

TEST_MAIN(CASE(a_quote_of_tpm2_quote), CASE(the_size_before_it_changes_nothing),
	  CASE(many_pcrs_in_bitmaps_of_all_sizes), CASE(banks_without_a_name),
	  CASE(not_made_by_a_tpm), CASE(other_attestations),
	  CASE(what_is_nothing_of_the_kind), CASE(cut_at_every_byte),
	  CASE(bytes_left_over), CASE(sizes_that_lie), CASE(values_beyond_the_limits),
	  CASE(longest_of_everything), CASE(every_bit_is_part_of_some_field),
	  CASE(names_of_checks))
