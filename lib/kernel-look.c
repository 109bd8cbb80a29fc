// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What this machine's kernel offers and has, for those who want to know it
 *
 * Besides what kernel-info.c finds: the mode of the policy's file (ima_fs.c), and the
 * kernel's configuration where distributions keep it.  That in /proc/config.gz is
 * compressed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

struct imalog_kernel {
	struct imalog_kernel_info info;
	enum imalog_answer kexec, read_policy, write_policy;
};

static enum imalog_answer answer(bool yes)
{
	return yes ? IMALOG_YES : IMALOG_NO;
}

/* ---- the configuration ---- */

/*
 * "CONFIG_X=y" or "CONFIG_X=10", and "# CONFIG_X is not set", are what there is of an option.
 * What is set is copied to @value.
 */
static enum imalog_answer find_option(FILE *file, const char *option, char value[32])
{
	enum imalog_answer found = IMALOG_UNKNOWN;
	size_t size = strlen(option);
	bool has_ima = false;
	char line[256];

	while (found == IMALOG_UNKNOWN && fgets(line, sizeof(line), file)) {
		has_ima |= strcmp(line, "CONFIG_IMA=y\n") == 0;
		if (strncmp(line, option, size) != 0 || line[size] != '=')
			continue;
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line + size + 1) < 32) {
			strcpy(value, line + size + 1);
			found = IMALOG_YES;
		}
	}
	/* Without the first it is no configuration, or one that was cut. */
	return found == IMALOG_UNKNOWN && has_ima && feof(file) ? IMALOG_NO : found;
}

static enum imalog_answer look_in(const char *root, const char *path, const char *option,
				  char value[32])
{
	int fd = imalog_root_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	enum imalog_answer found;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return IMALOG_UNKNOWN;
	}
	found = find_option(file, option, value);
	fclose(file);
	return found;
}

static enum imalog_answer look_for_option(const char *root, const char *release,
					  const char *option, char value[32])
{
	static const struct {
		const char *before, *behind;
	} places[] = { { "boot/config-", "" },
		       { "lib/modules/", "/config" },
		       { "usr/lib/modules/", "/config" } };
	enum imalog_answer found = IMALOG_UNKNOWN;
	char path[128];

	/* Of this very kernel, and no file elsewhere */
	if (!release[0] || strchr(release, '/'))
		return IMALOG_UNKNOWN;
	for (size_t i = 0; found == IMALOG_UNKNOWN && i < IMALOG_ARRAY_SIZE(places);
	     i++) {
		snprintf(path, sizeof(path), "%s%s%s", places[i].before, release,
			 places[i].behind);
		found = look_in(root, path, option, value);
	}
	return found;
}

enum imalog_answer imalog_kernel_option(const char *root, const char *release,
					const char *option)
{
	char value[32];
	enum imalog_answer found = look_for_option(root, release, option, value);

	return found == IMALOG_YES ? answer(strcmp(value, "y") == 0) : found;
}

enum imalog_answer imalog_kernel_option_number(const char *root, const char *release,
					       const char *option, uint64_t *ret)
{
	char value[32];
	enum imalog_answer found = look_for_option(root, release, option, value);

	if (found == IMALOG_YES &&
	    !imalog_decimal_decode(imalog_span_of(value), UINT64_MAX, ret))
		return IMALOG_UNKNOWN;
	return found;
}

/* ---- the policy ---- */

/* The file goes, or its mode does, when no other policy is taken. */
static void look_at_policy(const char *root, struct imalog_kernel *kernel)
{
	int fd = imalog_root_open(root, IMALOG_LIST_DIR "/policy", O_PATH);
	struct stat st;

	if (!kernel->info.list)
		return;
	if (fd < 0) {
		kernel->write_policy = kernel->read_policy = IMALOG_NO;
		return;
	}
	if (fstat(fd, &st) == 0) {
		kernel->write_policy = answer(st.st_mode & 0222);
		kernel->read_policy = answer(st.st_mode & 0444);
	}
	close(fd);
}

/* ---- all of it ---- */

int imalog_kernel_look(const char *root, struct imalog_kernel **ret,
		       struct imalog_error *reterr)
{
	struct imalog_kernel *kernel = calloc(1, sizeof(*kernel));
	int rc;

	if (!kernel)
		return imalog_fail_nomem(reterr);
	rc = imalog_kernel_probe(root, &kernel->info, reterr);
	if (rc < 0) {
		free(kernel);
		return rc;
	}
	look_at_policy(root, kernel);
	kernel->kexec = imalog_kernel_option(root, kernel->info.release, "CONFIG_IMA_KEXEC");
	*ret = kernel;
	return 0;
}

void imalog_kernel_free(struct imalog_kernel **kernel)
{
	if (!kernel)
		return;
	free(*kernel);
	*kernel = NULL;
}

enum imalog_answer imalog_kernel_offers(const struct imalog_kernel *kernel,
					enum imalog_feature feature)
{
	const struct imalog_kernel_info *info = &kernel->info;

	switch (feature) {
	case IMALOG_FEATURE_SECURITYFS:
		return answer(info->securityfs);
	case IMALOG_FEATURE_LIST:
		return answer(info->list);
	case IMALOG_FEATURE_STAGING:
		return answer(info->stages);
	case IMALOG_FEATURE_TRIM:
		return answer(info->trims);
	case IMALOG_FEATURE_KEXEC:
		return kernel->kexec;
	case IMALOG_FEATURE_READ_POLICY:
		return kernel->read_policy;
	case IMALOG_FEATURE_WRITE_POLICY:
		return kernel->write_policy;
	}
	return IMALOG_UNKNOWN;
}

const char *imalog_kernel_release(const struct imalog_kernel *kernel)
{
	return kernel->info.release;
}

bool imalog_kernel_has_list(const struct imalog_kernel *kernel, enum imalog_alg alg)
{
	return alg > IMALOG_ALG_NONE && alg < IMALOG_ALG_COUNT && kernel->info.lists[alg];
}

bool imalog_kernel_counts(const struct imalog_kernel *kernel, uint64_t *records,
			  uint64_t *violations)
{
	if (!kernel->info.counted)
		return false;
	*records = kernel->info.records;
	*violations = kernel->info.violations;
	return true;
}

bool imalog_list_holder(const char *root, char *buf, size_t size)
{
	return imalog_holder_find(root, buf, size);
}
