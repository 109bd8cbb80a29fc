// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks the signatures of records: some hundreds are read, several threads check them, and what
 * came of it is printed in their order
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "sig.h"

#define BATCH 2048
/* Bytes of the log that are held for it */
#define BATCH_BYTES ((uint64_t)64 << 20)

/* ---- reading ---- */

static bool need_results(struct sig_verify *verify, size_t nr)
{
	struct imalog_sig_result *grown;
	size_t room = verify->room ? verify->room : BATCH;

	if (nr <= verify->room)
		return true;
	while (room < nr)
		room *= 2;
	grown = reallocarray(verify->results, room, sizeof(*grown));
	if (!grown)
		return false;
	verify->results = grown;
	verify->room = room;
	return true;
}

static size_t count_signatures(const struct imalog_record *record)
{
	size_t nr = 0;

	for (size_t i = 0; i < imalog_record_fields(record); i++)
		nr += imalog_field_is_signature(imalog_record_field_id(record, i));
	return nr;
}

static bool has_buffer(const struct imalog_record *record)
{
	for (size_t i = 0; i < imalog_record_fields(record); i++)
		if (imalog_record_field_id(record, i) == IMALOG_FIELD_BUF &&
		    imalog_record_field_data(record, i).size)
			return true;
	return false;
}

/*
 * A template that is not known may have any fields.  The name of one that is known is in no
 * digest, so that a signature can be called a buffer; and without a digest all can be called
 * anything.
 */
static const char *doubt_of(const struct sig_item *item)
{
	enum imalog_content content = imalog_record_content(item->record);

	if (content == IMALOG_CONTENT_DIGEST_ONLY || content == IMALOG_CONTENT_OTHER ||
	    (content == IMALOG_CONTENT_TEMPLATE && imalog_record_fields(item->record) == 0))
		return "its fields are not known";
	if (item->fit == IMALOG_FIT_UNKNOWN && imalog_record_is_checked(item->record) &&
	    !imalog_record_is_violation(item->record))
		return "no digest covers what the record says";
	if (!item->buffer && has_buffer(item->record))
		return "what it calls a buffer is not what its digest names";
	return NULL;
}

static int library_failed(const struct sig_verify *verify, int code)
{
	log_complain(&verify->log, verify->error);
	return exit_code_of(code);
}

/* What can be said of the record before its signatures */
static int look_at(struct sig_verify *verify, struct imalog_record *record,
		   struct sig_item *item)
{
	int fit = imalog_record_verify(record, verify->hasher, verify->error), buffer;

	if (fit < 0)
		return fit;
	buffer = imalog_record_is_buffer(record, verify->hasher, verify->error);
	*item = (struct sig_item){ .record = record,
				   .fit = (enum imalog_fit)fit,
				   .buffer = buffer > 0,
				   .first = verify->nr_results,
				   .nr = count_signatures(record) };
	item->doubt = doubt_of(item);
	return buffer < 0 ? buffer : 0;
}

static int add_item(struct sig_verify *verify, struct imalog_record *record)
{
	struct sig_item *item = &verify->items[verify->nr_items];
	int rc = look_at(verify, record, item);

	if (rc < 0)
		return library_failed(verify, rc);
	if (!need_results(verify, verify->nr_results + item->nr))
		return out_of_memory();
	if (verify->keys_from_log)
		rc = imalog_sig_keys_add_record(verify->keys, record, verify->hasher,
						verify->error);
	if (rc == -IMALOG_ERR_LIMIT)
		verify->keys_left_out++;
	else if (rc < 0)
		return library_failed(verify, rc);
	verify->nr_results += item->nr;
	verify->nr_items++;
	return EXIT_YES;
}

/* ---- checking ---- */

struct work {
	struct sig_verify *verify;
	atomic_size_t next;   /* item that nobody has taken */
	atomic_int failed;    /* code of a failure, 0: none */
};

/* What one thread needs */
struct worker {
	struct work *work;
	struct imalog_sig_checker *checker;
	pthread_t thread;
};

static int check_item(struct sig_verify *verify, struct imalog_sig_checker *checker,
		      const struct sig_item *item)
{
	struct imalog_sig_result *result = &verify->results[item->first];
	int rc = 0;

	for (size_t i = 0; i < imalog_record_fields(item->record) && rc >= 0; i++) {
		rc = imalog_sig_check(checker, item->record, i, result, NULL);
		result += rc > 0;
	}
	return rc < 0 ? rc : 0;
}

static void *check_items(void *arg)
{
	struct worker *worker = arg;
	struct work *work = worker->work;
	struct sig_verify *verify = work->verify;
	size_t i;

	while (!atomic_load(&work->failed) &&
	       (i = atomic_fetch_add(&work->next, 1)) < verify->nr_items) {
		int rc = check_item(verify, worker->checker, &verify->items[i]);

		if (rc < 0)
			atomic_store(&work->failed, rc);
	}
	return NULL;
}

/* A thread that cannot be started is done without. */
static int check_batch(struct sig_verify *verify)
{
	struct work work = { .verify = verify };
	struct worker workers[SIG_THREADS_MAX];
	unsigned int started = 1;

	for (unsigned int i = 0; i < verify->threads; i++)
		workers[i] = (struct worker){ .work = &work, .checker = verify->checkers[i] };
	while (started < verify->threads && verify->nr_results > started &&
	       pthread_create(&workers[started].thread, NULL, check_items,
			      &workers[started]) == 0)
		started++;
	check_items(&workers[0]);
	for (unsigned int i = 1; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	if (atomic_load(&work.failed) == 0)
		return EXIT_YES;
	complain("%s", imalog_strerror(atomic_load(&work.failed)));
	return EXIT_UNABLE;
}

static int flush_batch(struct sig_verify *verify)
{
	int rc = check_batch(verify);

	for (size_t i = 0; i < verify->nr_items && rc == EXIT_YES; i++) {
		const struct sig_item *item = &verify->items[i];

		if (!sig_count(verify, item))
			rc = out_of_memory();
		else if (!verify->options.quiet && !sig_report_item(verify, item))
			rc = EXIT_UNABLE;
	}
	if (verify->nr_items)
		imalog_reader_release(
			verify->log.reader,
			imalog_record_number(verify->items[verify->nr_items - 1].record));
	verify->nr_items = 0;
	verify->nr_results = 0;
	return rc;
}

/* ---- the log ---- */

static bool is_full(const struct sig_verify *verify, const struct imalog_record *last)
{
	return verify->nr_items == BATCH ||
	       imalog_record_offset(last) - imalog_record_offset(verify->items[0].record) >=
		       BATCH_BYTES;
}

/* The records of a file live no longer than it is open. */
static int run_file(struct sig_verify *verify)
{
	struct log *log = &verify->log;
	struct imalog_record *record;
	int more, rc = EXIT_YES, flushed;

	while (rc == EXIT_YES &&
	       (more = imalog_reader_next(log->reader, &record, verify->error)) != 0) {
		if (more < 0) {
			rc = library_failed(verify, more);
			break;
		}
		log->records++;
		progress(log->records);
		rc = add_item(verify, record);
		if (rc == EXIT_YES && is_full(verify, record))
			rc = flush_batch(verify);
	}
	flushed = flush_batch(verify);
	return rc == EXIT_YES ? flushed : rc;
}

int sig_run(struct sig_verify *verify)
{
	int more, rc = EXIT_YES;

	verify->items = calloc(BATCH, sizeof(*verify->items));
	if (!verify->items)
		return out_of_memory();
	for (unsigned int i = 0; i < verify->threads; i++) {
		verify->checkers[i] = imalog_sig_checker_new(verify->keys);
		if (!verify->checkers[i])
			return out_of_memory();
	}
	while (rc == EXIT_YES && (more = log_next_file(&verify->log)) != 0)
		rc = more < 0 ? -more : run_file(verify);
	return rc;
}

void sig_run_free(struct sig_verify *verify)
{
	for (unsigned int i = 0; i < SIG_THREADS_MAX; i++)
		imalog_sig_checker_free(&verify->checkers[i]);
	free(verify->items);
	free(verify->results);
}
