#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Readers of `imalog mount` that know nothing of staging, while others export and trim, and
# while processes are killed.
#
# IMALOG_LONG=1: 1,000 exports and trims, not 20; kills at each system call, not at some

load helpers
load swtpm
load imafs
load faults
load export
load mount

setup() {
	need_mount
	# 1,000 exports take longer than the stand-in lives by itself
	make_machine --lifetime 7200
	TPM=(--tcti "$TPM2TOOLS_TCTI")
}

teardown() {
	touch end
	readers_stop
	mount_stop
	stop_machine
}

# measurer: records keep coming, many of them the same
measurer() {
	local n=0
	while [ ! -e end ]; do
		imafs_ctl violation /x $((RANDOM % 3 + 1)) || break
		[ $((RANDOM % 3)) != 0 ] || imafs_ctl add "/file-$((n++))" || break
	done
}

# catter NAME FILE: reads all, again and again; each time it is the time before and more
catter() {
	local before=$1.before now=$1.now count=0
	: >"$before"
	while [ ! -e end ]; do
		cat "$2" >"$now" 2>"$1.error" || {
			echo "cat: $(cat "$1.error")" >"$1.failed"
			break
		}
		cmp -s -n "$(stat -c %s "$before")" "$before" "$now" || {
			echo "what was read before has changed" >"$1.failed"
			break
		}
		mv "$now" "$before"
		count=$((count + 1))
	done
	echo $count >"$1.count"
}

# expect_replays FILE: it leads to the values that the TPM had before it was read, and
# wrote to the file values
expect_replays() {
	local value expect=()
	while read -r value; do
		expect+=(--expect "$value")
	done <values
	expect_code 0 replay "${expect[@]}" -q "$1"
}

# evmctl wants the values of all PCRs up to the one that it compares, in order.
expect_evmctl() {
	local bank i
	for bank in sha1:40 sha256:64; do
		for i in 0 1 2 3 4 5 6 7 8 9; do
			printf 'PCR-%02d: %0*d\n' "$i" "${bank#*:}" 0
		done >"pcrs-${bank%:*}"
		imafs_ctl pcrs 10 | sed -n "s/^${bank%:*}:10=/PCR-10: /p" >>"pcrs-${bank%:*}"
	done
	run evmctl ima_measurement --ignore-violations --pcrs sha1,pcrs-sha1 --pcrs sha256,pcrs-sha256 \
		mnt/binary_runtime_measurements
	expect_status 0 'evmctl'
}

@test "mount: readers before, during and after exports and trims, while records come" {
	local count=20 n measuring one two
	[ -z "${IMALOG_LONG-}" ] || count=1000
	imafs_ctl add /first
	expect_code 0 export -q "${TPM[@]}"
	mount_start "${TPM[@]}" --wait 60s
	readers_start mnt/binary_runtime_measurements kept
	measurer &
	measuring=$!
	catter one mnt/binary_runtime_measurements_sha256 &
	one=$!
	catter two mnt/ascii_runtime_measurements &
	two=$!
	for ((n = 0; n < count; n++)); do
		case $((n % 5)) in
		3) imalog --root "$ROOT" trim -q --wait 60s "${TPM[@]}" 1 ;;
		4) expect_code 0 stage -q --wait 60s ;;
		*) expect_code 0 export -q --wait 60s "${TPM[@]}" ;;
		esac
		readers_read
		if [ $((n % 10)) = 9 ]; then
			imafs_ctl pcrs 10 >values
			cat mnt/binary_runtime_measurements >prefix
			expect_replays prefix
		fi
	done
	touch end
	wait $measuring $one $two
	for n in one two; do
		[ ! -e $n.failed ] || fail "$n: $(cat $n.failed)"
		[ "$(cat $n.count)" -ge $((count / 10)) ] || fail "only $(cat $n.count) times"
	done
	imafs_ctl pcrs 10 >values
	readers_read
	readers_stop
	imafs_ctl dump-all >ever
	expect_same ever kept 'what was read, piece by piece'
	expect_replays kept
	expect_shown sha1 sha256
	if command -v evmctl >/dev/null; then
		expect_evmctl
	fi
	[ ! -s mount.err ] || fail "$(cat mount.err)"
	echo "# $(cat rounds) rounds, $(cat one.count) and $(cat two.count) readings of" \
		"$(mklog index ever | wc -l) records in $count exports and trims" >&3
}

# Where an export can be interrupted, as tests/imafs sees it
PAUSES='before:A after:A before:D after:D'

@test "mount: readers while an export stands still, and after it was killed there" {
	local pause when request pid what round=0
	imafs_ctl violation /x 2
	expect_code 0 export -q "${TPM[@]}"
	mount_start "${TPM[@]}" --wait 50ms
	readers_start mnt/binary_runtime_measurements kept
	readers_read
	for pause in $PAUSES; do
		for what in resume kill; do
			when=${pause%:*} request=${pause#*:}
			imafs_ctl violation /x 2
			[ $((round++ % 2)) = 0 ] || imafs_ctl add "/file-$round"
			readers_read
			imafs_at "$when" "$request" stall
			"$IMALOG" --root "$ROOT" export -q "${TPM[@]}" 3>&- &
			pid=$!
			until imafs_ctl stalled | grep -q pid; do
				kill -0 $pid || fail "$pause: it was not stopped"
				sleep 0.02
			done
			# The lists cannot be opened: what is known can be read, no end is told
			readers_read 'Device or resource busy'
			head -c 50 mnt/binary_runtime_measurements >/dev/null 2>&1 || true
			[ $what = resume ] || kill -KILL $pid
			imafs_ctl clear
			imafs_ctl resume
			wait $pid || [ $what = kill ] || fail "$pause: status $?"
			readers_read
			cat mnt/binary_runtime_measurements >prefix
			imafs_ctl dump-all >ever
			expect_same ever prefix "$pause, $what"
			expect_shown sha1 sha256
		done
	done
	expect_code 0 export -q "${TPM[@]}"
	imafs_ctl pcrs 10 >values
	readers_read
	readers_stop
	imafs_ctl dump-all >ever
	expect_same ever kept
	expect_replays kept
}

@test "mount: exports that are killed at any system call" {
	local call number n=0
	need_strace
	imafs_stop
	stop_swtpm tpm
	imafs_start root
	imafs_ctl violation /x 2
	expect_code 0 export -q --sysfs
	imafs_ctl violation /x 2
	faults_calls calls --root "$ROOT" export --sysfs
	[ -n "${IMALOG_LONG-}" ] || awk 'NR % 25 == 0 || /^rename/' calls >sample
	[ -n "${IMALOG_LONG-}" ] || mv sample calls
	mount_start --sysfs --wait 10s
	readers_start mnt/binary_runtime_measurements kept
	while read -r call number <&8; do
		imafs_ctl violation /x 2
		[ $((n++ % 3)) != 0 ] || imafs_ctl add "/file-$n"
		faults_kill "$call" "$number" --root "$ROOT" export --sysfs
		readers_read
		imafs_ctl dump-all >ever
		expect_same ever mnt/binary_runtime_measurements "$call $number"
	done 8<calls
	expect_code 0 export -q --sysfs
	expect_shown sha1 sha256
	readers_read
	readers_stop
	imafs_ctl dump-all >ever
	expect_same ever kept
	[ "$n" -ge 10 ] || fail 'too few system calls'
}

@test "mount: the program itself is killed, and its readers" {
	local n count=8 pid
	[ -z "${IMALOG_LONG-}" ] || count=200
	: >before
	for ((n = 0; n < count; n++)); do
		mount_start "${TPM[@]}" --wait 10s
		imafs_ctl violation /x 2
		cat mnt/ascii_runtime_measurements_sha256 >/dev/null &
		pid=$!
		case $((n % 4)) in
		0) expect_code 0 export -q "${TPM[@]}" ;;
		1) expect_code 0 stage -q ;;
		2) imafs_at before D kill && imalog --root "$ROOT" export -q "${TPM[@]}" ;;
		esac
		imafs_ctl clear
		kill -KILL $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		cat mnt/binary_runtime_measurements >now
		cmp -s -n "$(stat -c %s before)" before now || fail 'bytes have changed'
		mv now before
		"$PYTHON" -I -S -c 'import os, sys
while os.read(0, 3000): pass' <mnt/binary_runtime_measurements 2>/dev/null &
		pid=$!
		kill -KILL "$MOUNT_PID"
		wait "$MOUNT_PID" $pid 2>/dev/null || true
	done
	mount_start "${TPM[@]}"
	imafs_ctl dump-all >ever
	expect_same ever before
	expect_shown sha1 sha256
}
