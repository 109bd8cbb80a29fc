#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: a command of imalog that takes two records into a store on /dev/vdc, which the
# file "command" names, is stopped at one point, which the file "point" names, and the power
# is cut: whoever runs this machine kills it when it says so. Its list is that of the
# kernel's stand-in, which can stage.
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

ctl() {
	imafs ctl /run/machine/imafs.sock "$@"
}

# take COMMAND [WRAPPER...]
take() {
	command=$1
	shift
	# shellcheck disable=SC2086 # a list of words
	"$@" imalog $command --root /run/machine --store /data/imalog --sysfs -q
}

# What is not written on purpose stays in memory.
echo 0 >/proc/sys/vm/dirty_writeback_centisecs
mkdir /data /run/machine /run/state
mount -t ext4 -o commit=10000 /dev/vdc /data

# Violations repeat: what is saved last looks like what was saved before.
imafs --proc /run/machine
for i in 1 2; do
	ctl bulk 20 "/$i/"
	ctl violation /x 2
	take export
done
ctl violation /x 2
last=$(cat /vm/command)

# Before a system call, or a request to the stand-in, or when the request was carried out
read -r call number </vm/point
case $number in
before)
	ctl at before "$call" kill
	take "$last" || true
	;;
after)
	ctl at after "$call" stall
	take "$last" &
	until ctl stalled | grep -q .; do
		sleep 0.1
	done
	;;
*)
	if take "$last" strace -o /run/trace \
		-e "inject=$call:signal=SIGKILL:when=$number"; then
		echo >/run/state/ended
	fi
	;;
esac

# Nothing of this goes to that disk.
ctl stats >/run/state/stats
ctl dump-all >/run/state/ever
tar -cf /run/state.tar -C /run/state .
dd if=/run/state.tar of=/dev/vdb conv=fsync 2>/dev/null
echo 'cut the power' >/dev/console
sleep 1000
