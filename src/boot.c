// SPDX-License-Identifier: GPL-2.0-or-later
/* boot_aggregate records: do they fit what the firmware measured? */
#include <string.h>

#include "boot.h"

#define EVENTLOG "/sys/kernel/security/tpm0/binary_bios_measurements"

static int read_eventlog(struct boot *boot, const char *path)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_span data = { NULL, 0 };
	char text[512];
	int rc = EXIT_UNABLE, n;

	boot->firmware = imalog_pcrs_new();
	if (error && boot->firmware) {
		rc = read_file(path, EVENTLOG_MAX, &data);
		n = rc == EXIT_YES ? imalog_eventlog_replay(data, boot->hasher, boot->firmware,
							    error) :
				     0;
		if (n < 0) {
			imalog_error_format(error, text, sizeof(text));
			complain("'%s': %s", path, text);
			rc = exit_code_of(n);
		}
	} else {
		complain("out of memory");
	}
	free((void *)data.data);
	imalog_error_free(&error);
	return rc;
}

/* Without values of PCRs, this machine's event log stands in for them. */
int boot_open(struct boot *boot, const struct options *options, bool live,
	      const struct compare *compare)
{
	char *path;
	int rc;

	if (!boot->wanted)
		return EXIT_YES;
	boot->hasher = imalog_hasher_new();
	if (!boot->hasher)
		return out_of_memory();
	if (boot->eventlog)
		return read_eventlog(boot, boot->eventlog);
	if (!live || compare_has_source(compare))
		return EXIT_YES;
	if (asprintf(&path, "%s" EVENTLOG, strcmp(options->root, "/") == 0 ? "" : options->root) < 0)
		return out_of_memory();
	rc = read_eventlog(boot, path);
	free(path);
	return rc;
}

void boot_close(struct boot *boot)
{
	imalog_pcrs_free(&boot->firmware);
	imalog_hasher_free(&boot->hasher);
}

static enum imalog_verdict check_with(struct boot *boot, const struct imalog_record *record,
				      const struct imalog_pcrs *pcrs)
{
	int rc = pcrs ? imalog_record_check_boot_aggregate(record, pcrs, boot->hasher, NULL) :
			IMALOG_NOT_CHECKED;

	return rc < 0 ? IMALOG_NOT_CHECKED : (enum imalog_verdict)rc;
}

void boot_begin(struct boot *boot)
{
	boot->nr = 0;
	boot->more = false;
}

void boot_check(struct boot *boot, const struct imalog_record *record,
		const struct compare *compare)
{
	const struct imalog_pcrs *sources[] = { boot->firmware, compare->live, compare->given,
						compare->demanded };
	enum imalog_verdict verdict = IMALOG_NOT_CHECKED;

	if (!boot->wanted)
		return;
	/* Whoever has values of its PCRs has a say: none may contradict it. */
	for (size_t i = 0; i < 4 && verdict != IMALOG_MISMATCH; i++) {
		enum imalog_verdict one = check_with(boot, record, sources[i]);

		if (one != IMALOG_NOT_CHECKED)
			verdict = one;
	}
	boot->more |= boot->nr == BOOT_MAX;
	if (boot->more)
		return;
	boot->records[boot->nr].record = imalog_record_number(record);
	boot->records[boot->nr].has_pcr = !imalog_record_is_nv(record);
	boot->records[boot->nr].pcr = imalog_record_pcr(record);
	boot->records[boot->nr].proved = false;
	boot->records[boot->nr++].verdict = verdict;
}

/* Does some value of the PCR hold? */
static bool is_held(const struct imalog_replay *replay, uint32_t pcr)
{
	for (size_t i = 0; i < imalog_replay_checks(replay); i++) {
		struct imalog_check check;

		imalog_replay_check(replay, i, &check);
		if (check.pcr == pcr && check.verdict == IMALOG_MATCH)
			return true;
	}
	return false;
}

void boot_settle(struct boot *boot, const struct imalog_replay *replay, uint64_t matched_at)
{
	for (size_t i = 0; i < boot->nr; i++)
		boot->records[i].proved = boot->records[i].has_pcr &&
					  boot->records[i].record <= matched_at &&
					  is_held(replay, boot->records[i].pcr);
}

/* What nothing proves is no reason to say yes; that it does not fit can be one to say no. */
enum imalog_verdict boot_verdict(const struct boot *boot, enum imalog_verdict verdict)
{
	size_t proved = 0;
	bool unchecked = boot->more;

	for (size_t i = 0; i < boot->nr; i++) {
		if (boot->records[i].has_pcr && boot->records[i].verdict == IMALOG_MISMATCH)
			return IMALOG_MISMATCH;
		if (!boot->records[i].proved)
			continue;
		proved++;
		unchecked |= boot->records[i].verdict == IMALOG_NOT_CHECKED;
	}
	if (verdict == IMALOG_MATCH && (unchecked || proved == 0))
		return IMALOG_NOT_CHECKED;
	return verdict;
}
