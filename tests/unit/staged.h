/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's lists as plain files below a root, where writing a request does what the kernel
 * would do.  Linked with FAULT_WRAPS and KERNEL_WRAPS.
 */
#ifndef TEST_STAGED_H
#define TEST_STAGED_H

#include "fault.h"

#define IMA	    "sys/kernel/security/ima"
#define LIST	    IMA "/binary_runtime_measurements"
#define STAGED	    LIST "_staged"
#define SHA256_SIZE 32

/* ---- the kernel ---- */

static struct {
	int stage, discard, trim; /* errno that the request gets, 0: it is done */
	int stages, discards;	  /* how often it came */
	char trims[64];		  /* all numbers that were written to the list */
	bool discarded_all_the_same;
	int busy;			 /* so many attempts to open are refused */
	int refuse;			 /* errno for each of them */
	enum imalog_receipt_state state; /* of every receipt, 0: its own */
} kernel;

TEST_FN struct bytes list_of(size_t records)
{
	struct bytes whole = bytes_of_file("rig/violations/binary_runtime_measurements"), part;
	size_t size = 0;

	/* PCR, digest, name, data; each length in four bytes */
	for (size_t i = 0; i < records; i++) {
		for (int j = 0; j < 2; j++) {
			size_t at = size + (j ? 0 : 24);

			size = at + 4 + (size_t)(whole.data[at] | whole.data[at + 1] << 8);
		}
	}
	part = bytes_copy(whole.data, size);
	bytes_free(&whole);
	return part;
}

TEST_FN bool is_file(int fd, const char *name)
{
	struct stat is, should;
	char path[1024];

	/* What in_work() gives lasts only until it is called some more times. */
	snprintf(path, sizeof(path), "%s/%s", work, name);
	return fstat(fd, &is) == 0 && stat(path, &should) == 0 &&
	       is.st_ino == should.st_ino && is.st_dev == should.st_dev;
}

TEST_FN void move_list(void)
{
	struct bytes list;

	if (!get_file(in_work(LIST), &list))
		BAIL_OUT("no list");
	put_file(in_work(STAGED), span_of_bytes(list));
	put_file(in_work(LIST), span_of("", 0));
	bytes_free(&list);
}

/* In place of write(): files below the root are never written by the code under test. */
TEST_FN bool request(int fd, const void *data, size_t size, ssize_t *ret)
{
	int os_errno;

	if (!is_file(fd, STAGED) && !is_file(fd, LIST))
		return false;
	if (is_file(fd, LIST)) {
		os_errno = kernel.trim;
		strncat(kernel.trims, data,
			size < sizeof(kernel.trims) - strlen(kernel.trims) ? size : 0);
	} else if (size == 2 && memcmp(data, "A\n", 2) == 0) {
		os_errno = kernel.stage;
		kernel.stages++;
		if (!os_errno)
			move_list();
	} else if (size == 2 && memcmp(data, "D\n", 2) == 0) {
		os_errno = kernel.discard;
		kernel.discards++;
		if ((!os_errno || kernel.discarded_all_the_same) &&
		    truncate(in_work(STAGED), 0) != 0)
			BAIL_OUT("%s", strerror(errno));
	} else {
		test_fail(__FILE__, __LINE__, "a request of %zu bytes", size);
		os_errno = EINVAL;
	}
	errno = os_errno;
	*ret = os_errno ? -1 : (ssize_t)size;
	return true;
}

int __real_imalog_root_open(const char *root, const char *path, int flags);
int __wrap_imalog_root_open(const char *root, const char *path, int flags);
int __wrap_imalog_root_open(const char *root, const char *path, int flags)
{
	if (strstr(path, "runtime_measurements") && kernel.busy) {
		kernel.busy -= kernel.busy > 0;
		errno = kernel.refuse;
		return -1;
	}
	return __real_imalog_root_open(root, path, flags);
}

enum imalog_receipt_state __real_imalog_receipt_state(const struct imalog_receipt *receipt);
enum imalog_receipt_state __wrap_imalog_receipt_state(const struct imalog_receipt *receipt);
enum imalog_receipt_state __wrap_imalog_receipt_state(const struct imalog_receipt *receipt)
{
	return kernel.state ? kernel.state : __real_imalog_receipt_state(receipt);
}

/* ---- a root ---- */

TEST_FN void make_dirs(const char *path)
{
	char part[256];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = part; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(in_work(part), 0700);
	}
	mkdir(in_work(part), 0700);
}

/* How many the kernel has counted; that many records are enough for some to be. */
TEST_FN void set_violations(size_t count)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu\n", count);
	put_file(in_work(IMA "/violations"), span_of(text, strlen(text)));
}

/* With @records records in the list, nothing staged */
TEST_FN void make_root(size_t records)
{
	struct bytes list = list_of(records);

	memset(&kernel, 0, sizeof(kernel));
	fault.write = request;
	work_make();
	make_dirs(IMA);
	put_file(in_work(LIST), span_of_bytes(list));
	put_file(in_work(STAGED), span_of("", 0));
	make_dirs("proc/sys/kernel/random");
	put_file(in_work("proc/sys/kernel/random/boot_id"), span_of("boot-1\n", 7));
	put_file(in_work(IMA "/runtime_measurements_count"), span_of("0\n", 2));
	set_violations(records);
	bytes_free(&list);
}

/* With a configuration: else nothing tells whether records can come again. */
TEST_FN void make_configured_root(size_t records)
{
	make_root(records);
	make_dirs("boot");
	make_dirs("proc/sys/kernel");
	put_file(in_work("proc/sys/kernel/osrelease"), span_of("7.2\n", 4));
	put_file(in_work("boot/config-7.2"), span_of("CONFIG_IMA=y\n", 13));
}

TEST_FN void remove_root(void)
{
	fault.write = NULL;
	work_remove();
}

struct setup {
	struct imalog_error *error;
	struct imalog_staging *staging;
	int rc;
};

TEST_FN struct setup open_staging(unsigned int wait_ms)
{
	struct setup s = { .error = imalog_error_new() };

	s.rc = imalog_staging_open(work, wait_ms, &s.staging, s.error);
	return s;
}

/* With the list, of @records records; nothing is staged. */
TEST_FN struct setup open_list(size_t records)
{
	struct setup s = { .error = imalog_error_new() };

	make_configured_root(records);
	s.rc = imalog_staging_open_files(work, true, true, 0, &s.staging, s.error);
	if (s.rc < 0)
		BAIL_OUT("%s", imalog_error_detail(s.error));
	return s;
}

TEST_FN void close_staging(struct setup *s)
{
	imalog_staging_close(&s->staging);
	imalog_error_free(&s->error);
}

/* A root with that many records staged, and the hold */
TEST_FN struct setup stage(size_t records)
{
	struct setup s;

	make_configured_root(records);
	s = open_staging(0);
	if (s.rc < 0)
		BAIL_OUT("%s", imalog_error_detail(s.error));
	CHECK_INT(imalog_staging_stage(s.staging, s.error), 1);
	return s;
}

TEST_FN void finish(struct setup *s)
{
	close_staging(s);
	remove_root();
}

#endif /* TEST_STAGED_H */
