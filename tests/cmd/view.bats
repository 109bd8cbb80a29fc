#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# No LOG: this machine's log, wherever export, save and others have left its parts.
#
# IMALOG_LONG=1: 1,000 exports while others read, not 25

load helpers
load swtpm
load imafs
load export
load faults
load view

setup() {
	[ -z "${IMALOG_TEST_ROOT-}" ] || skip 'only with the stand-in'
	make_machine
}

teardown() {
	exec 8<&- 9<&-
	stop_machine
}

# pieces: the files of the view, without directories
pieces() {
	expect_code 0 replay --print --json
	printf '%s\n' "$output" | "$PYTHON" -I -S -c '
import json, os, sys
print(*(os.path.basename(log["file"]) for log in json.load(sys.stdin)["logs"]))'
}

# ---- states

@test "view: no store, nothing staged" {
	imafs_ctl violation /x 2
	expect_view
	expect_no_stderr
	[ "$(pieces)" = binary_runtime_measurements ] || fail "$(pieces)"
	[ ! -e "$STORE" ] || fail 'a store was made'
}

@test "view: staged, and then exported" {
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_view
	imafs_ctl violation /x 2
	expect_view
	[ "$(pieces)" = 'binary_runtime_measurements_staged binary_runtime_measurements' ] ||
		fail "$(pieces)"
	expect_code 0 export
	expect_view
	imafs_ctl violation /x 2
	expect_view
	expect_code 0 stage
	expect_view
	[ "$(pieces)" = "log.00000001 log.00000002 binary_runtime_measurements_staged \
binary_runtime_measurements" ] || fail "$(pieces)"
	expect_no_stderr
}

@test "view: every command without a LOG, and the list alone" {
	imafs_ctl add /one
	expect_code 0 export
	imafs_ctl add /two
	expect_code 0 stage
	imafs_ctl add /three
	expect_code 0 show --fields record,name
	[ "$output" = "    1 boot_aggregate
    2 /one
    3 /two
    4 /three" ] || fail 'other records'
	expect_code 0 show --fields name --list-only
	[ "$output" = /three ] || fail 'other records'
	expect_code 0 show --json --from 3 --to 3
	expect_json "d['record'] == 3"
	expect_code 0 convert -t ascii
	[ "$output" = "$(imafs_ctl dump-all sha1 ascii)" ] || fail 'other lines'
	expect_code 0 convert -t ascii --list-only
	[ "$(wc -l <<<"$output")" = 1 ] || fail 'more than the list'
	expect_code 1 replay --tcti "$TPM2TOOLS_TCTI" --pcr 10 --list-only
	expect_stdout 'the start of the log may be missing'
	expect_code 0 replay -v --tcti "$TPM2TOOLS_TCTI" --pcr 10
	expect_stdout "store|imalog/epoch-000001/log.00000001': kernel list, little-endian"
}

@test "view: quote-verify" {
	command -v tpm2_createak >/dev/null || skip 'no tpm2_createak'
	{
		tpm2_createek -Q -c ek.ctx -G ecc
		tpm2_createak -Q -C ek.ctx -c ak.ctx -u ak.pub -G ecc -g sha256 -s ecdsa
		tpm2_flushcontext -t
	} || fail 'no key'
	imafs_ctl violation /x 2
	expect_code 0 export
	imafs_ctl violation /x 2
	expect_code 0 stage
	imafs_ctl violation /x 2
	tpm2_quote -Q -c ak.ctx -l sha256:10 -q 0102 -m quote -s signature || fail 'no quote'
	imafs_ctl add /later
	expect_code 0 quote-verify --quote quote --signature signature --key ak.pub \
		--nonce 0102 --json
	expect_json "d['covers'] == 7 and d['records'] == 8"
	expect_code 1 quote-verify --quote quote --signature signature --key ak.pub \
		--nonce 0102 --list-only
}

@test "view: saved, and not yet deleted" {
	imafs_ctl violation /x 2
	expect_code 0 export
	imafs_ctl violation /x 2
	expect_code 0 stage
	expect_code 0 save
	expect_view
	imafs_ctl violation /x 2
	expect_view
	expect_code 0 confirm
	expect_view
}

# ---- boots

@test "view: after a kexec, before the first export" {
	imafs_ctl violation /x 2
	expect_code 0 export
	imafs_ctl violation /x 2
	imafs_ctl kexec carried
	expect_view
	expect_no_stderr
	imafs_ctl violation /x 2
	expect_view
	expect_code 0 stage
	expect_view
	expect_code 0 export
	expect_view
}

@test "view: saved, and then a kexec that takes the records along, or loses them" {
	local how
	for how in carried lost; do
		imafs_ctl violation /x 2
		expect_code 0 export
		imafs_ctl violation /x 2
		imafs_at before D suspend kexec
		expect_code 4 export
		expect_view
		imafs_ctl kexec "$how"
		expect_view
		imafs_ctl violation /x 2
		expect_view
		expect_code 0 export
		expect_view
	done
}

@test "view: after a reset of the TPM the list is a log of its own" {
	imafs_ctl violation /x 2
	expect_code 0 export
	stop_swtpm tpm
	start_swtpm tpm
	imafs_ctl reboot
	imafs_ctl violation /x 2
	expect_view
	expect_no_stderr
	expect_code 0 show -v
	expect_stderr 'note: epoch 1 ended with a reset of the TPM'
	expect_code 0 export
	expect_view
}

@test "view: another boot that nothing proves" {
	imafs_ctl violation /x 2
	expect_code 0 export
	imafs_ctl kexec carried
	imafs_ctl extend 10 foreign
	imafs_ctl add /one
	expect_code 1 replay --tcti "$TPM2TOOLS_TCTI" --pcr 10
	expect_stderr 'note: this is another boot, and nothing proves whether its list follows'
	expect_code 1 export
	expect_code 0 show
	expect_stderr 'note: nothing proved, when they were saved, that all segments belong'
	[ "$(wc -l <<<"$output")" = 5 ] || fail 'five records expected'
	expect_code 0 show -q
	expect_no_stderr
}

@test "view: without a TPM" {
	stop_swtpm tpm
	unset TPM2TOOLS_TCTI
	expect_code 0 export --no-tpm
	imafs_ctl add /one || true
	expect_code 0 show --fields name
	expect_stdout '^boot_aggregate$' '^/one$'
	expect_stderr 'nothing proved, when they were saved'
	imafs_ctl kexec carried || true
	expect_code 0 show
	expect_stderr 'this is another boot, and without a TPM nothing tells'
	expect_code 4 replay --sysfs
}

# ---- kernels and stores

@test "view: kernels that cannot stage" {
	imafs_stop
	stop_swtpm tpm
	start_swtpm tpm
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --no-staging
	imafs_ctl violation /x 2
	expect_view
	imafs_stop
	stop_swtpm tpm
	start_swtpm tpm
	imafs_start root --tcti "$TPM2TOOLS_TCTI" --kernel 6.12
	imafs_ctl violation /x 2
	expect_view
	mkdir empty
	imalog --root empty show
	expect_status 4
	expect_stderr 'securityfs is not mounted'
}

@test "view: a store without segments, and one that is not there" {
	mkdir -p "$STORE"
	expect_view
	[ -z "$(ls -A "$STORE")" ] || fail 'something was made in it'
	expect_code 4 show --store none
	expect_stderr "there is no store 'none'"
	expect_code 0 export --store elsewhere
	imafs_ctl add /one
	expect_code 0 show --fields name
	[ "$output" = /one ] || fail 'of another store'
	expect_code 0 show --fields name --store elsewhere
	expect_stdout '^boot_aggregate$' '^/one$'
	mkdir -p "$ROOT/etc"
	echo "store = $PWD/elsewhere" >"$ROOT/etc/imalog.conf"
	expect_view
	rm "$ROOT/etc/imalog.conf"
	echo "store = $PWD/elsewhere" >other
	expect_code 0 convert -t kernel -o seen --config other
	expect_same ever seen
	echo nonsense >other
	expect_code 3 show --config other
	expect_code 4 show --config none
}

@test "view: a store that lacks a segment" {
	expect_code 0 export
	imafs_ctl add /one
	expect_code 0 export
	mv "$STORE/current/log.00000001" away
	expect_code 4 show
	expect_no_stdout
	expect_stderr 'segment 1 of epoch 1 is missing: there is its receipt'
	expect_code 0 show --list-only
	mv away "$STORE/current/log.00000001"
	expect_view
}

@test "view: a copy of a store, which cannot be written" {
	expect_code 0 export
	imafs_ctl add /one
	cp -r "$STORE" copy
	rm copy/lock
	mkdir mounted
	mount --bind copy mounted
	mount -o remount,bind,ro mounted
	imalog --root "$ROOT" show --store mounted --fields name
	umount mounted
	expect_status 0
	expect_stdout '^boot_aggregate$' '^/one$'
	[ ! -e copy/lock ] || fail 'a lock was made'
}

# ---- others

@test "view: a list that is held for staging, and who holds it" {
	expect_code 0 export
	exec 9<>"$IMA/binary_runtime_measurements"
	local args
	for args in show 'show --list-only' 'convert -t ascii' 'replay --print'; do
		# shellcheck disable=SC2086 # words
		expect_code 4 $args --wait 0
		expect_no_stdout
		expect_stderr 'binary_runtime_measurements.* is held open by .* \(pid [0-9]+\)'
	done
	(
		sleep 1
		imafs_ctl add /one
	) &
	(
		sleep 1
	) 9<&9 &
	exec 9<&-
	expect_code 0 show --wait 20s
	wait
	expect_code 0 show --list-only --wait 0
}

@test "view: a store that somebody works on" {
	expect_code 0 export
	exec 9<"$STORE/lock"
	flock 9
	expect_code 4 show --wait 0
	expect_stderr 'another program is working on the store'
	expect_code 4 replay --print --wait 200ms
	expect_code 0 show --list-only --wait 0
	# Those who look do not disturb each other
	flock -s 9
	expect_code 0 show --wait 0
	exec 9<&-
}

# A reader that does not get on holds nobody up: nothing is open but copies and segments.
@test "view: store and lists are held only while they are looked at" {
	imafs_ctl bulk 3000
	expect_code 0 export
	imafs_ctl bulk 3000 staged
	expect_code 0 stage
	imafs_ctl bulk 3000 listed
	imafs_ctl dump-all >ever
	mkfifo pipe
	exec 8<>pipe
	imafs_ctl log clear
	"$IMALOG" --root "$ROOT" convert -t kernel >pipe &
	local pid=$!
	timeout 60 head -c 1000 <&8 >first
	expect_code 0 export --wait 1s
	imafs_ctl add /later
	kill -0 $pid || fail 'it did not wait'
	timeout 60 head -c $(($(stat -c %s ever) - 1000)) <&8 >rest
	wait $pid || fail "status $?"
	cat first rest >seen
	expect_same ever seen
	imafs_single
}

# ---- usage

@test "view: options that are about this machine" {
	local option
	for option in --list-only '--store x' '--wait 1s' '--config x'; do
		# shellcheck disable=SC2086 # words
		imalog show $option "$NG"
		expect_usage_error show
		# shellcheck disable=SC2086 # words
		imalog replay --print $option $option
		expect_usage_error replay
	done
	imalog show --wait soon
	expect_usage_error show
	imalog show --list-only --store x
	expect_usage_error show
}

# ---- all at once

# reader FILE: reads until there is a file 'end', and counts
reader() {
	local count=0
	while [ ! -e end ]; do
		"$IMALOG" --root "$ROOT" replay --tcti "$TPM2TOOLS_TCTI" --pcr 10 --wait 60s \
			>"$1.out" 2>&1 || {
			cp "$1.out" "$1.failed"
			break
		}
		count=$((count + 1))
	done
	echo "$count" >"$1.count"
}

# measurer: records keep coming, many of them the same
measurer() {
	local n=0
	while [ ! -e end ]; do
		imafs_ctl violation /x $((RANDOM % 3 + 1)) || break
		[ $((RANDOM % 3)) != 0 ] || imafs_ctl add "/file-$((n++))" || break
	done
}

# somebody: others stage and save, too
somebody() {
	while [ ! -e end ]; do
		case $((RANDOM % 3)) in
		0) "$IMALOG" --root "$ROOT" stage -q --wait 60s ;;
		1) "$IMALOG" --root "$ROOT" save -q --wait 60s ;;
		2) "$IMALOG" --root "$ROOT" confirm -q --wait 60s ;;
		esac >/dev/null 2>&1
		sleep 0.$((RANDOM % 3))
	done
}

@test "view: exports at random moments, while records come and others read" {
	local count=25 n i
	[ -z "${IMALOG_LONG-}" ] || count=1000
	expect_code 0 export
	measurer &
	somebody &
	reader one &
	reader two &
	for ((n = 0; n < count; n++)); do
		expect_code 0 export -q --wait 60s
		sleep 0.0$((RANDOM % 10))
	done
	touch end
	wait
	for i in one two; do
		[ ! -e $i.failed ] || fail "$(cat $i.failed)"
		[ "$(cat $i.count)" -ge $((count / 10)) ] || fail "only $(cat $i.count) views"
	done
	expect_view
	echo "# $(cat one.count) and $(cat two.count) views of $(mklog index ever | wc -l)" \
		"records in $(find "$STORE/current/" -name 'log.*' | wc -l) segments" >&3
}
