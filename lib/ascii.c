// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The kernel's ascii list
 *
 * ima_ascii_measurements_show() in ima_fs.c, one line a record:
 *
 *	PCR, two characters or more | " " | template digest in hex | " " | template name
 *	for each field: " " | its text, which may be empty
 *
 * The template data is rebuilt from the text and must hash to the digest.  A name may hold
 * newlines, which the kernel does not escape: a line that does not hash is joined with those
 * that follow, and only the digest decides.
 */
#include <string.h>

#include "cursor.h"
#include "private.h"

#define LINE_SIZE_MAX ((size_t)2 * IMALOG_DATA_MAX + 65536)
/*
 * Lines of one name, and bytes of those that are not its first or last: a path has at most
 * PATH_MAX.  All are hashed again for each that is joined, which costs time on a foreign file.
 */
#define JOIN_MAX 64
#define JOIN_SIZE_MAX 4096
/* The first line, up to the first newline of a name: a path, digests and a signature */
#define JOIN_FIRST_MAX 16384
/*
 * What a list may waste on lines that fit with none of those that follow, in bytes; each try
 * costs some besides its text.  A list that is wrong throughout is no reason to hash it 64
 * times, nor to keep that many copies of a long line.
 */
#define JOIN_WASTE_MAX ((uint64_t)8 << 20)
#define JOIN_TRY_COST  1024

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* A PCR number, one blank, a character of the digest. */
static bool ascii_sniff(struct imalog_span start)
{
	size_t i = start.size && start.data[0] == ' ' ? 1 : 0, digits = i;

	while (i < start.size && is_digit(start.data[i]))
		i++;
	if (i == digits || i + 1 >= start.size || start.data[i] != ' ')
		return false;
	return is_digit(start.data[i + 1]) ||
	       (start.data[i + 1] >= 'a' && start.data[i + 1] <= 'f');
}

static int ascii_start(struct imalog_reader *reader, struct imalog_error *error)
{
	(void)error;
	reader->layout.order = IMALOG_ORDER_LE;
	return 0;
}

/*
 * Bytes before the first newline at or behind @from; *@ended when the input ends before one.
 * The window may move: spans into it are to be taken again.
 */
static int find_line(struct imalog_reader *reader, size_t from, size_t *size, bool *ended,
		     struct imalog_error *error)
{
	for (;;) {
		struct imalog_span span = imalog_window_span(&reader->window);
		const uint8_t *newline = NULL;
		int rc;

		if (span.size > from)
			newline = memchr(span.data + from, '\n', span.size - from);
		if (newline || reader->window.ended) {
			*ended = !newline;
			*size = newline ? (size_t)(newline - span.data) : span.size;
			return 0;
		}
		if (span.size > LINE_SIZE_MAX)
			return imalog_fail(error, IMALOG_ERR_LIMIT, "line",
					   "%zu bytes without a newline exceed the limit of %zu",
					   span.size, LINE_SIZE_MAX);
		from = span.size;
		rc = imalog_window_need(&reader->window, span.size + 1, error);
		if (rc < 0)
			return rc;
	}
}

/* Cuts the text up to the next blank off @rest; the last one takes what is left. */
static struct imalog_span next_token(struct imalog_span *rest)
{
	const uint8_t *blank = rest->size ? memchr(rest->data, ' ', rest->size) : NULL;
	struct imalog_span token = *rest;

	if (blank)
		token.size = (size_t)(blank - rest->data);
	rest->data += token.size + (blank ? 1 : 0);
	rest->size -= token.size + (blank ? 1 : 0);
	return token;
}

/* ---- the start of a line ---- */

/* The algorithm of a digest that does not prove one: that of the lines before, or the usual. */
static enum imalog_alg likely_alg(const struct imalog_reader *reader, size_t size)
{
	int alg = IMALOG_ALG_SHA1;

	if (reader->layout.proved && imalog_alg_size(reader->layout.digest_alg) == size)
		return reader->layout.digest_alg;
	while (imalog_alg_size((enum imalog_alg)alg) != size)
		alg++;
	return (enum imalog_alg)alg;
}

static int parse_head(struct imalog_reader *reader, struct imalog_span *rest,
		      struct imalog_record *record, struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];
	struct imalog_span token;
	uint8_t *digest;
	uint64_t pcr;

	if (rest->size && rest->data[0] == ' ') { /* "%2d" */
		rest->data++;
		rest->size--;
	}
	token = next_token(rest);
	if (!imalog_decimal_decode(token, IMALOG_PCR_MAX, &pcr))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "PCR",
				   "'%s' is no number from 0 to %d",
				   imalog_printable(token, shown), IMALOG_PCR_MAX);
	record->index = (uint32_t)pcr;
	token = next_token(rest);
	if (token.size != 40 && token.size != 64 && token.size != 96 && token.size != 128)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "template digest",
				   "%zu characters are not 40, 64, 96 or 128 of a hash",
				   token.size);
	digest = imalog_arena_room(&reader->rebuilt, token.size / 2);
	if (!digest)
		return imalog_fail_nomem(error);
	if (!imalog_hex_decode(token, digest))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "template digest",
				   "'%s' is not hexadecimal", imalog_printable(token, shown));
	imalog_arena_take(&reader->rebuilt, token.size / 2);
	record->nr_digests = 1;
	record->digests[0].span = (struct imalog_span){ digest, token.size / 2 };
	record->digests[0].alg = likely_alg(reader, token.size / 2);
	record->violation = imalog_all_zero(record->digests[0].span);
	record->template_name = next_token(rest);
	if (record->template_name.size == 0 || record->template_name.size > IMALOG_NAME_MAX)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "template name",
				   "%zu bytes, 1 to %d are possible", record->template_name.size,
				   IMALOG_NAME_MAX);
	return 0;
}

/* ---- from the text of a field to its bytes ---- */

/* "sha256:HEX" -> "sha256:" NUL DIGEST, "HEX" -> DIGEST; `d` has no prefix. */
static bool build_digest(enum imalog_field_id id, struct imalog_span text, uint8_t *out,
			 size_t *size)
{
	bool prefixed = id != IMALOG_FIELD_D && text.size;
	const uint8_t *colon = prefixed ? memrchr(text.data, ':', text.size) : NULL;
	size_t prefix = colon ? (size_t)(colon - text.data) + 1 : 0;

	/* As imalog_field_digest() knows it again */
	for (size_t i = 0; i < prefix; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	memcpy(out, text.data, prefix);
	*size = prefix;
	if (prefix)
		out[(*size)++] = '\0';
	text.data += prefix;
	text.size -= prefix;
	if (!imalog_hex_decode(text, out + *size))
		return false;
	*size += text.size / 2;
	return true;
}

static bool build_uint(enum imalog_field_id id, struct imalog_span text, enum imalog_order order,
		       uint8_t *out, size_t *size)
{
	uint64_t value;

	*size = 0;
	if (text.size == 0)
		return true;
	*size = id == IMALOG_FIELD_IMODE ? 2 : 4;
	if (!imalog_decimal_decode(text, id == IMALOG_FIELD_IMODE ? UINT16_MAX : UINT32_MAX,
				   &value))
		return false;
	for (size_t i = 0; i < *size; i++)
		out[order == IMALOG_ORDER_BE ? *size - 1 - i : i] = (uint8_t)(value >> (8 * i));
	return true;
}

static bool build_field(enum imalog_field_id id, bool ima, struct imalog_span text,
			enum imalog_order order, uint8_t *out, size_t *size)
{
	switch (imalog_field_id_type(id)) {
	case IMALOG_TYPE_DIGEST:
		return build_digest(id, text, out, size);
	case IMALOG_TYPE_TEXT:
		memcpy(out, text.data, text.size);
		*size = text.size;
		/* Names end in NUL but for template `ima`; no xattrs at all is no text. */
		if (!ima && (text.size || id != IMALOG_FIELD_XATTRNAMES))
			out[(*size)++] = '\0';
		return true;
	case IMALOG_TYPE_UINT:
		return build_uint(id, text, order, out, size);
	case IMALOG_TYPE_BYTES:
	case IMALOG_TYPE_UINTS: /* shown as the bytes that they are */
		break;
	}
	*size = text.size / 2;
	return imalog_hex_decode(text, out);
}

static void put_u32(uint8_t *out, uint32_t value, enum imalog_order order)
{
	for (int i = 0; i < 4; i++)
		out[order == IMALOG_ORDER_BE ? 3 - i : i] = (uint8_t)(value >> (8 * i));
}

/* What template `ima` can hold in the binary list: an MD5 or SHA-1 digest and a name. */
static int check_ima(const struct imalog_record *record, struct imalog_error *error)
{
	size_t digest = record->fields[0].data.size, name = record->fields[1].data.size;

	if (digest != 20 && digest != 16)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "d",
				   "%zu bytes are no digest of SHA-1 or MD5", digest);
	if (name == 0 || name >= IMALOG_IMA_NAME_SIZE)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "n",
				   "length %zu, 1 to %d are possible", name,
				   IMALOG_IMA_NAME_SIZE - 1);
	return 0;
}

/* Rebuilds template data at @out, which has room for the text and 8 bytes more a field. */
static int build_data(const struct imalog_template *template, struct imalog_span text,
		      enum imalog_order order, uint8_t *out, struct imalog_record *record,
		      struct imalog_error *error)
{
	bool ima = imalog_template_is_ima(record->template_name);
	char shown[IMALOG_PRINTABLE_MAX];
	uint8_t *end = out;

	for (size_t i = 0; i < template->nr_fields; i++) {
		enum imalog_field_id id = (enum imalog_field_id)template->fields[i];
		size_t head = ima && i == 0 ? 0 : 4;
		struct imalog_span token = text;
		size_t size;

		if (i + 1 < template->nr_fields)
			token = next_token(&text);
		if (!build_field(id, ima, token, order, end + head, &size))
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, imalog_field_id_name(id),
					   "'%s' is not %s", imalog_printable(token, shown),
					   imalog_field_id_type(id) == IMALOG_TYPE_UINT ?
						   "a number that fits" :
						   "hexadecimal");
		if (head)
			put_u32(end, (uint32_t)size, order);
		record->fields[i] = (struct imalog_field){ id, { end + head, size } };
		end += head + size;
	}
	record->nr_fields = template->nr_fields;
	record->data = (struct imalog_span){ out, (size_t)(end - out) };
	record->order = order;
	return ima ? check_ima(record, error) : 0;
}

/* ---- does the rebuilt data hash to the digest? ---- */

static int verify_alg(struct imalog_reader *reader, struct imalog_record *record,
		      struct imalog_error *error)
{
	struct imalog_hasher *hasher = imalog_reader_hasher(reader, error);
	size_t size = record->digests[0].span.size;
	int rc = IMALOG_FIT_NO;

	if (!hasher)
		return -IMALOG_ERR_NOMEM;
	for (int alg = 1; alg < IMALOG_ALG_COUNT && rc == IMALOG_FIT_NO; alg++) {
		bool known = reader->layout.proved &&
			     imalog_alg_size(reader->layout.digest_alg) == size;

		if (known ? (int)reader->layout.digest_alg != alg :
			    imalog_alg_size((enum imalog_alg)alg) != size)
			continue;
		record->digests[0].alg = (enum imalog_alg)alg;
		rc = imalog_record_verify(record, hasher, error);
		if (rc == -IMALOG_ERR_CRYPTO && alg != IMALOG_ALG_SHA1 && !known)
			rc = IMALOG_FIT_NO; /* this OpenSSL lacks it: then it proves nothing */
	}
	if (rc == IMALOG_FIT_NO)
		record->digests[0].alg = likely_alg(reader, size);
	return rc;
}

/* Integers shown as their bytes are in the order of the machine; all others can be turned. */
static bool shows_order(const struct imalog_template *template)
{
	for (size_t i = 0; i < template->nr_fields; i++)
		if (imalog_field_id_type((enum imalog_field_id)template->fields[i]) ==
		    IMALOG_TYPE_UINTS)
			return true;
	return false;
}

/* Rebuilds in the byte order that fits, little-endian when none does. */
static int build_and_verify(struct imalog_reader *reader, const struct imalog_template *template,
			    struct imalog_span text, struct imalog_record *record,
			    struct imalog_error *error)
{
	static const enum imalog_order orders[] = { IMALOG_ORDER_LE, IMALOG_ORDER_BE };
	size_t nr_orders = record->violation ? 0 : shows_order(template) ? 2 : 1;
	uint8_t *out = imalog_arena_room(&reader->rebuilt, text.size + 8 * IMALOG_FIELDS_MAX);
	int rc = 0;

	if (!out)
		return imalog_fail_nomem(error);
	record->fit = IMALOG_FIT_UNKNOWN;
	record->hash_order = IMALOG_ORDER_AUTO;
	for (size_t i = 0; i < nr_orders; i++) {
		rc = build_data(template, text, orders[i], out, record, error);
		if (rc == 0)
			rc = verify_alg(reader, record, error);
		if (rc < 0 || rc == IMALOG_FIT_YES)
			return rc;
	}
	rc = build_data(template, text, IMALOG_ORDER_LE, out, record, error);
	return rc < 0 ? rc : (int)record->fit;
}

/* A line as offsets: the window may move while more of it is read. */
struct line {
	size_t size;
	bool ended; /* by the input, not by a newline */
	size_t name, fields;
};

static struct imalog_span text_of(const struct imalog_reader *reader, size_t from, size_t to)
{
	struct imalog_span span = imalog_window_span(&reader->window);

	return (struct imalog_span){ span.data + from, to - from };
}

/* Did the text not fit, which more of it may mend? */
static bool misfits(int rc)
{
	return rc == IMALOG_FIT_NO || rc == -IMALOG_ERR_BAD_VALUE || rc == -IMALOG_ERR_BAD_LENGTH;
}

/* Makes @line as many lines as the digest wants; IMALOG_FIT_NO when no number of them fits. */
static int join_lines(struct imalog_reader *reader, const struct imalog_template *template,
		      struct line *line, struct imalog_record *record, struct imalog_error *error)
{
	struct line longer = *line;
	uint64_t cost = 0;

	for (int i = 0; i < JOIN_MAX && !longer.ended; i++) {
		int rc;

		if (longer.size - line->size > JOIN_SIZE_MAX)
			break;
		rc = find_line(reader, longer.size + 1, &longer.size, &longer.ended, error);
		if (rc < 0)
			return rc;
		rc = build_and_verify(reader, template,
				      text_of(reader, line->fields, longer.size), record, error);
		if (rc == IMALOG_FIT_YES)
			*line = longer;
		if (!misfits(rc))
			return rc;
		cost += JOIN_TRY_COST + longer.size;
	}
	reader->join_waste += cost;
	return IMALOG_FIT_NO;
}

/* Takes as many lines as the digest wants, the first alone when none fits. */
static int read_fields(struct imalog_reader *reader, const struct imalog_template *template,
		       struct line *line, struct imalog_record *record, struct imalog_error *error)
{
	struct line first = *line;
	bool joins = !record->violation && !line->ended && line->size <= JOIN_FIRST_MAX &&
		     reader->join_waste < JOIN_WASTE_MAX;
	int rc;

	/* At once: room for each longer text would be a block of its own. */
	if (joins && !imalog_arena_room(&reader->rebuilt, line->size + JOIN_SIZE_MAX +
								  8 * IMALOG_FIELDS_MAX))
		return imalog_fail_nomem(error);
	rc = build_and_verify(reader, template, text_of(reader, first.fields, first.size), record,
			      error);
	if (joins && misfits(rc)) {
		rc = join_lines(reader, template, line, record, error);
		if (rc == IMALOG_FIT_NO)
			rc = build_and_verify(reader, template,
					      text_of(reader, first.fields, first.size), record,
					      error);
	}
	if (rc == IMALOG_FIT_YES) {
		reader->layout.digest_alg = record->digests[0].alg;
		reader->layout.proved = true;
	}
	if (rc >= 0)
		imalog_arena_take(&reader->rebuilt, record->data.size);
	return rc;
}

static int read_line(struct imalog_reader *reader, struct line *line, struct imalog_record *record,
		     struct imalog_error *error)
{
	const struct imalog_template *template;
	struct imalog_template adhoc;
	struct imalog_span rest = text_of(reader, 0, line->size);
	const uint8_t *start = rest.data;
	int rc = parse_head(reader, &rest, record, error);

	if (rc < 0)
		return rc;
	line->name = (size_t)(record->template_name.data - start);
	line->fields = (size_t)(rest.data - start);
	reader->layout.digest_size = record->digests[0].span.size;
	template = imalog_templates_find(reader->templates, record->template_name, &adhoc);
	if (!template) {
		record->content = IMALOG_CONTENT_DIGEST_ONLY;
		record->data = rest;
		return 0;
	}
	record->content = IMALOG_CONTENT_TEMPLATE;
	return read_fields(reader, template, line, record, error);
}

static int ascii_next(struct imalog_reader *reader, struct imalog_record *record,
		      struct imalog_error *error)
{
	struct line line;
	int rc;

	rc = find_line(reader, 0, &line.size, &line.ended, error);
	if (rc < 0 || (line.ended && line.size == 0))
		return rc;
	record->is_nv = false;
	record->fit = IMALOG_FIT_UNKNOWN;
	record->hash_order = IMALOG_ORDER_AUTO;
	record->order = IMALOG_ORDER_LE;
	record->nr_fields = 0;
	rc = read_line(reader, &line, record, error);
	/* Whatever else is wrong with its text, or nothing at all: a cut line is a cut line. */
	if (line.ended && record->fit != IMALOG_FIT_YES && rc > -IMALOG_ERR_OS)
		return imalog_fail(error, IMALOG_ERR_TRUNCATED, "line",
				   "it ends after %zu bytes without a newline", line.size);
	if (rc < 0)
		return rc;
	record->raw = text_of(reader, 0, line.size + (line.ended ? 0 : 1));
	record->template_name.data = record->raw.data + line.name;
	if (record->content == IMALOG_CONTENT_DIGEST_ONLY)
		record->data.data = record->raw.data + line.fields;
	imalog_window_advance(&reader->window, record->raw.size);
	return 1;
}

const struct imalog_format_ops imalog_ascii_ops = { IMALOG_FORMAT_ASCII, ascii_sniff, ascii_start,
						    ascii_next };
