# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that are slow, many, greedy or dead, and what their neighbours notice of them.

What a client does not read is queued up to 16 MiB, in order and complete; beyond that the
daemon closes that connection and nobody else notices.
"""

import multiprocessing
import resource
import socket
import time

import pytest

from tests.lib import xswire
from tests.lib.daemon import Daemon
from tests.lib.xswire import ConnectionClosed, Type, message, strings

QUEUE_LIMIT = 16 << 20


def wait_for_files(daemon, client, count):
    deadline = time.monotonic() + 10
    while daemon.open_files() > count and time.monotonic() < deadline:
        client.sync()
    return daemon.open_files()


def write_padded(client, first, last, size=3000):
    """One node for each number, with names that make events of about `size` bytes."""
    pad = "p" * size
    client.pipeline_ok((Type.WRITE, strings(f"/flood/{pad}{n}")) for n in range(first, last))
    client.log.clear()


def test_events_for_a_slow_reader_are_kept_in_order(client, other):
    # 8 MiB: half of what is allowed.
    other.watch("/flood", "t")
    count = (8 << 20) // 3000
    write_padded(client, 0, count)
    events = other.drain_events()
    assert [e.path[7 + 3000 :] for e in events] == [str(n) for n in range(count)]


def test_replies_and_events_for_a_slow_reader_are_kept_in_order(client, other):
    other.watch("/flood", "t")
    client.write("/value", b"v" * 2000)
    for n in range(100):
        other.send_raw(message(Type.READ, b"/value\0", req=n + 1000), read=False)
    other.send_raw(message(Type.GET_DOMAIN_PATH, b"9\0", req=5), read=False)
    write_padded(client, 0, 500)
    replies = [other.recv_reply() for _ in range(101)]
    assert [r.req_id for r in replies] == [n + 1000 for n in range(100)] + [5]
    assert len(other.drain_events()) == 500


def test_a_watcher_that_never_reads_is_closed_and_others_do_not_notice(daemon, client, other):
    client.sync()
    other.watch("/flood", "o")
    before = daemon.open_files()
    victim = daemon.connect()
    victim.watch("/flood", "v")
    memory = daemon.status("VmRSS")
    step = 500
    written = 0
    # Four times the limit must be enough; the neighbour reads and gets everything.
    while daemon.open_files() > before:
        assert written * 3000 < 4 * QUEUE_LIMIT, "the queue is not bounded"
        write_padded(client, written, written + step)
        written += step
        events = other.drain_events()
        assert [e.path[7 + 3000 :] for e in events] == [str(n) for n in range(written - step, written)]
        other.log.clear()
    assert written * 3000 > QUEUE_LIMIT // 4
    assert daemon.status("VmRSS") - memory < 256 * 1024
    victim.wait_closed()
    # What was handed over before the close came in order.
    got = [int(e.path[7 + 3000 :]) for e in victim.events]
    assert got == list(range(len(got)))
    assert client.read(f"/flood/{'p' * 3000}0") == b""


def test_a_reader_that_never_reads_is_bounded(daemon, client):
    client.write("/value", b"v" * 4000)
    client.sync()
    memory = daemon.status("VmRSS")
    victim = daemon.connect()
    request = message(Type.READ, b"/value\0") * 1000
    sent = 0
    # 96 MiB of answers asked for, none taken.  Not being read any more is as good as a close.
    try:
        while sent < 24000:
            victim.send_raw(request, timeout=3, read=False)
            sent += 1000
    except (xswire.Timeout, ConnectionClosed):
        pass
    for _ in range(50):
        assert client.read("/value") == b"v" * 4000
    assert daemon.status("VmRSS") - memory < 4 * QUEUE_LIMIT // 1024
    victim.close()
    client.sync()


def test_a_slow_reader_gets_everything(daemon, client):
    client.write("/value", b"v" * 4000)
    slow = daemon.connect()
    count = 1000
    slow.send_raw(message(Type.READ, b"/value\0") * 100, read=False)
    got = 0
    asked = 100
    while got < count:
        assert slow.recv_reply().payload == b"v" * 4000
        got += 1
        if asked < count:
            slow.send_raw(message(Type.READ, b"/value\0"), read=False)
            asked += 1
        client.sync()
    slow.sync()


def test_many_never_readers_at_once(daemon, client):
    client.write("/value", b"v" * 4000)
    victims = [daemon.connect() for _ in range(20)]
    for victim in victims:
        victim.send_raw(message(Type.READ, b"/value\0") * 500, read=False)
    for n in range(100):
        client.write("/beside", b"%d" % n)
        assert client.read("/beside") == b"%d" % n
    for victim in victims:
        for _ in range(500):
            assert len(victim.recv_reply().payload) == 4000


def flood(path, ready, stop):
    """A process that keeps as many requests in flight as it can."""
    client = xswire.Client(path, timeout=60)
    batch = [(Type.WRITE, strings(f"/greedy/{n}") + b"x" * 100) for n in range(64)]
    client.pipeline(batch)
    ready.set()
    while not stop.is_set():
        client.pipeline(batch)
        client.log.clear()
    client.close()


def test_a_flooding_client_beside_a_normal_one(daemon):
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    process = context.Process(target=flood, args=(daemon.socket, ready, stop))
    process.start()
    try:
        assert ready.wait(60)
        client = daemon.connect()
        for n in range(300):
            client.write("/normal", b"%d" % n)
            assert client.read("/normal") == b"%d" % n
    finally:
        stop.set()
        process.join(60)
        if process.is_alive():
            process.kill()
            process.join()
    assert process.exitcode == 0


def test_a_pipeline_of_expensive_requests_does_not_lock_others_out(daemon, client):
    greedy = daemon.connect()
    count = 30
    for tree in range(count):
        greedy.pipeline_ok((Type.WRITE, strings(f"/trees/{tree}/{n}")) for n in range(300))
    for tree in range(count):
        greedy.send(Type.RM, strings(f"/trees/{tree}"))
    for n in range(50):
        client.write("/normal", b"%d" % n)
        assert client.read("/normal") == b"%d" % n
    for _ in range(count):
        assert greedy.recv_reply().payload == b"OK\0"
    assert client.ls("/trees") == []


def test_many_watchers_on_many_connections(daemon, client):
    count = 1000
    watchers = [daemon.connect() for _ in range(count)]
    for n, watcher in enumerate(watchers):
        watcher.watch("/shared", n)
        watcher.watch(f"/own/{n}", n)
    client.write("/shared/node", b"")
    for n, watcher in enumerate(watchers):
        assert watcher.wait_event() == ("/shared/node", str(n))
    client.write("/own/500/x", b"")
    assert watchers[500].drain_events() == [("/own/500/x", "500")]
    for n in (0, 499, 501, 999):
        assert watchers[n].drain_events() == []
    for watcher in watchers[::2]:
        watcher.close()
    client.write("/shared/node", b"")
    for n in range(1, count, 2):
        assert watchers[n].wait_event() == ("/shared/node", str(n))


def test_connections_that_come_and_go(daemon, client):
    client.sync()
    before = daemon.open_files()
    keep = []
    for n in range(1500):
        connection = daemon.connect()
        connection.watch(f"/c/{n % 50}", n)
        keep.append(connection)
        if len(keep) > 20:
            keep.pop((n * 7) % len(keep)).close()
    for connection in keep:
        connection.close()
    assert wait_for_files(daemon, client, before) == before
    assert "watches          :        0" in client.control("quota", "0")


@pytest.fixture
def many_files():
    """Room for 10,000 connections here and in the daemon, or the reason why there is none."""
    wanted = 12000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
        except (ValueError, OSError) as exc:
            pytest.skip(f"RLIMIT_NOFILE is {soft}:{hard} and cannot be raised: {exc}")
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, max(hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))


def test_ten_thousand_connections(many_files):
    count = 10000
    request = message(Type.GET_DOMAIN_PATH, b"1\0")
    answer = message(Type.GET_DOMAIN_PATH, b"/local/domain/1\0")
    with Daemon() as daemon:
        sockets = []
        try:
            for _ in range(count):
                sockets.append(xswire.connect(daemon.socket, timeout=30))
            client = daemon.connect(timeout=30)
            for sock in sockets:
                sock.sendall(request)
            for sock in sockets:
                assert sock.recv(len(answer), socket.MSG_WAITALL) == answer
            client.write("/x", b"1")
            assert client.read("/x") == b"1"
            assert daemon.open_files() > count
        finally:
            for sock in sockets:
                sock.close()
        client.sync()


def test_no_descriptors_left_is_survived():
    """More connections than the daemon may open: those it has go on, later ones work again."""
    limited = Daemon()
    limited.command = ["prlimit", "--nofile=64:64", "--"] + limited.command
    with limited as daemon:
        client = daemon.connect()
        client.sync()
        crowd = []
        for _ in range(100):
            crowd.append(xswire.connect(daemon.socket))
        for n in range(20):
            client.write("/x", b"%d" % n)
        for sock in crowd:
            sock.close()
        late = daemon.connect()
        late.sync()
        assert late.read("/x") == b"19"


def test_a_shortage_of_descriptors_is_told_once_in_a_while():
    """Each connection that goes lets the next one in; the log does not grow by a line for each."""
    limited = Daemon()
    limited.command = ["prlimit", "--nofile=64:64", "--"] + limited.command
    with limited as daemon:
        waiting = [xswire.connect(daemon.socket) for _ in range(150)]
        told = "Cannot accept more connections"
        deadline = time.monotonic() + 30
        while told not in daemon.stderr() and time.monotonic() < deadline:
            time.sleep(0.01)
        for connection in waiting[:60]:
            connection.close()
        for connection in waiting[60:100]:
            connection.close()
        with daemon.connect() as client:
            for connection in waiting[100:]:
                connection.close()
            client.write("/a", b"")
        # Once in ten seconds; one line for each would be many.
        assert 1 <= daemon.stderr().count(told) <= 5
