// SPDX-License-Identifier: GPL-2.0-or-later
/* What sig-verify found: a line a record, then keys, directories, and the verdict. */
#include <inttypes.h>
#include <search.h>
#include <string.h>

#include "sig.h"

/* For programs */
static const char *const status_words[SIG_STATUSES] = {
	[IMALOG_SIG_NONE] = "none",
	[IMALOG_SIG_OK] = "ok",
	[IMALOG_SIG_BAD] = "bad",
	[IMALOG_SIG_UNKNOWN_KEY] = "unknown-key",
	[IMALOG_SIG_UNSUPPORTED] = "unsupported",
};

static const char *const sources[] = {
	[IMALOG_SIG_SOURCE_FILE] = "file",
	[IMALOG_SIG_SOURCE_LOG] = "log",
	[IMALOG_SIG_SOURCE_KERNEL] = "keyring",
};

static struct imalog_span span_of(const char *text)
{
	return (struct imalog_span){ (const uint8_t *)text, strlen(text) };
}

static const struct imalog_sig_result *result_of(const struct sig_verify *verify,
						 const struct sig_item *item, size_t i)
{
	return &verify->results[item->first + i];
}

/* The one that decides */
static const struct imalog_sig_result *worst_of(const struct sig_verify *verify,
						const struct sig_item *item)
{
	enum imalog_sig_status status = sig_status(verify, item);

	for (size_t i = 0; i < item->nr; i++)
		if (result_of(verify, item, i)->status == status)
			return result_of(verify, item, i);
	return NULL;
}

/* ---- records ---- */

static json_t *result_json(const struct sig_verify *verify,
			   const struct imalog_sig_result *result)
{
	json_t *json = json_pack("{s:s, s:s}", "field", imalog_field_id_name(result->field),
				 "status", status_words[result->status]);
	struct imalog_sig_key_info key;

	if (result->sig.version)
		json_object_set_new(json, "version", json_integer(result->sig.version));
	if (result->sig.hash_name)
		json_object_set_new(json, "hash", json_string(result->sig.hash_name));
	if (result->has_keyid)
		json_object_set_new(json, "key_id",
				    json_hex((struct imalog_span){ result->sig.keyid, 4 }));
	if (result->reason[0])
		json_object_set_new(json, "reason", json_string(result->reason));
	if (result->key != IMALOG_SIG_NO_KEY &&
	    imalog_sig_keys_get(verify->keys, result->key, &key)) {
		json_object_set_new(json, "key", json_integer((json_int_t)result->key));
		json_object_set_new(json, "trust",
				    json_string(imalog_verdict_name(key.trust)));
	}
	return json;
}

static bool item_json(const struct sig_verify *verify, const struct sig_item *item)
{
	json_t *signatures = json_array();
	json_t *json = json_pack("{s:I, s:o, s:s, s:o}", "record",
				 (json_int_t)imalog_record_number(item->record), "name",
				 json_text(imalog_record_name(item->record)), "status",
				 status_words[sig_status(verify, item)], "signatures",
				 signatures);

	for (size_t i = 0; i < item->nr; i++)
		if (result_of(verify, item, i)->status != IMALOG_SIG_NONE)
			json_array_append_new(signatures,
					      result_json(verify,
							  result_of(verify, item, i)));
	if (item->fit == IMALOG_FIT_NO)
		json_object_set_new(json, "digest_fits", json_false());
	return print_json(stdout, json);
}

static const char *reason_of(const struct sig_item *item,
			     const struct imalog_sig_result *worst)
{
	if (item->fit == IMALOG_FIT_NO && !(worst && worst->status == IMALOG_SIG_BAD))
		return "the recorded digest does not fit";
	if (!item->known)
		return "its fields are not known";
	return worst ? worst->reason : "";
}

bool sig_report_item(const struct sig_verify *verify, const struct sig_item *item)
{
	const struct imalog_sig_result *worst = worst_of(verify, item);
	const char *reason = reason_of(item, worst);

	if (verify->options.json)
		return item_json(verify, item);
	printf("%5" PRIu64 " %-13s ", imalog_record_number(item->record),
	       imalog_sig_status_name(sig_status(verify, item)));
	if (worst && worst->has_keyid)
		print_hex(stdout, (struct imalog_span){ worst->sig.keyid, 4 });
	else
		printf("%-8s", "-");
	putchar(' ');
	print_text(stdout, imalog_record_name(item->record));
	if (reason[0])
		printf("  (%s)", reason);
	return putchar('\n') != EOF;
}

/* ---- keys ---- */

static void print_counts(const struct sig_counts *counts)
{
	const char *comma = "";

	for (int i = 0; i < SIG_STATUSES; i++)
		if (counts->of[i]) {
			printf("%s%" PRIu64 " %s", comma, counts->of[i],
			       imalog_sig_status_name((enum imalog_sig_status)i));
			comma = ", ";
		}
}

/* Was it measured before it was needed?  That is for the log to say. */
static void print_order(const struct imalog_sig_key_info *key, const struct sig_counts *counts)
{
	if (!key->record)
		return;
	printf("; measured in record %" PRIu64, key->record);
	if (counts->first > key->record)
		printf(", before its first use in record %" PRIu64, counts->first);
	else if (counts->first)
		printf(", after its first use in record %" PRIu64, counts->first);
}

static void print_key(const struct sig_verify *verify, size_t i)
{
	struct imalog_sig_key_info key;
	struct sig_counts counts = sig_counts_of(verify, i);

	imalog_sig_keys_get(verify->keys, i, &key);
	printf("  ");
	if (key.has_keyid)
		print_hex(stdout, (struct imalog_span){ key.keyid, sizeof(key.keyid) });
	else
		printf("%-8s", "-");
	printf("  %s ", sources[key.source]);
	print_quoted(stdout, span_of(key.name));
	if (key.subject[0]) {
		printf(", ");
		print_text(stdout, span_of(key.subject));
	}
	printf(", %s; ", key.text);
	if (counts.first)
		print_counts(&counts);
	else
		printf("not used");
	print_order(&key, &counts);
	if (key.trust != IMALOG_MATCH)
		printf("; %s: %s",
		       key.trust == IMALOG_MISMATCH ? "NOT TRUSTED" : "trust not checked",
		       key.reason);
	putchar('\n');
}

static bool has_key(const struct sig_verify *verify, const uint8_t id[4])
{
	struct imalog_sig_key_info key;

	for (size_t i = 0; imalog_sig_keys_get(verify->keys, i, &key); i++)
		if (key.has_keyid && memcmp(key.keyid, id, sizeof(key.keyid)) == 0)
			return true;
	return false;
}

static void print_keys(const struct sig_verify *verify)
{
	size_t nr = imalog_sig_keys_count(verify->keys);

	if (nr || verify->nr_ids)
		printf("Keys:\n");
	for (size_t i = 0; i < nr; i++)
		print_key(verify, i);
	for (size_t i = 0; i < verify->nr_ids; i++) {
		const struct sig_id *id = &verify->ids[i];

		if (has_key(verify, id->id))
			continue;
		printf("  ");
		print_hex(stdout, (struct imalog_span){ id->id, sizeof(id->id) });
		printf("  not given; ");
		print_counts(&id->counts);
		printf(", first in record %" PRIu64 "\n", id->counts.first);
	}
	if (verify->ids_left_out)
		printf("  and more\n");
}

static json_t *counts_json(const struct sig_counts *counts)
{
	json_t *json = json_object();

	for (int i = 0; i < SIG_STATUSES; i++)
		json_object_set_new(json, status_words[i],
				    json_integer((json_int_t)counts->of[i]));
	return json;
}

static json_t *key_json(const struct sig_verify *verify, size_t i)
{
	struct imalog_sig_key_info key;
	struct sig_counts counts = sig_counts_of(verify, i);
	json_t *json;

	imalog_sig_keys_get(verify->keys, i, &key);
	json = json_pack("{s:s, s:o, s:o, s:s, s:b, s:s, s:s}", "source",
			 sources[key.source], "name", json_text(span_of(key.name)), "subject",
			 json_text(span_of(key.subject)), "kind", key.text, "usable",
			 key.usable, "trust", imalog_verdict_name(key.trust), "reason",
			 key.reason);
	if (key.has_keyid)
		json_object_set_new(json, "key_id",
				    json_hex((struct imalog_span){ key.keyid, 4 }));
	if (key.record)
		json_object_set_new(json, "measured_in",
				    json_integer((json_int_t)key.record));
	if (counts.first) {
		json_object_set_new(json, "signatures", counts_json(&counts));
		json_object_set_new(json, "first_used_in",
				    json_integer((json_int_t)counts.first));
	}
	return json;
}

static json_t *keys_json(const struct sig_verify *verify)
{
	json_t *array = json_array();

	for (size_t i = 0; i < imalog_sig_keys_count(verify->keys); i++)
		json_array_append_new(array, key_json(verify, i));
	for (size_t i = 0; i < verify->nr_ids; i++) {
		const struct sig_id *id = &verify->ids[i];

		if (!has_key(verify, id->id))
			json_array_append_new(
				array,
				json_pack("{s:n, s:o, s:o, s:I}", "source", "key_id",
					  json_hex((struct imalog_span){ id->id, 4 }),
					  "signatures", counts_json(&id->counts),
					  "first_used_in", (json_int_t)id->counts.first));
	}
	return array;
}

/* ---- directories ---- */

static void print_dir(const struct sig_dir *dir)
{
	printf("  ");
	if (dir->name)
		print_text(stdout, (struct imalog_span){ (const uint8_t *)dir->name,
							 dir->size });
	else
		printf("(others)");
	printf("  ");
	print_counts(&dir->counts);
	putchar('\n');
}

static void visit_text(const void *node, VISIT visit, void *arg)
{
	(void)arg;
	if (visit == postorder || visit == leaf)
		print_dir(*(struct sig_dir *const *)node);
}

static json_t *dir_json(const struct sig_dir *dir)
{
	struct imalog_span name = { (const uint8_t *)dir->name, dir->size };

	return json_pack("{s:o, s:o}", "directory", dir->name ? json_text(name) : json_null(),
			 "records", counts_json(&dir->counts));
}

static void visit_json(const void *node, VISIT visit, void *arg)
{
	if (visit == postorder || visit == leaf)
		json_array_append_new(arg, dir_json(*(struct sig_dir *const *)node));
}

static void print_dirs(const struct sig_verify *verify)
{
	if (verify->nr_dirs)
		printf("Directories:\n");
	twalk_r(verify->dirs, visit_text, NULL);
	if (verify->others.counts.first)
		print_dir(&verify->others);
}

static json_t *dirs_json(const struct sig_verify *verify)
{
	json_t *array = json_array();

	twalk_r(verify->dirs, visit_json, array);
	if (verify->others.counts.first)
		json_array_append_new(array, dir_json(&verify->others));
	return array;
}

/* ---- the verdict ---- */

/* Does a key that has signed something have this answer about its trust? */
static bool any_used(const struct sig_verify *verify, enum imalog_verdict trust)
{
	struct imalog_sig_key_info key;

	for (size_t i = 0; i < verify->nr_by_key; i++)
		if (sig_is_used(verify, i) && imalog_sig_keys_get(verify->keys, i, &key) &&
		    key.trust == trust)
			return true;
	return false;
}

static const char *why_not(const struct sig_verify *verify)
{
	const uint64_t *of = verify->total.of;

	return verify->misfits	  ? "a record's digest does not fit its data" :
	       of[IMALOG_SIG_BAD] ? "a signature is bad" :
	       any_used(verify, IMALOG_MISMATCH) ?
				    "a key that was used is not trusted" :
	       verify->all && verify->unsigned_files ? "a file has no signature" :
						       NULL;
}

/* Could a signature of a key that is not known be that of one that is in the set? */
static bool is_incomplete(const struct sig_verify *verify)
{
	struct imalog_sig_key_info key;

	for (size_t i = 0; imalog_sig_keys_get(verify->keys, i, &key); i++)
		if (!key.has_keyid)
			return true;
	return verify->incomplete || verify->keys_left_out;
}

static const char *why_unable(const struct sig_verify *verify, bool complete)
{
	const uint64_t *of = verify->total.of;

	return !complete ? "the log was not read to its end" :
	       of[IMALOG_SIG_UNKNOWN_KEY] && !verify->allow_unknown ? "a key is not known" :
	       of[IMALOG_SIG_UNKNOWN_KEY] && is_incomplete(verify) ?
					    "a key that is not known may be one that could not be used" :
	       verify->all && verify->maybe_files ?
					    "a record that is called boot_aggregate may be of a file" :
	       of[IMALOG_SIG_UNSUPPORTED] ? "a signature cannot be verified" :
	       of[IMALOG_SIG_OK] == 0	  ? "no signature was verified" :
	       any_used(verify, IMALOG_NOT_CHECKED) ?
					    "nothing says that a key that was used is to be trusted" :
	       log_is_doubtful(&verify->log) ? "the log may have records twice" :
					       NULL;
}

static void print_summary(const struct sig_verify *verify, const char *verdict,
			const char *reason)
{
	const uint64_t *of = verify->total.of;

	print_keys(verify);
	print_dirs(verify);
	if (verify->keys_left_out)
		printf("Left out: %" PRIu64 " certificates in the log, which has too many.\n",
		       verify->keys_left_out);
	printf("Records: %" PRIu64 " ok, %" PRIu64 " bad signature, %" PRIu64
	       " unknown key, %" PRIu64 " unsupported, %" PRIu64 " no signature.\n",
	       of[IMALOG_SIG_OK], of[IMALOG_SIG_BAD], of[IMALOG_SIG_UNKNOWN_KEY],
	       of[IMALOG_SIG_UNSUPPORTED], of[IMALOG_SIG_NONE]);
	printf("Verdict: %s%s%s\n", verdict, reason ? ": " : "", reason ? reason : "");
}

static bool summary_json(const struct sig_verify *verify, const char *verdict,
			const char *reason)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:s}", "keys", keys_json(verify),
				 "directories", dirs_json(verify), "records",
				 counts_json(&verify->total), "verdict", verdict);

	if (verify->misfits)
		json_object_set_new(json, "bad_digests",
				    json_integer((json_int_t)verify->misfits));
	if (reason)
		json_object_set_new(json, "reason", json_string(reason));
	return print_json(stdout, json);
}

int sig_report(const struct sig_verify *verify, bool complete)
{
	const char *no = why_not(verify), *unable = no ? NULL : why_unable(verify, complete);
	const char *verdict = no ? "FAIL" : unable ? "not checked" : "ok";
	int rc = no ? EXIT_NO : unable ? EXIT_UNABLE : EXIT_YES;

	if (verify->options.quiet)
		return rc;
	if (!verify->options.json)
		print_summary(verify, verdict, no ? no : unable);
	else if (!summary_json(verify,
			      no ? "fail" : unable ? "not-checked" : "ok", no ? no : unable))
		return EXIT_UNABLE;
	return rc;
}
