// SPDX-License-Identifier: LGPL-2.1-or-later
/* Makes receipts again from segments, where they are lost or damaged. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

struct rebuild {
	struct imalog_epoch *epoch;
	const struct imalog_templates *templates;
	imalog_finding_fn fn;
	void *arg;
	struct imalog_base base;
	struct imalog_prefix first; /* what the first pending segment has */
	uint64_t first_number;
	int made;
};

static void say(const struct rebuild *rebuild, uint64_t segment, const char *text)
{
	if (rebuild->fn)
		rebuild->fn(rebuild->arg, segment, text);
}

/* What the records of a segment tell */
static int compute(const struct rebuild *rebuild, const struct imalog_segment *segment,
		   struct imalog_receipt *receipt, struct imalog_error *error)
{
	struct imalog_pass pass = { .base = &rebuild->base,
				    .templates = rebuild->templates,
				    .prefixes = { rebuild->first } };
	char name[IMALOG_SEGMENT_NAME_MAX];
	struct imalog_source *source;
	int fd = imalog_segment_open(rebuild->epoch, segment, error), rc;

	if (fd < 0)
		return fd;
	imalog_segment_name(segment->kind, segment->number, name);
	source = imalog_source_from_fd(fd, name);
	rc = source ? imalog_pass_run(&pass, source, receipt, error) :
		      imalog_fail_nomem(error);
	imalog_source_free(&source);
	close(fd);
	receipt->may_repeat = pass.prefixes[0].found ? rebuild->first_number : 0;
	return rc;
}

/* The receipt that is there; 1, 0 when there is none that is any good, or negative */
static int read_old(const struct rebuild *rebuild, const struct imalog_segment *segment,
		    struct imalog_receipt **ret, uint8_t self[IMALOG_SHA256_SIZE],
		    struct imalog_error *error)
{
	struct imalog_error *why;
	int rc;

	if (!segment->has_receipt)
		return 0;
	why = imalog_error_new();
	if (!why)
		return imalog_fail_nomem(error);
	rc = imalog_receipt_read(rebuild->epoch->receipts, segment->number, ret, self, why);
	/* Bad data is what this is for; that it cannot be read may pass. */
	if (rc < 0 && rc > -IMALOG_ERR_INVALID)
		rc = 0;
	else if (rc < 0)
		imalog_error_copy(error, why);
	else
		rc = 1;
	imalog_error_free(&why);
	return rc;
}

/* How far a pending one was is not known: then it is that for which nothing is taken for sure. */
static enum imalog_receipt_state state_of(const struct imalog_segment *segment)
{
	switch (segment->kind) {
	case IMALOG_SEGMENT_LOG:
		return IMALOG_RECEIPT_COMMITTED;
	case IMALOG_SEGMENT_PENDING:
		return IMALOG_RECEIPT_DELETING;
	default:
		return IMALOG_RECEIPT_DROPPED;
	}
}

static int write_new(struct rebuild *rebuild, const struct imalog_segment *segment,
		     struct imalog_receipt *receipt, uint8_t self[IMALOG_SHA256_SIZE],
		     struct imalog_error *error)
{
	int rc;

	receipt->segment = segment->number;
	receipt->state = state_of(segment);
	receipt->rebuilt = true;
	receipt->undetermined = true;
	memcpy(receipt->previous, rebuild->base.chain, sizeof(receipt->previous));
	rc = imalog_receipt_write(receipt, rebuild->epoch->receipts, self, error);
	if (rc < 0)
		return rc;
	rebuild->made++;
	say(rebuild, segment->number, "its receipt is made again");
	return 0;
}

static int advance(struct rebuild *rebuild, const struct imalog_segment *segment,
		   const struct imalog_receipt *receipt,
		   const uint8_t self[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	memcpy(rebuild->base.chain, self, sizeof(rebuild->base.chain));
	if (segment->kind != IMALOG_SEGMENT_LOG)
		return 0;
	rebuild->base.records += receipt->records;
	return imalog_state_copy(&rebuild->base.state, &receipt->after, error);
}

/* It stays where the next begins, too, until it is known what became of it. */
static void pass_by(struct rebuild *rebuild, const struct imalog_receipt *receipt)
{
	if (rebuild->first_number)
		return;
	rebuild->first_number = receipt->segment;
	rebuild->first.size = receipt->bytes;
	memcpy(rebuild->first.sha256, receipt->sha256, IMALOG_SHA256_SIZE);
}

static int rebuild_one(struct rebuild *rebuild, const struct imalog_segment *segment,
		       struct imalog_error *error)
{
	struct imalog_receipt *receipt = imalog_receipt_new(error), *old = NULL;
	uint8_t self[IMALOG_SHA256_SIZE];
	int rc = receipt ? read_old(rebuild, segment, &old, self, error) : -IMALOG_ERR_NOMEM;

	if (rc >= 0) {
		int failed = compute(rebuild, segment, receipt, error);

		rc = failed < 0 ? failed : rc;
	}
	if (rc > 0 && (old->bytes != receipt->bytes ||
		       memcmp(old->sha256, receipt->sha256, IMALOG_SHA256_SIZE) != 0))
		say(rebuild, segment->number,
		    "it is not what its receipt says: left as it is");
	if (rc == 0)
		rc = write_new(rebuild, segment, receipt, self, error);
	if (rc >= 0 && segment->kind == IMALOG_SEGMENT_PENDING) {
		receipt->segment = segment->number;
		pass_by(rebuild, receipt);
		rc = 0;
	} else if (rc >= 0) {
		rc = advance(rebuild, segment, receipt, self, error);
	}
	imalog_receipt_free(&receipt);
	imalog_receipt_free(&old);
	return rc;
}

/* The last one, without a receipt: the next export decides about it. */
static bool is_being_written(const struct imalog_epoch *epoch,
			     const struct imalog_segment *segment)
{
	return segment->kind == IMALOG_SEGMENT_PENDING && !segment->has_receipt &&
	       segment->number == imalog_epoch_last(epoch);
}

int imalog_epoch_rebuild(struct imalog_epoch *epoch, const struct imalog_templates *templates,
			 imalog_finding_fn fn, void *arg, struct imalog_error *reterr)
{
	struct rebuild rebuild = {
		.epoch = epoch, .templates = templates, .fn = fn, .arg = arg
	};
	bool known;
	int rc = imalog_epoch_chain_before(epoch, rebuild.base.chain, &known, reterr);

	for (size_t i = 0; rc == 0 && i < epoch->nr; i++) {
		const struct imalog_segment *segment = &epoch->segments[i];

		if (segment->kind == IMALOG_SEGMENT_NONE)
			say(&rebuild, segment->number,
			    "it is missing: nothing can be made of it");
		else if (!is_being_written(epoch, segment))
			rc = rebuild_one(&rebuild, segment, reterr);
	}
	imalog_state_free(&rebuild.base.state);
	if (rc == 0)
		rc = imalog_epoch_scan(epoch, reterr);
	return rc < 0 ? rc : rebuild.made;
}
