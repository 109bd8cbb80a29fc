// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/replay.c: the verdict over all PCRs, problems of records, calls out of order. */
#include "replay.h"

static const struct bank *const sha256 = &banks[1];

/* Appends a record of PCR @pcr, and extends the SHA-256 value of that PCR. */
static void put_pcr(struct build *list, uint32_t pcr, uint8_t fill, uint8_t *value)
{
	struct build data = { .order = list->order };
	uint8_t digest[IMALOG_DIGEST_MAX];
	size_t start = list->size;

	put_d_ng(&data, fill);
	put_name(&data, "/some/name");
	put_record_over(list, "ima-ng", built(&data), "SHA1", 20, built(&data));
	list->data[start + (list->order == IMALOG_ORDER_BE ? 3 : 0)] = (uint8_t)pcr;
	hash_of("SHA256", built(&data), digest);
	extend(sha256, value, digest, 32);
	build_free(&data);
}

static void expect(struct imalog_replay *replay, uint32_t pcr, const uint8_t *value)
{
	CHECK_INT(imalog_replay_expect(replay, IMALOG_ALG_SHA256, pcr, span_of(value, 32),
				       NULL),
		  0);
}

/* ---- all compared values at one record ---- */

/* PCR 10 after records 1, 2, 4, 5; PCR 11 after 3 and 6; the values after each record */
struct mixed {
	struct build list;
	uint8_t ten[7][32], eleven[7][32];
};

static void build_mixed(struct mixed *mixed)
{
	uint8_t ten[32] = { 0 }, eleven[32] = { 0 };

	memset(mixed, 0, sizeof(*mixed));
	mixed->list.order = IMALOG_ORDER_LE;
	for (uint8_t n = 1; n <= 6; n++) {
		if (n % 3 == 0)
			put_pcr(&mixed->list, 11, n, eleven);
		else
			put_pcr(&mixed->list, 10, n, ten);
		memcpy(mixed->ten[n], ten, 32);
		memcpy(mixed->eleven[n], eleven, 32);
	}
}

TEST(all_values_hold_after_one_record)
{
	struct mixed mixed;

	build_mixed(&mixed);
	for (size_t a = 1; a <= 6; a++) {
		for (size_t b = 3; b <= 6; b++) {
			struct imalog_replay *replay = imalog_replay_new();
			bool common = false;
			uint64_t at = 0;

			test_note("PCR 10 after %zu, 11 after %zu", a, b);
			for (size_t n = 6; n >= 1; n--) {
				if (memcmp(mixed.ten[n], mixed.ten[a], 32) == 0 &&
				    memcmp(mixed.eleven[n], mixed.eleven[b], 32) == 0) {
					common = true;
					at = n;
				}
			}
			expect(replay, 10, mixed.ten[a]);
			expect(replay, 11, mixed.eleven[b]);
			CHECK_INT(replay_bytes(replay, built(&mixed.list), 1, NULL), 0);
			check_verdict(replay, common ? IMALOG_MATCH : IMALOG_MISMATCH,
				      at);
			CHECK_INT(check_of(replay, 0).verdict, IMALOG_MATCH);
			CHECK_INT(check_of(replay, 1).verdict, IMALOG_MATCH);
			imalog_replay_free(&replay);
		}
	}
	build_free(&mixed.list);
}

TEST(where_a_value_holds)
{
	struct mixed mixed;
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_check check;

	build_mixed(&mixed);
	expect(replay, 11, mixed.eleven[3]);
	expect(replay, 10, mixed.ten[2]);
	CHECK_INT(replay_bytes(replay, built(&mixed.list), 1, NULL), 0);
	check = check_of(replay, 0);
	CHECK_INT(check.pcr, 10);
	CHECK_INT(check.matched_at, 2);
	CHECK_INT(check.matched_to, 3);
	CHECK_INT(check.extends, 4);
	check = check_of(replay, 1);
	CHECK_INT(check.pcr, 11);
	CHECK_INT(check.matched_at, 3);
	CHECK_INT(check.matched_to, 5);
	CHECK_INT(check.extends, 2);
	check_verdict(replay, IMALOG_MATCH, 3);
	imalog_replay_free(&replay);
	build_free(&mixed.list);
}

/* Numbers need not start at 1: the first record of a segment with given start values. */
TEST(later_segment_with_start_values)
{
	struct mixed mixed;
	struct imalog_replay *replay = imalog_replay_new();
	size_t cut;

	build_mixed(&mixed);
	cut = mixed.list.size / 6 * 2;
	CHECK_INT(imalog_replay_start(replay, IMALOG_ALG_SHA256, 10,
				      span_of(mixed.ten[2], 32), NULL),
		  0);
	expect(replay, 10, mixed.ten[5]);
	expect(replay, 11, mixed.eleven[3]);
	CHECK_INT(replay_bytes(replay,
			       span_of(mixed.list.data + cut, mixed.list.size - cut),
			       1003, NULL),
		  0);
	CHECK_INT(imalog_replay_records(replay), 4);
	check_verdict(replay, IMALOG_MATCH, 1005);
	CHECK_INT(check_of(replay, 0).matched_at, 1005);
	CHECK_INT(check_of(replay, 0).matched_to, 1006);
	CHECK_INT(check_of(replay, 1).matched_at, 1003);
	CHECK_INT(check_of(replay, 1).matched_to, 1005);
	imalog_replay_free(&replay);
	build_free(&mixed.list);
}

TEST(nothing_to_compare_and_never_extended)
{
	static const uint8_t zeros[32];
	struct mixed mixed;
	struct imalog_replay *replay = imalog_replay_new();

	build_mixed(&mixed);
	check_verdict(replay, IMALOG_NOT_CHECKED, 0);
	CHECK_INT(imalog_replay_add_bank(replay, IMALOG_ALG_SHA256, NULL), 0);
	CHECK_INT(replay_bytes(replay, built(&mixed.list), 1, NULL), 0);
	CHECK_INT(imalog_replay_checks(replay), 0);
	check_verdict(replay, IMALOG_NOT_CHECKED, 0);
	imalog_replay_free(&replay);
	/* The zeros of a PCR without records are no match, not even beside one. */
	replay = imalog_replay_new();
	expect(replay, 12, zeros);
	CHECK_INT(check_of(replay, 0).verdict, IMALOG_NOT_CHECKED);
	expect(replay, 10, mixed.ten[1]);
	CHECK_INT(replay_bytes(replay, built(&mixed.list), 1, NULL), 0);
	CHECK_INT(check_of(replay, 0).verdict, IMALOG_MATCH);
	CHECK_INT(check_of(replay, 1).verdict, IMALOG_NOT_CHECKED);
	CHECK_INT(check_of(replay, 1).extends, 0);
	check_verdict(replay, IMALOG_NOT_CHECKED, 0);
	imalog_replay_free(&replay);
	/* Nor is the value that PCR 10 had before its first record. */
	replay = imalog_replay_new();
	expect(replay, 10, zeros);
	CHECK_INT(replay_bytes(replay, built(&mixed.list), 1, NULL), 0);
	check_verdict(replay, IMALOG_MISMATCH, 0);
	imalog_replay_free(&replay);
	/* An empty log */
	replay = imalog_replay_new();
	expect(replay, 10, zeros);
	CHECK_INT(replay_bytes(replay, span_of("", 0), 1, NULL), 0);
	check_verdict(replay, IMALOG_NOT_CHECKED, 0);
	imalog_replay_free(&replay);
	build_free(&mixed.list);
}

TEST(offered_values)
{
	static const uint8_t zeros[32], other[32] = { 1 };
	struct mixed mixed;
	struct imalog_replay *replay = imalog_replay_new();

	build_mixed(&mixed);
	for (uint32_t pcr = 0; pcr < 24; pcr++)
		CHECK_INT(imalog_replay_offer(replay, IMALOG_ALG_SHA256, pcr,
					      span_of(pcr == 10 ? mixed.ten[6] :
						      pcr == 11 ? mixed.eleven[6] :
						      pcr == 0	? other :
								  zeros,
						      32),
					      NULL),
			  0);
	CHECK_INT(replay_bytes(replay, built(&mixed.list), 1, NULL), 0);
	CHECK_INT(imalog_replay_checks(replay), 2);
	CHECK_INT(check_of(replay, 0).pcr, 10);
	CHECK_INT(check_of(replay, 1).pcr, 11);
	check_verdict(replay, IMALOG_MATCH, 6);
	imalog_replay_free(&replay);
	build_free(&mixed.list);
}

/* ---- problems ---- */

struct seen {
	uint64_t records, problems[16];
	enum imalog_problem kinds[16];
	size_t nr;
};

static void see_problem(void *arg, const struct imalog_record *record,
			enum imalog_problem problem)
{
	struct seen *seen = arg;

	CHECK_INT(imalog_record_number(record), seen->records + 1); /* before on_record */
	if (seen->nr == 16)
		return;
	seen->problems[seen->nr] = imalog_record_number(record);
	seen->kinds[seen->nr++] = problem;
}

static void see_record(void *arg, const struct imalog_record *record)
{
	struct seen *seen = arg;

	CHECK_INT(imalog_record_number(record), ++seen->records);
}

static struct imalog_replay *watched(struct seen *seen)
{
	struct imalog_replay *replay = imalog_replay_new();

	memset(seen, 0, sizeof(*seen));
	imalog_replay_on_problem(replay, see_problem, seen);
	imalog_replay_on_record(replay, see_record, seen);
	return replay;
}

/* A digest that does not fit: named, and no match even when the PCR is right. */
TEST(bad_digests)
{
	for (int where = 0; where < 2; where++) {
		struct build list = { .order = IMALOG_ORDER_LE };
		uint8_t value[32] = { 0 };
		struct imalog_replay *replay;
		struct seen seen;
		size_t size;

		for (int n = 0; n < 300; n++)
			put_pcr(&list, 10, (uint8_t)(n % 250 + 1), value);
		size = list.size / 300;
		list.data[size * 9 + (where ? size - 2 : 10)] ^= 1; /* name, or digest */
		list.data[size * 200 + 10] ^= 1;
		replay = watched(&seen);
		expect(replay, 10, value);
		CHECK_INT(replay_bytes(replay, built(&list), 1, NULL), 0);
		CHECK_INT(seen.records, 300);
		CHECK_INT(seen.nr, 2);
		CHECK_INT(seen.problems[0], 10);
		CHECK_INT(seen.problems[1], 201);
		CHECK_INT(seen.kinds[0], IMALOG_PROBLEM_DIGEST);
		CHECK_INT(imalog_replay_problems(replay), 2);
		CHECK_INT(imalog_replay_first_problem(replay), 10);
		CHECK_INT(check_of(replay, 0).verdict,
			  where ? IMALOG_MISMATCH : IMALOG_MATCH);
		CHECK_INT(imalog_replay_verdict(replay, NULL), IMALOG_MISMATCH);
		imalog_replay_free(&replay);
		build_free(&list);
	}
}

#define GOOD_LINE                                             \
	"10 72410098093b957bf7139cbd86488ad96dfe8c11 ima-ng " \
	"sha256:202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f /bin/a\n"
#define OPAQUE_LINE "10 00112233445566778899aabbccddeeff00112233 what x\n"

TEST(ascii_lines)
{
	const char *text = GOOD_LINE "10 0123456789012345678901234567890123456789 ima-ng "
				     "sha1:0123 /x\n" OPAQUE_LINE GOOD_LINE;
	struct seen seen;
	struct imalog_replay *replay = watched(&seen);
	uint8_t value[32] = { 1 };

	expect(replay, 10, value);
	CHECK_INT(replay_bytes(replay, imalog_span_of(text), 1, NULL), 0);
	CHECK_INT(seen.records, 4);
	CHECK_INT(seen.nr, 2);
	CHECK_INT(seen.problems[0], 2);
	CHECK_INT(seen.kinds[0], IMALOG_PROBLEM_ASCII);
	CHECK_INT(seen.problems[1], 3);
	CHECK_INT(seen.kinds[1], IMALOG_PROBLEM_OPAQUE);
	check_verdict(replay, IMALOG_MISMATCH, 0);
	imalog_replay_free(&replay);
}

/* What cannot be computed makes neither a match nor a mismatch. */
TEST(opaque_records)
{
	struct bytes digest = bytes_of_hex("00112233445566778899aabbccddeeff00112233");
	uint8_t value[32] = { 0 }, first[32], own[32];
	struct imalog_replay *replay = imalog_replay_new();
	struct bytes data = bytes_of_hex(golden[0].data[0]);

	hash_of("SHA256", span_of_bytes(data), own);
	extend(sha256, value, own, 32);
	memcpy(first, value, 32);
	extend(sha256, value, digest.data, digest.size);
	expect(replay, 10, value);
	CHECK_INT(replay_bytes(replay, imalog_span_of(GOOD_LINE OPAQUE_LINE), 1, NULL),
		  0);
	check_verdict(replay, IMALOG_NOT_CHECKED, 2);
	CHECK_INT(imalog_replay_problems(replay), 1);
	imalog_replay_free(&replay);
	/* What comes behind a match is later, whatever it is. */
	replay = imalog_replay_new();
	expect(replay, 10, first);
	CHECK_INT(replay_bytes(replay, imalog_span_of(GOOD_LINE OPAQUE_LINE), 1, NULL),
		  0);
	CHECK_INT(check_of(replay, 0).verdict, IMALOG_MATCH);
	check_verdict(replay, IMALOG_MATCH, 1);
	imalog_replay_free(&replay);
	replay = imalog_replay_new();
	expect(replay, 10, own);
	CHECK_INT(replay_bytes(replay, imalog_span_of(GOOD_LINE OPAQUE_LINE), 1, NULL),
		  0);
	check_verdict(replay, IMALOG_NOT_CHECKED, 0);
	imalog_replay_free(&replay);
	bytes_free(&data);
	bytes_free(&digest);
}

TEST(log_that_is_malformed_in_the_middle)
{
	static const int counts[] = { 0, 1, 127, 128, 129, 200 };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(counts); i++) {
		struct build list = { .order = IMALOG_ORDER_LE };
		struct imalog_error *error = imalog_error_new();
		uint8_t value[32] = { 0 };
		struct imalog_replay *replay;
		struct seen seen;

		test_note("%d good records", counts[i]);
		for (int n = 0; n < counts[i]; n++)
			put_pcr(&list, 10, (uint8_t)(n + 1), value);
		put_int(&list, 10);
		put_text(&list, "cut");
		replay = watched(&seen);
		expect(replay, 10, value);
		CHECK_ERROR(error, replay_bytes(replay, built(&list), 1, error),
			    IMALOG_ERR_TRUNCATED, (uint64_t)counts[i] + 1, list.size - 7,
			    "template digest");
		CHECK_INT(seen.records, counts[i]);
		CHECK_INT(imalog_replay_records(replay), counts[i]);
		check_verdict(replay, counts[i] ? IMALOG_MATCH : IMALOG_NOT_CHECKED,
			      (uint64_t)counts[i]);
		imalog_replay_free(&replay);
		imalog_error_free(&error);
		build_free(&list);
	}
}

/* ---- byte orders ---- */

/* Records of all orders side by side: the digests of each over its own. */
TEST(hash_orders_are_of_records)
{
	for (int order = 0; order < 2; order++) {
		struct build list = { .order = order ? IMALOG_ORDER_BE :
						       IMALOG_ORDER_LE };
		struct imalog_replay *replay = imalog_replay_new();
		uint8_t value[32] = { 0 }, ones[32];
		uint64_t records = 0;

		memset(ones, 0xff, sizeof(ones));
		for (size_t i = 0; i < 60 * GOLDEN; i++) {
			/* long runs of one order, and some that change with each record */
			int hash_order = i < 200 ? 0 : i < 400 ? 1 : (int)(i & 1);
			struct build one = golden_list(i % GOLDEN, order, hash_order);
			struct bytes digest = bytes_of_hex(
				golden[i % GOLDEN].digests[hash_order].sha256);

			put(&list, one.data, one.size);
			extend(sha256, value, digest.data, 32);
			records++;
			if (i % 50 == 7) {
				put_ng(&list, 0, "/violation");
				extend(sha256, value, ones, 32);
				records++;
			}
			bytes_free(&digest);
			build_free(&one);
		}
		test_note("order %d", order);
		expect(replay, 10, value);
		CHECK_INT(replay_bytes(replay, built(&list), 1, NULL), 0);
		check_verdict(replay, IMALOG_MATCH, records);
		CHECK_INT(imalog_replay_problems(replay), 0);
		imalog_replay_free(&replay);
		build_free(&list);
	}
}

/* ---- results and calls ---- */

TEST(computed_values)
{
	struct mixed mixed;
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	build_mixed(&mixed);
	CHECK_INT(imalog_replay_add_bank(replay, IMALOG_ALG_SHA256, NULL), 0);
	CHECK_INT(imalog_replay_add_bank(replay, IMALOG_ALG_SHA384, NULL), 0);
	CHECK_INT(replay_bytes(replay, built(&mixed.list), 1, NULL), 0);
	CHECK_INT(imalog_replay_pcrs(replay, pcrs, NULL), 0);
	CHECK_INT(imalog_pcrs_count(pcrs), 4);
	CHECK_MEM(span_of(imalog_pcrs_get(pcrs, IMALOG_ALG_SHA256, 10), 32),
		  span_of(mixed.ten[6], 32));
	CHECK_MEM(span_of(imalog_pcrs_get(pcrs, IMALOG_ALG_SHA256, 11), 32),
		  span_of(mixed.eleven[6], 32));
	CHECK(imalog_pcrs_get(pcrs, IMALOG_ALG_SHA384, 10));
	imalog_pcrs_free(&pcrs);
	imalog_replay_free(&replay);
	build_free(&mixed.list);
}

TEST(calls_out_of_order_and_bad_values)
{
	static const uint8_t value[64], other[64] = { 1 };
	struct imalog_replay *replay = imalog_replay_new(), *none = NULL;

	CHECK_INT(imalog_replay_add_bank(replay, IMALOG_ALG_NONE, NULL),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_replay_add_bank(replay, IMALOG_ALG_COUNT, NULL),
		  -IMALOG_ERR_INVALID);
	for (int what = 0; what < 3; what++) {
		int (*call)(struct imalog_replay *, enum imalog_alg, uint32_t,
			    struct imalog_span,
			    struct imalog_error *) = what == 0 ? imalog_replay_start :
						     what == 1 ? imalog_replay_expect :
								 imalog_replay_offer;

		test_note("call %d", what);
		CHECK_INT(call(replay, IMALOG_ALG_SHA1, 64, span_of(value, 20), NULL),
			  -IMALOG_ERR_INVALID);
		CHECK_INT(call(replay, IMALOG_ALG_SHA1, 10, span_of(value, 32), NULL),
			  -IMALOG_ERR_INVALID);
		CHECK_INT(call(replay, IMALOG_ALG_NONE, 10, span_of(value, 20), NULL),
			  -IMALOG_ERR_INVALID);
		CHECK_INT(call(replay, IMALOG_ALG_SHA1, 63, span_of(value, 20), NULL), 0);
		CHECK_INT(call(replay, IMALOG_ALG_SHA1, 63, span_of(other, 20), NULL),
			  -IMALOG_ERR_INVALID);
	}
	CHECK_INT(replay_bytes(replay, span_of("", 0), 1, NULL), 0);
	CHECK_INT(imalog_replay_start(replay, IMALOG_ALG_SHA1, 1, span_of(value, 20),
				      NULL),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_replay_expect(replay, IMALOG_ALG_SHA1, 1, span_of(value, 20),
				       NULL),
		  -IMALOG_ERR_INVALID);
	CHECK_INT(imalog_replay_offer(replay, IMALOG_ALG_SHA1, 1, span_of(value, 20),
				      NULL),
		  -IMALOG_ERR_INVALID);
	/* A bank that is added now would lack what went before. */
	CHECK_INT(imalog_replay_add_bank(replay, IMALOG_ALG_SHA512, NULL),
		  -IMALOG_ERR_INVALID);
	imalog_replay_free(&replay);
	CHECK(!replay);
	imalog_replay_free(&none);
	imalog_replay_free(NULL);
	CHECK_STR(imalog_verdict_name(IMALOG_NOT_CHECKED), "not-checked");
	CHECK_STR(imalog_verdict_name(IMALOG_MATCH), "match");
	CHECK_STR(imalog_verdict_name(IMALOG_MISMATCH), "mismatch");
}

TEST_MAIN(CASE(all_values_hold_after_one_record), CASE(where_a_value_holds),
	  CASE(later_segment_with_start_values),
	  CASE(nothing_to_compare_and_never_extended), CASE(offered_values),
	  CASE(bad_digests), CASE(ascii_lines), CASE(opaque_records),
	  CASE(log_that_is_malformed_in_the_middle), CASE(hash_orders_are_of_records),
	  CASE(computed_values), CASE(calls_out_of_order_and_bad_values))
