// SPDX-License-Identifier: LGPL-2.1-or-later
/* The receipt of a file outside a store, for machines that have none. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

int imalog_source_sum(struct imalog_source *source, uint64_t *bytes,
		      uint8_t sha256[IMALOG_SHA256_SIZE], struct imalog_error *error)
{
	struct imalog_stream *stream = imalog_stream_new(IMALOG_ALG_SHA256, error);
	struct imalog_window window = { .source = source };
	int rc = stream ? 0 : -IMALOG_ERR_CRYPTO;

	while (rc == 0) {
		struct imalog_span span;

		rc = imalog_window_need(&window, 1, error);
		span = imalog_window_span(&window);
		if (rc < 0 || span.size == 0)
			break;
		imalog_stream_add(stream, span.data, span.size);
		imalog_window_advance(&window, span.size);
	}
	*bytes = window.offset;
	if (rc == 0)
		rc = imalog_stream_digest(stream, sha256, error);
	imalog_arena_free(&window.arena);
	imalog_stream_free(&stream);
	return rc;
}

int imalog_span_sum(struct imalog_span bytes, uint8_t sha256[IMALOG_SHA256_SIZE],
		    struct imalog_error *error)
{
	struct imalog_source *source = imalog_source_from_memory(bytes.data, bytes.size, "");
	uint64_t size;
	int rc = source ? imalog_source_sum(source, &size, sha256, error) :
			  imalog_fail_nomem(error);

	imalog_source_free(&source);
	return rc;
}

/* The name of a file is durable only when its directory is. */
static int sync_directory_of(const char *path, struct imalog_error *error)
{
	char *copy = strdup(path);
	int fd, rc;

	if (!copy)
		return imalog_fail_nomem(error);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		rc = imalog_fail_errno(error, errno, "cannot open the directory");
	else
		rc = imalog_durable_sync(fd, "the directory", error);
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

static int sum_file(int fd, const char *path, struct imalog_receipt *receipt,
		    struct imalog_error *error)
{
	struct imalog_source *source = imalog_source_from_fd(fd, path);
	struct stat st;
	int rc;

	if (!source)
		return imalog_fail_nomem(error);
	rc = imalog_source_sum(source, &receipt->bytes, receipt->sha256, error);
	imalog_source_free(&source);
	if (rc == 0 && fstat(fd, &st) != 0)
		rc = imalog_fail_errno(error, errno, "cannot look at it");
	else if (rc == 0 && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != receipt->bytes))
		rc = imalog_fail(error, IMALOG_ERR_INVALID, "",
				 "not a file, or one that changes while it is read");
	return rc;
}

int imalog_receipt_for_file(const char *path, struct imalog_receipt **ret,
			    struct imalog_error *reterr)
{
	struct imalog_receipt *receipt = imalog_receipt_new(reterr);
	int fd, rc = 0;

	if (!receipt)
		return -IMALOG_ERR_NOMEM;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	rc = fd < 0 ? imalog_fail_errno(reterr, errno, "cannot open") :
		      imalog_durable_check_fd(fd, reterr);
	if (rc == 0)
		rc = sum_file(fd, path, receipt, reterr);
	if (rc == 0)
		rc = imalog_durable_sync(fd, "the file", reterr);
	if (rc == 0)
		rc = sync_directory_of(path, reterr);
	if (fd >= 0)
		close(fd);
	receipt->state = IMALOG_RECEIPT_DELETING;
	if (rc == 0)
		*ret = receipt;
	else
		imalog_receipt_free(&receipt);
	return rc;
}
