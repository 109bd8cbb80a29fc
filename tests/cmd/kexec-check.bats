#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# imalog kexec-prepare --check: is there room for the list, when the other kernel is loaded?

load helpers
load imafs
load kexec

@test "kexec-prepare: --check, with what the kernel said when it loaded the other one" {
	start --critical-data
	prepare 0
	check 4
	note unchecked 'no kernel is loaded'
	load_kernel
	check 0
	expect_json "d['segment'] == 4096" "d['segment_from'] == 'kexec_load'" \
		"d['loaded'] is True"
	imafs_ctl bulk 60 /some/
	check 1
	expect_json "d['carried'] is False"
	note wrong 'takes [0-9]+ bytes, and there is room for 4096'
	# A kernel that is loaded again has room for all.
	load_kernel
	check 0
	check 0 --reserve $((12288 - $(number needed)))
	check 1 --reserve $((12288 - $(number needed) + 1))
	kexec_to
	check 4
}

# The stand-in cuts the list where the room ends: what is told must be what happens.  How long
# the numbers in kexec_execute will be is not known before.
@test "kexec-prepare: --check is right to the byte" {
	local needed=5000 all trial
	for trial in '0 0 4' '0 0 4' '-1 1 4' '-40 1 3'; do
		read -r less want all <<<"$trial"
		start --critical-data
		imafs_ctl bulk 30 /some/
		load_kernel $((needed + less))
		check "$want"
		needed=$(number needed)
		kexec_to
		# kernel_version, kexec_load, kexec_execute, and what each boot begins with
		[ "$(imafs_stat current)" -eq $((30 + all + 2)) ] ||
			fail "$trial: $(imafs_stat current) records"
		imafs_stop
		rm -r root
	done
}

@test "kexec-prepare: --check, with what the kernel has set aside" {
	start
	prepare 0
	load_kernel
	buffer 4096
	check 0
	expect_json "d['segment'] == 4096" "d['segment_from'] == 'vmallocinfo'"
	imafs_ctl bulk 60 /some/
	check 1
	buffer 8192
	check 0
	# Two that differ: the smaller one counts.
	sed -i 's/12288 kimage/8192 kimage/' "$ROOT/proc/vmallocinfo"
	check 1
	expect_json "d['segment'] == 4096"
}

@test "kexec-prepare: --check, and nothing was set aside" {
	start
	prepare 0
	loaded 1
	printf '%s\n' 'ffffffff81a3c0d0 T ima_add_kexec_buffer' \
		'ffffffff81a3c250 T ima_kexec_post_load' >"$ROOT/proc/kallsyms"
	buffer 4096
	sed -i '/ima_\|kimage/d' "$ROOT/proc/vmallocinfo"
	check 1
	note wrong 'was not loaded by kexec_file_load'
	# What cannot be read says nothing.
	rm "$ROOT/proc/vmallocinfo"
	check 0
	expect_json "d['segment_from'] == 'prepared'"
}

@test "kexec-prepare: --check, with what there was when the kexec was prepared" {
	start
	prepared
	loaded 1
	check 0
	expect_json "d['segment'] == 4096" "d['segment_from'] == 'prepared'"
	imafs_ctl bulk 50 /later/
	check 4
	note unchecked 'not known whether there is room for more than 4096'
	# An export: nobody knows how long the list was when the other kernel was loaded.
	imalog export --root "$ROOT" --sysfs
	expect_status 0
	check 4
	note unchecked 'nothing tells how much room'
	# Prepared when it was loaded already
	prepare 0
	check 4
	# or never
	rm -r "$STORE"
	check 4
}

# What there is room for is what the lists were then, not what they are a moment later.
@test "kexec-prepare: --check, and the other kernel was loaded while it was prepared" {
	start
	imafs_ctl bulk 20 /early/
	imafs_at after D bulk 6 /between/
	# What only reads comes after all is saved, and before it is written down
	imafs_at before 'open-read@*binary_runtime*' stall
	"$IMALOG" kexec-prepare --root "$ROOT" --sysfs &
	imafs_ctl await
	[ -e "$STORE/current/pending.00000002" ] && [ ! -e "$STORE/kexec.json" ] ||
		fail 'this is another moment'
	loaded 1
	imafs_ctl bulk 60 /later/
	imafs_ctl resume
	wait $!
	check 4
}

@test "kexec-prepare: --check, where kexec_load(2) may have loaded the other kernel" {
	start
	config CONFIG_IMA_KEXEC=y CONFIG_KEXEC=y
	prepared
	loaded 1
	check 4
	note unchecked 'by kexec_load\(\) the list is lost$'
	buffer 4096
	check 0
	# Half a configuration says nothing of it.
	rm "$ROOT/proc/vmallocinfo"
	config CONFIG_IMA_KEXEC=y
	check 0
	sed -i /KEXEC_FILE/d "$ROOT"/boot/config-*
	check 4
}

# Nothing in the lists says any more that kexec_execute will come.
@test "kexec-prepare: --check, and an export took the record of what was loaded" {
	local name=0
	start --critical-data
	prepare 0
	load_kernel
	imalog export --root "$ROOT" --sysfs
	expect_status 0
	buffer 4096
	check 0
	while [ "$(number needed)" -le $((4096 - 276)) ]; do
		expect_status 0
		name=$((name + 1))
		imafs_ctl bulk 1 "/$name/"
		imalog kexec-prepare --root "$ROOT" --sysfs --check --json
	done
	[ "$(number needed)" -lt 4096 ] || fail 'there is no room'
	check 4
	note unchecked 'too few for the record kexec_execute'
	load_kernel
	rm "$ROOT/proc/vmallocinfo"
	check 0
	expect_json "d['segment_from'] == 'kexec_load'"
}

@test "kexec-prepare: --check, and a kernel that copies its list when it loads the other" {
	start --kernel 6.10
	echo 'ffffffff81a3c0d0 T ima_add_kexec_buffer' >"$ROOT/proc/kallsyms"
	imafs_ctl bulk 20 /early/
	prepare 0 --json
	note info 'copies its list when the next one is loaded'
	loaded 1
	check 0
	imafs_ctl add /late
	check 4
	note unchecked 'copies its list when the next one is loaded, and what was measured since'
	# It may: nothing tells
	rm "$ROOT/proc/kallsyms"
	check 4
	note unchecked 'may copy'
	echo 'ffffffff81a3c250 T ima_kexec_post_load' >"$ROOT/proc/kallsyms"
	check 0
}

@test "kexec-prepare: --unchanged" {
	start
	check 4 --unchanged
	prepared
	load_kernel
	buffer 4096
	check 0 --unchanged
	imafs_ctl add /one-more
	check 0
	check 1 --unchanged
	note wrong 'not what was prepared: 7 records of .* which were 6 of'
	prepare 0
	check 0 --unchanged
	rm -r "$STORE"
	check 4 --unchanged
	note unchecked 'no kexec was prepared'
}
