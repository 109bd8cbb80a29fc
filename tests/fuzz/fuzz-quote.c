// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: quotes, signatures, keys and certificates, and the search for what a quote
 *covers
 *
 *	u8	flags: 1 the digest is mended, so that the log leads to it
 *		       2 memory runs out while the key is read
 *		       4 the list is one of TLVs, and content that no rule checks is
 *			 allowed
 *	u8	hash of a plain signature
 *	u16	size of the attestation, big-endian; then of the signature; then of the
 *key
 *	...	attestation, signature, key; what is left is a certificate and a kernel
 *list
 *
 * No input is signed by a key that it holds, unless it was in the corpus so.  What a
 *quote says is written again by this file, and must be the bytes that were read.
 */
#include "fuzz.h"

#define MEND	  1
#define NO_MEMORY 2
#define OPAQUE	  4

struct input {
	uint8_t flags;
	enum imalog_alg hash;
	struct imalog_span message, signature, key, rest;
};

static size_t size_at(const uint8_t *data)
{
	return (size_t)data[0] << 8 | data[1];
}

/* As much as is there of what was announced */
static struct imalog_span take(struct imalog_span *from, size_t size)
{
	struct imalog_span span = { from->data, size < from->size ? size : from->size };

	from->data += span.size;
	from->size -= span.size;
	return fuzz_copy(span);
}

static struct input input_of(const uint8_t *data, size_t size)
{
	struct imalog_span left = { data + 8, size - 8 };
	struct input input = { .flags = data[0],
			       .hash = (enum imalog_alg)(data[1] % IMALOG_ALG_COUNT) };

	input.message = take(&left, size_at(data + 2));
	input.signature = take(&left, size_at(data + 4));
	input.key = take(&left, size_at(data + 6));
	input.rest = take(&left, left.size);
	return input;
}

/* ---- quotes, written again ---- */

static void put_uint(struct imalog_buffer *buffer, size_t size, uint64_t value)
{
	for (size_t i = size; i-- > 0;) {
		uint8_t byte = (uint8_t)(value >> (8 * i));

		imalog_buffer_add(buffer, &byte, 1);
	}
}

static void put_sized(struct imalog_buffer *buffer, struct imalog_span span)
{
	put_uint(buffer, 2, span.size);
	imalog_buffer_add(buffer, span.data, span.size);
}

static void put_quote(struct imalog_buffer *buffer, const struct imalog_quote *quote,
		      struct imalog_span digest)
{
	struct imalog_quote_clock clock;

	imalog_quote_clock(quote, &clock);
	put_uint(buffer, 4, quote->magic);
	put_uint(buffer, 2, imalog_quote_type(quote));
	put_sized(buffer, imalog_quote_signer(quote));
	put_sized(buffer, imalog_quote_nonce(quote));
	put_uint(buffer, 8, clock.clock);
	put_uint(buffer, 4, clock.reset_count);
	put_uint(buffer, 4, clock.restart_count);
	put_uint(buffer, 1, clock.safe);
	put_uint(buffer, 8, clock.firmware_version);
	put_uint(buffer, 4, imalog_quote_banks(quote));
	for (size_t i = 0; i < imalog_quote_banks(quote); i++) {
		put_uint(buffer, 2, quote->banks[i].id);
		put_uint(buffer, 1, quote->banks[i].size);
		for (size_t byte = 0; byte < quote->banks[i].size; byte++)
			put_uint(buffer, 1,
				 imalog_quote_bank(quote, i, NULL) >> (8 * byte) & 0xff);
	}
	put_sized(buffer, digest);
}

static void check_verdicts(const struct imalog_quote *quote)
{
	for (int i = 0; i < IMALOG_QUOTE_CHECKS; i++) {
		const char *reason =
			imalog_quote_reason(quote, (enum imalog_quote_check)i);

		MUST(imalog_quote_check_name((enum imalog_quote_check)i)[0]);
		MUST(imalog_quote_verdict(quote, (enum imalog_quote_check)i) <=
		     IMALOG_MISMATCH);
		for (const char *c = reason; *c; c++)
			MUST(*c >= 0x20 && *c < 0x7f);
	}
}

static void check_previous(struct imalog_quote *quote,
			   const struct imalog_quote *previous,
			   enum imalog_verdict should)
{
	bool is_quote = imalog_quote_type(quote) == 0x8018;
	bool passes = imalog_quote_verdict(quote, IMALOG_QUOTE_MAGIC) == IMALOG_MATCH;

	imalog_quote_check_previous(quote, previous);
	MUST(imalog_quote_verdict(quote, IMALOG_QUOTE_CLOCK) ==
	     (is_quote && passes ? should : IMALOG_NOT_CHECKED));
}

static void check_clock(struct imalog_quote *quote)
{
	struct imalog_quote before = *quote;

	check_previous(quote, quote, IMALOG_MISMATCH);
	before.clock.clock--; /* 0 wraps: it is later then */
	check_previous(quote, &before,
		       quote->clock.clock ? IMALOG_MATCH : IMALOG_MISMATCH);
	before.clock.firmware_version ^= 1;
	check_previous(quote, &before, IMALOG_MISMATCH);
	before.clock.restart_count--;
	check_previous(quote, &before, IMALOG_MISMATCH);
	before.clock.reset_count++;
	check_previous(quote, &before, IMALOG_MISMATCH);
	before.signer = quote->message;
	check_previous(quote, &before, IMALOG_NOT_CHECKED);
}

static void check_quote(struct imalog_quote *quote, struct imalog_span message)
{
	bool is_quote = imalog_quote_type(quote) == 0x8018;
	bool passes = imalog_quote_verdict(quote, IMALOG_QUOTE_MAGIC) == IMALOG_MATCH;
	struct imalog_span nonce = imalog_quote_nonce(quote);
	struct imalog_buffer again = { 0 };

	MUST(passes == (is_quote && quote->magic == 0xff544347));
	imalog_quote_check_nonce(quote, nonce);
	MUST((imalog_quote_verdict(quote, IMALOG_QUOTE_NONCE) == IMALOG_MATCH) ==
	     (is_quote && nonce.size));
	imalog_quote_check_nonce(quote, message);
	MUST(imalog_quote_verdict(quote, IMALOG_QUOTE_NONCE) != IMALOG_MATCH);
	check_clock(quote);
	if (is_quote) {
		put_quote(&again, quote, imalog_quote_pcr_digest(quote));
		MUST(again.size == message.size || again.size + 2 == message.size);
		MUST(memcmp(again.data, message.data + message.size - again.size,
			    again.size) == 0);
	}
	imalog_buffer_free(&again);
	check_verdicts(quote);
}

/* ---- keys and signatures ---- */

static struct imalog_key *read_key(const struct input *input)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_key *key = NULL;
	int rc;

	MUST(error);
	fuzz_allocs_left = input->flags & NO_MEMORY ? 1 : 0;
	rc = imalog_key_parse(input->key, &key, error);
	fuzz_allocs_left = 0;
	MUST((rc == 0) == (key != NULL));
	if (rc < 0)
		fuzz_check_error(error, rc);
	MUST(!key || imalog_key_text(key)[0]);
	MUST(!key || key->has_area || !imalog_key_attributes(key));
	imalog_error_free(&error);
	return key;
}

static void check_signature(struct imalog_quote *quote, const struct imalog_key *key,
			    const struct input *input)
{
	struct imalog_error *error = imalog_error_new();
	int rc;

	MUST(error);
	rc = imalog_quote_check_signature(quote, input->signature, key, input->hash,
					  error);
	if (rc < 0)
		fuzz_check_error(error, rc);
	MUST(rc == 0 ||
	     imalog_quote_verdict(quote, IMALOG_QUOTE_SIGNATURE) == IMALOG_NOT_CHECKED);
	/* What is proved about these bytes is not proved about others. */
	if (imalog_quote_verdict(quote, IMALOG_QUOTE_SIGNATURE) == IMALOG_MATCH) {
		quote->owned[input->message.size - 1] ^= 1;
		MUST(imalog_quote_check_signature(quote, input->signature, key,
						  input->hash, NULL) == 0);
		MUST(imalog_quote_verdict(quote, IMALOG_QUOTE_SIGNATURE) ==
		     IMALOG_MISMATCH);
		quote->owned[input->message.size - 1] ^= 1;
	}
	rc = imalog_quote_check_key(quote, key, input->rest, error);
	if (rc < 0)
		fuzz_check_error(error, rc);
	rc = imalog_quote_check_key(quote, key, (struct imalog_span){ NULL, 0 }, error);
	MUST(rc == 0);
	MUST(key->has_area ||
	     imalog_quote_verdict(quote, IMALOG_QUOTE_KEY) != IMALOG_MATCH);
	check_verdicts(quote);
	imalog_error_free(&error);
}

/* ---- logs ---- */

static void feed(void *match, const struct imalog_record *record)
{
	imalog_quote_match_feed(match, record);
}

/* Replays what is left of the input; with @pcrs: the values at its end. */
static uint64_t search(struct imalog_quote *quote, const struct input *input,
		       const struct imalog_pcrs *others, struct imalog_pcrs *pcrs)
{
	struct imalog_source *source =
		imalog_source_from_memory(input->rest.data, input->rest.size, "list");
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_reader *reader = imalog_reader_new(source, templates);
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_quote_match *match = NULL;
	enum imalog_alg alg;
	uint32_t pcr;
	uint64_t at;

	MUST(source && templates && reader && replay);
	if (input->flags & OPAQUE)
		imalog_replay_allow_opaque(replay);
	MUST(imalog_quote_match_new(quote, replay, others, &match, NULL) == 0);
	imalog_replay_on_record(replay, feed, match);
	if (input->flags & OPAQUE) {
		imalog_reader_set_format(reader, IMALOG_FORMAT_CEL_TLV);
	} else {
		imalog_reader_set_order(reader, IMALOG_ORDER_LE);
		imalog_reader_set_digest_size(reader, 20);
	}
	imalog_replay_run(replay, reader, NULL);
	MUST(imalog_quote_match_finish(match, NULL) == 0);
	at = imalog_quote_match_at(match);
	MUST(at <= imalog_replay_records(replay));
	MUST(at || imalog_quote_match_padding(match, IMALOG_ALG_SHA256) ==
			   IMALOG_PADDING_AUTO);
	MUST(!at || imalog_quote_verdict(quote, IMALOG_QUOTE_DIGEST) == IMALOG_MATCH);
	MUST(!at || !imalog_quote_match_missing(match, 0, &alg, &pcr));
	MUST(at || imalog_quote_verdict(quote, IMALOG_QUOTE_LOG) != IMALOG_MATCH);
	MUST(imalog_quote_match_unchecked(match) <= (input->flags & OPAQUE ? at : 0));
	if (pcrs)
		MUST(imalog_replay_pcrs(replay, pcrs, NULL) == 0);
	check_verdicts(quote);
	imalog_quote_match_free(&match);
	imalog_replay_free(&replay);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_templates_free(&templates);
	return at;
}

/* Zeros for every PCR that is selected and not in the set */
static void complete(const struct imalog_quote *quote, struct imalog_pcrs *pcrs)
{
	static const uint8_t zeros[IMALOG_DIGEST_MAX];

	for (size_t i = 0; i < imalog_quote_banks(quote); i++) {
		enum imalog_alg alg;
		uint32_t selected = imalog_quote_bank(quote, i, &alg);

		for (uint32_t pcr = 0; pcr < 32 && imalog_alg_size(alg); pcr++)
			if (selected >> pcr & 1 && imalog_quote_selects(quote, alg, pcr) &&
			    !imalog_pcrs_get(pcrs, alg, pcr))
				MUST(imalog_pcrs_set(
					     pcrs, alg, pcr,
					     (struct imalog_span){ zeros,
								   imalog_alg_size(alg) },
					     NULL) == 0);
	}
}

/* The quote as a TPM would have made it after the whole log; the search must end there. */
static void check_mended(const struct imalog_quote *quote, const struct input *input,
			 struct imalog_pcrs *pcrs)
{
	enum imalog_alg alg = imalog_quote_hash(quote) ? imalog_quote_hash(quote) :
							 IMALOG_ALG_SHA256;
	uint8_t digest[IMALOG_DIGEST_MAX];
	struct imalog_buffer bytes = { 0 };
	struct imalog_quote *mended = NULL;

	complete(quote, pcrs);
	if (imalog_quote_digest(quote, alg, pcrs, digest, NULL) < 0)
		return;
	put_quote(&bytes, quote, (struct imalog_span){ digest, imalog_alg_size(alg) });
	MUST(imalog_quote_parse(fuzz_span(&bytes), &mended, NULL) == 0);
	imalog_quote_set_hash(mended, alg);
	MUST(imalog_quote_check_values(mended, pcrs, NULL, NULL) == 0);
	if (imalog_quote_verdict(mended, IMALOG_QUOTE_DIGEST) == IMALOG_MATCH)
		search(mended, input, pcrs, NULL);
	MUST(imalog_quote_verdict(mended, IMALOG_QUOTE_DIGEST) != IMALOG_MISMATCH);
	imalog_quote_free(&mended);
	imalog_buffer_free(&bytes);
}

static void check_input(struct imalog_quote *quote, const struct input *input)
{
	struct imalog_key *key = read_key(input);
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	MUST(pcrs);
	check_quote(quote, input->message);
	if (key)
		check_signature(quote, key, input);
	search(quote, input, NULL, pcrs);
	if (input->flags & MEND && imalog_quote_type(quote) == 0x8018)
		check_mended(quote, input, pcrs);
	imalog_pcrs_free(&pcrs);
	imalog_key_free(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_quote *quote = NULL;
	struct imalog_error *error;
	struct input input;
	int rc;

	if (size < 8)
		return 0;
	input = input_of(data, size);
	error = imalog_error_new();
	MUST(error);
	rc = imalog_quote_parse(input.message, &quote, error);
	if (rc < 0) {
		struct imalog_key *key = read_key(&input);

		fuzz_check_error(error, rc);
		imalog_key_free(&key);
	} else {
		check_input(quote, &input);
	}
	imalog_quote_free(&quote);
	imalog_error_free(&error);
	fuzz_free(input.message);
	fuzz_free(input.signature);
	fuzz_free(input.key);
	fuzz_free(input.rest);
	return 0;
}
