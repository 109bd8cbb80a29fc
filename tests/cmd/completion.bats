#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The completions for bash and zsh.

load helpers

# shellcheck source=../../dist/bash-completion/imalog
source "$IMALOG_SRC/dist/bash-completion/imalog"
PATH=${IMALOG%/*}:$PATH
unset -f imalog # of the helpers; here it is the program

# What the completion asks of bash; "+o default" is that files are not wanted
compopt() {
	options_of_bash+=" $*"
}

# complete_words WORD...: sets COMPREPLY as if the last word was being typed
complete_words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	options_of_bash=
	_imalog "$1"
}

# What comes next is a file, or nothing that could be completed.
expect_files() {
	complete_words "$@"
	[ ${#COMPREPLY[@]} -eq 0 ] && [ -z "$options_of_bash" ] ||
		fail "$*: ${COMPREPLY[*]}$options_of_bash"
}

expect_nothing() {
	complete_words "$@"
	[ ${#COMPREPLY[@]} -eq 0 ] && [ "$options_of_bash" = ' +o default' ] ||
		fail "$*: ${COMPREPLY[*]}$options_of_bash"
}

# expect_words WORD...: these, in any order, and no others
expect_words() {
	diff <(printf '%s\n' "$@" | sort) <(printf '%s\n' "${COMPREPLY[@]}" | sort)
}

commands_of_help() {
	"$IMALOG" --help | awk '/^$/ { here = 0 } here { print $1 } /^Commands:/ { here = 1 }'
}

# Every --word that a help text has
long_options() {
	"$IMALOG" "$@" --help | tr -s ' ,' '\n\n' | grep -xE -- '--[a-z][a-z-]*' | sort -u
}

@test "completion: the commands" {
	local commands
	mapfile -t commands < <(commands_of_help)
	[ ${#commands[@]} -ge 4 ] || fail 'no commands in the help text'
	complete_words imalog ''
	expect_words "${commands[@]}"
	complete_words imalog help ''
	expect_words "${commands[@]}"
	complete_words imalog --json ''
	expect_words "${commands[@]}"
	complete_words imalog re
	expect_words replay
}

@test "completion: every option of every command" {
	local command options
	for command in $(commands_of_help); do
		[ "$command" != help ] || continue
		mapfile -t options < <(long_options "$command")
		[ ${#options[@]} -ge 5 ] || fail "no options in the help text of $command"
		complete_words imalog "$command" -
		expect_words "${options[@]}"
		complete_words imalog -q "$command" log --
		expect_words "${options[@]}"
	done
	mapfile -t options < <(long_options)
	complete_words imalog --
	expect_words "${options[@]}"
	complete_words imalog show --vi
	expect_words --violations
}

@test "completion: the values of options" {
	complete_words imalog convert -t ''
	expect_words kernel kernel-be ascii cel-tlv cel-json cel-json-seq cel-cbor \
		cel-cbor-seq tlv2018
	complete_words imalog convert --int-width ''
	expect_words keep 8 4 min
	complete_words imalog convert --to a
	expect_words ascii
	complete_words imalog replay --bank ''
	expect_words sha1 sha256 sha384 sha512 sm3
	complete_words imalog replay --padding ''
	expect_words auto perbank sha1
	local command
	for command in show convert replay; do
		complete_words imalog $command -f ''
		expect_words auto kernel ascii cel-tlv cel-json cel-cbor tlv2018 eventlog
		complete_words imalog $command --format k
		expect_words kernel
		complete_words imalog $command --byte-order ''
		expect_words auto le be
		complete_words imalog $command --digest-size ''
		expect_words auto 20 32 48 64
	done
	# bash splits at '='
	complete_words imalog replay --padding = ''
	expect_words auto perbank sha1
	complete_words imalog replay --padding = p
	expect_words perbank
	complete_words imalog replay --padding =
	expect_words auto perbank sha1
}

@test "completion: imalog takes the values that are not in its help" {
	local word
	complete_words imalog convert -t ''
	[ ${#COMPREPLY[@]} -gt 0 ] || fail 'no formats'
	for word in "${COMPREPLY[@]}"; do
		run imalog convert -t "$word" -o out "$NG"
		# Only what is one can be written as a list of 2018.
		if [ "$word" = tlv2018 ]; then
			expect_status 4 "$word"
		else
			expect_status 0 "$word"
		fi
	done
	complete_words imalog replay --bank ''
	[ ${#COMPREPLY[@]} -gt 0 ] || fail 'no banks'
	for word in "${COMPREPLY[@]}"; do
		run imalog replay --print --bank "$word" "$NG"
		expect_status 0 "$word"
	done
}

@test "completion: files, directories, or nothing, as --help calls it" {
	local line
	for line in 'show ' 'convert ' 'replay x' 'quote-verify ' 'save ' 'confirm ' \
		'policy-load ' 'policy-load --by-path ' 'show -- -' 'replay --pcrs ' \
		'quote-verify --quote ' 'quote-verify --key ' 'quote-verify --nonce-file ' \
		'convert -o ' 'convert --output ' 'export --config ' 'export --ak ' \
		'store check --config ' 'replay --tpm '; do
		read -ra words <<<"$line"
		[[ $line != *' ' ]] || words+=('')
		expect_files imalog "${words[@]}"
	done
	for line in 'show --to' 'show --match' 'export' 'export --min-records' 'stage --wait' \
		'status' 'status --json' 'replay --expect' 'store check' 'store --wait 5s check' \
		'help show'; do
		# shellcheck disable=SC2086 # words
		expect_nothing imalog $line ''
	done
	[[ $(complete -p imalog) == *'-o default'* ]] || fail 'bash would not complete files'
	mkdir one two
	touch file
	for line in 'export --store' 'show --root' '--root' 'status -q --root'; do
		# shellcheck disable=SC2086 # words
		complete_words imalog $line ''
		expect_words one/ two/
	done
	complete_words imalog export --store = o
	expect_words one/
}

@test "completion: words that are no options" {
	complete_words imalog store ''
	expect_words check list prune rebuild
	complete_words imalog store --store dir --wait 5s --bank sha1 c
	expect_words check
	complete_words imalog --root dir help s
	expect_words save show sig-verify stage status store
	complete_words imalog export --tcti ''
	expect_words device:/dev/tpmrm0 tabrmd
}

@test "completion: nothing is said when there is no imalog" {
	run --separate-stderr complete_words ./no-such-program show --
	expect_no_stdout
	expect_no_stderr
}

@test "completion: zsh can read its file" {
	command -v zsh >/dev/null || skip 'zsh is not installed'
	run zsh -n "$IMALOG_SRC/dist/zsh/_imalog"
	expect_status 0
	[ -z "$output" ] || fail 'zsh complains'
}

# What zsh would do, with functions that print in the place of its own
ZSH_STUBS='
setopt extendedglob # as the completion system does
_call_program() { shift; eval "$@"; }
_describe() { print -rl -- ${${(P)@[-1]}%%:*}; }
_files() { print -r -- "files $*"; }
_message() { print -r -- nothing; }
compset() { PREFIX=${PREFIX#*=}; }
words=("$@") CURRENT=$# PREFIX=$@[-1]
file=$imalog_file
set --
source $file
'

# in_zsh WORD...: prints what is offered, or "files", or "nothing"
in_zsh() {
	imalog_file=$IMALOG_SRC/dist/zsh/_imalog zsh -f -c "$ZSH_STUBS" zsh "$@"
}

@test "completion: zsh offers what bash does" {
	local line words
	command -v zsh >/dev/null || skip 'zsh is not installed'
	for line in ' ' 'help ' 'show -' 'status --' 'export -' 'convert -t ' 'replay --padding ' \
		'show -f ' 'show --format ' 'replay --bank ' 'store ' 'help help '; do
		read -ra words <<<"$line"
		[[ $line != *' ' ]] || words+=('')
		complete_words imalog "${words[@]}"
		diff <(printf '%s\n' "${COMPREPLY[@]}" | sort | grep .) <(in_zsh imalog "${words[@]}" |
			grep -v '^nothing' | sort) >&2 || fail "$line"
	done
	[ "$(in_zsh imalog replay --padding=)" = "$(in_zsh imalog replay --padding '')" ] ||
		fail 'another with ='
	for line in show save 'policy-load --by-path' 'replay --pcrs' 'convert -o' 'show -- '; do
		# shellcheck disable=SC2086 # words
		[ "$(in_zsh imalog $line '')" = 'files ' ] || fail "$line"
	done
	for line in 'export --store' --root; do
		# shellcheck disable=SC2086 # words
		[ "$(in_zsh imalog $line '')" = 'files -/' ] || fail "$line"
	done
	for line in export 'show --to' 'status --json' 'store check'; do
		# shellcheck disable=SC2086 # words
		[ "$(in_zsh imalog $line '')" = nothing ] || fail "$line"
	done
	[[ $(in_zsh imalog export --tcti '') == device* ]] || fail 'no TCTI'
}
