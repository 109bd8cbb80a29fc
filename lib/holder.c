// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which process holds a measurement list open, or the file for policies
 *
 * The kernel does not tell: /proc/PID/fd is searched for these files.  Files are
 * compared by device and inode, since another mount namespace may call them differently.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "private.h"

/* Two for each of 8 banks, and those staged, with links to some of them */
#define LISTS_MAX 64
#define LIST_MARK   "_runtime_measurements"
#define PROGRAM_MAX 64

struct lists {
	const char *mark; /* in the names of all of them */
	size_t nr;
	struct {
		dev_t dev;
		ino_t ino;
		char name[64];
	} list[LISTS_MAX];
};

static void add_list(struct lists *lists, int dir, const char *name)
{
	struct stat st;

	if (lists->nr == LISTS_MAX || strlen(name) >= sizeof(lists->list[0].name) ||
	    fstatat(dir, name, &st, 0) != 0)
		return;
	lists->list[lists->nr].dev = st.st_dev;
	lists->list[lists->nr].ino = st.st_ino;
	strcpy(lists->list[lists->nr++].name, name);
}

/* The short names come first: a file is called by the first name that it has. */
static bool find_lists(const char *root, struct lists *lists)
{
	static const char *const first[] = { IMALOG_LIST_NAME, IMALOG_STAGED_NAME,
					     "ascii" LIST_MARK, "ascii" LIST_MARK "_staged" };
	int fd = imalog_root_open(root, IMALOG_LIST_DIR, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	lists->nr = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(first); i++)
		if (strstr(first[i], lists->mark))
			add_list(lists, fd, first[i]);
	while ((entry = readdir(dir)) != NULL)
		if (strstr(entry->d_name, lists->mark))
			add_list(lists, fd, entry->d_name);
	closedir(dir);
	return lists->nr > 0;
}

static const char *which_list(const struct lists *lists, const struct stat *st)
{
	for (size_t i = 0; i < lists->nr; i++)
		if (lists->list[i].dev == st->st_dev && lists->list[i].ino == st->st_ino)
			return lists->list[i].name;
	return NULL;
}

/*
 * Which of the lists a descriptor is of.  Nobody is asked for attributes of a file with such a
 * name on a network or in user space: it may be who asks that serves it.
 */
static const char *list_of(int dir, const char *name, const struct lists *lists)
{
	struct statx stx;
	struct stat st = { .st_dev = 0 };

	if (statx(dir, name, AT_STATX_DONT_SYNC, STATX_INO, &stx) != 0)
		return NULL;
	st.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	st.st_ino = stx.stx_ino;
	return which_list(lists, &st);
}

/* Names are looked at first: stat() of what others have open may hang or mount something. */
static const char *held_by(int process, const struct lists *lists)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const char *name = NULL;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while (!name && (entry = readdir(dir)) != NULL) {
		char target[512];
		ssize_t size = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

		target[size > 0 ? size : 0] = '\0';
		if (strstr(target, lists->mark))
			name = list_of(fd, entry->d_name, lists);
	}
	closedir(dir);
	return name;
}

static void read_program(int process, char program[PROGRAM_MAX])
{
	int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t size = fd >= 0 ? read(fd, text, sizeof(text)) : 0;

	if (fd >= 0)
		close(fd);
	while (size > 0 && text[size - 1] == '\n')
		size--;
	imalog_printable((struct imalog_span){ (uint8_t *)text, size > 0 ? (size_t)size : 0 },
			 program);
}

/* How many processes hold a list; the first is described. */
static size_t scan(DIR *proc, const struct lists *lists, char *buf, size_t size)
{
	struct dirent *entry;
	size_t holders = 0;

	while ((entry = readdir(proc)) != NULL) {
		char program[PROGRAM_MAX];
		const char *name;
		int process;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		process =
			openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		name = process >= 0 ? held_by(process, lists) : NULL;
		if (name && holders++ == 0) {
			read_program(process, program);
			snprintf(buf, size, "%s is held open by %s (pid %s)", name,
				 program[0] ? program : "a process", entry->d_name);
		}
		if (process >= 0)
			close(process);
	}
	return holders;
}

static size_t scan_below(const char *root, const struct lists *lists, char *buf, size_t size)
{
	int fd = imalog_root_open(root, "proc", O_RDONLY | O_DIRECTORY);
	DIR *proc = fd >= 0 ? fdopendir(fd) : NULL;
	size_t holders;

	if (!proc) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	holders = scan(proc, lists, buf, size);
	closedir(proc);
	return holders;
}

static bool find_holder(const char *root, const char *mark, char *buf, size_t size)
{
	struct lists lists = { .mark = mark };
	size_t holders, used;

	if (!find_lists(root, &lists))
		return false;
	holders = scan_below(root, &lists, buf, size);
	/* Whatever the prefix, those who have its files open run on this machine. */
	if (holders == 0)
		holders = scan_below("", &lists, buf, size);
	if (holders == 0)
		return false;
	used = strlen(buf);
	if (holders > 1)
		snprintf(buf + used, size - used, ", and by %zu more", holders - 1);
	return true;
}

bool imalog_holder_find(const char *root, char *buf, size_t size)
{
	return find_holder(root, LIST_MARK, buf, size);
}

bool imalog_holder_find_policy(const char *root, char *buf, size_t size)
{
	return find_holder(root, "policy", buf, size);
}
