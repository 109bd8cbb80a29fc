// SPDX-License-Identifier: GPL-2.0-or-later
/* imalog --version: what this program is, and what was left out of it when it was built. */
#include "cli.h"
#include "version.h"

/* In the order of configure --help; each begins with ", ", which the first one loses. */
static const char left_out[] = ""
#ifndef HAVE_LIBCBOR
	", libcbor"
#endif
#ifndef HAVE_TPM2_TSS
	", tpm2-tss"
#endif
	;

const char *version_left_out(void)
{
	return sizeof(left_out) > 1 ? left_out + 2 : NULL;
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
