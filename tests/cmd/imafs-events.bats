#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The stand-in for the kernel: what tests can make happen with it.

load helpers
load imafs

LIST=binary_runtime_measurements
STAGED=binary_runtime_measurements_staged

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	unset IMALOG_TEST_ROOT
}

teardown() {
	imafs_stop
}

# request MODE FILE WRITE...: opens and writes, each with a newline; prints the answers
request() {
	"$PYTHON" -I -c '
import errno, os, sys
def attempt(call, *args):
    try:
        return call(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
fd = attempt(os.open, sys.argv[2], {"RD": 0, "WR": 1, "RDWR": 2}[sys.argv[1]])
if isinstance(fd, str):
    sys.exit(print(fd))
print(*[attempt(os.write, fd, data.encode() + b"\n") for data in sys.argv[3:]])' \
		"$1" "$IMA/$2" "${@:3}"
}

# expect_request WANT MODE FILE WRITE...
expect_request() {
	local want=$1 got
	shift
	got=$(request "$@")
	[ "$got" = "$want" ] || fail "$*: $got, not $want"
}

names() {
	sed -E 's/.*:[0-9a-f]+ ([^ ]+).*/\1/' "$IMA/ascii_runtime_measurements${1-}" | xargs
}

expect_names() {
	[ "$(names "${2-}")" = "$1" ] || fail "$(names "${2-}"), not $1"
}

expect_proved() {
	imalog --root "$ROOT" replay --sysfs --pcr 10
	expect_status 0
}

# ---- before and after requests

@test "imafs: a process that is killed before D has not deleted, after D it has" {
	imafs_start root
	imafs_at before D kill
	run request RDWR "$STAGED" A D
	expect_status 137
	expect_names '' && expect_names boot_aggregate _staged
	# Nobody holds the lock
	imafs_at after D kill
	run request RDWR "$STAGED" D
	expect_status 137
	expect_names '' _staged
}

@test "imafs: a stalled request keeps others out, and does not outlive its process" {
	imafs_start root
	imafs_at before D stall
	request RDWR "$STAGED" A D >answers 3>&- &
	imafs_ctl await >stalled
	grep -qE "^tid=[0-9]+ pid=[0-9]+ before write ${LIST}_sha1_staged\$" stalled ||
		fail "$(cat stalled)"
	expect_request EBUSY RDWR "$STAGED"
	imafs_ctl add /meanwhile
	imafs_ctl resume
	wait $!
	[ "$(cat answers)" = '2 2' ] || fail 'other answers'
	expect_names /meanwhile

	imafs_at after A stall
	request RDWR "$STAGED" A D >answers 3>&- &
	kill -KILL "$(imafs_ctl await | sed 's/.* pid=\([0-9]*\) .*/\1/')"
	wait $! || true
	expect_names '' && expect_names /meanwhile _staged
	expect_request 2 RDWR "$STAGED" D
}

@test "imafs: things happen at each point of a transaction" {
	imafs_start root
	imafs_at after open-write add /opened
	imafs_at after A add /staged
	imafs_at before read:1 violation /read 2
	imafs_at before D add /before-d
	imafs_at after D add /after-d
	imafs_at before flush add /closing
	imafs_at after release add /closed
	"$PYTHON" -I - "$IMA/$STAGED" <<-'EOF'
		import os, sys
		fd = os.open(sys.argv[1], os.O_RDWR)
		os.write(fd, b"A\n")
		while os.read(fd, 65536):
		    pass
		os.write(fd, b"D\n")
		os.close(fd)
	EOF
	expect_names '/staged /read /read /before-d /after-d /closing /closed'
	imafs_ctl dump-all sha1 ascii >all
	[ "$(wc -l <all)" -eq 9 ] || fail 'not all are there'
}

@test "imafs: requests fail as ordered, and patterns and counts choose which" {
	imafs_start root
	imafs_at before open-read:1@binary_*_sha256 fail EIO
	imafs_at before read@violations fail EINVAL
	imafs_at before A fail ENOMEM
	imafs_at after D fail EIO
	expect_request '' RD "${LIST}_sha256"
	expect_request EIO RD "${LIST}_sha256"
	expect_request '' RD "${LIST}_sha256"
	run cat "$IMA/violations"
	expect_status 1
	expect_request 'ENOMEM 2 EIO ENOENT' RDWR "$STAGED" A A D D
	imafs_ctl at before open fail EIO
	imafs_ctl clear
	expect_request '' RD "$LIST"
	run imafs_ctl at before nothing stall
	expect_status 1
	run imafs_ctl at before D fail EWRONG
	expect_status 1
}

@test "imafs: an open that is made to fail after it was done leaves no lock" {
	imafs_start root
	imafs_at after open-write fail EIO
	expect_request EIO RDWR "$STAGED"
	expect_request '2 2' RDWR "$STAGED" A D
}

@test "imafs: the log tells two writers, children and threads from one" {
	imafs_start root
	request RDWR "$STAGED" A D
	imafs_single
	imafs_ctl log | grep -qE '^[0-9]+ tid=[0-9]+ .* h[0-9]+ "A\\n" = 2$' || fail 'no A in the log'
	"$PYTHON" -I -c '
import os, sys
files = [os.open(sys.argv[1], os.O_RDWR), os.open(sys.argv[2], os.O_RDWR)]
' "$IMA/$STAGED" "$IMA/$LIST"
	run imafs_single
	expect_status 1
	[[ $output == *'too many files are open'* ]] || fail 'another reason expected'
	imafs_ctl log clear
	"$PYTHON" -I -c '
import os, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
pid = os.fork()
if pid == 0:
    time.sleep(30)
os.read(fd, 1)
os.kill(pid, 9)' "$IMA/$STAGED"
	run imafs_single
	expect_status 1
	imafs_ctl log clear
	"$PYTHON" -I -c '
import os, sys, threading, time
threading.Thread(target=time.sleep, args=(1,)).start()
fd = os.open(sys.argv[1], os.O_RDWR)
os.close(fd)' "$IMA/$STAGED"
	run imafs_single
	expect_status 1
	[[ $output == *'another thread'* ]] || fail 'another reason expected'
}

@test "imafs: it ends while a request is stalled, by fusermount3, and anew" {
	local pid
	imafs_start root
	imafs_at before read stall
	cat "$IMA/$LIST" >out 2>&1 3>&- &
	pid=$!
	imafs_ctl await
	imafs_stop
	wait "$pid" && fail 'cat should have failed'
	imafs_start root
	expect_names boot_aggregate
	fusermount3 -u "$ROOT/sys/kernel/security"
	for _ in {1..100}; do
		[ -e root/imafs.pid ] || break
		sleep 0.05
	done
	[ ! -e root/imafs.pid ] || fail 'it is still there'
	! grep -q " $ROOT/" /proc/self/mountinfo || fail 'something is mounted'
	imafs_start root --lifetime 1
	sleep 1.5
	! grep -q " $ROOT/sys" /proc/self/mountinfo || fail 'it should have ended itself'
}

# ---- settings

@test "imafs: ima_flush_htable: duplicates after D, also of what was logged since A" {
	imafs_start root --flush-htable
	grep -qw ima_flush_htable root/proc/cmdline || fail 'not on the command line'
	imafs_ctl add /one /one /two
	expect_names 'boot_aggregate /one /two'
	expect_request EINVAL RDWR "$LIST" 1
	expect_request 2 RDWR "$STAGED" A
	imafs_ctl add /one /three
	expect_request 2 RDWR "$STAGED" D
	imafs_ctl add /three /one /one
	expect_names '/three /three /one'
	expect_request '2 2' RDWR "$STAGED" A D
	imafs_ctl set flush-htable off
	imafs_ctl add /one /four
	expect_names /one\ /four
	expect_request 2 RDWR "$LIST" 2
	imafs_ctl add /one /four
	expect_names ''
	imafs_ctl set disable-htable on
	imafs_ctl add /one /one
	expect_names '/one /one'
}

@test "imafs: no memory for D deletes all the same" {
	imafs_start root --flush-htable
	imafs_ctl set d-nomem on
	expect_request '2 ENOMEM ENOENT' RDWR "$STAGED" A D D
	expect_names ''
}

@test "imafs: the count can be wrong, reads can be short" {
	imafs_start root
	imafs_ctl set count 7
	[ "$(cat "$IMA/runtime_measurements_count")" = 7 ] || fail 'not 7'
	imafs_ctl set count off
	[ "$(cat "$IMA/runtime_measurements_count")" = 1 ] || fail 'not 1'
	imafs_ctl set read-limit 5
	cat "$IMA/$LIST" >got
	imafs_ctl dump-all >want
	expect_same got want
	[ "$(imafs_ctl log | grep -c ' = 5$')" -eq 20 ] || fail 'longer reads'
	run imafs_ctl set nothing 1
	expect_status 1
}

# ---- reboot and kexec

@test "imafs: suspended, nothing is measured and nothing goes" {
	imafs_start root
	imafs_ctl suspend
	imafs_ctl add /late
	imafs_ctl violation /late
	expect_names boot_aggregate
	[ "$(cat "$IMA/violations")" = 1 ] || fail 'the violation counts'
	expect_request 'EACCES ENOENT' RDWR "$STAGED" A D
	expect_request 'ENOENT ESTALE' RDWR "$LIST" 2 1
	imafs_ctl reboot
	expect_request 2 RDWR "$STAGED" A
	imafs_ctl suspend
	expect_request 'EEXIST ESTALE' RDWR "$STAGED" A D
	expect_request ENOENT RDWR "$LIST" 1
}

@test "imafs: a kexec carries what is staged, then the rest, and the PCRs go on" {
	local before
	imafs_start root
	before=$(cat root/proc/sys/kernel/random/boot_id)
	imafs_ctl add /one
	imafs_ctl violation /v 2
	expect_request 2 RDWR "$STAGED" A
	imafs_ctl add /two
	imafs_ctl kexec carried
	expect_names '' _staged
	expect_names 'boot_aggregate /one /v /v /two boot_aggregate'
	expect_proved
	[ "$(cat "$IMA/violations")" = 0 ] || fail 'the violations should be forgotten'
	[ "$(cat root/proc/sys/kernel/random/boot_id)" != "$before" ] || fail 'the same boot_id'
	# Restored records are not in the table
	imafs_ctl add /one
	expect_names 'boot_aggregate /one /v /v /two boot_aggregate /one'
	expect_proved
}

@test "imafs: a kexec that loses the list, in part or all, and a cold boot" {
	imafs_start root
	imafs_ctl add /one /two
	imafs_ctl kexec cut 2
	expect_names 'boot_aggregate /one boot_aggregate'
	imafs_ctl kexec lost
	expect_names boot_aggregate
	imalog --root "$ROOT" replay --sysfs --pcr 10
	expect_status 1
	# Template ima cannot be restored, nor what follows it
	imafs_ctl reboot
	expect_names boot_aggregate
	expect_proved
	imafs_ctl add /one
	imafs_ctl set template ima
	imafs_ctl add /old /three
	imafs_ctl set template ima-ng
	imafs_ctl kexec
	expect_names 'boot_aggregate /one boot_aggregate'
}

@test "imafs: the segment of a kexec, and its critical data" {
	local line
	imafs_start root --critical-data
	expect_names 'boot_aggregate kernel_version'
	imafs_ctl kexec-load
	line=$(tail -n 1 "$IMA/ascii_runtime_measurements")
	[ "$(from_hex <(echo "${line##* }"))" = \
		'kexec_segment_size=4096;ima_binary_runtime_size=242;ima_runtime_measurements_count=2;' ] ||
		fail "$line"
	imafs_ctl kexec
	expect_names \
		'boot_aggregate kernel_version kexec_load kexec_execute boot_aggregate kernel_version'
	expect_proved
	# Too small: kexec_execute is what does not fit
	imafs_ctl reboot
	imafs_ctl kexec-load 500
	imafs_ctl kexec
	expect_names 'boot_aggregate kernel_version kexec_load boot_aggregate kernel_version'
}

@test "imafs: files that stay open over a kexec are of no kernel" {
	imafs_start root
	exec 7<>"$IMA/$STAGED"
	imafs_ctl kexec
	run cat <&7
	expect_status 1
	expect_request '2 2' RDWR "$STAGED" A D
	exec 7<&-
	expect_request ENOENT RDWR "$STAGED" A
}

# ---- the machine around it

@test "imafs: /proc is real but for the kernel that it tells of" {
	imafs_start root --kernel 7.3
	[ "$(cat root/proc/sys/kernel/osrelease)" = 7.3.0-imafs ] || fail 'another release'
	[ -e "root/proc/$$/fd" ] || fail 'no processes'
	imafs_stop
	"$IMAFS" --bios-log "$RIG/ng/binary_bios_measurements" root
	[ ! -e root/proc/self ] && [ -s root/proc/cmdline ] || fail 'files were expected'
	expect_same "$RIG/ng/binary_bios_measurements" \
		root/sys/kernel/security/tpm0/binary_bios_measurements
}

# ---- policy

rules() {
	cat "$IMA/policy"
}

@test "imafs: a policy is taken rule by rule, and all or nothing at close" {
	imafs_start root
	[ "$(rules | wc -l)" -eq 4 ] || fail 'no boot policy'
	expect_request '30 10' WR policy 'measure uid=0 func=FILE_CHECK' '# comment'
	[ "$(rules)" = 'measure func=FILE_CHECK uid=0 ' ] || fail 'another policy'
	# A bad rule fails, those around it do not, and nothing is loaded
	expect_request '28 EINVAL 19' WR policy 'measure func=MODULE_CHECK  ' 'measure func=NONE' \
		'dont_measure uid=1'
	[ "$(rules | wc -l)" -eq 1 ] || fail 'something was loaded'
	expect_request '19' WR policy 'dont_measure uid=1'
	[ "$(rules | wc -l)" -eq 2 ] || fail 'not appended'
	expect_request EACCES RDWR policy
	exec 7>"$IMA/policy"
	expect_request EBUSY WR policy
	exec 7>&-
}

@test "imafs: one write is one rule, however many lines it has" {
	imafs_start root
	expect_request 19 WR policy $'dont_measure uid=1\ndont_measure uid=2'
	[ "$(rules)" = 'dont_measure uid=1 ' ] || fail 'another policy'
}

@test "imafs: a policy by path, and kernels that want no other" {
	imafs_start root --appraise-policy --no-write-policy
	printf 'measure func=BPRM_CHECK\naudit\n' >rules
	printf 'audit' >cut.rules
	expect_request EACCES WR policy audit
	expect_request EINVAL WR policy "$PWD/cut.rules"
	expect_request ENOENT WR policy "$PWD/none"
	expect_request $((${#PWD} + 7)) WR policy "$PWD/rules"
	[ "$(rules | xargs)" = 'measure func=BPRM_CHECK audit' ] || fail 'another policy'
	expect_names "boot_aggregate $PWD/cut.rules $PWD/rules"
	# There is no second time
	expect_request EBUSY WR policy "$PWD/rules"
	[ "$(stat -c %a "$IMA/policy")" = 400 ] || fail 'still writable'
}

@test "imafs: a policy that nobody can read back" {
	imafs_start root --no-read-policy
	[ "$(stat -c %a "$IMA/policy")" = 200 ] || fail 'another mode'
	expect_request EACCES RD policy
	imafs_stop
	imafs_start root --no-read-policy --no-write-policy
	expect_request 6 WR policy audit
	[ ! -e "$IMA/policy" ] || fail 'the file should be gone'
}
