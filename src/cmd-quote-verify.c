// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog quote-verify: what a signed quote proves about a log. */
#include <string.h>

#include "quote.h"

static const struct option long_options[] = {
	COMMON_LONG,
	LOG_LONG,
	QUOTE_LONG,
	{ "from-quote", required_argument, NULL, OPT_FROM_QUOTE },
	{ "from-signature", required_argument, NULL, OPT_FROM_SIGNATURE },
	{ "start", required_argument, NULL, OPT_START },
	{ "allow-opaque", no_argument, NULL, OPT_QUOTE_OPAQUE },
	{ "max-later", required_argument, NULL, OPT_MAX_LATER },
	{ "print-count", no_argument, NULL, OPT_PRINT_COUNT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

/* ---- the command line ---- */

/* Options that are needed, or that only make sense together. */
static int check_options(const struct verify *verify)
{
	const char *const *values = verify->values;
	const struct command *command = verify->options.command;
	int rc = quote_check_options(verify);

	if (rc != EXIT_YES)
		return rc;
	if (!values[OPT_FROM_QUOTE] != !values[OPT_FROM_SIGNATURE])
		return usage_error(command, "--from-quote and --from-signature go together");
	if (!values[OPT_FROM_QUOTE] != !imalog_pcrs_count(verify->compare.start))
		return usage_error(command, "--from-quote and --start go together");
	if (values[OPT_FROM_QUOTE] && values[OPT_PREVIOUS])
		return usage_error(command, "--from-quote is the previous quote already");
	if (verify->print_count && verify->options.json)
		return usage_error(command, "--print-count and --json exclude each other");
	return EXIT_YES;
}

static int parse(struct verify *verify, int argc, char **argv)
{
	int rc = options_parse(&verify->options, argc, argv, quote_option, verify);

	return rc == EXIT_YES ? check_options(verify) : rc;
}

/* ---- the log ---- */

static void on_record(void *arg, const struct imalog_record *record)
{
	quote_on_record(arg, record);
	progress(imalog_record_number(record));
}

static int replay_files(struct verify *verify)
{
	struct log *log = &verify->log;
	int more, rc;

	while ((more = log_next_file(log)) > 0) {
		rc = imalog_replay_run(verify->replay, log->reader, verify->error);
		log->records = imalog_replay_records(verify->replay);
		if (rc < 0) {
			progress_end();
			log_complain(log, verify->error);
			return exit_code_of(rc);
		}
	}
	progress_end();
	return -more;
}

static int check_log(struct verify *verify)
{
	int rc = quote_prepare_match(verify);

	if (rc != EXIT_YES)
		return rc;
	imalog_replay_on_record(verify->replay, on_record, verify);
	rc = replay_files(verify);
	if (rc != EXIT_YES)
		return rc;
	rc = imalog_quote_match_finish(verify->match, verify->error);
	return rc < 0 ? quote_failed(verify, NULL, rc) : EXIT_YES;
}

/*
 * A digest proves nothing about values that it is not over: of two quotes the first must have
 * signed every start value, and every PCR that the log goes on with and the second has signed.
 */
static void check_first_selection(struct verify *verify)
{
	verify->first_selection = IMALOG_MATCH;
	for (int a = 1; a < IMALOG_ALG_COUNT; a++) {
		enum imalog_alg alg = (enum imalog_alg)a;

		for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++) {
			bool used = imalog_pcrs_get(verify->compare.start, alg, pcr) ||
				    (quote_log_extends(verify, pcr) &&
				     imalog_quote_selects(verify->quote, alg, pcr));

			if (!used || imalog_quote_selects(verify->from, alg, pcr))
				continue;
			verify->first_selection = IMALOG_MISMATCH;
			snprintf(verify->first_unsigned, sizeof(verify->first_unsigned), "%s:%u",
				 imalog_alg_name(alg), pcr);
			return;
		}
	}
}

static int run(struct verify *verify, int argc, char **argv)
{
	int rc = log_open(&verify->log, &verify->options, argv + optind, argc - optind);

	if (rc == EXIT_YES)
		rc = quote_prepare(verify);
	if (rc == EXIT_YES)
		rc = quote_load(verify);
	if (rc == EXIT_YES)
		rc = check_log(verify);
	if (rc == EXIT_YES && verify->from)
		check_first_selection(verify);
	verify->doubtful = log_is_doubtful(&verify->log);
	if (rc == EXIT_YES)
		rc = quote_report(verify);
	return rc;
}

static int cmd_quote_verify_run(const struct command *command, int argc, char **argv)
{
	struct verify verify;
	int rc = quote_init(&verify, command);

	if (rc == EXIT_YES)
		rc = parse(&verify, argc, argv);
	if (rc == EXIT_YES)
		rc = run(&verify, argc, argv);
	log_close(&verify.log);
	quote_free(&verify);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_quote_verify = {
	.name = "quote-verify",
	.summary = "says what a signed TPM quote proves about a log",
	.usage = "--quote MSG --signature SIG --key KEY\n"
		 "                           [OPTION...] [LOG...]",
	.help = "The LOGs, in the order given, are one log; '-' is standard input.  No LOG: this\n"
		"machine's: what was exported, what is staged, and the kernel's list.\n"
		"\n"
		"The quote:\n"
		"      --quote MSG            TPMS_ATTEST, as tpm2_quote -m writes it\n"
		"      --signature SIG        TPMT_SIGNATURE, as tpm2_quote -s, or plain\n"
		"      --hash ALG             hash of the signature; default of a plain one:\n"
		"                             sha256\n"
		"      --key KEY              PEM, DER, TPM2B_PUBLIC, TPMT_PUBLIC or certificate\n"
		"      --ca FILE              certificates that the key's must chain to\n"
		"      --nonce HEX            the nonce that the TPM was given\n"
		"      --nonce-file FILE      the same, as bytes in a file\n"
		"      --no-nonce             how old the quote is does not matter\n"
		"      --previous MSG         an earlier quote of this key: no reset in between\n"
		"\n"
		"A piece of a log, from one quote to another of the same key:\n"
		"      --from-quote MSG       the quote at its start\n"
		"      --from-signature SIG   its signature\n"
		"      --start ALG:PCR=HEX    the values that it signed\n"
		"\n"
		"Values of signed PCRs that the log does not lead to:\n"
		"      --pcrs [ALG,]FILE      from a PCR file, as in imalog replay\n"
		"      --eventlog FILE        from the firmware's event log\n"
		"\n"
		"      --allow-opaque         it may cover records whose content no rule checks:\n"
		"                             of the firmware, of systemd, unknown\n"
		"      --padding auto|perbank|sha1\n"
		"                             what banks were extended with; auto tries both\n"
		"      --max-later N          FAIL when more than N records are not covered\n"
		"\n"
		"Output:\n"
		"      --print-count          print how many records are covered, nothing else\n"
		"      --json                 print one JSON object\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              say how each LOG was read\n"
		"\n"
		LOG_OPTIONS_HELP,
	.options = long_options,
	.run = cmd_quote_verify_run,
};
