#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The root file system is there: see imalog-boot(7). A boot never fails for it.
/usr/bin/imalog-initramfs export "${NEWROOT:-/sysroot}" || :
