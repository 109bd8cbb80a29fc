// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: markers
 *
 * The first byte chooses which: even a snapshot, odd a trim.
 */
#include <inttypes.h>
#include <stdio.h>

#include "fuzz.h"

/* Does the text have these bytes in hexadecimal, in either case? */
static bool has_hex(struct imalog_span text, const uint8_t *value, size_t size)
{
	for (size_t at = 0; at + 2 * size <= text.size; at++) {
		uint8_t bytes[IMALOG_DIGEST_MAX];

		if (imalog_hex_decode((struct imalog_span){ text.data + at, 2 * size },
				      bytes) &&
		    memcmp(bytes, value, size) == 0)
			return true;
	}
	return false;
}

/* A text that was understood is the text of what it was understood as. */
static void check_trim(struct imalog_span text, const struct imalog_marker *marker)
{
	char again[128];
	int size = snprintf(again, sizeof(again),
			    marker->of_this_trim ?
				    "time=%" PRIu64 "; log trim this time=%" PRIu64 ";" :
				    "time= %" PRIu64 "; number= %" PRIu64 ";",
			    marker->time, marker->number);

	MUST(size > 0 && text.size == (size_t)size && memcmp(text.data, again, text.size) == 0);
}

static void check_snapshot(struct imalog_span text, const struct imalog_pcrs *pcrs)
{
	MUST(imalog_pcrs_count(pcrs) > 0);
	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);

		MUST(pcr < 24 && has_hex(text, value, imalog_alg_size(alg)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_span text = { data, size };
	struct imalog_error *error = imalog_error_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_marker marker;
	bool is_trim;
	int rc;

	MUST(error && pcrs);
	if (size > 0) {
		is_trim = data[0] & 1;
		text = (struct imalog_span){ data + 1, size - 1 };
		rc = imalog_marker_parse(imalog_span_of(is_trim ? "trim_ima_event_logs" :
								  "snapshot_aggregate"),
					 text, &marker, pcrs, error);
		MUST(rc != 0);
		if (rc < 0) {
			MUST(imalog_error_code(error) == (enum imalog_code)-rc);
			MUST(imalog_pcrs_count(pcrs) == 0);
		} else if (is_trim) {
			check_trim(text, &marker);
		} else {
			check_snapshot(text, pcrs);
		}
	}
	imalog_pcrs_free(&pcrs);
	imalog_error_free(&error);
	return 0;
}
