// SPDX-License-Identifier: GPL-2.0-or-later
/* Options that several commands have, and complaints about a command line. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "version.h"

int usage_error(const struct command *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "imalog%s%s: ", command ? " " : "", command ? command->name : "");
	va_start(args, format);
	print_message(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry 'imalog%s%s --help'.\n", command ? " " : "",
		command ? command->name : "");
	return EXIT_USAGE;
}

int options_init(struct options *options, const struct command *command)
{
	*options = (struct options){ .command = command, .root = "" };
	options->templates = imalog_templates_new();
	return options->templates ? EXIT_YES : out_of_memory();
}

void options_free(struct options *options)
{
	imalog_templates_free(&options->templates);
}

static int set_order(struct options *options, const char *value)
{
	if (strcmp(value, "auto") == 0)
		options->order = IMALOG_ORDER_AUTO;
	else if (strcmp(value, "le") == 0)
		options->order = IMALOG_ORDER_LE;
	else if (strcmp(value, "be") == 0)
		options->order = IMALOG_ORDER_BE;
	else
		return usage_error(options->command, "byte order '%s' is not auto, le or be",
				   value);
	return EXIT_YES;
}

static int set_digest_size(struct options *options, const char *value)
{
	static const char *const sizes[] = { "auto", "20", "32", "48", "64" };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (strcmp(value, sizes[i]) == 0) {
			options->digest_size = strtoul(value, NULL, 10); /* auto: 0 */
			return EXIT_YES;
		}
	}
	return usage_error(options->command, "digest size '%s' is not auto, 20, 32, 48 or 64",
			   value);
}

static int set_format(struct options *options, const char *value)
{
	int format = imalog_format_by_name(value);

	if (format < 0)
		return usage_error(options->command, "format '%s' is not known", value);
	options->format = (enum imalog_format)format;
	return EXIT_YES;
}

static int define_template(struct options *options, char *value)
{
	char *equals = strchr(value, '=');
	struct imalog_error *error = imalog_error_new();
	int rc = EXIT_YES;

	if (!error)
		return out_of_memory();
	if (!equals)
		rc = usage_error(options->command, "'%s' is not of the form NAME=FIELD|FIELD...",
				 value);
	else
		*equals = '\0';
	if (equals && imalog_templates_define(options->templates, value, equals + 1, error) < 0)
		rc = usage_error(options->command, "%s", imalog_error_detail(error));
	imalog_error_free(&error);
	return rc;
}

static int show_help(const struct command *command)
{
	printf("Usage: imalog %s %s\n\n%s.\n\n%s"
	       "\n"
	       "  -h, --help                 show this\n"
	       "      --version              print the version\n",
	       command->name, command->usage, command->summary, command->help);
	return stdout_flush();
}

static bool is_common(int option)
{
	return option == 'h' || option == 'q' || option == 'v' || option == 'f' ||
	       (option >= OPT_VERSION && option < OPT_OWN);
}

static int common_option(struct options *options, int option)
{
	switch (option) {
	case 'h':
		return show_help(options->command);
	case OPT_VERSION:
		return version_print(options->verbose);
	case 'q':
		options->quiet = true;
		return EXIT_YES;
	case 'v':
		options->verbose = true;
		return EXIT_YES;
	case 'f':
		return set_format(options, optarg);
	case OPT_BYTE_ORDER:
		return set_order(options, optarg);
	case OPT_DIGEST_SIZE:
		return set_digest_size(options, optarg);
	case OPT_ROOT:
		options->root = optarg;
		return EXIT_YES;
	case OPT_LIST_ONLY:
		options->list_only = true;
		return EXIT_YES;
	case OPT_LIVE_STORE:
		options->store = optarg;
		return EXIT_YES;
	case OPT_LIVE_WAIT:
		options->wait = optarg;
		return EXIT_YES;
	case OPT_LIVE_CONFIG:
		options->config = optarg;
		return EXIT_YES;
	default:
		return define_template(options, optarg);
	}
}

bool options_once(struct options *options, int option, const struct option *long_options)
{
	if (!options->seen[option]) {
		options->seen[option] = true;
		return true;
	}
	while (long_options->name && long_options->val != option)
		long_options++;
	usage_error(options->command, "option '--%s' is given twice", long_options->name);
	return false;
}

int options_next(struct options *options, int argc, char **argv, const char *short_options,
		 const struct option *long_options, int *exit_code)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == ':' || option == '?') {
			*exit_code = usage_error(options->command, "option '%s' %s",
						 argv[optind - 1],
						 option == ':' ? "needs a value" : "is not known");
			return -2;
		}
		if (!is_common(option))
			return option;
		*exit_code = EXIT_USAGE;
		if (option != OPT_DEFINE_TEMPLATE && !options_once(options, option, long_options))
			return -2;
		*exit_code = common_option(options, option);
		if (*exit_code != EXIT_YES || option == 'h' || option == OPT_VERSION)
			return -2;
	}
	return -1;
}
