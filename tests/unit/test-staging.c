// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/staging.c: requests, reading, and what must be true before anything is deleted. */
#include <pthread.h>

#include <openssl/evp.h>

#include "staged.h"

/* ---- staging and reading ---- */

TEST(staging_says_what_became_of_it)
{
	struct setup s = stage(3);

	kernel.stage = EEXIST;
	CHECK_INT(imalog_staging_stage(s.staging, s.error), 2);
	kernel.stage = ENOENT;
	CHECK_INT(imalog_staging_stage(s.staging, s.error), 0);
	kernel.stage = EACCES;
	CHECK_INT(imalog_staging_stage(s.staging, s.error), -IMALOG_ERR_OS);
	CHECK(strstr(imalog_error_detail(s.error), "going down"));
	kernel.stage = EIO;
	CHECK_INT(imalog_staging_stage(s.staging, s.error), -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), EIO);
	/* None of them was written twice. */
	CHECK_INT(kernel.stages, 5);
	finish(&s);
}

static void *wait_for_end(void *arg)
{
	char byte;

	if (read(*(int *)arg, &byte, 1) != 0)
		abort();
	return NULL;
}

TEST(a_process_of_two_threads_is_refused)
{
	struct setup s;
	pthread_t thread;
	int ends[2];

	make_root(3);
	REQUIRE(pipe(ends) == 0);
	REQUIRE(pthread_create(&thread, NULL, wait_for_end, &ends[0]) == 0);
	s = open_staging(0);
	CHECK_INT(s.rc, -IMALOG_ERR_INVALID);
	CHECK(strstr(imalog_error_detail(s.error), "this one has 2"));
	close_staging(&s);
	close(ends[1]);
	pthread_join(thread, NULL);
	close(ends[0]);
	s = open_staging(0);
	CHECK_INT(s.rc, 0);
	finish(&s);
}

static void read_all(struct setup *s)
{
	struct imalog_source *source = imalog_staging_source(s->staging, s->error);
	struct imalog_window window = { .source = source };

	REQUIRE(source);
	CHECK(!imalog_staging_sha256(s->staging));
	CHECK_INT(imalog_staging_bytes(s->staging), 0);
	CHECK_INT(imalog_window_need(&window, 1 << 20, s->error), 0);
	imalog_arena_free(&window.arena);
	imalog_source_free(&source);
}

TEST(what_is_read_is_measured)
{
	struct setup s = stage(5);
	struct bytes list = list_of(5);
	uint8_t should[SHA256_SIZE];

	EVP_Digest(list.data, list.size, should, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 2; i++) {
		read_all(&s);
		CHECK_INT(imalog_staging_bytes(s.staging), list.size);
		REQUIRE(imalog_staging_sha256(s.staging));
		CHECK_MEM(span_of(imalog_staging_sha256(s.staging), SHA256_SIZE),
			  span_of(should, SHA256_SIZE));
	}
	bytes_free(&list);
	finish(&s);
}

/* ---- deleting ---- */

/* A receipt of a file with @records records */
static struct imalog_receipt *receipt_of(size_t records)
{
	struct bytes list = list_of(records);
	struct imalog_error *error = imalog_error_new();
	struct imalog_receipt *receipt = NULL;

	put_file(in_work("copy"), span_of_bytes(list));
	if (imalog_receipt_for_file(in_work("copy"), &receipt, error) < 0)
		snprintf(test_now.skipped, sizeof(test_now.skipped), "%s",
			 imalog_error_detail(error));
	imalog_error_free(&error);
	bytes_free(&list);
	return receipt;
}

static void delete_with(struct setup *s, struct imalog_receipt *receipt, int rc, int os_errno)
{
	CHECK_INT(imalog_staging_delete(s->staging, receipt, s->error), rc);
	if (rc < 0)
		CHECK_INT(imalog_error_os_errno(s->error), os_errno);
}

TEST(a_receipt_of_something_else_deletes_nothing)
{
	struct setup s = stage(5);
	struct imalog_receipt *same = receipt_of(5), *other = receipt_of(4);

	if (!same || !other)
		return;
	/* Nothing was read, or not to its end */
	delete_with(&s, same, -IMALOG_ERR_INVALID, 0);
	read_all(&s);
	delete_with(&s, other, -IMALOG_ERR_INVALID, 0);
	kernel.state = IMALOG_RECEIPT_SAVED;
	delete_with(&s, same, -IMALOG_ERR_INVALID, 0);
	kernel.state = IMALOG_RECEIPT_COMMITTED;
	delete_with(&s, same, -IMALOG_ERR_INVALID, 0);
	kernel.state = 0;
	/* Staged anew since it was read */
	kernel.stage = EEXIST;
	imalog_staging_stage(s.staging, s.error);
	delete_with(&s, same, -IMALOG_ERR_INVALID, 0);
	CHECK_INT(kernel.discards, 0);
	read_all(&s);
	delete_with(&s, same, 0, 0);
	CHECK_INT(kernel.discards, 1);
	/* Once is enough */
	delete_with(&s, same, -IMALOG_ERR_INVALID, 0);
	read_all(&s);
	delete_with(&s, same, -IMALOG_ERR_OS, ENOENT);
	CHECK_INT(kernel.discards, 1);
	imalog_receipt_free(&same);
	imalog_receipt_free(&other);
	finish(&s);
}

TEST(the_kernel_may_refuse)
{
	static const int refusals[] = { ESTALE, ENOENT, EIO, EINVAL };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(refusals); i++) {
		struct setup s = stage(5);
		struct imalog_receipt *receipt = receipt_of(5);

		if (receipt) {
			read_all(&s);
			kernel.discard = refusals[i];
			delete_with(&s, receipt, -IMALOG_ERR_OS, refusals[i]);
			CHECK_INT(kernel.discards, 1);
		}
		imalog_receipt_free(&receipt);
		finish(&s);
	}
}

TEST(without_memory_the_records_are_gone_all_the_same)
{
	for (int gone = 0; gone < 2; gone++) {
		struct setup s = stage(5);
		struct imalog_receipt *receipt = receipt_of(5);

		if (receipt) {
			read_all(&s);
			kernel.discard = ENOMEM;
			kernel.discarded_all_the_same = gone;
			delete_with(&s, receipt, gone ? 0 : -IMALOG_ERR_OS, ENOMEM);
			CHECK_INT(kernel.discards, 1);
		}
		imalog_receipt_free(&receipt);
		finish(&s);
	}
}

TEST_MAIN(CASE(staging_says_what_became_of_it),
	  CASE(a_process_of_two_threads_is_refused), CASE(what_is_read_is_measured),
	  CASE(a_receipt_of_something_else_deletes_nothing), CASE(the_kernel_may_refuse),
	  CASE(without_memory_the_records_are_gone_all_the_same), )
