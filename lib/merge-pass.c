// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One pass over the parts of a plan: replayed, held against the receipts, and written, all while
 * the records go by
 */
#include <inttypes.h>
#include <string.h>

#include "merge-engine.h"

/* Records with a problem that are named one by one */
#define SHOWN_MAX 10

struct run {
	struct imalog_merge_pass *pass;
	struct imalog_merge *merge;
	struct imalog_error *error;
	int rc; /* of what went wrong at a record */
	uint64_t records;
	size_t part, piece; /* at hand */
	struct imalog_stream *sum; /* of a piece that has a receipt */
	uint64_t bytes;
	struct imalog_ledger *ledger;
	struct imalog_output output;
	struct imalog_hasher *hasher; /* for what is left out */
	uint64_t problems;
};

static void keep_first(struct run *run, int rc)
{
	if (run->rc == 0 && rc < 0)
		run->rc = rc;
}

/* ---- a record ---- */

static void add_bytes(struct run *run, const struct imalog_record *record)
{
	run->bytes += record->raw.size;
	if (run->sum)
		imalog_stream_add(run->sum, record->raw.data, record->raw.size);
}

/* What the output cannot have is named with the piece that has it. */
static void write_record(struct run *run, const struct imalog_record *record)
{
	int rc = imalog_output_put(&run->output, record, run->error);

	if (rc == -IMALOG_ERR_UNSUPPORTED)
		imalog_error_set_source(run->error, run->merge->pieces[run->piece].name);
	keep_first(run, rc);
}

static void on_record(void *arg, const struct imalog_record *record)
{
	struct run *run = arg;

	run->records++;
	add_bytes(run, record);
	keep_first(run, imalog_ledger_record(run->ledger, record, run->records, run->error));
	if (run->pass->match)
		imalog_quote_match_feed(run->pass->match, record);
	if (run->pass->write && run->rc == 0)
		write_record(run, record);
	if (run->merge->on_record)
		run->merge->on_record(run->merge->record_arg, record);
}

static void on_problem(void *arg, const struct imalog_record *record,
		       enum imalog_problem problem)
{
	struct run *run = arg;
	bool opaque = problem == IMALOG_PROBLEM_OPAQUE || problem == IMALOG_PROBLEM_UNCHECKED;
	enum imalog_merge_problem kind = opaque ? IMALOG_MERGE_OTHER : IMALOG_MERGE_EDITED;
	char shown[IMALOG_PIECE_SHOWN];

	if (++run->problems > SHOWN_MAX)
		return;
	keep_first(run, imalog_notes_add(&run->pass->notes, kind, run->piece, run->error,
					 "%s, record %" PRIu64 " of the log, at 0x%" PRIx64
					 ": %s",
					 imalog_piece_show(run->merge, run->piece, shown),
					 record->number, record->offset,
					 imalog_problem_text(problem)));
}

/* ---- a part ---- */

static bool is_compared(const struct run *run, const struct imalog_record *record)
{
	const struct imalog_pcrs *expected = imalog_replay_setup(run->pass->replay).expected;
	bool any = false;

	if (!imalog_record_extends_pcr(record))
		return false;
	for (size_t i = 0; !run->merge->quote && i < imalog_pcrs_count(expected); i++) {
		enum imalog_alg alg;
		uint32_t pcr;

		imalog_pcrs_at(expected, i, &alg, &pcr);
		any |= pcr == record->index;
	}
	for (int alg = 0; run->merge->quote && alg < IMALOG_ALG_COUNT; alg++)
		any |= imalog_quote_selects(run->merge->quote, (enum imalog_alg)alg,
					    record->index);
	return any;
}

/* The records that are left out are not replayed: whether they are intact is seen here. */
static int check_skipped(struct run *run, struct imalog_record *record)
{
	int fit;

	if (record->violation || record->content == IMALOG_CONTENT_DIGEST_ONLY)
		return 0;
	if (!run->hasher)
		run->hasher = imalog_hasher_new();
	if (!run->hasher)
		return imalog_fail_nomem(run->error);
	fit = imalog_record_verify(record, run->hasher, run->error);
	if (fit != IMALOG_FIT_NO)
		return fit < 0 ? fit : 0;
	run->pass->contradicts = true;
	on_problem(run, record, IMALOG_PROBLEM_DIGEST);
	return 0;
}

/* Reads what the parts before have already. */
static int skip_records(struct run *run, struct imalog_reader *reader, uint64_t skip)
{
	struct imalog_record *record;
	int rc = 1;

	for (uint64_t i = 0; rc > 0 && i < skip; i++) {
		rc = imalog_reader_next(reader, &record, run->error);
		if (rc <= 0)
			break;
		add_bytes(run, record);
		run->pass->plan->parts[run->part].weighed = is_compared(run, record);
		rc = check_skipped(run, record);
		if (rc == 0)
			rc = imalog_ledger_skip(run->ledger, record, run->error);
		imalog_reader_release(reader, record->number);
		rc = rc < 0 ? rc : 1;
	}
	return rc < 0 ? rc : imalog_ledger_compare(run->ledger, run->part, run->error);
}

/* Is the piece what its receipt says?  In another form, its values told already. */
static int check_sum(struct run *run)
{
	struct imalog_item *item = &run->merge->items[run->piece];
	uint8_t sha256[IMALOG_SHA256_SIZE];
	char shown[IMALOG_PIECE_SHOWN];
	int rc = imalog_stream_digest(run->sum, sha256, run->error);

	item->checked = rc == 0;
	item->fits = item->other_form ||
		     (run->bytes == item->receipt->bytes &&
		      memcmp(sha256, item->receipt->sha256, sizeof(sha256)) == 0);
	if (rc < 0 || item->fits)
		return rc;
	run->pass->misfit = run->piece;
	return imalog_notes_add(&run->pass->notes, IMALOG_MERGE_EDITED, run->piece, run->error,
				"%s has the size of segment %" PRIu64
				" but not its SHA-256: it was changed",
				imalog_piece_show(run->merge, run->piece, shown),
				item->receipt->segment);
}

static int run_reader(struct run *run, struct imalog_reader *reader)
{
	struct imalog_part *part = &run->pass->plan->parts[run->part];
	uint64_t before = run->records;
	int rc = skip_records(run, reader, part->skip);

	if (rc == 0)
		rc = imalog_replay_run(run->pass->replay, reader, run->error);
	part->records = run->records - before;
	if (rc == 0)
		rc = run->rc;
	return rc == 0 && run->sum ? check_sum(run) : rc;
}

static int read_part(struct run *run)
{
	uint64_t skip = run->pass->plan->parts[run->part].skip;
	struct imalog_piece_reader reader;
	int rc;

	/* The first record that is not skipped is the next one of the log. */
	if (skip > run->records)
		skip = run->records;
	rc = imalog_piece_read(run->merge, run->piece, run->records + 1 - skip, &reader,
			       run->error);
	if (rc < 0)
		return rc;
	rc = run_reader(run, reader.reader);
	imalog_piece_done(&reader);
	return rc;
}

/* What a piece has before it ends too early counts; that it does is a result. */
static int say_broken(struct run *run, int code)
{
	enum imalog_merge_problem kind = code == -IMALOG_ERR_TRUNCATED ? IMALOG_MERGE_CUT :
									 IMALOG_MERGE_OTHER;
	char shown[IMALOG_PIECE_SHOWN], text[320];

	run->pass->broken = run->piece;
	imalog_error_format(run->error, text, sizeof(text));
	return imalog_notes_add(&run->pass->notes, kind, run->piece, run->error,
				"%s cannot be read to its end: %s",
				imalog_piece_show(run->merge, run->piece, shown), text);
}

static int run_part(struct run *run)
{
	int rc = 0;

	run->piece = run->pass->plan->parts[run->part].piece;
	run->bytes = 0;
	if (run->merge->items[run->piece].receipt)
		rc = imalog_sum_begin(&run->sum, run->error);
	if (rc == 0)
		rc = read_part(run);
	imalog_stream_free(&run->sum);
	if (rc < 0 && rc > -IMALOG_ERR_INVALID && rc != -IMALOG_ERR_AMBIGUOUS)
		rc = say_broken(run, rc);
	return rc;
}

/* ---- the plan ---- */

static int prepare(struct run *run)
{
	struct imalog_merge_pass *pass = run->pass;
	struct imalog_merge *merge = run->merge;
	int rc = 0;

	pass->replay = imalog_replay_new();
	if (!pass->replay)
		return imalog_fail_nomem(run->error);
	if (merge->prepare)
		rc = merge->prepare(merge->prepare_arg, pass->replay);
	if (rc < 0)
		return imalog_fail(run->error, (enum imalog_code)-rc, "",
				   "the replay could not be prepared");
	if (merge->quote)
		rc = imalog_quote_match_new(merge->quote, pass->replay, merge->others,
					    &pass->match, run->error);
	imalog_replay_on_record(pass->replay, on_record, run);
	imalog_replay_on_problem(pass->replay, on_problem, run);
	return rc < 0 ? rc : imalog_ledger_open(pass, &run->ledger, run->error);
}

static int judge(struct run *run)
{
	struct imalog_merge_pass *pass = run->pass;
	const struct imalog_quote *quote = run->merge->quote;
	int rc;

	if (!pass->match) {
		pass->verdict = imalog_replay_verdict(pass->replay, &pass->matched_at);
		return 0;
	}
	rc = imalog_quote_match_finish(pass->match, run->error);
	pass->verdict = imalog_quote_verdict(quote, IMALOG_QUOTE_LOG);
	pass->matched_at = imalog_quote_match_at(pass->match);
	return rc;
}

static int run_plan(struct run *run)
{
	int rc = prepare(run);

	if (rc == 0)
		rc = imalog_ledger_values(run->ledger, 0, run->error);
	for (; rc == 0 && run->part < run->pass->plan->nr_parts; run->part++) {
		rc = run_part(run);
		if (run->pass->broken != IMALOG_NOWHERE || run->output.stopped)
			break;
	}
	if (rc == 0 && run->pass->write && run->pass->broken == IMALOG_NOWHERE)
		rc = imalog_output_finish(&run->output, run->error);
	if (rc == 0 && !run->output.stopped)
		rc = judge(run);
	if (run->pass->replay) {
		imalog_replay_on_record(run->pass->replay, NULL, NULL);
		imalog_replay_on_problem(run->pass->replay, NULL, NULL);
	}
	imalog_output_end(&run->output);
	imalog_hasher_free(&run->hasher);
	imalog_ledger_close(&run->ledger);
	return rc;
}

/* Once more from the start, if what was written has to be of another form */
static int run_once(struct imalog_merge_pass *pass, bool *again, struct imalog_error *why)
{
	struct run run = { .pass = pass, .merge = pass->merge, .error = why };
	int rc, os_errno = 0;

	imalog_merge_pass_free(pass);
	pass->misfit = pass->broken = IMALOG_NOWHERE;
	pass->contradicts = false;
	run.output.merge = pass->merge;
	if (pass->write && pass->merge->write)
		os_errno = pass->merge->restart(pass->merge->write_arg);
	if (os_errno)
		return imalog_fail_errno(why, os_errno, "cannot write");
	rc = run_plan(&run);
	*again = rc == 0 && run.output.stopped;
	/* Either was counted, or turned out to be of several forms. */
	pass->merge->mixed |= *again && !run.output.counts;
	return rc;
}

int imalog_merge_pass(struct imalog_merge_pass *pass, struct imalog_error *error)
{
	struct imalog_error *why = imalog_error_new();
	bool again = true;
	int rc = 0;

	if (!why)
		return imalog_fail_nomem(error);
	pass->merge->counted = false;
	while (rc == 0 && again)
		rc = run_once(pass, &again, why);
	if (rc < 0)
		imalog_error_copy(error, why);
	imalog_error_free(&why);
	return rc;
}

void imalog_merge_pass_free(struct imalog_merge_pass *pass)
{
	imalog_quote_match_free(&pass->match);
	imalog_replay_free(&pass->replay);
	imalog_notes_free(&pass->notes);
}
