// SPDX-License-Identifier: LGPL-2.1-or-later
/* What came of an export: segments, and sentences about what does not fit. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export.h"

/* What it would have said, nobody knows any more; only how bad it was. */
static void lose(struct imalog_export *export, enum imalog_note_kind kind)
{
	struct imalog_note *lost = &export->lost;

	if (kind == IMALOG_NOTE_INFO)
		kind = IMALOG_NOTE_UNCHECKED;
	if (!lost->text[0] || kind > lost->kind)
		lost->kind = kind;
	snprintf(lost->text, sizeof(lost->text),
		 "out of memory: not all that was found can be said");
}

void imalog_export_say(struct imalog_export *export, enum imalog_note_kind kind,
		       const char *format, ...)
{
	struct imalog_note *notes =
		reallocarray(export->notes, export->nr_notes + 1, sizeof(*notes));
	struct imalog_note *note;
	va_list args;

	if (!notes) {
		lose(export, kind);
		return;
	}
	export->notes = notes;
	note = notes + export->nr_notes;
	note->kind = kind;
	va_start(args, format);
	vsnprintf(note->text, sizeof(note->text), format, args);
	va_end(args);
	/* Said once is enough, however often it is found out. */
	for (size_t i = 0; i < export->nr_notes; i++)
		if (strcmp(notes[i].text, note->text) == 0)
			return;
	export->nr_notes++;
}

void imalog_export_forget_notes(struct imalog_export *export)
{
	free(export->notes);
	export->notes = NULL;
	export->nr_notes = 0;
	export->lost.text[0] = '\0';
}

const char *imalog_export_note(const struct imalog_export *export, size_t i,
			       enum imalog_note_kind *kind)
{
	const struct imalog_note *note = &export->lost;

	if (i < export->nr_notes)
		note = &export->notes[i];
	else if (i > export->nr_notes || !note->text[0])
		return NULL;
	*kind = note->kind;
	return note->text;
}

/* The TPM had no value that the log leads to one of. */
static bool has_no_bank(const struct imalog_receipt *receipt)
{
	return receipt->verdict == IMALOG_NOT_CHECKED && !receipt->matched_at &&
	       !receipt->staged_before;
}

/* A store that is not where it was looks like a new one: the log begins anew there. */
static void say_mismatch(struct imalog_export *export, const struct imalog_receipt *receipt)
{
	imalog_export_say(export, IMALOG_NOTE_WRONG,
			  "segment %" PRIu64 ": the log does not lead to the TPM's values: a "
			  "record did not reach it, or somebody else extended a PCR%s",
			  receipt->segment,
			  receipt->first > 1 ? "" :
					       ", or records before it are in another store: "
					       "is this the right one, and its disk mounted?");
}

/* What does not fit, in words; durably saved it is all the same */
static void say_verdict(struct imalog_export *export, const struct imalog_receipt *receipt,
			bool compared)
{
	if (receipt->problems)
		imalog_export_say(export, IMALOG_NOTE_WRONG,
				  "segment %" PRIu64 ": the digest of record %" PRIu64
				  "%s does not "
				  "fit its data",
				  receipt->segment, receipt->first_problem,
				  receipt->problems > 1 ? " (and of others)" : "");
	if (compared && receipt->verdict == IMALOG_MISMATCH)
		say_mismatch(export, receipt);
	else if (compared && has_no_bank(receipt))
		imalog_export_say(export, IMALOG_NOTE_UNCHECKED,
				  "segment %" PRIu64
				  ": there was nothing to compare with the TPM",
				  receipt->segment);
	if (receipt->undetermined && !(compared && receipt->staged_before))
		imalog_export_say(export, compared ? IMALOG_NOTE_WRONG : IMALOG_NOTE_INFO,
				  "segment %" PRIu64
				  ": nothing proves that it belongs to epoch "
				  "%" PRIu64,
				  receipt->segment, export->epoch->number);
}

int imalog_export_add(struct imalog_export *export, const struct imalog_receipt *receipt,
		      struct imalog_error *error)
{
	struct imalog_done *done =
		reallocarray(export->done, export->nr_done + 1, sizeof(*done));
	struct imalog_receipt *copy = imalog_receipt_new(error);

	if (done)
		export->done = done;
	if (!done || !copy) {
		imalog_receipt_free(&copy);
		return imalog_fail_nomem(error);
	}
	*copy = *receipt;
	copy->before = copy->after = (struct imalog_state){ NULL, 0 };
	copy->pcrs = NULL;
	done[export->nr_done++] = (struct imalog_done){ export->epoch->number, copy };
	if (receipt->segment <= export->found && receipt->state == IMALOG_RECEIPT_COMMITTED)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "segment %" PRIu64
				  ": an earlier run had saved it, and it is finished now",
				  receipt->segment);
	say_verdict(export, copy, receipt->pcrs);
	return 0;
}

const struct imalog_receipt *imalog_export_receipt(const struct imalog_export *export,
						   size_t i, uint64_t *epoch)
{
	if (i >= export->nr_done)
		return NULL;
	if (epoch)
		*epoch = export->done[i].epoch;
	return export->done[i].receipt;
}

/* Does anything remain to be said about the last segment? */
static bool is_open(const struct imalog_receipt *last)
{
	if (last->problems || last->verdict == IMALOG_MISMATCH || has_no_bank(last))
		return false;
	return last->verdict != IMALOG_MATCH ||
	       last->matched_at < last->first + last->records - 1;
}

/*
 * Nothing could be said of records that came after the TPM was read, nor of what had been staged
 * before.  Now all of that is in the TPM, so the log must lead there, or the kernel's list does.
 */
void imalog_export_say_end(struct imalog_export *export)
{
	const struct imalog_sequence rest = { .base = &export->base, .with_staged = true };
	struct imalog_receipt *last =
		export->nr_done ? export->done[export->nr_done - 1].receipt : NULL;
	int rc;

	if (!last || !export->past.compared || !is_open(last))
		return;
	rc = imalog_sequence_read_tpm(export) ?
		     imalog_sequence_leads(export, &rest, false, NULL) :
		     -IMALOG_ERR_TPM;
	if (rc == 0)
		say_mismatch(export, last);
	else if (rc < 0)
		imalog_export_say(export, IMALOG_NOTE_UNCHECKED,
				  "segment %" PRIu64 ": its end could not be compared with the "
				  "TPM",
				  last->segment);
	if (rc <= 0)
		return;
	/* What the receipt on the disk says stays as it is: the next one has its digest. */
	last->verdict = IMALOG_MATCH;
	last->matched_at = last->first + last->records - 1;
}
