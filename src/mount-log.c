// SPDX-License-Identifier: GPL-2.0-or-later
/* The log that `imalog mount` shows: one thread at a time looks or reads. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <syslog.h>

#include "mount.h"

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
	if (log->said && strcmp(log->said, text) == 0) {
		free(text);
		return;
	}
	free(log->said);
	log->said = text;
	if (log->in_background)
		syslog(LOG_WARNING, "%s", text);
	else
		complain("%s", text);
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

int mount_log_try(struct mount_log *log, bool last)
{
	int rc, result = 0;

	if (mount_log_is_hidden(log))
		return ELOOP;
	pthread_mutex_lock(&log->lock);
	rc = imalog_follower_look(log->follower, log->error);
	if (rc > 0) {
		say_notes(log);
	} else if (rc < 0) {
		result = fail(log, last || imalog_error_os_errno(log->error) != EBUSY);
	} else if (!imalog_follower_is_doubtful(log->follower)) {
		/* What was wrong is over; if it comes again, it is to be said again. */
		free(log->said);
		log->said = NULL;
		log->said_busy = false;
	}
	pthread_mutex_unlock(&log->lock);
	return result;
}

void mount_log_now(struct mount_log *log, const struct mount_files *files,
		   struct mount_now *now)
{
	*now = (struct mount_now){ .log = 0 };
	pthread_mutex_lock(&log->lock);
	now->log = imalog_follower_log(log->follower);
	now->doubtful = imalog_follower_is_doubtful(log->follower);
	for (size_t i = 0; i < files->nr; i++)
		if (files->file[i].kind == MOUNT_LIST)
			now->sized[i] = imalog_follower_size(log->follower,
							     &files->file[i].shape,
							     &now->size[i], NULL) == 0;
	pthread_mutex_unlock(&log->lock);
}

/*
 * As much as is known, over the ends of segments.  The kernel takes what is less for the end,
 * and shows zeros behind it: of a list that it keeps it must get all or none.
 */
static int read_all(struct mount_log *log, const struct imalog_shape *shape, uint64_t offset,
		    uint8_t *to, size_t size, size_t *got)
{
	size_t part = 1;
	uint64_t end;

	*got = 0;
	while (part && *got < size) {
		if (imalog_follower_read(log->follower, shape, offset + *got, to + *got,
					 size - *got, &part, log->error) < 0)
			return *got && imalog_follower_size(log->follower, shape, &end,
							    NULL) < 0 ?
				       0 :
				       fail(log, true);
		*got += part;
	}
	return 0;
}

int mount_log_read(struct mount_log *log, uint64_t of, const struct imalog_shape *shape,
		   uint64_t offset, void *to, size_t size, size_t *got)
{
	int rc = ESTALE;

	pthread_mutex_lock(&log->lock);
	if (of == imalog_follower_log(log->follower))
		rc = read_all(log, shape, offset, to, size, got);
	pthread_mutex_unlock(&log->lock);
	return rc;
}
