// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a merged log goes: complete, or not at all, even to standard output. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "merge.h"

#define CHUNK ((size_t)64 << 10)

/* From here on standard output is standard error; the log goes to what it was. */
static int take_stdout(struct sink *sink)
{
	sink->to_stdout = dup(STDOUT_FILENO);
	if (sink->to_stdout < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
		complain("cannot use standard output: %s", strerror(errno));
		return EXIT_UNABLE;
	}
	sink->output = (struct output){ .special = true,
					.file = fdopen(sink->to_stdout, "w") };
	return sink->output.file ? EXIT_YES : out_of_memory();
}

int sink_open(struct sink *sink, const char *path)
{
	int rc;

	*sink = (struct sink){ .path = path, .to_stdout = -1 };
	if (!path)
		return EXIT_YES;
	rc = strcmp(path, "-") == 0 ? take_stdout(sink) : output_open(&sink->output, path);
	if (rc != EXIT_YES || !sink->output.special)
		return rc;
	sink->spool = tmpfile();
	if (sink->spool)
		return EXIT_YES;
	complain("cannot make a temporary file: %s", strerror(errno));
	return EXIT_UNABLE;
}

int sink_write(void *arg, const void *data, size_t size)
{
	struct sink *sink = arg;
	struct output spool = { .file = sink->spool };

	return output_write(sink->spool ? &spool : &sink->output, data, size);
}

int sink_restart(void *arg)
{
	struct sink *sink = arg;
	struct output spool = { .file = sink->spool };

	return output_restart(sink->spool ? &spool : &sink->output);
}

static int copy_spool(struct sink *sink)
{
	static char chunk[CHUNK];
	size_t n;
	int failed = 0;

	errno = 0;
	if (fflush(sink->spool) != 0 || fseeko(sink->spool, 0, SEEK_SET) != 0)
		failed = errno ? errno : EIO;
	while (!failed && (n = fread(chunk, 1, sizeof(chunk), sink->spool)) > 0)
		failed = output_write(&sink->output, chunk, n);
	if (!failed && ferror(sink->spool))
		failed = errno ? errno : EIO;
	if (!failed)
		return EXIT_YES;
	complain("cannot write the output: %s", strerror(failed));
	return EXIT_UNABLE;
}

int sink_commit(struct sink *sink)
{
	int rc = sink->spool ? copy_spool(sink) : EXIT_YES;

	if (rc != EXIT_YES || !sink->path)
		return rc;
	return output_commit(&sink->output);
}

void sink_close(struct sink *sink)
{
	if (sink->spool)
		fclose(sink->spool);
	if (sink->path)
		output_discard(&sink->output);
	*sink = (struct sink){ .to_stdout = -1 };
}
