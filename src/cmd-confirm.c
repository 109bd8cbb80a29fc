// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog confirm: lets the kernel delete what is staged, once it is durably saved. */
#include <errno.h>

#include "cli.h"

static const struct option long_options[] = {
	COMMON_LONG,
	MACHINE_LONG,
	{ "store", required_argument, NULL, OPT_STORE },
	{ NULL, 0, NULL, 0 },
};

/* What to do about a kexec that takes the records along, or does not. */
static int fail(const struct machine *machine, const char *file, int rc)
{
	bool stale = imalog_error_os_errno(machine->error) == ESTALE;

	rc = machine_complain(machine, rc);
	if (stale && file)
		complain("keep '%s': it may become the only copy of its records", file);
	return rc;
}

static int confirm_file(struct machine *machine, const char *file)
{
	int rc = machine_open_staging(machine);

	if (rc != EXIT_YES)
		return rc;
	rc = imalog_staging_confirm(machine->staging, file, machine->error);
	imalog_staging_close(&machine->staging);
	if (rc < 0)
		return fail(machine, file, rc);
	return rc > 0 ? EXIT_YES : EXIT_NO;
}

/* What is in FILE goes into the store first, so that the store never has a gap. */
static int confirm_store(struct machine *machine, const char *file)
{
	int rc = imalog_export_confirm(machine->export, file, machine->error);

	machine_show_notes(machine);
	if (rc < 0)
		return fail(machine, file, rc);
	/* The store has the records; the mark only says what became of the file. */
	if (rc > 0 && file)
		imalog_staging_mark(file, NULL);
	return rc > 0 ? EXIT_YES : EXIT_NO;
}

static int run(struct machine *machine, const char *file)
{
	const struct options *options = &machine->options;
	int rc = file ? imalog_durable_check(file, machine->error) : 0;

	if (rc < 0)
		return machine_complain(machine, rc);
	rc = machine_open_store(machine);
	if (rc == EXIT_YES)
		rc = confirm_store(machine, file);
	else if (rc == EXIT_NO && file)
		rc = confirm_file(machine, file);
	else if (rc == EXIT_NO)
		return usage_error(options->command,
				   "there is no store '%s': give the FILE of 'imalog save', "
				   "or let 'imalog export' make one",
				   machine->config.store);
	if (rc == EXIT_NO && !options->quiet)
		complain("nothing is staged, so there is nothing to confirm");
	if (rc == EXIT_YES && options->verbose)
		printf("The kernel has deleted what was staged.\n");
	return rc;
}

static int cmd_confirm_run(const struct command *command, int argc, char **argv)
{
	struct machine machine;
	int rc = machine_init(&machine, command);

	if (rc == EXIT_YES)
		rc = machine_parse(&machine, argc, argv, long_options, 1);
	if (rc == EXIT_YES)
		rc = run(&machine, argv[optind]);
	machine_free(&machine);
	return machine_done(rc);
}

const struct command cmd_confirm = {
	.name = "confirm",
	.summary = "lets the kernel delete what is staged and saved",
	.usage = "[OPTION...] [FILE]",
	.help = "Compares what is staged in the kernel with FILE, brings FILE to the disk, puts a\n"
		"copy into the machine's store if there is one, and has the kernel delete it.\n"
		"Without FILE: what 'imalog save' has put into the store.  What is not durably\n"
		"saved is never deleted.  Exit status 0: deleted; 1: nothing is staged; 4: FILE\n"
		"holds something else, would not survive a power cut, or was confirmed before.\n"
		"\n"
		"      --store DIR            the store; default /var/lib/imalog\n"
		"      --wait TIME            how long to try while others have a list open, such\n"
		"                             as 500ms, 5s, 2m; default 5s\n"
		"      --config FILE          the configuration; default /etc/imalog.conf\n"
		"      --root DIR             where this machine's /sys, /proc and store are\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              print more\n"
		"\n"
		"  -h, --help                 show this\n"
		"      --version              print the version\n",
	.run = cmd_confirm_run,
};
