#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Others who stage and delete at the worst moment, and places and files that are not what
# they were: nothing is deleted that is not on the disk, and nothing is taken for proved.

load helpers
load swtpm
load imafs
load faults
load export

setup() {
	make_machine
}

teardown() {
	local mount
	for mount in "$BATS_TEST_TMPDIR/disk" "${STORE-}/epoch-000001/receipts" "${STORE-}"; do
		umount -l "$mount" 2>/dev/null || true
	done
	stop_machine
}

# other REQUEST...: somebody else's, on the staged list
other() {
	local request
	for request; do
		printf '%s\n' "$request" 1<>"$IMA/binary_runtime_measurements_staged"
	done
}

# Without a TPM what is in doubt is there twice; but nothing is lost.
expect_nothing_lost() {
	local part=$STORE/current
	cat "$part"/log.* "$IMA/binary_runtime_measurements_staged" \
		"$IMA/binary_runtime_measurements" >all
	imafs_ctl dump-all >ever
	"$PYTHON" - all ever <<-'END' || fail 'something is lost'
		import struct, sys
		def records(path):
		    data, at, found = open(path, "rb").read(), 0, []
		    while at < len(data):
		        end = at + 28 + struct.unpack_from("<I", data, at + 24)[0]
		        end += 4 + struct.unpack_from("<I", data, end)[0]
		        found.append(data[at:end])
		        at = end
		    return found
		have = iter(records(sys.argv[1]))
		sys.exit(not all(record in have for record in records(sys.argv[2])))
	END
}

# Two violations are saved, in state $1, and still staged.
prepare() {
	expect_code 0 export
	imafs_ctl violation /x 2
	case $1 in
	saved)
		expect_code 0 stage
		expect_code 0 save
		;;
	failed)
		imafs_at before D fail EIO
		expect_code 4 export
		;;
	esac
	[ "$(segments)" = 'log.00000001 pending.00000002' ] || fail "$(segments)"
}

# ---- others at work

@test "export others: what is saved was deleted, and staged is the same once more" {
	local state
	for state in saved failed; do
		[ "$state" = saved ] || renew_machine
		prepare "$state"
		other D
		imafs_ctl violation /x 2
		other A
		expect_code 0 confirm
		expect_proved
	done
}

renew_machine() {
	imafs_stop
	stop_swtpm tpm
	rm -rf tpm root
	start_swtpm tpm sha1,sha256
	imafs_start root --tcti "$TPM2TOOLS_TCTI"
	mkdir -p "${STORE%/*}"
}

@test "export others: the same, without a TPM" {
	stop_swtpm tpm
	unset TPM2TOOLS_TCTI
	imafs_stop
	imafs_start plain
	rm -rf plain/sys/class
	STORE=$ROOT/var/lib/imalog
	mkdir -p "${STORE%/*}"
	expect_code 0 export --no-tpm
	imafs_ctl violation /x 2
	imafs_at before D fail EIO
	expect_code 4 export --no-tpm
	other D
	imafs_ctl violation /x 2
	other A
	expect_code 1 export --no-tpm
	expect_stderr 'nothing tells whether they are the same records: both are kept'
	expect_nothing_lost
	# Nobody else was there: it is not kept twice.
	imafs_ctl violation /x 2
	imafs_at before D fail EIO
	expect_code 4 export --no-tpm
	imafs_ctl violation /x 2
	expect_code 0 export --no-tpm
	cat "$STORE"/current/log.* >all
	imafs_ctl dump-all >ever
	[ "$(stat -c %s all)" = "$(stat -c %s ever)" ] || fail 'it is there twice'
}

@test "export others: while it is about to take the lists" {
	prepare saved
	imafs_at before open-write stall
	"$IMALOG" --root "$ROOT" confirm 2>err &
	until [ -n "$(imafs_ctl stalled)" ]; do sleep 0.05; done
	other D
	imafs_ctl violation /x 2
	other A
	imafs_ctl resume
	wait $! || fail "status $?: $(cat err)"
	expect_proved
}

@test "export others: save says what is saved, not what has the same bytes" {
	prepare saved
	expect_code 0 save
	[ "$(segments)" = 'log.00000001 pending.00000002' ] || fail "$(segments)"
	other D
	imafs_ctl violation /x 2
	other A
	expect_code 0 save
	[ -e "$STORE/current/pending.00000003" ] || fail "$(segments)"
	expect_code 0 confirm
	expect_proved
}

# ---- what does not fit

@test "export others: confirm says what export says" {
	prepare saved
	imafs_ctl add /later
	expect_code 0 confirm
	expect_no_stderr
	expect_code 0 export
	imafs_ctl extend 10 foreign
	imafs_ctl add /one
	expect_code 0 stage
	expect_code 0 save
	expect_code 1 confirm
	expect_stderr "does not lead to the TPM's values"
	[ "$(wc -c <"$IMA/binary_runtime_measurements_staged")" = 0 ] || fail 'not deleted'
	imafs_ctl set bad-digests 1
	imafs_ctl add /bad
	expect_code 0 stage
	expect_code 0 save log.1
	expect_code 1 confirm log.1
	expect_stderr 'the digest of record 6 does not fit its data'
	expect_all
}

@test "export others: the only new record never reached the TPM" {
	expect_code 0 export
	imafs_ctl set tpm-errors 1
	imafs_ctl add /lost || true
	expect_code 1 export
	expect_stdout 'segment 2: 1 record from 2, [0-9]+ bytes: not-checked$'
	expect_stderr "segment 2: the log does not lead to the TPM's values"
	expect_all
}

@test "export others: a store that is new, since the disk of the other is not mounted" {
	expect_code 0 export
	mv "$STORE" mounted
	imafs_ctl add /one
	expect_code 1 export
	expect_stderr "segment 1: the log does not lead .*, or records before it are in another store: is this the right one, and its disk mounted\?$"
	rm -r "$STORE"
	mv mounted "$STORE"
	imafs_ctl extend 10 foreign
	imafs_ctl add /two
	expect_code 1 export
	expect_stderr 'or somebody else extended a PCR$'
}

# ---- a kexec

# Killed after the kernel was asked for, twice: two segments with the same records
pending_twice() {
	local i
	expect_code 0 export
	imafs_ctl violation /x 2
	for i in 1 2; do
		imafs_at before D kill
		imalog --root "$ROOT" export
	done
	[ "$(segments)" = 'log.00000001 pending.00000002 pending.00000003' ] ||
		fail "$(segments)"
}

@test "export others: killed twice, and a kexec that carries or loses the list" {
	pending_twice
	imafs_ctl kexec carried
	imafs_ctl violation /x 2
	expect_code 0 export
	expect_proved
	renew_machine
	pending_twice
	imafs_ctl kexec lost
	imafs_ctl violation /x 2
	expect_code 0 export
	expect_proved
}

@test "export others: killed twice, and a reset" {
	local old
	pending_twice
	imafs_ctl dump-all >old
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
	expect_code 0 export
	cat "$STORE"/epoch-000001/log.* >log
	expect_same old log
	expect_proved
}

@test "export others: killed before the receipt, and a kexec that loses the list" {
	need_strace
	expect_code 0 export
	imafs_ctl violation /x 2
	imafs_ctl add /one
	faults_strace -e trace=renameat -e inject=renameat:signal=SIGKILL:when=1 \
		-o trace -- --root "$ROOT" export
	[ -s "$STORE/current/pending.00000002" ] || fail "$(segments)"
	[ ! -e "$STORE/current/receipts/00000002.json" ] || fail 'too late'
	imafs_ctl kexec lost
	imafs_ctl violation /x 2
	expect_code 0 export -v
	expect_stderr 'segment 2 is the only copy of its records'
	expect_proved
}

# ---- damage

@test "export others: the file of a segment is not what was saved" {
	prepare saved
	truncate -s 0 "$STORE/current/pending.00000002"
	expect_code 0 confirm
	expect_proved
	imafs_ctl violation /x 2
	imafs_at before D fail EIO
	expect_code 4 export
	truncate -s 10 "$STORE"/current/pending.*
	expect_code 0 export -v
	expect_stderr 'note: the file of segment [0-9] was damaged'
	expect_proved
	# When it is in the kernel no more, it is not called saved.
	imafs_ctl add /one
	expect_code 0 stage
	expect_code 0 save
	other D
	truncate -s 10 "$STORE"/current/pending.*
	imafs_ctl add /two
	expect_code 4 export
	expect_stderr 'segment [0-9] of epoch 1 is damaged'
	[ "$(imafs_stat current)" = 1 ] || fail 'deleted'
}

@test "export others: a receipt that cannot be written leaves nothing behind" {
	need_strace
	local i
	expect_code 0 export
	imafs_ctl violation /x 2
	for i in 1 2 3; do
		faults_strace -e trace=renameat -e inject=renameat:error=ENOSPC \
			-o trace -- --root "$ROOT" export
		expect_status 4
		[ "$(segments)" = log.00000001 ] || fail "$(segments)"
	done
	expect_code 0 export
	[ "$(segments)" = 'log.00000001 log.00000002' ] || fail "$(segments)"
	expect_proved
}

# ---- places

@test "export others: a store that a link or a mount leads to memory" {
	mkdir disk
	mount -t tmpfs none disk || skip 'that takes the right to mount'
	mkdir disk/store
	ln -s disk/store link
	expect_code 4 export --store link
	expect_stderr "'link': it is on tmpfs"
	[ "$(imafs_stat current)" = 1 ] || fail 'deleted'
	expect_code 0 export
	imafs_ctl add /one
	mount -t tmpfs none "$STORE/epoch-000001/receipts"
	cp -a disk/. "$STORE/epoch-000001/receipts"
	expect_code 4 export
	expect_stderr 'it is on tmpfs'
	umount "$STORE/epoch-000001/receipts"
	expect_code 0 export
	expect_proved
	# And a link to where things last is as good.
	rm link
	ln -s "$STORE" link
	imafs_ctl add /two
	expect_code 0 export --store link
	expect_proved
}

@test "export others: directories that somebody made a moment before are made durable" {
	need_strace
	local dir
	mkdir "$STORE"
	faults_strace -y -e trace=fsync -o trace -- --root "$ROOT" export
	expect_status 0
	for dir in "$STORE/epoch-000001/receipts" "$STORE/epoch-000001" "$STORE" \
		"${STORE%/*}" "${STORE%/*/*}"; do
		awk -v dir="<$dir>)" '/D\\n/ { exit } index($0, dir) { found = 1 }
			END { exit !found }' trace || fail "$dir: $(cat trace)"
	done
}

@test "export others: the link to the epoch is made whenever it is missing" {
	need_strace
	faults_strace -e trace=symlinkat -e inject=symlinkat:signal=SIGKILL:when=1 \
		-o trace -- --root "$ROOT" export
	[ -d "$STORE/epoch-000001" ] && [ ! -e "$STORE/current" ] || fail 'too late'
	expect_code 0 export
	[ "$(readlink "$STORE/current")" = epoch-000001 ] || fail 'no link'
	expect_proved
	rm "$STORE/current"
	imafs_ctl add /one
	expect_code 0 export
	expect_proved
}
