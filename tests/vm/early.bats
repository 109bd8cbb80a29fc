#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog in an initramfs, as Debian's initramfs-tools makes it: exports, and a kexec.

load vm
load early
load ../cmd/helpers

setup_file() {
	vm_start_file built vm_early
	vm_early_initramfs
	vm_tpm
	vm_scenario early "$VM/early"
	vm_run ima_policy=tcb
}

# What the systems after a kexec have of it
vm_early() {
	rm root/usr/bin/kexec
	vm_install "$(command -v kexec)" usr/bin
	install "$IMALOG_SRC/dist/initramfs/imalog-initramfs" root/usr/bin/
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

# expect_left STEP COUNT: so many records are still in the kernel
expect_left() {
	[ "$(<"$1.left")" -eq "$2" ] || fail "$1: $(<"$1.left") records are left"
}

@test "initramfs: imalog is the small one" {
	[ ! -s early.said ] || fail "$(<early.said)"
	grep -qx 'left out: .*libcbor.*tpm2-tss.*' version || fail "$(<version)"
	echo "# imalog alone: $(stat -c %s ../small/libexec/imalog/imalog) bytes" >&3
}

@test "initramfs: without a store nothing is deleted, and none is made" {
	vm_step no-store
	expect_status 4
	expect_stderr '^imalog: no store .*: nothing is exported, and nothing deleted$'
	expect_left no-store 21
}

@test "initramfs: what there is goes into the store of the root file system" {
	vm_step stored
	expect_left stored 0
	expect_stdout '^epoch 1, segment 2: 20 records from 22'
}

@test "initramfs: a store in memory gets nothing" {
	vm_step tmpfs
	expect_status 4
	expect_stderr 'tmpfs, which a power cut or a kexec erases'
	expect_left tmpfs 20
}

@test "initramfs: nor does one that cannot be written to" {
	vm_step read-only
	expect_status 4
	expect_stderr '[Rr]ead-only' '^imalog: the export ended with status 4'
	expect_left read-only 20
}

@test "initramfs: a kernel that does not answer is waited for in vain, but not long" {
	vm_step stalled
	expect_stderr 'took more than 2 seconds and was given up$'
	[ "$status" -ne 0 ] || fail 'all was well'
	[ "$(<stalled.seconds)" -le 15 ] || fail "it took $(<stalled.seconds) seconds"
}

@test "initramfs: the next export has all of it" {
	vm_step again
	expect_left again 0
	expect_same ever saved
}

@test "initramfs: a kernel that keeps its list is left alone, and the boot goes on" {
	vm_step kept
	expect_status 0
	expect_stderr '^imalog: this kernel keeps its measurement list'
}

@test "initramfs: a kernel that is not there is not started" {
	vm_step prepared
	expect_status 0
	vm_step no-kernel
	expect_status 4
	expect_stderr "'/no/such/kernel' cannot be loaded"
}

@test "initramfs: the list goes along with a kexec, and into the store before" {
	local size
	[ ! -e first-kexec.status ] || fail "no kexec: $(<first-kexec.err)"
	! cmp -s first.boot-id second.boot-id || fail 'there was no kexec'
	size=$(wc -c <first.list)
	head -c "$size" second.list >carried
	expect_same first.list carried
	vm_step second-replay
	expect_status 0
	expect_json "[c['verdict'] for c in d['checks']] == ['match'] * 3"
}

@test "initramfs: with a store that cannot be written to it goes along, too" {
	[ ! -e second-kexec.status ] || fail "no kexec: $(<second-kexec.err)"
	! cmp -s second.boot-id third.boot-id || fail 'there was no kexec'
	vm_step third-replay
	expect_status 0
	expect_json "[c['verdict'] for c in d['checks']] == ['match'] * 3"
}

@test "initramfs: a kexec that would lose the list does not happen" {
	vm_step third-kexec
	[ "$status" -ne 0 ] || fail 'all was well'
	expect_stderr '^imalog: no kexec'
}
