// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/view*.c: this machine's log is all that was measured, wherever it is. */
#include "look.h"

static void save_staged(void)
{
	struct run run = run_new();

	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	run_free(&run);
}

/* An export whose D the kernel refuses, or carries out and then says no */
static void interrupted_export(bool deletes)
{
	struct run run;

	kernel->discard_errno = EIO;
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	run_free(&run);
	/* The receipt says `saved` again; a crash would have left this: */
	if (deletes)
		do_delete();
}

/* The receipt of segment 2 as a crash leaves it: the kernel may have deleted, or not. */
static void doubt_segment_2(void)
{
	struct imalog_receipt *receipt;
	uint8_t self[IMALOG_SHA256_SIZE];
	char path[300];
	int dir;

	snprintf(path, sizeof(path), "%s/epoch-000001/receipts", store_path);
	dir = open(path, O_RDONLY | O_DIRECTORY);
	if (imalog_receipt_read(dir, 2, &receipt, NULL, NULL) < 0)
		BAIL_OUT("no receipt");
	receipt->state = IMALOG_RECEIPT_DELETING;
	CHECK_INT(imalog_receipt_write(receipt, dir, self, NULL), 0);
	imalog_receipt_free(&receipt);
	close(dir);
}

/* ---- states ---- */

TEST(no_store)
{
	machine_new();
	measure_all("aVVb");
	check_view();
	CHECK(!store_has(""));
	do_stage();
	check_view();
	measure_all("VV");
	check_view();
}

TEST(after_exports)
{
	machine_new();
	for (int i = 0; i < 6; i++) {
		measure_all(i % 2 ? "V" : "aVV");
		CHECK_EXPORT(1);
		check_view();
	}
}

TEST(segments_staged_and_list)
{
	machine_new();
	measure_all("VV");
	CHECK_EXPORT(1);
	measure_all("VV");
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	measure_all("VV");
	check_view();
	save_staged();
	check_view();
	CHECK_EXPORT(2);
	check_view();
}

TEST(pending_saved)
{
	machine_new();
	measure_all("V");
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	save_staged();
	check_view();
	kernel->has_tpm = false;
	check_view();
	kernel->has_tpm = true;
	do_delete(); /* by somebody else */
	check_view();
	measure_all("VV");
	check_view();
	do_stage(); /* the same bytes, other records */
	check_view();
	measure_all("VV");
	check_view();
}

static void deleting(const char *later)
{
	for (int deleted = 0; deleted < 2; deleted++) {
		test_note("D %s, then '%s'", deleted ? "done" : "not done", later);
		machine_new();
		measure_all("V");
		CHECK_EXPORT(1);
		measure_all("VV");
		interrupted_export(deleted);
		doubt_segment_2();
		check_view();
		measure_all(later);
		check_view();
		if (deleted) {
			do_stage();
			check_view();
			measure_all(later);
			check_view();
		}
		kernel->tpm_fails = true;
		check_view_loses_nothing();
		kernel->tpm_fails = false;
		CHECK_EXPORT(1 + (deleted && later[0]) +
			     (!deleted && later[0] ? 1 : deleted && later[0]));
		check_view();
	}
}

TEST(pending_deleting)
{
	deleting("");
	deleting("VV");
	deleting("V");
	deleting("aVV");
}

TEST(doubt_is_said)
{
	struct look look = look_new(&fake_world);

	machine_new();
	CHECK_EXPORT(1);
	measure_all("VV");
	interrupted_export(false);
	doubt_segment_2();
	kernel->has_tpm = false;
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK(imalog_view_is_doubtful(look.view));
	CHECK(look_said(&look, "segment 2 is pending"));
	/* Both: what is saved, and what is staged */
	CHECK_INT(look.bytes.size, kernel->at[3] + kernel->at[3] - kernel->at[1]);
	/* It is over as soon as the TPM can be asked. */
	kernel->has_tpm = true;
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK(!imalog_view_is_doubtful(look.view));
	CHECK(!look_said(&look, "pending"));
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	look_free(&look);
}

/* The values of before prove nothing about records that came later. */
TEST(doubt_about_records_that_never_reached_the_tpm)
{
	struct look look = look_new(&fake_world);

	machine_new();
	CHECK_EXPORT(1);
	measure_as('a', false);
	measure_as('b', false);
	interrupted_export(false);
	doubt_segment_2();
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK(imalog_view_is_doubtful(look.view));
	look_free(&look);
}

/* A segment without a receipt: the kernel has it all, unless somebody else deleted it. */
TEST(cut_short)
{
	struct look look = look_new(&fake_world);
	char path[400];
	FILE *file;

	machine_new();
	measure_all("VVa");
	CHECK_EXPORT(1);
	measure_all("VVa");
	do_stage();
	snprintf(path, sizeof(path), "%s/epoch-000001/pending.00000002", store_path);
	file = fopen(path, "wb");
	if (!file)
		BAIL_OUT("no file");
	fwrite(kernel->bytes + kernel->at[4], 1, 100, file);
	fclose(file);
	check_view();
	do_delete(); /* Now they are lost. */
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK(look_said(&look, "no longer in the kernel"));
	look_free(&look);
}

/* ---- boots ---- */

TEST(after_a_kexec)
{
	for (int carries = 0; carries < 2; carries++) {
		machine_new();
		measure_all("VV");
		CHECK_EXPORT(1);
		if (carries)
			measure_all("VV");
		do_kexec(carries);
		check_view();
		measure_all("VV");
		check_view();
		do_stage();
		check_view();
	}
}

/* What was saved comes again with the list, or does not. */
TEST(pending_and_a_kexec)
{
	for (int carries = 0; carries < 2; carries++)
		for (int doubtful = 0; doubtful < 2; doubtful++) {
			test_note("carries %d, doubtful %d", carries, doubtful);
			machine_new();
			measure_all("VV");
			CHECK_EXPORT(1);
			measure_all("VV");
			do_stage();
			save_staged();
			if (doubtful)
				doubt_segment_2();
			do_kexec(carries);
			check_view();
			measure_all("VV");
			check_view();
			CHECK_EXPORT(carries ? 1 : 2);
			check_view();
		}
}

TEST(after_a_reset)
{
	struct look look = look_new(&fake_world);

	machine_new();
	measure_all("aV");
	CHECK_EXPORT(1);
	do_cold_boot();
	measure('c');
	check_view();
	look_take(&look);
	CHECK(look_said(&look, "epoch 1 ended with a reset of the TPM"));
	look_free(&look);
	CHECK_EXPORT(1);
	check_view();
}

TEST(after_a_reset_with_a_pending_segment)
{
	machine_new();
	measure_all("aV");
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	save_staged();
	do_cold_boot();
	check_view();
}

TEST(a_boot_that_nothing_proves)
{
	uint8_t digest[IMALOG_DIGEST_MAX] = { 1 };
	struct look look = look_new(&fake_world);
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	do_kexec(true);
	kernel->tpm_fails = true;
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK(look_said(&look, "without a TPM nothing tells"));
	kernel->tpm_fails = false;
	tpm_extend(0, digest);
	tpm_extend(1, digest);
	look_take(&look);
	CHECK(look_said(&look, "nothing proves whether its list follows"));
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	run = run_export();
	CHECK_INT(run.rc, 1);
	run_free(&run);
	look_take(&look);
	CHECK(look_said(&look, "nothing proved, when they were saved"));
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	/* A reset, and a list that does not lead to the TPM's values */
	do_cold_boot();
	tpm_extend(0, digest);
	tpm_extend(1, digest);
	look_take(&look);
	CHECK(look_said(&look, "the TPM was reset after epoch 1"));
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	look_free(&look);
}

/* ---- other kernels, other stores ---- */

static int old_kernel(const char *root, struct imalog_kernel_info *ret,
		      struct imalog_error *error)
{
	int rc = fake_probe(root, ret, error);

	ret->stages = ret->recent = ret->trims = false;
	return rc;
}

static int open_no_staged(const char *root, bool staged, unsigned int wait_ms, int *fd,
			  struct imalog_error *error)
{
	if (staged)
		return imalog_fail_os(error, ENOENT, "there is no such list");
	return fake_open_list(root, staged, wait_ms, fd, error);
}

TEST(a_kernel_without_staging)
{
	struct imalog_world world = fake_world;
	struct look look = look_new(&world);

	world.probe = old_kernel;
	world.open_list = open_no_staged;
	machine_new();
	measure_all("VV");
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	/* The store is of the kernel before a kexec. */
	CHECK_EXPORT(1);
	measure_all("VV");
	do_kexec(true);
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	look_free(&look);
}

TEST(the_list_alone)
{
	struct look look = { imalog_view_new("", NULL), imalog_error_new(), { NULL, 0 }, 0 };

	look.view->export->world = &fake_world;
	machine_new();
	CHECK_EXPORT(1);
	measure_all("a");
	do_stage();
	measure_all("VV");
	look_take(&look);
	CHECK_INT(look.rc, 0);
	CHECK_INT(imalog_plan_parts(imalog_view_plan(look.view)), 1);
	CHECK_MEM(span_of_bytes(look.bytes),
		  span_of(kernel->bytes + kernel->at[2], kernel->at[4] - kernel->at[2]));
	look_free(&look);
}

TEST(a_store_without_segments)
{
	char path[300];

	machine_new();
	mkdir(store_path, 0700);
	check_view();
	CHECK(!store_has("lock"));
	snprintf(path, sizeof(path), "%s/epoch-000001", store_path);
	mkdir(path, 0700);
	strcat(path, "/receipts");
	mkdir(path, 0700);
	check_view();
	CHECK_EXPORT(1);
	check_view();
}

TEST(a_store_that_lacks_something)
{
	struct look look = look_new(&fake_world);
	char path[300];

	machine_new();
	CHECK_EXPORT(1);
	measure('a');
	CHECK_EXPORT(1);
	snprintf(path, sizeof(path), "%s/epoch-000001/log.00000001", store_path);
	unlink(path);
	look_take(&look);
	CHECK_INT(look.rc, -IMALOG_ERR_INVALID);
	CHECK(strstr(imalog_error_detail(look.error), "segment 1 of epoch 1 is missing"));
	look_free(&look);
}

TEST(busy)
{
	struct look look = look_new(&fake_world);
	struct imalog_store *store;

	machine_new();
	CHECK_EXPORT(1);
	kernel->held = true;
	look_take(&look);
	CHECK_INT(look.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(look.error), EBUSY);
	kernel->held = false;
	REQUIRE(imalog_store_open(store_path, 0, &store, NULL) == 0);
	look_take(&look);
	CHECK_INT(look.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(look.error), EBUSY);
	imalog_store_close(&store);
	/* Those who look do not disturb each other. */
	REQUIRE(imalog_store_take(store_path, IMALOG_STORE_LOOK, 0, &store, NULL) == 0);
	check_view();
	CHECK_INT(imalog_store_open(store_path, 0, &look.view->export->store, look.error),
		  -IMALOG_ERR_OS);
	imalog_store_close(&store);
	look_free(&look);
}

/* ---- meanwhile ---- */

static int reads, first_fd;

/*
 * The store's lock is held, and one list stays open, not read yet, until the other is open,
 * too: nobody can do a thing.
 */
static int open_and_watch(const char *root, bool staged, unsigned int wait_ms, int *fd,
			  struct imalog_error *error)
{
	struct imalog_store *store = NULL;
	int rc;

	if (reads++)
		CHECK_INT(lseek(first_fd, 0, SEEK_CUR), 0);
	CHECK_INT(imalog_store_open(store_path, 0, &store, NULL), -IMALOG_ERR_OS);
	imalog_store_close(&store);
	rc = fake_open_list(root, staged, wait_ms, fd, error);
	first_fd = *fd;
	return rc;
}

TEST(store_and_lists_are_of_one_moment)
{
	struct imalog_world world = fake_world;
	struct look look = look_new(&world);

	world.open_list = open_and_watch;
	machine_new();
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	measure_all("VV");
	reads = 0;
	CHECK_INT(imalog_view_take(look.view, look.error), 0);
	CHECK_INT(reads, 2);
	CHECK_INT(lseek(first_fd, 0, SEEK_CUR), -1); /* it is closed */
	/* What is read later is of that moment, whatever happens. */
	CHECK_EXPORT(2);
	measure('a');
	for (int i = 0; i < 2; i++) {
		look.bytes = plan_bytes(imalog_view_plan(look.view));
		CHECK_MEM(span_of_bytes(look.bytes),
			  span_of(kernel->bytes, kernel->at[kernel->nr - 1]));
		bytes_free(&look.bytes);
	}
	CHECK_INT(reads, 2);
	look_free(&look);
}

/* A pending segment gets another name before it is read. */
TEST(names_change)
{
	struct look look = look_new(&fake_world);

	machine_new();
	CHECK_EXPORT(1);
	measure_all("VV");
	do_stage();
	save_staged();
	do_delete();
	measure_all("VV");
	CHECK_INT(imalog_view_take(look.view, look.error), 0);
	CHECK_EXPORT(2);
	CHECK(store_has("epoch-000001/log.00000002"));
	look.bytes = plan_bytes(imalog_view_plan(look.view));
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	look_free(&look);
}

/* A store that appears while the lists are looked at, with all that they had */
static int exports_first(const char *root, bool staged, unsigned int wait_ms, int *fd,
			 struct imalog_error *error)
{
	if (reads++ == 0)
		CHECK_EXPORT(1);
	return fake_open_list(root, staged, wait_ms, fd, error);
}

TEST(a_store_that_is_made_meanwhile)
{
	struct imalog_world world = fake_world;
	struct look look = look_new(&world);

	world.open_list = exports_first;
	machine_new();
	measure_all("aVV");
	reads = 0;
	CHECK_INT(imalog_view_take(look.view, look.error), 0);
	look.bytes = plan_bytes(imalog_view_plan(look.view));
	CHECK_MEM(span_of_bytes(look.bytes), span_of(kernel->bytes, kernel->at[kernel->nr]));
	look_free(&look);
}

TEST_MAIN(CASE(no_store), CASE(after_exports), CASE(segments_staged_and_list),
	  CASE(pending_saved), CASE(pending_deleting), CASE(doubt_is_said),
	  CASE(doubt_about_records_that_never_reached_the_tpm), CASE(cut_short),
	  CASE(after_a_kexec), CASE(pending_and_a_kexec), CASE(after_a_reset),
	  CASE(after_a_reset_with_a_pending_segment), CASE(a_boot_that_nothing_proves),
	  CASE(a_kernel_without_staging), CASE(the_list_alone), CASE(a_store_without_segments),
	  CASE(a_store_that_lacks_something), CASE(busy),
	  CASE(store_and_lists_are_of_one_moment), CASE(names_change),
	  CASE(a_store_that_is_made_meanwhile))
