// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog convert: writes a log in another format. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "output-form.h"
#include "recnum.h"

enum {
	OPT_INT_WIDTH = OPT_OWN,
	OPT_FORCE
};

static const struct option long_options[] = {
	COMMON_LONG,
	LOG_LONG,
	{ "to", required_argument, NULL, 't' },
	{ "output", required_argument, NULL, 'o' },
	{ "int-width", required_argument, NULL, OPT_INT_WIDTH },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ NULL, 0, NULL, 0 },
};

static const char *const int_widths[] = {
	[IMALOG_INT_WIDTH_KEEP] = "keep",
	[IMALOG_INT_WIDTH_8_1] = "8",
	[IMALOG_INT_WIDTH_4_4] = "4",
	[IMALOG_INT_WIDTH_MIN] = "min",
};

struct convert {
	struct options options;
	struct log log;
	struct output output;
	const struct output_form *target;
	const char *path;
	struct imalog_writer *writer;
	struct imalog_hasher *hasher;
	struct recnums recnums;
	enum imalog_int_width int_width;
	bool force;
	uint64_t count;	      /* records that an array is going to have; 0: not known */
	uint64_t forced;      /* records whose content can no longer be checked */
	uint64_t other_order; /* records whose digest covers the other byte order */
};

static int choose_int_width(struct convert *convert, const char *name)
{
	for (size_t i = 0; i < sizeof(int_widths) / sizeof(int_widths[0]); i++) {
		if (strcmp(int_widths[i], name) == 0) {
			convert->int_width = (enum imalog_int_width)i;
			return EXIT_YES;
		}
	}
	return usage_error(convert->options.command,
			   "width '%s' is not keep, 8, 4 or min", name);
}

static int set_option(void *arg, int option)
{
	struct convert *convert = arg;
	struct options *options = &convert->options;

	if (!options_once(options, option))
		return EXIT_USAGE;
	switch (option) {
	case 'o':
		convert->path = optarg;
		return EXIT_YES;
	case 't':
		return output_form_choose(options->command, optarg, &convert->target);
	case OPT_FORCE:
		convert->force = true;
		return EXIT_YES;
	default:
		return choose_int_width(convert, optarg);
	}
}

static int parse(struct convert *convert, int argc, char **argv)
{
	struct options *options = &convert->options;
	int rc = options_parse(options, argc, argv, set_option, convert);

	if (rc != EXIT_YES)
		return rc;
	if (!convert->target)
		return usage_error(options->command, "no format is given (-t FORMAT)");
	if (convert->target->format != IMALOG_FORMAT_CEL_TLV &&
	    (convert->force || options->seen[OPT_INT_WIDTH]))
		return usage_error(options->command,
				   "--int-width and --force are for -t cel-tlv alone");
	if (!convert->path && !convert->target->is_text && isatty(STDOUT_FILENO))
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

/* A CBOR array begins with its size, so that its records are read twice. */
static int count_records(struct convert *convert)
{
	struct imalog_record *record;
	int more = 0;

	if (convert->target->format != IMALOG_FORMAT_CEL_CBOR ||
	    convert->target->sequence)
		return EXIT_YES;
	if (!log_can_rewind(&convert->log)) {
		complain(
			"the records of an array must be counted first, and the log cannot be "
			"read twice: -t cel-cbor-seq, or give it as files");
		return EXIT_UNABLE;
	}
	while ((more = log_next(&convert->log, &record)) > 0)
		imalog_reader_release(convert->log.reader, convert->log.records);
	convert->count = convert->log.records;
	imalog_writer_set_count(convert->writer, convert->count);
	log_rewind(&convert->log);
	return -more;
}

static int put(struct convert *convert, struct imalog_record *record,
	       struct imalog_error *error)
{
	int rc = note_order(convert, record, error);

	recnum_look(&convert->recnums, &convert->log, record);
	if (rc == 0)
		rc = imalog_writer_put(convert->writer, record, error);
	if (rc == 0 && imalog_record_content(record) == IMALOG_CONTENT_TLV2018)
		convert->forced += convert->force;
	return rc;
}

/* A list that grows while it is converted is what it was when it was counted. */
static bool is_complete(const struct convert *convert)
{
	return convert->count && convert->log.records == convert->count;
}

static int copy(struct convert *convert)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_record *record;
	int more = 0, rc = 0;

	if (!error)
		return out_of_memory();
	while (rc == 0 && !is_complete(convert) &&
	       (more = log_next(&convert->log, &record)) > 0) {
		rc = put(convert, record, error);
		imalog_reader_release(convert->log.reader, convert->log.records);
		progress(convert->log.records);
	}
	progress_end();
	if (convert->options.verbose)
		log_print_facts(&convert->log, stderr);
	if (rc == 0 && more >= 0)
		rc = imalog_writer_finish(convert->writer, error);
	if (rc < 0)
		log_complain(&convert->log, error);
	imalog_error_free(&error);
	return rc < 0 ? exit_code_of(rc) : more < 0 ? -more : EXIT_YES;
}

static void print_notes(const struct convert *convert)
{
	uint64_t renumbered = imalog_writer_renumbered(convert->writer);

	recnum_complain(&convert->recnums);
	if (renumbered)
		complain("note: %" PRIu64
			 " record%s got another number: the one it had was given to a record "
			 "before it",
			 renumbered, renumbered == 1 ? "" : "s");
	if (convert->other_order)
		complain("note: digests of %" PRIu64
			 " records cover the other byte order: imalog "
			 "replays them, other programs will not",
			 convert->other_order);
	if (convert->forced)
		complain("note: the content of %" PRIu64
			 " records of the 2018 list can no longer "
			 "be checked: their digests are of another encoding",
			 convert->forced);
}

static int run(struct convert *convert, int argc, char **argv)
{
	int rc = log_open(&convert->log, &convert->options, argv + optind, argc - optind);

	if (rc != EXIT_YES)
		return rc;
	convert->hasher = imalog_hasher_new();
	convert->writer = imalog_writer_new(convert->target->format, convert->target->order,
					    output_write, &convert->output);
	if (!convert->hasher || !convert->writer)
		return out_of_memory();
	imalog_writer_set_int_width(convert->writer, convert->int_width);
	if (convert->target->sequence)
		imalog_writer_set_sequence(convert->writer);
	if (convert->force)
		imalog_writer_set_force(convert->writer);
	rc = count_records(convert);
	if (rc == EXIT_YES)
		rc = output_open(&convert->output, convert->path);
	if (rc == EXIT_YES)
		rc = copy(convert);
	if (rc == EXIT_YES)
		rc = output_commit(&convert->output);
	if (rc == EXIT_YES && !convert->options.quiet)
		print_notes(convert);
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
		"                             cel-tlv, cel-json, cel-cbor: Canonical Event Log;\n"
		"                             cel-json-seq, cel-cbor-seq: as a sequence\n"
		"                             tlv2018: a list of 2018 as it was read\n"
		"  -o, --output FILE          write to FILE, which appears complete or not at all\n"
		"      --int-width keep|8|4|min\n"
		"                             bytes of record numbers and indexes in cel-tlv:\n"
		"                             as read, 8 and 1, 4 and 4, no more than needed\n"
		"      --force                a list of 2018 into cel-tlv, too: its content can\n"
		"                             no longer be checked then\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              say on standard error how each LOG was read\n"
		"\n"
		LOG_OPTIONS_HELP,
	.options = long_options,
	.run = cmd_convert_run,
};
