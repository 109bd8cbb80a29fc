// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog: the command table, and what comes before a command. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "version.h"

static const struct command *const commands[] = {
	&cmd_show,
	&cmd_convert,
	&cmd_replay,
	&cmd_merge,
	&cmd_quote_verify,
	&cmd_sig_verify,
	&cmd_stage,
	&cmd_save,
	&cmd_confirm,
	&cmd_export,
	&cmd_trim,
	&cmd_kexec_prepare,
	&cmd_store,
	&cmd_status,
	&cmd_policy_load,
	&cmd_mount,
};
#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	printf("Usage: imalog [OPTION] COMMAND [OPTION...] [ARGUMENT...]\n\n"
	       "Looks after the measurement list of the Linux kernel's IMA.\n\nCommands:\n");
	for (size_t i = 0; i < NR_COMMANDS; i++)
		printf("  %-13s %s\n", commands[i]->name, commands[i]->summary);
	printf("  %-13s %s\n", "help", "shows what a command does and its options");
	printf("\nOptions, before or behind the command:\n"
	       "  -h, --help     show this, or the help of the command\n"
	       "  -q, --quiet    print errors only\n"
	       "  -v, --verbose  print more\n"
	       "      --json     print JSON (show, replay, status, and others)\n"
	       "      --root DIR where this machine's /sys is\n"
	       "      --version  print the version; with -v those of libraries, and what was\n"
	       "                 left out of this program\n\n"
	       "Exit status: 0 done, or checked and holds; 1 checked and does not hold;\n"
	       "2 wrong command line; 3 malformed or cut input; 4 could not do or check it.\n");
	return stdout_flush();
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static int run_command(const char *name, int argc, char **argv)
{
	const struct command *command = find_command(name);

	if (!command)
		return usage_error(NULL, "command '%s' is not known", name);
	return command->run(command, argc, argv);
}

/* `imalog help COMMAND` is `imalog COMMAND --help`. */
static int run_help(int argc, char **argv)
{
	char help[] = "--help";
	char *ask[] = { argv[0], help, NULL };

	if (argc < 2 || strcmp(argv[1], "--help") == 0)
		return print_help();
	if (argc > 2)
		return usage_error(NULL, "help takes one command");
	return run_command(argv[1], 2, ask);
}

/* Is any of the options -v? */
static bool is_verbose(int argc, char **argv)
{
	for (int i = 1; i < argc && argv[i][0] == '-'; i++)
		if (strcmp(argv[i], "-v") == 0 || strcmp(argv[i], "--verbose") == 0)
			return true;
	return false;
}

/* Options before the command go behind it, where the command takes them. */
static int run(int argc, char **argv)
{
	int first = 1;
	char *name;

	while (first < argc && argv[first][0] == '-' && argv[first][1]) {
		if (strcmp(argv[first], "--root") == 0 && first + 1 < argc)
			first++; /* its value */
		if (strcmp(argv[first], "--help") == 0 || strcmp(argv[first], "-h") == 0)
			return print_help();
		if (strcmp(argv[first], "--version") == 0)
			return version_print(is_verbose(argc, argv));
		first++;
	}
	if (first == argc)
		return usage_error(NULL, "no command is given");
	name = argv[first];
	memmove(argv + 2, argv + 1, (size_t)(first - 1) * sizeof(*argv));
	argv[1] = name;
	if (strcmp(name, "help") == 0)
		return run_help(argc - 1, argv + 1);
	return run_command(name, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "");
	/* tpm2-tss would print what it tried; what failed in the end is said by imalog. */
	setenv("TSS2_LOG", "all+none", 0);
	return run(argc, argv);
}
