/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Structures as a TPM marshals them: big-endian, in the order of their fields, TPM2B as a
 * 2-byte size and its bytes (TPM 2.0 Part 2, 4.1 and 10.4).  The first failure stays, and
 * what is taken after it is zero, so that a structure is read without a test at each
 * field.
 */
#ifndef IMALOG_TPM_CURSOR_H
#define IMALOG_TPM_CURSOR_H

#include "cursor.h"
#include "private.h"

struct imalog_tpm_cursor {
	struct imalog_cursor cursor;
	struct imalog_error *error;
	int rc;
};

static inline struct imalog_tpm_cursor imalog_tpm_over(struct imalog_span span,
						       struct imalog_error *error)
{
	return (struct imalog_tpm_cursor){ imalog_cursor_over(span, IMALOG_ORDER_BE),
					   error, 0 };
}

static inline uint64_t imalog_tpm_uint(struct imalog_tpm_cursor *tpm, size_t size,
				       const char *field)
{
	uint64_t value = 0;

	if (tpm->rc == 0 && !imalog_cursor_uint(&tpm->cursor, size, &value))
		tpm->rc = imalog_fail(tpm->error, IMALOG_ERR_TRUNCATED, field,
				      "it has %zu bytes, %zu are left", size,
				      tpm->cursor.left);
	return value;
}

static inline uint16_t imalog_tpm_u16(struct imalog_tpm_cursor *tpm, const char *field)
{
	return (uint16_t)imalog_tpm_uint(tpm, 2, field);
}

/* @size bytes that another field has announced */
static inline struct imalog_span imalog_tpm_bytes(struct imalog_tpm_cursor *tpm,
						  size_t size, const char *field)
{
	struct imalog_span bytes = { NULL, 0 };

	if (tpm->rc == 0 && !imalog_cursor_bytes(&tpm->cursor, size, &bytes))
		tpm->rc = imalog_fail(tpm->error, IMALOG_ERR_BAD_LENGTH, field,
				      "length %zu exceeds %zu bytes left", size,
				      tpm->cursor.left);
	return bytes;
}

/* A TPM2B of at most @max bytes */
static inline struct imalog_span imalog_tpm_sized(struct imalog_tpm_cursor *tpm,
						  size_t max, const char *field)
{
	size_t size = (size_t)imalog_tpm_uint(tpm, 2, field);

	if (tpm->rc == 0 && size > max && size <= tpm->cursor.left)
		tpm->rc = imalog_fail(tpm->error, IMALOG_ERR_LIMIT, field,
				      "%zu bytes exceed the limit of %zu", size, max);
	return imalog_tpm_bytes(tpm, size, field);
}

/* Nothing may be left. */
static inline int imalog_tpm_end(struct imalog_tpm_cursor *tpm, const char *field)
{
	if (tpm->rc == 0 && tpm->cursor.left)
		tpm->rc = imalog_fail(tpm->error, IMALOG_ERR_TRAILING, field,
				      "%zu bytes are left over", tpm->cursor.left);
	return tpm->rc;
}

/* What a TPM2B that fills the whole span holds, or the span as it is when it is none. */
static inline struct imalog_span imalog_tpm_unwrap(struct imalog_span span)
{
	struct imalog_cursor cursor = imalog_cursor_over(span, IMALOG_ORDER_BE);
	uint64_t size;

	if (!imalog_cursor_uint(&cursor, 2, &size) || size != cursor.left)
		return span;
	return (struct imalog_span){ cursor.data, cursor.left };
}

#endif /* IMALOG_TPM_CURSOR_H */
