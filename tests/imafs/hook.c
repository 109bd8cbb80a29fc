// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tests order to happen right before or right after a request
 *
 *	before|after OP[:SKIP][@PATTERN] COMMAND [ARG...]
 *
 * OP is open, open-read, open-write, read, write, A, D, N, flush or release; SKIP
 *requests pass first; PATTERN is one of the file's name.  `after` waits for a request
 *that succeeds. COMMAND is one of the control socket or `stall`, `kill` (SIGKILL to the
 *process; a request that it was before is not carried out), `fail ERRNO`.  Each happens
 *once, in order.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "imafs.h"

static const char *const ops[] = { "open", "open-read", "open-write", "read",  "write",
				   "A",	   "D",		"N",	      "flush", "release" };

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "EACCES", EACCES }, { "EBUSY", EBUSY },   { "EINTR", EINTR },
	{ "EINVAL", EINVAL }, { "EIO", EIO },	    { "ENOENT", ENOENT },
	{ "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "EPERM", EPERM },
	{ "ESTALE", ESTALE },
};

static int error_number(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].number;
	return 0;
}

static void hook_free(struct hook *hook)
{
	for (size_t i = 0; i < hook->argc; i++)
		free(hook->argv[i]);
	free(hook->argv);
	free(hook);
}

void hook_clear(struct imafs *fs)
{
	while (fs->hooks) {
		struct hook *hook = fs->hooks;

		fs->hooks = hook->next;
		hook_free(hook);
	}
}

static bool parse_point(struct hook *hook, const char *when, const char *point)
{
	size_t size = strcspn(point, ":@");
	char *end = (char *)point + size;

	if (strcmp(when, "before") != 0 && strcmp(when, "after") != 0)
		return false;
	hook->after = *when == 'a';
	if (size >= sizeof(hook->op))
		return false;
	memcpy(hook->op, point, size);
	if (*end == ':')
		hook->skip = strtoul(end + 1, &end, 10);
	snprintf(hook->file, sizeof(hook->file), "%s", *end == '@' ? end + 1 : "*");
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (strcmp(ops[i], hook->op) == 0)
			return *end == '@' || *end == '\0';
	return false;
}

/* @argv: WHEN POINT COMMAND [ARG...] */
const char *hook_add(struct imafs *fs, size_t argc, char **argv)
{
	struct hook *hook = xcalloc(1, sizeof(*hook)), **last = &fs->hooks;
	bool fails = strcmp(argv[2], "fail") == 0;

	if (!parse_point(hook, argv[0], argv[1]) ||
	    (fails && (argc != 4 || !error_number(argv[3])))) {
		hook_free(hook);
		return fails ? "no such request or errno" : "no such request";
	}
	hook->argv = xcalloc(argc, sizeof(*hook->argv));
	for (size_t i = 2; i < argc; i++)
		hook->argv[hook->argc++] = xstrdup(argv[i]);
	while (*last)
		last = &(*last)->next;
	*last = hook;
	return NULL;
}

static bool op_matches(const char *op, const struct call *call)
{
	bool list = call->node->kind == KIND_LIST;

	switch (call->op) {
	case OP_OPEN:
		return strcmp(op, "open") == 0 ||
		       strcmp(op,
			      call->access == O_RDONLY ? "open-read" : "open-write") == 0;
	case OP_READ:
		return strcmp(op, "read") == 0;
	case OP_WRITE:
		if (list && strlen(op) == 1 && call->size)
			return *op == 'N' ?
				       isdigit(call->data[0]) || call->data[0] == '+' :
				       call->data[0] == *op;
		return strcmp(op, "write") == 0;
	case OP_FLUSH:
		return strcmp(op, "flush") == 0;
	case OP_RELEASE:
		return strcmp(op, "release") == 0;
	}
	return false;
}

static bool hook_matches(struct hook *hook, const struct call *call)
{
	if (hook->after != call->done || (hook->after && call->result < 0))
		return false;
	if (!op_matches(hook->op, call) || fnmatch(hook->file, call->node->name, 0) != 0)
		return false;
	if (hook->skip == 0)
		return true;
	/* A call that was stalled has been counted */
	if (!call->resumed)
		hook->skip--;
	return false;
}

/* Makes the call end with this error, whether it has been carried out or not. */
static void call_fail(struct imafs *fs, struct call *call, int error)
{
	buf_printf(&fs->log, "# the next result is made: %d\n", -error);
	call->result = -error;
	call->failed = true;
}

static enum hook_verdict hook_act(struct imafs *fs, const struct hook *hook,
				  struct call *call)
{
	struct buf reply = { 0 };
	const char *wrong;

	if (strcmp(hook->argv[0], "stall") == 0)
		return HOOK_STALL;
	if (strcmp(hook->argv[0], "kill") == 0) {
		buf_printf(&fs->log, "# pid=%d is killed\n", call->task.pid);
		kill(call->task.pid, SIGKILL);
		if (!call->done)
			call_fail(fs, call, EINTR);
	} else if (strcmp(hook->argv[0], "fail") == 0) {
		call_fail(fs, call, error_number(hook->argv[1]));
	} else {
		wrong = command_run(fs, hook->argc, hook->argv, &reply);
		buf_printf(&fs->log, "# %s: %s\n", hook->argv[0], wrong ? wrong : "done");
		buf_free(&reply);
	}
	return HOOK_GO;
}

/* Does what was ordered for this point of the call. */
enum hook_verdict hook_run(struct imafs *fs, struct call *call)
{
	struct hook **at = &fs->hooks;
	enum hook_verdict verdict = HOOK_GO;

	while (*at && verdict == HOOK_GO) {
		struct hook *hook = *at;

		if (!hook_matches(hook, call)) {
			at = &hook->next;
			continue;
		}
		/* Off the list first: its command may change the list */
		*at = hook->next;
		verdict = hook_act(fs, hook, call);
		hook_free(hook);
		/* `clear` leaves none, and nothing else takes one away */
		if (!fs->hooks)
			break;
	}
	return verdict;
}
