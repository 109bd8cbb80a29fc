/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prototypes and structures that the files of the library share, by the file that has them. */
#ifndef IMALOG_PRIVATE_H
#define IMALOG_PRIVATE_H

#include "cursor.h"

#define IMALOG_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline struct imalog_span imalog_span_of(const char *text)
{
	return (struct imalog_span){ (const uint8_t *)text, __builtin_strlen(text) };
}

static inline bool imalog_span_equal(struct imalog_span a, struct imalog_span b)
{
	return a.size == b.size && (a.size == 0 || __builtin_memcmp(a.data, b.data, a.size) == 0);
}

static inline enum imalog_order imalog_other_order(enum imalog_order order)
{
	return order == IMALOG_ORDER_BE ? IMALOG_ORDER_LE : IMALOG_ORDER_BE;
}

/* ---- error.c ---- */

/* Each sets the error, if there is one, and returns -code, so that a caller can return it. */
int imalog_fail(struct imalog_error *error, enum imalog_code code, const char *field,
		const char *detail, ...) __attribute__((format(printf, 4, 5)));
int imalog_fail_errno(struct imalog_error *error, int os_errno, const char *doing);
/* With a sentence of its own in place of what the system says of @os_errno */
int imalog_fail_os(struct imalog_error *error, int os_errno, const char *detail, ...)
	__attribute__((format(printf, 3, 4)));
/* @tpm_rc is 0 when it was not the TPM (or tpm2-tss) that gave a reason. */
int imalog_fail_tpm(struct imalog_error *error, uint32_t tpm_rc, const char *detail, ...)
	__attribute__((format(printf, 3, 4)));
int imalog_fail_nomem(struct imalog_error *error);
/* Says where the failure happened; the field and detail stay. */
void imalog_error_set_source(struct imalog_error *error, const char *source);
void imalog_error_set_record(struct imalog_error *error, uint64_t record, uint64_t offset);
void imalog_error_copy(struct imalog_error *to, const struct imalog_error *from);
/* Untrusted text for a message: printable ASCII, cut to a readable length. */
#define IMALOG_PRINTABLE_MAX 64
const char *imalog_printable(struct imalog_span text, char buf[IMALOG_PRINTABLE_MAX]);

/* ---- hash.c ---- */

#define IMALOG_JOB_SPANS 3

/* One digest to compute: the concatenation of the spans. */
struct imalog_hash_job {
	struct imalog_span spans[IMALOG_JOB_SPANS];
	size_t nr_spans;
};

/* What computes digests; another implementation is one more of these. */
struct imalog_hash_engine {
	const char *name;
	int (*open)(enum imalog_alg alg, void **ret, struct imalog_error *error);
	void (*close)(void *state);
	bool (*digest)(void *state, const struct imalog_hash_job *job, uint8_t *out);
};

/* Digests of @n jobs, each to its own @stride bytes of @out. */
int imalog_hash_batch(struct imalog_hasher *hasher, enum imalog_alg alg,
		      const struct imalog_hash_job *jobs, size_t n, uint8_t *out, size_t stride,
		      struct imalog_error *error);
int imalog_hash_one(struct imalog_hasher *hasher, enum imalog_alg alg,
		    const struct imalog_hash_job *job, uint8_t *out, struct imalog_error *error);
/* value := H(value || digest), both of the size of @alg (TPM 2.0 Part 1, 17.2) */
int imalog_hash_extend(struct imalog_hasher *hasher, enum imalog_alg alg, uint8_t *value,
		       const uint8_t *digest, struct imalog_error *error);

/* The digest of bytes that come in pieces. */
struct imalog_stream;

/* NULL with the error set on failure. */
struct imalog_stream *imalog_stream_new(enum imalog_alg alg, struct imalog_error *error);
void imalog_stream_free(struct imalog_stream **stream);
/* After a failure imalog_stream_digest() fails, too. */
void imalog_stream_add(struct imalog_stream *stream, const void *data, size_t size);
/* The digest of all that was added so far; more may follow. */
int imalog_stream_digest(struct imalog_stream *stream, uint8_t *out, struct imalog_error *error);

/* ---- source.c ---- */

/*
 * Memory in blocks that are let go of in the order of their use: whatever was stored for
 * record N is valid until imalog_arena_release(N), wherever later data goes.
 */
struct imalog_block {
	struct imalog_block *next;
	size_t size;
	size_t used;
	uint64_t last_record;
	uint8_t data[];
};

struct imalog_arena {
	struct imalog_block *oldest;
	struct imalog_block *newest;
	struct imalog_block *marked; /* the newest when the last record was marked */
	struct imalog_block *spare;
};

/* Room for @size bytes behind what the newest block holds, in a new block if need be. */
uint8_t *imalog_arena_room(struct imalog_arena *arena, size_t size);
/* Takes @size bytes of the room. */
void imalog_arena_take(struct imalog_arena *arena, size_t size);
void imalog_arena_mark(struct imalog_arena *arena, uint64_t record);
void imalog_arena_release(struct imalog_arena *arena, uint64_t upto);
void imalog_arena_free(struct imalog_arena *arena);

/* A view of a source that slides forward; bytes stay where they are until released. */
struct imalog_window {
	struct imalog_source *source;
	struct imalog_arena arena;
	size_t start;	 /* in arena.newest: first byte not consumed */
	uint64_t offset; /* of that byte in the source */
	bool ended;
};

/*
 * Makes at least @size bytes available if the source has them; memory grows with what was
 * really read.  Returns 0 or a negative code; fewer bytes are available only at the end.
 */
int imalog_window_need(struct imalog_window *window, size_t size, struct imalog_error *error);
struct imalog_span imalog_window_span(const struct imalog_window *window);
void imalog_window_advance(struct imalog_window *window, size_t size);
const char *imalog_source_name(const struct imalog_source *source);

/* ---- source.c: bytes that a function gives ---- */

/* Up to @room bytes; *@got is 0 only at the end.  Returns 0 or a negative code. */
struct imalog_source *imalog_source_from_call(int (*call)(void *arg, uint8_t *to, size_t room,
							  size_t *got,
							  struct imalog_error *error),
					      void *arg, const char *name);

/* ---- root.c: files of /sys and /proc below a root prefix ---- */

/*
 * Opens a path without a leading slash; -1 and errno.  Below a prefix other than "" and "/",
 * links lead to files of that prefix and never out of it.
 */
int imalog_root_open(const char *root, const char *path, int flags);
/* The first line of a small file, without its newline, cut to @size; false and errno. */
bool imalog_root_read_line(const char *root, const char *path, char *buf, size_t size);
/* "ROOT/PATH" for messages, printable and cut. */
#define IMALOG_ROOT_SHOWN 160
const char *imalog_root_show(const char *root, const char *path, char buf[IMALOG_ROOT_SHOWN]);

/* ---- durable.c ---- */

/* A file that appears under its name complete and durable, or not at all. */
struct imalog_durable {
	int dir; /* the caller's, open for reading */
	int fd;	 /* -1: not begun, or closed */
	bool named; /* the temporary file is there */
	char name[256];
	char temporary[32];
};

/* Makes a temporary file (mode 0600) beside @name, which is a name in @dir, not a path. */
int imalog_durable_begin(struct imalog_durable *file, int dir, const char *name,
			 struct imalog_error *error);
/* The same without a name, if it can be: for a commit that does not replace. */
int imalog_durable_begin_unnamed(struct imalog_durable *file, int dir, const char *name,
				 struct imalog_error *error);
int imalog_durable_write(struct imalog_durable *file, struct imalog_span bytes,
			 struct imalog_error *error);
/*
 * Brings it to the disk and gives it its name, instead of what has it if @replace.  Else a name
 * that is taken fails with EEXIST.  After a failure the file may be there, complete, but then
 * its name may be lost in a power cut.
 */
int imalog_durable_commit(struct imalog_durable *file, bool replace, struct imalog_error *error);
/* Takes back what was not committed; accepts what was never begun if fd is -1. */
void imalog_durable_discard(struct imalog_durable *file);
/* Renames within a directory, never replacing, and makes that durable. */
int imalog_durable_rename(int dir, const char *from, const char *to, struct imalog_error *error);
/* fsync of anything that is open; @what: "directory of log.1" */
int imalog_durable_sync(int fd, const char *what, struct imalog_error *error);
/* Of a directory and of those above it, as far as they can be opened, up to the mount point. */
int imalog_durable_sync_dirs(int dir, struct imalog_error *error);

/* ---- durable-fs.c ---- */

/*
 * Does the file system of an open file keep it over a power cut and a kexec?  Returns 0, or
 * -IMALOG_ERR_INVALID with a detail that says on what it is, and why not.
 */
int imalog_durable_check_fd(int fd, struct imalog_error *error);

/* ---- kernel-info.c ---- */

/* What this machine's kernel offers, and which boot this is; "" is what could not be told. */
struct imalog_kernel_info {
	bool securityfs;    /* something is mounted there */
	bool list;	    /* there is a measurement list */
	bool recent;	    /* Linux 7.2 or later: the list is writable */
	bool stages;	    /* A, D: CONFIG_IMA_STAGING */
	bool trims;	    /* N: recent, and no ima_flush_htable */
	bool flush_htable;  /* on the command line */
	/* It was built to log everything again (CONFIG_IMA_DISABLE_HTABLE) */
	enum imalog_answer no_htable;
	bool lists[IMALOG_ALG_COUNT]; /* binary_runtime_measurements_ALG */
	bool counted;	    /* records and violations are known */
	uint64_t records;   /* in the current list alone */
	uint64_t violations;
	char release[65];
	char boot_id[40];
};

/* Is it yes in the configuration of the kernel of this release? */
enum imalog_answer imalog_kernel_option(const char *root, const char *release,
					const char *option);
/* Its number; IMALOG_NO: the kernel has no such option */
enum imalog_answer imalog_kernel_option_number(const char *root, const char *release,
					       const char *option, uint64_t *ret);
/* Of this boot; "" when it cannot be told */
void imalog_kernel_boot_id(const char *root, char ret[40]);
/* Fails only for want of memory or with an error of the system that is not "not there". */
int imalog_kernel_probe(const char *root, struct imalog_kernel_info *ret,
			struct imalog_error *error);

/* ---- holder.c ---- */

/*
 * Who holds a measurement list open: "binary_runtime_measurements is held open by keylime_agent
 * (pid 812)".  False when no such process can be seen.
 */
bool imalog_holder_find(const char *root, char *buf, size_t size);
/* The same of the file that policies are written to */
bool imalog_holder_find_policy(const char *root, char *buf, size_t size);

/* ---- list.c ---- */

/* Where the kernel has its lists, below the root */
#define IMALOG_LIST_DIR "sys/kernel/security/ima"
#define IMALOG_LIST_NAME "binary_runtime_measurements"
#define IMALOG_STAGED_NAME "binary_runtime_measurements_staged"

/*
 * Opens one of these two, waiting up to @wait_ms milliseconds while others have a list open.
 * Fails with a sentence that says who they are, or what is missing.
 */
int imalog_list_open_as(const char *root, const char *name, int flags, unsigned int wait_ms,
			int *ret, struct imalog_error *error);

/* ---- staging.c ---- */

/* Has all that is staged been read under this hold?  Then its SHA-256, else NULL. */
const uint8_t *imalog_staging_sha256(const struct imalog_staging *staging);
void imalog_staging_set_records(struct imalog_staging *staging, uint64_t records);
const char *imalog_staging_root(const struct imalog_staging *staging);
/* The whole list, from its first byte, as it is now; only to be looked at */
struct imalog_source *imalog_staging_list(struct imalog_staging *staging,
					  struct imalog_error *error);

/*
 * As imalog_staging_open(), but with the list itself, if @list: then its first records can be
 * deleted; @staged is for kernels that can stage.
 */
int imalog_staging_open_files(const char *root, bool staged, bool list, unsigned int wait_ms,
			      struct imalog_staging **ret, struct imalog_error *error);
/*
 * From now on it is the first @records of the list that are read and deleted, or all when it
 * has fewer; *@got says how many.  1; 0 when the list is empty; 2 when something is staged,
 * which is older; or negative
 */
int imalog_staging_first(struct imalog_staging *staging, uint64_t records, uint64_t *got,
			 struct imalog_error *error);

/* ---- moment.c ---- */

/* Which of the lists of a boot is staged */
struct imalog_moment {
	bool known;
	uint64_t violations; /* of this boot, up to its end */
};

/* How many violations are in the list; 0, or negative */
/* Can every record come again?  Also when nothing tells. */
bool imalog_moment_repeats(const struct imalog_kernel_info *kernel);
int imalog_moment_count(struct imalog_source *list, const struct imalog_templates *templates,
			uint64_t *ret);
/* What the kernel has counted, without those */
struct imalog_moment imalog_moment_of(const struct imalog_kernel_info *kernel, uint64_t listed);
/*
 * Is what is staged now, @violations among it, what was staged then?  It is the same boot, and
 * they are the same bytes; the list was counted, then the kernel was probed.
 */
bool imalog_moment_same(const struct imalog_kernel_info *kernel,
			const struct imalog_moment *then, uint64_t listed, uint64_t violations);

/* ---- template.c ---- */

struct imalog_template {
	char name[IMALOG_NAME_MAX + 1];
	size_t name_size;
	bool known;
	size_t nr_fields;
	uint8_t fields[IMALOG_FIELDS_MAX];
};

struct imalog_field {
	enum imalog_field_id id;
	struct imalog_span data;
};

/* NULL when the name is neither built-in nor defined nor a list of fields (then in @adhoc). */
const struct imalog_template *imalog_templates_find(const struct imalog_templates *templates,
						    struct imalog_span name,
						    struct imalog_template *adhoc);
bool imalog_template_is_ima(struct imalog_span name);
/* Splits template data into the fields of @template; they must fill it exactly. */
int imalog_template_parse(const struct imalog_template *template, struct imalog_span data,
			  enum imalog_order order, struct imalog_field *fields,
			  struct imalog_error *error);
/* Copies template data, turning lengths and integers to the other byte order. */
void imalog_template_swap(const struct imalog_record *record, uint8_t *out);

/* ---- record.c ---- */

#define IMALOG_RECORD_DIGESTS 8
/* d[20] || name, zero-padded to this (IMA_EVENT_NAME_LEN_MAX + 1) in the digest of `ima` */
#define IMALOG_IMA_NAME_SIZE 256

struct imalog_recorded_digest {
	enum imalog_alg alg;
	struct imalog_span span;
};

/* What only records of TLV lists have; all zeros for the others. */
struct imalog_record_cel {
	enum imalog_index kind; /* 0: a PCR */
	bool has_recnum;
	uint64_t recnum;
	uint8_t recnum_size; /* bytes in CEL-TLV; 0: it is another encoding */
	uint8_t index_size;
	uint8_t type; /* of the content; 0: ima_template */
	bool unmeasured;
	bool incomplete; /* digests of algorithms that are not known were left out */
	bool has_mapped;
	uint32_t mapped; /* PCR that an RTMR stands for (systemd) */
	uint8_t head[5]; /* type and size of a content TLV, where the digest covers them */
};

struct imalog_record {
	struct imalog_record *next;
	uint64_t number;
	uint64_t offset;
	uint32_t index; /* PCR number or NV index */
	bool is_nv;	/* or an RTMR: no PCR */
	bool violation;
	enum imalog_format format; /* that it was read from */
	enum imalog_content content;
	enum imalog_fit fit;
	enum imalog_order order;
	enum imalog_order hash_order;
	struct imalog_span raw;
	struct imalog_span template_name;
	struct imalog_span data;
	size_t nr_digests;
	struct imalog_recorded_digest digests[IMALOG_RECORD_DIGESTS];
	size_t nr_fields;
	struct imalog_field fields[IMALOG_FIELDS_MAX];
	struct imalog_record_cel cel;
};

/* How the records of a kernel list are laid out. */
struct imalog_layout {
	enum imalog_order order;
	size_t digest_size;
	enum imalog_alg digest_alg;
	bool proved;
};

/*
 * Parses the record at the start of @bytes.  Returns 1 and *@size, or 0 when @bytes end too
 * early: *@size is then how many are needed to get on and *@part what would come next, or a
 * negative code.
 */
int imalog_kernel_parse(struct imalog_span bytes, const struct imalog_layout *layout,
			const struct imalog_templates *templates, struct imalog_record *record,
			size_t *size, const char **part, struct imalog_error *error);
/* Takes template data apart, which must be exactly that of the record's template. */
int imalog_record_parse_data(struct imalog_record *record,
			     const struct imalog_templates *templates,
			     struct imalog_error *error);
bool imalog_all_zero(struct imalog_span span);
/* Does a PCR change with it? */
bool imalog_record_extends_pcr(const struct imalog_record *record);

/* ---- reader.c ---- */

struct imalog_eventlog;

struct imalog_reader {
	struct imalog_source *source;
	const struct imalog_templates *templates;
	struct imalog_window window;
	struct imalog_arena rebuilt; /* bytes that are not in the input as they are */
	uint64_t join_waste;	     /* by lines of an ascii list that fit with no others */
	struct imalog_hasher *hasher; /* made when first needed */
	const struct imalog_format_ops *ops;
	struct imalog_layout layout;
	enum imalog_format forced_format;
	enum imalog_order forced_order;
	size_t forced_digest_size;
	struct imalog_record *oldest, *newest, *spare;
	uint64_t next_number;
	struct {
		int state; /* of CEL-JSON and CEL-CBOR: where in an array or a sequence */
		uint64_t left; /* elements of an array */
	} stream;
	struct imalog_eventlog *eventlog;
	struct imalog_error *failure;
	int failed;
};

/* A format: start() looks at the first bytes, next() fills a record; 1, 0 at the end, or < 0. */
struct imalog_format_ops {
	enum imalog_format format;
	bool (*sniff)(struct imalog_span start);
	int (*start)(struct imalog_reader *reader, struct imalog_error *error);
	int (*next)(struct imalog_reader *reader, struct imalog_record *record,
		    struct imalog_error *error);
};

extern const struct imalog_format_ops imalog_kernel_ops, imalog_ascii_ops,
	imalog_cel_tlv_ops, imalog_cel_json_ops, imalog_cel_cbor_ops, imalog_tlv2018_ops,
	imalog_eventlog_ops;

/* The reader's hasher, NULL with the error set when memory ran out. */
struct imalog_hasher *imalog_reader_hasher(struct imalog_reader *reader,
					   struct imalog_error *error);

/* Makes @size bytes available; 1, 0 when the log has ended cleanly before, or negative. */
int imalog_reader_need(struct imalog_reader *reader, size_t size, const char *part,
		       struct imalog_error *error);

/* ---- detect.c ---- */

/*
 * Finds the layout of a kernel list from the records in the reader's window.  Returns 0, 1 when
 * more of the list could still prove it, or a negative code.
 */
int imalog_detect_layout(const struct imalog_reader *reader, struct imalog_hasher *hasher,
			 struct imalog_layout *ret, struct imalog_error *error);

/* ---- text.c ---- */

/* Hexadecimal of either case to text.size / 2 bytes. */
bool imalog_hex_decode(struct imalog_span text, uint8_t *out);
/* Digits alone, at least one, a value of at most @max. */
bool imalog_decimal_decode(struct imalog_span text, uint64_t max, uint64_t *ret);

/* ---- digest.c ---- */

/* The hash input of a record in a byte order; @scratch is used when it must be turned. */
struct imalog_scratch {
	uint8_t *data;
	size_t size;
};

int imalog_digest_input(const struct imalog_record *record, enum imalog_order order,
			struct imalog_scratch *scratch, struct imalog_hash_job *ret,
			struct imalog_error *error);
/* Does the recorded digest equal what was computed in its algorithm? */
bool imalog_digest_equal(const struct imalog_recorded_digest *digest, const uint8_t *computed);
/* Is it the SHA-1 digest, padded with zeros? */
bool imalog_digest_is_padded_sha1(const struct imalog_recorded_digest *digest,
				  const uint8_t sha1[20]);
/* imalog_record_verify(); if not @padded, such a digest does not fit. */
int imalog_record_verify_as(struct imalog_record *record, struct imalog_hasher *hasher,
			    bool padded, struct imalog_error *error);

/* ---- chain.c ---- */

/* What a bank is extended with where no rule computes it: what was recorded */
void imalog_chain_recorded(const struct imalog_record *record, enum imalog_alg alg,
			   uint8_t out[IMALOG_DIGEST_MAX]);

/*
 * A bank other than SHA-1 can have been extended in three ways.  The two padded ones differ in
 * violations: Linux 5.8 and later fills the whole digest with ff, before that 20 bytes of it.
 */
enum imalog_variant {
	IMALOG_PERBANK,
	IMALOG_PADDED,
	IMALOG_PADDED_SHORT,
	IMALOG_VARIANTS
};

/* One PCR of one bank. */
struct imalog_chain {
	enum imalog_alg alg;
	uint32_t pcr;
	uint64_t extends;
	bool computes[IMALOG_VARIANTS];
	bool forked; /* padded and padded-short differ: there was a violation */
	bool opaque; /* extended with something that could not be computed, or is not
			believed */
	bool lost;   /* extended with something of which the bank has no digest at all */
	bool believes;	    /* recorded digests of content that no rule checks */
	uint64_t unchecked; /* extends with such digests */
	bool resumed; /* its value is known although no record extended it yet */
	uint8_t value[IMALOG_VARIANTS][IMALOG_DIGEST_MAX];
	const uint8_t *expected; /* NULL: nothing to compare */
	bool holds[IMALOG_VARIANTS];
	uint64_t first[IMALOG_VARIANTS]; /* record after which the value is there, 0: never */
	uint64_t last[IMALOG_VARIANTS];  /* record after which it is still there */
	uint64_t rests_on[IMALOG_VARIANTS]; /* of the unchecked ones, those up to the first */
	bool proves[IMALOG_VARIANTS];	    /* nothing up to the first was opaque */
};

/* @start and @expected may be NULL; @expected must stay where it is. */
struct imalog_chain *imalog_chain_new(enum imalog_alg alg, uint32_t pcr, const uint8_t *start,
				      const uint8_t *expected, enum imalog_padding padding);
/* Also computes the padded values, although there is nothing to compare them with. */
void imalog_chain_compute_padded(struct imalog_chain *chain);
/* Takes the values that the PCR had after record @number; NULL: not known. */
void imalog_chain_resume(struct imalog_chain *chain,
			 const uint8_t *const values[IMALOG_VARIANTS], uint64_t number);
/* Extends with a record, of whose data @own is the digest of the bank and @sha1 the SHA-1. */
int imalog_chain_extend(struct imalog_chain *chain, struct imalog_hasher *hasher,
			const struct imalog_record *record, const uint8_t *own,
			const uint8_t *sha1, struct imalog_error *error);
/* Does a match, or else the whole, rest on what could not be computed, or is not believed? */
bool imalog_chain_is_opaque(const struct imalog_chain *chain);
/* The comparison as it stands after record number @last. */
void imalog_chain_check(const struct imalog_chain *chain, uint64_t last,
			struct imalog_check *ret);
/* The value of the bank's own digests, or the padded one if only that is computed. */
const uint8_t *imalog_chain_value(const struct imalog_chain *chain);

/* ---- key.c ---- */

/* TPM_ALG_ID of schemes (TPM 2.0 Part 2, 6.3) */
enum {
	IMALOG_TPM_RSASSA = 0x0014,
	IMALOG_TPM_RSAPSS = 0x0016,
	IMALOG_TPM_ECDSA = 0x0018,
	IMALOG_TPM_NULL = 0x0010,
};

/* What a key is for, and what is known of it besides its numbers. */
struct imalog_key {
	struct evp_pkey_st *pkey;
	bool is_rsa;
	unsigned int bits;
	struct x509_st *cert; /* NULL: it came without a certificate */
	struct stack_st_X509 *untrusted;
	bool has_area; /* it came as a TPM public area */
	uint32_t attributes;
	uint16_t scheme; /* IMALOG_TPM_NULL: any */
	uint16_t scheme_hash;
	char text[128];
};

#define IMALOG_KEY_RSA_MIN 2048
/* Can signatures of the key be forged by computing? */
static inline bool imalog_key_is_weak(const struct imalog_key *key)
{
	return key->is_rsa && key->bits < IMALOG_KEY_RSA_MIN;
}

/* False: its certificate says what it is for, and that is something else. */
bool imalog_key_is_for_signatures(const struct imalog_key *key);

/* ---- ca.c ---- */

/* Certificates that are trusted */
struct imalog_ca;

/* PEM (one or more) or DER (one); not empty */
int imalog_ca_parse(struct imalog_span bytes, struct imalog_ca **ret,
		    struct imalog_error *error);
void imalog_ca_free(struct imalog_ca **ca);
/* Whether certificates have expired does not matter. */
void imalog_ca_ignore_time(struct imalog_ca *ca);
/* Does the key's certificate, which it has, chain to them?  1, 0 and the reason, or negative */
int imalog_ca_check(const struct imalog_ca *ca, const struct imalog_key *key,
		    const char **reason, struct imalog_error *error);

/* ---- quote.c ---- */

/* TPM 2.0 Part 2, 6.2 and 6.9 */
#define IMALOG_TPM_GENERATED 0xff544347u
#define IMALOG_TPM_ATTEST_QUOTE 0x8018
/* Selections of one quote and bits of their bitmaps (TPM2_NUM_PCR_BANKS, TPM2_MAX_PCRS) */
#define IMALOG_QUOTE_BANKS 16
#define IMALOG_QUOTE_PCRS 32

struct imalog_quote {
	uint8_t *owned;
	struct imalog_span message; /* that the signature covers, in owned */
	uint32_t magic;
	uint16_t type;
	struct imalog_span signer;
	struct imalog_span nonce;
	struct imalog_quote_clock clock;
	size_t nr_banks;
	struct imalog_quote_bank {
		uint16_t id;
		enum imalog_alg alg;
		size_t size; /* of its bitmap */
		uint32_t pcrs;
	} banks[IMALOG_QUOTE_BANKS];
	struct imalog_span pcr_digest;
	enum imalog_alg hash; /* of pcr_digest */
	struct {
		enum imalog_verdict verdict;
		char reason[192];
	} checks[IMALOG_QUOTE_CHECKS];
};

void imalog_quote_judge(struct imalog_quote *quote, enum imalog_quote_check check,
			enum imalog_verdict verdict, const char *reason, ...)
	__attribute__((format(printf, 4, 5)));
/* Has it what other checks look at?  If not, @check says so. */
bool imalog_quote_is_quote(struct imalog_quote *quote, enum imalog_quote_check check);
/* Would a quote that differs only in having this pcrDigest be the same bytes? */
bool imalog_quote_has_digest(const struct imalog_quote *quote, struct imalog_span digest);

/* ---- quote-values.c ---- */

/* Where the bytes of one selected value go. */
struct imalog_slot {
	enum imalog_alg alg;
	uint32_t pcr;
	size_t offset;
	size_t size;
	bool given; /* neither computed nor assumed */
};

/* All selected values. */
struct imalog_slots {
	size_t nr;
	struct imalog_slot slot[IMALOG_QUOTE_BANKS * IMALOG_QUOTE_PCRS];
	size_t size;
	uint8_t bytes[IMALOG_QUOTE_BANKS * IMALOG_QUOTE_PCRS * IMALOG_DIGEST_MAX];
};

/* -IMALOG_ERR_UNSUPPORTED when values of an unknown bank are selected. */
int imalog_slots_init(struct imalog_slots *slots, const struct imalog_quote *quote,
		      struct imalog_error *error);
/* Takes each value from the first set that has it, else that of a TPM reset. */
void imalog_slots_fill(struct imalog_slots *slots, const struct imalog_pcrs *first,
		       const struct imalog_pcrs *second);
bool imalog_slots_given(const struct imalog_slots *slots);
/* Is the hash over the values as they are what was signed?  1, 0, or a negative code */
int imalog_slots_hold(const struct imalog_slots *slots, struct imalog_hasher *hasher,
		      const struct imalog_quote *quote, struct imalog_error *error);
/* Nothing can be said about the digest of such a quote; @check says why. */
bool imalog_quote_is_beyond(struct imalog_quote *quote, enum imalog_quote_check check);
/* Decides IMALOG_QUOTE_DIGEST by values that give the digest or do not. */
void imalog_quote_judge_values(struct imalog_quote *quote, const struct imalog_slots *slots,
			       bool holds);

/* ---- replay.c ---- */

/* What was prepared: the values it compares with, those it starts from, and so on */
struct imalog_setup {
	const struct imalog_pcrs *expected, *start;
	enum imalog_padding padding;
	bool allow_opaque;
};
struct imalog_setup imalog_replay_setup(const struct imalog_replay *replay);
/* Computes every variant that the padding allows, also of PCRs without an expected value. */
int imalog_replay_compute_every_variant(struct imalog_replay *replay,
					struct imalog_error *error);
/*
 * The value of a PCR as it is now, borrowed until the next record; its start value, or NULL,
 * when no record has extended it; NULL when this variant is not computed.
 */
const uint8_t *imalog_replay_value(const struct imalog_replay *replay, enum imalog_alg alg,
				   uint32_t pcr, enum imalog_variant variant);
/*
 * Goes on where an earlier replay stopped: the values of a PCR after record @number, NULL for
 * a variant that is not known.  After all other preparations; they count as compared there.
 */
int imalog_replay_resume(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
			 const uint8_t *const values[IMALOG_VARIANTS], uint64_t number,
			 struct imalog_error *error);

/* ---- replay-marker.c ---- */

/* Markers are nobody's business here: the records are only to be saved. */
void imalog_replay_ignore_markers(struct imalog_replay *replay);

/* ---- write.c ---- */

/* A growing buffer; once memory ran out it stays so and its size is 0. */
struct imalog_buffer {
	uint8_t *data;
	size_t size;
	size_t room;
	bool failed;
};

void imalog_buffer_add(struct imalog_buffer *buffer, const void *data, size_t size);
void imalog_buffer_add_span(struct imalog_buffer *buffer, struct imalog_span span);
void imalog_buffer_add_hex(struct imalog_buffer *buffer, struct imalog_span bytes);
void imalog_buffer_free(struct imalog_buffer *buffer);

/* The next record number of an index. */
struct imalog_counter {
	enum imalog_index kind;
	uint32_t index;
	uint64_t next;
};

struct imalog_writer {
	enum imalog_format format;
	enum imalog_order order;
	imalog_write_fn fn;
	void *arg;
	struct imalog_buffer buffer;
	struct imalog_buffer swapped;
	enum imalog_alg column; /* of a kernel list, from its first record on */
	struct imalog_hasher *hasher; /* NULL: digests that are not recorded are missing */
	struct imalog_hasher *checker; /* of digests that the list has no room for */
	enum imalog_int_width int_width;
	bool sequence, force, has_count;
	bool pads; /* instead of computing: the SHA-1 that is recorded, and zeros */
	uint64_t count;	  /* of a CBOR array */
	uint64_t written; /* records */
	uint64_t renumbered;
	struct imalog_counter *counters;
	size_t nr_counters;
};

/* Digests of this algorithm in the column, computed where others are recorded; once */
int imalog_writer_set_digest(struct imalog_writer *writer, enum imalog_alg alg,
			     struct imalog_error *error);

/* ---- receipt-file.c ---- */

/*
 * A receipt in state IMALOG_RECEIPT_DELETING for a file outside a store: reads it whole, and
 * makes it and its directory durable, on a file system where that can be.
 */
int imalog_receipt_for_file(const char *path, struct imalog_receipt **ret,
			    struct imalog_error *error);

#endif /* IMALOG_PRIVATE_H */
