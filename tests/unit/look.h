/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This machine's view of the machine for test programs: taken, read, and compared */
#ifndef TEST_LOOK_H
#define TEST_LOOK_H

#include "machine.h"
#include "view.h"

/* All files of a tree, with what tells that one was changed */
TEST_FN struct bytes tree_state(const char *path)
{
	struct bytes all = bytes_new(0);
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char name[1024], line[1400];
		struct stat st;
		int size;

		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (strcmp(entry->d_name, "..") == 0 || lstat(name, &st) != 0)
			continue;
		size = snprintf(line, sizeof(line), "%s %lu %o %ld %ld.%09ld %ld.%09ld\n",
				name, (unsigned long)st.st_ino, (unsigned int)st.st_mode,
				(long)st.st_size, (long)st.st_mtim.tv_sec,
				(long)st.st_mtim.tv_nsec, (long)st.st_ctim.tv_sec,
				(long)st.st_ctim.tv_nsec);
		all = joined(all, bytes_copy(line, (size_t)size));
		if (S_ISDIR(st.st_mode) && strcmp(entry->d_name, ".") != 0)
			all = joined(all, tree_state(name));
	}
	if (dir)
		closedir(dir);
	return all;
}

struct look {
	struct imalog_view *view;
	struct imalog_error *error;
	struct bytes bytes; /* of all parts */
	int rc;
};

/* All that a plan has, as it is read by whoever walks it */
TEST_FN struct bytes plan_bytes(const struct imalog_plan *plan)
{
	struct bytes all = bytes_new(0);

	for (size_t i = 0; i < imalog_plan_parts(plan); i++) {
		uint8_t chunk[4096];
		ssize_t n;
		int fd;

		CHECK_INT(imalog_plan_skip(plan, i), 0);
		if (!CHECK_INT(imalog_plan_open(plan, i, &fd, NULL), 0))
			continue;
		while ((n = read(fd, chunk, sizeof(chunk))) > 0)
			all = joined(all, bytes_copy(chunk, (size_t)n));
		CHECK_INT(n, 0);
		close(fd);
	}
	return all;
}

TEST_FN struct look look_new(const struct imalog_world *world)
{
	struct look look = { imalog_view_new("", store_path), imalog_error_new(),
			     { NULL, 0 }, 0 };

	if (!look.view || !look.error)
		BAIL_OUT("no memory");
	look.view->export->world = world;
	return look;
}

/* Looks, and checks that nobody can tell from the store that it was looked at. */
TEST_FN void look_take(struct look *look)
{
	struct bytes before = tree_state(store_path), after;

	look->rc = imalog_view_take(look->view, look->error);
	bytes_free(&look->bytes);
	if (look->rc == 0)
		look->bytes = plan_bytes(imalog_view_plan(look->view));
	after = tree_state(store_path);
	CHECK_MEM(span_of_bytes(after), span_of_bytes(before));
	bytes_free(&before);
	bytes_free(&after);
}

TEST_FN void look_free(struct look *look)
{
	imalog_view_free(&look->view);
	imalog_error_free(&look->error);
	bytes_free(&look->bytes);
}

TEST_FN bool look_said(const struct look *look, const char *text)
{
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_view_note(look->view, i, &kind)); i++)
		if (strstr(note, text))
			return true;
	return false;
}

TEST_FN void look_show(const struct look *look)
{
	enum imalog_note_kind kind;
	const char *note;

	printf("# rc %d: %s\n", look->rc, look->rc ? imalog_error_detail(look->error) : "");
	for (size_t i = 0; (note = imalog_view_note(look->view, i, &kind)); i++)
		printf("# note %d: %s\n", kind, note);
}

/* The view is all that was ever measured since the TPM's reset, and nothing is in doubt. */
TEST_FN bool check_view(void)
{
	struct look look = look_new(&fake_world);
	bool ok;

	look_take(&look);
	ok = CHECK_INT(look.rc, 0) &&
	     CHECK_MEM(span_of_bytes(look.bytes),
		       span_of(kernel->bytes, kernel->at[kernel->nr])) &&
	     CHECK(!imalog_view_is_doubtful(look.view));
	if (!ok)
		look_show(&look);
	look_free(&look);
	return ok;
}

/* Without a TPM: it has at least that, and says so when it may have more. */
TEST_FN bool check_view_loses_nothing(void)
{
	struct look look = look_new(&fake_world);
	size_t at = 0;
	bool ok;

	look_take(&look);
	ok = CHECK_INT(look.rc, 0);
	for (size_t i = 0; i < kernel->nr && ok; i++) {
		size_t size = kernel->at[i + 1] - kernel->at[i];
		uint8_t *found = memmem(look.bytes.data + at, look.bytes.size - at,
					kernel->bytes + kernel->at[i], size);

		ok = CHECK(found != NULL);
		if (found)
			at = (size_t)(found - look.bytes.data) + size;
	}
	if (ok && !imalog_view_is_doubtful(look.view))
		ok = CHECK_INT(look.bytes.size, kernel->at[kernel->nr]);
	if (!ok)
		look_show(&look);
	look_free(&look);
	return ok;
}

#endif /* TEST_LOOK_H */
