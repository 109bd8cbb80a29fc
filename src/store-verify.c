// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog store check: an epoch against its receipts, itself and PCR values. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

struct verify {
	struct imalog_store **store;
	uint64_t number;
	const struct options *options;
	struct compare *compare;
	unsigned int wait_ms;
	struct imalog_epoch *epoch;
	struct imalog_view *lists; /* the kernel's, if they belong to it */
	struct imalog_replay *replay;
	struct imalog_error *error;
	json_t *findings; /* NULL: text is printed */
	int nr_findings;
	bool live; /* the records that the kernel has belong to it */
};

static void on_finding(void *arg, uint64_t segment, const char *text)
{
	struct verify *verify = arg;

	verify->nr_findings++;
	if (verify->findings)
		json_array_append_new(verify->findings,
				      json_pack("{s:I, s:s}", "segment", (json_int_t)segment,
						"text", text));
	else if (segment)
		complain("epoch %" PRIu64 ", segment %" PRIu64 ": %s", verify->number, segment,
			 text);
	else
		complain("epoch %" PRIu64 ": %s", verify->number, text);
}

static void on_problem(void *arg, const struct imalog_record *record,
		       enum imalog_problem problem)
{
	struct verify *verify = arg;
	char text[128];

	/* The first says it; a log of which all are bad has nothing more to say. */
	if (imalog_replay_problems(verify->replay) > 1)
		return;
	snprintf(text, sizeof(text), "record %" PRIu64 ": %s", imalog_record_number(record),
		 imalog_problem_text(problem));
	on_finding(verify, 0, text);
}

/* ---- the kernel's part ---- */

static bool has_pending(const struct verify *verify, uint64_t *number)
{
	for (size_t i = 0; i < imalog_epoch_segments(verify->epoch); i++)
		if (strcmp(imalog_epoch_segment(verify->epoch, i, number), "pending") == 0)
			return true;
	return false;
}

/* Whether the TPM's values can be expected of what there is; an exit code */
static int check_live(struct verify *verify)
{
	uint64_t pending;

	verify->live = verify->compare->tpm || verify->compare->sysfs;
	if (!verify->live)
		return EXIT_YES;
	if (verify->number != imalog_store_current(*verify->store))
		return usage_error(verify->options->command,
				   "epoch %" PRIu64 " ended before the TPM's values of now: "
				   "compare it with --pcrs or --expect",
				   verify->number);
	if (!has_pending(verify, &pending))
		return EXIT_YES;
	complain("segment %" PRIu64
		 " is pending, and may be in the kernel, too: 'imalog export' "
		 "finishes that",
		 pending);
	return EXIT_UNABLE;
}

static int fail(const struct verify *verify, int rc)
{
	complain_of(NULL, verify->error);
	return exit_code_of(rc);
}

/*
 * What both lists have at one moment.  Whoever exports waits for the store until then, and is
 * not held up while all is replayed: nothing that is read then changes, unless a segment is
 * pending, or the epoch can be pruned.
 */
static int take_lists(struct verify *verify)
{
	uint64_t pending;
	int rc = 0;

	if (verify->live) {
		verify->lists = imalog_view_new(verify->options->root, "");
		if (!verify->lists)
			return out_of_memory();
		imalog_view_set_wait(verify->lists, verify->wait_ms);
		rc = imalog_view_take(verify->lists, verify->error);
	}
	if (verify->number == imalog_store_current(*verify->store) &&
	    !has_pending(verify, &pending))
		imalog_store_close(verify->store);
	return rc < 0 ? fail(verify, rc) : EXIT_YES;
}

static int replay_list(struct verify *verify, const struct imalog_plan *plan, size_t i)
{
	struct imalog_source *source = NULL;
	struct imalog_reader *reader = NULL;
	int fd, rc = imalog_plan_open(plan, i, &fd, verify->error);

	if (rc < 0)
		return fail(verify, rc);
	source = imalog_source_from_fd(fd, imalog_plan_name(plan, i));
	if (source)
		reader = imalog_reader_new(source, verify->options->templates);
	if (reader) {
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, 20);
		imalog_reader_set_first_record(reader,
					       imalog_replay_records(verify->replay) + 1);
		rc = imalog_replay_run(verify->replay, reader, verify->error);
		rc = rc < 0 ? fail(verify, rc) : EXIT_YES;
	} else {
		rc = out_of_memory();
	}
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	close(fd);
	return rc;
}

static int replay_lists(struct verify *verify)
{
	const struct imalog_plan *plan;
	int rc = EXIT_YES;

	if (!verify->live)
		return EXIT_YES;
	plan = imalog_view_plan(verify->lists);
	for (size_t i = 0; rc == EXIT_YES && i < imalog_plan_parts(plan); i++)
		rc = replay_list(verify, plan, i);
	return rc;
}

/* ---- what came of it ---- */

static json_t *json_checks(const struct imalog_replay *replay)
{
	json_t *checks = json_array();

	for (size_t i = 0; i < imalog_replay_checks(replay); i++) {
		struct imalog_check check;

		imalog_replay_check(replay, i, &check);
		json_array_append_new(checks, json_pack("{s:s, s:I, s:s}", "bank",
							imalog_alg_name(check.bank), "pcr",
							(json_int_t)check.pcr, "verdict",
							imalog_verdict_name(check.verdict)));
	}
	return checks;
}

/* An exit code, with a message */
static int print_object(struct verify *verify, enum imalog_verdict verdict,
			uint64_t matched_at, bool failed)
{
	json_t *json = json_pack("{s:I, s:I, s:I, s:O, s:o, s:s}", "epoch",
				 (json_int_t)verify->number, "segments",
				 (json_int_t)imalog_epoch_segments(verify->epoch), "records",
				 (json_int_t)imalog_replay_records(verify->replay), "findings",
				 verify->findings, "checks", json_checks(verify->replay),
				 "verdict", imalog_verdict_name(verdict));

	if (json && matched_at)
		json_object_set_new(json, "matched_at", json_integer((json_int_t)matched_at));
	if (json && failed)
		json_object_set_new(json, "error",
				    json_string(imalog_error_detail(verify->error)));
	if (print_json(stdout, json))
		return EXIT_YES;
	return stdout_flush() == EXIT_YES ? out_of_memory() : EXIT_UNABLE;
}

static void print_lines(const struct verify *verify, enum imalog_verdict verdict,
			uint64_t matched_at, bool compared)
{
	size_t segments = imalog_epoch_segments(verify->epoch);
	uint64_t records = imalog_replay_records(verify->replay);

	printf("epoch %" PRIu64 ": %zu segment%s, %" PRIu64 " record%s%s: %s\n", verify->number,
	       segments, segments == 1 ? "" : "s", records, records == 1 ? "" : "s",
	       verify->live ? " with those in the kernel" : "",
	       verify->nr_findings ? "not as it should be" :
	       records		   ? "sound" :
				     "nothing to check");
	if (!compared)
		printf("nothing was compared with a TPM\n");
	else if (verdict == IMALOG_MATCH)
		printf("PCR values: match after record %" PRIu64 "\n", matched_at);
	else
		printf("PCR values: %s\n", imalog_verdict_name(verdict));
}

static int judge(const struct verify *verify, enum imalog_verdict verdict, bool compared)
{
	if (verify->nr_findings || (compared && verdict == IMALOG_MISMATCH))
		return EXIT_NO;
	/* An epoch that has lost all that it had looks like a new one. */
	if (imalog_replay_records(verify->replay) == 0) {
		complain("epoch %" PRIu64 " has no records that could be checked",
			 verify->number);
		return EXIT_UNABLE;
	}
	return compared && verdict != IMALOG_MATCH ? EXIT_UNABLE : EXIT_YES;
}

static int finish(struct verify *verify)
{
	bool compared = compare_has_source(verify->compare);
	uint64_t matched_at = 0;
	enum imalog_verdict verdict = imalog_replay_verdict(verify->replay, &matched_at);

	if (!compared)
		verdict = IMALOG_NOT_CHECKED;
	if (verify->findings &&
	    print_object(verify, verdict, matched_at, false) != EXIT_YES)
		return EXIT_UNABLE;
	if (!verify->findings && !verify->options->quiet)
		print_lines(verify, verdict, matched_at, compared);
	return judge(verify, verdict, compared);
}

/* ---- one epoch ---- */

static int run(struct verify *verify)
{
	int rc = check_live(verify), failed;

	/* The TPM first: a list that is read later holds whatever was extended before. */
	if (rc == EXIT_YES)
		rc = compare_read_live(verify->compare, verify->options);
	if (rc == EXIT_YES)
		rc = take_lists(verify);
	if (rc == EXIT_YES)
		rc = compare_apply(verify->compare, IMALOG_PADDING_AUTO, verify->replay);
	if (rc != EXIT_YES)
		return rc;
	imalog_replay_on_problem(verify->replay, on_problem, verify);
	failed = imalog_epoch_check(verify->epoch, verify->replay, verify->options->templates,
				    on_finding, verify, verify->error);
	if (failed < 0) {
		complain_of(NULL, verify->error);
		if (verify->findings)
			print_object(verify, IMALOG_NOT_CHECKED, 0, true);
		return exit_code_of(failed);
	}
	rc = replay_lists(verify);
	return rc == EXIT_YES ? finish(verify) : rc;
}

int store_verify(struct imalog_store **store, uint64_t number, const struct options *options,
		 struct compare *compare, unsigned int wait_ms, bool json)
{
	struct verify verify = { .store = store,
				 .number = number,
				 .options = options,
				 .compare = compare,
				 .wait_ms = wait_ms,
				 .replay = imalog_replay_new(),
				 .error = imalog_error_new(),
				 .findings = json ? json_array() : NULL };
	int rc;

	if (!verify.replay || !verify.error || (json && !verify.findings)) {
		rc = out_of_memory();
	} else {
		rc = imalog_epoch_open(*store, number, &verify.epoch, verify.error);
		if (rc < 0)
			complain_of(NULL, verify.error);
		rc = rc < 0 ? exit_code_of(rc) : run(&verify);
	}
	json_decref(verify.findings);
	imalog_view_free(&verify.lists);
	imalog_epoch_close(&verify.epoch);
	imalog_replay_free(&verify.replay);
	imalog_error_free(&verify.error);
	return rc;
}
