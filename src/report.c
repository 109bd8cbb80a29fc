// SPDX-License-Identifier: GPL-2.0-or-later
/* What a replay came to, as a paragraph for people. */
#include <inttypes.h>
#include <string.h>

#include "boot.h"

/* Complaints that are printed one by one as text. */
#define SHOWN_MAX 10

struct imalog_check report_check(const struct report *report, size_t i)
{
	struct imalog_check check;

	imalog_replay_check(report->replay, i, &check);
	return check;
}

struct imalog_span report_digest(enum imalog_alg alg, const uint8_t *data)
{
	return (struct imalog_span){ data, imalog_alg_size(alg) };
}

/* Was anything given for this bank (any, when it is none) and PCR? */
static bool is_given(const struct report *report, enum imalog_alg alg, uint32_t pcr)
{
	for (size_t i = 0; i < imalog_replay_checks(report->replay); i++) {
		struct imalog_check check = report_check(report, i);

		if ((alg == IMALOG_ALG_NONE || check.bank == alg) && check.pcr == pcr)
			return true;
	}
	return false;
}

/* Number @i of the PCRs and banks that were chosen but for which no value was given. */
bool report_missing(const struct report *report, size_t i, enum imalog_alg *alg, uint32_t *pcr)
{
	const struct compare *compare = report->compare;

	if (imalog_replay_checks(report->replay) == 0)
		return false; /* nothing at all to compare is another matter */
	for (int a = compare->any_bank ? 1 : 0; a < IMALOG_ALG_COUNT; a++) {
		if (compare->any_bank && !compare->banks[a])
			continue;
		for (uint32_t p = 0; p <= IMALOG_PCR_MAX; p++) {
			bool wanted = compare->any_pcr ? compare->pcrs[p] :
							 is_given(report, IMALOG_ALG_NONE, p);

			if (!wanted || is_given(report, (enum imalog_alg)a, p) || i-- > 0)
				continue;
			*alg = (enum imalog_alg)a;
			*pcr = p;
			return true;
		}
		if (!compare->any_bank)
			break;
	}
	return false;
}

bool report_unused_start(const struct report *report, size_t i, enum imalog_alg *alg,
			 uint32_t *pcr)
{
	const struct imalog_pcrs *start = report->compare->start;
	struct imalog_pcrs *pcrs = imalog_pcrs_count(start) ? imalog_pcrs_new() : NULL;
	bool found = false;

	if (pcrs && imalog_replay_pcrs(report->replay, pcrs, NULL) == 0)
		for (size_t at = 0; at < imalog_pcrs_count(start) && !found; at++) {
			imalog_pcrs_at(start, at, alg, pcr);
			found = !imalog_pcrs_get(pcrs, *alg, *pcr) && i-- == 0;
		}
	imalog_pcrs_free(&pcrs);
	return found;
}

static bool has_value(const struct imalog_pcrs *pcrs, const struct compare *compare, uint32_t pcr)
{
	bool any = false, all = true;

	for (int a = 1; a < IMALOG_ALG_COUNT; a++) {
		bool has = imalog_pcrs_get(pcrs, (enum imalog_alg)a, pcr);

		any |= has;
		all &= has || !compare_wants(compare, (enum imalog_alg)a, pcr);
	}
	/* A bank that was asked for must be there; of those that were not, some. */
	return compare->any_bank ? all : any;
}

bool report_lacks_values(const struct report *report)
{
	const struct compare *compare = report->compare;
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	bool lacks = !pcrs || imalog_replay_pcrs(report->replay, pcrs, NULL) < 0;

	if (lacks)
		complain("out of memory");
	if (!report->extended && imalog_replay_records(report->replay)) {
		lacks = true;
		complain("there is nothing to print: the log extends no PCR");
	}
	for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX && !lacks; pcr++) {
		bool extended = report->extended >> pcr & 1;

		if (compare->any_pcr ? !compare->pcrs[pcr] : !extended)
			continue;
		lacks = !extended || !has_value(pcrs, compare, pcr);
		if (!extended)
			complain("PCR %u has no value: the log does not extend it", pcr);
		else if (lacks)
			complain("PCR %u could not be computed: it is extended with content that "
				 "no rule computes, and of which %s",
				 pcr,
				 compare->any_bank ? "a bank that was asked for has no digest" :
						     "no bank has every digest");
	}
	imalog_pcrs_free(&pcrs);
	return lacks;
}

/* ---- text ---- */

static void print_values(const struct report *report)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	if (!pcrs || imalog_replay_pcrs(report->replay, pcrs, NULL) < 0)
		complain("out of memory");
	for (size_t i = 0; pcrs && i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);

		if (!compare_wants(report->compare, alg, pcr))
			continue;
		printf("%s:%u=", imalog_alg_name(alg), pcr);
		print_hex(stdout, report_digest(alg, value));
		putchar('\n');
	}
	imalog_pcrs_free(&pcrs);
}

/* "PCR 10 (sha1, sha256), PCR 11 (sha256)" of the checks with a verdict. */
static void print_checks(const struct report *report, enum imalog_verdict verdict)
{
	const char *between = "";

	for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++) {
		bool begun = false;

		for (size_t i = 0; i < imalog_replay_checks(report->replay); i++) {
			struct imalog_check check = report_check(report, i);

			if (check.pcr != pcr || check.verdict != verdict)
				continue;
			if (begun)
				printf(", %s", imalog_alg_name(check.bank));
			else
				printf("%sPCR %u (%s", between, pcr, imalog_alg_name(check.bank));
			begun = true;
		}
		if (begun) {
			putchar(')');
			between = ", ";
		}
	}
}

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void print_later(const struct report *report)
{
	uint64_t records = imalog_replay_records(report->replay);
	uint64_t later = records - report->matched_at;

	printf(" after record %" PRIu64 " of %" PRIu64 ", ", report->matched_at, records);
	if (later)
		printf("%" PRIu64 " %s later and not proved.", later,
		       plural(later, "record is", "records are"));
	else
		printf("none is later.");
}

static void print_counts(const struct report *report)
{
	uint64_t records = imalog_replay_records(report->replay);
	uint64_t violations = imalog_replay_violations(report->replay);

	printf("The log has %" PRIu64 " %s", records, plural(records, "record", "records"));
	if (violations)
		printf(", of which %" PRIu64 " %s", violations,
		       plural(violations, "is a violation", "are violations"));
	puts(".");
	records = imalog_replay_unmeasured(report->replay);
	if (records)
		printf("%" PRIu64 " %s nothing: no PCR proves what %s.\n", records,
		       plural(records, "record extends", "records extend"),
		       plural(records, "it says", "they say"));
	records = imalog_replay_elsewhere(report->replay);
	if (records)
		printf("%" PRIu64 " %s an NV index or an RTMR, which was not compared.\n",
		       records, plural(records, "record extends", "records extend"));
}

/* A value that is as expected by the word of the log alone */
static void print_unchecked(const struct imalog_check *check)
{
	if (check->unchecked)
		printf("PCR %u (%s) rests on %" PRIu64
		       " %s whose content no rule checks.\n",
		       check->pcr, imalog_alg_name(check->bank), check->unchecked,
		       plural(check->unchecked, "record", "records"));
}

/* Start values that nothing was computed from */
static void print_unused_start(const struct report *report)
{
	enum imalog_alg alg;
	uint32_t pcr;

	for (size_t i = 0; report_unused_start(report, i, &alg, &pcr); i++)
		printf("The start value of %s:%u was not used: the log does not extend the PCR, or "
		       "the bank is not computed.\n",
		       imalog_alg_name(alg), pcr);
}

/* What a match rests on besides the log. */
static void print_conditions(const struct report *report)
{
	for (size_t i = 0; i < imalog_replay_checks(report->replay); i++) {
		struct imalog_check check = report_check(report, i);

		if (check.verdict != IMALOG_MATCH)
			continue;
		if (check.padding == IMALOG_PADDING_SHA1)
			printf("Bank %s was extended with SHA-1 digests padded with zeros: "
			       "it is no stronger than SHA-1.\n",
			       imalog_alg_name(check.bank));
		if (imalog_pcrs_get(report->compare->start, check.bank, check.pcr))
			printf("PCR %u (%s) rests on the start value that was given for it.\n",
			       check.pcr, imalog_alg_name(check.bank));
		print_unchecked(&check);
	}
}

/* PCRs that the log extends and that nothing was compared with. */
static void print_uncompared(const struct report *report)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	uint64_t said = 0;

	/* They come bank by bank, each PCR as often as there are banks. */
	if (pcrs && imalog_replay_pcrs(report->replay, pcrs, NULL) == 0)
		for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
			enum imalog_alg alg;
			uint32_t pcr;

			imalog_pcrs_at(pcrs, i, &alg, &pcr);
			if (!(said >> pcr & 1) && !is_given(report, IMALOG_ALG_NONE, pcr))
				printf("PCR %u is extended by the log too and was not compared.\n",
				       pcr);
			said |= (uint64_t)1 << pcr;
		}
	imalog_pcrs_free(&pcrs);
}

static void print_mismatch(const struct report *report, const struct imalog_check *check)
{
	struct imalog_span expected = report_digest(check->bank, check->expected);
	struct imalog_span computed = report_digest(check->bank, check->computed);

	printf("PCR %u (%s) should be ", check->pcr, imalog_alg_name(check->bank));
	print_hex(stdout, expected);
	if (check->extends == 0) {
		puts("\n  but the log never extends it.");
		return;
	}
	printf("\n  but no record of the log leads there; after the last, %" PRIu64 ", it is\n  ",
	       imalog_replay_records(report->replay));
	print_hex(stdout, computed);
	puts(".");
}

static void print_complaint(const struct report *report, const struct complaint *complaint)
{
	const char *file = log_name(report->log, complaint->file);

	printf("Record %" PRIu64 " at 0x%" PRIx64, complaint->record, complaint->offset);
	if (report->log->nr_files > 1) {
		fputs(" of '", stdout);
		print_text(stdout, (struct imalog_span){ (const uint8_t *)file, strlen(file) });
		putchar('\'');
	}
	printf(": %s.\n", imalog_problem_text(complaint->problem));
}

static void print_complaints(const struct report *report)
{
	uint64_t all = imalog_replay_problems(report->replay);

	for (size_t i = 0; i < report->nr_complaints && i < SHOWN_MAX; i++)
		print_complaint(report, &report->complaints[i]);
	if (all > SHOWN_MAX)
		printf("... and %" PRIu64 " more such records.\n", all - SHOWN_MAX);
}

static bool any_check(const struct report *report, enum imalog_verdict verdict)
{
	for (size_t i = 0; i < imalog_replay_checks(report->replay); i++)
		if (report_check(report, i).verdict == verdict)
			return true;
	return false;
}

/* Where to look for the cause. */
static void print_help_for_mismatch(const struct report *report)
{
	for (size_t i = 0; i < imalog_replay_checks(report->replay); i++) {
		struct imalog_check check = report_check(report, i);

		if (check.verdict == IMALOG_MATCH)
			printf("PCR %u (%s) does hold, after record %" PRIu64 ".\n", check.pcr,
			       imalog_alg_name(check.bank), check.matched_at);
		else if (check.verdict == IMALOG_MISMATCH)
			print_mismatch(report, &check);
	}
	for (int alg = IMALOG_ALG_SHA1 + 1; alg < IMALOG_ALG_COUNT; alg++)
		if (report->padded[alg])
			printf("Bank %s holds SHA-1 digests padded with zeros: with --padding sha1 "
			       "it is as expected.\n",
			       imalog_alg_name((enum imalog_alg)alg));
	print_complaints(report);
	print_unused_start(report);
	if (imalog_replay_records(report->replay) && !report->starts_with_boot_aggregate &&
	    any_check(report, IMALOG_MISMATCH) && imalog_pcrs_count(report->compare->start) == 0)
		puts("The first record is no boot_aggregate: the start of the log may be missing.");
	else if (any_check(report, IMALOG_MISMATCH) && report->nr_complaints == 0)
		puts("Every record is intact in itself: records are missing, moved or added, or the "
		     "values\nare of another moment or machine.");
}

static void print_not_checked(const struct report *report)
{
	enum imalog_alg alg;
	uint32_t pcr;

	if (imalog_replay_checks(report->replay) == 0)
		complain("nothing was compared: no value is given for a PCR that the log extends");
	for (size_t i = 0; i < imalog_replay_checks(report->replay); i++) {
		struct imalog_check check = report_check(report, i);

		if (check.verdict == IMALOG_NOT_CHECKED)
			printf("PCR %u (%s) could not be checked: the log %s.\n", check.pcr,
			       imalog_alg_name(check.bank),
			       check.extends ? "extends it with records that cannot be computed" :
					       "never extends it");
		else
			print_unchecked(&check);
	}
	print_unused_start(report);
	for (size_t i = 0; report_missing(report, i, &alg, &pcr); i++)
		printf("PCR %u%s%s was to be checked, but no value is given for it.\n",
		       pcr, alg ? " of bank " : "", alg ? imalog_alg_name(alg) : "");
	if (log_is_doubtful(report->log))
		puts("The log may have records twice: what is compared with it proves nothing.");
	print_complaints(report);
}

static void print_boot(const struct report *report)
{
	static const char *const texts[] = {
		[IMALOG_NOT_CHECKED] = "could not be checked: values of its PCRs are missing",
		[IMALOG_MATCH] = "fits what the firmware measured",
		[IMALOG_MISMATCH] = "does not fit what the firmware measured",
	};

	if (!report->boot->wanted)
		return;
	for (size_t i = 0; i < report->boot->nr; i++)
		printf("The boot_aggregate in record %" PRIu64 " %s%s%s.\n",
		       report->boot->records[i].record, texts[report->boot->records[i].verdict],
		       report->boot->firmware ? " (event log)" : "",
		       report->boot->records[i].proved ? "" :
							 ", but no value proves the record");
	if (report->boot->nr == 0)
		puts("There is no boot_aggregate to check.");
}

static void print_verdict(const struct report *report)
{
	switch (report->verdict) {
	case IMALOG_MATCH:
		printf("The log holds: ");
		print_checks(report, IMALOG_MATCH);
		printf(" as expected");
		print_later(report);
		putchar('\n');
		print_conditions(report);
		print_uncompared(report);
		break;
	case IMALOG_MISMATCH:
		puts("The log does not hold.");
		print_help_for_mismatch(report);
		break;
	case IMALOG_NOT_CHECKED:
		if (!report_only_computes(report))
			print_not_checked(report);
		break;
	}
}

/* Of a log that cannot be read to its end: how far it came. */
static void print_unfinished(const struct report *report)
{
	printf("The log cannot be read behind record %" PRIu64 ".",
	       imalog_replay_records(report->replay));
	if (any_check(report, IMALOG_MATCH)) {
		printf(" Up to there, as expected: ");
		print_checks(report, IMALOG_MATCH);
		putchar('.');
	}
	putchar('\n');
	print_complaints(report);
}

bool report_only_computes(const struct report *report)
{
	return report->print && !compare_has_source(report->compare) && !report->boot->wanted;
}

void report_text(const struct report *report)
{
	if (report->error) {
		print_unfinished(report);
		return;
	}
	if (report->print || imalog_replay_checks(report->replay) == 0)
		print_values(report);
	if (report_only_computes(report) && report->verdict == IMALOG_NOT_CHECKED)
		return;
	print_verdict(report);
	report_markers_text(report);
	print_boot(report);
	if (report->log->options->verbose)
		log_print_facts(report->log, stdout);
	print_counts(report);
}
