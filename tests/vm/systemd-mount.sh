#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario under systemd: imalog-mount.service, with all that it is denied
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

system=/run/systemd/system
service=imalog-mount.service
view=/run/imalog/ima

# told NAME UNIT: in which state it is
told() {
	for key in ActiveState Result ExecMainStatus NRestarts; do
		echo "$key=$(systemctl show -P $key "$2")"
	done >"$1.told"
}

# restarted UNIT ID: until it runs, and was started again since it had this id
restarted() {
	i=0
	until [ "$(systemctl show -P ActiveState "$1")" = active ] &&
		[ "$(systemctl show -P InvocationID "$1")" != "$2" ]; do
		i=$((i + 1))
		[ $i -lt 600 ] || break
		sleep 0.1
	done
}

# agent NAME: what the agent sees, which has opened its file once, and what the kernel has
agent() {
	i=0
	until pid=$(systemctl show -P MainPID agent.service) &&
		[ "$(cat /run/agent.ready)" = "$pid" ]; do
		i=$((i + 1))
		[ $i -lt 600 ] || return 0
		sleep 0.1
	done
	kill -USR1 "$pid"
	i=0
	until [ -e /run/agent.done ]; do
		i=$((i + 1))
		[ $i -lt 600 ] || return 0
		sleep 0.1
	done
	rm /run/agent.done
	mv /run/agent.seen "$1.seen"
	cp $IMA/ascii_runtime_measurements "$1.kernel"
}

measure() {
	for i in $(seq 5); do
		echo "$1 $i" >"/vm/$1-$i"
		cat "/vm/$1-$i" >/dev/null
	done
}

step policy imalog policy-load /vm/policy

# An agent whose paths cannot be chosen: the lines of the manual, and a program that opens the
# kernel's file when it starts, and reads on when it is told to
cat >/run/agent <<-'END'
	exec 3</sys/kernel/security/integrity/ima/ascii_runtime_measurements
	trap 'cat <&3 >>/run/agent.read; cp /run/agent.read /run/agent.seen; : >/run/agent.done' USR1
	rm -f /run/agent.read
	echo $$ >/run/agent.ready
	while :; do
		sleep 1 &
		wait $!
	done
END
{
	cat /vm/agent
	echo 'ExecStart=/bin/sh /run/agent'
} >$system/agent.service
cat >/run/other <<-'END'
	grep -c ' fuse.imalog ' /proc/mounts
	cat /run/imalog/ima/runtime_measurements_count
END
cat >$system/other.service <<-'END'
	[Service]
	Type=oneshot
	PrivateTmp=yes
	ProtectSystem=strict
	ProtectKernelTunables=yes
	ExecStart=/bin/sh /run/other
	StandardOutput=file:/vm/out/other.seen
END
systemctl daemon-reload

# ---- it starts, and the files are there for all

measure first
step start systemctl start $service
told started $service
grep -c ' fuse.imalog ' /proc/mounts >mounts.started || true
cmp /dev/null /dev/null
for file in "$view"/*_runtime_measurements "$view"/violations; do
	cmp "$file" "$IMA/${file##*/}" && echo "same ${file##*/}"
done >compared || true
cmp $view/binary_bios_measurements /sys/kernel/security/tpm0/binary_bios_measurements &&
	echo 'same binary_bios_measurements' >>compared
step replay imalog replay --sysfs --pcr 10 $view/binary_runtime_measurements
step start-other systemctl start other.service
step start-agent systemctl start agent.service
measure second
agent agent-first

# ---- it is killed

before=$(systemctl show -P InvocationID $service)
agent_before=$(systemctl show -P InvocationID agent.service)
exec 4<$view/ascii_runtime_measurements
systemctl kill -s KILL $service
restarted $service "$before"
exec 4<&-
told killed $service
restarted agent.service "$agent_before"
told agent agent.service
measure third
cat $view/ascii_runtime_measurements >killed.seen
cat $IMA/ascii_runtime_measurements >killed.kernel
agent agent-second

# ---- it is killed, and started again before systemd does so

kill -KILL "$(systemctl show -P MainPID $service)"
step restart systemctl restart $service
told restarted $service
cat $view/ascii_runtime_measurements >restarted.seen
cat $IMA/ascii_runtime_measurements >restarted.kernel
grep -c ' fuse.imalog ' /proc/mounts >mounts.restarted || true

# ---- it is stopped, while somebody has a file open

systemctl stop agent.service
exec 4<$view/ascii_runtime_measurements
step stop systemctl stop $service
exec 4<&-
told stopped $service
grep -c ' fuse.imalog ' /proc/mounts >mounts.stopped || true
ls -A /run/imalog >left 2>&1 || true

# ---- with a kernel that can stage, in the place of this one's, and imalog-export.service

mkdir /run/machine
imafs --proc /run/machine
ctl() {
	imafs ctl /run/machine/imafs.sock "$@"
}
ctl bulk 20
mount --bind /run/machine/sys/kernel/security /sys/kernel/security
step start-staging systemctl start $service
exec 4<$view/binary_runtime_measurements
cat <&4 >staging.kept
# What that kernel has measured is not in the TPM of this machine.
systemctl start imalog-export.service || true
ctl bulk 20 /second/
cat <&4 >>staging.kept
cat $view/binary_runtime_measurements >staging.seen
ctl dump-all >staging.ever
ctl stats >staging.stats
exec 4<&-
told staging $service
systemctl stop $service
umount /sys/kernel/security
