// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From the kernel's list to the store, without losing a record
 *
 *     what was interrupted -> TPM -> stage -> read, copied and replayed in one pass -> fsync
 *     -> receipt `saved` -> receipt `deleting` -> delete -> rename -> receipt `committed`
 *
 * A long list is taken in slices, since reading costs the kernel the square of its length, and
 * so is every list of a kernel that cannot stage: then the first records are read and deleted
 * where they are.
 *
 * That records are durably saved is what lets them be deleted; whether they fit the TPM's
 * values is said, and changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "export.h"
#include "kexec.h"

/* More than it ever takes to finish what was interrupted, and then to export */
#define ROUNDS 8
/* Records: what a kernel reads in a fifth of a second */
#define SLICE 20000

struct imalog_export *imalog_export_new(const char *root, const char *store)
{
	struct imalog_export *export = calloc(1, sizeof(*export));

	if (!export)
		return NULL;
	export->world = &imalog_machine;
	export->slice = SLICE;
	export->root = strdup(root);
	export->store_path = strdup(store);
	export->templates = imalog_templates_new();
	if (!export->root || !export->store_path || !export->templates)
		imalog_export_free(&export);
	return export;
}

/* Forgets everything that a call found out. */
static void reset(struct imalog_export *export)
{
	export->world->close(&export->staging);
	imalog_tail_free(export);
	imalog_store_close(&export->store);
	imalog_witness_free(&export->witness);
	export->placed = false;
}

static void reset_results(struct imalog_export *export)
{
	for (size_t i = 0; i < export->nr_done; i++)
		imalog_receipt_free(&export->done[i].receipt);
	free(export->done);
	export->done = NULL;
	export->nr_done = 0;
	imalog_export_forget_notes(export);
}

void imalog_export_free(struct imalog_export **ptr)
{
	struct imalog_export *export = ptr ? *ptr : NULL;

	if (!export)
		return;
	reset(export);
	reset_results(export);
	imalog_templates_free(&export->templates);
	free(export->root);
	free(export->store_path);
	free(export->tcti);
	free(export->ak);
	free(export);
	*ptr = NULL;
}

/* ---- options ---- */

void imalog_export_set_wait(struct imalog_export *export, unsigned int wait_ms)
{
	export->wait_ms = wait_ms;
}

int imalog_export_set_tpm(struct imalog_export *export, enum imalog_tpm_use use,
			  const char *tcti, const char *ak, struct imalog_error *reterr)
{
	char *copies[2] = { NULL, NULL };

	if (ak && (use == IMALOG_TPM_SYSFS || use == IMALOG_TPM_NONE))
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "a quote takes the TPM itself, through tpm2-tss");
	if (tcti)
		copies[0] = strdup(tcti);
	if (ak)
		copies[1] = strdup(ak);
	if ((tcti && !copies[0]) || (ak && !copies[1])) {
		free(copies[0]);
		free(copies[1]);
		return imalog_fail_nomem(reterr);
	}
	free(export->tcti);
	free(export->ak);
	export->tcti = copies[0];
	export->ak = copies[1];
	/* With a key, there must be a TPM. */
	export->tpm_use = ak && use == IMALOG_TPM_AUTO ? IMALOG_TPM_TSS : use;
	return 0;
}

void imalog_export_set_thresholds(struct imalog_export *export, uint64_t records,
				  uint64_t bytes, uint64_t age)
{
	export->min_records = records;
	export->min_bytes = bytes;
	export->max_age = age;
}

void imalog_export_set_slice(struct imalog_export *export, uint64_t records)
{
	export->slice = records;
}

/* ---- is there anything to do? ---- */

/* Whether a list has bytes, or so many; 1, 0, or negative */
static int has_bytes(struct imalog_export *export, bool staged, uint64_t many,
		     struct imalog_error *error)
{
	char chunk[4096];
	uint64_t size = 0;
	ssize_t n = 1;
	int fd, rc = export->world->open_list(export->root, staged, export->wait_ms, &fd,
					      error);

	if (rc < 0)
		return rc;
	while (size < many && (n > 0 || (n < 0 && errno == EINTR))) {
		n = read(fd, chunk, sizeof(chunk));
		size += n > 0 ? (uint64_t)n : 0;
	}
	rc = n < 0 ? imalog_fail_errno(error, errno, "cannot read the measurement list") : 0;
	close(fd);
	return rc < 0 ? rc : size >= many;
}

/* When the last receipt was written; its time itself would have to be read. */
static bool is_due(const struct imalog_export *export)
{
	const struct imalog_epoch *epoch = export->epoch;
	char name[IMALOG_RECEIPT_NAME_MAX];
	time_t now = time(NULL);
	struct stat st;

	if (!epoch || epoch->nr == 0)
		return true;
	imalog_receipt_name(imalog_epoch_last(epoch), ".json", name);
	if (fstatat(epoch->receipts, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_mtime > now)
		return true;
	return (uint64_t)(now - st.st_mtime) >= export->max_age;
}

/* Has the store something that was interrupted?  Nothing that changed is read to know. */
static bool is_unfinished(const struct imalog_export *export)
{
	const struct imalog_epoch *epoch = export->epoch;

	for (size_t i = epoch ? epoch->nr : 0; i > 0; i--)
		if (epoch->segments[i - 1].kind == IMALOG_SEGMENT_PENDING)
			return true;
	return false;
}

/* Is the list long enough, or old enough?  1, 0, or negative */
static int is_enough(struct imalog_export *export, struct imalog_error *error)
{
	bool any = export->min_records || export->min_bytes || export->max_age;

	if (export->kernel.counted && export->kernel.records == 0)
		return 0;
	if (!any || (export->min_records && export->kernel.records >= export->min_records) ||
	    (export->max_age && is_due(export)))
		return 1;
	if (!export->min_bytes && export->kernel.counted)
		return 0;
	return has_bytes(export, false, export->min_bytes ? export->min_bytes : 1, error);
}

static int is_worth_it(struct imalog_export *export, struct imalog_error *error)
{
	int rc;

	if (is_unfinished(export) || !export->stages || export->trim.wanted || export->keeps)
		return 1;
	rc = is_enough(export, error);
	return rc || !export->kernel.stages ? rc : has_bytes(export, true, 1, error);
}

/* ---- the transaction ---- */

/* The store as it is, or none; an epoch that a crash left without segments counts as such. */
static int open_store(struct imalog_export *export, bool create, struct imalog_error *error)
{
	int rc;

	imalog_epoch_close(&export->epoch);
	imalog_store_close(&export->store);
	rc = imalog_store_take(export->store_path,
			       create ? IMALOG_STORE_CREATE : IMALOG_STORE_CHANGE,
			       export->wait_ms, &export->store, error);
	if (rc == 0 && create && export->store->current == 0) {
		export->store->began = true;
		rc = imalog_store_start_epoch(export->store, 1, error);
	}
	if (rc == 0 && export->store->current)
		rc = imalog_epoch_open(export->store, export->store->current, &export->epoch,
				       error);
	return rc;
}

static int open_existing_store(struct imalog_export *export, struct imalog_error *error)
{
	struct stat st;

	if (stat(export->store_path, &st) != 0 && errno == ENOENT)
		return 0;
	return open_store(export, false, error);
}

/* Reads the TPM; that there is none is a failure, too, where the store knows of one. */
static int ask_tpm(struct imalog_export *export, struct imalog_error *error)
{
	int rc;

	imalog_witness_free(&export->witness);
	rc = export->world->read_tpm(export, true, &export->witness, error);
	/* What cannot be quoted can be compared all the same. */
	if (rc < 0 && export->ak &&
	    export->world->read_tpm(export, false, &export->witness, NULL) == 0) {
		imalog_export_say(export, IMALOG_NOTE_UNCHECKED, "there is no quote: %s",
				  imalog_error_detail(error));
		rc = 0;
	}
	if (rc == 0 && !export->witness.pcrs && export->past.compared &&
	    export->tpm_use != IMALOG_TPM_NONE)
		rc = imalog_fail_tpm(error, 0, "there is no TPM any more, and there was one: "
						 "--no-tpm says that this is so");
	return rc;
}

/*
 * The TPM's values.  That they cannot be read holds up nothing: what is durable may leave the
 * kernel.  But of a new boot it is then not known what its list follows.
 */
static int read_tpm(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_error *why = imalog_error_new();
	int rc = why ? ask_tpm(export, why) : imalog_fail_nomem(error);

	export->lacks_tpm = why && rc < 0;
	if (export->lacks_tpm) {
		imalog_export_say(export, IMALOG_NOTE_UNCHECKED,
				  "nothing is compared with the TPM: %s",
				  imalog_error_detail(why));
		rc = 0;
	}
	imalog_error_free(&why);
	return rc;
}

/* What became of the newest pending segment is known; the one before it goes first. */
static int settle(struct imalog_export *export, bool newest_is_gone,
		  struct imalog_error *error)
{
	if (export->nr_pending < IMALOG_PENDING_MAX)
		return 0;
	return imalog_evidence_settle(export, newest_is_gone, error);
}

static int commit_all(struct imalog_export *export, struct imalog_error *error)
{
	int rc = settle(export, true, error);

	while (rc == 0 && export->nr_pending)
		rc = imalog_tail_commit_first(export, error);
	return rc;
}

static const struct imalog_receipt *newest_pending(const struct imalog_export *export)
{
	return export->nr_pending ? export->pending[export->nr_pending - 1] : NULL;
}

/*
 * What was saved is not saved again if it is still there, which is looked at under the hold.
 * Only the TPM's values can say before that it is not; what the lists begin with is not
 * looked for in them then.
 */
static int look_at_saved(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_receipt *newest = newest_pending(export);
	bool here, listed;
	int verdict;

	export->sure = export->proved = false;
	if (!newest)
		return 0;
	here = imalog_tail_same_boot(export, newest);
	listed = !imalog_tail_was_staged(export, newest);
	/* After another boot an export finds that out when it has saved the list. */
	if (listed ? !here && !export->trim.wanted : newest->state != IMALOG_RECEIPT_SAVED)
		return 0;
	if (listed && export->trim.wanted)
		imalog_same_mark(export);
	verdict = imalog_evidence_saved(export, NULL);
	export->sure = here && newest->state == IMALOG_RECEIPT_SAVED &&
		       verdict != IMALOG_MISMATCH;
	export->proved = listed && verdict == IMALOG_MATCH;
	return verdict == IMALOG_MISMATCH && listed ? commit_all(export, error) : 0;
}

/* Are the first records of the list to be taken, or to be compared with what is pending? */
static bool wants_list(const struct imalog_export *export)
{
	const struct imalog_kernel_info *kernel = &export->kernel;
	const struct imalog_receipt *newest = newest_pending(export);

	if (export->keeps)
		return !kernel->stages;
	if (!export->stages || !kernel->trims)
		return false;
	if (export->trim.wanted || !kernel->stages ||
	    (newest && newest->trimmed && imalog_tail_same_boot(export, newest)))
		return true;
	return export->slice && kernel->counted && kernel->records > export->slice;
}

/* One hold on the lists, and what follows from it; an enum imalog_outcome, or negative */
static int one_round(struct imalog_export *export, struct imalog_error *error)
{
	int outcome, rc = read_tpm(export, error);

	if (rc == 0)
		rc = imalog_orphan_settle(export, error);
	if (rc == 0)
		rc = imalog_evidence_epoch(export, error);
	if (rc == 0)
		rc = look_at_saved(export, error);
	if (rc == 0 && export->trim.wanted)
		rc = imalog_trim_prepare(export, error);
	export->holds_list = wants_list(export);
	if (rc == 0)
		rc = export->world->open(export->root, export->kernel.stages,
					 export->holds_list, export->wait_ms,
					 &export->staging, error);
	if (rc < 0)
		return rc;
	outcome = imalog_export_hold(export, error);
	export->world->close(&export->staging);
	switch (outcome) {
	case IMALOG_OUTCOME_SETTLE:
		rc = settle(export, false, error);
		break;
	case IMALOG_OUTCOME_GONE:
	case IMALOG_OUTCOME_AGAIN:
	case IMALOG_OUTCOME_SLICE:
		rc = commit_all(export, error);
		break;
	case IMALOG_OUTCOME_NOTHING:
		break;
	case IMALOG_OUTCOME_SAVED:
		rc = export->keeps ? imalog_keep_settle(export, error) : 0;
		if (rc == 0)
			rc = imalog_export_add(export, newest_pending(export), error);
		break;
	}
	return rc < 0 ? rc : outcome;
}

static int all_rounds(struct imalog_export *export, struct imalog_error *error)
{
	int outcome = IMALOG_OUTCOME_AGAIN, rc = 0;

	for (int i = 0;
	     rc == 0 && (outcome == IMALOG_OUTCOME_AGAIN || outcome == IMALOG_OUTCOME_SETTLE ||
			 outcome == IMALOG_OUTCOME_SLICE);
	     i++) {
		if (i == ROUNDS)
			return imalog_fail(error, IMALOG_ERR_OS, "",
					   "others stage or delete the list all the time");
		/* How long is the list now? */
		if (i > 0)
			rc = export->world->probe(export->root, &export->kernel, error);
		if (rc == 0)
			outcome = one_round(export, error);
		/* However many slices it takes, others are not the reason. */
		if (outcome == IMALOG_OUTCOME_SLICE)
			i = 0;
	}
	return outcome < 0 ? outcome : rc;
}

static int begin(struct imalog_export *export, struct imalog_error *error)
{
	int rc = export->world->probe(export->root, &export->kernel, error);

	/* What is missing is said before anything else. */
	if (rc == 0 && export->trim.wanted) {
		rc = imalog_trim_begin(export, error);
	} else if (rc == 0 && export->keeps) {
		rc = imalog_keep_begin(export, error);
	} else if (rc == 0 && !export->kernel.stages &&
		   !(export->stages && export->kernel.trims)) {
		rc = export->world->open(export->root, true, false, 0, &export->staging,
					 error);
		export->world->close(&export->staging);
	}
	if (rc == 0)
		rc = open_existing_store(export, error);
	if (rc == 0)
		rc = is_worth_it(export, error);
	if (rc <= 0)
		return rc;
	rc = export->world->check_store(export->store_path, error);
	if (rc < 0)
		imalog_error_set_source(error, export->store_path);
	if (rc == 0 && !export->epoch)
		rc = open_store(export, true, error);
	if (rc == 0)
		rc = imalog_tail_load(export, error);
	return rc < 0 ? rc : 1;
}

static int run(struct imalog_export *export, struct imalog_error *error)
{
	int rc;

	reset_results(export);
	export->crossed = false;
	rc = begin(export, error);
	if (rc > 0)
		rc = all_rounds(export, error);
	if (rc == 0 && export->deletes)
		imalog_export_say_end(export);
	if (rc == 0 && export->keeps)
		rc = imalog_keep_mark(export, error);
	else if (rc == 0 && export->crossed)
		imalog_boundary_remove(export->store->dir);
	imalog_orphan_sweep(export);
	imalog_trim_end(export);
	reset(export);
	return rc < 0 ? rc : (int)export->nr_done;
}

int imalog_export_run(struct imalog_export *export, struct imalog_error *reterr)
{
	export->stages = export->saves = true;
	export->deletes = !export->keeps;
	return run(export, reterr);
}

int imalog_export_save(struct imalog_export *export, struct imalog_error *reterr)
{
	export->stages = export->deletes = false;
	export->saves = true;
	return run(export, reterr);
}

int imalog_export_confirm(struct imalog_export *export, const char *file,
			  struct imalog_error *reterr)
{
	struct imalog_receipt *receipt = NULL;
	int rc = file ? imalog_receipt_for_file(file, &receipt, reterr) : 0;

	if (rc < 0) {
		imalog_error_set_source(reterr, file);
		return rc;
	}
	export->stages = false;
	export->saves = file;
	export->deletes = true;
	export->must_equal = receipt;
	export->was_equal = false;
	rc = run(export, reterr);
	/* What an earlier call had deleted was finished: that says nothing of the file. */
	if (rc > 0 && file && !export->was_equal)
		rc = 0;
	export->must_equal = NULL;
	imalog_receipt_free(&receipt);
	return rc;
}
