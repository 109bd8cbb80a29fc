// SPDX-License-Identifier: LGPL-2.1-or-later
/* Is the key that signed a quote one whose quotes prove something? */
#include "private.h"

/* TPMA_OBJECT (TPM 2.0 Part 2, 8.3) */
#define FIXED_TPM  ((uint32_t)1 << 1)
#define RESTRICTED ((uint32_t)1 << 16)
#define DECRYPT	   ((uint32_t)1 << 17)
#define SIGN	   ((uint32_t)1 << 18)

/* ---- chain ---- */

static int judge_chain(struct imalog_quote *quote, const struct imalog_key *key,
		       struct imalog_span ca, struct imalog_error *error)
{
	struct imalog_ca *trusted = NULL;
	const char *reason = "";
	int rc = imalog_ca_parse(ca, &trusted, error);

	if (rc == 0)
		rc = imalog_ca_check(trusted, key, &reason, error);
	imalog_ca_free(&trusted);
	if (rc < 0)
		return rc;
	if (rc)
		imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_MATCH,
				   "its certificate chains to a trusted one");
	else
		imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_MISMATCH,
				   "its certificate is not trusted: %s", reason);
	return 0;
}

/* ---- interface ---- */

static void judge_area(struct imalog_quote *quote, const struct imalog_key *key)
{
	bool restricted = (key->attributes & (RESTRICTED | SIGN | DECRYPT)) ==
			  (RESTRICTED | SIGN);

	/* Only a restricted key never signs a structure that was made outside of its TPM.
	 */
	if (!restricted)
		imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_MISMATCH,
				   "no restricted signing key, its attributes are 0x%x",
				   key->attributes);
	else
		imalog_quote_judge(
			quote, IMALOG_QUOTE_KEY, IMALOG_MATCH,
			"%s, restricted signing key%s", key->text,
			key->attributes & FIXED_TPM ? "" : ", not fixed to its TPM");
}

int imalog_quote_check_key(struct imalog_quote *quote, const struct imalog_key *key,
			   struct imalog_span ca, struct imalog_error *reterr)
{
	imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_NOT_CHECKED, "%s", "");
	if (imalog_key_is_weak(key))
		imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_MISMATCH,
				   "%s is too weak, at least %d are needed", key->text,
				   IMALOG_KEY_RSA_MIN);
	else if (!imalog_key_is_for_signatures(key))
		imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_MISMATCH,
				   "its certificate is not for signatures");
	else if (ca.size && key->cert)
		return judge_chain(quote, key, ca, reterr);
	else if (ca.size)
		imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_NOT_CHECKED,
				   "%s without a certificate that could chain to another",
				   key->text);
	else if (key->has_area)
		judge_area(quote, key);
	else
		imalog_quote_judge(
			quote, IMALOG_QUOTE_KEY, IMALOG_NOT_CHECKED, "%s, %s", key->text,
			key->cert ? "its certificate was not checked against others" :
				    "nothing says that it is a restricted signing key");
	return 0;
}
