// SPDX-License-Identifier: GPL-2.0-or-later
/* The options that say which PCR values a log is compared with. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* Far more than any PCR file has. */
#define FILE_SIZE_MAX ((size_t)1 << 20)

int compare_init(struct compare *compare)
{
	*compare = (struct compare){ .given = imalog_pcrs_new(),
				     .demanded = imalog_pcrs_new(),
				     .start = imalog_pcrs_new(),
				     .live = imalog_pcrs_new() };
	return compare->given && compare->demanded && compare->start && compare->live ?
		       EXIT_YES :
		       out_of_memory();
}

void compare_free(struct compare *compare)
{
	imalog_pcrs_free(&compare->given);
	imalog_pcrs_free(&compare->demanded);
	imalog_pcrs_free(&compare->start);
	imalog_pcrs_free(&compare->live);
	free(compare->device);
	compare->device = NULL;
}

bool parse_pcr(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || text[0] < '0' || text[0] > '9' ||
	    value > IMALOG_PCR_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

bool parse_hex(const char *text, struct imalog_span *ret)
{
	size_t size = strlen(text) / 2;
	uint8_t *bytes = malloc(size + 1);
	bool ok = bytes && strlen(text) == 2 * size && strspn(text, "0123456789abcdefABCDEF") == 2 * size;

	for (size_t i = 0; ok && i < size; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1], '\0' };

		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	if (ok)
		*ret = (struct imalog_span){ bytes, size };
	else
		free(bytes);
	return ok;
}

/* ---- PCR files ---- */

static void complain_of_file(const char *path, const struct imalog_error *error)
{
	uint64_t line = imalog_error_record(error);
	char where[32] = "";

	if (line)
		snprintf(where, sizeof(where), "line %llu: ", (unsigned long long)line);
	complain("'%s': %s%s", path, where, imalog_error_detail(error));
}

static int add_file(struct imalog_pcrs *pcrs, const char *path, const char *hint)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_span data = { NULL, 0 };
	int rc = error ? read_file(path, FILE_SIZE_MAX, &data) : out_of_memory();

	if (rc == EXIT_YES) {
		int n = imalog_pcrs_parse(pcrs, data, hint, error);

		if (n < 0) {
			complain_of_file(path, error);
			rc = exit_code_of(n);
		}
	}
	free((void *)data.data);
	imalog_error_free(&error);
	return rc;
}

/* The bank in "pcr-sha256", the name that sysfs gives a directory of values. */
static enum imalog_alg alg_of_directory(const char *path, size_t size)
{
	char name[24];

	while (size && path[size - 1] == '/')
		size--;
	for (size_t i = size; i > 0 && path[i - 1] != '/'; i--) {
		if (size - i + 1 >= sizeof(name))
			return IMALOG_ALG_NONE;
		memcpy(name, path + i - 1, size - i + 1);
		name[size - i + 1] = '\0';
	}
	return size && strncmp(name, "pcr-", 4) == 0 ? imalog_alg_by_name(name + 4) :
						       IMALOG_ALG_NONE;
}

/* /sys/class/tpm/tpm0/pcr-sha256: a file for each PCR */
static int add_directory(struct imalog_pcrs *pcrs, const char *path, enum imalog_alg alg)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int rc = EXIT_YES, count = 0;

	if (!dir) {
		complain("cannot open '%s': %s", path, strerror(errno));
		return EXIT_UNABLE;
	}
	while (rc == EXIT_YES && (entry = readdir(dir))) {
		char *file, hint[32];
		uint32_t pcr;

		if (!parse_pcr(entry->d_name, &pcr))
			continue;
		snprintf(hint, sizeof(hint), "%s:%u", imalog_alg_name(alg), pcr);
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			rc = out_of_memory();
		if (rc == EXIT_YES) {
			rc = add_file(pcrs, file, hint);
			free(file);
		}
		count++;
	}
	closedir(dir);
	if (rc == EXIT_YES && count == 0) {
		complain("'%s' holds no PCR values", path);
		return EXIT_MALFORMED;
	}
	return rc;
}

/* A value of sysfs says in its path what it is: .../pcr-sha256/10 */
static const char *hint_of_path(const char *path, char buf[32])
{
	const char *slash = strrchr(path, '/');
	enum imalog_alg alg;
	uint32_t pcr;

	if (!slash || !parse_pcr(slash + 1, &pcr))
		return NULL;
	alg = alg_of_directory(path, (size_t)(slash - path));
	if (alg == IMALOG_ALG_NONE)
		return NULL;
	snprintf(buf, 32, "%s:%u", imalog_alg_name(alg), pcr);
	return buf;
}

/* "[ALG,]FILE" or "SELECTION,FILE"; a file whose name has a comma is written ./NAME */
static int add_pcrs(struct imalog_pcrs *pcrs, char *value)
{
	char *comma = NULL, hint_buf[32];
	const char *path = value, *hint = NULL;
	size_t word = strcspn(value, ":,");
	enum imalog_alg alg;
	struct stat st;

	if (value[word]) {
		char end = value[word];

		value[word] = '\0';
		if (imalog_alg_by_name(value) != IMALOG_ALG_NONE)
			comma = end == ',' ? value + word : strrchr(value + word + 1, ',');
		value[word] = end;
	}
	if (comma) {
		*comma = '\0';
		hint = value;
		path = comma + 1;
	}
	alg = hint ? imalog_alg_by_name(hint) : alg_of_directory(path, strlen(path));
	if (alg != IMALOG_ALG_NONE && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return add_directory(pcrs, path, alg);
	return add_file(pcrs, path, hint ? hint : hint_of_path(path, hint_buf));
}

/* ---- options ---- */

static int add_spec(struct imalog_pcrs *pcrs, const struct options *options, const char *spec)
{
	struct imalog_error *error = imalog_error_new();
	int rc = error ? EXIT_YES : out_of_memory();

	if (error && imalog_pcrs_add_spec(pcrs, spec, error) < 0)
		rc = usage_error(options->command, "'%s': %s; it should be ALG:PCR=HEX", spec,
				 imalog_error_detail(error));
	imalog_error_free(&error);
	return rc;
}

static int set_padding(struct compare *compare, const struct options *options)
{
	if (strcmp(optarg, "auto") == 0)
		compare->padding = IMALOG_PADDING_AUTO;
	else if (strcmp(optarg, "perbank") == 0)
		compare->padding = IMALOG_PADDING_PERBANK;
	else if (strcmp(optarg, "sha1") == 0)
		compare->padding = IMALOG_PADDING_SHA1;
	else
		return usage_error(options->command, "padding '%s' is not auto, perbank or sha1",
				   optarg);
	return EXIT_YES;
}

static int choose_pcr(struct compare *compare, const struct options *options)
{
	uint32_t pcr;

	if (!parse_pcr(optarg, &pcr))
		return usage_error(options->command, "PCR '%s' is no number from 0 to %d", optarg,
				   IMALOG_PCR_MAX);
	compare->pcrs[pcr] = true;
	compare->any_pcr = true;
	return EXIT_YES;
}

static int choose_bank(struct compare *compare, const struct options *options)
{
	enum imalog_alg alg = imalog_alg_by_name(optarg);

	if (alg == IMALOG_ALG_NONE)
		return usage_error(options->command, "bank '%s' is not known", optarg);
	compare->banks[alg] = true;
	compare->any_bank = true;
	return EXIT_YES;
}

/* Values of one moment come from one source. */
static int check_sources(const struct compare *compare, const struct options *options)
{
	if (compare->tpm && compare->sysfs)
		return usage_error(options->command, "--sysfs excludes --tpm and --tcti");
	return EXIT_YES;
}

int compare_option(struct compare *compare, struct options *options, int option)
{
	if (option >= OPT_PADDING && !options_once(options, option))
		return EXIT_USAGE;
	switch (option) {
	case OPT_PCR:
		return choose_pcr(compare, options);
	case OPT_BANK:
		return choose_bank(compare, options);
	case OPT_PCRS:
		return add_pcrs(compare->given, optarg);
	case OPT_EXPECT:
		return add_spec(compare->demanded, options, optarg);
	case OPT_START:
		return add_spec(compare->start, options, optarg);
	case OPT_PADDING:
		return set_padding(compare, options);
	case OPT_TPM:
		compare->tpm = true;
		return check_sources(compare, options);
	case OPT_TCTI:
		compare->tpm = true;
		compare->tcti = optarg;
		return check_sources(compare, options);
	case OPT_SYSFS:
		compare->sysfs = true;
		return check_sources(compare, options);
	default: /* --ignore-violations: what is done anyway */
		return EXIT_YES;
	}
}

bool compare_wants(const struct compare *compare, enum imalog_alg alg, uint32_t pcr)
{
	return (!compare->any_pcr || (pcr <= IMALOG_PCR_MAX && compare->pcrs[pcr])) &&
	       (!compare->any_bank || compare->banks[alg]);
}

/* ---- this machine ---- */

bool compare_has_source(const struct compare *compare)
{
	return compare->tpm || compare->sysfs || imalog_pcrs_count(compare->given) ||
	       imalog_pcrs_count(compare->demanded);
}

/* The one that an export would take */
static void find_tpm(struct compare *compare, const struct options *options)
{
	char tcti[IMALOG_TCTI_MAX];

	switch (imalog_tpm_find(options->root, tcti)) {
	case IMALOG_TPM_TSS:
		compare->tpm = true;
		if (!tcti[0])
			return;
		free(compare->device);
		compare->tcti = compare->device = strdup(tcti);
		return;
	case IMALOG_TPM_SYSFS:
		compare->sysfs = true;
		return;
	default:
		return;
	}
}

enum imalog_tpm_use compare_choose_tpm(struct compare *compare, const struct options *options,
				       const struct config *config)
{
	const char *tcti;
	enum imalog_tpm_use use = config_tpm(config, options, &tcti);

	if (use == IMALOG_TPM_AUTO) {
		find_tpm(compare, options);
	} else if (use == IMALOG_TPM_TSS) {
		compare->tpm = true;
		compare->tcti = tcti;
	} else {
		compare->sysfs = use == IMALOG_TPM_SYSFS;
	}
	return use;
}

void compare_with_machine(struct compare *compare, const struct options *options,
			  const struct config *config)
{
	if (compare_has_source(compare)) {
		if (compare->tpm && !compare->tcti)
			compare->tcti = config->tcti;
		return;
	}
	/* Where there is none, the attempt says what is missing. */
	if (compare_choose_tpm(compare, options, config) == IMALOG_TPM_AUTO && !compare->tpm &&
	    !compare->sysfs) {
		compare->sysfs = options->root[0] || !imalog_tpm_supported();
		compare->tpm = !compare->sysfs;
	}
}

static int read_tpm(struct compare *compare, struct imalog_error *error)
{
	struct imalog_tpm *tpm;
	int rc = imalog_tpm_open(compare->tcti, &tpm, error);

	if (rc < 0)
		return rc;
	rc = imalog_tpm_read_pcrs(tpm, compare->live, NULL, error);
	imalog_tpm_close(&tpm);
	return rc;
}

int compare_read_live(struct compare *compare, const struct options *options)
{
	struct imalog_error *error;
	int rc;

	if (!compare->tpm && !compare->sysfs)
		return EXIT_YES;
	imalog_pcrs_free(&compare->live);
	compare->live = imalog_pcrs_new();
	error = imalog_error_new();
	if (!error || !compare->live) {
		imalog_error_free(&error);
		return out_of_memory();
	}
	rc = compare->sysfs ? imalog_sysfs_read_pcrs(options->root, compare->live, error) :
			      read_tpm(compare, error);
	if (rc < 0)
		complain("%s", imalog_error_detail(error));
	imalog_error_free(&error);
	return exit_code_of(rc);
}

/* imalog_replay_expect() or imalog_replay_offer() */
typedef int (*add_fn)(struct imalog_replay *, enum imalog_alg, uint32_t, struct imalog_span,
		      struct imalog_error *);

static int add_values(const struct compare *compare, const struct imalog_pcrs *pcrs,
		      struct imalog_replay *replay, add_fn add, bool all)
{
	struct imalog_error *error = imalog_error_new();
	int rc = error ? EXIT_YES : out_of_memory();

	for (size_t i = 0; rc == EXIT_YES && i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		struct imalog_span value = { imalog_pcrs_at(pcrs, i, &alg, &pcr), 0 };

		value.size = imalog_alg_size(alg);
		if ((all || compare_wants(compare, alg, pcr)) &&
		    add(replay, alg, pcr, value, error) < 0) {
			complain("what is given contradicts itself: %s",
				 imalog_error_detail(error));
			rc = EXIT_NO;
		}
	}
	imalog_error_free(&error);
	return rc;
}

int compare_apply_start(const struct compare *compare, struct imalog_replay *replay)
{
	imalog_replay_set_padding(replay, compare->padding);
	return add_values(compare, compare->start, replay, imalog_replay_start, true);
}

int compare_apply(const struct compare *compare, enum imalog_padding padding,
		  struct imalog_replay *replay)
{
	static const enum imalog_alg usual[] = { IMALOG_ALG_SHA1, IMALOG_ALG_SHA256,
						 IMALOG_ALG_SHA384, IMALOG_ALG_SHA512 };
	/* A PCR that was chosen must be there; of others only those that the log extends count. */
	add_fn add = compare->any_pcr ? imalog_replay_expect : imalog_replay_offer;
	int rc;

	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (compare->banks[alg])
			imalog_replay_add_bank(replay, (enum imalog_alg)alg, NULL);
	rc = compare_apply_start(compare, replay);
	imalog_replay_set_padding(replay, padding);
	if (rc == EXIT_YES)
		rc = add_values(compare, compare->demanded, replay, imalog_replay_expect, true);
	if (rc == EXIT_YES)
		rc = add_values(compare, compare->given, replay, add, false);
	if (rc == EXIT_YES)
		rc = add_values(compare, compare->live, replay, add, false);
	if (!compare->any_bank && imalog_pcrs_count(compare->given) == 0 &&
	    imalog_pcrs_count(compare->demanded) == 0 && imalog_pcrs_count(compare->live) == 0)
		for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
			imalog_replay_add_bank(replay, usual[i], NULL);
	return rc;
}
