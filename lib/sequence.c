// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a sequence of records leads to: segments of the store and the kernel's lists
 *
 * Lists repeat: two violations have the same bytes, and so may two lists.  But each extends
 * the PCRs, and no two sequences of records lead to the same values.  So a sequence that leads
 * to what the TPM says, with its end behind the records in question, is what happened.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "export.h"

/* A sequence that is being replayed */
struct run {
	const struct imalog_sequence *sequence;
	struct imalog_export *export;
	struct imalog_replay *replay;
	uint64_t end; /* of what is in question */
};

static int run_fd(struct run *run, int fd, struct imalog_error *error)
{
	const struct imalog_base here = { .records = run->sequence->base->records +
						     imalog_replay_records(run->replay) };
	struct imalog_source *source = imalog_source_from_fd(fd, "list");
	struct imalog_reader *reader = NULL;
	int rc;

	if (source)
		reader = imalog_base_reader(&here, source, run->export->templates);
	rc = reader ? imalog_replay_run(run->replay, reader, error) : imalog_fail_nomem(error);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	close(fd);
	return rc;
}

static int run_segment(struct run *run, const struct imalog_receipt *receipt,
		       struct imalog_error *error)
{
	int fd = imalog_segment_open_any(run->export->epoch, receipt->segment, error);

	return fd < 0 ? fd : run_fd(run, fd, error);
}

int imalog_sequence_open_list(const struct imalog_export *export, bool staged, int *fd,
			      struct imalog_error *error)
{
	if (!export->copies || export->copies[staged] < 0)
		return export->world->open_list(export->root, staged, export->wait_ms, fd,
						error);
	*fd = fcntl(export->copies[staged], F_DUPFD_CLOEXEC, 0);
	if (*fd >= 0 && lseek(*fd, 0, SEEK_SET) == 0)
		return 0;
	imalog_fail_errno(error, errno, "cannot read the copy of a list");
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -IMALOG_ERR_OS;
}

static int run_list(struct run *run, bool staged, struct imalog_error *error)
{
	int fd, rc = imalog_sequence_open_list(run->export, staged, &fd, error);

	return rc < 0 ? rc : run_fd(run, fd, error);
}

static int run_all(struct run *run, struct imalog_error *error)
{
	const struct imalog_sequence *sequence = run->sequence;
	int rc = imalog_base_prepare(sequence->base, run->export->witness.pcrs, run->replay,
				     error);

	for (size_t i = 0; rc == 0 && i < IMALOG_PENDING_MAX; i++)
		if (sequence->segments[i])
			rc = run_segment(run, sequence->segments[i], error);
	run->end = sequence->base->records + imalog_replay_records(run->replay) +
		   sequence->in_lists;
	if (sequence->end)
		run->end = sequence->end;
	if (sequence->alone)
		return rc;
	if (rc == 0 && sequence->with_staged && run->export->kernel.stages)
		rc = run_list(run, true, error);
	return rc < 0 ? rc : run_list(run, false, error);
}

/* Do all values hold at one record, the last of those in question or a later one? */
static bool holds_behind(const struct run *run)
{
	uint64_t first = run->end, last = UINT64_MAX;
	size_t nr = imalog_replay_checks(run->replay);

	/* No PCR was extended: then the values are those of the base. */
	if (nr == 0)
		return imalog_state_is(&run->sequence->base->state, run->export->witness.pcrs);
	for (size_t i = 0; i < nr; i++) {
		struct imalog_check check;

		imalog_replay_check(run->replay, i, &check);
		if (check.verdict != IMALOG_MATCH)
			return false;
		first = check.matched_at > first ? check.matched_at : first;
		last = check.matched_to < last ? check.matched_to : last;
	}
	return first <= last;
}

bool imalog_sequence_read_tpm(struct imalog_export *export)
{
	imalog_witness_free(&export->witness);
	return export->world->read_tpm(export, false, &export->witness, NULL) == 0 &&
	       export->witness.pcrs;
}

/* Are the values at the end of the lists those that the TPM has after they were read? */
static int holds_at_end(const struct run *run, struct imalog_error *error)
{
	struct imalog_state state = { NULL, 0 };
	int rc = imalog_state_copy(&state, &run->sequence->base->state, error);

	if (rc == 0)
		rc = imalog_state_take(&state, run->replay, error);
	if (rc == 0)
		rc = imalog_sequence_read_tpm(run->export) &&
		     imalog_state_is(&state, run->export->witness.pcrs);
	imalog_state_free(&state);
	return rc;
}

int imalog_sequence_leads(struct imalog_export *export,
			  const struct imalog_sequence *sequence, bool all,
			  struct imalog_error *error)
{
	struct run run = { sequence, export, imalog_replay_new(), 0 };
	int rc;

	if (!run.replay)
		return imalog_fail_nomem(error);
	rc = run_all(&run, error);
	if (rc == 0)
		rc = all ? holds_at_end(&run, error) : holds_behind(&run);
	imalog_replay_free(&run.replay);
	return rc;
}

int imalog_sequence_count(struct imalog_export *export,
			  const struct imalog_sequence *sequences, size_t nr, bool all,
			  size_t *which, struct imalog_error *error)
{
	int count = 0;

	for (size_t i = 0; i < nr; i++) {
		int rc = imalog_sequence_leads(export, &sequences[i], all, error);

		if (rc < 0)
			return rc;
		count += rc;
		if (rc)
			*which = i;
	}
	return count;
}
