// SPDX-License-Identifier: GPL-2.0-or-later
/* The logs of a command line: several files, or standard input, as one log. */
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

int log_open(struct log *log, const struct options *options, char **files, int nr_files)
{
	int from_stdin = 0;

	*log = (struct log){ .options = options, .files = files, .fd = -1 };
	if (nr_files == 0 &&
	    asprintf(&log->list, "%s/sys/kernel/security/ima/binary_runtime_measurements",
		     strcmp(options->root, "/") == 0 ? "" : options->root) < 0) {
		log->list = NULL;
		complain("out of memory");
		return EXIT_UNABLE;
	}
	if (nr_files == 0) {
		log->files = &log->list;
		nr_files = 1;
	}
	for (int i = 0; i < nr_files; i++)
		from_stdin += strcmp(log->files[i], "-") == 0;
	if (from_stdin > 1)
		return usage_error(options->command, "standard input is given twice");
	log->nr_files = (size_t)nr_files;
	log->facts = calloc(log->nr_files, sizeof(*log->facts));
	if (log->facts)
		return EXIT_YES;
	complain("out of memory");
	return EXIT_UNABLE;
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
	close_file(log);
	free(log->list);
	free(log->facts);
	log->list = NULL;
	log->facts = NULL;
}

bool log_is_live(const struct log *log)
{
	return log->list;
}

bool log_can_rewind(const struct log *log)
{
	for (size_t i = 0; i < log->nr_files; i++) {
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
	for (size_t i = 0; i < log->nr_files; i++) {
		struct stat st;

		if (stat(log->files[i], &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
			return log_can_rewind(log);
	}
	return false;
}

void log_rewind(struct log *log)
{
	close_file(log);
	log->current = 0;
	log->nr_seen = 0;
	log->records = 0;
}

static int open_file(struct log *log, const char *path)
{
	const struct options *options = log->options;

	log->fd = strcmp(path, "-") == 0 ? STDIN_FILENO :
					   open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (log->fd < 0) {
		complain("cannot open '%s': %s%s", path, strerror(errno),
			 errno == ENOENT && log->list ?
				 "; is securityfs mounted, and IMA part of the kernel?" :
				 "");
		return -EXIT_UNABLE;
	}
	log->source = imalog_source_from_fd(log->fd, path);
	if (log->source)
		log->reader = imalog_reader_new(log->source, options->templates);
	if (!log->reader) {
		complain("out of memory");
		return -EXIT_UNABLE;
	}
	imalog_reader_set_format(log->reader, options->format);
	imalog_reader_set_order(log->reader, options->order);
	imalog_reader_set_digest_size(log->reader, options->digest_size);
	imalog_reader_set_first_record(log->reader, log->records + 1);
	return 1;
}

int log_next_file(struct log *log)
{
	close_file(log);
	if (log->current == log->nr_files)
		return 0;
	return open_file(log, log->files[log->current++]);
}

void log_complain(const struct log *log, const struct imalog_error *error)
{
	complain_of(log->current ? log->files[log->current - 1] : NULL, error);
	if (imalog_error_code(error) == IMALOG_ERR_AMBIGUOUS)
		complain(strcmp(imalog_error_field(error), "format") == 0 ?
				 "option --format says it" :
				 "options --digest-size and --byte-order say them");
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

		putc('\'', file);
		print_text(file, (struct imalog_span){ (const uint8_t *)log->files[i],
						       strlen(log->files[i]) });
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
