// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stand-in for the kernel's side of IMA: /sys/kernel/security below a directory
 *
 * It behaves as a kernel does that can give its measurement list away (Linux 7.2), or as
 * an older one: files, modes, the lock by thread, every errno, reads of one page,
 * records, TPM.  Tests say through a socket what happens.  One thread serves one request
 * after the other, so that what tests see is always the same.
 *
 * What FUSE cannot imitate:
 * - A write of no bytes never reaches a FUSE file system: 0, where the kernel says
 * EINVAL.
 * - writev() of several parts arrives as one write, where the kernel takes each part
 * alone.
 * - pwrite() works, where the kernel says ESPIPE.
 * - lseek() from the end works and ends at 0, where the kernel says EINVAL.
 * - sendfile(), splice() and copy_file_range() from a list read it, where the kernel says
 *   EINVAL or EXDEV; a private mapping is possible, where the kernel says ENODEV.
 * - A bad address gives EFAULT before the file is asked; the kernel checks the size
 * first.
 * - A write moves the position that lseek(fd, 0, SEEK_CUR) tells.  Reads that follow are
 *   put right, unless a pread() comes between.
 * - A policy write without newline returns its length, where the kernel says one more.
 * - Who closed last: the last close() counts, which is not always where the last
 * reference goes (a read that is under way in another thread, a descriptor in a socket's
 * queue). The kernel compares tasks, this compares thread ids, which may be used again.
 * - A walk to a position takes no time, where the kernel's is O(n).
 * - Processes live on through a kexec or reboot.  What they hold open then gives ENODEV.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imafs.h"

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
}

/* ---- running ---- */

static void write_pid(const char *dir)
{
	char *path = path_in(dir, "imafs.pid");
	FILE *file = fopen(path, "we");

	if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file) != 0)
		warn("%s", path);
	free(path);
}

/* The parent waits for a byte that says that all is mounted, and ends. */
static int go_background(void)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC) != 0 || (pid = fork()) < 0)
		die("cannot go to the background: %s", strerror(errno));
	close(ready[pid > 0]);
	if (pid > 0)
		_exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
	setsid();
	return ready[1];
}

/* Whoever waits for the end of our output must not wait for us. */
static void say_ready(const char *dir, int ready)
{
	char *path = path_in(dir, "imafs.log");
	int log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(null);
	close(log);
	free(path);
	if (write(ready, "", 1) == 1)
		close(ready);
}

static void serve(struct imafs *fs, int listener)
{
	struct pollfd files[] = { { fuse_fd(fs), POLLIN, 0 }, { listener, POLLIN, 0 } };

	while (!fs->quit && !signalled) {
		if (poll(files, 2, fs->stalled ? 20 : 1000) < 0)
			continue;
		if (files[0].revents)
			fuse_serve(fs);
		if (files[1].revents)
			control_serve(fs, listener);
		call_reap(fs);
	}
}

static void catch_signals(unsigned int lifetime)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	alarm(lifetime);
}

static void boot(struct imafs *fs)
{
	policy_init(&fs->policy);
	kernel_reset(&fs->kernel);
	kernel_boot(&fs->kernel);
	if (fs->kernel.tpm.trouble)
		die("'%s': %s", fs->kernel.tpm.tcti, fs->kernel.tpm.trouble);
	tpm_end(&fs->kernel.tpm);
}

/* When the file with the process is gone, so is all else. */
static void stop(struct imafs *fs)
{
	char *path = path_in(fs->machine.dir, "imafs.pid");

	if (fs->session)
		fuse_stop(fs);
	machine_stop(fs);
	unlink(path);
	free(path);
}

/* Returns the control socket; nothing is left mounted when it fails. */
static int start(struct imafs *fs)
{
	char *mountpoint = path_in(fs->machine.dir, "sys/kernel/security");
	char *socket = path_in(fs->machine.dir, "imafs.sock");
	const char *wrong = NULL;
	int listener = -1;

	if (!machine_start(fs))
		wrong = "cannot mount in proc";
	tree_init(&fs->tree, fs);
	if (!wrong && !(fs->session = fuse_start(fs, mountpoint)))
		wrong = mountpoint;
	if (!wrong && (listener = control_listen(socket)) < 0)
		wrong = socket;
	if (wrong) {
		warn("%s", wrong);
		stop(fs);
	}
	free(mountpoint);
	free(socket);
	return listener;
}

int main(int argc, char **argv)
{
	static struct imafs fs;
	int listener, ready = -1;

	if (argc > 1 && strcmp(argv[1], "ctl") == 0)
		return control_client(argc - 2, argv + 2);
	fs.machine.dir = realpath(parse_options(&fs, argc, argv), NULL);
	if (!fs.machine.dir)
		die("'%s': %s", argv[optind], strerror(errno));
	close_range(3, ~0U, 0);
	if (!fs.foreground)
		ready = go_background();
	catch_signals(fs.lifetime);
	boot(&fs);
	listener = start(&fs);
	if (listener < 0)
		return 1;
	write_pid(fs.machine.dir);
	if (!fs.foreground)
		say_ready(fs.machine.dir, ready);
	serve(&fs, listener);
	stop(&fs);
	return 0;
}
