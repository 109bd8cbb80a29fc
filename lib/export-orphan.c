// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A segment without a receipt: what a crash left, at the end of the store
 *
 * Nothing was deleted for it.  So what it has is in the kernel still, and saved again; unless a
 * kexec has lost the list: then it is the only copy, if it has come far enough.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "export.h"

/* partial.N, and partial.N.1 and so on when that is taken */
#define PARTIALS_MAX 1000

/* ---- no part of the log ---- */

/* A name for what is set aside; false when there is none left */
static bool name_partial(struct imalog_export *export, uint64_t number)
{
	size_t size = sizeof(export->partial);
	struct stat st;

	snprintf(export->partial, size, "partial.%08" PRIu64, number);
	for (int i = 1; i < PARTIALS_MAX; i++) {
		if (fstatat(export->epoch->dir, export->partial, &st, AT_SYMLINK_NOFOLLOW) !=
		    0)
			return errno == ENOENT;
		snprintf(export->partial, size, "partial.%08" PRIu64 ".%d", number, i);
	}
	return false;
}

/* What a crash cut short, summed and out of the way */
static int set_aside(struct imalog_export *export, const struct imalog_segment *segment,
		     struct imalog_error *error)
{
	char from[IMALOG_SEGMENT_NAME_MAX];
	struct imalog_source *source;
	int fd = imalog_segment_open(export->epoch, segment, error), rc;

	if (fd < 0)
		return fd;
	source = imalog_source_from_fd(fd, "partial");
	rc = source ? imalog_source_sum(source, &export->partial_sum.size,
					export->partial_sum.sha256, error) :
		      imalog_fail_nomem(error);
	imalog_source_free(&source);
	close(fd);
	if (rc < 0 || export->only_looks)
		return rc;
	imalog_segment_name(segment->kind, segment->number, from);
	if (export->partial_sum.size == 0) /* nothing is no loss */
		return unlinkat(export->epoch->dir, from, 0) == 0 ?
			       0 :
			       imalog_fail_errno(error, errno,
						 "cannot remove an empty segment");
	if (!name_partial(export, segment->number))
		return imalog_fail(error, IMALOG_ERR_LIMIT, "",
				   "segment %" PRIu64 " has left too many partial files",
				   segment->number);
	return imalog_durable_rename(export->epoch->dir, from, export->partial, error);
}

/*
 * Equal bytes are not the same records: it goes only when the TPM's values prove that the log
 * is whole without it.
 */
void imalog_orphan_remove(struct imalog_export *export, bool saved_again, uint64_t bytes)
{
	bool spare = export->partial_is_spare;

	if (!export->partial[0])
		return;
	if (spare && unlinkat(export->epoch->dir, export->partial, 0) == 0)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  saved_again ? "what an interrupted run had begun to save is "
						"saved anew" :
						"what an interrupted run had saved once more is "
						"removed");
	else if (saved_again)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "'%s' is what an interrupted run had begun to save: what is "
				  "saved now begins with its bytes, but nothing proves that "
				  "these are the same records: it is kept, but no part of the log",
				  export->partial);
	else if (bytes < export->partial_sum.size)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "'%s' is what an interrupted run had begun to save, more "
				  "than is saved now: it is kept, but no part of the log",
				  export->partial);
	else
		imalog_export_say(export, spare ? IMALOG_NOTE_INFO : IMALOG_NOTE_WRONG,
				  "'%s' is what an interrupted run had saved, and its records are "
				  "no longer in the kernel: it is kept, but no part of the log",
				  export->partial);
	export->partial[0] = '\0';
}

/*
 * Are the TPM's values those of the log and nothing else?  Then it has whatever was measured
 * since the TPM was reset.
 */
static bool is_whole(const struct imalog_export *export)
{
	const struct imalog_done *last =
		export->nr_done ? &export->done[export->nr_done - 1] : NULL;

	return export->epoch && last && last->epoch == export->epoch->number &&
	       export->nr_pending == 0 && last->receipt->verdict == IMALOG_MATCH &&
	       last->receipt->matched_at == last->receipt->first + last->receipt->records - 1;
}

/* Was it begun behind a segment of the log?  Else it can be of an earlier boot. */
static bool is_of_log(const struct imalog_epoch *epoch, const char *name)
{
	uint64_t number = imalog_partial_number(name);

	for (size_t i = 0; i < epoch->nr; i++)
		if (epoch->segments[i].kind == IMALOG_SEGMENT_LOG)
			return epoch->segments[i].number < number;
	return false;
}

static void remove_saved(void *arg, const char *name)
{
	struct imalog_export *export = arg;

	if (is_of_log(export->epoch, name) && imalog_partial_is_saved(export->epoch, name) &&
	    unlinkat(export->epoch->dir, name, 0) == 0)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "'%s', what an interrupted run had begun to save, is removed: "
				  "segments have all of it",
				  name);
}

void imalog_orphan_sweep(struct imalog_export *export)
{
	/* Nobody waits for it: what cannot be read now is there the next time. */
	if (is_whole(export))
		imalog_epoch_partials(export->epoch, remove_saved, export, NULL);
}

/* ---- perhaps a part of it ---- */

/* What a receipt says of the records, and of a pending segment that it may begin with once more */
static int pass_over(struct imalog_export *export, int fd, struct imalog_receipt *receipt,
		     struct imalog_error *error)
{
	const struct imalog_receipt *first = export->nr_pending ? export->pending[0] : NULL;
	struct imalog_pass pass = { .base = &export->base, .templates = export->templates };
	struct imalog_source *source = imalog_source_from_fd(fd, "segment");
	int rc;

	if (first) {
		pass.prefixes[0].size = first->bytes;
		memcpy(pass.prefixes[0].sha256, first->sha256, IMALOG_SHA256_SIZE);
	}
	rc = source ? imalog_pass_run(&pass, source, receipt, error) :
		      imalog_fail_nomem(error);
	imalog_source_free(&source);
	if (first && pass.prefixes[0].found)
		receipt->may_repeat = first->segment;
	return rc;
}

/* 1 when it ends where a record does, 0, or negative */
static int read_records(struct imalog_export *export, const struct imalog_segment *segment,
			struct imalog_receipt *receipt, struct imalog_error *error)
{
	int fd = imalog_segment_open(export->epoch, segment, error), rc;
	struct imalog_error *why = imalog_error_new();

	rc = fd < 0 ? fd : why ? pass_over(export, fd, receipt, why) : -IMALOG_ERR_NOMEM;
	/* What is cut short is why this is here. */
	if (rc == 0)
		rc = receipt->records > 0;
	else if (fd >= 0 && why && rc > -IMALOG_ERR_INVALID)
		rc = 0;
	else if (fd >= 0 && why)
		imalog_error_copy(error, why);
	imalog_error_free(&why);
	if (fd >= 0)
		close(fd);
	return rc;
}

int imalog_orphan_take(struct imalog_export *export, const struct imalog_segment *segment,
		       struct imalog_error *error)
{
	struct imalog_receipt *receipt;
	int rc;

	if (export->only_looks || export->nr_pending == IMALOG_PENDING_MAX)
		return set_aside(export, segment, error);
	receipt = imalog_receipt_new(error);
	if (!receipt)
		return -IMALOG_ERR_NOMEM;
	rc = read_records(export, segment, receipt, error);
	if (rc <= 0) {
		imalog_receipt_free(&receipt);
		return rc < 0 ? rc : set_aside(export, segment, error);
	}
	receipt->segment = segment->number;
	export->orphan = receipt;
	return 0;
}

/* Nobody knows any more when it was saved, only that it was not deleted after that. */
static int adopt(struct imalog_export *export, struct imalog_receipt *receipt,
		 struct imalog_error *error)
{
	int fd = imalog_segment_open_any(export->epoch, receipt->segment, error), rc;

	if (fd < 0)
		return fd;
	rc = imalog_durable_sync(fd, "the segment", error);
	close(fd);
	if (rc == 0)
		rc = imalog_durable_sync(export->epoch->dir, "the epoch", error);
	receipt->state = IMALOG_RECEIPT_DELETING;
	receipt->rebuilt = true;
	memcpy(receipt->previous, export->base.chain, sizeof(receipt->previous));
	if (rc == 0)
		rc = imalog_tail_write(export, receipt, error);
	if (rc < 0)
		return rc;
	export->pending[export->nr_pending++] = receipt;
	export->orphan = NULL;
	export->last_number = receipt->segment;
	export->epoch->nr++;
	imalog_export_say(export, IMALOG_NOTE_INFO,
			  "segment %" PRIu64 " is the only copy of its records, which an "
			  "interrupted run had saved",
			  receipt->segment);
	return 0;
}

int imalog_orphan_settle(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_segment segment = { .kind = IMALOG_SEGMENT_PENDING };
	int rc;

	if (!export->orphan)
		return 0;
	segment.number = export->orphan->segment;
	rc = imalog_evidence_orphan(export, export->orphan, error);
	if (rc == IMALOG_MISMATCH)
		return adopt(export, export->orphan, error);
	/* Before the first segment of an epoch it can be of a boot whose records are lost. */
	export->partial_is_spare = rc == IMALOG_MATCH && export->base.records > 0;
	imalog_receipt_free(&export->orphan);
	return rc < 0 ? rc : set_aside(export, &segment, error);
}
