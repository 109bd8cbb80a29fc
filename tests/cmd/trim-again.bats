#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# trim, interrupted: what it was to delete, nobody else deletes who was not told to.

load helpers
load swtpm
load imafs
load export
load trim

setup() {
	make_machine
}

teardown() {
	stop_machine
}

# What each trim takes are violations, before and behind which are others.
@test "trim: killed before its request: what it was to delete counts" {
	export_and_measure 6
	kill_trim before 3
	expect_code 4 trim 2
	expect_stderr 'has saved the first 3 records of the list, more than the 2 to be deleted: nothing is deleted; imalog trim 3 or imalog export finishes it'
	expect_no_stdout
	left 6
	expect_code 0 trim 5
	expect_stderr '^imalog: note: segment 2: an earlier run had saved it and deleted nothing'
	expect_stdout '^epoch 1, segment 3: 5 records from 5,'
	left 1
	expect_all
	expect_code 0 export
	expect_proved
	imafs_single 2
}

@test "trim: killed after its request: the next one counts from what is the first now" {
	export_and_measure 6
	kill_trim after 2
	expect_code 0 trim 1
	expect_stderr '^imalog: note: segment 2: an earlier run had saved it, and it is finished now$'
	expect_stdout '^epoch 1, segment 2: 2 records from 5,' 'segment 3: 1 record from 7,'
	left 3
	expect_all
	kill_trim after 1
	expect_code 0 trim -q 1
	expect_no_stderr
	left 1
	expect_code 0 export
	expect_proved
}

@test "trim: killed, and no TPM to say whether it was deleted" {
	local when
	imafs_ctl violation /x 3
	expect_code 0 export
	for when in before after; do
		imafs_ctl violation /x 6
		kill_trim "$when" --no-tpm 3
		left "$([ "$when" = before ] && echo 6 || echo 3)"
		expect_code 4 trim --no-tpm 2
		expect_stderr 'nothing tells whether an interrupted run has deleted its records'
		expect_code 4 trim --no-tpm --to-record 9
		expect_stderr 'nothing is deleted now; imalog export takes all of them'
		left "$([ "$when" = before ] && echo 6 || echo 3)"
		expect_code 0 export
		expect_proved
	done
}

@test "trim: killed, and then an export" {
	local when
	imafs_ctl violation /x 3
	expect_code 0 export
	for when in before after; do
		imafs_ctl violation /x 4
		kill_trim "$when" 2
		imafs_ctl violation /x 2
		expect_code 0 export
		expect_proved
	done
}

@test "trim: killed, and others stage or delete the same" {
	local other
	imafs_ctl violation /x 3
	expect_code 0 export
	for other in A 2; do
		imafs_ctl violation /x 4
		kill_trim before 2
		if [ "$other" = A ]; then
			echo A >"$IMA/binary_runtime_measurements_staged"
			expect_refused_while_staged
		else
			echo 2 >"$IMA/binary_runtime_measurements"
		fi
		imafs_ctl violation /x 2
		expect_code 0 export
		expect_proved
	done
}

expect_refused_while_staged() {
	expect_code 4 trim 1
	expect_stderr 'records are staged'
}

@test "trim: a second process at every point" {
	local point
	imafs_ctl violation /x 3
	expect_code 0 export
	for point in 'before N' 'after N' 'after open-write@*_sha1_staged' \
		'before flush@*_sha1'; do
		imafs_ctl violation /x 4
		# shellcheck disable=SC2086 # WHEN OP
		imafs_at $point stall
		"$IMALOG" --root "$ROOT" trim 2 >out 2>&1 3>&- &
		imafs_ctl await >stalled
		# Whoever comes now has to wait, whatever he wants
		! echo A 2>/dev/null >"$IMA/binary_runtime_measurements_staged" || fail staged
		! echo 2 2>/dev/null >"$IMA/binary_runtime_measurements" || fail deleted
		! cat "$IMA/binary_runtime_measurements" 2>/dev/null || fail read
		expect_code 4 trim --wait 0 1
		expect_code 4 export --wait 0
		imafs_ctl violation /x 1
		imafs_ctl resume
		wait $! || fail "$point: $(cat out)"
		left 3
		expect_all
		expect_code 0 export
		expect_proved
	done
}

@test "trim: the kernel says no" {
	local errno
	imafs_ctl violation /x 6
	for errno in EINVAL ENOENT ESTALE EIO; do
		imafs_at before N fail "$errno"
		expect_code 4 trim 2
		[ "$(segments)" = pending.00000001 ] || fail "$(segments)"
		left 7
	done
	expect_code 4 trim 1
	expect_stderr 'the first 2 records of the list, more than the 1 to be deleted'
	expect_code 0 trim 2
	left 5
	expect_code 0 export
	expect_proved
}

@test "trim: when the machine goes down" {
	export_and_measure 4
	imafs_at before N suspend kexec
	expect_code 4 trim -v 2
	expect_stderr 'segment 2 is saved and stays pending' \
		'the machine is going down, and a kexec may take the records along'
	imafs_ctl kexec carried
	# Two that are saved, two others, and the boot_aggregate
	expect_code 4 trim 1
	expect_stderr 'nothing is deleted; imalog trim 2'
	left 5
	expect_code 0 trim 3
	left 2
	expect_all
	expect_code 0 export
	expect_proved
	imafs_ctl violation /x 2
	imafs_at before N suspend kexec
	expect_code 4 trim 2
	imafs_ctl kexec lost
	expect_code 0 export
	expect_proved
}
