// SPDX-License-Identifier: GPL-2.0-or-later
/* What came of signatures: of all records, by key, by directory. */
#include <search.h>
#include <string.h>

#include "sig.h"

/* A log can name any number of either. */
#define IDS_MAX	 1024
#define DIRS_MAX 1024

static bool is_worse(enum imalog_sig_status status, enum imalog_sig_status than)
{
	static const int ranks[SIG_STATUSES] = { [IMALOG_SIG_NONE] = 0,
						 [IMALOG_SIG_OK] = 1,
						 [IMALOG_SIG_UNKNOWN_KEY] = 2,
						 [IMALOG_SIG_UNSUPPORTED] = 3,
						 [IMALOG_SIG_BAD] = 4 };

	return ranks[status] > ranks[than];
}

enum imalog_sig_status sig_status(const struct sig_verify *verify, const struct sig_item *item)
{
	enum imalog_sig_status status = item->known ? IMALOG_SIG_NONE : IMALOG_SIG_UNSUPPORTED;

	for (size_t i = 0; i < item->nr; i++)
		if (is_worse(verify->results[item->first + i].status, status))
			status = verify->results[item->first + i].status;
	return status;
}

static void count(struct sig_counts *counts, enum imalog_sig_status status, uint64_t record)
{
	counts->of[status]++;
	if (!counts->first)
		counts->first = record;
}

/* ---- keys ---- */

static struct sig_id *find_id(const struct sig_verify *verify, const uint8_t id[4])
{
	for (size_t i = 0; i < verify->nr_ids; i++)
		if (memcmp(verify->ids[i].id, id, sizeof(verify->ids[i].id)) == 0)
			return &verify->ids[i];
	return NULL;
}

const struct sig_counts *sig_counts_of(const struct sig_verify *verify, const uint8_t id[4])
{
	const struct sig_id *found = find_id(verify, id);

	return found ? &found->counts : NULL;
}

static bool mark_used(struct sig_verify *verify, size_t key)
{
	size_t nr = imalog_sig_keys_count(verify->keys);
	bool *grown;

	if (nr > verify->nr_used) {
		grown = realloc(verify->used, nr * sizeof(*grown));
		if (!grown)
			return false;
		memset(grown + verify->nr_used, 0, (nr - verify->nr_used) * sizeof(*grown));
		verify->used = grown;
		verify->nr_used = nr;
	}
	verify->used[key] = true;
	return true;
}

static bool count_key(struct sig_verify *verify, const struct imalog_sig_result *result,
		      uint64_t record)
{
	struct sig_id *id;

	if (result->key != IMALOG_SIG_NO_KEY && !mark_used(verify, result->key))
		return false;
	if (!result->has_keyid)
		return true;
	id = find_id(verify, result->sig.keyid);
	if (!id && verify->nr_ids == IDS_MAX) {
		verify->ids_left_out = true;
		return true;
	}
	if (!verify->ids)
		verify->ids = calloc(IDS_MAX, sizeof(*verify->ids));
	if (!verify->ids)
		return false;
	if (!id) {
		id = &verify->ids[verify->nr_ids++];
		memcpy(id->id, result->sig.keyid, sizeof(id->id));
	}
	count(&id->counts, result->status, record);
	return true;
}

/* ---- directories ---- */

static int compare_dirs(const void *a, const void *b)
{
	const struct sig_dir *x = a, *y = b;
	size_t size = x->size < y->size ? x->size : y->size;
	int order = size ? memcmp(x->name, y->name, size) : 0;

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* All up to the last slash; "." of a name without one */
static struct imalog_span dir_of(struct imalog_span name)
{
	static const uint8_t here[] = { '.' };
	size_t size = name.size;

	while (size && name.data[size - 1] != '/')
		size--;
	if (size == 0)
		return (struct imalog_span){ here, sizeof(here) };
	return (struct imalog_span){ name.data, size > 1 ? size - 1 : 1 };
}

static struct sig_dir *new_dir(struct sig_verify *verify, struct imalog_span name)
{
	struct sig_dir *dir = calloc(1, sizeof(*dir));

	if (!dir)
		return NULL;
	dir->name = malloc(name.size);
	dir->size = name.size;
	if (dir->name)
		memcpy(dir->name, name.data, name.size);
	if (!dir->name || !tsearch(dir, &verify->dirs, compare_dirs)) {
		free(dir->name);
		free(dir);
		return NULL;
	}
	verify->nr_dirs++;
	return dir;
}

static struct sig_dir *need_dir(struct sig_verify *verify, struct imalog_span name)
{
	struct sig_dir key = { .name = (char *)name.data, .size = name.size };
	struct sig_dir **found = tfind(&key, &verify->dirs, compare_dirs);

	if (found)
		return *found;
	return verify->nr_dirs == DIRS_MAX ? &verify->others : new_dir(verify, name);
}

static void free_dir(void *arg)
{
	struct sig_dir *dir = arg;

	free(dir->name);
	free(dir);
}

/* ---- all ---- */

static bool is(struct imalog_span name, const char *text)
{
	return name.size == strlen(text) && memcmp(name.data, text, name.size) == 0;
}

/* Is it about a file?  The kernel also measures itself and buffers, which nobody signs. */
static bool is_of_file(const struct imalog_record *record)
{
	struct imalog_span name = imalog_record_name(record);

	for (size_t i = 0; i < imalog_record_fields(record); i++)
		if (imalog_record_field_id(record, i) == IMALOG_FIELD_BUF)
			return false;
	return name.size && !is(name, "boot_aggregate") && !is(name, "boot_aggregate_late");
}

bool sig_count(struct sig_verify *verify, const struct sig_item *item)
{
	enum imalog_sig_status status = sig_status(verify, item);
	uint64_t number = imalog_record_number(item->record);
	struct sig_dir *dir;

	for (size_t i = 0; i < item->nr; i++)
		if (!count_key(verify, &verify->results[item->first + i], number))
			return false;
	count(&verify->total, status, number);
	verify->misfits += item->fit == IMALOG_FIT_NO;
	if (!is_of_file(item->record))
		return true;
	verify->unsigned_files += status == IMALOG_SIG_NONE;
	dir = need_dir(verify, dir_of(imalog_record_name(item->record)));
	if (dir)
		count(&dir->counts, status, number);
	return dir;
}

void sig_count_free(struct sig_verify *verify)
{
	tdestroy(verify->dirs, free_dir);
	free(verify->ids);
	free(verify->used);
}
