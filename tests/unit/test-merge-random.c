// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/merge*.c: logs full of equal records, split by chance, shuffled and merged
 *
 * A merge must give the original bytes or refuse.  Of small cases an oracle, which tries
 * everything and knows nothing of the library, says which.
 */
#include "merge-oracle.h"

#define SEED 20261123

static bool is_long(void)
{
	return test_step(2) == 1;
}

/* ---- logs ---- */

/* A log that tests/mklog makes */
static struct bytes made_log(const char *options)
{
	const char *mklog = getenv("MKLOG"), *src = getenv("IMALOG_SRC");
	struct bytes bytes = bytes_new(4 << 20), exact;
	char command[1024];
	FILE *file;

	snprintf(command, sizeof(command), "python3 -I -S %s%s generate %s",
		 mklog ? mklog : src ? src : ".",
		 mklog ? "" : "/tests/mklog", options);
	file = popen(command, "r");
	if (!file)
		BAIL_OUT("cannot run mklog");
	bytes.size = fread(bytes.data, 1, bytes.size, file);
	if (pclose(file) != 0 || bytes.size == 0)
		BAIL_OUT("mklog failed");
	exact = bytes_copy(bytes.data, bytes.size);
	bytes_free(&bytes);
	return exact;
}

/* Some letters: V is a violation, capitals are of PCR 11. */
static struct bytes lettered_log(const char *letters)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct bytes bytes;

	for (; *letters; letters++) {
		uint32_t pcr = isupper((unsigned char)*letters) && *letters != 'V' ? 11 : 10;
		size_t at = list.size;
		char name[8] = { *letters };

		put_ng(&list, *letters == 'V' ? 0 : (uint8_t)*letters, name);
		list.data[at] = (uint8_t)pcr;
	}
	bytes = bytes_copy(list.data, list.size);
	build_free(&list);
	return bytes;
}

/* ---- splits ---- */

struct split {
	size_t from[PIECES_MAX], to[PIECES_MAX];
	size_t nr;
};

/* At least one record in each; some begin with records of those before. */
static struct split split_by_chance(size_t records, size_t nr, size_t overlaps)
{
	struct split split = { .nr = nr };
	bool cut[4096] = { false };

	if (records > sizeof(cut) || nr > records)
		BAIL_OUT("cannot split %zu records", records);
	for (size_t left = nr - 1; left > 0;) {
		size_t at = 1 + chance(records - 1);

		left -= !cut[at];
		cut[at] = true;
	}
	for (size_t i = 0, at = 0; i < nr; i++) {
		split.from[i] = at;
		for (at++; at < records && !cut[at];)
			at++;
		split.to[i] = at;
	}
	for (size_t i = 1; i < nr; i++)
		if (chance(100) < overlaps)
			split.from[i] -= chance(1 + (split.from[i] < 8 ? split.from[i] : 8));
	return split;
}

static void add_pieces(struct trial *trial, const struct parsed *log, const struct split *split)
{
	size_t order[PIECES_MAX];

	for (size_t i = 0; i < split->nr; i++)
		order[i] = i;
	shuffle(order, split->nr);
	for (size_t i = 0; i < split->nr; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%06zx", chance(1 << 24));
		trial_add(trial, recs_of(log, split->from[order[i]], split->to[order[i]]), name);
	}
}

/* ---- with receipts: always ---- */

static bool is_recurring(const struct parsed *log, size_t i)
{
	return log->recs[i].violation || memmem(log->bytes.data + log->recs[i].at,
						log->recs[i].size, "boot_aggregate", 14);
}

/* May the log have the records of a piece once more, behind the anchor? */
static bool may_recur(const struct parsed *log, size_t from, size_t to, size_t anchor)
{
	for (size_t i = from; i < to && anchor == log->nr; i++)
		if (!is_recurring(log, i))
			return false;
	return true;
}

/* Does the anchor not weigh an overlap, as nothing new before it follows? */
static bool overlaps_behind(const struct parsed *log, const struct split *split, size_t anchor)
{
	bool taken[PIECES_MAX] = { false };
	size_t end = 0;

	for (size_t n = 0; n < split->nr; n++) {
		size_t p = split->nr;

		/* In the order of their first records */
		for (size_t i = split->nr; i-- > 0;)
			if (!taken[i] && (p == split->nr || split->from[i] <= split->from[p]))
				p = i;
		taken[p] = true;
		if (split->to[p] > end && split->from[p] < end && end >= anchor)
			return true;
		if (split->to[p] <= end && may_recur(log, split->from[p], split->to[p], anchor))
			return true;
		end = split->to[p] > end ? split->to[p] : end;
	}
	return false;
}

static void merge_with_receipts(const struct parsed *log)
{
	size_t most = log->nr < 50 ? log->nr : 50;
	struct split split = split_by_chance(log->nr, 1 + chance(most), 30);
	size_t kind = chance(6), anchor = kind > 1 ? log->nr : 1 + chance(log->nr);
	struct trial trial;

	empty_receipts_dir(false);
	for (size_t i = 0; i < split.nr; i++)
		write_receipt(receipts_path, log,
			      (struct receipt_text){ .segment = (unsigned int)i + 1,
						     .from = split.from[i],
						     .to = split.to[i] });
	trial_init(&trial);
	add_pieces(&trial, log, &split);
	imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
	if (kind > 0)
		trial_expect(&trial, log, anchor);
	trial_run(&trial);
	CHECK_RESULT(&trial, kind > 0 && !overlaps_behind(log, &split, anchor) ?
				     IMALOG_MERGE_PROVED :
				     IMALOG_MERGE_RECEIPTS);
	CHECK_MEM(built(&trial.out), log->bytes);
	CHECK_INT(trial.restarts, 1);
	trial_free(&trial);
}

static void sweep_receipts(struct bytes bytes, const char *name, size_t rounds)
{
	struct parsed log = parse_log(span_of_bytes(bytes));

	for (size_t i = 0; i < rounds; i++) {
		test_note("%s, round %zu", name, i);
		merge_with_receipts(&log);
	}
	parsed_free(&log);
	bytes_free(&bytes);
}

static const char *const generated[] = {
	"--records 120 --violations 40 --duplicates 30",
	"--records 200 --violations 150 --duplicates 40 --pcr 10,11",
	"--records 60 --violations 58",
	"--records 90 --duplicates 80 --template mixed",
};

TEST(with_receipts_it_is_always_the_original)
{
	size_t rounds = is_long() ? 250 : 12;

	for (size_t i = 0; i < RIGS; i++) {
		struct bytes bytes;

		if (rig_list(&rigs[i], &banks[0], "binary", &bytes))
			sweep_receipts(bytes, rigs[i].dir, rounds);
	}
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(generated); i++)
		sweep_receipts(made_log(generated[i]), generated[i], rounds);
}

/* ---- the oracle and a log ---- */

static void oracle_of_log(struct oracle *oracle, const struct parsed *log,
			  const struct trial *trial, const struct split *split)
{
	*oracle = (struct oracle){ .nr = split->nr, .anchor = trial->anchor };
	oracle->alphabet.recs = calloc(log->nr, sizeof(*oracle->alphabet.recs));
	for (size_t i = 0; i < split->nr; i++)
		for (size_t r = split->from[i]; r < split->to[i]; r++) {
			char letter = letter_of(&oracle->alphabet, log, r);

			oracle->pieces[i][r - split->from[i]] = letter;
			oracle->recurring[(uint8_t)letter] =
				memmem(log->bytes.data + log->recs[r].at, log->recs[r].size,
				       "boot_aggregate", 14) != NULL;
		}
}

/* ---- without: the original, or a refusal ---- */

static size_t refused, merged, ambiguous, not_told;

/* What is refused must be ambiguous, as far as the oracle gets along with its size. */
static void explain(const struct parsed *log, const struct trial *trial,
		    const struct split *split)
{
	static struct oracle oracle;

	refused++;
	if (split->nr > ORACLE_PIECES) {
		not_told++;
		return;
	}
	oracle_of_log(&oracle, log, trial, split);
	try_all(&oracle, "", 0);
	CHECK(oracle.nr_outcomes > 1 || oracle.doubtful);
	ambiguous++;
	parsed_free(&oracle.alphabet);
}

static void merge_without_receipts(const struct parsed *log, size_t pieces)
{
	struct split split = split_by_chance(log->nr, pieces, 40);
	struct trial trial;

	trial_init(&trial);
	add_pieces(&trial, log, &split);
	trial_expect(&trial, log, log->nr);
	trial.banks[chance(3) % 2] = chance(3) > 0;
	if (!trial.banks[0] && !trial.banks[1])
		trial.banks[1] = true;
	trial_run(&trial);
	if (trial.result == IMALOG_MERGE_PROVED) {
		merged++;
		CHECK_MEM(built(&trial.out), log->bytes);
	} else {
		CHECK_RESULT(&trial, IMALOG_MERGE_AMBIGUOUS);
		explain(log, &trial, &split);
	}
	trial_free(&trial);
}

static void sweep_loose(struct bytes bytes, const char *name, size_t rounds)
{
	struct parsed log = parse_log(span_of_bytes(bytes));

	merged = refused = ambiguous = not_told = 0;
	for (size_t i = 0; i < rounds; i++) {
		test_note("%s, round %zu", name, i);
		/* Eight cost a second, so they are rare. */
		merge_without_receipts(&log, i % 16 == 15 ? 8 : 1 + chance(6));
	}
	printf("# %s: %zu merged, %zu refused: %zu are ambiguous by the oracle, %zu are too "
	       "large for it\n",
	       name, merged, refused, ambiguous, not_told);
	parsed_free(&log);
	bytes_free(&bytes);
}

static void first_records(struct bytes *bytes, size_t records)
{
	struct parsed log = parse_log(span_of_bytes(*bytes));

	bytes->size = recs_of(&log, 0, records).size;
	parsed_free(&log);
}

TEST(without_receipts_it_is_the_original_or_a_refusal)
{
	size_t rounds = is_long() ? 160 : 16;

	for (size_t i = 0; i < RIGS; i++) {
		struct bytes bytes;

		if (!rigs[i].sha1_bank || !rig_list(&rigs[i], &banks[0], "binary", &bytes))
			continue;
		sweep_loose(bytes, rigs[i].dir, rounds);
	}
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(generated); i++) {
		struct bytes bytes = made_log(generated[i]);

		first_records(&bytes, 40);
		sweep_loose(bytes, generated[i], rounds);
	}
}

/* ---- small cases ---- */

#define SMALL_PIECES  5
#define SMALL_RECORDS 16
static const char letters[] = "Vabcdefgh" "ABC";

static size_t counts[IMALOG_MERGE_TOO_MANY + 1], explained;

/* Letters are easier to read than the characters of the oracle. */
static void to_letters(const char *text, char *out)
{
	for (; *text; text++)
		*out++ = letters[(uint8_t)*text - 1];
	*out = '\0';
}

static void add_letters(struct trial *trial, const char *piece)
{
	char text[LONGEST + 1];
	struct bytes bytes;

	to_letters(piece, text);
	bytes = lettered_log(text);
	trial_add(trial, span_of_bytes(bytes), text);
	bytes_free(&bytes);
}

static void check_small(const struct oracle *oracle, const struct trial *trial)
{
	char text[LONGEST + 1];
	struct bytes bytes;

	counts[trial->result]++;
	if (oracle->nr_outcomes == 0) {
		CHECK_RESULT(trial, IMALOG_MERGE_BROKEN);
	} else if (oracle->nr_outcomes > 1 || oracle->doubtful) {
		explained++;
		CHECK_RESULT(trial, IMALOG_MERGE_AMBIGUOUS);
	} else if (CHECK_RESULT(trial, IMALOG_MERGE_PROVED)) {
		to_letters(oracle->outcomes[0], text);
		bytes = lettered_log(text);
		CHECK_MEM(built(&trial->out), span_of_bytes(bytes));
		bytes_free(&bytes);
	}
}

/* A text: many of its characters the same, some of another PCR */
static void make_text(char *text, size_t nr)
{
	size_t variety = 2 + chance(7), other = chance(3) == 0;

	for (size_t i = 0; i < nr; i++) {
		size_t which = chance(variety);

		text[i] = (char)(1 + (chance(3) ? which : 0));
		if (other && chance(4) == 0)
			text[i] = (char)(10 + chance(3));
	}
	text[nr] = '\0';
}

/* Pieces of the text, and now and then something that is wrong with them */
static void make_pieces(struct oracle *oracle, const char *text)
{
	size_t records = strlen(text);
	size_t most = records < SMALL_PIECES ? records : SMALL_PIECES;
	struct split split = split_by_chance(records, 1 + chance(most), 50);
	size_t wrong = chance(8);

	for (size_t i = 0; i < split.nr; i++)
		snprintf(oracle->pieces[i], sizeof(oracle->pieces[i]), "%.*s",
			 (int)(split.to[i] - split.from[i]), text + split.from[i]);
	oracle->nr = split.nr;
	if (wrong == 0 && oracle->nr > 1)
		oracle->nr--;
	if (wrong == 1 && oracle->nr < SMALL_PIECES)
		strcpy(oracle->pieces[oracle->nr++], oracle->pieces[chance(split.nr)]);
	if (wrong == 2 && oracle->nr < SMALL_PIECES)
		make_text(oracle->pieces[oracle->nr++], 1 + chance(4));
	if (wrong == 3)
		oracle->pieces[0][0] = 9;
}

static void merge_small(const struct parsed *alphabet)
{
	static struct oracle oracle;
	size_t records = 1 + chance(9), order[SMALL_PIECES], anchor;
	char text[SMALL_RECORDS + 1], shown[LONGEST + 1];
	struct trial trial;

	oracle = (struct oracle){ .alphabet = *alphabet };
	make_text(text, records);
	make_pieces(&oracle, text);
	anchor = chance(3) ? records : 1 + chance(records);
	for (size_t i = 0; i < anchor; i++)
		extend_values(&oracle.anchor, rec_of(&oracle, text[i]));
	/* Now and then one of two PCRs is not compared. */
	if (oracle.anchor.extended[10] && oracle.anchor.extended[11] && chance(3) == 0)
		oracle.anchor.extended[10 + chance(2)] = false;
	try_all(&oracle, "", 0);
	trial_init(&trial);
	for (size_t i = 0; i < oracle.nr; i++)
		order[i] = i;
	shuffle(order, oracle.nr);
	to_letters(text, shown);
	test_note("%s at %zu:", shown, anchor);
	for (size_t i = 0; i < oracle.nr; i++) {
		size_t used = strlen(test_now.note);

		to_letters(oracle.pieces[order[i]], shown);
		snprintf(test_now.note + used, sizeof(test_now.note) - used, " %.16s", shown);
		add_letters(&trial, oracle.pieces[order[i]]);
	}
	trial.anchored = true;
	trial.anchor = oracle.anchor;
	trial_run(&trial);
	check_small(&oracle, &trial);
	trial_free(&trial);
}

TEST(small_cases_come_out_as_the_oracle_says)
{
	size_t rounds = is_long() ? 40000 : 2500;
	struct bytes bytes = lettered_log(letters);
	struct parsed alphabet = parse_log(span_of_bytes(bytes));

	for (size_t i = 0; i < rounds; i++)
		merge_small(&alphabet);
	printf("# %zu cases: %zu merged, %zu lead nowhere, %zu refused, %zu of which are "
	       "ambiguous by the oracle\n",
	       rounds, counts[IMALOG_MERGE_PROVED], counts[IMALOG_MERGE_BROKEN],
	       counts[IMALOG_MERGE_AMBIGUOUS] + counts[IMALOG_MERGE_TOO_MANY], explained);
	parsed_free(&alphabet);
	bytes_free(&bytes);
}

int main(int argc, char **argv)
{
	static const struct test_case tests[] = {
		CASE(with_receipts_it_is_always_the_original),
		CASE(without_receipts_it_is_the_original_or_a_refusal),
		CASE(small_cases_come_out_as_the_oracle_says),
	};
	int rc;

	chance_seed(SEED);
	make_receipts_dir();
	rc = test_all(tests, IMALOG_ARRAY_SIZE(tests), argc, argv);
	empty_receipts_dir(true);
	return rc;
}
