#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog kexec-prepare: whether a kexec carries the list over, and that nothing is lost if not.

load helpers
load imafs
load kexec

# ---- before the other kernel is loaded

@test "kexec-prepare: exports, keeps the rest, and says with what the next list begins" {
	start
	imafs_ctl bulk 20 /early/
	imafs_at after D bulk 6 /between/
	prepare 0
	expect_no_stderr
	expect_stdout '^epoch 1, segment 1: 21 records from 1, .*: match after record 21$' \
		'^epoch 1, segment 2: 6 records from 22, .*: match after record 27$' \
		'^List:  6 records of 6[0-9]+ bytes$' '^Room:  4096 bytes \(estimate\)$' \
		'records 22 to 27 of epoch 1$' '^A kexec carries the list over\.$' \
		"SHA-256 $(sha256sum <"$STORE/current/pending.00000002" | cut -d ' ' -f 1)"
	expect_same "$STORE/current/pending.00000002" \
		<(cat "$IMA"/binary_runtime_measurements{_staged,})
	# Once more: the six go, and nothing is left.
	prepare 0 --json
	expect_json "d['carried'] is True" "d['records'] == d['bytes'] == 0" "d['needed'] == 24" \
		"d['segment'] == 4096" "d['loaded'] is False" "all(n['kind'] == 'info' for n in d['notes'])" \
		"d['next'] == {'epoch': 1, 'first_record': 28, 'records': 0, 'sha256':
			'$(sha256sum </dev/null | cut -d ' ' -f 1)'}"
	expect_whole
}

@test "kexec-prepare: without an export nothing is written" {
	start
	imafs_ctl bulk 20 /early/
	prepare 0 --no-export --json
	expect_json "d['carried'] is True" "d['records'] == 21" "d['next'] is None" \
		"d['segments'] == []" "d['bytes'] == $(wc -c <"$IMA/binary_runtime_measurements")"
	[ ! -e "$STORE" ] || fail 'there is a store'
	prepare 0 --no-export -q
	expect_no_stdout
	expect_no_stderr
}

# segment_said: what the kernel said when it loaded the other one, last
segment_said() {
	local line
	line=$(tail -n 1 "$IMA/ascii_runtime_measurements")
	from_hex <(echo "${line##* }") | sed -n 's/^kexec_segment_size=\([0-9]*\);.*/\1/p'
}

@test "kexec-prepare: the room that is estimated is what the kernel sets aside" {
	local n extra
	for extra in 0 5; do
		start --critical-data --kexec-extra $((extra * 1024))
		config CONFIG_IMA_KEXEC=y CONFIG_IMA_KEXEC_EXTRA_MEMORY_KB=$extra
		# Steps to both sides of a page
		for n in 1 2 3 5 7 9 11 13 17 19 23 29; do
			imafs_ctl bulk "$n" "/$n/"
			prepare 0 --no-export --json
			imafs_ctl kexec-load
			expect_json "d['segment'] == $(segment_said)" "d['segment_from'] == 'estimate'"
		done
		imafs_stop
		rm -r root
	done
}

@test "kexec-prepare: a kernel that carries no list, or does not say so" {
	start
	config '# CONFIG_IMA_KEXEC is not set'
	prepare 1 --no-export --json
	expect_json "d['carried'] is False"
	note wrong 'without CONFIG_IMA_KEXEC$'
	rm "$ROOT"/boot/config-*
	prepare 4 --no-export --json
	expect_json "d['carried'] is None"
	note unchecked CONFIG_IMA_KEXEC
	# Its symbols say it, too.
	echo 'ffffffff81a3c0d0 T ima_add_kexec_buffer' >"$ROOT/proc/kallsyms"
	prepare 0 --no-export
	config CONFIG_IMA_KEXEC=y
	echo 1 >"$ROOT/proc/sys/kernel/kexec_load_disabled"
	prepare 1 --no-export
	expect_stderr 'kexec_load_disabled is set$'
}

@test "kexec-prepare: records that no kernel takes over" {
	local long='d-ng|n-ng|sig|d-modsig|modsig|iuid|igid|imode|evmsig|xattrnames|buf|d|n'
	start
	imafs_ctl set template ima
	imafs_ctl add /old
	imafs_ctl set template ima-ng
	imafs_ctl add /new
	prepare 1 --no-export
	expect_stderr "^imalog: record 2 has the template 'ima', which no kernel takes over"
	expect_stdout 'does not carry the list over'
	# Those that are exported need not be carried over.
	prepare 0
	[ ${#long} -gt 68 ] || fail 'it is not long'
	imafs_ctl set template "$long"
	imafs_ctl add /long
	prepare 1 --no-export
	expect_stderr 'record 1 has a template of the long name'
}

@test "kexec-prepare: names of templates that the kernel does not count" {
	start --template 'd-ng|n-ng|sig|buf|iuid|igid' --critical-data
	imafs_ctl bulk 60 /some/
	prepare 0 --no-export --json
	imafs_ctl bulk 300 /more/
	prepare 1 --no-export --json
	note wrong 'the end of it would be lost'
	load_kernel
	expect_json "d['segment'] == $(segment_said)"
	check 1
	expect_json "d['segment_from'] == 'kexec_load'"
	kexec_to
	[ "$(imafs_stat current)" -lt 360 ] || fail 'all was carried over'
}

@test "kexec-prepare: a list that takes more than half of the memory" {
	start
	imafs_ctl bulk 60 /some/
	echo 'MemTotal:             24 kB' >"$ROOT/proc/meminfo"
	prepare 0 --no-export
	echo 'MemTotal:             23 kB' >"$ROOT/proc/meminfo"
	prepare 1 --no-export
	expect_stderr 'more than half of the memory'
}

@test "kexec-prepare: what the next kernel must have on its command line" {
	start --big-endian
	prepare 0 --no-export --json
	note info 'big-endian: .* no ima_canonical_fmt'
}

@test "kexec-prepare: room that is to be left" {
	start
	prepare 0 --no-export --reserve 3K
	prepare 1 --no-export --reserve 4K
	expect_stderr 'fewer than the 4096 that are wanted$'
}

# ---- in the next kernel

@test "kexec-prepare: all is carried over" {
	start
	prepared
	kexec_to carried
	status_says 0 '^Note: a kexec .* begins with all 6 records .* behind record 21, and nothing was lost$'
	imafs_ctl add /new
	imalog export --root "$ROOT" --sysfs -v
	expect_status 0
	expect_stderr 'begins with all 6 records .* nothing was lost$'
	expect_whole
	[ ! -e "$STORE/kexec.json" ] || fail 'it is said for ever'
	status_says 0 '^All is well'
	! grep -q 'a kexec that was prepared' <<<"$output" || fail 'it is said again'
	[ "$(readlink "$STORE/current")" = epoch-000001 ] || fail 'another epoch'
}

@test "kexec-prepare: nothing was left to be carried over" {
	start
	imafs_ctl bulk 20 /early/
	prepare 0
	imafs_ctl add /late
	kexec_to carried
	status_says 0 'goes on behind record 21, and nothing was lost$'
	imalog export --root "$ROOT" --sysfs
	expect_status 0
	expect_whole
}

@test "kexec-prepare: nothing is carried over, and nothing is lost" {
	start
	prepared
	kexec_to lost
	status_says 0 'of 6 records .* the list begins with 0, but the store has them, and nothing was lost$'
	imalog export --root "$ROOT" --sysfs
	expect_status 0
	expect_no_stderr
	expect_whole
	status_says 0 '^All is well'
}

@test "kexec-prepare: what was measured later is lost" {
	local how
	for how in lost 'cut 7'; do
		start
		prepared
		imafs_ctl bulk 3 /later/
		# shellcheck disable=SC2086 # two words
		kexec_to $how
		status_says 1 '^Wrong: a kexec .* what was measured after them is lost'
		imalog export --root "$ROOT" --sysfs
		expect_status 1
		expect_stderr 'what was measured after them is lost, in part or all$'
		# What was saved is still there.
		imafs_ctl dump-all >ever
		cmp <(records ever 1 27) <(cat "$STORE/current"/[dl]*.0000000[12]) ||
			fail "$how: records are gone"
		imafs_stop
		rm -r root
	done
}

@test "kexec-prepare: a cold boot comes in between" {
	start
	prepared
	imafs_ctl reboot
	status_says 0 '^Log +1 record'
	! grep -q 'a kexec that was prepared' <<<"$output" || fail 'there was no kexec'
	imalog export --root "$ROOT" --sysfs
	expect_status 0
	[ "$(readlink "$STORE/current")" = epoch-000002 ] || fail 'the same epoch'
	status_says 0 'All is well'
}

@test "kexec-prepare: without a TPM" {
	start --tcti none
	imafs_ctl bulk 20 /early/
	imafs_at after D bulk 6 /between/
	imalog kexec-prepare --root "$ROOT" --no-tpm
	expect_status 0
	kexec_to carried
	imalog export --root "$ROOT" --no-tpm
	expect_stderr 'begins with 6; nothing tells whether what was measured after them is lost'
}

# ---- kernels that cannot let go of records

@test "kexec-prepare: a kernel that only deletes the first records" {
	start --no-staging
	imafs_ctl bulk 20 /early/
	imafs_at after N bulk 6 /between/
	prepare 0
	expect_stdout 'records 22 to 27 of epoch 1$'
	kexec_to lost
	status_says 0 'the store has them, and nothing was lost$'
	imalog export --root "$ROOT" --sysfs
	expect_status 0
	expect_whole
}

@test "kexec-prepare: a kernel that deletes nothing, and carries its list over" {
	start --kernel 6.12
	imafs_ctl bulk 20 /early/
	imafs_ctl violation /x 2
	prepare 0
	expect_stdout 'records 1 to 23 of epoch 1$'
	status_says 0 '^Note: segment 1 was saved for a kexec'
	# All of it once more, when there is more
	prepare 0
	[ "$(cd "$STORE/current" && echo [!r]*)" = pending.00000001 ] || fail 'saved again'
	imafs_ctl bulk 5 /more/
	prepare 0
	[ "$(cd "$STORE/current" && echo [!r]*)" = 'dropped.00000001 pending.00000002' ] ||
		fail 'not saved once'
	kexec_to carried
	status_says 0 'begins with all 28 records .* nothing was lost$'
	expect_whole
	prepare 0
	expect_stdout 'records 1 to 29 of epoch 1$'
	status_says 0 '^Note: segment 3 was saved for a kexec'
	expect_whole
}

@test "kexec-prepare: a kernel that deletes nothing, and loses its list" {
	start --kernel 6.12
	imafs_ctl bulk 20 /early/
	prepare 0
	kexec_to lost
	status_says 0 'the store has them, and nothing was lost$'
	expect_whole
	imafs_ctl bulk 5 /more/
	prepare 0
	expect_stdout 'records 22 to 27 of epoch 1$'
	expect_whole
}

# ---- what is in the way

@test "kexec-prepare: what cannot be done" {
	start
	exec 7<"$IMA/binary_runtime_measurements"
	prepare 4 --wait 0
	expect_stderr '^imalog: .*held open by'
	exec 7<&-
	# A store where nothing lasts
	prepare 4 --store /dev/shm/imalog
	expect_stderr 'tmpfs, which a power cut or a kexec erases'
	echo nonsense >conf
	prepare 3 --config conf
	imafs_stop
	rm -r root
	mkdir -p root/sys/kernel/security/ima
	prepare 4
	expect_stderr 'the kernel has no IMA'
	prepare 4 --check
	[ ! -e root/var ] || fail 'there is a store'
}

@test "kexec-prepare: what is written of a kexec is not what it was" {
	start
	prepared
	kexec_to carried
	echo '{"version": 1, "epoch": "x"}' >"$STORE/kexec.json"
	status_says 1 'segment 2 is pending'
	imalog export --root "$ROOT" --sysfs
	expect_status 0
	expect_whole
}

@test "kexec-prepare: a quote, a TPM that is named, and more words" {
	start
	imafs_ctl bulk 20 /early/
	imalog kexec-prepare --root "$ROOT" --tcti none:
	expect_status 4
	expect_stdout 'A kexec carries the list over'
	prepare 0 -v
	imalog kexec-prepare --root "$ROOT" --sysfs --ak 0x81010002
	expect_usage_error kexec-prepare
}

@test "kexec-prepare: usage" {
	local args
	for args in '--check --no-export' --unchanged '--unchanged --no-export' \
		'--reserve x' '--reserve' 'vmlinuz' '--check --check' '--wait x'; do
		# shellcheck disable=SC2086 # a list of words
		imalog kexec-prepare $args
		expect_usage_error kexec-prepare
	done
}
