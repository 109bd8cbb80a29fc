// SPDX-License-Identifier: LGPL-2.1-or-later
/* Bytes at offsets of a log that is followed, in the shape of any of the kernel's lists */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "follow.h"

int imalog_follow_pread(int fd, uint64_t at, uint8_t *to, size_t size,
			struct imalog_error *error)
{
	while (size) {
		ssize_t got = pread(fd, to, size, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return imalog_fail_errno(error, errno, "cannot read the log");
		if (got == 0)
			return imalog_fail_os(error, EIO,
					      "the log ends at byte %" PRIu64
					      " of a file where it was longer",
					      at);
		at += (uint64_t)got;
		to += got;
		size -= (size_t)got;
	}
	return 0;
}

/* By its path and for a moment, so that its disk may go and come back. */
static int open_segment(const struct imalog_follower *follower, uint64_t number, int *ret,
			struct imalog_error *error)
{
	struct imalog_epoch epoch = { .number = follower->epoch };
	char *path, name[32];

	imalog_epoch_name(epoch.number, name);
	if (asprintf(&path, "%s/%s", follower->view->export->store_path, name) < 0)
		return imalog_fail_nomem(error);
	epoch.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (epoch.dir < 0) {
		int rc = imalog_fail_errno(error, errno, "cannot open the epoch");

		imalog_error_set_source(error, path);
		free(path);
		return rc;
	}
	free(path);
	*ret = imalog_segment_open_any(&epoch, number, error);
	close(epoch.dir);
	return *ret < 0 ? *ret : 0;
}

static const struct imalog_follow_piece *piece_at(const struct imalog_follower *follower,
						  uint64_t at)
{
	size_t low = 0, high = follower->nr_pieces;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (follower->pieces[middle].start.bytes <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return &follower->pieces[low - 1];
}

static int read_segment(const struct imalog_follower *follower, uint64_t at, uint8_t *to,
			size_t size, struct imalog_error *error)
{
	const struct imalog_follow_piece *piece = piece_at(follower, at);
	uint64_t in = at - piece->start.bytes;
	int fd = -1, rc = open_segment(follower, piece->segment, &fd, error);

	if (rc < 0)
		return rc;
	if (size > piece->bytes - in)
		size = (size_t)(piece->bytes - in);
	rc = imalog_follow_pread(fd, piece->skip_bytes + in, to, size, error);
	close(fd);
	return rc < 0 ? rc : (int)size;
}

int imalog_follow_bytes(struct imalog_follower *follower, uint64_t at, uint8_t *to,
			size_t size, struct imalog_error *error)
{
	int rc;

	if (at >= follower->end.bytes)
		return 0;
	if (size > INT_MAX)
		size = INT_MAX;
	if (size > follower->end.bytes - at)
		size = (size_t)(follower->end.bytes - at);
	if (at < follower->settled.bytes)
		return read_segment(follower, at, to, size, error);
	rc = imalog_follow_pread(follower->memory, at, to, size, error);
	return rc < 0 ? rc : (int)size;
}

/* ---- the shape of another list ---- */

struct reading {
	struct imalog_follower *follower;
	const struct imalog_shape *shape;
	uint64_t offset; /* of the text that comes next, before what is wanted or in it */
	uint64_t wanted;
	uint8_t *to;
	size_t size, got;
	struct imalog_mark last; /* before the record that was not wanted as a whole */
};

static int read_bytes(void *arg, uint64_t at, uint8_t *to, size_t size,
		      struct imalog_error *error)
{
	struct reading *reading = arg;

	return imalog_follow_bytes(reading->follower, at, to, size, error);
}

/* The part of a record's text that is wanted */
static void copy_text(struct reading *reading, struct imalog_span text)
{
	uint64_t skip = 0;
	size_t size;

	if (reading->wanted > reading->offset)
		skip = reading->wanted - reading->offset;
	if (skip >= text.size)
		return;
	size = text.size - (size_t)skip;
	if (size > reading->size - reading->got)
		size = reading->size - reading->got;
	memcpy(reading->to + reading->got, text.data + skip, size);
	reading->got += size;
	reading->wanted += size;
}

static int put_record(void *arg, const struct imalog_record *record, struct imalog_mark *at,
		      struct imalog_error *error)
{
	struct reading *reading = arg;
	struct imalog_follower *follower = reading->follower;
	int rc = imalog_follow_write(follower, reading->shape, record, error);

	if (rc < 0)
		return rc;
	copy_text(reading, (struct imalog_span){ follower->text.data, follower->text.size });
	reading->offset += follower->text.size;
	if (!reading->shape->ascii)
		at->ascii = IMALOG_ASCII_UNKNOWN;
	else
		at->ascii += follower->text.size -
			     2 * (imalog_alg_size(reading->shape->alg) - 20);
	rc = imalog_follow_check(follower, at, error);
	if (rc == 0 && at->records % IMALOG_MARK_SPACE == 0 && reading->shape->ascii)
		rc = imalog_follow_mark(follower, at, error);
	if (rc == 0 && reading->offset <= reading->wanted)
		reading->last = *at;
	return rc < 0 ? rc : reading->got == reading->size;
}

static int read_shape(struct imalog_follower *follower, const struct imalog_shape *shape,
		      uint64_t offset, uint8_t *to, size_t size, size_t *got,
		      struct imalog_error *error)
{
	struct imalog_mark at = imalog_follow_find(follower, shape, offset);
	struct reading reading = { .follower = follower, .shape = shape, .wanted = offset,
				   .to = to, .size = size, .last = at };
	const struct imalog_walk walk = { read_bytes, put_record, &reading,
					  follower->end.bytes };
	int rc;

	imalog_mark_offset(&at, shape, &reading.offset);
	rc = imalog_follow_walk(follower, &walk, &at, error);
	/* What was read until then is as good as ever. */
	if (rc < 0 && reading.got == 0)
		return rc;
	imalog_follow_remember(follower, &reading.last);
	*got = reading.got;
	return 0;
}

static int check_shape(const struct imalog_shape *shape, struct imalog_error *error)
{
	if (imalog_alg_size(shape->alg) >= imalog_alg_size(IMALOG_ALG_SHA1))
		return 0;
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "no list has digests of algorithm %d", (int)shape->alg);
}

int imalog_follower_read(struct imalog_follower *follower, const struct imalog_shape *shape,
			 uint64_t offset, void *to, size_t size, size_t *got,
			 struct imalog_error *reterr)
{
	uint64_t end;
	int rc = check_shape(shape, reterr);

	if (rc < 0)
		return rc;
	if (shape->ascii || shape->alg != IMALOG_ALG_SHA1) {
		*got = 0;
		if (size == 0 ||
		    (imalog_mark_offset(&follower->end, shape, &end) && offset >= end))
			return 0;
		return read_shape(follower, shape, offset, to, size, got, reterr);
	}
	rc = imalog_follow_bytes(follower, offset, to, size, reterr);
	if (rc >= 0)
		*got = (size_t)rc;
	return rc < 0 ? rc : 0;
}

int imalog_follower_size(const struct imalog_follower *follower,
			 const struct imalog_shape *shape, uint64_t *ret,
			 struct imalog_error *reterr)
{
	int rc = check_shape(shape, reterr);

	if (rc == 0 && !imalog_mark_offset(&follower->end, shape, ret))
		rc = imalog_fail(reterr, IMALOG_ERR_UNSUPPORTED, "template name",
				 "the log has one whose fields are not known, so there is no "
				 "text for them");
	return rc;
}
