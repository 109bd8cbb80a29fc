/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only loads from untrusted bytes: each is bounded by what is left. */
#ifndef IMALOG_CURSOR_H
#define IMALOG_CURSOR_H

#include <string.h>

#include "imalog.h"

struct imalog_cursor {
	const uint8_t *data;
	size_t left;
	enum imalog_order order;
};

static inline struct imalog_cursor imalog_cursor_over(struct imalog_span span,
						      enum imalog_order order)
{
	return (struct imalog_cursor){ span.data, span.size, order };
}

/* An unsigned integer of @size bytes, 1 to 8; false and nothing taken when fewer are left. */
static inline bool imalog_cursor_uint(struct imalog_cursor *cursor, size_t size, uint64_t *ret)
{
	uint64_t value = 0;

	if (size == 0 || size > 8 || cursor->left < size)
		return false;
	for (size_t i = 0; i < size; i++) {
		size_t at = cursor->order == IMALOG_ORDER_BE ? i : size - 1 - i;

		value = value << 8 | cursor->data[at];
	}
	cursor->data += size;
	cursor->left -= size;
	*ret = value;
	return true;
}

static inline bool imalog_cursor_u32(struct imalog_cursor *cursor, uint32_t *ret)
{
	uint32_t value;

	if (cursor->left < sizeof(value))
		return false;
	memcpy(&value, cursor->data, sizeof(value));
	if ((cursor->order == IMALOG_ORDER_BE) == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__))
		value = __builtin_bswap32(value);
	cursor->data += sizeof(value);
	cursor->left -= sizeof(value);
	*ret = value;
	return true;
}

/* The next @size bytes; false and nothing taken when fewer are left. */
static inline bool imalog_cursor_bytes(struct imalog_cursor *cursor, size_t size,
				       struct imalog_span *ret)
{
	if (cursor->left < size)
		return false;
	*ret = (struct imalog_span){ cursor->data, size };
	cursor->data += size;
	cursor->left -= size;
	return true;
}

#endif /* IMALOG_CURSOR_H */
