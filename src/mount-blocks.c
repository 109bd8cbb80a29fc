// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What was read last, and a bit more of it
 *
 * Bytes of a log never change, so they can be kept as long as there is room.  Who reads on
 * where such a block ends gets a large one, and does not wait for the worker each time.
 */
#include <string.h>

#include "mount.h"

/* Bytes that are read at once for who reads on */
#define BLOCK ((size_t)512 << 10)

static const struct mount_block *find(const struct mount_blocks *blocks, uint64_t log,
				      const struct mount_file *file, uint64_t offset)
{
	for (size_t i = 0; i < MOUNT_BLOCKS; i++) {
		const struct mount_block *block = blocks->block[i];

		if (block && block->log == log && block->file == file &&
		    offset >= block->start && offset - block->start < block->size)
			return block;
	}
	return NULL;
}

size_t mount_blocks_read(struct mount_blocks *blocks, uint64_t log,
			 const struct mount_file *file, uint64_t offset, void *to, size_t size)
{
	const struct mount_block *block;
	size_t got = 0;

	pthread_mutex_lock(&blocks->lock);
	block = find(blocks, log, file, offset);
	if (block) {
		size_t skip = (size_t)(offset - block->start);

		got = block->size - skip < size ? block->size - skip : size;
		memcpy(to, block->bytes + skip, got);
	}
	pthread_mutex_unlock(&blocks->lock);
	return got;
}

size_t mount_blocks_size(struct mount_blocks *blocks, uint64_t log,
			 const struct mount_file *file, uint64_t offset, size_t size)
{
	bool goes_on;

	pthread_mutex_lock(&blocks->lock);
	goes_on = offset == 0 || find(blocks, log, file, offset - 1);
	pthread_mutex_unlock(&blocks->lock);
	return goes_on && size < BLOCK ? BLOCK : size;
}

void mount_blocks_put(struct mount_blocks *blocks, struct mount_block *block)
{
	struct mount_block *last;

	pthread_mutex_lock(&blocks->lock);
	last = blocks->block[blocks->next];
	blocks->block[blocks->next] = block;
	blocks->next = (blocks->next + 1) % MOUNT_BLOCKS;
	pthread_mutex_unlock(&blocks->lock);
	free(last);
}

void mount_blocks_free(struct mount_blocks *blocks)
{
	for (size_t i = 0; i < MOUNT_BLOCKS; i++)
		free(blocks->block[i]);
	memset(blocks->block, 0, sizeof(blocks->block));
}
