// SPDX-License-Identifier: LGPL-2.1-or-later
/* A reader: finds the format, hands out records and keeps them until they are released. */
#include <stdlib.h>
#include <string.h>

#include "cel.h"

/* The kernel's list comes last, and its sniff() says yes to much that is something else. */
static const struct imalog_format_ops *const formats[] = {
	&imalog_cel_tlv_ops,  &imalog_tlv2018_ops,  &imalog_cel_json_ops,
	&imalog_cel_cbor_ops, &imalog_eventlog_ops, &imalog_ascii_ops,
	&imalog_kernel_ops,
};

static const struct {
	const char *name;
	enum imalog_format format;
} format_names[] = {
	{ "auto", IMALOG_FORMAT_AUTO },		{ "kernel", IMALOG_FORMAT_KERNEL },
	{ "ascii", IMALOG_FORMAT_ASCII },	{ "cel-tlv", IMALOG_FORMAT_CEL_TLV },
	{ "cel-json", IMALOG_FORMAT_CEL_JSON }, { "cel-cbor", IMALOG_FORMAT_CEL_CBOR },
	{ "tlv2018", IMALOG_FORMAT_TLV2018 },	{ "eventlog", IMALOG_FORMAT_EVENTLOG },
};

int imalog_format_by_name(const char *name)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(format_names); i++)
		if (strcmp(format_names[i].name, name) == 0)
			return (int)format_names[i].format;
	return -IMALOG_ERR_INVALID;
}

const char *imalog_format_name(enum imalog_format format)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(format_names); i++)
		if (format_names[i].format == format)
			return format_names[i].name;
	return "auto";
}

/* Enough to tell a format: the largest template name behind the largest digest */
#define SNIFF_SIZE 512

struct imalog_reader *imalog_reader_new(struct imalog_source *source,
					const struct imalog_templates *templates)
{
	struct imalog_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->failure = imalog_error_new();
	if (!reader->failure) {
		free(reader);
		return NULL;
	}
	reader->source = source;
	reader->window.source = source;
	reader->templates = templates;
	reader->next_number = 1;
	return reader;
}

static void free_records(struct imalog_record *record)
{
	while (record) {
		struct imalog_record *next = record->next;

		free(record);
		record = next;
	}
}

void imalog_reader_free(struct imalog_reader **ptr)
{
	struct imalog_reader *reader = ptr ? *ptr : NULL;

	if (!reader)
		return;
	free_records(reader->oldest);
	free_records(reader->spare);
	imalog_arena_free(&reader->window.arena);
	imalog_arena_free(&reader->rebuilt);
	imalog_hasher_free(&reader->hasher);
	imalog_error_free(&reader->failure);
	free(reader->eventlog);
	free(reader);
	*ptr = NULL;
}

void imalog_reader_set_format(struct imalog_reader *reader, enum imalog_format format)
{
	reader->forced_format = format;
}

void imalog_reader_set_order(struct imalog_reader *reader, enum imalog_order order)
{
	reader->forced_order = order;
}

int imalog_reader_set_digest_size(struct imalog_reader *reader, size_t size)
{
	if (size != 0 && size != 20 && size != 32 && size != 48 && size != 64)
		return -IMALOG_ERR_INVALID;
	reader->forced_digest_size = size;
	return 0;
}

void imalog_reader_set_first_record(struct imalog_reader *reader, uint64_t number)
{
	reader->next_number = number;
}

struct imalog_hasher *imalog_reader_hasher(struct imalog_reader *reader, struct imalog_error *error)
{
	if (!reader->hasher)
		reader->hasher = imalog_hasher_new();
	if (!reader->hasher)
		imalog_fail_nomem(error);
	return reader->hasher;
}

int imalog_reader_need(struct imalog_reader *reader, size_t size, const char *part,
		       struct imalog_error *error)
{
	int rc = imalog_window_need(&reader->window, size, error);
	size_t left = imalog_window_span(&reader->window).size;

	if (rc < 0)
		return rc;
	if (left == 0)
		return 0;
	if (left < size)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, part,
				   "the record needs %zu bytes or more, %zu are left", size,
				   left);
	return 1;
}

/* Chooses the format by what was said, or by the first bytes. */
static int choose_format(struct imalog_reader *reader, struct imalog_error *error)
{
	struct imalog_span start;
	int rc = imalog_window_need(&reader->window, SNIFF_SIZE, error);

	if (rc < 0)
		return rc;
	start = imalog_window_span(&reader->window);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(formats) && start.size; i++) {
		if (reader->forced_format ? formats[i]->format != reader->forced_format :
					    !formats[i]->sniff(start))
			continue;
		if (!reader->forced_format && formats[i] != &imalog_kernel_ops &&
		    imalog_kernel_ops.sniff(start) &&
		    imalog_tlv_is_kernel_too(reader, start))
			return imalog_fail(
				error, IMALOG_ERR_AMBIGUOUS, "format",
				"it begins as a kernel list and as %s do: say the format",
				imalog_format_name(formats[i]->format));
		reader->ops = formats[i];
		return reader->ops->start(reader, error);
	}
	if (start.size == 0)
		return 0;
	/* Fewer bytes than a PCR number has: a list cut short, as far as anyone can tell. */
	if (start.size < 4)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, "PCR",
				   "the record needs 4 bytes or more, %zu are left", start.size);
	return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "",
			   "no measurement list in any format that is known");
}

static struct imalog_record *record_new(struct imalog_reader *reader)
{
	struct imalog_record *record = reader->spare;

	if (record)
		reader->spare = record->next;
	else
		record = malloc(sizeof(*record));
	if (record)
		record->next = NULL;
	return record;
}

static void record_keep(struct imalog_reader *reader, struct imalog_record *record)
{
	if (reader->newest)
		reader->newest->next = record;
	else
		reader->oldest = record;
	reader->newest = record;
	imalog_arena_mark(&reader->window.arena, record->number);
	imalog_arena_mark(&reader->rebuilt, record->number);
}

static void record_drop(struct imalog_reader *reader, struct imalog_record *record)
{
	record->next = reader->spare;
	reader->spare = record;
}

static int read_record(struct imalog_reader *reader, struct imalog_record **ret,
		       struct imalog_error *error)
{
	struct imalog_record *record;
	int rc = 0;

	if (!reader->ops) {
		rc = choose_format(reader, error);
		if (rc < 0 || !reader->ops)
			return rc;
	}
	record = record_new(reader);
	if (!record)
		return imalog_fail_nomem(error);
	record->number = reader->next_number;
	record->offset = reader->window.offset;
	record->format = reader->ops->format;
	record->cel = (struct imalog_record_cel){ .has_recnum = false };
	rc = reader->ops->next(reader, record, error);
	if (rc <= 0) {
		record_drop(reader, record);
		return rc;
	}
	reader->next_number++;
	record_keep(reader, record);
	*ret = record;
	return 1;
}

int imalog_reader_next(struct imalog_reader *reader, struct imalog_record **ret,
		       struct imalog_error *reterr)
{
	int rc = reader->failed;

	if (rc == 0) {
		rc = read_record(reader, ret, reader->failure);
		if (rc >= 0)
			return rc;
		reader->failed = rc;
		/* Not where the call began: what stands between records may have been
		 * passed. */
		imalog_error_set_record(reader->failure, reader->next_number,
					reader->window.offset);
		imalog_error_set_source(reader->failure, imalog_source_name(reader->source));
	}
	imalog_error_copy(reterr, reader->failure);
	return rc;
}

void imalog_reader_release(struct imalog_reader *reader, uint64_t upto)
{
	while (reader->oldest && reader->oldest->number <= upto) {
		struct imalog_record *next = reader->oldest->next;

		record_drop(reader, reader->oldest);
		reader->oldest = next;
	}
	if (!reader->oldest)
		reader->newest = NULL;
	imalog_arena_release(&reader->window.arena, upto);
	imalog_arena_release(&reader->rebuilt, upto);
}

enum imalog_format imalog_reader_format(const struct imalog_reader *reader)
{
	return reader->ops ? reader->ops->format : IMALOG_FORMAT_AUTO;
}

enum imalog_order imalog_reader_order(const struct imalog_reader *reader)
{
	return reader->layout.order;
}

size_t imalog_reader_digest_size(const struct imalog_reader *reader)
{
	return reader->layout.digest_size;
}

enum imalog_alg imalog_reader_digest_alg(const struct imalog_reader *reader)
{
	return reader->layout.digest_alg;
}

bool imalog_reader_layout_proved(const struct imalog_reader *reader)
{
	return reader->layout.proved;
}
