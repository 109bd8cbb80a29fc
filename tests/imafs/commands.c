// SPDX-License-Identifier: GPL-2.0-or-later
/* What tests order through the control socket. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "imafs.h"

struct command {
	const char *name, *arguments;
	size_t min, max; /* arguments */
	const char *(*run)(struct imafs *fs, char **argv, size_t argc, struct buf *reply);
};

static bool parse_count(const char *text, unsigned long *count)
{
	char *end;

	*count = strtoul(text, &end, 10);
	return *text && !*end;
}

/* ---- measuring ---- */

static const char *run_measure(struct imafs *fs, char **argv, size_t argc,
			       struct buf *reply)
{
	char sig[65536];
	ssize_t size;
	int rc = 0;

	(void)reply;
	for (size_t i = 0; i < argc && rc != -EIO; i++) {
		struct event event = { .name = argv[i],
				       .alg = fs->kernel.alg,
				       .sig = sig };

		if (!hash_file(event.alg, argv[i], event.digest) ||
		    !hash_file(alg_find("sha1"), argv[i], event.sha1))
			return "cannot read the file";
		size = getxattr(argv[i], "security.ima", sig, sizeof(sig));
		event.sig_size = size > 0 ? (size_t)size : 0;
		rc = kernel_measure(&fs->kernel, &event);
	}
	return NULL;
}

/* A file that is not there: its content is its name. */
static int add_name(struct imafs *fs, const char *name)
{
	struct event event = { .name = name, .alg = fs->kernel.alg };

	hash(event.alg, name, strlen(name), event.digest);
	hash(alg_find("sha1"), name, strlen(name), event.sha1);
	return kernel_measure(&fs->kernel, &event);
}

static const char *run_add(struct imafs *fs, char **argv, size_t argc, struct buf *reply)
{
	int rc = 0;

	(void)reply;
	for (size_t i = 0; i < argc && rc != -EIO; i++)
		rc = add_name(fs, argv[i]);
	return NULL;
}

static const char *run_bulk(struct imafs *fs, char **argv, size_t argc, struct buf *reply)
{
	unsigned long count;
	char name[256];
	int rc = 0;

	(void)reply;
	if (!parse_count(argv[0], &count))
		return "not a number";
	for (unsigned long i = 1; i <= count && rc != -EIO; i++) {
		snprintf(name, sizeof(name), "%s%07lu", argc > 1 ? argv[1] : "/bulk/", i);
		rc = add_name(fs, name);
	}
	return NULL;
}

static const char *run_event(struct imafs *fs, char **argv, size_t argc,
			     struct buf *reply)
{
	(void)argc, (void)reply;
	kernel_buffer(&fs->kernel, argv[0], argv[1], strlen(argv[1]));
	return NULL;
}

static const char *run_event_hex(struct imafs *fs, char **argv, size_t argc,
				 struct buf *reply)
{
	struct buf data = { 0 };
	unsigned int byte;

	(void)argc, (void)reply;
	for (const char *hex = argv[1]; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		uint8_t value = (uint8_t)byte;

		buf_put(&data, &value, 1);
		if (!hex[1])
			break;
	}
	kernel_buffer(&fs->kernel, argv[0], data.data, data.size);
	buf_free(&data);
	return NULL;
}

static const char *run_event_size(struct imafs *fs, char **argv, size_t argc,
				  struct buf *reply)
{
	unsigned long size;
	uint8_t *data;

	(void)argc, (void)reply;
	if (!parse_count(argv[1], &size) || size > (16UL << 20))
		return "not a size";
	data = xcalloc(1, size + 1);
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i * 31 + i / 251);
	kernel_buffer(&fs->kernel, argv[0], data, size);
	free(data);
	return NULL;
}

static const char *run_violation(struct imafs *fs, char **argv, size_t argc,
				 struct buf *reply)
{
	struct event event = { .name = argv[0],
			       .alg = fs->kernel.alg,
			       .violation = true };
	unsigned long count = 1;
	int rc = 0;

	(void)reply;
	if (argc > 1 && !parse_count(argv[1], &count))
		return "not a number";
	while (count-- && rc != -EIO)
		rc = kernel_measure(&fs->kernel, &event);
	return NULL;
}

static const char *run_extend(struct imafs *fs, char **argv, size_t argc,
			      struct buf *reply)
{
	unsigned long pcr;

	(void)reply;
	if (!parse_count(argv[0], &pcr) || pcr >= PCRS)
		return "not a PCR";
	kernel_extend(&fs->kernel, (uint32_t)pcr, argc > 1 ? argv[1] : "foreign");
	return NULL;
}

/* ---- settings ---- */

/*
 * template NAME, pcr N, flush-htable, disable-htable, critical-data, lock-fixed, d-nomem
 * (for the next D) on|off, policy-rejects (what is closed next) on|off, tpm-errors N and
 * bad-digests N (of records to come), read-limit BYTES, count N|off (what
 * runtime_measurements_count says)
 */
static const char *run_set(struct imafs *fs, char **argv, size_t argc, struct buf *reply)
{
	const char *key = argv[0], *value = argv[1];
	struct kernel *kernel = &fs->kernel;
	unsigned long number = 0;
	bool numeric = parse_count(value, &number), on = strcmp(value, "on") == 0;

	(void)argc, (void)reply;
	if (strcmp(key, "template") == 0 && template_known(value) &&
	    strlen(value) < sizeof(kernel->template))
		memcpy(kernel->template, value, strlen(value) + 1);
	else if (strcmp(key, "pcr") == 0 && numeric)
		kernel->pcr = (uint32_t)number;
	else if (strcmp(key, "flush-htable") == 0)
		kernel->flush_htable = on;
	else if (strcmp(key, "disable-htable") == 0)
		kernel->disable_htable = on;
	else if (strcmp(key, "critical-data") == 0)
		kernel->critical = on;
	else if (strcmp(key, "lock-fixed") == 0)
		fs->lock.fixed = on;
	else if (strcmp(key, "d-nomem") == 0)
		kernel->delete_nomem = on;
	else if (strcmp(key, "policy-rejects") == 0)
		fs->policy.rejects = on;
	else if (strcmp(key, "tpm-errors") == 0 && numeric)
		kernel->tpm_errors = (unsigned int)number;
	else if (strcmp(key, "bad-digests") == 0 && numeric)
		kernel->bad_digests = (unsigned int)number;
	else if (strcmp(key, "read-limit") == 0 && numeric)
		fs->read_limit = number;
	else if (strcmp(key, "count") == 0)
		fs->wrong_count = numeric ? (long)number : -1;
	else
		return "no such setting, or no value for it";
	machine_update(fs);
	return NULL;
}

/* ---- reboot ---- */

static const char *run_suspend(struct imafs *fs, char **argv, size_t argc,
			       struct buf *reply)
{
	(void)argv, (void)reply;
	kernel_suspend(&fs->kernel, argc != 0);
	return NULL;
}

static const char *run_kexec_load(struct imafs *fs, char **argv, size_t argc,
				  struct buf *reply)
{
	unsigned long segment = 0;

	(void)reply;
	if (argc && !parse_count(argv[0], &segment))
		return "not a size";
	kernel_kexec_load(&fs->kernel, segment);
	return NULL;
}

static const char *run_kexec(struct imafs *fs, char **argv, size_t argc,
			     struct buf *reply)
{
	unsigned long limit = SIZE_MAX;

	(void)reply;
	if (argc && strcmp(argv[0], "lost") == 0)
		limit = 0;
	else if (argc == 2 && strcmp(argv[0], "cut") == 0 && parse_count(argv[1], &limit))
		;
	else if (argc && strcmp(argv[0], "carried") != 0)
		return "carried, lost or cut N is possible";
	file_orphan(fs);
	kernel_kexec(&fs->kernel, limit);
	machine_boot(fs);
	return NULL;
}

static const char *run_reboot(struct imafs *fs, char **argv, size_t argc,
			      struct buf *reply)
{
	(void)argv, (void)argc, (void)reply;
	file_orphan(fs);
	kernel_reset(&fs->kernel);
	kernel_boot(&fs->kernel);
	machine_boot(fs);
	return NULL;
}

/* ---- requests ---- */

static const char *run_at(struct imafs *fs, char **argv, size_t argc, struct buf *reply)
{
	(void)reply;
	return hook_add(fs, argc, argv);
}

static const char *run_clear(struct imafs *fs, char **argv, size_t argc,
			     struct buf *reply)
{
	(void)argv, (void)argc, (void)reply;
	hook_clear(fs);
	return NULL;
}

static const char *run_stalled(struct imafs *fs, char **argv, size_t argc,
			       struct buf *reply)
{
	static const char *const names[] = { "open", "read", "write", "flush",
					     "release" };

	(void)argv, (void)argc;
	for (const struct call *call = fs->stalled; call; call = call->next)
		buf_printf(reply, "tid=%d pid=%d %s %s %s\n", call->task.tid,
			   call->task.pid, call->done ? "after" : "before",
			   names[call->op], call->node->name);
	return NULL;
}

static const char *run_resume(struct imafs *fs, char **argv, size_t argc,
			      struct buf *reply)
{
	(void)argv, (void)argc, (void)reply;
	call_resume(fs);
	return NULL;
}

static const char *run_log(struct imafs *fs, char **argv, size_t argc, struct buf *reply)
{
	if (!argc)
		buf_put(reply, fs->log.data, fs->log.size);
	else if (strcmp(argv[0], "clear") == 0)
		buf_free(&fs->log);
	else
		return "only clear is possible";
	return NULL;
}

/* ---- looking ---- */

static const char *run_dump_all(struct imafs *fs, char **argv, size_t argc,
				struct buf *reply)
{
	const struct kernel *kernel = &fs->kernel;
	bool ascii = argc > 1 && strcmp(argv[1], "ascii") == 0;
	size_t bank = 0;

	if (argc) {
		while (bank < kernel->tpm.nr_banks &&
		       strcmp(kernel->tpm.banks[bank].alg->name, argv[0]) != 0)
			bank++;
		if (bank == kernel->tpm.nr_banks)
			return "no such bank";
	}
	for (size_t i = 0; i < kernel->ever.count; i++)
		(ascii ? record_ascii : record_binary)(kernel->ever.records[i],
						       &kernel->tpm, bank,
						       kernel->big_endian, reply);
	return NULL;
}

static const char *run_pcrs(struct imafs *fs, char **argv, size_t argc, struct buf *reply)
{
	struct tpm *tpm = &fs->kernel.tpm;
	uint8_t digest[DIGEST_MAX];
	unsigned long only = PCRS;

	if (argc && !parse_count(argv[0], &only))
		return "not a PCR";
	if (!tpm_present(tpm))
		return "there is no TPM";
	for (size_t i = 0; i < tpm->nr_banks; i++) {
		for (uint32_t pcr = 0; pcr < PCRS && tpm->banks[i].in_tpm; pcr++) {
			if (argc && pcr != only)
				continue;
			if (!tpm_read(tpm, i, pcr, digest))
				return tpm->trouble;
			buf_printf(reply, "%s:%u=", tpm->banks[i].alg->name, pcr);
			for (size_t k = 0; k < tpm->banks[i].alg->size; k++)
				buf_printf(reply, "%02x", digest[k]);
			buf_printf(reply, "\n");
		}
	}
	return NULL;
}

static const char *run_sysfs(struct imafs *fs, char **argv, size_t argc,
			     struct buf *reply)
{
	(void)argv, (void)argc, (void)reply;
	return machine_sysfs(fs);
}

static const char *run_stats(struct imafs *fs, char **argv, size_t argc,
			     struct buf *reply)
{
	const struct kernel *kernel = &fs->kernel;

	(void)argv, (void)argc;
	buf_printf(reply, "current=%zu\nstaged=%zu\never=%zu\nviolations=%lu\n",
		   kernel->current.count, kernel->staged.count, kernel->ever.count,
		   kernel->violations);
	buf_printf(
		reply,
		"suspended=%d\nusers=%ld\nwriter=%d\nextra=%lu\nwriters=%u\ncalls=%u\n",
		kernel->suspended, fs->lock.users, fs->lock.writer, fs->lock.extra,
		fs->nr_writers, fs->nr_calls);
	buf_printf(reply, "segment=%zu\nfull_count=%zu\nfull_size=%zu\nrules=%zu\n",
		   kernel->segment, kernel->full_count, kernel->full_size,
		   fs->policy.nr_rules);
	return NULL;
}

static const char *run_quit(struct imafs *fs, char **argv, size_t argc, struct buf *reply)
{
	(void)argv, (void)argc, (void)reply;
	fs->quit = true;
	return NULL;
}

static const struct command commands[] = {
	{ "measure", "FILE...", 1, SIZE_MAX, run_measure },
	{ "add", "NAME...", 1, SIZE_MAX, run_add },
	{ "bulk", "COUNT [PREFIX]", 1, 2, run_bulk },
	{ "event", "NAME TEXT", 2, 2, run_event },
	{ "event-hex", "NAME HEX", 2, 2, run_event_hex },
	{ "event-size", "NAME BYTES", 2, 2, run_event_size },
	{ "violation", "NAME [COUNT]", 1, 2, run_violation },
	{ "extend", "PCR [TEXT]", 1, 2, run_extend },
	{ "set", "KEY VALUE", 2, 2, run_set },
	{ "suspend", "[kexec]", 0, 1, run_suspend },
	{ "kexec-load", "[SEGMENT]", 0, 1, run_kexec_load },
	{ "kexec", "[carried|lost|cut N]", 0, 2, run_kexec },
	{ "reboot", "", 0, 0, run_reboot },
	{ "at", "before|after OP[:SKIP][@PATTERN] stall|kill|fail ERRNO|COMMAND [ARG]...",
	  3, SIZE_MAX, run_at },
	{ "clear", "", 0, 0, run_clear },
	{ "stalled", "", 0, 0, run_stalled },
	{ "resume", "", 0, 0, run_resume },
	{ "log", "[clear]", 0, 1, run_log },
	{ "dump-all", "[ALG [ascii]]", 0, 2, run_dump_all },
	{ "pcrs", "[PCR]", 0, 1, run_pcrs },
	{ "sysfs", "", 0, 0, run_sysfs },
	{ "stats", "", 0, 0, run_stats },
	{ "quit", "", 0, 0, run_quit },
};

/* A record that is known already, or comes too late, is no error; the TPM's are. */
static const char *run(struct imafs *fs, const struct command *command, size_t argc,
		       char **argv, struct buf *reply)
{
	struct tpm *tpm = &fs->kernel.tpm;
	const char *wrong;

	wrong = command->run(fs, argv, argc, reply);
	if (tpm->changed && tpm_in_memory(tpm))
		machine_sysfs(fs);
	wrong = wrong ? wrong : tpm->trouble;
	tpm_end(tpm);
	return wrong;
}

static void help(struct buf *reply)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		buf_printf(reply, "%s %s\n", commands[i].name, commands[i].arguments);
}

const char *command_run(struct imafs *fs, size_t argc, char **argv, struct buf *reply)
{
	if (argc && strcmp(argv[0], "help") == 0) {
		help(reply);
		return NULL;
	}
	for (size_t i = 0; argc && i < sizeof(commands) / sizeof(*commands); i++) {
		const struct command *command = &commands[i];

		if (strcmp(command->name, argv[0]) != 0)
			continue;
		if (argc - 1 < command->min || argc - 1 > command->max)
			return command->arguments;
		return run(fs, command, argc - 1, argv + 1, reply);
	}
	return "no such command";
}
