#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario under systemd: the units of export, with all that they are denied
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

system=/run/systemd/system

# dropin UNIT NAME LINE...: adds to a unit
dropin() {
	unit=$1 name=$2
	shift 2
	mkdir -p $system/"$unit".d
	printf '%s\n' "$@" >$system/"$unit".d/"$name".conf
	systemctl daemon-reload
}

# undo UNIT NAME
undo() {
	rm $system/"$1".d/"$2".conf
	systemctl daemon-reload
}

# told NAME UNIT: how it ended, and what it said
told() {
	for key in ActiveState Result ExecMainStatus ConditionResult; do
		echo "$key=$(systemctl show -P $key "$2")"
	done >"$1.told"
}

service=imalog-export.service

# This kernel cannot give records away.
step cannot-start systemctl start $service
told cannot-start $service

# What is denied does not keep the kernel's list and the TPM from it. Its programs are those
# of the unit, so that each has its output in a file.
ran() {
	ran=$1
	shift
	dropin $service ran '[Unit]' ConditionPathExists= '[Service]' ExecStart= \
		"ExecStart=/usr/local/bin/imalog $*" \
		"StandardOutput=file:/vm/out/$ran.out" "StandardError=file:/vm/out/$ran.err"
	systemctl reset-failed $service || true
	systemctl start $service || true
	systemctl show -P ExecMainStatus $service >"$ran.status"
	undo $service ran
}
ran status status --json
ran replay replay --tcti device:/dev/tpmrm0 --json
ran cannot export
dropin $service devices '[Service]' DeviceAllow= PrivateDevices=yes
ran no-tpm replay --tcti device:/dev/tpmrm0 --json
undo $service devices

# A kernel that can stage is in the place of this one's. Its records are not in the TPM.
mkdir /run/machine
imafs --proc /run/machine
ctl() {
	imafs ctl /run/machine/imafs.sock "$@"
}
ctl bulk 20 /first/
mount --bind /run/machine/sys/kernel/security /sys/kernel/security
ctl dump-all >ever
dropin $service said '[Service]' StandardError=file:/vm/out/said-by-export
step exported systemctl start $service
told exported $service
undo $service said
cat /var/lib/imalog/current/log.* >saved
stat -c '%a' /var/lib/imalog >mode

# The timer starts it.
ctl bulk 1200 /second/
dropin imalog-export.timer soon '[Timer]' OnBootSec= OnUnitInactiveSec= OnActiveSec=1s \
	RandomizedDelaySec=0 AccuracySec=10ms
before=$(systemctl show -P InvocationID $service)
systemctl start imalog-export.timer
i=0
while [ "$(systemctl show -P InvocationID $service)" = "$before" ] ||
	[ "$(systemctl show -P ActiveState $service)" = activating ]; do
	i=$((i + 1))
	[ $i -lt 600 ] || break
	sleep 0.1
done
told timer $service
cat /var/lib/imalog/current/log.* >saved-again
ctl dump-all >ever-again
umount /sys/kernel/security
