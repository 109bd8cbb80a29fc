# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands that take records into the store, killed or failing at their system calls.
# Loaded after helpers.bash, imafs.bash, export.bash and faults.bash.

# A machine whose store has its first record
make_repeating_machine() {
	cd "$BATS_TEST_TMPDIR" || return
	unset IMALOG_TEST_ROOT TPM2TOOLS_TCTI
	need_strace
	case $(stat -f -c %T .) in
	tmpfs | ramfs | overlayfs | fuse*)
		skip "'$PWD' is where nothing lasts: set TMPDIR to a place on a disk"
		;;
	esac
	imafs_start root
	STORE=$ROOT/var/lib/imalog
	mkdir -p "${STORE%/*}"
	expect_code 0 export -q
}

# Recovers, and looks at everything.
finish() {
	imafs_ctl clear
	expect_code 0 export -q
	expect_no_stderr "$now"
	expect_all
}

# prepare COMMAND: records that are the same as those before
prepare() {
	imafs_ctl violation /x 2
	case $1 in
	export | trim*) ;;
	*) expect_code 0 stage ;;
	esac
	[ "$1" != confirm ] || expect_code 0 save -q
}

# sweep COMMAND HOW [ERRNO]
sweep() {
	local command=$1 how=$2 errno=${3-} call number step=9 count=0
	[ -z "${IMALOG_LONG-}" ] || step=1
	now="the first $command"
	prepare "$command"
	# shellcheck disable=SC2086 # a command and its operand
	faults_calls calls --root "$ROOT" $command
	expect_status 0 "$now"
	finish
	while read -r call number <&8; do
		count=$((count + 1))
		[ $((count % step)) -eq 0 ] || [ "$call" != "${call#fsync}" ] ||
			[ "$call" != "${call#rename}" ] || [ "$call" != "${call#unlink}" ] ||
			continue
		now="$command: $call $number ${errno:-is the end}"
		prepare "$command"
		# shellcheck disable=SC2086 # no errno is no argument
		"$how" "$call" "$number" $errno --root "$ROOT" $command
		[ "$status" -lt 128 ] || [ "$how" = faults_kill ] || fail "$now: a crash"
		# What is the same comes once more before it recovers.
		[ $((count % 2)) -eq 0 ] || imafs_ctl violation /x 2
		finish
	done 8<calls
	[ "$count" -gt 10 ] || fail "only $count system calls"
	expect_code 0 store check --sysfs
	expect_stdout 'PCR values: match'
}
