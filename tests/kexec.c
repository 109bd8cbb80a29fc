// SPDX-License-Identifier: GPL-2.0-or-later
/* Loads a kernel as `kexec -s` does, or starts the one that is loaded. */
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int kernel;

	if (argc == 2 && strcmp(argv[1], "-e") == 0) {
		sync();
		reboot(LINUX_REBOOT_CMD_KEXEC);
		perror("kexec: cannot start it");
		return 1;
	}
	if (argc != 3) {
		fputs("Usage: kexec KERNEL CMDLINE, then kexec -e\n", stderr);
		return 2;
	}
	kernel = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (kernel < 0 || syscall(SYS_kexec_file_load, kernel, -1, strlen(argv[2]) + 1, argv[2],
				  KEXEC_FILE_NO_INITRAMFS) != 0) {
		perror("kexec: cannot load it");
		return 1;
	}
	return 0;
}
