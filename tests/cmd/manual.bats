#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages: their examples are run, their tables compared with what they describe.
#
# Files that the examples name, and what they are here:
#   log         rig/ng/binary_runtime_measurements, of template ima-buf rig/buf's
#   pcrs.yaml   rig/ng/pcrs.yaml
#   quote.pcrs  rig/ng/quote-10-11.pcrs, which has PCR 0 to 7 too
#   quote.*, quote-10-11.*, ak.tss, nonce.hex  of rig/ng, ak.tss being ak-rsa.tss
#   eventlog    rig/ng/binary_bios_measurements
#   piece1, piece2  records 1 to 20 and 21 to 45 of log
#               in quote-verify rig/kexec's, quote1 and quote2 before and after
#   log-be      a big-endian list of mklog, values its PCR values
# Commands after '# ' are of this machine: they get a --root where those of rig/ng are.

load helpers
load swtpm
load imafs
load manual

PAGES='imalog imalog-show imalog-convert imalog-replay imalog-merge imalog-quote-verify
	imalog-stage imalog-save imalog-confirm imalog-export imalog-trim imalog-store
	imalog-kexec-prepare imalog-policy-load imalog-mount imalog-sig-verify imalog-status'

setup() {
	manual_setup
}

teardown() {
	imafs_stop
	stop_swtpm "$BATS_TEST_TMPDIR/tpm"
}

# ---- what is in the pages

@test "manual: every page of a command has its sections, in this order" {
	local page
	for page in $PAGES; do
		[ "$(sed -n 's/^\.Sh //p' "$MAN/$page.1" | tr '\n' ,)" = \
			"NAME,SYNOPSIS,DESCRIPTION,OPTIONS,FILES,EXIT STATUS,EXAMPLES,SEE ALSO,SECURITY CONSIDERATIONS," ] ||
			fail "$page: other sections"
		grep -q '^\.Ss What is not verified' "$MAN/$page.1" ||
			fail "$page does not say what is not verified"
	done
}

@test "manual: every page of a command has the five exit codes" {
	local page
	for page in $PAGES; do
		[ "$(sed -n '/^\.Sh EXIT/,/^\.Sh EXAM/s/^\.It //p' "$MAN/$page.1" | tr -d '\n')" = \
			01234 ] || fail "$page: other exit codes"
	done
}

@test "manual: there is a page for every command" {
	local command
	for command in $("$IMALOG" --help |
		awk '/^$/ { here = 0 } here { print $1 } /^Commands:/ { here = 1 }'); do
		[ "$command" = help ] || [ -f "$MAN/imalog-$command.1" ] ||
			fail "no page for $command"
		grep -q "^\\.It .*$command" "$MAN/imalog.1" || fail "imalog.1 lacks $command"
	done
}

@test "manual: every example is run here" {
	local page command
	for page in $PAGES; do
		examples_of "$page.1" >commands
		[ -s commands ] || fail "no examples in $page"
		while read -r command; do
			grep -qF "example $page.1 '${command//\'/"'\''"}'" \
				"$IMALOG_SRC"/tests/cmd/*.bats || fail "$page: not run: $command"
		done <commands
	done
}

@test "manual: libimalog.3 has every function of the library once" {
	diff <(sed -n 's/^\.It Fn \(imalog_[a-z0-9_]*\)$/\1/p' "$MAN/libimalog.3" | sort) \
		<(grep -oE 'imalog_[a-z0-9_]+;' "$IMALOG_SRC/lib/libimalog.map" | tr -d ';' | sort)
}

@test "manual: libimalog.3 has every error code" {
	diff <(sed -n 's/^\.It Dv \(IMALOG_ERR_[A-Z_]*\)$/\1/p' "$MAN/libimalog.3" | sort) \
		<(sed -n 's/^\t\(IMALOG_ERR_[A-Z_]*\) = .*/\1/p' "$IMALOG_SRC/lib/imalog.h" | sort)
}

@test "manual: the program of libimalog.3 compiles and works" {
	local libs=${IMALOG_BUILD:-$IMALOG_SRC/build}/lib/.libs flags=()
	[ -e "$libs/libimalog.so" ] || skip 'the shared library is not built'
	command -v "${CC:-cc}" >/dev/null || skip 'there is no compiler'
	# A sanitized library needs a sanitized program
	if grep -q __asan_init "$libs/libimalog.so"; then
		flags=('-fsanitize=address,undefined')
	fi
	sed -n '/begin program/,/end program/p' "$MAN/libimalog.3" |
		sed -e '/^\./d' -e 's/\\e/\\/g' >check.c
	"${CC:-cc}" -Wall -Wextra -Werror "${flags[@]}" -I"$IMALOG_SRC/lib" check.c \
		-L"$libs" -limalog -o check
	export LD_LIBRARY_PATH=$libs
	run --separate-stderr ./check log "sha256:10=$(pcr_of pcrs.yaml sha256 10)"
	expect_status 0
	expect_stdout '^log: match$' '^after record 45 of 45$'
	run --separate-stderr ./check log "sha256:10=$(zeros 32)"
	expect_status 1
	expect_stdout '^log: mismatch$'
	head -c 100 log >short
	run --separate-stderr ./check short "sha256:10=$(zeros 32)"
	expect_status 1
	expect_stderr 'record 1 at 0x0: '
}

@test "manual: the record of imalog-log.5 is the first of log" {
	sed -n '/begin record/,/end record/p' "$MAN/imalog-log.5" |
		sed '/^[^0-9a-f]/d;s/   *.*//' >hex
	from_hex hex >record
	expect_same record <(head -c "$(offset log 2)" log)
	tr -d '\n' <<<"$(sed -n 's/\\e$//;/^10 a805/,/boot_aggregate$/p' "$MAN/imalog-log.5")" >line
	expect_same <(head -n 1 "$RIG/ng/ascii_runtime_measurements" | tr -d '\n') line
}

@test "manual: the TLV record of imalog-log.5 is one" {
	sed -n '/begin tlv/,/end tlv/p' "$MAN/imalog-log.5" |
		sed '/^[0-9a-f][0-9a-f] /!d;s/   *.*//' >hex
	from_hex hex >record
	imalog show --fields pcr,template,fits,name record
	expect_status 0
	[ "$output" = '10 ima_tlv yes /data/esp/safford.pdf' ] || fail 'another record'
}

@test "manual: imalog-log.5 has every field, and the templates" {
	local field
	for field in d n d-ng d-ngv2 n-ng sig buf d-modsig modsig evmsig iuid igid imode \
		xattrnames xattrlengths xattrvalues; do
		grep -q "^\\.It Cm $field Ta" "$MAN/imalog-log.5" || fail "$field"
		imalog show --fields "$field" log
		expect_status 0
	done
	sed -n 's/^\t{ "\([a-z0-9-]*\)", "\(d[^"]*\)" },$/\1 \2/p' "$IMALOG_SRC/lib/template.c" |
		sort >code
	[ "$(wc -l <code)" -eq 8 ] || fail 'eight templates expected in lib/template.c'
	sed -e ':more' -e '/\\$/{N;s/\\\n//;b more' -e '}' "$MAN/imalog-log.5" |
		sed -n 's/^\.It Cm \([a-z0-9-]*\) Ta [0-9.]* Ta \(d.*\)/\1 \2/p' |
		sed 's/ | /|/g' | sort | diff code -
}

# ---- examples

@test "manual: imalog.1" {
	example imalog.1 '# imalog replay --sysfs'
	expect_status 0
	expect_stdout '45'
	example imalog.1 '$ imalog replay --pcrs pcrs.yaml log'
	expect_status 0
	example imalog.1 '$ imalog show --match '\''/bin/*'\'' log'
	expect_status 0
	expect_stdout '/bin/busybox$' '/bin/tpm2$'
}

@test "manual: imalog-show.1" {
	example imalog-show.1 '$ imalog show --to 5 log'
	expect_status 0
	[ "$(wc -l <<<"$output")" -eq 5 ] || fail 'five lines expected'
	example imalog-show.1 '$ imalog show --match '\''*.so.*'\'' --fields record,offset,name log'
	expect_status 0
	expect_stdout '^ *7 +0x251 /lib64/ld-linux-x86-64\.so\.2$'
	example imalog-show.1 '$ imalog show --json --to 1 log'
	expect_status 0
	expect_json "d['fields']['n-ng'] == 'boot_aggregate'"
	example imalog-show.1 '$ imalog show --violations log'
	expect_status 0
	expect_no_stdout
	example imalog-show.1 '$ imalog show --define-template '\''my-own=d-ng|n-ng|sig'\'' log'
	expect_status 0
	cp -f "$RIG/buf/binary_runtime_measurements" log
	example imalog-show.1 '$ imalog show --template ima-buf --fields record,name,note log'
	expect_status 0
	expect_stdout '2 kernel_version +kernel_version="6\.12'
}

@test "manual: imalog-merge.1" {
	example imalog-merge.1 '$ imalog merge piece2 piece1 --pcrs pcrs.yaml --pcr 10 -o whole'
	expect_status 0
	expect_same whole log
	example imalog-merge.1 '$ imalog merge piece2 piece1 --quote quote.msg --signature quote.sig --key ak.tss --nonce $(cat nonce.hex) -o whole'
	expect_status 0
	expect_same whole log
	rm whole
	example imalog-merge.1 '# imalog merge --live --sysfs -o whole'
	expect_status 0
	expect_same whole log
}

@test "manual: imalog-convert.1" {
	example imalog-convert.1 '$ imalog convert -t ascii log'
	expect_status 0
	expect_same "$RIG/ng/ascii_runtime_measurements" <(printf '%s\n' "$output")
	example imalog-convert.1 '$ imalog convert -t kernel -o whole piece1 piece2'
	expect_status 0
	expect_same log whole
	example imalog-convert.1 '$ imalog convert -t cel-json -o log.json eventlog log'
	expect_status 0
	imalog replay -q --pcr 0 --pcr 10 --pcrs pcrs.yaml --allow-opaque log.json
	expect_status 0
	example imalog-convert.1 '$ imalog convert -t kernel -o log-le log-be'
	expect_status 0
	mklog pcrs --be log-be >values
	example imalog-convert.1 '$ imalog replay --pcrs values log-le'
	expect_status 0
}

@test "manual: imalog-replay.1" {
	example imalog-replay.1 '# imalog replay --sysfs --boot-aggregate'
	expect_status 0
	example imalog-replay.1 '$ imalog replay --pcrs pcrs.yaml log'
	expect_status 0
	example imalog-replay.1 '$ imalog replay --expect sha1:10=4a3d8542d8220f66ed8ca0daf7482b1bda3b5af6 log'
	expect_status 0
	example imalog-replay.1 '$ imalog replay --json --pcr 10 --bank sha256 --pcrs pcrs.yaml log'
	expect_status 0
	expect_verdict match "len(d['checks']) == 1"
	example imalog-replay.1 '$ imalog replay --pcrs quote.pcrs log'
	expect_status 0
	example imalog-replay.1 '$ imalog replay --print log > values'
	expect_status 0
	example imalog-replay.1 '$ imalog replay --pcrs values log'
	expect_status 0
	example imalog-replay.1 '$ imalog replay --start "$(imalog replay --print --bank sha256 piece1)" --bank sha256 --pcrs pcrs.yaml piece2'
	expect_status 0
	example imalog-replay.1 '$ imalog replay --pcrs quote.pcrs --eventlog eventlog log'
	expect_status 0
	imalog_to log.json convert -t cel-json eventlog log
	example imalog-replay.1 '$ imalog replay --pcr 0 --pcr 10 --allow-opaque --pcrs pcrs.yaml log.json'
	expect_status 0
	example imalog-replay.1 '$ cat log | imalog replay --pcrs pcrs.yaml -'
	expect_status 0
}

@test "manual: imalog-quote-verify.1" {
	example imalog-quote-verify.1 '$ imalog quote-verify --quote quote.msg --signature quote.sig --key ak.tss --nonce $(cat nonce.hex) log'
	expect_status 0
	example imalog-quote-verify.1 '$ imalog quote-verify --quote quote-10-11.msg --signature quote-10-11.sig --key ak.tss --nonce $(cat nonce.hex) --eventlog eventlog log'
	expect_status 0
	example imalog-quote-verify.1 '$ imalog quote-verify --print-count --quote quote.msg --signature quote.sig --key ak.tss --no-nonce log'
	expect_status 0
	[ "$output" = 45 ] || fail '45 expected'
	local before=$RIG/kexec/before after=$RIG/kexec/after
	cp -f "$RIG/kexec/ak-rsa.tss" ak.tss
	cp -f "$before/binary_runtime_measurements" piece1
	records "$after/binary_runtime_measurements" 54 96 >piece2
	cp "$before/quote.msg" quote1.msg
	cp "$before/quote.sig" quote1.sig
	cp "$after/quote.msg" quote2.msg
	cp "$after/quote.sig" quote2.sig
	example imalog-quote-verify.1 '$ imalog quote-verify --from-quote quote1.msg --from-signature quote1.sig --quote quote2.msg --signature quote2.sig --key ak.tss --no-nonce --start "$(imalog replay --print --bank sha256 piece1)" piece2'
	expect_status 0
	expect_stdout 'records 1\.\.43 of 43'
	cp -f "$after/binary_runtime_measurements" log
	from_hex "$after/nonce.hex" >nonce
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=CA \
		-keyout ca.key -out ca.crt 2>/dev/null
	openssl req -new -key ca.key -subj /CN=AK |
		openssl x509 -req -force_pubkey "$RIG/kexec/ak-rsa.pem" -CA ca.crt -CAkey ca.key \
			-set_serial 2 -days 2 -out ak.crt 2>/dev/null
	example imalog-quote-verify.1 '$ imalog quote-verify --quote quote2.msg --signature quote2.sig --key ak.crt --ca ca.crt --nonce-file nonce --previous quote1.msg log'
	expect_status 0
	expect_stdout '^key +ok .*trusted' '^clock +ok' '1\.\.96 of 96; 0 later'
}

@test "manual: imalog-stage.1, imalog-save.1 and imalog-confirm.1" {
	start_kernel
	example imalog-stage.1 '# imalog stage && imalog save log.1 && imalog confirm log.1'
	expect_status 0
	start_kernel
	example imalog-save.1 '# imalog stage'
	example imalog-save.1 '# imalog save log.1'
	expect_status 0
	example imalog-save.1 '# imalog show log.1'
	expect_status 0
	expect_stdout boot_aggregate
	example imalog-confirm.1 '# imalog stage'
	example imalog-confirm.1 '# imalog save log.1'
	example imalog-confirm.1 '# imalog confirm log.1'
	expect_status 0
	imafs_ctl add /one
	example imalog-confirm.1 '# imalog replay --sysfs log.1 /sys/kernel/security/ima/binary_runtime_measurements' \
		"imalog replay --sysfs log.1 $IMA/binary_runtime_measurements"
	expect_status 0
	expect_stdout 'record 2 of 2'
}

# With a TPM that the firmware has extended, and a key in it
start_kernel_with_tpm() {
	start_swtpm tpm sha1,sha256
	extend_as_firmware eventlog
	start_kernel --tcti "$TPM2TOOLS_TCTI"
	{
		tpm2_createek -Q -c ek.ctx -G ecc &&
			tpm2_createak -Q -C ek.ctx -c ak.ctx -u ak.pub -G ecc -g sha256 -s ecdsa &&
			tpm2_flushcontext -t && # there is no resource manager
			tpm2_evictcontrol -Q -C o -c ak.ctx 0x81010002 &&
			tpm2_flushcontext -t
	} || fail 'no key'
	store=root/var/lib/imalog
}

@test "manual: imalog-export.1" {
	start_kernel_with_tpm
	local options='--watch 1m --min-records 1000 --max-age 1d' nonce
	# The function of example() would be another process.
	example imalog-export.1 '# imalog export --watch 1m --min-records 1000 --max-age 1d' \
		"command imalog --root root export $options & pid=\$!
		until [ -e $store/current/log.00000001 ]; do sleep 0.05; done
		kill \$pid; wait \$pid"
	expect_status 0
	example imalog-export.1 '# imalog export'
	expect_status 0
	imafs_ctl add /one
	example imalog-export.1 '# imalog export --min-records 1000 --max-age 12h'
	expect_status 0
	expect_no_stdout
	example imalog-export.1 '# imalog export --ak 0x81010002'
	expect_status 0
	expect_stdout '^epoch 1, segment 2: 1 record from 2, [0-9]+ bytes: match after record 2$'
	example imalog-export.1 '# imalog store check --tpm'
	expect_status 0
	example imalog-export.1 '# cat /var/lib/imalog/current/log.* > log' \
		"cat $store/current/log.* > log"
	imafs_ctl dump-all >ever
	expect_same ever log
	# A copy, with what a verifier has
	cp -r "$store/current/." .
	nonce=$(sha256sum < receipts/00000001.json | cut -d ' ' -f 1)
	example imalog-export.1 '$ nonce=$(sha256sum < receipts/00000001.json | cut -d '\'' '\'' -f 1)'
	expect_status 0
	export nonce
	rm log
	example imalog-export.1 '$ imalog quote-verify --quote receipts/00000002.quote --signature receipts/00000002.signature --key ak.pub --nonce $nonce --eventlog eventlog log.*'
	expect_status 0
	expect_stdout 'records 1\.\.2 of 2'
	example imalog-export.1 '$ tpm2_checkquote -u ak.pub -m receipts/00000002.quote -s receipts/00000002.signature -q $nonce'
	expect_status 0
}

@test "manual: imalog-trim.1" {
	start_kernel_with_tpm
	imafs_ctl add /one /two /three
	example imalog-trim.1 '# imalog trim 1'
	expect_status 0
	example imalog-trim.1 '# imalog trim --to-record 2'
	expect_status 0
	expect_stdout '^epoch 1, segment 2: 1 record from 2, '
	export nonce=c0ffee
	example imalog-trim.1 '# tpm2_quote -c 0x81010002 -l sha256:10 -q $nonce -m quote.msg -s quote.sig'
	expect_status 0
	imafs_ctl add /four
	example imalog-trim.1 '# imalog trim --quote quote.msg --signature quote.sig --key ak.pub --nonce $nonce'
	expect_status 0
	expect_stdout '^epoch 1, segment 3: 2 records from 3, '
	[ "$(cat "$IMA/runtime_measurements_count")" = 1 ] || fail 'not one is left'
}

@test "manual: imalog-mount.1" {
	start_kernel_with_tpm
	imafs_ctl add /one
	imalog --root root export
	imafs_ctl add /two
	mkdir ima
	example imalog-mount.1 '# imalog mount /run/imalog/ima' 'imalog mount ima'
	expect_status 0
	example imalog-mount.1 '# cat /run/imalog/ima/runtime_measurements_count' \
		'cat ima/runtime_measurements_count'
	[ "$output" = 3 ] || fail 'three records expected'
	example imalog-mount.1 '# imalog replay --tpm /run/imalog/ima/binary_runtime_measurements' \
		'imalog replay --tpm --pcr 10 ima/binary_runtime_measurements'
	expect_status 0
	example imalog-mount.1 '# umount /run/imalog/ima' 'umount ima'
	expect_status 0
	# The unit is looked at by dist.bats
	example imalog-mount.1 '# systemctl enable --now imalog-mount.service' true
}

@test "manual: imalog-store.1" {
	start_kernel_with_tpm
	imalog --root root export
	imafs_ctl add /one
	example imalog-store.1 '# imalog store list'
	expect_status 0
	diff <(head -n 1 <<<"$output") <(grep '^EPOCH' "$MAN/imalog-store.1")
	example imalog-store.1 '# imalog store check --tpm'
	expect_status 0
	expect_stdout ' 2 records with those in the kernel: sound$' '^PCR values: match after record 2$'
	stop_swtpm tpm
	imalog replay --print --bank sha256 "$store/current/log.00000001"
	echo "$output" >pcrs.yaml
	example imalog-store.1 '# imalog store check --pcrs pcrs.yaml 1'
	expect_status 0
	rm "$store"/current/receipts/*
	example imalog-store.1 '# imalog store rebuild'
	expect_status 0
	example imalog-store.1 '# imalog store prune --keep-epochs 5'
	expect_status 0
}

@test "manual: the reader of imalog-store.5" {
	start_kernel
	sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$MAN/imalog-store.5" | sed '1,/^\.Bd/d; /^\./d' |
		sed 's|^\([a-z]*\)=/|\1=root/|' >reader
	imalog --root root export
	imafs_ctl violation /x 2
	imalog --root root stage
	imafs_ctl violation /x 2
	rm -f log
	run sh reader
	expect_status 0
	imafs_ctl dump-all >ever
	expect_same ever log
	# Nobody else can stage or delete meanwhile
	mkfifo go
	sed 's/^{ cat/: >opened; read -r line <go; &/' reader >slow
	sh slow 3>&- &
	until [ -e opened ]; do sleep 0.05; done
	imalog --root root stage --wait 0
	expect_status 4
	expect_stderr 'is held open by sh '
	imalog --root root export --wait 0
	expect_status 4
	expect_stderr 'another program is working on the store'
	echo go >go
	wait $!
	expect_same ever log
	imalog --root root save
	run sh reader
	expect_status 1
	[ "$output" = 'an export is not finished' ] || fail 'it should say why'
}

@test "manual: imalog-status.1" {
	start_kernel
	unset TPM2TOOLS_TCTI
	example imalog-status.1 '# imalog status'
	expect_status 0
	expect_stdout 'All is well'
	example imalog-status.1 '# imalog status -q || echo "imalog status says $?"'
	expect_status 0
	expect_no_stdout
	imafs_ctl extend 10
	example imalog-status.1 '# imalog status -q || echo "imalog status says $?"'
	expect_stdout '^imalog status says 1$'
}

@test "manual: imalog-policy-load.1" {
	start_kernel
	echo 'measure uid=007 func=PATH_CHECK' >policy
	example imalog-policy-load.1 '# imalog policy-load policy'
	expect_status 0
	[ "$(cat "$IMA/policy")" = 'measure func=FILE_CHECK uid=7 ' ] || fail 'not as in the page'
	example imalog-policy-load.1 '# imalog policy-load --by-path /etc/ima/ima-policy' \
		'imalog policy-load --by-path policy'
	expect_status 0
}

@test "manual: the PCR files of imalog-replay.1" {
	local count
	# Each block that is values, and the options of the others
	awk '/^\.Bd/ { n++; next } /^\.Ed/ { next } /^\.Ss JSON/ { exit }
		here && /^ *([0-9a-zA-Z-]+:|PCR)/ { print >("block" n) }
		/^\.Ss PCR files/ { here = 1 }' "$MAN/imalog-replay.1"
	for count in 1 2 3; do
		imalog replay --pcrs "block$count" log
		expect_status 0 "block $count"
	done
	sed -n '/^\.Ss PCR files/,/^\.Ss JSON/s/^--pcrs //p' "$MAN/imalog-replay.1" >options
	[ "$(cat options)" = "sha256:0,1,10+sha1:10,values
quote.pcrs
/sys/class/tpm/tpm0/pcr-sha256/10
/sys/class/tpm/tpm0/pcr-sha256" ] || fail 'other options in the page'
	from_hex <(for count in 0 1 10; do pcr_of pcrs.yaml sha256 "$count"; done
		pcr_of pcrs.yaml sha1 10) >values
	while read -r count; do
		[[ $count != /* ]] || count=root$count
		imalog replay --json --pcrs "$count" log
		expect_status 0 "$count"
	done <options
}
