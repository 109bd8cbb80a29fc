/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands share that take records out of the kernel into the store. */
#ifndef IMALOG_EXPORTING_H
#define IMALOG_EXPORTING_H

#include "quote.h"

/* Behind those of a quote, which is another way to say how many records */
enum {
	OPT_AK = QUOTE_VALUES,
	OPT_EXPORT_OWN, /* first option that is a command's own besides this */
};

#define EXPORTING_LONG                                                                     \
	STORE_LONG, TPM_LONG, { "ak", required_argument, NULL, OPT_AK },                     \
	{ "json", no_argument, NULL, OPT_JSON }
/* Their --help */
#define EXPORTING_TPM_HELP                                                                 \
	"With which TPM to compare, instead of the one that is found:\n"                      \
	"      --tcti TCTI            that of this TCTI, such as device:/dev/tpmrm0\n"        \
	"      --sysfs                the kernel's, through /sys/class/tpm\n"                 \
	"      --no-tpm               none\n"
#define EXPORTING_WAIT_HELP                                                                \
	"      --wait TIME            how long to try while others have a list or the\n"      \
	"                             store open, such as 500ms, 5s, 2m; default 5s\n"
#define EXPORTING_STORE_HELP                                                               \
	"      --store DIR            the store; default /var/lib/imalog\n"                   \
	"      --config FILE          configuration; default /etc/imalog.conf\n"

struct exporting {
	struct options *options; /* the command's */
	bool tells; /* what it did besides, too */
	struct config config;
	struct imalog_export *export;
	struct imalog_error *error;
};

/* Reads the configuration, and has the options above over it; an exit code. */
int exporting_configure(struct exporting *exporting);
/* Makes the export from these; an exit code. */
int exporting_prepare(struct exporting *exporting);
void exporting_free(struct exporting *exporting);
/* Prints what came of the last call, which returned @rc; text, unless it is to be JSON. */
void exporting_print_text(const struct exporting *exporting);
/* @quote: what there is to be said about one, or NULL; taken over.  An exit code, with a message */
int exporting_print_json(const struct exporting *exporting, int rc, json_t *quote);

#endif /* IMALOG_EXPORTING_H */
