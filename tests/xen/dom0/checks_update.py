# SPDX-License-Identifier: GPL-2.0-or-later
"""Live update: another program takes the daemon's place, and those who are served do not notice.

Each check puts the same things in place first: clients of the socket and of dom0's kernel with
watches, guests, and a picture of the whole store; and looks at them again when it has happened.
"""

import os
import threading
import time

from checks_guests import Lives
from framework import check, equal, wait_until
from guests import Guest, linux
from host import PID_FILE, RingClient, command

HERE = "/sbin/xenstored"
NEXT = "/sbin/xenstored-next"
# In the machine in which the distribution's daemon is /sbin/xenstored.
OURS = "/ours/xenstored"
DISTRIBUTION = "/sbin/xenstored"


def copy(source, target, mode):
    if os.path.exists(target):
        os.unlink(target)  # it may be running
    with open(source, "rb") as old, open(target, "wb") as new:
        new.write(old.read())
    os.chmod(target, mode)


def program(host):
    return os.readlink(f"/proc/{host.pid}/exe")


def children(host):
    with open(f"/proc/{host.pid}/task/{host.pid}/children") as stream:
        return stream.read().split()


def live_update(*words, ok=True):
    return command("xenstore-control", "live-update", *words, ok=ok, timeout=50)


def update(host, *words):
    """An update that must succeed, in the same process."""
    live_update(*words)
    assert not host.gone(), host.gone()
    equal(program(host), words[-1], "the program that runs")
    equal(int(open(PID_FILE).read()), host.pid, "the pid file")
    wait_until(lambda: not children(host), "no process is left over", 20)


def picture(client, path="/", without=()):
    """All nodes with values and permissions, in the order of listing."""
    nodes = [(path, client.read(path), client.get_perms(path))]
    for name in client.ls(path):
        below = f"{path.rstrip('/')}/{name}"
        if not below.startswith(tuple(without)):
            nodes += picture(client, below, without)
    return nodes


class Pinging(threading.Thread):
    """Pings a guest all the time, by a client of its own, and counts the answers."""

    def __init__(self, host, guest, pause=0):
        super().__init__(daemon=True)
        self.pause = pause  # seconds, between two pings
        self.client = host.new_client()
        self.home = guest.home
        self.answers = 0
        self.error = None
        self.stopped = False

    def __enter__(self):
        self.client.watch(f"{self.home}/data/pong", "pong")
        self.start()
        self.more()
        return self

    def __exit__(self, *exc):
        self.stopped = True
        self.join(30)
        self.client.close()

    def run(self):
        try:
            while not self.stopped:
                value = f"ping {self.answers}".encode()
                self.client.write(f"{self.home}/data/ping", value)
                self.client.wait_event()
                equal(self.client.read(f"{self.home}/data/pong"), value)
                self.answers += 1
                time.sleep(self.pause)
        except Exception as error:  # reported by more()
            self.error = error

    def more(self):
        """Waits until some were answered that were not yet; returns the count of all."""
        before = self.answers
        wait_until(lambda: self.error or self.answers >= before + 3, "answers to pings")
        if self.error:
            raise AssertionError(f"pings ended with {self.error!r} after {self.answers}")
        return self.answers


class Served:
    """Those whom the daemon serves, and that they go on as if nothing had happened."""

    def __init__(self, host, guests=()):
        self.host = host
        self.guests = guests
        self.round = 0
        self.rings = host.mapped_rings()
        self.other = host.new_client()
        self.ring = RingClient()
        host.client.write("/update/node", b"before")
        host.client.write("/update/perms", b"\0\xff")
        host.client.set_perms("/update/perms", ["n0", "r5", "w7"])
        self.other.watch("/update", "by the socket")
        self.ring.watch("/update", "by the ring")
        self.busy = ["/update"] + [f"/local/domain/{name}/data"
                                   for name in host.client.ls("/local/domain")]
        self.before = picture(host.client, without=self.busy)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.other.close()
        self.ring.close()
        self.host.client.rm("/update")

    def check(self):
        host = self.host
        self.round += 1
        value = b"round %d" % self.round
        equal(picture(host.client, without=self.busy), self.before, "the store")
        equal(host.client.get_perms("/update/perms"), ["n0", "r5", "w7"])
        equal(host.client.read("/update/perms"), b"\0\xff")
        # A watch does not fire for the update itself: the first event is that of this write.
        host.client.write("/update/node", value)
        for client, token in (self.other, "by the socket"), (self.ring, "by the ring"):
            equal(client.wait_event(), ("/update/node", token))
            equal(client.read("/update/node"), value)
            equal(client.drain_events(), [], "further events")
        self.ring.write("/update/by-ring", value)
        equal(host.client.read("/update/by-ring"), value)
        equal(self.other.wait_event(), ("/update/by-ring", "by the socket"))
        equal(self.ring.wait_event(), ("/update/by-ring", "by the ring"))
        for guest in self.guests:
            assert host.client.is_introduced(guest.domid)
            guest.ping(f"{guest.name} {self.round}")
        equal(host.mapped_rings(), self.rings, "mapped rings")
        with host.new_client() as newcomer:
            equal(newcomer.read("/update/node"), value)


@check("live update: everybody is served on while a guest pings, and after another one too",
       ours=True, deadline=140)
def to_itself(host):
    copy(HERE, NEXT, 0o755)
    with Guest(host, "tiny") as tiny, Guest(host, "pinged") as pinged:
        for guest in tiny, pinged:
            guest.wait_hello()
        with Served(host, [tiny]) as served, Pinging(host, pinged) as pings:
            for file in NEXT, HERE:
                update(host, file)
                pings.more()
                served.check()
    equal(host.open_files(), host.files_at_start, "open files")


@check("live update: open transactions go on, of the socket and of the kernel's ring", ours=True,
       deadline=140)
def transactions(host):
    copy(HERE, NEXT, 0o755)
    names = ["conflict", "fine", "ring", "removed"]
    for name in names:
        host.client.write(f"/update/{name}", b"old")
    ring = RingClient()
    clients = {"conflict": host.client, "fine": host.client, "ring": ring, "removed": ring}
    open_ones = {name: clients[name].transaction_start() for name in names}
    for name in "conflict", "fine", "ring":
        equal(clients[name].read(f"/update/{name}", open_ones[name]), b"old")
        clients[name].write(f"/update/{name}/new", b"1", open_ones[name])
    ring.rm("/update/removed", open_ones["removed"])
    for file in NEXT, HERE:
        update(host, file)
        for name in "conflict", "fine", "ring":
            equal(clients[name].read(f"/update/{name}/new", open_ones[name]), b"1")
            assert not host.client.exists(f"/update/{name}/new"), "it is not isolated"
        assert not ring.exists("/update/removed", open_ones["removed"])
        assert host.client.exists("/update/removed")
    host.client.write("/update/conflict", b"changed")
    equal({name: clients[name].commit(open_ones[name]) for name in names},
          {"conflict": False, "fine": True, "ring": True, "removed": True}, "commits")
    assert not host.client.exists("/update/removed")
    for name in "fine", "ring":
        equal(host.client.read(f"/update/{name}/new"), b"1")
    ring.close()
    host.client.rm("/update")


@check("live update: the end of a guest is told once, whenever it ends, and a new one is served",
       ours=True, deadline=140)
def ends(host):
    with Guest(host, "first") as first, Guest(host, "second") as second:
        for guest in first, second:
            guest.wait_hello()
        with Lives(host) as lives:
            update(host, HERE)
            lives.expect(0, 0)
            first.destroy()
            lives.expect(0, 1)
            with Guest(host, "third") as third:
                equal(third.wait_hello(), str(third.domid))
                lives.expect(1, 0)
                update(host, HERE)
                third.ping("third")
                second.ping("second")
                command("xl", "shutdown", "second")
                second.wait_gone()
                lives.expect(0, 2)
            lives.expect(0, 1)
        for guest in first, second, third:
            assert not host.client.is_introduced(guest.domid)


@check("live update: a new program that cannot start is replaced by the old one, which says so",
       ours=True, deadline=140)
def guarded(host):
    with Guest(host, "tiny") as guest:
        guest.wait_hello()
        with Served(host, [guest]) as served, Lives(host) as lives:
            # A trial of the state goes well; the real start ends at this file.
            ran = live_update("-c", "--pid-file /no/such/directory/pid", HERE, ok=False)
            equal(ran.status, 3, ran.output)
            assert "the old one goes on" in ran.output, ran.output
            before, host.pid = host.pid, int(open(PID_FILE).read())
            assert host.pid != before and not host.gone(), (before, host.pid)
            wait_until(lambda: not os.path.exists(f"/proc/{before}"), "the end of the new program")
            served.check()
            update(host, HERE)
            served.check()
            guest.destroy()
            lives.expect(0, 1)
    equal(host.open_files(), host.files_at_start, "open files")


@check("live update: a file that is missing, not executable or no program changes nothing",
       ours=True, deadline=140)
def refused(host):
    copy(HERE, "/tmp/not-executable", 0o644)
    copy("/init", "/tmp/script", 0o755)
    with Guest(host, "tiny") as guest:
        guest.wait_hello()
        with Served(host, [guest]) as served:
            for file, reason in (("/tmp/missing", "File not accessible."),
                                 ("/tmp/not-executable", "File not executable."),
                                 ("/tmp/script", "File is no program for this machine.")):
                ran = live_update(file, ok=False)
                equal(ran.status, 3, file)
                assert reason in ran.output, (file, ran.output)
                assert not host.gone(), file
                equal(program(host), HERE, file)
                served.check()
            update(host, HERE)
            served.check()
    equal(host.open_files(), host.files_at_start, "open files")


@check("live update: a PV Linux guest writes all the time and misses nothing", ours=True,
       linux=True, deadline=240)
def linux_writes(host):
    copy(HERE, NEXT, 0o755)
    with linux(host, "linux-busy", "pv") as guest:
        guest.wait_hello(120)

        def count():
            return int(guest.read("data/count") or 0)

        def more():
            before = count()
            wait_until(lambda: count() >= before + 3, "writes of the guest", 60)
            equal(guest.read("data/failed"), None)

        host.client.write(f"{guest.home}/data/counting", b"")
        guest.ping("count")
        more()
        for file in NEXT, HERE:
            before = count()
            update(host, file)
            assert count() >= before
            more()
            guest.ping(f"after {file}")
        host.client.rm(f"{guest.home}/data/counting")
        with Lives(host) as lives:
            command("xl", "shutdown", guest.name)
            guest.wait_gone(60)
            lives.expect(0, 2)


@check("take-over: a guest and the clients of the distribution's xenstored are served on by ours, "
       "then by the distribution's, and by ours again", boot="take-over", deadline=140)
def take_over(host):
    versions = ["-v", "1"] if host.version < (4, 21) else []
    with Guest(host, "tiny") as tiny, Guest(host, "pinged") as pinged:
        for guest in tiny, pinged:
            guest.wait_hello()
        with Served(host, [tiny]) as served, Pinging(host, pinged) as pings:
            for words in [OURS], [*versions, DISTRIBUTION], [OURS]:
                update(host, *words)
                assert not os.path.exists("/run/xenstored/state_dump"), words
                pings.more()
                served.check()
    equal(host.client.ls("/local/domain"), ["0"])
    assert "could not be restored" not in host.log.text(), host.log.text()
    command("xenstore-control", "check")


@check("take-over: guests that one has introduced end with the other, and that is told",
       boot="take-over", deadline=140)
def take_over_ends(host):
    versions = ["-v", "1"] if host.version < (4, 21) else []
    for words in [*versions, DISTRIBUTION], [OURS]:
        with Guest(host, "tiny") as guest, Lives(host) as lives:
            guest.wait_hello()
            update(host, *words)
            guest.destroy()
            lives.expect(0, 1)
            with Guest(host, "next") as other:
                equal(other.wait_hello(), str(other.domid))
                lives.expect(1, 0)
                command("xl", "shutdown", "next")
                other.wait_gone()
                lives.expect(0, 2)
    equal(host.client.ls("/local/domain"), ["0"])
    equal(host.mapped_rings(), 0, "mapped rings")
