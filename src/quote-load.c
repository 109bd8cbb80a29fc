// SPDX-License-Identifier: GPL-2.0-or-later
/* The options about a quote, and the files that they name. */
#include <errno.h>
#include <string.h>

#include "quote.h"

/* Far more than any key, certificate bundle, quote or nonce has. */
#define INPUT_MAX ((size_t)1 << 20)

int quote_init(struct verify *verify, const struct command *command)
{
	int rc;

	*verify = (struct verify){ .max_later = UINT64_MAX };
	rc = options_init(&verify->options, command);
	return rc == EXIT_YES ? compare_init(&verify->compare) : rc;
}

void quote_free(struct verify *verify)
{
	imalog_quote_match_free(&verify->match);
	imalog_quote_free(&verify->quote);
	imalog_quote_free(&verify->previous);
	imalog_quote_free(&verify->from);
	imalog_key_free(&verify->key);
	imalog_replay_free(&verify->replay);
	imalog_hasher_free(&verify->hasher);
	imalog_error_free(&verify->error);
	compare_free(&verify->compare);
	options_free(&verify->options);
}

/* ---- options ---- */

static int set_max_later(struct verify *verify)
{
	char *end;

	errno = 0;
	verify->max_later = strtoull(optarg, &end, 10);
	if (errno || *end || optarg[0] < '0' || optarg[0] > '9')
		return usage_error(verify->options.command, "'%s' is no number of records", optarg);
	return EXIT_YES;
}

static int set_hash(struct verify *verify)
{
	verify->hash = imalog_alg_by_name(optarg);
	if (verify->hash == IMALOG_ALG_NONE)
		return usage_error(verify->options.command, "hash '%s' is not known", optarg);
	return EXIT_YES;
}

int quote_option(void *arg, int option)
{
	struct verify *verify = arg;

	if (option == OPT_START || option == OPT_PCRS || option == OPT_PADDING)
		return compare_option(&verify->compare, &verify->options, option);
	if (!options_once(&verify->options, option))
		return EXIT_USAGE;
	switch (option) {
	case OPT_NO_NONCE:
		verify->no_nonce = true;
		return EXIT_YES;
	case OPT_QUOTE_OPAQUE:
		verify->allow_opaque = true;
		return EXIT_YES;
	case OPT_PRINT_COUNT:
		verify->print_count = true;
		return EXIT_YES;
	case OPT_MAX_LATER:
		return set_max_later(verify);
	case OPT_HASH:
		return set_hash(verify);
	default:
		verify->values[option] = optarg;
		return EXIT_YES;
	}
}

int quote_check_options(const struct verify *verify)
{
	const char *const *values = verify->values;
	const struct command *command = verify->options.command;
	int nonces = (values[OPT_NONCE] != NULL) + (values[OPT_NONCE_FILE] != NULL) +
		     verify->no_nonce;

	if (!values[OPT_QUOTE] || !values[OPT_SIGNATURE] || !values[OPT_KEY])
		return usage_error(command, "--quote, --signature and --key are needed");
	if (nonces > 1)
		return usage_error(command, "--nonce, --nonce-file and --no-nonce exclude each other");
	return EXIT_YES;
}

/* ---- what was given ---- */

int quote_prepare(struct verify *verify)
{
	verify->error = imalog_error_new();
	verify->replay = imalog_replay_new();
	verify->hasher = imalog_hasher_new();
	return verify->error && verify->replay && verify->hasher ? EXIT_YES : out_of_memory();
}

int quote_failed(const struct verify *verify, const char *file, int code)
{
	complain_of(file, verify->error);
	return exit_code_of(code);
}

static int load_quote(struct verify *verify, int option, struct imalog_quote **ret)
{
	const char *path = verify->values[option];
	struct imalog_span bytes;
	int rc = path ? read_file(path, INPUT_MAX, &bytes) : EXIT_YES;

	if (!path || rc != EXIT_YES)
		return rc;
	rc = imalog_quote_parse(bytes, ret, verify->error);
	free((void *)bytes.data);
	return rc < 0 ? quote_failed(verify, path, rc) : EXIT_YES;
}

/* To the library nothing means that none are asked for. */
static int read_ca(const char *path, struct imalog_span *ret)
{
	int rc = read_file(path, INPUT_MAX, ret);

	if (rc != EXIT_YES || ret->size)
		return rc;
	complain("'%s': there is nothing", path);
	return EXIT_MALFORMED;
}

static int load_key(struct verify *verify)
{
	const char *path = verify->values[OPT_KEY], *ca_path = verify->values[OPT_CA];
	struct imalog_span bytes = { NULL, 0 }, ca = { NULL, 0 };
	int rc = read_file(path, INPUT_MAX, &bytes), n;

	if (rc == EXIT_YES && ca_path)
		rc = read_ca(ca_path, &ca);
	if (rc == EXIT_YES) {
		n = imalog_key_parse(bytes, &verify->key, verify->error);
		if (n < 0) {
			rc = quote_failed(verify, path, n);
		} else {
			n = imalog_quote_check_key(verify->quote, verify->key, ca, verify->error);
			rc = n < 0 ? quote_failed(verify, ca_path ? ca_path : path, n) : EXIT_YES;
		}
	}
	free((void *)bytes.data);
	free((void *)ca.data);
	return rc;
}

static int check_signature(struct verify *verify, int option, struct imalog_quote *quote)
{
	const char *path = verify->values[option];
	struct imalog_span bytes;
	int rc = read_file(path, INPUT_MAX, &bytes);

	if (rc != EXIT_YES)
		return rc;
	rc = imalog_quote_check_signature(quote, bytes, verify->key, verify->hash, verify->error);
	free((void *)bytes.data);
	return rc < 0 ? quote_failed(verify, path, rc) : EXIT_YES;
}

static int check_nonce(struct verify *verify)
{
	const char *hex = verify->values[OPT_NONCE], *path = verify->values[OPT_NONCE_FILE];
	struct imalog_span nonce = { NULL, 0 };
	int rc = EXIT_YES;

	if (path)
		rc = read_file(path, INPUT_MAX, &nonce);
	else if (hex && !parse_hex(hex, &nonce))
		return usage_error(verify->options.command, "nonce '%s' is not hexadecimal", hex);
	if (rc == EXIT_YES && (path || hex) && nonce.size == 0)
		rc = usage_error(verify->options.command, "the nonce is empty");
	if (rc == EXIT_YES && nonce.size)
		imalog_quote_check_nonce(verify->quote, nonce);
	free((void *)nonce.data);
	return rc;
}

/* Values of PCRs that the log does not lead to: PCR files and the firmware's event log. */
static int load_others(struct verify *verify)
{
	const char *path = verify->values[OPT_QUOTE_EVENTLOG];
	struct imalog_span bytes;
	int rc;

	verify->others = verify->compare.given;
	if (!path)
		return EXIT_YES;
	rc = read_file(path, EVENTLOG_MAX, &bytes);
	if (rc != EXIT_YES)
		return rc;
	rc = imalog_eventlog_replay(bytes, verify->hasher, verify->others, verify->error);
	free((void *)bytes.data);
	return rc < 0 ? quote_failed(verify, path, rc) : EXIT_YES;
}

/* The quote that a piece of a log starts at: of the same key, and of the start values. */
static int check_from(struct verify *verify)
{
	int rc;

	if (!verify->from)
		return EXIT_YES;
	rc = check_signature(verify, OPT_FROM_SIGNATURE, verify->from);
	if (rc != EXIT_YES)
		return rc;
	imalog_quote_check_previous(verify->quote, verify->from);
	rc = imalog_quote_check_values(verify->from, verify->compare.start, verify->others,
				       verify->error);
	return rc < 0 ? quote_failed(verify, verify->values[OPT_FROM_QUOTE], rc) : EXIT_YES;
}

int quote_load(struct verify *verify)
{
	int rc = load_quote(verify, OPT_QUOTE, &verify->quote);

	if (rc == EXIT_YES)
		rc = load_quote(verify, OPT_PREVIOUS, &verify->previous);
	if (rc == EXIT_YES)
		rc = load_quote(verify, OPT_FROM_QUOTE, &verify->from);
	if (rc == EXIT_YES)
		rc = load_key(verify);
	if (rc == EXIT_YES)
		rc = check_signature(verify, OPT_SIGNATURE, verify->quote);
	if (rc == EXIT_YES)
		rc = check_nonce(verify);
	if (rc == EXIT_YES)
		rc = load_others(verify);
	if (rc == EXIT_YES && verify->previous)
		imalog_quote_check_previous(verify->quote, verify->previous);
	return rc == EXIT_YES ? check_from(verify) : rc;
}
