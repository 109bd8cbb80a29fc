#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount: what is shown, and the manners of the program that shows it.

load helpers
load swtpm
load imafs
load export
load manual
load mount

setup() {
	need_mount
	make_machine
	TPM=(--tcti "$TPM2TOOLS_TCTI")
}

teardown() {
	exec 8<&- 9<&-
	readers_stop
	umount -l "$BATS_TEST_TMPDIR/disk" 2>/dev/null || true
	umount -l "$IMA" "$BATS_TEST_TMPDIR"/real/{proc,sys/kernel/security} 2>/dev/null || true
	mount_stop
	umount -l "$BATS_TEST_TMPDIR/a b" 2>/dev/null || true
	stop_machine
}

# ---- what is shown

@test "mount: the kernel's files, wherever the records are" {
	imafs_ctl violation /x 3
	imafs_ctl add /one '/a b'
	mount_start "${TPM[@]}"
	expect_shown sha1 sha256
	(cd "$IMA" && find . -maxdepth 1 -name '*measurements*' ! -name '*staged' | sort) >files
	(cd mnt && find . -maxdepth 1 -name '*measurements*' | sort) | diff files - ||
		fail 'other files'
	# It is what the kernel shows, as long as that has all
	expect_same "$IMA/ascii_runtime_measurements_sha256" mnt/ascii_runtime_measurements_sha256
	expect_code 0 export "${TPM[@]}"
	expect_shown sha1 sha256
	imafs_ctl add /two
	expect_code 0 stage
	expect_shown sha1 sha256
	imafs_ctl violation /x 3
	expect_shown sha1 sha256
	expect_code 0 export "${TPM[@]}"
	imafs_ctl violation /x 3
	imafs_ctl bulk 300
	expect_code 0 trim "${TPM[@]}" 2
	expect_shown sha1 sha256
	[ ! -s mount.err ] || fail "$(cat mount.err)"
}

@test "mount: banks that the kernel cannot compute, other templates and firmware log" {
	imafs_stop
	head -c 3000 /dev/urandom >firmware
	imafs_start root --tcti sim --banks sha256,sm3,tpm_alg_27 --bios-log "$PWD/firmware"
	imafs_ctl set template ima-sig
	imafs_ctl add /one
	imafs_ctl set template 'd-ng|n-ng|iuid|imode'
	imafs_ctl add /two
	imafs_ctl event label 'some text'
	imafs_ctl set template ima
	imafs_ctl add /three
	expect_code 0 export --no-tpm
	imafs_ctl violation /x
	imafs_ctl add /four
	expect_code 0 stage
	mount_start --no-tpm
	expect_shown sha1 sha256 sm3 tpm_alg_27
	expect_same firmware mnt/binary_bios_measurements
}

@test "mount: big-endian lists" {
	imafs_stop
	imafs_start root --tcti sim --big-endian
	imafs_ctl violation /x
	imafs_ctl add /one
	expect_code 0 export --no-tpm
	imafs_ctl add /two
	mount_start --no-tpm
	expect_shown sha1 sha256
}

@test "mount: a kernel that cannot stage, without a store" {
	imafs_stop
	imafs_start root --tcti sim --kernel 6.12
	imafs_ctl add /one
	mount_start --no-tpm
	expect_shown sha1 sha256
	readers_start mnt/ascii_runtime_measurements kept
	readers_read
	imafs_ctl bulk 100
	readers_read
	readers_stop
	imafs_ctl dump-all sha1 ascii >ever
	expect_same ever kept
}

# same_boot ROOT RECEIPTS: it is that of the last receipt, which was made again and lacks it
same_boot() {
	local id=11111111-2222-4333-8444-555555555555 receipt
	mkdir -p "$1/proc/sys/kernel/random"
	echo $id >"$1/proc/sys/kernel/random/boot_id"
	for receipt in "$2"/*; do :; done
	sed -i "s/^{/{ \"boot_id\": \"$id\",/" "$receipt"
}

# The kernel's own lists, of kernels and TPMs that were: half of each is in a store
@test "mount: text and lists of all banks as real kernels show them" {
	local set file dir half
	imafs_stop
	for set in $RIG_SETS; do
		dir=$PWD/of-${set/\//-}
		mkdir -p "$dir/sys/kernel/security/ima" "$dir/store/epoch-000001/receipts"
		for file in "$RIG/$set"/*_runtime_measurements* "$RIG/$set/violations"; do
			[ ! -e "$file" ] || cp "$file" "$dir/sys/kernel/security/ima/"
		done
		file=$dir/sys/kernel/security/ima/binary_runtime_measurements
		half=$((RECORDS[$set] / 2))
		records "$file" 1 $half >"$dir/store/epoch-000001/log.00000001"
		records "$file" $((half + 1)) $((RECORDS[$set] - 1)) \
			>"$dir/store/epoch-000001/log.00000002"
		records "$file" "${RECORDS[$set]}" "${RECORDS[$set]}" >last
		mv last "$file"
		ln -s epoch-000001 "$dir/store/current"
		"$IMALOG" store rebuild --store "$dir/store" >/dev/null 2>&1 || true
		same_boot "$dir" "$dir/store/epoch-000001/receipts"
		ROOT=$dir mount_start --no-tpm --store "$dir/store"
		for file in "$RIG/$set"/*_runtime_measurements*; do
			expect_same "$file" "mnt/${file##*/}" "$set: ${file##*/}"
		done
		mount_stop
	done
}

@test "mount: offsets, sizes and ends are those of files that grow" {
	imafs_ctl bulk 30
	expect_code 0 export "${TPM[@]}"
	mount_start "${TPM[@]}"
	exec 9<mnt/ascii_runtime_measurements_sha256
	imafs_ctl dump-all sha256 ascii >ever
	[ "$(stat -c %s mnt/ascii_runtime_measurements_sha256)" = "$(stat -c %s ever)" ] ||
		fail 'another size'
	cat <&9 >all
	expect_same ever all
	[ -z "$(cat <&9)" ] || fail 'more than all'
	imafs_ctl add /more
	cat <&9 >>all
	imafs_ctl dump-all sha256 ascii >ever
	expect_same ever all
	"$PYTHON" -I -S -c '
import os, random, sys
whole = open("ever", "rb").read()
fd = os.open("mnt/ascii_runtime_measurements_sha256", os.O_RDONLY)
for _ in range(300):
    at, size = random.randrange(len(whole) + 20), random.randrange(1, 900)
    if os.pread(fd, size, at) != whole[at:at + size]:
        sys.exit("at %d, %d" % (at, size))
' || fail 'other bytes'
	run cp all mnt/new
	expect_status 1
	run dd if=all of=mnt/binary_runtime_measurements conv=notrunc
	expect_status 1
}

# ---- another boot

@test "mount: after a kexec it goes on, after a reset it is another file" {
	imafs_ctl add /one
	expect_code 0 export "${TPM[@]}"
	imafs_ctl add /two
	mount_start "${TPM[@]}"
	readers_start mnt/binary_runtime_measurements kept
	readers_read
	imafs_ctl kexec carried
	imafs_ctl add /three
	readers_read
	expect_shown sha1 sha256
	imafs_ctl dump-all >before
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
	imafs_ctl add /four
	readers_read 'Stale file handle'
	expect_shown sha1 sha256
	! cmp -s before ever || fail 'nothing was reset'
	readers_stop
	expect_same before kept
	readers_start mnt/binary_runtime_measurements kept
	readers_read
	expect_code 0 export "${TPM[@]}"
	imafs_ctl add /five
	readers_read
	expect_shown sha1 sha256
}

# ---- when it does not know

@test "mount: in doubt the log ends, and nobody is told that it is all" {
	imafs_ctl violation /x 2
	expect_code 0 export "${TPM[@]}"
	imafs_ctl violation /x 2
	imafs_at before D kill
	imalog --root "$ROOT" export "${TPM[@]}"
	imafs_ctl violation /x 2
	# Nothing tells whether the pending segment is what is staged.
	mount_start --no-tpm
	cat "$STORE"/current/*.0000000? >certain
	run_to got cat mnt/binary_runtime_measurements
	expect_status 1
	expect_stderr 'Input/output error'
	expect_same certain got
	grep -q 'segment 2 is pending, and nothing tells' mount.err || fail 'it was not said'
	# The export decides, by the TPM; those who had read go on.
	exec 9<mnt/binary_runtime_measurements
	head -c "$(stat -c %s certain)" <&9 >got
	expect_code 0 export "${TPM[@]}"
	cat <&9 >>got
	imafs_ctl dump-all >ever
	expect_same ever got
	expect_shown sha1 sha256
}

@test "mount: records that are nowhere any more are not hidden by others" {
	imafs_ctl add /one
	mount_start "${TPM[@]}"
	exec 9<mnt/binary_runtime_measurements
	cat <&9 >got
	# Somebody takes them away, and keeps nothing
	echo A >"$IMA/binary_runtime_measurements_staged"
	echo D >"$IMA/binary_runtime_measurements_staged"
	imafs_ctl add /two
	run_to rest cat <&9
	expect_status 1
	run_to all cat mnt/binary_runtime_measurements
	expect_status 1
	grep -q 'in neither store nor kernel any more' mount.err || fail "$(cat mount.err)"
}

@test "mount: others have the lists open" {
	imafs_ctl add /one
	mount_start "${TPM[@]}" --wait 300ms
	exec 9<mnt/binary_runtime_measurements
	cat <&9 >got
	imafs_ctl add /two
	exec 8<>"$IMA/binary_runtime_measurements"
	# What is known can be read; whether it is all cannot be said.
	run_to rest cat <&9
	expect_status 1
	expect_stderr 'Device or resource busy'
	run_to rest cat mnt/binary_runtime_measurements
	expect_status 1
	expect_stderr 'Device or resource busy'
	grep -q 'is held open by' mount.err || fail 'by whom was not said'
	exec 8<&-
	cat <&9 >>got
	imafs_ctl dump-all >ever
	expect_same ever got
	# It has nothing open itself: others can write
	exec 8<>"$IMA/binary_runtime_measurements"
	exec 8<&-
}

@test "mount: the store's disk goes away and comes back" {
	imafs_ctl bulk 2000
	expect_code 0 export "${TPM[@]}"
	imafs_ctl add /two
	mount_start "${TPM[@]}"
	exec 9<mnt/ascii_runtime_measurements
	head -c 1000 <&9 >got
	mv "$STORE" "$STORE.gone"
	run timeout 20 cat mnt/ascii_runtime_measurements
	expect_status 1
	run_to rest timeout 20 cat <&9
	expect_status 1
	# What is mounted over is not the store, either
	mkdir "$STORE"
	run timeout 20 cat mnt/ascii_runtime_measurements
	expect_status 1
	grep -q 'the store .* is not there' mount.err || fail "$(cat mount.err)"
	rmdir "$STORE"
	mv "$STORE.gone" "$STORE"
	# What was read ahead, before it was gone, can be read all the same.
	cat rest - <&9 >>got
	imafs_ctl dump-all sha1 ascii >ever
	expect_same ever got
	expect_shown sha1 sha256
}

# ---- manners

@test "mount: in the background, it is there when the command is done" {
	mkdir mnt
	expect_code 0 mount "${TPM[@]}" mnt
	expect_no_stderr
	[ -s mnt/binary_runtime_measurements ] || fail 'nothing there'
	expect_shown sha1 sha256
	umount mnt
	[ -z "$(ls mnt)" ] || fail 'it is still there'
}

@test "mount: SIGTERM unmounts, also when files are open; readiness is told" {
	local pid
	mkfifo told
	"$PYTHON" -I -S -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("notify")
s.settimeout(60)
print("bound", flush=True)
print(s.recv(100).decode(), flush=True)
print(s.recv(100).decode(), flush=True)' >told 3>&- &
	pid=$!
	exec 8<told
	read -r -t 60 line <&8
	[ "$line" = bound ] || fail "$line"
	NOTIFY_SOCKET=$PWD/notify mount_start "${TPM[@]}"
	read -r -t 60 line <&8
	[ "$line" = READY=1 ] || fail "$line"
	exec 9<mnt/binary_runtime_measurements
	kill "$MOUNT_PID"
	wait "$MOUNT_PID" || fail "status $?"
	read -r -t 60 line <&8
	[ "$line" = STOPPING=1 ] || fail "$line"
	wait $pid
	! grep " $PWD/mnt " /proc/self/mountinfo || fail 'still mounted'
	MOUNT_PID=
}

@test "mount: what a killed one leaves is taken away by the next" {
	imafs_ctl add /one
	mount_start "${TPM[@]}"
	exec 9<mnt/binary_runtime_measurements
	kill -KILL "$MOUNT_PID"
	wait "$MOUNT_PID" || true
	run ls mnt
	expect_status 2
	imafs_ctl add /two
	mount_start "${TPM[@]}"
	expect_shown sha1 sha256
	expect_code 0 export "${TPM[@]}" --wait 1s
}

@test "mount: what a killed one leaves, under another name" {
	local name
	mkdir 'a b'
	ln -s 'a b' link
	imafs_ctl add /one
	for name in 'a b/' './a b' "$PWD/a b" link "$PWD/../${PWD##*/}/link" 'a b'; do
		"$IMALOG" --root "$ROOT" mount --foreground "${TPM[@]}" "$name" 3>&- &
		MOUNT_PID=$!
		until [ -e 'a b/violations' ]; do
			kill -0 "$MOUNT_PID" || fail "no mount on '$name'"
			sleep 0.02
		done
		expect_same "$IMA/binary_runtime_measurements" 'a b/binary_runtime_measurements'
		kill -KILL "$MOUNT_PID"
		wait "$MOUNT_PID" || true
	done
	[ "$(grep -c " $PWD/a.*fuse.imalog" /proc/self/mountinfo)" = 1 ] || fail 'more are left'
	umount 'a b'
	MOUNT_PID=
}

@test "mount: where it refuses to mount" {
	mkdir mnt
	expect_code 2 mount
	expect_usage_error mount
	expect_code 2 mount mnt other
	expect_code 2 mount --foreground --foreground mnt
	expect_code 2 mount --sysfs --no-tpm mnt
	touch mnt/file
	expect_code 4 mount mnt
	expect_stderr 'is not empty'
	expect_code 4 mount none
	expect_stderr "cannot open .*none': No such file"
	rm mnt/file
	expect_code 4 mount --store none mnt
	expect_stderr "there is no store '.*none'"
	echo "store = $PWD/none" >conf
	expect_code 4 mount --config conf mnt
	expect_stderr "there is no store '.*none'"
	mkdir empty
	run --separate-stderr "$IMALOG" --root "$PWD/empty" mount mnt
	expect_status 4
	expect_stderr 'cannot open .*security/ima'
	! grep " $PWD/mnt " /proc/self/mountinfo || fail 'mounted'
	mount_start -q --sysfs
	expect_code 4 mount mnt
	expect_stderr 'is not empty'
}

# ---- in the place of the kernel's files

@test "mount: for one program in the place of the kernel's files" {
	imafs_ctl bulk 20
	expect_code 0 export "${TPM[@]}"
	imafs_ctl add /two
	mount_start "${TPM[@]}"
	imafs_ctl dump-all >ever
	# As BindReadOnlyPaths= of its service does
	unshare -m sh -c 'mount --bind mnt "$1" && cat "$1/binary_runtime_measurements"' sh \
		"$IMA" >got
	expect_same ever got
	expect_code 0 export "${TPM[@]}"
	expect_shown sha1
}

@test "mount: in the place of the kernel's files for all, and imalog below another root" {
	local real=$PWD/real readers=()
	imafs_ctl bulk 20
	expect_code 0 export "${TPM[@]}"
	mkdir -p "$real/sys/kernel/security" "$real/proc" "$real/boot"
	mount --bind "$ROOT/sys/kernel/security" "$real/sys/kernel/security"
	mount --bind "$ROOT/proc" "$real/proc"
	cp "$ROOT"/boot/* "$real/boot/"
	ROOT=$real mount_start "${TPM[@]}" --store "$STORE"
	mount --bind mnt "$IMA"
	imafs_ctl add /two
	imafs_ctl dump-all >ever
	expect_same ever "$IMA/binary_runtime_measurements"
	run --separate-stderr "$IMALOG" --root "$real" export --store "$STORE" "${TPM[@]}"
	expect_status 0
	expect_same ever "$IMA/binary_runtime_measurements"
	umount "$IMA"
	mount_stop
	# Without the other root it would look at itself
	mount_start "${TPM[@]}"
	mount --bind mnt "$IMA"
	run timeout 20 cat "$IMA/binary_runtime_measurements"
	expect_status 1
	for _ in {1..30}; do
		timeout 20 cat "$IMA/violations" >/dev/null 2>&1 3>&- &
		readers+=($!)
	done
	run timeout 20 cat mnt/violations
	expect_status 1
	wait "${readers[@]}" || true
	umount "$IMA"
	expect_shown sha1
	umount "$real/proc" "$real/sys/kernel/security"
}

# ---- the manual

@test "mount: the examples of imalog-mount.1" {
	imafs_ctl add /one
	expect_code 0 export "${TPM[@]}"
	imafs_ctl add /two
	mkdir bin
	ln -s "$IMALOG" bin/imalog
	PATH=$PWD/bin:$PATH
	example imalog-mount.1 '# mkdir -p /run/imalog/ima' 'mkdir -p ima'
	example imalog-mount.1 '# imalog mount /run/imalog/ima' 'imalog mount ima'
	expect_status 0
	example imalog-mount.1 '# cat /run/imalog/ima/runtime_measurements_count' \
		'cat ima/runtime_measurements_count'
	[ "$output" = 3 ] || fail 'three records expected'
	example imalog-mount.1 '# imalog replay --tpm /run/imalog/ima/binary_runtime_measurements' \
		'imalog replay --tpm --pcr 10 ima/binary_runtime_measurements'
	expect_status 0
	example imalog-mount.1 '# umount /run/imalog/ima' 'umount ima'
	expect_status 0
	# The unit is looked at by dist.bats
	example imalog-mount.1 '# systemctl enable --now imalog-mount.service' true
}
