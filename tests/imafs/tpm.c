// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PCRs: in a TPM that is reached through the socket of swtpm, in memory, or nowhere
 *
 * The two commands are spoken directly (TPM 2.0 Part 3, 22.2 and 22.4): libraries wait
 * without end for a TPM that serves somebody else, and a stand-in that waits would stop
 * the very program that holds the TPM.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <netdb.h>
#include <time.h>
#include <unistd.h>

#include "imafs.h"

#define TPM_ST_NO_SESSIONS 0x8001
#define TPM_ST_SESSIONS	   0x8002
#define TPM_CC_PCR_READ	   0x0000017e
#define TPM_CC_PCR_EXTEND  0x00000182
#define TPM_RS_PW	   0x40000009
#define TPM_HEADER	   10
#define TPM_PATIENCE_MS	   3000

bool tpm_in_memory(const struct tpm *tpm)
{
	return tpm->tcti && strcmp(tpm->tcti, "sim") == 0;
}

bool tpm_present(const struct tpm *tpm)
{
	return tpm->tcti != NULL;
}

/* ---- the socket ---- */

static int connect_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static int connect_tcp(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	int fd;

	if (getaddrinfo(host, port, &hints, &found) != 0)
		return -1;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

/* swtpm:path=SOCKET or swtpm:host=HOST,port=PORT */
static int connect_tcti(const char *tcti)
{
	char host[128] = "localhost", port[16] = "2321";
	const char *text = strchr(tcti, ':');

	if (strncmp(tcti, "swtpm", 5) != 0)
		return -1;
	text = text ? text + 1 : "";
	if (strncmp(text, "path=", 5) == 0)
		return connect_unix(text + 5);
	while (*text) {
		sscanf(text, "host=%127[^,]", host);
		sscanf(text, "port=%15[0-9]", port);
		text += strcspn(text, ",");
		text += *text == ',';
	}
	return connect_tcp(host, port);
}

/* A TPM that serves somebody else may have no room for another connection. */
static bool connect_tpm(struct tpm *tpm)
{
	const struct timespec pause = { .tv_nsec = 20000000 };

	for (int i = 0; tpm->fd < 0 && i < TPM_PATIENCE_MS / 20; i++) {
		tpm->fd = connect_tcti(tpm->tcti);
		if (tpm->fd < 0)
			nanosleep(&pause, NULL);
	}
	if (tpm->fd < 0)
		tpm->trouble = "cannot connect to the TPM";
	return tpm->fd >= 0;
}

void tpm_end(struct tpm *tpm)
{
	if (tpm->fd >= 0)
		close(tpm->fd);
	tpm->fd = -1;
	tpm->trouble = NULL;
}

static void put_be(struct buf *out, uint64_t value, unsigned int size)
{
	while (size--) {
		uint8_t byte = (uint8_t)(value >> (8 * size));

		buf_put(out, &byte, 1);
	}
}

static uint32_t get_be32(const uint8_t *data)
{
	return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 |
	       (uint32_t)data[2] << 8 | data[3];
}

static bool receive(int fd, uint8_t *data, size_t size)
{
	while (size) {
		struct pollfd ready = { fd, POLLIN, 0 };
		ssize_t got;

		if (poll(&ready, 1, TPM_PATIENCE_MS) <= 0)
			return false;
		got = recv(fd, data, size, 0);
		if (got <= 0)
			return false;
		data += got;
		size -= (size_t)got;
	}
	return true;
}

/* Sends a command with its header and takes the response's parameters. */
static bool exchange(struct tpm *tpm, uint16_t tag, uint32_t code, const struct buf *body,
		     uint8_t *response, size_t room, size_t *size)
{
	struct buf command = { 0 };
	uint8_t header[TPM_HEADER];
	bool ok;

	/* Once it failed, all that follows would wait as long */
	if (tpm->trouble || !connect_tpm(tpm))
		return false;
	put_be(&command, tag, 2);
	put_be(&command, TPM_HEADER + body->size, 4);
	put_be(&command, code, 4);
	buf_put(&command, body->data, body->size);
	ok = send(tpm->fd, command.data, command.size, MSG_NOSIGNAL) ==
	     (ssize_t)command.size;
	buf_free(&command);
	ok = ok && receive(tpm->fd, header, sizeof(header));
	*size = ok ? get_be32(header + 2) - TPM_HEADER : 0;
	ok = ok && *size <= room && receive(tpm->fd, response, *size);
	if (!ok) {
		tpm_end(tpm);
		tpm->trouble = "the TPM does not answer: does another program hold it?";
	} else if (get_be32(header + 6) != 0) {
		tpm->trouble = "the TPM refused the command";
		ok = false;
	}
	return ok;
}

/* ---- extend and read ---- */

static bool send_extend(struct tpm *tpm, uint32_t pcr, const uint8_t *digests)
{
	struct buf body = { 0 };
	uint8_t response[64];
	uint32_t count = 0;
	size_t size;
	bool ok;

	for (size_t i = 0; i < tpm->nr_banks; i++)
		count += tpm->banks[i].in_tpm;
	put_be(&body, pcr, 4);
	put_be(&body, 9, 4); /* the empty password */
	put_be(&body, TPM_RS_PW, 4);
	put_be(&body, 0, 5);
	put_be(&body, count, 4);
	for (size_t i = 0; i < tpm->nr_banks; i++) {
		if (!tpm->banks[i].in_tpm)
			continue;
		put_be(&body, tpm->banks[i].alg->tpm, 2);
		buf_put(&body, digests + i * DIGEST_MAX, tpm->banks[i].alg->size);
	}
	ok = exchange(tpm, TPM_ST_SESSIONS, TPM_CC_PCR_EXTEND, &body, response,
		      sizeof(response), &size);
	buf_free(&body);
	return ok;
}

bool tpm_extend(struct tpm *tpm, uint32_t pcr, const uint8_t *digests)
{
	uint8_t both[2 * DIGEST_MAX];

	if (!tpm->tcti)
		return true;
	tpm->changed = true;
	if (!tpm_in_memory(tpm))
		return send_extend(tpm, pcr, digests);
	for (size_t i = 0; i < tpm->nr_banks && pcr < PCRS; i++) {
		struct bank *bank = &tpm->banks[i];
		/* A TPM computes what the kernel cannot: SHA-256 stands for it */
		const struct alg *alg = bank->alg->openssl ? bank->alg :
							     alg_find("sha256");

		memcpy(both, bank->pcrs[pcr], alg->size);
		memcpy(both + alg->size, digests + i * DIGEST_MAX, alg->size);
		hash(alg, both, 2 * alg->size, bank->pcrs[pcr]);
	}
	return true;
}

bool tpm_read(struct tpm *tpm, size_t index, uint32_t pcr, uint8_t *digest)
{
	const struct bank *bank = &tpm->banks[index];
	struct buf body = { 0 };
	uint8_t response[128];
	size_t size;
	bool ok;

	memset(digest, 0, DIGEST_MAX);
	if (!bank->in_tpm || pcr >= PCRS)
		return false;
	if (tpm_in_memory(tpm)) {
		memcpy(digest, bank->pcrs[pcr], DIGEST_MAX);
		return true;
	}
	put_be(&body, 1, 4); /* one selection of three bytes */
	put_be(&body, bank->alg->tpm, 2);
	put_be(&body, 3, 1);
	for (uint32_t i = 0; i < 3; i++)
		put_be(&body, i == pcr / 8 ? 1U << pcr % 8 : 0, 1);
	ok = exchange(tpm, TPM_ST_NO_SESSIONS, TPM_CC_PCR_READ, &body, response,
		      sizeof(response), &size);
	buf_free(&body);
	/* The digest is what the response ends with; without the bank, there is none */
	ok = ok && size >= 20 + bank->alg->size;
	if (ok)
		memcpy(digest, response + size - bank->alg->size, bank->alg->size);
	else if (tpm->fd >= 0)
		tpm->trouble = "the TPM has no such bank";
	return ok;
}

/* A real TPM is reset by the test. */
void tpm_reset(struct tpm *tpm)
{
	tpm->changed = true;
	for (size_t i = 0; i < tpm->nr_banks; i++)
		memset(tpm->banks[i].pcrs, 0, sizeof(tpm->banks[i].pcrs));
}
