// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/error.c: what an error object holds, and the sentence that it makes. */
#include "test.h"

static const char *shown(const char *text, size_t size)
{
	static char buf[IMALOG_PRINTABLE_MAX];
	struct bytes exact = bytes_copy(text, size);

	imalog_printable(span_of_bytes(exact), buf);
	bytes_free(&exact);
	return buf;
}

TEST(new_object_says_nothing)
{
	struct imalog_error *error = imalog_error_new();
	char text[64] = "untouched";

	REQUIRE(error);
	CHECK_ERROR(error, 0, IMALOG_OK, 0, 0, "");
	CHECK_INT(imalog_error_os_errno(error), 0);
	CHECK_STR(imalog_error_source(error), "");
	CHECK_STR(imalog_error_detail(error), "");
	imalog_error_format(error, text, sizeof(text));
	CHECK_STR(text, "");
	imalog_error_free(&error);
	CHECK(!error);
	imalog_error_free(&error);
	imalog_error_free(NULL);
}

TEST(failure_with_a_place)
{
	struct imalog_error *error = imalog_error_new();
	char text[128];
	int rc = imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "n-ng",
			     "length %d exceeds %d bytes left", 7, 3);

	CHECK_INT(rc, -IMALOG_ERR_BAD_LENGTH);
	imalog_error_format(error, text, sizeof(text));
	CHECK_STR(text, "n-ng: length 7 exceeds 3 bytes left");
	imalog_error_set_record(error, 12, 0x1a2b);
	imalog_error_set_source(error, "FILE");
	CHECK_ERROR(error, rc, IMALOG_ERR_BAD_LENGTH, 12, 0x1a2b, "n-ng");
	CHECK_STR(imalog_error_source(error), "FILE");
	CHECK_STR(imalog_error_detail(error), "length 7 exceeds 3 bytes left");
	imalog_error_format(error, text, sizeof(text));
	/* The example of imalog.h says "field n-ng"; the part may also be no field. */
	CHECK_STR(text, "record 12 at 0x1a2b: n-ng: length 7 exceeds 3 bytes left");
	imalog_error_free(&error);
}

TEST(later_failure_replaces_all_of_an_earlier_one)
{
	struct imalog_error *error = imalog_error_new();

	imalog_fail_errno(error, ENOSPC, "cannot write");
	imalog_error_set_record(error, UINT64_MAX, UINT64_MAX);
	imalog_error_set_source(error, "FILE");
	CHECK_INT(imalog_error_os_errno(error), ENOSPC);
	CHECK(imalog_error_record(error) == UINT64_MAX);
	CHECK_INT(imalog_fail(error, IMALOG_ERR_LIMIT, "", "too much"),
		  -IMALOG_ERR_LIMIT);
	CHECK_ERROR(error, -IMALOG_ERR_LIMIT, IMALOG_ERR_LIMIT, 0, 0, "");
	CHECK_INT(imalog_error_os_errno(error), 0);
	CHECK_STR(imalog_error_source(error), "");
	imalog_error_free(&error);
}

TEST(operating_system_and_memory)
{
	struct imalog_error *error = imalog_error_new();

	CHECK_INT(imalog_fail_errno(error, ENOENT, "cannot open"), -IMALOG_ERR_OS);
	CHECK_STR(imalog_error_detail(error), "cannot open: No such file or directory");
	CHECK_INT(imalog_error_os_errno(error), ENOENT);
	CHECK_INT(imalog_fail_nomem(error), -IMALOG_ERR_NOMEM);
	CHECK_ERROR(error, -IMALOG_ERR_NOMEM, IMALOG_ERR_NOMEM, 0, 0, "");
	CHECK_INT(imalog_error_os_errno(error), 0);
	imalog_error_free(&error);
}

TEST(no_object_at_all)
{
	CHECK_INT(imalog_fail(NULL, IMALOG_ERR_LIMIT, "x", "%d", 1), -IMALOG_ERR_LIMIT);
	CHECK_INT(imalog_fail_errno(NULL, EIO, "cannot read"), -IMALOG_ERR_OS);
	CHECK_INT(imalog_fail_nomem(NULL), -IMALOG_ERR_NOMEM);
	imalog_error_set_record(NULL, 1, 2);
	imalog_error_set_source(NULL, "x");
	imalog_error_copy(NULL, NULL);
}

TEST(copies_are_whole)
{
	struct imalog_error *from = imalog_error_new(), *to = imalog_error_new();

	imalog_fail_errno(from, EIO, "cannot read");
	imalog_error_set_record(from, 3, 44);
	imalog_error_set_source(from, "there");
	imalog_error_copy(to, from);
	CHECK_ERROR(to, -IMALOG_ERR_OS, IMALOG_ERR_OS, 3, 44, "");
	CHECK_INT(imalog_error_os_errno(to), EIO);
	CHECK_STR(imalog_error_source(to), "there");
	CHECK_STR(imalog_error_detail(to), imalog_error_detail(from));
	imalog_error_copy(to, NULL);
	CHECK_INT(imalog_error_record(to), 3);
	imalog_error_free(&from);
	imalog_error_free(&to);
}

TEST(text_is_cut_to_the_buffer)
{
	struct imalog_error *error = imalog_error_new();
	char text[16];

	imalog_fail(error, IMALOG_ERR_LIMIT, "template data", "%0300d", 0);
	CHECK(strlen(imalog_error_detail(error)) < 256);
	memset(text, 'x', sizeof(text));
	imalog_error_format(error, text, 10);
	CHECK_STR(text, "template ");
	CHECK(text[10] == 'x');
	imalog_error_format(error, text, 1);
	CHECK_STR(text, "");
	text[0] = 'x';
	imalog_error_format(error, text, 0);
	CHECK(text[0] == 'x');
	imalog_error_free(&error);
}

TEST(long_names_are_cut)
{
	struct imalog_error *error = imalog_error_new();
	char name[10000];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	imalog_fail(error, IMALOG_ERR_LIMIT, name, "x");
	imalog_error_set_source(error, name);
	CHECK(strlen(imalog_error_field(error)) > 20);
	CHECK(strlen(imalog_error_source(error)) >= 255);
	imalog_error_free(&error);
}

TEST(untrusted_text_is_made_printable)
{
	CHECK_STR(shown("", 0), "");
	CHECK_STR(shown("plain ~", 7), "plain ~");
	CHECK_STR(shown("a\0b", 3), "a\\x00b");
	CHECK_STR(shown("\x1b[2J\n", 5), "\\x1b[2J\\x0a");
	CHECK_STR(shown("\x7f\x80\xff\\", 4), "\\x7f\\x80\\xff\\x5c");
	CHECK_STR(shown("\xc3\xa4", 2), "\\xc3\\xa4");
}

/* Whatever the length: never beyond the buffer, and dots say that text was left out. */
TEST(long_untrusted_text_is_cut)
{
	char text[200];

	for (int escape = 0; escape < 2; escape++) {
		memset(text, escape ? 1 : 'a', sizeof(text));
		for (size_t size = 0; size < sizeof(text); size++) {
			const char *is = shown(text, size);
			size_t length = strlen(is), whole = escape ? 4 * size : size;

			test_note("%d, %zu bytes", escape, size);
			CHECK(length < IMALOG_PRINTABLE_MAX);
			if (length != whole)
				CHECK(length > 50 && strcmp(is + length - 3, "...") == 0);
		}
	}
}

TEST(every_code_has_a_text)
{
	static const int codes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 100, 101, 200, 201, 202 };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(codes); i++) {
		const char *text = imalog_strerror(codes[i]);

		test_note("code %d", codes[i]);
		CHECK(strcmp(text, "unknown error") != 0);
		CHECK_STR(imalog_strerror(-codes[i]), text);
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(text, imalog_strerror(codes[k])) != 0);
	}
	CHECK_STR(imalog_strerror(99), "unknown error");
	CHECK_STR(imalog_strerror(-99999), "unknown error");
	CHECK_STR(imalog_strerror(INT32_MIN), "unknown error");
}

/* Numbers never change. */
TEST(numbers_of_the_codes)
{
	CHECK_INT(IMALOG_ERR_TRUNCATED, 1);
	CHECK_INT(IMALOG_ERR_BAD_LENGTH, 2);
	CHECK_INT(IMALOG_ERR_BAD_VALUE, 3);
	CHECK_INT(IMALOG_ERR_TRAILING, 4);
	CHECK_INT(IMALOG_ERR_LIMIT, 5);
	CHECK_INT(IMALOG_ERR_BAD_FORMAT, 6);
	CHECK_INT(IMALOG_ERR_AMBIGUOUS, 7);
	CHECK_INT(IMALOG_ERR_INVALID, 100);
	CHECK_INT(IMALOG_ERR_UNSUPPORTED, 101);
	CHECK_INT(IMALOG_ERR_OS, 200);
	CHECK_INT(IMALOG_ERR_NOMEM, 201);
	CHECK_INT(IMALOG_ERR_CRYPTO, 202);
	CHECK_STR(imalog_version(), PACKAGE_VERSION);
}

TEST(every_problem_has_a_text)
{
	for (int i = IMALOG_PROBLEM_DIGEST; i <= IMALOG_PROBLEM_SNAPSHOT; i++)
		CHECK(strcmp(imalog_problem_text((enum imalog_problem)i),
			     "unknown problem") != 0);
	CHECK_STR(imalog_problem_text((enum imalog_problem)0), "unknown problem");
}

TEST_MAIN(CASE(new_object_says_nothing), CASE(failure_with_a_place),
	  CASE(later_failure_replaces_all_of_an_earlier_one),
	  CASE(operating_system_and_memory), CASE(no_object_at_all),
	  CASE(copies_are_whole), CASE(text_is_cut_to_the_buffer),
	  CASE(long_names_are_cut), CASE(untrusted_text_is_made_printable),
	  CASE(long_untrusted_text_is_cut), CASE(every_code_has_a_text),
	  CASE(numbers_of_the_codes), CASE(every_problem_has_a_text))
