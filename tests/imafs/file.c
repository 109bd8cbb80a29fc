// SPDX-License-Identifier: GPL-2.0-or-later
/* Open files: what open, read, write and close do (ima_fs.c) */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "imafs.h"

#define CAP_SYS_ADMIN 21

/* The list behind a file, as seq_file walks it. */
struct view {
	const struct kernel *kernel;
	const struct node *node;
};

static bool view_show(const void *list, uint64_t index, struct buf *out)
{
	const struct view *view = list;
	const struct kernel *kernel = view->kernel;
	const struct list *records = view->node->staged ? &kernel->staged :
							  &kernel->current;

	if (index >= records->count)
		return false;
	if (view->node->ascii)
		record_ascii(records->records[index], &kernel->tpm, view->node->bank,
			     kernel->big_endian, out);
	else
		record_binary(records->records[index], &kernel->tpm, view->node->bank,
			      kernel->big_endian, out);
	return true;
}

/* ---- open ---- */

static bool may_administer(const struct call *call)
{
	return call->task.capabilities >> CAP_SYS_ADMIN & 1;
}

static bool has_lock(const struct imafs *fs, const struct node *node)
{
	return node->kind == KIND_LIST && fs->kernel.version >= KERNEL_VERSION(7, 2);
}

static int open_list(struct imafs *fs, const struct call *call)
{
	bool write = call->access != O_RDONLY;

	if (!has_lock(fs, call->node))
		return 0;
	if (write && !may_administer(call))
		return -EPERM;
	return lock_take(&fs->lock, write, call->task.tid);
}

static int open_policy(struct policy *policy, const struct call *call)
{
	if (call->access == O_WRONLY) {
		if (policy->busy)
			return -EBUSY;
		policy->busy = true;
		return 0;
	}
	if (!policy->readable || call->access != O_RDONLY)
		return -EACCES;
	return may_administer(call) ? 0 : -EPERM;
}

static int file_open(struct imafs *fs, struct call *call)
{
	const size_t room = sizeof(fs->handles) / sizeof(*fs->handles);
	struct handle *handle;
	size_t i;
	int rc = 0;

	for (i = 0; i < room && fs->handles[i]; i++)
		;
	if (i == room)
		return -ENFILE;
	if (call->node->kind == KIND_LIST)
		rc = open_list(fs, call);
	else if (call->node->kind == KIND_POLICY)
		rc = open_policy(&fs->policy, call);
	if (rc < 0)
		return rc;
	handle = xcalloc(1, sizeof(*handle));
	handle->id = ++fs->nr_handles;
	handle->node = call->node;
	handle->access = call->access;
	handle->closer = call->task.tid;
	fs->nr_writers += call->node->kind == KIND_LIST && call->access != O_RDONLY;
	call->handle = fs->handles[i] = handle;
	call->id = handle->id;
	return 0;
}

/* ---- read and write ---- */

/*
 * A write to securityfs does not move the position, but FUSE does.  So the position that
 * the kernel of this machine tells is too far by what has been written, until the program
 * seeks.
 */
static uint64_t position(struct handle *handle, uint64_t offset)
{
	if (offset != handle->next)
		handle->skew = 0;
	handle->next = offset;
	return offset - handle->skew;
}

static size_t read_bytes(const struct buf *bytes, uint64_t pos, uint8_t *out, size_t size)
{
	size_t left = pos < bytes->size ? bytes->size - (size_t)pos : 0;

	if (left > size)
		left = size;
	if (left)
		memcpy(out, bytes->data + pos, left);
	return left;
}

static size_t read_number(const struct imafs *fs, const struct node *node, uint64_t pos,
			  uint8_t *out, size_t size)
{
	struct buf text = { 0 };
	size_t got;

	if (node->kind == KIND_VIOLATIONS)
		buf_printf(&text, "%lu\n", fs->kernel.violations);
	else if (fs->wrong_count >= 0)
		buf_printf(&text, "%li\n", fs->wrong_count);
	else
		buf_printf(&text, "%zu\n", fs->kernel.current.count);
	got = read_bytes(&text, pos, out, size);
	buf_free(&text);
	return got;
}

static int file_read(struct imafs *fs, struct call *call)
{
	struct handle *handle = call->handle;
	struct view view = { &fs->kernel, call->node };
	uint64_t pos = position(handle, call->offset);
	size_t size = call->size, got;

	if (handle->dead)
		return -ENODEV;
	if (fs->read_limit && size > fs->read_limit)
		size = fs->read_limit;
	call->data = xcalloc(1, size + 1);
	if (call->node->kind == KIND_LIST) {
		got = seq_read(&handle->seq, &view, view_show, pos, call->data, size);
	} else if (call->node->kind == KIND_BIOS) {
		got = read_bytes(&fs->machine.bios, pos, call->data, size);
	} else if (call->node->kind == KIND_POLICY) {
		got = seq_read(&handle->seq, &fs->policy, policy_show, pos, call->data,
			       size);
	} else {
		got = read_number(fs, call->node, pos, call->data, size);
	}
	handle->next += got;
	return (int)got;
}

static int write_policy(struct imafs *fs, const struct call *call, uint64_t pos)
{
	int rc;

	if (pos != 0)
		return -EINVAL;
	rc = policy_write(&fs->policy, &fs->kernel, call->data, call->size);
	/* FUSE cannot return more than was asked for */
	return rc > (int)call->size ? (int)call->size : rc;
}

static int file_write(struct imafs *fs, const struct call *call)
{
	struct handle *handle = call->handle;
	uint64_t pos = position(handle, call->offset);
	int rc;

	if (handle->dead)
		return -ENODEV;
	if (has_lock(fs, call->node))
		rc = kernel_request(&fs->kernel, call->data, call->size,
				    call->node->staged);
	else if (call->node->kind == KIND_POLICY)
		rc = write_policy(fs, call, pos);
	else
		rc = -EINVAL;
	if (rc > 0) {
		handle->next += (uint64_t)rc;
		handle->skew += (uint64_t)rc;
	}
	return rc;
}

/* ---- close ---- */

void file_close(struct imafs *fs, struct handle *handle)
{
	bool write = handle->access != O_RDONLY;
	const size_t room = sizeof(fs->handles) / sizeof(*fs->handles);

	if (has_lock(fs, handle->node) && !handle->dead)
		lock_drop(&fs->lock, write, handle->closer);
	if (handle->node->kind == KIND_POLICY && write && !handle->dead)
		policy_commit(&fs->policy);
	fs->nr_writers -= handle->node->kind == KIND_LIST && write;
	for (size_t i = 0; i < room; i++)
		if (fs->handles[i] == handle)
			fs->handles[i] = NULL;
	free(handle->seq.data);
	free(handle);
}

void file_orphan(struct imafs *fs)
{
	for (size_t i = 0; i < sizeof(fs->handles) / sizeof(*fs->handles); i++)
		if (fs->handles[i])
			fs->handles[i]->dead = true;
	fs->lock = (struct lock){ .fixed = fs->lock.fixed };
	policy_init(&fs->policy);
}

int file_call(struct imafs *fs, struct call *call)
{
	switch (call->op) {
	case OP_OPEN:
		return file_open(fs, call);
	case OP_READ:
		return file_read(fs, call);
	case OP_WRITE:
		return file_write(fs, call);
	case OP_FLUSH:
		/* Whoever closes last is the one who gives the lock back */
		call->handle->closer = call->task.tid;
		return 0;
	case OP_RELEASE:
		file_close(fs, call->handle);
		call->handle = NULL;
		return 0;
	}
	return -ENOSYS;
}
