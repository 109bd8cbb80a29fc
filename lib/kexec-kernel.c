// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What this machine's kernel says of a kexec
 *
 *	/sys/kernel/kexec_loaded		is a kernel loaded?
 *	/proc/sys/kernel/kexec_load_disabled	can one be?
 *	/proc/kallsyms				what the kernel was built with
 *	/proc/vmallocinfo			how much it has set aside for the list
 *	/proc/meminfo				of how much
 *	.../security/lockdown			can one be loaded by kexec_load(2)?
 *
 * Since Linux 6.16, and in stable kernels before that, the list is copied when the next kernel
 * is started (ima_update_kexec_buffer()), to a buffer of the size that was found when it was
 * loaded.  Older ones copy it when it is loaded.  Which one this is, its symbols say.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kexec.h"

#define LOCKDOWN_PATH "sys/kernel/security/lockdown"

static FILE *open_file(const char *root, const char *path)
{
	int fd = imalog_root_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file && fd >= 0)
		close(fd);
	return file;
}

/* ---- small files ---- */

static enum imalog_answer read_flag(const char *root, const char *path)
{
	char line[16];

	if (!imalog_root_read_line(root, path, line, sizeof(line)))
		return IMALOG_UNKNOWN;
	return strcmp(line, "1") == 0 ? IMALOG_YES :
	       strcmp(line, "0") == 0 ? IMALOG_NO :
					IMALOG_UNKNOWN;
}

/*
 * Is kexec_load(2) not in the kernel, or locked?  What is no whole configuration says that of
 * kexec_file_load(2), too.  "none [integrity] confidentiality"
 */
static bool loads_files_only(const char *root, const char *release)
{
	char line[64];

	if (imalog_root_read_line(root, LOCKDOWN_PATH, line, sizeof(line)) &&
	    (strstr(line, "[integrity]") || strstr(line, "[confidentiality]")))
		return true;
	return imalog_kernel_option(root, release, "CONFIG_KEXEC_FILE") == IMALOG_YES &&
	       imalog_kernel_option(root, release, "CONFIG_KEXEC") == IMALOG_NO;
}

/* "MemTotal:         490616 kB": totalram_pages() */
static uint64_t read_memory(const char *root)
{
	static const char name[] = "MemTotal:";
	FILE *file = open_file(root, "proc/meminfo");
	uint64_t kilobytes = 0;
	char line[128];

	while (file && !kilobytes && fgets(line, sizeof(line), file)) {
		char *value = line + sizeof(name) - 1;

		if (strncmp(line, name, sizeof(name) - 1) != 0)
			continue;
		value += strspn(value, " ");
		value[strcspn(value, " ")] = '\0';
		if (!imalog_decimal_decode(imalog_span_of(value), UINT64_MAX / 1024,
					   &kilobytes))
			break;
	}
	if (file)
		fclose(file);
	return kilobytes * 1024;
}

/* ---- symbols ---- */

struct symbols {
	bool any, add_buffer, post_load;
};

/* "ffffffff81a3c0d0 T ima_add_kexec_buffer" */
static struct symbols read_symbols(const char *root)
{
	FILE *file = open_file(root, "proc/kallsyms");
	struct symbols found = { false };
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		char *name = strrchr(line, ' ');

		if (!name)
			continue;
		found.any = true;
		found.add_buffer |= strcmp(name, " ima_add_kexec_buffer\n") == 0;
		found.post_load |= strcmp(name, " ima_kexec_post_load\n") == 0;
	}
	if (file)
		fclose(file);
	return found;
}

/* Is it of this version or later? */
static bool is_since(const char *release, unsigned long major, unsigned long minor)
{
	char *end;
	unsigned long number = strtoul(release, &end, 10);

	if (end == release || *end != '.' || number != major)
		return end != release && number > major;
	return strtoul(end + 1, NULL, 10) >= minor;
}

static enum imalog_kexec_copy when_copied(const struct symbols *symbols, const char *release)
{
	if (symbols->post_load || is_since(release, 6, 16))
		return IMALOG_KEXEC_COPY_AT_EXECUTE;
	return symbols->add_buffer ? IMALOG_KEXEC_COPY_AT_LOAD : IMALOG_KEXEC_COPY_UNKNOWN;
}

/* ---- the buffer ---- */

/* Has a line of vmallocinfo this caller: " NAME+0x1b2/0x2c0 "? */
static bool is_called_by(const char *line, const char *const *names)
{
	for (; *names; names++) {
		const char *at = strstr(line, *names);
		size_t size = strlen(*names);

		if (at && at > line && at[-1] == ' ' && at[size] == '+')
			return true;
	}
	return false;
}

/*
 * "0xffffc90000049000-0xffffc9000004e000   20480 ima_add_kexec_buffer+0xe2/0x1d0 pages=4
 * vmalloc": a guard page is counted, too.  The buffer that is filled when the next kernel is
 * started, and where that is mapped; of two the smaller one counts.
 */
static void read_segment(const char *root, const struct symbols *symbols,
			 struct imalog_kexec_kernel *kernel)
{
	static const char *const names[] = { "ima_add_kexec_buffer",
					     "ima_alloc_kexec_file_buf", "kimage_map_segment",
					     NULL };
	FILE *file = open_file(root, "proc/vmallocinfo");
	bool named = false;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		bool called = is_called_by(line, names);
		char *number = strchr(line, ' ');
		uint64_t size;

		named |= strstr(line, "+0x") != NULL;
		if (!number || !called)
			continue;
		number += strspn(number, " ");
		number[strcspn(number, " ")] = '\0';
		if (!imalog_decimal_decode(imalog_span_of(number), UINT64_MAX, &size) ||
		    size <= kernel->page || size % kernel->page)
			continue;
		size -= kernel->page;
		if (!kernel->segment || size < kernel->segment)
			kernel->segment = size;
	}
	if (file)
		fclose(file);
	/* A function that is not there by its name can be part of another one. */
	kernel->has_no_segment = named && !kernel->segment && symbols->add_buffer &&
				 symbols->post_load;
}

/* ---- all of it ---- */

/*
 * CONFIG_IMA_KEXEC_EXTRA_MEMORY_KB of 0, and kernels without it, add half a page.  It came
 * with copying at the start of the next kernel, wherever that was taken over.
 */
static void find_extra(const char *root, struct imalog_kexec_kernel *kernel)
{
	const char *release = kernel->info.release;
	enum imalog_answer known;
	uint64_t kilobytes = 0;

	known = imalog_kernel_option_number(root, release, "CONFIG_IMA_KEXEC_EXTRA_MEMORY_KB",
					    &kilobytes);
	kernel->extra = kernel->least = kernel->page / 2;
	if (known == IMALOG_YES && kilobytes && kilobytes <= UINT32_MAX)
		kernel->extra = kernel->least = kilobytes * 1024;
	else if (known == IMALOG_UNKNOWN && kernel->least > 1024 &&
		 (is_since(release, 6, 15) || kernel->copy == IMALOG_KEXEC_COPY_AT_EXECUTE))
		kernel->least = 1024;
}

int imalog_kexec_look_at_kernel(const char *root, struct imalog_kexec_kernel *ret,
				struct imalog_error *error)
{
	struct imalog_kexec_kernel kernel = { .page = (uint64_t)sysconf(_SC_PAGESIZE) };
	int rc = imalog_kernel_probe(root, &kernel.info, error);
	struct symbols symbols;

	if (rc < 0)
		return rc;
	symbols = read_symbols(root);
	kernel.carries = symbols.add_buffer ? IMALOG_YES :
					      imalog_kernel_option(root, kernel.info.release,
								   "CONFIG_IMA_KEXEC");
	kernel.copy = when_copied(&symbols, kernel.info.release);
	/* Where it is moves to another directory. */
	kernel.loaded = read_flag(root, "sys/kernel/kexec_loaded");
	if (kernel.loaded == IMALOG_UNKNOWN)
		kernel.loaded = read_flag(root, "sys/kernel/kexec/loaded");
	kernel.disabled = read_flag(root, "proc/sys/kernel/kexec_load_disabled");
	kernel.file_only = loads_files_only(root, kernel.info.release);
	kernel.memory = read_memory(root);
	find_extra(root, &kernel);
	if (kernel.loaded == IMALOG_YES)
		read_segment(root, &symbols, &kernel);
	*ret = kernel;
	return 0;
}
