// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/quote-match.c and lib/quote-values.c: which values a quote signs, which records it
 * covers. */
#include "quote-search.h"

/* ---- prefixes ---- */

/* Searches and forgets; returns where it matched. */
static uint64_t find(struct imalog_quote *quote, const struct model *model,
		     const struct imalog_pcrs *others)
{
	struct search search = search_new(quote, others);

	search_run(&search, built(&model->list));
	search_free(&search);
	return search.at;
}

TEST(the_shortest_prefix)
{
	struct model model;

	NEED_QUOTES();
	for (int covered = 1; covered <= 300; covered += covered < 4 ? 1 : 124) {
		struct imalog_quote *quote;

		test_note("%d records", covered);
		start_with(&model, covered);
		quote = quote_usual(&model);
		CHECK_INT(find(quote, &model, NULL), covered);
		CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
		add(&model, 10, 0x77, "/a/later/one");
		add(&model, 10, 0, "/a/violation");
		CHECK_INT(find(quote, &model, NULL), covered);
		CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
		imalog_quote_free(&quote);
		build_free(&model.list);
	}
}

TEST(logs_that_lead_elsewhere)
{
	struct model model, other;
	struct imalog_quote *quote;

	NEED_QUOTES();
	start_with(&model, 5);
	quote = quote_usual(&model);
	start_with(&other, 4);
	CHECK_INT(find(quote, &other, NULL), 0);
	CHECK_VERDICTS(quote, MATCH, MISMATCH, MISMATCH);
	add(&other, 10, 6, "/some/file");
	add(&other, 10, 5, "/some/file");
	CHECK_INT(find(quote, &other, NULL), 0);
	CHECK_VERDICTS(quote, MATCH, MISMATCH, MISMATCH);
	imalog_quote_free(&quote);
	build_free(&model.list);
	build_free(&other.list);
}

TEST(every_hash_of_the_digest)
{
	static const struct {
		const char *evp;
		enum imalog_alg alg;
	} hashes[] = { { "SHA1", IMALOG_ALG_SHA1 },
		       { "SHA256", IMALOG_ALG_SHA256 },
		       { "SHA384", IMALOG_ALG_SHA384 },
		       { "SHA512", IMALOG_ALG_SHA512 },
		       { "SHA3-256", IMALOG_ALG_SHA3_256 } };
	struct model model;

	NEED_QUOTES();
	start_with(&model, 3);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(hashes); i++) {
		struct imalog_quote *quote =
			quote_now(&model, usual, perbank, hashes[i].evp, hashes[i].alg);

		test_note("%s", hashes[i].evp);
		CHECK_INT(find(quote, &model, NULL), 3);
		imalog_quote_set_hash(quote, hashes[(i + 1) % 5].alg);
		CHECK_INT(find(quote, &model, NULL), 0);
		CHECK_VERDICTS(quote, MATCH, MISMATCH, MISMATCH);
		imalog_quote_set_hash(quote, IMALOG_ALG_NONE);
		CHECK_INT(find(quote, &model, NULL), 0);
		CHECK_VERDICTS(quote, MATCH, NOT_CHECKED, NOT_CHECKED);
		imalog_quote_free(&quote);
	}
	build_free(&model.list);
}

/* ---- banks and what they were extended with ---- */

static const struct attest three_banks = {
	.magic = MAGIC,
	.type = QUOTE,
	.nr_banks = 3,
	.banks = { { SHA384_ID, 3, 1 << 10 },
		   { SHA1_ID, 3, 1 << 10 },
		   { SHA256_ID, 4, 1 << 10 } },
};

TEST(every_variant_of_every_bank)
{
	NEED_QUOTES();
	for (int mix = 0; mix < 18; mix++) {
		int variants[BANKS] = { PERBANK, mix % 3, mix / 3 % 3 };
		bool both = variants[1] && variants[2] && variants[1] != variants[2];
		struct model model;
		struct search search;
		struct imalog_quote *quote;

		start_with(&model, 3);
		if (mix >= 9)
			add(&model, 10, 0, "/violation");
		add(&model, 10, 9, "/last");
		quote = quote_now(&model, three_banks, variants, "SHA256",
				  IMALOG_ALG_SHA256);
		test_note("variants %d and %d, %d records", variants[1], variants[2],
			  mix >= 9 ? 5 : 4);
		search = search_new(quote, NULL);
		search_run(&search, built(&model.list));
		/* No kernel pads one bank in this and another in that way. */
		CHECK_INT(search.at, mix < 9 ? 4 : both ? 0 : 5);
		CHECK_VERDICT(quote, LOG, search.at ? IMALOG_MATCH : IMALOG_MISMATCH);
		for (size_t bank = 0; bank < BANKS && search.at; bank++)
			CHECK_INT(imalog_quote_match_padding(search.match,
							     banks[bank].alg),
				  variants[bank] ? IMALOG_PADDING_SHA1 :
						   IMALOG_PADDING_PERBANK);
		search_free(&search);
		imalog_quote_free(&quote);
		build_free(&model.list);
	}
}

TEST(padding_is_the_callers_choice)
{
	static const int padded[BANKS] = { PERBANK, PADDED, PADDED };
	struct model model;

	NEED_QUOTES();
	start_with(&model, 3);
	for (int i = 0; i < 4; i++) {
		struct imalog_quote *quote = quote_now(&model, three_banks,
						       i % 2 ? padded : perbank, "SHA256",
						       IMALOG_ALG_SHA256);
		struct search search = search_new(quote, NULL);

		imalog_replay_set_padding(search.replay, i / 2 ? IMALOG_PADDING_SHA1 :
								 IMALOG_PADDING_PERBANK);
		search_run(&search, built(&model.list));
		CHECK_INT(search.at, i % 2 == i / 2 ? 3 : 0);
		CHECK_VERDICT(quote, LOG, search.at ? IMALOG_MATCH : IMALOG_MISMATCH);
		if (!search.at)
			CHECK_INT(imalog_quote_match_padding(search.match,
							     IMALOG_ALG_SHA256),
				  IMALOG_PADDING_AUTO);
		search_free(&search);
		imalog_quote_free(&quote);
	}
	build_free(&model.list);
}

TEST(banks_that_are_not_known)
{
	struct attest attest = usual;
	struct model model;
	struct imalog_quote *quote;

	NEED_QUOTES();
	start_with(&model, 3);
	attest.nr_banks = 2;
	attest.banks[1].id = 0x7777;
	attest.banks[1].size = 3;
	attest.banks[1].pcrs = 1;
	quote = quote_of(&attest);
	REQUIRE(quote);
	imalog_quote_set_hash(quote, IMALOG_ALG_SHA256);
	CHECK_INT(find(quote, &model, NULL), 0);
	CHECK_VERDICTS(quote, MATCH, NOT_CHECKED, NOT_CHECKED);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

/* ---- PCRs ---- */

static struct attest with_pcrs(uint64_t pcrs)
{
	struct attest attest = usual;

	attest.banks[0].pcrs = pcrs;
	return attest;
}

static struct imalog_quote *quote_pcrs(const struct model *model, uint64_t pcrs)
{
	return quote_now(model, with_pcrs(pcrs), perbank, "SHA256", IMALOG_ALG_SHA256);
}

TEST(two_pcrs_of_one_log)
{
	struct model model;
	struct imalog_quote *early, *late, *one;

	NEED_QUOTES();
	start_with(&model, 2);
	early = quote_pcrs(&model, 3 << 10);
	add(&model, 11, 0x11, "/in/pcr/11");
	add(&model, 10, 0x12, "/in/pcr/10");
	late = quote_pcrs(&model, 3 << 10);
	one = quote_pcrs(&model, 1 << 10);
	add(&model, 11, 0x13, "/later");
	/* PCR 11 was not extended then: the digest says so. */
	CHECK_INT(find(early, &model, NULL), 2);
	CHECK_VERDICTS(early, MATCH, MATCH, MATCH);
	CHECK_INT(find(late, &model, NULL), 4);
	CHECK_VERDICTS(late, MATCH, MATCH, MATCH);
	/* PCR 10 is right, but what stands in PCR 11 was not signed. */
	CHECK_INT(find(one, &model, NULL), 4);
	CHECK_VERDICTS(one, MISMATCH, MATCH, NOT_CHECKED);
	imalog_quote_free(&early);
	imalog_quote_free(&late);
	imalog_quote_free(&one);
	build_free(&model.list);
}

TEST(unsigned_pcrs_behind_what_is_covered)
{
	struct model model;
	struct imalog_quote *quote;

	NEED_QUOTES();
	start_with(&model, 2);
	quote = quote_usual(&model);
	add(&model, 11, 0x11, "/in/pcr/11");
	CHECK_INT(find(quote, &model, NULL), 2);
	CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

TEST(a_selection_without_the_pcr)
{
	struct model model;
	struct imalog_quote *quote;

	NEED_QUOTES();
	start_with(&model, 2);
	quote = quote_pcrs(&model, 1 << 11);
	CHECK_INT(find(quote, &model, NULL), 0);
	CHECK_VERDICTS(quote, MISMATCH, MATCH,
		       NOT_CHECKED); /* PCR 11 is as after a reset */
	imalog_quote_free(&quote);
	quote = quote_pcrs(&model, 0);
	CHECK_INT(find(quote, &model, NULL), 0);
	CHECK_VERDICTS(quote, MISMATCH, NOT_CHECKED, NOT_CHECKED);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

TEST(an_empty_log)
{
	struct model model;
	struct imalog_quote *quote;

	NEED_QUOTES();
	start(&model);
	put(&model.list, "", 0);
	quote = quote_usual(&model); /* PCR 10 is all zeros */
	CHECK_INT(find(quote, &model, NULL), 0);
	CHECK_VERDICTS(quote, NOT_CHECKED, MATCH, NOT_CHECKED);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

static struct imalog_pcrs *values_of(const struct model *model, uint64_t pcrs)
{
	struct imalog_pcrs *set = imalog_pcrs_new();

	for (uint32_t pcr = 0; pcr < 24; pcr++)
		if (pcrs >> pcr & 1)
			imalog_pcrs_set(set, IMALOG_ALG_SHA256, pcr,
					span_of(model->pcrs[PERBANK][1][pcr], 32), NULL);
	return set;
}

TEST(values_from_elsewhere)
{
	struct model model;
	struct imalog_quote *quote;
	struct imalog_pcrs *all, *some;
	struct search search;
	enum imalog_alg alg;
	uint32_t pcr;

	NEED_QUOTES();
	start_with(&model, 3);
	for (uint32_t i = 0; i < 8; i++)
		memset(model.pcrs[PERBANK][1][i], (int)i + 1, 32);
	quote = quote_pcrs(&model, 0xff | 1 << 10 | 1 << 11 | 1 << 17);
	all = values_of(&model, 0xff);
	some = values_of(&model, 0x7f);
	CHECK_INT(find(quote, &model, all), 3);
	CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
	search = search_new(quote, some);
	search_run(&search, built(&model.list));
	CHECK_INT(search.at, 0);
	CHECK_VERDICTS(quote, MATCH, NOT_CHECKED, NOT_CHECKED);
	CHECK(imalog_quote_match_missing(search.match, 0, &alg, &pcr));
	CHECK(alg == IMALOG_ALG_SHA256 && pcr == 7);
	CHECK(imalog_quote_match_missing(search.match, 2, &alg, &pcr) && pcr == 17);
	CHECK(!imalog_quote_match_missing(search.match, 3, &alg, &pcr));
	CHECK_STR(imalog_quote_reason(quote, IMALOG_QUOTE_LOG),
		  "values of PCRs are not known: sha256:7,11,17");
	search_free(&search);
	CHECK_INT(find(quote, &model, NULL), 0);
	CHECK_VERDICTS(quote, MATCH, NOT_CHECKED, NOT_CHECKED);
	imalog_pcrs_free(&all);
	imalog_pcrs_free(&some);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

TEST(wrong_values_from_elsewhere)
{
	struct model model, other;
	struct imalog_quote *quote;
	struct imalog_pcrs *wrong;

	NEED_QUOTES();
	start_with(&model, 3);
	quote = quote_pcrs(&model, 1 << 10 | 1);
	other = model;
	memset(other.pcrs[PERBANK][1], 0xee, sizeof(other.pcrs[PERBANK][1]));
	wrong = values_of(&other, 1);
	CHECK_INT(find(quote, &model, wrong), 0);
	CHECK_VERDICTS(quote, MATCH, MISMATCH, MISMATCH);
	imalog_quote_free(&quote);
	/* More than was signed, and another value of what the log tells: neither is used.
	 */
	imalog_pcrs_free(&wrong);
	wrong = values_of(&other, 0xffffff);
	quote = quote_usual(&model);
	CHECK_INT(find(quote, &model, wrong), 3);
	CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
	imalog_pcrs_free(&wrong);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

/* The values alone are the signed ones, so it is the log that is wrong. */
TEST(right_values_and_a_wrong_log)
{
	struct model model, other;
	struct imalog_quote *quote;
	struct imalog_pcrs *right;

	NEED_QUOTES();
	start_with(&model, 3);
	start_with(&other, 2);
	quote = quote_usual(&model);
	right = values_of(&model, 1 << 10);
	CHECK_INT(find(quote, &other, right), 0);
	CHECK_VERDICTS(quote, MATCH, MATCH, MISMATCH);
	imalog_pcrs_free(&right);
	imalog_quote_free(&quote);
	build_free(&model.list);
	build_free(&other.list);
}

/* ---- values alone ---- */

TEST(digests_of_values)
{
	struct model model;
	struct imalog_quote *quote;
	struct imalog_pcrs *all, *some;
	struct imalog_error *error = an_error();
	uint8_t digest[IMALOG_DIGEST_MAX];

	NEED_QUOTES();
	start_with(&model, 3);
	quote = quote_pcrs(&model, 1 << 10 | 1 << 4);
	all = values_of(&model, 1 << 10 | 1 << 4 | 1);
	some = values_of(&model, 1 << 10 | 1);
	CHECK_INT(imalog_quote_digest(quote, IMALOG_ALG_SHA256, all, digest, error), 0);
	CHECK_MEM(span_of(digest, 32), imalog_quote_pcr_digest(quote));
	CHECK_INT(imalog_quote_digest(quote, IMALOG_ALG_SHA1, all, digest, error), 0);
	CHECK_ERROR(error,
		    imalog_quote_digest(quote, IMALOG_ALG_SHA256, some, digest, error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	CHECK_ERROR(error,
		    imalog_quote_digest(quote, IMALOG_ALG_NONE, all, digest, error),
		    IMALOG_ERR_INVALID, 0, 0, "");
	quote->banks[0].alg = IMALOG_ALG_NONE;
	CHECK_ERROR(error,
		    imalog_quote_digest(quote, IMALOG_ALG_SHA256, all, digest, error),
		    IMALOG_ERR_UNSUPPORTED, 0, 0, "");
	imalog_error_free(&error);
	imalog_pcrs_free(&all);
	imalog_pcrs_free(&some);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

static void check_values(struct imalog_quote *quote, const struct imalog_pcrs *pcrs,
			 const struct imalog_pcrs *others, enum imalog_verdict should)
{
	CHECK_INT(imalog_quote_check_values(quote, pcrs, others, NULL), 0);
	CHECK_VERDICT(quote, DIGEST, should);
}

TEST(verdicts_on_values)
{
	struct model model;
	struct imalog_quote *quote;
	struct imalog_pcrs *ten, *four, *nothing, *wrong;

	NEED_QUOTES();
	start_with(&model, 3);
	memset(model.pcrs[PERBANK][1][4], 4, 32);
	quote = quote_pcrs(&model, 1 << 10 | 1 << 4 | 1 << 17);
	ten = values_of(&model, 1 << 10);
	four = values_of(&model, 1 << 4);
	nothing = imalog_pcrs_new();
	add(&model, 10, 0x55, "/later");
	wrong = values_of(&model, 1 << 17 | 1 << 10 | 1 << 4);
	check_values(quote, ten, four, IMALOG_MATCH);
	check_values(quote, four, ten, IMALOG_MATCH);
	check_values(quote, ten, wrong, IMALOG_MATCH); /* the first that has it */
	check_values(quote, wrong, ten, IMALOG_MISMATCH);
	check_values(quote, wrong, NULL, IMALOG_MISMATCH);
	check_values(quote, ten, NULL, IMALOG_NOT_CHECKED);
	check_values(quote, nothing, NULL, IMALOG_NOT_CHECKED);
	imalog_quote_set_hash(quote, IMALOG_ALG_SHA384);
	check_values(quote, ten, wrong, IMALOG_MISMATCH);
	imalog_quote_set_hash(quote, IMALOG_ALG_NONE);
	check_values(quote, ten, four, IMALOG_NOT_CHECKED);
	imalog_quote_set_hash(quote, IMALOG_ALG_SHA256);
	quote->banks[0].alg = IMALOG_ALG_NONE;
	check_values(quote, ten, four, IMALOG_NOT_CHECKED);
	quote->type = 0x8017;
	check_values(quote, ten, four, IMALOG_NOT_CHECKED);
	imalog_pcrs_free(&ten);
	imalog_pcrs_free(&four);
	imalog_pcrs_free(&nothing);
	imalog_pcrs_free(&wrong);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

/* ---- records that do not tell the truth ---- */

TEST(recorded_digests_that_do_not_fit)
{
	struct model model;
	struct imalog_quote *quote;

	NEED_QUOTES();
	start_with(&model, 4);
	quote = quote_usual(&model);
	model.list.data[model.list.size / 4 + 4] ^= 1; /* of the second record */
	add(&model, 10, 0x42, "/later");
	CHECK_INT(find(quote, &model, NULL), 4);
	CHECK_VERDICTS(quote, MATCH, MATCH, MISMATCH);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

TEST(a_replay_that_has_begun)
{
	struct model model;
	struct imalog_quote *quote;
	struct imalog_quote_match *match = NULL;
	struct search search;

	NEED_QUOTES();
	start_with(&model, 1);
	quote = quote_usual(&model);
	search = search_new(quote, NULL);
	search_run(&search, built(&model.list));
	CHECK_INT(imalog_quote_match_new(quote, search.replay, NULL, &match, NULL),
		  -IMALOG_ERR_INVALID);
	CHECK(!match);
	search_free(&search);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

TEST_MAIN(CASE(the_shortest_prefix), CASE(logs_that_lead_elsewhere),
	  CASE(every_hash_of_the_digest), CASE(every_variant_of_every_bank),
	  CASE(padding_is_the_callers_choice), CASE(banks_that_are_not_known),
	  CASE(two_pcrs_of_one_log), CASE(unsigned_pcrs_behind_what_is_covered),
	  CASE(a_selection_without_the_pcr), CASE(an_empty_log),
	  CASE(values_from_elsewhere), CASE(wrong_values_from_elsewhere),
	  CASE(right_values_and_a_wrong_log), CASE(digests_of_values),
	  CASE(verdicts_on_values), CASE(recorded_digests_that_do_not_fit),
	  CASE(a_replay_that_has_begun))
