// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/export-trim.c, and lib/export*.c where the first records of the list are taken instead
 * of what is staged: exactly those leave the kernel, and only when they are saved.
 */
#include "trim.h"

/* Trims, which must be refused: nothing is deleted, and no segment is there. */
static void check_refused(uint64_t records, int os_errno, const char *why)
{
	size_t before = kernel->nr_current;
	bool had_store = store_has("");
	struct run run = run_trim(records);

	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(run.error), os_errno);
	if (!CHECK(strstr(imalog_error_detail(run.error), why)))
		run_show(&run);
	CHECK_INT(kernel->nr_current, before);
	CHECK(!store_has("epoch-000001/pending.00000001"));
	CHECK_INT(store_has(""), had_store);
	run_free(&run);
}

/* ---- so many ---- */

TEST(exactly_the_first_records)
{
	machine_new();
	measure_all("VVaV");
	CHECK_TRIM(3, 1);
	CHECK_INT(kernel->nr_current, 2);
	check_whole(1);
	CHECK(store_has("epoch-000001/log.00000001"));
	CHECK_TRIM(1, 1);
	CHECK_INT(kernel->nr_current, 1);
	CHECK_TRIM(1, 1);
	CHECK_INT(kernel->nr_current, 0);
	check_whole(1);
	check_epoch(1);
	measure('V');
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

TEST(more_than_there_are)
{
	machine_new();
	measure_all("VV");
	check_refused(4, ENOENT, "the list has 3 records, fewer than the 4");
	check_refused(UINT64_MAX, ENOENT, "fewer than");
	CHECK_TRIM(3, 1);
	CHECK_INT(kernel->nr_current, 0);
	check_whole(1);
	check_epoch(1);
	CHECK_INT(kernel->nr_staged, 0);
}

TEST(no_records_are_none)
{
	struct run run;

	machine_new();
	run = run_trim(0);
	CHECK_INT(run.rc, -IMALOG_ERR_INVALID);
	run_free(&run);
	CHECK(!store_has(""));
}

TEST(not_before_what_is_staged)
{
	machine_new();
	measure_all("VV");
	do_stage();
	measure_all("VV");
	check_refused(1, EEXIST, "records are staged");
	CHECK_INT(kernel->nr_staged, 3);
	CHECK_EXPORT(2);
	measure_all("VV");
	CHECK_TRIM(1, 1);
	check_whole(1);
}

static void stage_it(void)
{
	do_stage();
	measure_all("VV");
	kernel->before_open = NULL;
}

TEST(somebody_stages_right_before)
{
	struct run run;

	machine_new();
	measure_all("VV");
	kernel->before_open = stage_it;
	run = run_trim(1);
	CHECK_INT(imalog_error_os_errno(run.error), EEXIST);
	run_free(&run);
	CHECK_INT(kernel->nr_staged, 3);
	CHECK_EXPORT(2);
	check_whole(1);
	check_epoch(1);
}

TEST(a_kernel_that_does_not)
{
	machine_new();
	measure_all("VV");
	kernel->flush_htable = true;
	check_refused(1, EINVAL, "ima_flush_htable");
	CHECK(!store_has(""));
}

/* ---- up to a record ---- */

TEST(up_to_a_record_of_the_epoch)
{
	machine_new();
	measure_all("VVaV");
	CHECK_INT(trim_to(2), 1);
	CHECK_INT(kernel->nr_current, 3);
	CHECK_INT(trim_to(2), 0);
	CHECK_INT(trim_to(1), 0);
	CHECK_INT(kernel->nr_current, 3);
	CHECK_INT(trim_to(4), 1);
	CHECK_INT(kernel->nr_current, 1);
	CHECK_INT(trim_to(6), -IMALOG_ERR_OS);
	CHECK_INT(trim_to(5), 1);
	CHECK_INT(trim_to(5), 0);
	check_whole(1);
	check_epoch(1);
}

TEST(up_to_what_a_replay_finds)
{
	struct seen seen = { .to = 2 };

	machine_new();
	measure_all("VVaV");
	CHECK_INT(trim_replayed(&seen), 1);
	CHECK_INT(seen.records, 5);
	CHECK_INT(kernel->nr_current, 3);
	seen.to = 4;
	CHECK_INT(trim_replayed(&seen), 1);
	CHECK_INT(seen.records, 5);
	CHECK_INT(kernel->nr_current, 1);
	seen.to = 0;
	CHECK_INT(trim_replayed(&seen), 0);
	seen.rc = -1;
	CHECK_INT(trim_replayed(&seen), -IMALOG_ERR_INVALID);
	CHECK_INT(kernel->nr_current, 1);
	/* What was read is what is deleted, whatever comes meanwhile. */
	seen = (struct seen){ .to = 5 };
	CHECK_INT(trim_replayed(&seen), 1);
	seen.to = 6;
	CHECK_INT(trim_replayed(&seen), -IMALOG_ERR_OS);
	check_whole(1);
	check_epoch(1);
}

/* ---- slices ---- */

static struct run run_slices(uint64_t records)
{
	struct run run = run_new();

	imalog_export_set_slice(run.export, records);
	run.rc = imalog_export_run(run.export, run.error);
	return run;
}

static void check_slices(uint64_t slice, int segments)
{
	struct run run = run_slices(slice);

	if (!CHECK_INT(run.rc, segments) || !CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0))
		run_show(&run);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_UNCHECKED), 0);
	run_free(&run);
	CHECK_INT(kernel->nr_current + kernel->nr_staged, 0);
	check_whole(1);
	check_epoch(1);
}

TEST(a_long_list_in_slices)
{
	machine_new();
	measure_all("VVVVVVVVV");
	check_slices(3, 4); /* 3, 3, 3, and the last one is staged */
	measure_all("VVVV");
	check_slices(3, 2);
	measure_all("VVV");
	check_slices(3, 1);
	measure_all("VVVV");
	check_slices(0, 1);
	for (int i = 0; i < 50; i++)
		measure(0);
	check_slices(1, 50); /* more than the rounds that others can cause */
}

TEST(slices_behind_what_is_staged)
{
	machine_new();
	measure_all("VV");
	do_stage();
	measure_all("VVVVV");
	check_slices(2, 4);
}

TEST(no_slices_with_ima_flush_htable)
{
	machine_new();
	kernel->flush_htable = true;
	measure_all("VVVVV");
	check_slices(2, 1);
}

TEST(a_kernel_that_cannot_stage)
{
	struct run run;

	machine_new();
	kernel->cannot_stage = true;
	measure_all("VVVVV");
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
	CHECK_EXPORT(0);
	measure_all("VVVVV");
	check_slices(2, 3);
	measure_all("VVVV");
	check_slices(2, 2);
	measure_all("VVVV");
	check_slices(0, 1);
	do_kexec(true);
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
	do_cold_boot();
	CHECK_EXPORT(1);
	check_whole(2);
	kernel->flush_htable = true;
	measure('V');
	run = run_slices(2);
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	run_free(&run);
}

static void more_records(void)
{
	measure_all("V");
}

TEST(records_that_come_meanwhile)
{
	for (int stages = 0; stages < 2; stages++) {
		machine_new();
		kernel->cannot_stage = !stages;
		measure_all("VVVVV");
		kernel->after_stage = kernel->before_open = more_records;
		CHECK_TRIM(2, 1);
		/* One before it was open, one when its head, and one when all was looked at */
		CHECK_INT(kernel->nr_current, 6 + 3 - 2);
		check_whole(1);
		kernel->after_stage = kernel->before_open = NULL;
		check_slices(2, 4);
	}
}

/* A record that never reached the TPM shows with the last slice, and deletes all the same. */
TEST(what_does_not_fit)
{
	struct run run;

	for (int stages = 0; stages < 2; stages++) {
		machine_new();
		kernel->cannot_stage = !stages;
		CHECK_EXPORT(1);
		measure_all("VVVV");
		measure_as('a', false);
		measure_all("VVV");
		run = run_slices(2);
		CHECK_INT(run.rc, 4);
		CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 1);
		run_free(&run);
		CHECK_INT(kernel->nr_current, 0);
		check_whole(1);
	}
}

/* ---- N does not say yes ---- */

TEST(a_machine_that_goes_down)
{
	struct run run;

	for (int carries = 0; carries < 2; carries++) {
		machine_new();
		measure_all(carries ? "VVVV" : "V");
		CHECK_TRIM(1, 1);
		kernel->suspended = true;
		run = run_trim(1);
		CHECK_INT(run.rc, -IMALOG_ERR_OS);
		CHECK_INT(imalog_error_os_errno(run.error), ESTALE);
		CHECK(run_said(&run, "stays pending"));
		run_free(&run);
		CHECK_INT(kernel->nr_current, carries ? 4 : 1);
		do_kexec(carries);
		/* V was to be deleted, and is; or is gone, and then it is the next one */
		CHECK_TRIM(1, carries ? 1 : 2);
		CHECK_INT(kernel->nr_current, carries ? 4 : 0);
		check_whole(1);
		CHECK_INT(store_has("epoch-000001/dropped.00000002"), carries);
		CHECK_EXPORT(carries);
		check_whole(1);
		check_epoch(1);
	}
}

/* Refused for good: the store does not grow with every attempt. */
TEST(a_kernel_that_refuses)
{
	struct run run;

	machine_new();
	measure_all("VVVV");
	for (int i = 0; i < 3; i++) {
		kernel->discard_errno = EINVAL;
		run = run_trim(2);
		CHECK_INT(run.rc, -IMALOG_ERR_OS);
		CHECK(strstr(imalog_error_detail(run.error), "cannot delete") ||
		      strstr(imalog_error_detail(run.error), "does not delete"));
		run_free(&run);
		CHECK_INT(kernel->nr_current, 5);
		CHECK(store_has("epoch-000001/pending.00000001"));
		CHECK(!store_has("epoch-000001/pending.00000002"));
	}
	CHECK_EXPORT(2);
	check_whole(1);
	check_epoch(1);
}

TEST_MAIN(CASE(exactly_the_first_records), CASE(more_than_there_are),
	  CASE(no_records_are_none), CASE(not_before_what_is_staged),
	  CASE(somebody_stages_right_before), CASE(a_kernel_that_does_not),
	  CASE(up_to_a_record_of_the_epoch), CASE(up_to_what_a_replay_finds),
	  CASE(a_long_list_in_slices), CASE(slices_behind_what_is_staged),
	  CASE(no_slices_with_ima_flush_htable), CASE(a_kernel_that_cannot_stage),
	  CASE(records_that_come_meanwhile), CASE(what_does_not_fit),
	  CASE(a_machine_that_goes_down), CASE(a_kernel_that_refuses))
