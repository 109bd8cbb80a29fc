// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Files that appear under their name complete and durable, or not at all
 *
 * temporary file -> write -> fsync -> close -> rename -> fsync of the directory.  After a
 * power cut a temporary file may be left over; nothing ever reads one.  In directories that
 * are not imalog's own it has no name, where the file system can do that (O_TMPFILE): then
 * nothing is left over.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

/* Names are random: that many being taken is no accident. */
#define ATTEMPTS 16
/* Deeper than any path can be */
#define DEPTH_MAX 4096

static int fail(struct imalog_error *error, const char *doing, const char *name)
{
	int os_errno = errno;
	char shown[IMALOG_PRINTABLE_MAX], text[IMALOG_PRINTABLE_MAX + 64];

	imalog_printable(imalog_span_of(name), shown);
	snprintf(text, sizeof(text), "cannot %s '%s'", doing, shown);
	return imalog_fail_errno(error, os_errno, text);
}

int imalog_durable_begin(struct imalog_durable *file, int dir, const char *name,
			 struct imalog_error *error)
{
	*file = (struct imalog_durable){ .dir = dir, .fd = -1 };
	if (strlen(name) >= sizeof(file->name)) {
		errno = ENAMETOOLONG;
		return fail(error, "create", name);
	}
	strcpy(file->name, name);
	for (int i = 0; i < ATTEMPTS; i++) {
		uint64_t random;

		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return fail(error, "find a name beside", name);
		/* Hidden, so that log.* never means it */
		snprintf(file->temporary, sizeof(file->temporary), ".imalog.%016" PRIx64,
			 random);
		file->fd = openat(dir, file->temporary,
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (file->fd >= 0) {
			file->named = true;
			return 0;
		}
		if (errno != EEXIST)
			break;
	}
	return fail(error, "create", name);
}

/* The only name that a file without a name has: it takes /proc. */
static void name_of_fd(int fd, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

int imalog_durable_begin_unnamed(struct imalog_durable *file, int dir, const char *name,
				 struct imalog_error *error)
{
	struct stat st;
	char path[32];
	int fd = -1;

	if (strlen(name) < sizeof(file->name))
		fd = openat(dir, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	name_of_fd(fd, path);
	if (fd < 0 || stat(path, &st) != 0) {
		if (fd >= 0)
			close(fd);
		return imalog_durable_begin(file, dir, name, error);
	}
	*file = (struct imalog_durable){ .dir = dir, .fd = fd };
	strcpy(file->name, name);
	return 0;
}

/* What is linked last must be on the disk with its name: not all file systems do that by fsync. */
static int commit_unnamed(struct imalog_durable *file, struct imalog_error *error)
{
	char path[32];
	int fd = file->fd, rc;

	name_of_fd(fd, path);
	if (linkat(AT_FDCWD, path, file->dir, file->name, AT_SYMLINK_FOLLOW) != 0)
		return fail(error, "create", file->name);
	rc = imalog_durable_sync(fd, file->name, error);
	file->fd = -1;
	if (close(fd) != 0 && rc == 0)
		rc = fail(error, "write", file->name);
	return rc < 0 ? rc : imalog_durable_sync(file->dir, "the directory", error);
}

int imalog_durable_write(struct imalog_durable *file, struct imalog_span bytes,
			 struct imalog_error *error)
{
	while (bytes.size) {
		ssize_t put = write(file->fd, bytes.data, bytes.size);

		if (put == 0)
			errno = ENOSPC;
		if (put == 0 || (put < 0 && errno != EINTR))
			return fail(error, "write", file->name);
		if (put > 0) {
			bytes.data += put;
			bytes.size -= (size_t)put;
		}
	}
	return 0;
}

/* File systems that cannot rename in this way can link, which does not replace either. */
static int rename_new(int dir, const char *from, const char *to)
{
	int rc = renameat2(dir, from, dir, to, RENAME_NOREPLACE);

	if (rc == 0 || (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP))
		return rc;
	rc = linkat(dir, from, dir, to, 0);
	/* A second name that stays is of no harm */
	if (rc == 0)
		unlinkat(dir, from, 0);
	return rc;
}

int imalog_durable_rename(int dir, const char *from, const char *to,
			  struct imalog_error *error)
{
	if (rename_new(dir, from, to) != 0)
		return fail(error, "create", to);
	return imalog_durable_sync(dir, "the directory", error);
}

int imalog_durable_commit(struct imalog_durable *file, bool replace,
			  struct imalog_error *error)
{
	int rc = imalog_durable_sync(file->fd, file->name, error);
	int fd = file->fd;

	if (rc < 0)
		return rc;
	if (!file->named)
		return commit_unnamed(file, error);
	file->fd = -1;
	if (close(fd) != 0)
		return fail(error, "write", file->name);
	rc = replace ? renameat(file->dir, file->temporary, file->dir, file->name) :
		       rename_new(file->dir, file->temporary, file->name);
	if (rc != 0)
		return fail(error, "create", file->name);
	file->named = false;
	return imalog_durable_sync(file->dir, "the directory", error);
}

void imalog_durable_discard(struct imalog_durable *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	if (file->named)
		unlinkat(file->dir, file->temporary, 0);
	file->named = false;
}

int imalog_durable_sync(int fd, const char *what, struct imalog_error *error)
{
	int rc;

	do
		rc = fsync(fd);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? 0 : fail(error, "bring to the disk", what);
}

/* The directory above, or -1: it is another file system, the root, or may not be read. */
static int open_above(int dir)
{
	struct stat here, there;
	int above = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (above < 0)
		return -1;
	if (fstat(dir, &here) == 0 && fstat(above, &there) == 0 &&
	    here.st_dev == there.st_dev && here.st_ino != there.st_ino)
		return above;
	close(above);
	return -1;
}

int imalog_durable_sync_dirs(int dir, struct imalog_error *error)
{
	int rc = imalog_durable_sync(dir, "the directory", error);
	int above = open_above(dir);

	/* One that was made a moment ago may be in memory alone, and so all that is in it. */
	for (int i = 0; rc == 0 && above >= 0 && i < DEPTH_MAX; i++) {
		int next;

		rc = imalog_durable_sync(above, "a directory above it", error);
		next = rc == 0 ? open_above(above) : -1;
		close(above);
		above = next;
	}
	if (above >= 0)
		close(above);
	return rc;
}
