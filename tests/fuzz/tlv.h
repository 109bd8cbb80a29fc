/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logs in the TLV encodings for the fuzz targets, with the options of list.h: what is
 * written of them reads as the same records and is written again as the same bytes, in
 * each encoding that can have them; and no replay takes content that no rule checks for a
 * proof.
 */
#ifndef TLV_H
#define TLV_H

#include "cel.h"
#include "list.h"

/* Encodings that a log is written in; a record that one cannot have is left out of it. */
static const enum imalog_format tlv_formats[] = {
	IMALOG_FORMAT_CEL_TLV, IMALOG_FORMAT_CEL_JSON, IMALOG_FORMAT_CEL_CBOR,
	IMALOG_FORMAT_KERNEL,  IMALOG_FORMAT_TLV2018,
};
#define TLV_FORMATS IMALOG_ARRAY_SIZE(tlv_formats)

struct tlv_facts {
	const struct list *list;
	struct imalog_hasher *hasher;
	struct imalog_writer *writers[TLV_FORMATS];
	struct imalog_buffer out[TLV_FORMATS];
};

FUZZ_FN void tlv_open(struct tlv_facts *facts, const struct list *list)
{
	*facts = (struct tlv_facts){ .list = list, .hasher = imalog_hasher_new() };
	MUST(facts->hasher);
	for (size_t i = 0; i < TLV_FORMATS; i++) {
		facts->writers[i] = imalog_writer_new(tlv_formats[i], list->order,
						      fuzz_append, &facts->out[i]);
		MUST(facts->writers[i]);
		imalog_writer_set_int_width(facts->writers[i],
					    (enum imalog_int_width)(list->cut % 4));
		imalog_writer_set_count(facts->writers[i], 0);
		if (tlv_formats[i] == IMALOG_FORMAT_CEL_CBOR || list->cut % 2)
			imalog_writer_set_sequence(facts->writers[i]);
		if (list->held > 2)
			imalog_writer_set_force(facts->writers[i]);
	}
}

FUZZ_FN void tlv_close(struct tlv_facts *facts)
{
	for (size_t i = 0; i < TLV_FORMATS; i++) {
		imalog_writer_free(&facts->writers[i]);
		imalog_buffer_free(&facts->out[i]);
	}
	imalog_hasher_free(&facts->hasher);
}

/* ---- a record ---- */

FUZZ_FN void tlv_check_content(const struct imalog_record *record)
{
	struct imalog_management entry;
	struct imalog_span data;
	uint32_t type;
	size_t entries = 0;

	MUST(imalog_record_event(record, &type, &data) ==
	     (record->content == IMALOG_CONTENT_PCCLIENT));
	while (imalog_record_management(record, entries, &entry)) {
		MUST(entry.type && strlen(entry.type) > 0);
		entries++;
	}
	MUST((entries > 0) == (record->content == IMALOG_CONTENT_CEL));
	if (!imalog_record_is_measured(record))
		MUST(record->content == IMALOG_CONTENT_CEL ||
		     record->content == IMALOG_CONTENT_PCCLIENT);
	else if (!record->is_nv)
		MUST(record->index <= IMALOG_PCR_MAX);
	if (record->violation)
		MUST(imalog_record_is_checked(record) && record->nr_digests);
}

FUZZ_FN void tlv_check_record(struct tlv_facts *facts, struct imalog_record *record)
{
	bool all_fit = record->nr_digests > 0;
	int fit;

	tlv_check_content(record);
	for (size_t i = 0; i < record->nr_digests; i++)
		MUST(record->digests[i].span.size ==
		     imalog_alg_size(record->digests[i].alg));
	for (size_t i = 0; i < record->nr_fields; i++)
		MUST(fuzz_inside(record->fields[i].data, record->data));
	fit = imalog_record_verify(record, facts->hasher, NULL);
	MUST(fit >= 0);
	if (!imalog_record_is_checked(record) || record->violation)
		MUST(fit == IMALOG_FIT_UNKNOWN);
	for (size_t i = 0; i < record->nr_digests && fit == IMALOG_FIT_YES; i++) {
		uint8_t digest[IMALOG_DIGEST_MAX];

		MUST(imalog_record_template_digest(record, facts->hasher,
						   record->digests[i].alg, digest,
						   NULL) == 0);
		all_fit &= imalog_digest_equal(&record->digests[i], digest) ||
			   record->digests[i].span.size > 20; /* padded */
	}
	MUST(fit != IMALOG_FIT_YES || all_fit);
}

/* For list_read(). */
FUZZ_FN void tlv_visit(void *arg, struct imalog_record *record)
{
	struct tlv_facts *facts = arg;
	struct imalog_error *error = imalog_error_new();

	MUST(error);
	tlv_check_record(facts, record);
	for (size_t i = 0; i < TLV_FORMATS; i++) {
		size_t before = facts->out[i].size;
		int rc = imalog_writer_put(facts->writers[i], record, error);

		MUST(rc == 0 || rc == -IMALOG_ERR_UNSUPPORTED);
		MUST(rc == 0 || facts->out[i].size == before);
		MUST(imalog_writer_renumbered(facts->writers[i]) <= record->number);
		if (rc < 0)
			fuzz_check_error(error, rc);
	}
	imalog_error_free(&error);
}

/* ---- what was written ---- */

/* Reads as a log of this format that is written again as the same bytes. */
FUZZ_FN void tlv_check_again(const struct tlv_facts *facts, size_t i)
{
	struct list again = *facts->list;
	struct tlv_facts other;
	struct seen seen;

	again.format = tlv_formats[i];
	/* A list of no record is of no layout. */
	if (facts->out[i].size == 0 || again.format == IMALOG_FORMAT_KERNEL)
		return;
	again.bytes = fuzz_copy(fuzz_span(&facts->out[i]));
	tlv_open(&other, &again);
	list_read_memory(&again, again.bytes, tlv_visit, &other, &seen);
	MUST(seen.rc == 0);
	MUST(imalog_writer_finish(other.writers[i], NULL) == 0);
	MUST(imalog_span_equal(fuzz_span(&other.out[i]), again.bytes));
	seen_free(&seen);
	tlv_close(&other);
	fuzz_free(again.bytes);
}

/* ---- replay ---- */

FUZZ_FN struct imalog_replay *
tlv_replay(const struct list *list, const struct imalog_pcrs *expect, bool allow, int rc)
{
	struct imalog_source *source =
		imalog_source_from_memory(list->bytes.data, list->bytes.size, "memory");
	struct imalog_reader *reader = list_reader(list, source);
	struct imalog_replay *replay = imalog_replay_new();

	MUST(reader && replay);
	MUST(imalog_replay_add_bank(replay, list->bank, NULL) == 0);
	for (size_t i = 0; expect && i < imalog_pcrs_count(expect); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(expect, i, &alg, &pcr);
		struct imalog_span span = { value, imalog_alg_size(alg) };

		MUST(imalog_replay_expect(replay, alg, pcr, span, NULL) == 0);
	}
	if (allow)
		imalog_replay_allow_opaque(replay);
	MUST(imalog_replay_run(replay, reader, NULL) == rc);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	return replay;
}

/* The values of the log itself: a match if all that leads there is checked, none if not. */
FUZZ_FN void tlv_check_replay(const struct list *list, const struct seen *whole)
{
	struct imalog_replay *replay = tlv_replay(list, NULL, true, whole->rc);
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	enum imalog_verdict verdict, allowed;
	bool unchecked = false, bad = imalog_replay_problems(replay) > 0;

	MUST(pcrs && imalog_replay_pcrs(replay, pcrs, NULL) == 0);
	MUST(imalog_replay_unmeasured(replay) + imalog_replay_elsewhere(replay) <=
	     imalog_replay_records(replay));
	imalog_replay_free(&replay);
	if (imalog_pcrs_count(pcrs) == 0) {
		imalog_pcrs_free(&pcrs);
		return;
	}
	replay = tlv_replay(list, pcrs, true, whole->rc);
	allowed = imalog_replay_verdict(replay, NULL);
	imalog_replay_free(&replay);
	replay = tlv_replay(list, pcrs, false, whole->rc);
	verdict = imalog_replay_verdict(replay, NULL);
	for (size_t i = 0; i < imalog_replay_checks(replay); i++) {
		struct imalog_check check;

		imalog_replay_check(replay, i, &check);
		unchecked |= check.unchecked > 0;
	}
	if (bad)
		MUST(verdict == IMALOG_MISMATCH && allowed == IMALOG_MISMATCH);
	else if (unchecked)
		MUST(verdict != IMALOG_MATCH);
	else
		MUST(verdict == allowed);
	imalog_replay_free(&replay);
	imalog_pcrs_free(&pcrs);
}

/* ---- the target ---- */

FUZZ_FN void tlv_check_cut(const struct list *list, const struct seen *whole)
{
	struct imalog_span bytes =
		fuzz_copy((struct imalog_span){ list->bytes.data, list->cut });
	struct seen seen;

	list_read_memory(list, bytes, NULL, NULL, &seen);
	if (seen.format == whole->format)
		must_begin_as(whole, &seen, seen.records);
	seen_free(&seen);
	fuzz_free(bytes);
}

FUZZ_FN void tlv_check(const struct list *list)
{
	struct tlv_facts facts;
	struct seen whole;

	tlv_open(&facts, list);
	list_read_memory(list, list->bytes, tlv_visit, &facts, &whole);
	for (size_t i = 0; i < TLV_FORMATS; i++) {
		int rc = imalog_writer_finish(facts.writers[i], NULL);

		/* Without libcbor there is no such format. */
		MUST(rc == 0 || (rc == -IMALOG_ERR_UNSUPPORTED && facts.out[i].size == 0));
		tlv_check_again(&facts, i);
	}
	tlv_check_cut(list, &whole);
	list_check_pipe(list, &whole);
	list_check_nomem(list, &whole);
	tlv_check_replay(list, &whole);
	seen_free(&whole);
	tlv_close(&facts);
}

/* The layout options of list.h mean nothing here, and there are no large records. */
FUZZ_FN int tlv_fuzz(enum imalog_format format, const uint8_t *data, size_t size)
{
	struct imalog_span input = fuzz_copy((struct imalog_span){ data, size });
	uint8_t *head = (uint8_t *)(uintptr_t)input.data;
	struct seen seen;
	struct list list;

	if (size > 3) {
		head[0] &= 0x83;
		head[3] &= 0x1f;
	}
	if (list_open(&list, format, input.data, input.size)) {
		list.mend = IMALOG_ALG_NONE;
		list_read_memory(&list, list.bytes, NULL, NULL, &seen);
		if (seen.format == format)
			tlv_check(&list);
		seen_free(&seen);
		list_close(&list);
	}
	fuzz_free(input);
	return 0;
}

#endif /* TLV_H */
