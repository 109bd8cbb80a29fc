// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that are read whole. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define CHUNK ((size_t)64 << 10)

/* Grows with what is really there: files of the kernel do not tell their size. */
static int read_all(int fd, const char *path, size_t max, struct imalog_span *ret)
{
	uint8_t *data = NULL, *grown;
	size_t size = 0, room = 0;
	ssize_t n = 1;

	while (n > 0 || (n < 0 && errno == EINTR)) {
		if (size == room) {
			room = 2 * room + CHUNK;
			grown = realloc(data, room);
			if (!grown)
				break;
			data = grown;
		}
		n = read(fd, data + size, room - size);
		size += n > 0 ? (size_t)n : 0;
		if (size > max)
			break;
	}
	*ret = (struct imalog_span){ data, size };
	if (n == 0)
		return EXIT_YES;
	if (size > max)
		complain("'%s' is larger than the %zu bytes that are read", path, max);
	else
		complain("cannot read '%s': %s", path, strerror(errno));
	return size > max ? EXIT_MALFORMED : EXIT_UNABLE;
}

int read_file(const char *path, size_t max, struct imalog_span *ret)
{
	bool from_stdin = strcmp(path, "-") == 0;
	int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int rc;

	*ret = (struct imalog_span){ NULL, 0 };
	if (fd < 0) {
		complain("cannot open '%s': %s", path, strerror(errno));
		return EXIT_UNABLE;
	}
	rc = read_all(fd, path, max, ret);
	if (!from_stdin)
		close(fd);
	if (rc != EXIT_YES) {
		free((void *)ret->data);
		*ret = (struct imalog_span){ NULL, 0 };
	}
	return rc;
}
