# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: a host for each test, and Debian's daemons on it."""

import pytest

from tests.peers import peer
from tests.simxen.host import Host, Store


@pytest.fixture
def host():
    with Host() as running:
        yield running


@pytest.fixture
def start_store(host):
    """Starts a daemon on the host when it is called with its name."""
    stores = []

    def start(name):
        reason = peer.unavailable(name)
        if reason:
            pytest.skip(reason)
        stores.append(Store(host, name))
        return stores[-1]

    yield start
    for store in stores:
        store.close()
