// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Quotes: what a TPM signed, taken apart and compared with what was expected
 *
 * TPMS_ATTEST (TPM 2.0 Part 2, 10.12), integers big-endian:
 *
 *	u32	magic: ff 54 43 47
 *	u16	type: 0x8018 is a quote
 *	TPM2B	qualifiedSigner
 *	TPM2B	extraData: the nonce
 *	u64	clock; u32 resetCount; u32 restartCount; u8 safe
 *	u64	firmwareVersion
 *	u32	number of selections, then for each: u16 hash, u8 size, bitmap of PCRs
 *	TPM2B	pcrDigest
 *
 * The structure is read here and written by tpm2-tss.  A check does not look at a field:
 * it writes the structure as it would be if the field were as expected, and compares all
 * bytes with those that were signed.  Nothing in them can go unseen by both.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_TPM2_TSS
#include <tss2/tss2_mu.h>
#endif

#include "private.h"
#include "tpm-cursor.h"

/* Of other attestations; a quote with all banks has less than 400 bytes. */
#define MESSAGE_MAX 4096
/* TPM2B_NAME and TPM2B_DATA of the largest hash */
#define SIGNER_MAX (2 + IMALOG_DIGEST_MAX)
#define NONCE_MAX  IMALOG_DIGEST_MAX
/* TPMI_ST_ATTEST (TPM 2.0 Part 2, 10.12) */
#define ATTEST_FIRST 0x8014
#define ATTEST_LAST  0x801c

/* ---- verdicts ---- */

void imalog_quote_judge(struct imalog_quote *quote, enum imalog_quote_check check,
			enum imalog_verdict verdict, const char *reason, ...)
{
	va_list args;

	quote->checks[check].verdict = verdict;
	va_start(args, reason);
	vsnprintf(quote->checks[check].reason, sizeof(quote->checks[check].reason),
		  reason, args);
	va_end(args);
}

enum imalog_verdict imalog_quote_verdict(const struct imalog_quote *quote,
					 enum imalog_quote_check check)
{
	return quote->checks[check].verdict;
}

const char *imalog_quote_reason(const struct imalog_quote *quote,
				enum imalog_quote_check check)
{
	return quote->checks[check].reason;
}

const char *imalog_quote_check_name(enum imalog_quote_check check)
{
	static const char *const names[IMALOG_QUOTE_CHECKS] = {
		[IMALOG_QUOTE_SIGNATURE] = "signature", [IMALOG_QUOTE_KEY] = "key",
		[IMALOG_QUOTE_MAGIC] = "magic",		[IMALOG_QUOTE_NONCE] = "nonce",
		[IMALOG_QUOTE_SELECTION] = "selection", [IMALOG_QUOTE_DIGEST] = "digest",
		[IMALOG_QUOTE_CLOCK] = "clock",		[IMALOG_QUOTE_LOG] = "log",
	};

	return (unsigned int)check < IMALOG_QUOTE_CHECKS ? names[check] : "unknown check";
}

/* ---- writing what is expected ---- */

#ifdef HAVE_TPM2_TSS

static const bool can_marshal = true;

static bool put_sized(struct imalog_span from, void *to, size_t room, UINT16 *size)
{
	if (from.size > room)
		return false;
	if (from.size)
		memcpy(to, from.data, from.size);
	*size = (UINT16)from.size;
	return true;
}

static void put_banks(const struct imalog_quote *quote, TPML_PCR_SELECTION *list)
{
	list->count = (UINT32)quote->nr_banks;
	for (size_t i = 0; i < quote->nr_banks; i++) {
		TPMS_PCR_SELECTION *to = &list->pcrSelections[i];

		to->hash = quote->banks[i].id;
		to->sizeofSelect = (UINT8)quote->banks[i].size;
		for (size_t byte = 0; byte < sizeof(to->pcrSelect); byte++)
			to->pcrSelect[byte] = (BYTE)(quote->banks[i].pcrs >> (8 * byte));
	}
}

/* The bytes of a structure with all fields of @quote; 0 when tpm2-tss cannot hold them. */
static size_t marshal(const struct imalog_quote *quote, uint8_t *out, size_t room)
{
	TPMS_ATTEST attest = {
		.magic = quote->magic,
		.type = quote->type,
		.clockInfo = { .clock = quote->clock.clock,
			       .resetCount = quote->clock.reset_count,
			       .restartCount = quote->clock.restart_count,
			       .safe = quote->clock.safe },
		.firmwareVersion = quote->clock.firmware_version,
	};
	TPMS_QUOTE_INFO *info = &attest.attested.quote;
	size_t size = 0;

	if (!put_sized(quote->signer, attest.qualifiedSigner.name,
		       sizeof(attest.qualifiedSigner.name),
		       &attest.qualifiedSigner.size) ||
	    !put_sized(quote->nonce, attest.extraData.buffer,
		       sizeof(attest.extraData.buffer), &attest.extraData.size) ||
	    !put_sized(quote->pcr_digest, info->pcrDigest.buffer,
		       sizeof(info->pcrDigest.buffer), &info->pcrDigest.size))
		return 0;
	put_banks(quote, &info->pcrSelect);
	return Tss2_MU_TPMS_ATTEST_Marshal(&attest, out, room, &size) == TSS2_RC_SUCCESS ?
		       size :
		       0;
}

#else

static const bool can_marshal;

static size_t marshal(const struct imalog_quote *quote, uint8_t *out, size_t room)
{
	(void)quote;
	(void)out;
	(void)room;
	return 0;
}

#endif

/* Is what was signed, byte for byte, this? */
static bool is_as(const struct imalog_quote *quote, const struct imalog_quote *expected)
{
	uint8_t bytes[MESSAGE_MAX];
	struct imalog_span written = { bytes, marshal(expected, bytes, sizeof(bytes)) };

	return written.size && imalog_span_equal(written, quote->message);
}

bool imalog_quote_is_quote(struct imalog_quote *quote, enum imalog_quote_check check)
{
	if (quote->type != IMALOG_TPM_ATTEST_QUOTE)
		imalog_quote_judge(quote, check, IMALOG_NOT_CHECKED, "it is not a quote");
	return quote->type == IMALOG_TPM_ATTEST_QUOTE;
}

bool imalog_quote_has_digest(const struct imalog_quote *quote, struct imalog_span digest)
{
	struct imalog_quote expected = *quote;

	expected.pcr_digest = digest;
	return is_as(quote, &expected);
}

/* ---- reading ---- */

static void parse_bank(struct imalog_tpm_cursor *tpm, struct imalog_quote_bank *bank)
{
	struct imalog_span bits;

	bank->id = imalog_tpm_u16(tpm, "pcrSelect");
	bank->alg = imalog_alg_by_tpm_id(bank->id);
	bank->size = (size_t)imalog_tpm_uint(tpm, 1, "pcrSelect");
	bits = imalog_tpm_bytes(tpm, bank->size, "pcrSelect");
	if (tpm->rc == 0 && (bank->size == 0 || bank->size > IMALOG_QUOTE_PCRS / 8))
		tpm->rc = imalog_fail(tpm->error, IMALOG_ERR_LIMIT, "pcrSelect",
				      "a bitmap of %zu bytes, 1 to %d are possible",
				      bank->size, IMALOG_QUOTE_PCRS / 8);
	for (size_t i = 0; tpm->rc == 0 && i < bank->size; i++)
		bank->pcrs |= (uint32_t)bits.data[i] << (8 * i);
}

static void parse_quote_info(struct imalog_tpm_cursor *tpm, struct imalog_quote *quote)
{
	uint64_t count = imalog_tpm_uint(tpm, 4, "pcrSelect");

	if (tpm->rc == 0 && count > IMALOG_QUOTE_BANKS)
		tpm->rc = imalog_fail(tpm->error, IMALOG_ERR_LIMIT, "pcrSelect",
				      "%llu selections exceed the limit of %d",
				      (unsigned long long)count, IMALOG_QUOTE_BANKS);
	while (tpm->rc == 0 && quote->nr_banks < count)
		parse_bank(tpm, &quote->banks[quote->nr_banks++]);
	quote->pcr_digest = imalog_tpm_sized(tpm, IMALOG_DIGEST_MAX, "pcrDigest");
	imalog_tpm_end(tpm, "pcrDigest");
}

static void parse_clock(struct imalog_tpm_cursor *tpm, struct imalog_quote_clock *clock)
{
	uint64_t safe;

	clock->clock = imalog_tpm_uint(tpm, 8, "clock");
	clock->reset_count = (uint32_t)imalog_tpm_uint(tpm, 4, "resetCount");
	clock->restart_count = (uint32_t)imalog_tpm_uint(tpm, 4, "restartCount");
	safe = imalog_tpm_uint(tpm, 1, "safe");
	if (tpm->rc == 0 && safe > 1)
		tpm->rc = imalog_fail(tpm->error, IMALOG_ERR_BAD_VALUE, "safe",
				      "%llu is neither yes (1) nor no (0)",
				      (unsigned long long)safe);
	clock->safe = safe;
	clock->firmware_version = imalog_tpm_uint(tpm, 8, "firmwareVersion");
}

static int parse_attest(struct imalog_quote *quote, struct imalog_error *error)
{
	struct imalog_tpm_cursor tpm = imalog_tpm_over(quote->message, error);

	quote->magic = (uint32_t)imalog_tpm_uint(&tpm, 4, "magic");
	quote->type = imalog_tpm_u16(&tpm, "type");
	if (tpm.rc == 0 && quote->magic != IMALOG_TPM_GENERATED &&
	    (quote->type < ATTEST_FIRST || quote->type > ATTEST_LAST))
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "",
				   "neither a TPMS_ATTEST nor a TPM2B_ATTEST");
	quote->signer = imalog_tpm_sized(&tpm, SIGNER_MAX, "qualifiedSigner");
	quote->nonce = imalog_tpm_sized(&tpm, NONCE_MAX, "extraData");
	parse_clock(&tpm, &quote->clock);
	if (quote->type == IMALOG_TPM_ATTEST_QUOTE)
		parse_quote_info(&tpm, quote);
	return tpm.rc;
}

static void judge_magic(struct imalog_quote *quote)
{
	struct imalog_quote expected = *quote;

	expected.magic = IMALOG_TPM_GENERATED;
	expected.type = IMALOG_TPM_ATTEST_QUOTE;
	if (is_as(quote, &expected))
		imalog_quote_judge(quote, IMALOG_QUOTE_MAGIC, IMALOG_MATCH, "%s", "");
	else if (quote->magic != IMALOG_TPM_GENERATED)
		imalog_quote_judge(quote, IMALOG_QUOTE_MAGIC, IMALOG_MISMATCH,
				   "0x%08x, not made by a TPM", quote->magic);
	else if (quote->type != IMALOG_TPM_ATTEST_QUOTE)
		imalog_quote_judge(quote, IMALOG_QUOTE_MAGIC, IMALOG_MISMATCH,
				   "type 0x%x, an attestation but not a quote",
				   quote->type);
	else
		imalog_quote_judge(quote, IMALOG_QUOTE_MAGIC, IMALOG_MISMATCH,
				   "no TPM writes a quote like this");
}

/* A TPMS_ATTEST starts with the magic; before it there may be a size. */
static struct imalog_span unwrap(struct imalog_span message)
{
	struct imalog_tpm_cursor tpm = imalog_tpm_over(message, NULL);

	if (imalog_tpm_uint(&tpm, 4, "magic") == IMALOG_TPM_GENERATED)
		return message;
	return imalog_tpm_unwrap(message);
}

static int parse(struct imalog_quote *quote, struct imalog_span message,
		 struct imalog_error *error)
{
	if (message.size > MESSAGE_MAX)
		return imalog_fail(error, IMALOG_ERR_LIMIT, "",
				   "%zu bytes exceed the limit of %d", message.size,
				   MESSAGE_MAX);
	quote->owned = malloc(message.size ? message.size : 1);
	if (!quote->owned)
		return imalog_fail_nomem(error);
	if (message.size)
		memcpy(quote->owned, message.data, message.size);
	quote->message = unwrap((struct imalog_span){ quote->owned, message.size });
	return parse_attest(quote, error);
}

int imalog_quote_parse(struct imalog_span message, struct imalog_quote **ret,
		       struct imalog_error *reterr)
{
	struct imalog_quote *quote;
	int rc;

	if (!can_marshal)
		return imalog_fail(
			reterr, IMALOG_ERR_UNSUPPORTED, "",
			"this libimalog was built without tpm2-tss, which quotes need");
	quote = calloc(1, sizeof(*quote));
	if (!quote)
		return imalog_fail_nomem(reterr);
	rc = parse(quote, message, reterr);
	if (rc < 0) {
		imalog_quote_free(&quote);
		return rc;
	}
	judge_magic(quote);
	*ret = quote;
	return 0;
}

void imalog_quote_free(struct imalog_quote **quote)
{
	if (!quote || !*quote)
		return;
	free((*quote)->owned);
	free(*quote);
	*quote = NULL;
}

/* ---- nonce and clock ---- */

void imalog_quote_check_nonce(struct imalog_quote *quote, struct imalog_span nonce)
{
	struct imalog_quote expected = *quote;

	expected.nonce = nonce;
	if (!imalog_quote_is_quote(quote, IMALOG_QUOTE_NONCE))
		return;
	if (nonce.size == 0)
		imalog_quote_judge(quote, IMALOG_QUOTE_NONCE, IMALOG_NOT_CHECKED,
				   "an empty nonce proves nothing");
	else if (is_as(quote, &expected))
		imalog_quote_judge(quote, IMALOG_QUOTE_NONCE, IMALOG_MATCH, "%s", "");
	else
		imalog_quote_judge(quote, IMALOG_QUOTE_NONCE, IMALOG_MISMATCH,
				   quote->nonce.size ? "the quote answers another one" :
						       "the quote was made without one");
}

static const char *clock_objection(const struct imalog_quote_clock *now,
				   const struct imalog_quote_clock *then)
{
	/* Quotes of some keys have a number added to their counters, which may wrap. */
	if (now->reset_count != then->reset_count)
		return now->reset_count - then->reset_count < UINT32_MAX / 2 ?
			       "the TPM was reset since the previous quote" :
			       "there were fewer resets than at the previous quote";
	if (now->restart_count != then->restart_count)
		return now->restart_count - then->restart_count < UINT32_MAX / 2 ?
			       "the TPM was restarted or resumed since the previous quote" :
			       "there were fewer restarts than at the previous quote";
	if (now->firmware_version != then->firmware_version)
		return "the TPM's firmware is another one than at the previous quote";
	if (now->clock <= then->clock)
		return now->clock == then->clock ?
			       "the clock has not moved since the previous quote" :
			       "the clock is behind that of the previous quote";
	return NULL;
}

void imalog_quote_check_previous(struct imalog_quote *quote,
				 const struct imalog_quote *previous)
{
	const char *no = clock_objection(&quote->clock, &previous->clock);

	if (!imalog_quote_is_quote(quote, IMALOG_QUOTE_CLOCK))
		return;
	if (previous->checks[IMALOG_QUOTE_MAGIC].verdict != IMALOG_MATCH)
		imalog_quote_judge(quote, IMALOG_QUOTE_CLOCK, IMALOG_NOT_CHECKED,
				   "what was given as the previous quote is none");
	else if (!imalog_span_equal(quote->signer, previous->signer))
		imalog_quote_judge(quote, IMALOG_QUOTE_CLOCK, IMALOG_NOT_CHECKED,
				   "the previous quote is of another key");
	else if (no)
		imalog_quote_judge(quote, IMALOG_QUOTE_CLOCK, IMALOG_MISMATCH, "%s", no);
	else
		imalog_quote_judge(
			quote, IMALOG_QUOTE_CLOCK, IMALOG_MATCH,
			"%llu ms after the previous quote",
			(unsigned long long)(quote->clock.clock - previous->clock.clock));
}

/* ---- fields ---- */

uint16_t imalog_quote_type(const struct imalog_quote *quote)
{
	return quote->type;
}

struct imalog_span imalog_quote_nonce(const struct imalog_quote *quote)
{
	return quote->nonce;
}

struct imalog_span imalog_quote_signer(const struct imalog_quote *quote)
{
	return quote->signer;
}

void imalog_quote_clock(const struct imalog_quote *quote, struct imalog_quote_clock *ret)
{
	*ret = quote->clock;
}

size_t imalog_quote_banks(const struct imalog_quote *quote)
{
	return quote->nr_banks;
}

uint32_t imalog_quote_bank(const struct imalog_quote *quote, size_t i,
			   enum imalog_alg *alg)
{
	if (alg)
		*alg = quote->banks[i].alg;
	return quote->banks[i].pcrs;
}

bool imalog_quote_selects(const struct imalog_quote *quote, enum imalog_alg alg,
			  uint32_t pcr)
{
	for (size_t i = 0; i < quote->nr_banks; i++)
		if (quote->banks[i].alg == alg && pcr < IMALOG_QUOTE_PCRS &&
		    quote->banks[i].pcrs >> pcr & 1)
			return true;
	return false;
}

struct imalog_span imalog_quote_pcr_digest(const struct imalog_quote *quote)
{
	return quote->pcr_digest;
}

enum imalog_alg imalog_quote_hash(const struct imalog_quote *quote)
{
	return quote->hash;
}

void imalog_quote_set_hash(struct imalog_quote *quote, enum imalog_alg alg)
{
	quote->hash = alg;
}
