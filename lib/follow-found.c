// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a view of the machine has of a log that is followed, and whether it is that log
 *
 * Segments that were there must still be, and what follows them must have the bytes that were
 * seen.  Where the view is in doubt whether records come once or twice, it goes as far as both
 * are the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "follow.h"

#define CHUNK ((size_t)32 << 10)

static uint64_t size_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* ---- how much they have ---- */

/* Without the records that come before: where those end in the file */
static int skip_records(struct imalog_follower *follower, int fd, uint64_t skip, uint64_t *ret,
			struct imalog_error *error)
{
	const struct imalog_follow_scan scan = { .fd = fd, .end = size_of(fd), .stop = skip };
	struct imalog_mark at = { 0, 0, IMALOG_ASCII_UNKNOWN };
	int rc = skip ? imalog_follow_scan(follower, &scan, &at, error) : 0;

	*ret = at.bytes;
	return rc;
}

static const struct imalog_receipt *receipt_of(const struct imalog_view *view,
					       uint64_t segment)
{
	for (size_t i = 0; i < view->nr_receipts; i++)
		if (view->receipts[i] && view->receipts[i]->segment == segment)
			return view->receipts[i];
	return NULL;
}

/* From its start to its end: by the receipt, if it is of this file */
static int measure(struct imalog_follower *follower, int fd, struct imalog_follow_piece *piece,
		   struct imalog_mark *end, struct imalog_error *error)
{
	const struct imalog_receipt *receipt = receipt_of(follower->view, piece->segment);
	struct imalog_follow_scan scan = { .fd = fd };
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
	scan.end = piece->start.bytes + piece->bytes;
	return imalog_follow_scan(follower, &scan, end, error);
}

/* ---- which files ---- */

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
		if (i < last &&
		    export->epoch->segments[i].number == export->pending[0]->segment)
			last = i;
	return last;
}

static int list_pieces(const struct imalog_follower *follower, struct imalog_found *found,
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

static void add_tail(struct imalog_found *found, int fd, bool opened, uint64_t from)
{
	found->tails[found->nr_tails++] = (struct imalog_follow_tail){
		.fd = fd, .opened = opened, .from = from, .size = size_of(fd) - from
	};
}

/* Behind the pieces, in this order */
static int list_tails(struct imalog_follower *follower, struct imalog_found *found,
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

int imalog_found_list(struct imalog_follower *follower, struct imalog_found *found,
		      struct imalog_error *error)
{
	int rc = list_pieces(follower, found, error);

	return rc < 0 ? rc : list_tails(follower, found, error);
}

void imalog_found_close(struct imalog_found *found)
{
	for (size_t i = 0; i < found->nr_tails; i++)
		if (found->tails[i].opened)
			close(found->tails[i].fd);
	free(found->pieces);
}

/* ---- is it what is known? ---- */

/* Has a file, from @from on, the bytes that the log has from @at on?  1, 0, or negative */
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
static int compare_pieces(struct imalog_follower *follower, struct imalog_found *found,
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

int imalog_found_compare(struct imalog_follower *follower, struct imalog_found *found,
			 struct imalog_error *error)
{
	int rc = compare_pieces(follower, found, error);

	found->list_start = found->size = found->end.bytes;
	for (size_t i = 0; rc == 1 && i < found->nr_tails; i++) {
		struct imalog_follow_tail *tail = &found->tails[i];

		tail->start = found->list_start = found->size;
		found->size += tail->size;
		rc = has_bytes(follower, tail->fd, tail->from, tail->start, tail->size, error);
	}
	if (rc == 1 && !found->stops && found->size < follower->end.bytes)
		return 0;
	return rc;
}
