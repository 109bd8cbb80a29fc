// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests: carried out in the order in which they come, unless a test stalls one
 *
 * A stalled request must not outlive its caller, whom the kernel lets die only when it
 * has its reply, nor last for ever.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "imafs.h"

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec;
}

/* ---- the caller ---- */

static unsigned int count_children(const struct task *task)
{
	char path[64], text[4096];
	unsigned int count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", task->pid, task->tid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%4095s", text) == 1)
		count++;
	if (file)
		fclose(file);
	return count;
}

static bool sigkill(uint64_t pending)
{
	return pending >> (SIGKILL - 1) & 1;
}

void task_look(struct task *task, pid_t tid)
{
	char path[64], line[256];
	uint64_t pending;
	FILE *file;

	*task = (struct task){ .tid = tid, .pid = tid, .killed = true };
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	file = fopen(path, "re");
	if (!file)
		return;
	task->killed = false;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "Name: %31s", task->comm);
		sscanf(line, "Tgid: %d", &task->pid);
		sscanf(line, "Threads: %u", &task->threads);
		sscanf(line, "CapEff: %" SCNx64, &task->capabilities);
		if (sscanf(line, "SigPnd: %" SCNx64, &pending) == 1)
			task->killed = sigkill(pending);
	}
	fclose(file);
	task->children = count_children(task);
}

/* ---- the log ---- */

static void log_text(struct buf *log, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size && i < 100; i++) {
		if (data[i] == '\n')
			buf_printf(log, "\\n");
		else if (data[i] < ' ' || data[i] > '~' || data[i] == '\\' ||
			 data[i] == '"')
			buf_printf(log, "\\x%02x", data[i]);
		else
			buf_put(log, data + i, 1);
	}
}

static void log_call(struct imafs *fs, const struct call *call)
{
	static const char *const names[] = { "open", "read", "write", "flush",
					     "release" };
	static const char *const modes[] = { "RD", "WR", "RDWR" };
	const struct task *task = &call->task;
	struct buf *log = &fs->log;

	buf_printf(log,
		   "%u tid=%d pid=%d comm=%s threads=%u children=%u writers=%u %s %s",
		   ++fs->nr_calls, task->tid, task->pid, task->comm, task->threads,
		   task->children, fs->nr_writers, names[call->op], call->node->name);
	buf_printf(log, " h%u", call->id);
	if (call->op == OP_OPEN)
		buf_printf(log, " %s", modes[call->access]);
	if (call->op == OP_READ)
		buf_printf(log, " @%" PRIu64 " +%zu", call->offset, call->size);
	if (call->op == OP_WRITE) {
		buf_printf(log, " \"");
		log_text(log, call->data, call->size);
		buf_printf(log, "\"");
	}
	buf_printf(log, " = %d\n", call->result);
}

/* ---- one call ---- */

static void call_stall(struct imafs *fs, struct call *call)
{
	struct call **last = &fs->stalled;

	while (*last)
		last = &(*last)->next;
	call->next = NULL;
	call->stalled_at = now();
	*last = call;
}

static void call_finish(struct imafs *fs, struct call *call)
{
	call_reply(fs, call);
	free(call->data);
	free(call);
}

static void call_go(struct imafs *fs, struct call *call)
{
	if (!call->done) {
		if (hook_run(fs, call) == HOOK_STALL) {
			call_stall(fs, call);
			return;
		}
		/* A file that is closed stays closed, whatever was ordered */
		if (!call->failed || call->op == OP_RELEASE)
			call->result = file_call(fs, call);
		tpm_end(&fs->kernel.tpm);
		call->done = true;
		call->resumed = false;
		log_call(fs, call);
	}
	if (hook_run(fs, call) == HOOK_STALL)
		call_stall(fs, call);
	else
		call_finish(fs, call);
}

void call_submit(struct imafs *fs, struct call *call)
{
	struct call *own = xcalloc(1, sizeof(*own));

	*own = *call;
	call_go(fs, own);
}

void call_resume(struct imafs *fs)
{
	struct call *call = fs->stalled;

	fs->stalled = NULL;
	while (call) {
		struct call *next = call->next;

		call->resumed = true;
		call_go(fs, call);
		call = next;
	}
}

static bool call_hopeless(const struct call *call)
{
	struct task task;

	task_look(&task, call->task.tid);
	return task.killed || now() - call->stalled_at > STALL_MAX;
}

void call_reap(struct imafs *fs)
{
	for (struct call **at = &fs->stalled; *at;) {
		struct call *call = *at;

		if (!call_hopeless(call)) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		buf_printf(&fs->log, "# tid=%d: given up\n", call->task.tid);
		if (!call->done && call->op != OP_FLUSH) {
			call->failed = true;
			call->result = -EINTR;
		}
		call->resumed = true;
		call_go(fs, call);
	}
}
