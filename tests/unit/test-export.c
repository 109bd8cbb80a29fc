// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/export*.c: records leave the kernel and come to the store, whatever happened before. */
#include "machine.h"

/* ---- nothing special ---- */

TEST(exports_what_there_is)
{
	machine_new();
	measure_all("aVVc");
	CHECK_EXPORT(1);
	CHECK_INT(kernel->reads, 1);
	check_whole(1);
	CHECK_INT(kernel->nr_current + kernel->nr_staged, 0);
	CHECK(store_has("epoch-000001/log.00000001"));
	CHECK(store_has("epoch-000001/receipts/00000001.json"));
	CHECK(!store_has("epoch-000001/pending.00000001"));
	measure_all("VVd");
	CHECK_EXPORT(1);
	measure_all("V");
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

TEST(nothing_to_do_does_nothing)
{
	machine_new();
	kernel->nr_current = 0;
	CHECK_EXPORT(0);
	CHECK(!store_has("")); /* no store is made for nothing */
	kernel->nr_current = 1;
	CHECK_EXPORT(1);
	CHECK_EXPORT(0);
	CHECK_INT(kernel->reads, 1);
}

TEST(what_is_staged_already_comes_first)
{
	machine_new();
	measure_all("aV");
	do_stage();
	measure_all("aV");
	CHECK_EXPORT(2);
	check_whole(1);
	check_epoch(1);
	CHECK_INT(kernel->nr_current, 0);
}

TEST(what_was_staged_before_leads_nowhere_alone)
{
	struct run run;

	machine_new();
	do_stage();
	measure_as('a', true);
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_INFO), run.export->nr_notes);
	CHECK_INT(imalog_receipt_verdict(imalog_export_receipt(run.export, 0, NULL), NULL),
		  IMALOG_NOT_CHECKED);
	run_free(&run);
	CHECK_EXPORT(2);
	check_epoch(1);
	/* But in the end there must be a match. */
	measure_as('c', false);
	measure_as('d', true);
	do_stage();
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 1);
	run_free(&run);
}

static void more_records(void)
{
	measure('m');
}

TEST(records_that_arrive_meanwhile)
{
	machine_new();
	kernel->after_stage = more_records;
	kernel->before_open = more_records;
	CHECK_EXPORT(1);
	CHECK_INT(kernel->nr_current, 1);
	check_whole(1);
	kernel->after_stage = kernel->before_open = NULL;
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

TEST(thresholds)
{
	struct run run;

	machine_new();
	measure_all("abc");
	run = run_new();
	imalog_export_set_thresholds(run.export, 5, 0, 0);
	CHECK_INT(imalog_export_run(run.export, run.error), 0);
	imalog_export_set_thresholds(run.export, 5, 10000, 0);
	CHECK_INT(imalog_export_run(run.export, run.error), 0);
	imalog_export_set_thresholds(run.export, 5, 100, 0);
	CHECK_INT(imalog_export_run(run.export, run.error), 1);
	measure('a');
	imalog_export_set_thresholds(run.export, 5, 0, 1000);
	CHECK_INT(imalog_export_run(run.export, run.error), 0);
	imalog_export_set_thresholds(run.export, 1, 0, 1000);
	CHECK_INT(imalog_export_run(run.export, run.error), 1);
	/* What is staged is always taken care of. */
	measure('a');
	do_stage();
	imalog_export_set_thresholds(run.export, 50, 0, 0);
	CHECK_INT(imalog_export_run(run.export, run.error), 1);
	check_whole(1);
	run_free(&run);
}

/* ---- steps ---- */

TEST(save_and_confirm)
{
	struct run run;

	machine_new();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 0); /* nothing is staged */
	do_stage();
	CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), -IMALOG_ERR_INVALID);
	CHECK_INT(kernel->nr_staged, 1);
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	CHECK_INT(imalog_receipt_state(imalog_export_receipt(run.export, 0, NULL)),
		  IMALOG_RECEIPT_SAVED);
	CHECK_INT(kernel->nr_staged, 1);
	CHECK(store_has("epoch-000001/pending.00000001"));
	CHECK_INT(imalog_export_save(run.export, run.error), 1); /* it is saved */
	CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 1);
	CHECK_INT(kernel->nr_staged, 0);
	CHECK(store_has("epoch-000001/log.00000001"));
	CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 0);
	measure('a');
	do_stage();
	CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), -IMALOG_ERR_INVALID);
	run_free(&run);
	check_whole(1);
	CHECK_EXPORT(1);
	check_epoch(1);
}

TEST(an_export_goes_on_with_what_is_saved)
{
	struct run run;

	machine_new();
	measure('V');
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	run_free(&run);
	measure('a');
	CHECK_EXPORT(2);
	check_whole(1);
	check_epoch(1);
}

TEST(confirming_a_file)
{
	struct run run;
	struct bytes bytes;
	char path[300];
	FILE *file;

	machine_new();
	measure_all("aV");
	do_stage();
	snprintf(path, sizeof(path), "%s.file", store_path);
	file = fopen(path, "wb");
	bytes = list_bytes(kernel->staged, kernel->nr_staged);
	fwrite(bytes.data, 1, bytes.size - 1, file);
	fflush(file);
	run = run_new();
	/* A file in memory is refused, where the machine's store is one. */
	run.rc = imalog_export_confirm(run.export, path, run.error);
	if (run.rc == -IMALOG_ERR_INVALID && strstr(imalog_error_detail(run.error), "tmpfs")) {
		CHECK_INT(kernel->nr_staged, 3);
		snprintf(path, sizeof(path), "imalog-test-file.%d", (int)getpid());
		fclose(file);
		file = fopen(path, "wb");
		REQUIRE(file);
		fwrite(bytes.data, 1, bytes.size - 1, file);
		fflush(file);
		run.rc = imalog_export_confirm(run.export, path, run.error);
	}
	CHECK_INT(run.rc, -IMALOG_ERR_INVALID);
	CHECK_INT(kernel->nr_staged, 3);
	fwrite(bytes.data + bytes.size - 1, 1, 1, file);
	fflush(file);
	CHECK_INT(imalog_export_confirm(run.export, path, run.error), 1);
	CHECK_INT(kernel->nr_staged, 0);
	check_whole(1);
	fclose(file);
	unlink(path);
	run_free(&run);
	bytes_free(&bytes);
}

/* ---- verdicts do not gate ---- */

TEST(a_record_that_never_reached_the_tpm)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	/* Alone, or the last: the values of before hold still, but not for this one. */
	measure_as('a', false);
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 1);
	CHECK_INT(imalog_receipt_verdict(imalog_export_receipt(run.export, 0, NULL), NULL),
		  IMALOG_NOT_CHECKED);
	run_free(&run);
	measure('c');
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 1);
	CHECK(run_said(&run, "does not lead to the TPM's values"));
	run_free(&run);
	CHECK_INT(kernel->nr_current, 0);
	check_whole(1);
}

TEST(the_last_record_never_reached_the_tpm)
{
	struct run run;

	machine_new();
	measure('a');
	measure_as('c', false);
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "does not lead to the TPM's values"));
	run_free(&run);
	check_whole(1);
}

static void no_tpm_any_more(void)
{
	measure('m');
	kernel->tpm_fails = true;
}

/* What comes after the TPM was read is compared with it, too, or it is said. */
TEST(records_that_come_after_the_tpm_was_read)
{
	struct run run;

	machine_new();
	do_stage();
	kernel->before_open = more_records;
	CHECK_EXPORT(2);
	check_whole(1);
	measure('a');
	kernel->before_open = no_tpm_any_more;
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_UNCHECKED), 1);
	CHECK(run_said(&run, "its end could not be compared"));
	run_free(&run);
}

static struct run save_and_confirm_now(void)
{
	struct run run = run_new();

	do_stage();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	measure('z'); /* not deleted, and compared all the same */
	run.rc = imalog_export_confirm(run.export, NULL, run.error);
	CHECK_INT(run.rc, 1);
	return run;
}

TEST(confirming_compares)
{
	uint8_t digest[IMALOG_DIGEST_MAX] = { 1 };
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("aV");
	run = save_and_confirm_now();
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
	run_free(&run);
	tpm_extend(0, digest);
	tpm_extend(1, digest);
	measure('c');
	run = save_and_confirm_now();
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 1);
	CHECK(run_said(&run, "does not lead to the TPM's values"));
	run_free(&run);
	check_whole(1);
}

TEST(somebody_else_extends_the_pcr)
{
	uint8_t digest[IMALOG_DIGEST_MAX] = { 1 };
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	tpm_extend(0, digest);
	tpm_extend(1, digest);
	measure('a');
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 1);
	/* The same kernel's list it is all the same. */
	CHECK(!imalog_receipt_undetermined(imalog_export_receipt(run.export, 0, NULL)));
	run_free(&run);
	check_whole(1);
}

TEST(a_bad_digest)
{
	struct run run;

	machine_new();
	measure_all("aa");
	kernel->bytes[kernel->at[1] + 5] ^= 1;
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "the digest of record 2 does not fit its data"));
	run_free(&run);
	CHECK_INT(kernel->nr_current, 0);
	check_whole(1);
}

TEST(what_cannot_be_taken_apart_stays)
{
	struct run run;

	machine_new();
	measure_all("aa");
	kernel->bytes[kernel->at[1] + 27] = 0xff; /* length of the template's name */
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_LIMIT);
	CHECK_INT(imalog_error_record(run.error), 2);
	run_free(&run);
	CHECK_INT(kernel->nr_staged, 3);
	CHECK(!store_has("epoch-000001/pending.00000001"));
	check_whole(1);
}

TEST(a_tpm_that_fails)
{
	struct run run;

	machine_new();
	kernel->tpm_fails = true;
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_UNCHECKED), 1);
	CHECK(run_said(&run, "the TPM is out of order"));
	run_free(&run);
	do_kexec(true); /* nor does it hold up those of another boot */
	run = run_export();
	CHECK_INT(run_notes(&run, IMALOG_NOTE_UNCHECKED), 2);
	CHECK(imalog_receipt_undetermined(imalog_export_receipt(run.export, 0, NULL)));
	run_free(&run);
	kernel->tpm_fails = false;
	measure('a');
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

TEST(a_tpm_that_is_no_more)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	kernel->has_tpm = false;
	measure('a');
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "there is no TPM any more"));
	CHECK(run_said(&run, "--no-tpm says that this is so"));
	CHECK_INT(run_notes(&run, IMALOG_NOTE_UNCHECKED), 1);
	run_free(&run);
	check_whole(1);
}

/* ---- D does not say yes ---- */

TEST(no_memory_for_the_new_table)
{
	machine_new();
	kernel->discard_errno = ENOMEM;
	kernel->discards_all_the_same = true;
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

TEST(a_machine_that_goes_down)
{
	struct run run;

	machine_new();
	measure_all("VV");
	do_stage();
	kernel->suspended = true;
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(run.error), ESTALE);
	CHECK(run_said(&run, "stays pending"));
	run_free(&run);
	CHECK_INT(kernel->nr_staged, 3);
	do_kexec(true);
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
	CHECK(store_has("epoch-000001/dropped.00000001"));
}

TEST(a_kexec_that_loses_the_list)
{
	struct run run;

	machine_new();
	measure_all("VV");
	do_stage();
	kernel->suspended = true;
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	run_free(&run);
	do_kexec(false);
	CHECK_EXPORT(2);
	check_whole(1);
	check_epoch(1);
	CHECK(!store_has("epoch-000001/dropped.00000001"));
}

/* ---- epochs ---- */

TEST(a_kexec_goes_on_in_the_epoch)
{
	machine_new();
	measure_all("aV");
	CHECK_EXPORT(1);
	measure('c');
	do_kexec(true);
	CHECK_EXPORT(1);
	do_kexec(true);
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
	CHECK(!store_has("epoch-000002"));
}

TEST(a_cold_boot_begins_an_epoch)
{
	machine_new();
	measure_all("aV");
	CHECK_EXPORT(1);
	do_cold_boot();
	measure('c');
	CHECK_EXPORT(1);
	CHECK(store_has("epoch-000002/log.00000001"));
	check_whole(2);
	check_epoch(2);
	measure('d');
	CHECK_EXPORT(1);
	check_whole(2);
	check_epoch(2);
}

TEST(a_cold_boot_that_nothing_proves)
{
	uint8_t digest[IMALOG_DIGEST_MAX] = { 1 };
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	do_cold_boot();
	tpm_extend(0, digest);
	tpm_extend(1, digest);
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "the TPM was reset"));
	CHECK(imalog_receipt_undetermined(imalog_export_receipt(run.export, 0, NULL)));
	run_free(&run);
	check_whole(2);
}

TEST(another_boot_that_nothing_proves)
{
	uint8_t digest[IMALOG_DIGEST_MAX] = { 1 };
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	do_kexec(true);
	tpm_extend(0, digest);
	tpm_extend(1, digest);
	measure('c');
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "marked as undetermined"));
	CHECK(imalog_receipt_undetermined(imalog_export_receipt(run.export, 0, NULL)));
	run_free(&run);
	check_whole(1);
	CHECK(!store_has("epoch-000002"));
}

TEST(a_store_of_another_machine)
{
	machine_new();
	measure_all("xyz");
	CHECK_EXPORT(1);
	do_cold_boot();
	kernel->resets = 7; /* another TPM that has come as far */
	measure_all("de");
	CHECK_EXPORT(1);
	check_whole(2);
	check_epoch(2);
}

TEST(without_a_tpm)
{
	struct run run;

	machine_new();
	kernel->has_tpm = false;
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
	CHECK(imalog_receipt_undetermined(imalog_export_receipt(run.export, 0, NULL)));
	run_free(&run);
	do_kexec(true);
	measure('a');
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
	CHECK(run_said(&run, "without a TPM nothing tells"));
	run_free(&run);
	check_whole(1);
	CHECK(!store_has("epoch-000002"));
}

TEST_MAIN(CASE(exports_what_there_is), CASE(nothing_to_do_does_nothing),
	  CASE(what_is_staged_already_comes_first),
	  CASE(what_was_staged_before_leads_nowhere_alone),
	  CASE(records_that_arrive_meanwhile), CASE(thresholds), CASE(save_and_confirm),
	  CASE(an_export_goes_on_with_what_is_saved), CASE(confirming_a_file),
	  CASE(a_record_that_never_reached_the_tpm),
	  CASE(the_last_record_never_reached_the_tpm),
	  CASE(records_that_come_after_the_tpm_was_read), CASE(confirming_compares),
	  CASE(somebody_else_extends_the_pcr), CASE(a_bad_digest),
	  CASE(what_cannot_be_taken_apart_stays), CASE(a_tpm_that_fails),
	  CASE(a_tpm_that_is_no_more),
	  CASE(no_memory_for_the_new_table), CASE(a_machine_that_goes_down),
	  CASE(a_kexec_that_loses_the_list), CASE(a_kexec_goes_on_in_the_epoch),
	  CASE(a_cold_boot_begins_an_epoch), CASE(a_cold_boot_that_nothing_proves),
	  CASE(another_boot_that_nothing_proves), CASE(a_store_of_another_machine),
	  CASE(without_a_tpm))
