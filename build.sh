#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds imalog in build/, with all that it needs.
set -eu

usage() {
	cat <<-'END'
	Usage: ./build.sh [COMMAND]

	Builds imalog in build/. As root on Debian and its relatives it first installs
	what is missing.

	  (none)           build
	  check [NAME...]  build with -Werror and run the tests (tests/run-tests --help)
	  check-long       run the long tests too: sanitizers, fuzzing, valgrind, vm
	  vm [NAME...]     build and run these tests in virtual machines, or all of them
	  bench            build and measure
	  demo             build and show what imalog does
	  clean            remove build/ and what autoreconf wrote

	  --help           print this text
	END
}

build_packages='autoconf automake gcc libc6-dev libcbor-dev libfuse3-dev libjansson-dev
	libkeyutils-dev libssl-dev libtool libtss2-dev make pkg-config'
check_packages='bats busybox-static cpio dracut-core fuse3 g++ git ima-evm-utils
	initramfs-tools-core keyutils libtss2-tcti-swtpm0 mandoc openssl python3
	shellcheck strace swtpm swtpm-tools systemd tpm2-tools zsh'
long_packages='clang libc6-dbg libclang-rt-14-dev libtss2-tcti-device0
	llvm valgrind xz-utils'
vm_packages='bc bison e2fsprogs flex kexec-tools keyutils libelf-dev libtss2-tcti-device0
	qemu-system-x86 xz-utils'

die() {
	echo "build.sh: $*" >&2
	exit 1
}

# install_packages PACKAGE...: installs those that are missing. Without root or
# apt-get, configure says what it lacks and tests are skipped.
install_packages() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 0
	missing=
	for package; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = \
			installed ] || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # a list of words
	{ apt-get -q update &&
		apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing; } \
		</dev/null || die "cannot install$missing"
	rm -f build/Makefile # configure is to find them
}

# build [OPTION...]: configures with these options, anew if they were others, and makes.
build() {
	if [ ! -f configure ] || [ ! -f Makefile.in ]; then
		autoreconf -i
	fi
	if [ ! -f build/Makefile ] || [ "$(cat build/options)" != "$*" ]; then
		rm -rf build
		mkdir build
		(cd build && ../configure -q "$@")
		echo "$*" >build/options
	fi
	make -C build -j "$(nproc)"
}

cd "$(dirname "$0")"
command=${1-build}
[ $# -eq 0 ] || shift
[ "$command" = check ] || [ "$command" = vm ] || [ $# -eq 0 ] || die "too many arguments: try --help"

# shellcheck disable=SC2086 # lists of words
case $command in
build)
	install_packages $build_packages
	build
	;;
check)
	install_packages $build_packages $check_packages
	build --enable-werror
	# What 'make check' does, but nothing is printed behind the summary
	make -C build -j "$(nproc)" check-programs
	exec tests/run-tests "$@"
	;;
check-long)
	install_packages $build_packages $check_packages $long_packages $vm_packages
	exec tests/long
	;;
vm)
	install_packages $build_packages $check_packages $vm_packages
	build
	make -C build -j "$(nproc)" check-programs
	tests/vm/kernel --for "$@" >/dev/null
	IMALOG_TEST_TIMEOUT=1800 exec tests/run-tests vm "$@"
	;;
bench)
	install_packages $build_packages $check_packages
	build
	exec make -C build bench
	;;
demo)
	install_packages $build_packages $check_packages
	build
	if pkg-config --exists fuse3; then
		make -C build tests/imafs/imafs
	fi
	IMALOG_SRC=$PWD IMALOG_BUILD=$PWD/build
	IMALOG=$IMALOG_BUILD/src/imalog MKLOG=$IMALOG_SRC/tests/mklog
	export IMALOG_SRC IMALOG_BUILD IMALOG MKLOG
	exec tests/demo
	;;
clean)
	rm -rf build aclocal.m4 autom4te.cache build-aux config.h.in config.h.in~ \
		configure configure~ m4/l*.m4 Makefile.in
	;;
-h | --help | help) usage ;;
*) die "unknown command '$command': try --help" ;;
esac
