#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# save and confirm with the store of the machine.

load helpers
load imafs

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	imafs_start root
	case $(stat -f -c %T .) in
	tmpfs | ramfs | overlayfs | fuse*)
		skip "'$PWD' is where nothing lasts: set TMPDIR to a place on a disk"
		;;
	esac
	[ -z "${IMALOG_TEST_ROOT-}" ] || skip 'not with the store of this machine'
	STORE=$ROOT/var/lib/imalog
}

teardown() {
	exec 9<&-
	umount -l "$BATS_TEST_TMPDIR/memory" 2>/dev/null || true
	imafs_stop
}

expect_code() {
	local want=$1
	shift
	imalog --root "$ROOT" "$@"
	expect_status "$want" "$*"
}

# One segment in the store, and nothing in the kernel
make_store() {
	mkdir -p "$STORE"
	expect_code 0 stage
	expect_code 0 save
	expect_code 0 confirm
}

# The store, and what the kernel has, are everything that was measured.
expect_all() {
	cat "$STORE"/current/log.* "$IMA/binary_runtime_measurements_staged" \
		"$IMA/binary_runtime_measurements" >all
	imafs_ctl dump-all >ever
	expect_same ever all 'something is lost, or double'
}

@test "staging and store: without a store a FILE is needed" {
	local command
	for command in save confirm; do
		expect_code 2 "$command"
		expect_usage_error "$command"
		expect_stderr "no store.*give .*FILE.*imalog export"
		expect_code 4 "$command" --store none
		expect_stderr "there is no store 'none'"
	done
	expect_code 0 stage
	expect_code 0 save log.1
	expect_code 4 confirm --store none log.1
	expect_stderr "there is no store 'none': 'imalog export' makes one"
	expect_code 4 confirm --store none/store log.1
	expect_stderr "there is no store 'none/store'"
	[ ! -e none ] && [ ! -e "$STORE" ] || fail 'a store was made'
}

@test "staging and store: saved as pending, confirmed as a segment" {
	make_store
	imafs_ctl add /one
	expect_code 1 save
	expect_code 1 confirm
	expect_code 0 stage
	expect_code 4 confirm
	expect_code 0 save -v
	expect_code 0 save
	expect_same "$IMA/binary_runtime_measurements_staged" "$STORE/current/pending.00000002"
	expect_code 0 confirm -v
	[ ! -e "$STORE/current/pending.00000002" ] || fail 'still pending'
	expect_code 1 confirm
	expect_code 1 save
	expect_all
	imafs_single 2
}

@test "staging and store: a store elsewhere" {
	mkdir elsewhere
	expect_code 0 stage
	expect_code 0 save --store elsewhere
	expect_code 0 confirm --store elsewhere
	imafs_ctl dump-all >ever
	expect_same ever elsewhere/current/log.00000001
	[ ! -e "$STORE" ] || fail 'another store'
}

@test "staging and store: what the configuration says" {
	mkdir "$ROOT/etc" elsewhere
	printf 'store = %s\nwait = 0s\n' "$PWD/elsewhere" >"$ROOT/etc/imalog.conf"
	expect_code 0 stage
	expect_code 0 save
	expect_code 0 confirm
	imafs_ctl dump-all >ever
	expect_same ever elsewhere/current/log.00000001
	printf 'store = %s\n' "$PWD/none" >none.conf
	expect_code 4 save --config none.conf
	imafs_ctl add /one
	expect_code 0 stage --config none.conf
	expect_code 0 save --config none.conf log.1
	expect_code 4 confirm --config none.conf log.1
	expect_stderr 'no store'
	echo nonsense >wrong.conf
	expect_code 3 stage --config wrong.conf
	expect_code 3 confirm --config wrong.conf log.1
	expect_code 4 save --config missing.conf log.2
}

@test "staging and store: a loose FILE goes into the store before it is confirmed" {
	make_store
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 0 save log.1
	head -c -1 log.1 >shorter
	expect_code 4 confirm shorter
	expect_code 0 confirm log.1
	expect_same log.1 "$STORE/current/log.00000002"
	expect_all
	# The same bytes, and other records
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 4 save log.1
	expect_stderr 'nothing proves'
	expect_code 0 save log.2
	expect_code 0 confirm log.2
	expect_all
	imafs_single 2
}

@test "staging and store: a damaged store is one all the same" {
	make_store
	imafs_ctl add /one
	expect_code 0 stage
	expect_code 0 save log.1
	mv "$STORE/epoch-000001" away
	expect_code 4 confirm log.1
	expect_stderr "the link 'current' leads to no epoch"
	mv away "$STORE/epoch-000001"
	# A disk that is not mounted
	mv "$STORE" away
	ln -s nowhere "$STORE"
	expect_code 4 confirm log.1
	expect_stderr 'cannot open the store'
	rm "$STORE"
	mv away "$STORE"
	expect_same log.1 "$IMA/binary_runtime_measurements_staged" 'deleted'
	expect_code 0 confirm log.1
	expect_same log.1 "$STORE/current/log.00000002"
	expect_all
}

@test "staging and store: a FILE beside what is pending already" {
	make_store
	imafs_ctl add /one
	expect_code 0 stage
	expect_code 0 save
	expect_code 0 save log.1
	expect_code 0 confirm log.1
	expect_all
	[ "$(echo "$STORE"/current/log.*)" = \
		"$STORE/current/log.00000001 $STORE/current/log.00000002" ] || fail 'twice'
}

@test "staging and store: a FILE that was compared with nothing is not confirmed" {
	make_store
	imafs_ctl add /one
	imafs_at after D kill
	imalog --root "$ROOT" export
	imafs_ctl clear
	[ -e "$STORE/current/pending.00000002" ] || fail 'not interrupted'
	echo hello >unrelated
	expect_code 1 confirm -v unrelated
	expect_no_stdout
	expect_stderr 'nothing is staged'
	# What was interrupted is finished all the same.
	[ -e "$STORE/current/log.00000002" ] || fail 'not finished'
	expect_all
}

@test "staging and store: a busy store is waited for" {
	make_store
	imafs_ctl add /one
	exec 9<"$STORE/lock"
	flock 9
	expect_code 0 stage
	expect_code 4 save --wait 0
	expect_code 4 confirm --wait 100ms
	imafs_ctl log clear
	expect_code 4 confirm --wait 0
	[ -z "$(imafs_ctl log)" ] || fail "the kernel's lock was taken before the store's"
	exec 9<&-
	expect_code 0 save
	expect_code 0 confirm
	expect_all
}

@test "staging and store: a store that a power cut erases is not enough" {
	mkdir memory
	mount -t tmpfs tmpfs memory || skip 'that takes the right to mount'
	expect_code 0 stage
	imalog --root "$ROOT" save --store memory
	imalog --root "$ROOT" confirm --store memory
	expect_status 4
	expect_stderr tmpfs
	imafs_ctl dump-all >ever
	expect_same ever "$IMA/binary_runtime_measurements_staged"
}

@test "staging and store: which TPM is asked, and one that is no more" {
	make_store
	imafs_ctl kexec carried
	imafs_ctl add /one
	expect_code 0 stage
	expect_code 2 save --sysfs --no-tpm
	expect_usage_error save
	expect_code 2 confirm --tcti x --no-tpm
	expect_usage_error confirm
	# It is saved and deleted all the same, but that nobody compared it is said.
	expect_code 0 save --tcti nonsense
	expect_stderr 'nothing is compared with the TPM: '
	expect_code 4 confirm -q --tcti nonsense
	expect_stderr 'nothing is compared with the TPM: '
	expect_all
	imafs_ctl add /two
	expect_code 0 stage
	expect_code 0 save --no-tpm
	expect_no_stderr
	expect_code 0 confirm --no-tpm
	expect_no_stderr
	expect_all
	imafs_ctl add /three
	expect_code 0 stage
	expect_code 0 save --sysfs
	expect_code 0 confirm --sysfs
	expect_code 0 store list
	expect_stdout ' match'
	expect_all
}

@test "staging and store: what does not fit is deleted, and said" {
	make_store
	imafs_ctl set bad-digests 1
	imafs_ctl add /bad
	expect_code 0 stage
	expect_code 0 save
	expect_code 1 confirm
	expect_stderr 'the digest of record 2 does not fit its data'
	expect_all
}

@test "staging and store: when the machine goes down the segment stays pending" {
	make_store
	imafs_ctl add /one
	expect_code 0 stage
	expect_code 0 save
	imafs_ctl suspend kexec
	expect_code 4 confirm
	expect_stderr 'going down'
	[ -e "$STORE/current/pending.00000002" ] || fail 'not pending any more'
	expect_all
}
