// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The firmware's event log (binary_bios_measurements), record by record
 *
 * TCG PC Client Platform Firmware Profile (PFP), section 10; integers are little-endian.
 *
 *	u32	PCR				TCG_PCR_EVENT: the first record of every log,
 *	u32	event type			and all records of an old SHA-1 log
 *	u8[20]	SHA-1 digest
 *	u32	size of the event
 *	u8[]	event
 *
 *	u32	PCR				TCG_PCR_EVENT2: the others of an agile log
 *	u32	event type
 *	u32	number of digests
 *		for each u16 algorithm, u8[] digest
 *	u32	size of the event
 *	u8[]	event
 *
 * The first event of a crypto-agile log is of type EV_NO_ACTION and says how long digests are:
 *
 *	u8[16]	"Spec ID Event03", NUL
 *	u32	platform class
 *	u8[4]	minor and major version, errata, size of UINTN
 *	u32	number of algorithms
 *		for each u16 algorithm, u16 size
 *	u8	size of the vendor's information
 *	u8[]	the vendor's information
 */
#include <string.h>

#include "eventlog.h"

/* Sizes of a record with nothing in it */
#define EMPTY_SHA1 32
#define EMPTY_AGILE 16
#define SPEC_ID_SIZE 16

bool imalog_eventlog_is(struct imalog_span event, const char name[16])
{
	return event.size >= SPEC_ID_SIZE && memcmp(event.data, name, SPEC_ID_SIZE) == 0;
}

static int cut(const struct imalog_eventlog *log, const char *part, size_t needed,
	       struct imalog_error *error)
{
	return imalog_fail(error, IMALOG_ERR_TRUNCATED, part,
			   "%zu bytes are needed, %zu are left", needed, log->cursor.left);
}

static int take_u32(struct imalog_eventlog *log, const char *part, uint32_t *ret,
		    struct imalog_error *error)
{
	return imalog_cursor_u32(&log->cursor, ret) ? 0 : cut(log, part, sizeof(*ret), error);
}

static int take(struct imalog_eventlog *log, const char *part, size_t size,
		struct imalog_span *ret, struct imalog_error *error)
{
	return imalog_cursor_bytes(&log->cursor, size, ret) ? 0 : cut(log, part, size, error);
}

/* ---- records ---- */

/* One digest of a TCG_PCR_EVENT2. */
static int take_digest(struct imalog_eventlog *log, struct imalog_event *event,
		       struct imalog_error *error)
{
	uint64_t id;
	size_t i = 0;

	if (!imalog_cursor_uint(&log->cursor, 2, &id))
		return cut(log, "digest algorithm", 2, error);
	while (i < log->nr_algs && log->algs[i].id != id)
		i++;
	if (i == log->nr_algs)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digest algorithm",
				   "0x%x is none of those that the first record lists",
				   (unsigned int)id);
	if (event->digests[i].size)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "digest algorithm",
				   "there are two digests of 0x%x", (unsigned int)id);
	return take(log, "digest", log->algs[i].size, &event->digests[i], error);
}

static int take_digests(struct imalog_eventlog *log, struct imalog_event *event,
			struct imalog_error *error)
{
	uint32_t count;
	int rc;

	memset(event->digests, 0, sizeof(event->digests));
	if (!log->agile)
		return take(log, "digest", log->algs[0].size, &event->digests[0], error);
	rc = take_u32(log, "digest count", &count, error);
	if (rc == 0 && count > log->nr_algs)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "digest count",
				   "%u digests, but the first record lists %zu algorithms",
				   count, log->nr_algs);
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = take_digest(log, event, error);
	return rc;
}

static int parse_event(struct imalog_eventlog *log, struct imalog_event *event,
		       struct imalog_error *error)
{
	uint32_t size;
	int rc = take_u32(log, "PCR", &event->pcr, error);

	if (rc == 0)
		rc = take_u32(log, "event type", &event->type, error);
	/* An event that extends nothing may name any PCR. */
	if (rc == 0 && event->type != IMALOG_EV_NO_ACTION && event->pcr >= IMALOG_EVENT_PCRS)
		rc = imalog_fail(error, IMALOG_ERR_BAD_VALUE, "PCR",
				 "number %u exceeds the largest possible one, %d", event->pcr,
				 IMALOG_EVENT_PCRS - 1);
	if (rc == 0)
		rc = take_digests(log, event, error);
	if (rc == 0)
		rc = take_u32(log, "event size", &size, error);
	return rc < 0 ? rc : take(log, "event", size, &event->data, error);
}

/*
 * Firmware fills a log area from its start, and what it did not use is zeros.  As the kernel
 * does (tpm2_bios_measurements_start), an empty record of type 0 is taken for the end.
 */
static bool at_end(const struct imalog_eventlog *log)
{
	struct imalog_span next = { log->cursor.data, log->agile ? EMPTY_AGILE : EMPTY_SHA1 };

	return log->cursor.left == 0 ||
	       (log->cursor.left >= next.size && imalog_all_zero(next));
}

static int check_end(const struct imalog_eventlog *log, struct imalog_error *error)
{
	struct imalog_span rest = { log->cursor.data, log->cursor.left };

	if (!imalog_all_zero(rest))
		return imalog_fail(error, IMALOG_ERR_TRAILING, "",
				   "the log ends here, but %zu bytes are left", rest.size);
	return 0;
}

int imalog_eventlog_next(struct imalog_eventlog *log, struct imalog_event *event,
			 struct imalog_error *error)
{
	int rc;

	event->number = log->records + 1;
	event->offset = log->size - log->cursor.left;
	if (at_end(log)) {
		rc = check_end(log, error);
	} else {
		rc = parse_event(log, event, error);
		if (rc == 0)
			log->records++;
		rc = rc < 0 ? rc : 1;
	}
	if (rc < 0)
		imalog_error_set_record(error, event->number, event->offset);
	return rc;
}

/* ---- the header ---- */

static int add_alg(struct imalog_eventlog *log, uint16_t id, size_t size,
		   struct imalog_error *error)
{
	enum imalog_alg alg = imalog_alg_by_tpm_id(id);

	for (size_t i = 0; i < log->nr_algs; i++)
		if (log->algs[i].id == id)
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "algorithm",
					   "0x%x is listed twice", id);
	if (size == 0 || (alg && size != imalog_alg_size(alg)))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "digest size",
				   "algorithm 0x%x cannot have digests of %zu bytes", id,
				   size);
	log->algs[log->nr_algs].id = id;
	log->algs[log->nr_algs].alg = alg;
	log->algs[log->nr_algs++].size = size;
	return 0;
}

static int short_header(const struct imalog_cursor *cursor, const char *part,
			struct imalog_error *error)
{
	return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, part,
			   "it does not fit in the %zu bytes that are left of the event",
			   cursor->left);
}

static int parse_algorithms(struct imalog_eventlog *log, struct imalog_cursor *cursor,
			    struct imalog_error *error)
{
	struct imalog_span versions;
	uint32_t platform, count;

	if (!imalog_cursor_u32(cursor, &platform) ||
	    !imalog_cursor_bytes(cursor, 4, &versions) || !imalog_cursor_u32(cursor, &count))
		return short_header(cursor, "algorithm count", error);
	if (count == 0 || count > IMALOG_EVENT_ALGS)
		return imalog_fail(error, count ? IMALOG_ERR_LIMIT : IMALOG_ERR_BAD_VALUE,
				   "algorithm count", "%u algorithms, 1 to %d are possible",
				   count, IMALOG_EVENT_ALGS);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t id, size;
		int rc;

		if (!imalog_cursor_uint(cursor, 2, &id) ||
		    !imalog_cursor_uint(cursor, 2, &size))
			return short_header(cursor, "algorithm", error);
		rc = add_alg(log, (uint16_t)id, (size_t)size, error);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The event of the first record of a crypto-agile log. */
static int parse_header(struct imalog_eventlog *log, struct imalog_span event,
			struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(event, IMALOG_ORDER_LE);
	struct imalog_span name, vendor;
	uint64_t vendor_size;
	int rc;

	imalog_cursor_bytes(&cursor, SPEC_ID_SIZE, &name);
	rc = parse_algorithms(log, &cursor, error);
	if (rc < 0)
		return rc;
	if (!imalog_cursor_uint(&cursor, 1, &vendor_size) ||
	    !imalog_cursor_bytes(&cursor, (size_t)vendor_size, &vendor))
		return short_header(&cursor, "vendor information", error);
	if (cursor.left)
		return imalog_fail(error, IMALOG_ERR_TRAILING, "vendor information",
				   "%zu bytes are left behind it", cursor.left);
	return 0;
}

/* A log of a later specification must not be taken for one of SHA-1 digests. */
static int check_sha1_spec(struct imalog_span event, struct imalog_error *error)
{
	static const char prefix[] = "Spec ID Event";
	struct imalog_span name = { event.data, SPEC_ID_SIZE - 1 };
	char shown[IMALOG_PRINTABLE_MAX];

	if (event.size < SPEC_ID_SIZE || memcmp(event.data, prefix, strlen(prefix)) != 0 ||
	    imalog_eventlog_is(event, "Spec ID Event00") ||
	    imalog_eventlog_is(event, "Spec ID Event02"))
		return 0;
	return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "event",
			   "'%s' is of no specification that is known",
			   imalog_printable(name, shown));
}

static int open_as(struct imalog_eventlog *log, const struct imalog_event *first,
		   struct imalog_span data, struct imalog_error *error)
{
	if (first->type == IMALOG_EV_NO_ACTION &&
	    imalog_eventlog_is(first->data, "Spec ID Event03")) {
		log->agile = true;
		log->nr_algs = 0;
		return parse_header(log, first->data, error);
	}
	log->cursor = imalog_cursor_over(data, IMALOG_ORDER_LE);
	log->records = 0;
	return first->type == IMALOG_EV_NO_ACTION ? check_sha1_spec(first->data, error) : 0;
}

int imalog_eventlog_open(struct imalog_eventlog *log, struct imalog_span data,
			 struct imalog_error *error)
{
	struct imalog_event first;
	int rc;

	*log = (struct imalog_eventlog){ .cursor = imalog_cursor_over(data, IMALOG_ORDER_LE),
					 .size = data.size };
	rc = add_alg(log, imalog_alg_tpm_id(IMALOG_ALG_SHA1), imalog_alg_size(IMALOG_ALG_SHA1),
		     error);
	if (rc == 0)
		rc = imalog_eventlog_next(log, &first, error);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "", "it holds no event");
	rc = open_as(log, &first, data, error);
	if (rc < 0)
		imalog_error_set_record(error, 1, 0);
	return rc;
}
