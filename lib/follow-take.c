// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From a view of the machine to a log of which no byte ever changes
 *
 * What the view has is compared with what is known (follow-found.c).  It goes on, or is
 * another log after a reset of the TPM, or it is neither and a failure.  As long as nothing
 * tells whether there was a reset, what is known is left as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "follow.h"

#define CHUNK ((size_t)32 << 10)

void imalog_follow_forget(struct imalog_follower *follower)
{
	if (follower->memory >= 0)
		close(follower->memory);
	follower->memory = -1;
	free(follower->pieces);
	follower->pieces = NULL;
	follower->nr_pieces = follower->nr_marks = 0;
	follower->settled = follower->end = (struct imalog_mark){ 0, 0, 0 };
	follower->doubtful = follower->last.valid = false;
	memset(follower->recent, 0, sizeof(follower->recent));
}

/* ---- then it is known ---- */

int imalog_follow_keep(struct imalog_follower *follower, uint64_t at, struct imalog_span bytes,
		       struct imalog_error *error)
{
	while (bytes.size) {
		ssize_t done = pwrite(follower->memory, bytes.data, bytes.size, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return imalog_fail_errno(error, done < 0 ? errno : EIO,
						 "cannot keep the end of the log");
		at += (uint64_t)done;
		bytes.data += done;
		bytes.size -= (size_t)done;
	}
	return 0;
}

/* What of it is not in memory yet */
static int keep_tail(struct imalog_follower *follower, const struct imalog_follow_tail *tail,
		     struct imalog_error *error)
{
	uint64_t known = follower->end.bytes;
	uint64_t at = known > tail->start ? known - tail->start : 0;
	uint8_t chunk[CHUNK];
	int rc = 0;

	while (rc == 0 && at < tail->size) {
		size_t n = tail->size - at < CHUNK ? (size_t)(tail->size - at) : CHUNK;

		rc = imalog_follow_pread(tail->fd, tail->from + at, chunk, n, error);
		if (rc == 0)
			rc = imalog_follow_keep(follower, tail->start + at,
						(struct imalog_span){ chunk, n }, error);
		at += n;
	}
	return rc;
}

int imalog_follow_extend(struct imalog_follower *follower, struct imalog_mark from,
			 uint64_t end, struct imalog_error *error)
{
	const struct imalog_follow_scan scan = { .fd = follower->memory, .end = end,
						 .marks = true };
	int rc = imalog_follow_scan(follower, &scan, &from, error);

	if (rc == 0)
		follower->end = from;
	else
		imalog_follow_drop_marks(follower);
	return rc;
}

/* Both know what is before this place. */
static int check_end(const struct imalog_follower *follower, const struct imalog_mark *mark,
		     struct imalog_error *error)
{
	const struct imalog_mark *end = &follower->end;

	if (mark->bytes != end->bytes ||
	    (mark->records == end->records &&
	     (mark->ascii == end->ascii || mark->ascii == IMALOG_ASCII_UNKNOWN ||
	      end->ascii == IMALOG_ASCII_UNKNOWN)))
		return 0;
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "receipts tell of %" PRIu64 " records where %" PRIu64
			   " were seen, or of other text: 'imalog store check' tells more",
			   mark->records, end->records);
}

static int settle(struct imalog_follower *follower, struct imalog_found *found,
		  struct imalog_error *error)
{
	int rc = 0;

	for (size_t i = follower->nr_pieces; rc == 0 && i < found->nr; i++)
		rc = imalog_follow_mark(follower, &found->pieces[i].start, error);
	if (rc == 0 && found->nr)
		rc = imalog_follow_mark(follower, &found->end, error);
	if (rc < 0)
		return rc;
	free(follower->pieces);
	follower->pieces = found->pieces;
	follower->nr_pieces = found->nr;
	found->pieces = NULL;
	follower->settled = found->end;
	/* Only memory is won by that. */
	if (found->end.bytes)
		(void)fallocate(follower->memory,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				(off_t)found->end.bytes);
	return 0;
}

static int accept(struct imalog_follower *follower, struct imalog_found *found,
		  struct imalog_error *error)
{
	const struct imalog_view *view = follower->view;
	bool ahead = found->end.bytes > follower->end.bytes;
	int rc = check_end(follower, &found->end, error);

	for (size_t i = 0; rc == 0 && i < found->nr_tails; i++)
		rc = keep_tail(follower, &found->tails[i], error);
	if (rc == 0)
		rc = imalog_follow_extend(follower, ahead ? found->end : follower->end,
					  found->size, error);
	if (rc == 0)
		rc = settle(follower, found, error);
	if (rc < 0)
		return rc;
	follower->epoch = found->epoch;
	strcpy(follower->boot_id, view->export->kernel.boot_id);
	follower->doubtful = found->stops;
	return imalog_follow_note(follower, found->list_start, error);
}

/* ---- a look at all of it ---- */

static int fail_store_gone(const struct imalog_follower *follower, struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];

	return imalog_fail_os(
		error, EIO, "the store '%s' is not there, which had epoch %" PRIu64,
		imalog_printable(imalog_span_of(follower->view->export->store_path), shown),
		follower->epoch);
}

static int start_log(struct imalog_follower *follower, struct imalog_error *error)
{
	imalog_follow_forget(follower);
	follower->memory = memfd_create("imalog-follower", MFD_CLOEXEC);
	if (follower->memory < 0)
		return imalog_fail_errno(error, errno, "cannot keep the end of the log");
	follower->has_layout = false;
	follower->log++;
	return 0;
}

static int look(struct imalog_follower *follower, struct imalog_found *found,
		struct imalog_error *error)
{
	const struct imalog_export *export = follower->view->export;
	int rc;

	found->epoch = imalog_view_epoch(follower->view);
	found->moved = strcmp(follower->boot_id, export->kernel.boot_id) != 0;
	if (follower->epoch && !export->epoch)
		return fail_store_gone(follower, error);
	rc = imalog_found_list(follower, found, error);
	if (rc == 0)
		rc = follower->log ? imalog_found_compare(follower, found, error) : 0;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (follower->log && !found->moved)
		return imalog_fail_os(error, EIO,
				      "records that the log had are in neither store nor "
				      "kernel any more, or others are in their place");
	rc = start_log(follower, error);
	if (rc == 0)
		rc = imalog_found_compare(follower, found, error);
	return rc < 0 ? rc : 0;
}

/*
 * Was there a reset between the store's last segment and this boot's list, and nothing tells?
 * What was decided for this boot stays so.
 */
static bool is_undecided(const struct imalog_follower *follower)
{
	const struct imalog_view *view = follower->view;
	const struct imalog_export *export = view->export;

	if (view->belongs != IMALOG_BELONGS_UNKNOWN && view->belongs != IMALOG_BELONGS_NO_TPM)
		return false;
	return !follower->log || follower->epoch != export->epoch->number ||
	       strcmp(follower->boot_id, export->kernel.boot_id) != 0;
}

/* Nothing is added, and the next look is at everything again. */
static int stay(struct imalog_follower *follower, struct imalog_error *error)
{
	int rc = follower->log ? 0 : start_log(follower, error);

	if (rc == 0)
		follower->doubtful = true;
	return rc;
}

int imalog_follow_take(struct imalog_follower *follower, struct imalog_error *error)
{
	uint64_t log = follower->log, size = follower->end.bytes;
	struct imalog_found found = { .nr = 0 };
	int rc;

	follower->last.valid = false;
	rc = imalog_view_take(follower->view, error);
	if (rc == 0 && is_undecided(follower)) {
		rc = stay(follower, error);
	} else if (rc == 0) {
		rc = look(follower, &found, error);
		if (rc == 0)
			rc = accept(follower, &found, error);
	}
	imalog_found_close(&found);
	imalog_view_forget(follower->view);
	if (rc < 0)
		return rc;
	return follower->log != log || follower->end.bytes != size;
}
