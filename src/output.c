// SPDX-License-Identifier: GPL-2.0-or-later
/* Output files that appear complete or not at all, and a standard output that tells the truth. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static int unable(const char *doing, const char *path)
{
	complain("cannot %s '%s': %s", doing, path, strerror(errno));
	return EXIT_UNABLE;
}

/* Permissions that a file created in the ordinary way would have. */
static mode_t default_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* A device or a pipe is written to; it is not for us to replace. */
static int open_special(struct output *output, const char *path)
{
	output->file = fopen(path, "we");
	output->special = true;
	return output->file ? EXIT_YES : unable("open", path);
}

int output_open(struct output *output, const char *path)
{
	struct stat st;
	int fd;

	*output = (struct output){ .file = stdout };
	if (!path)
		return EXIT_YES;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return open_special(output, path);
	/* Through a link it is what the link leads to that is replaced. */
	output->path = realpath(path, NULL);
	if (!output->path && errno == ENOENT)
		output->path = strdup(path);
	path = output->path ? output->path : path;
	if (!output->path || asprintf(&output->temporary, "%s.XXXXXX", path) < 0) {
		output->temporary = NULL;
		return unable("make", path);
	}
	fd = mkostemp(output->temporary, O_CLOEXEC);
	if (fd < 0) {
		free(output->temporary);
		output->temporary = NULL;
		return unable("make", path);
	}
	output->file = fchmod(fd, default_mode()) == 0 ? fdopen(fd, "w") : NULL;
	if (!output->file) {
		int rc = unable("make", path);

		close(fd);
		return rc;
	}
	return EXIT_YES;
}

int output_restart(struct output *output)
{
	errno = 0;
	if (fseeko(output->file, 0, SEEK_SET) == 0 && ftruncate(fileno(output->file), 0) == 0)
		return 0;
	return errno ? errno : EIO;
}

int output_write(void *arg, const void *data, size_t size)
{
	struct output *output = arg;

	errno = 0;
	if (fwrite(data, 1, size, output->file) == size)
		return 0;
	return errno ? errno : EIO;
}

/* The new name is durable only when its directory is. */
static bool sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ok;
}

int output_commit(struct output *output)
{
	bool ok;

	if (output->special) {
		ok = fclose(output->file) == 0;
		output->file = NULL;
		return ok ? EXIT_YES : unable("write", "the output");
	}
	if (!output->path)
		return stdout_flush();
	ok = fflush(output->file) == 0 && fsync(fileno(output->file)) == 0;
	ok = fclose(output->file) == 0 && ok;
	output->file = NULL;
	if (!ok || rename(output->temporary, output->path) != 0)
		return unable("write", output->path);
	free(output->temporary);
	output->temporary = NULL;
	if (!sync_directory(output->path))
		return unable("make durable the directory of", output->path);
	return EXIT_YES;
}

void output_discard(struct output *output)
{
	if ((output->path || output->special) && output->file)
		fclose(output->file);
	if (output->temporary)
		unlink(output->temporary);
	free(output->temporary);
	free(output->path);
	*output = (struct output){ .file = NULL };
}

int stdout_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_YES;
	complain("cannot write to standard output: %s", strerror(errno ? errno : EIO));
	return EXIT_UNABLE;
}
