# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests have and hold, and what happens to domains, survives an update of the daemon."""

import os
import signal

import pytest

from tests.lib.xswire import Type, message, strings
from tests.update.fake import build
from tests.update.live import DEADLINE, wait_for
from tests.update.onhost import HostLive


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


@pytest.fixture
def daemon():
    with HostLive() as process:
        yield process


@pytest.fixture
def client(daemon):
    return daemon.connect(DEADLINE)


@pytest.fixture
def host(daemon):
    return daemon.host


def numbers(client, domid):
    return [line.split("(")[0] for line in client.control("quota", str(domid)).splitlines()]


def absent(daemon, programs, meanwhile):
    """An update during which nobody serves until something has happened."""
    pid = daemon.current()
    asker = daemon.connect(DEADLINE)
    daemon.request_update(asker, build(programs, "hangs"))
    wait_for(lambda: open(f"/proc/{pid}/cmdline", "rb").read().startswith(str(programs).encode()),
             "the new program")
    meanwhile()
    os.kill(pid, signal.SIGKILL)
    assert b"old one goes on" in asker.recv_reply().payload
    asker.close()


def test_what_a_guest_holds(daemon, client, host):
    domid = host.create()
    guest = daemon.guest(domid)
    for i in range(20):
        guest.write(f"data/{i}", b"x" * i)
    guest.set_perms("data/3", [f"n{domid}", "r0"])
    guest.watch("data", "rel")
    guest.watch(f"/local/domain/{domid}/data", "abs", depth=1)
    tx, idle = guest.transaction_start(), guest.transaction_start()
    guest.write("data/tx", b"1", tx)
    guest.rm("data/5", tx)
    before, check = numbers(client, domid), client.control("check")
    daemon.updated(times=3)
    assert numbers(client, domid) == before
    assert client.control("check") == check
    assert not guest.drain_events()
    client.write(f"/local/domain/{domid}/data/1", b"")
    assert guest.drain_events() == [("data/1", "rel"), (f"/local/domain/{domid}/data/1", "abs")]
    assert guest.read("data/1", idle) == b"x"
    assert guest.commit(tx) and guest.commit(idle)
    assert guest.get_perms("data/3") == [f"n{domid}", "r0"]
    assert guest.error_of(Type.WRITE, b"/local/domain/0/x\0") == "EACCES"


def test_ring_requests_at_every_cut(daemon, client, host):
    domid = host.create()
    guest = daemon.guest(domid)
    request = message(Type.WRITE, b"data/half\0value", 0, 5)
    for cut in (1, 8, 15, 16, 17, 26, len(request) - 1):
        guest.send_raw(request[:cut])
        client.sync()
        daemon.updated()
        guest.send_raw(request[cut:])
        assert guest.recv_reply() == (Type.WRITE, 5, 0, b"OK\0")
        assert client.read(f"/local/domain/{domid}/data/half") == b"value"
        guest.rm("data/half")


def test_a_ring_full_of_replies(daemon, client, host):
    domid = host.create()
    guest = daemon.guest(domid)
    guest.write("data/big", b"b" * 2000)
    ids = []
    for _ in range(15):
        ids.append(guest.new_req())
        guest.send_raw(message(Type.READ, b"data/big\0", 0, ids[-1]), read=False)
    daemon.updated(times=3)
    for req in ids:
        assert guest.recv_reply() == (Type.READ, req, 0, b"b" * 2000)


def test_domains_that_are_not_introduced(daemon, client, host):
    """Under construction: it owns nodes, or is only named, and is introduced later."""
    domid = host.create("--bare")
    client.write(f"/local/domain/{domid}/name", b"half-made")
    client.set_perms(f"/local/domain/{domid}", [f"n{domid}"])
    client.set_perms(f"/local/domain/{domid}/name", ["n0", f"r{domid}"])
    client.set_quota(domid, "nodes", 555)
    client.watch("@introduceDomain", "in")
    client.watch("@releaseDomain", "out")
    before = numbers(client, domid)
    daemon.updated(times=2)
    assert numbers(client, domid) == before
    assert not client.is_introduced(domid)
    assert not client.drain_events()
    assert client.get_perms(f"/local/domain/{domid}") == [f"n{domid}"]
    client.introduce(domid, 1, 1)
    assert client.is_introduced(domid)
    assert client.drain_events() == [("@introduceDomain", "in")]
    guest = daemon.guest(domid)
    assert guest.read(f"/local/domain/{domid}/name") == b"half-made"
    assert client.get_quota(domid, "nodes") == 555


def test_an_uncompleted_domain_dies(daemon, client, host):
    domid = host.create("--bare")
    client.write(f"/o/{domid}/x", b"")
    client.set_perms(f"/o/{domid}", [f"n{domid}"])
    client.set_perms(f"/o/{domid}/x", [f"n{domid}"])
    daemon.updated()
    host.run("destroy", "--bare", domid)
    wait_for(lambda: not client.exists(f"/o/{domid}"), "its nodes to go")
    assert client.exists("/o")


def test_permissions_do_not_pass_to_a_successor(daemon, client, host):
    client.write("/secret", b"s")
    old = host.create()
    client.set_perms("/secret", ["n0", f"r{old}"])
    guest = daemon.guest(old)
    assert guest.read("/secret") == b"s"
    host.run("destroy", old)
    daemon.updated()
    assert host.create(old) == old
    successor = daemon.guest(old)
    assert successor.error_of(Type.READ, b"/secret\0") == "EACCES"
    daemon.updated()
    assert successor.error_of(Type.READ, b"/secret\0") == "EACCES"


def test_an_ignored_guest_stays_ignored(daemon, client, host):
    domid = host.create()
    other = host.create()
    assert host.misbehave(domid, "header:2,1,0,5000", "notify", "await:error=3").returncode == 0
    # What stands in the ring behind it must never be taken for requests.
    host.misbehave(domid, "request:11,data/y,1", "notify")
    daemon.updated(times=2)
    client.write(f"/local/domain/{domid}/data/z", b"")
    fine = daemon.guest(other)
    fine.write("data/x", b"")
    client.sync()
    assert not client.exists(f"/local/domain/{domid}/data/y")
    assert client.is_introduced(domid)
    client.watch("@releaseDomain", "out")
    host.run("destroy", domid)
    assert client.wait_event() == ("@releaseDomain", "out")


def test_targets(daemon, client, host):
    target, stubdom = host.create(), host.create()
    client.set_target(stubdom, target)
    guest = daemon.guest(stubdom)
    served = daemon.guest(target)
    served.write("data/mine", b"1")
    path = f"/local/domain/{target}/data/mine"
    tx = guest.transaction_start()
    guest.write(path, b"2", tx)
    daemon.updated(times=2)
    assert guest.read(path) == b"1"
    assert guest.read(path, tx) == b"2"
    assert guest.commit(tx)
    assert served.read("data/mine") == b"2"
    assert served.error_of(Type.READ, strings(f"/local/domain/{stubdom}/data")) == "EACCES"


def test_shutdown_is_told_once(daemon, client, host):
    domid = host.create()
    host.run("unpause", domid)
    client.watch("@releaseDomain", "out")
    host.run("shutdown", domid)
    assert client.wait_event() == ("@releaseDomain", "out")
    daemon.updated(times=2)
    client.sync()
    assert not client.drain_events()
    host.run("destroy", domid)
    assert client.wait_event() == ("@releaseDomain", "out")
    assert not client.drain_events()


def test_a_domain_dies_while_nobody_serves(daemon, client, host, programs):
    dying, living = host.create(), host.create()
    client.watch("@releaseDomain", "out")
    client.watch("@introduceDomain", "in")
    absent(daemon, programs, lambda: host.run("destroy", "--bare", dying))
    assert client.wait_event() == ("@releaseDomain", "out")
    client.sync()
    assert not client.drain_events()
    assert not client.is_introduced(dying) and client.is_introduced(living)
    wait_for(lambda: dying not in host.domains(), "the domain to be let go")
    assert not client.exists(f"/local/domain/{dying}/data")


def test_a_domain_shuts_down_while_nobody_serves(daemon, client, host, programs):
    domid = host.create()
    host.run("unpause", domid)
    client.watch("@releaseDomain", "out")
    absent(daemon, programs, lambda: host.run("shutdown", domid))
    assert client.wait_event() == ("@releaseDomain", "out")
    daemon.updated()
    assert not client.drain_events()
    assert client.is_introduced(domid)


def test_a_domain_is_replaced_while_nobody_serves(daemon, client, host, programs):
    domid = host.create()
    guest = daemon.guest(domid)
    guest.write("data/old", b"1")
    guest.watch("data", "t")
    client.watch("@releaseDomain", "out")
    uniques = [host.domains()[domid][1]]

    def replace():
        host.run("destroy", "--bare", domid)
        # Its rings are mapped by the daemon still, so that its number stays in use.
        uniques.append(host.domains().get(domid, (None, None))[1])

    absent(daemon, programs, replace)
    assert client.wait_event() == ("@releaseDomain", "out")
    wait_for(lambda: domid not in host.domains(), "the domain to be let go")
    client.rm(f"/local/domain/{domid}")
    assert host.create(domid) == domid
    assert host.domains()[domid][1] != uniques[0]
    successor = daemon.guest(domid)
    assert not successor.exists("data/old")
    assert successor.ls("data") == []
    client.sync()
    assert not client.drain_events()


def test_a_domain_appears_while_nobody_serves(daemon, client, host, programs):
    born = []
    client.watch("@introduceDomain", "in")
    absent(daemon, programs, lambda: born.append(host.create("--bare")))
    assert not client.is_introduced(born[0])
    client.introduce(born[0], 1, 1)
    assert client.drain_events() == [("@introduceDomain", "in")]
    assert daemon.guest(born[0]).get_domain_path(born[0]) == f"/local/domain/{born[0]}"


def test_deaths_are_noticed_after_many_updates(daemon, client, host):
    domids = [host.create() for _ in range(4)]
    client.watch("@releaseDomain", "out")
    for domid in domids:
        daemon.updated(times=2)
        host.run("destroy", domid)
        assert client.wait_event() == ("@releaseDomain", "out")
        assert not client.drain_events()


def test_introduce_again_and_release_after_an_update(daemon, client, host):
    domid = host.create()
    guest = daemon.guest(domid)
    guest.write("data/x", b"1")
    daemon.updated()
    client.release(domid)
    assert not client.is_introduced(domid)
    daemon.updated()
    host.run("destroy", domid)
    assert host.create(domid) == domid
    assert daemon.guest(domid).error_of(Type.READ, b"data/x\0") == "ENOENT"


def test_features_and_quotas_of_a_domain(daemon, client, host):
    domid = host.create()
    client.set_quota(domid, "watches", 3)
    features = client.get_feature(domid)
    daemon.updated()
    assert client.get_quota(domid, "watches") == 3
    assert client.get_feature(domid) == features
    guest = daemon.guest(domid)
    for i in range(3):
        guest.watch("data", f"{i}")
    assert guest.error_of(Type.WATCH, b"data\0more\0") == "ENOSPC"
    daemon.updated()
    assert guest.error_of(Type.WATCH, b"data\0more\0") == "ENOSPC"


def test_a_poisoned_transaction_stays_so(daemon, client, host):
    """A request in it failed half way for lack of quota; it cannot be committed any more."""
    domid = host.create()
    guest = daemon.guest(domid)
    client.set_quota(domid, "nodes", client.get_quota(domid, "nodes"))
    used = int([l for l in client.control("quota", str(domid)).splitlines()
                if l.startswith("nodes")][0].split(":")[1].split("(")[0])
    client.set_quota(domid, "nodes", used + 2)
    results = []
    for update in (False, True):
        tx = guest.transaction_start()
        answers = [guest.error_of(Type.WRITE, f"data/{i}\0v".encode(), tx) for i in range(5)]
        if update:
            daemon.updated()
        answers.append(guest.error_of(Type.TRANSACTION_END, b"T\0", tx))
        answers.append(guest.ls("data"))
        for name in guest.ls("data"):
            guest.rm(f"data/{name}")
        results.append(answers)
    assert results[0] == results[1]
