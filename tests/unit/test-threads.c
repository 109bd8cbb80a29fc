// SPDX-License-Identifier: GPL-2.0-or-later
/* The library has no global state: threads with objects of their own do not meet. */
#include <pthread.h>

#include "replay.h"

#define THREADS 4
#define ROUNDS	10

/* What all threads read at the same time, and what must come out */
struct work {
	const struct rig *rig;
	struct imalog_span bytes;
	uint8_t value[32];
	bool ok;
};

static int count_bytes(void *arg, const void *data, size_t size)
{
	(void)data;
	*(size_t *)arg += size;
	return 0;
}

static bool replay_once(const struct work *work)
{
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_error *error = imalog_error_new();
	uint64_t at = 0;
	bool ok = imalog_replay_expect(replay, IMALOG_ALG_SHA256, 10,
				       span_of(work->value, 32), error) == 0 &&
		  replay_bytes(replay, work->bytes, 1, error) == 0 &&
		  imalog_replay_verdict(replay, &at) == IMALOG_MATCH &&
		  at == work->rig->records;

	imalog_error_free(&error);
	imalog_replay_free(&replay);
	return ok;
}

static bool convert_once(const struct work *work)
{
	struct imalog_hasher *hasher = imalog_hasher_new();
	struct log log = log_open(work->bytes);
	size_t written = 0, records = 0;
	struct imalog_writer *writer = imalog_writer_new(
		IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE, count_bytes, &written);
	bool ok = true;

	while (log_next(&log) > 0) {
		ok &= imalog_record_verify(log.record, hasher, log.error) >= 0;
		ok &= imalog_writer_put(writer, log.record, log.error) == 0;
		records++;
	}
	imalog_writer_free(&writer);
	log_close(&log);
	imalog_hasher_free(&hasher);
	return ok && written > 0 && records == work->rig->records;
}

static bool fail_once(const struct work *work)
{
	struct log log = log_open(span_of(work->bytes.data, work->bytes.size - 2));
	char text[256];
	uint64_t records;
	bool ok = log_drain(&log, &records) == -IMALOG_ERR_TRUNCATED;

	imalog_error_format(log.error, text, sizeof(text));
	ok &= strstr(text, "record") != NULL && records == work->rig->records - 1;
	log_close(&log);
	return ok;
}

static void *run(void *arg)
{
	struct work *work = arg;

	work->ok = true;
	for (int i = 0; i < ROUNDS && work->ok; i++)
		work->ok = replay_once(work) && convert_once(work) && fail_once(work);
	return NULL;
}

static void check_threads(const char *encoding)
{
	pthread_t threads[THREADS];
	struct work works[THREADS];
	struct bytes lists[2];

	for (size_t i = 0; i < 2; i++)
		rig_list(&rigs[i ? 4 : 5], &banks[1], encoding, &lists[i]);
	for (size_t i = 0; i < THREADS; i++) {
		works[i].rig = &rigs[i % 2 ? 4 : 5];
		works[i].bytes = span_of_bytes(lists[i % 2]);
		rig_pcr(works[i].rig, &banks[1], works[i].value);
	}
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, run, &works[i]) != 0)
			BAIL_OUT("cannot make a thread");
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		CHECK(works[i].ok);
	}
	for (size_t i = 0; i < 2; i++)
		bytes_free(&lists[i]);
}

TEST(threads_that_read_binary_lists)
{
	check_threads("binary");
}

TEST(threads_that_read_ascii_lists)
{
	check_threads("ascii");
}

TEST_MAIN(CASE(threads_that_read_binary_lists), CASE(threads_that_read_ascii_lists))
