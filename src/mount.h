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
	char *said, *noted; /* last */
};

/* Says it, unless it was what was said last. */
void mount_say(struct mount_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/*
 * Looks for more, again and again while others have the lists open; 0, or an errno value.
 * @gives_up may be NULL.  Called without the lock
 */
int mount_log_look(struct mount_log *log, bool (*gives_up)(void *arg), void *arg);
/* Reads what is known; 0, or an errno value */
int mount_log_read(struct mount_log *log, uint64_t of, const struct imalog_shape *shape,
		   uint64_t offset, void *to, size_t size, size_t *got);

/* ---- mount-fs.c ---- */

/* Mounts, says when it is ready, and serves until a signal comes; an exit code */
int mount_serve(struct mount_log *log, const struct mount_files *files, const char *dir,
		bool foreground);

/* ---- mount-notify.c: sd_notify(3) ---- */

/* Tells whoever started this, if they asked for it. */
void mount_notify(const char *state);

#endif /* IMALOG_MOUNT_H */
