// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/store-check.c: nothing that a receipt says goes by unchecked. */
#include "store-files.h"

/* ---- a receipt that says something else ---- */

/* Changes the receipt of a segment of the current epoch, as whoever can write there could. */
static void edit(uint64_t segment, void (*change)(struct imalog_receipt *receipt))
{
	struct imalog_receipt *receipt = NULL;
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;
	uint8_t self[32];

	if (imalog_store_open(store_path, 0, &store, NULL) < 0 ||
	    imalog_epoch_open(store, imalog_store_current(store), &epoch, NULL) < 0 ||
	    imalog_receipt_read(epoch->receipts, segment, &receipt, NULL, NULL) < 0)
		BAIL_OUT("no receipt to edit");
	change(receipt);
	CHECK_INT(imalog_receipt_write(receipt, epoch->receipts, self, NULL), 0);
	imalog_receipt_free(&receipt);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
}

static void more_violations(struct imalog_receipt *receipt)
{
	receipt->violations = 99;
}

static void more_ascii_bytes(struct imalog_receipt *receipt)
{
	receipt->ascii_bytes++;
}

static void problems(struct imalog_receipt *receipt)
{
	receipt->problems = 1;
}

static void mismatch(struct imalog_receipt *receipt)
{
	receipt->verdict = IMALOG_MISMATCH;
}

static void no_values(struct imalog_receipt *receipt)
{
	imalog_pcrs_free(&receipt->pcrs);
}

static void earlier(struct imalog_receipt *receipt)
{
	receipt->matched_at--;
}

static void no_previous(struct imalog_receipt *receipt)
{
	memset(receipt->previous, 0, sizeof(receipt->previous));
}

static void saved(struct imalog_receipt *receipt)
{
	receipt->state = IMALOG_RECEIPT_SAVED;
}

TEST(an_edited_receipt)
{
	static const struct {
		void (*change)(struct imalog_receipt *receipt);
		const char *text;
	} edits[] = {
		{ more_violations, "3: it has 0 violations, its receipt says 99" },
		{ more_ascii_bytes, "bytes in the ascii list, its receipt says" },
		{ problems, "3: the digests of 0 records do not fit, its receipt says 1" },
		{ mismatch, "3: its receipt says mismatch of the PCR values" },
		{ no_values, "3: its receipt says match of the PCR values that are in it: "
			     "that is not-checked" },
		{ earlier, "match after record 5, its receipt says after record 4" },
		{ no_previous, "3: its receipt follows another one" },
		{ saved, "3: its receipt says that it is saved, not committed" },
	};

	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		make_store();
		edit(3, edits[i].change);
		CHECK_FOUND(edits[i].text);
	}
}

TEST(the_first_receipt_follows_the_epoch_before)
{
	make_store();
	edit(1, no_previous);
	CHECK_INT(check(NULL), 2);
	CHECK(strstr(found, "1: its receipt follows another one"));
	make_store();
	do_cold_boot();
	CHECK_EXPORT(1);
	CHECK_INT(check(NULL), 0);
	edit(1, no_previous);
	CHECK_FOUND("1: its receipt follows another one");
	/* What was pruned, or made again, cannot be compared. */
	remove_tree(in_store("epoch-000001"));
	CHECK_INT(check(NULL), 0);
}

TEST(a_receipt_that_is_made_again_follows_the_epoch_before)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;

	make_store();
	do_cold_boot();
	CHECK_EXPORT(1);
	remove_file("epoch-000002/receipts/00000001.json");
	REQUIRE(imalog_store_open(store_path, 0, &store, NULL) == 0);
	REQUIRE(imalog_epoch_open(store, 2, &epoch, NULL) == 0);
	CHECK_INT(imalog_epoch_rebuild(epoch, templates, NULL, NULL, NULL), 1);
	imalog_templates_free(&templates);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
	CHECK_INT(check(NULL), 0);
}

/* ---- pending segments ---- */

/* Two records more, saved and not deleted */
static void make_pending(void)
{
	struct run run;

	make_store();
	measure_all("VV");
	kernel->discard_errno = EIO;
	run = run_export();
	CHECK(run.rc < 0);
	run_free(&run);
	REQUIRE(store_has(E1 "pending.00000004"));
}

TEST(what_is_pending)
{
	make_pending();
	CHECK_INT(check(NULL), 0);
	spoil(E1 "pending.00000004", 10);
	CHECK_FOUND("4: its SHA-256 is not that of its receipt");
	make_pending();
	CHECK_INT(truncate(in_store(E1 "pending.00000004"), 10), 0);
	CHECK_FOUND("4: it has 10 bytes, its receipt says");
	make_pending();
	edit(4, more_violations);
	CHECK_FOUND("4: it has 2 violations, its receipt says 99");
	make_pending();
	CHECK_INT(truncate(in_store(R1 "00000004.json"), 0), 0);
	CHECK_FOUND("4: its receipt cannot be read");
	/* Was being written */
	remove_file(R1 "00000004.json");
	CHECK_INT(check(NULL), 0);
	/* Nothing is written before that is finished. */
	move_file(E1 "log.00000003", E1 "pending.00000003");
	remove_file(R1 "00000003.json");
	CHECK_FOUND("3: it has no receipt");
}

static void committed(struct imalog_receipt *receipt)
{
	receipt->state = IMALOG_RECEIPT_COMMITTED;
}

/* A crash can prevent that the segment gets its name. */
TEST(what_is_committed_and_has_another_name)
{
	make_store();
	move_file(E1 "log.00000003", E1 "pending.00000003");
	CHECK_INT(check(NULL), 0);
	edit(3, more_violations);
	CHECK_FOUND("3: it has 0 violations");
	make_store();
	move_file(E1 "log.00000003", E1 "pending.00000003");
	edit(3, no_previous);
	CHECK_FOUND("3: its receipt follows another one");
	make_store();
	edit(2, committed);
	CHECK_INT(check(NULL), 0);
}

/* ---- quotes, and what crashes leave ---- */

static void quoted(struct imalog_receipt *receipt)
{
	receipt->has_quote = true;
	hash_of("SHA256", span_of("x", 1), receipt->quote);
	hash_of("SHA256", span_of("x", 1), receipt->signature);
}

TEST(files_of_a_quote)
{
	make_store();
	edit(3, quoted);
	CHECK_INT(check(NULL), 2);
	CHECK(strstr(found, "3: '00000003.quote' of its quote cannot be read: "));
	add_foreign(R1 "00000003.quote");
	CHECK_FOUND("3: '00000003.signature' of its quote cannot be read: ");
	add_foreign(R1 "00000003.signature");
	CHECK_INT(check(NULL), 0);
	spoil(R1 "00000003.quote", 0);
	CHECK_FOUND("3: the SHA-256 of '00000003.quote' is not that of its receipt");
}

TEST(partial_files)
{
	make_store();
	/* "x" is not with what segment 3 begins. */
	add_foreign(E1 "partial.00000003");
	CHECK_FOUND("0: 'partial.00000003' was being saved by an interrupted export, and no");
	add_foreign(E1 "partial.00000009.1");
	CHECK_INT(check(NULL), 2);
	remove_file(E1 "partial.00000009.1");
	remove_file(E1 "partial.00000003");
	CHECK_INT(link(in_store(E1 "log.00000003"), in_store(E1 "partial.00000003.1")), 0);
	CHECK_INT(check(NULL), 0);
}

TEST_MAIN(CASE(an_edited_receipt), CASE(the_first_receipt_follows_the_epoch_before),
	  CASE(a_receipt_that_is_made_again_follows_the_epoch_before), CASE(what_is_pending),
	  CASE(what_is_committed_and_has_another_name), CASE(files_of_a_quote),
	  CASE(partial_files))
