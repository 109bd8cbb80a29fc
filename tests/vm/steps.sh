# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the scenarios in the guests share. What a test looks at is in files here.
set -eu

# Of scenarios
# shellcheck disable=SC2034
IMA=/sys/kernel/security/integrity/ima TPM=/sys/class/tpm/tpm0

# step NAME COMMAND...: keeps its exit status, output and messages as NAME.*
step() {
	step_name=$1
	shift
	step_status=0
	"$@" >"$step_name.out" 2>"$step_name.err" || step_status=$?
	echo "$step_status" >"$step_name.status"
}

# booted WITH: with this word on the kernel's command line
booted() {
	grep -qw -- "$1" /proc/cmdline
}
