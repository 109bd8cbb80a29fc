#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario under systemd (ima_policy=tcb): 'systemctl kexec' with a list that fits into
# what is set aside for it, and with one that does, but might not with all that is yet to come.
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# bytes: how long the list is
bytes() {
	wc -c <$IMA/binary_runtime_measurements
}

# measure: a file that was not there
measure() {
	number=$((${number-0} + 1))
	echo "$boot $number" >"/vm/$boot-$number"
	cat "/vm/$boot-$number" >/dev/null
}

# load BOOT: the same kernel, with this word on its command line; with as much room for the
# list as there can be. What takes little of its last page gets the rest of that, and half a
# page. The first time that a kernel is loaded, that is measured.
load() {
	line="$(sed 's/ boot=.*//' /proc/cmdline) boot=$1"
	kexec /boot/vmlinuz "$line"
	until [ $((($(bytes) + 24 + 2048) % 4096)) -lt 300 ]; do
		measure
	done
	kexec /boot/vmlinuz "$line"
}

# fill: to less than the unit wants left, right before it looks, when all else has stopped
fill() {
	room=$(imalog kexec-prepare --check --json)
	room=${room#*'"segment":'}
	until [ $(($(bytes) + 24)) -gt $((${room%%,*} - 800)) ]; do
		measure
	done
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
if [ "${1-}" = fill ]; then
	boot=$boot-end
	fill
	exit
fi
cat /proc/sys/kernel/random/boot_id >"$boot.boot-id"
case $boot in
first)
	systemctl enable imalog-kexec.service
	load second
	step first-check imalog kexec-prepare --check
	cp $IMA/binary_runtime_measurements first.list
	go_on
	;;
second)
	step second-replay imalog replay --sysfs --pcr 10 --json
	cp $IMA/binary_runtime_measurements second.list
	printf '%s\n' '[Unit]' DefaultDependencies=no \
		'After=shutdown.target umount.target final.target' \
		Before=imalog-kexec.service '[Service]' Type=oneshot \
		'ExecStart=/bin/sh /vm/scenario fill' '[Install]' \
		RequiredBy=systemd-kexec.service >/etc/systemd/system/fill.service
	systemctl enable fill.service
	load third
	step second-check imalog kexec-prepare --check
	go_on
	;;
esac
