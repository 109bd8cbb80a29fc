#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What is in dist/: units, the example of a configuration, the example for cron.

load helpers

BUILD=${IMALOG_BUILD:-$IMALOG_SRC/build}
UNITS=$BUILD/dist/systemd

setup_file() {
	PYTHON=$(python3 -c 'import sys; print(sys.executable)')
	export PYTHON
	make -s -C "$BUILD" dist/systemd/imalog-{export,kexec,mount}.service >&2 3>&-
}

need_systemd() {
	command -v systemd-analyze >/dev/null || skip 'systemd-analyze is not installed'
}

# The units as they are installed, in systemd/, with a program that is there
make_units() {
	local unit
	need_systemd
	mkdir -p systemd
	for unit in imalog-{export,kexec,mount}.service; do
		sed "/^ExecStart=/s|/[^ (]*/bin/imalog|$IMALOG|" "$UNITS/$unit" >systemd/$unit
	done
	cp "$IMALOG_SRC/dist/systemd/imalog-export.timer" systemd/
}

@test "dist: systemd finds nothing wrong with the units" {
	make_units
	run --separate-stderr systemd-analyze verify --man=no --recursive-errors=no \
		"$PWD/systemd/imalog-export.service" "$PWD/systemd/imalog-export.timer" \
		"$PWD/systemd/imalog-kexec.service" "$PWD/systemd/imalog-mount.service"
	expect_status 0
	expect_no_stdout
	expect_no_stderr
	# It would say so
	sed -i 's/^UMask=.*/&\nNoSuchKey=1/' systemd/imalog-export.service
	run --separate-stderr systemd-analyze verify --man=no --recursive-errors=no \
		"$PWD/systemd/imalog-export.service"
	expect_stderr 'NoSuchKey'
}

@test "dist: the service has no more rights than an export needs" {
	make_units
	systemd-analyze security --help | grep -q -- --offline || skip 'an old systemd'
	run --separate-stderr systemd-analyze security --offline=true --threshold=30 \
		"$PWD/systemd/imalog-export.service"
	expect_status 0 'more exposed than 3.0 of 10'
}

# What it mounts would be seen by nobody else, if it had a mount namespace of its own.
@test "dist: the service that mounts has no rights but to mount, and no namespace" {
	local key keys='ProtectSystem ProtectHome PrivateTmp PrivateDevices PrivateMounts
		ProtectKernelTunables ProtectKernelModules ProtectKernelLogs
		ProtectControlGroups ReadWritePaths ReadOnlyPaths InaccessiblePaths BindPaths
		BindReadOnlyPaths ProtectProc TemporaryFileSystem RootDirectory MountFlags'
	make_units
	for key in $keys; do
		! grep -q "^$key=" systemd/imalog-mount.service || fail "$key makes one"
	done
	for key in Type=notify NoNewPrivileges=yes DevicePolicy=closed; do
		grep -q "^$key\$" systemd/imalog-mount.service || fail "no $key"
	done
	grep -qE '^ExecStart=/[^ ]*/bin/imalog mount --foreground /run/imalog/ima$' \
		"$UNITS/imalog-mount.service" || fail 'another program'
	systemd-analyze security --help | grep -q -- --offline || skip 'an old systemd'
	run --separate-stderr systemd-analyze security --offline=true --threshold=60 \
		"$PWD/systemd/imalog-mount.service"
	expect_status 0 'more exposed than 6.0 of 10'
}

@test "dist: the units name each other and the installed program, whose thresholds are in its file" {
	local unit service=$UNITS/imalog-export.service
	[ -e "$IMALOG_SRC/dist/systemd/imalog-export.timer" ] || fail 'no timer'
	# Where status would not see them, there are none
	grep -qE '^ExecStart=/[^ ]*/bin/imalog export$' "$service" || fail 'another command'
	! grep -n '@[a-z]*@\|^Environment' "$service" || fail 'not replaced, or options'
	grep -qE '^(min-records|max-age) = ' "$IMALOG_SRC/dist/imalog.conf" || fail 'no thresholds'
	# A kernel that cannot stage may delete its first records
	for unit in "$service" "$IMALOG_SRC/dist/systemd/imalog-export.timer"; do
		[ "$(grep '^Condition' "$unit")" = \
			ConditionPathExists=/sys/kernel/security/integrity/ima ] ||
			fail "conditions of $unit"
	done
}

# That it does stop a kexec is seen in a guest (tests/vm/systemd-kexec.bats).
@test "dist: the unit before a kexec is one without which there is none" {
	local key unit=$UNITS/imalog-kexec.service
	for key in Before=systemd-kexec.service RequiredBy=systemd-kexec.service \
		DefaultDependencies=no FailureAction=reboot-force TimeoutStartSec=1min; do
		grep -qx "$key" "$unit" || fail "no $key"
	done
	# What it runs, with a program that says how it was called, and that it must not be
	printf '#!/bin/sh\necho "$@" >called\necho "a \$ b" >&2\nexit 4\n' >imalog
	chmod +x imalog
	sed -n '/^ExecStart=/,/[^\\]$/p' "$unit" >start
	sed -i 's/^ExecStart=//; s/\\$//; s/\$\$/$/g; s|/[^ ]*/bin/imalog|./imalog|' start
	run --separate-stderr sh -c "$(tr -d '\n' <start)"
	expect_status 4
	expect_stdout '^a \$ b$'
	[ "$(<called)" = 'kexec-prepare --check --reserve 1K' ] || fail "called: $(<called)"
	mkdir none
	# shellcheck disable=SC2046 # a list of words
	imalog --root none $(<called)
	expect_status 4
}

@test "dist: the example has every key of the configuration, and imalog reads it" {
	local conf=$IMALOG_SRC/dist/imalog.conf
	sed -n 's/^\.It Cm \([a-z-]*\)$/\1/p' "$IMALOG_SRC/man/imalog.conf.5" | sort >keys
	[ "$(wc -l <keys)" -ge 7 ] || fail 'no keys in imalog.conf(5)'
	sed -nE 's/^#?([a-z-]+) = .*/\1/p' "$conf" | sort | diff keys - || fail 'other keys'
	sed -E 's/^#([a-z-]+ = )/\1/' "$conf" >all
	mkdir none
	for conf in "$conf" all; do
		imalog --root none stage --config "$conf"
		expect_status 4
		expect_stderr 'securityfs'
	done
	echo 'no-such-key = 1' >>all
	imalog --root none stage --config all
	expect_status 3
}

@test "dist: the line for cron is one that cron and a shell understand" {
	local line cron=$IMALOG_SRC/dist/imalog.cron
	line=$(grep -vE '^(#|[A-Z]+=)' "$cron")
	[ "$(wc -l <<<"$line")" -eq 1 ] || fail 'one line expected'
	[[ $line =~ ^'*/10 * * * * root '(.*)$ ]] || fail 'no time and user'
	# cron would take it for a newline
	[[ $line != *%* ]] || fail 'there is a percent sign'
	mkdir bin
	# shellcheck disable=SC2016
	printf '#!/bin/sh\necho "$@" >called\n' >bin/imalog
	chmod +x bin/imalog
	LISTS=$PWD/lists PATH=$PWD/bin:$PATH run sh -c "${BASH_REMATCH[1]}"
	expect_status 0
	[ ! -e called ] || fail 'called without IMA'
	mkdir lists
	LISTS=$PWD/lists PATH=$PWD/bin:$PATH run sh -c "${BASH_REMATCH[1]}"
	expect_status 0
	read -ra words <called
	mkdir none
	imalog --root none "${words[@]}"
	expect_status 4
	expect_stderr 'securityfs'
}
