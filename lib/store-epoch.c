// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * An epoch of the store: which segments and receipts are in its directory
 *
 *     log.00000001        a segment: raw bytes of the kernel's list
 *     pending.00000002    one that the kernel may still have, too
 *     dropped.00000003    one that the next has again: no part of the log
 *     partial.00000004    what a crash cut short: no part of the log
 *     receipts/00000001.json, 00000001.quote, 00000001.signature
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

static const char *const kind_names[] = {
	[IMALOG_SEGMENT_NONE] = "none",
	[IMALOG_SEGMENT_LOG] = "log",
	[IMALOG_SEGMENT_PENDING] = "pending",
	[IMALOG_SEGMENT_DROPPED] = "dropped",
};

void imalog_segment_name(enum imalog_segment_kind kind, uint64_t number,
			 char name[IMALOG_SEGMENT_NAME_MAX])
{
	snprintf(name, IMALOG_SEGMENT_NAME_MAX, "%s.%08" PRIu64, kind_names[kind], number);
}

void imalog_epoch_close(struct imalog_epoch **epoch)
{
	if (!epoch || !*epoch)
		return;
	if ((*epoch)->dir >= 0)
		close((*epoch)->dir);
	if ((*epoch)->receipts >= 0)
		close((*epoch)->receipts);
	free((*epoch)->segments);
	free(*epoch);
	*epoch = NULL;
}

/* Adds what one file says, as it comes. */
static int add_entry(struct imalog_epoch *epoch, struct imalog_segment entry,
		     struct imalog_error *error)
{
	struct imalog_segment *segments;

	/* Twice as many each time: whenever the count is a power of two, there is no room. */
	if ((epoch->nr & (epoch->nr - 1)) == 0) {
		segments = reallocarray(epoch->segments, epoch->nr ? 2 * epoch->nr : 1,
					sizeof(*segments));
		if (!segments)
			return imalog_fail_nomem(error);
		epoch->segments = segments;
	}
	epoch->segments[epoch->nr++] = entry;
	return 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct imalog_segment *one = a, *other = b;

	if (one->number != other->number)
		return one->number < other->number ? -1 : 1;
	return (int)one->kind - (int)other->kind;
}

/* By number, with one entry for each */
static void sort_entries(struct imalog_epoch *epoch)
{
	size_t nr = 0;

	if (epoch->nr)
		qsort(epoch->segments, epoch->nr, sizeof(*epoch->segments), compare_entries);
	for (size_t i = 0; i < epoch->nr; i++) {
		const struct imalog_segment *entry = &epoch->segments[i];
		struct imalog_segment *last = nr ? &epoch->segments[nr - 1] : NULL;

		if (!last || last->number != entry->number) {
			epoch->segments[nr++] = *entry;
			continue;
		}
		last->twice |= last->kind && entry->kind;
		last->has_receipt |= entry->has_receipt;
		last->kind = entry->kind ? entry->kind : last->kind;
	}
	epoch->nr = nr;
}

static bool look_at(const struct imalog_epoch *epoch, enum imalog_segment_kind kind,
		    uint64_t number, struct stat *st)
{
	char name[IMALOG_SEGMENT_NAME_MAX];

	imalog_segment_name(kind, number, name);
	return fstatat(epoch->dir, name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * Where a file system cannot rename without replacing, a segment is linked to its new name, and
 * a crash can leave the old one (durable.c): that is one file.
 */
static void join_names(const struct imalog_epoch *epoch, struct imalog_segment *segment)
{
	struct stat log, pending, dropped;
	bool is_log = look_at(epoch, IMALOG_SEGMENT_LOG, segment->number, &log);
	bool is_dropped = look_at(epoch, IMALOG_SEGMENT_DROPPED, segment->number, &dropped);
	const struct stat *now = is_log ? &log : &dropped;

	if (is_log == is_dropped ||
	    !look_at(epoch, IMALOG_SEGMENT_PENDING, segment->number, &pending) ||
	    pending.st_dev != now->st_dev || pending.st_ino != now->st_ino)
		return;
	segment->kind = is_log ? IMALOG_SEGMENT_LOG : IMALOG_SEGMENT_DROPPED;
	segment->twice = false;
	segment->has_old_name = true;
}

/* A temporary file that a crash left behind (durable.c) */
static bool is_leftover(const char *name)
{
	return strncmp(name, ".imalog.", 8) == 0;
}

static void note_stranger(struct imalog_epoch *epoch, const char *name)
{
	epoch->strangers++;
	imalog_printable(imalog_span_of(name), epoch->stranger);
}

static int add_file(struct imalog_epoch *epoch, const char *name, struct imalog_error *error)
{
	for (int kind = IMALOG_SEGMENT_LOG; kind <= IMALOG_SEGMENT_DROPPED; kind++) {
		char prefix[16], plain[IMALOG_SEGMENT_NAME_MAX];
		uint64_t number;

		snprintf(prefix, sizeof(prefix), "%s.", kind_names[kind]);
		number = imalog_number_behind(name, prefix, "");
		imalog_segment_name((enum imalog_segment_kind)kind, number, plain);
		if (number && strcmp(plain, name) == 0)
			return add_entry(epoch,
					 (struct imalog_segment){
						 .number = number,
						 .kind = (enum imalog_segment_kind)kind },
					 error);
	}
	if (strncmp(name, IMALOG_PARTIAL, strlen(IMALOG_PARTIAL)) == 0)
		epoch->partials++;
	else if (is_leftover(name))
		epoch->leftovers++;
	else if (strcmp(name, "receipts") != 0)
		note_stranger(epoch, name);
	return 0;
}

static int add_receipt(struct imalog_epoch *epoch, const char *name,
		       struct imalog_error *error)
{
	static const char *const suffixes[] = { ".json", ".quote", ".signature" };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(suffixes); i++) {
		uint64_t number = imalog_number_behind(name, "", suffixes[i]);
		char plain[IMALOG_RECEIPT_NAME_MAX];

		imalog_receipt_name(number, suffixes[i], plain);
		if (!number || strcmp(plain, name) != 0)
			continue;
		if (i > 0) /* a crash may leave a quote without a receipt */
			return 0;
		return add_entry(epoch,
				 (struct imalog_segment){ .number = number,
							  .has_receipt = true },
				 error);
	}
	if (is_leftover(name))
		epoch->leftovers++;
	else
		note_stranger(epoch, name);
	return 0;
}

typedef int (*add_fn)(struct imalog_epoch *, const char *, struct imalog_error *);

static int scan(struct imalog_epoch *epoch, int dir, add_fn add, struct imalog_error *error)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream) {
		rc = imalog_fail_errno(error, errno, "cannot read a directory of the store");
		if (fd >= 0)
			close(fd);
		return rc;
	}
	errno = 0;
	while (rc == 0 && (entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = add(epoch, entry->d_name, error);
		errno = 0;
	}
	if (rc == 0 && errno)
		rc = imalog_fail_errno(error, errno, "cannot read a directory of the store");
	closedir(stream);
	return rc;
}

int imalog_epoch_scan(struct imalog_epoch *epoch, struct imalog_error *error)
{
	int rc;

	epoch->nr = 0;
	epoch->partials = 0;
	epoch->strangers = 0;
	epoch->leftovers = 0;
	free(epoch->segments);
	epoch->segments = NULL;
	rc = scan(epoch, epoch->dir, add_file, error);
	if (rc == 0)
		rc = scan(epoch, epoch->receipts, add_receipt, error);
	sort_entries(epoch);
	for (size_t i = 0; i < epoch->nr; i++)
		if (epoch->segments[i].twice)
			join_names(epoch, &epoch->segments[i]);
	return rc;
}

static int remove_from(int dir, const char *name, struct imalog_error *error)
{
	if (is_leftover(name) && unlinkat(dir, name, 0) != 0)
		return imalog_fail_errno(error, errno,
					 "cannot remove a file that a crash left");
	return 0;
}

static int remove_file(struct imalog_epoch *epoch, const char *name,
		       struct imalog_error *error)
{
	return remove_from(epoch->dir, name, error);
}

static int remove_receipt(struct imalog_epoch *epoch, const char *name,
			  struct imalog_error *error)
{
	return remove_from(epoch->receipts, name, error);
}

static int remove_old_name(const struct imalog_epoch *epoch, uint64_t number,
			   struct imalog_error *error)
{
	char name[IMALOG_SEGMENT_NAME_MAX];

	imalog_segment_name(IMALOG_SEGMENT_PENDING, number, name);
	if (unlinkat(epoch->dir, name, 0) == 0)
		return 0;
	return imalog_fail_errno(error, errno, "cannot remove the old name of a segment");
}

int imalog_epoch_sweep(struct imalog_epoch *epoch, struct imalog_error *error)
{
	int rc = 0;

	if (epoch->leftovers)
		rc = scan(epoch, epoch->dir, remove_file, error);
	if (rc == 0 && epoch->leftovers)
		rc = scan(epoch, epoch->receipts, remove_receipt, error);
	for (size_t i = 0; rc == 0 && i < epoch->nr; i++)
		if (epoch->segments[i].has_old_name)
			rc = remove_old_name(epoch, epoch->segments[i].number, error);
	return rc;
}

const struct imalog_segment *imalog_epoch_find(const struct imalog_epoch *epoch,
					       uint64_t number)
{
	for (size_t i = epoch->nr; i > 0; i--)
		if (epoch->segments[i - 1].number == number)
			return &epoch->segments[i - 1];
	return NULL;
}

uint64_t imalog_epoch_last(const struct imalog_epoch *epoch)
{
	return epoch->nr ? epoch->segments[epoch->nr - 1].number : 0;
}

/* The last receipt of the epoch before; false when there is none that can be read. */
static bool receipt_before(const struct imalog_epoch *epoch, struct imalog_receipt **ret,
			   uint8_t self[IMALOG_SHA256_SIZE])
{
	int dir = openat(epoch->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct imalog_epoch *before = NULL;
	bool found = dir >= 0 &&
		     imalog_epoch_open_in(dir, epoch->before, &before, NULL) == 0 &&
		     imalog_receipt_read(before->receipts, imalog_epoch_last(before), ret,
					 self, NULL) == 0;

	imalog_epoch_close(&before);
	if (dir >= 0)
		close(dir);
	return found;
}

int imalog_epoch_chain_before(const struct imalog_epoch *epoch,
			      uint8_t chain[IMALOG_SHA256_SIZE], bool *known,
			      struct imalog_error *error)
{
	struct imalog_receipt *receipt = NULL;
	uint8_t self[IMALOG_SHA256_SIZE];
	int rc = imalog_span_sum((struct imalog_span){ NULL, 0 }, chain, error);

	*known = epoch->number == 1;
	if (rc == 0 && epoch->before && receipt_before(epoch, &receipt, self)) {
		memcpy(chain, self, sizeof(self));
		*known = !receipt->rebuilt;
	}
	imalog_receipt_free(&receipt);
	return rc;
}

size_t imalog_epoch_segments(const struct imalog_epoch *epoch)
{
	return epoch->nr;
}

uint64_t imalog_epoch_number(const struct imalog_epoch *epoch)
{
	return epoch->number;
}

const char *imalog_epoch_segment(const struct imalog_epoch *epoch, size_t i, uint64_t *number)
{
	*number = epoch->segments[i].number;
	return kind_names[epoch->segments[i].kind];
}

int imalog_epoch_receipt(const struct imalog_epoch *epoch, size_t i,
			 struct imalog_receipt **ret, struct imalog_error *reterr)
{
	return imalog_receipt_read(epoch->receipts, epoch->segments[i].number, ret, NULL,
				   reterr);
}

int imalog_segment_open(const struct imalog_epoch *epoch, const struct imalog_segment *segment,
			struct imalog_error *error)
{
	char name[IMALOG_SEGMENT_NAME_MAX];
	struct stat st;
	int fd, rc;

	imalog_segment_name(segment->kind, segment->number, name);
	fd = openat(epoch->dir, name,
		    O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	rc = imalog_fail_errno(error, fd < 0 ? errno : EINVAL, "cannot open the segment");
	imalog_error_set_source(error, name);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* The newest name last: a segment keeps its bytes, whatever it is called meanwhile. */
int imalog_segment_open_any(const struct imalog_epoch *epoch, uint64_t number,
			    struct imalog_error *error)
{
	static const enum imalog_segment_kind kinds[] = { IMALOG_SEGMENT_PENDING,
							  IMALOG_SEGMENT_DROPPED,
							  IMALOG_SEGMENT_LOG };
	int fd = -1;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(kinds) && fd < 0; i++) {
		const struct imalog_segment segment = { .number = number, .kind = kinds[i] };

		fd = imalog_segment_open(epoch, &segment, error);
	}
	return fd;
}
