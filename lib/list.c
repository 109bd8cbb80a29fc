// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Opening the kernel's measurement lists (ima_fs.c)
 *
 * One lock is over all of them: any number of readers, or one writing thread.  Whoever comes
 * second gets EBUSY at once, so waiting is trying again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "private.h"

/* Between attempts, in milliseconds; each pause is twice the one before */
#define PAUSE_FIRST 1
#define PAUSE_LAST  100

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_ms(uint64_t ms)
{
	struct timespec left = { .tv_sec = (time_t)(ms / 1000),
				 .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static int try_to_open(const char *root, const char *name, int flags)
{
	char path[sizeof(IMALOG_LIST_DIR) + sizeof(IMALOG_STAGED_NAME)];
	int fd;

	strcpy(path, IMALOG_LIST_DIR "/");
	strcat(path, name);
	do
		fd = imalog_root_open(root, path, flags | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/* A file that should be there is not: what kind of kernel is this? */
static int fail_missing(const char *root, struct imalog_error *error)
{
	struct imalog_kernel_info info;
	char shown[IMALOG_ROOT_SHOWN];
	int rc = imalog_kernel_probe(root, &info, error);

	if (rc < 0)
		return rc;
	if (!info.securityfs)
		return imalog_fail_os(error, ENOENT, "securityfs is not mounted on '%s'",
				      imalog_root_show(root, "sys/kernel/security", shown));
	if (!info.list)
		return imalog_fail_os(
			error, ENOENT, "the kernel has no IMA: there is no '%s'",
			imalog_root_show(root, IMALOG_LIST_DIR "/" IMALOG_LIST_NAME, shown));
	if (info.recent)
		return imalog_fail_os(
			error, ENOENT,
			"the kernel cannot stage its measurement list: it was built "
			"without CONFIG_IMA_STAGING");
	return imalog_fail_os(
		error, ENOENT,
		"the kernel%s%s cannot stage its measurement list: that takes Linux "
		"7.2 or later, with CONFIG_IMA_STAGING",
		info.release[0] ? " " : "", info.release);
}

static int fail_busy(const char *root, const char *name, struct imalog_error *error)
{
	char holder[192];

	if (imalog_holder_find(root, holder, sizeof(holder)))
		return imalog_fail_os(error, EBUSY, "%s", holder);
	return imalog_fail_os(
		error, EBUSY,
		"%s is busy: a measurement list is held open, by no process that can "
		"be seen here",
		name);
}

static int fail_open(const char *root, const char *name, int flags, struct imalog_error *error)
{
	int os_errno = errno;
	char shown[IMALOG_ROOT_SHOWN], doing[IMALOG_ROOT_SHOWN + 16] = "cannot open '";

	imalog_root_show(root, IMALOG_LIST_DIR, shown);
	switch (os_errno) {
	case ENOENT:
		return fail_missing(root, error);
	case EBUSY:
		return fail_busy(root, name, error);
	case EPERM:
		return imalog_fail_os(
			error, os_errno,
			"no permission to stage the measurement list: that takes "
			"CAP_SYS_ADMIN, and not in a user namespace");
	case EACCES:
		return imalog_fail_os(error, os_errno, "no permission to %s '%s/%s': be root",
				      (flags & O_ACCMODE) == O_RDONLY ? "read" : "write",
				      shown, name);
	default:
		strcat(strcat(doing, shown), "'");
		return imalog_fail_errno(error, os_errno, doing);
	}
}

int imalog_list_open_as(const char *root, const char *name, int flags, unsigned int wait_ms,
			int *ret, struct imalog_error *error)
{
	uint64_t end = now_ms() + wait_ms, pause = PAUSE_FIRST;
	int fd;

	while ((fd = try_to_open(root, name, flags)) < 0 && errno == EBUSY) {
		uint64_t now = now_ms();

		if (now >= end)
			return fail_open(root, name, flags, error);
		pause_ms(pause < end - now ? pause : end - now);
		pause = 2 * pause < PAUSE_LAST ? 2 * pause : PAUSE_LAST;
	}
	if (fd < 0)
		return fail_open(root, name, flags, error);
	*ret = fd;
	return 0;
}

int imalog_list_open(const char *root, unsigned int wait_ms, int *fd,
		     struct imalog_error *reterr)
{
	return imalog_list_open_as(root, IMALOG_LIST_NAME, O_RDONLY, wait_ms, fd, reterr);
}

int imalog_staged_open(const char *root, unsigned int wait_ms, int *fd,
		       struct imalog_error *reterr)
{
	return imalog_list_open_as(root, IMALOG_STAGED_NAME, O_RDONLY, wait_ms, fd, reterr);
}
