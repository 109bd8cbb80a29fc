/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the readers and writers of the Canonical Event Log share, by the file that has it. */
#ifndef IMALOG_CEL_H
#define IMALOG_CEL_H

#include "cursor.h"
#include "private.h"

/* Tags of a record's TLVs; content has all tags from 4 on (CEL v1.1, Table 2) */
enum {
	IMALOG_CEL_RECNUM = 0,
	IMALOG_CEL_DIGESTS = 3,
	IMALOG_CEL_MANAGEMENT = 4,
	IMALOG_CEL_PCCLIENT = 5,
	IMALOG_CEL_IMA_TEMPLATE = 7,
	IMALOG_CEL_IMA_TLV = 8,
	IMALOG_CEL_SYSTEMD = 9,
	/* Private: the content TLV of a record of the 2018 list */
	IMALOG_CEL_TLV2018 = 218,
};

/* Tags within content of type cel; 0x80 and 0x81 are another spelling that is read, too */
enum {
	IMALOG_CEL_VERSION = 1,
	IMALOG_CEL_FIRMWARE_END = 2,
	IMALOG_CEL_TIMESTAMP = 80,
	IMALOG_CEL_STATE_TRANS = 81,
};

/* Type and size of a TLV */
#define IMALOG_TLV_HEAD 5
/* PCR numbers of CEL have three bytes */
#define IMALOG_CEL_PCR_MAX 0x00ffffffu
/* Content: template data or an event, with what is around it */
#define IMALOG_CEL_CONTENT_MAX (IMALOG_DATA_MAX + 1024u)
/* TLVs, digests included, that one record may have in any encoding */
#define IMALOG_CEL_VALUES_MAX 4096
/* What a version number and the number of entries of management content may be */
#define IMALOG_CEL_VERSION_MAX 65535
#define IMALOG_CEL_ENTRIES_MAX 64

/* ---- cel.c: what does not depend on the encoding ---- */

/* The next nested TLV of @order; fails when it does not fit in what is left. */
int imalog_tlv_next(struct imalog_cursor *cursor, const char *field, uint8_t *type,
		    struct imalog_span *value, struct imalog_error *error);
/* An integer of no more than 8 bytes; none at all are 0. */
bool imalog_tlv_uint(struct imalog_span value, enum imalog_order order, uint64_t *ret);
void imalog_tlv_add_head(struct imalog_buffer *out, uint8_t type, size_t size);
void imalog_tlv_add_uint(struct imalog_buffer *out, uint8_t type, uint64_t value,
			 size_t size);
/* How many bytes a value needs, 1 to 8 */
size_t imalog_uint_size(uint64_t value);

/* Empties all that a CEL reader fills. */
void imalog_cel_begin(struct imalog_record *record);
int imalog_cel_set_index(struct imalog_record *record, enum imalog_index kind,
			 uint64_t index, struct imalog_error *error);
/* Adds a digest, whose bytes must live as long as the record. */
int imalog_cel_add_digest(struct imalog_record *record, uint64_t tpm_id,
			  struct imalog_span digest, struct imalog_error *error);
/* The fields of nested TLVs 0 to 7 of ima_tlv and of the 2018 list. */
int imalog_cel_parse_ima_tlv(struct imalog_record *record, struct imalog_error *error);
int imalog_cel_set_template(struct imalog_reader *reader, struct imalog_record *record,
			    struct imalog_span name, struct imalog_span data,
			    struct imalog_error *error);
bool imalog_all_ones(struct imalog_span span);
/* When all else is known: is it a violation, may its index be that? */
int imalog_cel_finish(struct imalog_record *record, struct imalog_error *error);

/* Takes what was built for a record into the reader's arena. */
int imalog_cel_keep(struct imalog_reader *reader, struct imalog_span bytes,
		    struct imalog_span *ret, struct imalog_error *error);

/* Is it UTF-8 (RFC 3629), without NUL? */
bool imalog_utf8_is_valid(struct imalog_span text);

/* ---- cel-content.c ---- */

/*
 * Content of any type but ima_template, whose value is the TLV encoding (JSON text for
 * systemd): checks it and knows what it extends.
 */
int imalog_cel_set_content(struct imalog_record *record, uint8_t type,
			   struct imalog_span value, struct imalog_error *error);

/* Entries of management content as numbers; false at their end. */
struct imalog_cel_entry {
	uint8_t type; /* as it is written, never the other spelling */
	uint64_t value;
	uint64_t minor;
};

bool imalog_cel_entry(struct imalog_span content, size_t i, struct imalog_cel_entry *ret);
void imalog_cel_add_entry(struct imalog_buffer *out,
			  const struct imalog_cel_entry *entry);
/*
 * Are the bytes of management content those that its numbers give?  If not they are lost where
 * there are numbers alone, and what was measured is, perhaps, a digest of them.
 */
int imalog_cel_check_entries(const struct imalog_record *record, struct imalog_error *error);
const char *imalog_cel_entry_name(uint8_t type);
const char *imalog_cel_transition_name(uint64_t value);
void imalog_cel_add_event(struct imalog_buffer *out, uint32_t type,
			  struct imalog_span data);

/* ---- cel-write.c: a record as CEL has it ---- */

struct imalog_cel_view {
	uint64_t recnum;
	uint8_t type;
	size_t nr_digests;
	struct {
		enum imalog_alg alg;
		struct imalog_span span;
	} digests[IMALOG_RECORD_DIGESTS];
};

/*
 * Fails when no encoding of CEL can express the record.  After it was written,
 * imalog_cel_wrote() makes its number that of the index.
 */
int imalog_cel_view(struct imalog_writer *writer, const struct imalog_record *record,
		    struct imalog_cel_view *ret, struct imalog_error *error);
void imalog_cel_wrote(struct imalog_writer *writer, const struct imalog_record *record,
		      const struct imalog_cel_view *view);

/* ---- cel-tlv.c, cel-json-write.c, cel-cbor-write.c ---- */

/* Can the first record of a list in TLVs be read as one of a kernel list, too? */
bool imalog_tlv_is_kernel_too(const struct imalog_reader *reader,
			      struct imalog_span start);
int imalog_cel_tlv_put(struct imalog_writer *writer, const struct imalog_record *record,
		       struct imalog_error *error);
int imalog_cel_json_put(struct imalog_writer *writer, const struct imalog_record *record,
			struct imalog_error *error);
int imalog_cel_json_finish(struct imalog_writer *writer, struct imalog_error *error);
int imalog_cel_cbor_put(struct imalog_writer *writer, const struct imalog_record *record,
			struct imalog_error *error);
int imalog_cel_cbor_finish(struct imalog_writer *writer, struct imalog_error *error);

/* ---- tlv2018.c ---- */

/* Only what was read from such a list, as it was. */
int imalog_tlv2018_put(struct imalog_writer *writer, const struct imalog_record *record,
		       struct imalog_error *error);

/* ---- cel-json-scan.c ---- */

/* Before each text of a sequence (RFC 7464) */
#define IMALOG_JSON_SEPARATOR 0x1e
bool imalog_json_is_blank(uint8_t c);
/*
 * Makes the next object the start of the window.  Returns 1 and its size, 0 at a clean
 * end, or a negative code.  imalog_json_passed() then goes on behind it.
 */
int imalog_json_find(struct imalog_reader *reader, size_t *size,
		     struct imalog_error *error);
void imalog_json_passed(struct imalog_reader *reader, size_t size);

/*
 * The value of a key of @text, an object that is well-formed, as it stands there; false when
 * there is no such key, or it is written with escapes.
 */
bool imalog_json_value(struct imalog_span text, const char *key, struct imalog_span *ret);

/* ---- cel-json-content.c ---- */

/* "sha3_256" and so on, as the TCG writes them */
const char *imalog_cel_alg_name(enum imalog_alg alg);
struct json_t;
/* As a string in ASCII: no byte of a name can act on a terminal. */
void imalog_json_add_string(struct imalog_buffer *out, struct imalog_span text);
/* A number that is there, from 0 to @max */
int imalog_json_get_uint(const struct json_t *json, const char *field, uint64_t max,
			 uint64_t *ret, struct imalog_error *error);
/* Is it a content object as systemd writes them? */
int imalog_systemd_check(const struct json_t *content, struct imalog_error *error);
/* One or several management entries, to their TLVs. */
int imalog_cel_json_management(const struct json_t *content, struct imalog_buffer *out,
			       struct imalog_error *error);

/* ---- event-type.c ---- */

/* The type of a name, in whatever case; false when there is none. */
bool imalog_event_type_by_name(struct imalog_span name, uint32_t *ret);

#endif /* IMALOG_CEL_H */
