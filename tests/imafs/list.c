// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel's queue of records: measuring, staging, deleting (ima_queue.c)
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "imafs.h"

#define VIOLATION_PCR 10 /* CONFIG_IMA_MEASURE_PCR_IDX, whatever the rule says */
#define REQUEST_MAX   21

static void list_add(struct list *list, struct record *record)
{
	if (list->count == list->room) {
		list->room = list->room * 2 + 64;
		list->records =
			realloc(list->records, list->room * sizeof(*list->records));
		if (!list->records)
			die("no memory");
	}
	list->records[list->count++] = record;
}

static void list_empty(struct list *list)
{
	free(list->records);
	*list = (struct list){ 0 };
}

static void list_delete(struct list *list, size_t count)
{
	list->count -= count;
	memmove(list->records, list->records + count,
		list->count * sizeof(*list->records));
}

/* ---- the hash table of digests ---- */

static struct record **table_slot(const struct table *table, const struct record *record)
{
	uint64_t key;
	size_t i;

	memcpy(&key, record->digests[0], sizeof(key));
	for (i = (key ^ record->pcr) % table->room; table->slots[i];
	     i = (i + 1) % table->room)
		if (table->slots[i]->pcr == record->pcr &&
		    memcmp(table->slots[i]->digests[0], record->digests[0], DIGEST_MAX) ==
			    0)
			break;
	return &table->slots[i];
}

static void table_clear(struct table *table)
{
	free(table->slots);
	table->count = 0;
	table->room = 1024;
	table->slots = xcalloc(table->room, sizeof(struct record *));
}

static void table_grow(struct table *table)
{
	struct table larger = { .room = table->room * 4, .count = table->count };

	larger.slots = xcalloc(larger.room, sizeof(struct record *));
	for (size_t i = 0; i < table->room; i++)
		if (table->slots[i])
			*table_slot(&larger, table->slots[i]) = table->slots[i];
	free(table->slots);
	*table = larger;
}

/* Returns false when the digest is there already. */
static bool table_add(struct table *table, struct record *record)
{
	struct record **slot = table_slot(table, record);

	if (*slot)
		return false;
	*slot = record;
	if (++table->count > table->room / 2)
		table_grow(table);
	return true;
}

/* ---- measuring ---- */

/* What the TPM gets for a violation: ones, as long as the digest that the kernel has. */
static void ones(const struct tpm *tpm, uint8_t digests[][DIGEST_MAX])
{
	for (size_t i = 0; i < tpm->nr_banks; i++) {
		const struct alg *alg = tpm->banks[i].alg;

		memset(digests[i], 0, DIGEST_MAX);
		memset(digests[i], 0xff,
		       alg->openssl ? alg->size : alg_find("sha1")->size);
	}
}

static int extend_record(struct kernel *kernel, const struct record *record)
{
	uint8_t digests[BANKS_MAX][DIGEST_MAX];

	if (kernel->tpm_errors) {
		kernel->tpm_errors--;
		return 0;
	}
	memcpy(digests, record->digests, kernel->tpm.nr_banks * DIGEST_MAX);
	if (record->violation)
		ones(&kernel->tpm, digests);
	return tpm_extend(&kernel->tpm, record->pcr, digests[0]) ? 0 : -EIO;
}

static int add_record(struct kernel *kernel, struct record *record)
{
	record->pcr = record->violation ? VIOLATION_PCR : kernel->pcr;
	if (!record->violation && !kernel->disable_htable &&
	    !table_add(&kernel->table, record)) {
		record_free(record);
		return -EEXIST;
	}
	if (kernel->bad_digests) {
		kernel->bad_digests--;
		record->bad = true;
	}
	list_add(&kernel->current, record);
	list_add(&kernel->ever, record);
	kernel->full_count++;
	kernel->full_size += record_counted_size(record);
	return extend_record(kernel, record);
}

/* Returns 0, -EEXIST when it is known already, -ENODEV, -EIO when the TPM fails. */
int kernel_measure(struct kernel *kernel, const struct event *event)
{
	struct event full = *event;

	if (!full.template)
		full.template = kernel->template;
	kernel->violations += full.violation;
	if (kernel->suspended)
		return -ENODEV;
	return add_record(kernel, record_new(&full, &kernel->tpm, kernel->big_endian));
}

/* Critical data, keys, command lines: always ima-buf. */
int kernel_buffer(struct kernel *kernel, const char *name, const void *data, size_t size)
{
	struct event event = { .name = name,
			       .template = "ima-buf",
			       .alg = kernel->alg,
			       .buf = data,
			       .buf_size = size };

	hash(event.alg, data, size, event.digest);
	return kernel_measure(kernel, &event);
}

/* What somebody else extends, without a record. */
bool kernel_extend(struct kernel *kernel, uint32_t pcr, const char *text)
{
	uint8_t digests[BANKS_MAX][DIGEST_MAX];

	for (size_t i = 0; i < kernel->tpm.nr_banks; i++)
		hash(kernel->tpm.banks[i].alg, text, strlen(text), digests[i]);
	return tpm_extend(&kernel->tpm, pcr, digests[0]);
}

/* ---- A, D, N ---- */

static int stage(struct kernel *kernel)
{
	if (kernel->staged.count)
		return -EEXIST;
	if (!kernel->current.count)
		return -ENOENT;
	if (kernel->suspended)
		return -EACCES;
	list_empty(&kernel->staged);
	kernel->staged = kernel->current;
	kernel->current = (struct list){ 0 };
	return 0;
}

static int delete_staged(struct kernel *kernel)
{
	if (!kernel->staged.count)
		return -ENOENT;
	if (kernel->suspended)
		return -ESTALE;
	list_empty(&kernel->staged);
	if (kernel->delete_nomem) {
		kernel->delete_nomem = false;
		return -ENOMEM;
	}
	/* The whole table goes, with what was logged since A */
	if (kernel->flush_htable && !kernel->disable_htable)
		table_clear(&kernel->table);
	return 0;
}

static int delete_first(struct kernel *kernel, unsigned long count)
{
	if (count > kernel->current.count)
		return -ENOENT;
	if (kernel->suspended)
		return -ESTALE;
	list_delete(&kernel->current, count);
	return 0;
}

/* kstrtoul(text, 10): one plus, digits, one newline; too large comes before what follows.
 */
static int parse_number(const char *text, unsigned long *number)
{
	const char *digits;

	text += *text == '+';
	*number = 0;
	for (digits = text; *text >= '0' && *text <= '9'; text++) {
		unsigned long digit = (unsigned long)(*text - '0');

		if (*number > (ULONG_MAX - digit) / 10)
			return -ERANGE;
		*number = *number * 10 + digit;
	}
	if (text == digits)
		return -EINVAL;
	text += *text == '\n';
	return *text ? -EINVAL : 0;
}

/* A write to one of the lists.  Returns its size or a negative errno. */
int kernel_request(struct kernel *kernel, const uint8_t *data, size_t size, bool staged)
{
	char request[REQUEST_MAX];
	unsigned long number;
	int rc;

	if (size < 2 || size > sizeof(request) || data[size - 1] != '\n')
		return -EINVAL;
	memcpy(request, data, size);
	request[size - 1] = '\0';
	if (request[0] == 'A' || request[0] == 'D') {
		if (size != 2 || !staged)
			return -EINVAL;
		rc = request[0] == 'A' ? stage(kernel) : delete_staged(kernel);
	} else {
		if (staged || (kernel->flush_htable && !kernel->disable_htable))
			return -EINVAL;
		rc = parse_number(request, &number);
		if (rc == 0)
			rc = number ? delete_first(kernel, number) : -EINVAL;
	}
	return rc < 0 ? rc : (int)size;
}

/* ---- boot ---- */

/* A new kernel: what was carried over is in the list already. */
void kernel_restart(struct kernel *kernel, struct list *carried)
{
	list_empty(&kernel->current);
	list_empty(&kernel->staged);
	table_clear(&kernel->table);
	kernel->suspended = false;
	kernel->delete_nomem = false;
	kernel->violations = 0;
	kernel->segment = 0;
	kernel->full_count = 0;
	kernel->full_size = 0;
	kernel->current = *carried;
	for (size_t i = 0; i < carried->count; i++) {
		kernel->full_count++;
		kernel->full_size += record_counted_size(carried->records[i]);
	}
}

/* A cold boot: nothing is left, and the TPM begins anew. */
void kernel_reset(struct kernel *kernel)
{
	struct list none = { 0 };

	kernel_restart(kernel, &none);
	for (size_t i = 0; i < kernel->ever.count; i++)
		record_free(kernel->ever.records[i]);
	list_empty(&kernel->ever);
	tpm_reset(&kernel->tpm);
}

/*
 * The new list: what was staged, then the rest, until the segment is full or a record of
 * template `ima` comes, which the new kernel refuses to restore.
 */
void kernel_carry(const struct kernel *kernel, size_t limit, struct list *carried)
{
	const struct list *lists[] = { &kernel->staged, &kernel->current };
	size_t used = 24;
	struct buf binary = { 0 };

	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < lists[i]->count && carried->count < limit; k++) {
			struct record *record = lists[i]->records[k];

			binary.size = 0;
			record_binary(record, &kernel->tpm, 0, kernel->big_endian,
				      &binary);
			used += binary.size;
			if (strcmp(record->template, "ima") == 0 ||
			    (kernel->segment && used > kernel->segment))
				goto out;
			list_add(carried, record);
		}
	}
out:
	buf_free(&binary);
}
