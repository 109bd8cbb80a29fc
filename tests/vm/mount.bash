# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog mount in guests: what imalog-mount(1) tells to type, and what is true of every kernel
# after the scenario "mount". Loaded after vm.bash and helpers.bash.

# manual_block LINE FILE: the lines that the manual shows together, of which one begins so
manual_block() {
	awk -v begin="$1" '
		/^\.Bd -literal/ { text = ""; found = 0; next }
		/^\.Ed/ && found { printf "%s", text; exit }
		index($0, begin) == 1 { found = 1 }
		{ gsub(/\\e/, "\\"); text = text $0 "\n" }' \
		"$IMALOG_SRC/man/imalog-mount.1" >"$2"
	[ -s "$2" ] || fail "the manual has no '$1'"
}

# manual_scenario NAME RULE: with all that the manual says; rule is what excepts the files
manual_scenario() {
	mkdir typed
	# What tcb excepts, too: sysfs, tmpfs, securityfs
	printf '%s\n' "$2" 'dont_measure fsmagic=0x62656572' 'dont_measure fsmagic=0x01021994' \
		'dont_measure fsmagic=0x73636673' 'measure func=FILE_CHECK mask=MAY_READ uid=0' \
		>typed/policy
	manual_block 'mkdir -p /run/imalog/ima' typed/recipe
	manual_block 'mount --bind /run/imalog/ima' typed/bind
	manual_block 'dont_measure fsname=fuse fs_subtype=imalog' typed/subtype
	manual_block evmctl typed/evmctl
	manual_block BindReadOnlyPaths= typed/agent
	cp "$IMALOG_SRC/dist/imalog.conf" typed/
	vm_scenario "$1" typed/*
}

manual_rule() {
	manual_block 'dont_measure fsmagic' rule
	cat rule
}

# The files of the kernel, and only these: what there is for a log that has never left it
check_names() {
	cd out || return
	grep -v -e '^policy$' -e '_staged$' kernel.names >expected
	cat tpm.names >>expected
	sort expected | diff - view.names || fail 'other files'
	[ "$(wc -l <view.names)" -ge 5 ] || fail 'files are missing'
}

# check_compared STEP: each of them was what the kernel has
check_compared() {
	local compared=out/$1.compared
	[ "$(wc -l <"$compared")" -eq "$(wc -l <out/view.names)" ] || fail 'not all were compared'
	! grep -v '^same ' "$compared" || fail 'they are not those of the kernel'
}

check_kept() {
	expect_same out/kept.kernel out/kept
	[ "$(wc -l <out/kept)" -ge $(($(cat out/kept.before) + 20)) ] || fail 'nothing came'
}

# The whole list leads to the TPM's values, by whatever file one reads it.
check_replay() {
	local step
	for step in replay replay-ascii evmctl; do
		vm_step $step
		expect_status 0 $step
	done
	# evmctl says 0, too, when it has compared nothing.
	vm_step evmctl-wrong
	[ "$status" -ne 0 ] || fail 'it does not compare'
}

# check_opens: each open was measured, until the rule was loaded.
check_opens() {
	vm_step subtype
	expect_status 1
	expect_stderr 'line 1: the kernel rejects this rule'
	vm_step policy
	expect_status 0
	[ "$(cat out/measured)" -ge 10 ] || fail "$(cat out/measured) records of ten opens"
	[ "$(cat out/excepted)" -eq 0 ] || fail "$(cat out/excepted) records in spite of the rule"
}

check_unmounted() {
	[ "$(cat out/mounts.before)" = 1 ] || fail 'it was not mounted'
	[ "$(cat out/mounts)" = 0 ] || fail 'it is still mounted'
	[ ! -s out/left.names ] || fail 'files are left'
}

# check_recipe: the kernel's files are those of the view, for all but who knows the other root
check_recipe() {
	local step
	vm_step recipe
	expect_status 0
	check_compared bound
	vm_step bound-export
	expect_status 4
	expect_stderr 'CONFIG_IMA_STAGING$'
	vm_step bound-status
	expect_status 0
	expect_json "d['log']['verdict'] == 'match'" "d['log']['records'] == d['list']['records']"
	# The kernel's files, not those that were put in their place
	vm_step bound-policy
	[ "$status" -ne 0 ] || fail 'a policy was loaded'
	for step in dead-status dead-replay; do
		vm_step $step
		expect_status 0 $step
	done
	vm_step dead-view
	[ "$status" -ne 0 ] || fail 'somebody serves it'
}

# check_staging: with a kernel that gives records away, wherever they are
check_staging() {
	local step
	for step in $(cat out/staging.steps); do
		vm_step "$step"
		expect_status 0 "$step"
	done
	[ "$(cat out/staging.count)" = "$(mklog index out/staging.ever | wc -l)" ] ||
		fail 'another count'
	expect_same out/staging.ever out/staging.kept
}
