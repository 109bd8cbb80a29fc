/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A follower of the unit tests' machine, and what must always hold for it: what is known is
 * the beginning of what was really measured, and no less than before.
 */
#ifndef TEST_FOLLOWING_H
#define TEST_FOLLOWING_H

#include "crash.h"
#include "follow.h"

TEST_FN const struct imalog_shape binary = { .alg = IMALOG_ALG_SHA1 };
TEST_FN const struct imalog_shape ascii = { .ascii = true, .alg = IMALOG_ALG_SHA1 };

struct follow {
	struct imalog_follower *follower;
	struct imalog_error *error;
	uint64_t size; /* that was known */
	int rc;
};

TEST_FN struct follow follow_new(void)
{
	struct follow follow = { imalog_follower_new("", store_path), imalog_error_new(), 0, 0 };

	if (!follow.follower || !follow.error)
		BAIL_OUT("no memory");
	follow.follower->view->export->world = &fake_world;
	return follow;
}

TEST_FN void follow_free(struct follow *follow)
{
	imalog_follower_free(&follow->follower);
	imalog_error_free(&follow->error);
}

/* All that is known of a list, in pieces of @step bytes */
TEST_FN struct bytes known_bytes(struct follow *follow, const struct imalog_shape *shape,
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
TEST_FN bool check_known(struct follow *follow)
{
	struct bytes all = known_bytes(follow, &binary, 4096);
	bool ok = CHECK(all.size >= follow->size) && CHECK(all.size <= kernel->at[kernel->nr]) &&
		  CHECK_MEM(span_of_bytes(all), span_of(kernel->bytes, all.size));

	follow->size = all.size;
	bytes_free(&all);
	return ok;
}

/* After a look: if nothing is in doubt, it is all. */
TEST_FN bool check_look(struct follow *follow)
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
TEST_FN bool check_all_known(struct follow *follow)
{
	bool ok = check_look(follow) && CHECK(follow->rc >= 0) &&
		  CHECK(!imalog_follower_is_doubtful(follow->follower));

	if (!ok && follow->rc < 0)
		printf("# %s\n", imalog_error_detail(follow->error));
	return ok;
}

/* What is staged, and the list */
TEST_FN void export_all(void)
{
	struct run run = run_export();

	CHECK(run.rc >= 1);
	run_free(&run);
}

#endif /* TEST_FOLLOWING_H */
