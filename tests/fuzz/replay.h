/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays for the fuzz targets: they agree with each other and with a plain one. */
#ifndef REPLAY_H
#define REPLAY_H

#include <openssl/evp.h>

#include "list.h"

/* The plain one: a PCR of one bank, with OpenSSL alone. */
struct plain {
	enum imalog_alg bank;
	const EVP_MD *md;
	uint64_t extends[IMALOG_PCR_MAX + 1];
	bool lost[IMALOG_PCR_MAX + 1]; /* of another bank alone */
	uint8_t values[IMALOG_PCR_MAX + 1][IMALOG_DIGEST_MAX];
};

static const char *const plain_names[IMALOG_ALG_COUNT] = {
	"",    "SHA1",	   "SHA256",   "SHA384",   "SHA512",
	"SM3", "SHA3-256", "SHA3-384", "SHA3-512",
};

FUZZ_FN void plain_digest(EVP_MD_CTX *ctx, const struct imalog_record *record)
{
	uint8_t *turned = fuzz_alloc(record->data.size);
	static const uint8_t zeros[256];

	if (is_ima(record)) {
		EVP_DigestUpdate(ctx, record->fields[0].data.data,
				 record->fields[0].data.size);
		EVP_DigestUpdate(ctx, record->fields[1].data.data,
				 record->fields[1].data.size);
		EVP_DigestUpdate(ctx, zeros, 256 - record->fields[1].data.size);
	} else if (record->hash_order == record->order) {
		EVP_DigestUpdate(ctx, record->data.data, record->data.size);
	} else {
		imalog_template_swap(record, turned);
		EVP_DigestUpdate(ctx, turned, record->data.size);
	}
	free(turned);
}

/* For imalog_replay_on_record(). */
FUZZ_FN void plain_extend(void *arg, const struct imalog_record *record)
{
	struct plain *plain = arg;
	uint8_t *value = plain->values[record->index], digest[IMALOG_DIGEST_MAX];
	size_t size = imalog_alg_size(plain->bank);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	plain->extends[record->index]++;
	memset(digest, 0xff, sizeof(digest));
	if (record->content == IMALOG_CONTENT_TEMPLATE && !record->violation) {
		MUST(EVP_DigestInit_ex(ctx, plain->md, NULL));
		plain_digest(ctx, record);
		MUST(EVP_DigestFinal_ex(ctx, digest, NULL));
	} else if (!record->violation) {
		struct imalog_span recorded = record->digests[0].span;

		plain->lost[record->index] |= record->digests[0].alg != plain->bank;

		memset(digest, 0, sizeof(digest));
		memcpy(digest, recorded.data,
		       recorded.size < size ? recorded.size : size);
	}
	MUST(EVP_DigestInit_ex(ctx, plain->md, NULL));
	EVP_DigestUpdate(ctx, value, size);
	EVP_DigestUpdate(ctx, digest, size);
	MUST(EVP_DigestFinal_ex(ctx, value, NULL));
	EVP_MD_CTX_free(ctx);
}

FUZZ_FN void plain_compare(const struct plain *plain, const struct imalog_pcrs *pcrs)
{
	for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++) {
		const uint8_t *value = imalog_pcrs_get(pcrs, plain->bank, pcr);

		if (plain->lost[pcr])
			MUST(!value);
		else
			MUST(!value == !plain->extends[pcr]);
		MUST(!value || memcmp(value, plain->values[pcr],
				      imalog_alg_size(plain->bank)) == 0);
	}
}

/* ---- replays ---- */

struct replayed {
	struct imalog_replay *replay;
	int rc;
	uint64_t problems;
	uint64_t bad; /* those whose digest does not fit */
};

FUZZ_FN void count_problem(void *arg, const struct imalog_record *record,
			   enum imalog_problem problem)
{
	struct replayed *replayed = arg;

	MUST(!record->violation);
	MUST(strcmp(imalog_problem_text(problem), "unknown problem") != 0);
	replayed->problems++;
	replayed->bad += problem != IMALOG_PROBLEM_OPAQUE;
}

/* All banks; the PCR of the option starts from something else than zeros in its bank. */
FUZZ_FN struct replayed replay_new(const struct list *list, enum imalog_padding padding)
{
	struct replayed replayed = { .replay = imalog_replay_new() };
	static const uint8_t ones[IMALOG_DIGEST_MAX] = { 1, 1, 1 };
	struct imalog_span start = { ones, imalog_alg_size(list->bank) };

	MUST(replayed.replay);
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		MUST(imalog_replay_add_bank(replayed.replay, (enum imalog_alg)alg,
					    NULL) == 0);
	imalog_replay_set_padding(replayed.replay, padding);
	MUST(imalog_replay_start(replayed.replay, list->bank, list->start_pcr, start,
				 NULL) == 0);
	return replayed;
}

FUZZ_FN void replay_expect(struct replayed *replayed, const struct imalog_pcrs *pcrs)
{
	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		struct imalog_span value;
		enum imalog_alg alg;
		uint32_t pcr;

		value.data = imalog_pcrs_at(pcrs, i, &alg, &pcr);
		value.size = imalog_alg_size(alg);
		if (i % 2)
			MUST(imalog_replay_expect(replayed->replay, alg, pcr, value,
						  NULL) == 0);
		else
			MUST(imalog_replay_offer(replayed->replay, alg, pcr, value,
						 NULL) == 0);
	}
}

FUZZ_FN void replay_bytes(struct replayed *replayed, const struct list *list,
			  struct imalog_span bytes)
{
	struct imalog_source *source =
		imalog_source_from_memory(bytes.data, bytes.size, "log");
	struct imalog_reader *reader = list_reader(list, source);
	struct imalog_error *error = imalog_error_new();

	MUST(reader && error);
	imalog_reader_set_first_record(reader,
				       imalog_replay_records(replayed->replay) + 1);
	imalog_replay_on_problem(replayed->replay, count_problem, replayed);
	replayed->rc = imalog_replay_run(replayed->replay, reader, error);
	if (replayed->rc < 0)
		fuzz_check_error(error, replayed->rc);
	MUST(imalog_replay_problems(replayed->replay) == replayed->problems);
	MUST(!imalog_replay_first_problem(replayed->replay) == !replayed->problems);
	imalog_error_free(&error);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
}

/* The computed values; the replay is over. */
FUZZ_FN struct imalog_pcrs *replay_end(struct replayed *replayed)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	MUST(pcrs && imalog_replay_pcrs(replayed->replay, pcrs, NULL) == 0);
	imalog_replay_free(&replayed->replay);
	return pcrs;
}

FUZZ_FN void replay_must_agree(const struct imalog_pcrs *a, const struct imalog_pcrs *b)
{
	MUST(imalog_pcrs_count(a) == imalog_pcrs_count(b));
	for (size_t i = 0; i < imalog_pcrs_count(a); i++) {
		enum imalog_alg alg, other_alg;
		uint32_t pcr, other_pcr;
		const uint8_t *value = imalog_pcrs_at(a, i, &alg, &pcr);
		const uint8_t *other = imalog_pcrs_at(b, i, &other_alg, &other_pcr);

		MUST(alg == other_alg && pcr == other_pcr);
		MUST(memcmp(value, other, imalog_alg_size(alg)) == 0);
	}
}

/* What was computed matches when it is expected, after the last record or before. */
FUZZ_FN void replay_check_match(const struct list *list, const struct imalog_pcrs *pcrs,
				const struct seen *whole, enum imalog_padding padding)
{
	struct replayed replayed = replay_new(list, padding);
	enum imalog_verdict verdict;
	uint64_t at = 0;

	replay_expect(&replayed, pcrs);
	replay_bytes(&replayed, list, list->bytes);
	verdict = imalog_replay_verdict(replayed.replay, &at);
	MUST(imalog_replay_checks(replayed.replay) == imalog_pcrs_count(pcrs));
	MUST(at <= whole->records);
	if (replayed.problems)
		MUST(verdict != IMALOG_MATCH);
	else
		MUST(verdict == (whole->records ? IMALOG_MATCH : IMALOG_NOT_CHECKED));
	MUST(strcmp(imalog_verdict_name(verdict), "") != 0);
	for (size_t i = 0; i < imalog_replay_checks(replayed.replay); i++) {
		struct imalog_check check;

		imalog_replay_check(replayed.replay, i, &check);
		MUST(check.verdict == IMALOG_MATCH && check.extends);
		MUST(check.matched_at && check.matched_at <= check.matched_to);
		MUST(check.matched_to == whole->records);
	}
	imalog_replay_free(&replayed.replay);
}

/*
 * Who reads the rest alone tells the algorithm from records whose digest can be computed; one
 * that cannot be is taken for the usual one of its size.
 */
FUZZ_FN bool replay_can_split(const struct replayed *replayed, const struct seen *whole)
{
	return !replayed->problems || whole->digest_alg == IMALOG_ALG_SHA1 ||
	       whole->digest_alg == IMALOG_ALG_SHA256 ||
	       whole->digest_alg == IMALOG_ALG_SHA384 ||
	       whole->digest_alg == IMALOG_ALG_SHA512;
}

/* The records up to the cut and those behind it are replayed from two readers. */
FUZZ_FN void replay_check_split(const struct list *list, const struct imalog_pcrs *pcrs,
				const struct seen *whole, uint64_t violations)
{
	struct replayed replayed = replay_new(list, IMALOG_PADDING_PERBANK);
	struct imalog_span first = list->bytes, rest = list->bytes;
	struct list known = *list;
	struct imalog_pcrs *again;

	known.format = whole->format;
	known.order = whole->order;
	known.digest_size = whole->digest_size;
	first.size = whole->split;
	rest.data += first.size;
	rest.size -= first.size;
	replay_bytes(&replayed, &known, first);
	MUST(replayed.rc == 0);
	replay_bytes(&replayed, &known, rest);
	MUST(replayed.rc == whole->rc);
	MUST(imalog_replay_records(replayed.replay) == whole->records);
	MUST(imalog_replay_violations(replayed.replay) == violations);
	again = replay_end(&replayed);
	replay_must_agree(pcrs, again);
	imalog_pcrs_free(&again);
}

/* A value with one wrong bit */
FUZZ_FN void replay_check_wrong(const struct list *list, const struct imalog_pcrs *pcrs)
{
	struct replayed replayed = replay_new(list, IMALOG_PADDING_AUTO);
	uint8_t wrong[IMALOG_DIGEST_MAX] = { 0 };
	struct imalog_span value = { wrong, 0 };
	struct imalog_check check;
	enum imalog_alg alg;
	uint32_t pcr;

	memcpy(wrong,
	       imalog_pcrs_at(pcrs, list->cut % imalog_pcrs_count(pcrs), &alg, &pcr),
	       imalog_alg_size(alg));
	wrong[0] ^= 1;
	value.size = imalog_alg_size(alg);
	MUST(imalog_replay_expect(replayed.replay, alg, pcr, value, NULL) == 0);
	replay_bytes(&replayed, list, list->bytes);
	MUST(imalog_replay_checks(replayed.replay) == 1);
	imalog_replay_check(replayed.replay, 0, &check);
	MUST(check.verdict != IMALOG_MATCH && check.pcr == pcr && check.bank == alg);
	MUST(imalog_replay_verdict(replayed.replay, NULL) != IMALOG_MATCH);
	imalog_replay_free(&replayed.replay);
}

/* In each way of padding */
FUZZ_FN void replay_check(const struct list *list, const struct seen *whole)
{
	static const enum imalog_padding paddings[] = { IMALOG_PADDING_PERBANK,
							IMALOG_PADDING_SHA1 };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(paddings); i++) {
		struct replayed replayed = replay_new(list, paddings[i]);
		struct plain plain = { .bank = list->bank };
		struct imalog_pcrs *pcrs;
		uint64_t violations;

		plain.md = EVP_get_digestbyname(plain_names[list->bank]);
		MUST(plain.md);
		memcpy(plain.values[list->start_pcr], "\1\1\1", 3);
		imalog_replay_on_record(replayed.replay, plain_extend, &plain);
		replay_bytes(&replayed, list, list->bytes);
		MUST(replayed.rc == whole->rc);
		MUST(imalog_replay_records(replayed.replay) == whole->records);
		violations = imalog_replay_violations(replayed.replay);
		pcrs = replay_end(&replayed);
		/* A bad record's digest is one of several that it might have been. */
		if (paddings[i] == IMALOG_PADDING_PERBANK && !replayed.bad) {
			plain_compare(&plain, pcrs);
			if (replay_can_split(&replayed, whole))
				replay_check_split(list, pcrs, whole, violations);
		}
		/* There are none when no digest of the list is one that a bank was extended with. */
		if (imalog_pcrs_count(pcrs))
			replay_check_wrong(list, pcrs);
		/* What is bad in one way of padding is not in another, nor its digest the same. */
		if (paddings[i] != IMALOG_PADDING_PERBANK || !replayed.bad)
			replay_check_match(list, pcrs, whole, IMALOG_PADDING_AUTO);
		imalog_pcrs_free(&pcrs);
	}
}

#endif /* REPLAY_H */
