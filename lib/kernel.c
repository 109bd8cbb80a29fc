// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel tells in its file systems, below a root prefix
 *
 * sysfs, since Linux 5.12: class/tpm/tpm0/pcr-ALGORITHM/NUMBER, a line of hexadecimal
 * (tpm-sysfs.c).  Each reading is one TPM2_PCR_Read.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define TPM_DIR "sys/class/tpm/tpm0"
#define PCRS 24
/* Readings of all values, each of which may see others extend them meanwhile */
#define READINGS 16

/* ---- files ---- */

static int fail_below(struct imalog_error *error, int os_errno, const char *doing,
		      const char *root, const char *path)
{
	char shown[IMALOG_PRINTABLE_MAX], text[IMALOG_PRINTABLE_MAX + 128];

	imalog_printable(imalog_span_of(root), shown);
	if (strcmp(shown, "/") == 0)
		shown[0] = '\0';
	snprintf(text, sizeof(text), "%s '%s/%s'", doing, shown, path);
	return imalog_fail_errno(error, os_errno, text);
}

/* Reads up to @size bytes of a small file; -1 and errno on failure. */
static ssize_t read_file_at(int dir, const char *name, char *buf, size_t size)
{
	/* Not to hang on what is no file of sysfs */
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	size_t used = 0;
	ssize_t got = 1;
	int saved;

	if (fd < 0)
		return -1;
	while (got > 0 && used < size) {
		do
			got = read(fd, buf + used, size - used);
		while (got < 0 && errno == EINTR);
		used += got > 0 ? (size_t)got : 0;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return got < 0 ? -1 : (ssize_t)used;
}

/* ---- PCRs in sysfs ---- */

/* One value for each bank and PCR, all zeros behind its size. */
struct reading {
	bool there[IMALOG_ALG_COUNT][PCRS];
	uint8_t values[IMALOG_ALG_COUNT][PCRS][IMALOG_DIGEST_MAX];
	size_t nr;
};

/* Where a value is, for messages */
struct place {
	const char *root;
	char path[64];
};

static int parse_value(const struct place *place, struct imalog_span text, size_t size,
		       uint8_t *out, struct imalog_error *error)
{
	if (text.size && text.data[text.size - 1] == '\n')
		text.size--;
	if (text.size != 2 * size || !imalog_hex_decode(text, out))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "",
				   "'%s' does not hold %zu bytes in hexadecimal", place->path,
				   size);
	return 0;
}

static int read_bank(int dir, enum imalog_alg alg, struct place *place,
		     struct reading *reading, struct imalog_error *error)
{
	char text[2 * IMALOG_DIGEST_MAX + 2];
	int rc = 0;

	for (uint32_t pcr = 0; rc == 0 && pcr < PCRS; pcr++) {
		char number[12];
		ssize_t size;

		snprintf(number, sizeof(number), "%u", pcr);
		snprintf(place->path, sizeof(place->path), TPM_DIR "/pcr-%s/%s",
			 imalog_alg_name(alg), number);
		size = read_file_at(dir, number, text, sizeof(text));
		if (size < 0 && errno == ENOENT)
			continue;
		if (size < 0)
			return fail_below(error, errno, "cannot read", place->root,
					  place->path);
		rc = parse_value(place, (struct imalog_span){ (uint8_t *)text, (size_t)size },
				 imalog_alg_size(alg), reading->values[alg][pcr], error);
		reading->there[alg][pcr] = true;
		reading->nr++;
	}
	return rc;
}

static int read_banks(int tpm, const char *root, struct reading *ret,
		      struct imalog_error *error)
{
	struct place place = { .root = root };
	int rc = 0;

	memset(ret, 0, sizeof(*ret));
	for (int alg = 1; rc == 0 && alg < IMALOG_ALG_COUNT; alg++) {
		int dir;

		snprintf(place.path, sizeof(place.path), TPM_DIR "/pcr-%s",
			 imalog_alg_name((enum imalog_alg)alg));
		dir = openat(tpm, place.path + sizeof(TPM_DIR),
			     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0 && errno == ENOENT)
			continue;
		if (dir < 0)
			return fail_below(error, errno, "cannot open", root, place.path);
		rc = read_bank(dir, (enum imalog_alg)alg, &place, ret, error);
		close(dir);
	}
	return rc;
}

/*
 * A PCR only ever gets new values, so what is the same in two readings was so from the one to
 * the other: all values were there at the moment between them.
 */
static int read_twice(int tpm, const char *root, struct reading readings[2],
		      struct imalog_error *error)
{
	int rc = read_banks(tpm, root, &readings[0], error);

	for (int i = 1; rc == 0 && i < READINGS; i++) {
		rc = read_banks(tpm, root, &readings[i % 2], error);
		if (rc == 0 && memcmp(&readings[0], &readings[1], sizeof(readings[0])) == 0)
			return 0;
	}
	return rc < 0 ? rc :
			fail_below(error, EAGAIN, "PCRs change without end in", root, TPM_DIR);
}

static int add_reading(const struct reading *reading, struct imalog_pcrs *out,
		       struct imalog_error *error)
{
	int rc = 0;

	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		for (uint32_t pcr = 0; rc == 0 && pcr < PCRS; pcr++) {
			struct imalog_span value = { reading->values[alg][pcr],
						     imalog_alg_size((enum imalog_alg)alg) };

			if (reading->there[alg][pcr])
				rc = imalog_pcrs_set(out, (enum imalog_alg)alg, pcr, value,
						     error);
		}
	return rc;
}

int imalog_sysfs_read_pcrs(const char *root, struct imalog_pcrs *out,
			   struct imalog_error *reterr)
{
	int tpm = imalog_root_open(root, TPM_DIR, O_PATH | O_DIRECTORY), rc;
	struct reading *readings;

	if (tpm < 0)
		return fail_below(reterr, errno, "cannot open", root, TPM_DIR);
	readings = calloc(2, sizeof(*readings));
	if (!readings) {
		close(tpm);
		return imalog_fail_nomem(reterr);
	}
	rc = read_twice(tpm, root, readings, reterr);
	/* A TPM 1.2, or a kernel before 5.12 */
	if (rc == 0 && readings[0].nr == 0)
		rc = fail_below(reterr, ENOENT, "no bank in", root, TPM_DIR "/pcr-*");
	if (rc == 0)
		rc = add_reading(&readings[0], out, reterr);
	free(readings);
	close(tpm);
	return rc;
}
