// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is staged has the bytes of a pending segment: is it what that was saved from (moment.c),
 * and does the disk still have it?
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "export.h"

bool imalog_same_sum(const struct imalog_prefix *sum, const struct imalog_receipt *receipt)
{
	return sum->size > 0 && sum->size == receipt->bytes &&
	       memcmp(sum->sha256, receipt->sha256, IMALOG_SHA256_SIZE) == 0;
}

/* ---- the same records ---- */

/* How many violations of the list come after those of the segment */
static uint64_t behind(const struct imalog_receipt *receipt, uint64_t listed)
{
	if (!receipt->trimmed || listed < receipt->violations)
		return listed;
	return listed - receipt->violations;
}

/* The kernel was probed before what is staged was read. */
void imalog_same_note(struct imalog_export *export, struct imalog_receipt *receipt)
{
	struct imalog_source *list = export->world->list(export->staging, NULL);
	uint64_t listed;

	if (imalog_moment_count(list, export->templates, &listed) == 0)
		receipt->moment = imalog_moment_of(&export->kernel, behind(receipt, listed));
	imalog_source_free(&list);
}

bool imalog_same_records(const struct imalog_export *export,
			 const struct imalog_receipt *receipt, struct imalog_source *list)
{
	struct imalog_kernel_info kernel;
	uint64_t listed;

	if (receipt->state != IMALOG_RECEIPT_SAVED ||
	    !imalog_tail_same_boot(export, receipt) ||
	    imalog_moment_count(list, export->templates, &listed) < 0 ||
	    export->world->probe(export->root, &kernel, NULL) < 0)
		return false;
	return imalog_moment_same(&kernel, &receipt->moment,
				  behind(receipt, listed), receipt->violations);
}

bool imalog_same_as_staged(const struct imalog_export *export,
			   const struct imalog_receipt *receipt)
{
	struct imalog_source *list = export->world->list(export->staging, NULL);
	bool same = imalog_same_records(export, receipt, list);

	imalog_source_free(&list);
	return same;
}

/* ---- what was proved before the hold ---- */

/*
 * As with moment.c, the violations that were counted, less those of the list: more when some are
 * deleted.  A list that a kexec has carried over has more than this boot has counted; then the
 * difference is below zero, and as good.
 */
void imalog_same_mark(struct imalog_export *export)
{
	struct imalog_kernel_info kernel;
	struct imalog_source *list;
	uint64_t listed;
	int fd;

	export->mark.known = false;
	if (export->world->probe(export->root, &kernel, NULL) < 0 || !kernel.counted ||
	    export->world->open_list(export->root, false, export->wait_ms, &fd, NULL) < 0)
		return;
	list = imalog_source_from_fd(fd, "list");
	if (imalog_moment_count(list, export->templates, &listed) == 0)
		export->mark = (struct imalog_spot){ true, kernel.records,
						     kernel.violations - listed };
	imalog_source_free(&list);
	close(fd);
}

bool imalog_same_since_mark(const struct imalog_export *export,
			    const struct imalog_receipt *receipt)
{
	struct imalog_source *list = export->world->list(export->staging, NULL);
	const struct imalog_spot *mark = &export->mark;
	struct imalog_kernel_info kernel;
	uint64_t listed;
	int rc = imalog_moment_count(list, export->templates, &listed);

	imalog_source_free(&list);
	if (rc < 0 || !mark->known ||
	    export->world->probe(export->root, &kernel, NULL) < 0 || !kernel.counted)
		return false;
	return kernel.records >= mark->records && kernel.violations - listed == mark->gone &&
	       (receipt->violations || !imalog_moment_repeats(&kernel));
}

/* ---- the file of a segment ---- */

/* Is what the disk has what the receipt says?  1, 0, or negative */
static int is_whole(const struct imalog_export *export, const struct imalog_receipt *receipt,
		    struct imalog_error *error)
{
	struct imalog_prefix sum = { 0 };
	struct imalog_source *source;
	int fd = imalog_segment_open_any(export->epoch, receipt->segment, error), rc;

	if (fd < 0)
		return fd;
	/* Pages that are not from the disk say nothing about it. */
	rc = imalog_durable_sync(fd, "the segment", error);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	source = imalog_source_from_fd(fd, "segment");
	if (rc == 0)
		rc = source ? imalog_source_sum(source, &sum.size, sum.sha256, error) :
			      imalog_fail_nomem(error);
	imalog_source_free(&source);
	close(fd);
	return rc < 0 ? rc : imalog_same_sum(&sum, receipt);
}

/* So many of the bytes that are staged, all of which are read: then they can be deleted. */
static int copy_staged(struct imalog_export *export, struct imalog_durable *file,
		       uint64_t bytes, struct imalog_error *error)
{
	struct imalog_source *source = export->world->source(export->staging, error);
	struct imalog_window window = { .source = source };
	int rc = source ? 0 : -IMALOG_ERR_OS;

	while (rc == 0) {
		struct imalog_span span;
		size_t all;

		rc = imalog_window_need(&window, 1, error);
		span = imalog_window_span(&window);
		all = span.size;
		if (rc < 0 || all == 0)
			break;
		if (span.size > bytes)
			span.size = (size_t)bytes;
		rc = imalog_durable_write(file, span, error);
		bytes -= span.size;
		imalog_window_advance(&window, all);
	}
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
	return rc;
}

int imalog_same_mend(struct imalog_export *export, const struct imalog_receipt *receipt,
		     struct imalog_error *error)
{
	struct imalog_durable file = { .fd = -1 };
	char name[IMALOG_SEGMENT_NAME_MAX];
	int rc = is_whole(export, receipt, error);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	imalog_segment_name(IMALOG_SEGMENT_PENDING, receipt->segment, name);
	rc = imalog_durable_begin(&file, export->epoch->dir, name, error);
	if (rc == 0)
		rc = copy_staged(export, &file, receipt->bytes, error);
	if (rc == 0)
		rc = imalog_durable_commit(&file, true, error);
	imalog_durable_discard(&file);
	if (rc == 0)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "the file of segment %" PRIu64 " was damaged: it is written "
				  "again from what is staged",
				  receipt->segment);
	return rc;
}
