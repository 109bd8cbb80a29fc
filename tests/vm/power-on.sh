#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: disks after power cuts, each of them on a machine that boots and exports.
# What is in the store before that and afterwards goes to files: N.found and N.kept.
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# log: that of the epoch that was cut, and behind it what was not saved to the end (pending
# and partial segments)
log() {
	for file in /data/imalog/epoch-000001/log.* /data/imalog/epoch-000001/p*; do
		[ ! -f "$file" ] || cat "$file"
	done
}

i=0
mkdir /data
for disk in /dev/vd[c-z]; do
	[ -b "$disk" ] || continue
	i=$((i + 1))
	mount -t ext4 "$disk" /data
	log >$i.found
	mkdir /run/machine
	imafs --proc /run/machine
	imafs ctl /run/machine/imafs.sock violation /x 2
	step $i.export imalog export --root /run/machine --store /data/imalog --sysfs
	step $i.list imalog store list --store /data/imalog --json
	step $i.check-old imalog store check --store /data/imalog 1
	step $i.check imalog store check --root /run/machine --store /data/imalog --sysfs
	log >$i.kept
	kill "$(cat /run/machine/imafs.pid)"
	while [ -e /run/machine/imafs.pid ]; do
		sleep 0.1
	done
	umount /data
	rm -r /run/machine
done
