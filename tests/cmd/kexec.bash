# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine that a kexec is prepared on. What the stand-in has no files for, this writes:
# kexec_loaded, kallsyms, vmallocinfo.

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	[ -z "${IMALOG_TEST_ROOT-}" ] || skip 'only with the stand-in'
	case $(stat -f -c %T .) in
	tmpfs | ramfs | overlayfs | fuse*)
		skip "'$PWD' is where nothing lasts: set TMPDIR to a place on a disk"
		;;
	esac
}

teardown() {
	imafs_stop
}

# start [OPTION...]: a machine whose /proc and /sys are files
start() {
	need_imafs
	mkdir -p root
	ROOT=$PWD/root
	IMA=$ROOT/sys/kernel/security/integrity/ima
	STORE=$ROOT/var/lib/imalog
	"$IMAFS" "$@" "$ROOT" || fail "imafs: $*"
	mkdir -p "$ROOT/boot" "$ROOT/var/lib"
	config CONFIG_IMA_KEXEC=y
	loaded 0
}

# config LINE...: what the kernel was built with
config() {
	printf '%s\n' CONFIG_IMA=y '# CONFIG_IMA_DISABLE_HTABLE is not set' \
		CONFIG_KEXEC_FILE=y "$@" \
		>"$ROOT/boot/config-$(<"$ROOT/proc/sys/kernel/osrelease")"
}

loaded() {
	echo "$1" >"$ROOT/sys/kernel/kexec_loaded"
}

# load_kernel [SIZE]: loads another kernel
load_kernel() {
	imafs_ctl kexec-load "$@"
	loaded 1
}

# buffer SIZE: the kernel's table of buffers has one for the list
buffer() {
	cat >"$ROOT/proc/vmallocinfo" <<-END
		0xffffc90000000000-0xffffc90000005000   20480 irq_init_percpu_irqstack+0x91/0x2a0 vmap
		0xffffc90000049000-0xffffc9000004e000 $(($1 + 4096)) ima_add_kexec_buffer+0xe2/0x1d0 pages=4 vmalloc
		0xffffc90000051000-0xffffc90000056000 $(($1 + 4096)) kimage_map_segment+0x6a/0x110 vmap
	END
}

# kexec_to carried|lost|cut N: to a kernel that nothing is loaded in
kexec_to() {
	imafs_ctl kexec "$@"
	loaded 0
	rm -f "$ROOT/proc/vmallocinfo"
}

# prepare STATUS OPTION...
prepare() {
	local want=$1
	shift
	imalog kexec-prepare --root "$ROOT" --sysfs "$@"
	expect_status "$want" "$*"
}

check() {
	local want=$1
	shift
	prepare "$want" --check --json "$@"
}

# number KEY: of the JSON that was printed
number() {
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$output"
}

# note KIND REGEX: is among the notes of the JSON that was printed
note() {
	PATTERN=$2 expect_json "[n for n in d['notes'] if n['kind'] == '$1' and
		__import__('re').search(__import__('os').environ['PATTERN'], n['text'])]"
}

# status STATUS REGEX...
status_says() {
	local want=$1
	shift
	imalog status --root "$ROOT" --sysfs
	expect_status "$want" "status: $*"
	expect_stdout "$@"
}

# expect_whole: what the store and the kernel have is all that was measured, each once
expect_whole() {
	imalog_to all convert -t kernel --root "$ROOT"
	expect_status 0
	imafs_ctl dump-all >ever
	expect_same ever all 'something is lost, or double'
}

# prepared: with six records that came when all was exported
prepared() {
	imafs_ctl bulk 20 /early/
	imafs_at after D bulk 6 /between/
	prepare 0 --json
}
