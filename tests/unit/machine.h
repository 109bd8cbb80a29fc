/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for test programs: a kernel that stages its list and a TPM, in memory that
 * outlives processes, and a store in a directory of its own
 */
#ifndef TEST_MACHINE_H
#define TEST_MACHINE_H

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "export.h"
#include "log.h"

#define RECORDS_MAX   4000
#define BYTES_MAX     ((size_t)1 << 22)
#define MACHINE_BANKS 2

/* Records by their number since the TPM's reset; a list is a run of numbers. */
struct kernel {
	size_t nr;
	size_t at[RECORDS_MAX + 1]; /* where each begins in the bytes */
	uint8_t bytes[BYTES_MAX];
	size_t staged[RECORDS_MAX], nr_staged;
	size_t current[RECORDS_MAX], nr_current;
	bool held, suspended, has_tpm, tpm_fails;
	bool cannot_stage;
	int discard_errno; /* for the next request: refused */
	bool discards_all_the_same;
	bool flush_htable; /* what is deleted can be measured once more, and has no number */
	bool no_config;	   /* nothing tells how it was built */
	unsigned int boot, resets;
	uint64_t violations; /* of this boot */
	uint8_t pcrs[MACHINE_BANKS][IMALOG_DIGEST_MAX]; /* PCR 10 of sha1 and sha256 */
	unsigned int reads;				/* of what is staged, to its end */
	void (*after_stage)(void);			/* somebody else, at some moments */
	void (*before_open)(void);
	void (*after_close)(void);
	void (*after_tpm)(void);
	void (*before_list)(void);
};

static struct kernel *kernel;
static char store_path[256];

/* ---- the TPM ---- */

static const struct {
	enum imalog_alg alg;
	const char *evp;
	size_t size;
} machine_banks[MACHINE_BANKS] __attribute__((unused)) = {
	{ IMALOG_ALG_SHA1, "SHA1", 20 },
	{ IMALOG_ALG_SHA256, "SHA256", 32 },
};

TEST_FN void tpm_extend(size_t bank, const uint8_t *digest)
{
	size_t size = machine_banks[bank].size;
	uint8_t both[2 * IMALOG_DIGEST_MAX];

	memcpy(both, kernel->pcrs[bank], size);
	memcpy(both + size, digest, size);
	hash_of(machine_banks[bank].evp, span_of(both, 2 * size), kernel->pcrs[bank]);
}

/* ---- measuring ---- */

TEST_FN void append_record(struct imalog_span record, bool extends, struct imalog_span data)
{
	size_t number = kernel->nr;

	if (number == RECORDS_MAX || kernel->at[number] + record.size > BYTES_MAX)
		BAIL_OUT("the machine is full");
	memcpy(kernel->bytes + kernel->at[number], record.data, record.size);
	kernel->at[number + 1] = kernel->at[number] + record.size;
	kernel->nr++;
	kernel->current[kernel->nr_current++] = number;
	for (size_t b = 0; extends && b < MACHINE_BANKS; b++) {
		uint8_t digest[IMALOG_DIGEST_MAX];

		memset(digest, 0xff, sizeof(digest));
		if (data.size)
			hash_of(machine_banks[b].evp, data, digest);
		tpm_extend(b, digest);
	}
}

/* A record of template ima-ng; 0: a violation, all of which are the same */
TEST_FN void measure_as(uint8_t fill, bool extends)
{
	struct build record = { .order = IMALOG_ORDER_LE }, data = record;
	char name[32];

	snprintf(name, sizeof(name), "/bin/file-%u", fill);
	put_d_ng(&data, fill);
	put_name(&data, name);
	put_ng(&record, fill, name);
	kernel->violations += !fill;
	append_record(built(&record), extends, fill ? built(&data) : span_of(NULL, 0));
	build_free(&record);
	build_free(&data);
}

TEST_FN void measure(uint8_t fill)
{
	measure_as(fill, true);
}

/* A character for each record: V is a violation */
TEST_FN void measure_all(const char *text)
{
	for (; *text; text++)
		measure(*text == 'V' ? 0 : (uint8_t)*text);
}

/* ---- what users can do ---- */

TEST_FN int do_stage(void)
{
	if (kernel->nr_staged)
		return 2;
	if (kernel->nr_current == 0)
		return 0;
	memcpy(kernel->staged, kernel->current, sizeof(kernel->staged));
	kernel->nr_staged = kernel->nr_current;
	kernel->nr_current = 0;
	return 1;
}

TEST_FN void do_delete(void)
{
	kernel->nr_staged = 0;
}

/* "N" on the list, all or nothing; an errno */
TEST_FN int do_trim(size_t records)
{
	if (kernel->flush_htable || records == 0)
		return EINVAL;
	if (records > kernel->nr_current)
		return ENOENT;
	if (kernel->suspended)
		return ESTALE;
	kernel->nr_current -= records;
	memmove(kernel->current, kernel->current + records,
		kernel->nr_current * sizeof(*kernel->current));
	return 0;
}

TEST_FN struct bytes list_bytes(const size_t *list, size_t nr)
{
	struct bytes all = bytes_new(0);

	for (size_t i = 0; i < nr; i++) {
		size_t size = kernel->at[list[i] + 1] - kernel->at[list[i]];

		all.data = realloc(all.data, all.size + size + 1);
		if (!all.data)
			BAIL_OUT("no memory");
		memcpy(all.data + all.size, kernel->bytes + kernel->at[list[i]], size);
		all.size += size;
	}
	return all;
}

/* ---- boots ---- */

/* A kexec that takes the lists along, or loses them */
TEST_FN void do_kexec(bool carries)
{
	size_t both[RECORDS_MAX], nr = 0;

	for (size_t i = 0; i < kernel->nr_staged; i++)
		both[nr++] = kernel->staged[i];
	for (size_t i = 0; i < kernel->nr_current; i++)
		both[nr++] = kernel->current[i];
	kernel->nr_staged = kernel->nr_current = 0;
	if (carries) {
		memcpy(kernel->current, both, nr * sizeof(*both));
		kernel->nr_current = nr;
	}
	kernel->boot++;
	kernel->violations = 0;
	kernel->held = kernel->suspended = false;
	measure('b'); /* boot_aggregate: the same each time */
}

TEST_FN void do_cold_boot(void)
{
	kernel->nr = kernel->nr_staged = kernel->nr_current = 0;
	memset(kernel->pcrs, 0, sizeof(kernel->pcrs));
	kernel->boot++;
	kernel->violations = 0;
	kernel->resets++;
	kernel->held = kernel->suspended = false;
	measure('b');
}

/* ---- the world as the export sees it ---- */

/* So that a tracer can stop before and after what needs no system call here */
TEST_FN void mark(void)
{
	syscall(SYS_getppid);
}

static int fake_probe(const char *root, struct imalog_kernel_info *ret,
		      struct imalog_error *error)
{
	(void)root;
	(void)error;
	*ret = (struct imalog_kernel_info){ .securityfs = true,
					    .list = true,
					    .recent = true,
					    .stages = !kernel->cannot_stage,
					    .trims = !kernel->flush_htable,
					    .counted = true,
					    .flush_htable = kernel->flush_htable,
					    .no_htable = kernel->no_config ?
							 IMALOG_UNKNOWN :
							 IMALOG_NO,
					    .records = kernel->nr_current,
					    .violations = kernel->violations };
	snprintf(ret->release, sizeof(ret->release), "7.2.0-test");
	snprintf(ret->boot_id, sizeof(ret->boot_id), "boot-%u", kernel->boot);
	return 0;
}

static void fake_boot_id(const char *root, char ret[40])
{
	(void)root;
	snprintf(ret, 40, "boot-%u", kernel->boot);
}

static struct {
	struct bytes staged, current;
	bool whole;
	bool list;	 /* that is held, too */
	size_t nr_first; /* of the list, and no staging; 0: what is staged */
} hold;

static int fake_open(const char *root, bool staged, bool list, unsigned int wait_ms,
		     struct imalog_staging **ret, struct imalog_error *error)
{
	(void)root;
	(void)wait_ms;
	if (staged && kernel->cannot_stage)
		return imalog_fail_os(error, ENOENT, "cannot stage");
	hold.list = list;
	hold.nr_first = 0;
	if (kernel->before_open)
		kernel->before_open();
	mark();
	if (kernel->held)
		return imalog_fail_os(error, EBUSY, "held open by another test");
	kernel->held = true;
	mark();
	*ret = (struct imalog_staging *)&hold;
	return 0;
}

static int fake_stage(struct imalog_staging *staging, struct imalog_error *error)
{
	int rc;

	(void)staging;
	if (kernel->suspended && !kernel->nr_staged && kernel->nr_current)
		return imalog_fail_os(error, EACCES, "going down");
	mark();
	rc = do_stage();
	mark();
	hold.whole = false;
	if (kernel->after_stage)
		kernel->after_stage();
	return rc;
}

static int fake_first(struct imalog_staging *staging, uint64_t records, uint64_t *got,
		      struct imalog_error *error)
{
	(void)staging;
	if (!hold.list)
		return imalog_fail(error, IMALOG_ERR_INVALID, "", "the list is not held");
	hold.whole = false;
	hold.nr_first = 0;
	if (kernel->nr_staged)
		return 2;
	*got = hold.nr_first = records < kernel->nr_current ? records : kernel->nr_current;
	mark();
	if (kernel->after_stage)
		kernel->after_stage();
	return *got > 0;
}

static struct imalog_source *fake_source(struct imalog_staging *staging,
					 struct imalog_error *error)
{
	(void)staging;
	(void)error;
	bytes_free(&hold.staged);
	hold.staged = hold.nr_first ? list_bytes(kernel->current, hold.nr_first) :
				      list_bytes(kernel->staged, kernel->nr_staged);
	hold.whole = true;
	kernel->reads++;
	mark();
	return imalog_source_from_memory(hold.staged.data, hold.staged.size, "staged");
}

static struct imalog_source *fake_list(struct imalog_staging *staging,
				       struct imalog_error *error)
{
	(void)staging;
	(void)error;
	bytes_free(&hold.current);
	hold.current = list_bytes(kernel->current, kernel->nr_current);
	return imalog_source_from_memory(hold.current.data, hold.current.size, "list");
}

static int fake_discard(struct imalog_staging *staging, const struct imalog_receipt *receipt,
			struct imalog_error *error)
{
	uint8_t sum[32];
	int os_errno = kernel->discard_errno;

	(void)staging;
	hash_of("SHA256", span_of_bytes(hold.staged), sum);
	if (!hold.whole || imalog_receipt_state(receipt) != IMALOG_RECEIPT_DELETING ||
	    imalog_receipt_bytes(receipt) != hold.staged.size ||
	    (hold.nr_first && imalog_receipt_records(receipt) != hold.nr_first) ||
	    memcmp(imalog_receipt_sha256(receipt), sum, 32) != 0)
		return imalog_fail(error, IMALOG_ERR_INVALID, "",
				   "a receipt of something else");
	kernel->discard_errno = 0;
	if (kernel->suspended)
		os_errno = ESTALE;
	mark();
	if (hold.nr_first && !os_errno)
		os_errno = do_trim(hold.nr_first);
	else if (hold.nr_first && kernel->discards_all_the_same)
		do_trim(hold.nr_first);
	else if (!hold.nr_first && (!os_errno || kernel->discards_all_the_same))
		do_delete();
	mark();
	hold.whole = false;
	return os_errno ? imalog_fail_errno(error, os_errno, "cannot delete") : 0;
}

static void fake_close(struct imalog_staging **staging)
{
	if (!*staging)
		return;
	mark();
	kernel->held = false;
	mark();
	bytes_free(&hold.staged);
	bytes_free(&hold.current);
	*staging = NULL;
	if (kernel->after_close)
		kernel->after_close();
}

static int fake_open_list(const char *root, bool staged, unsigned int wait_ms, int *fd,
			  struct imalog_error *error)
{
	struct bytes bytes;

	(void)root;
	(void)wait_ms;
	if (kernel->before_list)
		kernel->before_list();
	if (kernel->held)
		return imalog_fail_os(error, EBUSY, "held open by another test");
	bytes = staged ? list_bytes(kernel->staged, kernel->nr_staged) :
			 list_bytes(kernel->current, kernel->nr_current);
	*fd = memfd_create("list", MFD_CLOEXEC);
	if (*fd < 0 || pwrite(*fd, bytes.data, bytes.size, 0) != (ssize_t)bytes.size) {
		int os_errno = errno;

		if (*fd >= 0)
			close(*fd);
		bytes_free(&bytes);
		return imalog_fail_errno(error, os_errno, "cannot open the list");
	}
	bytes_free(&bytes);
	return 0;
}

static int fake_read_tpm(const struct imalog_export *export, bool quote,
			 struct imalog_witness *ret, struct imalog_error *error)
{
	(void)export;
	(void)quote;
	*ret = (struct imalog_witness){ 0 };
	if (kernel->tpm_fails)
		return imalog_fail_tpm(error, 1, "the TPM is out of order");
	if (!kernel->has_tpm)
		return 0;
	ret->pcrs = imalog_pcrs_new();
	for (size_t b = 0; b < MACHINE_BANKS; b++)
		imalog_pcrs_set(ret->pcrs, machine_banks[b].alg, 10,
				span_of(kernel->pcrs[b], machine_banks[b].size), NULL);
	ret->has_clock = true;
	ret->clock.reset_count = kernel->resets;
	if (kernel->after_tpm)
		kernel->after_tpm();
	return 0;
}

static int fake_check_store(const char *path, struct imalog_error *error)
{
	(void)path;
	(void)error;
	return 0;
}

static int fake_check_dir(int fd, struct imalog_error *error)
{
	(void)fd;
	(void)error;
	return 0;
}

static const struct imalog_world fake_world __attribute__((unused)) = {
	.probe = fake_probe,
	.open = fake_open,
	.stage = fake_stage,
	.first = fake_first,
	.source = fake_source,
	.list = fake_list,
	.discard = fake_discard,
	.close = fake_close,
	.boot_id = fake_boot_id,
	.open_list = fake_open_list,
	.read_tpm = fake_read_tpm,
	.check_store = fake_check_store,
	.check_dir = fake_check_dir,
};

/* ---- the machine ---- */

TEST_FN void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char name[1024];
		struct stat st;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode))
			remove_tree(name);
		else
			unlink(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

TEST_FN void machine_free(void)
{
	remove_tree(store_path);
	*strrchr(store_path, '/') = '\0';
	rmdir(store_path);
}

/* Switches a new machine on, with an empty store that is not there yet. */
TEST_FN void machine_new(void)
{
	if (!kernel) {
		const char *base = getenv("TMPDIR");
		char template[] = "/dev/shm/imalog-test.XXXXXX", other[200];

		kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (kernel == MAP_FAILED)
			BAIL_OUT("no memory for a machine");
		/* Memory is quicker; what is tested is no disk. */
		snprintf(other, sizeof(other), "%s/imalog-test.XXXXXX",
			 base ? base : P_tmpdir);
		if (!mkdtemp(template) && !mkdtemp(other))
			BAIL_OUT("no directory for a store");
		snprintf(store_path, sizeof(store_path), "%s/store",
			 access(template, F_OK) == 0 ? template : other);
		atexit(machine_free);
	}
	remove_tree(store_path);
	memset(kernel, 0, sizeof(*kernel));
	kernel->has_tpm = true;
	kernel->resets = 7;
	kernel->boot = 1;
	measure('b');
}

/* ---- exporting ---- */

struct run {
	struct imalog_export *export;
	struct imalog_error *error;
	int rc;
};

TEST_FN struct run run_new(void)
{
	struct run run = { imalog_export_new("", store_path), imalog_error_new(), 0 };

	if (!run.export || !run.error)
		BAIL_OUT("no memory");
	run.export->world = &fake_world;
	return run;
}

TEST_FN void run_free(struct run *run)
{
	imalog_export_free(&run->export);
	imalog_error_free(&run->error);
}

TEST_FN struct run run_export(void)
{
	struct run run = run_new();

	run.rc = imalog_export_run(run.export, run.error);
	return run;
}

/* How many notes there are of a kind */
TEST_FN size_t run_notes(const struct run *run, enum imalog_note_kind wanted)
{
	enum imalog_note_kind kind;
	size_t count = 0;

	for (size_t i = 0; imalog_export_note(run->export, i, &kind); i++)
		count += kind == wanted;
	return count;
}

TEST_FN bool run_said(const struct run *run, const char *text)
{
	enum imalog_note_kind kind;
	const char *note;

	for (size_t i = 0; (note = imalog_export_note(run->export, i, &kind)); i++)
		if (strstr(note, text))
			return true;
	return false;
}

TEST_FN void run_show(const struct run *run)
{
	enum imalog_note_kind kind;
	const char *note;

	printf("# rc %d: %s %s\n", run->rc, run->rc < 0 ? imalog_error_source(run->error) : "",
	       run->rc < 0 ? imalog_error_detail(run->error) : "");
	for (size_t i = 0; (note = imalog_export_note(run->export, i, &kind)); i++)
		printf("# note %d: %s\n", kind, note);
}

/* Exports, which must do so many segments and say nothing bad. */
#define CHECK_EXPORT(segments)                                              \
	do {                                                                \
		struct run run_ = run_export();                             \
		if (!CHECK_INT(run_.rc, segments) ||                        \
		    !CHECK_INT(run_notes(&run_, IMALOG_NOTE_WRONG), 0) ||   \
		    !CHECK_INT(run_notes(&run_, IMALOG_NOTE_UNCHECKED), 0)) \
			run_show(&run_);                                    \
		run_free(&run_);                                            \
	} while (0)

#include "stored.h"

#endif /* TEST_MACHINE_H */
