// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The records of pieces that nothing but an anchor can join, in memory: a number for each, and
 * what banks are extended with, once for all records that are the same
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "eventlog.h"
#include "merge-search.h"

#define TABLE_MIN ((size_t)1024)
/* Records with a problem that are named one by one */
#define SHOWN_MAX 10

struct load {
	struct imalog_merge *merge;
	struct imalog_loaded *loaded;
	struct imalog_sequence *sequence;
	struct imalog_content_hash content;
	struct imalog_hasher *hasher;
	struct imalog_error *error;
	size_t piece; /* at hand */
	size_t room;  /* of the sequence */
	size_t skip;  /* that many records of the piece must be the last of the sequence */
	size_t start; /* of the piece in the sequence */
	uint64_t number;
	uint64_t problems;
};

/* ---- records that are the same have one number ---- */

static size_t slot_of(const struct imalog_loaded *loaded, const uint8_t *content)
{
	size_t mask = loaded->table_size - 1, at;

	memcpy(&at, content, sizeof(at));
	while (loaded->table[at & mask] &&
	       memcmp(loaded->distinct[loaded->table[at & mask] - 1].content, content,
		      IMALOG_SHA256_SIZE) != 0)
		at++;
	return at & mask;
}

static int grow_table(struct imalog_loaded *loaded, struct imalog_error *error)
{
	size_t size = loaded->table_size ? 2 * loaded->table_size : TABLE_MIN;
	struct imalog_distinct *distinct;
	uint8_t *digests;

	distinct = reallocarray(loaded->distinct, size / 2, sizeof(*distinct));
	if (distinct)
		loaded->distinct = distinct;
	digests = reallocarray(loaded->digests, size / 2, loaded->stride + 1);
	if (digests)
		loaded->digests = digests;
	free(loaded->table);
	loaded->table = calloc(size, sizeof(*loaded->table));
	if (!distinct || !digests || !loaded->table)
		return imalog_fail_nomem(error);
	loaded->table_size = size;
	for (size_t i = 0; i < loaded->nr; i++)
		loaded->table[slot_of(loaded, loaded->distinct[i].content)] = (uint32_t)i + 1;
	return 0;
}

static int compute_digests(struct load *load, const struct imalog_record *record)
{
	struct imalog_loaded *loaded = load->loaded;
	uint8_t *out = loaded->digests + loaded->nr * loaded->stride;
	int rc = 0;

	memset(out, 0, loaded->stride);
	for (size_t a = 0; rc == 0 && a < loaded->nr_algs; a++) {
		if (!imalog_record_is_checked(record))
			imalog_chain_recorded(record, loaded->algs[a], out);
		else
			rc = imalog_record_template_digest(record, load->hasher,
							   loaded->algs[a], out, load->error);
		out += IMALOG_DIGEST_MAX;
	}
	return rc;
}

/* The number of a record, a new one if need be */
static int number_of(struct load *load, const struct imalog_record *record, uint32_t *ret)
{
	struct imalog_loaded *loaded = load->loaded;
	uint8_t content[IMALOG_SHA256_SIZE];
	size_t slot;
	int rc = imalog_content_of(&load->content, record, content, load->error);

	if (rc == 0 && 2 * (loaded->nr + 1) > loaded->table_size)
		rc = grow_table(loaded, load->error);
	if (rc < 0)
		return rc;
	slot = slot_of(loaded, content);
	if (loaded->table[slot] == 0) {
		struct imalog_distinct *distinct = &loaded->distinct[loaded->nr];

		rc = compute_digests(load, record);
		if (rc < 0)
			return rc;
		*distinct = (struct imalog_distinct){ .pcr = record->index,
						      .extends = imalog_record_extends_pcr(record),
						      .violation = record->violation,
						      .firmware = record->content ==
								  IMALOG_CONTENT_PCCLIENT,
						      .locality = imalog_record_locality(record),
						      .recurs = imalog_record_recurs(record) };
		memcpy(distinct->content, content, sizeof(content));
		loaded->table[slot] = (uint32_t)++loaded->nr;
	}
	*ret = loaded->table[slot] - 1;
	return 0;
}

/* ---- a record ---- */

static int check_digest(struct load *load, struct imalog_record *record)
{
	char shown[IMALOG_PIECE_SHOWN];
	int fit;

	if (record->violation || !imalog_record_is_checked(record))
		return 0;
	fit = imalog_record_verify(record, load->hasher, load->error);
	if (fit != IMALOG_FIT_NO || ++load->problems > SHOWN_MAX)
		return fit < 0 ? fit : 0;
	return imalog_notes_add(&load->loaded->notes, IMALOG_MERGE_EDITED, load->piece,
				load->error, "%s, record %" PRIu64 " at 0x%" PRIx64 ": %s",
				imalog_piece_show(load->merge, load->piece, shown),
				record->number, record->offset,
				imalog_problem_text(IMALOG_PROBLEM_DIGEST));
}

/* What a log has twice it may have once more. */
static void note_twice(const struct load *load, struct imalog_distinct *distinct)
{
	distinct->recurs |= distinct->sequence == load->loaded->nr_sequences;
	distinct->sequence = load->loaded->nr_sequences;
}

/* Those that the pieces before have must be the same. */
static int add_number(struct load *load, uint32_t number)
{
	struct imalog_sequence *sequence = load->sequence;
	uint32_t *numbers = sequence->numbers;

	if (load->number <= load->skip) {
		if (numbers[load->start + load->number - 1] != number)
			load->loaded->contradicts = true;
		return 0;
	}
	if (++load->loaded->total > IMALOG_LOADED_MAX) {
		load->loaded->too_many = true;
		return 0;
	}
	if (sequence->nr == load->room) {
		load->room = load->room ? 2 * load->room : 256;
		numbers = reallocarray(numbers, load->room, sizeof(*numbers));
		if (!numbers)
			return imalog_fail_nomem(load->error);
		sequence->numbers = numbers;
	}
	numbers[sequence->nr++] = number;
	note_twice(load, &load->loaded->distinct[number]);
	return 0;
}

static int read_records(struct load *load, struct imalog_reader *reader,
			struct imalog_stream *sum)
{
	struct imalog_record *record;
	int rc = 1;

	while (rc > 0 && !load->loaded->too_many) {
		uint32_t number;

		rc = imalog_reader_next(reader, &record, load->error);
		if (rc <= 0)
			break;
		load->number++;
		imalog_stream_add(sum, record->raw.data, record->raw.size);
		rc = check_digest(load, record);
		if (rc == 0)
			rc = number_of(load, record, &number);
		if (rc == 0)
			rc = add_number(load, number);
		imalog_reader_release(reader, record->number);
		rc = rc < 0 ? rc : 1;
	}
	return rc;
}

/* ---- a piece ---- */

static int check_sum(struct load *load, struct imalog_stream *sum)
{
	struct imalog_item *item = &load->merge->items[load->piece];
	uint8_t sha256[IMALOG_SHA256_SIZE];
	int rc = imalog_stream_digest(sum, sha256, load->error);

	if (rc < 0 || !item->receipt)
		return rc;
	item->checked = true;
	item->fits = item->other_form ||
		     memcmp(sha256, item->receipt->sha256, sizeof(sha256)) == 0;
	if (!item->fits && load->loaded->misfit == IMALOG_NOWHERE)
		load->loaded->misfit = load->piece;
	return 0;
}

static int say_broken(struct load *load, int code)
{
	enum imalog_merge_problem kind = code == -IMALOG_ERR_TRUNCATED ? IMALOG_MERGE_CUT :
									 IMALOG_MERGE_OTHER;
	char shown[IMALOG_PIECE_SHOWN], text[320];

	load->loaded->broken = true;
	imalog_error_format(load->error, text, sizeof(text));
	return imalog_notes_add(&load->loaded->notes, kind, load->piece, load->error,
				"%s cannot be read to its end: %s",
				imalog_piece_show(load->merge, load->piece, shown), text);
}

static int load_piece(struct load *load)
{
	struct imalog_item *item = &load->merge->items[load->piece];
	struct imalog_piece_reader reader;
	struct imalog_stream *sum;
	int rc = imalog_sum_begin(&sum, load->error);

	if (rc == 0)
		rc = imalog_piece_read(load->merge, load->piece, 1, &reader, load->error);
	load->number = 0;
	load->skip = item->skip < load->sequence->nr ? (size_t)item->skip : load->sequence->nr;
	load->start = load->sequence->nr - load->skip;
	if (rc == 0) {
		rc = read_records(load, reader.reader, sum);
		if (rc == 0 && !load->loaded->too_many)
			rc = check_sum(load, sum);
		item->records = load->number;
		imalog_piece_done(&reader);
	}
	imalog_stream_free(&sum);
	if (rc < 0 && rc > -IMALOG_ERR_INVALID && rc != -IMALOG_ERR_AMBIGUOUS)
		rc = say_broken(load, rc);
	return rc < 0 ? rc : 0;
}

static int load_chain(struct load *load, size_t head)
{
	int rc = 0;

	load->sequence->head = head;
	load->room = 0;
	for (size_t i = head; rc == 0 && i != IMALOG_NOWHERE; i = load->merge->items[i].next) {
		load->piece = i;
		rc = load_piece(load);
	}
	return rc;
}

/* ---- all ---- */

int imalog_load(struct imalog_merge *merge, const size_t *heads, size_t nr,
		struct imalog_loaded *loaded, struct imalog_error *error)
{
	struct load load = { .merge = merge, .loaded = loaded };
	int rc = 0;

	loaded->stride = loaded->nr_algs * IMALOG_DIGEST_MAX;
	loaded->misfit = IMALOG_NOWHERE;
	load.error = imalog_error_new();
	load.hasher = imalog_hasher_new();
	if (!load.error || !load.hasher)
		rc = imalog_fail_nomem(error);
	for (size_t i = 0; rc == 0 && i < nr && !loaded->too_many; i++) {
		load.sequence = &loaded->sequences[loaded->nr_sequences++];
		rc = load_chain(&load, heads[i]);
		if (rc < 0)
			imalog_error_copy(error, load.error);
	}
	imalog_content_free(&load.content);
	imalog_hasher_free(&load.hasher);
	imalog_error_free(&load.error);
	return rc;
}

void imalog_loaded_free(struct imalog_loaded *loaded)
{
	for (size_t i = 0; i < loaded->nr_sequences; i++)
		free(loaded->sequences[i].numbers);
	free(loaded->distinct);
	free(loaded->digests);
	free(loaded->table);
	imalog_notes_free(&loaded->notes);
}
