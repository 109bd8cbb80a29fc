// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog confirm: lets the kernel delete what is staged, once it is durably saved. */
#include <errno.h>

#include "cli.h"

static const struct option long_options[] = {
	COMMON_LONG,
	STORE_LONG,
	TPM_LONG,
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

static int say_done(const struct machine *machine, int deleted)
{
	if (!deleted && !machine->options.quiet)
		complain("nothing is staged, so there is nothing to confirm");
	if (deleted && machine->options.verbose)
		printf("The kernel has deleted what was staged.\n");
	return deleted ? EXIT_YES : EXIT_NO;
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
	return say_done(machine, rc);
}

/* What is in FILE goes into the store first, so that the store never has a gap. */
static int confirm_store(struct machine *machine, const char *file)
{
	int rc = imalog_export_confirm(machine->export, file, machine->error);

	machine_show_notes(machine);
	if (rc < 0)
		return fail(machine, file, rc);
	rc = say_done(machine, rc);
	return rc == EXIT_YES ? export_judge(machine->export) : rc;
}

static int run(struct machine *machine, const char *file)
{
	int rc = file ? imalog_durable_check(file, machine->error) : 0;

	if (rc < 0)
		return machine_complain(machine, rc);
	rc = machine_open_store(machine);
	if (rc == EXIT_YES)
		return confirm_store(machine, file);
	if (rc == EXIT_NO && file)
		return confirm_file(machine, file);
	if (rc == EXIT_NO)
		return usage_error(machine->options.command,
				   "there is no store '%s': give the FILE of 'imalog save', "
				   "or let 'imalog export' make one",
				   machine->config.store);
	return rc;
}

static int cmd_confirm_run(const struct command *command, int argc, char **argv)
{
	return machine_run(command, argc, argv, 1, run);
}

const struct command cmd_confirm = {
	.name = "confirm",
	.summary = "lets the kernel delete what is staged and saved",
	.usage = "[OPTION...] [FILE]",
	.help = "Compares what is staged in the kernel with FILE, brings FILE to the disk, puts a\n"
		"copy into the machine's store if there is one, and has the kernel delete it.\n"
		"Without FILE: what 'imalog save' has put into the store.  What is not durably\n"
		"saved is never deleted.  Exit status 0: deleted; 1: nothing is staged, or it is\n"
		"deleted, and the store does not fit the TPM's values; 4: FILE holds something\n"
		"else, or what may be other records of the same bytes, or would not survive a\n"
		"power cut; or it is deleted, and the TPM could not be read.\n"
		"\n"
		MACHINE_STORE_HELP
		MACHINE_HELP
		"      --root DIR             where this machine's /sys, /proc and store are\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_confirm_run,
};
