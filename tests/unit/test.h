/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Test programs: functions in a table, checks that go on after a failure, results as TAP.
 *
 * Input is copied to memory of exactly its size, so that the address sanitizer sees a
 * read beyond it.
 */
#ifndef TEST_H
#define TEST_H

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

#define TEST_FN static __attribute__((unused))
/* Complaints of one test: a sweep that fails everywhere says so often enough. */
#define TEST_COMPLAINTS 10

struct test_case {
	const char *name;
	void (*run)(void);
};

static struct {
	int failures;
	char skipped[128];
	char note[192];
} test_now;

/* ---- checks ---- */

/* What the sweep is at, shown with a failure. */
TEST_FN __attribute__((format(printf, 1, 2))) void test_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(test_now.note, sizeof(test_now.note), format, args);
	va_end(args);
}

TEST_FN __attribute__((format(printf, 3, 4))) bool test_fail(const char *file, int line,
							     const char *format, ...)
{
	va_list args;

	if (++test_now.failures > TEST_COMPLAINTS)
		return false;
	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("%s%s\n", test_now.note[0] ? " in " : "", test_now.note);
	return false;
}

TEST_FN bool test_equal_int(const char *file, int line, const char *text, long long is,
			    long long should)
{
	return is == should ||
	       test_fail(file, line, "%s is %lld, not %lld", text, is, should);
}

TEST_FN bool test_equal_str(const char *file, int line, const char *text, const char *is,
			    const char *should)
{
	return strcmp(is, should) == 0 ||
	       test_fail(file, line, "%s is '%s', not '%s'", text, is, should);
}

TEST_FN bool test_equal_mem(const char *file, int line, const char *text,
			    struct imalog_span is, struct imalog_span should)
{
	size_t at = 0;

	while (at < is.size && at < should.size && is.data[at] == should.data[at])
		at++;
	if (at == is.size && at == should.size)
		return true;
	return test_fail(file, line, "%s: %zu bytes, not %zu, or another one at %zu",
			 text, is.size, should.size, at);
}

/* Each is true when the check holds, so that a test can give up on what stands on it. */
#define CHECK(condition) \
	((condition) ? true : test_fail(__FILE__, __LINE__, "not: %s", #condition))
#define CHECK_INT(is, should) \
	test_equal_int(__FILE__, __LINE__, #is, (long long)(is), (long long)(should))
#define CHECK_STR(is, should) test_equal_str(__FILE__, __LINE__, #is, is, should)
#define CHECK_MEM(is, should) test_equal_mem(__FILE__, __LINE__, #is, is, should)
/* Bytes given in hexadecimal */
#define CHECK_HEX(is, hex)                                                           \
	do {                                                                         \
		struct bytes should_ = bytes_of_hex(hex);                            \
		test_equal_mem(__FILE__, __LINE__, #is, is, span_of_bytes(should_)); \
		bytes_free(&should_);                                                \
	} while (0)
/* Ends the test, for what the rest of it stands on. */
#define REQUIRE(condition)             \
	do {                           \
		if (!CHECK(condition)) \
			return;        \
	} while (0)
#define SKIP(...)                                                                  \
	do {                                                                       \
		snprintf(test_now.skipped, sizeof(test_now.skipped), __VA_ARGS__); \
		return;                                                            \
	} while (0)
/* For what is no fault of the code under test */
#define BAIL_OUT(...)                 \
	do {                          \
		printf("Bail out! "); \
		printf(__VA_ARGS__);  \
		printf("\n");         \
		exit(1);              \
	} while (0)

/* An error object as a whole: where it happened and which code it carries. */
TEST_FN bool test_error(const char *file, int line, const struct imalog_error *error,
			int rc, enum imalog_code code, uint64_t record, uint64_t offset,
			const char *field)
{
	bool ok = rc == -(int)code && imalog_error_code(error) == code &&
		  imalog_error_record(error) == record &&
		  imalog_error_offset(error) == offset &&
		  strcmp(imalog_error_field(error), field) == 0;
	char is[512];

	if (ok)
		return true;
	imalog_error_format(error, is, sizeof(is));
	return test_fail(file, line,
			 "code %d (%d) '%s', not %d: record %llu at 0x%llx: %s", -rc,
			 (int)imalog_error_code(error), is, (int)code,
			 (unsigned long long)record, (unsigned long long)offset, field);
}
#define CHECK_ERROR(error, rc, code, record, offset, field) \
	test_error(__FILE__, __LINE__, error, rc, code, record, offset, field)

/* ---- running ---- */

TEST_FN bool test_one(int number, const struct test_case *test)
{
	char name[128];

	memset(&test_now, 0, sizeof(test_now));
	snprintf(name, sizeof(name), "%s", test->name);
	for (char *c = name; *c; c++)
		*c = *c == '_' ? ' ' : *c;
	test->run();
	if (test_now.failures > TEST_COMPLAINTS)
		printf("# and %d more\n", test_now.failures - TEST_COMPLAINTS);
	printf("%sok %d - %s", test_now.failures ? "not " : "", number, name);
	if (test_now.skipped[0])
		printf(" # SKIP %s", test_now.skipped);
	printf("\n");
	fflush(stdout);
	return test_now.failures == 0;
}

/* Arguments name tests to run alone. */
TEST_FN int test_all(const struct test_case *tests, size_t n, int argc, char **argv)
{
	int count = 0;
	bool ok = true;

	for (size_t i = 0; i < n; i++) {
		bool wanted = argc < 2;

		for (int a = 1; a < argc; a++)
			wanted |= strcmp(argv[a], tests[i].name) == 0;
		if (wanted)
			ok &= test_one(++count, &tests[i]);
	}
	printf("1..%d\n", count);
	return ok ? 0 : 1;
}

#define TEST(name) static void name(void)
#define CASE(name)          \
	{                   \
#name, name \
	}
#define TEST_MAIN(...)                                                        \
	int main(int argc, char **argv)                                       \
	{                                                                     \
		static const struct test_case tests[] = { __VA_ARGS__ };      \
		return test_all(tests, IMALOG_ARRAY_SIZE(tests), argc, argv); \
	}

/* Sweeps take samples unless IMALOG_LONG is set. */
TEST_FN size_t test_step(size_t usual)
{
	const char *text = getenv("IMALOG_LONG");

	return text && *text && strcmp(text, "0") ? 1 : usual;
}

/* ---- bytes of exactly the size that they have ---- */

struct bytes {
	uint8_t *data;
	size_t size;
};

TEST_FN struct imalog_span span_of(const void *data, size_t size)
{
	return (struct imalog_span){ data, size };
}

TEST_FN struct imalog_span span_of_bytes(struct bytes bytes)
{
	return span_of(bytes.data, bytes.size);
}

TEST_FN struct bytes bytes_new(size_t size)
{
	struct bytes bytes = { malloc(size ? size : 1), size };

	if (!bytes.data)
		BAIL_OUT("no memory for %zu bytes", size);
	return bytes;
}

TEST_FN struct bytes bytes_copy(const void *data, size_t size)
{
	struct bytes bytes = bytes_new(size);

	if (size)
		memcpy(bytes.data, data, size);
	return bytes;
}

TEST_FN void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ NULL, 0 };
}

/* Hexadecimal with blanks anywhere; "#" starts a comment. */
TEST_FN struct bytes bytes_of_hex(const char *hex)
{
	struct bytes bytes = bytes_new(strlen(hex));
	size_t digits = 0;

	for (; *hex; hex++) {
		const char *all = "0123456789abcdef", *digit = strchr(all, tolower(*hex));

		if (*hex == '#')
			hex += strcspn(hex, "\n");
		if (*hex == '\0')
			break;
		if (isspace((unsigned char)*hex))
			continue;
		if (!digit)
			BAIL_OUT("'%c' is not hexadecimal", *hex);
		bytes.data[digits / 2] =
			(uint8_t)((digits % 2 ? bytes.data[digits / 2] << 4 : 0) |
				  (digit - all));
		digits++;
	}
	bytes.size = digits / 2;
	bytes.data = realloc(bytes.data, bytes.size ? bytes.size : 1);
	return bytes;
}

/* A file below tests/data/ */
TEST_FN struct bytes bytes_of_file(const char *path)
{
	const char *src = getenv("IMALOG_SRC");
	struct bytes bytes = bytes_new(1 << 20), exact;
	char whole[4096];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/tests/data/%s", src ? src : ".", path);
	file = fopen(whole, "rb");
	if (!file)
		BAIL_OUT("cannot open '%s': %s", whole, strerror(errno));
	bytes.size = fread(bytes.data, 1, bytes.size, file);
	if (ferror(file) || !feof(file))
		BAIL_OUT("cannot read '%s' whole", whole);
	fclose(file);
	exact = bytes_copy(bytes.data, bytes.size);
	bytes_free(&bytes);
	return exact;
}

#endif /* TEST_H */
