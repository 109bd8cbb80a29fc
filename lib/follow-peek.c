// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The end of the list alone, when nothing but that can have changed
 *
 * While the list is open nobody can stage or delete.  If the store has the same files, and
 * the same is staged as before, then what is behind the place where it was left is new.  What
 * is right before that place is compared, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follow.h"

#define CHUNK	((size_t)32 << 10)
#define OVERLAP ((size_t)4096)

enum { SAME = 0, GROWN = 1, CHANGED = 2 };

static int read_some(int fd, uint8_t *to, size_t size, struct imalog_error *error)
{
	ssize_t got;

	do
		got = read(fd, to, size);
	while (got < 0 && errno == EINTR);
	return got < 0 ? imalog_fail_errno(error, errno, "cannot read the measurement list") :
			 (int)got;
}

/* Of all that comes from a descriptor */
static int sum_rest(int fd, uint8_t sha256[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	struct imalog_stream *stream = imalog_stream_new(IMALOG_ALG_SHA256, error);
	uint8_t chunk[CHUNK];
	int rc;

	if (!stream)
		return -IMALOG_ERR_CRYPTO;
	while ((rc = read_some(fd, chunk, sizeof(chunk), error)) > 0)
		imalog_stream_add(stream, chunk, (size_t)rc);
	if (rc == 0)
		rc = imalog_stream_digest(stream, sha256, error);
	imalog_stream_free(&stream);
	return rc;
}

/* What is staged now, in the copy that the view has of it */
static int note_staged(struct imalog_follower *follower, struct imalog_error *error)
{
	int fd = follower->view->copies[IMALOG_VIEW_STAGED];

	follower->last.staged = imalog_view_staged_bytes(follower->view) > 0;
	if (!follower->last.staged)
		return 0;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return imalog_fail_errno(error, errno, "cannot read the measurement list");
	return sum_rest(fd, follower->last.sha256, error);
}

int imalog_follow_note(struct imalog_follower *follower, uint64_t list_start,
		       struct imalog_error *error)
{
	const struct imalog_view *view = follower->view;
	const struct imalog_epoch *epoch = view->export->epoch;
	size_t nr = epoch ? epoch->nr : 0;
	struct imalog_segment *segments = calloc(nr + 1, sizeof(*segments));

	if (!segments)
		return imalog_fail_nomem(error);
	if (nr)
		memcpy(segments, epoch->segments, nr * sizeof(*segments));
	free(follower->last.segments);
	follower->last.segments = segments;
	follower->last.nr = nr;
	follower->last.epoch = epoch ? epoch->number : 0;
	follower->last.start = list_start;
	/* An orphan is not among the segments, and will be something else soon. */
	follower->last.valid = !follower->doubtful && !view->export->orphan;
	return note_staged(follower, error);
}

/* ---- the store ---- */

static bool same_segments(const struct imalog_follower *follower,
			  const struct imalog_epoch *epoch)
{
	if (epoch->nr != follower->last.nr)
		return false;
	for (size_t i = 0; i < epoch->nr; i++)
		if (epoch->segments[i].number != follower->last.segments[i].number ||
		    epoch->segments[i].kind != follower->last.segments[i].kind ||
		    epoch->segments[i].has_receipt != follower->last.segments[i].has_receipt)
			return false;
	return true;
}

/* Takes its lock, if there is one: 1 when nothing changed, 0, or negative */
static int same_store(const struct imalog_follower *follower, struct imalog_store **store,
		      struct imalog_error *error)
{
	const struct imalog_export *export = follower->view->export;
	struct imalog_epoch *epoch = NULL;
	struct stat st;
	int rc;

	if (!export->store_path[0] || (stat(export->store_path, &st) != 0 && errno == ENOENT))
		return follower->last.epoch == 0;
	rc = imalog_store_take(export->store_path, IMALOG_STORE_LOOK, export->wait_ms, store,
			       error);
	if (rc < 0)
		return rc;
	if ((*store)->current != follower->last.epoch)
		return 0;
	if (!(*store)->current)
		return 1;
	rc = imalog_epoch_open(*store, (*store)->current, &epoch, error);
	if (rc == 0)
		rc = same_segments(follower, epoch);
	imalog_epoch_close(&epoch);
	return rc;
}

/* ---- the lists ---- */

/* Is the same staged?  1, 0, or negative; while the list is open */
static int same_staged(const struct imalog_follower *follower, struct imalog_error *error)
{
	const struct imalog_export *export = follower->view->export;
	uint8_t none[1], sha256[IMALOG_SHA256_SIZE];
	int fd, rc;

	if (!export->kernel.stages || follower->view->list_only)
		return 1;
	rc = export->world->open_list(export->root, true, export->wait_ms, &fd, error);
	if (rc < 0)
		return rc;
	rc = follower->last.staged ? sum_rest(fd, sha256, error) :
				     read_some(fd, none, 1, error);
	close(fd);
	if (rc < 0)
		return rc;
	return follower->last.staged ?
		       memcmp(sha256, follower->last.sha256, sizeof(sha256)) == 0 :
		       rc == 0;
}

/* The last bytes that are known: 1 when they are there, 0, or negative */
static int same_overlap(const struct imalog_follower *follower, int fd,
			struct imalog_error *error)
{
	uint64_t known = follower->end.bytes - follower->last.start;
	size_t size = known < OVERLAP ? (size_t)known : OVERLAP, got = 0;
	uint8_t ours[OVERLAP], theirs[OVERLAP];
	int rc = 1;

	if (lseek(fd, (off_t)(known - size), SEEK_SET) < 0)
		return imalog_fail_errno(error, errno, "cannot read the measurement list");
	while (rc > 0 && got < size) {
		rc = read_some(fd, theirs + got, size - got, error);
		got += rc > 0 ? (size_t)rc : 0;
	}
	if (rc < 0 || got < size)
		return rc < 0 ? rc : 0;
	rc = imalog_follow_pread(follower->memory, follower->end.bytes - size, ours, size,
				 error);
	return rc < 0 ? rc : memcmp(ours, theirs, size) == 0;
}

/* What is behind them */
static int read_rest(struct imalog_follower *follower, int fd, struct imalog_error *error)
{
	uint64_t end = follower->end.bytes;
	uint8_t chunk[CHUNK];
	int rc;

	while ((rc = read_some(fd, chunk, sizeof(chunk), error)) > 0) {
		size_t size = (size_t)rc;

		rc = imalog_follow_keep(follower, end, (struct imalog_span){ chunk, size },
					error);
		if (rc < 0)
			return rc;
		end += size;
	}
	if (rc < 0 || end == follower->end.bytes)
		return rc < 0 ? rc : SAME;
	rc = imalog_follow_extend(follower, follower->end, end, error);
	return rc < 0 ? rc : GROWN;
}

static int peek_list(struct imalog_follower *follower, struct imalog_error *error)
{
	const struct imalog_export *export = follower->view->export;
	int fd, rc;

	rc = export->world->open_list(export->root, false, export->wait_ms, &fd, error);
	if (rc < 0)
		return rc;
	rc = same_staged(follower, error);
	if (rc == 1)
		rc = same_overlap(follower, fd, error);
	if (rc == 1)
		rc = read_rest(follower, fd, error);
	else if (rc == 0)
		rc = CHANGED;
	close(fd);
	return rc;
}

static bool same_boot(const struct imalog_follower *follower)
{
	const struct imalog_export *export = follower->view->export;
	char boot_id[sizeof(follower->boot_id)];

	export->world->boot_id(export->root, boot_id);
	return strcmp(boot_id, follower->boot_id) == 0;
}

int imalog_follow_peek(struct imalog_follower *follower, struct imalog_error *error)
{
	struct imalog_store *store = NULL;
	int rc;

	/* With nothing of the list known there is nothing to compare. */
	if (!follower->last.valid || follower->end.bytes <= follower->last.start ||
	    !same_boot(follower))
		return CHANGED;
	rc = same_store(follower, &store, error);
	if (rc >= 0)
		rc = rc ? peek_list(follower, error) : CHANGED;
	imalog_store_close(&store);
	return rc;
}
