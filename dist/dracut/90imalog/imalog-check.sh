#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# All file systems are gone, and the last thing to come is 'kexec -e': see imalog-boot(7).
# Without a kernel that is loaded it fails, and dracut reboots instead.
if [ "${ACTION-}" = kexec ] && ! /usr/bin/imalog-initramfs check; then
	echo 'imalog: no kexec: the machine is reset instead' >&2
	kexec -s -u || kexec -u || reboot -f
fi
:
