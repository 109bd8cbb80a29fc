// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * This machine's log by offsets, for readers who come back: it only grows
 *
 * A view (view.c) is of one moment.  Here the moments are put together: what was once shown
 * at an offset is there for as long as the log lasts, which is until the TPM is reset.
 * Segments are read where they are; of what the kernel has there is a copy, because none of
 * its files may stay open.
 */
#include <stdlib.h>
#include <unistd.h>

#include "follow.h"

struct imalog_follower *imalog_follower_new(const char *root, const char *store)
{
	struct imalog_follower *follower = calloc(1, sizeof(*follower));

	if (!follower)
		return NULL;
	follower->memory = -1;
	follower->view = imalog_view_new(root, store);
	if (!follower->view)
		imalog_follower_free(&follower);
	return follower;
}

void imalog_follower_free(struct imalog_follower **ptr)
{
	struct imalog_follower *follower = ptr ? *ptr : NULL;

	if (!follower)
		return;
	imalog_follow_forget(follower);
	for (int alg = 0; alg < IMALOG_ALG_COUNT; alg++)
		for (int i = 0; i < 4; i++)
			imalog_writer_free(&follower->writers[i & 1][alg][i >> 1]);
	imalog_buffer_free(&follower->text);
	imalog_view_free(&follower->view);
	free(follower->last.segments);
	free(follower->marks);
	free(follower->buffer);
	free(follower);
	*ptr = NULL;
}

void imalog_follower_set_wait(struct imalog_follower *follower, unsigned int wait_ms)
{
	imalog_view_set_wait(follower->view, wait_ms);
}

int imalog_follower_set_tpm(struct imalog_follower *follower, enum imalog_tpm_use use,
			    const char *tcti, struct imalog_error *reterr)
{
	return imalog_view_set_tpm(follower->view, use, tcti, reterr);
}

int imalog_follower_look(struct imalog_follower *follower, struct imalog_error *reterr)
{
	int rc = imalog_follow_peek(follower, reterr);

	if (rc == 0 || rc == 1 || rc < 0)
		return rc;
	return imalog_follow_take(follower, reterr);
}

uint64_t imalog_follower_log(const struct imalog_follower *follower)
{
	return follower->log;
}

uint64_t imalog_follower_epoch(const struct imalog_follower *follower)
{
	return follower->epoch;
}

uint64_t imalog_follower_records(const struct imalog_follower *follower)
{
	return follower->end.records;
}

bool imalog_follower_is_doubtful(const struct imalog_follower *follower)
{
	return follower->doubtful;
}

const char *imalog_follower_note(const struct imalog_follower *follower, size_t i,
				 enum imalog_note_kind *kind)
{
	return imalog_view_note(follower->view, i, kind);
}
