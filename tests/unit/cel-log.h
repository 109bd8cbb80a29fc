/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Canonical Event Logs for test programs: golden bytes, written from the specification,
 * and what is done with logs of every encoding alike
 */
#ifndef TEST_CEL_LOG_H
#define TEST_CEL_LOG_H

#include "cel.h"
#include "log.h"

/* A list's first record in template ima-ng, with digests of two algorithms */
#define CEL_NG_SHA1   "feee53f2c523bc9720e9cc1fb31d9577f74c4c83"
#define CEL_NG_SHA256 "b474d2ed85841fbf54bf5661d3380dd828d2d41e79855157283fdc163424e159"
#define CEL_NG_DATA                                                                                \
	"280000007368613235363a00d652c4ddef457ea0b812edc8493f705ccef527356b8dc0e29e162849862f0936" \
	"0f000000626f6f745f61676772656761746500"
#define CEL_NG                                                            \
	"00 00000008 0000000000000000  01 00000004 0000000a"              \
	"03 0000003e 04 00000014" CEL_NG_SHA1 "0b 00000020" CEL_NG_SHA256 \
	"07 0000004f 00 00000006 696d612d6e67 01 0000003f" CEL_NG_DATA
/* The same with the digest of SHA-1 alone */
#define CEL_NG_CBOR                                                  \
	"a5 00 00 01 0a 03 81 a2 00 04 01 54" CEL_NG_SHA1 "09 07 0a" \
	"a2 00 66 696d612d6e67 01 58 3f" CEL_NG_DATA

/* A record of ima_tlv, whose digest a TPM was extended with */
#define CEL_TLV_SHA256 "f6b1b2bf823a4d99bc0c23b8730fd924d0ae3ca72c7100182814bf8751bfc793"
#define CEL_TLV_FILE   "d0471a5c5e9f00a0a2e761924c6aff6eb966e8a468822e9016d0ded8751e18f2"
#define CEL_TLV_VALUE \
	"00 00000015 2f646174612f6573702f736166666f72642e706466 01 00000020" CEL_TLV_FILE
#define CEL_TLV                                      \
	"00 00000004 00000000  01 00000004 0000000a" \
	"03 00000025 0b 00000020" CEL_TLV_SHA256 "08 0000003f" CEL_TLV_VALUE
/* SHA-256 of 32 zeros and that digest: PCR 10 behind the record */
#define CEL_TLV_PCR "ad82142c40087cb3ca689219ebb3b24864b02ecae0d90abc76dc74836188af4e"

/* Management content: version 1.0, end of the firmware, kexec */
#define CEL_VERSION	 "04 00000011 01 0000000c 00 00000001 01 01 00000001 00"
#define CEL_FIRMWARE_END "04 00000005 02 00000000"
#define CEL_KEXEC	 "04 00000006 51 00000001 02"

/* What stands before the content of a record in PCR 10, with one digest of SHA-1 */
#define CEL_DIGEST "1111111111111111111111111111111111111111"
#define CEL_HEAD   "00 00000001 00 01 00000001 0a 03 00000019 04 00000014" CEL_DIGEST

/* ---- bytes that come a few at a time ---- */

struct pieces {
	struct imalog_span left;
	size_t at_once;
};

TEST_FN int pieces_read(void *arg, uint8_t *to, size_t room, size_t *got,
			struct imalog_error *error)
{
	struct pieces *pieces = arg;

	(void)error;
	*got = pieces->left.size < pieces->at_once ? pieces->left.size : pieces->at_once;
	*got = *got < room ? *got : room;
	if (*got)
		memcpy(to, pieces->left.data, *got);
	pieces->left.data += *got;
	pieces->left.size -= *got;
	return 0;
}

/* ---- reading ---- */

/* A hash over all that is known of the records, or the failure */
TEST_FN int digest_log(struct log *log, struct build *all)
{
	int rc;

	while ((rc = log_next(log)) > 0) {
		const struct imalog_record *record = log->record;
		struct imalog_span name = imalog_record_name(record);
		uint64_t recnum = 0;

		put_uint(all, 8, imalog_record_number(record));
		put_uint(all, 8, imalog_record_offset(record));
		put_int(all, imalog_record_pcr(record));
		put_int(all, imalog_record_index(record));
		put_int(all, imalog_record_content_type(record));
		put_int(all, imalog_record_is_violation(record));
		put_int(all, imalog_record_recnum(record, &recnum));
		put_uint(all, 8, recnum);
		for (size_t i = 0; i < imalog_record_digests(record); i++) {
			struct imalog_span digest = imalog_record_digest(record, i, NULL);

			put(all, digest.data, digest.size);
		}
		put(all, record->template_name.data, record->template_name.size);
		put(all, record->data.data, record->data.size);
		put(all, record->raw.data, record->raw.size);
		put(all, name.data, name.size);
		imalog_reader_release(log->reader, imalog_record_number(record));
	}
	return rc;
}

/* Reads of every size give the same records. */
TEST_FN void check_pieces(struct imalog_span bytes)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 64, 4096 };
	struct build whole = { .order = IMALOG_ORDER_LE };
	struct log log = log_open(bytes);

	CHECK_INT(digest_log(&log, &whole), 0);
	log_close(&log);
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(sizes); i++) {
		struct pieces pieces = { bytes, sizes[i] };
		struct build is = { .order = IMALOG_ORDER_LE };

		test_note("%zu bytes at once", sizes[i]);
		log = log_on(imalog_source_from_call(pieces_read, &pieces, "test"));
		CHECK_INT(digest_log(&log, &is), 0);
		CHECK_MEM(built(&is), built(&whole));
		log_close(&log);
		build_free(&is);
	}
	test_note("%s", "");
	build_free(&whole);
}

/*
 * A log cut at any byte is cut: IMALOG_ERR_TRUNCATED at the record that is not whole, or
 * a clean end between two, which @ends says.
 */
TEST_FN void check_cuts(struct imalog_span bytes, enum imalog_format format,
			bool (*ends)(size_t at, uint64_t records))
{
	for (size_t cut = 1; cut < bytes.size; cut++) {
		struct bytes exact = bytes_copy(bytes.data, cut);
		struct log log = log_open(span_of_bytes(exact));
		uint64_t records;
		int rc;

		test_note("cut at %zu", cut);
		imalog_reader_set_format(log.reader, format);
		rc = log_drain(&log, &records);
		if (ends(cut, records))
			CHECK_INT(rc, 0);
		else if (CHECK_INT(rc, -IMALOG_ERR_TRUNCATED))
			CHECK_INT(imalog_error_record(log.error), records + 1);
		log_close(&log);
		bytes_free(&exact);
	}
	test_note("%s", "");
}

/* ---- writing ---- */

TEST_FN int cel_sink(void *arg, const void *data, size_t size)
{
	put(arg, data, size);
	return 0;
}

struct target {
	enum imalog_format format;
	enum imalog_order order;
	enum imalog_int_width width;
	bool sequence;
	uint64_t count;
};

/* The log in another form; the failure, with what was written before. */
TEST_FN int cel_convert(struct imalog_span bytes, const struct target *target,
			struct build *out, struct imalog_error *error)
{
	struct imalog_writer *writer =
		imalog_writer_new(target->format, target->order, cel_sink, out);
	struct log log = log_open(bytes);
	int rc;

	imalog_writer_set_int_width(writer, target->width);
	imalog_writer_set_count(writer, target->count);
	if (target->sequence)
		imalog_writer_set_sequence(writer);
	while ((rc = imalog_reader_next(log.reader, &log.record, error)) > 0) {
		rc = imalog_writer_put(writer, log.record, error);
		if (rc < 0)
			break;
		imalog_reader_release(log.reader, imalog_record_number(log.record));
	}
	if (rc == 0)
		rc = imalog_writer_finish(writer, error);
	imalog_writer_free(&writer);
	log_close(&log);
	return rc;
}

TEST_FN void check_convert(struct imalog_span from, const struct target *target,
			   struct imalog_span should)
{
	struct build is = { .order = IMALOG_ORDER_LE };

	CHECK_INT(cel_convert(from, target, &is, NULL), 0);
	CHECK_MEM(built(&is), should);
	build_free(&is);
}

/* In hexadecimal */
TEST_FN void check_hex_convert(const char *from, const struct target *target,
			       const char *should)
{
	struct bytes a = bytes_of_hex(from), b = bytes_of_hex(should);

	check_convert(span_of_bytes(a), target, span_of_bytes(b));
	bytes_free(&a);
	bytes_free(&b);
}

/* Every captured list, to @target and back */
TEST_FN void check_real_lists(const struct target *target)
{
	static const struct target back = { .format = IMALOG_FORMAT_KERNEL };

	for (size_t i = 0; i < RIGS * BANKS; i++) {
		struct target there = *target;
		struct build other = { .order = IMALOG_ORDER_LE };
		struct bytes list;

		if (!rig_list(&rigs[i / BANKS], &banks[i % BANKS], "binary", &list))
			continue;
		there.count = rigs[i / BANKS].records;
		CHECK_INT(cel_convert(span_of_bytes(list), &there, &other, NULL), 0);
		check_convert(built(&other), &back, span_of_bytes(list));
		build_free(&other);
		bytes_free(&list);
	}
	test_note("%s", "");
}

#endif /* TEST_CEL_LOG_H */
