// SPDX-License-Identifier: GPL-2.0-or-later
/* Replay of TLV lists: what proves a record, and that its label never does. */
#include "cel-log.h"
#include "replay.h"

static struct imalog_replay *replay_of(struct imalog_span bytes, enum imalog_alg alg,
				       const uint8_t *value, bool allow)
{
	struct imalog_replay *replay = imalog_replay_new();

	CHECK_INT(imalog_replay_expect(replay, alg, 10,
				       span_of(value, imalog_alg_size(alg)), NULL),
		  0);
	if (allow)
		imalog_replay_allow_opaque(replay);
	CHECK_INT(replay_bytes(replay, bytes, 1, NULL), 0);
	return replay;
}

static void check_replay_of(const char *hex, enum imalog_alg alg, const uint8_t *value,
			    bool allow, enum imalog_verdict verdict, uint64_t matched_at)
{
	struct bytes bytes = bytes_of_hex(hex);
	struct imalog_replay *replay = replay_of(span_of_bytes(bytes), alg, value, allow);

	check_verdict(replay, verdict, matched_at);
	imalog_replay_free(&replay);
	bytes_free(&bytes);
}

TEST(golden_ima_tlv)
{
	struct bytes value = bytes_of_hex(CEL_TLV_PCR);

	check_replay_of(CEL_TLV, IMALOG_ALG_SHA256, value.data, false, IMALOG_MATCH, 1);
	bytes_free(&value);
}

/* PCR 10 after these digests of SHA-1 */
static void extend_all(uint8_t value[20], const char *const *digests, size_t n)
{
	memset(value, 0, 20);
	for (size_t i = 0; i < n; i++) {
		struct bytes digest = bytes_of_hex(digests[i]);

		extend(&banks[0], value, digest.data, 20);
		bytes_free(&digest);
	}
}

#define ONES	     "ffffffffffffffffffffffffffffffffffffffff"
#define HEAD(digest) "00 00000001 00 01 00000001 0a 03 00000019 04 00000014" digest

TEST(violations)
{
	static const char *const digests[] = { CEL_NG_SHA1, ONES, ONES };
	uint8_t value[20];

	extend_all(value, digests, 3);
	check_replay_of(
		CEL_NG HEAD("0000000000000000000000000000000000000000") "08 00000006 00 00000001 61" HEAD(
			ONES) "08 00000006 00 00000001 62",
		IMALOG_ALG_SHA1, value, false, IMALOG_MATCH, 3);
}

TEST(what_extends_nothing)
{
	static const char *const digests[] = { CEL_NG_SHA1 };
	struct bytes bytes = bytes_of_hex(
		HEAD(ONES) CEL_VERSION CEL_NG HEAD(ONES) CEL_FIRMWARE_END HEAD(
			ONES) "05 0000000e 00 00000004 00000003 01 00000000"
			      "00 00000001 00 02 00000001 0a 03 00000019 04 00000014" ONES
			      "50 00000000"
			      "00 00000001 00 6c 00000001 0a 03 00000000 50 00000000");
	struct imalog_replay *replay;
	uint8_t value[20];

	extend_all(value, digests, 1);
	replay = replay_of(span_of_bytes(bytes), IMALOG_ALG_SHA1, value, false);
	check_verdict(replay, IMALOG_MATCH, 2);
	CHECK_INT(imalog_replay_records(replay), 6);
	CHECK_INT(imalog_replay_unmeasured(replay), 3);
	CHECK_INT(imalog_replay_elsewhere(replay), 2);
	CHECK_INT(imalog_replay_problems(replay), 0);
	imalog_replay_free(&replay);
	bytes_free(&bytes);
}

/* Content that no rule checks: the digest leads to the value, and proves nothing. */
TEST(opaque_content)
{
	static const char *const contents[] = {
		CEL_KEXEC,	    "05 0000000e 00 00000004 00000004 01 00000000",
		"09 00000002 7b7d", "50 00000003 abcdef",
		"da 00000000",
	};
	static const char *const digests[] = { CEL_NG_SHA1, CEL_DIGEST };
	uint8_t value[20], wrong[20] = { 1 };

	extend_all(value, digests, 2);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(contents); i++) {
		char hex[1024];

		test_note("%s", contents[i]);
		snprintf(hex, sizeof(hex), "%s%s%s", CEL_NG, HEAD(CEL_DIGEST),
			 contents[i]);
		check_replay_of(hex, IMALOG_ALG_SHA1, value, false, IMALOG_NOT_CHECKED,
				2);
		check_replay_of(hex, IMALOG_ALG_SHA1, value, true, IMALOG_MATCH, 2);
		check_replay_of(hex, IMALOG_ALG_SHA1, wrong, false, IMALOG_NOT_CHECKED,
				0);
		check_replay_of(hex, IMALOG_ALG_SHA1, wrong, true, IMALOG_MISMATCH, 0);
	}
}

/* A bank of which a record has no digest is not known, whatever is allowed. */
TEST(opaque_content_without_a_digest)
{
	struct bytes bytes = bytes_of_hex(CEL_NG HEAD(CEL_DIGEST) "50 00000000");
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	uint8_t value[32] = { 1 };
	struct imalog_replay *replay =
		replay_of(span_of_bytes(bytes), IMALOG_ALG_SHA256, value, true);

	check_verdict(replay, IMALOG_NOT_CHECKED, 0);
	CHECK_INT(check_of(replay, 0).unchecked, 1);
	CHECK_INT(imalog_replay_pcrs(replay, pcrs, NULL), 0);
	CHECK_INT(imalog_pcrs_count(pcrs), 0);
	imalog_pcrs_free(&pcrs);
	imalog_replay_free(&replay);
	bytes_free(&bytes);
}

/* What comes behind the match is later and not proved, whatever its content is. */
TEST(opaque_content_behind_the_match)
{
	static const char *const digests[] = { CEL_NG_SHA1, CEL_DIGEST };
	struct bytes bytes = bytes_of_hex(CEL_NG HEAD(CEL_DIGEST) "50 00000000");
	struct imalog_replay *replay;
	uint8_t value[20];

	for (size_t believed = 1; believed <= 2; believed++) {
		extend_all(value, digests, believed);
		for (int allow = 0; allow < 2; allow++) {
			replay = replay_of(span_of_bytes(bytes), IMALOG_ALG_SHA1, value, allow);
			check_verdict(replay,
				      believed == 1 || allow ? IMALOG_MATCH : IMALOG_NOT_CHECKED,
				      believed);
			CHECK_INT(check_of(replay, 0).unchecked, believed - 1);
			CHECK_INT(check_of(replay, 0).extends, 2);
			imalog_replay_free(&replay);
		}
	}
	bytes_free(&bytes);
}

struct complaints {
	int n;
	enum imalog_problem last;
};

static void on_problem(void *arg, const struct imalog_record *record,
		       enum imalog_problem problem)
{
	struct complaints *complaints = arg;

	(void)record;
	complaints->n++;
	complaints->last = problem;
}

TEST(complaints_about_content)
{
	struct bytes bytes = bytes_of_hex(CEL_NG HEAD(CEL_DIGEST) "50 00000000");

	for (int allow = 0; allow < 2; allow++) {
		struct imalog_replay *replay = imalog_replay_new();
		struct complaints complaints = { 0, IMALOG_PROBLEM_DIGEST };

		if (allow)
			imalog_replay_allow_opaque(replay);
		imalog_replay_on_problem(replay, on_problem, &complaints);
		CHECK_INT(replay_bytes(replay, span_of_bytes(bytes), 1, NULL), 0);
		CHECK_INT(complaints.n, !allow);
		CHECK_INT(imalog_replay_problems(replay), !allow);
		if (!allow)
			CHECK_INT(complaints.last, IMALOG_PROBLEM_UNCHECKED);
		imalog_replay_free(&replay);
	}
	bytes_free(&bytes);
}

/* Does the log still lead to a proof?  What cannot be read does not. */
static void check_no_proof(struct imalog_span bytes, const uint8_t value[20])
{
	struct bytes exact = bytes_copy(bytes.data, bytes.size);
	struct imalog_replay *replay = imalog_replay_new();

	CHECK_INT(imalog_replay_expect(replay, IMALOG_ALG_SHA1, 10, span_of(value, 20),
				       NULL),
		  0);
	if (replay_bytes(replay, span_of_bytes(exact), 1, NULL) == 0)
		CHECK(imalog_replay_verdict(replay, NULL) != IMALOG_MATCH);
	imalog_replay_free(&replay);
	bytes_free(&exact);
}

/*
 * The first of two records gets every other type of content and of index, its content
 * fitted to that where it can be; the value is that of the honest log all along.
 */
TEST(labels_make_no_proof)
{
	static const char *const digests[] = { CEL_NG_SHA1, CEL_NG_SHA1 };
	static const char *const contents[] = {
		"0000004f 00 00000006 696d612d6e67 01 0000003f" CEL_NG_DATA,
		"0000003f" CEL_NG_DATA,
		"0000000e 00 00000004 00000004 01 00000000",
		"0000000e 00 00000004 00000003 01 00000000",
		"00000006 51 00000001 02",
		"00000005 02 00000000",
		"00000006 00 00000001 61",
		"0000000b 00 00000001 61 01 00000000",
		"00000000",
	};
	uint8_t value[20];

	extend_all(value, digests, 2);
	check_replay_of(CEL_NG CEL_NG, IMALOG_ALG_SHA1, value, false, IMALOG_MATCH, 2);
	for (unsigned int type = 0; type < 256; type++) {
		for (size_t i = 0; i < IMALOG_ARRAY_SIZE(contents); i++) {
			char hex[2048];
			struct bytes bytes;

			if (type == IMALOG_CEL_IMA_TEMPLATE && i == 0)
				continue;
			test_note("content type %u, %s", type, contents[i]);
			snprintf(hex, sizeof(hex), "%s %02x %s %s", HEAD(CEL_NG_SHA1),
				 type, contents[i], CEL_NG);
			bytes = bytes_of_hex(hex);
			check_no_proof(span_of_bytes(bytes), value);
			bytes_free(&bytes);
		}
		if (type != IMALOG_INDEX_PCR) {
			struct bytes bytes = bytes_of_hex(CEL_NG CEL_NG);

			test_note("index type %u", type);
			bytes.data[13] = (uint8_t)type;
			check_no_proof(span_of_bytes(bytes), value);
			bytes_free(&bytes);
		}
	}
}

/* Every byte of a record but those that no digest covers: numbers, and names of the like */
TEST(no_byte_of_content_can_change)
{
	static const char *const digests[] = { CEL_NG_SHA1 };
	struct bytes bytes = bytes_of_hex(CEL_NG), tlv = bytes_of_hex(CEL_TLV);
	struct bytes tlv_value = bytes_of_hex(CEL_TLV_PCR);
	uint8_t value[20];

	extend_all(value, digests, 1);
	for (size_t at = 0; at < bytes.size; at++) {
		/* The record's number (0) and the template's name (100) are not measured.
		 */
		if (at < 13 || (at >= 99 && at < 105))
			continue;
		test_note("byte %zu", at);
		bytes.data[at] ^= 1;
		check_no_proof(span_of_bytes(bytes), value);
		bytes.data[at] ^= 1;
	}
	for (size_t at = 9; at < tlv.size; at++) {
		struct imalog_replay *replay = imalog_replay_new();

		test_note("byte %zu of ima_tlv", at);
		tlv.data[at] ^= 1;
		CHECK_INT(imalog_replay_expect(replay, IMALOG_ALG_SHA256, 10,
					       span_of_bytes(tlv_value), NULL),
			  0);
		if (replay_bytes(replay, span_of_bytes(tlv), 1, NULL) == 0)
			CHECK(imalog_replay_verdict(replay, NULL) != IMALOG_MATCH);
		imalog_replay_free(&replay);
		tlv.data[at] ^= 1;
	}
	bytes_free(&bytes);
	bytes_free(&tlv);
	bytes_free(&tlv_value);
}

/* Each bank's digest is checked, not that of one. */
TEST(one_wrong_digest_of_several)
{
	static const char *const digests[] = { CEL_NG_SHA1 };
	struct bytes bytes = bytes_of_hex(CEL_NG);
	uint8_t value[20];

	extend_all(value, digests, 1);
	bytes.data[60] ^= 1; /* in the digest of SHA-256 */
	check_no_proof(span_of_bytes(bytes), value);
	bytes_free(&bytes);
}

/* One PCR through files of several formats */
TEST(files_of_several_formats)
{
	struct bytes list, bytes = bytes_of_hex(CEL_TLV);
	struct imalog_replay *replay = imalog_replay_new();
	struct bytes digest = bytes_of_hex(CEL_TLV_SHA256);
	uint8_t value[32];

	rig_list(&rigs[0], &banks[1], "binary", &list);
	REQUIRE(rig_pcr(&rigs[0], &banks[1], value));
	extend(&banks[1], value, digest.data, 32);
	CHECK_INT(imalog_replay_expect(replay, IMALOG_ALG_SHA256, 10, span_of(value, 32),
				       NULL),
		  0);
	CHECK_INT(replay_bytes(replay, span_of_bytes(list), 1, NULL), 0);
	CHECK_INT(replay_bytes(replay, span_of_bytes(bytes), rigs[0].records + 1, NULL),
		  0);
	check_verdict(replay, IMALOG_MATCH, rigs[0].records + 1);
	imalog_replay_free(&replay);
	bytes_free(&list);
	bytes_free(&bytes);
	bytes_free(&digest);
}

TEST_MAIN(CASE(golden_ima_tlv), CASE(violations), CASE(what_extends_nothing),
	  CASE(opaque_content), CASE(opaque_content_without_a_digest),
	  CASE(opaque_content_behind_the_match),
	  CASE(complaints_about_content), CASE(labels_make_no_proof),
	  CASE(no_byte_of_content_can_change), CASE(one_wrong_digest_of_several),
	  CASE(files_of_several_formats))
