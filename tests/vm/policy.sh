#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: policies that the kernel takes and refuses, on one that shows them (but with
# ima_policy=secure_boot takes only what is signed) and on one that does not
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# shown NAME: what the kernel shows, if it does
shown() {
	cat $IMA/policy >"$1.shown" 2>/dev/null || true
}

# load NAME [OPTION...]: the policy on standard input
load() {
	name=$1
	shift
	cat >"/vm/$name"
	step "$name" imalog policy-load "$@" "/vm/$name"
	shown "$name"
}

shown boot
load refused <<-'END'
	measure func=FILE_CHECK mask=MAY_READ uid=0
	measure func=NONSENSE
END
exec 3>$IMA/policy
load busy <<-'END'
	measure func=BPRM_CHECK
END
exec 3>&-
load first <<-'END'
	# what root reads of disks, and all programs
	dont_measure fsmagic=0x01021994
	measure func=BPRM_CHECK mask=MAY_EXEC
	measure func=FILE_CHECK mask=MAY_READ uid=0
END
load second <<-'END'
	measure func=MMAP_CHECK mask=MAY_EXEC
END
load path --by-path <<-'END'
	measure func=MODULE_CHECK
END

# What the first asks for is done.
echo some >/vm/read-by-root
cat /vm/read-by-root >/dev/null
cp $IMA/binary_runtime_measurements list
step replay imalog replay --sysfs --pcr 10 --json
