// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's interface to stage, read and delete its measurement list (Linux 7.2, ima_fs.c)
 *
 * One descriptor, O_RDWR, from the first byte to the deletion:
 *
 *   "A\n"  sets the whole list aside: EEXIST (one is set aside), ENOENT (the list is empty),
 *          EACCES (the machine is going down)
 *   read   what is set aside, in pieces of a page; it does not change until it is deleted
 *   "D\n"  frees it: ENOENT (nothing is), ESTALE (going down: a kexec takes it along),
 *          ENOMEM (ima_flush_htable: it is gone all the same)
 *
 * The list itself can be opened beside it by the thread that has this one, O_RDWR again, and is
 * only read: to know how much of the boot is not staged (moment.c).
 *
 * Requests are written once, whatever comes of it: the kernel takes them whole or not at all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define SHA256_SIZE 32

struct imalog_staging {
	char *root;
	int fd;
	int list; /* -1: not opened */
	struct imalog_stream *stream;
	uint64_t position; /* of what is being read */
	bool whole;	   /* it was read to its end, and that is size and sha256 */
	uint64_t size;
	uint8_t sha256[SHA256_SIZE];
	uint64_t records;
};

static int start_stream(struct imalog_staging *staging, struct imalog_error *error)
{
	imalog_stream_free(&staging->stream);
	staging->stream = imalog_stream_new(IMALOG_ALG_SHA256, error);
	return staging->stream ? 0 : -IMALOG_ERR_CRYPTO;
}

/*
 * The kernel knows a writer by its thread, and loses count when another one closes (ima_fs.c).
 * Libraries that reach a TPM may have started threads; without /proc there is no telling.
 */
static int check_threads(struct imalog_error *error)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int threads = 0;

	while (dir && (entry = readdir(dir)))
		threads += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	if (threads <= 1)
		return 0;
	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "the measurement list must be held by a process of one thread, and "
			   "this one has %d: a TPM that is reached through D-Bus (tabrmd) "
			   "starts others, /dev/tpmrm0 does not",
			   threads);
}

/* What takes long, or opens files as OpenSSL does, is done before the hold. */
int imalog_staging_open(const char *root, unsigned int wait_ms, struct imalog_staging **ret,
			struct imalog_error *reterr)
{
	struct imalog_staging *staging = calloc(1, sizeof(*staging));
	int rc;

	if (!staging)
		return imalog_fail_nomem(reterr);
	staging->fd = staging->list = -1;
	staging->root = strdup(root);
	rc = staging->root ? check_threads(reterr) : imalog_fail_nomem(reterr);
	if (rc == 0)
		rc = start_stream(staging, reterr);
	if (rc == 0)
		rc = imalog_list_open_as(root, IMALOG_STAGED_NAME, O_RDWR, wait_ms,
					 &staging->fd, reterr);
	if (rc < 0)
		imalog_staging_close(&staging);
	else
		*ret = staging;
	return rc;
}

/* The list lives in the kernel: there is nothing that a failing close() could lose. */
void imalog_staging_close(struct imalog_staging **staging)
{
	if (!staging || !*staging)
		return;
	if ((*staging)->list >= 0)
		close((*staging)->list);
	if ((*staging)->fd >= 0)
		close((*staging)->fd);
	imalog_stream_free(&(*staging)->stream);
	free((*staging)->root);
	free(*staging);
	*staging = NULL;
}

/* 0 or an errno */
static int request(struct imalog_staging *staging, const char *text)
{
	ssize_t done = write(staging->fd, text, strlen(text));

	/* What was read before says nothing any more, whatever became of this. */
	staging->whole = false;
	staging->records = 0;
	if (done < 0)
		return errno;
	return (size_t)done == strlen(text) ? 0 : EIO;
}

int imalog_staging_stage(struct imalog_staging *staging, struct imalog_error *reterr)
{
	int os_errno = request(staging, "A\n");

	switch (os_errno) {
	case 0:
		return 1;
	case EEXIST:
		return 2;
	case ENOENT:
		return 0;
	case EACCES:
		return imalog_fail_os(
			reterr, os_errno,
			"the machine is going down, and the kernel stages nothing "
			"any more");
	default:
		return imalog_fail_errno(reterr, os_errno,
					 "cannot stage the measurement list");
	}
}

/* ---- reading ---- */

static int read_staged(void *arg, uint8_t *to, size_t room, size_t *got,
		       struct imalog_error *error)
{
	struct imalog_staging *staging = arg;
	ssize_t n;
	int rc;

	do
		n = read(staging->fd, to, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return imalog_fail_errno(error, errno, "cannot read what is staged");
	*got = (size_t)n;
	if (staging->whole)
		return n == 0 ? 0 :
				imalog_fail_os(error, EIO,
					       "the staged list goes on behind its end");
	staging->position += *got;
	imalog_stream_add(staging->stream, to, *got);
	if (n > 0)
		return 0;
	rc = imalog_stream_digest(staging->stream, staging->sha256, error);
	staging->whole = rc == 0;
	staging->size = staging->position;
	return rc;
}

struct imalog_source *imalog_staging_source(struct imalog_staging *staging,
					    struct imalog_error *reterr)
{
	struct imalog_source *source;

	staging->whole = false;
	staging->position = 0;
	if (start_stream(staging, reterr) < 0)
		return NULL;
	if (lseek(staging->fd, 0, SEEK_SET) != 0) {
		imalog_fail_errno(reterr, errno, "cannot read what is staged from its start");
		return NULL;
	}
	source = imalog_source_from_call(read_staged, staging, IMALOG_STAGED_NAME);
	if (!source)
		imalog_fail_nomem(reterr);
	return source;
}

/* Who holds what is staged is let in to the list at once. */
struct imalog_source *imalog_staging_list(struct imalog_staging *staging,
					  struct imalog_error *error)
{
	struct imalog_source *source;

	if (staging->list < 0 &&
	    imalog_list_open_as(staging->root, IMALOG_LIST_NAME, O_RDWR, 0, &staging->list,
				error) < 0)
		return NULL;
	if (lseek(staging->list, 0, SEEK_SET) != 0) {
		imalog_fail_errno(error, errno,
				  "cannot read the measurement list from its start");
		return NULL;
	}
	source = imalog_source_from_fd(staging->list, IMALOG_LIST_NAME);
	if (!source)
		imalog_fail_nomem(error);
	return source;
}

const char *imalog_staging_root(const struct imalog_staging *staging)
{
	return staging->root;
}

uint64_t imalog_staging_bytes(const struct imalog_staging *staging)
{
	return staging->whole ? staging->size : 0;
}

const uint8_t *imalog_staging_sha256(const struct imalog_staging *staging)
{
	return staging->whole ? staging->sha256 : NULL;
}

uint64_t imalog_staging_records(const struct imalog_staging *staging)
{
	return staging->records;
}

void imalog_staging_set_records(struct imalog_staging *staging, uint64_t records)
{
	staging->records = records;
}

/* ---- deleting ---- */

static int check_receipt(const struct imalog_staging *staging,
			 const struct imalog_receipt *receipt, struct imalog_error *error)
{
	if (imalog_receipt_state(receipt) != IMALOG_RECEIPT_DELETING)
		return imalog_fail(error, IMALOG_ERR_INVALID, "",
				   "the receipt is not one for deleting");
	if (!staging->whole)
		return imalog_fail(error, IMALOG_ERR_INVALID, "",
				   "what is staged was not read to its end under this hold");
	if (staging->size == 0)
		return imalog_fail_os(error, ENOENT, "nothing is staged");
	if (imalog_receipt_bytes(receipt) != staging->size ||
	    memcmp(imalog_receipt_sha256(receipt), staging->sha256, SHA256_SIZE) != 0)
		return imalog_fail(error, IMALOG_ERR_INVALID, "",
				   "the receipt is not of what is staged");
	return 0;
}

/* The kernel took the staged list off before it ran out of memory (ima_delete_staged()). */
static bool is_gone(struct imalog_staging *staging)
{
	char byte;

	return lseek(staging->fd, 0, SEEK_SET) == 0 && read(staging->fd, &byte, 1) == 0;
}

int imalog_staging_delete(struct imalog_staging *staging, const struct imalog_receipt *receipt,
			  struct imalog_error *reterr)
{
	uint64_t records = staging->records;
	int rc = check_receipt(staging, receipt, reterr), os_errno;

	if (rc < 0)
		return rc;
	os_errno = request(staging, "D\n");
	staging->records = records;
	switch (os_errno) {
	case 0:
		return 0;
	case ESTALE:
		return imalog_fail_os(
			reterr, os_errno,
			"the machine is going down, and a kexec may take the records "
			"along: nothing is deleted");
	case ENOENT:
		return imalog_fail_os(reterr, os_errno, "nothing is staged");
	case ENOMEM:
		if (is_gone(staging))
			return 0;
		__attribute__((fallthrough));
	default:
		return imalog_fail_errno(reterr, os_errno, "cannot delete what is staged");
	}
}
