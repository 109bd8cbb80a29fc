// SPDX-License-Identifier: GPL-2.0-or-later
/* What a merge came to: the pieces in order, what is wrong, and what is proved. */
#include <inttypes.h>
#include <string.h>

#include "boot.h"
#include "merge.h"

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- the verdict ---- */

static bool uses_quote(const struct merging *merging)
{
	return merging->verify.quote;
}

static struct report make_report(struct merging *merging, const struct boot *boot)
{
	struct report report = { .replay = imalog_merge_replay(merging->merge),
				 .compare = &merging->verify.compare,
				 .boot = boot,
				 .log = &merging->verify.log,
				 .starts_with_boot_aggregate =
					 merging->starts_with_boot_aggregate };
	enum imalog_alg alg;
	uint32_t pcr;

	report.verdict = imalog_replay_verdict(report.replay, &report.matched_at);
	if (report.verdict == IMALOG_MATCH && (report_missing(&report, 0, &alg, &pcr) ||
					       report_unused_start(&report, 0, &alg, &pcr)))
		report.verdict = IMALOG_NOT_CHECKED;
	return report;
}

/* What the replay of the plan says, where that is the answer */
static int code_of_replay(struct merging *merging)
{
	static const struct boot no_boot;
	json_t *json;
	int code;

	if (!uses_quote(merging))
		return make_report(merging, &no_boot).verdict == IMALOG_MATCH ? EXIT_YES :
										EXIT_UNABLE;
	json = quote_object(&merging->verify, &code);
	json_decref(json);
	return code;
}

int merge_exit_code(struct merging *merging)
{
	switch (merging->result) {
	case IMALOG_MERGE_PROVED:
		return code_of_replay(merging);
	case IMALOG_MERGE_AMBIGUOUS:
	case IMALOG_MERGE_BROKEN:
		return EXIT_NO;
	case IMALOG_MERGE_MALFORMED:
		return EXIT_MALFORMED;
	case IMALOG_MERGE_RECEIPTS:
	case IMALOG_MERGE_GIVEN:
	case IMALOG_MERGE_UNCHECKED:
	case IMALOG_MERGE_EPOCHS:
	case IMALOG_MERGE_TOO_MANY:
		break;
	}
	return EXIT_UNABLE;
}

/* ---- text ---- */

static void print_part(const struct imalog_merge_part *part)
{
	print_text(stdout, (struct imalog_span){ (const uint8_t *)part->name,
						 strlen(part->name) });
	if (part->records)
		printf("  records %" PRIu64 "..%" PRIu64, part->first,
		       part->first + part->records - 1);
	else
		printf("  no records");
	if (part->skipped)
		printf(" (without its first %" PRIu64 ")", part->skipped);
	if (part->receipt)
		printf("  segment %" PRIu64 ", sha256 %s", imalog_receipt_segment(part->receipt),
		       !part->checked ? "not checked" : part->fits ? "ok" : "FAIL");
	putchar('\n');
}

static bool has_problem(const struct merging *merging, enum imalog_merge_problem wanted)
{
	enum imalog_merge_problem kind;

	for (size_t i = 0; imalog_merge_problem(merging->merge, i, &kind, NULL); i++)
		if (kind == wanted)
			return true;
	return false;
}

static void print_problems(const struct merging *merging)
{
	enum imalog_merge_problem kind;
	const char *text;

	for (size_t i = 0; (text = imalog_merge_problem(merging->merge, i, &kind, NULL)); i++)
		if (kind == IMALOG_MERGE_OTHER)
			printf("%s.\n", text);
		else
			printf("%s: %s.\n", imalog_merge_problem_name(kind), text);
}

static void print_candidates(const struct merging *merging)
{
	const char *text;

	for (size_t i = 0; (text = imalog_merge_candidate(merging->merge, i)); i++)
		printf("candidate %zu: %s\n", i + 1, text);
}

static void print_epochs(const struct merging *merging)
{
	uint64_t epoch;
	size_t pieces;

	for (size_t i = 0; imalog_merge_epoch(merging->merge, i, &epoch, &pieces); i++)
		if (pieces)
			printf("epoch %" PRIu64 ": %zu piece%s\n", epoch, pieces,
			       plural(pieces));
}

static void print_replay(struct merging *merging)
{
	static const struct boot no_boot;
	struct report report = make_report(merging, &no_boot);

	if (uses_quote(merging))
		quote_report(&merging->verify);
	else
		report_text(&report);
}

static uint64_t records_of(const struct merging *merging)
{
	const struct imalog_replay *replay = imalog_merge_replay(merging->merge);

	return replay ? imalog_replay_records(replay) : 0;
}

/* A replay that ends at what nothing is wrong with knows best what is missing. */
static void print_broken(struct merging *merging)
{
	const struct imalog_replay *replay = imalog_merge_replay(merging->merge);

	if (replay && imalog_replay_problems(replay) == 0 &&
	    imalog_replay_verdict(replay, NULL) == IMALOG_MISMATCH)
		print_replay(merging);
	else
		puts("The pieces do not make a log that holds.");
}

/* Was there something to lead to? */
static bool is_compared(const struct merging *merging)
{
	const struct imalog_replay *replay = imalog_merge_replay(merging->merge);

	return uses_quote(merging) ||
	       (replay && imalog_replay_verdict(replay, NULL) == IMALOG_MATCH);
}

static bool has_receipts(const struct merging *merging)
{
	uint64_t epoch;
	size_t pieces;

	return imalog_merge_epoch(merging->merge, 0, &epoch, &pieces);
}

static void print_verdict(struct merging *merging)
{
	uint64_t records = records_of(merging);

	switch (merging->result) {
	case IMALOG_MERGE_PROVED:
	case IMALOG_MERGE_UNCHECKED:
		print_replay(merging);
		break;
	case IMALOG_MERGE_RECEIPTS:
		if (is_compared(merging)) {
			print_replay(merging);
			puts(has_problem(merging, IMALOG_MERGE_UNSEEN) ?
				     "A receipt names records that may be missing: that the log is "
				     "whole is not proved." :
				     "Records were left out by receipts alone: that they are there "
				     "once is not proved.");
			break;
		}
		printf("By their receipts the pieces are one log of %" PRIu64
		       " record%s.  Nothing was compared: it is not proved.\n",
		       records, plural(records));
		break;
	case IMALOG_MERGE_GIVEN:
		printf("Nothing says how the pieces belong together: they are %" PRIu64
		       " record%s in the order given, and not proved.\n",
		       records, plural(records));
		break;
	case IMALOG_MERGE_AMBIGUOUS:
		puts("Several sequences of records lead to what is expected, and nothing tells "
		     "which it is.");
		break;
	case IMALOG_MERGE_BROKEN:
		print_broken(merging);
		break;
	case IMALOG_MERGE_MALFORMED:
		puts("A piece cannot be read to its end.");
		break;
	case IMALOG_MERGE_EPOCHS:
		if (merging->epoch && !has_receipts(merging)) {
			puts("No receipt was given, so that nothing says which piece is of the "
			     "epoch.");
			break;
		}
		puts("The pieces are of several epochs, or not of the one that is wanted: --epoch "
		     "says which.");
		break;
	case IMALOG_MERGE_TOO_MANY:
		puts("It could not be found out how the pieces belong together: receipts would "
		     "tell.");
		break;
	}
}

static void report_as_text(struct merging *merging)
{
	struct imalog_merge_part part;

	for (size_t i = 0; imalog_merge_part(merging->merge, i, &part); i++)
		print_part(&part);
	print_problems(merging);
	print_candidates(merging);
	if (merging->result == IMALOG_MERGE_EPOCHS)
		print_epochs(merging);
	print_verdict(merging);
}

/* ---- JSON ---- */

static json_t *text_of(const char *text)
{
	return json_text((struct imalog_span){ (const uint8_t *)text, strlen(text) });
}

static json_t *json_parts(const struct merging *merging)
{
	json_t *parts = json_array();
	struct imalog_merge_part part;

	for (size_t i = 0; imalog_merge_part(merging->merge, i, &part); i++) {
		json_t *json = json_pack("{s:o, s:I, s:I, s:I}", "piece", text_of(part.name),
					 "first_record", (json_int_t)part.first, "records",
					 (json_int_t)part.records, "skipped",
					 (json_int_t)part.skipped);

		if (part.receipt) {
			json_object_set_new(
				json, "segment",
				json_integer((json_int_t)imalog_receipt_segment(part.receipt)));
			json_object_set_new(json, "fits", part.checked ?
								  json_boolean(part.fits) :
								  json_null());
		}
		json_array_append_new(parts, json);
	}
	return parts;
}

static json_t *json_epochs(const struct merging *merging)
{
	json_t *epochs = json_array();
	uint64_t epoch;
	size_t pieces;

	for (size_t i = 0; imalog_merge_epoch(merging->merge, i, &epoch, &pieces); i++)
		json_array_append_new(epochs, json_pack("{s:I, s:I}", "epoch", (json_int_t)epoch,
							"pieces", (json_int_t)pieces));
	return epochs;
}

static json_t *json_problems(const struct merging *merging)
{
	json_t *problems = json_array();
	enum imalog_merge_problem kind;
	const char *text, *piece;

	for (size_t i = 0; (text = imalog_merge_problem(merging->merge, i, &kind, &piece)); i++)
		json_array_append_new(problems,
				      json_pack("{s:s, s:o*, s:s}", "kind",
						imalog_merge_problem_name(kind), "piece",
						piece ? text_of(piece) : NULL, "text", text));
	return problems;
}

static json_t *json_candidates(const struct merging *merging)
{
	json_t *candidates = json_array();
	const char *text;

	for (size_t i = 0; (text = imalog_merge_candidate(merging->merge, i)); i++)
		json_array_append_new(candidates, json_string(text));
	return candidates;
}

static bool report_as_json(struct merging *merging)
{
	static const struct boot no_boot;
	json_t *json = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "result",
				 imalog_merge_result_name(merging->result), "records",
				 (json_int_t)records_of(merging), "parts", json_parts(merging),
				 "epochs", json_epochs(merging), "problems",
				 json_problems(merging), "candidates",
				 json_candidates(merging));
	int code;

	if (imalog_merge_replay(merging->merge) && !uses_quote(merging)) {
		struct report report = make_report(merging, &no_boot);

		json_object_set_new(json, "replay", report_object(&report));
	} else if (imalog_merge_replay(merging->merge)) {
		json_object_set_new(json, "quote", quote_object(&merging->verify, &code));
	}
	return print_json(stdout, json);
}

int merge_report(struct merging *merging)
{
	bool written = true;
	int flushed;

	if (merging->verify.options.json)
		written = report_as_json(merging);
	else if (!merging->verify.options.quiet)
		report_as_text(merging);
	flushed = stdout_flush();
	if (flushed != EXIT_YES)
		return flushed;
	return written ? EXIT_YES : out_of_memory();
}
