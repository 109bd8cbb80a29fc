// SPDX-License-Identifier: GPL-2.0-or-later
/* No LOG: this machine's log, from the store, what is staged, and the kernel's list. */
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Where the store is, or NULL when it is not to be looked at; an exit code */
static int choose_store(const struct live *live, const struct options *options,
			const char **ret)
{
	*ret = options->list_only ? NULL : live->config.store;
	/* One that was named must be there. */
	if (!options->store || access(options->store, F_OK) == 0)
		return EXIT_YES;
	complain("there is no store '%s'", options->store);
	return EXIT_UNABLE;
}

static int configure(struct live *live, const struct options *options)
{
	if (options->list_only && options->store)
		return usage_error(options->command, "--list-only excludes --store");
	return config_read(&live->config, options);
}

int live_open(struct live *live, const struct options *options)
{
	const char *store = NULL, *tcti;
	enum imalog_tpm_use use;
	int rc;

	*live = (struct live){ .error = imalog_error_new() };
	rc = live->error ? configure(live, options) : out_of_memory();
	if (rc == EXIT_YES)
		rc = choose_store(live, options, &store);
	if (rc != EXIT_YES)
		return rc;
	live->view = imalog_view_new(options->root, store);
	if (!live->view)
		return out_of_memory();
	imalog_view_set_wait(live->view, live->config.wait_ms);
	use = config_tpm(&live->config, options, &tcti);
	return live_set_tpm(live, use, tcti);
}

int live_set_tpm(struct live *live, enum imalog_tpm_use use, const char *tcti)
{
	return imalog_view_set_tpm(live->view, use, tcti, NULL) < 0 ? out_of_memory() :
								      EXIT_YES;
}

int live_take(struct live *live, const struct imalog_plan **ret)
{
	int rc = imalog_view_take(live->view, live->error);

	live->taken = rc == 0;
	if (rc < 0) {
		complain_of(NULL, live->error);
		return exit_code_of(rc);
	}
	*ret = imalog_view_plan(live->view);
	return EXIT_YES;
}

bool live_is_doubtful(const struct live *live)
{
	return live->taken && imalog_view_is_doubtful(live->view);
}

json_t *live_notes(const struct live *live)
{
	json_t *notes = json_array();
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_view_note(live->view, i, &kind)); i++)
		json_array_append_new(notes, json_note(kind, note));
	return notes;
}

static void show_notes(const struct live *live, const struct options *options)
{
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_view_note(live->view, i, &kind)); i++)
		if (kind == IMALOG_NOTE_WRONG ||
		    (kind == IMALOG_NOTE_INFO ? options->verbose :
						!options->quiet || live_is_doubtful(live)))
			complain("note: %s", note);
}

void live_close(struct live *live, const struct options *options)
{
	if (live->taken)
		show_notes(live, options);
	imalog_view_free(&live->view);
	imalog_error_free(&live->error);
	config_free(&live->config);
	live->taken = false;
}
