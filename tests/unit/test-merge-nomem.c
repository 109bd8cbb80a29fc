// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/merge*.c: memory runs out at every single place where a merge takes some.  The answer is
 * IMALOG_ERR_NOMEM each time, and nothing leaks.
 */
#include "merge.h"
#include "nomem.h"

static struct bytes bytes;
static struct parsed staged;

/* What a merge of three pieces comes to; pieces and values are made before memory is short. */
static int merge_once(const int fds[3], bool receipts, struct trial *trial)
{
	struct imalog_error *error = trial->error;
	int rc = 0;

	trial->templates = imalog_templates_new();
	trial->merge = imalog_merge_new(trial->templates);
	if (!trial->templates || !trial->merge)
		return imalog_fail_nomem(error);
	for (size_t i = 0; rc == 0 && i < 3; i++)
		rc = imalog_merge_add_fd(trial->merge, fds[i], "piece", error);
	if (rc == 0 && receipts)
		rc = imalog_merge_add_receipts(trial->merge, receipts_path, error);
	imalog_merge_set_anchor(trial->merge, trial_prepare, trial);
	imalog_merge_set_output(trial->merge, IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE, trial_write,
				trial_restart, trial);
	return rc < 0 ? rc : imalog_merge_run(trial->merge, &trial->result, error);
}

static void sweep(bool receipts, long step)
{
	const size_t cuts[] = { 0, 9, 14, 24 };
	struct trial trial = { .banks = { true, true }, .error = imalog_error_new() };
	int fds[3];

	for (size_t i = 0; i < 3; i++) {
		struct imalog_span piece = recs_of(&staged, cuts[2 - i], cuts[3 - i]);

		fds[i] = memfd_create("piece", MFD_CLOEXEC);
		if (write(fds[i], piece.data, piece.size) != (ssize_t)piece.size)
			BAIL_OUT("cannot make a piece");
		write_receipt(receipts_path, &staged,
			      (struct receipt_text){ .segment = (unsigned int)(3 - i),
						     .from = cuts[2 - i],
						     .to = cuts[3 - i] });
	}
	trial_expect(&trial, &staged, 24);
	put(&trial.out, bytes.data, bytes.size); /* so that it need not grow */
	for (long left = 0;; left += step) {
		long live = memory.live;
		int rc;

		trial.out.size = 0;
		memory.failed = false;
		memory.left = left;
		rc = merge_once(fds, receipts, &trial);
		memory.left = -1;
		imalog_merge_free(&trial.merge);
		imalog_templates_free(&trial.templates);
		test_note("allocation %ld", left);
		CHECK_INT(memory.live, live);
		if (!memory.failed) {
			CHECK_INT(rc, 0);
			CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
			break;
		}
		CHECK_INT(rc, -IMALOG_ERR_NOMEM);
	}
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
	trial_free(&trial);
}

TEST(with_receipts)
{
	sweep(true, 1);
}

TEST(without_receipts)
{
	sweep(false, (long)test_step(3));
}

int main(int argc, char **argv)
{
	static const struct test_case tests[] = {
		CASE(with_receipts),
		CASE(without_receipts),
	};
	int rc;

	bytes = bytes_of_file("rig/ng/binary_runtime_measurements");
	staged = parse_log(span_of_bytes(bytes));
	make_receipts_dir();
	rc = test_all(tests, IMALOG_ARRAY_SIZE(tests), argc, argv);
	empty_receipts_dir(true);
	parsed_free(&staged);
	bytes_free(&bytes);
	return rc;
}
