// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The store: a directory, its lock, and the epochs in it
 *
 *     lock              flock(2): exclusive for whoever changes anything, shared for whoever
 *                       looks at it; taken before the kernel's
 *     epoch-000001/     everything measured since one reset of the TPM
 *     current           -> the epoch that grows
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store.h"

#define EPOCH_PREFIX "epoch-"
/* Between two attempts to get the lock, in milliseconds */
#define LOCK_PAUSE 20

static int fail_at(struct imalog_error *error, int os_errno, const char *doing,
		   const char *path)
{
	int rc = imalog_fail_errno(error, os_errno, doing);

	imalog_error_set_source(error, path);
	return rc;
}

void imalog_epoch_name(uint64_t number, char name[32])
{
	snprintf(name, 32, EPOCH_PREFIX "%06" PRIu64, number);
}

uint64_t imalog_number_behind(const char *name, const char *prefix, const char *suffix)
{
	size_t size = strlen(name), before = strlen(prefix), behind = strlen(suffix);
	uint64_t number;

	if (size <= before + behind || strncmp(name, prefix, before) != 0 ||
	    strcmp(name + size - behind, suffix) != 0)
		return 0;
	if (!imalog_decimal_decode((struct imalog_span){ (const uint8_t *)name + before,
							 size - before - behind },
				   INT64_MAX - 1, &number))
		return 0;
	return number;
}

/* ---- opening ---- */

/* Makes the last directory of the path if it is not there. */
static int make_directory(struct imalog_store *store, struct imalog_error *error)
{
	store->made = mkdir(store->path, 0700) == 0;
	if (store->made || errno == EEXIST)
		return 0;
	return fail_at(error, errno, "cannot make the store", store->path);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int wait_for_lock(struct imalog_store *store, bool looks, uint64_t deadline,
			 struct imalog_error *error)
{
	while (flock(store->lock, (looks ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
		struct timespec pause = { 0, LOCK_PAUSE * 1000000L };

		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return fail_at(error, errno, "cannot lock the store", store->path);
		if (now_ms() >= deadline) {
			fail_at(error, EBUSY, "another program is working on the store",
				store->path);
			return -IMALOG_ERR_OS;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Or was it removed while it was waited for, by who had made a store in vain? */
static bool is_the_lock(const struct imalog_store *store)
{
	struct stat held, named;

	return fstat(store->lock, &held) == 0 &&
	       fstatat(store->dir, "lock", &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int take_lock(struct imalog_store *store, enum imalog_store_use use,
		     unsigned int wait_ms, struct imalog_error *error)
{
	uint64_t deadline = now_ms() + wait_ms;
	bool looks = use == IMALOG_STORE_LOOK;
	int rc;

	do {
		if (store->lock >= 0)
			close(store->lock);
		store->lock = openat(store->dir, "lock",
				     O_RDONLY | (looks ? 0 : O_CREAT) | O_NOFOLLOW |
					     O_CLOEXEC | O_NOCTTY,
				     0600);
		/* What nobody ever locked is a copy, or is just being made. */
		if (store->lock < 0 && looks && errno == ENOENT)
			return 0;
		if (store->lock < 0)
			return fail_at(error, errno, "cannot open the store's lock",
				       store->path);
		rc = wait_for_lock(store, looks, deadline, error);
	} while (rc == 0 && !is_the_lock(store));
	return rc;
}

/* ---- epochs ---- */

static int add_epoch(struct imalog_store *store, uint64_t number, struct imalog_error *error)
{
	uint64_t *epochs = reallocarray(store->epochs, store->nr_epochs + 1, sizeof(*epochs));
	size_t i = store->nr_epochs;

	if (!epochs)
		return imalog_fail_nomem(error);
	store->epochs = epochs;
	for (; i > 0 && epochs[i - 1] > number; i--)
		epochs[i] = epochs[i - 1];
	epochs[i] = number;
	store->nr_epochs++;
	return 0;
}

static int find_epochs(struct imalog_store *store, struct imalog_error *error)
{
	int fd = openat(store->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		rc = fail_at(error, errno, "cannot read the store", store->path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	store->nr_epochs = 0;
	errno = 0;
	while (rc == 0 && (entry = readdir(dir))) {
		uint64_t number = imalog_number_behind(entry->d_name, EPOCH_PREFIX, "");

		if (number)
			rc = add_epoch(store, number, error);
		errno = 0;
	}
	if (rc == 0 && errno)
		rc = fail_at(error, errno, "cannot read the store", store->path);
	closedir(dir);
	return rc;
}

/* Without the link, as a crash may leave a new store, the newest epoch is the current one. */
static int find_current(struct imalog_store *store, struct imalog_error *error)
{
	char target[64];
	ssize_t size = readlinkat(store->dir, "current", target, sizeof(target) - 1);

	store->current = store->nr_epochs ? store->epochs[store->nr_epochs - 1] : 0;
	store->linked = size >= 0;
	if (size < 0 && errno == ENOENT)
		return 0;
	if (size < 0)
		return fail_at(error, errno, "cannot read the link 'current' in", store->path);
	target[size] = '\0';
	store->current = imalog_number_behind(target, EPOCH_PREFIX, "");
	for (size_t i = 0; i < store->nr_epochs; i++)
		if (store->epochs[i] == store->current)
			return 0;
	imalog_fail_os(error, ENOENT, "the link 'current' leads to no epoch of the store");
	imalog_error_set_source(error, store->path);
	return -IMALOG_ERR_OS;
}

int imalog_store_take(const char *path, enum imalog_store_use use, unsigned int wait_ms,
		      struct imalog_store **ret, struct imalog_error *error)
{
	struct imalog_store *store = calloc(1, sizeof(*store));
	int rc = 0;

	if (!store)
		return imalog_fail_nomem(error);
	store->dir = store->lock = -1;
	store->path = strdup(path);
	if (!store->path)
		rc = imalog_fail_nomem(error);
	if (rc == 0 && use == IMALOG_STORE_CREATE)
		rc = make_directory(store, error);
	if (rc == 0)
		store->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rc == 0 && store->dir < 0)
		rc = fail_at(error, errno, "cannot open the store", path);
	if (rc == 0)
		rc = take_lock(store, use, wait_ms, error);
	if (rc == 0)
		rc = find_epochs(store, error);
	if (rc == 0)
		rc = find_current(store, error);
	if (rc == 0)
		*ret = store;
	else
		imalog_store_close(&store);
	return rc;
}

int imalog_store_open(const char *path, unsigned int wait_ms, struct imalog_store **ret,
		      struct imalog_error *reterr)
{
	return imalog_store_take(path, IMALOG_STORE_CHANGE, wait_ms, ret, reterr);
}

int imalog_store_look(const char *path, unsigned int wait_ms, struct imalog_store **ret,
		      struct imalog_error *reterr)
{
	return imalog_store_take(path, IMALOG_STORE_LOOK, wait_ms, ret, reterr);
}

void imalog_store_close(struct imalog_store **ptr)
{
	struct imalog_store *store = ptr ? *ptr : NULL;

	if (!store)
		return;
	if (store->lock >= 0)
		close(store->lock);
	if (store->dir >= 0)
		close(store->dir);
	free(store->epochs);
	free(store->path);
	free(store);
	*ptr = NULL;
}

size_t imalog_store_epochs(const struct imalog_store *store)
{
	return store->nr_epochs;
}

uint64_t imalog_store_epoch(const struct imalog_store *store, size_t i)
{
	return store->epochs[i];
}

uint64_t imalog_store_current(const struct imalog_store *store)
{
	return store->current;
}

/* ---- new epochs ---- */

/* Makes the directory whole before it gets its name: no crash leaves one that is half. */
static int make_epoch(struct imalog_store *store, const char *name, struct imalog_error *error)
{
	static const char temporary[] = ".epoch.tmp";
	int dir, rc;

	if (mkdirat(store->dir, temporary, 0700) != 0 && errno != EEXIST)
		return fail_at(error, errno, "cannot make a directory in", store->path);
	dir = openat(store->dir, temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail_at(error, errno, "cannot open the directory", temporary);
	if (mkdirat(dir, "receipts", 0700) != 0 && errno != EEXIST)
		rc = fail_at(error, errno, "cannot make a directory in", temporary);
	else
		rc = imalog_durable_sync(dir, "the epoch", error);
	close(dir);
	if (rc == 0 && renameat(store->dir, temporary, store->dir, name) != 0)
		rc = fail_at(error, errno, "cannot make the epoch", name);
	return rc < 0 ? rc : imalog_durable_sync(store->dir, "the store", error);
}

static bool has_epoch(const struct imalog_store *store, uint64_t number)
{
	for (size_t i = 0; i < store->nr_epochs; i++)
		if (store->epochs[i] == number)
			return true;
	return false;
}

static int link_current(struct imalog_store *store, const char *name,
			struct imalog_error *error)
{
	static const char temporary[] = ".current.tmp";

	if (unlinkat(store->dir, temporary, 0) != 0 && errno != ENOENT)
		return fail_at(error, errno, "cannot remove", temporary);
	if (symlinkat(name, store->dir, temporary) != 0 ||
	    renameat(store->dir, temporary, store->dir, "current") != 0)
		return fail_at(error, errno, "cannot link 'current' to", name);
	store->linked = true;
	return imalog_durable_sync(store->dir, "the store", error);
}

int imalog_store_make_durable(struct imalog_store *store, const struct imalog_epoch *epoch,
			      struct imalog_error *error)
{
	char name[32];
	int rc = 0;

	imalog_epoch_name(epoch->number, name);
	if (!store->linked)
		rc = link_current(store, name, error);
	return rc < 0 ? rc : imalog_durable_sync_dirs(epoch->receipts, error);
}

int imalog_store_start_epoch(struct imalog_store *store, uint64_t number,
			     struct imalog_error *error)
{
	struct imalog_epoch *epoch;
	char name[32];
	int rc = 0;

	imalog_epoch_name(number, name);
	if (!has_epoch(store, number)) {
		rc = make_epoch(store, name, error);
		if (rc == 0)
			rc = add_epoch(store, number, error);
	}
	if (rc == 0)
		rc = imalog_epoch_open(store, number, &epoch, error);
	if (rc < 0)
		return rc;
	if (epoch->nr)
		rc = imalog_fail(error, IMALOG_ERR_INVALID, "",
				 "%s should be new and has segments already", name);
	imalog_epoch_close(&epoch);
	if (rc == 0)
		rc = link_current(store, name, error);
	if (rc == 0)
		store->current = number;
	return rc;
}

void imalog_store_unmake(struct imalog_store *store)
{
	char name[32], receipts[48];

	imalog_epoch_name(store->current, name);
	snprintf(receipts, sizeof(receipts), "%s/receipts", name);
	if (store->nr_epochs > 1)
		return;
	if (store->nr_epochs && unlinkat(store->dir, receipts, AT_REMOVEDIR) != 0)
		return;
	if (store->nr_epochs && unlinkat(store->dir, name, AT_REMOVEDIR) != 0) {
		mkdirat(store->dir, receipts, 0700);
		return;
	}
	unlinkat(store->dir, "current", 0);
	unlinkat(store->dir, "lock", 0);
	if (store->made)
		rmdir(store->path);
}

int imalog_epoch_open_in(int dir, uint64_t number, struct imalog_epoch **ret,
			 struct imalog_error *error)
{
	struct imalog_epoch *epoch = calloc(1, sizeof(*epoch));
	char name[32];
	int rc = 0;

	if (!epoch)
		return imalog_fail_nomem(error);
	imalog_epoch_name(number, name);
	epoch->number = number;
	epoch->receipts = -1;
	epoch->dir = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (epoch->dir >= 0)
		epoch->receipts = openat(epoch->dir, "receipts",
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (epoch->dir < 0 || epoch->receipts < 0)
		rc = fail_at(error, errno, "cannot open the epoch", name);
	if (rc == 0)
		rc = imalog_epoch_scan(epoch, error);
	if (rc == 0)
		*ret = epoch;
	else
		imalog_epoch_close(&epoch);
	return rc;
}

int imalog_epoch_open(struct imalog_store *store, uint64_t number, struct imalog_epoch **ret,
		      struct imalog_error *reterr)
{
	int rc = imalog_epoch_open_in(store->dir, number, ret, reterr);

	for (size_t i = 0; rc == 0 && i < store->nr_epochs && store->epochs[i] < number; i++)
		(*ret)->before = store->epochs[i];
	return rc;
}
