// SPDX-License-Identifier: LGPL-2.1-or-later
/* Files of /sys and /proc below a root prefix, which nothing leads out of. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "private.h"

static bool is_machine(const char *root)
{
	return root[0] == '\0' || strcmp(root, "/") == 0;
}

/* There is nothing to get out of on this machine, and old kernels lack openat2(). */
int imalog_root_open(const char *root, const char *path, int flags)
{
	struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int base = open(is_machine(root) ? "/" : root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd, saved;

	if (base < 0)
		return -1;
	if (is_machine(root))
		fd = openat(base, path, flags | O_CLOEXEC);
	else
		fd = (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
	saved = errno;
	close(base);
	errno = saved;
	return fd;
}

static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t got = 1;

	while (got != 0 && used < size) {
		got = read(fd, buf + used, size - used);
		if (got < 0 && errno != EINTR)
			return -1;
		used += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)used;
}

bool imalog_root_read_line(const char *root, const char *path, char *buf, size_t size)
{
	/* Not to hang on what is no file of the kernel */
	int fd = imalog_root_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	ssize_t got;
	int saved;

	if (fd < 0)
		return false;
	got = read_all(fd, buf, size - 1);
	saved = errno;
	close(fd);
	errno = saved;
	if (got < 0)
		return false;
	buf[got] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

const char *imalog_root_show(const char *root, const char *path, char buf[IMALOG_ROOT_SHOWN])
{
	char shown[IMALOG_PRINTABLE_MAX];

	imalog_printable(imalog_span_of(is_machine(root) ? "" : root), shown);
	snprintf(buf, IMALOG_ROOT_SHOWN, "%s/%s", shown, path);
	return buf;
}
