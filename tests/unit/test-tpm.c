// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/tpm.c, against a software TPM: the values are those that tpm2_pcrextend made, of one
 * moment, whatever others do meanwhile; answers that cannot be are refused.
 *
 * Linked with --wrap=Esys_PCR_Read, so that PCRs change between two readings, and answers lie.
 */
#include "log.h"

#ifdef HAVE_TPM2_TSS

#include <tss2/tss2_esys.h>

#include "swtpm.h"

#define NEED_SWTPM(names, tpm)                                               \
	do {                                                                 \
		setenv("TSS2_LOG", "all+none", 1);                           \
		if (!swtpm_new(names, tpm))                                  \
			SKIP("needs swtpm, swtpm_setup and tpm2_pcrextend"); \
	} while (0)

/* ---- what the wrapped command does ---- */

static struct {
	int extends;   /* readings before which PCR 10 of SHA-256 is extended */
	uint32_t from; /* but not before this many readings */
	uint32_t readings;
	void (*lie)(TPML_PCR_SELECTION *selection, TPML_DIGEST *values);
} wrapped;

TSS2_RC __real_Esys_PCR_Read(ESYS_CONTEXT *esys, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
			     const TPML_PCR_SELECTION *in, UINT32 *counter,
			     TPML_PCR_SELECTION **out, TPML_DIGEST **values);
TSS2_RC __wrap_Esys_PCR_Read(ESYS_CONTEXT *esys, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
			     const TPML_PCR_SELECTION *in, UINT32 *counter,
			     TPML_PCR_SELECTION **out, TPML_DIGEST **values);

static void extend_10(ESYS_CONTEXT *esys)
{
	TPML_DIGEST_VALUES digests = { .count = 1,
				       .digests = { { .hashAlg = TPM2_ALG_SHA256 } } };

	memset(&digests.digests[0].digest, 0x77, 32);
	if (Esys_PCR_Extend(esys, ESYS_TR_PCR10, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
			    &digests) != TSS2_RC_SUCCESS)
		BAIL_OUT("cannot extend PCR 10");
}

TSS2_RC __wrap_Esys_PCR_Read(ESYS_CONTEXT *esys, ESYS_TR s1, ESYS_TR s2, ESYS_TR s3,
			     const TPML_PCR_SELECTION *in, UINT32 *counter,
			     TPML_PCR_SELECTION **out, TPML_DIGEST **values)
{
	TSS2_RC rc;

	if (wrapped.readings++ >= wrapped.from && wrapped.extends > 0) {
		wrapped.extends--;
		extend_10(esys);
	}
	rc = __real_Esys_PCR_Read(esys, s1, s2, s3, in, counter, out, values);
	if (rc == TSS2_RC_SUCCESS && wrapped.lie)
		wrapped.lie(*out, *values);
	return rc;
}

/* ---- reading ---- */

struct setup {
	struct imalog_tpm *tpm;
	struct imalog_pcrs *pcrs;
	struct imalog_error *error;
	uint32_t counter;
	int rc;
};

static struct setup read_pcrs(const struct swtpm *swtpm)
{
	struct setup s = { NULL, imalog_pcrs_new(), imalog_error_new(), 0, 0 };

	wrapped.readings = 0;
	s.rc = imalog_tpm_open(swtpm->tcti, &s.tpm, s.error);
	if (CHECK_INT(s.rc, 0))
		s.rc = imalog_tpm_read_pcrs(s.tpm, s.pcrs, &s.counter, s.error);
	imalog_tpm_close(&s.tpm);
	CHECK(s.tpm == NULL);
	return s;
}

static void setup_free(struct setup *s)
{
	imalog_pcrs_free(&s->pcrs);
	imalog_error_free(&s->error);
	memset(&wrapped, 0, sizeof(wrapped));
}

static struct imalog_span value_of(const struct setup *s, enum imalog_alg alg, uint32_t pcr)
{
	const uint8_t *value = imalog_pcrs_get(s->pcrs, alg, pcr);

	return span_of(value, value ? imalog_alg_size(alg) : 0);
}

/* Extends a PCR of banks[] from @first to @last with bytes @fill, as another program. */
static void extend(const struct swtpm *tpm, uint32_t pcr, size_t first, size_t last,
		   uint8_t fill)
{
	char spec[512];
	int used = snprintf(spec, sizeof(spec), "%u:", pcr);

	for (size_t i = first; i <= last; i++) {
		used += sprintf(spec + used, "%s%s=", i > first ? "," : "", banks[i].name);
		for (size_t byte = 0; byte < banks[i].size; byte++)
			used += sprintf(spec + used, "%02x", fill);
	}
	if (RUN("tpm2_pcrextend", "-T", tpm->tcti, spec))
		BAIL_OUT("tpm2_pcrextend %s fails", spec);
}

/* value := H(value || fill...), beside the code under test */
static void shadow_extend(const struct bank *bank, uint8_t *value, uint8_t fill)
{
	uint8_t joined[2 * IMALOG_DIGEST_MAX];

	memcpy(joined, value, bank->size);
	memset(joined + bank->size, fill, bank->size);
	hash_of(bank->evp, span_of(joined, 2 * bank->size), value);
}

TEST(all_pcrs_of_all_banks)
{
	struct swtpm swtpm;
	struct setup s, later;

	NEED_SWTPM("sha1,sha256,sha384", &swtpm);
	extend(&swtpm, 10, 0, 2, 0x11);
	extend(&swtpm, 10, 0, 2, 0x22);
	s = read_pcrs(&swtpm);
	CHECK_INT(s.rc, 0);
	CHECK_INT(imalog_pcrs_count(s.pcrs), 3 * 24);
	for (size_t i = 0; i < BANKS; i++) {
		uint8_t value[IMALOG_DIGEST_MAX] = { 0 };

		CHECK_MEM(value_of(&s, banks[i].alg, 23), span_of(value, banks[i].size));
		shadow_extend(&banks[i], value, 0x11);
		shadow_extend(&banks[i], value, 0x22);
		CHECK_MEM(value_of(&s, banks[i].alg, 10), span_of(value, banks[i].size));
		memset(value, 0xff, sizeof(value));
		CHECK_MEM(value_of(&s, banks[i].alg, 17), span_of(value, banks[i].size));
	}
	extend(&swtpm, 10, 0, 0, 0x33);
	later = read_pcrs(&swtpm);
	CHECK_INT(later.counter, s.counter + 1);
	setup_free(&later);
	setup_free(&s);
	swtpm_free(&swtpm);
}

TEST(a_tpm_without_a_sha1_bank)
{
	struct swtpm swtpm;
	struct setup s;

	NEED_SWTPM("sha256", &swtpm);
	s = read_pcrs(&swtpm);
	CHECK_INT(s.rc, 0);
	CHECK_INT(imalog_pcrs_count(s.pcrs), 24);
	CHECK_INT(value_of(&s, IMALOG_ALG_SHA256, 10).size, 32);
	setup_free(&s);
	swtpm_free(&swtpm);
}

/* ---- others extend meanwhile ---- */

TEST(pcrs_that_change_while_they_are_read)
{
	uint8_t value[IMALOG_DIGEST_MAX] = { 0 };
	struct swtpm swtpm;

	NEED_SWTPM("sha1,sha256,sha384", &swtpm);
	for (uint32_t from = 0; from < 9; from++) {
		struct setup s;

		test_note("an extend before reading %u", from);
		wrapped.extends = 1;
		wrapped.from = from;
		s = read_pcrs(&swtpm);
		shadow_extend(&banks[1], value, 0x77);
		CHECK_INT(s.rc, 0);
		CHECK_INT(imalog_pcrs_count(s.pcrs), 3 * 24);
		CHECK_MEM(value_of(&s, IMALOG_ALG_SHA256, 10), span_of(value, 32));
		/* up to the one that shows the change, and all 9 again */
		CHECK_INT(wrapped.readings, from ? from + 1 + 9 : 9);
		setup_free(&s);
	}
	swtpm_free(&swtpm);
}

TEST(pcrs_that_change_without_end)
{
	struct swtpm swtpm;
	struct setup s;

	NEED_SWTPM("sha1,sha256", &swtpm);
	wrapped.extends = 100000;
	s = read_pcrs(&swtpm);
	CHECK_INT(s.rc, -IMALOG_ERR_TPM);
	CHECK_INT(imalog_error_code(s.error), IMALOG_ERR_TPM);
	CHECK_INT(imalog_error_tpm_rc(s.error), 0);
	CHECK(strstr(imalog_error_detail(s.error), "changed"));
	CHECK_INT(imalog_pcrs_count(s.pcrs), 0);
	CHECK(wrapped.readings < 1000);
	setup_free(&s);
	swtpm_free(&swtpm);
}

/* ---- answers that cannot be ---- */

static void no_values(TPML_PCR_SELECTION *selection, TPML_DIGEST *values)
{
	(void)selection;
	values->count = 0;
}

static void no_selection(TPML_PCR_SELECTION *selection, TPML_DIGEST *values)
{
	(void)values;
	selection->count = 0;
}

static void other_pcrs(TPML_PCR_SELECTION *selection, TPML_DIGEST *values)
{
	(void)values;
	memset(selection->pcrSelections[0].pcrSelect, 0, TPM2_PCR_SELECT_MAX);
}

static void short_value(TPML_PCR_SELECTION *selection, TPML_DIGEST *values)
{
	(void)selection;
	values->digests[0].size = 20;
}

static void same_pcrs(TPML_PCR_SELECTION *selection, TPML_DIGEST *values)
{
	(void)values;
	memset(selection->pcrSelections[0].pcrSelect, 0, TPM2_PCR_SELECT_MAX);
	selection->pcrSelections[0].pcrSelect[0] = 0xff;
}

TEST(answers_that_lie)
{
	static void (*const lies[])(TPML_PCR_SELECTION *,
				    TPML_DIGEST *) = { no_values, no_selection, other_pcrs,
						       short_value, same_pcrs };
	struct swtpm swtpm;

	NEED_SWTPM("sha256", &swtpm);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(lies); i++) {
		struct setup s;

		test_note("lie %zu", i);
		wrapped.lie = lies[i];
		s = read_pcrs(&swtpm);
		CHECK_INT(s.rc,
			  lies[i] == short_value ? -IMALOG_ERR_INVALID : -IMALOG_ERR_TPM);
		CHECK_INT(imalog_pcrs_count(s.pcrs), 0);
		setup_free(&s);
	}
	swtpm_free(&swtpm);
}

/* ---- the clock ---- */

TEST(the_clock_and_its_resets)
{
	struct imalog_tpm_clock first, later;
	struct imalog_tpm *tpm = NULL;
	struct swtpm swtpm;

	NEED_SWTPM("sha256", &swtpm);
	REQUIRE(imalog_tpm_open(swtpm.tcti, &tpm, NULL) == 0);
	CHECK_INT(imalog_tpm_clock(tpm, &first, NULL), 0);
	usleep(20000);
	CHECK_INT(imalog_tpm_clock(tpm, &later, NULL), 0);
	CHECK(later.clock > first.clock);
	CHECK_INT(later.reset_count, first.reset_count);
	CHECK_INT(later.restart_count, first.restart_count);
	imalog_tpm_close(&tpm);
	swtpm_stop(&swtpm);
	swtpm_start(&swtpm);
	REQUIRE(imalog_tpm_open(swtpm.tcti, &tpm, NULL) == 0);
	CHECK_INT(imalog_tpm_clock(tpm, &later, NULL), 0);
	CHECK_INT(later.reset_count, first.reset_count + 1);
	imalog_tpm_close(&tpm);
	swtpm_free(&swtpm);
}

/* ---- no TPM ---- */

static void check_no_tpm(const char *tcti, const char *said)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_tpm *tpm = NULL;

	test_note("%s", tcti ? tcti : "TPM2TOOLS_TCTI");
	setenv("TSS2_LOG", "all+none", 1);
	CHECK_INT(imalog_tpm_open(tcti, &tpm, error), -IMALOG_ERR_TPM);
	CHECK(tpm == NULL);
	CHECK(imalog_error_tpm_rc(error) != 0);
	if (!strstr(imalog_error_detail(error), said))
		test_fail(__FILE__, __LINE__, "'%s' lacks '%s'", imalog_error_detail(error),
			  said);
	CHECK_INT(imalog_tpm_open(tcti, &tpm, NULL), -IMALOG_ERR_TPM);
	imalog_error_free(&error);
}

TEST(no_tpm_says_what_was_tried)
{
	check_no_tpm("swtpm:path=no/such/socket", "tried TCTI 'swtpm:path=no/such/socket': ");
	check_no_tpm("device:no/such/device", "tried TCTI 'device:no/such/device': ");
	check_no_tpm("no\nsuch", "tried TCTI 'no\\x0asuch': ");
	setenv("TPM2TOOLS_TCTI", "device:no/such/tpm", 1);
	check_no_tpm(NULL, "'device:no/such/tpm' of TPM2TOOLS_TCTI: ");
	check_no_tpm("device:no/such/device", "'device:no/such/device': ");
	unsetenv("TPM2TOOLS_TCTI");
}

TEST(a_tpm_that_goes_away)
{
	struct imalog_tpm_clock clock;
	struct imalog_tpm *tpm = NULL;
	struct imalog_error *error;
	struct imalog_pcrs *pcrs;
	struct swtpm swtpm;

	NEED_SWTPM("sha256", &swtpm);
	error = imalog_error_new();
	pcrs = imalog_pcrs_new();
	REQUIRE(imalog_tpm_open(swtpm.tcti, &tpm, NULL) == 0);
	swtpm_stop(&swtpm);
	CHECK_INT(imalog_tpm_clock(tpm, &clock, error), -IMALOG_ERR_TPM);
	CHECK(imalog_error_tpm_rc(error) != 0);
	CHECK_INT(imalog_tpm_read_pcrs(tpm, pcrs, NULL, error), -IMALOG_ERR_TPM);
	CHECK_INT(imalog_pcrs_count(pcrs), 0);
	imalog_tpm_close(&tpm);
	imalog_tpm_close(&tpm);
	imalog_tpm_close(NULL);
	swtpm_start(&swtpm);
	swtpm_free(&swtpm);
	imalog_pcrs_free(&pcrs);
	imalog_error_free(&error);
}

TEST_MAIN(CASE(all_pcrs_of_all_banks), CASE(a_tpm_without_a_sha1_bank),
	  CASE(pcrs_that_change_while_they_are_read), CASE(pcrs_that_change_without_end),
	  CASE(answers_that_lie), CASE(the_clock_and_its_resets),
	  CASE(no_tpm_says_what_was_tried), CASE(a_tpm_that_goes_away))

#else /* HAVE_TPM2_TSS */

TEST(without_tpm2_tss_everything_says_so)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_tpm *tpm = NULL;
	struct imalog_tpm_clock clock;

	CHECK_INT(imalog_tpm_open("device:any", &tpm, error), -IMALOG_ERR_UNSUPPORTED);
	CHECK(tpm == NULL);
	CHECK(strstr(imalog_error_detail(error), "built without tpm2-tss"));
	CHECK_INT(imalog_tpm_read_pcrs(tpm, NULL, NULL, error), -IMALOG_ERR_UNSUPPORTED);
	CHECK_INT(imalog_tpm_clock(tpm, &clock, error), -IMALOG_ERR_UNSUPPORTED);
	imalog_tpm_close(&tpm);
	imalog_tpm_close(NULL);
	imalog_error_free(&error);
}

TEST_MAIN(CASE(without_tpm2_tss_everything_says_so))

#endif
