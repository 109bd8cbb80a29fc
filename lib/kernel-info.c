// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What this machine's kernel offers for its measurement list
 *
 * ..._staged is there with CONFIG_IMA_STAGING alone.  The lists themselves are writable since
 * Linux 7.2, with and without it: a number of records deletes them, unless ima_flush_htable is
 * on the command line (ima_fs.c, ima_queue.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

#define COMMAND_LINE_MAX 4096

/* As the kernel compares: '-' is '_', and a word need only begin so (parameqn()). */
static bool begins_with(const char *word, const char *parameter)
{
	while (*parameter && (*word == *parameter || (*word == '-' && *parameter == '_'))) {
		word++;
		parameter++;
	}
	return *parameter == '\0';
}

/* Is it among the parameters of the kernel, which end at "--"? */
static bool has_parameter(char *line, const char *parameter)
{
	char *rest;

	for (char *word = strtok_r(line, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		if (strcmp(word, "--") == 0)
			return false;
		if (begins_with(word, parameter))
			return true;
	}
	return false;
}

void imalog_kernel_boot_id(const char *root, char ret[40])
{
	if (!imalog_root_read_line(root, "proc/sys/kernel/random/boot_id", ret, 40))
		ret[0] = '\0';
}

static void read_machine(const char *root, struct imalog_kernel_info *info)
{
	char line[COMMAND_LINE_MAX];

	if (!imalog_root_read_line(root, "proc/sys/kernel/osrelease", info->release,
				   sizeof(info->release)))
		info->release[0] = '\0';
	imalog_kernel_boot_id(root, info->boot_id);
	info->flush_htable = imalog_root_read_line(root, "proc/cmdline", line, sizeof(line)) &&
			     has_parameter(line, "ima_flush_htable");
}

static bool read_count(const char *root, const char *path, uint64_t *ret)
{
	char line[32];

	return imalog_root_read_line(root, path, line, sizeof(line)) &&
	       imalog_decimal_decode(imalog_span_of(line), UINT64_MAX, ret);
}

static bool is_there(int dir, const char *name, mode_t *mode)
{
	struct stat st;

	if (fstatat(dir, name, &st, 0) != 0)
		return false;
	*mode = st.st_mode;
	return true;
}

static void look_at_lists(int dir, struct imalog_kernel_info *info)
{
	mode_t mode = 0;

	info->stages = is_there(dir, IMALOG_STAGED_NAME, &mode);
	info->list = is_there(dir, IMALOG_LIST_NAME, &mode);
	/* The mode that the kernel gives, not what this process may do */
	info->recent = info->list && (mode & 0220);
	info->trims = info->recent && !info->flush_htable;
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++) {
		char name[64];

		snprintf(name, sizeof(name), IMALOG_LIST_NAME "_%s",
			 imalog_alg_name((enum imalog_alg)alg));
		info->lists[alg] = is_there(dir, name, &mode);
	}
}

static int fail_to_open(const char *root, const char *path, struct imalog_error *error)
{
	int os_errno = errno;
	char shown[IMALOG_ROOT_SHOWN], doing[IMALOG_ROOT_SHOWN + 16];

	snprintf(doing, sizeof(doing), "cannot open '%s'",
		 imalog_root_show(root, path, shown));
	return imalog_fail_errno(error, os_errno, doing);
}

/* Where nothing is mounted, the directory belongs to the file system above it. */
static int look_for_securityfs(const char *root, bool *mounted, struct imalog_error *error)
{
	const char *path = "sys/kernel/security";
	int fd = imalog_root_open(root, path, O_PATH | O_DIRECTORY);
	struct stat here, above;

	if (fd < 0 && errno != ENOENT)
		return fail_to_open(root, path, error);
	*mounted = fd >= 0 && fstat(fd, &here) == 0 && fstatat(fd, "..", &above, 0) == 0 &&
		   here.st_dev != above.st_dev;
	if (fd >= 0)
		close(fd);
	return 0;
}

int imalog_kernel_probe(const char *root, struct imalog_kernel_info *ret,
			struct imalog_error *reterr)
{
	struct imalog_kernel_info info = { .list = false };
	int rc = look_for_securityfs(root, &info.securityfs, reterr), dir;

	if (rc < 0)
		return rc;
	read_machine(root, &info);
	info.no_htable = imalog_kernel_option(root, info.release, "CONFIG_IMA_DISABLE_HTABLE");
	dir = imalog_root_open(root, IMALOG_LIST_DIR, O_PATH | O_DIRECTORY);
	if (dir < 0 && errno != ENOENT)
		return fail_to_open(root, IMALOG_LIST_DIR, reterr);
	if (dir >= 0) {
		info.securityfs = true;
		look_at_lists(dir, &info);
		close(dir);
	}
	info.counted = read_count(root, IMALOG_LIST_DIR "/runtime_measurements_count",
				  &info.records) &&
		       read_count(root, IMALOG_LIST_DIR "/violations", &info.violations);
	*ret = info;
	return 0;
}
