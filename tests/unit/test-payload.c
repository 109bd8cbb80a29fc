// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * src/payload.c: what measured buffers say.  Texts of kernels are as the kernel wrote them
 * (rig/buf, staging/kexec-with-staged).
 */
#include "payload.h"

#define KEXEC \
	"kexec_segment_size=45056;ima_binary_runtime_size=2942;" \
	"ima_runtime_measurements_count=27;"
#define SELINUX                                                                               \
	"initialized=0;enforcing=1;checkreqprot=0;network_peer_controls=0;open_perms=0;"      \
	"extended_socket_class=0;always_check_network=0;cgroup_seclabel=0;"                   \
	"nnp_nosuid_transition=0;genfs_seclabel_symlinks=0;ioctl_skip_cloexec=0;"             \
	"userspace_initial_context=0;"

/* ---- buffers of real kernels ---- */

static const struct example kexec_load = {
	"kexec_load", TEXT(KEXEC),
	"{\"kexec_segment_size\":45056,\"ima_binary_runtime_size\":2942,"
	"\"ima_runtime_measurements_count\":27}"
};

TEST(events_of_real_kernels)
{
	check_all(&kexec_load, 1);
	check_one("kernel_version", TEXT("6.12.117-imarig"),
		  "{\"kernel_version\":\"6.12.117-imarig\"}");
	check_one("kexec-cmdline", TEXT("root=/dev/vda 'quoted arg' tail=1"),
		  "{\"cmdline\":\"root=/dev/vda 'quoted arg' tail=1\"}");
	check_one("selinux-state", TEXT(SELINUX),
		  "{\"initialized\":0,\"enforcing\":1,\"checkreqprot\":0,"
		  "\"network_peer_controls\":0,\"open_perms\":0,\"extended_socket_class\":0,"
		  "\"always_check_network\":0,\"cgroup_seclabel\":0,"
		  "\"nnp_nosuid_transition\":0,\"genfs_seclabel_symlinks\":0,"
		  "\"ioctl_skip_cloexec\":0,\"userspace_initial_context\":0}");
}

/* From the list itself: no buffer of a real kernel is left out. */
TEST(every_buffer_of_a_list)
{
	struct bytes list = bytes_of_file("rig/buf/binary_runtime_measurements_sha1");
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_source *source = imalog_source_from_memory(list.data, list.size, "buf");
	struct imalog_reader *reader = imalog_reader_new(source, templates);
	struct imalog_record *record;
	int buffers = 0;

	while (imalog_reader_next(reader, &record, NULL) > 0)
		for (size_t i = 0; i < imalog_record_fields(record); i++) {
			json_t *json;

			if (imalog_record_field_id(record, i) != IMALOG_FIELD_BUF)
				continue;
			test_note("record %d", (int)imalog_record_number(record));
			json = payload_decode(imalog_record_name(record),
					      imalog_record_field_data(record, i));
			CHECK(json_object_size(json) > 0);
			json_decref(json);
			buffers++;
		}
	CHECK_INT(buffers, 11);
	imalog_reader_free(&reader);
	imalog_source_free(&source);
	imalog_templates_free(&templates);
	bytes_free(&list);
}

TEST(cut_or_changed)
{
	static const struct example snapshot = {
		"snapshot_aggregate",
		TEXT("Snapshot_Attempt_Count=7;"
		     "sha1:PCR0:0x0123456789abcdef0123456789abcdef01234567;"),
		NULL
	};
	static const struct example policy = {
		"ima_policy", TEXT("measure func=FILE_CHECK\n# x\naudit\n"), NULL
	};
	static const struct example selinux = { "selinux-state", TEXT(SELINUX), NULL };

	check_cut(&kexec_load, kexec_load.size);
	check_replaced(&kexec_load);
	check_cut(&snapshot, snapshot.size);
	check_replaced(&snapshot);
	check_replaced(&policy);
	check_replaced(&selinux);
}

/* ---- by kind ---- */

TEST(names_with_and_without_nul)
{
	struct imalog_span data = span_of(TEXT("6.1.0"));
	json_t *json = payload_decode(span_of(TEXT("kernel_version\0")), data);

	CHECK(json);
	json_decref(json);
	CHECK(!payload_decode(span_of(TEXT("kernel_versio")), data));
	CHECK(!payload_decode(span_of(TEXT("kernel_version2")), data));
	CHECK(!payload_decode(span_of(TEXT("")), data));
	CHECK(!payload_decode(span_of(NULL, 0), data));
}

TEST(unknown_events_say_nothing)
{
	static const struct example examples[] = {
		{ "boot_aggregate", TEXT("text"), NULL },
		{ "dm_", TEXT(KEXEC), NULL },
		{ ".ima", TEXT("0"), NULL },
		{ ".ima", TEXT(""), NULL },
		{ "x", TEXT("measure func=BPRM_CHECK\n"), NULL },
	};

	CHECK_ALL(examples);
	CHECK(!payload_decode(span_of(TEXT("kexec-cmdline")), span_of(NULL, 0)));
}

TEST(kexec_sizes)
{
	static const struct example examples[] = {
		/* ima_get_binary_runtime_size() gives ULONG_MAX when it would overflow */
		{ "kexec_execute",
		  TEXT("kexec_segment_size=0;ima_binary_runtime_size=18446744073709551615;"
		       "ima_runtime_measurements_count=9223372036854775807;"),
		  "{\"kexec_segment_size\":0,"
		  "\"ima_binary_runtime_size\":\"18446744073709551615\","
		  "\"ima_runtime_measurements_count\":9223372036854775807}" },
		{ "kexec_load",
		  TEXT("kexec_segment_size=1;ima_binary_runtime_size=18446744073709551616;"
		       "ima_runtime_measurements_count=1;"),
		  NULL },
		{ "kexec_load",
		  TEXT("kexec_segment_size=1;ima_binary_runtime_size=9999999999999999999999;"
		       "ima_runtime_measurements_count=1;"),
		  NULL },
		{ "kexec_load",
		  TEXT("kexec_segment_size=01;ima_binary_runtime_size=1;"
		       "ima_runtime_measurements_count=1;"),
		  NULL },
		{ "kexec_load",
		  TEXT("kexec_segment_size=-1;ima_binary_runtime_size=1;"
		       "ima_runtime_measurements_count=1;"),
		  NULL },
		{ "kexec_load",
		  TEXT("kexec_segment_size=;ima_binary_runtime_size=1;"
		       "ima_runtime_measurements_count=1;"),
		  NULL },
		{ "kexec_load",
		  TEXT("kexec_segment_size=1,ima_binary_runtime_size=1;"
		       "ima_runtime_measurements_count=1;"),
		  NULL },
		{ "kexec_load", TEXT(KEXEC "\0"), NULL },
		{ "kexec_load", TEXT(KEXEC "\n"), NULL },
		{ "kexec_load", TEXT(KEXEC KEXEC), NULL },
	};

	CHECK_ALL(examples);
}

TEST(kernel_versions)
{
	char longest[65];

	memset(longest, 'a', sizeof(longest));
	check_one("kernel_version", TEXT("6.1 \n"), NULL);
	check_one("kernel_version", TEXT("6.1\0"), NULL);
	check_one("kernel_version", TEXT("6.1\xff"), NULL);
	check_one("kernel_version", TEXT(""), NULL);
	check_one("kernel_version", longest, 65, NULL);
	check_one("kernel_version", longest, 64,
		  "{\"kernel_version\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}");
}

TEST(command_lines_are_any_bytes)
{
	static const struct example examples[] = {
		{ "kexec_cmdline", TEXT("a\x1b[2J\n"), "{\"cmdline\":\"a\\u001B[2J\\n\"}" },
		{ "kexec-cmdline", TEXT("quiet\0init=/x"),
		  "{\"cmdline\":\"quiet\\u0000init=/x\"}" },
		{ "kexec-cmdline", TEXT("caf\xe9"), "{\"cmdline\":{\"hex\":\"636166e9\"}}" },
		{ "kexec-cmdline", TEXT(""), NULL },
	};

	CHECK_ALL(examples);
}

TEST(selinux)
{
	static const struct example examples[] = {
		{ "selinux-state", TEXT("initialized=1;enforcing=0;"),
		  "{\"initialized\":1,\"enforcing\":0}" },
		{ "selinux-state", TEXT("initialized=1;enforcing=0"), NULL },
		{ "selinux-state", TEXT("initialized=2;"), NULL },
		{ "selinux-state", TEXT("initialized=;"), NULL },
		{ "selinux-state", TEXT("initialized=10;"), NULL },
		{ "selinux-state", TEXT("=1;initialized=1;"), NULL },
		{ "selinux-state", TEXT("initialized=1;initialized=1;"), NULL },
		{ "selinux-state", TEXT("initialized=1;\0"), NULL },
		{ "selinux-state", TEXT("initialized=1;a\x80=1;"), NULL },
		{ "selinux-state", TEXT("enforcing=1;"), NULL },
		{ "selinux-state",
		  TEXT("initialized=1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1;"),
		  NULL },
		{ "selinux-policy-hash",
		  TEXT("\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\xf0\xf1\xf2\xf3"),
		  "{\"policy_hash\":\"000102030405060708090a0b0c0d0e0ff0f1f2f3\"}" },
		{ "selinux-policy-hash", TEXT("1234567890123456789"), NULL },
		{ "selinux-policy-hash", TEXT("123456789012345678901"), NULL },
		{ "selinux-policy-hash", TEXT(""), NULL },
	};

	CHECK_ALL(examples);
}

TEST(policies)
{
	static const struct example examples[] = {
		{ "ima_policy_loaded",
		  TEXT("dont_measure fsmagic=0x9fa0 \ndont_measure fsmagic=0x62656572 \n"
		       "measure func=KEY_CHECK keyrings=.ima|.evm \nappraise fowner=0 \n"),
		  "{\"rules\":4,\"measure\":1,\"dont_measure\":2,\"appraise\":1,"
		  "\"first\":\"dont_measure fsmagic=0x9fa0\"}" },
		{ "ima_policy_written", TEXT("audit func=BPRM_CHECK"),
		  "{\"rules\":1,\"audit\":1,\"first\":\"audit func=BPRM_CHECK\"}" },
		{ "/etc/ima/ima-policy",
		  TEXT("# caf\xc3\xa9\n\n \t# x\n  hash func=FILE_CHECK\n\thash\n"),
		  "{\"rules\":2,\"hash\":2,\"first\":\"hash func=FILE_CHECK\"}" },
		{ "ima_policy", TEXT("measure label=\xff\n"),
		  "{\"rules\":1,\"measure\":1,"
		  "\"first\":{\"hex\":\"6d656173757265206c6162656c3dff\"}}" },
		{ "ima_policy", TEXT("# nothing\n"), NULL },
		{ "ima_policy", TEXT("\n\n"), NULL },
		{ "ima_policy", TEXT("measured func=FILE_CHECK\n"), NULL },
		{ "ima_policy", TEXT("measure-not func=FILE_CHECK\n"), NULL },
		{ "ima_policy", TEXT("measure\nrm -rf x\n"), NULL },
		{ "ima_policy", TEXT("measure\0\n"), NULL },
		{ "ima_policy", TEXT("measure\r\n"), NULL },
		{ "ima_policy", TEXT("measure \x7f\n"), NULL },
		{ "/bin/sh", TEXT("#!/bin/sh\nexit 0\n"), NULL },
	};

	CHECK_ALL(examples);
}

/* ---- proposals ---- */

TEST(trimming)
{
	static const struct example examples[] = {
		{ "trim_ima_event_logs",
		  TEXT("time=1764806400000000000; log trim this time=12;"),
		  "{\"time\":1764806400000000000,\"log_trim_this_time\":12}" },
		{ "trim_ima_event_logs", TEXT("time= 1764806400000000000; number= 12;"),
		  "{\"time\":1764806400000000000,\"number\":12}" },
		{ "trim_ima_event_logs", TEXT("time= 1; number=12;"), NULL },
		{ "trim_ima_event_logs", TEXT("time=1; number= 12;"), NULL },
		{ "trim_ima_event_logs", TEXT("time= 1; number= 12"), NULL },
		{ "trim_ima_event_logs", TEXT("time= 1; number= 12;\0"), NULL },
	};

	CHECK_ALL(examples);
}

#define SHA1 "0123456789abcdef0123456789abcdef01234567"
#define SHA1_UPPER "0123456789ABCDEF0123456789ABCDEF01234567"
#define SHA256 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SNAPSHOT "Snapshot_Attempt_Count=7;"
#define SNAPSHOT_JSON                                               \
	"{\"Snapshot_Attempt_Count\":7,\"pcrs\":{\"sha1:0\":\"" SHA1 \
	"\",\"sha1:23\":\"" SHA1 "\"}}"

TEST(snapshots)
{
	static const struct example examples[] = {
		/* as the example of the proposal has it, and as its grammar */
		{ "snapshot_aggregate",
		  TEXT(SNAPSHOT "sha1:PCR0:0x" SHA1 ",sha1:PCR23:0x" SHA1_UPPER ";"),
		  SNAPSHOT_JSON },
		{ "snapshot_aggregate",
		  TEXT(SNAPSHOT "sha1:PCR0:" SHA1 ";,sha1:PCR23:" SHA1 ";;"),
		  SNAPSHOT_JSON },
		{ "snapshot_aggregate",
		  TEXT(SNAPSHOT "sha1:PCR1:" SHA1 ",sha256:PCR1:" SHA256 ";"),
		  "{\"Snapshot_Attempt_Count\":7,\"pcrs\":{\"sha1:1\":\"" SHA1
		  "\",\"sha256:1\":\"" SHA256 "\"}}" },
		{ "snapshot_aggregate", TEXT(SNAPSHOT), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR0:" SHA1), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR0:" SHA1 ","), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR0:" SHA1 ";,"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR0:" SHA1 ";;;"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR0:" SHA1 "\0;"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR24:" SHA1 ";"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR00:" SHA1 ";"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR:" SHA1 ";"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha256:PCR0:" SHA1 ";"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "sha1:PCR0:" SHA256 ";"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT "md5:PCR0:" SHA1 ";"), NULL },
		{ "snapshot_aggregate", TEXT(SNAPSHOT ":PCR0:" SHA1 ";"), NULL },
		{ "snapshot_aggregate",
		  TEXT(SNAPSHOT "aaaaaaaaaaaaaaaaaaaaaaaa:PCR0:" SHA1 ";"), NULL },
		{ "snapshot_aggregate",
		  TEXT(SNAPSHOT "sha1:PCR0:" SHA1 ",sha1:PCR0:" SHA1 ";"), NULL },
		{ "snapshot_aggregate",
		  TEXT("Snapshot_Attempt_Count=x;sha1:PCR0:" SHA1 ";"), NULL },
		{ "snapshot_aggregate",
		  TEXT(SNAPSHOT "sha1:PCR0:g123456789abcdef0123456789abcdef01234567;"), NULL },
	};

	CHECK_ALL(examples);
}

/* ---- keys ---- */

TEST(keys_of_any_keyring)
{
	static const char json[] =
		"{\"certificate\":{\"subject\":\"CN=imarig ec signer\","
		"\"key_id\":\"c2b32965\"}}";
	struct bytes der = bytes_of_file("rig/buf/keys/ec.der");

	check_one(".ima", der.data, der.size, json);
	check_one("ring_with_space", der.data, der.size, json);
	check_one("kernel_version", der.data, der.size, json);
	for (size_t size = 0; size < der.size; size += test_step(7))
		check_one(".ima", der.data, size, NULL);
	bytes_free(&der);
}

/* Its place is taken by that of an extension that nobody knows. */
TEST(keys_without_an_id)
{
	struct bytes der = bytes_of_file("rig/buf/keys/ec.der");
	uint8_t *id = memmem(der.data, der.size, "\x55\x1d\x0e", 3);

	REQUIRE(id);
	id[2] = 0x7f;
	check_one(".ima", der.data, der.size,
		  "{\"certificate\":{\"subject\":\"CN=imarig ec signer\"}}");
	bytes_free(&der);
}

TEST(more_than_the_kernel_measures)
{
	struct bytes large = bytes_new((1 << 20) + 1);

	memset(large.data, 'a', large.size);
	check_one("kexec-cmdline", large.data, large.size, NULL);
	bytes_free(&large);
}

TEST_MAIN(CASE(events_of_real_kernels), CASE(every_buffer_of_a_list),
	  CASE(cut_or_changed), CASE(names_with_and_without_nul),
	  CASE(unknown_events_say_nothing), CASE(kexec_sizes), CASE(kernel_versions),
	  CASE(command_lines_are_any_bytes), CASE(selinux), CASE(policies),
	  CASE(trimming), CASE(snapshots), CASE(keys_of_any_keyring),
	  CASE(keys_without_an_id), CASE(more_than_the_kernel_measures))
