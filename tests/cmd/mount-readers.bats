#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Readers of `imalog mount` that know nothing of staging, while others export and trim, and
# while processes are killed.
#
# IMALOG_LONG=1: 1,000 exports and trims, not 20; kills at each system call, not at some.
# IMALOG_LONG_ROUNDS: so many of these, 1/5 of so many kills of the program itself, and kills
# at some system calls only

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

# rounds OF-FEW OF-MANY: how often
rounds() {
	local count=$1
	[ -z "${IMALOG_LONG-}" ] || count=$2
	[ -z "${IMALOG_LONG_ROUNDS-}" ] || count=$((IMALOG_LONG_ROUNDS * $2 / 1000))
	echo "$count"
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
	local count n measuring one two
	count=$(rounds 20 1000)
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

# Where an export and a trim stand still, as tests/imafs sees it, and what the readers are
# told there. Before the lists are opened, and when they are being closed, it can be either.
PAUSES='before open-write export ok|Device or resource busy
after open-write export Device or resource busy
before A export Device or resource busy
after A export Device or resource busy
before read export Device or resource busy
after read export Device or resource busy
before D export Device or resource busy
after D export Device or resource busy
after flush export ok|Device or resource busy
before N trim Device or resource busy
after N trim Device or resource busy'

# stand_still WHEN REQUEST COMMAND: sets STANDS to the process, which waits for imafs
stand_still() {
	local argument=()
	[ "$3" = export ] || argument=(1)
	imafs_at "$1" "$2@*_runtime_measurements*" stall
	"$IMALOG" --root "$ROOT" "$3" -q "${TPM[@]}" "${argument[@]}" 3>&- &
	STANDS=$!
	until imafs_ctl stalled | grep -q pid; do
		kill -0 "$STANDS" || fail "$*: it was not stopped"
		sleep 0.02
	done
}

@test "mount: readers while an export stands still, and after it was killed there" {
	local when request command answer what pid round=0 resumed=D
	[ -z "${IMALOG_LONG-}" ] || resumed='.*'
	imafs_ctl violation /x 2
	expect_code 0 export -q "${TPM[@]}"
	mount_start "${TPM[@]}" --wait 50ms
	readers_start mnt/binary_runtime_measurements kept
	readers_read
	while read -r when request command answer <&8; do
		for what in resume kill; do
			[ $what = kill ] || [[ $request =~ ^$resumed$ ]] || continue
			imafs_ctl violation /x 2
			[ $((round++ % 2)) = 0 ] || imafs_ctl add "/file-$round"
			readers_read
			stand_still "$when" "$request" "$command"
			# What is known can be read, no end is told
			readers_read "$answer"
			head -c 50 mnt/binary_runtime_measurements >/dev/null 2>&1 || true
			# One that is killed while it waits, or a moment later
			cat mnt/ascii_runtime_measurements_sha256 >/dev/null 2>&1 3>&- &
			pid=$!
			[ $((round % 3)) = 0 ] || sleep 0.0$((RANDOM % 10))
			kill -KILL $pid 2>/dev/null || true
			wait $pid 2>/dev/null || true
			[ $what = resume ] || kill -KILL "$STANDS"
			imafs_ctl clear
			imafs_ctl resume
			wait "$STANDS" || [ $what = kill ] || fail "$when $request: status $?"
			readers_read
			cat mnt/binary_runtime_measurements >prefix
			imafs_ctl dump-all >ever
			expect_same ever prefix "$when $request, $what"
			expect_shown sha1 sha256
		done
	done 8<<<"$PAUSES"
	[ $round -ge 13 ] || fail "only $round times"
	expect_code 0 export -q "${TPM[@]}"
	imafs_ctl pcrs 10 >values
	readers_read
	readers_stop
	imafs_ctl dump-all >ever
	expect_same ever kept
	expect_replays kept
}

@test "mount: the program itself is killed at each of its requests to the kernel" {
	local when request status round=0
	imafs_ctl violation /x 2
	expect_code 0 export -q "${TPM[@]}"
	: >before
	while read -r when request <&8; do
		mount_start "${TPM[@]}" --wait 10s
		imafs_ctl violation /x 2
		# What is staged is read, too
		[ $((round++ % 2)) = 0 ] || imalog --root "$ROOT" stage -q
		imafs_at "$when" "$request@*_runtime_measurements*" kill
		cat mnt/binary_runtime_measurements >part 2>/dev/null || true
		status=0
		wait "$MOUNT_PID" || status=$?
		[ "$status" = 137 ] || fail "$when $request: status $status, it was not killed"
		imafs_ctl clear
		imafs_ctl dump-all >ever
		cmp -s -n "$(stat -c %s part)" part ever || fail "$when $request: other bytes"
		mount_start "${TPM[@]}" --wait 10s
		cat mnt/binary_runtime_measurements >now
		cmp -s -n "$(stat -c %s before)" before now || fail 'bytes have changed'
		mv now before
		expect_shown sha1 sha256
		mount_stop
	done 8<<-'END'
		before open-read
		after open-read
		before read
		after read
		before read:1
		after read:1
		before flush
		after flush
	END
	expect_code 0 export -q "${TPM[@]}"
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
	if [ -z "${IMALOG_LONG-}" ] || [ -n "${IMALOG_LONG_ROUNDS-}" ]; then
		awk 'NR % 25 == 0 || /^rename/' calls >sample
		mv sample calls
	fi
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
	local n count pid
	count=$(rounds 8 200)
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
