// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/marker.c, lib/replay-marker.c: markers, and whether they fit the log. */
#include "replay.h"

#define TEXT(literal) span_of((literal), sizeof(literal) - 1)
#define SHA1 "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ATTEMPT "Snapshot_Attempt_Count=7;"

static int parse(const char *name, struct imalog_span data, struct imalog_marker *marker,
		 struct imalog_pcrs *pcrs)
{
	struct bytes exact_name = bytes_copy(name, strlen(name));
	struct bytes exact = bytes_copy(data.data, data.size);
	struct imalog_error *error = imalog_error_new();
	int rc = imalog_marker_parse(span_of_bytes(exact_name), span_of_bytes(exact), marker,
				     pcrs, error);

	if (rc < 0) {
		CHECK_INT(imalog_error_code(error), -rc);
		CHECK_STR(imalog_error_field(error), "buf");
	}
	imalog_error_free(&error);
	bytes_free(&exact_name);
	bytes_free(&exact);
	return rc;
}

/* ---- parsing ---- */

TEST(snapshots)
{
	/* as the example of the proposal has it, as its grammar, and with ';' alone */
	static const char *const texts[] = {
		ATTEMPT "sha1:PCR0:0x" SHA1 ",sha256:PCR23:0x" SHA256 ";",
		ATTEMPT "sha1:PCR0:" SHA1 ";,sha256:PCR23:" SHA256 ";;",
		ATTEMPT "sha1:PCR0:" SHA1 ";,sha256:PCR23:" SHA256 ";",
		ATTEMPT "sha1:PCR0:" SHA1 ";sha256:PCR23:" SHA256 ";",
		ATTEMPT "sha1:PCR0:0x" SHA1 ",sha256:PCR23:" SHA256 ";;",
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(texts); i++) {
		struct imalog_pcrs *pcrs = imalog_pcrs_new();
		struct imalog_marker marker;

		test_note("%s", texts[i]);
		CHECK_INT(parse("snapshot_aggregate", span_of(texts[i], strlen(texts[i])),
				&marker, pcrs),
			  1);
		CHECK_INT(marker.kind, IMALOG_MARKER_SNAPSHOT);
		CHECK_INT(marker.attempt, 7);
		CHECK_INT(imalog_pcrs_count(pcrs), 2);
		CHECK_HEX(span_of(imalog_pcrs_get(pcrs, IMALOG_ALG_SHA1, 0), 20), SHA1);
		CHECK_HEX(span_of(imalog_pcrs_get(pcrs, IMALOG_ALG_SHA256, 23), 32), SHA256);
		imalog_pcrs_free(&pcrs);
	}
}

TEST(trims)
{
	struct imalog_marker marker;

	CHECK_INT(parse("trim_ima_event_logs",
			TEXT("time=1764806400000000000; log trim this time=12;"), &marker,
			NULL),
		  1);
	CHECK_INT(marker.kind, IMALOG_MARKER_TRIM);
	CHECK(marker.of_this_trim);
	CHECK_INT(marker.time, 1764806400000000000);
	CHECK_INT(marker.number, 12);
	CHECK_INT(parse("trim_ima_event_logs", TEXT("time= 18446744073709551615; number= 0;"),
			&marker, NULL),
		  1);
	CHECK(!marker.of_this_trim);
	CHECK(marker.time == UINT64_MAX);
	CHECK_INT(marker.number, 0);
}

TEST(malformed)
{
	static const struct {
		const char *name;
		const char *text;
		size_t size;
		int code;
	} bad[] = {
#define BAD(name, text, code) { name, text, sizeof(text) - 1, code }
#define SNAP(text) BAD("snapshot_aggregate", text, IMALOG_ERR_BAD_VALUE)
#define TRIM(text) BAD("trim_ima_event_logs", text, IMALOG_ERR_BAD_VALUE)
		SNAP(""),
		SNAP(ATTEMPT),
		SNAP("Snapshot_Attempt_Count=;sha1:PCR0:" SHA1 ";"),
		SNAP("Snapshot_Attempt_Count=07;sha1:PCR0:" SHA1 ";"),
		SNAP("Snapshot_Attempt_Count=18446744073709551616;sha1:PCR0:" SHA1 ";"),
		SNAP("Snapshot_Attempt_Count=184467440737095516150;sha1:PCR0:" SHA1 ";"),
		SNAP("snapshot_attempt_count=7;sha1:PCR0:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1 ","),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1 ";,"),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1 ";;;"),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1 ";;sha1:PCR1:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1 ";\0"),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1 "\0;"),
		SNAP(ATTEMPT "sha1:PCR24:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR00:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR-1:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:pcr0:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR0:0X" SHA1 ";"),
		SNAP(ATTEMPT "sha256:PCR0:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR0:" SHA256 ";"),
		SNAP(ATTEMPT "md5:PCR0:" SHA1 ";"),
		SNAP(ATTEMPT ":PCR0:" SHA1 ";"),
		SNAP(ATTEMPT "aaaaaaaaaaaaaaaaaaaaaaaa:PCR0:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR0:" SHA1 ",sha1:PCR0:" SHA1 ";"),
		SNAP(ATTEMPT "sha1:PCR0:g123456789abcdef0123456789abcdef01234567;"),
		TRIM(""),
		TRIM("time= 1; number=12;"),
		TRIM("time=1; number= 12;"),
		TRIM("time= 1; log trim this time=12;"),
		TRIM("time=1; log trim this time=-12;"),
		TRIM("time=1; log trim this time= 12;"),
		TRIM("time= 1; number= 12"),
		TRIM("time= 1; number= 012;"),
		TRIM("time= 1; number= 18446744073709551616;"),
		TRIM("time= ; number= 12;"),
		BAD("trim_ima_event_logs", "time= 1; number= 12;\0", IMALOG_ERR_TRAILING),
		BAD("trim_ima_event_logs", "time= 1; number= 12;x", IMALOG_ERR_TRAILING),
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bad); i++) {
		struct imalog_marker marker = { .number = 99 };
		struct imalog_pcrs *pcrs = imalog_pcrs_new();

		test_note("%s", bad[i].text);
		CHECK_INT(parse(bad[i].name, span_of(bad[i].text, bad[i].size), &marker, pcrs),
			  -bad[i].code);
		/* Nothing is given out. */
		CHECK_INT(marker.number, 99);
		CHECK_INT(imalog_pcrs_count(pcrs), 0);
		imalog_pcrs_free(&pcrs);
	}
}

/* Every text cut at every byte is malformed. */
TEST(cut)
{
	static const struct {
		const char *name, *text;
	} whole[] = {
		{ "snapshot_aggregate",
		  ATTEMPT "sha1:PCR0:0x" SHA1 ",sha256:PCR23:0x" SHA256 ";" },
		{ "trim_ima_event_logs", "time=1764806400; log trim this time=12;" },
		{ "trim_ima_event_logs", "time= 1764806400; number= 12;" },
	};
	struct imalog_marker marker;

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(whole); i++)
		for (size_t size = 0; size <= strlen(whole[i].text); size++) {
			test_note("%s, %zu bytes", whole[i].name, size);
			CHECK_INT(parse(whole[i].name, span_of(whole[i].text, size), &marker,
					NULL) > 0,
				  size == strlen(whole[i].text));
		}
}

TEST(other_names_and_sizes)
{
	struct bytes big = bytes_new((1 << 16) + 1);
	struct imalog_marker marker;

	memset(big.data, '1', big.size);
	CHECK_INT(parse("snapshot_aggregat", TEXT("x"), &marker, NULL), 0);
	CHECK_INT(parse("snapshot_aggregate ", TEXT("x"), &marker, NULL), 0);
	CHECK_INT(parse("", TEXT(""), &marker, NULL), 0);
	CHECK_INT(parse("trim_ima_event_logs", span_of_bytes(big), &marker, NULL),
		  -IMALOG_ERR_LIMIT);
	big.size--;
	CHECK_INT(parse("trim_ima_event_logs", span_of_bytes(big), &marker, NULL),
		  -IMALOG_ERR_BAD_VALUE);
	big.size++;
	bytes_free(&big);
}

/* ---- in a log ---- */

/* A list and what it leads to, in two banks, computed without the library */
struct story {
	struct build list;
	uint8_t values[2][IMALOG_DIGEST_MAX]; /* sha1, sha256 */
	uint64_t records;
};

static void story_extend(struct story *story, struct imalog_span data)
{
	for (size_t b = 0; b < 2; b++) {
		uint8_t digest[IMALOG_DIGEST_MAX];

		memset(digest, 0xff, sizeof(digest));
		if (data.size)
			hash_of(banks[b].evp, data, digest);
		extend(&banks[b], story->values[b], digest, banks[b].size);
	}
	story->records++;
}

static void story_file(struct story *story, uint8_t fill)
{
	struct build data = { .order = IMALOG_ORDER_LE };

	put_d_ng(&data, fill);
	put_name(&data, "/a/file");
	put_ng(&story->list, fill, "/a/file");
	story_extend(story, fill ? built(&data) : span_of(NULL, 0));
	build_free(&data);
}

static void story_marker(struct story *story, const char *name, const char *text)
{
	struct build data = { .order = IMALOG_ORDER_LE };

	put_d_ng(&data, 7);
	put_name(&data, name);
	put_field(&data, text, strlen(text));
	put_record_over(&story->list, "ima-buf", built(&data), "SHA1", 20, built(&data));
	story_extend(story, built(&data));
	build_free(&data);
}

static void hex_of(const uint8_t *value, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++)
		sprintf(out + 2 * i, "%02x", value[i]);
}

/* A snapshot with the values of now; @flip: another value in that bank */
static void story_snapshot(struct story *story, int flip)
{
	char text[512], sha1[41], sha256[65];
	uint8_t values[2][IMALOG_DIGEST_MAX];

	memcpy(values, story->values, sizeof(values));
	if (flip >= 0)
		values[flip][3] ^= 1;
	hex_of(values[0], 20, sha1);
	hex_of(values[1], 32, sha256);
	snprintf(text, sizeof(text),
		 ATTEMPT "sha1:PCR0:" SHA1 ";,sha1:PCR10:%s;,sha256:PCR10:%s;,"
			 "sha256:PCR11:" SHA256 ";;",
		 sha1, sha256);
	story_marker(story, "snapshot_aggregate", text);
}

static struct imalog_replay *story_replay(struct story *story, enum imalog_padding padding)
{
	const uint8_t *values[BANKS] = { story->values[0], story->values[1] };
	struct imalog_replay *replay = imalog_replay_new();

	imalog_replay_set_padding(replay, padding);
	for (size_t b = 0; b < 2; b++)
		imalog_replay_expect(replay, banks[b].alg, 10,
				     span_of(values[b], banks[b].size), NULL);
	CHECK_INT(replay_bytes(replay, built(&story->list), 1, NULL), 0);
	build_free(&story->list);
	return replay;
}

static struct imalog_marker_check marker_of(const struct imalog_replay *replay, size_t i)
{
	struct imalog_marker_check check = { .record = 0 };

	if (CHECK(i < imalog_replay_markers(replay)))
		imalog_replay_marker(replay, i, &check);
	return check;
}

TEST(snapshots_that_fit)
{
	struct story story = { .list = { .order = IMALOG_ORDER_LE } };
	struct imalog_replay *replay;

	story_snapshot(&story, -1); /* before anything: all zeros */
	story_file(&story, 1);
	story_file(&story, 0);
	story_snapshot(&story, -1);
	story_snapshot(&story, -1);
	story_file(&story, 0);
	replay = story_replay(&story, IMALOG_PADDING_AUTO);
	check_verdict(replay, IMALOG_MATCH, 6);
	CHECK_INT(imalog_replay_problems(replay), 0);
	CHECK_INT(imalog_replay_markers(replay), 3);
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(marker_of(replay, i).kind, IMALOG_MARKER_SNAPSHOT);
		CHECK_INT(marker_of(replay, i).verdict, IMALOG_MATCH);
		CHECK_INT(marker_of(replay, i).misfits, 0);
	}
	CHECK_INT(marker_of(replay, 2).record, 5);
	imalog_replay_free(&replay);
}

TEST(snapshots_that_do_not_fit)
{
	for (int flip = 0; flip < 2; flip++) {
		struct story story = { .list = { .order = IMALOG_ORDER_LE } };
		uint8_t computed[IMALOG_DIGEST_MAX], claimed[IMALOG_DIGEST_MAX];
		struct imalog_marker_check check;
		struct imalog_replay *replay;

		story_file(&story, 1);
		memcpy(computed, story.values[flip], sizeof(computed));
		memcpy(claimed, computed, sizeof(claimed));
		claimed[3] ^= 1;
		story_snapshot(&story, flip);
		story_file(&story, 2);
		replay = story_replay(&story, IMALOG_PADDING_AUTO);
		CHECK_INT(imalog_replay_verdict(replay, NULL), IMALOG_MISMATCH);
		CHECK_INT(imalog_replay_problems(replay), 1);
		CHECK_INT(imalog_replay_first_problem(replay), 2);
		check = marker_of(replay, 0);
		CHECK_INT(check.verdict, IMALOG_MISMATCH);
		CHECK_INT(check.misfits, 1);
		CHECK_INT(check.bank, banks[flip].alg);
		CHECK_INT(check.pcr, 10);
		CHECK_MEM(span_of(check.claimed, banks[flip].size),
			  span_of(claimed, banks[flip].size));
		CHECK_MEM(span_of(check.computed, banks[flip].size),
			  span_of(computed, banks[flip].size));
		imalog_replay_free(&replay);
	}
}

/* A shard that begins with a marker: it fits the start value that is given, or none does. */
TEST(start_values)
{
	for (int with_start = 0; with_start < 2; with_start++) {
		struct story story = { .list = { .order = IMALOG_ORDER_LE } };
		struct imalog_replay *replay = imalog_replay_new();

		memset(story.values, 0x55, sizeof(story.values));
		for (size_t b = 0; with_start && b < 2; b++)
			imalog_replay_start(replay, banks[b].alg, 10,
					    span_of(story.values[b], banks[b].size), NULL);
		for (size_t b = 0; b < 2; b++)
			imalog_replay_add_bank(replay, banks[b].alg, NULL);
		story_snapshot(&story, -1);
		CHECK_INT(replay_bytes(replay, built(&story.list), 1, NULL), 0);
		CHECK_INT(marker_of(replay, 0).verdict,
			  with_start ? IMALOG_MATCH : IMALOG_MISMATCH);
		CHECK_INT(marker_of(replay, 0).misfits, with_start ? 0 : 2);
		imalog_replay_free(&replay);
		build_free(&story.list);
	}
}

/* What a bank was extended with may be padded: then nothing is certain without a value. */
TEST(uncertain_banks)
{
	static const struct {
		enum imalog_padding padding;
		enum imalog_verdict verdict;
	} cases[] = {
		{ IMALOG_PADDING_AUTO, IMALOG_NOT_CHECKED },
		{ IMALOG_PADDING_PERBANK, IMALOG_MISMATCH },
		{ IMALOG_PADDING_SHA1, IMALOG_MISMATCH },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct story story = { .list = { .order = IMALOG_ORDER_LE } };
		struct imalog_replay *replay = imalog_replay_new();

		imalog_replay_set_padding(replay, cases[i].padding);
		imalog_replay_add_bank(replay, IMALOG_ALG_SHA256, NULL);
		story_file(&story, 1);
		story_snapshot(&story, 1);
		CHECK_INT(replay_bytes(replay, built(&story.list), 1, NULL), 0);
		CHECK_INT(marker_of(replay, 0).verdict, cases[i].verdict);
		CHECK_INT(imalog_replay_problems(replay),
			  cases[i].verdict == IMALOG_MISMATCH);
		imalog_replay_free(&replay);
		build_free(&story.list);
	}
}

/* A bank that is not computed, a PCR that the log never extends */
TEST(nothing_to_compare)
{
	struct story story = { .list = { .order = IMALOG_ORDER_LE } };
	struct imalog_replay *replay = imalog_replay_new();

	imalog_replay_add_bank(replay, IMALOG_ALG_SHA512, NULL);
	story_file(&story, 1);
	story_snapshot(&story, 1);
	story_marker(&story, "snapshot_aggregate", ATTEMPT "sha1:PCR11:" SHA1 ";");
	CHECK_INT(replay_bytes(replay, built(&story.list), 1, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		CHECK_INT(marker_of(replay, i).verdict, IMALOG_NOT_CHECKED);
	CHECK_INT(imalog_replay_problems(replay), 0);
	imalog_replay_free(&replay);
	build_free(&story.list);
}

TEST(malformed_ones_count_for_nothing)
{
	struct story story = { .list = { .order = IMALOG_ORDER_LE } };
	struct imalog_replay *replay;

	story_file(&story, 1);
	story_marker(&story, "snapshot_aggregate", ATTEMPT "sha1:PCR10:" SHA1);
	story_marker(&story, "trim_ima_event_logs", "time= 1; number= -1;");
	replay = story_replay(&story, IMALOG_PADDING_AUTO);
	check_verdict(replay, IMALOG_MATCH, 3);
	CHECK_INT(imalog_replay_markers(replay), 2);
	CHECK(marker_of(replay, 0).malformed && marker_of(replay, 1).malformed);
	CHECK_INT(marker_of(replay, 1).kind, IMALOG_MARKER_TRIM);
	CHECK_INT(marker_of(replay, 1).trimmed, 0);
	imalog_replay_free(&replay);
}

/* A record whose digest does not fit says nothing, nor does a name without a buffer. */
TEST(no_markers)
{
	struct story story = { .list = { .order = IMALOG_ORDER_LE } };
	struct imalog_replay *replay;
	size_t at;

	put_ng(&story.list, 1, "snapshot_aggregate");
	at = story.list.size;
	story_marker(&story, "snapshot_aggregate", ATTEMPT "sha1:PCR10:" SHA1 ";");
	story.list.data[at + 4] ^= 1;
	replay = story_replay(&story, IMALOG_PADDING_AUTO);
	CHECK_INT(imalog_replay_markers(replay), 0);
	CHECK_INT(imalog_replay_problems(replay), 1);
	imalog_replay_free(&replay);
}

TEST(trims_are_counted)
{
	static const struct {
		const char *text;
		uint64_t trimmed, before;
	} steps[] = {
		{ "time=1; log trim this time=1;", 1, 1 },
		{ "time=2; log trim this time=3;", 4, 2 },
		/* Of this trim, or of all before it: at least as many as the larger */
		{ "time= 3; number= 3;", 4, 3 },
		{ "time= 4; number= 9;", 9, 4 },
		{ "time=5; log trim this time=18446744073709551615;", UINT64_MAX, 5 },
		{ "time=6; log trim this time=1;", UINT64_MAX, 6 },
	};
	struct story story = { .list = { .order = IMALOG_ORDER_LE } };
	struct imalog_replay *replay;

	story_file(&story, 1);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(steps); i++)
		story_marker(&story, "trim_ima_event_logs", steps[i].text);
	replay = story_replay(&story, IMALOG_PADDING_AUTO);
	/* What leads to the expected values is whole, whatever it says. */
	check_verdict(replay, IMALOG_MATCH, 7);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(steps); i++) {
		CHECK_INT(marker_of(replay, i).kind, IMALOG_MARKER_TRIM);
		CHECK(marker_of(replay, i).trimmed == steps[i].trimmed);
		CHECK_INT(marker_of(replay, i).before, steps[i].before);
	}
	imalog_replay_free(&replay);
}

/* The first 1000 are kept; all are checked. */
TEST(many)
{
	struct story story = { .list = { .order = IMALOG_ORDER_LE } };
	struct imalog_replay *replay;

	for (int i = 0; i < 1001; i++)
		story_marker(&story, "trim_ima_event_logs", "time= 1; number= 0;");
	story_snapshot(&story, 1);
	replay = story_replay(&story, IMALOG_PADDING_AUTO);
	CHECK_INT(imalog_replay_markers(replay), 1000);
	CHECK_INT(imalog_replay_verdict(replay, NULL), IMALOG_MISMATCH);
	CHECK_INT(imalog_replay_first_problem(replay), 1002);
	imalog_replay_free(&replay);
}

TEST_MAIN(CASE(snapshots), CASE(trims), CASE(malformed), CASE(cut),
	  CASE(other_names_and_sizes), CASE(snapshots_that_fit),
	  CASE(snapshots_that_do_not_fit), CASE(start_values), CASE(uncertain_banks),
	  CASE(nothing_to_compare), CASE(malformed_ones_count_for_nothing), CASE(no_markers),
	  CASE(trims_are_counted), CASE(many))
