# SPDX-License-Identifier: GPL-2.0-or-later
"""Several clients in one guest share its ring and do not notice each other."""

import os

import pytest

from tests.lib import xswire


@pytest.fixture
def guest(host, start_store):
    """A domid, and a function that connects to it."""
    start_store("debian-c")
    domid = host.create()
    keeper = host.popen("guest", domid, "--", "sh", "-c", "echo $XENSTORED_PATH; sleep 1000")
    path = keeper.stdout.readline().strip()
    clients = []

    def connect():
        clients.append(xswire.Client(path, timeout=60))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def test_one_token_of_two_clients(guest):
    first, second = guest(), guest()
    first.watch("data", "t")
    second.watch("data", "t")
    first.write("data/x", b"1")
    assert first.wait_event()[:2] == ("data/x", "t")
    assert second.wait_event()[:2] == ("data/x", "t")
    second.unwatch("data", "t")
    first.write("data/x", b"2")
    assert first.wait_event()[:2] == ("data/x", "t")
    assert second.drain_events() == []


def test_what_a_client_leaves_behind_is_ended(guest):
    """Watches and transactions of clients that have gone do not add up to the guest's quota."""
    stays = guest()
    for _ in range(12):
        leaves = guest()
        for number in range(20):
            leaves.watch("data", f"t{number}")
        leaves.transaction_start()
        leaves.close()
    stays.watch("data", "t")
    assert stays.commit(stays.transaction_start())


def test_a_watch_right_behind_a_reset(guest):
    """A reset ends the watches that were set before it, also those of others, and no others."""
    client, other = guest(), guest()
    client.watch("data", "before")
    other.watch("data", "others")
    client.pipeline_ok([(xswire.Type.RESET_WATCHES, b"\0"),
                        (xswire.Type.WATCH, xswire.strings("data", "behind"))])
    assert client.wait_event() == ("data", "behind")
    other.write("data/x", b"1")
    assert client.wait_event() == ("data/x", "behind")
    assert not client.drain_events() and not other.drain_events()
    # It can be removed, and set again.
    client.unwatch("data", "behind")
    client.watch("data", "behind")


def test_answers_go_to_those_who_asked(guest):
    clients = [guest() for _ in range(5)]
    for number, client in enumerate(clients):
        client.write(f"data/{number}", str(number).encode())
    for _ in range(20):
        sent = [client.send(xswire.Type.READ, f"data/{number}\0".encode(), req=42)
                for number, client in enumerate(clients)]
        assert set(sent) == {42}
        for number, client in enumerate(clients):
            assert client.recv_reply().payload == str(number).encode()


def test_a_client_that_breaks_the_protocol_hurts_itself_only(guest):
    bad, good = guest(), guest()
    bad.send_raw(os.urandom(8) + b"\0\0\0\0" + b"\xff\xff\0\0")
    bad.wait_closed()
    good.write("data/x", b"1")
    assert good.read("data/x") == b"1"
