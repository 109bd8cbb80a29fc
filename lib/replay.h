/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A replay, as replay.c runs it and replay-result.c tells what came of it. */
#ifndef IMALOG_REPLAY_H
#define IMALOG_REPLAY_H

#include "private.h"

#define IMALOG_REPLAY_BATCH 128

struct imalog_replay {
	enum imalog_padding padding;
	bool banks[IMALOG_ALG_COUNT];
	struct imalog_pcrs *start;
	struct imalog_pcrs *expected;
	struct imalog_pcrs *offered; /* those of them that count only if the log extends them */
	struct imalog_chain *chains[IMALOG_ALG_COUNT][IMALOG_PCR_MAX + 1];
	bool begun;
	bool allow_opaque;
	bool every_variant; /* of values that are compared elsewhere */
	struct imalog_hasher *hasher;
	struct imalog_scratch scratch;
	bool other_order; /* of the last record that was checked */
	bool turned;	  /* the batch at hand is hashed in the other order */
	imalog_problem_fn on_problem;
	void *problem_arg;
	imalog_record_fn on_record;
	void *record_arg;
	uint64_t records, violations, unmeasured, elsewhere, bad, opaque, first_problem;
	uint64_t last; /* number of the last record */
	uint8_t locality; /* of TPM2_Startup, as the firmware says */

	/* the batch at hand */
	struct imalog_record *batch[IMALOG_REPLAY_BATCH];
	size_t nr_batch;
	struct imalog_hash_job jobs[IMALOG_REPLAY_BATCH];
	bool needed[IMALOG_ALG_COUNT];
	uint8_t digests[IMALOG_ALG_COUNT][IMALOG_REPLAY_BATCH][IMALOG_DIGEST_MAX];
};

#endif /* IMALOG_REPLAY_H */
