// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * This machine's log as if nothing had ever left the kernel: segments of the current epoch,
 * pending ones, what is staged, and the list
 *
 * Under the store's lock nobody exports, and while one list is open for reading nobody can
 * stage or delete; so what both have at that moment is one log.  The lists are copied then, if
 * the kernel is one that can delete records: segments are immutable, whatever they are called
 * later.  Nothing is written to the store, nor finished that was interrupted there.
 *
 * A pending segment may be in the kernel, too.  That is decided as by the export.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view.h"

struct imalog_view *imalog_view_new(const char *root, const char *store)
{
	struct imalog_view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	for (int i = 0; i < IMALOG_VIEW_LISTS; i++)
		view->copies[i] = -1;
	view->list_only = !store;
	view->export = imalog_export_new(root, store ? store : "");
	if (!view->export) {
		imalog_view_free(&view);
		return NULL;
	}
	view->export->only_looks = true;
	return view;
}

void imalog_view_forget(struct imalog_view *view)
{
	view->export->copies = NULL;
	imalog_tail_free(view->export);
	imalog_store_close(&view->export->store);
	for (int i = 0; i < IMALOG_VIEW_LISTS; i++) {
		if (view->copies[i] >= 0)
			close(view->copies[i]);
		view->copies[i] = -1;
	}
	for (size_t i = 0; i < view->plan.nr_pieces; i++)
		free(view->pieces[i].name);
	for (size_t i = 0; i < view->nr_receipts; i++)
		imalog_receipt_free(&view->receipts[i]);
	free(view->receipts);
	free(view->pieces);
	free(view->plan.parts);
	view->pieces = NULL;
	view->plan = (struct imalog_plan){ 0 };
	view->belongs = IMALOG_BELONGS;
	view->doubtful = view->loose = false;
	view->receipts = NULL;
	view->nr_receipts = view->nr_doubts = view->repeats = 0;
}

void imalog_view_free(struct imalog_view **ptr)
{
	struct imalog_view *view = ptr ? *ptr : NULL;

	if (!view)
		return;
	if (view->export)
		imalog_view_forget(view);
	imalog_export_free(&view->export);
	free(view);
	*ptr = NULL;
}

void imalog_view_set_wait(struct imalog_view *view, unsigned int wait_ms)
{
	imalog_export_set_wait(view->export, wait_ms);
}

int imalog_view_set_tpm(struct imalog_view *view, enum imalog_tpm_use use, const char *tcti,
			struct imalog_error *reterr)
{
	return imalog_export_set_tpm(view->export, use, tcti, NULL, reterr);
}

/* ---- store and lists at one moment ---- */

static int open_store(struct imalog_export *export, struct imalog_error *error)
{
	struct stat st;
	int rc;

	if (!export->store_path[0] || (stat(export->store_path, &st) != 0 && errno == ENOENT))
		return 0;
	rc = imalog_store_take(export->store_path, IMALOG_STORE_LOOK, export->wait_ms,
			       &export->store, error);
	if (rc == 0 && export->store->current)
		rc = imalog_tail_load(export, error);
	return rc;
}

/* Somebody who makes a store meanwhile may have taken records to it. */
static bool store_has_come(const struct imalog_export *export)
{
	char *path;
	bool there;

	if (!export->store_path[0] || (export->store && export->store->lock >= 0))
		return false;
	if (asprintf(&path, "%s/lock", export->store_path) < 0)
		return true;
	there = access(path, F_OK) == 0;
	free(path);
	return there;
}

int imalog_view_look(struct imalog_view *view, struct imalog_error *error)
{
	struct imalog_export *export = view->export;
	int rc;

	do {
		imalog_view_forget(view);
		rc = export->world->probe(export->root, &export->kernel, error);
		if (rc == 0)
			rc = open_store(export, error);
		if (rc == 0)
			rc = imalog_view_copy_lists(view, error);
	} while (rc == 0 && store_has_come(export));
	imalog_store_close(&export->store);
	for (size_t i = 0; i < export->nr_pending; i++)
		view->takes[i] = true;
	return rc < 0 ? rc : imalog_view_load_receipts(view, error);
}

/* Only then the TPM has something to say. */
static bool needs_tpm(const struct imalog_view *view)
{
	const struct imalog_export *export = view->export;

	return export->nr_pending || view->nr_doubts || imalog_tail_is_of_other_boot(export);
}

/* ---- what is to be said ---- */

static void say_belongs(struct imalog_view *view)
{
	struct imalog_export *export = view->export;
	uint64_t epoch = export->epoch ? export->epoch->number : 0;
	bool undetermined = export->past.undetermined;

	for (size_t i = 0; i < export->nr_pending; i++)
		undetermined |= export->pending[i]->undetermined;
	switch (view->belongs) {
	case IMALOG_BELONGS:
		if (undetermined)
			imalog_export_say(export, IMALOG_NOTE_UNCHECKED,
					  "nothing proved, when they were saved, that all "
					  "segments belong to epoch %" PRIu64,
					  epoch);
		break;
	case IMALOG_BELONGS_TO_NEW:
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "epoch %" PRIu64 " ended with a reset of the TPM: this "
				  "boot's list is a log of its own",
				  epoch);
		break;
	case IMALOG_BELONGS_AFTER_RESET:
		imalog_export_say(export, IMALOG_NOTE_WRONG,
				  "the TPM was reset after epoch %" PRIu64 ", but the list "
				  "does not lead to its values: nothing proves that it is "
				  "complete",
				  epoch);
		break;
	case IMALOG_BELONGS_UNKNOWN:
	case IMALOG_BELONGS_NO_TPM:
		imalog_export_say(export, IMALOG_NOTE_UNCHECKED,
				  "this is another boot, and %s whether its list follows "
				  "what epoch %" PRIu64 " has",
				  view->belongs == IMALOG_BELONGS_UNKNOWN ?
					  "nothing proves" :
					  "without a TPM nothing tells",
				  epoch);
		break;
	}
}

static void say_doubt(struct imalog_view *view)
{
	struct imalog_export *export = view->export;

	if (view->loose)
		imalog_export_say(export, IMALOG_NOTE_WRONG,
				  "segment %" PRIu64 " is pending, and nothing tells whether "
				  "what follows are its records once more, or others with the "
				  "same bytes: both are taken",
				  export->pending[0]->segment);
}

/* What a crash cut short is what the kernel still has. */
static int say_partial(struct imalog_view *view, struct imalog_error *error)
{
	const struct imalog_prefix *partial = &view->export->partial_sum;
	int rc;

	if (!partial->size || !imalog_view_is_of_epoch(view))
		return 0;
	rc = imalog_view_begins_with(view, partial->size, partial->sha256, error);
	if (rc == 0)
		imalog_export_say(view->export, IMALOG_NOTE_WRONG,
				  "an interrupted run had begun to save records that are no "
				  "longer in the kernel: they are no part of the log");
	return rc < 0 ? rc : 0;
}

/* ---- pieces ---- */

static int open_list(void *arg, size_t i, int *fd, struct imalog_error *error)
{
	const struct imalog_view *view = arg;

	return imalog_sequence_open_list(view->export, i == IMALOG_VIEW_STAGED, fd, error);
}

static int open_segment(void *arg, size_t number, int *fd, struct imalog_error *error)
{
	const struct imalog_view *view = arg;

	*fd = imalog_segment_open_any(view->export->epoch, number, error);
	return *fd < 0 ? *fd : 0;
}

/* Makes room for @nr pieces, and a part of the plan for each. */
static int make_room(struct imalog_view *view, size_t nr, struct imalog_error *error)
{
	view->pieces = calloc(nr, sizeof(*view->pieces));
	view->plan.parts = calloc(nr, sizeof(*view->plan.parts));
	view->plan.pieces = view->pieces;
	return view->pieces && view->plan.parts ? 0 : imalog_fail_nomem(error);
}

static int add_piece(struct imalog_view *view, struct imalog_piece piece, uint64_t skip,
		     struct imalog_error *error)
{
	struct imalog_plan *plan = &view->plan;

	if (!piece.name)
		return imalog_fail_nomem(error);
	piece.arg = view;
	piece.follows = plan->nr_pieces && !view->loose;
	plan->parts[plan->nr_parts++] =
		(struct imalog_part){ .piece = plan->nr_pieces, .skip = skip };
	view->pieces[plan->nr_pieces++] = piece;
	return 0;
}

static int add_list(struct imalog_view *view, size_t list, struct imalog_error *error)
{
	const char *root = view->export->root;
	struct imalog_piece piece = { .open = open_list,
				      .i = list,
				      .kind = list == IMALOG_VIEW_STAGED ?
						      IMALOG_PART_STAGED :
						      IMALOG_PART_LIST };

	if (asprintf(&piece.name, "%s/" IMALOG_LIST_DIR "/%s",
		     strcmp(root, "/") == 0 ? "" : root,
		     list == IMALOG_VIEW_STAGED ? IMALOG_STAGED_NAME : IMALOG_LIST_NAME) < 0)
		piece.name = NULL;
	return add_piece(view, piece, 0, error);
}

static int add_segment(struct imalog_view *view, size_t i, uint64_t skip,
		       struct imalog_error *error)
{
	const struct imalog_epoch *of = view->export->epoch;
	const struct imalog_segment *segment = &of->segments[i];
	struct imalog_piece piece = { .open = open_segment,
				      .i = (size_t)segment->number,
				      .receipt = view->receipts[i] };
	char epoch[32], name[IMALOG_SEGMENT_NAME_MAX];

	imalog_epoch_name(of->number, epoch);
	imalog_segment_name(segment->kind, segment->number, name);
	if (asprintf(&piece.name, "%s/%s/%s", view->export->store_path, epoch, name) < 0)
		piece.name = NULL;
	return add_piece(view, piece, skip, error);
}

static int add_pieces(struct imalog_view *view, struct imalog_error *error)
{
	const struct imalog_epoch *epoch =
		imalog_view_is_of_epoch(view) ? view->export->epoch : NULL;
	size_t nr = epoch ? epoch->nr : 0;
	uint64_t skip;
	int rc = make_room(view, nr + IMALOG_VIEW_LISTS, error);

	for (size_t i = 0; rc == 0 && i < nr; i++)
		if (imalog_view_takes(view, i, &skip))
			rc = add_segment(view, i, skip, error);
	if (rc == 0 && imalog_view_staged_bytes(view))
		rc = add_list(view, IMALOG_VIEW_STAGED, error);
	return rc < 0 ? rc : add_list(view, IMALOG_VIEW_LIST, error);
}

int imalog_view_take(struct imalog_view *view, struct imalog_error *reterr)
{
	int rc;

	imalog_export_forget_notes(view->export);
	imalog_witness_free(&view->export->witness);
	rc = imalog_view_look(view, reterr);
	if (rc == 0 && needs_tpm(view))
		rc = imalog_view_decide(view, reterr);
	if (rc == 0)
		rc = say_partial(view, reterr);
	if (rc == 0)
		rc = add_pieces(view, reterr);
	if (rc < 0) {
		imalog_view_forget(view);
		return rc;
	}
	say_belongs(view);
	imalog_boundary_say(view->export, view->belongs);
	say_doubt(view);
	imalog_view_say_doubts(view);
	return 0;
}

const struct imalog_plan *imalog_view_plan(const struct imalog_view *view)
{
	return &view->plan;
}

uint64_t imalog_view_epoch(const struct imalog_view *view)
{
	return imalog_view_is_of_epoch(view) && view->export->epoch ?
		       view->export->epoch->number :
		       0;
}

bool imalog_view_is_doubtful(const struct imalog_view *view)
{
	return view->doubtful;
}

const char *imalog_view_note(const struct imalog_view *view, size_t i,
			     enum imalog_note_kind *kind)
{
	return imalog_export_note(view->export, i, kind);
}
