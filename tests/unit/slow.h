/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * read(2) as the kernel's lists have it, only worse: a few bytes at a time, now and then
 * interrupted.  The program is linked with -Wl,--wrap=read.
 */
#ifndef TEST_SLOW_H
#define TEST_SLOW_H

#include <unistd.h>

#include "test.h"

/* A descriptor that is none: its bytes are in memory, since a million of reads take time.
 */
#define SLOW_FD 100000

static struct {
	struct imalog_span bytes;
	size_t at;
	size_t chunk;	/* bytes that a read gives, 0: as many as wanted */
	int interrupts; /* how often EINTR comes before each read */
	int fail_errno; /* what fails... */
	size_t fail_at; /* ...when that many bytes have been read */
	uint64_t reads;
	int pending;
} slow;

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);

ssize_t __wrap_read(int fd, void *to, size_t size)
{
	if (fd != SLOW_FD)
		return __real_read(fd, to, size);
	if (slow.pending < slow.interrupts) {
		slow.pending++;
		errno = EINTR;
		return -1;
	}
	slow.pending = 0;
	slow.reads++;
	if (slow.fail_errno && slow.at >= slow.fail_at) {
		errno = slow.fail_errno;
		return -1;
	}
	if (slow.chunk && size > slow.chunk)
		size = slow.chunk;
	if (size > slow.bytes.size - slow.at)
		size = slow.bytes.size - slow.at;
	if (size)
		memcpy(to, slow.bytes.data + slow.at, size);
	slow.at += size;
	return (ssize_t)size;
}

/* A source whose reads give @chunk bytes at most */
static inline struct imalog_source *slow_source(struct imalog_span bytes, size_t chunk)
{
	memset(&slow, 0, sizeof(slow));
	slow.bytes = bytes;
	slow.chunk = chunk;
	return imalog_source_from_fd(SLOW_FD, "slow");
}

#endif /* TEST_SLOW_H */
