#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: two kexecs (ima_policy=tcb) with a list that fills what is set aside for it, to the
# last byte the first time, and with one more the second time.
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# said KEY: a number in what the check said, which is in no file: that would be measured
said() {
	value=${said#*"\"$1\":"}
	echo "${value%%,*}"
}

# measure_bytes COUNT: one file of a name that makes a record of so many bytes: PCR, digest, name of
# the template, and in it a digest and the path, each with its length
measure_bytes() {
	letters=$(($1 - 4 - 20 - 4 - 6 - 4 - 4 - 40 - 4 - 1 - 4))
	name=$(printf "%0${letters}d" "$number")
	number=$((number + 1))
	echo "$boot $number" >"/vm/$name"
	cat "/vm/$name" >/dev/null
}

# fill BYTES: so many, in records that can be
fill() {
	left=$1
	while [ "$left" -gt 400 ]; do
		measure_bytes 200
		left=$((left - 200))
	done
	measure_bytes $((left / 2))
	measure_bytes $((left - left / 2))
}

# go_on BOOT MORE: loads the kernel, fills what is set aside for the list, and MORE, and starts it
go_on() {
	mkdir -p /var/lib
	step "$boot-prepare" imalog kexec-prepare --sysfs --json
	kexec /boot/vmlinuz "$(sed 's/ boot=.*//' /proc/cmdline) boot=$1"
	# All programs of this have run once, and are measured.
	number=1
	measure_bytes 200
	sync
	imalog kexec-prepare --check -q
	said=$(imalog kexec-prepare --check --json)
	fill $(($(said segment) - $(said needed) + $2))
	step "$boot-check" imalog kexec-prepare --check --json
	cp $IMA/binary_runtime_measurements "$boot.last"
	sync
	kexec -e
}

boot=$(sed -n 's/.* boot=//p' /proc/cmdline)
boot=${boot:-first}
cp $IMA/binary_runtime_measurements "$boot.list"
step "$boot-replay" imalog replay --sysfs --pcr 10 --json
case $boot in
first) go_on second 0 ;;
second) go_on third 1 ;;
esac
