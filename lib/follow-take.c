// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From a view of the machine to a log of which no byte ever changes
 *
 * What is known of the log is compared with what is there now: segments that were there must
 * still be, and what follows them must have the bytes that were seen.  Where the view is in
 * doubt whether records come once or twice, the log goes as far as both are the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follow.h"

#define CHUNK ((size_t)32 << 10)

/* What may still be somewhere else later: pending segments, what is staged, and the list */
struct tail {
	int fd;
	bool opened;
	uint64_t from, size; /* bytes of the file */
	uint64_t start;	     /* in the log */
};

#define TAILS_MAX (IMALOG_PENDING_MAX + IMALOG_VIEW_LISTS)

/* What is there now */
struct found {
	uint64_t epoch;
	bool moved; /* it is another epoch or boot */
	bool stops; /* behind these nothing is decided */
	struct imalog_follow_piece *pieces;
	size_t nr;
	struct imalog_mark end; /* of the pieces */
	struct tail tails[TAILS_MAX];
	size_t nr_tails;
	uint64_t list_start, size;
};

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

/* ---- which segments ---- */

/* The last segment behind which it is not decided what follows; SIZE_MAX: it is, everywhere */
static size_t last_certain(const struct imalog_view *view)
{
	const struct imalog_export *export = view->export;
	size_t last = SIZE_MAX;

	if (!view->doubtful || !export->epoch)
		return last;
	if (view->nr_doubts)
		last = view->doubts[0].before;
	for (size_t i = 0; view->loose && i < export->epoch->nr; i++)
		if (export->epoch->segments[i].number == export->pending[0]->segment && i < last)
			last = i;
	return last;
}

static int list_pieces(const struct imalog_follower *follower, struct found *found,
		       struct imalog_error *error)
{
	const struct imalog_view *view = follower->view;
	const struct imalog_epoch *epoch =
		imalog_view_is_of_epoch(view) ? view->export->epoch : NULL;
	size_t nr = epoch ? epoch->nr : 0, last = last_certain(view);
	uint64_t skip;

	found->pieces = calloc(nr + follower->nr_pieces + 1, sizeof(*found->pieces));
	if (!found->pieces)
		return imalog_fail_nomem(error);
	found->stops = view->doubtful && epoch;
	for (size_t i = 0; i < nr && (!found->stops || i <= last); i++)
		if (epoch->segments[i].kind == IMALOG_SEGMENT_LOG &&
		    imalog_view_takes(view, i, &skip))
			found->pieces[found->nr++] = (struct imalog_follow_piece){
				.segment = epoch->segments[i].number, .skip = skip
			};
	return 0;
}

static uint64_t size_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void add_tail(struct found *found, int fd, bool opened, uint64_t from)
{
	found->tails[found->nr_tails++] = (struct tail){
		.fd = fd, .opened = opened, .from = from, .size = size_of(fd) - from
	};
}

static int skip_records(struct imalog_follower *follower, int fd, uint64_t skip, uint64_t *ret,
			struct imalog_error *error);

/* Behind the pieces, in this order */
static int list_tails(struct imalog_follower *follower, struct found *found,
		      struct imalog_error *error)
{
	const struct imalog_view *view = follower->view;
	const struct imalog_epoch *epoch =
		imalog_view_is_of_epoch(view) ? view->export->epoch : NULL;
	size_t nr = epoch ? epoch->nr : 0, last = last_certain(view);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < nr && (!found->stops || i <= last); i++) {
		uint64_t skip, from;
		int fd;

		if (epoch->segments[i].kind != IMALOG_SEGMENT_PENDING ||
		    !imalog_view_takes(view, i, &skip) ||
		    found->nr_tails == IMALOG_PENDING_MAX)
			continue;
		fd = imalog_segment_open(epoch, &epoch->segments[i], error);
		rc = fd < 0 ? fd : skip_records(follower, fd, skip, &from, error);
		if (rc == 0)
			add_tail(found, fd, true, from);
		else if (fd >= 0)
			close(fd);
	}
	if (rc == 0)
		rc = imalog_view_copy_rest(follower->view, error);
	if (rc < 0 || found->stops)
		return rc;
	add_tail(found, view->copies[IMALOG_VIEW_STAGED], false, 0);
	add_tail(found, view->copies[IMALOG_VIEW_LIST], false, 0);
	return 0;
}

static const struct imalog_receipt *receipt_of(const struct imalog_view *view, uint64_t segment)
{
	for (size_t i = 0; i < view->nr_receipts; i++)
		if (view->receipts[i] && view->receipts[i]->segment == segment)
			return view->receipts[i];
	return NULL;
}

/* ---- how much they have ---- */

/* Records of a file that begins at this offset of a log */
struct scan {
	struct imalog_follower *follower;
	int fd;
	uint64_t start;	 /* offset in the log of the first byte of the file */
	uint64_t stop; /* behind this record; 0: at the end */
	bool marks;
};

static int read_file(void *arg, uint64_t at, uint8_t *to, size_t size,
		     struct imalog_error *error)
{
	struct scan *scan = arg;
	int rc = imalog_follow_pread(scan->fd, at - scan->start, to, size, error);

	return rc < 0 ? rc : (int)size;
}

static int count_record(void *arg, const struct imalog_record *record, struct imalog_mark *at,
			struct imalog_error *error)
{
	struct scan *scan = arg;
	int rc = 0;

	imalog_follow_count(scan->follower, record, at);
	if (scan->marks && at->records % IMALOG_MARK_SPACE == 0)
		rc = imalog_follow_mark(scan->follower, at, error);
	return rc < 0 ? rc : at->records == scan->stop;
}

/* Without the records that come before: where those end in the file */
static int skip_records(struct imalog_follower *follower, int fd, uint64_t skip, uint64_t *ret,
			struct imalog_error *error)
{
	struct scan scan = { .follower = follower, .fd = fd, .stop = skip };
	const struct imalog_walk walk = { read_file, count_record, &scan, size_of(fd) };
	struct imalog_mark at = { 0, 0, IMALOG_ASCII_UNKNOWN };
	int rc = skip ? imalog_follow_walk(follower, &walk, &at, error) : 0;

	*ret = at.bytes;
	return rc;
}

/* From its start to its end: by the receipt, if it is of this file */
static int measure(struct imalog_follower *follower, int fd, struct imalog_follow_piece *piece,
		   struct imalog_mark *end, struct imalog_error *error)
{
	const struct imalog_receipt *receipt = receipt_of(follower->view, piece->segment);
	struct scan scan = { .follower = follower, .fd = fd };
	struct imalog_walk walk = { read_file, count_record, &scan, 0 };
	uint64_t size = size_of(fd);
	int rc = skip_records(follower, fd, piece->skip, &piece->skip_bytes, error);

	if (rc < 0)
		return rc;
	piece->start = *end;
	piece->bytes = size - piece->skip_bytes;
	if (!piece->skip && receipt && receipt->bytes == size) {
		end->records += receipt->records;
		end->bytes += receipt->bytes;
		if (!receipt->has_ascii_bytes)
			end->ascii = IMALOG_ASCII_UNKNOWN;
		else if (end->ascii != IMALOG_ASCII_UNKNOWN)
			end->ascii += receipt->ascii_bytes;
		return 0;
	}
	scan.start = piece->start.bytes - piece->skip_bytes;
	walk.end = piece->start.bytes + piece->bytes;
	return imalog_follow_walk(follower, &walk, end, error);
}

/* ---- is it what is known? ---- */

/* Does a file have, from @from on, the bytes that the log has from @at on?  1, 0, or negative */
static int has_bytes(struct imalog_follower *follower, int fd, uint64_t from, uint64_t at,
		     uint64_t size, struct imalog_error *error)
{
	uint8_t ours[CHUNK], theirs[CHUNK];
	uint64_t end = follower->end.bytes;
	int rc = 0;

	if (at >= end)
		return 1;
	if (size > end - at)
		size = end - at;
	for (uint64_t done = 0; rc == 0 && done < size; done += CHUNK) {
		size_t n = size - done < CHUNK ? (size_t)(size - done) : CHUNK;

		rc = imalog_follow_pread(fd, from + done, theirs, n, error);
		if (rc == 0)
			rc = imalog_follow_pread(follower->memory, at + done, ours, n, error);
		if (rc == 0 && memcmp(ours, theirs, n) != 0)
			return 0;
	}
	return rc < 0 ? rc : 1;
}

/* The pieces that were there are, and the new ones go on with what was seen. */
static int compare_pieces(struct imalog_follower *follower, struct found *found,
			  struct imalog_error *error)
{
	size_t nr = follower->nr_pieces;
	int rc = 1;

	if ((found->nr < nr && !found->stops) || (nr && found->epoch != follower->epoch))
		return 0;
	for (size_t i = 0; i < nr && i < found->nr; i++)
		if (found->pieces[i].segment != follower->pieces[i].segment ||
		    found->pieces[i].skip != follower->pieces[i].skip)
			return 0;
	/* A doubt that comes again, when a TPM cannot be read, takes nothing back. */
	for (size_t i = 0; i < nr; i++)
		found->pieces[i] = follower->pieces[i];
	found->nr = found->nr < nr ? nr : found->nr;
	found->end = follower->settled;
	for (size_t i = nr; rc == 1 && i < found->nr; i++) {
		struct imalog_follow_piece *piece = &found->pieces[i];
		int fd = imalog_segment_open_any(follower->view->export->epoch, piece->segment,
						 error);

		if (fd < 0)
			return fd;
		rc = measure(follower, fd, piece, &found->end, error);
		if (rc == 0)
			rc = has_bytes(follower, fd, piece->skip_bytes, piece->start.bytes,
				       piece->bytes, error);
		close(fd);
	}
	return rc;
}

/* Is it the log that is known, perhaps with more?  1, 0, or negative */
static int compare(struct imalog_follower *follower, struct found *found,
		   struct imalog_error *error)
{
	int rc = compare_pieces(follower, found, error);

	found->list_start = found->size = found->end.bytes;
	for (size_t i = 0; rc == 1 && i < found->nr_tails; i++) {
		struct tail *tail = &found->tails[i];

		tail->start = found->list_start = found->size;
		found->size += tail->size;
		rc = has_bytes(follower, tail->fd, tail->from, tail->start, tail->size, error);
	}
	if (rc == 1 && !found->stops && found->size < follower->end.bytes)
		return 0;
	return rc;
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
static int keep_tail(struct imalog_follower *follower, const struct tail *tail,
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

int imalog_follow_extend(struct imalog_follower *follower, struct imalog_mark from, uint64_t end,
			 struct imalog_error *error)
{
	struct scan scan = { .follower = follower, .fd = follower->memory, .marks = true };
	const struct imalog_walk walk = { read_file, count_record, &scan, end };
	int rc = imalog_follow_walk(follower, &walk, &from, error);

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

static int settle(struct imalog_follower *follower, struct found *found,
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
		(void)fallocate(follower->memory, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				(off_t)found->end.bytes);
	return 0;
}

static int accept(struct imalog_follower *follower, struct found *found,
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

static int look(struct imalog_follower *follower, struct found *found,
		struct imalog_error *error)
{
	const struct imalog_export *export = follower->view->export;
	int rc;

	found->epoch = imalog_view_epoch(follower->view);
	found->moved = found->epoch != follower->epoch ||
		       strcmp(follower->boot_id, export->kernel.boot_id) != 0;
	if (follower->epoch && !export->epoch)
		return fail_store_gone(follower, error);
	rc = list_pieces(follower, found, error);
	if (rc == 0)
		rc = list_tails(follower, found, error);
	if (rc == 0)
		rc = follower->log ? compare(follower, found, error) : 0;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (follower->log && !found->moved)
		return imalog_fail_os(error, EIO,
				      "records that the log had are in neither store nor "
				      "kernel any more, or others are in their place");
	rc = start_log(follower, error);
	if (rc == 0)
		rc = compare(follower, found, error);
	return rc < 0 ? rc : 0;
}

int imalog_follow_take(struct imalog_follower *follower, struct imalog_error *error)
{
	uint64_t log = follower->log, size = follower->end.bytes;
	struct found found = { .nr = 0 };
	int rc;

	follower->last.valid = false;
	rc = imalog_view_take(follower->view, error);
	if (rc == 0)
		rc = look(follower, &found, error);
	if (rc == 0)
		rc = accept(follower, &found, error);
	for (size_t i = 0; i < found.nr_tails; i++)
		if (found.tails[i].opened)
			close(found.tails[i].fd);
	free(found.pieces);
	imalog_view_forget(follower->view);
	if (rc < 0)
		return rc;
	return follower->log != log || follower->end.bytes != size;
}
