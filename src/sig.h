/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of sig-verify share. */
#ifndef IMALOG_SRC_SIG_H
#define IMALOG_SRC_SIG_H

#include "cli.h"

#define SIG_STATUSES (IMALOG_SIG_UNSUPPORTED + 1)
#define SIG_THREADS_MAX 64

/* How often, and where first */
struct sig_counts {
	uint64_t of[SIG_STATUSES];
	uint64_t first;
};

/* What signatures that are not ok call their key */
struct sig_id {
	uint8_t id[4];
	struct sig_counts counts;
};

struct sig_dir {
	char *name; /* NULL: all that are not listed */
	size_t size;
	struct sig_counts counts;
};

/* A record, and what came of its signatures */
struct sig_item {
	struct imalog_record *record;
	enum imalog_fit fit;
	bool known; /* is it known which fields it has? */
	size_t first, nr; /* results */
};

struct sig_verify {
	struct options options;
	struct log log;
	struct imalog_error *error;
	struct imalog_sig_keys *keys;
	struct imalog_hasher *hasher;
	/* What was asked */
	char **key_paths, **rings;
	size_t nr_key_paths, nr_rings;
	const char *ca;
	bool keys_from_log, all, allow_unknown;
	unsigned int threads;
	/* Records that are checked together */
	struct sig_item *items;
	size_t nr_items;
	struct imalog_sig_result *results;
	size_t nr_results, room;
	struct imalog_sig_checker *checkers[SIG_THREADS_MAX];
	/* What came of it */
	struct sig_counts total;
	uint64_t unsigned_files, misfits, keys_left_out;
	bool incomplete;	 /* files of keys were damaged */
	uint64_t maybe_files;	 /* unsigned, and called as the kernel calls no file */
	uint8_t aggregate[IMALOG_DIGEST_MAX]; /* digest of a boot_aggregate in record 1 */
	size_t aggregate_size;
	struct sig_id *ids;
	size_t nr_ids;
	bool ids_left_out;
	void *dirs; /* of tsearch(3) */
	struct sig_dir others;
	size_t nr_dirs;
	struct sig_counts *by_key; /* signatures that are ok, by the keys of the set */
	size_t nr_by_key;
};

/* ---- sig-load.c ---- */

/* Reads the keys that were named; an exit code. */
int sig_load(struct sig_verify *verify);

/* ---- sig-run.c ---- */

/* Checks all records; an exit code */
int sig_run(struct sig_verify *verify);
void sig_run_free(struct sig_verify *verify);

/* ---- sig-count.c ---- */

/* The status of the record: the worst of its signatures */
enum imalog_sig_status sig_status(const struct sig_verify *verify, const struct sig_item *item);
bool sig_count(struct sig_verify *verify, const struct sig_item *item);
/* Has the key signed something? */
bool sig_is_used(const struct sig_verify *verify, size_t key);
/* Signatures of a key, and those that name it and are not ok; @first is 0: there are none */
struct sig_counts sig_counts_of(const struct sig_verify *verify, size_t key);
void sig_count_free(struct sig_verify *verify);

/* ---- sig-report.c ---- */

/* One line; false when it could not be written */
bool sig_report_item(const struct sig_verify *verify, const struct sig_item *item);
/* Keys, directories and the verdict; an exit code.  @complete: all of the log was read */
int sig_report(const struct sig_verify *verify, bool complete);

#endif /* IMALOG_SRC_SIG_H */
