// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog convert: writes a log in another format. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const struct option long_options[] = {
	COMMON_LONG,
	READING_LONG,
	LIVE_LONG,
	{ "to", required_argument, NULL, 't' },
	{ "output", required_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static const struct target {
	const char *name;
	enum imalog_format format;
	enum imalog_order order;
} targets[] = {
	{ "kernel", IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE },
	{ "kernel-be", IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE },
	{ "ascii", IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO },
};

struct convert {
	struct options options;
	struct log log;
	struct output output;
	const struct target *target;
	const char *path;
	struct imalog_writer *writer;
	struct imalog_hasher *hasher;
	uint64_t other_order; /* records whose digest covers the other byte order */
};

static int choose_target(struct convert *convert, const char *name)
{
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		if (strcmp(targets[i].name, name) == 0) {
			convert->target = &targets[i];
			return EXIT_YES;
		}
	}
	return usage_error(convert->options.command,
			   "format '%s' is not kernel, kernel-be or ascii", name);
}

static int parse(struct convert *convert, int argc, char **argv)
{
	struct options *options = &convert->options;
	int option, rc = EXIT_YES;

	while ((option = options_next(options, argc, argv, COMMON_SHORT "t:o:", long_options,
				      &rc)) >= 0) {
		if (!options_once(options, option, long_options))
			return EXIT_USAGE;
		if (option == 'o')
			convert->path = optarg;
		else if (choose_target(convert, optarg) != EXIT_YES)
			return EXIT_USAGE;
	}
	if (option == -2)
		return EXIT_CODE_DONE(rc);
	if (!convert->target)
		return usage_error(options->command, "no format is given (-t FORMAT)");
	if (!convert->path && convert->target->format != IMALOG_FORMAT_ASCII &&
	    isatty(STDOUT_FILENO))
		return usage_error(options->command,
				   "a binary log is not for a terminal (-o FILE)");
	return EXIT_YES;
}

/* Whether other programs can still check a record depends on what its digest covers. */
static int note_order(struct convert *convert, struct imalog_record *record,
		      struct imalog_error *error)
{
	enum imalog_order order = convert->target->order;
	int rc;

	if (order == IMALOG_ORDER_AUTO || imalog_record_is_violation(record))
		return 0;
	rc = imalog_record_verify(record, convert->hasher, error);
	if (rc < 0)
		return rc;
	if (rc == IMALOG_FIT_YES && imalog_record_hash_order(record) != IMALOG_ORDER_AUTO &&
	    imalog_record_hash_order(record) != order)
		convert->other_order++;
	return 0;
}

static int copy(struct convert *convert)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_record *record;
	int more = 0, rc = 0;

	while (error && rc == 0 && (more = log_next(&convert->log, &record)) > 0) {
		rc = note_order(convert, record, error);
		if (rc == 0)
			rc = imalog_writer_put(convert->writer, record, error);
		imalog_reader_release(convert->log.reader, convert->log.records);
		progress(convert->log.records);
	}
	progress_end();
	if (convert->options.verbose)
		log_print_facts(&convert->log, stderr);
	if (rc < 0)
		log_complain(&convert->log, error);
	imalog_error_free(&error);
	return rc < 0 ? exit_code_of(rc) : -more;
}

static int run(struct convert *convert, int argc, char **argv)
{
	int rc = log_open(&convert->log, &convert->options, argv + optind, argc - optind);

	if (rc != EXIT_YES)
		return rc;
	convert->hasher = imalog_hasher_new();
	convert->writer = imalog_writer_new(convert->target->format, convert->target->order,
					    output_write, &convert->output);
	if (!convert->hasher || !convert->writer) {
		complain("out of memory");
		return EXIT_UNABLE;
	}
	rc = output_open(&convert->output, convert->path);
	if (rc == EXIT_YES)
		rc = copy(convert);
	if (rc == EXIT_YES)
		rc = output_commit(&convert->output);
	if (rc == EXIT_YES && convert->other_order && !convert->options.quiet)
		complain("note: digests of %" PRIu64 " records cover the other byte order: imalog "
			 "replays them, other programs will not",
			 convert->other_order);
	return rc == EXIT_YES && log_is_doubtful(&convert->log) ? EXIT_UNABLE : rc;
}

static int cmd_convert_run(const struct command *command, int argc, char **argv)
{
	struct convert convert = { .path = NULL };
	int rc = options_init(&convert.options, command);

	if (rc == EXIT_YES)
		rc = parse(&convert, argc, argv);
	if (rc == EXIT_YES)
		rc = run(&convert, argc, argv);
	log_close(&convert.log);
	output_discard(&convert.output);
	imalog_writer_free(&convert.writer);
	imalog_hasher_free(&convert.hasher);
	options_free(&convert.options);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_convert = {
	.name = "convert",
	.summary = "writes a log in another format",
	.usage = "-t FORMAT [OPTION...] [LOG...]",
	.help = "The LOGs, in the order given, are one log; '-' is standard input.  No LOG: this\n"
		"machine's: what was exported, what is staged, and the kernel's list.\n"
		"\n"
		"  -t, --to FORMAT            kernel: binary list, little-endian\n"
		"                             kernel-be: binary list, big-endian\n"
		"                             ascii: ascii list, as the kernel prints it\n"
		"  -o, --output FILE          write to FILE, which appears complete or not at all\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              say on standard error how each LOG was read\n"
		"\n"
		"How to read the LOGs, where that cannot be told from them:\n"
		"  -f, --format auto|kernel|ascii\n"
		"      --byte-order auto|le|be\n"
		"      --digest-size auto|20|32|48|64\n"
		"      --define-template NAME=FIELD|FIELD...\n"
		"\n"
		LIVE_HELP
		"\n"
		"  -h, --help                 show this\n"
		"      --version              print the version\n",
	.run = cmd_convert_run,
};
