// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file system of `imalog mount`: one directory of files that cannot be written
 *
 * The kernel keeps what was once read of the lists (mount-cache.c).  Before a read beyond the
 * end that it knows it asks for the size, with the descriptor: then a look is due, because
 * what ends a read is the end of the log as it is now, not as it was at open.  Reads of other
 * files come here one by one (direct_io), and so do those of lists whose end is in doubt.
 * A log that ended with a reset of the TPM gets new inodes, and whoever has the old ones open
 * ESTALE.
 */
#include "mount-fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

/* What a descriptor is told to be at open */
enum handle { DIRECT, CACHED };

/*
 * Is it this program that looks for the kernel's files, and finds its own?  Then somebody has
 * put the directory in their place, and an answer would wait for itself.
 */
static bool is_own(fuse_req_t req)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d", (int)fuse_req_ctx(req)->pid);
	return access(path, F_OK) == 0;
}

/* ---- names and attributes ---- */

static void fill_directory(const struct fs *fs, struct stat *st)
{
	*st = (struct stat){ .st_ino = FUSE_ROOT_ID,
			     .st_mode = S_IFDIR | 0555,
			     .st_nlink = 2,
			     .st_mtime = fs->started,
			     .st_ctime = fs->started,
			     .st_atime = fs->started };
}

/* Open only as long as it takes */
static int read_kernel(const struct mount_log *log, const struct mount_file *file,
		       uint64_t offset, char *to, size_t size, size_t *got)
{
	ssize_t part = 1;
	int fd, rc = 0;

	if (mount_log_is_hidden(log))
		return ELOOP;
	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno;
	*got = 0;
	while (part > 0 && *got < size) {
		part = pread(fd, to + *got, size - *got, (off_t)(offset + *got));
		if (part < 0)
			rc = *got ? 0 : errno;
		*got += part > 0 ? (size_t)part : 0;
	}
	close(fd);
	return rc;
}

/* sendfile(2) goes no further than the size says, which of the kernel's own is 0. */
static void measure(struct fs *fs, size_t i)
{
	size_t room = (size_t)64 << 10, got = room;
	char *bytes = malloc(room);
	uint64_t size = 0;

	while (bytes && got == room) {
		if (read_kernel(fs->log, &fs->files->file[i], size, bytes, room, &got) != 0)
			got = 0;
		size += got;
	}
	free(bytes);
	pthread_mutex_lock(&fs->lock);
	fs->node[i].size = size;
	pthread_mutex_unlock(&fs->lock);
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	size_t i = parent == FUSE_ROOT_ID ? 0 : fs->files->nr;

	while (i < fs->files->nr && strcmp(fs->files->file[i].name, name) != 0)
		i++;
	if (is_own(req)) {
		fuse_reply_err(req, ELOOP);
	} else if (i == fs->files->nr) {
		fuse_reply_err(req, ENOENT);
	} else {
		if (fs->files->file[i].kind == MOUNT_PASS)
			measure(fs, i);
		mount_tell(fs, req, i, 0);
	}
}

static void fs_forget(fuse_req_t req, fuse_ino_t inode, uint64_t lookups)
{
	mount_forget(fs_of(req), inode, lookups);
	fuse_reply_none(req);
}

static void fs_readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	char *entries = malloc(size);
	size_t used = 0, nr = fs->files->nr + 2;

	(void)info;
	if (inode != FUSE_ROOT_ID || !entries || is_own(req)) {
		fuse_reply_err(req, entries ? ENOTDIR : ENOMEM);
		free(entries);
		return;
	}
	for (size_t i = (size_t)offset; i < nr; i++) {
		const char *name = i == 0 ? "." : i == 1 ? ".." : fs->files->file[i - 2].name;
		const struct stat st = { .st_ino = i < 2 ? FUSE_ROOT_ID :
							   mount_number_of(fs, i - 2),
					 .st_mode = i < 2 ? S_IFDIR : S_IFREG };
		size_t need = fuse_add_direntry(req, entries + used, size - used, name, &st,
						(off_t)i + 1);

		if (need > size - used)
			break;
		used += need;
	}
	fuse_reply_buf(req, entries, used);
	free(entries);
}

/* ---- reading ---- */

static bool is_doubtful(struct mount_log *log)
{
	bool doubtful;

	pthread_mutex_lock(&log->lock);
	doubtful = log->now.doubtful;
	pthread_mutex_unlock(&log->lock);
	return doubtful;
}

static int read_count(struct mount_log *log, uint64_t of, uint64_t offset, char *to,
		      size_t size, size_t *got)
{
	char text[32];
	size_t length;
	int rc = 0;

	pthread_mutex_lock(&log->lock);
	if (of != log->now.log)
		rc = ESTALE;
	else if (log->now.doubtful)
		rc = EIO;
	length = (size_t)snprintf(text, sizeof(text), "%" PRIu64 "\n", log->now.records);
	pthread_mutex_unlock(&log->lock);
	*got = offset < length ? length - (size_t)offset : 0;
	*got = *got < size ? *got : size;
	if (*got)
		memcpy(to, text + offset, *got);
	return rc;
}

static int read_now(const struct fs *fs, const struct mount_place *place, uint64_t offset,
		    char *to, size_t size, size_t *got)
{
	if (place->stale)
		return ESTALE;
	switch (place->is->kind) {
	case MOUNT_LIST:
		return mount_log_read(fs->log, place->log, place->is, offset, to, size, got);
	case MOUNT_COUNT:
		return read_count(fs->log, place->log, offset, to, size, got);
	default:
		return read_kernel(fs->log, place->is, offset, to, size, got);
	}
}

/* ---- who must wait for a look ---- */

struct request {
	struct mount_request waits; /* comes first */
	fuse_req_t req;
	fuse_ino_t inode;
	struct fuse_file_info info;
	size_t size;
	off_t offset;
	void (*answer)(const struct request *request, const struct mount_place *place, int rc);
};

static void answer_open(const struct request *request, const struct mount_place *place, int rc)
{
	struct fuse_file_info info = request->info;

	if (rc == 0 && place->stale)
		rc = ESTALE; /* the kernel looks the name up again */
	info.fh = place->cached ? CACHED : DIRECT;
	info.direct_io = !place->cached;
	info.keep_cache = place->cached;
	if (rc)
		fuse_reply_err(request->req, rc);
	else
		fuse_reply_open(request->req, &info);
}

/* Asked before a read beyond the end, and by who seeks to it; how far it would go is not told. */
static void answer_end(const struct request *request, const struct mount_place *place, int rc)
{
	if (rc == 0 && place->stale)
		rc = ESTALE;
	if (rc == 0 && !place->cached)
		rc = EIO;
	if (rc)
		fuse_reply_err(request->req, rc);
	else
		mount_tell(fs_of(request->req), request->req, place->file, request->inode);
}

/* What there is now */
static void answer_read(const struct request *request, const struct mount_place *place, int rc)
{
	struct mount_log *log = fs_of(request->req)->log;
	char *bytes = malloc(request->size ? request->size : 1);
	size_t got = 0;

	if (!bytes)
		rc = ENOMEM;
	if (rc == 0)
		rc = read_now(fs_of(request->req), place, (uint64_t)request->offset, bytes,
			      request->size, &got);
	if (rc == 0 && got == 0 && is_doubtful(log))
		rc = EIO;
	if (rc)
		fuse_reply_err(request->req, rc);
	else
		fuse_reply_buf(request->req, bytes, got);
	free(bytes);
}

static bool is_interrupted(const struct mount_request *waits)
{
	return fuse_req_interrupted(((const struct request *)waits)->req);
}

static void answer(struct mount_request *waits, int rc)
{
	struct request *request = (struct request *)waits;
	const struct mount_place place = mount_place_of(fs_of(request->req), request->inode);

	request->answer(request, &place, rc);
	free(request);
}

static void wait_for_look(struct request request)
{
	struct request *kept = malloc(sizeof(*kept));

	request.waits.is_given_up = is_interrupted;
	request.waits.answer = answer;
	if (!kept) {
		fuse_reply_err(request.req, ENOMEM);
		return;
	}
	*kept = request;
	mount_looker_add(&fs_of(request.req)->looker, &kept->waits);
}

/* Without a descriptor it is asked what is known; of a list with one, a read depends on it. */
static void fs_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	const struct mount_place place = mount_place_of(fs, inode);
	struct stat st;

	if (inode == FUSE_ROOT_ID) {
		fill_directory(fs, &st);
		fuse_reply_attr(req, &st, 3600.0);
	} else if (!place.is || is_own(req)) {
		fuse_reply_err(req, place.is ? ELOOP : ENOENT);
	} else if (info && info->fh == CACHED) {
		wait_for_look((struct request){
			.req = req, .inode = inode, .info = *info, .answer = answer_end });
	} else {
		mount_tell(fs, req, place.file, inode);
	}
}

/* Whoever opens a list, or the count of its records, is to find it as it is now. */
static void fs_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	const struct mount_place place = mount_place_of(fs_of(req), inode);
	const struct request request = {
		.req = req, .inode = inode, .info = *info, .answer = answer_open
	};
	int rc = 0;

	if (!place.is)
		rc = ENOENT;
	else if (is_own(req))
		rc = ELOOP;
	else if ((info->flags & O_ACCMODE) != O_RDONLY)
		rc = EROFS;
	if (rc == 0 && place.is->kind != MOUNT_PASS)
		wait_for_look(request);
	else
		answer_open(&request, &place, rc);
}

/*
 * When the end of a list is reached, what has come since; a number is always that of now.  A
 * page must not wait for a look, which waits for pages; it never is of what there is not.
 * Where less is read than the size says, the kernel would show zeros.
 */
static void fs_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	struct fs *fs = fs_of(req);
	const struct mount_place place = mount_place_of(fs, inode);
	char *bytes = malloc(size ? size : 1);
	bool looks = place.is->kind == MOUNT_COUNT && offset == 0;
	size_t got = 0;
	int rc = bytes ? 0 : ENOMEM;

	if (rc == 0 && !looks)
		rc = read_now(fs, &place, (uint64_t)offset, bytes, size, &got);
	if (rc == 0 && got < size && place.is->kind == MOUNT_LIST &&
	    (uint64_t)offset + got < place.size)
		rc = EIO;
	if (rc == 0 && got == 0 && size && place.is->kind == MOUNT_LIST) {
		looks = info->fh == DIRECT;
		rc = looks ? 0 : EIO;
	}
	if (rc)
		fuse_reply_err(req, rc);
	else if (looks)
		wait_for_look((struct request){ .req = req,
						.inode = inode,
						.info = *info,
						.size = size,
						.offset = offset,
						.answer = answer_read });
	else
		fuse_reply_buf(req, bytes, got);
	free(bytes);
}

/*
 * No more than what this file system says itself empties the cache.  What is read ahead comes
 * in order: text is made from the place where the last read stopped.
 */
static void fs_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &= ~(unsigned int)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_ASYNC_READ);
	conn->want |= conn->capable & FUSE_CAP_EXPLICIT_INVAL_DATA;
}

static const struct fuse_lowlevel_ops operations = {
	.init = fs_init,
	.lookup = fs_lookup,
	.forget = fs_forget,
	.getattr = fs_getattr,
	.readdir = fs_readdir,
	.open = fs_open,
	.read = fs_read,
};

/* ---- from mount to unmount ---- */

static void has_looked(struct mount_looker *looker)
{
	mount_publish(looker->arg);
}

/* It waits for pages, and nobody answers who reads them: these get an error from the kernel. */
static void is_late(struct mount_looker *looker)
{
	const struct fs *fs = looker->arg;

	umount2(fs->dir, MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW);
}

static bool has_ended(void *arg)
{
	return fuse_session_exited(arg);
}

static int run(struct fuse_session *session, struct fs *fs, bool foreground)
{
	struct fuse_loop_config config = { .clone_fd = 0, .max_idle_threads = 4 };
	struct mount_log *log = fs->log;
	int rc;

	if (!foreground) {
		if (fuse_daemonize(0) != 0)
			return EXIT_UNABLE;
		openlog("imalog", LOG_PID, LOG_DAEMON);
		log->in_background = true;
	}
	mount_publish(fs);
	log->worker.has_ended = has_ended;
	log->worker.arg = session;
	rc = mount_worker_start(&log->worker);
	if (rc == 0)
		rc = mount_looker_start(&fs->looker, log);
	if (rc) {
		mount_say(log, "cannot start a thread: %s", strerror(rc));
		return EXIT_UNABLE;
	}
	mount_notify("READY=1");
	rc = fuse_session_loop_mt(session, &config);
	mount_notify("STOPPING=1");
	fs->ends = true;
	mount_worker_end(&log->worker);
	mount_looker_stop(&fs->looker);
	/* A signal is how it is to end. */
	if (rc < 0)
		mount_say(log, "the mount failed: %s", strerror(-rc));
	return rc < 0 ? EXIT_UNABLE : EXIT_YES;
}

/* Without asking: nobody serves it yet */
static dev_t device_of(const char *dir)
{
	struct statx stx;

	if (statx(AT_FDCWD, dir, AT_STATX_DONT_SYNC, 0, &stx) != 0)
		return 0;
	return makedev(stx.stx_dev_major, stx.stx_dev_minor);
}

int mount_serve(struct mount_log *log, const struct mount_files *files, const char *dir,
		bool foreground)
{
	char name[] = "imalog", option[] = "-o",
	     values[] = "ro,nosuid,nodev,noexec,default_permissions,allow_other,"
			"fsname=imalog,subtype=imalog";
	char *argv[] = { name, option, values, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fs fs = { .log = log,
			 .files = files,
			 .started = time(NULL),
			 .dir = dir,
			 .lock = PTHREAD_MUTEX_INITIALIZER,
			 .looker = { .has_looked = has_looked, .is_late = is_late } };
	struct fuse_session *session =
		fuse_session_new(&args, &operations, sizeof(operations), &fs);
	int rc = EXIT_UNABLE;

	fs.looker.arg = &fs;
	fs.session = session;
	fuse_opt_free_args(&args);
	if (!session) {
		complain("libfuse does not start");
		return rc;
	}
	if (fuse_set_signal_handlers(session) == 0) {
		if (fuse_session_mount(session, dir) == 0) {
			log->device = device_of(dir);
			rc = run(session, &fs, foreground);
			fuse_session_unmount(session);
		} else {
			complain("cannot mount on '%s'", dir);
		}
		fuse_remove_signal_handlers(session);
	}
	fuse_session_destroy(session);
	return rc;
}
