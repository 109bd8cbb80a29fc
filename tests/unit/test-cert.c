// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/cert.c: the subject and the key id of certificates, some of them bent. */
#include "test.h"

#define EC_ID "c2 b3 29 65"

static struct bytes ec_certificate(void)
{
	return bytes_of_file("rig/sig/keys/ec.der");
}

/* Where @size bytes come last, or the end. */
static size_t find_last(struct bytes bytes, const void *what, size_t size)
{
	for (size_t at = bytes.size - size; at > 0; at--)
		if (memcmp(bytes.data + at, what, size) == 0)
			return at;
	BAIL_OUT("the certificate has changed");
}

static void check_described(struct bytes der, const char *subject, const char *keyid_hex)
{
	uint8_t keyid[4] = { 0xee, 0xee, 0xee, 0xee };
	char text[256] = "";

	CHECK_INT(imalog_cert_describe(span_of_bytes(der), text, sizeof(text), keyid), 0);
	CHECK_STR(text, subject);
	CHECK_HEX(span_of(keyid, sizeof(keyid)), keyid_hex);
}

/* Nothing may be written either. */
static void check_refused(struct imalog_span der)
{
	uint8_t keyid[4] = { 1, 2, 3, 4 };
	char subject[64] = "before";

	CHECK_INT(imalog_cert_describe(der, subject, sizeof(subject), keyid),
		  -IMALOG_ERR_BAD_VALUE);
	CHECK_STR(subject, "before");
	CHECK_HEX(span_of(keyid, sizeof(keyid)), "01 02 03 04");
}

/* Key ids as `openssl x509 -ext subjectKeyIdentifier` prints their end */
TEST(real_certificates)
{
	struct bytes ec = ec_certificate(), rsa = bytes_of_file("rig/sig/keys/rsa.der");

	check_described(ec, "CN=imarig ec signer", EC_ID);
	check_described(rsa, "CN=imarig rsa signer", "f3 8e ef b0");
	bytes_free(&ec);
	bytes_free(&rsa);
}

TEST(cut_at_every_byte)
{
	struct bytes der = ec_certificate();

	for (size_t size = 0; size < der.size; size++) {
		struct bytes cut = bytes_copy(der.data, size);

		test_note("%zu bytes", size);
		check_refused(span_of_bytes(cut));
		bytes_free(&cut);
	}
	bytes_free(&der);
}

TEST(no_certificate)
{
	struct bytes der = ec_certificate(), more = bytes_new(2 * der.size);

	memcpy(more.data, der.data, der.size);
	memcpy(more.data + der.size, der.data, der.size);
	check_refused(span_of_bytes(more)); /* two */
	more.data[der.size] = 0;
	check_refused(span_of(more.data, der.size + 1));
	check_refused(span_of(NULL, 0));
	check_refused(span_of("\x30\x00", 2));
	check_refused(span_of("\x30\x84\xff\xff\xff\xff", 6));
	bytes_free(&more);
	bytes_free(&der);
}

/* A key id that belongs to another extension is none. */
TEST(without_a_key_id)
{
	struct bytes der = ec_certificate();

	der.data[find_last(der, "\x06\x03\x55\x1d\x0e", 5) + 4] = 0x7f;
	check_described(der, "CN=imarig ec signer", "00 00 00 00");
	bytes_free(&der);
}

/* The kernel takes the key id even if it finds no sense in another extension. */
TEST(with_a_broken_extension)
{
	struct bytes der = ec_certificate();

	der.data[find_last(der, "\x06\x03\x55\x1d\x0f", 5) + 7] = 0x0c; /* not a bit string */
	check_described(der, "CN=imarig ec signer", EC_ID);
	bytes_free(&der);
}

TEST(subjects_are_harmless)
{
	static const char plain[] = "imarig ec signer",
			  odd[] = "\x1b[2J\n\x7f,\xe2\x80\xae+\"\\;ab";
	struct bytes der = ec_certificate();

	memcpy(der.data + find_last(der, plain, sizeof(plain) - 1), odd, sizeof(odd) - 1);
	check_described(der, "CN=\\1B[2J\\0A\\7F\\,\\E2\\80\\AE\\+\\\"\\\\\\;ab", EC_ID);
	bytes_free(&der);
}

TEST(subjects_that_are_no_utf_8)
{
	struct bytes der = ec_certificate();

	der.data[find_last(der, "imarig", 6)] = 0xff;
	check_refused(span_of_bytes(der));
	bytes_free(&der);
}

TEST(subjects_that_do_not_fit)
{
	static const char *const cut[] = { NULL, "", "C", "CN", "...", "C...", "CN..." };
	struct bytes der = ec_certificate();
	uint8_t keyid[4];

	for (size_t size = 0; size < IMALOG_ARRAY_SIZE(cut); size++) {
		struct bytes subject = bytes_new(size);
		int rc = imalog_cert_describe(span_of_bytes(der), (char *)subject.data, size,
					      keyid);

		test_note("%zu bytes", size);
		CHECK_INT(rc, 0);
		CHECK(size == 0 || strcmp((char *)subject.data, cut[size]) == 0);
		bytes_free(&subject);
	}
	bytes_free(&der);
}

/* No value is wrong for sure: nothing may break. */
TEST(every_byte_replaced)
{
	static const uint8_t by[] = { 0x00, 0x02, 0x30, 0x7f, 0x80, 0x84, 0xff };
	struct bytes der = ec_certificate();
	uint8_t keyid[4];
	char subject[64];

	for (size_t at = 0; at < der.size; at += test_step(3))
		for (size_t i = 0; i < sizeof(by); i++) {
			uint8_t before = der.data[at];

			der.data[at] = by[i];
			imalog_cert_describe(span_of_bytes(der), subject, sizeof(subject),
					     keyid);
			der.data[at] = before;
		}
	check_described(der, "CN=imarig ec signer", EC_ID);
	bytes_free(&der);
}

TEST_MAIN(CASE(real_certificates), CASE(cut_at_every_byte), CASE(no_certificate),
	  CASE(without_a_key_id), CASE(with_a_broken_extension), CASE(subjects_are_harmless),
	  CASE(subjects_that_are_no_utf_8), CASE(subjects_that_do_not_fit),
	  CASE(every_byte_replaced))
