// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/policy.c and lib/policy-load.c: what is a rule, what proves that it is loaded. */
#include <signal.h>

#include "fault.h"
#include "policy.h"

static struct imalog_span text_of(const char *text)
{
	return span_of(text, strlen(text));
}

/* ---- lines ---- */

static struct imalog_policy *parse(const char *text)
{
	struct bytes copy = bytes_copy(text, strlen(text));
	struct imalog_policy *policy = NULL;

	CHECK_INT(imalog_policy_parse(span_of_bytes(copy), &policy, NULL), 0);
	bytes_free(&copy);
	if (!policy)
		BAIL_OUT("no policy");
	return policy;
}

TEST(comments_and_blank_lines_are_no_rules)
{
	struct imalog_policy *policy =
		parse("# one\n\n \t\n\t# two\nmeasure\n audit # no comment\n\nhash");

	CHECK_INT(imalog_policy_rules(policy), 3);
	CHECK_INT(policy->rules.rules[0].line, 5);
	CHECK_INT(policy->rules.rules[1].line, 6);
	CHECK(imalog_span_equal(policy->rules.rules[1].text,
				text_of(" audit # no comment")));
	CHECK_INT(policy->rules.rules[2].line, 8);
	CHECK(!policy->ends);
	imalog_policy_free(&policy);
	CHECK(!policy);
	imalog_policy_free(&policy);
}

static void check_bad(struct imalog_span text, enum imalog_code code, uint64_t line,
		      uint64_t offset)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_policy *policy;

	CHECK_ERROR(error, imalog_policy_parse(text, &policy, error), code, line, offset,
		    "");
	CHECK_INT(imalog_policy_parse(text, &policy, NULL), -(int)code);
	imalog_error_free(&error);
}

TEST(what_the_kernel_would_misunderstand_is_refused)
{
	check_bad(text_of("measure\n/etc/policy\n"), IMALOG_ERR_BAD_VALUE, 2, 8);
	check_bad(text_of("measure\r\n"), IMALOG_ERR_BAD_VALUE, 1, 0);
	check_bad(span_of("# x\nmeasure\0 uid=0\n", 19), IMALOG_ERR_BAD_VALUE, 2, 4);
	check_bad(text_of("measure \x7f"), IMALOG_ERR_BAD_VALUE, 1, 0);
	check_bad(text_of(""), IMALOG_ERR_BAD_VALUE, 0, 0);
	check_bad(text_of("# nothing\n\n"), IMALOG_ERR_BAD_VALUE, 0, 0);
}

TEST(a_line_and_its_newline_are_less_than_a_page)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bytes text = bytes_new(page + 7);
	struct imalog_policy *policy;

	memset(text.data, 'x', text.size);
	memcpy(text.data, "# ok\n\nmeasure ", 14);
	text.data[6 + page - 2] = '\n';
	CHECK_INT(imalog_policy_parse(span_of(text.data, 6 + page - 1), &policy, NULL),
		  0);
	imalog_policy_free(&policy);
	text.data[6 + page - 2] = 'x';
	text.data[6 + page - 1] = '\n';
	check_bad(span_of(text.data, 6 + page), IMALOG_ERR_LIMIT, 3, 6);
	check_bad(span_of(text.data, 6 + page - 1), IMALOG_ERR_LIMIT, 3, 6);
	/* A comment is not written */
	text.data[6] = '#';
	text.data[0] = '-';
	CHECK_INT(imalog_policy_parse(span_of(text.data, 6 + page), &policy, NULL), 0);
	imalog_policy_free(&policy);
	bytes_free(&text);
}

/* ---- what the kernel shows ---- */

static enum imalog_verdict compare(const char *sent, const char *before,
				   const char *after)
{
	struct imalog_policy *policy = parse(sent);
	struct imalog_rules rules[2];
	enum imalog_verdict verdict;

	CHECK_INT(imalog_rules_parse(text_of(before), NULL, &rules[0], NULL), 0);
	CHECK_INT(imalog_rules_parse(text_of(after), NULL, &rules[1], NULL), 0);
	verdict = imalog_policy_compare(policy, &rules[0], &rules[1]);
	CHECK(imalog_policy_reason(policy)[0]);
	imalog_rules_free(&rules[0]);
	imalog_rules_free(&rules[1]);
	imalog_policy_free(&policy);
	return verdict;
}

#define CHECK_COMPARE(sent, before, after, verdict) \
	CHECK_INT(compare(sent, before, after), verdict)

TEST(loaded_is_what_stands_at_the_end)
{
	CHECK_COMPARE("a\nb\n", "", "a \nb \n", IMALOG_MATCH);
	CHECK_COMPARE("a\nb\n", "x \ny \n", "a \nb \n", IMALOG_MATCH);
	CHECK_COMPARE("a\nb\n", "x \ny \n", "x \ny \na \nb \n", IMALOG_MATCH);
	CHECK_COMPARE("a\nb\n", "x \ny \n", "y \na \nb \n", IMALOG_MATCH);
	CHECK_COMPARE("a\n", "a \n", "a \na \n", IMALOG_MATCH);
	CHECK_COMPARE("a\na\n", "a \n", "a \na \n", IMALOG_MATCH);
	CHECK_COMPARE("a\n", "x \na \n", "a \n", IMALOG_MATCH);
}

TEST(nothing_new_is_nothing_loaded)
{
	CHECK_COMPARE("a\n", "", "", IMALOG_MISMATCH);
	CHECK_COMPARE("a\nb\n", "x \n", "x \n", IMALOG_MISMATCH);
	CHECK_COMPARE("a\nb\n", "a \nb \nx \n", "a \nb \nx \n", IMALOG_MISMATCH);
	CHECK_COMPARE("a\na\n", "a \n", "a \n", IMALOG_MISMATCH);
	/* It may have been the first, and taken the place of the same */
	CHECK_COMPARE("a\nb\n", "a \nb \n", "a \nb \n", IMALOG_NOT_CHECKED);
	CHECK_COMPARE("b\n", "a \nb \n", "a \nb \n", IMALOG_NOT_CHECKED);
}

TEST(what_others_did_meanwhile_proves_nothing)
{
	CHECK_COMPARE("a\n", "x \n", "x \na \ny \n", IMALOG_NOT_CHECKED);
	CHECK_COMPARE("a\n", "x \n", "x \ny \n", IMALOG_NOT_CHECKED);
	CHECK_COMPARE("a\n", "x \n", "x \ny \na \n", IMALOG_NOT_CHECKED);
	CHECK_COMPARE("a\nb\n", "x \n", "b \na \n", IMALOG_NOT_CHECKED);
	CHECK_COMPARE("a\na\n", "x \n", "x \na \n", IMALOG_NOT_CHECKED);
	CHECK_COMPARE("a\n", "x \ny \n", "y \nx \na \n", IMALOG_NOT_CHECKED);
	CHECK_COMPARE("a\n", "x \n", "", IMALOG_NOT_CHECKED);
}

/* @sent as in a file, @shown as ima_policy_show() prints it */
TEST(a_rule_is_known_again)
{
	static const struct {
		const char *sent, *shown;
	} same[] = {
		{ "measure", "measure " },
		{ "\tmeasure \t func=FILE_CHECK", "measure func=FILE_CHECK " },
		{ "uid=0 measure", "measure uid=0 " },
		{ "measure uid=007 func=PATH_CHECK", "measure func=FILE_CHECK uid=7 " },
		{ "measure func=FILE_MMAP mask=^MAY_READ",
		  "measure func=MMAP_CHECK mask=^MAY_READ " },
		{ "measure fowner>+0100", "measure fowner>100 " },
		{ "measure gid<0", "measure gid<0 " },
		{ "measure pcr=010", "measure pcr=10 " },
		{ "dont_measure fsmagic=9FA0", "dont_measure fsmagic=0x9fa0 " },
		{ "dont_measure fsmagic=0X0009fa0", "dont_measure fsmagic=0x9fa0 " },
		{ "dont_measure fsuuid=ABCDEF01-2345-6789-abcd-EF0123456789",
		  "dont_measure fsuuid=abcdef01-2345-6789-abcd-ef0123456789 " },
		{ "appraise appraise_algos=sha512,sha256 func=SETXATTR_CHECK",
		  "appraise func=SETXATTR_CHECK appraise_algos=sha256,sha512 " },
		{ "appraise appraise_type=imasig|modsig",
		  "appraise appraise_type=imasig|modsig appraise_flag=check_blacklist " },
	}, other[] = {
		{ "measure", "dont_measure " },
		{ "measure uid=0", "measure euid=0 " },
		{ "measure uid=0", "measure uid>0 " },
		{ "measure uid=10", "measure uid=1 " },
		{ "measure fsname=A", "measure fsname=a " },
		{ "measure func=FILE_CHECK", "measure func=FILE_CHECK func=FILE_CHECK " },
		{ "measure obj_type=a", "measure obj_type=b " },
		{ "measure uid=", "measure uid=0 " },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(same); i++) {
		test_note("%s", same[i].sent);
		CHECK_COMPARE(same[i].sent, "x \n", same[i].shown, IMALOG_MATCH);
	}
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(other); i++) {
		test_note("%s", other[i].sent);
		CHECK_COMPARE(other[i].sent, "x \n", other[i].shown, IMALOG_NOT_CHECKED);
	}
}

/* ---- the kernel's file, which shows at once what is written to it ---- */

#define DIR    "sys/kernel/security/ima"
#define POLICY DIR "/policy"

static struct {
	int nth; /* write that does not go as it should */
	int os_errno, taken;
	bool rejects; /* in silence */
	int writes;
	char last[64];
	char text[256];
} kernel;

static bool write_rule(int fd, const void *data, size_t size, ssize_t *ret)
{
	struct stat is, should;
	sigset_t blocked;

	if (fstat(fd, &is) != 0 || stat(in_work(POLICY), &should) != 0 ||
	    is.st_ino != should.st_ino)
		return false;
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	CHECK(sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGINT));
	CHECK_INT(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	snprintf(kernel.last, sizeof(kernel.last), "%.*s", (int)size, (const char *)data);
	*ret = (ssize_t)size + 1; /* as the kernel says it, for a line without newline */
	if (++kernel.writes == kernel.nth) {
		errno = kernel.os_errno;
		*ret = kernel.os_errno ? -1 : kernel.taken;
	} else if (size == 2 && memcmp(data, "-\n", 2) == 0) {
		errno = EINVAL;
		*ret = -1;
	} else if (!kernel.rejects) {
		strncat(kernel.text, data, size);
		put_file(in_work(POLICY), text_of(kernel.text));
	}
	return true;
}

static void make_kernel(const char *shown)
{
	char part[] = POLICY;

	memset(&kernel, 0, sizeof(kernel));
	snprintf(kernel.text, sizeof(kernel.text), "%s", shown);
	work_make();
	for (char *slash = part; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(in_work(part), 0700);
	}
	put_file(in_work(POLICY), text_of(shown));
	put_file(in_work(DIR "/binary_runtime_measurements"), text_of(""));
	fault.write = write_rule;
}

static void remove_kernel(void)
{
	fault.write = NULL;
	work_remove();
}

static uint64_t rejected_lines;

static void on_rejected(void *arg, uint64_t line)
{
	CHECK(arg == &kernel);
	rejected_lines = 100 * rejected_lines + line;
}

static int load(const char *text, const char *path, struct imalog_error *error)
{
	struct imalog_policy *policy = parse(text);
	int rc;

	rejected_lines = 0;
	rc = imalog_policy_load(policy, work, path, on_rejected, &kernel, error);
	imalog_policy_free(&policy);
	return rc;
}

TEST(one_write_one_rule)
{
	sigset_t before, after;

	sigprocmask(SIG_BLOCK, NULL, &before);
	make_kernel("x\n");
	CHECK_INT(load("# c\nmeasure\n\n audit", NULL, NULL), IMALOG_MATCH);
	CHECK_INT(kernel.writes, 2);
	CHECK_STR(kernel.last, " audit\n");
	sigprocmask(SIG_BLOCK, NULL, &after);
	for (int i = 1; i < SIGRTMIN; i++)
		CHECK_INT(sigismember(&after, i), sigismember(&before, i));
	remove_kernel();
}

TEST(silence_is_no_answer)
{
	make_kernel("x\n");
	kernel.rejects = true;
	CHECK_INT(load("measure\n", NULL, NULL), IMALOG_MISMATCH);
	remove_kernel();
}

TEST(each_rule_that_is_rejected_is_told)
{
	make_kernel("x\n");
	kernel.nth = 2;
	kernel.os_errno = EINVAL;
	CHECK_INT(load("#\na\nb\nc\n", NULL, NULL), IMALOG_MISMATCH);
	CHECK_INT(rejected_lines, 3);
	CHECK_INT(kernel.writes, 3);
	remove_kernel();
}

/* After a write of which the kernel took a part it would load that part. */
TEST(half_a_policy_is_voided)
{
	struct imalog_error *error = imalog_error_new();

	make_kernel("x\n");
	kernel.nth = 2;
	kernel.taken = 3;
	CHECK_INT(load("measure\ndont_measure\naudit\n", NULL, error), -IMALOG_ERR_OS);
	CHECK_STR(kernel.last, "-\n");
	CHECK_INT(kernel.writes, 3);
	remove_kernel();
	imalog_error_free(&error);
}

static void check_write_fails(int os_errno, const char *path)
{
	struct imalog_error *error = imalog_error_new();

	make_kernel("x\n");
	kernel.nth = 1;
	kernel.os_errno = os_errno;
	CHECK_INT(load("measure\naudit\n", path, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), os_errno);
	CHECK_INT(kernel.writes, 1);
	remove_kernel();
	imalog_error_free(&error);
}

TEST(other_failures_end_it)
{
	check_write_fails(EACCES, NULL);
	check_write_fails(EINTR, NULL);
	check_write_fails(ENOMEM, NULL);
	check_write_fails(EACCES, "/etc/policy");
	check_write_fails(ENOMEM, "/etc/policy");
}

TEST(a_path_is_written_as_it_is)
{
	struct imalog_error *error = imalog_error_new();

	make_kernel("x\n");
	CHECK_INT(load("measure\n", "/etc/policy", NULL), IMALOG_NOT_CHECKED);
	CHECK_STR(kernel.last, "/etc/policy");
	CHECK_INT(kernel.writes, 1);
	kernel.nth = 2;
	kernel.os_errno = EINVAL;
	CHECK_INT(load("measure\n", "/etc/policy", NULL), IMALOG_MISMATCH);
	CHECK_INT(rejected_lines, 0);
	CHECK_INT(load("measure\n", "etc/policy", NULL), -IMALOG_ERR_INVALID);
	CHECK_INT(load("measure\n", "/etc/a\nb", NULL), -IMALOG_ERR_INVALID);
	CHECK_INT(load("measure", "/etc/policy", error), -IMALOG_ERR_TRUNCATED);
	CHECK_INT(kernel.writes, 2);
	remove_kernel();
	imalog_error_free(&error);
}

/* ---- what is missing, or cannot be seen ---- */

static void check_sentence(int os_errno, const char *sentence)
{
	struct imalog_error *error = imalog_error_new();

	CHECK_INT(load("measure\n", NULL, error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(error), os_errno);
	if (!strstr(imalog_error_detail(error), sentence))
		test_fail(__FILE__, __LINE__, "'%s', without '%s'",
			  imalog_error_detail(error), sentence);
	imalog_error_free(&error);
}

TEST(what_is_missing_is_said)
{
	make_kernel("");
	unlink(in_work(POLICY));
	check_sentence(ENOENT, "CONFIG_IMA_WRITE_POLICY");
	unlink(in_work(DIR "/binary_runtime_measurements"));
	check_sentence(ENOENT, "the kernel has no IMA");
	rmdir(in_work(DIR));
	check_sentence(ENOENT, "securityfs is not mounted");
	remove_kernel();
}

/* After the last policy a kernel takes the file away; nothing else does. */
static bool take_away(int fd, const void *data, size_t size, ssize_t *ret)
{
	struct stat is;

	if (fstat(fd, &is) != 0 || stat(in_work(POLICY), &is) != 0)
		return false;
	(void)data;
	*ret = (ssize_t)size;
	if (kernel.nth == 1)
		unlink(in_work(POLICY));
	if (kernel.nth == 2)
		unlink(in_work(DIR "/binary_runtime_measurements"));
	return true;
}

TEST(the_file_that_is_gone_is_a_proof)
{
	make_kernel("x\n");
	fault.write = take_away;
	kernel.nth = 1;
	CHECK_INT(load("measure\n", NULL, NULL), IMALOG_MATCH);
	remove_kernel();
	/* Not when all is gone */
	make_kernel("x\n");
	fault.write = take_away;
	kernel.nth = 1;
	unlink(in_work(DIR "/binary_runtime_measurements"));
	CHECK_INT(load("measure\n", NULL, NULL), IMALOG_NOT_CHECKED);
	remove_kernel();
}

TEST(what_cannot_be_read_is_not_checked)
{
	make_kernel("x\n");
	fault_arm(FAULT_READ, 1, EIO);
	CHECK_INT(load("measure\n", NULL, NULL), IMALOG_NOT_CHECKED);
	CHECK(fault_disarm());
	fault_arm(FAULT_READ, 3, EIO);
	CHECK_INT(load("measure\n", NULL, NULL), IMALOG_NOT_CHECKED);
	CHECK(fault_disarm());
	remove_kernel();
}

TEST_MAIN(CASE(comments_and_blank_lines_are_no_rules),
	  CASE(what_the_kernel_would_misunderstand_is_refused),
	  CASE(a_line_and_its_newline_are_less_than_a_page),
	  CASE(loaded_is_what_stands_at_the_end), CASE(nothing_new_is_nothing_loaded),
	  CASE(what_others_did_meanwhile_proves_nothing), CASE(a_rule_is_known_again),
	  CASE(one_write_one_rule), CASE(silence_is_no_answer),
	  CASE(each_rule_that_is_rejected_is_told), CASE(half_a_policy_is_voided),
	  CASE(other_failures_end_it), CASE(a_path_is_written_as_it_is),
	  CASE(what_is_missing_is_said), CASE(the_file_that_is_gone_is_a_proof),
	  CASE(what_cannot_be_read_is_not_checked), )
