// SPDX-License-Identifier: GPL-2.0-or-later
/* What became of markers: records that say what a kernel had when it trimmed its list */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

/* Markers that are printed one by one as text */
#define SHOWN_MAX 10

static const char *marker_name(const struct imalog_marker_check *check)
{
	return check->kind == IMALOG_MARKER_SNAPSHOT ? "snapshot_aggregate" :
						       "trim_ima_event_logs";
}

static uint64_t missing(const struct imalog_marker_check *check)
{
	return check->trimmed > check->before ? check->trimmed - check->before : 0;
}

/* ---- text ---- */

static void print_misfit(const struct imalog_marker_check *check)
{
	const char *bank = imalog_alg_name(check->bank);

	printf("Record %" PRIu64 " (snapshot_aggregate) says that PCR %u (%s) was\n  ",
	       check->record, check->pcr, bank);
	print_hex(stdout, report_digest(check->bank, check->claimed));
	printf("\n  but the log before it leads to\n  ");
	print_hex(stdout, report_digest(check->bank, check->computed));
	puts(".");
	if (check->misfits > 1)
		printf("  In all, %zu values in it do not fit.\n", check->misfits);
}

static void print_snapshot(const struct imalog_marker_check *check)
{
	switch (check->verdict) {
	case IMALOG_MATCH:
		printf("The PCR values in record %" PRIu64 " (snapshot_aggregate) fit the log "
		       "before it.\n",
		       check->record);
		break;
	case IMALOG_MISMATCH:
		print_misfit(check);
		break;
	case IMALOG_NOT_CHECKED:
		printf("The PCR values in record %" PRIu64 " (snapshot_aggregate) could not be "
		       "checked.\n",
		       check->record);
		break;
	}
}

static void print_marker(const struct imalog_marker_check *check)
{
	if (check->malformed)
		printf("Record %" PRIu64 " has the name %s, but is malformed: it counts for "
		       "nothing.\n",
		       check->record, marker_name(check));
	else if (check->kind == IMALOG_MARKER_SNAPSHOT)
		print_snapshot(check);
}

/* What can be said of a log that does not lead to the values: it lacks so many, or more. */
static void print_missing(const struct report *report)
{
	struct imalog_marker_check worst = { .record = 0 }, check;

	for (size_t i = 0; i < imalog_replay_markers(report->replay); i++) {
		imalog_replay_marker(report->replay, i, &check);
		if (missing(&check) > missing(&worst))
			worst = check;
	}
	if (missing(&worst))
		printf("Record %" PRIu64 " (trim_ima_event_logs) says that %" PRIu64
		       " records or more had been trimmed,\nbut the log has %" PRIu64
		       " before it: at least %" PRIu64 " are missing there.\n",
		       worst.record, worst.trimmed, worst.before, missing(&worst));
}

void report_markers_text(const struct report *report)
{
	size_t nr = imalog_replay_markers(report->replay);

	for (size_t i = 0; i < nr && i < SHOWN_MAX; i++) {
		struct imalog_marker_check check;

		imalog_replay_marker(report->replay, i, &check);
		print_marker(&check);
	}
	if (nr > SHOWN_MAX)
		printf("... and %zu more such records.\n", nr - SHOWN_MAX);
	if (report->verdict == IMALOG_MISMATCH)
		print_missing(report);
}

/* ---- JSON ---- */

static json_t *json_misfit(const struct imalog_marker_check *check)
{
	return json_pack("{s:s, s:i, s:o, s:o}", "bank", imalog_alg_name(check->bank), "pcr",
			 (int)check->pcr, "claimed",
			 json_hex(report_digest(check->bank, check->claimed)), "computed",
			 json_hex(report_digest(check->bank, check->computed)));
}

static json_t *json_number(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

json_t *report_markers_json(const struct report *report)
{
	json_t *markers = json_array();

	for (size_t i = 0; i < imalog_replay_markers(report->replay); i++) {
		struct imalog_marker_check check;
		json_t *json;

		imalog_replay_marker(report->replay, i, &check);
		json = json_pack("{s:I, s:s}", "record", (json_int_t)check.record, "name",
				 marker_name(&check));
		if (check.malformed)
			json_object_set_new(json, "malformed", json_true());
		else if (check.kind == IMALOG_MARKER_SNAPSHOT)
			json_object_set_new(json, "verdict",
					    json_string(imalog_verdict_name(check.verdict)));
		else
			json_object_set_new(json, "trimmed", json_number(check.trimmed));
		if (check.misfits)
			json_object_set_new(json, "misfit", json_misfit(&check));
		json_array_append_new(markers, json);
	}
	return markers;
}
