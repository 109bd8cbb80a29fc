// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lock over all lists: readers, or one thread that writes (ima_measure_lock() and
 * ima_measure_unlock() of ima_fs.c)
 *
 * The thread that holds it may open more files for writing.  When others close them, the
 * kernel gets its count wrong: a reader stays that nobody can close.
 */
#include <errno.h>
#include <limits.h>

#include "imafs.h"

int lock_take(struct lock *lock, bool write, pid_t tid)
{
	if (write ? lock->users != 0 : lock->users < 0) {
		if (!write || lock->writer != tid)
			return -EBUSY;
		lock->extra++;
		return 0;
	}
	if (!write && lock->users == LONG_MAX)
		return -ENFILE;
	if (write) {
		lock->users--;
		lock->writer = tid;
	} else {
		lock->users++;
	}
	return 0;
}

void lock_drop(struct lock *lock, bool write, pid_t tid)
{
	if (!write) {
		lock->users--;
		return;
	}
	if (lock->extra && (lock->writer == tid || lock->fixed)) {
		lock->extra--;
		return;
	}
	lock->users++;
	lock->writer = 0;
}
