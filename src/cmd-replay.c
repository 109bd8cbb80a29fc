// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog replay: computes PCR values from a log and compares them. */
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "recnum.h"

enum {
	OPT_PRINT = OPT_COMMAND,
	OPT_BOOT_AGGREGATE,
	OPT_EVENTLOG,
	OPT_ALLOW_OPAQUE
};

static const struct option long_options[] = {
	COMMON_LONG,
	LOG_LONG,
	COMPARE_LONG,
	{ "print", no_argument, NULL, OPT_PRINT },
	{ "boot-aggregate", no_argument, NULL, OPT_BOOT_AGGREGATE },
	{ "eventlog", required_argument, NULL, OPT_EVENTLOG },
	{ "allow-opaque", no_argument, NULL, OPT_ALLOW_OPAQUE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

/* Readings of a list that changes while it is compared, until a mismatch is believed. */
#define LIVE_ATTEMPTS 3

struct replay {
	struct options options;
	struct compare compare;
	struct log log;
	struct imalog_replay *engine;
	struct report report;
	struct boot boot;
	struct recnums recnums;
	bool allow_opaque;
};

static int set_option(void *arg, int option)
{
	struct replay *replay = arg;

	if (option < OPT_COMMAND)
		return compare_option(&replay->compare, &replay->options, option);
	if (!options_once(&replay->options, option))
		return EXIT_USAGE;
	switch (option) {
	case OPT_PRINT:
		replay->report.print = true;
		break;
	case OPT_EVENTLOG:
		replay->boot.eventlog = optarg;
		replay->boot.wanted = true;
		break;
	case OPT_ALLOW_OPAQUE:
		replay->allow_opaque = true;
		break;
	default:
		replay->boot.wanted = true;
	}
	return EXIT_YES;
}

static void on_problem(void *arg, const struct imalog_record *record, enum imalog_problem problem)
{
	struct report *report = arg;

	if (report->nr_complaints == COMPLAINTS_MAX || !report->complaints)
		return;
	report->complaints[report->nr_complaints++] =
		(struct complaint){ imalog_record_number(record), imalog_record_offset(record),
				    report->log->current - 1, problem };
}

static void on_record(void *arg, const struct imalog_record *record)
{
	struct replay *replay = arg;

	if (imalog_record_is_boot_aggregate(record)) {
		replay->report.starts_with_boot_aggregate |= imalog_record_number(record) == 1;
		boot_check(&replay->boot, record, &replay->compare);
	}
	if (!imalog_record_is_nv(record) && imalog_record_is_measured(record))
		replay->report.extended |= (uint64_t)1 << imalog_record_pcr(record);
	recnum_look(&replay->recnums, &replay->log, record);
	progress(imalog_record_number(record));
}

/* Replays every file; 0, or an exit code with the failure in the report. */
static int run_files(struct replay *replay)
{
	struct log *log = &replay->log;
	int rc;

	while ((rc = log_next_file(log)) > 0) {
		int failed = imalog_replay_run(replay->engine, log->reader, replay->report.error);

		log->records = imalog_replay_records(replay->engine);
		if (failed < 0)
			return exit_code_of(failed);
	}
	return -rc;
}

static int exit_code(const struct report *report, int failed)
{
	enum imalog_alg alg;
	uint32_t pcr;

	if (failed)
		return failed;
	if (report->verdict == IMALOG_MISMATCH)
		return EXIT_NO;
	if (report->verdict == IMALOG_MATCH)
		return EXIT_YES;
	if (!report->print || compare_has_source(report->compare) ||
	    imalog_replay_problems(report->replay))
		return EXIT_UNABLE;
	if (report_unused_start(report, 0, &alg, &pcr)) {
		complain("the start value of %s:%u was not used", imalog_alg_name(alg), pcr);
		return EXIT_UNABLE;
	}
	if (report_lacks_values(report))
		return EXIT_UNABLE;
	/* What is only to be printed need not be compared; what is to be checked, proved. */
	if (!report->boot->wanted)
		return EXIT_YES;
	complain("no boot_aggregate could be checked: without values to compare with, nothing "
		 "proves the record");
	return EXIT_UNABLE;
}

static int finish(struct replay *replay, int failed)
{
	struct report *report = &replay->report;
	enum imalog_alg alg;
	uint32_t pcr;
	int code, flushed;
	bool written = true;

	report->verdict = imalog_replay_verdict(report->replay, &report->matched_at);
	if (failed || (report->verdict == IMALOG_MATCH &&
		       (report_missing(report, 0, &alg, &pcr) ||
			report_unused_start(report, 0, &alg, &pcr))))
		report->verdict = IMALOG_NOT_CHECKED;
	if (log_is_doubtful(&replay->log))
		report->verdict = IMALOG_NOT_CHECKED;
	boot_settle(&replay->boot, replay->engine,
		    report->verdict == IMALOG_MATCH ? report->matched_at : 0);
	if (replay->boot.wanted)
		report->verdict = boot_verdict(&replay->boot, report->verdict);
	code = exit_code(report, failed);
	if (replay->options.json)
		written = report_json(report);
	else if (!replay->options.quiet)
		report_text(report);
	if (!replay->options.quiet)
		recnum_complain(&replay->recnums);
	flushed = stdout_flush();
	if (!written && flushed == EXIT_YES)
		return out_of_memory();
	return flushed == EXIT_YES ? code : flushed;
}

/* Replays the whole log, with its own engine; an exit code. */
static int replay_log(struct replay *replay, enum imalog_padding padding)
{
	struct report *report = &replay->report;
	int rc;

	imalog_replay_free(&replay->engine);
	replay->engine = imalog_replay_new();
	if (!replay->engine)
		return out_of_memory();
	report->replay = replay->engine;
	report->nr_complaints = 0;
	boot_begin(&replay->boot);
	report->extended = 0;
	replay->recnums = (struct recnums){ .file = 0 };
	rc = compare_apply(&replay->compare, padding, replay->engine);
	if (rc != EXIT_YES)
		return rc;
	if (replay->allow_opaque)
		imalog_replay_allow_opaque(replay->engine);
	imalog_replay_on_problem(replay->engine, on_problem, report);
	imalog_replay_on_record(replay->engine, on_record, replay);
	log_rewind(&replay->log);
	rc = run_files(replay);
	progress_end();
	return rc;
}

/*
 * To try both paddings at once takes a third more time, and padded banks are rare: where the
 * log can be read again, the padded one is tried only when the other did not match.
 */
static int replay_paddings(struct replay *replay)
{
	enum imalog_padding padding = replay->compare.padding;
	int rc;

	if (padding != IMALOG_PADDING_AUTO || !log_can_rewind(&replay->log))
		return replay_log(replay, padding);
	rc = replay_log(replay, IMALOG_PADDING_PERBANK);
	/* A recorded digest may be a padded one. */
	if (rc == EXIT_YES && imalog_replay_verdict(replay->engine, NULL) == IMALOG_MISMATCH &&
	    imalog_replay_problems(replay->engine))
		return replay_log(replay, padding);
	/* What is in a marker may be the value of a padded bank, too. */
	for (size_t i = 0; rc == EXIT_YES && i < imalog_replay_markers(replay->engine); i++) {
		struct imalog_marker_check marker;

		imalog_replay_marker(replay->engine, i, &marker);
		if (marker.misfits)
			return replay_log(replay, padding);
	}
	for (size_t i = 0; rc == EXIT_YES && i < imalog_replay_checks(replay->engine); i++) {
		struct imalog_check check;

		imalog_replay_check(replay->engine, i, &check);
		if (check.verdict != IMALOG_MATCH && check.extends && check.bank != IMALOG_ALG_SHA1)
			return replay_log(replay, padding);
	}
	return rc;
}

/* Would a bank that does not match do so with padded digests?  That is worth saying. */
static void look_for_padding(struct replay *replay)
{
	struct imalog_replay *engine = replay->engine;

	if (replay->compare.padding != IMALOG_PADDING_PERBANK || !log_can_rewind(&replay->log) ||
	    imalog_replay_verdict(engine, NULL) != IMALOG_MISMATCH)
		return;
	replay->engine = imalog_replay_new();
	log_rewind(&replay->log);
	if (replay->engine &&
	    compare_apply(&replay->compare, IMALOG_PADDING_SHA1, replay->engine) == EXIT_YES &&
	    run_files(replay) == EXIT_YES)
		for (size_t i = 0; i < imalog_replay_checks(replay->engine); i++) {
			struct imalog_check check;

			imalog_replay_check(replay->engine, i, &check);
			replay->report.padded[check.bank] |= check.verdict == IMALOG_MATCH;
		}
	imalog_replay_free(&replay->engine);
	replay->engine = engine;
}

/* The first verdict is the last, unless what was compared changes while it is read. */
static int replay_until_sure(struct replay *replay)
{
	int rc = EXIT_YES;

	for (int attempt = 0; attempt < LIVE_ATTEMPTS; attempt++) {
		/*
		 * The TPM first: a list that is read later holds whatever was extended before,
		 * so that the value must be found in it.
		 */
		rc = compare_read_live(&replay->compare, &replay->options);
		log_look_again(&replay->log);
		if (rc == EXIT_YES)
			rc = replay_paddings(replay);
		if (rc != EXIT_YES || !log_may_change(&replay->log) ||
		    imalog_replay_verdict(replay->engine, NULL) != IMALOG_MISMATCH)
			break;
	}
	if (rc == EXIT_YES)
		look_for_padding(replay);
	return rc;
}

/* This machine's log is compared with this machine's TPM, and asks the same one if it must. */
static int choose_tpm(struct replay *replay)
{
	struct compare *compare = &replay->compare;

	if (!log_is_live(&replay->log))
		return EXIT_YES;
	if (compare_has_source(compare) || !replay->report.print)
		compare_with_machine(compare, &replay->options, &replay->log.live.config);
	if (!compare->tpm && !compare->sysfs)
		return EXIT_YES;
	return live_set_tpm(&replay->log.live, compare->tpm ? IMALOG_TPM_TSS : IMALOG_TPM_SYSFS,
			    compare->tcti);
}

static int run(struct replay *replay, int argc, char **argv)
{
	struct report *report = &replay->report;
	struct imalog_error *error;
	int rc = log_open(&replay->log, &replay->options, argv + optind, argc - optind);

	if (rc != EXIT_YES)
		return rc;
	error = imalog_error_new();
	report->compare = &replay->compare;
	report->boot = &replay->boot;
	report->log = &replay->log;
	report->error = error;
	report->complaints = calloc(COMPLAINTS_MAX, sizeof(*report->complaints));
	if (!error || !report->complaints) {
		imalog_error_free(&error);
		return out_of_memory();
	}
	rc = choose_tpm(replay);
	if (rc == EXIT_YES)
		rc = boot_open(&replay->boot, &replay->options, log_is_live(&replay->log),
		       &replay->compare);
	if (rc == EXIT_YES)
		rc = replay_until_sure(replay);
	if (rc && imalog_error_code(error))
		log_complain(&replay->log, error);
	else
		report->error = NULL;
	/* Of a log that could not even be opened there is nothing to report. */
	if (report->replay && rc != EXIT_USAGE && (rc == EXIT_YES || imalog_error_code(error)))
		rc = finish(replay, rc);
	imalog_error_free(&error);
	return rc;
}

static int cmd_replay_run(const struct command *command, int argc, char **argv)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int rc;

	if (!replay)
		return out_of_memory();
	rc = options_init(&replay->options, command);
	if (rc == EXIT_YES)
		rc = compare_init(&replay->compare);
	if (rc == EXIT_YES)
		rc = options_parse(&replay->options, argc, argv, set_option, replay);
	if (rc == EXIT_YES)
		rc = run(replay, argc, argv);
	log_close(&replay->log);
	imalog_replay_free(&replay->engine);
	free(replay->report.complaints);
	boot_close(&replay->boot);
	compare_free(&replay->compare);
	options_free(&replay->options);
	free(replay);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_replay = {
	.name = "replay",
	.summary = "computes PCR values from a log and compares them",
	.usage = "[OPTION...] [LOG...]",
	.help = "The LOGs, in the order given, are one log; '-' is standard input.  No LOG: this\n"
		"machine's: what was exported, what is staged, and the kernel's list, compared\n"
		"with this machine's TPM.\n"
		"\n"
		"What to compare with:\n"
		"      --pcrs [ALG,]FILE      values in a file: PCR-10: HEX or ALG:10=HEX lines,\n"
		"                             tpm2_pcrread output, tpm2_quote -o, sysfs files;\n"
		"                             raw values: ALG:0,1+ALG:2,FILE\n"
		"      --expect ALG:PCR=HEX   this value\n"
		"      --tpm                  this machine's TPM, through tpm2-tss\n"
		"      --tcti TCTI            the TPM at this TCTI, such as device:/dev/tpmrm0\n"
		"      --sysfs                this machine's TPM, through /sys/class/tpm\n"
		"      --pcr N                of these PCRs only; they must be there\n"
		"      --bank ALG             of these banks only: sha1 sha256 sha384 sha512 sm3\n"
		"      --start ALG:PCR=HEX    the PCR starts from this value, not from zeros\n"
		"      --padding auto|perbank|sha1\n"
		"                             banks were extended with digests of their own, or\n"
		"                             with SHA-1 padded with zeros; auto tries both\n"
		"      --allow-opaque         a match may rest on records whose content no rule\n"
		"                             checks: of the firmware, of systemd, unknown\n"
		"      --ignore-violations    accepted for evmctl's sake: always done\n"
		"\n"
		"      --boot-aggregate       check each boot_aggregate against PCR 0 to 7 (sha1)\n"
		"                             or 0 to 9, of the values above or the event log\n"
		"      --eventlog FILE        the firmware's event log that leads to these PCRs\n"
		"\n"
		"Output:\n"
		"      --print                print the computed values; comparing is optional\n"
		"      --json                 print one JSON object\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              say how each LOG was read\n"
		"\n"
		LOG_OPTIONS_HELP,
	.options = long_options,
	.run = cmd_replay_run,
};
