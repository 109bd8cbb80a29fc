// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/follow*.c: what is once in a log that is followed was measured, in this order, and stays
 * at its offset, whatever is exported, trimmed, killed or in doubt
 *
 * The oracle is what was really measured: what is known is always the beginning of that.
 */
#include "crash.h"
#include "follow.h"

static const struct imalog_shape binary = { .alg = IMALOG_ALG_SHA1 };
static const struct imalog_shape ascii = { .ascii = true, .alg = IMALOG_ALG_SHA1 };

struct follow {
	struct imalog_follower *follower;
	struct imalog_error *error;
	uint64_t size; /* that was known */
	int rc;
};

static struct follow follow_new(void)
{
	struct follow follow = { imalog_follower_new("", store_path), imalog_error_new(), 0, 0 };

	if (!follow.follower || !follow.error)
		BAIL_OUT("no memory");
	follow.follower->view->export->world = &fake_world;
	return follow;
}

static void follow_free(struct follow *follow)
{
	imalog_follower_free(&follow->follower);
	imalog_error_free(&follow->error);
}

/* All that is known of a list, in pieces of @step bytes */
static struct bytes known_bytes(struct follow *follow, const struct imalog_shape *shape,
				size_t step)
{
	struct bytes all = bytes_new(0);
	uint8_t part[4096];
	size_t got = 1;

	while (got) {
		if (!CHECK_INT(imalog_follower_read(follow->follower, shape, all.size, part,
						    step, &got, follow->error),
			       0))
			break;
		all = joined(all, bytes_copy(part, got));
	}
	return all;
}

/* What is known now is the beginning of what was measured, and no less than before. */
static bool check_known(struct follow *follow)
{
	struct bytes all = known_bytes(follow, &binary, 4096);
	bool ok = CHECK(all.size >= follow->size) && CHECK(all.size <= kernel->at[kernel->nr]) &&
		  CHECK_MEM(span_of_bytes(all), span_of(kernel->bytes, all.size));

	follow->size = all.size;
	bytes_free(&all);
	return ok;
}

/* After a look: if nothing is in doubt, it is all. */
static bool check_look(struct follow *follow)
{
	bool ok;

	follow->rc = imalog_follower_look(follow->follower, follow->error);
	ok = check_known(follow);
	if (ok && follow->rc >= 0 && !imalog_follower_is_doubtful(follow->follower))
		ok = CHECK_INT(follow->size, kernel->at[kernel->nr]) &&
		     CHECK_INT(imalog_follower_records(follow->follower), kernel->nr);
	if (!ok && follow->rc < 0)
		printf("# %s\n", imalog_error_detail(follow->error));
	return ok;
}

/* And nothing is. */
static bool check_all_known(struct follow *follow)
{
	bool ok = check_look(follow) && CHECK(follow->rc >= 0) &&
		  CHECK(!imalog_follower_is_doubtful(follow->follower));

	if (!ok && follow->rc < 0)
		printf("# %s\n", imalog_error_detail(follow->error));
	return ok;
}

/* What is staged, and the list */
static void export_all(void)
{
	struct run run = run_export();

	CHECK(run.rc >= 1);
	run_free(&run);
}

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

/* ---- boots ---- */

TEST(kexec_and_reset)
{
	struct follow follow;

	machine_new();
	follow = follow_new();
	measure_all("aV");
	CHECK_EXPORT(1);
	measure_all("Vb");
	check_all_known(&follow);
	do_kexec(true);
	check_all_known(&follow);
	CHECK_INT(imalog_follower_log(follow.follower), 1);
	CHECK_EXPORT(1);
	check_all_known(&follow);
	do_cold_boot();
	follow.size = 0;
	check_all_known(&follow);
	CHECK_INT(imalog_follower_log(follow.follower), 2);
	CHECK_INT(imalog_follower_epoch(follow.follower), 0);
	measure_all("c");
	CHECK_EXPORT(1);
	check_all_known(&follow);
	CHECK_INT(imalog_follower_log(follow.follower), 2);
	CHECK_INT(imalog_follower_epoch(follow.follower), 2);
	follow_free(&follow);
}

/* Nothing tells, until the TPM can be asked, whether the list goes on behind the store. */
static void boot_without_tpm(bool resets)
{
	struct follow follow, late;

	test_note(resets ? "reset" : "kexec");
	machine_new();
	follow = follow_new();
	measure_all("aV");
	CHECK_EXPORT(1);
	measure_all("Vb");
	check_all_known(&follow);
	kernel->has_tpm = false;
	if (resets)
		do_cold_boot();
	else
		do_kexec(true);
	measure_all("c");
	late = follow_new();
	for (int i = 0; i < 2; i++) {
		CHECK_INT(imalog_follower_look(follow.follower, follow.error), 0);
		CHECK(imalog_follower_is_doubtful(follow.follower));
		CHECK_INT(imalog_follower_records(follow.follower), 5);
		CHECK(imalog_follower_look(late.follower, late.error) >= 0);
		CHECK(imalog_follower_is_doubtful(late.follower));
		CHECK_INT(imalog_follower_records(late.follower), 0);
	}
	kernel->has_tpm = true;
	follow.size = resets ? 0 : follow.size;
	check_all_known(&late);
	check_all_known(&follow);
	CHECK_INT(imalog_follower_log(follow.follower), resets ? 2 : 1);
	CHECK_INT(imalog_follower_log(late.follower), 1);
	/* That was decided for this boot. */
	kernel->has_tpm = false;
	measure_all("d");
	check_all_known(&late);
	follow_free(&late);
	follow_free(&follow);
}

TEST(boots_that_no_tpm_tells_of)
{
	boot_without_tpm(false);
	boot_without_tpm(true);
}

static void check_gone(struct follow *follow)
{
	CHECK_INT(imalog_follower_look(follow->follower, follow->error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(follow->error), EIO);
	check_known(follow);
	CHECK_INT(imalog_follower_log(follow->follower), 1);
}

/* The first epoch of the same boot is no other log. */
TEST(records_that_are_gone_before_there_is_a_store)
{
	struct follow follow;

	machine_new();
	measure_all("ab");
	follow = follow_new();
	check_all_known(&follow);
	do_stage();
	do_delete();
	measure_all("c");
	export_all();
	check_gone(&follow);
	follow_free(&follow);
}

/* Other records are staged than before, and the list is empty again. */
TEST(records_that_are_gone_while_others_are_staged)
{
	struct follow follow;

	machine_new();
	measure_all("ab");
	CHECK_EXPORT(1);
	measure_all("c");
	do_stage();
	follow = follow_new();
	check_all_known(&follow);
	do_delete();
	measure_all("d");
	do_stage();
	check_gone(&follow);
	follow_free(&follow);
}

TEST(records_that_are_gone)
{
	struct follow follow;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("ab");
	follow = follow_new();
	check_all_known(&follow);
	/* By somebody who keeps nothing */
	do_stage();
	do_delete();
	for (int i = 0; i < 2; i++) {
		CHECK_INT(imalog_follower_look(follow.follower, follow.error), -IMALOG_ERR_OS);
		CHECK_INT(imalog_error_os_errno(follow.error), EIO);
		check_known(&follow);
		measure_all("cccc");
	}
	follow_free(&follow);
}

TEST(others_hold_the_lists)
{
	struct follow follow;

	machine_new();
	measure_all("a");
	follow = follow_new();
	check_all_known(&follow);
	measure_all("b");
	kernel->held = true;
	CHECK_INT(imalog_follower_look(follow.follower, follow.error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(follow.error), EBUSY);
	check_known(&follow);
	kernel->held = false;
	check_all_known(&follow);
	follow_free(&follow);
}

TEST(the_store_goes_away)
{
	struct follow follow;
	char away[300];

	machine_new();
	measure_all("aV");
	CHECK_EXPORT(1);
	measure_all("b");
	follow = follow_new();
	check_all_known(&follow);
	snprintf(away, sizeof(away), "%s.away", store_path);
	REQUIRE(rename(store_path, away) == 0);
	CHECK_INT(imalog_follower_look(follow.follower, follow.error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(follow.error), EIO);
	REQUIRE(rename(away, store_path) == 0);
	check_all_known(&follow);
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
	  CASE(pieces_of_every_size), CASE(kexec_and_reset), CASE(boots_that_no_tpm_tells_of),
	  CASE(records_that_are_gone), CASE(records_that_are_gone_before_there_is_a_store),
	  CASE(records_that_are_gone_while_others_are_staged),
	  CASE(others_hold_the_lists), CASE(the_store_goes_away),
	  CASE(receipts_that_are_wrong_are_noticed), CASE(text_that_is_not_known),
	  CASE(doubt_ends_the_log), CASE(exports_that_are_killed),
	  CASE(exports_that_are_killed_without_a_tpm))
