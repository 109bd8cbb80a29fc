// SPDX-License-Identifier: LGPL-2.1-or-later
/* Digests and PCR values in the JSON of receipts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "store.h"

json_t *imalog_json_hex(const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * IMALOG_DIGEST_MAX];

	if (size > IMALOG_DIGEST_MAX)
		return NULL;
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[data[i] >> 4];
		text[2 * i + 1] = digits[data[i] & 15];
	}
	return json_stringn_nocheck(text, 2 * size);
}

bool imalog_json_to_hex(const json_t *json, uint8_t *out, size_t size)
{
	struct imalog_span text = { (const uint8_t *)json_string_value(json),
				    json_string_length(json) };

	return text.data && text.size == 2 * size && imalog_hex_decode(text, out);
}

bool imalog_json_to_word(const json_t *json, char *out, size_t size)
{
	if (!json)
		return true;
	if (!json_is_string(json) || json_string_length(json) >= size)
		return false;
	memcpy(out, json_string_value(json), json_string_length(json) + 1);
	for (; *out; out++)
		if (*out <= ' ' || *out > '~')
			return false;
	return true;
}

bool imalog_json_to_time(const json_t *json, char out[IMALOG_TIME_SIZE])
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";

	if (!imalog_json_to_word(json, out, IMALOG_TIME_SIZE))
		return false;
	if (out[0] && strlen(out) != strlen(form))
		return false;
	for (size_t i = 0; out[i]; i++)
		if (form[i] == 'd' ? out[i] < '0' || out[i] > '9' : out[i] != form[i])
			return false;
	return true;
}

json_t *imalog_json_of_pcrs(const struct imalog_pcrs *pcrs)
{
	json_t *json = json_object();

	for (size_t i = 0; json && i < imalog_pcrs_count(pcrs); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		const uint8_t *value = imalog_pcrs_at(pcrs, i, &alg, &pcr);
		const char *bank = imalog_alg_name(alg);
		char number[16];

		snprintf(number, sizeof(number), "%u", pcr);
		if (!json_object_get(json, bank))
			json_object_set_new(json, bank, json_object());
		if (json_object_set_new(json_object_get(json, bank), number,
					imalog_json_hex(value, imalog_alg_size(alg))) != 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static int take_value(struct imalog_pcrs *pcrs, const char *bank, const char *pcr_text,
		      const json_t *json, struct imalog_error *error)
{
	enum imalog_alg alg = imalog_alg_by_name(bank);
	uint8_t value[IMALOG_DIGEST_MAX];
	uint64_t pcr;

	if (alg == IMALOG_ALG_NONE || !imalog_json_to_hex(json, value, imalog_alg_size(alg)) ||
	    !imalog_decimal_decode(imalog_span_of(pcr_text), IMALOG_PCR_MAX, &pcr))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "pcrs", "a PCR value is none");
	return imalog_pcrs_set(pcrs, alg, (uint32_t)pcr,
			       (struct imalog_span){ value, imalog_alg_size(alg) }, error);
}

int imalog_json_to_pcrs(const json_t *json, struct imalog_pcrs *pcrs,
			struct imalog_error *error)
{
	/* jansson iterates over what it could also change. */
	json_t *banks = (json_t *)json, *values, *value;
	const char *bank, *pcr;
	int rc = 0;

	json_object_foreach(banks, bank, values)
	{
		json_object_foreach(values, pcr, value)
		{
			rc = take_value(pcrs, bank, pcr, value, error);
			if (rc < 0)
				return rc;
		}
	}
	return rc;
}
