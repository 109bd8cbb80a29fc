/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merges for test programs: logs taken apart, pieces in memory, receipts written by hand, and
 * PCR values, all without the library
 */
#ifndef TEST_MERGE_H
#define TEST_MERGE_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "merge-engine.h"

#define MERGE_BANKS 2 /* of banks[] */
#define PIECES_MAX  64

/* ---- logs taken apart ---- */

struct rec {
	size_t at, size;
	uint32_t pcr;
	bool violation;
	uint8_t digest[MERGE_BANKS][32]; /* what the banks are extended with */
};

struct parsed {
	struct imalog_span bytes;
	struct rec *recs;
	size_t nr;
};

TEST_FN uint32_t get_le(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The digests of a record whose name and data are here; `ima` has its name padded */
TEST_FN void digest_rec(struct rec *rec, const uint8_t *recorded, bool ima,
			struct imalog_span data)
{
	static const uint8_t zeros[20];
	uint8_t padded[20 + 256] = { 0 };

	if (ima) {
		memcpy(padded, data.data, 20);
		memcpy(padded + 20, data.data + 24, data.size - 24);
		data = span_of(padded, sizeof(padded));
	}
	rec->violation = memcmp(recorded, zeros, 20) == 0;
	for (size_t b = 0; b < MERGE_BANKS; b++) {
		memset(rec->digest[b], 0xff, 32);
		if (!rec->violation)
			hash_of(banks[b].evp, data, rec->digest[b]);
	}
}

/* A little-endian list with SHA-1 digests */
TEST_FN struct parsed parse_log(struct imalog_span bytes)
{
	struct parsed log = { bytes, NULL, 0 };

	for (size_t at = 0; at < bytes.size;) {
		const uint8_t *p = bytes.data + at;
		uint32_t name = get_le(p + 24);
		bool ima = name == 3 && memcmp(p + 28, "ima", 3) == 0;
		size_t head = 28 + name + (ima ? 0 : 4);
		size_t data = ima ? 24 + get_le(p + head + 20) : get_le(p + 28 + name);
		struct rec *rec;

		log.recs = realloc(log.recs, (log.nr + 1) * sizeof(*log.recs));
		rec = &log.recs[log.nr++];
		*rec = (struct rec){ .at = at, .size = head + data, .pcr = get_le(p) };
		digest_rec(rec, p + 4, ima, span_of(p + head, data));
		at += rec->size;
	}
	return log;
}

TEST_FN void parsed_free(struct parsed *log)
{
	free(log->recs);
	log->recs = NULL;
}

/* The bytes of records FROM to TO - 1, from 0 */
TEST_FN struct imalog_span recs_of(const struct parsed *log, size_t from, size_t to)
{
	size_t start = from < log->nr ? log->recs[from].at : log->bytes.size;
	size_t end = to < log->nr ? log->recs[to].at : log->bytes.size;

	return span_of(log->bytes.data + start, end - start);
}

/* ---- PCR values ---- */

struct values {
	uint8_t value[MERGE_BANKS][IMALOG_PCR_MAX + 1][32];
	bool extended[IMALOG_PCR_MAX + 1];
};

TEST_FN void extend_values(struct values *values, const struct rec *rec)
{
	values->extended[rec->pcr] = true;
	for (size_t b = 0; b < MERGE_BANKS; b++) {
		uint8_t both[64];

		memcpy(both, values->value[b][rec->pcr], banks[b].size);
		memcpy(both + banks[b].size, rec->digest[b], banks[b].size);
		hash_of(banks[b].evp, span_of(both, 2 * banks[b].size),
			values->value[b][rec->pcr]);
	}
}

TEST_FN struct values values_after(const struct parsed *log, size_t nr)
{
	struct values values = { 0 };

	for (size_t i = 0; i < nr; i++)
		extend_values(&values, &log->recs[i]);
	return values;
}

TEST_FN void hex_of(const uint8_t *data, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++)
		sprintf(out + 2 * i, "%02x", data[i]);
}

/* ---- receipts ---- */

TEST_FN void print_state(FILE *file, const char *key, const struct values *values)
{
	const char *between = "";

	fprintf(file, "\"%s\": {", key);
	for (size_t b = 0; b < MERGE_BANKS; b++) {
		const char *comma = "";
		bool any = false;

		for (uint32_t pcr = 0; pcr <= IMALOG_PCR_MAX; pcr++) {
			char hex[65];

			if (!values->extended[pcr])
				continue;
			hex_of(values->value[b][pcr], banks[b].size, hex);
			if (!any)
				fprintf(file, "%s\"%s\": {", between, banks[b].name);
			fprintf(file, "%s\"%u\": \"%s\"", comma, pcr, hex);
			any = true;
			comma = ", ";
			between = ", ";
		}
		if (any)
			fputs("}", file);
	}
	fputs("},\n", file);
}

struct receipt_text {
	unsigned int segment;
	size_t from, to; /* records, from 0 */
	const char *state;
	unsigned int may_repeat;
	size_t shift; /* records that it counts more than there are */
};

/* imalog-store(5) */
TEST_FN void write_receipt(const char *dir, const struct parsed *log,
			   struct receipt_text receipt)
{
	struct imalog_span bytes = recs_of(log, receipt.from, receipt.to);
	struct values before = values_after(log, receipt.from);
	struct values after = values_after(log, receipt.to);
	char path[512], hex[65];
	size_t violations = 0;
	uint8_t sum[32];
	FILE *file;

	for (size_t i = receipt.from; i < receipt.to; i++)
		violations += log->recs[i].violation;
	hash_of("SHA256", bytes, sum);
	hex_of(sum, 32, hex);
	snprintf(path, sizeof(path), "%s/%08u.json", dir, receipt.segment);
	file = fopen(path, "w");
	if (!file)
		BAIL_OUT("cannot write '%s'", path);
	fprintf(file,
		"{\"version\": 1, \"segment\": %u, \"state\": \"%s\",\n"
		"\"first_record\": %zu, \"records\": %zu, \"bytes\": %zu,\n"
		"\"violations\": %zu, \"sha256\": \"%s\",\n",
		receipt.segment, receipt.state ? receipt.state : "committed",
		receipt.from + receipt.shift + 1, receipt.to - receipt.from, bytes.size,
		violations, hex);
	print_state(file, "before", &before);
	print_state(file, "after", &after);
	if (receipt.may_repeat)
		fprintf(file, "\"may_repeat\": %u,\n", receipt.may_repeat);
	fprintf(file, "\"previous\": \"%064d\", \"verdict\": \"not-checked\"}\n", 0);
	fclose(file);
}

static char receipts_path[256];

TEST_FN void make_receipts_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(receipts_path, sizeof(receipts_path), "%s/imalog-merge-XXXXXX",
		 tmp ? tmp : "/tmp");
	if (!mkdtemp(receipts_path))
		BAIL_OUT("cannot make a directory");
}

TEST_FN void empty_receipts_dir(bool and_remove)
{
	DIR *dir = opendir(receipts_path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	if (and_remove)
		rmdir(receipts_path);
}

/* ---- logs of letters ---- */

/* A character for each record, V is a violation, B the boot_aggregate */
TEST_FN struct bytes log_of(const char *text)
{
	struct build list = { .order = IMALOG_ORDER_LE };
	struct bytes bytes;

	for (; *text; text++) {
		char name[2] = { *text };

		put_ng(&list, *text == 'V' ? 0 : (uint8_t)*text,
		       *text == 'B' ? "boot_aggregate" : name);
	}
	bytes = bytes_copy(list.data, list.size);
	build_free(&list);
	return bytes;
}

TEST_FN void receipt_of(const struct parsed *log, unsigned int segment, size_t from, size_t to)
{
	write_receipt(receipts_path, log,
		      (struct receipt_text){ .segment = segment, .from = from, .to = to });
}

/* ---- a merge ---- */

struct trial {
	struct imalog_templates *templates;
	struct imalog_merge *merge;
	struct imalog_error *error;
	int fds[PIECES_MAX];
	size_t nr_fds;
	struct build out;
	size_t restarts;
	bool anchored;
	struct values anchor;
	bool banks[MERGE_BANKS]; /* that are compared */
	enum imalog_merge_result result;
	int rc;
};

TEST_FN int trial_write(void *arg, const void *data, size_t size)
{
	put(&((struct trial *)arg)->out, data, size);
	return 0;
}

TEST_FN int trial_restart(void *arg)
{
	((struct trial *)arg)->out.size = 0;
	((struct trial *)arg)->restarts++;
	return 0;
}

TEST_FN int trial_prepare(void *arg, struct imalog_replay *replay)
{
	const struct trial *trial = arg;
	int rc = 0;

	for (size_t b = 0; b < MERGE_BANKS; b++) {
		imalog_replay_add_bank(replay, banks[b].alg, NULL);
		for (uint32_t pcr = 0; rc == 0 && pcr <= IMALOG_PCR_MAX; pcr++)
			if (trial->anchored && trial->banks[b] && trial->anchor.extended[pcr])
				rc = imalog_replay_expect(replay, banks[b].alg, pcr,
							  span_of(trial->anchor.value[b][pcr],
								  banks[b].size),
							  NULL);
	}
	return rc;
}

TEST_FN void trial_init(struct trial *trial)
{
	*trial = (struct trial){ .templates = imalog_templates_new(),
				 .error = imalog_error_new(),
				 .banks = { true, true } };
	trial->merge = imalog_merge_new(trial->templates);
	if (!trial->templates || !trial->merge || !trial->error)
		BAIL_OUT("no memory");
}

TEST_FN void trial_add(struct trial *trial, struct imalog_span bytes, const char *name)
{
	int fd = memfd_create("piece", MFD_CLOEXEC);

	if (fd < 0 || write(fd, bytes.data, bytes.size) != (ssize_t)bytes.size ||
	    trial->nr_fds == PIECES_MAX)
		BAIL_OUT("cannot make a piece");
	trial->fds[trial->nr_fds++] = fd;
	CHECK_INT(imalog_merge_add_fd(trial->merge, fd, name, trial->error), 0);
}

TEST_FN void trial_expect(struct trial *trial, const struct parsed *log, size_t nr)
{
	trial->anchored = true;
	trial->anchor = values_after(log, nr);
}

TEST_FN void trial_run(struct trial *trial)
{
	char text[512];

	imalog_merge_set_anchor(trial->merge, trial_prepare, trial);
	imalog_merge_set_output(trial->merge, IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE,
				trial_write, trial_restart, trial);
	trial->rc = imalog_merge_run(trial->merge, &trial->result, trial->error);
	if (trial->rc == 0)
		return;
	imalog_error_format(trial->error, text, sizeof(text));
	test_fail(__FILE__, __LINE__, "the merge failed: %s", text);
}

TEST_FN bool trial_says(const struct trial *trial, enum imalog_merge_problem kind,
			const char *part)
{
	enum imalog_merge_problem is;
	const char *text;

	for (size_t i = 0; (text = imalog_merge_problem(trial->merge, i, &is, NULL)); i++)
		if (is == kind && strstr(text, part))
			return true;
	return false;
}

TEST_FN bool test_trial(const char *file, int line, const struct trial *trial,
			enum imalog_merge_result should)
{
	enum imalog_merge_problem kind;
	const char *text;

	if (trial->rc == 0 && trial->result == should)
		return true;
	test_fail(file, line, "the result is '%s', not '%s'",
		  imalog_merge_result_name(trial->result), imalog_merge_result_name(should));
	for (size_t i = 0; (text = imalog_merge_problem(trial->merge, i, &kind, NULL)); i++)
		printf("#   %s: %s\n", imalog_merge_problem_name(kind), text);
	for (size_t i = 0; (text = imalog_merge_candidate(trial->merge, i)); i++)
		printf("#   candidate: %s\n", text);
	return false;
}
#define CHECK_RESULT(trial, should) test_trial(__FILE__, __LINE__, trial, should)

TEST_FN void trial_free(struct trial *trial)
{
	imalog_merge_free(&trial->merge);
	imalog_templates_free(&trial->templates);
	imalog_error_free(&trial->error);
	for (size_t i = 0; i < trial->nr_fds; i++)
		close(trial->fds[i]);
	build_free(&trial->out);
}

/* ---- chance ---- */

static uint64_t chance_state;

TEST_FN void chance_seed(uint64_t usual)
{
	const char *text = getenv("IMALOG_SEED");

	chance_state = text && *text ? strtoull(text, NULL, 0) : usual;
	printf("# seed %llu (IMALOG_SEED)\n", (unsigned long long)chance_state);
}

/* xorshift64*; from 0 to N - 1 */
TEST_FN size_t chance(size_t n)
{
	chance_state ^= chance_state >> 12;
	chance_state ^= chance_state << 25;
	chance_state ^= chance_state >> 27;
	return (size_t)((chance_state * 0x2545f4914f6cdd1dull) >> 33) % n;
}

TEST_FN void shuffle(size_t *order, size_t nr)
{
	for (size_t i = nr; i > 1; i--) {
		size_t other = chance(i), kept = order[i - 1];

		order[i - 1] = order[other];
		order[other] = kept;
	}
}

#endif /* TEST_MERGE_H */
