// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Before a kexec: what is still in the kernel is saved, and stays there to be carried over
 *
 * Where the kernel can, it is staged, and goes over first.  A kernel that can neither stage nor
 * delete is read as it is; all that it has is saved each time, since nothing of it ever goes.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "export.h"
#include "kexec.h"

int imalog_keep_begin(struct imalog_export *export, struct imalog_error *error)
{
	int fd, rc;

	if (export->kernel.list)
		return 0;
	rc = export->world->open_list(export->root, false, 0, &fd, error);
	if (rc == 0)
		close(fd);
	return rc;
}

bool imalog_keep_is_all(const struct imalog_export *export,
			const struct imalog_receipt *newest)
{
	const struct imalog_kernel_info *kernel = &export->kernel;

	return !newest->trimmed || (kernel->counted && kernel->records == newest->records);
}

/* What this boot's kernel cannot have deleted, its list still begins with. */
int imalog_keep_settle(struct imalog_export *export, struct imalog_error *error)
{
	struct imalog_receipt *first = export->pending[0], *newest = export->pending[1];

	if (export->nr_pending < IMALOG_PENDING_MAX)
		return 0;
	if (export->kernel.recent || newest->may_repeat != first->segment ||
	    !imalog_tail_same_boot(export, first))
		return imalog_evidence_settle(export, false, error);
	newest->may_repeat = 0;
	return imalog_tail_drop_first(export, error);
}

static void fill_machine(const struct imalog_export *export, struct imalog_boundary *boundary)
{
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(boundary->time, sizeof(boundary->time), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(boundary->kernel, sizeof(boundary->kernel), "%s", export->kernel.release);
	snprintf(boundary->boot_id, sizeof(boundary->boot_id), "%s", export->kernel.boot_id);
	boundary->epoch = export->epoch->number;
	boundary->committed = export->base.records;
}

int imalog_keep_mark(struct imalog_export *export, struct imalog_error *error)
{
	const struct imalog_receipt *newest =
		export->nr_pending ? export->pending[export->nr_pending - 1] : NULL;
	struct imalog_boundary boundary = { .epoch = 0 };
	struct imalog_kexec_kernel kernel;
	struct imalog_kexec_list list = { .records = 0 };
	/* The lists first: if no kernel is loaded after that, none was when they were so long. */
	int rc = imalog_kexec_look_at_lists(export->root, &export->kernel, export->wait_ms,
					    &list, error);

	if (rc == 0)
		rc = imalog_kexec_look_at_kernel(export->root, &kernel, error);
	if (rc == 0)
		rc = imalog_span_sum((struct imalog_span){ NULL, 0 }, boundary.sha256, error);
	if (rc < 0)
		return rc;
	fill_machine(export, &boundary);
	if (newest) {
		boundary.committed = newest->first - 1;
		boundary.segment = newest->segment;
		boundary.records = newest->records;
		boundary.bytes = newest->bytes;
		memcpy(boundary.sha256, newest->sha256, sizeof(boundary.sha256));
	}
	boundary.counted = list.counted;
	boundary.unloaded = kernel.loaded == IMALOG_NO;
	return imalog_boundary_write(&boundary, export->store->dir, error);
}

/* ---- for callers ---- */

int imalog_export_keep(struct imalog_export *export, struct imalog_error *reterr)
{
	uint64_t slice = export->slice;
	int rc;

	/* In one piece: another one could not be kept beside it. */
	export->slice = 0;
	export->keeps = true;
	rc = imalog_export_run(export, reterr);
	export->keeps = false;
	export->slice = slice;
	return rc;
}
