// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/export-trim.c, when an earlier run has saved what may have left the list or not: never more
 * is deleted than is asked for.
 */
#include "trim.h"

/* A list that was exported once, and what came then */
static void export_and_measure(const char *records)
{
	machine_new();
	measure_all("VV");
	CHECK_EXPORT(1);
	measure_all(records);
}

TEST(deleted_or_not)
{
	struct run run;

	for (int done = 0; done < 2; done++) {
		machine_new();
		measure_all("VVVVV");
		CHECK_TRIM(1, 1);
		fail_trim(2, done);
		CHECK_INT(kernel->nr_current, done ? 3 : 5);
		/* One of the list as it is now; but two are saved that are there still */
		if (!done) {
			run = run_trim(1);
			CHECK_INT(run.rc, -IMALOG_ERR_INVALID);
			CHECK(strstr(imalog_error_detail(run.error),
				     "has saved the first 2 records of the list, more than"));
			run_free(&run);
			CHECK_INT(kernel->nr_current, 5);
		}
		CHECK_TRIM(done ? 1 : 2, done ? 2 : 1);
		CHECK_INT(kernel->nr_current, done ? 2 : 3);
		check_whole(1);
		CHECK_EXPORT(1);
		check_whole(1);
		check_epoch(1);
	}
}

TEST(doubt_without_a_tpm)
{
	struct run run;

	machine_new();
	kernel->has_tpm = false;
	measure_all("VVVVV");
	run = run_trim(1);
	run_free(&run);
	fail_trim(2, true);
	/* Which records of the epoch the list has is not known, */
	CHECK_INT(trim_to(4), -IMALOG_ERR_INVALID);
	run = run_trim(1);
	CHECK_INT(run.rc, -IMALOG_ERR_INVALID);
	CHECK(strstr(imalog_error_detail(run.error), "nothing tells whether"));
	run_free(&run);
	CHECK_INT(kernel->nr_current, 3);
	/* but which are the first of it: what is not proved to be gone is saved once more. */
	run = run_trim(2);
	CHECK_INT(run.rc, 2);
	CHECK(run_said(&run, "both are kept"));
	CHECK_INT(imalog_receipt_may_repeat(imalog_export_receipt(run.export, 1, NULL)), 2);
	run_free(&run);
	CHECK_INT(kernel->nr_current, 1);
	check_whole(1);
}

/* What an interrupted one has saved is part of what is asked for, and not more. */
TEST(no_more_than_is_asked_for)
{
	struct seen seen = { .to = 6 };

	for (int how = 0; how < 3; how++) {
		machine_new();
		measure_all("VVVVVVV");
		CHECK_TRIM(1, 1);
		fail_trim(2, false);
		CHECK_INT(kernel->nr_current, 7);
		if (how == 0)
			CHECK_TRIM(5, 1);
		else
			CHECK_INT(how == 1 ? trim_to(6) : trim_replayed(&seen), 1);
		CHECK_INT(kernel->nr_current, 2);
		CHECK(store_has("epoch-000001/dropped.00000002"));
		check_whole(1);
		check_epoch(1);
	}
}

/* A replay that proves less than what an interrupted one has saved */
TEST(less_than_was_saved)
{
	struct seen seen = { .to = 2 };

	machine_new();
	measure_all("VVVVVVV");
	CHECK_TRIM(1, 1);
	fail_trim(4, false);
	CHECK_INT(trim_replayed(&seen), -IMALOG_ERR_INVALID);
	seen.rc = -1;
	CHECK_INT(trim_replayed(&seen), -IMALOG_ERR_INVALID);
	CHECK_INT(seen.records, 8);
	CHECK_INT(kernel->nr_current, 7);
	seen = (struct seen){ .to = 0 };
	CHECK_INT(trim_replayed(&seen), 0);
	CHECK_INT(kernel->nr_current, 7);
	seen.to = 5;
	CHECK_INT(trim_replayed(&seen), 1);
	CHECK_INT(kernel->nr_current, 3);
	check_whole(1);
	check_epoch(1);
}

/* ---- two actors ---- */

/* A saved segment, and somebody else deletes its records; what follows has its bytes. */
TEST(somebody_else_deletes_what_is_saved)
{
	export_and_measure("VVVV");
	fail_trim(2, false);
	do_trim(2);
	measure_all("VV");
	CHECK_TRIM(1, 2);
	CHECK_INT(kernel->nr_current, 3);
	check_whole(1);
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

static void repeat(void)
{
	kernel->before_open = NULL;
	do_trim(3);
	measure_all("VVV");
}

/* Whoever deletes what is saved between proof and hold does not make others lose records. */
TEST(somebody_else_is_quicker)
{
	struct run run;

	export_and_measure("VVVV");
	fail_trim(3, false);
	kernel->before_open = repeat;
	run = run_trim(3);
	/* It was there when that was proved, and is deleted now by him and by us. */
	CHECK_INT(run.rc, 2);
	run_free(&run);
	CHECK_INT(kernel->nr_current, 1);
	check_whole(1);
	check_epoch(1);
}

/* A proof that the records are there is of before the hold: meanwhile others can delete them. */
TEST(somebody_else_is_quicker_than_a_proof)
{
	struct seen seen = { .to = 6 };

	for (int replays = 0; replays < 2; replays++) {
		export_and_measure("VVVV");
		fail_trim(3, false);
		kernel->before_open = repeat;
		CHECK_INT(replays ? trim_replayed(&seen) : trim_to(6), -IMALOG_ERR_INVALID);
		CHECK_INT(kernel->nr_current, 4);
		/* All up to there is gone. */
		CHECK_INT(replays ? trim_replayed(&seen) : trim_to(6), 1);
		CHECK_INT(kernel->nr_current, 4);
		check_whole(1);
		check_epoch(1);
	}
}

/* Of two segments in doubt the first may have the records that are asked for. */
TEST(two_in_doubt)
{
	struct seen seen = { .to = 3 };

	for (int replays = 0; replays < 2; replays++) {
		struct run run;

		machine_new();
		kernel->has_tpm = false;
		measure_all("VVVVV");
		run = run_trim(1);
		run_free(&run);
		fail_trim(2, true);
		kernel->discard_errno = ENOENT;
		run = run_trim(2);
		CHECK_INT(run.rc, -IMALOG_ERR_OS);
		run_free(&run);
		CHECK_INT(kernel->nr_current, 3);
		CHECK_INT(replays ? trim_replayed(&seen) : trim_to(3), 1);
		CHECK_INT(kernel->nr_current, 3);
		check_whole(1);
	}
}

/* A trim begins when nothing is staged: then what was staged is known to be gone. */
TEST(somebody_else_deletes_what_was_staged)
{
	struct seen seen = { .to = 6 };
	struct run run;

	export_and_measure("VV");
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	run_free(&run);
	do_delete();
	measure_all("VV");
	CHECK_INT(trim_replayed(&seen), 2);
	CHECK_INT(kernel->nr_current, 1);
	check_whole(1);
	check_epoch(1);
}

static void stage_and_delete_later(void)
{
	do_stage();
	measure_all("VV");
}

TEST(somebody_else_stages_what_is_saved)
{
	struct run run;

	for (int done = 0; done < 2; done++) {
		export_and_measure("VVVV");
		fail_trim(2, done);
		stage_and_delete_later();
		run = run_new();
		run.rc = imalog_export_save(run.export, run.error);
		/* What the kernel has deleted is committed, and what is staged is saved. */
		CHECK_INT(run.rc, done ? 2 : 1);
		run_free(&run);
		run = run_export();
		CHECK(run.rc >= 1);
		CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
		run_free(&run);
		check_whole(1);
		check_epoch(1);
	}
}

/*
 * What was staged before the TPM was read can be older than its values: that they are the same
 * now does not say that nobody has deleted it and staged the rest of the list.
 */
TEST(somebody_else_stages_what_was_there_already)
{
	struct run run;

	export_and_measure("VV");
	do_stage();
	measure_all("VV");
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	do_delete();
	do_stage();
	CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 2);
	run_free(&run);
	CHECK_INT(kernel->nr_staged, 0);
	check_whole(1);
	check_epoch(1);
}

TEST_MAIN(CASE(deleted_or_not), CASE(doubt_without_a_tpm), CASE(no_more_than_is_asked_for),
	  CASE(less_than_was_saved), CASE(somebody_else_deletes_what_is_saved),
	  CASE(somebody_else_is_quicker), CASE(somebody_else_is_quicker_than_a_proof),
	  CASE(two_in_doubt), CASE(somebody_else_deletes_what_was_staged),
	  CASE(somebody_else_stages_what_is_saved),
	  CASE(somebody_else_stages_what_was_there_already))
