/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the merge share, by the file that has it. */
#ifndef IMALOG_MERGE_ENGINE_H
#define IMALOG_MERGE_ENGINE_H

#include "merge.h"

#define IMALOG_NOWHERE SIZE_MAX
/* Chains of pieces that nothing but an anchor can join: 8! orders are as many as can be tried. */
#define IMALOG_LOOSE_MAX 8
/* Extends of PCRs in one search: some ten seconds of work, as long as a refusal may take */
#define IMALOG_WORK_MAX ((uint64_t)1 << 25)

/* What is known of a piece, besides what its struct imalog_piece says */
struct imalog_item {
	uint64_t bytes;
	bool summed; /* then its SHA-256 is known */
	uint8_t sha256[IMALOG_SHA256_SIZE];
	const struct imalog_receipt *receipt; /* that seems to be, or is, its own */
	size_t set;			      /* that has it */
	bool refused;	 /* it is not what the receipt of its size says */
	bool other_form; /* it has the values of its receipt, but other bytes */
	bool left_out;	 /* of another epoch, or another piece has its records */
	size_t twin;	 /* the piece that has the same bytes, if it was left out for that */
	bool machine;	 /* this machine's, from a plan */
	bool follows;	 /* the piece before it, as the plan has it */
	size_t prev, next; /* pieces that are its neighbours, or IMALOG_NOWHERE */
	uint64_t skip;	   /* so many of its records are in the pieces before */
	uint64_t repeats;  /* or as many are, if not 0: only an anchor tells */
	uint64_t records;  /* when it was loaded for a search */
	bool checked;	   /* it was read to its end and held against its receipt */
	bool fits;	   /* and is what that says */
	bool explained;	   /* something was said about what is wrong with it */
};

/* The receipts of one epoch */
struct imalog_receipt_set {
	uint64_t epoch;
	bool borrowed; /* the receipts are not its own */
	size_t matched; /* pieces that have one of them */
	struct imalog_entry {
		const struct imalog_receipt *receipt;
		size_t piece; /* IMALOG_NOWHERE: none has its bytes */
		unsigned int held; /* values that the log has where it should: before, after */
	} *entries;	      /* by the number of their first records */
	size_t nr;
};

/* Things to be said */
struct imalog_notes {
	struct imalog_note {
		enum imalog_merge_problem kind;
		size_t piece;
		char *text;
	} *notes;
	size_t nr;
};

struct imalog_merge {
	const struct imalog_templates *templates;
	enum imalog_format format;
	enum imalog_order order;
	size_t digest_size;

	struct imalog_piece *pieces;
	struct imalog_item *items;
	size_t nr;
	struct imalog_receipt_set *sets;
	size_t nr_sets;
	uint64_t epoch; /* 0: there must be one */
	uint64_t work_max;

	/* What it is to lead to */
	imalog_prepare_fn prepare;
	void *prepare_arg;
	struct imalog_quote *quote;
	const struct imalog_pcrs *others;
	bool anchored; /* there is something to lead to */
	bool joined;   /* some pieces have receipts */

	/* Where it goes */
	enum imalog_format to;
	enum imalog_order to_order;
	bool sequence; /* of JSON or CBOR, no array */
	imalog_write_fn write; /* NULL: nowhere */
	imalog_restart_fn restart;
	void *write_arg;
	imalog_record_fn on_record;
	void *record_arg;
	bool mixed; /* pieces are of several forms */
	bool counted;
	uint64_t count; /* of the records in the array, once they are counted */

	/* What came of it */
	enum imalog_merge_result result;
	size_t misfit; /* a piece that is not what its receipt says, or IMALOG_NOWHERE */
	struct imalog_plan plan;
	struct imalog_replay *replay;
	struct imalog_quote_match *match;
	struct imalog_notes notes;
	struct imalog_notes candidates;
};

/* ---- merge.c ---- */

/* A reader of a piece from its first byte; closes what it opened. */
struct imalog_piece_reader {
	int fd;
	struct imalog_source *source;
	struct imalog_reader *reader;
};
/* @first: the number of its first record */
int imalog_piece_read(const struct imalog_merge *merge, size_t piece, uint64_t first,
		      struct imalog_piece_reader *ret, struct imalog_error *error);
void imalog_piece_done(struct imalog_piece_reader *reader);

/* ---- merge-say.c ---- */

/* The name of a piece, printable and cut at its front */
#define IMALOG_PIECE_SHOWN 80
const char *imalog_piece_show(const struct imalog_merge *merge, size_t piece,
			      char buf[IMALOG_PIECE_SHOWN]);
/* Adds something to say; @piece may be IMALOG_NOWHERE. */
int imalog_notes_add(struct imalog_notes *notes, enum imalog_merge_problem kind, size_t piece,
		     struct imalog_error *error, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
int imalog_notes_move(struct imalog_notes *to, struct imalog_notes *from,
		      struct imalog_error *error);
bool imalog_notes_have(const struct imalog_notes *notes, enum imalog_merge_problem kind);
void imalog_notes_free(struct imalog_notes *notes);

/* ---- merge-content.c ---- */

/* What makes two records the same, whatever form they are in: all but the recorded digest */
struct imalog_content_hash {
	struct imalog_hasher *hasher;
	struct imalog_buffer buffer; /* for what is not in the record as it is hashed */
};
int imalog_content_of(struct imalog_content_hash *content, const struct imalog_record *record,
		      uint8_t out[IMALOG_SHA256_SIZE], struct imalog_error *error);
void imalog_content_free(struct imalog_content_hash *content);
/* Is it of those that every log may have again: violations, and what each kexec measures? */
bool imalog_record_recurs(const struct imalog_record *record);

/* ---- merge-receipts.c ---- */

/* The number of receipts in a directory, or a negative code */
int imalog_receipts_load(struct imalog_merge *merge, const char *path,
			 struct imalog_error *error);
/* Those that the pieces from @first on came with */
int imalog_receipts_of_plan(struct imalog_merge *merge, size_t first, uint64_t epoch,
			    struct imalog_error *error);
void imalog_receipts_free(struct imalog_merge *merge);

/* ---- merge-match.c ---- */

/*
 * Finds the receipts of the pieces, by size and where that is not enough by SHA-256.  Pieces
 * that another one makes superfluous, and those of other epochs, are left out.
 */
int imalog_receipts_match(struct imalog_merge *merge, struct imalog_error *error);
/* Reads pieces whose size alone was told, and refuses misfits.  1: there were some */
int imalog_receipts_check(struct imalog_merge *merge, struct imalog_error *error);
/* Takes back what was believed of a piece. */
void imalog_receipts_refuse(struct imalog_merge *merge, size_t piece);

/* ---- merge-values.c ---- */

/*
 * Gives a segment's receipt to a piece in another form, if it leads from the values before the
 * segment to those after it.
 */
int imalog_receipts_match_values(struct imalog_merge *merge, struct imalog_error *error);

/* ---- merge-chain.c ---- */

/* Which piece follows which, as plans and receipts have it */
void imalog_chain_pieces(struct imalog_merge *merge);
/* Parts those that may repeat the piece before from it: a search tells.  False: there are none */
bool imalog_chain_split(struct imalog_merge *merge);
/* The pieces that follow none, in the best order that is known; @heads has room for all. */
size_t imalog_chain_heads(const struct imalog_merge *merge, size_t *heads);

/* ---- merge-gaps.c ---- */

/* Has no receipt, and is not known to follow another piece */
bool imalog_piece_is_loose(const struct imalog_merge *merge, size_t piece);
/* A segment that is part of the log, and no piece has its bytes */
bool imalog_entry_is_missing(const struct imalog_entry *entry);
/* Says what is missing by the receipts, and which pieces they do not know. */
int imalog_chain_say_gaps(struct imalog_merge *merge, struct imalog_error *error);
/*
 * The same of a plan that a search found: pieces that no receipt knows may have the records of
 * segments that are not there, if there are enough of them.
 */
int imalog_plan_say_gaps(struct imalog_merge *merge, struct imalog_error *error);

/* ---- merge-pass.c ---- */

/* One pass over the parts of a plan: replayed, written and held against the receipts */
struct imalog_merge_pass {
	struct imalog_merge *merge;
	struct imalog_plan *plan;
	bool write;
	/* What came of it */
	struct imalog_replay *replay;
	struct imalog_quote_match *match;
	enum imalog_verdict verdict;
	uint64_t matched_at;
	struct imalog_notes notes;
	size_t misfit;	  /* a piece that is not what its receipt says, or IMALOG_NOWHERE */
	size_t broken;	  /* a piece that cannot be read to its end, or IMALOG_NOWHERE */
	bool contradicts; /* records that receipts call the same are not */
};
int imalog_merge_pass(struct imalog_merge_pass *pass, struct imalog_error *error);
void imalog_merge_pass_free(struct imalog_merge_pass *pass);

/* A SHA-256 that is computed in pieces; @error must be there. */
static inline int imalog_sum_begin(struct imalog_stream **ret, struct imalog_error *error)
{
	*ret = imalog_stream_new(IMALOG_ALG_SHA256, error);
	return *ret ? 0 : -(int)imalog_error_code(error);
}

/* ---- merge-ledger.c ---- */

/* What receipts say of the log while its records go by */
struct imalog_ledger;
/* To be closed also after a failure */
int imalog_ledger_open(struct imalog_merge_pass *pass, struct imalog_ledger **ret,
		       struct imalog_error *error);
void imalog_ledger_close(struct imalog_ledger **ledger);
/* After record @number: are the values those of the receipts? */
int imalog_ledger_values(struct imalog_ledger *ledger, uint64_t number,
			 struct imalog_error *error);
int imalog_ledger_record(struct imalog_ledger *ledger, const struct imalog_record *record,
			 uint64_t number, struct imalog_error *error);
/* A record that the part at hand leaves out */
int imalog_ledger_skip(struct imalog_ledger *ledger, const struct imalog_record *record,
		       struct imalog_error *error);
/* Were these the records that the parts before have? */
int imalog_ledger_compare(struct imalog_ledger *ledger, size_t part,
			  struct imalog_error *error);

/* ---- merge-output.c ---- */

struct imalog_output {
	struct imalog_merge *merge;
	struct imalog_writer *writer;
	enum imalog_format format; /* of the first record */
	enum imalog_order order;
	size_t digest_size;
	bool counts;  /* records of an array that begins with their number: nothing else yet */
	bool copies;  /* bytes as they are */
	bool stopped; /* counted, or at a record of another form: all must be written anew */
};
int imalog_output_put(struct imalog_output *output, const struct imalog_record *record,
		      struct imalog_error *error);
/* Behind the last record of a log that was read to its end */
int imalog_output_finish(struct imalog_output *output, struct imalog_error *error);
void imalog_output_end(struct imalog_output *output);

/* ---- merge-plan.c ---- */

/* Puts chains in order, each without its first records, into a plan whose parts are new. */
int imalog_plan_make(struct imalog_merge *merge, const size_t *heads, const uint64_t *borders,
		     size_t nr, struct imalog_plan *ret, struct imalog_error *error);
/* "a.log, b.log without its first 3 records" */
int imalog_plan_say(struct imalog_merge *merge, const struct imalog_plan *plan,
		    uint64_t records, struct imalog_error *error);
/* What is to be said of a plan that is the result: pieces doubled, overlapping, reordered */
int imalog_plan_notes(struct imalog_merge *merge, struct imalog_error *error);
void imalog_plan_forget(struct imalog_merge *merge);
/* Makes a plan the result, with what a pass found, which is taken over. */
int imalog_plan_take(struct imalog_merge *merge, struct imalog_plan *plan,
		     struct imalog_merge_pass *pass, struct imalog_error *error);

/* ---- merge-choose.c ---- */

/* The plans of which one may be the log, tried one after the other */
struct imalog_choice {
	struct imalog_plan *plans;
	size_t nr;
};
/*
 * Takes the one that leads to the anchor, and writes it.  If several do, or none, says so.
 */
int imalog_choose(struct imalog_merge *merge, struct imalog_choice *choice,
		  struct imalog_error *error);
void imalog_choice_free(struct imalog_choice *choice);

/* ---- merge-doubt.c ---- */

/* Are all records of the piece of those that recur?  1, 0, or a negative code */
int imalog_piece_recurs(struct imalog_merge *merge, size_t piece, struct imalog_error *error);
/*
 * Of a plan that leads to the anchor: what was left out because of equal bytes, and the anchor
 * does not weigh?  Then the result is no longer that it is proved.
 */
int imalog_doubt_plan(struct imalog_merge *merge, const struct imalog_merge_pass *pass,
		      struct imalog_error *error);

/* ---- merge-find.c ---- */

/* Searches an order of these chains. */
int imalog_merge_find(struct imalog_merge *merge, const size_t *heads, size_t nr,
		      struct imalog_error *error);

#endif /* IMALOG_MERGE_ENGINE_H */
