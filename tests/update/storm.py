# SPDX-License-Identifier: GPL-2.0-or-later
"""A storm: many clients work and check themselves while the daemon is updated again and again.

    /usr/bin/python3 -m tests.update.storm --updates 100 --guests 1000 --sockets 100

Each client is a thread with one connection, a socket or a guest's ring, and knows exactly what
it must be answered: numbered writes are read back, every change is seen by a watch once and in
order, transactions that nobody disturbs commit, counters count every commit, requests sent in
two pieces, cut at every byte in turn, and replies read late and in small pieces arrive whole.
Anything else is a difference, errors among it: none of this would fail without updates.
"""

import argparse
import itertools
import random
import resource
import sys
import threading
import time

from tests.lib.xswire import Type, XsError, message, strings
from tests.update.live import running
from tests.update.onhost import HostLive

# A crowd's writes are held back, and the machine may be busy: this is no measure of anything.
PATIENCE = 120.0

KEPT = 20  # numbered nodes of a writer that exist at the same time


class Client(threading.Thread):
    """One workload on one connection."""

    def __init__(self, storm, number, connection, home):
        super().__init__(daemon=True)
        self.storm = storm
        self.connection = connection
        self.home = home
        self.random = random.Random(number)
        self.operations = 0
        self.events = 0
        self.failure = None

    def run(self):
        try:
            while not self.storm.over.is_set():
                self.turn()
                self.operations += 1
                time.sleep(self.storm.pause)
            self.finish()
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = f"{type(self).__name__} {self.home}: {failure!r}"

    def turn(self):
        """One piece of work."""

    def finish(self):
        """What can be checked at the end only."""

    def differ(self, text):
        raise AssertionError(text)


class Watched(Client):
    """Writes numbered nodes, removes old ones, and watches them: each change is told once."""

    count = 0

    def prepare(self):
        self.connection.mkdir(f"{self.home}/w")
        self.connection.watch(f"{self.home}/w", "token")

    def turn(self):
        self.count += 1
        path = f"{self.home}/w/{self.count}"
        self.connection.write(path, b"%d" % self.count)
        expected = [(path, "token")]
        if self.count > KEPT:
            old = f"{self.home}/w/{self.count - KEPT}"
            self.connection.rm(old)
            expected.append((old, "token"))
        got = self.connection.drain_events()
        self.events += len(got)
        if got != expected:
            self.differ(f"events {got} instead of {expected}")
        back = self.random.randrange(max(1, self.count - KEPT + 1), self.count + 1)
        if self.connection.read(f"{self.home}/w/{back}") != b"%d" % back:
            self.differ(f"node {back}")

    def finish(self):
        first = max(1, self.count - KEPT + 1)
        if self.connection.ls(f"{self.home}/w") != [str(i) for i in range(first, self.count + 1)]:
            self.differ("the list of children")


class Transactor(Client):
    """Transactions that stay open across updates; nobody else touches what they touch."""

    value = 0

    def prepare(self):
        self.connection.write(f"{self.home}/t", b"0")

    def turn(self):
        tx = self.connection.transaction_start()
        seen = int(self.connection.read(f"{self.home}/t", tx))
        if seen != self.value:
            self.differ(f"{seen} instead of {self.value}")
        self.connection.write(f"{self.home}/t", b"%d" % (seen + 1), tx)
        self.connection.mkdir(f"{self.home}/made/{seen}", tx)
        if self.random.random() < 0.5:
            self.storm.next_update(self.random.choice((1, 2)))
        if not self.connection.commit(tx):
            self.differ("a transaction that nobody disturbs was refused")
        self.value += 1
        self.connection.rm(f"{self.home}/made/{seen}")


class Counter(Client):
    """Transactions on a counter that all share: each success counts once."""

    successes = 0

    def prepare(self):
        pass

    def turn(self):
        tx = self.connection.transaction_start()
        seen = int(self.connection.read("/storm-counter", tx))
        self.connection.write("/storm-counter", b"%d" % (seen + 1), tx)
        if self.connection.commit(tx):
            self.successes += 1


class Half(Client):
    """Requests sent in two pieces, with anything between them."""

    def prepare(self):
        self.connection.write(f"{self.home}/h", b"")
        self.cut = self.random.randrange(64)

    def turn(self):
        value = self.random.randbytes(self.random.choice((10, 10, 10, 1500)))
        req = self.connection.new_req()
        request = message(Type.WRITE, strings(f"{self.home}/h") + value, 0, req)
        # At every byte in turn, over header, path and value; the crowd starts everywhere.
        self.cut += 1
        cut = self.cut % len(request) if len(value) < 100 else self.random.randrange(len(request))
        self.connection.send_raw(request[:cut])
        if self.random.random() < 0.3:
            self.storm.next_update(1)
        self.connection.send_raw(request[cut:])
        reply = self.connection.recv_reply()
        if (reply.type, reply.req_id, reply.payload) != (Type.WRITE, req, b"OK\0"):
            self.differ(f"{reply} to request {req}")
        if self.connection.read(f"{self.home}/h") != value:
            self.differ("what was sent in two pieces is another value")


class Slow(Client):
    """Asks much and reads late, in small pieces."""

    def prepare(self):
        # A guest may have 20 requests outstanding; a socket's replies are more than its buffer
        # takes, so that they wait in the daemon.
        self.count, size = (15, 1900) if "domain" in self.home else (100, 4000)
        self.value = self.random.randbytes(size)
        self.connection.write(f"{self.home}/s", self.value)

    def turn(self):
        ids = []
        for _ in range(self.count):
            ids.append(self.connection.new_req())
            self.connection.send_raw(
                message(Type.READ, strings(f"{self.home}/s"), 0, ids[-1]), read=False)
        self.storm.next_update(1)
        data = bytearray()
        while len(data) < len(ids) * (16 + len(self.value)):
            if self.ready():
                data += self.connection.sock.recv(self.random.choice((1, 17, 900, 65536)))
        expected = b"".join(message(Type.READ, self.value, 0, req) for req in ids)
        if data != expected:
            self.differ("replies that were read late")

    def ready(self):
        self.connection._wait(1, time.monotonic() + PATIENCE, "bytes")  # POLLIN
        return True


class Reader(Client):
    """Does nothing but read; the longest time between two answers is the gap it sees."""

    longest = 0.0
    last = None

    def prepare(self):
        self.connection.write(f"{self.home}/r", b"read")

    def turn(self):
        for _ in range(20):
            if self.connection.read(f"{self.home}/r") != b"read":
                self.differ("another value")
            now = time.monotonic()
            if self.last:
                self.longest = max(self.longest, now - self.last)
            self.last = now
        self.last = None


class Storm:
    """All clients of one daemon, and its updates."""

    kinds = (Watched, Transactor, Half, Slow, Counter)

    def __init__(self, updates, guests, sockets, pause=0.002):
        self.updates, self.guests, self.sockets = updates, guests, sockets
        self.pause = pause
        self.over = threading.Event()
        self.updated = threading.Condition()
        self.done = 0
        self.clients = []

    def next_update(self, more):
        """Wait for so many more updates, or the end."""
        with self.updated:
            goal = self.done + more
            self.updated.wait_for(lambda: self.done >= goal or self.over.is_set(), PATIENCE)

    def make_clients(self, daemon):
        root = daemon.connect(PATIENCE)
        root.write("/storm-counter", b"0")
        kinds = itertools.cycle(self.kinds)
        for number in range(self.sockets - 1):
            kind = Reader if number == 0 else next(kinds)
            self.clients.append(kind(self, number, daemon.connect(PATIENCE), f"/storm/{number}"))
        domids = [int(line) for line in
                  daemon.host.run("create", "--count", self.guests).stdout.split()] \
            if self.guests else []
        for number, connection in enumerate(daemon.crowd(domids, PATIENCE)):
            kind = self.kinds[number % 4]
            self.clients.append(kind(self, 1000 + number, connection,
                                     f"/local/domain/{domids[number]}/data"))
        for client in self.clients:
            client.prepare()
        return root

    def run(self):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        threading.stack_size(1 << 18)
        with HostLive() as daemon:
            root = self.make_clients(daemon)
            pid = daemon.pid
            for client in self.clients:
                client.start()
            longest = 0.0
            for _ in range(self.updates):
                before = [client.operations for client in self.clients]
                start = time.monotonic()
                daemon.updated(client=root)
                longest = max(longest, time.monotonic() - start)
                with self.updated:
                    self.done += 1
                    self.updated.notify_all()
                self.settle(before)
            self.over.set()
            with self.updated:
                self.updated.notify_all()
            deadline = time.monotonic() + PATIENCE
            for client in self.clients:
                client.join(max(0.0, deadline - time.monotonic()))
                if client.is_alive():
                    client.failure = f"{type(client).__name__} {client.home}: no answer"
            assert running(pid) and daemon.current() == pid
            self.check_counter(root)
            check = root.control("check")
            self.longest_update = longest
            self.log = daemon.stderr()
            return check

    def settle(self, before):
        """Until a good part of the clients has got on, or one has found a difference.  Guests'
        writes are limited to 200 a second for all of them together, so not of a large crowd all."""
        deadline = time.monotonic() + PATIENCE
        enough = min(len(self.clients) / 2, 150)
        while time.monotonic() < deadline and not self.failures():
            moved = sum(c.operations > b for c, b in zip(self.clients, before))
            if moved >= enough:
                return
            time.sleep(0.005)

    def check_counter(self, root):
        total = sum(c.successes for c in self.clients if isinstance(c, Counter))
        if int(root.read("/storm-counter")) != total:
            self.clients[0].failure = "the shared counter"

    def failures(self):
        return [client.failure for client in self.clients if client.failure]

    def summary(self):
        operations = sum(client.operations for client in self.clients)
        events = sum(client.events for client in self.clients)
        gap = max(c.longest for c in self.clients if isinstance(c, Reader))
        return (f"storm: {self.done} updates, {len(self.clients)} clients ({self.guests} guests), "
                f"{operations} operations, {events} events, {len(self.failures())} differences, "
                f"longest gap of a reader {gap * 1000:.1f} ms, "
                f"longest update {self.longest_update * 1000:.1f} ms")


def main():
    parser = argparse.ArgumentParser(description="update a daemon under load")
    parser.add_argument("--updates", type=int, default=10)
    parser.add_argument("--guests", type=int, default=8)
    parser.add_argument("--sockets", type=int, default=23)
    options = parser.parse_args()
    storm = Storm(options.updates, options.guests, options.sockets)
    try:
        check = storm.run()
    except XsError as failure:
        sys.exit(f"storm: {failure}")
    print(storm.summary())
    print("check:", check)
    for failure in storm.failures()[:20]:
        print("difference:", failure)
    if storm.failures():
        print(storm.log)
    return 1 if storm.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
