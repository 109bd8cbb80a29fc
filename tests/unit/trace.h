/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a function in a process that is killed, or fails, at a system call of a number. */
#ifndef TEST_TRACE_H
#define TEST_TRACE_H

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "test.h"

enum trace_how {
	TRACE_KILL, /* before and after each call that changes something */
	TRACE_FAIL, /* instead of each call that can fail */
};

#ifdef __x86_64__
#define TRACE_CAN_FAIL true
#include <sys/reg.h>
#else
#define TRACE_CAN_FAIL false
#endif

TEST_FN bool trace_changes(uint64_t nr)
{
	switch (nr) {
	case SYS_openat:
	case SYS_write:
	case SYS_fsync:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_unlinkat:
	case SYS_mkdirat:
	case SYS_symlinkat:
	case SYS_flock:
	case SYS_getppid: /* the machine's own */
#ifdef SYS_rename
	case SYS_rename:
	case SYS_mkdir:
	case SYS_unlink:
#endif
		return true;
	default:
		return false;
	}
}

TEST_FN bool trace_can_fail(uint64_t nr)
{
	return (trace_changes(nr) && nr != SYS_getppid) || nr == SYS_read || nr == SYS_close ||
	       nr == SYS_getdents64 || nr == SYS_readlinkat;
}

/* What a call that fails returns; close() closes all the same. */
TEST_FN void trace_fail(pid_t pid, bool entry, uint64_t nr, int os_errno)
{
#ifdef __x86_64__
	if (entry && nr != SYS_close)
		ptrace(PTRACE_POKEUSER, pid, (void *)(8 * ORIG_RAX), (void *)-1L);
	if (!entry)
		ptrace(PTRACE_POKEUSER, pid, (void *)(8 * RAX), (void *)(long)-os_errno);
#else
	(void)pid;
	(void)entry;
	(void)nr;
	(void)os_errno;
#endif
}

TEST_FN pid_t trace_start(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		BAIL_OUT("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(126);
		raise(SIGSTOP);
		_exit(run());
	}
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return -1;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   (void *)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) != 0) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return -1;
	}
	return pid;
}

/*
 * Does it at stop number @at, from 0.  Returns the exit status of the function, -1 when it was
 * killed, -2 when it ended before that stop (@at was too large), -3 when it cannot be traced.
 */
TEST_FN int trace(int (*run)(void), enum trace_how how, int at, int os_errno)
{
	pid_t pid = trace_start(run);
	uint64_t nr = 0;
	bool reached = false, failing = false;
	int status, stop = 0;

	if (pid < 0)
		return -3;
	for (;;) {
		struct __ptrace_syscall_info info;
		bool entry;

		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		if (waitpid(pid, &status, 0) != pid)
			BAIL_OUT("cannot wait: %s", strerror(errno));
		if (WIFEXITED(status))
			return reached ? WEXITSTATUS(status) : -2;
		if (WIFSIGNALED(status))
			return WTERMSIG(status) == SIGKILL ? -1 : 128 + WTERMSIG(status);
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0)
			BAIL_OUT("cannot trace: %s", strerror(errno));
		entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
		if (entry)
			nr = info.entry.nr;
		if (failing) {
			trace_fail(pid, false, nr, os_errno);
			failing = false;
		} else if (how == TRACE_KILL && trace_changes(nr)) {
			if (stop++ == at)
				kill(pid, SIGKILL);
		} else if (how == TRACE_FAIL && entry && trace_can_fail(nr)) {
			if (stop++ != at)
				continue;
			trace_fail(pid, true, nr, os_errno);
			reached = failing = true;
		}
	}
}

#endif /* TEST_TRACE_H */
