#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# export: long lists in pieces, and kernels that cannot stage: the first records are
# read and deleted where they are.

load helpers
load swtpm
load imafs
load export

setup() {
	make_machine
}

teardown() {
	exec 9<&-
	stop_machine
}

# A kernel that cannot stage, and a TPM that was reset
without_staging() {
	imafs_stop
	stop_swtpm tpm
	start_swtpm tpm
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --no-staging
}

# requests WHAT: how many requests of that sort there were, such as [0-9]+
requests() {
	imafs_ctl log | grep -cE "write .* \"$1\\\\n\" = [0-9]+\$" || true
}

# The log in the store and the list are all that was measured, and lead to the TPM.
expect_proved_without_staging() {
	cat "$STORE"/current/log.* "$IMA/binary_runtime_measurements" >all
	imafs_ctl dump-all >ever
	expect_same ever all 'something is lost, or double'
	expect_code 0 store check --tcti "$TPM2TOOLS_TCTI" -q
	expect_code 0 replay --tcti "$TPM2TOOLS_TCTI" --pcr 10 -q all
}

@test "slices: pieces of a long list, and the rest is staged" {
	imafs_ctl violation /x 9
	expect_code 0 export --slice 4
	expect_stdout '^epoch 1, segment 1: 4 records from 1, [0-9]+ bytes: not-checked$' \
		'^epoch 1, segment 3: 2 records from 9, [0-9]+ bytes: match after record 10$'
	expect_no_stderr
	[ "$(segments)" = 'log.00000001 log.00000002 log.00000003' ] || fail "$(segments)"
	[ "$(requests '[0-9]+') $(requests A) $(requests D)" = '2 1 1' ] || fail 'other requests'
	expect_proved
	# A list that is not longer is one piece, and so is any with 0
	imafs_ctl log clear
	imafs_ctl violation /x 4
	expect_code 0 export --slice 4
	imafs_ctl violation /x 9
	expect_code 0 export --slice 0
	[ "$(requests '[0-9]+') $(requests A) $(requests D)" = '0 2 2' ] || fail 'other requests'
	expect_proved
	imafs_single 2
	imalog --root "$ROOT" export --slice x
	expect_usage_error export
}

@test "slices: behind what is staged, and not under ima_flush_htable" {
	imafs_ctl violation /x 3
	expect_code 0 stage
	imafs_ctl violation /x 6
	expect_code 0 export --slice 2
	[ "$(requests '[0-9]+') $(requests A) $(requests D)" = '2 2 2' ] || fail 'other requests'
	expect_proved
	imafs_stop
	stop_swtpm tpm
	start_swtpm tpm
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --flush-htable
	imafs_ctl violation /x 6
	expect_code 0 export --slice 2
	[ "$(requests '[0-9]+')" = 0 ] || fail 'a number was written'
	expect_all
}

@test "slices: records that come meanwhile, and a number that is wrong" {
	imafs_ctl violation /x 5
	imafs_at after N violation /x 3
	imafs_at after open-write violation /x 1
	expect_code 0 export --slice 2
	expect_proved
	imafs_ctl violation /x 5
	imafs_ctl set count 1
	expect_code 0 export --slice 2
	imafs_ctl violation /x 2
	imafs_ctl set count 100
	expect_code 0 export --slice 5
	imafs_ctl set count off
	expect_proved
	[ ! -s "$IMA/binary_runtime_measurements" ] || fail 'not deleted'
}

@test "slices: killed before and after each request" {
	local when skip
	expect_code 0 export
	for when in before after; do
		for skip in 0 1 2; do
			imafs_ctl violation /x 7
			imafs_at "$when" "N:$skip" kill
			imalog --root "$ROOT" export --slice 2
			[ "$status" = 137 ] || fail "status $status"
			imafs_ctl violation /x 2
			# Finished in pieces of any size
			expect_code 0 export --slice $((skip * 3))
			expect_proved
		done
	done
	imafs_single 2
}

@test "slices: 100,000 records" {
	imafs_ctl bulk 100000
	imafs_ctl event-size big 65536
	imafs_ctl violation /x 3
	expect_code 0 export
	[ "$(requests 20000) $(requests A)" = '5 1' ] || fail 'other requests'
	expect_proved
	imafs_single 2
}

@test "slices: a kernel that cannot stage" {
	without_staging
	imafs_ctl violation /x 5
	expect_code 0 export
	expect_stdout '^epoch 1, segment 1: 6 records from 1, [0-9]+ bytes: match after record 6$'
	expect_no_stderr
	[ "$(requests 6)" = 1 ] || fail 'not one request'
	expect_proved_without_staging
	[ ! -s "$IMA/binary_runtime_measurements" ] || fail 'not deleted'
	expect_code 0 export -v
	expect_stdout '^nothing to do$'
	imafs_ctl violation /x 5
	expect_code 0 export --slice 2 --min-records 3
	expect_proved_without_staging
	imafs_ctl kexec carried
	expect_code 0 export
	expect_proved_without_staging
	imafs_single
	# What needs staging says so
	expect_code 4 stage
	expect_stderr 'built without CONFIG_IMA_STAGING'
}

@test "slices: a kernel that cannot stage, and that is interrupted" {
	local when
	without_staging
	expect_code 0 export
	for when in before after; do
		imafs_ctl violation /x 3
		imafs_at "$when" N kill
		imalog --root "$ROOT" export
		imafs_ctl violation /x 3
		expect_code 0 export
		expect_proved_without_staging
	done
	imafs_ctl violation /x 3
	imafs_at before N suspend kexec
	expect_code 4 export
	expect_stderr 'going down'
	imafs_ctl kexec carried
	expect_code 0 export
	expect_proved_without_staging
}

@test "slices: a kernel that cannot stage, and a record that never reached the TPM" {
	without_staging
	expect_code 0 export
	imafs_ctl set tpm-errors 1
	imafs_ctl add /lost || true
	imafs_ctl violation /x 3
	expect_code 1 export --slice 3
	expect_stderr "the log does not lead to the TPM's values"
	[ ! -s "$IMA/binary_runtime_measurements" ] || fail 'not deleted'
}
