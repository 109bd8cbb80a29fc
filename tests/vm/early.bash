# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests with an initramfs by Debian's initramfs-tools, with imalog's hook and scripts, and
# imalog built as small as it can be. Loaded after vm.bash.
#
#	setup_file() { vm_start_file built; vm_early_initramfs; ... }
#
# What the file "early" of a scenario says is done there, before imalog's own script.

# What configure leaves out of it; see imalog-boot(7)
VM_SMALL='--without-tpm2-tss --without-libcbor --without-keyutils --without-fuse
	--disable-shared'

vm_small_imalog() {
	local build=$PWD/small
	mkdir "$build"
	# shellcheck disable=SC2086 # a list of words
	(cd "$build" && "$IMALOG_SRC/configure" -q --prefix="$PWD" $VM_SMALL CFLAGS=-Os &&
		make -s src/imalog && make -s install-small install-dist_pkglibexecSCRIPTS) \
		>small.log 2>&1 3>&- || fail "no small imalog: $(tail small.log)"
}

# The directory that mkinitramfs takes for /etc/initramfs-tools
vm_early_config() {
	mkdir -p initramfs-tools/{conf.d,hooks,scripts/init-bottom}
	printf '%s\n' MODULES=list BUSYBOX=y COMPRESS=gzip >initramfs-tools/initramfs.conf
	: >initramfs-tools/modules
	echo IMALOG=kexec >initramfs-tools/conf.d/imalog
	make -s -C small dist/initramfs-tools/hooks/imalog
	install small/dist/initramfs-tools/hooks/imalog initramfs-tools/hooks/
	install "$IMALOG_SRC/dist/initramfs-tools/scripts/init-bottom/imalog" \
		initramfs-tools/scripts/init-bottom/
	install "$VM/early-hook" initramfs-tools/hooks/early
	install "$VM/early-script" initramfs-tools/scripts/init-bottom/early
}

# mkinitramfs looks for the configuration of the kernel in /boot.
vm_early_initramfs() {
	command -v mkinitramfs >/dev/null || skip 'initramfs-tools-core is not installed'
	[ "$(id -u)" = 0 ] || skip 'mkinitramfs needs root here'
	vm_small_imalog
	vm_early_config
	export VM_IMAFS=$IMALOG_BUILD/tests/imafs/imafs
	# shellcheck disable=SC2016 # of that shell
	unshare -m sh -c 'mount -t tmpfs none /boot && cp "$1" /boot/config-early &&
		exec mkinitramfs -d "$2" -o "$3" early' sh "$VM_KERNEL/config" \
		"$PWD/initramfs-tools" "$PWD/initramfs.gz" >mkinitramfs.log 2>&1 3>&- ||
		fail "mkinitramfs: $(tail mkinitramfs.log)"
}
