// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/store*.c: the directory of segments is opened, checked, rebuilt and pruned. */
#include <sched.h>
#include <sys/wait.h>

#include "store-files.h"

TEST(a_sound_store)
{
	make_store();
	CHECK_INT(check(NULL), 0);
	check_epoch(1);
}

TEST(a_changed_segment)
{
	make_store();
	spoil(E1 "log.00000002", -1); /* a violation's data does not matter to the PCR */
	CHECK_FOUND("2: its SHA-256 is not that of its receipt");
	make_store();
	spoil(E1 "log.00000003", -1);
	CHECK_INT(check(NULL), 3); /* nor are the values then what they were */
	CHECK(strstr(found, "3: the PCR values after it are not those of its receipt"));
	CHECK(strstr(found, "3: its receipt says match of the PCR values that are in it"));
}

TEST(a_cut_segment)
{
	struct imalog_error *error = imalog_error_new();
	char path[512];

	make_store();
	path_of(E1 "log.00000002", path);
	REQUIRE(truncate(path, 100) == 0);
	CHECK_INT(check(error), -IMALOG_ERR_TRUNCATED);
	CHECK_STR(imalog_error_source(error), "log.00000002");
	CHECK_INT(imalog_error_record(error), 4);
	imalog_error_free(&error);
}

TEST(a_missing_segment)
{
	make_store();
	move_file(E1 "log.00000002", "elsewhere");
	CHECK_INT(check(NULL), 5); /* it, and what does not follow any more */
	CHECK(strstr(found, "2: it is missing: there is its receipt"));
	CHECK(strstr(found, "3: it has records 3 to 3, its receipt says 5 to 5"));
	remove_file(R1 "00000002.json");
	CHECK(check(NULL) > 0);
	CHECK(strstr(found, "2: segments 2 to 2 are missing"));
}

TEST(segments_in_another_order)
{
	make_store();
	move_file(E1 "log.00000002", "elsewhere");
	move_file(E1 "log.00000003", E1 "log.00000002");
	move_file("elsewhere", E1 "log.00000003");
	CHECK(check(NULL) > 0);
	CHECK(strstr(found, "2: "));
}

TEST(changed_and_lost_receipts)
{
	make_store();
	remove_file(R1 "00000002.json");
	CHECK_FOUND("2: it has no receipt");
	make_store();
	spoil(R1 "00000002.json", 0);
	CHECK_FOUND("2: its receipt cannot be read: ");
	make_store();
	spoil(R1 "00000002.json", -3); /* the last digit */
	CHECK_INT(check(NULL), 2); /* also the next, which has its digest */
	make_store();
	move_file(R1 "00000003.json", "elsewhere");
	CHECK_FOUND("3: it has no receipt");
}

TEST(a_receipt_that_follows_another)
{
	struct imalog_receipt *receipt = NULL;
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;
	uint8_t self[32];

	make_store();
	REQUIRE(imalog_store_open(store_path, 0, &store, NULL) == 0);
	REQUIRE(imalog_epoch_open(store, 1, &epoch, NULL) == 0);
	REQUIRE(imalog_receipt_read(epoch->receipts, 2, &receipt, NULL, NULL) == 0);
	snprintf(receipt->time, sizeof(receipt->time), "2000-01-01T00:00:00Z");
	CHECK_INT(imalog_receipt_write(receipt, epoch->receipts, self, NULL), 0);
	imalog_receipt_free(&receipt);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
	CHECK_FOUND("3: its receipt follows another one than that of the segment before");
}

TEST(foreign_files)
{
	make_store();
	add_foreign(E1 "log.4");
	CHECK_FOUND("0: 'log.4' is no file of the store's");
	add_foreign(R1 "README");
	CHECK_FOUND("0: 'README' is no file of the store's, and others are not");
	make_store();
	add_foreign(E1 "partial.00000001");
	add_foreign(E1 ".imalog.0123456789abcdef");
	CHECK_FOUND("0: 'partial.00000001' was being saved by an interrupted export");
	measure('x');
	CHECK_EXPORT(1);
	CHECK(!store_has(E1 ".imalog.0123456789abcdef"));
	CHECK(store_has(E1 "partial.00000001"));
	make_store();
	add_foreign(E1 "dropped.00000002");
	CHECK_INT(check(NULL) > 0, 1);
	CHECK(strstr(found, "2: it is there under two names"));
}

/* What a crash leaves where a file system can only link and unlink */
TEST(a_segment_with_its_old_name_too)
{
	char from[512], to[512];

	make_store();
	path_of(E1 "log.00000003", from);
	path_of(E1 "pending.00000003", to);
	CHECK_INT(link(from, to), 0);
	CHECK_INT(check(NULL), 0);
	measure_all("VV");
	CHECK_EXPORT(1);
	CHECK(!store_has(E1 "pending.00000003"));
	check_whole(1);
	check_epoch(1);
	/* Two files are two. */
	make_store();
	add_foreign(E1 "pending.00000003");
	CHECK(check(NULL) != 0);
	CHECK(strstr(found, "3: it is there under two names"));
}

/* ---- exporting to a store that is not as it should be ---- */

#define CHECK_REFUSED(text)                                               \
	do {                                                              \
		struct run run_;                                          \
		measure('x');                                             \
		run_ = run_export();                                      \
		CHECK(run_.rc < 0);                                       \
		if (!strstr(imalog_error_detail(run_.error), text))       \
			test_fail(__FILE__, __LINE__, "'%s' lacks '%s'",  \
				  imalog_error_detail(run_.error), text); \
		CHECK_INT(kernel->nr_current, 1);                         \
		run_free(&run_);                                          \
	} while (0)

TEST(an_export_does_not_go_on_with_a_damaged_end)
{
	make_store();
	remove_file(R1 "00000003.json");
	CHECK_REFUSED("segment 3 of epoch 1 has no receipt: imalog store rebuild");
	make_store();
	spoil(R1 "00000003.json", 0);
	CHECK_REFUSED("line 1 is no JSON");
	make_store();
	move_file(E1 "log.00000003", "elsewhere");
	CHECK_REFUSED("segment 3 of epoch 1 is missing");
	make_store();
	add_foreign(E1 "dropped.00000002");
	CHECK_REFUSED("is there under two names");
	make_store();
	move_file(E1 "log.00000002", E1 "pending.00000002");
	CHECK_REFUSED("is behind a pending one");
	make_store();
	remove_file("current");
	CHECK_INT(symlink("epoch-000009", (path_of("current", found), found)), 0);
	CHECK_REFUSED("leads to no epoch");
}

TEST(a_lock_that_is_taken)
{
	struct imalog_store *store = NULL, *other = NULL;
	struct imalog_error *error = imalog_error_new();
	struct run run;

	make_store();
	measure('x');
	REQUIRE(imalog_store_open(store_path, 0, &store, NULL) == 0);
	CHECK_INT(imalog_store_open(store_path, 50, &other, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), EBUSY);
	run = run_export();
	CHECK_INT(run.rc, -IMALOG_ERR_OS);
	CHECK_INT(kernel->nr_current, 1);
	CHECK_INT(kernel->reads, 3);
	run_free(&run);
	imalog_store_close(&store);
	CHECK_EXPORT(1);
	check_whole(1);
	CHECK_INT(imalog_store_open("no/such/store", 0, &store, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), ENOENT);
	imalog_error_free(&error);
}

static bool has_lock_open(pid_t pid)
{
	char lock[512], path[64], target[512];

	path_of("lock", lock);
	for (int fd = 0; fd < 64; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		size = readlink(path, target, sizeof(target) - 1);
		if (size < 0)
			continue;
		target[size] = '\0';
		if (strcmp(target, lock) == 0)
			return true;
	}
	return false;
}

/* Who waits for a lock that is removed takes the one that others see. */
TEST(a_lock_that_is_removed_meanwhile)
{
	struct imalog_store *store = NULL, *other = NULL;
	int ready[2], end[2];
	char byte;
	pid_t pid;

	make_store();
	REQUIRE(imalog_store_open(store_path, 0, &store, NULL) == 0);
	REQUIRE(pipe(ready) == 0 && pipe(end) == 0);
	pid = fork();
	if (pid == 0) {
		close(end[1]);
		imalog_store_close(&store);
		byte = 'a';
		if (write(ready[1], &byte, 1) == 1 &&
		    imalog_store_open(store_path, 60000, &other, NULL) == 0 &&
		    write(ready[1], &byte, 1) == 1)
			_exit((int)read(end[0], &byte, 1));
		_exit(2);
	}
	close(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	while (!has_lock_open(pid) && waitpid(pid, NULL, WNOHANG) == 0)
		sched_yield();
	CHECK_INT(unlink((path_of("lock", found), found)), 0);
	imalog_store_close(&store);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	CHECK_INT(imalog_store_open(store_path, 0, &other, NULL), -IMALOG_ERR_OS);
	imalog_store_close(&other);
	close(end[1]);
	waitpid(pid, NULL, 0);
	close(end[0]);
	close(ready[0]);
}

/* ---- rebuilding ---- */

static int rebuild(void)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;
	int rc;

	found[0] = '\0';
	rc = imalog_store_open(store_path, 0, &store, NULL);
	if (rc == 0)
		rc = imalog_epoch_open(store, imalog_store_current(store), &epoch, NULL);
	if (rc == 0)
		rc = imalog_epoch_rebuild(epoch, templates, on_finding, NULL, NULL);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
	imalog_templates_free(&templates);
	return rc;
}

TEST(receipts_are_made_again)
{
	make_store();
	CHECK_INT(rebuild(), 0);
	remove_file(R1 "00000001.json");
	spoil(R1 "00000003.json", 0);
	CHECK_INT(rebuild(), 2);
	CHECK_STR(found, "1: its receipt is made again\n3: its receipt is made again\n");
	CHECK_INT(check(NULL), 0);
	CHECK_INT(rebuild(), 0);
	/* And the export goes on from them, as the TPM proves. */
	measure_all("VV");
	CHECK_EXPORT(1);
	check_whole(1);
	check_epoch(1);
}

TEST(nothing_is_made_of_what_was_changed)
{
	make_store();
	spoil(E1 "log.00000002", -1);
	CHECK_INT(rebuild(), 0);
	CHECK_STR(found, "2: it is not what its receipt says: left as it is\n");
	CHECK_FOUND("2: its SHA-256");
	make_store();
	move_file(E1 "log.00000002", "elsewhere");
	CHECK_INT(rebuild(), 0);
	CHECK(strstr(found, "2: it is missing: nothing can be made of it"));
}

/* ---- pruning ---- */

static int prune(uint64_t keep, uint64_t *removed)
{
	struct imalog_store *store = NULL;
	int rc = imalog_store_open(store_path, 0, &store, NULL);

	if (rc == 0)
		rc = imalog_store_prune(store, keep, removed, NULL);
	imalog_store_close(&store);
	return rc;
}

static void make_epochs(int count)
{
	machine_new();
	CHECK_EXPORT(1);
	for (int i = 1; i < count; i++) {
		do_cold_boot();
		CHECK_EXPORT(1);
	}
}

TEST(old_epochs_are_removed)
{
	uint64_t removed;

	make_epochs(4);
	CHECK_INT(prune(9, &removed), 0);
	CHECK_INT(removed, 0);
	CHECK_INT(prune(3, &removed), 0);
	CHECK_INT(removed, 1);
	CHECK(!store_has("epoch-000001") && store_has("epoch-000002"));
	CHECK_INT(prune(0, &removed), 0);
	CHECK_INT(removed, 2);
	CHECK(!store_has("epoch-000003") && store_has("epoch-000004"));
	measure('a');
	CHECK_EXPORT(1);
	check_whole(4);
	check_epoch(4);
	do_cold_boot();
	CHECK_EXPORT(1);
	CHECK(store_has("epoch-000005"));
}

TEST(the_current_epoch_stays_whatever_its_number)
{
	uint64_t removed;

	make_epochs(3);
	remove_file("current");
	path_of("current", found);
	CHECK_INT(symlink("epoch-000001", found), 0);
	CHECK_INT(prune(1, &removed), 0);
	CHECK_INT(removed, 0);
	CHECK(store_has("epoch-000001"));
}

TEST(nothing_foreign_and_nothing_pending_is_removed)
{
	uint64_t removed;

	make_epochs(2);
	add_foreign("epoch-000001/mine");
	CHECK_INT(prune(1, &removed), -IMALOG_ERR_INVALID);
	CHECK(store_has("epoch-000001/mine") && store_has("epoch-000001/log.00000001"));
	remove_file("epoch-000001/mine");
	move_file("epoch-000001/log.00000001", "epoch-000001/pending.00000001");
	CHECK_INT(prune(1, &removed), -IMALOG_ERR_INVALID);
	move_file("epoch-000001/pending.00000001", "epoch-000001/log.00000001");
	/* What a crash left of an epoch is finished. */
	move_file("epoch-000001", ".removed.tmp");
	CHECK_INT(prune(1, &removed), 0);
	CHECK(!store_has(".removed.tmp"));
}

/* ---- quotes ---- */

static int read_quoted(const struct imalog_export *export, bool quote,
		       struct imalog_witness *ret, struct imalog_error *error)
{
	int rc = fake_read_tpm(export, quote, ret, error);

	if (rc < 0 || !quote)
		return rc;
	ret->quote = span_of(memcpy(malloc(5), "quote", 5), 5);
	ret->signature = span_of(memcpy(malloc(3), "sig", 3), 3);
	memcpy(ret->nonce, export->base.chain, 32);
	return 0;
}

TEST(quotes_are_beside_the_receipts)
{
	struct imalog_world world = fake_world;
	struct imalog_receipt *receipt = NULL;
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;
	uint8_t self[32], sum[32];
	struct run run;

	make_store();
	measure_all("VV");
	run = run_new();
	world.read_tpm = read_quoted;
	run.export->world = &world;
	CHECK_INT(imalog_export_run(run.export, run.error), 1);
	run_free(&run);
	CHECK(store_has(R1 "00000004.quote") && store_has(R1 "00000004.signature"));
	REQUIRE(imalog_store_open(store_path, 0, &store, NULL) == 0);
	REQUIRE(imalog_epoch_open(store, 1, &epoch, NULL) == 0);
	CHECK_INT(epoch->strangers, 0);
	REQUIRE(imalog_receipt_read(epoch->receipts, 3, &receipt, self, NULL) == 0);
	imalog_receipt_free(&receipt);
	REQUIRE(imalog_receipt_read(epoch->receipts, 4, &receipt, NULL, NULL) == 0);
	CHECK(receipt->has_quote);
	CHECK_MEM(span_of(receipt->nonce, 32), span_of(self, 32));
	CHECK_MEM(span_of(receipt->previous, 32), span_of(self, 32));
	hash_of("SHA256", span_of("quote", 5), sum);
	CHECK_MEM(span_of(receipt->quote, 32), span_of(sum, 32));
	CHECK_INT(receipt->covers, 7);
	imalog_receipt_free(&receipt);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
}

/* ---- who asks ---- */

TEST(what_the_store_tells)
{
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;
	struct imalog_receipt *receipt = NULL;
	uint64_t number;

	make_epochs(2);
	REQUIRE(imalog_store_open(store_path, 0, &store, NULL) == 0);
	CHECK_INT(imalog_store_epochs(store), 2);
	CHECK_INT(imalog_store_epoch(store, 0), 1);
	CHECK_INT(imalog_store_current(store), 2);
	CHECK_INT(imalog_epoch_open(store, 3, &epoch, NULL), -IMALOG_ERR_OS);
	REQUIRE(imalog_epoch_open(store, 2, &epoch, NULL) == 0);
	CHECK_INT(imalog_epoch_segments(epoch), 1);
	CHECK_STR(imalog_epoch_segment(epoch, 0, &number), "log");
	CHECK_INT(number, 1);
	REQUIRE(imalog_epoch_receipt(epoch, 0, &receipt, NULL) == 0);
	CHECK_INT(imalog_receipt_segment(receipt), 1);
	CHECK_INT(imalog_receipt_first_record(receipt), 1);
	CHECK_STR(imalog_receipt_state_name(imalog_receipt_state(receipt)), "committed");
	imalog_receipt_free(&receipt);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
	imalog_store_close(&store);
	imalog_store_close(NULL);
	imalog_epoch_close(NULL);
}

TEST_MAIN(CASE(a_sound_store), CASE(a_changed_segment), CASE(a_cut_segment),
	  CASE(a_missing_segment), CASE(segments_in_another_order),
	  CASE(changed_and_lost_receipts), CASE(a_receipt_that_follows_another),
	  CASE(foreign_files), CASE(a_segment_with_its_old_name_too),
	  CASE(an_export_does_not_go_on_with_a_damaged_end),
	  CASE(a_lock_that_is_taken), CASE(a_lock_that_is_removed_meanwhile),
	  CASE(receipts_are_made_again), CASE(nothing_is_made_of_what_was_changed),
	  CASE(old_epochs_are_removed),
	  CASE(the_current_epoch_stays_whatever_its_number),
	  CASE(nothing_foreign_and_nothing_pending_is_removed),
	  CASE(quotes_are_beside_the_receipts), CASE(what_the_store_tells))
