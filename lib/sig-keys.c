// SPDX-License-Identifier: LGPL-2.1-or-later
/* The keys that signatures in records are checked with: of files, and measured in the log. */
#include <limits.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "sig.h"

/* Far more than any keyring has; a log can measure any number of keys. */
#define KEYS_MAX 4096
/* Of a certificate in a log, and of all with their names: parsed they take some sixteen times as
 * much. */
#define CERT_MAX    ((size_t)64 << 10)
#define CERTS_MAX   ((size_t)4 << 20)
#define SUBJECT_MAX 256
#define KEYID_SIZE  4
/* The kernel verifies none above 4096; each costs time, and a log can hold many. */
#define RSA_BITS_MAX 8192

struct imalog_sig_keys *imalog_sig_keys_new(void)
{
	return calloc(1, sizeof(struct imalog_sig_keys));
}

static void clear(struct imalog_sig_key *entry)
{
	imalog_key_free(&entry->key);
	free(entry->name);
	free(entry->subject);
}

void imalog_sig_keys_free(struct imalog_sig_keys **keys)
{
	if (!keys || !*keys)
		return;
	for (size_t i = 0; i < (*keys)->nr; i++)
		clear(&(*keys)->all[i]);
	imalog_ca_free(&(*keys)->ca);
	free((*keys)->all);
	free(*keys);
	*keys = NULL;
}

int imalog_sig_keys_set_ca(struct imalog_sig_keys *keys, struct imalog_span ca,
			   struct imalog_error *reterr)
{
	int rc;

	if (keys->nr || keys->ca)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "CA",
				   "trusted certificates come before keys, and once");
	if (ca.size == 0)
		return imalog_fail(reterr, IMALOG_ERR_TRUNCATED, "CA", "there is nothing");
	rc = imalog_ca_parse(ca, &keys->ca, reterr);
	if (rc == 0)
		imalog_ca_ignore_time(keys->ca);
	return rc;
}

struct imalog_sig_key *imalog_sig_keys_push(struct imalog_sig_keys *keys,
					    struct imalog_error *error)
{
	if (keys->nr == KEYS_MAX) {
		imalog_fail(error, IMALOG_ERR_LIMIT, "", "more than %d keys", KEYS_MAX);
		return NULL;
	}
	if (keys->nr == keys->room) {
		size_t room = keys->room ? 2 * keys->room : 16;
		struct imalog_sig_key *grown =
			reallocarray(keys->all, room, sizeof(*grown));

		if (!grown) {
			imalog_fail_nomem(error);
			return NULL;
		}
		keys->all = grown;
		keys->room = room;
	}
	memset(&keys->all[keys->nr], 0, sizeof(*keys->all));
	return &keys->all[keys->nr++];
}

/* ---- identifiers ---- */

static void set_id(struct imalog_sig_key *entry, size_t i, const uint8_t *id, size_t size)
{
	if (size < KEYID_SIZE || size > IMALOG_SKID_MAX)
		return;
	memcpy(entry->ids[i], id, size);
	entry->id_sizes[i] = size;
}

/* The certificate's alone: see copy_keyid() in cert.c. */
static void set_cert_id(struct imalog_sig_key *entry)
{
	ASN1_OCTET_STRING *skid =
		X509_get_ext_d2i(entry->key->cert, NID_subject_key_identifier, NULL, NULL);

	if (skid)
		set_id(entry, 0, ASN1_STRING_get0_data(skid),
		       (size_t)ASN1_STRING_length(skid));
	ASN1_OCTET_STRING_free(skid);
}

/* SHA-1 of the bits in SubjectPublicKeyInfo (RFC 5280, 4.2.1.2), as evmctl takes it, too */
static int set_usual_id(struct imalog_sig_key *entry, struct imalog_error *error)
{
	X509_PUBKEY *public = NULL;
	const unsigned char *bits;
	uint8_t id[SHA_DIGEST_LENGTH];
	size_t got;
	int size;
	bool ok = X509_PUBKEY_set(&public, entry->key->pkey) &&
		  X509_PUBKEY_get0_param(NULL, &bits, &size, NULL, public) &&
		  EVP_Q_digest(NULL, "SHA1", NULL, bits, (size_t)size, id, &got);

	if (ok)
		set_id(entry, 1, id, sizeof(id));
	X509_PUBKEY_free(public);
	ERR_clear_error();
	return ok ? 0 :
		    imalog_fail(error, IMALOG_ERR_CRYPTO, "",
				"cannot compute the key's identifier");
}

static bool ends_with(const uint8_t *id, size_t size, struct imalog_span end)
{
	return end.size >= KEYID_SIZE && end.size <= size &&
	       memcmp(id + size - end.size, end.data, end.size) == 0;
}

bool imalog_sig_key_is_called(const struct imalog_sig_key *key, struct imalog_span id)
{
	return ends_with(key->ids[0], key->id_sizes[0], id) ||
	       ends_with(key->ids[1], key->id_sizes[1], id);
}

bool imalog_sig_key_fits(const struct imalog_sig_key *key, const struct imalog_signer *signer,
			 uint64_t number)
{
	const X509 *cert = key->key ? key->key->cert : NULL;

	if (!key->key || (key->source == IMALOG_SIG_SOURCE_LOG && key->record >= number))
		return false;
	if (signer->issuer)
		return cert && X509_NAME_cmp(X509_get_issuer_name(cert), signer->issuer) == 0 &&
		       ASN1_INTEGER_cmp(X509_get0_serialNumber(cert), signer->serial) == 0;
	return imalog_sig_key_is_called(key, signer->id);
}

/* ---- trust ---- */

static int judge(const struct imalog_sig_keys *keys, struct imalog_sig_key *entry,
		 struct imalog_error *error)
{
	int rc;

	entry->trust = IMALOG_NOT_CHECKED;
	if (!keys->ca && entry->source == IMALOG_SIG_SOURCE_LOG) {
		entry->reason = "a key from the log is no trust anchor";
		return 0;
	}
	if (!keys->ca) {
		entry->trust = IMALOG_MATCH;
		entry->reason = "it was given";
		return 0;
	}
	if (!entry->key->cert) {
		entry->reason = "it has no certificate that could chain to another";
		return 0;
	}
	if (!imalog_key_is_for_signatures(entry->key)) {
		entry->trust = IMALOG_MISMATCH;
		entry->reason = "its certificate is not for signatures";
		return 0;
	}
	rc = imalog_ca_check(keys->ca, entry->key, &entry->reason, error);
	if (rc < 0)
		return rc;
	entry->trust = rc ? IMALOG_MATCH : IMALOG_MISMATCH;
	if (rc)
		entry->reason = "its certificate chains to a trusted one";
	return 0;
}

/* ---- adding ---- */

static char *subject_of(const struct imalog_key *key)
{
	char text[SUBJECT_MAX] = "";
	unsigned char *der = NULL;
	int size = key->cert ? i2d_X509(key->cert, &der) : 0;
	uint8_t keyid[4];

	if (size > 0)
		imalog_cert_describe((struct imalog_span){ der, (size_t)size }, text,
				     sizeof(text), keyid);
	OPENSSL_free(der);
	return strdup(text);
}

static struct imalog_sig_key *find_same(const struct imalog_sig_keys *keys,
					const struct imalog_key *key)
{
	for (size_t i = 0; i < keys->nr; i++) {
		const struct imalog_key *other = keys->all[i].key;
		bool same_cert = other && !key->cert == !other->cert &&
				 (!key->cert || X509_cmp(key->cert, other->cert) == 0);

		if (same_cert && EVP_PKEY_eq(other->pkey, key->pkey) == 1)
			return &keys->all[i];
	}
	return NULL;
}

/* The first entry with the same public key, or this one */
static size_t same_as(const struct imalog_sig_keys *keys, const struct imalog_sig_key *entry)
{
	for (size_t i = 0; i < keys->nr; i++) {
		const struct imalog_sig_key *other = &keys->all[i];

		if (other == entry ||
		    (other->key && other->id_sizes[1] == entry->id_sizes[1] &&
		     memcmp(other->ids[1], entry->ids[1], entry->id_sizes[1]) == 0 &&
		     EVP_PKEY_eq(other->key->pkey, entry->key->pkey) == 1))
			return i;
	}
	return 0;
}

static int fill(const struct imalog_sig_keys *keys, struct imalog_sig_key *entry,
		const char *name, size_t size, struct imalog_error *error)
{
	int rc;

	entry->name = calloc(1, size + 1);
	if (entry->name && size)
		memcpy(entry->name, name, size);
	entry->subject = subject_of(entry->key);
	if (!entry->name || !entry->subject)
		return imalog_fail_nomem(error);
	if (entry->key->cert)
		set_cert_id(entry);
	rc = set_usual_id(entry, error);
	if (rc < 0)
		return rc;
	entry->same = same_as(keys, entry);
	return judge(keys, entry, error);
}

/* Takes @key over, even if it fails; @record 0: it is of a file. */
static int add_key(struct imalog_sig_keys *keys, struct imalog_key *key,
		   struct imalog_span name, uint64_t record, struct imalog_error *error)
{
	struct imalog_sig_key *entry = find_same(keys, key);
	int rc;

	if (entry) {
		if (record && !entry->record)
			entry->record = record;
		imalog_key_free(&key);
		return 1;
	}
	entry = imalog_sig_keys_push(keys, error);
	if (!entry) {
		imalog_key_free(&key);
		return keys->nr == KEYS_MAX ? -IMALOG_ERR_LIMIT : -IMALOG_ERR_NOMEM;
	}
	entry->key = key;
	entry->record = record;
	entry->source = record ? IMALOG_SIG_SOURCE_LOG : IMALOG_SIG_SOURCE_FILE;
	rc = fill(keys, entry, (const char *)name.data, name.size, error);
	ERR_clear_error();
	if (rc == 0)
		return 1;
	clear(entry);
	keys->nr--;
	return rc;
}

/* The first block of PEM in @text, which it is taken from; size 0: there is none */
static struct imalog_span next_block(struct imalog_span *text)
{
	static const char begin[] = "-----BEGIN ";
	const size_t size = sizeof(begin) - 1;
	const uint8_t *start = NULL, *next;
	struct imalog_span block = { NULL, 0 };

	if (text->size)
		start = memmem(text->data, text->size, begin, size);
	if (!start)
		return block;
	block.data = start;
	block.size = text->size - (size_t)(start - text->data);
	next = memmem(start + size, block.size - size, begin, size);
	*text = (struct imalog_span){ next, next ? block.size - (size_t)(next - start) : 0 };
	block.size -= text->size;
	return block;
}

/* Files with a certificate may hold its private key, too, which is none of ours. */
static bool is_public(struct imalog_span block)
{
	const uint8_t *end = memchr(block.data, '\n', block.size);
	size_t size = end ? (size_t)(end - block.data) : block.size;

	return memmem(block.data, size, "CERTIFICATE-", 12) ||
	       memmem(block.data, size, "PUBLIC KEY-", 11);
}

static int add_one(struct imalog_sig_keys *keys, struct imalog_span bytes, const char *name,
		   struct imalog_error *error)
{
	struct imalog_key *key;
	int rc = imalog_key_parse(bytes, &key, error);

	return rc < 0 ? rc : add_key(keys, key, imalog_span_of(name), 0, error);
}

int imalog_sig_keys_add(struct imalog_sig_keys *keys, struct imalog_span bytes,
			const char *name, struct imalog_error *reterr)
{
	/* As imalog_key_parse() tells them apart */
	bool is_der = bytes.size >= 2 && bytes.data[0] == 0x30 && bytes.data[1] & 0x80;
	struct imalog_span block, left = bytes;
	int added = 0, rc = 1;

	if (is_der || bytes.size == 0)
		return add_one(keys, bytes, name, reterr);
	for (block = next_block(&left); block.size && rc > 0; block = next_block(&left)) {
		if (!is_public(block))
			continue;
		rc = add_one(keys, block, name, reterr);
		added++;
	}
	if (added == 0)
		return add_one(keys, bytes, name, reterr);
	return rc < 0 ? rc : added;
}

/* ---- keys in the log ---- */

/* Does the digest field name the buffer?  What it says otherwise, nobody has computed. */
static int buffer_fits(const struct imalog_record *record, struct imalog_span buffer,
		       struct imalog_hasher *hasher, struct imalog_error *error)
{
	struct imalog_hash_job job = { .spans = { buffer }, .nr_spans = 1 };
	struct imalog_digest_field digest;
	uint8_t computed[IMALOG_DIGEST_MAX];
	enum imalog_alg alg;
	int rc;

	if (!imalog_sig_file_digest(record, &digest))
		return 0;
	alg = imalog_sig_field_alg(&digest);
	if (alg == IMALOG_ALG_NONE)
		return 0;
	rc = imalog_hash_one(hasher, alg, &job, computed, error);
	return rc < 0 ? rc : memcmp(computed, digest.digest.data, digest.digest.size) == 0;
}

/* A template's name is not in the digest: any field can be called a buffer. */
int imalog_record_is_buffer(const struct imalog_record *record, struct imalog_hasher *hasher,
			    struct imalog_error *reterr)
{
	int rc = 1, nr = 0;

	if (record->fit != IMALOG_FIT_YES)
		return 0;
	for (size_t i = 0; i < record->nr_fields && rc > 0; i++) {
		const struct imalog_field *field = &record->fields[i];

		if (field->id != IMALOG_FIELD_BUF || field->data.size == 0)
			continue;
		rc = buffer_fits(record, field->data, hasher, reterr);
		nr++;
	}
	return nr ? rc : 0;
}

/* Is the field a certificate, perhaps? */
static bool has_buffer(const struct imalog_record *record, struct imalog_span *ret)
{
	return record->fit == IMALOG_FIT_YES &&
	       imalog_sig_find_field(record, IMALOG_FIELD_BUF, ret) && ret->size >= 2 &&
	       ret->data[0] == 0x30 && ret->data[1] & 0x80;
}

static int add_measured(struct imalog_sig_keys *keys, const struct imalog_record *record,
			struct imalog_span buffer, struct imalog_error *error)
{
	struct imalog_span name = imalog_record_name(record);
	size_t before = keys->nr;
	struct imalog_key *key;
	int rc = imalog_key_parse(buffer, &key, NULL);

	if (rc == -IMALOG_ERR_NOMEM)
		return imalog_fail_nomem(error);
	if (rc < 0)
		return 0;
	if (!key->cert) {
		imalog_key_free(&key);
		return 0;
	}
	rc = add_key(keys, key, name, record->number, error);
	if (keys->nr > before)
		keys->measured += buffer.size + name.size;
	return rc;
}

int imalog_sig_keys_add_record(struct imalog_sig_keys *keys,
			       const struct imalog_record *record,
			       struct imalog_hasher *hasher, struct imalog_error *reterr)
{
	struct imalog_span buffer;
	size_t size;
	int rc;

	if (!has_buffer(record, &buffer))
		return 0;
	rc = buffer_fits(record, buffer, hasher, reterr);
	if (rc <= 0)
		return rc;
	size = buffer.size + imalog_record_name(record).size;
	if (buffer.size > CERT_MAX || size > CERTS_MAX - keys->measured)
		return imalog_fail(reterr, IMALOG_ERR_LIMIT, "buf",
				   "a certificate of %zu bytes is more than there is room for",
				   buffer.size);
	return add_measured(keys, record, buffer, reterr);
}

/* ---- looking ---- */

size_t imalog_sig_keys_count(const struct imalog_sig_keys *keys)
{
	return keys->nr;
}

static bool is_usable(const struct imalog_sig_key *entry)
{
	if (!entry->key)
		return entry->encoding && !entry->weak;
	return !imalog_key_is_weak(entry->key) && entry->key->bits <= RSA_BITS_MAX;
}

bool imalog_sig_keys_get(const struct imalog_sig_keys *keys, size_t i,
			 struct imalog_sig_key_info *ret)
{
	const struct imalog_sig_key *entry;
	size_t id;

	if (i >= keys->nr)
		return false;
	entry = &keys->all[i];
	id = entry->id_sizes[0] ? 0 : 1;
	*ret = (struct imalog_sig_key_info){ .source = entry->source,
					     .name = entry->name,
					     .subject = entry->subject,
					     .text = entry->key ? entry->key->text :
								  entry->permits,
					     .has_keyid = entry->id_sizes[id] > 0,
					     .record = entry->record,
					     .trust = entry->trust,
					     .reason = entry->reason,
					     .usable = is_usable(entry) };
	if (ret->has_keyid)
		memcpy(ret->keyid, entry->ids[id] + entry->id_sizes[id] - KEYID_SIZE,
		       KEYID_SIZE);
	return true;
}
