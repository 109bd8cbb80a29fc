#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog-kexec.service lets 'systemctl kexec' go on with a list that will be carried over,
# and with no other.

load vm
load systemd
load ../cmd/helpers

setup_file() {
	vm_start_file built vm_systemd
	vm_tpm
	vm_scenario systemd-kexec
	# Not more than once: a machine that is reset ends.
	(vm_qemu ima_policy=tcb) && echo 0 >ended || echo $? >ended
	vm_take_out
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

@test "systemd-kexec: a list that fits goes along" {
	local size
	vm_step first-check
	expect_status 0
	[ -s second.boot-id ] && ! cmp -s first.boot-id second.boot-id ||
		fail "there was no kexec: $(tail -n 20 ../console)"
	size=$(wc -c <first.list)
	head -c "$size" second.list >carried
	expect_same first.list carried
	vm_step second-replay
	expect_status 0
	expect_json "[c['verdict'] for c in d['checks']] == ['match'] * 3"
}

# What has been stopped until then was measured, and systemd-shutdown will be.
@test "systemd-kexec: one that leaves too little stops it, and the machine is reset" {
	vm_step second-check
	expect_status 0
	grep -aq 'Failed to start.*imalog-kexec.service' ../console ||
		fail "the unit did not fail: $(tail -n 20 ../console)"
	grep -aqE 'imalog: [0-9]+ bytes are left .* fewer than the 1024' ../console ||
		fail "it is not said why: $(tail -n 20 ../console)"
	[ ! -e third.boot-id ] || fail 'there was a kexec'
	[ "$(<../ended)" = 0 ] || fail "it hangs: $(tail -n 20 ../console)"
}
