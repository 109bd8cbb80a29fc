// SPDX-License-Identifier: LGPL-2.1-or-later
/* Merging: the pieces, and from them to one log in a few steps, each in a file of its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "merge-engine.h"

struct imalog_merge *imalog_merge_new(const struct imalog_templates *templates)
{
	struct imalog_merge *merge = calloc(1, sizeof(*merge));

	if (!merge)
		return NULL;
	merge->templates = templates;
	merge->work_max = IMALOG_WORK_MAX;
	return merge;
}

void imalog_merge_free(struct imalog_merge **ptr)
{
	struct imalog_merge *merge = ptr ? *ptr : NULL;

	if (!merge)
		return;
	for (size_t i = 0; i < merge->nr; i++)
		free(merge->pieces[i].name);
	free(merge->pieces);
	free(merge->items);
	imalog_receipts_free(merge);
	imalog_plan_forget(merge);
	imalog_notes_free(&merge->notes);
	imalog_notes_free(&merge->candidates);
	free(merge);
	*ptr = NULL;
}

/* ---- what is to be done ---- */

void imalog_merge_set_reading(struct imalog_merge *merge, enum imalog_format format,
			      enum imalog_order order, size_t digest_size)
{
	merge->format = format;
	merge->order = order;
	merge->digest_size = digest_size;
}

void imalog_merge_set_epoch(struct imalog_merge *merge, uint64_t epoch)
{
	merge->epoch = epoch;
}

void imalog_merge_set_anchor(struct imalog_merge *merge, imalog_prepare_fn fn, void *arg)
{
	merge->prepare = fn;
	merge->prepare_arg = arg;
}

void imalog_merge_set_quote(struct imalog_merge *merge, struct imalog_quote *quote,
			    const struct imalog_pcrs *others)
{
	merge->quote = quote;
	merge->others = others;
}

void imalog_merge_set_output(struct imalog_merge *merge, enum imalog_format format,
			     enum imalog_order order, imalog_write_fn write,
			     imalog_restart_fn restart, void *arg)
{
	merge->to = format;
	merge->to_order = order;
	merge->write = write;
	merge->restart = restart;
	merge->write_arg = arg;
}

void imalog_merge_set_sequence(struct imalog_merge *merge)
{
	merge->sequence = true;
}

void imalog_merge_on_record(struct imalog_merge *merge, imalog_record_fn fn, void *arg)
{
	merge->on_record = fn;
	merge->record_arg = arg;
}

/* ---- pieces ---- */

static int add_piece(struct imalog_merge *merge, struct imalog_piece piece,
		     struct imalog_error *error)
{
	struct imalog_piece *pieces;
	struct imalog_item *items;

	pieces = reallocarray(merge->pieces, merge->nr + 1, sizeof(*pieces));
	if (pieces)
		merge->pieces = pieces;
	items = reallocarray(merge->items, merge->nr + 1, sizeof(*items));
	if (items)
		merge->items = items;
	piece.name = strdup(piece.name);
	if (!pieces || !items || !piece.name) {
		free(piece.name);
		return imalog_fail_nomem(error);
	}
	pieces[merge->nr] = piece;
	items[merge->nr++] = (struct imalog_item){ .receipt = piece.receipt,
						   .set = IMALOG_NOWHERE,
						   .twin = IMALOG_NOWHERE,
						   .prev = IMALOG_NOWHERE,
						   .next = IMALOG_NOWHERE };
	return 0;
}

/* Its size is how its receipt is found. */
static int look_at(struct imalog_merge *merge, size_t piece, struct imalog_error *error)
{
	struct imalog_piece *p = &merge->pieces[piece];
	struct stat st;
	int fd = -1, rc = p->open(p->arg, p->i, &fd, error);

	if (rc == 0 && fstat(fd, &st) != 0)
		rc = imalog_fail_errno(error, errno, "cannot look at it");
	else if (rc == 0 && !S_ISREG(st.st_mode))
		rc = imalog_fail(error, IMALOG_ERR_INVALID, "", "it is not a regular file");
	if (rc == 0)
		merge->items[piece].bytes = (uint64_t)st.st_size;
	if (fd >= 0)
		close(fd);
	imalog_error_set_source(rc < 0 ? error : NULL, p->name);
	return rc;
}

static int open_path(void *arg, size_t i, int *fd, struct imalog_error *error)
{
	const struct imalog_merge *merge = arg;

	*fd = open(merge->pieces[i].name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return *fd < 0 ? imalog_fail_errno(error, errno, "cannot open") : 0;
}

/* A descriptor of its own, but of the same open file: they have one position. */
static int open_fd(void *arg, size_t i, int *fd, struct imalog_error *error)
{
	int rc;

	(void)arg;
	*fd = fcntl((int)i, F_DUPFD_CLOEXEC, 0);
	if (*fd >= 0 && lseek(*fd, 0, SEEK_SET) == 0)
		return 0;
	rc = imalog_fail_errno(error, errno, "cannot read it from its start");
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rc;
}

int imalog_merge_add_file(struct imalog_merge *merge, const char *path,
			  struct imalog_error *reterr)
{
	struct imalog_piece piece = {
		.name = (char *)path, .open = open_path, .arg = merge, .i = merge->nr
	};
	int rc = add_piece(merge, piece, reterr);

	return rc < 0 ? rc : look_at(merge, merge->nr - 1, reterr);
}

int imalog_merge_add_fd(struct imalog_merge *merge, int fd, const char *name,
			struct imalog_error *reterr)
{
	struct imalog_piece piece = { .name = (char *)name, .open = open_fd, .i = (size_t)fd };
	int rc = add_piece(merge, piece, reterr);

	return rc < 0 ? rc : look_at(merge, merge->nr - 1, reterr);
}

int imalog_merge_add_plan(struct imalog_merge *merge, const struct imalog_plan *plan,
			  uint64_t epoch, struct imalog_error *reterr)
{
	size_t first = merge->nr;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < plan->nr_parts; i++) {
		size_t at = merge->nr;

		rc = add_piece(merge, plan->pieces[plan->parts[i].piece], reterr);
		if (rc == 0)
			rc = look_at(merge, at, reterr);
		if (rc == 0)
			merge->items[at].machine = true;
		if (rc < 0 || i == 0 || !merge->pieces[at].follows)
			continue;
		merge->items[at].follows = true;
		merge->items[at].prev = at - 1;
		merge->items[at].skip = plan->parts[i].skip;
	}
	return rc < 0 ? rc : imalog_receipts_of_plan(merge, first, epoch, reterr);
}

int imalog_merge_add_receipts(struct imalog_merge *merge, const char *path,
			      struct imalog_error *reterr)
{
	return imalog_receipts_load(merge, path, reterr);
}

/* ---- reading a piece ---- */

int imalog_piece_read(const struct imalog_merge *merge, size_t piece, uint64_t first,
		      struct imalog_piece_reader *ret, struct imalog_error *error)
{
	const struct imalog_piece *p = &merge->pieces[piece];
	const struct imalog_item *item = &merge->items[piece];
	bool stored = item->machine || (item->receipt && !item->other_form);
	int rc;

	*ret = (struct imalog_piece_reader){ .fd = -1 };
	rc = p->open(p->arg, p->i, &ret->fd, error);
	if (rc < 0) {
		ret->fd = -1;
		imalog_error_set_source(error, p->name);
		return rc;
	}
	ret->source = imalog_source_from_fd(ret->fd, p->name);
	if (ret->source)
		ret->reader = imalog_reader_new(ret->source, merge->templates);
	if (!ret->reader) {
		imalog_piece_done(ret);
		return imalog_fail_nomem(error);
	}
	/* The store has lists of SHA-1 digests, whatever else the kernel has. */
	imalog_reader_set_format(ret->reader, stored ? IMALOG_FORMAT_KERNEL : merge->format);
	imalog_reader_set_order(ret->reader, merge->order);
	imalog_reader_set_digest_size(ret->reader, stored ? 20 : merge->digest_size);
	imalog_reader_set_first_record(ret->reader, first);
	return 0;
}

void imalog_piece_done(struct imalog_piece_reader *reader)
{
	imalog_reader_free(&reader->reader);
	imalog_source_free(&reader->source);
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
}
