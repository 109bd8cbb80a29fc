// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog show: prints records, one line each. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "recnum.h"
#include "show.h"

enum {
	OPT_FIELDS = OPT_OWN,
	OPT_SHOW_PCR,
	OPT_TEMPLATE,
	OPT_MATCH,
	OPT_VIOLATIONS,
	OPT_SIGNATURES,
	OPT_FROM,
	OPT_TO,
};

static const struct option long_options[] = {
	COMMON_LONG,
	LOG_LONG,
	{ "fields", required_argument, NULL, OPT_FIELDS },
	{ "pcr", required_argument, NULL, OPT_SHOW_PCR },
	{ "template", required_argument, NULL, OPT_TEMPLATE },
	{ "match", required_argument, NULL, OPT_MATCH },
	{ "violations", no_argument, NULL, OPT_VIOLATIONS },
	{ "signatures", no_argument, NULL, OPT_SIGNATURES },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

struct show {
	struct options options;
	struct log log;
	struct columns columns;
	struct imalog_hasher *hasher;
	struct recnums recnums;
	char **patterns, **templates; /* arguments, of which any may match */
	size_t nr_patterns, nr_templates;
	bool pcrs[IMALOG_PCR_MAX + 1], any_pcr;
	bool violations, signatures;
	uint64_t from, to;
	uint64_t bad;
};

static bool parse_number(const char *text, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || value == 0)
		return false;
	*ret = value;
	return true;
}

static int set_number(struct show *show, uint64_t *number)
{
	if (!parse_number(optarg, number))
		return usage_error(show->options.command, "'%s' is no record number", optarg);
	return EXIT_YES;
}

static int choose_pcr(struct show *show)
{
	uint32_t pcr;

	if (!parse_pcr(optarg, &pcr))
		return usage_error(show->options.command, "PCR '%s' is no number from 0 to %d",
				   optarg, IMALOG_PCR_MAX);
	show->pcrs[pcr] = true;
	show->any_pcr = true;
	return EXIT_YES;
}

static int set_option(void *arg, int option)
{
	struct show *show = arg;
	bool repeats = option == OPT_SHOW_PCR || option == OPT_TEMPLATE || option == OPT_MATCH;

	if (!repeats && !options_once(&show->options, option))
		return EXIT_USAGE;
	switch (option) {
	case OPT_FIELDS:
		if (columns_parse(&show->columns, optarg))
			return EXIT_YES;
		return usage_error(show->options.command, "'%s' is no list of columns", optarg);
	case OPT_SHOW_PCR:
		return choose_pcr(show);
	case OPT_TEMPLATE:
		show->templates[show->nr_templates++] = optarg;
		return EXIT_YES;
	case OPT_MATCH:
		show->patterns[show->nr_patterns++] = optarg;
		return EXIT_YES;
	case OPT_VIOLATIONS:
		show->violations = true;
		return EXIT_YES;
	case OPT_SIGNATURES:
		show->signatures = true;
		return EXIT_YES;
	case OPT_FROM:
		return set_number(show, &show->from);
	default:
		return set_number(show, &show->to);
	}
}

/* --signatures is a choice of columns, too. */
static int check_options(struct show *show)
{
	char columns[] = "record,pcr,template,signature,name,note";

	if (!show->signatures)
		return EXIT_YES;
	if (show->columns.nr)
		return usage_error(show->options.command,
				   "--signatures and --fields exclude each other: there is a "
				   "column 'signature'");
	columns_parse(&show->columns, columns);
	return EXIT_YES;
}

static int parse(struct show *show, int argc, char **argv)
{
	int rc = options_parse(&show->options, argc, argv, set_option, show);

	return rc == EXIT_YES ? check_options(show) : rc;
}

/* A pattern is matched with the name as it is, NUL-terminated. */
static bool name_matches(const struct show *show, struct imalog_span name)
{
	char *text = strndup(name.size ? (const char *)name.data : "", name.size);
	bool matches = show->nr_patterns == 0;

	for (size_t i = 0; i < show->nr_patterns && text; i++)
		matches |= fnmatch(show->patterns[i], text, 0) == 0;
	free(text);
	return matches;
}

static bool template_matches(const struct show *show, struct imalog_span name)
{
	bool matches = show->nr_templates == 0;

	for (size_t i = 0; i < show->nr_templates; i++)
		matches |= strlen(show->templates[i]) == name.size &&
			   memcmp(show->templates[i], name.data, name.size) == 0;
	return matches;
}

static bool is_wanted(const struct show *show, const struct imalog_record *record)
{
	uint64_t number = imalog_record_number(record);
	uint32_t pcr = imalog_record_pcr(record);

	return number >= show->from && number <= show->to &&
	       (!show->violations || imalog_record_is_violation(record)) &&
	       (!show->any_pcr || (!imalog_record_is_nv(record) && pcr <= IMALOG_PCR_MAX &&
				   show->pcrs[pcr])) &&
	       template_matches(show, imalog_record_template(record)) &&
	       (show->nr_patterns == 0 || name_matches(show, imalog_record_name(record)));
}

static int show_record(struct show *show, struct imalog_record *record)
{
	struct imalog_error *error;
	int fit;

	if (!is_wanted(show, record))
		return EXIT_YES;
	fit = imalog_record_verify(record, show->hasher, NULL);
	if (fit < 0) {
		error = imalog_error_new();
		imalog_record_verify(record, show->hasher, error);
		complain("%s", error ? imalog_error_detail(error) : "out of memory");
		imalog_error_free(&error);
		return exit_code_of(fit);
	}
	show->bad += fit == IMALOG_FIT_NO;
	if (show->options.quiet)
		return EXIT_YES;
	if (show->options.json) {
		json_t *json = record_json(record, (enum imalog_fit)fit);

		if (show->signatures)
			json_object_set_new(json, "signatures", signatures_json(record));
		return print_json(stdout, json) ? EXIT_YES : EXIT_UNABLE;
	}
	return columns_print(&show->columns, record, (enum imalog_fit)fit) ? EXIT_YES : EXIT_UNABLE;
}

static int show_all(struct show *show)
{
	struct imalog_record *record;
	int rc = EXIT_YES, flushed, more = 0;

	while (rc == EXIT_YES && show->log.records < show->to &&
	       (more = log_next(&show->log, &record)) > 0) {
		recnum_look(&show->recnums, &show->log, record);
		rc = show_record(show, record);
		imalog_reader_release(show->log.reader, show->log.records);
	}
	flushed = stdout_flush();
	if (show->options.verbose)
		log_print_facts(&show->log, stderr);
	if (!show->options.quiet)
		recnum_complain(&show->recnums);
	if (rc != EXIT_YES || flushed != EXIT_YES)
		return EXIT_UNABLE;
	if (more < 0)
		return -more;
	if (show->bad)
		return EXIT_NO;
	return log_is_doubtful(&show->log) ? EXIT_UNABLE : EXIT_YES;
}

static int run(struct show *show, int argc, char **argv)
{
	int rc = log_open(&show->log, &show->options, argv + optind, argc - optind);

	if (rc != EXIT_YES)
		return rc;
	show->hasher = imalog_hasher_new();
	if (!show->hasher || !columns_open(&show->columns))
		return out_of_memory();
	return show_all(show);
}

static int cmd_show_run(const struct command *command, int argc, char **argv)
{
	struct show show = { .from = 1, .to = UINT64_MAX };
	int rc = options_init(&show.options, command);

	/* No more patterns than arguments. */
	show.patterns = calloc((size_t)argc, sizeof(*show.patterns));
	show.templates = calloc((size_t)argc, sizeof(*show.templates));
	if (rc == EXIT_YES && (!show.patterns || !show.templates))
		rc = out_of_memory();
	if (rc == EXIT_YES)
		rc = parse(&show, argc, argv);
	if (rc == EXIT_YES)
		rc = run(&show, argc, argv);
	log_close(&show.log);
	columns_close(&show.columns);
	imalog_hasher_free(&show.hasher);
	options_free(&show.options);
	free(show.patterns);
	free(show.templates);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_show = {
	.name = "show",
	.summary = "prints the records of a log, one line each",
	.usage = "[OPTION...] [LOG...]",
	.help = "The LOGs, in the order given, are one log; '-' is standard input.  No LOG: this\n"
		"machine's: what was exported, what is staged, and the kernel's list.\n"
		"\n"
		"Which records, all conditions together; of a repeated one, any:\n"
		"      --pcr N                of this PCR\n"
		"      --template NAME        of this template\n"
		"      --match PATTERN        whose name matches a shell pattern\n"
		"      --violations           violations\n"
		"      --from N, --to N       from and to these record numbers\n"
		"\n"
		"Output:\n"
		"      --fields LIST          columns: record, offset, recnum, pcr, digest,\n"
		"                             template, fits, size, file-digest, signature, name,\n"
		"                             note, or a field of the template such as d-ng, sig\n"
		"      --signatures           which signatures records carry; not checked\n"
		"      --json                 print one JSON object a line\n"
		"  -q, --quiet                print errors only: the exit status tells\n"
		"  -v, --verbose              say on standard error how each LOG was read\n"
		"\n"
		LOG_OPTIONS_HELP,
	.options = long_options,
	.run = cmd_show_run,
};
