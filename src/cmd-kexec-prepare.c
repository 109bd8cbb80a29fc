// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog kexec-prepare: will a kexec carry the list over, and what if it does not? */
#include <inttypes.h>
#include <string.h>

#include "exporting.h"

enum {
	OPT_NO_EXPORT = OPT_EXPORT_OWN,
	OPT_CHECK,
	OPT_UNCHANGED,
	OPT_RESERVE,
};

static const struct option long_options[] = {
	COMMON_LONG,
	EXPORTING_LONG,
	{ "no-export", no_argument, NULL, OPT_NO_EXPORT },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "unchanged", no_argument, NULL, OPT_UNCHANGED },
	{ "reserve", required_argument, NULL, OPT_RESERVE },
	{ NULL, 0, NULL, 0 },
};

struct run {
	struct options options;
	struct exporting exporting;
	struct imalog_kexec_question question;
	struct imalog_kexec *kexec;
	struct imalog_error *error;
	int exported; /* the exit code of what was exported */
	json_t *segments, *notes;
};

/* ---- the command line ---- */

static int check_options(struct run *run)
{
	const bool *given = run->options.seen;
	const char *reserve = run->options.values[OPT_RESERVE];
	const struct command *command = run->options.command;

	if (given[OPT_CHECK] && given[OPT_NO_EXPORT])
		return usage_error(command,
				   "--check exports nothing: it excludes --no-export");
	if (given[OPT_UNCHANGED] && !given[OPT_CHECK])
		return usage_error(command, "--unchanged goes with --check");
	if (reserve && !parse_count(reserve, true, &run->question.reserve))
		return usage_error(command, "'%s' is no number of bytes", reserve);
	return EXIT_YES;
}

static int parse(struct run *run, int argc, char **argv)
{
	struct options *options = &run->options;
	int rc = options_parse(options, argc, argv, NULL, NULL);

	if (rc != EXIT_YES)
		return rc;
	if (argc > optind)
		return usage_error(options->command, "too many arguments: '%s'", argv[optind]);
	rc = check_options(run);
	return rc == EXIT_YES ? exporting_configure(&run->exporting) : rc;
}

/* ---- taking out what need not be carried over ---- */

/* What came of one call, before the next one forgets it */
static int take_results(struct run *run, int rc)
{
	const struct imalog_export *export = run->exporting.export;
	const struct imalog_receipt *receipt;
	enum imalog_note_kind kind;
	const char *note;
	uint64_t epoch;
	int judged = rc < 0 ? exit_code_of(rc) : export_judge(export);

	for (size_t i = 0; (receipt = imalog_export_receipt(export, i, &epoch)); i++)
		json_array_append_new(run->segments, json_receipt(receipt, epoch));
	for (size_t i = 0; (note = imalog_export_note(export, i, &kind)); i++)
		json_array_append_new(run->notes, json_note(kind, note));
	if (!run->options.json)
		exporting_print_text(&run->exporting);
	if (rc < 0)
		complain_of(NULL, run->exporting.error);
	if (judged != EXIT_YES && run->exported != EXIT_NO)
		run->exported = judged;
	return rc < 0 ? judged : EXIT_YES;
}

/* Can the kernel let go of records at all? */
static int look_at_kernel(struct run *run, bool *deletes)
{
	struct imalog_kernel *kernel;
	int rc = imalog_kernel_look(run->options.root, &kernel, run->exporting.error);

	if (rc < 0) {
		complain_of(NULL, run->exporting.error);
		return exit_code_of(rc);
	}
	*deletes = imalog_kernel_offers(kernel, IMALOG_FEATURE_STAGING) == IMALOG_YES ||
		   imalog_kernel_offers(kernel, IMALOG_FEATURE_TRIM) == IMALOG_YES;
	imalog_kernel_free(&kernel);
	return EXIT_YES;
}

/* First as much as the kernel lets go of, then a copy of the rest */
static int export_all(struct run *run)
{
	struct exporting *exporting = &run->exporting;
	bool deletes = false;
	int rc = exporting_prepare(exporting);

	if (rc == EXIT_YES)
		rc = look_at_kernel(run, &deletes);
	if (rc == EXIT_YES && deletes)
		rc = take_results(run, imalog_export_run(exporting->export, exporting->error));
	if (rc == EXIT_YES)
		rc = take_results(run,
				  imalog_export_keep(exporting->export, exporting->error));
	return rc;
}

/* ---- the verdict ---- */

static int look(struct run *run)
{
	const struct exporting *exporting = &run->exporting;
	int rc;

	run->question.root = run->options.root;
	run->question.store = exporting->config.store;
	run->question.loaded = run->options.seen[OPT_CHECK];
	run->question.unchanged = run->options.seen[OPT_UNCHANGED];
	run->question.wait_ms = exporting->config.wait_ms;
	rc = imalog_kexec_look(&run->question, &run->kexec, run->error);
	if (rc < 0)
		complain_of(NULL, run->error);
	return rc < 0 ? exit_code_of(rc) : EXIT_YES;
}

static int judge(const struct run *run)
{
	enum imalog_verdict verdict = imalog_kexec_verdict(run->kexec);

	if (verdict == IMALOG_MISMATCH || run->exported == EXIT_NO)
		return EXIT_NO;
	return verdict == IMALOG_MATCH ? run->exported : EXIT_UNABLE;
}

static void print_next(const struct imalog_kexec_facts *facts)
{
	if (!facts->prepared)
		return;
	printf("Next:  the list of the next kernel should begin with ");
	if (facts->kept) {
		printf("records %" PRIu64 " to %" PRIu64 " of epoch %" PRIu64 "\n"
		       "       (SHA-256 ",
		       facts->committed + 1, facts->committed + facts->kept, facts->epoch);
		print_hex(stdout, (struct imalog_span){ facts->sha256, 32 });
		printf(")\n");
	} else {
		printf("what follows record %" PRIu64 " of epoch %" PRIu64 "\n",
		       facts->committed, facts->epoch);
	}
}

static void print_text_verdict(const struct run *run)
{
	static const char *const words[] = {
		[IMALOG_NOT_CHECKED] =
			"It cannot be told whether a kexec carries the list over.",
		[IMALOG_MATCH] = "A kexec carries the list over.",
		[IMALOG_MISMATCH] = "A kexec does not carry the list over as it is.",
	};
	struct imalog_kexec_facts facts;
	enum imalog_note_kind kind;
	const char *note;

	imalog_kexec_get(run->kexec, &facts);
	if (!run->options.quiet) {
		printf("List:  %" PRIu64 " records of %" PRIu64 " bytes\n"
		       "Needs: %" PRIu64 " bytes\n",
		       facts.records, facts.bytes, facts.needed);
		if (facts.segment)
			printf("Room:  %" PRIu64 " bytes (%s)\n", facts.segment,
			       facts.segment_from);
		print_next(&facts);
		printf("%s\n", words[imalog_kexec_verdict(run->kexec)]);
	}
	for (size_t i = 0; (note = imalog_kexec_note(run->kexec, i, &kind)); i++)
		if (kind != IMALOG_NOTE_INFO || !run->options.quiet)
			complain("%s%s", kind == IMALOG_NOTE_INFO ? "note: " : "", note);
}

static json_t *json_answer(enum imalog_answer answer)
{
	return answer == IMALOG_UNKNOWN ? json_null() : json_boolean(answer == IMALOG_YES);
}

static json_t *json_kexec(const struct run *run)
{
	enum imalog_verdict verdict = imalog_kexec_verdict(run->kexec);
	struct imalog_kexec_facts facts;
	json_t *next = json_null();

	imalog_kexec_get(run->kexec, &facts);
	if (facts.prepared)
		next = json_pack("{s:I, s:I, s:I, s:o}", "epoch", (json_int_t)facts.epoch,
				 "first_record", (json_int_t)facts.committed + 1, "records",
				 (json_int_t)facts.kept, "sha256",
				 json_hex((struct imalog_span){ facts.sha256, 32 }));
	return json_pack("{s:o, s:I, s:I, s:I, s:o, s:s, s:o, s:o}", "carried",
			 verdict == IMALOG_NOT_CHECKED ? json_null() :
							 json_boolean(verdict == IMALOG_MATCH),
			 "records", (json_int_t)facts.records, "bytes",
			 (json_int_t)facts.bytes, "needed", (json_int_t)facts.needed,
			 "segment",
			 facts.segment ? json_integer((json_int_t)facts.segment) : json_null(),
			 "segment_from", facts.segment_from, "loaded",
			 json_answer(facts.loaded), "next", next);
}

static bool print_json_verdict(struct run *run, int rc)
{
	json_t *json = run->kexec ? json_kexec(run) : json_object();
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; run->kexec && (note = imalog_kexec_note(run->kexec, i, &kind)); i++)
		json_array_append_new(run->notes, json_note(kind, note));
	json_object_set(json, "segments", run->segments);
	json_object_set(json, "notes", run->notes);
	if (rc != EXIT_YES)
		json_object_set_new(
			json, "error",
			json_string(imalog_error_detail(imalog_error_code(run->error) ?
								run->error :
								run->exporting.error)));
	return print_json(stdout, json);
}

static int prepare(struct run *run)
{
	const bool *given = run->options.seen;
	bool exports = !given[OPT_CHECK] && !given[OPT_NO_EXPORT];
	int rc = exports ? export_all(run) : EXIT_YES, flushed;

	if (rc == EXIT_YES)
		rc = look(run);
	if (run->options.json && !print_json_verdict(run, rc))
		return EXIT_UNABLE;
	if (!run->options.json && rc == EXIT_YES)
		print_text_verdict(run);
	flushed = stdout_flush();
	if (flushed != EXIT_YES)
		return flushed;
	return rc == EXIT_YES ? judge(run) : rc;
}

static int cmd_kexec_prepare_run(const struct command *command, int argc, char **argv)
{
	struct run *run = calloc(1, sizeof(*run));
	int rc;

	if (!run)
		return out_of_memory();
	run->exporting.options = &run->options;
	run->error = imalog_error_new();
	run->segments = json_array();
	run->notes = json_array();
	rc = run->error ? options_init(&run->options, command) : out_of_memory();
	if (rc == EXIT_YES)
		rc = parse(run, argc, argv);
	if (rc == EXIT_YES)
		rc = prepare(run);
	imalog_kexec_free(&run->kexec);
	imalog_error_free(&run->error);
	json_decref(run->segments);
	json_decref(run->notes);
	exporting_free(&run->exporting);
	options_free(&run->options);
	free(run);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_kexec_prepare = {
	.name = "kexec-prepare",
	.summary = "prepares a kexec, and says whether it carries the list over",
	.usage = "[OPTION...]",
	.help = "Before the next kernel is loaded: exports the list, so that little is to be\n"
		"carried over, saves what is still in the kernel, so that nothing is lost if it\n"
		"is not, and says whether it will be.  Crash kernels are none of its business.\n"
		"Exit status 0: it will be carried over; 1: it will not, or, with --unchanged,\n"
		"is not what it was; 4: that cannot be told, or was not done.\n"
		"\n"
		"      --no-export            only say it; nothing is exported or saved\n"
		"      --check                the next kernel is loaded: has it enough room for\n"
		"                             the list as it is now?  Changes nothing\n"
		"      --unchanged            and is the list what was saved, to the last byte?\n"
		"      --reserve N[K|M|G]     so many bytes of room are to be left for what is\n"
		"                             measured yet; default 0\n"
		"\n"
		EXPORTING_TPM_HELP
		"      --ak CONTEXT|HANDLE    store a quote by this key with each segment\n"
		"\n"
		EXPORTING_WAIT_HELP
		EXPORTING_STORE_HELP
		"      --root DIR             where /sys, /proc, /boot, /etc and the store are\n"
		"      --json                 print JSON\n"
		"  -q, --quiet                print errors, and why it is not carried over\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_kexec_prepare_run,
};
