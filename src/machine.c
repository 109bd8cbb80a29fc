// SPDX-License-Identifier: GPL-2.0-or-later
/* What the commands on the kernel's side of the list share: this machine, and its store. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

static int prepare(struct machine *machine, int argc, char **argv, int max_files)
{
	struct options *options = &machine->options;
	int rc = machine->error ? options_parse(options, argc, argv, NULL, NULL) :
				  out_of_memory();

	if (rc == EXIT_YES)
		rc = options_check_tpm(options);
	if (rc == EXIT_YES && argc - optind > max_files)
		rc = usage_error(options->command, "too many arguments: '%s'",
				 argv[optind + max_files]);
	return rc == EXIT_YES ? config_read(&machine->config, options) : rc;
}

int machine_run(const struct command *command, int argc, char **argv, int max_files,
		int (*run)(struct machine *machine, const char *file))
{
	struct machine machine = { .error = imalog_error_new() };
	int rc = options_init(&machine.options, command), flushed;

	if (rc == EXIT_YES)
		rc = prepare(&machine, argc, argv, max_files);
	if (rc == EXIT_YES)
		rc = run(&machine, argv[optind]);
	imalog_staging_close(&machine.staging);
	imalog_export_free(&machine.export);
	imalog_error_free(&machine.error);
	config_free(&machine.config);
	options_free(&machine.options);
	flushed = stdout_flush();
	return flushed == EXIT_YES ? EXIT_CODE_OF(rc) : flushed;
}

int machine_complain(const struct machine *machine, int rc)
{
	complain_of(NULL, machine->error);
	return exit_code_of(rc);
}

/* Is there to be a store in any case: was it said where? */
static bool names_store(const struct machine *machine)
{
	return machine->options.store || machine->config.given[CONFIG_STORE];
}

/*
 * Takes the lock for a moment, so that it is known to be a store.  Only if there is nothing at
 * all by its name is there no store: records that pass by a damaged one are a gap in it.
 */
static int find_store(struct machine *machine)
{
	const char *path = machine->config.store;
	struct imalog_store *store = NULL;
	struct stat st;
	int rc;

	if (lstat(path, &st) != 0 && errno == ENOENT) {
		if (!names_store(machine))
			return EXIT_NO;
		complain("there is no store '%s': 'imalog export' makes one", path);
		return EXIT_UNABLE;
	}
	rc = imalog_store_open(path, machine->config.wait_ms, &store, machine->error);
	imalog_store_close(&store);
	return rc < 0 ? machine_complain(machine, rc) : EXIT_YES;
}

int machine_open_store(struct machine *machine)
{
	const struct config *config = &machine->config;
	const char *tcti;
	enum imalog_tpm_use use = config_tpm(config, &machine->options, &tcti);
	int rc = find_store(machine);

	if (rc != EXIT_YES)
		return rc;
	machine->export = imalog_export_new(machine->options.root, config->store);
	if (!machine->export)
		return out_of_memory();
	rc = imalog_export_set_tpm(machine->export, use, tcti, NULL, machine->error);
	if (rc < 0)
		return machine_complain(machine, rc);
	imalog_export_set_wait(machine->export, config->wait_ms);
	return EXIT_YES;
}

void machine_show_notes(const struct machine *machine)
{
	const struct options *options = &machine->options;
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_export_note(machine->export, i, &kind)); i++)
		if (kind != IMALOG_NOTE_INFO || options->verbose)
			complain("note: %s", note);
}

int export_judge(const struct imalog_export *export)
{
	enum imalog_note_kind kind, worst = IMALOG_NOTE_INFO;

	for (size_t i = 0; imalog_export_note(export, i, &kind); i++)
		worst = kind > worst ? kind : worst;
	return worst == IMALOG_NOTE_WRONG     ? EXIT_NO :
	       worst == IMALOG_NOTE_UNCHECKED ? EXIT_UNABLE :
						EXIT_YES;
}

int machine_open_staging(struct machine *machine)
{
	int rc = imalog_staging_open(machine->options.root, machine->config.wait_ms,
				     &machine->staging, machine->error);

	return rc < 0 ? machine_complain(machine, rc) : EXIT_YES;
}
