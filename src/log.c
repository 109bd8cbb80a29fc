// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The logs of a command line as one log: several files, or standard input, or the pieces of
 * this machine's
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

int exit_code_of(int code)
{
	code = code < 0 ? -code : code;
	if (code == IMALOG_OK)
		return EXIT_YES;
	/* Which layout it is, is for the user to say: nothing is wrong with the log. */
	if (code == IMALOG_ERR_AMBIGUOUS || code >= 100)
		return EXIT_UNABLE;
	return EXIT_MALFORMED;
}

/* What is about this machine's log makes no sense with another. */
static const char *option_of_machine(const struct options *options)
{
	return options->list_only ? "--list-only" :
	       options->store	  ? "--store" :
	       options->wait	  ? "--wait" :
	       options->config	  ? "--config" :
				    NULL;
}

int log_open(struct log *log, const struct options *options, char **files, int nr_files)
{
	const char *option = option_of_machine(options);
	int from_stdin = 0;

	*log = (struct log){ .options = options,
			     .files = files,
			     .nr_files = (size_t)nr_files,
			     .is_live = nr_files == 0,
			     .fd = -1 };
	if (log->is_live)
		return live_open(&log->live, options);
	if (option)
		return usage_error(options->command,
				   "%s is about this machine's log: not with LOG '%s'", option,
				   files[0]);
	for (int i = 0; i < nr_files; i++)
		from_stdin += strcmp(files[i], "-") == 0;
	if (from_stdin > 1)
		return usage_error(options->command, "standard input is given twice");
	log->facts = calloc(log->nr_files, sizeof(*log->facts));
	return log->facts ? EXIT_YES : out_of_memory();
}

const char *log_name(const struct log *log, size_t i)
{
	return log->plan ? imalog_plan_name(log->plan, i) : log->files[i];
}

static void close_file(struct log *log)
{
	if (log->reader)
		log->facts[log->nr_seen++] = (struct log_facts){
			imalog_reader_format(log->reader),
			imalog_reader_order(log->reader),
			imalog_reader_digest_alg(log->reader),
			imalog_reader_layout_proved(log->reader),
		};
	imalog_reader_free(&log->reader);
	imalog_source_free(&log->source);
	if (log->fd > STDIN_FILENO)
		close(log->fd);
	log->fd = -1;
}

void log_close(struct log *log)
{
	if (!log->options)
		return; /* it was never opened */
	close_file(log);
	free(log->facts);
	log->facts = NULL;
	log->plan = NULL;
	if (log->is_live)
		live_close(&log->live, log->options);
}

bool log_is_live(const struct log *log)
{
	return log->is_live;
}

bool log_is_doubtful(const struct log *log)
{
	return log->is_live && live_is_doubtful(&log->live);
}

bool log_can_rewind(const struct log *log)
{
	for (size_t i = 0; !log->is_live && i < log->nr_files; i++) {
		struct stat st;

		if (strcmp(log->files[i], "-") == 0 || stat(log->files[i], &st) != 0 ||
		    !S_ISREG(st.st_mode))
			return false;
	}
	return true;
}

/* Files of the kernel have no size. */
bool log_may_change(const struct log *log)
{
	for (size_t i = 0; !log->is_live && i < log->nr_files; i++) {
		struct stat st;

		if (stat(log->files[i], &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
			return log_can_rewind(log);
	}
	return log->is_live;
}

void log_rewind(struct log *log)
{
	close_file(log);
	log->current = 0;
	log->nr_seen = 0;
	log->records = 0;
}

void log_look_again(struct log *log)
{
	log_rewind(log);
	log->plan = NULL;
}

static int take_live(struct log *log)
{
	int rc = live_take(&log->live, &log->plan);

	if (rc != EXIT_YES)
		return rc;
	log->nr_files = imalog_plan_parts(log->plan);
	free(log->facts);
	log->facts = calloc(log->nr_files, sizeof(*log->facts));
	return log->facts ? EXIT_YES : out_of_memory();
}

static int open_path(struct log *log, const char *path)
{
	log->fd = strcmp(path, "-") == 0 ? STDIN_FILENO :
					   open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (log->fd >= 0)
		return EXIT_YES;
	complain("cannot open '%s': %s", path, strerror(errno));
	return EXIT_UNABLE;
}

static int open_part(struct log *log, size_t i)
{
	struct imalog_error *error = imalog_error_new();
	int rc = error ? imalog_plan_open(log->plan, i, &log->fd, error) : out_of_memory();

	if (rc < 0) {
		log->fd = -1;
		log_complain(log, error);
		rc = exit_code_of(rc);
	}
	imalog_error_free(&error);
	return rc;
}

/* Records that the parts before have already; they have the numbers that they had there. */
static void skip_records(struct log *log, uint64_t nr)
{
	imalog_reader_set_first_record(log->reader, log->records - nr + 1);
	for (uint64_t i = 0; i < nr; i++) {
		struct imalog_record *record;
		int rc = imalog_reader_next(log->reader, &record, NULL);

		/* Whoever reads on gets the failure, or the end. */
		if (rc <= 0)
			return;
		imalog_reader_release(log->reader, imalog_record_number(record));
	}
}

static int open_file(struct log *log, size_t i)
{
	const struct options *options = log->options;
	const char *name = log_name(log, i);
	int rc = log->plan ? open_part(log, i) : open_path(log, name);

	if (rc != EXIT_YES)
		return rc;
	log->source = imalog_source_from_fd(log->fd, name);
	if (log->source)
		log->reader = imalog_reader_new(log->source, options->templates);
	if (!log->reader)
		return out_of_memory();
	imalog_reader_set_format(log->reader, options->format);
	imalog_reader_set_order(log->reader, options->order);
	imalog_reader_set_digest_size(log->reader, options->digest_size);
	/* Few records alone do not always tell how they are laid out; this machine's are known. */
	if (log->is_live && !options->format)
		imalog_reader_set_format(log->reader, IMALOG_FORMAT_KERNEL);
	if (log->is_live && !options->digest_size)
		imalog_reader_set_digest_size(log->reader, 20);
	skip_records(log, log->plan ? imalog_plan_skip(log->plan, i) : 0);
	return EXIT_YES;
}

int log_next_file(struct log *log)
{
	int rc = EXIT_YES;

	close_file(log);
	if (log->is_live && !log->plan)
		rc = take_live(log);
	if (rc != EXIT_YES || log->current == log->nr_files)
		return -rc;
	rc = open_file(log, log->current++);
	return rc == EXIT_YES ? 1 : -rc;
}

void complain_how_to_read(const struct imalog_error *error)
{
	if (imalog_error_code(error) == IMALOG_ERR_AMBIGUOUS)
		complain(strcmp(imalog_error_field(error), "format") == 0 ?
				 "option --format says it" :
				 "options --digest-size and --byte-order say them");
}

void log_complain(const struct log *log, const struct imalog_error *error)
{
	complain_of(log->current ? log_name(log, log->current - 1) : NULL, error);
	complain_how_to_read(error);
}

int log_next(struct log *log, struct imalog_record **record)
{
	for (;;) {
		struct imalog_error *error;
		int rc = log->reader ? imalog_reader_next(log->reader, record, NULL) : 0;

		if (rc > 0) {
			log->records++;
			return rc;
		}
		if (rc < 0) {
			error = imalog_error_new();
			imalog_reader_next(log->reader, record, error);
			if (error)
				log_complain(log, error);
			imalog_error_free(&error);
			return -exit_code_of(rc);
		}
		rc = log_next_file(log);
		if (rc <= 0)
			return rc;
	}
}

void log_print_facts(const struct log *log, FILE *file)
{
	for (size_t i = 0; i < log->nr_seen; i++) {
		const struct log_facts *facts = &log->facts[i];
		const char *name = log_name(log, i);

		putc('\'', file);
		print_text(file, (struct imalog_span){ (const uint8_t *)name, strlen(name) });
		/* Layouts are found of the kernel's lists alone. */
		if (facts->digest == IMALOG_ALG_NONE) {
			fprintf(file, "': %s%s.\n", imalog_format_name(facts->format),
				facts->format != IMALOG_FORMAT_TLV2018 ? "" :
				facts->order == IMALOG_ORDER_BE	       ? ", big-endian" :
									 ", little-endian");
			continue;
		}
		fprintf(file, "': %s list, %s-endian, digests of %s%s.\n",
			imalog_format_name(facts->format),
			facts->order == IMALOG_ORDER_BE ? "big" : "little",
			imalog_alg_name(facts->digest),
			facts->proved ? "" : " (no record proves it)");
	}
}
