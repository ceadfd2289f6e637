# SPDX-License-Identifier: GPL-2.0-or-later
"""Updates to programs that are not of our kind: recognized by their files, and guarded."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

from tests.lib import xswire
from tests.lib.daemon import binary, clean_environment
from tests.lib.xswire import Type, message
from tests.image import image
from tests.peers import peer
from tests.update import foreign
from tests.update.lease import Lease, with_loader
from tests.update.live import DEADLINE, Live, exec_time, running, servers, tree, wait_for
from tests.update.onhost import HostLive
from tests.update.test_faults import COUNT, Work, refused


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


# -- what is no xenstored is refused, and nothing has happened ---------------------------------

def test_other_programs_are_refused(daemon):
    work = Work(daemon)
    assert "no xenstored" in refused(daemon, work, file=os.path.realpath("/bin/sleep"))
    assert not os.path.exists(os.path.join(daemon.rundir, "state_dump"))


def test_a_program_that_knows_a_xenstored_is_none(daemon, tmp_path):
    client = tmp_path / "client"
    with open(os.path.realpath("/bin/sleep"), "rb") as file:
        client.write_bytes(file.read() + b"@releaseDomain\0@introduceDomain\0")
    client.chmod(0o755)
    assert "no xenstored" in daemon.update(file=str(client))


@pytest.mark.skipif(bool(peer.unavailable("debian-ocaml")),
                    reason=str(peer.unavailable("debian-ocaml")))
def test_an_oxenstored_is_refused(daemon):
    work = Work(daemon)
    assert "oxenstored" in refused(daemon, work, file=peer.binary("debian-ocaml"))


# -- versions of the stream ---------------------------------------------------------------------

def dumped(daemon, programs, release, *options, texts=foreign.TEXTS):
    """(answer, version of the image) of an update to that release, which leaves the file there."""
    path = os.path.join(daemon.rundir, "kept")
    state = os.path.join(daemon.rundir, "state_dump")
    asker = daemon.connect(DEADLINE)
    daemon.request_update(asker, foreign.build(programs, "hangs", release, texts),
                          options=options)
    before = daemon.current()

    def seen():
        if daemon.current() != before:
            return True
        if os.path.exists(state) and open(f"/proc/{before}/cmdline", "rb").read().startswith(
                str(programs).encode()):
            shutil.copy(state, path)
            return True
        return False

    wait_for(seen, "the image or an answer")
    answer = asker.recv_reply(DEADLINE).payload
    asker.close()
    if not os.path.exists(path):
        return answer, None
    with open(path, "rb") as file:
        return answer, struct.unpack(">8xI", file.read(12))[0]


@pytest.mark.parametrize("release, options, version", [
    ("4.16", (), 1), ("4.17", (), 1), ("4.20", (), 1), ("4.17", ("-v", "1"), 1),
    ("4.21", (), 2), ("4.21", ("-v", "1"), 1), (None, (), 2), (None, ("-v", "1"), 1)])
def test_the_version_that_a_release_reads(programs, release, options, version):
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        answer, written = dumped(daemon, programs, release, *options)
        assert b"the old one goes on" in answer and written == version


def test_quotas_go_to_those_that_know_them(tmp_path):
    known = 'static const char *volatile texts[] = {"@releaseDomain", "%s/state_dump", "GET_QUOTA"};'
    for texts, told in ((foreign.TEXTS, 0), (known, 1)):
        directory = tmp_path / str(told)
        directory.mkdir()
        with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
            client = daemon.connect(DEADLINE)
            client.control("quota", "set", "watches", "77")
            dumped(daemon, directory, None, texts=texts)
            show = subprocess.run([image.PROGRAM, "show", os.path.join(daemon.rundir, "kept")],
                                  capture_output=True, text=True, check=True).stdout
            assert show.count("GLOBAL_QUOTA") == told
            assert ("watches:77" in show) == bool(told), show
            client.sync()


def test_a_version_that_it_does_not_read(programs):
    with Live() as daemon:
        work = Work(daemon)
        assert "version 1" in refused(daemon, work, options=("-v", "2"),
                                      file=foreign.build(programs, "hangs", "4.17"))


# -- the guard ----------------------------------------------------------------------------------

class Quiet(Work):
    """Work without open transactions, which would hold the update up."""

    def __init__(self, daemon):
        super().__init__(daemon)
        assert self.tx.commit(self.id)
        self.tx.transaction_end(self.conflict, False)
        self.watcher.drain_events()
        self.before = tree(self.plain)

    def check(self):
        assert tree(self.plain) == self.before
        assert not self.watcher.drain_events()

    def finish(self):
        self.half.send_raw(self.request[19:])
        assert self.half.recv_reply() == (Type.WRITE, 99, 0, b"OK\0")
        assert [self.slow.recv_reply().req_id for _ in self.slow_ids] == self.slow_ids
        assert set(self.watcher.drain_events()) == {("/w/half", "all"), ("/w/half", "near")}
        assert self.daemon.connect(DEADLINE).read("/w/2") == b"v2"


BAD = {"ends at once": "ended", "ends well at once": "ended", "crashes": "ended",
       "hangs": "in time", "spins": "in time", "is stopped": "in time",
       "closes everything and hangs": "in time", "closes its clients and hangs": "in time",
       "serves an empty store": "lost the state"}


@pytest.mark.parametrize("name", sorted(BAD))
def test_programs_that_do_not_come_to_serve(programs, name):
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        work = Quiet(daemon)
        state = os.path.join(daemon.rundir, "state_dump")
        pid = daemon.current()
        text = daemon.update(file=foreign.build(programs, name))
        assert "the old one goes on" in text and BAD[name] in text
        assert daemon.current() != pid and not running(pid)
        assert not os.path.exists(state), "it is of the past"
        work.check()
        daemon.updated(times=2)
        work.check()
        work.finish()


def test_a_program_that_serves_is_left_alone(programs):
    with Live(env={"XENSTORED_UPDATE_SECONDS": "2"}) as daemon:
        client = daemon.connect(DEADLINE)
        client.write("/x", b"")
        pid, before = daemon.current(), exec_time(daemon.pid)
        daemon.request_update(client, foreign.build(programs, "serves"))
        wait_for(lambda: exec_time(pid) != before, "the exec")
        def guards():
            return [p for p in os.listdir("/proc") if p.isdigit() and int(p) != pid
                    and daemon.rundir.encode() in cmdline(p)]

        def cmdline(process):
            try:
                with open(f"/proc/{process}/cmdline", "rb") as file:
                    return file.read()
            except OSError:
                return b""

        wait_for(lambda: not guards(), "the guard to end")
        assert running(pid) and daemon.current() == pid
        assert not [line for line in open(f"/proc/{pid}/task/{pid}/children").read().split()]


def test_force_loses_transactions_only_if_the_update_succeeds(programs):
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        work = Work(daemon)
        text = daemon.update(file=foreign.build(programs, "ends at once"), options=("-F",))
        assert "the old one goes on" in text
        work.check()
        daemon.updated()
        work.finish()


def begin(client):
    """Ask for a transaction, and for something else behind it. Returns (the transaction, None), or
    (None, the request) if its answer is held back; the something else is answered in any case."""
    req = client.send(Type.TRANSACTION_START, b"\0")
    other = client.send(Type.READ, b"/\0")
    reply = client.recv_reply(DEADLINE)
    if reply.req_id == other:
        return None, req
    assert reply.req_id == req and client.recv_reply(DEADLINE).req_id == other
    return int(reply.payload[:-1]), None


def hand_over_hand(first, second, tx):
    """Of two clients one has always a transaction open, which it ends when the other has one; until
    the other one's is held back. Returns that one, and the request."""
    for i in range(1000):
        following, req = begin(second)
        first.write("/busy", b"%d" % i, tx)
        assert first.commit(tx)
        if req:
            return second, req
        tx, first, second = following, second, first
    raise AssertionError("there was always a transaction")


def test_a_host_where_somebody_always_has_a_transaction(programs):
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        asker, first, second = (daemon.connect(DEADLINE) for _ in range(3))
        first.write("/busy")
        tx = first.transaction_start()
        req = daemon.request_update(asker, foreign.build(programs, "ends at once"),
                                    options=("-t", "3600"))
        held, start = hand_over_hand(first, second, tx)
        reply = asker.recv_reply(DEADLINE)
        assert reply.req_id == req and b"the old one goes on" in reply.payload
        # It begins when it is over.
        reply = held.recv_reply(DEADLINE)
        assert reply.req_id == start
        tx = int(reply.payload[:-1])
        held.write("/busy", b"last", tx)
        assert held.commit(tx) and first.read("/busy") == b"last"


def test_transactions_begin_when_the_update_is_cancelled(programs):
    with Live() as daemon:
        asker, first, second = (daemon.connect(DEADLINE) for _ in range(3))
        tx = first.transaction_start()
        daemon.request_update(asker, foreign.build(programs, "hangs"), options=("-t", "3600"))

        def held_back():
            following, start = begin(second)
            return start or not second.commit(following)

        wait_for(held_back, "a transaction to be held back")
        # Whoever has one may have others.
        assert first.commit(first.transaction_start())
        assert second.control("live-update", "-a") == "OK"
        assert second.recv_reply(DEADLINE).type == Type.TRANSACTION_START
        assert asker.recv_reply(DEADLINE).payload == b"Cancellation was requested\0"
        assert first.commit(tx)
        assert first.commit(first.transaction_start())


def test_who_has_had_transactions_open_for_too_long(programs):
    with Live() as daemon:
        asker, first, second = (daemon.connect(DEADLINE) for _ in range(3))
        tx = [first.transaction_start(), second.transaction_start(), second.transaction_start()]
        text = daemon.update(file=foreign.build(programs, "hangs"), options=("-t", "1"),
                             client=asker)
        lines = text.split("\n")
        assert lines[0] == "Domains with long running transactions:"
        assert len(lines) == 3 and set(lines[1:]) <= {"Domain 0: 1 s", "Domain 0: 2 s"}
        assert first.commit(tx[0]) and second.commit(tx[1]) and second.commit(tx[2])


def test_who_asks_has_a_transaction_open(programs):
    """It cannot end it while it waits for the answer, so nobody waits for that."""
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        asker = daemon.connect(DEADLINE)
        tx = asker.transaction_start()
        asker.write("/mine", b"1", tx)
        text = daemon.update(file=foreign.build(programs, "hangs"), options=("-t", "3600"),
                             client=asker)
        assert text.startswith("A transaction is open on the connection that asks")
        assert asker.commit(tx) and asker.read("/mine") == b"1"
        tx = asker.transaction_start()
        text = daemon.update(file=foreign.build(programs, "ends at once"),
                             options=("-t", "3600", "-F"), client=asker)
        assert "the old one goes on" in text
        assert asker.commit(tx)


def test_transactions_of_a_session_that_is_not_started(programs):
    """Nobody is held up before it is said that the update is to be."""
    with Live() as daemon:
        asker, client = daemon.connect(DEADLINE), daemon.connect(DEADLINE)
        assert asker.control("live-update", "-f", foreign.build(programs, "hangs")) == "OK"
        assert client.commit(client.transaction_start())


def test_no_room_on_the_disk(programs):
    """Files cannot grow; neither that for a foreign program nor the image in memory."""
    with Live() as daemon:
        work = Quiet(daemon)
        for i in range(20):
            work.plain.write(f"/big/{i}", bytes(2000))
        work.watcher.drain_events()
        work.before = tree(work.plain)
        state = os.path.join(daemon.rundir, "state_dump")
        for size in (0, 100, 4096, 30000):
            subprocess.run(["prlimit", "--pid", str(daemon.pid), f"--fsize={size}:"], check=True)
            for file in (foreign.build(programs, "hangs"), binary()):
                assert daemon.update(file=file) == "Dump write error"
            assert not os.path.exists(state)
            work.check()
        subprocess.run(["prlimit", "--pid", str(daemon.pid), "--fsize=unlimited:"], check=True)
        os.mkdir(state)
        assert daemon.update(file=foreign.build(programs, "hangs")) == "Dump state open error"
        os.rmdir(state)
        os.symlink("/dev/null", state)
        assert daemon.update(file=foreign.build(programs, "hangs")) == "Dump state open error"
        os.unlink(state)
        daemon.updated()
        work.check()
        work.finish()


def test_the_state_is_for_nobody_else_to_read(programs):
    """Whatever was there before under that name."""
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        state = os.path.join(daemon.rundir, "state_dump")
        with open(state, "wb") as file:
            os.fchmod(file.fileno(), 0o666)
        asker, pid = daemon.connect(DEADLINE), daemon.pid
        before = exec_time(pid)
        daemon.request_update(asker, foreign.build(programs, "hangs"))
        wait_for(lambda: exec_time(pid) != before, "the exec")
        assert os.stat(state).st_mode & 0o777 == 0o600
        assert os.stat(state).st_size
        assert b"the old one goes on" in asker.recv_reply(DEADLINE).payload


def test_a_descriptor_that_an_image_names_twice(tmp_path):
    """The first connection on it is served; no other one gets its number."""
    state = tmp_path / "state_dump"
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "socket"))
        door.listen()
        mine, its = socket.socketpair()
        state.write_bytes(image.PREAMBLE + image.global_(door.fileno(), -1) +
                          image.socket(1, its.fileno()) + image.socket(2, its.fileno()) +
                          image.node(b"/") + image.SPECIAL + image.node(b"/x", b"1") + image.END)
        with subprocess.Popen([binary(), "-U", "-N", "--domstate", "none", "--rundir", tmp_path],
                              env=clean_environment(), pass_fds=(door.fileno(), its.fileno()),
                              stderr=subprocess.DEVNULL) as process:
            its.close()
            try:
                with xswire.Client(sock=mine, timeout=DEADLINE) as client:
                    assert client.read("/x") == b"1"
                    # Whatever gets the next free number.
                    with xswire.Client(str(tmp_path / "socket"), timeout=DEADLINE) as other:
                        assert other.read("/x") == b"1"
                        assert client.read("/x") == b"1"
            finally:
                process.kill()


# -- the daemon is to end -----------------------------------------------------------------------

def test_an_end_that_is_asked_for_in_the_middle_of_an_exec(programs, tmp_path):
    """The program is not replaced yet: it is the old one that ends, and its guard with it."""
    program, loader = with_loader(tmp_path, foreign.build(programs, "hangs") + ".c")
    with Live() as daemon:
        asker = daemon.connect(DEADLINE)
        lease = Lease(loader)
        daemon.request_update(asker, program)
        wait_for(lambda: lease.wanted, "the exec")
        daemon.expected_exit = -signal.SIGTERM
        os.kill(daemon.pid, signal.SIGTERM)
        lease.let_go()
        wait_for(lambda: not servers(daemon), "the end of the daemon and of its guard")
        assert not os.path.exists(os.path.join(daemon.rundir, "state_dump"))


@pytest.mark.parametrize("name", ["hangs", "ends at once"])
def test_an_end_that_is_asked_for_at_any_moment(programs, name):
    """Either all have ended, or the old program serves and has lost nothing."""
    ends = 0
    for i in range(COUNT * 8):
        with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
            work = Quiet(daemon)
            asker, pid = daemon.connect(DEADLINE), daemon.pid
            daemon.request_update(asker, foreign.build(programs, name))
            time.sleep(i % 8 * 0.001)
            daemon.expected_exit = -signal.SIGTERM
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not running(pid), "the end of the daemon")
            wait_for(lambda: not servers(daemon) or daemon.current() != pid, "what comes then")
            if servers(daemon):
                work.check()
                work.finish()
                daemon.expected_exit = None
            else:
                ends += 1
            assert not os.path.exists(os.path.join(daemon.rundir, "state_dump"))
    assert ends


# -- on a host ----------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["ends at once", "binds the virq and ends",
                                  "takes events and hangs"])
def test_guests_are_served_again(programs, name):
    with HostLive(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        client = daemon.connect(DEADLINE)
        domids = [daemon.host.create() for _ in range(3)]
        guests = [daemon.guest(domid) for domid in domids]
        for guest in guests:
            guest.watch("data", "t")
        client.watch("@releaseDomain", "end")
        pid = daemon.current()
        asker = daemon.connect(DEADLINE)
        before = exec_time(pid)
        daemon.request_update(asker, foreign.build(programs, name))
        wait_for(lambda: daemon.current() != pid or exec_time(pid) != before, "the exec")
        # What guests do meanwhile fires their ports, which the program may take.
        for guest in guests:
            guest.send_raw(message(Type.WRITE, b"data/x\0y", 0, 7))
        assert b"the old one goes on" in asker.recv_reply(DEADLINE).payload
        for guest, domid in zip(guests, domids):
            assert guest.recv_reply().req_id == 7
            assert guest.drain_events() == [("data/x", "t")]
            guest.write("data/x", b"z")
            assert client.read(f"/local/domain/{domid}/data/x") == b"z"
        assert not client.drain_events()
        daemon.host.run("destroy", domids[0])
        assert client.wait_event() == ("@releaseDomain", "end")
        daemon.updated()
        daemon.host.run("destroy", domids[1])
        assert client.wait_event() == ("@releaseDomain", "end")


def test_a_domain_dies_during_an_exec_that_fails(programs, tmp_path):
    """The virq has been given up for the other program: nothing is told meanwhile."""
    program, loader = with_loader(tmp_path, foreign.build(programs, "hangs") + ".c")
    with HostLive() as daemon:
        client, asker = daemon.connect(DEADLINE), daemon.connect(DEADLINE)
        domid = daemon.host.create()
        client.watch("@releaseDomain", "out")
        lease = Lease(loader)
        daemon.request_update(asker, program)
        wait_for(lambda: lease.wanted, "the exec")
        daemon.host.run("destroy", "--bare", domid)
        lease.let_go()
        assert asker.recv_reply().payload == b"Error activating new binary.\0"
        assert client.wait_event() == ("@releaseDomain", "out")
        assert not client.is_introduced(domid)
