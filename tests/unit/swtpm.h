/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A software TPM for test programs, on a socket in a directory of its own. */
#ifndef TEST_SWTPM_H
#define TEST_SWTPM_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

struct swtpm {
	char dir[64];
	char socket[80];
	char control[88];
	char tcti[96];
	pid_t pid;
};

/* Starts a program, which ends with this one at the latest. */
TEST_FN pid_t swtpm_spawn(const char *const *argv)
{
	pid_t pid = fork();

	if (pid < 0)
		BAIL_OUT("cannot fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr))
		execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* The exit status; 127 when there is no such program */
TEST_FN int swtpm_wait(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		BAIL_OUT("cannot wait: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

#define RUN(...) swtpm_wait(swtpm_spawn((const char *const[]){ __VA_ARGS__, NULL }))

/* A socket is there before anybody listens on it. */
TEST_FN bool swtpm_listens(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	ok = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

TEST_FN void swtpm_start(struct swtpm *tpm)
{
	char state[80], server[112], control[112];

	snprintf(state, sizeof(state), "dir=%s", tpm->dir);
	snprintf(server, sizeof(server), "type=unixio,path=%s", tpm->socket);
	snprintf(control, sizeof(control), "type=unixio,path=%s", tpm->control);
	tpm->pid = swtpm_spawn((const char *const[]){
		"swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", server, "--ctrl",
		control, "--flags", "not-need-init,startup-clear", NULL });
	for (int i = 0; i < 1000; i++) {
		if (swtpm_listens(tpm->control) && swtpm_listens(tpm->socket))
			return;
		usleep(10000);
	}
	BAIL_OUT("swtpm does not listen on '%s'", tpm->socket);
}

TEST_FN void swtpm_stop(struct swtpm *tpm)
{
	kill(tpm->pid, SIGTERM);
	waitpid(tpm->pid, NULL, 0);
	unlink(tpm->socket);
	unlink(tpm->control);
}

TEST_FN void swtpm_free(struct swtpm *tpm)
{
	swtpm_stop(tpm);
	RUN("rm", "-rf", tpm->dir);
}

/* A new TPM with these banks, "sha1,sha256"; false when the programs are not installed */
TEST_FN bool swtpm_new(const char *bank_names, struct swtpm *tpm)
{
	const char *base = getenv("TMPDIR");

	if (RUN("swtpm", "--version") == 127 || RUN("swtpm_setup", "--version") == 127 ||
	    RUN("tpm2_pcrextend", "--version") == 127)
		return false;
	snprintf(tpm->dir, sizeof(tpm->dir), "%s/imalog-tpm.XXXXXX",
		 base && strlen(base) < 32 ? base : P_tmpdir);
	if (!mkdtemp(tpm->dir))
		BAIL_OUT("cannot make '%s': %s", tpm->dir, strerror(errno));
	if (RUN("swtpm_setup", "--tpm2", "--tpmstate", tpm->dir, "--pcr-banks", bank_names))
		BAIL_OUT("swtpm_setup fails");
	snprintf(tpm->socket, sizeof(tpm->socket), "%s/socket", tpm->dir);
	snprintf(tpm->control, sizeof(tpm->control), "%s.ctrl", tpm->socket);
	snprintf(tpm->tcti, sizeof(tpm->tcti), "swtpm:path=%s", tpm->socket);
	swtpm_start(tpm);
	return true;
}

#endif /* TEST_SWTPM_H */
