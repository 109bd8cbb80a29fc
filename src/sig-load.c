// SPDX-License-Identifier: GPL-2.0-or-later
/* The keys that sig-verify was given: files, directories, keyrings. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "sig.h"

/* Far more than any bundle of certificates has */
#define INPUT_MAX ((size_t)1 << 20)

static int failed(const struct sig_verify *verify, const char *path, int code)
{
	complain_of(path, verify->error);
	return exit_code_of(code);
}

static int load_file(struct sig_verify *verify, const char *path)
{
	struct imalog_span bytes;
	int rc = read_file(path, INPUT_MAX, &bytes);

	if (rc != EXIT_YES)
		return rc;
	rc = imalog_sig_keys_add(verify->keys, bytes, path, verify->error);
	free((void *)bytes.data);
	return rc < 0 ? failed(verify, path, rc) : EXIT_YES;
}

/* ---- directories ---- */

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* Is it a certificate or a public key in DER, or does it say to be one in PEM? */
static bool claims_a_key(struct imalog_span bytes)
{
	static const char *const labels[] = { "CERTIFICATE-----", "PUBLIC KEY-----" };
	size_t head;

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]) && bytes.size; i++)
		if (memmem(bytes.data, bytes.size, labels[i], strlen(labels[i])))
			return true;
	/* SEQUENCE in SEQUENCE; private keys begin with the number of a version. */
	if (bytes.size < 2 || bytes.data[0] != 0x30 || !(bytes.data[1] & 0x80))
		return false;
	head = 2 + (bytes.data[1] & 0x7f);
	return head < bytes.size && bytes.data[head] == 0x30;
}

/* Not to be able to look is another thing than to find no key. */
static int add_keys(struct sig_verify *verify, const char *path, struct imalog_span bytes)
{
	size_t before = imalog_sig_keys_count(verify->keys);
	int rc = imalog_sig_keys_add(verify->keys, bytes, path, verify->error);

	if (rc > 0)
		return 1;
	if (rc == -IMALOG_ERR_NOMEM || rc == -IMALOG_ERR_LIMIT)
		return -failed(verify, path, rc);
	if (claims_a_key(bytes))
		verify->incomplete = true;
	if (verify->options.verbose || claims_a_key(bytes))
		complain_of(path, verify->error);
	return imalog_sig_keys_count(verify->keys) > before;
}

/* 1: it had keys, 0: it is something else; or an exit code, negated */
static int try_file(struct sig_verify *verify, const char *path)
{
	struct imalog_span bytes;
	struct stat st;
	int rc;

	if (stat(path, &st) != 0) {
		complain("cannot read '%s': %s", path, strerror(errno));
		verify->incomplete = true;
		return 0;
	}
	if (!S_ISREG(st.st_mode))
		return 0;
	rc = read_file(path, INPUT_MAX, &bytes);
	if (rc != EXIT_YES)
		return -rc;
	rc = add_keys(verify, path, bytes);
	free((void *)bytes.data);
	return rc;
}

static int load_names(struct sig_verify *verify, const char *path, struct dirent **names,
		      int nr)
{
	int found = 0;

	for (int i = 0; i < nr; i++) {
		char *whole;
		int rc;

		if (asprintf(&whole, "%s/%s", path, names[i]->d_name) < 0)
			return out_of_memory();
		rc = try_file(verify, whole);
		free(whole);
		if (rc < 0)
			return -rc;
		found += rc;
	}
	if (found == 0)
		complain("'%s' has no file with a key", path);
	return found ? EXIT_YES : EXIT_UNABLE;
}

static int load_dir(struct sig_verify *verify, const char *path)
{
	struct dirent **names = NULL;
	int nr = scandir(path, &names, is_visible, alphasort), rc;

	if (nr < 0) {
		complain("cannot read '%s': %s", path, strerror(errno));
		return EXIT_UNABLE;
	}
	rc = load_names(verify, path, names, nr);
	while (nr-- > 0)
		free(names[nr]);
	free(names);
	return rc;
}

static int load_path(struct sig_verify *verify, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return load_dir(verify, path);
	return load_file(verify, path);
}

/* "k1, k2", unless there is a file of just that name */
static int load_list(struct sig_verify *verify, char *list)
{
	struct stat st;
	char *rest = list, *path;
	int rc = EXIT_YES;

	if (!strchr(list, ',') || stat(list, &st) == 0)
		return load_path(verify, list);
	while (rc == EXIT_YES && (path = strsep(&rest, ","))) {
		size_t size;

		path += strspn(path, " \t");
		size = strlen(path);
		while (size && strchr(" \t", path[size - 1]))
			path[--size] = '\0';
		if (size == 0)
			return usage_error(verify->options.command,
					   "a name is missing in the list of --key");
		rc = load_path(verify, path);
	}
	return rc;
}

/* ---- all ---- */

static int load_ca(struct sig_verify *verify)
{
	struct imalog_span bytes;
	int rc;

	if (!verify->ca)
		return EXIT_YES;
	rc = read_file(verify->ca, INPUT_MAX, &bytes);
	if (rc != EXIT_YES)
		return rc;
	rc = imalog_sig_keys_set_ca(verify->keys, bytes, verify->error);
	free((void *)bytes.data);
	return rc < 0 ? failed(verify, verify->ca, rc) : EXIT_YES;
}

int sig_load(struct sig_verify *verify)
{
	int rc = load_ca(verify);

	for (size_t i = 0; i < verify->nr_key_paths && rc == EXIT_YES; i++)
		rc = load_list(verify, verify->key_paths[i]);
	for (size_t i = 0; i < verify->nr_rings && rc == EXIT_YES; i++) {
		int n = imalog_sig_keys_add_keyring(verify->keys, verify->rings[i],
						    verify->error);

		if (n < 0)
			rc = failed(verify, NULL, n);
	}
	return rc;
}
