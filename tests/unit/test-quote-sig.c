// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/quote-sig.c: signatures in all forms, and what does not prove anything. */
#include "quote.h"

/* A quote, its bytes and a signature of it */
struct made {
	struct bytes message;
	struct bytes signature;
	struct imalog_quote *quote;
	struct imalog_key *key;
};

static struct made make(const struct scheme *scheme)
{
	struct made made = { .message = attest_bytes(&usual) };

	made.signature = sign_with(scheme, made.message);
	made.quote = quote_of_bytes(made.message);
	made.key = public_key(scheme->kind);
	if (!made.quote || !made.key)
		BAIL_OUT("no quote to start with");
	test_note("scheme 0x%x with %s", scheme->id, scheme->evp);
	return made;
}

static void unmake(struct made *made)
{
	bytes_free(&made->message);
	bytes_free(&made->signature);
	imalog_quote_free(&made->quote);
	imalog_key_free(&made->key);
}

/* Frees @signature. */
static void check_one(struct made *made, struct bytes signature,
		      enum imalog_verdict should)
{
	CHECK_INT(check_signature(made->quote, signature, made->key), 0);
	CHECK_VERDICT(made->quote, SIGNATURE, should);
	bytes_free(&signature);
}

static void check_bad(struct made *made, struct bytes signature, enum imalog_code code,
		      const char *field)
{
	struct imalog_error *error = an_error();
	int rc = imalog_quote_check_signature(made->quote, span_of_bytes(signature),
					      made->key, IMALOG_ALG_NONE, error);

	CHECK_ERROR(error, rc, code, 0, 0, field);
	CHECK_VERDICT(made->quote, SIGNATURE, IMALOG_NOT_CHECKED);
	imalog_error_free(&error);
	bytes_free(&signature);
}

/* ---- what proves something ---- */

TEST(every_scheme_in_every_form)
{
	NEED_QUOTES();
	for (size_t i = 0; i < SCHEMES; i++) {
		struct made made = make(&schemes[i]);
		struct bytes plain = sign_plain(private_key(schemes[i].kind),
						span_of_bytes(made.message),
						schemes[i].evp, schemes[i].id == 0x0016);

		CHECK_VERDICT(made.quote, SIGNATURE, IMALOG_NOT_CHECKED);
		check_one(&made, wrapped(made.signature), IMALOG_MATCH);
		check_one(&made, bytes_copy(made.signature.data, made.signature.size),
			  IMALOG_MATCH);
		CHECK_INT(imalog_quote_hash(made.quote), schemes[i].alg);
		CHECK_INT(imalog_quote_check_signature(made.quote, span_of_bytes(plain),
						       made.key, schemes[i].alg, NULL),
			  0);
		CHECK_VERDICT(made.quote, SIGNATURE, IMALOG_MATCH);
		/* SHA-256 is what a plain signature is taken for. */
		imalog_quote_set_hash(made.quote, IMALOG_ALG_NONE);
		CHECK_INT(check_signature(made.quote, plain, made.key), 0);
		CHECK_VERDICT(made.quote, SIGNATURE,
			      schemes[i].hash == SHA256_ID ? IMALOG_MATCH :
							     IMALOG_MISMATCH);
		CHECK_INT(imalog_quote_hash(made.quote), IMALOG_ALG_SHA256);
		bytes_free(&plain);
		unmake(&made);
	}
}

/* Keys as a TPM describes them say which scheme they sign with. */
TEST(what_the_key_prescribes)
{
	NEED_QUOTES();
	for (size_t i = 0; i < SCHEMES; i++) {
		for (size_t other = 0; other < SCHEMES; other++) {
			struct made made = make(&schemes[i]);
			struct bytes area =
				public_area(private_key(schemes[i].kind), RESTRICTED_SIGN,
					    schemes[other].id, schemes[other].hash);
			bool same = schemes[i].id == schemes[other].id &&
				    schemes[i].hash == schemes[other].hash;

			imalog_key_free(&made.key);
			made.key = key_of_bytes(area);
			REQUIRE(made.key);
			CHECK_INT(check_signature(made.quote, made.signature, made.key),
				  0);
			CHECK_VERDICT(made.quote, SIGNATURE,
				      same ? IMALOG_MATCH : IMALOG_MISMATCH);
			bytes_free(&area);
			unmake(&made);
		}
	}
}

TEST(plain_signatures_follow_the_key)
{
	NEED_QUOTES();
	for (size_t i = 0; i < SCHEMES; i++) {
		struct made made = make(&schemes[i]);
		EVP_PKEY *pkey = private_key(schemes[i].kind);
		struct bytes area = public_area(pkey, RESTRICTED_SIGN, schemes[i].id,
						schemes[i].hash);

		imalog_key_free(&made.key);
		made.key = key_of_bytes(area);
		REQUIRE(made.key);
		check_one(&made,
			  sign_plain(pkey, span_of_bytes(made.message), schemes[i].evp,
				     schemes[i].id == 0x0016),
			  IMALOG_MATCH);
		CHECK_INT(imalog_quote_hash(made.quote), schemes[i].alg);
		if (made.key->is_rsa)
			check_one(&made,
				  sign_plain(pkey, span_of_bytes(made.message),
					     schemes[i].evp, schemes[i].id != 0x0016),
				  IMALOG_MISMATCH);
		check_one(&made,
			  sign_plain(pkey, span_of_bytes(made.message), "SHA3-256",
				     schemes[i].id == 0x0016),
			  IMALOG_MISMATCH);
		bytes_free(&area);
		unmake(&made);
	}
}

/* Keys that say themselves that they are for RSAPSS alone (RFC 4055) */
TEST(keys_for_rsapss)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *pkey = NULL;
	struct bytes der, plain;
	struct made made;

	NEED_QUOTES();
	made = make(&schemes[0]);
	if (EVP_PKEY_keygen_init(ctx) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) <= 0 ||
	    EVP_PKEY_keygen(ctx, &pkey) <= 0)
		BAIL_OUT("OpenSSL makes no key for RSAPSS");
	der = spki_der(pkey);
	imalog_key_free(&made.key);
	made.key = key_of_bytes(der);
	REQUIRE(made.key);
	plain = sign_plain(pkey, span_of_bytes(made.message), "SHA256", true);
	check_one(&made, tpm_signature(0x0016, SHA256_ID, plain), IMALOG_MATCH);
	check_one(&made, tpm_signature(0x0014, SHA256_ID, plain), IMALOG_MISMATCH);
	check_one(&made, plain, IMALOG_MATCH);
	bytes_free(&der);
	EVP_PKEY_free(pkey);
	EVP_PKEY_CTX_free(ctx);
	unmake(&made);
}

/* ---- what proves nothing ---- */

TEST(another_structure_or_hash_or_key)
{
	NEED_QUOTES();
	for (size_t i = 0; i < SCHEMES; i++) {
		struct made made = make(&schemes[i]);
		EVP_PKEY *pkey = private_key(schemes[i].kind), *stranger;
		struct attest attest = usual;
		struct bytes other, plain;

		attest.clock++;
		other = attest_bytes(&attest);
		check_one(&made, sign_with(&schemes[i], other), IMALOG_MISMATCH);
		/* Signed with another hash than it says */
		plain = sign_plain(pkey, span_of_bytes(made.message), "SHA3-256",
				   schemes[i].id == 0x0016);
		check_one(&made, tpm_signature(schemes[i].id, schemes[i].hash, plain),
			  IMALOG_MISMATCH);
		bytes_free(&plain);
		stranger = EVP_PKEY_is_a(pkey, "RSA") ?
				   make_rsa((size_t)EVP_PKEY_get_bits(pkey)) :
				   make_ec(schemes[i].kind == EC_256 ? "P-256" : "P-384");
		plain = sign_plain(stranger, span_of_bytes(made.message), schemes[i].evp,
				   schemes[i].id == 0x0016);
		check_one(&made, tpm_signature(schemes[i].id, schemes[i].hash, plain),
			  IMALOG_MISMATCH);
		check_one(&made, plain, IMALOG_MISMATCH);
		EVP_PKEY_free(stranger);
		bytes_free(&other);
		unmake(&made);
	}
}

TEST(keys_of_another_kind_or_size)
{
	NEED_QUOTES();
	for (size_t i = 0; i < SCHEMES; i++) {
		struct made made = make(&schemes[i]);
		struct bytes plain = sign_plain(private_key(schemes[i].kind),
						span_of_bytes(made.message),
						schemes[i].evp, false);

		for (int kind = 0; kind < KEY_KINDS; kind++) {
			struct imalog_key *key = public_key((enum key_kind)kind);

			if (!key || kind == (int)schemes[i].kind) {
				imalog_key_free(&key);
				continue;
			}
			CHECK_INT(check_signature(made.quote, made.signature, key), 0);
			CHECK_VERDICT(made.quote, SIGNATURE, IMALOG_MISMATCH);
			CHECK_INT(check_signature(made.quote, plain, key), 0);
			CHECK_VERDICT(made.quote, SIGNATURE, IMALOG_MISMATCH);
			imalog_key_free(&key);
		}
		bytes_free(&plain);
		unmake(&made);
	}
}

TEST(sha1_is_refused)
{
	static const enum key_kind kinds[] = { RSA_2048, EC_256 };

	NEED_QUOTES();
	for (size_t i = 0; i < 2; i++) {
		struct made made = make(&schemes[i ? 4 : 0]);
		struct bytes plain = sign_plain(private_key(kinds[i]),
						span_of_bytes(made.message), "SHA1",
						false);

		check_one(&made, tpm_signature(i ? 0x0018 : 0x0014, SHA1_ID, plain),
			  IMALOG_MISMATCH);
		CHECK_INT(imalog_quote_hash(made.quote), IMALOG_ALG_SHA1);
		CHECK_INT(imalog_quote_check_signature(made.quote, span_of_bytes(plain),
						       made.key, IMALOG_ALG_SHA1, NULL),
			  0);
		CHECK_VERDICT(made.quote, SIGNATURE, IMALOG_MISMATCH);
		bytes_free(&plain);
		unmake(&made);
	}
}

TEST(weak_keys_prove_nothing)
{
	static const size_t bits[] = { 512, 1024, 2040 };

	NEED_QUOTES();
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bits); i++) {
		struct made made = make(&schemes[0]);
		EVP_PKEY *pkey = make_rsa(bits[i]);
		struct bytes der = spki_der(pkey), plain;

		test_note("RSA of %zu bits", bits[i]);
		imalog_key_free(&made.key);
		made.key = key_of_bytes(der);
		REQUIRE(made.key);
		plain = sign_plain(pkey, span_of_bytes(made.message), "SHA256", false);
		check_one(&made, tpm_signature(0x0014, SHA256_ID, plain),
			  IMALOG_NOT_CHECKED);
		check_one(&made, plain, IMALOG_NOT_CHECKED);
		imalog_quote_check_key(made.quote, made.key, span_of(NULL, 0), NULL);
		CHECK_VERDICT(made.quote, KEY, IMALOG_MISMATCH);
		bytes_free(&der);
		EVP_PKEY_free(pkey);
		unmake(&made);
	}
}

TEST(every_bit_of_the_signature_counts)
{
	NEED_QUOTES();
	for (size_t i = 0; i < SCHEMES; i++) {
		struct made made = make(&schemes[i]);
		struct bytes *sig = &made.signature;
		size_t step = test_step(made.key->is_rsa ? 5 : 23);

		for (size_t bit = 0; bit < 8 * sig->size; bit += bit < 48 ? 1 : step) {
			sig->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			test_note("scheme 0x%x, bit %zu", schemes[i].id, bit);
			check_signature(made.quote, *sig, made.key);
			CHECK(imalog_quote_verdict(made.quote, IMALOG_QUOTE_SIGNATURE) !=
			      IMALOG_MATCH);
			sig->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		unmake(&made);
	}
}

TEST(every_byte_of_the_message_counts)
{
	struct made made;

	NEED_QUOTES();
	made = make(&schemes[0]);
	for (size_t at = 0; at < made.message.size; at += test_step(3)) {
		struct imalog_quote *quote = NULL;

		made.message.data[at] ^= 0x10;
		test_note("byte %zu", at);
		if (imalog_quote_parse(span_of_bytes(made.message), &quote, NULL) == 0) {
			CHECK_INT(check_signature(quote, made.signature, made.key), 0);
			CHECK_VERDICT(quote, SIGNATURE, IMALOG_MISMATCH);
		}
		imalog_quote_free(&quote);
		made.message.data[at] ^= 0x10;
	}
	unmake(&made);
}

/* ---- what is no signature ---- */

TEST(cut_or_longer)
{
	NEED_QUOTES();
	for (size_t i = 0; i < SCHEMES; i++) {
		struct made made = make(&schemes[i]);
		struct bytes *sig = &made.signature, longer = bytes_new(sig->size + 1);

		for (size_t size = 0; size < sig->size;
		     size += size < 20 ? 1 : test_step(9)) {
			struct bytes cut = bytes_copy(sig->data, size);

			test_note("scheme 0x%x, %zu bytes", schemes[i].id, size);
			/* With the size of a plain one it is one, and a wrong one. */
			CHECK(check_signature(made.quote, cut, made.key) < 0 ||
			      imalog_quote_verdict(made.quote, IMALOG_QUOTE_SIGNATURE) ==
				      IMALOG_MISMATCH);
			bytes_free(&cut);
		}
		memcpy(longer.data, sig->data, sig->size);
		longer.data[sig->size] = 0;
		check_bad(&made, wrapped(longer), IMALOG_ERR_TRAILING, "signature");
		check_bad(&made, longer, IMALOG_ERR_TRAILING, "signature");
		unmake(&made);
	}
}

TEST(der_with_something_behind_it)
{
	struct made made;
	struct bytes plain;

	NEED_QUOTES();
	made = make(&schemes[4]);
	plain = sign_plain(private_key(EC_256), span_of_bytes(made.message), "SHA256",
			   false);
	plain.data = realloc(plain.data, ++plain.size);
	plain.data[plain.size - 1] = 0;
	check_bad(&made, bytes_copy(plain.data, plain.size), IMALOG_ERR_TRAILING,
		  "signature");
	check_bad(&made, bytes_copy(plain.data, plain.size - 2), IMALOG_ERR_BAD_FORMAT,
		  "");
	bytes_free(&plain);
	unmake(&made);
}

TEST(what_is_nothing_of_the_kind)
{
	static const struct {
		const char *hex;
		enum imalog_code code;
		const char *field;
	} cases[] = {
		{ "", IMALOG_ERR_TRUNCATED, "" },
		{ "00", IMALOG_ERR_TRUNCATED, "sigAlg" },
		{ "7465787420616e64206e6f7468696e67", IMALOG_ERR_BAD_FORMAT, "" },
		{ "0014", IMALOG_ERR_TRUNCATED, "hash" },
		{ "0014 000b ffff", IMALOG_ERR_BAD_LENGTH, "signature" },
		{ "0018 000b 0043 00", IMALOG_ERR_BAD_LENGTH, "signatureR" },
		{ "0018 000b 0000 0001", IMALOG_ERR_BAD_LENGTH, "signatureS" },
		{ "0005 000b 00", IMALOG_ERR_UNSUPPORTED, "sigAlg" },
		{ "001a 000b 0000 0000", IMALOG_ERR_UNSUPPORTED, "sigAlg" },
		{ "0010 00", IMALOG_ERR_TRAILING, "signature" },
	};
	struct made made;
	struct bytes huge;

	NEED_QUOTES();
	made = make(&schemes[0]);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		test_note("%s", cases[i].hex);
		check_bad(&made, bytes_of_hex(cases[i].hex), cases[i].code,
			  cases[i].field);
	}
	huge = bytes_new(4097);
	memset(huge.data, 0, huge.size);
	check_bad(&made, huge, IMALOG_ERR_LIMIT, "");
	unmake(&made);
}

TEST(signatures_without_numbers)
{
	struct made made;

	NEED_QUOTES();
	made = make(&schemes[0]);
	check_one(&made, bytes_of_hex("0010"), IMALOG_MISMATCH);
	check_one(&made, bytes_of_hex("0014 000b 0000"), IMALOG_MISMATCH);
	check_one(&made, bytes_of_hex("0014 7777 0001 00"), IMALOG_NOT_CHECKED);
	unmake(&made);
	made = make(&schemes[4]);
	check_one(&made, bytes_of_hex("0018 000b 0000 0000"), IMALOG_MISMATCH);
	check_one(&made, bytes_of_hex("0018 000b 0001 01 0001 01"), IMALOG_MISMATCH);
	unmake(&made);
}

/* A malformed signature takes back what a good one has proved. */
TEST(the_last_signature_counts)
{
	struct made made;

	NEED_QUOTES();
	made = make(&schemes[0]);
	check_one(&made, bytes_copy(made.signature.data, made.signature.size),
		  IMALOG_MATCH);
	check_bad(&made, bytes_of_hex("0014"), IMALOG_ERR_TRUNCATED, "hash");
	unmake(&made);
}

TEST_MAIN(CASE(every_scheme_in_every_form), CASE(what_the_key_prescribes),
	  CASE(plain_signatures_follow_the_key), CASE(keys_for_rsapss),
	  CASE(another_structure_or_hash_or_key), CASE(keys_of_another_kind_or_size),
	  CASE(sha1_is_refused), CASE(weak_keys_prove_nothing),
	  CASE(every_bit_of_the_signature_counts), CASE(every_byte_of_the_message_counts),
	  CASE(cut_or_longer), CASE(der_with_something_behind_it),
	  CASE(what_is_nothing_of_the_kind), CASE(signatures_without_numbers),
	  CASE(the_last_signature_counts))
