// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/cursor.h: every load stops at the end of what is left, and takes nothing then. */
#include "cursor.h"
#include "test.h"

static const uint8_t bytes[] = { 0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88, 0x09 };

static struct imalog_cursor over(size_t size, enum imalog_order order)
{
	return imalog_cursor_over(span_of(bytes, size), order);
}

TEST(little_endian_integers_of_every_size)
{
	static const uint64_t should[] = {
		0x01,	      0x8201,	      0x038201,		0x84038201,
		0x0584038201, 0x860584038201, 0x07860584038201, 0x8807860584038201
	};

	for (size_t size = 1; size <= 8; size++) {
		struct imalog_cursor cursor = over(sizeof(bytes), IMALOG_ORDER_LE);
		uint64_t value = 0;

		test_note("size %zu", size);
		CHECK(imalog_cursor_uint(&cursor, size, &value));
		CHECK(value == should[size - 1]);
		CHECK_INT(cursor.left, sizeof(bytes) - size);
		CHECK(cursor.data == bytes + size);
	}
}

TEST(big_endian_integers_of_every_size)
{
	static const uint64_t should[] = {
		0x01,	      0x0182,	      0x018203,		0x01820384,
		0x0182038405, 0x018203840586, 0x01820384058607, 0x0182038405860788
	};

	for (size_t size = 1; size <= 8; size++) {
		struct imalog_cursor cursor = over(sizeof(bytes), IMALOG_ORDER_BE);
		uint64_t value = 0;

		test_note("size %zu", size);
		CHECK(imalog_cursor_uint(&cursor, size, &value));
		CHECK(value == should[size - 1]);
	}
}

TEST(u32_in_both_orders)
{
	struct imalog_cursor cursor = over(8, IMALOG_ORDER_LE);
	uint32_t value = 0;

	CHECK(imalog_cursor_u32(&cursor, &value));
	CHECK_INT(value, 0x84038201);
	cursor.order = IMALOG_ORDER_BE;
	CHECK(imalog_cursor_u32(&cursor, &value));
	CHECK_INT(value, 0x05860788);
	CHECK_INT(cursor.left, 0);
	CHECK(!imalog_cursor_u32(&cursor, &value));
	CHECK_INT(value, 0x05860788);
}

TEST(too_few_bytes_take_nothing)
{
	for (size_t left = 0; left < 8; left++) {
		struct bytes exact = bytes_copy(bytes, left);
		struct imalog_cursor cursor;
		struct imalog_span span = { bytes, 77 };
		uint64_t value = 42;
		uint32_t word = 43;

		test_note("%zu bytes", left);
		cursor = imalog_cursor_over(span_of_bytes(exact), IMALOG_ORDER_LE);
		CHECK(!imalog_cursor_uint(&cursor, left + 1, &value));
		CHECK(!imalog_cursor_bytes(&cursor, left + 1, &span));
		CHECK(!imalog_cursor_bytes(&cursor, SIZE_MAX, &span));
		if (left < 4)
			CHECK(!imalog_cursor_u32(&cursor, &word));
		CHECK(value == 42 && word == 43 && span.data == bytes && span.size == 77);
		CHECK(cursor.data == exact.data && cursor.left == left);
		bytes_free(&exact);
	}
}

TEST(sizes_that_are_no_integer)
{
	struct imalog_cursor cursor = over(sizeof(bytes), IMALOG_ORDER_LE);
	uint64_t value = 42;

	CHECK(!imalog_cursor_uint(&cursor, 0, &value));
	CHECK(!imalog_cursor_uint(&cursor, 9, &value));
	CHECK(value == 42 && cursor.left == sizeof(bytes));
}

TEST(bytes_up_to_the_end)
{
	struct imalog_cursor cursor = over(5, IMALOG_ORDER_LE);
	struct imalog_span span;

	CHECK(imalog_cursor_bytes(&cursor, 0, &span));
	CHECK_INT(span.size, 0);
	CHECK(imalog_cursor_bytes(&cursor, 2, &span));
	CHECK_HEX(span, "01 82");
	CHECK(imalog_cursor_bytes(&cursor, 3, &span));
	CHECK_HEX(span, "03 84 05");
	CHECK(imalog_cursor_bytes(&cursor, 0, &span));
	CHECK(!imalog_cursor_bytes(&cursor, 1, &span));
}

TEST_MAIN(CASE(little_endian_integers_of_every_size),
	  CASE(big_endian_integers_of_every_size), CASE(u32_in_both_orders),
	  CASE(too_few_bytes_take_nothing), CASE(sizes_that_are_no_integer),
	  CASE(bytes_up_to_the_end))
