// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Markers: what kernels measured that gave their list away before staging, under template
 * ima-buf; none of these patches was merged
 *
 *	snapshot_aggregate	all PCR values, right before this record (August 2023)
 *		Snapshot_Attempt_Count=7;sha256:PCR0:0xDA00...,sha256:PCR1:0x30A1...;
 *	trim_ima_event_logs	after records were deleted (December 2025 to April 2026)
 *		time=1764806400000000000; log trim this time=12;     version 2
 *		time= 1764806400000000000; number= 12;               version 3 and later
 *
 * The buffer has no NUL at its end.  From version 4 on `number` is what had been trimmed before.
 */
#include <string.h>

#include "private.h"

/* Above all that 24 values in all banks take */
#define DATA_MAX      ((size_t)1 << 16)
#define SNAPSHOT_PCRS 24
/* The longest decimal of 64 bits */
#define DIGITS_MAX 20

struct text {
	struct imalog_cursor cursor;
	struct imalog_error *error;
};

static int malformed(const struct text *text, const char *what)
{
	return imalog_fail(text->error, IMALOG_ERR_BAD_VALUE, "buf", "%s, %zu bytes before its end",
			   what, text->cursor.left);
}

/* Takes the literal if it comes next. */
static bool take(struct text *text, const char *literal)
{
	struct imalog_cursor ahead = text->cursor;
	struct imalog_span bytes;

	if (!imalog_cursor_bytes(&ahead, strlen(literal), &bytes) ||
	    !imalog_span_equal(bytes, imalog_span_of(literal)))
		return false;
	text->cursor = ahead;
	return true;
}

/* As many bytes of the set as come next, at most @max */
static struct imalog_span take_set(struct text *text, const char *set, size_t max)
{
	struct imalog_span all = { text->cursor.data, 0 }, one;
	struct imalog_cursor ahead = text->cursor;

	while (all.size < max && imalog_cursor_bytes(&ahead, 1, &one) && one.data[0] &&
	       strchr(set, one.data[0])) {
		text->cursor = ahead;
		all.size++;
	}
	return all;
}

/* As the kernel's %lu writes it */
static bool take_number(struct text *text, uint64_t *ret)
{
	struct imalog_span digits = take_set(text, "0123456789", DIGITS_MAX);

	return (digits.size == 1 || (digits.size > 1 && digits.data[0] != '0')) &&
	       imalog_decimal_decode(digits, UINT64_MAX, ret);
}

/* ---- snapshots ---- */

struct value {
	enum imalog_alg alg;
	uint64_t pcr;
	uint8_t digest[IMALOG_DIGEST_MAX];
};

/* sha256:PCR0:0xDA00...; the example of the proposal has the 0x, its grammar has not. */
static int take_value(struct text *text, struct value *value)
{
	struct imalog_span word = take_set(text, "abcdefghijklmnopqrstuvwxyz_-0123456789", 16);
	struct imalog_span hex;
	char name[17] = "";

	if (word.size)
		memcpy(name, word.data, word.size);
	value->alg = imalog_alg_by_name(name);
	if (value->alg == IMALOG_ALG_NONE)
		return malformed(text, "there should be the name of a bank");
	if (!take(text, ":PCR") || !take_number(text, &value->pcr) ||
	    value->pcr >= SNAPSHOT_PCRS || !take(text, ":"))
		return malformed(text, "there should be a PCR from 0 to 23");
	take(text, "0x");
	if (!imalog_cursor_bytes(&text->cursor, 2 * imalog_alg_size(value->alg), &hex) ||
	    !imalog_hex_decode(hex, value->digest))
		return malformed(text, "there should be a digest of the bank");
	return 0;
}

/*
 * In the example ',' is between values and ';' at the end; in the grammar each value ends in
 * ';', ',' comes between, and another ';' at the end.  0, 1 when another value must follow
 */
static int take_separator(struct text *text)
{
	bool end = take(text, ";"), more = take(text, ",");

	if (!end && !more)
		return malformed(text, "there should be ',' or ';'");
	if (more)
		return 1;
	if (take(text, ";") && text->cursor.left)
		return malformed(text, "behind ';;' there should be nothing");
	return text->cursor.left != 0;
}

static int take_values(struct text *text, struct imalog_pcrs *pcrs)
{
	bool seen[IMALOG_ALG_COUNT][SNAPSHOT_PCRS] = { { false } };
	int rc = 1;

	while (rc > 0) {
		struct value value;

		rc = take_value(text, &value);
		if (rc == 0 && seen[value.alg][value.pcr])
			rc = malformed(text, "a PCR is there twice");
		if (rc < 0)
			return rc;
		seen[value.alg][value.pcr] = true;
		if (pcrs)
			rc = imalog_pcrs_set(pcrs, value.alg, (uint32_t)value.pcr,
					     (struct imalog_span){ value.digest,
								   imalog_alg_size(value.alg) },
					     text->error);
		if (rc == 0)
			rc = take_separator(text);
	}
	return rc;
}

static int parse_snapshot(struct text *text, struct imalog_marker *marker,
			  struct imalog_pcrs *pcrs)
{
	struct text again;
	int rc;

	marker->kind = IMALOG_MARKER_SNAPSHOT;
	if (!take(text, "Snapshot_Attempt_Count=") || !take_number(text, &marker->attempt) ||
	    !take(text, ";"))
		return malformed(text, "there should be Snapshot_Attempt_Count=NUMBER;");
	again = *text;
	/* Nothing is given out before all of it is known to be well. */
	rc = take_values(text, NULL);
	return rc == 0 && pcrs ? take_values(&again, pcrs) : rc;
}

/* ---- trims ---- */

static int parse_trim(struct text *text, struct imalog_marker *marker)
{
	marker->kind = IMALOG_MARKER_TRIM;
	if (!take(text, "time="))
		return malformed(text, "there should be time=");
	marker->of_this_trim = !take(text, " ");
	if (!take_number(text, &marker->time))
		return malformed(text, "there should be a time in nanoseconds");
	if (!take(text, marker->of_this_trim ? "; log trim this time=" : "; number= ") ||
	    !take_number(text, &marker->number) || !take(text, ";"))
		return malformed(text, "there should be a number of records");
	if (text->cursor.left)
		return imalog_fail(text->error, IMALOG_ERR_TRAILING, "buf",
				   "%zu bytes are left over", text->cursor.left);
	return 0;
}

int imalog_marker_parse(struct imalog_span name, struct imalog_span data,
			struct imalog_marker *ret, struct imalog_pcrs *pcrs,
			struct imalog_error *reterr)
{
	bool is_snapshot = imalog_span_equal(name, imalog_span_of("snapshot_aggregate"));
	struct text text = { imalog_cursor_over(data, IMALOG_ORDER_LE), reterr };
	struct imalog_marker marker = { .kind = IMALOG_MARKER_NONE };
	int rc;

	if (!is_snapshot && !imalog_span_equal(name, imalog_span_of("trim_ima_event_logs")))
		return 0;
	if (data.size > DATA_MAX)
		return imalog_fail(reterr, IMALOG_ERR_LIMIT, "buf",
				   "%zu bytes exceed the limit of %zu", data.size, DATA_MAX);
	rc = is_snapshot ? parse_snapshot(&text, &marker, pcrs) : parse_trim(&text, &marker);
	if (rc < 0)
		return rc;
	*ret = marker;
	return 1;
}
