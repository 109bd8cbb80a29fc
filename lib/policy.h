/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files about IMA policies share. */
#ifndef IMALOG_POLICY_H
#define IMALOG_POLICY_H

#include "private.h"

/* One rule, a view of the text that it was read from. */
struct imalog_rule {
	uint64_t line; /* from 1 */
	struct imalog_span text;
	struct imalog_buffer form; /* equal for what the kernel takes for equal */
};

struct imalog_rules {
	struct imalog_rule *rules;
	size_t nr, room;
};

struct imalog_policy {
	uint8_t *owned; /* text that the rules are views of */
	bool ends;	/* the last line does, in a newline */
	struct imalog_rules rules;
	char reason[256];
};

/* Is there anything against this rule?  0 or a negative code */
typedef int (*imalog_rule_check)(struct imalog_span rule, struct imalog_error *error);

/* @check may be NULL: whatever means something is a rule.  In an error, the record is a
 * line. */
int imalog_rules_parse(struct imalog_span text, imalog_rule_check check,
		       struct imalog_rules *ret, struct imalog_error *error);
void imalog_rules_free(struct imalog_rules *rules);
/* Sets the reason; returns @verdict. */
enum imalog_verdict imalog_policy_judge(struct imalog_policy *policy,
					enum imalog_verdict verdict, const char *reason,
					...) __attribute__((format(printf, 3, 4)));
/* Does what the kernel shows prove that it took the policy?  Sets the reason. */
enum imalog_verdict imalog_policy_compare(struct imalog_policy *policy,
					  const struct imalog_rules *before,
					  const struct imalog_rules *after);

#endif /* IMALOG_POLICY_H */
