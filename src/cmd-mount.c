// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog mount: shows the log as if nothing had ever left the kernel. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "mount.h"

enum { OPT_FOREGROUND = OPT_OWN };

static const struct option long_options[] = {
	COMMON_LONG,
	STORE_LONG,
	TPM_LONG,
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ NULL, 0, NULL, 0 },
};

#ifdef HAVE_FUSE
/* Between attempts while others have a list open, in milliseconds */
#define PAUSE 20
/* What answers later than that, in milliseconds, is as good as gone */
#define LIMIT 10000

/* ---- the mount point ---- */

/* The number that the kernel gave to the mount that an open file is in; 0: not known */
static unsigned int mount_of(int fd)
{
	char path[64], line[256];
	unsigned int id = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	while (info && id == 0 && fgets(line, sizeof(line), info))
		sscanf(line, "mnt_id: %u", &id);
	if (info)
		fclose(info);
	return id;
}

/* Is it one of these?  By its number: there are many ways to write the name of a directory. */
static bool is_ours(unsigned int mount)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	unsigned int id;
	size_t room = 0;
	bool ours = false;

	while (mounts && !ours && getline(&line, &room, mounts) > 0)
		ours = sscanf(line, "%u ", &id) == 1 && id == mount &&
		       strstr(line, " - fuse.imalog ");
	free(line);
	if (mounts)
		fclose(mounts);
	return ours;
}

/* What a process that was killed has left is taken away. */
static int take_away_left_over(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	char path[64];

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || errno != ENOTCONN)
		return EXIT_YES;
	/* Nobody has to answer for that. */
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd >= 0 && is_ours(mount_of(fd)))
		rc = umount2(path, MNT_DETACH);
	if (rc < 0)
		complain("cannot unmount '%s', which a killed process has left: %s", dir,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc < 0 ? EXIT_UNABLE : EXIT_YES;
}

/* What is in it would be hidden. */
static int check_empty(const char *dir)
{
	const struct dirent *entry;
	DIR *open = opendir(dir);
	bool empty = true;

	if (!open) {
		complain("cannot open '%s': %s", dir, strerror(errno));
		return EXIT_UNABLE;
	}
	while ((entry = readdir(open)))
		empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	closedir(open);
	if (empty)
		return EXIT_YES;
	complain("'%s' is not empty", dir);
	return EXIT_UNABLE;
}

/* ---- what is shown ---- */

/* In the background the current directory is another. */
static char *absolute(const char *path)
{
	char *here = NULL, *whole = NULL;

	if (path[0] == '/' || path[0] == '\0')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (here && asprintf(&whole, "%s/%s", here, path) < 0)
		whole = NULL;
	free(here);
	return whole;
}

/* Its first record, when nothing has left the kernel or the store has it */
static bool has_boot_aggregate(struct mount_log *log)
{
	static const struct imalog_shape list = { .alg = IMALOG_ALG_SHA1 };
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_source *source = NULL;
	struct imalog_reader *reader = NULL;
	struct imalog_record *record;
	uint8_t bytes[4096];
	size_t size = 0;
	bool has = false;

	if (templates && imalog_follower_read(log->follower, &list, 0, bytes, sizeof(bytes),
					      &size, log->error) == 0)
		source = imalog_source_from_memory(bytes, size, "list");
	if (source)
		reader = imalog_reader_new(source, templates);
	if (reader) {
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		has = imalog_reader_next(reader, &record, NULL) > 0 &&
		      imalog_record_is_boot_aggregate(record);
	}
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_templates_free(&templates);
	return has;
}

/* A disk that is not mounted looks like a machine that has never exported. */
static void say_missing(struct mount_log *log)
{
	if (!log->quiet && !imalog_follower_epoch(log->follower) &&
	    !imalog_follower_is_doubtful(log->follower) && !has_boot_aggregate(log))
		complain("note: the log does not begin with boot_aggregate, and nothing that "
			 "comes before is in the store '%s': is its disk mounted?",
			 log->store);
}

static int open_log(struct mount_log *log, struct machine *machine, const char *root,
		    const char *store)
{
	const struct config *config = &machine->config;
	const char *tcti;
	enum imalog_tpm_use use = config_tpm(config, &machine->options, &tcti);
	bool named = machine->options.store || config->given[CONFIG_STORE];
	int rc;

	if (named && access(store, F_OK) != 0) {
		complain("there is no store '%s'", store);
		return EXIT_UNABLE;
	}
	log->error = machine->error;
	log->store = store;
	log->wait_ms = config->wait_ms;
	log->worker.limit_ms = log->wait_ms > LIMIT ? log->wait_ms : LIMIT;
	log->quiet = machine->options.quiet;
	log->verbose = machine->options.verbose;
	log->follower = imalog_follower_new(root, store);
	if (!log->follower ||
	    imalog_follower_set_tpm(log->follower, use, tcti, log->error) < 0)
		return out_of_memory();
	for (unsigned int waited = 0;; waited += PAUSE) {
		rc = mount_log_try(log, waited >= log->wait_ms);
		if (rc != EBUSY || waited >= log->wait_ms)
			break;
		usleep(PAUSE * 1000);
	}
	if (rc)
		return exit_code_of(log->failed);
	say_missing(log);
	return EXIT_YES;
}

static int mount_on(struct machine *machine, const char *dir)
{
	struct mount_log log = { .lock = PTHREAD_MUTEX_INITIALIZER,
				 .blocks.lock = PTHREAD_MUTEX_INITIALIZER };
	struct mount_files files = { .nr = 0 };
	char *root = absolute(machine->options.root), *store = absolute(machine->config.store);
	char *point = absolute(dir);
	int rc = root && store && point ? EXIT_YES : out_of_memory();

	if (rc == EXIT_YES)
		rc = take_away_left_over(point);
	if (rc == EXIT_YES)
		rc = check_empty(point);
	if (rc == EXIT_YES)
		rc = mount_files_find(&files, root);
	log.files = &files;
	log.kernel = files.dir;
	if (rc == EXIT_YES)
		rc = open_log(&log, machine, root, store);
	if (rc == EXIT_YES)
		rc = mount_serve(&log, &files, point, machine->options.seen[OPT_FOREGROUND]);
	/*
	 * Nothing of what a thread that hangs may come back to is taken away from it; it may
	 * hold the lock of a stream that it reads.
	 */
	if (!mount_worker_join(&log.worker)) {
		fflush(stdout);
		_exit(rc);
	}
	mount_log_free(&log);
	mount_files_free(&files);
	free(root);
	free(store);
	free(point);
	return rc;
}
#else
static int mount_on(struct machine *machine, const char *dir)
{
	(void)machine;
	complain("cannot mount on '%s': built without libfuse", dir);
	return EXIT_UNABLE;
}
#endif

static int run(struct machine *machine, const char *dir)
{
	return dir ? mount_on(machine, dir) :
		     usage_error(machine->options.command, "no directory to mount on");
}

static int cmd_mount_run(const struct command *command, int argc, char **argv)
{
	return machine_run(command, argc, argv, 1, run);
}

const struct command cmd_mount = {
	.name = "mount",
	.summary = "shows the list as if nothing had ever left the kernel",
	.usage = "[OPTION...] DIR",
	.help = "Mounts the kernel's files of measurements on the empty directory DIR, with all\n"
		"records since the TPM's reset: those in the store, those that are staged, and\n"
		"the list.  For programs that know nothing of staging.  Ends when it is\n"
		"unmounted, or with SIGTERM, which unmounts it.\n"
		"\n"
		"      --foreground           stay there, for service managers\n"
		MACHINE_STORE_HELP
		"      --wait TIME            how long a reader waits while others have a list or\n"
		"                             store open, such as 500ms, 5s, 2m; default 5s\n"
		"      --config FILE          the configuration; default /etc/imalog.conf\n"
		"      --root DIR             where /sys, /proc, /dev, /etc and the store are\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_mount_run,
};
