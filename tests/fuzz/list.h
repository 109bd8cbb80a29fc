/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measurement lists for the fuzz targets: how one is to be read, and that every way of
 * reading gives the same records
 *
 * The first bytes of the input choose among the options, the rest is the list:
 *
 *	0	layout: bits 0-1 byte order, bits 2-4 digest size, bit 7 tell the format
 *	1	mending: bits 0-3 algorithm, bit 4 over the other byte order, bit 5
 *		padded SHA-1, bit 6 forget the layout afterwards
 *	2	bytes that a read gives at once
 *	3	bit 0 reads are interrupted, bits 1-2 records held, bits 3-4 defined
 *		template, bits 5-7 all set: a large record comes before it and behind it
 *	4-5	where the list is cut, from its end
 *	6	which allocation fails
 *	7	bits 0-2 bank that is computed a second way, bits 3-7 PCR that does not
 *		start at zero
 *
 * Mutations never keep a digest right.  Mending writes into each record the digest that
 * its data has, so that what comes after the check of a digest is reached too.
 */
#ifndef LIST_H
#define LIST_H

#include "fuzz.h"

#define LIST_HEAD     8
#define LIST_HELD_MAX 8

struct list {
	enum imalog_format format; /* AUTO: to be told */
	enum imalog_order order;
	size_t digest_size;
	enum imalog_alg mend;
	bool mend_other, mend_padded, mend_forget;
	size_t at_once;
	bool interrupts;
	uint64_t held; /* 0: a visitor changes the bytes */
	bool large;
	size_t cut;
	size_t fail_at;
	enum imalog_alg bank;
	uint32_t start_pcr;
	struct imalog_templates *templates;
	struct imalog_span bytes; /* exactly its size, to be freed */
};

/* The most that a definition can say, and what it must refuse. */
FUZZ_FN void list_define(struct list *list, unsigned int which)
{
	static const char *const fmts[] = {
		"d-ng|n-ng",
		"d|n|d-ng|d-ngv2|n-ng|sig|buf|d-modsig|modsig|evmsig|iuid|imode|xattrnames",
		"xattrlengths",
	};
	struct imalog_error *error = imalog_error_new();
	int rc;

	MUST(error);
	if (which)
		MUST(imalog_templates_define(list->templates, "x", fmts[which - 1],
					     NULL) == 0);
	rc = imalog_templates_define(list->templates, "ima", "d-ng", error);
	MUST(rc == -IMALOG_ERR_INVALID);
	fuzz_check_error(error, rc);
	MUST(imalog_templates_define(list->templates, "y", "d-ng|", NULL) ==
	     -IMALOG_ERR_INVALID);
	imalog_error_free(&error);
}

/* ---- filler: a valid record, so that a block of memory ends in the input ---- */

/* About the size of a block of source.c, 128 KiB */
#define FILLER_NAME(list) ((128u << 10) - (list)->cut % 512)

FUZZ_FN void filler_int(struct imalog_buffer *out, enum imalog_order order,
			uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		uint8_t byte =
			(uint8_t)(value >> 8 * (order == IMALOG_ORDER_BE ? 3 - i : i));

		imalog_buffer_add(out, &byte, 1);
	}
}

/* The digest of @data in the first algorithm whose digests have this size */
FUZZ_FN size_t filler_digest(const struct list *list, const struct imalog_buffer *data,
			     uint8_t digest[IMALOG_DIGEST_MAX])
{
	struct imalog_hash_job job = { .spans = { fuzz_span(data) }, .nr_spans = 1 };
	struct imalog_hasher *hasher = imalog_hasher_new();
	size_t size = list->mend ? imalog_alg_size(list->mend) : list->digest_size;
	enum imalog_alg alg = IMALOG_ALG_SHA1;

	while (size && imalog_alg_size(alg) != size)
		alg++;
	MUST(hasher && imalog_hash_one(hasher, alg, &job, digest, NULL) == 0);
	imalog_hasher_free(&hasher);
	return imalog_alg_size(alg);
}

FUZZ_FN void filler_hex(struct imalog_buffer *out, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char pair[3];

		snprintf(pair, sizeof(pair), "%02x", bytes[i]);
		imalog_buffer_add(out, pair, 2);
	}
}

/* A record of template ima-ng in the format and layout of the list */
FUZZ_FN void filler_make(const struct list *list, enum imalog_format format,
			 struct imalog_buffer *out)
{
	enum imalog_order order = list->order ? list->order : IMALOG_ORDER_LE;
	uint8_t digest[IMALOG_DIGEST_MAX];
	struct imalog_buffer data = { 0 };
	uint32_t name_size = FILLER_NAME(list);
	char *name = fuzz_alloc(name_size);
	size_t size;

	memset(name, 'n', name_size - 1);
	name[name_size - 1] = '\0';
	filler_int(&data, order, 6);
	imalog_buffer_add(&data, "sm3:\0\xab", 6);
	filler_int(&data, order, name_size);
	imalog_buffer_add(&data, name, name_size);
	size = filler_digest(list, &data, digest);
	if (format == IMALOG_FORMAT_ASCII) {
		imalog_buffer_add(out, "11 ", 3);
		filler_hex(out, digest, size);
		imalog_buffer_add(out, " ima-ng sm3:ab ", 15);
		imalog_buffer_add(out, name, name_size - 1);
		imalog_buffer_add(out, "\n", 1);
	} else {
		filler_int(out, order, 11);
		imalog_buffer_add(out, digest, size);
		filler_int(out, order, 6);
		imalog_buffer_add(out, "ima-ng", 6);
		filler_int(out, order, (uint32_t)data.size);
		imalog_buffer_add(out, data.data, data.size);
	}
	imalog_buffer_free(&data);
	free(name);
}

FUZZ_FN void list_fill(struct list *list, enum imalog_format format,
		       struct imalog_span bytes)
{
	struct imalog_buffer filler = { 0 }, all = { 0 };

	if (list->large)
		filler_make(list, format, &filler);
	imalog_buffer_add(&all, filler.data, filler.size);
	imalog_buffer_add(&all, bytes.data, bytes.size);
	imalog_buffer_add(&all, filler.data, filler.size);
	list->bytes = fuzz_copy(fuzz_span(&all));
	list->cut = list->bytes.size - list->cut % (list->bytes.size + 1);
	imalog_buffer_free(&filler);
	imalog_buffer_free(&all);
}

/* ---- options ---- */

/* Takes the options off the input; false when it is too short for them. */
FUZZ_FN bool list_open(struct list *list, enum imalog_format format, const uint8_t *in,
		       size_t size)
{
	static const size_t sizes[] = { 0, 20, 32, 48, 64, 0, 20, 32 };

	if (size < LIST_HEAD)
		return false;
	*list = (struct list){
		.format = in[0] & 0x80 ? IMALOG_FORMAT_AUTO : format,
		.order = (enum imalog_order)((in[0] & 3) % 3),
		.digest_size = sizes[in[0] >> 2 & 7],
		.mend = (enum imalog_alg)((in[1] & 15) % IMALOG_ALG_COUNT),
		.mend_other = in[1] & 0x10,
		.mend_padded = in[1] & 0x20,
		.mend_forget = in[1] & 0x40,
		.at_once = in[2] ? in[2] : 65536,
		.interrupts = in[3] & 1,
		.held = (uint64_t)1 << (in[3] >> 1 & 3),
		.large = (in[3] & 0xe0) == 0xe0,
		.cut = in[4] | (size_t)in[5] << 8,
		.fail_at = in[6],
		.bank = (enum imalog_alg)(1 + (in[7] & 7)),
		.start_pcr = in[7] >> 3,
		.templates = imalog_templates_new(),
	};
	MUST(list->templates);
	list_define(list, in[3] >> 3 & 3);
	list_fill(list, format, (struct imalog_span){ in + LIST_HEAD, size - LIST_HEAD });
	return true;
}

FUZZ_FN void list_close(struct list *list)
{
	imalog_templates_free(&list->templates);
	fuzz_free(list->bytes);
}

/* ---- reading ---- */

FUZZ_FN bool is_ima(const struct imalog_record *record)
{
	return record->template_name.size == 3 &&
	       memcmp(record->template_name.data, "ima", 3) == 0;
}

FUZZ_FN struct imalog_reader *list_reader(const struct list *list,
					  struct imalog_source *source)
{
	struct imalog_reader *reader =
		source ? imalog_reader_new(source, list->templates) : NULL;

	if (!reader)
		return NULL;
	imalog_reader_set_format(reader, list->format);
	imalog_reader_set_order(reader, list->order);
	MUST(imalog_reader_set_digest_size(reader, list->digest_size) == 0);
	return reader;
}

/* Everything that a reader says of a record, but what is only known after a check. */
FUZZ_FN uint64_t list_hash_record(const struct imalog_record *record)
{
	uint64_t head[] = { record->number,	record->offset,	   record->index,
			    record->content,	record->violation, record->order,
			    record->nr_digests, record->nr_fields, record->data.size };
	uint64_t hash = fuzz_hash(0xcbf29ce484222325, head, sizeof(head));

	hash = fuzz_hash(hash, record->raw.data, record->raw.size);
	hash = fuzz_hash(hash, record->template_name.data, record->template_name.size);
	hash = fuzz_hash(hash, record->data.data, record->data.size);
	for (size_t i = 0; i < record->nr_digests; i++)
		hash = fuzz_hash(hash, record->digests[i].span.data,
				 record->digests[i].span.size);
	for (size_t i = 0; i < record->nr_fields; i++) {
		hash = fuzz_hash(hash, &record->fields[i].id,
				 sizeof(record->fields[i].id));
		hash = fuzz_hash(hash, record->fields[i].data.data,
				 record->fields[i].data.size);
	}
	return hash;
}

/* A reading: what came, and how it ended. */
struct seen {
	struct imalog_buffer marks; /* one for each record, over all up to it */
	uint64_t records, consumed;
	size_t split; /* where a record ends, the last one that ends before the cut */
	int rc;
	uint64_t error_record, error_offset;
	enum imalog_format format;
	enum imalog_order order;
	size_t digest_size;
	enum imalog_alg digest_alg;
	bool proved;
};

typedef void (*list_visit_fn)(void *arg, struct imalog_record *record);

/* Records that are held keep their bytes, wherever the reader goes on. */
struct held {
	struct imalog_record *records[LIST_HELD_MAX];
	uint64_t hashes[LIST_HELD_MAX];
};

FUZZ_FN void hold(struct held *held, struct imalog_record *record, uint64_t hash)
{
	held->records[record->number % LIST_HELD_MAX] = record;
	held->hashes[record->number % LIST_HELD_MAX] = hash;
}

FUZZ_FN void let_go(struct held *held, struct imalog_reader *reader, uint64_t number)
{
	size_t at = number % LIST_HELD_MAX;

	MUST(held->records[at]->number == number);
	MUST(list_hash_record(held->records[at]) == held->hashes[at]);
	imalog_reader_release(reader, number);
}

FUZZ_FN void see_record(struct seen *seen, struct imalog_record *record, uint64_t hash)
{
	uint64_t mark = hash;

	if (seen->records)
		memcpy(&mark, seen->marks.data + seen->marks.size - sizeof(mark),
		       sizeof(mark));
	mark = fuzz_hash(mark, &hash, sizeof(hash));
	MUST(imalog_record_number(record) == ++seen->records);
	/* Elsewhere something may stand between records. */
	if (record->format == IMALOG_FORMAT_CEL_JSON || record->format == IMALOG_FORMAT_CEL_CBOR) {
		MUST(imalog_record_offset(record) >= seen->consumed);
		seen->consumed = imalog_record_offset(record);
	}
	MUST(imalog_record_offset(record) == seen->consumed);
	MUST(imalog_record_order(record) == IMALOG_ORDER_LE ||
	     imalog_record_order(record) == IMALOG_ORDER_BE);
	MUST(imalog_record_raw(record).size > 0);
	seen->consumed += record->raw.size;
	imalog_buffer_add(&seen->marks, &mark, sizeof(mark));
}

FUZZ_FN void see_end(struct seen *seen, struct imalog_reader *reader,
		     struct imalog_error *error)
{
	struct imalog_record *record;

	seen->format = imalog_reader_format(reader);
	seen->order = imalog_reader_order(reader);
	seen->digest_size = imalog_reader_digest_size(reader);
	seen->digest_alg = imalog_reader_digest_alg(reader);
	seen->proved = imalog_reader_layout_proved(reader);
	if (seen->rc == 0)
		return;
	fuzz_check_error(error, seen->rc);
	seen->error_record = imalog_error_record(error);
	seen->error_offset = imalog_error_offset(error);
	MUST(seen->error_record == seen->records + 1);
	if (seen->format == IMALOG_FORMAT_CEL_JSON || seen->format == IMALOG_FORMAT_CEL_CBOR)
		MUST(seen->error_offset >= seen->consumed);
	else
		MUST(seen->error_offset == seen->consumed);
	MUST(imalog_reader_next(reader, &record, error) == seen->rc);
}

/* Reads all of @source, which it frees. */
FUZZ_FN void list_read(const struct list *list, struct imalog_source *source,
		       list_visit_fn visit, void *arg, struct seen *seen)
{
	struct imalog_reader *reader = list_reader(list, source);
	struct imalog_error *error = imalog_error_new();
	struct imalog_record *record;
	struct held held;

	MUST(reader && error);
	memset(seen, 0, sizeof(*seen));
	while ((seen->rc = imalog_reader_next(reader, &record, error)) > 0) {
		uint64_t hash = list_hash_record(record);

		see_record(seen, record, hash);
		if (seen->consumed <= list->cut)
			seen->split = seen->consumed;
		if (visit)
			visit(arg, record);
		hold(&held, record, hash);
		if (list->held == 0)
			imalog_reader_release(reader, record->number);
		else if (record->number >= list->held)
			let_go(&held, reader, record->number - list->held + 1);
	}
	see_end(seen, reader, error);
	imalog_error_free(&error);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
}

FUZZ_FN void list_read_memory(const struct list *list, struct imalog_span bytes,
			      list_visit_fn visit, void *arg, struct seen *seen)
{
	list_read(list, imalog_source_from_memory(bytes.data, bytes.size, "memory"),
		  visit, arg, seen);
}

FUZZ_FN struct imalog_source *list_pipe(const struct list *list, bool fails)
{
	fuzz_pipe.left = list->bytes;
	/* A large list in single bytes takes too long. */
	fuzz_pipe.at_once = list->large ? list->at_once << 8 : list->at_once;
	fuzz_pipe.interrupts = list->interrupts;
	fuzz_pipe.fails = fails;
	return imalog_source_from_fd(FUZZ_FD, "pipe");
}

FUZZ_FN void seen_free(struct seen *seen)
{
	imalog_buffer_free(&seen->marks);
}

FUZZ_FN void must_be_same(const struct seen *a, const struct seen *b)
{
	MUST(a->records == b->records && a->consumed == b->consumed && a->rc == b->rc);
	MUST(a->error_record == b->error_record && a->error_offset == b->error_offset);
	MUST(a->format == b->format && a->order == b->order);
	MUST(a->digest_size == b->digest_size && a->digest_alg == b->digest_alg);
	MUST(a->proved == b->proved);
	MUST(imalog_span_equal(fuzz_span(&a->marks), fuzz_span(&b->marks)));
}

/* Does @part begin as @whole, for @records records? */
FUZZ_FN void must_begin_as(const struct seen *whole, const struct seen *part,
			   uint64_t records)
{
	MUST(whole->records >= records && part->records >= records);
	MUST(records == 0 || memcmp(whole->marks.data, part->marks.data,
				    records * sizeof(uint64_t)) == 0);
}

/* ---- the same list in other ways ---- */

/* In small reads; when the descriptor fails in the end, all that is whole has come. */
FUZZ_FN void list_check_pipe(const struct list *list, const struct seen *whole)
{
	struct seen seen;

	list_read(list, list_pipe(list, false), NULL, NULL, &seen);
	must_be_same(whole, &seen);
	seen_free(&seen);
	list_read(list, list_pipe(list, true), NULL, NULL, &seen);
	MUST(seen.rc < 0);
	if (seen.rc == -IMALOG_ERR_OS)
		must_begin_as(whole, &seen, seen.records);
	seen_free(&seen);
}

/* With one allocation that fails: it says so, and nothing is lost or used afterwards. */
FUZZ_FN void list_check_nomem(const struct list *list, const struct seen *whole)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_record *record;
	struct imalog_reader *reader = NULL;
	struct imalog_source *source;
	uint64_t records = 0;
	int rc = -IMALOG_ERR_NOMEM;

	fuzz_allocs_left = list->fail_at;
	source = list_pipe(list, false);
	reader = list_reader(list, source);
	while (reader && (rc = imalog_reader_next(reader, &record, error)) > 0)
		imalog_reader_release(reader, ++records);
	MUST(list->fail_at && fuzz_allocs_left == 0 ? rc == -IMALOG_ERR_NOMEM :
						      rc == whole->rc);
	MUST(records <= whole->records);
	fuzz_allocs_left = 0;
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_error_free(&error);
}

#endif /* LIST_H */
