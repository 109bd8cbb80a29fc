// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Replay: from records to PCR values, and where they equal what is expected
 *
 * PCR := H(PCR || template digest) for each record (ima_pcr_extend, ima_queue.c).  Template
 * digests are always computed from the data, never taken from the log, in batches; only the
 * chain of extends is serial.  A violation extends ff..ff.
 */
#include <stdlib.h>
#include <string.h>

#include "eventlog.h"
#include "replay.h"

struct imalog_replay *imalog_replay_new(void)
{
	struct imalog_replay *replay = calloc(1, sizeof(*replay));

	if (!replay)
		return NULL;
	replay->start = imalog_pcrs_new();
	replay->expected = imalog_pcrs_new();
	replay->offered = imalog_pcrs_new();
	replay->hasher = imalog_hasher_new();
	if (!replay->start || !replay->expected || !replay->offered || !replay->hasher)
		imalog_replay_free(&replay);
	return replay;
}

void imalog_replay_free(struct imalog_replay **ptr)
{
	struct imalog_replay *replay = ptr ? *ptr : NULL;

	if (!replay)
		return;
	for (int alg = 0; alg < IMALOG_ALG_COUNT; alg++)
		for (int pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++)
			free(replay->chains[alg][pcr]);
	imalog_pcrs_free(&replay->start);
	imalog_pcrs_free(&replay->expected);
	imalog_pcrs_free(&replay->offered);
	imalog_hasher_free(&replay->hasher);
	free(replay->scratch.data);
	free(replay->markers.checks);
	free(replay);
	*ptr = NULL;
}

int imalog_replay_add_bank(struct imalog_replay *replay, enum imalog_alg alg,
			   struct imalog_error *reterr)
{
	if (imalog_alg_size(alg) == 0)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "", "unknown hash algorithm %d",
				   (int)alg);
	if (replay->begun)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "", "the replay has begun already");
	replay->banks[alg] = true;
	return 0;
}

void imalog_replay_set_padding(struct imalog_replay *replay, enum imalog_padding padding)
{
	replay->padding = padding;
}

void imalog_replay_allow_opaque(struct imalog_replay *replay)
{
	replay->allow_opaque = true;
}

static int add_value(struct imalog_replay *replay, struct imalog_pcrs *pcrs, enum imalog_alg alg,
		     uint32_t pcr, struct imalog_span value, struct imalog_error *error)
{
	if (replay->begun)
		return imalog_fail(error, IMALOG_ERR_INVALID, "", "the replay has begun already");
	if (pcr > IMALOG_PCR_MAX)
		return imalog_fail(error, IMALOG_ERR_INVALID, "",
				   "PCR %u exceeds the largest possible one, %d", pcr,
				   IMALOG_PCR_MAX);
	return imalog_pcrs_set(pcrs, alg, pcr, value, error);
}

int imalog_replay_start(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
			struct imalog_span value, struct imalog_error *reterr)
{
	return add_value(replay, replay->start, alg, pcr, value, reterr);
}

int imalog_replay_expect(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
			 struct imalog_span value, struct imalog_error *reterr)
{
	int rc = add_value(replay, replay->expected, alg, pcr, value, reterr);

	if (rc == 0)
		replay->banks[alg] = true;
	return rc;
}

int imalog_replay_offer(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
			struct imalog_span value, struct imalog_error *reterr)
{
	int rc = 0;

	if (!imalog_pcrs_get(replay->expected, alg, pcr))
		rc = add_value(replay, replay->offered, alg, pcr, value, reterr);
	return rc < 0 ? rc : imalog_replay_expect(replay, alg, pcr, value, reterr);
}

void imalog_replay_on_problem(struct imalog_replay *replay, imalog_problem_fn fn, void *arg)
{
	replay->on_problem = fn;
	replay->problem_arg = arg;
}

void imalog_replay_on_record(struct imalog_replay *replay, imalog_record_fn fn, void *arg)
{
	replay->on_record = fn;
	replay->record_arg = arg;
}

static struct imalog_chain *chain_of(struct imalog_replay *replay, enum imalog_alg alg,
				     uint32_t pcr)
{
	struct imalog_chain **chain = &replay->chains[alg][pcr];

	if (!*chain)
		*chain = imalog_chain_new(alg, pcr, imalog_pcrs_get(replay->start, alg, pcr),
					  imalog_pcrs_get(replay->expected, alg, pcr),
					  replay->padding);
	if (*chain)
		(*chain)->believes = replay->allow_opaque;
	if (*chain && replay->every_variant && replay->padding == IMALOG_PADDING_AUTO)
		imalog_chain_compute_padded(*chain);
	return *chain;
}

struct imalog_setup imalog_replay_setup(const struct imalog_replay *replay)
{
	return (struct imalog_setup){ replay->expected, replay->start, replay->padding,
				      replay->allow_opaque };
}

int imalog_replay_compute_every_variant(struct imalog_replay *replay, struct imalog_error *error)
{
	if (replay->begun)
		return imalog_fail(error, IMALOG_ERR_INVALID, "", "the replay has begun already");
	replay->every_variant = true;
	return 0;
}

/* From here on the expected values do not move: chains point at them. */
static int begin(struct imalog_replay *replay, struct imalog_error *error)
{
	replay->begun = true;
	for (size_t i = 0; i < imalog_pcrs_count(replay->expected); i++) {
		enum imalog_alg alg;
		uint32_t pcr;

		imalog_pcrs_at(replay->expected, i, &alg, &pcr);
		if (!chain_of(replay, alg, pcr))
			return imalog_fail_nomem(error);
	}
	return 0;
}

int imalog_replay_resume(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
			 const uint8_t *const values[IMALOG_VARIANTS], uint64_t number,
			 struct imalog_error *error)
{
	struct imalog_chain *chain = begin(replay, error) == 0 ? chain_of(replay, alg, pcr) : NULL;

	if (!chain)
		return imalog_fail_nomem(error);
	imalog_chain_resume(chain, values, number);
	replay->last = number;
	return 0;
}

/* ---- batches ---- */

static int compute(struct imalog_replay *replay, size_t from, size_t n, struct imalog_error *error)
{
	int rc = 0;

	for (int alg = 1; alg < IMALOG_ALG_COUNT && rc == 0; alg++)
		if (replay->needed[alg])
			rc = imalog_hash_batch(replay->hasher, (enum imalog_alg)alg,
					       replay->jobs + from, n, replay->digests[alg][from],
					       IMALOG_DIGEST_MAX, error);
	return rc;
}

static int digest_batch(struct imalog_replay *replay, struct imalog_error *error)
{
	memcpy(replay->needed, replay->banks, sizeof(replay->needed));
	replay->turned = false;
	replay->needed[IMALOG_ALG_SHA1] |= replay->padding != IMALOG_PADDING_PERBANK;
	for (size_t i = 0; i < replay->nr_batch; i++) {
		struct imalog_record *record = replay->batch[i];
		enum imalog_order order = record->order;
		int rc;

		replay->jobs[i].nr_spans = 0;
		if (record->violation || !imalog_record_is_checked(record))
			continue;
		/* Then the batch is of this record alone. */
		replay->turned = replay->other_order && record->nr_fields &&
				 record->content == IMALOG_CONTENT_TEMPLATE;
		if (replay->turned)
			order = imalog_other_order(order);
		rc = imalog_digest_input(record, order, &replay->scratch, &replay->jobs[i], error);
		if (rc < 0)
			return rc;
		for (size_t d = 0; d < record->nr_digests; d++)
			replay->needed[record->digests[d].alg] = true;
	}
	replay->needed[IMALOG_ALG_NONE] = false;
	return compute(replay, 0, replay->nr_batch, error);
}

/* Does every recorded digest fit what was computed of record @i? */
static bool digests_fit(struct imalog_replay *replay, size_t i)
{
	const struct imalog_record *record = replay->batch[i];

	for (size_t d = 0; d < record->nr_digests; d++) {
		enum imalog_alg alg = record->digests[d].alg;

		if (alg == IMALOG_ALG_NONE ||
		    imalog_digest_equal(&record->digests[d], replay->digests[alg][i]))
			continue;
		if (replay->padding == IMALOG_PADDING_PERBANK ||
		    !imalog_digest_is_padded_sha1(&record->digests[d],
						  replay->digests[IMALOG_ALG_SHA1][i]))
			return false;
	}
	return true;
}

/* Looks whether the digest covers the other byte order, and computes all digests of it then. */
static int retry(struct imalog_replay *replay, size_t i, struct imalog_error *error)
{
	struct imalog_record *record = replay->batch[i];
	int fit = imalog_record_verify_as(record, replay->hasher,
					  replay->padding != IMALOG_PADDING_PERBANK, error);
	int rc;

	if (fit != IMALOG_FIT_YES)
		return fit;
	replay->other_order = record->hash_order && record->hash_order != record->order;
	rc = imalog_digest_input(record, record->hash_order, &replay->scratch, &replay->jobs[i],
				 error);
	if (rc == 0)
		rc = compute(replay, i, 1, error);
	return rc < 0 ? rc : fit;
}

static void complain(struct imalog_replay *replay, const struct imalog_record *record,
		     enum imalog_problem problem)
{
	if (problem == IMALOG_PROBLEM_OPAQUE || problem == IMALOG_PROBLEM_UNCHECKED) {
		replay->opaque++;
	} else if (replay->bad++ == 0) {
		replay->first_bad = record->number;
		replay->first_bad_problem = problem;
	}
	if (!replay->first_problem)
		replay->first_problem = record->number;
	if (replay->on_problem)
		replay->on_problem(replay->problem_arg, record, problem);
}

static int check_record(struct imalog_replay *replay, size_t i, struct imalog_error *error)
{
	struct imalog_record *record = replay->batch[i];
	int fit = IMALOG_FIT_YES;

	if (record->violation)
		return 0;
	if (!imalog_record_is_checked(record)) {
		if (imalog_record_extends_pcr(record) && !replay->allow_opaque)
			complain(replay, record,
				 record->content == IMALOG_CONTENT_DIGEST_ONLY ?
					 IMALOG_PROBLEM_OPAQUE :
					 IMALOG_PROBLEM_UNCHECKED);
		return 0;
	}
	if (!digests_fit(replay, i))
		fit = retry(replay, i, error);
	else if (record->content == IMALOG_CONTENT_TEMPLATE &&
		 !imalog_template_is_ima(record->template_name))
		record->hash_order = replay->turned ? imalog_other_order(record->order) : record->order;
	if (fit < 0)
		return fit;
	record->fit = (enum imalog_fit)fit;
	if (fit == IMALOG_FIT_NO)
		complain(replay, record,
			 record->format == IMALOG_FORMAT_ASCII ? IMALOG_PROBLEM_ASCII :
								 IMALOG_PROBLEM_DIGEST);
	return 0;
}

static int check_marker(struct imalog_replay *replay, const struct imalog_record *record,
			struct imalog_error *error)
{
	int rc = imalog_replay_look_at_marker(replay, record, error);

	if (rc == 0)
		complain(replay, record, IMALOG_PROBLEM_SNAPSHOT);
	return rc < 0 ? rc : 0;
}

/*
 * PCR 0 does not start as zeros when TPM2_Startup came from another locality, as the
 * firmware says before its first event, nor after an H-CRTM, which that event is
 * (PFP 10.4.5.3).
 */
static void start_pcr0(struct imalog_replay *replay, struct imalog_chain *chain,
		       const struct imalog_record *record)
{
	int said = chain->pcr ? -1 : imalog_record_locality(record);
	uint8_t start = said < 0 ? replay->locality : (uint8_t)said;

	if (chain->pcr != 0 || chain->extends || chain->resumed || start == 0 ||
	    imalog_pcrs_get(replay->start, chain->alg, 0))
		return;
	for (int v = 0; v < IMALOG_VARIANTS; v++)
		chain->value[v][imalog_alg_size(chain->alg) - 1] = start;
}

/* What the firmware says without measuring it: the locality, when it is not too late. */
static void note_unmeasured(struct imalog_replay *replay,
			    const struct imalog_record *record)
{
	int said = imalog_record_locality(record);

	if (record->is_nv)
		replay->elsewhere++;
	else
		replay->unmeasured++;
	if (said < 0 || said == replay->locality)
		return;
	replay->locality = (uint8_t)said;
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (replay->chains[alg][0] && replay->chains[alg][0]->extends)
			replay->chains[alg][0]->opaque = true;
}

static int extend_banks(struct imalog_replay *replay, size_t i, struct imalog_error *error)
{
	const struct imalog_record *record = replay->batch[i];
	int rc = 0;

	if (!imalog_record_extends_pcr(record)) {
		note_unmeasured(replay, record);
		return 0;
	}
	for (int alg = 1; alg < IMALOG_ALG_COUNT && rc == 0; alg++) {
		struct imalog_chain *chain;

		if (!replay->banks[alg])
			continue;
		chain = chain_of(replay, (enum imalog_alg)alg, record->index);
		if (!chain)
			return imalog_fail_nomem(error);
		start_pcr0(replay, chain, record);
		rc = imalog_chain_extend(chain, replay->hasher, record, replay->digests[alg][i],
					 replay->digests[IMALOG_ALG_SHA1][i], error);
	}
	return rc;
}

static int replay_batch(struct imalog_replay *replay, struct imalog_error *error)
{
	int rc = digest_batch(replay, error);

	for (size_t i = 0; i < replay->nr_batch && rc == 0; i++) {
		struct imalog_record *record = replay->batch[i];

		rc = check_record(replay, i, error);
		if (rc == 0)
			rc = check_marker(replay, record, error);
		if (rc == 0)
			rc = extend_banks(replay, i, error);
		if (rc < 0)
			break;
		replay->records++;
		replay->last = record->number;
		replay->violations += record->violation;
		if (replay->on_record)
			replay->on_record(replay->record_arg, record);
	}
	replay->nr_batch = 0;
	return rc;
}

int imalog_replay_run(struct imalog_replay *replay, struct imalog_reader *reader,
		      struct imalog_error *reterr)
{
	int more = 1, rc = begin(replay, reterr);

	while (more > 0 && rc == 0) {
		/* A record that must be turned needs the scratch for itself. */
		size_t want = replay->other_order ? 1 : IMALOG_REPLAY_BATCH, bytes = 0;

		while (more > 0 && replay->nr_batch < want && bytes < IMALOG_REPLAY_BATCH_SIZE) {
			more = imalog_reader_next(reader, &replay->batch[replay->nr_batch], reterr);
			if (more > 0)
				bytes += replay->batch[replay->nr_batch++]->raw.size;
		}
		if (replay->nr_batch == 0)
			break;
		/* What comes before a malformed record is replayed all the same. */
		rc = replay_batch(replay, reterr);
		imalog_reader_release(reader, replay->last);
	}
	return rc < 0 ? rc : more;
}
