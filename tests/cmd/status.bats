#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# status: every state that a machine can be in, in words, and what to do about it.

load helpers
load swtpm
load imafs
load export

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	exec 9<&-
	stop_machine
}

# status_is STATUS [ARG...]: with the swtpm, if there is one
status_is() {
	local want=$1
	shift
	imalog --root "$ROOT" status "$@"
	expect_status "$want" "$*"
}

# Nothing is wrong, and it is proved; what is said of the log matches each regex.
expect_well() {
	expect_stdout '^All is well\.$' "$@"
	! grep -E '^(Wrong|Not checked): ' <<<"$output" || fail 'something is wrong'
	expect_no_stderr
}

# expect_wrong TEXT ADVICE, expect_unchecked TEXT ADVICE: the only thing there is to say
expect_wrong() {
	expect_finding Wrong "$@"
}

expect_unchecked() {
	expect_finding 'Not checked' "$@"
}

expect_finding() {
	! grep -F 'All is well' <<<"$output" || fail 'it is not'
	[ "$(grep -cE '^(Wrong|Not checked): ' <<<"$output")" -eq 1 ] || fail 'one finding expected'
	expect_stdout "^$1: .*$2"
	[ -z "${3-}" ] || expect_stdout "^  what to do: .*$3"
}

@test "status: all is well, before and after exports, on one screen" {
	make_machine
	status_is 0
	expect_well '^List +1 record, 0 staged; 0 violations' "imalog: none$" \
		'^TPM +read through tpm2-tss$' 'record 1$'
	imafs_ctl add /one
	imafs_ctl violation /x 2
	expect_code 0 export -q
	imafs_ctl add /two /three
	status_is 0
	expect_well '^List +2 records, 0 staged; 2 violations' 'epoch 1, one of 1$' \
		'1 segment with 4 records, the newest of 20' '6 records from store and kernel' \
		" leads to the TPM's PCR 10 \(sha1, sha256\) with record 6$" \
		'^ +held open by nobody$'
	[ "$(wc -l <<<"$output")" -lt 24 ] && [ "$(wc -L <<<"$output")" -le 100 ] ||
		fail 'more than a screen'
	status_is 0 -q
	expect_no_stdout
	status_is 0 -v
	expect_stdout '^Programs +[0-9.]+, hashes by evp of OpenSSL 3' 'tpm2-tss [0-9]' 'jansson'
}

@test "status: all is well when only trims have filled the store" {
	local boot
	make_machine
	for boot in first second; do
		imafs_ctl violation /x 2
		imafs_ctl add "/$boot"
		expect_code 0 trim 2
		status_is 0
		expect_well
		imafs_at before N kill
		imalog --root "$ROOT" trim 1
		imafs_ctl clear
		expect_code 0 trim 1
		status_is 0
		expect_well
		! grep -q undetermined "$STORE"/current/receipts/*.json || fail 'not proved'
		imafs_ctl kexec carried
	done
}

@test "status: violations alone, in every part of the log" {
	make_machine
	expect_code 0 export -q
	imafs_ctl violation /x 2
	expect_code 0 export -q
	imafs_ctl violation /x 2
	status_is 0
	expect_well '^List +2 records, 0 staged; 4 violations' ' with record 5$'
	expect_code 0 stage
	imafs_ctl violation /x 2
	status_is 1
	expect_wrong '2 records are staged'
	expect_stdout ' with record 7$'
}

@test "status: nothing is changed" {
	make_machine
	imafs_ctl add /one
	expect_code 0 export -q
	imafs_ctl add /two
	expect_code 0 stage
	imafs_ctl log clear
	find "$STORE" -printf '%p %s %T@ %C@\n' | sort >before
	status_is 1
	find "$STORE" -printf '%p %s %T@ %C@\n' | sort | diff before - || fail 'the store is another'
	! imafs_ctl log | grep -E ' (RDWR|WR)( |$)| write ' || fail 'something was written'
	expect_all
}

@test "status: JSON" {
	make_machine
	imafs_ctl add /one
	expect_code 0 export -q
	imafs_ctl add /two
	printf 'min-records = 7\nmin-bytes = 1K\nmax-age = 1h\n' >conf
	status_is 0 --json --config conf
	expect_json 'len(rows) == 1' \
		"d['kernel']['staging'] is True and d['kernel']['trim'] is True" \
		"d['kernel']['kexec'] is False and d['kernel']['lists'] == ['sha1', 'sha256']" \
		"d['kernel']['read_policy'] is True and d['kernel']['write_policy'] is True" \
		"d['list'] == {'records': 1, 'staged': 0, 'violations': 0, 'holder': None}" \
		"d['store']['there'] and d['store']['segments'] == 1 and d['store']['records'] == 2" \
		"d['thresholds'] == {'min_records': 7, 'min_bytes': 1024, 'max_age': 3600}" \
		"d['tpm'] == 'tpm2-tss' and d['log']['verdict'] == 'match'" \
		"d['log']['records'] == d['log']['matched_at'] == 3" \
		"[c['bank'] for c in d['log']['checks']] == ['sha1', 'sha256']" \
		"d['findings'] == []"
	imafs_ctl extend 10
	status_is 1 --json
	expect_json "d['log']['verdict'] == 'mismatch'" \
		"[f['kind'] for f in d['findings']] == ['wrong']" "d['findings'][0]['advice']"
}

# ---- the kernel

@test "status: no securityfs, no IMA" {
	mkdir -p machine
	ROOT=machine status_is 4
	expect_unchecked 'securityfs is not mounted' 'mount -t securityfs'
	mkdir -p machine/sys/kernel/security/ima
	ROOT=machine status_is 4
	expect_unchecked 'the kernel has no IMA' 'CONFIG_IMA'
	ROOT=machine status_is 4 --json
	expect_json "d['kernel']['ima'] is False and d['list']['records'] is None" \
		"d['log']['verdict'] == 'not-checked' and d['log']['records'] is None"
}

@test "status: kernels that cannot stage" {
	local kernel
	for kernel in '--kernel 5.10' '--kernel 6.12' '--no-staging'; do
		# shellcheck disable=SC2086
		make_machine $kernel
		imafs_ctl add /one
		status_is 0
		expect_well '^Note: the kernel cannot stage its list' 'stages its list: no' 'record 2$'
		stop_machine
		rm -rf tpm root
	done
}

@test "status: what the kernel offers" {
	make_machine --flush-htable --no-read-policy --kernel 7.3
	rm root/boot/config-7.3.0-imafs
	status_is 0
	expect_stdout '^Kernel +7\.3\.0-imafs$' 'stages its list: yes; deletes its first records: no' \
		'policy can be read: no, loaded: yes' 'kexec takes the list along: unknown'
	mkdir -p root/boot root/lib/modules/7.3.0-imafs
	printf '%s\n' CONFIG_IMA=y CONFIG_IMA_KEXEC=y >root/boot/config-7.3.0-imafs
	status_is 0
	expect_stdout 'kexec takes the list along: yes'
	printf '%s\n' CONFIG_IMA=y '# CONFIG_IMA_KEXEC is not set' >root/boot/config-7.3.0-imafs
	status_is 0
	expect_stdout 'kexec takes the list along: no'
	rm root/boot/config-7.3.0-imafs
	printf '%s\n' CONFIG_IMA=y CONFIG_IMA_KEXEC=y >root/lib/modules/7.3.0-imafs/config
	status_is 0
	expect_stdout 'kexec takes the list along: yes'
	echo CONFIG_IMA_KEXEC >root/lib/modules/7.3.0-imafs/config
	status_is 0
	expect_stdout 'kexec takes the list along: unknown'
	# A policy was loaded, and there is to be no other
	stop_machine
	rm -rf tpm root
	make_machine --no-write-policy
	echo audit >policy
	expect_code 0 policy-load policy
	status_is 0
	expect_stdout 'policy can be read: yes, loaded: no'
}

# ---- who is at work

@test "status: staged, and nobody at work" {
	make_machine
	imafs_ctl add /one
	expect_code 0 stage
	imafs_ctl add /two
	status_is 1
	expect_wrong '2 records are staged, and nobody is at work' "'imalog export' saves and"
	expect_stdout '^List +1 record, 2 staged' ' with record 3$'
	expect_code 0 export -q
	status_is 0
}

@test "status: a reader is named, and is no fault" {
	make_machine
	exec 9<"$IMA/ascii_runtime_measurements"
	status_is 0
	expect_well '^ +ascii_runtime_measurements is held open by [a-z]+ \(pid [0-9]+\)'
	status_is 0 --json
	expect_json "'ascii_runtime_measurements is held open by' in d['list']['holder']"
}

@test "status: somebody stages: who, and that nothing could be looked at" {
	make_machine
	exec 9<>"$IMA/binary_runtime_measurements_staged"
	status_is 4 --wait 0
	expect_unchecked 'is held open by [a-z]+ \(pid [0-9]+\)' 'wait until that program is done'
	expect_stdout '^ +could not be read|^Log +could not be read'
	exec 9>&-
	status_is 0
}

@test "status: somebody works on the store" {
	make_machine
	expect_code 0 export -q
	exec 9<"$STORE/lock"
	flock 9
	status_is 4 --wait 0
	expect_unchecked 'another program is working on the store' 'wait until'
	expect_stdout 'imalog: cannot be read$'
	status_is 4 --wait 0 --json
	expect_json "d['store']['there'] is None"
}

@test "status: records that come meanwhile are waited for" {
	make_machine
	imafs_ctl add /one
	imafs_at before read@binary_runtime_measurements_sha1 add /meanwhile
	status_is 0
	expect_well ' with record 3$'
}

# ---- the store

@test "status: an interrupted export" {
	make_machine
	imafs_ctl add /one
	imafs_at before D kill
	imalog --root "$ROOT" export
	[ "$status" -ge 128 ] || fail 'not killed'
	status_is 1
	expect_stdout '^Wrong: 2 records are staged' ' with record 2$'
	imafs_ctl clear
	expect_code 0 export -q
	imafs_ctl add /two
	imafs_at after D kill
	imalog --root "$ROOT" export
	status_is 1
	expect_wrong 'segment [0-9] is pending: an export was interrupted' "'imalog export' finishes it"
	expect_stdout ' with record 3$'
}

@test "status: exports have stopped" {
	make_machine
	expect_code 0 export -q
	imafs_ctl bulk 19
	printf 'min-records = 10\nmax-age = 1h\n' >conf
	status_is 0 --config conf
	expect_stdout '^Exports +at 10 records, after 1h$'
	imafs_ctl add /one
	status_is 1 --config conf
	expect_wrong 'exports have stopped: 20 records wait, the last export was 20[0-9-]+T' \
		'imalog-export\.timer'
	expect_code 0 export -q
	imafs_ctl add /two
	status_is 0 --config conf
	sed -i 's/"time": *"[^"]*"/"time": "2020-01-01T00:00:00Z"/' \
		"$STORE"/current/receipts/00000002.json
	status_is 1 --config conf
	expect_stdout '^Wrong: exports have stopped: 1 record waits, the last export was 2020-01-01T'
}

@test "status: exports have stopped, by bytes and since the boot" {
	local huge=18446744073709551615
	make_machine
	imafs_ctl bulk 20
	printf 'min-bytes = 1K\n' >conf
	status_is 1 --config conf
	expect_wrong 'exports have stopped: 21 records wait, the last export was never'
	printf 'min-bytes = 4K\n' >conf
	status_is 0 --config conf
	# Twice as much would be next to nothing
	printf '%s\n' "min-records = $((1 << 62))" "min-bytes = $huge" >conf
	status_is 0 --config conf
	printf 'min-records = 9223372036854775809\n' >conf
	status_is 0 --config conf
	printf 'max-age = 1h\n' >conf
	echo '7100.00 100.00' >uptime
	mount --bind uptime "$ROOT/proc/uptime"
	status_is 0 --config conf
	echo '7200.01 100.00' >uptime
	status_is 1 --config conf
	expect_wrong 'exports have stopped: 21 records wait, the last export was never'
	expect_code 0 export -q
	imafs_ctl add /one
	status_is 0 --config conf
}

@test "status: receipts that cannot be read" {
	local i
	make_machine
	for i in 1 2 3; do
		imafs_ctl add /$i
		expect_code 0 export -q
	done
	cp -r "$STORE" saved
	echo nonsense >"$STORE/current/receipts/00000002.json"
	status_is 1
	expect_stdout '^Wrong: the receipt of segment 2 cannot be read: ' \
		"what to do: 'imalog store check' says what is wrong, 'imalog store rebuild'" \
		'3 segments with at least 3 records, the newest of 20'
	status_is 1 --json
	expect_json "d['store']['records'] is None"
	rm "$STORE/current/receipts/00000003.json"
	status_is 1
	expect_stdout '^Wrong: the receipt of segment 2 ' '^Wrong: the receipt of segment 3 ' \
		'at least 2 records, the newest of an unknown time'
	rm -r "$STORE"
	mv saved "$STORE"
	status_is 0
	expect_stdout '3 segments with 4 records,'
}

@test "status: a gap in the store" {
	local i
	make_machine
	for i in 1 2 3; do
		imafs_ctl add /$i
		expect_code 0 export -q
	done
	mv "$STORE/current/log.00000002" .
	status_is 1
	expect_wrong 'segment 2 of epoch 1 is missing' "'imalog store check'"
	status_is 1 -q
	# An epoch of which nothing is there
	mv "$STORE/current" current
	ln -s epoch-000007 "$STORE/current"
	status_is 1
	expect_wrong "the link 'current' leads to no epoch of the store" "'imalog store check'"
	expect_stdout ': cannot be read$'
	mv -T current "$STORE/current"
	mv log.00000002 "$STORE/current/"
	status_is 0
	# The last one, with its receipt: only the TPM knows that there was something
	rm "$STORE/current/log.00000003" "$STORE/current/receipts/00000003.json"
	status_is 1
	expect_wrong "the log does not lead to the TPM's values" 'records are lost'
}

@test "status: what was taken out is not in the store" {
	make_machine
	imafs_ctl add /one
	expect_code 0 export -q --store "$PWD/elsewhere"
	status_is 1
	expect_wrong 'first records were taken out of the kernel' '--store'
	imafs_ctl add /two
	status_is 1
	expect_wrong 'first records were taken out of the kernel' '--store'
	status_is 0 --store "$PWD/elsewhere"
}

@test "status: the store of another machine, or of an earlier boot" {
	make_machine
	imafs_ctl add /one
	expect_code 0 export -q
	mv "$STORE" saved
	stop_machine
	rm -rf tpm root
	make_machine
	imafs_ctl add /two
	mv saved "$STORE"
	# This boot's list is whole
	status_is 0
	expect_well 'epoch 1 ended with a reset of the TPM' ' with record 2$'
	# It is not, and the store does not have the rest
	expect_code 0 stage
	imalog --root "$ROOT" save segment
	imalog --root "$ROOT" confirm --store "$PWD/none" segment
	imafs_ctl add /three
	imalog --root "$ROOT" status
	[ "$status" -ne 0 ] || fail 'that is not proved'
	! grep -F 'All is well' <<<"$output" || fail 'it is not'
}

# ---- the TPM

@test "status: somebody else has extended the PCR" {
	make_machine
	expect_code 0 export -q
	imafs_ctl extend 10
	status_is 1
	expect_wrong "the log does not lead to the TPM's values" 'somebody else has extended a PCR'
	imafs_ctl add /one
	status_is 1
}

@test "status: records that did not reach the TPM" {
	make_machine
	imafs_ctl add /one
	imafs_ctl set tpm-errors 1
	imafs_ctl add /lost
	status_is 1
	expect_wrong 'the TPM knows the log up to record 2 only: 1 did not reach it' 'errors of the TPM'
	imafs_ctl add /later
	status_is 1
	expect_wrong "the log does not lead to the TPM's values"
}

@test "status: a TPM that cannot be read a second time, when records are behind its values" {
	local pid
	make_machine
	imafs_ctl sysfs
	imafs_ctl set tpm-errors 1
	imafs_ctl add /lost
	status_is 1 --sysfs
	expect_wrong 'the TPM knows the log up to record 1 only: 1 did not reach it'
	imafs_at before flush:1@binary_runtime_measurements_sha1 stall
	"$IMALOG" --root "$ROOT" status --sysfs >out 2>err 3>&- &
	pid=$!
	imafs_ctl await
	mv "$ROOT/sys/class" class
	imafs_ctl resume
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 4 ] || fail "status $status"
	grep -q '^Not checked: whether the last 1 record reached the TPM is not known' out ||
		fail "$(cat out err)"
	! grep -q 'All is well' out || fail 'it is not'
}

@test "status: a record that is not what was measured" {
	make_machine
	imafs_ctl set bad-digests 1
	imafs_ctl add /bad /one
	status_is 1
	expect_wrong 'record 2 is not what was measured' "'imalog replay'"
}

@test "status: no TPM, another one, one that cannot be read" {
	make_machine
	status_is 4 --no-tpm
	expect_unchecked 'the TPM was not asked'
	expect_stdout '^ +is not proved$'
	status_is 4 --tcti "swtpm:path=$PWD/none"
	expect_unchecked 'the TPM cannot be read'
	expect_stderr '^imalog: no TPM'
	status_is 0 --tpm
	imafs_ctl sysfs
	status_is 0 --sysfs
	expect_well '^TPM +read through /sys/class/tpm$'
	unset TPM2TOOLS_TCTI
	status_is 0
	expect_stdout '^TPM +read through /sys/class/tpm$'
	rm -r root/sys/class
	status_is 4
	expect_unchecked 'there is no TPM to compare with' 'proves nothing'
	echo "tcti = swtpm:path=$PWD/tpm/socket" >conf
	status_is 0 --config conf
	status_is 0 --config conf --tpm
}

@test "status: usage, and a configuration that is none" {
	local args
	for args in 'x' '--no-tpm --tpm' '--no-tpm --sysfs' '--sysfs --tcti x' '--wait soon' \
		'--json --json' '--store' '--unknown'; do
		# shellcheck disable=SC2086 # words
		imalog status $args
		expect_usage_error status
	done
	echo nonsense >conf
	imalog --root . status --config conf
	expect_status 3
}

# real_machine LIST: a machine with this list, whose TPM has the values on standard input
real_machine() {
	local bank pcr value tpm=real/sys/class/tpm/tpm0
	ROOT=$PWD/real
	mkdir -p real/sys/kernel/security/ima
	cp "$1" real/sys/kernel/security/ima/binary_runtime_measurements
	while IFS=:= read -r bank pcr value; do
		mkdir -p "$tpm/pcr-$bank"
		echo "${value^^}" >"$tpm/pcr-$bank/$pcr"
	done
}

@test "status: lists that real kernels have carried over a kexec" {
	real_machine "$RIG/kexec/after/binary_runtime_measurements" \
		< <(values_of "$RIG/kexec/after/pcrs.yaml")
	status_is 0 --sysfs
	expect_well '^Log +96 records' 'with record 96$'
	rm -r real
	# The first part of it was staged when the kexec came.
	real_machine "$STAGING/kexec-with-staged/after-list.sha1" \
		< <(sed 's/ /:10=/' "$STAGING/kexec-with-staged/after.pcr10")
	status_is 0 --sysfs
	expect_well '^Log +[0-9]+ records'
	# Without what was staged
	tail -c "+$(($(wc -c <"$STAGING/kexec-with-staged/before-staged.sha1") + 1))" \
		"$STAGING/kexec-with-staged/after-list.sha1" \
		>real/sys/kernel/security/ima/binary_runtime_measurements
	status_is 1 --sysfs
	expect_wrong 'first records were taken out of the kernel'
}
