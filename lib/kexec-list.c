// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the kernel's lists are when a kexec carries them over (ima_kexec.c, ima_template.c)
 *
 * First what is staged, then the list, both as the file of SHA-1 digests has them, behind one
 * header.  The room for it is set aside by a count that takes the name of an ad-hoc template
 * (ima_template_fmt=) for an empty one.
 *
 * A kernel that measures critical data says in a record how large that room is:
 *
 *	kexec_load	kexec_segment_size=45056;ima_binary_runtime_size=778;ima_runtime_...
 *
 * and again whenever it is another size.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kexec.h"

/* PCR, digest, and the lengths of name and data */
#define RECORD_FIXED (4 + 20 + 4 + 4)

struct pass {
	struct imalog_kexec_list *list;
	struct imalog_templates *templates;
	struct imalog_stream *stream;
};

static bool field_of(const struct imalog_record *record, enum imalog_field_id id,
		     struct imalog_span *ret)
{
	for (size_t i = 0; i < record->nr_fields; i++)
		if (record->fields[i].id == id) {
			*ret = record->fields[i].data;
			return true;
		}
	return false;
}

/* "kexec_segment_size=45056;..." */
static bool parse_segment(struct imalog_span text, uint64_t *ret)
{
	static const char key[] = "kexec_segment_size=";
	struct imalog_cursor cursor = imalog_cursor_over(text, IMALOG_ORDER_LE);
	struct imalog_span number = { NULL, 0 }, byte;

	if (!imalog_cursor_bytes(&cursor, sizeof(key) - 1, &byte) ||
	    !imalog_span_equal(byte, imalog_span_of(key)))
		return false;
	number.data = cursor.data;
	while (imalog_cursor_bytes(&cursor, 1, &byte) && byte.data[0] != ';')
		number.size++;
	return byte.size && byte.data[0] == ';' &&
	       imalog_decimal_decode(number, UINT64_MAX, ret);
}

/* What was loaded in a boot before is of no interest. */
static void look_for_load(struct imalog_kexec_list *list, const struct imalog_record *record)
{
	static const char load[] = "kexec_load"; /* with the NUL at its end */
	struct imalog_span name, text;
	uint64_t segment;

	if (imalog_record_is_boot_aggregate(record)) {
		list->segment = 0;
		list->has_boot = true;
	}
	if (field_of(record, IMALOG_FIELD_N_NG, &name) &&
	    imalog_span_equal(name,
			      (struct imalog_span){ (const uint8_t *)load, sizeof(load) }) &&
	    field_of(record, IMALOG_FIELD_BUF, &text) && parse_segment(text, &segment)) {
		list->segment = segment;
		list->record = imalog_record_raw(record).size;
	}
}

static void add_record(struct pass *pass, const struct imalog_record *record)
{
	struct imalog_kexec_list *list = pass->list;
	struct imalog_span raw = imalog_record_raw(record), name = record->template_name;
	struct imalog_template adhoc;
	const struct imalog_template *built_in =
		imalog_templates_find(pass->templates, name, &adhoc);

	if (built_in == &adhoc)
		built_in = NULL;
	list->records++;
	list->bytes += raw.size;
	list->counted += RECORD_FIXED + (built_in ? name.size : 0) + record->data.size;
	imalog_stream_add(pass->stream, raw.data, raw.size);
	if (list->prefix.size == list->bytes &&
	    imalog_stream_digest(pass->stream, list->sha256, NULL) == 0)
		list->prefix.found =
			memcmp(list->sha256, list->prefix.sha256, IMALOG_SHA256_SIZE) == 0;
	look_for_load(list, record);
	if (list->refused ||
	    (!imalog_template_is_ima(name) && name.size <= IMALOG_KEXEC_NAME_MAX))
		return;
	list->refused = list->records;
	list->too_long = name.size > IMALOG_KEXEC_NAME_MAX;
	imalog_printable(name, list->refused_name);
}

static int read_list(struct pass *pass, int fd, struct imalog_error *error)
{
	struct imalog_source *source = imalog_source_from_fd(fd, IMALOG_LIST_NAME);
	struct imalog_reader *reader = source ? imalog_reader_new(source, pass->templates) :
						NULL;
	struct imalog_record *record;
	int rc = imalog_fail_nomem(reader ? NULL : error);

	if (reader) {
		/* This list has SHA-1 digests, whatever banks there are. */
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, 20);
		imalog_reader_set_first_record(reader, pass->list->records + 1);
		while ((rc = imalog_reader_next(reader, &record, error)) > 0) {
			add_record(pass, record);
			imalog_reader_release(reader, imalog_record_number(record));
		}
		pass->list->big_endian |= imalog_reader_order(reader) == IMALOG_ORDER_BE;
	}
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	return rc;
}

/* Both are open before one is read: then nobody moves records from the one to the other. */
static int read_lists(struct pass *pass, const char *root, bool stages, unsigned int wait_ms,
		      struct imalog_error *error)
{
	int fds[2] = { -1, -1 }, rc = 0;

	if (stages)
		rc = imalog_list_open_as(root, IMALOG_STAGED_NAME, O_RDONLY, wait_ms, &fds[0],
					 error);
	if (rc == 0)
		rc = imalog_list_open_as(root, IMALOG_LIST_NAME, O_RDONLY, wait_ms, &fds[1],
					 error);
	for (int i = 0; i < 2; i++) {
		if (rc == 0 && fds[i] >= 0)
			rc = read_list(pass, fds[i], error);
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return rc;
}

int imalog_kexec_look_at_lists(const char *root, const struct imalog_kernel_info *kernel,
			       unsigned int wait_ms, struct imalog_kexec_list *list,
			       struct imalog_error *error)
{
	struct pass pass = { .list = list,
			     .templates = imalog_templates_new(),
			     .stream = imalog_stream_new(IMALOG_ALG_SHA256, error) };
	int rc = pass.stream ? 0 : -IMALOG_ERR_CRYPTO;

	if (!pass.templates)
		rc = imalog_fail_nomem(error);
	if (rc == 0)
		rc = read_lists(&pass, root, kernel->stages, wait_ms, error);
	if (rc == 0)
		rc = imalog_stream_digest(pass.stream, list->sha256, error);
	imalog_stream_free(&pass.stream);
	imalog_templates_free(&pass.templates);
	return rc;
}
