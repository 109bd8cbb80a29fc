// SPDX-License-Identifier: LGPL-2.1-or-later
/* Over the records of a log that is followed, from any place between two of them */
#include <stdlib.h>
#include <string.h>

#include "follow.h"

#define CHUNK ((size_t)64 << 10)

/* What is read and not yet taken apart */
struct window {
	uint64_t next; /* offset of the byte behind it */
	size_t from, to;
};

static int make_room(struct imalog_follower *follower, size_t size, struct imalog_error *error)
{
	uint8_t *grown;

	if (size <= follower->room)
		return 0;
	grown = realloc(follower->buffer, size);
	if (!grown)
		return imalog_fail_nomem(error);
	follower->buffer = grown;
	follower->room = size;
	return 0;
}

/* At least @size bytes in the window; 1, 0 when there are no more, or negative */
static int fill(struct imalog_follower *follower, const struct imalog_walk *walk,
		struct window *window, size_t size, struct imalog_error *error)
{
	size_t kept = window->to - window->from;
	int rc = make_room(follower, (size > CHUNK ? size : CHUNK) + CHUNK, error);

	if (rc < 0)
		return rc;
	memmove(follower->buffer, follower->buffer + window->from, kept);
	window->from = 0;
	window->to = kept;
	while (window->to < size || window->to < CHUNK) {
		uint64_t left = walk->end - window->next;
		size_t room = follower->room - window->to;

		rc = left == 0 ? 0 :
				 walk->read(walk->arg, window->next,
					    follower->buffer + window->to,
					    left < room ? (size_t)left : room, error);
		if (rc <= 0)
			break;
		window->next += (uint64_t)rc;
		window->to += (size_t)rc;
	}
	return rc < 0 ? rc : window->to >= size;
}

static int read_first(void *arg, uint8_t *to, size_t room, size_t *got,
		      struct imalog_error *error)
{
	struct imalog_span *left = arg;

	(void)error;
	*got = room < left->size ? room : left->size;
	memcpy(to, left->data, *got);
	left->data += *got;
	left->size -= *got;
	return 0;
}

/* The byte order of all records is that of the first that is seen. */
static int find_layout(struct imalog_follower *follower, struct imalog_span bytes,
		       struct imalog_error *error)
{
	struct imalog_source *source = imalog_source_from_call(read_first, &bytes, "list");
	struct imalog_reader *reader =
		source ? imalog_reader_new(source, follower->view->export->templates) : NULL;
	struct imalog_record *record;
	int rc = -IMALOG_ERR_NOMEM;

	if (reader) {
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, 20);
		rc = imalog_reader_next(reader, &record, error);
		follower->layout = reader->layout;
		follower->layout.digest_alg = IMALOG_ALG_SHA1;
		follower->has_layout = rc > 0;
	} else {
		imalog_fail_nomem(error);
	}
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	return rc < 0 ? rc : 0;
}

/* The record at the start of the window: 1, 0 at the end, or negative */
static int parse(struct imalog_follower *follower, const struct imalog_walk *walk,
		 struct window *window, struct imalog_record *record,
		 struct imalog_error *error)
{
	const char *part = "";
	size_t size = 0;
	int rc;

	for (;;) {
		struct imalog_span bytes = { follower->buffer + window->from,
					     window->to - window->from };

		rc = 0;
		if (bytes.size && !follower->has_layout)
			rc = find_layout(follower, bytes, error);
		if (rc == 0 && bytes.size)
			rc = imalog_kernel_parse(bytes, &follower->layout,
						 follower->view->export->templates, record,
						 &size, &part, error);
		if (rc != 0)
			break;
		rc = fill(follower, walk, window, size > bytes.size ? size : bytes.size + 1,
			  error);
		if (rc == 0 && bytes.size)
			rc = imalog_fail(error, IMALOG_ERR_TRUNCATED, part,
					 "the record ends behind %zu bytes", bytes.size);
		if (rc <= 0)
			return rc;
	}
	return rc;
}

int imalog_follow_walk(struct imalog_follower *follower, const struct imalog_walk *walk,
		       struct imalog_mark *at, struct imalog_error *error)
{
	struct window window = { .next = at->bytes };
	struct imalog_record record;
	int rc = 0;

	memset(&record, 0, sizeof(record));
	record.format = IMALOG_FORMAT_KERNEL;
	while (rc == 0 && at->bytes < walk->end) {
		record.number = at->records + 1;
		record.offset = at->bytes;
		rc = parse(follower, walk, &window, &record, error);
		if (rc < 0)
			imalog_error_set_record(error, record.number, record.offset);
		if (rc <= 0)
			break;
		window.from += record.raw.size;
		at->records++;
		at->bytes += record.raw.size;
		rc = walk->put(walk->arg, &record, at, error);
	}
	return rc < 0 ? rc : 0;
}

/* ---- a record in one of its shapes ---- */

static int take_text(void *arg, const void *data, size_t size)
{
	imalog_buffer_add(arg, data, size);
	return 0;
}

static struct imalog_writer *writer_of(struct imalog_follower *follower,
				       const struct imalog_shape *shape,
				       struct imalog_error *error)
{
	struct imalog_writer **writer =
		&follower->writers[shape->ascii][shape->alg][shape->padded];

	if (*writer)
		return *writer;
	*writer = imalog_writer_new(shape->ascii ? IMALOG_FORMAT_ASCII : IMALOG_FORMAT_KERNEL,
				    follower->layout.order, take_text, &follower->text);
	if (!*writer) {
		imalog_fail_nomem(error);
		return NULL;
	}
	(*writer)->pads = shape->padded;
	if (shape->alg != IMALOG_ALG_SHA1 &&
	    imalog_writer_set_digest(*writer, shape->alg, error) < 0)
		imalog_writer_free(writer);
	return *writer;
}

int imalog_follow_write(struct imalog_follower *follower, const struct imalog_shape *shape,
			const struct imalog_record *record, struct imalog_error *error)
{
	struct imalog_writer *writer = writer_of(follower, shape, error);
	int rc;

	if (!writer)
		return -IMALOG_ERR_NOMEM;
	follower->text.size = 0;
	rc = imalog_writer_put(writer, record, error);
	return rc == 0 && follower->text.failed ? imalog_fail_nomem(error) : rc;
}

/* ---- counting ---- */

struct counting {
	struct imalog_follower *follower;
	const struct imalog_follow_scan *scan;
};

static int read_file(void *arg, uint64_t at, uint8_t *to, size_t size,
		     struct imalog_error *error)
{
	const struct counting *counting = arg;
	int rc = imalog_follow_pread(counting->scan->fd, at - counting->scan->start, to, size,
				     error);

	return rc < 0 ? rc : (int)size;
}

/* Adds the text of a record, where it is known. */
static void count_text(struct imalog_follower *follower, const struct imalog_record *record,
		       struct imalog_mark *at)
{
	static const struct imalog_shape ascii = { .ascii = true, .alg = IMALOG_ALG_SHA1 };

	if (at->ascii == IMALOG_ASCII_UNKNOWN)
		return;
	if (imalog_follow_write(follower, &ascii, record, NULL) < 0)
		at->ascii = IMALOG_ASCII_UNKNOWN;
	else
		at->ascii += follower->text.size;
}

static int count_record(void *arg, const struct imalog_record *record, struct imalog_mark *at,
			struct imalog_error *error)
{
	const struct counting *counting = arg;
	int rc = 0;

	count_text(counting->follower, record, at);
	if (counting->scan->marks && at->records % IMALOG_MARK_SPACE == 0)
		rc = imalog_follow_mark(counting->follower, at, error);
	return rc < 0 ? rc : at->records == counting->scan->stop;
}

int imalog_follow_scan(struct imalog_follower *follower, const struct imalog_follow_scan *scan,
		       struct imalog_mark *at, struct imalog_error *error)
{
	struct counting counting = { follower, scan };
	const struct imalog_walk walk = { read_file, count_record, &counting, scan->end };

	return imalog_follow_walk(follower, &walk, at, error);
}
