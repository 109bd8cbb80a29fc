// SPDX-License-Identifier: GPL-2.0-or-later
/* What a replay came to, as an object for programs. */
#include <string.h>

#include "boot.h"

static json_t *json_values(const struct report *report)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	json_t *banks = json_object();

	if (pcrs)
		imalog_replay_pcrs(report->replay, pcrs, NULL);
	for (size_t i = 0; pcrs && i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);
		json_t *bank = json_object_get(banks, imalog_alg_name(alg));
		char key[16];

		if (!compare_wants(report->compare, alg, pcr))
			continue;
		if (!bank) {
			bank = json_object();
			json_object_set_new(banks, imalog_alg_name(alg), bank);
		}
		snprintf(key, sizeof(key), "%u", pcr);
		json_object_set_new(bank, key, json_hex(report_digest(alg, value)));
	}
	imalog_pcrs_free(&pcrs);
	return banks;
}

static json_t *json_checks(const struct report *report)
{
	json_t *checks = json_array();
	enum imalog_alg alg;
	uint32_t pcr;

	for (size_t i = 0; i < imalog_replay_checks(report->replay); i++) {
		struct imalog_check check = report_check(report, i);
		json_t *json;

		/* What the rest of the log would have led to is not known. */
		if (report->error && check.verdict == IMALOG_MISMATCH)
			check.verdict = IMALOG_NOT_CHECKED;
		json = json_pack("{s:s, s:i, s:o, s:s}", "bank",
					 imalog_alg_name(check.bank), "pcr", (int)check.pcr,
					 "expected",
					 json_hex(report_digest(check.bank, check.expected)),
					 "verdict", imalog_verdict_name(check.verdict));

		if (check.verdict == IMALOG_MATCH) {
			json_object_set_new(json, "matched_at",
					    json_integer((json_int_t)check.matched_at));
			json_object_set_new(json, "padding",
					    json_string(check.padding == IMALOG_PADDING_SHA1 ?
								"sha1" :
								"perbank"));
		}
		if (check.unchecked)
			json_object_set_new(json, "unchecked",
					    json_integer((json_int_t)check.unchecked));
		json_array_append_new(checks, json);
	}
	for (size_t i = 0; report_missing(report, i, &alg, &pcr); i++)
		json_array_append_new(checks,
				      json_pack("{s:s?, s:i, s:n, s:s}", "bank",
						alg ? imalog_alg_name(alg) : NULL, "pcr", (int)pcr,
						"expected", "verdict",
						imalog_verdict_name(IMALOG_NOT_CHECKED)));
	return checks;
}

static json_t *json_complaints(const struct report *report)
{
	json_t *records = json_array();

	for (size_t i = 0; i < report->nr_complaints; i++) {
		const struct complaint *complaint = &report->complaints[i];
		const char *file = log_name(report->log, complaint->file);
		json_t *json = json_pack("{s:I, s:I, s:s}", "record",
					 (json_int_t)complaint->record, "offset",
					 (json_int_t)complaint->offset, "reason",
					 imalog_problem_text(complaint->problem));

		if (report->log->nr_files > 1)
			json_object_set_new(json, "file",
					    json_text((struct imalog_span){
						    (const uint8_t *)file, strlen(file) }));
		json_array_append_new(records, json);
	}
	return records;
}

static json_t *json_logs(const struct log *log)
{
	json_t *logs = json_array();

	for (size_t i = 0; i < log->nr_seen; i++) {
		const struct log_facts *facts = &log->facts[i];
		const char *file = log_name(log, i);
		struct imalog_span name = { (const uint8_t *)file, strlen(file) };

		json_t *json = json_pack("{s:o, s:s}", "file", json_text(name), "format",
					 imalog_format_name(facts->format));

		/* Layouts are found of the kernel's lists alone. */
		if (facts->digest != IMALOG_ALG_NONE ||
		    facts->format == IMALOG_FORMAT_TLV2018)
			json_object_set_new(json, "byte_order",
					    json_string(facts->order == IMALOG_ORDER_BE ?
								"be" :
								"le"));
		if (facts->digest != IMALOG_ALG_NONE) {
			json_object_set_new(json, "digest",
					    json_string(imalog_alg_name(facts->digest)));
			json_object_set_new(json, "proved", json_boolean(facts->proved));
		}
		json_array_append_new(logs, json);
	}
	return logs;
}

static json_t *json_boot(const struct boot *boot)
{
	json_t *records = json_array();

	for (size_t i = 0; i < boot->nr; i++)
		json_array_append_new(records,
				      json_pack("{s:I, s:s, s:b}", "record",
						(json_int_t)boot->records[i].record, "verdict",
						imalog_verdict_name(boot->records[i].verdict),
						"proved", (int)boot->records[i].proved));
	return records;
}

static json_t *json_error(const struct imalog_error *error)
{
	const char *source = imalog_error_source(error);
	struct imalog_span name = { (const uint8_t *)source, strlen(source) };

	return json_pack("{s:o, s:I, s:I, s:s, s:s}", "file", json_text(name), "record",
			 (json_int_t)imalog_error_record(error), "offset",
			 (json_int_t)imalog_error_offset(error), "field",
			 imalog_error_field(error), "reason", imalog_error_detail(error));
}

static json_t *json_start(const struct report *report)
{
	json_t *start = json_array();
	const struct imalog_pcrs *pcrs = report->compare->start;

	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);
		json_t *hex = json_hex(report_digest(alg, value));

		json_array_append_new(start, json_sprintf("%s:%u=%s", imalog_alg_name(alg), pcr,
							  json_string_value(hex)));
		json_decref(hex);
	}
	return start;
}

static json_t *json_unused_start(const struct report *report)
{
	json_t *unused = json_array();
	enum imalog_alg alg;
	uint32_t pcr;

	for (size_t i = 0; report_unused_start(report, i, &alg, &pcr); i++)
		json_array_append_new(unused,
				      json_sprintf("%s:%u", imalog_alg_name(alg), pcr));
	return unused;
}

json_t *report_object(const struct report *report)
{
	enum imalog_alg alg;
	uint32_t pcr;
	uint64_t records = imalog_replay_records(report->replay);
	json_t *json = json_pack("{s:I, s:I, s:o, s:o, s:o, s:s}", "records", (json_int_t)records,
				 "violations",
				 (json_int_t)imalog_replay_violations(report->replay), "pcrs",
				 json_values(report), "checks", json_checks(report), "bad_records",
				 json_complaints(report), "verdict",
				 imalog_verdict_name(report->verdict));

	if (report->verdict == IMALOG_MATCH) {
		json_object_set_new(json, "matched_at",
				    json_integer((json_int_t)report->matched_at));
		json_object_set_new(json, "later",
				    json_integer((json_int_t)(records - report->matched_at)));
	}
	if (report->nr_complaints < imalog_replay_problems(report->replay))
		json_object_set_new(json, "bad_records_omitted",
				    json_integer((json_int_t)(imalog_replay_problems(report->replay) -
							      report->nr_complaints)));
	if (imalog_replay_unmeasured(report->replay))
		json_object_set_new(json, "unmeasured",
				    json_integer((json_int_t)imalog_replay_unmeasured(
					    report->replay)));
	if (imalog_replay_elsewhere(report->replay))
		json_object_set_new(json, "elsewhere",
				    json_integer((json_int_t)imalog_replay_elsewhere(
					    report->replay)));
	json_object_set_new(json, "logs", json_logs(report->log));
	if (log_is_live(report->log))
		json_object_set_new(json, "notes", live_notes(&report->log->live));
	if (imalog_pcrs_count(report->compare->start))
		json_object_set_new(json, "start", json_start(report));
	if (report_unused_start(report, 0, &alg, &pcr))
		json_object_set_new(json, "unused_start", json_unused_start(report));
	if (imalog_replay_markers(report->replay))
		json_object_set_new(json, "markers", report_markers_json(report));
	if (report->boot->wanted)
		json_object_set_new(json, "boot_aggregates", json_boot(report->boot));
	if (report->error)
		json_object_set_new(json, "error", json_error(report->error));
	return json;
}

bool report_json(const struct report *report)
{
	return print_json(stdout, report_object(report));
}
