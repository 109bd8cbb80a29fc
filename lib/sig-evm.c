// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * EVM portable signatures, from the fields of a record
 *
 * They are over the values of the file's protected extended attributes, one behind the other,
 * then struct h_misc of hmac_add_misc() (security/integrity/evm/evm_crypto.c), in the order and
 * the word size of the machine:
 *
 *	unsigned long	inode number, here 0
 *	u32		generation, here 0
 *	u32, u32	user, group
 *	u16		mode
 *	...		zeros up to a multiple of an unsigned long
 *
 * One of these attributes is security.ima, which speaks for the content: its digest or signature
 * must be of the digest in the record.
 */
#include "sig.h"

#define MISC_MAX 24
#define XATTR_IMA "security.ima"

struct attributes {
	struct imalog_span names, lengths, values;
	uint64_t uid, gid, mode;
	struct imalog_span ima; /* the value of security.ima */
};

static bool find_uint(const struct imalog_record *record, enum imalog_field_id id,
		      uint64_t *ret)
{
	struct imalog_span data;

	return imalog_sig_find_field(record, id, &data) &&
	       imalog_field_uint(data, record->order, ret);
}

/* NULL: all are there */
static const char *find_attributes(const struct imalog_record *record, struct attributes *ret)
{
	if (!imalog_sig_find_field(record, IMALOG_FIELD_XATTRNAMES, &ret->names) ||
	    !imalog_sig_find_field(record, IMALOG_FIELD_XATTRLENGTHS, &ret->lengths) ||
	    !imalog_sig_find_field(record, IMALOG_FIELD_XATTRVALUES, &ret->values) ||
	    !find_uint(record, IMALOG_FIELD_IUID, &ret->uid) ||
	    !find_uint(record, IMALOG_FIELD_IGID, &ret->gid) ||
	    !find_uint(record, IMALOG_FIELD_IMODE, &ret->mode))
		return "it covers attributes of the file that the record does not have";
	ret->names = imalog_field_text(ret->names);
	return NULL;
}

/* The next of "a|b|c" */
static struct imalog_span next_name(struct imalog_span *names)
{
	const uint8_t *bar = names->size ? memchr(names->data, '|', names->size) : NULL;
	struct imalog_span name = { names->data,
				    bar ? (size_t)(bar - names->data) : names->size };
	size_t taken = name.size + (bar ? 1 : 0);

	*names = (struct imalog_span){ names->data + taken, names->size - taken };
	return name;
}

/* A name and a length for each value, which are all of the values; NULL: so it is */
static const char *split_values(struct attributes *all, enum imalog_order order)
{
	struct imalog_cursor lengths = imalog_cursor_over(all->lengths, order),
			     values = imalog_cursor_over(all->values, order);
	struct imalog_span names = all->names, value;
	uint32_t size;

	while (names.size) {
		struct imalog_span name = next_name(&names);

		if (!imalog_cursor_u32(&lengths, &size))
			return "the record has more names of attributes than lengths";
		if (!imalog_cursor_bytes(&values, size, &value))
			return "a length of an attribute exceeds the values";
		if (imalog_span_equal(name, imalog_span_of(XATTR_IMA)))
			all->ima = value;
	}
	if (lengths.left || values.left)
		return "lengths or values of attributes without a name are left over";
	return all->ima.size ? NULL : "security.ima, which it must cover, is not in the record";
}

/* ---- the digest ---- */

static void put(uint8_t **at, uint64_t value, size_t size, enum imalog_order order)
{
	for (size_t i = 0; i < size; i++) {
		size_t shift = order == IMALOG_ORDER_BE ? size - 1 - i : i;

		(*at)[i] = (uint8_t)(value >> (8 * shift));
	}
	*at += size;
}

/* struct h_misc for words of this size; returns its own */
static size_t put_misc(const struct attributes *all, size_t word, enum imalog_order order,
		       uint8_t out[MISC_MAX])
{
	uint8_t *at = out;
	size_t size;

	memset(out, 0, MISC_MAX);
	put(&at, 0, word, order);
	put(&at, 0, 4, order);
	put(&at, all->uid, 4, order);
	put(&at, all->gid, 4, order);
	put(&at, all->mode, 2, order);
	size = (size_t)(at - out);
	return (size + word - 1) / word * word;
}

/* Nothing in a record says whether the machine, or who signed for it, has 32 or 64 bits. */
static int check_word(struct imalog_sig_checker *checker, const struct imalog_record *record,
		      const struct imalog_sig *sig, const struct attributes *all, size_t word,
		      struct imalog_sig_result *result, struct imalog_error *error)
{
	enum imalog_order order = record->hash_order ? record->hash_order : record->order;
	uint8_t misc[MISC_MAX], digest[IMALOG_DIGEST_MAX], covered[IMALOG_DIGEST_MAX];
	struct imalog_hash_job job = { .spans = { all->values }, .nr_spans = 2 };
	struct imalog_claim claim = { .number = record->number,
				      .signer.id = { sig->keyid, sizeof(sig->keyid) },
				      .alg = sig->alg,
				      .digest = { covered, imalog_alg_size(sig->alg) },
				      .bytes = sig->bytes };
	int rc;

	job.spans[1] = (struct imalog_span){ misc, put_misc(all, word, order, misc) };
	rc = imalog_hash_one(imalog_sig_hasher(checker), sig->alg, &job, digest, error);
	if (rc == 0)
		rc = imalog_sig_digest(checker, sig,
				       (struct imalog_span){ digest, claim.digest.size },
				       covered, error);
	return rc < 0 ? rc : imalog_sig_verify(checker, &claim, result, error);
}

/* ---- security.ima ---- */

static bool ima_has_digest(struct imalog_span ima, const struct imalog_digest_field *digest)
{
	enum imalog_alg alg = imalog_sig_field_alg(digest);
	size_t head = 1;

	if (ima.data[0] == IMALOG_XATTR_DIGEST_NG)
		head = 2;
	/* Without a number it is SHA-1, or MD5, which proves nothing. */
	if (head == 2 ? ima.size < 2 || imalog_sig_hash_alg(ima.data[1]) != alg :
			alg != IMALOG_ALG_SHA1)
		return false;
	return alg != IMALOG_ALG_NONE &&
	       imalog_span_equal(digest->digest, (struct imalog_span){ ima.data + head,
								       ima.size - head });
}

/* Once EVM's signature is ok: is what it says of the content what was measured? */
static int check_content(struct imalog_sig_checker *checker, const struct imalog_record *record,
			 struct imalog_span ima, struct imalog_sig_result *result,
			 struct imalog_error *error)
{
	struct imalog_digest_field digest;
	struct imalog_sig_result inner = { .key = IMALOG_SIG_NO_KEY };
	int rc = 0;

	if (!imalog_sig_file_digest(record, &digest))
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED,
				  "the record has no digest of the file");
	else if (imalog_sig_no_digest(&digest))
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "%s",
				  imalog_sig_no_digest(&digest));
	else if (!imalog_sig_is_digest(ima))
		rc = imalog_sig_check_ima(checker, record, ima, &inner, error);
	else if (!ima_has_digest(ima, &digest))
		imalog_sig_decide(result, IMALOG_SIG_BAD,
				  "it covers a security.ima of another digest than the record's");
	if (rc == 0 && inner.status > IMALOG_SIG_OK) {
		imalog_sig_decide(result, inner.status, "security.ima, which it covers: %.100s",
				  inner.reason);
		result->sig = inner.sig;
		result->has_keyid = inner.has_keyid;
	}
	if (rc == 0 && inner.status == IMALOG_SIG_OK)
		imalog_sig_also_by(checker, result, &inner);
	return rc;
}

int imalog_sig_check_evm(struct imalog_sig_checker *checker, const struct imalog_record *record,
			 const struct imalog_sig *sig, struct imalog_sig_result *result,
			 struct imalog_error *error)
{
	static const size_t words[] = { 8, 4 };
	struct attributes all = { .uid = 0 };
	const char *wrong = find_attributes(record, &all);
	int rc = 0;

	if (wrong) {
		imalog_sig_decide(result, IMALOG_SIG_UNSUPPORTED, "%s", wrong);
		return 0;
	}
	wrong = all.uid > UINT32_MAX || all.gid > UINT32_MAX || all.mode > UINT16_MAX ?
			"a number exceeds what the kernel has for it" :
			split_values(&all, record->order);
	if (wrong) {
		imalog_sig_decide(result, IMALOG_SIG_BAD, "%s", wrong);
		return 0;
	}
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(words) && rc == 0; i++) {
		struct imalog_sig_result one = *result;

		imalog_sig_forget_keys(&one);
		rc = check_word(checker, record, sig, &all, words[i], &one, error);
		/* A key that could not be used says nothing of the other size either. */
		if (i == 0 || one.status == IMALOG_SIG_OK)
			*result = one;
		if (one.status == IMALOG_SIG_OK || one.status == IMALOG_SIG_UNKNOWN_KEY)
			break;
	}
	if (rc == 0 && result->status == IMALOG_SIG_OK)
		rc = check_content(checker, record, all.ima, result, error);
	return rc;
}
