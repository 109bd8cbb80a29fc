/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share: what must hold, bytes that are written and compared, a
 * descriptor that gives little at a time, and memory that runs out.  The targets that
 * include it are linked with --wrap for read and the functions that allocate.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define FUZZ_FN static __attribute__((unused))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

FUZZ_FN __attribute__((noreturn)) void fuzz_broken(const char *file, int line,
						   const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

/* An invariant; the input that breaks it is a crash. */
#define MUST(condition) \
	((condition) ? (void)0 : fuzz_broken(__FILE__, __LINE__, #condition))

/* ---- memory ---- */

/* Calls until one fails, once; 0: none does. */
static size_t fuzz_allocs_left;

FUZZ_FN bool fuzz_alloc_fails(void)
{
	return fuzz_allocs_left && --fuzz_allocs_left == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);

void *__wrap_malloc(size_t size)
{
	return fuzz_alloc_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fuzz_alloc_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fuzz_alloc_fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return fuzz_alloc_fails() ? NULL : __real_reallocarray(old, n, size);
}

FUZZ_FN void *fuzz_alloc(size_t size)
{
	void *data = __real_malloc(size ? size : 1);

	MUST(data);
	return data;
}

/* A copy of exactly its size, so that the sanitizer sees a read beyond it. */
FUZZ_FN struct imalog_span fuzz_copy(struct imalog_span span)
{
	uint8_t *data = fuzz_alloc(span.size);

	if (span.size)
		memcpy(data, span.data, span.size);
	return (struct imalog_span){ data, span.size };
}

FUZZ_FN void fuzz_free(struct imalog_span span)
{
	free((void *)(uintptr_t)span.data);
}

/* ---- bytes ---- */

/* For imalog_writer_new(): appends to a struct imalog_buffer. */
FUZZ_FN int fuzz_append(void *arg, const void *data, size_t size)
{
	imalog_buffer_add(arg, data, size);
	return 0;
}

FUZZ_FN struct imalog_span fuzz_span(const struct imalog_buffer *buffer)
{
	return (struct imalog_span){ buffer->data, buffer->size };
}

FUZZ_FN bool fuzz_inside(struct imalog_span inner, struct imalog_span outer)
{
	return inner.size == 0 ||
	       (inner.data >= outer.data && inner.size <= outer.size &&
		(size_t)(inner.data - outer.data) <= outer.size - inner.size);
}

FUZZ_FN uint64_t fuzz_hash(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

/* ---- a descriptor ---- */

/* One that is never open: reads of it get what is in fuzz_pipe. */
#define FUZZ_FD 0x7ffffff0

static struct {
	struct imalog_span left;
	size_t at_once;
	bool interrupts; /* every other read fails with EINTR */
	bool pending;
	bool fails; /* with EIO at the end, instead of ending */
} fuzz_pipe;

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);

ssize_t __wrap_read(int fd, void *to, size_t size)
{
	if (fd != FUZZ_FD)
		return __real_read(fd, to, size);
	fuzz_pipe.pending = fuzz_pipe.interrupts && !fuzz_pipe.pending;
	if (fuzz_pipe.pending || (fuzz_pipe.fails && fuzz_pipe.left.size == 0)) {
		errno = fuzz_pipe.pending ? EINTR : EIO;
		return -1;
	}
	if (size > fuzz_pipe.at_once)
		size = fuzz_pipe.at_once;
	if (size > fuzz_pipe.left.size)
		size = fuzz_pipe.left.size;
	if (size)
		memcpy(to, fuzz_pipe.left.data, size);
	fuzz_pipe.left.data += size;
	fuzz_pipe.left.size -= size;
	return (ssize_t)size;
}

/* ---- errors ---- */

/* What an error says is printable and fits, whatever the input held. */
FUZZ_FN void fuzz_check_error(const struct imalog_error *error, int rc)
{
	char text[512];

	MUST(rc < 0 && (int)imalog_error_code(error) == -rc);
	MUST(strcmp(imalog_strerror(rc), "unknown error") != 0);
	memset(text, 'x', sizeof(text));
	imalog_error_format(error, text, sizeof(text));
	MUST(memchr(text, '\0', sizeof(text)));
	for (const char *c = text; *c; c++)
		MUST(*c >= 0x20 && *c < 0x7f);
	MUST(imalog_error_detail(error)[0]);
}

#endif /* FUZZ_H */
