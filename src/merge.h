/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of imalog merge share. */
#ifndef IMALOG_CLI_MERGE_H
#define IMALOG_CLI_MERGE_H

#include "output-form.h"
#include "quote.h"

/* Where the records go.  What cannot be taken back is written when all is known. */
struct sink {
	const char *path; /* NULL: nowhere */
	struct output output;
	FILE *spool; /* NULL: straight to the output */
	int to_stdout; /* what standard output was, when it is the output; -1 else */
};

/* With "-" whatever is printed goes to standard error from here on; an exit code. */
int sink_open(struct sink *sink, const char *path);
int sink_write(void *sink, const void *data, size_t size); /* imalog_write_fn */
int sink_restart(void *sink);				    /* imalog_restart_fn */
/* An exit code, with a message */
int sink_commit(struct sink *sink);
void sink_close(struct sink *sink);

/* A piece that can be read once only, and so was copied */
struct spooled {
	char *name;
	FILE *file;
};

struct merging {
	struct verify verify; /* options, what to compare with, quote, and a log for reports */
	const struct output_form *form; /* NULL: the kernel's list, little-endian */
	struct sink sink;
	char **files;
	size_t nr_files;
	bool live;
	const char **receipts;
	size_t nr_receipts;
	uint64_t epoch;
	struct spooled *spooled;
	size_t nr_spooled;
	struct imalog_merge *merge;
	enum imalog_merge_result result;
	bool starts_with_boot_aggregate;
	int anchor_code; /* the exit code, when the replay could not be prepared */
};

/* Copies what can be read only once; an exit code. */
int input_open(struct merging *merging);
/* Adds all pieces and receipts to a new merge; an exit code. */
int input_add(struct merging *merging);
void input_close(struct merging *merging);

/* The exit code that the result amounts to, before the output is written */
int merge_exit_code(struct merging *merging);
/* Says what came of it; an exit code if that failed. */
int merge_report(struct merging *merging);

#endif /* IMALOG_CLI_MERGE_H */
