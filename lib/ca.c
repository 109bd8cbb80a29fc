// SPDX-License-Identifier: LGPL-2.1-or-later
/* Certificates that are trusted, and whether that of a key chains to them. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "private.h"

/* A bundle of all public CAs is a quarter of this. */
#define CA_SIZE_MAX ((size_t)1 << 20)
/* OpenSSL's security level of 112 bits: RSA of 2048 bits, no SHA-1
 * (SSL_CTX_set_security_level) */
#define SECURITY_LEVEL 2

struct imalog_ca {
	X509_STORE *store;
	bool any_time;
};

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

void imalog_ca_ignore_time(struct imalog_ca *ca)
{
	ca->any_time = true;
}

bool imalog_key_is_for_signatures(const struct imalog_key *key)
{
	/* UINT32_MAX when the certificate does not say */
	return !key->cert || X509_get_key_usage(key->cert) & KU_DIGITAL_SIGNATURE;
}

static void set_rules(const struct imalog_ca *ca, X509_STORE_CTX *ctx)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	/* What was given as trusted is, self-signed or not. */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (ca->any_time)
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
}

int imalog_ca_check(const struct imalog_ca *ca, const struct imalog_key *key,
		    const char **reason, struct imalog_error *error)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int rc;

	if (!ctx || !X509_STORE_CTX_init(ctx, ca->store, key->cert, key->untrusted)) {
		X509_STORE_CTX_free(ctx);
		return imalog_fail_nomem(error);
	}
	set_rules(ca, ctx);
	rc = X509_verify_cert(ctx) == 1;
	*reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
	if (!rc && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_OUT_OF_MEM)
		rc = imalog_fail_nomem(error);
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return rc;
}

/* ---- interface ---- */

int imalog_ca_parse(struct imalog_span bytes, struct imalog_ca **ret,
		    struct imalog_error *error)
{
	struct imalog_ca *ca = calloc(1, sizeof(*ca));
	int rc;

	if (!ca)
		return imalog_fail_nomem(error);
	ca->store = X509_STORE_new();
	rc = ca->store ? read_ca(ca->store, bytes, error) : imalog_fail_nomem(error);
	ERR_clear_error();
	if (rc < 0)
		imalog_ca_free(&ca);
	else
		*ret = ca;
	return rc;
}

void imalog_ca_free(struct imalog_ca **ca)
{
	if (!ca || !*ca)
		return;
	X509_STORE_free((*ca)->store);
	free(*ca);
	*ca = NULL;
}
