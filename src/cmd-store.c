// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog store: looks after the saved segments. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"

enum { OPT_KEEP_EPOCHS = OPT_COMMAND };

static const struct option long_options[] = {
	COMMON_LONG,
	STORE_LONG,
	COMPARE_LONG,
	{ "define-template", required_argument, NULL, OPT_DEFINE_TEMPLATE },
	{ "keep-epochs", required_argument, NULL, OPT_KEEP_EPOCHS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

struct keeping {
	struct options options;
	struct compare compare;
	struct config config;
	uint64_t epoch; /* 0: the current one */
	struct imalog_store *store;
	struct imalog_error *error;
};

static int unable(const struct keeping *keeping, int rc)
{
	complain_of(NULL, keeping->error);
	return exit_code_of(rc);
}

/* ---- list ---- */

json_t *json_receipt(const struct imalog_receipt *receipt, uint64_t epoch)
{
	const struct imalog_span sha256 = { imalog_receipt_sha256(receipt), 32 };
	uint64_t matched_at, covers;
	enum imalog_verdict verdict = imalog_receipt_verdict(receipt, &matched_at);
	json_t *json = json_pack(
		"{s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:o, s:s, s:s}", "epoch",
		(json_int_t)epoch, "segment", (json_int_t)imalog_receipt_segment(receipt),
		"state", imalog_receipt_state_name(imalog_receipt_state(receipt)),
		"first_record", (json_int_t)imalog_receipt_first_record(receipt), "records",
		(json_int_t)imalog_receipt_records(receipt), "bytes",
		(json_int_t)imalog_receipt_bytes(receipt), "violations",
		(json_int_t)imalog_receipt_violations(receipt), "sha256", json_hex(sha256),
		"time", imalog_receipt_time(receipt), "verdict", imalog_verdict_name(verdict));

	if (json && matched_at)
		json_object_set_new(json, "matched_at", json_integer((json_int_t)matched_at));
	if (json && imalog_receipt_has_quote(receipt, &covers))
		json_object_set_new(json, "quote_covers", json_integer((json_int_t)covers));
	if (json && imalog_receipt_undetermined(receipt))
		json_object_set_new(json, "undetermined", json_true());
	if (json && imalog_receipt_may_repeat(receipt))
		json_object_set_new(
			json, "may_repeat",
			json_integer((json_int_t)imalog_receipt_may_repeat(receipt)));
	return json;
}

static void print_receipt(const struct imalog_receipt *receipt, uint64_t epoch)
{
	uint64_t first = imalog_receipt_first_record(receipt), covers;
	char records[48];

	snprintf(records, sizeof(records), "%" PRIu64 "-%" PRIu64, first,
		 first + imalog_receipt_records(receipt) - 1);
	printf("%5" PRIu64 " %7" PRIu64 " %-9s %15s %10" PRIu64 " %-20s %s", epoch,
	       imalog_receipt_segment(receipt),
	       imalog_receipt_state_name(imalog_receipt_state(receipt)), records,
	       imalog_receipt_bytes(receipt), imalog_receipt_time(receipt),
	       imalog_verdict_name(imalog_receipt_verdict(receipt, NULL)));
	if (imalog_receipt_has_quote(receipt, &covers) && covers)
		printf(" quote to record %" PRIu64, covers);
	else if (imalog_receipt_has_quote(receipt, NULL))
		printf(" quote");
	if (imalog_receipt_undetermined(receipt))
		printf(" undetermined");
	if (imalog_receipt_may_repeat(receipt))
		printf(" may repeat segment %" PRIu64, imalog_receipt_may_repeat(receipt));
	putchar('\n');
}

/* A segment without a receipt that can be read */
static void print_bare(const struct keeping *keeping, uint64_t epoch, uint64_t number,
		       const char *kind, json_t *segments)
{
	if (keeping->options.json)
		json_array_append_new(segments,
				      json_pack("{s:I, s:I, s:s}", "epoch", (json_int_t)epoch,
						"segment", (json_int_t)number, "kind", kind));
	else
		printf("%5" PRIu64 " %7" PRIu64 " %s: no receipt can be read\n", epoch, number,
		       kind);
}

static void list_segment(const struct keeping *keeping, const struct imalog_epoch *epoch,
			 size_t i, json_t *segments)
{
	uint64_t number, in = imalog_epoch_number(epoch);
	const char *kind = imalog_epoch_segment(epoch, i, &number);
	struct imalog_receipt *receipt;

	if (imalog_epoch_receipt(epoch, i, &receipt, NULL) < 0) {
		print_bare(keeping, in, number, kind, segments);
		return;
	}
	if (keeping->options.json)
		json_array_append_new(segments, json_receipt(receipt, in));
	else
		print_receipt(receipt, in);
	imalog_receipt_free(&receipt);
}

static int list_epoch(struct keeping *keeping, uint64_t number)
{
	json_t *segments = keeping->options.json ? json_array() : NULL;
	struct imalog_epoch *epoch;
	int rc = imalog_epoch_open(keeping->store, number, &epoch, keeping->error);

	if (rc < 0) {
		json_decref(segments);
		return unable(keeping, rc);
	}
	for (size_t i = 0; i < imalog_epoch_segments(epoch); i++)
		list_segment(keeping, epoch, i, segments);
	imalog_epoch_close(&epoch);
	if (!segments || print_json(stdout, json_pack("{s:I, s:b, s:o}", "epoch",
						      (json_int_t)number, "current",
						      number == imalog_store_current(keeping->store),
						      "segments", segments)))
		return EXIT_YES;
	return stdout_flush() == EXIT_YES ? out_of_memory() : EXIT_UNABLE;
}

static int run_list(struct keeping *keeping)
{
	int rc = EXIT_YES;

	if (!keeping->options.json && !keeping->options.quiet)
		printf("EPOCH SEGMENT STATE             RECORDS      BYTES TIME                 "
		       "VERDICT\n");
	for (size_t i = 0; rc == EXIT_YES && i < imalog_store_epochs(keeping->store); i++) {
		uint64_t number = imalog_store_epoch(keeping->store, i);

		if (!keeping->epoch || keeping->epoch == number)
			rc = list_epoch(keeping, number);
	}
	return rc;
}

/* ---- check, rebuild, prune ---- */

static uint64_t chosen_epoch(const struct keeping *keeping)
{
	return keeping->epoch ? keeping->epoch : imalog_store_current(keeping->store);
}

static int run_check(struct keeping *keeping)
{
	return store_verify(&keeping->store, chosen_epoch(keeping), &keeping->options,
			    &keeping->compare, keeping->config.wait_ms, keeping->options.json);
}

struct telling {
	uint64_t epoch;
	int times;
};

static void tell(void *arg, uint64_t segment, const char *text)
{
	struct telling *telling = arg;

	telling->times++;
	complain("epoch %" PRIu64 ", segment %" PRIu64 ": %s", telling->epoch, segment, text);
}

static int run_rebuild(struct keeping *keeping)
{
	struct telling telling = { .epoch = chosen_epoch(keeping) };
	struct imalog_epoch *epoch;
	int rc = imalog_epoch_open(keeping->store, telling.epoch, &epoch, keeping->error);

	if (rc == 0) {
		rc = imalog_epoch_rebuild(epoch, keeping->options.templates, tell, &telling,
					  keeping->error);
		imalog_epoch_close(&epoch);
	}
	if (rc < 0)
		return unable(keeping, rc);
	if (rc == 0 && keeping->options.verbose)
		printf("nothing to make again\n");
	/* What else was told is what could not be made. */
	return telling.times > rc ? EXIT_NO : EXIT_YES;
}

static int run_prune(struct keeping *keeping)
{
	uint64_t removed = 0;
	int rc = imalog_store_prune(keeping->store, keeping->config.keep_epochs, &removed,
				    keeping->error);

	if (removed && !keeping->options.quiet)
		printf("%" PRIu64 " %s removed\n", removed, removed == 1 ? "epoch" : "epochs");
	return rc < 0 ? unable(keeping, rc) : EXIT_YES;
}

/* ---- the command ---- */

static const struct action {
	const char *name;
	int (*run)(struct keeping *keeping);
	bool compares, keeps, has_json, has_epoch, changes;
} actions[] = {
	{ "list", run_list, false, false, true, true, false },
	{ "check", run_check, true, false, true, true, false },
	{ "rebuild", run_rebuild, false, false, false, true, true },
	{ "prune", run_prune, false, true, false, false, true },
};

static int take_option(void *arg, int option)
{
	struct keeping *keeping = arg;

	if (option < OPT_COMMAND)
		return compare_option(&keeping->compare, &keeping->options, option);
	return options_take(&keeping->options, option);
}

/* An option that means nothing here would be ignored in silence. */
static int check_options(const struct keeping *keeping, const struct action *action)
{
	const struct command *command = keeping->options.command;

	if (!action->compares && (compare_has_source(&keeping->compare) ||
				  keeping->compare.any_pcr || keeping->compare.any_bank))
		return usage_error(command, "'%s' compares nothing", action->name);
	if (imalog_pcrs_count(keeping->compare.start))
		return usage_error(command,
				   "an epoch starts with its first record: no --start");
	if (keeping->compare.padding != IMALOG_PADDING_AUTO)
		return usage_error(command,
				   "receipts have the values of all paddings: no --padding");
	if (!action->keeps && keeping->options.values[OPT_KEEP_EPOCHS])
		return usage_error(command, "--keep-epochs is for 'prune'");
	if (!action->has_json && keeping->options.json)
		return usage_error(command, "'%s' has no JSON to print", action->name);
	return EXIT_YES;
}

static int choose(struct keeping *keeping, int argc, char **argv, const struct action **ret)
{
	const struct command *command = keeping->options.command;
	const struct action *action = NULL;
	int nr = argc - optind;

	if (nr == 0)
		return usage_error(command, "say what to do: list, check, rebuild or prune");
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, argv[optind]) == 0)
			action = &actions[i];
	if (!action)
		return usage_error(command, "'%s' is not list, check, rebuild or prune",
				   argv[optind]);
	if (nr > (action->has_epoch ? 2 : 1))
		return usage_error(command, "too many arguments: '%s'", argv[argc - 1]);
	if (nr == 2 &&
	    (!parse_count(argv[optind + 1], false, &keeping->epoch) || !keeping->epoch))
		return usage_error(command, "'%s' is no number of an epoch", argv[optind + 1]);
	*ret = action;
	return check_options(keeping, action);
}

static int parse(struct keeping *keeping, int argc, char **argv, const struct action **ret)
{
	int rc = options_parse(&keeping->options, argc, argv, take_option, keeping);

	return rc == EXIT_YES ? choose(keeping, argc, argv, ret) : rc;
}

/* What the command line says, over what the configuration says */
static int apply_options(struct keeping *keeping, const struct action *action)
{
	const struct command *command = keeping->options.command;
	struct config *config = &keeping->config;
	const char *keep = keeping->options.values[OPT_KEEP_EPOCHS];

	if (keep && (!parse_count(keep, false, &config->keep_epochs) || !config->keep_epochs))
		return usage_error(command, "'%s' is no number of epochs", keep);
	if (action->keeps && !config->keep_epochs)
		return usage_error(command,
				   "how many epochs are to be kept? (--keep-epochs N)");
	return EXIT_YES;
}

static bool has_epoch(const struct imalog_store *store, uint64_t number)
{
	for (size_t i = 0; i < imalog_store_epochs(store); i++)
		if (imalog_store_epoch(store, i) == number)
			return true;
	return false;
}

static int run(struct keeping *keeping, const struct action *action)
{
	struct config *config = &keeping->config;
	int rc = config_read(config, &keeping->options);

	if (rc == EXIT_YES)
		rc = apply_options(keeping, action);
	if (rc != EXIT_YES)
		return rc;
	if (keeping->compare.tpm && !keeping->compare.tcti)
		keeping->compare.tcti = config->tcti;
	rc = action->changes ? imalog_store_open(config->store, config->wait_ms,
						 &keeping->store, keeping->error) :
			       imalog_store_look(config->store, config->wait_ms,
						 &keeping->store, keeping->error);
	if (rc < 0)
		return unable(keeping, rc);
	if (keeping->epoch && !has_epoch(keeping->store, keeping->epoch)) {
		complain("the store has no epoch %" PRIu64, keeping->epoch);
		return EXIT_UNABLE;
	}
	if (action->has_epoch && action->run != run_list && !chosen_epoch(keeping)) {
		complain("the store is empty");
		return EXIT_UNABLE;
	}
	return action->run(keeping);
}

static int cmd_store_run(const struct command *command, int argc, char **argv)
{
	struct keeping *keeping = calloc(1, sizeof(*keeping));
	const struct action *action = NULL;
	int rc, flushed;

	if (keeping)
		keeping->error = imalog_error_new();
	if (!keeping || !keeping->error) {
		free(keeping);
		return out_of_memory();
	}
	rc = options_init(&keeping->options, command);
	if (rc == EXIT_YES)
		rc = compare_init(&keeping->compare);
	if (rc == EXIT_YES)
		rc = parse(keeping, argc, argv, &action);
	if (rc == EXIT_YES)
		rc = run(keeping, action);
	imalog_store_close(&keeping->store);
	imalog_error_free(&keeping->error);
	config_free(&keeping->config);
	compare_free(&keeping->compare);
	options_free(&keeping->options);
	free(keeping);
	flushed = stdout_flush();
	return flushed == EXIT_YES ? EXIT_CODE_OF(rc) : flushed;
}

const struct command cmd_store = {
	.name = "store",
	.summary = "looks after the saved segments",
	.usage = "list|check|rebuild|prune [OPTION...] [EPOCH]",
	.help = "  list [EPOCH]               print the segments of all epochs, or of one\n"
		"  check [EPOCH]              check the current epoch, or one, from its first\n"
		"                             record on: segments, receipts, their order\n"
		"  rebuild [EPOCH]            make lost or damaged receipts again\n"
		"  prune                      remove old epochs\n"
		"\n"
		"      --keep-epochs N        prune: the newest N stay, and the current one\n"
		"\n"
		"What to compare with, for check:\n"
		"      --tpm                  this machine's TPM, through tpm2-tss; with a TPM\n"
		"                             the records that the kernel has are replayed, too\n"
		"      --tcti TCTI            the TPM at this TCTI, such as device:/dev/tpmrm0\n"
		"      --sysfs                this machine's TPM, through /sys/class/tpm\n"
		"      --pcrs [ALG,]FILE      values in a file, as in replay\n"
		"      --expect ALG:PCR=HEX   this value\n"
		"      --pcr N, --bank ALG    of these PCRs and banks only\n"
		"      --ignore-violations    accepted for evmctl's sake: always done\n"
		"\n"
		"      --store DIR            the store; default /var/lib/imalog\n"
		"      --config FILE          configuration; default /etc/imalog.conf\n"
		"      --wait TIME            how long to try while others have a list or the\n"
		"                             store open, such as 500ms, 5s, 2m; default 5s\n"
		"      --root DIR             where /sys, /proc, /etc and the store are\n"
		"      --define-template NAME=FIELD|FIELD...\n"
		"      --json                 print JSON (list, check)\n"
		"  -q, --quiet                print errors and faults only; list: no heading\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_store_run,
};
