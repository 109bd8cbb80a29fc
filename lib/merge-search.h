/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the search for an order share. */
#ifndef IMALOG_MERGE_SEARCH_H
#define IMALOG_MERGE_SEARCH_H

#include "merge-engine.h"

/* Records that are held in memory at most: some hundred megabytes */
#define IMALOG_LOADED_MAX ((uint64_t)1 << 22)

/* ---- merge-load.c ---- */

/* What all records that are the same have in common */
struct imalog_distinct {
	uint8_t content[IMALOG_SHA256_SIZE];
	uint32_t pcr;
	bool extends; /* a PCR */
	bool violation;
	bool recurs; /* by nature, or one piece has it twice */
	bool firmware; /* an event of the firmware */
	int locality; /* that PCR 0 starts as, if the record says it, else -1 */
	size_t sequence; /* the last that has it, from 1 on */
};

/* The records of a chain of pieces, by their numbers in the table */
struct imalog_sequence {
	size_t head; /* the first piece */
	uint32_t *numbers;
	size_t nr;
};

struct imalog_loaded {
	enum imalog_alg algs[IMALOG_ALG_COUNT]; /* to be set before: digests of these */
	size_t nr_algs;
	size_t stride;
	struct imalog_distinct *distinct;
	uint8_t *digests; /* nr_algs of IMALOG_DIGEST_MAX bytes for each */
	size_t nr;
	uint32_t *table;
	size_t table_size;
	struct imalog_sequence sequences[IMALOG_LOOSE_MAX];
	size_t nr_sequences;
	uint64_t total;
	/* What is wrong with them */
	struct imalog_notes notes;
	bool broken;	  /* one cannot be read to its end */
	bool too_many;	  /* and not all were read */
	bool contradicts; /* records that receipts call the same are not */
	size_t misfit;	  /* a piece that is not what its receipt says, or IMALOG_NOWHERE */
};

/* Reads the chains of these pieces.  What is wrong with the data is no failure. */
int imalog_load(struct imalog_merge *merge, const size_t *heads, size_t nr,
		struct imalog_loaded *loaded, struct imalog_error *error);
void imalog_loaded_free(struct imalog_loaded *loaded);

/* ---- merge-anchor.c ---- */

/* PCRs of a quote in all its banks; more make no search */
#define IMALOG_ANCHOR_CHAINS 64

/*
 * What a sequence of records must lead to, as far as it takes to tell those apart that may:
 * each PCR in one bank, or all values that a quote is over.  A pass over the records has the
 * last word.
 */
struct imalog_anchor {
	const struct imalog_merge *merge;
	struct imalog_replay *replay; /* prepared, and never run */
	struct imalog_setup setup;
	const struct imalog_loaded *loaded;
	struct imalog_hasher *hasher;
	struct imalog_slots slots;
	struct imalog_anchor_chain {
		enum imalog_alg alg;
		uint32_t pcr;
		size_t digest; /* index of its own digests */
		size_t offset; /* of its value among the slots */
		const uint8_t *expected;
		enum imalog_variant variant; /* that is tried */
	} chains[IMALOG_ANCHOR_CHAINS];
	size_t nr;
	size_t sha1; /* index of SHA-1 digests */
	enum imalog_alg padded[IMALOG_ALG_COUNT]; /* banks that may be padded */
	size_t nr_padded;
	uint32_t turn; /* of the ways to pad them */
};

/* Values of all chains */
struct imalog_anchor_state {
	uint8_t values[IMALOG_ANCHOR_CHAINS][IMALOG_DIGEST_MAX];
	bool begun; /* PCR 0 is extended */
	bool holds;
};

/* Looks at what is to be reached, and says which digests are needed. */
int imalog_anchor_open(struct imalog_anchor *anchor, const struct imalog_merge *merge,
		       struct imalog_loaded *loaded, struct imalog_error *error);
void imalog_anchor_close(struct imalog_anchor *anchor);
/* Chooses the PCRs that the records extend.  False: there are none, or too many. */
bool imalog_anchor_choose(struct imalog_anchor *anchor);
/* The next way in which banks may have been padded; false when there is no more */
bool imalog_anchor_turn(struct imalog_anchor *anchor);
void imalog_anchor_start(const struct imalog_anchor *anchor, struct imalog_anchor_state *state);
/* Does the record extend one of its PCRs? */
bool imalog_anchor_weighs(const struct imalog_anchor *anchor, uint32_t number);
int imalog_anchor_extend(struct imalog_anchor *anchor, struct imalog_anchor_state *state,
			 uint32_t number, struct imalog_error *error);

/* ---- merge-search.c ---- */

/* Candidates that are kept: if there are more, nobody wants to choose. */
#define IMALOG_FOUND_MAX 16

/* The sequences in an order, each without its first records, which are there already */
struct imalog_found {
	size_t order[IMALOG_LOOSE_MAX];
	size_t border[IMALOG_LOOSE_MAX];
	size_t nr;
	uint64_t records;    /* of all */
	uint64_t last;	     /* the last after which the anchor holds */
	uint64_t firmware;   /* the last event of the firmware */
	uint32_t explained;  /* sequences that are in it, a bit for each */
	uint32_t doubtful;   /* those that it has, and may have come later, or once more */
	uint64_t hash[2];    /* of all that the order of the firmware's events does not change */
};

struct imalog_search {
	struct imalog_found found[IMALOG_FOUND_MAX];
	size_t nr;
	bool more;		  /* there are more than these */
	bool gave_up;		  /* it took too long */
	struct imalog_found best; /* the most that lead to the anchor, if not all do */
};

int imalog_search(struct imalog_anchor *anchor, const struct imalog_loaded *loaded,
		  uint64_t work_max, struct imalog_search *ret, struct imalog_error *error);

#endif /* IMALOG_MERGE_SEARCH_H */
