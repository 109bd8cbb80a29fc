// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/merge*.c: never a yes where equal bytes, sizes or receipts that lie would be the reason */
#include "merge.h"

static size_t count_kind(const struct trial *trial, enum imalog_merge_problem kind)
{
	size_t nr = 0;

	for (size_t i = 0; i < trial->merge->notes.nr; i++)
		nr += trial->merge->notes.notes[i].kind == kind;
	return nr;
}

/* ---- what the anchor does not weigh ---- */

/* The pieces of a log that end at @ends; what is expected is of record @anchor. */
static void begin_cut(struct trial *trial, const struct parsed *log, const size_t *ends,
		      size_t nr, size_t anchor)
{
	trial_init(trial);
	for (size_t i = 0, from = 0; i < nr; from = ends[i++])
		trial_add(trial, recs_of(log, from, ends[i]), "piece");
	imalog_merge_add_receipts(trial->merge, receipts_path, trial->error);
	trial_expect(trial, log, anchor);
}

TEST(a_doubt_of_the_store_stays_one_beside_a_loose_piece)
{
	/* Whether the second VV is the first one is told by nothing behind b. */
	struct bytes stored = log_of("abVVVVc");
	struct parsed log = parse_log(span_of_bytes(stored));

	for (size_t anchor = 2; anchor <= 7; anchor += 5) {
		struct trial trial;

		empty_receipts_dir(false);
		receipt_of(&log, 1, 0, 2);
		receipt_of(&log, 2, 2, 4);
		write_receipt(receipts_path, &log,
			      (struct receipt_text){
				      .segment = 3, .from = 4, .to = 7, .may_repeat = 2 });
		begin_cut(&trial, &log, (size_t[]){ 2, 4, 7 }, 3, anchor);
		trial_add(&trial, recs_of(&log, 0, 1), "loose");
		trial_run(&trial);
		if (anchor == 2)
			CHECK(trial.result == IMALOG_MERGE_AMBIGUOUS ||
			      trial.result == IMALOG_MERGE_BROKEN);
		else if (CHECK_RESULT(&trial, IMALOG_MERGE_PROVED))
			CHECK_MEM(built(&trial.out), log.bytes);
		trial_free(&trial);
	}
	parsed_free(&log);
	bytes_free(&stored);
}

TEST(no_piece_is_left_out_for_its_size_alone)
{
	struct bytes stored = log_of("abcd"), foreign = log_of("xy");
	struct parsed log = parse_log(span_of_bytes(stored));
	struct trial trial;

	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 3);
	write_receipt(receipts_path, &log,
		      (struct receipt_text){
			      .segment = 2, .from = 1, .to = 3, .state = "dropped" });
	begin_cut(&trial, &log, (size_t[]){ 3 }, 1, 3);
	trial_add(&trial, span_of_bytes(foreign), "foreign");
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
	CHECK(trial_says(&trial, IMALOG_MERGE_FOREIGN, "foreign"));
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&stored);
	bytes_free(&foreign);
}

TEST(a_dropped_segment_stays_where_no_other_has_its_records)
{
	struct bytes bytes = log_of("abcde");
	struct parsed log = parse_log(span_of_bytes(bytes));

	/* The next one is not there, or has only some of them. */
	for (size_t to = 3; to <= 4; to++) {
		for (size_t anchor = 2; anchor <= 4; anchor += 2) {
			struct trial trial;

			empty_receipts_dir(false);
			receipt_of(&log, 1, 0, 2);
			write_receipt(receipts_path, &log,
				      (struct receipt_text){
					      .segment = 2, .from = 2, .to = 4, .state = "dropped" });
			if (to == 3)
				receipt_of(&log, 3, 2, to);
			trial_init(&trial);
			trial_add(&trial, recs_of(&log, 0, 2), "one");
			trial_add(&trial, recs_of(&log, 2, 4), "dropped");
			if (to == 3)
				trial_add(&trial, recs_of(&log, 2, to), "three");
			imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
			trial_expect(&trial, &log, anchor);
			trial_run(&trial);
			CHECK(trial.result == IMALOG_MERGE_PROVED ||
			      trial.result == IMALOG_MERGE_RECEIPTS);
			CHECK_MEM(built(&trial.out), recs_of(&log, 0, 4));
			CHECK(!trial_says(&trial, IMALOG_MERGE_DOUBLED, "dropped is left out"));
			trial_free(&trial);
		}
	}
	parsed_free(&log);
	bytes_free(&bytes);
}

TEST(an_overlap_behind_the_anchor_is_not_proved)
{
	/* By a receipt that lies, the second V is the first. */
	struct bytes stored = log_of("abVVc"), real = log_of("abVc");
	struct parsed log = parse_log(span_of_bytes(stored));
	struct parsed once = parse_log(span_of_bytes(real));

	for (size_t anchor = 2; anchor <= 4; anchor++) {
		struct trial trial;

		empty_receipts_dir(false);
		receipt_of(&once, 1, 0, 3);
		receipt_of(&once, 2, 2, 4);
		trial_init(&trial);
		trial_add(&trial, recs_of(&log, 0, 3), "one");
		trial_add(&trial, recs_of(&log, 3, 5), "two");
		imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
		trial_expect(&trial, &once, anchor);
		trial_run(&trial);
		CHECK_RESULT(&trial,
			     anchor == 4 ? IMALOG_MERGE_PROVED : IMALOG_MERGE_RECEIPTS);
		CHECK(anchor == 4 ||
		      trial_says(&trial, IMALOG_MERGE_OTHER, "by its receipt alone"));
		trial_free(&trial);
	}
	parsed_free(&log);
	parsed_free(&once);
	bytes_free(&stored);
	bytes_free(&real);
}

TEST(what_is_later_than_all_pieces_is_not_missing)
{
	struct bytes stored = log_of("abcdef");
	struct parsed log = parse_log(span_of_bytes(stored));

	for (size_t anchor = 2; anchor <= 4; anchor += 2) {
		struct trial trial;

		empty_receipts_dir(false);
		for (unsigned int i = 0; i < 3; i++)
			receipt_of(&log, i + 1, 2 * i, 2 * i + 2);
		begin_cut(&trial, &log, (size_t[]){ 2, 4 }, 2, anchor);
		trial_run(&trial);
		CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
		CHECK(trial_says(&trial, IMALOG_MERGE_OTHER,
				 "segment 3, records 5 to 6, which is later"));
		CHECK(!imalog_notes_have(&trial.merge->notes, IMALOG_MERGE_MISSING));
		CHECK(trial_says(&trial, IMALOG_MERGE_OTHER, "only receipts say") ==
		      (anchor == 2));
		trial_free(&trial);
	}
	parsed_free(&log);
	bytes_free(&stored);
}

TEST(a_piece_that_the_anchor_does_not_weigh_is_no_part_of_a_proof)
{
	/* x extends PCR 11, which is not compared: what follows it may be of any log. */
	static const char *const texts[] = { "abcxde", "abcxyz" };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(texts); i++) {
		struct bytes stored = log_of(texts[i]);
		struct parsed log = parse_log(span_of_bytes(stored));

		for (size_t at = 3; at < log.nr; at++)
			if (texts[i][at] >= 'x')
				stored.data[log.recs[at].at] = log.recs[at].pcr = 11;
		for (size_t anchor = 3; anchor <= 6; anchor += 3) {
			bool weighed = i == 0 && anchor == 6;
			struct trial trial;

			trial_init(&trial);
			trial_add(&trial, recs_of(&log, 0, 3), "one");
			trial_add(&trial, recs_of(&log, 3, 6), "two");
			trial_expect(&trial, &log, anchor);
			trial.anchor.extended[11] = false;
			trial_run(&trial);
			CHECK_RESULT(&trial, weighed ? IMALOG_MERGE_PROVED :
						       IMALOG_MERGE_AMBIGUOUS);
			trial_free(&trial);
		}
		parsed_free(&log);
		bytes_free(&stored);
	}
}

static void merge_copy(const char *text, size_t first, const char *copy, size_t anchor,
		       bool receipts, enum imalog_merge_result should)
{
	struct bytes stored = log_of(text), other = log_of(copy);
	struct parsed log = parse_log(span_of_bytes(stored));
	struct trial trial;

	test_note("%s, %s at %zu, receipts %d", text, copy, anchor, receipts);
	empty_receipts_dir(false);
	if (receipts) {
		receipt_of(&log, 1, 0, first);
		receipt_of(&log, 2, first, log.nr);
	}
	begin_cut(&trial, &log, (size_t[]){ first, log.nr }, 2, anchor);
	trial_add(&trial, span_of_bytes(other), "copy");
	trial_run(&trial);
	CHECK_RESULT(&trial, should);
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&stored);
	bytes_free(&other);
}

TEST(equal_bytes_make_a_copy_only_where_they_cannot_come_again)
{
	for (int receipts = 0; receipts < 2; receipts++) {
		merge_copy("abcde", 2, "ab", 5, receipts, IMALOG_MERGE_PROVED);
		/* B is a boot_aggregate: a kexec may have followed. */
		merge_copy("Bbcde", 1, "B", 5, receipts, IMALOG_MERGE_AMBIGUOUS);
		/* The log goes on behind the anchor: so it may with the copy. */
		merge_copy("abcde", 2, "ab", 4, receipts, IMALOG_MERGE_AMBIGUOUS);
	}
	/* What is there twice may come a third time. */
	merge_copy("aabcde", 2, "a", 6, false, IMALOG_MERGE_AMBIGUOUS);
	merge_copy("abacde", 4, "a", 6, false, IMALOG_MERGE_AMBIGUOUS);
}

TEST(a_changed_copy_of_what_others_have_is_named)
{
	struct bytes stored = log_of("abcdef"), changed = log_of("cdef");
	struct parsed log = parse_log(span_of_bytes(stored));

	for (size_t to = 2; to <= 4; to += 2) {
		for (int receipts = 0; receipts < 2; receipts++) {
			struct parsed copy;
			struct trial trial;

			changed.data[5] ^= 1; /* in the recorded digest */
			copy = parse_log(span_of_bytes(changed));
			empty_receipts_dir(false);
			if (receipts)
				receipt_of(&log, 1, 0, 4);
			begin_cut(&trial, &log, (size_t[]){ 4 }, 1, to + 2);
			trial_add(&trial, recs_of(&copy, 0, to), "changed");
			trial_run(&trial);
			CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
			CHECK(trial_says(&trial, IMALOG_MERGE_EDITED, "changed, record"));
			CHECK_INT(count_kind(&trial, IMALOG_MERGE_EDITED), 1);
			trial_free(&trial);
			parsed_free(&copy);
			changed.data[5] ^= 1;
		}
	}
	parsed_free(&log);
	bytes_free(&stored);
	bytes_free(&changed);
}

TEST(a_twin_that_is_needed_comes_back_beside_other_pieces)
{
	/* The second "ab" has the bytes of the first, and nothing else has the "x" behind. */
	struct bytes stored = log_of("abcdabx");
	struct parsed log = parse_log(span_of_bytes(stored));
	struct trial trial;

	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 2);
	receipt_of(&log, 2, 2, 4);
	begin_cut(&trial, &log, (size_t[]){ 2, 4, 6, 7 }, 4, 7);
	trial_run(&trial);
	if (CHECK_RESULT(&trial, IMALOG_MERGE_PROVED))
		CHECK_MEM(built(&trial.out), log.bytes);
	trial_free(&trial);
	parsed_free(&log);
	bytes_free(&stored);
}

TEST(a_piece_of_a_receipts_size_may_be_the_one_that_no_receipt_has)
{
	/* The receipt of "cde" is taken for that of "xye", and leaves a gap that is none. */
	struct bytes stored = log_of("abxyef"), other = log_of("xycdef");
	struct parsed log = parse_log(span_of_bytes(stored));
	struct parsed lie = parse_log(span_of_bytes(other));
	struct trial trial;

	empty_receipts_dir(false);
	receipt_of(&log, 1, 0, 2);
	write_receipt(receipts_path, &lie,
		      (struct receipt_text){ .segment = 2, .from = 2, .to = 5, .shift = 9 });
	begin_cut(&trial, &log, (size_t[]){ 2, 5 }, 2, 5);
	trial_run(&trial);
	if (CHECK_RESULT(&trial, IMALOG_MERGE_PROVED))
		CHECK_MEM(built(&trial.out), recs_of(&log, 0, 5));
	trial_free(&trial);
	parsed_free(&log);
	parsed_free(&lie);
	bytes_free(&stored);
	bytes_free(&other);
}

int main(int argc, char **argv)
{
	static const struct test_case tests[] = {
		CASE(a_doubt_of_the_store_stays_one_beside_a_loose_piece),
		CASE(no_piece_is_left_out_for_its_size_alone),
		CASE(a_dropped_segment_stays_where_no_other_has_its_records),
		CASE(an_overlap_behind_the_anchor_is_not_proved),
		CASE(what_is_later_than_all_pieces_is_not_missing),
		CASE(a_piece_that_the_anchor_does_not_weigh_is_no_part_of_a_proof),
		CASE(equal_bytes_make_a_copy_only_where_they_cannot_come_again),
		CASE(a_changed_copy_of_what_others_have_is_named),
		CASE(a_twin_that_is_needed_comes_back_beside_other_pieces),
		CASE(a_piece_of_a_receipts_size_may_be_the_one_that_no_receipt_has),
	};
	int rc;

	make_receipts_dir();
	rc = test_all(tests, IMALOG_ARRAY_SIZE(tests), argc, argv);
	empty_receipts_dir(true);
	return rc;
}
