// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: the kernel's ascii list, the template data that is rebuilt from it, and
 * its replay
 *
 * Names may hold newlines, and a line is joined with the next ones only when the digest
 * wants it.  So that mending can make such names, a byte 1f in a text becomes a newline
 * when the digest has been computed.
 */
#include "list.h"
#include "replay.h"

#define STANDS_FOR_NEWLINE 0x1f

struct facts {
	const struct list *list;
	struct imalog_hasher *hasher;
};

/* ---- one record ---- */

static void check_spans(const struct imalog_record *record)
{
	struct imalog_span data = imalog_record_data(record);

	MUST(imalog_record_pcr(record) <= IMALOG_PCR_MAX && !imalog_record_is_nv(record));
	MUST(fuzz_inside(imalog_record_template(record), record->raw));
	MUST(imalog_record_template(record).size >= 1);
	MUST(imalog_record_digests(record) == 1);
	if (imalog_record_content(record) == IMALOG_CONTENT_DIGEST_ONLY) {
		MUST(imalog_record_fields(record) == 0 && fuzz_inside(data, record->raw));
		return;
	}
	/* A length for each field, a NUL for most; hexadecimal takes half. */
	MUST(imalog_record_fields(record) > 0);
	MUST(data.size <= record->raw.size + 8 * IMALOG_FIELDS_MAX);
	for (size_t i = 0; i < imalog_record_fields(record); i++)
		MUST(fuzz_inside(imalog_record_field_data(record, i), data));
	MUST(fuzz_inside(imalog_record_name(record), data));
}

static struct imalog_span write_one(const struct imalog_record *record,
				    enum imalog_format format,
				    struct imalog_buffer *buffer)
{
	struct imalog_writer *writer =
		imalog_writer_new(format, IMALOG_ORDER_AUTO, fuzz_append, buffer);

	MUST(writer && imalog_writer_put(writer, record, NULL) == 0);
	imalog_writer_free(&writer);
	return fuzz_span(buffer);
}

/* Numbers have several spellings, of which the kernel prints one. */
static bool is_canonical(const struct imalog_record *record)
{
	const uint8_t *text = record->raw.data;

	if (text[1] == ' ' || text[2] != ' ' || text[0] == '0' ||
	    memchr(text, 0, record->raw.size))
		return false;
	for (size_t i = 0; i < record->nr_fields; i++)
		if (imalog_field_id_type(record->fields[i].id) == IMALOG_TYPE_UINT)
			return false;
	return true;
}

static struct imalog_span without_blanks(struct imalog_span text)
{
	while (text.size && strchr(" \n", text.data[text.size - 1]))
		text.size--;
	return text;
}

/*
 * The same but for the case of letters, which hexadecimal may have, and blanks at the
 * end, behind which fields are empty.
 */
static bool same_text(struct imalog_span a, struct imalog_span b)
{
	size_t i = 0;

	a = without_blanks(a);
	b = without_blanks(b);
	while (i < a.size && i < b.size &&
	       (a.data[i] == b.data[i] || (a.data[i] ^ b.data[i]) == 0x20))
		i++;
	return i == a.size && i == b.size;
}

/* What was rebuilt is a record of the binary list, and prints as the same line. */
static void check_rebuilt(struct facts *facts, const struct imalog_record *record)
{
	struct imalog_buffer binary = { 0 }, text = { 0 };
	struct imalog_span bytes = write_one(record, IMALOG_FORMAT_KERNEL, &binary);
	struct imalog_source *source =
		imalog_source_from_memory(bytes.data, bytes.size, "one");
	struct imalog_reader *reader = imalog_reader_new(source, facts->list->templates);
	struct imalog_record *back;

	MUST(source && reader);
	imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
	imalog_reader_set_order(reader, IMALOG_ORDER_LE);
	MUST(imalog_reader_set_digest_size(reader, record->digests[0].span.size) == 0);
	MUST(imalog_reader_next(reader, &back, NULL) == 1);
	MUST(back->raw.size == bytes.size && back->nr_fields == record->nr_fields);
	if (!record->violation) {
		MUST(imalog_record_verify(back, facts->hasher, NULL) == IMALOG_FIT_YES);
		MUST(is_ima(record) || back->hash_order == record->hash_order);
	}
	write_one(back, IMALOG_FORMAT_ASCII, &text);
	if (is_canonical(record))
		MUST(same_text(fuzz_span(&text), record->raw));
	imalog_buffer_free(&binary);
	imalog_buffer_free(&text);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
}

static void visit(void *arg, struct imalog_record *record)
{
	struct facts *facts = arg;
	struct imalog_buffer text = { 0 };
	enum imalog_fit fit = record->fit;

	check_spans(record);
	if (facts->list->large)
		return;
	MUST(imalog_record_verify(record, facts->hasher, NULL) == (int)fit);
	MUST((imalog_record_hash_order(record) != IMALOG_ORDER_AUTO) ==
	     (fit == IMALOG_FIT_YES && !is_ima(record)));
	write_one(record, IMALOG_FORMAT_ASCII, &text);
	if (record->raw.data[record->raw.size - 1] != '\n')
		text.size--;
	MUST(imalog_span_equal(fuzz_span(&text), record->raw));
	imalog_buffer_free(&text);
	if (record->content == IMALOG_CONTENT_TEMPLATE && fit != IMALOG_FIT_NO)
		check_rebuilt(facts, record);
}

/* ---- the list ---- */

/* Records that end before the cut are those of the whole, even if lines were joined. */
static void check_cut(const struct list *list, const struct seen *whole)
{
	struct imalog_span bytes =
		fuzz_copy((struct imalog_span){ list->bytes.data, list->cut });
	struct seen seen;

	list_read_memory(list, bytes, NULL, NULL, &seen);
	if (whole->records >= seen.records && seen.records)
		must_begin_as(whole, &seen, seen.records - 1);
	if (seen.rc == 0)
		MUST(seen.consumed == list->cut);
	seen_free(&seen);
	fuzz_free(bytes);
}

/* Newlines for what stands for them, in the text of the fields and in the line. */
static void put_newlines(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] == STANDS_FOR_NEWLINE)
			bytes[i] = '\n';
}

static void put_hex(uint8_t *to, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		to[2 * i] = (uint8_t) "0123456789abcdef"[bytes[i] >> 4];
		to[2 * i + 1] = (uint8_t) "0123456789abcdef"[bytes[i] & 15];
	}
}

/* Writes the digest of its data into a line; the reader has rebuilt the fields. */
static void mend(void *arg, struct imalog_record *record)
{
	const struct list *list = arg;
	enum imalog_alg alg = list->mend_padded ? IMALOG_ALG_SHA1 : list->mend;
	uint8_t *line = (uint8_t *)(uintptr_t)list->bytes.data + record->offset;
	uint8_t digest[IMALOG_DIGEST_MAX] = { 0 };
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_scratch scratch = { 0 };
	struct imalog_hash_job job;
	size_t size = record->digests[0].span.size;

	MUST(hasher);
	for (size_t i = 0; i < record->nr_fields; i++)
		if (imalog_field_id_type(record->fields[i].id) == IMALOG_TYPE_TEXT)
			put_newlines((uint8_t *)(uintptr_t)record->fields[i].data.data,
				     record->fields[i].data.size);
	if (!record->violation && size == imalog_alg_size(list->mend) &&
	    imalog_digest_input(record,
				list->mend_other ? IMALOG_ORDER_BE : IMALOG_ORDER_LE,
				&scratch, &job, NULL) == 0) {
		MUST(imalog_hash_one(hasher, alg, &job, digest, NULL) == 0);
		put_hex((uint8_t *)memchr(line + 1, ' ', record->raw.size) + 1, digest,
			size);
	}
	free(scratch.data);
	imalog_hasher_free(&hasher);
}

static void mend_list(struct list *list)
{
	struct list changed = *list;
	struct seen seen;

	changed.held = 0;
	changed.format = IMALOG_FORMAT_ASCII;
	list_read_memory(&changed, list->bytes, mend, list, &seen);
	seen_free(&seen);
	put_newlines((uint8_t *)(uintptr_t)list->bytes.data, list->bytes.size);
}

static void fuzz_list(struct list *list)
{
	struct facts facts = { .list = list, .hasher = imalog_hasher_new() };
	struct seen whole;

	MUST(facts.hasher);
	if (list->mend)
		mend_list(list);
	list_read_memory(list, list->bytes, NULL, NULL, &whole);
	if (whole.format == IMALOG_FORMAT_ASCII) {
		seen_free(&whole);
		list_read_memory(list, list->bytes, visit, &facts, &whole);
		if (whole.rc == 0)
			MUST(whole.consumed == list->bytes.size);
		check_cut(list, &whole);
		list_check_pipe(list, &whole);
		list_check_nomem(list, &whole);
		if (!list->large)
			replay_check(list, &whole);
	}
	seen_free(&whole);
	imalog_hasher_free(&facts.hasher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct list list;

	if (!list_open(&list, IMALOG_FORMAT_ASCII, data, size))
		return 0;
	fuzz_list(&list);
	list_close(&list);
	return 0;
}
