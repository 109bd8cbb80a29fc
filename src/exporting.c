// SPDX-License-Identifier: GPL-2.0-or-later
/* Taking records out of the kernel into the store: options, and what came of it. */
#include <inttypes.h>
#include <string.h>

#include "exporting.h"

/* ---- options ---- */

/* 0x81010002; a file of such a name has a path: ./0x81010002 */
static bool is_bad_handle(const char *ak)
{
	size_t digits;

	if (strncmp(ak, "0x", 2) != 0)
		return false;
	digits = strspn(ak + 2, "0123456789abcdefABCDEF");
	return digits == 0 || digits > 8 || ak[2 + digits];
}

int exporting_configure(struct exporting *exporting)
{
	const struct options *options = exporting->options;
	const char *ak = options->values[OPT_AK];
	int rc = options_check_tpm(options);

	if (rc != EXIT_YES)
		return rc;
	if (ak && (options->sysfs || options->no_tpm))
		return usage_error(options->command,
				   "--ak takes the TPM itself: not --sysfs or --no-tpm");
	if (ak && is_bad_handle(ak))
		return usage_error(options->command, "'%s' is no handle such as 0x81010002",
				   ak);
	return config_read(&exporting->config, options);
}

int exporting_prepare(struct exporting *exporting)
{
	const struct options *options = exporting->options;
	const struct config *config = &exporting->config;
	const char *tcti;
	enum imalog_tpm_use use = config_tpm(config, options, &tcti);

	exporting->export = imalog_export_new(options->root, config->store);
	exporting->error = imalog_error_new();
	if (!exporting->export || !exporting->error ||
	    imalog_export_set_tpm(exporting->export, use, tcti, options->values[OPT_AK],
				  exporting->error) < 0) {
		complain("%s", exporting->error && imalog_error_code(exporting->error) ?
				       imalog_error_detail(exporting->error) :
				       "out of memory");
		return EXIT_UNABLE;
	}
	imalog_export_set_wait(exporting->export, config->wait_ms);
	return EXIT_YES;
}

void exporting_free(struct exporting *exporting)
{
	imalog_export_free(&exporting->export);
	imalog_error_free(&exporting->error);
	config_free(&exporting->config);
}

/* ---- output ---- */

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void print_receipt(const struct imalog_receipt *receipt, uint64_t epoch)
{
	uint64_t records = imalog_receipt_records(receipt), matched_at;
	enum imalog_verdict verdict = imalog_receipt_verdict(receipt, &matched_at);

	printf("epoch %" PRIu64 ", segment %" PRIu64 ": %" PRIu64 " %s from %" PRIu64
	       ", %" PRIu64 " bytes: %s",
	       epoch, imalog_receipt_segment(receipt), records,
	       plural(records, "record", "records"), imalog_receipt_first_record(receipt),
	       imalog_receipt_bytes(receipt), imalog_verdict_name(verdict));
	if (verdict == IMALOG_MATCH)
		printf(" after record %" PRIu64, matched_at);
	putchar('\n');
}

void exporting_print_text(const struct exporting *exporting)
{
	const struct options *options = exporting->options;
	const struct imalog_receipt *receipt;
	enum imalog_note_kind kind;
	const char *note;
	uint64_t epoch;

	for (size_t i = 0; (receipt = imalog_export_receipt(exporting->export, i, &epoch));
	     i++)
		if (!options->quiet)
			print_receipt(receipt, epoch);
	for (size_t i = 0; (note = imalog_export_note(exporting->export, i, &kind)); i++)
		if (kind != IMALOG_NOTE_INFO || options->verbose ||
		    (exporting->tells && !options->quiet))
			complain("%s%s", kind == IMALOG_NOTE_INFO ? "note: " : "", note);
}

static json_t *json_notes(const struct imalog_export *export)
{
	json_t *notes = json_array();
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_export_note(export, i, &kind)); i++)
		json_array_append_new(notes, json_note(kind, note));
	return notes;
}

int exporting_print_json(const struct exporting *exporting, int rc, json_t *quote)
{
	json_t *segments = json_array(), *json;
	const struct imalog_receipt *receipt;
	uint64_t epoch;

	for (size_t i = 0; (receipt = imalog_export_receipt(exporting->export, i, &epoch));
	     i++)
		json_array_append_new(segments, json_receipt(receipt, epoch));
	json = json_pack("{s:o, s:o, s:o*}", "segments", segments, "notes",
			 json_notes(exporting->export), "quote", quote);
	if (json && rc < 0)
		json_object_set_new(json, "error",
				    json_string(imalog_error_detail(exporting->error)));
	if (print_json(stdout, json))
		return EXIT_YES;
	return stdout_flush() == EXIT_YES ? out_of_memory() : EXIT_UNABLE;
}
