// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the files of imafs share.  Nothing here comes from lib/: the stand-in for the
 * kernel must not share the mistakes of what is tested with it.
 */
#ifndef IMAFS_H
#define IMAFS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define DIGEST_MAX  64
#define BANKS_MAX   5 /* SHA-1, which is always there, and four of the TPM */
#define PCRS	    24
#define KERNEL_PAGE 4096 /* what seq_file begins with, and the limit of a policy write */

#define KERNEL_VERSION(major, minor) ((major)*1000 + (minor))

/* ---- buf.c: bytes that grow, and errors that end the program ---- */

struct buf {
	uint8_t *data;
	size_t size, room;
};

void buf_put(struct buf *buf, const void *data, size_t size);
void buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buf_free(struct buf *buf);
void *xcalloc(size_t count, size_t size);
char *xstrdup(const char *text);
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- hash.c ---- */

struct alg {
	const char *name; /* as in the names of the files */
	uint16_t tpm;
	size_t size;
	const char *openssl; /* NULL: the kernel cannot compute it and pads SHA-1 with
				zeros */
};

const struct alg *alg_find(const char *name);
void hash(const struct alg *alg, const void *data, size_t size, uint8_t *digest);
bool hash_file(const struct alg *alg, const char *path, uint8_t *digest);

/* ---- tpm.c: PCRs, in a real TPM (swtpm), in memory, or none ---- */

struct bank {
	const struct alg *alg;
	bool in_tpm; /* SHA-1 has a list even when the TPM has no such bank */
	uint8_t pcrs[PCRS][DIGEST_MAX];
};

struct tpm {
	char *tcti; /* NULL: none; "sim": in memory */
	struct bank banks[BANKS_MAX];
	size_t nr_banks;
	int fd;		     /* -1: not connected */
	const char *trouble; /* what went wrong */
	bool changed;	     /* since sysfs was written */
};

bool tpm_present(const struct tpm *tpm);
bool tpm_in_memory(const struct tpm *tpm);
/* Commands connect; this is what ends it, and forgets the trouble. */
void tpm_end(struct tpm *tpm);
/* @digests: DIGEST_MAX bytes for each bank.  False when the TPM did not take them. */
bool tpm_extend(struct tpm *tpm, uint32_t pcr, const uint8_t *digests);
bool tpm_read(struct tpm *tpm, size_t bank, uint32_t pcr, uint8_t *digest);
void tpm_reset(struct tpm *tpm);

/* ---- record.c ---- */

struct record {
	uint32_t pcr;
	char *template; /* the column: a name, or the format itself */
	bool violation;
	bool bad; /* the lists show a digest that does not fit */
	size_t size;
	uint8_t *data;		       /* u32 length, bytes for each field, `ima` too */
	uint8_t digests[][DIGEST_MAX]; /* of each bank, as the lists show them */
};

/* What is measured, before it is a record. */
struct event {
	const char *name;
	const char *template; /* NULL: the kernel's own */
	bool violation;
	const struct alg *alg; /* of the file digest */
	uint8_t digest[DIGEST_MAX], sha1[DIGEST_MAX];
	const void *sig, *buf;
	size_t sig_size, buf_size;
};

struct record *record_new(const struct event *event, const struct tpm *tpm,
			  bool big_endian);
void record_free(struct record *record);
bool template_known(const char *name);
void record_binary(const struct record *record, const struct tpm *tpm, size_t bank,
		   bool big_endian, struct buf *out);
void record_ascii(const struct record *record, const struct tpm *tpm, size_t bank,
		  bool big_endian, struct buf *out);
/* What the kernel counts for a kexec: an ad-hoc format counts as no name. */
size_t record_counted_size(const struct record *record);

/* ---- list.c: the queue of records ---- */

struct list {
	struct record **records;
	size_t count, room;
};

struct table {
	struct record **slots;
	size_t count, room;
};

struct kernel {
	unsigned int version; /* KERNEL_VERSION() */
	bool staging, flush_htable, disable_htable, big_endian, critical;
	const struct alg *alg; /* ima_hash= */
	char template[256];
	uint32_t pcr;
	size_t kexec_extra;

	struct tpm tpm;
	struct list current, staged;
	struct list ever; /* since the TPM's reset: owns the records */
	struct table table;
	bool suspended;
	unsigned long violations;
	size_t full_count,
		full_size; /* of this kernel, carried, staged and deleted included */
	size_t segment;	   /* of a loaded kexec image, or 0 */

	unsigned int tpm_errors, bad_digests; /* for so many records to come */
	bool delete_nomem;		      /* for the next D */
};

int kernel_measure(struct kernel *kernel, const struct event *event);
int kernel_buffer(struct kernel *kernel, const char *name, const void *data, size_t size);
bool kernel_extend(struct kernel *kernel, uint32_t pcr, const char *text);
int kernel_request(struct kernel *kernel, const uint8_t *data, size_t size, bool staged);
void kernel_restart(struct kernel *kernel, struct list *carried);
void kernel_reset(struct kernel *kernel);
void kernel_carry(const struct kernel *kernel, size_t limit, struct list *carried);

/* ---- boot.c ---- */

void kernel_boot(struct kernel *kernel);
void kernel_suspend(struct kernel *kernel, bool kexec);
void kernel_kexec_load(struct kernel *kernel, size_t segment);
void kernel_kexec(struct kernel *kernel, size_t limit);

/* ---- seq.c: how seq_file reads ---- */

struct seq {
	uint8_t *data;
	size_t room, from, count;
	uint64_t index, read_pos;
};

/* Appends item @index to @out, or returns false behind the last one. */
typedef bool (*seq_show)(const void *list, uint64_t index, struct buf *out);

size_t seq_read(struct seq *seq, const void *list, seq_show show, uint64_t pos,
		uint8_t *out, size_t size);

/* ---- lock.c: who may open the lists ---- */

struct lock {
	long users;   /* readers, or -1 */
	pid_t writer; /* thread, 0: none */
	unsigned long extra;
	bool fixed; /* without the kernel's bug */
};

int lock_take(struct lock *lock, bool write, pid_t tid);
void lock_drop(struct lock *lock, bool write, pid_t tid);

/* ---- policy.c ---- */

struct policy {
	bool readable, writable, path_only, arch; /* how the kernel was configured */
	bool busy, failed, removed, loaded;
	bool rejects; /* what is closed next */
	char **rules, **pending;
	size_t nr_rules, nr_pending;
};

void policy_init(struct policy *policy);
int policy_write(struct policy *policy, struct kernel *kernel, const uint8_t *data,
		 size_t size);
void policy_commit(struct policy *policy);
bool policy_show(const void *policy, uint64_t index, struct buf *out);

struct imafs;

/* ---- tree.c: directories, links and files ---- */

enum kind {
	KIND_DIR,
	KIND_LINK,
	KIND_LIST,
	KIND_COUNT,
	KIND_VIOLATIONS,
	KIND_POLICY,
	KIND_BIOS,
};

struct node {
	char name[64];
	enum kind kind;
	mode_t mode;
	size_t parent; /* index; that of the root is its own */
	char target[64];
	size_t bank;
	bool ascii, staged;
};

struct tree {
	struct node nodes[10 + 6 * (BANKS_MAX + 1)];
	size_t count;
};

void tree_init(struct tree *tree, const struct imafs *fs);

/* ---- call.c: requests, one after the other ---- */

enum op {
	OP_OPEN,
	OP_READ,
	OP_WRITE,
	OP_FLUSH,
	OP_RELEASE
};

struct handle {
	unsigned int id;
	const struct node *node;
	int access; /* O_RDONLY, O_WRONLY, O_RDWR */
	pid_t closer;
	bool dead;     /* of a kernel that is no more */
	uint64_t next; /* where the kernel says that the position is */
	uint64_t skew; /* by how much it is too far */
	struct seq seq;
};

/* What /proc tells of a thread. */
struct task {
	pid_t tid, pid;
	unsigned int threads, children;
	uint64_t capabilities;
	bool killed;
	char comm[32];
};

struct call {
	struct call *next;
	void *req; /* fuse_req_t */
	enum op op;
	struct task task;
	const struct node *node;
	struct handle *handle;
	unsigned int id; /* of the handle, for the log */
	int access;
	uint64_t offset;
	size_t size;
	uint8_t *data;
	int result;  /* bytes or negative errno */
	bool done;   /* it has been carried out */
	bool failed; /* its result was ordered */
	bool resumed;
	uint64_t stalled_at; /* seconds */
};

struct imafs;

#define STALL_MAX 60 /* seconds */

void task_look(struct task *task, pid_t tid);
/* Carries out a call, with what was ordered for before and after it, and replies. */
void call_submit(struct imafs *fs, struct call *call);
void call_resume(struct imafs *fs);
/* Ends the stalled calls of killed processes. */
void call_reap(struct imafs *fs);
/* In file.c: carries it out.  Returns bytes or a negative errno. */
int file_call(struct imafs *fs, struct call *call);
void file_close(struct imafs *fs, struct handle *handle);
/* The kernel of all open files is no more. */
void file_orphan(struct imafs *fs);
/* In fuse.c */
void call_reply(struct imafs *fs, struct call *call);

/* ---- hook.c: what happens before and after a request ---- */

struct hook {
	struct hook *next;
	bool after;
	char op[16];
	char file[64]; /* pattern */
	unsigned long skip;
	size_t argc;
	char **argv;
};

enum hook_verdict {
	HOOK_GO,
	HOOK_STALL
};

const char *hook_add(struct imafs *fs, size_t argc, char **argv);
void hook_clear(struct imafs *fs);
enum hook_verdict hook_run(struct imafs *fs, struct call *call);

/* ---- control.c and commands.c ---- */

/* Runs a command.  Returns NULL, or what is wrong. */
const char *command_run(struct imafs *fs, size_t argc, char **argv, struct buf *reply);
int control_listen(const char *path);
void control_serve(struct imafs *fs, int listener);
int control_client(int argc, char **argv);

/* ---- machine.c: what is beside securityfs ---- */

struct machine {
	const char *dir;
	bool with_proc;
	const char *bios_log; /* path */
	struct buf bios;
	char *mounts[8];
	size_t nr_mounts;
};

char *path_in(const char *dir, const char *name);
void make_directories(const char *dir, const char *path);
bool machine_start(struct imafs *fs);
/* A new boot_id */
void machine_boot(struct imafs *fs);
/* The command line */
void machine_update(struct imafs *fs);
/* PCRs in sysfs */
const char *machine_sysfs(struct imafs *fs);
void machine_stop(struct imafs *fs);

/* ---- options.c ---- */

const char *parse_options(struct imafs *fs, int argc, char **argv);

/* ---- imafs.c and fuse.c ---- */

struct imafs {
	struct kernel kernel;
	struct lock lock;
	struct policy policy;
	struct tree tree;
	struct machine machine;
	struct call *stalled;
	struct hook *hooks;
	struct buf log;
	unsigned int nr_calls, nr_handles, nr_writers;
	struct handle *handles[256];
	size_t read_limit;
	long wrong_count; /* -1: the right one */
	unsigned int lifetime;
	bool foreground, quit;
	struct fuse_session *session;
};

struct fuse_session *fuse_start(struct imafs *fs, const char *mountpoint);
int fuse_fd(const struct imafs *fs);
void fuse_serve(struct imafs *fs);
void fuse_stop(struct imafs *fs);

#endif
