/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files about signatures in records share. */
#ifndef IMALOG_SIG_H
#define IMALOG_SIG_H

#include <stdarg.h>

#include "private.h"

/* ---- sig.c ---- */

/* enum evm_ima_xattr_type: no signatures */
#define IMALOG_XATTR_DIGEST    0x01
#define IMALOG_XATTR_DIGEST_NG 0x04

/* The kernel's number of an algorithm; one that is none when it has none */
uint8_t imalog_sig_hash_id(enum imalog_alg alg);
/* And back; IMALOG_ALG_NONE when signatures are not checked with it */
enum imalog_alg imalog_sig_hash_alg(uint8_t id);
/* Is it security.ima with a digest in place of a signature? */
bool imalog_sig_is_digest(struct imalog_span data);

/* ---- sig-keys.c ---- */

#define IMALOG_SKID_MAX 64

/* What a signature says of its key: an identifier (or its end), or issuer and serial number */
struct imalog_signer {
	struct imalog_span id;
	const struct X509_name_st *issuer;
	const struct asn1_string_st *serial;
};

struct imalog_sig_key {
	struct imalog_key *key; /* NULL: the kernel has it */
	size_t same;		/* the first entry with this public key */
	char *name;		/* of its file or keyring */
	char *subject;		/* of its certificate, or how the kernel calls it; may be "" */
	enum imalog_sig_source source;
	uint64_t record; /* that measured it, 0: none */
	enum imalog_verdict trust;
	const char *reason; /* of that verdict, static */
	/* The certificate's own identifier, and the usual one, SHA-1 of the key */
	uint8_t ids[2][IMALOG_SKID_MAX];
	size_t id_sizes[2];
	int32_t serial;	     /* of the kernel */
	const char *encoding; /* that the kernel verifies signatures in; NULL: it does not */
	bool weak;	      /* they could be forged by computing */
	size_t sig_size;      /* that all have; 0: any */
	char permits[96];
};

struct imalog_sig_keys {
	struct imalog_sig_key *all;
	size_t nr, room;
	size_t measured; /* bytes of certificates from the log */
	struct imalog_ca *ca;
	int32_t rings[IMALOG_KEYRINGS_MAX];
	size_t nr_rings;
};

/* Is it the one that the signature of record @number names, and can be used there? */
bool imalog_sig_key_fits(const struct imalog_sig_key *key, const struct imalog_signer *signer,
			 uint64_t number);
/* Is its identifier that which the signature names?  Not so when it names no identifier. */
bool imalog_sig_key_is_called(const struct imalog_sig_key *key, struct imalog_span id);
/* A new entry, all zeros; NULL when there are too many, or memory ran out: the error is set */
struct imalog_sig_key *imalog_sig_keys_push(struct imalog_sig_keys *keys,
					    struct imalog_error *error);

/* ---- keyring.c ---- */

/*
 * The serial number of a key in a keyring that the kernel finds by what a signature calls it; 0:
 * there is none.  Returns 0, or a negative errno when the kernel does not say.
 */
int imalog_keyring_find(int32_t ring, const struct imalog_signer *signer, int32_t *ret);
/* 1: it is the key's, 0: it is not; negative: could not tell */
int imalog_keyring_verify(const struct imalog_sig_key *key, enum imalog_alg alg,
			  struct imalog_span digest, struct imalog_span bytes,
			  struct imalog_error *error);

/* ---- sig-try.c ---- */

/* What is signed, and by whom */
struct imalog_claim {
	uint64_t number; /* of the record */
	struct imalog_signer signer;
	enum imalog_alg alg;
	struct imalog_span digest, bytes;
};

/* Decides: sets status, key and reason of @result.  0 or a negative code */
int imalog_sig_verify(struct imalog_sig_checker *checker, const struct imalog_claim *claim,
		      struct imalog_sig_result *result, struct imalog_error *error);
void imalog_sig_decide(struct imalog_sig_result *result, enum imalog_sig_status status,
		       const char *reason, ...) __attribute__((format(printf, 3, 4)));
/* An ok rests on another one, too: of all keys it then names the one that is trusted least. */
void imalog_sig_also_by(const struct imalog_sig_checker *checker,
			struct imalog_sig_result *result,
			const struct imalog_sig_result *other);
/* It is not ok: no key has signed it. */
void imalog_sig_forget_keys(struct imalog_sig_result *result);
struct imalog_hasher *imalog_sig_hasher(struct imalog_sig_checker *checker);
const struct imalog_sig_keys *imalog_sig_keys_of(const struct imalog_sig_checker *checker);
/* ---- sig-check.c ---- */

/* The digest that a signature with this header is over: that of the file, or of its id */
int imalog_sig_digest(struct imalog_sig_checker *checker, const struct imalog_sig *sig,
		      struct imalog_span digest, uint8_t out[IMALOG_DIGEST_MAX],
		      struct imalog_error *error);
/* A signature of a file (security.ima) over the digest of the record */
int imalog_sig_check_ima(struct imalog_sig_checker *checker, const struct imalog_record *record,
			 struct imalog_span data, struct imalog_sig_result *result,
			 struct imalog_error *error);
/* The digest of the record's file; false when it has none */
bool imalog_sig_file_digest(const struct imalog_record *record,
			    struct imalog_digest_field *ret);
/* The first field of this id; false when there is none */
bool imalog_sig_find_field(const struct imalog_record *record, enum imalog_field_id id,
			   struct imalog_span *ret);
/* Files that cannot be read (O_DIRECT, errors) have zeros; NULL: it is a digest */
const char *imalog_sig_no_digest(const struct imalog_digest_field *digest);
/* The algorithm of a digest field, whose size must be right */
enum imalog_alg imalog_sig_field_alg(const struct imalog_digest_field *digest);

/* ---- sig-evm.c ---- */

int imalog_sig_check_evm(struct imalog_sig_checker *checker, const struct imalog_record *record,
			 const struct imalog_sig *sig, struct imalog_sig_result *result,
			 struct imalog_error *error);

/* ---- sig-modsig.c ---- */

int imalog_sig_check_modsig(struct imalog_sig_checker *checker,
			    const struct imalog_record *record, struct imalog_span data,
			    struct imalog_sig_result *result, struct imalog_error *error);

#endif /* IMALOG_SIG_H */
