// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Appended signatures: PKCS #7 as of kernel modules (security/integrity/ima/ima_modsig.c)
 *
 * The field modsig has the message, detached, and d-modsig the digest of the file without it.
 * As verify_pkcs7_message_sig() (certs/system_keyring.c) wants it of modules, there is data and
 * no attribute is signed: then the signature is over that digest.
 */
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "sig.h"

/* Of a module: a signature and, rarely, some certificates */
#define MODSIG_MAX  ((size_t)64 << 10)
#define KEYID_SIZE  4

/* NULL when it is one message and nothing else, in the form that the kernel takes */
static const char *parse(struct imalog_span data, CMS_ContentInfo **ret)
{
	const unsigned char *end = data.data;
	CMS_ContentInfo *cms;
	ASN1_OCTET_STRING **content;

	cms = d2i_CMS_ContentInfo(NULL, &end, (long)data.size);
	*ret = cms;
	if (!cms)
		return "it is no PKCS #7";
	if (end != data.data + data.size)
		return "bytes are left over behind it";
	if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
		return "it is PKCS #7, but not signed data";
	content = CMS_get0_content(cms);
	if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data || !content || *content)
		return "it is not detached from the data";
	return NULL;
}

static enum imalog_alg alg_of(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	switch (OBJ_obj2nid(object)) {
	case NID_sha1:
		return IMALOG_ALG_SHA1;
	case NID_sha256:
		return IMALOG_ALG_SHA256;
	case NID_sha384:
		return IMALOG_ALG_SHA384;
	case NID_sha512:
		return IMALOG_ALG_SHA512;
	case NID_sha3_256:
		return IMALOG_ALG_SHA3_256;
	case NID_sha3_384:
		return IMALOG_ALG_SHA3_384;
	case NID_sha3_512:
		return IMALOG_ALG_SHA3_512;
	default:
		return IMALOG_ALG_NONE;
	}
}

static struct imalog_span span_of(const ASN1_STRING *string)
{
	return (struct imalog_span){ ASN1_STRING_get0_data(string),
				     (size_t)ASN1_STRING_length(string) };
}

/* By its identifier, else by issuer and serial number, which are no id. */
static struct imalog_signer signer_of(CMS_SignerInfo *info, struct imalog_sig_result *result)
{
	ASN1_OCTET_STRING *keyid = NULL;
	X509_NAME *issuer = NULL;
	ASN1_INTEGER *serial = NULL;
	struct imalog_signer signer = { .issuer = NULL };

	if (CMS_SignerInfo_get0_signer_id(info, &keyid, &issuer, &serial) <= 0)
		return signer;
	signer.issuer = issuer;
	signer.serial = serial;
	if (keyid)
		signer.id = span_of(keyid);
	result->has_keyid = signer.id.size >= KEYID_SIZE;
	if (result->has_keyid)
		memcpy(result->sig.keyid, signer.id.data + signer.id.size - KEYID_SIZE,
		       KEYID_SIZE);
	return signer;
}

static int check_signer(struct imalog_sig_checker *checker, CMS_SignerInfo *info,
			const struct imalog_record *record, struct imalog_sig_result *result,
			struct imalog_error *error)
{
	X509_ALGOR *hash, *method;
	const ASN1_OBJECT *object;
	struct imalog_digest_field digest;
	struct imalog_span data = { NULL, 0 };
	struct imalog_claim claim = { .number = record->number };

	CMS_SignerInfo_get0_algs(info, NULL, NULL, &hash, &method);
	X509_ALGOR_get0(&object, NULL, NULL, method);
	claim.signer = signer_of(info, result);
	claim.alg = result->sig.alg = alg_of(hash);
	claim.bytes = span_of(CMS_SignerInfo_get0_signature(info));
	result->sig.hash = imalog_sig_hash_id(claim.alg);
	imalog_sig_find_field(record, IMALOG_FIELD_D_MODSIG, &data);
	imalog_field_digest(IMALOG_FIELD_D_MODSIG, data, &digest);
	claim.digest = digest.digest;
	if (CMS_signed_get_attr_count(info) >= 0)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "it signs attributes, which the kernel does not allow");
	else if (claim.alg == IMALOG_ALG_NONE || OBJ_obj2nid(object) == NID_rsassaPss)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "its hash or method is not supported");
	else if (digest.digest.size == 0)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "the record has no digest of the file without it");
	else if (imalog_sig_no_digest(&digest))
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "%s",
				  imalog_sig_no_digest(&digest));
	else if (imalog_sig_field_alg(&digest) != claim.alg)
		imalog_sig_decide(result, IMALOG_SIG_BAD,
				  "it is made with %s, d-modsig is not",
				  imalog_alg_name(claim.alg));
	else
		return imalog_sig_verify(checker, &claim, result, error);
	return 0;
}

/* One that is not ok is never made good by another. */
static bool is_worse(enum imalog_sig_status status, enum imalog_sig_status than)
{
	static const int ranks[] = { [IMALOG_SIG_NONE] = 0,
				     [IMALOG_SIG_OK] = 1,
				     [IMALOG_SIG_UNKNOWN_KEY] = 2,
				     [IMALOG_SIG_UNSUPPORTED] = 3,
				     [IMALOG_SIG_BAD] = 4 };

	return ranks[status] > ranks[than];
}

static int check_signers(struct imalog_sig_checker *checker, CMS_ContentInfo *cms,
			 const struct imalog_record *record, struct imalog_sig_result *result,
			 struct imalog_error *error)
{
	STACK_OF(CMS_SignerInfo) *infos = CMS_get0_SignerInfos(cms);
	int nr = infos ? sk_CMS_SignerInfo_num(infos) : 0, rc = 0;

	if (nr <= 0 || nr > IMALOG_SIG_KEYS_MAX) {
		imalog_sig_decide(result, nr > 0 ? IMALOG_SIG_UNSUPPORTED : IMALOG_SIG_BAD,
				  "it has %d signers", nr < 0 ? 0 : nr);
		return 0;
	}
	for (int i = 0; i < nr && rc == 0; i++) {
		struct imalog_sig_result one = *result;

		imalog_sig_forget_keys(&one);
		rc = check_signer(checker, sk_CMS_SignerInfo_value(infos, i), record, &one,
				  error);
		if (rc == 0 && (i == 0 || is_worse(one.status, result->status)))
			*result = one;
		else if (rc == 0 && result->status == IMALOG_SIG_OK)
			imalog_sig_also_by(checker, result, &one);
	}
	return rc;
}

/* The id of the certificate that was found by issuer and serial number */
static void name_key(const struct imalog_sig_checker *checker,
		     struct imalog_sig_result *result)
{
	struct imalog_sig_key_info key;

	result->has_keyid = imalog_sig_keys_get(imalog_sig_keys_of(checker), result->keys[0],
						&key) &&
			    key.has_keyid;
	if (result->has_keyid)
		memcpy(result->sig.keyid, key.keyid, sizeof(key.keyid));
}

int imalog_sig_check_modsig(struct imalog_sig_checker *checker,
			    const struct imalog_record *record, struct imalog_span data,
			    struct imalog_sig_result *result, struct imalog_error *error)
{
	CMS_ContentInfo *cms = NULL;
	const char *wrong = NULL;
	int rc = 0;

	result->sig = (struct imalog_sig){ .type = IMALOG_SIG_APPENDED };
	if (data.size > MODSIG_MAX)
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "it is larger than what is verified");
	else if ((wrong = parse(data, &cms)))
		imalog_sig_decide(result, IMALOG_SIG_BAD, "%s", wrong);
	else
		rc = check_signers(checker, cms, record, result, error);
	if (result->status == IMALOG_SIG_OK && !result->has_keyid)
		name_key(checker, result);
	if (result->sig.alg)
		result->sig.hash_name = imalog_alg_name(result->sig.alg);
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	return rc;
}
