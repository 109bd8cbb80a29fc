// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: files of PCR values
 *
 * The first byte chooses the hint; with ff the first line of the input is the hint.
 */
#include <inttypes.h>

#include "fuzz.h"

static const char *const hints[] = {
	NULL,
	"sha1",
	"sha256",
	"sha384:10",
	"sha256:10",
	"sm3_256",
	"sha512:0,1,23",
	"sha1:0,1+sha256:10,11",
	"sha256:0,1,2,3,4,5,6,7,8,9+sha3-256:63+SHA3_512:62",
	"sha1:64",
	"sha256:1,",
	"md5",
	"",
	":",
	"sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3+sm3",
	"sha1:0,0+sha1:0",
};

/* The hint as a string that the caller frees, and what is left of @bytes. */
static char *take_hint(struct imalog_span *bytes)
{
	const uint8_t *newline = memchr(bytes->data, '\n', bytes->size);
	size_t size = newline ? (size_t)(newline - bytes->data) : bytes->size;
	char *hint = fuzz_alloc(size + 1);

	memcpy(hint, bytes->data, size);
	hint[size] = '\0';
	bytes->data += size + (newline ? 1 : 0);
	bytes->size -= size + (newline ? 1 : 0);
	return hint;
}

/* Every value as "ALG:PCR=HEX", which reads as the same set. */
static void check_again(const struct imalog_pcrs *pcrs)
{
	struct imalog_pcrs *lines = imalog_pcrs_new(), *specs = imalog_pcrs_new();
	struct imalog_buffer text = { 0 };

	MUST(lines && specs);
	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		char spec[64 + 2 * IMALOG_DIGEST_MAX];
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);
		int used = snprintf(spec, sizeof(spec), "%s:%" PRIu32 "=",
				    imalog_alg_name(alg), pcr);

		MUST(imalog_pcrs_get(pcrs, alg, pcr) == value && pcr <= IMALOG_PCR_MAX);
		for (size_t at = 0; at < imalog_alg_size(alg); at++)
			used += snprintf(spec + used, sizeof(spec) - (size_t)used, "%02x",
					 value[at]);
		MUST(imalog_pcrs_add_spec(specs, spec, NULL) == 0);
		imalog_buffer_add(&text, spec, (size_t)used);
		imalog_buffer_add(&text, "\n", 1);
	}
	MUST(imalog_pcrs_parse(lines, fuzz_span(&text), NULL, NULL) ==
	     (int)imalog_pcrs_count(pcrs));
	MUST(imalog_pcrs_count(lines) == imalog_pcrs_count(pcrs));
	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg, other;
		uint32_t pcr, other_pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);

		MUST(memcmp(imalog_pcrs_at(lines, i, &other, &other_pcr), value,
			    imalog_alg_size(alg)) == 0);
		MUST(other == alg && other_pcr == pcr);
		MUST(memcmp(imalog_pcrs_get(specs, alg, pcr), value,
			    imalog_alg_size(alg)) == 0);
	}
	imalog_buffer_free(&text);
	imalog_pcrs_free(&lines);
	imalog_pcrs_free(&specs);
}

static uint64_t count_lines(struct imalog_span bytes)
{
	uint64_t lines = 1;

	for (size_t i = 0; i < bytes.size; i++)
		lines += bytes.data[i] == '\n';
	return lines;
}

static void check_file(struct imalog_span bytes, const char *hint)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	int rc;

	MUST(error && pcrs);
	rc = imalog_pcrs_parse(pcrs, bytes, hint, error);
	if (rc < 0) {
		fuzz_check_error(error, rc);
		MUST(imalog_error_record(error) <= count_lines(bytes));
		MUST(imalog_error_offset(error) <= bytes.size);
		MUST(rc != -IMALOG_ERR_INVALID || hint);
	} else {
		MUST(rc >= 1 && imalog_pcrs_count(pcrs) >= 1);
		MUST(imalog_pcrs_count(pcrs) <= (size_t)rc);
		/* A second time everything is there already. */
		MUST(imalog_pcrs_parse(pcrs, bytes, hint, error) == rc);
		check_again(pcrs);
	}
	imalog_pcrs_free(&pcrs);
	imalog_error_free(&error);
}

/* The same file as one argument, "ALG:PCR=HEX" */
static void check_spec(struct imalog_span bytes)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	char *spec = fuzz_alloc(bytes.size + 1);
	int rc;

	MUST(error && pcrs);
	if (bytes.size)
		memcpy(spec, bytes.data, bytes.size);
	spec[bytes.size] = '\0';
	rc = imalog_pcrs_add_spec(pcrs, spec, error);
	MUST(imalog_pcrs_count(pcrs) == (rc == 0));
	if (rc < 0)
		fuzz_check_error(error, rc);
	else
		check_again(pcrs);
	free(spec);
	imalog_pcrs_free(&pcrs);
	imalog_error_free(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_span bytes = { data + 1, size - 1 }, copy;
	char *own = NULL;

	if (size == 0)
		return 0;
	if (data[0] == 0xff)
		own = take_hint(&bytes);
	copy = fuzz_copy(bytes);
	check_file(copy, own ? own : hints[data[0] % IMALOG_ARRAY_SIZE(hints)]);
	check_spec(copy);
	fuzz_free(copy);
	free(own);
	return 0;
}
