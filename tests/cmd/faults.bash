# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Commands that are killed, or whose system calls fail, at a chosen one of them.
#
#	faults_calls calls imalog --root root save log.1
#	while read -r call number; do
#		...
#		faults_kill "$call" "$number" imalog --root root save "log.$((i++))"
#	done <calls

need_strace() {
	command -v strace >/dev/null || skip 'strace is not installed'
	strace -o /dev/null true 2>/dev/null || skip 'strace may not trace here'
}

# faults_strace OPTION... -- IMALOG-ARG...: as imalog() in status and output
faults_strace() {
	local options=() program=$IMALOG libraries=${LD_LIBRARY_PATH-}
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	# Not the script that libtool puts in front of what is not installed
	if [ -x "${IMALOG%/*}/.libs/imalog" ]; then
		program=${IMALOG%/*}/.libs/imalog
		libraries=${IMALOG%/src/imalog}/lib/.libs
	fi
	# The leak checker cannot trace what is traced
	ASAN_OPTIONS=detect_leaks=0 LD_LIBRARY_PATH=$libraries run --separate-stderr \
		strace -f -qq -e signal=none "${options[@]}" "$program" "$@"
}

# faults_calls FILE IMALOG-ARG...: runs imalog and writes "CALL NUMBER" of each system
# call from the first on that has to do with the measurement lists or a lock: the
# NUMBERth of its name, as faults_kill and faults_error take it.
faults_calls() {
	local file=$1
	shift
	faults_strace -o trace -- "$@"
	sed -nE 's/^[0-9]+ +//; s/^([a-z0-9_]+)\(.*/\1 &/p' trace | awk '
		{ count[$1]++ }
		/security\/ima|"lock"/ { begun = 1 }
		begun && $1 !~ /^(exit|exit_group|brk|futex|mmap|munmap|mprotect)$/ { print $1, count[$1] }
	' >"$file"
	[ -s "$file" ] || fail 'no system calls were seen'
}

# faults_kill CALL NUMBER IMALOG-ARG...: SIGKILL instead of that system call
faults_kill() {
	local call=$1 number=$2
	shift 2
	faults_strace -o /dev/null -e "inject=$call:signal=SIGKILL:when=$number" -- "$@"
}

# faults_error CALL NUMBER ERRNO IMALOG-ARG...: that system call fails, and is not made
faults_error() {
	local call=$1 number=$2 error=$3
	shift 3
	faults_strace -o /dev/null -e "inject=$call:error=$error:when=$number" -- "$@"
}
