// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog merge: makes one log of saved pieces and proves it whole. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "merge.h"

enum { OPT_LIVE = QUOTE_VALUES, OPT_RECEIPTS, OPT_EPOCH };

static const struct option long_options[] = {
	COMMON_LONG,
	READING_LONG,
	STORE_LONG,
	COMPARE_LONG,
	{ "output", required_argument, NULL, 'o' },
	{ "to", required_argument, NULL, 't' },
	{ "live", no_argument, NULL, OPT_LIVE },
	{ "receipts", required_argument, NULL, OPT_RECEIPTS },
	{ "epoch", required_argument, NULL, OPT_EPOCH },
	{ "quote", required_argument, NULL, OPT_QUOTE },
	{ "signature", required_argument, NULL, OPT_SIGNATURE },
	{ "key", required_argument, NULL, OPT_KEY },
	{ "hash", required_argument, NULL, OPT_HASH },
	{ "ca", required_argument, NULL, OPT_CA },
	{ "nonce", required_argument, NULL, OPT_NONCE },
	{ "nonce-file", required_argument, NULL, OPT_NONCE_FILE },
	{ "no-nonce", no_argument, NULL, OPT_NO_NONCE },
	{ "previous", required_argument, NULL, OPT_PREVIOUS },
	{ "eventlog", required_argument, NULL, OPT_QUOTE_EVENTLOG },
	{ "max-later", required_argument, NULL, OPT_MAX_LATER },
	{ "allow-opaque", no_argument, NULL, OPT_QUOTE_OPAQUE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

/* Readings of a machine that changes while it is compared, until a mismatch is believed */
#define LIVE_ATTEMPTS 3

/* ---- the command line ---- */

static int add_receipts(struct merging *merging)
{
	const char **receipts = reallocarray(merging->receipts, merging->nr_receipts + 1,
					     sizeof(*receipts));

	if (!receipts)
		return out_of_memory();
	merging->receipts = receipts;
	receipts[merging->nr_receipts++] = optarg;
	return EXIT_YES;
}

static int set_own(struct merging *merging, int option)
{
	struct options *options = &merging->verify.options;

	if (option == OPT_RECEIPTS)
		return add_receipts(merging);
	if (!options_once(options, option))
		return EXIT_USAGE;
	switch (option) {
	case 'o':
		merging->sink.path = optarg;
		return EXIT_YES;
	case 't':
		return output_form_choose(options->command, optarg, &merging->form);
	case OPT_LIVE:
		merging->live = true;
		return EXIT_YES;
	default:
		if (parse_count(optarg, false, &merging->epoch) && merging->epoch)
			return EXIT_YES;
		return usage_error(options->command, "'%s' is no number of an epoch", optarg);
	}
}

static int set_option(void *arg, int option)
{
	struct merging *merging = arg;
	struct verify *verify = &merging->verify;

	if (option == 'o' || option == 't' || option >= QUOTE_VALUES)
		return set_own(merging, option);
	if (option >= OPT_COMMAND)
		return quote_option(verify, option);
	return compare_option(&verify->compare, &verify->options, option);
}

static bool names_quote(const struct verify *verify)
{
	bool any = verify->no_nonce || verify->max_later != UINT64_MAX || verify->hash;

	for (int i = OPT_QUOTE; i < QUOTE_VALUES; i++)
		any |= verify->values[i] != NULL;
	return any;
}

/* A quote says what to compare with; values of other PCRs may be needed. */
static int check_quote(const struct verify *verify)
{
	const char *const *values = verify->values;
	const struct compare *compare = &verify->compare;
	const struct command *command = verify->options.command;

	if (!names_quote(verify))
		return EXIT_YES;
	if (!values[OPT_QUOTE] || !values[OPT_SIGNATURE] || !values[OPT_KEY])
		return usage_error(command, "--quote, --signature and --key go together");
	if ((values[OPT_NONCE] != NULL) + (values[OPT_NONCE_FILE] != NULL) + verify->no_nonce > 1)
		return usage_error(command, "--nonce, --nonce-file and --no-nonce exclude each "
					    "other");
	if (compare->tpm || compare->sysfs || imalog_pcrs_count(compare->demanded) ||
	    imalog_pcrs_count(compare->start) || compare->any_pcr || compare->any_bank)
		return usage_error(command, "--quote excludes all that it is compared with but "
					    "--pcrs");
	return EXIT_YES;
}

static int check_options(const struct merging *merging, int nr_files)
{
	const struct options *options = &merging->verify.options;
	const char *path = merging->sink.path;

	if (nr_files == 0 && !merging->live && !options->store)
		return usage_error(options->command, "no SEGMENT is given");
	if ((options->wait || options->config) && !merging->live)
		return usage_error(options->command, "--wait and --config are about --live");
	if (merging->live && merging->epoch)
		return usage_error(options->command, "--live is of the current epoch");
	if (path && strcmp(path, "-") == 0 && (!merging->form || !merging->form->is_text) &&
	    isatty(STDOUT_FILENO))
		return usage_error(options->command,
				   "a binary log is not for a terminal (-o FILE)");
	return check_quote(&merging->verify);
}

static int parse(struct merging *merging, int argc, char **argv)
{
	int rc = options_parse(&merging->verify.options, argc, argv, set_option, merging);

	return rc == EXIT_YES ? check_options(merging, argc - optind) : rc;
}

/* ---- one merge ---- */

/* A new pass over the records begins. */
static int prepare(void *arg, struct imalog_replay *replay)
{
	struct merging *merging = arg;
	struct verify *verify = &merging->verify;

	merging->starts_with_boot_aggregate = false;
	memset(verify->first_record, 0, sizeof(verify->first_record));
	merging->anchor_code =
		verify->quote ? compare_apply_start(&verify->compare, replay) :
				compare_apply(&verify->compare, verify->compare.padding, replay);
	if (verify->allow_opaque)
		imalog_replay_allow_opaque(replay);
	return merging->anchor_code == EXIT_YES ? 0 : -IMALOG_ERR_INVALID;
}

static void on_record(void *arg, const struct imalog_record *record)
{
	struct merging *merging = arg;
	uint32_t pcr = imalog_record_pcr(record);
	uint64_t number = imalog_record_number(record);

	if (number == 1)
		merging->starts_with_boot_aggregate = imalog_record_is_boot_aggregate(record);
	if (!imalog_record_is_nv(record) && imalog_record_is_measured(record) &&
	    !merging->verify.first_record[pcr])
		merging->verify.first_record[pcr] = number;
	progress(number);
}

static int complain_of_merge(const struct merging *merging, int rc)
{
	const struct imalog_error *error = merging->verify.error;

	if (merging->anchor_code != EXIT_YES)
		return merging->anchor_code;
	complain_of(NULL, error);
	complain_how_to_read(error);
	return exit_code_of(rc);
}

/* Pointers for the reports, which print a replay and a search as they are */
static void take_results(struct merging *merging)
{
	struct verify *verify = &merging->verify;
	const struct imalog_plan *plan = imalog_merge_plan(merging->merge);

	verify->replay = (struct imalog_replay *)imalog_merge_replay(merging->merge);
	verify->match = (struct imalog_quote_match *)imalog_merge_quote_match(merging->merge);
	verify->bad_record = verify->replay ? imalog_replay_first_bad(verify->replay,
								      &verify->bad_problem) :
					      0;
	verify->log.options = &verify->options;
	verify->log.plan = plan;
	verify->log.nr_files = imalog_plan_parts(plan);
}

static void set_output(struct merging *merging)
{
	const struct output_form *form = merging->form;

	imalog_merge_set_output(merging->merge, form ? form->format : IMALOG_FORMAT_KERNEL,
				form ? form->order : IMALOG_ORDER_LE, sink_write, sink_restart,
				&merging->sink);
	if (form && form->sequence)
		imalog_merge_set_sequence(merging->merge);
}

static int merge_once(struct merging *merging)
{
	struct verify *verify = &merging->verify;
	int rc = compare_read_live(&verify->compare, &verify->options);

	if (rc == EXIT_YES)
		rc = input_add(merging);
	if (rc != EXIT_YES)
		return rc;
	imalog_merge_set_anchor(merging->merge, prepare, merging);
	if (verify->quote)
		imalog_merge_set_quote(merging->merge, verify->quote, verify->others);
	if (merging->sink.path)
		set_output(merging);
	imalog_merge_on_record(merging->merge, on_record, merging);
	rc = imalog_merge_run(merging->merge, &merging->result, verify->error);
	progress_end();
	if (rc < 0)
		return complain_of_merge(merging, rc);
	take_results(merging);
	return EXIT_YES;
}

/* ---- until it is sure ---- */

static int prepare_live(struct merging *merging)
{
	struct verify *verify = &merging->verify;
	struct live *live = &verify->log.live;
	struct compare *compare = &verify->compare;
	int rc;

	if (!merging->live)
		return EXIT_YES;
	rc = live_open(live, &verify->options);
	verify->log.is_live = true;
	verify->log.options = &verify->options;
	verify->log.fd = -1;
	if (rc != EXIT_YES)
		return rc;
	if (!verify->quote)
		compare_with_machine(compare, &verify->options, &live->config);
	if (!compare->tpm && !compare->sysfs)
		return EXIT_YES;
	return live_set_tpm(live, compare->tpm ? IMALOG_TPM_TSS : IMALOG_TPM_SYSFS,
			    compare->tcti);
}

/* The first answer is the last, unless what is compared changes while it is read. */
static int merge_until_sure(struct merging *merging)
{
	int rc = EXIT_YES;

	for (int attempt = 0; attempt < LIVE_ATTEMPTS; attempt++) {
		rc = merge_once(merging);
		if (rc != EXIT_YES || !merging->live || merging->result != IMALOG_MERGE_BROKEN)
			break;
	}
	return rc;
}

static bool is_whole(const struct merging *merging)
{
	return merging->result == IMALOG_MERGE_PROVED ||
	       merging->result == IMALOG_MERGE_RECEIPTS ||
	       merging->result == IMALOG_MERGE_GIVEN;
}

/* What does not hold is not written; what was only not proved is. */
static int finish(struct merging *merging)
{
	int code = merge_exit_code(merging), rc = EXIT_YES;

	if (is_whole(merging) && (code == EXIT_YES || code == EXIT_UNABLE))
		rc = sink_commit(&merging->sink);
	if (rc == EXIT_YES)
		rc = merge_report(merging);
	return rc == EXIT_YES ? code : rc;
}

static int run(struct merging *merging, int argc, char **argv)
{
	struct verify *verify = &merging->verify;
	int rc;

	merging->files = argv + optind;
	merging->nr_files = (size_t)(argc - optind);
	verify->error = imalog_error_new();
	verify->hasher = imalog_hasher_new();
	if (!verify->error || !verify->hasher)
		return out_of_memory();
	rc = input_open(merging);
	if (rc == EXIT_YES && verify->values[OPT_QUOTE])
		rc = quote_load(verify);
	if (rc == EXIT_YES)
		rc = prepare_live(merging);
	if (rc == EXIT_YES)
		rc = sink_open(&merging->sink, merging->sink.path);
	if (rc == EXIT_YES)
		rc = merge_until_sure(merging);
	return rc == EXIT_YES ? finish(merging) : rc;
}

static void close_all(struct merging *merging)
{
	struct verify *verify = &merging->verify;

	sink_close(&merging->sink);
	imalog_merge_free(&merging->merge);
	log_close(&verify->log);
	input_close(merging);
	free(merging->receipts);
	imalog_quote_free(&verify->quote);
	imalog_quote_free(&verify->previous);
	imalog_key_free(&verify->key);
	imalog_hasher_free(&verify->hasher);
	imalog_error_free(&verify->error);
	compare_free(&verify->compare);
	options_free(&verify->options);
}

static int cmd_merge_run(const struct command *command, int argc, char **argv)
{
	struct merging merging = { .verify = { .max_later = UINT64_MAX, .log = { .fd = -1 } } };
	int rc = options_init(&merging.verify.options, command);

	if (rc == EXIT_YES)
		rc = compare_init(&merging.verify.compare);
	if (rc == EXIT_YES)
		rc = parse(&merging, argc, argv);
	if (rc == EXIT_YES)
		rc = run(&merging, argc, argv);
	close_all(&merging);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_merge = {
	.name = "merge",
	.summary = "makes one log of saved pieces and proves it whole",
	.usage = "[OPTION...] SEGMENT...",
	.help = "Order, overlaps and gaps of the SEGMENTs are found by receipts and by what the\n"
		"records lead to; names say nothing.  '-' is standard input.\n"
		"\n"
		"Pieces besides the SEGMENTs, and receipts:\n"
		"      --live                 this machine's log, compared with its TPM\n"
		"      --store DIR            the store of --live; else its segments are pieces,\n"
		"                             with their receipts\n"
		"      --receipts DIR         of the SEGMENTs: a directory of receipts, an epoch,\n"
		"                             or a store\n"
		"      --epoch N              only what is of this epoch\n"
		"      --wait TIME            how long --live tries, such as 500ms, 5s, 2m\n"
		"      --config FILE          configuration of --live; default /etc/imalog.conf\n"
		"\n"
		"Output:\n"
		"  -o, --output FILE          write the log to FILE, or to standard output ('-')\n"
		"  -t, --to FORMAT            kernel: binary list (default); kernel-be; ascii;\n"
		"                             cel-tlv, cel-json, cel-json-seq, cel-cbor,\n"
		"                             cel-cbor-seq: Canonical Event Log; tlv2018\n"
		"      --json                 print one JSON object\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              say more of this machine's log\n"
		"\n"
		"What the log must lead to, as in imalog replay:\n"
		"      --pcrs [ALG,]FILE      --expect ALG:PCR=HEX      --tpm\n"
		"      --tcti TCTI            --sysfs                   --pcr N\n"
		"      --bank ALG             --start ALG:PCR=HEX       --ignore-violations\n"
		"      --padding auto|perbank|sha1\n"
		"\n"
		"Or what a quote has signed, as in imalog quote-verify:\n"
		"      --quote MSG            --signature SIG           --key KEY\n"
		"      --hash ALG             --ca FILE                 --nonce HEX\n"
		"      --nonce-file FILE      --no-nonce                --previous MSG\n"
		"      --eventlog FILE        --max-later N\n"
		"\n"
		"With either:\n"
		"      --allow-opaque         it may rest on records whose content no rule checks\n"
		"\n"
		"How to read the SEGMENTs, where that cannot be told from them:\n"
		READING_HELP
		"      --root DIR             where this machine's /sys is\n",
	.options = long_options,
	.run = cmd_merge_run,
};
