/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store for test programs, its files damaged and checked */
#ifndef TEST_STORE_FILES_H
#define TEST_STORE_FILES_H

#include "machine.h"

/* An epoch of three segments with 2, 2 and 1 records */
TEST_FN void make_store(void)
{
	machine_new();
	measure('a');
	CHECK_EXPORT(1);
	measure_all("VV");
	CHECK_EXPORT(1);
	measure('c');
	CHECK_EXPORT(1);
}

TEST_FN void path_of(const char *name, char path[512])
{
	snprintf(path, 512, "%s/%s", store_path, name);
}

/* The path of a file of the store; of the last four calls */
TEST_FN const char *in_store(const char *name)
{
	static char paths[4][512];
	static unsigned int next;
	char *path = paths[next++ % 4];

	path_of(name, path);
	return path;
}

TEST_FN void spoil(const char *name, long offset)
{
	char path[512];
	FILE *file;
	int byte;

	path_of(name, path);
	file = fopen(path, "r+b");
	if (!file || fseek(file, offset, offset < 0 ? SEEK_END : SEEK_SET) != 0)
		BAIL_OUT("cannot spoil '%s'", path);
	byte = fgetc(file);
	fseek(file, -1, SEEK_CUR);
	fputc(byte ^ 1, file);
	fclose(file);
}

TEST_FN void move_file(const char *from, const char *to)
{
	char old[512], new[512];

	path_of(from, old);
	path_of(to, new);
	if (rename(old, new) != 0)
		BAIL_OUT("cannot rename '%s'", old);
}

TEST_FN void remove_file(const char *name)
{
	char path[512];

	path_of(name, path);
	if (unlink(path) != 0)
		BAIL_OUT("cannot remove '%s'", path);
}

TEST_FN void add_foreign(const char *name)
{
	char path[512];
	FILE *file;

	path_of(name, path);
	file = fopen(path, "wb");
	if (!file)
		BAIL_OUT("cannot make '%s'", path);
	fputs("x", file);
	fclose(file);
}

/* ---- checking ---- */

static char found[2048];

TEST_FN void on_finding(void *arg, uint64_t segment, const char *text)
{
	size_t used = strlen(found);

	(void)arg;
	snprintf(found + used, sizeof(found) - used, "%u: %s\n", (unsigned int)segment, text);
}

TEST_FN int check(struct imalog_error *error)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;
	int rc;

	found[0] = '\0';
	rc = imalog_store_open(store_path, 0, &store, error);
	if (rc == 0)
		rc = imalog_epoch_open(store, imalog_store_current(store), &epoch, error);
	if (rc == 0)
		rc = imalog_epoch_check(epoch, replay, templates, on_finding, NULL, error);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
	imalog_replay_free(&replay);
	imalog_templates_free(&templates);
	return rc;
}

#define CHECK_FOUND(text)                                                              \
	do {                                                                           \
		CHECK_INT(check(NULL), 1);                                             \
		if (!strstr(found, text))                                              \
			test_fail(__FILE__, __LINE__, "'%s' lacks '%s'", found, text); \
	} while (0)

#define E1 "epoch-000001/"
#define R1 E1 "receipts/"

#endif /* TEST_STORE_FILES_H */
