// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one thread that touches what may hang: the store's disk, the kernel's files, the TPM
 *
 * A disk that is gone may fail, or say nothing at all, for as long as it likes.  Whoever asks
 * for a job waits so long and no longer; the thread goes on with it, alone, and takes the next
 * one when its disk is back.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "mount.h"

/* Between looks whether it is all to end, in milliseconds */
#define SLICE 100
/* So many wait for a job that takes longer than usual: more have nobody left to serve others */
#define WAITERS_MAX 6
#define USUAL	    3000
/* For the job that runs while it ends */
#define LAST_JOB 1000

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_a_slice(struct mount_worker *worker, pthread_cond_t *changed)
{
	uint64_t until = now_ms() + SLICE;
	struct timespec time = { (time_t)(until / 1000), (long)(until % 1000) * 1000000L };

	pthread_cond_timedwait(changed, &worker->lock, &time);
}

/* The next one; NULL: it ends */
static struct mount_job *take_job(struct mount_worker *worker)
{
	struct mount_job *job;

	while (!worker->first && !worker->ends)
		pthread_cond_wait(&worker->has_come, &worker->lock);
	job = worker->ends ? NULL : worker->first;
	if (job)
		worker->first = job->next;
	return job;
}

static void *work(void *arg)
{
	struct mount_worker *worker = arg;
	struct mount_job *job;

	pthread_mutex_lock(&worker->lock);
	while ((job = take_job(worker))) {
		worker->runs = true;
		worker->since = now_ms();
		pthread_mutex_unlock(&worker->lock);
		job->run(job);
		pthread_mutex_lock(&worker->lock);
		worker->runs = false;
		job->done = true;
		if (job->left)
			free(job);
		pthread_cond_broadcast(&worker->is_done);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

/* Is there no use in waiting on?  @until: as long as this one may wait */
static bool is_hopeless(const struct mount_worker *worker, uint64_t until)
{
	uint64_t now = now_ms(), runs = worker->runs ? now - worker->since : 0;

	return worker->ends || now >= until || runs >= worker->limit_ms ||
	       (runs >= USUAL && worker->waiting > WAITERS_MAX);
}

static void add(struct mount_worker *worker, struct mount_job *job)
{
	struct mount_job **end = &worker->first;

	while (*end)
		end = &(*end)->next;
	job->next = NULL;
	*end = job;
	pthread_cond_signal(&worker->has_come);
}

/* While one hangs, others come for as long as that lasts: none that was left may stay. */
static void leave(struct mount_worker *worker, struct mount_job *job)
{
	struct mount_job **place = &worker->first;

	while (*place && *place != job)
		place = &(*place)->next;
	if (*place) {
		*place = job->next;
		free(job);
	} else {
		job->left = true; /* it runs */
	}
}

bool mount_worker_do(struct mount_worker *worker, struct mount_job *job)
{
	uint64_t until = now_ms() + worker->limit_ms;
	bool done;

	job->done = job->left = false;
	if (!worker->started) {
		job->run(job);
		return true;
	}
	pthread_mutex_lock(&worker->lock);
	add(worker, job);
	worker->waiting++;
	while (!job->done && !is_hopeless(worker, until)) {
		wait_a_slice(worker, &worker->is_done);
		if (worker->has_ended && worker->has_ended(worker->arg))
			worker->ends = true;
	}
	worker->waiting--;
	done = job->done;
	if (!done)
		leave(worker, job);
	pthread_mutex_unlock(&worker->lock);
	return done;
}

int mount_worker_start(struct mount_worker *worker)
{
	pthread_condattr_t monotonic;
	sigset_t all, before;
	int rc;

	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->has_come, &monotonic);
	pthread_cond_init(&worker->is_done, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->started = rc == 0;
	return rc;
}

void mount_worker_end(struct mount_worker *worker)
{
	if (!worker->started)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->ends = true;
	pthread_cond_signal(&worker->has_come);
	pthread_cond_broadcast(&worker->is_done);
	pthread_mutex_unlock(&worker->lock);
}

bool mount_worker_join(struct mount_worker *worker)
{
	uint64_t until = now_ms() + LAST_JOB;
	bool runs;

	if (!worker->started)
		return true;
	mount_worker_end(worker);
	pthread_mutex_lock(&worker->lock);
	while (worker->runs && now_ms() < until)
		wait_a_slice(worker, &worker->is_done);
	runs = worker->runs;
	pthread_mutex_unlock(&worker->lock);
	if (runs)
		return false;
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->has_come);
	pthread_cond_destroy(&worker->is_done);
	pthread_mutex_destroy(&worker->lock);
	worker->started = false;
	return true;
}
