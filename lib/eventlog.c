// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PCR values from the firmware's event log
 *
 * PCRs are extended with the digests as the log records them.  What they are digests of is
 * mostly not in the log, and nothing but the TPM tells whether they are the true ones.
 */
#include <stdlib.h>
#include <string.h>

#include "eventlog.h"

/* PCRs whose values every log tells: those of the boot aggregate */
#define PCRS_TOLD 10
/* Far beyond the few hundred KiB that firmware reserves */
#define LOG_MAX ((size_t)16 << 20)

struct bank {
	bool extended;
	uint8_t pcrs[IMALOG_EVENT_PCRS][IMALOG_DIGEST_MAX];
};

struct replay {
	struct imalog_eventlog log;
	struct imalog_hasher *hasher;
	uint64_t first_extend; /* number of the first record that extends a PCR */
	bool has_hcrtm;
	bool has_locality;
	uint8_t locality;
	bool touched[IMALOG_EVENT_PCRS];
	struct bank banks[IMALOG_EVENT_ALGS]; /* one for each of log.algs */
};

typedef int (*event_fn)(struct replay *replay, const struct imalog_event *event,
			struct imalog_error *error);

/* Calls @fn for each record that follows. */
static int each_event(struct replay *replay, event_fn fn, struct imalog_error *error)
{
	struct imalog_event event;
	int rc;

	while ((rc = imalog_eventlog_next(&replay->log, &event, error)) > 0) {
		rc = fn(replay, &event, error);
		if (rc < 0) {
			imalog_error_set_record(error, event.number, event.offset);
			break;
		}
	}
	return rc;
}

/* ---- first pass: what the log is about ---- */

/*
 * PCR 0 starts as the locality that TPM2_Startup came from, wherever in the log it is said
 * (PFP 10.4.5.3, Startup Locality Event).
 */
static int note_locality(struct replay *replay, struct imalog_span event,
			 struct imalog_error *error)
{
	uint8_t locality;

	if (event.size != 17)
		return imalog_fail(error, IMALOG_ERR_BAD_LENGTH, "StartupLocality",
				   "an event of %zu bytes, 17 are right", event.size);
	locality = event.data[16];
	if (locality > IMALOG_HCRTM_LOCALITY)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "StartupLocality",
				   "locality %u exceeds the largest possible one, %d",
				   locality, IMALOG_HCRTM_LOCALITY);
	if (replay->has_locality && locality != replay->locality)
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "StartupLocality",
				   "locality %u, but %u in an earlier record", locality,
				   replay->locality);
	replay->has_locality = true;
	replay->locality = locality;
	return 0;
}

/* Digests of a bank are in all records or in none: a bank with holes is none of a TPM. */
static int note_banks(struct replay *replay, const struct imalog_event *event,
		      struct imalog_error *error)
{
	for (size_t i = 0; i < replay->log.nr_algs; i++) {
		bool here = event->digests[i].size > 0;

		if (replay->first_extend && here != replay->banks[i].extended)
			return imalog_fail(
				error, IMALOG_ERR_BAD_VALUE, "digest",
				"there is %s of algorithm 0x%x, unlike in record %llu",
				here ? "one" : "none", replay->log.algs[i].id,
				(unsigned long long)replay->first_extend);
		replay->banks[i].extended = here;
	}
	if (!replay->first_extend)
		replay->first_extend = event->number;
	return 0;
}

static int note_event(struct replay *replay, const struct imalog_event *event,
		      struct imalog_error *error)
{
	if (event->type == IMALOG_EV_NO_ACTION && event->pcr == 0 &&
	    imalog_eventlog_is(event->data, "StartupLocality"))
		return note_locality(replay, event->data, error);
	if (event->type == IMALOG_EV_NO_ACTION)
		return 0;
	replay->touched[event->pcr] = true;
	replay->has_hcrtm |= event->type == IMALOG_EV_EFI_HCRTM_EVENT && event->pcr == 0;
	return note_banks(replay, event, error);
}

/* ---- second pass ---- */

/* After an H-CRTM, TPM2_Startup leaves PCR 0 alone, wherever it comes from. */
static void start_pcr0(struct replay *replay)
{
	for (size_t i = 0; i < replay->log.nr_algs; i++)
		if (replay->log.algs[i].alg)
			replay->banks[i].pcrs[0][replay->log.algs[i].size - 1] =
				replay->has_hcrtm ? IMALOG_HCRTM_LOCALITY : replay->locality;
}

static int extend_event(struct replay *replay, const struct imalog_event *event,
			struct imalog_error *error)
{
	if (event->type == IMALOG_EV_NO_ACTION)
		return 0;
	for (size_t i = 0; i < replay->log.nr_algs; i++) {
		enum imalog_alg alg = replay->log.algs[i].alg;
		int rc;

		if (!alg || !replay->banks[i].extended)
			continue;
		rc = imalog_hash_extend(replay->hasher, alg, replay->banks[i].pcrs[event->pcr],
					event->digests[i].data, error);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run(struct replay *replay, struct imalog_span data, struct imalog_error *error)
{
	struct imalog_eventlog start;
	int rc = imalog_eventlog_open(&replay->log, data, error);

	if (rc < 0)
		return rc;
	start = replay->log;
	rc = each_event(replay, note_event, error);
	if (rc < 0)
		return rc;
	start_pcr0(replay);
	replay->log = start;
	return each_event(replay, extend_event, error);
}

static int tell_bank(const struct replay *replay, size_t i, struct imalog_pcrs *out,
		     struct imalog_error *error)
{
	int rc = 0;

	for (uint32_t pcr = 0; rc == 0 && pcr < IMALOG_EVENT_PCRS; pcr++) {
		struct imalog_span value = { replay->banks[i].pcrs[pcr],
					     replay->log.algs[i].size };

		if (pcr < PCRS_TOLD || replay->touched[pcr])
			rc = imalog_pcrs_set(out, replay->log.algs[i].alg, pcr, value, error);
	}
	return rc;
}

int imalog_eventlog_replay(struct imalog_span data, struct imalog_hasher *hasher,
			   struct imalog_pcrs *out, struct imalog_error *reterr)
{
	struct replay *replay;
	int rc;

	if (data.size > LOG_MAX)
		return imalog_fail(
			reterr, IMALOG_ERR_LIMIT, "",
			"a firmware event log of %zu bytes exceeds the limit of %zu",
			data.size, LOG_MAX);
	replay = calloc(1, sizeof(*replay));
	if (!replay)
		return imalog_fail_nomem(reterr);
	replay->hasher = hasher;
	rc = run(replay, data, reterr);
	for (size_t i = 0; rc == 0 && i < replay->log.nr_algs; i++)
		if (replay->log.algs[i].alg && replay->banks[i].extended)
			rc = tell_bank(replay, i, out, reterr);
	if (rc == 0)
		rc = (int)replay->log.records;
	free(replay);
	return rc;
}
