// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog status: does what store and kernel have lead to the TPM's values? */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "status.h"

/* ---- the TPM ---- */

static bool read_tpm(struct status *status)
{
	struct compare *compare = &status->compare;

	/* The one that an export would take */
	if (!compare->tpm && !compare->sysfs)
		status->no_tpm = compare_choose_tpm(compare, &status->options,
						    &status->config) == IMALOG_TPM_NONE;
	else if (compare->tpm && !compare->tcti)
		compare->tcti = status->config.tcti;
	if (!compare->tpm && !compare->sysfs)
		status_find(status, IMALOG_NOTE_UNCHECKED,
			    "without a TPM a measurement list proves nothing",
			    status->no_tpm ? "the TPM was not asked" :
					     "there is no TPM to compare with");
	else if (compare_read_live(compare, &status->options) != EXIT_YES)
		status_find(status, IMALOG_NOTE_UNCHECKED, NULL,
			    "the TPM cannot be read");
	else
		status->tpm = compare->tpm ? "tpm2-tss" : "sysfs";
	return status->tpm;
}

/* Reads it once more: are the values that the log leads to still the same? */
static enum imalog_answer is_quiet(struct status *status)
{
	struct compare again = { .tpm = status->compare.tpm,
				 .sysfs = status->compare.sysfs,
				 .tcti = status->compare.tcti };
	bool read = compare_read_live(&again, &status->options) == EXIT_YES, same = read;

	for (size_t i = 0; same && i < imalog_replay_checks(status->replay); i++) {
		struct imalog_check check;
		const uint8_t *value;

		imalog_replay_check(status->replay, i, &check);
		value = imalog_pcrs_get(again.live, check.bank, check.pcr);
		same = value &&
		       memcmp(value, check.expected, imalog_alg_size(check.bank)) == 0;
	}
	imalog_pcrs_free(&again.live);
	return !read ? IMALOG_UNKNOWN : same ? IMALOG_YES : IMALOG_NO;
}

/* ---- the log ---- */

static void on_record(void *arg, const struct imalog_record *record)
{
	struct status *status = arg;

	if (imalog_record_number(record) == 1)
		status->from_start = imalog_record_is_boot_aggregate(record);
	status->part_bytes += imalog_record_raw(record).size;
}

/* Leaves out the records that the parts before have. */
static int skip_records(struct imalog_reader *reader, uint64_t records,
			struct imalog_error *error)
{
	struct imalog_record *record;
	int rc = 1;

	for (uint64_t i = 0; rc > 0 && i < records; i++) {
		rc = imalog_reader_next(reader, &record, error);
		if (rc > 0)
			imalog_reader_release(reader, imalog_record_number(record));
	}
	return rc < 0 ? rc : 0;
}

static int replay_fd(struct status *status, int fd, const char *name, uint64_t skip)
{
	struct imalog_source *source = imalog_source_from_fd(fd, name);
	struct imalog_reader *reader =
		source ? imalog_reader_new(source, status->options.templates) : NULL;
	uint64_t first = imalog_replay_records(status->replay) + 1;
	int rc = -IMALOG_ERR_NOMEM;

	if (reader) {
		/* Violations alone would not tell it. */
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, 20);
		imalog_reader_set_first_record(reader, first > skip ? first - skip : 1);
		rc = skip_records(reader, skip, status->error);
		if (rc == 0)
			rc = imalog_replay_run(status->replay, reader, status->error);
	}
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	return rc;
}

static int replay_part(struct status *status, const struct imalog_plan *plan, size_t i)
{
	uint64_t before = imalog_replay_records(status->replay);
	struct count count = { .known = true };
	int fd, rc = imalog_plan_open(plan, i, &fd, status->error);

	if (rc < 0)
		return rc;
	status->part_bytes = 0;
	rc = replay_fd(status, fd, imalog_plan_name(plan, i), imalog_plan_skip(plan, i));
	close(fd);
	if (rc < 0)
		return rc;
	count.records = imalog_replay_records(status->replay) - before;
	count.bytes = status->part_bytes;
	if (imalog_plan_kind(plan, i) == IMALOG_PART_LIST)
		status->listed = count;
	else if (imalog_plan_kind(plan, i) == IMALOG_PART_STAGED)
		status->staged = count;
	return 0;
}

static void find_notes(struct status *status, const struct imalog_view *view)
{
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_view_note(view, i, &kind)); i++)
		status_find(
			status, kind,
			kind == IMALOG_NOTE_INFO ?
				NULL :
				"'imalog export' finishes what can be finished; 'imalog store "
				"list' shows what is there; a store of another machine does not "
				"belong here",
			"%s", note);
}

/* All that was measured is gone, although there was something. */
static bool is_emptied(const struct status *status)
{
	static const uint8_t zeros[IMALOG_DIGEST_MAX];
	bool extended = false;

	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++) {
		const uint8_t *value =
			imalog_pcrs_get(status->compare.live, (enum imalog_alg)alg, 10);

		extended |= value && memcmp(value, zeros,
					    imalog_alg_size((enum imalog_alg)alg)) != 0;
	}
	return extended && imalog_replay_records(status->replay) == 0;
}

static void judge_mismatch(struct status *status)
{
	uint64_t problem = imalog_replay_first_problem(status->replay);

	if (problem)
		status_find(status, IMALOG_NOTE_WRONG,
			    "'imalog replay' names all of them",
			    "record %" PRIu64
			    " is not what was measured: its digest does not "
			    "fit",
			    problem);
	else if (status->from_start)
		status_find(
			status, IMALOG_NOTE_WRONG,
			"somebody else has extended a PCR, a record did not reach the TPM, or "
			"records are lost: nothing proves this log until the next boot; "
			"'imalog replay' says more",
			"the log does not lead to the TPM's values");
	else
		status_find(
			status, IMALOG_NOTE_WRONG,
			"if they are in another store, name it (--store, or imalog.conf)",
			"the log does not lead to the TPM's values: its first records were "
			"taken out of the kernel, and are not in the store");
}

/*
 * Whoever measures adds a record and then extends the PCR, one record after the other:
 * when the TPM is quiet, all but the last have reached it.
 */
static void judge_match(struct status *status)
{
	uint64_t later = imalog_replay_records(status->replay) - status->matched_at;

	if (later && status->quiet == IMALOG_UNKNOWN)
		status_find(status, IMALOG_NOTE_UNCHECKED, NULL,
			    "whether the last %" PRIu64
			    " record%s reached the TPM is not known: it cannot be read once more",
			    later, later == 1 ? "" : "s");
	if (later && status->quiet == IMALOG_YES)
		status_find(
			status, IMALOG_NOTE_WRONG,
			"the kernel's log may have errors of the TPM; nothing proves what is "
			"measured from now on, until the next boot",
			"the TPM knows the log up to record %" PRIu64 " only: %" PRIu64
			" did not reach it",
			status->matched_at, later);
}

static void judge_log(struct status *status)
{
	if (!status->tpm)
		return;
	if (status->doubtful) {
		status->verdict = IMALOG_NOT_CHECKED;
		if (imalog_replay_first_problem(status->replay))
			judge_mismatch(status);
	} else if (is_emptied(status)) {
		status->verdict = IMALOG_MISMATCH;
		judge_mismatch(status);
	} else if (status->verdict == IMALOG_MISMATCH) {
		judge_mismatch(status);
	} else if (status->verdict == IMALOG_NOT_CHECKED) {
		status_find(status, IMALOG_NOTE_UNCHECKED, NULL,
			    "there is nothing in the log to compare with the TPM");
	} else {
		judge_match(status);
	}
}

/* What the store has and what the kernel has, as one log */
static int replay_log(struct status *status, struct imalog_view *view)
{
	const struct imalog_plan *plan;
	enum imalog_tpm_use use = status->compare.tpm	? IMALOG_TPM_TSS :
				  status->compare.sysfs ? IMALOG_TPM_SYSFS :
							  IMALOG_TPM_NONE;
	int rc = imalog_view_set_tpm(view, use, status->compare.tcti, status->error);

	imalog_view_set_wait(view, status->config.wait_ms);
	if (rc == 0)
		rc = imalog_view_take(view, status->error);
	if (rc < 0)
		return rc;
	plan = imalog_view_plan(view);
	status->staged = (struct count){ .known = true };
	for (size_t i = 0; rc == 0 && i < imalog_plan_parts(plan); i++)
		rc = replay_part(status, plan, i);
	return rc;
}

/* Moments to look for one at which nothing is measured */
#define ATTEMPTS 5
#define PAUSE_NS 50000000L

/* The TPM first: whatever it was extended with is in the log that is read later. */
static int attempt(struct status *status, struct imalog_view *view)
{
	int rc;

	imalog_replay_free(&status->replay);
	status->replay = imalog_replay_new();
	if (!status->replay || compare_apply(&status->compare, IMALOG_PADDING_AUTO,
					     status->replay) != EXIT_YES)
		return -IMALOG_ERR_NOMEM;
	imalog_replay_on_record(status->replay, on_record, status);
	rc = replay_log(status, view);
	if (rc < 0)
		return rc;
	status->replayed = true;
	status->doubtful = imalog_view_is_doubtful(view);
	if (!status->tpm)
		return 0;
	status->verdict = imalog_replay_verdict(status->replay, &status->matched_at);
	status->quiet = is_quiet(status);
	return 0;
}

static bool covers_all(const struct status *status)
{
	return status->verdict != IMALOG_MATCH ||
	       status->matched_at == imalog_replay_records(status->replay);
}

void status_look_at_log(struct status *status)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct imalog_view *view =
		imalog_view_new(status->options.root, status->config.store);
	bool has_tpm = read_tpm(status);
	int rc = view ? attempt(status, view) : -IMALOG_ERR_NOMEM;

	for (int i = 1; has_tpm && i < ATTEMPTS && rc == 0 && !covers_all(status) &&
			status->quiet != IMALOG_UNKNOWN;
	     i++) {
		nanosleep(&pause, NULL);
		if (compare_read_live(&status->compare, &status->options) == EXIT_YES)
			rc = attempt(status, view);
		else
			status->quiet = IMALOG_UNKNOWN;
	}
	if (rc < 0)
		status_find_error(status, rc);
	else
		judge_log(status);
	if (view)
		find_notes(status, view);
	imalog_view_free(&view);
}
