/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the export share: the transaction from the kernel's list to the store. */
#ifndef IMALOG_EXPORT_H
#define IMALOG_EXPORT_H

#include "store.h"

/* ---- export-tpm.c ---- */

/* What the TPM said at one moment. */
struct imalog_witness {
	struct imalog_pcrs *pcrs; /* NULL: not read */
	bool has_clock;
	struct imalog_tpm_clock clock;
	/* A quote of these values, to be freed; size 0: none */
	struct imalog_span quote, signature;
	uint8_t nonce[IMALOG_SHA256_SIZE];
};

void imalog_witness_free(struct imalog_witness *witness);

/* ---- the world outside: this machine's, or that of a test ---- */

struct imalog_world {
	int (*probe)(const char *root, struct imalog_kernel_info *ret,
		     struct imalog_error *error);
	/* Alone, and at little cost; "" when it cannot be told */
	void (*boot_id)(const char *root, char ret[40]);
	/* What is staged, the list itself, or both in this order */
	int (*open)(const char *root, bool staged, bool list, unsigned int wait_ms,
		    struct imalog_staging **ret, struct imalog_error *error);
	int (*stage)(struct imalog_staging *staging, struct imalog_error *error);
	/* Instead of staging; see imalog_staging_first() */
	int (*first)(struct imalog_staging *staging, uint64_t records, uint64_t *got,
		     struct imalog_error *error);
	struct imalog_source *(*source)(struct imalog_staging *staging,
					struct imalog_error *error);
	/* The list itself, under the same hold */
	struct imalog_source *(*list)(struct imalog_staging *staging,
				      struct imalog_error *error);
	int (*discard)(struct imalog_staging *staging, const struct imalog_receipt *receipt,
		       struct imalog_error *error);
	void (*close)(struct imalog_staging **staging);
	/* The current list, or what is staged, for a plain reader */
	int (*open_list)(const char *root, bool staged, unsigned int wait_ms, int *fd,
			 struct imalog_error *error);
	/* @quote: with one, if one is wanted.  0, also when there is no TPM, or negative */
	int (*read_tpm)(const struct imalog_export *export, bool quote,
			struct imalog_witness *ret, struct imalog_error *error);
	/* Does what is written to the store survive?  Where it is to be, and what it is in */
	int (*check_store)(const char *path, struct imalog_error *error);
	int (*check_dir)(int fd, struct imalog_error *error);
};

extern const struct imalog_world imalog_machine;

/* ---- export.c ---- */

struct imalog_note {
	enum imalog_note_kind kind;
	char text[320];
};

/* Pending segments: one whose records may be in the kernel, too, and its successor */
#define IMALOG_PENDING_MAX 2

struct imalog_export {
	char *root;
	char *store_path;
	unsigned int wait_ms;
	enum imalog_tpm_use tpm_use;
	char *tcti;
	char *ak;
	uint64_t min_records, min_bytes, max_age;
	uint64_t slice; /* longer lists are taken in pieces of so many records; 0: whole */

	/* Stage what is not staged, save what is not saved, let the kernel delete what is */
	bool stages, saves, deletes;
	const struct imalog_receipt *must_equal; /* a file that is what is staged, or NULL */
	bool was_equal;				 /* and that it was */
	struct imalog_trim {			 /* nothing but the first records, and exactly those */
		bool wanted;
		uint64_t count; /* so many; 0: */
		uint64_t to;	/* up to this one of the epoch; 0: */
		struct imalog_replay *replay; /* up to what @fn says after all were replayed */
		imalog_trim_fn fn;
		void *arg;
	} trim;

	bool keeps; /* for a kexec: save what is in the kernel, and delete nothing */
	struct imalog_boundary *boundary; /* of a kexec after which nobody exported; or NULL */
	bool crossed;			  /* and it was said what became of that */

	const struct imalog_world *world;
	struct imalog_templates *templates;
	struct imalog_kernel_info kernel;
	struct imalog_store *store;
	struct imalog_staging *staging;
	bool holds_list; /* besides what is staged, if this kernel can stage */
	struct imalog_witness witness;
	bool lacks_tpm; /* there should be one, and it could not be read */

	/* The end of the store */
	struct imalog_epoch *epoch;
	struct imalog_base base; /* behind the last committed segment */
	struct imalog_past {	 /* the receipt before the pending ones */
		bool there;
		bool compared; /* with a TPM */
		bool undetermined;
		bool has_clock;
		struct imalog_tpm_clock clock;
		char boot_id[40];
	} past;
	struct imalog_receipt *pending[IMALOG_PENDING_MAX]; /* in their order */
	size_t nr_pending;
	uint64_t last_number;	       /* of a segment */
	uint64_t found;		       /* the last one that earlier runs have left */
	struct imalog_receipt *orphan; /* of the next one, which is there without; or NULL */
	bool sure;   /* the TPM does not say that the newest is not what is staged */
	bool proved; /* the TPM says that the newest is still in the list */
	struct imalog_spot { /* of the list before that was proved */
		bool known;
		uint64_t records;
		uint64_t gone; /* violations that it has no more, or others than it has */
	} mark;
	bool placed; /* it has proved that the list of this boot belongs to the epoch */
	bool only_looks;   /* for a view: nothing is written */
	const int *copies; /* of a view: list and what is staged, -1 or NULL: as they are */
	char partial[IMALOG_SEGMENT_NAME_MAX + 16]; /* that this run found; "" when none */
	struct imalog_prefix partial_sum;
	bool partial_is_spare; /* the TPM's values prove that its records are not lost without it */

	/* What came of it */
	struct imalog_done {
		uint64_t epoch;
		struct imalog_receipt *receipt; /* without its PCR values */
	} * done;				/* segments that this call saved or finished */
	size_t nr_done;
	struct imalog_note *notes;
	size_t nr_notes;
	struct imalog_note lost; /* text "": none; behind them, when memory ran out */
};

/* ---- export-result.c ---- */

/*
 * Adds a sentence for the user.  That memory runs out is no reason to fail: then one says that
 * something is not said.
 */
void imalog_export_say(struct imalog_export *export, enum imalog_note_kind kind,
		       const char *format, ...) __attribute__((format(printf, 3, 4)));

void imalog_export_forget_notes(struct imalog_export *export);

/* Adds a receipt, without its PCR values, to the results, and says what does not fit. */
int imalog_export_add(struct imalog_export *export, const struct imalog_receipt *receipt,
		      struct imalog_error *error);

/* After the last segment: does the log lead to the TPM's values, with what the kernel has? */
void imalog_export_say_end(struct imalog_export *export);

/* ---- export-tail.c: the end of the store ---- */

/* Reads it, and finishes what only had to be written down. */
int imalog_tail_load(struct imalog_export *export, struct imalog_error *error);
void imalog_tail_free(struct imalog_export *export);
/* The segment becomes part of the log. */
int imalog_tail_commit_first(struct imalog_export *export, struct imalog_error *error);
/* The first pending segment becomes no part of the log: the next one has its records again. */
int imalog_tail_drop_first(struct imalog_export *export, struct imalog_error *error);
/* Was the kernel that runs now the one that this segment was saved from? */
bool imalog_tail_same_boot(const struct imalog_export *export,
			   const struct imalog_receipt *receipt);
/*
 * Was it staged in this boot?  Else, if the kernel still has its records, what is staged and
 * the list together begin with them.
 */
bool imalog_tail_was_staged(const struct imalog_export *export,
			    const struct imalog_receipt *receipt);
/* Goes on in a new epoch. */
int imalog_tail_new_epoch(struct imalog_export *export, struct imalog_error *error);
/* The boot in which the newest segment was saved, "" when not known; NULL: there is none */
const char *imalog_tail_boot_id(const struct imalog_export *export);
/* Was that another one than this? */
bool imalog_tail_is_of_other_boot(const struct imalog_export *export);
bool imalog_tail_is_undetermined(const struct imalog_export *export,
				 const struct imalog_receipt *receipt);
int imalog_tail_write(struct imalog_export *export, const struct imalog_receipt *receipt,
		      struct imalog_error *error);

/* ---- export-orphan.c: a segment without a receipt ---- */

/* Takes what a crash left at the end of the store; if it is cut short, out of the way. */
int imalog_orphan_take(struct imalog_export *export, const struct imalog_segment *segment,
		       struct imalog_error *error);
/* Becomes a pending segment if the TPM's values prove that it must be one. */
int imalog_orphan_settle(struct imalog_export *export, struct imalog_error *error);
/*
 * What was set aside goes when it is known to be of no use.  @saved_again: what was saved now, so
 * many bytes, begins with it
 */
void imalog_orphan_remove(struct imalog_export *export, bool saved_again, uint64_t bytes);
/* When the log is proved to be whole: what earlier crashes left goes, too, if it has all of it. */
void imalog_orphan_sweep(struct imalog_export *export);

/* ---- sequence.c: what a sequence of records leads to ---- */

/* Readings of TPM and lists, while others may measure */
#define IMALOG_SEQUENCE_ATTEMPTS 8

/* A segment without its first records */
struct imalog_sequence_part {
	uint64_t segment, skip;
};

/* Behind a base: parts of segments, pending segments and the kernel's lists */
struct imalog_sequence {
	const struct imalog_base *base;
	const struct imalog_sequence_part *parts;
	size_t nr_parts;
	const struct imalog_receipt *segments[IMALOG_PENDING_MAX]; /* NULL: none */
	bool with_staged;
	uint64_t in_lists; /* records at the start of the lists that are in question, too */
	bool alone; /* without the lists */
	uint64_t end; /* the last record that is in question, or 0: it is the last of all these */
};

/* Anew; false when there is none, or it fails: that must not hold up an export. */
bool imalog_sequence_read_tpm(struct imalog_export *export);
/* Opens what is staged, or the list: as it is, or the copy */
int imalog_sequence_open_list(const struct imalog_export *export, bool staged, int *fd,
			      struct imalog_error *error);
/*
 * Does it lead to what the TPM said, with its end behind what is in question?  Or, with @all,
 * to what it says now, with all that the lists have?  1, 0, or negative
 */
int imalog_sequence_leads(struct imalog_export *export,
			  const struct imalog_sequence *sequence, bool all,
			  struct imalog_error *error);
/* How many of them lead there; @which gets the index of the last that does. */
int imalog_sequence_count(struct imalog_export *export,
			  const struct imalog_sequence *sequences, size_t nr, bool all,
			  size_t *which, struct imalog_error *error);

/* ---- export-evidence.c: what PCR values prove ---- */

/*
 * Do the first or both of two pending segments have the same records?  Commits or drops.
 * @newest_is_gone: the kernel has not got its records any more
 */
int imalog_evidence_settle(struct imalog_export *export, bool newest_is_gone,
			   struct imalog_error *error);
/* Is it part of the log?  IMALOG_MISMATCH when it is, IMALOG_MATCH when the lists have it */
int imalog_evidence_orphan(struct imalog_export *export, const struct imalog_receipt *orphan,
			   struct imalog_error *error);
/*
 * Is what is staged, or the list begins with, if it has the bytes of the newest segment, really
 * that?  An enum imalog_verdict: IMALOG_MISMATCH when that was deleted; or negative
 */
int imalog_evidence_saved(struct imalog_export *export, struct imalog_error *error);

/* What the list of this boot belongs to */
enum imalog_belongs {
	IMALOG_BELONGS = 0,	    /* the current epoch */
	IMALOG_BELONGS_TO_NEW,	    /* a new one */
	IMALOG_BELONGS_AFTER_RESET, /* the same, but it does not lead to the TPM's values */
	IMALOG_BELONGS_UNKNOWN,	    /* nothing proves anything */
	IMALOG_BELONGS_NO_TPM,	    /* there is no TPM to tell */
};

/* An enum imalog_belongs, or negative */
int imalog_evidence_judge(struct imalog_export *export, struct imalog_error *error);
/* The same; starts a new epoch if there is to be one. */
int imalog_evidence_epoch(struct imalog_export *export, struct imalog_error *error);

/* ---- export-same.c: what is to be deleted has the bytes of a pending segment ---- */

bool imalog_same_sum(const struct imalog_prefix *sum, const struct imalog_receipt *receipt);
/* Notes, under the hold, by what these records can be told from others of the same bytes. */
void imalog_same_note(struct imalog_export *export, struct imalog_receipt *receipt);
/* Are they the same records?  @list: the list as it is now, while nobody can stage */
bool imalog_same_records(const struct imalog_export *export,
			 const struct imalog_receipt *receipt, struct imalog_source *list);
/* The same under the hold */
bool imalog_same_as_staged(const struct imalog_export *export,
			   const struct imalog_receipt *receipt);
/* Marks the list as it is, before something is proved of it; */
void imalog_same_mark(struct imalog_export *export);
/* under the hold: nobody has deleted the receipt's records since then, which are its first. */
bool imalog_same_since_mark(const struct imalog_export *export,
			    const struct imalog_receipt *receipt);
/* Under the hold, when what is read begins with its bytes: if the disk has not, it does now. */
int imalog_same_mend(struct imalog_export *export, const struct imalog_receipt *receipt,
		     struct imalog_error *error);

/* ---- export-save.c: what is done while nobody else can open the lists ---- */

enum imalog_outcome {
	IMALOG_OUTCOME_NOTHING = 0, /* nothing is staged, and nothing is to be */
	IMALOG_OUTCOME_SAVED,	    /* and stays staged */
	IMALOG_OUTCOME_GONE,	    /* the newest pending segment's records left the kernel */
	IMALOG_OUTCOME_AGAIN,	    /* so they did, and the list may have more */
	IMALOG_OUTCOME_SLICE,	    /* so they did, and the list has more */
	IMALOG_OUTCOME_SETTLE,	    /* two pending segments are to be told apart first */
};

/* Looks at what is staged and takes the steps; an enum imalog_outcome, or negative */
int imalog_export_hold(struct imalog_export *export, struct imalog_error *error);

/* ---- export-trim.c: how many of the first records it is to be ---- */

/* Refuses where the kernel cannot delete them. */
int imalog_trim_begin(struct imalog_export *export, struct imalog_error *error);
/* Before the hold: what the store has, for those who must see all records */
int imalog_trim_prepare(struct imalog_export *export, struct imalog_error *error);
/* Is it for exactly the records of this segment, with which the list begins? */
bool imalog_trim_is_for(const struct imalog_export *export,
			const struct imalog_receipt *receipt);
/*
 * Under the hold: as imalog_staging_first(), but exactly what is wanted, or a refusal.
 * @doubtful: a pending segment that has the first records of the list, perhaps; or NULL
 */
int imalog_trim_take(struct imalog_export *export, const struct imalog_receipt *doubtful,
		     struct imalog_error *error);
int imalog_trim_refuse_staged(struct imalog_error *error);
/* When it is over: if it was refused, there is no store that was not there before. */
void imalog_trim_end(struct imalog_export *export);

/* ---- export-keep.c: before a kexec ---- */

/* Refuses where there is no list. */
int imalog_keep_begin(struct imalog_export *export, struct imalog_error *error);
/* Is the whole list what the newest pending segment has, which it begins with? */
bool imalog_keep_is_all(const struct imalog_export *export,
			const struct imalog_receipt *newest);
/* Of two pending segments the first goes, or becomes part of the log. */
int imalog_keep_settle(struct imalog_export *export, struct imalog_error *error);
/* Writes down what was kept. */
int imalog_keep_mark(struct imalog_export *export, struct imalog_error *error);

/* ---- kexec-boundary.c: and after it ---- */

/* Looks for what a kexec from another boot has left, if that is the end of the store. */
void imalog_boundary_load(struct imalog_export *export);
/*
 * Is the list expected to go on in the same epoch?  What the store has before it proves that, or
 * the list begins with all that was kept.
 */
bool imalog_boundary_is_crossed(const struct imalog_export *export);
/* Says what became of the records. */
void imalog_boundary_say(struct imalog_export *export, enum imalog_belongs belongs);

#endif /* IMALOG_EXPORT_H */
