/* SPDX-License-Identifier: GPL-2.0-or-later */
/* boot_aggregate records, as boot.c checks them for replay. */
#ifndef IMALOG_BOOT_H
#define IMALOG_BOOT_H

#include "cli.h"

/* Records of which is kept what became of them; each kexec adds one. */
#define BOOT_MAX 1000

/* What boot_aggregate records are checked against, and what came of it. */
struct boot {
	bool wanted;
	const char *eventlog;
	struct imalog_pcrs *firmware; /* values that the event log leads to, NULL without one */
	struct imalog_hasher *hasher;
	bool more; /* there were more than are kept */
	size_t nr;
	struct {
		uint64_t record;
		bool has_pcr; /* it extends one, and no NV index or RTMR */
		uint32_t pcr;
		enum imalog_verdict verdict; /* of what the record says */
		bool proved; /* values that were compared prove the record */
	} records[BOOT_MAX];
};

int boot_open(struct boot *boot, const struct options *options, bool live,
	      const struct compare *compare);
void boot_close(struct boot *boot);
/* Before a log is replayed */
void boot_begin(struct boot *boot);
void boot_check(struct boot *boot, const struct imalog_record *record,
		const struct compare *compare);
/*
 * Behind the last record: which of them do the values prove that hold after @matched_at?  0:
 * none do.
 */
void boot_settle(struct boot *boot, const struct imalog_replay *replay, uint64_t matched_at);
/* The verdict over the log, with that over its boot_aggregate records. */
enum imalog_verdict boot_verdict(const struct boot *boot, enum imalog_verdict verdict);

#endif /* IMALOG_BOOT_H */
