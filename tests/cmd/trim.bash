# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a trim leaves. Loaded after helpers.bash, imafs.bash and export.bash.

# left N: so many records are in the list, and nothing is staged
left() {
	local count
	count=$(cat "$IMA/runtime_measurements_count")
	[ "$count" = "$1" ] || fail "$count are left, not $1"
	[ ! -s "$IMA/binary_runtime_measurements_staged" ] || fail 'something is staged'
}

# export_and_measure N: what is there is exported, and N records come then
export_and_measure() {
	imafs_ctl violation /x 3
	expect_code 0 export
	imafs_ctl violation /x "$1"
}

# kill_trim WHEN TRIM-ARG...: killed before or after its request
kill_trim() {
	imafs_at "$1" N kill
	shift
	imalog --root "$ROOT" trim "$@"
	[ "$status" = 137 ] || fail "status $status"
}

# Nothing is deleted, nothing is said to be, and no store is made.
expect_refused() {
	local status=$1 why=$2 before there=
	shift 2
	[ ! -e "$STORE" ] || there=yes
	before=$(cat "$IMA/runtime_measurements_count")
	expect_code "$status" trim "$@"
	expect_stderr "$why"
	[ "$(cat "$IMA/runtime_measurements_count")" = "$before" ] || fail 'deleted'
	[ ! -e "$STORE/current/pending.00000001" ] || fail 'saved'
	[ -n "$there" ] || [ ! -e "$STORE" ] || fail 'there is a store now'
}
