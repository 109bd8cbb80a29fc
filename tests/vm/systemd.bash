# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests whose first program is systemd, with imalog's units as they are installed, and the
# scenario as a service. Loaded after vm.bash.
#
#	setup_file() { vm_start_file stock vm_systemd; ... }

# Of systemd's own units, those that a boot and its end need
VM_UNITS='basic.target emergency.service emergency.target final.target graphical.target
	kexec.target local-fs.target local-fs-pre.target multi-user.target paths.target
	poweroff.target reboot.target shutdown.target slices.target sockets.target
	swap.target sysinit.target systemd-journald-dev-log.socket systemd-journald.service
	systemd-journald.socket systemd-kexec.service systemd-poweroff.service
	systemd-reboot.service timers.target umount.target'

vm_systemd() {
	local unit file dir=/usr/lib/systemd
	[ -x $dir/systemd ] || skip 'systemd is not installed'
	for file in systemd systemd-executor systemd-journald systemd-shutdown; do
		[ ! -x $dir/$file ] || vm_install $dir/$file usr/lib/systemd
	done
	# Some of its paths are below /lib.
	mkdir -p root/lib
	[ -e root/lib/systemd ] || ln -s ../usr/lib/systemd root/lib/systemd
	vm_install "$(command -v systemctl)" usr/bin
	mkdir -p root/usr/lib/systemd/system root/etc/systemd/system root/var/lib
	for unit in $VM_UNITS; do
		cp $dir/system/"$unit" root/usr/lib/systemd/system/
	done
	# Units name the program where it is by default.
	mkdir -p root/usr/local/bin
	ln -s ../../bin/imalog root/usr/local/bin/imalog
	cp "$VM/scenario.service" root/usr/lib/systemd/system/
	echo 0123456789abcdef0123456789abcdef >root/etc/machine-id
	printf 'root:x:0:0::/:/bin/sh\n' >root/etc/passwd
	printf 'root:x:0:\n' >root/etc/group
	ln -s multi-user.target root/usr/lib/systemd/system/default.target
	mkdir root/usr/lib/systemd/system/multi-user.target.wants
	ln -s ../scenario.service root/usr/lib/systemd/system/multi-user.target.wants/
	mv root/sbin/init root/sbin/scenario
	ln -s ../usr/lib/systemd/systemd root/sbin/init
	[ ! -e root/usr/bin/kexec ] || ln -s ../usr/bin/kexec root/sbin/kexec
}
