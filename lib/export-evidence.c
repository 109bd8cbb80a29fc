// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What PCR values prove about segments, where their bytes do not (sequence.c)
 *
 * Everything that is in question is on the disk when it is decided; what the kernel still has
 * is read after the TPM, while nobody else can stage or delete.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "export.h"

/*
 * How many of each half of the sequences lead to the TPM's values; 1, 0 without those, or
 * negative
 *
 * From before the TPM is read until the last of them is replayed the list is open: so long the
 * kernel lets nobody write to one of its files.  Else each sequence could end with another
 * list, and a wrong one lead there alone.
 */
static int count_both(struct imalog_export *export, const struct imalog_sequence *sequences,
		      size_t half, bool all, int counts[2], struct imalog_error *error)
{
	size_t which;
	int hold, rc = imalog_sequence_open_list(export, false, &hold, error);

	if (rc < 0)
		return rc;
	rc = imalog_sequence_read_tpm(export);
	for (int i = 0; rc > 0 && i < 2; i++) {
		counts[i] = imalog_sequence_count(export, sequences + i * half, half, all,
						  &which, error);
		rc = counts[i] < 0 ? counts[i] : rc;
	}
	close(hold);
	return rc;
}

/*
 * Which is it: IMALOG_MATCH one of the first half of these sequences, IMALOG_MISMATCH one of the
 * second, or it is not known
 *
 * When the list goes on with the same bytes once more, the TPM's values of before it was read
 * can be in both: the last records could be later than those values.  Then only values of
 * after it was read tell, if nothing was measured meanwhile.  When both halves lead to those,
 * they are the same bytes, and so is the log that comes of them.
 */
static int tell_apart(struct imalog_export *export, const struct imalog_sequence *sequences,
		      size_t half, struct imalog_error *error)
{
	struct imalog_witness witness = export->witness;
	int verdict = IMALOG_NOT_CHECKED, rc = 1;

	/* What was read, and quoted, for the records to come is kept. */
	export->witness = (struct imalog_witness){ 0 };
	for (int i = 0; i < IMALOG_SEQUENCE_ATTEMPTS && verdict == IMALOG_NOT_CHECKED; i++) {
		int counts[2] = { 0, 0 };

		rc = count_both(export, sequences, half, i > 0, counts, error);
		if (rc <= 0)
			break;
		if (counts[0] && (!counts[1] || i > 0))
			verdict = IMALOG_MATCH;
		else if (counts[1] && !counts[0])
			verdict = IMALOG_MISMATCH;
		else if (i == 0 && !counts[0])
			break;
	}
	imalog_witness_free(&export->witness);
	export->witness = witness;
	return rc < 0 ? rc : verdict;
}

/* ---- two pending segments ---- */

/*
 * Have both segments the same records (IMALOG_MATCH), or others (IMALOG_MISMATCH)?  Where the
 * newest can be, if it is not gone: it is what is staged, or the lists may begin with it, or may
 * not any more.  So it is with the first records of a list, and with those of another boot, whose
 * list a kexec has put at the start of this one, or has lost.
 */
static int compare_records(struct imalog_export *export, bool newest_is_gone,
			   struct imalog_error *error)
{
	const struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];
	bool staged = !newest_is_gone && imalog_tail_was_staged(export, newest);
	bool listed = !newest_is_gone && !staged;
	const struct imalog_sequence saved = { .base = &export->base,
					       .segments = { newest },
					       .with_staged = !staged };
	struct imalog_sequence four[4] = { saved, saved, saved, saved };

	/* The same records: newest, list; or list.  Others: first, newest, list; first, list */
	four[1].segments[0] = NULL;
	four[1].in_lists = newest->records;
	four[2].segments[0] = four[3].segments[0] = first;
	four[2].segments[1] = newest;
	four[3].in_lists = newest->records;
	if (listed)
		return tell_apart(export, four, 2, error);
	four[1] = four[2];
	return tell_apart(export, four, 1, error);
}

/*
 * By the values that the TPM had when the newest was saved: its lists are there no more.  What
 * was staged before they were read is in them, at least.
 */
static int compare_after_reset(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];
	uint64_t end = newest->staged_before ? 0 : export->base.records + first->records;
	const struct imalog_sequence both[2] = {
		{ .base = &export->base, .segments = { newest }, .alone = true, .end = end },
		{ .base = &export->base,
		  .segments = { first, newest },
		  .alone = true,
		  .end = end },
	};
	struct imalog_witness witness = export->witness;
	size_t which = 0;
	int count;

	if (!newest->pcrs)
		return IMALOG_NOT_CHECKED;
	export->witness = (struct imalog_witness){ .pcrs = newest->pcrs };
	count = imalog_sequence_count(export, both, 2, false, &which, error);
	export->witness = witness;
	if (count != 1)
		return count < 0 ? count : IMALOG_NOT_CHECKED;
	return which == 0 ? IMALOG_MATCH : IMALOG_MISMATCH;
}

/* Acts on what is known of two pending segments. */
static int settle(struct imalog_export *export, int verdict, struct imalog_error *error)
{
	struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];
	int rc;

	if (verdict < 0)
		return verdict;
	if (verdict == IMALOG_MATCH) {
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "segment %" PRIu64
				  ": an earlier run had saved it and deleted nothing: segment "
				  "%" PRIu64 " has its records, too",
				  first->segment, newest->segment);
		newest->may_repeat = 0;
		return imalog_tail_drop_first(export, error);
	}
	if (verdict == IMALOG_MISMATCH) {
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

static bool is_in_doubt(const struct imalog_export *export)
{
	return export->nr_pending == IMALOG_PENDING_MAX &&
	       export->pending[1]->may_repeat == export->pending[0]->segment;
}

int imalog_evidence_settle(struct imalog_export *export, bool newest_is_gone,
			   struct imalog_error *error)
{
	if (!is_in_doubt(export))
		return imalog_tail_commit_first(export, error);
	return settle(export, compare_records(export, newest_is_gone, error), error);
}

/* ---- one pending segment ---- */

/*
 * A saved segment was not deleted by us.  But somebody else may have done that, and staged
 * records of the same bytes.  Of the first records of the list, which nobody needs to stage,
 * this can be after any deletion.
 */
int imalog_evidence_saved(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_receipt *newest = export->pending[export->nr_pending - 1];
	bool staged = imalog_tail_was_staged(export, newest);
	const struct imalog_sequence both[2] = {
		{ .base = &export->base,
		  .segments = { staged ? newest : NULL },
		  .with_staged = !staged,
		  .in_lists = staged ? 0 : newest->records },
		{ .base = &export->base, .segments = { newest }, .with_staged = true },
	};

	/* Of two, the one before is in question, too. */
	if (!export->witness.pcrs || export->nr_pending > 1)
		return IMALOG_NOT_CHECKED;
	return tell_apart(export, both, 1, error);
}

/* ---- a segment without a receipt ---- */

int imalog_evidence_orphan(struct imalog_export *export, const struct imalog_receipt *orphan,
			   struct imalog_error *error)
{
	const struct imalog_receipt *first = export->nr_pending ? export->pending[0] : NULL;
	const struct imalog_sequence four[4] = {
		{ .base = &export->base, .with_staged = true },
		{ .base = &export->base, .segments = { first }, .with_staged = true },
		{ .base = &export->base, .segments = { orphan }, .with_staged = true },
		{ .base = &export->base, .segments = { first, orphan }, .with_staged = true },
	};

	return tell_apart(export, four, 2, error);
}

/* ---- epochs ---- */

/* Does the list of this boot begin with the first record since a reset? */
static int is_fresh(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_base nothing = { .records = 0 };

	return imalog_sequence_leads(
		export, &(struct imalog_sequence){ .base = &nothing, .with_staged = true },
		false, error);
}

/* Does it follow what the store has, with or without what is pending? */
static int follows(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_base base = export->base;
	const struct imalog_sequence list = { .base = &base, .with_staged = true };
	const struct imalog_sequence all = { .base = &export->base,
					     .segments = { export->pending[0],
							   export->pending[1] },
					     .with_staged = true };
	int rc = imalog_sequence_leads(export, &list, false, error);

	for (size_t i = 0; rc == 0 && i < export->nr_pending; i++) {
		const struct imalog_receipt *pending = export->pending[i];

		base = (struct imalog_base){ .state = pending->after,
					     .records =
						     pending->first + pending->records - 1 };
		rc = imalog_sequence_leads(export, &list, false, error);
	}
	/* What comes after both, no receipt says. */
	if (rc == 0 && export->nr_pending == IMALOG_PENDING_MAX)
		rc = imalog_sequence_leads(export, &all, false, error);
	return rc;
}

static int start_new(struct imalog_export *export, struct imalog_error *error)
{
	int rc = 0;

	if (is_in_doubt(export))
		rc = settle(export, compare_after_reset(export, error), error);
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

int imalog_evidence_judge(struct imalog_export *export, struct imalog_error *error)
{
	bool known, reset, new;
	int rc;

	/*
	 * An epoch without segments begins with what is there now.  A segment with all of it proves
	 * that itself, but the first records of the list do not.
	 */
	if (!imalog_tail_boot_id(export) && export->trim.wanted && export->witness.pcrs)
		export->placed = is_fresh(export, NULL) > 0;
	if (!imalog_tail_is_of_other_boot(export))
		return IMALOG_BELONGS;
	if (!export->witness.pcrs)
		return IMALOG_BELONGS_NO_TPM;
	reset = has_been_reset(export, &known);
	new = reset || (!known && !imalog_boundary_is_crossed(export));
	rc = new ? is_fresh(export, error) : follows(export, error);
	if (rc == 0) {
		new = !new;
		rc = new ? is_fresh(export, error) : follows(export, error);
	}
	if (rc < 0)
		return rc;
	export->placed = rc;
	if (rc)
		return new ? IMALOG_BELONGS_TO_NEW : IMALOG_BELONGS;
	return reset ? IMALOG_BELONGS_AFTER_RESET : IMALOG_BELONGS_UNKNOWN;
}

int imalog_evidence_epoch(struct imalog_export *export, struct imalog_error *error)
{
	int rc = imalog_evidence_judge(export, error);

	if (rc >= 0 && export->boundary && !export->crossed) {
		imalog_boundary_say(export, (enum imalog_belongs)rc);
		export->crossed = true;
	}
	switch (rc) {
	case IMALOG_BELONGS_TO_NEW:
		return start_new(export, error);
	case IMALOG_BELONGS_AFTER_RESET:
		rc = start_new(export, error);
		imalog_export_say(
			export, IMALOG_NOTE_WRONG,
			"the TPM was reset, but the list does not lead to its values: "
			"nothing proves that it is complete");
		return rc;
	case IMALOG_BELONGS_UNKNOWN:
		imalog_export_say(
			export, IMALOG_NOTE_WRONG,
			"this is another boot, and nothing proves whether its list follows "
			"what the store has: it is added to epoch %" PRIu64
			", marked as undetermined",
			export->epoch->number);
		return 0;
	case IMALOG_BELONGS_NO_TPM:
		imalog_export_say(
			export,
			export->lacks_tpm ? IMALOG_NOTE_UNCHECKED : IMALOG_NOTE_INFO,
			"this is another boot, and without a TPM nothing tells whether its "
			"list follows what the store has: it is added to epoch %" PRIu64
			", marked as undetermined",
			export->epoch->number);
		return 0;
	default:
		return rc < 0 ? rc : 0;
	}
}
