// SPDX-License-Identifier: GPL-2.0-or-later
/* Fuzz target: lists of 2018. */
#include "tlv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return tlv_fuzz(IMALOG_FORMAT_TLV2018, data, size);
}
