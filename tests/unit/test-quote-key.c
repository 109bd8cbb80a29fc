// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/quote-key.c: restricted keys, weak keys, and certificates that lead to others. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "quote.h"

#define DAY (24L * 60 * 60)

/* ---- certificates ---- */

struct cert {
	const char *subject;
	EVP_PKEY *pkey;
	const struct cert *issuer; /* NULL: itself */
	bool ca;
	const char *usage; /* NULL: none said */
	const char *hash;
	long from, to; /* from now, in days */
	X509 *x509;
};

static void add_extension(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (!extension || !X509_add_ext(x509, extension, -1))
		BAIL_OUT("OpenSSL does not add '%s'", value);
	X509_EXTENSION_free(extension);
}

static void issue(struct cert *cert)
{
	const struct cert *issuer = cert->issuer ? cert->issuer : cert;
	X509_NAME *name = X509_NAME_new(), *by = X509_NAME_new();
	static long serial;

	cert->x509 = X509_new();
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				   (const uint8_t *)cert->subject, -1, -1, 0);
	X509_NAME_add_entry_by_txt(by, "CN", MBSTRING_ASC,
				   (const uint8_t *)issuer->subject, -1, -1, 0);
	X509_set_version(cert->x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert->x509), ++serial);
	X509_set_subject_name(cert->x509, name);
	X509_set_issuer_name(cert->x509, by);
	X509_gmtime_adj(X509_getm_notBefore(cert->x509), cert->from * DAY - 60);
	X509_gmtime_adj(X509_getm_notAfter(cert->x509), cert->to * DAY);
	X509_set_pubkey(cert->x509, cert->pkey);
	if (cert->ca)
		add_extension(cert->x509, NID_basic_constraints, "critical,CA:TRUE");
	if (cert->usage)
		add_extension(cert->x509, NID_key_usage, cert->usage);
	if (!X509_sign(cert->x509, issuer->pkey,
		       EVP_get_digestbyname(cert->hash ? cert->hash : "SHA256")))
		BAIL_OUT("OpenSSL does not sign a certificate");
	X509_NAME_free(name);
	X509_NAME_free(by);
}

static struct bytes der_of(const struct cert *cert)
{
	unsigned char *der = NULL;
	int size = i2d_X509(cert->x509, &der);
	struct bytes bytes = bytes_copy(der, (size_t)size);

	OPENSSL_free(der);
	return bytes;
}

static void put_pem(struct build *build, const struct cert *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	PEM_write_bio_X509(bio, cert->x509);
	size = BIO_get_mem_data(bio, &text);
	put(build, text, (size_t)size);
	BIO_free(bio);
}

/* PEM of up to three */
static struct bytes pem_of(const struct cert *a, const struct cert *b,
			   const struct cert *c)
{
	struct build build = { .order = IMALOG_ORDER_BE };

	put_text(&build, "# certificates\n");
	put_pem(&build, a);
	if (b)
		put_pem(&build, b);
	if (c)
		put_pem(&build, c);
	return bytes_of_build(&build);
}

/* A root, a CA below it, and a key below that */
static struct cert root, middle, leaf, stranger;

static void issue_all(void)
{
	root = (struct cert){
		.subject = "root", .pkey = private_key(EC_384), .ca = true, .to = 10
	};
	stranger = (struct cert){
		.subject = "root", .pkey = private_key(EC_256), .ca = true, .to = 10
	};
	middle = (struct cert){ .subject = "middle",
				.pkey = private_key(RSA_3072),
				.issuer = &root,
				.ca = true,
				.to = 10 };
	leaf = (struct cert){ .subject = "key",
			      .pkey = private_key(RSA_2048),
			      .issuer = &middle,
			      .usage = "critical,digitalSignature",
			      .to = 10 };
	issue(&root);
	issue(&stranger);
	issue(&middle);
	issue(&leaf);
}

static void free_all(void)
{
	X509_free(root.x509);
	X509_free(stranger.x509);
	X509_free(middle.x509);
	X509_free(leaf.x509);
}

/* ---- verdicts ---- */

/* Frees what it is given. */
static enum imalog_verdict verdict_of(struct bytes key_bytes, struct bytes ca)
{
	struct imalog_key *key = key_of_bytes(key_bytes);
	struct imalog_quote *quote = quote_of(&usual);
	struct imalog_error *error = an_error();
	enum imalog_verdict verdict = IMALOG_NOT_CHECKED;
	int rc;

	if (key && quote) {
		rc = imalog_quote_check_key(quote, key, span_of_bytes(ca), error);
		if (rc < 0)
			test_fail(__FILE__, __LINE__, "%s", imalog_error_detail(error));
		verdict = imalog_quote_verdict(quote, IMALOG_QUOTE_KEY);
		CHECK(imalog_quote_reason(quote, IMALOG_QUOTE_KEY)[0]);
	}
	imalog_key_free(&key);
	imalog_quote_free(&quote);
	imalog_error_free(&error);
	bytes_free(&key_bytes);
	bytes_free(&ca);
	return verdict;
}

static struct bytes none(void)
{
	return bytes_new(0);
}

TEST(keys_without_a_history)
{
	NEED_QUOTES();
	CHECK_INT(verdict_of(spki_der(private_key(RSA_2048)), none()),
		  IMALOG_NOT_CHECKED);
	CHECK_INT(verdict_of(spki_der(private_key(EC_256)), none()), IMALOG_NOT_CHECKED);
}

TEST(attributes_of_public_areas)
{
	static const struct {
		uint32_t attributes;
		enum imalog_verdict verdict;
	} cases[] = {
		{ 0x00050072, IMALOG_MATCH },	 /* tpm2_createak */
		{ 0x00050070, IMALOG_MATCH },	 /* not fixed to the TPM: said, no more */
		{ 0x00040072, IMALOG_MISMATCH }, /* not restricted: signs whatever it is
						    given */
		{ 0x00030072, IMALOG_MISMATCH }, /* a storage key */
		{ 0x00070072, IMALOG_MISMATCH }, /* decrypts, too */
		{ 0x00010072, IMALOG_MISMATCH }, /* does not sign */
		{ 0x00060072, IMALOG_MISMATCH }, { 0, IMALOG_MISMATCH },
	};

	NEED_QUOTES();
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct bytes area = public_area(private_key(EC_256), cases[i].attributes,
						0x0018, SHA256_ID);

		test_note("0x%x", cases[i].attributes);
		CHECK_INT(verdict_of(area, none()), cases[i].verdict);
	}
}

TEST(weak_keys_in_every_form)
{
	EVP_PKEY *pkey = make_rsa(1024);
	struct cert weak = { .subject = "weak", .pkey = pkey, .issuer = &root, .to = 10 };

	NEED_QUOTES();
	issue_all();
	issue(&weak);
	CHECK_INT(verdict_of(spki_der(pkey), none()), IMALOG_MISMATCH);
	CHECK_INT(verdict_of(public_area(pkey, RESTRICTED_SIGN, 0x0014, SHA256_ID),
			     none()),
		  IMALOG_MISMATCH);
	CHECK_INT(verdict_of(der_of(&weak), pem_of(&root, NULL, NULL)), IMALOG_MISMATCH);
	X509_free(weak.x509);
	free_all();
	EVP_PKEY_free(pkey);
}

TEST(chains_that_hold)
{
	NEED_QUOTES();
	issue_all();
	CHECK_INT(verdict_of(pem_of(&leaf, &middle, NULL), der_of(&root)), IMALOG_MATCH);
	CHECK_INT(verdict_of(pem_of(&leaf, &middle, &root), pem_of(&root, NULL, NULL)),
		  IMALOG_MATCH);
	CHECK_INT(verdict_of(der_of(&leaf), pem_of(&middle, &root, NULL)), IMALOG_MATCH);
	/* What is trusted need not be self-signed. */
	CHECK_INT(verdict_of(der_of(&leaf), der_of(&middle)), IMALOG_MATCH);
	CHECK_INT(verdict_of(pem_of(&leaf, NULL, NULL), pem_of(&stranger, &middle, NULL)),
		  IMALOG_MATCH);
	free_all();
}

TEST(chains_that_do_not)
{
	NEED_QUOTES();
	issue_all();
	/* The middle is missing */
	CHECK_INT(verdict_of(der_of(&leaf), der_of(&root)), IMALOG_MISMATCH);
	/* Another root of the same name */
	CHECK_INT(verdict_of(pem_of(&leaf, &middle, NULL), der_of(&stranger)),
		  IMALOG_MISMATCH);
	CHECK_INT(verdict_of(pem_of(&leaf, &middle, &stranger), der_of(&stranger)),
		  IMALOG_MISMATCH);
	/* The root that comes along is not trusted for that. */
	CHECK_INT(verdict_of(pem_of(&leaf, &middle, &root), der_of(&stranger)),
		  IMALOG_MISMATCH);
	CHECK_INT(verdict_of(der_of(&stranger), der_of(&root)), IMALOG_MISMATCH);
	free_all();
}

TEST(chains_are_not_asked_for)
{
	NEED_QUOTES();
	issue_all();
	CHECK_INT(verdict_of(pem_of(&leaf, &middle, &root), none()), IMALOG_NOT_CHECKED);
	CHECK_INT(verdict_of(spki_der(leaf.pkey), der_of(&root)), IMALOG_NOT_CHECKED);
	CHECK_INT(verdict_of(public_area(leaf.pkey, RESTRICTED_SIGN, 0x0014, SHA256_ID),
			     der_of(&root)),
		  IMALOG_NOT_CHECKED);
	free_all();
}

static void check_leaf(struct cert changed, enum imalog_verdict should)
{
	issue(&changed);
	CHECK_INT(verdict_of(pem_of(&changed, &middle, NULL), der_of(&root)), should);
	X509_free(changed.x509);
}

TEST(certificates_for_other_times_and_uses)
{
	struct cert changed;

	NEED_QUOTES();
	issue_all();
	check_leaf(leaf, IMALOG_MATCH);
	changed = leaf;
	changed.usage = NULL;
	check_leaf(changed, IMALOG_MATCH);
	changed.usage = "critical,keyEncipherment";
	check_leaf(changed, IMALOG_MISMATCH);
	changed.usage = "nonRepudiation,digitalSignature";
	check_leaf(changed, IMALOG_MATCH);
	changed = leaf;
	changed.from = -10;
	changed.to = -1;
	test_note("expired");
	check_leaf(changed, IMALOG_MISMATCH);
	changed.from = 1;
	changed.to = 10;
	test_note("of tomorrow");
	check_leaf(changed, IMALOG_MISMATCH);
	changed = leaf;
	changed.hash = "SHA1";
	test_note("signed with sha1");
	check_leaf(changed, IMALOG_MISMATCH);
	free_all();
}

TEST(issuers_that_are_no_ca_or_weak)
{
	EVP_PKEY *pkey = make_rsa(1024);
	struct cert between,
		below = { .subject = "below", .pkey = private_key(EC_256), .to = 10 };

	NEED_QUOTES();
	issue_all();
	between = middle;
	between.ca = false;
	issue(&between);
	below.issuer = &between;
	issue(&below);
	CHECK_INT(verdict_of(pem_of(&below, &between, NULL), der_of(&root)),
		  IMALOG_MISMATCH);
	X509_free(between.x509);
	X509_free(below.x509);
	between.ca = true;
	between.pkey = pkey;
	issue(&between);
	issue(&below);
	CHECK_INT(verdict_of(pem_of(&below, &between, NULL), der_of(&root)),
		  IMALOG_MISMATCH);
	X509_free(between.x509);
	X509_free(below.x509);
	free_all();
	EVP_PKEY_free(pkey);
}

/* ---- what is no certificate ---- */

static void check_bad_ca(struct bytes ca, enum imalog_code code)
{
	struct bytes der = der_of(&leaf);
	struct imalog_key *key = key_of_bytes(der);
	struct imalog_quote *quote = quote_of(&usual);
	struct imalog_error *error = an_error();
	int rc = imalog_quote_check_key(quote, key, span_of_bytes(ca), error);

	CHECK_ERROR(error, rc, code, 0, 0, "CA");
	CHECK_VERDICT(quote, KEY, IMALOG_NOT_CHECKED);
	imalog_key_free(&key);
	imalog_quote_free(&quote);
	imalog_error_free(&error);
	bytes_free(&der);
	bytes_free(&ca);
}

TEST(what_is_no_certificate)
{
	struct bytes whole, cut;

	NEED_QUOTES();
	issue_all();
	check_bad_ca(bytes_copy("text", 4), IMALOG_ERR_BAD_FORMAT);
	check_bad_ca(bytes_copy("0", 1), IMALOG_ERR_BAD_FORMAT);
	check_bad_ca(spki_der(leaf.pkey), IMALOG_ERR_BAD_FORMAT);
	whole = pem_of(&root, &middle, NULL);
	check_bad_ca(bytes_copy(whole.data, whole.size - 30), IMALOG_ERR_BAD_FORMAT);
	bytes_free(&whole);
	whole = der_of(&root);
	check_bad_ca(bytes_copy(whole.data, whole.size - 1), IMALOG_ERR_BAD_FORMAT);
	cut = bytes_new(whole.size + 1);
	memcpy(cut.data, whole.data, whole.size);
	cut.data[whole.size] = 0;
	check_bad_ca(cut, IMALOG_ERR_BAD_FORMAT);
	bytes_free(&whole);
	whole = bytes_new((1 << 20) + 1);
	memset(whole.data, '0', whole.size);
	check_bad_ca(whole, IMALOG_ERR_LIMIT);
	check_bad_ca(bytes_copy("-----BEGIN X-----\n-----END X-----\n", 34),
		     IMALOG_ERR_BAD_FORMAT);
	free_all();
}

TEST_MAIN(CASE(keys_without_a_history), CASE(attributes_of_public_areas),
	  CASE(weak_keys_in_every_form), CASE(chains_that_hold), CASE(chains_that_do_not),
	  CASE(chains_are_not_asked_for), CASE(certificates_for_other_times_and_uses),
	  CASE(issuers_that_are_no_ca_or_weak), CASE(what_is_no_certificate))
