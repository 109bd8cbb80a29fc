// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket
 *
 * A client sends the words of a command, each with a NUL, and closes its side.  It gets
 * "+" and the output, or "-" and what is wrong.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "imafs.h"

#define WORDS_MAX	 4096
#define SERVER_PATIENCE	 5   /* seconds */
#define CLIENT_PATIENCE	 120 /* long lists take the TPM a while */
#define AWAIT_PATIENCE_S 20

/* A path may be longer than an address has room for: its directory is opened then. */
static int socket_at(const char *path, bool server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : xstrdup("./");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int dir_fd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc;

	free(dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
		 dir_fd, slash ? slash + 1 : path);
	if (server)
		unlink(path);
	rc = (server ? bind : connect)(fd, (struct sockaddr *)&address, sizeof(address));
	if (dir_fd >= 0)
		close(dir_fd);
	if (rc == 0 && (!server || listen(fd, 16) == 0))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void be_patient(int fd, int seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static bool send_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

		if (sent <= 0)
			return false;
		data += sent;
		size -= (size_t)sent;
	}
	return true;
}

static bool receive_all(int fd, struct buf *data)
{
	char part[65536];
	ssize_t got;

	while ((got = recv(fd, part, sizeof(part), 0)) > 0)
		buf_put(data, part, (size_t)got);
	return got == 0;
}

/* ---- server ---- */

int control_listen(const char *path)
{
	return socket_at(path, true);
}

static size_t split_words(struct buf *request, char **words)
{
	size_t count = 0;

	buf_put(request, "", 1);
	for (size_t at = 0; at + 1 < request->size && count < WORDS_MAX;) {
		words[count] = (char *)request->data + at;
		at += strlen(words[count++]) + 1;
	}
	return count;
}

static void serve_client(struct imafs *fs, int fd)
{
	static char *words[WORDS_MAX];
	struct buf request = { 0 }, reply = { 0 };
	const char *wrong = "the request did not end";

	buf_put(&reply, "+", 1);
	if (receive_all(fd, &request))
		wrong = command_run(fs, split_words(&request, words), words, &reply);
	if (wrong) {
		reply.size = 0;
		buf_printf(&reply, "-%s", wrong);
	}
	send_all(fd, reply.data, reply.size);
	buf_free(&request);
	buf_free(&reply);
}

void control_serve(struct imafs *fs, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	be_patient(fd, SERVER_PATIENCE);
	serve_client(fs, fd);
	close(fd);
}

/* ---- client ---- */

/* Takes a reply; the caller frees it. */
static void ask(const char *path, int argc, char **argv, struct buf *reply)
{
	int fd = socket_at(path, false);
	struct buf request = { 0 };

	if (fd < 0)
		die("'%s': %s", path, strerror(errno));
	be_patient(fd, CLIENT_PATIENCE);
	for (int i = 0; i < argc; i++)
		buf_put(&request, argv[i], strlen(argv[i]) + 1);
	if (!send_all(fd, request.data, request.size) || shutdown(fd, SHUT_WR) != 0 ||
	    !receive_all(fd, reply) || reply->size == 0)
		die("'%s': no reply to '%s'", path, argv[0]);
	close(fd);
	buf_free(&request);
}

static int print_reply(const char *command, struct buf *reply)
{
	int status = reply->data[0] == '+' ? 0 : 1;

	if (status)
		warnx("%s: %.*s", command, (int)reply->size - 1, reply->data + 1);
	else
		fwrite(reply->data + 1, 1, reply->size - 1, stdout);
	buf_free(reply);
	return fflush(stdout) == 0 ? status : 1;
}

/* Waits until a request is stalled. */
static int await(const char *path, const char *seconds)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	long rounds = (seconds ? atol(seconds) : AWAIT_PATIENCE_S) * 200;
	char word[] = "stalled", *words[] = { word };
	struct buf reply = { 0 };

	while (rounds-- > 0) {
		ask(path, 1, words, &reply);
		if (reply.size > 1)
			return print_reply("await", &reply);
		buf_free(&reply);
		nanosleep(&pause, NULL);
	}
	warnx("await: no request was stalled");
	return 1;
}

/* imafs ctl SOCKET COMMAND [ARG]... */
int control_client(int argc, char **argv)
{
	struct buf reply = { 0 };

	if (argc < 2)
		die("usage: imafs ctl SOCKET COMMAND [ARG]...");
	if (strcmp(argv[1], "await") == 0)
		return await(argv[0], argv[2]);
	/* The kernel logs whole paths */
	for (int i = 2; strcmp(argv[1], "measure") == 0 && i < argc; i++) {
		char *path = realpath(argv[i], NULL);

		if (!path)
			die("'%s': %s", argv[i], strerror(errno));
		argv[i] = path;
	}
	ask(argv[0], argc - 1, argv + 1, &reply);
	return print_reply(argv[1], &reply);
}
