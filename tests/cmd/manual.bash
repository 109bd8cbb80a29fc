# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages: the files that their examples name, and how these are run. Loaded
# after helpers.bash.

MAN=$IMALOG_SRC/man

# examples_of PAGE: its commands, one a line
examples_of() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$MAN/$1" |
		sed -e ':more' -e '/\\e$/{N;s/ *\\e\n */ /;b more' -e '}' | grep '^[$#] '
}

# example PAGE COMMAND [WITH]: the page has this command; runs it, as WITH if given
example() {
	examples_of "$1" | grep -qxF -- "$2" || fail "not in the examples of $1: $2"
	local command=${3:-${2#??}}
	[ "${2%"${2#?}"}" != '#' ] || command="imalog() { command imalog --root root \"\$@\"; }
		$command"
	run --separate-stderr bash -c "$command"
}

manual_setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cp "$NG" log
	cp "$RIG/ng/pcrs.yaml" .
	cp "$RIG"/ng/quote{,-10-11}.{msg,sig} "$RIG/ng/nonce.hex" .
	cp "$RIG/ng/ak-rsa.tss" ak.tss
	cp "$RIG/ng/quote-10-11.pcrs" quote.pcrs
	cp "$RIG/ng/binary_bios_measurements" eventlog
	records log 1 20 >piece1
	records log 21 45 >piece2
	mklog generate --records 20 --be -o log-be
	make_root
	mkdir bin
	ln -s "$IMALOG" bin/imalog
	PATH=$PWD/bin:$PATH
}

# The files of /sys that imalog reads
make_root() {
	local ima=root/sys/kernel/security/ima tpm=root/sys/class/tpm/tpm0 bank pcr value
	mkdir -p "$ima" "$tpm" root/sys/kernel/security/tpm0
	cp "$NG" "$ima"
	cp eventlog root/sys/kernel/security/tpm0/binary_bios_measurements
	while IFS=:= read -r bank pcr value; do
		mkdir -p "$tpm/pcr-$bank"
		echo "${value^^}" >"$tpm/pcr-$bank/$pcr"
	done < <(values_of pcrs.yaml)
}

# keys_of PAGE: the keys of the object in its section JSON, in order, not those within
keys_of() {
	awk '/^\.Ss/ { here = /JSON/; depth = 0 }
		/^\.Bl/ { depth++ }
		/^\.El/ { depth-- }
		here && depth == 1 && /^\.It Cm/ { print $3 }' "$MAN/$1"
}

# Every key that was printed is in the manual, in the same order.
expect_keys() {
	expect_json "list(d) == [k for k in open('keys').read().split() if k in d]"
}

# start_kernel [OPTION...]: a machine that can stage, in place of the files
start_kernel() {
	imafs_stop
	rm -rf root log.1
	unset IMALOG_TEST_ROOT
	imafs_start root "$@"
	mkdir -p root/var/lib
	[ "$(stat -f -c %T .)" != tmpfs ] || skip "'$PWD' is on tmpfs, where nothing lasts"
}
