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
	OPT_QUOTE_OPAQUE,
	QUOTE_VALUES,
};

/* What a quote is, and what it is checked against without a log */
#define QUOTE_LONG                                                                         \
	{ "quote", required_argument, NULL, OPT_QUOTE },                                     \
	{ "signature", required_argument, NULL, OPT_SIGNATURE },                             \
	{ "key", required_argument, NULL, OPT_KEY },                                         \
	{ "hash", required_argument, NULL, OPT_HASH },                                       \
	{ "ca", required_argument, NULL, OPT_CA },                                           \
	{ "nonce", required_argument, NULL, OPT_NONCE },                                     \
	{ "nonce-file", required_argument, NULL, OPT_NONCE_FILE },                           \
	{ "no-nonce", no_argument, NULL, OPT_NO_NONCE },                                     \
	{ "previous", required_argument, NULL, OPT_PREVIOUS },                               \
	{ "pcrs", required_argument, NULL, OPT_PCRS },                                       \
	{ "eventlog", required_argument, NULL, OPT_QUOTE_EVENTLOG },                         \
	{ "padding", required_argument, NULL, OPT_PADDING }

struct verify {
	struct options options;
	struct compare compare;
	struct log log;
	struct imalog_error *error;
	const char *values[QUOTE_VALUES]; /* of the options that take one */
	enum imalog_alg hash;
	bool no_nonce, allow_opaque, print_count;
	uint64_t max_later; /* UINT64_MAX: any */
	bool doubtful;	    /* the log may have records twice */
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

/* ---- quote-load.c ---- */

int quote_init(struct verify *verify, const struct command *command);
void quote_free(struct verify *verify);
/* Takes one of the options above, or of those about values; an exit code. */
int quote_option(void *verify, int option);
/* Options that are needed, or exclude each other; an exit code. */
int quote_check_options(const struct verify *verify);
/* What the following work with; an exit code. */
int quote_prepare(struct verify *verify);
/* Reads what the options name, and checks what needs no log; an exit code. */
int quote_load(struct verify *verify);
/* Says what the library complained of; the exit code of @code. */
int quote_failed(const struct verify *verify, const char *file, int code);

/* ---- quote-log.c ---- */

/* Prepares the replay of the log to find what the quote covers; an exit code. */
int quote_prepare_match(struct verify *verify);
/* For imalog_replay_on_record() */
void quote_on_record(void *verify, const struct imalog_record *record);
/* Do the covered records extend this PCR, or all when none are covered? */
bool quote_log_extends(const struct verify *verify, uint32_t pcr);

/* ---- quote-report.c ---- */

/* Prints what came of all checks; an exit code. */
int quote_report(const struct verify *verify);
/* The same as an object, with the exit code; NULL when memory ran out. */
json_t *quote_object(const struct verify *verify, int *code);
/* As text; @with_log: it has been looked at */
void quote_print_text(const struct verify *verify, bool with_log);
enum imalog_verdict quote_verdict(const struct verify *verify);
/* What is known before the log is: IMALOG_MATCH when nothing stands in the way yet */
enum imalog_verdict quote_verdict_alone(const struct verify *verify);

#endif /* IMALOG_QUOTE_H */
