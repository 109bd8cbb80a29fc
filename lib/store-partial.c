// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What crashes cut short: partial.NNNNNNNN, perhaps with a further number
 *
 * It had been begun as segment N, and the next run saves the records under that number anew, or
 * in several pieces from that number on.  Then it has the bytes with which they begin; else
 * nothing else has them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

/* Reads all that is asked for, unless the file ends: how much, or -1 */
static ssize_t read_full(int fd, uint8_t *data, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = read(fd, data + got, size - got);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			return -1;
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

/* A segment, and those that come behind it */
struct pieces {
	const struct imalog_epoch *epoch;
	uint64_t number;
	int fd;
};

static ssize_t read_pieces(struct pieces *pieces, uint8_t *data, size_t size)
{
	size_t got = 0;

	while (pieces->fd >= 0 && got < size) {
		ssize_t n = read_full(pieces->fd, data + got, size - got);

		if (n < 0)
			return n;
		got += (size_t)n;
		if (got == size)
			break;
		close(pieces->fd);
		pieces->fd = imalog_segment_open_any(pieces->epoch, ++pieces->number, NULL);
	}
	return (ssize_t)got;
}

/* Do the pieces begin with all that the other has?  False also when one cannot be read. */
static bool begin_with(struct pieces *pieces, int part)
{
	uint8_t a[4096], b[4096];
	ssize_t n;

	while ((n = read_full(part, b, sizeof(b))) > 0)
		if (read_pieces(pieces, a, (size_t)n) != n || memcmp(a, b, (size_t)n) != 0)
			return false;
	return n == 0;
}

uint64_t imalog_partial_number(const char *name)
{
	char number[24] = "";

	snprintf(number, sizeof(number), "%s", name + strlen(IMALOG_PARTIAL));
	number[strcspn(number, ".")] = '\0';
	return imalog_number_behind(number, "", "");
}

bool imalog_partial_is_saved(const struct imalog_epoch *epoch, const char *name)
{
	struct pieces pieces = { .epoch = epoch, .number = imalog_partial_number(name) };
	bool same = false;
	int part;

	part = openat(epoch->dir, name,
		      O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	pieces.fd = imalog_segment_open_any(epoch, pieces.number, NULL);
	if (part >= 0 && pieces.fd >= 0)
		same = begin_with(&pieces, part);
	if (pieces.fd >= 0)
		close(pieces.fd);
	if (part >= 0)
		close(part);
	return same;
}

int imalog_epoch_partials(const struct imalog_epoch *epoch, imalog_partial_fn fn, void *arg,
			  struct imalog_error *error)
{
	int fd = openat(epoch->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		int rc = imalog_fail_errno(error, errno, "cannot read the epoch");

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, IMALOG_PARTIAL, strlen(IMALOG_PARTIAL)) == 0)
			fn(arg, entry->d_name);
	closedir(dir);
	return 0;
}
