// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What is done while the kernel's lists are held, by one thread with one descriptor
 *
 * Everything that is found out here stays true when the lists are let go of: a pending
 * segment whose records are no longer staged will not be staged again, at least not in this
 * boot.  What can wait is done later, so that others can read the lists soon.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export.h"

/* ---- what is staged, or begins the list ---- */

static int sum_kept(struct imalog_export *export, struct imalog_prefix *ret,
		    struct imalog_error *error)
{
	struct imalog_source *source = export->world->source(export->staging, error);
	int rc;

	if (!source)
		return -(int)(error ? imalog_error_code(error) : IMALOG_ERR_NOMEM);
	rc = imalog_source_sum(source, &ret->size, ret->sha256, error);
	imalog_source_free(&source);
	return rc;
}

static int sum_staged(struct imalog_export *export, struct imalog_prefix *ret,
		      struct imalog_error *error)
{
	return export->kernel.stages ? sum_kept(export, ret, error) : 0;
}

/* Of so many records, when nothing is staged */
static int sum_first(struct imalog_export *export, uint64_t records, struct imalog_prefix *ret,
		     struct imalog_error *error)
{
	uint64_t got;
	int rc = export->world->first(export->staging, records, &got, error);

	return rc > 0 ? sum_kept(export, ret, error) : rc;
}

/* ---- deleting ---- */

/* Refused as the kernel does it, before anything is deleted (ima_fs.c, ima_queue.c) */
static bool is_refusal(int os_errno)
{
	return os_errno == ESTALE || os_errno == ENOENT || os_errno == EINVAL ||
	       os_errno == ERANGE;
}

/*
 * The kernel did not say yes.  Under this hold it can be seen what that means: either the
 * records are gone all the same, or it is certain that they are not.  Unless they are the first
 * of a list: the next ones may have the same bytes.
 */
static int look_after_failure(struct imalog_export *export, struct imalog_receipt *receipt,
			      int failed, struct imalog_error *error)
{
	bool refused = error && is_refusal(imalog_error_os_errno(error));
	struct imalog_prefix sum;
	int rc = receipt->trimmed ? -1 : sum_kept(export, &sum, NULL);

	if (rc == 0 && sum.size == 0)
		return 0;
	if (receipt->trimmed ? refused : rc == 0 && imalog_same_sum(&sum, receipt)) {
		receipt->state = IMALOG_RECEIPT_SAVED;
		if (!receipt->moment.known)
			imalog_same_note(export, receipt);
		imalog_tail_write(export, receipt, NULL);
	}
	if (error && imalog_error_os_errno(error) == ESTALE)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "segment %" PRIu64
				  " is saved and stays pending: what becomes of "
				  "its records is decided after the kexec or reboot",
				  receipt->segment);
	return failed;
}

/* Lets the kernel delete what a pending segment has, which was just read in full. */
static int discard(struct imalog_export *export, struct imalog_receipt *receipt,
		   struct imalog_error *error)
{
	int rc;

	receipt->state = IMALOG_RECEIPT_DELETING;
	rc = imalog_tail_write(export, receipt, error);
	if (rc < 0)
		return rc;
	rc = export->world->discard(export->staging, receipt, error);
	return rc < 0 ? look_after_failure(export, receipt, rc, error) : 0;
}

/* ---- saving ---- */

static void fill_machine(const struct imalog_export *export, struct imalog_receipt *receipt)
{
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(receipt->time, sizeof(receipt->time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(receipt->kernel, sizeof(receipt->kernel), "%s", export->kernel.release);
	snprintf(receipt->boot_id, sizeof(receipt->boot_id), "%s", export->kernel.boot_id);
	receipt->has_clock = export->witness.has_clock;
	receipt->clock = export->witness.clock;
}

/* Of all that the TPM said: the PCRs of the log, and those that were quoted */
static int keep_values(const struct imalog_witness *witness, struct imalog_receipt *receipt,
		       struct imalog_error *error)
{
	int rc = 0;

	if (!witness->pcrs)
		return 0;
	receipt->pcrs = imalog_pcrs_new();
	if (!receipt->pcrs)
		return imalog_fail_nomem(error);
	for (size_t i = 0; rc == 0 && i < imalog_pcrs_count(witness->pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		struct imalog_span value = { imalog_pcrs_at(witness->pcrs, i, &alg, &pcr), 0 };
		bool wanted = witness->quote.size && pcr <= 10;

		for (size_t v = 0; v < receipt->after.nr; v++)
			wanted |= receipt->after.values[v].pcr == pcr;
		value.size = imalog_alg_size(alg);
		if (wanted)
			rc = imalog_pcrs_set(receipt->pcrs, alg, pcr, value, error);
	}
	return rc;
}

static int write_beside(const struct imalog_export *export, uint64_t segment,
			const char *suffix, struct imalog_span bytes,
			struct imalog_error *error)
{
	struct imalog_durable file = { .fd = -1 };
	char name[IMALOG_RECEIPT_NAME_MAX];
	int rc;

	imalog_receipt_name(segment, suffix, name);
	rc = imalog_durable_begin(&file, export->epoch->receipts, name, error);
	if (rc == 0)
		rc = imalog_durable_write(&file, bytes, error);
	/* There may be one of a run that was cut short. */
	if (rc == 0)
		rc = imalog_durable_commit(&file, true, error);
	imalog_durable_discard(&file);
	return rc;
}

static int write_quote(const struct imalog_export *export, struct imalog_receipt *receipt,
		       struct imalog_error *error)
{
	const struct imalog_witness *witness = &export->witness;
	int rc;

	if (!witness->quote.size)
		return 0;
	receipt->has_quote = true;
	receipt->covers = imalog_receipt_covers(receipt);
	memcpy(receipt->nonce, witness->nonce, sizeof(receipt->nonce));
	rc = write_beside(export, receipt->segment, ".quote", witness->quote, error);
	if (rc == 0)
		rc = write_beside(export, receipt->segment, ".signature", witness->signature,
				  error);
	if (rc == 0)
		rc = imalog_span_sum(witness->quote, receipt->quote, error);
	return rc < 0 ? rc : imalog_span_sum(witness->signature, receipt->signature, error);
}

/* Reads what is staged into the file, and makes it durable under its name. */
static int copy(struct imalog_export *export, struct imalog_pass *pass,
		struct imalog_receipt *receipt, struct imalog_error *error)
{
	struct imalog_source *source = export->world->source(export->staging, error);
	int rc;

	if (!source)
		return -(int)(error ? imalog_error_code(error) : IMALOG_ERR_NOMEM);
	rc = imalog_pass_run(pass, source, receipt, error);
	imalog_source_free(&source);
	if (rc == 0 && receipt->bytes == 0)
		rc = imalog_fail(error, IMALOG_ERR_TRUNCATED, "",
				 "something is staged, and nothing can be read");
	return rc < 0 ? rc :
			imalog_durable_sync(pass->copy_to->fd, pass->copy_to->name, error);
}

/*
 * Written under its own name: without a receipt it counts for nothing.  What cannot be
 * finished is taken back, since the kernel still has it all.
 */
static int write_segment(struct imalog_export *export, struct imalog_pass *pass,
			 struct imalog_receipt *receipt, struct imalog_error *error)
{
	struct imalog_durable file = { .dir = export->epoch->dir };
	int rc;

	imalog_segment_name(IMALOG_SEGMENT_PENDING, receipt->segment, file.name);
	file.fd = openat(file.dir, file.name,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file.fd < 0) {
		rc = imalog_fail_errno(error, errno, "cannot create the segment");
		imalog_error_set_source(error, file.name);
		return rc;
	}
	pass->copy_to = &file;
	rc = copy(export, pass, receipt, error);
	if (close(file.fd) != 0 && rc == 0)
		rc = imalog_fail_errno(error, errno, "cannot write the segment");
	if (rc == 0)
		rc = imalog_durable_sync(file.dir, "the epoch", error);
	if (rc < 0)
		unlinkat(file.dir, file.name, 0);
	return rc;
}

/*
 * The kernel still has what was to be saved.  The receipt is taken back first, durably: a
 * segment that is missing would stop all exports.
 */
static void take_back(const struct imalog_export *export, uint64_t segment)
{
	static const char *const suffixes[] = { ".json", ".quote", ".signature" };
	char name[IMALOG_RECEIPT_NAME_MAX], file[IMALOG_SEGMENT_NAME_MAX];

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(suffixes); i++) {
		imalog_receipt_name(segment, suffixes[i], name);
		if (unlinkat(export->epoch->receipts, name, 0) != 0 && errno != ENOENT)
			return;
	}
	imalog_segment_name(IMALOG_SEGMENT_PENDING, segment, file);
	if (imalog_durable_sync(export->epoch->receipts, "the receipts", NULL) == 0)
		unlinkat(export->epoch->dir, file, 0);
}

/* What is to be saved, and deleted */
struct taken {
	bool any;
	bool staged_before;
	bool trimmed; /* the first records of the list */
	bool more;    /* and it has others */
};

/* @doubtful: a pending segment that may have the same records, or NULL */
static int save(struct imalog_export *export, const struct imalog_receipt *doubtful,
		const struct taken *taken, struct imalog_error *error)
{
	struct imalog_receipt *receipt = imalog_receipt_new(error);
	struct imalog_base base = export->base;
	struct imalog_pass pass = { .base = &base,
				    .pcrs = export->witness.pcrs,
				    .templates = export->templates,
				    .prefixes = { { 0 }, export->partial_sum } };
	bool written;
	int rc;

	if (!receipt)
		return -IMALOG_ERR_NOMEM;
	/* How many violations there were before what is staged is read */
	rc = export->world->probe(export->root, &export->kernel, error);
	/* Most likely they are the same; else the receipt is corrected in the end. */
	if (doubtful) {
		pass.prefixes[0].size = doubtful->bytes;
		memcpy(pass.prefixes[0].sha256, doubtful->sha256, IMALOG_SHA256_SIZE);
	}
	receipt->segment = export->last_number + 1;
	receipt->trimmed = taken->trimmed;
	if (rc == 0)
		rc = write_segment(export, &pass, receipt, error);
	written = rc == 0;
	/* Two segments with the same bytes are compared by them. */
	if (rc == 0 && pass.prefixes[0].found)
		rc = imalog_same_mend(export, doubtful, error);
	if (rc == 0)
		rc = keep_values(&export->witness, receipt, error);
	fill_machine(export, receipt);
	memcpy(receipt->previous, base.chain, sizeof(receipt->previous));
	receipt->state = IMALOG_RECEIPT_SAVED;
	if (rc == 0 && !export->deletes)
		imalog_same_note(export, receipt);
	receipt->may_repeat = pass.prefixes[0].found ? doubtful->segment : 0;
	receipt->staged_before = taken->staged_before || taken->more;
	imalog_receipt_excuse(receipt);
	receipt->undetermined = imalog_tail_is_undetermined(export, receipt);
	if (rc == 0)
		rc = write_quote(export, receipt, error);
	if (rc == 0)
		rc = imalog_tail_write(export, receipt, error);
	if (rc < 0) {
		if (written)
			take_back(export, receipt->segment);
		imalog_receipt_free(&receipt);
		return rc;
	}
	export->pending[export->nr_pending++] = receipt;
	export->last_number = receipt->segment;
	imalog_orphan_remove(export, pass.prefixes[1].found, receipt->bytes);
	return 0;
}

/* ---- the hold ---- */

/* What is staged must be what the user says it is. */
static int compare_file(struct imalog_export *export, const struct imalog_prefix *sum,
			struct imalog_error *error)
{
	if (!export->must_equal || sum->size == 0)
		return 0;
	if (imalog_same_sum(sum, export->must_equal)) {
		export->was_equal = true;
		return 0;
	}
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "the file is not what is staged: %" PRIu64 " bytes, not %" PRIu64,
			   export->must_equal->bytes, sum->size);
}

/* The first records of the list: a slice, but all that may be those of a pending segment */
static int take_slice(struct imalog_export *export, const struct imalog_receipt *doubtful,
		      struct taken *taken, struct imalog_error *error)
{
	uint64_t records = export->slice ? export->slice : UINT64_MAX, got = 0;
	int rc;

	if (doubtful && doubtful->records > records)
		records = doubtful->records;
	rc = export->world->first(export->staging, records, &got, error);
	taken->trimmed = rc == 1;
	taken->more = rc == 1 && got == records;
	return rc;
}

/* How many a trim leaves is nobody's business: there can always be more. */
static int take_first(struct imalog_export *export, const struct imalog_receipt *doubtful,
		      struct taken *taken, struct imalog_error *error)
{
	int rc;

	if (!export->trim.wanted)
		return take_slice(export, doubtful, taken, error);
	rc = imalog_trim_take(export, doubtful, error);
	taken->trimmed = taken->more = rc == 1;
	return rc;
}

/* Sets aside what is to be saved. */
static int take(struct imalog_export *export, bool staged,
		const struct imalog_receipt *doubtful, struct taken *taken,
		struct imalog_error *error)
{
	int rc = staged ? 2 : 0;

	*taken = (struct taken){ 0 };
	if (export->stages && export->holds_list)
		rc = take_first(export, doubtful, taken, error);
	else if (export->stages)
		rc = export->world->stage(export->staging, error);
	taken->any = rc > 0;
	taken->staged_before = rc == 2;
	return rc < 0 ? rc : 0;
}

static int outcome_of(const struct imalog_export *export, const struct taken *taken)
{
	if (taken->staged_before)
		return IMALOG_OUTCOME_AGAIN;
	/* Of a kernel that stages, the rest comes in one piece. */
	if (taken->trimmed && !export->trim.wanted && (taken->more || export->kernel.stages))
		return IMALOG_OUTCOME_SLICE;
	return IMALOG_OUTCOME_GONE;
}

/*
 * What the kernel has is not the newest pending segment, or may not be.  @doubtful as in save();
 * @staged: that something is staged is known already
 */
static int take_and_save(struct imalog_export *export, bool staged,
			 const struct imalog_receipt *doubtful, struct imalog_error *error)
{
	struct taken taken;
	int rc = take(export, staged, doubtful, &taken, error);

	if (rc < 0)
		return rc;
	/* A trim has nothing to take, whatever the lists have. */
	if (!taken.any && export->trim.wanted)
		return IMALOG_OUTCOME_NOTHING;
	if (!taken.any)
		/* The lists have nothing, so no pending segment's records either. */
		return doubtful && export->stages ? IMALOG_OUTCOME_GONE :
						    IMALOG_OUTCOME_NOTHING;
	if (!export->saves && !(doubtful && doubtful->state == IMALOG_RECEIPT_SAVED))
		return imalog_fail(error, IMALOG_ERR_INVALID, "",
				   "what is staged is not saved: imalog save does that");
	rc = save(export, doubtful, &taken, error);
	if (rc < 0 || !export->deletes)
		return rc < 0 ? rc : IMALOG_OUTCOME_SAVED;
	rc = discard(export, export->pending[export->nr_pending - 1], error);
	return rc < 0 ? rc : outcome_of(export, &taken);
}

/* The kernel has what is pending, and nothing else has its bytes: it need not be saved again. */
static int discard_saved(struct imalog_export *export, struct imalog_receipt *newest,
			 struct imalog_error *error)
{
	int rc;

	if (!export->deletes)
		return IMALOG_OUTCOME_SAVED;
	rc = discard(export, newest, error);
	if (rc < 0)
		return rc;
	return export->trim.wanted ? IMALOG_OUTCOME_GONE : IMALOG_OUTCOME_AGAIN;
}

/* The newest pending segment is staged, or begins the list; or its records were deleted. */
static int look_at_newest(struct imalog_export *export, struct imalog_receipt *newest,
			  const struct imalog_prefix *sum, bool staged,
			  struct imalog_error *error)
{
	int rc;

	if (!imalog_same_sum(sum, newest))
		/* Its records were deleted, by us or by somebody else. */
		return IMALOG_OUTCOME_AGAIN;
	if (export->sure && !imalog_same_as_staged(export, newest))
		export->sure = false;
	/* Others can have come between that proof and this hold. */
	if (export->proved && export->trim.wanted)
		export->proved = imalog_same_since_mark(export, newest);
	/* A trim deletes what it is told to, not what an earlier one was told. */
	if (export->sure && (!export->trim.wanted || imalog_trim_is_for(export, newest))) {
		rc = imalog_same_mend(export, newest, error);
		if (rc < 0)
			return rc;
		if (!export->keeps || imalog_keep_is_all(export, newest))
			return discard_saved(export, newest, error);
		return take_and_save(export, staged, newest, error);
	}
	/* Deleted and there once more, or never deleted: bytes do not tell. */
	if (export->nr_pending == IMALOG_PENDING_MAX)
		return IMALOG_OUTCOME_SETTLE;
	return take_and_save(export, staged, newest, error);
}

int imalog_export_hold(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_receipt *newest =
		export->nr_pending ? export->pending[export->nr_pending - 1] : NULL;
	struct imalog_prefix sum = { 0 }, first = { 0 };
	bool was_staged = newest && imalog_tail_was_staged(export, newest);
	int rc = 0;

	/* Staging comes first, unless something must be looked at before. */
	if (newest || export->must_equal || !export->stages)
		rc = sum_staged(export, &sum, error);
	if (rc == 0)
		rc = compare_file(export, &sum, error);
	if (rc == 0 && sum.size && export->trim.wanted)
		rc = imalog_trim_refuse_staged(error);
	if (rc < 0)
		return rc;
	if (was_staged)
		return look_at_newest(export, newest, &sum, sum.size, error);
	if (newest && export->holds_list && sum.size == 0) {
		rc = sum_first(export, newest->records, &first, error);
		return rc < 0 ? rc : look_at_newest(export, newest, &first, false, error);
	}
	if (export->nr_pending == IMALOG_PENDING_MAX)
		return IMALOG_OUTCOME_SETTLE;
	return take_and_save(export, sum.size, newest, error);
}
