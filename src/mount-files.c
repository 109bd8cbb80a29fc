// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files `imalog mount` shows: those that the kernel has, without what is for staging */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "mount.h"

#define IMA_DIR "sys/kernel/security/ima"
#define TPM_DIR "sys/kernel/security/tpm0"

static char *path_of(const char *root, const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s/%s/%s", strcmp(root, "/") == 0 ? "" : root, dir, name) < 0)
		return NULL;
	return path;
}

/* ---- does the kernel compute digests of this algorithm? ---- */

enum answer {
	BUSY,	 /* others have it open */
	UNKNOWN, /* it cannot be read */
	NONE,	 /* no record tells */
	COMPUTED,
	PADDED, /* they are SHA-1 and zeros */
};

/* By the first record that is no violation, whose digests are zeros in any case */
static enum answer ask_records(struct imalog_reader *reader)
{
	struct imalog_record *record;
	int rc;

	while ((rc = imalog_reader_next(reader, &record, NULL)) > 0) {
		struct imalog_span digest = imalog_record_digest(record, 0, NULL);

		for (size_t k = imalog_alg_size(IMALOG_ALG_SHA1); k < digest.size; k++)
			if (digest.data[k])
				return COMPUTED;
		if (!imalog_record_is_violation(record))
			return PADDED;
		imalog_reader_release(reader, imalog_record_number(record));
	}
	return rc == 0 ? NONE : UNKNOWN;
}

static enum answer ask_list(const char *path, enum imalog_alg alg)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct imalog_templates *templates;
	struct imalog_source *source;
	struct imalog_reader *reader;
	enum answer answer = UNKNOWN;

	if (fd < 0)
		return errno == EBUSY ? BUSY : errno == ENOENT ? NONE : UNKNOWN;
	templates = imalog_templates_new();
	source = imalog_source_from_fd(fd, path);
	reader = source && templates ? imalog_reader_new(source, templates) : NULL;
	if (reader) {
		imalog_reader_set_format(reader, IMALOG_FORMAT_KERNEL);
		imalog_reader_set_digest_size(reader, imalog_alg_size(alg));
		answer = ask_records(reader);
	}
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_templates_free(&templates);
	close(fd);
	return answer;
}

/* IMA takes what is built in: it comes before modules do. */
static bool is_built_in(const char *root, const char *name)
{
	char *path = path_of(root, "proc", "crypto"), line[256];
	FILE *file = path ? fopen(path, "re") : NULL;
	bool found = false, here = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		char value[128];

		if (sscanf(line, "name : %127s", value) == 1)
			here = strcmp(value, name) == 0;
		if (here && sscanf(line, "module : %127s", value) == 1)
			found = strcmp(value, "kernel") == 0;
	}
	if (file)
		fclose(file);
	free(path);
	return found;
}

/* As records say that the kernel has, or else what it has always been able to compute */
static enum answer ask(const struct mount_file *file, const char *root)
{
	const char *alg = imalog_alg_name(file->shape.alg);
	enum answer answer = NONE;

	for (int staged = 0; answer == NONE && staged < 2; staged++) {
		char name[96], *path;

		snprintf(name, sizeof(name), "binary_runtime_measurements_%s%s", alg,
			 staged ? "_staged" : "");
		path = path_of(root, IMA_DIR, name);
		answer = path ? ask_list(path, file->shape.alg) : UNKNOWN;
		free(path);
	}
	return answer == NONE && is_built_in(root, alg) ? COMPUTED : answer;
}

int mount_files_decide(struct mount_files *files)
{
	bool busy = false;

	for (size_t i = 0; i < files->nr; i++) {
		struct mount_file *file = &files->file[i];
		enum answer answer = file->undecided ? ask(file, files->root) : UNKNOWN;

		busy |= answer == BUSY;
		if (answer == COMPUTED || answer == PADDED) {
			file->shape.padded = answer == PADDED;
			file->undecided = false;
		}
	}
	return busy ? EBUSY : 0;
}

/* ---- names ---- */

/* "sha256", or "tpm_alg_27": of those the kernel has no digests, but the size of the bank. */
static bool parse_alg(const char *name, struct imalog_shape *shape)
{
	static const struct {
		const char *name;
		enum imalog_alg alg;
	} banks[] = { { "tpm_alg_27", IMALOG_ALG_SHA3_256 },
		      { "tpm_alg_28", IMALOG_ALG_SHA3_384 },
		      { "tpm_alg_29", IMALOG_ALG_SHA3_512 } };

	shape->alg = IMALOG_ALG_NONE;
	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		if (strcmp(name, imalog_alg_name((enum imalog_alg)alg)) == 0)
			shape->alg = (enum imalog_alg)alg;
	for (size_t i = 0; i < sizeof(banks) / sizeof(*banks); i++)
		if (strcmp(name, banks[i].name) == 0) {
			shape->alg = banks[i].alg;
			shape->padded = true;
		}
	return imalog_alg_size(shape->alg) >= imalog_alg_size(IMALOG_ALG_SHA1);
}

/* Is it a file that is shown, and which? */
static bool parse_name(const char *name, struct mount_file *file)
{
	static const char list[] = "_runtime_measurements";
	const char *rest = strchr(name, '_');

	*file = (struct mount_file){ .kind = MOUNT_LIST, .shape.alg = IMALOG_ALG_SHA1 };
	if (strlen(name) >= sizeof(file->name))
		return false;
	strcpy(file->name, name);
	if (strcmp(name, "runtime_measurements_count") == 0)
		file->kind = MOUNT_COUNT;
	if (strcmp(name, "violations") == 0)
		file->kind = MOUNT_PASS;
	if (file->kind != MOUNT_LIST)
		return true;
	file->shape.ascii = strncmp(name, "ascii_", 6) == 0;
	if ((!file->shape.ascii && strncmp(name, "binary_", 7) != 0) ||
	    strncmp(rest, list, sizeof(list) - 1) != 0)
		return false;
	rest += sizeof(list) - 1;
	return rest[0] == '\0' || (rest[0] == '_' && parse_alg(rest + 1, &file->shape));
}

/* ---- all of them ---- */

static int add(struct mount_files *files, struct mount_file *file, const char *root,
	       const char *dir)
{
	file->path = path_of(root, dir, file->name);
	if (!file->path)
		return out_of_memory();
	if (files->nr == MOUNT_FILES_MAX || stat(file->path, &file->st) != 0) {
		free(file->path);
		return EXIT_YES;
	}
	file->undecided = file->kind == MOUNT_LIST && !file->shape.padded &&
			  file->shape.alg != IMALOG_ALG_SHA1;
	files->file[files->nr++] = *file;
	return EXIT_YES;
}

static int add_list(struct mount_files *files, const char *root)
{
	char *path = path_of(root, IMA_DIR, "");
	DIR *dir = path ? opendir(path) : NULL;
	const struct dirent *entry;
	struct mount_file file;
	int rc = EXIT_YES;

	if (!dir) {
		complain("cannot open '%s': %s", path ? path : IMA_DIR, strerror(errno));
		free(path);
		return EXIT_UNABLE;
	}
	while (rc == EXIT_YES && (entry = readdir(dir)))
		if (parse_name(entry->d_name, &file))
			rc = add(files, &file, root, IMA_DIR);
	closedir(dir);
	files->dir = path;
	return rc;
}

int mount_files_find(struct mount_files *files, const char *root)
{
	static const char *const firmware[] = { "binary_bios_measurements",
						"ascii_bios_measurements" };
	int rc;

	files->root = root;
	rc = add_list(files, root);
	for (int i = 0; rc == EXIT_YES && i < 2; i++) {
		struct mount_file file = { .kind = MOUNT_PASS };

		strcpy(file.name, firmware[i]);
		rc = add(files, &file, root, TPM_DIR);
	}
	if (rc == EXIT_YES && files->nr == 0) {
		complain("the kernel has no measurement list: there is none in '%s/%s'", root,
			 IMA_DIR);
		rc = EXIT_UNABLE;
	}
	return rc;
}

void mount_files_free(struct mount_files *files)
{
	for (size_t i = 0; i < files->nr; i++)
		free(files->file[i].path);
	free(files->dir);
	*files = (struct mount_files){ .nr = 0 };
}
