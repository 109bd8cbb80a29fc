// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/pcr-file.c: every form of PCR values that other tools write, and what is none. */
#include "replay.h"

#define SHA1_A	 "00112233445566778899aabbccddeeff00112233"
#define SHA1_B	 "ffeeddccbbaa99887766554433221100ffeeddcc"
#define SHA256_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static int parse(struct imalog_pcrs *pcrs, const void *data, size_t size,
		 const char *hint, struct imalog_error *error)
{
	struct bytes exact = bytes_copy(data, size);
	int rc = imalog_pcrs_parse(pcrs, span_of_bytes(exact), hint, error);

	bytes_free(&exact);
	return rc;
}

static void check_value(const struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr,
			const char *hex)
{
	const uint8_t *value = imalog_pcrs_get(pcrs, alg, pcr);

	if (CHECK(value))
		CHECK_HEX(span_of(value, imalog_alg_size(alg)), hex);
}

/* ---- files of real tools ---- */

TEST(yaml_of_tpm2_pcrread)
{
	for (size_t r = 0; r < RIGS; r++) {
		struct imalog_pcrs *pcrs = imalog_pcrs_new();
		char path[128];
		struct bytes file;

		snprintf(path, sizeof(path), "rig/%s/pcrs.yaml", rigs[r].dir);
		test_note("%s", path);
		file = bytes_of_file(path);
		CHECK_INT(imalog_pcrs_parse(pcrs, span_of_bytes(file), NULL, NULL),
			  rigs[r].sha1_bank ? 3 * 24 : 24);
		CHECK_INT(imalog_pcrs_count(pcrs), rigs[r].sha1_bank ? 3 * 24 : 24);
		for (size_t b = 0; b < BANKS; b++) {
			uint8_t value[IMALOG_DIGEST_MAX];
			const uint8_t *is = imalog_pcrs_get(pcrs, banks[b].alg, 10);
			bool there = rig_pcr(&rigs[r], &banks[b], value);

			CHECK_INT(is != NULL, there);
			if (is && there)
				CHECK_MEM(span_of(is, banks[b].size),
					  span_of(value, banks[b].size));
		}
		/* As a hint, a bank does not override what the file says. */
		CHECK_INT(imalog_pcrs_parse(pcrs, span_of_bytes(file), "sha512", NULL),
			  rigs[r].sha1_bank ? 3 * 24 : 24);
		bytes_free(&file);
		imalog_pcrs_free(&pcrs);
	}
}

TEST(files_of_tpm2_quote)
{
	static const struct {
		const char *name;
		int count;
	} files[] = { { "quote", 1 },
		      { "quote-ecc", 1 },
		      { "quote-all", 3 },
		      { "quote-10-11", 10 } };

	for (size_t i = 0; i < RIGS * IMALOG_ARRAY_SIZE(files); i++) {
		const struct rig *rig = &rigs[i / IMALOG_ARRAY_SIZE(files)];
		size_t f = i % IMALOG_ARRAY_SIZE(files);
		struct imalog_pcrs *pcrs = imalog_pcrs_new(), *all = imalog_pcrs_new();
		struct bytes file;
		char path[128];

		snprintf(path, sizeof(path), "rig/%s/%s.pcrs", rig->dir, files[f].name);
		test_note("%s", path);
		file = bytes_of_file(path);
		CHECK_INT(imalog_pcrs_parse(pcrs, span_of_bytes(file), NULL, NULL),
			  f == 2 && !rig->sha1_bank ? 1 : files[f].count);
		bytes_free(&file);
		snprintf(path, sizeof(path), "rig/%s/pcrs.yaml", rig->dir);
		file = bytes_of_file(path);
		CHECK(imalog_pcrs_parse(all, span_of_bytes(file), NULL, NULL) > 0);
		bytes_free(&file);
		for (size_t k = 0; k < imalog_pcrs_count(pcrs); k++) {
			enum imalog_alg alg;
			uint32_t pcr;
			const uint8_t *is = imalog_pcrs_at(pcrs, k, &alg, &pcr);

			if (CHECK(imalog_pcrs_get(all, alg, pcr)))
				CHECK_MEM(span_of(is, imalog_alg_size(alg)),
					  span_of(imalog_pcrs_get(all, alg, pcr),
						  imalog_alg_size(alg)));
		}
		CHECK(imalog_pcrs_get(pcrs, IMALOG_ALG_SHA256, 10));
		imalog_pcrs_free(&all);
		imalog_pcrs_free(&pcrs);
	}
}

/* ---- text ---- */

TEST(forms_of_text)
{
	static const struct {
		const char *text, *hint;
		enum imalog_alg alg;
		uint32_t pcr;
		const char *value;
	} all[] = {
		{ "PCR-10: " SHA1_A "\n", NULL, IMALOG_ALG_SHA1, 10, SHA1_A },
		{ "PCR-10: " SHA1_A, NULL, IMALOG_ALG_SHA1, 10, SHA1_A },
		{ "PCR-09: " SHA1_A "\n", NULL, IMALOG_ALG_SHA1, 9, SHA1_A },
		{ "PCR-10: " SHA256_A "\n", "sha256", IMALOG_ALG_SHA256, 10, SHA256_A },
		{ "PCR-10: " SHA256_A "\n", "sm3_256", IMALOG_ALG_SM3, 10, SHA256_A },
		{ "PCR-10: " SHA256_A "\n", "SHA3-256", IMALOG_ALG_SHA3_256, 10,
		  SHA256_A },
		{ "\n# comment\n\n  PCR-10:\t" SHA1_A "  \r\n", NULL, IMALOG_ALG_SHA1, 10,
		  SHA1_A },
		{ "PCR-10: 00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF 00 11 22 33 \n",
		  NULL, IMALOG_ALG_SHA1, 10, SHA1_A },
		{ "10: 0x" SHA1_A "\n", NULL, IMALOG_ALG_SHA1, 10, SHA1_A },
		{ "10: 0X" SHA1_A "\n", NULL, IMALOG_ALG_SHA1, 10, SHA1_A },
		{ "sha256:\n  10: 0x" SHA256_A "\n", NULL, IMALOG_ALG_SHA256, 10,
		  SHA256_A },
		{ "  sha1:\n  sha256:\n    10: 0x" SHA256_A "\n  sha384:\n", NULL,
		  IMALOG_ALG_SHA256, 10, SHA256_A },
		{ "sha256:\n  0 : 0x" SHA256_A "\n", NULL, IMALOG_ALG_SHA256, 0,
		  SHA256_A },
		{ "sha256:10=" SHA256_A "\n", NULL, IMALOG_ALG_SHA256, 10, SHA256_A },
		{ "sha256:10=0x" SHA256_A "\n", "sha1", IMALOG_ALG_SHA256, 10, SHA256_A },
		{ "SHA256 : 63 = " SHA256_A "\n", NULL, IMALOG_ALG_SHA256, 63, SHA256_A },
		{ SHA256_A "\n", "sha256:10", IMALOG_ALG_SHA256, 10, SHA256_A },
		{ SHA1_A, "sha1:0", IMALOG_ALG_SHA1, 0, SHA1_A },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		struct imalog_pcrs *pcrs = imalog_pcrs_new();
		struct imalog_error *error = imalog_error_new();

		test_note("'%s'", all[i].text);
		if (CHECK_INT(parse(pcrs, all[i].text, strlen(all[i].text), all[i].hint,
				    error),
			      1))
			check_value(pcrs, all[i].alg, all[i].pcr, all[i].value);
		CHECK_INT(imalog_pcrs_count(pcrs), 1);
		imalog_error_free(&error);
		imalog_pcrs_free(&pcrs);
	}
}

TEST(text_of_several_values)
{
	const char *text = "sha1:\n 10: 0x" SHA1_A "\n 11: 0x" SHA1_B
			   "\nsha256:10=" SHA256_A "\n 10: 0x" SHA1_A "\n";
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	CHECK(parse(pcrs, text, strlen(text), NULL, NULL) > 0);
	CHECK_INT(imalog_pcrs_count(pcrs), 3);
	check_value(pcrs, IMALOG_ALG_SHA1, 10, SHA1_A);
	check_value(pcrs, IMALOG_ALG_SHA1, 11, SHA1_B);
	check_value(pcrs, IMALOG_ALG_SHA256, 10, SHA256_A);
	imalog_pcrs_free(&pcrs);
}

TEST(malformed_text)
{
	static const struct {
		const char *line;
		enum imalog_code code;
	} all[] = {
		{ "hello", IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: ", IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: xyz", IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: 0x", IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: 001", IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: 0011", IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: " SHA256_A, IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: " SHA1_A "0", IMALOG_ERR_BAD_VALUE },
		{ "PCR-10: " SHA256_A SHA256_A "00", IMALOG_ERR_BAD_VALUE },
		{ "PCR-64: " SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ "PCR-: " SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ "PCR--1: " SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ "PCR-4294967306: " SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ "PCR-1: " SHA1_B,
		  IMALOG_ERR_BAD_VALUE }, /* another value than before */
		{ "PCR 10: " SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ ": " SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ "sha256:10=" SHA1_A, IMALOG_ERR_BAD_LENGTH },
		{ "sha256:10=", IMALOG_ERR_BAD_VALUE },
		{ "sha256:=" SHA256_A, IMALOG_ERR_BAD_VALUE },
		{ "sha256:64=" SHA256_A, IMALOG_ERR_BAD_VALUE },
		{ "md5:10=00112233445566778899aabbccddeeff", IMALOG_ERR_BAD_VALUE },
		{ "none:10=" SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ "a-very-long-name-of-a-bank:10=" SHA1_A, IMALOG_ERR_BAD_VALUE },
		{ "\x1b[2J", IMALOG_ERR_BAD_VALUE },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(all); i++) {
		struct imalog_pcrs *pcrs = imalog_pcrs_new();
		struct imalog_error *error = imalog_error_new();
		char text[512];
		int rc;

		test_note("'%s'", all[i].line);
		snprintf(text, sizeof(text),
			 "PCR-01: " SHA1_A "\n\n%s\nPCR-02: " SHA1_A "\n", all[i].line);
		rc = parse(pcrs, text, strlen(text), NULL, error);
		CHECK_ERROR(error, rc, all[i].code, 3, 50, "");
		for (const char *c = imalog_error_detail(error); *c; c++)
			CHECK(*c >= 0x20 && *c < 0x7f);
		imalog_error_free(&error);
		imalog_pcrs_free(&pcrs);
	}
}

TEST(values_of_another_bank)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_error *error = imalog_error_new();
	const char *yaml = "sha256:\n  10: 0x" SHA1_A "\n",
		   *odd = "md5:\n  10: 0x" SHA256_A "\n";
	const char *both = "md5:\n  10: 0x0011\n  11: 0x2233\nsha1:\n  10: 0x" SHA1_A
			   "\n";

	CHECK_ERROR(error, parse(pcrs, "PCR-10: " SHA1_A, 48, "sha256", error),
		    IMALOG_ERR_BAD_LENGTH, 1, 0, "");
	CHECK_ERROR(error, parse(pcrs, yaml, strlen(yaml), NULL, error),
		    IMALOG_ERR_BAD_LENGTH, 2, 8, "");
	/* A bank that is misspelt, or not known, does not lose its values in silence. */
	CHECK_ERROR(error, parse(pcrs, odd, strlen(odd), NULL, error),
		    IMALOG_ERR_BAD_VALUE, 1, 0, "");
	CHECK_ERROR(error, parse(pcrs, both, strlen(both), NULL, error),
		    IMALOG_ERR_BAD_VALUE, 1, 0, "");
	CHECK_INT(imalog_pcrs_count(pcrs), 0);
	imalog_error_free(&error);
	imalog_pcrs_free(&pcrs);
}

TEST(no_values_at_all)
{
	static const char *const texts[] = { "",	  "\n",
					     "\n\n  \n",  "# PCR-10\n",
					     "sha256:\n", "  sha1:\n  sha256:\n" };
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_error *error = imalog_error_new();

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(texts); i++) {
		test_note("'%s'", texts[i]);
		CHECK_ERROR(error, parse(pcrs, texts[i], strlen(texts[i]), NULL, error),
			    IMALOG_ERR_BAD_FORMAT, 0, 0, "");
	}
	test_note("NUL");
	CHECK_INT(parse(pcrs, "PCR-10: " SHA1_A "\0", 49, NULL, error),
		  -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(parse(pcrs, "\0\0\0\0\0\0\0\0", 8, NULL, error), -IMALOG_ERR_BAD_VALUE);
	CHECK_INT(imalog_pcrs_count(pcrs), 0);
	imalog_error_free(&error);
	imalog_pcrs_free(&pcrs);
}

/* ---- hints ---- */

TEST(raw_values_of_a_selection)
{
	struct build raw = { .order = IMALOG_ORDER_LE };
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	put_hex(&raw, SHA256_A);
	put_hex(&raw, SHA1_A);
	put_hex(&raw, SHA1_B);
	/* In the order of the banks, lowest PCR first, however the selection is written */
	CHECK_INT(parse(pcrs, raw.data, raw.size, "sha256:10+sha1:23,0", NULL), 3);
	check_value(pcrs, IMALOG_ALG_SHA256, 10, SHA256_A);
	check_value(pcrs, IMALOG_ALG_SHA1, 0, SHA1_A);
	check_value(pcrs, IMALOG_ALG_SHA1, 23, SHA1_B);
	for (size_t size = 0; size < raw.size; size++) {
		struct imalog_pcrs *cut = imalog_pcrs_new();
		int rc;

		test_note("%zu bytes", size);
		rc = parse(cut, raw.data, size, "sha256:10+sha1:23,0", NULL);
		CHECK(rc < 0 && rc > -100);
		imalog_pcrs_free(&cut);
	}
	imalog_pcrs_free(&pcrs);
	build_free(&raw);
}

TEST(bad_hints)
{
	static const char *const hints[] = {
		"",
		"nope",
		"sha256:64",
		"sha256:x",
		"sha256:10,",
		"sha256:,10",
		"sha256:10-12",
		"sha256:10+",
		"+sha256",
		"sha256:10:11",
		"sha256 ",
		"none:1",
		"sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1+sha1",
		"a\x1b[2J"
	};
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_error *error = imalog_error_new();

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(hints); i++) {
		test_note("'%s'", hints[i]);
		CHECK_ERROR(error, parse(pcrs, "PCR-10: " SHA1_A, 48, hints[i], error),
			    IMALOG_ERR_INVALID, 0, 0, "");
		for (const char *c = imalog_error_detail(error); *c; c++)
			CHECK(*c >= 0x20 && *c < 0x7f);
	}
	imalog_error_free(&error);
	imalog_pcrs_free(&pcrs);
}

TEST(one_value_on_the_command_line)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_error *error = imalog_error_new();

	CHECK_INT(imalog_pcrs_add_spec(pcrs, "sha1:10=" SHA1_A, error), 0);
	CHECK_INT(imalog_pcrs_add_spec(pcrs, "sha1:10=" SHA1_A, error), 0);
	check_value(pcrs, IMALOG_ALG_SHA1, 10, SHA1_A);
	CHECK_ERROR(error, imalog_pcrs_add_spec(pcrs, "sha1:10", error),
		    IMALOG_ERR_BAD_VALUE, 0, 0, "");
	CHECK_ERROR(error, imalog_pcrs_add_spec(pcrs, "", error), IMALOG_ERR_BAD_VALUE, 0,
		    0, "");
	CHECK_ERROR(error, imalog_pcrs_add_spec(pcrs, "sha1:10=" SHA256_A, error),
		    IMALOG_ERR_BAD_LENGTH, 0, 0, "");
	CHECK_ERROR(error, imalog_pcrs_add_spec(pcrs, "10=" SHA1_A, error),
		    IMALOG_ERR_BAD_VALUE, 0, 0, "");
	CHECK(imalog_pcrs_add_spec(pcrs, "sha1:10=" SHA1_B, error) < 0);
	imalog_error_free(&error);
	imalog_pcrs_free(&pcrs);
}

/* ---- malformed files of tpm2_quote ---- */

/* The header is 16 selections of 8 bytes between two counts; then a list of values. */
static void check_patched(size_t at, const char *hex, enum imalog_code code)
{
	struct bytes file = bytes_of_file("rig/ng/quote-10-11.pcrs"),
		     patch = bytes_of_hex(hex);
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_error *error = imalog_error_new();

	test_note("%s at %zu", hex, at);
	memcpy(file.data + at, patch.data, patch.size);
	CHECK_ERROR(error, imalog_pcrs_parse(pcrs, span_of_bytes(file), NULL, error),
		    code, 0, 0, "");
	imalog_error_free(&error);
	imalog_pcrs_free(&pcrs);
	bytes_free(&patch);
	bytes_free(&file);
}

TEST(malformed_files_of_tpm2_quote)
{
	check_patched(4, "ffff", IMALOG_ERR_BAD_VALUE);	    /* bank */
	check_patched(6, "05", IMALOG_ERR_BAD_VALUE);	    /* bytes of the selection */
	check_patched(7, "00000000", IMALOG_ERR_BAD_VALUE); /* it selects none */
	check_patched(0, "00000000", IMALOG_ERR_BAD_VALUE); /* no selection */
	check_patched(7, "ffffff",
		      IMALOG_ERR_BAD_LENGTH); /* more than there are values */
	check_patched(136, "07000000", IMALOG_ERR_BAD_LENGTH); /* fewer values */
	check_patched(136, "09000000", IMALOG_ERR_BAD_LENGTH); /* more than a list has */
	check_patched(136, "ffffffff", IMALOG_ERR_BAD_LENGTH);
	check_patched(140, "1400", IMALOG_ERR_BAD_LENGTH); /* a value of another size */
	check_patched(140, "ffff", IMALOG_ERR_BAD_LENGTH);
}

TEST(files_of_tpm2_quote_cut_at_every_byte)
{
	struct bytes file = bytes_of_file("rig/ng/quote-10-11.pcrs");
	struct imalog_pcrs *whole = imalog_pcrs_new();

	/* Three bytes select; what is in the fourth does not count. */
	file.data[10] = 0xff;
	CHECK_INT(parse(whole, file.data, file.size, NULL, NULL), 10);
	imalog_pcrs_free(&whole);

	for (size_t size = 0; size < file.size; size++) {
		struct imalog_pcrs *pcrs = imalog_pcrs_new();
		int rc = parse(pcrs, file.data, size, NULL, NULL);

		test_note("%zu bytes", size);
		CHECK(rc < 0 && rc > -100);
		CHECK_INT(imalog_pcrs_count(pcrs), 0);
		imalog_pcrs_free(&pcrs);
	}
	bytes_free(&file);
}

TEST_MAIN(CASE(yaml_of_tpm2_pcrread), CASE(files_of_tpm2_quote), CASE(forms_of_text),
	  CASE(text_of_several_values), CASE(malformed_text),
	  CASE(values_of_another_bank), CASE(no_values_at_all),
	  CASE(raw_values_of_a_selection), CASE(bad_hints),
	  CASE(one_value_on_the_command_line), CASE(malformed_files_of_tpm2_quote),
	  CASE(files_of_tpm2_quote_cut_at_every_byte))
