// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/source.c: what is read stays where it is until it is released, and costs no more. */
#include "slow.h"

static const size_t chunks[] = { 0, 1, 2, 3, 7, 4090 };

/* Bytes that tell their place */
static struct bytes numbered(size_t size)
{
	struct bytes bytes = bytes_new(size);

	for (size_t i = 0; i < size; i++)
		bytes.data[i] = (uint8_t)(i * 2654435761u >> 24);
	return bytes;
}

TEST(window_over_memory)
{
	struct bytes bytes = numbered(300000);
	struct imalog_source *source =
		imalog_source_from_memory(bytes.data, bytes.size, "memory");
	struct imalog_window window = { .source = source };

	CHECK_STR(imalog_source_name(source), "memory");
	CHECK_INT(imalog_source_offset(source), 0);
	CHECK_INT(imalog_window_span(&window).size, 0);
	for (size_t at = 0; at < bytes.size;) {
		size_t want = 1 + at % 5000;

		CHECK_INT(imalog_window_need(&window, want, NULL), 0);
		if (want > bytes.size - at)
			want = bytes.size - at;
		if (!CHECK(imalog_window_span(&window).size >= want))
			break;
		CHECK_MEM(span_of(imalog_window_span(&window).data, want),
			  span_of(bytes.data + at, want));
		CHECK_INT(window.offset, at);
		imalog_window_advance(&window, want);
		at += want;
	}
	CHECK_INT(imalog_window_need(&window, 1, NULL), 0);
	CHECK(window.ended);
	CHECK_INT(imalog_window_span(&window).size, 0);
	CHECK_INT(imalog_source_offset(source), bytes.size);
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
	CHECK(!source);
	imalog_source_free(&source);
	imalog_source_free(NULL);
	bytes_free(&bytes);
}

TEST(empty_input)
{
	struct imalog_source *source = imalog_source_from_memory(NULL, 0, "");
	struct imalog_window window = { .source = source };

	CHECK_INT(imalog_window_need(&window, 4, NULL), 0);
	CHECK(window.ended);
	CHECK_INT(imalog_window_span(&window).size, 0);
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
}

/* Records of every size, held while later ones are read, let go in steps. */
static void check_held(struct bytes bytes, struct imalog_source *source)
{
	struct imalog_window window = { .source = source };
	const uint8_t *held[64] = { NULL };
	size_t starts[64] = { 0 }, sizes[64] = { 0 }, at = 0;
	uint64_t record = 1, released = 0;

	while (at < bytes.size) {
		size_t size = 1 + record * 7919 % 9000;

		CHECK_INT(imalog_window_need(&window, size, NULL), 0);
		if (size > bytes.size - at)
			size = bytes.size - at;
		if (!CHECK(imalog_window_span(&window).size >= size))
			break;
		held[record % 64] = imalog_window_span(&window).data;
		starts[record % 64] = at;
		sizes[record % 64] = size;
		imalog_window_advance(&window, size);
		imalog_arena_mark(&window.arena, record);
		at += size;
		if (record % 29 == 0) {
			uint64_t upto = record - 5;

			imalog_arena_release(&window.arena, upto);
			released = upto;
		}
		for (uint64_t r = released + 1; r <= record; r++)
			CHECK_MEM(span_of(held[r % 64], sizes[r % 64]),
				  span_of(bytes.data + starts[r % 64], sizes[r % 64]));
		record++;
	}
	imalog_arena_free(&window.arena);
}

TEST(bytes_stay_until_they_are_released)
{
	struct bytes bytes = numbered(1500000);

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(chunks); i++) {
		struct bytes some = { bytes.data,
				      chunks[i] && chunks[i] < 8 ? 400000 : bytes.size };
		struct imalog_source *source =
			slow_source(span_of_bytes(some), chunks[i]);

		test_note("%zu bytes a read", chunks[i]);
		check_held(some, source);
		CHECK_INT(imalog_source_offset(source), some.size);
		if (chunks[i])
			CHECK(slow.reads >= some.size / chunks[i]);
		imalog_source_free(&source);
	}
	bytes_free(&bytes);
}

TEST(interrupted_reads)
{
	struct bytes bytes = numbered(10000);
	struct imalog_source *source = slow_source(span_of_bytes(bytes), 100);

	slow.interrupts = 3;
	check_held(bytes, source);
	imalog_source_free(&source);
	bytes_free(&bytes);
}

TEST(failing_reads)
{
	struct bytes bytes = numbered(10000);
	struct imalog_source *source = slow_source(span_of_bytes(bytes), 100);
	struct imalog_window window = { .source = source };
	struct imalog_error *error = imalog_error_new();

	slow.fail_errno = EIO;
	slow.fail_at = 500;
	CHECK_INT(imalog_window_need(&window, 500, error), 0);
	CHECK_ERROR(error, imalog_window_need(&window, 501, error), IMALOG_ERR_OS, 0, 0,
		    "");
	CHECK_INT(imalog_error_os_errno(error), EIO);
	CHECK_STR(imalog_error_detail(error), "cannot read: Input/output error");
	CHECK(!window.ended);
	CHECK_MEM(imalog_window_span(&window), span_of(bytes.data, 500));
	imalog_error_free(&error);
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
	bytes_free(&bytes);
}

/* A real descriptor, read from where it stands and left open */
TEST(descriptor_stands_in_the_middle)
{
	struct bytes bytes = numbered(1000);
	FILE *file = tmpfile();
	struct imalog_source *source;
	struct imalog_window window = { .source = NULL };

	if (!file || fwrite(bytes.data, 1, bytes.size, file) != bytes.size ||
	    fflush(file) != 0)
		BAIL_OUT("cannot write a temporary file");
	source = imalog_source_from_fd(fileno(file), "fd");
	window.source = source;
	CHECK_INT(lseek(fileno(file), 700, SEEK_SET), 700);
	CHECK_INT(imalog_window_need(&window, 1000, NULL), 0);
	CHECK_MEM(imalog_window_span(&window), span_of(bytes.data + 700, 300));
	CHECK_INT(window.offset, 0);
	CHECK_INT(imalog_source_offset(source), 300);
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
	CHECK_INT(fclose(file), 0);
	bytes_free(&bytes);
}

/* Standard input is a descriptor as any other. */
TEST(descriptor_number_zero)
{
	struct imalog_source *source = imalog_source_from_fd(0, "-");
	struct imalog_window window = { .source = source };
	FILE *file = tmpfile();

	if (!file || fputs("input", file) < 0 || fflush(file) != 0 ||
	    fseek(file, 0, SEEK_SET) != 0 || dup2(fileno(file), 0) != 0)
		BAIL_OUT("cannot make a standard input");
	CHECK_INT(imalog_window_need(&window, 10, NULL), 0);
	CHECK_MEM(imalog_window_span(&window), imalog_span_of("input"));
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
	CHECK_INT(fclose(file), 0);
}

TEST(descriptor_that_is_none)
{
	struct imalog_source *source = imalog_source_from_fd(99, "fd");
	struct imalog_window window = { .source = source };
	struct imalog_error *error = imalog_error_new();

	CHECK_ERROR(error, imalog_window_need(&window, 1, error), IMALOG_ERR_OS, 0, 0,
		    "");
	CHECK_INT(imalog_error_os_errno(error), EBADF);
	imalog_error_free(&error);
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
}

static size_t held_memory(const struct imalog_arena *arena)
{
	size_t size = arena->spare ? arena->spare->size : 0;

	for (const struct imalog_block *block = arena->oldest; block; block = block->next)
		size += block->size;
	return size;
}

/* What is wanted costs nothing unless it is there. */
TEST(wanting_much_costs_what_there_is)
{
	struct bytes bytes = numbered(100000);
	struct imalog_source *source =
		imalog_source_from_memory(bytes.data, bytes.size, "");
	struct imalog_window window = { .source = source };

	CHECK_INT(imalog_window_need(&window, SIZE_MAX, NULL), 0);
	CHECK(window.ended);
	CHECK_MEM(imalog_window_span(&window), span_of_bytes(bytes));
	CHECK(held_memory(&window.arena) <= 1 << 20);
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
	bytes_free(&bytes);
}

/* 20 MB in records that are released at once take a few blocks. */
TEST(memory_is_constant)
{
	struct bytes bytes = numbered(1 << 20);
	struct imalog_arena arena = { .oldest = NULL };
	size_t most = 0;

	for (uint64_t record = 1; record <= 20000; record++) {
		uint8_t *room = imalog_arena_room(&arena, 1000);

		REQUIRE(room);
		memcpy(room, bytes.data, 1000);
		imalog_arena_take(&arena, 1000);
		imalog_arena_mark(&arena, record);
		imalog_arena_release(&arena, record);
		most = held_memory(&arena) > most ? held_memory(&arena) : most;
	}
	CHECK(most <= 1 << 20);
	imalog_arena_free(&arena);
	CHECK(!arena.oldest && !arena.newest && !arena.spare);
	bytes_free(&bytes);
}

/* One record may take several pieces, which need not be in the same block. */
TEST(pieces_of_one_record)
{
	struct imalog_arena arena = { .oldest = NULL };
	uint8_t *pieces[21][3];

	for (uint64_t record = 1; record <= 20; record++) {
		static const size_t sizes[] = { 20, 131072, 200 };

		for (int i = 0; i < 3; i++) {
			pieces[record][i] = imalog_arena_room(&arena, sizes[i]);
			REQUIRE(pieces[record][i]);
			memset(pieces[record][i], (int)record, sizes[i]);
			imalog_arena_take(&arena, sizes[i]);
		}
		imalog_arena_mark(&arena, record);
		imalog_arena_release(&arena, record < 3 ? 0 : record - 3);
		for (uint64_t r = record < 3 ? 1 : record - 2; r <= record; r++)
			for (int i = 0; i < 3; i++)
				CHECK_INT(pieces[r][i][sizes[i] - 1], r);
	}
	CHECK(held_memory(&arena) <= 1 << 20);
	imalog_arena_free(&arena);
}

TEST_MAIN(CASE(window_over_memory), CASE(empty_input),
	  CASE(bytes_stay_until_they_are_released), CASE(interrupted_reads),
	  CASE(failing_reads), CASE(descriptor_stands_in_the_middle),
	  CASE(descriptor_number_zero), CASE(descriptor_that_is_none),
	  CASE(wanting_much_costs_what_there_is), CASE(memory_is_constant),
	  CASE(pieces_of_one_record))
