// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keyrings of the kernel: which keys they hold, and what those permit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/asn1.h>
#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "sig.h"

#ifdef HAVE_LIBKEYUTILS

#include <keyutils.h>

/* Rings in rings */
#define DEPTH_MAX 4
/* Smaller ones are no curve that signatures are verified with. */
#define EC_BITS_MIN 256
/* KEY_MAX_DESC_SIZE of the kernel */
#define DESCRIPTION_MAX 4096

/* ---- listing ---- */

/*
 * x509_key_preparse() calls a key "SUBJECT: IDENTIFIER", in hexadecimal; one that was given
 * another name does not tell.
 */
static void take_id(struct imalog_sig_key *entry, const char *description)
{
	const char *colon = strrchr(description, ':');
	struct imalog_span hex;

	if (!colon || colon[1] != ' ')
		return;
	hex = imalog_span_of(colon + 2);
	if (hex.size < 8 || hex.size > 2 * IMALOG_SKID_MAX ||
	    !imalog_hex_decode(hex, entry->ids[0]))
		return;
	entry->id_sizes[0] = hex.size / 2;
}

/* Which form of signatures does the kernel verify with it?  pkcs1 is of RSA, x962 of ECDSA. */
static void ask_permissions(struct imalog_sig_key *entry)
{
	static const char *const encodings[] = { "pkcs1", "x962" };
	struct keyctl_pkey_query query;
	int error = 0;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(encodings) && !entry->encoding; i++) {
		char info[32];

		snprintf(info, sizeof(info), "enc=%s hash=sha256", encodings[i]);
		if (keyctl_pkey_query(entry->serial, info, &query) < 0)
			error = errno;
		else if (query.supported_ops & KEYCTL_SUPPORTS_VERIFY)
			entry->encoding = encodings[i];
	}
	if (entry->encoding && strcmp(entry->encoding, "pkcs1") == 0)
		entry->sig_size = (query.key_size + 7) / 8;
	if (entry->encoding)
		entry->weak = query.key_size <
			      (entry->sig_size ? IMALOG_KEY_RSA_MIN : EC_BITS_MIN);
	if (entry->encoding)
		snprintf(entry->permits, sizeof(entry->permits), "%s of %u bits",
			 entry->sig_size ? "RSA" : "EC", query.key_size);
	else
		snprintf(entry->permits, sizeof(entry->permits), "permits nothing%s%s",
			 error ? ": " : "", error ? strerror(error) : "");
}

/* "TYPE;UID;GID;PERMISSIONS;DESCRIPTION" (keyctl_describe(3)) */
static void describe(struct imalog_sig_key *entry, char *text)
{
	char *rest = text;
	char shown[IMALOG_PRINTABLE_MAX];

	for (int i = 0; i < 4 && rest; i++) {
		rest = strchr(rest, ';');
		rest = rest ? rest + 1 : NULL;
	}
	if (rest)
		take_id(entry, rest);
	entry->subject =
		strdup(rest ? imalog_printable(imalog_span_of(rest), shown) : "");
}

static struct imalog_sig_key *push(struct imalog_sig_keys *keys, const char *ring,
				   int32_t serial, struct imalog_error *error)
{
	struct imalog_sig_key *entry = imalog_sig_keys_push(keys, error);

	if (!entry)
		return NULL;
	entry->source = IMALOG_SIG_SOURCE_KERNEL;
	entry->serial = serial;
	entry->trust = keys->ca ? IMALOG_NOT_CHECKED : IMALOG_MATCH;
	entry->reason = keys->ca ? "the kernel does not give its certificate away" :
				   "the kernel's keyring was given";
	entry->name = strdup(ring);
	return entry;
}

static int add_kernel_key(struct imalog_sig_keys *keys, const char *ring, int32_t serial,
			  char *description, struct imalog_error *error)
{
	struct imalog_sig_key *entry = push(keys, ring, serial, error);

	if (!entry)
		return -IMALOG_ERR_LIMIT;
	if (description)
		describe(entry, description);
	else
		entry->subject = strdup("");
	if (!entry->name || !entry->subject)
		return imalog_fail_nomem(error);
	ask_permissions(entry);
	return 1;
}

/* Stands for the keys of a ring in this one, of which nobody can say what they are called. */
static int add_hidden(struct imalog_sig_keys *keys, const char *ring, int32_t serial,
		      const char *why, struct imalog_error *error)
{
	struct imalog_sig_key *entry = push(keys, ring, serial, error);

	if (!entry)
		return -IMALOG_ERR_LIMIT;
	entry->subject = strdup("");
	if (!entry->name || !entry->subject)
		return imalog_fail_nomem(error);
	snprintf(entry->permits, sizeof(entry->permits), "a keyring in it: %s", why);
	return 0;
}

static int add_ring(struct imalog_sig_keys *keys, const char *name, int32_t ring,
		    unsigned int depth, struct imalog_error *error);

/* Keys of other types sign nothing. */
static int add_serial(struct imalog_sig_keys *keys, const char *name, int32_t serial,
		      unsigned int depth, struct imalog_error *error)
{
	char *description = NULL;
	int rc = 0;

	if (keyctl_describe_alloc(serial, &description) < 0)
		description = NULL; /* it may not even be looked at */
	if (description && strncmp(description, "keyring;", 8) == 0)
		rc = depth < DEPTH_MAX ?
			     add_ring(keys, name, serial, depth + 1, error) :
			     add_hidden(keys, name, serial, strerror(ELOOP), error);
	else if (!description || strncmp(description, "asymmetric;", 11) == 0)
		rc = add_kernel_key(keys, name, serial, description, error);
	free(description);
	return rc;
}

static int add_ring(struct imalog_sig_keys *keys, const char *name, int32_t ring,
		    unsigned int depth, struct imalog_error *error)
{
	void *serials = NULL;
	int size = keyctl_read_alloc(ring, &serials), added = 0;

	if (size < 0 && depth)
		return add_hidden(keys, name, ring, strerror(errno), error);
	if (size < 0)
		return imalog_fail_os(error, errno, "cannot read keyring '%s': %s", name,
				      strerror(errno));
	for (size_t at = 0; at + sizeof(int32_t) <= (size_t)size; at += sizeof(int32_t)) {
		int32_t serial;
		int rc;

		memcpy(&serial, (uint8_t *)serials + at, sizeof(serial));
		rc = add_serial(keys, name, serial, depth, error);
		if (rc < 0) {
			free(serials);
			return rc;
		}
		added += rc;
	}
	free(serials);
	return added;
}

/* A user can give a keyring of his own any name that does not begin with a dot. */
static bool is_own_ring(int32_t serial, const char *name)
{
	char *text = NULL, type[16];
	unsigned int uid;
	int taken = 0;
	bool own;

	if (keyctl_describe_alloc(serial, &text) < 0)
		return false; /* it has expired meanwhile */
	own = sscanf(text, "%15[^;];%u;%*d;%*x;%n", type, &uid, &taken) == 2 && taken &&
	      strcmp(type, "keyring") == 0 && (uid == 0 || uid == geteuid()) &&
	      strcmp(text + taken, name) == 0;
	free(text);
	return own;
}

/* Of the keys that this process may see.  Descriptions are not escaped there: the line is not
 * relied on. */
static int find_by_name(FILE *list, const char *name, int32_t *ret)
{
	char *line = NULL;
	size_t room = 0;
	unsigned int serial;
	int nr = 0;

	while (getline(&line, &room, list) > 0) {
		if (sscanf(line, "%x", &serial) != 1 || serial > INT32_MAX ||
		    !strstr(line, name) || (nr && (int32_t)serial == *ret) ||
		    !is_own_ring((int32_t)serial, name))
			continue;
		*ret = (int32_t)serial;
		nr++;
	}
	free(line);
	return nr;
}

/* What one may not look at will show when it is read. */
static bool is_other_type(int32_t serial)
{
	char *text = NULL;
	bool other = keyctl_describe_alloc(serial, &text) >= 0 &&
		     strncmp(text, "keyring;", 8) != 0;

	free(text);
	return other;
}

static int find_ring(const char *name, int32_t *ret, struct imalog_error *error)
{
	char *end, shown[IMALOG_PRINTABLE_MAX];
	long serial;
	FILE *list;
	int nr;

	errno = 0;
	serial = strtol(name, &end, 0);
	*ret = (int32_t)serial;
	imalog_printable(imalog_span_of(name), shown);
	if (errno == 0 && end != name && *end == '\0' && serial <= INT32_MAX &&
	    serial >= INT32_MIN && serial != 0)
		return is_other_type(*ret) ? imalog_fail_os(error, ENOTDIR,
							    "key '%s' is no keyring", shown) :
					     0;
	list = fopen("/proc/keys", "re");
	if (!list)
		return imalog_fail_os(error, errno, "cannot read /proc/keys: %s",
				      strerror(errno));
	nr = find_by_name(list, name, ret);
	fclose(list);
	if (nr == 0)
		return imalog_fail_os(error, ENOKEY,
				      "cannot find keyring '%s' of this user or root: %s",
				      shown, strerror(ENOKEY));
	return nr == 1 ? 0 :
			 imalog_fail_os(error, ENOTUNIQ,
					"%d keyrings are called '%s': say the number", nr,
					shown);
}

int imalog_sig_keys_add_keyring(struct imalog_sig_keys *keys, const char *name,
				struct imalog_error *reterr)
{
	char shown[IMALOG_PRINTABLE_MAX];
	int32_t ring;
	int rc = find_ring(name, &ring, reterr);

	if (rc < 0)
		return rc;
	imalog_printable(imalog_span_of(name), shown);
	if (keys->nr_rings == IMALOG_KEYRINGS_MAX)
		return imalog_fail(reterr, IMALOG_ERR_LIMIT, "", "more than %d keyrings",
				   IMALOG_KEYRINGS_MAX);
	rc = add_ring(keys, shown, ring, 0, reterr);
	if (rc >= 0)
		keys->rings[keys->nr_rings++] = ring;
	return rc;
}

/* ---- verifying ---- */

static bool put_hex(char **at, const char *end, struct imalog_span bytes)
{
	if (bytes.size > (size_t)(end - *at) / 2)
		return false;
	for (size_t i = 0; i < bytes.size; i++, *at += 2)
		snprintf(*at, 3, "%02x", bytes.data[i]);
	return true;
}

/* What is in an element of DER, without its head */
static struct imalog_span content_of(const unsigned char *der, size_t size)
{
	long length = 0;
	int tag, class;

	if (ASN1_get_object(&der, &length, &tag, &class, (long)size) & 0x80)
		length = 0;
	return (struct imalog_span){ der, (size_t)length };
}

/*
 * asymmetric_key_match_preparse() (crypto/asymmetric_keys/asymmetric_type.c): "id:" is the end of
 * an identifier, "ex:" all of one; that of a certificate is serial number and issuer.
 */
static bool name_signer(const struct imalog_signer *signer, char *name, size_t size)
{
	const char *end = name + size - 1;
	const unsigned char *issuer = NULL;
	unsigned char *serial = NULL;
	size_t issuer_size = 0;
	int serial_size;
	bool ok;

	memcpy(name, signer->issuer ? "ex:" : "id:", 4);
	name += 3;
	if (!signer->issuer)
		return signer->id.size && put_hex(&name, end, signer->id);
	serial_size = i2d_ASN1_INTEGER(signer->serial, &serial);
	ok = serial_size > 0 && X509_NAME_get0_der(signer->issuer, &issuer, &issuer_size) &&
	     put_hex(&name, end, content_of(serial, (size_t)serial_size)) &&
	     put_hex(&name, end, content_of(issuer, issuer_size));
	OPENSSL_free(serial);
	return ok;
}

/* Expired, revoked, not permitted: there is such a key, and nobody can say what it would tell. */
int imalog_keyring_find(int32_t ring, const struct imalog_signer *signer, int32_t *ret)
{
	char name[DESCRIPTION_MAX];
	long serial;

	*ret = 0;
	if (!name_signer(signer, name, sizeof(name)))
		return signer->issuer ? -E2BIG : 0;
	serial = keyctl_search(ring, "asymmetric", name, 0);
	if (serial < 0)
		return errno == ENOKEY ? 0 : -errno;
	*ret = (int32_t)serial;
	return 0;
}

/*
 * Would the kernel verify a signature of this form?  What it then finds invalid is what the
 * signature says: RSA of another key gives a number that is too large, or no padding.
 */
static bool takes(const struct imalog_sig_key *key, const char *info, size_t digest,
		  size_t bytes)
{
	struct keyctl_pkey_query query;

	return keyctl_pkey_query(key->serial, info, &query) == 0 &&
	       query.supported_ops & KEYCTL_SUPPORTS_VERIFY && digest <= query.max_data_size &&
	       bytes <= query.max_sig_size;
}

int imalog_keyring_verify(const struct imalog_sig_key *key, enum imalog_alg alg,
			  struct imalog_span digest, struct imalog_span bytes,
			  struct imalog_error *error)
{
	char info[48];
	int code;

	if (!key->encoding)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "", "it %s", key->permits);
	if (key->weak)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "", "of %s proves nothing",
				   key->permits);
	if (key->sig_size && key->sig_size != bytes.size)
		return 0;
	snprintf(info, sizeof(info), "enc=%s hash=%s", key->encoding, imalog_alg_name(alg));
	if (keyctl_pkey_verify(key->serial, info, digest.data, digest.size, bytes.data,
			       bytes.size) == 0)
		return 1;
	code = errno;
	if (code == EBADMSG || code == EKEYREJECTED)
		return 0;
	if (code == EINVAL && takes(key, info, digest.size, bytes.size))
		return 0;
	return imalog_fail_os(error, code, "the kernel does not verify with it: %s",
			      strerror(code));
}

#else

int imalog_sig_keys_add_keyring(struct imalog_sig_keys *keys, const char *name,
				struct imalog_error *reterr)
{
	(void)keys;
	(void)name;
	return imalog_fail(reterr, IMALOG_ERR_UNSUPPORTED, "",
			   "keyrings: the library was built without libkeyutils");
}

int imalog_keyring_find(int32_t ring, const struct imalog_signer *signer, int32_t *ret)
{
	(void)ring;
	(void)signer;
	*ret = 0;
	return 0;
}

int imalog_keyring_verify(const struct imalog_sig_key *key, enum imalog_alg alg,
			  struct imalog_span digest, struct imalog_span bytes,
			  struct imalog_error *error)
{
	(void)key;
	(void)alg;
	(void)digest;
	(void)bytes;
	return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "", "built without libkeyutils");
}

#endif
