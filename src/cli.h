/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the tool share, by the file that has it. */
#ifndef IMALOG_CLI_H
#define IMALOG_CLI_H

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "imalog.h"
#include "print.h"

/* Exit codes, the same in every command. */
enum exit_code {
	EXIT_YES = 0,	    /* done, or checked and holds */
	EXIT_NO = 1,	    /* checked and does not hold */
	EXIT_USAGE = 2,	    /* the command line is wrong */
	EXIT_MALFORMED = 3, /* malformed or cut input */
	EXIT_UNABLE = 4,    /* could not do or check it */
};

/* From a parser to its caller: the program is done, with this exit code, and may be 0. */
#define EXIT_CODE_DONE(code) (-1 - (code))
#define EXIT_CODE_OF(rc) ((rc) < 0 ? -1 - (rc) : (rc))

/* ---- imalog.c ---- */

struct command {
	const char *name;
	const char *summary; /* one line of `imalog --help` */
	const char *usage;   /* behind "imalog NAME " */
	const char *help;    /* what `imalog NAME --help` says of its own options */
	const struct option *options; /* those that have a letter have it for their value */
	int (*run)(const struct command *command, int argc, char **argv);
};

extern const struct command cmd_show, cmd_convert, cmd_replay, cmd_merge, cmd_quote_verify;
extern const struct command cmd_sig_verify, cmd_stage, cmd_save, cmd_confirm;
extern const struct command cmd_kexec_prepare, cmd_mount;
extern const struct command cmd_export, cmd_trim, cmd_store, cmd_status, cmd_policy_load;

/* ---- options.c ---- */

/* Values of options that several commands have; a command's own begin at OPT_OWN. */
enum {
	OPT_VERSION = 256,
	OPT_JSON,
	OPT_BYTE_ORDER,
	OPT_DIGEST_SIZE,
	OPT_DEFINE_TEMPLATE,
	OPT_ROOT,
	OPT_STORE,
	OPT_WAIT,
	OPT_CONFIG,
	OPT_LIST_ONLY,
	OPT_TPM_TCTI,
	OPT_TPM_SYSFS,
	OPT_NO_TPM,
	OPT_OWN,
	OPT_END = 512, /* above those of all commands */
};

#define COMMON_LONG                                                                        \
	{ "help", no_argument, NULL, 'h' }, { "quiet", no_argument, NULL, 'q' },             \
	{ "verbose", no_argument, NULL, 'v' }, { "version", no_argument, NULL, OPT_VERSION }
#define READING_LONG                                                                       \
	{ "format", required_argument, NULL, 'f' },                                          \
	{ "byte-order", required_argument, NULL, OPT_BYTE_ORDER },                           \
	{ "digest-size", required_argument, NULL, OPT_DIGEST_SIZE },                         \
	{ "define-template", required_argument, NULL, OPT_DEFINE_TEMPLATE }
#define MACHINE_LONG                                                                       \
	{ "root", required_argument, NULL, OPT_ROOT },                                       \
	{ "wait", required_argument, NULL, OPT_WAIT },                                       \
	{ "config", required_argument, NULL, OPT_CONFIG }
#define STORE_LONG MACHINE_LONG, { "store", required_argument, NULL, OPT_STORE }
/* Which TPM an export, and what goes on with one, compares with */
#define TPM_LONG                                                                           \
	{ "tcti", required_argument, NULL, OPT_TPM_TCTI },                                   \
	{ "sysfs", no_argument, NULL, OPT_TPM_SYSFS },                                       \
	{ "no-tpm", no_argument, NULL, OPT_NO_TPM }
/* Of commands that read LOGs, or this machine's when there are none */
#define LOG_LONG READING_LONG, STORE_LONG, { "list-only", no_argument, NULL, OPT_LIST_ONLY }

/* Their --help */
#define READING_HELP \
	"  -f, --format auto|kernel|ascii|cel-tlv|cel-json|cel-cbor|tlv2018|eventlog\n" \
	"      --byte-order auto|le|be\n" \
	"      --digest-size auto|20|32|48|64\n" \
	"      --define-template NAME=FIELD|FIELD...\n"
#define LOG_OPTIONS_HELP \
	"How to read the LOGs, where that cannot be told from them:\n" \
	READING_HELP \
	"\n" \
	"This machine's log, when no LOG is given:\n" \
	"      --list-only            the kernel's list alone\n" \
	"      --store DIR            the store; default /var/lib/imalog\n" \
	"      --wait TIME            how long to try while others have a list or store\n" \
	"                             open, such as 500ms, 5s, 2m; default 5s\n" \
	"      --config FILE          configuration; default /etc/imalog.conf\n" \
	"      --root DIR             where /sys, /proc, /dev, /etc and the store are\n"

/* What the common options say, and the walk over the command line. */
struct options {
	const struct command *command;
	bool quiet;
	bool verbose;
	enum imalog_format format;
	enum imalog_order order;
	size_t digest_size;
	const char *root; /* of /sys, "" for this machine's */
	bool json, list_only, sysfs, no_tpm;
	const char *store, *wait, *config, *tcti; /* NULL: not given */
	struct imalog_templates *templates;
	bool seen[OPT_END];	     /* options that may come once */
	const char *values[OPT_END]; /* of those that options_take() took */
};

int options_init(struct options *options, const struct command *command);
void options_free(struct options *options);
/*
 * Walks over the command line up to its operands.  Common options are taken here, those of the
 * command's own by @take, which returns an exit code, or as options_take() does when it is NULL.
 * An exit code, or EXIT_CODE_DONE() when an option such as --help ends the program.
 */
int options_parse(struct options *options, int argc, char **argv,
		  int (*take)(void *arg, int option), void *arg);
/* Complains of an option that may come once and came again; true when it is the first time. */
bool options_once(struct options *options, int option);
/* Keeps the value of an option that may come once; an exit code. */
int options_take(struct options *options, int option);
/* Can one TPM at most be the one to compare with?  An exit code. */
int options_check_tpm(const struct options *options);
/* One line and a pointer to --help; returns EXIT_USAGE. */
int usage_error(const struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- config.c ---- */

/* Unless it is said otherwise */
#define CONFIG_WAIT_MS 5000
#define CONFIG_KEYS    8
/* In given[] */
#define CONFIG_STORE 0

/* What imalog.conf(5) says, with the defaults of what it does not say. */
struct config {
	char *store;
	unsigned int wait_ms;
	uint64_t min_records, min_bytes, max_age; /* in seconds; 0: not given */
	uint64_t keep_epochs;			  /* 0: not given */
	char *tcti;				  /* NULL: not given */
	enum imalog_tpm_use tpm;
	bool given[CONFIG_KEYS];
};

/* The file of this machine, or another, and what the options say over it; an exit code. */
int config_read(struct config *config, const struct options *options);
void config_free(struct config *config);
/* Which TPM is asked, by the options, else by the configuration; its TCTI, or NULL */
enum imalog_tpm_use config_tpm(const struct config *config, const struct options *options,
			       const char **ret_tcti);
/* A number; with a unit, one that K, M or G multiplies; false when it is none. */
bool parse_count(const char *text, bool with_unit, uint64_t *ret);

/* ---- live.c ---- */

/* This machine's log */
struct live {
	struct config config;
	struct imalog_view *view;
	struct imalog_error *error;
	bool taken;
};

int live_open(struct live *live, const struct options *options);
/* Which TPM is to be asked, if that is needed, in place of the usual one; an exit code */
int live_set_tpm(struct live *live, enum imalog_tpm_use use, const char *tcti);
/* Looks at it; the plan is valid until the next call.  An exit code, with a message */
int live_take(struct live *live, const struct imalog_plan **ret);
bool live_is_doubtful(const struct live *live);
/* What is to be said about it, as objects */
json_t *live_notes(const struct live *live);
/* Says it, too */
void live_close(struct live *live, const struct options *options);

/* ---- log.c ---- */

/* How a file was read. */
struct log_facts {
	enum imalog_format format;
	enum imalog_order order;
	enum imalog_alg digest;
	bool proved;
};

/* The files of the command line, or this machine's log, read one after the other as one log. */
struct log {
	const struct options *options;
	char **files;
	const struct imalog_plan *plan; /* in place of files; NULL: not made yet */
	size_t nr_files;
	size_t current; /* index of the file that is open, plus 1 */
	int fd;
	uint64_t records; /* in the files before */
	struct imalog_source *source;
	struct imalog_reader *reader;
	struct log_facts *facts; /* of the first nr_seen files */
	size_t nr_seen;
	bool is_live;
	struct live live;
};

/* Without files it is this machine's log. */
int log_open(struct log *log, const struct options *options, char **files, int nr_files);
/* Can another look at it find another log? */
bool log_may_change(const struct log *log);
/* Is it this machine's? */
bool log_is_live(const struct log *log);
/* May it have records twice?  Then nothing that rests on it is proved. */
bool log_is_doubtful(const struct log *log);
/* The name of file @i, as it was given */
const char *log_name(const struct log *log, size_t i);
/* Of the file at hand, unless the error names another. */
void log_complain(const struct log *log, const struct imalog_error *error);
/* Which options say what a log does not, if the error is that */
void complain_how_to_read(const struct imalog_error *error);
/* How each file that was read to its end was read: what -v adds. */
void log_print_facts(const struct log *log, FILE *file);
/* Opens the next file: 1, 0 when there is none, or an exit code negated. */
int log_next_file(struct log *log);
/* Back to before the first file; only where all of them can be read twice. */
bool log_can_rewind(const struct log *log);
void log_rewind(struct log *log);
/* The same, and what is this machine's is looked at again. */
void log_look_again(struct log *log);
/* The next record of all files: 1, 0 at the end, or an exit code negated. */
int log_next(struct log *log, struct imalog_record **record);
void log_close(struct log *log);
/* The exit code that a failure of the library amounts to. */
int exit_code_of(int code);

/* ---- output.c ---- */

/* A file that appears complete or not at all; NULL path: standard output. */
struct output {
	char *path;
	char *temporary;
	bool special; /* a device or a pipe: written to in place */
	FILE *file;
};

int output_open(struct output *output, const char *path);
/* Empties a file that is not visible yet; 0, or an errno value. */
int output_restart(struct output *output);
int output_write(void *output, const void *data, size_t size); /* imalog_write_fn */
/* Makes it durable and visible; EXIT_YES, or EXIT_UNABLE with a message. */
int output_commit(struct output *output);
/* Takes it back, if it was not committed. */
void output_discard(struct output *output);
/* Flushes standard output: EXIT_YES, or EXIT_UNABLE with a message. */
int stdout_flush(void);

/* ---- file.c ---- */

/* Far more than any firmware logs. */
#define EVENTLOG_MAX ((size_t)16 << 20)

/* The whole of a file of at most @max bytes, to be freed; an exit code, with a message. */
int read_file(const char *path, size_t max, struct imalog_span *ret);

/* ---- progress.c ---- */

/* Says on a terminal how far a long run is; call it often. */
void progress(uint64_t records);
/* Wipes that line. */
void progress_end(void);

/* ---- duration.c ---- */

/* "500ms", "5s", "2m", "1h", "7d", or seconds alone, in milliseconds; false when it is none. */
bool parse_duration(const char *text, unsigned int *ret);
/* The same in seconds, rounded up, and longer: 60d, 1000d */
bool parse_age(const char *text, uint64_t *ret);

/* ---- machine.c ---- */

/* --help of the commands on the kernel's side of the list, and of those about the store */
#define MACHINE_HELP                                                                       \
	"      --wait TIME            how long to try while others have a list open, such\n"  \
	"                             as 500ms, 5s, 2m; default 5s\n"                         \
	"      --config FILE          the configuration; default /etc/imalog.conf\n"
#define MACHINE_STORE_HELP                                                                 \
	"      --store DIR            the store; default /var/lib/imalog\n"                   \
	"      --tcti TCTI            the TPM to compare with, in the store: that of this\n"   \
	"                             TCTI, such as device:/dev/tpmrm0;\n"                    \
	"      --sysfs                the kernel's, through /sys/class/tpm;\n"                \
	"      --no-tpm               or none; default: the one that is found\n"

/* What a command on the kernel's side of the list works with */
struct machine {
	struct options options;
	struct config config;
	struct imalog_error *error;
	struct imalog_export *export; /* of the store, if there is one */
	struct imalog_staging *staging;
};

/*
 * Such a command as a whole: @run gets its FILE, or NULL; there may be @max_files.  Whatever
 * @run leaves open is closed.  The exit code, with output that is worth nothing until written
 */
int machine_run(const struct command *command, int argc, char **argv, int max_files,
		int (*run)(struct machine *machine, const char *file));
/* Makes the export to the machine's store; EXIT_NO: there is none, and none was named. */
int machine_open_store(struct machine *machine);
/* Says what the last export had to say. */
void machine_show_notes(const struct machine *machine);
/* The exit code of what is saved and deleted: does what is known of it hold? */
int export_judge(const struct imalog_export *export);
int machine_open_staging(struct machine *machine);
/* Says what the library complained of; the exit code of @rc. */
int machine_complain(const struct machine *machine, int rc);

/* ---- compare.c ---- */

/* What PCR values are to be compared with, from the comparing options. */
struct compare {
	struct imalog_pcrs *given;    /* --pcrs: whatever PCRs the log extends */
	struct imalog_pcrs *demanded; /* --expect: these */
	struct imalog_pcrs *start;
	struct imalog_pcrs *live; /* --tpm, --sysfs: read right before the log is */
	bool tpm, sysfs;
	const char *tcti;
	char *device; /* a TCTI that was found, for @tcti */
	bool pcrs[IMALOG_PCR_MAX + 1];
	bool banks[IMALOG_ALG_COUNT];
	bool any_pcr, any_bank; /* one was chosen: others are left alone */
	enum imalog_padding padding;
};

enum {
	OPT_PCR = OPT_OWN,
	OPT_BANK,
	OPT_PCRS,
	OPT_EXPECT,
	OPT_START,
	OPT_PADDING,
	OPT_IGNORE_VIOLATIONS,
	OPT_TPM,
	OPT_TCTI,
	OPT_SYSFS,
	OPT_COMMAND, /* first option that is a command's own besides these */
};

#define COMPARE_LONG                                                                       \
	{ "pcr", required_argument, NULL, OPT_PCR },                                         \
	{ "bank", required_argument, NULL, OPT_BANK },                                       \
	{ "pcrs", required_argument, NULL, OPT_PCRS },                                       \
	{ "expect", required_argument, NULL, OPT_EXPECT },                                   \
	{ "start", required_argument, NULL, OPT_START },                                     \
	{ "padding", required_argument, NULL, OPT_PADDING },                                 \
	{ "ignore-violations", no_argument, NULL, OPT_IGNORE_VIOLATIONS },                   \
	{ "tpm", no_argument, NULL, OPT_TPM }, { "tcti", required_argument, NULL, OPT_TCTI }, \
	{ "sysfs", no_argument, NULL, OPT_SYSFS }

int compare_init(struct compare *compare);
void compare_free(struct compare *compare);
/* Takes one of the options above; an exit code. */
int compare_option(struct compare *compare, struct options *options, int option);
/* Was anything said to compare with? */
bool compare_has_source(const struct compare *compare);
/* Chooses as an export without options would, perhaps none; returns what is configured. */
enum imalog_tpm_use compare_choose_tpm(struct compare *compare, const struct options *options,
				       const struct config *config);
/*
 * This machine's log is compared with this machine's TPM, unless it was said with what: the one
 * that an export would take.
 */
void compare_with_machine(struct compare *compare, const struct options *options,
			  const struct config *config);
/* Reads the TPM anew, if that was asked; an exit code. */
int compare_read_live(struct compare *compare, const struct options *options);
/* Tells the replay the start values alone; an exit code. */
int compare_apply_start(const struct compare *compare, struct imalog_replay *replay);
/* Tells the replay what to compute and compare; an exit code. */
int compare_apply(const struct compare *compare, enum imalog_padding padding,
		  struct imalog_replay *replay);
/* Was this PCR chosen, or were none? */
bool compare_wants(const struct compare *compare, enum imalog_alg alg, uint32_t pcr);
/* Hexadecimal, the bytes to be freed; false when it is not, or memory ran out. */
bool parse_hex(const char *text, struct imalog_span *ret);
/* "0" to "63" in *@ret, or false. */
bool parse_pcr(const char *text, uint32_t *ret);

/* ---- report.c ---- */

struct boot;

/* A record that a replay complained of. */
struct complaint {
	uint64_t record;
	uint64_t offset;
	size_t file; /* index among those of the command line */
	enum imalog_problem problem;
};

/* What a replay came to. */
struct report {
	const struct imalog_replay *replay;
	const struct compare *compare;
	const struct boot *boot;
	const struct log *log;
	struct complaint *complaints;
	size_t nr_complaints;
	uint64_t extended; /* PCRs */
	bool starts_with_boot_aggregate;
	bool padded[IMALOG_ALG_COUNT]; /* would match with --padding sha1 */
	bool print;
	struct imalog_error *error; /* malformed input, NULL when there was none */
	enum imalog_verdict verdict;
	uint64_t matched_at;
};

#define COMPLAINTS_MAX 10000

/* Was nothing named to compare with, and computing all that was asked? */
bool report_only_computes(const struct report *report);
void report_text(const struct report *report);
bool report_json(const struct report *report);
/* The same, not printed */
json_t *report_object(const struct report *report);
/* Comparison number @i, and the bytes of one of its digests */
struct imalog_check report_check(const struct report *report, size_t i);
struct imalog_span report_digest(enum imalog_alg alg, const uint8_t *data);
/* PCR number @i that was asked for and not given; IMALOG_ALG_NONE: in no bank. */
bool report_missing(const struct report *report, size_t i, enum imalog_alg *alg, uint32_t *pcr);

/* Start value number @i that nothing was computed from */
bool report_unused_start(const struct report *report, size_t i, enum imalog_alg *alg,
			 uint32_t *pcr);
/* Has a PCR whose value was to be printed none?  Then says which. */
bool report_lacks_values(const struct report *report);

/* ---- report-marker.c ---- */

void report_markers_text(const struct report *report);
json_t *report_markers_json(const struct report *report);

/* ---- cmd-store.c ---- */

/* What a receipt says, as an object */
json_t *json_receipt(const struct imalog_receipt *receipt, uint64_t epoch);

/* ---- store-verify.c ---- */

/* `imalog store check` of one epoch; an exit code.  Closes the store as soon as it can. */
int store_verify(struct imalog_store **store, uint64_t number, const struct options *options,
		 struct compare *compare, unsigned int wait_ms, bool json);

#endif /* IMALOG_CLI_H */
