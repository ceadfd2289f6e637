# SPDX-License-Identifier: GPL-2.0-or-later
"""A running host goes over from Debian's oxenstored to this one, clients connected."""

import os
import signal

import pytest

from tests.lib import xswire
from tests.lib.daemon import ROOT, binary
from tests.lib.xswire import Type, strings
from tests.peers import peer
from tests.simxen.host import Host, Store
from tests.update.live import DEADLINE, exec_time, tree, wait_for

REASON = peer.unavailable("debian-ocaml")
pytestmark = pytest.mark.skipif(bool(REASON), reason=str(REASON))

SCRIPT = str(ROOT / "liveupdate" / "tool" / "from-oxenstored.sh")


@pytest.fixture
def host():
    with Host() as process:
        process.env["XENSTORED"] = binary()
        process.env["XENSTORE_IMAGE"] = os.path.join(os.path.dirname(binary()), "xenstore-image")
        yield process


@pytest.fixture
def start(host):
    stores = []

    def run(*options):
        stores.append(Store(host, "debian-ocaml", more_options=options))
        return stores[-1]

    yield run
    for store in stores:
        store.close()


class Guest:
    """A connection to a guest's ring."""

    def __init__(self, host, domid):
        process = host.popen("guest", domid, "--", "sh", "-c",
                             'echo "$XENSTORED_PATH"; exec sleep 1000')
        self.client = xswire.Client(process.stdout.readline().strip(), timeout=DEADLINE)


def update(store):
    """Asks for the update as the administrator does."""
    control = peer.extracted()["DEBIAN_XENSTORE_CONTROL"]
    return store.run(control, "live-update", SCRIPT)


def test_from_oxenstored_to_this_one(host, start):
    store = start()
    root = xswire.Client(store.socket, timeout=DEADLINE)
    domids = [host.create(), host.create()]
    guests = [Guest(host, domid).client for domid in domids]
    for guest in guests:
        guest.write("data/x", b"0")
        guest.watch("data", "t")
    root.watch("/local", "all")
    root.watch("@releaseDomain", "out")
    root.write("/mine", bytes(range(1, 200)))
    root.set_perms("/mine", ["n0", f"r{domids[0]}", f"b{domids[1]}"])
    root.drain_events()
    for guest in guests:
        guest.drain_events()
    before, pid = tree(root), store.process.pid
    done = update(store)
    assert (done.returncode, store.alive()) == (0, True), done.stdout + done.stderr + store.log()
    assert store.command_line()[0] == binary()
    assert not os.path.exists(os.path.join(store.rundir, "state_dump"))
    # Everybody is served as before, on the same connections; a take-over is no change.
    assert "migrate" in root.control("help")
    same = {path: (value, perms) for path, value, perms in tree(root)}
    assert same == {path: (value, perms) for path, value, perms in before}
    assert not root.drain_events()
    for domid, guest in zip(domids, guests):
        assert not guest.drain_events()
        assert guest.read("/mine") == bytes(range(1, 200))
        guest.write("data/x", b"1")
        assert guest.drain_events() == [("data/x", "t")]
        assert root.wait_event() == (f"/local/domain/{domid}/data/x", "all")
        assert guest.error_of(Type.READ, b"/tool\0") == "EACCES"
    assert root.error_of(Type.WATCH, strings("/local", "all")) == "EEXIST"
    # Deaths are noticed, though the other had bound the virq.
    host.run("destroy", "--bare", domids[0])
    events = []
    wait_for(lambda: events.extend(root.drain_events()) or ("@releaseDomain", "out") in events,
             "the domain's end")
    # And it can be updated on.
    time = exec_time(pid)
    control = peer.extracted()["DEBIAN_XENSTORE_CONTROL"]
    store.succeed(control, "live-update", binary())
    assert exec_time(pid) != time and guests[1].read("data/x") == b"1"


def test_the_pid_file_is_kept(start, tmp_path):
    """A second daemon finds it locked, and the start script the process."""
    pid_file = tmp_path / "pid"
    store = start("--pid-file", str(pid_file))
    pid = store.process.pid
    assert pid_file.read_text().strip() == str(pid)
    assert update(store).returncode == 0, store.log()
    assert pid_file.read_text().strip() == str(pid)
    second = store.run(binary(), "-N", "--domstate", "none", "--pid-file", str(pid_file))
    assert second.returncode == 1 and f"(pid {pid}) holds {pid_file}" in second.stderr


def test_the_way_back_if_it_cannot_be(host, start):
    """The state cannot be converted: the oxenstored goes on as its own successor."""
    host.env["XENSTORE_IMAGE"] = "/bin/false"
    host.env["OXENSTORED"] = peer.binary("debian-ocaml")
    store = start()
    root = xswire.Client(store.socket, timeout=DEADLINE)
    root.write("/mine", b"1")
    update(store)
    assert store.alive(), store.log()
    assert store.command_line()[0] == peer.binary("debian-ocaml")
    assert root.read("/mine") == b"1"


FAILING = """#!/bin/sh
[ "$1" = --help ] && exit 0
exit 1
"""


def end_successor(store):
    """Kills the oxenstored of this store that is not our child."""
    setting = f"XENSTORED_RUNDIR={store.rundir}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if setting not in file.read().split(b"\0"):
                    continue
            if os.readlink(f"/proc/{pid}/exe") == os.path.realpath(peer.binary("debian-ocaml")):
                os.kill(int(pid), signal.SIGKILL)
        except OSError:  # it has gone, or is none of ours
            continue


def test_the_way_back_if_this_one_ends_before_it_serves(host, start, tmp_path):
    failing = tmp_path / "failing"
    failing.write_text(FAILING)
    failing.chmod(0o755)
    host.env["XENSTORED"] = str(failing)
    host.env["OXENSTORED"] = peer.binary("debian-ocaml")
    store = start()
    root = xswire.Client(store.socket, timeout=DEADLINE)
    guest = Guest(host, host.create()).client
    guest.write("data/x", b"1")
    root.write("/mine", b"1")
    try:
        update(store)
        assert store.process.wait(DEADLINE) == 1
        assert root.read("/mine") == b"1" and guest.read("data/x") == b"1"
        guest.write("data/x", b"2")
        assert guest.read("data/x") == b"2"
    finally:
        end_successor(store)


def test_programs_that_are_missing(host, start):
    host.env["XENSTORED"] = "/no/such/program"
    store = start()
    root = xswire.Client(store.socket, timeout=DEADLINE)
    root.write("/mine", b"1")
    time = exec_time(store.process.pid)
    assert update(store).returncode != 0
    assert exec_time(store.process.pid) == time and root.read("/mine") == b"1"
