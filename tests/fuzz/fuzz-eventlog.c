// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz target: firmware event logs, record by record and as PCR values */
#include "eventlog.h"
#include "fuzz.h"

/* What one pass over the records found */
struct walk {
	int rc;
	uint64_t records;
	uint64_t offset; /* of the next record, or of the bad one */
	bool extends;
	bool agile;
};

static void check_event(const struct imalog_eventlog *log, const struct imalog_event *event,
			struct imalog_span bytes)
{
	uint64_t end = bytes.size - log->cursor.left;
	size_t size = 8 + (log->agile ? 4 : 0) + 4 + event->data.size;

	MUST(event->type == IMALOG_EV_NO_ACTION || event->pcr < IMALOG_EVENT_PCRS);
	MUST(fuzz_inside(event->data, bytes));
	for (size_t i = 0; i < IMALOG_EVENT_ALGS; i++) {
		if (event->digests[i].size == 0)
			continue;
		MUST(i < log->nr_algs && event->digests[i].size == log->algs[i].size);
		MUST(fuzz_inside(event->digests[i], bytes));
		size += (log->agile ? 2 : 0) + event->digests[i].size;
	}
	MUST(end - event->offset == size);
}

static struct walk walk(struct imalog_span bytes)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_event event = { 0 };
	struct imalog_eventlog log;
	struct walk walk = { 0 };

	MUST(error);
	walk.rc = imalog_eventlog_open(&log, bytes, error);
	walk.records = walk.rc < 0 ? 0 : log.records;
	walk.agile = walk.rc >= 0 && log.agile;
	walk.offset = walk.rc < 0 ? 0 : bytes.size - log.cursor.left;
	while (walk.rc >= 0 && (walk.rc = imalog_eventlog_next(&log, &event, error)) > 0) {
		check_event(&log, &event, bytes);
		MUST(event.number == ++walk.records && event.number == log.records);
		MUST(event.offset == walk.offset);
		walk.offset = bytes.size - log.cursor.left;
		walk.extends |= event.type != IMALOG_EV_NO_ACTION;
	}
	if (walk.rc < 0) {
		fuzz_check_error(error, walk.rc);
		MUST(imalog_error_offset(error) == walk.offset);
	}
	imalog_error_free(&error);
	return walk;
}

/* ---- values ---- */

static void check_same(const struct imalog_pcrs *a, const struct imalog_pcrs *b)
{
	MUST(imalog_pcrs_count(a) == imalog_pcrs_count(b));
	for (size_t i = 0; i < imalog_pcrs_count(a); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(a, i, &alg, &pcr);
		const uint8_t *other = imalog_pcrs_get(b, alg, pcr);

		MUST(other && memcmp(value, other, imalog_alg_size(alg)) == 0);
	}
}

/* All that a boot aggregate needs is there, for each bank or for none. */
static void check_values(const struct imalog_pcrs *pcrs, struct imalog_hasher *hasher,
			 const struct walk *walk)
{
	uint8_t out[IMALOG_DIGEST_MAX];

	MUST(walk->extends || imalog_pcrs_count(pcrs) == 0);
	MUST(walk->agile || imalog_pcrs_count(pcrs) >= (walk->extends ? 10 : 0));
	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;

		imalog_pcrs_at(pcrs, i, &alg, &pcr);
		MUST(pcr < IMALOG_EVENT_PCRS);
		MUST(imalog_pcrs_get(pcrs, alg, 0) && imalog_pcrs_get(pcrs, alg, 9));
		if (pcr == 0)
			MUST(imalog_boot_aggregate(pcrs, alg, hasher, out, NULL) == 0);
	}
}

/* With the rest of a log area behind it, it is the same log. */
static void check_area(struct imalog_span bytes, struct imalog_hasher *hasher,
		       const struct imalog_pcrs *pcrs, int records)
{
	struct imalog_pcrs *same = imalog_pcrs_new();
	struct imalog_buffer area = { 0 };
	static const uint8_t zeros[64];

	MUST(same);
	imalog_buffer_add(&area, bytes.data, bytes.size);
	imalog_buffer_add(&area, zeros, sizeof(zeros));
	MUST(imalog_eventlog_replay(fuzz_span(&area), hasher, same, NULL) == records);
	check_same(pcrs, same);
	imalog_pcrs_free(&same);
	imalog_buffer_free(&area);
}

/* Memory that runs out is said, and nothing is lost then. */
static void check_no_memory(struct imalog_span bytes, struct imalog_hasher *hasher, size_t n)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	int rc;

	MUST(error && pcrs);
	fuzz_allocs_left = n;
	rc = imalog_eventlog_replay(bytes, hasher, pcrs, error);
	if (rc < 0)
		fuzz_check_error(error, rc);
	MUST(rc == -IMALOG_ERR_NOMEM || fuzz_allocs_left);
	fuzz_allocs_left = 0;
	imalog_pcrs_free(&pcrs);
	imalog_error_free(&error);
}

static void check_replay(struct imalog_span bytes, const struct walk *walk)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_error *error = imalog_error_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	int rc;

	MUST(hasher && error && pcrs);
	rc = imalog_eventlog_replay(bytes, hasher, pcrs, error);
	if (rc < 0) {
		fuzz_check_error(error, rc);
		MUST(imalog_pcrs_count(pcrs) == 0);
		MUST(imalog_error_record(error) <= walk->records + 1);
		MUST(imalog_error_offset(error) <= walk->offset);
		MUST(walk->rc == 0 || imalog_error_record(error) <= walk->records ||
		     rc == walk->rc);
	} else {
		MUST(walk->rc == 0 && (uint64_t)rc == walk->records);
		check_values(pcrs, hasher, walk);
		check_area(bytes, hasher, pcrs, rc);
		check_no_memory(bytes, hasher, 1 + bytes.size % 8);
	}
	imalog_pcrs_free(&pcrs);
	imalog_error_free(&error);
	imalog_hasher_free(&hasher);
}

/* ---- as a log of records ---- */

static void check_locality(int locality, uint32_t type, struct imalog_span data)
{
	if (locality < 0 || type == IMALOG_EV_EFI_HCRTM_EVENT)
		return;
	MUST(type == IMALOG_EV_NO_ACTION);
	MUST(data.size == 17 && locality == data.data[16]);
}

/*
 * Reads the log in a format, and writes its records as CEL in TLVs as far as that has them;
 * the result of the last call.
 */
static int read_records(struct imalog_span bytes, enum imalog_format format, uint64_t *records,
			uint64_t *end, struct imalog_buffer *cel)
{
	struct imalog_source *source =
		imalog_source_from_memory(bytes.data, bytes.size, "memory");
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_reader *reader = imalog_reader_new(source, templates);
	struct imalog_writer *writer = imalog_writer_new(
		IMALOG_FORMAT_CEL_TLV, IMALOG_ORDER_AUTO, fuzz_append, cel);
	struct imalog_record *record;
	int rc;

	MUST(source && templates && reader && writer);
	imalog_reader_set_format(reader, format);
	*records = *end = 0;
	while ((rc = imalog_reader_next(reader, &record, NULL)) > 0) {
		struct imalog_span data;
		uint32_t type;

		MUST(imalog_record_number(record) == ++*records);
		MUST(imalog_record_offset(record) == *end);
		*end += imalog_record_raw(record).size;
		MUST(imalog_record_event(record, &type, &data));
		MUST(imalog_record_is_measured(record) == (type != IMALOG_EV_NO_ACTION));
		MUST(!imalog_record_is_checked(record));
		check_locality(imalog_record_locality(record), type, data);
		imalog_writer_put(writer, record, NULL);
		imalog_reader_release(reader, *records);
	}
	imalog_writer_free(&writer);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_templates_free(&templates);
	return rc;
}

/* The same records, and what CEL has of them is read and written again as it was. */
static void check_records(struct imalog_span bytes, const struct walk *walk)
{
	struct imalog_buffer cel = { 0 }, again = { 0 };
	uint64_t records, end;

	if (bytes.size == 0)
		return;
	/* What is told from others begins with an event that names the specification. */
	MUST(!imalog_eventlog_ops.sniff(bytes) || bytes.size > 32);
	MUST(read_records(bytes, IMALOG_FORMAT_EVENTLOG, &records, &end, &cel) == walk->rc);
	MUST(records == walk->records && end == walk->offset);
	if (cel.size) {
		MUST(read_records(fuzz_span(&cel), IMALOG_FORMAT_CEL_TLV, &records, &end,
				  &again) == 0);
		MUST(records <= walk->records && end == cel.size);
		MUST(imalog_span_equal(fuzz_span(&cel), fuzz_span(&again)));
	}
	imalog_buffer_free(&cel);
	imalog_buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_span bytes = fuzz_copy((struct imalog_span){ data, size });
	struct walk found = walk(bytes);

	check_replay(bytes, &found);
	check_records(bytes, &found);
	fuzz_free(bytes);
	return 0;
}
