// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/staged-file.c: saving and confirming files outside a store.  Whatever call fails, the
 * records are in the kernel or whole in the file, and what was there stays.
 */
#include <sys/xattr.h>

#include "staged.h"

#define RECORDS 12
#define MARK	"user.imalog.saved"

/* Deleting takes a file system that keeps files; is this directory on one, with marks? */
static bool is_durable_here(void)
{
	bool durable;

	work_make();
	put_file(in_work("file"), span_of("x", 1));
	durable = imalog_durable_check(in_work("file"), NULL) == 0 &&
		  setxattr(in_work("file"), MARK, "1", 1, 0) == 0;
	work_remove();
	return durable;
}

#define NEED_DURABLE()                                                                   \
	do {                                                                             \
		if (!is_durable_here())                                                  \
			SKIP("this directory is on no file system that keeps files and " \
			     "their attributes");                                        \
	} while (0)

static int save(struct setup *s)
{
	return imalog_staging_save(s->staging, in_work("file"), s->error);
}

static int confirm(struct setup *s)
{
	return imalog_staging_confirm(s->staging, in_work("file"), s->error);
}

/* Records whose template digest is zero */
static size_t count_violations(struct imalog_span list)
{
	static const uint8_t zero[20];
	size_t count = 0, at = 0;

	while (at < list.size) {
		count += memcmp(list.data + at + 4, zero, 20) == 0;
		for (int i = 0; i < 2; i++) {
			size_t field = at + (i ? 0 : 24);

			at = field + 4 +
			     (size_t)(list.data[field] | list.data[field + 1] << 8);
		}
	}
	return count;
}

static bool file_is(size_t records)
{
	struct bytes list = list_of(records);
	bool is = has_bytes(in_work("file"), span_of_bytes(list));

	bytes_free(&list);
	return is;
}

static bool staged_is(size_t records)
{
	struct bytes list = list_of(records);
	bool is = has_bytes(in_work(STAGED), span_of_bytes(list));

	bytes_free(&list);
	return is;
}

static void refused(struct setup *s, int rc, int os_errno, const char *why)
{
	CHECK_INT(rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s->error), os_errno);
	if (!strstr(imalog_error_detail(s->error), why))
		test_fail(__FILE__, __LINE__, "'%s', without '%s'",
			  imalog_error_detail(s->error), why);
	CHECK_STR(imalog_error_source(s->error), in_work("file"));
}

/* ---- saving ---- */

TEST(what_is_staged_is_saved)
{
	struct setup s = stage(RECORDS);
	struct stat st;

	CHECK_INT(save(&s), 1);
	CHECK(file_is(RECORDS) && staged_is(RECORDS));
	CHECK_INT(imalog_staging_records(s.staging), RECORDS);
	CHECK_INT(stat(in_work("file"), &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	CHECK_INT(imalog_staging_bytes(s.staging), st.st_size);
	/* Again is no change; a durable one, though, whoever wrote it. */
	fault_arm(FAULT_FSYNC, 0, 0);
	CHECK_INT(save(&s), 2);
	CHECK(fault.counts[FAULT_FSYNC] >= 2 && fault.counts[FAULT_WRITE] == 0);
	fault_disarm();
	CHECK_INT(count_names(".imalog."), 0);
	finish(&s);
}

TEST(nothing_staged_saves_nothing)
{
	struct setup s;

	make_root(RECORDS);
	s = open_staging(0);
	CHECK_INT(save(&s), 0);
	CHECK(access(in_work("file"), F_OK) != 0);
	CHECK_INT(confirm(&s), -IMALOG_ERR_OS);
	put_file(in_work("file"), span_of("", 0));
	CHECK_INT(save(&s), 0);
	CHECK_INT(kernel.stages + kernel.discards, 0);
	finish(&s);
}

/* Put in the way of `file` */
static void put_other(int which)
{
	struct bytes list = list_of(RECORDS);

	if (which == 0) {
		list.size--;
	} else if (which == 1) {
		list.data = realloc(list.data, ++list.size);
		list.data[list.size - 1] = 'x';
	} else {
		list.data[list.size - 2] ^= 1;
	}
	put_file(in_work("file"), span_of_bytes(list));
	bytes_free(&list);
}

TEST(a_file_that_holds_something_else_is_left_alone)
{
	static const char *const why[] = { "it ends before", "it goes on",
					   "it is not what is staged" };

	for (int which = 0; which < 3; which++) {
		struct setup s = stage(RECORDS);
		struct bytes before;

		put_other(which);
		REQUIRE(get_file(in_work("file"), &before));
		refused(&s, save(&s), EEXIST, why[which]);
		CHECK(has_bytes(in_work("file"), span_of_bytes(before)));
		if (imalog_durable_check(work, NULL) == 0)
			refused(&s, confirm(&s), EEXIST, why[which]);
		CHECK_INT(kernel.discards, 0);
		bytes_free(&before);
		finish(&s);
	}
}

TEST(a_file_that_is_no_file_is_refused)
{
	struct setup s = stage(RECORDS);

	CHECK_INT(symlink("elsewhere", in_work("file")), 0);
	refused(&s, save(&s), ELOOP, "symbolic link");
	refused(&s, confirm(&s), ELOOP, "symbolic link");
	CHECK(access(in_work("elsewhere"), F_OK) != 0);
	unlink(in_work("file"));
	mkfifo(in_work("file"), 0600);
	refused(&s, save(&s), EEXIST, "not a regular file");
	refused(&s, confirm(&s), EEXIST, "not a regular file");
	unlink(in_work("file"));
	mkdir(in_work("file"), 0700);
	refused(&s, save(&s), EEXIST, "not a regular file");
	CHECK_INT(imalog_staging_save(s.staging, in_work("file/"), s.error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), EISDIR);
	CHECK_INT(imalog_staging_save(s.staging, "", s.error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_staging_save(s.staging, in_work("none/file"), s.error),
		  -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), ENOENT);
	CHECK_INT(kernel.discards, 0);
	finish(&s);
}

TEST(bytes_that_are_no_records_are_neither_saved_nor_deleted)
{
	struct setup s = stage(RECORDS);
	struct bytes list = list_of(RECORDS);

	list.size--;
	put_file(in_work(STAGED), span_of_bytes(list));
	CHECK_INT(save(&s), -IMALOG_ERR_TRUNCATED);
	CHECK_INT(imalog_error_record(s.error), RECORDS);
	CHECK(access(in_work("file"), F_OK) != 0);
	CHECK_INT(count_names(".imalog."), 0);
	put_file(in_work("file"), span_of_bytes(list));
	if (imalog_durable_check(work, NULL) == 0)
		CHECK_INT(confirm(&s), -IMALOG_ERR_TRUNCATED);
	CHECK_INT(kernel.discards, 0);
	bytes_free(&list);
	finish(&s);
}

TEST(without_a_sync_nothing_is_saved)
{
	struct setup s = stage(RECORDS);

	CHECK_INT(save(&s), 1);
	for (int n = 1; n <= 2; n++) {
		fault_arm(FAULT_FSYNC, n, EIO);
		CHECK_INT(save(&s), -IMALOG_ERR_OS);
		CHECK_INT(imalog_error_os_errno(s.error), EIO);
		fault_disarm();
	}
	finish(&s);
}

/* ---- confirming ---- */

TEST(a_file_is_synced_before_it_is_compared)
{
	struct setup s;

	NEED_DURABLE();
	s = stage(RECORDS);
	CHECK_INT(save(&s), 1);
	for (int n = 1; n <= 2; n++) {
		fault_arm(FAULT_FSYNC, n, EIO);
		CHECK_INT(confirm(&s), -IMALOG_ERR_OS);
		CHECK_INT(fault.counts[FAULT_READ], 0);
	}
	fault_disarm();
	CHECK_INT(kernel.discards, 0);
	finish(&s);
}

TEST(what_is_saved_is_deleted)
{
	struct setup s;

	NEED_DURABLE();
	s = stage(RECORDS);
	CHECK_INT(save(&s), 1);
	fault_arm(FAULT_FSYNC, 0, 0);
	CHECK_INT(confirm(&s), 1);
	CHECK(fault.counts[FAULT_FSYNC] >= 2); /* the file, its directory */
	fault_disarm();
	CHECK_INT(kernel.discards, 1);
	CHECK(file_is(RECORDS) && staged_is(0));
	CHECK_INT(confirm(&s), 0);
	CHECK_INT(save(&s), 0);
	CHECK_INT(kernel.discards, 1);
	finish(&s);
}

/* A list that has violations, staged, and then deleted and staged once more */
#define VIOLATING 50

static size_t stage_again(struct setup *s)
{
	struct bytes list = list_of(VIOLATING);
	size_t violations = count_violations(span_of_bytes(list));

	CHECK(violations > 0);
	put_file(in_work(LIST), span_of_bytes(list));
	put_file(in_work(STAGED), span_of("", 0));
	set_violations(VIOLATING + violations);
	CHECK_INT(imalog_staging_stage(s->staging, s->error), 1);
	bytes_free(&list);
	return violations;
}

TEST(the_same_bytes_again_are_other_records)
{
	struct setup s;

	NEED_DURABLE();
	for (int confirmed = 0; confirmed < 2; confirmed++) {
		s = stage(VIOLATING);
		CHECK_INT(save(&s), 1);
		if (confirmed)
			CHECK_INT(confirm(&s), 1);
		stage_again(&s);
		refused(&s, save(&s), EEXIST, "nothing proves");
		refused(&s, confirm(&s), EEXIST, "nothing proves");
		CHECK_INT(kernel.discards, confirmed);
		unlink(in_work("file"));
		CHECK_INT(save(&s), 1);
		CHECK_INT(confirm(&s), 1);
		finish(&s);
	}
}

/* Two copies of one list: what the one was confirmed for, the other is no proof of. */
TEST(another_copy_of_what_was_confirmed)
{
	struct setup s;

	NEED_DURABLE();
	s = stage(VIOLATING);
	CHECK_INT(save(&s), 1);
	rename(in_work("file"), in_work("backup"));
	CHECK_INT(save(&s), 1);
	CHECK_INT(confirm(&s), 1);
	rename(in_work("backup"), in_work("file"));
	stage_again(&s);
	refused(&s, confirm(&s), EEXIST, "nothing proves");
	CHECK_INT(kernel.discards, 1);
	finish(&s);
}

TEST(a_mark_that_proves_nothing)
{
	static const char *const marks[] = { NULL, "", "boot-1", "boot-1 x", "boot-1 ",
					     "boot-2 12", "boot-1 11", "boot-1 13",
					     "boot-1 12 " };

	NEED_DURABLE();
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(marks); i++) {
		struct setup s = stage(RECORDS);

		CHECK_INT(save(&s), 1);
		if (marks[i])
			setxattr(in_work("file"), MARK, marks[i], strlen(marks[i]), 0);
		else
			removexattr(in_work("file"), MARK);
		refused(&s, confirm(&s), EEXIST, "nothing proves");
		refused(&s, save(&s), EEXIST, "nothing proves");
		setxattr(in_work("file"), MARK, "boot-1 12", 9, 0);
		CHECK_INT(confirm(&s), 1);
		finish(&s);
	}
}

/* What is in the list is no part of what is staged; nor is what came before it. */
TEST(violations_that_come_later)
{
	struct bytes list = list_of(VIOLATING);
	struct setup s;

	NEED_DURABLE();
	s = stage(VIOLATING);
	CHECK_INT(save(&s), 1);
	put_file(in_work(LIST), span_of_bytes(list));
	set_violations(VIOLATING + count_violations(span_of_bytes(list)));
	CHECK_INT(save(&s), 2);
	CHECK_INT(confirm(&s), 1);
	bytes_free(&list);
	finish(&s);
}

/* Violations that are counted while it is saved: rather too few than too many */
TEST(violations_that_come_meanwhile)
{
	struct setup s;

	NEED_DURABLE();
	s = stage(RECORDS);
	CHECK_INT(unlink(in_work(IMA "/violations")), 0);
	CHECK_INT(save(&s), 1);
	set_violations(RECORDS);
	refused(&s, confirm(&s), EEXIST, "nothing proves");
	finish(&s);
}

TEST(without_violations_the_kernel_must_remember)
{
	NEED_DURABLE();
	for (int forgets = 0; forgets < 4; forgets++) {
		struct setup s = stage(RECORDS);

		put_file(in_work("proc/cmdline"),
			 span_of("x ima_flush_htable\n", forgets == 1 ? 19 : 1));
		if (forgets == 2)
			put_file(in_work("boot/config-7.2"),
				 span_of("CONFIG_IMA=y\nCONFIG_IMA_DISABLE_HTABLE=y\n", 41));
		if (forgets == 3)
			CHECK_INT(unlink(in_work("boot/config-7.2")), 0);
		CHECK_INT(save(&s), 1);
		if (forgets)
			refused(&s, confirm(&s), EEXIST, "nothing proves");
		else
			CHECK_INT(confirm(&s), 1);
		finish(&s);
	}
}

TEST(a_file_that_cannot_be_marked_is_not_enough)
{
	struct setup s;

	NEED_DURABLE();
	s = stage(RECORDS);
	fault_arm(FAULT_XATTR, 1, ENOTSUP);
	CHECK_INT(save(&s), 1);
	fault_disarm();
	refused(&s, confirm(&s), EEXIST, "nothing proves");
	CHECK_INT(kernel.discards, 0);
	finish(&s);
}

TEST(a_file_without_a_durable_place_is_not_enough)
{
	struct setup s = stage(RECORDS);

	CHECK_INT(imalog_staging_confirm(s.staging, "/proc/version", s.error),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(kernel.discards, 0);
	finish(&s);
}

TEST(refused_by_the_kernel_all_is_still_there)
{
	static const int refusals[] = { ESTALE, EIO };

	NEED_DURABLE();
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(refusals); i++) {
		struct setup s = stage(RECORDS);

		CHECK_INT(save(&s), 1);
		kernel.discard = refusals[i];
		CHECK_INT(confirm(&s), -IMALOG_ERR_OS);
		CHECK_INT(imalog_error_os_errno(s.error), refusals[i]);
		CHECK(file_is(RECORDS) && staged_is(RECORDS));
		/* And can be deleted, when the kernel does so. */
		kernel.discard = 0;
		CHECK_INT(confirm(&s), 1);
		finish(&s);
	}
}

/* ---- failures ---- */

/* The file is whole or not there; what the kernel has not got, the file has. */
static void check_nothing_lost(bool existed)
{
	bool whole = file_is(RECORDS), staged = staged_is(RECORDS);

	CHECK(whole || (!existed && access(in_work("file"), F_OK) != 0));
	CHECK(staged || (whole && kernel.discards == 1));
	CHECK(staged || staged_is(0));
	if (fault.call != FAULT_UNLINK)
		CHECK_INT(count_names(".imalog."), 0);
}

/* Saves and confirms; @call fails the n-th time, for every n, then all is tried again. */
static void sweep(enum fault_call call, bool existed)
{
	bool hit = true;
	int n;

	for (n = 1; hit && n < 200; n++) {
		struct setup s = stage(RECORDS);
		int saved, confirmed = 0;

		if (existed)
			CHECK_INT(save(&s), 1);
		fault_arm(call, n, EIO);
		fault.write_max = 700;
		saved = save(&s);
		if (saved > 0)
			confirmed = confirm(&s);
		hit = fault.counts[call] >= n;
		check_nothing_lost(existed);
		CHECK_INT(kernel.discards, confirmed > 0);
		fault_disarm();
		test_note("%s %d failed", fault_names[call], n);
		/* What is staged still can be saved elsewhere, and deleted. */
		if (kernel.discards == 0) {
			char other[1024];

			/* Whose path is needed for longer than a few calls */
			snprintf(other, sizeof(other), "%s", in_work("other"));
			CHECK_INT(imalog_staging_save(s.staging, other, s.error), 1);
			CHECK_INT(imalog_staging_confirm(s.staging, other, s.error), 1);
		}
		test_note(" ");
		finish(&s);
	}
	CHECK(n > 1 && !hit);
}

TEST(every_call_fails)
{
	NEED_DURABLE();
	for (int call = 0; call < FAULT_CALLS; call++) {
		sweep((enum fault_call)call, false);
		sweep((enum fault_call)call, true);
	}
}

TEST_MAIN(CASE(what_is_staged_is_saved), CASE(nothing_staged_saves_nothing),
	  CASE(a_file_that_holds_something_else_is_left_alone),
	  CASE(a_file_that_is_no_file_is_refused),
	  CASE(bytes_that_are_no_records_are_neither_saved_nor_deleted),
	  CASE(without_a_sync_nothing_is_saved),
	  CASE(a_file_is_synced_before_it_is_compared), CASE(what_is_saved_is_deleted),
	  CASE(the_same_bytes_again_are_other_records),
	  CASE(another_copy_of_what_was_confirmed), CASE(a_mark_that_proves_nothing),
	  CASE(violations_that_come_later), CASE(violations_that_come_meanwhile),
	  CASE(without_violations_the_kernel_must_remember),
	  CASE(a_file_that_cannot_be_marked_is_not_enough),
	  CASE(a_file_without_a_durable_place_is_not_enough),
	  CASE(refused_by_the_kernel_all_is_still_there), CASE(every_call_fails), )
