// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/export*.c: memory runs out at every single place where an export takes some.  Nothing is
 * lost or doubled, the next one finishes it, and what was found out is never passed over as if
 * all were well.
 *
 * What kernel and TPM of the test allocate does not count, nor what shared libraries do.
 */
#include "nomem.h"
#include "crash.h"

/* ---- a machine that has memory ---- */

static struct imalog_source *rich_source(struct imalog_staging *staging,
					 struct imalog_error *error)
{
	long left = memory.left;
	struct imalog_source *source;

	memory.left = -1;
	source = fake_source(staging, error);
	memory.left = left;
	return source;
}

static struct imalog_source *rich_list(struct imalog_staging *staging,
				       struct imalog_error *error)
{
	long left = memory.left;
	struct imalog_source *source;

	memory.left = -1;
	source = fake_list(staging, error);
	memory.left = left;
	return source;
}

static int rich_discard(struct imalog_staging *staging, const struct imalog_receipt *receipt,
			struct imalog_error *error)
{
	long left = memory.left;
	int rc;

	memory.left = -1;
	rc = fake_discard(staging, receipt, error);
	memory.left = left;
	return rc;
}

static int rich_open_list(const char *root, bool staged, unsigned int wait_ms, int *fd,
			  struct imalog_error *error)
{
	long left = memory.left;
	int rc;

	memory.left = -1;
	rc = fake_open_list(root, staged, wait_ms, fd, error);
	memory.left = left;
	return rc;
}

static int rich_read_tpm(const struct imalog_export *export, bool quote,
			 struct imalog_witness *ret, struct imalog_error *error)
{
	long left = memory.left;
	int rc;

	memory.left = -1;
	rc = fake_read_tpm(export, quote, ret, error);
	memory.left = left;
	return rc;
}

/* An export for which so many allocations succeed */
static struct run run_with(long allocations)
{
	struct imalog_world world = fake_world;
	struct run run = run_new();

	world.source = rich_source;
	world.list = rich_list;
	world.discard = rich_discard;
	world.open_list = rich_open_list;
	world.read_tpm = rich_read_tpm;
	run.export->world = &world;
	memory.failed = false;
	memory.left = allocations;
	run.rc = imalog_export_run(run.export, run.error);
	memory.left = -1;
	run.export->world = &fake_world;
	return run;
}

/* ---- what it has been through ---- */

enum scene {
	FIRST,
	AGAIN,	  /* the same list as before */
	SAVED,	  /* and staged */
	DOUBTFUL, /* saved twice: the first was deleted, or was not */
	SCENES,
};

static void set_scene(enum scene scene)
{
	struct run run;

	machine_new();
	if (scene == FIRST) {
		measure_all("VaV");
		return;
	}
	CHECK_EXPORT(1);
	measure_all("VV");
	if (scene == AGAIN)
		CHECK_EXPORT(1);
	measure_all(scene == AGAIN ? "VV" : "");
	if (scene == AGAIN)
		return;
	do_stage();
	run = run_new();
	CHECK_INT(imalog_export_save(run.export, run.error), 1);
	/* The kernel's count does not tell that it is the same any more. */
	kernel->violations += scene == DOUBTFUL;
	if (scene == DOUBTFUL)
		CHECK_INT(imalog_export_save(run.export, run.error), 1);
	CHECK(store_has("epoch-000001/pending.00000003") == (scene == DOUBTFUL));
	run_free(&run);
	measure_all("VV");
}

/* The next place; false when there was memory for all of it */
static bool next(struct run *run, enum scene scene, long at)
{
	test_note("scene %d, %ld allocations", (int)scene, at);
	set_scene(scene);
	*run = run_with(at);
	return memory.failed;
}

TEST(memory_runs_out_anywhere)
{
	long step = (long)test_step(7);

	for (int scene = 0; scene < SCENES; scene++) {
		struct run run;
		long at = scene % step;

		for (; next(&run, (enum scene)scene, at); at += step) {
			if (!CHECK(run.rc >= 0 ||
				   imalog_error_code(run.error) == IMALOG_ERR_NOMEM))
				run_show(&run);
			run_free(&run);
			recover(true);
			if (!check_all(1))
				return;
		}
		CHECK(run.rc > 0);
		CHECK(at > 50);
		run_free(&run);
	}
}

/* What does not fit is said, or that something is not said: never nothing. */
TEST(memory_runs_out_for_what_is_found)
{
	static const uint8_t foreign[IMALOG_DIGEST_MAX] = { 1 };
	long step = (long)test_step(7);
	bool lost = false;

	for (long at = 0;; at += step) {
		struct run run;
		bool enough;

		test_note("%ld allocations", at);
		set_scene(AGAIN);
		for (size_t b = 0; b < MACHINE_BANKS; b++)
			tpm_extend(b, foreign);
		run = run_with(at);
		enough = !memory.failed;
		lost |= run_said(&run, "out of memory: not all that was found can be said");
		if (run.rc >= 0 && !CHECK(run_notes(&run, IMALOG_NOTE_WRONG) ||
					  run_notes(&run, IMALOG_NOTE_UNCHECKED)))
			run_show(&run);
		run_free(&run);
		if (enough)
			break;
	}
	CHECK(lost || step > 1);
}

TEST_MAIN(CASE(memory_runs_out_anywhere), CASE(memory_runs_out_for_what_is_found))
