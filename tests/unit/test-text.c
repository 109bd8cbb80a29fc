// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/text.c: hexadecimal and decimal, no more lenient than that. */
#include "test.h"

static bool hex(const char *text, uint8_t *out)
{
	struct bytes exact = bytes_copy(text, strlen(text));
	bool ok = imalog_hex_decode(span_of_bytes(exact), out);

	bytes_free(&exact);
	return ok;
}

static bool decimal(const char *text, uint64_t max, uint64_t *ret)
{
	struct bytes exact = bytes_copy(text, strlen(text));
	bool ok = imalog_decimal_decode(span_of_bytes(exact), max, ret);

	bytes_free(&exact);
	return ok;
}

TEST(hexadecimal_of_either_case)
{
	uint8_t out[16];

	CHECK(hex("", out));
	CHECK(hex("00fFA59bC3dE", out));
	CHECK_HEX(span_of(out, 6), "00 ff a5 9b c3 de");
}

TEST(what_is_no_hexadecimal)
{
	/* The neighbours of the digits and letters in ASCII, too */
	static const char *const bad[] = { "0",	 "000", "0g", "g0", " 0",
					   "0 ", "0x",	"+1", "-1", "0/",
					   "0:", "0@",	"0G", "0`", "\xff\xff" };
	uint8_t out[16];

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bad); i++) {
		test_note("'%s'", bad[i]);
		CHECK(!hex(bad[i], out));
	}
	CHECK(!imalog_hex_decode(span_of("0\0", 2), out));
}

TEST(decimal_up_to_a_limit)
{
	uint64_t value = 0;

	CHECK(decimal("0", 63, &value) && value == 0);
	CHECK(decimal("63", 63, &value) && value == 63);
	CHECK(decimal("65535", UINT16_MAX, &value) && value == 65535);
	CHECK(decimal("4294967295", UINT32_MAX, &value) && value == UINT32_MAX);
	CHECK(decimal("18446744073709551615", UINT64_MAX, &value) && value == UINT64_MAX);
}

TEST(what_is_no_decimal)
{
	static const char *const bad[] = { "",
					   " 1",
					   "1 ",
					   "+1",
					   "-1",
					   "0x1",
					   "1.0",
					   "64",
					   "100",
					   "/",
					   ":",
					   "1a",
					   "\xb2",
					   "640",
					   "18446744073709551616",
					   "99999999999999999999999" };
	uint64_t value = 42;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bad); i++) {
		test_note("'%s'", bad[i]);
		CHECK(!decimal(bad[i], 63, &value));
	}
	CHECK(!decimal("65536", UINT16_MAX, &value));
	CHECK(!decimal("4294967296", UINT32_MAX, &value));
	CHECK(!decimal("18446744073709551616", UINT64_MAX, &value));
	CHECK(!decimal("18446744073709551620", UINT64_MAX, &value));
	CHECK(!imalog_decimal_decode(span_of("1\0", 2), 63, &value));
	CHECK(value == 42);
}

/* A limit smaller than a digit must not wrap around. */
TEST(limit_below_nine)
{
	uint64_t value = 42;

	CHECK(decimal("7", 7, &value) && value == 7);
	CHECK(!decimal("8", 7, &value));
	CHECK(!decimal("9", 0, &value));
	CHECK(!decimal("10", 7, &value));
}

TEST_MAIN(CASE(hexadecimal_of_either_case), CASE(what_is_no_hexadecimal),
	  CASE(decimal_up_to_a_limit), CASE(what_is_no_decimal), CASE(limit_below_nine))
