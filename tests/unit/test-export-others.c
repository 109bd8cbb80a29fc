// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/export*.c: others who stage and delete at the worst moment, damage, and other boots, while
 * segments are pending whose records may be in the kernel, too
 */
#include "machine.h"

/* ---- others ---- */

static void steal(void)
{
	do_stage();
	do_delete();
	kernel->after_close = NULL;
}

TEST(somebody_else_deletes_what_is_saved)
{
	struct run run;

	machine_new();
	measure_all("VV");
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	do_delete();
	CHECK_INT(imalog_export_save(run.export, run.error), 1); /* committed */
	CHECK(store_has("epoch-000001/log.00000001"));
	run_free(&run);
	check_whole(1);
	check_epoch(1);
}

TEST(somebody_else_deletes_and_stages_the_same)
{
	struct run run;

	for (int tpm = 0; tpm < 2; tpm++) {
		machine_new();
		CHECK_EXPORT(1);
		kernel->has_tpm = tpm;
		measure_all("VV");
		do_stage();
		run = run_new();
		CHECK_INT(imalog_export_save(run.export, run.error), 1);
		do_delete();
		measure_all("VV");
		do_stage();
		measure_all("V");
		/* They are others: the kernel has counted more violations. */
		CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 2);
		run_free(&run);
		check_whole(1);
		run = run_export();
		CHECK_INT(run.rc, 1);
		run_free(&run);
		check_whole(1);
		check_epoch(1);
	}
}

TEST(what_is_saved_is_not_saved_again)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	measure_all("VVa");
	CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 1);
	run_free(&run);
	CHECK(!store_has("epoch-000001/dropped.00000002"));
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

TEST(somebody_else_takes_records_away)
{
	struct run run;

	machine_new();
	kernel->after_close = steal;
	measure('a');
	do_stage();
	measure('c');
	run = run_export();
	CHECK_INT(run.rc, 1);
	run_free(&run);
	measure('d');
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "does not lead to the TPM's values"));
	run_free(&run);
}

TEST(a_held_list)
{
	struct run run;

	machine_new();
	kernel->held = true;
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(run.error), EBUSY);
	run_free(&run);
	kernel->held = false;
	CHECK_EXPORT(1);
	check_whole(1);
}

/* Deletes what is saved, and stages records of the same bytes. */
static void swap(void)
{
	do_delete();
	measure_all("VV");
	do_stage();
	kernel->before_open = NULL;
}

/* Between what the TPM says and the hold */
TEST(somebody_else_is_quicker)
{
	struct run run;

	for (int tpm = 0; tpm < 2; tpm++) {
		machine_new();
		CHECK_EXPORT(1);
		kernel->has_tpm = tpm;
		measure_all("VV");
		do_stage();
		run = run_new();
		CHECK_INT(imalog_export_save(run.export, run.error), 1);
		kernel->before_open = swap;
		CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 2);
		CHECK_INT(kernel->nr_staged, 0);
		run_free(&run);
		check_whole(1);
		check_epoch(1);
	}
}

/* What is saved is not said to be saved when it is not. */
TEST(saving_what_has_the_same_bytes)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	CHECK(!store_has("epoch-000001/pending.00000003"));
	kernel->before_open = swap;
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	CHECK(store_has("epoch-000001/pending.00000003"));
	run_free(&run);
	CHECK_EXPORT(2);
	check_whole(1);
	check_epoch(1);
}

/* When deleting failed, it is known under the same hold what is staged. */
TEST(deleting_fails_without_a_tpm)
{
	struct run run;

	for (int others = 0; others < 2; others++) {
		machine_new();
		kernel->has_tpm = false;
		run = run_export();
		run_free(&run);
		measure_all("VV");
		kernel->discard_errno = EIO;
		run = run_export();
		CHECK_INT(run.rc, -IMALOG_ERR_OS);
		run_free(&run);
		if (others)
			kernel->before_open = swap;
		else
			measure_all("V");
		run = run_export();
		CHECK_INT(run.rc, 2);
		run_free(&run);
		check_whole(1);
	}
}

TEST(without_violations_the_kernel_must_remember)
{
	struct run run;

	for (int i = 0; i < 3; i++) {
		bool forgets = i > 0;

		machine_new();
		kernel->has_tpm = false;
		kernel->flush_htable = i == 1;
		kernel->no_config = i == 2;
		measure_all("ac");
		do_stage();
		run = run_new();
		CHECK_INT(imalog_export_save(run.export, run.error), 1);
		CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 1 + forgets);
		CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), forgets);
		run_free(&run);
	}
}

/* A kernel that was built to log everything again, which nothing else tells */
TEST(the_tpm_objects)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("ac");
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	do_delete();
	measure_all("ac");
	do_stage();
	CHECK_INT(imalog_export_confirm(run.export, NULL, run.error), 2);
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
	run_free(&run);
	check_whole(1);
	check_epoch(1);
}

/* ---- damage ---- */

/* Changes what a receipt says. */
static void write_text(uint64_t segment, const char *from, const char *to)
{
	struct bytes bytes = bytes_new(0);
	char path[512], *found, *data;
	FILE *file;

	snprintf(path, sizeof(path), "%s/epoch-000001/receipts/%08u.json", store_path,
		 (unsigned int)segment);
	add_file(&bytes, path);
	data = (char *)bytes.data;
	found = memmem(data, bytes.size, from, strlen(from));
	REQUIRE(found);
	file = fopen(path, "wb");
	REQUIRE(file);
	fwrite(data, 1, (size_t)(found - data), file);
	fputs(to, file);
	found += strlen(from);
	fwrite(found, 1, bytes.size - (size_t)(found - data), file);
	fclose(file);
	bytes_free(&bytes);
}

/* As if it had been killed then */
static void write_state(uint64_t segment, const char *state)
{
	char text[32];

	snprintf(text, sizeof(text), "\"%s\"", state);
	write_text(segment, "\"saved\"", text);
}

static void recover(void)
{
	struct run run = run_export();

	if (!CHECK(run.rc > 0) || !CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0) ||
	    !CHECK_INT(run_notes(&run, IMALOG_NOTE_UNCHECKED), 0))
		run_show(&run);
	run_free(&run);
}

/* Of the file of a segment: its end is lost, or its first byte is another. */
static void damage(const char *name, bool cut)
{
	char path[512];
	uint8_t byte;
	int fd;

	snprintf(path, sizeof(path), "%s/epoch-000001/%s", store_path, name);
	fd = open(path, O_RDWR);
	REQUIRE(fd >= 0);
	CHECK_INT(pread(fd, &byte, 1, 0), 1);
	byte ^= 1;
	CHECK_INT(cut ? ftruncate(fd, 10) : pwrite(fd, &byte, 1, 0) - 1, 0);
	close(fd);
}

TEST(what_is_damaged_is_saved_again)
{
	struct run run;

	for (int i = 0; i < 8; i++) {
		bool cut = i & 1, deleting = i & 2, killed = i & 4;

		machine_new();
		CHECK_EXPORT(1);
		measure_all("VVa");
		do_stage();
		run = run_new();
		CHECK_INT(imalog_export_save(run.export, run.error), 1);
		if (killed)
			write_state(2, "deleting");
		damage("pending.00000002", cut);
		if (deleting)
			CHECK_INT(imalog_export_confirm(run.export, NULL, run.error),
				  killed ? -IMALOG_ERR_INVALID : 1);
		else
			CHECK_INT(imalog_export_save(run.export, run.error), 1);
		run_free(&run);
		run = run_export();
		CHECK(run.rc >= 0);
		CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
		run_free(&run);
		check_whole(1);
		check_epoch(1);
	}
}

TEST(what_is_damaged_and_gone_is_no_part_of_the_log)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("VVa");
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	run_free(&run);
	damage("pending.00000002", true);
	do_delete();
	measure('c');
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_INVALID);
	CHECK(strstr(imalog_error_detail(run.error), "segment 2 of epoch 1"));
	run_free(&run);
	CHECK_INT(kernel->nr_current + kernel->nr_staged, 1);
	CHECK(!store_has("epoch-000001/log.00000002"));
}

/* ---- two pending segments ---- */

/*
 * VV is saved, killed, and saved again in doubt.  With @others the first was deleted by then, and
 * the second are others.
 */
static void make_two(bool others)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	write_state(2, "deleting");
	if (others)
		swap();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	CHECK(store_has("epoch-000001/pending.00000003"));
	run_free(&run);
}

TEST(two_and_a_kexec)
{
	for (int i = 0; i < 8; i++) {
		bool others = i & 1, carries = i & 2, more = i & 4;

		test_note("others %d, carries %d, more %d", others, carries, more);
		make_two(others);
		/* What is measured since is lost with the list. */
		if (more && carries)
			measure_all("VV");
		do_kexec(carries);
		if (more)
			measure_all("VVc");
		recover();
		check_whole(1);
		check_epoch(1);
	}
}

TEST(two_and_a_reset)
{
	for (int i = 0; i < 8; i++) {
		bool others = i & 1, more = i & 2, cold = i & 4;
		struct bytes before, log;
		struct run run;

		test_note("others %d, more %d", others, more);
		make_two(others);
		before = bytes_copy(kernel->bytes, kernel->at[kernel->nr]);
		if (more)
			write_text(3, "\"staged_before\": true", "\"staged_before\": false");
		if (cold)
			measure_all("a");
		do_cold_boot();
		run = run_export();
		CHECK(run.rc > 0);
		/* When that was not known to be staged before, the values can be earlier. */
		CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), more && !others);
		if (more && !others)
			CHECK(run_said(&run, "both are kept"));
		run_free(&run);
		log = store_bytes(1, "log");
		if (more && !others)
			CHECK(log.size > before.size);
		else
			CHECK_MEM(span_of_bytes(log), span_of_bytes(before));
		bytes_free(&log);
		bytes_free(&before);
		check_whole(2);
		check_epoch(2);
	}
}

/* Is a list open?  Then nobody can stage or delete. */
static bool is_read(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir))) {
		char target[64];
		ssize_t size = readlinkat(dirfd(dir), entry->d_name, target,
					  sizeof(target) - 1);

		target[size > 0 ? size : 0] = '\0';
		found |= strncmp(target, "/memfd:list", 11) == 0;
	}
	if (!dir)
		BAIL_OUT("no /proc");
	closedir(dir);
	return found;
}

static int lists_read;

/* The lists are read for the first sequence, and then for the second. */
static void steal_between(void)
{
	if (++lists_read == 3 && !is_read())
		steal();
}

/* The TPM is read to tell what was deleted: then one more violation comes. */
static void measure_behind(void)
{
	if (kernel->nr_staged)
		return;
	kernel->after_tpm = NULL;
	measure_all("VV");
	lists_read = 0;
	kernel->before_list = steal_between;
}

/* Else the end of the first list would stand for the segment that the second lacks. */
TEST(nobody_deletes_while_they_are_told_apart)
{
	struct run run;

	make_two(true);
	measure_all("VV");
	kernel->after_tpm = measure_behind;
	run = run_export();
	CHECK(run.rc > 0);
	CHECK(lists_read >= 3);
	run_free(&run);
	CHECK(!store_has("epoch-000001/dropped.00000002"));
	check_whole(1);
	check_epoch(1);
}

/* ---- a segment without a receipt ---- */

/* As if it had been killed before the receipt; at a record, when cut */
static void make_orphan(const char *staged, bool cut)
{
	struct run run;
	char path[512];

	machine_new();
	CHECK_EXPORT(1);
	measure_all(staged);
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	run_free(&run);
	snprintf(path, sizeof(path), "%s/epoch-000001/receipts/00000002.json", store_path);
	CHECK_INT(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/epoch-000001/pending.00000002", store_path);
	if (cut)
		CHECK_INT(truncate(path, (off_t)(kernel->at[2] - kernel->at[1])), 0);
}

TEST(an_only_copy_without_a_receipt)
{
	static const char *const staged[] = { "VV", "Va", "aV" };

	for (int i = 0; i < 18; i++) {
		int what = i % 3;

		test_note("%s, case %d", staged[i / 6], i % 6);
		make_orphan(staged[i / 6], i / 3 % 2);
		if (what == 0) {
			do_kexec(true);
		} else if (what == 1 && i / 3 % 2 == 0) {
			do_kexec(false);
		} else if (what == 2 && i / 3 % 2 == 0) {
			do_delete();
			measure_all(staged[i / 6]);
		}
		measure_all("VV");
		recover();
		check_whole(1);
		check_epoch(1);
		CHECK(!store_has("epoch-000001/partial.00000002"));
	}
}

/* A piece of what is lost is no part of the log: that would have a gap. */
TEST(a_piece_of_what_is_lost)
{
	struct run run;

	make_orphan("VaV", true);
	do_kexec(false);
	run = run_export();
	CHECK(run.rc > 0);
	CHECK(run_notes(&run, IMALOG_NOTE_WRONG) > 0);
	CHECK(run_said(&run, "it is kept, but no part of the log"));
	CHECK(store_has("epoch-000001/partial.00000002"));
	run_free(&run);
}

/* Behind one that may have the same records */
TEST(an_only_copy_behind_a_pending_segment)
{
	char path[512];

	for (int i = 0; i < 4; i++) {
		test_note("others %d, carries %d", i & 1, i & 2);
		make_two(i & 1);
		snprintf(path, sizeof(path), "%s/epoch-000001/receipts/00000003.json",
			 store_path);
		CHECK_INT(unlink(path), 0);
		do_kexec(i & 2);
		measure_all("V");
		recover();
		check_whole(1);
		check_epoch(1);
	}
}

TEST_MAIN(CASE(somebody_else_deletes_what_is_saved),
	  CASE(somebody_else_deletes_and_stages_the_same),
	  CASE(what_is_saved_is_not_saved_again), CASE(somebody_else_takes_records_away),
	  CASE(a_held_list),
	  CASE(somebody_else_is_quicker), CASE(saving_what_has_the_same_bytes),
	  CASE(deleting_fails_without_a_tpm),
	  CASE(without_violations_the_kernel_must_remember), CASE(the_tpm_objects),
	  CASE(what_is_damaged_is_saved_again),
	  CASE(what_is_damaged_and_gone_is_no_part_of_the_log), CASE(two_and_a_kexec),
	  CASE(two_and_a_reset), CASE(nobody_deletes_while_they_are_told_apart),
	  CASE(an_only_copy_without_a_receipt),
	  CASE(a_piece_of_what_is_lost), CASE(an_only_copy_behind_a_pending_segment))
