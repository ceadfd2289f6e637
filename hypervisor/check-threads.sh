#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Several CPUs restore a machine at the same time: the tests that do so, with
# ThreadSanitizer.
#
#   check-threads.sh [COMPILER]		in the root of the tree; exit status 0 if nothing is found

set -eu

compiler=${1:-${CC:-gcc}}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

flags="-std=gnu11 -O1 -g -fsanitize=thread -D_GNU_SOURCE -I."
for source in hypervisor/*.c; do
	case $source in
	*/test-*) continue ;;
	esac
	echo "$source"
done | xargs -P "$(nproc)" -n 8 sh -c '
	directory=$1 compiler=$2 flags=$3
	shift 3
	for source; do
		$compiler $flags -c -o "$directory/$(basename "$source" .c).o" "$source" || exit 255
	done' sh "$scratch" "$compiler" "$flags"
for test in update restore-shared stream-fuzz; do
	$compiler $flags -o "$scratch/$test" "hypervisor/test-$test.c" "$scratch"/*.o -lcmocka
	TSAN_OPTIONS=halt_on_error=1 "$scratch/$test"
done
