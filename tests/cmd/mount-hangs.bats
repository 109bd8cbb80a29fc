#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount: when what it reads does not answer, or does not tell yet.

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
	disk_stop
	mount_stop
	stop_machine
}

# disk_start: the store is on a disk that can hang, as disk
disk_start() {
	mkdir -p disk
	"${IMALOG_BUILD:-$IMALOG_SRC/build}/tests/slowfs" "$STORE" "$PWD/disk" -f 3>&- &
	DISK_PID=$!
	until [ -e disk/current ]; do
		kill -0 "$DISK_PID" || fail 'no disk'
		sleep 0.02
	done
}

# Each of its threads: one that still runs may take a request with it, and nothing ends
# whoever waits for that, not even a signal that kills.
disk_hangs() {
	kill -STOP "$DISK_PID"
	while grep -h '^State:' "/proc/$DISK_PID/task"/*/status | grep -qv stopped; do
		sleep 0.02
	done
}

# disk_requests: how many it has not answered
disk_requests() {
	local device
	device=$(awk -v at="$PWD/disk" '$5 == at { print $3 }' /proc/self/mountinfo)
	mountpoint -q fuse 2>/dev/null || { mkdir -p fuse && mount -t fusectl none fuse; }
	cat "fuse/${device#*:}/waiting"
}

disk_stop() {
	[ -n "${DISK_PID-}" ] || return 0
	umount "$BATS_TEST_TMPDIR/fuse" 2>/dev/null || true
	kill -KILL "$DISK_PID" 2>/dev/null || true
	wait "$DISK_PID" 2>/dev/null || true
	umount -l "$BATS_TEST_TMPDIR/disk" 2>/dev/null || true
	DISK_PID=
}

mount_memory() {
	awk '/^VmData/ { print $2 }' "/proc/$MOUNT_PID/status"
}

# ---- what does not answer

@test "mount: the store's disk hangs, and goes on" {
	local pids=() fds=() fd pid before
	imafs_ctl bulk 2000
	expect_code 0 export "${TPM[@]}"
	imafs_ctl add /two
	disk_start
	mount_start "${TPM[@]}" --store "$PWD/disk"
	exec 9<mnt/ascii_runtime_measurements
	head -c 1000 <&9 >got
	exec 8<mnt/binary_runtime_measurements
	for _ in {1..12}; do
		exec {fd}<mnt/binary_runtime_measurements
		fds+=("$fd")
	done
	disk_hangs
	# More than there are threads: those who go on, and those who come
	for fd in "${fds[@]}"; do
		timeout 60 cat <&"$fd" >/dev/null 2>"failed-$fd" 3>&- &
		pids+=($!)
	done
	for _ in {1..3}; do
		timeout 60 cat mnt/ascii_runtime_measurements >/dev/null 2>&1 3>&- &
		pids+=($!)
	done
	timeout 8 ls -l mnt >/dev/null || fail 'ls hangs'
	expect_same "$IMA/violations" <(timeout 8 cat mnt/violations)
	[ "$(timeout 8 stat -c %s mnt/binary_runtime_measurements)" -gt 1000 ] || fail 'no size'
	for pid in "${pids[@]}"; do
		rc=0
		wait "$pid" || rc=$?
		[ $rc = 1 ] || fail "status $rc"
	done
	for fd in "${fds[@]}"; do
		grep -q 'Input/output error' "failed-$fd" || fail "$(cat "failed-$fd")"
		exec {fd}<&-
	done
	# As long as that is so, nobody else waits as long
	run timeout 8 cat mnt/runtime_measurements_count
	expect_status 1
	[ "$(grep -c "no answer for 10 seconds from the store '$PWD/disk'" mount.err)" = 1 ] ||
		fail "$(cat mount.err)"
	# Nor does what they asked for stay
	before=$(mount_memory)
	"$PYTHON" -I -S -c 'import os
failed = 0
for _ in range(1000):
    try: os.pread(8, 4096, 0)
    except OSError: failed += 1
print(failed)' >failed
	[ "$(cat failed)" = 1000 ] || fail "$(cat failed) failed"
	[ "$(mount_memory)" -lt $((before + 8192)) ] || fail "$before, then $(mount_memory) kB"
	kill -CONT "$DISK_PID"
	until timeout 20 cat mnt/runtime_measurements_count >/dev/null 2>&1; do
		sleep 0.02
	done
	cat <&9 >>got
	imafs_ctl dump-all sha1 ascii >ever
	expect_same ever got
	expect_shown sha1
	mount_stop
}

@test "mount: SIGTERM unmounts also while the store's disk hangs" {
	local pid
	imafs_ctl bulk 200
	expect_code 0 export "${TPM[@]}"
	disk_start
	mount_start "${TPM[@]}" --store "$PWD/disk"
	exec 9<mnt/binary_runtime_measurements
	disk_hangs
	cat <&9 >/dev/null 2>failed 3>&- &
	pid=$!
	cat mnt/ascii_runtime_measurements >/dev/null 2>&1 9<&- 3>&- &
	until [ "$(disk_requests)" -gt 0 ]; do
		sleep 0.02
	done
	kill "$MOUNT_PID"
	timeout 8 tail --pid="$MOUNT_PID" -f /dev/null || fail 'it does not end'
	wait "$MOUNT_PID" || fail "status $?"
	MOUNT_PID=
	! grep " $PWD/mnt " /proc/self/mountinfo || fail 'still mounted'
	! wait "$pid" || fail 'all was read'
}

# ---- what does not tell yet

@test "mount: of banks that the kernel may not be able to compute nothing is guessed" {
	local held
	imafs_stop
	imafs_start root --tcti sim --banks sha256,sm3
	imafs_ctl add /one
	expect_code 0 export --no-tpm
	# Violations tell nothing: their digests are zeros in any case
	imafs_ctl violation /x 300
	exec {held}<>"$IMA/binary_runtime_measurements"
	imafs_ctl log clear
	mkdir mnt
	"$IMALOG" --root "$ROOT" mount --foreground --no-tpm --wait 60s mnt 2>mount.err 3>&- \
		{held}>&- &
	MOUNT_PID=$!
	until imafs_ctl log | awk '$8 == "open" && $NF != 0 { n++ } END { exit !n }'; do
		kill -0 "$MOUNT_PID" || fail "no mount: $(cat mount.err)"
		sleep 0.02
	done
	exec {held}>&-
	until mount_is_there; do
		kill -0 "$MOUNT_PID" || fail "no mount: $(cat mount.err)"
		sleep 0.02
	done
	run cat mnt/binary_runtime_measurements_sm3
	expect_status 1
	[[ $output = *'Device or resource busy' ]] || fail "$output"
	grep -q "binary_runtime_measurements_sm3' cannot be read yet" mount.err ||
		fail "$(cat mount.err)"
	expect_shown sha1 sha256
	# Who keeps it open goes on as soon as there is a record
	exec 9<mnt/ascii_runtime_measurements_sm3
	imafs_ctl add /two
	cat <&9 >got
	imafs_ctl dump-all sm3 ascii >ever
	expect_same ever got
	expect_shown sha1 sha256 sm3
}

@test "mount: nothing but violations at first, and a bank that the kernel cannot compute" {
	local ima=$PWD/other/sys/kernel/security/ima name
	mkdir -p "$ima"
	mklog generate --records 3 --violations 3 -o list
	mklog generate --records 3 --violations 3 --digest-size 32 --pad-sha1 -o list_sm3
	for name in '' _sm3; do
		records "list$name" 2 3 >"$ima/binary_runtime_measurements$name"
	done
	ROOT=$PWD/other mount_start --no-tpm
	run cat mnt/binary_runtime_measurements_sm3
	[[ $output = *'Device or resource busy' ]] || fail "$output"
	expect_same "$ima/binary_runtime_measurements" mnt/binary_runtime_measurements
	mklog generate --records 30 --seed 2 >>"$ima/binary_runtime_measurements"
	mklog generate --records 30 --seed 2 --digest-size 32 --pad-sha1 \
		>>"$ima/binary_runtime_measurements_sm3"
	for name in '' _sm3; do
		expect_same "$ima/binary_runtime_measurements$name" \
			"mnt/binary_runtime_measurements$name"
	done
}

@test "mount: the disk of the default store is not mounted" {
	local what
	mount_start --no-tpm
	mount_stop
	[ ! -s mount.err ] || fail "nothing was exported: $(cat mount.err)"
	imafs_ctl add /one
	expect_code 0 export "${TPM[@]}"
	mount_start "${TPM[@]}"
	mount_stop
	[ ! -s mount.err ] || fail "$(cat mount.err)"
	mv "$STORE" "$STORE.gone"
	for what in absent empty; do
		mount_start --no-tpm
		mount_stop
		[ "$(grep -c "note: the log does not begin with .* the store '$STORE': is its" \
			mount.err)" = 1 ] || fail "$what: $(cat mount.err)"
		: >mount.err
		imafs_ctl add /two
		mkdir -p "$STORE"
	done
	mount_start -q --no-tpm
	mount_stop
	[ ! -s mount.err ] || fail "$(cat mount.err)"
	mkdir mnt2
	expect_code 4 mount --store "$PWD/none" mnt2
}
