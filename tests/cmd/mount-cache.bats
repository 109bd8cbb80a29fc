#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount: what the kernel keeps of the lists that it shows, and how they grow there.

load helpers
load swtpm
load imafs
load faults
load export
load mount

setup() {
	need_mount
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	exec 9<&-
	mount_stop
	stop_machine
}

# plain_machine RECORDS: not the stand-in, but files; log has all records of the list
plain_machine() {
	ROOT=$PWD/machine IMA=$PWD/machine/sys/kernel/security/ima
	mkdir -p "$IMA" "$ROOT/proc"
	printf 'name : sha256\nmodule : kernel\n' >"$ROOT/proc/crypto"
	mklog generate --records "$1" -o log
	touch "$IMA"/{ascii_runtime_measurements{,_sha256},binary_runtime_measurements_sha256} \
		"$IMA/runtime_measurements_count"
}

# shows_all: the files of log, in truth
shows_all() {
	cp log "$IMA/binary_runtime_measurements"
	mount_start --no-tpm
	mkdir truth
	cp mnt/*_runtime_measurements* truth/
	mount_stop
	expect_same log truth/binary_runtime_measurements
	imalog convert -t ascii -o ascii log
	expect_same ascii truth/ascii_runtime_measurements
}

@test "mount: lists that grow are read in many ways at once, and each byte is right" {
	local file files=() seconds=6
	[ -z "${IMALOG_LONG-}" ] || seconds=300
	plain_machine 2000
	shows_all
	head -c "$(mklog index log | awk 'NR == 3 { print $2 }')" log \
		>"$IMA/binary_runtime_measurements"
	mount_start --no-tpm
	for file in {binary,ascii}_runtime_measurements{,_sha256}; do
		files+=("mnt/$file" "truth/$file")
	done
	MKLOG=$MKLOG run "$PYTHON" -I -S "${BATS_TEST_DIRNAME}/read-growing" $seconds $RANDOM log \
		"$IMA/binary_runtime_measurements" "${files[@]}"
	expect_status 0
	echo "# $output" >&3
	[ ! -s mount.err ] || fail "$(cat mount.err)"
}

# reads_traced FILE: once more, and what the program writes meanwhile is in trace
reads_traced() {
	local tracing
	strace -f -e trace=writev,write -o trace -p "$MOUNT_PID" 2>/dev/null 3>&- &
	tracing=$!
	until [ "$(awk '/^TracerPid/ { print $2 }' "/proc/$MOUNT_PID/status")" != 0 ]; do
		sleep 0.02
	done
	expect_same "truth/$1" "mnt/$1"
	kill $tracing
	wait $tracing || true
	grep -q writev trace || fail 'nothing was seen'
}

@test "mount: what was read once is not asked for again" {
	local file try
	need_strace
	plain_machine 3000
	shows_all
	mount_start --no-tpm
	for file in {binary,ascii}_runtime_measurements{,_sha256}; do
		expect_same "truth/$file" "mnt/$file"
		# Others may empty the kernel's cache at any time. What else is answered is
		# shorter than a page.
		for try in {1..10}; do
			reads_traced "$file"
			grep -qE '= [0-9]{4,}$' trace || break
		done
		! grep -E '= [0-9]{4,}$' trace || fail "$file: it was read again, $try times"
	done
}

@test "mount: a page in which the list ended has what came later, for all who read it" {
	local at
	plain_machine 200
	shows_all
	for at in 20 21 60 61 199; do
		head -c "$(mklog index log | awk -v n=$at 'NR == n + 1 { print $2 }')" log >part
		[ "$at" != 199 ] || cp log part
		mv part "$IMA/binary_runtime_measurements"
		[ -n "${MOUNT_PID-}" ] || {
			mount_start --no-tpm
			exec 9<mnt/binary_runtime_measurements
			: >got
		}
		cat <&9 >>got
		expect_same got "$IMA/binary_runtime_measurements"
		expect_same "$IMA/binary_runtime_measurements" mnt/binary_runtime_measurements
		cat mnt/ascii_runtime_measurements_sha256 >ascii
		cmp -n "$(stat -c %s ascii)" ascii truth/ascii_runtime_measurements_sha256 ||
			fail 'other text'
		[ "$(wc -l <ascii)" = "$(cat mnt/runtime_measurements_count)" ] ||
			fail "$(wc -l <ascii) lines"
	done
	expect_same log got
}

@test "mount: it ends, also while a list that grows is read" {
	local at pids=()
	plain_machine 2000
	head -c "$(mklog index log | awk 'NR == 1000 { print $2 }')" log \
		>"$IMA/binary_runtime_measurements"
	mount_start --no-tpm
	for _ in 1 2 3; do
		"$PYTHON" -I -S -c 'import os, sys
try:
    while True:
        fd = os.open(sys.argv[1], os.O_RDONLY)
        while os.read(fd, 5000): pass
        os.close(fd)
except OSError: pass' "$PWD/mnt/ascii_runtime_measurements" 3>&- &
		pids+=($!)
	done
	mklog index log | awk 'NR > 1500 && NR % 20 == 0 { print $2 }' >ends
	while read -r at; do
		head -c "$at" log >part
		mv part "$IMA/binary_runtime_measurements"
		cat mnt/runtime_measurements_count >/dev/null
	done <ends
	kill "$MOUNT_PID"
	timeout 10 tail --pid="$MOUNT_PID" -f /dev/null || fail 'it does not end'
	wait "$MOUNT_PID" || fail "status $?"
	MOUNT_PID=
	wait "${pids[@]}" || true
	! grep " $PWD/mnt " /proc/self/mountinfo || fail 'still mounted'
}

# Some copy by sendfile(2), which goes no further than the size that a file has.
@test "mount: who copies by sendfile(2) gets all that there is at open" {
	local file round
	head -c 100000 /dev/urandom >firmware
	make_machine --bios-log "$PWD/firmware"
	imafs_ctl bulk 8
	mount_start --tcti "$TPM2TOOLS_TCTI"
	for round in 1 2; do
		for file in mnt/*; do
			cat "$file" >shown
			"$PYTHON" -I -S -c 'import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
while os.sendfile(1, fd, None, 1 << 20): pass' "$file" >sent
			[ -s sent ] || fail "$file: nothing was sent"
			expect_same shown sent "$file"
		done
		[ "$round" = 2 ] || imafs_ctl violation /x 20
	done
}
