#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds simxen and its libraries into build/.
set -e
cd "$(dirname "$0")/../.."
mkdir -p build/simxen-lib build/obj
CC="${CC:-gcc}"
FLAGS="-std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wconversion -Werror -fno-common -D_GNU_SOURCE -I."
libs=hypervisor/libs
out=build/simxen-lib

library() # name soname objects...
{
	name=$1 soname=$2
	shift 2
	$CC $FLAGS -fPIC -shared -Wl,-soname,$soname -Wl,--version-script=$libs/versions/$name.map \
		-Wl,-z,defs '-Wl,-rpath,$ORIGIN' -o $out/$soname.new "$@"
	mv $out/$soname.new $out/$soname
}

needed="-L$out -l:libsimxen.so.0"
library libsimxen libsimxen.so.0 $libs/client.c $libs/foreign.c $libs/mapping-table.c
library libxenevtchn libxenevtchn.so.1 $libs/xenevtchn.c $needed
library libxengnttab libxengnttab.so.1 $libs/xengnttab.c $libs/mapping-table.c $needed
library libxencall libxencall.so.1 $libs/xencall.c $needed
library libxenmanage libxenmanage.so.1 $libs/xenmanage.c $needed
library libxenctrl libxenctrl.so.4.17 $libs/xenctrl.c $libs/xenctrl-absent.c $needed
library libxenguest libxenguest.so.4.17 $libs/xenguest.c
$CC $FLAGS -fPIC -shared -Wl,-soname,simxen-preload.so -Wl,-z,defs '-Wl,-rpath,$ORIGIN' \
	-o $out/simxen-preload.so.new $libs/interposer.c $needed
mv $out/simxen-preload.so.new $out/simxen-preload.so

[ "$1" = libs ] && exit
sources=$(ls hypervisor/*.c hypervisor/host/*.c | grep -v /test-)
$CC $FLAGS $VARIANT_FLAGS -o build/simxen.new $sources $libs/client.c
mv build/simxen.new build/simxen
