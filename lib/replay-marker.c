// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Markers in a replay: do the PCR values of a snapshot fit what the log before it leads to, and
 * are as many records there as had been trimmed?
 *
 * Only what is certain is held against a record.  A snapshot has the values of all PCRs, but
 * the log leads to those alone that it has extended; and a bank may have been extended with
 * padded digests, so that it does not fit only when it fits in no way.
 */
#include <stdlib.h>
#include <string.h>

#include "replay.h"

void imalog_replay_ignore_markers(struct imalog_replay *replay)
{
	replay->markers.ignored = true;
}

/* ---- snapshots ---- */

/* May a PCR have another value than the variants that are computed? */
static bool is_uncertain(const struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr)
{
	const struct imalog_chain *chain = replay->chains[alg][pcr];

	return chain && (chain->opaque || (replay->padding == IMALOG_PADDING_AUTO &&
					   alg != IMALOG_ALG_SHA1 && chain->extends &&
					   !chain->computes[IMALOG_PADDED]));
}

static bool fits(const struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
		 const uint8_t *claimed, const uint8_t **computed)
{
	*computed = NULL;
	for (int v = IMALOG_VARIANTS - 1; v >= 0; v--) {
		const uint8_t *value =
			imalog_replay_value(replay, alg, pcr, (enum imalog_variant)v);

		if (value)
			*computed = value;
		if (value && memcmp(value, claimed, imalog_alg_size(alg)) == 0)
			return true;
	}
	return false;
}

static void compare_value(const struct imalog_replay *replay,
			  const struct imalog_record *record, enum imalog_alg alg,
			  uint32_t pcr, const uint8_t *claimed,
			  struct imalog_marker_check *check)
{
	static const uint8_t zeros[IMALOG_DIGEST_MAX];
	const uint8_t *computed;
	bool fit = fits(replay, alg, pcr, claimed, &computed);

	/* The PCR that this record extends is the log's, from its reset on. */
	if (!computed && pcr == record->index) {
		computed = zeros;
		fit = memcmp(claimed, zeros, imalog_alg_size(alg)) == 0;
	}
	if (!computed || (!fit && is_uncertain(replay, alg, pcr)))
		return;
	if (fit && check->verdict == IMALOG_NOT_CHECKED)
		check->verdict = IMALOG_MATCH;
	if (fit)
		return;
	check->verdict = IMALOG_MISMATCH;
	if (check->misfits++)
		return;
	check->bank = alg;
	check->pcr = pcr;
	memcpy(check->claimed, claimed, imalog_alg_size(alg));
	memcpy(check->computed, computed, imalog_alg_size(alg));
}

static void compare_snapshot(const struct imalog_replay *replay,
			     const struct imalog_record *record,
			     const struct imalog_pcrs *pcrs, struct imalog_marker_check *check)
{
	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);

		if (replay->banks[alg])
			compare_value(replay, record, alg, pcr, value, check);
	}
}

/* ---- trims ---- */

/* In any reading of the number, so many records were measured before and trimmed. */
static void count_trimmed(struct imalog_markers *markers, const struct imalog_marker *marker,
			  struct imalog_marker_check *check)
{
	uint64_t number = marker->number;

	if (marker->of_this_trim)
		markers->trimmed = number > UINT64_MAX - markers->trimmed ?
					   UINT64_MAX :
					   markers->trimmed + number;
	else if (number > markers->trimmed)
		markers->trimmed = number;
	check->trimmed = markers->trimmed;
}

/* ---- any marker ---- */

static int keep(struct imalog_markers *markers, const struct imalog_marker_check *check,
		struct imalog_error *error)
{
	struct imalog_marker_check *checks;

	if (markers->nr == IMALOG_MARKERS_MAX)
		return 0;
	checks = reallocarray(markers->checks, markers->nr + 1, sizeof(*checks));
	if (!checks)
		return imalog_fail_nomem(error);
	markers->checks = checks;
	checks[markers->nr++] = *check;
	return 0;
}

/* The buffer of a record whose data can be relied on as far as its digest goes */
static bool has_buffer(const struct imalog_record *record, struct imalog_span *ret)
{
	if (record->violation || record->fit == IMALOG_FIT_NO ||
	    !imalog_record_extends_pcr(record))
		return false;
	for (size_t i = 0; i < record->nr_fields; i++)
		if (record->fields[i].id == IMALOG_FIELD_BUF) {
			*ret = record->fields[i].data;
			return true;
		}
	return false;
}

static int look_at_snapshot(const struct imalog_replay *replay,
			    const struct imalog_record *record, struct imalog_span data,
			    struct imalog_marker_check *check, struct imalog_error *error)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_marker marker;
	int rc = pcrs ? imalog_marker_parse(imalog_record_name(record), data, &marker, pcrs,
					    error) :
			imalog_fail_nomem(error);

	if (rc > 0)
		compare_snapshot(replay, record, pcrs, check);
	imalog_pcrs_free(&pcrs);
	return rc < 0 ? rc : 0;
}

int imalog_replay_look_at_marker(struct imalog_replay *replay,
				 const struct imalog_record *record, struct imalog_error *error)
{
	struct imalog_span name = imalog_record_name(record), data;
	struct imalog_marker_check check = { .record = record->number,
					     .before = record->number - 1 };
	struct imalog_marker marker;
	int rc;

	if (replay->markers.ignored || !has_buffer(record, &data))
		return 1;
	rc = imalog_marker_parse(name, data, &marker, NULL, NULL);
	if (rc == 0)
		return 1;
	check.malformed = rc < 0;
	check.kind = name.data[0] == 's' ? IMALOG_MARKER_SNAPSHOT : IMALOG_MARKER_TRIM;
	rc = 0;
	if (!check.malformed && check.kind == IMALOG_MARKER_SNAPSHOT)
		rc = look_at_snapshot(replay, record, data, &check, error);
	else if (!check.malformed)
		count_trimmed(&replay->markers, &marker, &check);
	if (rc == 0)
		rc = keep(&replay->markers, &check, error);
	return rc < 0 ? rc : check.misfits == 0;
}

size_t imalog_replay_markers(const struct imalog_replay *replay)
{
	return replay->markers.nr;
}

void imalog_replay_marker(const struct imalog_replay *replay, size_t i,
			  struct imalog_marker_check *ret)
{
	*ret = replay->markers.checks[i];
}
