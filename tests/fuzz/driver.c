// SPDX-License-Identifier: GPL-2.0-or-later
/* Without libFuzzer: gives each file named by the arguments to the target. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The whole file, in memory of exactly its size; NULL when it cannot be read. */
static uint8_t *load(FILE *file, size_t *size)
{
	long end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
	uint8_t *data;

	if (end < 0 || fseek(file, 0, SEEK_SET) != 0)
		return NULL;
	*size = (size_t)end;
	data = malloc(*size ? *size : 1);
	if (data && fread(data, 1, *size, file) != *size) {
		free(data);
		return NULL;
	}
	return data;
}

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size;

	if (file) {
		data = load(file, &size);
		fclose(file);
	}
	if (!data) {
		perror(path);
		return 1;
	}
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int result = 0;

	for (int i = 1; i < argc; i++)
		result |= replay(argv[i]);
	return result;
}
