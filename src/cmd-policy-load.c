// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog policy-load: gives the kernel a policy, and says whether it took it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"

/* Far more than anybody's policy */
#define POLICY_MAX ((size_t)1 << 20)

enum {
	OPT_BY_PATH = OPT_OWN,
};

static const struct option long_options[] = {
	COMMON_LONG,
	{ "by-path", no_argument, NULL, OPT_BY_PATH },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ NULL, 0, NULL, 0 },
};

struct loading {
	struct options options;
	bool by_path;
	const char *file;
	char *path; /* for the kernel, or NULL */
	struct imalog_span text;
	struct imalog_policy *policy;
	struct imalog_error *error;
};

static int parse(struct loading *loading, int argc, char **argv)
{
	struct options *options = &loading->options;
	int rc = options_parse(options, argc, argv, NULL, NULL);

	if (rc != EXIT_YES)
		return rc;
	if (argc == optind)
		return usage_error(options->command,
				   "which policy? (a file, or '-' for standard input)");
	if (argc > optind + 1)
		return usage_error(options->command, "too many arguments: '%s'",
				   argv[optind + 1]);
	loading->file = argv[optind];
	loading->by_path = options->seen[OPT_BY_PATH];
	if (loading->by_path && strcmp(loading->file, "-") == 0)
		return usage_error(
			options->command,
			"standard input has no path that the kernel could read");
	return EXIT_YES;
}

static int complain_of_policy(const struct loading *loading, int rc)
{
	uint64_t line = imalog_error_record(loading->error);

	if (line)
		complain("'%s': line %" PRIu64 ": %s", loading->file, line,
			 imalog_error_detail(loading->error));
	else
		complain_of(rc > -IMALOG_ERR_INVALID ? loading->file : NULL,
			    loading->error);
	return exit_code_of(rc);
}

static int read_policy(struct loading *loading)
{
	int rc = read_file(loading->file, POLICY_MAX, &loading->text);

	if (rc != EXIT_YES)
		return rc;
	if (loading->by_path) {
		loading->path = realpath(loading->file, NULL);
		if (!loading->path) {
			complain("cannot find '%s': %s", loading->file, strerror(errno));
			return EXIT_UNABLE;
		}
	}
	rc = imalog_policy_parse(loading->text, &loading->policy, loading->error);
	return rc < 0 ? complain_of_policy(loading, rc) : EXIT_YES;
}

static void on_rejected(void *arg, uint64_t line)
{
	const struct loading *loading = arg;

	complain("'%s': line %" PRIu64 ": the kernel rejects this rule", loading->file,
		 line);
}

static int load(struct loading *loading)
{
	int rc = imalog_policy_load(loading->policy, loading->options.root, loading->path,
				    on_rejected, loading, loading->error);
	const char *reason = imalog_policy_reason(loading->policy);

	if (rc < 0)
		return complain_of_policy(loading, rc);
	switch ((enum imalog_verdict)rc) {
	case IMALOG_MATCH:
		if (!loading->options.quiet)
			printf("The kernel took the policy: %s.\n", reason);
		return EXIT_YES;
	case IMALOG_MISMATCH:
		complain("the policy is not loaded: %s", reason);
		return EXIT_NO;
	default:
		complain("whether the policy is loaded could not be confirmed: %s",
			 reason);
		if (!loading->options.quiet)
			complain(
				"the kernel's own log may say 'ima: policy update completed'");
		return EXIT_UNABLE;
	}
}

static int cmd_policy_load_run(const struct command *command, int argc, char **argv)
{
	struct loading loading = { .error = imalog_error_new() };
	int rc = options_init(&loading.options, command), flushed;

	if (!loading.error)
		rc = out_of_memory();
	if (rc == EXIT_YES)
		rc = parse(&loading, argc, argv);
	if (rc == EXIT_YES)
		rc = read_policy(&loading);
	if (rc == EXIT_YES)
		rc = load(&loading);
	imalog_policy_free(&loading.policy);
	imalog_error_free(&loading.error);
	options_free(&loading.options);
	free((void *)loading.text.data);
	free(loading.path);
	flushed = stdout_flush();
	return flushed == EXIT_YES ? EXIT_CODE_OF(rc) : flushed;
}

const struct command cmd_policy_load = {
	.name = "policy-load",
	.summary = "gives the kernel an IMA policy",
	.usage = "[OPTION...] FILE",
	.help = "Gives the kernel the rules in FILE ('-': standard input), one a line, and reads\n"
		"back what it made of them.  Exit status 0: the kernel took the policy; 1: it did\n"
		"not, and has the one from before; 3: FILE is no policy, and the kernel was not\n"
		"asked; 4: not done, or nothing tells what became of it.\n"
		"\n"
		"      --by-path              let the kernel read FILE itself, and check its\n"
		"                             signature if it wants one\n"
		"      --root DIR             where this machine's /sys and /proc are\n"
		"  -q, --quiet                print errors only\n"
		"  -v, --verbose              print more\n",
	.options = long_options,
	.run = cmd_policy_load_run,
};
