#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount: the recipes of its manual, as they are there, on a machine of their own.

load helpers
load swtpm
load imafs
load export
load manual
load mount

setup() {
	need_mount
	make_machine
}

teardown() {
	stop_machine
}

# recipe FIRST: from the line that begins so to the end of its block
recipe() {
	sed -n "\\|^$1|,/^\\.Ed/p" "$MAN/imalog-mount.1" | sed -e '/^\.Ed/d' -e 's/\\e$/\\/'
}

# In a mount namespace whose mounts propagate, as systemd has them: there the stand-in is
# where the kernel's files are, and directories that no test may write to are others.
MACHINE='
set -eu
cd /
mount --make-private "$ROOT/sys/kernel/security"
for dir in /run /etc /var/lib; do mount -t tmpfs tmpfs $dir; done
echo "wait = 20s" >/etc/imalog.conf
mkdir /var/lib/imalog
mount --bind "$STORE" /var/lib/imalog
mount --bind "$ROOT/boot" /boot
mount --bind "$ROOT/sys/kernel/security" /sys/kernel/security
imalog() { "$IMALOG" "$@"; }
mount() {
	if [ "$1" = -t ] && [ "$2" = securityfs ]; then
		set -- --bind "$ROOT/sys/kernel/security" "$4"
	fi
	command mount "$@"
}
'

# on_machine: runs standard input there
on_machine() {
	{
		printf '%s' "$MACHINE"
		cat
	} >script
	run --separate-stderr env ROOT="$ROOT" STORE="$STORE" IMALOG="$IMALOG" HERE="$PWD" \
		IMAFS="$IMAFS" unshare -m --propagation shared bash script 3>&-
}

@test "mount: the manual's recipe for everything" {
	imafs_ctl bulk 20
	expect_code 0 export --tcti "$TPM2TOOLS_TCTI"
	imafs_ctl add /two
	{
		recipe 'mkdir -p /run/imalog/ima' | sed "s|device:/dev/tpmrm0|$TPM2TOOLS_TCTI|"
		recipe 'mount --bind /run/imalog/ima /sys'
		cat <<-'END'
		ima=/sys/kernel/security/integrity/ima
		cat $ima/binary_runtime_measurements >"$HERE/first"
		"$IMAFS" ctl "$ROOT/imafs.sock" add /three
		cat $ima/binary_runtime_measurements >"$HERE/second"
		ls $ima /run/imalog/real/sys/kernel/security/ima/policy
		END
		recipe 'mkdir -p /run/imalog/ima' | sed -n '/^imalog.* export/,$p' |
			sed "s|device:/dev/tpmrm0|$TPM2TOOLS_TCTI|"
		cat <<-'END'
		cat $ima/binary_runtime_measurements >"$HERE/third"
		umount $ima
		umount /run/imalog/ima
		END
	} | on_machine
	expect_status 0
	[ "$(wc -l <script)" -gt 30 ] || fail 'no recipe'
	imafs_ctl dump-all >ever
	expect_same ever second
	expect_same ever third
	[ "$(stat -c %s first)" -lt "$(stat -c %s second)" ] || fail 'nothing was added'
	# All was exported twice, so the kernel has none
	[ ! -s "$IMA/binary_runtime_measurements" ] || fail 'the second export did nothing'
}
