/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files share that judge whether a kexec will carry the list over. */
#ifndef IMALOG_KEXEC_H
#define IMALOG_KEXEC_H

#include "store.h"

/* struct ima_kexec_hdr, which comes before the records */
#define IMALOG_KEXEC_HEADER 24
/* What the next kernel restores (MAX_TEMPLATE_NAME_LEN, ima_template.c) */
#define IMALOG_KEXEC_NAME_MAX 68

/* ---- kexec-kernel.c ---- */

/* When the kernel copies its list for the next one (ima_kexec.c) */
enum imalog_kexec_copy {
	IMALOG_KEXEC_COPY_UNKNOWN = 0,
	IMALOG_KEXEC_COPY_AT_LOAD, /* what is measured later is lost */
	IMALOG_KEXEC_COPY_AT_EXECUTE,
};

/* What this machine says of itself */
struct imalog_kexec_kernel {
	struct imalog_kernel_info info;
	enum imalog_answer carries;  /* CONFIG_IMA_KEXEC */
	enum imalog_answer loaded;   /* is a kernel loaded? */
	enum imalog_answer disabled; /* kexec_load_disabled */
	bool file_only; /* kexec_load(2), which carries nothing over, loads no kernel here */
	enum imalog_kexec_copy copy;
	uint64_t page;
	uint64_t extra;	     /* what the kernel adds to the size of the list, in bytes */
	uint64_t least;	     /* as far as is known */
	uint64_t memory;     /* in bytes, 0: not known */
	uint64_t segment;    /* what it has set aside for what is loaded, 0: not known */
	bool has_no_segment; /* it has set aside nothing */
};

int imalog_kexec_look_at_kernel(const char *root, struct imalog_kexec_kernel *ret,
				struct imalog_error *error);

/* ---- kexec-list.c ---- */

/* What is staged, and then the list, as the next kernel gets them */
struct imalog_kexec_list {
	uint64_t records, bytes;
	uint64_t counted; /* bytes as the kernel counts them: without names of ad-hoc templates
			   */
	uint8_t sha256[IMALOG_SHA256_SIZE];
	uint64_t refused; /* the first record that the next kernel refuses, or 0 */
	char refused_name[IMALOG_PRINTABLE_MAX];
	bool too_long; /* for its name */
	bool big_endian;
	bool has_boot; /* the record that a boot begins with: nothing after it was taken out */
	struct imalog_prefix prefix; /* do they begin with these bytes?  size 0: not asked */
	/* What the last kexec_load of this boot says, 0: there is none; and that record's size
	 */
	uint64_t segment, record;
};

/* @list: has the prefix that is looked for */
int imalog_kexec_look_at_lists(const char *root, const struct imalog_kernel_info *kernel,
			       unsigned int wait_ms, struct imalog_kexec_list *list,
			       struct imalog_error *error);

/* ---- kexec-boundary.c ---- */

/* How it was when a kexec was prepared: the store's file kexec.json */
struct imalog_boundary {
	char time[IMALOG_TIME_SIZE];
	char kernel[72];
	char boot_id[40];
	uint64_t epoch;
	uint64_t committed; /* the last record that was in the store alone */
	uint64_t segment; /* pending, with what was still in the kernel; 0: there was nothing */
	uint64_t records, bytes;
	uint8_t sha256[IMALOG_SHA256_SIZE];
	uint64_t counted; /* as above, a moment later */
	bool unloaded;	  /* no kernel was loaded */
};

/* Durably, over the one that was there */
int imalog_boundary_write(const struct imalog_boundary *boundary, int dir,
			  struct imalog_error *error);
/* 1, 0 when there is none, or negative */
int imalog_boundary_read(int dir, struct imalog_boundary *ret, struct imalog_error *error);
void imalog_boundary_remove(int dir);

#endif /* IMALOG_KEXEC_H */
