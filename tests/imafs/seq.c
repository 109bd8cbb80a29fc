// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reads as seq_file of the kernel makes them (fs/seq_file.c, seq_read_iter() and
 * traverse())
 *
 * A read returns whole records, as many as fit into a buffer of one page; the buffer is
 * doubled for a larger record and stays so.  What a small read left over is kept. Between
 * reads only the number of the next record is remembered: when the list has lost records
 * since, others are skipped.  When the position is not where the last read ended, the
 * list is walked from its head.
 */
#include <stdlib.h>
#include <string.h>

#include "imafs.h"

static void seq_resize(struct seq *seq, size_t item)
{
	size_t room = seq->room ? seq->room : KERNEL_PAGE;

	/* A buffer that is full counts as too small */
	while (item >= room)
		room *= 2;
	if (room == seq->room)
		return;
	free(seq->data);
	seq->data = xcalloc(1, room);
	seq->room = room;
}

static void seq_fill(struct seq *seq, const struct buf *item)
{
	memcpy(seq->data + seq->count, item->data, item->size);
	seq->count += item->size;
}

static void seq_walk(struct seq *seq, const void *list, seq_show show, uint64_t offset)
{
	struct buf item = { 0 };
	uint64_t pos = 0;

	seq->index = 0;
	seq->count = seq->from = 0;
	while (pos < offset && show(list, seq->index, &item)) {
		seq->index++;
		if (pos + item.size > offset) {
			seq_resize(seq, item.size);
			seq_fill(seq, &item);
			seq->from = (size_t)(offset - pos);
			seq->count -= seq->from;
			break;
		}
		pos += item.size;
		item.size = 0;
	}
	seq->read_pos = offset;
	buf_free(&item);
}

/* Fills the buffer from record @seq->index on, for a reader who wants @size bytes. */
static void seq_load(struct seq *seq, const void *list, seq_show show, size_t size)
{
	struct buf item = { 0 };

	seq->from = seq->count = 0;
	if (show(list, seq->index, &item)) {
		seq_resize(seq, item.size);
		seq_fill(seq, &item);
		seq->index++;
	}
	while (seq->count && seq->count < size) {
		item.size = 0;
		if (!show(list, seq->index, &item) || seq->count + item.size >= seq->room)
			break;
		seq_fill(seq, &item);
		seq->index++;
	}
	buf_free(&item);
}

static size_t seq_copy(struct seq *seq, uint8_t *out, size_t size)
{
	size_t count = seq->count < size ? seq->count : size;

	if (count)
		memcpy(out, seq->data + seq->from, count);
	seq->from += count;
	seq->count -= count;
	return count;
}

size_t seq_read(struct seq *seq, const void *list, seq_show show, uint64_t pos,
		uint8_t *out, size_t size)
{
	size_t copied;

	if (pos == 0)
		seq->index = seq->count = 0;
	if (pos != seq->read_pos)
		seq_walk(seq, list, show, pos);
	copied = seq_copy(seq, out, size);
	/* Even when nothing more is wanted: then a record stays in the buffer */
	if (seq->count == 0) {
		seq_load(seq, list, show, size - copied);
		copied += seq_copy(seq, out + copied, size - copied);
	}
	seq->read_pos = pos + copied;
	return copied;
}
