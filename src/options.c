// SPDX-License-Identifier: GPL-2.0-or-later
/* Options that several commands have, and complaints about a command line. */
#include <limits.h>
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
	if (option != OPT_DEFINE_TEMPLATE && !options_once(options, option))
		return EXIT_USAGE;
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
	case OPT_JSON:
		options->json = true;
		return EXIT_YES;
	case OPT_BYTE_ORDER:
		return set_order(options, optarg);
	case OPT_DIGEST_SIZE:
		return set_digest_size(options, optarg);
	case OPT_ROOT:
		options->root = optarg;
		return EXIT_YES;
	case OPT_STORE:
		options->store = optarg;
		return EXIT_YES;
	case OPT_WAIT:
		options->wait = optarg;
		return EXIT_YES;
	case OPT_CONFIG:
		options->config = optarg;
		return EXIT_YES;
	case OPT_LIST_ONLY:
		options->list_only = true;
		return EXIT_YES;
	case OPT_TPM_TCTI:
		options->tcti = optarg;
		return EXIT_YES;
	case OPT_TPM_SYSFS:
		options->sysfs = true;
		return EXIT_YES;
	case OPT_NO_TPM:
		options->no_tpm = true;
		return EXIT_YES;
	default:
		return define_template(options, optarg);
	}
}

bool options_once(struct options *options, int option)
{
	const struct option *known = options->command->options;

	if (!options->seen[option]) {
		options->seen[option] = true;
		return true;
	}
	while (known->name && known->val != option)
		known++;
	usage_error(options->command, "option '--%s' is given twice", known->name);
	return false;
}

int options_take(struct options *options, int option)
{
	if (!options_once(options, option))
		return EXIT_USAGE;
	options->values[option] = optarg;
	return EXIT_YES;
}

int options_check_tpm(const struct options *options)
{
	if ((options->tcti != NULL) + options->sysfs + options->no_tpm > 1)
		return usage_error(options->command,
				   "only one of --tcti, --sysfs and --no-tpm can be given");
	return EXIT_YES;
}

/* Those that have a letter, for getopt_long(), which is to tell a missing value from a mistake */
static void list_letters(const struct option *known, char letters[static 2 * UCHAR_MAX + 2])
{
	*letters++ = ':';
	for (; known->name; known++) {
		if (known->val > UCHAR_MAX)
			continue;
		*letters++ = (char)known->val;
		if (known->has_arg)
			*letters++ = ':';
	}
	*letters = '\0';
}

int options_parse(struct options *options, int argc, char **argv,
		  int (*take)(void *arg, int option), void *arg)
{
	const struct option *known = options->command->options;
	char letters[2 * UCHAR_MAX + 2];
	int option, rc = EXIT_YES;

	list_letters(known, letters);
	opterr = 0;
	while (rc == EXIT_YES &&
	       (option = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		if (option == ':' || option == '?')
			rc = usage_error(options->command, "option '%s' %s", argv[optind - 1],
					 option == ':' ? "needs a value" : "is not known");
		else if (is_common(option))
			rc = common_option(options, option);
		else
			rc = take ? take(arg, option) : options_take(options, option);
		if (option == 'h' || option == OPT_VERSION)
			return EXIT_CODE_DONE(rc);
	}
	return rc;
}
