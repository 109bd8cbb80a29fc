/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replays for test programs, and PCR values without the library: of the machines, and
 * computed. */
#ifndef TEST_REPLAY_H
#define TEST_REPLAY_H

#include "golden.h"

/* Replays @bytes, whose first record has this number, after what was replayed before. */
TEST_FN int replay_bytes(struct imalog_replay *replay, struct imalog_span bytes,
			 uint64_t first, struct imalog_error *error)
{
	struct log log = log_open(bytes);
	int rc;

	imalog_reader_set_first_record(log.reader, first);
	rc = imalog_replay_run(replay, log.reader, error);
	log_close(&log);
	return rc;
}

/* A replay of @bytes that expects these values of PCR 10; NULL: none in this bank */
TEST_FN struct imalog_replay *replay_against(struct imalog_span bytes,
					     const uint8_t *const *values)
{
	struct imalog_replay *replay = imalog_replay_new();

	for (size_t i = 0; i < BANKS; i++)
		if (values[i])
			CHECK_INT(imalog_replay_expect(replay, banks[i].alg, 10,
						       span_of(values[i], banks[i].size),
						       NULL),
				  0);
	CHECK_INT(replay_bytes(replay, bytes, 1, NULL), 0);
	return replay;
}

TEST_FN void check_verdict(const struct imalog_replay *replay,
			   enum imalog_verdict verdict, uint64_t matched_at)
{
	uint64_t at = 99999;

	CHECK_INT(imalog_replay_verdict(replay, &at), verdict);
	CHECK_INT(at, matched_at);
	CHECK_INT(imalog_replay_verdict(replay, NULL), verdict);
}

TEST_FN struct imalog_check check_of(const struct imalog_replay *replay, size_t i)
{
	struct imalog_check check;

	imalog_replay_check(replay, i, &check);
	return check;
}

/* A PCR as tpm2_pcrread printed it; false when that bank has none */
TEST_FN bool rig_pcr(const struct rig *rig, const struct bank *bank, uint8_t *value)
{
	char path[128], heading[16];
	struct bytes text, bytes;
	const char *at, *end;

	snprintf(path, sizeof(path), "rig/%s/pcrs.yaml", rig->dir);
	text = bytes_of_file(path);
	text.data[text.size - 1] = '\0';
	snprintf(heading, sizeof(heading), "%s:\n", bank->name);
	at = strstr((char *)text.data, heading);
	end = at ? strstr(at, "\n  sha") : NULL;
	at = at ? strstr(at, "    10: 0x") : NULL;
	if (!at || (end && at > end)) {
		bytes_free(&text);
		return false;
	}
	text.data[at + 10 + 2 * bank->size - (char *)text.data] = '\0';
	bytes = bytes_of_hex(at + 10);
	memcpy(value, bytes.data, bank->size);
	bytes_free(&bytes);
	bytes_free(&text);
	return true;
}

/* value := H(value || digest), padded with zeros */
TEST_FN void extend(const struct bank *bank, uint8_t *value, const uint8_t *digest,
		    size_t size)
{
	uint8_t joined[2 * IMALOG_DIGEST_MAX] = { 0 };

	memcpy(joined, value, bank->size);
	memcpy(joined + bank->size, digest, size);
	hash_of(bank->evp, span_of(joined, 2 * bank->size), value);
}

#endif /* TEST_REPLAY_H */
