// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How many of the first records of the list are to be saved and deleted
 *
 * The kernel counts from the head of its list as it is then.  So what the number is made from,
 * a record of the epoch or all that were ever measured, is read under the hold that deletes.
 */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "export.h"

int imalog_trim_refuse_staged(struct imalog_error *error)
{
	return imalog_fail_os(error, EEXIST,
			      "records are staged, and are older than those of the list: "
			      "imalog export takes care of them");
}

static int refuse_kernel(const struct imalog_kernel_info *kernel, struct imalog_error *error)
{
	if (kernel->flush_htable)
		return imalog_fail_os(
			error, EINVAL,
			"the kernel was started with ima_flush_htable, and so it does not "
			"delete the first records of its list");
	return imalog_fail_os(error, ENOENT,
			      "the kernel%s%s cannot delete the first records of its list: "
			      "that takes Linux 7.2 or later",
			      kernel->release[0] ? " " : "", kernel->release);
}

int imalog_trim_begin(struct imalog_export *export, struct imalog_error *error)
{
	int fd, rc = 0;

	/* That there is no IMA, or securityfs, is what opening says. */
	if (!export->kernel.list) {
		rc = export->world->open_list(export->root, false, 0, &fd, error);
		if (rc == 0)
			close(fd);
	}
	if (rc < 0 || export->kernel.trims)
		return rc;
	return refuse_kernel(&export->kernel, error);
}

/* ---- all that was ever measured ---- */

static int replay_source(struct imalog_export *export, struct imalog_source *source,
			 struct imalog_error *error)
{
	struct imalog_replay *replay = export->trim.replay;
	const struct imalog_base base = { .records = imalog_replay_records(replay) };
	struct imalog_reader *reader = imalog_base_reader(&base, source, export->templates);
	int rc = reader ? imalog_replay_run(replay, reader, error) : imalog_fail_nomem(error);

	imalog_reader_free(&reader);
	return rc;
}

static int replay_segment(struct imalog_export *export, const struct imalog_segment *segment,
			  struct imalog_error *error)
{
	char name[IMALOG_SEGMENT_NAME_MAX];
	struct imalog_source *source;
	int fd = imalog_segment_open(export->epoch, segment, error), rc;

	if (fd < 0)
		return fd;
	imalog_segment_name(segment->kind, segment->number, name);
	source = imalog_source_from_fd(fd, name);
	rc = source ? replay_source(export, source, error) : imalog_fail_nomem(error);
	imalog_source_free(&source);
	close(fd);
	return rc;
}

/* Is what is pending still in the list? */
static bool is_known(const struct imalog_export *export)
{
	return export->proved || export->sure;
}

/* What was staged cannot be, when a trim has anything to take. */
static bool is_listed(const struct imalog_export *export)
{
	return export->nr_pending == 1 && is_known(export) &&
	       !imalog_tail_was_staged(export, export->pending[0]);
}

int imalog_trim_prepare(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_epoch *epoch;
	int rc = 0;

	/* What may have left the kernel is decided about first: then there is another round. */
	if (!export->trim.replay || (export->nr_pending && !is_listed(export)))
		return 0;
	/* What it has replayed, it cannot take back. */
	if (imalog_replay_records(export->trim.replay))
		return imalog_fail_os(error, EAGAIN,
				      "others delete records of the list meanwhile");
	/* Files have got other names since it was opened. */
	rc = imalog_epoch_open(export->store, export->store->current, &epoch, error);
	if (rc < 0)
		return rc;
	imalog_epoch_close(&export->epoch);
	export->epoch = epoch;
	for (size_t i = 0; rc == 0 && i < epoch->nr; i++)
		if (epoch->segments[i].kind == IMALOG_SEGMENT_LOG)
			rc = replay_segment(export, &epoch->segments[i], error);
	return rc;
}

/* ---- under the hold ---- */

/* What the caller says when it has seen all records */
static int ask(struct imalog_export *export, uint64_t *to, struct imalog_error *error)
{
	struct imalog_source *source = export->world->list(export->staging, error);
	int rc = source ? replay_source(export, source, error) :
			  -(int)(error ? imalog_error_code(error) : IMALOG_ERR_NOMEM);

	imalog_source_free(&source);
	if (rc < 0)
		return rc;
	rc = export->trim.fn(export->trim.arg, to);
	return rc < 0 ? imalog_fail(error, (enum imalog_code)-rc, "", "nothing is deleted") :
			0;
}

static int count(struct imalog_export *export, uint64_t *ret, struct imalog_error *error)
{
	uint64_t to = export->trim.to;
	int rc = export->trim.replay ? ask(export, &to, error) : 0;

	if (rc < 0)
		return rc;
	*ret = export->trim.count;
	if (!*ret && to > export->base.records)
		*ret = to - export->base.records;
	return 0;
}

bool imalog_trim_is_for(const struct imalog_export *export,
			const struct imalog_receipt *receipt)
{
	const struct imalog_trim *trim = &export->trim;

	/* Of two pending segments the first is before it, or is the same: not known yet. */
	if (trim->replay || (!trim->count && export->nr_pending > 1))
		return false;
	return trim->count ? trim->count == receipt->records :
			     trim->to == export->base.records + receipt->records;
}

static int refuse_doubtful(const struct imalog_receipt *doubtful, struct imalog_error *error)
{
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "the list begins with the bytes of segment %" PRIu64
			   ", and nothing tells whether an interrupted run has deleted its "
			   "records: nothing is deleted now; imalog export takes all of them",
			   doubtful->segment);
}

static int refuse_fewer(const struct imalog_receipt *doubtful, uint64_t records,
			struct imalog_error *error)
{
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "an interrupted run has saved the first %" PRIu64
			   " records of the list, more than the %" PRIu64
			   " to be deleted: nothing is deleted; imalog trim %" PRIu64
			   " or imalog export finishes it",
			   doubtful->records, records, doubtful->records);
}

/*
 * The list begins with the bytes of a pending segment.  So many of its first records can be
 * taken all the same, if they are as many; but which record of the epoch is which must be known.
 */
static int count_doubtful(struct imalog_export *export, const struct imalog_receipt *doubtful,
			  uint64_t *records, struct imalog_error *error)
{
	int rc = 0;

	if (!export->trim.count && !is_known(export))
		return refuse_doubtful(doubtful, error);
	rc = count(export, records, error);
	if (rc < 0 || *records == 0 || *records >= doubtful->records)
		return rc;
	return is_known(export) ? refuse_fewer(doubtful, *records, error) :
				  refuse_doubtful(doubtful, error);
}

int imalog_trim_take(struct imalog_export *export, const struct imalog_receipt *doubtful,
		     struct imalog_error *error)
{
	const struct imalog_world *world = export->world;
	uint64_t records = 0, got = 0;
	/* Is anything staged? */
	int rc = world->first(export->staging, 1, &got, error);

	if (rc == 2)
		return imalog_trim_refuse_staged(error);
	if (rc >= 0)
		rc = doubtful ? count_doubtful(export, doubtful, &records, error) :
				count(export, &records, error);
	if (rc < 0 || records == 0)
		return rc;
	rc = world->first(export->staging, records, &got, error);
	if (rc < 0 || got == records)
		return rc;
	return imalog_fail_os(error, ENOENT,
			      "the list has %" PRIu64 " records, fewer than the %" PRIu64
			      " to be deleted",
			      got, records);
}

void imalog_trim_end(struct imalog_export *export)
{
	if (export->trim.wanted && export->nr_done == 0 && export->nr_pending == 0 &&
	    export->store && export->store->began)
		imalog_store_unmake(export->store);
}

/* ---- for callers ---- */

static int run_trim(struct imalog_export *export, const struct imalog_trim *trim,
		    struct imalog_error *error)
{
	int rc;

	export->trim = *trim;
	rc = imalog_export_run(export, error);
	export->trim = (struct imalog_trim){ .wanted = false };
	return rc;
}

int imalog_export_trim(struct imalog_export *export, uint64_t records,
		       struct imalog_error *reterr)
{
	const struct imalog_trim trim = { .wanted = true, .count = records };

	if (records == 0)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "", "no records are none");
	return run_trim(export, &trim, reterr);
}

int imalog_export_trim_to(struct imalog_export *export, uint64_t record,
			  struct imalog_error *reterr)
{
	const struct imalog_trim trim = { .wanted = true, .to = record };

	return run_trim(export, &trim, reterr);
}

int imalog_export_trim_replayed(struct imalog_export *export, struct imalog_replay *replay,
				imalog_trim_fn fn, void *arg, struct imalog_error *reterr)
{
	const struct imalog_trim trim = {
		.wanted = true, .replay = replay, .fn = fn, .arg = arg
	};

	return run_trim(export, &trim, reterr);
}
