/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that runs out on order.  The program is linked with -Wl,--wrap= for malloc, calloc,
 * realloc, reallocarray, strdup and free.
 */
#ifndef TEST_NOMEM_H
#define TEST_NOMEM_H

#include "test.h"

static struct {
	long left; /* allocations until one fails; negative: none does */
	bool failed;
	long live;
} memory = { .left = -1 };

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *old);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *old);

static bool refuses(void)
{
	if (memory.left < 0 || memory.left-- > 0)
		return false;
	memory.failed = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *new, bool was)
{
	memory.live += new && !was;
	return new;
}

void *__wrap_malloc(size_t size)
{
	return refuses() ? NULL : counted(__real_malloc(size), false);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuses() ? NULL : counted(__real_calloc(n, size), false);
}

void *__wrap_realloc(void *old, size_t size)
{
	return refuses() ? NULL : counted(__real_realloc(old, size), old != NULL);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return refuses() ? NULL : counted(__real_reallocarray(old, n, size), old != NULL);
}

char *__wrap_strdup(const char *text)
{
	return refuses() ? NULL : counted(__real_strdup(text), false);
}

void __wrap_free(void *old)
{
	memory.live -= old != NULL;
	__real_free(old);
}

#endif /* TEST_NOMEM_H */
