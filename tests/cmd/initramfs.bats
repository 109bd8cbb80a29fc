#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog-initramfs and the hooks of dracut and initramfs-tools, in a root of their own,
# where other programs say that they are imalog and kexec.

load helpers

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	[ "$(id -u)" = 0 ] || skip 'chroot needs root'
	command -v busybox >/dev/null || skip 'busybox is not installed'
	make_root
}

# A root with lists, a store, and programs that write down how they were called
make_root() {
	local name ima=root/sys/kernel/security/integrity/ima
	mkdir -p root/{bin,proc,run,etc,dev,var/lib/imalog} $ima root/sys/class/tpm/tpm0
	cp -L "$(command -v busybox)" root/bin/busybox
	for name in sh cat echo ls mount rm sleep sync timeout; do
		ln -s busybox root/bin/$name
	done
	for name in imalog kexec; do
		# shellcheck disable=SC2016 # of that script
		printf '%s\n' '#!/bin/sh' "echo $name \"\$@\" >>/called" \
			"[ ! -e /$name ] || . /$name" >root/bin/$name
		chmod +x root/bin/$name
	done
	touch $ima/binary_runtime_measurements{,_sha1,_staged} root/var/lib/imalog/lock root/called
	# The shell wants one for what runs in the background.
	touch root/dev/null
	echo 'quiet ro' >root/proc/cmdline
	install "$IMALOG_SRC/dist/initramfs/imalog-initramfs" root/bin/
}

initramfs() {
	run --separate-stderr env PATH=/bin ${LIMIT+IMALOG_LIMIT="$LIMIT"} \
		"$(command -v chroot)" root /bin/imalog-initramfs "$@"
}

# expect_called LINE...: these commands, and no others
expect_called() {
	diff <(printf '%s\n' "$@") root/called >&2 || fail 'other commands were called'
}

expect_nothing_called() {
	[ ! -s root/called ] || fail "called: $(<root/called)"
}

OPTIONS='--config /dev/null --store'

@test "initramfs: help, and what is no command" {
	local words
	initramfs --help
	expect_status 0
	expect_stdout '^Usage: imalog-initramfs export ROOT$'
	for words in '' nonsense export 'export / /' 'check /' kexec 'kexec --root /'; do
		# shellcheck disable=SC2086
		initramfs $words
		expect_status 2 "$words"
		expect_no_stdout
	done
	expect_nothing_called
}

@test "initramfs: export takes the list into the store of the root" {
	mkdir -p root/sysroot/var/lib
	mv root/var/lib/imalog root/sysroot/var/lib/
	initramfs export /sysroot
	expect_status 0
	expect_called "imalog export --sysfs $OPTIONS /sysroot/var/lib/imalog"
}

@test "initramfs: export takes store and TPM from the configuration" {
	printf '%s\n' '# store = /no' '' ' store  =/srv/a b ' 'wait = 1s' 'tpm=none' \
		>root/etc/imalog.conf
	mkdir -p 'root/srv/a b'
	touch 'root/srv/a b/lock'
	initramfs export /
	expect_status 0
	expect_called "imalog export --no-tpm $OPTIONS /srv/a b"
	rm -r root/etc/imalog.conf root/sys/class root/called
	initramfs export /
	expect_status 0
	expect_called "imalog export $OPTIONS /var/lib/imalog"
	: >root/called
	# As imalog reads it
	printf 'store = /srv/a b' >root/etc/imalog.conf
	initramfs export /
	expect_status 0
	expect_called "imalog export $OPTIONS /srv/a b"
}

@test "initramfs: a configuration that is not seen here names no store" {
	ln -s /on/another/disk root/etc/imalog.conf
	initramfs export /
	expect_status 4
	expect_stderr "^imalog: '/etc/imalog.conf' cannot be read: nothing is exported"
	expect_nothing_called
	# Nobody waits for what is in it, nor takes a default for it.
	for make in mkdir mkfifo; do
		rm -r root/etc/imalog.conf
		$make root/etc/imalog.conf
		initramfs export /
		expect_status 4
		expect_stderr "^imalog: '/etc/imalog.conf' cannot be read: nothing is exported"
		expect_nothing_called
	done
}

@test "initramfs: without a store nothing is exported" {
	rm root/var/lib/imalog/lock
	initramfs export /
	expect_status 4
	expect_stderr "^imalog: no store '/var/lib/imalog': nothing is exported"
	expect_nothing_called
}

@test "initramfs: export that fails is said, and its status kept" {
	local code
	for code in 1 3 4; do
		echo "exit $code" >root/imalog
		initramfs export /
		expect_status $code
		expect_stderr "^imalog: the export ended with status $code: "
	done
}

@test "initramfs: what does not end is ended" {
	LIMIT=1
	echo 'exec sleep 100' >root/imalog
	initramfs export /
	expect_status 124
	expect_stderr "^imalog: 'imalog export' took more than 1 seconds and was given up$"
	initramfs check
	[ "$status" -ne 0 ] || fail 'all was well'
	initramfs kexec /vmlinuz
	[ "$status" -ne 0 ] || fail 'all was well'
	! grep 'kexec -e' root/called || fail 'the kernel was started'
}

@test "initramfs: what cannot be ended is left alone" {
	LIMIT=1
	printf '%s\n' '#!/bin/sh' 'shift 3' '"$@"' >root/bin/timeout.sh
	chmod +x root/bin/timeout.sh
	ln -sf timeout.sh root/bin/timeout
	echo 'echo $$ >/pid; exec sleep 100' >root/imalog
	# Not 'run', which would wait for what it cannot end, either
	status=0
	PATH=/bin IMALOG_LIMIT=1 "$(command -v chroot)" root /bin/imalog-initramfs export / \
		>out 2>err 3>&- || status=$?
	stderr=$(<err)
	expect_status 124
	expect_stderr 'took more than 1 seconds and was given up$'
	kill "$(<root/pid)"
}

@test "initramfs: what an earlier step came to is not taken for another one's" {
	# Some images have no rm.
	rm root/bin/rm
	echo 'exit 1' >root/kexec
	initramfs kexec /vmlinuz
	expect_status 4
	! grep 'kexec -e' root/called || fail 'the kernel was started'
	# What was given up ends later, and well
	: >root/called
	rm root/kexec
	printf '%s\n' '#!/bin/sh' 'shift 3' '"$@"' >root/bin/timeout.sh
	chmod +x root/bin/timeout.sh
	ln -sf timeout.sh root/bin/timeout
	cat >root/imalog <<-'END'
		case $2 in
		--sysfs) until [ -e /second ]; do sleep 0.5; done ;;
		--no-export) echo >/second; sleep 5; exit 1 ;;
		esac
	END
	LIMIT=1
	initramfs kexec /vmlinuz
	expect_status 1
	! grep 'kexec -e' root/called || fail 'the kernel was started'
}

@test "initramfs: without a place to write to, nothing is called" {
	rmdir root/run
	initramfs check
	expect_status 4
	expect_stderr "^imalog: 'imalog' is not called"
	expect_nothing_called
}

@test "initramfs: a limit that is no number" {
	local word
	for word in 0 08 1m ''; do
		LIMIT=$word
		initramfs check
		expect_status 0 "$word"
	done
}

@test "initramfs: kernels without lists, or which keep them, or imalog=off" {
	local command
	local ima=root/sys/kernel/security/integrity/ima
	rm $ima/binary_runtime_measurements_staged
	# Linux 7.2 without CONFIG_IMA_STAGING
	chmod 660 $ima/binary_runtime_measurements_sha1
	initramfs export /
	expect_status 0
	expect_called "imalog export --sysfs $OPTIONS /var/lib/imalog"
	: >root/called
	chmod 440 $ima/binary_runtime_measurements_sha1
	initramfs export /
	expect_status 0
	expect_stderr '^imalog: this kernel keeps its measurement list'
	expect_nothing_called
	echo 'ro imalog=off quiet' >root/proc/cmdline
	for command in 'export /' check; do
		# shellcheck disable=SC2086
		initramfs $command
		expect_status 0
		expect_stderr '^imalog: off'
	done
	expect_nothing_called
	echo 'ro imalog=offline' >root/proc/cmdline
	rm -r root/sys/kernel/security
	for command in 'export /' check; do
		# shellcheck disable=SC2086
		initramfs $command
		expect_status 0
	done
	expect_nothing_called
	# There may be a list, but nobody can look
	mkdir root/sys/kernel/security
	printf '#!/bin/sh\nexit 1\n' >root/bin/mount.sh
	chmod +x root/bin/mount.sh
	ln -sf mount.sh root/bin/mount
	for command in 'export /' check 'kexec /vmlinuz'; do
		# shellcheck disable=SC2086
		initramfs $command
		expect_status 4
		expect_stderr '^imalog: securityfs cannot be mounted'
	done
	rm -r root/sys
	for command in 'export /' check 'kexec /vmlinuz'; do
		# shellcheck disable=SC2086
		initramfs $command
		expect_status 4
		expect_stderr '^imalog: /sys is not mounted'
	done
	expect_nothing_called
}

@test "initramfs: check says what kexec-prepare --check says" {
	local code
	initramfs check
	expect_status 0
	expect_called 'imalog kexec-prepare --check --reserve 256'
	for code in 1 2 4; do
		echo "exit $code" >root/imalog
		initramfs check
		expect_status $code
		expect_stderr "^imalog: the measurement list is not safe .*status $code"
	done
}

@test "initramfs: kexec prepares, loads, checks and starts" {
	initramfs kexec /vmlinuz --initrd=/initrd
	expect_called "imalog kexec-prepare --sysfs $OPTIONS /var/lib/imalog" \
		'kexec -s -l /vmlinuz --initrd=/initrd' 'imalog kexec-prepare --check' 'kexec -e'
	# Who comes back from there was not replaced.
	expect_status 4
	expect_stderr '^imalog: kexec has failed$'
}

@test "initramfs: kexec goes on without a store, and without one that fails" {
	# shellcheck disable=SC2016
	echo '[ "$2" = --no-export ] || [ "$2" = --check ] || exit 4' >root/imalog
	initramfs kexec --root /mnt /vmlinuz
	expect_called 'imalog kexec-prepare --no-export' 'kexec -s -l /vmlinuz' \
		'imalog kexec-prepare --check' 'kexec -e'
	expect_stderr "^imalog: no store '/mnt/var/lib/imalog'"
	: >root/called
	initramfs kexec /vmlinuz
	expect_called "imalog kexec-prepare --sysfs $OPTIONS /var/lib/imalog" \
		'imalog kexec-prepare --no-export' 'kexec -s -l /vmlinuz' \
		'imalog kexec-prepare --check' 'kexec -e'
	expect_stderr '^imalog: kexec-prepare ended with status 4: now without the store'
}

@test "initramfs: kexec does not start what would lose the list" {
	echo 'exit 1' >root/imalog
	initramfs kexec /vmlinuz
	expect_status 1
	expect_stderr '^imalog: no kexec: .*status 1'
	expect_called "imalog kexec-prepare --sysfs $OPTIONS /var/lib/imalog"
	: >root/called
	# shellcheck disable=SC2016
	echo '[ "$2" != --check ] || exit 4' >root/imalog
	initramfs kexec /vmlinuz
	expect_status 4
	expect_called "imalog kexec-prepare --sysfs $OPTIONS /var/lib/imalog" \
		'kexec -s -l /vmlinuz' 'imalog kexec-prepare --check' 'kexec -s -u'
	: >root/called
	rm root/imalog
	echo 'exit 1' >root/kexec
	initramfs kexec /vmlinuz
	expect_status 4
	expect_stderr "^imalog: '/vmlinuz' cannot be loaded$"
	expect_called "imalog kexec-prepare --sysfs $OPTIONS /var/lib/imalog" \
		'kexec -s -l /vmlinuz'
}

@test "initramfs: the check is the last before the start, and all before it ends" {
	rm root/bin/sync
	# shellcheck disable=SC2016
	printf '%s\n' '#!/bin/sh' 'echo sync >>/called' '[ ! -e /sync ] || . /sync' >root/bin/sync
	chmod +x root/bin/sync
	initramfs kexec --root /mnt /vmlinuz
	expect_called 'imalog kexec-prepare --no-export' 'kexec -s -l /vmlinuz' sync \
		'imalog kexec-prepare --check' 'kexec -e'
	: >root/called
	echo 'exec sleep 100' >root/sync
	LIMIT=1
	initramfs kexec --root /mnt /vmlinuz
	expect_status 124
	expect_stderr "^imalog: 'sync' took more than 1 seconds"
	expect_called 'imalog kexec-prepare --no-export' 'kexec -s -l /vmlinuz' sync 'kexec -s -u'
}

# ---- hooks

# A script of initramfs-tools or dracut in that root
hooked() {
	mkdir -p root/usr
	ln -sfn ../bin root/usr/bin
	install "$IMALOG_SRC/dist/$1" root/hook
	shift
	run --separate-stderr env PATH=/bin "$@" "$(command -v chroot)" root /bin/sh -c '. /hook'
}

@test "dracut: the last check unloads what would lose the list" {
	hooked dracut/90imalog/imalog-check.sh ACTION=reboot
	expect_status 0
	expect_nothing_called
	hooked dracut/90imalog/imalog-check.sh ACTION=kexec
	expect_status 0
	expect_called 'imalog kexec-prepare --check --reserve 256'
	: >root/called
	echo 'exit 4' >root/imalog
	hooked dracut/90imalog/imalog-check.sh ACTION=kexec
	expect_status 0
	expect_called 'imalog kexec-prepare --check --reserve 256' 'kexec -s -u'
	expect_stderr '^imalog: no kexec: the machine is reset instead$'
}

@test "dracut, initramfs-tools: a boot goes on, whatever comes of the export" {
	echo 'exit 3' >root/imalog
	mkdir -p root/sysroot/var/lib
	mv root/var/lib/imalog root/sysroot/var/lib/
	hooked dracut/90imalog/imalog-export.sh NEWROOT=/sysroot
	expect_status 0
	hooked initramfs-tools/scripts/init-bottom/imalog rootmnt=/sysroot
	expect_status 0
	expect_called "imalog export --sysfs $OPTIONS /sysroot/var/lib/imalog" \
		"imalog export --sysfs $OPTIONS /sysroot/var/lib/imalog"
}

# installed: what the hooks put into images, and hooks that name it
installed() {
	local build=${IMALOG_BUILD:-$IMALOG_SRC/build}
	mkdir -p bin libexec/imalog
	# The library is not installed, so have it in the program.
	# shellcheck disable=SC2046 # a list of words
	"$build/libtool" --tag=CC --mode=link "${CC:-cc}" -static-libtool-libs -o bin/imalog \
		"$build"/src/imalog-*.o "$build/lib/libimalog.la" \
		$(sed -n 's/^\(JANSSON_LIBS\|FUSE_LIBS\|SANITIZE_FLAGS\) = //p' "$build/Makefile") >link.log 2>&1 ||
		fail "$(<link.log)"
	install "$IMALOG_SRC/dist/initramfs/imalog-initramfs" libexec/imalog/
	sed "s|@bindir@|$PWD/bin|; s|@libexecdir@|$PWD/libexec|" \
		"$IMALOG_SRC/dist/$1.in" >hook
	chmod +x hook
}

@test "initramfs-tools: the hook puts all that imalog needs into an image" {
	[ -e /usr/share/initramfs-tools/hook-functions ] ||
		skip 'initramfs-tools-core is not installed'
	installed initramfs-tools/hooks/imalog
	mkdir -p image/usr/{bin,lib,lib64} conf/conf.d
	# As mkinitramfs does before
	ln -s usr/bin usr/lib usr/lib64 image/
	run --separate-stderr ./hook prereqs
	expect_status 0
	[ -z "$output" ] || fail 'it names others'
	for word in no yes; do
		echo "IMALOG=$word" >conf/conf.d/imalog
		run --separate-stderr env DESTDIR="$PWD/image" CONFDIR="$PWD/conf" \
			MODULESDIR=/none version=none verbose=n ./hook
		expect_status 0
		[ $word = yes ] || ! find image ! -type d ! -type l | grep . || fail 'unwanted, and there'
	done
	[ -x image/usr/bin/imalog-initramfs ] && [ -x image/usr/bin/timeout ] || fail 'no script'
	run -0 --separate-stderr chroot image /usr/bin/imalog --version
	expect_status 0
}

@test "dracut: the module puts all that imalog needs into an image" {
	command -v dracut >/dev/null || skip 'dracut-core is not installed'
	installed dracut/90imalog/module-setup.sh
	cp -rs /usr/lib/dracut dracut
	mkdir -p dracut/modules.d/90imalog conf tmp image
	cp "$IMALOG_SRC"/dist/dracut/90imalog/*.sh dracut/modules.d/90imalog/
	mv hook dracut/modules.d/90imalog/module-setup.sh
	run --separate-stderr env dracutbasedir="$PWD/dracut" dracut --no-kernel --conf /dev/null \
		--confdir "$PWD/conf" --tmpdir "$PWD/tmp" --no-compress --modules 'base imalog' \
		"$PWD/image.cpio" none
	expect_status 0
	(cd image && cpio -i --quiet <../image.cpio) || fail 'no image'
	run -0 --separate-stderr chroot image /usr/bin/imalog --version
	expect_status 0
	for file in usr/bin/imalog-initramfs usr/bin/timeout usr/bin/sleep \
		usr/lib/dracut/hooks/pre-pivot/90-imalog-export.sh \
		usr/lib/dracut/hooks/shutdown/90-imalog-check.sh shutdown; do
		[ -e "image/$file" ] || fail "no $file"
	done
	# Not unless it is asked for
	run bash -c 'require_binaries() { true; }; . "$0" && check' \
		dracut/modules.d/90imalog/module-setup.sh
	expect_status 255
}
