// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog sig-verify: the signatures that records carry. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "sig.h"

enum {
	OPT_SIG_KEY = OPT_OWN,
	OPT_SIG_CA,
	OPT_KEYRING,
	OPT_KEYS_FROM_LOG,
	OPT_ALLOW_UNKNOWN_KEYS,
	OPT_SIG_POLICY,
	OPT_THREADS,
};

static const struct option long_options[] = {
	COMMON_LONG,
	LOG_LONG,
	{ "key", required_argument, NULL, OPT_SIG_KEY },
	{ "ca", required_argument, NULL, OPT_SIG_CA },
	{ "keyring", required_argument, NULL, OPT_KEYRING },
	{ "keys-from-log", no_argument, NULL, OPT_KEYS_FROM_LOG },
	{ "allow-unknown-keys", no_argument, NULL, OPT_ALLOW_UNKNOWN_KEYS },
	{ "policy", required_argument, NULL, OPT_SIG_POLICY },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

static int set_policy(struct sig_verify *verify)
{
	verify->all = strcmp(optarg, "all") == 0;
	if (!verify->all && strcmp(optarg, "present") != 0)
		return usage_error(verify->options.command,
				   "policy '%s' is neither present nor all", optarg);
	return EXIT_YES;
}

static int set_threads(struct sig_verify *verify)
{
	uint64_t threads;

	if (!parse_count(optarg, false, &threads) || threads == 0 ||
	    threads > SIG_THREADS_MAX)
		return usage_error(verify->options.command,
				   "threads '%s' is no number from 1 to %d", optarg,
				   SIG_THREADS_MAX);
	verify->threads = (unsigned int)threads;
	return EXIT_YES;
}

static int set_option(void *arg, int option)
{
	struct sig_verify *verify = arg;
	bool repeats = option == OPT_SIG_KEY || option == OPT_KEYRING;

	if (!repeats && !options_once(&verify->options, option))
		return EXIT_USAGE;
	switch (option) {
	case OPT_SIG_KEY:
		verify->key_paths[verify->nr_key_paths++] = optarg;
		return EXIT_YES;
	case OPT_KEYRING:
		verify->rings[verify->nr_rings++] = optarg;
		return EXIT_YES;
	case OPT_SIG_CA:
		verify->ca = optarg;
		return EXIT_YES;
	case OPT_KEYS_FROM_LOG:
		verify->keys_from_log = true;
		return EXIT_YES;
	case OPT_ALLOW_UNKNOWN_KEYS:
		verify->allow_unknown = true;
		return EXIT_YES;
	case OPT_SIG_POLICY:
		return set_policy(verify);
	default:
		return set_threads(verify);
	}
}

/* As many as this process may run at the same time */
static unsigned int usual_threads(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n > SIG_THREADS_MAX ? SIG_THREADS_MAX : (unsigned int)n;
}

static int prepare(struct sig_verify *verify, int argc)
{
	/* No more of either than arguments */
	verify->key_paths = calloc((size_t)argc, sizeof(*verify->key_paths));
	verify->rings = calloc((size_t)argc, sizeof(*verify->rings));
	verify->error = imalog_error_new();
	verify->keys = imalog_sig_keys_new();
	verify->hasher = imalog_hasher_new();
	verify->threads = usual_threads();
	return verify->key_paths && verify->rings && verify->error && verify->keys &&
			       verify->hasher ?
		       EXIT_YES :
		       out_of_memory();
}

static int run(struct sig_verify *verify, int argc, char **argv)
{
	int rc = log_open(&verify->log, &verify->options, argv + optind, argc - optind),
	    judged;

	if (rc == EXIT_YES)
		rc = sig_load(verify);
	if (rc != EXIT_YES)
		return rc;
	rc = sig_run(verify);
	progress_end();
	judged = sig_report(verify, rc == EXIT_YES);
	if (verify->options.verbose)
		log_print_facts(&verify->log, stderr);
	if (stdout_flush() != EXIT_YES)
		return EXIT_UNABLE;
	return rc == EXIT_YES ? judged : rc;
}

static int cmd_sig_verify_run(const struct command *command, int argc, char **argv)
{
	struct sig_verify verify = { .threads = 1 };
	int rc = options_init(&verify.options, command);

	if (rc == EXIT_YES)
		rc = prepare(&verify, argc);
	if (rc == EXIT_YES)
		rc = options_parse(&verify.options, argc, argv, set_option, &verify);
	if (rc == EXIT_YES)
		rc = run(&verify, argc, argv);
	sig_run_free(&verify);
	sig_count_free(&verify);
	log_close(&verify.log);
	imalog_sig_keys_free(&verify.keys);
	imalog_hasher_free(&verify.hasher);
	imalog_error_free(&verify.error);
	options_free(&verify.options);
	free(verify.key_paths);
	free(verify.rings);
	return EXIT_CODE_OF(rc);
}

const struct command cmd_sig_verify = {
	.name = "sig-verify",
	.summary = "checks the signatures that records carry",
	.usage = "[OPTION...] [LOG...]",
	.help = "The LOGs, in the order given, are one log; '-' is standard input.  No LOG: this\n"
		"machine's: what was exported, what is staged, and the kernel's list.\n"
		"Files that the log names are never looked at.\n"
		"\n"
		"Keys; each option may be repeated:\n"
		"      --key FILE             certificates or public keys, PEM or DER; or a\n"
		"                             directory of them; or several: \"k1, k2\"\n"
		"      --keyring NAME         a keyring of this machine's kernel, such as .ima:\n"
		"                             the kernel verifies\n"
		"\n"
		"      --keys-from-log        certificates that IMA measured, from there on; they\n"
		"                             are not trusted without --ca\n"
		"      --ca FILE              certificates that those of the keys must chain to\n"
		"\n"
		"What is demanded:\n"
		"      --policy present|all   present: signatures that are there are ok, the\n"
		"                             default; all: and every record of a file has one\n"
		"      --allow-unknown-keys   signatures of other keys do not matter\n"
		"\n"
		"      --threads N            how many threads verify; default: as many as there\n"
		"                             are processors\n"
		"\n"
		"Output:\n"
		"      --json                 print one JSON object a record, and a last one\n"
		"  -q, --quiet                print errors only: the exit status tells\n"
		"  -v, --verbose              say how LOGs were read, and which files have no key\n"
		"\n"
		LOG_OPTIONS_HELP,
	.options = long_options,
	.run = cmd_sig_verify_run,
};
