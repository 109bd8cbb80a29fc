#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: disks after power cuts, each of them on a machine that boots and exports.
# What is in the epoch that was cut before that and afterwards goes to files: N.found and
# N.kept all of it, N.log what is the log.
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# segments KIND...: segments of this kind, such as "log" or "pending", in this order
segments() {
	for kind; do
		for file in "/data/imalog/epoch-000001/$kind".*; do
			[ ! -f "$file" ] || cat "$file"
		done
	done
}

i=0
mkdir /data
for disk in /dev/vd[c-z]; do
	[ -b "$disk" ] || continue
	i=$((i + 1))
	mount -t ext4 "$disk" /data
	segments log pending partial >$i.found
	mkdir /run/machine
	imafs --proc /run/machine
	imafs ctl /run/machine/imafs.sock violation /x 2
	step $i.export imalog export --root /run/machine --store /data/imalog --sysfs
	step $i.list imalog store list --store /data/imalog --json
	step $i.check-old imalog store check --store /data/imalog 1
	step $i.replay imalog replay --root /run/machine --store /data/imalog --sysfs
	step $i.status imalog status --root /run/machine --store /data/imalog --sysfs
	step $i.check imalog store check --root /run/machine --store /data/imalog --sysfs
	segments log pending >$i.log
	segments log pending partial >$i.kept
	kill "$(cat /run/machine/imafs.pid)"
	while [ -e /run/machine/imafs.pid ]; do
		sleep 0.1
	done
	umount /data
	rm -r /run/machine
done
