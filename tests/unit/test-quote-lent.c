// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/quote-match.c: values from elsewhere of PCRs that the log extends later */
#include "quote-search.h"

static struct imalog_quote *quote_pcrs(const struct model *model, uint64_t pcrs)
{
	struct attest attest = usual;

	attest.banks[0].pcrs = pcrs;
	return quote_now(model, attest, perbank, "SHA256", IMALOG_ALG_SHA256);
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

/* Should the log be covered up to @at?  @reason: of the verdict on the log, may be NULL */
static void check(struct imalog_quote *quote, const struct model *log,
		  const struct imalog_pcrs *others, uint64_t at, enum imalog_verdict should,
		  const char *reason)
{
	struct search search = search_new(quote, others);

	search_run(&search, built(&log->list));
	CHECK_INT(search.at, at);
	CHECK_VERDICT(quote, SELECTION, IMALOG_MATCH);
	CHECK_VERDICT(quote, DIGEST, IMALOG_MATCH);
	CHECK_VERDICT(quote, LOG, should);
	if (reason)
		CHECK_STR(imalog_quote_reason(quote, IMALOG_QUOTE_LOG), reason);
	search_free(&search);
}

/* Records of PCR 10, then two of PCR 11 */
static void start_both(struct model *model, int n, uint8_t tag)
{
	start_with(model, n);
	add(model, 11, tag, "/in/pcr/11");
	add(model, 11, (uint8_t)(tag + 1), "/in/pcr/11");
}

TEST(records_of_a_given_pcr)
{
	struct model honest, forged;
	struct imalog_quote *quote;
	struct imalog_pcrs *given;

	NEED_QUOTES();
	start_both(&honest, 5, 0x20);
	start_both(&forged, 5, 0x30);
	quote = quote_pcrs(&honest, 3 << 10);
	given = values_of(&honest, 1 << 11);
	check(quote, &honest, given, 7, IMALOG_MATCH, "covers up to record 7");
	check(quote, &forged, given, 5, IMALOG_NOT_CHECKED,
	      "a value was given or assumed for PCR 11, which record 6 extends");
	/* What is later than what the quote covers changes neither. */
	for (int i = 0; i < 2; i++) {
		add(&honest, 11 - (uint32_t)i, 0x50, "/later");
		add(&forged, 11 - (uint32_t)i, 0x50, "/later");
		check(quote, &honest, given, 7, IMALOG_MATCH, NULL);
		check(quote, &forged, given, 5, IMALOG_NOT_CHECKED, NULL);
	}
	imalog_pcrs_free(&given);
	imalog_quote_free(&quote);
	build_free(&honest.list);
	build_free(&forged.list);
}

/* One after the other, the search takes the log's own values for them. */
TEST(several_given_pcrs)
{
	struct model honest, forged;
	struct imalog_quote *quote;
	struct imalog_pcrs *given;

	NEED_QUOTES();
	start_both(&honest, 2, 0x20);
	start_both(&forged, 2, 0x20);
	add(&honest, 12, 0x40, "/in/pcr/12");
	add(&forged, 12, 0x41, "/in/pcr/12");
	memset(honest.pcrs[PERBANK][1][4], 4, 32);
	quote = quote_pcrs(&honest, 7 << 10 | 1 << 4);
	given = values_of(&honest, 7 << 10 | 1 << 4);
	check(quote, &honest, given, 5, IMALOG_MATCH, NULL);
	check(quote, &forged, given, 4, IMALOG_NOT_CHECKED,
	      "a value was given or assumed for PCR 12, which record 5 extends");
	/* Its given value may be an earlier one: nothing says so. */
	add(&honest, 4, 0x42, "/in/pcr/4");
	check(quote, &honest, given, 5, IMALOG_NOT_CHECKED,
	      "a value was given or assumed for PCR 4, which record 6 extends");
	imalog_pcrs_free(&given);
	imalog_quote_free(&quote);
	build_free(&honest.list);
	build_free(&forged.list);
}

/* A replay starts with zeros: given ones are the log's own, those of a DRTM's reset not. */
TEST(values_of_a_reset)
{
	struct model model;
	struct imalog_quote *quote;
	struct imalog_pcrs *given;

	NEED_QUOTES();
	start_with(&model, 2);
	quote = quote_pcrs(&model, 3 << 10 | 1 << 17);
	given = values_of(&model, 1 << 11);
	add(&model, 11, 0x20, "/in/pcr/11");
	check(quote, &model, given, 2, IMALOG_MATCH, NULL);
	check(quote, &model, NULL, 2, IMALOG_MATCH, NULL);
	add(&model, 17, 0x21, "/in/pcr/17");
	check(quote, &model, NULL, 2, IMALOG_NOT_CHECKED,
	      "a value was given or assumed for PCR 17, which record 4 extends");
	imalog_pcrs_free(&given);
	imalog_quote_free(&quote);
	build_free(&model.list);
}

/* What is wrong with the records that are covered is said rather than that. */
TEST(given_pcrs_of_a_log_with_bad_records)
{
	struct model honest, forged;
	struct imalog_quote *quote;
	struct imalog_pcrs *given;

	NEED_QUOTES();
	start_both(&honest, 2, 0x20);
	start_both(&forged, 2, 0x30);
	quote = quote_pcrs(&honest, 3 << 10);
	given = values_of(&honest, 1 << 11);
	honest.list.data[4] ^= 1;
	forged.list.data[4] ^= 1;
	check(quote, &honest, given, 4, IMALOG_MISMATCH, NULL);
	check(quote, &forged, given, 2, IMALOG_MISMATCH, NULL);
	imalog_pcrs_free(&given);
	imalog_quote_free(&quote);
	build_free(&honest.list);
	build_free(&forged.list);
}

TEST_MAIN(CASE(records_of_a_given_pcr), CASE(several_given_pcrs), CASE(values_of_a_reset),
	  CASE(given_pcrs_of_a_log_with_bad_records))
