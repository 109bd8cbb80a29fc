// SPDX-License-Identifier: GPL-2.0-or-later
/* Hash algorithms: their names in the kernel, their numbers in the TPM. */
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "imafs.h"

static const struct alg algs[] = {
	{ "sha1", 0x0004, 20, "SHA1" },	    { "sha256", 0x000b, 32, "SHA256" },
	{ "sha384", 0x000c, 48, "SHA384" }, { "sha512", 0x000d, 64, "SHA512" },
	{ "sm3", 0x0012, 32, "SM3" },	    { "tpm_alg_27", 0x0027, 32, NULL },
};

const struct alg *alg_find(const char *name)
{
	for (size_t i = 0; i < sizeof(algs) / sizeof(*algs); i++)
		if (strcmp(algs[i].name, name) == 0)
			return &algs[i];
	return NULL;
}

void hash(const struct alg *alg, const void *data, size_t size, uint8_t *digest)
{
	const char *name = alg->openssl ? alg->openssl : "SHA1";

	memset(digest, 0, DIGEST_MAX);
	if (!EVP_Digest(data, size, digest, NULL, EVP_get_digestbyname(name), NULL))
		die("cannot compute %s", name);
}

bool hash_file(const struct alg *alg, const char *path, uint8_t *digest)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t part[65536];
	ssize_t got = -1;
	bool ok = context && fd >= 0 && alg->openssl;

	ok = ok && EVP_DigestInit_ex(context, EVP_get_digestbyname(alg->openssl), NULL);
	while (ok && (got = read(fd, part, sizeof(part))) > 0)
		ok = EVP_DigestUpdate(context, part, (size_t)got);
	memset(digest, 0, DIGEST_MAX);
	ok = ok && got == 0 && EVP_DigestFinal_ex(context, digest, NULL);
	if (fd >= 0)
		close(fd);
	EVP_MD_CTX_free(context);
	return ok;
}
