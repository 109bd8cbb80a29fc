// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * One pass over the records of a segment: copied, summed and replayed while they go by
 *
 * What is written are the records as the reader took them apart, so that nothing is ever
 * written whose boundaries are not known.
 */
#include <stdlib.h>
#include <string.h>

#include "store.h"

#define WRITE_SIZE ((size_t)256 << 10)

/* Banks whose values are kept for each segment, besides those of the TPM */
static const enum imalog_alg usual_banks[] = { IMALOG_ALG_SHA1, IMALOG_ALG_SHA256,
					       IMALOG_ALG_SHA384, IMALOG_ALG_SHA512 };

struct pass {
	struct imalog_pass *public;
	struct imalog_receipt *receipt;
	struct imalog_stream *stream;
	struct imalog_writer *ascii;
	struct imalog_buffer buffer;
	struct imalog_error *error;
	uint64_t summed;
	int rc; /* of what went wrong between records */
};

/* ---- a record ---- */

static void flush(struct pass *pass)
{
	if (pass->rc == 0 && pass->buffer.failed)
		pass->rc = imalog_fail_nomem(pass->error);
	if (pass->rc == 0)
		pass->rc = imalog_durable_write(pass->public->copy_to,
						(struct imalog_span){ pass->buffer.data,
								      pass->buffer.size },
						pass->error);
	pass->buffer.size = 0;
}

/* Looks at the sum where prefixes end. */
static void look_at_prefixes(struct pass *pass)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(pass->public->prefixes); i++) {
		struct imalog_prefix *prefix = &pass->public->prefixes[i];
		uint8_t digest[IMALOG_SHA256_SIZE];

		if (prefix->size != pass->summed)
			continue;
		if (pass->rc == 0)
			pass->rc = imalog_stream_digest(pass->stream, digest, pass->error);
		prefix->found = pass->rc == 0 &&
				memcmp(digest, prefix->sha256, sizeof(digest)) == 0;
	}
}

/* How many of the next @size bytes there are before a prefix ends */
static size_t next_stop(const struct pass *pass, size_t size)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(pass->public->prefixes); i++) {
		uint64_t end = pass->public->prefixes[i].size;

		if (end > pass->summed && end - pass->summed < size)
			size = (size_t)(end - pass->summed);
	}
	return size;
}

static void sum(struct pass *pass, struct imalog_span bytes)
{
	while (bytes.size) {
		size_t size = next_stop(pass, bytes.size);

		imalog_stream_add(pass->stream, bytes.data, size);
		pass->summed += size;
		look_at_prefixes(pass);
		bytes.data += size;
		bytes.size -= size;
	}
}

static int count_ascii(void *arg, const void *data, size_t size)
{
	(void)data;
	((struct imalog_receipt *)arg)->ascii_bytes += size;
	return 0;
}

static void on_record(void *arg, const struct imalog_record *record)
{
	struct pass *pass = arg;
	struct imalog_receipt *receipt = pass->receipt;
	struct imalog_span raw = imalog_record_raw(record);

	sum(pass, raw);
	receipt->bytes += raw.size;
	receipt->records++;
	receipt->violations += imalog_record_is_violation(record);
	if (receipt->has_ascii_bytes && imalog_writer_put(pass->ascii, record, NULL) < 0)
		receipt->has_ascii_bytes = false;
	if (!pass->public->copy_to)
		return;
	imalog_buffer_add(&pass->buffer, raw.data, raw.size);
	if (pass->buffer.failed || pass->buffer.size >= WRITE_SIZE)
		flush(pass);
}

/* ---- all of them ---- */

/* PCR values that these records may lead to: in banks whose beginning is known. */
static int offer(const struct imalog_base *base, const struct imalog_pcrs *pcrs,
		 const bool banks[IMALOG_ALG_COUNT], struct imalog_replay *replay,
		 struct imalog_error *error)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && pcrs && i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		struct imalog_span value = { imalog_pcrs_at(pcrs, i, &alg, &pcr), 0 };

		value.size = imalog_alg_size(alg);
		if (pcr <= IMALOG_PCR_MAX && (banks[alg] || base->records == 0))
			rc = imalog_replay_offer(replay, alg, pcr, value, error);
	}
	return rc;
}

/*
 * A bank that was not computed from the epoch's first record on cannot be from here: it would
 * start from zeros that were never there.
 */
int imalog_base_prepare(const struct imalog_base *base, const struct imalog_pcrs *pcrs,
			struct imalog_replay *replay, struct imalog_error *error)
{
	bool banks[IMALOG_ALG_COUNT] = { false };
	int rc = imalog_replay_compute_every_variant(replay, error);

	for (size_t i = 0; base->records == 0 && i < IMALOG_ARRAY_SIZE(usual_banks); i++)
		banks[usual_banks[i]] = true;
	for (size_t i = 0; i < base->state.nr; i++)
		banks[base->state.values[i].alg] = true;
	for (int alg = 1; rc == 0 && alg < IMALOG_ALG_COUNT; alg++)
		if (banks[alg])
			rc = imalog_replay_add_bank(replay, (enum imalog_alg)alg, error);
	if (rc == 0)
		rc = offer(base, pcrs, banks, replay, error);
	return rc < 0 ? rc : imalog_state_resume(&base->state, replay, base->records, error);
}

struct imalog_reader *imalog_base_reader(const struct imalog_base *base,
					 struct imalog_source *source,
					 const struct imalog_templates *templates)
{
	struct imalog_reader *reader = imalog_reader_new(source, templates);

	if (!reader)
		return NULL;
	/* The list of SHA-1 digests, whatever else the kernel has */
	imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
	imalog_reader_set_digest_size(reader, 20);
	imalog_reader_set_first_record(reader, base->records + 1);
	return reader;
}

/* What the receipt says of the PCRs */
static int judge(struct pass *pass, const struct imalog_replay *replay)
{
	struct imalog_receipt *receipt = pass->receipt;
	const struct imalog_state *before = &pass->public->base->state;
	int rc = imalog_state_copy(&receipt->before, before, pass->error);

	if (rc == 0)
		rc = imalog_state_copy(&receipt->after, before, pass->error);
	if (rc == 0)
		rc = imalog_state_take(&receipt->after, replay, pass->error);
	receipt->problems = imalog_replay_problems(replay);
	receipt->first_problem = imalog_replay_first_problem(replay);
	receipt->verdict = imalog_replay_verdict(replay, &receipt->matched_at);
	/* Problems alone are no comparison, and values of before these records say nothing. */
	if (imalog_replay_checks(replay) == 0 ||
	    (receipt->verdict == IMALOG_MATCH && receipt->matched_at < receipt->first))
		receipt->verdict = IMALOG_NOT_CHECKED;
	return rc;
}

static int run(struct pass *pass, struct imalog_replay *replay, struct imalog_reader *reader)
{
	struct imalog_receipt *receipt = pass->receipt;
	int rc = imalog_base_prepare(pass->public->base, pass->public->pcrs, replay,
				     pass->error);

	imalog_replay_on_record(replay, on_record, pass);
	imalog_replay_ignore_markers(replay);
	if (rc == 0)
		rc = imalog_replay_run(replay, reader, pass->error);
	if (rc == 0 && pass->public->copy_to)
		flush(pass);
	if (rc == 0)
		rc = pass->rc;
	if (rc == 0)
		rc = imalog_stream_digest(pass->stream, receipt->sha256, pass->error);
	return rc < 0 ? rc : judge(pass, replay);
}

int imalog_pass_run(struct imalog_pass *public, struct imalog_source *source,
		    struct imalog_receipt *receipt, struct imalog_error *error)
{
	struct pass pass = { .public = public, .receipt = receipt, .error = error };
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_reader *reader =
		imalog_base_reader(public->base, source, public->templates);
	int rc = -IMALOG_ERR_CRYPTO;

	receipt->first = public->base->records + 1;
	receipt->records = receipt->bytes = receipt->ascii_bytes = receipt->violations = 0;
	receipt->has_ascii_bytes = true;
	pass.ascii = imalog_writer_new(IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO, count_ascii,
				       receipt);
	pass.stream = imalog_stream_new(IMALOG_ALG_SHA256, error);
	if (!replay || !reader || !pass.ascii)
		rc = imalog_fail_nomem(error);
	else if (pass.stream)
		rc = run(&pass, replay, reader);
	imalog_buffer_free(&pass.buffer);
	imalog_writer_free(&pass.ascii);
	imalog_stream_free(&pass.stream);
	imalog_reader_free(&reader);
	imalog_replay_free(&replay);
	return rc;
}
