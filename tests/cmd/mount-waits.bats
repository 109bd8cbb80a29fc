#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount: when it must wait, and when nothing tells what belongs to the log.

load helpers
load swtpm
load imafs
load export
load mount

setup() {
	need_mount
	make_machine
	TPM=(--tcti "$TPM2TOOLS_TCTI")
}

teardown() {
	exec 8<&- 9<&-
	mount_stop
	stop_machine
}

# More than there are threads
@test "mount: many readers wait for a list, and nothing else waits for them" {
	local pids=() pid i
	imafs_ctl add /one
	mount_start "${TPM[@]}" --wait 60s
	exec 8<>"$IMA/binary_runtime_measurements"
	for ((i = 0; i < 15; i++)); do
		cat mnt/ascii_runtime_measurements >"read-$i" 2>"failed-$i" 8<&- 3>&- &
		pids+=($!)
	done
	expect_same "$IMA/violations" <(timeout 10 cat mnt/violations)
	timeout 10 ls -l mnt >/dev/null || fail 'ls waits'
	# The last attempt looks who it is, and must not ask itself
	exec 8<&-
	for pid in "${pids[@]}"; do
		wait "$pid" || fail "status $?"
	done
	expect_shown sha1
	# Those who wait when it ends get an answer
	exec 8<>"$IMA/binary_runtime_measurements"
	cat mnt/ascii_runtime_measurements >late 2>failed 8<&- 3>&- &
	pid=$!
	until [ -e "/proc/$pid/stack" ] && grep -q 'mnt/ascii' <(ls -l "/proc/$pid/fd") ||
		[ "$(awk '{ print $3 }' "/proc/$pid/stat")" != R ]; do
		sleep 0.02
	done
	kill "$MOUNT_PID"
	timeout 10 tail --pid="$MOUNT_PID" -f /dev/null || fail 'it does not end'
	wait "$MOUNT_PID" || fail "status $?"
	MOUNT_PID=
	wait $pid && fail 'all was read'
	exec 8<&-
}

@test "mount: readers who keep a descriptor do not hinder who looks for the holder" {
	local i fds=()
	imafs_ctl add /one
	mount_start "${TPM[@]}" --wait 200ms
	for ((i = 0; i < 15; i++)); do
		exec {fd}<mnt/ascii_runtime_measurements
		fds+=("$fd")
		cat <&"$fd" >/dev/null
	done
	imafs_ctl add /two
	exec 8<>"$IMA/binary_runtime_measurements"
	for fd in "${fds[@]}"; do
		timeout 20 cat <&"$fd" >/dev/null 2>&1 8<&- 3>&- &
	done
	until grep -q 'is held open by' mount.err; do
		sleep 0.02
	done
	exec 8<&-
	timeout 10 cat mnt/ascii_runtime_measurements >/dev/null || fail 'it hangs'
	for fd in "${fds[@]}"; do
		exec {fd}<&-
	done
	expect_shown sha1
}

@test "mount: the count is that of now, also through a descriptor that is kept" {
	local count
	imafs_ctl add /one
	mount_start "${TPM[@]}" --wait 200ms
	exec 9<mnt/runtime_measurements_count
	read -r count <&9
	[ "$count" = 2 ] || fail "$count"
	imafs_ctl add /two
	count=$("$PYTHON" -I -S -c 'import os; print(os.pread(9, 100, 0).decode())')
	[ "$count" = 3 ] || fail "$count"
	# Nobody can say what it is while others have the list
	exec 8<>"$IMA/binary_runtime_measurements"
	run cat mnt/runtime_measurements_count
	expect_status 1
	exec 8<&-
	[ "$(cat mnt/runtime_measurements_count)" = 3 ] || fail 'another number'
}

@test "mount: another boot, and no TPM to tell whether there was a reset" {
	imafs_ctl add /one
	expect_code 0 export "${TPM[@]}"
	imafs_ctl add /two
	mount_start "${TPM[@]}"
	exec 9<mnt/binary_runtime_measurements
	cat <&9 >before
	mount_stop
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
	imafs_ctl add /three
	mount_start --no-tpm
	run cat mnt/binary_runtime_measurements
	expect_status 1
	[ -z "$output" ] || [[ $output = cat:* ]] || fail "$output"
	run cat mnt/runtime_measurements_count
	expect_status 1
	grep -q 'this is another boot' mount.err || fail "$(cat mount.err)"
	mount_stop
	mount_start "${TPM[@]}"
	expect_shown sha1
}

@test "mount: records that were lost before there was a store are not hidden by it" {
	imafs_ctl add /one
	mount_start "${TPM[@]}"
	cat mnt/binary_runtime_measurements >before
	echo A >"$IMA/binary_runtime_measurements_staged"
	echo D >"$IMA/binary_runtime_measurements_staged"
	imafs_ctl add /two
	imalog --root "$ROOT" export --no-tpm
	run cat mnt/binary_runtime_measurements
	expect_status 1
	head -c "$(stat -c %s before)" mnt/binary_runtime_measurements >after 2>/dev/null || true
	grep -q 'in neither store nor kernel any more' mount.err || fail "$(cat mount.err)"
}

@test "mount: nothing is mounted when what is there is malformed" {
	imafs_ctl add /one
	expect_code 0 export "${TPM[@]}"
	echo '{' >"$STORE/current/receipts/00000001.json"
	mkdir mnt
	expect_code 3 mount "${TPM[@]}" mnt
	expect_stderr '00000001.json'
}
