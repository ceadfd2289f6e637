#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tour: starts a daemon of its own in a temporary directory, lets ordinary
# Xenstore clients work with it, and says what happens. The clients are the
# distribution's, not ours; they cannot tell that it is another daemon.
# Nothing outside the temporary directory is touched.

set -eu
cd "$(dirname "$0")/.."
top=$PWD

dir=$(mktemp -d "${TMPDIR:-/tmp}/xenstored-run.XXXXXX")
started=

# shellcheck disable=SC2317 # called by the trap
clean_up()
{
	for pid in $started; do
		kill "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

fail()
{
	echo "run: $*" >&2
	if [ -s "$dir/log" ]; then
		echo "run: messages of the daemon:" >&2
		sed 's/^/run:   /' "$dir/log" >&2
	fi
	exit 1
}

say()
{
	printf '\n* %s\n' "$*"
}

# Shows a command and runs it.
show()
{
	printf '    $ %s\n' "$*"
	"$@" >"$dir/out" 2>&1 || fail "$* failed: $(cat "$dir/out")"
	sed 's/^/    /' "$dir/out"
}

# Waits until a file has at least so many lines.
await()
{
	tries=0
	while [ "$(wc -l <"$1")" -lt "$2" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "$1 has not grown to $2 lines"
		sleep 0.1
	done
}

PEER_CLIENTS=
eval "$(sh tests/deps.sh --print-env)"
if [ -n "$PEER_CLIENTS" ] && [ -n "$PEER_LIBS" ]; then
	PATH=$PEER_CLIENTS:$PATH
	LD_LIBRARY_PATH=$PEER_LIBS
	export LD_LIBRARY_PATH
fi
for client in write read ls chmod watch rm; do
	command -v xenstore-$client >/dev/null || fail "no xenstore-$client here; try: make deps"
done
[ -x build/xenstored ] || fail "build/xenstored is not built; try: make"

echo "The Xen store is a small tree of nodes through which the domains of a host and their"
echo "tools exchange configuration and state. This tour shows one on this machine, without Xen."

say "A daemon starts, with its socket in a temporary directory and no domains to look after."
printf '    $ xenstored --no-fork --domstate none --rundir %s &\n' "$dir"
env -u LD_LIBRARY_PATH -u XENSTORED_PATH -u NOTIFY_SOCKET "$top/build/xenstored" --no-fork \
	--domstate none --rundir "$dir" 2>"$dir/log" &
started=$!
unset XENSTORED_PATH
export XENSTORED_RUNDIR="$dir" XENSTORED_PATH="$dir/socket"
tries=0
until xenstore-read -s /tool/xenstored >/dev/null 2>&1; do
	kill -0 "$started" 2>/dev/null || fail "the daemon has ended"
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || fail "the daemon does not answer"
	sleep 0.1
done

say "Whoever watches a path is told of every change at it and below."
printf '    $ xenstore-watch /local/domain/1 &\n'
: >"$dir/events"
xenstore-watch /local/domain/1 >>"$dir/events" 2>&1 &
started="$started $!"
await "$dir/events" 1

say "A toolstack writes what a new guest has to know. Missing parents are made."
show xenstore-write /local/domain/1/name guest /local/domain/1/device/vif/0/mac 00:16:3e:00:00:01
show xenstore-read /local/domain/1/device/vif/0/mac

say "Nodes have an owner, here domain 0, and a letter for what everybody else may do: read."
show xenstore-chmod /local/domain/1/name r0
show xenstore-ls -p /local

say "The guest's device goes away, with all that is below it."
show xenstore-rm /local/domain/1/device

say "The watch has seen it all, the first line being its own registration."
await "$dir/events" 5
sed 's/^/    /' "$dir/events"

say "Two transactions that depend on each other: the one that ends later has to try again."
/usr/bin/python3 - <<'END' >"$dir/out" 2>&1 || fail "transactions: $(cat "$dir/out")"
from tests.lib.xswire import Client, XsError

one, two = Client(), Client()
one.write("/counter", b"1")
first, second = one.transaction_start(), two.transaction_start()
for name, client, tx in (("first", one, first), ("second", two, second)):
    value = client.read("/counter", tx)
    client.write("/counter", str(int(value) + 1), tx)
    print(f"the {name} reads {value.decode()} and writes {int(value) + 1}")
one.transaction_end(first)
print("the first ends: committed")
try:
    two.transaction_end(second)
    raise SystemExit("the second was committed as well")
except XsError as error:
    print(f"the second ends: {error.name}")

print()
first, second = one.transaction_start(), two.transaction_start()
one.write("/a", b"", first)
two.write("/b", b"", second)
print("two others make /a and /b, different children of one directory")
one.transaction_end(first)
two.transaction_end(second)
print("both end: committed, for neither depends on what the other one did")
END
sed 's/^/    /' "$dir/out"

say "The administrator asks what is allowed, and for a check of the accounts."
show build/xenstore-control quota
show build/xenstore-control check

say "The end: the store goes with its daemon, and the directory is removed."
for pid in $started; do
	kill "$pid" 2>/dev/null || fail "process $pid has ended before"
	wait "$pid" 2>/dev/null || :
done
started=
echo
echo "That was it. Next: README.md, docs/architecture.md, and make check."
