// SPDX-License-Identifier: GPL-2.0-or-later
/* The search for the records that a quote covers, while they are replayed. */
#include "quote.h"

void quote_on_record(void *arg, const struct imalog_record *record)
{
	struct verify *verify = arg;
	uint32_t pcr = imalog_record_pcr(record);
	uint64_t number = imalog_record_number(record);

	if (!imalog_record_is_nv(record) && imalog_record_is_measured(record) &&
	    !verify->first_record[pcr])
		verify->first_record[pcr] = number;
	imalog_quote_match_feed(verify->match, record);
}

bool quote_log_extends(const struct verify *verify, uint32_t pcr)
{
	uint64_t at = imalog_quote_match_at(verify->match);

	return verify->first_record[pcr] && (at == 0 || verify->first_record[pcr] <= at);
}

static void on_problem(void *arg, const struct imalog_record *record,
		       enum imalog_problem problem)
{
	struct verify *verify = arg;

	if (problem == IMALOG_PROBLEM_OPAQUE || problem == IMALOG_PROBLEM_UNCHECKED ||
	    verify->bad_record)
		return;
	verify->bad_record = imalog_record_number(record);
	verify->bad_problem = problem;
}

int quote_prepare_match(struct verify *verify)
{
	int rc = compare_apply_start(&verify->compare, verify->replay);

	if (rc != EXIT_YES)
		return rc;
	if (verify->allow_opaque)
		imalog_replay_allow_opaque(verify->replay);
	rc = imalog_quote_match_new(verify->quote, verify->replay, verify->others, &verify->match,
				    verify->error);
	if (rc < 0)
		return quote_failed(verify, NULL, rc);
	imalog_replay_on_record(verify->replay, quote_on_record, verify);
	imalog_replay_on_problem(verify->replay, on_problem, verify);
	return EXIT_YES;
}
