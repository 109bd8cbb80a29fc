// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel keeps of the lists: pages that were once read, and where a file ends
 *
 * A page in which the list ends is kept with zeros behind that place, and whenever the kernel
 * hears of another size, it writes zeros behind that, at a time that nobody knows.  Readers
 * must never see those.  So a list grows in this order:
 *
 * - Reads get what there is, also behind the size that the kernel has.
 * - Whoever asks for an inode or a size must wait.
 * - The last page is taken out of the cache.  The kernel waits for reads of it that are on
 *   their way; those that begin later get what has come, too.  Who has found it before is
 *   given a moment.
 * - The last byte is put into the cache.  That moves the end of the file, and unlike an
 *   answer that tells another size it writes no zeros.
 * - Those who wait are told the size that the kernel has by now.  Answers to what was asked
 *   before are of no effect any more.
 *
 * Where the kernel does not follow, the file gets another inode.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mount-fs.h"

/* Inode numbers: that of the directory is FUSE_ROOT_ID; each series has some for its files. */
#define INODES_PER_SERIES 1024
/* What a file says of itself is asked for each time. */
#define TIMEOUT 0.0
/* For an inode that the kernel was told of and does not have yet: so often, in microseconds */
#define TRIES_MAX 200
#define TRY_PAUSE 1000

/* Who asked for an inode or a size while they change */
struct mount_asked {
	struct mount_asked *next;
	fuse_req_t req;
	size_t file;
	fuse_ino_t inode;
};

/* ---- inodes ---- */

static fuse_ino_t inode_of(uint64_t series, size_t file)
{
	return FUSE_ROOT_ID + 1 + series * INODES_PER_SERIES + file;
}

struct mount_place mount_place_of(struct fs *fs, fuse_ino_t inode)
{
	uint64_t number = inode - FUSE_ROOT_ID - 1;
	struct mount_place place = { .file = number % INODES_PER_SERIES };
	const struct mount_node *node;

	if (inode <= FUSE_ROOT_ID || place.file >= fs->files->nr)
		return place;
	node = &fs->node[place.file];
	place.is = &fs->files->file[place.file];
	pthread_mutex_lock(&fs->lock);
	place.log = node->log;
	place.size = node->size;
	place.stale = node->series != number / INODES_PER_SERIES;
	place.cached = place.is->kind == MOUNT_LIST && node->sized && !fs->doubtful;
	pthread_mutex_unlock(&fs->lock);
	return place;
}

static ino_t number_of(const struct mount_node *node, size_t file)
{
	return FUSE_ROOT_ID + 1 + node->log * INODES_PER_SERIES + file;
}

ino_t mount_number_of(struct fs *fs, size_t file)
{
	ino_t number;

	pthread_mutex_lock(&fs->lock);
	number = number_of(&fs->node[file], file);
	pthread_mutex_unlock(&fs->lock);
	return number;
}

/* Owner and mode are the kernel's, without the right to write. */
static struct stat stat_of(const struct fs *fs, size_t i)
{
	const struct mount_file *file = &fs->files->file[i];

	return (struct stat){ .st_ino = number_of(&fs->node[i], i),
			      .st_mode = S_IFREG | (file->st.st_mode & 0444),
			      .st_nlink = 1,
			      .st_uid = file->st.st_uid,
			      .st_gid = file->st.st_gid,
			      .st_size = (off_t)fs->node[i].size,
			      .st_mtime = fs->started,
			      .st_ctime = fs->started,
			      .st_atime = fs->started };
}

void mount_forget(struct fs *fs, fuse_ino_t inode, uint64_t lookups)
{
	struct mount_place place = mount_place_of(fs, inode);
	struct mount_node *node;

	if (!place.is || place.stale)
		return;
	node = &fs->node[place.file];
	pthread_mutex_lock(&fs->lock);
	if (inode == inode_of(node->series, place.file))
		node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	pthread_mutex_unlock(&fs->lock);
}

/* ---- who asks ---- */

static void tell_inode(struct fs *fs, fuse_req_t req, size_t file)
{
	struct mount_node *node = &fs->node[file];
	struct fuse_entry_param entry = { .ino = inode_of(node->series, file),
					  .attr = stat_of(fs, file),
					  .attr_timeout = TIMEOUT,
					  .entry_timeout = TIMEOUT };

	node->lookups++;
	pthread_mutex_unlock(&fs->lock);
	if (fuse_reply_entry(req, &entry) != 0)
		mount_forget(fs, entry.ino, 1);
}

static void tell_size(struct fs *fs, fuse_req_t req, size_t file, fuse_ino_t inode)
{
	const struct stat st = stat_of(fs, file);
	bool stale = inode != inode_of(fs->node[file].series, file);

	pthread_mutex_unlock(&fs->lock);
	if (stale)
		fuse_reply_err(req, ESTALE); /* of a path, the kernel looks it up again */
	else
		fuse_reply_attr(req, &st, TIMEOUT);
}

void mount_tell(struct fs *fs, fuse_req_t req, size_t file, fuse_ino_t inode)
{
	struct mount_asked *asked;

	pthread_mutex_lock(&fs->lock);
	if (!fs->grows && !inode) {
		tell_inode(fs, req, file);
		return;
	}
	if (!fs->grows) {
		tell_size(fs, req, file, inode);
		return;
	}
	asked = malloc(sizeof(*asked));
	if (asked) {
		*asked = (struct mount_asked){ fs->asked, req, file, inode };
		fs->asked = asked;
	}
	pthread_mutex_unlock(&fs->lock);
	if (!asked)
		fuse_reply_err(req, ENOMEM);
}

static void set_grows(struct fs *fs, bool grows)
{
	struct mount_asked *asked, *next;

	pthread_mutex_lock(&fs->lock);
	fs->grows = grows;
	asked = grows ? NULL : fs->asked;
	if (!grows)
		fs->asked = NULL;
	pthread_mutex_unlock(&fs->lock);
	for (; asked; asked = next) {
		next = asked->next;
		mount_tell(fs, asked->req, asked->file, asked->inode);
		free(asked);
	}
}

/* ---- growing ---- */

/* Only this thread changes them but for lookups. */
static bool is_known(struct fs *fs, const struct mount_node *node)
{
	bool known;

	pthread_mutex_lock(&fs->lock);
	known = node->lookups > 0;
	pthread_mutex_unlock(&fs->lock);
	return known;
}

/* 0, or a negative errno value */
static int move_end(struct fs *fs, fuse_ino_t inode, uint64_t from, uint64_t to, char last)
{
	struct fuse_bufvec byte = FUSE_BUFVEC_INIT(1);
	int rc = fuse_lowlevel_notify_inval_inode(fs->session, inode, (off_t)from, 0);

	byte.buf[0].mem = &last;
	if (rc == 0)
		rc = fuse_lowlevel_notify_store(fs->session, inode, (off_t)to - 1, &byte, 0);
	return rc;
}

/*
 * An answer to a lookup may be on its way: then the kernel has the inode in a moment.  False:
 * it does not know where the file ends now.
 */
static bool grow_known(struct fs *fs, size_t file, uint64_t size, char last)
{
	const struct mount_node *node = &fs->node[file];
	fuse_ino_t inode = inode_of(node->series, file);
	int rc = -ENOENT;

	for (int i = 0; rc == -ENOENT && i < TRIES_MAX && !fs->ends; i++) {
		if (!is_known(fs, node))
			return true;
		if (i > 0)
			usleep(TRY_PAUSE);
		rc = move_end(fs, inode, node->size, size, last);
	}
	return rc == 0;
}

/* The list as it is now; false: it cannot be read */
static bool grow(struct fs *fs, size_t i, const struct mount_now *now)
{
	struct mount_node *node = &fs->node[i];
	const struct mount_file *file = &fs->files->file[i];
	uint64_t size = now->size[i];
	bool follows = true;
	size_t got = 0;
	char last;

	if (is_known(fs, node)) {
		if (mount_log_read(fs->log, now->log, file, size - 1, &last, 1, &got) != 0 ||
		    got != 1)
			return false;
		follows = grow_known(fs, i, size, last);
	}
	pthread_mutex_lock(&fs->lock);
	if (!follows) {
		node->series++;
		node->lookups = 0;
	}
	node->size = size;
	pthread_mutex_unlock(&fs->lock);
	return true;
}

/* Who has the file of the log before open is to ask, and to hear that it is of another. */
static void start(struct fs *fs, size_t i, const struct mount_now *now)
{
	struct mount_node *node = &fs->node[i];

	/* A page of the others may be waiting for this look: sendfile(2) reads them by pages. */
	if (fs->files->file[i].kind == MOUNT_LIST && is_known(fs, node))
		fuse_lowlevel_notify_inval_inode(fs->session, inode_of(node->series, i), 0, 0);
	pthread_mutex_lock(&fs->lock);
	node->series++;
	node->lookups = 0;
	node->log = now->log;
	node->size = now->size[i];
	pthread_mutex_unlock(&fs->lock);
}

static bool has_grown(const struct fs *fs, size_t i, const struct mount_now *now)
{
	const struct mount_node *node = &fs->node[i];

	return node->log == now->log && now->sized[i] && node->size != now->size[i];
}

static bool has_changed(const struct fs *fs, const struct mount_now *now)
{
	bool changed = false;

	for (size_t i = 0; i < fs->files->nr; i++)
		changed |= fs->node[i].log != now->log || has_grown(fs, i, now);
	return changed;
}

/*
 * Who has found the old page asks for the size right after that, and must not see that of
 * now: it takes no time, but nobody says when.
 */
static void drop_ends(struct fs *fs, const struct mount_now *now)
{
	bool any = false;

	for (size_t i = 0; i < fs->files->nr; i++) {
		const struct mount_node *node = &fs->node[i];

		if (has_grown(fs, i, now) && is_known(fs, node))
			any |= fuse_lowlevel_notify_inval_inode(fs->session,
								inode_of(node->series, i),
								(off_t)node->size, 0) == 0;
	}
	if (any)
		usleep(TRY_PAUSE);
}

void mount_publish(struct fs *fs)
{
	struct mount_now now;
	bool changed;

	mount_log_now(fs->log, &now);
	changed = has_changed(fs, &now);
	if (changed)
		set_grows(fs, true);
	drop_ends(fs, &now);
	for (size_t i = 0; i < fs->files->nr; i++) {
		if (fs->node[i].log != now.log)
			start(fs, i, &now);
		else if (has_grown(fs, i, &now))
			now.sized[i] = grow(fs, i, &now);
	}
	pthread_mutex_lock(&fs->lock);
	fs->doubtful = now.doubtful;
	for (size_t i = 0; i < fs->files->nr; i++) {
		fs->node[i].sized = now.sized[i];
		if (fs->files->file[i].kind == MOUNT_COUNT)
			fs->node[i].size = now.size[i];
	}
	pthread_mutex_unlock(&fs->lock);
	if (changed)
		set_grows(fs, false);
}
