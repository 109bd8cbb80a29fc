// SPDX-License-Identifier: LGPL-2.1-or-later
/* Certificates that a log holds: whose key, and by which key id signatures name it. */
#include <limits.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "private.h"

#define KEYID_SIZE 4

/* Fills @buf; text that does not fit ends in dots, so that nobody takes it for the whole. */
static void copy_text(struct imalog_span text, char *buf, size_t size)
{
	static const char dots[] = "...";
	size_t used = text.size < size ? text.size : size - 1;

	if (used > 0)
		memcpy(buf, text.data, used);
	buf[used] = '\0';
	if (used < text.size && size >= sizeof(dots))
		memcpy(buf + size - sizeof(dots), dots, sizeof(dots));
}

/* XN_FLAG_RFC2253 escapes control characters and everything that is not ASCII. */
static bool print_subject(const X509 *cert, char *subject, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct imalog_span span;
	char *text;
	long length;
	bool ok;

	if (!bio)
		return false;
	ok = X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0;
	length = BIO_get_mem_data(bio, &text);
	span = (struct imalog_span){ (const uint8_t *)text, (size_t)length };
	if (ok && size > 0)
		copy_text(span, subject, size);
	BIO_free(bio);
	return ok;
}

/*
 * This extension alone: X509_get0_subject_key_id() wants all others to be valid, too, which
 * the kernel does not ask of a key.
 */
static void copy_keyid(const X509 *cert, uint8_t keyid[KEYID_SIZE])
{
	ASN1_OCTET_STRING *skid =
		X509_get_ext_d2i(cert, NID_subject_key_identifier, NULL, NULL);

	memset(keyid, 0, KEYID_SIZE);
	if (skid && ASN1_STRING_length(skid) >= KEYID_SIZE)
		memcpy(keyid,
		       ASN1_STRING_get0_data(skid) + ASN1_STRING_length(skid) - KEYID_SIZE,
		       KEYID_SIZE);
	ASN1_OCTET_STRING_free(skid);
}

int imalog_cert_describe(struct imalog_span der, char *subject, size_t size, uint8_t keyid[4])
{
	const unsigned char *end = der.data;
	X509 *cert;
	bool ok;

	if (der.size == 0 || der.size > LONG_MAX)
		return -IMALOG_ERR_BAD_VALUE;
	ERR_set_mark();
	cert = d2i_X509(NULL, &end, (long)der.size);
	ok = cert && end == der.data + der.size && print_subject(cert, subject, size);
	if (ok)
		copy_keyid(cert, keyid);
	X509_free(cert);
	/* What OpenSSL says of these bytes does not concern the caller's next call of it. */
	ERR_pop_to_mark();
	return ok ? 0 : -IMALOG_ERR_BAD_VALUE;
}
