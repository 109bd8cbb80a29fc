#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: a machine that measures what root reads (ima_policy=tcb)
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

count() {
	cat $IMA/runtime_measurements_count
}

uname -r >release

# Violations: a file that somebody writes is read, one that somebody reads is written.
echo some >/vm/written
exec 3>>/vm/written
cat /vm/written >/dev/null
exec 3>&-
echo some >/vm/read
exec 3</vm/read
head -c 1 <&3 >/dev/null
echo more >>/vm/read
exec 3>&-
cat $IMA/violations >violations

step boot-aggregate imalog replay --boot-aggregate --sysfs

# measure COUNT: as many files that were not there
mkdir /vm/many
measure() {
	for n in $(seq "$1"); do
		echo "$i $n" >"/vm/many/$i-$n"
		cat "/vm/many/$i-$n" >/dev/null
	done
}

# Some files are measured while it looks, however slow this machine is,
count >busy-before
for i in sysfs-1 sysfs-2 sysfs-3 tcti-1 tcti-2 tcti-3; do
	measure 5 &
	case $i in
	sysfs-*) step busy-$i imalog replay --sysfs --pcr 10 --json ;;
	tcti-*) step busy-$i imalog replay --tcti device:/dev/tpmrm0 --pcr 10 --json ;;
	esac
	wait
done
count >busy-after

# and without an end.
i=flood
while :; do
	measure 1000
done &
for n in 1 2; do
	step flood-sysfs-$n imalog replay --sysfs --pcr 10
	step flood-tcti-$n imalog replay --tcti device:/dev/tpmrm0 --pcr 10
done
kill $!
wait || true
count >flood-after

# Nothing else runs: that imalog has looked must not be a reason to look again.
imalog replay --sysfs -q
count >idle-before
for i in 1 2 3 4 5 6 7 8 9 10; do
	imalog replay --sysfs -q
	imalog replay --tcti device:/dev/tpmrm0 -q
done
count >idle-after

# A quote of the values, and a list that is longer
cd /run
tpm2_createprimary -Q -C o -G ecc -c primary.ctx
tpm2_create -Q -C primary.ctx -G ecc256:ecdsa-sha256:null -u ak.pub -r ak.priv \
	-a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign'
tpm2_load -Q -C primary.ctx -u ak.pub -r ak.priv -c ak.ctx
tpm2_quote -Q -c ak.ctx -l sha1:10+sha256:10 -q c0ffee -m quote.msg -s quote.sig
cd /vm/out
mv /run/quote.msg /run/quote.sig /run/ak.pub .
count >quoted
echo later >/vm/later
cat /vm/later >/dev/null
for i in c0ffee c0ffed; do
	step quote-$i imalog quote-verify --quote quote.msg --signature quote.sig \
		--key ak.pub --nonce $i --json
done

step export imalog export
step stage imalog stage
step trim imalog trim 3
ls -A /var/lib/imalog >store 2>&1 || true

# All at rest: what is in the kernel, and what the TPM says
cp $IMA/binary_runtime_measurements list
cp $IMA/ascii_runtime_measurements list.ascii
for bank in sha1 sha256 sha384; do
	for pcr in 0 1 2 3 4 5 6 7 8 9 10; do
		echo "$bank:$pcr=$(cat $TPM/pcr-$bank/$pcr)"
	done
done >values
step replay imalog replay --sysfs --pcr 10 --json
step status imalog status --json
step padding-perbank imalog replay --sysfs --pcr 10 --padding perbank --json
step padding-sha1 imalog replay --sysfs --bank sha384 --pcr 10 --padding sha1
