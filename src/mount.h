/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of `imalog mount` share. */
#ifndef IMALOG_MOUNT_H
#define IMALOG_MOUNT_H

#include <pthread.h>
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
	char *path; /* of the kernel's file */
	struct stat st; /* of that */
};

#define MOUNT_FILES_MAX 64

struct mount_files {
	struct mount_file file[MOUNT_FILES_MAX];
	size_t nr;
	char *dir; /* where the kernel's lists are */
};

/* Those that the kernel has; an exit code, with a message */
int mount_files_find(struct mount_files *files, const char *root);
void mount_files_free(struct mount_files *files);

/* ---- mount-log.c: the log, for several threads ---- */

struct mount_log {
	pthread_mutex_t lock;
	struct imalog_follower *follower;
	struct imalog_error *error;
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
/* What is known, without looking */
struct mount_now {
	uint64_t log;
	bool doubtful; /* what follows is not decided */
	uint64_t size[MOUNT_FILES_MAX];
	bool sized[MOUNT_FILES_MAX]; /* false: nobody can say how long it is */
};

void mount_log_now(struct mount_log *log, const struct mount_files *files,
		   struct mount_now *now);
/* Looks for more; 0, or an errno value.  @last: what is wrong is said, also that it is busy */
int mount_log_try(struct mount_log *log, bool last);
/*
 * Reads what is known; 0, or an errno value.  Of a list whose size is known it is less than
 * @size only at the end.
 */
int mount_log_read(struct mount_log *log, uint64_t of, const struct imalog_shape *shape,
		   uint64_t offset, void *to, size_t size, size_t *got);

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
