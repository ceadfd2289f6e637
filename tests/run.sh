#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A tour: starts a simulated Xen host and a daemon of its own in a temporary
# directory, lets ordinary Xenstore clients work in domain 0 and in guests, and
# says what happens. The clients are the distribution's, not ours; they cannot
# tell that it is another daemon, nor that there is no Xen. Whatever is shown is
# also checked: the tour succeeds only if all of it was true. Nothing outside the
# temporary directory is touched.

set -eu
cd "$(dirname "$0")/.."
top=$PWD

dir=$(mktemp -d "${TMPDIR:-/tmp}/xs-run.XXXXXX")
started=
host=

clean_up()
{
	trap '' HUP INT TERM
	for pid in $started; do
		kill "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	[ -z "$host" ] || simxen stop >/dev/null 2>&1 || :
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

# The simulated host has its own libraries; those of the clients are not for it.
simxen()
{
	"$top/build/simxen" "$@"
}

# Shows a command and runs it; what it prints is in the file "out" as well.
show()
{
	printf '    $ %s\n' "$*"
	"$@" >"$dir/out" 2>&1 || fail "$* failed: $(cat "$dir/out")"
	sed 's/^/    /' "$dir/out"
}

# The same for a command that has to be refused.
refused()
{
	printf '    $ %s\n' "$*"
	if "$@" >"$dir/out" 2>&1; then
		fail "$* was not refused: $(cat "$dir/out")"
	fi
	sed 's/^/    /' "$dir/out"
}

# Checks that what was shown last is, or has, this line.
is()
{
	[ "$(cat "$dir/out")" = "$1" ] || fail "that should have been: $1"
}

has()
{
	grep -q -- "$1" "$dir/out" || fail "there should have been: $1"
}

# Waits until a file has at least so many lines.
await()
{
	tries=0
	while [ "$(wc -l <"$1")" -lt "$2" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 200 ] || fail "$1 has not grown to $2 lines"
		sleep 0.05
	done
}

# Starts a watching client, in the background; its output goes to a file.
watching()
{
	file=$1
	shift
	printf '    $ %s &\n' "$*"
	: >"$file"
	"$@" >>"$file" 2>&1 &
	started="$started $!"
	await "$file" 1
}

# The unique id of a domain.
unique_id()
{
	simxen list | awk -v domid="$1" '$1 == domid { print $3 }'
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
for program in xenstored xenstore-control simxen; do
	[ -x "build/$program" ] || fail "build/$program is not built; try: make"
done
unset XENSTORED_PATH XENSTORED_ROOTDIR NOTIFY_SOCKET

echo "The Xen store is a small tree of nodes through which the domains of a host and their"
echo "tools exchange configuration and state. This tour shows one on a simulated host."

say "A host starts: domain 0 and a hypervisor, as far as a store needs them."
export SIMXEN_DIR="$dir/host" XENSTORED_RUNDIR="$dir/run"
mkdir "$dir/run"
host=yes
show simxen start
show simxen list
has Domain-0

say "The daemon starts in domain 0. It finds rings, event channels and grants as on any host."
cp build/xenstored "$dir/old-xenstored"
printf '    $ simxen exec -- xenstored --no-fork &\n'
env -u LD_LIBRARY_PATH build/simxen exec --rundir "$dir/run" -- "$dir/old-xenstored" --no-fork \
	--rundir "$dir/run" 2>"$dir/log" &
daemon=$!
started="$daemon"
export XENSTORED_PATH="$dir/run/socket"
tries=0
until xenstore-read -s /tool/xenstored >/dev/null 2>&1; do
	kill -0 "$daemon" 2>/dev/null || fail "the daemon has ended"
	tries=$((tries + 1))
	[ "$tries" -lt 200 ] || fail "the daemon does not answer"
	sleep 0.05
done

say "A toolstack creates two domains: it makes their nodes and introduces them to the store."
watching "$dir/introduced" xenstore-watch @introduceDomain
show simxen create --name web 1
show simxen create --name database 2
await "$dir/introduced" 3
show simxen list
has ' web$'
has ' database$'

say "A guest talks through its ring; a path without a slash is below its own directory."
show simxen guest 1 -- xenstore-read name domid
is "$(printf 'web\n1')"

say "Domain 0 watches what the guest writes; the first line is the watch's own registration."
watching "$dir/events" xenstore-watch /local/domain/1/data
show simxen guest 1 -- xenstore-write data/address 192.0.2.7
await "$dir/events" 2
show cat "$dir/events"
has '^/local/domain/1/data/address$'
show xenstore-read /local/domain/1/data/address
is 192.0.2.7

say "The other way round: the guest watches a node through which domain 0 gives it orders."
watching "$dir/orders" simxen guest 1 -- xenstore-watch -n 2 control/shutdown
show xenstore-write /local/domain/1/control/shutdown suspend
await "$dir/orders" 2
show cat "$dir/orders"
is "$(printf 'control/shutdown\ncontrol/shutdown')"

say "Nodes have an owner and a list of who else may do what. Guest 2 may not read guest 1's ..."
show xenstore-ls -p /local/domain/1/data
has '(n1)$'
refused simxen guest 2 -- xenstore-read /local/domain/1/data/address
refused simxen guest 2 -- xenstore-write /local/domain/1/data/address spoofed
show xenstore-read /local/domain/1/data/address
is 192.0.2.7

say "... but what it may be shown, it is shown: guest 2 lets guest 1 read one node."
show simxen guest 2 -- xenstore-write data/shared secret
show simxen guest 2 -- xenstore-chmod data/shared n2 r1
show simxen guest 1 -- xenstore-read /local/domain/2/data/shared
is secret

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
    if error.name != "EAGAIN" or one.read("/counter") != b"2":
        raise
    print(f"the second ends: {error.name}")
first, second = one.transaction_start(), two.transaction_start()
one.write("/a", b"", first)
two.write("/b", b"", second)
one.transaction_end(first)
two.transaction_end(second)
if not (one.exists("/a") and one.exists("/b")):
    raise SystemExit("something was lost")
print("two others make /a and /b, different children of one directory: both are committed")
END
sed 's/^/    /' "$dir/out"

say "Domain 1 is killed. Who watches for deaths is told which domain has died. What it owned"
echo "  vanishes from the store at once; the toolstack removes what it made itself."
before=$(unique_id 1)
: >"$dir/deaths"
/usr/bin/python3 - <<'END' >>"$dir/deaths" 2>&1 &
from tests.lib.xswire import Client

client = Client()
client.watch("@releaseDomain", "all", depth=1)
print("watching @releaseDomain, one level deep", flush=True)
print("event:", client.wait_event(timeout=20).path, flush=True)
END
started="$started $!"
await "$dir/deaths" 1
show simxen destroy --bare 1
await "$dir/deaths" 2
show cat "$dir/deaths"
has '^event: @releaseDomain/1$'
refused xenstore-read /local/domain/1/data/address
show simxen list
! grep -q ' web$' "$dir/out" || fail "the domain lives"
show xenstore-rm /local/domain/1

say "Its domid is used again at once. The new domain has inherited nothing from the old one:"
show simxen create --name other 1
after=$(unique_id 1)
[ -n "$before" ] && [ -n "$after" ] && [ "$before" != "$after" ] ||
	fail "the unique ids are '$before' and '$after'"
echo "    (the hypervisor's unique id was $before, and is $after)"
show simxen guest 1 -- xenstore-read name
is other
refused simxen guest 1 -- xenstore-read data/address
refused simxen guest 1 -- xenstore-read /local/domain/2/data/shared
show simxen guest 2 -- xenstore-read data/shared
is secret

say "The administrator asks what is allowed, what a domain uses, and for a check of accounts."
show build/xenstore-control quota
has '^nodes  *: '
show build/xenstore-control quota 2
has '^Domain 2:$'
show build/xenstore-control check

say "The daemon is replaced by a new version while it serves: a live update. Meanwhile a client"
echo "  of domain 0 and one in guest 2 read without a pause, and a transaction is open."
cat >"$dir/reader.py" <<'END'
# Reads a node until its input ends; says what the longest time between two replies was.
import select, sys, time
from tests.lib.xswire import Client

client, path = Client(), sys.argv[1]
expected = client.read(path)
replies, gap, last = 0, 0.0, time.monotonic()
while not (replies % 20 == 0 and select.select([sys.stdin], [], [], 0)[0]):
    if client.read(path) != expected:
        sys.exit("another value was read")
    now = time.monotonic()
    gap, last, replies = max(gap, now - last), now, replies + 1
    if replies == 100:
        gap = 0.0
        print("reading", flush=True)
print(f"{replies} replies, the longest gap between two: {1000 * gap:.1f} ms")
END
cat >"$dir/readers.py" <<'END'
# Readers in domain 0 and in guest 2.
import subprocess, sys

def start(directory):
    python = ["/usr/bin/python3", directory + "/reader.py"]
    commands = {
        "domain 0": python + ["/local/domain/2/data/shared"],
        "guest 2": ["build/simxen", "guest", "2", "--"] + python + ["data/shared"],
    }
    running = {name: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True) for name, command in commands.items()}
    for name, reader in running.items():
        if reader.stdout.readline() != "reading\n":
            sys.exit(f"the reader in {name} does not read")
    return running

def end(running):
    for name, reader in running.items():
        said, _ = reader.communicate("", timeout=20)
        if reader.returncode:
            sys.exit(f"the reader in {name} has failed")
        print(f"the client in {name}: {said.strip()}")
END
cat >"$dir/update.py" <<'END'
import os, subprocess, sys, time
import readers
from tests.lib.xswire import Client

directory, program, daemon = sys.argv[1:]
client = Client()
client.watch("/local/domain/2/data", "kept")
transaction = client.transaction_start()
client.write("/made/in/a/transaction", b"before", transaction)
running = readers.start(directory)
print("$ xenstore-control live-update " + os.path.relpath(program))
done = subprocess.run(["build/xenstore-control", "live-update", program], timeout=60)
if done.returncode:
    sys.exit("the live update was refused")
time.sleep(0.3)
readers.end(running)
image = os.readlink(f"/proc/{daemon}/exe")
if image.removesuffix(" (deleted)") != program:
    sys.exit(f"the daemon's program is {image}")
print(f"process {daemon} is the same, its program is another file")
if client.exists("/made") or client.read("/made/in/a/transaction", transaction) != b"before":
    sys.exit("the transaction was not kept")
client.write("/made/in/a/transaction", b"after", transaction)
client.transaction_end(transaction)
if client.read("/made/in/a/transaction") != b"after":
    sys.exit("the transaction was lost")
print("the transaction that was open has been committed")
Client().write("/local/domain/2/data/new", b"")
if client.wait_event() != ("/local/domain/2/data/new", "kept"):
    sys.exit("the watch was lost")
print("a watch from before tells of what happens now")
END
PYTHONPATH=$top:$dir /usr/bin/python3 "$dir/update.py" "$dir" "$top/build/xenstored" "$daemon" \
	>"$dir/out" 2>&1 || fail "live update: $(cat "$dir/out")"
sed 's/^/    /' "$dir/out"
show xenstore-read /local/domain/1/name
is other
show build/xenstore-control check

say "The hypervisor is replaced, too, under the running daemon and its guests, by another program"
echo "  in the same process. Domain 3 is killed while that happens."
show simxen create --name victim --memory 100 3
cp build/simxen "$dir/new-simxen"
cat >"$dir/hypervisor.py" <<'END'
import re, subprocess, sys, time
import readers
from tests.lib.xswire import Client

directory, program = sys.argv[1:]

def ids():
    lines = subprocess.run(["build/simxen", "list"], check=True, capture_output=True, text=True)
    return {line.split()[0]: line.split()[2] for line in lines.stdout.splitlines()}

client, before = Client(), ids()
client.watch("@releaseDomain", "all", depth=1)
running = readers.start(directory)
print("$ simxen live-update --hash --xen new-simxen & simxen destroy --bare 3")
update = subprocess.Popen(["build/simxen", "live-update", "--hash", "--xen", program], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
kill = subprocess.Popen(["build/simxen", "destroy", "--bare", "3"])
said, _ = update.communicate(timeout=60)
print(said, end="")
if update.returncode or kill.wait(60) or "pause: " not in said:
    sys.exit("the update was refused, or the domain was not killed")
hashes = re.search(r"(\w+) before, (\w+) after", said).groups()
if hashes[0] != hashes[1]:
    sys.exit("the domains' memory is not the same")
time.sleep(0.3)
readers.end(running)
events = [event.path for event in client.drain_events()]
if events != ["@releaseDomain/3"]:
    sys.exit(f"the events were {events}")
print("event, once: " + events[0])
after = ids()
del before["3"]
if {domid: after.get(domid) for domid in before} != before or "3" in after:
    sys.exit(f"unique ids were {before} and are {after}")
print("the unique ids of the others are unchanged: " + " ".join(after.values()))
END
PYTHONPATH=$top:$dir /usr/bin/python3 "$dir/hypervisor.py" "$dir" "$dir/new-simxen" \
	>"$dir/out" 2>&1 || fail "live update of the hypervisor: $(cat "$dir/out")"
sed 's/^/    /' "$dir/out"
has '^pause: '
show simxen guest 2 -- xenstore-read data/shared
is secret
refused simxen live-update --xen build/xenstored
has 'it cannot take over'
show build/xenstore-control check

say "The end: the host goes with all its domains, and the directory is removed."
kill -0 "$daemon" 2>/dev/null || fail "the daemon has ended before"
show simxen stop
host=
echo
echo "That was it. Next: README.md, docs/architecture.md, and make check."
