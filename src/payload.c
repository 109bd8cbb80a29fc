// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the buffers that IMA measured say (field `buf`), by the name of their event
 *
 *	kexec_load, kexec_execute	ima_kexec.c
 *	kernel_version			ima_init.c
 *	kexec-cmdline			ima_main.c, ima_kexec_cmdline()
 *	ima_policy_loaded, _written	rules, as the policy file takes them
 *	selinux-state, -policy-hash	security/selinux/ima.c
 *	dm_*				drivers/md/dm-ima.c
 *	trim_ima_event_logs		kernel patches of 2025 and 2026 that trim the list
 *	snapshot_aggregate		kernel patches of 2023 (both in lib/marker.c)
 *	a keyring's name		ima_asymmetric_keys.c: the key as it was added
 *
 * The bytes are untrusted and a name proves nothing: bytes of another shape than the kernel's
 * give nothing at all.
 */
#include <string.h>

#include "payload.h"

/* Above all that the kernel measures: keys have up to 1 MiB, the rest a few pages. */
#define PAYLOAD_MAX ((size_t)1 << 20)
#define SUBJECT_SIZE 1024

/* ---- text, taken from its start ---- */

bool text_is(struct imalog_span text, const char *literal)
{
	return text.size == strlen(literal) && memcmp(text.data, literal, text.size) == 0;
}

struct imalog_span text_take(struct imalog_span *text, size_t size)
{
	struct imalog_span taken = { text->data, size };

	text->data += size;
	text->size -= size;
	return taken;
}

bool text_take_literal(struct imalog_span *text, const char *literal)
{
	size_t size = strlen(literal);

	if (text->size < size || memcmp(text->data, literal, size) != 0)
		return false;
	text_take(text, size);
	return true;
}

struct imalog_span text_take_set(struct imalog_span *text, const char *set)
{
	size_t size = 0;

	while (size < text->size && text->data[size] && strchr(set, text->data[size]))
		size++;
	return text_take(text, size);
}

bool text_take_number(struct imalog_span *text, uint64_t *ret)
{
	struct imalog_span digits = text_take_set(text, DIGITS);
	uint64_t value = 0;

	if (digits.size == 0 || (digits.size > 1 && digits.data[0] == '0'))
		return false;
	for (size_t i = 0; i < digits.size; i++) {
		unsigned int digit = digits.data[i] - (unsigned int)'0';

		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

/* ---- objects ---- */

bool object_put(json_t *object, const char *key, json_t *value)
{
	if (json_object_get(object, key)) {
		json_decref(value);
		return false;
	}
	return json_object_set_new(object, key, value) == 0;
}

json_t *object_finish(json_t *object, bool ok)
{
	if (ok)
		return object;
	json_decref(object);
	return NULL;
}

json_t *json_uint(uint64_t value)
{
	if (value > INT64_MAX)
		return json_sprintf("%llu", (unsigned long long)value);
	return json_integer((json_int_t)value);
}

/* ---- texts of fixed form: kexec ---- */

/* A number, the text in front of it and the key that it gets. */
struct part {
	const char *before;
	const char *key;
};

/* The parts, of which the last has no key, to the end of the text. */
static json_t *decode_form(struct imalog_span text, const struct part *parts)
{
	json_t *object = json_object();
	bool ok = true;

	for (; ok && parts->key; parts++) {
		uint64_t value;

		ok = text_take_literal(&text, parts->before) &&
		     text_take_number(&text, &value) &&
		     object_put(object, parts->key, json_uint(value));
	}
	return object_finish(object, ok && text_is(text, parts->before));
}

static json_t *decode_kexec(struct imalog_span text)
{
	static const struct part parts[] = {
		{ "kexec_segment_size=", "kexec_segment_size" },
		{ ";ima_binary_runtime_size=", "ima_binary_runtime_size" },
		{ ";ima_runtime_measurements_count=", "ima_runtime_measurements_count" },
		{ ";", NULL },
	};

	return decode_form(text, parts);
}

/* ---- single values ---- */

static json_t *decode_version(struct imalog_span text)
{
	json_t *object = json_object();
	bool ok = text.size <= 64; /* __NEW_UTS_LEN */

	for (size_t i = 0; i < text.size; i++)
		ok = ok && text.data[i] > ' ' && text.data[i] < 0x7f;
	ok = ok && object_put(object, "kernel_version", json_text(text));
	return object_finish(object, ok);
}

/* Whatever the caller of kexec gave: there is no shape to check. */
static json_t *decode_cmdline(struct imalog_span text)
{
	json_t *object = json_object();

	return object_finish(object, object_put(object, "cmdline", json_text(text)));
}

/* A digest alone, of the algorithm that the record's digest field names. */
static json_t *decode_policy_hash(struct imalog_span bytes)
{
	static const uint8_t sizes[] = { 16, 20, 24, 28, 32, 40, 48, 64 };
	json_t *object = json_object();
	bool ok = bytes.size <= 64 && memchr(sizes, (int)bytes.size, sizeof(sizes));

	return object_finish(object, ok && object_put(object, "policy_hash", json_hex(bytes)));
}

/* ---- SELinux: initialized=1;enforcing=1;... more with each kernel ---- */

static bool take_flag(struct imalog_span *text, json_t *object)
{
	struct imalog_span key = text_take_set(text, WORD);
	char name[64];
	bool set;

	if (key.size == 0 || key.size >= sizeof(name))
		return false;
	memcpy(name, key.data, key.size);
	name[key.size] = '\0';
	set = text_take_literal(text, "=1;");
	return (set || text_take_literal(text, "=0;")) &&
	       object_put(object, name, json_integer(set));
}

static json_t *decode_selinux_state(struct imalog_span text)
{
	json_t *object = json_object();
	bool ok = true;

	while (ok && text.size)
		ok = take_flag(&text, object);
	return object_finish(object, ok && json_object_get(object, "initialized"));
}

/* ---- IMA policy ---- */

static const char *const actions[] = {
	"measure", "dont_measure", "appraise", "dont_appraise",
	"audit",   "dont_audit",   "hash",     "dont_hash",
};

#define NR_ACTIONS (sizeof(actions) / sizeof(actions[0]))

/* The next line; false when there is a control character in it, other than a tab. */
static bool take_line(struct imalog_span *text, struct imalog_span *ret)
{
	size_t size = 0;

	for (; size < text->size && text->data[size] != '\n'; size++)
		if ((text->data[size] < ' ' && text->data[size] != '\t') ||
		    text->data[size] == 0x7f)
			return false;
	*ret = text_take(text, size);
	text_take_literal(text, "\n");
	return true;
}

/* The index of the action that the line begins with, NR_ACTIONS when there is none. */
static size_t find_action(struct imalog_span line)
{
	struct imalog_span word = text_take_set(&line, WORD);
	size_t i = 0;

	if (line.size && line.data[0] != ' ' && line.data[0] != '\t')
		return NR_ACTIONS;
	while (i < NR_ACTIONS && !text_is(word, actions[i]))
		i++;
	return i;
}

/* How many rules there are, of each action too, and the first one. */
static json_t *describe_rules(const size_t counts[NR_ACTIONS], struct imalog_span first)
{
	json_t *object = json_object();
	size_t rules = 0;
	bool ok;

	for (size_t i = 0; i < NR_ACTIONS; i++)
		rules += counts[i];
	ok = rules > 0 && object_put(object, "rules", json_uint(rules));
	for (size_t i = 0; ok && i < NR_ACTIONS; i++)
		ok = counts[i] == 0 || object_put(object, actions[i], json_uint(counts[i]));
	while (first.size && strchr(" \t", first.data[first.size - 1]))
		first.size--; /* ima_policy_show() ends rules in a blank */
	return object_finish(object, ok && object_put(object, "first", json_text(first)));
}

static json_t *decode_policy(struct imalog_span text)
{
	size_t counts[NR_ACTIONS] = { 0 };
	struct imalog_span first = { NULL, 0 }, line;

	while (text.size) {
		size_t action;

		if (!take_line(&text, &line))
			return NULL;
		text_take_set(&line, " \t");
		if (line.size == 0 || line.data[0] == '#')
			continue;
		action = find_action(line);
		if (action == NR_ACTIONS)
			return NULL;
		counts[action]++;
		if (!first.data)
			first = line;
	}
	return describe_rules(counts, first);
}

/* ---- markers: the library knows them ---- */

static json_t *json_snapshot(const struct imalog_marker *marker,
			     const struct imalog_pcrs *values)
{
	json_t *object = json_object(), *pcrs = json_object();
	bool ok = object_put(object, "Snapshot_Attempt_Count", json_uint(marker->attempt)) &&
		  json_object_set(object, "pcrs", pcrs) == 0;

	for (size_t i = 0; ok && i < imalog_pcrs_count(values); i++) {
		enum imalog_alg alg;
		uint32_t pcr;
		struct imalog_span value = { imalog_pcrs_at(values, i, &alg, &pcr), 0 };
		char key[32];

		value.size = imalog_alg_size(alg);
		snprintf(key, sizeof(key), "%s:%u", imalog_alg_name(alg), pcr);
		ok = object_put(pcrs, key, json_hex(value));
	}
	json_decref(pcrs);
	return object_finish(object, ok);
}

static json_t *json_trim(const struct imalog_marker *marker)
{
	json_t *object = json_object();
	const char *key = marker->of_this_trim ? "log_trim_this_time" : "number";

	return object_finish(object, object_put(object, "time", json_uint(marker->time)) &&
					     object_put(object, key, json_uint(marker->number)));
}

/* What is no marker as these kernels measured them is said to be none. */
static json_t *decode_marker(struct imalog_span name, struct imalog_span data)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();
	struct imalog_marker marker;
	json_t *object = NULL;
	int rc = pcrs ? imalog_marker_parse(name, data, &marker, pcrs, NULL) : 0;

	if (rc > 0)
		object = marker.kind == IMALOG_MARKER_SNAPSHOT ? json_snapshot(&marker, pcrs) :
								 json_trim(&marker);
	imalog_pcrs_free(&pcrs);
	return object;
}

/* ---- keys ---- */

static json_t *decode_certificate(struct imalog_span der)
{
	char subject[SUBJECT_SIZE];
	struct imalog_span text = { (const uint8_t *)subject, 0 };
	uint8_t keyid[4];
	json_t *object, *certificate;
	bool ok;

	if (imalog_cert_describe(der, subject, sizeof(subject), keyid) < 0)
		return NULL;
	text.size = strlen(subject);
	object = json_object();
	certificate = json_object();
	ok = object_put(certificate, "subject", json_text(text));
	if (memcmp(keyid, "\0\0\0\0", sizeof(keyid)) != 0) /* it has one */
		ok = ok && object_put(certificate, "key_id",
				      json_hex((struct imalog_span){ keyid, sizeof(keyid) }));
	ok = object_put(object, "certificate", certificate) && ok;
	return object_finish(object, ok);
}

/* ---- by name ---- */

static json_t *decode_named(struct imalog_span name, struct imalog_span data)
{
	static const struct {
		const char *name;
		json_t *(*decode)(struct imalog_span data);
	} events[] = {
		{ "kexec_load", decode_kexec },
		{ "kexec_execute", decode_kexec },
		{ "kernel_version", decode_version },
		{ "kexec-cmdline", decode_cmdline },
		{ "kexec_cmdline", decode_cmdline },
		{ "ima_policy", decode_policy },
		{ "ima_policy_loaded", decode_policy },
		{ "ima_policy_written", decode_policy },
		{ "selinux-state", decode_selinux_state },
		{ "selinux-policy-hash", decode_policy_hash },
	};
	struct imalog_span rest = name;

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (text_is(name, events[i].name))
			return events[i].decode(data);
	if (text_take_literal(&rest, "dm_"))
		return payload_device_mapper(data);
	if (text_take_literal(&rest, "/")) /* a policy, by the path that was written */
		return decode_policy(data);
	return decode_marker(name, data);
}

json_t *payload_decode(struct imalog_span name, struct imalog_span data)
{
	json_t *object = NULL;

	if (data.size == 0 || data.size > PAYLOAD_MAX)
		return NULL;
	/* A keyring can have any name, that of an event too.  DER begins with a SEQUENCE. */
	if (data.data[0] == 0x30)
		object = decode_certificate(data);
	return object ? object : decode_named(imalog_field_text(name), data);
}
