// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/kexec*.c: what is made of the files of a kernel, whatever is in them; lists that are cut
 * and a boundary that is damaged.
 */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexec.h"
#include "log.h"

/* ---- a machine ---- */

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *path, struct imalog_span bytes)
{
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/'));
	     *slash++ = '/') {
		*slash = '\0';
		mkdir(whole, 0700);
	}
	file = fopen(whole, "w");
	if (!file || fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file))
		BAIL_OUT("cannot write '%s': %s", whole, strerror(errno));
}

static void write_text(const char *path, const char *text)
{
	write_file(path, imalog_span_of(text));
}

#define LIST "sys/kernel/security/ima/binary_runtime_measurements"

static void make_root(const char *release)
{
	const char *base = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/imalog-kexec.XXXXXX",
		 base && strlen(base) < 32 ? base : P_tmpdir);
	if (!mkdtemp(root))
		BAIL_OUT("cannot make '%s': %s", root, strerror(errno));
	write_text(LIST, "");
	write_text("proc/sys/kernel/osrelease", release);
	write_text("sys/kernel/kexec_loaded", "1\n");
}

/* openat2() is of Linux 5.6; valgrind and some sandboxes do not have it. */
#define SKIP_WITHOUT_OPENAT2()                                        \
	do {                                                          \
		int fd_ = imalog_root_open(root, LIST, O_RDONLY);     \
		if (fd_ < 0 && (errno == ENOSYS || errno == EPERM)) { \
			remove_root();                                \
			SKIP("no openat2() here");                    \
		}                                                     \
		close(fd_);                                           \
	} while (0)

/* ---- the kernel ---- */

static struct imalog_kexec_kernel look_at_kernel(void)
{
	struct imalog_kexec_kernel kernel;

	memset(&kernel, 0xee, sizeof(kernel));
	if (imalog_kexec_look_at_kernel(root, &kernel, NULL) != 0)
		BAIL_OUT("the kernel cannot be looked at");
	return kernel;
}

TEST(releases_and_when_they_copy)
{
	static const struct {
		const char *release;
		enum imalog_kexec_copy copy;
	} cases[] = {
		{ "6.15.11-1-generic", IMALOG_KEXEC_COPY_UNKNOWN },
		{ "6.16", IMALOG_KEXEC_COPY_AT_EXECUTE },
		{ "6.9.0", IMALOG_KEXEC_COPY_UNKNOWN },
		{ "7.0.0-rc1", IMALOG_KEXEC_COPY_AT_EXECUTE },
		{ "10.1", IMALOG_KEXEC_COPY_AT_EXECUTE },
		{ "5.19", IMALOG_KEXEC_COPY_UNKNOWN },
		{ "", IMALOG_KEXEC_COPY_UNKNOWN },
		{ "next", IMALOG_KEXEC_COPY_UNKNOWN },
		{ "7", IMALOG_KEXEC_COPY_AT_EXECUTE },
		{ "6", IMALOG_KEXEC_COPY_UNKNOWN },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		test_note("'%s'", cases[i].release);
		make_root(cases[i].release);
		SKIP_WITHOUT_OPENAT2();
		CHECK_INT(look_at_kernel().copy, cases[i].copy);
		CHECK_INT(look_at_kernel().carries, IMALOG_UNKNOWN);
		remove_root();
	}
}

TEST(symbols_say_what_was_built)
{
	make_root("6.12.0");
	SKIP_WITHOUT_OPENAT2();
	write_text("proc/kallsyms", "0000000000000000 T ima_add_kexec_buffer\n");
	CHECK_INT(look_at_kernel().copy, IMALOG_KEXEC_COPY_AT_LOAD);
	CHECK_INT(look_at_kernel().carries, IMALOG_YES);
	write_text("proc/kallsyms", "0000000000000000 T ima_add_kexec_buffer\n"
				    "0000000000000000 T ima_kexec_post_load\n");
	CHECK_INT(look_at_kernel().copy, IMALOG_KEXEC_COPY_AT_EXECUTE);
	/* Others that look alike */
	write_text("proc/kallsyms", "0000000000000000 T my_ima_add_kexec_buffer\n"
				    "0000000000000000 T ima_kexec_post_load.cold\nrubbish");
	CHECK_INT(look_at_kernel().copy, IMALOG_KEXEC_COPY_UNKNOWN);
	CHECK_INT(look_at_kernel().carries, IMALOG_UNKNOWN);
	remove_root();
}

TEST(buffers_say_how_much_room_there_is)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	static const char *const callers[] = { "ima_add_kexec_buffer", "kimage_map_segment",
					       "ima_alloc_kexec_file_buf" };
	char text[256];

	make_root("6.12.0");
	SKIP_WITHOUT_OPENAT2();
	write_text("proc/kallsyms", "0 T ima_add_kexec_buffer\n0 T ima_kexec_post_load\n");
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(callers); i++) {
		snprintf(text, sizeof(text), "0xf0-0xf9 %llu %s+0x1/0x2 pages=4 vmalloc\n",
			 (unsigned long long)(5 * page), callers[i]);
		write_text("proc/vmallocinfo", text);
		CHECK_INT(look_at_kernel().segment, 4 * page);
		CHECK(!look_at_kernel().has_no_segment);
	}
	/* No sizes of a buffer, and no callers of that name */
	static const char *const odd[] = {
		"0xf0-0xf9 4097 ima_add_kexec_buffer+0x1/0x2 vmalloc\n",
		"0xf0-0xf9 0 ima_add_kexec_buffer+0x1/0x2 vmalloc\n",
		"0xf0-0xf9 -8192 ima_add_kexec_buffer+0x1/0x2 vmalloc\n",
		"0xf0-0xf9 x ima_add_kexec_buffer+0x1/0x2 vmalloc\n",
		"0xf0-0xf9 8388608 my_ima_add_kexec_buffer+0x1/0x2 vmalloc\n",
		"0xf0-0xf9 8388608 ima_add_kexec_buffers+0x1/0x2 vmalloc\n",
		"ima_add_kexec_buffer+0x1/0x2",
	};
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(odd); i++) {
		test_note("%s", odd[i]);
		write_text("proc/vmallocinfo", odd[i]);
		CHECK_INT(look_at_kernel().segment, 0);
		CHECK(look_at_kernel().has_no_segment);
	}
	test_note("%s", "");
	/* Without names, or without a kernel, it says nothing. */
	write_text("proc/vmallocinfo", "0xf0-0xf9 20480 0xffffffff81a3c0d0 vmalloc\n");
	CHECK(!look_at_kernel().has_no_segment);
	write_text("proc/vmallocinfo", text);
	write_text("sys/kernel/kexec_loaded", "0\n");
	CHECK_INT(look_at_kernel().segment, 0);
	remove_root();
}

TEST(the_configuration_says_what_is_added)
{
	static const struct {
		const char *config;
		uint64_t extra, least; /* 0: half a page */
	} cases[] = {
		{ "CONFIG_IMA=y\nCONFIG_IMA_KEXEC_EXTRA_MEMORY_KB=40\n", 40960, 40960 },
		{ "CONFIG_IMA=y\nCONFIG_IMA_KEXEC_EXTRA_MEMORY_KB=1\n", 1024, 1024 },
		{ "CONFIG_IMA=y\nCONFIG_IMA_KEXEC_EXTRA_MEMORY_KB=0\n", 0, 0 },
		{ "CONFIG_IMA=y\n", 0, 0 },
		{ "CONFIG_IMA=y\nCONFIG_IMA_KEXEC_EXTRA_MEMORY_KB=y\n", 0, 1024 },
		{ "", 0, 1024 },
	};
	uint64_t half = (uint64_t)sysconf(_SC_PAGESIZE) / 2;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		test_note("%zu", i);
		make_root("6.18.0");
		SKIP_WITHOUT_OPENAT2();
		write_text("boot/config-6.18.0", cases[i].config);
		CHECK_INT(look_at_kernel().extra, cases[i].extra ? cases[i].extra : half);
		CHECK_INT(look_at_kernel().least, cases[i].least ? cases[i].least : half);
		remove_root();
	}
	/* An older one that has it may have the option, too. */
	make_root("6.12.0");
	CHECK_INT(look_at_kernel().least, half);
	write_text("proc/kallsyms", "0 T ima_add_kexec_buffer\n0 T ima_kexec_post_load\n");
	CHECK_INT(look_at_kernel().least, 1024);
	remove_root();
}

TEST(what_can_load_a_kernel)
{
	make_root("6.12.0");
	SKIP_WITHOUT_OPENAT2();
	CHECK(!look_at_kernel().file_only);
	write_text("boot/config-6.12.0", "CONFIG_IMA=y\nCONFIG_KEXEC=y\nCONFIG_KEXEC_FILE=y\n");
	CHECK(!look_at_kernel().file_only);
	write_text("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	CHECK(!look_at_kernel().file_only);
	write_text("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	CHECK(look_at_kernel().file_only);
	write_text("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	CHECK(look_at_kernel().file_only);
	write_text("sys/kernel/security/lockdown", "");
	write_text("boot/config-6.12.0", "CONFIG_IMA=y\nCONFIG_IMA_KEXEC=y\n");
	CHECK(!look_at_kernel().file_only);
	write_text("boot/config-6.12.0", "CONFIG_IMA=y\n# CONFIG_KEXEC is not set\n"
					 "CONFIG_KEXEC_FILE=y\n");
	CHECK(look_at_kernel().file_only);
	remove_root();
}

/* ---- lists ---- */

/* A list that is cut is an error, and never a verdict. */
TEST(a_list_that_is_cut)
{
	struct imalog_kexec_question question = { .root = root };
	struct bytes list = bytes_of_file("rig/ng/binary_runtime_measurements");
	size_t whole = 0;

	make_root("6.18.0");
	SKIP_WITHOUT_OPENAT2();
	for (size_t size = 0; size <= 1200 && size <= list.size; size++) {
		struct imalog_kexec *kexec = NULL;
		struct imalog_kexec_facts facts;
		int rc;

		test_note("%zu bytes", size);
		write_file(LIST, (struct imalog_span){ list.data, size });
		rc = imalog_kexec_look(&question, &kexec, NULL);
		if (rc == 0) {
			whole++;
			imalog_kexec_get(kexec, &facts);
			CHECK_INT(facts.bytes, size);
			CHECK_INT(facts.records + 1, whole);
		} else {
			CHECK_INT(rc, -IMALOG_ERR_TRUNCATED);
			CHECK(!kexec);
		}
		imalog_kexec_free(&kexec);
	}
	CHECK(whole > 5);
	bytes_free(&list);
	remove_root();
}

/* ---- the boundary ---- */

TEST(a_boundary_as_it_was_written)
{
	const struct imalog_boundary is = { .time = "2026-11-22T10:31:00Z",
					    .kernel = "7.2.0",
					    .boot_id = "1-2-3",
					    .epoch = 3,
					    .committed = 77,
					    .segment = 5,
					    .records = 6,
					    .bytes = 700,
					    .sha256 = { 1, 2, 3 },
					    .counted = 690,
					    .unloaded = true };
	struct imalog_boundary got;
	int dir;

	make_root("7.2.0");
	dir = open(root, O_RDONLY | O_DIRECTORY);
	memset(&got, 0, sizeof(got));
	CHECK_INT(imalog_boundary_read(dir, &got, NULL), 0);
	CHECK_INT(imalog_boundary_write(&is, dir, NULL), 0);
	CHECK_INT(imalog_boundary_read(dir, &got, NULL), 1);
	CHECK_STR(got.time, is.time);
	CHECK_STR(got.kernel, is.kernel);
	CHECK_STR(got.boot_id, is.boot_id);
	CHECK_INT(got.epoch, is.epoch);
	CHECK_INT(got.committed, is.committed);
	CHECK_INT(got.segment, is.segment);
	CHECK_INT(got.records, is.records);
	CHECK_INT(got.bytes, is.bytes);
	CHECK_INT(got.counted, is.counted);
	CHECK_INT(got.unloaded, is.unloaded);
	CHECK(memcmp(got.sha256, is.sha256, sizeof(is.sha256)) == 0);
	imalog_boundary_remove(dir);
	CHECK_INT(imalog_boundary_read(dir, &got, NULL), 0);
	close(dir);
	remove_root();
}

/* Cut, or with any other byte at any place: never more than what it says, and no crash. */
TEST(a_boundary_that_is_damaged)
{
	const struct imalog_boundary is = { .time = "2026-11-22T10:31:00Z",
					    .boot_id = "1-2-3" };
	struct imalog_boundary got;
	uint8_t bytes[4096];
	struct imalog_span text = { bytes, 0 };
	int dir, file;

	make_root("7.2.0");
	dir = open(root, O_RDONLY | O_DIRECTORY);
	CHECK_INT(imalog_boundary_write(&is, dir, NULL), 0);
	file = openat(dir, "kexec.json", O_RDONLY);
	text.size = (size_t)read(file, bytes, sizeof(bytes));
	close(file);
	CHECK(text.size > 100 && text.size < sizeof(bytes));
	for (size_t i = 0; i < text.size; i++) {
		test_note("%zu bytes", i);
		write_file("kexec.json", (struct imalog_span){ text.data, i });
		CHECK_INT(imalog_boundary_read(dir, &got, NULL), -IMALOG_ERR_BAD_VALUE);
	}
	for (size_t i = 0; i < text.size; i++) {
		uint8_t was = bytes[i];

		test_note("byte %zu", i);
		bytes[i] = '\x1b';
		write_file("kexec.json", text);
		bytes[i] = was;
		CHECK_INT(imalog_boundary_read(dir, &got, NULL), -IMALOG_ERR_BAD_VALUE);
	}
	close(dir);
	remove_root();
}

TEST_MAIN(CASE(releases_and_when_they_copy), CASE(symbols_say_what_was_built),
	  CASE(buffers_say_how_much_room_there_is), CASE(the_configuration_says_what_is_added),
	  CASE(what_can_load_a_kernel), CASE(a_list_that_is_cut), CASE(a_boundary_as_it_was_written),
	  CASE(a_boundary_that_is_damaged))
