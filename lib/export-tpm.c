// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the TPM says while an export goes on: values, clock, a quote
 *
 * Read before the kernel's lists are held, and so before the records are staged: whatever was
 * extended then is in the list that is read later.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"

#define TPM_DEVICE "dev/tpmrm0"
/* The firmware's, which boot_aggregate is about, and IMA's own */
#define QUOTED_PCRS 0x7ffu
/* Attempts to quote what was just read, when others extend PCRs meanwhile */
#define QUOTE_ATTEMPTS 8

void imalog_witness_free(struct imalog_witness *witness)
{
	imalog_pcrs_free(&witness->pcrs);
	free((void *)witness->quote.data);
	free((void *)witness->signature.data);
	*witness = (struct imalog_witness){ 0 };
}

static bool is_there(const char *root, const char *path)
{
	int fd = imalog_root_open(root, path, O_PATH);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

enum imalog_tpm_use imalog_tpm_find(const char *root, char tcti[IMALOG_TCTI_MAX])
{
	tcti[0] = '\0';
	if (secure_getenv("TPM2TOOLS_TCTI"))
		return IMALOG_TPM_TSS;
	if (imalog_tpm_supported() && is_there(root, TPM_DEVICE)) {
		snprintf(tcti, IMALOG_TCTI_MAX, "device:%s/" TPM_DEVICE,
			 strcmp(root, "/") == 0 ? "" : root);
		return IMALOG_TPM_TSS;
	}
	return is_there(root, "sys/class/tpm/tpm0") ? IMALOG_TPM_SYSFS : IMALOG_TPM_NONE;
}

/* Where to look, and for tpm2-tss the TCTI in @tcti, "" for its own choice */
static enum imalog_tpm_use choose(const struct imalog_export *export,
				  char tcti[IMALOG_TCTI_MAX])
{
	if (!export->tcti && export->tpm_use == IMALOG_TPM_AUTO)
		return imalog_tpm_find(export->root, tcti);
	snprintf(tcti, IMALOG_TCTI_MAX, "%s", export->tcti ? export->tcti : "");
	return export->tpm_use == IMALOG_TPM_AUTO ? IMALOG_TPM_TSS : export->tpm_use;
}

/* The strongest bank that is there: one is enough, since all are extended alike. */
static enum imalog_alg quoted_bank(const struct imalog_pcrs *pcrs)
{
	static const enum imalog_alg banks[] = { IMALOG_ALG_SHA256, IMALOG_ALG_SHA384,
						 IMALOG_ALG_SHA512, IMALOG_ALG_SM3,
						 IMALOG_ALG_SHA1 };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(banks); i++)
		if (imalog_pcrs_get(pcrs, banks[i], 10))
			return banks[i];
	return IMALOG_ALG_NONE;
}

/* The hash of a TPMT_SIGNATURE (TPM 2.0 Part 2, 11.3.4), which is that of the signed digest */
static enum imalog_alg signature_hash(struct imalog_span signature)
{
	struct imalog_cursor cursor = imalog_cursor_over(signature, IMALOG_ORDER_BE);
	uint64_t scheme, hash;

	if (!imalog_cursor_uint(&cursor, 2, &scheme) || !imalog_cursor_uint(&cursor, 2, &hash))
		return IMALOG_ALG_NONE;
	return imalog_alg_by_tpm_id((uint16_t)hash);
}

/* Is it a quote of these very values?  1, 0, or negative */
static int quote_fits(const struct imalog_witness *witness, struct imalog_error *error)
{
	struct imalog_quote *quote;
	int rc = imalog_quote_parse(witness->quote, &quote, error);

	if (rc < 0)
		return rc;
	imalog_quote_set_hash(quote, signature_hash(witness->signature));
	rc = imalog_quote_check_values(quote, witness->pcrs, NULL, error);
	if (rc == 0)
		rc = imalog_quote_verdict(quote, IMALOG_QUOTE_DIGEST) == IMALOG_MATCH;
	imalog_quote_free(&quote);
	return rc;
}

static int read_values(struct imalog_tpm *tpm, struct imalog_witness *witness,
		       struct imalog_error *error)
{
	imalog_pcrs_free(&witness->pcrs);
	witness->pcrs = imalog_pcrs_new();
	if (!witness->pcrs)
		return imalog_fail_nomem(error);
	return imalog_tpm_read_pcrs(tpm, witness->pcrs, NULL, error);
}

static int read_quoted(const struct imalog_export *export, struct imalog_tpm *tpm,
		       struct imalog_witness *witness, struct imalog_error *error)
{
	struct imalog_span nonce = { export->base.chain, IMALOG_SHA256_SIZE };

	memcpy(witness->nonce, export->base.chain, IMALOG_SHA256_SIZE);
	for (int i = 0; i < QUOTE_ATTEMPTS; i++) {
		int rc = read_values(tpm, witness, error);

		free((void *)witness->quote.data);
		free((void *)witness->signature.data);
		witness->quote = witness->signature = (struct imalog_span){ NULL, 0 };
		if (rc == 0)
			rc = imalog_tpm_quote(tpm, export->ak, quoted_bank(witness->pcrs),
					      QUOTED_PCRS, nonce, &witness->quote,
					      &witness->signature, error);
		if (rc == 0)
			rc = quote_fits(witness, error);
		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	return imalog_fail_tpm(error, 0, "PCRs changed each of the %d times they were quoted",
			       QUOTE_ATTEMPTS);
}

static int read_tss(const struct imalog_export *export, const char *tcti, bool quote,
		    struct imalog_witness *ret, struct imalog_error *error)
{
	struct imalog_tpm *tpm;
	int rc = imalog_tpm_open(tcti[0] ? tcti : NULL, &tpm, error);

	if (rc < 0)
		return rc;
	rc = imalog_tpm_clock(tpm, &ret->clock, error);
	ret->has_clock = rc == 0;
	if (rc == 0)
		rc = quote && export->ak ? read_quoted(export, tpm, ret, error) :
					   read_values(tpm, ret, error);
	imalog_tpm_close(&tpm);
	return rc;
}

static int read_sysfs(const struct imalog_export *export, struct imalog_witness *ret,
		      struct imalog_error *error)
{
	ret->pcrs = imalog_pcrs_new();
	if (!ret->pcrs)
		return imalog_fail_nomem(error);
	return imalog_sysfs_read_pcrs(export->root, ret->pcrs, error);
}

static int read_tpm(const struct imalog_export *export, bool quote, struct imalog_witness *ret,
		    struct imalog_error *error)
{
	char tcti[IMALOG_TCTI_MAX];
	int rc = 0;

	*ret = (struct imalog_witness){ 0 };
	switch (choose(export, tcti)) {
	case IMALOG_TPM_TSS:
		rc = read_tss(export, tcti, quote, ret, error);
		break;
	case IMALOG_TPM_SYSFS:
		rc = read_sysfs(export, ret, error);
		break;
	case IMALOG_TPM_NONE:
	case IMALOG_TPM_AUTO:
		break;
	}
	if (rc < 0)
		imalog_witness_free(ret);
	return rc;
}

static int open_list(const char *root, bool staged, unsigned int wait_ms, int *fd,
		     struct imalog_error *error)
{
	return staged ? imalog_staged_open(root, wait_ms, fd, error) :
			imalog_list_open(root, wait_ms, fd, error);
}

const struct imalog_world imalog_machine = {
	.probe = imalog_kernel_probe,
	.boot_id = imalog_kernel_boot_id,
	.open = imalog_staging_open_files,
	.stage = imalog_staging_stage,
	.first = imalog_staging_first,
	.source = imalog_staging_source,
	.list = imalog_staging_list,
	.discard = imalog_staging_delete,
	.close = imalog_staging_close,
	.open_list = open_list,
	.read_tpm = read_tpm,
	.check_store = imalog_durable_check,
	.check_dir = imalog_durable_check_fd,
};
