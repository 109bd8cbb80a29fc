// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The policy file: one rule a write, all or nothing, and nobody is told (ima_policy.c,
 * ima_write_policy() and ima_release_policy() of ima_fs.c)
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "imafs.h"

static const char *const boot_rules[] = { "dont_measure fsmagic=0x9fa0 ",
					  "dont_measure fsmagic=0x62656572 ",
					  "measure func=MMAP_CHECK mask=MAY_EXEC ",
					  "measure func=BPRM_CHECK mask=MAY_EXEC " };

/* Of the architecture: the first policy to be loaded leaves it, in front */
static const char arch_rule[] = "measure func=KEXEC_KERNEL_CHECK ";

static const char *const actions[] = { "measure",	"dont_measure", "appraise",
				       "dont_appraise", "audit",	"dont_audit",
				       "hash",		"dont_hash" };

static const char *const functions[] = { "FILE_CHECK",
					 "PATH_CHECK",
					 "MMAP_CHECK",
					 "FILE_MMAP",
					 "MMAP_CHECK_REQPROT",
					 "BPRM_CHECK",
					 "CREDS_CHECK",
					 "MODULE_CHECK",
					 "FIRMWARE_CHECK",
					 "KEXEC_KERNEL_CHECK",
					 "KEXEC_INITRAMFS_CHECK",
					 "KEXEC_CMDLINE",
					 "POLICY_CHECK",
					 "KEY_CHECK",
					 "CRITICAL_DATA",
					 "SETXATTR_CHECK" };

static const char *const masks[] = { "MAY_READ", "MAY_WRITE", "MAY_EXEC", "MAY_APPEND" };

/* In the order in which the kernel shows them; those with a blank take no value. */
static const char *const keys[] = {
	"func",
	"mask",
	"fsmagic",
	"fsname",
	"keyrings",
	"label",
	"pcr",
	"fsuuid",
	"uid",
	"euid",
	"gid",
	"egid",
	"fowner",
	"fgroup",
	"fs_subtype",
	"appraise_algos",
	"obj_user",
	"obj_role",
	"obj_type",
	"subj_user",
	"subj_role",
	"subj_type",
	"template",
	"appraise_type",
	"digest_type",
	"appraise_flag",
	"permit_directio ",
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static bool is_one_of(const char *text, size_t size, const char *const *list,
		      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(list[i]) == size && strncmp(list[i], text, size) == 0)
			return true;
	return false;
}

static bool all_digits(const char *text, int (*is)(int))
{
	const char *start = text;

	while (is((unsigned char)*text))
		text++;
	return text > start && !*text;
}

static bool value_valid(const char *key, const char *value)
{
	if (strcmp(key, "func") == 0)
		return is_one_of(value, strlen(value), functions, COUNT(functions));
	if (strcmp(key, "mask") == 0) {
		value += *value == '^';
		return is_one_of(value, strlen(value), masks, COUNT(masks));
	}
	if (strcmp(key, "fsmagic") == 0) {
		value += strncasecmp(value, "0x", 2) == 0 ? 2 : 0;
		return all_digits(value, isxdigit);
	}
	if (strcmp(key, "pcr") == 0)
		return all_digits(value, isdigit) && atoi(value) < 32;
	if (strstr(key, "uid") == key + strlen(key) - 3 && strcmp(key, "fsuuid") != 0)
		return all_digits(value, isdigit);
	if (strcmp(key, "template") == 0)
		return template_known(value);
	return *value != '\0';
}

/* Finds the key of a condition, or returns -1. */
static int condition_key(const char *word)
{
	size_t size = strcspn(word, "=<>");

	for (size_t i = 0; i < COUNT(keys); i++) {
		size_t length = strcspn(keys[i], " ");

		if (length != size || strncmp(keys[i], word, size) != 0)
			continue;
		if (keys[i][length] == ' ')
			return word[size] ? -1 : (int)i;
		return word[size] && value_valid(keys[i], word + size + 1) ? (int)i : -1;
	}
	return -1;
}

/* In the order in which the kernel has them, whatever the order in the rule */
static void show_algos(struct buf *rule, const char *list)
{
	static const char *const algos[] = { "md5",    "sha1",	 "sha256",
					     "sha384", "sha512", "sm3" };
	const char *comma = "";

	for (size_t i = 0; i < COUNT(algos); i++) {
		size_t size = strlen(algos[i]);

		for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
			if (strcspn(at, ",") == size && strncmp(at, algos[i], size) == 0) {
				buf_printf(rule, "%s%s", comma, algos[i]);
				comma = ",";
				break;
			}
	}
}

static bool is_number(const char *key)
{
	static const char *const numbers[] = { "pcr", "uid",  "euid",
					       "gid", "egid", "fowner", "fgroup" };

	return is_one_of(key, strlen(key), numbers, COUNT(numbers));
}

/* As ima_policy_show() prints what it has understood */
static void show_word(struct buf *rule, const char *key, const char *word)
{
	size_t size = strcspn(word, "=<>");
	const char *value = word + size + (word[size] != '\0');

	buf_put(rule, word, size + (word[size] != '\0'));
	if (strcmp(word, "func=PATH_CHECK") == 0)
		buf_printf(rule, "FILE_CHECK");
	else if (strcmp(word, "func=FILE_MMAP") == 0)
		buf_printf(rule, "MMAP_CHECK");
	else if (strcmp(key, "fsmagic") == 0)
		buf_printf(rule, "0x%lx", strtoul(value, NULL, 16));
	else if (is_number(key))
		buf_printf(rule, "%d", (int)strtoul(value, NULL, 10));
	else if (strcmp(key, "appraise_algos") == 0)
		show_algos(rule, value);
	else if (strcmp(key, "fsuuid") == 0)
		for (; *value; value++)
			buf_printf(rule, "%c", tolower(*value));
	else
		buf_printf(rule, "%s", value);
	buf_printf(rule, " ");
	/* Signatures are looked up in a blacklist, whether that was asked for or not */
	if (strcmp(key, "appraise_type") == 0)
		buf_printf(rule, "appraise_flag=check_blacklist ");
}

/* Returns the rule as the kernel shows it, or NULL when it is none. */
static char *parse_rule(char *text)
{
	char *words[COUNT(keys)] = { NULL }, *action = NULL, *word, *save = NULL;
	struct buf rule = { 0 };

	for (word = strtok_r(text, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
		bool acts = is_one_of(word, strlen(word), actions, COUNT(actions));
		int key = acts ? -1 : condition_key(word);

		if (acts ? action != NULL : key < 0 || words[key])
			return NULL;
		if (acts)
			action = word;
		else
			words[key] = word;
	}
	if (!action)
		return NULL;
	buf_printf(&rule, "%s ", action);
	for (size_t i = 0; i < COUNT(keys); i++)
		if (words[i] && strcmp(keys[i], "appraise_flag") != 0)
			show_word(&rule, keys[i], words[i]);
	buf_put(&rule, "", 1);
	return (char *)rule.data;
}

static void add_rule(char ***rules, size_t *count, char *rule)
{
	*rules = realloc(*rules, (*count + 1) * sizeof(**rules));
	if (!*rules)
		die("no memory");
	(*rules)[(*count)++] = rule;
}

void policy_init(struct policy *policy)
{
	while (policy->nr_rules)
		free(policy->rules[--policy->nr_rules]);
	while (policy->nr_pending)
		free(policy->pending[--policy->nr_pending]);
	for (size_t i = 0; i < COUNT(boot_rules); i++)
		add_rule(&policy->rules, &policy->nr_rules, xstrdup(boot_rules[i]));
	if (policy->arch)
		add_rule(&policy->rules, &policy->nr_rules, xstrdup(arch_rule));
	policy->busy = policy->failed = policy->removed = policy->loaded = false;
}

/* One line.  Returns its length and one, or a negative errno. */
static int add_line(struct policy *policy, const char *line)
{
	size_t size = strcspn(line, "\n");
	char *text = xstrdup(line), *rule;

	text[size] = '\0';
	if (text[strspn(text, " \t")] == '#' || text[strspn(text, " \t")] == '\0') {
		free(text);
		return (int)size + 1;
	}
	rule = parse_rule(text);
	free(text);
	if (!rule)
		return -EINVAL;
	add_rule(&policy->pending, &policy->nr_pending, rule);
	return (int)size + 1;
}

static char *read_text(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	struct buf text = { 0 };
	char part[4096];
	size_t got;

	if (!file)
		return NULL;
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		buf_put(&text, part, got);
	fclose(file);
	*size = text.size;
	buf_put(&text, "", 1);
	return (char *)text.data;
}

/* A file of rules is measured, and its last line must end too. */
static int add_file(struct policy *policy, struct kernel *kernel, const char *line)
{
	struct event event = { .alg = kernel->alg };
	char *path = xstrdup(line), *text, *at;
	size_t size = 0;
	int rc = 0;

	path[strcspn(path, "\n")] = '\0';
	event.name = path;
	text = read_text(path, &size);
	if (!text) {
		rc = -errno;
	} else {
		hash(event.alg, text, size, event.digest);
		hash(alg_find("sha1"), text, size, event.sha1);
		kernel_measure(kernel, &event);
	}
	for (at = text; text && at < text + size && rc >= 0; at += rc)
		rc = add_line(policy, at);
	if (rc >= 0 && at != text + size)
		rc = -EINVAL;
	free(text);
	free(path);
	return rc < 0 ? rc : (int)strlen(line);
}

int policy_write(struct policy *policy, struct kernel *kernel, const uint8_t *data,
		 size_t size)
{
	char line[KERNEL_PAGE];
	int rc;

	if (size >= KERNEL_PAGE)
		size = KERNEL_PAGE - 1;
	memcpy(line, data, size);
	line[size] = '\0';
	if (line[0] == '/')
		rc = add_file(policy, kernel, line);
	else if (policy->path_only)
		rc = -EACCES;
	else
		rc = add_line(policy, line);
	if (rc < 0)
		policy->failed = true;
	return rc;
}

/* The file is closed: all the rules, or none. */
void policy_commit(struct policy *policy)
{
	bool good = !policy->failed && !policy->rejects && policy->nr_pending;

	policy->failed = policy->rejects = false;
	policy->busy = false;
	if (good && !policy->loaded) {
		while (policy->nr_rules)
			free(policy->rules[--policy->nr_rules]);
		if (policy->arch)
			add_rule(&policy->rules, &policy->nr_rules, xstrdup(arch_rule));
	}
	for (size_t i = 0; i < policy->nr_pending; i++) {
		if (good)
			add_rule(&policy->rules, &policy->nr_rules, policy->pending[i]);
		else
			free(policy->pending[i]);
	}
	policy->nr_pending = 0;
	if (!good)
		return;
	policy->loaded = true;
	/* Without CONFIG_IMA_WRITE_POLICY there is no second time */
	policy->busy = !policy->writable;
	policy->removed = !policy->writable && !policy->readable;
}

bool policy_show(const void *list, uint64_t index, struct buf *out)
{
	const struct policy *policy = list;

	if (index >= policy->nr_rules)
		return false;
	buf_printf(out, "%s\n", policy->rules[index]);
	return true;
}
