/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libimalog: reads, checks, converts and replays Linux IMA measurement logs
 *
 * Conventions
 *
 * - Functions that can fail return 0 or a positive result, and a negative
 *   enum imalog_code on failure.  Their last parameter, @reterr, may be NULL;
 *   it is written only on failure.  Other results are written only on success.
 * - Types are opaque.  Each object belongs to its creator and is freed with its
 *   _free() function, which takes the address of the pointer, sets it to NULL
 *   and accepts NULL.  An object may be used by one thread at a time; different
 *   objects may be used by different threads.  The library has no global state,
 *   prints nothing and opens no files but those that it is told to.
 * - Sizes and offsets are in bytes.  Records are counted from 1.
 */
#ifndef IMALOG_H
#define IMALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define IMALOG_API __attribute__((visibility("default")))
#else
#define IMALOG_API
#endif

/** IMALOG_DIGEST_MAX: size of the largest digest of a PCR bank, in bytes */
#define IMALOG_DIGEST_MAX 64
/** IMALOG_PCR_MAX: largest PCR number that an IMA policy can name (pcr=, ima_policy.c) */
#define IMALOG_PCR_MAX 63
/** IMALOG_NAME_MAX: largest template name that is read, in bytes */
#define IMALOG_NAME_MAX 255
/** IMALOG_DATA_MAX: largest template data that is read, in bytes */
#define IMALOG_DATA_MAX (16u << 20)
/** IMALOG_FIELDS_MAX: largest number of fields of a template (TEMPLATE_NUM_FIELDS_MAX) */
#define IMALOG_FIELDS_MAX 15

/**
 * imalog_version() - version of the library that is loaded
 *
 * Returns a static string such as "0.1.0".
 */
IMALOG_API const char *imalog_version(void);

/* ---- errors ---- */

/**
 * enum imalog_code - what went wrong; functions return the negative value
 *
 * 1 to 99 speak of the data, 100 to 199 of the call, 200 and up of the world
 * around it.  Numbers never change.
 */
enum imalog_code {
	IMALOG_OK = 0,
	/** the input ends inside a record */
	IMALOG_ERR_TRUNCATED = 1,
	/** a length says more than the bytes that hold it have */
	IMALOG_ERR_BAD_LENGTH = 2,
	/** a number or a text has a value that cannot be */
	IMALOG_ERR_BAD_VALUE = 3,
	/** bytes are left over behind the last field */
	IMALOG_ERR_TRAILING = 4,
	/** a size is beyond what the library reads */
	IMALOG_ERR_LIMIT = 5,
	/** the input is in none of the formats that the library reads */
	IMALOG_ERR_BAD_FORMAT = 6,
	/** digest size, byte order or format cannot be told from the records: say them */
	IMALOG_ERR_AMBIGUOUS = 7,

	/** an argument is not valid, or a call came out of order */
	IMALOG_ERR_INVALID = 100,
	/** the record cannot be expressed in the wanted format */
	IMALOG_ERR_UNSUPPORTED = 101,

	/** the operating system refused; see imalog_error_os_errno() */
	IMALOG_ERR_OS = 200,
	/** memory ran out */
	IMALOG_ERR_NOMEM = 201,
	/** the cryptographic library failed or lacks an algorithm */
	IMALOG_ERR_CRYPTO = 202,
	/** no TPM, or it failed; see imalog_error_tpm_rc() */
	IMALOG_ERR_TPM = 203,
};

/** struct imalog_error - where and why a call failed */
struct imalog_error;

/**
 * imalog_error_new() - makes an empty error object, to be reused for many calls
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_error *imalog_error_new(void);

/** imalog_error_free() - frees an error object */
IMALOG_API void imalog_error_free(struct imalog_error **error);

/** imalog_error_code() - the code of the last failure, positive; 0 when there was none */
IMALOG_API enum imalog_code imalog_error_code(const struct imalog_error *error);

/** imalog_error_os_errno() - the errno value behind IMALOG_ERR_OS, or 0 */
IMALOG_API int imalog_error_os_errno(const struct imalog_error *error);

/** imalog_error_tpm_rc() - the response code (TSS2_RC) behind IMALOG_ERR_TPM, or 0 */
IMALOG_API uint32_t imalog_error_tpm_rc(const struct imalog_error *error);

/** imalog_error_source() - name of the input that it happened in, "" when none */
IMALOG_API const char *imalog_error_source(const struct imalog_error *error);

/** imalog_error_record() - number of the record, from 1; 0 when it concerns none */
IMALOG_API uint64_t imalog_error_record(const struct imalog_error *error);

/**
 * imalog_error_offset() - where that record (or line) starts in its input, in bytes
 *
 * Meaningful when imalog_error_record() is not 0.
 */
IMALOG_API uint64_t imalog_error_offset(const struct imalog_error *error);

/** imalog_error_field() - the field or part of the record, such as "n-ng"; "" when none */
IMALOG_API const char *imalog_error_field(const struct imalog_error *error);

/**
 * imalog_error_detail() - what is wrong, in words, with both numbers of a failed comparison
 *
 * Lower-case, no full stop, printable ASCII whatever the input held.
 */
IMALOG_API const char *imalog_error_detail(const struct imalog_error *error);

/**
 * imalog_error_format() - the whole failure as one line
 * @buf:  gets "record 12 at 0x1a2b: field n-ng: length 7 exceeds 3 bytes left"
 * @size: size of @buf; the text is cut to it and always ends in NUL
 *
 * The name of the input is not part of it.
 */
IMALOG_API void imalog_error_format(const struct imalog_error *error, char *buf, size_t size);

/** imalog_strerror() - what a code means, in a few words; accepts the negative form too */
IMALOG_API const char *imalog_strerror(int code);

/* ---- bytes, algorithms, byte order ---- */

/** struct imalog_span - borrowed bytes */
struct imalog_span {
	const uint8_t *data;
	size_t size;
};

/** enum imalog_alg - hash algorithms of PCR banks (TCG Algorithm Registry) */
enum imalog_alg {
	IMALOG_ALG_NONE = 0,
	IMALOG_ALG_SHA1 = 1,
	IMALOG_ALG_SHA256 = 2,
	IMALOG_ALG_SHA384 = 3,
	IMALOG_ALG_SHA512 = 4,
	IMALOG_ALG_SM3 = 5,
	IMALOG_ALG_SHA3_256 = 6,
	IMALOG_ALG_SHA3_384 = 7,
	IMALOG_ALG_SHA3_512 = 8,
};
/** IMALOG_ALG_COUNT: one more than the largest enum imalog_alg of this header */
#define IMALOG_ALG_COUNT 9

/** imalog_alg_by_name() - "sha256" -> IMALOG_ALG_SHA256; IMALOG_ALG_NONE when unknown */
IMALOG_API enum imalog_alg imalog_alg_by_name(const char *name);

/** imalog_alg_name() - the kernel's name of an algorithm, "none" when unknown */
IMALOG_API const char *imalog_alg_name(enum imalog_alg alg);

/** imalog_alg_size() - digest size in bytes, 0 when unknown */
IMALOG_API size_t imalog_alg_size(enum imalog_alg alg);

/** imalog_alg_tpm_id() - TPM_ALG_ID (TPM 2.0 Part 2, 6.3), 0 when unknown */
IMALOG_API uint16_t imalog_alg_tpm_id(enum imalog_alg alg);

/** imalog_alg_by_tpm_id() - the algorithm of a TPM_ALG_ID, IMALOG_ALG_NONE when unknown */
IMALOG_API enum imalog_alg imalog_alg_by_tpm_id(uint16_t id);

/** enum imalog_order - byte order of integers */
enum imalog_order {
	IMALOG_ORDER_AUTO = 0,
	IMALOG_ORDER_LE = 1,
	IMALOG_ORDER_BE = 2,
};

/** enum imalog_format - encodings of a log */
enum imalog_format {
	IMALOG_FORMAT_AUTO = 0,
	/** binary_runtime_measurements (ima_measurements_show, ima_fs.c) */
	IMALOG_FORMAT_KERNEL = 1,
	/** ascii_runtime_measurements (ima_ascii_measurements_show, ima_fs.c) */
	IMALOG_FORMAT_ASCII = 2,
	/** TCG Canonical Event Log, TLV encoding */
	IMALOG_FORMAT_CEL_TLV = 3,
	/** TCG Canonical Event Log, JSON: an array, an object, a text sequence (RFC 7464) */
	IMALOG_FORMAT_CEL_JSON = 4,
	/** TCG Canonical Event Log, CBOR: an array or a sequence (RFC 8742) */
	IMALOG_FORMAT_CEL_CBOR = 5,
	/** the TLV list of the IMA patches of 2018 */
	IMALOG_FORMAT_TLV2018 = 6,
	/** the firmware's event log (binary_bios_measurements) */
	IMALOG_FORMAT_EVENTLOG = 7,
};

/**
 * imalog_format_by_name() - the format of a name
 * @name: "auto", "kernel", "ascii", "cel-tlv", "cel-json", "cel-cbor", "tlv2018", "eventlog"
 *
 * Returns an enum imalog_format, or -IMALOG_ERR_INVALID when there is no such format.
 */
IMALOG_API int imalog_format_by_name(const char *name);

/** imalog_format_name() - the name of a format, "auto" when unknown */
IMALOG_API const char *imalog_format_name(enum imalog_format format);

/* ---- hashing ---- */

/** struct imalog_hasher - fetched hash implementations and their reused contexts */
struct imalog_hasher;

/**
 * imalog_hasher_new() - makes a hasher
 *
 * Algorithms are fetched when they are first used.  Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_hasher *imalog_hasher_new(void);

/** imalog_hasher_engine() - the name of what computes digests: "evp" */
IMALOG_API const char *imalog_hasher_engine(void);

/** imalog_hasher_library() - the library behind it, such as "OpenSSL 3.0.17 1 Jul 2025" */
IMALOG_API const char *imalog_hasher_library(void);

/** imalog_hasher_free() - frees a hasher */
IMALOG_API void imalog_hasher_free(struct imalog_hasher **hasher);

/* ---- templates ---- */

/** enum imalog_field_id - template fields (supported_fields, ima_template.c) */
enum imalog_field_id {
	IMALOG_FIELD_NONE = 0,
	IMALOG_FIELD_D = 1,
	IMALOG_FIELD_N = 2,
	IMALOG_FIELD_D_NG = 3,
	IMALOG_FIELD_D_NGV2 = 4,
	IMALOG_FIELD_N_NG = 5,
	IMALOG_FIELD_SIG = 6,
	IMALOG_FIELD_BUF = 7,
	IMALOG_FIELD_D_MODSIG = 8,
	IMALOG_FIELD_MODSIG = 9,
	IMALOG_FIELD_EVMSIG = 10,
	IMALOG_FIELD_IUID = 11,
	IMALOG_FIELD_IGID = 12,
	IMALOG_FIELD_IMODE = 13,
	IMALOG_FIELD_XATTRNAMES = 14,
	IMALOG_FIELD_XATTRLENGTHS = 15,
	IMALOG_FIELD_XATTRVALUES = 16,
	/** of TLV records alone: no template has them */
	IMALOG_FIELD_TIMESTAMP = 17,
	IMALOG_FIELD_LABEL = 18,
};

/** enum imalog_field_type - how the bytes of a field are to be understood */
enum imalog_field_type {
	/** raw bytes, shown in hexadecimal */
	IMALOG_TYPE_BYTES = 0,
	/** text, with or without a NUL at its end */
	IMALOG_TYPE_TEXT = 1,
	/** a digest with an optional prefix: [TYPE ":"] ALGORITHM ":" NUL DIGEST */
	IMALOG_TYPE_DIGEST = 2,
	/** an integer of 1, 2, 4 or 8 bytes in the order of the record */
	IMALOG_TYPE_UINT = 3,
	/** integers of 4 bytes each in the order of the record */
	IMALOG_TYPE_UINTS = 4,
};

/** imalog_field_id_name() - "d-ng" of IMALOG_FIELD_D_NG, "none" when unknown */
IMALOG_API const char *imalog_field_id_name(enum imalog_field_id id);

/** imalog_field_id_by_name() - IMALOG_FIELD_NONE when there is no such field */
IMALOG_API enum imalog_field_id imalog_field_id_by_name(const char *name);

/** imalog_field_id_type() - the type of a field's bytes */
IMALOG_API enum imalog_field_type imalog_field_id_type(enum imalog_field_id id);

/** struct imalog_templates - template names and the fields that they stand for */
struct imalog_templates;

/**
 * imalog_templates_new() - makes a set that knows the kernel's built-in templates
 *
 * Ad-hoc templates (ima_template_fmt=), whose name is the list of their fields, are
 * understood without being defined.  Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_templates *imalog_templates_new(void);

/** imalog_templates_free() - frees a set; no reader may use it any more */
IMALOG_API void imalog_templates_free(struct imalog_templates **templates);

/**
 * imalog_templates_define() - adds a template
 * @name: its name in the log, 1 to IMALOG_NAME_MAX bytes; not that of a built-in one
 * @fmt:  its fields, such as "d-ng|n-ng|sig"
 *
 * Returns 0, -IMALOG_ERR_INVALID (name taken or empty, field unknown, too many fields),
 * -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_templates_define(struct imalog_templates *templates, const char *name,
				       const char *fmt, struct imalog_error *reterr);

/* ---- records ---- */

/**
 * struct imalog_record - one record of a log, a view of bytes that its reader owns
 *
 * It and every span it gives live until imalog_reader_release() lets go of its number.
 */
struct imalog_record;

/** enum imalog_content - what the measured content of a record is */
enum imalog_content {
	/** template data (struct ima_template_entry) */
	IMALOG_CONTENT_TEMPLATE = 1,
	/** an ascii line whose bytes cannot be rebuilt: its digest is all there is */
	IMALOG_CONTENT_DIGEST_ONLY = 2,
	/** CEL ima_tlv: nested TLVs, big-endian; the digest covers the whole content TLV */
	IMALOG_CONTENT_IMA_TLV = 3,
	/** nested TLVs of the 2018 list; the digest covers the whole content TLV as it stands */
	IMALOG_CONTENT_TLV2018 = 4,
	/** CEL pcclient_std: an event of the firmware; nothing tells what the digest covers */
	IMALOG_CONTENT_PCCLIENT = 5,
	/** CEL cel: management records */
	IMALOG_CONTENT_CEL = 6,
	/** CEL systemd */
	IMALOG_CONTENT_SYSTEMD = 7,
	/** another content type of CEL, of which nothing is known */
	IMALOG_CONTENT_OTHER = 8,
};

/** enum imalog_fit - does the recorded digest fit the content? */
enum imalog_fit {
	/** not checked yet, or nothing to check (a violation, content without a rule) */
	IMALOG_FIT_UNKNOWN = 0,
	IMALOG_FIT_YES = 1,
	IMALOG_FIT_NO = 2,
};

/** imalog_record_number() - place in the log, from 1 */
IMALOG_API uint64_t imalog_record_number(const struct imalog_record *record);

/** imalog_record_offset() - where the record starts in its input, in bytes */
IMALOG_API uint64_t imalog_record_offset(const struct imalog_record *record);

/** imalog_record_pcr() - the PCR that it extends, or an NV index when imalog_record_is_nv() */
IMALOG_API uint32_t imalog_record_pcr(const struct imalog_record *record);

/** imalog_record_is_nv() - does it extend an NV index or an RTMR rather than a PCR? */
IMALOG_API bool imalog_record_is_nv(const struct imalog_record *record);

/** enum imalog_index - what a record extends; the numbers are the tags of CEL-TLV */
enum imalog_index {
	IMALOG_INDEX_PCR = 1,
	IMALOG_INDEX_NV = 2,
	/** a runtime measurement register of a confidential virtual machine */
	IMALOG_INDEX_RTMR = 108,
};

/** imalog_record_index() - what the record extends, whose number imalog_record_pcr() gives */
IMALOG_API enum imalog_index imalog_record_index(const struct imalog_record *record);

/**
 * imalog_record_mapped_pcr() - the PCR that the record's RTMR stands for, as CEL-JSON can say
 * @ret: gets its number
 *
 * Returns false, and leaves @ret alone, when the log does not say.
 */
IMALOG_API bool imalog_record_mapped_pcr(const struct imalog_record *record, uint32_t *ret);

/**
 * imalog_record_is_measured() - was anything extended with it?
 *
 * Not with CEL's version and end of the firmware, nor with the firmware's EV_NO_ACTION: what
 * such records say, no PCR value proves.
 */
IMALOG_API bool imalog_record_is_measured(const struct imalog_record *record);

/**
 * imalog_record_is_checked() - does a rule tell which content a digest is of?
 *
 * Where none does, the recorded digest is what was extended, and nothing proves the content.
 */
IMALOG_API bool imalog_record_is_checked(const struct imalog_record *record);

/**
 * imalog_record_recnum() - the number that the log itself gives the record
 * @ret: gets the record number of CEL, or the sequence number of the 2018 list
 *
 * Returns false, and leaves @ret alone, when the log has none.
 */
IMALOG_API bool imalog_record_recnum(const struct imalog_record *record, uint64_t *ret);

/**
 * imalog_record_content_type() - the type of the content as CEL has it
 *
 * 7 (ima_template) for the kernel's lists, 8 (ima_tlv) for the 2018 list.
 */
IMALOG_API uint8_t imalog_record_content_type(const struct imalog_record *record);

/** imalog_content_type_name() - "ima_template", "pcclient_std" and so on; NULL when unknown */
IMALOG_API const char *imalog_content_type_name(uint8_t type);

/**
 * imalog_record_event() - the event in content of IMALOG_CONTENT_PCCLIENT
 * @type: gets its type (TCG PC Client Platform Firmware Profile, 10.4.1)
 * @data: gets its data
 *
 * Returns false when the content is another.
 */
IMALOG_API bool imalog_record_event(const struct imalog_record *record, uint32_t *type,
				    struct imalog_span *data);

/** imalog_event_type_name() - "EV_SEPARATOR" and so on, NULL when unknown */
IMALOG_API const char *imalog_event_type_name(uint32_t type);

/** struct imalog_management - one entry of content of IMALOG_CONTENT_CEL */
struct imalog_management {
	/** "cel_version", "firmware_end", "cel_timestamp" or "state_trans" */
	const char *type;
	/** major version, timestamp, or the transition; 0 for the end of the firmware */
	uint64_t value;
	/** minor version */
	uint64_t minor;
	/** "suspend", "hibernate" or "kexec" of a transition, else NULL */
	const char *transition;
};

/**
 * imalog_record_management() - entry number @i, from 0, of content of IMALOG_CONTENT_CEL
 *
 * Returns false when there is no such entry.
 */
IMALOG_API bool imalog_record_management(const struct imalog_record *record, size_t i,
					 struct imalog_management *ret);

/** imalog_record_content() - what kind of content the record carries */
IMALOG_API enum imalog_content imalog_record_content(const struct imalog_record *record);

/** imalog_record_is_violation() - is it a violation (all-zero digest, in CEL also ff..ff)? */
IMALOG_API bool imalog_record_is_violation(const struct imalog_record *record);

/** imalog_record_raw() - the record as it stands in its input */
IMALOG_API struct imalog_span imalog_record_raw(const struct imalog_record *record);

/** imalog_record_template() - the template's name, not NUL-terminated, not authenticated */
IMALOG_API struct imalog_span imalog_record_template(const struct imalog_record *record);

/**
 * imalog_record_data() - the template data, or the value of another content's TLV
 *
 * Management and event content that was read from JSON, CBOR or the firmware's log is given
 * in its TLV encoding, systemd's as JSON text.
 */
IMALOG_API struct imalog_span imalog_record_data(const struct imalog_record *record);

/** imalog_record_order() - byte order of the integers in imalog_record_data() */
IMALOG_API enum imalog_order imalog_record_order(const struct imalog_record *record);

/**
 * imalog_record_hash_order() - byte order of the integers that the digest covers
 *
 * Differs from imalog_record_order() in canonicalized logs of big-endian machines.
 * IMALOG_ORDER_AUTO until imalog_record_verify() has found it, and for template `ima`, whose
 * digest covers no integers.
 */
IMALOG_API enum imalog_order imalog_record_hash_order(const struct imalog_record *record);

/** imalog_record_digests() - how many recorded digests there are */
IMALOG_API size_t imalog_record_digests(const struct imalog_record *record);

/**
 * imalog_record_digest() - a recorded digest
 * @i:   from 0 to imalog_record_digests() - 1
 * @alg: gets its algorithm, IMALOG_ALG_NONE when that is not known; may be NULL
 */
IMALOG_API struct imalog_span imalog_record_digest(const struct imalog_record *record, size_t i,
						   enum imalog_alg *alg);

/** imalog_record_fields() - how many fields are known; 0 for a template that is not */
IMALOG_API size_t imalog_record_fields(const struct imalog_record *record);

/** imalog_record_field_id() - which field is number @i, from 0 */
IMALOG_API enum imalog_field_id imalog_record_field_id(const struct imalog_record *record, size_t i);

/** imalog_record_field_data() - the bytes of field number @i, from 0, as in the log */
IMALOG_API struct imalog_span imalog_record_field_data(const struct imalog_record *record, size_t i);

/** imalog_record_name() - the name in the record's n or n-ng field, without NUL; size 0 when none */
IMALOG_API struct imalog_span imalog_record_name(const struct imalog_record *record);

/** struct imalog_digest_field - the parts of a digest field */
struct imalog_digest_field {
	/** "ima" or "verity" of d-ngv2, size 0 otherwise */
	struct imalog_span type;
	/** the algorithm's name, size 0 when none was written */
	struct imalog_span alg;
	struct imalog_span digest;
};

/**
 * imalog_field_digest() - takes a field of type IMALOG_TYPE_DIGEST apart
 * @id:   the field; IMALOG_FIELD_D is a digest alone
 * @data: the field's bytes
 * @ret:  gets the parts, which point into @data
 *
 * Bytes without a prefix are a digest alone.
 */
IMALOG_API void imalog_field_digest(enum imalog_field_id id, struct imalog_span data,
				    struct imalog_digest_field *ret);

/** imalog_field_text() - the text in a field of type IMALOG_TYPE_TEXT, up to its first NUL */
IMALOG_API struct imalog_span imalog_field_text(struct imalog_span data);

/**
 * imalog_field_uint() - the value of an integer of 1, 2, 4 or 8 bytes
 *
 * Returns false, and leaves @ret alone, when the size is another.
 */
IMALOG_API bool imalog_field_uint(struct imalog_span data, enum imalog_order order, uint64_t *ret);

/**
 * imalog_record_verify() - computes the template digest and compares it with the recorded one
 * @hasher: where to hash
 *
 * Tries the byte order of the record, then the other one, and remembers the order that fits.
 * A column of a per-algorithm list may also hold the SHA-1 digest padded with zeros
 * (ima_calc_field_array_hash_tfm, banks that the kernel cannot compute).
 *
 * Returns an enum imalog_fit, -IMALOG_ERR_CRYPTO or -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_record_verify(struct imalog_record *record, struct imalog_hasher *hasher,
				    struct imalog_error *reterr);

/**
 * imalog_record_template_digest() - computes what a bank is extended with
 * @alg: the bank
 * @out: gets imalog_alg_size(@alg) bytes: ff..ff for a violation
 *
 * Hashes the content in the record's hash order (imalog_record_verify() first when the log
 * may come from a big-endian machine).  Returns 0, -IMALOG_ERR_INVALID (unknown algorithm),
 * -IMALOG_ERR_UNSUPPORTED (digest-only record), -IMALOG_ERR_CRYPTO, -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_record_template_digest(const struct imalog_record *record,
					     struct imalog_hasher *hasher, enum imalog_alg alg,
					     uint8_t *out, struct imalog_error *reterr);

/* ---- input ---- */

/** struct imalog_source - where bytes come from */
struct imalog_source;

/**
 * imalog_source_from_fd() - reads from a descriptor, from where it stands to its end
 * @fd:   stays the caller's, who closes it
 * @name: for messages; copied
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_source *imalog_source_from_fd(int fd, const char *name);

/**
 * imalog_source_from_memory() - reads from memory
 * @data: stays the caller's and must outlive the source
 * @name: for messages; copied
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_source *imalog_source_from_memory(const void *data, size_t size,
							   const char *name);

/** imalog_source_free() - frees a source that no reader uses any more */
IMALOG_API void imalog_source_free(struct imalog_source **source);

/** imalog_source_offset() - how many bytes have been taken from the source */
IMALOG_API uint64_t imalog_source_offset(const struct imalog_source *source);

/** struct imalog_reader - turns bytes into records */
struct imalog_reader;

/**
 * imalog_reader_new() - makes a reader
 * @source:    must outlive the reader
 * @templates: must outlive the reader, may serve several
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_reader *imalog_reader_new(struct imalog_source *source,
						   const struct imalog_templates *templates);

/** imalog_reader_free() - frees a reader and all its records */
IMALOG_API void imalog_reader_free(struct imalog_reader **reader);

/** imalog_reader_set_format() - says the format; default: told from the first bytes */
IMALOG_API void imalog_reader_set_format(struct imalog_reader *reader, enum imalog_format format);

/** imalog_reader_set_order() - says the byte order of the list; default: told from its records */
IMALOG_API void imalog_reader_set_order(struct imalog_reader *reader, enum imalog_order order);

/**
 * imalog_reader_set_digest_size() - says the width of the digest column
 * @size: 20, 32, 48 or 64 bytes; 0, the default: told from the records
 *
 * Returns 0 or -IMALOG_ERR_INVALID.
 */
IMALOG_API int imalog_reader_set_digest_size(struct imalog_reader *reader, size_t size);

/** imalog_reader_set_first_record() - number of the first record; default 1 */
IMALOG_API void imalog_reader_set_first_record(struct imalog_reader *reader, uint64_t number);

/**
 * imalog_reader_next() - reads the next record
 * @ret: gets the record
 *
 * Memory grows with the records that have not been released.  After a failure every
 * further call fails in the same way.
 *
 * Returns 1 for a record, 0 at a clean end, a negative code on failure: any of the data
 * group, -IMALOG_ERR_OS, -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_reader_next(struct imalog_reader *reader, struct imalog_record **ret,
				  struct imalog_error *reterr);

/** imalog_reader_release() - lets go of every record up to and including number @upto */
IMALOG_API void imalog_reader_release(struct imalog_reader *reader, uint64_t upto);

/** imalog_reader_format() - the format; IMALOG_FORMAT_AUTO before the first record */
IMALOG_API enum imalog_format imalog_reader_format(const struct imalog_reader *reader);

/** imalog_reader_order() - byte order of the list; IMALOG_ORDER_AUTO before the first record */
IMALOG_API enum imalog_order imalog_reader_order(const struct imalog_reader *reader);

/** imalog_reader_digest_size() - width of the digest column; 0 before the first record */
IMALOG_API size_t imalog_reader_digest_size(const struct imalog_reader *reader);

/** imalog_reader_digest_alg() - algorithm of the digest column, found by verifying records */
IMALOG_API enum imalog_alg imalog_reader_digest_alg(const struct imalog_reader *reader);

/**
 * imalog_reader_layout_proved() - was the layout told by a record whose digest fits?
 *
 * false: it was said by the caller, or only one layout can be at all.
 */
IMALOG_API bool imalog_reader_layout_proved(const struct imalog_reader *reader);

/* ---- output ---- */

/** imalog_write_fn - takes bytes; returns 0, or an errno value on failure */
typedef int (*imalog_write_fn)(void *arg, const void *data, size_t size);

/** struct imalog_writer - turns records into bytes */
struct imalog_writer;

/** enum imalog_int_width - sizes of record numbers and indexes that a CEL-TLV writer chooses */
enum imalog_int_width {
	/** as they were read; 8 and 1 (4 for an NV index) for what was not read from CEL-TLV */
	IMALOG_INT_WIDTH_KEEP = 0,
	/** 8 and 1 (4 for an NV index) */
	IMALOG_INT_WIDTH_8_1 = 1,
	/** 4 and 4 */
	IMALOG_INT_WIDTH_4_4 = 2,
	/** no byte more than the value needs */
	IMALOG_INT_WIDTH_MIN = 3,
};

/**
 * imalog_writer_new() - makes a writer
 * @format: any but IMALOG_FORMAT_AUTO and IMALOG_FORMAT_EVENTLOG; IMALOG_FORMAT_TLV2018 only
 *          writes what was read from such a list, as it was
 * @order:  byte order of a kernel list; IMALOG_ORDER_AUTO is little-endian, as ima_canonical_fmt
 * @fn:     gets the bytes, whole records at a time
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_writer *imalog_writer_new(enum imalog_format format,
						   enum imalog_order order, imalog_write_fn fn,
						   void *arg);

/** imalog_writer_free() - frees a writer */
IMALOG_API void imalog_writer_free(struct imalog_writer **writer);

/** imalog_writer_set_int_width() - sizes of integers in CEL-TLV; IMALOG_INT_WIDTH_KEEP */
IMALOG_API void imalog_writer_set_int_width(struct imalog_writer *writer,
					    enum imalog_int_width width);

/**
 * imalog_writer_set_sequence() - CEL-JSON as a text sequence, CEL-CBOR as a sequence
 *
 * Without it both are arrays.  The library does not write CBOR arrays of unknown length: say
 * how many records come with imalog_writer_set_count().
 */
IMALOG_API void imalog_writer_set_sequence(struct imalog_writer *writer);

/** imalog_writer_set_count() - how many records a CBOR array is going to have */
IMALOG_API void imalog_writer_set_count(struct imalog_writer *writer, uint64_t records);

/**
 * imalog_writer_set_force() - records of the 2018 list go into CEL-TLV, too
 *
 * As content of type 218, which is private to this library: the value is the whole content TLV
 * of that list.  The recorded digest stays; no rule of CEL tells that it is of this content.
 */
IMALOG_API void imalog_writer_set_force(struct imalog_writer *writer);

/**
 * imalog_writer_renumbered() - how many records were written with another number of CEL
 *
 * Numbers are kept, unless one is not more than that of a record of its index before it.
 */
IMALOG_API uint64_t imalog_writer_renumbered(const struct imalog_writer *writer);

/**
 * imalog_writer_put() - writes one record
 *
 * Returns 0, -IMALOG_ERR_UNSUPPORTED (the format cannot express the record, or the library was
 * built without libcbor; nothing was written), -IMALOG_ERR_INVALID (a CBOR array of fewer
 * records was announced), -IMALOG_ERR_OS (from @fn), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_writer_put(struct imalog_writer *writer, const struct imalog_record *record,
				 struct imalog_error *reterr);

/**
 * imalog_writer_finish() - writes what comes behind the last record
 *
 * To be called once, also when there was no record: the array of CEL-JSON and of CEL-CBOR would
 * not be whole without it.  Returns as imalog_writer_put().
 */
IMALOG_API int imalog_writer_finish(struct imalog_writer *writer, struct imalog_error *reterr);

/* ---- PCR values ---- */

/** struct imalog_pcrs - a set of PCR values, at most one for each bank and PCR */
struct imalog_pcrs;

/** imalog_pcrs_new() - makes an empty set; NULL when memory ran out */
IMALOG_API struct imalog_pcrs *imalog_pcrs_new(void);

/** imalog_pcrs_free() - frees a set */
IMALOG_API void imalog_pcrs_free(struct imalog_pcrs **pcrs);

/**
 * imalog_pcrs_set() - adds a value
 * @value: imalog_alg_size(@alg) bytes, copied
 *
 * Returns 0, -IMALOG_ERR_INVALID (unknown algorithm, wrong size, or another value is there
 * already), -IMALOG_ERR_LIMIT (over 4096 values), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_pcrs_set(struct imalog_pcrs *pcrs, enum imalog_alg alg, uint32_t pcr,
			       struct imalog_span value, struct imalog_error *reterr);

/** imalog_pcrs_get() - the value of a PCR, NULL when it is not in the set */
IMALOG_API const uint8_t *imalog_pcrs_get(const struct imalog_pcrs *pcrs, enum imalog_alg alg,
					  uint32_t pcr);

/** imalog_pcrs_count() - how many values there are */
IMALOG_API size_t imalog_pcrs_count(const struct imalog_pcrs *pcrs);

/**
 * imalog_pcrs_at() - value number @i, from 0, in the order of bank and PCR number
 * @alg: gets the bank
 * @pcr: gets the PCR number
 */
IMALOG_API const uint8_t *imalog_pcrs_at(const struct imalog_pcrs *pcrs, size_t i,
					 enum imalog_alg *alg, uint32_t *pcr);

/**
 * imalog_pcrs_add_spec() - adds "ALG:PCR=HEX"
 *
 * Returns 0, -IMALOG_ERR_BAD_VALUE (not of that form), or what imalog_pcrs_set() returns.
 */
IMALOG_API int imalog_pcrs_add_spec(struct imalog_pcrs *pcrs, const char *spec,
				    struct imalog_error *reterr);

/**
 * imalog_pcrs_parse() - adds the values of a PCR file
 * @data: the whole file
 * @hint: what the file does not say itself, or NULL: "sha256" (the bank), "sha256:10" (one bare
 *        value, as in sysfs), or a selection such as "sha1:0,1+sha256:10" (raw values, as
 *        tpm2_pcrread -o writes them, in the order of the selection)
 *
 * Reads "PCR-10: HEX" lines, "sha256:10=HEX" lines, bare values, the YAML of tpm2_pcrread, and
 * the binary file of tpm2_quote -o.  The bank of a line that names none is @hint, or sha1 for
 * 20 bytes.  In an error, the record is the number of the line.
 *
 * Returns the number of values, at least 1, or a negative code of the data group,
 * -IMALOG_ERR_INVALID (@hint), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_pcrs_parse(struct imalog_pcrs *pcrs, struct imalog_span data,
				 const char *hint, struct imalog_error *reterr);

/* ---- replay ---- */

/** enum imalog_verdict - the answer to a question; the zero value is no answer */
enum imalog_verdict {
	IMALOG_NOT_CHECKED = 0,
	IMALOG_MATCH = 1,
	IMALOG_MISMATCH = 2,
};

/** imalog_verdict_name() - "match", "mismatch" or "not-checked" */
IMALOG_API const char *imalog_verdict_name(enum imalog_verdict verdict);

/** enum imalog_padding - what banks other than SHA-1 were extended with */
enum imalog_padding {
	/** find out: one of the other two */
	IMALOG_PADDING_AUTO = 0,
	/** digests of their own algorithm (Linux 5.8 and later) */
	IMALOG_PADDING_PERBANK = 1,
	/** the SHA-1 digest padded with zeros: no stronger than SHA-1 */
	IMALOG_PADDING_SHA1 = 2,
};

/** struct imalog_replay - computes PCR values from records and compares them */
struct imalog_replay;

/** imalog_replay_new() - makes a replay; NULL when memory ran out */
IMALOG_API struct imalog_replay *imalog_replay_new(void);

/** imalog_replay_free() - frees a replay */
IMALOG_API void imalog_replay_free(struct imalog_replay **replay);

/**
 * imalog_replay_add_bank() - computes this bank
 *
 * Returns 0 or -IMALOG_ERR_INVALID (unknown algorithm, or the replay has begun).
 */
IMALOG_API int imalog_replay_add_bank(struct imalog_replay *replay, enum imalog_alg alg,
				      struct imalog_error *reterr);

/** imalog_replay_set_padding() - default IMALOG_PADDING_AUTO */
IMALOG_API void imalog_replay_set_padding(struct imalog_replay *replay,
					  enum imalog_padding padding);

/**
 * imalog_replay_allow_opaque() - a match may rest on content that no rule checks
 *
 * Then the recorded digests of such records are believed to be of their content: whoever
 * changes it, or calls other content so, is not found out.  Without, the verdict over a PCR
 * that such a record extends, up to the match, is IMALOG_NOT_CHECKED.
 */
IMALOG_API void imalog_replay_allow_opaque(struct imalog_replay *replay);

/**
 * imalog_replay_start() - starts a PCR from a value other than zeros
 *
 * Whatever matches then rests on that value.  Returns as imalog_pcrs_set().
 */
IMALOG_API int imalog_replay_start(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
				   struct imalog_span value, struct imalog_error *reterr);

/**
 * imalog_replay_expect() - compares a PCR with a value; also adds the bank
 *
 * Returns as imalog_pcrs_set().
 */
IMALOG_API int imalog_replay_expect(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
				    struct imalog_span value, struct imalog_error *reterr);

/**
 * imalog_replay_offer() - compares a PCR with a value, if the log extends that PCR at all
 *
 * For a list of all PCRs, of which a log determines some.  Returns as imalog_pcrs_set().
 */
IMALOG_API int imalog_replay_offer(struct imalog_replay *replay, enum imalog_alg alg, uint32_t pcr,
				   struct imalog_span value, struct imalog_error *reterr);

/** enum imalog_problem - what is wrong with a record that the replay complains of */
enum imalog_problem {
	/** the recorded digest does not fit the content */
	IMALOG_PROBLEM_DIGEST = 1,
	/** an ascii line that does not hash to its digest */
	IMALOG_PROBLEM_ASCII = 2,
	/** content that cannot be recomputed (an ascii line of an unknown template) */
	IMALOG_PROBLEM_OPAQUE = 3,
	/** PCR values in it are not those of the log before it: imalog_replay_marker() */
	IMALOG_PROBLEM_SNAPSHOT = 4,
	/** content of a kind that no rule checks (of the firmware, systemd, unknown) */
	IMALOG_PROBLEM_UNCHECKED = 5,
};

/** imalog_problem_text() - a problem in words */
IMALOG_API const char *imalog_problem_text(enum imalog_problem problem);

/** imalog_record_fn - is shown a record during a replay; must not keep it */
typedef void (*imalog_record_fn)(void *arg, const struct imalog_record *record);

/** imalog_problem_fn - is shown a record that has a problem; must not keep it */
typedef void (*imalog_problem_fn)(void *arg, const struct imalog_record *record,
				  enum imalog_problem problem);

/** imalog_replay_on_problem() - @fn is called for each record that has a problem */
IMALOG_API void imalog_replay_on_problem(struct imalog_replay *replay, imalog_problem_fn fn,
					 void *arg);

/** imalog_replay_on_record() - @fn is called for each record, after its PCRs were extended */
IMALOG_API void imalog_replay_on_record(struct imalog_replay *replay, imalog_record_fn fn,
					void *arg);

/**
 * imalog_replay_run() - replays all records of a reader, releasing them on the way
 *
 * May be called again with another reader: what follows continues the same log (the reader's
 * first record number should then be imalog_replay_records() + 1).
 *
 * Returns 0, or a negative code of imalog_reader_next(); all records before the failure have
 * been replayed.
 */
IMALOG_API int imalog_replay_run(struct imalog_replay *replay, struct imalog_reader *reader,
				 struct imalog_error *reterr);

/** imalog_replay_records() - records replayed so far */
IMALOG_API uint64_t imalog_replay_records(const struct imalog_replay *replay);

/** imalog_replay_violations() - how many of them are violations */
IMALOG_API uint64_t imalog_replay_violations(const struct imalog_replay *replay);

/** imalog_replay_unmeasured() - how many of them extend nothing, so that no value proves them */
IMALOG_API uint64_t imalog_replay_unmeasured(const struct imalog_replay *replay);

/** imalog_replay_elsewhere() - how many of them extend an NV index or an RTMR, and no PCR */
IMALOG_API uint64_t imalog_replay_elsewhere(const struct imalog_replay *replay);

/** imalog_replay_problems() - how many of them have a problem */
IMALOG_API uint64_t imalog_replay_problems(const struct imalog_replay *replay);

/** imalog_replay_first_problem() - number of the first such record, 0 when there is none */
IMALOG_API uint64_t imalog_replay_first_problem(const struct imalog_replay *replay);

/**
 * imalog_replay_first_bad() - number of the first record that makes the verdict a mismatch
 * @problem: gets what is wrong with it
 *
 * As of all problems but content that no rule checks, or that cannot be recomputed.  Returns 0,
 * and leaves @problem alone, when there is none.
 */
IMALOG_API uint64_t imalog_replay_first_bad(const struct imalog_replay *replay,
					    enum imalog_problem *problem);

/** enum imalog_marker_kind - records that tell of a list that was not kept whole */
enum imalog_marker_kind {
	/** no such record */
	IMALOG_MARKER_NONE = 0,
	/** snapshot_aggregate: the values of all PCRs before it (kernel patches of 2023) */
	IMALOG_MARKER_SNAPSHOT = 1,
	/** trim_ima_event_logs: how many records were trimmed (patches of 2025 and 2026) */
	IMALOG_MARKER_TRIM = 2,
};

/** struct imalog_marker - what a marker says */
struct imalog_marker {
	enum imalog_marker_kind kind;
	/** of a snapshot: its number */
	uint64_t attempt;
	/** of a trim: when, in nanoseconds since 1970 */
	uint64_t time;
	/** of a trim: records */
	uint64_t number;
	/** number is of this trim; else of this one or of all before it: the text does not tell */
	bool of_this_trim;
};

/**
 * imalog_marker_parse() - understands a marker
 * @name: of the record (imalog_record_name())
 * @data: its field IMALOG_FIELD_BUF
 * @pcrs: gets the PCR values of a snapshot; may be NULL
 *
 * Both the grammar and the example of the snapshot proposal, which differ, are accepted, and
 * both forms of the trimming ones.
 *
 * Returns 1; 0 when the name is that of no marker; -IMALOG_ERR_BAD_VALUE, -IMALOG_ERR_LIMIT,
 * -IMALOG_ERR_TRAILING when it is and the data is not what these kernels measured;
 * -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_marker_parse(struct imalog_span name, struct imalog_span data,
				   struct imalog_marker *ret, struct imalog_pcrs *pcrs,
				   struct imalog_error *reterr);

/** struct imalog_marker_check - what became of a marker in a replay */
struct imalog_marker_check {
	uint64_t record;
	enum imalog_marker_kind kind;
	/** it cannot be understood, and says nothing */
	bool malformed;
	/** of a snapshot: do its values fit?  Those that the log has led to, in computed banks */
	enum imalog_verdict verdict;
	/** how many do not */
	size_t misfits;
	/** the first of them */
	enum imalog_alg bank;
	uint32_t pcr;
	uint8_t claimed[IMALOG_DIGEST_MAX];
	uint8_t computed[IMALOG_DIGEST_MAX];
	/** of a trim: so many records at least had been trimmed when it was measured */
	uint64_t trimmed;
	/** records before this one: when these are fewer, the difference at least is missing */
	uint64_t before;
};

/**
 * imalog_replay_markers() - how many markers there were, the first 1000 of them
 *
 * A snapshot whose values do not fit is a problem of that record, IMALOG_PROBLEM_SNAPSHOT.
 * What a trim says changes no verdict: when the log leads to expected values it is whole,
 * whatever it says, and when not, it can help to see why.
 */
IMALOG_API size_t imalog_replay_markers(const struct imalog_replay *replay);

/** imalog_replay_marker() - marker @i, from 0 */
IMALOG_API void imalog_replay_marker(const struct imalog_replay *replay, size_t i,
				     struct imalog_marker_check *ret);

/** struct imalog_check - one comparison of a PCR with an expected value */
struct imalog_check {
	enum imalog_alg bank;
	uint32_t pcr;
	/** imalog_alg_size(bank) bytes each, borrowed from the replay */
	const uint8_t *expected;
	/** the value at the end of the log, of the padding that matched or of its own digests */
	const uint8_t *computed;
	/** records that extended this PCR */
	uint64_t extends;
	/** those of them whose content no rule checks, up to matched_at if there is a match */
	uint64_t unchecked;
	enum imalog_verdict verdict;
	/** the value holds from after this record... */
	uint64_t matched_at;
	/** ...until after this one (the last of the log, or the one before the next extend) */
	uint64_t matched_to;
	enum imalog_padding padding;
};

/** imalog_replay_checks() - how many comparisons there are */
IMALOG_API size_t imalog_replay_checks(const struct imalog_replay *replay);

/** imalog_replay_check() - comparison number @i, from 0, in the order of bank and PCR number */
IMALOG_API void imalog_replay_check(const struct imalog_replay *replay, size_t i,
				    struct imalog_check *ret);

/**
 * imalog_replay_verdict() - the verdict over all comparisons and records
 * @matched_at: gets the first record after which all of them hold, 0 when there is none;
 *              may be NULL
 *
 * IMALOG_MATCH: every compared value holds after one common record, and no record has a problem.
 * IMALOG_MISMATCH: a value was compared and does not hold, or a recorded digest does not fit.
 * IMALOG_NOT_CHECKED: nothing was compared, a PCR that is compared has its start value and was
 * never extended, or it was extended, up to the match, with a record whose content cannot be
 * recomputed (imalog_replay_allow_opaque()).
 */
IMALOG_API enum imalog_verdict imalog_replay_verdict(const struct imalog_replay *replay,
						     uint64_t *matched_at);

/**
 * imalog_replay_pcrs() - the computed values of every PCR that the log extends
 * @pcrs: an empty set that gets them
 *
 * Not those of a bank that has no digest of content that no rule computes.
 * The variant of padding that matched; without a match, with IMALOG_PADDING_SHA1, the padded
 * values, else those of each bank's own digests.
 * Returns 0, -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_replay_pcrs(const struct imalog_replay *replay, struct imalog_pcrs *pcrs,
				  struct imalog_error *reterr);

/* ---- firmware event log ---- */

/**
 * imalog_eventlog_replay() - adds the PCR values that a firmware event log explains
 * @data: the whole log, as in binary_bios_measurements: crypto-agile, or of SHA-1 alone
 * @out:  a set that gets PCR 0 to 9, and the others that the log extends, of each bank of the
 *        log whose algorithm is known
 *
 * PCRs are extended with the digests that the log records.  What they are digests of is not
 * recomputed: firmware does not log all of it.  The values are those of a TPM that nobody else
 * has extended since.  PCR 0 starts as the startup locality; all others start as zeros.
 *
 * Returns the number of records, or a negative code of the data group (with record and offset),
 * -IMALOG_ERR_CRYPTO, -IMALOG_ERR_NOMEM, or what imalog_pcrs_set() returns when @out has another
 * value already (it may then have got some).
 */
IMALOG_API int imalog_eventlog_replay(struct imalog_span data, struct imalog_hasher *hasher,
				      struct imalog_pcrs *out, struct imalog_error *reterr);

/* ---- boot aggregate ---- */

/**
 * imalog_boot_aggregate() - computes the boot aggregate of a bank
 * @pcrs: must have PCR 0 to 7 of the bank, and 8 and 9 unless it is SHA-1
 * @out:  gets imalog_alg_size(@alg) bytes
 *
 * Returns 0, -IMALOG_ERR_INVALID (unknown algorithm, or a PCR is missing), -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_boot_aggregate(const struct imalog_pcrs *pcrs, enum imalog_alg alg,
				     struct imalog_hasher *hasher, uint8_t *out,
				     struct imalog_error *reterr);

/**
 * imalog_record_is_boot_aggregate() - is it named boot_aggregate or boot_aggregate_late?
 *
 * A log has one for each kernel that ran: one more after each kexec.
 */
IMALOG_API bool imalog_record_is_boot_aggregate(const struct imalog_record *record);

/**
 * imalog_record_check_boot_aggregate() - compares the digest in a boot_aggregate with PCR values
 *
 * Its digest field says which bank it is of; a field d, which names none, is of SHA-1.
 *
 * Returns IMALOG_MATCH, IMALOG_MISMATCH, IMALOG_NOT_CHECKED (@pcrs lacks a value of that bank,
 * the algorithm is unknown, or the digest is zeros: the kernel found no TPM),
 * -IMALOG_ERR_INVALID (the record is no boot_aggregate), -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_record_check_boot_aggregate(const struct imalog_record *record,
						  const struct imalog_pcrs *pcrs,
						  struct imalog_hasher *hasher,
						  struct imalog_error *reterr);

/* ---- TPM ---- */

/** struct imalog_tpm - a connection to a TPM */
struct imalog_tpm;

/** imalog_tpm_supported() - was the library built with tpm2-tss? */
IMALOG_API bool imalog_tpm_supported(void);

/** imalog_tpm_library() - what it was built with, such as "tpm2-tss 3.2.1"; NULL: without */
IMALOG_API const char *imalog_tpm_library(void);

/**
 * imalog_tpm_open() - connects to a TPM through tpm2-tss
 * @tcti: such as "device:/dev/tpmrm0"; or NULL: the environment variable TPM2TOOLS_TCTI, or
 *        when it is not set /dev/tpmrm0, /dev/tpm0 and tabrmd, but never a simulator
 * @ret:  gets the connection
 *
 * tpm2-tss prints warnings to standard error, which only the environment can silence: a program
 * sets TSS2_LOG to "all+none" before its first call.
 *
 * Returns 0, -IMALOG_ERR_TPM, -IMALOG_ERR_NOMEM, -IMALOG_ERR_UNSUPPORTED (the library was built
 * without tpm2-tss).
 */
IMALOG_API int imalog_tpm_open(const char *tcti, struct imalog_tpm **ret,
			       struct imalog_error *reterr);

/** imalog_tpm_close() - closes a connection */
IMALOG_API void imalog_tpm_close(struct imalog_tpm **tpm);

/**
 * imalog_tpm_read_pcrs() - adds all PCRs of all active banks, as they were at one moment
 * @out:            should be empty
 * @update_counter: gets the pcrUpdateCounter of that moment; may be NULL
 *
 * Reads again when the counter changed meanwhile.  It does not count PCRs that the platform
 * excepts (TPM_PT_PCR_NO_INCREMENT: on PCs 16 and 21 to 23).  Banks of unknown algorithms are
 * left out.
 *
 * Returns 0, -IMALOG_ERR_TPM (also when PCRs change without end), -IMALOG_ERR_NOMEM, or what
 * imalog_pcrs_set() returns.
 */
IMALOG_API int imalog_tpm_read_pcrs(struct imalog_tpm *tpm, struct imalog_pcrs *out,
				    uint32_t *update_counter, struct imalog_error *reterr);

/** struct imalog_tpm_clock - how far a TPM has come (TPMS_CLOCK_INFO) */
struct imalog_tpm_clock {
	/** milliseconds that it was powered */
	uint64_t clock;
	/** TPM resets: PCRs start anew with each */
	uint32_t reset_count;
	/** restarts and resumes since the last reset */
	uint32_t restart_count;
	/** no greater clock was reported before a power loss */
	bool safe;
};

/** imalog_tpm_clock() - reads the clock; returns 0 or -IMALOG_ERR_TPM */
IMALOG_API int imalog_tpm_clock(struct imalog_tpm *tpm, struct imalog_tpm_clock *ret,
				struct imalog_error *reterr);

/**
 * imalog_tpm_quote() - lets the TPM sign the values of PCRs (TPM2_Quote)
 * @ak:        the key: the file of its context (tpm2_createak -c), or a persistent handle such
 *             as 0x81010002; used without a password
 * @alg:       bank of the PCRs
 * @pcrs:      bit N is set for PCR N; below 24
 * @nonce:     what is to be signed along
 * @message:   gets the TPMS_ATTEST, whose bytes the caller frees with free()
 * @signature: gets the TPMT_SIGNATURE, whose bytes the caller frees with free()
 *
 * Returns 0, -IMALOG_ERR_TPM, -IMALOG_ERR_OS (the file), -IMALOG_ERR_BAD_FORMAT (it is no
 * context), -IMALOG_ERR_INVALID (unknown bank, PCR or too long a nonce), -IMALOG_ERR_NOMEM,
 * -IMALOG_ERR_UNSUPPORTED.
 */
IMALOG_API int imalog_tpm_quote(struct imalog_tpm *tpm, const char *ak, enum imalog_alg alg,
				uint32_t pcrs, struct imalog_span nonce,
				struct imalog_span *message, struct imalog_span *signature,
				struct imalog_error *reterr);

/**
 * imalog_sysfs_read_pcrs() - adds all PCRs of all banks that the kernel shows in sysfs
 * @root: directory below which to look for sys/class/tpm/tpm0; "" or "/" is this machine
 * @out:  should be empty
 *
 * Reads until two readings are the same: since no PCR returns to a value that it had (but 16
 * and 23, which anyone can reset), all were so at one moment.  Needs no tpm2-tss; the kernel has
 * these files since Linux 5.12.
 *
 * Returns 0, -IMALOG_ERR_OS (ENOENT: no TPM 2.0 or no such files; EAGAIN: PCRs change without
 * end), -IMALOG_ERR_BAD_VALUE (a file holds no PCR value), -IMALOG_ERR_NOMEM, or what
 * imalog_pcrs_set() returns.
 */
IMALOG_API int imalog_sysfs_read_pcrs(const char *root, struct imalog_pcrs *out,
				      struct imalog_error *reterr);

/* ---- quotes ---- */

/** struct imalog_key - a public key that signs quotes, with what came along with it */
struct imalog_key;

/**
 * imalog_key_parse() - reads a public key
 * @bytes: the whole file: PEM ("PUBLIC KEY" or "CERTIFICATE", the key's first and then others
 *         of its chain), DER (SubjectPublicKeyInfo or certificate), TPM2B_PUBLIC or
 *         TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4)
 * @ret:   gets the key
 *
 * RSA, and EC on P-256, P-384 or P-521.  Keys too short to prove anything are read all the same:
 * imalog_quote_check_key() refuses them.
 *
 * Returns 0, a negative code of the data group, -IMALOG_ERR_UNSUPPORTED (another kind of key),
 * -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_key_parse(struct imalog_span bytes, struct imalog_key **ret,
				struct imalog_error *reterr);

/** imalog_key_free() - frees a key */
IMALOG_API void imalog_key_free(struct imalog_key **key);

/** imalog_key_text() - the kind of key in a few words, such as "RSA of 2048 bits" */
IMALOG_API const char *imalog_key_text(const struct imalog_key *key);

/**
 * imalog_key_attributes() - TPMA_OBJECT of its public area (TPM 2.0 Part 2, 8.3)
 *
 * Returns 0 when the key came without a public area.
 */
IMALOG_API uint32_t imalog_key_attributes(const struct imalog_key *key);

/** enum imalog_quote_check - the questions that a quote answers, each with its own verdict */
enum imalog_quote_check {
	/** is the signature the key's, over these bytes? imalog_quote_check_signature() */
	IMALOG_QUOTE_SIGNATURE = 0,
	/** is the key strong, a restricted signing key, certified? imalog_quote_check_key() */
	IMALOG_QUOTE_KEY = 1,
	/** was it made by a TPM, and is it a quote? imalog_quote_parse() */
	IMALOG_QUOTE_MAGIC = 2,
	/** is it the answer to this nonce? imalog_quote_check_nonce() */
	IMALOG_QUOTE_NONCE = 3,
	/** are the PCRs that the log extends signed? imalog_quote_match_finish() */
	IMALOG_QUOTE_SELECTION = 4,
	/** were these values signed? imalog_quote_check_values(), imalog_quote_match_finish() */
	IMALOG_QUOTE_DIGEST = 5,
	/** does it follow an earlier quote? imalog_quote_check_previous() */
	IMALOG_QUOTE_CLOCK = 6,
	/** does the log lead to the signed values? imalog_quote_match_finish() */
	IMALOG_QUOTE_LOG = 7,
};
/** IMALOG_QUOTE_CHECKS: one more than the largest enum imalog_quote_check of this header */
#define IMALOG_QUOTE_CHECKS 8

/** imalog_quote_check_name() - "signature", "key", "magic", "nonce", and so on */
IMALOG_API const char *imalog_quote_check_name(enum imalog_quote_check check);

/**
 * struct imalog_quote - a quote (TPM2_Quote, TPM 2.0 Part 3, 18.4) and what is known about it
 *
 * Every check starts as IMALOG_NOT_CHECKED and is decided by the function that its name is
 * listed with.  No verdict implies another: who wants to know whether a log is proved looks at
 * all of them.
 */
struct imalog_quote;

/**
 * imalog_quote_parse() - reads a TPMS_ATTEST or TPM2B_ATTEST (TPM 2.0 Part 2, 10.12)
 * @message: the whole structure, copied
 * @ret:     gets the quote
 *
 * Decides IMALOG_QUOTE_MAGIC: a structure that is well-formed but not made by a TPM, or
 * another attestation than a quote, is read, and does not pass that check.
 *
 * Returns 0, a negative code of the data group, -IMALOG_ERR_UNSUPPORTED (the library was built
 * without tpm2-tss), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_quote_parse(struct imalog_span message, struct imalog_quote **ret,
				  struct imalog_error *reterr);

/** imalog_quote_free() - frees a quote */
IMALOG_API void imalog_quote_free(struct imalog_quote **quote);

/** imalog_quote_verdict() - the answer to one of the questions */
IMALOG_API enum imalog_verdict imalog_quote_verdict(const struct imalog_quote *quote,
						    enum imalog_quote_check check);

/**
 * imalog_quote_reason() - why that is the answer, in words
 *
 * Lower-case, no full stop, printable ASCII; "" when there is nothing to say.  Lives until
 * the quote is checked again.
 */
IMALOG_API const char *imalog_quote_reason(const struct imalog_quote *quote,
					   enum imalog_quote_check check);

/** imalog_quote_type() - TPMI_ST_ATTEST of the structure; 0x8018 is a quote */
IMALOG_API uint16_t imalog_quote_type(const struct imalog_quote *quote);

/** imalog_quote_nonce() - extraData, the nonce that was given to the TPM; size 0 when none */
IMALOG_API struct imalog_span imalog_quote_nonce(const struct imalog_quote *quote);

/** imalog_quote_signer() - qualifiedSigner, the qualified name of the signing key */
IMALOG_API struct imalog_span imalog_quote_signer(const struct imalog_quote *quote);

/** struct imalog_quote_clock - when a quote was made (TPM 2.0 Part 2, 10.11.1) */
struct imalog_quote_clock {
	/** milliseconds that the TPM has been powered */
	uint64_t clock;
	uint32_t reset_count;
	uint32_t restart_count;
	/** no larger clock has been reported before */
	bool safe;
	uint64_t firmware_version;
};

/**
 * imalog_quote_clock() - the clock, the counters and the firmware version
 *
 * In quotes of keys outside the endorsement and platform hierarchies, TPMs add a number of the
 * key to the counters and the firmware version: they mean something only next to each other.
 */
IMALOG_API void imalog_quote_clock(const struct imalog_quote *quote,
				   struct imalog_quote_clock *ret);

/** imalog_quote_banks() - how many selections of PCRs the quote has */
IMALOG_API size_t imalog_quote_banks(const struct imalog_quote *quote);

/**
 * imalog_quote_bank() - selection number @i, from 0, in the order in which values are hashed
 * @alg: gets the bank, IMALOG_ALG_NONE when it is not known; may be NULL
 *
 * Returns a bitmap: bit N is set when PCR N was signed.
 */
IMALOG_API uint32_t imalog_quote_bank(const struct imalog_quote *quote, size_t i,
				      enum imalog_alg *alg);

/** imalog_quote_selects() - was the value of this PCR signed? */
IMALOG_API bool imalog_quote_selects(const struct imalog_quote *quote, enum imalog_alg alg,
				     uint32_t pcr);

/** imalog_quote_pcr_digest() - the signed digest over the values of the selected PCRs */
IMALOG_API struct imalog_span imalog_quote_pcr_digest(const struct imalog_quote *quote);

/**
 * imalog_quote_hash() - the algorithm of the signed digest, which is that of the signature
 *
 * IMALOG_ALG_NONE until imalog_quote_check_signature() or imalog_quote_set_hash() was called.
 */
IMALOG_API enum imalog_alg imalog_quote_hash(const struct imalog_quote *quote);

/** imalog_quote_set_hash() - says the algorithm of the signed digest, without a signature */
IMALOG_API void imalog_quote_set_hash(struct imalog_quote *quote, enum imalog_alg alg);

/**
 * imalog_quote_check_signature() - decides IMALOG_QUOTE_SIGNATURE
 * @signature: TPMT_SIGNATURE (TPM 2.0 Part 2, 11.3.4), with or without a 2-byte size before
 *             it, of scheme RSASSA, RSAPSS or ECDSA; or the plain signature (PKCS #1, DER)
 * @hash:      that it must be made with; IMALOG_ALG_NONE: any, and of a plain signature what
 *             the key's public area says, or SHA-256
 *
 * The signature must be of the scheme and hash that the key's public area prescribes, if it
 * does.  SHA-1 is refused.  Signatures of weak keys are not checked.  Also sets the hash of
 * the signed digest, whatever the verdict.
 *
 * Returns 0, a negative code of the data group (a malformed signature), -IMALOG_ERR_NOMEM,
 * -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_quote_check_signature(struct imalog_quote *quote,
					    struct imalog_span signature,
					    const struct imalog_key *key, enum imalog_alg hash,
					    struct imalog_error *reterr);

/**
 * imalog_quote_check_key() - decides IMALOG_QUOTE_KEY
 * @ca: certificates that are trusted, PEM (one or more) or DER (one); size 0 for none
 *
 * IMALOG_MISMATCH: RSA below 2048 bits, a public area that is not that of a restricted signing
 * key, a certificate that is not for signatures or does not chain to @ca now.  IMALOG_MATCH: a
 * restricted signing key, or a certificate that chains to @ca.  IMALOG_NOT_CHECKED: a bare
 * key.  Not looked at: revocation, names and extended usages of certificates; whether the
 * public area itself is a TPM's (tpm2_makecredential and tpm2_activatecredential prove that).
 *
 * Returns 0, a negative code of the data group (malformed @ca), -IMALOG_ERR_NOMEM,
 * -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_quote_check_key(struct imalog_quote *quote, const struct imalog_key *key,
				      struct imalog_span ca, struct imalog_error *reterr);

/**
 * imalog_quote_check_nonce() - decides IMALOG_QUOTE_NONCE
 * @nonce: the bytes that were given to the TPM, at least one
 */
IMALOG_API void imalog_quote_check_nonce(struct imalog_quote *quote, struct imalog_span nonce);

/**
 * imalog_quote_check_previous() - decides IMALOG_QUOTE_CLOCK
 * @previous: an earlier quote, whose own checks are the caller's business
 *
 * IMALOG_MATCH: the same signer, the same reset and restart counters and firmware version, and
 * a clock that has grown: nothing but time lies between them.  IMALOG_NOT_CHECKED: the
 * qualified names of the signers differ.
 */
IMALOG_API void imalog_quote_check_previous(struct imalog_quote *quote,
					    const struct imalog_quote *previous);

/**
 * imalog_quote_digest() - the digest that a quote of these values would have
 * @alg:  the hash (the signing scheme's, TPM 2.0 Part 3, 18.4)
 * @pcrs: must have a value for every PCR that is selected
 * @out:  gets imalog_alg_size(@alg) bytes
 *
 * Hashes the values in the order of the selections, and of PCR numbers in each.
 *
 * Returns 0, -IMALOG_ERR_INVALID (a value is missing, unknown @alg), -IMALOG_ERR_UNSUPPORTED
 * (a bank is not known), -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_quote_digest(const struct imalog_quote *quote, enum imalog_alg alg,
				   const struct imalog_pcrs *pcrs, uint8_t *out,
				   struct imalog_error *reterr);

/**
 * imalog_quote_check_values() - decides IMALOG_QUOTE_DIGEST from PCR values alone
 * @pcrs:   where values are looked up first
 * @others: where they are looked up then; may be NULL
 *
 * Values that are in neither set are taken as those of a TPM reset.  That is no assumption:
 * the digest proves it, and when it does not, the verdict is IMALOG_NOT_CHECKED.
 *
 * Returns 0, -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_quote_check_values(struct imalog_quote *quote,
					 const struct imalog_pcrs *pcrs,
					 const struct imalog_pcrs *others,
					 struct imalog_error *reterr);

/** struct imalog_quote_match - the search for the records that a quote covers */
struct imalog_quote_match;

/**
 * imalog_quote_match_new() - prepares to find the shortest prefix of a log that a quote covers
 * @quote:  must outlive the search; its hash must be known already
 * @replay: computes the values; must outlive the search and not have begun.  Gets the banks of
 *          the quote; all ways that its padding allows are tried.
 * @others: values of PCRs that the log does not extend, may be NULL; must outlive the search.
 *          Values that are not selected are not used.
 * @ret:    gets the search
 *
 * Then call imalog_quote_match_feed() from the function given to imalog_replay_on_record(),
 * run the replay, and call imalog_quote_match_finish().
 *
 * Returns 0, -IMALOG_ERR_INVALID (the replay has begun), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_quote_match_new(struct imalog_quote *quote, struct imalog_replay *replay,
				      const struct imalog_pcrs *others,
				      struct imalog_quote_match **ret,
				      struct imalog_error *reterr);

/** imalog_quote_match_free() - frees a search */
IMALOG_API void imalog_quote_match_free(struct imalog_quote_match **match);

/** imalog_quote_match_feed() - does the log up to this record give the signed digest? */
IMALOG_API void imalog_quote_match_feed(struct imalog_quote_match *match,
					const struct imalog_record *record);

/**
 * imalog_quote_match_finish() - decides IMALOG_QUOTE_SELECTION, IMALOG_QUOTE_DIGEST and
 * IMALOG_QUOTE_LOG
 *
 * Call it when all records have been fed.  Concerns the records up to the one where the digest
 * holds, or all when it holds nowhere.
 *
 * IMALOG_QUOTE_SELECTION: IMALOG_MISMATCH when one of them extends a PCR that was not signed.
 * IMALOG_QUOTE_DIGEST: IMALOG_MATCH when the log, or the other values alone, give the digest.
 * IMALOG_QUOTE_LOG: IMALOG_MISMATCH when no prefix gives the digest, although every value was
 * known, or a recorded digest does not fit its record; IMALOG_NOT_CHECKED when values were not
 * known, content could not be recomputed, or no record extends a PCR that was signed.
 *
 * Returns 0, or the failure of imalog_quote_match_feed(): -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_quote_match_finish(struct imalog_quote_match *match,
					 struct imalog_error *reterr);

/** imalog_quote_match_at() - the first record after which the digest holds; 0 when none */
IMALOG_API uint64_t imalog_quote_match_at(const struct imalog_quote_match *match);

/**
 * imalog_quote_match_unchecked() - how many covered records have content that no rule checks
 *
 * Where that is allowed (imalog_replay_allow_opaque() before imalog_quote_match_new()) and each
 * signed bank of their PCR has a digest of them.
 */
IMALOG_API uint64_t imalog_quote_match_unchecked(const struct imalog_quote_match *match);

/**
 * imalog_quote_match_padding() - what a bank was extended with where the digest holds
 *
 * IMALOG_PADDING_SHA1 is no stronger than SHA-1; IMALOG_PADDING_AUTO: not found out.
 */
IMALOG_API enum imalog_padding
imalog_quote_match_padding(const struct imalog_quote_match *match, enum imalog_alg alg);

/**
 * imalog_quote_match_missing() - selected PCRs whose values neither the log nor the other
 * values determine
 * @i:   from 0
 * @alg: gets the bank
 * @pcr: gets the PCR number
 *
 * Returns false when there are no more than @i.
 */
IMALOG_API bool imalog_quote_match_missing(const struct imalog_quote_match *match, size_t i,
					   enum imalog_alg *alg, uint32_t *pcr);

/* ---- the kernel's staged list ---- */

/*
 * Linux 7.2 with CONFIG_IMA_STAGING: the list is staged, which sets it aside; the staged list is
 * saved; then it is deleted.  While a struct imalog_staging is open nobody else can open a
 * measurement list, not even for reading, nor can this process.  So keep it short, in one
 * thread, without a fork, and close it in the thread that opened it.
 *
 * @root is where /sys and /proc are: "" for this machine's, or a prefix.
 */

/** struct imalog_staging - the hold on the kernel's staged list */
struct imalog_staging;

/** struct imalog_receipt - proof that records are durably saved */
struct imalog_receipt;

/**
 * imalog_staging_open() - opens the kernel's staged list for reading, staging and deleting
 * @wait_ms: how long to try when somebody else has a measurement list open, in milliseconds
 *
 * Returns 0 or -IMALOG_ERR_OS: EBUSY (the detail names who has it open), EPERM, EACCES,
 * ENOENT (the detail says what is missing) and others; -IMALOG_ERR_INVALID (the process has
 * several threads), -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_staging_open(const char *root, unsigned int wait_ms,
				   struct imalog_staging **ret, struct imalog_error *reterr);

/** imalog_staging_close() - lets go of the lists; staged records stay staged */
IMALOG_API void imalog_staging_close(struct imalog_staging **staging);

/**
 * imalog_staging_stage() - sets the kernel's list aside
 *
 * Returns 1 when it is staged now, 2 when one was staged before and still is, 0 when the list
 * is empty; -IMALOG_ERR_OS: EACCES (the machine is going down) and others.
 */
IMALOG_API int imalog_staging_stage(struct imalog_staging *staging, struct imalog_error *reterr);

/**
 * imalog_staging_source() - what is staged, from its first byte
 *
 * A source that was made before must not be used any more.  The caller frees it, before
 * closing.  Returns NULL when memory ran out or the list cannot be read from its start.
 */
IMALOG_API struct imalog_source *imalog_staging_source(struct imalog_staging *staging,
						       struct imalog_error *reterr);

/** imalog_staging_bytes() - size of what was staged when it was last read to its end, or 0 */
IMALOG_API uint64_t imalog_staging_bytes(const struct imalog_staging *staging);

/** imalog_staging_records() - how many records imalog_staging_save() or _confirm() went through */
IMALOG_API uint64_t imalog_staging_records(const struct imalog_staging *staging);

/**
 * imalog_staging_delete() - frees what is staged in the kernel
 * @receipt: of exactly what was read, to its end, under this hold; in state deleting
 *
 * Returns 0; -IMALOG_ERR_INVALID, and nothing is deleted, when the receipt is another;
 * -IMALOG_ERR_OS: ESTALE (the machine is going down and a kexec may take the records along),
 * ENOENT (nothing is staged) and others.
 */
IMALOG_API int imalog_staging_delete(struct imalog_staging *staging,
				     const struct imalog_receipt *receipt,
				     struct imalog_error *reterr);

/**
 * imalog_staging_save() - makes a durable copy of what is staged
 * @path: the file, which appears complete or not at all and is never written over
 *
 * The file is marked, where the file system has extended attributes, with what tells these
 * records from others of the same bytes.
 *
 * Returns 1 when it is saved now, 2 when the file held exactly this and is durable now, 0 when
 * nothing is staged; -IMALOG_ERR_OS: EEXIST (the file holds something else, or bytes that may be
 * those of other records), ELOOP (a symbolic link) and others; any of the data group.
 */
IMALOG_API int imalog_staging_save(struct imalog_staging *staging, const char *path,
				   struct imalog_error *reterr);

/**
 * imalog_staging_confirm() - deletes what is staged, if a file holds exactly that, durably
 *
 * For machines without a store.  Brings the file and its directory to the disk, reads both it
 * and what is staged to their ends, and deletes, if the mark of imalog_staging_save() proves
 * that they are the same records: lists repeat.
 *
 * Returns 1 when the records are deleted, 0 when nothing is staged; -IMALOG_ERR_OS: EEXIST
 * (the file holds something else, or bytes that may be those of other records) and others; -IMALOG_ERR_INVALID when a power cut or a kexec would erase it; any of the data
 * group; failures of imalog_staging_delete().
 */
IMALOG_API int imalog_staging_confirm(struct imalog_staging *staging, const char *path,
				      struct imalog_error *reterr);

/**
 * imalog_durable_check() - does a power cut or a kexec leave this file, or directory, as it is?
 * @path: need not exist, but its directory must
 *
 * Returns 0; -IMALOG_ERR_INVALID with the reason (tmpfs, ramfs, an overlay on them, FUSE);
 * -IMALOG_ERR_OS.
 */
IMALOG_API int imalog_durable_check(const char *path, struct imalog_error *reterr);

/**
 * imalog_list_open() - opens the kernel's list for reading
 * @wait_ms: how long to try when somebody holds it for staging
 * @fd:      gets the descriptor, which the caller closes
 *
 * Returns 0 or -IMALOG_ERR_OS as imalog_staging_open().
 */
IMALOG_API int imalog_list_open(const char *root, unsigned int wait_ms, int *fd,
				struct imalog_error *reterr);

/** imalog_staged_open() - opens what is staged for reading, as imalog_list_open() */
IMALOG_API int imalog_staged_open(const char *root, unsigned int wait_ms, int *fd,
				  struct imalog_error *reterr);

/* ---- this machine's kernel ---- */

/** enum imalog_answer - what is known of something; the zero value is nothing */
enum imalog_answer {
	IMALOG_UNKNOWN = 0,
	IMALOG_YES = 1,
	IMALOG_NO = 2,
};

/** enum imalog_feature - what a kernel may offer */
enum imalog_feature {
	/** securityfs is mounted: without it nothing else can be told */
	IMALOG_FEATURE_SECURITYFS = 0,
	/** IMA, and so a measurement list */
	IMALOG_FEATURE_LIST = 1,
	/** the list can be staged (Linux 7.2, CONFIG_IMA_STAGING) */
	IMALOG_FEATURE_STAGING = 2,
	/** the first records of the list can be deleted (Linux 7.2, no ima_flush_htable) */
	IMALOG_FEATURE_TRIM = 3,
	/** kexec_file_load() takes the list along (CONFIG_IMA_KEXEC) */
	IMALOG_FEATURE_KEXEC = 4,
	/** the policy can be read (CONFIG_IMA_READ_POLICY) */
	IMALOG_FEATURE_READ_POLICY = 5,
	/** a policy can be loaded, still (CONFIG_IMA_WRITE_POLICY, or none was loaded yet) */
	IMALOG_FEATURE_WRITE_POLICY = 6,
};

/** struct imalog_kernel - what this machine's kernel offers and has, at one moment */
struct imalog_kernel;

/**
 * imalog_kernel_look() - looks at this machine's kernel; needs no privileges, but for numbers
 * @root: where /sys, /proc and the kernel's configuration are: "", or a prefix
 * @ret:  gets what was seen
 *
 * Returns 0; -IMALOG_ERR_OS for a failure other than that something is not there;
 * -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_kernel_look(const char *root, struct imalog_kernel **ret,
				  struct imalog_error *reterr);

/** imalog_kernel_free() - frees it */
IMALOG_API void imalog_kernel_free(struct imalog_kernel **kernel);

/** imalog_kernel_offers() - does the kernel offer this? */
IMALOG_API enum imalog_answer imalog_kernel_offers(const struct imalog_kernel *kernel,
						   enum imalog_feature feature);

/** imalog_kernel_release() - its release, as uname(2) has it; "" when not known */
IMALOG_API const char *imalog_kernel_release(const struct imalog_kernel *kernel);

/** imalog_kernel_has_list() - is there a list with the digests of this algorithm? */
IMALOG_API bool imalog_kernel_has_list(const struct imalog_kernel *kernel,
				       enum imalog_alg alg);

/**
 * imalog_kernel_counts() - numbers that the kernel tells
 * @records:    gets how many records its list has; staged ones are not counted
 * @violations: gets how many violations there were since this kernel booted
 *
 * Returns false, and leaves both alone, when they cannot be read.
 */
IMALOG_API bool imalog_kernel_counts(const struct imalog_kernel *kernel, uint64_t *records,
				     uint64_t *violations);

/**
 * imalog_list_holder() - which process has a measurement list open
 * @buf: gets a sentence: "ascii_runtime_measurements is held open by cat (pid 812)"
 *
 * Returns false when no such process can be seen.  To see those of others takes CAP_SYS_PTRACE
 * and CAP_DAC_READ_SEARCH.
 */
IMALOG_API bool imalog_list_holder(const char *root, char *buf, size_t size);

/* ---- policies ---- */

/** struct imalog_policy - the rules of an IMA policy */
struct imalog_policy;

/**
 * imalog_policy_parse() - takes the text of a policy apart
 * @text: the whole of it, copied
 * @ret:  gets the policy
 *
 * One rule a line; empty lines and those that begin with '#' mean nothing.  Whether a kernel
 * takes the rules is another question.  In an error, the record is the number of the line.
 *
 * Returns 0, -IMALOG_ERR_BAD_VALUE (a control character, a line that begins with '/', or no rule
 * at all), -IMALOG_ERR_LIMIT (a rule longer than this machine's kernel takes), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_policy_parse(struct imalog_span text, struct imalog_policy **ret,
				   struct imalog_error *reterr);

/** imalog_policy_free() - frees a policy */
IMALOG_API void imalog_policy_free(struct imalog_policy **policy);

/** imalog_policy_rules() - how many rules it has, at least 1 */
IMALOG_API size_t imalog_policy_rules(const struct imalog_policy *policy);

/** imalog_rule_fn - is told the number of a line whose rule the kernel rejects */
typedef void (*imalog_rule_fn)(void *arg, uint64_t line);

/**
 * imalog_policy_load() - gives the kernel a policy, and finds out whether it took it
 * @root: where /sys and /proc are: "" for this machine's, or a prefix
 * @path: NULL to write the rules; or the absolute path of a file with these rules, which the
 *        kernel reads, measures, and, if it is configured so, accepts only when it is signed
 * @fn:   is called for each rule that is rejected; not with a path; may be NULL
 *
 * A policy is taken whole or not at all.  Signals to the calling thread wait until the end,
 * since the kernel takes what it was given when a process dies; nothing can be done about
 * SIGKILL.
 *
 * Returns IMALOG_MATCH (the kernel took the policy, and shows it), IMALOG_MISMATCH (it did not)
 * or IMALOG_NOT_CHECKED (nothing tells), with imalog_policy_reason(); -IMALOG_ERR_OS: ENOENT
 * (the detail says what is missing), EBUSY (another program loads a policy, or the kernel takes
 * but one), EACCES and others; -IMALOG_ERR_INVALID (@path), -IMALOG_ERR_TRUNCATED (with @path:
 * the last line of the file has no newline), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_policy_load(struct imalog_policy *policy, const char *root,
				  const char *path, imalog_rule_fn fn, void *arg,
				  struct imalog_error *reterr);

/** imalog_policy_reason() - why that was the answer, in words, as imalog_quote_reason() */
IMALOG_API const char *imalog_policy_reason(const struct imalog_policy *policy);

/* ---- receipts ---- */

/** enum imalog_receipt_state - what is known of a segment that was saved */
enum imalog_receipt_state {
	/** it is on the disk, and the kernel has the records, too */
	IMALOG_RECEIPT_SAVED = 1,
	/** the kernel was or will be told to delete them */
	IMALOG_RECEIPT_DELETING = 2,
	/** it has done so: the segment is part of the log */
	IMALOG_RECEIPT_COMMITTED = 3,
	/** the next segment has the same records: this one is no part of the log */
	IMALOG_RECEIPT_DROPPED = 4,
};

/** imalog_receipt_free() - frees a receipt */
IMALOG_API void imalog_receipt_free(struct imalog_receipt **receipt);

/** imalog_receipt_state() - what is known of the segment */
IMALOG_API enum imalog_receipt_state imalog_receipt_state(const struct imalog_receipt *receipt);

/** imalog_receipt_state_name() - "saved", "deleting", "committed" or "dropped" */
IMALOG_API const char *imalog_receipt_state_name(enum imalog_receipt_state state);

/** imalog_receipt_segment() - the number of the segment in its epoch, from 1 */
IMALOG_API uint64_t imalog_receipt_segment(const struct imalog_receipt *receipt);

/** imalog_receipt_first_record() - the number of its first record in the epoch, from 1 */
IMALOG_API uint64_t imalog_receipt_first_record(const struct imalog_receipt *receipt);

/** imalog_receipt_records() - how many records it has */
IMALOG_API uint64_t imalog_receipt_records(const struct imalog_receipt *receipt);

/** imalog_receipt_violations() - how many of them are violations */
IMALOG_API uint64_t imalog_receipt_violations(const struct imalog_receipt *receipt);

/** imalog_receipt_bytes() - the size of the segment */
IMALOG_API uint64_t imalog_receipt_bytes(const struct imalog_receipt *receipt);

/** imalog_receipt_sha256() - the SHA-256 of the segment, 32 bytes */
IMALOG_API const uint8_t *imalog_receipt_sha256(const struct imalog_receipt *receipt);

/** imalog_receipt_time() - when it was saved, such as "2026-11-22T10:31:00Z"; "" when unknown */
IMALOG_API const char *imalog_receipt_time(const struct imalog_receipt *receipt);

/**
 * imalog_receipt_verdict() - did the log up to this segment lead to the TPM's values?
 * @matched_at: gets the number of the record in the epoch where it did, else 0; may be NULL
 *
 * That is what was seen when it was saved, and no proof to anybody now.
 */
IMALOG_API enum imalog_verdict imalog_receipt_verdict(const struct imalog_receipt *receipt,
						      uint64_t *matched_at);

/**
 * imalog_receipt_has_quote() - is there a quote beside it?
 * @covers: gets the last record in the epoch that the quoted values cover, 0 when that was not
 *          found; may be NULL
 */
IMALOG_API bool imalog_receipt_has_quote(const struct imalog_receipt *receipt,
					 uint64_t *covers);

/** imalog_receipt_undetermined() - does nothing prove that the segment belongs to its epoch? */
IMALOG_API bool imalog_receipt_undetermined(const struct imalog_receipt *receipt);

/**
 * imalog_receipt_may_repeat() - a segment with whose bytes this one begins once more
 *
 * Nothing told whether they are the same records, saved twice, or records that repeat.
 * Returns its number, 0 when there is no such doubt.
 */
IMALOG_API uint64_t imalog_receipt_may_repeat(const struct imalog_receipt *receipt);

/* ---- store ---- */

/** IMALOG_STORE_PATH: where the store is, unless it is said otherwise (imalog-store(5)) */
#define IMALOG_STORE_PATH "/var/lib/imalog"

/** struct imalog_store - saved segments of this machine's list, and the lock on them */
struct imalog_store;

/**
 * imalog_store_open() - opens and locks a store
 * @wait_ms: how long to try when another program has the lock, in milliseconds
 *
 * The lock is taken before anything of the kernel's, always.
 *
 * Returns 0; -IMALOG_ERR_OS: ENOENT (there is no store), EBUSY (the lock) and others;
 * -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_store_open(const char *path, unsigned int wait_ms, struct imalog_store **ret,
				 struct imalog_error *reterr);

/**
 * imalog_store_look() - opens a store to look at it, together with others who do
 *
 * As imalog_store_open(); nothing is written.  Who closes it lets others change it: what is
 * open of an epoch that has no pending segment stays as it is.
 */
IMALOG_API int imalog_store_look(const char *path, unsigned int wait_ms,
				 struct imalog_store **ret, struct imalog_error *reterr);

/** imalog_store_close() - unlocks and closes a store */
IMALOG_API void imalog_store_close(struct imalog_store **store);

/** imalog_store_epochs() - how many epochs there are */
IMALOG_API size_t imalog_store_epochs(const struct imalog_store *store);

/** imalog_store_epoch() - the number of epoch @i, from 0, in ascending order */
IMALOG_API uint64_t imalog_store_epoch(const struct imalog_store *store, size_t i);

/** imalog_store_current() - the number of the epoch that grows, 0 when there is none */
IMALOG_API uint64_t imalog_store_current(const struct imalog_store *store);

/**
 * imalog_store_kept() - the segment that imalog_export_keep() has left in the current epoch
 *
 * It is pending, and no export was interrupted.  Returns its number, 0 when there is none.
 */
IMALOG_API uint64_t imalog_store_kept(const struct imalog_store *store);

/**
 * imalog_store_prune() - removes old epochs
 * @keep:    how many stay: the newest, and always the current one
 * @removed: gets how many were removed, also on failure; may be NULL
 *
 * An epoch that has a pending segment or a file that is not the store's is not removed.
 *
 * Returns 0; -IMALOG_ERR_INVALID (such an epoch), -IMALOG_ERR_OS, -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_store_prune(struct imalog_store *store, uint64_t keep, uint64_t *removed,
				  struct imalog_error *reterr);

/** struct imalog_epoch - everything that was measured since one reset of the TPM */
struct imalog_epoch;

/** imalog_epoch_open() - opens an epoch by its number; 0, -IMALOG_ERR_OS, -IMALOG_ERR_NOMEM */
IMALOG_API int imalog_epoch_open(struct imalog_store *store, uint64_t number,
				 struct imalog_epoch **ret, struct imalog_error *reterr);

/** imalog_epoch_close() - closes an epoch */
IMALOG_API void imalog_epoch_close(struct imalog_epoch **epoch);

/** imalog_epoch_number() - its number */
IMALOG_API uint64_t imalog_epoch_number(const struct imalog_epoch *epoch);

/** imalog_epoch_segments() - how many segments there are, of any kind */
IMALOG_API size_t imalog_epoch_segments(const struct imalog_epoch *epoch);

/**
 * imalog_epoch_segment() - segment @i, from 0, in the order of their numbers
 * @number: gets its number
 *
 * Returns "log", "pending", "dropped", or "none" for a receipt without a segment.
 */
IMALOG_API const char *imalog_epoch_segment(const struct imalog_epoch *epoch, size_t i,
					    uint64_t *number);

/**
 * imalog_epoch_receipt() - reads the receipt of segment @i
 *
 * Returns 0, -IMALOG_ERR_OS (ENOENT: it has none), one of the data group, -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_epoch_receipt(const struct imalog_epoch *epoch, size_t i,
				    struct imalog_receipt **ret, struct imalog_error *reterr);

/** imalog_finding_fn - is told what is wrong with segment @segment (0: the epoch), in words */
typedef void (*imalog_finding_fn)(void *arg, uint64_t segment, const char *text);

/**
 * imalog_epoch_check() - checks an epoch from its first record on
 * @replay:    computes the values; must not have begun, and not have a start value.  Is used
 *             up to the last segment of the log, so that the kernel's list can follow.
 * @templates: as for imalog_reader_new()
 * @fn:        is called for each fault, in the order of the segments; may be NULL
 *
 * Each segment against its receipt (size, SHA-256, numbers of records, PCR values before and
 * after, verdict, quote, the receipt before, also that of the epoch before), and the order of
 * segments; of pending and dropped ones the bytes.  Receipts are no proof: what proves an
 * epoch is the comparison of the replay's values.
 *
 * Returns the number of faults; one of the data group for a segment that cannot be read to its
 * end, after @fn was told; -IMALOG_ERR_OS, -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_epoch_check(struct imalog_epoch *epoch, struct imalog_replay *replay,
				  const struct imalog_templates *templates, imalog_finding_fn fn,
				  void *arg, struct imalog_error *reterr);

/**
 * imalog_epoch_rebuild() - makes receipts anew that are lost or damaged
 * @fn: is told what was made, and what could not be; may be NULL
 *
 * Computes what the segments tell.  When, by which kernel and with what TPM they were saved is
 * lost.  A segment that is not what its receipt says is left alone.
 *
 * Returns how many were made, or a negative code as imalog_epoch_check().
 */
IMALOG_API int imalog_epoch_rebuild(struct imalog_epoch *epoch,
				    const struct imalog_templates *templates,
				    imalog_finding_fn fn, void *arg, struct imalog_error *reterr);

/* ---- export ---- */

/** struct imalog_export - takes records out of the kernel into the store, without losing one */
struct imalog_export;

/**
 * imalog_export_new() - prepares an export
 * @root:  where /sys, /proc and /dev are: "" for this machine's, or a prefix
 * @store: path of the store
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_export *imalog_export_new(const char *root, const char *store);

/** imalog_export_free() - frees it */
IMALOG_API void imalog_export_free(struct imalog_export **handle);

/** imalog_export_set_wait() - how long to try when the store or the lists are busy; default 0 */
IMALOG_API void imalog_export_set_wait(struct imalog_export *handle, unsigned int wait_ms);

/** enum imalog_tpm_use - where the TPM's values come from */
enum imalog_tpm_use {
	/** tpm2-tss if TPM2TOOLS_TCTI is set or there is a /dev/tpmrm0, else sysfs, else nowhere */
	IMALOG_TPM_AUTO = 0,
	/** tpm2-tss */
	IMALOG_TPM_TSS = 1,
	/** the kernel's sysfs: no clock, no quote */
	IMALOG_TPM_SYSFS = 2,
	/** nowhere: nothing is compared */
	IMALOG_TPM_NONE = 3,
};

/** IMALOG_TCTI_MAX - what a TCTI that is found fits in */
#define IMALOG_TCTI_MAX 512

/**
 * imalog_tpm_find() - what IMALOG_TPM_AUTO stands for on this machine
 * @root: prefix of /dev and /sys
 * @tcti: gets the TCTI for IMALOG_TPM_TSS, "" for what tpm2-tss itself chooses
 *
 * Returns another value than IMALOG_TPM_AUTO.
 */
IMALOG_API enum imalog_tpm_use imalog_tpm_find(const char *root, char tcti[IMALOG_TCTI_MAX]);

/**
 * imalog_export_set_tpm() - says which TPM
 * @tcti: as for imalog_tpm_open(), may be NULL; copied
 * @ak:   key to quote with, as for imalog_tpm_quote(), or NULL for no quote; copied
 *
 * Returns 0, -IMALOG_ERR_INVALID (a key without tpm2-tss being used), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_export_set_tpm(struct imalog_export *handle, enum imalog_tpm_use use,
				     const char *tcti, const char *ak,
				     struct imalog_error *reterr);

/**
 * imalog_export_set_thresholds() - leaves a list alone that is small and young
 * @records: exports when it has as many records; 0: that is no reason
 * @bytes:   or is of this size; 0: that is no reason
 * @age:     or the last export was as many seconds ago; 0: that is no reason
 *
 * Without any, every record is reason enough.  What is staged already, or pending, is always
 * taken care of.
 */
IMALOG_API void imalog_export_set_thresholds(struct imalog_export *handle, uint64_t records,
					     uint64_t bytes, uint64_t age);

/**
 * imalog_export_set_slice() - takes a longer list in pieces
 * @records: of a piece; 0: never; default 20000
 *
 * Reading costs the kernel the square of the list's length, and others are locked out
 * meanwhile.  Where it deletes records by their number, the first @records of a longer list
 * are saved and deleted, then the next, and what is left is staged.
 */
IMALOG_API void imalog_export_set_slice(struct imalog_export *handle, uint64_t records);

/**
 * imalog_export_run() - stages the list, saves it, and lets the kernel delete it
 *
 * First finishes what an earlier run could not.  May be called again.  While the lists are
 * held, the process must have one thread, and not fork.  A kernel that cannot stage, but
 * deletes records by their number, is exported that way alone.
 *
 * Returns how many segments were saved or finished, 0 when there was nothing to do.  On failure
 * nothing is lost: what was not durably saved is in the kernel.  -IMALOG_ERR_OS: EBUSY, ENOSPC,
 * ESTALE and others; -IMALOG_ERR_INVALID (the store is on what a power cut erases, or needs
 * imalog_epoch_rebuild()); any of the data group (what is staged cannot be taken apart),
 * -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.  A TPM that cannot be read is a note.
 */
IMALOG_API int imalog_export_run(struct imalog_export *handle, struct imalog_error *reterr);

/**
 * imalog_export_trim() - saves the first records of the list, and lets the kernel delete them
 * @records: how many, at least one
 *
 * Exactly those, after finishing what an earlier run could not; the number counts from what is
 * then the head of the list.
 *
 * Returns as imalog_export_run(), and -IMALOG_ERR_OS, before anything is saved: EEXIST (records
 * are staged, which are older), ENOENT (the list has fewer, or the kernel does not delete
 * records by their number), EINVAL (ima_flush_htable forbids it).
 */
IMALOG_API int imalog_export_trim(struct imalog_export *handle, uint64_t records,
				  struct imalog_error *reterr);

/**
 * imalog_export_trim_to() - as imalog_export_trim(), up to a record of the epoch
 * @record: its number, as those of imalog_receipt_first_record()
 *
 * Returns also 0 when the store has it already.
 */
IMALOG_API int imalog_export_trim_to(struct imalog_export *handle, uint64_t record,
				     struct imalog_error *reterr);

/**
 * imalog_trim_fn - says up to which record to trim, when all have been replayed
 * @record: gets its number in the epoch, 0 for none
 *
 * Is called while the lists are held: it must not open them, start a thread or fork.  Returns
 * 0, or a negative code of enum imalog_code, and nothing is deleted.
 */
typedef int (*imalog_trim_fn)(void *arg, uint64_t *record);

/**
 * imalog_export_trim_replayed() - as imalog_export_trim_to(), up to a record that is found by
 * replaying all that was measured in this epoch
 * @replay: prepared by the caller, and not begun; what the store has is replayed, then the list
 *
 * Returns as imalog_export_trim_to(), or what @fn returned; any of the data group.
 */
IMALOG_API int imalog_export_trim_replayed(struct imalog_export *handle,
					   struct imalog_replay *replay, imalog_trim_fn fn,
					   void *arg, struct imalog_error *reterr);

/**
 * imalog_export_save() - only saves what is staged
 *
 * Returns as imalog_export_run(); 0 when nothing is staged.
 */
IMALOG_API int imalog_export_save(struct imalog_export *handle, struct imalog_error *reterr);

/**
 * imalog_export_keep() - before a kexec: saves what is in the kernel, and deletes nothing
 *
 * So that nothing of it is lost if it is not carried over.  Works with every kernel; one that can
 * stage has its list staged.  What was saved is written down in the store, for the first export
 * of the next kernel, and for imalog_kexec_look().
 *
 * Returns as imalog_export_run().
 */
IMALOG_API int imalog_export_keep(struct imalog_export *handle, struct imalog_error *reterr);

/**
 * imalog_export_confirm() - lets the kernel delete what is staged, if it is saved
 * @file: NULL, or a file that must be what is staged, to its last byte; it is saved in the
 *        store first
 *
 * Returns as imalog_export_run(); 0 when nothing is staged, also if something that was deleted
 * before is finished now, so that @file was compared with nothing; -IMALOG_ERR_INVALID when
 * what is staged is not in the store, or not in @file.
 */
IMALOG_API int imalog_export_confirm(struct imalog_export *handle, const char *file,
				     struct imalog_error *reterr);

/**
 * imalog_export_receipt() - the receipt of segment @i, from 0, of those of the last call
 * @epoch: gets the number of its epoch; may be NULL
 *
 * Lives until the next call.  Returns NULL when there are no more than @i.
 */
IMALOG_API const struct imalog_receipt *
imalog_export_receipt(const struct imalog_export *handle, size_t i, uint64_t *epoch);

/** enum imalog_note_kind - how much a note weighs */
enum imalog_note_kind {
	/** it is good to know */
	IMALOG_NOTE_INFO = 0,
	/** something was to be checked and could not be */
	IMALOG_NOTE_UNCHECKED = 1,
	/** something does not fit */
	IMALOG_NOTE_WRONG = 2,
};

/**
 * imalog_export_note() - what is to be said about the last call
 * @i:    from 0
 * @kind: gets how much it weighs
 *
 * Returns a sentence, lower-case, without a full stop, of printable ASCII; NULL when there are
 * no more than @i.
 */
IMALOG_API const char *imalog_export_note(const struct imalog_export *handle, size_t i,
					  enum imalog_note_kind *kind);

/* ---- kexec ---- */

/** struct imalog_kexec - whether a kexec will carry this machine's list over */
struct imalog_kexec;

/** struct imalog_kexec_question - what is to be found out */
struct imalog_kexec_question {
	/** where /sys, /proc and the kernel's configuration are: "", or a prefix */
	const char *root;
	/** path of the store that imalog_export_keep() was called with, or NULL */
	const char *store;
	/** the next kernel is loaded: has that enough room?  Else: will it have? */
	bool loaded;
	/** and is the list what imalog_export_keep() saved, to its last byte? */
	bool unchanged;
	/** bytes that are to be left for what is measured yet */
	uint64_t reserve;
	/** how long to try when the lists are busy, in milliseconds */
	unsigned int wait_ms;
};

/**
 * imalog_kexec_look() - looks at this machine's kernel, and at its lists
 *
 * Crash kernels, which get no list, are none of its business.
 *
 * Returns 0 whatever is found; -IMALOG_ERR_OS: EBUSY, ENOENT (no IMA) and others; any of the data
 * group (a list cannot be taken apart), -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_kexec_look(const struct imalog_kexec_question *question,
				 struct imalog_kexec **ret, struct imalog_error *reterr);

/** imalog_kexec_free() - frees it */
IMALOG_API void imalog_kexec_free(struct imalog_kexec **kexec);

/**
 * imalog_kexec_verdict() - will the list be carried over?
 *
 * IMALOG_MATCH: it will; IMALOG_MISMATCH: it will not, or is not what it was; IMALOG_NOT_CHECKED:
 * that cannot be told.  For the last two there is a note that says why.
 */
IMALOG_API enum imalog_verdict imalog_kexec_verdict(const struct imalog_kexec *kexec);

/** imalog_kexec_note() - what is to be said, as imalog_export_note() */
IMALOG_API const char *imalog_kexec_note(const struct imalog_kexec *kexec, size_t i,
					 enum imalog_note_kind *kind);

/** struct imalog_kexec_facts - what a verdict rests on; sizes are in bytes */
struct imalog_kexec_facts {
	/** how many records are to be carried over, */
	uint64_t records;
	/** their size, */
	uint64_t bytes;
	/** and how much room they take, with what comes with them */
	uint64_t needed;
	/** the room that there is, or will be; 0: not known */
	uint64_t segment;
	/** what says so: "estimate", "prepared" (at least that), "kexec_load", "vmallocinfo"; "" */
	const char *segment_from;
	/** is a kernel loaded? */
	enum imalog_answer loaded;
	/** was a kexec prepared in this boot?  Then: */
	bool prepared;
	/** the epoch, */
	uint64_t epoch;
	/** its last record that is in the store alone, */
	uint64_t committed;
	/** and how many records behind it were saved and are still in the kernel, */
	uint64_t kept;
	/** and the SHA-256 of those, 32 bytes */
	uint8_t sha256[32];
};

/** imalog_kexec_get() - all of that */
IMALOG_API void imalog_kexec_get(const struct imalog_kexec *kexec,
				 struct imalog_kexec_facts *ret);

/* ---- plans ---- */

/**
 * struct imalog_plan - pieces, in order, that are one log
 *
 * Belongs to what made it.  Its parts are read one after the other; of each, the records that
 * the parts before have already are left out.
 */
struct imalog_plan;

/** imalog_plan_parts() - how many parts there are */
IMALOG_API size_t imalog_plan_parts(const struct imalog_plan *plan);

/** imalog_plan_name() - the name of part @i, from 0, for messages: as it was given, not escaped */
IMALOG_API const char *imalog_plan_name(const struct imalog_plan *plan, size_t i);

/** enum imalog_part_kind - where a part of a plan comes from */
enum imalog_part_kind {
	IMALOG_PART_FILE = 0, /* a file, such as a segment of the store */
	IMALOG_PART_STAGED = 1, /* what this machine's kernel has staged */
	IMALOG_PART_LIST = 2, /* the list of this machine's kernel */
};

/** imalog_plan_kind() - where part @i comes from */
IMALOG_API enum imalog_part_kind imalog_plan_kind(const struct imalog_plan *plan, size_t i);

/** imalog_plan_skip() - how many of the first records of part @i are to be left out */
IMALOG_API uint64_t imalog_plan_skip(const struct imalog_plan *plan, size_t i);

/**
 * imalog_plan_open() - opens part @i for reading
 * @fd: gets a descriptor at its first byte, which the caller closes before opening another part
 *
 * May be called again.  Returns 0, -IMALOG_ERR_OS, -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_plan_open(const struct imalog_plan *plan, size_t i, int *fd,
				struct imalog_error *reterr);

/* ---- this machine's log ---- */

/**
 * struct imalog_view - this machine's log, as if nothing had ever left the kernel
 *
 * Segments of the store's current epoch, what is staged and the kernel's list, as they are
 * at one moment.  Nothing is written.
 */
struct imalog_view;

/**
 * imalog_view_new() - prepares a view
 * @root:  as for imalog_export_new()
 * @store: path of the store, which need not be there; "": what is staged and the list, without
 *         a store; NULL: the kernel's list alone
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_view *imalog_view_new(const char *root, const char *store);

/** imalog_view_free() - frees it, and its plan */
IMALOG_API void imalog_view_free(struct imalog_view **view);

/** imalog_view_set_wait() - how long to try when the store or the lists are busy; default 0 */
IMALOG_API void imalog_view_set_wait(struct imalog_view *view, unsigned int wait_ms);

/**
 * imalog_view_set_tpm() - says which TPM is asked where only its values tell what happened
 *
 * As imalog_export_set_tpm() without a key.
 */
IMALOG_API int imalog_view_set_tpm(struct imalog_view *view, enum imalog_tpm_use use,
				   const char *tcti, struct imalog_error *reterr);

/**
 * imalog_view_take() - looks at the machine, again if it was done before
 *
 * The store and the kernel's lists are held while they are looked at, and the lists copied, if
 * the kernel can delete records.  So what is read later is of that moment, but for a list
 * that cannot lose records, which may have grown.
 *
 * Returns 0; -IMALOG_ERR_OS: EBUSY (with the name of who holds a list) and others;
 * -IMALOG_ERR_INVALID (the store lacks something: imalog_epoch_check() tells); any of the data
 * group, -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_view_take(struct imalog_view *view, struct imalog_error *reterr);

/** imalog_view_plan() - the pieces in their order; until the next imalog_view_take() */
IMALOG_API const struct imalog_plan *imalog_view_plan(const struct imalog_view *view);

/** imalog_view_epoch() - the epoch of the store that its segments are of; 0: there are none */
IMALOG_API uint64_t imalog_view_epoch(const struct imalog_view *view);

/**
 * imalog_view_is_doubtful() - may some records be in it twice?
 *
 * Then an export was interrupted, and neither bytes nor PCR values tell whether the kernel
 * still has the records of a pending segment, or others like them; or nothing told so when it
 * was committed, and the next one begins with its bytes.  Nothing that rests on such a view is
 * proved.
 */
IMALOG_API bool imalog_view_is_doubtful(const struct imalog_view *view);

/** imalog_view_note() - what is to be said about it, as imalog_export_note() */
IMALOG_API const char *imalog_view_note(const struct imalog_view *view, size_t i,
					enum imalog_note_kind *kind);

/* ---- this machine's log by offsets ---- */

/**
 * struct imalog_follower - this machine's log as files that only grow
 *
 * For readers who come back with the offset where they stopped.  A byte that was once read at
 * an offset stays what it is for as long as the log lasts, which is until the TPM is reset.
 * None of the kernel's files is open between two calls.  Memory is in proportion to what the
 * kernel has of the log.
 */
struct imalog_follower;

/** struct imalog_shape - which of the kernel's lists of the same records */
struct imalog_shape {
	/** @ascii: the text, not the binary list */
	bool ascii;
	/** @alg: algorithm of the template digests */
	enum imalog_alg alg;
	/** @padded: SHA-1 and zeros, as of a kernel that lacks the algorithm */
	bool padded;
};

/** imalog_follower_new() - as imalog_view_new(); nothing is known before the first look */
IMALOG_API struct imalog_follower *imalog_follower_new(const char *root, const char *store);

/** imalog_follower_free() - frees it */
IMALOG_API void imalog_follower_free(struct imalog_follower **follower);

/** imalog_follower_set_wait() - as imalog_view_set_wait() */
IMALOG_API void imalog_follower_set_wait(struct imalog_follower *follower,
					 unsigned int wait_ms);

/** imalog_follower_set_tpm() - as imalog_view_set_tpm() */
IMALOG_API int imalog_follower_set_tpm(struct imalog_follower *follower,
				       enum imalog_tpm_use use, const char *tcti,
				       struct imalog_error *reterr);

/**
 * imalog_follower_look() - looks whether there is more
 *
 * Returns 1 when there is, or it is another log; 0 when not; or the codes of
 * imalog_view_take(), of which -IMALOG_ERR_OS with EIO says that the store is gone, or does not
 * have what was shown.  After a failure what was known before can still be read, but nobody
 * can say that it is all.
 */
IMALOG_API int imalog_follower_look(struct imalog_follower *follower,
				    struct imalog_error *reterr);

/** imalog_follower_log() - which log it is: 0 when none is known, another after a reset */
IMALOG_API uint64_t imalog_follower_log(const struct imalog_follower *follower);

/** imalog_follower_epoch() - the epoch of the store that it is; 0: of none */
IMALOG_API uint64_t imalog_follower_epoch(const struct imalog_follower *follower);

/** imalog_follower_records() - how many records it has */
IMALOG_API uint64_t imalog_follower_records(const struct imalog_follower *follower);

/**
 * imalog_follower_is_doubtful() - is there more, and it is not decided what?
 *
 * As imalog_view_is_doubtful(); the log then ends before the first record of which it is not
 * known whether it comes once or twice.
 */
IMALOG_API bool imalog_follower_is_doubtful(const struct imalog_follower *follower);

/**
 * imalog_follower_size() - how many bytes are known
 *
 * Returns 0, or -IMALOG_ERR_UNSUPPORTED (of the text of a record whose template is not known),
 * -IMALOG_ERR_INVALID (no such list).
 */
IMALOG_API int imalog_follower_size(const struct imalog_follower *follower,
				    const struct imalog_shape *shape, uint64_t *ret,
				    struct imalog_error *reterr);

/**
 * imalog_follower_read() - reads from an offset on
 * @got: how many bytes, of @size; 0 where nothing more is known
 *
 * Returns 0; -IMALOG_ERR_OS (the store cannot be read, now); -IMALOG_ERR_INVALID (no such list,
 * or a receipt that is not of its segment); any of the data group, -IMALOG_ERR_NOMEM,
 * -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_follower_read(struct imalog_follower *follower,
				    const struct imalog_shape *shape, uint64_t offset, void *to,
				    size_t size, size_t *got, struct imalog_error *reterr);

/** imalog_follower_note() - what is to be said of the last look, as imalog_export_note() */
IMALOG_API const char *imalog_follower_note(const struct imalog_follower *follower, size_t i,
					    enum imalog_note_kind *kind);

/* ---- merging ---- */

/**
 * struct imalog_merge - makes one log of pieces: saved segments, what is staged, the list
 *
 * In which order they come and which records they have in common is found by receipts, and by
 * what the records lead to.  Names are no evidence, and neither are equal bytes: violations
 * repeat.
 *
 * What receipts join costs one reading and no memory.  The rest is tried in every order, up to
 * 8 such pieces, and takes memory in proportion to the number of its records.
 */
struct imalog_merge;

/** imalog_merge_new() - makes a merge of no pieces; NULL when memory ran out */
IMALOG_API struct imalog_merge *imalog_merge_new(const struct imalog_templates *templates);

/** imalog_merge_free() - frees a merge; its plan, replay and texts go with it */
IMALOG_API void imalog_merge_free(struct imalog_merge **merge);

/** imalog_merge_set_reading() - how to read the pieces, as the reader's functions of these names */
IMALOG_API void imalog_merge_set_reading(struct imalog_merge *merge, enum imalog_format format,
					 enum imalog_order order, size_t digest_size);

/**
 * imalog_merge_add_file() - adds a file as a piece
 * @path: of a regular file, which is opened whenever it is read; copied
 *
 * Returns 0, -IMALOG_ERR_OS, -IMALOG_ERR_INVALID (it is none), -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_merge_add_file(struct imalog_merge *merge, const char *path,
				     struct imalog_error *reterr);

/**
 * imalog_merge_add_fd() - adds a descriptor as a piece
 * @fd:   of a regular file, which is read from its first byte on, whenever it is read; stays the
 *        caller's, and open
 * @name: for messages; copied
 *
 * Returns as imalog_merge_add_file().
 */
IMALOG_API int imalog_merge_add_fd(struct imalog_merge *merge, int fd, const char *name,
				   struct imalog_error *reterr);

/**
 * imalog_merge_add_plan() - adds the pieces of a plan, which are known to follow each other
 * @plan:  must outlive the merge; of one that is doubtful (imalog_view_is_doubtful()) the order
 *         is found as of other pieces
 * @epoch: the number of their epoch, 0 when it has none
 *
 * Returns as imalog_merge_add_file().
 */
IMALOG_API int imalog_merge_add_plan(struct imalog_merge *merge, const struct imalog_plan *plan,
				     uint64_t epoch, struct imalog_error *reterr);

/**
 * imalog_merge_add_receipts() - adds the receipts in a directory
 * @path: of NNNNNNNN.json files, of an epoch, or of a store with all its epochs
 *
 * Receipts are no proof.  They say what to try first, and what is missing.
 *
 * Returns the number of receipts; one of the data group (a receipt is none), -IMALOG_ERR_OS,
 * -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_merge_add_receipts(struct imalog_merge *merge, const char *path,
					 struct imalog_error *reterr);

/** imalog_merge_set_epoch() - takes the pieces of this epoch only; 0, the default: there is one */
IMALOG_API void imalog_merge_set_epoch(struct imalog_merge *merge, uint64_t epoch);

/**
 * imalog_prepare_fn - prepares a replay: banks, padding, values that are expected
 *
 * Is called for each new pass over the records.  Returns 0 or a negative code, which ends the
 * merge.
 */
typedef int (*imalog_prepare_fn)(void *arg, struct imalog_replay *replay);

/** imalog_merge_set_anchor() - says what the log is to lead to, by preparing replays */
IMALOG_API void imalog_merge_set_anchor(struct imalog_merge *merge, imalog_prepare_fn fn,
					void *arg);

/**
 * imalog_merge_set_quote() - says that the log is to lead to what a quote has signed
 * @quote:  must outlive the merge; its hash must be known already
 * @others: as for imalog_quote_match_new()
 *
 * Instead of expected values.  IMALOG_QUOTE_SELECTION, _DIGEST and _LOG are decided.
 */
IMALOG_API void imalog_merge_set_quote(struct imalog_merge *merge, struct imalog_quote *quote,
				       const struct imalog_pcrs *others);

/** imalog_restart_fn - takes back all that was written; returns 0, or an errno value */
typedef int (*imalog_restart_fn)(void *arg);

/**
 * imalog_merge_set_output() - says where the records go
 * @format:  as for imalog_writer_new()
 * @order:   as for imalog_writer_new()
 * @write:   gets them
 * @restart: is called when what was written so far turns out to be wrong
 *
 * If the pieces are kernel lists of one byte order and digest, and @format is
 * IMALOG_FORMAT_KERNEL with any other order than IMALOG_ORDER_BE, their bytes stay as they
 * are.  If they differ, or are no such lists, and @format is one, digests are those of SHA-1.
 */
IMALOG_API void imalog_merge_set_output(struct imalog_merge *merge, enum imalog_format format,
					enum imalog_order order, imalog_write_fn write,
					imalog_restart_fn restart, void *arg);

/** imalog_merge_set_sequence() - as imalog_writer_set_sequence() for what is written */
IMALOG_API void imalog_merge_set_sequence(struct imalog_merge *merge);

/** imalog_merge_on_record() - @fn is called for each record of each pass, as by a replay */
IMALOG_API void imalog_merge_on_record(struct imalog_merge *merge, imalog_record_fn fn, void *arg);

/** enum imalog_merge_result - what came of a merge */
enum imalog_merge_result {
	/** one sequence of records, and no other, leads to what is expected; it was written */
	IMALOG_MERGE_PROVED = 1,
	/**
	 * receipts join the pieces, and nothing was expected, or it does not tell whether
	 * records that were left out are the same; written
	 */
	IMALOG_MERGE_RECEIPTS = 2,
	/** nothing joins the pieces: they are in the order they were given in; written */
	IMALOG_MERGE_GIVEN = 3,
	/** what is expected could not be compared */
	IMALOG_MERGE_UNCHECKED = 4,
	/** several sequences of records lead to what is expected */
	IMALOG_MERGE_AMBIGUOUS = 5,
	/** none leads there, or something is missing or was changed */
	IMALOG_MERGE_BROKEN = 6,
	/** a piece ends inside a record, or cannot be taken apart */
	IMALOG_MERGE_MALFORMED = 7,
	/** the pieces are of several epochs */
	IMALOG_MERGE_EPOCHS = 8,
	/** there are too many possibilities */
	IMALOG_MERGE_TOO_MANY = 9,
};

/** imalog_merge_result_name() - "proved", "receipts", "given", and so on */
IMALOG_API const char *imalog_merge_result_name(enum imalog_merge_result result);

/**
 * imalog_merge_run() - joins the pieces; may be called once
 * @result: gets what came of it
 *
 * Returns 0 whatever came of it, -IMALOG_ERR_OS, -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO,
 * -IMALOG_ERR_AMBIGUOUS (how a piece is laid out), -IMALOG_ERR_UNSUPPORTED (a record that the
 * output cannot express), -IMALOG_ERR_INVALID (there are no pieces), or a failure of the function
 * that prepares replays.
 */
IMALOG_API int imalog_merge_run(struct imalog_merge *merge, enum imalog_merge_result *result,
				struct imalog_error *reterr);

/** imalog_merge_plan() - the pieces in order, as far as there is one; no parts if there is none */
IMALOG_API const struct imalog_plan *imalog_merge_plan(const struct imalog_merge *merge);

/** struct imalog_merge_part - a part of the plan, as it was found to be */
struct imalog_merge_part {
	/** of its piece, as it was given: not escaped */
	const char *name;
	/** the number of its first record in the log, from 1 */
	uint64_t first;
	/** how many records it adds */
	uint64_t records;
	/** how many of its records the parts before had already */
	uint64_t skipped;
	/** its receipt, NULL without one; lives as long as the merge */
	const struct imalog_receipt *receipt;
	/** was all of it read, and held against the receipt? */
	bool checked;
	/** and was it found to be what that says? */
	bool fits;
};

/** imalog_merge_part() - part @i of the plan, from 0; false when there are no more than @i */
IMALOG_API bool imalog_merge_part(const struct imalog_merge *merge, size_t i,
				  struct imalog_merge_part *ret);

/** enum imalog_merge_problem - what is to be said about a piece, or about what is not there */
enum imalog_merge_problem {
	/** records are not there */
	IMALOG_MERGE_MISSING = 1,
	/** other pieces have all its records */
	IMALOG_MERGE_DOUBLED = 2,
	/** it does not belong to this log */
	IMALOG_MERGE_FOREIGN = 3,
	/** it was changed */
	IMALOG_MERGE_EDITED = 4,
	/** its end is not there, or cannot be read */
	IMALOG_MERGE_CUT = 5,
	/** the order is not the one that was given: no fault */
	IMALOG_MERGE_REORDERED = 6,
	/** its first records are the last of another: no fault */
	IMALOG_MERGE_OVERLAPS = 7,
	/** it is of another epoch */
	IMALOG_MERGE_OTHER_EPOCH = 8,
	/** something else, in words */
	IMALOG_MERGE_OTHER = 9,
	/** a segment that a receipt names, and whose records nothing proves to be there */
	IMALOG_MERGE_UNSEEN = 10,
};

/** imalog_merge_problem_name() - "missing", "doubled", and so on */
IMALOG_API const char *imalog_merge_problem_name(enum imalog_merge_problem problem);

/**
 * imalog_merge_problem() - number @i, from 0, of what is to be said
 * @kind:  gets what it is
 * @piece: gets the name of the piece, as it was given, or NULL; may be NULL
 *
 * Returns a sentence, without a full stop, of printable ASCII; NULL when there are no more
 * than @i.
 */
IMALOG_API const char *imalog_merge_problem(const struct imalog_merge *merge, size_t i,
					    enum imalog_merge_problem *kind, const char **piece);

/**
 * imalog_merge_candidate() - number @i, from 0, of the sequences of which only one can be
 *
 * Returns the pieces in order, in words of printable ASCII; NULL when there are no more than @i.
 */
IMALOG_API const char *imalog_merge_candidate(const struct imalog_merge *merge, size_t i);

/**
 * imalog_merge_epoch() - number @i, from 0, of the epochs that the receipts are of
 * @epoch:  gets its number
 * @pieces: gets how many pieces are of it
 *
 * Returns false when there are no more than @i.
 */
IMALOG_API bool imalog_merge_epoch(const struct imalog_merge *merge, size_t i, uint64_t *epoch,
				   size_t *pieces);

/** imalog_merge_replay() - the replay of the plan; NULL when there was none */
IMALOG_API const struct imalog_replay *imalog_merge_replay(const struct imalog_merge *merge);

/** imalog_merge_quote_match() - the search for the quote's records in the plan, or NULL */
IMALOG_API const struct imalog_quote_match *
imalog_merge_quote_match(const struct imalog_merge *merge);

/* ---- signatures in records ---- */

/** enum imalog_sig_type - what a signature is of (enum evm_ima_xattr_type, integrity.h) */
enum imalog_sig_type {
	/** a file's content, from security.ima */
	IMALOG_SIG_IMA = 3,
	/** a file's attributes, from security.evm, of a kind that is not bound to its inode */
	IMALOG_SIG_EVM_PORTABLE = 5,
	/** a file's fs-verity digest, from security.ima */
	IMALOG_SIG_VERITY = 6,
	/** a file's content without the signature, which was appended to it: PKCS #7 */
	IMALOG_SIG_APPENDED = 256,
};

/** struct imalog_sig - the header of a signature (struct signature_v2_hdr, integrity.h) */
struct imalog_sig {
	enum imalog_sig_type type;
	/** of its format: 2, 3; 0 when appended */
	uint8_t version;
	/** hash algorithm, the kernel's number (include/uapi/linux/hash_info.h) */
	uint8_t hash;
	/** the same, if signatures are checked with it, else IMALOG_ALG_NONE */
	enum imalog_alg alg;
	/** its name; NULL when the number is not known */
	const char *hash_name;
	/** the last bytes of the key's subject key identifier */
	uint8_t keyid[4];
	/** the signature itself */
	struct imalog_span bytes;
};

/**
 * imalog_sig_parse() - takes a signature apart
 * @data: the bytes of a field sig or evmsig, or of security.ima; not of modsig
 * @ret:  gets the parts, which point into @data
 *
 * Returns 0; -IMALOG_ERR_TRUNCATED, -IMALOG_ERR_BAD_LENGTH, -IMALOG_ERR_TRAILING or
 * -IMALOG_ERR_LIMIT (over 2048 bytes); -IMALOG_ERR_UNSUPPORTED (type or version).
 */
IMALOG_API int imalog_sig_parse(struct imalog_span data, struct imalog_sig *ret,
				struct imalog_error *reterr);

/** imalog_field_is_signature() - is it one of sig, modsig, evmsig? */
IMALOG_API bool imalog_field_is_signature(enum imalog_field_id id);

/** struct imalog_sig_keys - the keys that signatures are checked with */
struct imalog_sig_keys;

/** IMALOG_KEYRINGS_MAX: how many keyrings of the kernel can be among them */
#define IMALOG_KEYRINGS_MAX 16

/** imalog_sig_keys_new() - makes an empty set; NULL when memory ran out */
IMALOG_API struct imalog_sig_keys *imalog_sig_keys_new(void);

/** imalog_sig_keys_free() - frees a set; no checker may use it any more */
IMALOG_API void imalog_sig_keys_free(struct imalog_sig_keys **keys);

/**
 * imalog_sig_keys_set_ca() - says which certificates are trusted
 * @ca: PEM (one or more) or DER (one)
 *
 * Before any key is added; once.  Without it keys that are added, and those of a keyring, are
 * trusted, and those from the log are not.  With it those are trusted whose certificate chains to
 * them; when certificates expire does not matter, as it does not to the kernel.
 *
 * Returns 0, a negative code of the data group, -IMALOG_ERR_INVALID (out of order),
 * -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_sig_keys_set_ca(struct imalog_sig_keys *keys, struct imalog_span ca,
				      struct imalog_error *reterr);

/**
 * imalog_sig_keys_add() - adds the keys of a file
 * @bytes: public keys and certificates in PEM, or one of them in DER
 * @name:  where they are from; copied
 *
 * Keys that are there already are not added again.
 *
 * Returns how many keys there are in it; as imalog_key_parse() on failure; -IMALOG_ERR_LIMIT
 * (over 4096 keys).
 */
IMALOG_API int imalog_sig_keys_add(struct imalog_sig_keys *keys, struct imalog_span bytes,
				   const char *name, struct imalog_error *reterr);

/**
 * imalog_sig_keys_add_record() - adds the certificate that a record has measured
 * @record: verified (imalog_record_verify()), and its digest fits
 * @hasher: where to hash
 *
 * The kernel measures certificates as they are added to a keyring (func=KEY_CHECK, field buf).
 * From the log they are no more than what the log says: see imalog_sig_keys_set_ca().  They serve
 * for later records only.  No checker may be at work meanwhile.
 *
 * Returns 1 when it has one, 0 when not, -IMALOG_ERR_LIMIT (over 4096 keys, over 64 KiB, or over
 * 4 MiB of all), -IMALOG_ERR_NOMEM, -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_sig_keys_add_record(struct imalog_sig_keys *keys,
					  const struct imalog_record *record,
					  struct imalog_hasher *hasher,
					  struct imalog_error *reterr);

/**
 * imalog_sig_keys_add_keyring() - adds a keyring of this machine's kernel
 * @name: its name, such as ".ima", or its number
 *
 * The kernel finds keys in it by their identifier, and verifies signatures with them
 * (keyctl_pkey_verify()), where they permit it.
 *
 * Returns how many keys were found in it; -IMALOG_ERR_UNSUPPORTED (built without libkeyutils),
 * -IMALOG_ERR_OS (no such keyring, or it cannot be read), -IMALOG_ERR_LIMIT, -IMALOG_ERR_NOMEM.
 */
IMALOG_API int imalog_sig_keys_add_keyring(struct imalog_sig_keys *keys, const char *name,
					   struct imalog_error *reterr);

/** imalog_sig_keys_count() - how many keys there are */
IMALOG_API size_t imalog_sig_keys_count(const struct imalog_sig_keys *keys);

/** enum imalog_sig_source - where a key is from */
enum imalog_sig_source {
	IMALOG_SIG_SOURCE_FILE = 1,
	IMALOG_SIG_SOURCE_LOG = 2,
	IMALOG_SIG_SOURCE_KERNEL = 3,
};

/** struct imalog_sig_key_info - a key; all it points to lives as long as the set does not grow */
struct imalog_sig_key_info {
	enum imalog_sig_source source;
	/** of its file or keyring, as it was given or as it is in the log: not escaped */
	const char *name;
	/** subject of its certificate, or how the kernel calls it; "": none; printable ASCII */
	const char *subject;
	/** "RSA of 2048 bits", or what the kernel permits */
	const char *text;
	/** as signatures name it; has_keyid is false when the kernel does not say */
	uint8_t keyid[4];
	bool has_keyid;
	/** the first record that measured it; 0: none did, as far as the log was read */
	uint64_t record;
	/** is it trusted, and why or why not? */
	enum imalog_verdict trust;
	const char *reason;
	/** can signatures be verified with it? */
	bool usable;
};

/** imalog_sig_keys_get() - key number @i, from 0; false when there are no more than @i */
IMALOG_API bool imalog_sig_keys_get(const struct imalog_sig_keys *keys, size_t i,
				    struct imalog_sig_key_info *ret);

/** enum imalog_sig_status - what came of checking a signature */
enum imalog_sig_status {
	/** there is none */
	IMALOG_SIG_NONE = 0,
	/** a key of the set has signed what the record says */
	IMALOG_SIG_OK = 1,
	/** it is malformed, not the key's, or of something else */
	IMALOG_SIG_BAD = 2,
	/** there is no such key in the set, at this place in the log */
	IMALOG_SIG_UNKNOWN_KEY = 3,
	/** the record does not have what is signed, or it cannot be verified */
	IMALOG_SIG_UNSUPPORTED = 4,
};

/** imalog_sig_status_name() - "ok", "bad signature", "unknown key" and so on */
IMALOG_API const char *imalog_sig_status_name(enum imalog_sig_status status);

/** IMALOG_SIG_NO_KEY: no key of the set has signed it */
#define IMALOG_SIG_NO_KEY SIZE_MAX

/** IMALOG_SIG_KEYS_MAX: how many keys a signature is checked with */
#define IMALOG_SIG_KEYS_MAX 8

/** struct imalog_sig_result - what came of checking a field */
struct imalog_sig_result {
	enum imalog_sig_status status;
	/** the field that it is in */
	enum imalog_field_id field;
	/** does the signature name its key, in sig.keyid?  Then it has a type and an algorithm.
	 *  One that names issuer and serial number has it of the certificate, once that is found */
	bool has_keyid;
	/** of an appended signature type, keyid and algorithm alone; where EVM's fails by the
	 *  signature that it covers, this is that */
	struct imalog_sig sig;
	/** of the keys that have signed it (imalog_sig_keys_get()) the one that is trusted least;
	 *  IMALOG_SIG_NO_KEY: none has */
	size_t key;
	/** all of them: of several signers, or of EVM's signature and that which it covers */
	size_t keys[IMALOG_SIG_KEYS_MAX];
	size_t nr_keys;
	/** why; printable ASCII */
	char reason[192];
};

/** struct imalog_sig_checker - checks signatures; one for each thread */
struct imalog_sig_checker;

/**
 * imalog_sig_checker_new() - makes a checker
 * @keys: must outlive it; several checkers, each in its own thread, may use it at the same time
 *
 * Returns NULL when memory ran out.
 */
IMALOG_API struct imalog_sig_checker *imalog_sig_checker_new(const struct imalog_sig_keys *keys);

/** imalog_sig_checker_free() - frees a checker */
IMALOG_API void imalog_sig_checker_free(struct imalog_sig_checker **checker);

/**
 * imalog_sig_check() - checks the signature in a field of a record
 * @record: verified (imalog_record_verify()): unless a digest of its own covers it, no
 *          signature in it is ok
 * @i:      number of the field, from 0
 * @ret:    gets what came of it; it points into the record
 *
 * The record alone is looked at, never the file that it names.  Whether the log is that of a
 * machine is for a replay to say.
 *
 * Returns 1; 0 when the field holds no signatures, and @ret is left alone; -IMALOG_ERR_NOMEM,
 * -IMALOG_ERR_CRYPTO.
 */
IMALOG_API int imalog_sig_check(struct imalog_sig_checker *checker,
				const struct imalog_record *record, size_t i,
				struct imalog_sig_result *ret, struct imalog_error *reterr);

/* ---- certificates in the log ---- */

/**
 * imalog_cert_describe() - subject and key identifier of a DER certificate
 * @der:     the certificate; bytes behind it make it invalid
 * @subject: gets the subject in one line (RFC 2253), escaped to printable ASCII, cut to @size and
 *           then ending in dots
 * @size:    size of @subject
 * @keyid:   gets the last four bytes of the subject key identifier as the kernel prints them
 *           in a signature (key id of signature format v2), zeros when there is none
 *
 * Returns 0 or -IMALOG_ERR_BAD_VALUE.
 */
IMALOG_API int imalog_cert_describe(struct imalog_span der, char *subject, size_t size,
				    uint8_t keyid[4]);

#ifdef __cplusplus
}
#endif

#endif /* IMALOG_H */
