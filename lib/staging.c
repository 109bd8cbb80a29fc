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
 * The list itself can be opened beside it by the thread that has this one, O_RDWR again: to know
 * how much of the boot is not staged (moment.c); or to delete its first records by their number,
 * which kernels that cannot stage do, too:
 *
 *   "N\n"  frees the first N: ENOENT (there are fewer), ESTALE, EINVAL (ima_flush_htable)
 *
 * What is staged is older than the list, so N is for when nothing is, and both are held to know
 * that.
 *
 * Requests are written once, whatever comes of it: the kernel takes them whole or not at all.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define SHA256_SIZE 32

struct imalog_staging {
	char *root;
	int fd;	  /* what is staged; -1: the kernel cannot stage */
	int list; /* -1: not opened */
	struct imalog_stream *stream;
	/* What is read and deleted: what is staged, or the first records of the list */
	bool first;
	uint64_t end;	   /* of those records, in bytes */
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
int imalog_staging_open_files(const char *root, bool staged, bool list, unsigned int wait_ms,
			      struct imalog_staging **ret, struct imalog_error *error)
{
	struct imalog_staging *staging = calloc(1, sizeof(*staging));
	int rc;

	if (!staging)
		return imalog_fail_nomem(error);
	staging->fd = staging->list = -1;
	staging->root = strdup(root);
	rc = staging->root ? check_threads(error) : imalog_fail_nomem(error);
	if (rc == 0)
		rc = start_stream(staging, error);
	if (rc == 0 && staged)
		rc = imalog_list_open_as(root, IMALOG_STAGED_NAME, O_RDWR, wait_ms,
					 &staging->fd, error);
	/* Who holds what is staged is let in to the list at once. */
	if (rc == 0 && list)
		rc = imalog_list_open_as(root, IMALOG_LIST_NAME, O_RDWR, staged ? 0 : wait_ms,
					 &staging->list, error);
	if (rc < 0)
		imalog_staging_close(&staging);
	else
		*ret = staging;
	return rc;
}

int imalog_staging_open(const char *root, unsigned int wait_ms, struct imalog_staging **ret,
			struct imalog_error *reterr)
{
	return imalog_staging_open_files(root, true, false, wait_ms, ret, reterr);
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
static int request(struct imalog_staging *staging, int fd, const char *text)
{
	ssize_t done = write(fd, text, strlen(text));

	/* What was read before says nothing any more, whatever became of this. */
	staging->whole = false;
	staging->records = 0;
	if (done < 0)
		return errno;
	return (size_t)done == strlen(text) ? 0 : EIO;
}

int imalog_staging_stage(struct imalog_staging *staging, struct imalog_error *reterr)
{
	int os_errno = request(staging, staging->fd, "A\n");

	staging->first = false;
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

static int read_some(int fd, uint8_t *to, size_t room, size_t *got, const char *failing,
		     struct imalog_error *error)
{
	ssize_t n;

	do
		n = read(fd, to, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return imalog_fail_errno(error, errno, failing);
	*got = (size_t)n;
	return 0;
}

/* Nothing more comes: that is what was read under this hold. */
static int end_reading(struct imalog_staging *staging, struct imalog_error *error)
{
	int rc = imalog_stream_digest(staging->stream, staging->sha256, error);

	staging->whole = rc == 0;
	staging->size = staging->position;
	return rc;
}

static int read_staged(void *arg, uint8_t *to, size_t room, size_t *got,
		       struct imalog_error *error)
{
	struct imalog_staging *staging = arg;
	int rc = read_some(staging->fd, to, room, got, "cannot read what is staged", error);

	if (rc < 0)
		return rc;
	if (staging->whole)
		return *got == 0 ? 0 :
				   imalog_fail_os(error, EIO,
						  "the staged list goes on behind its end");
	staging->position += *got;
	imalog_stream_add(staging->stream, to, *got);
	return *got > 0 ? 0 : end_reading(staging, error);
}

/* The list goes on; what is read ends where the records do. */
static int read_first(void *arg, uint8_t *to, size_t room, size_t *got,
		      struct imalog_error *error)
{
	struct imalog_staging *staging = arg;
	uint64_t left = staging->end - staging->position;
	int rc;

	*got = 0;
	if (left == 0)
		return staging->whole ? 0 : end_reading(staging, error);
	rc = read_some(staging->list, to, room < left ? room : (size_t)left, got,
		       "cannot read the measurement list", error);
	if (rc < 0)
		return rc;
	if (*got == 0)
		return imalog_fail_os(error, EIO, "the list is shorter than it was");
	staging->position += *got;
	imalog_stream_add(staging->stream, to, *got);
	return 0;
}

/* A source that begins at the start of one of the files */
static struct imalog_source *
source_of(struct imalog_staging *staging, bool list,
	  int (*call)(void *, uint8_t *, size_t, size_t *, struct imalog_error *),
	  struct imalog_error *error)
{
	const char *name = list ? IMALOG_LIST_NAME : IMALOG_STAGED_NAME;
	int fd = list ? staging->list : staging->fd;
	struct imalog_source *source;

	if (lseek(fd, 0, SEEK_SET) != 0) {
		imalog_fail_errno(error, errno,
				  list ? "cannot read the measurement list from its start" :
					 "cannot read what is staged from its start");
		return NULL;
	}
	source = call ? imalog_source_from_call(call, staging, name) :
			imalog_source_from_fd(fd, name);
	if (!source)
		imalog_fail_nomem(error);
	return source;
}

struct imalog_source *imalog_staging_source(struct imalog_staging *staging,
					    struct imalog_error *reterr)
{
	staging->whole = false;
	staging->position = 0;
	if (start_stream(staging, reterr) < 0)
		return NULL;
	return source_of(staging, staging->first, staging->first ? read_first : read_staged,
			 reterr);
}

/* Who holds what is staged is let in to the list at once. */
struct imalog_source *imalog_staging_list(struct imalog_staging *staging,
					  struct imalog_error *error)
{
	if (staging->list < 0 &&
	    imalog_list_open_as(staging->root, IMALOG_LIST_NAME, O_RDWR, 0, &staging->list,
				error) < 0)
		return NULL;
	return source_of(staging, true, NULL, error);
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

/* ---- the first records of the list ---- */

/* Is anything staged?  1, 0, or negative */
static int is_staged(struct imalog_staging *staging, struct imalog_error *error)
{
	uint8_t byte;
	size_t got;
	int rc;

	if (staging->fd < 0)
		return 0;
	if (lseek(staging->fd, 0, SEEK_SET) != 0)
		return imalog_fail_errno(error, errno,
					 "cannot read what is staged from its start");
	rc = read_some(staging->fd, &byte, 1, &got, "cannot read what is staged", error);
	return rc < 0 ? rc : got > 0;
}

/* Goes through so many records, or all that there are. */
static int count_records(struct imalog_staging *staging, struct imalog_reader *reader,
			 uint64_t records, struct imalog_error *error)
{
	struct imalog_record *record;
	int rc = 1;

	staging->records = staging->end = 0;
	while (staging->records < records &&
	       (rc = imalog_reader_next(reader, &record, error)) > 0) {
		staging->end += imalog_record_raw(record).size;
		imalog_reader_release(reader, ++staging->records);
	}
	return rc < 0 ? rc : 0;
}

int imalog_staging_first(struct imalog_staging *staging, uint64_t records, uint64_t *got,
			 struct imalog_error *error)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_reader *reader = NULL;
	struct imalog_source *source;
	int rc = is_staged(staging, error);

	staging->whole = staging->first = false;
	if (rc != 0) {
		imalog_templates_free(&templates);
		return rc < 0 ? rc : 2;
	}
	source = imalog_staging_list(staging, error);
	if (source && templates)
		reader = imalog_reader_new(source, templates);
	if (reader) {
		/* This list has SHA-1 digests, whatever banks there are. */
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, 20);
		rc = count_records(staging, reader, records, error);
	} else {
		rc = source ? imalog_fail_nomem(error) : -IMALOG_ERR_OS;
	}
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_templates_free(&templates);
	if (rc < 0)
		return rc;
	staging->first = true;
	*got = staging->records;
	return *got > 0;
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
	    memcmp(imalog_receipt_sha256(receipt), staging->sha256, SHA256_SIZE) != 0 ||
	    (staging->first && imalog_receipt_records(receipt) != staging->records))
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

static int delete_staged(struct imalog_staging *staging, struct imalog_error *error)
{
	int os_errno = request(staging, staging->fd, "D\n");

	switch (os_errno) {
	case 0:
		return 0;
	case ESTALE:
		return imalog_fail_os(
			error, os_errno,
			"the machine is going down, and a kexec may take the records "
			"along: nothing is deleted");
	case ENOENT:
		return imalog_fail_os(error, os_errno, "nothing is staged");
	case ENOMEM:
		if (is_gone(staging))
			return 0;
		__attribute__((fallthrough));
	default:
		return imalog_fail_errno(error, os_errno, "cannot delete what is staged");
	}
}

static int delete_first(struct imalog_staging *staging, struct imalog_error *error)
{
	char text[24];
	int os_errno;

	snprintf(text, sizeof(text), "%" PRIu64 "\n", staging->records);
	os_errno = request(staging, staging->list, text);
	switch (os_errno) {
	case 0:
		return 0;
	case ESTALE:
		return imalog_fail_os(
			error, os_errno,
			"the machine is going down, and a kexec may take the records "
			"along: nothing is deleted");
	case ENOENT:
		return imalog_fail_os(error, os_errno, "the list has fewer records");
	case EINVAL:
		return imalog_fail_os(
			error, os_errno,
			"the kernel does not delete the first records of its list: was it "
			"started with ima_flush_htable?");
	default:
		return imalog_fail_errno(error, os_errno,
					 "cannot delete the first records of the list");
	}
}

int imalog_staging_delete(struct imalog_staging *staging, const struct imalog_receipt *receipt,
			  struct imalog_error *reterr)
{
	uint64_t records = staging->records;
	int rc = check_receipt(staging, receipt, reterr);

	if (rc < 0)
		return rc;
	rc = staging->first ? delete_first(staging, reterr) : delete_staged(staging, reterr);
	staging->records = records;
	return rc;
}
