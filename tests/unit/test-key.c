// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/key.c: public keys in all forms, and what is none. */
#include <openssl/pem.h>

#include "quote.h"

static bool is_same_key(const struct imalog_key *key, EVP_PKEY *pkey)
{
	return EVP_PKEY_eq(key->pkey, pkey) == 1;
}

/* ---- writing keys ---- */

static struct bytes pem_of(const char *name, struct bytes der)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct bytes bytes;
	char *text;
	long size;

	if (!bio || PEM_write_bio(bio, name, "", der.data, (long)der.size) <= 0)
		BAIL_OUT("OpenSSL writes no PEM");
	size = BIO_get_mem_data(bio, &text);
	bytes = bytes_copy(text, (size_t)size);
	BIO_free(bio);
	return bytes;
}

static struct bytes joined(const char *before, struct bytes a, struct bytes b)
{
	struct build build = { .order = IMALOG_ORDER_BE };

	put_text(&build, before);
	put(&build, a.data, a.size);
	put(&build, b.data, b.size);
	return bytes_of_build(&build);
}

static void check_bad(struct imalog_span bytes, enum imalog_code code, const char *field)
{
	struct bytes exact = bytes_copy(bytes.data, bytes.size);
	struct imalog_error *error = an_error();
	struct imalog_key *key = NULL;
	int rc = imalog_key_parse(span_of_bytes(exact), &key, error);

	CHECK_ERROR(error, rc, code, 0, 0, field);
	CHECK(!key);
	imalog_key_free(&key);
	imalog_error_free(&error);
	bytes_free(&exact);
}

static void check_bad_bytes(struct bytes bytes, enum imalog_code code, const char *field)
{
	check_bad(span_of_bytes(bytes), code, field);
	bytes_free(&bytes);
}

/* ---- keys that are good ---- */

/* Does not free @bytes. */
static void check_key(struct bytes bytes, EVP_PKEY *pkey, bool area)
{
	struct imalog_key *key = key_of_bytes(bytes);

	if (!key)
		return;
	CHECK(is_same_key(key, pkey));
	CHECK_INT(key->is_rsa, EVP_PKEY_is_a(pkey, "RSA"));
	CHECK_INT(key->bits, EVP_PKEY_get_bits(pkey));
	CHECK_INT(imalog_key_attributes(key), area ? RESTRICTED_SIGN : 0);
	CHECK_INT(key->has_area, area);
	imalog_key_free(&key);
	CHECK(!key);
}

TEST(every_kind_in_every_form)
{
	for (int kind = 0; kind < KEY_KINDS; kind++) {
		EVP_PKEY *pkey = private_key((enum key_kind)kind);
		uint16_t scheme = EVP_PKEY_is_a(pkey, "RSA") ? 0x0014 : 0x0018;
		struct bytes der = spki_der(pkey), pem = pem_of("PUBLIC KEY", der);
		struct bytes area = public_area(pkey, RESTRICTED_SIGN, scheme, SHA256_ID);
		struct bytes any = public_area(pkey, RESTRICTED_SIGN, 0x0010, 0);
		struct bytes sized = wrapped(area);
		struct bytes with_text = joined("0 is how this text begins\n", pem,
						(struct bytes){ NULL, 0 });

		test_note("kind %d", kind);
		check_key(der, pkey, false);
		check_key(pem, pkey, false);
		check_key(with_text, pkey, false);
		check_key(area, pkey, true);
		check_key(any, pkey, true);
		check_key(sized, pkey, true);
		bytes_free(&der);
		bytes_free(&pem);
		bytes_free(&area);
		bytes_free(&any);
		bytes_free(&sized);
		bytes_free(&with_text);
	}
}

TEST(keys_of_a_tpm)
{
	static const char *const kinds[] = { "rsa", "ecc" };

	for (int i = 0; i < 2; i++) {
		char path[64];
		struct bytes pem, tss;
		struct imalog_key *a, *b;

		snprintf(path, sizeof(path), "rig/ng/ak-%s.pem", kinds[i]);
		pem = bytes_of_file(path);
		snprintf(path, sizeof(path), "rig/ng/ak-%s.tss", kinds[i]);
		tss = bytes_of_file(path);
		a = key_of_bytes(pem);
		b = key_of_bytes(tss);
		REQUIRE(a && b);
		CHECK(is_same_key(a, b->pkey));
		CHECK_STR(imalog_key_text(a), i ? "EC on P-256" : "RSA of 2048 bits");
		CHECK_INT(imalog_key_attributes(a), 0);
		CHECK_INT(imalog_key_attributes(b), 0x00050072);
		CHECK_INT(b->scheme, i ? 0x0018 : 0x0014);
		CHECK_INT(b->scheme_hash, SHA256_ID);
		imalog_key_free(&a);
		imalog_key_free(&b);
		bytes_free(&pem);
		bytes_free(&tss);
	}
}

/* x and y of which a TPM has left the leading zeros away */
TEST(short_coordinates)
{
	EVP_PKEY *pkey = NULL;
	struct bytes x = { NULL, 0 }, area;
	struct build b = { .order = IMALOG_ORDER_BE };

	do {
		EVP_PKEY_free(pkey);
		bytes_free(&x);
		pkey = make_ec("P-256");
		x = number_of(pkey, "qx", 32);
	} while (x.data[0]);
	put_hex(&b, "0023 000b 00050072 0000 0010 0018000b 0003 0010");
	put_sized(&b, span_of(x.data + 1, 31));
	bytes_free(&x);
	x = number_of(pkey, "qy", 32);
	put_sized(&b, span_of_bytes(x));
	area = bytes_of_build(&b);
	check_key(area, pkey, true);
	bytes_free(&area);
	bytes_free(&x);
	EVP_PKEY_free(pkey);
}

TEST(an_exponent_of_its_own)
{
	struct bytes area =
		public_area(private_key(RSA_2048), RESTRICTED_SIGN, 0x0010, 0);
	struct imalog_key *key;
	BIGNUM *e = NULL;

	area.data[19] = 3; /* the last byte of the exponent */
	key = key_of_bytes(area);
	REQUIRE(key);
	CHECK(EVP_PKEY_get_bn_param(key->pkey, "e", &e) && BN_is_word(e, 3));
	BN_free(e);
	imalog_key_free(&key);
	area.data[19] = 1;
	check_bad(span_of_bytes(area), IMALOG_ERR_BAD_VALUE, "");
	area.data[19] = 2;
	check_bad_bytes(area, IMALOG_ERR_BAD_VALUE, "");
}

/* ---- what is none ---- */

TEST(nothing_and_other_files)
{
	struct bytes huge = bytes_new((1 << 20) + 1);

	check_bad(span_of("", 0), IMALOG_ERR_TRUNCATED, "");
	check_bad(imalog_span_of("no key at all"), IMALOG_ERR_BAD_FORMAT, "");
	check_bad(imalog_span_of("0\x80 no key"), IMALOG_ERR_BAD_FORMAT, "");
	check_bad(span_of("0", 1), IMALOG_ERR_TRUNCATED, "type");
	check_bad(imalog_span_of("-----BEGIN PUBLIC KEY-----\n"), IMALOG_ERR_BAD_FORMAT,
		  "");
	check_bad(imalog_span_of(
			  "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"),
		  IMALOG_ERR_BAD_FORMAT, "");
	memset(huge.data, 0, huge.size);
	check_bad_bytes(huge, IMALOG_ERR_LIMIT, "");
}

TEST(more_than_one_key)
{
	struct bytes der = spki_der(private_key(EC_256)), pem = pem_of("PUBLIC KEY", der),
		     both;

	check_bad_bytes(joined("", pem, pem), IMALOG_ERR_TRAILING, "");
	check_bad_bytes(joined("", der, pem), IMALOG_ERR_BAD_FORMAT, "");
	check_bad_bytes(joined("", der, der), IMALOG_ERR_TRAILING, "");
	both = joined("", der, der);
	check_bad_bytes(pem_of("PUBLIC KEY", both), IMALOG_ERR_TRAILING, "");
	bytes_free(&both);
	bytes_free(&der);
	bytes_free(&pem);
}

TEST(private_keys_and_other_blocks)
{
	struct bytes der = spki_der(private_key(EC_256));

	check_bad_bytes(pem_of("PRIVATE KEY", der), IMALOG_ERR_BAD_FORMAT, "");
	check_bad_bytes(pem_of("CERTIFICATE", der), IMALOG_ERR_BAD_FORMAT, "");
	check_bad_bytes(pem_of("\x1b[2J", der), IMALOG_ERR_BAD_FORMAT, "");
	bytes_free(&der);
}

TEST(other_kinds_of_keys)
{
	static const char *const curves[] = { "P-224", "secp256k1", "brainpoolP256r1" };
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	check_bad_bytes(spki_der(pkey), IMALOG_ERR_UNSUPPORTED, "");
	EVP_PKEY_free(pkey);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(curves); i++) {
		pkey = make_ec(curves[i]);
		check_bad_bytes(spki_der(pkey), IMALOG_ERR_UNSUPPORTED, "");
		EVP_PKEY_free(pkey);
	}
}

/* The parameters of P-256, written out instead of named */
TEST(curves_without_a_name)
{
	EVP_PKEY *pkey = make_ec("P-256");

	if (EVP_PKEY_set_utf8_string_param(pkey, "encoding", "explicit") <= 0)
		BAIL_OUT("OpenSSL does not write parameters out");
	check_bad_bytes(spki_der(pkey), IMALOG_ERR_UNSUPPORTED, "");
	EVP_PKEY_free(pkey);
}

TEST(points_that_are_not_on_the_curve)
{
	struct bytes der = spki_der(private_key(EC_256));
	struct bytes area = public_area(private_key(EC_384), RESTRICTED_SIGN, 0x0010, 0);

	der.data[der.size - 1] ^= 1;
	area.data[area.size - 1] ^= 1;
	check_bad_bytes(der, IMALOG_ERR_BAD_FORMAT, "");
	check_bad_bytes(area, IMALOG_ERR_BAD_FORMAT, "");
}

TEST(public_areas_that_lie)
{
	EVP_PKEY *rsa = private_key(RSA_2048), *ec = private_key(EC_256);
	struct bytes area = public_area(rsa, RESTRICTED_SIGN, 0x0014, SHA256_ID);
	struct bytes twice = joined("", area, area);

	area.data[16]++; /* keyBits, high byte */
	check_bad(span_of_bytes(area), IMALOG_ERR_BAD_LENGTH, "modulus");
	area.data[16] -= 2;
	check_bad(span_of_bytes(area), IMALOG_ERR_BAD_LENGTH, "modulus");
	area.data[16] = 0;
	check_bad(span_of_bytes(area), IMALOG_ERR_BAD_LENGTH, "modulus");
	area.data[16] = 8;
	area.data[8] = 0xff; /* authPolicy */
	check_bad(span_of_bytes(area), IMALOG_ERR_BAD_LENGTH, "authPolicy");
	area.data[8] = 0;
	area.data[9] = 65;
	check_bad(span_of_bytes(area), IMALOG_ERR_LIMIT, "authPolicy");
	bytes_free(&area);
	check_bad_bytes(twice, IMALOG_ERR_TRAILING, "public area");
	area = public_area(ec, RESTRICTED_SIGN, 0x0018, SHA256_ID);
	area.data[17] = 1; /* curveID: P-192 */
	check_bad(span_of_bytes(area), IMALOG_ERR_UNSUPPORTED, "curveID");
	area.data[17] = 4;
	area.data[21] = 33; /* size of x */
	check_bad(span_of_bytes(area), IMALOG_ERR_BAD_LENGTH, "y");
	area.data[17] = 3;
	check_bad_bytes(area, IMALOG_ERR_LIMIT, "x");
}

TEST(enormous_keys)
{
	struct build b = { .order = IMALOG_ORDER_BE };

	put_hex(&b, "0001 000b 00050072 0000 0010 0010 4008 00000000 0801");
	for (int i = 0; i < 2049; i++)
		put_uint(&b, 1, 0xff);
	check_bad(built(&b), IMALOG_ERR_LIMIT, "modulus");
	build_free(&b);
}

TEST(cut_at_every_byte)
{
	struct bytes forms[4] = { spki_der(private_key(RSA_2048)) };

	forms[1] = pem_of("PUBLIC KEY", forms[0]);
	forms[2] = public_area(private_key(RSA_2048), RESTRICTED_SIGN, 0x0014, SHA256_ID);
	forms[3] = public_area(private_key(EC_256), RESTRICTED_SIGN, 0x0018, SHA256_ID);
	for (int i = 0; i < 4; i++) {
		/* PEM is whole without its last newline. */
		for (size_t size = 0; size < forms[i].size - (i == 1); size++) {
			struct bytes cut = bytes_copy(forms[i].data, size);
			struct imalog_key *key = NULL;

			test_note("form %d, %zu bytes", i, size);
			CHECK(imalog_key_parse(span_of_bytes(cut), &key, NULL) < 0);
			imalog_key_free(&key);
			bytes_free(&cut);
		}
	}
	for (int i = 0; i < 4; i++)
		bytes_free(&forms[i]);
}

TEST_MAIN(CASE(every_kind_in_every_form), CASE(keys_of_a_tpm), CASE(short_coordinates),
	  CASE(an_exponent_of_its_own), CASE(nothing_and_other_files),
	  CASE(more_than_one_key), CASE(private_keys_and_other_blocks),
	  CASE(other_kinds_of_keys), CASE(curves_without_a_name),
	  CASE(points_that_are_not_on_the_curve), CASE(public_areas_that_lie),
	  CASE(enormous_keys), CASE(cut_at_every_byte))
