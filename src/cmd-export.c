// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog export: takes the list out of the kernel, without losing a record. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum {
	OPT_EXPORT_STORE = OPT_OWN,
	OPT_EXPORT_WAIT,
	OPT_CONFIG,
	OPT_MIN_RECORDS,
	OPT_MIN_BYTES,
	OPT_MAX_AGE,
	OPT_WATCH,
	OPT_EXPORT_TCTI,
	OPT_EXPORT_SYSFS,
	OPT_NO_TPM,
	OPT_AK,
};

/* Between attempts while others have a list open, in milliseconds */
#define PAUSE_FIRST 20
#define PAUSE_LAST  500

static const struct option long_options[] = {
	COMMON_LONG,
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "store", required_argument, NULL, OPT_EXPORT_STORE },
	{ "wait", required_argument, NULL, OPT_EXPORT_WAIT },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "min-records", required_argument, NULL, OPT_MIN_RECORDS },
	{ "min-bytes", required_argument, NULL, OPT_MIN_BYTES },
	{ "max-age", required_argument, NULL, OPT_MAX_AGE },
	{ "watch", required_argument, NULL, OPT_WATCH },
	{ "tcti", required_argument, NULL, OPT_EXPORT_TCTI },
	{ "sysfs", no_argument, NULL, OPT_EXPORT_SYSFS },
	{ "no-tpm", no_argument, NULL, OPT_NO_TPM },
	{ "ak", required_argument, NULL, OPT_AK },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

struct exporting {
	struct options options;
	const char *values[512]; /* of the options that were given, as they were given */
	bool given[512];
	struct config config;
	unsigned int watch_ms;
	sigset_t signals; /* that end watching */
	bool ended;	  /* by one of them */
	struct imalog_export *export;
	struct imalog_error *error;
};

/* ---- the command line ---- */

/* 0x81010002; a file of such a name has a path: ./0x81010002 */
static bool is_bad_handle(const char *ak)
{
	size_t digits;

	if (strncmp(ak, "0x", 2) != 0)
		return false;
	digits = strspn(ak + 2, "0123456789abcdefABCDEF");
	return digits == 0 || digits > 8 || ak[2 + digits];
}

static int check_tpm_options(const struct exporting *exporting)
{
	const bool *given = exporting->given;
	const struct command *command = exporting->options.command;

	if (given[OPT_EXPORT_TCTI] + given[OPT_EXPORT_SYSFS] + given[OPT_NO_TPM] > 1)
		return usage_error(command,
				   "only one of --tcti, --sysfs and --no-tpm can be given");
	if (given[OPT_AK] && (given[OPT_EXPORT_SYSFS] || given[OPT_NO_TPM]))
		return usage_error(command,
				   "--ak takes the TPM itself: not --sysfs or --no-tpm");
	if (given[OPT_AK] && is_bad_handle(exporting->values[OPT_AK]))
		return usage_error(command, "'%s' is no handle such as 0x81010002",
				   exporting->values[OPT_AK]);
	return EXIT_YES;
}

static int parse(struct exporting *exporting, int argc, char **argv)
{
	struct options *options = &exporting->options;
	int option, rc = EXIT_YES;

	while ((option = options_next(options, argc, argv, ":hqv", long_options, &rc)) >= 0) {
		if (!options_once(options, option, long_options))
			return EXIT_USAGE;
		exporting->given[option] = true;
		exporting->values[option] = optarg;
	}
	if (option == -2)
		return EXIT_CODE_DONE(rc);
	if (argc > optind)
		return usage_error(options->command, "too many arguments: '%s'", argv[optind]);
	return check_tpm_options(exporting);
}

/* What the command line says, over what the configuration says */
static int apply_options(struct exporting *exporting)
{
	const char *const *values = exporting->values;
	const bool *given = exporting->given;
	struct config *config = &exporting->config;
	const struct command *command = exporting->options.command;

	if (given[OPT_EXPORT_WAIT] &&
	    !parse_duration(values[OPT_EXPORT_WAIT], &config->wait_ms))
		return usage_error(command, "'%s' is not a time such as 5s, 500ms or 2m",
				   values[OPT_EXPORT_WAIT]);
	if (given[OPT_MIN_RECORDS] &&
	    !parse_count(values[OPT_MIN_RECORDS], false, &config->min_records))
		return usage_error(command, "'%s' is no number of records",
				   values[OPT_MIN_RECORDS]);
	if (given[OPT_MIN_BYTES] &&
	    !parse_count(values[OPT_MIN_BYTES], true, &config->min_bytes))
		return usage_error(command, "'%s' is no number of bytes",
				   values[OPT_MIN_BYTES]);
	if (given[OPT_MAX_AGE] && !parse_age(values[OPT_MAX_AGE], &config->max_age))
		return usage_error(command, "'%s' is not a time such as 30m, 12h or 7d",
				   values[OPT_MAX_AGE]);
	if (given[OPT_WATCH] &&
	    (!parse_duration(values[OPT_WATCH], &exporting->watch_ms) || !exporting->watch_ms))
		return usage_error(command, "'%s' is no interval such as 30s or 5m",
				   values[OPT_WATCH]);
	return EXIT_YES;
}

static int prepare(struct exporting *exporting)
{
	const char *const *values = exporting->values;
	const bool *given = exporting->given;
	const struct config *config = &exporting->config;
	const char *store = given[OPT_EXPORT_STORE] ? values[OPT_EXPORT_STORE] : config->store;
	const char *tcti;
	enum imalog_tpm_use use = config_tpm(config, values[OPT_EXPORT_TCTI],
					     given[OPT_EXPORT_SYSFS], given[OPT_NO_TPM], &tcti);

	exporting->export = imalog_export_new(exporting->options.root, store);
	exporting->error = imalog_error_new();
	if (!exporting->export || !exporting->error ||
	    imalog_export_set_tpm(exporting->export, use, tcti, values[OPT_AK],
				  exporting->error) < 0) {
		complain("%s", exporting->error && imalog_error_code(exporting->error) ?
				       imalog_error_detail(exporting->error) :
				       "out of memory");
		return EXIT_UNABLE;
	}
	imalog_export_set_wait(exporting->export, config->wait_ms);
	imalog_export_set_thresholds(exporting->export, config->min_records, config->min_bytes,
				     config->max_age);
	return EXIT_YES;
}

/* ---- output ---- */

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void print_receipt(const struct imalog_receipt *receipt, uint64_t epoch)
{
	uint64_t records = imalog_receipt_records(receipt), matched_at;
	enum imalog_verdict verdict = imalog_receipt_verdict(receipt, &matched_at);

	printf("epoch %" PRIu64 ", segment %" PRIu64 ": %" PRIu64 " %s from %" PRIu64
	       ", %" PRIu64 " bytes: %s",
	       epoch, imalog_receipt_segment(receipt), records,
	       plural(records, "record", "records"), imalog_receipt_first_record(receipt),
	       imalog_receipt_bytes(receipt), imalog_verdict_name(verdict));
	if (verdict == IMALOG_MATCH)
		printf(" after record %" PRIu64, matched_at);
	putchar('\n');
}

static void print_text_of(const struct exporting *exporting)
{
	const struct options *options = &exporting->options;
	const struct imalog_receipt *receipt;
	enum imalog_note_kind kind;
	const char *note;
	uint64_t epoch;

	for (size_t i = 0; (receipt = imalog_export_receipt(exporting->export, i, &epoch));
	     i++)
		if (!options->quiet)
			print_receipt(receipt, epoch);
	for (size_t i = 0; (note = imalog_export_note(exporting->export, i, &kind)); i++)
		if (kind != IMALOG_NOTE_INFO || options->verbose)
			complain("%s%s", kind == IMALOG_NOTE_INFO ? "note: " : "", note);
}

static json_t *json_notes(const struct imalog_export *export)
{
	static const char *const kinds[] = {
		[IMALOG_NOTE_INFO] = "info",
		[IMALOG_NOTE_UNCHECKED] = "unchecked",
		[IMALOG_NOTE_WRONG] = "wrong",
	};
	json_t *notes = json_array();
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_export_note(export, i, &kind)); i++)
		json_array_append_new(notes, json_pack("{s:s, s:s}", "kind", kinds[kind],
						       "text", note));
	return notes;
}

static bool has_notes(const struct imalog_export *export)
{
	enum imalog_note_kind kind;

	return imalog_export_note(export, 0, &kind);
}

static bool print_json_of(const struct exporting *exporting, int rc)
{
	json_t *segments = json_array(), *json;
	const struct imalog_receipt *receipt;
	uint64_t epoch;

	for (size_t i = 0; (receipt = imalog_export_receipt(exporting->export, i, &epoch));
	     i++)
		json_array_append_new(segments, json_receipt(receipt, epoch));
	json = json_pack("{s:o, s:o}", "segments", segments, "notes",
			 json_notes(exporting->export));
	if (rc < 0)
		json_object_set_new(json, "error",
				    json_string(imalog_error_detail(exporting->error)));
	return print_json(stdout, json);
}

/* ---- running ---- */

static struct timespec timespec_of(unsigned int ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
}

/* A signal can end the wait for others, which the library's own would sit out. */
static int run_watching(struct exporting *exporting)
{
	unsigned int waited = 0, pause = PAUSE_FIRST, wait_ms = exporting->config.wait_ms;
	int rc;

	for (;;) {
		struct timespec left;

		rc = imalog_export_run(exporting->export, exporting->error);
		if (rc >= 0 || imalog_error_os_errno(exporting->error) != EBUSY ||
		    waited >= wait_ms)
			return rc;
		pause = pause < wait_ms - waited ? pause : wait_ms - waited;
		left = timespec_of(pause);
		exporting->ended = sigtimedwait(&exporting->signals, NULL, &left) >= 0;
		if (exporting->ended)
			return rc;
		waited += pause;
		pause = 2 * pause < PAUSE_LAST ? 2 * pause : PAUSE_LAST;
	}
}

static int export_once(struct exporting *exporting)
{
	const struct options *options = &exporting->options;
	int rc = exporting->watch_ms ?
			 run_watching(exporting) :
			 imalog_export_run(exporting->export, exporting->error),
	    flushed;

	/* It was asked to, and nothing was done. */
	if (exporting->ended)
		return EXIT_YES;
	if (exporting->given[OPT_JSON]) {
		if (rc != 0 || !exporting->watch_ms || has_notes(exporting->export))
			print_json_of(exporting, rc);
	} else {
		print_text_of(exporting);
		if (rc == 0 && options->verbose)
			printf("nothing to do\n");
	}
	if (rc < 0)
		complain_of(NULL, exporting->error);
	flushed = stdout_flush();
	if (flushed != EXIT_YES)
		return flushed;
	return rc < 0 ? exit_code_of(rc) : export_judge(exporting->export);
}

/*
 * Signals to end come between two exports: one that has begun is finished.  Whoever cannot
 * wait sends SIGKILL, which loses nothing either.
 */
static int watch(struct exporting *exporting)
{
	const struct timespec interval = timespec_of(exporting->watch_ms);
	sigset_t *signals = &exporting->signals;
	int rc;

	imalog_export_set_wait(exporting->export, 0);
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigprocmask(SIG_BLOCK, signals, NULL);
	rc = export_once(exporting);
	/* What does not work at all will not do so later. */
	if (rc == EXIT_UNABLE && imalog_error_os_errno(exporting->error) == ENOENT)
		return rc;
	while (!exporting->ended && sigtimedwait(signals, NULL, &interval) < 0)
		if (errno == EAGAIN)
			rc = export_once(exporting);
	return rc;
}

static int cmd_export_run(const struct command *command, int argc, char **argv)
{
	struct exporting *exporting = calloc(1, sizeof(*exporting));
	int rc;

	if (!exporting) {
		complain("out of memory");
		return EXIT_UNABLE;
	}
	/* tpm2-tss would print what it tried; what failed in the end is said here. */
	setenv("TSS2_LOG", "all+none", 0);
	rc = options_init(&exporting->options, command);
	if (rc == EXIT_YES)
		rc = parse(exporting, argc, argv);
	if (rc == EXIT_YES)
		rc = config_read(&exporting->config, &exporting->options,
				 exporting->values[OPT_CONFIG]);
	if (rc == EXIT_YES)
		rc = apply_options(exporting);
	if (rc == EXIT_YES)
		rc = prepare(exporting);
	if (rc == EXIT_YES)
		rc = exporting->watch_ms ? watch(exporting) : export_once(exporting);
	imalog_export_free(&exporting->export);
	imalog_error_free(&exporting->error);
	config_free(&exporting->config);
	options_free(&exporting->options);
	free(exporting);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_export = {
	.name = "export",
	.summary = "takes the list out of the kernel into the store",
	.usage = "[OPTION...]",
	.help = "Stages the kernel's measurement list, saves it durably in the store, and has the\n"
		"kernel delete it; first finishes what was interrupted.  Records that do not fit\n"
		"the TPM's values are saved and deleted all the same, and it is said.  Exit\n"
		"status 0: done, or nothing to do; 1: done, and something does not fit; 4: not\n"
		"done, or not compared with the TPM.\n"
		"\n"
		"When (default: any record is there):\n"
		"      --min-records N        the list has as many records,\n"
		"      --min-bytes N[K|M|G]   or as many bytes,\n"
		"      --max-age TIME         or the last export was so long ago\n"
		"      --watch TIME           stay, and look again each TIME, until SIGTERM\n"
		"      --wait TIME            how long to try while others have a list or the\n"
		"                             store open, such as 500ms, 5s, 2m; default 5s\n"
		"\n"
		"With which TPM to compare, instead of the one that is found:\n"
		"      --tcti TCTI            that of this TCTI, such as device:/dev/tpmrm0\n"
		"      --sysfs                the kernel's, through /sys/class/tpm\n"
		"      --no-tpm               none\n"
		"      --ak CONTEXT|HANDLE    store a quote by this key with each segment\n"
		"\n"
		"      --store DIR            the store; default /var/lib/imalog\n"
		"      --config FILE          configuration; default /etc/imalog.conf\n"
		"      --root DIR             where /sys, /proc, /dev, /etc and the store are\n"
		"      --json                 print JSON\n"
		"  -q, --quiet                print errors, and what does not fit\n"
		"  -v, --verbose              print more\n"
		"\n"
		"  -h, --help                 show this\n"
		"      --version              print the version\n",
	.run = cmd_export_run,
};
