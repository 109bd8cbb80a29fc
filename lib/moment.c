// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * When was it staged, what is staged?
 *
 * Lists repeat, so equal bytes are not the same records.  What repeats are violations, and the
 * kernel counts those of its boot (ima_add_violation()).  Without those that are still in the
 * list, that is how many there were up to the end of what is staged: more with every list that
 * has one and is staged.
 *
 * A violation is counted a moment before it is in the list.  So when a list is saved, the count
 * is read first and the list is read last: the difference is no more than it should be.  When
 * it is compared, the list is read first: the difference is no less.  Equal they are only when
 * nothing was staged in between.
 *
 * Records that are no violations are in the list once (ima_lookup_digest_entry()), unless the
 * kernel forgets them when it deletes, or was built not to look.
 */
#include "private.h"

bool imalog_moment_repeats(const struct imalog_kernel_info *kernel)
{
	return kernel->flush_htable || kernel->no_htable != IMALOG_NO;
}

int imalog_moment_count(struct imalog_source *list, const struct imalog_templates *templates,
			uint64_t *ret)
{
	struct imalog_reader *reader = list ? imalog_reader_new(list, templates) : NULL;
	struct imalog_record *record;
	int rc = -IMALOG_ERR_NOMEM;

	*ret = 0;
	if (reader) {
		/* This list has SHA-1 digests, whatever banks there are. */
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, 20);
		while ((rc = imalog_reader_next(reader, &record, NULL)) > 0) {
			*ret += imalog_record_is_violation(record);
			imalog_reader_release(reader, imalog_record_number(record));
		}
	}
	imalog_reader_free(&reader);
	return rc;
}

struct imalog_moment imalog_moment_of(const struct imalog_kernel_info *kernel, uint64_t listed)
{
	if (!kernel->counted || listed > kernel->violations)
		return (struct imalog_moment){ .known = false };
	return (struct imalog_moment){ true, kernel->violations - listed };
}

bool imalog_moment_same(const struct imalog_kernel_info *kernel,
			const struct imalog_moment *then, uint64_t listed, uint64_t violations)
{
	struct imalog_moment now = imalog_moment_of(kernel, listed);

	if (!then->known || !now.known || then->violations != now.violations)
		return false;
	return violations || !imalog_moment_repeats(kernel);
}
