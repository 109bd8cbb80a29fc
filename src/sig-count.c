// SPDX-License-Identifier: GPL-2.0-or-later
/* What came of signatures: of all records, by key, by directory. */
#include <search.h>
#include <string.h>

#include "sig.h"

/* A log can name any number of either. */
#define IDS_MAX	 1024
#define DIRS_MAX 1024
/* PATH_MAX of the kernel; other names are no path of a file that it has measured. */
#define DIR_SIZE_MAX 4096

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
	enum imalog_sig_status status = item->doubt ? IMALOG_SIG_UNSUPPORTED : IMALOG_SIG_NONE;

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

bool sig_is_used(const struct sig_verify *verify, size_t key)
{
	return key < verify->nr_by_key && verify->by_key[key].first;
}

/* Has another key of this id signed something?  Then the rest is more likely its own. */
static bool has_rival(const struct sig_verify *verify, const uint8_t id[4])
{
	struct imalog_sig_key_info key;

	for (size_t i = 0; i < verify->nr_by_key; i++)
		if (sig_is_used(verify, i) && imalog_sig_keys_get(verify->keys, i, &key) &&
		    key.has_keyid && memcmp(key.keyid, id, sizeof(key.keyid)) == 0)
			return true;
	return false;
}

struct sig_counts sig_counts_of(const struct sig_verify *verify, size_t key)
{
	struct sig_counts counts = { .first = 0 };
	struct imalog_sig_key_info info;
	const struct sig_id *id;

	if (sig_is_used(verify, key))
		counts = verify->by_key[key];
	if (!imalog_sig_keys_get(verify->keys, key, &info) || !info.has_keyid ||
	    (!counts.first && has_rival(verify, info.keyid)))
		return counts;
	id = find_id(verify, info.keyid);
	for (int i = 0; id && i < SIG_STATUSES; i++)
		counts.of[i] += id->counts.of[i];
	if (id && (!counts.first || id->counts.first < counts.first))
		counts.first = id->counts.first;
	return counts;
}

static bool count_used(struct sig_verify *verify, size_t key, uint64_t record)
{
	size_t nr = imalog_sig_keys_count(verify->keys);
	struct sig_counts *grown;

	if (nr > verify->nr_by_key) {
		grown = reallocarray(verify->by_key, nr, sizeof(*grown));
		if (!grown)
			return false;
		memset(grown + verify->nr_by_key, 0,
		       (nr - verify->nr_by_key) * sizeof(*grown));
		verify->by_key = grown;
		verify->nr_by_key = nr;
	}
	count(&verify->by_key[key], IMALOG_SIG_OK, record);
	return true;
}

static bool count_id(struct sig_verify *verify, const struct imalog_sig_result *result,
		     uint64_t record)
{
	struct sig_id *id = find_id(verify, result->sig.keyid);

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

static bool count_keys(struct sig_verify *verify, const struct imalog_sig_result *result,
		       uint64_t record)
{
	for (size_t i = 0; i < result->nr_keys; i++)
		if (!count_used(verify, result->keys[i], record))
			return false;
	return result->nr_keys || !result->has_keyid || count_id(verify, result, record);
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
	if (verify->nr_dirs == DIRS_MAX || name.size > DIR_SIZE_MAX)
		return &verify->others;
	return new_dir(verify, name);
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

static bool is_called_aggregate(const struct imalog_record *record)
{
	struct imalog_span name = imalog_record_name(record);

	return is(name, "boot_aggregate") || is(name, "boot_aggregate_late");
}

/*
 * The kernel measures itself first, and the same again after a kexec.  Elsewhere the name proves
 * nothing: it can be that of a file (ima_d_path()).
 */
static bool is_aggregate(struct sig_verify *verify, const struct sig_item *item)
{
	struct imalog_span digest;

	if (!is_called_aggregate(item->record) || item->fit != IMALOG_FIT_YES)
		return false;
	digest = imalog_record_digest(item->record, 0, NULL);
	if (imalog_record_number(item->record) == 1 && digest.size &&
	    digest.size <= sizeof(verify->aggregate)) {
		memcpy(verify->aggregate, digest.data, digest.size);
		verify->aggregate_size = digest.size;
		return true;
	}
	return digest.size && digest.size == verify->aggregate_size &&
	       memcmp(verify->aggregate, digest.data, digest.size) == 0;
}

/* Of firmware or of services: no file */
static bool is_event(const struct imalog_record *record)
{
	enum imalog_content content = imalog_record_content(record);

	return content == IMALOG_CONTENT_PCCLIENT || content == IMALOG_CONTENT_CEL ||
	       content == IMALOG_CONTENT_SYSTEMD;
}

/* The bit of the PCR that it extends; all that are none have one in common. */
static uint64_t pcr_bit(const struct imalog_record *record)
{
	uint32_t pcr = imalog_record_is_nv(record) ? 63 : imalog_record_pcr(record);

	return imalog_record_is_measured(record) && pcr < 64 ? (uint64_t)1 << pcr : 0;
}

/* What is said not to matter is not there for those who demand that something is. */
static bool is_unsigned(const struct sig_verify *verify, const struct sig_item *item,
			enum imalog_sig_status status)
{
	for (size_t i = 0; i < item->nr; i++)
		if (verify->results[item->first + i].status == IMALOG_SIG_OK)
			return false;
	return status == IMALOG_SIG_NONE ||
	       (status == IMALOG_SIG_UNKNOWN_KEY && verify->allow_unknown);
}

bool sig_count(struct sig_verify *verify, const struct sig_item *item)
{
	enum imalog_sig_status status = sig_status(verify, item);
	uint64_t number = imalog_record_number(item->record);
	struct sig_dir *dir;

	for (size_t i = 0; i < item->nr; i++)
		if (!count_keys(verify, &verify->results[item->first + i], number))
			return false;
	count(&verify->total, status, number);
	verify->misfits += item->fit == IMALOG_FIT_NO;
	if (is_event(item->record)) {
		verify->event_pcrs |= pcr_bit(item->record);
		return true;
	}
	verify->file_pcrs |= pcr_bit(item->record);
	/* Nobody signs keys, command lines and the like. */
	if (is_aggregate(verify, item) || item->buffer)
		return true;
	if (is_unsigned(verify, item, status) && is_called_aggregate(item->record))
		verify->maybe_files++;
	else if (is_unsigned(verify, item, status))
		verify->unsigned_files++;
	dir = need_dir(verify, dir_of(imalog_record_name(item->record)));
	if (dir)
		count(&dir->counts, status, number);
	return dir;
}

void sig_count_free(struct sig_verify *verify)
{
	tdestroy(verify->dirs, free_dir);
	free(verify->ids);
	free(verify->by_key);
}
