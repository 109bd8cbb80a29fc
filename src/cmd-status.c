// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog status: is all well with this machine's measurement list? */
#include <string.h>

#include "status.h"

static const struct option long_options[] = {
	COMMON_LONG,
	STORE_LONG,
	{ "tpm", no_argument, NULL, OPT_TPM },
	{ "tcti", required_argument, NULL, OPT_TCTI },
	{ "sysfs", no_argument, NULL, OPT_SYSFS },
	{ "no-tpm", no_argument, NULL, OPT_NO_TPM },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

static int take_option(void *arg, int option)
{
	struct status *status = arg;

	return compare_option(&status->compare, &status->options, option);
}

static int parse(struct status *status, int argc, char **argv)
{
	struct options *options = &status->options;
	int rc = options_parse(options, argc, argv, take_option, status);

	if (rc != EXIT_YES)
		return rc;
	if (argc > optind)
		return usage_error(options->command, "too many arguments: '%s'",
				   argv[optind]);
	if (options->no_tpm && (status->compare.tpm || status->compare.sysfs))
		return usage_error(options->command,
				   "--no-tpm excludes --tpm, --tcti and --sysfs");
	return config_read(&status->config, options);
}

/* What is wrong is known, whatever else is not. */
static int judge(const struct status *status)
{
	int rc = status->verdict == IMALOG_MATCH ? EXIT_YES : EXIT_UNABLE;

	for (size_t i = 0; i < status->nr_findings; i++) {
		if (status->findings[i].kind == IMALOG_NOTE_WRONG)
			return EXIT_NO;
		if (status->findings[i].kind == IMALOG_NOTE_UNCHECKED)
			rc = EXIT_UNABLE;
	}
	return rc;
}

static int look(struct status *status)
{
	status_look(status);
	if (status->options.json && !status_print_json(status))
		return EXIT_UNABLE;
	if (!status->options.json && !status->options.quiet)
		status_print_text(status);
	return judge(status);
}

static void status_free(struct status *status)
{
	for (size_t i = 0; i < status->nr_findings; i++)
		free(status->findings[i].text);
	free(status->findings);
	imalog_kernel_free(&status->kernel);
	imalog_replay_free(&status->replay);
	imalog_error_free(&status->error);
	config_free(&status->config);
	compare_free(&status->compare);
	options_free(&status->options);
}

static int cmd_status_run(const struct command *command, int argc, char **argv)
{
	struct status status = { .error = imalog_error_new() };
	int rc = options_init(&status.options, command), flushed;

	if (!status.error)
		rc = out_of_memory();
	if (rc == EXIT_YES)
		rc = compare_init(&status.compare);
	if (rc == EXIT_YES)
		rc = parse(&status, argc, argv);
	if (rc == EXIT_YES)
		rc = look(&status);
	status_free(&status);
	flushed = stdout_flush();
	return flushed == EXIT_YES ? EXIT_CODE_OF(rc) : flushed;
}

const struct command cmd_status = {
	.name = "status",
	.summary = "says whether all is well with this machine's list",
	.usage = "[OPTION...]",
	.help = "Shows what the kernel offers, what its list and the store have, and whether\n"
		"both together lead to the TPM's values; says what is wrong and what to do about\n"
		"it.  Exit status 0: all is well, and proved; 1: something is wrong; 4: something\n"
		"could not be checked.  Nothing is changed.\n"
		"\n"
		"With which TPM to compare, instead of the one that is found:\n"
		"      --tpm                  the one that tpm2-tss finds\n"
		"      --tcti TCTI            that of this TCTI, such as device:/dev/tpmrm0\n"
		"      --sysfs                the kernel's, through /sys/class/tpm\n"
		"      --no-tpm               none; then nothing is proved\n"
		"\n"
		"      --store DIR            the store; default /var/lib/imalog\n"
		"      --config FILE          configuration; default /etc/imalog.conf\n"
		"      --wait TIME            how long to try while others work on the store or\n"
		"                             stage the list, such as 500ms, 5s, 2m; default 5s\n"
		"      --root DIR             where this machine's /sys, /proc, /dev, /boot, /etc\n"
		"                             and store are\n"
		"      --json                 print JSON\n"
		"  -q, --quiet                print nothing but errors: the exit status says it\n"
		"  -v, --verbose              print the versions of the libraries, too\n",
	.options = long_options,
	.run = cmd_status_run,
};
