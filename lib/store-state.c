// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * PCR values between two records: what a replay stopped with and another one goes on from
 *
 * Which variant of padding a bank has shows only when a value of it is compared (chain.c), and
 * perhaps never.  So all of them are kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "store.h"

/* Far more than the PCRs that policies extend, of all banks */
#define VALUES_MAX 1024

static const char *const variant_names[IMALOG_VARIANTS] = {
	[IMALOG_PERBANK] = "",
	[IMALOG_PADDED] = "/padded",
	[IMALOG_PADDED_SHORT] = "/padded-short",
};

int imalog_state_copy(struct imalog_state *to, const struct imalog_state *from,
		      struct imalog_error *error)
{
	struct imalog_state_value *values = calloc(from->nr + 1, sizeof(*values));

	if (!values)
		return imalog_fail_nomem(error);
	if (from->nr)
		memcpy(values, from->values, from->nr * sizeof(*values));
	free(to->values);
	to->values = values;
	to->nr = from->nr;
	return 0;
}

void imalog_state_free(struct imalog_state *state)
{
	free(state->values);
	*state = (struct imalog_state){ NULL, 0 };
}

static bool value_equal(const struct imalog_state_value *a, const struct imalog_state_value *b)
{
	if (a->alg != b->alg || a->pcr != b->pcr)
		return false;
	for (int v = 0; v < IMALOG_VARIANTS; v++)
		if (a->known[v] != b->known[v] ||
		    (a->known[v] &&
		     memcmp(a->values[v], b->values[v], imalog_alg_size(a->alg)) != 0))
			return false;
	return true;
}

bool imalog_state_equal(const struct imalog_state *a, const struct imalog_state *b)
{
	if (a->nr != b->nr)
		return false;
	for (size_t i = 0; i < a->nr; i++)
		if (!value_equal(&a->values[i], &b->values[i]))
			return false;
	return true;
}

static bool has_bank(const struct imalog_state *state, enum imalog_alg alg)
{
	for (size_t i = 0; i < state->nr; i++)
		if (state->values[i].alg == alg)
			return true;
	return false;
}

static bool has_value(const struct imalog_state *state, const struct imalog_state_value *value)
{
	for (size_t i = 0; i < state->nr; i++)
		if (value_equal(&state->values[i], value))
			return true;
	return false;
}

bool imalog_state_has(const struct imalog_state *whole, const struct imalog_state *part)
{
	for (size_t i = 0; i < part->nr; i++)
		if (!has_value(whole, &part->values[i]))
			return false;
	for (size_t i = 0; i < whole->nr; i++)
		if ((part->nr == 0 || has_bank(part, whole->values[i].alg)) &&
		    !has_value(part, &whole->values[i]))
			return false;
	return true;
}

/* The value of the same PCR and bank in another state, NULL when there is none */
static const struct imalog_state_value *find_value(const struct imalog_state *state,
						   const struct imalog_state_value *value)
{
	for (size_t i = 0; i < state->nr; i++)
		if (state->values[i].alg == value->alg && state->values[i].pcr == value->pcr)
			return &state->values[i];
	return NULL;
}

/* Are they equal, as far as both are known? */
static bool value_agrees(const struct imalog_state_value *a, const struct imalog_state_value *b)
{
	for (int v = 0; v < IMALOG_VARIANTS; v++)
		if (a->known[v] && b->known[v] &&
		    memcmp(a->values[v], b->values[v], imalog_alg_size(a->alg)) != 0)
			return false;
	return true;
}

/* Has @other what @one has, in the banks that it has? */
static bool covers(const struct imalog_state *other, const struct imalog_state *one)
{
	for (size_t i = 0; i < one->nr; i++) {
		const struct imalog_state_value *value = &one->values[i];
		const struct imalog_state_value *its = find_value(other, value);

		if (its ? !value_agrees(value, its) : has_bank(other, value->alg))
			return false;
	}
	return true;
}

bool imalog_state_agrees(const struct imalog_state *a, const struct imalog_state *b)
{
	/* Before the first record no bank has a value. */
	if (a->nr == 0 || b->nr == 0)
		return a->nr == b->nr;
	return covers(a, b) && covers(b, a);
}

bool imalog_state_difference(const struct imalog_state *a, const struct imalog_state *b,
			     const struct imalog_state_value **in_a,
			     const struct imalog_state_value **in_b)
{
	bool found = false;

	for (size_t i = 0; i < a->nr; i++) {
		const struct imalog_state_value *value = &a->values[i];
		const struct imalog_state_value *other = find_value(b, value);

		if (!other || value_agrees(value, other) || !value->known[IMALOG_PERBANK] ||
		    !other->known[IMALOG_PERBANK] ||
		    (found && value->alg != IMALOG_ALG_SHA256))
			continue;
		*in_a = value;
		*in_b = other;
		found = true;
		if (value->alg == IMALOG_ALG_SHA256)
			break;
	}
	return found;
}

/* The value of a PCR, made if need be and in its place by bank and PCR; NULL: no memory. */
static struct imalog_state_value *value_of(struct imalog_state *state, enum imalog_alg alg,
					   uint32_t pcr)
{
	struct imalog_state_value *values;
	size_t i = 0;

	while (i < state->nr && (state->values[i].alg < alg ||
				 (state->values[i].alg == alg && state->values[i].pcr < pcr)))
		i++;
	if (i < state->nr && state->values[i].alg == alg && state->values[i].pcr == pcr)
		return &state->values[i];
	values = reallocarray(state->values, state->nr + 1, sizeof(*values));
	if (!values)
		return NULL;
	memmove(values + i + 1, values + i, (state->nr - i) * sizeof(*values));
	values[i] = (struct imalog_state_value){ .alg = alg, .pcr = pcr };
	state->values = values;
	state->nr++;
	return &values[i];
}

/* ---- replays ---- */

int imalog_state_resume(const struct imalog_state *state, struct imalog_replay *replay,
			uint64_t records, struct imalog_error *error)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < state->nr; i++) {
		const struct imalog_state_value *value = &state->values[i];
		const uint8_t *values[IMALOG_VARIANTS];

		for (int v = 0; v < IMALOG_VARIANTS; v++)
			values[v] = value->known[v] ? value->values[v] : NULL;
		rc = imalog_replay_resume(replay, value->alg, value->pcr, values, records,
					  error);
	}
	return rc;
}

static int take_value(struct imalog_state *state, const struct imalog_replay *replay,
		      enum imalog_alg alg, uint32_t pcr, struct imalog_error *error)
{
	const uint8_t *values[IMALOG_VARIANTS];
	struct imalog_state_value *value;
	size_t size = imalog_alg_size(alg);

	for (int v = 0; v < IMALOG_VARIANTS; v++)
		values[v] = imalog_replay_value(replay, alg, pcr, (enum imalog_variant)v);
	if (!values[IMALOG_PERBANK] && !values[IMALOG_PADDED])
		return 0;
	/* Until the first violation there is one padded value. */
	if (values[IMALOG_PADDED_SHORT] && values[IMALOG_PADDED] &&
	    memcmp(values[IMALOG_PADDED_SHORT], values[IMALOG_PADDED], size) == 0)
		values[IMALOG_PADDED_SHORT] = NULL;
	value = value_of(state, alg, pcr);
	if (!value)
		return imalog_fail_nomem(error);
	for (int v = 0; v < IMALOG_VARIANTS; v++) {
		value->known[v] = values[v];
		if (values[v])
			memcpy(value->values[v], values[v], size);
	}
	return 0;
}

int imalog_state_take(struct imalog_state *state, const struct imalog_replay *replay,
		      struct imalog_error *error)
{
	int rc = 0;

	for (int alg = 1; alg < IMALOG_ALG_COUNT; alg++)
		for (uint32_t pcr = 0; rc == 0 && pcr <= IMALOG_PCR_MAX; pcr++)
			rc = take_value(state, replay, (enum imalog_alg)alg, pcr, error);
	return rc;
}

bool imalog_state_is(const struct imalog_state *state, const struct imalog_pcrs *pcrs)
{
	bool compared = false;

	for (size_t i = 0; i < state->nr; i++) {
		const struct imalog_state_value *value = &state->values[i];
		const uint8_t *is = imalog_pcrs_get(pcrs, value->alg, value->pcr);
		bool equal = !is;

		for (int v = 0; is && v < IMALOG_VARIANTS; v++)
			equal |= value->known[v] && memcmp(is, value->values[v],
							   imalog_alg_size(value->alg)) == 0;
		if (!equal)
			return false;
		compared |= is != NULL;
	}
	return compared;
}

/* ---- JSON ---- */

static bool add_json(json_t *json, const struct imalog_state_value *value, int variant)
{
	char bank[48], pcr[16];
	json_t *values;

	snprintf(bank, sizeof(bank), "%s%s", imalog_alg_name(value->alg),
		 variant_names[variant]);
	snprintf(pcr, sizeof(pcr), "%u", value->pcr);
	values = json_object_get(json, bank);
	if (!values) {
		values = json_object();
		if (json_object_set_new(json, bank, values) != 0)
			return false;
	}
	return json_object_set_new(values, pcr,
				   imalog_json_hex(value->values[variant],
						   imalog_alg_size(value->alg))) == 0;
}

json_t *imalog_state_to_json(const struct imalog_state *state)
{
	json_t *json = json_object();

	for (size_t i = 0; json && i < state->nr; i++) {
		for (int v = 0; v < IMALOG_VARIANTS; v++) {
			if (state->values[i].known[v] &&
			    !add_json(json, &state->values[i], v)) {
				json_decref(json);
				return NULL;
			}
		}
	}
	return json;
}

/* "sha256/padded" -> its algorithm and variant */
static bool parse_bank(const char *text, enum imalog_alg *alg, int *variant)
{
	size_t size = strcspn(text, "/");
	char name[24];

	if (size >= sizeof(name))
		return false;
	memcpy(name, text, size);
	name[size] = '\0';
	*alg = imalog_alg_by_name(name);
	for (*variant = 0; *variant < IMALOG_VARIANTS; (*variant)++)
		if (strcmp(text + size, variant_names[*variant]) == 0)
			return *alg != IMALOG_ALG_NONE;
	return false;
}

static int take_json(struct imalog_state *state, const char *bank, const char *pcr_text,
		     const json_t *json, struct imalog_error *error)
{
	struct imalog_state_value *value;
	enum imalog_alg alg;
	uint64_t pcr;
	int variant;

	if (!parse_bank(bank, &alg, &variant) || state->nr == VALUES_MAX ||
	    !imalog_decimal_decode(imalog_span_of(pcr_text), IMALOG_PCR_MAX, &pcr))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "state",
				   "a PCR value is none");
	value = value_of(state, alg, (uint32_t)pcr);
	if (!value)
		return imalog_fail_nomem(error);
	value->known[variant] = true;
	if (imalog_json_to_hex(json, value->values[variant], imalog_alg_size(alg)))
		return 0;
	return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "state", "a PCR value is none");
}

int imalog_state_from_json(struct imalog_state *state, const json_t *json,
			   struct imalog_error *error)
{
	/* jansson iterates over what it could also change. */
	json_t *banks = (json_t *)json, *pcrs, *value;
	const char *bank, *pcr;
	int rc;

	if (!json_is_object(json))
		return imalog_fail(error, IMALOG_ERR_BAD_VALUE, "state", "no PCR values");
	json_object_foreach(banks, bank, pcrs)
	{
		json_object_foreach(pcrs, pcr, value)
		{
			rc = take_json(state, bank, pcr, value, error);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}
