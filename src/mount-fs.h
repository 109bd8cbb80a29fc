/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of `imalog mount` share that speak with FUSE. */
#ifndef IMALOG_MOUNT_FS_H
#define IMALOG_MOUNT_FS_H

#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include <stdatomic.h>

#include "mount.h"

struct mount_asked;

/* A file as the kernel knows it */
struct mount_node {
	uint64_t series; /* another one, another inode */
	uint64_t log;
	uint64_t size;	  /* that the kernel has, as long as it has the inode */
	uint64_t lookups; /* that it has not forgotten: 0, it does not */
	bool sized;	  /* false: nobody can say how long it is */
};

struct fs {
	struct mount_log *log;
	const struct mount_files *files;
	time_t started;
	struct mount_looker looker;
	struct fuse_session *session;
	const char *dir;
	atomic_bool ends;

	pthread_mutex_t lock; /* of what follows */
	struct mount_node node[MOUNT_FILES_MAX];
	bool doubtful; /* what follows is not decided */
	bool grows;    /* sizes are being changed: nobody is told any */
	struct mount_asked *asked; /* meanwhile */
};

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* ---- mount-cache.c: inodes and sizes ---- */

/* What an inode is of */
struct mount_place {
	size_t file;
	const struct mount_file *is; /* NULL: there is no such file */
	uint64_t log, size; /* that the kernel has */
	bool stale; /* it was of another log */
	bool cached; /* the kernel may keep its bytes */
};

struct mount_place mount_place_of(struct fs *fs, fuse_ino_t inode);
/* The number that readers see, whatever the kernel calls it; FUSE_ROOT_ID + 1 or more */
ino_t mount_number_of(struct fs *fs, size_t file);
/* Answers a lookup, or with @inode what is asked of that. */
void mount_tell(struct fs *fs, fuse_req_t req, size_t file, fuse_ino_t inode);
void mount_forget(struct fs *fs, fuse_ino_t inode, uint64_t lookups);
/* After each look, before anybody hears of it: tells the kernel what has grown. */
void mount_publish(struct fs *fs);

#endif /* IMALOG_MOUNT_FS_H */
