// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The shortest prefix of a log whose PCR values a quote signs
 *
 * Values are tried after each record that extends one of the signed PCRs: those that the
 * log gives so far in all variants of lib/chain.c, which may differ from bank to bank,
 * and others as they were given.  Where none was given, that of a TPM reset is tried; a
 * digest that holds proves it like all the others.
 *
 * Such a value proves nothing about records that extend its PCR.  When such a record comes
 * after the match, the search goes on for a prefix that leads to the value itself; without
 * one, nothing says that the log belongs to the quote.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

/* What some records are and extend */
struct extent {
	uint64_t extended; /* PCRs */
	bool extends_nv;
	bool has_violation;
	uint64_t first_bad;
	uint64_t first_opaque; /* whose recorded digest is not believed */
	uint64_t unchecked;    /* those whose is */
};

struct imalog_quote_match {
	struct imalog_quote *quote;
	const struct imalog_replay *replay;
	const struct imalog_pcrs *others;
	struct imalog_hasher *hasher;
	struct imalog_slots slots;
	bool unknown_bank;
	uint64_t selected; /* PCRs, in whatever bank */
	size_t nr_banks;   /* those that can be padded */
	enum imalog_alg banks[IMALOG_ALG_COUNT];

	struct extent seen; /* so far; when finished, up to the match */

	uint64_t matched_at;
	struct extent covered; /* up to there */
	uint64_t lent;	       /* PCRs whose values are not the log's own */
	uint64_t doubted_at;   /* the first later record that extends one of them, else 0 */
	uint32_t doubted_pcr;
	uint32_t matched_padded; /* bit I is of banks[I] */
	bool proved;		 /* the values, by the log or alone */
	int failed;
	struct imalog_error *failure;
};

/* ---- along a log ---- */

static int add_banks(struct imalog_quote_match *match, struct imalog_replay *replay,
		     struct imalog_error *error)
{
	for (size_t i = 0; i < match->slots.nr; i++) {
		enum imalog_alg alg = match->slots.slot[i].alg;
		size_t b = 0;
		int rc = imalog_replay_add_bank(replay, alg, error);

		if (rc < 0)
			return rc;
		while (b < match->nr_banks && match->banks[b] != alg)
			b++;
		if (b == match->nr_banks && alg != IMALOG_ALG_SHA1)
			match->banks[match->nr_banks++] = alg;
	}
	return imalog_replay_compute_every_variant(replay, error);
}

int imalog_quote_match_new(struct imalog_quote *quote, struct imalog_replay *replay,
			   const struct imalog_pcrs *others,
			   struct imalog_quote_match **ret, struct imalog_error *reterr)
{
	struct imalog_quote_match *match = calloc(1, sizeof(*match));
	int rc;

	if (!match)
		return imalog_fail_nomem(reterr);
	match->quote = quote;
	match->replay = replay;
	match->others = others;
	match->hasher = imalog_hasher_new();
	match->failure = imalog_error_new();
	rc = match->hasher && match->failure ?
		     imalog_slots_init(&match->slots, quote, reterr) :
		     imalog_fail_nomem(reterr);
	if (rc == -IMALOG_ERR_UNSUPPORTED) {
		match->unknown_bank = true;
		rc = 0;
	}
	if (rc == 0)
		rc = add_banks(match, replay, reterr);
	if (rc < 0) {
		imalog_quote_match_free(&match);
		return rc;
	}
	for (size_t i = 0; i < quote->nr_banks; i++)
		match->selected |= quote->banks[i].pcrs;
	imalog_slots_fill(&match->slots, others, NULL);
	*ret = match;
	return 0;
}

void imalog_quote_match_free(struct imalog_quote_match **match)
{
	if (!match || !*match)
		return;
	imalog_hasher_free(&(*match)->hasher);
	imalog_error_free(&(*match)->failure);
	free(*match);
	*match = NULL;
}

static bool is_padded(const struct imalog_quote_match *match, uint32_t padded,
		      enum imalog_alg alg)
{
	for (size_t b = 0; b < match->nr_banks; b++)
		if (match->banks[b] == alg)
			return padded >> b & 1;
	return false;
}

/* Takes the replay's values, of banks in @padded in that variant; false when there is
 * none. */
static bool take_values(struct imalog_quote_match *match, uint32_t padded,
			enum imalog_variant variant)
{
	for (size_t i = 0; i < match->slots.nr; i++) {
		const struct imalog_slot *slot = &match->slots.slot[i];
		bool pad = is_padded(match, padded, slot->alg);
		const uint8_t *value =
			imalog_replay_value(match->replay, slot->alg, slot->pcr,
					    pad ? variant : IMALOG_PERBANK);

		if (value)
			memcpy(match->slots.bytes + slot->offset, value, slot->size);
		else if (match->seen.extended >> slot->pcr & 1)
			return false;
	}
	return true;
}

/* PCRs with a value that is neither replayed nor all zeros, from where a replay starts */
static uint64_t find_lent(const struct imalog_quote_match *match)
{
	static const uint8_t zeros[IMALOG_DIGEST_MAX];
	uint64_t lent = 0;

	for (size_t i = 0; i < match->slots.nr; i++) {
		const struct imalog_slot *slot = &match->slots.slot[i];

		if (!(match->seen.extended >> slot->pcr & 1) &&
		    !imalog_replay_value(match->replay, slot->alg, slot->pcr,
					 IMALOG_PERBANK) &&
		    memcmp(match->slots.bytes + slot->offset, zeros, slot->size) != 0)
			lent |= (uint64_t)1 << slot->pcr;
	}
	return lent;
}

/* The values that were taken hold.  An earlier match was doubted: it is forgotten. */
static void keep_match(struct imalog_quote_match *match, uint64_t number, uint32_t padded)
{
	match->matched_at = number;
	match->matched_padded = padded;
	match->proved = true;
	match->covered = match->seen;
	match->lent = find_lent(match);
	match->doubted_at = 0;
}

/* Tries all variants of all banks. */
static int try_record(struct imalog_quote_match *match, uint64_t number)
{
	/* The two padded ones differ after a violation only. */
	int last = match->seen.has_violation ? IMALOG_PADDED_SHORT : IMALOG_PADDED;

	for (uint32_t padded = 0; padded < (uint32_t)1 << match->nr_banks; padded++) {
		for (int v = IMALOG_PADDED; v <= (padded ? last : IMALOG_PADDED); v++) {
			int rc;

			if (!take_values(match, padded, (enum imalog_variant)v))
				continue;
			rc = imalog_slots_hold(&match->slots, match->hasher, match->quote,
					       match->failure);
			if (rc < 0)
				return rc;
			if (rc == 0)
				continue;
			keep_match(match, number, padded);
			return 0;
		}
	}
	return 0;
}

/* Content that no rule checks: is it allowed, and has it a digest of each bank it extends? */
static bool is_believed(const struct imalog_quote_match *match,
			const struct imalog_record *record)
{
	for (size_t i = 0; i < match->slots.nr; i++) {
		size_t d = 0;

		if (match->slots.slot[i].pcr != record->index)
			continue;
		while (d < record->nr_digests &&
		       record->digests[d].alg != match->slots.slot[i].alg)
			d++;
		if (d == record->nr_digests)
			return false;
	}
	return imalog_replay_setup(match->replay).allow_opaque;
}

static void note_unchecked(struct imalog_quote_match *match, const struct imalog_record *record)
{
	if (imalog_record_is_checked(record) || !imalog_record_extends_pcr(record))
		return;
	if (is_believed(match, record))
		match->seen.unchecked++;
	else if (!match->seen.first_opaque)
		match->seen.first_opaque = record->number;
}

static void note(struct imalog_quote_match *match, const struct imalog_record *record)
{
	if (record->is_nv)
		match->seen.extends_nv = true;
	else if (imalog_record_extends_pcr(record))
		match->seen.extended |= (uint64_t)1 << record->index;
	match->seen.has_violation |= record->violation;
	if (record->fit == IMALOG_FIT_NO && !match->seen.first_bad)
		match->seen.first_bad = record->number;
	note_unchecked(match, record);
}

void imalog_quote_match_feed(struct imalog_quote_match *match,
			     const struct imalog_record *record)
{
	if (match->failed < 0)
		return;
	note(match, record);
	if (match->matched_at && !match->doubted_at && imalog_record_extends_pcr(record) &&
	    match->lent >> record->index & 1) {
		match->doubted_at = record->number;
		match->doubted_pcr = record->index;
	}
	if (match->matched_at && !match->doubted_at)
		return;
	if (!imalog_record_extends_pcr(record) || !(match->selected >> record->index & 1) ||
	    match->unknown_bank || match->quote->type != IMALOG_TPM_ATTEST_QUOTE ||
	    match->quote->hash == IMALOG_ALG_NONE)
		return;
	match->failed = try_record(match, record->number);
}

/* ---- what came of it ---- */

/* Neither given nor started with nor extended */
static bool is_missing(const struct imalog_quote_match *match,
		       const struct imalog_slot *slot)
{
	return !match->proved && !slot->given && !(match->seen.extended >> slot->pcr & 1) &&
	       !imalog_replay_value(match->replay, slot->alg, slot->pcr, IMALOG_PERBANK);
}

bool imalog_quote_match_missing(const struct imalog_quote_match *match, size_t i,
				enum imalog_alg *alg, uint32_t *pcr)
{
	for (size_t s = 0; s < match->slots.nr; s++) {
		const struct imalog_slot *slot = &match->slots.slot[s];

		if (!is_missing(match, slot) || i-- > 0)
			continue;
		*alg = slot->alg;
		*pcr = slot->pcr;
		return true;
	}
	return false;
}

uint64_t imalog_quote_match_at(const struct imalog_quote_match *match)
{
	return match->matched_at;
}

uint64_t imalog_quote_match_unchecked(const struct imalog_quote_match *match)
{
	return match->matched_at ? match->covered.unchecked : 0;
}

enum imalog_padding imalog_quote_match_padding(const struct imalog_quote_match *match,
					       enum imalog_alg alg)
{
	if (!match->matched_at)
		return IMALOG_PADDING_AUTO;
	return is_padded(match, match->matched_padded, alg) ? IMALOG_PADDING_SHA1 :
							      IMALOG_PADDING_PERBANK;
}

/* "0-7,11" */
static void list_pcrs(uint64_t pcrs, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int first = 0, last; first < 64; first = last + 1) {
		last = first;
		if (!(pcrs >> first & 1))
			continue;
		while (last < 63 && pcrs >> (last + 1) & 1)
			last++;
		if (used + 8 > size)
			return;
		used += (size_t)snprintf(text + used, size - used,
					 first == last ? "%s%u" : "%s%u-%u",
					 used ? "," : "", first, last);
	}
}

/* "sha1:0-7 sha256:0-7" */
static void list_missing(const struct imalog_quote_match *match, char *text, size_t size)
{
	uint64_t pcrs[IMALOG_ALG_COUNT] = { 0 };
	enum imalog_alg alg;
	uint32_t pcr;
	size_t used = 0;

	for (size_t i = 0; imalog_quote_match_missing(match, i, &alg, &pcr); i++)
		pcrs[alg] |= (uint64_t)1 << pcr;
	text[0] = '\0';
	for (int a = 1; a < IMALOG_ALG_COUNT && used < size; a++) {
		char list[96];

		list_pcrs(pcrs[a], list, sizeof(list));
		if (pcrs[a])
			used += (size_t)snprintf(text + used, size - used, "%s%s:%s",
						 used ? " " : "",
						 imalog_alg_name((enum imalog_alg)a),
						 list);
	}
}

static void judge_selection(struct imalog_quote_match *match)
{
	struct imalog_quote *quote = match->quote;
	char list[96];

	list_pcrs(match->seen.extended & ~match->selected, list, sizeof(list));
	if (match->selected == 0)
		imalog_quote_judge(quote, IMALOG_QUOTE_SELECTION, IMALOG_MISMATCH,
				   "no PCR is signed");
	else if (list[0])
		imalog_quote_judge(quote, IMALOG_QUOTE_SELECTION, IMALOG_MISMATCH,
				   "the log extends PCR %s, which is not signed", list);
	else if (match->seen.extends_nv)
		imalog_quote_judge(quote, IMALOG_QUOTE_SELECTION, IMALOG_NOT_CHECKED,
				   "the log extends an NV index, which no quote signs");
	else if (match->seen.extended == 0)
		imalog_quote_judge(quote, IMALOG_QUOTE_SELECTION, IMALOG_NOT_CHECKED,
				   "the log extends no PCR");
	else
		imalog_quote_judge(quote, IMALOG_QUOTE_SELECTION, IMALOG_MATCH, "%s", "");
}

/* @record: 0 when the reason needs none */
static void judge_log(struct imalog_quote_match *match, enum imalog_verdict verdict,
		      const char *reason, uint64_t record)
{
	char number[24] = "";

	if (record)
		snprintf(number, sizeof(number), " %llu", (unsigned long long)record);
	imalog_quote_judge(match->quote, IMALOG_QUOTE_LOG, verdict, "%s%s", reason,
			   number);
}

/* The digest holds; do the records that lead to it? */
static void judge_matched(struct imalog_quote_match *match)
{
	imalog_quote_judge(match->quote, IMALOG_QUOTE_DIGEST, IMALOG_MATCH, "%s", "");
	if (match->seen.first_bad)
		judge_log(match, IMALOG_MISMATCH,
			  "the recorded digest does not fit the content of record",
			  match->seen.first_bad);
	else if (match->seen.first_opaque)
		judge_log(match, IMALOG_NOT_CHECKED,
			  "the content cannot be recomputed of record",
			  match->seen.first_opaque);
	else if (match->doubted_at)
		imalog_quote_judge(match->quote, IMALOG_QUOTE_LOG, IMALOG_NOT_CHECKED,
				   "a value was given or assumed for PCR %lu, which record "
				   "%llu extends",
				   (unsigned long)match->doubted_pcr,
				   (unsigned long long)match->doubted_at);
	else if (imalog_quote_verdict(match->quote, IMALOG_QUOTE_SELECTION) !=
		 IMALOG_MATCH)
		judge_log(match, IMALOG_NOT_CHECKED, "not all of its PCRs are signed", 0);
	else
		judge_log(match, IMALOG_MATCH, "covers up to record", match->matched_at);
}

/* No prefix gives the digest: the other values, the log, or what is not known. */
static int judge_unmatched(struct imalog_quote_match *match, struct imalog_error *error)
{
	char missing[128];
	int holds;

	imalog_slots_fill(&match->slots, match->others, NULL);
	holds = imalog_slots_hold(&match->slots, match->hasher, match->quote, error);
	if (holds < 0)
		return holds;
	match->proved = holds;
	imalog_quote_judge_values(match->quote, &match->slots, holds);
	list_missing(match, missing, sizeof(missing));
	if (!(match->seen.extended & match->selected)) {
		judge_log(match, IMALOG_NOT_CHECKED,
			  "no record extends a PCR that is signed", 0);
	} else if (match->seen.first_opaque) {
		judge_log(match, IMALOG_NOT_CHECKED,
			  "the content cannot be recomputed of record",
			  match->seen.first_opaque);
	} else if (missing[0]) {
		imalog_quote_judge(match->quote, IMALOG_QUOTE_LOG, IMALOG_NOT_CHECKED,
				   "values of PCRs are not known: %s", missing);
	} else {
		if (!holds)
			imalog_quote_judge(match->quote, IMALOG_QUOTE_DIGEST,
					   IMALOG_MISMATCH,
					   "no prefix of the log gives it");
		judge_log(match, IMALOG_MISMATCH,
			  match->seen.first_bad ?
				  "no prefix gives the signed digest; the first recorded "
				  "digest that does not fit is that of record" :
				  "no prefix gives the signed digest",
			  match->seen.first_bad);
	}
	return 0;
}

int imalog_quote_match_finish(struct imalog_quote_match *match,
			      struct imalog_error *reterr)
{
	struct imalog_quote *quote = match->quote;

	if (match->failed < 0) {
		imalog_error_copy(reterr, match->failure);
		return match->failed;
	}
	if (match->matched_at)
		match->seen = match->covered;
	if (!imalog_quote_is_quote(quote, IMALOG_QUOTE_SELECTION)) {
		imalog_quote_is_quote(quote, IMALOG_QUOTE_DIGEST);
		imalog_quote_is_quote(quote, IMALOG_QUOTE_LOG);
		return 0;
	}
	judge_selection(match);
	if (imalog_quote_is_beyond(quote, IMALOG_QUOTE_DIGEST)) {
		imalog_quote_is_beyond(quote, IMALOG_QUOTE_LOG);
	} else if (match->unknown_bank) {
		imalog_quote_judge(quote, IMALOG_QUOTE_DIGEST, IMALOG_NOT_CHECKED,
				   "a bank is signed that is not known");
		judge_log(match, IMALOG_NOT_CHECKED, "a bank is signed that is not known",
			  0);
	} else if (match->matched_at) {
		judge_matched(match);
	} else {
		return judge_unmatched(match, reterr);
	}
	return 0;
}
