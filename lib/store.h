/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the store and of the export share, and nobody else needs. */
#ifndef IMALOG_STORE_H
#define IMALOG_STORE_H

#include "private.h"

#define IMALOG_SHA256_SIZE 32

/* ---- store-state.c ---- */

/* The values of one PCR of one bank between two records, in every variant that is known. */
struct imalog_state_value {
	enum imalog_alg alg;
	uint32_t pcr;
	bool known[IMALOG_VARIANTS];
	uint8_t values[IMALOG_VARIANTS][IMALOG_DIGEST_MAX];
};

/* All PCRs that records have extended so far, by bank and PCR. */
struct imalog_state {
	struct imalog_state_value *values;
	size_t nr;
};

int imalog_state_copy(struct imalog_state *to, const struct imalog_state *from,
		      struct imalog_error *error);
void imalog_state_free(struct imalog_state *state);
bool imalog_state_equal(const struct imalog_state *a, const struct imalog_state *b);
/* Has @whole the values of @part, and no others of the same banks? */
bool imalog_state_has(const struct imalog_state *whole, const struct imalog_state *part);
/* Are the values of the banks that both have the same, as far as they are known? */
bool imalog_state_agrees(const struct imalog_state *a, const struct imalog_state *b);
/* A value that differs, best of SHA-256, as both have it; false when there is none */
bool imalog_state_difference(const struct imalog_state *a, const struct imalog_state *b,
			     const struct imalog_state_value **in_a,
			     const struct imalog_state_value **in_b);
/* Lets a replay go on from here; @records came before. */
int imalog_state_resume(const struct imalog_state *state, struct imalog_replay *replay,
			uint64_t records, struct imalog_error *error);
/* Takes what the replay has come to; PCRs that it did not extend stay as they are. */
int imalog_state_take(struct imalog_state *state, const struct imalog_replay *replay,
		      struct imalog_error *error);
/* Are these the TPM's values now?  False also when no PCR can be compared. */
bool imalog_state_is(const struct imalog_state *state, const struct imalog_pcrs *pcrs);
/* {"sha256": {"10": HEX}, "sha256/padded": ...}; NULL when memory ran out */
struct json_t *imalog_state_to_json(const struct imalog_state *state);
int imalog_state_from_json(struct imalog_state *state, const struct json_t *json,
			   struct imalog_error *error);

/* ---- receipt-json.c ---- */

struct json_t *imalog_json_hex(const uint8_t *data, size_t size);
bool imalog_json_to_hex(const struct json_t *json, uint8_t *out, size_t size);
/* Text that is printed: plain characters and no blanks, whole; nothing where there is none */
bool imalog_json_to_word(const struct json_t *json, char *out, size_t size);
#define IMALOG_TIME_SIZE 24
/* The same of one like "2026-11-22T10:31:00Z" */
bool imalog_json_to_time(const struct json_t *json, char out[IMALOG_TIME_SIZE]);
/* {"sha256": {"10": HEX}} */
struct json_t *imalog_json_of_pcrs(const struct imalog_pcrs *pcrs);
int imalog_json_to_pcrs(const struct json_t *json, struct imalog_pcrs *pcrs,
			struct imalog_error *error);

/* ---- receipt.c ---- */

struct imalog_receipt {
	enum imalog_receipt_state state;
	uint64_t segment;
	/* About the records */
	uint64_t first; /* absolute number in the epoch, from 1 */
	uint64_t records;
	uint64_t bytes;
	bool has_ascii_bytes; /* or a template is not known */
	uint64_t ascii_bytes;
	uint64_t violations;
	uint64_t problems; /* records whose digest does not fit their data */
	uint64_t first_problem;
	uint8_t sha256[IMALOG_SHA256_SIZE];
	struct imalog_state before, after;
	/* Of the bytes of the receipt before; of no bytes when this is the first */
	uint8_t previous[IMALOG_SHA256_SIZE];
	/* About the machine */
	char time[IMALOG_TIME_SIZE];
	char kernel[72];
	char boot_id[40];
	bool has_clock;
	struct imalog_tpm_clock clock;
	struct imalog_pcrs *pcrs; /* the TPM's before the records were read; NULL: not read */
	bool staged_before;	  /* and so they may be later than the last record */
	bool trimmed;		  /* the first of the list, not staged */
	struct imalog_moment moment; /* of what was staged, in state saved */
	/* What came of comparing them */
	enum imalog_verdict verdict;
	uint64_t matched_at;
	bool undetermined;   /* nothing proves that the records belong to this epoch */
	uint64_t may_repeat; /* a segment with which this one begins once more, or 0 */
	bool rebuilt;
	/* The quote beside the receipt */
	bool has_quote;
	uint8_t nonce[IMALOG_SHA256_SIZE];
	uint8_t quote[IMALOG_SHA256_SIZE],
		signature[IMALOG_SHA256_SIZE]; /* SHA-256 of the files */
	uint64_t covers; /* the last record that the quoted values cover, 0: not found */
};

struct imalog_receipt *imalog_receipt_new(struct imalog_error *error);
/* Names below receipts/ */
#define IMALOG_RECEIPT_NAME_MAX 40
void imalog_receipt_name(uint64_t segment, const char *suffix,
			 char name[IMALOG_RECEIPT_NAME_MAX]);
/* A mismatch means nothing while records that came later may lead to the TPM's values. */
void imalog_receipt_excuse(struct imalog_receipt *receipt);
/* The last record that the TPM's values cover, also if that is before this segment */
uint64_t imalog_receipt_covers(const struct imalog_receipt *receipt);
/* Writes it, replacing what was there, durably; @self gets the SHA-256 of its bytes. */
int imalog_receipt_write(const struct imalog_receipt *receipt, int dir,
			 uint8_t self[IMALOG_SHA256_SIZE], struct imalog_error *error);
/*
 * Reads it.  -IMALOG_ERR_OS with ENOENT when there is none; one of the data group when it is
 * none; @self gets the SHA-256 of its bytes, and may be NULL.
 */
int imalog_receipt_read(int dir, uint64_t segment, struct imalog_receipt **ret,
			uint8_t self[IMALOG_SHA256_SIZE], struct imalog_error *error);

/* ---- store.c ---- */

struct imalog_store {
	char *path;
	int dir;
	int lock;
	uint64_t *epochs; /* their numbers, ascending */
	size_t nr_epochs;
	uint64_t current; /* 0: none */
	bool linked;	  /* and there is the link to it */
	bool made;	  /* its directory was not there before */
	bool began;	  /* nor an epoch in it */
};

/* What somebody wants to do with a store */
enum imalog_store_use {
	IMALOG_STORE_LOOK, /* together with others who look; nothing is written */
	IMALOG_STORE_CHANGE,
	IMALOG_STORE_CREATE, /* if there is none: else ENOENT */
};

int imalog_store_take(const char *path, enum imalog_store_use use, unsigned int wait_ms,
		      struct imalog_store **ret, struct imalog_error *error);
/* Removes what was made, if nothing is in it; who waits for its lock finds no directory. */
void imalog_store_unmake(struct imalog_store *store);
/* Creates an epoch, unless there is an empty one of that number, and makes it current. */
int imalog_store_start_epoch(struct imalog_store *store, uint64_t number,
			     struct imalog_error *error);

/*
 * Whoever made the directories, and the link to the current epoch, may not have come to make
 * them durable: what is in them lasts only then.
 */
int imalog_store_make_durable(struct imalog_store *store, const struct imalog_epoch *epoch,
			      struct imalog_error *error);

/* As imalog_epoch_open(), of the store whose directory this is; but not which one is before */
int imalog_epoch_open_in(int dir, uint64_t number, struct imalog_epoch **ret,
			 struct imalog_error *error);

/* "epoch-000001" */
void imalog_epoch_name(uint64_t number, char name[32]);

/* ---- store-epoch.c ---- */

enum imalog_segment_kind {
	IMALOG_SEGMENT_NONE = 0, /* a receipt without a file */
	IMALOG_SEGMENT_LOG,
	IMALOG_SEGMENT_PENDING,
	IMALOG_SEGMENT_DROPPED,
};

struct imalog_segment {
	uint64_t number;
	enum imalog_segment_kind kind;
	bool twice; /* in two kinds at once */
	bool has_old_name; /* that of a pending one, too, where that could not be taken back */
	bool has_receipt;
};

struct imalog_epoch {
	uint64_t number;
	int dir, receipts;
	struct imalog_segment *segments; /* by number */
	size_t nr;
	uint64_t before;   /* number of the epoch before it in the store, 0: none */
	size_t partials;   /* partial.*: cut short by a crash, no part of the log */
	size_t leftovers;  /* temporary files that a crash left */
	size_t strangers;  /* files that are none of the store's */
	char stranger[64]; /* one of them, printable */
};

/*
 * The SHA-256 of the last receipt of the epoch before, or of nothing.  @known: that is what the
 * first receipt should have; else the one before is lost, or was made again.
 */
int imalog_epoch_chain_before(const struct imalog_epoch *epoch,
			      uint8_t chain[IMALOG_SHA256_SIZE], bool *known,
			      struct imalog_error *error);
int imalog_epoch_scan(struct imalog_epoch *epoch, struct imalog_error *error);
/* Removes temporary files, and old names of segments; only for who has the lock. */
int imalog_epoch_sweep(struct imalog_epoch *epoch, struct imalog_error *error);
const struct imalog_segment *imalog_epoch_find(const struct imalog_epoch *epoch,
					       uint64_t number);
uint64_t imalog_epoch_last(const struct imalog_epoch *epoch);
#define IMALOG_SEGMENT_NAME_MAX 40
/* "log.00000001" and so on */
void imalog_segment_name(enum imalog_segment_kind kind, uint64_t number,
			 char name[IMALOG_SEGMENT_NAME_MAX]);
/* Opens the file of a segment for reading; the descriptor, or a negative code. */
int imalog_segment_open(const struct imalog_epoch *epoch, const struct imalog_segment *segment,
			struct imalog_error *error);
/* The same by number alone, whatever has become of it while nobody held the lock */
int imalog_segment_open_any(const struct imalog_epoch *epoch, uint64_t number,
			    struct imalog_error *error);
/* The number behind "NAME." when there is nothing else; 0 otherwise */
uint64_t imalog_number_behind(const char *name, const char *prefix, const char *suffix);

/* ---- store-partial.c ---- */

#define IMALOG_PARTIAL "partial."
typedef void (*imalog_partial_fn)(void *arg, const char *name);
/* Calls @fn for each file partial.*, in no order. */
int imalog_epoch_partials(const struct imalog_epoch *epoch, imalog_partial_fn fn, void *arg,
			  struct imalog_error *error);
/* Of the segment as which it was begun; 0: it has no such name */
uint64_t imalog_partial_number(const char *name);
/* Has the segment of that number its bytes, from the first on? */
bool imalog_partial_is_saved(const struct imalog_epoch *epoch, const char *name);

/* ---- store-segment.c ---- */

/* Where a segment begins: everything before it. */
struct imalog_base {
	struct imalog_state state;
	uint64_t records;
	uint8_t chain[IMALOG_SHA256_SIZE]; /* SHA-256 of the last receipt's bytes */
};

/* One pass over the records of a segment. */
struct imalog_pass {
	const struct imalog_base *base;
	const struct imalog_pcrs *pcrs; /* to compare with, may be NULL */
	const struct imalog_templates *templates;
	struct imalog_durable *copy_to; /* may be NULL */
	/* Does it begin with these bytes?  size 0: not asked */
	struct imalog_prefix {
		uint64_t size;
		uint8_t sha256[IMALOG_SHA256_SIZE];
		bool found;
	} prefixes[2];
};

/* Prepares a replay to go on from here, and to compare with these values (may be NULL). */
int imalog_base_prepare(const struct imalog_base *base, const struct imalog_pcrs *pcrs,
			struct imalog_replay *replay, struct imalog_error *error);
/* A reader of what comes next; NULL: no memory */
struct imalog_reader *imalog_base_reader(const struct imalog_base *base,
					 struct imalog_source *source,
					 const struct imalog_templates *templates);
/* Fills in what the receipt says about records and verdict. */
int imalog_pass_run(struct imalog_pass *pass, struct imalog_source *source,
		    struct imalog_receipt *receipt, struct imalog_error *error);
/* Bytes and SHA-256 of all that a source has. */
int imalog_source_sum(struct imalog_source *source, uint64_t *bytes,
		      uint8_t sha256[IMALOG_SHA256_SIZE], struct imalog_error *error);

/* The same of bytes in memory */
int imalog_span_sum(struct imalog_span bytes, uint8_t sha256[IMALOG_SHA256_SIZE],
		    struct imalog_error *error);

#endif /* IMALOG_STORE_H */
