# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# This machine's log, as all commands without a LOG have it. Loaded after export.bash.

# What tells that a file of the store was changed; access times do.
store_state() {
	[ ! -e "$STORE" ] ||
		find "$STORE" -printf '%P %i %m %n %s %T@ %C@ %l\n' | sort
}

# The view is all that was measured since the TPM's reset, the TPM's values are in it, and
# nobody can tell from the store that it was looked at.
expect_view() {
	local before
	before=$(store_state)
	imafs_ctl dump-all >ever
	expect_code 0 convert -t kernel -o seen
	expect_same ever seen 'the view is not what was measured'
	expect_code 0 replay --tcti "$TPM2TOOLS_TCTI" --pcr 10 --json
	expect_verdict match "d['later'] == 0" "d['records'] == $(mklog index ever | wc -l)"
	[ "$(store_state)" = "$before" ] || fail 'the store is not what it was'
}
