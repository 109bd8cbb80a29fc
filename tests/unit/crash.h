/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine must have when something was killed, or failed, and was recovered from. */
#ifndef TEST_CRASH_H
#define TEST_CRASH_H

#include "trace.h"
#include "look.h"

#define STOPS_MAX 5000

/* After it was killed: the kernel closes what a dead process had open. */
TEST_FN void recover(bool clean)
{
	struct run run;

	kernel->held = false;
	if (clean)
		check_view();
	else if (!kernel->has_tpm)
		check_view_loses_nothing();
	run = run_export();
	if (!CHECK(run.rc >= 0) ||
	    (clean && !CHECK_INT(run_notes(&run, IMALOG_NOTE_WRONG), 0)))
		run_show(&run);
	CHECK(store_has("current"));
	run_free(&run);
}

/* Bytes of records that are all there, in their order, whatever is between them */
TEST_FN bool check_nothing_lost(unsigned int epoch)
{
	struct bytes all = whole_log(epoch, true);
	size_t at = 0;
	bool ok = true;

	for (size_t i = 0; i < kernel->nr && ok; i++) {
		size_t size = kernel->at[i + 1] - kernel->at[i];
		uint8_t *found = memmem(all.data + at, all.size - at,
					kernel->bytes + kernel->at[i], size);

		ok = CHECK(found != NULL);
		if (found)
			at = (size_t)(found - all.data) + size;
	}
	bytes_free(&all);
	return ok;
}

/* Is there a receipt that says so? */
TEST_FN bool receipt_says(uint64_t segment, const char *text)
{
	struct bytes bytes = bytes_new(0);
	char path[512];
	bool found;

	snprintf(path, sizeof(path), "%s/epoch-000001/receipts/%08u.json", store_path,
		 (unsigned int)segment);
	add_file(&bytes, path);
	found = bytes.size && memmem(bytes.data, bytes.size, text, strlen(text));
	bytes_free(&bytes);
	return found;
}

/* Everything is there once, leads to the TPM's values, and nothing is in doubt. */
TEST_FN bool check_all(unsigned int epoch)
{
	bool ok = check_whole(epoch) && check_epoch(epoch);

	for (uint64_t i = 1; epoch == 1 && i < 10; i++)
		ok = ok && CHECK(!receipt_says(i, "may_repeat"));
	return ok;
}

#endif /* TEST_CRASH_H */
