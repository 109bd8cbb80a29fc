// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of securityfs, as the kernel's version and configuration have them. */
#include <string.h>
#include <sys/stat.h>

#include "imafs.h"

#define LINK_MODE (S_IFLNK | 0444)

static struct node *add(struct tree *tree, size_t parent, enum kind kind, mode_t mode,
			const char *name)
{
	struct node *node = &tree->nodes[tree->count++];

	*node = (struct node){ .kind = kind, .mode = mode, .parent = parent };
	snprintf(node->name, sizeof(node->name), "%s", name);
	return node;
}

static void add_link(struct tree *tree, size_t parent, const char *name,
		     const char *target)
{
	struct node *node = add(tree, parent, KIND_LINK, LINK_MODE, name);

	snprintf(node->target, sizeof(node->target), "%s", target);
}

static void add_list(struct tree *tree, size_t dir, const struct kernel *kernel,
		     size_t bank, bool ascii, bool staged)
{
	bool per_algorithm = kernel->version >= KERNEL_VERSION(6, 10);
	mode_t mode = S_IFREG | (kernel->version >= KERNEL_VERSION(7, 2) ? 0660 : 0440);
	struct node *node = add(tree, dir, KIND_LIST, mode, "");

	node->bank = bank;
	node->ascii = ascii;
	node->staged = staged;
	snprintf(node->name, sizeof(node->name), "%s_runtime_measurements%s%s%s",
		 ascii ? "ascii" : "binary", per_algorithm ? "_" : "",
		 per_algorithm ? kernel->tpm.banks[bank].alg->name : "",
		 staged ? "_staged" : "");
}

/* All lists of one kind; the link without an algorithm is SHA-1. */
static void add_lists(struct tree *tree, size_t dir, const struct kernel *kernel,
		      bool ascii, bool staged)
{
	bool per_algorithm = kernel->version >= KERNEL_VERSION(6, 10);
	char link[64], target[64];

	for (size_t i = 0; i < (per_algorithm ? kernel->tpm.nr_banks : 1); i++)
		add_list(tree, dir, kernel, i, ascii, staged);
	if (!per_algorithm)
		return;
	snprintf(link, sizeof(link), "%s_runtime_measurements%s",
		 ascii ? "ascii" : "binary", staged ? "_staged" : "");
	snprintf(target, sizeof(target), "%s",
		 tree->nodes[tree->count - kernel->tpm.nr_banks].name);
	add_link(tree, dir, link, target);
}

void tree_init(struct tree *tree, const struct imafs *fs)
{
	const struct kernel *kernel = &fs->kernel;
	bool staging = kernel->staging && kernel->version >= KERNEL_VERSION(7, 2);

	tree->count = 0;
	add(tree, 0, KIND_DIR, S_IFDIR | 0755, "/");
	add(tree, 0, KIND_DIR, S_IFDIR | 0755, "integrity");
	add(tree, 1, KIND_DIR, S_IFDIR | 0755, "ima");
	add_link(tree, 0, "ima", "integrity/ima");
	for (int staged = 0; staged <= staging; staged++) {
		add_lists(tree, 2, kernel, false, staged);
		add_lists(tree, 2, kernel, true, staged);
	}
	add(tree, 2, KIND_COUNT, S_IFREG | 0440, "runtime_measurements_count");
	add(tree, 2, KIND_VIOLATIONS, S_IFREG | 0440, "violations");
	add(tree, 2, KIND_POLICY, S_IFREG | (fs->policy.readable ? 0600 : 0200),
	    "policy");
	if (!fs->machine.bios_log)
		return;
	add(tree, 0, KIND_DIR, S_IFDIR | 0755, "tpm0");
	add(tree, tree->count - 1, KIND_BIOS, S_IFREG | 0440, "binary_bios_measurements");
}
