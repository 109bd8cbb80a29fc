// SPDX-License-Identifier: GPL-2.0-or-later
/* Times on the command line and in the configuration. */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "cli.h"

bool parse_duration(const char *text, unsigned int *ret)
{
	static const struct {
		const char *unit;
		unsigned int ms;
	} units[] = {
		{ "ms", 1 },	    { "", 1000 },	  { "s", 1000 },
		{ "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 24 * 3600 * 1000 },
	};
	unsigned long long number = 0;
	const char *unit = text;

	for (; isdigit((unsigned char)*unit); unit++) {
		number = 10 * number + (unsigned int)(*unit - '0');
		if (number > UINT_MAX)
			return false;
	}
	for (size_t i = 0; unit != text && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].unit, unit) == 0 && number <= UINT_MAX / units[i].ms) {
			*ret = (unsigned int)number * units[i].ms;
			return true;
		}
	return false;
}
