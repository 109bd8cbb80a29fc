#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario under systemd (ima_policy=tcb): 'systemctl kexec' with a list that fits into
# what is set aside for it, and with one that does not.
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# measure COUNT: as many files that were not there
measure() {
	for i in $(seq "$1"); do
		echo "$boot $i" >"/vm/$boot-$i"
		cat "/vm/$boot-$i" >/dev/null
	done
}

# load BOOT: the same kernel, with this word on its command line
load() {
	kexec /boot/vmlinuz "$(sed 's/ boot=.*//' /proc/cmdline) boot=$1"
}

# go_on: what came of it so far is kept, should this machine be reset
go_on() {
	echo 0 >"done"
	tar -cf /dev/vdb .
	sync
	systemctl kexec --no-block
	sleep 1000
}

boot=$(sed -n 's/.* boot=//p' /proc/cmdline)
boot=${boot:-first}
cat /proc/sys/kernel/random/boot_id >"$boot.boot-id"
case $boot in
first)
	systemctl enable imalog-kexec.service
	measure 30
	load second
	step first-check imalog kexec-prepare --check
	cp $IMA/binary_runtime_measurements first.list
	go_on
	;;
second)
	step second-replay imalog replay --sysfs --pcr 10 --json
	cp $IMA/binary_runtime_measurements second.list
	load third
	measure 300
	step second-check imalog kexec-prepare --check
	go_on
	;;
esac
