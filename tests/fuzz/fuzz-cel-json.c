// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz target: Canonical Event Logs as JSON. */
#include "tlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return tlv_fuzz(IMALOG_FORMAT_CEL_JSON, data, size);
}
