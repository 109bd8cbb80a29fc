// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Receipts: what is known about a segment of the store, in a file of JSON beside it
 *
 * A receipt is written anew, whole, with every change of its state; the next one has the
 * digest of its last bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "store.h"

#define RECEIPT_VERSION 1
/* Far more than values of all PCRs of all banks take */
#define SIZE_MAX_READ ((size_t)1 << 20)

static const char *const state_names[] = {
	[IMALOG_RECEIPT_SAVED] = "saved",
	[IMALOG_RECEIPT_DELETING] = "deleting",
	[IMALOG_RECEIPT_COMMITTED] = "committed",
	[IMALOG_RECEIPT_DROPPED] = "dropped",
};

const char *imalog_receipt_state_name(enum imalog_receipt_state state)
{
	if (state < IMALOG_RECEIPT_SAVED || state > IMALOG_RECEIPT_DROPPED)
		return "unknown";
	return state_names[state];
}

struct imalog_receipt *imalog_receipt_new(struct imalog_error *error)
{
	struct imalog_receipt *receipt = calloc(1, sizeof(*receipt));

	if (!receipt)
		imalog_fail_nomem(error);
	return receipt;
}

void imalog_receipt_free(struct imalog_receipt **receipt)
{
	if (!receipt || !*receipt)
		return;
	imalog_state_free(&(*receipt)->before);
	imalog_state_free(&(*receipt)->after);
	imalog_pcrs_free(&(*receipt)->pcrs);
	free(*receipt);
	*receipt = NULL;
}

void imalog_receipt_excuse(struct imalog_receipt *receipt)
{
	if (receipt->staged_before && receipt->verdict == IMALOG_MISMATCH &&
	    !receipt->problems)
		receipt->verdict = IMALOG_NOT_CHECKED;
}

uint64_t imalog_receipt_covers(const struct imalog_receipt *receipt)
{
	return receipt->verdict == IMALOG_MISMATCH ? 0 : receipt->matched_at;
}

/* ---- what it says ---- */

enum imalog_receipt_state imalog_receipt_state(const struct imalog_receipt *receipt)
{
	return receipt->state;
}

uint64_t imalog_receipt_segment(const struct imalog_receipt *receipt)
{
	return receipt->segment;
}

uint64_t imalog_receipt_first_record(const struct imalog_receipt *receipt)
{
	return receipt->first;
}

uint64_t imalog_receipt_records(const struct imalog_receipt *receipt)
{
	return receipt->records;
}

uint64_t imalog_receipt_violations(const struct imalog_receipt *receipt)
{
	return receipt->violations;
}

uint64_t imalog_receipt_bytes(const struct imalog_receipt *receipt)
{
	return receipt->bytes;
}

const uint8_t *imalog_receipt_sha256(const struct imalog_receipt *receipt)
{
	return receipt->sha256;
}

const char *imalog_receipt_time(const struct imalog_receipt *receipt)
{
	return receipt->time;
}

enum imalog_verdict imalog_receipt_verdict(const struct imalog_receipt *receipt,
					   uint64_t *matched_at)
{
	if (matched_at)
		*matched_at = receipt->matched_at;
	return receipt->verdict;
}

bool imalog_receipt_has_quote(const struct imalog_receipt *receipt, uint64_t *covers)
{
	if (covers)
		*covers = receipt->covers;
	return receipt->has_quote;
}

bool imalog_receipt_undetermined(const struct imalog_receipt *receipt)
{
	return receipt->undetermined;
}

uint64_t imalog_receipt_may_repeat(const struct imalog_receipt *receipt)
{
	return receipt->may_repeat;
}

/* ---- to JSON ---- */

static bool put(json_t *json, const char *key, json_t *value)
{
	return value && json_object_set_new(json, key, value) == 0;
}

static bool put_number(json_t *json, const char *key, uint64_t value)
{
	return put(json, key, json_integer((json_int_t)value));
}

static bool put_text(json_t *json, const char *key, const char *text)
{
	return !text[0] || put(json, key, json_string(text));
}

static bool put_records(json_t *json, const struct imalog_receipt *receipt)
{
	return put_number(json, "first_record", receipt->first) &&
	       put_number(json, "records", receipt->records) &&
	       put_number(json, "bytes", receipt->bytes) &&
	       (!receipt->has_ascii_bytes ||
		put_number(json, "ascii_bytes", receipt->ascii_bytes)) &&
	       put_number(json, "violations", receipt->violations) &&
	       (!receipt->problems ||
		(put_number(json, "problems", receipt->problems) &&
		 put_number(json, "first_problem", receipt->first_problem))) &&
	       put(json, "sha256", imalog_json_hex(receipt->sha256, IMALOG_SHA256_SIZE)) &&
	       put(json, "before", imalog_state_to_json(&receipt->before)) &&
	       put(json, "after", imalog_state_to_json(&receipt->after)) &&
	       put(json, "previous", imalog_json_hex(receipt->previous, IMALOG_SHA256_SIZE));
}

static bool put_machine(json_t *json, const struct imalog_receipt *receipt)
{
	const struct imalog_tpm_clock *clock = &receipt->clock;

	return put_text(json, "time", receipt->time) &&
	       put_text(json, "kernel", receipt->kernel) &&
	       put_text(json, "boot_id", receipt->boot_id) &&
	       (!receipt->has_clock ||
		put(json, "tpm",
		    json_pack("{s:I, s:I, s:I, s:b}", "clock", (json_int_t)clock->clock,
			      "reset_count", (json_int_t)clock->reset_count, "restart_count",
			      (json_int_t)clock->restart_count, "safe", clock->safe))) &&
	       (!receipt->pcrs || put(json, "pcrs", imalog_json_of_pcrs(receipt->pcrs))) &&
	       (!receipt->staged_before || put(json, "staged_before", json_true())) &&
	       (!receipt->trimmed || put(json, "trimmed", json_true())) &&
	       (!receipt->moment.known ||
		put_number(json, "boot_violations", receipt->moment.violations));
}

static bool put_outcome(json_t *json, const struct imalog_receipt *receipt)
{
	bool ok = put_text(json, "verdict", imalog_verdict_name(receipt->verdict)) &&
		  (!receipt->matched_at ||
		   put_number(json, "matched_at", receipt->matched_at)) &&
		  (!receipt->undetermined || put(json, "undetermined", json_true())) &&
		  (!receipt->may_repeat ||
		   put_number(json, "may_repeat", receipt->may_repeat)) &&
		  (!receipt->rebuilt || put(json, "rebuilt", json_true()));
	json_t *quote;

	if (!ok || !receipt->has_quote)
		return ok;
	quote = json_object();
	ok = put(quote, "nonce", imalog_json_hex(receipt->nonce, IMALOG_SHA256_SIZE)) &&
	     put(quote, "message_sha256",
		 imalog_json_hex(receipt->quote, IMALOG_SHA256_SIZE)) &&
	     put(quote, "signature_sha256",
		 imalog_json_hex(receipt->signature, IMALOG_SHA256_SIZE)) &&
	     (!receipt->covers || put_number(quote, "covers", receipt->covers));
	return put(json, "quote", quote) && ok;
}

/* The bytes of its file, to be freed */
static char *to_text(const struct imalog_receipt *receipt)
{
	json_t *json = json_object();
	char *text = NULL;

	if (put_number(json, "version", RECEIPT_VERSION) &&
	    put_number(json, "segment", receipt->segment) &&
	    put_text(json, "state", imalog_receipt_state_name(receipt->state)) &&
	    put_records(json, receipt) && put_machine(json, receipt) &&
	    put_outcome(json, receipt))
		text = json_dumps(json, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(json);
	return text;
}

/* ---- from JSON ---- */

static bool get_number(const json_t *json, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(json, key);

	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool get_word(const json_t *json, const char *key, char *out, size_t size)
{
	return imalog_json_to_word(json_object_get(json, key), out, size);
}

static bool get_digest(const json_t *json, const char *key, uint8_t *out)
{
	return imalog_json_to_hex(json_object_get(json, key), out, IMALOG_SHA256_SIZE);
}

static bool get_state(const json_t *json, enum imalog_receipt_state *ret)
{
	const char *name = json_string_value(json_object_get(json, "state"));

	for (int i = IMALOG_RECEIPT_SAVED; name && i <= IMALOG_RECEIPT_DROPPED; i++) {
		if (strcmp(name, state_names[i]) == 0) {
			*ret = (enum imalog_receipt_state)i;
			return true;
		}
	}
	return false;
}

static bool get_verdict(const json_t *json, enum imalog_verdict *ret)
{
	const char *name = json_string_value(json_object_get(json, "verdict"));

	for (int i = IMALOG_NOT_CHECKED; name && i <= IMALOG_MISMATCH; i++) {
		if (strcmp(name, imalog_verdict_name((enum imalog_verdict)i)) == 0) {
			*ret = (enum imalog_verdict)i;
			return true;
		}
	}
	return false;
}

static bool get_records(const json_t *json, struct imalog_receipt *receipt)
{
	receipt->has_ascii_bytes = json_object_get(json, "ascii_bytes");
	return json_object_get(json, "records") && json_object_get(json, "bytes") &&
	       json_object_get(json, "first_record") &&
	       get_number(json, "first_record", &receipt->first) &&
	       get_number(json, "records", &receipt->records) &&
	       get_number(json, "bytes", &receipt->bytes) &&
	       get_number(json, "ascii_bytes", &receipt->ascii_bytes) &&
	       get_number(json, "violations", &receipt->violations) &&
	       get_number(json, "problems", &receipt->problems) &&
	       get_number(json, "first_problem", &receipt->first_problem) &&
	       get_digest(json, "sha256", receipt->sha256) &&
	       get_digest(json, "previous", receipt->previous) && receipt->first > 0;
}

static bool get_machine(const json_t *json, struct imalog_receipt *receipt)
{
	const json_t *tpm = json_object_get(json, "tpm");
	uint64_t reset = 0, restart = 0;

	if (!imalog_json_to_time(json_object_get(json, "time"), receipt->time) ||
	    !get_word(json, "kernel", receipt->kernel, sizeof(receipt->kernel)) ||
	    !get_word(json, "boot_id", receipt->boot_id, sizeof(receipt->boot_id)))
		return false;
	receipt->staged_before = json_is_true(json_object_get(json, "staged_before"));
	receipt->trimmed = json_is_true(json_object_get(json, "trimmed"));
	receipt->moment.known = json_object_get(json, "boot_violations");
	receipt->has_clock = tpm;
	if (!get_number(json, "boot_violations", &receipt->moment.violations))
		return false;
	if (tpm && (!get_number(tpm, "clock", &receipt->clock.clock) ||
		    !get_number(tpm, "reset_count", &reset) ||
		    !get_number(tpm, "restart_count", &restart) || reset > UINT32_MAX ||
		    restart > UINT32_MAX))
		return false;
	receipt->clock.reset_count = (uint32_t)reset;
	receipt->clock.restart_count = (uint32_t)restart;
	receipt->clock.safe = json_is_true(json_object_get(tpm, "safe"));
	return true;
}

static bool get_outcome(const json_t *json, struct imalog_receipt *receipt)
{
	const json_t *quote = json_object_get(json, "quote");

	receipt->undetermined = json_is_true(json_object_get(json, "undetermined"));
	receipt->rebuilt = json_is_true(json_object_get(json, "rebuilt"));
	receipt->has_quote = quote;
	return get_verdict(json, &receipt->verdict) &&
	       get_number(json, "matched_at", &receipt->matched_at) &&
	       get_number(json, "may_repeat", &receipt->may_repeat) &&
	       (!quote || (get_digest(quote, "nonce", receipt->nonce) &&
			   get_digest(quote, "message_sha256", receipt->quote) &&
			   get_digest(quote, "signature_sha256", receipt->signature) &&
			   get_number(quote, "covers", &receipt->covers)));
}

static int get_values(const json_t *json, struct imalog_receipt *receipt,
		      struct imalog_error *error)
{
	const json_t *pcrs = json_object_get(json, "pcrs");
	int rc = imalog_state_from_json(&receipt->before, json_object_get(json, "before"),
					error);

	if (rc == 0)
		rc = imalog_state_from_json(&receipt->after, json_object_get(json, "after"),
					    error);
	if (rc < 0 || !pcrs)
		return rc;
	receipt->pcrs = imalog_pcrs_new();
	return receipt->pcrs ? imalog_json_to_pcrs(pcrs, receipt->pcrs, error) :
			       imalog_fail_nomem(error);
}

static int from_json(const json_t *json, uint64_t segment, struct imalog_receipt *receipt,
		     struct imalog_error *error)
{
	uint64_t version = 0;

	if (!get_number(json, "version", &version) || version != RECEIPT_VERSION)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "version",
				   "version %" PRIu64 " is not %d, which is known", version,
				   RECEIPT_VERSION);
	if (!get_number(json, "segment", &receipt->segment) || receipt->segment != segment)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "segment",
				   "it is of segment %" PRIu64 ", not %" PRIu64,
				   receipt->segment, segment);
	if (!get_state(json, &receipt->state) || !get_records(json, receipt) ||
	    !get_machine(json, receipt) || !get_outcome(json, receipt))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "",
				   "a value is missing or cannot be");
	return get_values(json, receipt, error);
}

static int from_text(struct imalog_span text, uint64_t segment, struct imalog_receipt **ret,
		     struct imalog_error *error)
{
	json_error_t why;
	json_t *json;
	struct imalog_receipt *receipt;
	char shown[IMALOG_PRINTABLE_MAX];
	int rc;

	if (text.size == 0)
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "", "the receipt is empty");
	json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "", "line %d is no JSON: %s",
				   why.line,
				   imalog_printable(imalog_span_of(why.text), shown));
	receipt = imalog_receipt_new(error);
	rc = receipt ? from_json(json, segment, receipt, error) : -IMALOG_ERR_NOMEM;
	json_decref(json);
	if (rc < 0)
		imalog_receipt_free(&receipt);
	else
		*ret = receipt;
	return rc;
}

/* ---- files ---- */

void imalog_receipt_name(uint64_t segment, const char *suffix,
			 char name[IMALOG_RECEIPT_NAME_MAX])
{
	snprintf(name, IMALOG_RECEIPT_NAME_MAX, "%08" PRIu64 "%s", segment, suffix);
}

int imalog_receipt_write(const struct imalog_receipt *receipt, int dir,
			 uint8_t self[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	char name[IMALOG_RECEIPT_NAME_MAX], *text = to_text(receipt);
	struct imalog_durable file = { .fd = -1 };
	int rc;

	if (!text)
		return imalog_fail_nomem(error);
	imalog_receipt_name(receipt->segment, ".json", name);
	rc = imalog_span_sum(imalog_span_of(text), self, error);
	if (rc == 0)
		rc = imalog_durable_begin(&file, dir, name, error);
	if (rc == 0)
		rc = imalog_durable_write(&file, imalog_span_of(text), error);
	if (rc == 0)
		rc = imalog_durable_commit(&file, true, error);
	imalog_durable_discard(&file);
	free(text);
	return rc;
}

/* All of a file of a size that is sane */
static int read_whole(int fd, struct imalog_buffer *out, struct imalog_error *error)
{
	uint8_t chunk[4096];
	ssize_t n = 1;

	while (n > 0 && out->size <= SIZE_MAX_READ && !out->failed) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			imalog_buffer_add(out, chunk, (size_t)n);
	}
	if (out->failed)
		return imalog_fail_nomem(error);
	if (n < 0)
		return imalog_fail_errno(error, errno, "cannot read");
	if (out->size > SIZE_MAX_READ)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "", "over %zu bytes",
				   SIZE_MAX_READ);
	return 0;
}

int imalog_receipt_read(int dir, uint64_t segment, struct imalog_receipt **ret,
			uint8_t self[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	char name[IMALOG_RECEIPT_NAME_MAX];
	struct imalog_buffer bytes = { 0 };
	int fd, rc;

	imalog_receipt_name(segment, ".json", name);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		rc = imalog_fail_errno(error, errno, "cannot open the receipt");
		imalog_error_set_source(error, name);
		return rc;
	}
	rc = read_whole(fd, &bytes, error);
	close(fd);
	if (rc == 0 && self)
		rc = imalog_span_sum((struct imalog_span){ bytes.data, bytes.size }, self, error);
	if (rc == 0)
		rc = from_text((struct imalog_span){ bytes.data, bytes.size }, segment, ret,
			       error);
	imalog_buffer_free(&bytes);
	if (rc < 0)
		imalog_error_set_source(error, name);
	return rc;
}
