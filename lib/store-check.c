// SPDX-License-Identifier: LGPL-2.1-or-later
/* Checks an epoch from its first record on: segments, receipts, and what follows what. */
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
	struct imalog_state state; /* where the replay stands */
	uint64_t records;
	/* The receipt before */
	bool chained;
	uint8_t chain[IMALOG_SHA256_SIZE];
	/* The segment at hand */
	struct imalog_stream *stream;
	uint64_t bytes;
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

static void check_values(struct check *check, const struct imalog_receipt *receipt,
			 const uint8_t sha256[IMALOG_SHA256_SIZE], uint64_t first,
			 const struct imalog_state *before)
{
	uint64_t number = receipt->segment, records = check->records + 1 - first;

	if (receipt->state != IMALOG_RECEIPT_COMMITTED)
		find(check, number, "its receipt says that it is %s, not committed",
		     imalog_receipt_state_name(receipt->state));
	if (receipt->bytes != check->bytes)
		find(check, number, "it has %" PRIu64 " bytes, its receipt says %" PRIu64,
		     check->bytes, receipt->bytes);
	else if (memcmp(receipt->sha256, sha256, IMALOG_SHA256_SIZE) != 0)
		find(check, number, "its SHA-256 is not that of its receipt");
	if (receipt->first != first || receipt->records != records)
		find(check, number,
		     "it has records %" PRIu64 " to %" PRIu64 ", its receipt says %" PRIu64
		     " to %" PRIu64,
		     first, check->records, receipt->first,
		     receipt->first + receipt->records - 1);
	if (!imalog_state_has(before, &receipt->before))
		find(check, number, "the PCR values before it are not those of its receipt");
	if (!imalog_state_has(&check->state, &receipt->after))
		find(check, number, "the PCR values after it are not those of its receipt");
}

static void check_chain(struct check *check, const struct imalog_receipt *receipt,
			const uint8_t self[IMALOG_SHA256_SIZE])
{
	if (check->chained &&
	    memcmp(receipt->previous, check->chain, sizeof(check->chain)) != 0)
		find(check, receipt->segment,
		     "its receipt follows another one than that of the segment before");
	/* What comes behind one that was made again has the digest of the lost one. */
	check->chained = !receipt->rebuilt;
	memcpy(check->chain, self, sizeof(check->chain));
}

/* Reads the receipt; NULL after saying what is wrong with it */
static struct imalog_receipt *read_receipt(struct check *check,
					   const struct imalog_segment *segment)
{
	struct imalog_receipt *receipt = NULL;
	struct imalog_error *error = imalog_error_new();
	uint8_t self[IMALOG_SHA256_SIZE];
	char text[256] = "out of memory";

	if (!segment->has_receipt) {
		find(check, segment->number, "it has no receipt");
	} else if (imalog_receipt_read(check->epoch->receipts, segment->number, &receipt, self,
				       error) < 0) {
		if (error)
			imalog_error_format(error, text, sizeof(text));
		find(check, segment->number, "its receipt cannot be read: %s", text);
	} else {
		check_chain(check, receipt, self);
	}
	if (!receipt)
		check->chained = false;
	imalog_error_free(&error);
	return receipt;
}

/* ---- a segment ---- */

static void on_record(void *arg, const struct imalog_record *record)
{
	struct check *check = arg;
	struct imalog_span raw = imalog_record_raw(record);

	imalog_stream_add(check->stream, raw.data, raw.size);
	check->bytes += raw.size;
	check->records++;
}

static int replay(struct check *check, int fd, const struct imalog_segment *segment,
		  uint8_t sha256[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	const struct imalog_base base = { .records = check->records };
	char name[IMALOG_SEGMENT_NAME_MAX];
	struct imalog_source *source;
	struct imalog_reader *reader = NULL;
	int rc = 0;

	imalog_segment_name(segment->kind, segment->number, name);
	source = imalog_source_from_fd(fd, name);
	if (source)
		reader = imalog_base_reader(&base, source, check->templates);
	check->stream = imalog_stream_new(IMALOG_ALG_SHA256, error);
	check->bytes = 0;
	imalog_replay_on_record(check->replay, on_record, check);
	if (!reader)
		rc = imalog_fail_nomem(error);
	else if (!check->stream)
		rc = -IMALOG_ERR_CRYPTO;
	if (rc == 0)
		rc = imalog_replay_run(check->replay, reader, error);
	imalog_replay_on_record(check->replay, NULL, NULL);
	if (rc == 0)
		rc = imalog_stream_digest(check->stream, sha256, error);
	if (rc == 0)
		rc = imalog_state_take(&check->state, check->replay, error);
	imalog_stream_free(&check->stream);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	return rc;
}

static int check_log(struct check *check, const struct imalog_segment *segment,
		     struct imalog_error *error)
{
	struct imalog_receipt *receipt = read_receipt(check, segment);
	uint64_t first = check->records + 1;
	struct imalog_state before = { NULL, 0 };
	uint8_t sha256[IMALOG_SHA256_SIZE];
	int fd = imalog_segment_open(check->epoch, segment, error), rc;

	rc = fd < 0 ? fd : imalog_state_copy(&before, &check->state, error);
	if (rc == 0)
		rc = replay(check, fd, segment, sha256, error);
	if (fd >= 0)
		close(fd);
	if (rc == 0 && receipt)
		check_values(check, receipt, sha256, first, &before);
	imalog_state_free(&before);
	imalog_receipt_free(&receipt);
	return rc;
}

static int check_one(struct check *check, const struct imalog_segment *segment,
		     struct imalog_error *error)
{
	struct imalog_receipt *receipt;

	if (segment->twice)
		find(check, segment->number, "it is there under two names");
	switch (segment->kind) {
	case IMALOG_SEGMENT_LOG:
		return check_log(check, segment, error);
	case IMALOG_SEGMENT_NONE:
		find(check, segment->number, "it is missing: there is its receipt");
		check->chained = false;
		break;
	case IMALOG_SEGMENT_DROPPED:
		receipt = read_receipt(check, segment);
		imalog_receipt_free(&receipt);
		break;
	case IMALOG_SEGMENT_PENDING:
		break; /* the next export decides about it */
	}
	return 0;
}

/* ---- the epoch ---- */

/* The banks whose values the receipts have: those of the first that can be read */
static int add_banks(struct check *check, struct imalog_error *error)
{
	const struct imalog_epoch *epoch = check->epoch;
	struct imalog_receipt *receipt = NULL;
	int rc = 0;

	for (size_t i = 0; !receipt && i < epoch->nr; i++)
		if (epoch->segments[i].kind == IMALOG_SEGMENT_LOG)
			imalog_receipt_read(epoch->receipts, epoch->segments[i].number,
					    &receipt, NULL, NULL);
	for (size_t i = 0; rc == 0 && receipt && i < receipt->after.nr; i++)
		rc = imalog_replay_add_bank(check->replay, receipt->after.values[i].alg,
					    error);
	imalog_receipt_free(&receipt);
	return rc < 0 ? rc : imalog_replay_compute_every_variant(check->replay, error);
}

static int check_all(struct check *check, struct imalog_error *error)
{
	uint64_t next = 1;
	int rc = add_banks(check, error);

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
	imalog_state_free(&check.state);
	return rc < 0 ? rc : check.findings;
}
