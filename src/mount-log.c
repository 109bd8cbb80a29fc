// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The log that `imalog mount` shows: one thread looks and reads, for all others
 *
 * These wait for it so long and no longer, and need it for nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <syslog.h>

#include "mount.h"

/* Was it said last, or is it kept as that? */
static bool was_said(struct mount_log *log, char *text)
{
	bool was;

	pthread_mutex_lock(&log->lock);
	was = log->said && strcmp(log->said, text) == 0;
	if (!was) {
		free(log->said);
		log->said = strdup(text);
	}
	pthread_mutex_unlock(&log->lock);
	return was;
}

void mount_say(struct mount_log *log, const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int size;

	va_start(args, format);
	size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		return;
	if (!was_said(log, text)) {
		if (log->in_background)
			syslog(LOG_WARNING, "%s", text);
		else
			complain("%s", text);
	}
	free(text);
}

/* What is to be said of the last look, as in live.c, but once */
static void say_notes(struct mount_log *log)
{
	enum imalog_note_kind kind;
	const char *note;
	char *all = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&all, &size);

	if (!file)
		return;
	for (size_t i = 0; (note = imalog_follower_note(log->follower, i, &kind)); i++)
		if (kind == IMALOG_NOTE_WRONG ||
		    (kind == IMALOG_NOTE_INFO ? log->verbose : !log->quiet))
			fprintf(file, "%snote: %s", i ? "; " : "", note);
	fclose(file);
	if (size && (!log->noted || strcmp(log->noted, all) != 0))
		mount_say(log, "%s", all);
	free(log->noted);
	log->noted = all;
}

/* One failure, to an errno value for who reads: busy, or that it does not work */
static int fail(struct mount_log *log, bool says)
{
	const char *source = imalog_error_source(log->error);
	bool busy = imalog_error_os_errno(log->error) == EBUSY;
	char text[512];

	imalog_error_format(log->error, text, sizeof(text));
	if (says && !(busy && log->said_busy)) {
		if (source[0])
			mount_say(log, "'%s': %s", source, text);
		else
			mount_say(log, "%s", text);
		/* By whom, and how many, may be another each time. */
		log->said_busy = busy;
	}
	log->failed = imalog_error_code(log->error);
	return busy ? EBUSY : EIO;
}

/* What the kernel knows of it is enough: nobody is asked. */
bool mount_log_is_hidden(const struct mount_log *log)
{
	struct statx stx;

	return log->device && log->kernel &&
	       statx(AT_FDCWD, log->kernel, AT_STATX_DONT_SYNC, 0, &stx) == 0 &&
	       makedev(stx.stx_dev_major, stx.stx_dev_minor) == log->device;
}

/* Nobody knows what the worker is waiting for, nor how long. */
static int say_stuck(struct mount_log *log)
{
	if (!log->worker.ends)
		mount_say(log,
			  "no answer for %u seconds from the store '%s', or from the kernel or "
			  "its TPM: nothing can be read until there is one",
			  log->worker.limit_ms / 1000, log->store);
	return EIO;
}

/* What needs no look */
static void publish(struct mount_log *log)
{
	const struct imalog_follower *follower = log->follower;
	struct mount_now now = { .log = imalog_follower_log(follower),
				 .records = imalog_follower_records(follower),
				 .doubtful = imalog_follower_is_doubtful(follower) };

	for (size_t i = 0; i < log->files->nr; i++) {
		const struct mount_file *file = &log->files->file[i];

		if (file->kind == MOUNT_COUNT)
			now.size[i] = (uint64_t)snprintf(NULL, 0, "%" PRIu64 "\n", now.records);
		if (file->kind == MOUNT_LIST && !file->undecided)
			now.sized[i] = imalog_follower_size(follower, &file->shape,
							    &now.size[i], NULL) == 0;
	}
	pthread_mutex_lock(&log->lock);
	log->now = now;
	pthread_mutex_unlock(&log->lock);
}

/* What was wrong is over; if it comes again, it is to be said again. */
static void forget_said(struct mount_log *log)
{
	pthread_mutex_lock(&log->lock);
	free(log->said);
	log->said = NULL;
	pthread_mutex_unlock(&log->lock);
	log->said_busy = false;
}

struct look {
	struct mount_job job; /* comes first */
	struct mount_log *log;
	bool last;
	int result;
};

static void look(struct mount_job *job)
{
	struct look *look = (struct look *)job;
	struct mount_log *log = look->log;
	int rc = imalog_follower_look(log->follower, log->error);

	if (rc > 0)
		say_notes(log);
	else if (rc < 0)
		look->result = fail(log, look->last ||
						 imalog_error_os_errno(log->error) != EBUSY);
	else if (!imalog_follower_is_doubtful(log->follower))
		forget_said(log);
	if (rc >= 0)
		look->result = mount_files_decide(log->files);
	publish(log);
}

int mount_log_try(struct mount_log *log, bool last)
{
	struct look *asked;
	int result;

	if (mount_log_is_hidden(log))
		return ELOOP;
	asked = calloc(1, sizeof(*asked));
	if (!asked)
		return ENOMEM;
	asked->job.run = look;
	asked->log = log;
	asked->last = last;
	if (!mount_worker_do(&log->worker, &asked->job))
		return say_stuck(log);
	result = asked->result;
	free(asked);
	return result;
}

void mount_log_now(struct mount_log *log, struct mount_now *now)
{
	pthread_mutex_lock(&log->lock);
	*now = log->now;
	pthread_mutex_unlock(&log->lock);
}

/* ---- reading ---- */

struct reading {
	struct mount_job job; /* comes first */
	struct mount_log *log;
	const struct mount_file *file;
	uint64_t of, offset;
	size_t size, got;
	int result;
	uint8_t bytes[];
};

/* As much as is known, over the ends of segments */
static int read_all(struct mount_log *log, struct mount_block *block, size_t size)
{
	size_t part = 1, *got = &block->size;

	while (part && *got < size) {
		if (imalog_follower_read(log->follower, &block->file->shape,
					 block->start + *got, block->bytes + *got,
					 size - *got, &part, log->error) < 0)
			return *got ? 0 : fail(log, true);
		*got += part;
	}
	return 0;
}

/* Perhaps more than is asked for */
static int read_block(struct reading *reading)
{
	struct mount_log *log = reading->log;
	size_t size = mount_blocks_size(&log->blocks, reading->of, reading->file,
					reading->offset, reading->size);
	struct mount_block *block = malloc(sizeof(*block) + size);
	int rc;

	if (!block)
		return ENOMEM;
	*block = (struct mount_block){ reading->of, reading->file, reading->offset, 0 };
	rc = read_all(log, block, size);
	reading->got = block->size < reading->size ? block->size : reading->size;
	memcpy(reading->bytes, block->bytes, reading->got);
	if (block->size)
		mount_blocks_put(&log->blocks, block);
	else
		free(block);
	return rc;
}

/* Of digests that nobody knows nothing is shown. */
static int check_decided(struct mount_log *log, const struct mount_file *file)
{
	if (file->undecided)
		mount_files_decide(log->files);
	if (!file->undecided)
		return 0;
	mount_say(log,
		  "'%s' cannot be read yet: no record in the kernel's lists tells whether it "
		  "computes these digests",
		  file->name);
	return EBUSY;
}

static void read_part(struct mount_job *job)
{
	struct reading *reading = (struct reading *)job;
	struct mount_log *log = reading->log;

	reading->result = ESTALE;
	if (reading->of != imalog_follower_log(log->follower))
		return;
	/* Another may have read it meanwhile. */
	reading->got = mount_blocks_read(&log->blocks, reading->of, reading->file,
					 reading->offset, reading->bytes, reading->size);
	reading->result = reading->got ? 0 : check_decided(log, reading->file);
	if (reading->result == 0 && reading->got == 0)
		reading->result = read_block(reading);
}

static int ask_to_read(struct mount_log *log, uint64_t of, const struct mount_file *file,
		       uint64_t offset, void *to, size_t size, size_t *got)
{
	struct reading *reading = malloc(sizeof(*reading) + size);
	int result;

	if (!reading)
		return ENOMEM;
	*reading = (struct reading){ .job.run = read_part, .log = log, .file = file, .of = of,
				     .offset = offset, .size = size };
	if (!mount_worker_do(&log->worker, &reading->job))
		return say_stuck(log);
	result = reading->result;
	*got = reading->got;
	memcpy(to, reading->bytes, *got);
	free(reading);
	return result;
}

static bool is_current(struct mount_log *log, uint64_t of)
{
	bool current;

	pthread_mutex_lock(&log->lock);
	current = of == log->now.log;
	pthread_mutex_unlock(&log->lock);
	return current;
}

/*
 * What is less than was asked for is taken for the end by the kernel, which then shows zeros
 * behind it: of a list that it keeps it must get all or none.
 */
static bool is_kept(struct mount_log *log, const struct mount_file *file)
{
	bool kept;

	pthread_mutex_lock(&log->lock);
	kept = log->now.sized[file - log->files->file];
	pthread_mutex_unlock(&log->lock);
	return kept;
}

int mount_log_read(struct mount_log *log, uint64_t of, const struct mount_file *file,
		   uint64_t offset, void *to, size_t size, size_t *got)
{
	size_t part = 1;
	int rc = is_current(log, of) ? 0 : ESTALE;

	*got = 0;
	while (rc == 0 && part && *got < size) {
		uint8_t *rest = (uint8_t *)to + *got;

		part = mount_blocks_read(&log->blocks, of, file, offset + *got, rest,
					 size - *got);
		if (!part)
			rc = ask_to_read(log, of, file, offset + *got, rest, size - *got,
					 &part);
		*got += part;
	}
	return *got && !is_kept(log, file) ? 0 : rc;
}

void mount_log_free(struct mount_log *log)
{
	imalog_follower_free(&log->follower);
	mount_blocks_free(&log->blocks);
	free(log->said);
	free(log->noted);
}
