# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Virtual machines with a TPM. Loaded first.
#
#	setup_file() { vm_start_file stock; vm_scenario machine; vm_run ima_policy=tcb; }
#	@test ...    { vm_step replay; expect_status 0; }
#
# /dev/vda of a guest is a disk with imalog on it, which is forgotten at the end; /dev/vdb
# brings the scenario, a shell script in this directory, and takes away what came of it.

IMALOG_SRC=${IMALOG_SRC:-${BATS_TEST_DIRNAME%/tests/vm}}
IMALOG_BUILD=${IMALOG_BUILD:-$IMALOG_SRC/build}
VM=$IMALOG_SRC/tests/vm

vm_need() {
	local tool
	for tool in qemu-system-x86_64 swtpm swtpm_setup busybox mkfs.ext4 cpio tpm2 \
		strace; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# vm_start_file stock|built [FUNCTION]: what the tests of a file share, in $BATS_FILE_TMPDIR;
# the function adds to what is on the disk, in root/
vm_start_file() {
	vm_need
	PYTHON=$(python3 -c 'import sys; print(sys.executable)')
	VM_KERNEL=$("$VM/kernel" --cached "$1") || skip "no kernel: run tests/vm/kernel $1"
	export PYTHON VM_KERNEL
	cd "$BATS_FILE_TMPDIR" || return
	vm_root_disk "${2-true}"
	[ ! -d "$VM_KERNEL/modules" ] || vm_initramfs
}

# vm_libraries FILE: copies what it needs to where that is here
vm_libraries() {
	local library
	for library in $(ldd "$1" | grep -o '/[^ ]*'); do
		[ ! -e "root$library" ] || continue
		mkdir -p "root/${library%/*}"
		cp -L "$library" "root$library"
	done
}

# vm_install FILE DIR: copies it, and its libraries
vm_install() {
	mkdir -p "root/$2"
	cp -L "$1" "root/$2/"
	vm_libraries "$1"
}

# vm_busybox DIR
vm_busybox() {
	local applet
	mkdir -p "$1/bin"
	cp -L "$(command -v busybox)" "$1/bin/busybox"
	for applet in $(busybox --list); do
		[ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"
	done
}

# What libtool has linked for the build directory is another program, so install it.
vm_imalog() {
	flock "$IMALOG_BUILD" make -s -C "$IMALOG_BUILD" install DESTDIR="$PWD/installed" \
		bindir=/usr/bin libdir=/usr/lib libexecdir=/usr/libexec \
		systemdsystemunitdir=/usr/lib/systemd/system >install.log 2>&1 ||
		fail 'make install fails'
	cp installed/usr/bin/imalog root/usr/bin/
	cp -P installed/usr/lib/*.so* root/usr/lib/ 2>/dev/null || true
	cp -r installed/usr/libexec root/usr/
	mkdir -p root/usr/lib/systemd
	cp -r installed/usr/lib/systemd/system root/usr/lib/systemd/
	rm -r installed
	vm_libraries root/usr/bin/imalog
	[ ! -e root/usr/lib/libimalog.so.0 ] || vm_libraries root/usr/lib/libimalog.so.0
}

vm_root_disk() {
	local file
	mkdir -p root/dev root/proc root/sys root/run root/tmp root/sbin root/usr/bin root/usr/lib
	vm_busybox root
	vm_imalog
	for file in "$(command -v tpm2)" "$(command -v strace)" "$(command -v keyctl)" \
		"$(command -v evmctl)" \
		"$IMALOG_BUILD"/tests/{imafs/imafs,kexec}; do
		[ ! -x "$file" ] || vm_install "$file" usr/bin
	done
	for file in createprimary create load readpublic quote; do
		ln -s tpm2 "root/usr/bin/tpm2_$file"
	done
	# Which libraries load only as they run; glibc ends threads by that of gcc
	for file in libtss2-tcti-device.so.0 libgcc_s.so.1; do
		file=$(ldconfig -p | awk -v name="$file" '$1 == name { print $NF; exit }')
		[ -z "$file" ] || vm_install "$file" "${file%/*}"
	done
	cp "$VM/init" root/sbin/init
	mkdir root/boot
	cp "$VM_KERNEL/vmlinuz" "$VM_KERNEL/config" root/boot/
	chmod 755 root/sbin/init
	"$1"
	mkfs.ext4 -q -d root root.img 256M
	rm -r root
}

vm_initramfs() {
	mkdir -p initramfs/dev initramfs/root
	vm_busybox initramfs
	cp -r "$VM_KERNEL/modules" initramfs/
	cp "$VM/initramfs" initramfs/init
	chmod 755 initramfs/init
	(cd initramfs && find . | cpio -o -H newc 2>/dev/null) | gzip -1 >initramfs.gz
	rm -r initramfs
}

# ---- running

# A TPM for one machine, which ends with it
vm_tpm() {
	local banks=${1-sha1,sha256,sha384}
	mkdir tpm
	swtpm_setup --tpm2 --tpmstate tpm --pcr-banks "$banks" >tpm.log 2>&1 ||
		fail "swtpm_setup: $(tail -n 3 tpm.log)"
	vm_tpm_start
}

# The same TPM, after a reset
vm_tpm_start() {
	swtpm socket --tpm2 --tpmstate dir="$PWD/tpm" --daemon --terminate \
		--ctrl type=unixio,path="$PWD/tpm.ctrl" >>tpm.log 2>&1 3>&- ||
		fail "swtpm: $(tail -n 3 tpm.log)"
}

# vm_scenario NAME [FILE...]: what the guest is to do, and other files for it, in /vm
vm_scenario() {
	rm -rf scenario
	mkdir scenario
	cp "$VM/$1.sh" scenario/scenario
	cp "$VM/steps.sh" scenario/
	shift
	[ $# -eq 0 ] || cp "$@" scenario/
	tar -cf exchange.img -C scenario .
	truncate -s 64M exchange.img
}

# vm_qemu APPEND [OPTION...]: a machine with these words on the kernel's command line, with
# its console in the file of that name, for VM_LIMIT seconds at most, else five minutes.
# Without KVM: where that can be opened it does not always run a guest.
vm_qemu() {
	local append=$1 shared=$BATS_FILE_TMPDIR initrd=()
	shift
	[ ! -e "$shared/initramfs.gz" ] || initrd=(-initrd "$shared/initramfs.gz")
	[ ! -S tpm.ctrl ] || set -- -chardev socket,id=tpm,path=tpm.ctrl \
		-tpmdev emulator,id=tpm,chardev=tpm -device tpm-crb,tpmdev=tpm "$@"
	# The test of the timer fails on a host that has much else to do.
	append="console=ttyS0 no_timer_check root=/dev/vda rw init=/sbin/init panic=-1 $append"
	exec timeout -k 5 "${VM_LIMIT-300}" qemu-system-x86_64 -accel tcg -cpu max -m 512 \
		-nodefaults -display none -no-reboot -serial file:console \
		-kernel "$VM_KERNEL/vmlinuz" "${initrd[@]}" \
		-append "$append" \
		-drive "file=$shared/root.img,format=raw,if=virtio,snapshot=on" \
		-drive file=exchange.img,format=raw,if=virtio \
		-device virtio-rng-pci -pidfile qemu.pid "$@" >qemu.log 2>&1 3>&-
}

# vm_disk FILE SIZE: an empty disk
vm_disk() {
	mkfs.ext4 -q "$1" "$2"
}

# vm_take_out: what the guest has left, to out/
vm_take_out() {
	rm -rf out
	mkdir out
	tar -xf exchange.img -C out
}

# vm_run APPEND [OPTION...]: runs the scenario to its end; what came of it is in out/
vm_run() {
	local status=0
	(vm_qemu "$@") || status=$?
	vm_take_out
	[ -s out/done ] || fail "the guest did not finish ($status): $(tail -n 20 console qemu.log)"
	[ "$(cat out/done)" = 0 ] || fail "the scenario fails: $(tail -n 20 out/said)"
}

# vm_cut APPEND [OPTION...]: runs the scenario until it says that the power is to be cut.
# What the machine has only in memory is gone then; what it gave to its disks is not.
vm_cut() {
	local pid
	(vm_qemu "$@") &
	pid=$!
	until grep -qs 'cut the power' console; do
		kill -0 $pid 2>/dev/null || fail "the guest has ended: $(tail -n 20 console qemu.log)"
		sleep 0.1
	done
	kill -KILL "$(cat qemu.pid)"
	wait $pid 2>/dev/null || true
	vm_take_out
}

# ---- looking

# vm_step NAME: $status, $output and $stderr of a step in the guest
vm_step() {
	local out=$BATS_FILE_TMPDIR/out/$1
	status=$(cat "$out.status") || fail "the guest did not get to '$1'"
	output=$(cat "$out.out")
	stderr=$(cat "$out.err")
}
