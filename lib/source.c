// SPDX-License-Identifier: LGPL-2.1-or-later
/* Bytes from a descriptor, memory or a function, seen through a window that slides forward. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define BLOCK_SIZE ((size_t)128 << 10)

struct imalog_source {
	char *name;
	int fd; /* -1: a function, or memory */
	int (*call)(void *arg, uint8_t *to, size_t room, size_t *got,
		    struct imalog_error *error);
	void *arg;
	struct imalog_span memory;
	uint64_t offset;
};

static struct imalog_source *source_new(const char *name)
{
	struct imalog_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->name = strdup(name);
	if (!source->name) {
		free(source);
		return NULL;
	}
	source->fd = -1;
	return source;
}

struct imalog_source *imalog_source_from_fd(int fd, const char *name)
{
	struct imalog_source *source = source_new(name);

	if (source)
		source->fd = fd;
	return source;
}

struct imalog_source *imalog_source_from_memory(const void *data, size_t size, const char *name)
{
	struct imalog_source *source = source_new(name);

	if (source)
		source->memory = (struct imalog_span){ data, size };
	return source;
}

struct imalog_source *imalog_source_from_call(int (*call)(void *arg, uint8_t *to, size_t room,
							  size_t *got,
							  struct imalog_error *error),
					      void *arg, const char *name)
{
	struct imalog_source *source = source_new(name);

	if (source) {
		source->call = call;
		source->arg = arg;
	}
	return source;
}

void imalog_source_free(struct imalog_source **source)
{
	if (!source || !*source)
		return;
	free((*source)->name);
	free(*source);
	*source = NULL;
}

uint64_t imalog_source_offset(const struct imalog_source *source)
{
	return source->offset;
}

const char *imalog_source_name(const struct imalog_source *source)
{
	return source->name;
}

/* Up to @room bytes; *@got is 0 only at the end. */
static int source_read(struct imalog_source *source, uint8_t *to, size_t room, size_t *got,
		       struct imalog_error *error)
{
	ssize_t n;
	int rc;

	if (source->call) {
		rc = source->call(source->arg, to, room, got, error);
		if (rc < 0)
			return rc;
	} else if (source->fd < 0) {
		*got = source->memory.size < room ? source->memory.size : room;
		if (*got > 0) {
			memcpy(to, source->memory.data, *got);
			source->memory.data += *got;
			source->memory.size -= *got;
		}
	} else {
		do
			n = read(source->fd, to, room);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return imalog_fail_errno(error, errno, "cannot read");
		*got = (size_t)n;
	}
	source->offset += *got;
	return 0;
}

/* ---- arena ---- */

static struct imalog_block *block_new(struct imalog_arena *arena, size_t size)
{
	struct imalog_block *block = arena->spare;

	if (block && block->size >= size) {
		arena->spare = NULL;
	} else {
		if (size < BLOCK_SIZE)
			size = BLOCK_SIZE;
		block = malloc(sizeof(*block) + size);
		if (!block)
			return NULL;
		block->size = size;
	}
	block->next = NULL;
	block->used = 0;
	block->last_record = 0;
	return block;
}

uint8_t *imalog_arena_room(struct imalog_arena *arena, size_t size)
{
	struct imalog_block *block = arena->newest;

	if (block && block->size - block->used >= size)
		return block->data + block->used;
	block = block_new(arena, size);
	if (!block)
		return NULL;
	if (arena->newest)
		arena->newest->next = block;
	else
		arena->oldest = block;
	arena->newest = block;
	return block->data;
}

void imalog_arena_take(struct imalog_arena *arena, size_t size)
{
	arena->newest->used += size;
}

/* What a record took since the last mark may be in several blocks. */
void imalog_arena_mark(struct imalog_arena *arena, uint64_t record)
{
	struct imalog_block *block = arena->marked ? arena->marked : arena->oldest;

	for (; block; block = block->next)
		block->last_record = record;
	arena->marked = arena->newest;
}

/* One block of the usual size is kept for reuse; the newest is always kept. */
static void block_drop(struct imalog_arena *arena, struct imalog_block *block)
{
	if (!arena->spare && block->size == BLOCK_SIZE)
		arena->spare = block;
	else
		free(block);
}

void imalog_arena_release(struct imalog_arena *arena, uint64_t upto)
{
	while (arena->oldest != arena->newest && arena->oldest->last_record <= upto) {
		struct imalog_block *next = arena->oldest->next;

		if (arena->marked == arena->oldest)
			arena->marked = next;
		block_drop(arena, arena->oldest);
		arena->oldest = next;
	}
}

void imalog_arena_free(struct imalog_arena *arena)
{
	while (arena->oldest) {
		struct imalog_block *next = arena->oldest->next;

		free(arena->oldest);
		arena->oldest = next;
	}
	free(arena->spare);
	arena->newest = NULL;
	arena->marked = NULL;
	arena->spare = NULL;
}

/* ---- window ---- */

static size_t available(const struct imalog_window *window)
{
	return window->arena.newest ? window->arena.newest->used - window->start : 0;
}

/* Moves what is not consumed to the front of a block that holds @size bytes. */
static int window_move(struct imalog_window *window, size_t size, struct imalog_error *error)
{
	struct imalog_block *from = window->arena.newest;
	size_t keep = available(window);
	uint8_t *to;

	if (from && from->last_record == 0 && from->size >= size) {
		memmove(from->data, from->data + window->start, keep);
		from->used = keep;
	} else {
		if (from)
			from->used = from->size; /* no room left: forces a new block */
		to = imalog_arena_room(&window->arena, size);
		if (!to)
			return imalog_fail_nomem(error);
		if (keep > 0)
			memcpy(to, from->data + window->start, keep);
		imalog_arena_take(&window->arena, keep);
	}
	window->start = 0;
	return 0;
}

int imalog_window_need(struct imalog_window *window, size_t size, struct imalog_error *error)
{
	while (available(window) < size && !window->ended) {
		struct imalog_block *block = window->arena.newest;
		size_t got = 0;
		int rc;

		if (!block || block->used == block->size) {
			/* Twice what is there, not @size: a length that lies costs no memory. */
			size_t room = 2 * available(window);

			rc = window_move(window, room < BLOCK_SIZE ? BLOCK_SIZE : room, error);
			if (rc < 0)
				return rc;
			block = window->arena.newest;
		}
		rc = source_read(window->source, block->data + block->used,
				 block->size - block->used, &got, error);
		if (rc < 0)
			return rc;
		block->used += got;
		window->ended = got == 0;
	}
	return 0;
}

struct imalog_span imalog_window_span(const struct imalog_window *window)
{
	struct imalog_block *block = window->arena.newest;

	if (!block)
		return (struct imalog_span){ NULL, 0 };
	return (struct imalog_span){ block->data + window->start, available(window) };
}

void imalog_window_advance(struct imalog_window *window, size_t size)
{
	window->start += size;
	window->offset += size;
}
