#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: two kexecs (ima_policy=tcb), prepared and checked. The list fits into what is set
# aside for it when the kernel is loaded, the first time, and does not the second time.
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# look BOOT: what the kernel and the TPM say, and what imalog says of it
look() {
	cp $IMA/binary_runtime_measurements "$1.list"
	cat $TPM/pcr-sha256/10 >"$1.sha256"
	cat /proc/sys/kernel/random/boot_id >"$1.boot-id"
	step "$1-replay" imalog replay --sysfs --pcr 10 --json
	step "$1-boot-aggregate" imalog replay --sysfs --boot-aggregate --json
	step "$1-status" imalog status --json
	step "$1-show" imalog show --json
	step "$1-merge" imalog merge --live --sysfs --pcr 10 -o "$1.merged" --json
	cat $TPM/pcr-sha256/10 >"$1.merged.sha256"
}

# measure COUNT: as many files that were not there
measure() {
	for i in $(seq "$1"); do
		echo "$boot $i" >"/vm/$boot-$i"
		cat "/vm/$boot-$i" >/dev/null
	done
}

# go_on BOOT COUNT: loads the kernel, has files measured, and starts it whatever is said
go_on() {
	mkdir -p /var/lib
	step "$boot-prepare" imalog kexec-prepare --sysfs --json
	cp /var/lib/imalog/current/pending.* "$boot.kept"
	kexec /boot/vmlinuz "$(sed 's/ boot=.*//' /proc/cmdline) boot=$1"
	step "$boot-loaded" imalog kexec-prepare --check --json
	measure "$2"
	step "$boot-check" imalog kexec-prepare --check --json
	cp $IMA/binary_runtime_measurements "$boot.last"
	sync
	kexec -e
}

boot=$(sed -n 's/.* boot=//p' /proc/cmdline)
boot=${boot:-first}
measure 30
look "$boot"
case $boot in
first) go_on second 8 ;;
second) go_on third 300 ;;
esac
