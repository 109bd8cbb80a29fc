// SPDX-License-Identifier: GPL-2.0-or-later
/* What the signatures in a record say of themselves; sig-verify checks them. */
#include "show.h"

static const char *type_name(const struct imalog_sig *sig)
{
	switch (sig->type) {
	case IMALOG_SIG_EVM_PORTABLE:
		return "evm";
	case IMALOG_SIG_VERITY:
		return "verity";
	default:
		return "ima";
	}
}

/* Of security.ima: in place of a signature, see enum evm_ima_xattr_type (integrity.h) */
static bool is_digest(struct imalog_span data)
{
	return data.data[0] == 1 || data.data[0] == 4;
}

static void put_one(FILE *cell, enum imalog_field_id id, struct imalog_span data)
{
	struct imalog_sig sig;

	if (id == IMALOG_FIELD_MODSIG) {
		fprintf(cell, "appended:%zu", data.size);
	} else if (is_digest(data)) {
		fputs("digest", cell);
	} else if (imalog_sig_parse(data, &sig, NULL) < 0) {
		fputs("not-known", cell);
	} else {
		fprintf(cell, "%s:v%u:", type_name(&sig), sig.version);
		if (sig.hash_name)
			fputs(sig.hash_name, cell);
		else
			fprintf(cell, "hash-%u", sig.hash);
		putc(':', cell);
		print_hex(cell, (struct imalog_span){ sig.keyid, sizeof(sig.keyid) });
	}
}

/* That of field @i; false when it has none */
static bool find_signature(const struct imalog_record *record, size_t i,
			   struct imalog_span *ret)
{
	*ret = imalog_record_field_data(record, i);
	return imalog_field_is_signature(imalog_record_field_id(record, i)) && ret->size;
}

void put_signatures(FILE *cell, const struct imalog_record *record)
{
	const char *between = "";
	struct imalog_span data;

	for (size_t i = 0; i < imalog_record_fields(record); i++)
		if (find_signature(record, i, &data)) {
			fputs(between, cell);
			put_one(cell, imalog_record_field_id(record, i), data);
			between = ",";
		}
}

static json_t *one_json(enum imalog_field_id id, struct imalog_span data)
{
	json_t *json = json_pack("{s:s, s:I}", "field", imalog_field_id_name(id), "size",
				 (json_int_t)data.size);
	struct imalog_sig sig;
	const char *type = "not-known";

	if (id == IMALOG_FIELD_MODSIG) {
		type = "appended";
	} else if (is_digest(data)) {
		type = "digest";
	} else if (imalog_sig_parse(data, &sig, NULL) == 0) {
		type = type_name(&sig);
		json_object_set_new(json, "version", json_integer(sig.version));
		json_object_set_new(json, "hash",
				    sig.hash_name ? json_string(sig.hash_name) :
						    json_integer(sig.hash));
		json_object_set_new(json, "key_id",
				    json_hex((struct imalog_span){ sig.keyid,
								   sizeof(sig.keyid) }));
	}
	json_object_set_new(json, "type", json_string(type));
	return json;
}

json_t *signatures_json(const struct imalog_record *record)
{
	json_t *array = json_array();
	struct imalog_span data;

	for (size_t i = 0; i < imalog_record_fields(record); i++)
		if (find_signature(record, i, &data))
			json_array_append_new(
				array, one_json(imalog_record_field_id(record, i), data));
	return array;
}
