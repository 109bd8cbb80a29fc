# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Machines with a store, for the tests of export and store. Loaded after helpers.bash,
# swtpm.bash and imafs.bash.

# A machine with a TPM, and its store on a disk
make_machine() {
	cd "$BATS_TEST_TMPDIR" || return
	case $(stat -f -c %T .) in
	tmpfs | ramfs | overlayfs | fuse*)
		skip "'$PWD' is where nothing lasts: set TMPDIR to a place on a disk"
		;;
	esac
	if [ -n "${IMALOG_TEST_ROOT-}" ]; then
		# What it takes away from the list, nobody will find who looks for it.
		[[ $BATS_TEST_DESCRIPTION == *'any kernel'* ]] || skip 'only with the stand-in'
		imafs_start root
		STORE=$PWD/store
		return
	fi
	start_swtpm tpm sha1,sha256
	imafs_start root --tcti "$TPM2TOOLS_TCTI" "$@"
	STORE=$ROOT/var/lib/imalog
	mkdir -p "${STORE%/*}"
}

stop_machine() {
	imafs_stop
	stop_swtpm tpm
}

# expect_code STATUS IMALOG-ARG...
expect_code() {
	local want=$1
	shift
	imalog --root "$ROOT" "$@"
	expect_status "$want" "$*"
}

# The current epoch, and what the kernel has, are all that was measured since the TPM's
# reset: no gap, no double, in order.
expect_all() {
	local part=$STORE/current
	cat "$part"/log.* "$IMA/binary_runtime_measurements_staged" \
		"$IMA/binary_runtime_measurements" >all
	imafs_ctl dump-all >ever
	expect_same ever all 'something is lost, or double'
}

# And it leads to what the TPM says.
expect_proved() {
	expect_all
	expect_code 0 store check --tcti "$TPM2TOOLS_TCTI" -q
	expect_code 0 replay --tcti "$TPM2TOOLS_TCTI" --pcr 10 -q all
}

# Segments of the current epoch: "log.00000001 pending.00000002"
segments() {
	(cd "$STORE/current" && echo [!r]*)
}
