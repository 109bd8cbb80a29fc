// SPDX-License-Identifier: LGPL-2.1-or-later
/* Checks an epoch from its first record on: segments, receipts, and what follows what. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

struct check {
	const struct imalog_epoch *epoch;
	struct imalog_replay *replay;
	const struct imalog_templates *templates;
	imalog_finding_fn fn;
	void *arg;
	int findings;
	struct imalog_base base; /* behind the last segment of the log */
	bool chained;		 /* and its chain is known */
};

static __attribute__((format(printf, 3, 4))) void find(struct check *check, uint64_t segment,
						       const char *format, ...)
{
	char text[320];
	va_list args;

	check->findings++;
	if (!check->fn)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	check->fn(check->arg, segment, text);
}

/* ---- a receipt ---- */

/* What does not depend on where the segment is in the log */
static void compare_content(struct check *check, const struct imalog_receipt *receipt,
			    const struct imalog_receipt *is)
{
	uint64_t number = receipt->segment;

	if (receipt->bytes != is->bytes)
		find(check, number,
		     "it has %" PRIu64 " bytes, its receipt says %" PRIu64, is->bytes,
		     receipt->bytes);
	else if (memcmp(receipt->sha256, is->sha256, IMALOG_SHA256_SIZE) != 0)
		find(check, number, "its SHA-256 is not that of its receipt");
	else if (receipt->violations != is->violations)
		find(check, number,
		     "it has %" PRIu64 " violations, its receipt says %" PRIu64,
		     is->violations, receipt->violations);
	else if (receipt->problems != is->problems)
		find(check, number,
		     "the digests of %" PRIu64 " records do not fit, its receipt says %" PRIu64,
		     is->problems, receipt->problems);
	else if (receipt->has_ascii_bytes && is->has_ascii_bytes &&
		 receipt->ascii_bytes != is->ascii_bytes)
		find(check, number,
		     "it has %" PRIu64 " bytes in the ascii list, its receipt says %" PRIu64,
		     is->ascii_bytes, receipt->ascii_bytes);
}

/* A verdict that says less than could be said does no harm. */
static void compare_verdict(struct check *check, const struct imalog_receipt *receipt,
			    const struct imalog_receipt *is)
{
	if (receipt->verdict == IMALOG_NOT_CHECKED)
		return;
	if (receipt->verdict != is->verdict)
		find(check, receipt->segment,
		     "its receipt says %s of the PCR values that are in it: that is %s",
		     imalog_verdict_name(receipt->verdict), imalog_verdict_name(is->verdict));
	else if (receipt->matched_at != is->matched_at)
		find(check, receipt->segment,
		     "the PCR values match after record %" PRIu64
		     ", its receipt says after record %" PRIu64,
		     is->matched_at, receipt->matched_at);
}

static void compare_place(struct check *check, const struct imalog_receipt *receipt,
			  const struct imalog_receipt *is)
{
	uint64_t number = receipt->segment;

	if (receipt->state != IMALOG_RECEIPT_COMMITTED)
		find(check, number, "its receipt says that it is %s, not committed",
		     imalog_receipt_state_name(receipt->state));
	if (receipt->first != is->first || receipt->records != is->records)
		find(check, number,
		     "it has records %" PRIu64 " to %" PRIu64 ", its receipt says %" PRIu64
		     " to %" PRIu64,
		     is->first, is->first + is->records - 1, receipt->first,
		     receipt->first + receipt->records - 1);
	if (!imalog_state_has(&is->before, &receipt->before))
		find(check, number, "the PCR values before it are not those of its receipt");
	if (!imalog_state_has(&is->after, &receipt->after))
		find(check, number, "the PCR values after it are not those of its receipt");
}

static void check_chain(struct check *check, const struct imalog_receipt *receipt,
			const uint8_t self[IMALOG_SHA256_SIZE])
{
	if (check->chained &&
	    memcmp(receipt->previous, check->base.chain, IMALOG_SHA256_SIZE) != 0)
		find(check, receipt->segment,
		     "its receipt follows another one than that of the segment before");
	/* What comes behind one that was made again has the digest of the lost one. */
	check->chained = !receipt->rebuilt;
	memcpy(check->base.chain, self, IMALOG_SHA256_SIZE);
}

/* ---- the files of its quote ---- */

static int sum_beside(const struct check *check, const char *name,
		      uint8_t sha256[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	int fd = openat(check->epoch->receipts, name,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct imalog_source *source;
	uint64_t bytes;
	int rc;

	if (fd < 0)
		return imalog_fail_errno(error, errno, "cannot open it");
	source = imalog_source_from_fd(fd, name);
	rc = source ? imalog_source_sum(source, &bytes, sha256, error) :
		      imalog_fail_nomem(error);
	imalog_source_free(&source);
	close(fd);
	return rc;
}

static void check_beside(struct check *check, const struct imalog_receipt *receipt,
			 const char *suffix, const uint8_t want[IMALOG_SHA256_SIZE])
{
	struct imalog_error *error = imalog_error_new();
	char name[IMALOG_RECEIPT_NAME_MAX];
	uint8_t is[IMALOG_SHA256_SIZE];

	imalog_receipt_name(receipt->segment, suffix, name);
	if (sum_beside(check, name, is, error) < 0)
		find(check, receipt->segment, "'%s' of its quote cannot be read: %s", name,
		     error ? imalog_error_detail(error) : "out of memory");
	else if (memcmp(is, want, sizeof(is)) != 0)
		find(check, receipt->segment,
		     "the SHA-256 of '%s' is not that of its receipt", name);
	imalog_error_free(&error);
}

static void check_quote(struct check *check, const struct imalog_receipt *receipt)
{
	if (!receipt->has_quote)
		return;
	check_beside(check, receipt, ".quote", receipt->quote);
	check_beside(check, receipt, ".signature", receipt->signature);
}

/* Reads the receipt; NULL after saying what is wrong with it */
static struct imalog_receipt *read_receipt(struct check *check,
					   const struct imalog_segment *segment,
					   uint8_t self[IMALOG_SHA256_SIZE])
{
	struct imalog_receipt *receipt = NULL;
	struct imalog_error *error = imalog_error_new();
	char text[256] = "out of memory";

	if (!segment->has_receipt) {
		find(check, segment->number, "it has no receipt");
	} else if (imalog_receipt_read(check->epoch->receipts, segment->number, &receipt, self,
				       error) < 0) {
		if (error)
			imalog_error_format(error, text, sizeof(text));
		find(check, segment->number, "its receipt cannot be read: %s", text);
	} else {
		check_quote(check, receipt);
	}
	imalog_error_free(&error);
	return receipt;
}

/* ---- a segment ---- */

/* The file of a segment */
struct file {
	int fd;
	struct imalog_source *source;
};

static void close_file(struct file *file)
{
	imalog_source_free(&file->source);
	if (file->fd >= 0)
		close(file->fd);
}

static int open_file(const struct check *check, const struct imalog_segment *segment,
		     struct file *ret, struct imalog_error *error)
{
	char name[IMALOG_SEGMENT_NAME_MAX];

	ret->source = NULL;
	ret->fd = imalog_segment_open(check->epoch, segment, error);
	if (ret->fd < 0)
		return ret->fd;
	imalog_segment_name(segment->kind, segment->number, name);
	ret->source = imalog_source_from_fd(ret->fd, name);
	return ret->source ? 0 : imalog_fail_nomem(error);
}

/* What its receipt should say */
static int compute(const struct check *check, const struct imalog_segment *segment,
		   const struct imalog_receipt *receipt, struct imalog_receipt *ret,
		   struct imalog_error *error)
{
	struct imalog_pass pass = { .base = &check->base,
				    .pcrs = receipt ? receipt->pcrs : NULL,
				    .templates = check->templates };
	struct file file;
	int rc = open_file(check, segment, &file, error);

	if (rc == 0)
		rc = imalog_pass_run(&pass, file.source, ret, error);
	close_file(&file);
	if (receipt)
		ret->staged_before = receipt->staged_before;
	imalog_receipt_excuse(ret);
	return rc;
}

static int replay(const struct check *check, const struct imalog_segment *segment,
		  struct imalog_error *error)
{
	struct imalog_reader *reader = NULL;
	struct file file;
	int rc = open_file(check, segment, &file, error);

	if (rc == 0) {
		reader = imalog_base_reader(&check->base, file.source, check->templates);
		rc = reader ? imalog_replay_run(check->replay, reader, error) :
			      imalog_fail_nomem(error);
	}
	imalog_reader_free(&reader);
	close_file(&file);
	return rc;
}

/* @receipt: NULL when there is none that can be read */
static int check_log(struct check *check, const struct imalog_segment *segment,
		     const struct imalog_receipt *receipt, struct imalog_error *error)
{
	struct imalog_receipt *is = imalog_receipt_new(error);
	int rc = is ? compute(check, segment, receipt, is, error) : -IMALOG_ERR_NOMEM;

	if (rc == 0)
		rc = replay(check, segment, error);
	if (rc == 0 && receipt) {
		compare_content(check, receipt, is);
		compare_place(check, receipt, is);
		compare_verdict(check, receipt, is);
	}
	if (rc == 0) {
		check->base.records += is->records;
		rc = imalog_state_copy(&check->base.state, &is->after, error);
	}
	imalog_receipt_free(&is);
	return rc;
}

/* Pending or dropped: no part of the log, or not yet; but nothing may happen to it. */
static int check_aside(struct check *check, const struct imalog_segment *segment,
		       const struct imalog_receipt *receipt, struct imalog_error *error)
{
	struct imalog_receipt *is = imalog_receipt_new(error);
	struct file file = { -1, NULL };
	int rc = is ? open_file(check, segment, &file, error) : -IMALOG_ERR_NOMEM;

	if (rc == 0)
		rc = imalog_source_sum(file.source, &is->bytes, is->sha256, error);
	close_file(&file);
	/* Else it need not be one that can be taken apart. */
	if (rc == 0 && is->bytes == receipt->bytes &&
	    memcmp(is->sha256, receipt->sha256, IMALOG_SHA256_SIZE) == 0)
		rc = compute(check, segment, receipt, is, error);
	if (rc == 0)
		compare_content(check, receipt, is);
	imalog_receipt_free(&is);
	return rc;
}

/* The receipt says what it is; the file gets its name after that. */
static int check_pending(struct check *check, const struct imalog_segment *segment,
			 const struct imalog_receipt *receipt,
			 const uint8_t self[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	if (receipt->state == IMALOG_RECEIPT_SAVED ||
	    receipt->state == IMALOG_RECEIPT_DELETING)
		return check_aside(check, segment, receipt, error);
	check_chain(check, receipt, self);
	return receipt->state == IMALOG_RECEIPT_COMMITTED ?
		       check_log(check, segment, receipt, error) :
		       check_aside(check, segment, receipt, error);
}

static int check_file(struct check *check, const struct imalog_segment *segment,
		      struct imalog_error *error)
{
	uint8_t self[IMALOG_SHA256_SIZE];
	struct imalog_receipt *receipt = read_receipt(check, segment, self);
	int rc = 0;

	if (receipt && segment->kind != IMALOG_SEGMENT_PENDING)
		check_chain(check, receipt, self);
	if (!receipt)
		check->chained = false;
	if (segment->kind == IMALOG_SEGMENT_LOG)
		rc = check_log(check, segment, receipt, error);
	else if (receipt && segment->kind == IMALOG_SEGMENT_PENDING)
		rc = check_pending(check, segment, receipt, self, error);
	else if (receipt)
		rc = check_aside(check, segment, receipt, error);
	imalog_receipt_free(&receipt);
	return rc;
}

static int check_one(struct check *check, const struct imalog_segment *segment,
		     struct imalog_error *error)
{
	bool last = segment == &check->epoch->segments[check->epoch->nr - 1];

	if (segment->twice)
		find(check, segment->number, "it is there under two names");
	if (segment->kind == IMALOG_SEGMENT_NONE) {
		find(check, segment->number, "it is missing: there is its receipt");
		check->chained = false;
		return 0;
	}
	/* It was being written: the next export decides about it. */
	if (segment->kind == IMALOG_SEGMENT_PENDING && !segment->has_receipt && last)
		return 0;
	return check_file(check, segment, error);
}

/* ---- the epoch ---- */

static int check_all(struct check *check, struct imalog_error *error)
{
	uint64_t next = 1;
	int rc = imalog_epoch_chain_before(check->epoch, check->base.chain, &check->chained,
					   error);

	for (size_t i = 0; rc == 0 && i < check->epoch->nr; i++) {
		const struct imalog_segment *segment = &check->epoch->segments[i];

		if (segment->number != next) {
			find(check, next, "segments %" PRIu64 " to %" PRIu64 " are missing",
			     next, segment->number - 1);
			check->chained = false;
		}
		next = segment->number + 1;
		rc = check_one(check, segment, error);
	}
	return rc;
}

static void on_partial(void *arg, const char *name)
{
	struct check *check = arg;
	char shown[IMALOG_PRINTABLE_MAX];

	if (!imalog_partial_is_saved(check->epoch, name))
		find(check, 0,
		     "'%s' was being saved by an interrupted export, and no segment has its "
		     "records: it is no part of the log",
		     imalog_printable(imalog_span_of(name), shown));
}

int imalog_epoch_check(struct imalog_epoch *epoch, struct imalog_replay *replay,
		       const struct imalog_templates *templates, imalog_finding_fn fn,
		       void *arg, struct imalog_error *reterr)
{
	struct check check = {
		.epoch = epoch, .replay = replay, .templates = templates, .fn = fn, .arg = arg
	};
	int rc;

	if (epoch->strangers)
		find(&check, 0, "'%s' is no file of the store's%s", epoch->stranger,
		     epoch->strangers > 1 ? ", and others are not" : "");
	rc = check_all(&check, reterr);
	if (rc == 0 && epoch->partials)
		rc = imalog_epoch_partials(epoch, on_partial, &check, reterr);
	imalog_state_free(&check.base.state);
	return rc < 0 ? rc : check.findings;
}
