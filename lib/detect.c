// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The layout of a kernel list: digest size, its algorithm, byte order
 *
 * Nothing in the list says them.  Every possible layout is tried on its first records; the one
 * under which a recorded digest fits its data is proved.  Without such a record (violations
 * alone, or every digest wrong) a layout is taken only when no other can be.
 */
#include <string.h>

#include "private.h"

/* Records to look at: enough to get past a few whose digest is wrong. */
#define DETECT_RECORDS 256

static const size_t sizes[] = { 20, 32, 48, 64 };
static const enum imalog_order orders[] = { IMALOG_ORDER_LE, IMALOG_ORDER_BE };
/* The first of each size is what a layout without proof is taken for. */
static const enum imalog_alg algs[] = {
	IMALOG_ALG_SHA1,     IMALOG_ALG_SHA256,	  IMALOG_ALG_SHA384,   IMALOG_ALG_SHA512,
	IMALOG_ALG_SM3,	     IMALOG_ALG_SHA3_256, IMALOG_ALG_SHA3_384, IMALOG_ALG_SHA3_512,
};

enum outcome { FAILED_AT_ONCE, FAILED, CUT, CLEAN };

struct candidate {
	struct imalog_layout layout;
	size_t records;
	bool named;   /* the record behind them is of a template that is known */
	bool starved; /* more bytes could tell more */
	enum outcome outcome;
};

/* Looks for the algorithm whose digest of the data is the recorded one. */
static int prove(struct imalog_record *record, struct imalog_hasher *hasher,
		 struct imalog_layout *layout, struct imalog_error *error)
{
	if (record->violation)
		return 0;
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(algs); i++) {
		int rc;

		if (imalog_alg_size(algs[i]) != layout->digest_size)
			continue;
		record->digests[0].alg = algs[i];
		rc = imalog_record_verify(record, hasher, error);
		if (rc == -IMALOG_ERR_CRYPTO && algs[i] != IMALOG_ALG_SHA1)
			continue; /* this OpenSSL lacks it: then it proves nothing */
		if (rc < 0)
			return rc;
		if (rc == IMALOG_FIT_YES) {
			layout->digest_alg = algs[i];
			layout->proved = true;
			break;
		}
	}
	return 0;
}

/* Walks the records of @bytes under one layout until one proves it. */
static int try_layout(struct imalog_span bytes, bool whole,
		      const struct imalog_templates *templates, struct imalog_hasher *hasher,
		      struct candidate *candidate, struct imalog_error *error)
{
	struct imalog_template adhoc;
	struct imalog_record record;

	candidate->outcome = CLEAN;
	while (candidate->records < DETECT_RECORDS && bytes.size && !candidate->layout.proved) {
		const char *part;
		size_t size;
		int rc;

		record.template_name = (struct imalog_span){ NULL, 0 };
		rc = imalog_kernel_parse(bytes, &candidate->layout, templates, &record, &size,
					 &part, error);
		if (rc <= 0)
			candidate->named = imalog_templates_find(templates, record.template_name,
								 &adhoc);
		if (rc < 0) {
			candidate->outcome = FAILED;
			if (record.index > IMALOG_PCR_MAX && candidate->records == 0)
				candidate->outcome = FAILED_AT_ONCE;
			return 0;
		}
		if (rc == 0) {
			candidate->outcome = whole ? CUT : CLEAN;
			candidate->starved = !whole;
			return 0;
		}
		candidate->records++;
		rc = prove(&record, hasher, &candidate->layout, error);
		if (rc < 0)
			return rc;
		bytes.data += size;
		bytes.size -= size;
	}
	return 0;
}

/* Which of two layouts that fail gets further, and so has the better message? */
static bool better(const struct candidate *a, const struct candidate *b)
{
	if (a->records != b->records)
		return a->records > b->records;
	return a->named != b->named ? a->named : a->outcome > b->outcome;
}

static bool allowed(const struct imalog_reader *reader, enum imalog_order order, size_t size)
{
	return (reader->forced_order == IMALOG_ORDER_AUTO || reader->forced_order == order) &&
	       (reader->forced_digest_size == 0 || reader->forced_digest_size == size);
}

int imalog_detect_layout(const struct imalog_reader *reader, struct imalog_hasher *hasher,
			 struct imalog_layout *ret, struct imalog_error *error)
{
	struct imalog_span bytes = imalog_window_span(&reader->window);
	struct candidate best = { .outcome = FAILED_AT_ONCE }, only = best;
	size_t rivals = 0;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(orders) * IMALOG_ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % IMALOG_ARRAY_SIZE(sizes)];
		enum imalog_order order = orders[i / IMALOG_ARRAY_SIZE(sizes)];
		struct candidate candidate = {
			.layout = { order, size, algs[i % IMALOG_ARRAY_SIZE(sizes)], false },
		};
		int rc;

		if (!allowed(reader, order, size))
			continue;
		rc = try_layout(bytes, reader->window.ended, reader->templates, hasher, &candidate,
				error);
		if (rc < 0)
			return rc;
		if (candidate.layout.proved) {
			*ret = candidate.layout;
			return 0;
		}
		if (candidate.outcome == CLEAN) {
			only = candidate;
			rivals++;
		}
		if (best.layout.digest_size == 0 || better(&candidate, &best))
			best = candidate;
	}
	if (rivals > 1)
		return imalog_fail(error, IMALOG_ERR_AMBIGUOUS, "",
				   "no record tells the digest size and byte order of the list: "
				   "say them");
	*ret = rivals ? only.layout : best.layout;
	return rivals && only.starved;
}
