// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The end of the store: what is committed, what is pending behind it, and how one becomes the
 * other
 *
 * What the receipt says is what counts; the file is renamed after it.  So whatever a crash
 * leaves half done has the name of a pending segment, which a look at the directory finds:
 *
 *     pending.N without a receipt             was being written  -> partial.N
 *     pending.N, receipt committed            -> log.N
 *     pending.N, receipt dropped              -> dropped.N
 *     pending.N, receipt saved or deleting    the export goes on with it
 *
 * Who only looks finds out the same, and leaves everything as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"

static int inconsistent(const struct imalog_export *export,
			const struct imalog_segment *segment, const char *what,
			struct imalog_error *error)
{
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "segment %" PRIu64 " of epoch %" PRIu64 " %s", segment->number,
			   export->epoch->number, what);
}

int imalog_tail_write(struct imalog_export *export, const struct imalog_receipt *receipt,
		      struct imalog_error *error)
{
	uint8_t self[IMALOG_SHA256_SIZE];

	if (export->only_looks)
		return 0;
	return imalog_receipt_write(receipt, export->epoch->receipts, self, error);
}

bool imalog_tail_same_boot(const struct imalog_export *export,
			   const struct imalog_receipt *receipt)
{
	return receipt->boot_id[0] && strcmp(receipt->boot_id, export->kernel.boot_id) == 0;
}

bool imalog_tail_was_staged(const struct imalog_export *export,
			    const struct imalog_receipt *receipt)
{
	return !receipt->trimmed && imalog_tail_same_boot(export, receipt);
}

const char *imalog_tail_boot_id(const struct imalog_export *export)
{
	if (export->nr_pending)
		return export->pending[export->nr_pending - 1]->boot_id;
	return export->past.there ? export->past.boot_id : NULL;
}

bool imalog_tail_is_of_other_boot(const struct imalog_export *export)
{
	const char *boot_id = imalog_tail_boot_id(export);

	return boot_id && (!boot_id[0] || strcmp(boot_id, export->kernel.boot_id) != 0);
}

/* The TPM's values prove where the records belong; else that it is the same boot does. */
bool imalog_tail_is_undetermined(const struct imalog_export *export,
				 const struct imalog_receipt *receipt)
{
	const struct imalog_past *past = &export->past;

	if (receipt->verdict == IMALOG_MATCH ||
	    (export->placed && imalog_tail_same_boot(export, receipt)))
		return false;
	return !past->there || past->undetermined || !receipt->boot_id[0] ||
	       strcmp(past->boot_id, receipt->boot_id) != 0;
}

/* ---- from pending to committed or dropped ---- */

static void remember(struct imalog_export *export, const struct imalog_receipt *receipt)
{
	struct imalog_past *past = &export->past;

	*past = (struct imalog_past){ .there = true,
				      .compared = receipt->pcrs,
				      .undetermined = receipt->undetermined,
				      .has_clock = receipt->has_clock,
				      .clock = receipt->clock };
	memcpy(past->boot_id, receipt->boot_id, sizeof(past->boot_id));
}

/* A committed segment as the end of what is known */
static int take_log(struct imalog_export *export, const struct imalog_receipt *receipt,
		    struct imalog_error *error)
{
	export->base.records = receipt->first + receipt->records - 1;
	remember(export, receipt);
	return imalog_state_copy(&export->base.state, &receipt->after, error);
}

/* A pending segment is none any more. */
static int change_kind(struct imalog_export *export, uint64_t number,
		       enum imalog_segment_kind kind, struct imalog_error *error)
{
	struct imalog_epoch *epoch = export->epoch;
	char from[IMALOG_SEGMENT_NAME_MAX], to[IMALOG_SEGMENT_NAME_MAX];
	int rc = 0;

	imalog_segment_name(IMALOG_SEGMENT_PENDING, number, from);
	imalog_segment_name(kind, number, to);
	if (!export->only_looks)
		rc = imalog_durable_rename(epoch->dir, from, to, error);
	for (size_t i = 0; rc == 0 && i < epoch->nr; i++)
		if (epoch->segments[i].number == number)
			epoch->segments[i].kind = kind;
	return rc;
}

/* What a disk has lost must not become part of the log unseen. */
static int check_size(const struct imalog_export *export, const struct imalog_receipt *receipt,
		      struct imalog_error *error)
{
	const struct imalog_segment segment = { .number = receipt->segment };
	int fd = imalog_segment_open_any(export->epoch, receipt->segment, error);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) != 0)
		st.st_size = -1;
	close(fd);
	return st.st_size >= 0 && (uint64_t)st.st_size == receipt->bytes ?
		       0 :
		       inconsistent(export, &segment,
				    "is damaged: its file has not the size of its receipt",
				    error);
}

/* Gives the file the name that goes with its receipt, and goes on from behind it. */
static int finish(struct imalog_export *export, const struct imalog_receipt *receipt,
		  const uint8_t self[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	bool is_log = receipt->state == IMALOG_RECEIPT_COMMITTED;
	int rc = is_log ? check_size(export, receipt, error) : 0;

	if (rc == 0)
		rc = change_kind(export, receipt->segment,
				 is_log ? IMALOG_SEGMENT_LOG : IMALOG_SEGMENT_DROPPED, error);
	if (rc < 0)
		return rc;
	memcpy(export->base.chain, self, IMALOG_SHA256_SIZE);
	if (!is_log)
		return 0;
	rc = take_log(export, receipt, error);
	return rc < 0 || export->only_looks ? rc : imalog_export_add(export, receipt, error);
}

/* Computes anew what a receipt says, of a segment that has another place than was thought. */
static int move(struct imalog_export *export, struct imalog_receipt *receipt,
		struct imalog_error *error)
{
	const struct imalog_segment segment = { .number = receipt->segment,
						.kind = IMALOG_SEGMENT_PENDING };
	struct imalog_pass pass = { .base = &export->base,
				    .pcrs = receipt->pcrs,
				    .templates = export->templates };
	uint64_t bytes = receipt->bytes;
	uint8_t sha256[IMALOG_SHA256_SIZE];
	struct imalog_source *source;
	int fd = imalog_segment_open(export->epoch, &segment, error), rc;

	if (fd < 0)
		return fd;
	memcpy(sha256, receipt->sha256, sizeof(sha256));
	source = imalog_source_from_fd(fd, "segment");
	rc = source ? imalog_pass_run(&pass, source, receipt, error) :
		      imalog_fail_nomem(error);
	imalog_source_free(&source);
	close(fd);
	if (rc == 0 && (bytes != receipt->bytes || memcmp(sha256, receipt->sha256, 32) != 0))
		rc = inconsistent(export, &segment, "is not what was saved", error);
	imalog_receipt_excuse(receipt);
	if (receipt->has_quote)
		receipt->covers = imalog_receipt_covers(receipt);
	receipt->undetermined = imalog_tail_is_undetermined(export, receipt);
	return rc;
}

static bool in_place(const struct imalog_export *export, const struct imalog_receipt *receipt)
{
	return receipt->first == export->base.records + 1 &&
	       imalog_state_equal(&receipt->before, &export->base.state);
}

static void forget_first(struct imalog_export *export)
{
	imalog_receipt_free(&export->pending[0]);
	export->nr_pending--;
	memmove(export->pending, export->pending + 1,
		export->nr_pending * sizeof(*export->pending));
	export->pending[export->nr_pending] = NULL;
}

/* The first pending segment follows what is committed: only then its values mean something. */
static int put_in_place(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_receipt *receipt = export->pending[0];
	int rc;

	if (!export->nr_pending || in_place(export, receipt))
		return 0;
	rc = move(export, receipt, error);
	return rc < 0 ? rc : imalog_tail_write(export, receipt, error);
}

static int finish_first(struct imalog_export *export, enum imalog_receipt_state state,
			struct imalog_error *error)
{
	struct imalog_receipt *receipt = export->pending[0];
	uint8_t self[IMALOG_SHA256_SIZE];
	int rc;

	receipt->state = state;
	memcpy(receipt->previous, export->base.chain, sizeof(receipt->previous));
	rc = imalog_receipt_write(receipt, export->epoch->receipts, self, error);
	if (rc == 0)
		rc = finish(export, receipt, self, error);
	if (rc < 0)
		return rc;
	forget_first(export);
	return put_in_place(export, error);
}

int imalog_tail_commit_first(struct imalog_export *export, struct imalog_error *error)
{
	return finish_first(export, IMALOG_RECEIPT_COMMITTED, error);
}

int imalog_tail_drop_first(struct imalog_export *export, struct imalog_error *error)
{
	return finish_first(export, IMALOG_RECEIPT_DROPPED, error);
}

/* ---- reading ---- */

static void name_receipt(const struct imalog_epoch *epoch, const struct imalog_segment *segment,
			 struct imalog_error *error)
{
	char in[32], name[IMALOG_RECEIPT_NAME_MAX], path[128];

	imalog_epoch_name(epoch->number, in);
	imalog_receipt_name(segment->number, ".json", name);
	snprintf(path, sizeof(path), "%s/receipts/%s", in, name);
	imalog_error_set_source(error, path);
}

/* The receipt of a file of which one must be there */
static int read_receipt(struct imalog_export *export, const struct imalog_segment *segment,
			struct imalog_receipt **ret, uint8_t self[IMALOG_SHA256_SIZE],
			struct imalog_error *error)
{
	char detail[256];
	int rc;

	if (segment->has_receipt) {
		rc = imalog_receipt_read(export->epoch->receipts, segment->number, ret, self,
					 error);
		if (rc < 0 && rc > -IMALOG_ERR_INVALID && error) {
			snprintf(detail, sizeof(detail), "%s", imalog_error_detail(error));
			imalog_fail(error, (enum imalog_code)-rc, "",
				    "%s: imalog store rebuild %" PRIu64 " makes it again",
				    detail, export->epoch->number);
			name_receipt(export->epoch, segment, error);
		}
		return rc;
	}
	return inconsistent(export, segment,
			    "has no receipt: imalog store rebuild makes it again", error);
}

/* The last file of a kind, or NULL */
static const struct imalog_segment *last_of(const struct imalog_epoch *epoch,
					    enum imalog_segment_kind kind)
{
	for (size_t i = epoch->nr; i > 0; i--)
		if (epoch->segments[i - 1].kind == kind)
			return &epoch->segments[i - 1];
	return NULL;
}

/*
 * Before the first receipt of an epoch is the last of the epoch before.  If that cannot be
 * read, it is as if there were none: it is history.
 */
static int chain_from_before(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_store *store = export->store;
	struct imalog_source *nothing = imalog_source_from_memory(NULL, 0, "");
	struct imalog_receipt *receipt = NULL;
	struct imalog_epoch *epoch = NULL;
	uint64_t before = 0, none;
	int rc = nothing ? imalog_source_sum(nothing, &none, export->base.chain, error) :
			   imalog_fail_nomem(error);

	imalog_source_free(&nothing);
	for (size_t i = 0; i < store->nr_epochs && store->epochs[i] < store->current; i++)
		before = store->epochs[i];
	if (rc < 0 || !before || imalog_epoch_open(export->store, before, &epoch, NULL) < 0)
		return rc;
	if (epoch->nr) {
		uint8_t self[IMALOG_SHA256_SIZE];

		if (imalog_receipt_read(epoch->receipts, imalog_epoch_last(epoch), &receipt,
					self, NULL) == 0)
			memcpy(export->base.chain, self, sizeof(self));
		imalog_receipt_free(&receipt);
	}
	imalog_epoch_close(&epoch);
	return 0;
}

/* The PCR values are those of the log, the chain is that of whatever receipt is the last. */
static int take_finished(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_segment *log = last_of(export->epoch, IMALOG_SEGMENT_LOG);
	const struct imalog_segment *dropped = last_of(export->epoch, IMALOG_SEGMENT_DROPPED);
	struct imalog_receipt *receipt = NULL;
	int rc = 0;

	if (!log && !dropped)
		return chain_from_before(export, error);
	if (log)
		rc = read_receipt(export, log, &receipt, export->base.chain, error);
	if (rc == 0 && receipt && receipt->state != IMALOG_RECEIPT_COMMITTED)
		rc = inconsistent(export, log, "is committed, and its receipt says otherwise",
				  error);
	if (rc == 0 && receipt)
		rc = take_log(export, receipt, error);
	imalog_receipt_free(&receipt);
	if (rc == 0 && dropped && (!log || dropped->number > log->number))
		rc = read_receipt(export, dropped, &receipt, export->base.chain, error);
	imalog_receipt_free(&receipt);
	return rc;
}

static bool is_dropped(const struct imalog_export *export, uint64_t number)
{
	char name[IMALOG_SEGMENT_NAME_MAX];
	struct stat st;

	imalog_segment_name(IMALOG_SEGMENT_DROPPED, number, name);
	return fstatat(export->epoch->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int take_pending(struct imalog_export *export, const struct imalog_segment *segment,
			struct imalog_error *error)
{
	struct imalog_receipt *receipt = NULL;
	uint8_t self[IMALOG_SHA256_SIZE];
	int rc = read_receipt(export, segment, &receipt, self, error);

	if (rc < 0)
		return rc;
	if (receipt->state == IMALOG_RECEIPT_COMMITTED ||
	    receipt->state == IMALOG_RECEIPT_DROPPED) {
		rc = export->nr_pending ?
			     inconsistent(export, segment, "is behind a pending one", error) :
			     finish(export, receipt, self, error);
		imalog_receipt_free(&receipt);
		return rc;
	}
	if (export->nr_pending == IMALOG_PENDING_MAX) {
		imalog_receipt_free(&receipt);
		return inconsistent(export, segment, "is pending, and so are two before it",
				    error);
	}
	/* Then it was found out that this one has its records. */
	if (receipt->may_repeat && is_dropped(export, receipt->may_repeat))
		receipt->may_repeat = 0;
	export->pending[export->nr_pending++] = receipt;
	return 0;
}

/* Is everything where it can be?  @nr gets the number of files before the pending ones. */
static int check_order(const struct imalog_export *export, size_t *nr,
		       struct imalog_error *error)
{
	const struct imalog_epoch *epoch = export->epoch;

	*nr = epoch->nr;
	for (size_t i = 0; i < epoch->nr; i++) {
		const struct imalog_segment *segment = &epoch->segments[i];

		if (segment->twice)
			return inconsistent(export, segment, "is there under two names",
					    error);
		if (segment->kind == IMALOG_SEGMENT_NONE)
			return inconsistent(export, segment,
					    "is missing: there is its receipt", error);
		if (segment->kind == IMALOG_SEGMENT_PENDING && *nr == epoch->nr)
			*nr = i;
		else if (segment->kind != IMALOG_SEGMENT_PENDING && i > *nr)
			return inconsistent(export, segment, "is behind a pending one", error);
	}
	return 0;
}

/* Links and mounts can lead each of the directories to a place of its own. */
static int check_places(const struct imalog_export *export, struct imalog_error *error)
{
	const int dirs[] = { export->store->dir, export->epoch->dir, export->epoch->receipts };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < IMALOG_ARRAY_SIZE(dirs); i++)
		rc = export->world->check_dir(dirs[i], error);
	if (rc < 0)
		imalog_error_set_source(error, export->store_path);
	return rc;
}

static int prepare_to_write(struct imalog_export *export, struct imalog_error *error)
{
	int rc = check_places(export, error);

	if (rc == 0)
		rc = imalog_store_make_durable(export->store, export->epoch, error);
	return rc < 0 ? rc : imalog_epoch_sweep(export->epoch, error);
}

int imalog_tail_load(struct imalog_export *export, struct imalog_error *error)
{
	size_t nr = 0;
	int rc;

	imalog_tail_free(export);
	rc = imalog_epoch_open(export->store, export->store->current, &export->epoch, error);
	if (rc == 0 && !export->only_looks)
		rc = prepare_to_write(export, error);
	if (rc == 0)
		rc = check_order(export, &nr, error);
	if (rc == 0) {
		export->found = imalog_epoch_last(export->epoch);
		rc = take_finished(export, error);
	}
	for (size_t i = nr; rc == 0 && i < export->epoch->nr; i++) {
		const struct imalog_segment *segment = &export->epoch->segments[i];

		if (!segment->has_receipt && i + 1 == export->epoch->nr) {
			rc = imalog_orphan_take(export, segment, error);
			export->epoch->nr--;
		} else {
			rc = take_pending(export, segment, error);
		}
	}
	if (rc < 0)
		return rc;
	export->last_number = imalog_epoch_last(export->epoch);
	if (imalog_tail_is_of_other_boot(export))
		imalog_boundary_load(export);
	return put_in_place(export, error);
}

void imalog_tail_free(struct imalog_export *export)
{
	for (size_t i = 0; i < export->nr_pending; i++)
		imalog_receipt_free(&export->pending[i]);
	export->nr_pending = 0;
	imalog_receipt_free(&export->orphan);
	free(export->boundary);
	export->boundary = NULL;
	export->partial[0] = '\0';
	export->partial_sum = (struct imalog_prefix){ 0 };
	export->partial_is_spare = false;
	export->past = (struct imalog_past){ 0 };
	imalog_state_free(&export->base.state);
	export->base.records = 0;
	imalog_epoch_close(&export->epoch);
}

int imalog_tail_new_epoch(struct imalog_export *export, struct imalog_error *error)
{
	int rc = imalog_store_start_epoch(export->store, export->store->current + 1, error);

	return rc < 0 ? rc : imalog_tail_load(export, error);
}
