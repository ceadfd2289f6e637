# SPDX-License-Identifier: GPL-2.0-or-later
"""A running host goes over from Debian's xenstored to this one, and back, clients connected."""

import subprocess

import pytest

from tests.lib.daemon import binary
from tests.lib.xswire import Type, message, strings
from tests.peers import peer
from tests.update.live import DEADLINE, exec_time, tree
from tests.update.onhost import HostLive
from tests.update.takeover import Takeover

REASON = peer.unavailable("debian-c")
pytestmark = pytest.mark.skipif(bool(REASON), reason=str(REASON))


def debian():
    return peer.binary("debian-c")


def ours():
    return binary()


class Work:
    """Two guests and socket clients with something to lose."""

    def __init__(self, daemon):
        self.daemon, self.host = daemon, daemon.host
        self.client, self.half = daemon.connect(DEADLINE), daemon.connect(DEADLINE)
        self.domids = [self.host.create(), self.host.create()]
        self.guests = [daemon.guest(domid) for domid in self.domids]
        for guest in self.guests:
            guest.write("data/x", b"0")
            guest.watch("data", "t")
        self.client.watch("/local", "all")
        self.client.watch("@releaseDomain", "out")
        self.client.watch("@introduceDomain", "in")
        for name in ("z", "a", "m"):
            self.client.write(f"/order/{name}", name.encode() * 700)
        self.client.set_perms("/order/a", ["n0", f"r{self.domids[0]}", f"b{self.domids[1]}"])
        self.round = 0

    def before(self):
        self.tree = tree(self.client)
        self.request = message(Type.WRITE, b"/half\0%d" % self.round, 0, 99)
        self.half.send_raw(self.request[:21])
        for client in (self.client, *self.guests):
            client.drain_events()

    def after(self):
        self.round += 1
        assert tree(self.client) == self.tree
        assert not self.client.drain_events(), "a take-over is no change"
        assert not any(guest.drain_events() for guest in self.guests)
        self.half.send_raw(self.request[21:])
        assert self.half.recv_reply() == (Type.WRITE, 99, 0, b"OK\0")
        for domid, guest in zip(self.domids, self.guests):
            path = f"/local/domain/{domid}/data/x"
            guest.write("data/x", b"%d" % self.round)
            assert self.client.read(path) == b"%d" % self.round
            assert guest.drain_events() == [("data/x", "t")]
            assert self.client.wait_event() == (path, "all")
            assert guest.error_of(Type.READ, strings("/half")) == "EACCES"
        assert self.guests[0].read("/order/a") == b"a" * 700
        assert self.client.error_of(Type.WATCH, strings("/local", "all")) == "EEXIST"

    def death(self):
        """A domain that dies is noticed, and its number can be used again."""
        domid = self.host.create()
        self.client.drain_events()
        self.host.run("destroy", domid)
        while self.client.wait_event() != ("@releaseDomain", "out"):
            pass
        assert self.host.create(domid) == domid
        self.host.run("destroy", domid)
        self.client.drain_events()


def go(work, file, *options, cmdline=None):
    daemon = work.daemon
    work.before()
    before, pid = exec_time(daemon.pid), daemon.pid
    assert daemon.update(file, cmdline, options) == "OK", daemon.stderr()
    assert daemon.process.poll() is None and exec_time(pid) != before
    with open(f"/proc/{pid}/cmdline", "rb") as line:
        assert line.read().split(b"\0")[0].decode() == file
    work.after()


def test_from_debian_to_this_one_and_on():
    with HostLive(program=debian()) as daemon:
        work = Work(daemon)
        go(work, ours())
        assert "live-update" in work.client.control("help")
        work.death()
        go(work, ours())
        work.death()


def test_from_this_one_to_debian_and_back():
    with HostLive(program=ours()) as daemon:
        work = Work(daemon)
        for _ in range(2):
            go(work, debian(), "-v", "1")
            work.death()
            go(work, ours())
            work.death()


def test_through_debians_own_control_program():
    with HostLive(program=debian()) as daemon:
        work = Work(daemon)
        work.before()
        control = peer.extracted()["DEBIAN_XENSTORE_CONTROL"]
        done = subprocess.run([control, "live-update", ours()], capture_output=True, text=True,
                              env=peer.client_environment(daemon.socket), timeout=DEADLINE,
                              check=False)
        assert done.returncode == 0, done.stdout + done.stderr + daemon.stderr()
        work.after()


def test_open_transactions_hold_the_way_to_debian_up():
    with HostLive(program=ours()) as daemon:
        work = Work(daemon)
        tx = work.guests[0].transaction_start()
        work.guests[0].write("data/tx", b"1", tx)
        asker = daemon.connect(DEADLINE)
        text = daemon.update(debian(), options=("-v", "1", "-t", "1"), client=asker)
        assert text != "OK" and ("transaction" in text), text
        # Nothing was lost by the attempt.
        assert work.guests[0].read("data/tx", tx) == b"1"
        assert work.guests[0].commit(tx)
        go(work, debian(), "-v", "1", "-t", "1")


def test_the_way_is_free_when_the_transaction_ends():
    with HostLive(program=ours()) as daemon:
        work = Work(daemon)
        tx = work.guests[0].transaction_start()
        work.guests[0].write("data/tx", b"1", tx)
        asker = daemon.connect(DEADLINE)
        req = daemon.request_update(asker, debian(), options=("-v", "1", "-t", "30"))
        work.client.sync()
        assert work.guests[0].commit(tx)
        reply = asker.recv_reply()
        assert (reply.req_id, reply.payload) == (req, b"OK\0")
        with open(f"/proc/{daemon.pid}/cmdline", "rb") as line:
            assert line.read().startswith(debian().encode())
        assert work.guests[0].read("data/tx") == b"1"


def test_a_transaction_that_is_held_back_begins_there():
    with HostLive(program=ours()) as daemon:
        work = Work(daemon)
        tx = work.guests[0].transaction_start()
        asker = daemon.connect(DEADLINE)
        req = daemon.request_update(asker, debian(), options=("-v", "1", "-t", "3600"))
        work.client.sync()
        clients = (work.guests[1], work.client, work.half)
        starts = [client.send(Type.TRANSACTION_START, b"\0") for client in clients]
        work.client.sync()
        assert work.guests[0].commit(tx)
        reply = asker.recv_reply()
        assert (reply.req_id, reply.payload) == (req, b"OK\0")
        for client, start in zip(clients, starts):
            reply = client.recv_reply()
            assert (reply.type, reply.req_id) == (Type.TRANSACTION_START, start)
            assert client.commit(int(reply.payload[:-1]))


def test_requests_in_flight_keep_their_order():
    """What has been received of many, and is not begun yet, is not left to the other."""
    with HostLive(program=ours()) as daemon:
        work = Work(daemon)
        asker = daemon.connect(DEADLINE)
        clients = [daemon.connect(DEADLINE) for _ in range(3)]
        assert asker.control("live-update", "-f", debian()) == "OK"
        for n, client in enumerate(clients):
            client.send_raw(b"".join(message(Type.WRITE, b"/many/%d\0%d" % (n, i), 0, i)
                                     for i in range(1, 1001)))
        req = asker.send(Type.CONTROL, strings("live-update", "-s", "-v", "1", "-t", "60"))
        for n, client in enumerate(clients):
            assert [client.recv_reply().req_id for _ in range(1000)] == list(range(1, 1001))
            assert work.client.read(f"/many/{n}") == b"1000"
        reply = asker.recv_reply()
        assert (reply.req_id, reply.payload) == (req, b"OK\0")


def test_force_gives_transactions_up():
    with HostLive(program=ours()) as daemon:
        work = Work(daemon)
        tx = work.guests[0].transaction_start()
        work.guests[0].write("data/tx", b"1", tx)
        assert daemon.update(debian(), options=("-v", "1", "-F", "-t", "1")) == "OK"
        assert work.guests[0].error_of(Type.READ, b"data/x\0", tx) == "ENOENT"
        assert not work.guests[0].exists("data/tx")
        go(work, ours())


def test_a_domain_under_construction():
    """Debian's would not survive it, so it is refused; this one takes it over."""
    with HostLive(program=ours()) as daemon:
        work = Work(daemon)
        domid = daemon.host.create("--bare")
        work.client.write("/building/x", b"")
        work.client.set_perms("/building", [f"n{domid}"])
        assert "under construction" in daemon.update(debian(), options=("-v", "1"))
        work.client.drain_events()
        go(work, ours())
        work.client.rm("/building")
        go(work, debian(), "-v", "1")


def test_a_domain_under_construction_on_the_way_in():
    with HostLive(program=debian()) as daemon:
        work = Work(daemon)
        domid = daemon.host.create("--bare")
        work.client.write("/building/x", b"kept")
        work.client.set_perms("/building", [f"n{domid}"])
        go(work, ours())
        assert work.client.read("/building/x") == b"kept"
        assert work.client.get_perms("/building") == [f"n{domid}"]


def test_domains_that_come_and_go_while_nobody_serves():
    """The take-over that is told step by step: there, on, back, and there again."""
    lines = []
    with Takeover(debian(), lines.append) as takeover:
        for program in (ours(), ours(), debian(), ours()):
            takeover.go(program)
    assert len([line for line in lines if "now this xenstored serves" in line]) == 3
