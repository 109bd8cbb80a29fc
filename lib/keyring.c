// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keyrings of the kernel: which keys they hold, and what those permit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "sig.h"

#ifdef HAVE_LIBKEYUTILS

#include <keyutils.h>

/* Rings in rings */
#define DEPTH_MAX 4

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

static int add_kernel_key(struct imalog_sig_keys *keys, const char *ring, int32_t serial,
			  char *description, struct imalog_error *error)
{
	struct imalog_sig_key *entry = imalog_sig_keys_push(keys, error);

	if (!entry)
		return -IMALOG_ERR_LIMIT;
	entry->source = IMALOG_SIG_SOURCE_KERNEL;
	entry->serial = serial;
	entry->trust = keys->ca ? IMALOG_NOT_CHECKED : IMALOG_MATCH;
	entry->reason = keys->ca ? "the kernel does not give its certificate away" :
				   "the kernel's keyring was given";
	entry->name = strdup(ring);
	if (description)
		describe(entry, description);
	else
		entry->subject = strdup("");
	if (!entry->name || !entry->subject)
		return imalog_fail_nomem(error);
	ask_permissions(entry);
	return 1;
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
		rc = depth < DEPTH_MAX ? add_ring(keys, name, serial, depth + 1, error) : 0;
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
		return 0; /* searching it finds nothing either */
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

static int32_t find_ring(const char *name)
{
	char *end;
	long serial;

	errno = 0;
	serial = strtol(name, &end, 0);
	if (errno == 0 && end != name && *end == '\0' && serial <= INT32_MAX &&
	    serial >= INT32_MIN && serial != 0)
		return (int32_t)serial;
	return find_key_by_type_and_desc("keyring", name, 0);
}

int imalog_sig_keys_add_keyring(struct imalog_sig_keys *keys, const char *name,
				struct imalog_error *reterr)
{
	char shown[IMALOG_PRINTABLE_MAX];
	int32_t ring = find_ring(name);
	int rc;

	imalog_printable(imalog_span_of(name), shown);
	if (ring == -1)
		return imalog_fail_os(reterr, errno, "cannot find keyring '%s': %s", shown,
				      strerror(errno));
	if (keys->nr_rings == IMALOG_KEYRINGS_MAX)
		return imalog_fail(reterr, IMALOG_ERR_LIMIT, "", "more than %d keyrings",
				   IMALOG_KEYRINGS_MAX);
	rc = add_ring(keys, shown, ring, 0, reterr);
	if (rc >= 0)
		keys->rings[keys->nr_rings++] = ring;
	return rc;
}

/* ---- verifying ---- */

int32_t imalog_keyring_find(int32_t ring, struct imalog_span id)
{
	char name[3 + 2 * IMALOG_SKID_MAX + 1] = "id:";
	long serial;

	if (id.size == 0 || id.size > IMALOG_SKID_MAX)
		return 0;
	for (size_t i = 0; i < id.size; i++)
		snprintf(name + 3 + 2 * i, 3, "%02x", id.data[i]);
	serial = keyctl_search(ring, "asymmetric", name, 0);
	return serial > 0 ? (int32_t)serial : 0;
}

int imalog_keyring_verify(const struct imalog_sig_key *key, enum imalog_alg alg,
			  struct imalog_span digest, struct imalog_span bytes,
			  struct imalog_error *error)
{
	char info[48];

	if (!key->encoding)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "", "it %s", key->permits);
	if (key->sig_size && key->sig_size * 8 < IMALOG_KEY_RSA_MIN)
		return imalog_fail(error, IMALOG_ERR_UNSUPPORTED, "",
				   "RSA of %zu bits proves nothing", 8 * key->sig_size);
	if (key->sig_size && key->sig_size != bytes.size)
		return 0;
	snprintf(info, sizeof(info), "enc=%s hash=%s", key->encoding, imalog_alg_name(alg));
	if (keyctl_pkey_verify(key->serial, info, digest.data, digest.size, bytes.data,
			       bytes.size) == 0)
		return 1;
	if (errno == EBADMSG || errno == EKEYREJECTED)
		return 0;
	return imalog_fail_os(error, errno, "the kernel does not verify with it: %s",
			      strerror(errno));
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

int32_t imalog_keyring_find(int32_t ring, struct imalog_span id)
{
	(void)ring;
	(void)id;
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
