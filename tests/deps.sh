#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the build and its tests need from Debian, in two lists. The first is
# installed. The second is only downloaded and unpacked into the user's cache:
# these packages hold other xenstoreds and their tools, which the tests run as
# peers, and installing them would turn this machine into a half-made dom0 (init
# scripts, udev, diversions). Unpacked they are just files.
#
# The work is safe to repeat and to interrupt: a package counts as fetched only
# when the file "versions" names it, and that file is written last, by a rename.
# A package that can no longer be had is written to the file "missing" with the
# reason; tests that need it are skipped and counted.

set -eu

# Debian's gcc brings libasan and libubsan of its own version with it.
INSTALLED="gcc make libc6-dev pkg-config libtalloc-dev libbsd-dev libcmocka-dev libxen-dev \
python3 python3-pytest python3-pyxs systemd xenstore-utils"

EXTRACTED="xen-utils-4.17 libxenmisc4.17 libxencall1 libxendevicemodel1 libxenevtchn1 \
libxenforeignmemory1 libxengnttab1 libxenhypfs1 libxenstore4 libxentoolcore1 \
libxentoollog1 libyajl2 xenstore-utils"

# The same two lists for booting a real Xen, fetched into a tree of its own and
# only when that is asked for: the kernel alone is 70 MB.
XEN_INSTALLED="qemu-system-x86 binutils"
XEN_EXTRACTED="xen-hypervisor-4.17-amd64 busybox-static"

# What draws the plots of the benchmarks.
PLOTS_INSTALLED="gnuplot-nox"

# A package that was not to be had is asked for again after this time.
RETRY_MINUTES=60

usage()
{
	cat <<-END
	usage: deps.sh [--check | --fetch | --xen | --plots | --print-env]
	  (no option)   install what is missing (as root), then fetch what is extracted
	  --xen         the same, and then what boots a real Xen
	  --plots       the same without what is extracted, and what draws plots
	  --check       only name the packages that are not installed; exit 1 if there are any
	  --fetch       only fetch and extract, install nothing
	  --print-env   print shell assignments with the paths of what was extracted
	Everything fetched is below $cache; removing that directory
	starts afresh.
	END
}

say()
{
	echo "deps: $*"
}

fail()
{
	echo "deps: $*" >&2
	exit 1
}

# Names those of the given packages that dpkg does not hold as installed.
not_installed()
{
	# dpkg-query fails when it knows nothing of one of them; the others are still listed.
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		sed -n 's/^installed //p' >"$scratch/have" || :
	for package; do
		grep -qx "$package" "$scratch/have" || echo "$package"
	done
}

install_missing()
{
	missing=$(not_installed "$@" | tr '\n' ' ')
	missing=${missing% }
	[ -n "$missing" ] || return 0

	command="apt-get install -y --no-install-recommends $missing"
	if [ -e /proc/xen/capabilities ]; then
		fail "this is a Xen host; nothing is installed here. Missing: $missing"
	fi
	if [ "$(id -u)" -ne 0 ]; then
		fail "missing packages: $missing (as root: $command)"
	fi

	export DEBIAN_FRONTEND=noninteractive
	if ! apt-get -s install --no-install-recommends $missing >/dev/null 2>&1; then
		say "apt-get update"
		apt-get -q update
	fi
	say "$command"
	$command || {
		# The lists may be older than the archive: files they name are gone from it.
		say "apt-get update"
		apt-get -q update
		say "$command"
		$command
	}
}

# Is this package in the list of what was fetched, with its files in place?
is_fetched()
{
	[ -d "$cache/root" ] && grep -q "^$1 " "$cache/versions" 2>/dev/null
}

# Was this package asked for a short time ago and not to be had?
is_given_up()
{
	[ -n "$(find "$cache/missing" -mmin "-$RETRY_MINUTES" 2>/dev/null)" ] &&
		grep -q "^$1: " "$cache/missing"
}

# Downloads one package into $scratch/new; apt-get itself checks size and hash.
download()
{
	mkdir -p "$scratch/new/$1"
	(
		cd "$scratch/new/$1"
		apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=1 \
			-o Acquire::http::Timeout=20 download "$1"
	) >"$scratch/log" 2>&1 &&
		dpkg-deb -f "$scratch/new/$1"/*.deb Package >/dev/null 2>>"$scratch/log"
}

reason()
{
	sed -n 's/^E: //p' "$scratch/log" | head -n 1 | grep . || echo "apt-get download failed"
}

fetch_extracted()
{
	wanted=
	for package in $EXTRACTED; do
		is_fetched "$package" || is_given_up "$package" || wanted="$wanted $package"
	done
	[ -n "$wanted" ] || return 0

	mkdir -p "$cache/debs"
	exec 9>"$cache/lock"
	flock 9

	say "apt-get download$wanted (into $cache, nothing is installed)"
	updated=
	: >"$scratch/missing"
	for package in $wanted; do
		if ! download "$package" && [ -z "$updated" ] && [ "$(id -u)" -eq 0 ]; then
			# Once: the lists may be absent or older than the archive.
			updated=yes
			rm -rf "$scratch/new/$package"
			say "apt-get update"
			apt-get -q update >/dev/null 2>&1 || :
			download "$package" || :
		fi
		if dpkg-deb -f "$scratch/new/$package"/*.deb Package >/dev/null 2>&1; then
			rm -f "$cache/debs/${package}_"*.deb
			mv "$scratch/new/$package"/*.deb "$cache/debs/"
		else
			echo "$package: $(reason)" >>"$scratch/missing"
		fi
	done

	# Unpack all of them beside the old tree, then exchange the two.
	: >"$scratch/versions"
	rm -rf "$cache/root.new" "$cache/root.old"
	mkdir "$cache/root.new"
	for package in $EXTRACTED; do
		for file in "$cache/debs/${package}_"*.deb; do
			[ -e "$file" ] || continue
			if dpkg-deb -x "$file" "$cache/root.new" 2>"$scratch/log"; then
				echo "$package $(dpkg-deb -f "$file" Version)" >>"$scratch/versions"
			else
				rm -f "$file"
				echo "$package: cannot be unpacked" >>"$scratch/missing"
			fi
		done
		is_given_up "$package" && ! grep -q "^$package: " "$scratch/missing" &&
			sed -n "/^$package: /p" "$cache/missing" >>"$scratch/missing"
	done
	[ ! -e "$cache/root" ] || mv "$cache/root" "$cache/root.old"
	mv "$cache/root.new" "$cache/root"
	rm -rf "$cache/root.old"
	mv "$scratch/missing" "$cache/missing"
	mv "$scratch/versions" "$cache/versions"

	say "extracted: $(wc -l <"$cache/versions") packages"
	if [ -s "$cache/missing" ]; then
		say "not to be had (tests that need them are skipped):"
		sed 's/^/deps:   /' "$cache/missing"
	else
		rm -f "$cache/missing"
	fi
}

# The kernel's package carries its version in its name; one that is there already will do.
kernel_package()
{
	sed -n 's/^\(linux-image-[0-9][^ ]*\) .*/\1/p' "$cache/versions" 2>/dev/null | grep . && return
	name()
	{
		apt-cache depends linux-image-amd64 2>/dev/null |
			sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*-amd64\)$/\1/p' | head -n 1
	}
	name | grep . && return
	[ "$(id -u)" -eq 0 ] && apt-get -q update >/dev/null 2>&1
	name | grep . || echo linux-image-amd64
}

fetch_xen()
{
	cache=$cache/xen
	mkdir -p "$cache"
	EXTRACTED="$XEN_EXTRACTED $(kernel_package)"
	fetch_extracted
}

print_path()
{
	if [ -e "$2" ]; then
		echo "$1='$2'"
	else
		echo "$1="
	fi
}

print_env()
{
	root=$cache/root
	bin=$root/usr/lib/xen-4.17/bin
	print_path PEER_ROOT "$root"
	print_path PEER_VERSIONS "$cache/versions"
	print_path PEER_MISSING "$cache/missing"
	print_path PEER_LIBS "$root/usr/lib/$(gcc -print-multiarch 2>/dev/null || uname -m)"
	print_path PEER_CLIENTS "$root/usr/bin"
	print_path DEBIAN_XENSTORED "$bin/xenstored"
	print_path DEBIAN_OXENSTORED "$bin/oxenstored"
	print_path DEBIAN_XENSTORE_CONTROL "$bin/xenstore-control"
	print_path TEST_XENSTORE "$bin/test-xenstore"
	print_path XEN_ROOT "$cache/xen/root"
}

: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/xenstored-tests

case ${1-} in
--print-env)
	print_env
	exit 0
	;;
-h | --help)
	usage
	exit 0
	;;
esac

# Beside the cache, so that what is moved into it is moved by a rename.
mkdir -p "$cache"
scratch=$(mktemp -d "$cache/scratch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

case ${1-} in
--check)
	missing=$(not_installed $INSTALLED | tr '\n' ' ')
	[ -z "$missing" ] || fail "missing packages: ${missing% }"
	;;
--fetch)
	fetch_extracted
	;;
'')
	install_missing $INSTALLED
	fetch_extracted
	;;
--plots)
	install_missing $INSTALLED $PLOTS_INSTALLED
	;;
--xen)
	install_missing $INSTALLED $XEN_INSTALLED
	fetch_extracted
	fetch_xen
	;;
*)
	usage >&2
	exit 2
	;;
esac
