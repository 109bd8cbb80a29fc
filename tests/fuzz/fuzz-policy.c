// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: IMA policies, and what the kernel shows of them
 *
 * The first two bytes are how long the policy is, the rest is what was shown before; what
 * is shown afterwards is made of both, as kernels do it.
 */
#include "fuzz.h"
#include "policy.h"

static enum imalog_verdict compare(struct imalog_policy *policy,
				   const struct imalog_rules *before,
				   const struct imalog_buffer *after)
{
	enum imalog_verdict verdict;
	struct imalog_rules rules;

	MUST(imalog_rules_parse(fuzz_span(after), NULL, &rules, NULL) == 0);
	verdict = imalog_policy_compare(policy, before, &rules);
	MUST(imalog_policy_reason(policy)[0]);
	imalog_rules_free(&rules);
	return verdict;
}

static void add_rules(struct imalog_buffer *text, const struct imalog_rules *rules,
		      size_t first)
{
	for (size_t i = first; i < rules->nr; i++) {
		imalog_buffer_add(text, rules->rules[i].text.data,
				  rules->rules[i].text.size);
		imalog_buffer_add(text, " \n", 2);
	}
}

static void check_rules(const struct imalog_rules *rules, struct imalog_span text)
{
	uint64_t line = 0;

	for (size_t i = 0; i < rules->nr; i++) {
		const struct imalog_rule *rule = &rules->rules[i];

		MUST(rule->text.size && fuzz_inside(rule->text, text));
		MUST(!memchr(rule->text.data, '\n', rule->text.size));
		MUST(rule->line > line);
		line = rule->line;
	}
}

static const char others_rule[] = "measure others\n";

static bool has_text(struct imalog_span span, const char *text)
{
	return memmem(span.data, span.size, text, strlen(text));
}

static void check_loading(struct imalog_policy *policy, struct imalog_span shown)
{
	struct imalog_buffer after = { 0 };
	struct imalog_rules before;
	enum imalog_verdict verdict;

	MUST(imalog_rules_parse(shown, NULL, &before, NULL) == 0);
	check_rules(&before, shown);
	/* Nothing is loaded */
	add_rules(&after, &before, 0);
	verdict = compare(policy, &before, &after);
	MUST(verdict != IMALOG_MATCH);
	/* Behind those before, and alone */
	add_rules(&after, &policy->rules, 0);
	MUST(compare(policy, &before, &after) == IMALOG_MATCH);
	after.size = 0;
	add_rules(&after, &policy->rules, 0);
	MUST(compare(policy, &before, &after) != IMALOG_MISMATCH);
	if (before.nr != policy->rules.nr)
		MUST(compare(policy, &before, &after) == IMALOG_MATCH);
	/* Somebody else's rule behind them */
	after.size = 0;
	add_rules(&after, &before, 0);
	add_rules(&after, &policy->rules, 0);
	imalog_buffer_add(&after, others_rule, strlen(others_rule));
	if (!has_text(policy->rules.rules[policy->rules.nr - 1].text, "others"))
		MUST(compare(policy, &before, &after) == IMALOG_NOT_CHECKED);
	imalog_buffer_free(&after);
	imalog_rules_free(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_span policy_text, shown;
	struct imalog_policy *policy;
	size_t cut;
	int rc;

	MUST(error);
	cut = size < 2 ? 0 : (size_t)(data[0] | data[1] << 8);
	cut = size < 2 ? 0 : cut < size - 2 ? cut : size - 2;
	policy_text = fuzz_copy((struct imalog_span){ data + 2, cut });
	shown = fuzz_copy(
		(struct imalog_span){ data + 2 + cut, size < 2 ? 0 : size - 2 - cut });
	rc = imalog_policy_parse(policy_text, &policy, error);
	if (rc < 0) {
		fuzz_check_error(error, rc);
		MUST(imalog_error_offset(error) <= policy_text.size);
	} else {
		MUST(imalog_policy_rules(policy) > 0);
		check_rules(&policy->rules,
			    (struct imalog_span){ policy->owned, policy_text.size });
		check_loading(policy, shown);
		imalog_policy_free(&policy);
	}
	imalog_error_free(&error);
	fuzz_free(policy_text);
	fuzz_free(shown);
	return 0;
}
