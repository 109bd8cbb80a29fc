# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Examples of the manual pages, as they stand there. Loaded after helpers.bash.

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
