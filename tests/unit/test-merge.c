// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/merge*.c: pieces of real logs in every order, and what is wrong with them named. */
#include "merge.h"

/* ---- what a kernel with staging gave ---- */

static const char *const staged_names[] = {
	"stage1.sha1", "stage2.sha1", "stage3.sha1", "trim4.sha1", "list-at-end.sha1",
};
#define STAGED IMALOG_ARRAY_SIZE(staged_names)

static struct bytes staged[STAGED], staged_all;
static struct parsed staged_log;

static void load_staged(void)
{
	struct build all = { .order = IMALOG_ORDER_LE };

	for (size_t i = 0; i < STAGED && !staged_log.nr; i++) {
		char path[128];

		snprintf(path, sizeof(path), "staging/three-stages-and-trim/%s",
			 staged_names[i]);
		staged[i] = bytes_of_file(path);
		put(&all, staged[i].data, staged[i].size);
	}
	if (staged_log.nr)
		return;
	staged_all = bytes_copy(all.data, all.size);
	staged_log = parse_log(span_of_bytes(staged_all));
	build_free(&all);
}

/* The first record of piece @i */
static size_t staged_start(size_t i)
{
	size_t nr = 0, size = 0;

	for (size_t p = 0; p < i; p++)
		size += staged[p].size;
	while (nr < staged_log.nr && staged_log.recs[nr].at < size)
		nr++;
	return nr;
}

static void write_staged_receipts(void)
{
	empty_receipts_dir(false);
	for (size_t i = 0; i < STAGED; i++)
		write_receipt(receipts_path, &staged_log,
			      (struct receipt_text){ .segment = (unsigned int)i + 1,
						     .from = staged_start(i),
						     .to = staged_start(i + 1) });
}

/* Values of PCR 10 as "ALG HEX" lines */
static void expect_file(struct trial *trial, const char *path)
{
	struct bytes text = bytes_of_file(path);
	char line[256];
	FILE *file = fmemopen(text.data, text.size, "r");

	trial->anchored = true;
	trial->anchor.extended[10] = true;
	while (file && fgets(line, sizeof(line), file)) {
		char alg[16], hex[129];
		struct bytes value;

		if (sscanf(line, "%15s %128s", alg, hex) != 2)
			continue;
		value = bytes_of_hex(hex);
		for (size_t b = 0; b < MERGE_BANKS; b++)
			if (strcmp(banks[b].name, alg) == 0)
				memcpy(trial->anchor.value[b][10], value.data, value.size);
		bytes_free(&value);
	}
	if (file)
		fclose(file);
	bytes_free(&text);
}

static void next_order(size_t order[STAGED])
{
	size_t i = STAGED - 1, j = STAGED - 1, kept;

	while (i > 0 && order[i - 1] > order[i])
		i--;
	if (i == 0)
		return;
	while (order[j] < order[i - 1])
		j--;
	kept = order[i - 1];
	order[i - 1] = order[j];
	order[j] = kept;
	for (size_t a = i, b = STAGED - 1; a < b; a++, b--) {
		kept = order[a];
		order[a] = order[b];
		order[b] = kept;
	}
}

static void run_order(const size_t order[STAGED], bool with_receipts)
{
	struct trial trial;

	trial_init(&trial);
	for (size_t i = 0; i < STAGED; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%08zx", chance(1u << 31));
		trial_add(&trial, span_of_bytes(staged[order[i]]), name);
	}
	expect_file(&trial, "staging/three-stages-and-trim/pcr10");
	if (with_receipts)
		CHECK_INT(imalog_merge_add_receipts(trial.merge, receipts_path, trial.error),
			  STAGED);
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
	CHECK_INT(imalog_replay_records(imalog_merge_replay(trial.merge)), 30);
	CHECK_MEM(built(&trial.out), span_of_bytes(staged_all));
	trial_free(&trial);
}

TEST(all_120_orders_give_the_same_records)
{
	size_t order[STAGED] = { 0, 1, 2, 3, 4 };

	load_staged();
	write_staged_receipts();
	for (int i = 0; i < 120; i++) {
		test_note("order %d", i);
		run_order(order, false);
		run_order(order, true);
		next_order(order);
	}
}

TEST(a_list_that_a_kexec_carried_over_is_joined_once)
{
	static const char *const names[] = { "before-staged.sha1", "before-list.sha1",
					     "after-list.sha1" };
	struct bytes after = bytes_of_file("staging/kexec-with-staged/after-list.sha1");

	for (size_t turn = 0; turn < 3; turn++) {
		struct trial trial;

		trial_init(&trial);
		for (size_t i = 0; i < 3; i++) {
			char path[128];
			struct bytes bytes;

			snprintf(path, sizeof(path), "staging/kexec-with-staged/%s",
				 names[(i + turn) % 3]);
			bytes = bytes_of_file(path);
			trial_add(&trial, span_of_bytes(bytes), names[(i + turn) % 3]);
			bytes_free(&bytes);
		}
		expect_file(&trial, "staging/kexec-with-staged/after.pcr10");
		trial_run(&trial);
		CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
		CHECK_MEM(built(&trial.out), span_of_bytes(after));
		trial_free(&trial);
	}
	bytes_free(&after);
}

/* ---- what is wrong is named ---- */

/* All pieces but those that are left out or changed */
static void add_staged(struct trial *trial, size_t without, struct imalog_span instead)
{
	char name[16];

	for (size_t i = 0; i < STAGED; i++) {
		snprintf(name, sizeof(name), "piece-%zu", i + 1);
		if (i != without)
			trial_add(trial, span_of_bytes(staged[i]), name);
		else if (instead.size)
			trial_add(trial, instead, name);
	}
	expect_file(trial, "staging/three-stages-and-trim/pcr10");
}

static void begin_wrong(struct trial *trial, bool with_receipts)
{
	load_staged();
	write_staged_receipts();
	trial_init(trial);
	if (with_receipts)
		imalog_merge_add_receipts(trial->merge, receipts_path, trial->error);
}

TEST(a_piece_that_is_missing_is_named)
{
	for (size_t i = 0; i < STAGED; i++) {
		char text[64];
		struct trial trial;

		begin_wrong(&trial, true);
		add_staged(&trial, i, span_of(NULL, 0));
		trial_run(&trial);
		CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
		snprintf(text, sizeof(text), "segment %zu, records %zu to %zu, is missing",
			 i + 1, staged_start(i) + 1, staged_start(i + 1));
		CHECK(trial_says(&trial, IMALOG_MERGE_MISSING, text));
		CHECK_INT(trial.merge->notes.nr, 1);
		trial_free(&trial);

		begin_wrong(&trial, false);
		add_staged(&trial, i, span_of(NULL, 0));
		trial_run(&trial);
		CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
		CHECK(trial_says(&trial, IMALOG_MERGE_MISSING, "records are missing"));
		trial_free(&trial);
	}
}

TEST(a_gap_without_a_receipt_is_named_with_both_values)
{
	char hex[65], text[256];
	struct values after, before;
	struct trial trial;

	load_staged();
	empty_receipts_dir(false);
	/* The second counts on from the first, but begins two records later. */
	write_receipt(receipts_path, &staged_log,
		      (struct receipt_text){ .segment = 1, .from = 0, .to = 10 });
	write_receipt(receipts_path, &staged_log,
		      (struct receipt_text){
			      .segment = 2, .from = 12, .to = 30, .shift = (size_t)-2 });
	trial_init(&trial);
	trial_add(&trial, recs_of(&staged_log, 12, 30), "second");
	trial_add(&trial, recs_of(&staged_log, 0, 10), "first");
	trial_expect(&trial, &staged_log, 30);
	imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
	after = values_after(&staged_log, 10);
	before = values_after(&staged_log, 12);
	hex_of(after.value[1][10], 32, hex);
	snprintf(text, sizeof(text), "between first and second at least one record is missing: "
				     "PCR 10 sha256 is %s after the first, the second begins at ",
		 hex);
	hex_of(before.value[1][10], 32, text + strlen(text));
	CHECK(trial_says(&trial, IMALOG_MERGE_MISSING, text));
	trial_free(&trial);
}

TEST(a_piece_that_is_there_twice_is_named)
{
	for (size_t i = 0; i < 2 * STAGED; i++) {
		struct trial trial;

		begin_wrong(&trial, i % 2);
		add_staged(&trial, STAGED, span_of(NULL, 0));
		trial_add(&trial, span_of_bytes(staged[i / 2]), "again");
		trial_run(&trial);
		CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
		CHECK_MEM(built(&trial.out), span_of_bytes(staged_all));
		CHECK(trial.merge->notes.notes[0].kind == IMALOG_MERGE_DOUBLED);
		CHECK(trial_says(&trial, IMALOG_MERGE_DOUBLED, "again") || i % 2 == 0);
		trial_free(&trial);
	}
}

TEST(a_piece_that_is_cut_is_named)
{
	for (size_t i = 0; i < STAGED; i++) {
		struct imalog_span cut = { staged[i].data, staged[i].size - 5 };
		size_t last = staged_start(i + 1) - 1;
		struct trial trial;

		/* Inside a record */
		for (int receipts = 0; receipts < 2; receipts++) {
			begin_wrong(&trial, receipts);
			add_staged(&trial, i, cut);
			trial_run(&trial);
			CHECK_RESULT(&trial, IMALOG_MERGE_MALFORMED);
			CHECK(trial_says(&trial, IMALOG_MERGE_CUT, "cannot be read to its end"));
			trial_free(&trial);
		}
		/* Between records */
		begin_wrong(&trial, true);
		add_staged(&trial, i, recs_of(&staged_log, staged_start(i), last));
		trial_run(&trial);
		if (last > staged_start(i)) {
			CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
			CHECK(trial_says(&trial, IMALOG_MERGE_CUT, "seems to be segment"));
		}
		trial_free(&trial);
	}
}

TEST(a_piece_that_was_changed_is_named)
{
	for (size_t i = 0; i < STAGED; i++) {
		struct bytes changed = bytes_copy(staged[i].data, staged[i].size);
		struct trial trial;

		changed.data[changed.size - 2] ^= 1; /* the end of a name */
		for (int receipts = 0; receipts < 2; receipts++) {
			begin_wrong(&trial, receipts);
			add_staged(&trial, i, span_of_bytes(changed));
			trial_run(&trial);
			CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
			CHECK(trial_says(&trial, IMALOG_MERGE_EDITED, "does not fit"));
			CHECK(trial_says(&trial, IMALOG_MERGE_EDITED, "it was changed") ==
			      receipts);
			trial_free(&trial);
		}
		bytes_free(&changed);
	}
}

TEST(a_piece_of_another_log_is_named)
{
	struct bytes other = bytes_of_file("rig/ng/binary_runtime_measurements");
	struct trial trial;

	begin_wrong(&trial, false);
	add_staged(&trial, STAGED, span_of(NULL, 0));
	trial_add(&trial, span_of_bytes(other), "other");
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_BROKEN);
	CHECK(trial_says(&trial, IMALOG_MERGE_FOREIGN, "without other the others lead"));
	trial_free(&trial);

	begin_wrong(&trial, true);
	add_staged(&trial, STAGED, span_of(NULL, 0));
	trial.anchored = false;
	trial_add(&trial, span_of_bytes(other), "other");
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_RECEIPTS);
	CHECK(trial_says(&trial, IMALOG_MERGE_FOREIGN, "no receipt has other"));
	trial_free(&trial);
	bytes_free(&other);
}

/* ---- without an anchor ---- */

TEST(receipts_alone_give_an_order_and_prove_nothing)
{
	struct trial trial;

	begin_wrong(&trial, true);
	for (size_t i = STAGED; i > 0; i--)
		trial_add(&trial, span_of_bytes(staged[i - 1]), "x");
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_RECEIPTS);
	CHECK_MEM(built(&trial.out), span_of_bytes(staged_all));
	CHECK(trial_says(&trial, IMALOG_MERGE_REORDERED, ""));
	trial_free(&trial);
}

TEST(without_anything_the_order_is_that_given)
{
	struct build should = { .order = IMALOG_ORDER_LE };
	struct trial trial;

	begin_wrong(&trial, false);
	for (size_t i = STAGED; i > 0; i--) {
		trial_add(&trial, span_of_bytes(staged[i - 1]), "x");
		put(&should, staged[i - 1].data, staged[i - 1].size);
	}
	trial_run(&trial);
	CHECK_RESULT(&trial, IMALOG_MERGE_GIVEN);
	CHECK_MEM(built(&trial.out), built(&should));
	trial_free(&trial);
	build_free(&should);
}

/* ---- several epochs ---- */

TEST(epochs_are_kept_apart)
{
	struct bytes other = bytes_of_file("rig/ng/binary_runtime_measurements");
	struct parsed other_log = parse_log(span_of_bytes(other));
	char first[512];

	for (uint64_t epoch = 0; epoch < 4; epoch++) {
		struct trial trial;
		size_t pieces;
		uint64_t number;

		begin_wrong(&trial, true);
		snprintf(first, sizeof(first), "%s/00000001.json", receipts_path);
		empty_receipts_dir(false);
		write_receipt(receipts_path, &other_log,
			      (struct receipt_text){ .segment = 1, .from = 0, .to = 45 });
		imalog_merge_add_receipts(trial.merge, receipts_path, trial.error);
		trial_add(&trial, span_of_bytes(other), "other");
		add_staged(&trial, STAGED, span_of(NULL, 0));
		imalog_merge_set_epoch(trial.merge, epoch);
		if (epoch == 2)
			trial_expect(&trial, &other_log, 45);
		trial_run(&trial);
		CHECK(imalog_merge_epoch(trial.merge, 0, &number, &pieces));
		CHECK_INT(number, 1);
		CHECK_INT(pieces, STAGED);
		CHECK(imalog_merge_epoch(trial.merge, 1, &number, &pieces));
		CHECK_INT(pieces, 1);
		if (epoch == 1 || epoch == 2) {
			CHECK_RESULT(&trial, IMALOG_MERGE_PROVED);
			CHECK_MEM(built(&trial.out),
				  span_of_bytes(epoch == 1 ? staged_all : other));
			CHECK(trial_says(&trial, IMALOG_MERGE_OTHER_EPOCH, "left out"));
		} else {
			CHECK_RESULT(&trial, IMALOG_MERGE_EPOCHS);
			CHECK_INT(trial.out.size, 0);
		}
		trial_free(&trial);
	}
	parsed_free(&other_log);
	bytes_free(&other);
}

int main(int argc, char **argv)
{
	static const struct test_case tests[] = {
		CASE(all_120_orders_give_the_same_records),
		CASE(a_list_that_a_kexec_carried_over_is_joined_once),
		CASE(a_piece_that_is_missing_is_named),
		CASE(a_gap_without_a_receipt_is_named_with_both_values),
		CASE(a_piece_that_is_there_twice_is_named),
		CASE(a_piece_that_is_cut_is_named),
		CASE(a_piece_that_was_changed_is_named),
		CASE(a_piece_of_another_log_is_named),
		CASE(receipts_alone_give_an_order_and_prove_nothing),
		CASE(without_anything_the_order_is_that_given),
		CASE(epochs_are_kept_apart),
	};
	int rc;

	chance_seed(5);
	make_receipts_dir();
	rc = test_all(tests, IMALOG_ARRAY_SIZE(tests), argc, argv);
	empty_receipts_dir(true);
	return rc;
}
