#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The stand-in for the kernel itself: it answers as the kernel of the transcript did.

load helpers
load swtpm
load imafs

LIST=binary_runtime_measurements
STAGED=binary_runtime_measurements_staged

teardown() {
	imafs_stop
	stop_swtpm tpm
}

# start [OPTION...]: for tests of the stand-in alone, whatever IMALOG_TEST_ROOT says
start() {
	unset IMALOG_TEST_ROOT
	imafs_start root "$@"
}

replay() {
	"$PYTHON" -I "$IMALOG_SRC/tests/imafs/replay-transcript" "$IMA" "$STAGING/$1" \
		"$IMAFS" ctl "$ROOT/imafs.sock" add
}

# answer MODE FILE [WRITE...]: what the kernel says to open, and then to writes, each in
# the escapes of printf; "A" is for "A\n".
answer() {
	"$PYTHON" -I -c '
import errno, os, sys
try:
    fd = os.open(sys.argv[2], {"RD": 0, "WR": 1, "RDWR": 2}[sys.argv[1]])
    for data in sys.argv[3:]:
        os.write(fd, data.encode() + b"\n")
    print("ok")
except OSError as error:
    print(errno.errorcode[error.errno])' "$1" "$IMA/$2" "${@:3}"
}

# expect_answer WANT MODE FILE [WRITE...]
expect_answer() {
	local want=$1 got
	shift
	got=$(answer "$@")
	[ "$got" = "$want" ] || fail "$*: $got, not $want"
}

count() {
	cat "$IMA/runtime_measurements_count"
}

# ---- the transcript

@test "imafs: the transcript's requests get the transcript's answers" {
	start
	run replay abi-transcript.txt
	# A write of no bytes never gets to a FUSE file system: its comment says so
	[ "${lines[-1]}" = '118 lines, 1 different' ] || fail 'not the same'
	[[ ${lines[1]} == '23+ '*',"",0) = 0 OK  [count now 6]' ]] || fail 'not the same'
}

@test "imafs: the phantom reader appears as in the transcript" {
	start
	run replay phantom-reader-transcript.txt
	[ "$output" = '8 lines, 0 different' ] || fail 'not the same'
	# It stays until the next boot
	expect_answer EBUSY WR "$STAGED"
	imafs_ctl reboot
	expect_answer ok WR "$STAGED"
}

@test "imafs: a kernel without that bug leaves no reader behind" {
	start --lock-fixed
	run replay phantom-reader-transcript.txt
	[ "${lines[-1]}" = '8 lines, 2 different' ] || fail 'not fixed'
	expect_answer ok WR "$STAGED"
}

# ---- kernels and configurations

@test "imafs: files and modes of kernels without staging" {
	start --no-staging
	[ "$(cd "$IMA" && echo *_staged)" = '*_staged' ] || fail 'staged files'
	[ "$(stat -Lc %a "$IMA/$LIST")" = 660 ] || fail 'the list should be writable'
	imafs_ctl add /one /two
	expect_answer EINVAL WR "$LIST" A
	expect_answer ok WR "$LIST" 2
	[ "$(count)" = 1 ] || fail 'N should work without CONFIG_IMA_STAGING'
}

@test "imafs: a kernel before 7.2 has lists to read alone" {
	start --kernel 7.1
	[ "$(stat -Lc %a "$IMA/$LIST")" = 440 ] || fail 'the list should not be writable'
	[ "$(readlink "$IMA/$LIST")" = "${LIST}_sha1" ] || fail 'no link'
	[ ! -e "$IMA/$STAGED" ] || fail 'staged files'
	expect_answer EINVAL RDWR "$LIST" 1
	# And no lock
	exec 7<"$IMA/$LIST"
	expect_answer ok RDWR "$LIST"
	exec 7<&-
}

@test "imafs: a kernel before 6.10 has no list per algorithm" {
	start --kernel 6.9
	[ -f "$IMA/$LIST" ] && [ ! -L "$IMA/$LIST" ] || fail 'a file was expected'
	[ "$(cd "$IMA" && echo *_sha1*)" = '*_sha1*' ] || fail 'a list per algorithm'
}

@test "imafs: banks, the SHA-1 list without such a bank, and no TPM" {
	local name
	start --banks sha256,sha384,sha512,tpm_alg_27
	for name in sha1 sha256 sha384 sha512 tpm_alg_27; do
		[ -f "$IMA/${LIST}_$name" ] && [ -f "$IMA/ascii_runtime_measurements_${name}_staged" ] ||
			fail "no list of $name"
	done
	[ ! -e "$ROOT/sys/class/tpm/tpm0/pcr-sha1" ] || fail 'a SHA-1 bank'
	# What the kernel cannot compute is SHA-1, padded
	imafs_ctl add /one
	grep -qE "^10 $(awk 'END { print $2 }' "$IMA/ascii_runtime_measurements")0{24} " \
		"$IMA/ascii_runtime_measurements_tpm_alg_27" || fail 'not padded'
	imafs_stop
	start --tcti none
	[ "$(cd "$IMA" && echo "${LIST}"_*)" = "${LIST}_sha1 ${LIST}_sha1_staged ${LIST}_staged" ] ||
		fail 'too many lists'
	grep -qE 'sha256:0{64} boot_aggregate$' "$IMA/ascii_runtime_measurements" ||
		fail 'another boot_aggregate'
}

# ---- records

@test "imafs: every record goes to the TPM, in each bank" {
	start_swtpm tpm sha1,sha256,sha384
	tpm2_pcrextend 0:sha1="$(printf %040d 1)",sha256="$(printf %064d 2)"
	start --banks sha1,sha256,sha384 --tcti "$TPM2TOOLS_TCTI"
	printf 'content' >measured
	imafs_ctl measure measured
	imafs_ctl violation /var/log/x 3
	imafs_ctl event kernel_version 6.12
	imafs_ctl bulk 300
	imalog --root "$ROOT" replay --json --tpm --pcr 10
	expect_status 0
	expect_verdict match "len(d['checks']) == 3" "d['matched_at'] == 306"
	imafs_ctl pcrs 10 | sed 's/:10=/ /' >pcrs
	tpm2_pcrread sha1:10+sha256:10+sha384:10 -o /dev/null |
		sed -nE 's/^ +(sha[0-9]+):$/\1/p; s/^ *10: 0x(.*)/\L\1/p' | paste -d ' ' - - >from-tpm
	expect_same pcrs from-tpm
	grep -qF "sha256:$(sha256sum <measured | cut -d ' ' -f 1) $PWD/measured" \
		"$IMA/ascii_runtime_measurements" || fail 'the file is not there'
}

@test "imafs: a TPM that somebody else holds stops nothing for long" {
	start_swtpm tpm
	start --tcti "$TPM2TOOLS_TCTI"
	"$PYTHON" -I -c '
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.send(bytes.fromhex("80010000000c0000017b0001"))
s.recv(10)
print("held", flush=True)
time.sleep(60)' tpm/socket >held 3>&- &
	until [ -s held ]; do sleep 0.05; done
	run imafs_ctl add /one
	kill %1
	expect_status 1
	grep -q 'does another program hold it' <<<"$output" || fail 'another reason expected'
	[ "$(count)" = 2 ] || fail 'the record should stay'
	imafs_ctl add /two
}

# Both kinds of list say the same, and match.
expect_sound() {
	imalog --root "$ROOT" replay --sysfs --pcr 10
	expect_status 0 "$1"
	imalog convert -t ascii "$IMA/$LIST"
	[ "$output" = "$(cat "$IMA/ascii_runtime_measurements")" ] || fail "$1: another ascii list"
}

@test "imafs: templates, formats and byte order, as other programs read them" {
	local template
	start --ima-hash sha512 --big-endian
	imafs_ctl add '/a name with blanks'
	expect_sound big-endian
	imafs_stop
	start
	for template in ima ima-ng ima-sig ima-ngv2 ima-sigv2 evm-sig ima-modsig 'd-ng|n-ng' \
		'n-ng|d-ng|sig' 'n|d'; do
		imafs_ctl set template "$template"
		imafs_ctl add "/of/$template"
		imafs_ctl violation "/violation/$template" 2
	done
	imafs_ctl event-hex keyring 00ff0a
	imafs_ctl event empty ''
	imafs_ctl event-size large 65536
	expect_sound mixed
	[ "$(count)" = 34 ] || fail 'not all are there'
}

@test "imafs: records that do not fit what the TPM has" {
	start
	imafs_ctl set tpm-errors 1
	imafs_ctl add /not/extended
	imalog --root "$ROOT" replay --sysfs --pcr 10
	expect_status 0
	imafs_ctl add /extended
	imalog --root "$ROOT" replay --sysfs --pcr 10
	expect_status 1
	imafs_ctl reboot
	imafs_ctl set bad-digests 1
	imafs_ctl add /changed
	imalog --root "$ROOT" replay --sysfs --pcr 10
	expect_status 1
	imafs_ctl reboot
	imafs_ctl extend 10
	imalog --root "$ROOT" replay --sysfs --pcr 10
	expect_status 1
}

# ---- reading

@test "imafs: reads are of whole records in a page, larger for a larger record" {
	start
	imafs_ctl bulk 200
	imafs_ctl event-size large 65536
	imafs_ctl dump-all >want
	"$PYTHON" -I - "$IMA/$LIST" want <<-'EOF'
		import os, sys
		want = open(sys.argv[2], "rb").read()
		def read(size):
		    fd, parts = os.open(sys.argv[1], os.O_RDONLY), []
		    while part := os.read(fd, size):
		        parts.append(part)
		    os.close(fd)
		    assert b"".join(parts) == want, size
		    return [len(part) for part in parts]
		sizes = read(1 << 20)
		assert max(sizes[:-1]) < 4096 and min(sizes[:-2]) > 3900, sizes
		assert sizes[-1] > 65536, sizes
		assert set(read(7)[:-1]) == {7}
		read(101), read(4096), read(5000)
		fd = os.open(sys.argv[1], os.O_RDONLY)
		for at in (500, 0, 4000, 101, len(want) - 3, len(want)):
		    os.lseek(fd, at, os.SEEK_SET)
		    got = os.read(fd, 300)
		    assert got and want[at:].startswith(got) or at == len(want) and not got, at
		    assert os.pread(fd, 50, 20) == want[20:70]
	EOF
}

@test "imafs: a list that grows, shrinks and moves while it is read" {
	start
	imafs_ctl bulk 20
	"$PYTHON" -I - "$IMA/$STAGED" "$IMA/$LIST" "$IMAFS" "$ROOT/imafs.sock" <<-'EOF'
		import os, subprocess, sys
		def add(*names):
		    subprocess.run([sys.argv[3], "ctl", sys.argv[4], "add", *names], check=True)
		fd = os.open(sys.argv[2], os.O_RDONLY)
		first = os.read(fd, 1 << 20)
		assert os.read(fd, 100) == b""
		add("/late")
		assert b"/late" in os.read(fd, 100)
		os.close(fd)
		# Writes leave the position where it is, so no seek is needed after A
		fd = os.open(sys.argv[1], os.O_RDWR)
		assert os.read(fd, 100) == b"" and os.write(fd, b"A\n") == 2
		assert os.read(fd, 1 << 20).startswith(first)
		assert os.read(fd, 1 << 20) == b""
		assert os.write(fd, b"D\n") == 2
		assert os.read(fd, 1 << 20) == b"" and os.lseek(fd, 0, 0) == 0
		assert os.read(fd, 1 << 20) == b""
		# Without a seek the next record is by number, whichever it is now
		add("/1", "/2", "/3", "/4", "/5")
		other = os.open(sys.argv[2], os.O_RDWR)
		assert b"/1" in os.read(other, 89)
		assert os.write(other, b"2\n") == 2
		assert b"/4" in os.read(other, 89)
	EOF
}

@test "imafs: 100,000 records" {
	start
	imafs_ctl bulk 99999
	[ "$(count)" = 100000 ] || fail 'not all are there'
	imafs_ctl dump-all >want
	cat "$IMA/$LIST" >got
	expect_same want got
	expect_answer ok RDWR "$STAGED" A D
	[ "$(count)" = 0 ] || fail 'not all are gone'
}
