// SPDX-License-Identifier: LGPL-2.1-or-later
/* The kernel's lists as a view has them: copies, unless nothing can be taken out of them */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "view.h"

#define COPY_SIZE ((size_t)64 << 10)

static int fail_to_copy(struct imalog_error *error)
{
	return imalog_fail_errno(error, errno, "cannot copy a measurement list");
}

/* All that a list has, to memory */
static int copy_fd(int fd, int copy, struct imalog_error *error)
{
	uint8_t *chunk = malloc(COPY_SIZE);
	ssize_t n = 1;
	int rc = chunk ? 0 : imalog_fail_nomem(error);

	while (rc == 0 && n != 0) {
		n = read(fd, chunk, COPY_SIZE);
		if (n < 0 && errno != EINTR)
			rc = imalog_fail_errno(error, errno, "cannot read the measurement list");
		for (ssize_t at = 0; rc == 0 && at < n;) {
			ssize_t done = write(copy, chunk + at, (size_t)(n - at));

			if (done > 0)
				at += done;
			else if (done == 0 || errno != EINTR)
				rc = fail_to_copy(error);
		}
	}
	free(chunk);
	return rc;
}

/*
 * Both are open before one is read: then nobody can have moved records from the one to the
 * other.  Each is closed when it is copied.  A list that cannot lose records is only looked
 * for, and read when it is needed.
 */
int imalog_view_copy_lists(struct imalog_view *view, struct imalog_error *error)
{
	struct imalog_export *export = view->export;
	const struct imalog_kernel_info *kernel = &export->kernel;
	bool there[IMALOG_VIEW_LISTS] = {
		[IMALOG_VIEW_LIST] = true,
		[IMALOG_VIEW_STAGED] = kernel->stages && !view->list_only,
	};
	int fds[IMALOG_VIEW_LISTS] = { -1, -1 }, rc = 0;

	for (int i = 0; rc == 0 && i < IMALOG_VIEW_LISTS; i++)
		if (there[i])
			rc = export->world->open_list(export->root, i == IMALOG_VIEW_STAGED,
						      export->wait_ms, &fds[i], error);
	for (int i = 0; rc == 0 && i < IMALOG_VIEW_LISTS; i++) {
		if (i == IMALOG_VIEW_LIST && !kernel->stages && !kernel->trims)
			continue;
		view->copies[i] = memfd_create("imalog-list", MFD_CLOEXEC);
		if (view->copies[i] < 0)
			rc = fail_to_copy(error);
		else if (there[i])
			rc = copy_fd(fds[i], view->copies[i], error);
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	for (int i = 0; i < IMALOG_VIEW_LISTS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	export->copies = view->copies;
	return rc;
}

int imalog_view_copy_rest(struct imalog_view *view, struct imalog_error *error)
{
	int fd, rc;

	if (view->copies[IMALOG_VIEW_LIST] >= 0)
		return 0;
	rc = imalog_sequence_open_list(view->export, false, &fd, error);
	if (rc < 0)
		return rc;
	view->copies[IMALOG_VIEW_LIST] = memfd_create("imalog-list", MFD_CLOEXEC);
	rc = view->copies[IMALOG_VIEW_LIST] < 0 ?
		     fail_to_copy(error) :
		     copy_fd(fd, view->copies[IMALOG_VIEW_LIST], error);
	close(fd);
	return rc;
}

uint64_t imalog_view_staged_bytes(const struct imalog_view *view)
{
	struct stat st;

	return fstat(view->copies[IMALOG_VIEW_STAGED], &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Adds up to *@left bytes of a list. */
static int sum_list(const struct imalog_view *view, int list, uint64_t *left,
		    struct imalog_stream *stream, struct imalog_error *error)
{
	uint8_t chunk[4096];
	ssize_t n = 1;
	int fd, rc = imalog_sequence_open_list(view->export, list == IMALOG_VIEW_STAGED, &fd, error);

	if (rc < 0)
		return rc;
	while (rc == 0 && n != 0 && *left) {
		n = read(fd, chunk, *left < sizeof(chunk) ? (size_t)*left : sizeof(chunk));
		if (n < 0 && errno != EINTR)
			rc = imalog_fail_errno(error, errno, "cannot read the measurement list");
		if (n > 0) {
			imalog_stream_add(stream, chunk, (size_t)n);
			*left -= (uint64_t)n;
		}
	}
	close(fd);
	return rc;
}

int imalog_view_begins_with(const struct imalog_view *view, uint64_t size,
			    const uint8_t sha256[IMALOG_SHA256_SIZE],
			    struct imalog_error *error)
{
	struct imalog_stream *stream = imalog_stream_new(IMALOG_ALG_SHA256, error);
	uint8_t digest[IMALOG_SHA256_SIZE];
	uint64_t left = size;
	int rc;

	if (!stream)
		return -IMALOG_ERR_CRYPTO;
	rc = sum_list(view, IMALOG_VIEW_STAGED, &left, stream, error);
	if (rc == 0)
		rc = sum_list(view, IMALOG_VIEW_LIST, &left, stream, error);
	if (rc == 0)
		rc = imalog_stream_digest(stream, digest, error);
	if (rc == 0)
		rc = left == 0 && memcmp(digest, sha256, sizeof(digest)) == 0;
	imalog_stream_free(&stream);
	return rc;
}
