/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to say how many of the first records are to leave the list. */
#ifndef TEST_TRIM_H
#define TEST_TRIM_H

#include "machine.h"

TEST_FN struct run run_trim(uint64_t records)
{
	struct run run = run_new();

	run.rc = imalog_export_trim(run.export, records, run.error);
	return run;
}

/* Trims, which must do so many segments and say nothing bad. */
#define CHECK_TRIM(records, segments)                                       \
	do {                                                                \
		struct run run_ = run_trim(records);                        \
		if (!CHECK_INT(run_.rc, segments) ||                        \
		    !CHECK_INT(run_notes(&run_, IMALOG_NOTE_WRONG), 0) ||   \
		    !CHECK_INT(run_notes(&run_, IMALOG_NOTE_UNCHECKED), 0)) \
			run_show(&run_);                                    \
		run_free(&run_);                                            \
	} while (0)

/* One whose request fails; is all @done the same? */
TEST_FN void fail_trim(uint64_t records, bool done)
{
	struct run run;

	kernel->discard_errno = EIO;
	kernel->discards_all_the_same = done;
	run = run_trim(records);
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	run_free(&run);
	kernel->discards_all_the_same = false;
}

TEST_FN int trim_to(uint64_t record)
{
	struct run run = run_new();
	int rc = imalog_export_trim_to(run.export, record, run.error);

	run_free(&run);
	return rc;
}

struct seen {
	uint64_t records, to;
	int rc;
};

TEST_FN void see(void *arg, const struct imalog_record *record)
{
	struct seen *seen = arg;

	CHECK_INT(imalog_record_number(record), ++seen->records);
}

TEST_FN int say(void *arg, uint64_t *record)
{
	const struct seen *seen = arg;

	CHECK(kernel->held);
	*record = seen->to;
	return seen->rc < 0 ? -IMALOG_ERR_INVALID : 0;
}

TEST_FN int trim_replayed(struct seen *seen)
{
	struct run run = run_new();
	struct imalog_replay *replay = imalog_replay_new();
	int rc;

	seen->records = 0;
	imalog_replay_on_record(replay, see, seen);
	rc = imalog_export_trim_replayed(run.export, replay, say, seen, run.error);
	imalog_replay_free(&replay);
	run_free(&run);
	return rc;
}

#endif /* TEST_TRIM_H */
