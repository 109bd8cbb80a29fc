/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of quote-verify share. */
#ifndef IMALOG_QUOTE_H
#define IMALOG_QUOTE_H

#include "cli.h"

enum {
	OPT_QUOTE = OPT_COMMAND,
	OPT_SIGNATURE,
	OPT_KEY,
	OPT_HASH,
	OPT_CA,
	OPT_NONCE,
	OPT_NONCE_FILE,
	OPT_NO_NONCE,
	OPT_PREVIOUS,
	OPT_FROM_QUOTE,
	OPT_FROM_SIGNATURE,
	OPT_MAX_LATER,
	OPT_PRINT_COUNT,
	OPT_QUOTE_EVENTLOG,
	QUOTE_VALUES,
};

struct verify {
	struct options options;
	struct compare compare;
	struct log log;
	struct imalog_error *error;
	const char *values[QUOTE_VALUES]; /* of the options that take one */
	enum imalog_alg hash;
	bool no_nonce, print_count, json;
	uint64_t max_later; /* UINT64_MAX: any */
	struct imalog_key *key;
	struct imalog_quote *quote, *from, *previous;
	struct imalog_pcrs *others;
	struct imalog_hasher *hasher;
	struct imalog_replay *replay;
	struct imalog_quote_match *match;
	uint64_t first_record[IMALOG_PCR_MAX + 1]; /* that extends the PCR, 0 for none */
	uint64_t bad_record; /* the first that does not fit, 0 for none */
	enum imalog_problem bad_problem;
	/* Did the first of two quotes sign what the log starts from? */
	enum imalog_verdict first_selection;
	char first_unsigned[32]; /* what it did not, "sha256:10" */
};

/* Takes one of the options above, or of those about values; an exit code. */
int quote_option(struct verify *verify, int option, const struct option *long_options);
/* Reads what the options name, and checks what needs no log; an exit code. */
int quote_load(struct verify *verify);
/* Says what the library complained of; the exit code of @code. */
int quote_failed(const struct verify *verify, const char *file, int code);
/* Do the covered records extend this PCR, or all when none are covered? */
bool quote_log_extends(const struct verify *verify, uint32_t pcr);
/* Prints what came of all checks; an exit code. */
int quote_report(const struct verify *verify);
/* The same as an object, with the exit code; NULL when memory ran out. */
json_t *quote_object(const struct verify *verify, int *code);

#endif /* IMALOG_QUOTE_H */
