// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/follow*.c: other boots, records and stores that are gone, and lists that are held */
#include "following.h"

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

TEST_MAIN(CASE(kexec_and_reset), CASE(boots_that_no_tpm_tells_of),
	  CASE(records_that_are_gone), CASE(records_that_are_gone_before_there_is_a_store),
	  CASE(records_that_are_gone_while_others_are_staged), CASE(others_hold_the_lists),
	  CASE(the_store_goes_away))
