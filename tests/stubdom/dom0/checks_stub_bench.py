# SPDX-License-Identifier: GPL-2.0-or-later
"""Measurements; they are reported, never judged."""

import statistics
import time

from framework import check


def milliseconds(work, rounds):
    """The median time of work() over so many rounds, and the worst."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), max(times)


def report(host, what, value):
    host.report(f"{what:58} {value}")


def both(pair):
    return "%8.2f ms (longest %.2f)" % pair


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
