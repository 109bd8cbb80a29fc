// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz target: the kernel's binary list, what is written from it, and its replay. */
#include "list.h"
#include "replay.h"

/* An independent word on what each field holds; every case is to be reached. */
static enum imalog_field_type type_of(enum imalog_field_id id)
{
	switch (id) {
	case IMALOG_FIELD_D:
		return IMALOG_TYPE_DIGEST;
	case IMALOG_FIELD_N:
		return IMALOG_TYPE_TEXT;
	case IMALOG_FIELD_D_NG:
		return IMALOG_TYPE_DIGEST;
	case IMALOG_FIELD_D_NGV2:
		return IMALOG_TYPE_DIGEST;
	case IMALOG_FIELD_N_NG:
		return IMALOG_TYPE_TEXT;
	case IMALOG_FIELD_SIG:
		return IMALOG_TYPE_BYTES;
	case IMALOG_FIELD_BUF:
		return IMALOG_TYPE_BYTES;
	case IMALOG_FIELD_D_MODSIG:
		return IMALOG_TYPE_DIGEST;
	case IMALOG_FIELD_MODSIG:
		return IMALOG_TYPE_BYTES;
	case IMALOG_FIELD_EVMSIG:
		return IMALOG_TYPE_BYTES;
	case IMALOG_FIELD_IUID:
		return IMALOG_TYPE_UINT;
	case IMALOG_FIELD_IGID:
		return IMALOG_TYPE_UINT;
	case IMALOG_FIELD_IMODE:
		return IMALOG_TYPE_UINT;
	case IMALOG_FIELD_XATTRNAMES:
		return IMALOG_TYPE_TEXT;
	case IMALOG_FIELD_XATTRLENGTHS:
		return IMALOG_TYPE_UINTS;
	case IMALOG_FIELD_XATTRVALUES:
		return IMALOG_TYPE_BYTES;
	default: /* none, or a field of no template */
		break;
	}
	fuzz_broken(__FILE__, __LINE__, "a field of a known template");
}

/* What is known of a list besides its bytes. */
struct facts {
	const struct list *list;
	struct imalog_hasher *hasher;
	struct imalog_writer *same, *other, *ascii;
	struct imalog_buffer as_same, as_other, as_ascii;
	enum imalog_order order;
	bool all_known;	  /* the byte order of every record can be changed, and back */
	bool has_lengths; /* xattrlengths, which the kernel prints as their bytes */
};

/* ---- one record ---- */

static uint32_t length_before(const uint8_t *data, enum imalog_order order)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value |= (uint32_t)data[i - 4]
			 << 8 * (order == IMALOG_ORDER_BE ? 3 - i : i);
	return value;
}

static void check_field(const struct imalog_record *record, size_t i)
{
	enum imalog_field_id id = imalog_record_field_id(record, i);
	struct imalog_span data = imalog_record_field_data(record, i);
	struct imalog_digest_field parts;
	uint64_t value = 42;

	MUST(imalog_field_id_type(id) == type_of(id));
	MUST(imalog_field_id_by_name(imalog_field_id_name(id)) == id);
	if (!is_ima(record) || i > 0)
		MUST(length_before(data.data, record->order) == data.size);
	imalog_field_digest(id, data, &parts);
	MUST(fuzz_inside(parts.type, data) && fuzz_inside(parts.alg, data));
	MUST(fuzz_inside(parts.digest, data));
	MUST(parts.type.size + parts.alg.size + parts.digest.size <= data.size);
	MUST(imalog_field_text(data).size <= data.size);
	if (!imalog_field_uint(data, record->order, &value))
		MUST(value == 42);
}

/* The fields fill the data, one behind the other. */
static void check_fields(const struct imalog_record *record)
{
	const uint8_t *at = record->data.data;

	for (size_t i = 0; i < imalog_record_fields(record); i++) {
		struct imalog_span field = imalog_record_field_data(record, i);

		at += is_ima(record) && i == 0 ? 0 : 4;
		MUST(field.data == at);
		at += field.size;
		MUST(fuzz_inside(field, record->data));
		check_field(record, i);
	}
	MUST(record->nr_fields == 0 || at == record->data.data + record->data.size);
	MUST(fuzz_inside(imalog_record_name(record), record->data));
}

/* What has a meaning in other formats alone, and the data taken apart once more */
static void check_plain(const struct facts *facts, const struct imalog_record *record)
{
	struct imalog_record copy = *record;
	uint64_t recnum = 77;
	uint32_t pcr = 77;

	MUST(imalog_record_index(record) == IMALOG_INDEX_PCR);
	MUST(imalog_record_is_measured(record) && imalog_record_is_checked(record));
	MUST(imalog_record_extends_pcr(record));
	MUST(!imalog_record_recnum(record, &recnum) && recnum == 77);
	MUST(!imalog_record_mapped_pcr(record, &pcr) && pcr == 77);
	MUST(imalog_record_content_type(record) == 7);
	MUST(imalog_record_parse_data(&copy, facts->list->templates, NULL) == 0);
	MUST(copy.nr_fields == record->nr_fields);
	MUST(imalog_span_equal(copy.data, record->data));
	for (size_t i = 0; i < copy.nr_fields; i++)
		MUST(copy.fields[i].data.data == record->fields[i].data.data &&
		     copy.fields[i].data.size == record->fields[i].data.size);
}

static void check_spans(const struct imalog_record *record)
{
	struct imalog_span raw = imalog_record_raw(record);
	enum imalog_alg alg;

	MUST(imalog_record_pcr(record) <= IMALOG_PCR_MAX && !imalog_record_is_nv(record));
	MUST(imalog_record_content(record) == IMALOG_CONTENT_TEMPLATE);
	MUST(imalog_record_digests(record) == 1);
	MUST(fuzz_inside(imalog_record_digest(record, 0, &alg), raw));
	MUST(imalog_alg_size(alg) == imalog_record_digest(record, 0, NULL).size);
	MUST(fuzz_inside(imalog_record_template(record), raw));
	MUST(imalog_record_template(record).size >= 1);
	MUST(imalog_record_template(record).size <= IMALOG_NAME_MAX);
	MUST(fuzz_inside(imalog_record_data(record), raw));
	MUST(imalog_record_data(record).size <= IMALOG_DATA_MAX);
	/* The data is what the record ends with. */
	MUST(record->data.data + record->data.size == raw.data + raw.size);
	MUST(raw.size == 4 + record->digests[0].span.size + 4 +
				 record->template_name.size + (is_ima(record) ? 0 : 4) +
				 record->data.size);
}

/* The recorded digest fits just when one that is computed says so. */
static int check_digest(struct facts *facts, struct imalog_record *record)
{
	uint8_t computed[IMALOG_DIGEST_MAX];
	enum imalog_alg alg;
	struct imalog_span recorded = imalog_record_digest(record, 0, &alg);
	int fit = imalog_record_verify(record, facts->hasher, NULL);

	MUST(fit >= 0);
	MUST(imalog_record_template_digest(record, facts->hasher, alg, computed, NULL) ==
	     0);
	if (imalog_record_is_violation(record)) {
		MUST(fit == IMALOG_FIT_UNKNOWN && computed[0] == 0xff);
		return fit;
	}
	if (memcmp(computed, recorded.data, recorded.size) == 0)
		MUST(fit == IMALOG_FIT_YES);
	else if (recorded.size == 20)
		MUST(fit == IMALOG_FIT_NO);
	MUST((imalog_record_hash_order(record) != IMALOG_ORDER_AUTO) ==
	     (fit == IMALOG_FIT_YES && !is_ima(record)));
	return fit;
}

/* ---- other encodings ---- */

/* A line that hashes to the digest is the record again, but for the padding of `ima`. */
static void check_line(struct facts *facts, const struct imalog_record *record,
		       struct imalog_span line)
{
	struct imalog_source *source =
		imalog_source_from_memory(line.data, line.size, "line");
	struct imalog_reader *reader = imalog_reader_new(source, facts->list->templates);
	struct imalog_writer *writer;
	struct imalog_buffer again = { 0 };
	struct imalog_record *back;

	MUST(source && reader);
	imalog_reader_set_format(reader, IMALOG_FORMAT_ASCII);
	writer = imalog_writer_new(IMALOG_FORMAT_KERNEL, record->order, fuzz_append,
				   &again);
	if (imalog_reader_next(reader, &back, NULL) == 1 && back->fit == IMALOG_FIT_YES &&
	    !is_ima(record)) {
		MUST(back->raw.size == line.size);
		MUST(imalog_writer_put(writer, back, NULL) == 0);
		MUST(imalog_span_equal(fuzz_span(&again), record->raw));
	}
	imalog_buffer_free(&again);
	imalog_writer_free(&writer);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
}

static void check_encodings(struct facts *facts, const struct imalog_record *record,
			    int fit)
{
	size_t before = facts->as_ascii.size;
	int rc;

	for (size_t i = 0; i < record->nr_fields; i++)
		facts->has_lengths |= record->fields[i].id == IMALOG_FIELD_XATTRLENGTHS;
	MUST(imalog_record_order(record) == facts->order);
	MUST(imalog_writer_put(facts->same, record, NULL) == 0);
	rc = imalog_writer_put(facts->other, record, NULL);
	MUST(rc ==
	     (record->nr_fields || !record->data.size ? 0 : -IMALOG_ERR_UNSUPPORTED));
	/* A short digest of `ima` is told by what follows, which may tell otherwise. */
	facts->all_known &= rc == 0 &&
			    !(is_ima(record) && record->fields[0].data.size != 20);
	rc = imalog_writer_put(facts->ascii, record, NULL);
	MUST(rc == (record->nr_fields ? 0 : -IMALOG_ERR_UNSUPPORTED));
	if (rc == 0 && fit == IMALOG_FIT_YES && record->number <= 8) {
		struct imalog_span line = fuzz_span(&facts->as_ascii);

		line.data += before;
		line.size -= before;
		check_line(facts, record, line);
	}
}

static void visit(void *arg, struct imalog_record *record)
{
	struct facts *facts = arg;

	check_spans(record);
	check_plain(facts, record);
	check_fields(record);
	if (facts->list->large)
		return;
	check_encodings(facts, record, check_digest(facts, record));
}

/* ---- the list ---- */

static enum imalog_order other_order(enum imalog_order order)
{
	return order == IMALOG_ORDER_BE ? IMALOG_ORDER_LE : IMALOG_ORDER_BE;
}

static void facts_open(struct facts *facts, const struct list *list,
		       enum imalog_order order)
{
	*facts = (struct facts){ .list = list, .order = order, .all_known = true };
	facts->hasher = imalog_hasher_new();
	facts->same = imalog_writer_new(IMALOG_FORMAT_KERNEL, order, fuzz_append,
					&facts->as_same);
	facts->other = imalog_writer_new(IMALOG_FORMAT_KERNEL, other_order(order),
					 fuzz_append, &facts->as_other);
	facts->ascii = imalog_writer_new(IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO,
					 fuzz_append, &facts->as_ascii);
	MUST(facts->hasher && facts->same && facts->other && facts->ascii);
}

static void facts_close(struct facts *facts)
{
	imalog_buffer_free(&facts->as_same);
	imalog_buffer_free(&facts->as_other);
	imalog_buffer_free(&facts->as_ascii);
	imalog_writer_free(&facts->same);
	imalog_writer_free(&facts->other);
	imalog_writer_free(&facts->ascii);
	imalog_hasher_free(&facts->hasher);
}

static bool starts_with(struct imalog_span bytes, struct imalog_span start)
{
	return bytes.size >= start.size &&
	       imalog_span_equal((struct imalog_span){ bytes.data, start.size }, start);
}

/* What was written in the other byte order reads as the same list, and gives it back. */
static void check_turned(const struct facts *facts, const struct seen *whole)
{
	struct list turned = *facts->list;
	struct facts other;
	struct seen seen;

	turned.format = IMALOG_FORMAT_KERNEL;
	turned.order = other_order(facts->order);
	turned.digest_size = whole->digest_size;
	turned.bytes = fuzz_copy(fuzz_span(&facts->as_other));
	facts_open(&other, &turned, turned.order);
	list_read_memory(&turned, turned.bytes, visit, &other, &seen);
	MUST(seen.rc == 0 && seen.records == whole->records);
	MUST(imalog_span_equal(fuzz_span(&other.as_same), turned.bytes));
	MUST(imalog_span_equal(fuzz_span(&other.as_other), fuzz_span(&facts->as_same)));
	if (!facts->has_lengths)
		MUST(imalog_span_equal(fuzz_span(&other.as_ascii),
				       fuzz_span(&facts->as_ascii)));
	facts_close(&other);
	seen_free(&seen);
	fuzz_free(turned.bytes);
}

/* With the layout known, a list that is cut differs only by what is behind the cut. */
static void check_cut(const struct list *list, const struct seen *whole)
{
	struct imalog_span bytes = { list->bytes.data, list->cut };
	struct seen seen;

	if (!list->order || !list->digest_size || list->format == IMALOG_FORMAT_AUTO)
		return;
	bytes = fuzz_copy(bytes);
	list_read_memory(list, bytes, NULL, NULL, &seen);
	must_begin_as(whole, &seen, seen.records);
	if (list->cut <= whole->consumed)
		MUST(seen.rc == (seen.consumed == list->cut ? 0 : -IMALOG_ERR_TRUNCATED));
	seen_free(&seen);
	fuzz_free(bytes);
}

/* Writes into each record the digest of its data, as far as the list can be read. */
static void mend(void *arg, struct imalog_record *record)
{
	const struct list *list = arg;
	enum imalog_alg alg = list->mend_padded ? IMALOG_ALG_SHA1 : list->mend;
	struct imalog_span recorded = record->digests[0].span;
	enum imalog_order order = record->order;
	uint8_t digest[IMALOG_DIGEST_MAX] = { 0 };
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_scratch scratch = { 0 };
	struct imalog_hash_job job;

	if (list->mend_other)
		order = order == IMALOG_ORDER_BE ? IMALOG_ORDER_LE : IMALOG_ORDER_BE;
	MUST(hasher);
	if (!record->violation && recorded.size == imalog_alg_size(list->mend) &&
	    imalog_digest_input(record, order, &scratch, &job, NULL) == 0) {
		uint8_t *to = (uint8_t *)(uintptr_t)list->bytes.data + record->offset + 4;

		MUST(imalog_hash_one(hasher, alg, &job, digest, NULL) == 0);
		memcpy(to, digest, recorded.size);
	}
	free(scratch.data);
	imalog_hasher_free(&hasher);
}

static void mend_list(struct list *list)
{
	struct seen seen;

	list->format = IMALOG_FORMAT_KERNEL;
	if (!list->order)
		list->order = IMALOG_ORDER_LE;
	list->digest_size = imalog_alg_size(list->mend);
	list_read_memory(list, list->bytes, mend, list, &seen);
	seen_free(&seen);
	if (list->mend_forget) {
		list->format = IMALOG_FORMAT_AUTO;
		list->order = IMALOG_ORDER_AUTO;
		list->digest_size = 0;
	}
}

/* Reads the list and checks each record; what is written from them is the list. */
static void check_list(const struct list *list, struct seen *whole)
{
	struct facts facts;

	facts_open(&facts, list, whole->order);
	seen_free(whole);
	list_read_memory(list, list->bytes, visit, &facts, whole);
	MUST(imalog_writer_finish(facts.same, NULL) == 0);
	MUST(whole->consumed <= list->bytes.size);
	if (whole->rc == 0)
		MUST(whole->consumed == list->bytes.size);
	if (!list->large) {
		MUST(facts.as_same.size == whole->consumed);
		MUST(starts_with(list->bytes, fuzz_span(&facts.as_same)));
	}
	if (!list->large && facts.all_known && whole->records)
		check_turned(&facts, whole);
	facts_close(&facts);
}

static void fuzz_list(struct list *list)
{
	struct seen whole;

	if (list->mend)
		mend_list(list);
	/* The first reading tells the byte order, and whether it is such a list. */
	list_read_memory(list, list->bytes, NULL, NULL, &whole);
	if (whole.format == IMALOG_FORMAT_KERNEL) {
		check_list(list, &whole);
		check_cut(list, &whole);
		list_check_pipe(list, &whole);
		list_check_nomem(list, &whole);
		if (!list->large)
			replay_check(list, &whole);
	}
	seen_free(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct list list;

	if (!list_open(&list, IMALOG_FORMAT_KERNEL, data, size))
		return 0;
	fuzz_list(&list);
	list_close(&list);
	return 0;
}
