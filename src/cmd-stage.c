// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog stage: sets the kernel's measurement list aside. */
#include "cli.h"

static const struct option long_options[] = {
	COMMON_LONG,
	MACHINE_LONG,
	{ NULL, 0, NULL, 0 },
};

static int run(struct machine *machine, const char *file)
{
	int rc = machine_open_staging(machine);

	(void)file; /* there is none */
	if (rc != EXIT_YES)
		return rc;
	rc = imalog_staging_stage(machine->staging, machine->error);
	if (rc < 0)
		return machine_complain(machine, rc);
	if (rc == 0 && !machine->options.quiet)
		complain("nothing to stage: the kernel's list is empty");
	if (rc > 0 && machine->options.verbose)
		printf("%s\n", rc == 1 ? "The kernel's list is staged." :
					 "A list was staged before, and still is.");
	return rc > 0 ? EXIT_YES : EXIT_NO;
}

static int cmd_stage_run(const struct command *command, int argc, char **argv)
{
	return machine_run(command, argc, argv, 0, run);
}

const struct command cmd_stage = {
	.name = "stage",
	.summary = "sets the kernel's list aside",
	.usage = "[OPTION...]",
	.help = "Asks the kernel to set its measurement list aside, where 'imalog save' and\n"
		"'imalog confirm' find it.  New records go to an empty list.  Exit status 0: a\n"
		"list is staged now, or was before; 1: there was nothing to stage.\n"
		"\n"
		MACHINE_HELP
		"      --root DIR             where this machine's /sys and /proc are\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_stage_run,
};
