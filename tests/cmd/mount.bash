# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The view of `imalog mount`, and readers of it that know nothing of staging. Loaded after
# export.bash.

need_mount() {
	[ -z "${IMALOG_TEST_ROOT-}" ] || skip 'only with the stand-in'
	[ "$(id -u)" = 0 ] || skip 'mounting needs root'
	[ -c /dev/fuse ] || skip 'there is no /dev/fuse'
	local error
	error=$("$IMALOG" mount / 2>&1) || [[ $error != *'without libfuse'* ]] ||
		skip 'built without libfuse'
}

# mount_start [OPTION...]: on mnt; sets MOUNT_PID
mount_start() {
	mkdir -p mnt 2>/dev/null || true
	"$IMALOG" --root "$ROOT" mount --foreground "$@" mnt 2>>mount.err 3>&- &
	MOUNT_PID=$!
	until mount_is_there; do
		kill -0 "$MOUNT_PID" 2>/dev/null || fail "no mount: $(cat mount.err)"
		sleep 0.02
	done
}

mount_is_there() {
	grep -q " $PWD/mnt .* - fuse.imalog " /proc/self/mountinfo &&
		[ -e mnt/binary_runtime_measurements ]
}

mount_stop() {
	[ -n "${MOUNT_PID-}" ] || return 0
	kill "$MOUNT_PID" 2>/dev/null || true
	wait "$MOUNT_PID" 2>/dev/null || true
	MOUNT_PID=
	umount -l mnt 2>/dev/null || true
}

# expect_shown [ALG]...: the files are what the kernel would show, had nothing left it
expect_shown() {
	local alg
	for alg in "${@:-sha1}"; do
		imafs_ctl dump-all "$alg" >ever
		cat "mnt/binary_runtime_measurements_$alg" >shown || fail "$alg: cannot be read"
		expect_same ever shown "binary, $alg"
		imafs_ctl dump-all "$alg" ascii >ever
		cat "mnt/ascii_runtime_measurements_$alg" >shown || fail "$alg: cannot be read"
		expect_same ever shown "ascii, $alg"
	done
	imafs_ctl dump-all >ever
	cat mnt/binary_runtime_measurements >shown
	expect_same ever shown 'binary'
	[ "$(cat mnt/runtime_measurements_count)" = "$(mklog index ever | wc -l)" ] ||
		fail "$(cat mnt/runtime_measurements_count) records"
	[ "$(cat mnt/violations)" = "$(cat "$IMA/violations")" ] || fail 'other violations'
}

# Readers in rounds, one for each line on standard input, which is answered by a line. Each
# keeps all that it has read; "wrong ..." is the answer when something changed.
READERS='
import os, sys
path, out = sys.argv[1:3]
life = os.open(path, os.O_RDONLY)
seen, kept, first = b"", b"", os.fstat(life).st_ino

def rest(fd):
    parts = []
    while True:
        part = os.read(fd, 100000)
        if not part:
            return b"".join(parts)
        parts.append(part)

rounds = 0
for line in sys.stdin:
    rounds += 1
    answer = "ok"
    try:
        # One that keeps its descriptor for life
        kept += rest(life)
        # One that opens anew, and goes on where it was
        fd = os.open(path, os.O_RDONLY)
        os.lseek(fd, len(seen), os.SEEK_SET)
        seen += rest(fd)
        if not seen.startswith(kept):
            answer = "wrong: the two do not agree"
        # One that reads all again, in pieces at any place
        size = max(1, len(seen) // 7)
        for at in range(0, len(seen), size):
            part = os.pread(fd, size, at)
            while len(part) < min(size, len(seen) - at):
                more = os.pread(fd, size - len(part), at + len(part))
                if not more:
                    break
                part += more
            if part[:len(seen) - at] != seen[at:at + size]:
                answer = "wrong: bytes at %d are others now" % at
        os.close(fd)
    except OSError as error:
        answer = os.strerror(error.errno)
    print(answer, flush=True)
with open(out, "wb") as file:
    file.write(seen)
print(rounds, file=sys.stderr)
'

# readers_start FILE OUT: in the background, as the coprocess READER
readers_start() {
	coproc READER { exec "$PYTHON" -I -S -c "$READERS" "$1" "$2" 2>rounds 3>&-; }
	READER_IN=${READER[1]} READER_OUT=${READER[0]} READER_DONE=$READER_PID
}

# readers_read [ANSWER]: one round; the answer is a regular expression
readers_read() {
	local answer
	echo >&"$READER_IN"
	read -r -t 60 answer <&"$READER_OUT" || fail 'the readers are gone'
	[[ $answer =~ ^(${1-ok})$ ]] || fail "readers: $answer"
}

readers_stop() {
	[ -n "${READER_DONE-}" ] || return 0
	eval "exec $READER_IN>&-"
	wait "$READER_DONE" 2>/dev/null || true
	READER_DONE=
}
