// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The search for an order
 *
 * Sequences are put one behind the other, in every order; each may begin with records that are
 * the last of those before it, in every length at which they are the same.  Where that leads to
 * the anchor, and every other sequence lies somewhere in what there is by then, an order is
 * found.  Equal records decide nothing here: they only say what is worth trying.
 *
 * At least one record that a sequence adds must be at or before the one where the anchor holds.
 * What comes entirely behind it is proved by nothing; and a value that was left never comes
 * back, so nothing is added once it was.  A sequence is doubtful if none of its records there
 * extends a PCR that is compared.
 *
 * A sequence that the others have entirely is taken for a copy, if the anchor holds at the end.
 * It may as well be later than the anchor where the log goes on behind it, or if all its records
 * are of those that recur: then it is doubtful.
 *
 * No value tells how records of one PCR lie among those of another.  But the firmware has ended
 * before the kernel begins: orders that differ in where its events lie, and in which each PCR has
 * the same records, are one, that in which they come first.
 *
 * The same records, made of the same sequences, are gone on with once.  They are known by two
 * polynomials modulo a prime at random points, which no one who writes logs can know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "merge-search.h"

#define MODULUS (((uint64_t)1 << 61) - 1)
#define SEEN_MIN ((size_t)1024)

__extension__ typedef unsigned __int128 wide;

/* A sequence, prepared */
struct part {
	const uint32_t *numbers;
	size_t nr;
	bool recurs, firmware; /* all of it */
	size_t compared;       /* up to the last record that extends a PCR of the anchor */
	uint32_t *fallback;    /* of the first I + 1: the longest that begins and ends them */
	uint64_t (*hashes)[2]; /* of the first I */
};

struct seen {
	uint64_t hash[2];
	uint32_t nr_and_mask[2]; /* the length, cut; what is used, never 0, and weighed */
};

/* What was put together so far */
struct node {
	uint64_t hash[2];
	struct imalog_anchor_state state;
	uint64_t hit;  /* the first record after which the anchor holds, 0: none */
	uint64_t last; /* and the last */
	uint32_t weighed; /* sequences that add records to a PCR of the anchor until it holds */
};

struct search {
	struct imalog_anchor *anchor;
	struct imalog_search *result;
	struct imalog_error *error;
	struct part parts[IMALOG_LOOSE_MAX];
	size_t nr_parts;
	const struct imalog_distinct *distinct;
	uint64_t points[2];
	uint64_t (*powers)[2]; /* of the points */
	uint32_t *log;	       /* what was put together */
	size_t nr;
	uint32_t used;
	struct imalog_found path;
	struct seen *seen;
	size_t nr_seen, seen_size;
	uint64_t work, work_max;
	struct node nodes[IMALOG_LOOSE_MAX + 1];
};

/* ---- hashes ---- */

static uint64_t times(uint64_t a, uint64_t b)
{
	wide product = (wide)a * b;
	uint64_t sum = (uint64_t)(product & MODULUS) + (uint64_t)(product >> 61);

	return sum >= MODULUS ? sum - MODULUS : sum;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a + b >= MODULUS ? a + b - MODULUS : a + b;
}

/* Of the log with the records of @part from @border on behind it */
static void join_hash(const struct search *search, const uint64_t before[2],
		      const struct part *part, size_t border, uint64_t out[2])
{
	size_t nr = part->nr - border;

	for (int i = 0; i < 2; i++) {
		uint64_t start = times(part->hashes[border][i], search->powers[nr][i]);
		uint64_t tail = plus(part->hashes[part->nr][i], MODULUS - start);

		out[i] = plus(times(before[i], search->powers[nr][i]), tail);
	}
}

/* What belongs together: records of one PCR (other indexes count as one), of the firmware */
enum {
	OTHER_INDEX = IMALOG_PCR_MAX + 1,
	FIRMWARE,
	NOT_FIRMWARE,
	GROUPS
};

static void add_to_group(const struct search *search, uint64_t sum[2], uint32_t number)
{
	for (int p = 0; p < 2; p++)
		sum[p] = plus(times(sum[p], search->points[p]), (uint64_t)number + 1);
}

/* Of the log as records of groups, whatever lies between those of one; and the firmware's end */
static void look_at_groups(struct search *search, struct imalog_found *found)
{
	uint64_t sums[GROUPS][2] = { { 0 } };

	for (size_t i = 0; i < search->nr; i++) {
		const struct imalog_distinct *record = &search->distinct[search->log[i]];
		uint32_t pcr = record->pcr;

		add_to_group(search, sums[pcr < OTHER_INDEX ? pcr : OTHER_INDEX], search->log[i]);
		add_to_group(search, sums[record->firmware ? FIRMWARE : NOT_FIRMWARE],
			     search->log[i]);
		if (record->firmware)
			found->firmware = i + 1;
	}
	search->work += search->nr / 8;
	for (size_t g = 0; g < GROUPS; g++)
		for (int p = 0; p < 2; p++)
			found->hash[p] = plus(times(found->hash[p], search->points[!p]),
					      sums[g][p]);
}

/* ---- preparing ---- */

static void find_fallbacks(struct part *part)
{
	uint32_t k = 0;

	part->fallback[0] = 0;
	for (size_t i = 1; i < part->nr; i++) {
		while (k && part->numbers[i] != part->numbers[k])
			k = part->fallback[k - 1];
		k += part->numbers[i] == part->numbers[k];
		part->fallback[i] = k;
	}
}

static int prepare_part(struct search *search, const struct imalog_sequence *sequence,
			const struct imalog_distinct *distinct)
{
	struct part *part = &search->parts[search->nr_parts++];

	part->numbers = sequence->numbers;
	part->nr = sequence->nr;
	part->recurs = part->firmware = part->nr;
	for (size_t i = 0; i < part->nr; i++) {
		part->recurs &= distinct[part->numbers[i]].recurs;
		part->firmware &= distinct[part->numbers[i]].firmware;
		if (imalog_anchor_weighs(search->anchor, part->numbers[i]))
			part->compared = i + 1;
	}
	part->fallback = calloc(part->nr + 1, sizeof(*part->fallback));
	part->hashes = calloc(part->nr + 1, sizeof(*part->hashes));
	if (!part->fallback || !part->hashes)
		return imalog_fail_nomem(search->error);
	find_fallbacks(part);
	for (size_t i = 0; i < part->nr; i++)
		for (int p = 0; p < 2; p++)
			part->hashes[i + 1][p] =
				plus(times(part->hashes[i][p], search->points[p]),
				     (uint64_t)part->numbers[i] + 1);
	return 0;
}

static int prepare(struct search *search, const struct imalog_loaded *loaded)
{
	size_t longest = 0;
	int rc = 0;

	if (getrandom(search->points, sizeof(search->points), 0) != (ssize_t)sizeof(search->points))
		return imalog_fail_errno(search->error, errno, "cannot get random numbers");
	for (int p = 0; p < 2; p++)
		search->points[p] = search->points[p] % (MODULUS - 2) + 2;
	for (size_t i = 0; rc == 0 && i < loaded->nr_sequences; i++) {
		rc = prepare_part(search, &loaded->sequences[i], loaded->distinct);
		if (loaded->sequences[i].nr > longest)
			longest = loaded->sequences[i].nr;
	}
	search->powers = calloc(longest + 1, sizeof(*search->powers));
	search->log = calloc(loaded->total + 1, sizeof(*search->log));
	if (rc < 0 || !search->powers || !search->log)
		return imalog_fail_nomem(search->error);
	search->powers[0][0] = search->powers[0][1] = 1;
	for (size_t i = 1; i <= longest; i++)
		for (int p = 0; p < 2; p++)
			search->powers[i][p] = times(search->powers[i - 1][p], search->points[p]);
	return 0;
}

/* ---- what was gone on with already ---- */

static size_t seen_slot(const struct search *search, const struct seen *seen)
{
	size_t mask = search->seen_size - 1, at = seen->hash[0] + 0x9e3779b9u * seen->nr_and_mask[1];

	while (search->seen[at & mask].nr_and_mask[1] &&
	       memcmp(&search->seen[at & mask], seen, sizeof(*seen)) != 0)
		at++;
	return at & mask;
}

static int grow_seen(struct search *search)
{
	struct seen *old = search->seen;
	size_t size = search->seen_size;

	search->seen_size = size ? 2 * size : SEEN_MIN;
	search->seen = calloc(search->seen_size, sizeof(*search->seen));
	if (!search->seen) {
		search->seen = old;
		search->seen_size = size;
		return imalog_fail_nomem(search->error);
	}
	for (size_t i = 0; i < size; i++)
		if (old[i].nr_and_mask[1])
			search->seen[seen_slot(search, &old[i])] = old[i];
	free(old);
	return 0;
}

static bool is_seen(const struct search *search, const struct seen *seen)
{
	return search->seen && search->seen[seen_slot(search, seen)].nr_and_mask[1];
}

static int note_seen(struct search *search, const struct seen *seen)
{
	if (2 * (search->nr_seen + 1) > search->seen_size && grow_seen(search) < 0)
		return -IMALOG_ERR_NOMEM;
	search->seen[seen_slot(search, seen)] = *seen;
	search->nr_seen++;
	return 1;
}

/* ---- what is found ---- */

/* Does the log have these records, beginning at or before record @last? */
static bool has_part(struct search *search, const struct part *part, uint64_t last)
{
	size_t k = 0;

	if (part->nr == 0)
		return true;
	search->work += search->nr / 16;
	for (size_t i = 0; i < search->nr; i++) {
		while (k && search->log[i] != part->numbers[k])
			k = part->fallback[k - 1];
		k += search->log[i] == part->numbers[k];
		if (k == part->nr)
			return i + 1 - part->nr < last;
	}
	return false;
}

static uint32_t count_bits(uint32_t bits)
{
	uint32_t nr = 0;

	for (; bits; bits &= bits - 1)
		nr++;
	return nr;
}

static void keep_found(struct imalog_search *result, const struct imalog_found *found)
{
	for (size_t i = 0; i < result->nr; i++) {
		struct imalog_found *other = &result->found[i];
		uint32_t doubtful = other->doubtful | found->doubtful;

		if (other->records != found->records ||
		    memcmp(other->hash, found->hash, sizeof(found->hash)) != 0)
			continue;
		if (found->firmware < other->firmware)
			*other = *found;
		other->doubtful = doubtful;
		return;
	}
	if (result->nr < IMALOG_FOUND_MAX)
		result->found[result->nr++] = *found;
	else
		result->more = true;
}

/* The anchor holds: does that explain all sequences, or more of them than before? */
static void note_found(struct search *search, const struct node *node)
{
	struct imalog_search *result = search->result;
	struct imalog_found found = search->path;

	found.records = search->nr;
	found.last = node->last;
	found.explained = search->used;
	found.doubtful = search->used & ~node->weighed;
	for (size_t i = 0; i < search->nr_parts; i++) {
		if (search->parts[i].firmware) /* that comes first, surely */
			found.doubtful &= ~((uint32_t)1 << i);
		if (search->used >> i & 1 || !has_part(search, &search->parts[i], node->last))
			continue;
		found.explained |= (uint32_t)1 << i;
		if (search->parts[i].nr &&
		    (found.last < found.records || search->parts[i].recurs))
			found.doubtful |= (uint32_t)1 << i;
	}
	if (count_bits(found.explained) > count_bits(result->best.explained))
		result->best = found;
	if (count_bits(found.explained) < search->nr_parts)
		return;
	look_at_groups(search, &found);
	keep_found(result, &found);
}

/* ---- trying ---- */

static int explore(struct search *search, size_t depth);

/* Extends the values with what was added, as far as they matter.  0: all is behind the anchor */
static int extend(struct search *search, struct node *node, size_t from)
{
	size_t i = from;

	for (; i < search->nr && (node->hit == 0 || node->last == i); i++) {
		int rc = imalog_anchor_extend(search->anchor, &node->state, search->log[i],
					      search->error);

		if (rc < 0)
			return rc;
		if (!node->state.holds)
			continue;
		if (node->hit == 0)
			node->hit = i + 1;
		node->last = i + 1;
	}
	search->work += i - from;
	return node->hit == 0 || node->last > from;
}

/* Puts part @p behind the log, without its first @border records. */
static int add_part(struct search *search, size_t depth, size_t p, size_t border)
{
	const struct part *part = &search->parts[p];
	struct node *node = &search->nodes[depth + 1];
	const struct node *before = &search->nodes[depth];
	size_t from = search->nr, nr = from + part->nr - border;
	uint32_t bit = (uint32_t)1 << p;
	struct seen seen = { .nr_and_mask = { (uint32_t)nr, search->used | bit } };
	int rc;

	node->weighed = before->weighed | (before->hit || border >= part->compared ? 0 : bit);
	seen.nr_and_mask[1] |= node->weighed << IMALOG_LOOSE_MAX;
	search->work++;
	join_hash(search, before->hash, part, border, node->hash);
	memcpy(seen.hash, node->hash, sizeof(seen.hash));
	if (is_seen(search, &seen))
		return 0;
	node->state = before->state;
	node->hit = before->hit;
	node->last = before->last;
	memcpy(search->log + from, part->numbers + border, (nr - from) * sizeof(*search->log));
	search->work += (nr - from) / 16;
	search->nr = nr;
	search->used |= bit;
	search->path.order[depth] = p;
	search->path.border[depth] = border;
	search->path.nr = depth + 1;
	rc = extend(search, node, from);
	/* Only now: in another order, what is added last may be before the anchor. */
	if (rc > 0)
		rc = note_seen(search, &seen);
	if (rc > 0)
		rc = explore(search, depth + 1);
	search->used &= ~bit;
	search->nr = from;
	return rc;
}

/* The longest beginning of the part, but not all of it, that is the end of the log */
static size_t longest_border(struct search *search, const struct part *part)
{
	size_t nr = search->nr < part->nr - 1 ? search->nr : part->nr - 1, k = 0;

	search->work += nr / 16;
	for (size_t i = search->nr - nr; i < search->nr; i++) {
		while (k && search->log[i] != part->numbers[k])
			k = part->fallback[k - 1];
		k += search->log[i] == part->numbers[k];
	}
	return k;
}

static int try_part(struct search *search, size_t depth, size_t p)
{
	const struct part *part = &search->parts[p];
	size_t border = longest_border(search, part);
	int rc;

	do {
		rc = add_part(search, depth, p, border);
		if (border == 0)
			break;
		border = part->fallback[border - 1];
	} while (rc >= 0 && !search->result->gave_up);
	return rc;
}

/* Of equal parts the first that is left stands for all. */
static bool has_equal_before(const struct search *search, size_t p)
{
	for (size_t i = 0; i < p; i++)
		if (!(search->used >> i & 1) && search->parts[i].nr == search->parts[p].nr &&
		    memcmp(search->parts[i].numbers, search->parts[p].numbers,
			   search->parts[p].nr * sizeof(uint32_t)) == 0)
			return true;
	return false;
}

static int explore(struct search *search, size_t depth)
{
	const struct node *node = &search->nodes[depth];
	int rc = 0;

	if (node->hit)
		note_found(search, node);
	if (node->hit && node->last < search->nr)
		return 0;
	for (size_t p = 0; rc >= 0 && p < search->nr_parts; p++) {
		if (search->work > search->work_max)
			search->result->gave_up = true;
		if (search->result->gave_up || search->result->more)
			return 0;
		if (!(search->used >> p & 1) && search->parts[p].nr &&
		    !has_equal_before(search, p))
			rc = try_part(search, depth, p);
	}
	return rc < 0 ? rc : 0;
}

/* ---- all ---- */

static int run(struct search *search, const struct imalog_loaded *loaded)
{
	int rc = prepare(search, loaded);

	while (rc == 0 && search->result->nr == 0 && !search->result->gave_up &&
	       imalog_anchor_turn(search->anchor)) {
		if (search->seen)
			memset(search->seen, 0, search->seen_size * sizeof(*search->seen));
		search->nr_seen = 0;
		imalog_anchor_start(search->anchor, &search->nodes[0].state);
		rc = explore(search, 0);
	}
	return rc;
}

int imalog_search(struct imalog_anchor *anchor, const struct imalog_loaded *loaded,
		  uint64_t work_max, struct imalog_search *ret, struct imalog_error *error)
{
	struct search *search = calloc(1, sizeof(*search));
	int rc;

	if (!search)
		return imalog_fail_nomem(error);
	search->anchor = anchor;
	search->result = ret;
	search->error = error;
	search->work_max = work_max;
	search->distinct = loaded->distinct;
	rc = run(search, loaded);
	for (size_t i = 0; i < search->nr_parts; i++) {
		free(search->parts[i].fallback);
		free(search->parts[i].hashes);
	}
	free(search->powers);
	free(search->log);
	free(search->seen);
	free(search);
	return rc;
}
