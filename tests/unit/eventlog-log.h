/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Firmware event logs for test programs: built by hand, and replayed. */
#ifndef TEST_EVENTLOG_H
#define TEST_EVENTLOG_H

#include "eventlog.h"
#include "log.h"

#define SEPARATOR 4
#define NO_ACTION IMALOG_EV_NO_ACTION
#define HCRTM IMALOG_EV_EFI_HCRTM_EVENT

/* ---- replaying ---- */

struct run {
	struct imalog_hasher *hasher;
	struct imalog_pcrs *pcrs;
	struct imalog_error *error;
	int rc;
};

TEST_FN struct run replay(struct imalog_span log)
{
	struct run run = { imalog_hasher_new(), imalog_pcrs_new(), imalog_error_new(), 0 };
	struct bytes exact = bytes_copy(log.data, log.size);

	if (!run.hasher || !run.pcrs || !run.error)
		BAIL_OUT("no memory");
	run.rc = imalog_eventlog_replay(span_of_bytes(exact), run.hasher, run.pcrs, run.error);
	bytes_free(&exact);
	return run;
}

TEST_FN void run_free(struct run *run)
{
	imalog_hasher_free(&run->hasher);
	imalog_pcrs_free(&run->pcrs);
	imalog_error_free(&run->error);
}

TEST_FN struct imalog_span value_of(const struct run *run, enum imalog_alg alg, uint32_t pcr)
{
	const uint8_t *value = imalog_pcrs_get(run->pcrs, alg, pcr);

	return span_of(value, value ? imalog_alg_size(alg) : 0);
}

#define CHECK_LOG_ERROR(log, code, record, offset, field)                      \
	do {                                                                   \
		struct run run_ = replay(log);                                 \
                                                                               \
		CHECK_ERROR(run_.error, run_.rc, code, record, offset, field); \
		CHECK_INT(imalog_pcrs_count(run_.pcrs), 0);                    \
		run_free(&run_);                                               \
	} while (0)

/* ---- logs built by hand ---- */

#define LE(name) struct build name = { .order = IMALOG_ORDER_LE }

TEST_FN void put_fill(struct build *log, uint8_t fill, size_t size)
{
	uint8_t bytes[256];

	memset(bytes, fill, sizeof(bytes));
	put(log, bytes, size);
}

/* TCG_PCR_EVENT whose digest is all bytes @fill */
TEST_FN void put_sha1(struct build *log, uint32_t pcr, uint32_t type, uint8_t fill,
		      struct imalog_span event)
{
	put_int(log, pcr);
	put_int(log, type);
	put_fill(log, fill, 20);
	put_field(log, event.data, event.size);
}

/* The header of a log of sha1, an unknown algorithm of 7 bytes, and sha256 */
#define HEADER_SIZE (32 + 28 + 12 + 3)
TEST_FN void put_header(struct build *log)
{
	LE(event);

	put(&event, "Spec ID Event03", 16);
	put_hex(&event, "00000000 00020200 03000000 0400 1400 fe0f 0700 0b00 2000 02 aabb");
	put_sha1(log, 0, NO_ACTION, 0, built(&event));
	build_free(&event);
}

TEST_FN void put_digest(struct build *log, uint16_t alg, uint8_t fill, size_t size)
{
	put_uint(log, 2, alg);
	put_fill(log, fill, size);
}

/* TCG_PCR_EVENT2 with the three digests of put_header() */
TEST_FN void put_agile(struct build *log, uint32_t pcr, uint32_t type, uint8_t fill,
		       struct imalog_span event)
{
	put_int(log, pcr);
	put_int(log, type);
	put_int(log, 3);
	put_digest(log, 0x4, fill, 20);
	put_digest(log, 0xffe, fill, 7);
	put_digest(log, 0xb, fill, 32);
	put_field(log, event.data, event.size);
}

TEST_FN struct imalog_span text(const char *string)
{
	return span_of(string, strlen(string));
}

#endif /* TEST_EVENTLOG_H */
