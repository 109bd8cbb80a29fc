// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * src/payload-dm.c: what IMA measures of the device mapper.  The first texts are as the kernel
 * wrote them (rig/buf), those of targets from the kernel's documentation.
 */
#include "payload.h"

#define DM "dm_version=4.48.0;"
#define DEVICE "name=imarig-zero,uuid=,major=253,minor=0,minor_count=1,num_targets=1;"
#define DM_JSON "{\"dm_version\":\"4.48.0\","
#define DEVICE_JSON                                                                \
	DM_JSON "\"name\":\"imarig-zero\",\"uuid\":\"\",\"major\":253,\"minor\":0," \
		"\"num_targets\":1,"
#define HASH "sha256:ec2ece2a3ef0acd954515a376b44733e4e95e59fd58e5e6092e62d9830a73b83"
#define LINEAR                                                           \
	"target_index=0,target_begin=0,target_len=64,target_name=linear," \
	"target_version=1.4.0,device_name=254:32,start=0;"
#define RENAMED                                                                               \
	"name=imarig-renamed,uuid=,major=253,minor=0,minor_count=1,num_targets=1;"            \
	"active_table_hash=" HASH ",remove_all=n;current_device_capacity=64;"

/* Those that say nothing any more when an end is cut off */
static const struct example whole[] = {
	{ "dm_table_load", TEXT(DM DEVICE LINEAR), DEVICE_JSON "\"targets\":[\"linear\"]}" },
	{ "dm_device_resume",
	  TEXT(DM DEVICE "active_table_hash=" HASH ";current_device_capacity=64;"),
	  DEVICE_JSON "\"active_table_hash\":\"" HASH "\",\"current_device_capacity\":64}" },
	{ "dm_device_rename",
	  TEXT(DM DEVICE "new_name=imarig-renamed,new_uuid=;current_device_capacity=64;"),
	  DEVICE_JSON "\"new_name\":\"imarig-renamed\",\"new_uuid\":\"\","
		      "\"current_device_capacity\":64}" },
	{ "dm_device_remove", TEXT(DM "device_active_metadata=" RENAMED),
	  DM_JSON "\"name\":\"imarig-renamed\",\"uuid\":\"\",\"major\":253,\"minor\":0,"
		  "\"num_targets\":1,\"active_table_hash\":\"" HASH
		  "\",\"remove_all\":\"n\",\"current_device_capacity\":64}" },
};

TEST(events_of_real_kernels)
{
	CHECK_ALL(whole);
}

TEST(cut_at_every_byte)
{
	/* A target that tells nothing but its place looks like this. */
	size_t enough = strlen(DM DEVICE "target_index=0,target_begin=0,target_len=64,");

	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(whole); i++)
		check_cut(&whole[i], i == 0 ? enough : whole[i].size);
}

TEST(every_byte_replaced)
{
	for (size_t i = 0; i < IMALOG_ARRAY_SIZE(whole); i++)
		check_replaced(&whole[i]);
}

#define NAMES(name, uuid) DM "name=" name ",uuid=" uuid
#define CAPACITY "current_device_capacity=8;"
#define CAPACITY_JSON "\"current_device_capacity\":8}"

TEST(device_names_with_escapes)
{
	static const struct example examples[] = {
		{ "dm_device_resume", TEXT(NAMES("a\\,b\\;c\\=d\\\\", "\\,") ";" CAPACITY),
		  DM_JSON "\"name\":\"a,b;c=d\\\\\",\"uuid\":\",\"," CAPACITY_JSON },
		{ "dm_device_resume", TEXT(NAMES("\xff\\,", "") ";" CAPACITY),
		  DM_JSON "\"name\":{\"hex\":\"ff2c\"},\"uuid\":\"\"," CAPACITY_JSON },
		{ "dm_device_resume", TEXT(NAMES("a\\b", "") ";" CAPACITY), NULL },
		{ "dm_device_resume", TEXT(NAMES("a=b", "") ";" CAPACITY), NULL },
		{ "dm_device_resume", TEXT(NAMES("a\\", "") ";" CAPACITY), NULL },
		{ "dm_device_resume", TEXT(NAMES("a", "\\")), NULL },
		{ "dm_device_resume", TEXT(NAMES("a\\\0", "") ";" CAPACITY), NULL },
	};

	CHECK_ALL(examples);
}

TEST(devices_without_a_table)
{
	static const struct example examples[] = {
		{ "dm_device_resume", TEXT(NAMES("a", "b") ";device_resume=no_data;" CAPACITY),
		  DM_JSON "\"name\":\"a\",\"uuid\":\"b\"," CAPACITY_JSON },
		/* Linux 5.15: room as long as dm_version=4.45.0; is left out */
		{ "dm_table_clear",
		  TEXT(NAMES("a", "b") ";table_clear=no_data;"
				       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" CAPACITY),
		  DM_JSON "\"name\":\"a\",\"uuid\":\"b\"," CAPACITY_JSON },
		{ "dm_device_rename",
		  TEXT(DM "device_rename=no_data;new_name=a,new_uuid=b;" CAPACITY),
		  DM_JSON "\"new_name\":\"a\",\"new_uuid\":\"b\"," CAPACITY_JSON },
		{ "dm_device_resume", TEXT(NAMES("a", "b") ";\0" CAPACITY), NULL },
		{ "dm_device_resume", TEXT(DM CAPACITY), NULL },
		{ "dm_device_resume", TEXT(DM), NULL },
		{ "dm_device_resume", TEXT("name=a,uuid=;" CAPACITY), NULL },
	};

	CHECK_ALL(examples);
}

#define TABLES(second)                                                                        \
	DM "device_active_metadata=name=l1,uuid=,major=253,minor=2,minor_count=1,"            \
	   "num_targets=2;device_inactive_metadata=name=" second                              \
	   ",uuid=,major=253,minor=2,minor_count=1,num_targets=1;"                            \
	   "active_table_hash=sha256:4a,inactive_table_hash=sha256:9d,remove_all=y;"          \
	   "current_device_capacity=2048;"

TEST(devices_with_two_tables)
{
	static const struct example examples[] = {
		{ "dm_device_remove", TEXT(TABLES("l1")),
		  DM_JSON "\"name\":\"l1\",\"uuid\":\"\",\"major\":253,\"minor\":2,"
			  "\"num_targets\":2,\"active_table_hash\":\"sha256:4a\","
			  "\"inactive_table_hash\":\"sha256:9d\",\"remove_all\":\"y\","
			  "\"current_device_capacity\":2048}" },
		{ "dm_device_remove", TEXT(TABLES("l2")), NULL },
	};

	CHECK_ALL(examples);
}

TEST(device_values_of_the_wrong_kind)
{
	static const struct example examples[] = {
		{ "dm_x", TEXT(DM "name=a,uuid=,major=-1;" CAPACITY), NULL },
		{ "dm_x", TEXT(DM "name=a,uuid=,major=1x;" CAPACITY), NULL },
		{ "dm_x", TEXT(DM "name=a,uuid=,major=;" CAPACITY), NULL },
		{ "dm_x", TEXT(DM "name=a,uuid,major=1;" CAPACITY), NULL },
		{ "dm_x", TEXT(DM "name=a,name=b;" CAPACITY), NULL },
		{ "dm_x", TEXT(DM "name=a;active_table_hash= ;" CAPACITY), NULL },
		{ "dm_x", TEXT("dm_version=;name=a;" CAPACITY), NULL },
		{ "dm_x", TEXT("dm_version=4.48.0,name=a;" CAPACITY), NULL },
		{ "dm_x", TEXT(DM "name=a;current_device_capacity=18446744073709551615;"),
		  DM_JSON "\"name\":\"a\","
			  "\"current_device_capacity\":\"18446744073709551615\"}" },
		{ "dm_x", TEXT(DM "name=a;current_device_capacity=18446744073709551616;"),
		  NULL },
		/* newer versions may tell more */
		{ "dm_x", TEXT(DM "name=a,read_only=y;" CAPACITY),
		  DM_JSON "\"name\":\"a\"," CAPACITY_JSON },
	};

	CHECK_ALL(examples);
}

#define ROW(index) "target_index=" index ",target_begin=0,target_len=2,"
#define NAMED(type) "target_name=" type ",target_version=1.4.0"

TEST(targets)
{
	static const struct example examples[] = {
		{ "dm_table_load",
		  TEXT(DM "name=a;" ROW("0") NAMED("linear") ",device_name=7:0,start=512;"
			  ROW("1") NAMED("striped") ";"),
		  DM_JSON "\"name\":\"a\",\"targets\":[\"linear\",\"striped\"]}" },
		/* targets that tell nothing (zero, error) have no ';' either */
		{ "dm_table_load",
		  TEXT(DM "name=a;" ROW("0") ROW("1") NAMED("linear") ";" ROW("2")),
		  DM_JSON "\"name\":\"a\",\"targets\":[\"\",\"linear\",\"\"]}" },
		/* the rest of a table that was too long for one event */
		{ "dm_table_load", TEXT(DM "name=a;" ROW("40") NAMED("raid") ";"),
		  DM_JSON "\"name\":\"a\",\"targets\":[\"raid\"]}" },
		/* a cipher with a comma in it */
		{ "dm_table_load",
		  TEXT(DM "name=a;" ROW("0") NAMED("crypt")
			  ",cipher_string=capi:authenc(hmac(sha256),xts(aes))-random;"),
		  DM_JSON "\"name\":\"a\",\"targets\":[\"crypt\"]}" },
		{ "dm_table_load", TEXT(DM "name=a;" ROW("0") NAMED("x\xff") ";"),
		  DM_JSON "\"name\":\"a\",\"targets\":[{\"hex\":\"78ff\"}]}" },
		{ "dm_table_load",
		  TEXT(DM "name=a;" ROW("0") NAMED("linear") ";" ROW("2") NAMED("linear") ";"),
		  NULL },
		{ "dm_table_load", TEXT(DM "name=a;" ROW("0") NAMED("linear") ";garbage;"),
		  NULL },
		{ "dm_table_load", TEXT(DM "name=a;" ROW("0") NAMED("linear") ";\0"), NULL },
		{ "dm_table_load", TEXT(DM "name=a," ROW("0") NAMED("linear") ";"), NULL },
		{ "dm_table_load", TEXT(DM "name=a;" ROW("x") NAMED("linear") ";"), NULL },
		{ "dm_table_load", TEXT(DM "name=a;" ROW("18446744073709551616") ";"), NULL },
		{ "dm_table_load", TEXT(DM ROW("0") NAMED("linear") ";"), NULL },
	};

	CHECK_ALL(examples);
}

#define DIGEST "8c2eff0b45fc9815b94350f7a913683ef34085c734229bcf1345c31b07ac61b8"
#define VERITY                                                                                \
	"target_index=0,target_begin=0,target_len=8,target_name=verity,target_version=1.8.0," \
	"hash_failed=C,verity_version=1,data_device_name=7:1,hash_device_name=7:0,"           \
	"verity_algorithm=sha256,root_digest=" DIGEST ",salt=6301,ignore_zero_blocks=n,"      \
	"check_at_most_once=n;"

TEST(verity_targets)
{
	static const struct example examples[] = {
		{ "dm_target_update",
		  TEXT(DM "name=test,uuid=CRYPT-VERITY-e0d2-test,major=253,minor=0,"
			  "minor_count=1,num_targets=1;" VERITY),
		  DM_JSON "\"name\":\"test\",\"uuid\":\"CRYPT-VERITY-e0d2-test\","
			  "\"major\":253,\"minor\":0,\"num_targets\":1,"
			  "\"targets\":[\"verity\"],"
			  "\"root_digest\":\"" DIGEST "\",\"hash_failed\":\"C\"}" },
		{ "dm_table_load", TEXT(DM "name=a;" ROW("0") NAMED("verity") ";"), NULL },
	};

	CHECK_ALL(examples);
}

TEST_MAIN(CASE(events_of_real_kernels), CASE(cut_at_every_byte),
	  CASE(every_byte_replaced), CASE(device_names_with_escapes),
	  CASE(devices_without_a_table), CASE(devices_with_two_tables),
	  CASE(device_values_of_the_wrong_kind), CASE(targets), CASE(verity_targets))
