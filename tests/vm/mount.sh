#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: imalog mount, and what imalog-mount(1) says of it, on a kernel that measures
# what root reads (ima_policy=tcb), and then on the stand-in for one that can stage
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

view=/run/imalog/ima

count() {
	cat $IMA/runtime_measurements_count
}

# measure COUNT WORD: as many files that were not there
measure() {
	for i in $(seq "$1"); do
		echo "$2 $i" >"/vm/$2-$i"
		cat "/vm/$2-$i" >/dev/null
	done
}

# opens: how many records come of ten times that a file is opened
opens() {
	cat $view/ascii_runtime_measurements >/dev/null
	before=$(count)
	for i in 1 2 3 4 5 6 7 8 9 10; do
		cat $view/ascii_runtime_measurements >/dev/null
	done
	echo $(($(count) - before))
}

# compare NAME KERNEL: each file of the view with the kernel's, which is in that directory
compare() {
	for file in "$view"/*; do
		file=${file##*/}
		of=$2/integrity/ima/$file
		[ -e "$of" ] || of=$2/tpm0/$file
		if cmp "$view/$file" "$of"; then
			echo "same $file"
		else
			echo "other $file"
		fi
	done >"$1.compared"
}

mounted() {
	grep -c ' fuse.imalog ' /proc/mounts || true
}

# ended: imalog, which serves files in the background, has done so
ended() {
	while pidof imalog >/dev/null; do
		sleep 0.1
	done
}

# A violation, for the lists, and a firmware log
echo some >/vm/written
exec 3>>/vm/written
cat /vm/written >/dev/null
exec 3>&-

# ---- being measured

mkdir -p $view
imalog mount $view
opens >measured
step subtype imalog policy-load /vm/subtype
step policy imalog policy-load /vm/policy
opens >excepted

# ---- what is shown

for name in kernel.names:$IMA view.names:$view tpm.names:/sys/kernel/security/tpm0; do
	(cd "${name#*:}" && printf '%s\n' *) | sort >"${name%%:*}"
done
cmp /dev/null /dev/null
compare first /sys/kernel/security
exec 3<$view/ascii_runtime_measurements
cat <&3 >kept
wc -l <kept >kept.before
measure 20 while-kept
cat <&3 >>kept
cat $IMA/ascii_runtime_measurements >kept.kernel
compare later /sys/kernel/security
step replay imalog replay --sysfs --pcr 10 $view/binary_runtime_measurements
step replay-ascii imalog replay --sysfs --pcr 10 $view/ascii_runtime_measurements
for bank in sha1 sha256; do
	for pcr in 0 1 2 3 4 5 6 7 8 9 10; do
		printf 'PCR-%02d: %s\n' $pcr "$(cat $TPM/pcr-$bank/$pcr)"
	done >/run/pcrs-$bank
done
sed 's/^PCR-10: ..../PCR-10: 0000/' /run/pcrs-sha256 >/run/pcrs-wrong
pcrs='--pcrs sha1,/run/pcrs-sha1 --pcrs sha256,/run/pcrs'
step evmctl sh -c "$(cat /vm/evmctl) $pcrs-sha256"
step evmctl-wrong sh -c "$(cat /vm/evmctl) $pcrs-wrong"

# ---- the end, while somebody has a file open

mounted >mounts.before
kill "$(pidof imalog)"
ended
mounted >mounts
ls -A $view >left.names
exec 3<&-

# ---- in the place of the kernel's files

real=/run/imalog/real
mkdir -p /etc
cp /vm/imalog.conf /etc/
sed '/ export /,$d' /vm/recipe >/run/recipe
sed -n '/ export /,$p' /vm/recipe >/run/export
step recipe sh -e /run/recipe
sh -e /vm/bind
compare bound $real/sys/kernel/security
measure 5 bound
step bound-export sh /run/export
step bound-status imalog --root $real status --sysfs --json
step bound-policy imalog policy-load /vm/policy
# Who needs nothing of the view does not notice when it is gone
kill -KILL "$(pidof imalog)"
ended
step dead-view cat $IMA/binary_runtime_measurements
step dead-status imalog --root $real status --sysfs
step dead-replay imalog --root $real replay --sysfs --pcr 10
umount -l /sys/kernel/security/integrity/ima
umount -l $view

# ---- a kernel that can stage

machine=/run/machine
store=/vm/store
ctl() {
	imafs ctl $machine/imafs.sock "$@"
}

# shows NAME: everything, as if nothing had ever left that kernel
shows() {
	for how in sha1: sha256: sha1:ascii sha256:ascii; do
		alg=${how%:*} kind=${how#*:}
		ctl dump-all "$alg" ${kind:+"$kind"} >/run/ever
		staging "$1-shows-$alg$kind" cmp /run/ever \
			"$view/${kind:-binary}_runtime_measurements_$alg"
	done
	cat <&3 >>staging.kept
}

# staging NAME COMMAND...: a step
staging() {
	echo "$1" >>staging.steps
	step "$@"
}

mkdir $machine
imafs --proc $machine
ctl bulk 20
staging export imalog --root $machine export --store $store --sysfs
staging mount imalog --root $machine mount --store $store --sysfs $view
exec 3<$view/binary_runtime_measurements
shows exported
ctl violation /x 2
staging stage imalog --root $machine stage
ctl bulk 20 /second/
shows staged
staging export-2 imalog --root $machine export --store $store --sysfs
ctl bulk 10 /third/
staging trim imalog --root $machine trim --store $store --sysfs 4
shows trimmed
staging replay-staging imalog --root $machine replay --sysfs --pcr 10 \
	$view/binary_runtime_measurements
read -r shown <$view/runtime_measurements_count
echo "$shown" >staging.count
ctl dump-all >staging.ever
exec 3<&-
umount $view
