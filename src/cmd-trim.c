// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog trim: saves the first records of the list, and lets the kernel delete exactly those. */
#include <inttypes.h>
#include <string.h>

#include "exporting.h"

enum {
	OPT_TO_RECORD = OPT_EXPORT_OWN,
};

static const struct option long_options[] = {
	COMMON_LONG,
	EXPORTING_LONG,
	{ "to-record", required_argument, NULL, OPT_TO_RECORD },
	QUOTE_LONG,
	{ NULL, 0, NULL, 0 },
};

struct run {
	struct verify verify; /* with the command's options */
	struct exporting exporting;
	uint64_t records;   /* so many of the list, */
	uint64_t to_record; /* or up to this one of the epoch, or 0 */
	bool replayed;	    /* the quote was looked for in all records */
	int failed;	    /* of the library, while that was done */
};

/* ---- the command line ---- */

static bool is_of_quote(int option)
{
	return option >= OPT_PCR && option < QUOTE_VALUES;
}

static bool has_quote_options(const struct run *run)
{
	for (int option = OPT_PCR; option < QUOTE_VALUES; option++)
		if (run->verify.options.seen[option])
			return true;
	return imalog_pcrs_count(run->verify.compare.given);
}

/* What is to be deleted is said in one of three ways. */
static int check_operand(struct run *run, int argc, char **argv)
{
	const struct command *command = run->verify.options.command;
	const char *to_record = run->verify.options.values[OPT_TO_RECORD];
	int ways = (argc > optind) + (to_record != NULL) + (run->verify.values[OPT_QUOTE] != NULL);

	if (argc > optind + 1)
		return usage_error(command, "too many arguments: '%s'", argv[optind + 1]);
	if (ways == 0 && has_quote_options(run))
		return quote_check_options(&run->verify);
	if (ways != 1)
		return usage_error(command, "give one of N, --to-record and --quote");
	if (argc > optind &&
	    (!parse_count(argv[optind], false, &run->records) || !run->records))
		return usage_error(command, "'%s' is no number of records", argv[optind]);
	if (to_record && (!parse_count(to_record, false, &run->to_record) || !run->to_record))
		return usage_error(command, "'%s' is no number of a record", to_record);
	if (run->verify.values[OPT_QUOTE])
		return quote_check_options(&run->verify);
	if (has_quote_options(run))
		return usage_error(command, "options of a quote go with --quote");
	return EXIT_YES;
}

static int take_option(void *arg, int option)
{
	struct run *run = arg;

	return is_of_quote(option) ? quote_option(&run->verify, option) :
				     options_take(&run->verify.options, option);
}

static int parse(struct run *run, int argc, char **argv)
{
	int rc = options_parse(&run->verify.options, argc, argv, take_option, run);

	if (rc == EXIT_YES)
		rc = check_operand(run, argc, argv);
	return rc == EXIT_YES ? exporting_configure(&run->exporting) : rc;
}

/* ---- the quote ---- */

/* While the lists are held: what does the quote cover?  Nothing is printed now. */
static int find_covered(void *arg, uint64_t *record)
{
	struct run *run = arg;
	struct verify *verify = &run->verify;

	run->failed = imalog_quote_match_finish(verify->match, verify->error);
	if (run->failed < 0)
		return run->failed;
	run->replayed = true;
	if (quote_verdict(verify) != IMALOG_MATCH)
		return -IMALOG_ERR_INVALID;
	*record = imalog_quote_match_at(verify->match);
	return 0;
}

static int exit_code_of_verdict(enum imalog_verdict verdict)
{
	return verdict == IMALOG_MATCH	  ? EXIT_YES :
	       verdict == IMALOG_MISMATCH ? EXIT_NO :
					    EXIT_UNABLE;
}

/* Why nothing was deleted; an exit code */
static int refuse(struct run *run, enum imalog_verdict verdict)
{
	const struct verify *verify = &run->verify;
	int flushed = EXIT_YES, code;

	if (verify->options.json) {
		flushed = exporting_print_json(&run->exporting, 0,
					       quote_object(verify, &code));
	} else {
		exporting_print_text(&run->exporting);
		if (!verify->options.quiet)
			quote_print_text(verify, run->replayed);
	}
	complain("nothing is deleted: the quote %s",
		 verdict == IMALOG_MISMATCH ? "does not hold" : "is not proved");
	if (flushed == EXIT_YES)
		flushed = stdout_flush();
	return flushed == EXIT_YES ? exit_code_of_verdict(verdict) : flushed;
}

/* ---- running ---- */

static int trim(struct run *run)
{
	struct imalog_export *export = run->exporting.export;
	struct imalog_error *error = run->exporting.error;

	if (run->records)
		return imalog_export_trim(export, run->records, error);
	if (run->to_record)
		return imalog_export_trim_to(export, run->to_record, error);
	return imalog_export_trim_replayed(export, run->verify.replay, find_covered, run,
					   error);
}

static int report(struct run *run, int rc)
{
	const struct options *options = &run->verify.options;
	json_t *quote = NULL;
	int flushed = EXIT_YES, code;

	if (options->json) {
		if (run->replayed)
			quote = quote_object(&run->verify, &code);
		flushed = exporting_print_json(&run->exporting, rc, quote);
	} else {
		exporting_print_text(&run->exporting);
		if (run->replayed && options->verbose)
			quote_print_text(&run->verify, true);
		if (rc == 0 && options->verbose)
			printf("nothing to do\n");
	}
	if (rc < 0)
		complain_of(NULL,
			    run->failed < 0 ? run->verify.error : run->exporting.error);
	if (flushed == EXIT_YES)
		flushed = stdout_flush();
	if (flushed != EXIT_YES)
		return flushed;
	return rc < 0 ? exit_code_of(rc) : export_judge(run->exporting.export);
}

/* A quote that fails by itself is no reason to touch the kernel's lists. */
static int run_trim(struct run *run)
{
	struct verify *verify = &run->verify;
	bool quote = verify->values[OPT_QUOTE];
	int rc = quote ? quote_prepare(verify) : EXIT_YES;

	if (rc == EXIT_YES && quote)
		rc = quote_load(verify);
	if (rc == EXIT_YES && quote)
		rc = quote_prepare_match(verify);
	if (rc == EXIT_YES)
		rc = exporting_prepare(&run->exporting);
	if (rc != EXIT_YES)
		return rc;
	if (quote && quote_verdict_alone(verify) != IMALOG_MATCH)
		return refuse(run, quote_verdict_alone(verify));
	rc = trim(run);
	if (run->replayed && quote_verdict(verify) != IMALOG_MATCH)
		return refuse(run, quote_verdict(verify));
	return report(run, rc);
}

static int cmd_trim_run(const struct command *command, int argc, char **argv)
{
	struct run *run = calloc(1, sizeof(*run));
	int rc;

	if (!run)
		return out_of_memory();
	run->exporting.options = &run->verify.options;
	run->exporting.tells = true;
	rc = quote_init(&run->verify, command);
	if (rc == EXIT_YES)
		rc = parse(run, argc, argv);
	if (rc == EXIT_YES)
		rc = run_trim(run);
	exporting_free(&run->exporting);
	quote_free(&run->verify);
	free(run);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_trim = {
	.name = "trim",
	.summary = "takes the first records of the list into the store",
	.usage = "[OPTION...] N | --to-record N | --quote MSG ...",
	.help = "Saves the first N records of the kernel's measurement list durably in the store,\n"
		"and has the kernel delete exactly those; first finishes what was interrupted.\n"
		"Refuses while records are staged, when the list has fewer, and under\n"
		"ima_flush_htable.  Exit status 0: done, or nothing to do; 1: done, and something\n"
		"does not fit, or not done, since the quote does not hold; 4: not done, or not\n"
		"compared with the TPM.\n"
		"\n"
		"Instead of N:\n"
		"      --to-record N          up to record N of the epoch, as 'imalog store list'\n"
		"                             counts\n"
		"      --quote MSG            the records that this quote proves; TPMS_ATTEST, as\n"
		"                             tpm2_quote -m writes it\n"
		"\n"
		"With --quote, as in 'imalog quote-verify':\n"
		"      --signature SIG        TPMT_SIGNATURE, as tpm2_quote -s, or plain\n"
		"      --hash ALG             hash of a plain signature; default sha256\n"
		"      --key KEY              PEM, DER, TPM2B_PUBLIC, TPMT_PUBLIC or certificate\n"
		"      --ca FILE              certificates that the key's must chain to\n"
		"      --nonce HEX            the nonce that the TPM was given\n"
		"      --nonce-file FILE      the same, as bytes in a file\n"
		"      --no-nonce             how old the quote is does not matter\n"
		"      --previous MSG         an earlier quote of this key: no reset in between\n"
		"      --pcrs [ALG,]FILE      values of other PCRs that it signed\n"
		"      --eventlog FILE        the same, from the firmware's event log\n"
		"      --padding auto|perbank|sha1\n"
		"                             what banks were extended with; auto tries both\n"
		"\n"
		EXPORTING_TPM_HELP
		"      --ak CONTEXT|HANDLE    store a quote by this key with the segment\n"
		"\n"
		EXPORTING_WAIT_HELP
		EXPORTING_STORE_HELP
		"      --root DIR             where /sys, /proc, /dev, /etc and the store are\n"
		"      --json                 print JSON\n"
		"  -q, --quiet                print errors, and what does not fit\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_trim_run,
};
