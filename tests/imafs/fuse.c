// SPDX-License-Identifier: GPL-2.0-or-later
/* What FUSE asks, turned into calls. */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imafs.h"

/* ---- names ---- */

static const struct node *node_of(const struct imafs *fs, fuse_ino_t inode)
{
	return inode >= 1 && inode <= fs->tree.count ? &fs->tree.nodes[inode - 1] : NULL;
}

static bool node_gone(const struct imafs *fs, const struct node *node)
{
	return node->kind == KIND_POLICY && fs->policy.removed;
}

static void fill_stat(const struct imafs *fs, const struct node *node,
		      struct stat *status)
{
	*status = (struct stat){ .st_ino = (ino_t)(node - fs->tree.nodes) + 1,
				 .st_mode = node->mode,
				 .st_nlink = node->kind == KIND_DIR ? 2 : 1 };
	if (node->kind == KIND_LINK)
		status->st_size = (off_t)strlen(node->target);
	/* After the only policy there can be, when it can be read */
	if (node->kind == KIND_POLICY && fs->policy.loaded && !fs->policy.writable)
		status->st_mode &= ~(mode_t)0200;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct imafs *fs = fuse_req_userdata(req);
	struct fuse_entry_param entry = { 0 };

	for (size_t i = 1; i < fs->tree.count; i++) {
		const struct node *node = &fs->tree.nodes[i];

		if (node->parent + 1 != parent || strcmp(node->name, name) != 0 ||
		    node_gone(fs, node))
			continue;
		entry.ino = i + 1;
		fill_stat(fs, node, &entry.attr);
		fuse_reply_entry(req, &entry);
		return;
	}
	fuse_reply_err(req, ENOENT);
}

static void do_getattr(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	const struct imafs *fs = fuse_req_userdata(req);
	const struct node *node = node_of(fs, inode);
	struct stat status;

	(void)info;
	if (!node) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_stat(fs, node, &status);
	fuse_reply_attr(req, &status, 0);
}

/* O_TRUNC of the shell's > changes nothing. */
static void do_setattr(fuse_req_t req, fuse_ino_t inode, struct stat *status, int what,
		       struct fuse_file_info *info)
{
	(void)status;
	if (what & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		fuse_reply_err(req, EPERM);
	else
		do_getattr(req, inode, info);
}

static void do_readlink(fuse_req_t req, fuse_ino_t inode)
{
	const struct node *node = node_of(fuse_req_userdata(req), inode);

	if (node && node->kind == KIND_LINK)
		fuse_reply_readlink(req, node->target);
	else
		fuse_reply_err(req, EINVAL);
}

static void do_readdir(fuse_req_t req, fuse_ino_t inode, size_t size, off_t from,
		       struct fuse_file_info *info)
{
	const struct imafs *fs = fuse_req_userdata(req);
	char *list = xcalloc(1, size);
	size_t used = 0, need;

	(void)info;
	for (size_t i = (size_t)from; i < fs->tree.count; i++) {
		const struct node *node = &fs->tree.nodes[i];
		struct stat status;

		if (i == 0 || node->parent + 1 != inode || node_gone(fs, node))
			continue;
		fill_stat(fs, node, &status);
		need = fuse_add_direntry(req, list + used, size - used, node->name,
					 &status, (off_t)i + 1);
		if (need > size - used)
			break;
		used += need;
	}
	fuse_reply_buf(req, list, used);
	free(list);
}

/* securityfs has no way to make a file. */
static void do_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		      struct fuse_file_info *info)
{
	(void)parent, (void)name, (void)mode, (void)info;
	fuse_reply_err(req, EACCES);
}

/* ---- files ---- */

static void submit(fuse_req_t req, fuse_ino_t inode, struct call *call)
{
	struct imafs *fs = fuse_req_userdata(req);

	call->req = req;
	call->node = node_of(fs, inode);
	if (call->handle)
		call->id = call->handle->id;
	/* Nobody asks for a release: it was the last one who closed */
	task_look(&call->task,
		  call->op == OP_RELEASE ? call->handle->closer : fuse_req_ctx(req)->pid);
	call_submit(fs, call);
}

static struct handle *handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

static void do_open(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct call call = { .op = OP_OPEN, .access = info->flags & O_ACCMODE };

	submit(req, inode, &call);
}

static void do_read(fuse_req_t req, fuse_ino_t inode, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	struct call call = { .op = OP_READ,
			     .handle = handle_of(info),
			     .offset = (uint64_t)offset,
			     .size = size };

	submit(req, inode, &call);
}

static void do_write(fuse_req_t req, fuse_ino_t inode, const char *data, size_t size,
		     off_t offset, struct fuse_file_info *info)
{
	struct call call = { .op = OP_WRITE,
			     .handle = handle_of(info),
			     .offset = (uint64_t)offset,
			     .size = size };

	call.data = xcalloc(1, size + 1);
	memcpy(call.data, data, size);
	submit(req, inode, &call);
}

static void do_flush(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct call call = { .op = OP_FLUSH, .handle = handle_of(info) };

	submit(req, inode, &call);
}

static void do_release(fuse_req_t req, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct call call = { .op = OP_RELEASE, .handle = handle_of(info) };

	submit(req, inode, &call);
}

static void reply_open(struct imafs *fs, struct call *call)
{
	struct fuse_file_info info = { .direct_io = 1, .fh = (uintptr_t)call->handle };

	if (call->result < 0)
		fuse_reply_err(call->req, -call->result);
	/* When the caller is gone there will be no release */
	if ((call->result < 0 || fuse_reply_open(call->req, &info) < 0) && call->handle)
		file_close(fs, call->handle);
}

void call_reply(struct imafs *fs, struct call *call)
{
	if (call->op == OP_OPEN)
		reply_open(fs, call);
	else if (call->result < 0 || call->op == OP_FLUSH || call->op == OP_RELEASE)
		fuse_reply_err(call->req, call->result < 0 ? -call->result : 0);
	else if (call->op == OP_READ)
		fuse_reply_buf(call->req, (const char *)call->data, (size_t)call->result);
	else
		fuse_reply_write(call->req, (size_t)call->result);
}

/* ---- the session ---- */

/* Releases are background requests: so many must never wait behind others. */
static void do_init(void *user, struct fuse_conn_info *connection)
{
	(void)user;
	connection->max_background = 60000;
	connection->congestion_threshold = 60000;
}

static const struct fuse_lowlevel_ops operations = {
	.init = do_init,
	.lookup = do_lookup,
	.getattr = do_getattr,
	.setattr = do_setattr,
	.readlink = do_readlink,
	.readdir = do_readdir,
	.create = do_create,
	.open = do_open,
	.read = do_read,
	.write = do_write,
	.flush = do_flush,
	.release = do_release,
};

struct fuse_session *fuse_start(struct imafs *fs, const char *mountpoint)
{
	char name[] = "imafs", option[] = "-o",
	     options[] = "fsname=imafs,subtype=imafs,allow_other,default_permissions";
	char *argv[] = { name, option, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	struct fuse_session *session;
	int fd;

	session = fuse_session_new(&args, &operations, sizeof(operations), fs);
	fuse_opt_free_args(&args);
	if (!session)
		return NULL;
	if (fuse_session_mount(session, mountpoint) != 0) {
		fuse_session_destroy(session);
		return NULL;
	}
	fd = fuse_session_fd(session);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return session;
}

int fuse_fd(const struct imafs *fs)
{
	return fuse_session_fd(fs->session);
}

/* One request, or none when it was taken back meanwhile. */
void fuse_serve(struct imafs *fs)
{
	static struct fuse_buf buffer;
	int rc = fuse_session_receive_buf(fs->session, &buffer);

	if (rc > 0)
		fuse_session_process_buf(fs->session, &buffer);
	else if (rc != -EINTR && rc != -EAGAIN)
		fs->quit = true;
	if (fuse_session_exited(fs->session))
		fs->quit = true;
}

void fuse_stop(struct imafs *fs)
{
	fuse_session_unmount(fs->session);
	fuse_session_destroy(fs->session);
}
