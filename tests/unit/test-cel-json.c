// SPDX-License-Identifier: GPL-2.0-or-later
/* lib/cel-json.c, cel-json-content.c, cel-json-write.c: the Canonical Event Log as JSON. */
#include "cel-log.h"

#define NG_OBJECT                                                                               \
	"{\"recnum\":0,\"pcr\":10,\"digests\":[{\"hashAlg\":\"sha1\",\"digest\":\"" CEL_NG_SHA1 \
	"\"},{\"hashAlg\":\"sha256\",\"digest\":\"" CEL_NG_SHA256                               \
	"\"}],\"content_type\":\"ima_template\",\"content\":{\"template_name\":\"ima-ng\","     \
	"\"template_data\":\"" CEL_NG_DATA "\"}}"
/* A short record; @content with its type */
#define SHORT(content)	  "{\"pcr\":10," content "}"
#define SYSTEMD		  "\"content_type\":\"systemd\",\"content\":"
#define CEL		  "\"content_type\":\"cel\",\"content\":"
#define SHORT_OBJECT	  SHORT(CEL "{\"type\":\"firmware_end\"}")
#define SHORT_OBJECT_SIZE (sizeof(SHORT_OBJECT) - 1)

static void check_text_convert(const char *from, const struct target *target,
			       const char *should)
{
	check_convert(imalog_span_of(from), target, imalog_span_of(should));
}

TEST(golden)
{
	static const struct target json = { .format = IMALOG_FORMAT_CEL_JSON },
				   sequence = { .format = IMALOG_FORMAT_CEL_JSON,
						.sequence = true },
				   tlv = { .format = IMALOG_FORMAT_CEL_TLV };
	struct bytes bytes = bytes_of_hex(CEL_NG), narrow = bytes_of_hex(CEL_NG);

	/* Sizes of integers have no place in JSON: the index has 1 byte afterwards,
	 * not 4. */
	memmove(narrow.data + 18, narrow.data + 21, narrow.size - 21);
	narrow.data[17] = 1;
	narrow.size -= 3;
	check_convert(span_of_bytes(bytes), &json,
		      imalog_span_of("[\n" NG_OBJECT "\n]\n"));
	check_convert(span_of_bytes(bytes), &sequence,
		      imalog_span_of("\x1e" NG_OBJECT "\n"));
	check_convert(imalog_span_of("[" NG_OBJECT "]"), &tlv, span_of_bytes(narrow));
	check_text_convert(NG_OBJECT, &json, "[\n" NG_OBJECT "\n]\n");
	bytes_free(&bytes);
	bytes_free(&narrow);
}

TEST(empty_logs)
{
	static const struct target json = { .format = IMALOG_FORMAT_CEL_JSON };

	check_text_convert("[]", &json, "[\n]\n");
	check_text_convert(" [\n] \n", &json, "[\n]\n");
	check_text_convert("\x1e", &json, "[\n]\n");
}

/* What is written of each kind of content is what it was. */
TEST(content_there_and_back)
{
	static const struct {
		const char *tlv, *json;
	} cases[] = {
		{ CEL_HEAD CEL_VERSION,
		  CEL "{\"type\":\"cel_version\",\"data\":{\"major\":1,\"minor\":0}}" },
		{ CEL_HEAD CEL_FIRMWARE_END, CEL "{\"type\":\"firmware_end\"}" },
		{ CEL_HEAD CEL_KEXEC,
		  CEL "{\"type\":\"state_trans\",\"data\":\"kexec\"}" },
		{ CEL_HEAD "04 00000009 50 00000004 499602d2",
		  CEL "{\"type\":\"cel_timestamp\",\"data\":1234567890}" },
		{ CEL_HEAD "04 0000000b 02 00000000 51 00000001 00",
		  CEL "[{\"type\":\"firmware_end\"},{\"type\":\"state_trans\","
		      "\"data\":\"suspend\"}]" },
		{ CEL_HEAD "08 0000000b 00 00000001 61 01 00000000",
		  "\"content_type\":\"ima_tlv\",\"content\":\"000000000161"
		  "0100000000\"" },
		{ CEL_HEAD "05 00000010 00 00000004 00000004 01 00000002 abcd",
		  "\"content_type\":\"pcclient_std\",\"content\":"
		  "{\"event_type\":\"EV_SEPARATOR\",\"event_data\":\"abcd\"}" },
		{ CEL_HEAD "05 0000000e 00 00000004 12345678 01 00000000",
		  "\"content_type\":\"pcclient_std\",\"content\":"
		  "{\"event_type\":305419896,\"event_data\":\"\"}" },
		{ CEL_HEAD "09 00000003 00ff7b", SYSTEMD "\"00ff7b\"" },
		{ CEL_HEAD "07 0000000f 00 00000003 61225c 01 00000002 abcd",
		  "\"content_type\":\"ima_template\",\"content\":"
		  "{\"template_name\":\"a\\\"\\\\\",\"template_data\":\"abcd\"}" },
		/* What could act on a terminal: DEL, a C1 control, an override of direction */
		{ CEL_HEAD "07 00000010 00 00000006 7f c29b e280ae 01 00000000",
		  "\"content_type\":\"ima_template\",\"content\":"
		  "{\"template_name\":\"\\u007f\\u009B\\u202E\",\"template_data\":\"\"}" },
	};
	static const struct target json = { .format = IMALOG_FORMAT_CEL_JSON },
				   tlv = { .format = IMALOG_FORMAT_CEL_TLV,
					   .width = IMALOG_INT_WIDTH_MIN };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct bytes bytes = bytes_of_hex(cases[i].tlv);
		char text[1024];

		test_note("%s", cases[i].json);
		snprintf(text, sizeof(text),
			 "[\n{\"recnum\":0,\"pcr\":10,\"digests\":[{\"hashAlg\":\"sha1\","
			 "\"digest\":\"%s\"}],%s}\n]\n",
			 CEL_DIGEST, cases[i].json);
		check_convert(span_of_bytes(bytes), &json, imalog_span_of(text));
		check_convert(imalog_span_of(text), &tlv, span_of_bytes(bytes));
		bytes_free(&bytes);
	}
}

/* Keys of its own, a real, blanks, and a brace in a string */
#define SYSTEMD_ODD                                                                     \
	"\x1e{\"recnum\":0,\"pcr\":11,\"digests\":[]," SYSTEMD                               \
	"{ \"string\" : \"}\\\"{\",\n\t\"eventType\":0, \"x\":[0.1, 1e-3, {\"content\":2}] }" \
	"}\n"

TEST(systemd_text_sequence)
{
	static const char record[] =
		"\x1e{\"recnum\":7,\"pcr\":11,\"digests\":[]," SYSTEMD
		"{\"string\":\"enter-initrd\",\"bootId\":\"fa1afe1fa1afe1fa1afe1fa1afe1ffff\","
		"\"timestamp\":1234,\"eventType\":\"phase\"}}\n";
	static const struct target sequence = { .format = IMALOG_FORMAT_CEL_JSON,
						.sequence = true };
	struct log log = log_open(imalog_span_of(record));

	REQUIRE(CHECK_INT(log_next(&log), 1));
	CHECK_INT(imalog_record_offset(log.record), 1);
	CHECK_INT(imalog_record_content(log.record), IMALOG_CONTENT_SYSTEMD);
	CHECK(!imalog_record_is_checked(log.record));
	log_close(&log);
	check_text_convert(record, &sequence, record);
	/* Byte for byte, whatever else is in it */
	check_text_convert(SYSTEMD_ODD, &sequence, SYSTEMD_ODD);
	/* But what could act on a terminal */
	check_text_convert("{\"pcr\":9,\"digests\":[]," SYSTEMD
			   "{\"string\":\"\xc2\x9b\",\"eventType\":0}}",
			   &sequence,
			   "\x1e{\"recnum\":0,\"pcr\":9,\"digests\":[]," SYSTEMD
			   "\"7b22737472696e67223a22c29b222c226576656e7454797065223a307d\"}\n");
	/* A trust domain's */
	check_text_convert(
		"{\"rtmr\":2,\"mapped_pcr\":9,\"digests\":[]," SYSTEMD
		"{\"string\":\"x\",\"eventType\":0}}",
		&sequence,
		"\x1e{\"recnum\":0,\"rtmr\":2,\"mapped_pcr\":9,\"digests\":[]," SYSTEMD
		"{\"string\":\"x\",\"eventType\":0}}\n");
}

TEST(numbers_for_names)
{
	static const struct target json = { .format = IMALOG_FORMAT_CEL_JSON };

	check_text_convert(
		"{\"nv_index\":20971520,\"recnum\":20,\"content_type\":4,\"content\":[{\"type\":2},"
		"{\"type\":80,\"data\":5},{\"type\":81,\"data\":2},{\"type\":1,\"data\":{\"major\":"
		"123,\"minor\":456}}],\"digests\":[{\"hashAlg\":4,\"digest\":\"" CEL_DIGEST
		"\"}]}",
		&json,
		"[\n{\"recnum\":20,\"nv_index\":20971520,\"digests\":[{\"hashAlg\":\"sha1\","
		"\"digest\":\"" CEL_DIGEST "\"}]," CEL "[{\"type\":\"firmware_end\"},"
		"{\"type\":\"cel_timestamp\",\"data\":5},{\"type\":\"state_trans\",\"data\":"
		"\"kexec\"},{\"type\":\"cel_version\",\"data\":{\"major\":123,\"minor\":456}}]}"
		"\n]\n");
	check_text_convert(
		"{\"pcr\":1,\"content_type\":5,\"content\":{\"event_type\":"
		"\"ev_no_action\",\"event_data\":\"AAbb\"}}",
		&json,
		"[\n{\"recnum\":0,\"pcr\":1,\"digests\":[],\"content_type\":"
		"\"pcclient_std\",\"content\":{\"event_type\":\"EV_NO_ACTION\","
		"\"event_data\":\"aabb\"}}\n]\n");
}

static const struct bad {
	const char *text;
	enum imalog_code code;
	const char *field;
} bads[] = {
	{ SHORT("\"x\":1"), IMALOG_ERR_BAD_VALUE, "JSON" },
	{ SHORT("\"pcr\":10," CEL "{\"type\":\"firmware_end\"}"), IMALOG_ERR_BAD_VALUE,
	  "JSON" },
	{ "{\"pcr\":10,}", IMALOG_ERR_BAD_VALUE, "JSON" },
	{ "{\"pcr\":1.0}", IMALOG_ERR_BAD_VALUE, "pcr" },
	{ "{\"pcr\":-1}", IMALOG_ERR_BAD_VALUE, "pcr" },
	{ "{\"pcr\":9,\"mapped_pcr\":9}", IMALOG_ERR_BAD_VALUE, "mapped_pcr" },
	{ "{\"nv_index\":9,\"mapped_pcr\":9}", IMALOG_ERR_BAD_VALUE, "mapped_pcr" },
	{ "{\"pcr\":\"10\"}", IMALOG_ERR_BAD_VALUE, "pcr" },
	{ "{\"pcr\":4294967296}", IMALOG_ERR_BAD_VALUE, "pcr" },
	{ "{\"pcr\":16777216}", IMALOG_ERR_BAD_VALUE, "PCR" },
	{ "{\"pcr\":99999999999999999999}", IMALOG_ERR_BAD_VALUE, "JSON" },
	{ "{\"pcr\":64," CEL "{\"type\":81,\"data\":1}}", IMALOG_ERR_BAD_VALUE, "PCR" },
	{ "{" CEL "{\"type\":\"firmware_end\"}}", IMALOG_ERR_BAD_VALUE, "index" },
	{ SHORT("\"nv_index\":1"), IMALOG_ERR_BAD_VALUE, "index" },
	{ SHORT("\"recnum\":-1"), IMALOG_ERR_BAD_VALUE, "recnum" },
	{ SHORT("\"mapped_pcr\":64"), IMALOG_ERR_BAD_VALUE, "mapped_pcr" },
	{ "{\"pcr\":10,\"\xff\":1}", IMALOG_ERR_BAD_VALUE, "JSON" },
	{ "{\"pcr\":10,\"\xed\xa0\x80\":1}", IMALOG_ERR_BAD_VALUE, "JSON" },
	{ "{\"pcr\":10,\"\\u0000\":1}", IMALOG_ERR_BAD_VALUE, "JSON" },
	{ "{\"pcr\" 10 :}", IMALOG_ERR_BAD_VALUE, "JSON" },
	{ "{]", IMALOG_ERR_BAD_VALUE, "JSON" },
	/* digests */
	{ SHORT("\"digests\":\"bad\""), IMALOG_ERR_BAD_VALUE, "digests" },
	{ SHORT("\"digests\":[\"bad\"]"), IMALOG_ERR_BAD_VALUE, "digests" },
	{ SHORT("\"digests\":[{\"hashAlg\":[]}]"), IMALOG_ERR_BAD_VALUE, "hashAlg" },
	{ SHORT("\"digests\":[{\"hashAlg\":65536,\"digest\":\"\"}]"),
	  IMALOG_ERR_BAD_VALUE, "hashAlg" },
	{ SHORT("\"digests\":[{\"hashAlg\":1234,\"digest\":\"\"}]"), IMALOG_ERR_BAD_VALUE,
	  "digests" },
	{ SHORT("\"digests\":[{\"hashAlg\":\"bad\"}]"), IMALOG_ERR_BAD_VALUE, "hashAlg" },
	{ SHORT("\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"aa\"}]"),
	  IMALOG_ERR_BAD_LENGTH, "digests" },
	{ SHORT("\"digests\":[{\"hashAlg\":\"sha1\",\"digest\":\"mm\"}]"),
	  IMALOG_ERR_BAD_VALUE, "digest" },
	{ SHORT("\"digests\":[{\"hashAlg\":\"sha1\"}]"), IMALOG_ERR_BAD_VALUE, "digest" },
	{ SHORT("\"digests\":[{\"digest\":\"aa\"}]"), IMALOG_ERR_BAD_VALUE, "hashAlg" },
	{ SHORT("\"digests\":[{\"hashAlg\":\"sha1\",\"digest\":\"" CEL_DIGEST
		"\"},{\"hashAlg\":4,\"digest\":\"" CEL_DIGEST "\"}]"),
	  IMALOG_ERR_BAD_VALUE, "digests" },
	{ SHORT("\"digests\":[{\"hashAlg\":4,\"digest\":\"" CEL_DIGEST "\",\"more\":1}]"),
	  IMALOG_ERR_BAD_VALUE, "digests" },
	/* content */
	{ "{\"pcr\":10}", IMALOG_ERR_BAD_VALUE, "content_type" },
	{ SHORT("\"content_type\":256"), IMALOG_ERR_BAD_VALUE, "content_type" },
	{ SHORT("\"content_type\":255,\"content\":{}"), IMALOG_ERR_BAD_VALUE,
	  "content_type" },
	{ SHORT("\"content_type\":6,\"content\":\"\""), IMALOG_ERR_BAD_VALUE,
	  "content_type" },
	{ SHORT("\"content_type\":\"bad\""), IMALOG_ERR_BAD_VALUE, "content_type" },
	{ SHORT(CEL "\"bad\""), IMALOG_ERR_BAD_VALUE, "type" },
	{ SHORT("\"content_type\":\"cel\""), IMALOG_ERR_BAD_VALUE, "type" },
	{ SHORT(CEL "[]"), IMALOG_ERR_BAD_LENGTH, "content" },
	{ SHORT(CEL "[{\"type\":\"firmware_end\"},{\"type\":\"bad\"}]"),
	  IMALOG_ERR_BAD_VALUE, "type" },
	{ SHORT(CEL "{\"type\":\"firmware_end\",\"data\":1}"), IMALOG_ERR_BAD_VALUE,
	  "firmware_end" },
	{ SHORT(CEL "{\"type\":\"firmware_end\",\"more\":1}"), IMALOG_ERR_BAD_VALUE,
	  "content" },
	{ SHORT(CEL "{\"type\":\"cel_version\"}"), IMALOG_ERR_BAD_VALUE, "cel_version" },
	{ SHORT(CEL "{\"type\":\"cel_version\",\"data\":{\"major\":1}}"),
	  IMALOG_ERR_BAD_VALUE, "cel_version" },
	{ SHORT(CEL "{\"type\":\"cel_version\",\"data\":{\"major\":65536,\"minor\":1}}"),
	  IMALOG_ERR_BAD_VALUE, "cel_version" },
	{ SHORT(CEL
		"{\"type\":\"cel_version\",\"data\":{\"major\":1,\"minor\":1,\"x\":1}}"),
	  IMALOG_ERR_BAD_VALUE, "cel_version" },
	{ SHORT(CEL "{\"type\":\"state_trans\",\"data\":\"bad\"}"), IMALOG_ERR_BAD_VALUE,
	  "state_trans" },
	{ SHORT(CEL "{\"type\":\"state_trans\",\"data\":3}"), IMALOG_ERR_BAD_VALUE,
	  "state_trans" },
	{ SHORT(CEL "{\"type\":\"cel_timestamp\",\"data\":-1}"), IMALOG_ERR_BAD_VALUE,
	  "cel_timestamp" },
	{ SHORT("\"content_type\":\"ima_tlv\",\"content\":{}"), IMALOG_ERR_BAD_VALUE,
	  "content" },
	{ SHORT("\"content_type\":\"ima_tlv\",\"content\":\"0\""), IMALOG_ERR_BAD_VALUE,
	  "content" },
	{ SHORT("\"content_type\":\"ima_tlv\",\"content\":\"00\""), IMALOG_ERR_BAD_LENGTH,
	  "content" },
	{ SHORT("\"content_type\":\"ima_template\",\"content\":{\"template_data\":\"aa\"}"),
	  IMALOG_ERR_BAD_VALUE, "template_name" },
	{ SHORT("\"content_type\":\"ima_template\",\"content\":{\"template_name\":\"x\"}"),
	  IMALOG_ERR_BAD_VALUE, "template_data" },
	{ SHORT("\"content_type\":\"ima_template\",\"content\":{\"template_name\":\"\","
		"\"template_data\":\"\"}"),
	  IMALOG_ERR_BAD_VALUE, "template name" },
	{ SHORT("\"content_type\":\"ima_template\",\"content\":\"aa\""),
	  IMALOG_ERR_BAD_VALUE, "content" },
	{ SHORT("\"content_type\":\"pcclient_std\",\"content\":{\"event_data\":\"aa\"}"),
	  IMALOG_ERR_BAD_VALUE, "event_type" },
	{ SHORT("\"content_type\":\"pcclient_std\",\"content\":{\"event_type\":4294967296}"),
	  IMALOG_ERR_BAD_VALUE, "event_type" },
	{ SHORT("\"content_type\":\"pcclient_std\",\"content\":{\"event_type\":\"EV\"}"),
	  IMALOG_ERR_BAD_VALUE, "event_type" },
	{ SHORT("\"content_type\":\"pcclient_std\",\"content\":{\"event_type\":3}"),
	  IMALOG_ERR_BAD_VALUE, "event_data" },
	{ SHORT(SYSTEMD "1"), IMALOG_ERR_BAD_VALUE, "content" },
	{ SHORT("\"content_type\":\"systemd\",\"c\\u006fntent\":"
		"{\"string\":\"x\",\"eventType\":0}"),
	  IMALOG_ERR_BAD_VALUE, "content" },
	{ SHORT(SYSTEMD "{\"eventType\":0}"), IMALOG_ERR_BAD_VALUE, "string" },
	{ SHORT(SYSTEMD "{\"string\":\"x\"}"), IMALOG_ERR_BAD_VALUE, "eventType" },
	{ SHORT(SYSTEMD "{\"string\":\"x\",\"eventType\":255}"), IMALOG_ERR_BAD_VALUE,
	  "eventType" },
	{ SHORT(SYSTEMD "{\"string\":\"x\",\"eventType\":\"x\"}"), IMALOG_ERR_BAD_VALUE,
	  "eventType" },
	{ SHORT(SYSTEMD "{\"string\":\"x\",\"eventType\":0,\"bootId\":\"tahini\"}"),
	  IMALOG_ERR_BAD_VALUE, "bootId" },
	{ SHORT(SYSTEMD "{\"string\":\"x\",\"eventType\":0,\"timestamp\":[]}"),
	  IMALOG_ERR_BAD_VALUE, "timestamp" },
};

TEST(malformed)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(bads); i++) {
		char text[1024];

		/* The second of an array, and of a sequence */
		test_note("%s", bads[i].text);
		snprintf(text, sizeof(text), "[%s,\n%s]", SHORT_OBJECT, bads[i].text);
		CHECK_BAD(imalog_span_of(text), bads[i].code, 2, SHORT_OBJECT_SIZE + 3,
			  bads[i].field);
		snprintf(text, sizeof(text), "%s%s", SHORT_OBJECT, bads[i].text);
		CHECK_BAD(imalog_span_of(text), bads[i].code, 2, SHORT_OBJECT_SIZE,
			  bads[i].field);
	}
}

TEST(malformed_around_records)
{
	static const struct {
		const char *text;
		enum imalog_code code;
		uint64_t record, offset;
	} cases[] = {
		{ "[", IMALOG_ERR_TRUNCATED, 1, 1 },
		{ "[1]", IMALOG_ERR_BAD_VALUE, 1, 1 },
		{ "[,]", IMALOG_ERR_BAD_VALUE, 1, 1 },
		{ "[[]]", IMALOG_ERR_BAD_VALUE, 1, 1 },
		{ "[] x", IMALOG_ERR_TRAILING, 1, 3 },
		{ "[][]", IMALOG_ERR_TRAILING, 1, 2 },
		{ "[\x1e]", IMALOG_ERR_BAD_VALUE, 1, 1 },
		{ "\x1e[]", IMALOG_ERR_BAD_VALUE, 1, 1 },
		{ "[" SHORT_OBJECT, IMALOG_ERR_TRUNCATED, 2, SHORT_OBJECT_SIZE + 1 },
		{ "[" SHORT_OBJECT ",", IMALOG_ERR_TRUNCATED, 2, SHORT_OBJECT_SIZE + 2 },
		{ "[" SHORT_OBJECT ",]", IMALOG_ERR_BAD_VALUE, 2, SHORT_OBJECT_SIZE + 2 },
		{ "[" SHORT_OBJECT " x", IMALOG_ERR_BAD_VALUE, 2, SHORT_OBJECT_SIZE + 2 },
		{ SHORT_OBJECT ",", IMALOG_ERR_BAD_VALUE, 2, SHORT_OBJECT_SIZE },
		{ SHORT_OBJECT "]", IMALOG_ERR_BAD_VALUE, 2, SHORT_OBJECT_SIZE },
		{ "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", IMALOG_ERR_LIMIT, 1, 0 },
	};

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		test_note("%s", cases[i].text);
		CHECK_BAD(imalog_span_of(cases[i].text), cases[i].code, cases[i].record,
			  cases[i].offset, "JSON");
	}
}

/* More values than a record has use for are refused before jansson makes objects of them.
 */
TEST(too_many_values)
{
	struct build text = { .order = IMALOG_ORDER_LE };

	put_text(&text, "{\"digests\":[");
	for (int i = 0; i < 5000; i++)
		put_text(&text, "0,");
	put_text(&text, "0]}");
	CHECK_BAD(built(&text), IMALOG_ERR_LIMIT, 1, 0, "JSON");
	build_free(&text);
}

static bool array_ends(size_t at, uint64_t records)
{
	(void)at;
	(void)records;
	return false;
}

static bool sequence_ends(size_t at, uint64_t records)
{
	/* "\x1e" before and a newline behind each, which may be missing */
	size_t size = SHORT_OBJECT_SIZE + 2;

	return at + 1 == size * records || at == size * records ||
	       at == size * records + 1;
}

TEST(cut_at_every_byte)
{
	check_cuts(imalog_span_of("[" SHORT_OBJECT ", " NG_OBJECT "]"),
		   IMALOG_FORMAT_CEL_JSON, array_ends);
	check_cuts(imalog_span_of("\x1e" SHORT_OBJECT "\n\x1e" SHORT_OBJECT "\n"),
		   IMALOG_FORMAT_CEL_JSON, sequence_ends);
}

TEST(reads_of_any_size)
{
	check_pieces(imalog_span_of("[" NG_OBJECT ",\n\n" SHORT_OBJECT " , " SHORT_OBJECT
				    "]\n"));
	check_pieces(
		imalog_span_of("\x1e" NG_OBJECT "\n\x1e" SHORT_OBJECT "\n" SHORT_OBJECT));
}

TEST(real_lists)
{
	static const struct target array = { .format = IMALOG_FORMAT_CEL_JSON },
				   sequence = { .format = IMALOG_FORMAT_CEL_JSON,
						.sequence = true };

	check_real_lists(&array);
	check_real_lists(&sequence);
}

TEST(what_json_cannot_hold)
{
	static const struct {
		const char *hex, *field;
	} cases[] = {
		{ "00 00000008 8000000000000000 01 00000001 0a 03 00000000 04 00000005 02 00000000",
		  "recnum" },
		{ CEL_HEAD "04 0000000d 50 00000008 8000000000000000", "cel_timestamp" },
		/* numbers that would have other bytes, in what was measured */
		{ CEL_HEAD "04 0000000d 50 00000008 0000000000000001", "content" },
		{ CEL_HEAD "04 00000005 51 00000000", "content" },
		{ CEL_HEAD "04 00000006 81 00000001 02", "content" },
		{ CEL_HEAD "50 00000000", "content" },
		{ CEL_HEAD "07 0000000b 00 00000001 ff 01 00000000", "template name" },
		{ CEL_HEAD "07 0000000b 00 00000001 00 01 00000000", "template name" },
	};
	static const struct target json = { .format = IMALOG_FORMAT_CEL_JSON };

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(cases); i++) {
		struct imalog_error *error = imalog_error_new();
		struct build out = { .order = IMALOG_ORDER_LE };
		struct bytes bytes = bytes_of_hex(cases[i].hex);

		test_note("%s", cases[i].hex);
		CHECK_ERROR(error, cel_convert(span_of_bytes(bytes), &json, &out, error),
			    IMALOG_ERR_UNSUPPORTED, 1, 0, cases[i].field);
		CHECK_INT(out.size, 0);
		build_free(&out);
		bytes_free(&bytes);
		imalog_error_free(&error);
	}
}

TEST_MAIN(CASE(golden), CASE(empty_logs), CASE(content_there_and_back),
	  CASE(systemd_text_sequence), CASE(numbers_for_names), CASE(malformed),
	  CASE(malformed_around_records), CASE(too_many_values), CASE(cut_at_every_byte),
	  CASE(reads_of_any_size), CASE(real_lists), CASE(what_json_cannot_hold))
