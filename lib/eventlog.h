/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records of the firmware's event log, as eventlog-reader.c gives them to eventlog.c. */
#ifndef IMALOG_EVENTLOG_H
#define IMALOG_EVENTLOG_H

#include "cursor.h"
#include "private.h"

/* A TPM has at most 16 banks (TPML_PCR_SELECTION). */
#define IMALOG_EVENT_ALGS 16
/* PCRs of a PC Client TPM */
#define IMALOG_EVENT_PCRS 24
/* Types of events that are more than a digest (PFP, 10.4.1) */
#define IMALOG_EV_NO_ACTION 0x3u
#define IMALOG_EV_EFI_HCRTM_EVENT 0x80000010u
/* The locality of an H-CRTM (TPM 2.0 Part 1, H-CRTM before TPM2_Startup()) */
#define IMALOG_HCRTM_LOCALITY 4

struct imalog_event {
	uint64_t number;
	uint64_t offset;
	uint32_t pcr; /* below IMALOG_EVENT_PCRS, unless of type IMALOG_EV_NO_ACTION */
	uint32_t type;
	struct imalog_span digests[IMALOG_EVENT_ALGS]; /* by algorithm; size 0: none */
	struct imalog_span data;
};

struct imalog_eventlog {
	struct imalog_cursor cursor;
	size_t size;
	bool agile;	  /* several banks, or SHA-1 alone */
	uint64_t records; /* read so far */
	size_t nr_algs;
	struct {
		uint16_t id;
		enum imalog_alg alg; /* IMALOG_ALG_NONE when it is not known */
		size_t size;
	} algs[IMALOG_EVENT_ALGS];
};

/* Tells the format; the header of a crypto-agile log is record 1, and is read already. */
int imalog_eventlog_open(struct imalog_eventlog *log, struct imalog_span data,
			 struct imalog_error *error);
/* 1 and the next record, 0 at the end, or a negative code. */
int imalog_eventlog_next(struct imalog_eventlog *log, struct imalog_event *event,
			 struct imalog_error *error);
/* Does an event begin with this name, NUL included? */
bool imalog_eventlog_is(struct imalog_span event, const char name[16]);
/*
 * The locality that PCR 0 starts as, if a record says it: one that is not measured, for those
 * behind it, or the event of an H-CRTM, for itself.  -1: it says nothing of that.
 */
int imalog_record_locality(const struct imalog_record *record);

#endif /* IMALOG_EVENTLOG_H */
