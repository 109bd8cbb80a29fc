#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A scenario: files are signed and measured, and their keys are in a keyring of the kernel
# shellcheck source-path=SCRIPTDIR source=steps.sh
. /vm/steps.sh

# A file that was measured without its signature is not measured again with it: so these were
# signed elsewhere, and get it before anybody reads them.
mkdir /signed
for key in rsa p256 other; do
	cp /vm/signed-$key /signed/$key
	cp /vm/signed-$key.sig /signed/$key.sig
	evmctl ima_setxattr /signed/$key
	cat /signed/$key >/dev/null
done
echo unsigned >/signed/none
cat /signed/none >/dev/null
cp $IMA/binary_runtime_measurements list

# A keyring that only this user has, with keys that the kernel parses
ring=$(keyctl newring signers @u)
keyctl link @u @s
keyctl padd asymmetric '' "$ring" </vm/rsa.der
# ECDSA can be a module that is not there.
keyctl padd asymmetric '' "$ring" </vm/p256.der || echo no >no-ecdsa
cat /proc/keys >keys-of-the-kernel
step name imalog sig-verify --json --keyring signers list
step number imalog sig-verify --json --keyring "$ring" list
step text imalog sig-verify --keyring signers list
step live imalog sig-verify --json --keyring signers
step files imalog sig-verify --json --keyring signers --key /vm/other.der list
step ca imalog sig-verify --json --keyring signers --ca /vm/rsa.der list

# A signature that is not the key's: of other content
sed 's/\/signed\/rsa/\/signed\/bad/' list >edited
step edited imalog sig-verify --json --keyring signers edited

# One that the kernel lets nobody use
key=$(keyctl padd asymmetric '' "$ring" </vm/other.der)
keyctl setperm "$key" 0
step nothing imalog sig-verify --keyring signers list
step nothing-json imalog sig-verify --json --keyring signers list

# Those of the kernel itself
step ima imalog sig-verify --json --keyring .ima list
step builtin imalog sig-verify --json --keyring .builtin_trusted_keys list
step missing imalog sig-verify --json --keyring no-such-ring list
