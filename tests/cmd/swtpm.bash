# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A software TPM for the command tests, on a socket in a directory of its own, and
# extends as the firmware and the kernel make them. Loaded after helpers.bash.
#
#	setup()    { cd "$BATS_TEST_TMPDIR"; start_swtpm tpm; }
#	teardown() { stop_swtpm tpm; }

need_swtpm() {
	local tool
	for tool in swtpm swtpm_setup tpm2_getcap tpm2_pcrextend; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

# start_swtpm DIR [BANKS]: starts the TPM in DIR, a new one when there is none, and
# makes it the one that TPM2TOOLS_TCTI names. BANKS is a list such as sha1,sha256.
start_swtpm() {
	local dir banks=${2-sha1,sha256,sha384}
	need_swtpm
	mkdir -p "$1"
	dir=$(cd "$1" && pwd)
	if [ ! -e "$dir/tpm2-00.permall" ]; then
		swtpm_setup --tpm2 --tpmstate "$dir" --pcr-banks "$banks" >"$dir/log" 2>&1 ||
			fail "swtpm_setup: $(tail -n 3 "$dir/log")"
	fi
	# It comes back when its sockets are there. Bats waits for who has descriptor 3.
	swtpm socket --tpm2 --tpmstate dir="$dir" --daemon --pid file="$dir/pid" \
		--server type=unixio,path="$dir/socket" \
		--ctrl type=unixio,path="$dir/socket.ctrl" \
		--flags not-need-init,startup-clear >"$dir/log" 2>&1 3>&- ||
		fail "swtpm: $(tail -n 3 "$dir/log")"
	export TPM2TOOLS_TCTI=swtpm:path=$dir/socket
	export TSS2_LOG=all+none
}

# stop_swtpm DIR: ends it. What starts again in DIR is the same TPM after a reset.
stop_swtpm() {
	local pid tries
	[ -s "$1/pid" ] || return 0
	pid=$(cat "$1/pid")
	kill "$pid" 2>/dev/null || true
	for ((tries = 0; tries < 100; tries++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	rm -f "$1/pid" "$1/socket" "$1/socket.ctrl"
}

# Prints the banks that the TPM has, one a line.
active_banks() {
	tpm2_getcap pcrs | sed -n 's/^ *- \([a-z0-9_]*\): \[ [0-9].*/\1/p'
}

# Reads arguments of tpm2_pcrextend, one a line, and extends in that order.
extend_all() {
	xargs -r -n 64 tpm2_pcrextend
}

KERNEL_EXTENDS='
import importlib.machinery, sys
sys.dont_write_bytecode = True
mklog = importlib.machinery.SourceFileLoader("mklog", sys.argv[1]).load_module()
with open(sys.argv[2], "rb") as source:
    data = source.read()
first, last, banks = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
width, order = mklog.layout(data)
for number, record in enumerate(mklog.read_records(data, width, order), 1):
    if first <= number <= last:
        print("%d:%s" % (record.pcr, ",".join(
            "%s=%s" % (bank, mklog.extension(record, order, bank, "perbank").hex())
            for bank in banks)))
'

# extend_as_kernel LIST [FIRST [LAST]]: extends every bank with the template digests of
# these records, as Linux 5.8 and later does when it adds them.
extend_as_kernel() {
	local banks
	mapfile -t banks < <(active_banks)
	"$PYTHON" -I -W ignore -c "$KERNEL_EXTENDS" "$MKLOG" "$1" "${2-1}" "${3-1000000000}" \
		"${banks[@]}" >extends || fail "cannot read '$1'"
	extend_all <extends || fail 'tpm2_pcrextend fails'
}

FIRMWARE_EXTENDS='
import struct, sys
names = {4: "sha1", 11: "sha256", 12: "sha384", 13: "sha512"}
with open(sys.argv[1], "rb") as source:
    data = source.read()
banks = sys.argv[2:]
size, = struct.unpack_from("<I", data, 28)
count, = struct.unpack_from("<I", data, 32 + 24)
sizes = dict(struct.unpack_from("<HH", data, 32 + 28 + 4 * i) for i in range(count))
at = 32 + size
while at < len(data):
    pcr, kind, count = struct.unpack_from("<III", data, at)
    at += 12
    digests = []
    for _ in range(count):
        alg, = struct.unpack_from("<H", data, at)
        digest = data[at + 2:at + 2 + sizes[alg]]
        at += 2 + sizes[alg]
        if names.get(alg) in banks:
            digests.append("%s=%s" % (names[alg], digest.hex()))
    at += 4 + struct.unpack_from("<I", data, at)[0]
    if kind != 3:
        print("%d:%s" % (pcr, ",".join(digests)))
'

# extend_as_firmware LOG: extends what a crypto-agile firmware event log says was extended
extend_as_firmware() {
	local banks
	mapfile -t banks < <(active_banks)
	"$PYTHON" -I -c "$FIRMWARE_EXTENDS" "$1" "${banks[@]}" >extends ||
		fail "cannot read '$1'"
	extend_all <extends || fail 'tpm2_pcrextend fails'
}
