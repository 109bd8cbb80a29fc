/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of imalog status share: what is known of this machine, and what is to be
 * said. */
#ifndef IMALOG_STATUS_H
#define IMALOG_STATUS_H

#include "cli.h"

/* Something that is not as it should be, or could not be told */
struct finding {
	enum imalog_note_kind kind;
	char *text;
	const char *advice; /* NULL: there is nothing to be done */
};

/* Numbers of records, where they are known */
struct count {
	bool known;
	uint64_t records;
	uint64_t bytes; /* of those that were read */
};

struct status {
	struct options options;
	struct config config;
	struct compare compare;
	bool no_tpm;
	struct imalog_error *error;

	struct imalog_kernel *kernel;
	bool counted;
	uint64_t violations;
	char holder[192]; /* "" when nobody can be seen */

	struct status_store {
		bool there;
		bool failed; /* whether it is there, or what it has, is not known */
		size_t epochs;
		uint64_t current; /* epoch, 0: none */
		uint64_t segments, records;
		uint64_t unread; /* segments whose records are not among these */
		uint64_t pending; /* the first such segment, or 0 */
		uint64_t kept;	  /* that is so for a kexec, or 0 */
		char newest[24];  /* when it was saved; "": nothing was, or it is not known */
	} store;

	/* This machine's log, from its first record to the last that the kernel has */
	const char *tpm; /* where values came from, NULL: nowhere */
	bool replayed;
	bool from_start; /* it begins with a boot_aggregate */
	bool doubtful;	 /* some of it may be there twice */
	enum imalog_answer quiet; /* the TPM's values did not change meanwhile */
	uint64_t part_bytes;	  /* of what is being replayed */
	struct imalog_replay *replay;
	struct count staged, listed;
	enum imalog_verdict verdict;
	uint64_t matched_at;

	struct finding *findings;
	size_t nr_findings;
};

/* Adds a finding; @advice is what to do about it, in a sentence, or NULL. */
void status_find(struct status *status, enum imalog_note_kind kind, const char *advice,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same of what the library complained of */
void status_find_error(struct status *status, int rc);

/* ---- status-log.c ---- */

void status_look_at_log(struct status *status);

/* ---- status-look.c ---- */

/* Looks at everything; what cannot be told is a finding, too. */
void status_look(struct status *status);

/* ---- status-print.c ---- */

void status_print_text(const struct status *status);
bool status_print_json(const struct status *status);

#endif /* IMALOG_STATUS_H */
