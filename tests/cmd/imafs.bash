# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The stand-in for the kernel's IMA files. Loaded after helpers.bash, and after
# swtpm.bash by those who give it a TPM.
#
#	setup()    { cd "$BATS_TEST_TMPDIR"; start_swtpm tpm sha1,sha256
#	             imafs_start root --tcti "$TPM2TOOLS_TCTI"; }
#	teardown() { imafs_stop; stop_swtpm tpm; }
#
#	imafs_ctl measure FILE; imalog --root root export
#
# With IMALOG_TEST_ROOT=/ the kernel of this machine is used, and tests that need what
# only the stand-in can do are skipped.

IMAFS=${IMAFS:-${IMALOG_BUILD:-$IMALOG_SRC/build}/tests/imafs/imafs}

need_imafs() {
	[ "$(id -u)" = 0 ] || skip 'imafs needs root'
	[ -c /dev/fuse ] || skip 'there is no /dev/fuse: imafs cannot be mounted'
	[ -x "$IMAFS" ] || skip 'imafs is not built: libfuse3 was not found'
}

# imafs_start DIR [OPTION...]: mounts it below DIR. Sets ROOT to DIR, IMA to its
# directory of files; "imafs --help" has the options.
imafs_start() {
	if [ -n "${IMALOG_TEST_ROOT-}" ]; then
		ROOT=$IMALOG_TEST_ROOT
		IMA=${ROOT%/}/sys/kernel/security/integrity/ima
		[ -e "$IMA/binary_runtime_measurements_staged" ] ||
			skip "the kernel of '$ROOT' cannot stage"
		return
	fi
	need_imafs
	mkdir -p "$1"
	ROOT=$(cd "$1" && pwd)
	IMA=$ROOT/sys/kernel/security/integrity/ima
	shift
	"$IMAFS" --proc "$@" "$ROOT" || fail "imafs: $*"
	# Without it, nothing tells whether records can come again.
	mkdir -p "$ROOT/boot"
	printf 'CONFIG_IMA=y\n' >"$ROOT/boot/config-$(<"$ROOT/proc/sys/kernel/osrelease")"
}

# imafs_ctl COMMAND [ARG]...: orders the stand-in to do something (commands.c)
imafs_ctl() {
	if [ -n "${IMALOG_TEST_ROOT-}" ]; then
		[ "$1" = measure ] || skip "only the stand-in can do '$1'"
		shift
		cat -- "$@" >/dev/null
		return
	fi
	"$IMAFS" ctl "$ROOT/imafs.sock" "$@"
}

# imafs_at WHEN OP COMMAND [ARG]...: orders it for right before or after a request.
imafs_at() {
	imafs_ctl at "$@"
}

# imafs_stop: ends it, whatever state it is in; what still waits for it gets an error.
imafs_stop() {
	local pid tries mount
	[ -n "${ROOT-}" ] && [ -s "$ROOT/imafs.pid" ] || return 0
	pid=$(cat "$ROOT/imafs.pid")
	kill "$pid" 2>/dev/null || true
	for ((tries = 0; tries < 250; tries++)); do
		[ -e "$ROOT/imafs.pid" ] && kill -0 "$pid" 2>/dev/null || break
		sleep 0.02
	done
	kill -KILL "$pid" 2>/dev/null || true
	while read -r mount; do
		umount -l "$mount" || true
	done < <(awk -v root="$ROOT/" 'index($5, root) == 1 { print $5 }' \
		/proc/self/mountinfo | sort -r)
	rm -f "$ROOT/imafs.pid"
}

# imafs_stat KEY: one number of "imafs ctl stats"
imafs_stat() {
	imafs_ctl stats | sed -n "s/^$1=//p"
}

# imafs_single [N]: what has been logged since the start, or "imafs_ctl log clear", never
# had more than one list (or N) open for writing, and whoever had it had no other
# thread, no child, and closed it itself.
imafs_single() {
	imafs_ctl log | awk -v max="${1-1}" '
	/^#/ { next }
	{
		sub(/^tid=/, "", $2)
		list = $8 == "open" && $9 ~ /_runtime_measurements/
		if (list && ($11 == "WR" || $11 == "RDWR") && $NF == 0)
			owner[$10] = $2
		if (!($10 in owner))
			next
		last = $8 == "release"
		if (substr($7, 9) + 0 > max + 0)
			wrong = "too many files are open for writing"
		else if ($2 != owner[$10])
			wrong = "another task has it"
		else if (!last && $5 != "threads=1")
			wrong = "there is another thread"
		else if (!last && $6 != "children=0")
			wrong = "there is a child"
	}
	wrong { exit }
	END {
		if (wrong)
			print "imafs: " wrong ": " $0
		exit wrong != ""
	}' >&2
}
