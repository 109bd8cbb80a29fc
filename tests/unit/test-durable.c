// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/durable.c and lib/durable-fs.c: files that are there complete or not at all, whichever
 * call fails, and file systems that keep nothing.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "fault.h"

#define OLD "what was there before"
#define NEW "what is to be there, in several pieces"

static struct imalog_span span_of_text(const char *text)
{
	return span_of(text, strlen(text));
}

/* ---- writing ---- */

/* Without a name of its own until it is whole */
static bool unnamed;

/* Writes NEW to `file` in pieces; what was not committed is taken back. */
static int write_new(bool replace, struct imalog_error *error)
{
	int dir = __real_open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct imalog_durable file = { .fd = -1 };
	int rc = unnamed ? imalog_durable_begin_unnamed(&file, dir, "file", error) :
			   imalog_durable_begin(&file, dir, "file", error);

	if (unnamed)
		CHECK_INT(count_names(".imalog."), file.named);

	for (size_t at = 0; rc == 0 && at < strlen(NEW); at += 10) {
		struct imalog_span rest = span_of_text(&NEW[at]);

		rest.size = rest.size < 10 ? rest.size : 10;
		rc = imalog_durable_write(&file, rest, error);
	}
	if (rc == 0)
		rc = imalog_durable_commit(&file, replace, error);
	imalog_durable_discard(&file);
	__real_close(dir);
	return rc;
}

static void check_file(bool replace, bool existed, int rc)
{
	bool is_new = has_bytes(in_work("file"), span_of_text(NEW));
	bool is_old = has_bytes(in_work("file"), span_of_text(OLD));

	if (rc == 0)
		CHECK(is_new);
	if (existed && !replace)
		CHECK(is_old);
	else if (existed)
		CHECK(is_old || is_new);
	else
		CHECK(is_new || access(in_work("file"), F_OK) != 0);
	if (fault.call != FAULT_UNLINK)
		CHECK_INT(count_names(".imalog."), 0);
}

/* Whatever fails, for every n; @call never comes more often than it did in the last run. */
static void sweep(enum fault_call call, int os_errno, bool replace, bool existed)
{
	bool hit = true;

	for (int n = 1; hit && n < 100; n++) {
		struct imalog_error *error = imalog_error_new();
		int rc;

		work_make();
		if (existed)
			put_file(in_work("file"), span_of_text(OLD));
		fault_arm(call, n, os_errno);
		fault.write_max = 4;
		rc = write_new(replace, error);
		hit = fault.counts[call] >= n;
		check_file(replace, existed, rc);
		if (hit && call != FAULT_UNLINK && call != FAULT_LINK &&
		    (!existed || replace)) {
			CHECK_INT(rc, -IMALOG_ERR_OS);
			CHECK_INT(imalog_error_os_errno(error), os_errno);
		}
		fault_disarm();
		work_remove();
		imalog_error_free(&error);
	}
	CHECK(!hit);
}

TEST(every_call_fails)
{
	for (int call = 0; call < FAULT_CALLS; call++) {
		if (call == FAULT_READ || call == FAULT_XATTR)
			continue;
		sweep((enum fault_call)call, ENOSPC, false, false);
		sweep((enum fault_call)call, EIO, false, true);
		sweep((enum fault_call)call, EIO, true, false);
		sweep((enum fault_call)call, EROFS, true, true);
	}
}

TEST(every_call_fails_where_only_links_do_not_replace)
{
	fault.no_rename2 = true;
	for (int call = 0; call < FAULT_CALLS; call++) {
		sweep((enum fault_call)call, EIO, false, false);
		sweep((enum fault_call)call, EIO, false, true);
	}
	fault.no_rename2 = false;
}

TEST(every_call_fails_without_a_name)
{
	unnamed = true;
	for (int call = 0; call < FAULT_CALLS; call++) {
		/* A file that cannot be opened without a name gets one. */
		if (call == FAULT_READ || call == FAULT_XATTR ||
		    call == FAULT_OPENAT)
			continue;
		sweep((enum fault_call)call, ENOSPC, false, false);
		sweep((enum fault_call)call, EIO, false, true);
	}
	unnamed = false;
}

TEST(it_is_written_and_synced_in_this_order)
{
	struct imalog_error *error = imalog_error_new();
	struct stat st;

	work_make();
	fault_arm(FAULT_FSYNC, 0, 0);
	CHECK_INT(write_new(false, error), 0);
	CHECK_INT(fault.counts[FAULT_FSYNC], 2); /* the file, the directory */
	CHECK_INT(fault.counts[FAULT_RENAME], 1);
	CHECK_INT(stat(in_work("file"), &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);
	/* A name that is taken stays with what has it. */
	CHECK_INT(write_new(false, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), EEXIST);
	fault_disarm();
	imalog_error_free(&error);
	work_remove();
}

TEST(interrupted_calls_are_made_again)
{
	struct imalog_error *error = imalog_error_new();

	for (int n = 1; n <= 2; n++) {
		work_make();
		fault_arm(FAULT_WRITE, n, EINTR);
		CHECK_INT(write_new(false, error), 0);
		fault_arm(FAULT_FSYNC, n, EINTR);
		CHECK_INT(write_new(true, error), 0);
		CHECK(fault_disarm());
		CHECK(has_bytes(in_work("file"), span_of_text(NEW)));
		work_remove();
	}
	imalog_error_free(&error);
}

TEST(a_name_that_is_too_long)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_durable file;
	char name[300];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CHECK_INT(imalog_durable_begin(&file, AT_FDCWD, name, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), ENAMETOOLONG);
	imalog_durable_discard(&file);
	imalog_error_free(&error);
}

TEST(directories_above_are_synced_as_well)
{
	struct imalog_error *error = imalog_error_new();
	int dir;

	work_make();
	mkdir(in_work("a"), 0700);
	mkdir(in_work("a/b"), 0700);
	dir = open(in_work("a/b"), O_RDONLY | O_DIRECTORY);
	fault_arm(FAULT_FSYNC, 0, 0);
	CHECK_INT(imalog_durable_sync_dirs(dir, error), 0);
	CHECK(fault.counts[FAULT_FSYNC] >= 3);
	for (int n = 1; n <= 3; n++) {
		fault_arm(FAULT_FSYNC, n, EIO);
		CHECK_INT(imalog_durable_sync_dirs(dir, error), -IMALOG_ERR_OS);
	}
	fault_disarm();
	close(dir);
	imalog_error_free(&error);
	work_remove();
}

/* ---- file systems ---- */

static void check_refused(const char *path, const char *why)
{
	struct imalog_error *error = imalog_error_new();
	int rc = imalog_durable_check(path, error);

	test_note("%s", path);
	if (CHECK_INT(rc, -IMALOG_ERR_INVALID) && !strstr(imalog_error_detail(error), why))
		test_fail(__FILE__, __LINE__, "'%s', without '%s'", imalog_error_detail(error),
			  why);
	if (rc < 0)
		CHECK_STR(imalog_error_source(error), path);
	imalog_error_free(&error);
}

TEST(the_kernels_own_file_systems_keep_nothing)
{
	struct imalog_error *error = imalog_error_new();

	check_refused("/proc/version", "proc");
	check_refused("/proc/self/there-is-no-such-file", "proc");
	if (access("/sys/kernel", F_OK) == 0)
		check_refused("/sys/kernel", "sysfs");
	CHECK_INT(imalog_durable_check("/proc/none/file", error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), ENOENT);
	imalog_error_free(&error);
}

/* Mounts in a namespace of its own, if that can be. */
static bool may_mount(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool is_durable_here(void)
{
	bool durable;

	work_make();
	durable = imalog_durable_check(in_work("file"), NULL) == 0;
	work_remove();
	return durable;
}

/* An overlay in @work/merged; its upper layer in @work/NAME */
static bool mount_overlay(const char *name, const char *more)
{
	char options[4096], upper[64], inner[64];

	snprintf(upper, sizeof(upper), "%s/upper", name);
	snprintf(inner, sizeof(inner), "%s/inner", name);
	mkdir(in_work(upper), 0700);
	mkdir(in_work(inner), 0700);
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s%s",
		 in_work("lower"), in_work(upper), in_work(inner), more);
	return mount("overlay", in_work("merged"), "overlay", 0, options) == 0;
}

static void check_overlays(void)
{
	mkdir(in_work("lower"), 0700);
	mkdir(in_work("merged"), 0700);
	mkdir(in_work("disk space"), 0700);
	if (!mount_overlay("memory", ""))
		SKIP("overlays cannot be mounted");
	check_refused(in_work("merged/file"), "the upper layer of the overlay is on tmpfs");
	umount2(in_work("merged"), MNT_DETACH);
	if (mount_overlay("disk space", "")) {
		CHECK_INT(imalog_durable_check(in_work("merged/file"), NULL), 0);
		/* Out of sight */
		mount("tmpfs", in_work("disk space"), "tmpfs", 0, NULL);
		check_refused(in_work("merged/file"), "cannot be seen");
		umount2(in_work("disk space"), MNT_DETACH);
		umount2(in_work("merged"), MNT_DETACH);
	}
	if (mount_overlay("disk space", ",volatile")) {
		check_refused(in_work("merged/file"), "volatile");
		umount2(in_work("merged"), MNT_DETACH);
	}
}

TEST(file_systems_in_memory_keep_nothing)
{
	char *absolute;

	if (!is_durable_here())
		SKIP("this directory itself is on a file system that keeps nothing");
	if (!may_mount())
		SKIP("that takes the right to mount");
	work_make();
	absolute = realpath(work, NULL);
	REQUIRE(absolute && strlen(absolute) < sizeof(work));
	strcpy(work, absolute);
	free(absolute);
	CHECK_INT(imalog_durable_check(in_work("file"), NULL), 0);
	mkdir(in_work("memory"), 0700);
	if (CHECK_INT(mount("tmpfs", in_work("memory"), "tmpfs", 0, NULL), 0)) {
		check_refused(in_work("memory/file"), "tmpfs");
		check_overlays();
		umount2(in_work("memory"), MNT_DETACH);
	}
	if (mount("ramfs", in_work("memory"), "ramfs", 0, NULL) == 0) {
		check_refused(in_work("memory"), "ramfs");
		umount2(in_work("memory"), MNT_DETACH);
	}
	work_remove();
}

TEST_MAIN(CASE(every_call_fails), CASE(every_call_fails_without_a_name),
	  CASE(every_call_fails_where_only_links_do_not_replace),
	  CASE(it_is_written_and_synced_in_this_order), CASE(interrupted_calls_are_made_again),
	  CASE(a_name_that_is_too_long), CASE(directories_above_are_synced_as_well),
	  CASE(the_kernels_own_file_systems_keep_nothing),
	  CASE(file_systems_in_memory_keep_nothing), )
