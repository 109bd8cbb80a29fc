// SPDX-License-Identifier: GPL-2.0-or-later
/* What a program looks at beside securityfs: parts of /proc, the TPM's sysfs files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "imafs.h"

char *path_in(const char *dir, const char *name)
{
	struct buf path = { 0 };

	buf_put(&path, dir, strlen(dir));
	buf_put(&path, "/", 1);
	buf_put(&path, name, strlen(name) + 1);
	return (char *)path.data;
}

void make_directories(const char *dir, const char *path)
{
	const char *end = path;

	do {
		char part[256], *whole;

		end += strcspn(end, "/");
		snprintf(part, sizeof(part), "%.*s", (int)(end - path), path);
		whole = path_in(dir, part);
		if (mkdir(whole, 0755) != 0 && errno != EEXIST)
			die("'%s': %s", whole, strerror(errno));
		free(whole);
	} while (*end++);
}

static void write_file(const char *dir, const char *name, const struct buf *text)
{
	char *path = path_in(dir, name);
	FILE *file = fopen(path, "we");

	if (!file || fwrite(text->data, 1, text->size, file) != text->size ||
	    fclose(file) != 0)
		die("'%s': %s", path, strerror(errno));
	free(path);
}

/* ---- /proc ---- */

static const struct {
	const char *file,
		*own; /* its place, and what is mounted there over the real one */
} files[] = {
	{ "proc/cmdline", "imafs.cmdline" },
	{ "proc/sys/kernel/osrelease", "imafs.osrelease" },
	{ "proc/sys/kernel/random/boot_id", "imafs.boot_id" },
};

/* A file of /proc is written where it is, or behind the mount that shows it. */
static void write_proc(const struct machine *machine, size_t file, const struct buf *text)
{
	write_file(machine->dir, machine->with_proc ? files[file].own : files[file].file,
		   text);
}

void machine_update(struct imafs *fs)
{
	const struct kernel *kernel = &fs->kernel;
	struct buf text = { 0 };

	buf_printf(&text, "BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro ima_hash=%s%s\n",
		   kernel->alg->name, kernel->flush_htable ? " ima_flush_htable" : "");
	write_proc(&fs->machine, 0, &text);
	text.size = 0;
	buf_printf(&text, "%u.%u.0-imafs\n", kernel->version / 1000,
		   kernel->version % 1000);
	write_proc(&fs->machine, 1, &text);
	buf_free(&text);
}

void machine_boot(struct imafs *fs)
{
	FILE *file = fopen("/proc/sys/kernel/random/uuid", "re");
	struct buf text = { 0 };
	char uuid[64];

	if (!file || !fgets(uuid, sizeof(uuid), file))
		die("no random UUID");
	fclose(file);
	buf_printf(&text, "%s", uuid);
	write_proc(&fs->machine, 2, &text);
	buf_free(&text);
	machine_update(fs);
}

static bool add_mount(struct machine *machine, const char *source, const char *name,
		      const char *type, unsigned long flags)
{
	char *target = path_in(machine->dir, name);

	if (mount(source, target, type, flags, NULL) != 0) {
		free(target);
		return false;
	}
	machine->mounts[machine->nr_mounts++] = target;
	return true;
}

static bool mount_proc(struct machine *machine)
{
	bool ok = add_mount(machine, "proc", "proc", "proc",
			    MS_NOSUID | MS_NODEV | MS_NOEXEC);

	for (size_t i = 0; ok && i < sizeof(files) / sizeof(*files); i++) {
		char *own = path_in(machine->dir, files[i].own);

		ok = add_mount(machine, own, files[i].file, NULL, MS_BIND);
		free(own);
	}
	return ok;
}

/* ---- sysfs ---- */

static bool write_pcr(struct imafs *fs, size_t bank, uint32_t pcr)
{
	const struct alg *alg = fs->kernel.tpm.banks[bank].alg;
	uint8_t digest[DIGEST_MAX];
	struct buf text = { 0 };
	char name[64];

	if (!tpm_read(&fs->kernel.tpm, bank, pcr, digest))
		return false;
	for (size_t i = 0; i < alg->size; i++)
		buf_printf(&text, "%02X", digest[i]);
	buf_printf(&text, "\n");
	snprintf(name, sizeof(name), "sys/class/tpm/tpm0/pcr-%s/%u", alg->name, pcr);
	write_file(fs->machine.dir, name, &text);
	buf_free(&text);
	return true;
}

const char *machine_sysfs(struct imafs *fs)
{
	struct tpm *tpm = &fs->kernel.tpm;
	char name[64];

	for (size_t i = 0; i < tpm->nr_banks; i++) {
		if (!tpm->banks[i].in_tpm)
			continue;
		snprintf(name, sizeof(name), "sys/class/tpm/tpm0/pcr-%s",
			 tpm->banks[i].alg->name);
		make_directories(fs->machine.dir, name);
		for (uint32_t pcr = 0; pcr < PCRS; pcr++)
			if (!write_pcr(fs, i, pcr))
				return tpm->trouble;
	}
	tpm->changed = false;
	return NULL;
}

/* ---- start and end ---- */

static void load_bios_log(struct machine *machine)
{
	FILE *file = fopen(machine->bios_log, "re");
	char part[4096];
	size_t got;

	if (!file)
		die("'%s': %s", machine->bios_log, strerror(errno));
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		buf_put(&machine->bios, part, got);
	fclose(file);
}

/* Returns false when it cannot mount. */
bool machine_start(struct imafs *fs)
{
	struct machine *machine = &fs->machine;

	make_directories(machine->dir, "sys/kernel/security");
	make_directories(machine->dir,
			 machine->with_proc ? "proc" : "proc/sys/kernel/random");
	if (machine->bios_log)
		load_bios_log(machine);
	machine_boot(fs);
	if (tpm_in_memory(&fs->kernel.tpm))
		machine_sysfs(fs);
	return !machine->with_proc || mount_proc(machine);
}

void machine_stop(struct imafs *fs)
{
	struct machine *machine = &fs->machine;

	while (machine->nr_mounts) {
		char *target = machine->mounts[--machine->nr_mounts];

		umount2(target, MNT_DETACH);
		free(target);
	}
}
