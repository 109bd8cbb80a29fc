// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Does a file survive a power cut and a kexec?
 *
 * What its file system is (statfs(2)), for an overlay that of its upper layer, and what the
 * file system itself is on: zram, a memory disk, or a loop device over a file that does not.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "private.h"

/* Layers over layers; more is a loop or a joke. */
#define DEPTH_MAX 8

#define OVERLAYFS_MAGIC 0x794c7630

/* linux/magic.h, and file systems' own files where that has not got them */
static const struct {
	uint32_t magic;
	const char *text;
} refused[] = {
	{ 0x01021994, "tmpfs, which a power cut or a kexec erases" },
	{ 0x858458f6, "ramfs, which a power cut or a kexec erases" },
	{ 0x958458f6, "hugetlbfs, which a power cut or a kexec erases" },
	{ 0x65735546, "a FUSE file system, which need not keep what it has synced" },
	{ 0x00009fa0, "proc, which keeps no files" },
	{ 0x62656572, "sysfs, which keeps no files" },
	{ 0x73636673, "securityfs, which keeps no files" },
	{ 0x64626720, "debugfs, which keeps no files" },
	{ 0x74726163, "tracefs, which keeps no files" },
	{ 0x62656570, "configfs, which keeps no files" },
};

static int check(int fd, const char *subject, int depth, struct imalog_error *error);

static __attribute__((format(printf, 2, 3))) int refuse(struct imalog_error *error,
							const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return imalog_fail(error, IMALOG_ERR_INVALID, "", "%s", text);
}

/* ---- /proc/self/mountinfo ---- */

static bool mount_id(int fd, long *ret)
{
	char path[64], line[128];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "mnt_id: %ld", ret) == 1;
	fclose(file);
	return found;
}

/* "source options" of the mount that an open file is in, to be freed; NULL: not to be told */
static char *mount_line(int fd)
{
	char *line = NULL, *ret = NULL, *dash;
	size_t room = 0;
	long wanted, id;
	FILE *file;

	if (!mount_id(fd, &wanted))
		return NULL;
	file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return NULL;
	while (!ret && getline(&line, &room, file) > 0) {
		dash = sscanf(line, "%ld", &id) == 1 && id == wanted ? strstr(line, " - ") :
								       NULL;
		dash = dash ? strchr(dash + 3, ' ') : NULL; /* behind the type */
		if (dash)
			ret = strdup(dash + 1);
	}
	free(line);
	fclose(file);
	return ret;
}

/* Blanks, and what else would end a word, are \ooo. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

/* The value of an option in @options, "" for one without; NULL when it is not there. */
static char *find_option(char *options, const char *name)
{
	size_t size = strlen(name);
	char *rest;

	for (char *o = strtok_r(options, ",\n", &rest); o; o = strtok_r(NULL, ",\n", &rest))
		if (strncmp(o, name, size) == 0 && (o[size] == '=' || o[size] == '\0'))
			return o + size + (o[size] == '=');
	return NULL;
}

/* ---- overlays ---- */

/* "volatile", later "fsync=volatile" */
static bool is_volatile(const char *options)
{
	char *copy = strdup(options), *again = strdup(options);
	const char *fsync = again ? find_option(again, "fsync") : NULL;
	/* Without memory it cannot be told that it is not. */
	bool ret = !copy || !again || find_option(copy, "volatile") ||
		   (fsync && strcmp(fsync, "volatile") == 0);

	free(copy);
	free(again);
	return ret;
}

static int check_upper(char *options, const char *subject, int depth,
		       struct imalog_error *error)
{
	char *upper;
	int fd, rc;

	if (is_volatile(options))
		return refuse(
			error,
			"%s is on an overlay that is mounted volatile, which never syncs",
			subject);
	upper = find_option(options, "upperdir");
	if (!upper)
		return refuse(error, "%s is on an overlay without an upper layer", subject);
	unescape(upper);
	fd = open(upper, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return refuse(error,
			      "%s is on an overlay whose upper layer cannot be seen here",
			      subject);
	rc = check(fd, "the upper layer of the overlay", depth + 1, error);
	close(fd);
	return rc;
}

static int check_overlay(int fd, const char *subject, int depth, struct imalog_error *error)
{
	char *line = mount_line(fd);
	char *options = line ? strrchr(line, ' ') : NULL;
	int rc;

	if (options)
		rc = check_upper(options + 1, subject, depth, error);
	else
		rc = refuse(error, "%s is on an overlay, whose upper layer cannot be told",
			    subject);
	free(line);
	return rc;
}

/* ---- block devices ---- */

static int check_device(const char *dir, int depth, struct imalog_error *error);

/* The file behind a loop device; of a partition, that of the device as a whole. */
static int check_loop(const char *dir, int depth, struct imalog_error *error)
{
	char path[512], file[4096];
	int fd, rc;

	snprintf(path, sizeof(path), "%s/loop/backing_file", dir);
	if (!imalog_root_read_line("", path, file, sizeof(file))) {
		snprintf(path, sizeof(path), "%s/../loop/backing_file", dir);
		if (!imalog_root_read_line("", path, file, sizeof(file)))
			return 0;
	}
	fd = open(file, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return refuse(error, "it is on a loop device whose file cannot be seen here");
	rc = check(fd, "the file of the loop device", depth + 1, error);
	close(fd);
	return rc;
}

/* What a device, or the device of a partition, is made of: dm and md */
static int check_slaves(const char *dir, int depth, struct imalog_error *error)
{
	char path[512], inner[1024];
	struct dirent *entry;
	DIR *slaves;
	int rc = 0;

	snprintf(path, sizeof(path), "/%s/slaves", dir);
	slaves = opendir(path);
	if (!slaves) {
		snprintf(path, sizeof(path), "/%s/../slaves", dir);
		slaves = opendir(path);
	}
	while (slaves && rc == 0 && (entry = readdir(slaves)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path + 1, entry->d_name);
		rc = check_device(inner, depth + 1, error);
	}
	if (slaves)
		closedir(slaves);
	return rc;
}

/* @dir: its directory in sysfs, or a link to that, without the leading slash */
static int check_device(const char *dir, int depth, struct imalog_error *error)
{
	char path[1024], target[512];
	const char *name;
	ssize_t size;
	int rc;

	if (depth > DEPTH_MAX)
		return refuse(error, "it is on devices over devices, more than %d", DEPTH_MAX);
	snprintf(path, sizeof(path), "/%s", dir);
	size = readlink(path, target, sizeof(target) - 1);
	target[size > 0 ? size : 0] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : "";
	if (strncmp(name, "zram", 4) == 0 || strncmp(name, "ram", 3) == 0)
		return refuse(error, "it is on %s, memory that a power cut or a kexec erases",
			      name);
	rc = check_loop(dir, depth, error);
	return rc == 0 ? check_slaves(dir, depth, error) : rc;
}

/* File systems of several devices have a number of their own; their source is one of them. */
static int check_source(int fd, int depth, struct imalog_error *error)
{
	struct stat st;
	char *line, dir[64];

	if (fstat(fd, &st) != 0)
		return imalog_fail_errno(error, errno, "cannot look at the file");
	if (major(st.st_dev) == 0) {
		line = mount_line(fd);
		if (line)
			line[strcspn(line, " ")] = '\0';
		if (!line || line[0] != '/' || stat(line, &st) != 0 || !S_ISBLK(st.st_mode))
			st.st_rdev = 0;
		free(line);
		st.st_dev = st.st_rdev;
	}
	if (major(st.st_dev) == 0)
		return 0;
	snprintf(dir, sizeof(dir), "sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	return check_device(dir, depth, error);
}

static int check(int fd, const char *subject, int depth, struct imalog_error *error)
{
	struct statfs fs;

	if (depth > DEPTH_MAX)
		return refuse(error, "%s is on layers over layers, more than %d", subject,
			      DEPTH_MAX);
	if (fstatfs(fd, &fs) != 0)
		return imalog_fail_errno(error, errno, "cannot tell its file system");
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(refused); i++)
		if ((uint32_t)fs.f_type == refused[i].magic)
			return refuse(error, "%s is on %s", subject, refused[i].text);
	if ((uint32_t)fs.f_type == OVERLAYFS_MAGIC)
		return check_overlay(fd, subject, depth, error);
	return check_source(fd, depth, error);
}

int imalog_durable_check_fd(int fd, struct imalog_error *error)
{
	return check(fd, "it", 0, error);
}

int imalog_durable_check(const char *path, struct imalog_error *reterr)
{
	int fd = open(path, O_PATH | O_CLOEXEC), rc;
	char *copy = NULL;

	if (fd < 0 && errno == ENOENT) {
		copy = strdup(path);
		if (!copy)
			return imalog_fail_nomem(reterr);
		fd = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0) {
		rc = imalog_fail_errno(reterr, errno, "cannot look at its directory");
	} else {
		rc = imalog_durable_check_fd(fd, reterr);
		close(fd);
	}
	free(copy);
	if (rc < 0)
		imalog_error_set_source(reterr, path);
	return rc;
}
