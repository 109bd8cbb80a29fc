// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/sig*.c: headers that lie, sets of keys, and what comes of records of a real kernel. */
#include "nomem.h"
#include "sig.h"

/* ---- headers ---- */

/* type, version, hash, key id, size, and a signature of four bytes */
#define GOOD "03 02 04 f38eefb0 0004 01020304"

static void check_bad(struct imalog_span data, enum imalog_code code, const char *field)
{
	struct bytes exact = bytes_copy(data.data, data.size);
	struct imalog_error *error = imalog_error_new();
	struct imalog_sig sig = { .version = 77 };
	int rc = imalog_sig_parse(span_of_bytes(exact), &sig, error);

	CHECK_ERROR(error, rc, code, 0, 0, field);
	CHECK_INT(sig.version, 77);
	imalog_error_free(&error);
	bytes_free(&exact);
}

static void check_bad_hex(const char *hex, enum imalog_code code, const char *field)
{
	struct bytes bytes = bytes_of_hex(hex);

	test_note("%s", hex);
	check_bad(span_of_bytes(bytes), code, field);
	bytes_free(&bytes);
	test_note("%s", "");
}

TEST(a_header_and_its_parts)
{
	struct bytes bytes = bytes_of_hex(GOOD);
	struct imalog_sig sig;

	REQUIRE(imalog_sig_parse(span_of_bytes(bytes), &sig, NULL) == 0);
	CHECK_INT(sig.type, IMALOG_SIG_IMA);
	CHECK_INT(sig.version, 2);
	CHECK_INT(sig.hash, 4);
	CHECK_INT(sig.alg, IMALOG_ALG_SHA256);
	CHECK_STR(sig.hash_name, "sha256");
	CHECK_HEX(span_of(sig.keyid, 4), "f38eefb0");
	CHECK_HEX(sig.bytes, "01020304");
	bytes_free(&bytes);
}

TEST(a_header_cut_at_every_byte)
{
	struct bytes bytes = bytes_of_hex(GOOD);

	for (size_t size = 0; size < bytes.size; size++) {
		test_note("%zu bytes", size);
		if (size < 2)
			check_bad(span_of(bytes.data, size), IMALOG_ERR_TRUNCATED, "type");
		else if (size < 9)
			check_bad(span_of(bytes.data, size), IMALOG_ERR_TRUNCATED, "header");
		else
			check_bad(span_of(bytes.data, size), IMALOG_ERR_BAD_LENGTH, "size");
	}
	bytes_free(&bytes);
}

TEST(headers_that_lie)
{
	check_bad_hex("03 02 04 f38eefb0 0005 01020304", IMALOG_ERR_BAD_LENGTH, "size");
	check_bad_hex("03 02 04 f38eefb0 ffff 01020304", IMALOG_ERR_BAD_LENGTH, "size");
	check_bad_hex("03 02 04 f38eefb0 0000 01020304", IMALOG_ERR_BAD_LENGTH, "size");
	check_bad_hex("03 02 04 f38eefb0 0000", IMALOG_ERR_BAD_LENGTH, "size");
	check_bad_hex("03 02 04 f38eefb0 0003 01020304", IMALOG_ERR_TRAILING, "size");
	check_bad_hex("03 00 04 f38eefb0 0004 01020304", IMALOG_ERR_UNSUPPORTED, "version");
	check_bad_hex("03 01 04 f38eefb0 0004 01020304", IMALOG_ERR_UNSUPPORTED, "version");
	check_bad_hex("03 04 04 f38eefb0 0004 01020304", IMALOG_ERR_UNSUPPORTED, "version");
	check_bad_hex("02 02 04 f38eefb0 0004 01020304", IMALOG_ERR_UNSUPPORTED, "type");
	check_bad_hex("04 02 04 f38eefb0 0004 01020304", IMALOG_ERR_UNSUPPORTED, "type");
	check_bad_hex("00 00", IMALOG_ERR_UNSUPPORTED, "type");
}

TEST(a_signature_of_the_largest_size_and_one_byte_more)
{
	struct bytes bytes = bytes_new(9 + 2049);
	struct imalog_sig sig;

	memset(bytes.data, 0, bytes.size);
	memcpy(bytes.data, "\3\2\4\0\0\0\0\10\1", 9);
	check_bad(span_of_bytes(bytes), IMALOG_ERR_LIMIT, "size");
	bytes.data[8] = 0;
	CHECK(imalog_sig_parse(span_of(bytes.data, 9 + 2048), &sig, NULL) == 0);
	bytes_free(&bytes);
}

/* include/uapi/linux/hash_info.h */
TEST(hash_algorithms_by_the_numbers_of_the_kernel)
{
	static const struct {
		uint8_t id;
		const char *name;
		enum imalog_alg alg;
	} hashes[] = {
		{ 0, "md4", 0 },		     { 1, "md5", 0 },
		{ 2, "sha1", IMALOG_ALG_SHA1 },	     { 4, "sha256", IMALOG_ALG_SHA256 },
		{ 5, "sha384", IMALOG_ALG_SHA384 },  { 6, "sha512", IMALOG_ALG_SHA512 },
		{ 7, "sha224", 0 },		     { 17, "sm3", 0 },
		{ 20, "sha3-256", IMALOG_ALG_SHA3_256 },
		{ 21, "sha3-384", IMALOG_ALG_SHA3_384 },
		{ 22, "sha3-512", IMALOG_ALG_SHA3_512 },
	};
	struct bytes bytes = bytes_of_hex(GOOD);
	struct imalog_sig sig;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(hashes); i++) {
		bytes.data[2] = hashes[i].id;
		REQUIRE(imalog_sig_parse(span_of_bytes(bytes), &sig, NULL) == 0);
		CHECK_INT(sig.alg, hashes[i].alg);
		CHECK_STR(sig.hash_name, hashes[i].name);
		if (hashes[i].alg)
			CHECK_INT(imalog_sig_hash_id(hashes[i].alg), hashes[i].id);
	}
	for (int id = 23; id < 256; id++) {
		bytes.data[2] = (uint8_t)id;
		REQUIRE(imalog_sig_parse(span_of_bytes(bytes), &sig, NULL) == 0);
		CHECK(!sig.hash_name);
		CHECK_INT(sig.alg, IMALOG_ALG_NONE);
	}
	bytes_free(&bytes);
}

/* ---- keys ---- */

static int add_file(struct imalog_sig_keys *keys, const char *path, struct imalog_error *error)
{
	struct bytes bytes = bytes_of_file(path);
	int rc = imalog_sig_keys_add(keys, span_of_bytes(bytes), path, error);

	bytes_free(&bytes);
	return rc;
}

static struct imalog_sig_keys *rig_keys(void)
{
	struct imalog_sig_keys *keys = imalog_sig_keys_new();

	if (!keys || add_file(keys, "rig/sig/keys/rsa.der", NULL) != 1 ||
	    add_file(keys, "rig/sig/keys/ec.crt", NULL) != 1)
		BAIL_OUT("keys of the rig cannot be read");
	return keys;
}

TEST(keys_of_files)
{
	struct imalog_sig_keys *keys = rig_keys();
	struct imalog_sig_key_info key;

	CHECK_INT(imalog_sig_keys_count(keys), 2);
	REQUIRE(imalog_sig_keys_get(keys, 0, &key));
	CHECK_HEX(span_of(key.keyid, 4), "f38eefb0");
	CHECK_STR(key.subject, "CN=imarig rsa signer");
	CHECK_STR(key.text, "RSA of 2048 bits");
	CHECK_INT(key.source, IMALOG_SIG_SOURCE_FILE);
	CHECK_INT(key.trust, IMALOG_MATCH);
	CHECK(key.usable);
	CHECK(!imalog_sig_keys_get(keys, 2, &key));
	/* The same in PEM is no other; without its certificate it is. */
	CHECK_INT(add_file(keys, "rig/sig/keys/rsa.crt", NULL), 1);
	CHECK_INT(imalog_sig_keys_count(keys), 2);
	CHECK_INT(add_file(keys, "rig/sig/keys/rsa.pub", NULL), 1);
	CHECK_INT(imalog_sig_keys_count(keys), 3);
	REQUIRE(imalog_sig_keys_get(keys, 2, &key));
	CHECK_HEX(span_of(key.keyid, 4), "f38eefb0");
	CHECK_STR(key.subject, "");
	imalog_sig_keys_free(&keys);
	CHECK(!keys);
	imalog_sig_keys_free(&keys);
}

TEST(what_is_no_key)
{
	struct imalog_sig_keys *keys = imalog_sig_keys_new();
	struct imalog_error *error = imalog_error_new();
	struct imalog_span ca = { NULL, 0 };

	CHECK_ERROR(error, imalog_sig_keys_add(keys, ca, "nothing", error),
		    IMALOG_ERR_TRUNCATED, 0, 0, "");
	CHECK(add_file(keys, "rig/sig/pcrs.yaml", error) < 0);
	CHECK_INT(imalog_sig_keys_count(keys), 0);
	CHECK_ERROR(error, imalog_sig_keys_set_ca(keys, ca, error), IMALOG_ERR_TRUNCATED, 0, 0,
		    "CA");
	ca = imalog_span_of("none");
	CHECK_ERROR(error, imalog_sig_keys_set_ca(keys, ca, error), IMALOG_ERR_BAD_FORMAT, 0,
		    0, "CA");
	imalog_sig_keys_free(&keys);
	keys = rig_keys();
	CHECK_ERROR(error, imalog_sig_keys_set_ca(keys, ca, error), IMALOG_ERR_INVALID, 0, 0,
		    "CA");
	imalog_sig_keys_free(&keys);
	imalog_error_free(&error);
}

/* ---- records of a real kernel ---- */

struct list {
	struct bytes bytes;
	struct imalog_source *source;
	struct imalog_templates *templates;
	struct imalog_reader *reader;
	struct imalog_hasher *hasher;
};

static void list_open(struct list *list, const char *path)
{
	list->bytes = bytes_of_file(path);
	list->source = imalog_source_from_memory(list->bytes.data, list->bytes.size, path);
	list->templates = imalog_templates_new();
	list->reader = imalog_reader_new(list->source, list->templates);
	list->hasher = imalog_hasher_new();
	if (!list->source || !list->templates || !list->reader || !list->hasher)
		BAIL_OUT("no memory");
}

static void list_close(struct list *list)
{
	imalog_hasher_free(&list->hasher);
	imalog_reader_free(&list->reader);
	imalog_templates_free(&list->templates);
	imalog_source_free(&list->source);
	bytes_free(&list->bytes);
}

static struct imalog_record *list_record(struct list *list, uint64_t number)
{
	struct imalog_record *record = NULL;

	for (uint64_t i = 0; i < number; i++)
		if (imalog_reader_next(list->reader, &record, NULL) <= 0 ||
		    imalog_record_verify(record, list->hasher, NULL) < 0)
			BAIL_OUT("record %d cannot be read", (int)i);
	return record;
}

TEST(fields_that_hold_signatures_and_others)
{
	struct list list;
	struct imalog_sig_keys *keys = rig_keys();
	struct imalog_sig_checker *checker = imalog_sig_checker_new(keys);
	struct imalog_record *record;
	struct imalog_sig_result result = { .reason = "untouched" };

	list_open(&list, "rig/sig/binary_runtime_measurements");
	record = list_record(&list, 60);
	CHECK_INT(imalog_sig_check(checker, record, 0, &result, NULL), 0);
	CHECK_INT(imalog_sig_check(checker, record, 1, &result, NULL), 0);
	CHECK_INT(imalog_sig_check(checker, record, 3, &result, NULL), 0);
	CHECK_STR(result.reason, "untouched");
	CHECK_INT(imalog_sig_check(checker, record, 2, &result, NULL), 1);
	CHECK_INT(result.status, IMALOG_SIG_OK);
	CHECK_INT(result.key, 1);
	CHECK_INT(result.field, IMALOG_FIELD_SIG);
	imalog_sig_checker_free(&checker);
	imalog_sig_keys_free(&keys);
	list_close(&list);
}

/* A digest with another bit is another one, whichever it is. */
TEST(every_bit_of_a_digest_is_signed)
{
	struct list list;
	struct imalog_sig_keys *keys = rig_keys();
	struct imalog_sig_checker *checker = imalog_sig_checker_new(keys);
	struct imalog_record *record;
	struct imalog_sig_result result;
	uint8_t *digest;

	list_open(&list, "rig/sig/binary_runtime_measurements");
	record = list_record(&list, 60);
	digest = (uint8_t *)(uintptr_t)record->fields[0].data.data + strlen("sha256:") + 1;
	for (size_t bit = 0; bit < 256; bit++) {
		digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK_INT(imalog_sig_check(checker, record, 2, &result, NULL), 1);
		CHECK_INT(result.status, IMALOG_SIG_BAD);
		CHECK(result.key == IMALOG_SIG_NO_KEY);
		digest[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	imalog_sig_checker_free(&checker);
	imalog_sig_keys_free(&keys);
	list_close(&list);
}

/* Keys in the log: from the record on that measured them, and those that were given, too */
TEST(keys_that_the_log_has_measured)
{
	struct list list;
	struct imalog_sig_keys *keys = imalog_sig_keys_new();
	struct imalog_signer signer = { .id = { (const uint8_t *)"\xf3\x8e\xef\xb0", 4 } };
	struct imalog_sig_key_info key;
	struct imalog_record *record;

	list_open(&list, "rig/buf/binary_runtime_measurements");
	record = list_record(&list, 9);
	CHECK_INT(imalog_sig_keys_add_record(keys, record, list.hasher, NULL), 0);
	record = list_record(&list, 1);
	CHECK_INT(imalog_sig_keys_add_record(keys, record, list.hasher, NULL), 1);
	CHECK_INT(imalog_record_is_buffer(record, list.hasher, NULL), 1);
	/* Its digest names another one; nothing covers it. */
	((uint8_t *)(uintptr_t)record->fields[2].data.data)[0] ^= 1;
	CHECK_INT(imalog_record_is_buffer(record, list.hasher, NULL), 0);
	((uint8_t *)(uintptr_t)record->fields[2].data.data)[0] ^= 1;
	record->fit = IMALOG_FIT_UNKNOWN;
	CHECK_INT(imalog_record_is_buffer(record, list.hasher, NULL), 0);
	record = list_record(&list, 2);
	CHECK_INT(imalog_sig_keys_add_record(keys, record, list.hasher, NULL), 1);
	CHECK_INT(imalog_sig_keys_count(keys), 1);
	REQUIRE(imalog_sig_keys_get(keys, 0, &key));
	CHECK_INT(key.record, 10);
	CHECK_INT(key.source, IMALOG_SIG_SOURCE_LOG);
	CHECK_INT(key.trust, IMALOG_NOT_CHECKED);
	CHECK(!imalog_sig_key_fits(&keys->all[0], &signer, 9));
	CHECK(!imalog_sig_key_fits(&keys->all[0], &signer, 10));
	CHECK(imalog_sig_key_fits(&keys->all[0], &signer, 11));
	signer.id.data++;
	signer.id.size--;
	CHECK(!imalog_sig_key_fits(&keys->all[0], &signer, 11));
	imalog_sig_keys_free(&keys);
	list_close(&list);
}

/* ---- without memory ---- */

/* 0: a signature was ok; negative: it could not be told */
static int check_once(const struct imalog_record *record, struct bytes der)
{
	struct imalog_sig_keys *keys = imalog_sig_keys_new();
	struct imalog_sig_checker *checker = keys ? imalog_sig_checker_new(keys) : NULL;
	struct imalog_sig_result result = { .status = IMALOG_SIG_BAD };
	int rc = checker ? imalog_sig_keys_add(keys, span_of_bytes(der), "key", NULL) :
			   -IMALOG_ERR_NOMEM;

	if (rc > 0)
		rc = imalog_sig_check(checker, record, 2, &result, NULL);
	if (rc > 0)
		rc = result.status == IMALOG_SIG_OK ? 0 : -1000 - (int)result.status;
	imalog_sig_checker_free(&checker);
	imalog_sig_keys_free(&keys);
	return rc;
}

TEST(memory_that_runs_out)
{
	struct list list;
	struct bytes der = bytes_of_file("rig/sig/keys/ec.der");
	struct imalog_record *record;
	long n = 0;
	int rc;

	list_open(&list, "rig/sig/binary_runtime_measurements");
	record = list_record(&list, 60);
	REQUIRE(check_once(record, der) == 0);
	do {
		long live = memory.live;

		memory.left = n++;
		memory.failed = false;
		rc = check_once(record, der);
		memory.left = -1;
		test_note("allocation %ld", n);
		CHECK(rc == 0 || rc == -IMALOG_ERR_NOMEM || rc == -IMALOG_ERR_CRYPTO);
		CHECK_INT(memory.live, live);
	} while (memory.failed && n < 1000);
	CHECK(n > 5 && n < 1000);
	bytes_free(&der);
	list_close(&list);
}

TEST_MAIN(CASE(a_header_and_its_parts), CASE(a_header_cut_at_every_byte),
	  CASE(headers_that_lie), CASE(a_signature_of_the_largest_size_and_one_byte_more),
	  CASE(hash_algorithms_by_the_numbers_of_the_kernel), CASE(keys_of_files),
	  CASE(what_is_no_key), CASE(fields_that_hold_signatures_and_others),
	  CASE(every_bit_of_a_digest_is_signed), CASE(keys_that_the_log_has_measured),
	  CASE(memory_that_runs_out))
