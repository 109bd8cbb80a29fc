// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Giving the kernel a policy (ima_write_policy(), ima_release_policy(), ima_fs.c)
 *
 *   open   for writing alone, by one at a time: EBUSY
 *   write  one line each, from offset 0: its length and one; EINVAL (no rule), EACCES
 * (only files that the kernel reads itself), others.  A line "/PATH" is such a file. close
 * takes all the rules, or, when one write failed, none; 0 in any case
 *
 * Only what the kernel shows afterwards tells what became of it, if it shows anything:
 * reading takes CONFIG_IMA_READ_POLICY and CAP_SYS_ADMIN.  Without
 * CONFIG_IMA_WRITE_POLICY there is one policy a boot, and then the file is gone (or, if
 * it can be read, not writable).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy.h"

#define POLICY_PATH IMALOG_LIST_DIR "/policy"
/* Far more than anybody's policy */
#define SHOWN_MAX ((size_t)16 << 20)

struct loading {
	struct imalog_policy *policy;
	const char *root;
	const char *path; /* of a file that the kernel reads, NULL: it gets the rules */
	imalog_rule_fn fn;
	void *arg;
	int fd;
	mode_t mode;
	sigset_t signals;
	/* What the kernel showed before */
	struct imalog_buffer text;
	struct imalog_rules before;
};

/* ---- what the kernel shows ---- */

static int read_shown(int fd, struct imalog_buffer *text)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		imalog_buffer_add(text, part, (size_t)n);
		if (text->failed || text->size > SHOWN_MAX)
			return text->failed ? ENOMEM : EFBIG;
	}
	return 0;
}

/* 0, or the errno for which nothing is shown */
static int look(const char *root, struct imalog_buffer *text, struct imalog_rules *rules)
{
	int fd = imalog_root_open(root, POLICY_PATH, O_RDONLY | O_NOCTTY), os_errno;

	if (fd < 0)
		return errno;
	os_errno = read_shown(fd, text);
	close(fd);
	if (os_errno == 0 &&
	    imalog_rules_parse((struct imalog_span){ text->data, text->size }, NULL,
			       rules, NULL) < 0)
		os_errno = ENOMEM;
	return os_errno;
}

/* ---- open ---- */

/* The mode of the file, 0 when it is gone from where the lists still are */
static bool look_at_mode(const char *root, mode_t *mode)
{
	int fd = imalog_root_open(root, POLICY_PATH, O_PATH);
	struct stat st = { .st_mode = 0 };
	bool ok;

	if (fd < 0 && errno == ENOENT) {
		fd = imalog_root_open(root, IMALOG_LIST_DIR "/" IMALOG_LIST_NAME, O_PATH);
		ok = fd >= 0;
	} else {
		ok = fd >= 0 && fstat(fd, &st) == 0;
	}
	if (fd >= 0)
		close(fd);
	*mode = st.st_mode;
	return ok;
}

static int fail_missing(const char *root, struct imalog_error *error)
{
	struct imalog_kernel_info info;
	char shown[IMALOG_ROOT_SHOWN];
	int rc = imalog_kernel_probe(root, &info, error);

	if (rc < 0)
		return rc;
	if (!info.securityfs)
		return imalog_fail_os(error, ENOENT, "securityfs is not mounted on '%s'",
				      imalog_root_show(root, "sys/kernel/security",
						       shown));
	if (!info.list)
		return imalog_fail_os(error, ENOENT,
				      "the kernel has no IMA: there is no '%s'",
				      imalog_root_show(root, IMALOG_LIST_DIR, shown));
	return imalog_fail_os(
		error, ENOENT,
		"the kernel takes no policy any more until it is booted: it has one, "
		"and was built without CONFIG_IMA_WRITE_POLICY");
}

/* Who comes second waits for ever when the first one was the only one there can be. */
static int fail_busy(const char *root, struct imalog_error *error)
{
	char holder[192];
	mode_t mode;

	if (look_at_mode(root, &mode) && !(mode & 0222))
		return imalog_fail_os(
			error, EBUSY,
			"the kernel takes no policy any more until it is booted: it "
			"has one, and was built without CONFIG_IMA_WRITE_POLICY");
	if (imalog_holder_find_policy(root, holder, sizeof(holder)))
		return imalog_fail_os(error, EBUSY, "%s", holder);
	return imalog_fail_os(
		error, EBUSY,
		"another program is loading a policy, which cannot be seen here");
}

static int open_policy(struct loading *loading, struct imalog_error *error)
{
	char shown[IMALOG_ROOT_SHOWN], doing[IMALOG_ROOT_SHOWN + 16];

	loading->fd = imalog_root_open(loading->root, POLICY_PATH, O_WRONLY | O_NOCTTY);
	if (loading->fd >= 0)
		return 0;
	imalog_root_show(loading->root, POLICY_PATH, shown);
	switch (errno) {
	case ENOENT:
		return fail_missing(loading->root, error);
	case EBUSY:
		return fail_busy(loading->root, error);
	case EACCES:
	case EPERM:
		return imalog_fail_os(error, errno,
				      "no permission to write '%s': be root", shown);
	default:
		strcat(strcat(strcpy(doing, "cannot open '"), shown), "'");
		return imalog_fail_errno(error, errno, doing);
	}
}

/* ---- write ---- */

/* 0, or the errno of a write that did not take all: the kernel then drops everything. */
static int write_line(int fd, const void *line, size_t size)
{
	ssize_t done = write(fd, line, size);

	if (done < 0)
		return errno;
	if ((size_t)done >= size)
		return 0;
	/* The kernel would take what it has: something that is no rule voids it. */
	done = write(fd, "-\n", 2);
	return done < 0 ? EIO : ENOTRECOVERABLE;
}

static int fail_write(int os_errno, struct imalog_error *error)
{
	switch (os_errno) {
	case EACCES:
		return imalog_fail_os(
			error, os_errno,
			"the kernel takes no rules, but only the path of a file that "
			"it reads and checks itself (--by-path)");
	case ENOTRECOVERABLE:
		return imalog_fail_os(
			error, os_errno,
			"the kernel took a part of a rule, and then what is no rule");
	default:
		return imalog_fail_errno(
			error, os_errno,
			"cannot write the policy, of which nothing is loaded");
	}
}

/*
 * One rule after the other, even when the kernel has said no to one: it says so of each.
 * Returns how many it rejected.
 */
static int write_rules(const struct loading *loading, struct imalog_error *error)
{
	const struct imalog_rules *rules = &loading->policy->rules;
	struct imalog_buffer line = { 0 };
	int rejected = 0, os_errno = 0;

	for (size_t i = 0; os_errno == 0 && i < rules->nr; i++) {
		line.size = 0;
		imalog_buffer_add(&line, rules->rules[i].text.data,
				  rules->rules[i].text.size);
		imalog_buffer_add(&line, "\n", 1);
		os_errno = line.failed ? ENOMEM :
					 write_line(loading->fd, line.data, line.size);
		if (line.failed)
			write_line(loading->fd, "-\n", 2); /* not half of them */
		if (os_errno != EINVAL)
			continue;
		if (loading->fn)
			loading->fn(loading->arg, rules->rules[i].line);
		rejected++;
		os_errno = 0;
	}
	imalog_buffer_free(&line);
	return os_errno ? fail_write(os_errno, error) : rejected;
}

/* The name of a file, which the kernel reads, measures, and may want to be signed */
static int write_path(const struct loading *loading, struct imalog_error *error)
{
	int os_errno = write_line(loading->fd, loading->path, strlen(loading->path));
	char text[128];

	switch (os_errno) {
	case 0:
		return 0;
	case EINVAL:
		return 1;
	case ENOMEM:
	case EINTR:
		return fail_write(os_errno, error);
	default:
		return imalog_fail_os(error, os_errno,
				      "the kernel does not take the file: %s",
				      strerror_r(os_errno, text, sizeof(text)));
	}
}

static enum imalog_verdict judge_rejected(struct imalog_policy *policy, const char *path,
					  int rejected)
{
	if (path)
		return imalog_policy_judge(
			policy, IMALOG_MISMATCH,
			"the kernel rejects a rule of the file, and so all of it");
	return imalog_policy_judge(
		policy, IMALOG_MISMATCH,
		"the kernel rejects %d of %zu rules, and so all of them", rejected,
		policy->rules.nr);
}

/* ---- close ---- */

/* Only a good policy that is to be the last takes the file, or the right to write it,
 * away. */
static bool is_last(const struct loading *loading)
{
	mode_t mode;

	return (loading->mode & 0222) && look_at_mode(loading->root, &mode) &&
	       !(mode & 0222);
}

static enum imalog_verdict judge_last(struct imalog_policy *policy)
{
	return imalog_policy_judge(policy, IMALOG_MATCH,
				   "%zu %s, and no more until the machine is booted",
				   policy->rules.nr,
				   policy->rules.nr == 1 ? "rule" : "rules");
}

static enum imalog_verdict judge_unseen(struct imalog_policy *policy, int os_errno)
{
	char text[128];

	if (os_errno == EACCES)
		return imalog_policy_judge(
			policy, IMALOG_NOT_CHECKED,
			"the kernel does not show its policy: it was built "
			"without CONFIG_IMA_READ_POLICY");
	if (os_errno == EPERM)
		return imalog_policy_judge(
			policy, IMALOG_NOT_CHECKED,
			"the kernel shows its policy only with CAP_SYS_ADMIN");
	return imalog_policy_judge(policy, IMALOG_NOT_CHECKED,
				   "the kernel's policy cannot be read: %s",
				   strerror_r(os_errno, text, sizeof(text)));
}

static enum imalog_verdict judge(struct loading *loading, int unseen)
{
	struct imalog_buffer text = { 0 };
	struct imalog_rules after = { 0 };
	int os_errno = look(loading->root, &text, &after);
	enum imalog_verdict verdict;

	if ((os_errno || unseen) && is_last(loading))
		verdict = judge_last(loading->policy);
	else if (os_errno || unseen)
		verdict = judge_unseen(loading->policy, os_errno ? os_errno : unseen);
	else
		verdict =
			imalog_policy_compare(loading->policy, &loading->before, &after);
	imalog_rules_free(&after);
	imalog_buffer_free(&text);
	return verdict;
}

/* ---- all of it ---- */

/*
 * Who is killed between two rules leaves the kernel with those before: it takes them when
 * the file is closed.
 */
static void block_signals(struct loading *loading)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &loading->signals);
}

static int load(struct loading *loading, struct imalog_error *error)
{
	int rc = open_policy(loading, error), unseen;
	struct stat st;

	if (rc < 0)
		return rc;
	/* Now nobody else can load one, and what is shown stays. */
	if (fstat(loading->fd, &st) == 0)
		loading->mode = st.st_mode;
	unseen = look(loading->root, &loading->text, &loading->before);
	rc = loading->path ? write_path(loading, error) : write_rules(loading, error);
	close(loading->fd);
	if (rc < 0)
		return rc;
	return rc > 0 ? (int)judge_rejected(loading->policy, loading->path, rc) :
			(int)judge(loading, unseen);
}

static int check_path(const struct imalog_policy *policy, const char *path,
		      struct imalog_error *error)
{
	if (!policy->ends)
		return imalog_fail(
			error, IMALOG_ERR_TRUNCATED, "",
			"the last line does not end in a newline: the kernel would not "
			"take the file");
	if (path[0] != '/' || strchr(path, '\n') ||
	    strlen(path) > (size_t)sysconf(_SC_PAGESIZE) - 1)
		return imalog_fail(
			error, IMALOG_ERR_INVALID, "",
			"the kernel can take no such path: it must be absolute, "
			"shorter than a page, without newlines");
	return 0;
}

int imalog_policy_load(struct imalog_policy *policy, const char *root, const char *path,
		       imalog_rule_fn fn, void *arg, struct imalog_error *reterr)
{
	struct loading loading = { .policy = policy,
				   .root = root,
				   .path = path,
				   .fn = fn,
				   .arg = arg,
				   .fd = -1 };
	int rc = path ? check_path(policy, path, reterr) : 0;

	policy->reason[0] = '\0';
	if (rc < 0)
		return rc;
	block_signals(&loading);
	rc = load(&loading, reterr);
	sigprocmask(SIG_SETMASK, &loading.signals, NULL);
	imalog_rules_free(&loading.before);
	imalog_buffer_free(&loading.text);
	return rc;
}
