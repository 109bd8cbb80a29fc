// SPDX-License-Identifier: GPL-2.0-or-later
/* The formats that logs are written in, by their names. */
#include <string.h>

#include "output-form.h"

int output_form_choose(const struct command *command, const char *name,
		       const struct output_form **ret)
{
	static const struct output_form forms[] = {
		{ "kernel", IMALOG_FORMAT_KERNEL, IMALOG_ORDER_LE, false, false },
		{ "kernel-be", IMALOG_FORMAT_KERNEL, IMALOG_ORDER_BE, false, false },
		{ "ascii", IMALOG_FORMAT_ASCII, IMALOG_ORDER_AUTO, true, false },
		{ "cel-tlv", IMALOG_FORMAT_CEL_TLV, IMALOG_ORDER_AUTO, false, false },
		{ "cel-json", IMALOG_FORMAT_CEL_JSON, IMALOG_ORDER_AUTO, true, false },
		{ "cel-json-seq", IMALOG_FORMAT_CEL_JSON, IMALOG_ORDER_AUTO, true, true },
		{ "cel-cbor", IMALOG_FORMAT_CEL_CBOR, IMALOG_ORDER_AUTO, false, false },
		{ "cel-cbor-seq", IMALOG_FORMAT_CEL_CBOR, IMALOG_ORDER_AUTO, false, true },
		{ "tlv2018", IMALOG_FORMAT_TLV2018, IMALOG_ORDER_AUTO, false, false },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (strcmp(forms[i].name, name) == 0) {
			*ret = &forms[i];
			return EXIT_YES;
		}
	}
	return usage_error(command, "format '%s' cannot be written", name);
}
