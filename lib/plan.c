// SPDX-License-Identifier: LGPL-2.1-or-later
/* Plans: pieces, in order, that are one log. */
#include "merge.h"

size_t imalog_plan_parts(const struct imalog_plan *plan)
{
	return plan->nr_parts;
}

const char *imalog_plan_name(const struct imalog_plan *plan, size_t i)
{
	return plan->pieces[plan->parts[i].piece].name;
}

enum imalog_part_kind imalog_plan_kind(const struct imalog_plan *plan, size_t i)
{
	return plan->pieces[plan->parts[i].piece].kind;
}

uint64_t imalog_plan_skip(const struct imalog_plan *plan, size_t i)
{
	return plan->parts[i].skip;
}

int imalog_plan_open(const struct imalog_plan *plan, size_t i, int *fd,
		     struct imalog_error *reterr)
{
	const struct imalog_piece *piece = &plan->pieces[plan->parts[i].piece];

	return piece->open(piece->arg, piece->i, fd, reterr);
}
