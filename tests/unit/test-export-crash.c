// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/export*.c: an export that is killed before and after every system call, or whose every
 * system call fails, loses nothing and doubles nothing; nor does a view (lib/view*.c) before
 * the next export has finished what was interrupted
 *
 * Lists have identical violations first, last and side by side, and a list that is the same as
 * the one before.
 */
#include "crash.h"

/* What a machine has been through when the export begins */
static const struct scene {
	const char *name;
	const char *exported, *staged, *current;
	bool saved; /* what is staged */
} scenes[] = {
	{ "the first export", "", "", "VaVVbV", false },
	{ "the same list again", "VV", "", "VV", false },
	{ "one violation again", "V", "", "V", false },
	{ "staged and current are the same", "V", "V", "V", false },
	{ "saved, staged and current are the same", "VV", "VV", "VV", true },
};

static int export_quietly(void)
{
	struct run run = run_export();
	int rc = run.rc;

	run_free(&run);
	return rc < 0 ? 1 : 0;
}

static bool set_scene(const struct scene *scene)
{
	struct run run;
	bool ok = true;

	machine_new();
	if (scene->exported[0]) {
		CHECK_EXPORT(1);
		measure_all(scene->exported);
		CHECK_EXPORT(1);
	}
	measure_all(scene->staged);
	if (scene->staged[0])
		do_stage();
	if (scene->saved) {
		run = run_new();
		ok = imalog_export_save(run.export, run.error) == 1;
		run_free(&run);
	}
	measure_all(scene->current);
	return ok;
}

/* ---- killed ---- */

static void sweep_kills(const struct scene *scene, bool tpm, int step)
{
	for (int at = (int)(scene - scenes) % step; at < STOPS_MAX; at += step) {
		int rc;

		test_note("%s, killed at %d", scene->name, at);
		set_scene(scene);
		kernel->has_tpm = tpm;
		rc = trace(export_quietly, TRACE_KILL, at, 0);
		if (rc == -3)
			SKIP("processes cannot be traced here");
		if (rc == -2)
			return;
		CHECK_INT(rc, -1);
		recover(tpm);
		if (tpm ? !check_all(1) : !check_nothing_lost(1))
			return;
	}
}

TEST(killed_at_every_system_call)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++)
		sweep_kills(&scenes[i], true, 1);
}

TEST(killed_without_a_tpm)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++)
		sweep_kills(&scenes[i], false, (int)test_step(3));
}

/* Killed once, and again while it recovers */
static void sweep_twice(const struct scene *scene, int step)
{
	for (int first = 0; first < STOPS_MAX; first += step) {
		for (int second = first % 7; second < STOPS_MAX; second += step) {
			int rc;

			test_note("%s, killed at %d and %d", scene->name, first, second);
			set_scene(scene);
			rc = trace(export_quietly, TRACE_KILL, first, 0);
			if (rc == -3)
				SKIP("processes cannot be traced here");
			if (rc == -2)
				return;
			kernel->held = false;
			measure('V');
			if (trace(export_quietly, TRACE_KILL, second, 0) == -2)
				break;
			recover(true);
			if (!check_all(1))
				return;
		}
	}
}

TEST(killed_twice)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++)
		/* All pairs of moments would take hours. */
		sweep_twice(&scenes[i], test_step(19) == 1 ? 5 : 19);
}

/* ---- killed, and somebody else is quicker ---- */

/*
 * What is durably saved, somebody else may delete.  Then the same is measured and staged once
 * more: other records, of the same bytes.
 */
static void interfere(const struct scene *scene, uint64_t segment)
{
	if (kernel->nr_staged && receipt_says(segment, "\"state\""))
		do_delete();
	measure_all(scene->current);
	do_stage();
	measure_all(scene->current);
}

static void sweep_others(const struct scene *scene, bool tpm)
{
	for (int at = 0; at < STOPS_MAX; at++) {
		int rc;

		test_note("%s, killed at %d, and others", scene->name, at);
		set_scene(scene);
		kernel->has_tpm = tpm;
		rc = trace(export_quietly, TRACE_KILL, at, 0);
		if (rc == -3)
			SKIP("processes cannot be traced here");
		if (rc == -2)
			return;
		kernel->held = false;
		interfere(scene, scene->exported[0] ? 3 : 1);
		recover(tpm);
		if (tpm ? !check_all(1) : !check_nothing_lost(1))
			return;
	}
}

TEST(killed_and_others_delete_and_stage_the_same)
{
	for (size_t i = 0; i < 3; i++) {
		sweep_others(&scenes[i], true);
		sweep_others(&scenes[i], false);
	}
}

/* ---- failing ---- */

/* A segment without a receipt, or the other way round, or what was one */
static bool has_orphan(void)
{
	for (unsigned int i = 1; i < 10; i++) {
		static const char *const kinds[] = { "log", "dropped", "pending" };
		char name[64];
		bool file = false, receipt;

		for (size_t k = 0; k < IMALOG_ARRAY_SIZE(kinds); k++) {
			snprintf(name, sizeof(name), "epoch-000001/%s.%08u", kinds[k], i);
			file |= store_has(name);
		}
		snprintf(name, sizeof(name), "epoch-000001/receipts/%08u.json", i);
		receipt = store_has(name);
		snprintf(name, sizeof(name), "epoch-000001/partial.%08u", i);
		if (file != receipt || store_has(name))
			return true;
	}
	return false;
}

static void sweep_failures(const struct scene *scene, int os_errno)
{
	int step = (int)test_step(5);

	for (int at = (int)(scene - scenes) % step; at < STOPS_MAX; at += step) {
		int rc;

		test_note("%s, %s at %d", scene->name, strerror(os_errno), at);
		set_scene(scene);
		rc = trace(export_quietly, TRACE_FAIL, at, os_errno);
		if (rc == -3)
			SKIP("processes cannot be traced here");
		if (rc == -2)
			return;
		CHECK(rc == 0 || rc == 1);
		/* What could not be finished was taken back. */
		kernel->held = false;
		if (!CHECK(!has_orphan()))
			return;
		recover(true);
		if (!check_all(1))
			return;
	}
}

TEST(failing_at_every_system_call)
{
	if (!TRACE_CAN_FAIL)
		SKIP("system calls can be made to fail on x86-64 only");
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++) {
		sweep_failures(&scenes[i], EIO);
		sweep_failures(&scenes[i], ENOSPC);
	}
}

/* ---- killed, and another boot before it can recover ---- */

enum boot {
	KEXEC,
	KEXEC_LOSES,
	COLD
};

static void check_boot(enum boot boot)
{
	/* What was not saved when the list was lost is lost; the rest must be sound. */
	if (boot == KEXEC_LOSES)
		return;
	if (boot == COLD) {
		check_all(2);
	} else {
		check_all(1);
	}
}

static void sweep_boots(const struct scene *scene, enum boot boot)
{
	int step = (int)test_step(3);

	for (int at = (int)(scene - scenes) % step; at < STOPS_MAX; at += step) {
		struct bytes saved, after;
		int rc;

		test_note("%s, killed at %d, boot %d", scene->name, at, boot);
		set_scene(scene);
		CHECK_EXPORT(scene->staged[0] ? 2 : 1); /* so that there is an epoch */
		measure_all(scene->current);
		rc = trace(export_quietly, TRACE_KILL, at, 0);
		if (rc == -3)
			SKIP("processes cannot be traced here");
		if (rc == -2)
			return;
		saved = store_bytes(1, "log");
		if (boot == COLD)
			do_cold_boot();
		else
			do_kexec(boot == KEXEC);
		measure_all("V");
		recover(boot != KEXEC_LOSES);
		after = store_bytes(1, "log");
		CHECK(after.size >= saved.size &&
		      memcmp(after.data, saved.data, saved.size) == 0);
		bytes_free(&saved);
		bytes_free(&after);
		check_boot(boot);
		if (test_now.failures)
			return;
	}
}

TEST(killed_and_then_a_kexec)
{
	sweep_boots(&scenes[0], KEXEC);
	sweep_boots(&scenes[1], KEXEC);
	sweep_boots(&scenes[2], KEXEC);
}

TEST(killed_and_then_a_kexec_that_loses_the_list)
{
	sweep_boots(&scenes[0], KEXEC_LOSES);
	sweep_boots(&scenes[1], KEXEC_LOSES);
}

TEST(killed_and_then_a_cold_boot)
{
	sweep_boots(&scenes[0], COLD);
	sweep_boots(&scenes[1], COLD);
}

/* ---- what crashes have left ---- */

static void link_in_epoch(const char *from, const char *to)
{
	char paths[2][512];

	snprintf(paths[0], sizeof(paths[0]), "%s/epoch-000001/%s", store_path, from);
	snprintf(paths[1], sizeof(paths[1]), "%s/epoch-000001/%s", store_path, to);
	CHECK_INT(link(paths[0], paths[1]), 0);
}

/* What the log has is removed when that is proved; what segments begin differently with is not. */
TEST(partial_files_go_when_they_are_saved)
{
	struct run run;

	machine_new();
	CHECK_EXPORT(1);
	measure_all("VaV");
	CHECK_EXPORT(1);
	measure_all("VV");
	CHECK_EXPORT(1);
	link_in_epoch("log.00000001", "partial.00000001.2");
	link_in_epoch("log.00000002", "partial.00000002.2");
	link_in_epoch("log.00000003", "partial.00000002.3");
	link_in_epoch("log.00000003", "partial.00000004");
	run = run_export();
	CHECK_INT(run.rc, 0);
	run_free(&run);
	CHECK(store_has("epoch-000001/partial.00000002.2"));
	/* Without the TPM's values nothing tells that the log has them. */
	measure('a');
	kernel->tpm_fails = true;
	run = run_export();
	CHECK_INT(run.rc, 1);
	run_free(&run);
	CHECK(store_has("epoch-000001/partial.00000002.2"));
	kernel->tpm_fails = false;
	measure('c');
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "'partial.00000002.2', what an interrupted run had begun"));
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
	run_free(&run);
	CHECK(!store_has("epoch-000001/partial.00000002.2"));
	CHECK(store_has("epoch-000001/partial.00000001.2"));
	CHECK(store_has("epoch-000001/partial.00000002.3"));
	CHECK(store_has("epoch-000001/partial.00000004"));
	check_whole(1);
}

/* As if it had been killed before there was a receipt */
static void make_orphan(unsigned int segment)
{
	struct run run = run_new();
	char path[512];

	do_stage();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	run_free(&run);
	snprintf(path, sizeof(path), "%s/epoch-000001/receipts/%08u.json", store_path,
		 segment);
	CHECK_INT(unlink(path), 0);
}

/* The next boot's list begins with the same bytes, or not: the one before has nothing else. */
TEST(the_first_segment_of_an_earlier_boot_is_kept)
{
	for (int i = 0; i < 2; i++) {
		struct bytes before, part = bytes_new(0);
		char path[512];
		struct run run;

		machine_new();
		measure_all(i ? "VV" : "");
		make_orphan(1);
		before = bytes_copy(kernel->bytes, kernel->at[kernel->nr]);
		do_cold_boot();
		measure('c');
		run = run_export();
		CHECK_INT(run.rc, 1);
		CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
		run_free(&run);
		check_whole(1);
		measure('d');
		CHECK_EXPORT(1);
		snprintf(path, sizeof(path), "%s/epoch-000001/partial.00000001", store_path);
		add_file(&part, path);
		CHECK_MEM(span_of_bytes(part), span_of_bytes(before));
		bytes_free(&part);
		bytes_free(&before);
	}
}

/* Somebody else has deleted them, and these are others: only a TPM could tell. */
TEST(the_same_bytes_without_a_tpm_are_kept)
{
	struct run run;

	machine_new();
	kernel->has_tpm = false;
	run = run_export();
	run_free(&run);
	measure_all("VV");
	make_orphan(2);
	do_delete();
	measure_all("VV");
	run = run_export();
	CHECK_INT(run.rc, 1);
	CHECK(run_said(&run, "nothing proves that these are the same records: it is kept"));
	CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0);
	run_free(&run);
	CHECK(store_has("epoch-000001/partial.00000002"));
}

TEST_MAIN(CASE(partial_files_go_when_they_are_saved),
	  CASE(the_first_segment_of_an_earlier_boot_is_kept),
	  CASE(the_same_bytes_without_a_tpm_are_kept),
	  CASE(killed_at_every_system_call), CASE(killed_without_a_tpm), CASE(killed_twice),
	  CASE(killed_and_others_delete_and_stage_the_same),
	  CASE(failing_at_every_system_call), CASE(killed_and_then_a_kexec),
	  CASE(killed_and_then_a_kexec_that_loses_the_list), CASE(killed_and_then_a_cold_boot))
