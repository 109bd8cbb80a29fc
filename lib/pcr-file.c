// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PCR files: text of evmctl, tpm2_pcrread and sysfs, binary of tpm2_quote and tpm2_pcrread
 *
 * tpm2_quote -o writes C structures, little-endian, with their padding:
 *
 *	u32 count, 16 times { u16 hash, u8 size, u8[4] bits, u8 padding }	TPML_PCR_SELECTION
 *	u32 count, count times { u32 count, 8 times { u16 size, u8[64] } }	TPML_DIGEST
 *
 * The values are those of the selection, bank by bank, lowest PCR first.
 */
#include <string.h>

#include "cursor.h"
#include "private.h"

#define SELECTIONS 16
#define SELECT_BYTES 4
#define LIST_DIGESTS 8
#define HEADER_SIZE (4 + SELECTIONS * 8 + 4)
#define LIST_SIZE (4 + LIST_DIGESTS * (2 + IMALOG_DIGEST_MAX))

/* Which PCRs of which banks, in the order in which their values come. */
struct selection {
	struct {
		enum imalog_alg alg;
		uint64_t pcrs; /* bit N: PCR N */
	} banks[SELECTIONS];
	size_t nr;
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct imalog_span trim(struct imalog_span text)
{
	while (text.size && is_blank(text.data[0])) {
		text.data++;
		text.size--;
	}
	while (text.size && is_blank(text.data[text.size - 1]))
		text.size--;
	return text;
}

/* Splits at the first @at; false when there is none. */
static bool split(struct imalog_span text, char at, struct imalog_span *left,
		  struct imalog_span *right)
{
	const uint8_t *found = text.size ? memchr(text.data, at, text.size) : NULL;
	struct imalog_span whole = text;

	if (!found)
		return false;
	*left = (struct imalog_span){ whole.data, (size_t)(found - whole.data) };
	*right = (struct imalog_span){ found + 1, whole.size - left->size - 1 };
	return true;
}

static enum imalog_alg alg_of(struct imalog_span name)
{
	char text[16];

	if (name.size >= sizeof(text))
		return IMALOG_ALG_NONE;
	for (size_t i = 0; i < name.size; i++) {
		uint8_t c = name.data[i];

		text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	text[name.size] = '\0';
	return imalog_alg_by_name(text);
}

static bool pcr_of(struct imalog_span text, uint32_t *ret)
{
	uint64_t pcr;

	if (!imalog_decimal_decode(trim(text), IMALOG_PCR_MAX, &pcr))
		return false;
	*ret = (uint32_t)pcr;
	return true;
}

/* Hexadecimal with or without 0x and with blanks between bytes, as TPM 1.2 sysfs prints it. */
static bool hex_of(struct imalog_span text, uint8_t out[IMALOG_DIGEST_MAX], size_t *size)
{
	uint8_t packed[2 * IMALOG_DIGEST_MAX];
	size_t used = 0;

	text = trim(text);
	if (text.size > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x') {
		text.data += 2;
		text.size -= 2;
	}
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == ' ')
			continue;
		if (used == sizeof(packed))
			return false;
		packed[used++] = text.data[i];
	}
	*size = used / 2;
	return used > 0 && imalog_hex_decode((struct imalog_span){ packed, used }, out);
}

static int not_a_value(struct imalog_span text, struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];

	return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "", "'%s' is no PCR value",
			   imalog_printable(text, shown));
}

/* A second, different value is the file's fault. */
static int set_value(struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr,
		     struct imalog_span value, struct imalog_error *error)
{
	int rc = imalog_pcrs_set(pcrs, alg, pcr, value, error);

	if (rc == -IMALOG_ERR_INVALID)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "",
				   "two different values are given for PCR %u of bank %s", pcr,
				   imalog_alg_name(alg));
	return rc;
}

/* Adds a value given in hex; @alg may be unknown, then 20 bytes are of sha1. */
static int add_hex(struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr,
		   struct imalog_span hex, struct imalog_error *error)
{
	uint8_t bytes[IMALOG_DIGEST_MAX];
	struct imalog_span value = { bytes, 0 };

	if (!hex_of(hex, bytes, &value.size))
		return not_a_value(hex, error);
	if (alg == IMALOG_ALG_NONE && value.size == imalog_alg_size(IMALOG_ALG_SHA1))
		alg = IMALOG_ALG_SHA1;
	if (alg == IMALOG_ALG_NONE)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "",
				   "a value of %zu bytes does not tell its bank: say it", value.size);
	if (value.size != imalog_alg_size(alg))
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "",
				   "%zu bytes are no value of bank %s, which has %zu", value.size,
				   imalog_alg_name(alg), imalog_alg_size(alg));
	return set_value(pcrs, alg, pcr, value, error);
}

/* "sha256:10=HEX" */
static int add_spec(struct imalog_pcrs *pcrs, struct imalog_span spec, struct imalog_error *error)
{
	struct imalog_span bank, rest, number, hex;
	enum imalog_alg alg;
	uint32_t pcr;

	if (!split(spec, ':', &bank, &rest) || !split(rest, '=', &number, &hex) ||
	    !pcr_of(number, &pcr))
		return not_a_value(spec, error);
	alg = alg_of(trim(bank));
	if (alg == IMALOG_ALG_NONE)
		return not_a_value(spec, error);
	return add_hex(pcrs, alg, pcr, hex, error);
}

int imalog_pcrs_add_spec(struct imalog_pcrs *pcrs, const char *spec, struct imalog_error *reterr)
{
	return add_spec(pcrs, imalog_span_of(spec), reterr);
}

/* ---- selections ---- */

static int bad_hint(const char *hint, struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];

	return imalog_fail(error, IMALOG_ERR_INVALID, "",
			   "'%s' is no bank and no selection such as sha1:0,1+sha256:10",
			   imalog_printable(imalog_span_of(hint), shown));
}

/* "sha1:0,1+sha256:10"; a bank without PCRs is one too. */
static int parse_hint(const char *hint, struct selection *selection, struct imalog_error *error)
{
	struct imalog_span rest = imalog_span_of(hint), part, bank, numbers, number;
	bool more = true;

	while (more) {
		uint64_t pcrs = 0;

		more = split(rest, '+', &part, &rest);
		if (!more)
			part = rest;
		if (!split(part, ':', &bank, &numbers)) {
			bank = part;
			numbers.size = 0;
		}
		for (bool comma = numbers.size > 0; comma;) {
			uint32_t pcr;

			comma = split(numbers, ',', &number, &numbers);
			if (!pcr_of(comma ? number : numbers, &pcr))
				return bad_hint(hint, error);
			pcrs |= (uint64_t)1 << pcr;
		}
		if (selection->nr == SELECTIONS || alg_of(bank) == IMALOG_ALG_NONE)
			return bad_hint(hint, error);
		selection->banks[selection->nr].alg = alg_of(bank);
		selection->banks[selection->nr++].pcrs = pcrs;
	}
	return 0;
}

static size_t selection_size(const struct selection *selection)
{
	size_t size = 0;

	for (size_t i = 0; i < selection->nr; i++)
		size += imalog_alg_size(selection->banks[i].alg) *
			(size_t)__builtin_popcountll(selection->banks[i].pcrs);
	return size;
}

/* Where the values of a selection come from, one after the other. */
struct values {
	struct imalog_cursor cursor;
	bool lists;	 /* in TPML_DIGEST structures, not bare */
	uint32_t in_list; /* values left of this one */
	size_t slots;	 /* places left of this one */
};

/* Places are there whether a value fills them or not. */
static bool next_value(struct values *values, size_t size, struct imalog_span *ret)
{
	struct imalog_span skipped, place;
	uint64_t said;

	if (!values->lists)
		return imalog_cursor_bytes(&values->cursor, size, ret);
	while (values->in_list == 0) {
		if (!imalog_cursor_bytes(&values->cursor, values->slots * (2 + IMALOG_DIGEST_MAX),
					 &skipped) ||
		    !imalog_cursor_u32(&values->cursor, &values->in_list) ||
		    values->in_list > LIST_DIGESTS)
			return false;
		values->slots = LIST_DIGESTS;
	}
	if (!imalog_cursor_uint(&values->cursor, 2, &said) || said != size ||
	    !imalog_cursor_bytes(&values->cursor, IMALOG_DIGEST_MAX, &place))
		return false;
	values->in_list--;
	values->slots--;
	*ret = (struct imalog_span){ place.data, size };
	return true;
}

static int add_selected(struct imalog_pcrs *pcrs, const struct selection *selection,
			struct values *values, struct imalog_error *error)
{
	int count = 0;

	for (size_t i = 0; i < selection->nr; i++) {
		enum imalog_alg alg = selection->banks[i].alg;

		for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++) {
			struct imalog_span value;
			int rc;

			if (!(selection->banks[i].pcrs >> pcr & 1))
				continue;
			if (!next_value(values, imalog_alg_size(alg), &value))
				return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "",
						   "it selects PCR %u of bank %s but holds no value "
						   "of %zu bytes for it",
						   pcr, imalog_alg_name(alg), imalog_alg_size(alg));
			rc = set_value(pcrs, alg, pcr, value, error);
			if (rc < 0)
				return rc;
			count++;
		}
	}
	if (count == 0)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "", "it selects no PCR");
	return count;
}

/* ---- the binary file of tpm2_quote -o ---- */

static bool is_quote_file(struct imalog_span data)
{
	struct imalog_cursor cursor = imalog_cursor_over(data, IMALOG_ORDER_LE);
	struct imalog_span skipped;
	uint32_t selections, lists;

	return imalog_cursor_u32(&cursor, &selections) && selections <= SELECTIONS &&
	       imalog_cursor_bytes(&cursor, HEADER_SIZE - 8, &skipped) &&
	       imalog_cursor_u32(&cursor, &lists) && cursor.left == (size_t)lists * LIST_SIZE;
}

static int parse_quote_file(struct imalog_pcrs *pcrs, struct imalog_span data,
			    struct imalog_error *error)
{
	struct values values = { imalog_cursor_over(data, IMALOG_ORDER_LE), true, 0, 0 };
	struct imalog_span bits, rest;
	struct selection selection = { .nr = 0 };
	uint32_t count = 0;

	imalog_cursor_u32(&values.cursor, &count);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t id, size, pcrs_bits = 0;

		if (!imalog_cursor_uint(&values.cursor, 2, &id) ||
		    !imalog_cursor_uint(&values.cursor, 1, &size) ||
		    !imalog_cursor_bytes(&values.cursor, 1 + SELECT_BYTES, &bits))
			break; /* is_quote_file() has seen that they are there */
		if (imalog_alg_by_tpm_id((uint16_t)id) == IMALOG_ALG_NONE || size > SELECT_BYTES)
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "",
					   "selection %u: bank 0x%x with %u bytes of PCRs", i + 1,
					   (unsigned int)id, (unsigned int)size);
		for (size_t byte = 0; byte < size; byte++)
			pcrs_bits |= (uint64_t)bits.data[byte] << (8 * byte);
		selection.banks[i].alg = imalog_alg_by_tpm_id((uint16_t)id);
		selection.banks[i].pcrs = pcrs_bits;
	}
	selection.nr = count;
	imalog_cursor_bytes(&values.cursor, (SELECTIONS - count) * 8 + 4, &rest);
	return add_selected(pcrs, &selection, &values, error);
}

/* ---- text ---- */

struct text {
	enum imalog_alg bank; /* of lines that name none */
	struct selection hint;
	int count;
};

/* 0: a value, 1: a heading, negative: neither */
static int parse_line(struct imalog_pcrs *pcrs, struct text *text, struct imalog_span line,
		      struct imalog_error *error)
{
	struct imalog_span left, right, number, hex;
	char shown[IMALOG_PRINTABLE_MAX];
	uint32_t pcr;
	bool colon = split(line, ':', &left, &right);

	if (!colon && text->hint.nr == 1 && text->hint.banks[0].pcrs)
		return add_hex(pcrs, text->bank,
			       (uint32_t)__builtin_ctzll(text->hint.banks[0].pcrs), line, error);
	if (!colon)
		return not_a_value(line, error);
	left = trim(left);
	right = trim(right);
	if (left.size > 4 && memcmp(left.data, "PCR-", 4) == 0) {
		left.data += 4;
		left.size -= 4;
	}
	if (pcr_of(left, &pcr))
		return add_hex(pcrs, text->bank, pcr, right, error);
	if (right.size == 0 && left.size) { /* "sha256:", "pcrs:" */
		text->bank = alg_of(left);
		/* A misspelt bank must not drop its values in silence. */
		if (text->bank == IMALOG_ALG_NONE &&
		    !imalog_span_equal(left, imalog_span_of("pcrs")))
			return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "",
					   "'%s' is no bank that is known",
					   imalog_printable(left, shown));
		return 1;
	}
	if (!split(right, '=', &number, &hex))
		return not_a_value(line, error);
	return add_spec(pcrs, line, error);
}

static int parse_text(struct imalog_pcrs *pcrs, struct imalog_span data, struct text *text,
		      struct imalog_error *error)
{
	struct imalog_span line, rest = data;
	bool more = true;

	for (uint64_t number = 1; more; number++) {
		uint64_t offset = (uint64_t)(rest.data - data.data);
		int rc;

		more = split(rest, '\n', &line, &rest);
		line = trim(more ? line : rest);
		if (line.size == 0 || line.data[0] == '#')
			continue;
		rc = parse_line(pcrs, text, line, error);
		if (rc < 0) {
			imalog_error_set_record(error, number, offset);
			return rc;
		}
		text->count += rc == 0;
	}
	if (text->count == 0)
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "", "it holds no PCR value");
	return text->count;
}

int imalog_pcrs_parse(struct imalog_pcrs *pcrs, struct imalog_span data, const char *hint,
		      struct imalog_error *reterr)
{
	struct text text = { .bank = IMALOG_ALG_NONE };

	if (hint) {
		int rc = parse_hint(hint, &text.hint, reterr);

		if (rc < 0)
			return rc;
		text.bank = text.hint.banks[0].alg;
		if (selection_size(&text.hint) == data.size && data.size) {
			struct values values = { imalog_cursor_over(data, IMALOG_ORDER_LE), false,
						 0, 0 };

			return add_selected(pcrs, &text.hint, &values, reterr);
		}
	}
	if (is_quote_file(data))
		return parse_quote_file(pcrs, data, reterr);
	return parse_text(pcrs, data, &text, reterr);
}
