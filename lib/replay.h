/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A replay, for the files that work on it. */
#ifndef IMALOG_REPLAY_H
#define IMALOG_REPLAY_H

#include "private.h"

/* Markers of which is kept what became of them; the rest is checked all the same. */
#define IMALOG_MARKERS_MAX 1000

/* What records say that a kernel measured when it trimmed its list (replay-marker.c) */
struct imalog_markers {
	bool ignored;
	struct imalog_marker_check *checks;
	size_t nr;
	uint64_t trimmed; /* records, at least, as markers say */
};

#define IMALOG_REPLAY_BATCH 128
/* Bytes of records after which a batch is full: a record may have 16 MiB. */
#define IMALOG_REPLAY_BATCH_SIZE ((size_t)1 << 20)

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
	struct imalog_markers markers;
	uint64_t records, violations, unmeasured, elsewhere, bad, opaque, first_problem;
	uint64_t first_bad; /* of problems that no option allows */
	enum imalog_problem first_bad_problem;
	uint64_t last; /* number of the last record */
	uint8_t locality; /* of TPM2_Startup, as the firmware says */

	/* the batch at hand */
	struct imalog_record *batch[IMALOG_REPLAY_BATCH];
	size_t nr_batch;
	struct imalog_hash_job jobs[IMALOG_REPLAY_BATCH];
	bool needed[IMALOG_ALG_COUNT];
	uint8_t digests[IMALOG_ALG_COUNT][IMALOG_REPLAY_BATCH][IMALOG_DIGEST_MAX];
};

/*
 * Does the record, a marker perhaps, fit what the log before it has led to?  It must not have
 * extended anything yet.  1, 0 when it does not fit, or negative
 */
int imalog_replay_look_at_marker(struct imalog_replay *replay,
				 const struct imalog_record *record,
				 struct imalog_error *error);

#endif /* IMALOG_REPLAY_H */
