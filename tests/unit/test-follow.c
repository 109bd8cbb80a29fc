// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/follow*.c: what is once in a log that is followed was measured, in this order, and stays
 * at its offset, whatever is exported, trimmed, killed or in doubt
 *
 * The oracle is what was really measured: what is known is always the beginning of that.
 */
#include "following.h"

/* ---- while nothing goes wrong ---- */

TEST(exports_and_more_records)
{
	struct follow follow;

	machine_new();
	follow = follow_new();
	for (int i = 0; i < 8; i++) {
		measure_all(i % 2 ? "V" : "aVV");
		check_all_known(&follow);
		CHECK_INT(follow.rc, 1);
		check_all_known(&follow);
		CHECK_INT(follow.rc, 0);
		if (i % 3 == 0)
			export_all();
		else if (i % 3 == 1)
			do_stage();
		check_all_known(&follow);
	}
	CHECK_INT(imalog_follower_log(follow.follower), 1);
	CHECK_INT(imalog_follower_epoch(follow.follower), 1);
	follow_free(&follow);
}

/* Lists that are the same as the one before, taken in all ways between two looks */
TEST(the_same_list_again_and_again)
{
	struct follow follow;

	machine_new();
	CHECK_EXPORT(1);
	follow = follow_new();
	for (int i = 0; i < 12; i++) {
		struct run run = run_new();

		measure_all("VV");
		if (i % 2)
			check_all_known(&follow);
		if (i % 4 == 3)
			CHECK(imalog_export_trim(run.export, 1, run.error) >= 1);
		else
			CHECK(imalog_export_run(run.export, run.error) >= 1);
		run_free(&run);
		measure_all(i % 3 ? "VV" : "");
		check_all_known(&follow);
	}
	follow_free(&follow);
}

TEST(pieces_of_every_size)
{
	static const size_t steps[] = { 1, 2, 3, 7, 91, 4096 };
	struct follow follow;
	struct bytes whole, text;
	uint64_t size;

	machine_new();
	follow = follow_new();
	measure_all("aVVb");
	CHECK_EXPORT(1);
	measure_all("cV");
	do_stage();
	measure_all("d");
	check_all_known(&follow);
	whole = known_bytes(&follow, &ascii, 4096);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(steps); i++) {
		text = known_bytes(&follow, &ascii, steps[i]);
		CHECK_MEM(span_of_bytes(text), span_of_bytes(whole));
		bytes_free(&text);
	}
	/* From any place to any other, in any order */
	for (size_t at = whole.size; at-- > 0;) {
		uint8_t part[64];
		size_t got = 0, left = whole.size - at;

		CHECK_INT(imalog_follower_read(follow.follower, &ascii, at, part,
					       at % sizeof(part) + 1, &got, NULL),
			  0);
		CHECK_INT(got, left < at % sizeof(part) + 1 ? left : at % sizeof(part) + 1);
		CHECK_MEM(span_of(part, got), span_of(whole.data + at, got));
	}
	CHECK_INT(imalog_follower_size(follow.follower, &ascii, &size, NULL), 0);
	CHECK_INT(size, whole.size);
	bytes_free(&whole);
	follow_free(&follow);
}

/* ---- receipts ---- */

static void change_receipt(uint64_t segment, void (*change)(struct imalog_receipt *receipt))
{
	struct imalog_receipt *receipt;
	uint8_t self[IMALOG_SHA256_SIZE];
	char path[300];
	int dir;

	snprintf(path, sizeof(path), "%s/epoch-000001/receipts", store_path);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	if (imalog_receipt_read(dir, segment, &receipt, NULL, NULL) < 0)
		BAIL_OUT("no receipt");
	change(receipt);
	CHECK_INT(imalog_receipt_write(receipt, dir, self, NULL), 0);
	imalog_receipt_free(&receipt);
	close(dir);
}

static void more_text(struct imalog_receipt *receipt)
{
	receipt->ascii_bytes++;
}

static void no_text(struct imalog_receipt *receipt)
{
	receipt->has_ascii_bytes = false;
}

static void other_size(struct imalog_receipt *receipt)
{
	receipt->bytes++;
	receipt->records = 77;
}

static void three_segments(void)
{
	machine_new();
	for (int i = 0; i < 3; i++) {
		measure_all("aVb");
		CHECK_EXPORT(1);
	}
	measure_all("c");
}

TEST(receipts_that_are_wrong_are_noticed)
{
	struct follow follow;
	uint8_t part[4096];
	size_t got = 1;
	uint64_t at = 0;
	int rc;

	three_segments();
	change_receipt(1, more_text);
	follow = follow_new();
	check_all_known(&follow);
	do {
		rc = imalog_follower_read(follow.follower, &ascii, at, part, sizeof(part), &got,
					  follow.error);
		at += rc == 0 ? got : 0;
	} while (rc == 0 && got);
	CHECK_INT(rc, -IMALOG_ERR_INVALID);
	follow_free(&follow);

	/* Of another file: then the records are counted. */
	three_segments();
	change_receipt(2, other_size);
	follow = follow_new();
	check_all_known(&follow);
	follow_free(&follow);
}

TEST(text_that_is_not_known)
{
	struct follow follow;
	uint64_t size;

	three_segments();
	change_receipt(2, no_text);
	follow = follow_new();
	check_all_known(&follow);
	CHECK_INT(imalog_follower_size(follow.follower, &ascii, &size, NULL),
		  -IMALOG_ERR_UNSUPPORTED);
	CHECK_INT(imalog_follower_size(follow.follower, &binary, &size, NULL), 0);
	follow_free(&follow);
}

/* ---- doubt ---- */

static void deleting(struct imalog_receipt *receipt)
{
	receipt->state = IMALOG_RECEIPT_DELETING;
}

/* An export that nobody can say of whether D was carried out */
static void interrupted_export(bool deletes)
{
	struct run run;

	kernel->discard_errno = EIO;
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	run_free(&run);
	if (deletes)
		do_delete();
	change_receipt(2, deleting);
}

/* Once without a TPM, which comes back at the end: before and behind an export */
static void doubt(bool deletes, bool exports)
{
	struct follow follow, late;

	test_note("D %s, export %d", deletes ? "done" : "not done", exports);
	machine_new();
	measure_all("V");
	CHECK_EXPORT(1);
	measure_all("VV");
	follow = follow_new();
	check_all_known(&follow);
	kernel->has_tpm = false;
	interrupted_export(deletes);
	if (deletes) {
		measure_all("VV");
		do_stage();
	}
	check_look(&follow);
	measure_all("VVa");
	check_look(&follow);
	late = follow_new();
	check_look(&late);
	CHECK(imalog_follower_is_doubtful(late.follower));
	/* Pending, and its bytes again */
	CHECK_INT(late.size, kernel->at[4]);
	if (exports) {
		export_all();
		check_look(&follow);
		check_look(&late);
		measure_all("VV");
		check_look(&late);
		CHECK(imalog_follower_is_doubtful(late.follower));
	}
	kernel->has_tpm = true;
	check_all_known(&late);
	check_all_known(&follow);
	/* What was decided stays, when the TPM can no longer be asked. */
	kernel->tpm_fails = true;
	measure_all("V");
	check_look(&late);
	kernel->tpm_fails = false;
	check_all_known(&late);
	follow_free(&late);
	follow_free(&follow);
}

TEST(doubt_ends_the_log)
{
	doubt(false, false);
	doubt(true, false);
	doubt(false, true);
	doubt(true, true);
}

/* ---- killed ---- */

static const char *const lists[] = { "VV", "aVVb", "V" };

static int export_quietly(void)
{
	struct run run = run_export();
	int rc = run.rc;

	run_free(&run);
	return rc < 0 ? 1 : 0;
}

/* Killed at every system call, seen before and after, and once more exported */
static void sweep(const char *list, bool tpm, int step)
{
	for (int at = 0; at < STOPS_MAX; at += step) {
		struct follow follow, late;
		bool ok;
		int rc;

		test_note("'%s' %s a TPM, killed at %d", list, tpm ? "with" : "without", at);
		machine_new();
		measure_all(list);
		CHECK_EXPORT(1);
		measure_all(list);
		kernel->has_tpm = tpm;
		follow = follow_new();
		check_look(&follow);
		rc = trace(export_quietly, TRACE_KILL, at, 0);
		kernel->held = false;
		if (rc == -3)
			SKIP("processes cannot be traced here");
		ok = check_look(&follow);
		measure_all(list);
		late = follow_new();
		ok = ok && check_look(&late) && check_look(&follow);
		if (tpm)
			ok = ok && CHECK(follow.rc >= 0 && late.rc >= 0);
		recover(tpm);
		ok = ok && check_look(&late) && check_look(&follow);
		measure_all(list);
		kernel->has_tpm = true;
		ok = ok && check_look(&late) && check_look(&follow);
		if (tpm)
			ok = ok && check_all_known(&late) && check_all_known(&follow);
		follow_free(&late);
		follow_free(&follow);
		if (!ok || rc == -2)
			return;
	}
}

TEST(exports_that_are_killed)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(lists); i++)
		sweep(lists[i], true, (int)test_step(3));
}

TEST(exports_that_are_killed_without_a_tpm)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(lists); i++)
		sweep(lists[i], false, (int)test_step(5));
}

TEST_MAIN(CASE(exports_and_more_records), CASE(the_same_list_again_and_again),
	  CASE(pieces_of_every_size), CASE(receipts_that_are_wrong_are_noticed),
	  CASE(text_that_is_not_known), CASE(doubt_ends_the_log), CASE(exports_that_are_killed),
	  CASE(exports_that_are_killed_without_a_tpm))
