// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which pending segments are part of this machine's log, and which are what the kernel has
 *
 * As the export decides it: by where the segment can be in the boot that it was saved in, by
 * its bytes, and where they do not tell by what leads to the TPM's values (sequence.c).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "view.h"

/* Are these the records of a saved segment, and not others of the same bytes? */
static bool are_same(const struct imalog_view *view, const struct imalog_receipt *receipt)
{
	struct imalog_source *list = NULL;
	bool same;
	int fd;

	if (imalog_sequence_open_list(view->export, false, &fd, NULL) < 0)
		return false;
	list = imalog_source_from_fd(fd, "list");
	same = imalog_same_records(view->export, receipt, list);
	imalog_source_free(&list);
	close(fd);
	return same;
}

/* Can a pending segment be what the kernel has?  1, 0, or negative; @surely: it is. */
static int is_in_lists(const struct imalog_view *view, const struct imalog_receipt *receipt,
		       bool *surely, struct imalog_error *error)
{
	const struct imalog_export *export = view->export;

	*surely = false;
	/* In the boot that it was staged in, it is what is staged, or gone from the kernel. */
	if (imalog_tail_was_staged(export, receipt) &&
	    imalog_view_staged_bytes(view) != receipt->bytes)
		return 0;
	*surely = imalog_tail_same_boot(export, receipt) && are_same(view, receipt);
	return imalog_view_begins_with(view, receipt->bytes, receipt->sha256, error);
}

/* What the log can be: what is taken from the store, without what of it */
struct choice {
	bool takes[IMALOG_PENDING_MAX];
	uint32_t repeats;
};

#define CHOICES_MAX (4 << IMALOG_VIEW_DOUBTS_MAX)

/* Of pending segments, those first that lose nothing; the number, or negative */
static int find_choices(const struct imalog_view *view, struct choice choices[4],
			struct imalog_error *error)
{
	const struct imalog_export *export = view->export;
	size_t nr = export->nr_pending;
	const struct imalog_receipt *newest = nr ? export->pending[nr - 1] : NULL;
	bool first_is_newest = nr > 1 && newest->may_repeat == export->pending[0]->segment;
	bool surely;
	int in_lists = nr ? is_in_lists(view, newest, &surely, error) : 0, count = 0;

	choices[0] = (struct choice){ 0 };
	if (nr == 0 || in_lists < 0)
		return nr ? in_lists : 1;
	for (int drops_first = 0; drops_first <= first_is_newest; drops_first++)
		for (int drops = surely && in_lists; drops <= in_lists; drops++) {
			choices[count] = (struct choice){ .takes = { !drops_first } };
			choices[count++].takes[nr - 1] = !drops;
		}
	return count;
}

/* Each of them with and without what other segments may repeat; the number */
static int add_doubts(const struct imalog_view *view, struct choice choices[CHOICES_MAX],
		      int nr)
{
	size_t doubts = view->nr_doubts;

	for (int i = nr; i < nr << doubts; i++) {
		choices[i] = choices[i % nr];
		choices[i].repeats = (uint32_t)(i / nr);
	}
	return nr << doubts;
}

static void apply(struct imalog_view *view, const struct choice *choice)
{
	memcpy(view->takes, choice->takes, sizeof(view->takes));
	view->repeats = choice->repeats;
}

/* What the receipts say of PCRs rests on what is in question if a committed segment is. */
static int leads(struct imalog_view *view, const struct choice *choice, bool all,
		 struct imalog_error *error)
{
	const struct imalog_base nothing = { .records = 0 };
	struct imalog_export *export = view->export;
	size_t nr = export->nr_pending;
	struct imalog_sequence sequence = { .base = &export->base, .with_staged = true };
	struct imalog_sequence_part *parts = NULL;
	int rc;

	if (nr && !choice->takes[nr - 1])
		sequence.in_lists = export->pending[nr - 1]->records;
	if (view->nr_doubts) {
		apply(view, choice);
		parts = imalog_view_parts(view, &sequence.nr_parts);
		if (!parts)
			return imalog_fail_nomem(error);
		sequence.base = &nothing;
		sequence.parts = parts;
	} else {
		for (size_t i = 0; i < nr; i++)
			if (choice->takes[i])
				sequence.segments[i] = export->pending[i];
	}
	rc = imalog_sequence_leads(export, &sequence, all, error);
	free(parts);
	return rc;
}

static int count_leading(struct imalog_view *view, const struct choice *choices, int nr,
			 bool all, int *which, struct imalog_error *error)
{
	int count = 0;

	for (int i = 0; i < nr; i++) {
		int rc = leads(view, &choices[i], all, error);

		if (rc < 0)
			return rc;
		count += rc;
		if (rc)
			*which = i;
	}
	return count;
}

/* Which choice leads to the TPM's values?  1 when nothing better is to be found out. */
static int choose(struct imalog_view *view, bool all, struct imalog_error *error)
{
	bool too_many = view->nr_doubts > IMALOG_VIEW_DOUBTS_MAX;
	struct choice choices[CHOICES_MAX];
	int pending = find_choices(view, choices, error), nr = pending, which = 0, count = 1;

	if (nr < 0)
		return nr;
	if (view->nr_doubts && !too_many)
		nr = add_doubts(view, choices, nr);
	if (too_many || (nr > 1 && !view->export->witness.pcrs))
		count = 0;
	else if (nr > 1)
		count = count_leading(view, choices, nr, all, &which, error);
	if (count < 0)
		return count;
	/* When several lead to values of the very end, they are the same bytes. */
	view->doubtful = count == 0 || (count > 1 && !all);
	view->loose = view->doubtful && pending > 1;
	apply(view, &choices[view->doubtful ? 0 : which]);
	/* From the first record on: then the list belongs here, whatever the receipts say. */
	if (view->nr_doubts && !view->doubtful)
		view->belongs = IMALOG_BELONGS;
	return !view->doubtful || (!all && count == 0);
}

bool imalog_view_is_of_epoch(const struct imalog_view *view)
{
	return view->belongs != IMALOG_BELONGS_TO_NEW &&
	       view->belongs != IMALOG_BELONGS_AFTER_RESET;
}

static int decide(struct imalog_view *view, bool all, struct imalog_error *error)
{
	int rc = imalog_evidence_judge(view->export, error);

	if (rc < 0)
		return rc;
	view->belongs = (enum imalog_belongs)rc;
	if (!imalog_view_is_of_epoch(view) ||
	    (view->export->nr_pending == 0 && view->nr_doubts == 0))
		return 1;
	return choose(view, all, error);
}

/* The TPM is read before the lists are. */
int imalog_view_decide(struct imalog_view *view, struct imalog_error *error)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < IMALOG_SEQUENCE_ATTEMPTS; i++) {
		bool has_tpm = imalog_sequence_read_tpm(view->export);

		rc = imalog_view_look(view, error);
		if (rc == 0)
			rc = decide(view, i > 0, error);
		if (!has_tpm)
			break;
	}
	return rc < 0 ? rc : 0;
}
