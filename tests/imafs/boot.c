// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first records of a kernel, and its last ones before a kexec (ima_init.c,
 * ima_kexec.c)
 */
#include <string.h>

#include "imafs.h"

static bool has_bank(const struct tpm *tpm, const struct alg *alg, size_t *bank)
{
	for (*bank = 0; *bank < tpm->nr_banks; ++*bank)
		if (tpm->banks[*bank].alg == alg && tpm->banks[*bank].in_tpm)
			return true;
	return false;
}

/* The hash over PCR 0 to 9, or to 7 for SHA-1. */
static void hash_pcrs(struct tpm *tpm, size_t bank, uint8_t *digest)
{
	const struct alg *alg = tpm->banks[bank].alg;
	uint8_t pcr[DIGEST_MAX];
	struct buf all = { 0 };

	for (uint32_t i = 0; i < (alg->tpm == 0x0004 ? 8 : 10); i++) {
		tpm_read(tpm, bank, i, pcr);
		buf_put(&all, pcr, alg->size);
	}
	hash(alg, all.data, all.size, digest);
	buf_free(&all);
}

static void measure_boot_aggregate(struct kernel *kernel)
{
	struct event event = { .name = "boot_aggregate", .alg = kernel->alg };
	const struct alg *choices[] = { kernel->alg, alg_find("sha256"),
					alg_find("sha1") };
	size_t bank;

	for (size_t i = 0; i < 3; i++) {
		if (has_bank(&kernel->tpm, choices[i], &bank)) {
			event.alg = choices[i];
			hash_pcrs(&kernel->tpm, bank, event.digest);
			break;
		}
	}
	if (has_bank(&kernel->tpm, alg_find("sha1"), &bank))
		hash_pcrs(&kernel->tpm, bank, event.sha1);
	kernel_measure(kernel, &event);
}

void kernel_boot(struct kernel *kernel)
{
	static const char version[] = "7.2.0-imafs";

	measure_boot_aggregate(kernel);
	if (kernel->critical)
		kernel_buffer(kernel, "kernel_version", version, strlen(version));
}

/* ---- kexec ---- */

static void measure_kexec(struct kernel *kernel, const char *name)
{
	struct buf text = { 0 };

	if (!kernel->critical)
		return;
	buf_printf(&text,
		   "kexec_segment_size=%zu;ima_binary_runtime_size=%zu;"
		   "ima_runtime_measurements_count=%zu;",
		   kernel->segment, kernel->full_size + 24, kernel->full_count);
	kernel_buffer(kernel, name, text.data, text.size);
	buf_free(&text);
}

static size_t counted_size(const struct list *list)
{
	size_t size = 24;

	for (size_t i = 0; i < list->count; i++)
		size += record_counted_size(list->records[i]);
	return size;
}

/* @segment: its size, or 0 for the one that the kernel chooses */
void kernel_kexec_load(struct kernel *kernel, size_t segment)
{
	size_t need = counted_size(&kernel->current) + counted_size(&kernel->staged) +
		      (kernel->kexec_extra ? kernel->kexec_extra : KERNEL_PAGE / 2);

	kernel->segment = (need + KERNEL_PAGE - 1) / KERNEL_PAGE * KERNEL_PAGE;
	if (segment)
		kernel->segment = segment;
	measure_kexec(kernel, "kexec_load");
}

void kernel_suspend(struct kernel *kernel, bool kexec)
{
	if (kexec && !kernel->suspended)
		measure_kexec(kernel, "kexec_execute");
	kernel->suspended = true;
}

/* @limit: how many records reach the new kernel, at most */
void kernel_kexec(struct kernel *kernel, size_t limit)
{
	struct list carried = { 0 };

	kernel_suspend(kernel, true);
	kernel_carry(kernel, limit, &carried);
	kernel_restart(kernel, &carried);
	kernel_boot(kernel);
}
