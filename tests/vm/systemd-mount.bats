#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog-mount.service under systemd, with all that it is denied: Debian's own kernel.

load vm
load systemd
load ../cmd/helpers
load mount

setup_file() {
	vm_start_file stock vm_systemd
	vm_tpm
	manual_scenario systemd-mount "$(manual_rule)"
	vm_run ''
}

setup() {
	cd "$BATS_FILE_TMPDIR/out" || return
}

# expect_told NAME KEY=VALUE...
expect_told() {
	local name=$1 line
	shift
	for line; do
		grep -qx "$line" "$name.told" || fail "$name: $line expected: $(<"$name.told")"
	done
}

@test "systemd-mount: it is ready when the files are there, and they are the kernel's" {
	vm_step start
	expect_status 0
	expect_told started ActiveState=active NRestarts=0
	[ "$(<mounts.started)" = 1 ] || fail 'nothing is mounted'
	[ "$(wc -l <compared)" -ge 4 ] || fail "not all are the same: $(<compared)"
	vm_step replay
	expect_status 0
}

@test "systemd-mount: services with other mounts see it" {
	vm_step start-other
	expect_status 0
	[ "$(wc -l <other.seen)" = 2 ] && [ "$(head -n 1 other.seen)" = 1 ] ||
		fail "$(<other.seen)"
}

@test "systemd-mount: an agent with the lines of the manual sees it in the kernel's place" {
	vm_step start-agent
	expect_status 0
	expect_same agent-first.kernel agent-first.seen
}

@test "systemd-mount: when it is killed it comes back, and so does the agent" {
	expect_told killed ActiveState=active NRestarts=1
	expect_same killed.kernel killed.seen
	expect_told agent ActiveState=active
	expect_same agent-second.kernel agent-second.seen
}

@test "systemd-mount: a restart right after it was killed" {
	vm_step restart
	expect_status 0
	expect_told restarted ActiveState=active
	expect_same restarted.kernel restarted.seen
	[ "$(<mounts.restarted)" = 1 ] || fail "$(<mounts.restarted) mounts"
}

@test "systemd-mount: stopped, nothing is left, though a file is open" {
	vm_step stop
	expect_status 0
	expect_told stopped ActiveState=inactive Result=success ExecMainStatus=0
	[ "$(<mounts.stopped)" = 0 ] || fail 'it is still mounted'
	! grep -qx ima left || fail 'the directory is left'
}

@test "systemd-mount: what imalog-export.service takes away is shown" {
	vm_step start-staging
	expect_status 0
	expect_told staging ActiveState=active
	grep -qx 'current=20' staging.stats || fail 'it was not exported'
	expect_same staging.ever staging.seen
	expect_same staging.ever staging.kept
}
