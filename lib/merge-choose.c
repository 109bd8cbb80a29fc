// SPDX-License-Identifier: LGPL-2.1-or-later
/* Of several plans the one that leads to the anchor: a pass over the records tells. */
#include <inttypes.h>
#include <stdlib.h>

#include "merge-engine.h"

static enum imalog_merge_result result_of(const struct imalog_merge *merge,
					  const struct imalog_merge_pass *pass)
{
	if (pass->broken != IMALOG_NOWHERE)
		return IMALOG_MERGE_MALFORMED;
	if (pass->contradicts || pass->misfit != IMALOG_NOWHERE ||
	    pass->verdict == IMALOG_MISMATCH)
		return IMALOG_MERGE_BROKEN;
	if (!merge->anchored)
		return merge->joined ? IMALOG_MERGE_RECEIPTS : IMALOG_MERGE_GIVEN;
	return pass->verdict == IMALOG_MATCH ? IMALOG_MERGE_PROVED : IMALOG_MERGE_UNCHECKED;
}

/* Writes this one, and takes what came of it. */
static int settle(struct imalog_merge *merge, struct imalog_plan *plan,
		  struct imalog_error *error)
{
	struct imalog_merge_pass pass = {
		.merge = merge, .plan = plan, .write = true
	};
	int rc = imalog_merge_pass(&pass, error);

	if (rc == 0) {
		merge->result = result_of(merge, &pass);
		merge->misfit = pass.misfit;
		rc = imalog_plan_take(merge, plan, &pass, error);
	}
	if (rc == 0 && merge->result == IMALOG_MERGE_PROVED)
		rc = imalog_doubt_plan(merge, &pass, error);
	imalog_merge_pass_free(&pass);
	return rc;
}

/* What one comes to; those that lead to the anchor are kept in words. */
static int try_plan(struct imalog_merge *merge, struct imalog_plan *plan,
		    enum imalog_merge_result *ret, struct imalog_error *error)
{
	struct imalog_merge_pass pass = { .merge = merge, .plan = plan };
	int rc = imalog_merge_pass(&pass, error);

	if (rc == 0) {
		*ret = result_of(merge, &pass);
		if (*ret == IMALOG_MERGE_PROVED)
			rc = imalog_plan_say(merge, plan, imalog_replay_records(pass.replay),
					     error);
	}
	imalog_merge_pass_free(&pass);
	return rc;
}

int imalog_choose(struct imalog_merge *merge, struct imalog_choice *choice,
		  struct imalog_error *error)
{
	size_t chosen = 0, proved = 0;
	bool unchecked = false;
	int rc = 0;

	if (choice->nr == 1)
		return settle(merge, &choice->plans[0], error);
	for (size_t i = 0; rc == 0 && i < choice->nr; i++) {
		enum imalog_merge_result result = IMALOG_MERGE_BROKEN;

		rc = try_plan(merge, &choice->plans[i], &result, error);
		unchecked |= result == IMALOG_MERGE_UNCHECKED;
		if (result != IMALOG_MERGE_PROVED)
			continue;
		chosen = i;
		proved++;
	}
	if (rc < 0)
		return rc;
	if (proved == 1) {
		imalog_notes_free(&merge->candidates);
		return settle(merge, &choice->plans[chosen], error);
	}
	merge->result = proved ? IMALOG_MERGE_AMBIGUOUS : IMALOG_MERGE_BROKEN;
	if (!proved && unchecked)
		merge->result = IMALOG_MERGE_UNCHECKED;
	return 0;
}

void imalog_choice_free(struct imalog_choice *choice)
{
	for (size_t i = 0; i < choice->nr; i++)
		free(choice->plans[i].parts);
	free(choice->plans);
}
