# SPDX-License-Identifier: GPL-2.0-or-later
"""Our daemon on the simulated host: what a toolstack's requests do to guests on real rings."""

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
