// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog status: what was found, as one screen or as an object. */
#include <inttypes.h>
#include <string.h>

#include "status.h"
#include "version.h"

#define LABEL "%-12s"

static const char *word_of(enum imalog_answer answer)
{
	return answer == IMALOG_YES ? "yes" : answer == IMALOG_NO ? "no" : "unknown";
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static enum imalog_answer ask(const struct status *status, enum imalog_feature feature)
{
	return status->kernel ? imalog_kernel_offers(status->kernel, feature) :
				IMALOG_UNKNOWN;
}

static void print_string(const char *text)
{
	print_text(stdout, (struct imalog_span){ (const uint8_t *)text, strlen(text) });
}

/* ---- text ---- */

static void print_kernel(const struct status *status)
{
	const char *comma = "";

	printf(LABEL, "Kernel");
	print_string(status->kernel && imalog_kernel_release(status->kernel)[0] ?
			     imalog_kernel_release(status->kernel) :
			     "unknown");
	if (ask(status, IMALOG_FEATURE_LIST) != IMALOG_YES) {
		printf("\n");
		return;
	}
	printf("\n" LABEL "stages its list: %s; deletes its first records: %s\n", "",
	       word_of(ask(status, IMALOG_FEATURE_STAGING)),
	       word_of(ask(status, IMALOG_FEATURE_TRIM)));
	printf(LABEL "kexec takes the list along: %s\n", "",
	       word_of(ask(status, IMALOG_FEATURE_KEXEC)));
	printf(LABEL "policy can be read: %s, loaded: %s\n", "",
	       word_of(ask(status, IMALOG_FEATURE_READ_POLICY)),
	       word_of(ask(status, IMALOG_FEATURE_WRITE_POLICY)));
	printf(LABEL "lists with digests of: ", "");
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (status->kernel &&
		    imalog_kernel_has_list(status->kernel, (enum imalog_alg)alg)) {
			printf("%s%s", comma, imalog_alg_name((enum imalog_alg)alg));
			comma = ", ";
		}
	printf("%s\n", comma[0] ? "" : "sha1 alone");
}

static void print_list(const struct status *status)
{
	printf(LABEL, "List");
	if (status->listed.known)
		printf("%" PRIu64 " record%s", status->listed.records,
		       plural(status->listed.records));
	else
		printf("unknown");
	if (status->staged.known && ask(status, IMALOG_FEATURE_STAGING) == IMALOG_YES)
		printf(", %" PRIu64 " staged", status->staged.records);
	if (status->counted)
		printf("; %" PRIu64 " violations since this kernel booted",
		       status->violations);
	printf("\n" LABEL "%s\n", "",
	       status->holder[0] ? status->holder : "held open by nobody");
}

static void print_store(const struct status *status)
{
	const struct status_store *store = &status->store;

	printf(LABEL, "Store");
	print_string(status->config.store);
	if (store->failed)
		printf(": cannot be read\n");
	else if (!store->there)
		printf(": none\n");
	else if (!store->current)
		printf(": empty\n");
	else
		printf(": epoch %" PRIu64 ", one of %zu\n" LABEL "%" PRIu64
		       " segment%s with %s%" PRIu64 " record%s, the newest of %s\n",
		       store->current, store->epochs, "", store->segments,
		       plural(store->segments), store->unread ? "at least " : "",
		       store->records, plural(store->records),
		       store->newest[0] ? store->newest : "an unknown time");
}

/* As imalog.conf(5) has it */
static void print_age(uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 24 * 3600, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (seconds % units[i].seconds)
		i++;
	printf("%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
}

static void print_thresholds(const struct status *status)
{
	const struct config *config = &status->config;
	const char * or = "";

	printf(LABEL, "Exports");
	if (config->min_records) {
		printf("at %" PRIu64 " records", config->min_records);
		or = ", ";
	}
	if (config->min_bytes) {
		printf("%sat %" PRIu64 " bytes", or, config->min_bytes);
		or = ", ";
	}
	if (config->max_age) {
		printf("%safter ", or);
		print_age(config->max_age);
		or = ", ";
	}
	printf("%s\n", or [0] ? "" : "each time: imalog.conf has no thresholds");
}

/* "PCR 10 (sha1, sha256)", unless no bank of it was compared */
static void print_banks(const struct status *status, uint32_t pcr)
{
	bool any = false;

	for (size_t i = 0; i < imalog_replay_checks(status->replay); i++) {
		struct imalog_check check;

		imalog_replay_check(status->replay, i, &check);
		if (check.pcr != pcr || !check.extends)
			continue;
		if (any)
			printf(", ");
		else
			printf(" PCR %" PRIu32 " (", pcr);
		printf("%s", imalog_alg_name(check.bank));
		any = true;
	}
	if (any)
		putchar(')');
}

static void print_log(const struct status *status)
{
	uint64_t records = status->replayed ? imalog_replay_records(status->replay) : 0;

	printf(LABEL "%s\n", "TPM",
	       !status->tpm			 ? "not read" :
	       strcmp(status->tpm, "sysfs") == 0 ? "read through /sys/class/tpm" :
						   "read through tpm2-tss");
	printf(LABEL, "Log");
	if (!status->replayed) {
		printf("could not be read\n");
		return;
	}
	printf("%" PRIu64 " record%s from %s\n" LABEL, records, plural(records),
	       status->store.there ? "store and kernel" : "the kernel", "");
	if (status->verdict == IMALOG_MATCH) {
		printf("leads to the TPM's");
		for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++)
			print_banks(status, pcr);
		printf(" with record %" PRIu64 "%s\n", status->matched_at,
		       status->matched_at < records ? ", others are later" : "");
	} else {
		printf("%s\n", status->verdict == IMALOG_MISMATCH ?
				       "does not lead to the TPM's values" :
				       "is not proved");
	}
}

static void print_findings(const struct status *status)
{
	static const struct {
		enum imalog_note_kind kind;
		const char *label;
	} kinds[] = { { IMALOG_NOTE_WRONG, "Wrong: " },
		      { IMALOG_NOTE_UNCHECKED, "Not checked: " },
		      { IMALOG_NOTE_INFO, "Note: " } };
	bool well = true;

	putchar('\n');
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t i = 0; i < status->nr_findings; i++) {
			const struct finding *finding = &status->findings[i];

			if (finding->kind != kinds[k].kind)
				continue;
			well &= finding->kind == IMALOG_NOTE_INFO;
			printf("%s", kinds[k].label);
			print_string(finding->text);
			putchar('\n');
			if (finding->advice)
				printf("  what to do: %s\n", finding->advice);
		}
	if (well)
		printf("All is well.\n");
}

static void print_versions(void)
{
	printf(LABEL "%s, hashes by %s of %s\n", "Programs", imalog_version(),
	       imalog_hasher_engine(), imalog_hasher_library());
	printf(LABEL "%s, jansson %s\n", "",
	       imalog_tpm_library() ? imalog_tpm_library() : "no tpm2-tss",
	       JANSSON_VERSION);
	if (version_left_out())
		printf(LABEL "left out: %s\n", "", version_left_out());
}

void status_print_text(const struct status *status)
{
	print_kernel(status);
	print_list(status);
	print_store(status);
	print_thresholds(status);
	print_log(status);
	if (status->options.verbose)
		print_versions();
	print_findings(status);
}

/* ---- JSON ---- */

static json_t *json_answer(const struct status *status, enum imalog_feature feature)
{
	enum imalog_answer answer = ask(status, feature);

	return answer == IMALOG_UNKNOWN ? json_null() :
					  json_boolean(answer == IMALOG_YES);
}

static json_t *json_string_of(const char *text)
{
	return json_text((struct imalog_span){ (const uint8_t *)text, strlen(text) });
}

static json_t *json_kernel(const struct status *status)
{
	json_t *lists = json_array();

	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (status->kernel &&
		    imalog_kernel_has_list(status->kernel, (enum imalog_alg)alg))
			json_array_append_new(lists, json_string(imalog_alg_name(
							     (enum imalog_alg)alg)));
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "release",
		json_string_of(status->kernel ? imalog_kernel_release(status->kernel) :
						""),
		"ima", json_answer(status, IMALOG_FEATURE_LIST), "staging",
		json_answer(status, IMALOG_FEATURE_STAGING), "trim",
		json_answer(status, IMALOG_FEATURE_TRIM), "kexec",
		json_answer(status, IMALOG_FEATURE_KEXEC), "read_policy",
		json_answer(status, IMALOG_FEATURE_READ_POLICY), "write_policy",
		json_answer(status, IMALOG_FEATURE_WRITE_POLICY), "lists", lists);
}

static json_t *json_count(bool known, uint64_t count)
{
	return known ? json_integer((json_int_t)count) : json_null();
}

static json_t *json_list(const struct status *status)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "records",
			 json_count(status->listed.known, status->listed.records),
			 "staged",
			 json_count(status->staged.known, status->staged.records),
			 "violations", json_count(status->counted, status->violations),
			 "holder",
			 status->holder[0] ? json_string(status->holder) : json_null());
}

static json_t *json_store(const struct status *status)
{
	const struct status_store *store = &status->store;

	if (!store->there)
		return json_pack("{s:o, s:o}", "path",
				 json_string_of(status->config.store), "there",
				 store->failed ? json_null() : json_false());
	return json_pack("{s:o, s:b, s:I, s:I, s:I, s:o, s:I, s:s}", "path",
			 json_string_of(status->config.store), "there", 1, "epochs",
			 (json_int_t)store->epochs, "current", (json_int_t)store->current,
			 "segments", (json_int_t)store->segments, "records",
			 json_count(!store->unread, store->records), "pending",
			 (json_int_t)store->pending, "newest", store->newest);
}

static json_t *json_log(const struct status *status)
{
	json_t *checks = json_array();

	for (size_t i = 0; status->replayed && i < imalog_replay_checks(status->replay);
	     i++) {
		struct imalog_check check;

		imalog_replay_check(status->replay, i, &check);
		json_array_append_new(checks,
				      json_pack("{s:s, s:I, s:s}", "bank",
						imalog_alg_name(check.bank), "pcr",
						(json_int_t)check.pcr, "verdict",
						imalog_verdict_name(check.verdict)));
	}
	return json_pack(
		"{s:o, s:s, s:I, s:o}", "records",
		json_count(status->replayed,
			   status->replayed ? imalog_replay_records(status->replay) : 0),
		"verdict", imalog_verdict_name(status->verdict), "matched_at",
		(json_int_t)status->matched_at, "checks", checks);
}

static json_t *json_findings(const struct status *status)
{
	static const char *const kinds[] = {
		[IMALOG_NOTE_INFO] = "info",
		[IMALOG_NOTE_UNCHECKED] = "unchecked",
		[IMALOG_NOTE_WRONG] = "wrong",
	};
	json_t *findings = json_array();

	for (size_t i = 0; i < status->nr_findings; i++) {
		const struct finding *finding = &status->findings[i];

		json_array_append_new(
			findings,
			json_pack("{s:s, s:o, s:o}", "kind", kinds[finding->kind], "text",
				  json_string_of(finding->text), "advice",
				  finding->advice ? json_string(finding->advice) :
						    json_null()));
	}
	return findings;
}

bool status_print_json(const struct status *status)
{
	const struct config *config = &status->config;

	return print_json(
		stdout,
		json_pack("{s:o, s:o, s:o, s:{s:I, s:I, s:I}, s:o, s:o, s:o}", "kernel",
			  json_kernel(status), "list", json_list(status), "store",
			  json_store(status), "thresholds", "min_records",
			  (json_int_t)config->min_records, "min_bytes",
			  (json_int_t)config->min_bytes, "max_age",
			  (json_int_t)config->max_age, "tpm",
			  status->tpm ? json_string(status->tpm) : json_null(), "log",
			  json_log(status), "findings", json_findings(status)));
}
