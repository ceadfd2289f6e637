#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the stand-in for Xen that other xenstoreds are run on.
cd "$(dirname "$0")/../.." && mkdir -p build/tests/peers
exec ${CC:-gcc} -std=c11 -O2 -g -Wall -Wextra -Wshadow -Wconversion -Werror -fPIC -shared \
	-Wl,-soname,xen-standin.so -o build/tests/peers/xen-standin.so tests/peers/xen-standin.c -ldl
