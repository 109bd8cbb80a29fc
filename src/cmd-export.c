// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog export: takes the list out of the kernel, without losing a record. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "exporting.h"

enum {
	OPT_MIN_RECORDS = OPT_EXPORT_OWN,
	OPT_MIN_BYTES,
	OPT_MAX_AGE,
	OPT_WATCH,
	OPT_SLICE,
};

/* Between attempts while others have a list open, in milliseconds */
#define PAUSE_FIRST 20
#define PAUSE_LAST  500

static const struct option long_options[] = {
	COMMON_LONG,
	EXPORTING_LONG,
	{ "min-records", required_argument, NULL, OPT_MIN_RECORDS },
	{ "min-bytes", required_argument, NULL, OPT_MIN_BYTES },
	{ "max-age", required_argument, NULL, OPT_MAX_AGE },
	{ "watch", required_argument, NULL, OPT_WATCH },
	{ "slice", required_argument, NULL, OPT_SLICE },
	{ NULL, 0, NULL, 0 },
};

struct run {
	struct options options;
	struct exporting exporting;
	unsigned int watch_ms;
	uint64_t slice;	  /* if it is given */
	sigset_t signals; /* that end watching */
	bool ended;	  /* by one of them */
	bool failed;	  /* the export itself */
};

/* ---- the command line ---- */

static int parse(struct run *run, int argc, char **argv)
{
	struct options *options = &run->options;
	int rc = options_parse(options, argc, argv, NULL, NULL);

	if (rc != EXIT_YES)
		return rc;
	if (argc > optind)
		return usage_error(options->command, "too many arguments: '%s'", argv[optind]);
	return exporting_configure(&run->exporting);
}

/* What the command line says, over what the configuration says */
static int apply_options(struct run *run)
{
	const char *const *values = run->options.values;
	struct config *config = &run->exporting.config;
	const struct command *command = run->options.command;

	if (values[OPT_MIN_RECORDS] &&
	    !parse_count(values[OPT_MIN_RECORDS], false, &config->min_records))
		return usage_error(command, "'%s' is no number of records",
				   values[OPT_MIN_RECORDS]);
	if (values[OPT_MIN_BYTES] &&
	    !parse_count(values[OPT_MIN_BYTES], true, &config->min_bytes))
		return usage_error(command, "'%s' is no number of bytes",
				   values[OPT_MIN_BYTES]);
	if (values[OPT_MAX_AGE] && !parse_age(values[OPT_MAX_AGE], &config->max_age))
		return usage_error(command, "'%s' is not a time such as 30m, 12h or 7d",
				   values[OPT_MAX_AGE]);
	if (values[OPT_SLICE] && !parse_count(values[OPT_SLICE], false, &run->slice))
		return usage_error(command, "'%s' is no number of records", values[OPT_SLICE]);
	if (values[OPT_WATCH] &&
	    (!parse_duration(values[OPT_WATCH], &run->watch_ms) || !run->watch_ms))
		return usage_error(command, "'%s' is no interval such as 30s or 5m",
				   values[OPT_WATCH]);
	return EXIT_YES;
}

static int prepare(struct run *run)
{
	const struct config *config = &run->exporting.config;
	int rc = exporting_prepare(&run->exporting);

	if (rc != EXIT_YES)
		return rc;
	imalog_export_set_thresholds(run->exporting.export, config->min_records,
				     config->min_bytes, config->max_age);
	if (run->options.seen[OPT_SLICE])
		imalog_export_set_slice(run->exporting.export, run->slice);
	return EXIT_YES;
}

/* ---- running ---- */

static bool has_notes(const struct imalog_export *export)
{
	enum imalog_note_kind kind;

	return imalog_export_note(export, 0, &kind);
}

static struct timespec timespec_of(unsigned int ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
}

/* A signal can end the wait for others, which the library's own would sit out. */
static int run_watching(struct run *run)
{
	unsigned int waited = 0, pause = PAUSE_FIRST, wait_ms = run->exporting.config.wait_ms;
	int rc;

	for (;;) {
		struct timespec left;

		rc = imalog_export_run(run->exporting.export, run->exporting.error);
		/* What was done before others came in between is told first. */
		if (rc >= 0 || imalog_error_os_errno(run->exporting.error) != EBUSY ||
		    waited >= wait_ms || imalog_export_receipt(run->exporting.export, 0, NULL))
			return rc;
		pause = pause < wait_ms - waited ? pause : wait_ms - waited;
		left = timespec_of(pause);
		run->ended = sigtimedwait(&run->signals, NULL, &left) >= 0;
		if (run->ended)
			return rc;
		waited += pause;
		pause = 2 * pause < PAUSE_LAST ? 2 * pause : PAUSE_LAST;
	}
}

static int export_once(struct run *run)
{
	const struct options *options = &run->options;
	int rc = run->watch_ms ?
			 run_watching(run) :
			 imalog_export_run(run->exporting.export, run->exporting.error),
	    flushed = EXIT_YES;

	run->failed = rc < 0;
	/* It was asked to, and nothing was done. */
	if (run->ended)
		return EXIT_YES;
	if (run->options.json) {
		if (rc != 0 || !run->watch_ms || has_notes(run->exporting.export))
			flushed = exporting_print_json(&run->exporting, rc, NULL);
	} else {
		exporting_print_text(&run->exporting);
		if (rc == 0 && options->verbose)
			printf("nothing to do\n");
	}
	if (rc < 0)
		complain_of(NULL, run->exporting.error);
	if (flushed == EXIT_YES)
		flushed = stdout_flush();
	if (flushed != EXIT_YES)
		return flushed;
	return rc < 0 ? exit_code_of(rc) : export_judge(run->exporting.export);
}

/*
 * Signals to end come between two exports: one that has begun is finished.  Whoever cannot
 * wait sends SIGKILL, which loses nothing either.
 */
static int watch(struct run *run)
{
	const struct timespec interval = timespec_of(run->watch_ms);
	sigset_t *signals = &run->signals;
	int rc;

	imalog_export_set_wait(run->exporting.export, 0);
	sigemptyset(signals);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigprocmask(SIG_BLOCK, signals, NULL);
	rc = export_once(run);
	/* What does not work at all will not do so later. */
	if (rc == EXIT_UNABLE && run->failed &&
	    imalog_error_os_errno(run->exporting.error) == ENOENT)
		return rc;
	while (!run->ended && sigtimedwait(signals, NULL, &interval) < 0)
		if (errno == EAGAIN)
			rc = export_once(run);
	return rc;
}

static int cmd_export_run(const struct command *command, int argc, char **argv)
{
	struct run *run = calloc(1, sizeof(*run));
	int rc;

	if (!run)
		return out_of_memory();
	run->exporting.options = &run->options;
	rc = options_init(&run->options, command);
	if (rc == EXIT_YES)
		rc = parse(run, argc, argv);
	if (rc == EXIT_YES)
		rc = apply_options(run);
	if (rc == EXIT_YES)
		rc = prepare(run);
	if (rc == EXIT_YES)
		rc = run->watch_ms ? watch(run) : export_once(run);
	exporting_free(&run->exporting);
	options_free(&run->options);
	free(run);
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
		"      --slice N              take longer lists in pieces of N records, where the\n"
		"                             kernel can; 0: never; default 20000\n"
		EXPORTING_WAIT_HELP
		"\n"
		EXPORTING_TPM_HELP
		"      --ak CONTEXT|HANDLE    store a quote by this key with each segment\n"
		"\n"
		EXPORTING_STORE_HELP
		"      --root DIR             where /sys, /proc, /dev, /etc and the store are\n"
		"      --json                 print JSON\n"
		"  -q, --quiet                print errors, and what does not fit\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_export_run,
};
