// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog --version: what this program is, and what was left out of it when it was built. */
#include "cli.h"
#include "version.h"

const char *version_left_out(void)
{
	return LEFT_OUT[0] ? LEFT_OUT : NULL;
}

int version_print(bool verbose)
{
	const char *missing = version_left_out(), *tpm = imalog_tpm_library();

	printf("imalog %s\n", imalog_version());
	if (verbose)
		printf("hashes by %s of %s\n%s%sjansson %s\nleft out: %s\n",
		       imalog_hasher_engine(), imalog_hasher_library(), tpm ? tpm : "",
		       tpm ? "\n" : "", JANSSON_VERSION, missing ? missing : "nothing");
	return stdout_flush();
}
