// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration of a machine: lines of "key = value" in imalog.conf(5). */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

#define CONFIG_PATH "/etc/imalog.conf"
#define CONFIG_MAX  ((size_t)1 << 16)

bool parse_count(const char *text, bool with_unit, uint64_t *ret)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || text[0] < '0' || text[0] > '9')
		return false;
	unit = *end && with_unit ? strchr(units, *end) : NULL;
	for (const char *u = units; unit && u <= unit; u++) {
		if (value > UINT64_MAX / 1024)
			return false;
		value *= 1024;
	}
	*ret = value;
	return end[unit != NULL] == '\0';
}

/* ---- keys ---- */

static bool set_text(char **text, const char *value)
{
	*text = strdup(value);
	return *text && value[0];
}

static bool set_tpm(struct config *config, const char *value)
{
	static const struct {
		const char *name;
		enum imalog_tpm_use use;
	} uses[] = {
		{ "auto", IMALOG_TPM_AUTO },
		{ "sysfs", IMALOG_TPM_SYSFS },
		{ "none", IMALOG_TPM_NONE },
	};

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (strcmp(uses[i].name, value) == 0) {
			config->tpm = uses[i].use;
			return true;
		}
	return false;
}

static bool set_value(struct config *config, int key, const char *value)
{
	switch (key) {
	case 0:
		return value[0] == '/' && set_text(&config->store, value);
	case 1:
		return parse_duration(value, &config->wait_ms);
	case 2:
		return parse_count(value, false, &config->min_records);
	case 3:
		return parse_count(value, true, &config->min_bytes);
	case 4:
		return parse_age(value, &config->max_age);
	case 5:
		return parse_count(value, false, &config->keep_epochs) && config->keep_epochs;
	case 6:
		return set_text(&config->tcti, value);
	default:
		return set_tpm(config, value);
	}
}

static const struct {
	const char *name;
	const char *should; /* be */
} keys[CONFIG_KEYS] = {
	{ "store", "an absolute path" },
	{ "wait", "a time such as 5s, 500ms or 2m" },
	{ "min-records", "a number" },
	{ "min-bytes", "a number, or one with K, M or G" },
	{ "max-age", "a time such as 30m, 12h or 7d" },
	{ "keep-epochs", "a number from 1" },
	{ "tcti", "a TCTI such as device:/dev/tpmrm0" },
	{ "tpm", "auto, sysfs or none" },
};

/* ---- lines ---- */

static char *trim(char *text)
{
	size_t size;

	text += strspn(text, " \t\r");
	size = strlen(text);
	while (size && strchr(" \t\r", text[size - 1]))
		text[--size] = '\0';
	return text;
}

static int malformed(const char *path, size_t line, const char *what, const char *name)
{
	fprintf(stderr, "imalog: '%s': line %zu: ", path, line);
	print_quoted(stderr, (struct imalog_span){ (const uint8_t *)name, strlen(name) });
	fprintf(stderr, " %s\n", what);
	return EXIT_MALFORMED;
}

static int read_line(struct config *config, const char *path, size_t number, char *line)
{
	char *equals, *name = trim(line), *value, should[96];

	if (name[0] == '\0' || name[0] == '#')
		return EXIT_YES;
	equals = strchr(name, '=');
	if (!equals)
		return malformed(path, number, "is not of the form KEY = VALUE", name);
	*equals = '\0';
	name = trim(name);
	value = trim(equals + 1);
	for (int key = 0; key < CONFIG_KEYS; key++) {
		if (strcmp(keys[key].name, name) != 0)
			continue;
		if (config->given[key])
			return malformed(path, number, "is given twice", name);
		config->given[key] = true;
		if (set_value(config, key, value))
			return EXIT_YES;
		snprintf(should, sizeof(should), "should be %s", keys[key].should);
		return malformed(path, number, should, name);
	}
	return malformed(path, number, "is no key that is known", name);
}

static int read_lines(struct config *config, const char *path, char *text)
{
	size_t number = 0;
	int rc = EXIT_YES;

	for (char *line; rc == EXIT_YES && (line = strsep(&text, "\n"));)
		rc = read_line(config, path, ++number, line);
	return rc;
}

/* ---- the file ---- */

static int read_config(struct config *config, const char *path)
{
	struct imalog_span bytes;
	int rc = read_file(path, CONFIG_MAX, &bytes);
	char *text;

	if (rc != EXIT_YES)
		return rc;
	if (bytes.size && memchr(bytes.data, '\0', bytes.size)) {
		complain("'%s': there is a byte in it that is no text: 0", path);
		free((void *)bytes.data);
		return EXIT_MALFORMED;
	}
	text = strndup((const char *)bytes.data, bytes.size);
	free((void *)bytes.data);
	if (!text)
		return out_of_memory();
	rc = read_lines(config, path, text);
	free(text);
	return rc;
}

/* What the command line says, over what the file says */
static int apply_options(struct config *config, const struct options *options)
{
	if (options->wait && !parse_duration(options->wait, &config->wait_ms))
		return usage_error(options->command,
				   "'%s' is not a time such as 5s, 500ms or 2m", options->wait);
	if (!options->store)
		return EXIT_YES;
	free(config->store);
	config->store = strdup(options->store);
	return config->store ? EXIT_YES : out_of_memory();
}

int config_read(struct config *config, const struct options *options)
{
	const char *root = strcmp(options->root, "/") == 0 ? "" : options->root;
	const char *path = options->config;
	int rc = EXIT_YES;
	struct stat st;
	char *file;

	*config = (struct config){ .wait_ms = CONFIG_WAIT_MS };
	if (asprintf(&file, "%s" CONFIG_PATH, root) < 0)
		file = NULL;
	/* It need not be there, unless it is asked for; one that cannot be read is no such case. */
	if (file && (path || lstat(file, &st) == 0 || errno != ENOENT))
		rc = read_config(config, path ? path : file);
	free(file);
	if (rc == EXIT_YES && !config->store &&
	    asprintf(&config->store, "%s" IMALOG_STORE_PATH, root) < 0)
		config->store = NULL;
	if (rc == EXIT_YES && !config->store)
		rc = out_of_memory();
	return rc == EXIT_YES ? apply_options(config, options) : rc;
}

void config_free(struct config *config)
{
	free(config->store);
	free(config->tcti);
	*config = (struct config){ 0 };
}

enum imalog_tpm_use config_tpm(const struct config *config, const struct options *options,
			       const char **ret_tcti)
{
	const char *tcti = options->tcti;
	enum imalog_tpm_use use = options->sysfs  ? IMALOG_TPM_SYSFS :
				  options->no_tpm ? IMALOG_TPM_NONE :
						    config->tpm;

	if (!tcti && use == IMALOG_TPM_AUTO)
		tcti = config->tcti;
	*ret_tcti = tcti;
	return tcti ? IMALOG_TPM_TSS : use;
}
