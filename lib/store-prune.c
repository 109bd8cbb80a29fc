// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Removes old epochs, each under another name first, so that none is ever half there
 *
 * Nothing that does not belong to the store is removed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

/* One at a time, with the lock; a crash leaves it for the next run. */
#define REMOVED ".removed.tmp"

static int fail_with(struct imalog_error *error, const char *doing, const char *name)
{
	int rc = imalog_fail_errno(error, errno, doing);

	imalog_error_set_source(error, name);
	return rc;
}

/* Removes the files of a directory, and the directories in it that are empty. */
static int empty(int parent, const char *name, struct imalog_error *error)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		rc = fail_with(error, "cannot open the directory", name);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) != 0 &&
		    (errno != EISDIR || unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0))
			rc = fail_with(error, "cannot remove", entry->d_name);
	}
	closedir(dir);
	return rc;
}

static int remove_leftover(struct imalog_store *store, struct imalog_error *error)
{
	int rc;

	if (faccessat(store->dir, REMOVED, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : fail_with(error, "cannot look at", REMOVED);
	if (faccessat(store->dir, REMOVED "/receipts", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		rc = empty(store->dir, REMOVED "/receipts", error);
		if (rc < 0)
			return rc;
	}
	rc = empty(store->dir, REMOVED, error);
	if (rc == 0 && unlinkat(store->dir, REMOVED, AT_REMOVEDIR) != 0)
		rc = fail_with(error, "cannot remove", REMOVED);
	return rc;
}

/* Only what is finished and the store's own */
static int check_removable(struct imalog_store *store, uint64_t number,
			   struct imalog_error *error)
{
	struct imalog_epoch *epoch;
	int rc = imalog_epoch_open(store, number, &epoch, error);

	if (rc < 0)
		return rc;
	if (epoch->strangers)
		rc = imalog_fail(error, IMALOG_ERR_INVALID, "",
				 "epoch %" PRIu64
				 " has '%s', which is no file of the store's: it is "
				 "not removed",
				 number, epoch->stranger);
	for (size_t i = 0; rc == 0 && i < epoch->nr; i++)
		if (epoch->segments[i].kind == IMALOG_SEGMENT_PENDING)
			rc = imalog_fail(error, IMALOG_ERR_INVALID, "",
					 "segment %" PRIu64 " of epoch %" PRIu64
					 " is pending: it is not removed",
					 epoch->segments[i].number, number);
	imalog_epoch_close(&epoch);
	return rc;
}

static int remove_epoch(struct imalog_store *store, uint64_t number,
			struct imalog_error *error)
{
	int rc = check_removable(store, number, error);
	char name[32];

	if (rc < 0)
		return rc;
	imalog_epoch_name(number, name);
	if (renameat(store->dir, name, store->dir, REMOVED) != 0)
		return fail_with(error, "cannot remove the epoch", name);
	rc = imalog_durable_sync(store->dir, "the store", error);
	return rc < 0 ? rc : remove_leftover(store, error);
}

int imalog_store_prune(struct imalog_store *store, uint64_t keep, uint64_t *removed,
		       struct imalog_error *reterr)
{
	uint64_t count = 0;
	int rc = remove_leftover(store, reterr);

	keep = keep ? keep : 1;
	while (rc == 0 && store->nr_epochs > keep && store->epochs[0] < store->current) {
		rc = remove_epoch(store, store->epochs[0], reterr);
		if (rc < 0)
			break;
		count++;
		store->nr_epochs--;
		memmove(store->epochs, store->epochs + 1,
			store->nr_epochs * sizeof(*store->epochs));
	}
	if (removed)
		*removed = count;
	return rc;
}
