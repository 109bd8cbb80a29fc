// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/boot-aggregate.c: the boot_aggregate of real machines fits the PCRs of their TPM and
 * those of their firmware log; any other value does not, and what cannot be told is not
 * checked.
 */
#include "log.h"

struct setup {
	struct imalog_hasher *hasher;
	struct imalog_pcrs *pcrs;
	struct imalog_error *error;
};

static struct setup setup(void)
{
	struct setup s = { imalog_hasher_new(), imalog_pcrs_new(), imalog_error_new() };

	if (!s.hasher || !s.pcrs || !s.error)
		BAIL_OUT("no memory");
	return s;
}

static void setup_free(struct setup *s)
{
	imalog_hasher_free(&s->hasher);
	imalog_pcrs_free(&s->pcrs);
	imalog_error_free(&s->error);
}

/* PCR N of a bank is all bytes N, from @first to @last */
static void fill(struct setup *s, enum imalog_alg alg, uint32_t first, uint32_t last)
{
	for (uint32_t pcr = first; pcr <= last; pcr++) {
		uint8_t value[IMALOG_DIGEST_MAX];

		memset(value, (int)pcr, sizeof(value));
		CHECK_INT(imalog_pcrs_set(s->pcrs, alg, pcr,
					  span_of(value, imalog_alg_size(alg)), s->error),
			  0);
	}
}

/* What fill() gives, computed beside the code under test; the size of the digest */
static size_t aggregate(const char *evp, size_t size, size_t pcrs, uint8_t *out)
{
	uint8_t joined[10 * IMALOG_DIGEST_MAX];

	for (size_t pcr = 0; pcr < pcrs; pcr++)
		memset(joined + pcr * size, (int)pcr, size);
	hash_of(evp, span_of(joined, pcrs * size), out);
	return size;
}

/* ---- real machines ---- */

/* Every boot_aggregate of a list must get this verdict; their number */
static int check_list(struct imalog_span list, struct setup *s, enum imalog_verdict verdict)
{
	struct log log = log_open(list);
	int count = 0;

	while (log_next(&log) > 0) {
		if (imalog_record_is_boot_aggregate(log.record)) {
			CHECK_INT(imalog_record_check_boot_aggregate(log.record, s->pcrs,
								     s->hasher, s->error),
				  verdict);
			count++;
		}
		imalog_reader_release(log.reader, imalog_record_number(log.record));
	}
	log_close(&log);
	return count;
}

static struct bytes rig_file(const struct rig *rig, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "rig/%s/%s", rig->dir, name);
	test_note("%s", path);
	return bytes_of_file(path);
}

static int boots(const struct rig *rig)
{
	return strcmp(rig->dir, "kexec/after") == 0 ? 2 : 1;
}

TEST(aggregates_fit_the_pcrs_of_the_tpm)
{
	for (size_t i = 0; i < RIGS; i++) {
		struct bytes yaml = rig_file(&rigs[i], "pcrs.yaml");
		struct bytes list = rig_file(&rigs[i], "binary_runtime_measurements");
		struct setup s = setup();

		CHECK(imalog_pcrs_parse(s.pcrs, span_of_bytes(yaml), NULL, s.error) > 0);
		CHECK_INT(check_list(span_of_bytes(list), &s, IMALOG_MATCH), boots(&rigs[i]));
		setup_free(&s);
		bytes_free(&list);
		bytes_free(&yaml);
	}
}

TEST(aggregates_fit_the_firmware_log)
{
	for (size_t i = 0; i < RIGS; i++) {
		struct bytes bios = rig_file(&rigs[i], "binary_bios_measurements");
		struct bytes list = rig_file(&rigs[i], "binary_runtime_measurements");
		struct setup s = setup();

		CHECK(imalog_eventlog_replay(span_of_bytes(bios), s.hasher, s.pcrs, s.error) >
		      0);
		CHECK_INT(check_list(span_of_bytes(list), &s, IMALOG_MATCH), boots(&rigs[i]));
		setup_free(&s);
		bytes_free(&list);
		bytes_free(&bios);
	}
}

TEST(aggregates_of_other_machines_do_not_fit)
{
	for (size_t i = 0; i < RIGS; i++) {
		struct bytes list = rig_file(&rigs[i], "binary_runtime_measurements");
		struct setup s = setup(), none = setup();

		fill(&s, IMALOG_ALG_SHA1, 0, 9);
		fill(&s, IMALOG_ALG_SHA256, 0, 9);
		CHECK_INT(check_list(span_of_bytes(list), &s, IMALOG_MISMATCH),
			  boots(&rigs[i]));
		CHECK_INT(check_list(span_of_bytes(list), &none, IMALOG_NOT_CHECKED),
			  boots(&rigs[i]));
		setup_free(&none);
		setup_free(&s);
		bytes_free(&list);
	}
}

/* ---- the digest ---- */

TEST(pcrs_that_the_aggregate_of_each_bank_covers)
{
	static const struct {
		enum imalog_alg alg;
		const char *evp;
		uint32_t pcrs;
	} all[] = { { IMALOG_ALG_SHA1, "SHA1", 8 },
		    { IMALOG_ALG_SHA256, "SHA256", 10 },
		    { IMALOG_ALG_SHA384, "SHA384", 10 },
		    { IMALOG_ALG_SHA512, "SHA512", 10 },
		    { IMALOG_ALG_SM3, "SM3", 10 } };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		uint8_t is[IMALOG_DIGEST_MAX], should[IMALOG_DIGEST_MAX];
		size_t size = imalog_alg_size(all[i].alg);
		struct setup s = setup();

		test_note("%s", all[i].evp);
		fill(&s, all[i].alg, 0, all[i].pcrs - 2);
		CHECK_INT(imalog_boot_aggregate(s.pcrs, all[i].alg, s.hasher, is, s.error),
			  -IMALOG_ERR_INVALID);
		CHECK(strstr(imalog_error_detail(s.error),
			     all[i].pcrs == 8 ? "PCR 7" : "PCR 9"));
		fill(&s, all[i].alg, all[i].pcrs - 1, all[i].pcrs - 1);
		CHECK_INT(imalog_boot_aggregate(s.pcrs, all[i].alg, s.hasher, is, s.error), 0);
		aggregate(all[i].evp, size, all[i].pcrs, should);
		CHECK_MEM(span_of(is, size), span_of(should, size));
		setup_free(&s);
	}
}

TEST(an_unknown_bank)
{
	struct setup s = setup();
	uint8_t out[IMALOG_DIGEST_MAX];

	CHECK_INT(imalog_boot_aggregate(s.pcrs, IMALOG_ALG_NONE, s.hasher, out, s.error),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_boot_aggregate(s.pcrs, (enum imalog_alg)99, s.hasher, out, NULL),
		  -IMALOG_ERR_INVALID);
	setup_free(&s);
}

/* ---- records ---- */

/* A log of one record with these two fields */
static struct build list_of(const char *template, struct imalog_span digest, const char *name)
{
	struct build data = { .order = IMALOG_ORDER_LE }, list = data;

	put_field(&data, digest.data, digest.size);
	put_name(&data, name);
	put_record_over(&list, template, built(&data), "SHA1", 20, built(&data));
	build_free(&data);
	return list;
}

/* @prefix, NUL, digest */
static struct imalog_span digest_field(const char *prefix, const uint8_t *digest, size_t size)
{
	static uint8_t field[128];
	size_t head = strlen(prefix) + 1;

	memcpy(field, prefix, head);
	memcpy(field + head, digest, size);
	return span_of(field, head + size);
}

static int check_record(struct build *list, struct setup *s)
{
	struct log log = log_open(built(list));
	int rc = -1;

	if (CHECK(log_next(&log) == 1))
		rc = imalog_record_check_boot_aggregate(log.record, s->pcrs, s->hasher,
							s->error);
	log_close(&log);
	build_free(list);
	return rc;
}

TEST(fields_that_hold_the_digest)
{
	static const struct {
		const char *template;
		const char *prefix; /* NULL: a digest alone */
		const char *evp;
		size_t pcrs;
		int verdict;
	} all[] = {
		{ "ima-ng", "sha256:", "SHA256", 10, IMALOG_MATCH },
		{ "ima-ng", "sha256:", "SHA256", 8, IMALOG_MISMATCH },
		{ "ima-ng", "sha1:", "SHA1", 8, IMALOG_MATCH },
		{ "ima-ng", "sha1:", "SHA1", 10, IMALOG_MISMATCH },
		{ "ima-ng", "sha384:", "SHA384", 10, IMALOG_NOT_CHECKED }, /* not filled */
		{ "ima-ng", "sm3-256:", "SM3", 10, IMALOG_MATCH },
		{ "ima-ng", "md5:", "MD5", 8, IMALOG_NOT_CHECKED },
		{ "ima-ng", "wp512wp512wp512wp512:", "SHA512", 8, IMALOG_NOT_CHECKED },
		{ "ima-ng", "sha256:", "SHA1", 8, IMALOG_MISMATCH }, /* of the wrong length */
		{ "ima-ng", NULL, "SHA1", 8, IMALOG_NOT_CHECKED },
		{ "ima-ngv2", "ima:sha256:", "SHA256", 10, IMALOG_MATCH },
		{ "d|n-ng", NULL, "SHA1", 8, IMALOG_MATCH },
		{ "d|n", NULL, "SHA256", 10, IMALOG_MISMATCH },
		{ "d-modsig|n-ng", "sha256:", "SHA256", 10, IMALOG_NOT_CHECKED },
	};
	struct setup s = setup();

	fill(&s, IMALOG_ALG_SHA1, 0, 9);
	fill(&s, IMALOG_ALG_SHA256, 0, 9);
	fill(&s, IMALOG_ALG_SM3, 0, 9);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		uint8_t digest[IMALOG_DIGEST_MAX];
		size_t size = strcmp(all[i].evp, "SHA1") == 0	? 20 :
			      strcmp(all[i].evp, "SHA384") == 0 ? 48 :
			      strcmp(all[i].evp, "SHA512") == 0 ? 64 :
			      strcmp(all[i].evp, "MD5") == 0	? 16 :
								  32;
		struct build list;

		test_note("%s %s", all[i].template, all[i].prefix ? all[i].prefix : "");
		aggregate(all[i].evp, size, all[i].pcrs, digest);
		list = list_of(all[i].template,
			       all[i].prefix ? digest_field(all[i].prefix, digest, size) :
					       span_of(digest, size),
			       "boot_aggregate");
		CHECK_INT(check_record(&list, &s), all[i].verdict);
	}
	setup_free(&s);
}

TEST(one_changed_bit_anywhere)
{
	uint8_t digest[IMALOG_DIGEST_MAX];
	struct setup s = setup();

	fill(&s, IMALOG_ALG_SHA256, 0, 9);
	aggregate("SHA256", 32, 10, digest);
	for (size_t i = 0; i < 32; i++) {
		struct build list;

		digest[i] ^= 1;
		list = list_of("ima-ng", digest_field("sha256:", digest, 32),
			       "boot_aggregate");
		CHECK_INT(check_record(&list, &s), IMALOG_MISMATCH);
		digest[i] ^= 1;
	}
	setup_free(&s);
}

TEST(zeros_are_no_aggregate)
{
	static const uint8_t zeros[32];
	struct setup s = setup();
	struct build list =
		list_of("ima-ng", digest_field("sha256:", zeros, 32), "boot_aggregate");

	fill(&s, IMALOG_ALG_SHA256, 0, 9);
	CHECK_INT(check_record(&list, &s), IMALOG_NOT_CHECKED);
	list = list_of("ima-ng", digest_field("sha256:", zeros, 0), "boot_aggregate");
	CHECK_INT(check_record(&list, &s), IMALOG_NOT_CHECKED);
	setup_free(&s);
}

TEST(names)
{
	static const struct {
		const char *name;
		bool is;
	} names[] = { { "boot_aggregate", true },
		      { "boot_aggregate_late", true },
		      { "boot_aggregate_", false },
		      { "boot_aggregat", false },
		      { "boot_aggregate_late2", false },
		      { "/boot_aggregate", false },
		      { "", false } };
	struct setup s = setup();

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(names); i++) {
		struct build list = { .order = IMALOG_ORDER_LE };
		struct log log;

		test_note("'%s'", names[i].name);
		put_ng(&list, 1, names[i].name);
		log = log_open(built(&list));
		REQUIRE(log_next(&log) == 1);
		CHECK_INT(imalog_record_is_boot_aggregate(log.record), names[i].is);
		CHECK_INT(imalog_record_check_boot_aggregate(log.record, s.pcrs, s.hasher,
							     s.error),
			  names[i].is ? IMALOG_NOT_CHECKED : -IMALOG_ERR_INVALID);
		log_close(&log);
		build_free(&list);
	}
	setup_free(&s);
}

/* What the data of a violation says is not authenticated. */
TEST(a_violation_is_no_boot_aggregate)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct log log;

	put_ng(&list, 1, "/bin/sh");
	put_ng(&list, 0, "boot_aggregate");
	log = log_open(built(&list));
	CHECK(log_next(&log) == 1);
	REQUIRE(log_next(&log) == 1);
	CHECK(imalog_record_is_violation(log.record));
	CHECK(!imalog_record_is_boot_aggregate(log.record));
	log_close(&log);
	build_free(&list);
}

TEST_MAIN(CASE(aggregates_fit_the_pcrs_of_the_tpm), CASE(aggregates_fit_the_firmware_log),
	  CASE(aggregates_of_other_machines_do_not_fit),
	  CASE(pcrs_that_the_aggregate_of_each_bank_covers), CASE(an_unknown_bank),
	  CASE(fields_that_hold_the_digest), CASE(one_changed_bit_anywhere),
	  CASE(zeros_are_no_aggregate), CASE(names), CASE(a_violation_is_no_boot_aggregate))
