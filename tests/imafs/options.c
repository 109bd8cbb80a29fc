// SPDX-License-Identifier: GPL-2.0-or-later
/* Which kernel to imitate, on which machine. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "imafs.h"

static const char usage_text[] =
	"Usage: imafs [OPTION]... DIR\n"
	"       imafs ctl SOCKET COMMAND [ARG]...\n"
	"\n"
	"Mounts a stand-in for the kernel's IMA files on DIR/sys/kernel/security and\n"
	"serves it in the background. DIR/imafs.sock takes commands ('help' lists\n"
	"them), DIR/imafs.pid has the process.\n"
	"\n"
	"  --banks ALG,...      PCR banks (default: sha1,sha256)\n"
	"  --tcti TCTI          swtpm:path=SOCKET, swtpm:host=HOST,port=PORT, none, or\n"
	"                       sim (default): PCRs in memory\n"
	"  --kernel X.Y         version to imitate (default: 7.2)\n"
	"  --no-staging         without CONFIG_IMA_STAGING\n"
	"  --ima-hash ALG       of files (default: sha256)\n"
	"  --template NAME      or format (default: ima-ng)\n"
	"  --flush-htable       as booted with ima_flush_htable\n"
	"  --disable-htable     with CONFIG_IMA_DISABLE_HTABLE\n"
	"  --big-endian         as a big-endian machine without ima_canonical_fmt\n"
	"  --critical-data      measure critical data: kernel_version, kexec\n"
	"  --kexec-extra BYTES  CONFIG_IMA_KEXEC_EXTRA_MEMORY_KB * 1024\n"
	"  --no-read-policy     without CONFIG_IMA_READ_POLICY\n"
	"  --no-write-policy    without CONFIG_IMA_WRITE_POLICY\n"
	"  --appraise-policy    take policies by path only\n"
	"  --arch-policy        with a rule of the architecture\n"
	"  --lock-fixed         without the bug that leaves a reader behind\n"
	"  --bios-log FILE      content of tpm0/binary_bios_measurements\n"
	"  --proc               mount a procfs on DIR/proc, which else has files\n"
	"  --lifetime SECONDS   end then (default: 900)\n"
	"  --foreground         stay\n"
	"  --help               print this text\n";

enum {
	OPT_BANKS = 256,
	OPT_TCTI,
	OPT_KERNEL,
	OPT_NO_STAGING,
	OPT_IMA_HASH,
	OPT_TEMPLATE,
	OPT_FLUSH_HTABLE,
	OPT_DISABLE_HTABLE,
	OPT_BIG_ENDIAN,
	OPT_CRITICAL_DATA,
	OPT_KEXEC_EXTRA,
	OPT_NO_READ_POLICY,
	OPT_NO_WRITE_POLICY,
	OPT_APPRAISE_POLICY,
	OPT_ARCH_POLICY,
	OPT_LOCK_FIXED,
	OPT_BIOS_LOG,
	OPT_PROC,
	OPT_LIFETIME,
	OPT_FOREGROUND,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "banks", required_argument, NULL, OPT_BANKS },
	{ "tcti", required_argument, NULL, OPT_TCTI },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "no-staging", no_argument, NULL, OPT_NO_STAGING },
	{ "ima-hash", required_argument, NULL, OPT_IMA_HASH },
	{ "template", required_argument, NULL, OPT_TEMPLATE },
	{ "flush-htable", no_argument, NULL, OPT_FLUSH_HTABLE },
	{ "disable-htable", no_argument, NULL, OPT_DISABLE_HTABLE },
	{ "big-endian", no_argument, NULL, OPT_BIG_ENDIAN },
	{ "critical-data", no_argument, NULL, OPT_CRITICAL_DATA },
	{ "kexec-extra", required_argument, NULL, OPT_KEXEC_EXTRA },
	{ "no-read-policy", no_argument, NULL, OPT_NO_READ_POLICY },
	{ "no-write-policy", no_argument, NULL, OPT_NO_WRITE_POLICY },
	{ "appraise-policy", no_argument, NULL, OPT_APPRAISE_POLICY },
	{ "arch-policy", no_argument, NULL, OPT_ARCH_POLICY },
	{ "lock-fixed", no_argument, NULL, OPT_LOCK_FIXED },
	{ "bios-log", required_argument, NULL, OPT_BIOS_LOG },
	{ "proc", no_argument, NULL, OPT_PROC },
	{ "lifetime", required_argument, NULL, OPT_LIFETIME },
	{ "foreground", no_argument, NULL, OPT_FOREGROUND },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static const struct alg *need_alg(const char *name)
{
	const struct alg *alg = alg_find(name);

	if (!alg)
		die("no algorithm is called '%s'", name);
	return alg;
}

/* SHA-1 is the first list, with or without a bank. */
static void set_banks(struct tpm *tpm, const char *list)
{
	char *copy = xstrdup(list), *save = NULL;

	tpm->nr_banks = 1;
	tpm->banks[0] = (struct bank){ .alg = alg_find("sha1") };
	for (char *name = strtok_r(copy, ",", &save); name;
	     name = strtok_r(NULL, ",", &save)) {
		const struct alg *alg = need_alg(name);

		if (alg == tpm->banks[0].alg) {
			tpm->banks[0].in_tpm = true;
			continue;
		}
		if (tpm->nr_banks == BANKS_MAX)
			die("too many banks");
		tpm->banks[tpm->nr_banks++] = (struct bank){ .alg = alg, .in_tpm = true };
	}
	free(copy);
}

static void set_template(struct kernel *kernel, const char *name)
{
	if (!template_known(name) || strlen(name) >= sizeof(kernel->template))
		die("no template is called '%s'", name);
	memcpy(kernel->template, name, strlen(name) + 1);
}

static unsigned int parse_version(const char *text)
{
	unsigned int major, minor;

	if (sscanf(text, "%u.%u", &major, &minor) != 2)
		die("not a version: '%s'", text);
	return KERNEL_VERSION(major, minor);
}

static void set_flag(struct imafs *fs, int option)
{
	switch (option) {
	case OPT_NO_STAGING:
		fs->kernel.staging = false;
		break;
	case OPT_FLUSH_HTABLE:
		fs->kernel.flush_htable = true;
		break;
	case OPT_DISABLE_HTABLE:
		fs->kernel.disable_htable = true;
		break;
	case OPT_BIG_ENDIAN:
		fs->kernel.big_endian = true;
		break;
	case OPT_CRITICAL_DATA:
		fs->kernel.critical = true;
		break;
	case OPT_NO_READ_POLICY:
		fs->policy.readable = false;
		break;
	case OPT_NO_WRITE_POLICY:
		fs->policy.writable = false;
		break;
	case OPT_APPRAISE_POLICY:
		fs->policy.path_only = true;
		break;
	case OPT_ARCH_POLICY:
		fs->policy.arch = true;
		break;
	case OPT_LOCK_FIXED:
		fs->lock.fixed = true;
		break;
	case OPT_PROC:
		fs->machine.with_proc = true;
		break;
	case OPT_FOREGROUND:
		fs->foreground = true;
		break;
	default:
		die("try --help");
	}
}

static void set_option(struct imafs *fs, int option)
{
	switch (option) {
	case OPT_BANKS:
		set_banks(&fs->kernel.tpm, optarg);
		break;
	case OPT_TCTI:
		fs->kernel.tpm.tcti = strcmp(optarg, "none") == 0 ? NULL : optarg;
		break;
	case OPT_KERNEL:
		fs->kernel.version = parse_version(optarg);
		break;
	case OPT_IMA_HASH:
		fs->kernel.alg = need_alg(optarg);
		break;
	case OPT_TEMPLATE:
		set_template(&fs->kernel, optarg);
		break;
	case OPT_KEXEC_EXTRA:
		fs->kernel.kexec_extra = strtoul(optarg, NULL, 10);
		break;
	case OPT_BIOS_LOG:
		fs->machine.bios_log = optarg;
		break;
	case OPT_LIFETIME:
		fs->lifetime = (unsigned int)strtoul(optarg, NULL, 10);
		break;
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(0);
	default:
		set_flag(fs, option);
	}
}

const char *parse_options(struct imafs *fs, int argc, char **argv)
{
	static char sim[] = "sim";
	int option;

	fs->kernel.version = KERNEL_VERSION(7, 2);
	fs->kernel.staging = true;
	fs->kernel.alg = alg_find("sha256");
	fs->kernel.pcr = 10;
	fs->kernel.tpm.tcti = sim;
	fs->kernel.tpm.fd = -1;
	fs->policy.readable = fs->policy.writable = true;
	fs->wrong_count = -1;
	fs->lifetime = 900;
	set_banks(&fs->kernel.tpm, "sha1,sha256");
	set_template(&fs->kernel, "ima-ng");
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
		set_option(fs, option);
	if (optind != argc - 1)
		die("one directory is needed: try --help");
	if (!fs->kernel.tpm.tcti)
		set_banks(&fs->kernel.tpm, "");
	return argv[optind];
}
