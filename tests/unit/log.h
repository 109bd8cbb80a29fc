/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs for test programs: real ones, ones built by hand, and readers over them. */
#ifndef TEST_LOG_H
#define TEST_LOG_H

#include <openssl/evp.h>

#include "test.h"

/* ---- real lists ---- */

/* What tests/data/rig holds; the numbers are those that the kernel told. */
static const struct rig {
	const char *dir;
	const char *template;
	size_t records;
	size_t violations;
	bool sha1_bank; /* or the TPM has a bank of SHA-256 alone */
} rigs[] __attribute__((unused)) = {
	{ "ng", "ima-ng", 45, 0, true },
	{ "sig", "ima-sig", 67, 0, true },
	{ "legacy", "ima", 44, 0, true },
	{ "fmt", "d-ng|n-ng|sig|iuid|igid|imode", 48, 0, true },
	{ "evmsig", "evm-sig", 48, 0, true },
	{ "violations", "ima-ng", 53, 6, true },
	{ "buf", "ima-ng", 19, 0, true },
	{ "names", "ima-ng", 65, 1, true },
	{ "nosha1", "ima-ng", 43, 0, false },
	{ "kexec/before", "ima-ng", 53, 0, true },
	{ "kexec/after", "ima-ng", 96, 0, true },
};
#define RIGS IMALOG_ARRAY_SIZE(rigs)

static const struct bank {
	enum imalog_alg alg;
	const char *name;
	const char *evp;
	size_t size;
} banks[] __attribute__((unused)) = {
	{ IMALOG_ALG_SHA1, "sha1", "SHA1", 20 },
	{ IMALOG_ALG_SHA256, "sha256", "SHA256", 32 },
	{ IMALOG_ALG_SHA384, "sha384", "SHA384", 48 },
};
#define BANKS IMALOG_ARRAY_SIZE(banks)

/* "binary" or "ascii"; false when the machine had no such list */
TEST_FN bool rig_list(const struct rig *rig, const struct bank *bank,
		      const char *encoding, struct bytes *ret)
{
	char path[128];

	if (!rig->sha1_bank && bank->alg == IMALOG_ALG_SHA384)
		return false;
	snprintf(path, sizeof(path), "rig/%s/%s_runtime_measurements_%s", rig->dir,
		 encoding, bank->name);
	*ret = bytes_of_file(path);
	test_note("%s", path);
	return true;
}

/* ---- lists built by hand ---- */

struct build {
	uint8_t *data;
	size_t size, room;
	enum imalog_order order;
};

TEST_FN void put(struct build *build, const void *data, size_t size)
{
	if (!build->data || size > build->room - build->size) {
		build->room = 2 * (build->size + size) + 256;
		build->data = realloc(build->data, build->room);
	}
	if (!build->data)
		BAIL_OUT("no memory");
	if (size)
		memcpy(build->data + build->size, data, size);
	build->size += size;
}

TEST_FN void put_text(struct build *build, const char *text)
{
	put(build, text, strlen(text));
}

TEST_FN void put_uint(struct build *build, size_t size, uint64_t value)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[build->order == IMALOG_ORDER_BE ? size - 1 - i : i] =
			value >> (8 * i) & 0xff;
	put(build, bytes, size);
}

TEST_FN void put_int(struct build *build, uint32_t value)
{
	put_uint(build, 4, value);
}

TEST_FN void put_hex(struct build *build, const char *hex)
{
	struct bytes bytes = bytes_of_hex(hex);

	put(build, bytes.data, bytes.size);
	bytes_free(&bytes);
}

/* A field with its length */
TEST_FN void put_field(struct build *build, const void *data, size_t size)
{
	put_int(build, (uint32_t)size);
	put(build, data, size);
}

TEST_FN void put_name(struct build *build, const char *name)
{
	put_field(build, name, strlen(name) + 1);
}

/* "sha256:" NUL and 32 bytes @fill */
TEST_FN void put_d_ng(struct build *build, uint8_t fill)
{
	uint8_t field[40] = "sha256:";

	memset(field + 8, fill, 32);
	put_field(build, field, sizeof(field));
}

TEST_FN void build_free(struct build *build)
{
	free(build->data);
	*build = (struct build){ .order = build->order };
}

TEST_FN struct imalog_span built(const struct build *build)
{
	return span_of(build->data, build->size);
}

TEST_FN void hash_of(const char *evp, struct imalog_span bytes, uint8_t *out)
{
	size_t size;

	if (!EVP_Q_digest(NULL, evp, NULL, bytes.data, bytes.size, out, &size))
		BAIL_OUT("OpenSSL does not compute %s", evp);
}

/* A record whose digest is that of @covered */
TEST_FN void put_record_over(struct build *list, const char *template,
			     struct imalog_span data, const char *evp, size_t digest_size,
			     struct imalog_span covered)
{
	uint8_t digest[IMALOG_DIGEST_MAX] = { 0 };

	if (evp)
		hash_of(evp, covered, digest);
	put_int(list, 10);
	put(list, digest, digest_size);
	put_int(list, (uint32_t)strlen(template));
	put_text(list, template);
	if (strcmp(template, "ima") != 0)
		put_int(list, (uint32_t)data.size);
	put(list, data.data, data.size);
}

/* A record of template ima-ng with a SHA-1 digest, or a violation when @fill is 0 */
TEST_FN void put_ng(struct build *list, uint8_t fill, const char *name)
{
	struct build data = { .order = list->order };

	put_d_ng(&data, fill);
	put_name(&data, name);
	put_record_over(list, "ima-ng", built(&data), fill ? "SHA1" : NULL, 20,
			built(&data));
	build_free(&data);
}

/* ---- reading ---- */

struct log {
	struct imalog_templates *templates;
	struct imalog_source *source;
	struct imalog_reader *reader;
	struct imalog_error *error;
	struct imalog_record *record;
};

TEST_FN struct log log_on(struct imalog_source *source)
{
	struct log log = { imalog_templates_new(), source, NULL, imalog_error_new(),
			   NULL };

	log.reader = imalog_reader_new(log.source, log.templates);
	if (!log.templates || !log.source || !log.reader || !log.error)
		BAIL_OUT("no memory");
	return log;
}

TEST_FN struct log log_open(struct imalog_span bytes)
{
	return log_on(imalog_source_from_memory(bytes.data, bytes.size, "test"));
}

TEST_FN void log_close(struct log *log)
{
	imalog_reader_free(&log->reader);
	imalog_source_free(&log->source);
	imalog_templates_free(&log->templates);
	imalog_error_free(&log->error);
}

TEST_FN int log_next(struct log *log)
{
	return imalog_reader_next(log->reader, &log->record, log->error);
}

/* Reads to the end, releasing on the way; the result of the last call, @count records. */
TEST_FN int log_drain(struct log *log, uint64_t *count)
{
	int rc;

	*count = 0;
	while ((rc = log_next(log)) > 0) {
		(*count)++;
		imalog_reader_release(log->reader, imalog_record_number(log->record));
	}
	return rc;
}

/* The only record of @bytes must fail in this way. */
#define CHECK_BAD(bytes, code, record, offset, field)                      \
	do {                                                               \
		struct log bad_ = log_open(bytes);                         \
		uint64_t before_;                                          \
		int rc_ = log_drain(&bad_, &before_);                      \
                                                                           \
		CHECK_ERROR(bad_.error, rc_, code, record, offset, field); \
		CHECK_INT(before_, (record)-1);                            \
		CHECK_INT(log_next(&bad_), rc_); /* and it stays so */     \
		log_close(&bad_);                                          \
	} while (0)

#endif /* TEST_LOG_H */
