#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# policy-load: what the kernel makes of a policy, and what can be known of that.

load helpers
load imafs

RULES='measure func=FILE_CHECK mask=MAY_READ uid=0
dont_measure fsmagic=0x9fa0'
COULD_NOT='^imalog: whether the policy is loaded could not be confirmed: '

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	printf '# of this machine\n\n%s\n' "$RULES" >policy
}

teardown() {
	exec 9<&-
	imafs_stop
}

# start [OPTION...]: a kernel of its own: a real one is not to get these policies
start() {
	unset IMALOG_TEST_ROOT
	imafs_start root "$@"
}

# load_policy STATUS ARG...
load_policy() {
	local want=$1
	shift
	imalog --root "$ROOT" policy-load "$@"
	expect_status "$want" "$*"
	[ "$want" -eq 0 ] || expect_no_stdout
}

# The rules that the kernel has, without the blank behind each
rules() {
	sed 's/ $//' "$IMA/policy"
}

expect_rules() {
	diff <(printf '%s\n' "$@") <(rules) >&2 || fail 'other rules'
}

@test "policy-load: the first one takes the place of that from boot, others come behind" {
	start
	load_policy 0 policy
	expect_stdout '^The kernel took the policy: 2 rules, and 0 of the 4 that it had are left\.$'
	expect_no_stderr
	expect_rules "$RULES"
	echo audit >second
	load_policy 0 -q second
	expect_no_stdout
	expect_rules "$RULES" audit
	load_policy 0 -v second
	expect_stdout ': 1 rule, behind 3 that it had\.$'
	expect_rules "$RULES" audit audit
}

@test "policy-load: one rule a write, to a file that is opened for writing alone" {
	start
	printf '# a\n\n \t# b\n  measure uid=0\n\t\naudit' >policy
	imafs_ctl log clear
	load_policy 0 policy
	imafs_ctl log | grep -E ' (open|write) policy ' | sed 's/.* h[0-9]* //; s/ = .*//' >calls
	diff - calls <<-'END' || fail 'other calls'
		WR
		RD
		"  measure uid=0\n"
		"audit\n"
		RD
	END
}

@test "policy-load: from standard input" {
	start
	echo audit >policy
	imalog_from policy policy-load --root "$ROOT" -
	expect_status 0
	expect_rules audit
	imalog_from policy --root "$ROOT" policy-load --by-path -
	expect_usage_error policy-load
}

@test "policy-load: rules that the kernel writes in another way" {
	start
	cat >policy <<-'END'
		uid=007 func=PATH_CHECK measure
		measure func=FILE_MMAP mask=^MAY_EXEC pcr=010
		dont_measure fsmagic=0X09FA0
		appraise fsuuid=ABCDEF01-2345-6789-abcd-ef0123456789 appraise_type=imasig
		appraise func=SETXATTR_CHECK appraise_algos=sha512,sha256
		measure	func=CRITICAL_DATA  label=kexec|a
	END
	load_policy 0 policy
	[ "$(rules | head -n 1)" = 'measure func=FILE_CHECK uid=7' ] || fail 'not in another way'
	load_policy 0 policy
	[ "$(rules | wc -l)" -eq 12 ] || fail 'not loaded'
}

@test "policy-load: a rule that the kernel rejects voids all" {
	start
	printf '%s\n' '# comment' audit '' 'measure func=NONE' hash nonsense >policy
	load_policy 1 policy
	expect_stderr "^imalog: 'policy': line 4: the kernel rejects this rule$" \
		"^imalog: 'policy': line 6: the kernel rejects this rule$" \
		'^imalog: the policy is not loaded: the kernel rejects 2 of 4 rules, and so all'
	[ "$(rules | wc -l)" -eq 4 ] || fail 'something is loaded'
	# What is written later is another policy
	echo audit >policy
	load_policy 0 policy
	expect_rules audit
}

@test "policy-load: a kernel that says yes and means no" {
	start
	imafs_ctl set policy-rejects on
	load_policy 1 policy
	expect_stderr '^imalog: the policy is not loaded: the kernel shows the same rules as before$'
	load_policy 0 policy
	# Rules that it has anyway: was this load taken, too?
	imafs_ctl set policy-rejects on
	load_policy 4 policy
	expect_stderr "${COULD_NOT}the kernel shows the same rules as before, and these were among them$"
}

@test "policy-load: a kernel that does not show its policy" {
	start --no-read-policy
	load_policy 4 policy
	expect_stderr "${COULD_NOT}.*CONFIG_IMA_READ_POLICY" 'policy update completed'
	load_policy 4 -q policy
	[ "$(wc -l <<<"$stderr")" -eq 1 ] || fail 'one line expected'
	echo nonsense >policy
	load_policy 1 policy
	expect_stderr 'line 1: the kernel rejects'
}

@test "policy-load: without CONFIG_IMA_WRITE_POLICY there is one policy a boot" {
	local option
	for option in '' --no-read-policy; do
		start --no-write-policy $option
		load_policy 0 policy
		load_policy 4 policy
		expect_stderr '^imalog: the kernel takes no policy any more .*CONFIG_IMA_WRITE_POLICY$'
		imafs_stop
		# And one that is rejected is none
		start --no-write-policy $option
		imafs_ctl set policy-rejects on
		load_policy "$([ "$option" ] && echo 4 || echo 1)" policy
		load_policy 0 policy
		imafs_stop
	done
}

@test "policy-load: rules of the architecture stay" {
	start --arch-policy
	load_policy 0 policy
	expect_stdout ': 2 rules, and 1 of the 5 that it had are left\.$'
}

@test "policy-load: another program's policy in between" {
	start
	exec 9>"$IMA/policy"
	load_policy 4 policy
	expect_stderr '^imalog: policy is held open by [a-z]* \(pid [0-9]+\)'
	[ "$(rules | wc -l)" -eq 4 ] || fail 'something is loaded'
	exec 9>&-
	# Right after ours
	imafs_at after flush:1@policy stall
	imalog --root "$ROOT" policy-load policy 3>&- &
	wait_until stalled
	expect_rules "$(printf '%s\n' 'dont_measure fsmagic=0x9fa0' \
		'dont_measure fsmagic=0x62656572' 'measure func=MMAP_CHECK mask=MAY_EXEC' \
		'measure func=BPRM_CHECK mask=MAY_EXEC')"
	imafs_ctl resume
	wait
	expect_rules "$RULES"
}

stalled() {
	imafs_ctl stalled | grep -q policy
}

# wait_until COMMAND...: at most for ten seconds
wait_until() {
	local tries
	for ((tries = 0; tries < 500; tries++)); do
		! "$@" || return 0
		sleep 0.02
	done
	fail "waited too long: $*"
}

@test "policy-load: a signal does not leave half a policy" {
	local pid
	start
	imafs_at before write:1@policy stall
	"$IMALOG" --root "$ROOT" policy-load policy >out 2>&1 3>&- &
	pid=$!
	wait_until stalled
	kill -TERM "$pid"
	imafs_ctl resume
	wait "$pid" || true
	expect_rules "$RULES"
}

@test "policy-load: what can be seen to be wrong is not even tried" {
	local page
	page=$(getconf PAGESIZE)
	start
	imafs_ctl log clear
	printf 'audit\n/etc/ima/policy\n' >policy
	load_policy 3 policy
	expect_stderr "^imalog: 'policy': line 2: begins with '/'"
	printf 'audit\r\n' >policy
	load_policy 3 policy
	expect_stderr 'line 1: .* byte 0x0d in column 6, as in text files of Windows$'
	printf 'audit\nmeasure\0uid=0\n' >policy
	load_policy 3 policy
	expect_stderr 'line 2: .* byte 0x00 in column 8$'
	printf '# %0*d\naudit %0*d\n' "$page" 0 $((page - 7)) 0 >policy
	load_policy 3 policy
	expect_stderr "line 2: is $((page - 1)) bytes long, of which the kernel takes $((page - 2))$"
	printf '# nothing\n\n' >policy
	load_policy 3 policy
	expect_stderr "^imalog: 'policy': there is no rule"
	load_policy 4 missing
	load_policy 4 --by-path missing
	expect_stderr "'missing'"
	! imafs_ctl log | grep -q policy || fail 'the kernel was asked'
}

@test "policy-load: --by-path lets the kernel read, measure and judge the file" {
	start --appraise-policy
	load_policy 4 policy
	expect_stderr 'the kernel takes no rules.*--by-path'
	load_policy 0 --by-path policy
	expect_rules "$RULES"
	imalog --root "$ROOT" show --fields name
	expect_stdout "^$PWD/policy$"
	echo nonsense >>policy
	load_policy 1 --by-path policy
	expect_stderr '^imalog: the policy is not loaded: the kernel rejects a rule of the file'
	printf audit >policy
	load_policy 3 --by-path policy
	expect_stderr "^imalog: 'policy': .*does not end in a newline"
	echo audit >policy
	imafs_at before write@policy fail EACCES
	load_policy 4 --by-path policy
	expect_stderr 'does not take the file: Permission denied$'
	expect_rules "$RULES"
}

@test "policy-load: failures that are nobody's no" {
	local error
	start
	for error in EIO ENOMEM EINTR; do
		imafs_at before write:1@policy fail $error
		load_policy 4 policy
		expect_stderr '^imalog: cannot write the policy, of which nothing is loaded: '
	done
}

@test "policy-load: without IMA, without securityfs, without permission" {
	need_imafs
	mkdir -p none/sys/kernel/security
	ROOT=none load_policy 4 policy
	expect_stderr '^imalog: securityfs is not mounted on '
	mkdir none/sys/kernel/security/ima
	ROOT=none load_policy 4 policy
	expect_stderr '^imalog: the kernel has no IMA'
	start
	run --separate-stderr setpriv --bounding-set -sys_admin \
		"$IMALOG" --root "$ROOT" policy-load policy
	expect_status 4
	expect_stderr "${COULD_NOT}.*CAP_SYS_ADMIN$"
	expect_rules "$RULES"
	imafs_at before open-write@policy fail EACCES
	load_policy 4 policy
	expect_stderr "^imalog: no permission to write '.*/policy': be root$"
}

@test "policy-load: usage" {
	imalog policy-load
	expect_usage_error policy-load
	imalog policy-load one two
	expect_usage_error policy-load
	imalog policy-load --by-path --by-path one
	expect_usage_error policy-load
	imalog policy-load --json one
	expect_usage_error policy-load
}
