#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The mechanism must run where there is no operating system: built as freestanding code, all of it
# together may need nothing but memcpy() and its like, and may have no variables of its own. (Not as
# position-independent code, which has constants with addresses in them among the variables.)
#
#   check-freestanding.sh [COMPILER]        in the root of the tree; exit status 1 and a list if not

set -eu

compiler=${1:-${CC:-gcc}}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for level in -O0 -O2; do
	rm -f "$scratch"/*
	for source in hypervisor/*.c; do
		case $source in
		*/test-*) continue ;;
		esac
		object=$scratch/$(basename "$source" .c).o
		$compiler -std=c11 -ffreestanding -nostdlib -fno-stack-protector -fno-pie $level -I. \
			-Wall -Wextra -Wshadow -Wconversion -Werror -c -o "$object" "$source"
	done
	ld -r -o "$scratch/mechanism" "$scratch"/*.o
	missing=$(nm -u "$scratch/mechanism" |
		awk '$2 !~ /^(memcpy|memset|memmove|memcmp)$/ { print $2 }')
	variables=$(nm "$scratch/mechanism" | awk '$2 ~ /^[bBdDcC]$/ { print $3 }')
	if [ -n "$missing$variables" ]; then
		echo "needs: ${missing:-nothing}; variables: ${variables:-none} ($level)" >&2
		exit 1
	fi
done
