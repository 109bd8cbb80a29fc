// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes that grow.  Without memory the program ends: it is a test program. */
#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "imafs.h"

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vwarnx(format, args);
	va_end(args);
	exit(1);
}

void *xcalloc(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		die("no memory");
	return memory;
}

char *xstrdup(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		die("no memory");
	return copy;
}

static void buf_grow(struct buf *buf, size_t more)
{
	if (buf->size + more <= buf->room)
		return;
	buf->room = (buf->size + more) * 2 + 64;
	buf->data = realloc(buf->data, buf->room);
	if (!buf->data)
		die("no memory");
}

void buf_put(struct buf *buf, const void *data, size_t size)
{
	buf_grow(buf, size);
	if (size)
		memcpy(buf->data + buf->size, data, size);
	buf->size += size;
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	char text[1024];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (size > 0)
		buf_put(buf, text,
			(size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
}

void buf_free(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}
