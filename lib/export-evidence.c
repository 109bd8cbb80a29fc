// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What PCR values prove about segments, where their bytes do not
 *
 * Lists repeat: two violations have the same bytes, and so may two lists.  But each extends
 * the PCRs, and no two sequences of records lead to the same values.  So a sequence that leads
 * to what the TPM says, with its end behind the records in question, is what happened.
 *
 * Everything that is in question is on the disk when it is decided; what the kernel still has
 * is read after the TPM.  So others who stage or delete meanwhile can only prevent a decision.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "export.h"

/* Readings of lists and TPM, while others may measure */
#define ATTEMPTS 8

/* A sequence of records: behind a base, a pending segment or none, and the kernel's lists. */
struct sequence {
	struct imalog_export *export;
	const struct imalog_base *base;
	const struct imalog_receipt *segment; /* may be NULL */
	bool listed;	  /* its records are not gone: the lists begin with them */
	bool maybe_listed; /* or they are gone: any of both will do */
	bool with_staged;
	struct imalog_replay *replay;
	uint64_t end; /* of the base and the segment */
};

/* ---- replaying ---- */

/* A failing TPM must not hold up the export: then it is not known. */
static bool read_tpm(struct imalog_export *export)
{
	imalog_witness_free(&export->witness);
	return export->world->read_tpm(export, false, &export->witness, NULL) == 0 &&
	       export->witness.pcrs;
}

static int run_fd(struct sequence *sequence, int fd, struct imalog_error *error)
{
	const struct imalog_base here = { .records = sequence->base->records +
						     imalog_replay_records(sequence->replay) };
	struct imalog_source *source = imalog_source_from_fd(fd, "list");
	struct imalog_reader *reader = NULL;
	int rc;

	if (source)
		reader = imalog_base_reader(&here, source, sequence->export->templates);
	rc = reader ? imalog_replay_run(sequence->replay, reader, error) :
		      imalog_fail_nomem(error);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	close(fd);
	return rc;
}

static int run_segment(struct sequence *sequence, struct imalog_error *error)
{
	const struct imalog_segment segment = {
		.number = sequence->segment->segment,
		.kind = IMALOG_SEGMENT_PENDING,
	};
	int fd = imalog_segment_open(sequence->export->epoch, &segment, error);

	return fd < 0 ? fd : run_fd(sequence, fd, error);
}

static int run_list(struct sequence *sequence, bool staged, struct imalog_error *error)
{
	const struct imalog_export *export = sequence->export;
	int fd, rc = export->world->open_list(export->root, staged, export->wait_ms, &fd,
					      error);

	return rc < 0 ? rc : run_fd(sequence, fd, error);
}

static int run_all(struct sequence *sequence, struct imalog_error *error)
{
	const struct imalog_receipt *segment = sequence->segment;
	int rc = imalog_base_prepare(sequence->base, sequence->export->witness.pcrs,
				     sequence->replay, error);

	if (rc == 0 && segment && !sequence->listed)
		rc = run_segment(sequence, error);
	sequence->end = sequence->base->records + (segment ? segment->records : 0);
	if (rc == 0 && sequence->with_staged && sequence->export->kernel.stages)
		rc = run_list(sequence, true, error);
	return rc < 0 ? rc : run_list(sequence, false, error);
}

/* Do all values hold at one record, the last of the segment or a later one? */
static bool holds_behind(const struct sequence *sequence)
{
	uint64_t first = sequence->end, last = UINT64_MAX;
	size_t nr = imalog_replay_checks(sequence->replay);

	/* No PCR was extended: then the values are those of the base. */
	if (nr == 0)
		return imalog_state_is(&sequence->base->state, sequence->export->witness.pcrs);
	for (size_t i = 0; i < nr; i++) {
		struct imalog_check check;

		imalog_replay_check(sequence->replay, i, &check);
		if (check.verdict != IMALOG_MATCH)
			return false;
		first = check.matched_at > first ? check.matched_at : first;
		last = check.matched_to < last ? check.matched_to : last;
	}
	return first <= last;
}

/* Are the values at the end of the lists those that the TPM has after they were read? */
static int holds_at_end(const struct sequence *sequence, struct imalog_error *error)
{
	struct imalog_state state = { NULL, 0 };
	int rc = imalog_state_copy(&state, &sequence->base->state, error);

	if (rc == 0)
		rc = imalog_state_take(&state, sequence->replay, error);
	if (rc == 0)
		rc = read_tpm(sequence->export) &&
		     imalog_state_is(&state, sequence->export->witness.pcrs);
	imalog_state_free(&state);
	return rc;
}

/*
 * Does this sequence lead to what the TPM said, behind the segment?  Or, with @all, to what it
 * says now, with all that the lists have?  1, 0, or negative
 */
static int leads(struct sequence sequence, bool all, struct imalog_error *error)
{
	int rc;

	sequence.replay = imalog_replay_new();
	if (!sequence.replay)
		return imalog_fail_nomem(error);
	rc = run_all(&sequence, error);
	if (rc == 0)
		rc = all ? holds_at_end(&sequence, error) : holds_behind(&sequence);
	imalog_replay_free(&sequence.replay);
	if (rc != 0 || !sequence.maybe_listed)
		return rc;
	sequence.maybe_listed = false;
	sequence.listed = true;
	return leads(sequence, all, error);
}

/*
 * Which of two sequences is it: IMALOG_MATCH the first, IMALOG_MISMATCH the second, or it is
 * not known
 *
 * When the list goes on with the same bytes once more, the TPM's values of before it was read
 * can be in both: the last records could be later than those values.  Then only values of
 * after it was read tell, if nothing was measured meanwhile.  When both lead to those, they are
 * the same bytes, and so is the log that comes of them.
 */
static int tell_apart(struct sequence one, struct sequence other, struct imalog_error *error)
{
	int is_one = 0, is_other = 0;

	for (int i = 0; i < ATTEMPTS && is_one == is_other; i++) {
		if (!read_tpm(one.export))
			return IMALOG_NOT_CHECKED;
		is_one = leads(one, i > 0, error);
		is_other = is_one < 0 ? is_one : leads(other, i > 0, error);
		if (is_other < 0)
			return is_other;
		if (i == 0 && !is_one && !is_other)
			break;
		if (i > 0 && is_one && is_other)
			return IMALOG_MATCH;
	}
	if (is_one == is_other)
		return IMALOG_NOT_CHECKED;
	return is_one ? IMALOG_MATCH : IMALOG_MISMATCH;
}

/* ---- two pending segments ---- */

/* Have both segments the same records (IMALOG_MATCH), or others (IMALOG_MISMATCH)? */
static int compare_records(struct imalog_export *export, bool newest_is_gone,
			   struct imalog_error *error)
{
	const struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];
	const struct imalog_base later = { .state = first->after,
					   .records = export->base.records + first->records };
	/* Where it is if it is not gone; else nobody knows whether it is. */
	bool staged = !newest_is_gone && imalog_tail_was_staged(export, newest);
	const struct sequence same = { .export = export,
				       .base = &export->base,
				       .segment = newest,
				       .maybe_listed = !newest_is_gone && !staged,
				       .with_staged = !staged };
	struct sequence others = same;

	others.base = &later;
	return tell_apart(same, others, error);
}

int imalog_evidence_settle(struct imalog_export *export, bool newest_is_gone,
			   struct imalog_error *error)
{
	struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];
	int rc;

	if (newest->may_repeat != first->segment)
		return imalog_tail_commit_first(export, error);
	rc = compare_records(export, newest_is_gone, error);
	if (rc < 0)
		return rc;
	if (rc == IMALOG_MATCH) {
		newest->may_repeat = 0;
		return imalog_tail_drop_first(export, error);
	}
	if (rc == IMALOG_MISMATCH) {
		/* Written first, or a crash would bring the doubt back. */
		newest->may_repeat = 0;
		rc = imalog_tail_write(export, newest, error);
		return rc < 0 ? rc : imalog_tail_commit_first(export, error);
	}
	imalog_export_say(
		export, IMALOG_NOTE_WRONG,
		"segment %" PRIu64 " begins with the bytes of segment %" PRIu64
		", and nothing tells whether they are the same records: both are kept",
		newest->segment, first->segment);
	return imalog_tail_commit_first(export, error);
}

/* ---- one pending segment ---- */

/* Has nothing been measured since it was saved? */
static bool is_unchanged(const struct imalog_pcrs *before, const struct imalog_pcrs *now)
{
	for (size_t i = 0; before && i < imalog_pcrs_count(before); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(before, i, &alg, &pcr);
		const uint8_t *other = imalog_pcrs_get(now, alg, pcr);

		if (!other || memcmp(value, other, imalog_alg_size(alg)) != 0)
			return false;
	}
	return before && imalog_pcrs_count(before);
}

/*
 * A saved segment was not deleted by us.  But somebody else may have done that, and staged
 * records of the same bytes.  Of the first records of the list, which nobody needs to stage,
 * this can be after any deletion.
 */
int imalog_evidence_saved(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_receipt *newest = export->pending[export->nr_pending - 1];
	bool listed = !imalog_tail_was_staged(export, newest);
	const struct sequence same = { .export = export,
				       .base = &export->base,
				       .segment = newest,
				       .listed = listed,
				       .with_staged = listed };
	struct sequence others = same;
	struct imalog_witness witness = export->witness;
	int rc;

	/* Without a TPM there is nothing to tell; of two, it is known which one is newer. */
	if (!export->witness.pcrs || export->nr_pending > 1)
		return listed ? IMALOG_NOT_CHECKED : IMALOG_MATCH;
	if (!listed && !newest->staged_before &&
	    is_unchanged(newest->pcrs, export->witness.pcrs))
		return IMALOG_MATCH;
	others.listed = false;
	others.with_staged = true;
	/* What was read, and quoted, for the records to come is kept. */
	export->witness = (struct imalog_witness){ 0 };
	rc = tell_apart(same, others, error);
	imalog_witness_free(&export->witness);
	export->witness = witness;
	return rc;
}

/* ---- epochs ---- */

/* Does the list of this boot begin with the first record since a reset? */
static int is_fresh(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_base nothing = { .records = 0 };

	return leads(
		(struct sequence){ .export = export, .base = &nothing, .with_staged = true },
		false, error);
}

/* Does it follow what the store has, with or without what is pending? */
static int follows(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_base base = export->base;
	const struct sequence list = { .export = export, .base = &base, .with_staged = true };
	int rc = leads(list, false, error);

	for (size_t i = 0; rc == 0 && i < export->nr_pending; i++) {
		const struct imalog_receipt *pending = export->pending[i];

		base = (struct imalog_base){ .state = pending->after,
					     .records =
						     pending->first + pending->records - 1 };
		rc = leads(list, false, error);
	}
	return rc;
}

static int start_new(struct imalog_export *export, struct imalog_error *error)
{
	int rc = 0;

	while (rc == 0 && export->nr_pending)
		rc = imalog_tail_commit_first(export, error);
	if (rc == 0)
		rc = imalog_tail_new_epoch(export, error);
	if (rc == 0)
		imalog_export_say(export, IMALOG_NOTE_INFO, "epoch %" PRIu64 " begins",
				  export->epoch->number);
	return rc;
}

/* What the TPM's counter says, as far as both are known */
static bool has_been_reset(const struct imalog_export *export, bool *known)
{
	const struct imalog_past *past = &export->past;
	bool has_clock = past->has_clock;
	uint32_t count = past->clock.reset_count;

	if (export->nr_pending) {
		const struct imalog_receipt *newest = export->pending[export->nr_pending - 1];

		has_clock = newest->has_clock;
		count = newest->clock.reset_count;
	}
	*known = has_clock && export->witness.has_clock;
	return *known && count != export->witness.clock.reset_count;
}

static int judge_epoch(struct imalog_export *export, struct imalog_error *error)
{
	bool known, reset = has_been_reset(export, &known), new = !known || reset;
	int rc = new ? is_fresh(export, error) : follows(export, error);

	if (rc == 0) {
		new = !new;
		rc = new ? is_fresh(export, error) : follows(export, error);
	}
	if (rc < 0)
		return rc;
	if (rc)
		return new ? start_new(export, error) : 0;
	if (reset) {
		rc = start_new(export, error);
		imalog_export_say(
			export, IMALOG_NOTE_WRONG,
			"the TPM was reset, but the list does not lead to its values: "
			"nothing proves that it is complete");
		return rc;
	}
	imalog_export_say(
		export, IMALOG_NOTE_WRONG,
		"this is another boot, and nothing proves whether its list follows what "
		"the store has: it is added to epoch %" PRIu64 ", marked as undetermined",
		export->epoch->number);
	return 0;
}

int imalog_evidence_epoch(struct imalog_export *export, struct imalog_error *error)
{
	const char *boot_id = imalog_tail_boot_id(export);

	/* An epoch without segments begins with what is there now. */
	if (!boot_id || (boot_id[0] && strcmp(boot_id, export->kernel.boot_id) == 0))
		return 0;
	if (export->witness.pcrs)
		return judge_epoch(export, error);
	imalog_export_say(
		export, IMALOG_NOTE_INFO,
		"this is another boot, and without a TPM nothing tells whether its list "
		"follows what the store has: it is added to epoch %" PRIu64
		", marked as undetermined",
		export->epoch->number);
	return 0;
}
