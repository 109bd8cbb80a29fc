// SPDX-License-Identifier: GPL-2.0-or-later
/* Times on the command line and in the configuration. */
#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "cli.h"

/* In milliseconds, up to @max */
static bool parse_time(const char *text, uint64_t max, uint64_t *ret)
{
	static const struct {
		const char *unit;
		unsigned int ms;
	} units[] = {
		{ "ms", 1 },	    { "", 1000 },	  { "s", 1000 },
		{ "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 },
	};
	uint64_t number = 0;
	const char *unit = text;

	for (; isdigit((unsigned char)*unit); unit++) {
		number = 10 * number + (unsigned int)(*unit - '0');
		if (number > max)
			return false;
	}
	for (size_t i = 0; unit != text && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].unit, unit) == 0 && number <= max / units[i].ms) {
			*ret = number * units[i].ms;
			return true;
		}
	return false;
}

bool parse_duration(const char *text, unsigned int *ret)
{
	uint64_t ms;

	if (!parse_time(text, UINT_MAX, &ms))
		return false;
	*ret = (unsigned int)ms;
	return true;
}

bool parse_age(const char *text, uint64_t *ret)
{
	uint64_t ms;

	if (!parse_time(text, INT64_MAX / 16, &ms))
		return false;
	*ret = ms / 1000 + (ms % 1000 != 0);
	return true;
}
