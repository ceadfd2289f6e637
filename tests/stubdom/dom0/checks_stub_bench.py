# SPDX-License-Identifier: GPL-2.0-or-later
"""Measurements; they are reported, never judged."""

import re
import statistics
import threading
import time

from checks_stub_files import FilesDaemon, log_file
from checks_stub_update import update
from framework import Skip, check

CONSOLE = "/var/log/xen/guest-Xenstore.log"
ROUNDS = 3  # an odd number: the median is one that was measured


def milliseconds(work, rounds):
    """The median time of work() over so many rounds, and the worst."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), max(times)


def report(host, what, value):
    host.report(f"{what:50} {value}")


def both(pair):
    return "%8.2f ms (longest %.2f)" % pair


@check("from the start to the first answer", boot="bench")
def first_answer(host):
    report(host, "from the start command to its end", f"{host.start_seconds * 1000:8.0f} ms")


@check("round trips on dom0's ring", boot="bench", deadline=300)
def round_trips(host):
    client = host.client
    client.write("/bench", b"x" * 8)
    client.write("/bench-2000", b"x" * 2000)
    report(host, "read of 8 bytes", both(milliseconds(lambda: client.read("/bench"), 300)))
    report(host, "read of 2,000 bytes", both(milliseconds(lambda: client.read("/bench-2000"), 100)))
    report(host, "write of 8 bytes",
           both(milliseconds(lambda: client.write("/bench", b"y" * 8), 300)))
    report(host, "write of 2,000 bytes",
           both(milliseconds(lambda: client.write("/bench-2000", b"y" * 2000), 100)))
    client.rm("/bench")
    client.rm("/bench-2000")


def grow(host, have, want):
    """Nodes in directories of 100, each with a value of 24 bytes."""
    client = host.client
    for number in range(have, want):
        client.write(f"/bench/{number // 100}/node-{number % 100}", b"a value of twenty-four b")
    return want


class Reader(threading.Thread):
    """A client that reads all the time: how long does it wait at most?"""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.client = host.new_client()
        self.longest = 0
        self.stopped = False

    def run(self):
        while not self.stopped:
            start = time.perf_counter()
            self.client.read("/bench/0/node-0")
            self.longest = max(self.longest, (time.perf_counter() - start) * 1000)
            time.sleep(0.05)

    def stop(self):
        self.stopped = True
        self.join(30)
        self.client.close()
        return self.longest


def last_pause():
    """What the domain itself says of its last update, in ms, and the bytes of state."""
    with open(CONSOLE) as stream:
        found = re.findall(r"(\d+) bytes of state taken over; the pause was (\d+) ms", stream.read())
    return int(found[-1][1]), int(found[-1][0])


@check("the pause of a live update", boot="bench", deadline=900)
def pauses(host):
    if not host.domid:
        raise Skip("our daemon is measured by tests/bench")
    ways = ["memory"]
    try:
        log_file(host)
        ways.append("file")
    except Exception as error:  # then there is nothing to measure with
        host.report(f"no files: {error}")
    nodes = 0
    for wanted in 1000, 20000:
        nodes = grow(host, nodes, wanted)
        for way in ways:
            seen = []
            for _ in range(ROUNDS):
                reader = Reader(host)
                reader.start()
                update(host, "-m", way)
                longest = reader.stop()
                seen.append((*last_pause(), longest))
            pause, size, longest = (statistics.median(column) for column in zip(*seen))
            report(host, f"pause with {nodes:,} nodes, by {way}",
                   f"{pause:8.0f} ms ({size:,.0f} bytes; a client waited {longest:.0f} ms at most)")
        pages, _limit = host.memory_pages()
        report(host, f"memory of the domain with {nodes:,} nodes", f"{pages * 4:8} KB")
    host.client.rm("/bench")
    if FilesDaemon.process:
        FilesDaemon.kill()
