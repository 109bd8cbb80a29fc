// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/eventlog.c: firmware logs give the values that the TPM had, of the banks that they have,
 * from the value that PCR 0 started with.
 */
#include "eventlog-log.h"

/* The values of a bank, extended beside the code under test */
struct shadow {
	const char *evp;
	size_t size;
	uint8_t value[IMALOG_DIGEST_MAX];
};

static void extend(struct shadow *shadow, uint8_t fill)
{
	uint8_t joined[2 * IMALOG_DIGEST_MAX];

	memcpy(joined, shadow->value, shadow->size);
	memset(joined + shadow->size, fill, shadow->size);
	hash_of(shadow->evp, span_of(joined, 2 * shadow->size), shadow->value);
}

static struct imalog_span shadow_value(const struct shadow *shadow)
{
	return span_of(shadow->value, shadow->size);
}

static struct imalog_span locality(const char *number)
{
	static uint8_t event[17];

	memcpy(event, "StartupLocality", 16);
	event[16] = (uint8_t)atoi(number);
	return span_of(event, sizeof(event));
}

/* ---- real logs ---- */

static void check_against(const struct run *run, struct imalog_pcrs *known)
{
	for (size_t i = 0; i < imalog_pcrs_count(known); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(known, i, &alg, &pcr);

		if (pcr < 10)
			CHECK_MEM(value_of(run, alg, pcr),
				  span_of(value, imalog_alg_size(alg)));
	}
}

TEST(logs_of_seabios_give_the_values_of_the_tpm)
{
	for (size_t i = 0; i < RIGS; i++) {
		struct imalog_pcrs *known = imalog_pcrs_new();
		struct bytes log, yaml;
		char path[128];
		struct run run;

		snprintf(path, sizeof(path), "rig/%s/binary_bios_measurements", rigs[i].dir);
		test_note("%s", path);
		log = bytes_of_file(path);
		snprintf(path, sizeof(path), "rig/%s/pcrs.yaml", rigs[i].dir);
		yaml = bytes_of_file(path);
		run = replay(span_of_bytes(log));
		CHECK_INT(run.rc, 15);
		CHECK_INT(imalog_pcrs_count(run.pcrs), rigs[i].sha1_bank ? 30 : 10);
		CHECK(imalog_pcrs_parse(known, span_of_bytes(yaml), NULL, NULL) >= 24);
		check_against(&run, known);
		imalog_pcrs_free(&known);
		run_free(&run);
		bytes_free(&yaml);
		bytes_free(&log);
	}
}

/* A file of other projects, which the repository does not have; @ret is its own memory. */
static bool peer_file(const char *path, struct bytes *ret)
{
	const char *vectors = getenv("IMALOG_VECTORS"), *src = getenv("IMALOG_SRC");
	struct bytes bytes;
	char whole[4096];
	FILE *file;

	if (vectors)
		snprintf(whole, sizeof(whole), "%s/peers/%s", vectors, path);
	else
		snprintf(whole, sizeof(whole), "%s/../shared/vectors/peers/%s",
			 src ? src : ".", path);
	file = fopen(whole, "rb");
	if (!file)
		return false;
	bytes = bytes_new(1 << 20);
	bytes.size = fread(bytes.data, 1, bytes.size, file);
	fclose(file);
	*ret = bytes_copy(bytes.data, bytes.size);
	bytes_free(&bytes);
	return true;
}

/*
 * PCR 0 of the first one is that of the machine; the other values were computed by
 * tpm2_eventlog, and by hand where it does not know of the locality.
 */
static const struct peer {
	const char *path;
	int records;
	const char *values[3]; /* "ALG:PCR=HEX" */
} peers[] = {
	{ "tpm2-tss-fapi/binary_measurements_hcrtm.bin",
	  204,
	  { "sha1:0=15f4e6ca457d1af6bc49511a93ba3500ad69acc5",
	    "sha256:9=a98df108860931eb46bfea7606249338eef7dc7fcc73fdf05e2811aa9823149e",
	    "sm3:7=217e76fa3ebf02e371a43871853e833a78d752df297375abd937d1e515e3b08e" } },
	{ "tpm2-tss-fapi/binary_measurements_nuc.bin",
	  17,
	  { "sha1:0=3dcaea25dc86554d94b94aa5bc8f735a49212af8",
	    "sha1:4=59955b8e6e01b21ba7ccbbdecdeaa8ae6770caa1",
	    "sha1:7=9216fc0727c344b355a90a3f34f357e4362d51bb" } },
	{ "tpm2-tss-fapi/binary_measurements_pc_client.bin",
	  33,
	  { "sha1:6=0beeedd13d79e3d359d6edcd7427c0266a421e4f",
	    "sha256:0=0dc05ae01841aed6033708db097e7158dafc638eb3f1ba52b3a208f2f786854e",
	    "sha256:5=7dd1158b8d1488664a0ae5cc6b99ec3cb6242042821b4b35f4af471884a13c5a" } },
	{ "keylime/binary_bios_measurements",
	  121,
	  { "sha256:0=0ee9a7feba8f4172f1a7451594aa5731665a4d353ac61814042ce107a00742f2",
	    "sha1:8=e4aa684b1a9ee105b63495efe7b9ad376e648a0c",
	    "sha256:14=17cdefd9548f4383b67a37a901673bf3c8ded6f619d36c8007562de1d93c81cc" } },
	{ "keylime/binary_bios_measurements-secureboot",
	  99,
	  { "sha256:0=0d993cf4baec1dc2a47013c8bcc13e1593d5e6ba9cc4630f422e98d310212aff",
	    "sha256:7=2f96e1f1bf7f91b6f17e1bcb823e717e43782ff75481237711f2ed7bf8a8edb1",
	    "sha256:14=66c465262f16d108fd77f2f94c4ae0040f81b3168242a827fcf5efcd812de053" } },
};

TEST(logs_of_uefi_that_other_projects_have)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(peers); i++) {
		struct imalog_pcrs *known = imalog_pcrs_new();
		struct bytes log;
		struct run run;

		test_note("%s", peers[i].path);
		if (!peer_file(peers[i].path, &log)) {
			imalog_pcrs_free(&known);
			SKIP("no %s: set IMALOG_VECTORS", peers[i].path);
		}
		run = replay(span_of_bytes(log));
		CHECK_INT(run.rc, peers[i].records);
		for (size_t v = 0; v < IMALOG_ARRAY_SIZE(peers[i].values); v++)
			CHECK_INT(imalog_pcrs_add_spec(known, peers[i].values[v], NULL), 0);
		for (size_t v = 0; v < imalog_pcrs_count(known); v++) {
			enum imalog_alg alg;
			uint32_t pcr;
			const uint8_t *value = imalog_pcrs_at(known, v, &alg, &pcr);

			CHECK_MEM(value_of(&run, alg, pcr),
				  span_of(value, imalog_alg_size(alg)));
		}
		imalog_pcrs_free(&known);
		run_free(&run);
		bytes_free(&log);
	}
}

/* ---- what extends what ---- */

TEST(an_old_log_of_sha1)
{
	struct shadow pcr4 = { "SHA1", 20, { 0 } }, pcr17 = pcr4;
	struct run run;
	LE(log);

	put_sha1(&log, 4, 5, 0x11, text("Calling INT 19h"));
	put_sha1(&log, 7, NO_ACTION, 0x22, text("nothing"));
	put_sha1(&log, 4, SEPARATOR, 0x33, text(""));
	put_sha1(&log, 17, SEPARATOR, 0x44, text("x"));
	extend(&pcr4, 0x11);
	extend(&pcr4, 0x33);
	extend(&pcr17, 0x44);
	run = replay(built(&log));
	CHECK_INT(run.rc, 4);
	CHECK_INT(imalog_pcrs_count(run.pcrs), 11);
	CHECK_MEM(value_of(&run, IMALOG_ALG_SHA1, 4), shadow_value(&pcr4));
	CHECK_MEM(value_of(&run, IMALOG_ALG_SHA1, 17), shadow_value(&pcr17));
	CHECK_HEX(value_of(&run, IMALOG_ALG_SHA1, 7),
		  "0000000000000000000000000000000000000000");
	run_free(&run);
	build_free(&log);
}

TEST(several_banks_and_an_unknown_one)
{
	struct shadow sha1 = { "SHA1", 20, { 0 } }, sha256 = { "SHA256", 32, { 0 } };
	struct run run;
	LE(log);

	put_header(&log);
	CHECK_INT(log.size, HEADER_SIZE);
	put_agile(&log, 8, 13, 0x55, text("grub_cmd"));
	put_agile(&log, 0xffffffff, NO_ACTION, 0x66, text("SP800-155 Event"));
	put_agile(&log, 8, 13, 0x77, text(""));
	extend(&sha1, 0x55);
	extend(&sha1, 0x77);
	extend(&sha256, 0x55);
	extend(&sha256, 0x77);
	run = replay(built(&log));
	CHECK_INT(run.rc, 4);
	CHECK_INT(imalog_pcrs_count(run.pcrs), 20);
	CHECK_MEM(value_of(&run, IMALOG_ALG_SHA1, 8), shadow_value(&sha1));
	CHECK_MEM(value_of(&run, IMALOG_ALG_SHA256, 8), shadow_value(&sha256));
	run_free(&run);
	build_free(&log);
}

/* Firmware that lists a bank which the TPM does not have */
TEST(a_bank_without_digests_is_none)
{
	struct run run;
	LE(log);

	put_header(&log);
	for (int i = 0; i < 2; i++) {
		put_hex(&log, "07000000 04000000 01000000");
		put_digest(&log, 0xb, 1, 32);
		put_int(&log, 0);
	}
	run = replay(built(&log));
	CHECK_INT(run.rc, 3);
	CHECK_INT(imalog_pcrs_count(run.pcrs), 10);
	CHECK(imalog_pcrs_get(run.pcrs, IMALOG_ALG_SHA256, 7) != NULL);
	run_free(&run);
	put_agile(&log, 7, SEPARATOR, 1, text(""));
	CHECK_LOG_ERROR(built(&log), IMALOG_ERR_BAD_VALUE, 4, HEADER_SIZE + 2 * 50, "digest");
	build_free(&log);
}

TEST(a_log_that_extends_nothing)
{
	struct run run;
	LE(log);

	put_header(&log);
	run = replay(built(&log));
	CHECK_INT(run.rc, 1);
	CHECK_INT(imalog_pcrs_count(run.pcrs), 0);
	run_free(&run);
	build_free(&log);
}

/* ---- how PCR 0 starts ---- */

static void check_pcr0(struct build *log, uint8_t start)
{
	struct shadow sha1 = { "SHA1", 20, { 0 } }, sha256 = { "SHA256", 32, { 0 } };
	struct run run = replay(built(log));

	sha1.value[19] = start;
	sha256.value[31] = start;
	extend(&sha1, 1);
	extend(&sha256, 1);
	CHECK(run.rc > 0);
	CHECK_MEM(value_of(&run, IMALOG_ALG_SHA1, 0), shadow_value(&sha1));
	CHECK_MEM(value_of(&run, IMALOG_ALG_SHA256, 0), shadow_value(&sha256));
	run_free(&run);
	build_free(log);
}

TEST(pcr_0_starts_as_the_locality)
{
	static const char *const numbers[] = { "0", "3", "4" };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(numbers); i++) {
		LE(log);

		test_note("locality %s", numbers[i]);
		put_header(&log);
		put_agile(&log, 0, NO_ACTION, 0, locality(numbers[i]));
		put_agile(&log, 0, SEPARATOR, 1, text(""));
		check_pcr0(&log, (uint8_t)atoi(numbers[i]));
	}
}

TEST(the_locality_may_come_late_and_twice)
{
	LE(log);

	put_header(&log);
	put_agile(&log, 0, SEPARATOR, 1, text(""));
	put_agile(&log, 0, NO_ACTION, 0, locality("3"));
	put_agile(&log, 0, NO_ACTION, 0, locality("3"));
	check_pcr0(&log, 3);
}

TEST(an_event_of_another_pcr_or_type_is_no_locality)
{
	LE(log);

	put_header(&log);
	put_agile(&log, 1, NO_ACTION, 0, locality("3"));
	put_agile(&log, 1, SEPARATOR, 0, locality("3"));
	put_agile(&log, 0, NO_ACTION, 0, text("StartupLocality\3")); /* without the NUL */
	put_agile(&log, 0, SEPARATOR, 1, text(""));
	check_pcr0(&log, 0);
}

TEST(an_h_crtm_starts_pcr_0_as_4)
{
	LE(log);
	LE(both);

	put_header(&log);
	put_agile(&log, 0, HCRTM, 1, text("HCRTM"));
	check_pcr0(&log, 4);
	put_header(&both);
	put_agile(&both, 0, NO_ACTION, 0, locality("0"));
	put_agile(&both, 0, HCRTM, 1, text("HCRTM"));
	check_pcr0(&both, 4);
}

TEST(localities_that_cannot_be)
{
	LE(log);

	put_header(&log);
	put_agile(&log, 0, NO_ACTION, 0, locality("5"));
	CHECK_LOG_ERROR(built(&log), IMALOG_ERR_BAD_VALUE, 2, HEADER_SIZE, "StartupLocality");
	build_free(&log);
	put_header(&log);
	put_agile(&log, 0, NO_ACTION, 0, span_of("StartupLocality\0\3\0", 18));
	CHECK_LOG_ERROR(built(&log), IMALOG_ERR_BAD_LENGTH, 2, HEADER_SIZE, "StartupLocality");
	build_free(&log);
	put_header(&log);
	put_agile(&log, 0, NO_ACTION, 0, locality("3"));
	put_agile(&log, 0, NO_ACTION, 0, locality("0"));
	CHECK_LOG_ERROR(built(&log), IMALOG_ERR_BAD_VALUE, 3, HEADER_SIZE + 98,
			"StartupLocality");
	build_free(&log);
}

TEST(a_log_beyond_the_limit)
{
	struct bytes log = bytes_new(((size_t)16 << 20) + 1);

	memset(log.data, 0, log.size);
	CHECK_LOG_ERROR(span_of_bytes(log), IMALOG_ERR_LIMIT, 0, 0, "");
	bytes_free(&log);
}

TEST(values_that_are_there_already)
{
	static const uint8_t zeros[20];
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	LE(log);

	put_sha1(&log, 4, SEPARATOR, 1, text(""));
	CHECK_INT(imalog_pcrs_set(pcrs, IMALOG_ALG_SHA1, 3, span_of(zeros, 20), NULL), 0);
	CHECK_INT(imalog_eventlog_replay(built(&log), hasher, pcrs, NULL), 1);
	CHECK_INT(imalog_eventlog_replay(built(&log), hasher, pcrs, NULL), 1);
	put_sha1(&log, 3, SEPARATOR, 1, text(""));
	CHECK_INT(imalog_eventlog_replay(built(&log), hasher, pcrs, NULL),
		  -IMALOG_ERR_INVALID);
	imalog_pcrs_free(&pcrs);
	imalog_hasher_free(&hasher);
	build_free(&log);
}

TEST_MAIN(CASE(logs_of_seabios_give_the_values_of_the_tpm),
	  CASE(logs_of_uefi_that_other_projects_have), CASE(an_old_log_of_sha1),
	  CASE(several_banks_and_an_unknown_one), CASE(a_bank_without_digests_is_none),
	  CASE(a_log_that_extends_nothing), CASE(pcr_0_starts_as_the_locality),
	  CASE(the_locality_may_come_late_and_twice),
	  CASE(an_event_of_another_pcr_or_type_is_no_locality),
	  CASE(an_h_crtm_starts_pcr_0_as_4), CASE(localities_that_cannot_be),
	  CASE(a_log_beyond_the_limit), CASE(values_that_are_there_already))
