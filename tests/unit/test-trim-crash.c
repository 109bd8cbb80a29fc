// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/export*.c, lib/export-trim.c: whoever takes the first records of the list and is killed
 * before and after every system call, or whose every system call fails, loses nothing and
 * doubles nothing
 *
 * Lists have identical violations first, last and side by side, so that what was deleted and
 * what comes next have the same bytes.
 */
#include "crash.h"

/* What a machine has been through, and what is taken from its list */
static const struct scene {
	const char *name;
	const char *exported, *current;
	uint64_t trim; /* so many records; 0: all, in slices */
	uint64_t slice;
	bool cannot_stage;
} scenes[] = {
	{ "the first violations of the first list", "", "VVaVV", 3, 0, false },
	{ "half of a list that is one record", "VV", "VVVV", 2, 0, false },
	{ "all of it", "VV", "VV", 2, 0, false },
	{ "one of two", "V", "VV", 1, 0, true },
	{ "slices", "VV", "VVVVV", 0, 2, false },
	{ "slices, and no staging", "VV", "VVVV", 0, 2, true },
};

static const struct scene *playing;

static int play(void)
{
	struct run run = run_new();
	int rc;

	imalog_export_set_slice(run.export, playing->slice);
	rc = playing->trim ? imalog_export_trim(run.export, playing->trim, run.error) :
			     imalog_export_run(run.export, run.error);
	run_free(&run);
	return rc < 0 ? 1 : 0;
}

static void set_scene(const struct scene *scene, bool tpm)
{
	playing = scene;
	machine_new();
	kernel->has_tpm = tpm;
	kernel->cannot_stage = scene->cannot_stage;
	if (scene->exported[0]) {
		struct run run = run_export();

		measure_all(scene->exported);
		run_free(&run);
		run = run_export();
		CHECK_INT(run.rc, 1);
		run_free(&run);
	}
	measure_all(scene->current);
}

static bool check_machine(bool tpm)
{
	return tpm ? check_all(1) : check_nothing_lost(1);
}

/* How much of what the scene takes was taken, when it is over? */
static bool check_exact(void)
{
	size_t all = strlen(playing->current) + (playing->exported[0] ? 0 : 1);

	return !playing->trim || CHECK(kernel->nr_current == all ||
				       kernel->nr_current == all - playing->trim);
}

/* ---- killed ---- */

static bool can_trace(int rc)
{
	if (rc == -3)
		snprintf(test_now.skipped, sizeof(test_now.skipped),
			 "processes cannot be traced here");
	return rc != -3;
}

static void sweep_kills(const struct scene *scene, bool tpm, int step)
{
	for (int at = (int)(scene - scenes) % step; at < STOPS_MAX; at += step) {
		int rc;

		test_note("%s, killed at %d", scene->name, at);
		set_scene(scene, tpm);
		rc = trace(play, TRACE_KILL, at, 0);
		if (!can_trace(rc) || rc == -2)
			return;
		CHECK_INT(rc, -1);
		if (!check_exact())
			return;
		recover(tpm);
		if (!check_machine(tpm))
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

/* A trim of so many records, which must be refused, or take exactly these */
static bool trim_again(uint64_t records, bool refused)
{
	struct run run = run_new();
	size_t before = kernel->nr_current;
	bool ok;

	run.rc = imalog_export_trim(run.export, records, run.error);
	ok = CHECK(refused ? run.rc == -IMALOG_ERR_INVALID : run.rc >= 1) &&
	     CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0) &&
	     CHECK_INT(before - kernel->nr_current, refused ? 0 : records);
	if (!ok)
		run_show(&run);
	run_free(&run);
	return ok;
}

/*
 * What was interrupted is finished by a trim as well, which takes exactly its own records of the
 * list as it is then; or refuses, when more of them are saved and still there.
 */
static void sweep_trims(const struct scene *scene)
{
	for (int at = 0; at < STOPS_MAX; at++) {
		size_t before;
		bool there;
		int rc;

		test_note("%s, killed at %d, and trimmed", scene->name, at);
		set_scene(scene, true);
		before = kernel->nr_current;
		rc = trace(play, TRACE_KILL, at, 0);
		if (!can_trace(rc) || rc == -2)
			return;
		kernel->held = false;
		there = kernel->nr_current == before &&
			receipt_says(scene->exported[0] ? 3 : 1, "\"state\"");
		measure_all("VVV");
		if (!trim_again(1, there && scene->trim > 1) || !check_whole(1))
			return;
		if (!trim_again(scene->trim, false) || !check_whole(1))
			return;
		recover(true);
		if (!check_all(1))
			return;
	}
}

/* Up to a record it is the same record, however often it was interrupted. */
static void sweep_targets(const struct scene *scene)
{
	size_t all = strlen(scene->current) + (scene->exported[0] ? 0 : 1);
	uint64_t to = scene->trim + (scene->exported[0] ? 1 + strlen(scene->exported) : 0);

	for (int at = 0; at < STOPS_MAX; at++) {
		struct run run;
		int rc;

		test_note("%s, killed at %d, and trimmed to %d", scene->name, at, (int)to);
		set_scene(scene, true);
		rc = trace(play, TRACE_KILL, at, 0);
		if (!can_trace(rc) || rc == -2)
			return;
		kernel->held = false;
		run = run_new();
		run.rc = imalog_export_trim_to(run.export, to, run.error);
		if (!CHECK(run.rc >= 0) || !CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0))
			run_show(&run);
		run_free(&run);
		CHECK_INT(kernel->nr_current, all - scene->trim);
		if (!check_whole(1))
			return;
	}
}

TEST(killed_and_trimmed_to_the_same_record)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++)
		if (scenes[i].trim)
			sweep_targets(&scenes[i]);
}

TEST(killed_and_trimmed_again)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++)
		if (scenes[i].trim)
			sweep_trims(&scenes[i]);
}

/* Killed once, and again while it recovers; false when @first is too large */
static bool kill_twice(const struct scene *scene, int first, int from, int step, bool deleting)
{
	for (int second = from; second < STOPS_MAX; second += step) {
		int rc;

		test_note("%s, killed at %d and %d", scene->name, first, second);
		set_scene(scene, true);
		rc = trace(play, TRACE_KILL, first, 0);
		if (!can_trace(rc) || rc == -2)
			return false;
		if (deleting && !receipt_says(3, "\"deleting\""))
			return true;
		kernel->held = false;
		measure_all("V");
		if (trace(play, TRACE_KILL, second, 0) == -2)
			return true;
		recover(true);
		if (!check_all(1))
			return false;
	}
	return true;
}

TEST(killed_twice)
{
	/* All pairs of moments would take hours. */
	int step = test_step(13) == 1 ? 3 : 13;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++)
		for (int first = (int)i;
		     first < STOPS_MAX && kill_twice(&scenes[i], first, first % 7, step, false);
		     first += step)
			;
}

/* Around the deletion, all of them: two segments may be gone, or one, or none. */
TEST(killed_twice_while_it_deletes)
{
	for (int first = 0;
	     first < STOPS_MAX && kill_twice(&scenes[1], first, 0, 1, true); first++)
		;
}

/* ---- killed, and somebody else is quicker ---- */

enum other {
	DELETES, /* what is saved, and the same is measured once more */
	STAGES,
};

static void interfere(const struct scene *scene, enum other other, size_t before)
{
	bool saved = receipt_says(scene->exported[0] ? 3 : 1, "\"state\"");

	if (other == DELETES && saved && kernel->nr_current == before)
		do_trim(scene->trim);
	if (other == STAGES && !scene->cannot_stage)
		do_stage();
	measure_all(scene->current);
}

static void sweep_others(const struct scene *scene, enum other other, bool tpm)
{
	int step = tpm ? 1 : (int)test_step(3);

	for (int at = (int)(scene - scenes) % step; at < STOPS_MAX; at += step) {
		size_t before;
		int rc;

		test_note("%s, killed at %d, and others: %d", scene->name, at, other);
		set_scene(scene, tpm);
		before = kernel->nr_current;
		rc = trace(play, TRACE_KILL, at, 0);
		if (!can_trace(rc) || rc == -2)
			return;
		kernel->held = false;
		interfere(scene, other, before);
		recover(tpm);
		if (!check_machine(tpm))
			return;
	}
}

TEST(killed_and_others_delete_the_same)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++) {
		if (!scenes[i].trim)
			continue;
		sweep_others(&scenes[i], DELETES, true);
		sweep_others(&scenes[i], DELETES, false);
	}
}

TEST(killed_and_others_stage)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++) {
		sweep_others(&scenes[i], STAGES, true);
		sweep_others(&scenes[i], STAGES, false);
	}
}

/* ---- failing ---- */

static void sweep_failures(const struct scene *scene, int os_errno)
{
	int step = (int)test_step(3);

	for (int at = (int)(scene - scenes) % step; at < STOPS_MAX; at += step) {
		int rc;

		test_note("%s, %s at %d", scene->name, strerror(os_errno), at);
		set_scene(scene, true);
		rc = trace(play, TRACE_FAIL, at, os_errno);
		if (!can_trace(rc) || rc == -2)
			return;
		CHECK(rc == 0 || rc == 1);
		check_exact();
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

static void sweep_kexecs(const struct scene *scene, bool trims)
{
	int step = (int)test_step(2);

	for (int at = (int)(scene - scenes) % step; at < STOPS_MAX; at += step) {
		size_t before;
		int rc;

		test_note("%s, killed at %d, and a kexec", scene->name, at);
		set_scene(scene, true);
		rc = trace(play, TRACE_KILL, at, 0);
		if (!can_trace(rc) || rc == -2)
			return;
		/* Without a store nobody knows of another boot. */
		if (!scene->exported[0] && !receipt_says(1, "\"state\""))
			continue;
		do_kexec(true);
		measure_all("VV");
		if (trims) {
			struct run run = run_new();

			before = kernel->nr_current;
			run.rc = imalog_export_trim(run.export, 1, run.error);
			if (!CHECK(run.rc >= 1 || run.rc == -IMALOG_ERR_INVALID))
				run_show(&run);
			CHECK_INT(before - kernel->nr_current, run.rc >= 1);
			run_free(&run);
			check_whole(1);
		}
		recover(true);
		if (!check_all(1))
			return;
	}
}

TEST(killed_and_then_a_kexec)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(scenes); i++)
		sweep_kexecs(&scenes[i], i % 2 == 0);
}

TEST_MAIN(CASE(killed_at_every_system_call), CASE(killed_without_a_tpm),
	  CASE(killed_and_trimmed_to_the_same_record), CASE(killed_and_trimmed_again),
	  CASE(killed_twice),
	  CASE(killed_twice_while_it_deletes),
	  CASE(killed_and_others_delete_the_same), CASE(killed_and_others_stage),
	  CASE(failing_at_every_system_call), CASE(killed_and_then_a_kexec))
