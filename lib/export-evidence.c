// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What PCR values prove about segments, where their bytes do not (sequence.c)
 *
 * Everything that is in question is on the disk when it is decided; what the kernel still has
 * is read after the TPM.  So others who stage or delete meanwhile can only prevent a decision.
 */
#include <inttypes.h>
#include <string.h>

#include "export.h"

/*
 * Which of two sequences is it: IMALOG_MATCH the first, IMALOG_MISMATCH the second, or it is
 * not known
 *
 * When the list goes on with the same bytes once more, the TPM's values of before it was read
 * can be in both: the last records could be later than those values.  Then only values of
 * after it was read tell, if nothing was measured meanwhile.
 */
static int tell_apart(struct imalog_export *export, const struct imalog_sequence both[2],
		      struct imalog_error *error)
{
	int count = 0;
	size_t which = 0;

	for (int i = 0; i < IMALOG_SEQUENCE_ATTEMPTS && count != 1; i++) {
		if (!imalog_sequence_read_tpm(export))
			return IMALOG_NOT_CHECKED;
		count = imalog_sequence_count(export, both, 2, i > 0, &which, error);
		if (count < 0)
			return count;
		if (i == 0 && count == 0)
			break;
	}
	if (count != 1)
		return IMALOG_NOT_CHECKED;
	return which == 0 ? IMALOG_MATCH : IMALOG_MISMATCH;
}

/* ---- two pending segments ---- */

/* Have both segments the same records (IMALOG_MATCH), or others (IMALOG_MISMATCH)? */
static int compare_records(struct imalog_export *export, bool newest_is_staged,
			   struct imalog_error *error)
{
	const struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];
	const struct imalog_sequence both[2] = {
		{ .base = &export->base,
		  .segments = { newest },
		  .with_staged = !newest_is_staged },
		{ .base = &export->base,
		  .segments = { first, newest },
		  .with_staged = !newest_is_staged },
	};

	return tell_apart(export, both, error);
}

int imalog_evidence_settle(struct imalog_export *export, bool newest_is_staged,
			   struct imalog_error *error)
{
	struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];
	int rc;

	if (newest->may_repeat != first->segment)
		return imalog_tail_commit_first(export, error);
	rc = compare_records(export, newest_is_staged, error);
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

bool imalog_evidence_needs_none(const struct imalog_export *export)
{
	const struct imalog_receipt *newest = export->pending[export->nr_pending - 1];

	/* Without a TPM there is nothing to tell; of two, it is known which one is newer. */
	return !export->witness.pcrs || export->nr_pending > 1 ||
	       is_unchanged(newest->pcrs, export->witness.pcrs);
}

/*
 * A saved segment was not deleted by us.  But somebody else may have done that, and staged
 * records of the same bytes.
 */
int imalog_evidence_saved(struct imalog_export *export, bool *sure, struct imalog_error *error)
{
	const struct imalog_receipt *newest = export->pending[export->nr_pending - 1];
	const struct imalog_sequence both[2] = {
		{ .base = &export->base, .segments = { newest } },
		{ .base = &export->base, .segments = { newest }, .with_staged = true },
	};
	struct imalog_witness witness = export->witness;
	int rc;

	*sure = true;
	if (imalog_evidence_needs_none(export))
		return 0;
	/* What was read, and quoted, for the records to come is kept. */
	export->witness = (struct imalog_witness){ 0 };
	rc = tell_apart(export, both, error);
	imalog_witness_free(&export->witness);
	export->witness = witness;
	*sure = rc == IMALOG_MATCH;
	return rc < 0 ? rc : 0;
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
	int rc = imalog_sequence_leads(export, &list, false, error);

	for (size_t i = 0; rc == 0 && i < export->nr_pending; i++) {
		const struct imalog_receipt *pending = export->pending[i];

		base = (struct imalog_base){ .state = pending->after,
					     .records =
						     pending->first + pending->records - 1 };
		rc = imalog_sequence_leads(export, &list, false, error);
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

int imalog_evidence_judge(struct imalog_export *export, struct imalog_error *error)
{
	const char *boot_id = imalog_tail_boot_id(export);
	bool known, reset, new;
	int rc;

	/* An epoch without segments begins with what is there now. */
	if (!boot_id || (boot_id[0] && strcmp(boot_id, export->kernel.boot_id) == 0))
		return IMALOG_BELONGS;
	if (!export->witness.pcrs)
		return IMALOG_BELONGS_NO_TPM;
	reset = has_been_reset(export, &known);
	new = !known || reset;
	rc = new ? is_fresh(export, error) : follows(export, error);
	if (rc == 0) {
		new = !new;
		rc = new ? is_fresh(export, error) : follows(export, error);
	}
	if (rc < 0)
		return rc;
	if (rc)
		return new ? IMALOG_BELONGS_TO_NEW : IMALOG_BELONGS;
	return reset ? IMALOG_BELONGS_AFTER_RESET : IMALOG_BELONGS_UNKNOWN;
}

int imalog_evidence_epoch(struct imalog_export *export, struct imalog_error *error)
{
	int rc = imalog_evidence_judge(export, error);

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
			export, IMALOG_NOTE_INFO,
			"this is another boot, and without a TPM nothing tells whether its "
			"list follows what the store has: it is added to epoch %" PRIu64
			", marked as undetermined",
			export->epoch->number);
		return 0;
	default:
		return rc < 0 ? rc : 0;
	}
}
