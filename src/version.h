/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this imalog is, and what was left out of it */
#ifndef IMALOG_VERSION_H
#define IMALOG_VERSION_H

#include <stdbool.h>

/* Parts that were left out of this build, as "tpm2-tss, libcbor"; NULL: none */
const char *version_left_out(void);

/* What --version prints, and with -v; returns the exit code. */
int version_print(bool verbose);

#endif /* IMALOG_VERSION_H */
