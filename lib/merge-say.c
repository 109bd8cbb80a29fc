// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a merge has to say, and what it came to. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge-engine.h"

static const char *const result_names[] = {
	[IMALOG_MERGE_PROVED] = "proved",
	[IMALOG_MERGE_RECEIPTS] = "receipts",
	[IMALOG_MERGE_GIVEN] = "given",
	[IMALOG_MERGE_UNCHECKED] = "unchecked",
	[IMALOG_MERGE_AMBIGUOUS] = "ambiguous",
	[IMALOG_MERGE_BROKEN] = "broken",
	[IMALOG_MERGE_MALFORMED] = "malformed",
	[IMALOG_MERGE_EPOCHS] = "epochs",
	[IMALOG_MERGE_TOO_MANY] = "too-many",
};

static const char *const problem_names[] = {
	[IMALOG_MERGE_MISSING] = "missing",
	[IMALOG_MERGE_DOUBLED] = "doubled",
	[IMALOG_MERGE_FOREIGN] = "foreign",
	[IMALOG_MERGE_EDITED] = "edited",
	[IMALOG_MERGE_CUT] = "cut",
	[IMALOG_MERGE_REORDERED] = "reordered",
	[IMALOG_MERGE_OVERLAPS] = "overlaps",
	[IMALOG_MERGE_OTHER_EPOCH] = "other-epoch",
	[IMALOG_MERGE_OTHER] = "other",
	[IMALOG_MERGE_UNSEEN] = "unseen",
};

const char *imalog_merge_result_name(enum imalog_merge_result result)
{
	if (result < IMALOG_MERGE_PROVED || result > IMALOG_MERGE_TOO_MANY)
		return "unknown";
	return result_names[result];
}

const char *imalog_merge_problem_name(enum imalog_merge_problem problem)
{
	if (problem < IMALOG_MERGE_MISSING || problem > IMALOG_MERGE_UNSEEN)
		return "unknown";
	return problem_names[problem];
}

/* ---- notes ---- */

const char *imalog_piece_show(const struct imalog_merge *merge, size_t piece,
			      char buf[IMALOG_PIECE_SHOWN])
{
	const char *name = merge->pieces[piece].name;
	size_t size = strlen(name), room = IMALOG_PRINTABLE_MAX - 8;
	char shown[IMALOG_PRINTABLE_MAX];
	bool cut = size > room;

	/* Of a path the end says more. */
	snprintf(buf, IMALOG_PIECE_SHOWN, "%s%s", cut ? "..." : "",
		 imalog_printable(imalog_span_of(name + (cut ? size - room : 0)), shown));
	return buf;
}

int imalog_notes_add(struct imalog_notes *notes, enum imalog_merge_problem kind, size_t piece,
		     struct imalog_error *error, const char *format, ...)
{
	struct imalog_note *grown = reallocarray(notes->notes, notes->nr + 1, sizeof(*grown));
	char text[640];
	va_list args;

	if (!grown)
		return imalog_fail_nomem(error);
	notes->notes = grown;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	grown[notes->nr] = (struct imalog_note){ kind, piece, strdup(text) };
	if (!grown[notes->nr].text)
		return imalog_fail_nomem(error);
	notes->nr++;
	return 0;
}

int imalog_notes_move(struct imalog_notes *to, struct imalog_notes *from,
		      struct imalog_error *error)
{
	struct imalog_note *grown;

	if (from->nr == 0)
		return 0;
	grown = reallocarray(to->notes, to->nr + from->nr, sizeof(*grown));
	if (!grown)
		return imalog_fail_nomem(error);
	memcpy(grown + to->nr, from->notes, from->nr * sizeof(*grown));
	to->notes = grown;
	to->nr += from->nr;
	from->nr = 0;
	return 0;
}

bool imalog_notes_have(const struct imalog_notes *notes, enum imalog_merge_problem kind)
{
	for (size_t i = 0; i < notes->nr; i++)
		if (notes->notes[i].kind == kind)
			return true;
	return false;
}

void imalog_notes_free(struct imalog_notes *notes)
{
	for (size_t i = 0; i < notes->nr; i++)
		free(notes->notes[i].text);
	free(notes->notes);
	*notes = (struct imalog_notes){ NULL, 0 };
}

/* ---- what it came to ---- */

const struct imalog_plan *imalog_merge_plan(const struct imalog_merge *merge)
{
	return &merge->plan;
}

bool imalog_merge_part(const struct imalog_merge *merge, size_t i,
		       struct imalog_merge_part *ret)
{
	const struct imalog_part *part;
	const struct imalog_item *item;

	if (i >= merge->plan.nr_parts)
		return false;
	part = &merge->plan.parts[i];
	item = &merge->items[part->piece];
	*ret = (struct imalog_merge_part){ .name = merge->pieces[part->piece].name,
					   .first = 1,
					   .records = part->records,
					   .skipped = part->skip,
					   .receipt = item->receipt,
					   .checked = item->checked,
					   .fits = item->checked && item->fits };
	if (item->receipt && ret->skipped > item->receipt->records)
		ret->skipped = item->receipt->records;
	for (size_t before = 0; before < i; before++)
		ret->first += merge->plan.parts[before].records;
	return true;
}

const char *imalog_merge_problem(const struct imalog_merge *merge, size_t i,
				 enum imalog_merge_problem *kind, const char **piece)
{
	const struct imalog_note *note;

	if (i >= merge->notes.nr)
		return NULL;
	note = &merge->notes.notes[i];
	*kind = note->kind;
	if (piece)
		*piece = note->piece < merge->nr ? merge->pieces[note->piece].name : NULL;
	return note->text;
}

const char *imalog_merge_candidate(const struct imalog_merge *merge, size_t i)
{
	return i < merge->candidates.nr ? merge->candidates.notes[i].text : NULL;
}

bool imalog_merge_epoch(const struct imalog_merge *merge, size_t i, uint64_t *epoch,
			size_t *pieces)
{
	if (i >= merge->nr_sets)
		return false;
	*epoch = merge->sets[i].epoch;
	*pieces = merge->sets[i].matched;
	return true;
}

const struct imalog_replay *imalog_merge_replay(const struct imalog_merge *merge)
{
	return merge->replay;
}

const struct imalog_quote_match *imalog_merge_quote_match(const struct imalog_merge *merge)
{
	return merge->match;
}
