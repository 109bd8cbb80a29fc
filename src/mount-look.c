// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who waits for a look at the machine: one thread looks for all of them
 *
 * Others may have the lists open for long.  Threads that serve the file system must not wait
 * for that: they are few, and what asks for something else would wait, too.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "mount.h"

/* Between attempts while others have a list open, in milliseconds */
#define PAUSE_FIRST 10
#define PAUSE_LAST  200
/* For the look that runs while it ends, in seconds */
#define LAST_LOOK 1

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* All that wait now: the look that follows is later than what they asked. */
static struct mount_request *take_all(struct mount_looker *looker)
{
	struct mount_request *all;

	pthread_mutex_lock(&looker->lock);
	while (!looker->first && !looker->ends)
		pthread_cond_wait(&looker->changed, &looker->lock);
	all = looker->first;
	looker->first = NULL;
	pthread_mutex_unlock(&looker->lock);
	return all;
}

static void put_back(struct mount_looker *looker, struct mount_request *request)
{
	pthread_mutex_lock(&looker->lock);
	request->next = looker->first;
	looker->first = request;
	pthread_mutex_unlock(&looker->lock);
}

/* Sleeps, unless it is to end; whether it is. */
static bool pause_or_end(struct mount_looker *looker, unsigned int pause)
{
	uint64_t until = now_ms() + pause;
	struct timespec time = { (time_t)(until / 1000), (long)(until % 1000) * 1000000L };
	bool ends;

	pthread_mutex_lock(&looker->lock);
	while (pause && !looker->ends &&
	       pthread_cond_timedwait(&looker->changed, &looker->lock, &time) != ETIMEDOUT)
		;
	ends = looker->ends;
	pthread_mutex_unlock(&looker->lock);
	return ends;
}

/* Is this attempt the last one for any of them? */
static bool is_last(const struct mount_request *all, uint64_t now)
{
	bool last = false;

	for (; all; all = all->next)
		last |= now >= all->until;
	return last;
}

/* Those that still have time wait on; whether there are any. */
static bool answer(struct mount_looker *looker, struct mount_request *all, uint64_t now,
		   int rc)
{
	struct mount_request *next;
	bool waiting = false;

	for (; all; all = next) {
		next = all->next;
		if (rc == EBUSY && now < all->until && !all->is_given_up(all)) {
			put_back(looker, all);
			waiting = true;
		} else {
			all->answer(all, rc == EBUSY && now < all->until ? EINTR : rc);
		}
	}
	return waiting;
}

static void *look_for_all(void *arg)
{
	struct mount_looker *looker = arg;
	unsigned int pause = PAUSE_FIRST;

	for (;;) {
		struct mount_request *all = take_all(looker);
		uint64_t now = now_ms();
		int rc;

		if (pause_or_end(looker, 0)) {
			answer(looker, all, UINT64_MAX, EIO);
			return NULL;
		}
		rc = mount_log_try(looker->log, is_last(all, now));
		looker->has_looked(looker);
		if (!answer(looker, all, now, rc)) {
			pause = PAUSE_FIRST;
			continue;
		}
		pause_or_end(looker, pause);
		pause = 2 * pause < PAUSE_LAST ? 2 * pause : PAUSE_LAST;
	}
}

void mount_looker_add(struct mount_looker *looker, struct mount_request *request)
{
	request->until = now_ms() + looker->log->wait_ms;
	put_back(looker, request);
	pthread_cond_signal(&looker->changed);
}

int mount_looker_start(struct mount_looker *looker, struct mount_log *log)
{
	pthread_condattr_t monotonic;
	sigset_t all, before;
	int rc;

	looker->log = log;
	pthread_mutex_init(&looker->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&looker->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&looker->thread, NULL, look_for_all, looker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

void mount_looker_stop(struct mount_looker *looker)
{
	struct timespec until;

	pthread_mutex_lock(&looker->lock);
	looker->ends = true;
	pthread_mutex_unlock(&looker->lock);
	pthread_cond_signal(&looker->changed);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LAST_LOOK;
	if (pthread_timedjoin_np(looker->thread, NULL, &until) != 0) {
		looker->is_late(looker);
		pthread_join(looker->thread, NULL);
	}
	pthread_cond_destroy(&looker->changed);
	pthread_mutex_destroy(&looker->lock);
}
