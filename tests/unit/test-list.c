// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/list.c, lib/holder.c, lib/kernel-*.c: who has the lists open, and what is missing. */
#include <time.h>

#include "staged.h"

/* ---- opening ---- */

static void check_sentence(int os_errno, const char *sentence)
{
	struct setup s = open_staging(0);

	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), os_errno);
	if (s.rc < 0 && !strstr(imalog_error_detail(s.error), sentence))
		test_fail(__FILE__, __LINE__, "'%s', without '%s'",
			  imalog_error_detail(s.error), sentence);
	close_staging(&s);
}

TEST(what_is_missing_is_said)
{
	make_root(1);
	unlink(in_work(STAGED));
	chmod(in_work(LIST), 0660);
	check_sentence(ENOENT, "without CONFIG_IMA_STAGING");
	chmod(in_work(LIST), 0440);
	check_sentence(ENOENT,
		       "the kernel cannot stage its measurement list: that takes Linux 7.2");
	make_dirs("proc/sys/kernel");
	put_file(in_work("proc/sys/kernel/osrelease"), span_of("6.12.3-x\n", 9));
	check_sentence(ENOENT, "the kernel 6.12.3-x cannot stage");
	unlink(in_work(LIST));
	unlink(in_work(IMA "/violations"));
	unlink(in_work(IMA "/runtime_measurements_count"));
	check_sentence(ENOENT, "the kernel has no IMA: there is no '");
	rmdir(in_work(IMA));
	check_sentence(ENOENT, "securityfs is not mounted on '");
	rmdir(in_work("sys/kernel/security"));
	check_sentence(ENOENT, "securityfs is not mounted on '");
	remove_root();
}

TEST(who_may_not_is_told)
{
	make_root(1);
	kernel.busy = -1;
	kernel.refuse = EPERM;
	check_sentence(EPERM, "CAP_SYS_ADMIN");
	kernel.refuse = EACCES;
	check_sentence(EACCES, "be root");
	kernel.refuse = EIO;
	check_sentence(EIO, "cannot open '");
	remove_root();
}

/* ---- holders ---- */

static void make_process(const char *pid, const char *name, const char *list)
{
	char path[64], target[1024];

	snprintf(path, sizeof(path), "proc/%s/fd", pid);
	make_dirs(path);
	snprintf(path, sizeof(path), "proc/%s/comm", pid);
	put_file(in_work(path), span_of(name, strlen(name)));
	snprintf(path, sizeof(path), "proc/%s/fd/7", pid);
	snprintf(target, sizeof(target), "../../../" IMA "/%s", list);
	if (symlink(target, in_work(path)) != 0)
		BAIL_OUT("%s", strerror(errno));
}

TEST(who_holds_a_list_is_named)
{
	make_root(1);
	kernel.busy = -1;
	kernel.refuse = EBUSY;
	check_sentence(EBUSY,
		       "binary_runtime_measurements_staged is busy: a measurement list is "
		       "held open, by no process that can be seen here");
	put_file(in_work(IMA "/ascii_runtime_measurements_sha256"), span_of("", 0));
	make_process("812", "keylime_agent\n", "ascii_runtime_measurements_sha256");
	check_sentence(EBUSY,
		       "ascii_runtime_measurements_sha256 is held open by keylime_agent "
		       "(pid 812)");
	unlink(in_work("proc/812/fd/7"));
	make_process("812", "keylime_agent\n", "binary_runtime_measurements");
	check_sentence(EBUSY,
		       "binary_runtime_measurements is held open by keylime_agent (pid 812)");
	/* What a process calls itself is not to be trusted. */
	put_file(in_work("proc/812/comm"), span_of("a\033[2J\n", 6));
	check_sentence(EBUSY, "held open by a\\x1b[2J (pid 812)");
	make_process("813", "cat\n", "binary_runtime_measurements");
	check_sentence(EBUSY, ", and by 1 more");
	remove_root();
}

TEST(others_are_no_holders)
{
	make_root(1);
	kernel.busy = -1;
	kernel.refuse = EBUSY;
	put_file(in_work("my_runtime_measurements"), span_of("", 0));
	make_process("812", "editor\n", "../../../../my_runtime_measurements");
	make_process("nobody", "", "binary_runtime_measurements");
	check_sentence(EBUSY, "by no process that can be seen");
	remove_root();
}

TEST(this_process_is_found_in_the_real_proc)
{
	char sentence[128];
	int fd;

	make_root(1);
	kernel.busy = -1;
	kernel.refuse = EBUSY;
	fd = open(in_work(LIST), O_RDONLY);
	snprintf(sentence, sizeof(sentence), "(pid %d)", (int)getpid());
	check_sentence(EBUSY, sentence);
	close(fd);
	remove_root();
}

/* ---- waiting ---- */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

TEST(waiting_ends_when_the_list_is_free)
{
	struct setup s;
	int fd = -1;

	make_root(1);
	kernel.busy = 4;
	kernel.refuse = EBUSY;
	s = open_staging(60000);
	CHECK_INT(s.rc, 0);
	CHECK_INT(kernel.busy, 0);
	kernel.busy = 4;
	CHECK_INT(imalog_list_open(work, 60000, &fd, s.error), 0);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC &&
	      (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
	close(fd);
	finish(&s);
}

TEST(waiting_ends_when_the_time_is_over)
{
	struct setup s;
	uint64_t begun;

	make_root(1);
	kernel.busy = -1;
	kernel.refuse = EBUSY;
	begun = now_ms();
	s = open_staging(250);
	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK(now_ms() - begun >= 250);
	finish(&s);
}

TEST(nobody_waits_for_what_does_not_change)
{
	struct setup s;
	uint64_t begun = now_ms();

	make_root(1);
	kernel.busy = -1;
	kernel.refuse = EPERM;
	s = open_staging(60000);
	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK(now_ms() - begun < 30000);
	finish(&s);
}

/* ---- what the kernel offers ---- */

TEST(the_kernel_is_described)
{
	struct imalog_kernel_info info;

	make_root(1);
	make_dirs("proc/sys/kernel/random");
	put_file(in_work("proc/cmdline"), span_of("quiet ima-flush-htable=1 -- x\n", 30));
	put_file(in_work("proc/sys/kernel/random/boot_id"), span_of("some-id\n", 8));
	put_file(in_work(IMA "/runtime_measurements_count"), span_of("12\n", 3));
	put_file(in_work(IMA "/violations"), span_of("3\n", 2));
	put_file(in_work(LIST "_sha256"), span_of("", 0));
	chmod(in_work(LIST), 0660);
	CHECK_INT(imalog_kernel_probe(work, &info, NULL), 0);
	CHECK(info.securityfs && info.list && info.stages && info.recent && info.flush_htable);
	CHECK(!info.trims && info.lists[IMALOG_ALG_SHA256] && !info.lists[IMALOG_ALG_SHA1]);
	CHECK(info.counted && info.records == 12 && info.violations == 3);
	CHECK_STR(info.boot_id, "some-id");
	CHECK_STR(info.release, "");
	/* Only the kernel's own parameters, and words of their own */
	put_file(in_work("proc/cmdline"),
		 span_of("xima_flush_htable -- ima_flush_htable\n", 38));
	unlink(in_work(IMA "/violations"));
	CHECK_INT(imalog_kernel_probe(work, &info, NULL), 0);
	CHECK(!info.flush_htable && info.trims && !info.counted);
	remove_root();
}

/* ---- what is told of it ---- */

static enum imalog_answer ask(enum imalog_feature feature)
{
	struct imalog_kernel *seen;
	enum imalog_answer answer;

	if (!CHECK_INT(imalog_kernel_look(work, &seen, NULL), 0))
		return IMALOG_UNKNOWN;
	answer = imalog_kernel_offers(seen, feature);
	imalog_kernel_free(&seen);
	CHECK(!seen);
	return answer;
}

TEST(answers_are_yes_no_or_unknown)
{
	uint64_t records = 7, violations = 7;
	struct imalog_kernel *seen;

	make_root(1);
	chmod(in_work(LIST), 0660);
	CHECK_INT(ask(IMALOG_FEATURE_SECURITYFS), IMALOG_YES);
	CHECK_INT(ask(IMALOG_FEATURE_LIST), IMALOG_YES);
	CHECK_INT(ask(IMALOG_FEATURE_STAGING), IMALOG_YES);
	CHECK_INT(ask(IMALOG_FEATURE_TRIM), IMALOG_YES);
	/* The policy's file is gone: one was loaded */
	CHECK_INT(ask(IMALOG_FEATURE_WRITE_POLICY), IMALOG_NO);
	CHECK_INT(ask(IMALOG_FEATURE_READ_POLICY), IMALOG_NO);
	put_file(in_work(IMA "/policy"), span_of("", 0));
	chmod(in_work(IMA "/policy"), 0200);
	CHECK_INT(ask(IMALOG_FEATURE_WRITE_POLICY), IMALOG_YES);
	CHECK_INT(ask(IMALOG_FEATURE_READ_POLICY), IMALOG_NO);
	chmod(in_work(IMA "/policy"), 0400);
	CHECK_INT(ask(IMALOG_FEATURE_WRITE_POLICY), IMALOG_NO);
	CHECK_INT(ask(IMALOG_FEATURE_READ_POLICY), IMALOG_YES);
	unlink(in_work(IMA "/runtime_measurements_count"));
	CHECK_INT(imalog_kernel_look(work, &seen, NULL), 0);
	CHECK(!imalog_kernel_counts(seen, &records, &violations) && records == 7);
	CHECK(!imalog_kernel_has_list(seen, IMALOG_ALG_SHA256));
	CHECK(!imalog_kernel_has_list(seen, IMALOG_ALG_NONE));
	imalog_kernel_free(&seen);
	imalog_kernel_free(NULL);
	unlink(in_work(LIST));
	CHECK_INT(ask(IMALOG_FEATURE_LIST), IMALOG_NO);
	CHECK_INT(ask(IMALOG_FEATURE_WRITE_POLICY), IMALOG_UNKNOWN);
	remove_root();
}

static void put_config(const char *path, const char *text)
{
	put_file(in_work(path), span_of(text, strlen(text)));
}

TEST(the_configuration_is_that_of_this_kernel)
{
	make_root(1);
	make_dirs("boot");
	make_dirs("proc/sys/kernel");
	put_config("boot/config-", "CONFIG_IMA=y\nCONFIG_IMA_KEXEC=y\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_UNKNOWN);
	put_config("proc/sys/kernel/osrelease", "6.12-x\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_UNKNOWN);
	put_config("boot/config-6.12-x", "CONFIG_IMA=y\nCONFIG_IMA_KEXEC=y\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_YES);
	put_config("boot/config-6.12-x", "CONFIG_IMA=y\n# CONFIG_IMA_KEXEC is not set\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_NO);
	/* Cut before it says so, or something else altogether */
	put_config("boot/config-6.12-x", "CONFIG_X86=y\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_UNKNOWN);
	put_config("boot/config-6.12-x", "CONFIG_IMA=y\nCONFIG_IMA_KEXEC=yes\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_NO);
	make_dirs("lib/modules/6.12-x");
	put_config("boot/config-6.12-x", "");
	put_config("lib/modules/6.12-x/config", "CONFIG_IMA=y\nCONFIG_IMA_KEXEC=y\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_YES);
	put_config("proc/sys/kernel/osrelease", "../boot/6.12-x\n");
	CHECK_INT(ask(IMALOG_FEATURE_KEXEC), IMALOG_UNKNOWN);
	remove_root();
}

TEST_MAIN(CASE(what_is_missing_is_said), CASE(who_may_not_is_told),
	  CASE(who_holds_a_list_is_named), CASE(others_are_no_holders),
	  CASE(this_process_is_found_in_the_real_proc),
	  CASE(waiting_ends_when_the_list_is_free), CASE(waiting_ends_when_the_time_is_over),
	  CASE(nobody_waits_for_what_does_not_change), CASE(the_kernel_is_described),
	  CASE(answers_are_yes_no_or_unknown),
	  CASE(the_configuration_is_that_of_this_kernel), )
