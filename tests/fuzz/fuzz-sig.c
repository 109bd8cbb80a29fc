// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: signatures in records, keys, certificates
 *
 *	u8	flags: 1 certificates in the log are keys
 *	u16	size of a file with keys, big-endian; then of one with trusted certificates
 *	...	keys, certificates; what is left is a kernel list, little-endian
 *
 * No input is signed by a key that it holds, unless it was in the corpus so.  Then what was
 * signed is changed, and the signature must be ok no longer.
 */
#include "fuzz.h"

#define KEYS_FROM_LOG 1

static struct imalog_span take(struct imalog_span *from, size_t size)
{
	struct imalog_span span = { from->data, size < from->size ? size : from->size };

	from->data += span.size;
	from->size -= span.size;
	return span;
}

/* ---- results ---- */

static void check_result(const struct imalog_sig_result *result,
			 const struct imalog_sig_keys *keys)
{
	struct imalog_sig_key_info key;
	bool ok = result->status == IMALOG_SIG_OK;

	MUST(imalog_sig_status_name(result->status)[0]);
	MUST(ok == (result->key != IMALOG_SIG_NO_KEY));
	MUST(result->status == IMALOG_SIG_NONE || result->reason[0]);
	for (const char *c = result->reason; *c; c++)
		MUST(*c >= 0x20 && *c < 0x7f);
	if (!ok)
		return;
	MUST(imalog_sig_keys_get(keys, result->key, &key) && key.usable);
	/* Another key may have this name, but the one that signed must have it */
	MUST(!result->has_keyid || result->sig.type == IMALOG_SIG_APPENDED || key.has_keyid);
}

static bool same_result(const struct imalog_sig_result *a, const struct imalog_sig_result *b)
{
	return a->status == b->status && a->key == b->key && a->has_keyid == b->has_keyid &&
	       memcmp(a->sig.keyid, b->sig.keyid, sizeof(a->sig.keyid)) == 0 &&
	       strcmp(a->reason, b->reason) == 0;
}

/* A header that was understood, written again, is the one that was read. */
static void check_header(struct imalog_span data)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_sig sig;
	int rc = imalog_sig_parse(data, &sig, error);
	uint8_t head[9];

	MUST(error);
	if (rc < 0) {
		fuzz_check_error(error, rc);
	} else {
		head[0] = (uint8_t)sig.type;
		head[1] = sig.version;
		head[2] = sig.hash;
		memcpy(head + 3, sig.keyid, 4);
		head[7] = (uint8_t)(sig.bytes.size >> 8);
		head[8] = (uint8_t)sig.bytes.size;
		MUST(data.size == sizeof(head) + sig.bytes.size);
		MUST(memcmp(head, data.data, sizeof(head)) == 0);
		MUST(fuzz_inside(sig.bytes, data));
	}
	imalog_error_free(&error);
}

/* ---- what is signed ---- */

/* The first byte of a digest, else the last: of long ones ECDSA signs the beginning alone. */
static size_t place_of(struct imalog_span data)
{
	const uint8_t *nul = memchr(data.data, '\0', data.size - 1);

	return nul && nul > data.data && nul[-1] == ':' ? (size_t)(nul + 1 - data.data) :
							  data.size - 1;
}

/* Changes a byte of the first field with one of these ids; false: there is none */
static bool flip(const struct imalog_record *record, const enum imalog_field_id *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t f = 0; f < imalog_record_fields(record); f++) {
			struct imalog_span data = imalog_record_field_data(record, f);

			if (imalog_record_field_id(record, f) != ids[i] || data.size == 0)
				continue;
			((uint8_t *)(uintptr_t)data.data)[place_of(data)] ^= 1;
			return true;
		}
	return false;
}

static bool flip_signed(const struct imalog_record *record,
			const struct imalog_sig_result *result)
{
	static const enum imalog_field_id content[] = { IMALOG_FIELD_D_NGV2,
							IMALOG_FIELD_D_NG },
					  appended[] = { IMALOG_FIELD_D_MODSIG },
					  attributes[] = { IMALOG_FIELD_IMODE };

	if (result->sig.type == IMALOG_SIG_APPENDED)
		return flip(record, appended, 1);
	if (result->sig.type == IMALOG_SIG_EVM_PORTABLE)
		return flip(record, attributes, 1);
	return flip(record, content, 2);
}

static void check_field(struct imalog_sig_checker *checkers[2],
			const struct imalog_sig_keys *keys, const struct imalog_record *record,
			size_t i)
{
	struct imalog_sig_result result, again;
	int rc = imalog_sig_check(checkers[0], record, i, &result, NULL);

	MUST(rc >= 0);
	MUST((rc > 0) == imalog_field_is_signature(imalog_record_field_id(record, i)));
	if (rc == 0)
		return;
	check_result(&result, keys);
	check_header(imalog_record_field_data(record, i));
	MUST(imalog_sig_check(checkers[1], record, i, &again, NULL) == 1);
	MUST(same_result(&result, &again));
	if (result.status != IMALOG_SIG_OK)
		return;
	MUST(flip_signed(record, &result));
	MUST(imalog_sig_check(checkers[0], record, i, &again, NULL) == 1);
	MUST(again.status != IMALOG_SIG_OK);
	flip_signed(record, &result);
}

/* ---- logs and keys ---- */

static void check_record(struct imalog_sig_checker *checkers[2], struct imalog_sig_keys *keys,
			 struct imalog_record *record, struct imalog_hasher *hasher,
			 bool from_log)
{
	size_t before = imalog_sig_keys_count(keys);
	int buffer, added = 0;

	MUST(imalog_record_verify(record, hasher, NULL) >= 0);
	buffer = imalog_record_is_buffer(record, hasher, NULL);
	MUST(buffer == 0 || buffer == 1);
	if (from_log)
		added = imalog_sig_keys_add_record(keys, record, hasher, NULL);
	MUST(added == 0 || (added == 1 && buffer));
	MUST(imalog_sig_keys_count(keys) - before <= 1);
	for (size_t i = 0; i < imalog_record_fields(record); i++)
		check_field(checkers, keys, record, i);
}

static void check_keys(const struct imalog_sig_keys *keys)
{
	struct imalog_sig_key_info key;
	size_t nr = imalog_sig_keys_count(keys);

	for (size_t i = 0; imalog_sig_keys_get(keys, i, &key); i++) {
		MUST(key.text[0] && key.reason && key.name);
		MUST(key.source == IMALOG_SIG_SOURCE_FILE || key.record);
		for (const char *c = key.subject; *c; c++)
			MUST(*c >= 0x20 && *c < 0x7f);
	}
	MUST(!imalog_sig_keys_get(keys, nr, &key));
}

static void check_list(struct imalog_sig_keys *keys, struct imalog_span list, bool from_log)
{
	struct imalog_source *source = imalog_source_from_memory(list.data, list.size, "list");
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_reader *reader = imalog_reader_new(source, templates);
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_sig_checker *checkers[2] = { imalog_sig_checker_new(keys),
						   imalog_sig_checker_new(keys) };
	struct imalog_record *record;

	MUST(source && templates && reader && hasher && checkers[0] && checkers[1]);
	imalog_reader_set_order(reader, IMALOG_ORDER_LE);
	imalog_reader_set_digest_size(reader, 20);
	while (imalog_reader_next(reader, &record, NULL) > 0) {
		check_record(checkers, keys, record, hasher, from_log);
		imalog_reader_release(reader, imalog_record_number(record));
	}
	check_keys(keys);
	imalog_sig_checker_free(&checkers[0]);
	imalog_sig_checker_free(&checkers[1]);
	imalog_hasher_free(&hasher);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_templates_free(&templates);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_span left = { data, size }, head, file, ca, list;
	struct imalog_error *error = imalog_error_new();
	struct imalog_sig_keys *keys = imalog_sig_keys_new();
	int rc;

	MUST(error && keys);
	head = take(&left, 5);
	if (head.size == 5) {
		file = fuzz_copy(take(&left, (size_t)(head.data[1] << 8 | head.data[2])));
		ca = fuzz_copy(take(&left, (size_t)(head.data[3] << 8 | head.data[4])));
		list = fuzz_copy(left);
		rc = ca.size ? imalog_sig_keys_set_ca(keys, ca, error) : 0;
		if (rc < 0)
			fuzz_check_error(error, rc);
		rc = imalog_sig_keys_add(keys, file, "file", error);
		if (rc < 0)
			fuzz_check_error(error, rc);
		MUST(rc != 0);
		check_list(keys, list, head.data[0] & KEYS_FROM_LOG);
		fuzz_free(file);
		fuzz_free(ca);
		fuzz_free(list);
	}
	imalog_sig_keys_free(&keys);
	imalog_error_free(&error);
	return 0;
}
