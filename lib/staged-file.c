// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is staged, in files outside a store: saved, compared, confirmed
 *
 * Lists repeat: the next one can have the same bytes, and must not be taken for what a file
 * already has.  So a file is marked with the moment (moment.c) of what was saved to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "private.h"

/* "BOOT-ID VIOLATIONS" */
#define MARK  "user.imalog.saved"
#define BLOCK ((size_t)64 << 10)

/* A file by its directory, so that nothing can be put in the way of it meanwhile. */
struct place {
	const char *path;
	char *copies[2];
	const char *name;
	int dir;
	int fd; /* -1: there is no such file */
};

static void place_close(struct place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	if (place->dir >= 0)
		close(place->dir);
	free(place->copies[0]);
	free(place->copies[1]);
	*place = (struct place){ .path = place->path, .dir = -1, .fd = -1 };
}

static int place_fail(const struct place *place, int os_errno, const char *doing,
		      struct imalog_error *error)
{
	int rc = imalog_fail_errno(error, os_errno, doing);

	imalog_error_set_source(error, place->path);
	return rc;
}

static int place_refuse(const struct place *place, int os_errno, const char *why,
			struct imalog_error *error)
{
	int rc = imalog_fail_os(error, os_errno, "%s", why);

	imalog_error_set_source(error, place->path);
	return rc;
}

/* Opens the file if it is there, which must be a regular one and no link. */
static int open_file(struct place *place, struct imalog_error *error)
{
	struct stat st;

	place->fd = openat(place->dir, place->name,
			   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (place->fd < 0 && errno == ENOENT)
		return 0;
	if (place->fd < 0 && errno == ELOOP)
		return place_refuse(place, ELOOP,
				    "it is a symbolic link: give the file itself", error);
	if (place->fd < 0)
		return place_fail(place, errno, "cannot open", error);
	if (fstat(place->fd, &st) != 0)
		return place_fail(place, errno, "cannot look at it", error);
	if (S_ISREG(st.st_mode))
		return 0;
	return place_refuse(place, EEXIST, "it is not a regular file", error);
}

static int place_open(struct place *place, const char *path, struct imalog_error *error)
{
	int rc;

	*place = (struct place){ .path = path, .dir = -1, .fd = -1 };
	place->copies[0] = strdup(path);
	place->copies[1] = strdup(path);
	if (!place->copies[0] || !place->copies[1]) {
		place_close(place);
		return imalog_fail_nomem(error);
	}
	/* basename() would take "dir/" for a file */
	if (path[0] == '\0' || path[strlen(path) - 1] == '/') {
		place_close(place);
		return place_fail(place, path[0] ? EISDIR : ENOENT, "cannot open", error);
	}
	place->name = basename(place->copies[0]);
	place->dir = open(dirname(place->copies[1]), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = place->dir < 0 ? place_fail(place, errno, "cannot open its directory", error) :
			      open_file(place, error);
	if (rc < 0)
		place_close(place);
	return rc;
}

/* ---- marks ---- */

#define MARK_MAX 64

/* How many violations the list has that came after what is staged */
static int count_listed(struct imalog_staging *staging, uint64_t *ret)
{
	struct imalog_source *list = imalog_staging_list(staging, NULL);
	struct imalog_templates *templates = imalog_templates_new();
	int rc = templates ? imalog_moment_count(list, templates, ret) : -IMALOG_ERR_NOMEM;

	imalog_templates_free(&templates);
	imalog_source_free(&list);
	return rc;
}

/* @before: the kernel, before what is staged was read.  Without a mark it is a copy as well. */
static int set_mark(struct imalog_staging *staging, const struct imalog_kernel_info *before,
		    int fd, struct imalog_error *error)
{
	struct imalog_moment moment;
	char text[MARK_MAX];
	uint64_t listed;

	if (!before->boot_id[0] || count_listed(staging, &listed) < 0)
		return 0;
	moment = imalog_moment_of(before, listed);
	if (!moment.known)
		return 0;
	snprintf(text, sizeof(text), "%s %" PRIu64, before->boot_id, moment.violations);
	if (fsetxattr(fd, MARK, text, strlen(text), 0) == 0 || errno == ENOTSUP)
		return 0;
	return imalog_fail_errno(error, errno, "cannot mark it");
}

/* False when it has none of this boot */
static bool parse_mark(const char *text, const char *boot_id, struct imalog_moment *ret)
{
	size_t size = strlen(boot_id);

	ret->known = size && strncmp(text, boot_id, size) == 0 && text[size] == ' ' &&
		     imalog_decimal_decode(imalog_span_of(text + size + 1), UINT64_MAX,
					   &ret->violations);
	return ret->known;
}

/* The file has the bytes of what is staged, @violations among it.  Are they the same records? */
static int check_mark(struct imalog_staging *staging, const struct place *place,
		      uint64_t violations, struct imalog_error *error)
{
	const char *root = imalog_staging_root(staging);
	struct imalog_kernel_info kernel;
	struct imalog_moment then;
	char text[MARK_MAX];
	ssize_t size = fgetxattr(place->fd, MARK, text, sizeof(text) - 1);
	uint64_t listed;

	if (size < 0 && errno != ENODATA && errno != ENOTSUP && errno != ERANGE)
		return place_fail(place, errno, "cannot tell when it was saved", error);
	text[size > 0 ? size : 0] = '\0';
	if (count_listed(staging, &listed) == 0 &&
	    imalog_kernel_probe(root, &kernel, NULL) == 0 &&
	    parse_mark(text, kernel.boot_id, &then) &&
	    imalog_moment_same(&kernel, &then, listed, violations))
		return 0;
	return place_refuse(place, EEXIST,
			    "it has the same bytes, but nothing proves that what is staged are "
			    "the records that were saved to it: take another file, or imalog "
			    "export",
			    error);
}

/* ---- going through what is staged ---- */

/* What is done with each record. */
struct walk {
	struct place *place;
	struct imalog_durable *file; /* written to, NULL: compared with the place */
	uint64_t position;
	uint64_t violations;
	uint8_t *block;
};

static int differ(const struct walk *walk, const char *how, struct imalog_error *error)
{
	int rc = imalog_fail_os(error, EEXIST, "%s, at byte %" PRIu64, how, walk->position);

	imalog_error_set_source(error, walk->place->path);
	return rc;
}

static int compare(struct walk *walk, struct imalog_span bytes, struct imalog_error *error)
{
	while (bytes.size) {
		size_t size = bytes.size < BLOCK ? bytes.size : BLOCK, same = 0;
		ssize_t got;

		do
			got = read(walk->place->fd, walk->block, size);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return place_fail(walk->place, errno, "cannot read", error);
		if (got == 0)
			return differ(walk, "it ends before what is staged does", error);
		while (same < (size_t)got && walk->block[same] == bytes.data[same])
			same++;
		walk->position += same;
		if (same < (size_t)got)
			return differ(walk, "it is not what is staged", error);
		bytes.data += same;
		bytes.size -= same;
	}
	return 0;
}

static int compare_end(struct walk *walk, struct imalog_error *error)
{
	ssize_t got;

	do
		got = read(walk->place->fd, walk->block, 1);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return place_fail(walk->place, errno, "cannot read", error);
	return got == 0 ? 0 : differ(walk, "it goes on where what is staged ends", error);
}

static int put(struct walk *walk, struct imalog_span bytes, struct imalog_error *error)
{
	int rc = 0;

	if (!walk->file)
		return compare(walk, bytes, error);
	if (walk->file->fd < 0)
		rc = imalog_durable_begin_unnamed(walk->file, walk->place->dir,
						  walk->place->name, error);
	if (rc == 0)
		rc = imalog_durable_write(walk->file, bytes, error);
	if (rc < 0)
		imalog_error_set_source(error, walk->place->path);
	return rc;
}

/* Bytes that are no records are not what the kernel was asked for, and never deleted. */
static int walk_records(struct imalog_reader *reader, struct walk *walk, uint64_t *records,
			struct imalog_error *error)
{
	struct imalog_record *record;
	int rc;

	while ((rc = imalog_reader_next(reader, &record, error)) > 0) {
		rc = put(walk, imalog_record_raw(record), error);
		if (rc < 0)
			return rc;
		walk->violations += imalog_record_is_violation(record);
		*records = imalog_record_number(record);
		imalog_reader_release(reader, *records);
	}
	return rc;
}

/* 1 when records are staged, 0 when not; a failure of data is named after the staged list. */
static int walk_staged(struct imalog_staging *staging, struct walk *walk,
		       struct imalog_error *error)
{
	struct imalog_source *source = imalog_staging_source(staging, error);
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_reader *reader = NULL;
	uint64_t records = 0;
	int rc = source ? 0 : -IMALOG_ERR_OS;

	if (source && templates)
		reader = imalog_reader_new(source, templates);
	if (reader) {
		/* This list has SHA-1 digests, whatever banks there are. */
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, 20);
		rc = walk_records(reader, walk, &records, error);
	} else if (source) {
		rc = imalog_fail_nomem(error);
	}
	if (rc == 0)
		imalog_staging_set_records(staging, records);
	imalog_reader_free(&reader);
	imalog_templates_free(&templates);
	imalog_source_free(&source);
	return rc < 0 ? rc : records > 0;
}

/* ---- saving ---- */

static int sync_place(const struct place *place, struct imalog_error *error)
{
	int rc = imalog_durable_sync(place->fd, place->name, error);

	if (rc == 0)
		rc = imalog_durable_sync_dirs(place->dir, error);
	if (rc < 0)
		imalog_error_set_source(error, place->path);
	return rc;
}

/* The file is there: is it what is staged? */
static int compare_place(struct imalog_staging *staging, struct place *place,
			 struct imalog_error *error)
{
	struct walk walk = { .place = place, .block = malloc(BLOCK) };
	int rc;

	if (!walk.block)
		return imalog_fail_nomem(error);
	rc = walk_staged(staging, &walk, error);
	if (rc > 0) {
		int end = compare_end(&walk, error);

		rc = end < 0 ? end : rc;
	}
	if (rc > 0) {
		int mark = check_mark(staging, place, walk.violations, error);

		rc = mark < 0 ? mark : rc;
	}
	free(walk.block);
	return rc;
}

static int save_new(struct imalog_staging *staging, struct place *place,
		    struct imalog_error *error)
{
	struct imalog_durable file = { .fd = -1 };
	struct walk walk = { .place = place, .file = &file };
	struct imalog_kernel_info before;
	int rc = imalog_kernel_probe(imalog_staging_root(staging), &before, error), done;

	if (rc == 0)
		rc = walk_staged(staging, &walk, error);
	if (rc > 0) {
		done = set_mark(staging, &before, file.fd, error);
		if (done == 0)
			done = imalog_durable_commit(&file, false, error);
		if (done == 0)
			done = imalog_durable_sync_dirs(place->dir, error);
		if (done < 0)
			imalog_error_set_source(error, place->path);
		rc = done < 0 ? done : 1;
	}
	imalog_durable_discard(&file);
	return rc;
}

int imalog_staging_save(struct imalog_staging *staging, const char *path,
			struct imalog_error *reterr)
{
	struct place place;
	int rc = place_open(&place, path, reterr), synced;

	if (rc < 0)
		return rc;
	if (place.fd < 0) {
		rc = save_new(staging, &place, reterr);
	} else {
		rc = compare_place(staging, &place, reterr);
		synced = rc > 0 ? sync_place(&place, reterr) : 0;
		if (rc > 0)
			rc = synced < 0 ? synced : 2;
	}
	place_close(&place);
	return rc;
}

/* ---- confirming ---- */

/*
 * What the disk has is what counts, so the file is brought there, and its pages are dropped
 * before it is read.
 */
static int compare_durable(struct imalog_staging *staging, struct place *place,
			   struct imalog_error *error)
{
	int rc;

	if (place->fd < 0)
		return place_fail(place, ENOENT, "cannot open", error);
	rc = imalog_durable_check_fd(place->fd, error);
	if (rc < 0) {
		imalog_error_set_source(error, place->path);
		return rc;
	}
	rc = sync_place(place, error);
	if (rc < 0)
		return rc;
	posix_fadvise(place->fd, 0, 0, POSIX_FADV_DONTNEED);
	return compare_place(staging, place, error);
}

/* Does this file still have the name?  Whoever cleans up need not wait for a lock. */
static int check_name(const struct place *place, struct imalog_error *error)
{
	struct stat is, should;

	if (fstat(place->fd, &should) != 0 ||
	    fstatat(place->dir, place->name, &is, AT_SYMLINK_NOFOLLOW) != 0)
		return place_fail(place, errno, "cannot look at it", error);
	if (is.st_ino == should.st_ino && is.st_dev == should.st_dev)
		return 0;
	return place_refuse(place, EBUSY, "it was replaced while it was compared", error);
}

static int delete_with(struct imalog_staging *staging, const struct place *place,
		       struct imalog_error *error)
{
	struct imalog_receipt *receipt = NULL;
	int rc = imalog_receipt_for_file(place->path, &receipt, error);

	if (rc == 0)
		rc = check_name(place, error);
	if (rc == 0)
		rc = imalog_staging_delete(staging, receipt, error);
	imalog_receipt_free(&receipt);
	return rc;
}

int imalog_staging_confirm(struct imalog_staging *staging, const char *path,
			   struct imalog_error *reterr)
{
	struct place place;
	int rc = place_open(&place, path, reterr), done;

	if (rc < 0)
		return rc;
	rc = compare_durable(staging, &place, reterr);
	if (rc > 0) {
		done = delete_with(staging, &place, reterr);
		rc = done < 0 ? done : rc;
	}
	place_close(&place);
	return rc;
}
