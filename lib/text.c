// SPDX-License-Identifier: LGPL-2.1-or-later
/* Numbers in text: hexadecimal and decimal, nothing more lenient. */
#include "private.h"

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool imalog_hex_decode(struct imalog_span text, uint8_t *out)
{
	if (text.size % 2)
		return false;
	for (size_t i = 0; i < text.size; i += 2) {
		int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool imalog_decimal_decode(struct imalog_span text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (text.size == 0)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		uint64_t digit;

		if (c < '0' || c > '9')
			return false;
		digit = (uint64_t)c - '0';
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}
