/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searches for the records that a quote covers, and a model that computes PCR values on
 * its own, so that there are quotes of logs made by hand.
 */
#ifndef TEST_QUOTE_SEARCH_H
#define TEST_QUOTE_SEARCH_H

#include "quote.h"

/* ---- the model ---- */

enum {
	PERBANK,
	PADDED,
	SHORT,
	VARIANTS
};

/* A log, and the PCRs that a kernel extends with it, in the three ways that there are */
struct model {
	struct build list;
	uint8_t pcrs[VARIANTS][BANKS][24][IMALOG_DIGEST_MAX];
};

TEST_FN void extend(struct model *model, int variant, size_t bank, uint32_t pcr,
		    const uint8_t *digest)
{
	uint8_t joined[2 * IMALOG_DIGEST_MAX], *value = model->pcrs[variant][bank][pcr];

	memcpy(joined, value, banks[bank].size);
	memcpy(joined + banks[bank].size, digest, banks[bank].size);
	hash_of(banks[bank].evp, span_of(joined, 2 * banks[bank].size), value);
}

/* A record of template ima-ng, or a violation when @fill is 0 */
TEST_FN void add(struct model *model, uint32_t pcr, uint8_t fill, const char *name)
{
	struct build data = { .order = IMALOG_ORDER_LE };
	size_t start = model->list.size;

	put_ng(&model->list, fill, name);
	model->list.data[start] = (uint8_t)pcr;
	put_d_ng(&data, fill);
	put_name(&data, name);
	for (size_t bank = 0; bank < BANKS; bank++) {
		for (int variant = 0; variant < VARIANTS; variant++) {
			uint8_t digest[IMALOG_DIGEST_MAX] = { 0 };
			bool padded = bank && variant != PERBANK;

			if (fill == 0)
				memset(digest, 0xff,
				       bank && variant == SHORT ? 20 : banks[bank].size);
			else
				hash_of(padded ? "SHA1" : banks[bank].evp, built(&data),
					digest);
			extend(model, variant, bank, pcr, digest);
		}
	}
	build_free(&data);
}

TEST_FN void start(struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->list.order = IMALOG_ORDER_LE;
	for (int pcr = 17; pcr <= 22; pcr++)
		for (size_t i = 0; i < VARIANTS * BANKS; i++)
			memset(model->pcrs[i / BANKS][i % BANKS][pcr], 0xff,
			       IMALOG_DIGEST_MAX);
}

/* A log of @n records in PCR 10 */
TEST_FN void start_with(struct model *model, int n)
{
	start(model);
	for (int i = 0; i < n; i++)
		add(model, 10, (uint8_t)(i + 1), "/some/file");
}

/* Quotes the model's PCRs as they are, with @variants of each bank. */
TEST_FN struct imalog_quote *quote_now(const struct model *model, struct attest attest,
				       const int variants[BANKS], const char *hash,
				       enum imalog_alg alg)
{
	struct build values = { .order = IMALOG_ORDER_BE };
	uint8_t digest[IMALOG_DIGEST_MAX];
	struct imalog_quote *quote;

	for (uint32_t i = 0; i < attest.nr_banks; i++) {
		size_t bank = attest.banks[i].id == SHA1_ID ?
				      0 :
				      attest.banks[i].id - SHA256_ID + 1;

		for (int pcr = 0; pcr < 24; pcr++)
			if (attest.banks[i].pcrs >> pcr & 1)
				put(&values, model->pcrs[variants[bank]][bank][pcr],
				    banks[bank].size);
	}
	hash_of(hash, built(&values), digest);
	attest.digest = span_of(digest, imalog_alg_size(alg));
	quote = quote_of(&attest);
	if (!quote)
		BAIL_OUT("no quote");
	imalog_quote_set_hash(quote, alg);
	build_free(&values);
	return quote;
}

static const int perbank[BANKS] __attribute__((unused)) = { PERBANK, PERBANK, PERBANK };

TEST_FN struct imalog_quote *quote_usual(const struct model *model)
{
	return quote_now(model, usual, perbank, "SHA256", IMALOG_ALG_SHA256);
}

/* ---- the search ---- */

struct search {
	struct imalog_replay *replay;
	struct imalog_quote_match *match;
	uint64_t at;
};

TEST_FN void search_feed(void *match, const struct imalog_record *record)
{
	imalog_quote_match_feed(match, record);
}

TEST_FN struct search search_new(struct imalog_quote *quote,
				 const struct imalog_pcrs *others)
{
	struct search search = { imalog_replay_new(), NULL, 0 };

	if (imalog_quote_match_new(quote, search.replay, others, &search.match, NULL) < 0)
		BAIL_OUT("no search");
	imalog_replay_on_record(search.replay, search_feed, search.match);
	return search;
}

TEST_FN void search_run(struct search *search, struct imalog_span list)
{
	struct log log = log_open(list);

	imalog_reader_set_order(log.reader, IMALOG_ORDER_LE);
	imalog_reader_set_digest_size(log.reader, 20);
	CHECK_INT(imalog_replay_run(search->replay, log.reader, NULL), 0);
	CHECK_INT(imalog_quote_match_finish(search->match, NULL), 0);
	search->at = imalog_quote_match_at(search->match);
	log_close(&log);
}

TEST_FN void search_free(struct search *search)
{
	imalog_quote_match_free(&search->match);
	imalog_replay_free(&search->replay);
}

#define CHECK_VERDICTS(quote, selection, digest, log)                \
	do {                                                         \
		CHECK_VERDICT(quote, SELECTION, IMALOG_##selection); \
		CHECK_VERDICT(quote, DIGEST, IMALOG_##digest);       \
		CHECK_VERDICT(quote, LOG, IMALOG_##log);             \
	} while (0)

#endif /* TEST_QUOTE_SEARCH_H */
