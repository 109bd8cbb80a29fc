// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/receipt*.c, lib/store-state.c: what is written is what is read, and nothing else is. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "store.h"

static char directory[128];
static int dir = -1;

static void setup(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/imalog-test.XXXXXX",
		 base && strlen(base) < 64 ? base : P_tmpdir);
	if (!mkdtemp(directory))
		BAIL_OUT("cannot make a directory: %s", strerror(errno));
	dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void teardown(void)
{
	unlinkat(dir, "00000003.json", 0);
	close(dir);
	rmdir(directory);
}

/* A state with a PCR of every variant */
static void fill_state(struct imalog_state *state, uint8_t seed)
{
	static const enum imalog_alg algs[] = { IMALOG_ALG_SHA1, IMALOG_ALG_SHA256,
						IMALOG_ALG_SHA384 };

	state->values = calloc(3, sizeof(*state->values));
	state->nr = 3;
	for (size_t i = 0; i < 3; i++) {
		state->values[i].alg = algs[i];
		state->values[i].pcr = (uint32_t)(10 + i);
		for (int v = 0; v < IMALOG_VARIANTS && v <= (int)i; v++) {
			state->values[i].known[v] = true;
			memset(state->values[i].values[v], seed + v, imalog_alg_size(algs[i]));
		}
	}
}

static struct imalog_receipt *full_receipt(void)
{
	struct imalog_receipt *receipt = imalog_receipt_new(NULL);
	uint8_t value[32];

	*receipt = (struct imalog_receipt){
		.state = IMALOG_RECEIPT_COMMITTED,
		.segment = 3,
		.first = 7,
		.records = 5,
		.bytes = 1ull << 40,
		.has_ascii_bytes = true,
		.ascii_bytes = 77,
		.violations = 2,
		.problems = 1,
		.first_problem = 8,
		.time = "2026-11-22T10:31:00Z",
		.kernel = "7.2.0",
		.boot_id = "c0ffee",
		.has_clock = true,
		.clock = { 1ull << 41, 5, 6, true },
		.staged_before = true,
		.verdict = IMALOG_MATCH,
		.matched_at = 9,
		.undetermined = true,
		.may_repeat = 2,
		.rebuilt = true,
		.has_quote = true,
		.covers = 9,
	};
	memset(receipt->sha256, 0x11, 32);
	memset(receipt->previous, 0x22, 32);
	memset(receipt->nonce, 0x33, 32);
	memset(receipt->quote, 0x44, 32);
	memset(receipt->signature, 0x55, 32);
	fill_state(&receipt->before, 0x60);
	fill_state(&receipt->after, 0x70);
	receipt->pcrs = imalog_pcrs_new();
	memset(value, 0x66, sizeof(value));
	imalog_pcrs_set(receipt->pcrs, IMALOG_ALG_SHA256, 10, span_of(value, 32), NULL);
	return receipt;
}

static struct bytes file_bytes(const char *name)
{
	struct bytes bytes = bytes_new(1 << 16);
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, bytes.data, bytes.size);

	if (n < 0)
		BAIL_OUT("cannot read '%s'", name);
	close(fd);
	bytes.size = (size_t)n;
	return bytes;
}

static void put_file(const char *name, const void *data, size_t size)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		BAIL_OUT("cannot write '%s'", name);
	close(fd);
}

/* ---- there and back ---- */

TEST(all_that_is_written_is_read)
{
	struct imalog_receipt *out = full_receipt(), *in = NULL;
	uint8_t self[32], again[32], sum[32];
	struct bytes first, second;

	setup();
	REQUIRE(imalog_receipt_write(out, dir, self, NULL) == 0);
	first = file_bytes("00000003.json");
	hash_of("SHA256", span_of_bytes(first), sum);
	CHECK_MEM(span_of(self, 32), span_of(sum, 32));
	REQUIRE(imalog_receipt_read(dir, 3, &in, again, NULL) == 0);
	CHECK_MEM(span_of(again, 32), span_of(sum, 32));
	CHECK_INT(imalog_receipt_state(in), IMALOG_RECEIPT_COMMITTED);
	CHECK_INT(imalog_receipt_bytes(in), 1ull << 40);
	CHECK_INT(imalog_receipt_may_repeat(in), 2);
	CHECK_STR(imalog_receipt_time(in), "2026-11-22T10:31:00Z");
	CHECK(imalog_state_equal(&in->before, &out->before));
	CHECK(imalog_state_equal(&in->after, &out->after));
	CHECK(!imalog_state_equal(&in->before, &in->after));
	/* Written again it is the same, to the last byte. */
	CHECK_INT(imalog_receipt_write(in, dir, again, NULL), 0);
	second = file_bytes("00000003.json");
	CHECK_MEM(span_of_bytes(second), span_of_bytes(first));
	bytes_free(&first);
	bytes_free(&second);
	imalog_receipt_free(&in);
	imalog_receipt_free(&out);
	teardown();
}

TEST(what_is_not_known_is_left_out)
{
	struct imalog_receipt *receipt = imalog_receipt_new(NULL), *in = NULL;
	struct bytes bytes;
	uint8_t self[32];

	setup();
	receipt->state = IMALOG_RECEIPT_SAVED;
	receipt->segment = 3;
	receipt->first = 1;
	REQUIRE(imalog_receipt_write(receipt, dir, self, NULL) == 0);
	bytes = file_bytes("00000003.json");
	for (const char *const *key =
		     (const char *const[]){ "ascii_bytes", "problems", "tpm", "pcrs",
					    "boot_id", "quote", "rebuilt", "undetermined",
					    "may_repeat", NULL };
	     *key; key++) {
		test_note("%s", *key);
		CHECK(!memmem(bytes.data, bytes.size, *key, strlen(*key)));
	}
	CHECK_INT(imalog_receipt_read(dir, 3, &in, NULL, NULL), 0);
	CHECK_INT(imalog_receipt_verdict(in, NULL), IMALOG_NOT_CHECKED);
	CHECK(!in->pcrs && !in->has_clock && !in->has_quote);
	bytes_free(&bytes);
	imalog_receipt_free(&in);
	imalog_receipt_free(&receipt);
	teardown();
}

/* ---- what is refused ---- */

static int read_text(const char *text, size_t size, struct imalog_error *error)
{
	struct imalog_receipt *receipt = NULL;
	int rc;

	put_file("00000003.json", text, size);
	rc = imalog_receipt_read(dir, 3, &receipt, NULL, error);
	CHECK((rc == 0) == (receipt != NULL));
	imalog_receipt_free(&receipt);
	return rc;
}

TEST(cut_anywhere_it_is_refused)
{
	struct imalog_receipt *receipt = full_receipt();
	struct imalog_error *error = imalog_error_new();
	struct bytes whole;
	uint8_t self[32];

	setup();
	REQUIRE(imalog_receipt_write(receipt, dir, self, NULL) == 0);
	whole = file_bytes("00000003.json");
	for (size_t size = 0; size < whole.size; size += test_step(7)) {
		test_note("%zu bytes", size);
		CHECK_INT(read_text((char *)whole.data, size, error), -IMALOG_ERR_BAD_FORMAT);
		CHECK_STR(imalog_error_source(error), "00000003.json");
	}
	bytes_free(&whole);
	imalog_receipt_free(&receipt);
	imalog_error_free(&error);
	teardown();
}

/* The text of a receipt with one line changed */
static int read_changed(const char *from, const char *to)
{
	struct bytes bytes = file_bytes("00000003.json");
	char text[1 << 16];
	char *at;
	int rc;

	bytes.data[bytes.size] = '\0';
	at = strstr((char *)bytes.data, from);
	if (!at)
		BAIL_OUT("there is no '%s'", from);
	*at = '\0';
	snprintf(text, sizeof(text), "%s%s%s", (char *)bytes.data, to, at + strlen(from));
	*at = from[0];
	rc = read_text(text, strlen(text), NULL);
	put_file("00000003.json", bytes.data, bytes.size);
	bytes_free(&bytes);
	return rc;
}

TEST(values_that_cannot_be)
{
	struct imalog_receipt *receipt = full_receipt();
	uint8_t self[32];

	setup();
	REQUIRE(imalog_receipt_write(receipt, dir, self, NULL) == 0);
	CHECK_INT(read_changed("\"records\": 5", "\"records\": 5"), 0);
	CHECK_INT(read_changed("\"records\": 5", "\"unknown\": 1, \"records\": 5"), 0);
	CHECK_INT(read_changed("\"version\": 1", "\"version\": 2"), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"segment\": 3", "\"segment\": 4"), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"committed\"", "\"lost\""), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"records\": 5", "\"records\": -5"), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"records\": 5", "\"records\": \"5\""), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"records\": 5", "\"records\": 1, \"records\": 5"),
		  -IMALOG_ERR_BAD_FORMAT); /* which of them? */
	CHECK_INT(read_changed("\"first_record\": 7", "\"first_record\": 0"),
		  -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"match\"", "\"maybe\""), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"11111111", "\"1111111"), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"c0ffee\"", "\"0123456789012345678901234567890123456789\""),
		  -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"reset_count\": 5", "\"reset_count\": 4294967296"),
		  -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"sha1\": {", "\"md5\": {"), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"sha384/padded\"", "\"sha384/odd\""), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"10\": \"", "\"64\": \""), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"before\"", "\"behind\""), -IMALOG_ERR_BAD_VALUE);
	/* These are printed. */
	CHECK_INT(read_changed("2026-11-22T", "2026-11-2\\u001b"), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("2026-11-22T10:31:00Z", "now"), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"7.2.0\"", "\"7.2\\u001b[2J\""), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_changed("\"c0ffee\"", "\"c0 ffee\""), -IMALOG_ERR_BAD_VALUE);
	imalog_receipt_free(&receipt);
	teardown();
}

TEST(what_is_no_receipt)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_receipt *receipt = NULL;
	struct bytes large = bytes_new((1 << 20) + 5000);

	setup();
	CHECK_INT(imalog_receipt_read(dir, 3, &receipt, NULL, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), ENOENT);
	CHECK_INT(read_text("", 0, error), -IMALOG_ERR_BAD_FORMAT);
	CHECK_INT(read_text("[]", 2, error), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(read_text("\0", 1, error), -IMALOG_ERR_BAD_FORMAT);
	memset(large.data, ' ', large.size);
	CHECK_INT(read_text((char *)large.data, large.size, error), -IMALOG_ERR_LIMIT);
	unlinkat(dir, "00000003.json", 0);
	CHECK_INT(symlinkat("/dev/null", dir, "00000003.json"), 0);
	CHECK_INT(imalog_receipt_read(dir, 3, &receipt, NULL, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), ELOOP);
	bytes_free(&large);
	imalog_error_free(&error);
	teardown();
}

/* ---- states ---- */

TEST(states_that_differ)
{
	struct imalog_state a = { NULL, 0 }, b = { NULL, 0 }, none = { NULL, 0 };

	fill_state(&a, 1);
	CHECK_INT(imalog_state_copy(&b, &a, NULL), 0);
	CHECK(imalog_state_equal(&a, &b));
	CHECK(imalog_state_has(&a, &b) && imalog_state_has(&none, &none));
	CHECK(!imalog_state_has(&a, &none) && !imalog_state_has(&none, &a));
	b.values[1].values[1][31] ^= 1;
	CHECK(!imalog_state_equal(&a, &b) && !imalog_state_has(&a, &b));
	b.values[1].values[1][31] ^= 1;
	b.nr = 2; /* without a bank: the rest is the same */
	CHECK(!imalog_state_equal(&a, &b) && imalog_state_has(&a, &b) &&
	      !imalog_state_has(&b, &a));
	b.values[1].alg = IMALOG_ALG_SHA1; /* a PCR more in a bank that both have */
	CHECK(!imalog_state_has(&b, &a));
	imalog_state_free(&a);
	imalog_state_free(&b);
}

TEST(states_and_what_a_tpm_says)
{
	struct imalog_state state = { NULL, 0 };
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	fill_state(&state, 1);
	CHECK(!imalog_state_is(&state, pcrs)); /* nothing to compare */
	imalog_pcrs_set(pcrs, IMALOG_ALG_SHA1, 10, span_of(state.values[0].values[0], 20),
			NULL);
	CHECK(imalog_state_is(&state, pcrs));
	/* The padded value is as good as the other. */
	imalog_pcrs_set(pcrs, IMALOG_ALG_SHA256, 11, span_of(state.values[1].values[1], 32),
			NULL);
	CHECK(imalog_state_is(&state, pcrs));
	imalog_pcrs_set(pcrs, IMALOG_ALG_SHA384, 12, span_of(state.values[0].values[0], 48),
			NULL);
	CHECK(!imalog_state_is(&state, pcrs));
	imalog_pcrs_free(&pcrs);
	imalog_state_free(&state);
}

/* A replay of two halves, the second of which goes on from the first, is one of the whole. */
TEST(a_replay_that_goes_on)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_receipt *whole = imalog_receipt_new(NULL),
			      *first = imalog_receipt_new(NULL),
			      *second = imalog_receipt_new(NULL);
	struct imalog_base base = { .records = 0 }, later = { .records = 3 };
	size_t half = 0;

	for (int i = 0; i < 6; i++) {
		if (i == 3)
			half = list.size;
		put_ng(&list, (uint8_t)(i % 2 ? 0 : i + 1), "/bin/x");
	}
	for (int part = 0; part < 3; part++) {
		struct imalog_span bytes = built(&list);
		struct imalog_pass pass = { .base = part == 2 ? &later : &base,
					    .templates = templates };
		struct imalog_source *source;

		if (part == 1)
			bytes.size = half;
		if (part == 2)
			bytes = span_of(bytes.data + half, bytes.size - half);
		later.state = first->after;
		source = imalog_source_from_memory(bytes.data, bytes.size, "part");
		CHECK_INT(imalog_pass_run(&pass, source,
					  part == 0 ? whole :
					  part == 1 ? first :
						      second,
					  NULL),
			  0);
		imalog_source_free(&source);
	}
	CHECK_INT(second->first, 4);
	CHECK_INT(first->records + second->records, whole->records);
	CHECK_INT(first->bytes + second->bytes, whole->bytes);
	CHECK_INT(first->ascii_bytes + second->ascii_bytes, whole->ascii_bytes);
	CHECK_INT(first->violations + second->violations, 3);
	CHECK(imalog_state_equal(&second->before, &first->after));
	CHECK(imalog_state_equal(&second->after, &whole->after));
	CHECK_INT(whole->after.nr, 4); /* PCR 10 of the usual banks */
	CHECK(whole->after.values[1].known[IMALOG_PADDED_SHORT]);
	imalog_receipt_free(&whole);
	imalog_receipt_free(&first);
	imalog_receipt_free(&second);
	imalog_templates_free(&templates);
	build_free(&list);
}

/* ---- prefixes ---- */

TEST(what_a_segment_begins_with)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_base base = { .records = 0 };

	for (int i = 0; i < 300; i++)
		put_ng(&list, 0, "/bin/x");
	for (size_t size = 1; size <= list.size + 1; size += list.size / 9) {
		struct imalog_pass pass = { .base = &base, .templates = templates };
		struct imalog_receipt *receipt = imalog_receipt_new(NULL);
		struct imalog_source *source =
			imalog_source_from_memory(list.data, list.size, "list");

		test_note("%zu of %zu bytes", size, list.size);
		pass.prefixes[0].size = pass.prefixes[1].size = size;
		if (size <= list.size)
			hash_of("SHA256", span_of(list.data, size), pass.prefixes[0].sha256);
		CHECK_INT(imalog_pass_run(&pass, source, receipt, NULL), 0);
		CHECK_INT(pass.prefixes[0].found, size <= list.size);
		CHECK(!pass.prefixes[1].found);
		imalog_source_free(&source);
		imalog_receipt_free(&receipt);
	}
	imalog_templates_free(&templates);
	build_free(&list);
}

/* ---- loose files ---- */

TEST(receipts_of_loose_files)
{
	struct imalog_receipt *receipt = NULL;
	struct imalog_error *error = imalog_error_new();
	char path[192];
	uint8_t sum[32];
	int rc;

	setup();
	snprintf(path, sizeof(path), "%s/00000003.json", directory);
	put_file("00000003.json", "abc", 3);
	rc = imalog_receipt_for_file(path, &receipt, error);
	if (rc == -IMALOG_ERR_INVALID) {
		teardown();
		imalog_error_free(&error);
		SKIP("this is where nothing lasts");
	}
	REQUIRE(rc == 0);
	hash_of("SHA256", span_of("abc", 3), sum);
	CHECK_INT(imalog_receipt_state(receipt), IMALOG_RECEIPT_DELETING);
	CHECK_INT(imalog_receipt_bytes(receipt), 3);
	CHECK_MEM(span_of(imalog_receipt_sha256(receipt), 32), span_of(sum, 32));
	imalog_receipt_free(&receipt);
	CHECK_INT(imalog_receipt_for_file(directory, &receipt, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_receipt_for_file("/dev/null", &receipt, error), -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_receipt_for_file("no/such/file", &receipt, error), -IMALOG_ERR_OS);
	CHECK(!receipt);
	imalog_error_free(&error);
	teardown();
}

TEST_MAIN(CASE(all_that_is_written_is_read), CASE(what_is_not_known_is_left_out),
	  CASE(cut_anywhere_it_is_refused), CASE(values_that_cannot_be),
	  CASE(what_is_no_receipt), CASE(states_that_differ), CASE(states_and_what_a_tpm_says),
	  CASE(a_replay_that_goes_on), CASE(what_a_segment_begins_with),
	  CASE(receipts_of_loose_files))
