// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog save: makes a durable copy of what is staged. */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

static const struct option long_options[] = {
	COMMON_LONG,
	STORE_LONG,
	TPM_LONG,
	{ NULL, 0, NULL, 0 },
};

/* Saving there may be wanted, to copy it on; but it is no reason to delete anything. */
static void warn_of(const char *file)
{
	struct imalog_error *error = imalog_error_new();

	if (error && imalog_durable_check(file, error) < 0)
		complain("note: '%s' is not durable, and confirm will refuse it: %s", file,
			 imalog_error_detail(error));
	imalog_error_free(&error);
}

static int save_file(struct machine *machine, const char *file)
{
	const struct options *options = &machine->options;
	uint64_t records, bytes;
	int rc = machine_open_staging(machine);

	if (rc != EXIT_YES)
		return rc;
	rc = imalog_staging_save(machine->staging, file, machine->error);
	records = imalog_staging_records(machine->staging);
	bytes = imalog_staging_bytes(machine->staging);
	/* The rest needs no hold on the lists. */
	imalog_staging_close(&machine->staging);
	if (rc < 0)
		return machine_complain(machine, rc);
	if (rc > 0 && options->verbose)
		printf("%" PRIu64 " %s, %" PRIu64 " bytes: saved%s.\n", records,
		       records == 1 ? "record" : "records", bytes,
		       rc == 1 ? "" : " before, and still there");
	if (rc > 0 && !options->quiet)
		warn_of(file);
	return rc > 0 ? EXIT_YES : EXIT_NO;
}

static int save_in_store(struct machine *machine)
{
	const struct options *options = &machine->options;
	int rc = machine_open_store(machine);

	if (rc == EXIT_NO)
		return usage_error(options->command,
				   "there is no store '%s': give a FILE, or let 'imalog "
				   "export' make one",
				   machine->config.store);
	if (rc != EXIT_YES)
		return rc;
	rc = imalog_export_save(machine->export, machine->error);
	machine_show_notes(machine);
	if (rc < 0)
		return machine_complain(machine, rc);
	if (rc > 0 && options->verbose)
		printf("What is staged is saved in the store.\n");
	return rc > 0 ? EXIT_YES : EXIT_NO;
}

static int run(struct machine *machine, const char *file)
{
	const struct options *options = &machine->options;
	int rc;

	if (file && strcmp(file, "-") == 0)
		return usage_error(options->command,
				   "standard output is not durable: give a FILE");
	rc = file ? save_file(machine, file) : save_in_store(machine);
	if (rc == EXIT_NO && !options->quiet)
		complain("nothing is staged, so there is nothing to save");
	return rc;
}

static int cmd_save_run(const struct command *command, int argc, char **argv)
{
	return machine_run(command, argc, argv, 1, run);
}

const struct command cmd_save = {
	.name = "save",
	.summary = "makes a durable copy of what is staged",
	.usage = "[OPTION...] [FILE]",
	.help = "Copies what is staged in the kernel to FILE, which appears complete and durable\n"
		"or not at all.  A FILE that holds exactly this is fine; any other is left alone.\n"
		"Without FILE: into the machine's store.  Nothing is deleted.  Exit status 0: it\n"
		"is saved; 1: nothing is staged; 4: FILE holds something else.\n"
		"\n"
		MACHINE_STORE_HELP
		MACHINE_HELP
		"      --root DIR             where this machine's /sys, /proc and store are\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_save_run,
};
