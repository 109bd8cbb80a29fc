// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The boundary that a prepared kexec leaves in the store: kexec.json, of the last one
 *
 * What was still in the kernel then is in the store as a pending segment.  What becomes of
 * that is found out as of any other one, by content and PCR values; this file only tells what
 * was expected, so that something can be said about it.  It proves nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "export.h"
#include "kexec.h"

#define BOUNDARY_NAME	 "kexec.json"
#define BOUNDARY_VERSION 1
#define BOUNDARY_MAX	 ((size_t)16 << 10)

/* ---- the file ---- */

static char *to_text(const struct imalog_boundary *boundary)
{
	json_t *json = json_pack(
		"{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:b}", "version",
		BOUNDARY_VERSION, "time", boundary->time, "kernel", boundary->kernel,
		"boot_id", boundary->boot_id, "epoch", (json_int_t)boundary->epoch,
		"committed", (json_int_t)boundary->committed, "segment",
		(json_int_t)boundary->segment, "records", (json_int_t)boundary->records,
		"bytes", (json_int_t)boundary->bytes, "sha256",
		imalog_json_hex(boundary->sha256, IMALOG_SHA256_SIZE), "counted",
		(json_int_t)boundary->counted, "unloaded", boundary->unloaded);
	char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;

	json_decref(json);
	return text;
}

int imalog_boundary_write(const struct imalog_boundary *boundary, int dir,
			  struct imalog_error *error)
{
	struct imalog_durable file = { .fd = -1 };
	char *text = to_text(boundary);
	int rc = text ? imalog_durable_begin(&file, dir, BOUNDARY_NAME, error) :
			imalog_fail_nomem(error);

	if (rc == 0)
		rc = imalog_durable_write(&file, imalog_span_of(text), error);
	if (rc == 0)
		rc = imalog_durable_commit(&file, true, error);
	imalog_durable_discard(&file);
	free(text);
	return rc;
}

static bool get_number(const json_t *json, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(json, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool from_json(const json_t *json, struct imalog_boundary *ret)
{
	uint64_t version;

	ret->unloaded = json_is_true(json_object_get(json, "unloaded"));
	return get_number(json, "version", &version) && version == BOUNDARY_VERSION &&
	       imalog_json_to_time(json_object_get(json, "time"), ret->time) &&
	       imalog_json_to_word(json_object_get(json, "kernel"), ret->kernel,
				   sizeof(ret->kernel)) &&
	       imalog_json_to_word(json_object_get(json, "boot_id"), ret->boot_id,
				   sizeof(ret->boot_id)) &&
	       get_number(json, "epoch", &ret->epoch) &&
	       get_number(json, "committed", &ret->committed) &&
	       get_number(json, "segment", &ret->segment) &&
	       get_number(json, "records", &ret->records) &&
	       get_number(json, "bytes", &ret->bytes) &&
	       imalog_json_to_hex(json_object_get(json, "sha256"), ret->sha256,
				  IMALOG_SHA256_SIZE) &&
	       get_number(json, "counted", &ret->counted);
}

int imalog_boundary_read(int dir, struct imalog_boundary *ret, struct imalog_error *error)
{
	int fd = openat(dir, BOUNDARY_NAME,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct imalog_boundary boundary = { 0 };
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char text[BOUNDARY_MAX];
	size_t size = 0;
	json_t *json;
	bool ok;

	if (!file) {
		int os_errno = errno;

		if (fd >= 0)
			close(fd);
		return os_errno == ENOENT ?
			       0 :
			       imalog_fail_errno(error, os_errno,
						 "cannot open '" BOUNDARY_NAME "'");
	}
	size = fread(text, 1, sizeof(text), file);
	fclose(file);
	json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	ok = json && from_json(json, &boundary);
	json_decref(json);
	if (!ok)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "",
				   "'" BOUNDARY_NAME
				   "' is not what imalog kexec-prepare writes");
	*ret = boundary;
	return 1;
}

void imalog_boundary_remove(int dir)
{
	unlinkat(dir, BOUNDARY_NAME, 0);
}

uint64_t imalog_store_kept(const struct imalog_store *store)
{
	struct imalog_boundary boundary;

	if (imalog_boundary_read(store->dir, &boundary, NULL) != 1 ||
	    boundary.epoch != store->current)
		return 0;
	return boundary.segment;
}

/* ---- on the other side ---- */

void imalog_boundary_load(struct imalog_export *export)
{
	struct imalog_boundary *boundary = malloc(sizeof(*boundary));

	free(export->boundary);
	export->boundary = NULL;
	if (!boundary)
		return;
	/* Of this boot, it says how it is now. */
	if (imalog_boundary_read(export->store->dir, boundary, NULL) == 1 &&
	    boundary->boot_id[0] && strcmp(boundary->boot_id, export->kernel.boot_id) != 0 &&
	    boundary->epoch == export->epoch->number)
		export->boundary = boundary;
	else
		free(boundary);
}

static struct imalog_reader *read_fd(const struct imalog_export *export, int fd,
				     struct imalog_source **source)
{
	const struct imalog_base nothing = { .records = 0 };

	*source = imalog_source_from_fd(fd, "list");
	return *source ? imalog_base_reader(&nothing, *source, export->templates) : NULL;
}

/* How many of the first records of two files are the same? */
static uint64_t count_same(const struct imalog_export *export, int a, int b)
{
	struct imalog_source *sources[2] = { NULL, NULL };
	struct imalog_reader *readers[2] = { read_fd(export, a, &sources[0]),
					     read_fd(export, b, &sources[1]) };
	struct imalog_record *records[2];
	uint64_t same = 0;
	bool more = readers[0] && readers[1];

	while (more) {
		more = imalog_reader_next(readers[0], &records[0], NULL) > 0 &&
		       imalog_reader_next(readers[1], &records[1], NULL) > 0 &&
		       imalog_span_equal(imalog_record_raw(records[0]),
					 imalog_record_raw(records[1]));
		same += more;
		if (more) {
			imalog_reader_release(readers[0], imalog_record_number(records[0]));
			imalog_reader_release(readers[1], imalog_record_number(records[1]));
		}
	}
	for (int i = 0; i < 2; i++) {
		imalog_reader_free(&readers[i]);
		imalog_source_free(&sources[i]);
	}
	return same;
}

/* How many of the records that were kept does this kernel's list begin with? */
static uint64_t count_carried(const struct imalog_export *export)
{
	uint64_t same = 0;
	int kept, list;

	if (!export->boundary->segment)
		return 0;
	kept = imalog_segment_open_any(export->epoch, export->boundary->segment, NULL);
	if (kept < 0)
		return 0;
	if (imalog_sequence_open_list(export, false, &list, NULL) == 0) {
		same = count_same(export, kept, list);
		close(list);
	}
	close(kept);
	return same;
}

bool imalog_boundary_is_crossed(const struct imalog_export *export)
{
	const struct imalog_boundary *boundary = export->boundary;

	if (!boundary)
		return false;
	return export->base.records ||
	       (boundary->records && count_carried(export) == boundary->records);
}

/* Is all in order up to the last record?  Only a list that was cut begins with some of them. */
static bool is_cut(struct imalog_export *export, uint64_t carried)
{
	const struct imalog_sequence all = { .base = &export->base,
					     .segments = { export->pending[0],
							   export->pending[1] },
					     .with_staged = true };

	return carried && carried < export->boundary->records &&
	       imalog_sequence_leads(export, &all, true, NULL) != 1;
}

/* It is proved that the log goes on here. */
static void say_whole(struct imalog_export *export, uint64_t carried)
{
	const struct imalog_boundary *boundary = export->boundary;

	if (is_cut(export, carried))
		imalog_export_say(
			export, IMALOG_NOTE_WRONG,
			"a kexec that was prepared: the list was cut, and begins with "
			"%" PRIu64 " of %" PRIu64 " records behind record %" PRIu64,
			carried, boundary->records, boundary->committed);
	else if (boundary->records == 0)
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "a kexec that was prepared: the list goes on behind record "
				  "%" PRIu64 ", and nothing was lost",
				  boundary->committed);
	else if (carried == boundary->records)
		imalog_export_say(
			export, IMALOG_NOTE_INFO,
			"a kexec that was prepared: the list begins with all %" PRIu64
			" records that it had behind record %" PRIu64 ", and nothing was lost",
			boundary->records, boundary->committed);
	else
		imalog_export_say(export, IMALOG_NOTE_INFO,
				  "a kexec that was prepared: of %" PRIu64
				  " records behind record %" PRIu64 " the list begins with "
				  "%" PRIu64 ", but the store has them, and nothing was lost",
				  boundary->records, boundary->committed, carried);
}

void imalog_boundary_say(struct imalog_export *export, enum imalog_belongs belongs)
{
	const struct imalog_boundary *boundary = export->boundary;
	uint64_t carried;

	if (!boundary || belongs == IMALOG_BELONGS_TO_NEW ||
	    belongs == IMALOG_BELONGS_AFTER_RESET)
		return;
	carried = count_carried(export);
	if (belongs == IMALOG_BELONGS) {
		say_whole(export, carried);
		return;
	}
	imalog_export_say(
		export,
		belongs == IMALOG_BELONGS_UNKNOWN ? IMALOG_NOTE_WRONG : IMALOG_NOTE_UNCHECKED,
		"a kexec that was prepared: of %" PRIu64 " records behind record "
		"%" PRIu64 " the list begins with %" PRIu64 "; %s",
		boundary->records, boundary->committed, carried,
		belongs == IMALOG_BELONGS_UNKNOWN ?
			"what was measured after them is lost, in part or all" :
			"nothing tells whether what was measured after them is lost");
}
