/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of `imalog mount` share. */
#ifndef IMALOG_MOUNT_H
#define IMALOG_MOUNT_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "cli.h"

/* ---- mount-files.c: what is in the directory ---- */

enum mount_kind {
	MOUNT_LIST,  /* a shape of the log */
	MOUNT_COUNT, /* how many records it has */
	MOUNT_PASS,  /* a file of the kernel, as it is */
};

struct mount_file {
	char name[64];
	enum mount_kind kind;
	struct imalog_shape shape;
	bool undecided; /* whether that is padded */
	char *path;	/* of the kernel's file */
	struct stat st; /* of that */
};

#define MOUNT_FILES_MAX 64

struct mount_files {
	struct mount_file file[MOUNT_FILES_MAX];
	size_t nr;
	const char *root;
	char *dir; /* where the kernel's lists are */
};

/* Those that the kernel has; an exit code, with a message */
int mount_files_find(struct mount_files *files, const char *root);
/* Tells which banks the kernel cannot compute, if anything tells now; 0, or EBUSY */
int mount_files_decide(struct mount_files *files);
void mount_files_free(struct mount_files *files);

/* ---- mount-worker.c: one thread for whatever may hang ---- */

struct mount_job {
	struct mount_job *next;
	void (*run)(struct mount_job *job);
	bool done, left; /* nobody waits for it any more */
};

struct mount_worker {
	unsigned int limit_ms; /* nobody waits longer */
	bool (*has_ended)(void *arg);
	void *arg;
	bool started;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t has_come, is_done;
	struct mount_job *first;
	unsigned int waiting;
	bool runs;
	uint64_t since; /* that */
	atomic_bool ends;
};

/* 0, or an errno value; before that, whoever asks for a job does it */
int mount_worker_start(struct mount_worker *worker);
/* Is it done?  Else the job, of one piece, is no longer the caller's. */
bool mount_worker_do(struct mount_worker *worker, struct mount_job *job);
/* Lets go all who wait. */
void mount_worker_end(struct mount_worker *worker);
/* False: a job still runs, and nobody knows for how long */
bool mount_worker_join(struct mount_worker *worker);

/* ---- mount-blocks.c: what was read last ---- */

struct mount_block {
	uint64_t log;
	const struct mount_file *file;
	uint64_t start;
	size_t size;
	uint8_t bytes[];
};

#define MOUNT_BLOCKS 8

struct mount_blocks {
	pthread_mutex_t lock;
	struct mount_block *block[MOUNT_BLOCKS];
	size_t next; /* to make room */
};

/* The bytes that are there from an offset on: how many, 0 if none */
size_t mount_blocks_read(struct mount_blocks *blocks, uint64_t log,
			 const struct mount_file *file, uint64_t offset, void *to,
			 size_t size);
/* How many to read for somebody who wants @size */
size_t mount_blocks_size(struct mount_blocks *blocks, uint64_t log,
			 const struct mount_file *file, uint64_t offset, size_t size);
/* Takes it. */
void mount_blocks_put(struct mount_blocks *blocks, struct mount_block *block);
void mount_blocks_free(struct mount_blocks *blocks);

/* ---- mount-log.c: the log, for several threads ---- */

/* What is known of it without asking anybody */
struct mount_now {
	uint64_t log, records;
	bool doubtful; /* what follows is not decided */
	uint64_t size[MOUNT_FILES_MAX]; /* of its files */
	bool sized[MOUNT_FILES_MAX];	/* false: nobody can say how long it is */
};

struct mount_log {
	/* The follower, and what else may hang, is for the worker alone. */
	struct mount_worker worker;
	struct imalog_follower *follower;
	struct imalog_error *error;
	struct mount_files *files;
	const char *store;
	struct mount_blocks blocks;
	pthread_mutex_t lock; /* of what was said last, and of: */
	struct mount_now now;
	unsigned int wait_ms;
	bool quiet, verbose;
	bool in_background; /* then the system's log gets what is to be said */
	bool said_busy;
	int failed; /* the last failure's code */
	char *said, *noted; /* last */
	const char *kernel; /* the directory of its files */
	dev_t device;	    /* what is mounted, when it is */
};

/* Are the mounted files in the place of the kernel's, so that a look would wait for itself? */
bool mount_log_is_hidden(const struct mount_log *log);

/* Says it, unless it was what was said last. */
void mount_say(struct mount_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void mount_log_now(struct mount_log *log, struct mount_now *now);
/* Looks for more; 0, or an errno value.  @last: what is wrong is said, also that it is busy */
int mount_log_try(struct mount_log *log, bool last);
/*
 * Reads what is known; 0, or an errno value.  Of a list whose size is known it is less than
 * @size only at the end.
 */
int mount_log_read(struct mount_log *log, uint64_t of, const struct mount_file *file,
		   uint64_t offset, void *to, size_t size, size_t *got);
void mount_log_free(struct mount_log *log);

/* ---- mount-look.c: waits while others have the lists open ---- */

struct mount_request {
	struct mount_request *next;
	uint64_t until; /* it may wait */
	bool (*is_given_up)(const struct mount_request *request);
	/* @rc: 0 or an errno value; frees it */
	void (*answer)(struct mount_request *request, int rc);
};

struct mount_looker {
	struct mount_log *log;
	/* After each look, before those who waited for it are answered */
	void (*has_looked)(struct mount_looker *looker);
	/* It is to end, and does not. */
	void (*is_late)(struct mount_looker *looker);
	void *arg; /* of them */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct mount_request *first;
	bool ends;
};

/* 0, or an errno value.  What is called, and its argument, is set before. */
int mount_looker_start(struct mount_looker *looker, struct mount_log *log);
/* Answers it after a look that begins later than now. */
void mount_looker_add(struct mount_looker *looker, struct mount_request *request);
/* Answers all that wait.  No more may come then */
void mount_looker_stop(struct mount_looker *looker);

/* ---- mount-fs.c ---- */

/* Mounts, says when it is ready, and serves until a signal comes; an exit code */
int mount_serve(struct mount_log *log, const struct mount_files *files, const char *dir,
		bool foreground);

/* ---- mount-notify.c: sd_notify(3) ---- */

/* Tells whoever started this, if they asked for it. */
void mount_notify(const char *state);

#endif /* IMALOG_MOUNT_H */
