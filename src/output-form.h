/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that logs are written in, for the commands that write one. */
#ifndef IMALOG_CLI_OUTPUT_FORM_H
#define IMALOG_CLI_OUTPUT_FORM_H

#include "cli.h"

struct output_form {
	const char *name;
	enum imalog_format format;
	enum imalog_order order;
	bool is_text;
	bool sequence; /* no array */
};
/* By its name; EXIT_YES, or EXIT_USAGE with a message. */
int output_form_choose(const struct command *command, const char *name,
		       const struct output_form **ret);

#endif /* IMALOG_CLI_OUTPUT_FORM_H */
