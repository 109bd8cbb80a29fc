// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The rules of an IMA policy: taken from a file, and found again in what the kernel shows
 *
 * One rule a line, words between blanks; '#' begins a comment and an empty line means
 * nothing (ima_parse_add_rule(), ima_parse_rule(), ima_policy.c).  The kernel shows a
 * rule with its words in an order of its own and with numbers in a form of its own
 * (ima_policy_show()), so that rules are compared as sorted words, each in one form.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy.h"

/* ---- one word ---- */

static bool is_key(struct imalog_span word, const char *key)
{
	size_t size = strlen(key);

	return word.size > size && memcmp(word.data, key, size) == 0;
}

static void put_lower(struct imalog_buffer *out, struct imalog_span text)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = (char)tolower(text.data[i]);

		imalog_buffer_add(out, &c, 1);
	}
}

/* Without the sign and the zeros that kstrtoul() skips; something is left of "0". */
static void put_number(struct imalog_buffer *out, struct imalog_span text)
{
	size_t skip = text.size && text.data[0] == '+';

	if (text.size > skip + 2 && text.data[skip] == '0' &&
	    (text.data[skip + 1] | 0x20) == 'x')
		skip += 2;
	while (skip + 1 < text.size && text.data[skip] == '0')
		skip++;
	put_lower(out, (struct imalog_span){ text.data + skip, text.size - skip });
}

static int compare_spans(const void *a, const void *b)
{
	const struct imalog_span *x = a, *y = b;
	int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

#define WORDS_MAX 64

/* Splits at bytes of @blanks, which may come one after the other; false: too many */
static bool split(struct imalog_span text, const char *blanks,
		  struct imalog_span words[WORDS_MAX], size_t *nr)
{
	size_t from = 0;

	*nr = 0;
	for (size_t i = 0; i <= text.size; i++) {
		if (i < text.size && (!text.data[i] || !strchr(blanks, text.data[i])))
			continue;
		if (i > from && *nr == WORDS_MAX)
			return false;
		if (i > from)
			words[(*nr)++] =
				(struct imalog_span){ text.data + from, i - from };
		from = i + 1;
	}
	return true;
}

static void put_sorted(struct imalog_buffer *out, struct imalog_span list)
{
	struct imalog_span names[WORDS_MAX];
	size_t nr;

	if (!split(list, ",", names, &nr)) {
		imalog_buffer_add(out, list.data, list.size);
		return;
	}
	qsort(names, nr, sizeof(names[0]), compare_spans);
	for (size_t i = 0; i < nr; i++) {
		imalog_buffer_add(out, ",", i > 0);
		imalog_buffer_add(out, names[i].data, names[i].size);
	}
}

enum form {
	FORM_NUMBER,
	FORM_LOWER,
	FORM_SORTED,
	FORM_NOTHING, /* the kernel sets and shows it as it likes */
};

static const struct {
	const char *key;
	enum form form;
} forms[] = {
	{ "uid", FORM_NUMBER },
	{ "euid", FORM_NUMBER },
	{ "gid", FORM_NUMBER },
	{ "egid", FORM_NUMBER },
	{ "fowner", FORM_NUMBER },
	{ "fgroup", FORM_NUMBER },
	{ "pcr", FORM_NUMBER },
	{ "fsmagic", FORM_NUMBER },
	{ "fsuuid", FORM_LOWER },
	{ "appraise_algos", FORM_SORTED },
	{ "appraise_flag", FORM_NOTHING },
};

/* Names that the kernel still knows, and what it calls them now */
static const char *const renamed[][2] = {
	{ "func=PATH_CHECK", "func=FILE_CHECK" },
	{ "func=FILE_MMAP", "func=MMAP_CHECK" },
};

static void put_value(struct imalog_buffer *out, struct imalog_span value, enum form form)
{
	switch (form) {
	case FORM_NUMBER:
		put_number(out, value);
		break;
	case FORM_LOWER:
		put_lower(out, value);
		break;
	default:
		put_sorted(out, value);
	}
}

/* The one form of a word, and a blank behind it */
static void put_word(struct imalog_buffer *out, struct imalog_span word)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(renamed); i++)
		if (imalog_span_equal(word, imalog_span_of(renamed[i][0])))
			word = imalog_span_of(renamed[i][1]);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(forms); i++) {
		size_t key = strlen(forms[i].key);

		if (!is_key(word, forms[i].key) || !strchr("=<>", word.data[key]))
			continue;
		if (forms[i].form == FORM_NOTHING)
			return;
		imalog_buffer_add(out, word.data, key + 1);
		put_value(out,
			  (struct imalog_span){ word.data + key + 1,
						word.size - key - 1 },
			  forms[i].form);
		imalog_buffer_add(out, " ", 1);
		return;
	}
	imalog_buffer_add(out, word.data, word.size);
	imalog_buffer_add(out, " ", 1);
}

/* ---- one rule ---- */

/* A rule of more words than the kernel has keys stays as it is. */
static void put_rule(struct imalog_buffer *out, struct imalog_span line)
{
	struct imalog_span words[WORDS_MAX];
	struct imalog_buffer plain = { 0 };
	size_t nr;

	if (!split(line, " \t", words, &nr)) {
		while (line.size && strchr(" \t", line.data[line.size - 1]))
			line.size--;
		imalog_buffer_add(out, line.data, line.size);
		return;
	}
	for (size_t i = 0; i < nr; i++)
		put_word(&plain, words[i]);
	if (plain.failed ||
	    !split((struct imalog_span){ plain.data, plain.size }, " ", words, &nr))
		nr = 0;
	qsort(words, nr, sizeof(words[0]), compare_spans);
	for (size_t i = 0; i < nr; i++) {
		imalog_buffer_add(out, words[i].data, words[i].size);
		imalog_buffer_add(out, " ", 1);
	}
	out->failed |= plain.failed;
	imalog_buffer_free(&plain);
}

static int add_rule(struct imalog_rules *rules, struct imalog_span line, uint64_t number,
		    struct imalog_error *error)
{
	struct imalog_rule *rule;

	if (rules->nr == rules->room) {
		size_t room = 2 * rules->room + 64;

		rule = reallocarray(rules->rules, room, sizeof(*rule));
		if (!rule)
			return imalog_fail_nomem(error);
		rules->rules = rule;
		rules->room = room;
	}
	rule = &rules->rules[rules->nr];
	*rule = (struct imalog_rule){ .line = number, .text = line };
	put_rule(&rule->form, line);
	if (rule->form.failed) {
		imalog_buffer_free(&rule->form);
		return imalog_fail_nomem(error);
	}
	rules->nr++;
	return 0;
}

/* ---- all rules of a text ---- */

void imalog_rules_free(struct imalog_rules *rules)
{
	for (size_t i = 0; i < rules->nr; i++)
		imalog_buffer_free(&rules->rules[i].form);
	free(rules->rules);
	*rules = (struct imalog_rules){ 0 };
}

static bool means_nothing(struct imalog_span line)
{
	size_t i = 0;

	while (i < line.size && (line.data[i] == ' ' || line.data[i] == '\t'))
		i++;
	return i == line.size || line.data[i] == '#';
}

int imalog_rules_parse(struct imalog_span text, imalog_rule_check check,
		       struct imalog_rules *ret, struct imalog_error *error)
{
	struct imalog_rules rules = { 0 };
	uint64_t number = 0;
	size_t from = 0;
	int rc = 0;

	while (rc == 0 && from < text.size) {
		const uint8_t *start = text.data + from;
		const uint8_t *end = memchr(start, '\n', text.size - from);
		struct imalog_span line = { start, end ? (size_t)(end - start) :
							 text.size - from };

		number++;
		if (!means_nothing(line)) {
			rc = check ? check(line, error) : 0;
			if (rc == 0)
				rc = add_rule(&rules, line, number, error);
			if (rc < 0)
				imalog_error_set_record(error, number, from);
		}
		from += line.size + 1;
	}
	if (rc < 0)
		imalog_rules_free(&rules);
	else
		*ret = rules;
	return rc;
}

/* What the kernel would misunderstand, or not take whole */
static int check_rule(struct imalog_span line, struct imalog_error *error)
{
	size_t max =
		(size_t)sysconf(_SC_PAGESIZE) - 2; /* with its newline, page less 1 */

	if (line.data[0] == '/')
		return imalog_fail(
			error, IMALOG_ERR_BAD_VALUE, "",
			"begins with '/': the kernel would read a policy from a file "
			"of that name");
	if (line.size > max)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "",
				   "is %zu bytes long, of which the kernel takes %zu",
				   line.size, max);
	for (size_t i = 0; i < line.size; i++)
		if ((line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
			return imalog_fail(
				error, IMALOG_ERR_BAD_VALUE, "",
				"has a control character: byte 0x%02x in column %zu%s",
				line.data[i], i + 1,
				line.data[i] == '\r' ? ", as in text files of Windows" :
						       "");
	return 0;
}

int imalog_policy_parse(struct imalog_span text, struct imalog_policy **ret,
			struct imalog_error *reterr)
{
	struct imalog_policy *policy = calloc(1, sizeof(*policy));
	uint8_t *own = malloc(text.size + 1);
	int rc;

	if (!policy || !own) {
		free(policy);
		free(own);
		return imalog_fail_nomem(reterr);
	}
	if (text.size)
		memcpy(own, text.data, text.size);
	policy->owned = own;
	policy->ends = text.size && own[text.size - 1] == '\n';
	rc = imalog_rules_parse((struct imalog_span){ own, text.size }, check_rule,
				&policy->rules, reterr);
	if (rc == 0 && policy->rules.nr == 0)
		rc = imalog_fail(
			reterr, IMALOG_ERR_BAD_VALUE, "",
			"there is no rule, and the kernel takes no policy without any");
	if (rc < 0)
		imalog_policy_free(&policy);
	else
		*ret = policy;
	return rc;
}

void imalog_policy_free(struct imalog_policy **policy)
{
	if (!policy || !*policy)
		return;
	imalog_rules_free(&(*policy)->rules);
	free((*policy)->owned);
	free(*policy);
	*policy = NULL;
}

size_t imalog_policy_rules(const struct imalog_policy *policy)
{
	return policy->rules.nr;
}

const char *imalog_policy_reason(const struct imalog_policy *policy)
{
	return policy->reason;
}

/* ---- found again ---- */

static bool same_rule(const struct imalog_rule *a, const struct imalog_rule *b)
{
	return a->form.size == b->form.size &&
	       (a->form.size == 0 ||
		memcmp(a->form.data, b->form.data, a->form.size) == 0);
}

/* Are the first @nr rules of @a the first of @b? */
static bool same_start(const struct imalog_rules *a, const struct imalog_rules *b,
		       size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (!same_rule(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

/* Are the first @nr rules of @part rules of @whole, in the same order? */
static bool are_among(const struct imalog_rules *part, size_t nr,
		      const struct imalog_rules *whole)
{
	size_t found = 0;

	for (size_t i = 0; i < whole->nr && found < nr; i++)
		found += same_rule(&part->rules[found], &whole->rules[i]);
	return found == nr;
}

/* The first of the rules that the end of @after does not have; @sent->nr: it has all */
static size_t first_missing(const struct imalog_rules *sent,
			    const struct imalog_rules *after)
{
	size_t nr = 0;

	if (after->nr < sent->nr)
		return 0;
	while (nr < sent->nr &&
	       same_rule(&sent->rules[nr], &after->rules[after->nr - sent->nr + nr]))
		nr++;
	return nr;
}

enum imalog_verdict imalog_policy_judge(struct imalog_policy *policy,
					enum imalog_verdict verdict, const char *reason,
					...)
{
	va_list args;

	va_start(args, reason);
	vsnprintf(policy->reason, sizeof(policy->reason), reason, args);
	va_end(args);
	return verdict;
}

static enum imalog_verdict judge_other(struct imalog_policy *policy, size_t missing)
{
	if (missing == policy->rules.nr)
		return imalog_policy_judge(
			policy, IMALOG_NOT_CHECKED,
			"the kernel shows rules that were neither sent nor "
			"there before");
	return imalog_policy_judge(
		policy, IMALOG_NOT_CHECKED,
		"the kernel shows other rules than before, but not that of line "
		"%llu where it should be",
		(unsigned long long)policy->rules.rules[missing].line);
}

/*
 * The first policy takes the place of the one from boot, of which rules of the
 * architecture and of the kernel's configuration stay, in front; later ones are appended
 * (ima_init_policy(), ima_update_policy()).  In both cases the new rules are the last.
 */
enum imalog_verdict imalog_policy_compare(struct imalog_policy *policy,
					  const struct imalog_rules *before,
					  const struct imalog_rules *after)
{
	size_t nr = policy->rules.nr, missing = first_missing(&policy->rules, after);
	size_t others = missing == nr ? after->nr - nr : 0;
	const char *rules = nr == 1 ? "rule" : "rules";

	if (after->nr == before->nr && same_start(before, after, after->nr))
		return imalog_policy_judge(
			policy, missing < nr ? IMALOG_MISMATCH : IMALOG_NOT_CHECKED,
			"the kernel shows the same rules as before%s",
			missing < nr ? "" : ", and these were among them");
	if (missing < nr || !are_among(after, others, before))
		return judge_other(policy, missing);
	if (others == before->nr)
		return imalog_policy_judge(policy, IMALOG_MATCH,
					   "%zu %s, behind %zu that it had", nr, rules,
					   others);
	return imalog_policy_judge(policy, IMALOG_MATCH,
				   "%zu %s, and %zu of the %zu that it had are left", nr,
				   rules, others, before->nr);
}
