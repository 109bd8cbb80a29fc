# SPDX-License-Identifier: GPL-2.0-or-later

# IMALOG_FLAGS(VARIABLE, {COMPILE|LINK}, FLAG...): appends each flag that works.
# -Werror: clang only warns of the flags that it does not know.
AC_DEFUN([IMALOG_FLAGS], [
for flag in $3; do
	AC_MSG_CHECKING([whether $CC accepts $flag])
	saved_CFLAGS=$CFLAGS
	CFLAGS="$CFLAGS -Werror $flag"
	AC_$2_IFELSE([AC_LANG_PROGRAM],
		[AC_MSG_RESULT([yes]); AS_VAR_APPEND([$1], [" $flag"])],
		[AC_MSG_RESULT([no])])
	CFLAGS=$saved_CFLAGS
done
AC_SUBST([$1])])

# IMALOG_COMPLETION(SHELL, DEFAULT): where its completions go
AC_DEFUN([IMALOG_COMPLETION], [
AC_ARG_WITH([$1-completion-dir],
	[AS_HELP_STRING([--with-$1-completion-dir=DIR],
		[where $1 finds completions, "no" for none @<:@DATADIR/$2@:>@])],
	[], [with_$1_completion_dir=yes])
AS_CASE([$with_$1_completion_dir],
	[yes], [$1completiondir='${datadir}/$2'],
	[no], [$1completiondir=],
	[$1completiondir=$with_$1_completion_dir])
AC_SUBST([$1completiondir])])

# IMALOG_SYSTEMD: where systemd finds units; the directory that it names itself would be
# outside of the prefix
AC_DEFUN([IMALOG_SYSTEMD], [
AC_ARG_WITH([systemdsystemunitdir],
	[AS_HELP_STRING([--with-systemdsystemunitdir=DIR],
		[where systemd finds units, "no" for none @<:@PREFIX/lib/systemd/system if
		there is systemd@:>@])],
	[], [PKG_CHECK_EXISTS([systemd], [with_systemdsystemunitdir=yes],
		[with_systemdsystemunitdir=no])])
AS_CASE([$with_systemdsystemunitdir],
	[yes], [systemdsystemunitdir='${prefix}/lib/systemd/system'],
	[no], [systemdsystemunitdir=],
	[systemdsystemunitdir=$with_systemdsystemunitdir])
AC_SUBST([systemdsystemunitdir])])

# IMALOG_INITRAMFS(NAME, PROGRAM, DEFAULT): where a program that makes initramfs images
# finds what others bring; NAMEdir is empty for nowhere
AC_DEFUN([IMALOG_INITRAMFS], [
AC_ARG_WITH([$1dir],
	[AS_HELP_STRING([--with-$1dir=DIR],
		[where $2 finds what others bring, "no" for none
		@<:@$3 if there is $2@:>@])],
	[$1dir=$withval],
	[AC_CHECK_PROG([$1dir], [$2], [yes], [no], [$PATH:/usr/sbin:/sbin])])
AS_CASE([$$1dir],
	[yes], [$1dir='$3'],
	[no], [$1dir=])])
