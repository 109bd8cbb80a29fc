#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: the systems that come after what was done in the initramfs
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

boot=$(sed -n 's/.* boot=//p' /proc/cmdline)
boot=${boot:-up}
cat /proc/sys/kernel/random/boot_id >"$boot.boot-id"
cp $IMA/binary_runtime_measurements "$boot.list"
step "$boot-replay" imalog replay --sysfs --pcr 10 --json
case $boot in
second)
	# A store that cannot be written to
	mount --bind /var/lib/imalog /var/lib/imalog
	mount -o remount,bind,ro /var/lib/imalog
	sync
	step second-kexec imalog-initramfs kexec /boot/vmlinuz \
		"--command-line=$(sed 's/ boot=.*//' /proc/cmdline) boot=third"
	;;
third)
	# No kernel can be loaded, nor so the list be carried over.
	echo 1 >/proc/sys/kernel/kexec_load_disabled
	step third-kexec imalog-initramfs kexec /boot/vmlinuz --reuse-cmdline
	;;
esac
