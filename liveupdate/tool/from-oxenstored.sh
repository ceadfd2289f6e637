#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a running oxenstored is told to update itself to, so that its host comes over:
#
#     xenstore-control live-update /usr/local/lib/xenstored/from-oxenstored
#
# An oxenstored tries the new program with --help first, writes its state as text, and executes the
# program in its own place. Here the text becomes an image, and xenstored goes on with that, with the
# same process, sockets and event channels. If that cannot be, or if xenstored ends before it serves,
# the oxenstored is started again as its own successor. Of the oxenstored's options --pid-file goes
# on.
#
#     XENSTORED, XENSTORE_IMAGE   the programs, if they are not below the prefix of this one
#     XENSTORED_ARGS              options of xenstored
#     OXENSTORED                  the way back, if there is no oxenstored at the usual places
set -u
here=$(dirname "$(readlink -f "$0")")
rundir=${XENSTORED_RUNDIR:-/var/run/xenstored}
xenstored=${XENSTORED:-$here/../../sbin/xenstored}
convert=${XENSTORE_IMAGE:-$here/../../sbin/xenstore-image}

pid_file=
previous=
for argument; do
	if [ "$argument" = --help ]; then
		[ -x "$xenstored" ] && [ -x "$convert" ] && exec "$xenstored" --help
		echo "$0: no $xenstored or $convert" >&2
		exit 1
	fi
	[ "$previous" != --pid-file ] || pid_file=$argument
	previous=$argument
done

# The oxenstored as its own successor.
go_back()
{
	unset XENSTORED_SUCCEEDS
	for old in "${OXENSTORED:-}" /usr/sbin/oxenstored /usr/libexec/xen/bin/oxenstored \
			/usr/lib/xen-*/bin/oxenstored; do
		[ -x "$old" ] && exec "$old" "$@"
	done
	echo "$0: the state is in $rundir/db" >&2
	exit 1
}

# Holds all descriptors until xenstored serves, and removes the image then; or ends before.
guard()
{
	while [ -e "$rundir/state_dump" ]; do
		[ -e "/proc/$$/exe" ] || go_back "$@"
		sleep 0.1
	done
}

if "$convert" convert --to 4.22 -o "$rundir/state_dump" "$rundir/db"; then
	(guard "$@" &) # not our child, since xenstored expects none
	# Whoever asked for the update has been told to ask again.
	export XENSTORED_SUCCEEDS=oxenstored
	# shellcheck disable=SC2086 # several words
	exec "$xenstored" ${pid_file:+--pid-file "$pid_file"} ${XENSTORED_ARGS:-} -U
fi
rm -f "$rundir/state_dump"
go_back "$@"
