// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Receipts for a merge: where they are read from
 *
 *     DIR/00000001.json               receipts alone
 *     DIR/receipts/00000001.json      an epoch
 *     DIR/epoch-000001/receipts/...   a store
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "merge-engine.h"

void imalog_receipts_free(struct imalog_merge *merge)
{
	for (size_t s = 0; s < merge->nr_sets; s++) {
		struct imalog_receipt_set *set = &merge->sets[s];

		for (size_t i = 0; i < set->nr && !set->borrowed; i++)
			imalog_receipt_free((struct imalog_receipt **)&set->entries[i].receipt);
		free(set->entries);
	}
	free(merge->sets);
	merge->sets = NULL;
	merge->nr_sets = 0;
}

/* ---- sets ---- */

static int compare_entries(const void *a, const void *b)
{
	const struct imalog_receipt *one = ((const struct imalog_entry *)a)->receipt;
	const struct imalog_receipt *other = ((const struct imalog_entry *)b)->receipt;

	if (one->first != other->first)
		return one->first < other->first ? -1 : 1;
	/* What was dropped comes before the segment that has its records, too. */
	return one->segment < other->segment ? -1 : one->segment > other->segment;
}

static bool has_epoch(const struct imalog_merge *merge, uint64_t epoch)
{
	for (size_t s = 0; s < merge->nr_sets; s++)
		if (merge->sets[s].epoch == epoch)
			return true;
	return false;
}

/* A new set; one whose number is not known, or taken, gets another. */
static int add_set(struct imalog_merge *merge, uint64_t epoch, bool borrowed,
		   struct imalog_receipt_set **ret, struct imalog_error *error)
{
	struct imalog_receipt_set *sets =
		reallocarray(merge->sets, merge->nr_sets + 1, sizeof(*sets));

	if (!sets)
		return imalog_fail_nomem(error);
	merge->sets = sets;
	if (epoch == 0)
		epoch = 1;
	while (has_epoch(merge, epoch))
		epoch++;
	*ret = &sets[merge->nr_sets++];
	**ret = (struct imalog_receipt_set){ .epoch = epoch, .borrowed = borrowed };
	return 0;
}

static int add_entry(struct imalog_receipt_set *set, const struct imalog_receipt *receipt,
		     size_t piece, struct imalog_error *error)
{
	struct imalog_entry *entries = set->entries;

	/* Twice as many each time: whenever the count is a power of two, there is no room. */
	if ((set->nr & (set->nr - 1)) == 0)
		entries = reallocarray(entries, set->nr ? 2 * set->nr : 1, sizeof(*entries));
	if (!entries)
		return imalog_fail_nomem(error);
	set->entries = entries;
	entries[set->nr++] = (struct imalog_entry){ .receipt = receipt, .piece = piece };
	return 0;
}

static bool is_same(const struct imalog_receipt *a, const struct imalog_receipt *b)
{
	return a->segment == b->segment && a->first == b->first && a->records == b->records &&
	       memcmp(a->sha256, b->sha256, IMALOG_SHA256_SIZE) == 0 &&
	       imalog_state_equal(&a->before, &b->before);
}

/* A directory that is given twice, or a copy of one, tells nothing new. */
static bool is_known(const struct imalog_merge *merge, const struct imalog_receipt *receipt)
{
	for (size_t s = 0; s + 1 < merge->nr_sets; s++)
		for (size_t i = 0; i < merge->sets[s].nr; i++)
			if (is_same(merge->sets[s].entries[i].receipt, receipt))
				return true;
	return false;
}

/* ---- files ---- */

struct loading {
	struct imalog_merge *merge;
	int dir; /* that is being read */
	struct imalog_receipt_set *set;
	int found;
	struct imalog_error *error;
};

typedef int (*name_fn)(struct loading *loading, const char *name);

/* Calls @fn for each name in a directory. */
static int for_each_name(struct loading *loading, name_fn fn)
{
	int fd = openat(loading->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		rc = imalog_fail_errno(loading->error, errno, "cannot read the directory");
		if (fd >= 0)
			close(fd);
		return rc;
	}
	errno = 0;
	while (rc == 0 && (entry = readdir(dir))) {
		rc = fn(loading, entry->d_name);
		errno = 0;
	}
	if (rc == 0 && errno)
		rc = imalog_fail_errno(loading->error, errno, "cannot read the directory");
	closedir(dir);
	return rc;
}

/* A receipt that is none does not keep the others from helping. */
static int say_unreadable(struct loading *loading, const char *name,
			  const struct imalog_error *why)
{
	char text[256], shown[IMALOG_PRINTABLE_MAX];

	imalog_error_format(why, text, sizeof(text));
	return imalog_notes_add(&loading->merge->notes, IMALOG_MERGE_OTHER, IMALOG_NOWHERE,
				loading->error, "the receipt %s cannot be read: %s",
				imalog_printable(imalog_span_of(name), shown), text);
}

static int load_receipt(struct loading *loading, const char *name)
{
	uint64_t number = imalog_number_behind(name, "", ".json");
	struct imalog_receipt *receipt = NULL;
	char plain[IMALOG_RECEIPT_NAME_MAX];
	struct imalog_error *why;
	int rc;

	imalog_receipt_name(number, ".json", plain);
	if (!number || strcmp(plain, name) != 0)
		return 0;
	why = imalog_error_new();
	if (!why)
		return imalog_fail_nomem(loading->error);
	rc = imalog_receipt_read(loading->dir, number, &receipt, NULL, why);
	if (rc < 0 && rc > -IMALOG_ERR_INVALID)
		rc = say_unreadable(loading, name, why);
	else if (rc < 0)
		imalog_error_copy(loading->error, why);
	imalog_error_free(&why);
	if (!receipt)
		return rc;
	loading->found++;
	if (!is_known(loading->merge, receipt))
		rc = add_entry(loading->set, receipt, IMALOG_NOWHERE, loading->error);
	else
		imalog_receipt_free(&receipt);
	if (rc < 0)
		imalog_receipt_free(&receipt);
	return rc;
}

/* Receipts of one epoch, in the directory itself */
static int load_set(struct loading *loading, uint64_t epoch)
{
	int rc = add_set(loading->merge, epoch, false, &loading->set, loading->error);

	if (rc == 0)
		rc = for_each_name(loading, load_receipt);
	if (rc < 0)
		return rc;
	if (loading->set->nr == 0)
		loading->merge->nr_sets--;
	else
		qsort(loading->set->entries, loading->set->nr, sizeof(struct imalog_entry),
		      compare_entries);
	return 0;
}

/* The receipts in a directory of this directory, if it is there */
static int load_below(struct loading *loading, const char *name, uint64_t epoch)
{
	int above = loading->dir, rc = 0;

	loading->dir = openat(above, name,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (loading->dir >= 0) {
		rc = load_set(loading, epoch);
		close(loading->dir);
	} else if (errno != ENOENT) {
		rc = imalog_fail_errno(loading->error, errno, "cannot open the receipts");
	}
	loading->dir = above;
	return rc;
}

static int load_epoch(struct loading *loading, const char *name)
{
	uint64_t epoch = imalog_number_behind(name, "epoch-", "");
	char path[64];

	if (!epoch)
		return 0;
	snprintf(path, sizeof(path), "epoch-%06" PRIu64 "/receipts", epoch);
	return load_below(loading, path, epoch);
}

/* "/a/epoch-000002/" -> 2 */
static uint64_t epoch_of_path(const char *path)
{
	size_t end = strlen(path), start;
	char name[32];

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/';)
		start--;
	if (end - start >= sizeof(name))
		return 0;
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	return imalog_number_behind(name, "epoch-", "");
}

int imalog_receipts_load(struct imalog_merge *merge, const char *path,
			 struct imalog_error *error)
{
	struct loading loading = { .merge = merge, .error = error };
	int rc = 0;

	loading.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (loading.dir < 0)
		rc = imalog_fail_errno(error, errno, "cannot open the directory");
	if (rc == 0)
		rc = for_each_name(&loading, load_epoch);
	if (rc == 0)
		rc = load_below(&loading, "receipts", epoch_of_path(path));
	if (rc == 0)
		rc = load_set(&loading, epoch_of_path(path));
	if (loading.dir >= 0)
		close(loading.dir);
	if (rc == 0 && loading.found == 0)
		rc = imalog_fail(error, IMALOG_ERR_INVALID, "", "there are no receipts");
	if (rc < 0)
		imalog_error_set_source(error, path);
	return rc < 0 ? rc : loading.found;
}

int imalog_receipts_of_plan(struct imalog_merge *merge, size_t first, uint64_t epoch,
			    struct imalog_error *error)
{
	struct imalog_receipt_set *set;
	int rc = add_set(merge, epoch, true, &set, error);

	for (size_t i = first; rc == 0 && i < merge->nr; i++) {
		if (!merge->items[i].receipt)
			continue;
		merge->items[i].set = merge->nr_sets - 1;
		rc = add_entry(set, merge->items[i].receipt, i, error);
	}
	if (rc == 0 && set->nr == 0)
		merge->nr_sets--;
	return rc;
}
