// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The firmware's event log as a log of records: content pcclient_std of the Canonical
 * Event Log
 *
 * Logs of firmware are small, and read as a whole.  The crypto-agile log begins with an
 * event in the old layout (eventlog-reader.c), which is a record like the others.
 */
#include <stdlib.h>

#include "cel.h"
#include "eventlog.h"

/* Far beyond the few hundred KiB that firmware reserves */
#define LOG_MAX ((size_t)16 << 20)
/* u32 PCR, u32 event type, SHA-1 digest, u32 size: then "Spec ID Event" */
#define SPEC_ID_AT 32

static bool sniff(struct imalog_span start)
{
	static const char spec_id[] = "Spec ID Event";
	struct imalog_cursor cursor = imalog_cursor_over(start, IMALOG_ORDER_LE);
	uint32_t pcr, type;

	return imalog_cursor_u32(&cursor, &pcr) && imalog_cursor_u32(&cursor, &type) &&
	       type == IMALOG_EV_NO_ACTION &&
	       start.size >= SPEC_ID_AT + strlen(spec_id) &&
	       memcmp(start.data + SPEC_ID_AT, spec_id, strlen(spec_id)) == 0;
}

static int start(struct imalog_reader *reader, struct imalog_error *error)
{
	struct imalog_span span;
	int rc = imalog_window_need(&reader->window, LOG_MAX + 1, error);

	if (rc < 0)
		return rc;
	span = imalog_window_span(&reader->window);
	if (span.size > LOG_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "",
				   "a firmware event log exceeds the limit of %zu bytes",
				   LOG_MAX);
	reader->layout.order = IMALOG_ORDER_LE;
	reader->eventlog = calloc(1, sizeof(*reader->eventlog));
	if (!reader->eventlog)
		return imalog_fail_nomem(error);
	return imalog_eventlog_open(reader->eventlog, span, error);
}

/* The first event of a crypto-agile log, which opening it has passed. */
static int first_event(struct imalog_eventlog *log, struct imalog_span span,
		       struct imalog_eventlog *first, struct imalog_event *event,
		       struct imalog_error *error)
{
	*first = *log;
	first->cursor = imalog_cursor_over(span, IMALOG_ORDER_LE);
	first->agile = false;
	first->records = 0;
	first->nr_algs = 1;
	first->algs[0].id = imalog_alg_tpm_id(IMALOG_ALG_SHA1);
	first->algs[0].alg = IMALOG_ALG_SHA1;
	first->algs[0].size = imalog_alg_size(IMALOG_ALG_SHA1);
	return imalog_eventlog_next(first, event, error);
}

static int set_record(struct imalog_reader *reader, const struct imalog_eventlog *log,
		      const struct imalog_event *event, struct imalog_record *record,
		      struct imalog_error *error)
{
	struct imalog_buffer content = { NULL, 0, 0, false };
	struct imalog_span value;
	int rc = 0;

	imalog_cel_begin(record);
	for (size_t i = 0; i < log->nr_algs && rc == 0; i++) {
		if (event->digests[i].size == 0)
			continue;
		if (log->algs[i].alg)
			rc = imalog_cel_add_digest(record, log->algs[i].id,
						   event->digests[i], error);
		else
			record->cel.incomplete = true;
	}
	if (rc < 0)
		return rc;
	imalog_cel_add_event(&content, event->type, event->data);
	rc = content.failed ?
		     imalog_fail_nomem(error) :
		     imalog_cel_keep(reader,
				     (struct imalog_span){ content.data, content.size },
				     &value, error);
	imalog_buffer_free(&content);
	if (rc == 0)
		rc = imalog_cel_set_content(record, IMALOG_CEL_PCCLIENT, value, error);
	record->index = event->pcr;
	record->cel.kind = IMALOG_INDEX_PCR;
	return rc < 0 ? rc : imalog_cel_finish(record, error);
}

int imalog_record_locality(const struct imalog_record *record)
{
	struct imalog_span data;
	uint32_t type;

	if (record->is_nv || record->index != 0 ||
	    !imalog_record_event(record, &type, &data))
		return -1;
	if (type == IMALOG_EV_EFI_HCRTM_EVENT)
		return IMALOG_HCRTM_LOCALITY;
	if (type != IMALOG_EV_NO_ACTION || data.size != 17 ||
	    !imalog_eventlog_is(data, "StartupLocality"))
		return -1;
	return data.data[16];
}

static int next(struct imalog_reader *reader, struct imalog_record *record,
		struct imalog_error *error)
{
	struct imalog_span span = imalog_window_span(&reader->window);
	struct imalog_eventlog *log = reader->eventlog, first;
	bool is_first = log->agile && reader->window.offset == 0;
	size_t left = log->cursor.left;
	struct imalog_event event;
	int rc;

	if (is_first)
		rc = first_event(log, span, &first, &event, error);
	else
		rc = imalog_eventlog_next(log, &event, error);
	if (rc <= 0)
		return rc;
	record->raw = (struct imalog_span){ span.data, is_first ?
							       span.size - left :
							       left - log->cursor.left };
	rc = set_record(reader, is_first ? &first : log, &event, record, error);
	if (rc < 0)
		return rc;
	imalog_window_advance(&reader->window, record->raw.size);
	return 1;
}

const struct imalog_format_ops imalog_eventlog_ops = { IMALOG_FORMAT_EVENTLOG, sniff,
						       start, next };
