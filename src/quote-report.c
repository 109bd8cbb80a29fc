// SPDX-License-Identifier: GPL-2.0-or-later
/* What quote-verify found: each check, then the records that the quote covers. */
#include <inttypes.h>
#include <string.h>

#include "quote.h"

/* Checks of the quote, then those of the first of two. */
#define FINDINGS_MAX (IMALOG_QUOTE_CHECKS + 4)

struct finding {
	const char *name;
	enum imalog_verdict verdict;
	const char *reason;
	bool needed; /* or else it may stay unchecked */
};

struct findings {
	struct finding of[FINDINGS_MAX];
	size_t nr;
	char log_reason[160], first_reason[96];
	enum imalog_verdict verdict; /* over all */
};

/* ---- the verdict ---- */

static uint64_t later_records(const struct verify *verify)
{
	uint64_t at = imalog_quote_match_at(verify->match);

	return at ? imalog_replay_records(verify->replay) - at : 0;
}

/* Is it part of the verdict?  A key without a public area is vouched for by who gave it. */
static bool is_needed(const struct verify *verify, enum imalog_quote_check check)
{
	switch (check) {
	case IMALOG_QUOTE_NONCE:
		return !verify->no_nonce;
	case IMALOG_QUOTE_CLOCK:
		return verify->previous || verify->from;
	case IMALOG_QUOTE_KEY:
		return verify->values[OPT_CA];
	default:
		return true;
	}
}

/* Why nobody tried, where that is for the command line to say */
static const char *reason_of(const struct verify *verify, enum imalog_quote_check check)
{
	const char *reason = imalog_quote_reason(verify->quote, check);

	if (reason[0] || imalog_quote_verdict(verify->quote, check) != IMALOG_NOT_CHECKED)
		return reason;
	if (check == IMALOG_QUOTE_NONCE)
		return verify->no_nonce ? "not asked for" :
					  "none was given, so nothing says how old the quote is";
	return check == IMALOG_QUOTE_CLOCK ? "no earlier quote was given" : reason;
}

static void add(struct findings *findings, const char *name, enum imalog_verdict verdict,
		const char *reason, bool needed)
{
	findings->of[findings->nr++] = (struct finding){ name, verdict, reason, needed };
}

/* What the library leaves to its callers: how much may be later, and what of it is wrong. */
static void judge_later(const struct verify *verify, struct findings *findings)
{
	struct finding *log = &findings->of[IMALOG_QUOTE_LOG];
	uint64_t later = later_records(verify);

	if (log->verdict == IMALOG_MATCH && verify->bad_record &&
	    verify->bad_problem == IMALOG_PROBLEM_SNAPSHOT)
		snprintf(findings->log_reason, sizeof(findings->log_reason),
			 "record %" PRIu64 ": %s", verify->bad_record,
			 imalog_problem_text(verify->bad_problem));
	else if (log->verdict == IMALOG_MATCH && verify->bad_record)
		snprintf(findings->log_reason, sizeof(findings->log_reason),
			 "the recorded digest does not fit the content of record %" PRIu64
			 ", which is later",
			 verify->bad_record);
	else if (log->verdict == IMALOG_MATCH && later > verify->max_later)
		snprintf(findings->log_reason, sizeof(findings->log_reason),
			 "%" PRIu64 " records are later, more than the %" PRIu64
			 " of --max-later",
			 later, verify->max_later);
	else
		return;
	log->verdict = IMALOG_MISMATCH;
	log->reason = findings->log_reason;
}

/* What is compared with a log that may have records twice proves nothing. */
static void doubt_log(struct findings *findings)
{
	static const enum imalog_quote_check of_log[] = { IMALOG_QUOTE_DIGEST, IMALOG_QUOTE_LOG };

	for (size_t i = 0; i < sizeof(of_log) / sizeof(of_log[0]); i++) {
		struct finding *finding = &findings->of[of_log[i]];

		finding->verdict = IMALOG_NOT_CHECKED;
		finding->reason = "the log may have records twice";
	}
}

static void add_first(const struct verify *verify, struct findings *findings)
{
	static const struct {
		enum imalog_quote_check check;
		const char *name;
	} of_first[] = { { IMALOG_QUOTE_SIGNATURE, "first signature" },
			 { IMALOG_QUOTE_MAGIC, "first magic" },
			 { IMALOG_QUOTE_DIGEST, "first digest" } };

	for (size_t i = 0; i < sizeof(of_first) / sizeof(of_first[0]); i++)
		add(findings, of_first[i].name,
		    imalog_quote_verdict(verify->from, of_first[i].check),
		    imalog_quote_reason(verify->from, of_first[i].check), true);
	if (verify->first_unsigned[0])
		snprintf(findings->first_reason, sizeof(findings->first_reason),
			 "the log goes on from %s, which the first quote does not sign",
			 verify->first_unsigned);
	add(findings, "first selection", verify->first_selection, findings->first_reason, true);
}

/* The worst of those that count */
static enum imalog_verdict worst_of(const struct findings *findings)
{
	enum imalog_verdict worst = IMALOG_MATCH;

	for (size_t i = 0; i < findings->nr; i++) {
		const struct finding *finding = &findings->of[i];

		if (finding->verdict == IMALOG_MISMATCH)
			worst = IMALOG_MISMATCH;
		else if (finding->verdict == IMALOG_NOT_CHECKED && finding->needed &&
			 worst == IMALOG_MATCH)
			worst = IMALOG_NOT_CHECKED;
	}
	return worst;
}

static void collect(const struct verify *verify, struct findings *findings)
{
	*findings = (struct findings){ .nr = 0 };
	for (int i = 0; i < IMALOG_QUOTE_CHECKS; i++) {
		enum imalog_quote_check check = (enum imalog_quote_check)i;

		add(findings, imalog_quote_check_name(check),
		    imalog_quote_verdict(verify->quote, check), reason_of(verify, check),
		    is_needed(verify, check));
	}
	judge_later(verify, findings);
	if (verify->doubtful)
		doubt_log(findings);
	if (verify->from)
		add_first(verify, findings);
	findings->verdict = worst_of(findings);
}

enum imalog_verdict quote_verdict(const struct verify *verify)
{
	struct findings findings;

	collect(verify, &findings);
	return findings.verdict;
}

enum imalog_verdict quote_verdict_alone(const struct verify *verify)
{
	struct findings findings;

	collect(verify, &findings);
	findings.of[IMALOG_QUOTE_SELECTION].needed = false;
	findings.of[IMALOG_QUOTE_DIGEST].needed = false;
	findings.of[IMALOG_QUOTE_LOG].needed = false;
	return worst_of(&findings);
}

/* ---- text ---- */

static void print_finding(const struct finding *finding)
{
	static const char *const words[] = { "not checked", "ok", "FAIL" };

	if (finding->reason[0])
		printf("%-15s  %-11s  %s\n", finding->name, words[finding->verdict],
		       finding->reason);
	else
		printf("%-15s  %s\n", finding->name, words[finding->verdict]);
}

/* Is some PCR that the records extend signed as a SHA-1 value alone? */
static bool is_sha1_alone(const struct verify *verify)
{
	for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++) {
		bool other = false;

		for (int alg = IMALOG_ALG_SHA1 + 1; alg < IMALOG_ALG_COUNT; alg++)
			other |= imalog_quote_selects(verify->quote, (enum imalog_alg)alg, pcr);
		if (quote_log_extends(verify, pcr) && !other &&
		    imalog_quote_selects(verify->quote, IMALOG_ALG_SHA1, pcr))
			return true;
	}
	return false;
}

static void print_strength(const struct verify *verify)
{
	if (is_sha1_alone(verify))
		printf("Only SHA-1 values were signed: the proof is no stronger than SHA-1.\n");
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (imalog_quote_match_padding(verify->match, (enum imalog_alg)alg) ==
			    IMALOG_PADDING_SHA1 &&
		    alg != IMALOG_ALG_SHA1)
			printf("Bank %s was extended with SHA-1 digests padded with zeros: it is "
			       "no stronger than SHA-1.\n",
			       imalog_alg_name((enum imalog_alg)alg));
}

static void print_coverage(const struct verify *verify)
{
	uint64_t at = imalog_quote_match_at(verify->match);
	uint64_t records = imalog_replay_records(verify->replay);
	enum imalog_alg alg;
	uint32_t pcr;

	if (at == 0) {
		printf("The quote covers none of the %" PRIu64 " records.\n", records);
		if (imalog_quote_match_missing(verify->match, 0, &alg, &pcr))
			printf("--pcrs or --eventlog give values of PCRs that the log does not "
			       "extend.\n");
		return;
	}
	printf("The quote covers records 1..%" PRIu64 " of %" PRIu64 "; %" PRIu64 " later.\n", at,
	       records, later_records(verify));
	if (imalog_replay_violations(verify->replay))
		printf("%" PRIu64 " of the records are violations.\n",
		       imalog_replay_violations(verify->replay));
	if (imalog_quote_match_unchecked(verify->match))
		printf("Of the covered records %" PRIu64 " ha%s content that no rule checks.\n",
		       imalog_quote_match_unchecked(verify->match),
		       imalog_quote_match_unchecked(verify->match) == 1 ? "s" : "ve");
	print_strength(verify);
}

/* What stands between the lines above and a proof */
static void print_verdict(const struct findings *findings)
{
	const char *separator = "";

	if (findings->verdict == IMALOG_MATCH)
		return;
	fputs(findings->verdict == IMALOG_MISMATCH ? "It does not hold: " :
						     "It is not proved; not checked: ",
	      stdout);
	for (size_t i = 0; i < findings->nr; i++) {
		const struct finding *finding = &findings->of[i];

		if (finding->verdict != findings->verdict ||
		    (finding->verdict == IMALOG_NOT_CHECKED && !finding->needed))
			continue;
		printf("%s%s", separator, finding->name);
		separator = ", ";
	}
	printf(".\n");
}

void quote_print_text(const struct verify *verify, bool with_log)
{
	struct findings findings;

	collect(verify, &findings);
	for (size_t i = 0; i < findings.nr; i++)
		print_finding(&findings.of[i]);
	if (with_log)
		print_coverage(verify);
	print_verdict(&findings);
}

/* ---- JSON ---- */

static const char *word_of(enum imalog_verdict verdict)
{
	static const char *const words[] = { "not-checked", "ok", "fail" };

	return words[verdict];
}

static json_t *to_json(const struct verify *verify, const struct findings *findings)
{
	json_t *checks = json_object(), *first = verify->from ? json_object() : NULL;
	uint64_t unchecked = imalog_quote_match_unchecked(verify->match);

	for (size_t i = 0; i < findings->nr; i++) {
		const struct finding *finding = &findings->of[i];

		if (i < IMALOG_QUOTE_CHECKS)
			json_object_set_new(checks, finding->name,
					    json_string(word_of(finding->verdict)));
		else
			json_object_set_new(first, finding->name + strlen("first "),
					    json_string(word_of(finding->verdict)));
	}
	return json_pack("{s:o, s:o*, s:I, s:o*, s:I, s:I, s:s}", "checks", checks, "first",
			 first, "covers", (json_int_t)imalog_quote_match_at(verify->match), "unchecked",
			 unchecked ? json_integer((json_int_t)unchecked) : NULL, "records",
			 (json_int_t)imalog_replay_records(verify->replay), "violations",
			 (json_int_t)imalog_replay_violations(verify->replay), "verdict",
			 word_of(findings->verdict));
}

static int exit_code(const struct findings *findings)
{
	if (findings->verdict == IMALOG_MATCH)
		return EXIT_YES;
	return findings->verdict == IMALOG_MISMATCH ? EXIT_NO : EXIT_UNABLE;
}

json_t *quote_object(const struct verify *verify, int *code)
{
	struct findings findings;

	collect(verify, &findings);
	*code = exit_code(&findings);
	return to_json(verify, &findings);
}

int quote_report(const struct verify *verify)
{
	struct findings findings;
	bool written = true;
	int flushed;

	collect(verify, &findings);
	if (verify->print_count)
		printf("%" PRIu64 "\n", imalog_quote_match_at(verify->match));
	else if (verify->options.json)
		written = print_json(stdout, to_json(verify, &findings));
	else if (!verify->options.quiet)
		quote_print_text(verify, true);
	if (!verify->print_count && !verify->options.json && !verify->options.quiet &&
	    verify->options.verbose)
		log_print_facts(&verify->log, stdout);
	flushed = stdout_flush();
	if (flushed != EXIT_YES)
		return flushed;
	return written ? exit_code(&findings) : out_of_memory();
}
