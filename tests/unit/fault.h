/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls that fail on order: the n-th call of one function, while armed
 *
 * For programs that are linked with --wrap of each function below (FAULT_WRAPS).
 */
#ifndef TEST_FAULT_H
#define TEST_FAULT_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "test.h"

enum fault_call {
	FAULT_OPEN,
	FAULT_OPENAT,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_FSYNC,
	FAULT_RENAME,
	FAULT_LINK,
	FAULT_UNLINK,
	FAULT_CLOSE,
	FAULT_XATTR,
	FAULT_CALLS,
};

static const char *const fault_names[FAULT_CALLS] __attribute__((unused)) = {
	"open",	  "openat", "read",   "write", "fsync",
	"rename", "link",   "unlink", "close", "xattr",
};

static struct {
	bool armed;
	enum fault_call call;
	int nth; /* from 1; 0: none fails */
	int os_errno;
	int counts[FAULT_CALLS];
	bool no_rename2;  /* as a file system that cannot */
	size_t write_max; /* bytes that one write() takes, 0: all */
	/* A stand-in for writing: true when it has done it */
	bool (*write)(int fd, const void *data, size_t size, ssize_t *ret);
} fault;

TEST_FN void fault_arm(enum fault_call call, int nth, int os_errno)
{
	memset(fault.counts, 0, sizeof(fault.counts));
	fault.call = call;
	fault.nth = nth;
	fault.os_errno = os_errno;
	fault.armed = true;
	if (nth)
		test_note("%s %d fails", fault_names[call], nth);
}

/* Did the call that was to fail come? */
TEST_FN bool fault_disarm(void)
{
	fault.armed = false;
	test_now.note[0] = '\0';
	return fault.counts[fault.call] >= fault.nth;
}

static bool fault_hits(enum fault_call call)
{
	if (!fault.armed || ++fault.counts[call] != fault.nth || call != fault.call)
		return false;
	errno = fault.os_errno;
	return true;
}

/* ---- the functions ---- */

#define WRAPS(type, name, arguments)  \
	type __real_##name arguments; \
	type __wrap_##name arguments; \
	type __wrap_##name arguments

static mode_t fault_mode(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

WRAPS(int, open, (const char *path, int flags, ...))
{
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = fault_mode(flags, args);
	va_end(args);
	return fault_hits(FAULT_OPEN) ? -1 : __real_open(path, flags, mode);
}

WRAPS(int, openat, (int dir, const char *path, int flags, ...))
{
	mode_t mode;
	va_list args;

	va_start(args, flags);
	mode = fault_mode(flags, args);
	va_end(args);
	return fault_hits(FAULT_OPENAT) ? -1 : __real_openat(dir, path, flags, mode);
}

WRAPS(ssize_t, read, (int fd, void *data, size_t size))
{
	return fault_hits(FAULT_READ) ? -1 : __real_read(fd, data, size);
}

WRAPS(ssize_t, write, (int fd, const void *data, size_t size))
{
	ssize_t ret;

	if (fault.write && fault.write(fd, data, size, &ret))
		return ret;
	if (fault.armed && fault.write_max && size > fault.write_max)
		size = fault.write_max;
	return fault_hits(FAULT_WRITE) ? -1 : __real_write(fd, data, size);
}

WRAPS(int, fsync, (int fd))
{
	return fault_hits(FAULT_FSYNC) ? -1 : __real_fsync(fd);
}

WRAPS(int, renameat, (int from_dir, const char *from, int to_dir, const char *to))
{
	return fault_hits(FAULT_RENAME) ? -1 : __real_renameat(from_dir, from, to_dir, to);
}

WRAPS(int, renameat2,
      (int from_dir, const char *from, int to_dir, const char *to, unsigned int flags))
{
	if (fault.no_rename2) {
		errno = EINVAL;
		return -1;
	}
	return fault_hits(FAULT_RENAME) ? -1 :
					  __real_renameat2(from_dir, from, to_dir, to, flags);
}

WRAPS(int, linkat, (int from_dir, const char *from, int to_dir, const char *to, int flags))
{
	return fault_hits(FAULT_LINK) ? -1 : __real_linkat(from_dir, from, to_dir, to, flags);
}

WRAPS(int, unlinkat, (int dir, const char *name, int flags))
{
	return fault_hits(FAULT_UNLINK) ? -1 : __real_unlinkat(dir, name, flags);
}

/* It is closed all the same, as in the kernel. */
WRAPS(int, close, (int fd))
{
	bool hit = fault_hits(FAULT_CLOSE);
	int rc = __real_close(fd);

	errno = hit ? fault.os_errno : errno;
	return hit ? -1 : rc;
}

WRAPS(int, fsetxattr, (int fd, const char *name, const void *value, size_t size, int flags))
{
	return fault_hits(FAULT_XATTR) ? -1 : __real_fsetxattr(fd, name, value, size, flags);
}

/* ---- a directory of files ---- */

static char work[512];

TEST_FN const char *in_work(const char *name)
{
	static char paths[8][1024];
	static size_t next;
	char *path = paths[next++ % IMALOG_ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", work, name);
	return path;
}

/* In the build directory, if nothing else is said: /tmp is often no place to keep things. */
TEST_FN void work_make(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(work, sizeof(work), "%s/imalog-unit.XXXXXX",
		 base && strlen(base) < 256 ? base : ".");
	if (!mkdtemp(work))
		BAIL_OUT("cannot make '%s': %s", work, strerror(errno));
}

static int work_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

TEST_FN void work_remove(void)
{
	nftw(work, work_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TEST_FN void put_file(const char *path, struct imalog_span bytes)
{
	FILE *file = fopen(path, "w");

	if (!file ||
	    fwrite(bytes.size ? bytes.data : (const uint8_t *)"", 1, bytes.size, file) !=
		    bytes.size ||
	    fclose(file) != 0)
		BAIL_OUT("cannot write '%s': %s", path, strerror(errno));
}

/* false: there is none */
TEST_FN bool get_file(const char *path, struct bytes *ret)
{
	FILE *file = fopen(path, "r");
	struct stat st;

	if (!file)
		return false;
	if (fstat(fileno(file), &st) != 0)
		BAIL_OUT("cannot look at '%s': %s", path, strerror(errno));
	*ret = bytes_new((size_t)st.st_size);
	if (fread(ret->data, 1, ret->size, file) != ret->size)
		BAIL_OUT("cannot read '%s': %s", path, strerror(errno));
	fclose(file);
	return true;
}

TEST_FN bool has_bytes(const char *path, struct imalog_span should)
{
	struct bytes is;
	bool same;

	if (!get_file(path, &is))
		return false;
	same = imalog_span_equal(span_of_bytes(is), should);
	bytes_free(&is);
	return same;
}

/* How many names in the directory begin so */
TEST_FN int count_names(const char *prefix)
{
	DIR *dir = opendir(work);
	struct dirent *entry;
	int count = 0;

	while (dir && (entry = readdir(dir)) != NULL)
		count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	if (dir)
		closedir(dir);
	return count;
}

#endif /* TEST_FAULT_H */
