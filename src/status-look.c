// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog status: looks at kernel, store and TPM, and finds what is not as it should be. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "status.h"

void status_find(struct status *status, enum imalog_note_kind kind, const char *advice,
		 const char *format, ...)
{
	struct finding *findings = reallocarray(status->findings, status->nr_findings + 1,
						sizeof(*findings));
	va_list args;
	char *text;
	int size;

	va_start(args, format);
	size = findings ? vasprintf(&text, format, args) : -1;
	va_end(args);
	status->findings = findings ? findings : status->findings;
	/* Nothing that is wrong is ever left out in silence. */
	if (size < 0) {
		out_of_memory();
		exit(EXIT_UNABLE);
	}
	findings[status->nr_findings++] = (struct finding){ kind, text, advice };
}

void status_find_error(struct status *status, int rc)
{
	const char *advice = "be root";

	switch (imalog_error_os_errno(status->error)) {
	case EBUSY:
		advice = "wait until that program is done, or end it";
		break;
	case EACCES:
	case EPERM:
		break;
	default:
		advice = NULL;
	}
	if (rc == -IMALOG_ERR_INVALID || rc > -IMALOG_ERR_INVALID)
		status_find(status, IMALOG_NOTE_WRONG,
			    "'imalog store check' says what is wrong with the store",
			    "%s", imalog_error_detail(status->error));
	else
		status_find(status, IMALOG_NOTE_UNCHECKED, advice, "%s",
			    imalog_error_detail(status->error));
}

/* ---- the kernel ---- */

static bool offers(const struct status *status, enum imalog_feature feature)
{
	return status->kernel &&
	       imalog_kernel_offers(status->kernel, feature) == IMALOG_YES;
}

static void look_at_kernel(struct status *status)
{
	const char *root = status->options.root;
	int rc = imalog_kernel_look(root, &status->kernel, status->error);

	if (rc < 0) {
		status_find_error(status, rc);
		return;
	}
	if (!offers(status, IMALOG_FEATURE_SECURITYFS)) {
		status_find(status, IMALOG_NOTE_UNCHECKED,
			    "mount -t securityfs securityfs /sys/kernel/security",
			    "securityfs is not mounted");
		return;
	}
	if (!offers(status, IMALOG_FEATURE_LIST)) {
		status_find(
			status, IMALOG_NOTE_UNCHECKED,
			"boot a kernel with CONFIG_IMA, and a policy, such as ima_policy=tcb",
			"the kernel has no IMA: nothing is measured");
		return;
	}
	if (!offers(status, IMALOG_FEATURE_STAGING))
		status_find(status, IMALOG_NOTE_INFO, NULL, "%s",
			    offers(status, IMALOG_FEATURE_TRIM) ?
				    "the kernel cannot stage its list, but deletes its first "
				    "records, which is how it is exported" :
				    "the kernel cannot stage its list: it grows until the next "
				    "boot (that takes Linux 7.2 and CONFIG_IMA_STAGING)");
	status->counted = imalog_kernel_counts(status->kernel, &status->listed.records,
					       &status->violations);
	status->listed.known = status->counted;
	if (!imalog_list_holder(root, status->holder, sizeof(status->holder)))
		status->holder[0] = '\0';
}

/* ---- the store ---- */

/* What the numbers of the store are made from is not all there. */
static void find_unread(struct status *status, uint64_t segment, int rc)
{
	bool damaged = rc == -IMALOG_ERR_INVALID || rc > -IMALOG_ERR_INVALID ||
		       imalog_error_os_errno(status->error) == ENOENT;

	status->store.unread++;
	status_find(status, damaged ? IMALOG_NOTE_WRONG : IMALOG_NOTE_UNCHECKED,
		    damaged ? "'imalog store check' says what is wrong, 'imalog store rebuild' "
			      "makes receipts again" :
			      NULL,
		    "the receipt of segment %" PRIu64 " cannot be read: %s", segment,
		    imalog_error_detail(status->error));
}

static void look_at_segments(struct status *status, const struct imalog_epoch *epoch)
{
	struct status_store *store = &status->store;
	int rc;

	store->segments = imalog_epoch_segments(epoch);
	for (size_t i = 0; i < store->segments; i++) {
		struct imalog_receipt *receipt;
		uint64_t number;
		const char *kind = imalog_epoch_segment(epoch, i, &number);

		if (strcmp(kind, "pending") == 0 && !store->pending)
			store->pending = number;
		rc = imalog_epoch_receipt(epoch, i, &receipt, status->error);
		if (rc < 0) {
			/* The last pending one gets its receipt when all of it is there. */
			if (strcmp(kind, "pending") != 0 ||
			    imalog_error_os_errno(status->error) != ENOENT)
				find_unread(status, number, rc);
			store->newest[0] = '\0';
			continue;
		}
		if (strcmp(kind, "log") == 0)
			store->records += imalog_receipt_records(receipt);
		snprintf(store->newest, sizeof(store->newest), "%s",
			 imalog_receipt_time(receipt));
		imalog_receipt_free(&receipt);
	}
}

static void look_at_store(struct status *status)
{
	const struct config *config = &status->config;
	struct imalog_epoch *epoch;
	struct imalog_store *store;
	int rc = imalog_store_look(config->store, config->wait_ms, &store, status->error);

	if (rc < 0) {
		/* Else nothing was ever exported. */
		status->store.failed = imalog_error_os_errno(status->error) != ENOENT ||
				       access(config->store, F_OK) == 0;
		if (imalog_error_os_errno(status->error) == ENOENT && status->store.failed)
			status_find(status, IMALOG_NOTE_WRONG,
				    "'imalog store check' says what is wrong with the store",
				    "%s", imalog_error_detail(status->error));
		else if (status->store.failed)
			status_find_error(status, rc);
		return;
	}
	status->store.there = true;
	status->store.epochs = imalog_store_epochs(store);
	status->store.current = imalog_store_current(store);
	status->store.kept = imalog_store_kept(store);
	if (status->store.current) {
		rc = imalog_epoch_open(store, status->store.current, &epoch,
				       status->error);
		if (rc < 0) {
			status_find_error(status, rc);
		} else {
			look_at_segments(status, epoch);
			imalog_epoch_close(&epoch);
		}
	}
	imalog_store_close(&store);
}

/* ---- exports ---- */

/* Seconds since this machine was booted; 0: not known */
static uint64_t uptime(const struct status *status)
{
	unsigned long long seconds = 0;
	char *path;
	FILE *file;

	if (asprintf(&path, "%s/proc/uptime", status->options.root) < 0)
		return 0;
	file = fopen(path, "re");
	free(path);
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &seconds) != 1)
		seconds = 0;
	fclose(file);
	return seconds;
}

/* In seconds; 0: not known */
static uint64_t age_of(const char *time_text)
{
	struct tm tm = { 0 };
	time_t now = time(NULL), then;
	const char *end = strptime(time_text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	then = end && !*end ? timegm(&tm) : now;
	return then < now ? (uint64_t)(now - then) : 0;
}

/*
 * Is one of the thresholds far behind?  Twice as much, since nobody exports at the very moment;
 * halves do not overflow.
 */
static bool has_stopped(const struct status *status)
{
	const struct config *config = &status->config;
	const struct status_store *store = &status->store;
	uint64_t age = store->newest[0] ? age_of(store->newest) :
		       store->segments	? 0 :
					  uptime(status);

	if (config->min_records && status->listed.records / 2 >= config->min_records)
		return true;
	if (config->min_bytes && status->listed.bytes / 2 >= config->min_bytes)
		return true;
	return config->max_age && age / 2 >= config->max_age;
}

static void judge_exports(struct status *status)
{
	static const char advice[] = "'imalog export' saves and deletes them";
	uint64_t listed = status->listed.known ? status->listed.records : 0;
	const struct status_store *store = &status->store;

	if (store->pending && store->pending == store->kept)
		status_find(status, IMALOG_NOTE_INFO, NULL,
			    "segment %" PRIu64 " was saved for a kexec, and is what the kernel had "
			    "then: the next export finishes it",
			    store->pending);
	else if (status->staged.records)
		status_find(status, IMALOG_NOTE_WRONG, advice,
			    "%" PRIu64
			    " record%s staged, and nobody is at work: an export was "
			    "interrupted, or another program has staged the list",
			    status->staged.records,
			    status->staged.records == 1 ? " is" : "s are");
	else if (store->pending)
		status_find(status, IMALOG_NOTE_WRONG, "'imalog export' finishes it",
			    "segment %" PRIu64 " is pending: an export was interrupted",
			    store->pending);
	if (!listed || (!offers(status, IMALOG_FEATURE_STAGING) &&
			!offers(status, IMALOG_FEATURE_TRIM)))
		return;
	if (has_stopped(status))
		status_find(
			status, IMALOG_NOTE_WRONG,
			"'systemctl status imalog-export.timer', if that should do it; "
			"'imalog export' does it now",
			"exports have stopped: %" PRIu64
			" record%s wait%s, the last export "
			"was %s",
			listed, listed == 1 ? "" : "s", listed == 1 ? "s" : "",
			store->newest[0] ? store->newest :
			store->segments	 ? "at an unknown time" :
					   "never");
}

void status_look(struct status *status)
{
	look_at_kernel(status);
	look_at_store(status);
	if (!offers(status, IMALOG_FEATURE_LIST))
		return;
	if (!status->store.failed)
		status_look_at_log(status);
	judge_exports(status);
}
