// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The file system of `imalog mount`: one directory of files that cannot be written
 *
 * Reads come here one by one (direct_io), because the files grow while they are open.  What
 * ends a read is the end of the log as it is now, not as it was at open: readers who keep a
 * descriptor see new records.  A log that ended with a reset of the TPM gets new inodes, and
 * whoever has the old ones open ESTALE.
 */
#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <syslog.h>
#include <unistd.h>

#include "mount.h"

/* Inode numbers: that of the directory is FUSE_ROOT_ID; each log has some for its files. */
#define INODES_PER_LOG 1024
/* What a file says of itself is asked for each time. */
#define TIMEOUT 0.0

struct fs {
	struct mount_log *log;
	const struct mount_files *files;
	time_t started;
	struct mount_looker looker;
};

static struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

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

/* ---- inodes ---- */

static uint64_t current_log(struct mount_log *log)
{
	uint64_t number;

	pthread_mutex_lock(&log->lock);
	number = log->now.log;
	pthread_mutex_unlock(&log->lock);
	return number;
}

static fuse_ino_t inode_of(uint64_t log, size_t file)
{
	return FUSE_ROOT_ID + 1 + log * INODES_PER_LOG + file;
}

/* NULL: there is no such file */
static const struct mount_file *file_of(const struct fs *fs, fuse_ino_t inode, uint64_t *log)
{
	uint64_t number = inode - FUSE_ROOT_ID - 1;

	if (inode <= FUSE_ROOT_ID || number % INODES_PER_LOG >= fs->files->nr)
		return NULL;
	*log = number / INODES_PER_LOG;
	return &fs->files->file[number % INODES_PER_LOG];
}

static uint64_t size_of(const struct fs *fs, const struct mount_file *file, uint64_t of)
{
	struct mount_log *log = fs->log;
	uint64_t size = 0;

	pthread_mutex_lock(&log->lock);
	if (file->kind == MOUNT_LIST && of == log->now.log)
		size = log->now.size[file - fs->files->file];
	pthread_mutex_unlock(&log->lock);
	return size;
}

static void fill_directory(const struct fs *fs, struct stat *st)
{
	*st = (struct stat){ .st_ino = FUSE_ROOT_ID,
			     .st_mode = S_IFDIR | 0555,
			     .st_nlink = 2,
			     .st_mtime = fs->started,
			     .st_ctime = fs->started,
			     .st_atime = fs->started };
}

/* Owner and mode are the kernel's, without the right to write. */
static void fill_file(const struct fs *fs, const struct mount_file *file, fuse_ino_t inode,
		      uint64_t log, struct stat *st)
{
	*st = (struct stat){ .st_ino = inode,
			     .st_mode = S_IFREG | (file->st.st_mode & 0444),
			     .st_nlink = 1,
			     .st_uid = file->st.st_uid,
			     .st_gid = file->st.st_gid,
			     .st_size = (off_t)size_of(fs, file, log),
			     .st_mtime = fs->started,
			     .st_ctime = fs->started,
			     .st_atime = fs->started };
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = { .attr_timeout = TIMEOUT, .entry_timeout = TIMEOUT };
	uint64_t log;

	if (is_own(req)) {
		fuse_reply_err(req, ELOOP);
		return;
	}
	log = current_log(fs->log);
	for (size_t i = 0; parent == FUSE_ROOT_ID && i < fs->files->nr; i++) {
		if (strcmp(fs->files->file[i].name, name) != 0)
			continue;
		entry.ino = inode_of(log, i);
		fill_file(fs, &fs->files->file[i], entry.ino, log, &entry.attr);
		fuse_reply_entry(req, &entry);
		return;
	}
	fuse_reply_err(req, ENOENT);
}

static void fs_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	const struct fs *fs = fs_of(req);
	const struct mount_file *file;
	struct stat st;
	uint64_t log;

	(void)info;
	if (inode == FUSE_ROOT_ID) {
		fill_directory(fs, &st);
		fuse_reply_attr(req, &st, 3600.0);
		return;
	}
	file = file_of(fs, inode, &log);
	if (!file || is_own(req)) {
		fuse_reply_err(req, file ? ELOOP : ENOENT);
		return;
	}
	fill_file(fs, file, inode, log, &st);
	fuse_reply_attr(req, &st, TIMEOUT);
}

static void fs_readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
		       struct fuse_file_info *info)
{
	const struct fs *fs = fs_of(req);
	char *entries = malloc(size);
	size_t used = 0, nr = fs->files->nr + 2;
	uint64_t log;

	(void)info;
	if (inode != FUSE_ROOT_ID || !entries || is_own(req)) {
		fuse_reply_err(req, entries ? ENOTDIR : ENOMEM);
		free(entries);
		return;
	}
	log = current_log(fs->log);
	for (size_t i = (size_t)offset; i < nr; i++) {
		const char *name = i == 0 ? "." : i == 1 ? ".." : fs->files->file[i - 2].name;
		const struct stat st = { .st_ino = i < 2 ? FUSE_ROOT_ID : inode_of(log, i - 2),
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

static void answer_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info, int rc)
{
	uint64_t log = 0;

	(void)file_of(fs_of(req), inode, &log);
	if (rc == 0 && log != current_log(fs_of(req)->log))
		rc = ESTALE; /* the kernel looks the name up again */
	info->direct_io = 1;
	if (rc)
		fuse_reply_err(req, rc);
	else
		fuse_reply_open(req, info);
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

static int read_now(const struct fs *fs, fuse_ino_t inode, uint64_t offset, char *to,
		    size_t size, size_t *got)
{
	uint64_t log = 0;
	const struct mount_file *file = file_of(fs, inode, &log);

	switch (file->kind) {
	case MOUNT_LIST:
		return mount_log_read(fs->log, log, file, offset, to, size, got);
	case MOUNT_COUNT:
		return read_count(fs->log, log, offset, to, size, got);
	default:
		return read_kernel(fs->log, file, offset, to, size, got);
	}
}

/* After a look: what there is now */
static void answer_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset, int rc)
{
	char *bytes = malloc(size ? size : 1);
	size_t got = 0;

	if (!bytes)
		rc = ENOMEM;
	if (rc == 0)
		rc = read_now(fs_of(req), inode, (uint64_t)offset, bytes, size, &got);
	if (rc == 0 && got == 0 && is_doubtful(fs_of(req)->log))
		rc = EIO;
	if (rc)
		fuse_reply_err(req, rc);
	else
		fuse_reply_buf(req, bytes, got);
	free(bytes);
}

/* ---- who must wait for a look ---- */

struct request {
	struct mount_request waits; /* comes first */
	fuse_req_t req;
	fuse_ino_t inode;
	struct fuse_file_info info;
	bool opens;
	size_t size;
	off_t offset;
};

static bool is_interrupted(const struct mount_request *waits)
{
	return fuse_req_interrupted(((const struct request *)waits)->req);
}

static void answer(struct mount_request *waits, int rc)
{
	struct request *request = (struct request *)waits;

	if (request->opens)
		answer_open(request->req, request->inode, &request->info, rc);
	else
		answer_read(request->req, request->inode, request->size, request->offset, rc);
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

/* Whoever opens a list, or the count of its records, is to find it as it is now. */
static void fs_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	const struct mount_file *file;
	uint64_t log;
	int rc = 0;

	file = file_of(fs_of(req), inode, &log);
	if (!file)
		rc = ENOENT;
	else if (is_own(req))
		rc = ELOOP;
	else if ((info->flags & O_ACCMODE) != O_RDONLY)
		rc = EROFS;
	if (rc == 0 && file->kind != MOUNT_PASS)
		wait_for_look((struct request){
			.req = req, .inode = inode, .info = *info, .opens = true });
	else
		answer_open(req, inode, info, rc);
}

/* When the end of a list is reached, what has come since; a number is always that of now. */
static void fs_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	const struct fs *fs = fs_of(req);
	uint64_t log = 0;
	const struct mount_file *file = file_of(fs, inode, &log);
	char *bytes = malloc(size ? size : 1);
	bool looks = file->kind == MOUNT_COUNT && offset == 0;
	size_t got = 0;
	int rc = bytes ? 0 : ENOMEM;

	if (rc == 0 && !looks)
		rc = read_now(fs, inode, (uint64_t)offset, bytes, size, &got);
	looks |= rc == 0 && got == 0 && size && file->kind == MOUNT_LIST;
	if (rc)
		fuse_reply_err(req, rc);
	else if (looks)
		wait_for_look((struct request){ .req = req, .inode = inode, .info = *info,
						.size = size, .offset = offset });
	else
		fuse_reply_buf(req, bytes, got);
	free(bytes);
}

static const struct fuse_lowlevel_ops operations = {
	.lookup = fs_lookup,
	.getattr = fs_getattr,
	.readdir = fs_readdir,
	.open = fs_open,
	.read = fs_read,
};

/* ---- from mount to unmount ---- */

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
	struct fs fs = { .log = log, .files = files, .started = time(NULL) };
	struct fuse_session *session =
		fuse_session_new(&args, &operations, sizeof(operations), &fs);
	int rc = EXIT_UNABLE;

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
