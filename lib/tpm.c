// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The TPM of this machine, through the ESYS layer of tpm2-tss
 *
 * Everything here reads; nothing is authorized, extended or changed.  tpm2-tss writes warnings
 * to standard error unless the environment variable TSS2_LOG says "all+none" when it is first
 * used.  A library must not change the environment, so that is left to the program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

const char *imalog_tpm_library(void)
{
#ifdef HAVE_TPM2_TSS
	return "tpm2-tss " TPM2_TSS_VERSION;
#else
	return NULL;
#endif
}

bool imalog_tpm_supported(void)
{
#ifdef HAVE_TPM2_TSS
	return true;
#else
	return false;
#endif
}

#ifdef HAVE_TPM2_TSS

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

/* Times that the PCRs are read when others extend them meanwhile; some seconds in all */
#define READ_ATTEMPTS 32

struct imalog_tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
};

static int tpm_failed(TSS2_RC rc, const char *doing, struct imalog_error *error)
{
	return imalog_fail_tpm(error, rc, "%s: %s", doing, Tss2_RC_Decode(rc));
}

/* ---- opening ---- */

/* Says what was tried, since the reason of tpm2-tss is of few words. */
static int open_failed(TSS2_RC rc, const char *tcti, bool from_env, struct imalog_error *error)
{
	char shown[IMALOG_PRINTABLE_MAX];

	if (!tcti)
		return imalog_fail_tpm(error, rc, "no TPM: tried /dev/tpmrm0, /dev/tpm0 and "
					  "tabrmd (no TCTI given, no TPM2TOOLS_TCTI): %s",
				       Tss2_RC_Decode(rc));
	return imalog_fail_tpm(error, rc, "no TPM: tried TCTI '%s'%s: %s",
			       imalog_printable(imalog_span_of(tcti), shown),
			       from_env ? " of TPM2TOOLS_TCTI" : "", Tss2_RC_Decode(rc));
}

/*
 * The default of tpm2-tss ends with simulators on local ports: whoever listens there would be
 * taken for the machine's TPM.  These are the others that it tries.
 */
static TSS2_RC open_default(TSS2_TCTI_CONTEXT **tcti)
{
	static const char *const defaults[] = { "device:/dev/tpmrm0", "device:/dev/tpm0",
						"tabrmd" };
	TSS2_RC rc = TSS2_RC_SUCCESS;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(defaults); i++) {
		rc = Tss2_TctiLdr_Initialize(defaults[i], tcti);
		if (rc == TSS2_RC_SUCCESS)
			break;
	}
	return rc;
}

int imalog_tpm_open(const char *tcti, struct imalog_tpm **ret, struct imalog_error *reterr)
{
	bool from_env = !tcti;
	struct imalog_tpm *tpm;
	TSS2_RC rc;

	if (from_env)
		tcti = secure_getenv("TPM2TOOLS_TCTI");
	if (tcti && !*tcti)
		tcti = NULL;
	tpm = calloc(1, sizeof(*tpm));
	if (!tpm)
		return imalog_fail_nomem(reterr);
	rc = tcti ? Tss2_TctiLdr_Initialize(tcti, &tpm->tcti) : open_default(&tpm->tcti);
	if (rc == TSS2_RC_SUCCESS)
		rc = Esys_Initialize(&tpm->esys, tpm->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS) {
		imalog_tpm_close(&tpm);
		return open_failed(rc, tcti, from_env, reterr);
	}
	*ret = tpm;
	return 0;
}

void imalog_tpm_close(struct imalog_tpm **tpm)
{
	if (!tpm || !*tpm)
		return;
	if ((*tpm)->esys)
		Esys_Finalize(&(*tpm)->esys);
	if ((*tpm)->tcti)
		Tss2_TctiLdr_Finalize(&(*tpm)->tcti);
	free(*tpm);
	*tpm = NULL;
}

/* ---- PCRs ---- */

/* The PCRs of all banks that are active and of a known algorithm. */
static int active_banks(struct imalog_tpm *tpm, TPML_PCR_SELECTION *ret,
			struct imalog_error *error)
{
	TPMS_CAPABILITY_DATA *data;
	TPML_PCR_SELECTION *all;
	TPMI_YES_NO more;
	TSS2_RC rc = Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					TPM2_CAP_PCRS, 0, 1, &more, &data);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_failed(rc, "cannot ask the TPM for its banks", error);
	all = &data->data.assignedPCR;
	ret->count = 0;
	for (UINT32 i = 0; i < all->count; i++)
		if (imalog_alg_by_tpm_id(all->pcrSelections[i].hash) != IMALOG_ALG_NONE)
			ret->pcrSelections[ret->count++] = all->pcrSelections[i];
	Esys_Free(data);
	return 0;
}

static bool is_selected(const TPMS_PCR_SELECTION *bank, uint32_t pcr)
{
	return pcr < 8u * bank->sizeofSelect && (bank->pcrSelect[pcr / 8] >> pcr % 8 & 1);
}

static bool is_empty(const TPMS_PCR_SELECTION *bank)
{
	for (uint32_t pcr = 0; pcr < 8u * bank->sizeofSelect; pcr++)
		if (is_selected(bank, pcr))
			return false;
	return true;
}

/* Takes the values of one answer, and their PCRs out of those that are wanted. */
static int take_values(TPMS_PCR_SELECTION *wanted, const TPML_PCR_SELECTION *given,
		       const TPML_DIGEST *values, struct imalog_pcrs *out,
		       struct imalog_error *error)
{
	UINT32 used = 0;

	for (uint32_t pcr = 0; given->count == 1 && used < values->count; pcr++) {
		const TPM2B_DIGEST *digest = &values->digests[used];
		int rc;

		if (pcr == 8u * wanted->sizeofSelect)
			break;
		if (!is_selected(&given->pcrSelections[0], pcr) || !is_selected(wanted, pcr))
			continue;
		rc = imalog_pcrs_set(out, imalog_alg_by_tpm_id(wanted->hash), pcr,
				     (struct imalog_span){ digest->buffer, digest->size },
				     error);
		if (rc < 0)
			return rc;
		wanted->pcrSelect[pcr / 8] ^= (BYTE)(1 << pcr % 8);
		used++;
	}
	if (used == 0 || used < values->count)
		return imalog_fail_tpm(error, 0,
				       "the TPM gave %u PCR values, %u of them wanted",
				       values->count, used);
	return 0;
}

/* One TPM2_PCR_Read, of up to 8 values; *@changed when PCRs changed since the one before. */
static int read_some(struct imalog_tpm *tpm, TPMS_PCR_SELECTION *wanted,
		     struct imalog_pcrs *out, UINT32 *counter, bool *changed,
		     struct imalog_error *error)
{
	TPML_PCR_SELECTION selection = { .count = 1, .pcrSelections = { *wanted } }, *given;
	bool first = imalog_pcrs_count(out) == 0;
	TPML_DIGEST *values;
	UINT32 now;
	TSS2_RC tss = Esys_PCR_Read(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
				    &selection, &now, &given, &values);
	int rc;

	if (tss != TSS2_RC_SUCCESS)
		return tpm_failed(tss, "cannot read PCRs of the TPM", error);
	*changed = !first && now != *counter;
	*counter = now;
	rc = take_values(wanted, given, values, out, error);
	Esys_Free(given);
	Esys_Free(values);
	return rc;
}

/* One attempt to read everything; *@changed when it was in vain. */
static int read_all(struct imalog_tpm *tpm, TPML_PCR_SELECTION banks, struct imalog_pcrs *out,
		    UINT32 *counter, bool *changed, struct imalog_error *error)
{
	int rc = 0;

	*changed = false;
	for (UINT32 i = 0; i < banks.count; i++)
		while (rc == 0 && !*changed && !is_empty(&banks.pcrSelections[i]))
			rc = read_some(tpm, &banks.pcrSelections[i], out, counter, changed,
				       error);
	return rc;
}

static int add_all(const struct imalog_pcrs *from, struct imalog_pcrs *to,
		   struct imalog_error *error)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < imalog_pcrs_count(from); i++) {
		struct imalog_span value;
		enum imalog_alg alg;
		uint32_t pcr;

		value.data = imalog_pcrs_at(from, i, &alg, &pcr);
		value.size = imalog_alg_size(alg);
		rc = imalog_pcrs_set(to, alg, pcr, value, error);
	}
	return rc;
}

int imalog_tpm_read_pcrs(struct imalog_tpm *tpm, struct imalog_pcrs *out,
			 uint32_t *update_counter, struct imalog_error *reterr)
{
	TPML_PCR_SELECTION banks = { 0 };
	bool changed = true;
	UINT32 counter = 0;
	int rc = active_banks(tpm, &banks, reterr);

	for (int i = 0; rc == 0 && changed && i < READ_ATTEMPTS; i++) {
		struct imalog_pcrs *pcrs = imalog_pcrs_new();

		if (!pcrs)
			return imalog_fail_nomem(reterr);
		rc = read_all(tpm, banks, pcrs, &counter, &changed, reterr);
		if (rc == 0 && !changed)
			rc = add_all(pcrs, out, reterr);
		imalog_pcrs_free(&pcrs);
	}
	if (rc == 0 && changed)
		return imalog_fail_tpm(reterr, 0,
				       "PCRs changed each of the %d times they were read",
				       READ_ATTEMPTS);
	if (rc == 0 && update_counter)
		*update_counter = counter;
	return rc;
}

int imalog_tpm_clock(struct imalog_tpm *tpm, struct imalog_tpm_clock *ret,
		     struct imalog_error *reterr)
{
	TPMS_TIME_INFO *info;
	TSS2_RC rc =
		Esys_ReadClock(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &info);

	if (rc != TSS2_RC_SUCCESS)
		return tpm_failed(rc, "cannot read the clock of the TPM", reterr);
	*ret = (struct imalog_tpm_clock){ .clock = info->clockInfo.clock,
					  .reset_count = info->clockInfo.resetCount,
					  .restart_count = info->clockInfo.restartCount,
					  .safe = info->clockInfo.safe == TPM2_YES };
	Esys_Free(info);
	return 0;
}

/* ---- quotes ---- */

/* How tpm2-tools save an object (files.c): big-endian, sequence, and the blob of ESYS */
#define CONTEXT_MAGIC	0xbadcc0de
#define CONTEXT_VERSION 1

static int parse_context(struct imalog_span bytes, TPMS_CONTEXT *ret, struct imalog_error *error)
{
	struct imalog_cursor cursor = imalog_cursor_over(bytes, IMALOG_ORDER_BE);
	uint32_t magic = 0, version = 0;
	struct imalog_span blob;
	uint64_t size;

	if (!imalog_cursor_u32(&cursor, &magic) || !imalog_cursor_u32(&cursor, &version) ||
	    magic != CONTEXT_MAGIC || version != CONTEXT_VERSION ||
	    !imalog_cursor_u32(&cursor, &ret->hierarchy) ||
	    !imalog_cursor_u32(&cursor, &ret->savedHandle) ||
	    !imalog_cursor_uint(&cursor, 8, &ret->sequence) ||
	    !imalog_cursor_uint(&cursor, 2, &size) ||
	    !imalog_cursor_bytes(&cursor, (size_t)size, &blob) || cursor.left ||
	    size > sizeof(ret->contextBlob.buffer))
		return imalog_fail(error, IMALOG_ERR_BAD_FORMAT, "",
				   "not a context of a key as tpm2-tools save it");
	ret->contextBlob.size = (UINT16)size;
	memcpy(ret->contextBlob.buffer, blob.data, blob.size);
	return 0;
}

static int read_context(const char *path, TPMS_CONTEXT *ret, struct imalog_error *error)
{
	uint8_t bytes[sizeof(TPMS_CONTEXT) + 64];
	FILE *file = fopen(path, "re");
	size_t size;
	int rc;

	if (!file)
		return imalog_fail_errno(error, errno, "cannot open the context of the key");
	size = fread(bytes, 1, sizeof(bytes), file);
	if (ferror(file))
		rc = imalog_fail_errno(error, errno, "cannot read the context of the key");
	else
		rc = parse_context((struct imalog_span){ bytes, size }, ret, error);
	fclose(file);
	return rc;
}

/* A handle such as 0x81010002, or the file of a context */
static int load_key(struct imalog_tpm *tpm, const char *ak, ESYS_TR *ret, bool *transient,
		    struct imalog_error *error)
{
	TPMS_CONTEXT context;
	uint8_t handle[4];
	TSS2_RC rc;
	int failed;

	*transient = strncmp(ak, "0x", 2) != 0 || strlen(ak) != 10 ||
		     !imalog_hex_decode(imalog_span_of(ak + 2), handle);
	if (!*transient) {
		rc = Esys_TR_FromTPMPublic(tpm->esys,
					   (TPM2_HANDLE)handle[0] << 24 | handle[1] << 16 |
						   handle[2] << 8 | handle[3],
					   ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret);
	} else {
		failed = read_context(ak, &context, error);
		if (failed < 0) {
			imalog_error_set_source(error, ak);
			return failed;
		}
		rc = Esys_ContextLoad(tpm->esys, &context, ret);
	}
	if (rc == TSS2_RC_SUCCESS)
		return 0;
	failed = tpm_failed(rc, "cannot load the key to quote with", error);
	imalog_error_set_source(error, ak);
	return failed;
}

static int copy_out(const uint8_t *data, size_t size, struct imalog_span *ret,
		    struct imalog_error *error)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return imalog_fail_nomem(error);
	memcpy(copy, data, size);
	*ret = (struct imalog_span){ copy, size };
	return 0;
}

static int take_quote(const TPM2B_ATTEST *quoted, const TPMT_SIGNATURE *signature,
		      struct imalog_span *ret_message, struct imalog_span *ret_signature,
		      struct imalog_error *error)
{
	uint8_t bytes[sizeof(*signature)];
	struct imalog_span message;
	size_t size = 0;
	TSS2_RC rc = Tss2_MU_TPMT_SIGNATURE_Marshal(signature, bytes, sizeof(bytes), &size);
	int failed;

	if (rc != TSS2_RC_SUCCESS)
		return tpm_failed(rc, "cannot encode the signature of a quote", error);
	failed = copy_out(quoted->attestationData, quoted->size, &message, error);
	if (failed < 0)
		return failed;
	failed = copy_out(bytes, size, ret_signature, error);
	if (failed < 0)
		free((void *)message.data);
	else
		*ret_message = message;
	return failed;
}

int imalog_tpm_quote(struct imalog_tpm *tpm, const char *ak, enum imalog_alg alg, uint32_t pcrs,
		     struct imalog_span nonce, struct imalog_span *message,
		     struct imalog_span *signature, struct imalog_error *reterr)
{
	TPML_PCR_SELECTION selection = { .count = 1 };
	TPMT_SIG_SCHEME scheme = { .scheme = TPM2_ALG_NULL }; /* that of the key */
	TPM2B_DATA data = { .size = (UINT16)nonce.size };
	TPMT_SIGNATURE *signed_by;
	TPM2B_ATTEST *quoted;
	bool transient;
	ESYS_TR key;
	TSS2_RC tss;
	int rc;

	if (imalog_alg_tpm_id(alg) == 0 || nonce.size > sizeof(data.buffer) || pcrs >> 24)
		return imalog_fail(reterr, IMALOG_ERR_INVALID, "",
				   "no such bank or PCR, or a nonce of %zu bytes", nonce.size);
	if (nonce.size)
		memcpy(data.buffer, nonce.data, nonce.size);
	selection.pcrSelections[0] = (TPMS_PCR_SELECTION){
		.hash = imalog_alg_tpm_id(alg),
		.sizeofSelect = 3,
		.pcrSelect = { (BYTE)pcrs, (BYTE)(pcrs >> 8), (BYTE)(pcrs >> 16) },
	};
	rc = load_key(tpm, ak, &key, &transient, reterr);
	if (rc < 0)
		return rc;
	tss = Esys_Quote(tpm->esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &data,
			 &scheme, &selection, &quoted, &signed_by);
	if (transient)
		Esys_FlushContext(tpm->esys, key);
	else
		Esys_TR_Close(tpm->esys, &key);
	if (tss != TSS2_RC_SUCCESS)
		return tpm_failed(tss, "the TPM does not quote with this key", reterr);
	rc = take_quote(quoted, signed_by, message, signature, reterr);
	Esys_Free(quoted);
	Esys_Free(signed_by);
	return rc;
}

#else /* HAVE_TPM2_TSS */

static int no_tss(struct imalog_error *error)
{
	return imalog_fail(
		error, IMALOG_ERR_UNSUPPORTED, "",
		"this libimalog was built without tpm2-tss and cannot talk to a TPM");
}

int imalog_tpm_open(const char *tcti, struct imalog_tpm **ret, struct imalog_error *reterr)
{
	(void)tcti;
	(void)ret;
	return no_tss(reterr);
}

void imalog_tpm_close(struct imalog_tpm **tpm)
{
	if (tpm)
		*tpm = NULL;
}

int imalog_tpm_read_pcrs(struct imalog_tpm *tpm, struct imalog_pcrs *out,
			 uint32_t *update_counter, struct imalog_error *reterr)
{
	(void)tpm;
	(void)out;
	(void)update_counter;
	return no_tss(reterr);
}

int imalog_tpm_clock(struct imalog_tpm *tpm, struct imalog_tpm_clock *ret,
		     struct imalog_error *reterr)
{
	(void)tpm;
	(void)ret;
	return no_tss(reterr);
}

int imalog_tpm_quote(struct imalog_tpm *tpm, const char *ak, enum imalog_alg alg, uint32_t pcrs,
		     struct imalog_span nonce, struct imalog_span *message,
		     struct imalog_span *signature, struct imalog_error *reterr)
{
	(void)tpm;
	(void)ak;
	(void)alg;
	(void)pcrs;
	(void)nonce;
	(void)message;
	(void)signature;
	return no_tss(reterr);
}

#endif
