#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The examples of imalog-kexec-prepare.1, as in manual.bats.

load helpers
load imafs
load manual

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir bin
	ln -s "$IMALOG" bin/imalog
	PATH=$PWD/bin:$PATH
}

teardown() {
	imafs_stop
}

@test "manual: imalog-kexec-prepare.1" {
	case $(stat -f -c %T .) in
	tmpfs | ramfs | overlayfs | fuse*) skip 'nothing lasts here: set TMPDIR' ;;
	esac
	imafs_start root
	echo CONFIG_IMA_KEXEC=y | tee -a root/boot/config-* >/dev/null
	mkdir -p root/var/lib
	echo 'tpm = sysfs' | install -D /dev/stdin root/etc/imalog.conf
	# The stand-in's buffers are not those of this machine.
	mkdir -p root/sys/kernel
	echo 0 >root/sys/kernel/kexec_loaded
	kexec() { echo "kexec $*" >>ran; }
	export -f kexec
	example imalog-kexec-prepare.1 '# imalog kexec-prepare --no-export'
	expect_status 0
	expect_stdout '^A kexec carries the list over'
	example imalog-kexec-prepare.1 '# imalog kexec-prepare'
	expect_status 0
	example imalog-kexec-prepare.1 '# kexec -s -l /boot/vmlinuz --initrd=/boot/initrd.img --reuse-cmdline'
	example imalog-kexec-prepare.1 '# imalog kexec-prepare --check --reserve 1K && kexec -e'
	expect_status 4
	expect_stderr 'no kernel is loaded'
	[ "$(wc -l <ran)" -eq 1 ] || fail 'it was started all the same'
}
