/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a merge of a few pieces must come to: tries everything, and knows nothing of the library */
#ifndef TEST_MERGE_ORACLE_H
#define TEST_MERGE_ORACLE_H

#include "merge.h"

#define ORACLE_PIECES  5 /* more take too long */
#define ORACLE_RECORDS 240
#define OUTCOMES_MAX   64
#define LONGEST	       (ORACLE_RECORDS * 2)

/* Logs are texts here, with a character for each record, the same for the same. */
struct oracle {
	char pieces[ORACLE_PIECES][ORACLE_RECORDS + 1];
	size_t nr;
	struct parsed alphabet; /* a record for each character from 1 on */
	struct values anchor;
	bool recurring[256]; /* letters of a boot_aggregate */
	bool used[ORACLE_PIECES];
	size_t from[ORACLE_PIECES], to[ORACLE_PIECES]; /* what those add */
	char outcomes[OUTCOMES_MAX][LONGEST + 1];
	size_t nr_outcomes;
	bool doubtful; /* a piece may be a later one: it is not needed, or weighed by nothing */
};

TEST_FN const struct rec *rec_of(const struct oracle *oracle, char letter)
{
	return &oracle->alphabet.recs[(uint8_t)letter - 1];
}

/* The last record after which all values are those expected, 0 when there is none */
TEST_FN size_t holds_last(const struct oracle *oracle, const char *log)
{
	struct values values = { 0 };
	size_t last = 0;

	for (size_t i = 0; log[i]; i++) {
		bool holds = true;

		extend_values(&values, rec_of(oracle, log[i]));
		for (uint32_t pcr = 10; pcr <= 11; pcr++)
			if (oracle->anchor.extended[pcr] &&
			    memcmp(values.value[1][pcr], oracle->anchor.value[1][pcr], 32) != 0)
				holds = false;
		last = holds ? i + 1 : last;
	}
	return last;
}

TEST_FN bool is_explained(const struct oracle *oracle, size_t p, const char *log, size_t last)
{
	const char *at = strstr(log, oracle->pieces[p]);

	return oracle->used[p] || (at && (size_t)(at - log) < last);
}

/*
 * Which records come again: violations, the first of each kernel (see recurring), and those that
 * a piece has twice
 */
TEST_FN bool recurs(const struct oracle *oracle, char letter)
{
	for (size_t p = 0; p < oracle->nr; p++) {
		const char *at = strchr(oracle->pieces[p], letter);

		if (at && strchr(at + 1, letter))
			return true;
	}
	return rec_of(oracle, letter)->violation || oracle->recurring[(uint8_t)letter];
}

TEST_FN bool recur_all(const struct oracle *oracle, const char *piece)
{
	for (; *piece; piece++)
		if (!recurs(oracle, *piece))
			return false;
	return true;
}

/* Does a piece add a record, up to there, that extends a PCR of which a value is expected? */
TEST_FN bool is_weighed(const struct oracle *oracle, size_t p, const char *log, size_t last)
{
	for (size_t i = oracle->from[p]; i < oracle->to[p] && i < last; i++)
		if (oracle->anchor.extended[rec_of(oracle, log[i])->pcr])
			return true;
	return false;
}

TEST_FN void note_outcome(struct oracle *oracle, const char *log, size_t start)
{
	size_t last = holds_last(oracle, log);
	bool doubtful = false;

	if (last <= start)
		return;
	for (size_t p = 0; p < oracle->nr; p++) {
		if (!is_explained(oracle, p, log, last))
			return;
		doubtful |= oracle->used[p] && !is_weighed(oracle, p, log, last);
		/* Where the log goes on behind the anchor, it may do so with any piece. */
		doubtful |= !oracle->used[p] &&
			    (log[last] || recur_all(oracle, oracle->pieces[p]));
	}
	oracle->doubtful |= doubtful;
	for (size_t i = 0; i < oracle->nr_outcomes; i++)
		if (strcmp(oracle->outcomes[i], log) == 0)
			return;
	if (oracle->nr_outcomes < OUTCOMES_MAX)
		strcpy(oracle->outcomes[oracle->nr_outcomes++], log);
}

/*
 * Every order of every choice of pieces, and every overlap of equal records; @start is where
 * the last piece adds its first
 */
TEST_FN void try_all(struct oracle *oracle, const char *log, size_t start)
{
	size_t nr = strlen(log);

	if (nr)
		note_outcome(oracle, log, start);
	for (size_t p = 0; p < oracle->nr; p++) {
		const char *piece = oracle->pieces[p];
		size_t size = strlen(piece);

		if (oracle->used[p])
			continue;
		oracle->used[p] = true;
		for (size_t k = 0; k < size && k <= nr; k++) {
			char longer[LONGEST + 1];

			if (strncmp(log + nr - k, piece, k) != 0 || nr + size - k > LONGEST)
				continue;
			snprintf(longer, sizeof(longer), "%s%s", log, piece + k);
			oracle->from[p] = nr;
			oracle->to[p] = nr + size - k;
			try_all(oracle, longer, nr);
		}
		oracle->used[p] = false;
	}
}

/* The same records have the same character. */
TEST_FN char letter_of(struct parsed *alphabet, const struct parsed *log, size_t i)
{
	const struct rec *rec = &log->recs[i];
	size_t at = 0;

	for (; at < alphabet->nr; at++)
		if (alphabet->recs[at].size == rec->size &&
		    memcmp(log->bytes.data + alphabet->recs[at].at, log->bytes.data + rec->at,
			   rec->size) == 0)
			return (char)(at + 1);
	alphabet->recs[alphabet->nr++] = *rec;
	if (alphabet->nr > 254)
		BAIL_OUT("the log is too large for the oracle");
	return (char)(at + 1);
}

#endif /* TEST_MERGE_ORACLE_H */
