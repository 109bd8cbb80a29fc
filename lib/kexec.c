// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Will a kexec carry this machine's list over?  (ima_kexec.c)
 *
 * When kexec_file_load() is called, the kernel sets aside as much as its lists take then, and
 * half a page or CONFIG_IMA_KEXEC_EXTRA_MEMORY_KB more, rounded up to pages.  That does not
 * grow.  If it is too small when the next kernel is started, the end of the list is cut off.
 *
 * How much it was is known, best first: from the kernel's own record (kexec_load), from its
 * table of buffers, or not less than what it was for the list that was there before the kernel
 * was loaded, if nothing but kexec_file_load() can have done that.  Where nothing tells, the
 * answer is not yes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export.h"
#include "kexec.h"

#define NOTES_MAX 16
/* kexec_execute is longer than kexec_load by its name, and by digits of its numbers. */
#define EXECUTE_MORE (3 + 3 * 10)
/* As long as kexec_execute can be: 'ima-buf', a digest of 64 bytes, three numbers of 20 digits */
#define EXECUTE_MAX 276

struct imalog_kexec {
	struct imalog_kexec_question question;
	struct imalog_kexec_kernel kernel;
	struct imalog_kexec_list list;
	bool prepared; /* in this boot */
	bool is_kept;  /* what was kept is still pending in the store: no export came since */
	struct imalog_boundary boundary;
	struct imalog_kexec_facts facts;
	struct imalog_note notes[NOTES_MAX];
	size_t nr_notes;
};

static void __attribute__((format(printf, 3, 4)))
say(struct imalog_kexec *kexec, enum imalog_note_kind kind, const char *format, ...)
{
	struct imalog_note *note = kexec->notes + kexec->nr_notes;
	va_list args;

	if (kexec->nr_notes == NOTES_MAX)
		return;
	kexec->nr_notes++;
	note->kind = kind;
	va_start(args, format);
	vsnprintf(note->text, sizeof(note->text), format, args);
	va_end(args);
}

/* ---- before it is loaded ---- */

/* What the kernel sets aside for so many bytes */
static uint64_t segment_for(const struct imalog_kexec_kernel *kernel, uint64_t counted,
			    uint64_t extra)
{
	/* A kernel that can delete counts two lists, each with a header. */
	uint64_t headers = (kernel->info.recent ? 2 : 1) * IMALOG_KEXEC_HEADER;

	return (counted + headers + extra + kernel->page - 1) / kernel->page * kernel->page;
}

static void judge_size(struct imalog_kexec *kexec)
{
	const struct imalog_kexec_facts *facts = &kexec->facts;
	uint64_t reserve = kexec->question.reserve, left;

	if (facts->needed > facts->segment) {
		say(kexec, IMALOG_NOTE_WRONG,
		    "the list takes %" PRIu64 " bytes, and there is room for %" PRIu64
		    ": the end of it would be lost",
		    facts->needed, facts->segment);
		return;
	}
	left = facts->segment - facts->needed;
	if (left < reserve)
		say(kexec, IMALOG_NOTE_WRONG,
		    "%" PRIu64 " bytes are left for what is measured yet, fewer than the "
		    "%" PRIu64 " that are wanted",
		    left, reserve);
}

static void judge_before(struct imalog_kexec *kexec)
{
	const struct imalog_kexec_kernel *kernel = &kexec->kernel;
	struct imalog_kexec_facts *facts = &kexec->facts;

	facts->segment = segment_for(kernel, kexec->list.counted, kernel->least);
	facts->segment_from = "estimate";
	if (kernel->carries != IMALOG_YES)
		return;
	if (kernel->disabled == IMALOG_YES && kernel->loaded != IMALOG_YES)
		say(kexec, IMALOG_NOTE_WRONG,
		    "this machine loads no other kernel: kexec_load_disabled is set");
	if (kernel->loaded == IMALOG_YES)
		say(kexec, IMALOG_NOTE_INFO,
		    "a kernel is loaded already: what it has room for, "
		    "'imalog kexec-prepare --check' says");
	if (kernel->memory && facts->segment > kernel->memory / 2)
		say(kexec, IMALOG_NOTE_WRONG,
		    "the list takes more than half of the memory, and so the kernel does not "
		    "carry it over");
	else
		judge_size(kexec);
	if (kernel->copy != IMALOG_KEXEC_COPY_AT_EXECUTE)
		say(kexec, IMALOG_NOTE_INFO,
		    "this kernel %s its list when the next one is loaded, and loses what is "
		    "measured from then on",
		    kernel->copy == IMALOG_KEXEC_COPY_AT_LOAD ? "copies" : "may copy");
}

/* ---- when it is loaded ---- */

static bool is_unchanged(const struct imalog_kexec *kexec)
{
	return kexec->prepared && kexec->list.bytes == kexec->boundary.bytes &&
	       memcmp(kexec->list.sha256, kexec->boundary.sha256, IMALOG_SHA256_SIZE) == 0;
}

/*
 * Nothing was taken out of the lists since the kexec was prepared, when no kernel was loaded:
 * whenever one was, the lists had at least that.
 */
static bool has_grown(const struct imalog_kexec *kexec)
{
	return kexec->prepared && kexec->boundary.unloaded &&
	       (!kexec->boundary.segment || (kexec->is_kept && kexec->list.prefix.found));
}

static void find_segment(struct imalog_kexec *kexec)
{
	const struct imalog_kexec_kernel *kernel = &kexec->kernel;
	struct imalog_kexec_facts *facts = &kexec->facts;

	if (kexec->list.segment) {
		facts->segment = kexec->list.segment;
		facts->segment_from = "kexec_load";
	}
	/* One that was loaded in the same boot before may have left a record. */
	if (kernel->segment && (!facts->segment || kernel->segment < facts->segment)) {
		facts->segment = kernel->segment;
		facts->segment_from = "vmallocinfo";
	}
	if (facts->segment || kernel->has_no_segment || !has_grown(kexec))
		return;
	/* If it was empty then, nothing tells what came and went since. */
	facts->segment = segment_for(
		kernel, kexec->boundary.segment ? kexec->boundary.counted : 0, kernel->least);
	facts->segment_from = "prepared";
}

/*
 * Would the record that another kernel was loaded be in the lists?  An export can have taken it
 * out: then there may be one more when that is started.
 */
static bool would_be_listed(const struct imalog_kexec *kexec)
{
	return kexec->list.has_boot || (kexec->boundary.segment && has_grown(kexec)) ||
	       kexec->kernel.copy == IMALOG_KEXEC_COPY_AT_LOAD;
}

static void judge_left(struct imalog_kexec *kexec)
{
	const struct imalog_kexec_facts *facts = &kexec->facts;
	uint64_t left = facts->segment - facts->needed;

	judge_size(kexec);
	if (kexec->list.segment || would_be_listed(kexec) || facts->needed > facts->segment)
		return;
	if (left < EXECUTE_MAX || left - EXECUTE_MAX < kexec->question.reserve)
		say(kexec, IMALOG_NOTE_UNCHECKED,
		    "%" PRIu64 " bytes are left, which may be too few for the record kexec_execute "
		    "of a kernel that measures critical data: load the kernel again",
		    left);
}

static void judge_loaded_segment(struct imalog_kexec *kexec)
{
	struct imalog_kexec_facts *facts = &kexec->facts;
	bool at_least;

	find_segment(kexec);
	at_least = strcmp(facts->segment_from, "prepared") == 0;
	if (kexec->kernel.has_no_segment)
		say(kexec, IMALOG_NOTE_WRONG,
		    "nothing is set aside for the list with the kernel that is loaded: it was not "
		    "loaded by kexec_file_load() ('kexec -s'), or the list was too large");
	else if (at_least && !kexec->kernel.file_only)
		say(kexec, IMALOG_NOTE_UNCHECKED,
		    "nothing tells whether the kernel was loaded by kexec_file_load() ('kexec "
		    "-s'): by kexec_load() the list is lost");
	else if (!facts->segment)
		say(kexec, IMALOG_NOTE_UNCHECKED,
		    "nothing tells how much room there is for the list: be root, prepare the "
		    "kexec before the kernel is loaded, or have critical data measured");
	else if (at_least && facts->needed + kexec->question.reserve > facts->segment)
		say(kexec, IMALOG_NOTE_UNCHECKED,
		    "the list takes %" PRIu64
		    " bytes, and it is not known whether there is room "
		    "for more than %" PRIu64 ": load the kernel again after 'imalog "
		    "kexec-prepare'",
		    facts->needed, facts->segment);
	else
		judge_left(kexec);
}

/* Only what was there when it was loaded goes over. */
static void judge_copy(struct imalog_kexec *kexec)
{
	enum imalog_kexec_copy copy = kexec->kernel.copy;
	const char *from = kexec->facts.segment_from;

	if (copy == IMALOG_KEXEC_COPY_AT_EXECUTE || strcmp(from, "kexec_load") == 0 ||
	    (has_grown(kexec) && is_unchanged(kexec)))
		return;
	say(kexec, IMALOG_NOTE_UNCHECKED,
	    "this kernel %s its list when the next one is loaded, and what was measured since is "
	    "lost: 'kexec -u', 'imalog kexec-prepare', and load it again",
	    copy == IMALOG_KEXEC_COPY_AT_LOAD ? "copies" : "may copy");
}

static void judge_loaded(struct imalog_kexec *kexec)
{
	if (kexec->kernel.loaded != IMALOG_YES) {
		say(kexec, IMALOG_NOTE_UNCHECKED,
		    kexec->kernel.loaded == IMALOG_NO ?
			    "no kernel is loaded, so there is nothing to check" :
			    "nothing tells whether a kernel is loaded");
		return;
	}
	judge_loaded_segment(kexec);
	judge_copy(kexec);
	if (!kexec->question.unchanged || is_unchanged(kexec))
		return;
	if (kexec->prepared)
		say(kexec, IMALOG_NOTE_WRONG,
		    "the list is not what was prepared: %" PRIu64 " records of %" PRIu64
		    " bytes, which were %" PRIu64 " of %" PRIu64,
		    kexec->list.records, kexec->list.bytes, kexec->boundary.records,
		    kexec->boundary.bytes);
	else
		say(kexec, IMALOG_NOTE_UNCHECKED,
		    "no kexec was prepared in this boot, so there is nothing to compare with");
}

/* ---- always ---- */

static void judge_kernel(struct imalog_kexec *kexec)
{
	const char *release = kexec->kernel.info.release;
	bool proved = kexec->list.segment || kexec->kernel.segment;

	if (kexec->kernel.carries == IMALOG_NO)
		say(kexec, IMALOG_NOTE_WRONG,
		    "the kernel %s carries no list over a kexec: it was built without "
		    "CONFIG_IMA_KEXEC",
		    release);
	else if (kexec->kernel.carries == IMALOG_UNKNOWN && !proved)
		say(kexec, IMALOG_NOTE_UNCHECKED,
		    "nothing tells whether the kernel %s carries its list over a kexec "
		    "(CONFIG_IMA_KEXEC)",
		    release);
}

static void judge_list(struct imalog_kexec *kexec)
{
	const struct imalog_kexec_list *list = &kexec->list;

	if (list->refused)
		say(kexec, IMALOG_NOTE_WRONG,
		    "record %" PRIu64
		    " has %s '%s', which no kernel takes over: it and all behind "
		    "it would be lost",
		    list->refused,
		    list->too_long ? "a template of the long name" : "the template",
		    list->refused_name);
	if (list->big_endian)
		say(kexec, IMALOG_NOTE_INFO,
		    "the list is big-endian: the next kernel must be, too, and have no "
		    "ima_canonical_fmt on its command line");
	else if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && list->records)
		say(kexec, IMALOG_NOTE_INFO,
		    "the list is in canonical format: the next kernel must have "
		    "ima_canonical_fmt on its command line");
}

/* ---- looking ---- */

static bool is_pending(int dir, const struct imalog_boundary *boundary)
{
	char epoch[32], segment[IMALOG_SEGMENT_NAME_MAX], path[96];

	imalog_epoch_name(boundary->epoch, epoch);
	imalog_segment_name(IMALOG_SEGMENT_PENDING, boundary->segment, segment);
	snprintf(path, sizeof(path), "%s/%s", epoch, segment);
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Without its lock: it appears whole, and what it says is of this boot, or of no use. */
static void look_at_boundary(struct imalog_kexec *kexec)
{
	const char *path = kexec->question.store;
	int dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (dir < 0)
		return;
	kexec->prepared = imalog_boundary_read(dir, &kexec->boundary, NULL) == 1 &&
			  kexec->boundary.boot_id[0] &&
			  strcmp(kexec->boundary.boot_id, kexec->kernel.info.boot_id) == 0;
	if (kexec->prepared && kexec->boundary.segment) {
		kexec->is_kept = is_pending(dir, &kexec->boundary);
		kexec->list.prefix.size = kexec->boundary.bytes;
		memcpy(kexec->list.prefix.sha256, kexec->boundary.sha256, IMALOG_SHA256_SIZE);
	}
	close(dir);
}

static void fill_facts(struct imalog_kexec *kexec)
{
	const struct imalog_kexec_list *list = &kexec->list;
	struct imalog_kexec_facts *facts = &kexec->facts;

	facts->records = list->records;
	facts->bytes = list->bytes;
	facts->needed = IMALOG_KEXEC_HEADER + list->bytes;
	/* It is measured when the next kernel is started, if the other one was. */
	if (list->segment)
		facts->needed += list->record + EXECUTE_MORE;
	facts->segment_from = "";
	facts->loaded = kexec->kernel.loaded;
	facts->prepared = kexec->prepared;
	if (!kexec->prepared)
		return;
	facts->epoch = kexec->boundary.epoch;
	facts->committed = kexec->boundary.committed;
	facts->kept = kexec->boundary.records;
	memcpy(facts->sha256, kexec->boundary.sha256, sizeof(facts->sha256));
}

/* The lists last: what is read here may be measured itself. */
static int look(struct imalog_kexec *kexec, struct imalog_error *error)
{
	const struct imalog_kexec_question *question = &kexec->question;
	int rc = imalog_kexec_look_at_kernel(question->root, &kexec->kernel, error);

	if (rc < 0)
		return rc;
	look_at_boundary(kexec);
	rc = imalog_kexec_look_at_lists(question->root, &kexec->kernel.info, question->wait_ms,
					&kexec->list, error);
	if (rc < 0)
		return rc;
	fill_facts(kexec);
	judge_kernel(kexec);
	if (question->loaded)
		judge_loaded(kexec);
	else
		judge_before(kexec);
	judge_list(kexec);
	return 0;
}

int imalog_kexec_look(const struct imalog_kexec_question *question, struct imalog_kexec **ret,
		      struct imalog_error *reterr)
{
	struct imalog_kexec *kexec = calloc(1, sizeof(*kexec));
	int rc;

	if (!kexec)
		return imalog_fail_nomem(reterr);
	kexec->question = *question;
	rc = look(kexec, reterr);
	/* What was asked belongs to the caller. */
	kexec->question.root = kexec->question.store = NULL;
	if (rc < 0)
		imalog_kexec_free(&kexec);
	else
		*ret = kexec;
	return rc;
}

void imalog_kexec_free(struct imalog_kexec **kexec)
{
	if (!kexec)
		return;
	free(*kexec);
	*kexec = NULL;
}

enum imalog_verdict imalog_kexec_verdict(const struct imalog_kexec *kexec)
{
	enum imalog_verdict verdict = IMALOG_MATCH;

	for (size_t i = 0; i < kexec->nr_notes; i++) {
		if (kexec->notes[i].kind == IMALOG_NOTE_WRONG)
			return IMALOG_MISMATCH;
		if (kexec->notes[i].kind == IMALOG_NOTE_UNCHECKED)
			verdict = IMALOG_NOT_CHECKED;
	}
	return verdict;
}

const char *imalog_kexec_note(const struct imalog_kexec *kexec, size_t i,
			      enum imalog_note_kind *kind)
{
	if (i >= kexec->nr_notes)
		return NULL;
	*kind = kexec->notes[i].kind;
	return kexec->notes[i].text;
}

void imalog_kexec_get(const struct imalog_kexec *kexec, struct imalog_kexec_facts *ret)
{
	*ret = kexec->facts;
}
