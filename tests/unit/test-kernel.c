// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lib/kernel.c: PCR values from a tree of files as sysfs has it, below a prefix that nothing
 * leads out of.
 *
 * Linked with --wrap=imalog_hex_decode, so that values change between two readings.
 */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/* ---- a prefix ---- */

static char root[64];

static void make_root(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/imalog-sysfs.XXXXXX",
		 base && strlen(base) < 32 ? base : P_tmpdir);
	if (!mkdtemp(root))
		BAIL_OUT("cannot make '%s': %s", root, strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The two newest results are valid. */
static const char *below(const char *path)
{
	static char whole[2][256];
	static int turn;

	turn = !turn;
	snprintf(whole[turn], sizeof(whole[turn]), "%s/%s", root, path);
	return whole[turn];
}

/* A directory with those above it */
static void make_dir(const char *path)
{
	char part[128];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = part; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		mkdir(below(part), 0700);
	}
	mkdir(below(path), 0700);
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(below(path), "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		BAIL_OUT("cannot write '%s': %s", below(path), strerror(errno));
}

/* pcr-NAME with PCR N of all bytes N + @first, as the kernel writes it */
static void make_bank(const char *tpm, const char *name, size_t size, int first)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/pcr-%s", tpm, name);
	make_dir(path);
	for (int pcr = 0; pcr < 24; pcr++) {
		char text[2 * IMALOG_DIGEST_MAX + 2];

		for (size_t i = 0; i < size; i++)
			sprintf(text + 2 * i, "%02X", pcr + first);
		strcat(text, "\n");
		snprintf(path, sizeof(path), "%s/pcr-%s/%d", tpm, name, pcr);
		write_text(path, text);
	}
}

#define TPM "sys/class/tpm/tpm0"

static void make_banks(const char *tpm)
{
	make_root();
	make_bank(tpm, "sha1", 20, 1);
	make_bank(tpm, "sha256", 32, 101);
}

/* ---- reading ---- */

struct setup {
	struct imalog_pcrs *pcrs;
	struct imalog_error *error;
	int rc;
};

static struct setup read_below(const char *where)
{
	struct setup s = { imalog_pcrs_new(), imalog_error_new(), 0 };

	if (!s.pcrs || !s.error)
		BAIL_OUT("no memory");
	s.rc = imalog_sysfs_read_pcrs(where, s.pcrs, s.error);
	return s;
}

static void setup_free(struct setup *s)
{
	imalog_pcrs_free(&s->pcrs);
	imalog_error_free(&s->error);
}

/* openat2() is of Linux 5.6; valgrind and some sandboxes do not have it. */
#define SKIP_WITHOUT_OPENAT2(s)                                                    \
	do {                                                                       \
		if ((s)->rc < 0 && (imalog_error_os_errno((s)->error) == ENOSYS || \
				    imalog_error_os_errno((s)->error) == EPERM)) { \
			setup_free(s);                                             \
			remove_root();                                             \
			SKIP("no openat2() here");                                 \
		}                                                                  \
	} while (0)

static void check_banks(const struct setup *s)
{
	CHECK_INT(s->rc, 0);
	CHECK_INT(imalog_pcrs_count(s->pcrs), 48);
	for (int pcr = 0; pcr < 24; pcr++) {
		const uint8_t *sha1 = imalog_pcrs_get(s->pcrs, IMALOG_ALG_SHA1, (uint32_t)pcr);
		const uint8_t *sha256 =
			imalog_pcrs_get(s->pcrs, IMALOG_ALG_SHA256, (uint32_t)pcr);
		uint8_t should[32];

		if (!CHECK(sha1 && sha256))
			return;
		memset(should, pcr + 1, sizeof(should));
		CHECK_MEM(span_of(sha1, 20), span_of(should, 20));
		memset(should, pcr + 101, sizeof(should));
		CHECK_MEM(span_of(sha256, 32), span_of(should, 32));
	}
}

TEST(all_banks_of_a_prefix)
{
	struct setup s;

	make_banks(TPM);
	make_dir(TPM "/pcr-whirlpool"); /* not known */
	s = read_below(root);
	SKIP_WITHOUT_OPENAT2(&s);
	check_banks(&s);
	setup_free(&s);
	remove_root();
}

TEST(some_pcrs_alone)
{
	struct setup s;

	make_banks(TPM);
	for (int pcr = 0; pcr < 24; pcr++) {
		char path[64];

		snprintf(path, sizeof(path), TPM "/pcr-sha1/%d", pcr);
		unlink(below(path));
	}
	unlink(below(TPM "/pcr-sha256/10"));
	s = read_below(root);
	SKIP_WITHOUT_OPENAT2(&s);
	CHECK_INT(s.rc, 0);
	CHECK_INT(imalog_pcrs_count(s.pcrs), 23);
	CHECK(!imalog_pcrs_get(s.pcrs, IMALOG_ALG_SHA256, 10));
	setup_free(&s);
	remove_root();
}

/* ---- links ---- */

TEST(links_stay_in_the_prefix)
{
	static const char *const targets[] = {
		"../../devices/platform/tpm0", "/sys/devices/platform/tpm0",
		"../../../../../../../sys/devices/platform/tpm0"
	};

	make_banks("sys/devices/platform/tpm0");
	make_dir("sys/class/tpm");
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(targets); i++) {
		struct setup s;

		test_note("%s", targets[i]);
		unlink(below(TPM));
		REQUIRE(symlink(targets[i], below(TPM)) == 0);
		s = read_below(root);
		SKIP_WITHOUT_OPENAT2(&s);
		check_banks(&s);
		setup_free(&s);
	}
	remove_root();
}

TEST(a_link_out_of_the_prefix)
{
	struct setup s;

	make_banks("outside");
	make_dir("prefix/sys/class/tpm");
	REQUIRE(symlink(below("outside"), below("prefix/" TPM)) == 0);
	s = read_below(below("prefix"));
	SKIP_WITHOUT_OPENAT2(&s);
	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), ENOENT);
	setup_free(&s);
	unlink(below("prefix/" TPM));
	REQUIRE(symlink("../../../../outside", below("prefix/" TPM)) == 0);
	s = read_below(below("prefix"));
	CHECK_INT(imalog_error_os_errno(s.error), ENOENT);
	setup_free(&s);
	remove_root();
}

TEST(links_in_place_of_files)
{
	struct setup s;

	make_banks(TPM);
	unlink(below(TPM "/pcr-sha256/10"));
	REQUIRE(symlink("9", below(TPM "/pcr-sha256/10")) == 0);
	s = read_below(root);
	SKIP_WITHOUT_OPENAT2(&s);
	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), ELOOP);
	CHECK(strstr(imalog_error_detail(s.error), TPM "/pcr-sha256/10"));
	setup_free(&s);
	remove_root();
}

/* ---- what is wrong ---- */

TEST(no_such_files)
{
	struct setup s;

	make_root();
	s = read_below(root);
	SKIP_WITHOUT_OPENAT2(&s);
	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), ENOENT);
	CHECK(strstr(imalog_error_detail(s.error), TPM "'"));
	setup_free(&s);
	make_dir(TPM); /* a TPM 1.2, or an old kernel */
	s = read_below(root);
	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), ENOENT);
	CHECK(strstr(imalog_error_detail(s.error), TPM "/pcr-*'"));
	CHECK_INT(imalog_pcrs_count(s.pcrs), 0);
	setup_free(&s);
	s = read_below("no/such/prefix");
	CHECK_INT(imalog_error_os_errno(s.error), ENOENT);
	setup_free(&s);
	remove_root();
}

/* Whether it has a TPM or not: it is found, or what was looked for is said. */
TEST(this_machine)
{
	static const char *const roots[] = { "", "/" };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(roots); i++) {
		struct setup s = read_below(roots[i]);

		if (s.rc < 0)
			CHECK(strstr(imalog_error_detail(s.error), "'/" TPM));
		setup_free(&s);
	}
}

TEST(files_that_hold_no_value)
{
	static const char *const texts[] = { "",
					     "\n",
					     "00",
					     "not hexadecimal\n",
					     "0101010101010101010101010101010101010101\n\n",
					     "010101010101010101010101010101010101010\n",
					     "01010101010101010101010101010101010101010\n",
					     " 0101010101010101010101010101010101010101\n" };

	make_banks(TPM);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(texts); i++) {
		struct setup s;

		test_note("text %zu", i);
		write_text(TPM "/pcr-sha1/7", texts[i]);
		s = read_below(root);
		SKIP_WITHOUT_OPENAT2(&s);
		CHECK_INT(s.rc, -IMALOG_ERR_BAD_VALUE);
		CHECK(strstr(imalog_error_detail(s.error), TPM "/pcr-sha1/7"));
		CHECK_INT(imalog_pcrs_count(s.pcrs), 0);
		setup_free(&s);
	}
	remove_root();
}

TEST(a_long_file_and_a_pipe)
{
	struct setup s;
	FILE *file;

	make_banks(TPM);
	file = fopen(below(TPM "/pcr-sha1/7"), "w");
	REQUIRE(file);
	for (int i = 0; i < 1 << 20; i++)
		fputc('0', file);
	fclose(file);
	s = read_below(root);
	SKIP_WITHOUT_OPENAT2(&s);
	CHECK_INT(s.rc, -IMALOG_ERR_BAD_VALUE);
	setup_free(&s);
	unlink(below(TPM "/pcr-sha1/7"));
	REQUIRE(mkfifo(below(TPM "/pcr-sha1/7"), 0600) == 0);
	s = read_below(root); /* must not wait for a writer */
	CHECK_INT(s.rc, -IMALOG_ERR_BAD_VALUE);
	setup_free(&s);
	remove_root();
}

/* ---- others extend meanwhile ---- */

static struct {
	int values;  /* that were read */
	int changes; /* values that come out changed */
	int from;    /* the first of them */
} wrapped;

bool __real_imalog_hex_decode(struct imalog_span text, uint8_t *out);
bool __wrap_imalog_hex_decode(struct imalog_span text, uint8_t *out);

bool __wrap_imalog_hex_decode(struct imalog_span text, uint8_t *out)
{
	bool ok = __real_imalog_hex_decode(text, out);

	if (wrapped.values++ >= wrapped.from && wrapped.changes > 0) {
		wrapped.changes--;
		out[0] ^= (uint8_t)(0x80 | wrapped.values);
	}
	return ok;
}

TEST(a_pcr_that_changes_meanwhile)
{
	make_banks(TPM);
	for (int from = 0; from < 3 * 48; from++) {
		struct setup s;

		test_note("value %d", from);
		memset(&wrapped, 0, sizeof(wrapped));
		wrapped.from = from;
		wrapped.changes = 1;
		s = read_below(root);
		SKIP_WITHOUT_OPENAT2(&s);
		check_banks(&s);
		/* one reading that does not count, before or behind the one it is compared
		 * with */
		CHECK_INT(wrapped.values, from < 48 ? 3 * 48 : from < 96 ? 4 * 48 : 2 * 48);
		setup_free(&s);
	}
	remove_root();
}

TEST(pcrs_that_change_without_end)
{
	struct setup s;

	make_banks(TPM);
	memset(&wrapped, 0, sizeof(wrapped));
	wrapped.changes = 1 << 20;
	s = read_below(root);
	SKIP_WITHOUT_OPENAT2(&s);
	CHECK_INT(s.rc, -IMALOG_ERR_OS);
	CHECK_INT(imalog_error_os_errno(s.error), EAGAIN);
	CHECK_INT(imalog_pcrs_count(s.pcrs), 0);
	memset(&wrapped, 0, sizeof(wrapped));
	setup_free(&s);
	remove_root();
}

TEST_MAIN(CASE(all_banks_of_a_prefix), CASE(some_pcrs_alone), CASE(links_stay_in_the_prefix),
	  CASE(a_link_out_of_the_prefix), CASE(links_in_place_of_files), CASE(no_such_files),
	  CASE(this_machine), CASE(files_that_hold_no_value), CASE(a_long_file_and_a_pipe),
	  CASE(a_pcr_that_changes_meanwhile), CASE(pcrs_that_change_without_end))
