// SPDX-License-Identifier: GPL-2.0-or-later
/* How far a long run is, on standard error when that is a terminal. */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* Records between looks at the clock. */
#define STRIDE 16384

static struct {
	struct timespec begun;
	time_t shown;
} state;

void progress(uint64_t records)
{
	struct timespec now;

	if (records % STRIDE && state.begun.tv_sec)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!state.begun.tv_sec)
		state.begun = now;
	if (now.tv_sec <= state.begun.tv_sec + 1 || now.tv_sec == state.shown ||
	    !isatty(STDERR_FILENO))
		return;
	state.shown = now.tv_sec;
	fprintf(stderr, "\r%" PRIu64 " records", records);
}

void progress_end(void)
{
	if (state.shown)
		fputs("\r\033[K", stderr);
	state.shown = 0;
}
