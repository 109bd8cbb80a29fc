/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store of the machine for test programs has; included by machine.h */
#ifndef TEST_STORED_H
#define TEST_STORED_H

/* ---- what the store has ---- */

TEST_FN void add_file(struct bytes *all, const char *path)
{
	uint8_t chunk[4096];
	FILE *file = fopen(path, "rb");
	size_t n;

	while (file && (n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		all->data = realloc(all->data, all->size + n + 1);
		memcpy(all->data + all->size, chunk, n);
		all->size += n;
	}
	if (file)
		fclose(file);
}

/* `cat KIND.*` of an epoch */
TEST_FN struct bytes store_bytes(unsigned int epoch, const char *kind)
{
	struct bytes all = bytes_new(0);

	for (unsigned int i = 1; i < 100; i++) {
		char path[512];

		snprintf(path, sizeof(path), "%s/epoch-%06u/%s.%08u", store_path, epoch, kind,
			 i);
		add_file(&all, path);
	}
	return all;
}

TEST_FN bool store_has(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", store_path, name);
	return access(path, F_OK) == 0;
}

TEST_FN struct bytes joined(struct bytes a, struct bytes b)
{
	struct bytes both = bytes_new(a.size + b.size);

	if (a.size)
		memcpy(both.data, a.data, a.size);
	if (b.size)
		memcpy(both.data + a.size, b.data, b.size);
	bytes_free(&a);
	bytes_free(&b);
	return both;
}

/* The log of an epoch, and for the current one what the kernel still has */
TEST_FN struct bytes whole_log(unsigned int epoch, bool with_kernel)
{
	struct bytes all = store_bytes(epoch, "log");

	if (!with_kernel)
		return all;
	all = joined(all, list_bytes(kernel->staged, kernel->nr_staged));
	return joined(all, list_bytes(kernel->current, kernel->nr_current));
}

/* Store, staged and list are all that was ever measured, in order, no gap, no double. */
TEST_FN bool check_whole(unsigned int epoch)
{
	struct bytes all = whole_log(epoch, true);
	bool ok =
		CHECK_MEM(span_of_bytes(all), span_of(kernel->bytes, kernel->at[kernel->nr]));

	bytes_free(&all);
	return ok;
}

TEST_FN void show_finding(void *arg, uint64_t segment, const char *text)
{
	(void)arg;
	printf("# segment %u: %s\n", (unsigned int)segment, text);
}

/* The epoch is sound, and leads to the TPM's values. */
TEST_FN bool check_epoch(unsigned int number)
{
	struct imalog_error *error = imalog_error_new();
	struct imalog_templates *templates = imalog_templates_new();
	struct imalog_replay *replay = imalog_replay_new();
	struct imalog_store *store = NULL;
	struct imalog_epoch *epoch = NULL;
	bool ok;

	for (size_t b = 0; b < MACHINE_BANKS; b++)
		imalog_replay_offer(replay, machine_banks[b].alg, 10,
				    span_of(kernel->pcrs[b], machine_banks[b].size), NULL);
	ok = CHECK_INT(imalog_store_open(store_path, 0, &store, error), 0) &&
	     CHECK_INT(imalog_epoch_open(store, number, &epoch, error), 0) &&
	     CHECK_INT(imalog_epoch_check(epoch, replay, templates, show_finding, NULL, error),
		       0);
	if (ok && kernel->nr_current == 0 && kernel->nr_staged == 0)
		ok = CHECK_INT(imalog_replay_verdict(replay, NULL), IMALOG_MATCH);
	imalog_epoch_close(&epoch);
	imalog_store_close(&store);
	imalog_replay_free(&replay);
	imalog_templates_free(&templates);
	imalog_error_free(&error);
	return ok;
}

#endif /* TEST_STORED_H */
