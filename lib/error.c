// SPDX-License-Identifier: LGPL-2.1-or-later
/* What went wrong, in which record, and the sentences that say so. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

struct imalog_error {
	enum imalog_code code;
	int os_errno;
	uint32_t tpm_rc;
	uint64_t record;
	uint64_t offset;
	char source[PATH_MAX];
	char field[32];
	char detail[256];
};

struct imalog_error *imalog_error_new(void)
{
	return calloc(1, sizeof(struct imalog_error));
}

void imalog_error_free(struct imalog_error **error)
{
	if (!error)
		return;
	free(*error);
	*error = NULL;
}

enum imalog_code imalog_error_code(const struct imalog_error *error)
{
	return error->code;
}

int imalog_error_os_errno(const struct imalog_error *error)
{
	return error->os_errno;
}

uint32_t imalog_error_tpm_rc(const struct imalog_error *error)
{
	return error->tpm_rc;
}

const char *imalog_error_source(const struct imalog_error *error)
{
	return error->source;
}

uint64_t imalog_error_record(const struct imalog_error *error)
{
	return error->record;
}

uint64_t imalog_error_offset(const struct imalog_error *error)
{
	return error->offset;
}

const char *imalog_error_field(const struct imalog_error *error)
{
	return error->field;
}

const char *imalog_error_detail(const struct imalog_error *error)
{
	return error->detail;
}

void imalog_error_format(const struct imalog_error *error, char *buf, size_t size)
{
	char where[64] = "";

	if (error->record)
		snprintf(where, sizeof(where), "record %llu at 0x%llx: ",
			 (unsigned long long)error->record, (unsigned long long)error->offset);
	snprintf(buf, size, "%s%s%s%s", where, error->field, error->field[0] ? ": " : "",
		 error->detail);
}

static void fill(struct imalog_error *error, enum imalog_code code, const char *field)
{
	error->code = code;
	error->os_errno = 0;
	error->tpm_rc = 0;
	error->record = 0;
	error->offset = 0;
	error->source[0] = '\0';
	error->detail[0] = '\0';
	snprintf(error->field, sizeof(error->field), "%s", field);
}

int imalog_fail(struct imalog_error *error, enum imalog_code code, const char *field,
		const char *detail, ...)
{
	va_list args;

	if (!error)
		return -(int)code;
	fill(error, code, field);
	va_start(args, detail);
	vsnprintf(error->detail, sizeof(error->detail), detail, args);
	va_end(args);
	return -(int)code;
}

int imalog_fail_errno(struct imalog_error *error, int os_errno, const char *doing)
{
	char text[128];

	imalog_fail(error, IMALOG_ERR_OS, "", "%s: %s", doing,
		    strerror_r(os_errno, text, sizeof(text)));
	if (error)
		error->os_errno = os_errno;
	return -IMALOG_ERR_OS;
}

int imalog_fail_os(struct imalog_error *error, int os_errno, const char *detail, ...)
{
	va_list args;

	if (!error)
		return -IMALOG_ERR_OS;
	fill(error, IMALOG_ERR_OS, "");
	error->os_errno = os_errno;
	va_start(args, detail);
	vsnprintf(error->detail, sizeof(error->detail), detail, args);
	va_end(args);
	return -IMALOG_ERR_OS;
}

int imalog_fail_tpm(struct imalog_error *error, uint32_t tpm_rc, const char *detail, ...)
{
	va_list args;

	if (!error)
		return -IMALOG_ERR_TPM;
	fill(error, IMALOG_ERR_TPM, "");
	error->tpm_rc = tpm_rc;
	va_start(args, detail);
	vsnprintf(error->detail, sizeof(error->detail), detail, args);
	va_end(args);
	return -IMALOG_ERR_TPM;
}

int imalog_fail_nomem(struct imalog_error *error)
{
	return imalog_fail(error, IMALOG_ERR_NOMEM, "", "out of memory");
}

void imalog_error_set_source(struct imalog_error *error, const char *source)
{
	if (error)
		snprintf(error->source, sizeof(error->source), "%s", source);
}

void imalog_error_set_record(struct imalog_error *error, uint64_t record, uint64_t offset)
{
	if (!error)
		return;
	error->record = record;
	error->offset = offset;
}

void imalog_error_copy(struct imalog_error *to, const struct imalog_error *from)
{
	if (to && from)
		*to = *from;
}

const char *imalog_printable(struct imalog_span text, char buf[IMALOG_PRINTABLE_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];

		if (used + 8 > IMALOG_PRINTABLE_MAX) { /* an escape, the dots and the NUL */
			memcpy(buf + used, "...", 3);
			used += 3;
			break;
		}
		if (c >= 0x20 && c < 0x7f && c != '\\')
			buf[used++] = (char)c;
		else
			used += (size_t)sprintf(buf + used, "\\x%02x", c);
	}
	buf[used] = '\0';
	return buf;
}

const char *imalog_strerror(int code)
{
	static const struct {
		enum imalog_code code;
		const char *text;
	} texts[] = {
		{ IMALOG_OK, "no error" },
		{ IMALOG_ERR_TRUNCATED, "input ends inside a record" },
		{ IMALOG_ERR_BAD_LENGTH, "length exceeds what holds it" },
		{ IMALOG_ERR_BAD_VALUE, "value that cannot be" },
		{ IMALOG_ERR_TRAILING, "bytes left over behind the last field" },
		{ IMALOG_ERR_LIMIT, "size beyond the limit" },
		{ IMALOG_ERR_BAD_FORMAT, "not a known log format" },
		{ IMALOG_ERR_AMBIGUOUS, "layout cannot be told from the records" },
		{ IMALOG_ERR_INVALID, "invalid argument" },
		{ IMALOG_ERR_UNSUPPORTED, "cannot be expressed in this format" },
		{ IMALOG_ERR_OS, "operating system error" },
		{ IMALOG_ERR_NOMEM, "out of memory" },
		{ IMALOG_ERR_CRYPTO, "cryptographic library error" },
		{ IMALOG_ERR_TPM, "TPM error" },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(texts); i++)
		if ((int)texts[i].code == code || -(int)texts[i].code == code)
			return texts[i].text;
	return "unknown error";
}

const char *imalog_verdict_name(enum imalog_verdict verdict)
{
	switch (verdict) {
	case IMALOG_MATCH:
		return "match";
	case IMALOG_MISMATCH:
		return "mismatch";
	case IMALOG_NOT_CHECKED:
		break;
	}
	return "not-checked";
}

const char *imalog_problem_text(enum imalog_problem problem)
{
	switch (problem) {
	case IMALOG_PROBLEM_DIGEST:
		return "template digest does not fit the template data";
	case IMALOG_PROBLEM_ASCII:
		return "ascii line does not hash to its template digest";
	case IMALOG_PROBLEM_OPAQUE:
		return "template is not known, so the ascii line cannot be checked";
	case IMALOG_PROBLEM_UNCHECKED:
		return "its content is of a kind that no rule checks";
	case IMALOG_PROBLEM_SNAPSHOT:
		return "PCR values in it are not those that the log before it leads to";
	}
	return "unknown problem";
}

const char *imalog_version(void)
{
	return PACKAGE_VERSION;
}
