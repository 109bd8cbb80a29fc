// SPDX-License-Identifier: LGPL-2.1-or-later
/* Is the key that signed a quote one whose quotes prove something? */
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "private.h"

/* TPMA_OBJECT (TPM 2.0 Part 2, 8.3) */
#define FIXED_TPM  ((uint32_t)1 << 1)
#define RESTRICTED ((uint32_t)1 << 16)
#define DECRYPT	   ((uint32_t)1 << 17)
#define SIGN	   ((uint32_t)1 << 18)

/* A bundle of all public CAs is a quarter of this. */
#define CA_SIZE_MAX ((size_t)1 << 20)
/* OpenSSL's security level of 112 bits: RSA of 2048 bits, no SHA-1
 * (SSL_CTX_set_security_level) */
#define SECURITY_LEVEL 2

/* ---- trusted certificates ---- */

static int bad_ca(struct imalog_error *error, const char *what)
{
	ERR_clear_error();
	return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "CA", "%s", what);
}

static int add_der(X509_STORE *store, struct imalog_span der, struct imalog_error *error)
{
	const unsigned char *end = der.data;
	X509 *cert = d2i_X509(NULL, &end, (long)der.size);
	bool whole = cert && end == der.data + der.size;
	bool added = whole && X509_STORE_add_cert(store, cert);

	X509_free(cert);
	if (!whole)
		return bad_ca(error, "neither PEM nor one certificate in DER");
	return added ? 0 : imalog_fail_nomem(error);
}

static int add_pem(X509_STORE *store, struct imalog_span text, struct imalog_error *error)
{
	BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
	size_t count = 0;
	bool added = bio;
	X509 *cert;

	while (added && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		added = X509_STORE_add_cert(store, cert);
		count++;
		X509_free(cert);
	}
	BIO_free(bio);
	if (!added)
		return imalog_fail_nomem(error);
	if (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return bad_ca(error, count ? "damaged PEM" : "PEM without a certificate");
	return 0;
}

static int read_ca(X509_STORE *store, struct imalog_span ca, struct imalog_error *error)
{
	static const char begin[] = "-----BEGIN ";

	ERR_clear_error();
	if (ca.size > CA_SIZE_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "CA",
				   "%zu bytes exceed the limit of %zu", ca.size,
				   CA_SIZE_MAX);
	if (ca.data[0] != 0x30 && memmem(ca.data, ca.size, begin, sizeof(begin) - 1))
		return add_pem(store, ca, error);
	return add_der(store, ca, error);
}

/* ---- chain ---- */

/* 1, or 0 and the reason, or a negative code when it could not be found out. */
static int verify_chain(const struct imalog_key *key, X509_STORE *store,
			const char **reason, struct imalog_error *error)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	int rc;

	if (!ctx || !X509_STORE_CTX_init(ctx, store, key->cert, key->untrusted)) {
		X509_STORE_CTX_free(ctx);
		return imalog_fail_nomem(error);
	}
	/* What was given as trusted is, self-signed or not. */
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	rc = X509_verify_cert(ctx) == 1;
	*reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
	if (!rc && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM)
		rc = imalog_fail_nomem(error);
	X509_STORE_CTX_free(ctx);
	return rc;
}

static int judge_chain(struct imalog_quote *quote, const struct imalog_key *key,
		       struct imalog_span ca, struct imalog_error *error)
{
	X509_STORE *store = X509_STORE_new();
	const char *reason = "";
	int rc = store ? read_ca(store, ca, error) : imalog_fail_nomem(error);

	if (rc == 0)
		rc = verify_chain(key, store, &reason, error);
	X509_STORE_free(store);
	ERR_clear_error();
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

static bool is_for_signatures(const struct imalog_key *key)
{
	/* UINT32_MAX when the certificate does not say */
	return !key->cert || X509_get_key_usage(key->cert) & KU_DIGITAL_SIGNATURE;
}

int imalog_quote_check_key(struct imalog_quote *quote, const struct imalog_key *key,
			   struct imalog_span ca, struct imalog_error *reterr)
{
	imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_NOT_CHECKED, "%s", "");
	if (imalog_key_is_weak(key))
		imalog_quote_judge(quote, IMALOG_QUOTE_KEY, IMALOG_MISMATCH,
				   "%s is too weak, at least %d are needed", key->text,
				   IMALOG_KEY_RSA_MIN);
	else if (!is_for_signatures(key))
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
