#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The stub domain's file: small, with the entry that the hypervisor looks for, at its place; and the
# layer below the C library, which must not need that library.

set -eu
image=${1:-build/xenstored-stubdom}
objects=${2:-build/obj/stubdom/xenstored/stubdom/ring0}

fail()
{
	echo "check-image: $*" >&2
	exit 1
}

size=$(stat -c %s "$image")
[ "$size" -lt 2097152 ] || fail "$image has $size bytes, which is 2 MB or more"
readelf -nW "$image" | grep -q '^ *Xen  *0x00000004.*0x00000012' || fail "no PVH entry in $image"
readelf -hW "$image" | grep -q 'Type: *EXEC' || fail "$image is not linked to a fixed place"
lowest=$(readelf -lW "$image" | awk '$1 == "LOAD" { print $4 }' | sort | head -n 1)
[ "$lowest" = 0x0000000000400000 ] || fail "$image begins at $lowest"

# Whatever the layer's objects do not define themselves, these alone may be missing.
nm -g "$objects"/*.o | awk '
	$1 == "U" { wanted[$2] = 1 }
	NF == 3 { have[$3] = 1 }
	END {
		split("_start _end etext __executable_start __ehdr_start", known)
		for (i in known)
			have[known[i]] = 1
		for (name in wanted)
			if (!(name in have)) {
				print "the ring-0 layer needs " name
				bad = 1
			}
		exit bad
	}' || fail "the layer below the C library must not need it"
