// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/replay.c: real lists give the PCR values of their machines, in every bank. */
#include "replay.h"

/* The values of a machine; @values points to them */
struct machine {
	uint8_t bytes[BANKS][IMALOG_DIGEST_MAX];
	const uint8_t *values[BANKS];
};

static void read_machine(const struct rig *rig, struct machine *machine)
{
	for (size_t i = 0; i < BANKS; i++)
		machine->values[i] = rig_pcr(rig, &banks[i], machine->bytes[i]) ?
					     machine->bytes[i] :
					     NULL;
}

TEST(real_lists_give_the_values_of_the_tpm)
{
	static const char *const encodings[] = { "binary", "ascii" };

	for (size_t i = 0; i < 2 * RIGS * BANKS; i++) {
		const struct rig *rig = &rigs[i / BANKS % RIGS];
		struct imalog_replay *replay;
		struct machine machine;
		struct bytes list;

		if (!rig_list(rig, &banks[i % BANKS], encodings[i / BANKS / RIGS], &list))
			continue;
		read_machine(rig, &machine);
		replay = replay_against(span_of_bytes(list), machine.values);
		check_verdict(replay, IMALOG_MATCH, rig->records);
		CHECK_INT(imalog_replay_records(replay), rig->records);
		CHECK_INT(imalog_replay_violations(replay), rig->violations);
		CHECK_INT(imalog_replay_problems(replay), 0);
		CHECK_INT(imalog_replay_first_problem(replay), 0);
		CHECK_INT(imalog_replay_checks(replay), rig->sha1_bank ? 3 : 1);
		for (size_t c = 0; c < imalog_replay_checks(replay); c++) {
			struct imalog_check check = check_of(replay, c);

			CHECK_INT(check.pcr, 10);
			CHECK_INT(check.verdict, IMALOG_MATCH);
			CHECK_INT(check.extends, rig->records);
			CHECK_INT(check.matched_at, rig->records);
			CHECK_INT(check.matched_to, rig->records);
			CHECK_INT(check.padding, IMALOG_PADDING_PERBANK);
			CHECK_MEM(span_of(check.computed, imalog_alg_size(check.bank)),
				  span_of(check.expected, imalog_alg_size(check.bank)));
		}
		imalog_replay_free(&replay);
		bytes_free(&list);
	}
}

/* A log that is longer than the values: the prefix, and that more follows. */
TEST(log_that_goes_on)
{
	struct machine machine;
	struct imalog_replay *replay;
	struct bytes list;

	rig_list(&rigs[10], &banks[0], "binary", &list);
	read_machine(&rigs[9], &machine);
	replay = replay_against(span_of_bytes(list), machine.values);
	check_verdict(replay, IMALOG_MATCH, 53);
	CHECK_INT(imalog_replay_records(replay), 96);
	CHECK_INT(check_of(replay, 1).matched_at, 53);
	CHECK_INT(check_of(replay, 1).matched_to, 53);
	CHECK_INT(check_of(replay, 1).extends, 96);
	imalog_replay_free(&replay);
	/* The other way around there is no match. */
	bytes_free(&list);
	rig_list(&rigs[9], &banks[0], "binary", &list);
	read_machine(&rigs[10], &machine);
	replay = replay_against(span_of_bytes(list), machine.values);
	check_verdict(replay, IMALOG_MISMATCH, 0);
	imalog_replay_free(&replay);
	bytes_free(&list);
}

/* ---- several inputs, one log ---- */

static struct bytes value_of(const char *path, const char *bank)
{
	struct bytes text = bytes_of_file(path), value;
	char *at;

	text.data[text.size - 1] = '\0';
	at = strstr((char *)text.data, bank);
	if (!at)
		BAIL_OUT("no %s in %s", bank, path);
	at[strcspn(at, "\n")] = '\0';
	value = bytes_of_hex(at + strlen(bank));
	bytes_free(&text);
	return value;
}

TEST(segments_of_a_staged_list)
{
	static const char *const parts[] = { "stage1", "stage2", "stage3", "trim4",
					     "list-at-end" };
	struct imalog_replay *replay;

	for (size_t b = 0; b < 2; b++) {
		struct bytes values[2] = {
			value_of("staging/three-stages-and-trim/pcr10", "sha1 "),
			value_of("staging/three-stages-and-trim/pcr10", "sha256 ")
		};

		replay = imalog_replay_new();
		for (size_t i = 0; i < 2; i++) {
			CHECK_INT(imalog_replay_expect(replay, banks[i].alg, 10,
						       span_of_bytes(values[i]), NULL),
				  0);
			bytes_free(&values[i]);
		}
		for (size_t i = 0; i < IMALOG_ARRAY_SIZE(parts); i++) {
			char path[128];
			struct bytes list;

			snprintf(path, sizeof(path),
				 "staging/three-stages-and-trim/%s.%s", parts[i],
				 banks[b].name);
			test_note("%s", path);
			list = bytes_of_file(path);
			CHECK_INT(replay_bytes(replay, span_of_bytes(list),
					       imalog_replay_records(replay) + 1, NULL),
				  0);
			bytes_free(&list);
			if (i + 1 < IMALOG_ARRAY_SIZE(parts))
				check_verdict(replay, IMALOG_MISMATCH, 0);
		}
		CHECK_INT(imalog_replay_records(replay), 30);
		check_verdict(replay, IMALOG_MATCH, 30);
		imalog_replay_free(&replay);
	}
}

TEST(list_over_a_kexec)
{
	struct bytes list = bytes_of_file("staging/kexec-with-staged/after-list.sha256");
	struct bytes before =
		value_of("staging/kexec-with-staged/before.pcr10", "sha256 ");
	struct bytes after = value_of("staging/kexec-with-staged/after.pcr10", "sha1 ");
	const uint8_t *values[BANKS] = { after.data, NULL, NULL };
	struct imalog_replay *replay = replay_against(span_of_bytes(list), values);
	uint64_t all = imalog_replay_records(replay);

	check_verdict(replay, IMALOG_MATCH, all);
	imalog_replay_free(&replay);
	values[0] = NULL;
	values[1] = before.data;
	replay = replay_against(span_of_bytes(list), values);
	CHECK_INT(imalog_replay_verdict(replay, NULL), IMALOG_MATCH);
	CHECK(check_of(replay, 0).matched_at > 0 && check_of(replay, 0).matched_at < all);
	imalog_replay_free(&replay);
	bytes_free(&after);
	bytes_free(&before);
	bytes_free(&list);
}

/* Cut between any two records; the second half comes from the ascii list. */
TEST(two_halves_of_different_formats)
{
	const struct rig *rig = &rigs[5];
	struct bytes list, text;
	struct machine machine;

	rig_list(rig, &banks[2], "binary", &list);
	rig_list(rig, &banks[0], "ascii", &text);
	read_machine(rig, &machine);
	for (size_t cut = 0; cut <= rig->records; cut++) {
		struct log one = log_open(span_of_bytes(list)),
			   two = log_open(span_of_bytes(text));
		size_t first = list.size, second = text.size;
		struct imalog_replay *replay = imalog_replay_new();

		for (size_t n = 0; log_next(&one) > 0 && log_next(&two) > 0; n++) {
			if (n != cut)
				continue;
			first = imalog_record_offset(one.record);
			second = imalog_record_offset(two.record);
		}
		log_close(&two);
		log_close(&one);
		test_note("after %zu", cut);
		for (size_t i = 0; i < BANKS; i++)
			imalog_replay_expect(replay, banks[i].alg, 10,
					     span_of(machine.values[i], banks[i].size),
					     NULL);
		CHECK_INT(replay_bytes(replay, span_of(list.data, first), 1, NULL), 0);
		CHECK_INT(imalog_replay_records(replay), cut);
		CHECK_INT(replay_bytes(replay,
				       span_of(text.data + second, text.size - second),
				       cut + 1, NULL),
			  0);
		check_verdict(replay, IMALOG_MATCH, rig->records);
		imalog_replay_free(&replay);
	}
	bytes_free(&text);
	bytes_free(&list);
}

/* ---- padded banks ---- */

/* Values of padded banks, from the digests in the kernel's SHA-1 list */
static void padded_values(const struct rig *rig, bool short_violations,
			  struct machine *machine)
{
	struct bytes list;
	struct log log;

	memset(machine, 0, sizeof(*machine));
	rig_list(rig, &banks[0], "binary", &list);
	log = log_open(span_of_bytes(list));
	while (log_next(&log) > 0) {
		for (size_t i = 0; i < BANKS; i++) {
			uint8_t digest[IMALOG_DIGEST_MAX];
			size_t size = 20;

			memcpy(digest, imalog_record_digest(log.record, 0, NULL).data,
			       20);
			if (imalog_record_is_violation(log.record)) {
				memset(digest, 0xff, sizeof(digest));
				size = short_violations ? 20 : banks[i].size;
			}
			extend(&banks[i], machine->bytes[i], digest, size);
			machine->values[i] = machine->bytes[i];
		}
	}
	log_close(&log);
	bytes_free(&list);
}

TEST(banks_of_padded_digests)
{
	for (size_t i = 0; i < 2 * RIGS; i++) {
		const struct rig *rig = &rigs[i / 2];
		struct imalog_replay *replay;
		struct machine machine;
		struct bytes list;

		padded_values(rig, i % 2, &machine);
		rig_list(rig, &banks[1], "binary", &list);
		test_note("%s%s", rig->dir, i % 2 ? ", short violations" : "");
		replay = replay_against(span_of_bytes(list), machine.values);
		check_verdict(replay, IMALOG_MATCH, rig->records);
		CHECK_INT(check_of(replay, 0).padding, IMALOG_PADDING_PERBANK);
		CHECK_INT(check_of(replay, 1).padding, IMALOG_PADDING_SHA1);
		CHECK_INT(check_of(replay, 2).padding, IMALOG_PADDING_SHA1);
		imalog_replay_free(&replay);
		/* Refused when digests of the banks' own are asked for */
		replay = imalog_replay_new();
		imalog_replay_set_padding(replay, IMALOG_PADDING_PERBANK);
		imalog_replay_expect(replay, IMALOG_ALG_SHA256, 10,
				     span_of(machine.values[1], 32), NULL);
		CHECK_INT(replay_bytes(replay, span_of_bytes(list), 1, NULL), 0);
		check_verdict(replay, IMALOG_MISMATCH, 0);
		imalog_replay_free(&replay);
		bytes_free(&list);
	}
}

/* A kernel without SHA-384 pads that bank alone: column and PCR. */
TEST(one_padded_bank)
{
	const struct rig *rig = &rigs[5];
	struct machine machine, padded;
	struct build list = { .order = IMALOG_ORDER_LE };
	struct imalog_replay *replay;
	struct bytes sha1;
	struct log log;

	rig_list(rig, &banks[0], "binary", &sha1);
	read_machine(rig, &machine);
	padded_values(rig, false, &padded);
	machine.values[2] = padded.values[2];
	log = log_open(span_of_bytes(sha1));
	while (log_next(&log) > 0) {
		struct imalog_span raw = imalog_record_raw(log.record);
		static const uint8_t zeros[28];

		put(&list, raw.data, 24);
		put(&list, zeros, sizeof(zeros));
		put(&list, raw.data + 24, raw.size - 24);
	}
	log_close(&log);
	replay = replay_against(built(&list), machine.values);
	check_verdict(replay, IMALOG_MATCH, rig->records);
	CHECK_INT(imalog_replay_problems(replay), 0);
	CHECK_INT(check_of(replay, 1).padding, IMALOG_PADDING_PERBANK);
	CHECK_INT(check_of(replay, 2).padding, IMALOG_PADDING_SHA1);
	imalog_replay_free(&replay);
	build_free(&list);
	bytes_free(&sha1);
}

struct peak {
	const struct imalog_reader *reader;
	size_t bytes;
};

static void note_peak(void *arg, const struct imalog_record *record)
{
	struct peak *peak = arg;
	size_t bytes = 0;

	(void)record;
	for (const struct imalog_block *block = peak->reader->window.arena.oldest; block;
	     block = block->next)
		bytes += block->size;
	if (bytes > peak->bytes)
		peak->bytes = bytes;
}

/* Many large records are not kept all at a time. */
TEST(large_records)
{
	struct build list = { .order = IMALOG_ORDER_LE }, data = list;
	struct bytes buf = bytes_new((size_t)2 << 20);
	struct imalog_replay *replay = imalog_replay_new();
	struct peak peak = { NULL, 0 };
	struct log log;

	memset(buf.data, 0x5a, buf.size);
	put_d_ng(&data, 1);
	put_name(&data, "key");
	put_field(&data, buf.data, buf.size);
	for (int i = 0; i < 40; i++)
		put_record_over(&list, "ima-buf", built(&data), "SHA1", 20, built(&data));
	log = log_open(built(&list));
	peak.reader = log.reader;
	imalog_replay_on_record(replay, note_peak, &peak);
	CHECK_INT(imalog_replay_add_bank(replay, IMALOG_ALG_SHA1, NULL), 0);
	CHECK_INT(imalog_replay_run(replay, log.reader, NULL), 0);
	CHECK_INT(imalog_replay_records(replay), 40);
	CHECK_INT(imalog_replay_problems(replay), 0);
	CHECK(peak.bytes > buf.size);
	CHECK(peak.bytes <= 8 * buf.size);
	imalog_replay_free(&replay);
	log_close(&log);
	bytes_free(&buf);
	build_free(&data);
	build_free(&list);
}

TEST_MAIN(CASE(real_lists_give_the_values_of_the_tpm), CASE(log_that_goes_on),
	  CASE(segments_of_a_staged_list), CASE(list_over_a_kexec),
	  CASE(two_halves_of_different_formats), CASE(banks_of_padded_digests),
	  CASE(one_padded_bank), CASE(large_records))
