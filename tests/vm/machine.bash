# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is true of every kernel after the scenario "machine". Loaded after vm.bash and
# helpers.bash.

# count_of NAME: a number that the guest has left
count_of() {
	cat "$BATS_FILE_TMPDIR/out/$1"
}

# The list agrees with the TPM in three banks while files are measured.
check_busy() {
	local i
	[ "$(count_of busy-after)" -gt $(($(count_of busy-before) + 29)) ] ||
		fail 'nothing was measured meanwhile'
	for i in 1 2 3; do
		for how in sysfs tcti; do
			vm_step busy-$how-$i
			expect_status 0 "$how, $i"
			expect_json "[c['verdict'] for c in d['checks']] == ['match'] * 3"
		done
	done
}

# When there is no moment in between, it does not know; but never is anything wrong.
check_flood() {
	local i
	[ "$(count_of flood-after)" -gt $(($(count_of busy-after) + 50)) ] ||
		fail 'too little was measured'
	for i in 1 2; do
		for how in sysfs tcti; do
			vm_step flood-$how-$i
			[ "$status" -eq 0 ] || expect_status 4 "$how, $i"
		done
	done
}

# Twenty replays: they measure nothing that was not measured before.
check_idle() {
	[ "$(count_of idle-before)" = "$(count_of idle-after)" ] ||
		fail "$(count_of idle-before) records before, $(count_of idle-after) after"
}

check_boot_aggregate() {
	vm_step boot-aggregate
	expect_status 0
	expect_stdout '^The boot_aggregate in record 1 fits what the firmware measured'
}

# The two that were made, as the kernel counts them
check_violations() {
	[ "$(count_of violations)" = 2 ] || fail 'other violations'
	vm_step replay
	expect_status 0
	expect_json "d['violations'] == 2"
	imalog show --json out/list
	expect_status 0
	expect_json "['/vm/written', '/vm/read'] ==
		[r['fields']['n-ng'] for r in rows if r.get('violation')]"
}

# Some records are behind the quote, and none that it covers is missing.
check_quote() {
	vm_step quote-c0ffee
	expect_status 0
	expect_json "d['covers'] == $(count_of quoted) < d['records']" "d['verdict'] == 'ok'"
	vm_step quote-c0ffed
	expect_status 1
	expect_json "d['checks']['nonce'] == 'fail'"
}

# check_list PADDING: the values of the whole list, computed by others, are those of the
# TPM, with this padding in the bank sha384; and its lines are those that the kernel writes.
check_list() {
	local bank
	mklog pcrs --bank sha1 --bank sha256 out/list >computed
	mklog pcrs --bank sha384 --padding "$1" out/list >>computed
	for bank in sha1 sha256 sha384; do
		grep -qix "$(grep "^$bank:10=" computed)" out/values || fail "$bank: other values"
	done
	imalog_to ascii convert -t ascii out/list
	expect_status 0
	expect_same ascii out/list.ascii
	vm_step replay
	expect_status 0
	expect_json "[c['bank'] for c in d['checks']] == ['sha1', 'sha256', 'sha384']" \
		"d['checks'][2]['padding'] == '$1'"
}

# check_status KEXEC: everything is well, and does a kexec take the list along?
check_status() {
	vm_step status
	expect_status 0
	expect_json "d['log']['verdict'] == 'match'" "d['log']['records'] == d['list']['records']" \
		"d['kernel']['staging'] is False" "d['kernel']['kexec'] is $1" \
		"d['list']['violations'] == 2"
}

# Neither has it been changed, nor a store begun.
check_export() {
	local command
	for command in export stage; do
		vm_step $command
		expect_status 4
		expect_no_stdout
		expect_stderr 'cannot stage its measurement list: .* CONFIG_IMA_STAGING$'
	done
	vm_step trim
	expect_status 4
	expect_no_stdout
	expect_stderr 'Linux 7.2'
	grep -q 'No such file' out/store || fail 'there is a store'
}
