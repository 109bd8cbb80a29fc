// SPDX-License-Identifier: GPL-2.0-or-later
/* Quotes of real TPMs, all checks together: those of tests/data/rig and of other
 * projects. */
#include "quote-search.h"

/* ---- the rig ---- */

static const struct {
	const char *name;
	const char *key;
	bool needs_pcrs; /* PCR 0-7 are not the log's */
} quotes[] = {
	{ "quote", "rsa", false },
	{ "quote-ecc", "ecc", false },
	{ "quote-all", "rsa", false },
	{ "quote-10-11", "rsa", true },
};

static struct bytes rig_file(const char *dir, const char *name, const char *suffix)
{
	char path[128];

	snprintf(path, sizeof(path), "rig/%s/%s%s", dir, name, suffix);
	return bytes_of_file(path);
}

static struct imalog_quote *rig_quote(const char *dir, const char *name)
{
	struct bytes msg = rig_file(dir, name, ".msg");
	struct imalog_quote *quote = quote_of_bytes(msg);

	bytes_free(&msg);
	if (!quote)
		BAIL_OUT("no quote in %s", dir);
	return quote;
}

static struct imalog_key *rig_key(const char *dir, const char *kind, const char *suffix)
{
	/* One key for both quotes around the kexec */
	const char *at = strncmp(dir, "kexec", 5) == 0 ? "kexec" : dir;
	char name[16];
	struct bytes bytes;
	struct imalog_key *key;

	snprintf(name, sizeof(name), "ak-%s", kind);
	bytes = rig_file(at, name, suffix);
	key = key_of_bytes(bytes);
	bytes_free(&bytes);
	if (!key)
		BAIL_OUT("no key in %s", dir);
	return key;
}

static struct imalog_pcrs *pcrs_of(struct bytes bytes)
{
	struct imalog_pcrs *pcrs = imalog_pcrs_new();

	if (!pcrs || imalog_pcrs_parse(pcrs, span_of_bytes(bytes), NULL, NULL) < 0)
		BAIL_OUT("no PCR values");
	bytes_free(&bytes);
	return pcrs;
}

/* The text is that of tpm2_pcrread, and an empty bank is no fault of the file. */
static struct imalog_pcrs *rig_pcrs(const char *dir)
{
	return pcrs_of(rig_file(dir, "pcrs.yaml", ""));
}

static void check_rig_signature(struct imalog_quote *quote, const char *dir,
				const char *name, const char *kind, bool area)
{
	struct imalog_key *key = rig_key(dir, kind, area ? ".tss" : ".pem");
	struct bytes sig = rig_file(dir, name, ".sig");

	CHECK_INT(check_signature(quote, sig, key), 0);
	CHECK_VERDICT(quote, SIGNATURE, IMALOG_MATCH);
	CHECK_INT(imalog_quote_hash(quote), IMALOG_ALG_SHA256);
	CHECK_INT(imalog_quote_check_key(quote, key, span_of(NULL, 0), NULL), 0);
	CHECK_VERDICT(quote, KEY, area ? IMALOG_MATCH : IMALOG_NOT_CHECKED);
	bytes_free(&sig);
	imalog_key_free(&key);
}

static void check_rig_nonce(struct imalog_quote *quote, const char *dir)
{
	struct bytes text = rig_file(dir, "nonce.hex", ""), nonce;
	struct build hex = { .order = IMALOG_ORDER_BE };

	put(&hex, text.data, text.size);
	put(&hex, "", 1);
	nonce = bytes_of_hex((const char *)hex.data);
	imalog_quote_check_nonce(quote, span_of_bytes(nonce));
	CHECK_VERDICT(quote, NONCE, IMALOG_MATCH);
	nonce.data[0] ^= 1;
	imalog_quote_check_nonce(quote, span_of_bytes(nonce));
	CHECK_VERDICT(quote, NONCE, IMALOG_MISMATCH);
	bytes_free(&text);
	bytes_free(&nonce);
	build_free(&hex);
}

/* Searches in a list of a rig, of which @list is a part or a changed copy. */
static uint64_t find(struct imalog_quote *quote, struct imalog_span list,
		     const struct imalog_pcrs *others)
{
	struct search search = search_new(quote, others);

	search_run(&search, list);
	search_free(&search);
	return search.at;
}

TEST(every_quote_covers_its_log)
{
	NEED_QUOTES();
	for (size_t r = 0; r < RIGS; r++) {
		const char *dir = rigs[r].dir;
		struct bytes list = rig_file(dir, "binary_runtime_measurements_sha1", "");
		struct imalog_pcrs *pcrs = rig_pcrs(dir);

		for (size_t q = 0; q < IMALOG_ARRAY_SIZE(quotes); q++) {
			struct imalog_quote *quote = rig_quote(dir, quotes[q].name);
			struct imalog_pcrs *own =
				pcrs_of(rig_file(dir, quotes[q].name, ".pcrs"));

			test_note("%s/%s", dir, quotes[q].name);
			CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
			check_rig_signature(quote, dir, quotes[q].name, quotes[q].key,
					    false);
			check_rig_signature(quote, dir, quotes[q].name, quotes[q].key,
					    true);
			check_rig_nonce(quote, dir);
			CHECK_INT(find(quote, span_of_bytes(list), pcrs),
				  rigs[r].records);
			CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
			CHECK_INT(find(quote, span_of_bytes(list), own), rigs[r].records);
			CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
			CHECK_INT(find(quote, span_of_bytes(list), NULL),
				  quotes[q].needs_pcrs ? 0 : rigs[r].records);
			if (quotes[q].needs_pcrs)
				CHECK_VERDICTS(quote, MATCH, NOT_CHECKED, NOT_CHECKED);
			/* The values alone */
			CHECK_INT(imalog_quote_check_values(quote, own, NULL, NULL), 0);
			CHECK_VERDICT(quote, DIGEST, IMALOG_MATCH);
			CHECK_INT(imalog_quote_check_values(quote, pcrs, own, NULL), 0);
			CHECK_VERDICT(quote, DIGEST, IMALOG_MATCH);
			imalog_pcrs_free(&own);
			imalog_quote_free(&quote);
		}
		imalog_pcrs_free(&pcrs);
		bytes_free(&list);
	}
}

/* Keys and quotes of two machines */
TEST(keys_of_other_machines)
{
	NEED_QUOTES();
	for (size_t q = 0; q < IMALOG_ARRAY_SIZE(quotes); q++) {
		struct imalog_quote *quote = rig_quote("ng", quotes[q].name);
		struct imalog_key *key = rig_key("sig", quotes[q].key, ".tss");
		struct imalog_key *other = rig_key(
			"ng", strcmp(quotes[q].key, "rsa") ? "rsa" : "ecc", ".tss");
		struct bytes sig = rig_file("ng", quotes[q].name, ".sig");

		CHECK_INT(check_signature(quote, sig, key), 0);
		CHECK_VERDICT(quote, SIGNATURE, IMALOG_MISMATCH);
		CHECK_INT(check_signature(quote, sig, other), 0);
		CHECK_VERDICT(quote, SIGNATURE, IMALOG_MISMATCH);
		bytes_free(&sig);
		sig = rig_file("ng", "quote-10-11", ".sig");
		imalog_key_free(&key);
		key = rig_key("ng", "rsa", ".pem");
		CHECK_INT(check_signature(quote, sig, key), 0);
		CHECK_VERDICT(quote, SIGNATURE, q == 3 ? IMALOG_MATCH : IMALOG_MISMATCH);
		imalog_key_free(&key);
		imalog_key_free(&other);
		imalog_quote_free(&quote);
		bytes_free(&sig);
	}
}

/* ---- logs that are not as they were ---- */

/* Where each record of a list of template ima-ng or ima-sig starts, and where the last
 * ends */
static size_t offsets_of(struct bytes list, size_t *offsets)
{
	size_t n = 0;

	for (size_t at = 0; at < list.size; n++) {
		offsets[n] = at;
		at += 24; /* PCR and SHA-1 digest */
		for (int i = 0; i < 2; i++)
			at += 4 + list.data[at] + ((size_t)list.data[at + 1] << 8);
	}
	offsets[n] = list.size;
	return n;
}

static struct imalog_quote *quote_of_rig(const char *dir)
{
	struct imalog_quote *quote = rig_quote(dir, "quote");

	imalog_quote_set_hash(quote, IMALOG_ALG_SHA256);
	return quote;
}

TEST(logs_that_were_cut)
{
	struct bytes list =
		rig_file("violations", "binary_runtime_measurements_sha1", "");
	struct imalog_quote *quote;
	size_t offsets[128], n = offsets_of(list, offsets);

	NEED_QUOTES();
	quote = quote_of_rig("violations");
	CHECK_INT(n, 53);
	for (size_t i = 1; i < n; i++) {
		test_note("%zu records", i);
		CHECK_INT(find(quote, span_of(list.data, offsets[i]), NULL), 0);
		CHECK_VERDICTS(quote, MATCH, MISMATCH, MISMATCH);
		/* The start is missing */
		CHECK_INT(find(quote,
			       span_of(list.data + offsets[i], list.size - offsets[i]),
			       NULL),
			  0);
		CHECK_VERDICTS(quote, MATCH, MISMATCH, MISMATCH);
	}
	imalog_quote_free(&quote);
	bytes_free(&list);
}

TEST(records_that_were_swapped)
{
	struct bytes list = rig_file("sig", "binary_runtime_measurements_sha1", "");
	struct imalog_quote *quote;
	size_t offsets[128], n = offsets_of(list, offsets);

	NEED_QUOTES();
	quote = quote_of_rig("sig");
	CHECK_INT(n, 67);
	for (size_t i = 0; i + 1 < n; i++) {
		struct build swapped = { .order = IMALOG_ORDER_LE };

		put(&swapped, list.data, offsets[i]);
		put(&swapped, list.data + offsets[i + 1],
		    offsets[i + 2] - offsets[i + 1]);
		put(&swapped, list.data + offsets[i], offsets[i + 1] - offsets[i]);
		put(&swapped, list.data + offsets[i + 2], list.size - offsets[i + 2]);
		test_note("records %zu and %zu", i + 1, i + 2);
		CHECK_INT(find(quote, built(&swapped), NULL), 0);
		CHECK_VERDICTS(quote, MATCH, MISMATCH, MISMATCH);
		build_free(&swapped);
	}
	imalog_quote_free(&quote);
	bytes_free(&list);
}

/* Of every record every bit but those of the template's name, which nothing vouches for */
TEST(bits_that_were_changed)
{
	struct bytes list = rig_file("ng", "binary_runtime_measurements_sha1", "");
	struct imalog_quote *quote;
	size_t offsets[128], n = offsets_of(list, offsets), step = test_step(61);

	NEED_QUOTES();
	quote = quote_of_rig("ng");
	for (size_t bit = 0; bit < 8 * list.size; bit += step) {
		size_t record = 0, at = bit / 8;
		struct search search;
		struct log log;

		while (record + 1 < n && offsets[record + 1] <= at)
			record++;
		if (at - offsets[record] >= 28 && at - offsets[record] < 34)
			continue;
		list.data[at] ^= (uint8_t)(1 << bit % 8);
		test_note("bit %zu, record %zu", bit, record + 1);
		search = search_new(quote, NULL);
		log = log_open(span_of_bytes(list));
		if (imalog_replay_run(search.replay, log.reader, NULL) == 0) {
			CHECK_INT(imalog_quote_match_finish(search.match, NULL), 0);
			CHECK_VERDICT(quote, LOG, IMALOG_MISMATCH);
		}
		log_close(&log);
		search_free(&search);
		list.data[at] ^= (uint8_t)(1 << bit % 8);
	}
	imalog_quote_free(&quote);
	bytes_free(&list);
}

/* ---- one kernel after the other ---- */

TEST(a_log_that_has_grown)
{
	struct bytes list =
		rig_file("kexec/after", "binary_runtime_measurements_sha1", "");
	struct imalog_pcrs *pcrs = rig_pcrs("kexec/before");

	NEED_QUOTES();
	for (size_t q = 0; q < IMALOG_ARRAY_SIZE(quotes); q++) {
		struct imalog_quote *quote = rig_quote("kexec/before", quotes[q].name);

		imalog_quote_set_hash(quote, IMALOG_ALG_SHA256);
		CHECK_INT(find(quote, span_of_bytes(list), pcrs), 53);
		CHECK_VERDICTS(quote, MATCH, MATCH, MATCH);
		imalog_quote_free(&quote);
	}
	imalog_pcrs_free(&pcrs);
	bytes_free(&list);
}

/* The records between two quotes, without those before the first */
TEST(a_piece_between_two_quotes)
{
	struct bytes list =
		rig_file("kexec/after", "binary_runtime_measurements_sha1", "");
	struct imalog_pcrs *before = rig_pcrs("kexec/before");
	struct imalog_quote *first, *second;
	const uint8_t *start;
	struct search search;
	size_t offsets[128];

	NEED_QUOTES();
	first = quote_of_rig("kexec/before");
	second = quote_of_rig("kexec/after");
	offsets_of(list, offsets);
	CHECK_INT(imalog_quote_check_values(first, before, NULL, NULL), 0);
	CHECK_VERDICT(first, DIGEST, IMALOG_MATCH);
	imalog_quote_check_previous(second, first);
	CHECK_VERDICT(second, CLOCK, IMALOG_MATCH);
	CHECK_STR(imalog_quote_reason(second, IMALOG_QUOTE_CLOCK),
		  "9305 ms after the previous quote");
	imalog_quote_check_previous(first, second);
	CHECK_VERDICT(first, CLOCK, IMALOG_MISMATCH);
	start = imalog_pcrs_get(before, IMALOG_ALG_SHA256, 10);
	for (int right = 0; right < 2; right++) {
		struct bytes value = bytes_copy(start, 32);

		value.data[31] ^= (uint8_t)!right;
		search = search_new(second, NULL);
		CHECK_INT(imalog_replay_start(search.replay, IMALOG_ALG_SHA256, 10,
					      span_of_bytes(value), NULL),
			  0);
		search_run(&search,
			   span_of(list.data + offsets[53], list.size - offsets[53]));
		CHECK_INT(search.at, right ? 96 - 53 : 0);
		CHECK_VERDICT(second, LOG, right ? IMALOG_MATCH : IMALOG_MISMATCH);
		search_free(&search);
		bytes_free(&value);
	}
	imalog_quote_free(&first);
	imalog_quote_free(&second);
	imalog_pcrs_free(&before);
	bytes_free(&list);
}

/* ---- quotes that other projects test with ---- */

/* false when they are not there */
static bool peer_file(const char *name, struct bytes *ret)
{
	const char *dir = getenv("IMALOG_VECTORS"), *src = getenv("IMALOG_SRC");
	struct bytes room = bytes_new(1 << 16);
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s/peers/%s",
		 dir ? dir :
		 src ? src :
		       ".",
		 dir ? "" : "/../shared/vectors", name);
	file = fopen(path, "rb");
	if (file)
		room.size = fread(room.data, 1, room.size, file);
	if (file)
		fclose(file);
	*ret = bytes_copy(room.data, file ? room.size : 0);
	bytes_free(&room);
	return file;
}

static struct bytes peer(const char *name)
{
	struct bytes bytes;

	if (!peer_file(name, &bytes))
		BAIL_OUT("'%s' is missing", name);
	return bytes;
}

#define NEED_PEERS(name)                                             \
	do {                                                         \
		struct bytes found_;                                 \
		bool ok_ = peer_file(name, &found_);                 \
		bytes_free(&found_);                                 \
		if (!ok_)                                            \
			SKIP("'%s' is not in IMALOG_VECTORS", name); \
	} while (0)

TEST(keylime)
{
	struct bytes msg, sig, pem, nonce;
	struct imalog_quote *quote;
	struct imalog_key *key;
	struct imalog_pcrs *pcrs;

	NEED_QUOTES();
	NEED_PEERS("keylime-quotes/quote.attest.bin");
	msg = peer("keylime-quotes/quote.attest.bin");
	sig = peer("keylime-quotes/quote.sig.bin");
	pem = peer("keylime-quotes/ak.pub.bin");
	nonce = peer("keylime-quotes/nonce.txt");
	quote = quote_of_bytes(msg);
	key = key_of_bytes(pem);
	REQUIRE(quote && key);
	CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
	CHECK_INT(check_signature(quote, sig, key), 0);
	CHECK_VERDICT(quote, SIGNATURE, IMALOG_MATCH);
	imalog_quote_check_nonce(quote, span_of_bytes(nonce));
	CHECK_VERDICT(quote, NONCE, IMALOG_MATCH);
	pcrs = pcrs_of(peer("keylime-quotes/quote.pcrs.bin"));
	CHECK_INT(imalog_quote_check_values(quote, pcrs, NULL, NULL), 0);
	CHECK_VERDICT(quote, DIGEST, IMALOG_MATCH);
	imalog_pcrs_free(&pcrs);
	imalog_quote_free(&quote);
	imalog_key_free(&key);
	bytes_free(&msg);
	bytes_free(&sig);
	bytes_free(&pem);
	bytes_free(&nonce);
}

/* The certificates are of 2022 to 2027: what they prove is asked in those years alone. */
static bool is_valid_now(const struct imalog_key *key)
{
	return X509_cmp_current_time(X509_get0_notAfter(key->cert)) > 0;
}

TEST(cmc)
{
	static const char *const keys[] = { "cmc-quotes/0-validAk.pem",
					    "cmc-quotes/ak.pub.pem",
					    "keylime-quotes/ak.pub.bin" };
	static const char *const cas[] = { "cmc-quotes/1-validCa.pem",
					   "cmc-quotes/2-invalidCaTpm.pem" };
	struct bytes msg, sig, wrong;
	struct imalog_quote *quote;

	NEED_QUOTES();
	NEED_PEERS("cmc-quotes/validQuote.bin");
	msg = peer("cmc-quotes/validQuote.bin");
	sig = peer("cmc-quotes/validSignature.bin");
	wrong = peer("cmc-quotes/invalidSignature.bin");
	quote = quote_of_bytes(msg);
	REQUIRE(quote);
	CHECK_VERDICT(quote, MAGIC, IMALOG_MATCH);
	CHECK_HEX(imalog_quote_nonce(quote), "db6c3c042fa12645");
	CHECK_INT(imalog_quote_bank(quote, 0, NULL), 1 << 1 | 1 << 4);
	for (int k = 0; k < 3; k++) {
		struct bytes pem = peer(keys[k]);
		struct imalog_key *key = key_of_bytes(pem);

		REQUIRE(key);
		CHECK_INT(check_signature(quote, wrong, key), 0);
		CHECK_VERDICT(quote, SIGNATURE, IMALOG_MISMATCH);
		CHECK_INT(check_signature(quote, sig, key), 0);
		CHECK_VERDICT(quote, SIGNATURE, k < 2 ? IMALOG_MATCH : IMALOG_MISMATCH);
		for (int c = 0; c < 2 && !k && is_valid_now(key); c++) {
			struct bytes ca = peer(cas[c]);

			CHECK_INT(imalog_quote_check_key(quote, key, span_of_bytes(ca),
							 NULL),
				  0);
			CHECK_VERDICT(quote, KEY, c ? IMALOG_MISMATCH : IMALOG_MATCH);
			bytes_free(&ca);
		}
		imalog_key_free(&key);
		bytes_free(&pem);
	}
	imalog_quote_free(&quote);
	bytes_free(&msg);
	bytes_free(&sig);
	bytes_free(&wrong);
}

TEST_MAIN(CASE(every_quote_covers_its_log), CASE(keys_of_other_machines),
	  CASE(logs_that_were_cut), CASE(records_that_were_swapped),
	  CASE(bits_that_were_changed), CASE(a_log_that_has_grown),
	  CASE(a_piece_between_two_quotes), CASE(keylime), CASE(cmc))
