// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzz target: pieces and receipts that are to make one log
 *
 *	u8	flags: 1 what the pieces lead to in the order given is expected
 *		       2 memory runs out, after as many allocations as the next byte says
 *		       4 the output is CEL-TLV
 *	u8	number of an allocation
 *	u8, u8	how many pieces there are, from 1, and how many receipts
 *	u16...	their sizes, big-endian
 *	...	the pieces, kernel lists, little-endian with SHA-1; then the receipts, JSON
 *
 * Whatever is said to be proved is read again, and must lead to what was expected.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "merge-engine.h"

#define EXPECT	     1
#define NO_MEMORY    2
#define TLV	     4
#define PIECES_MAX   6
#define RECEIPTS_MAX 6
#define WORK_MAX     2000
#define PCR	     10

struct input {
	uint8_t flags, allocs;
	struct imalog_span pieces[PIECES_MAX], receipts[RECEIPTS_MAX];
	size_t nr_pieces, nr_receipts;
};

static struct imalog_span take(struct imalog_span *from, size_t size)
{
	struct imalog_span span = { from->data, size < from->size ? size : from->size };

	from->data += span.size;
	from->size -= span.size;
	return span;
}

static bool input_of(struct imalog_span left, struct input *input)
{
	struct imalog_span head = take(&left, 4), sizes;

	if (head.size < 4)
		return false;
	*input = (struct input){ .flags = head.data[0],
				 .allocs = head.data[1],
				 .nr_pieces = 1 + head.data[2] % PIECES_MAX,
				 .nr_receipts = head.data[3] % (RECEIPTS_MAX + 1) };
	sizes = take(&left, 2 * (input->nr_pieces + input->nr_receipts));
	for (size_t i = 0; 2 * i + 1 < sizes.size; i++) {
		size_t size = (size_t)sizes.data[2 * i] << 8 | sizes.data[2 * i + 1];

		if (i < input->nr_pieces)
			input->pieces[i] = take(&left, size);
		else
			input->receipts[i - input->nr_pieces] = take(&left, size);
	}
	return true;
}

/* ---- files ---- */

static void write_all(int fd, struct imalog_span bytes)
{
	MUST(fd >= 0);
	MUST(bytes.size == 0 || write(fd, bytes.data, bytes.size) == (ssize_t)bytes.size);
}

static char directory[512];

static void remove_directory(void)
{
	rmdir(directory);
}

/* The same for every input: it is empty in between. */
static int receipts_directory(void)
{
	const char *temporary = getenv("TMPDIR");

	if (!directory[0]) {
		snprintf(directory, sizeof(directory), "%s/fuzz-merge.XXXXXX",
			 temporary ? temporary : P_tmpdir);
		MUST(mkdtemp(directory));
		atexit(remove_directory);
	}
	return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void name_receipt(size_t i, char name[16])
{
	snprintf(name, 16, "%08u.json", (unsigned int)(i % RECEIPTS_MAX) + 1);
}

static int add_receipts(struct imalog_merge *merge, const struct input *input,
			struct imalog_error *error)
{
	int dir = receipts_directory(), fd, rc;
	char name[16];

	MUST(dir >= 0);
	for (size_t i = 0; i < input->nr_receipts; i++) {
		name_receipt(i, name);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		write_all(fd, input->receipts[i]);
		close(fd);
	}
	rc = imalog_merge_add_receipts(merge, directory, error);
	for (size_t i = 0; i < input->nr_receipts; i++) {
		name_receipt(i, name);
		unlinkat(dir, name, 0);
	}
	close(dir);
	return rc;
}

/* ---- what is expected ---- */

/* The value of the PCR behind these lists; false when none extends it */
static bool replay_of(const struct imalog_span *lists, size_t nr, enum imalog_format format,
		      uint8_t value[IMALOG_DIGEST_MAX])
{
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	const uint8_t *found;

	MUST(replay && templates && pcrs);
	MUST(imalog_replay_add_bank(replay, IMALOG_ALG_SHA1, NULL) == 0);
	for (size_t i = 0; i < nr; i++) {
		struct imalog_source *source =
			imalog_source_from_memory(lists[i].data, lists[i].size, "piece");
		struct imalog_reader *reader = imalog_reader_new(source, templates);

		MUST(source && reader);
		imalog_reader_set_format(reader, format);
		if (format == IMALOG_FORMAT_KERNEL) {
			imalog_reader_set_order(reader, IMALOG_ORDER_LE);
			imalog_reader_set_digest_size(reader, 20);
		}
		imalog_replay_run(replay, reader, NULL);
		imalog_reader_free(&reader);
		imalog_source_free(&source);
	}
	MUST(imalog_replay_pcrs(replay, pcrs, NULL) == 0);
	found = imalog_pcrs_get(pcrs, IMALOG_ALG_SHA1, PCR);
	if (found)
		memcpy(value, found, imalog_alg_size(IMALOG_ALG_SHA1));
	imalog_pcrs_free(&pcrs);
	imalog_templates_free(&templates);
	imalog_replay_free(&replay);
	return found != NULL;
}

static int prepare(void *arg, struct imalog_replay *replay)
{
	struct imalog_span value = { arg, imalog_alg_size(IMALOG_ALG_SHA1) };

	return imalog_replay_expect(replay, IMALOG_ALG_SHA1, PCR, value, NULL);
}

static int restart(void *arg)
{
	((struct imalog_buffer *)arg)->size = 0;
	return 0;
}

/* ---- what comes of it ---- */

static void check_sentences(const struct imalog_merge *merge)
{
	enum imalog_merge_problem kind;
	const char *text, *piece;

	for (size_t i = 0; (text = imalog_merge_problem(merge, i, &kind, &piece)); i++) {
		MUST(text[0] && imalog_merge_problem_name(kind)[0]);
		for (const char *c = text; *c; c++)
			MUST(*c >= 0x20 && *c < 0x7f);
	}
	for (size_t i = 0; (text = imalog_merge_candidate(merge, i)); i++)
		for (const char *c = text; *c; c++)
			MUST(*c >= 0x20 && *c < 0x7f);
}

static uint64_t count_records(const struct imalog_merge *merge)
{
	struct imalog_merge_part part;
	uint64_t next = 1;

	for (size_t i = 0; imalog_merge_part(merge, i, &part); i++) {
		MUST(part.first == next);
		next += part.records;
	}
	return next - 1;
}

static void check_written(const struct imalog_merge *merge, enum imalog_merge_result result,
			  enum imalog_format format, const struct imalog_buffer *written,
			  const uint8_t *expected)
{
	struct imalog_span log = fuzz_span(written);
	uint8_t value[IMALOG_DIGEST_MAX];

	check_sentences(merge);
	MUST(imalog_merge_result_name(result)[0]);
	MUST(result != IMALOG_MERGE_PROVED || expected);
	if (result > IMALOG_MERGE_GIVEN)
		return;
	MUST(count_records(merge) == 0 || log.size);
	if (result != IMALOG_MERGE_PROVED)
		return;
	MUST(replay_of(&log, 1, format, value));
	MUST(memcmp(value, expected, imalog_alg_size(IMALOG_ALG_SHA1)) == 0);
}

static void run(const struct input *input, const int *fds)
{
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_merge *merge = imalog_merge_new(templates);
	struct imalog_error *error = imalog_error_new();
	enum imalog_format format = input->flags & TLV ? IMALOG_FORMAT_CEL_TLV :
							 IMALOG_FORMAT_KERNEL;
	enum imalog_merge_result result;
	struct imalog_buffer written = { 0 };
	uint8_t value[IMALOG_DIGEST_MAX];
	bool expect = input->flags & EXPECT &&
		      replay_of(input->pieces, input->nr_pieces, IMALOG_FORMAT_KERNEL, value);
	int rc = 0;

	MUST(templates && merge && error);
	merge->work_max = WORK_MAX;
	imalog_merge_set_reading(merge, IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE, 20);
	for (size_t i = 0; i < input->nr_pieces; i++)
		MUST(imalog_merge_add_fd(merge, fds[i], "piece", NULL) == 0);
	imalog_merge_set_output(merge, format, IMALOG_ORDER_LE, fuzz_append, restart,
				&written);
	if (expect)
		imalog_merge_set_anchor(merge, prepare, value);
	fuzz_allocs_left = input->flags & NO_MEMORY ? input->allocs : 0;
	if (input->nr_receipts)
		rc = add_receipts(merge, input, error);
	if (rc >= 0)
		rc = imalog_merge_run(merge, &result, error);
	fuzz_allocs_left = 0;
	if (rc < 0)
		fuzz_check_error(error, rc);
	else
		check_written(merge, result, format, &written, expect ? value : NULL);
	imalog_buffer_free(&written);
	imalog_error_free(&error);
	imalog_merge_free(&merge);
	imalog_templates_free(&templates);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fds[PIECES_MAX];
	struct input input;

	if (!input_of((struct imalog_span){ data, size }, &input))
		return 0;
	for (size_t i = 0; i < input.nr_pieces; i++) {
		fds[i] = memfd_create("piece", MFD_CLOEXEC);
		write_all(fds[i], input.pieces[i]);
	}
	run(&input, fds);
	for (size_t i = 0; i < input.nr_pieces; i++)
		close(fds[i]);
	return 0;
}
