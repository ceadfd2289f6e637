# SPDX-License-Identifier: GPL-2.0-or-later
"""Our daemon on the simulated host: what a toolstack's requests do to guests on real rings."""

import pathlib
import re

import pytest

from tests.lib.xswire import Type, strings
from tests.simxen.host import Store


@pytest.fixture
def store(host):
    running = Store(host, "ours")
    yield running
    running.close()


def port_of(host, domid):
    """The guest's event channel for the store."""
    for line in host.run("list").stdout.splitlines():
        words = line.split()
        if int(words[0]) == domid:
            return int(words[3])
    raise KeyError(domid)


@pytest.mark.parametrize("updated", [False, True], ids=["", "after a live update"])
def test_an_introduce_with_a_wrong_port_changes_nothing(host, store, updated):
    domid = host.create()
    guest = host.guest_client(domid)
    guest.write("data/before", b"1")
    if updated:
        store.live_update()
    toolstack = store.connect()
    assert toolstack.error_of(Type.INTRODUCE, strings(domid, 1, 999)) == "EINVAL"
    assert guest.read("data/before") == b"1"
    # The right port is bound already, and can be bound again all the same.
    toolstack.introduce(domid, 1, port_of(host, domid))
    guest.close()
    assert host.guest(domid, "xenstore-read", "data/before").stdout == "1\n"


def test_classes_of_the_trace_that_are_off_at_first(host, store):
    """log +acc, +wrl and +tdb show accounts, credits and nodes; without them nothing is shown."""
    domid = host.create()
    trace = pathlib.Path(host.base, "trace")
    toolstack = store.connect()
    toolstack.control("logfile", trace)
    for switch in ("-obj", "-io"):
        toolstack.control("log", switch)
    guest = host.guest_client(domid)
    guest.write("data/x", b"silent")
    before = trace.read_text()
    for name in ("acc", "wrl", "tdb"):
        assert f"{name}: " not in before
        toolstack.control("log", f"+{name}")
    tx = toolstack.transaction_start()
    guest.write("data/y", b"12345")
    guest.read("data/y")
    guest.rm("data/y")
    guest.watch("data", "t")
    toolstack.transaction_end(tx)
    lines = trace.read_text()[len(before):].splitlines()
    home = f"/local/domain/{domid}"
    # A node of 16 bytes, an entry of 8 for each permission, and 5 bytes of value.
    size = 16 + 8 * len(toolstack.get_perms(f"{home}/data")) + 5
    assert f"tdb: store {home}/data/y size {size}" in lines
    assert f"tdb: read {home}/data/y size {size}" in lines
    assert f"tdb: delete {home}/data/y" in lines
    assert any(re.fullmatch(rf"acc: domain {domid}: nodes \+1 = \d+", line) for line in lines)
    assert any(re.fullmatch(rf"acc: domain {domid}: nodes -1 = \d+", line) for line in lines)
    assert any(re.fullmatch(rf"acc: domain {domid}: watches \+1 = 1", line) for line in lines)
    assert any(re.fullmatch(rf"wrl: domain {domid}: 2 units charged, -?\d+ points left", line)
               for line in lines)
    for name in ("acc", "wrl", "tdb"):
        toolstack.control("log", f"-{name}")
    silent = trace.read_text()
    guest.write("data/x", b"silent again")
    assert trace.read_text() == silent


def test_a_lowered_memory_quota_is_told_when_it_stalls_a_guest(host, store):
    domid = host.create()
    guest = host.guest_client(domid)
    guest.write("data/x", b"1")
    toolstack = store.connect()
    toolstack.set_quota(domid, "memory", 10)
    stalled = f"Domain {domid} exceeds hard memory quota, Xenstore interface to domain stalled"
    assert stalled in store.log()
    toolstack.set_quota(domid, "memory", 0)
    assert guest.read("data/x") == b"1"
