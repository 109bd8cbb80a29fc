// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which pending segments are part of this machine's log, and which are what the kernel has
 *
 * As the export decides it: by where the segment can be in the boot that it was saved in, by
 * its bytes, and where they do not tell by what leads to the TPM's values (sequence.c).
 */
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

/* What the log can be: which pending segments are taken from the store. */
struct choice {
	bool takes[IMALOG_PENDING_MAX];
};

#define CHOICES_MAX 4

/* All choices, those first that lose nothing; the number, or negative */
static int find_choices(const struct imalog_view *view, struct choice choices[CHOICES_MAX],
			struct imalog_error *error)
{
	const struct imalog_export *export = view->export;
	size_t nr = export->nr_pending;
	const struct imalog_receipt *newest = export->pending[nr - 1];
	bool first_is_newest = nr > 1 && newest->may_repeat == export->pending[0]->segment;
	bool surely;
	int in_lists = is_in_lists(view, newest, &surely, error), count = 0;

	if (in_lists < 0)
		return in_lists;
	for (int drops_first = 0; drops_first <= first_is_newest; drops_first++)
		for (int drops = surely && in_lists; drops <= in_lists; drops++) {
			choices[count] = (struct choice){ .takes = { !drops_first } };
			choices[count++].takes[nr - 1] = !drops;
		}
	return count;
}

static struct imalog_sequence sequence_of(const struct imalog_view *view,
					  const struct choice *choice)
{
	const struct imalog_export *export = view->export;
	size_t nr = export->nr_pending;
	struct imalog_sequence sequence = { .base = &export->base, .with_staged = true };

	for (size_t i = 0; i < nr; i++)
		if (choice->takes[i])
			sequence.segments[i] = export->pending[i];
	if (!choice->takes[nr - 1])
		sequence.in_lists = export->pending[nr - 1]->records;
	return sequence;
}

/* Which choice leads to the TPM's values?  1 when nothing better is to be found out. */
static int choose(struct imalog_view *view, bool all, struct imalog_error *error)
{
	struct imalog_sequence sequences[CHOICES_MAX];
	struct choice choices[CHOICES_MAX];
	size_t which = 0;
	int nr = find_choices(view, choices, error), count = 1;

	if (nr < 0)
		return nr;
	for (int i = 0; i < nr; i++)
		sequences[i] = sequence_of(view, &choices[i]);
	if (nr > 1)
		count = view->export->witness.pcrs ?
				imalog_sequence_count(view->export, sequences, (size_t)nr, all,
						      &which, error) :
				0;
	if (count < 0)
		return count;
	/* When several lead to values of the very end, they are the same bytes. */
	view->doubtful = count == 0 || (count > 1 && !all);
	memcpy(view->takes, choices[view->doubtful ? 0 : which].takes, sizeof(view->takes));
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
	if (!imalog_view_is_of_epoch(view) || view->export->nr_pending == 0)
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
