// SPDX-License-Identifier: GPL-2.0-or-later
/* The pieces of a merge: files, copies of what can be read only once, a store, this machine. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "merge.h"

#define CHUNK ((size_t)64 << 10)
/* Milliseconds until a store that another program changes is given up */
#define STORE_WAIT 5000

/* ---- what can be read only once ---- */

static int copy(int fd, FILE *to, const char *name)
{
	static char chunk[CHUNK];
	ssize_t n = 1;

	while (n > 0 || (n < 0 && errno == EINTR)) {
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0 && fwrite(chunk, 1, (size_t)n, to) != (size_t)n)
			n = -1;
	}
	if (n == 0 && fflush(to) == 0)
		return EXIT_YES;
	complain("cannot copy '%s': %s", name, strerror(errno));
	return EXIT_UNABLE;
}

static int spool(struct merging *merging, char *name)
{
	struct spooled *spooled = &merging->spooled[merging->nr_spooled++];
	bool from_stdin = strcmp(name, "-") == 0;
	int fd = from_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	spooled->name = name;
	if (fd < 0) {
		complain("cannot open '%s': %s", name, strerror(errno));
		return EXIT_UNABLE;
	}
	spooled->file = tmpfile();
	if (!spooled->file)
		complain("cannot make a temporary file: %s", strerror(errno));
	rc = spooled->file ? copy(fd, spooled->file, name) : EXIT_UNABLE;
	if (!from_stdin)
		close(fd);
	return rc;
}

/* Files of the kernel are regular and have no size: they change, and are long to read. */
static bool is_plain(const char *name)
{
	struct stat st;

	return strcmp(name, "-") != 0 && stat(name, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_size > 0;
}

int input_open(struct merging *merging)
{
	size_t from_stdin = 0;
	int rc = EXIT_YES;

	merging->spooled = calloc(merging->nr_files + 1, sizeof(*merging->spooled));
	if (!merging->spooled)
		return out_of_memory();
	for (size_t i = 0; i < merging->nr_files; i++)
		from_stdin += strcmp(merging->files[i], "-") == 0;
	if (from_stdin > 1)
		return usage_error(merging->verify.options.command,
				   "standard input is given twice");
	for (size_t i = 0; rc == EXIT_YES && i < merging->nr_files; i++)
		if (!is_plain(merging->files[i]))
			rc = spool(merging, merging->files[i]);
	return rc;
}

void input_close(struct merging *merging)
{
	for (size_t i = 0; i < merging->nr_spooled; i++)
		if (merging->spooled[i].file)
			fclose(merging->spooled[i].file);
	free(merging->spooled);
	merging->nr_spooled = 0;
	merging->spooled = NULL;
}

/* ---- pieces ---- */

static const struct spooled *find_spooled(const struct merging *merging, const char *name)
{
	for (size_t i = 0; i < merging->nr_spooled; i++)
		if (merging->spooled[i].name == name)
			return &merging->spooled[i];
	return NULL;
}

static int failed(const struct merging *merging, const char *name, int code)
{
	complain_of(name, merging->verify.error);
	return exit_code_of(code);
}

static int add_files(struct merging *merging)
{
	struct imalog_error *error = merging->verify.error;

	for (size_t i = 0; i < merging->nr_files; i++) {
		const char *name = merging->files[i];
		const struct spooled *spooled = find_spooled(merging, name);
		int rc = spooled ? imalog_merge_add_fd(merging->merge, fileno(spooled->file),
						       name, error) :
				   imalog_merge_add_file(merging->merge, name, error);

		if (rc < 0)
			return failed(merging, name, rc);
	}
	return EXIT_YES;
}

/* ---- a store without its machine ---- */

static int add_segment(struct merging *merging, const struct imalog_epoch *epoch, size_t i)
{
	uint64_t number;
	const char *kind = imalog_epoch_segment(epoch, i, &number);
	char *path = NULL;
	int rc;

	if (strcmp(kind, "log") != 0 && strcmp(kind, "pending") != 0)
		return EXIT_YES;
	if (asprintf(&path, "%s/epoch-%06" PRIu64 "/%s.%08" PRIu64,
		     merging->verify.options.store, imalog_epoch_number(epoch), kind, number) < 0)
		return out_of_memory();
	rc = imalog_merge_add_file(merging->merge, path, merging->verify.error);
	if (rc < 0)
		rc = failed(merging, path, rc);
	free(path);
	return rc;
}

static int add_epoch(struct merging *merging, struct imalog_store *store)
{
	uint64_t number = merging->epoch ? merging->epoch : imalog_store_current(store);
	const char *path = merging->verify.options.store;
	struct imalog_epoch *epoch = NULL;
	int rc;

	if (number == 0) {
		complain("the store '%s' has no epoch", path);
		return EXIT_UNABLE;
	}
	rc = imalog_epoch_open(store, number, &epoch, merging->verify.error);
	if (rc < 0)
		return failed(merging, path, rc);
	for (size_t i = 0; rc == EXIT_YES && i < imalog_epoch_segments(epoch); i++)
		rc = add_segment(merging, epoch, i);
	imalog_epoch_close(&epoch);
	if (rc != EXIT_YES)
		return rc;
	rc = imalog_merge_add_receipts(merging->merge, path, merging->verify.error);
	return rc < 0 ? failed(merging, path, rc) : EXIT_YES;
}

/* Nobody changes the store while it is told what is in it; segments never change. */
static int add_store(struct merging *merging)
{
	const char *path = merging->verify.options.store;
	struct imalog_store *store = NULL;
	int rc = imalog_store_look(path, STORE_WAIT, &store, merging->verify.error);

	if (rc < 0)
		return failed(merging, NULL, rc);
	rc = add_epoch(merging, store);
	imalog_store_close(&store);
	return rc;
}

/* ---- all ---- */

static int add_live(struct merging *merging)
{
	struct log *log = &merging->verify.log;
	int rc = live_take(&log->live, &log->plan);

	if (rc != EXIT_YES)
		return rc;
	rc = imalog_merge_add_plan(merging->merge, log->plan,
				   imalog_view_epoch(log->live.view), merging->verify.error);
	return rc < 0 ? failed(merging, NULL, rc) : EXIT_YES;
}

int input_add(struct merging *merging)
{
	const struct options *options = &merging->verify.options;
	int rc = EXIT_YES;

	imalog_merge_free(&merging->merge);
	merging->merge = imalog_merge_new(options->templates);
	if (!merging->merge)
		return out_of_memory();
	imalog_merge_set_reading(merging->merge, options->format, options->order,
				 options->digest_size);
	imalog_merge_set_epoch(merging->merge, merging->epoch);
	if (merging->live)
		rc = add_live(merging);
	else if (options->store)
		rc = add_store(merging);
	if (rc == EXIT_YES)
		rc = add_files(merging);
	for (size_t i = 0; rc == EXIT_YES && i < merging->nr_receipts; i++) {
		rc = imalog_merge_add_receipts(merging->merge, merging->receipts[i],
					       merging->verify.error);
		rc = rc < 0 ? failed(merging, merging->receipts[i], rc) : EXIT_YES;
	}
	return rc;
}
