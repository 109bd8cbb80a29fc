// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/eventlog-records.c, event-type.c: the firmware's log as records, into CEL and
 * replayed. */
#include "cel-log.h"
#include "eventlog-log.h"

static void check_names(const struct imalog_record *record, uint32_t type,
			const char *name)
{
	struct imalog_span data;
	uint32_t is;

	CHECK(imalog_record_event(record, &is, &data));
	CHECK_INT(is, type);
	CHECK_STR(imalog_event_type_name(is), name);
}

TEST(agile_log)
{
	LE(list);
	struct log log;
	enum imalog_alg alg;

	put_header(&list);
	put_agile(&list, 4, SEPARATOR, 0xab, text("data"));
	log = log_open(built(&list));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_reader_format(log.reader), IMALOG_FORMAT_EVENTLOG);
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_PCCLIENT);
	check_names(log.record, NO_ACTION, "EV_NO_ACTION");
	CHECK(!imalog_record_is_measured(log.record));
	CHECK_INT(imalog_record_raw(log.record).size, HEADER_SIZE);
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_number(log.record), 2);
	CHECK_INT(imalog_record_offset(log.record), HEADER_SIZE);
	CHECK_INT(imalog_record_pcr(log.record), 4);
	check_names(log.record, SEPARATOR, "EV_SEPARATOR");
	CHECK(imalog_record_is_measured(log.record));
	CHECK(!imalog_record_is_checked(log.record));
	/* The unknown algorithm is left out. */
	REQUIRE(CHECK_INT(imalog_record_digests(log.record), 2));
	imalog_record_digest(log.record, 1, &alg);
	CHECK_INT(alg, IMALOG_ALG_SHA256);
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	build_free(&list);
}

/* What is left out must not get lost in silence. */
TEST(unknown_algorithm_is_no_cel)
{
	static const struct target tlv = { .format = IMALOG_FORMAT_CEL_TLV };
	struct imalog_error *error = imalog_error_new();
	LE(list);
	LE(out);

	put_header(&list);
	put_agile(&list, 4, SEPARATOR, 0xab, text("data"));
	CHECK_ERROR(error, cel_convert(built(&list), &tlv, &out, error),
		    IMALOG_ERR_UNSUPPORTED, 2, HEADER_SIZE, "digests");
	build_free(&list);
	build_free(&out);
	imalog_error_free(&error);
}

TEST(sha1_log_when_it_is_said)
{
	static const uint8_t fill[20] = { 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
					  7, 7, 7, 7, 7, 7, 7, 7, 7, 7 };
	LE(list);
	struct log log;

	put_sha1(&list, 1, 5, 7, text("action"));
	put_sha1(&list, 1, 0x12345, 8, text(""));
	log = log_open(built(&list));
	imalog_reader_set_format(log.reader, IMALOG_FORMAT_EVENTLOG);
	REQUIRE(CHECK_INT(log_next(&log), 1));
	check_names(log.record, 5, "EV_ACTION");
	CHECK_MEM(imalog_record_digest(log.record, 0, NULL), span_of(fill, 20));
	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK(!imalog_event_type_name(0x12345));
	CHECK_INT(log_next(&log), 0);
	log_close(&log);
	build_free(&list);
}

TEST(malformed)
{
	LE(list);
	size_t second;

	put_header(&list);
	put_agile(&list, 4, SEPARATOR, 0xab, text("data"));
	second = list.size;
	put_agile(&list, 24, SEPARATOR, 0xab, text("data"));
	CHECK_BAD(built(&list), IMALOG_ERR_BAD_VALUE, 3, second, "PCR");
	list.data[second] = 4;
	list.size -= 1;
	CHECK_BAD(built(&list), IMALOG_ERR_TRUNCATED, 3, second, "event");
	build_free(&list);
}

static bool ends_between(size_t at, uint64_t records)
{
	const size_t event = 8 + 4 + 22 + 9 + 34 + 4 + 4;

	return at >= HEADER_SIZE && (at - HEADER_SIZE) % event == 0 &&
	       (at - HEADER_SIZE) / event + 1 == records;
}

TEST(cut_at_every_byte)
{
	LE(list);

	put_header(&list);
	put_agile(&list, 4, SEPARATOR, 0xab, text("data"));
	put_agile(&list, 5, SEPARATOR, 0xcd, text("more"));
	check_cuts(built(&list), IMALOG_FORMAT_EVENTLOG, ends_between);
	build_free(&list);
}

/* ---- replay, against what lib/eventlog.c says of the same log ---- */

static void check_replay(struct imalog_span log, struct imalog_span firmware)
{
	struct run run = replay(firmware);
	struct imalog_replay *engine = imalog_replay_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct log reader = log_open(log);

	CHECK(run.rc > 0);
	imalog_replay_allow_opaque(engine);
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		CHECK_INT(imalog_replay_add_bank(engine, (enum imalog_alg)alg, NULL), 0);
	CHECK_INT(imalog_replay_run(engine, reader.reader, NULL), 0);
	CHECK_INT(imalog_replay_pcrs(engine, pcrs, NULL), 0);
	CHECK(imalog_pcrs_count(pcrs) > 0);
	for (size_t i = 0; i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);

		CHECK_MEM(span_of(value, imalog_alg_size(alg)), value_of(&run, alg, pcr));
	}
	log_close(&reader);
	imalog_pcrs_free(&pcrs);
	imalog_replay_free(&engine);
	run_free(&run);
}

TEST(real_logs_replay)
{
	static const struct target targets[] = {
		{ .format = IMALOG_FORMAT_CEL_TLV },
		{ .format = IMALOG_FORMAT_CEL_JSON },
	};

	for (size_t i = 0; i < RIGS; i++) {
		struct bytes firmware;
		char path[128];

		test_note("%s", rigs[i].dir);
		snprintf(path, sizeof(path), "rig/%s/binary_bios_measurements",
			 rigs[i].dir);
		firmware = bytes_of_file(path);
		check_replay(span_of_bytes(firmware), span_of_bytes(firmware));
		for (size_t t = 0; t < IMALOG_ARRAY_SIZE(targets); t++) {
			LE(out);

			CHECK_INT(cel_convert(span_of_bytes(firmware), &targets[t], &out,
					      NULL),
				  0);
			check_replay(built(&out), span_of_bytes(firmware));
			build_free(&out);
		}
		bytes_free(&firmware);
	}
}

TEST(where_pcr_0_starts)
{
	struct imalog_span locality = { (const uint8_t *)"StartupLocality\0\3", 17 };
	LE(list);

	put_header(&list);
	put_agile(&list, 0, NO_ACTION, 0, locality);
	put_agile(&list, 0, SEPARATOR, 1, text(""));
	put_agile(&list, 1, SEPARATOR, 1, text(""));
	check_replay(built(&list), built(&list));
	build_free(&list);
	put_header(&list);
	put_agile(&list, 0, HCRTM, 1, text(""));
	put_agile(&list, 0, SEPARATOR, 2, text(""));
	check_replay(built(&list), built(&list));
	build_free(&list);
}

/* Of a locality that is told too late nothing is proved. */
TEST(locality_that_comes_late)
{
	struct imalog_span locality = { (const uint8_t *)"StartupLocality\0\3", 17 };
	struct imalog_replay *engine = imalog_replay_new();
	LE(list);
	struct log log;
	struct run run;

	put_header(&list);
	put_agile(&list, 0, SEPARATOR, 1, text(""));
	put_agile(&list, 0, NO_ACTION, 0, locality);
	run = replay(built(&list));
	log = log_open(built(&list));
	imalog_replay_allow_opaque(engine);
	CHECK_INT(imalog_replay_expect(engine, IMALOG_ALG_SHA1, 0,
				       value_of(&run, IMALOG_ALG_SHA1, 0), NULL),
		  0);
	CHECK_INT(imalog_replay_run(engine, log.reader, NULL), 0);
	CHECK_INT(imalog_replay_verdict(engine, NULL), IMALOG_NOT_CHECKED);
	log_close(&log);
	run_free(&run);
	imalog_replay_free(&engine);
	build_free(&list);
}

TEST(event_names)
{
	uint32_t type;

	CHECK(imalog_event_type_by_name(text("ev_efi_action"), &type) &&
	      type == 0x80000007);
	CHECK(imalog_event_type_by_name(text("EV_POST_CODE2"), &type) && type == 0x13);
	CHECK(!imalog_event_type_by_name(text("EV_POST_CODE3"), &type));
	CHECK(!imalog_event_type_by_name(text("EV_"), &type));
	CHECK(!imalog_event_type_by_name(text(""), &type));
	CHECK(!imalog_event_type_name(0x14));
}

TEST_MAIN(CASE(agile_log), CASE(unknown_algorithm_is_no_cel),
	  CASE(sha1_log_when_it_is_said), CASE(malformed), CASE(cut_at_every_byte),
	  CASE(real_logs_replay), CASE(where_pcr_0_starts),
	  CASE(locality_that_comes_late), CASE(event_names))
